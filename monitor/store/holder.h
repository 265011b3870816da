/* Who an account is, for what is done with it by its owner: copied out of its row, so that other
 * statements may run. Used by own.c, links.c, codes.c, outbox.c and accounts.c; changes nothing. */
#ifndef SALLYPORT_STORE_HOLDER_H
#define SALLYPORT_STORE_HOLDER_H

#include "monitor/store/accounts.h"

#define EMAIL_MAX 254 /* bytes, as ACCOUNT_FIELDS has it */

struct holder {
    int64_t number;
    char name[ACCOUNT_NAME_MAX + 1];
    char email[EMAIL_MAX + 1], new_email[EMAIL_MAX + 1]; /* new_email: waits to be confirmed */
    bool confirmed;                                      /* email is its owner's */
    bool password;                                       /* has one */
    bool open;                                           /* neither disabled nor expired */
    bool codes_required;                                 /* by the operator */
    int64_t password_changed;                            /* 0: never known */
    int64_t links_since;                                 /* an hour of links began then ... */
    uint32_t links_count;                                /* ... and so many were mailed in it */
};

int holder_prepare(struct accounts *a, struct refusal *why);

/* By name, by number: 0, or -1 and why is filled (ENOENT: there is no such account). */
int holder_find(struct accounts *a, struct slice name, struct holder *h, struct refusal *why);
int holder_by_number(struct accounts *a, int64_t number, struct holder *h, struct refusal *why);
/* The account behind this number whose confirmed address this is (case does not matter), in order:
 * 1, 0 there is none, -1 and why is filled. */
int holder_by_address(struct accounts *a, struct slice email, int64_t after, struct holder *h,
                      struct refusal *why);

#endif
