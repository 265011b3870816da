/* Accounts as their owners' affairs need them, from SQLite. Called by the files that own.h, links.h
 * and codes.h name; must never hand out a hash or a secret. */
#include "monitor/store/holder.h"

#include <errno.h>
#include <time.h>

#include "common/facts.h"

#define HOLDER_COLUMNS                                                                             \
    "SELECT number, name, email, new_email, confirmed, password <> '', status, expires, flags,"    \
    " password_changed, links_since, links_count FROM accounts "

enum statement { HOLDER_BY_NAME, HOLDER_BY_NUMBER, HOLDER_BY_ADDRESS, STATEMENT_COUNT };

static const char *const statements[STATEMENT_COUNT] = {
    [HOLDER_BY_NAME] = HOLDER_COLUMNS "WHERE name = ?1",
    [HOLDER_BY_NUMBER] = HOLDER_COLUMNS "WHERE number = ?1",
    [HOLDER_BY_ADDRESS] = HOLDER_COLUMNS "WHERE email = ?1 COLLATE NOCASE AND confirmed = 1"
                                         " AND number > ?2 ORDER BY number LIMIT 1",
};

int holder_prepare(struct accounts *a, struct refusal *why)
{
    a->holder_statements = a->database.count;
    return database_prepare(&a->database, statements, STATEMENT_COUNT, why);
}

/* What the database was given, checked, fits. */
static void copy(sqlite3_stmt *row, int column, char *text, size_t size)
{
    if (slice_copy(database_bytes(row, column), text, size) < 0)
        text[0] = '\0';
}

static int take(sqlite3_stmt *row, int found, struct holder *h)
{
    *h = (struct holder){0};
    if (found <= 0)
        return found;
    const int64_t expires = sqlite3_column_int64(row, 7);
    h->number = sqlite3_column_int64(row, 0);
    copy(row, 1, h->name, sizeof(h->name));
    copy(row, 2, h->email, sizeof(h->email));
    copy(row, 3, h->new_email, sizeof(h->new_email));
    h->confirmed = sqlite3_column_int64(row, 4) != 0 && h->email[0] != '\0';
    h->password = sqlite3_column_int64(row, 5) != 0;
    h->open =
        sqlite3_column_int64(row, 6) == ACCOUNT_ENABLED && (expires == 0 || expires > time(NULL));
    h->codes_required = (sqlite3_column_int64(row, 8) & ACCOUNT_CODES) != 0;
    h->password_changed = sqlite3_column_int64(row, 9);
    h->links_since = sqlite3_column_int64(row, 10);
    h->links_count = (uint32_t)sqlite3_column_int64(row, 11);
    database_done(row);
    return 1;
}

static int must_be(int found, struct refusal *why)
{
    if (found == 0)
        return refuse(why, ENOENT, "there is no account of this name");
    return found < 0 ? -1 : 0;
}

int holder_find(struct accounts *a, struct slice name, struct holder *h, struct refusal *why)
{
    sqlite3_stmt *row = NULL;
    const int found =
        ASK(&a->database, a->holder_statements + HOLDER_BY_NAME, &row, why, TEXT(name));

    return must_be(take(row, found, h), why);
}

int holder_by_number(struct accounts *a, int64_t number, struct holder *h, struct refusal *why)
{
    sqlite3_stmt *row = NULL;
    const int found =
        ASK(&a->database, a->holder_statements + HOLDER_BY_NUMBER, &row, why, NUMBER(number));

    return must_be(take(row, found, h), why);
}

int holder_by_address(struct accounts *a, struct slice email, int64_t after, struct holder *h,
                      struct refusal *why)
{
    sqlite3_stmt *row = NULL;
    const int found = ASK(&a->database, a->holder_statements + HOLDER_BY_ADDRESS, &row, why,
                          TEXT(email), NUMBER(after));

    return take(row, found, h);
}
