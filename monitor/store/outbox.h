/* Notices that wait to be mailed: put in with the change that they tell of, in its transaction;
 * taken out when sallyport-notify (notify_link.c) has delivered them, or will never. Called by
 * own.c, links.c, codes.c and accounts.c, and by notify_link.c. */
#ifndef SALLYPORT_STORE_OUTBOX_H
#define SALLYPORT_STORE_OUTBOX_H

#include "monitor/store/holder.h"

#define OUTBOX_MOST    10000 /* notices; one more, and the oldest that is no link's gives way */
#define OUTBOX_CHANGES 40    /* that one notice tells one by one */
#define OUTBOX_SECONDS (3 * 24 * 3600) /* for which delivery is tried */

int outbox_prepare(struct accounts *a, struct refusal *why);

/* A change of an account, told to its confirmed address (none: nobody is told); gathered with those
 * before it. from: the address of who did it, or empty. Returns 0, or -1 and why is filled. */
int outbox_tell(struct accounts *a, const struct holder *h, struct slice from, struct refusal *why,
                const char *format, ...) __attribute__((format(printf, 5, 6)));

/* A link, by its hash and its token as text. h NULL: a notice to nobody, which is never due. */
struct link_notice {
    const char *kind, *to, *token;
    const char *from; /* "lost": the address of who asked */
    struct slice hash;
    int64_t expires;
};
int outbox_put_link(struct accounts *a, const struct holder *h, const struct link_notice *link,
                    struct refusal *why);

/* The next that is due: 1 (points into a->row until accounts_done), 0 there is none, -1 and why. */
int outbox_next(struct accounts *a, struct notice *answer, struct refusal *why);
/* When the first one is due, seconds since 1970; INT64_MAX: there is none. -1 and why is filled. */
int64_t outbox_due(struct accounts *a, struct refusal *why);

/* Changes: as those of accounts.h; done->line says what will never be delivered. */
int outbox_heard(struct accounts *a, const void *notice_wanted, struct outcome *done,
                 struct refusal *why);
/* One that has waited for too long, if there is one: done->number says which. */
int outbox_forget(struct accounts *a, const void *nothing, struct outcome *done,
                  struct refusal *why);

#endif
