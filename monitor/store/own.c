/* One's own account in SQLite: the statements as one table, then the questions, then the changes.
 * Must never believe whose account it is from anything but the name, which the monitor wrote, or a
 * link that is good. */
#include "monitor/store/own.h"

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "monitor/store/codes.h"
#include "monitor/store/links.h"
#include "monitor/store/outbox.h"
#include "monitor/store/validate.h"

enum statement {
    WEB_AFTER,
    WEB_END,
    PASSWORD_SET,
    PASSWORD_WAS_SET,
    ADDRESS_WANTED,
    ADDRESS_SET,
    ADDRESS_WAS_SET,
    ADDRESS_PROVEN,
    STATEMENT_COUNT,
};

#define OF_NAME "account = (SELECT number FROM accounts WHERE name = ?1)"

static const char *const statements[STATEMENT_COUNT] = {
    [WEB_AFTER] =
        "SELECT number, address, created, seen, token IS ?4 FROM web_sessions WHERE " OF_NAME
        " AND number > ?2 AND ends > ?3 AND seen + idle > ?3 ORDER BY number LIMIT 1",
    [WEB_END] = "DELETE FROM web_sessions WHERE " OF_NAME " AND number = ?2",
    [PASSWORD_SET] = "UPDATE accounts SET password = ?2, password_changed = ?3 WHERE number = ?1",
    [PASSWORD_WAS_SET] = "UPDATE accounts SET password_changed = ?2 WHERE number = ?1",
    [ADDRESS_WANTED] = "UPDATE accounts SET new_email = ?2 WHERE number = ?1",
    [ADDRESS_SET] = "UPDATE accounts SET email = ?2, confirmed = 1, new_email = ''"
                    " WHERE number = ?1",
    [ADDRESS_WAS_SET] = "UPDATE accounts SET confirmed = email <> '', new_email = ''"
                        " WHERE number = ?1",
    [ADDRESS_PROVEN] = "UPDATE accounts SET confirmed = 1 WHERE number = ?1 AND email = ?2",
};

#define ASK_OWN(a, statement, ...)                                                                 \
    ASK(&(a)->database, (a)->own_statements + (statement), __VA_ARGS__)
#define CHANGE_OWN(a, statement, ...)                                                              \
    CHANGE(&(a)->database, (a)->own_statements + (statement), __VA_ARGS__)

int own_prepare(struct accounts *a, struct refusal *why)
{
    a->own_statements = a->database.count;
    return database_prepare(&a->database, statements, STATEMENT_COUNT, why);
}

int own_random(uint8_t *bytes, size_t size, struct refusal *why)
{
    /* By its system call: newer C libraries' function makes calls that the filter does not have. */
    return syscall(SYS_getrandom, bytes, size, 0) == (long)size
               ? 0
               : refuse(why, errno, "the system gives no random numbers");
}

struct slice own_keep(struct accounts *a, enum own_text which, const char *text)
{
    char *kept = a->own.texts[which];

    (void)slice_copy(slice_text(text), kept, sizeof(a->own.texts[which]));
    return slice_text(kept);
}

/* ------------------------------------------------------------------------------- questions */

int own_show(struct accounts *a, const void *message, void *answer, struct refusal *why)
{
    const struct own_show *q = message;
    struct own_is *is = answer;
    struct holder h;
    struct codes_now codes;

    if (holder_find(a, q->name, &h, why) < 0)
        return why->error == ENOENT ? 0 : -1;
    const int64_t invited = links_invited(a, h.number, why);
    if (invited < 0 || codes_now(a, h.number, &codes, why) < 0)
        return -1;
    *is = (struct own_is){.email = own_keep(a, OWN_EMAIL, h.email),
                          .new_email = own_keep(a, OWN_NEW_EMAIL, h.new_email),
                          .password_changed = h.password_changed,
                          .confirmed = h.confirmed,
                          .codes = (uint8_t)codes.state,
                          .codes_required = h.codes_required,
                          .recovery_left = codes.recovery_left,
                          .invited = invited};
    return 1;
}

/* As SQLite has numbers. */
static struct value number_value(uint64_t number)
{
    return NUMBER(number > INT64_MAX ? INT64_MAX : number);
}

int own_web_next(struct accounts *a, const void *message, void *answer, struct refusal *why)
{
    const struct web_next *q = message;
    const int found = ASK_OWN(a, WEB_AFTER, &a->row, why, TEXT(q->name), number_value(q->after),
                              NUMBER(time(NULL)), BLOB(q->own));

    if (found > 0)
        *(struct web_is *)answer = (struct web_is){
            .number = (uint64_t)sqlite3_column_int64(a->row, 0),
            .address = database_bytes(a->row, 1),
            .created = sqlite3_column_int64(a->row, 2),
            .seen = sqlite3_column_int64(a->row, 3),
            .own = sqlite3_column_int(a->row, 4) != 0,
        };
    return found;
}

/* ------------------------------------------------------------------------------- changes */

int own_web_end(struct accounts *a, const void *message, struct outcome *done, struct refusal *why)
{
    const struct web_end *m = message;
    const int ended = CHANGE_OWN(a, WEB_END, why, TEXT(m->name), number_value(m->number));

    if (ended == 0)
        return refuse(why, ENOENT, "there is no such web session any more");
    snprintf(done->text, sizeof(done->text), "%.*s: web session %llu ended", (int)m->name.len,
             (const char *)m->name.data, (unsigned long long)m->number);
    return ended < 0 ? -1 : 0;
}

/* Whose password it is, and by what. what: for its owner. Returns 0, or -1 and why is filled. */
static int password_owner(struct accounts *a, const struct password_change *m, struct holder *h,
                          const char **what, struct refusal *why)
{
    struct link link;

    *what = "The password was changed.";
    if (m->link.len == 0)
        return holder_find(a, m->name, h, why);
    if (links_find(a, m->link, &link, why) < 0)
        return -1;
    if (link.kind == LINK_ADDRESS || (m->name.len > 0 && !slice_is(m->name, link.holder.name)))
        return refuse(why, EINVAL, "this link is not for a password");
    *h = link.holder;
    *what = link.kind == LINK_INVITE ? "The first password was set, by the link of the invitation."
                                     : "The password was changed, by the link that was mailed.";
    /* Who has the link reads what goes to that address. */
    if (CHANGE_OWN(a, ADDRESS_PROVEN, why, NUMBER(h->number), TEXT(slice_text(link.email))) < 0)
        return -1;
    h->confirmed = h->confirmed || strcmp(link.email, h->email) == 0;
    return links_use(a, m->link, &link, why);
}

int own_password(struct accounts *a, const void *message, struct outcome *done, struct refusal *why)
{
    const struct password_change *m = message;
    const struct user_set fields = {.password = m->password};
    const char *trouble = validate_password(&fields), *what;
    struct holder h;

    if (trouble != NULL || m->password.len == 0)
        return refuse(why, EINVAL, "%s", trouble != NULL ? trouble : "a password is needed");
    if (password_owner(a, m, &h, &what, why) < 0)
        return -1;
    if (!h.open)
        return refuse(why, EACCES,
                      "this account is disabled or has expired: ask the operator of this server");
    if (CHANGE_OWN(a, PASSWORD_SET, why, NUMBER(h.number), TEXT(m->password), NUMBER(time(NULL))) <
            0 ||
        accounts_web_end_all(a, slice_text(h.name), why) < 0 ||
        links_end(a, h.number, LINKS_ALL, why) < 0 ||
        outbox_tell(a, &h, m->address, why, "%s", what) < 0)
        return -1;
    snprintf(done->text, sizeof(done->text), "%s: password changed%s", h.name,
             m->link.len > 0 ? ", by a mailed link" : "");
    return 0;
}

int own_address(struct accounts *a, const void *message, struct outcome *done, struct refusal *why)
{
    const struct address_change *m = message;
    const char *trouble = validate_email(m->email);
    char email[EMAIL_MAX + 1];
    struct holder h;

    if (m->email.len == 0)
        trouble = "an e-mail address is needed";
    if (trouble != NULL)
        return refuse(why, EINVAL, "%s", trouble);
    if (slice_copy(m->email, email, sizeof(email)) < 0 || links_mail(a, why) < 0 ||
        holder_find(a, m->name, &h, why) < 0)
        return -1;
    if (!h.open)
        return refuse(why, EACCES, "the account is disabled or has expired");
    if (h.confirmed && strcmp(email, h.email) == 0)
        return refuse(why, EEXIST, "this is the account's address already, and it is confirmed");
    const int allowed = links_allow(a, &h, why);
    if (allowed == 0)
        return refuse(why, EAGAIN,
                      "too many links were mailed for this account: try again in an hour");
    if (allowed < 0 || CHANGE_OWN(a, ADDRESS_WANTED, why, NUMBER(h.number), TEXT(m->email)) < 0 ||
        links_send(a, &h, LINK_ADDRESS, email, "", why) < 0 ||
        outbox_tell(a, &h, m->address, why,
                    "The e-mail address is to become %s, once that is confirmed.", email) < 0)
        return -1;
    snprintf(done->text, sizeof(done->text), "%s: another address is to be confirmed", h.name);
    return 0;
}

int own_confirm(struct accounts *a, const void *message, struct outcome *done, struct refusal *why)
{
    const struct link_confirm *m = message;
    struct link link;

    if (links_find(a, m->link, &link, why) < 0)
        return -1;
    const struct holder *h = &link.holder;
    if (link.kind != LINK_ADDRESS)
        return refuse(why, EINVAL, "this link is not for an address: it sets a password");
    if (links_use(a, m->link, &link, why) < 0 ||
        CHANGE_OWN(a, ADDRESS_SET, why, NUMBER(h->number), TEXT(slice_text(link.email))) < 0 ||
        links_end(a, h->number, LINKS_ALL, why) < 0 ||
        outbox_tell(a, h, m->address, why, "The e-mail address was changed to %s.", link.email) < 0)
        return -1;
    snprintf(done->text, sizeof(done->text), "%s: another address is confirmed", h->name);
    return 0;
}

int own_was_set(struct accounts *a, const struct holder *before, const struct user_set *set,
                struct refusal *why)
{
    const bool password = (set->valid & ACCOUNT_SET_PASSWORD) != 0;
    const bool address = (set->valid & ACCOUNT_SET_EMAIL) != 0;
    const bool other = address && !slice_is(set->email, before->email);

    if (password &&
        (CHANGE_OWN(a, PASSWORD_WAS_SET, why, NUMBER(before->number), NUMBER(time(NULL))) < 0 ||
         outbox_tell(a, before, slice_text(""), why, "The operator %s the password.",
                     set->password.len > 0 ? "changed" : "removed") < 0))
        return -1;
    if (address && CHANGE_OWN(a, ADDRESS_WAS_SET, why, NUMBER(before->number)) < 0)
        return -1;
    if (other && outbox_tell(a, before, slice_text(""), why, "The operator %s%.*s.",
                             set->email.len > 0 ? "changed the e-mail address to "
                                                : "removed the e-mail address",
                             (int)set->email.len, (const char *)set->email.data) < 0)
        return -1;
    /* What was mailed before must not undo it. */
    return password || address ? links_end(a, before->number, LINKS_ALL, why) : 0;
}
