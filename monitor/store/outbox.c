/* The outbox in SQLite: the statements as one table, then what is put in, then what is taken out.
 * Must stay bounded, must never keep a link from going, and never tells of what was not done: a
 * notice is part of its change's transaction. */
#include "monitor/store/outbox.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/facts.h"

#define FACTS_MOST 32768      /* bytes, as the message notice has them */
#define WAIT_FIRST 60         /* seconds until the second try; twice as many until the next ... */
#define WAIT_MOST  (4 * 3600) /* ... and so on up to this */
#define NEVER      INT64_MAX
#define CHANGED    "changed"
#define AND_MORE   "Further changes, too many to be told one by one."

enum statement {
    OUTBOX_ADD,
    OUTBOX_GATHERED,
    OUTBOX_GATHER,
    OUTBOX_COUNT,
    OUTBOX_GIVE_WAY,
    OUTBOX_NEXT,
    OUTBOX_DUE,
    OUTBOX_SHOW,
    OUTBOX_ENDED,
    OUTBOX_LATER,
    OUTBOX_REMOVE,
    STATEMENT_COUNT,
};

static const char *const statements[STATEMENT_COUNT] = {
    [OUTBOX_ADD] = "INSERT INTO outbox (account, link, kind, recipient, facts, due, ends, tries,"
                   " created) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8)",
    [OUTBOX_GATHERED] = "SELECT number, facts FROM outbox WHERE account = ?1 AND kind = '" CHANGED
                        "' AND recipient = ?2 AND number <> ?3 ORDER BY number DESC LIMIT 1",
    [OUTBOX_GATHER] = "UPDATE outbox SET facts = ?2, ends = ?3 WHERE number = ?1",
    [OUTBOX_COUNT] = "SELECT count(*) FROM outbox",
    [OUTBOX_GIVE_WAY] = "DELETE FROM outbox WHERE number ="
                        " (SELECT number FROM outbox WHERE link IS NULL ORDER BY number LIMIT 1)",
    [OUTBOX_NEXT] = "SELECT number, kind, recipient, facts FROM outbox WHERE due <= ?1"
                    " ORDER BY due, number LIMIT 1",
    [OUTBOX_DUE] = "SELECT due FROM outbox ORDER BY due LIMIT 1",
    [OUTBOX_SHOW] = "SELECT outbox.kind, recipient, tries, ends, coalesce(name, '') FROM outbox"
                    " LEFT JOIN accounts ON accounts.number = account WHERE outbox.number = ?1",
    [OUTBOX_ENDED] = "SELECT number FROM outbox WHERE ends <= ?1 ORDER BY ends LIMIT 1",
    [OUTBOX_LATER] = "UPDATE outbox SET tries = tries + 1, due = ?2 WHERE number = ?1",
    [OUTBOX_REMOVE] = "DELETE FROM outbox WHERE number = ?1",
};

#define ASK_OUTBOX(a, statement, ...)                                                              \
    ASK(&(a)->database, (a)->outbox_statements + (statement), __VA_ARGS__)
#define CHANGE_OUTBOX(a, statement, ...)                                                           \
    CHANGE(&(a)->database, (a)->outbox_statements + (statement), __VA_ARGS__)

int outbox_prepare(struct accounts *a, struct refusal *why)
{
    a->outbox_statements = a->database.count;
    return database_prepare(&a->database, statements, STATEMENT_COUNT, why);
}

/* ------------------------------------------------------------------------------- facts */

static json_t *text_value(const char *text)
{
    json_t *value = json_string(text);

    return value != NULL ? value : json_string("?"); /* no UTF-8: cannot be, it was checked */
}

/* Seconds since 1970: who renders it knows in which zone. */
static json_t *time_value(int64_t seconds)
{
    return json_integer(seconds);
}

/* What every notice says. NULL without memory. */
static json_t *facts_new(const struct accounts *a, const char *account)
{
    json_t *facts = json_object();

    if (json_object_set_new(facts, "account", text_value(account)) < 0 ||
        json_object_set_new(facts, "organisation", text_value(a->own.organisation)) < 0) {
        json_decref(facts);
        return NULL;
    }
    return facts;
}

/* Allocated; NULL without memory. */
static char *facts_text(const json_t *facts)
{
    return json_dumps(facts, JSON_COMPACT | JSON_PRESERVE_ORDER);
}

static int no_memory(struct refusal *why)
{
    return refuse(why, ENOMEM, "no memory is left for a notice");
}

/* ------------------------------------------------------------------------------- put in */

/* Room for one more. Returns 1, 0 there is none (all are links'), -1 and why is filled. */
static int make_room(struct accounts *a, struct refusal *why)
{
    sqlite3_stmt *row;

    if (ASK_PLAIN(&a->database, a->outbox_statements + OUTBOX_COUNT, &row, why) <= 0)
        return -1; /* an aggregate always has a row */
    const int64_t count = sqlite3_column_int64(row, 0);
    database_done(row);
    if (count < OUTBOX_MOST)
        return 1;
    return CHANGE_PLAIN(&a->database, a->outbox_statements + OUTBOX_GIVE_WAY, why);
}

/* {what, when, address}. */
static int append_change(json_t *facts, const char *what, const char *from, int64_t now)
{
    json_t *changes = json_object_get(facts, "changes");
    json_t *change = json_object();

    if (json_array_size(changes) > OUTBOX_CHANGES)
        (void)json_array_remove(changes, OUTBOX_CHANGES);
    if (json_array_size(changes) == OUTBOX_CHANGES) {
        what = AND_MORE;
        from = "";
    }
    if (json_object_set_new(change, "what", text_value(what)) < 0 ||
        json_object_set_new(change, "when", time_value(now)) < 0 ||
        json_object_set_new(change, "address", text_value(from)) < 0) {
        json_decref(change);
        return -1;
    }
    return json_array_append_new(changes, change);
}

/* The facts of the notice that is being gathered, and its number; or fresh ones, and 0. NULL and
 * why is filled. */
static json_t *gathered(struct accounts *a, const struct holder *h, int64_t *number,
                        struct refusal *why)
{
    sqlite3_stmt *row = NULL;
    json_t *facts = NULL;
    const int found = ASK_OUTBOX(a, OUTBOX_GATHERED, &row, why, NUMBER(h->number),
                                 TEXT(slice_text(h->email)), NUMBER(a->own.given));

    *number = 0;
    if (found < 0)
        return NULL;
    if (found > 0) {
        const struct slice text = database_bytes(row, 1);
        *number = sqlite3_column_int64(row, 0);
        facts = json_loadb((const char *)text.data, text.len, 0, NULL);
        database_done(row);
        if (!json_is_array(json_object_get(facts, "changes"))) {
            json_decref(facts); /* nothing that was put in here: begin anew */
            facts = NULL;
        }
    }
    if (facts == NULL) {
        facts = facts_new(a, h->name);
        if (facts != NULL && json_object_set_new(facts, "changes", json_array()) < 0) {
            json_decref(facts);
            facts = NULL;
        }
    }
    if (facts == NULL)
        no_memory(why);
    return facts;
}

static int keep_changes(struct accounts *a, const struct holder *h, int64_t number,
                        const char *facts, struct refusal *why)
{
    const int64_t now = time(NULL), ends = now + OUTBOX_SECONDS;

    a->own.due = 0;
    if (number != 0)
        return CHANGE_OUTBOX(a, OUTBOX_GATHER, why, NUMBER(number), TEXT(slice_text(facts)),
                             NUMBER(ends)) < 0
                   ? -1
                   : 0;
    const int room = make_room(a, why);
    if (room <= 0)
        return room;
    return CHANGE_OUTBOX(a, OUTBOX_ADD, why, NUMBER(h->number), NOTHING, TEXT(slice_text(CHANGED)),
                         TEXT(slice_text(h->email)), TEXT(slice_text(facts)),
                         NUMBER(now + a->own.gather_seconds), NUMBER(ends), NUMBER(now)) < 0
               ? -1
               : 0;
}

int outbox_tell(struct accounts *a, const struct holder *h, struct slice from, struct refusal *why,
                const char *format, ...)
{
    char what[512], address[65];
    va_list arguments;
    int64_t number;
    char *text = NULL;
    int r = -1;

    if (!a->own.mail || !h->confirmed)
        return 0;
    va_start(arguments, format);
    vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    (void)slice_copy(from, address, sizeof(address));
    json_t *facts = gathered(a, h, &number, why);
    if (facts == NULL)
        return -1;
    if (append_change(facts, what, address, time(NULL)) < 0 || (text = facts_text(facts)) == NULL)
        no_memory(why);
    else if (strlen(text) > FACTS_MOST)
        r = refuse(why, EMSGSIZE, "a notice is too long");
    else
        r = keep_changes(a, h, number, text, why);
    free(text);
    json_decref(facts);
    return r;
}

/* The token stands first, and in no library's copy. Returns 0, or -1: no memory, or too long. */
static int link_facts(const struct accounts *a, const char *account, const struct link_notice *link,
                      char *text, size_t size)
{
    json_t *facts = facts_new(a, account);
    char *rest = NULL;
    int n = -1;

    if (facts != NULL && json_object_set_new(facts, "expires", time_value(link->expires)) == 0 &&
        (strcmp(link->kind, "address") != 0 ||
         json_object_set_new(facts, "email", text_value(link->to)) == 0) &&
        (strcmp(link->kind, "lost") != 0 ||
         json_object_set_new(facts, "address", text_value(link->from)) == 0) &&
        (rest = facts_text(facts)) != NULL)
        n = snprintf(text, size, "{\"token\":\"%s\",%s", link->token, rest + 1);
    free(rest);
    json_decref(facts);
    return n < 0 || (size_t)n >= size ? -1 : 0;
}

int outbox_put_link(struct accounts *a, const struct holder *h, const struct link_notice *link,
                    struct refusal *why)
{
    const int64_t now = time(NULL), ends = now + OUTBOX_SECONDS;
    char facts[4096];
    int r = -1;

    a->own.due = 0;
    /* One that is full of links takes this one too: an account has three at most. */
    if (make_room(a, why) < 0)
        return -1;
    if (link_facts(a, h != NULL ? h->name : "", link, facts, sizeof(facts)) < 0)
        no_memory(why);
    else
        r = CHANGE_OUTBOX(a, OUTBOX_ADD, why, h != NULL ? NUMBER(h->number) : NOTHING,
                          BLOB(link->hash), TEXT(slice_text(link->kind)),
                          TEXT(slice_text(link->to)), TEXT(slice_text(facts)),
                          NUMBER(h != NULL ? now : NEVER),
                          NUMBER(h == NULL              ? NEVER
                                 : link->expires < ends ? link->expires
                                                        : ends),
                          NUMBER(now));
    explicit_bzero(facts, sizeof(facts));
    return r < 0 ? -1 : 0;
}

/* ------------------------------------------------------------------------------- taken out */

int outbox_next(struct accounts *a, struct notice *answer, struct refusal *why)
{
    const int found = ASK_OUTBOX(a, OUTBOX_NEXT, &a->row, why, NUMBER(time(NULL)));

    if (found > 0)
        *answer = (struct notice){
            .number = (uint64_t)sqlite3_column_int64(a->row, 0),
            .kind = database_bytes(a->row, 1),
            .to = database_bytes(a->row, 2),
            .facts = database_bytes(a->row, 3),
        };
    return found;
}

int64_t outbox_due(struct accounts *a, struct refusal *why)
{
    sqlite3_stmt *row;
    const int found = ASK_PLAIN(&a->database, a->outbox_statements + OUTBOX_DUE, &row, why);

    if (found <= 0)
        return found < 0 ? -1 : NEVER;
    const int64_t due = sqlite3_column_int64(row, 0);
    database_done(row);
    return due;
}

/* One that will never be delivered: it is forgotten, and the log says so. */
static int give_up(struct accounts *a, int64_t number, struct slice text, struct outcome *done,
                   struct refusal *why)
{
    sqlite3_stmt *row;
    const int found = ASK_OUTBOX(a, OUTBOX_SHOW, &row, why, NUMBER(number));

    if (found <= 0)
        return found; /* it is gone, as its link is */
    const struct slice kind = database_bytes(row, 0), to = database_bytes(row, 1);
    done->event = "mail";
    snprintf(done->line, sizeof(done->line),
             "the message \"%.*s\" to %.*s was not delivered and is given up: %.*s", (int)kind.len,
             (const char *)kind.data, (int)to.len, (const char *)to.data, (int)text.len,
             (const char *)text.data);
    (void)slice_copy(database_bytes(row, 4), done->account, sizeof(done->account));
    database_done(row);
    return CHANGE_OUTBOX(a, OUTBOX_REMOVE, why, NUMBER(number)) < 0 ? -1 : 0;
}

/* Later each time; given up where that would be too late. */
static int try_later(struct accounts *a, int64_t number, struct slice text, struct outcome *done,
                     struct refusal *why)
{
    const int64_t now = time(NULL);
    int64_t wait = WAIT_FIRST;
    sqlite3_stmt *row;
    const int found = ASK_OUTBOX(a, OUTBOX_SHOW, &row, why, NUMBER(number));

    if (found <= 0)
        return found;
    const int64_t tries = sqlite3_column_int64(row, 2), ends = sqlite3_column_int64(row, 3);
    database_done(row);
    for (int64_t i = 0; i < tries && wait < WAIT_MOST; i++)
        wait *= 2;
    wait = wait < WAIT_MOST ? wait : WAIT_MOST;
    if (now + wait >= ends)
        return give_up(a, number, text, done, why);
    return CHANGE_OUTBOX(a, OUTBOX_LATER, why, NUMBER(number), NUMBER(now + wait)) < 0 ? -1 : 0;
}

int outbox_heard(struct accounts *a, const void *message, struct outcome *done, struct refusal *why)
{
    const struct notice_wanted *m = message;
    const int64_t number = (int64_t)m->number;

    a->own.due = 0;
    switch (m->outcome) {
    case NOTICE_DELIVERED:
        return CHANGE_OUTBOX(a, OUTBOX_REMOVE, why, NUMBER(number)) < 0 ? -1 : 0;
    case NOTICE_LATER:
        return try_later(a, number, m->text, done, why);
    case NOTICE_REFUSED:
        return give_up(a, number, m->text, done, why);
    default:
        return 0;
    }
}

int outbox_forget(struct accounts *a, const void *nothing, struct outcome *done,
                  struct refusal *why)
{
    sqlite3_stmt *row;
    const int found = ASK_OUTBOX(a, OUTBOX_ENDED, &row, why, NUMBER(time(NULL)));

    (void)nothing;
    if (found <= 0)
        return found;
    const int64_t number = sqlite3_column_int64(row, 0);
    database_done(row);
    done->number = (uint64_t)number;
    return give_up(a, number, slice_text("it waited for too long"), done, why);
}
