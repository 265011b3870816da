/* What an account and a key may look like. Everything that is stored passes here first; each
 * function returns NULL, or a sentence for the operator that says what is wrong. */
#ifndef SALLYPORT_STORE_VALIDATE_H
#define SALLYPORT_STORE_VALIDATE_H

#include <stdint.h>

#include "common/message.h"

/* The fields of an account that are named (ACCOUNT_SET_*; ACCOUNT_SET_ALL for a new account). */
#define ACCOUNT_SET_ALL 0x1ffu
const char *validate_account(uint32_t fields, const struct user_set *account);

const char *validate_name(struct slice name);
const char *validate_email(struct slice email);                /* an empty one is none, and fine */
const char *validate_password(const struct user_set *account); /* the hash; an empty one is none */
const char *validate_key(struct slice blob);
const char *validate_comment(struct slice comment);

/* The name and path of a folder set. */
const char *validate_folder(struct slice name, struct slice path);

/* The rights of an account in a folder set: at least one. */
const char *validate_grant(uint32_t rights);

#endif
