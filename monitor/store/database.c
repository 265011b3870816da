/* SQLite for one process: WAL, every commit synced, locked exclusively (so no shared memory is
 * mapped and no other program can change rows under us). Called by accounts.c before and after the
 * sandbox: everything that opens a file of its own happens in database_open. */
#include "monitor/store/database.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define APPLICATION_ID "1396788816" /* "SALP": PRAGMA application_id */

/* The schema, one row a version: the text takes a database from the version before to this one. A
 * row is never changed once it was released. Times are seconds since 1970, 0 never; a home and a
 * key are any bytes. */
static const char *const migrations[] = {
    /* 1: accounts and their keys */
    "CREATE TABLE accounts ("
    "  number INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  name TEXT NOT NULL COLLATE BINARY UNIQUE,"
    "  email TEXT NOT NULL, home BLOB NOT NULL, uid INTEGER NOT NULL, gid INTEGER NOT NULL,"
    "  status INTEGER NOT NULL, expires INTEGER NOT NULL, password TEXT NOT NULL,"
    "  rights INTEGER NOT NULL, flags INTEGER NOT NULL, max_sessions INTEGER NOT NULL,"
    "  bandwidth INTEGER NOT NULL, created INTEGER NOT NULL, last_login INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE keys ("
    "  number INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  account INTEGER NOT NULL REFERENCES accounts (number) ON DELETE CASCADE,"
    "  sha256 BLOB NOT NULL, key BLOB NOT NULL, comment TEXT NOT NULL,"
    "  added INTEGER NOT NULL, last_used INTEGER NOT NULL,"
    "  UNIQUE (sha256, account)"
    ") STRICT;"
    "CREATE INDEX keys_by_account ON keys (account);"
    "PRAGMA application_id = " APPLICATION_ID ";"
    "PRAGMA user_version = 1;",

    /* 2: every uid that an account ever had, so that none is given twice */
    "CREATE TABLE uids (uid INTEGER PRIMARY KEY) STRICT;"
    "INSERT OR IGNORE INTO uids SELECT uid FROM accounts;"
    "PRAGMA user_version = 2;",

    /* 3: web sessions, by the SHA-256 of their tokens; idle in seconds */
    "CREATE TABLE web_sessions ("
    "  token BLOB NOT NULL PRIMARY KEY,"
    "  account INTEGER NOT NULL REFERENCES accounts (number) ON DELETE CASCADE,"
    "  address TEXT NOT NULL, created INTEGER NOT NULL, seen INTEGER NOT NULL,"
    "  idle INTEGER NOT NULL, ends INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX web_sessions_by_account ON web_sessions (account);"
    "PRAGMA user_version = 3;",

    /* 4: folder sets and who has them; a path is any bytes, a gid is in uids, so that no account
     * gets it */
    "CREATE TABLE folders ("
    "  number INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  name TEXT NOT NULL COLLATE BINARY UNIQUE, path BLOB NOT NULL UNIQUE,"
    "  gid INTEGER NOT NULL, created INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE folder_members ("
    "  account INTEGER NOT NULL REFERENCES accounts (number) ON DELETE CASCADE,"
    "  folder INTEGER NOT NULL REFERENCES folders (number) ON DELETE CASCADE,"
    "  rights INTEGER NOT NULL, PRIMARY KEY (account, folder)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX folder_members_by_folder ON folder_members (folder);"
    "PRAGMA user_version = 4;",

    /* 5: what people do with their own accounts. An address that was there was the operator's, so
     * it counts as confirmed. Links by the SHA-256 of their tokens, state by links.h; one without
     * an account is nobody's (links.c: lost). Codes: fresh waits for its first code; step is the
     * last one used (RFC 6238). Of the outbox, link: the notice goes where its link goes. */
    "ALTER TABLE accounts ADD COLUMN confirmed INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE accounts ADD COLUMN new_email TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE accounts ADD COLUMN password_changed INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE accounts ADD COLUMN links_since INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE accounts ADD COLUMN links_count INTEGER NOT NULL DEFAULT 0;"
    "UPDATE accounts SET confirmed = 1 WHERE email <> '';"
    "CREATE INDEX accounts_by_email ON accounts (email COLLATE NOCASE);"
    "CREATE TABLE numbered_sessions ("
    "  number INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  token BLOB NOT NULL UNIQUE,"
    "  account INTEGER NOT NULL REFERENCES accounts (number) ON DELETE CASCADE,"
    "  address TEXT NOT NULL, created INTEGER NOT NULL, seen INTEGER NOT NULL,"
    "  idle INTEGER NOT NULL, ends INTEGER NOT NULL"
    ") STRICT;"
    "INSERT INTO numbered_sessions (token, account, address, created, seen, idle, ends)"
    " SELECT token, account, address, created, seen, idle, ends FROM web_sessions ORDER BY created;"
    "DROP TABLE web_sessions;"
    "ALTER TABLE numbered_sessions RENAME TO web_sessions;"
    "CREATE INDEX web_sessions_by_account ON web_sessions (account);"
    "CREATE TABLE links ("
    "  token BLOB NOT NULL PRIMARY KEY,"
    "  account INTEGER REFERENCES accounts (number) ON DELETE CASCADE,"
    "  kind INTEGER NOT NULL, email TEXT NOT NULL, created INTEGER NOT NULL,"
    "  expires INTEGER NOT NULL, state INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX links_by_account ON links (account);"
    "CREATE UNIQUE INDEX links_good ON links (account, kind) WHERE state = 0;"
    "CREATE INDEX links_by_end ON links (expires);"
    "CREATE TABLE codes ("
    "  account INTEGER PRIMARY KEY REFERENCES accounts (number) ON DELETE CASCADE,"
    "  secret BLOB NOT NULL, fresh BLOB NOT NULL, begun INTEGER NOT NULL,"
    "  step INTEGER NOT NULL, wrong INTEGER NOT NULL, wrong_at INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TABLE recovery_codes ("
    "  account INTEGER NOT NULL REFERENCES accounts (number) ON DELETE CASCADE,"
    "  sha256 BLOB NOT NULL, PRIMARY KEY (account, sha256)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE outbox ("
    "  number INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  account INTEGER REFERENCES accounts (number) ON DELETE CASCADE,"
    "  link BLOB REFERENCES links (token) ON DELETE CASCADE,"
    "  kind TEXT NOT NULL, recipient TEXT NOT NULL, facts TEXT NOT NULL,"
    "  due INTEGER NOT NULL, ends INTEGER NOT NULL, tries INTEGER NOT NULL,"
    "  created INTEGER NOT NULL"
    ") STRICT;"
    "CREATE INDEX outbox_by_due ON outbox (due);"
    "CREATE INDEX outbox_by_end ON outbox (ends);"
    "CREATE INDEX outbox_by_link ON outbox (link);"
    "CREATE INDEX outbox_by_account ON outbox (account);"
    "PRAGMA user_version = 5;",
};
#define SCHEMA_VERSION (sizeof(migrations) / sizeof(migrations[0]))

/* How the database is used, in this order. */
static const char settings[] = "PRAGMA locking_mode = EXCLUSIVE;" /* before WAL: no shared memory */
                               "PRAGMA journal_mode = WAL;"
                               "PRAGMA synchronous = FULL;" /* a commit is on the disk */
                               "PRAGMA foreign_keys = ON;"
                               "PRAGMA temp_store = MEMORY;" /* no file but ours may be opened */
                               "PRAGMA secure_delete = ON;"  /* an old hash does not linger */
                               "PRAGMA trusted_schema = OFF;"
                               "PRAGMA cell_size_check = ON;"
                               "PRAGMA cache_size = -16384;"           /* KiB */
                               "PRAGMA journal_size_limit = 4194304;"; /* bytes the WAL may keep */

uint32_t database_schema_version(void)
{
    return SCHEMA_VERSION;
}

int refuse(struct refusal *why, int error, const char *format, ...)
{
    va_list arguments;

    why->error = error;
    why->hard = false;
    va_start(arguments, format);
    vsnprintf(why->text, sizeof(why->text), format, arguments);
    va_end(arguments);
    return -1;
}

/* ------------------------------------------------------------------------------- errors */

static const struct {
    int code; /* SQLite's primary result code */
    int error;
    const char *text;
} faults[] = {
    {SQLITE_FULL, ENOSPC, "the disk that holds the accounts is full"},
    {SQLITE_IOERR, EIO, "the accounts cannot be read or written: the disk fails"},
    {SQLITE_READONLY, EROFS, "the accounts cannot be written: read-only"},
    {SQLITE_CORRUPT, EIO, "accounts.db is damaged: restore it from a backup"},
    {SQLITE_NOTADB, EIO, "accounts.db is no database: restore it from a backup"},
    {SQLITE_CANTOPEN, EIO, "accounts.db cannot be opened or made"},
    {SQLITE_PERM, EACCES, "accounts.db may not be read or written"},
    {SQLITE_AUTH, EACCES, "accounts.db may not be read or written"},
    {SQLITE_BUSY, EBUSY, "another program has accounts.db open"},
    {SQLITE_LOCKED, EBUSY, "another program has accounts.db open"},
    {SQLITE_NOMEM, ENOMEM, "no memory is left for the accounts"},
    {SQLITE_TOOBIG, EFBIG, "this is too large to be stored"},
};

/* What SQLite just failed with. Returns -1. */
static int refuse_fault(struct database *d, struct refusal *why)
{
    const int code = d->db == NULL ? SQLITE_NOMEM : sqlite3_errcode(d->db) & 0xff;
    const int system = d->db == NULL ? 0 : sqlite3_system_errno(d->db);

    if ((code == SQLITE_IOERR || code == SQLITE_CANTOPEN) && system != 0) {
        refuse(why, system, "the accounts cannot be read or written: %s", strerror(system));
        goto out;
    }
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        if (faults[i].code == code) {
            refuse(why, faults[i].error, "%s", faults[i].text);
            goto out;
        }
    }
    refuse(why, EIO, "the accounts: %s", d->db == NULL ? "?" : sqlite3_errmsg(d->db));
out:
    why->hard = true;
    return -1;
}

static int run(struct database *d, const char *text, struct refusal *why)
{
    return sqlite3_exec(d->db, text, NULL, NULL, NULL) == SQLITE_OK ? 0 : refuse_fault(d, why);
}

/* ------------------------------------------------------------------------------- opening */

/* The one number or text that a pragma gives. */
static int pragma(struct database *d, const char *text, int64_t *number, char *word, size_t size,
                  struct refusal *why)
{
    sqlite3_stmt *row = NULL;
    int r = -1;

    if (sqlite3_prepare_v2(d->db, text, -1, &row, NULL) != SQLITE_OK ||
        sqlite3_step(row) != SQLITE_ROW) {
        refuse_fault(d, why);
        goto out;
    }
    if (number != NULL)
        *number = sqlite3_column_int64(row, 0);
    if (word != NULL)
        snprintf(word, size, "%s", (const char *)sqlite3_column_text(row, 0));
    r = 0;
out:
    sqlite3_finalize(row);
    return r;
}

/* Each version in a transaction of its own: a crash between two leaves a whole schema. */
static int migrate(struct database *d, struct refusal *why)
{
    int64_t version, application;

    if (pragma(d, "PRAGMA user_version", &version, NULL, 0, why) < 0 ||
        pragma(d, "PRAGMA application_id", &application, NULL, 0, why) < 0)
        return -1;
    if (version < 0 || (application != 0) != (version > 0) ||
        (application != 0 && application != strtoll(APPLICATION_ID, NULL, 10)))
        return refuse(why, EINVAL, "accounts.db belongs to another program");
    if (version > (int64_t)SCHEMA_VERSION)
        return refuse(
            why, EINVAL,
            "accounts.db has schema version %lld and this program knows up to %zu: a newer "
            "sallyport made it",
            (long long)version, SCHEMA_VERSION);
    for (size_t i = (size_t)version; i < SCHEMA_VERSION; i++) {
        if (run(d, "BEGIN IMMEDIATE", why) < 0 || run(d, migrations[i], why) < 0 ||
            run(d, "COMMIT", why) < 0) {
            database_undo(d, true);
            return -1;
        }
    }
    return 0;
}

static int check_whole(struct database *d, struct refusal *why)
{
    char word[128];

    if (pragma(d, "PRAGMA quick_check(1)", NULL, word, sizeof(word), why) < 0)
        return -1;
    if (strcmp(word, "ok") != 0)
        return refuse(why, EIO, "accounts.db is damaged: restore it from a backup");
    return 0;
}

int database_open(struct database *d, const char *state_dir, struct refusal *why)
{
    char path[4352], mode[16];
    char seed[4];

    *d = (struct database){0};
    const int n = snprintf(path, sizeof(path), "%s/accounts.db", state_dir);
    if (n < 0 || (size_t)n >= sizeof(path))
        return refuse(why, ENAMETOOLONG, "the name of the state folder is too long");
    /* Whatever SQLite would put into a file of its own stays in memory. */
    if (sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, -1) != SQLITE_OK ||
        sqlite3_initialize() != SQLITE_OK)
        return refuse(why, ENOMEM, "SQLite does not start");
    sqlite3_randomness(sizeof(seed), seed); /* opens /dev/urandom now, not in the sandbox */
    if (sqlite3_open_v2(path, &d->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                            SQLITE_OPEN_EXRESCODE,
                        NULL) != SQLITE_OK)
        return refuse_fault(d, why);
    sqlite3_busy_timeout(d->db, 2000);
    if (run(d, settings, why) < 0 ||
        pragma(d, "PRAGMA journal_mode", NULL, mode, sizeof(mode), why))
        return -1;
    if (strcmp(mode, "wal") != 0)
        return refuse(why, EIO, "accounts.db cannot keep a write-ahead log (it says %s)", mode);
    if (migrate(d, why) < 0 || check_whole(d, why) < 0)
        return -1;
    sqlite3_busy_timeout(d->db, 0);
    return 0;
}

int database_prepare(struct database *d, const char *const *texts, size_t count,
                     struct refusal *why)
{
    sqlite3_stmt **all = reallocarray(d->statements, d->count + count, sizeof(all[0]));

    if (all == NULL)
        return refuse(why, ENOMEM, "no memory");
    d->statements = all;
    for (size_t i = 0; i < count; i++, d->count++) {
        if (sqlite3_prepare_v3(d->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &d->statements[d->count], NULL) != SQLITE_OK)
            return refuse_fault(d, why);
    }
    return 0;
}

void database_close(struct database *d)
{
    for (size_t i = 0; i < d->count; i++)
        sqlite3_finalize(d->statements[i]);
    free(d->statements);
    sqlite3_close(d->db);
    *d = (struct database){0};
}

/* ------------------------------------------------------------------------------- statements */

static int bind(sqlite3_stmt *statement, int place, const struct value *value)
{
    /* SQLite takes a NULL pointer for the value NULL. */
    const void *bytes = value->bytes.len > 0 ? (const void *)value->bytes.data : "";
    const size_t len = value->bytes.len;

    switch (value->kind) {
    case VALUE_NULL:
        return sqlite3_bind_null(statement, place);
    case VALUE_NUMBER:
        return sqlite3_bind_int64(statement, place, value->number);
    case VALUE_TEXT:
        return sqlite3_bind_text64(statement, place, bytes, len, SQLITE_STATIC, SQLITE_UTF8);
    default:
        return sqlite3_bind_blob64(statement, place, bytes, len, SQLITE_STATIC);
    }
}

int database_ask(struct database *d, size_t statement, const struct value *values, size_t count,
                 sqlite3_stmt **row, struct refusal *why)
{
    sqlite3_stmt *s = d->statements[statement];
    int r;

    for (size_t i = 0; i < count; i++) {
        if (bind(s, (int)i + 1, &values[i]) != SQLITE_OK)
            goto failed;
    }
    r = sqlite3_step(s);
    if (r == SQLITE_ROW) {
        *row = s;
        return 1;
    }
    if (r == SQLITE_DONE) {
        database_done(s);
        return 0;
    }
failed:
    refuse_fault(d, why);
    database_done(s);
    return -1;
}

int database_next(struct database *d, sqlite3_stmt *row, struct refusal *why)
{
    const int r = sqlite3_step(row);

    if (r == SQLITE_ROW)
        return 1;
    if (r != SQLITE_DONE)
        refuse_fault(d, why);
    database_done(row);
    return r == SQLITE_DONE ? 0 : -1;
}

int database_change(struct database *d, size_t statement, const struct value *values, size_t count,
                    struct refusal *why)
{
    sqlite3_stmt *row;

    if (database_ask(d, statement, values, count, &row, why) < 0)
        return -1;
    return sqlite3_changes(d->db);
}

void database_done(sqlite3_stmt *row)
{
    sqlite3_reset(row); /* says again what the step said */
    sqlite3_clear_bindings(row);
}

struct slice database_bytes(sqlite3_stmt *row, int column)
{
    const void *bytes = sqlite3_column_blob(row, column);

    return slice_of(bytes, bytes == NULL ? 0 : (size_t)sqlite3_column_bytes(row, column));
}

/* ------------------------------------------------------------------------------- transactions */

bool database_in_transaction(const struct database *d)
{
    return d->db != NULL && sqlite3_get_autocommit(d->db) == 0;
}

int database_begin(struct database *d, struct refusal *why)
{
    if (!database_in_transaction(d) && run(d, "BEGIN IMMEDIATE", why) < 0)
        return -1;
    return run(d, "SAVEPOINT change", why);
}

int database_keep(struct database *d, struct refusal *why)
{
    return run(d, "RELEASE change", why);
}

void database_undo(struct database *d, bool all)
{
    struct refusal why;

    if (!database_in_transaction(d))
        return; /* SQLite undid it itself, as it does when a disk is full */
    if (!all && (run(d, "ROLLBACK TO change", &why) < 0 || run(d, "RELEASE change", &why) < 0))
        all = true;
    if (all)
        (void)run(d, "ROLLBACK", &why);
}

int database_commit(struct database *d, struct refusal *why)
{
    if (run(d, "COMMIT", why) == 0)
        return 0;
    database_undo(d, true);
    return -1;
}
