/* What people do with their own accounts: look at them, end web sessions, change password and
 * address. Called by serve.c for each message; own_was_set by accounts.c. */
#ifndef SALLYPORT_STORE_OWN_H
#define SALLYPORT_STORE_OWN_H

#include "monitor/store/holder.h"

int own_prepare(struct accounts *a, struct refusal *why);

/* Questions and changes: as those of accounts.h. */
int own_show(struct accounts *a, const void *own_show, void *own_is, struct refusal *why);
int own_web_next(struct accounts *a, const void *web_next, void *web_is, struct refusal *why);
int own_web_end(struct accounts *a, const void *web_end, struct outcome *done, struct refusal *why);
int own_password(struct accounts *a, const void *password_change, struct outcome *done,
                 struct refusal *why);
int own_address(struct accounts *a, const void *address_change, struct outcome *done,
                struct refusal *why);
int own_confirm(struct accounts *a, const void *link_confirm, struct outcome *done,
                struct refusal *why);

/* The operator set these fields of an account: what follows for its links, and its owner is told.
 * before: as it was. Returns 0, or -1 and why is filled. */
int own_was_set(struct accounts *a, const struct holder *before, const struct user_set *set,
                struct refusal *why);

/* Random bytes of the kernel. Returns 0, or -1 and why is filled. */
int own_random(uint8_t *bytes, size_t size, struct refusal *why);

/* A text that an answer points into, until the next answer of its kind. */
enum own_text { OWN_NAME, OWN_EMAIL, OWN_NEW_EMAIL };
struct slice own_keep(struct accounts *a, enum own_text which, const char *text);

#endif
