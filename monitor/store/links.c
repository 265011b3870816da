/* Links in SQLite: the statements as one table, then what a link is, then how one is made. Must
 * never keep a token, and never lets a link be used twice: who is second is told so. */
#include "monitor/store/links.h"

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/base64.h"
#include "monitor/store/outbox.h"
#include "monitor/store/own.h"
#include "monitor/store/validate.h"

#define REMEMBERED (30 * 24 * 3600) /* seconds for which a link that ended is told from none */
#define KEPT       50               /* of one account that are remembered so */
#define AN_HOUR    3600

enum statement {
    LINK_BY_TOKEN,
    LINK_END,
    LINK_NOTICES,
    LINK_ADD,
    LINK_USE,
    LINK_PURGE,
    LINK_OLDEST,
    LINK_NOBODYS,
    LINK_INVITED,
    LINK_COUNT,
    LINK_COUNT_NONE,
    ACCOUNT_ADDRESS,
    STATEMENT_COUNT,
};

static const char *const statements[STATEMENT_COUNT] = {
    [LINK_BY_TOKEN] = "SELECT kind, email, expires, state, account FROM links"
                      " WHERE token = ?1 AND account IS NOT NULL",
    [LINK_END] = "UPDATE links SET state = 2 WHERE account = ?1 AND state = 0 AND ?2 >> kind & 1",
    [LINK_NOTICES] = "DELETE FROM outbox WHERE link IN"
                     " (SELECT token FROM links WHERE account = ?1 AND state <> 0)",
    [LINK_ADD] = "INSERT INTO links (token, account, kind, email, created, expires, state)"
                 " VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)",
    [LINK_USE] = "UPDATE links SET state = 1 WHERE token = ?1 AND state = 0",
    [LINK_PURGE] = "DELETE FROM links WHERE expires < ?1",
    [LINK_OLDEST] = "DELETE FROM links WHERE account = ?1 AND state <> 0 AND token NOT IN"
                    " (SELECT token FROM links WHERE account = ?1 ORDER BY created DESC LIMIT ?2)",
    [LINK_NOBODYS] = "DELETE FROM links WHERE account IS NULL",
    [LINK_INVITED] = "SELECT expires FROM links WHERE account = ?1 AND kind = ?2 AND state = 0"
                     " AND expires > ?3",
    [LINK_COUNT] = "UPDATE accounts SET links_since = ?2, links_count = ?3 WHERE number = ?1",
    /* Writes as much as LINK_COUNT, and changes nothing. */
    [LINK_COUNT_NONE] = "UPDATE accounts SET links_count = links_count"
                        " WHERE number = (SELECT min(number) FROM accounts)",
    [ACCOUNT_ADDRESS] = "UPDATE accounts SET email = ?2, confirmed = 0, new_email = ''"
                        " WHERE number = ?1",
};
_Static_assert(LINK_GOOD == 0 && LINK_USED == 1 && LINK_ENDED == 2,
               "the states in the texts are those of links.h");

#define ASK_LINKS(a, statement, ...)                                                               \
    ASK(&(a)->database, (a)->link_statements + (statement), __VA_ARGS__)
#define CHANGE_LINKS(a, statement, ...)                                                            \
    CHANGE(&(a)->database, (a)->link_statements + (statement), __VA_ARGS__)

/* What each kind is: the template of its notice, and how to get another. */
static const struct {
    const char *name, *used, *expired;
} kinds[] = {
    [LINK_INVITE] =
        {"invite",
         "this invitation was used already: sign in with the password that was set by "
         "it; if you do not know it, LOST PASSWORD on the sign-in page mails you a link",
         "this invitation has expired: ask the operator of this server to send you "
         "another"},
    [LINK_LOST] = {"lost",
                   "this link was used already: sign in with the password that was set by it, or "
                   "get another link by LOST PASSWORD on the sign-in page",
                   "this link has expired: get another by LOST PASSWORD on the sign-in page"},
    [LINK_ADDRESS] = {"address", "this link was used already: the address is confirmed",
                      "this link has expired, and the address is as it was before: sign in and "
                      "change it again, to get another link"},
};

int links_prepare(struct accounts *a, struct refusal *why)
{
    a->link_statements = a->database.count;
    return database_prepare(&a->database, statements, STATEMENT_COUNT, why);
}

int links_mail(const struct accounts *a, struct refusal *why)
{
    return a->own.mail ? 0
                       : refuse(why, EOPNOTSUPP,
                                "mail is not enabled on this server, so no link can be sent "
                                "(mail.enabled in its configuration)");
}

/* ------------------------------------------------------------------------------- what it is */

int links_find(struct accounts *a, struct slice hash, struct link *link, struct refusal *why)
{
    sqlite3_stmt *row;
    const int found = ASK_LINKS(a, LINK_BY_TOKEN, &row, why, BLOB(hash));

    if (found == 0)
        return refuse(why, ENOENT,
                      "this link is not known here: is it whole? An old one is good no more: get "
                      "another by LOST PASSWORD on the sign-in page, or from the operator");
    if (found < 0)
        return -1;
    link->kind = (enum link_kind)sqlite3_column_int64(row, 0);
    (void)slice_copy(database_bytes(row, 1), link->email, sizeof(link->email));
    link->expires = sqlite3_column_int64(row, 2);
    const int64_t state = sqlite3_column_int64(row, 3), account = sqlite3_column_int64(row, 4);
    database_done(row);
    if (link->kind < LINK_INVITE || link->kind > LINK_ADDRESS)
        return refuse(why, EINVAL, "this link is of no kind that is known here");
    if (state == LINK_USED)
        return refuse(why, EALREADY, "%s", kinds[link->kind].used);
    if (link->expires <= time(NULL))
        return refuse(why, ETIMEDOUT, "%s", kinds[link->kind].expired);
    if (state != LINK_GOOD)
        return refuse(why, ESTALE,
                      "this link is good no more: a newer one was sent, or the account was changed "
                      "since; use the newest message, or get another link");
    if (holder_by_number(a, account, &link->holder, why) < 0)
        return -1;
    if (!link->holder.open)
        return refuse(why, EACCES,
                      "this account is disabled or has expired: ask the operator of this server");
    return 0;
}

int links_show(struct accounts *a, const void *message, void *answer, struct refusal *why)
{
    const struct link_show *q = message;
    struct link_is *is = answer;

    struct link link;

    if (links_find(a, q->link, &link, why) < 0)
        return -1;
    *is = (struct link_is){.kind = (uint8_t)link.kind,
                           .name = own_keep(a, OWN_NAME, link.holder.name),
                           .email = own_keep(a, OWN_EMAIL, link.email),
                           .expires = link.expires};
    return 1;
}

int links_use(struct accounts *a, struct slice hash, const struct link *link, struct refusal *why)
{
    const int used = CHANGE_LINKS(a, LINK_USE, why, BLOB(hash));

    if (used == 0) /* found good in this transaction: cannot be */
        return refuse(why, EALREADY, "%s", kinds[link->kind].used);
    return used < 0 || CHANGE_LINKS(a, LINK_NOTICES, why, NUMBER(link->holder.number)) < 0 ? -1 : 0;
}

int links_end(struct accounts *a, int64_t account, unsigned set, struct refusal *why)
{
    return CHANGE_LINKS(a, LINK_END, why, NUMBER(account), NUMBER(set)) < 0 ||
                   CHANGE_LINKS(a, LINK_NOTICES, why, NUMBER(account)) < 0
               ? -1
               : 0;
}

int64_t links_invited(struct accounts *a, int64_t account, struct refusal *why)
{
    sqlite3_stmt *row;
    const int found = ASK_LINKS(a, LINK_INVITED, &row, why, NUMBER(account), NUMBER(LINK_INVITE),
                                NUMBER(time(NULL)));

    if (found <= 0)
        return found;
    const int64_t expires = sqlite3_column_int64(row, 0);
    database_done(row);
    return expires;
}

/* ------------------------------------------------------------------------------- a new one */

/* A token as it stands in a mail: base64url without padding (RFC 4648, 5); and its hash. */
static int make_token(char text[BASE64_LENGTH(WEB_TOKEN) + 1], uint8_t hash[32],
                      struct refusal *why)
{
    uint8_t token[WEB_TOKEN];
    int r = -1;

    if (own_random(token, sizeof(token), why) == 0 &&
        accounts_hash(slice_of(token, sizeof(token)), hash, why) == 0) {
        text[base64_encode(slice_of(token, sizeof(token)), text)] = '\0';
        for (char *at = text; *at != '\0'; at++)
            *at = *at == '+' ? '-' : *at == '/' ? '_' : *at;
        text[strcspn(text, "=")] = '\0';
        r = 0;
    }
    explicit_bzero(token, sizeof(token));
    return r;
}

int links_send(struct accounts *a, const struct holder *h, enum link_kind kind, const char *to,
               const char *from, struct refusal *why)
{
    const int64_t now = time(NULL), account = h != NULL ? h->number : 0;
    char token[BASE64_LENGTH(WEB_TOKEN) + 1];
    uint8_t hash[32];
    const struct link_notice notice = {.kind = kinds[kind].name,
                                       .to = to,
                                       .token = token,
                                       .from = from,
                                       .hash = slice_of(hash, sizeof(hash)),
                                       .expires = now + a->own.link_seconds};
    int r = -1;

    if (make_token(token, hash, why) == 0 &&
        CHANGE_LINKS(a, LINK_PURGE, why, NUMBER(now - REMEMBERED)) >= 0 &&
        CHANGE_PLAIN(&a->database, a->link_statements + LINK_NOBODYS, why) >= 0 &&
        links_end(a, account, LINKS(kind), why) == 0 &&
        CHANGE_LINKS(a, LINK_OLDEST, why, NUMBER(account), NUMBER(KEPT)) >= 0 &&
        CHANGE_LINKS(a, LINK_ADD, why, BLOB(notice.hash), h != NULL ? NUMBER(account) : NOTHING,
                     NUMBER(kind), TEXT(slice_text(to)), NUMBER(now), NUMBER(notice.expires)) >= 0)
        r = outbox_put_link(a, h, &notice, why);
    explicit_bzero(token, sizeof(token));
    return r;
}

int links_allow(struct accounts *a, const struct holder *h, struct refusal *why)
{
    const int64_t now = time(NULL);
    const bool same_hour = now >= h->links_since && now - h->links_since < AN_HOUR;

    if (same_hour && h->links_count >= a->own.links_an_hour)
        return 0;
    return CHANGE_LINKS(a, LINK_COUNT, why, NUMBER(h->number),
                        NUMBER(same_hour ? h->links_since : now),
                        NUMBER(same_hour ? h->links_count + 1 : 1)) < 0
               ? -1
               : 1;
}

int links_send_nobody(struct accounts *a, const char *from, struct refusal *why)
{
    if (CHANGE_PLAIN(&a->database, a->link_statements + LINK_COUNT_NONE, why) < 0)
        return -1;
    return links_send(a, NULL, LINK_LOST, "", from, why);
}

/* The address that an invitation goes to is the account's, and confirmed when it was used. */
static int take_address(struct accounts *a, struct holder *h, struct slice email,
                        struct refusal *why)
{
    const char *trouble = validate_email(email);

    if (trouble != NULL)
        return refuse(why, EINVAL, "%s", trouble);
    (void)slice_copy(email, h->email, sizeof(h->email));
    h->confirmed = false;
    return CHANGE_LINKS(a, ACCOUNT_ADDRESS, why, NUMBER(h->number), TEXT(email)) < 0 ||
                   links_end(a, h->number, LINKS_ALL, why) < 0
               ? -1
               : 0;
}

int links_invite(struct accounts *a, const void *message, struct outcome *done, struct refusal *why)
{
    const struct link_invite *m = message;
    struct holder h;

    if (links_mail(a, why) < 0 || holder_find(a, m->name, &h, why) < 0)
        return -1;
    if (!h.open)
        return refuse(why, EACCES, "the account is disabled or has expired: no link of it is good");
    if (h.password)
        return refuse(why, EEXIST,
                      "the account has a password already: its owner gets another by LOST PASSWORD "
                      "on the sign-in page; or remove it (user passwd --remove) and invite again");
    if (m->email.len == 0 && h.email[0] == '\0')
        return refuse(why, EINVAL, "the account has no e-mail address to send an invitation to");
    if ((m->email.len > 0 && take_address(a, &h, m->email, why) < 0) ||
        links_send(a, &h, LINK_INVITE, h.email, "", why) < 0)
        return -1;
    snprintf(done->text, sizeof(done->text), "%s: an invitation is mailed", h.name);
    return 0;
}
