/* Mailed links: made, looked at, used once. A link is 32 random bytes that only its mail has; here
 * is their SHA-256. Called by serve.c for each message; own.c uses links up and ends them. */
#ifndef SALLYPORT_STORE_LINKS_H
#define SALLYPORT_STORE_LINKS_H

#include "common/facts.h"
#include "monitor/store/holder.h"

enum link_state { LINK_GOOD = 0, LINK_USED = 1, LINK_ENDED = 2 };

#define LINKS(kind) (1u << (kind)) /* one of a set of kinds */
#define LINKS_ALL   (LINKS(LINK_INVITE) | LINKS(LINK_LOST) | LINKS(LINK_ADDRESS))

/* A link that is good, and whose. */
struct link {
    enum link_kind kind;
    char email[EMAIL_MAX + 1]; /* where it went */
    int64_t expires;
    struct holder holder;
};

int links_prepare(struct accounts *a, struct refusal *why);

/* By the hash of its token. Returns 0, or -1 and why it is good for nothing: a text for who came by
 * it, with how to get another. */
int links_find(struct accounts *a, struct slice hash, struct link *link, struct refusal *why);
/* Use it up: 0, or -1 and why is filled. */
int links_use(struct accounts *a, struct slice hash, const struct link *link, struct refusal *why);
/* Those of an account that are good, of these kinds, are so no more, nor are their notices sent. */
int links_end(struct accounts *a, int64_t account, unsigned kinds, struct refusal *why);

/* Make a link in place of one of the same kind, and put its notice into the outbox. from: the
 * address of who asked, for LINK_LOST. */
int links_send(struct accounts *a, const struct holder *h, enum link_kind kind, const char *to,
               const char *from, struct refusal *why);
/* The same for nobody, who gets none: it takes as long, with links_allow. */
int links_send_nobody(struct accounts *a, const char *from, struct refusal *why);
/* One more link for this account within the hour: 1 and it is counted, 0 there were enough, -1. */
int links_allow(struct accounts *a, const struct holder *h, struct refusal *why);

/* When the invitation that waits ends: 0 there is none, -1 and why is filled. */
int64_t links_invited(struct accounts *a, int64_t account, struct refusal *why);

/* Mail is what links need. Returns 0, or -1 and why is filled. */
int links_mail(const struct accounts *a, struct refusal *why);

int links_show(struct accounts *a, const void *link_show, void *link_is, struct refusal *why);
int links_invite(struct accounts *a, const void *link_invite, struct outcome *done,
                 struct refusal *why);
/* lost.c */
int links_lost(struct accounts *a, const void *link_lost, struct outcome *done,
               struct refusal *why);

#endif
