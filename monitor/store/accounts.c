/* Accounts and keys in SQLite: the statements as one table, then the questions, then the changes.
 * Called by serve.c; every text is checked by validate.c before a change and is only ever bound. */
#include "monitor/store/accounts.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <time.h>
#include <unistd.h>

#include "common/base64.h"
#include "common/facts.h"
#include "monitor/store/codes.h"
#include "monitor/store/folders.h"
#include "monitor/store/links.h"
#include "monitor/store/outbox.h"
#include "monitor/store/own.h"
#include "monitor/store/validate.h"

#define WEB_SESSIONS 100  /* of one account; one more, and the longest unused ends */
#define KEYS_MOST    1000 /* of one account */

#define ACCOUNT_COLUMNS                                                                            \
    "SELECT number, name, email, home, uid, gid, status, expires, password, rights, flags,"        \
    " max_sessions, bandwidth, created, last_login,"                                               \
    " (SELECT count(*) FROM keys WHERE account = accounts.number),"                                \
    " EXISTS (SELECT 1 FROM codes WHERE account = accounts.number AND secret <> X'')"              \
    " FROM accounts "

enum statement {
    ACCOUNT_BY_NAME,
    ACCOUNT_AFTER,
    ACCOUNT_BY_TOKEN,
    ACCOUNT_NUMBER,
    ACCOUNT_ADD,
    ACCOUNT_SET,
    ACCOUNT_DELETE,
    ACCOUNT_LOGIN,
    KEY_KNOWN,
    KEY_AFTER,
    KEY_ADD,
    KEY_COUNT,
    KEY_HASH,
    KEY_REMOVE,
    KEY_USED,
    UID_TAKEN,
    UID_TAKE,
    UID_GAP,
    WEB_ADD,
    WEB_SEEN,
    WEB_REMOVE,
    WEB_REMOVE_ENDED,
    WEB_REMOVE_OLDEST,
    WEB_REMOVE_ALL,
    STATEMENT_COUNT,
};

static const char *const statements[STATEMENT_COUNT] = {
    [ACCOUNT_BY_NAME] = ACCOUNT_COLUMNS "WHERE name = ?1",
    [ACCOUNT_AFTER] = ACCOUNT_COLUMNS "WHERE name > ?1 ORDER BY name LIMIT 1",
    [ACCOUNT_BY_TOKEN] = ACCOUNT_COLUMNS "WHERE number = (SELECT account FROM web_sessions"
                                         " WHERE token = ?1 AND ends > ?2 AND seen + idle > ?2)",
    [ACCOUNT_NUMBER] = "SELECT number FROM accounts WHERE name = ?1",
    [ACCOUNT_ADD] = "INSERT INTO accounts (name, email, home, uid, gid, status, expires, password,"
                    " rights, flags, max_sessions, bandwidth, created, last_login, confirmed,"
                    " password_changed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12,"
                    " ?13, 0, ?2 <> '', iif(?8 <> '', ?13, 0))",
    [ACCOUNT_SET] = "UPDATE accounts SET"
                    " email = CASE WHEN ?2 & 1 THEN ?3 ELSE email END,"
                    " home = CASE WHEN ?2 & 2 THEN ?4 ELSE home END,"
                    " status = CASE WHEN ?2 & 4 THEN ?5 ELSE status END,"
                    " expires = CASE WHEN ?2 & 8 THEN ?6 ELSE expires END,"
                    " password = CASE WHEN ?2 & 16 THEN ?7 ELSE password END,"
                    " rights = CASE WHEN ?2 & 32 THEN ?8 ELSE rights END,"
                    " flags = CASE WHEN ?2 & 64 THEN ?9 ELSE flags END,"
                    " max_sessions = CASE WHEN ?2 & 128 THEN ?10 ELSE max_sessions END,"
                    " bandwidth = CASE WHEN ?2 & 256 THEN ?11 ELSE bandwidth END"
                    " WHERE name = ?1",
    [ACCOUNT_DELETE] = "DELETE FROM accounts WHERE name = ?1",
    [ACCOUNT_LOGIN] = "UPDATE accounts SET last_login = ?2 WHERE name = ?1",
    [KEY_KNOWN] = "SELECT 1 FROM keys WHERE sha256 = ?1 AND account = ?2 AND key = ?3",
    [KEY_AFTER] = "SELECT number, key, comment, added, last_used FROM keys"
                  " WHERE account = (SELECT number FROM accounts WHERE name = ?1) AND number > ?2"
                  " ORDER BY number LIMIT 1",
    [KEY_ADD] = "INSERT INTO keys (account, sha256, key, comment, added, last_used)"
                " VALUES (?1, ?2, ?3, ?4, ?5, 0) ON CONFLICT (sha256, account) DO NOTHING",
    [KEY_COUNT] = "SELECT count(*) FROM keys WHERE account = ?1",
    [KEY_HASH] = "SELECT sha256 FROM keys WHERE number = ?2 AND account = ?1",
    [KEY_REMOVE] = "DELETE FROM keys WHERE number = ?2 AND account = ?1",
    [KEY_USED] = "UPDATE keys SET last_used = ?3 WHERE sha256 = ?2"
                 " AND account = (SELECT number FROM accounts WHERE name = ?1)",
    [UID_TAKEN] = "SELECT 1 FROM uids WHERE uid = ?1",
    [UID_TAKE] = "INSERT OR IGNORE INTO uids (uid) VALUES (?1)",
    [UID_GAP] = "SELECT min(uid) + 1 FROM uids AS u WHERE uid BETWEEN ?1 AND ?2 - 1"
                " AND NOT EXISTS (SELECT 1 FROM uids WHERE uid = u.uid + 1)",
    [WEB_ADD] = "INSERT INTO web_sessions (token, account, address, created, seen, idle, ends)"
                " SELECT ?1, number, ?3, ?4, ?4, ?5, ?4 + ?6 FROM accounts"
                " WHERE number = ?2 AND password = ?7",
    /* Not with each connection: a quarter of the time that it may be idle is exact enough. */
    [WEB_SEEN] = "UPDATE web_sessions SET seen = ?2 WHERE token = ?1 AND seen + idle / 4 < ?2"
                 " AND seen + idle > ?2",
    [WEB_REMOVE] = "DELETE FROM web_sessions WHERE token = ?1",
    [WEB_REMOVE_ENDED] = "DELETE FROM web_sessions WHERE ends <= ?1 OR seen + idle <= ?1",
    [WEB_REMOVE_OLDEST] = "DELETE FROM web_sessions WHERE account = ?1 AND token NOT IN"
                          " (SELECT token FROM web_sessions WHERE account = ?1"
                          " ORDER BY seen DESC LIMIT ?2)",
    [WEB_REMOVE_ALL] = "DELETE FROM web_sessions"
                       " WHERE account = (SELECT number FROM accounts WHERE name = ?1)",
};
_Static_assert(ACCOUNT_SET_EMAIL == 1 && ACCOUNT_SET_HOME == 2 && ACCOUNT_SET_STATUS == 4 &&
                   ACCOUNT_SET_EXPIRES == 8 && ACCOUNT_SET_PASSWORD == 16 &&
                   ACCOUNT_SET_RIGHTS == 32 && ACCOUNT_SET_FLAGS == 64 &&
                   ACCOUNT_SET_MAX_SESSIONS == 128 && ACCOUNT_SET_BANDWIDTH == 256,
               "the bits in ACCOUNT_SET's text are those of facts.h");

int accounts_open(struct accounts *a, const struct store_setup *setup, struct refusal *why)
{
    char state_dir[4096];

    *a = (struct accounts){.first = setup->account_id_first,
                           .last = setup->account_id_last,
                           .own_uid = geteuid(),
                           .own_gid = getegid(),
                           .own = {.link_seconds = setup->link_seconds,
                                   .links_an_hour = setup->links_an_hour,
                                   .gather_seconds = setup->gather_seconds,
                                   .mail = setup->mail != 0}};
    if (slice_copy(setup->organisation, a->own.organisation, sizeof(a->own.organisation)) < 0)
        return refuse(why, EINVAL, "the name of the organisation is too long");
    if (slice_copy(setup->state_dir, state_dir, sizeof(state_dir)) < 0)
        return refuse(why, ENAMETOOLONG, "the name of the state folder is too long");
    if (database_open(&a->database, state_dir, why) < 0 ||
        database_prepare(&a->database, statements, STATEMENT_COUNT, why) < 0 ||
        folders_prepare(a, STATEMENT_COUNT, why) < 0 || holder_prepare(a, why) < 0 ||
        outbox_prepare(a, why) < 0 || links_prepare(a, why) < 0 || codes_prepare(a, why) < 0 ||
        own_prepare(a, why) < 0) {
        accounts_close(a);
        return -1;
    }
    return 0;
}

void accounts_close(struct accounts *a)
{
    accounts_done(a);
    database_close(&a->database);
}

/* ------------------------------------------------------------------------------- questions */

void accounts_done(struct accounts *a)
{
    if (a->row != NULL)
        database_done(a->row);
    a->row = NULL;
}

/* With its folder sets. Returns 0, or -1 and why is filled. */
static int read_account(struct accounts *a, struct account *account, struct refusal *why)
{
    sqlite3_stmt *row = a->row;

    *account = (struct account){
        .name = database_bytes(row, 1),
        .email = database_bytes(row, 2),
        .home = database_bytes(row, 3),
        .uid = (uint32_t)sqlite3_column_int64(row, 4),
        .gid = (uint32_t)sqlite3_column_int64(row, 5),
        .status = (uint8_t)sqlite3_column_int64(row, 6),
        .expires = sqlite3_column_int64(row, 7),
        .password = database_bytes(row, 8),
        .rights = (uint32_t)sqlite3_column_int64(row, 9),
        .flags = (uint32_t)sqlite3_column_int64(row, 10) |
                 (sqlite3_column_int64(row, 16) != 0 ? ACCOUNT_CODE_ON : 0),
        .max_sessions = (uint32_t)sqlite3_column_int64(row, 11),
        .bandwidth = (uint64_t)sqlite3_column_int64(row, 12),
        .created = sqlite3_column_int64(row, 13),
        .last_login = sqlite3_column_int64(row, 14),
        .key_count = (uint32_t)sqlite3_column_int64(row, 15),
    };
    return folders_of(a, sqlite3_column_int64(row, 0), &account->folders, why);
}

int accounts_hash(struct slice bytes, uint8_t hash[32], struct refusal *why)
{
    unsigned len = 0;
    uint8_t digest[EVP_MAX_MD_SIZE];

    if (EVP_Digest(bytes.data, bytes.len, digest, &len, EVP_sha256(), NULL) != 1 || len != 32) {
        ERR_clear_error(); /* nobody asks libcrypto why */
        return refuse(why, EIO, "libcrypto makes no hash");
    }
    memcpy(hash, digest, 32);
    return 0;
}

int accounts_find(struct accounts *a, const void *message, void *account, struct refusal *why)
{
    const struct store_find *q = message;
    struct account *answer = account;
    uint8_t hash[32];
    sqlite3_stmt *key = NULL;
    int known = 0;

    const int found =
        q->token.len > 0
            ? ASK(&a->database, ACCOUNT_BY_TOKEN, &a->row, why, BLOB(q->token), NUMBER(time(NULL)))
            : ASK(&a->database, ACCOUNT_BY_NAME, &a->row, why, TEXT(q->name));
    if (found > 0 && read_account(a, answer, why) < 0)
        return -1;
    /* A name that nobody has costs the same: its key is looked for too, with no account. */
    if (found >= 0 && q->key.len > 0) {
        const int64_t number = found > 0 ? sqlite3_column_int64(a->row, 0) : -1;
        if (accounts_hash(q->key, hash, why) < 0)
            return -1;
        known = ASK(&a->database, KEY_KNOWN, &key, why, BLOB(slice_of(hash, sizeof(hash))),
                    NUMBER(number), BLOB(q->key));
        if (known > 0)
            database_done(key);
    }
    if (known < 0)
        return -1;
    answer->key_known = known > 0;
    return found;
}

/* For people: whether there is a password, never its hash. */
static int tell_account(struct accounts *a, int found, struct account *answer, struct refusal *why)
{
    if (found > 0) {
        if (read_account(a, answer, why) < 0)
            return -1;
        answer->password = slice_text(answer->password.len > 0 ? "set" : "");
    }
    return found;
}

int accounts_show(struct accounts *a, const void *message, void *answer, struct refusal *why)
{
    const struct user_show *q = message;
    const int found = ASK(&a->database, ACCOUNT_BY_NAME, &a->row, why, TEXT(q->name));

    return tell_account(a, found, answer, why);
}

int accounts_next(struct accounts *a, const void *message, void *answer, struct refusal *why)
{
    const struct user_next *q = message;
    const int found = ASK(&a->database, ACCOUNT_AFTER, &a->row, why, TEXT(q->after));

    return tell_account(a, found, answer, why);
}

int accounts_key_next(struct accounts *a, const void *message, void *answer, struct refusal *why)
{
    const struct key_next *q = message;
    const int64_t after = q->after > INT64_MAX ? INT64_MAX : (int64_t)q->after;
    const int found = ASK(&a->database, KEY_AFTER, &a->row, why, TEXT(q->name), NUMBER(after));

    if (found > 0)
        *(struct key *)answer = (struct key){
            .number = (uint64_t)sqlite3_column_int64(a->row, 0),
            .key = database_bytes(a->row, 1),
            .comment = database_bytes(a->row, 2),
            .added = sqlite3_column_int64(a->row, 3),
            .last_used = sqlite3_column_int64(a->row, 4),
        };
    return found;
}

/* ------------------------------------------------------------------------------- changes */

int accounts_do(struct accounts *a, accounts_change change, const void *message,
                struct outcome *done, struct refusal *why)
{
    const uint32_t given = a->given;

    *done = (struct outcome){0};
    *why = (struct refusal){0};
    if (database_begin(&a->database, why) == 0 && change(a, message, done, why) == 0 &&
        database_keep(&a->database, why) == 0)
        return 0;
    secret_clear(&done->secret);
    database_undo(&a->database, why->hard);
    why->hard = why->hard || !database_in_transaction(&a->database);
    a->given = given;
    return -1;
}

int accounts_commit(struct accounts *a, struct refusal *why)
{
    if (database_commit(&a->database, why) == 0)
        return 0;
    a->given = 0; /* perhaps it is not taken after all: look again */
    return -1;
}

static int no_account(struct refusal *why)
{
    return refuse(why, ENOENT, "there is no account of this name");
}

int64_t accounts_number(struct accounts *a, struct slice name, struct refusal *why)
{
    sqlite3_stmt *row;
    const int found = ASK(&a->database, ACCOUNT_NUMBER, &row, why, TEXT(name));

    if (found < 0)
        return -1;
    if (found == 0)
        return no_account(why);
    const int64_t number = sqlite3_column_int64(row, 0);
    database_done(row);
    return number;
}

static int uid_taken(struct accounts *a, uint32_t uid, struct refusal *why)
{
    sqlite3_stmt *row;
    const int taken = ASK(&a->database, UID_TAKEN, &row, why, NUMBER(uid));

    if (taken > 0)
        database_done(row);
    return taken;
}

/* The lowest uid of the range that no account ever had: 1, 0 none is left, or -1. */
static int uid_lowest(struct accounts *a, uint32_t *uid, struct refusal *why)
{
    sqlite3_stmt *row;

    *uid = a->first;
    const int taken = uid_taken(a, a->first, why);
    if (taken <= 0)
        return taken < 0 ? -1 : 1;
    if (ASK(&a->database, UID_GAP, &row, why, NUMBER(a->first), NUMBER(a->last)) <= 0)
        return -1; /* an aggregate always has a row */
    const bool found = sqlite3_column_type(row, 0) != SQLITE_NULL;
    *uid = (uint32_t)sqlite3_column_int64(row, 0);
    database_done(row);
    return found;
}

/* The next uid of the range. After the one given last nearly always comes a free one. */
static int uid_automatic(struct accounts *a, uint32_t *uid, struct refusal *why)
{
    int free = 0;

    if (a->given >= a->first && a->given < a->last) {
        *uid = a->given + 1;
        const int taken = uid_taken(a, *uid, why);
        if (taken < 0)
            return -1;
        free = taken == 0;
    }
    if (free == 0 && (free = uid_lowest(a, uid, why)) < 0)
        return -1;
    if (free == 0)
        return refuse(why, ENOSPC,
                      "no uid is left: account_ids %u-%u were all given once, and none is given "
                      "twice; widen the range",
                      a->first, a->last);
    a->given = *uid;
    return 0;
}

int accounts_take_id(struct accounts *a, uint32_t named, uint32_t *id, struct refusal *why)
{
    *id = named;
    if (named == ID_AUTOMATIC && uid_automatic(a, id, why) < 0)
        return -1;
    return CHANGE(&a->database, UID_TAKE, why, NUMBER(*id)) < 0 ? -1 : 0;
}

/* uid and gid of a new account. */
static int choose_ids(struct accounts *a, const struct user_add *m, uint32_t *uid, uint32_t *gid,
                      struct refusal *why)
{
    *uid = m->uid;
    *gid = m->gid;
    if (a->first == 0) { /* one user's server: everything is done as that user */
        *uid = m->uid == ID_AUTOMATIC ? a->own_uid : m->uid;
        *gid = m->gid == ID_AUTOMATIC ? a->own_gid : m->gid;
        return 0;
    }
    if (m->uid == 0 || m->gid == 0)
        return refuse(why, EINVAL, "uid and gid 0 are root's: no account may have them");
    if (accounts_take_id(a, m->uid, uid, why) < 0)
        return -1;
    if (m->gid == ID_AUTOMATIC)
        *gid = *uid;
    return 0;
}

int accounts_user_add(struct accounts *a, const void *message, struct outcome *done,
                      struct refusal *why)
{
    const struct user_add *m = message;
    const struct user_set fields = {.name = m->name,
                                    .email = m->email,
                                    .home = m->home,
                                    .status = m->status,
                                    .expires = m->expires,
                                    .password = m->password,
                                    .rights = m->rights,
                                    .flags = m->flags,
                                    .max_sessions = m->max_sessions,
                                    .bandwidth = m->bandwidth};
    const char *trouble = validate_account(ACCOUNT_SET_ALL, &fields);
    uint32_t uid, gid;

    (void)done;
    if (trouble != NULL)
        return refuse(why, EINVAL, "%s", trouble);
    if (accounts_number(a, m->name, why) >= 0)
        return refuse(why, EEXIST, "there is an account of this name already");
    if (why->error != ENOENT || choose_ids(a, m, &uid, &gid, why) < 0)
        return -1;
    return CHANGE(&a->database, ACCOUNT_ADD, why, TEXT(m->name), TEXT(m->email), BLOB(m->home),
                  NUMBER(uid), NUMBER(gid), NUMBER(m->status), NUMBER(m->expires),
                  TEXT(m->password), NUMBER(m->rights), NUMBER(m->flags), NUMBER(m->max_sessions),
                  NUMBER(m->bandwidth), NUMBER(time(NULL))) < 0
               ? -1
               : 0;
}

int accounts_user_set(struct accounts *a, const void *message, struct outcome *done,
                      struct refusal *why)
{
    const struct user_set *m = message;
    const char *trouble = validate_account(m->valid, m);
    struct holder before;

    (void)done;
    if (trouble != NULL)
        return refuse(why, EINVAL, "%s", trouble);
    if (holder_find(a, m->name, &before, why) < 0)
        return -1;
    const int changed =
        CHANGE(&a->database, ACCOUNT_SET, why, TEXT(m->name), NUMBER(m->valid), TEXT(m->email),
               BLOB(m->home), NUMBER(m->status), NUMBER(m->expires), TEXT(m->password),
               NUMBER(m->rights), NUMBER(m->flags), NUMBER(m->max_sessions), NUMBER(m->bandwidth));
    /* Whoever came by what was valid before has to sign in anew. */
    if (changed < 0 || ((m->valid & (ACCOUNT_SET_PASSWORD | ACCOUNT_SET_STATUS)) != 0 &&
                        accounts_web_end_all(a, m->name, why) < 0))
        return -1;
    return own_was_set(a, &before, m, why);
}

int accounts_user_delete(struct accounts *a, const void *message, struct outcome *done,
                         struct refusal *why)
{
    const struct user_delete *m = message;
    const int changed = CHANGE(&a->database, ACCOUNT_DELETE, why, TEXT(m->name));

    (void)done;
    return changed == 0 ? no_account(why) : changed < 0 ? -1 : 0;
}

/* "SHA256:..." as people know keys, from the hash of one. */
#define FINGERPRINT_SIZE (7 + BASE64_LENGTH(32) + 1)
static const char *fingerprint(const uint8_t hash[32], char text[FINGERPRINT_SIZE])
{
    memcpy(text, "SHA256:", 7);
    text[7 + base64_encode(slice_of(hash, 32), text + 7)] = '\0';
    text[strcspn(text, "=")] = '\0';
    return text;
}

/* A key was added or removed: for the audit log, and for its owner. */
static int tell_key(struct accounts *a, const struct holder *h, const uint8_t hash[32],
                    const char *what, struct outcome *done, struct refusal *why)
{
    char text[FINGERPRINT_SIZE];

    fingerprint(hash, text);
    snprintf(done->text, sizeof(done->text), "%s: key %s %s", h->name, text, what);
    return outbox_tell(a, h, slice_text(""), why, "The SSH key %s was %s.", text, what);
}

static int has_room_for_key(struct accounts *a, const struct holder *h, struct refusal *why)
{
    sqlite3_stmt *row;

    if (ASK(&a->database, KEY_COUNT, &row, why, NUMBER(h->number)) <= 0)
        return -1; /* an aggregate always has a row */
    const int64_t count = sqlite3_column_int64(row, 0);
    database_done(row);
    return count < KEYS_MOST
               ? 0
               : refuse(why, ENOSPC, "an account has at most %d keys: remove one first", KEYS_MOST);
}

int accounts_key_add(struct accounts *a, const void *message, struct outcome *done,
                     struct refusal *why)
{
    const struct key_add *m = message;
    const char *trouble = validate_key(m->key);
    struct holder h;
    uint8_t hash[32];

    if (trouble == NULL)
        trouble = validate_comment(m->comment);
    if (trouble != NULL)
        return refuse(why, EINVAL, "%s", trouble);
    if (holder_find(a, m->name, &h, why) < 0 || has_room_for_key(a, &h, why) < 0 ||
        accounts_hash(m->key, hash, why) < 0)
        return -1;
    const int added =
        CHANGE(&a->database, KEY_ADD, why, NUMBER(h.number), BLOB(slice_of(hash, sizeof(hash))),
               BLOB(m->key), TEXT(m->comment), NUMBER(time(NULL)));
    if (added == 0)
        return refuse(why, EEXIST, "the account has this key already");
    done->number = added < 0 ? 0 : (uint64_t)sqlite3_last_insert_rowid(a->database.db);
    return added < 0 ? -1 : tell_key(a, &h, hash, "added", done, why);
}

int accounts_key_remove(struct accounts *a, const void *message, struct outcome *done,
                        struct refusal *why)
{
    const struct key_remove *m = message;
    const int64_t which = m->number > INT64_MAX ? INT64_MAX : (int64_t)m->number;
    uint8_t hash[32] = {0};
    sqlite3_stmt *row;
    struct holder h;

    if (holder_find(a, m->name, &h, why) < 0)
        return why->error != ENOENT ? -1
                                    : refuse(why, ENOENT, "the account has no key of this number");
    const int found = ASK(&a->database, KEY_HASH, &row, why, NUMBER(h.number), NUMBER(which));
    if (found == 0)
        return refuse(why, ENOENT, "the account has no key of this number");
    if (found < 0)
        return -1;
    const struct slice kept = database_bytes(row, 0);
    if (kept.len == sizeof(hash))
        memcpy(hash, kept.data, sizeof(hash));
    database_done(row);
    if (CHANGE(&a->database, KEY_REMOVE, why, NUMBER(h.number), NUMBER(which)) < 0)
        return -1;
    return tell_key(a, &h, hash, "removed", done, why);
}

int accounts_login(struct accounts *a, const void *message, struct outcome *done,
                   struct refusal *why)
{
    const struct store_login *m = message;
    const time_t now = time(NULL);
    uint8_t hash[32];

    (void)done;
    if (m->token.len > 0)
        return CHANGE(&a->database, WEB_SEEN, why, BLOB(m->token), NUMBER(now)) < 0 ? -1 : 0;
    const int changed = CHANGE(&a->database, ACCOUNT_LOGIN, why, TEXT(m->name), NUMBER(now));
    if (changed <= 0)
        return changed == 0 ? no_account(why) : -1;
    if (m->key.len == 0)
        return 0;
    return accounts_hash(m->key, hash, why) < 0 ||
                   CHANGE(&a->database, KEY_USED, why, TEXT(m->name),
                          BLOB(slice_of(hash, sizeof(hash))), NUMBER(now)) < 0
               ? -1
               : 0;
}

int accounts_web_add(struct accounts *a, const void *message, struct outcome *done,
                     struct refusal *why)
{
    const struct store_web_add *m = message;
    const time_t now = time(NULL);
    struct database *d = &a->database;

    (void)done;
    if (m->token.len != WEB_TOKEN)
        return refuse(why, EINVAL, "the hash of a web session's token has %d bytes", WEB_TOKEN);
    const int64_t account = accounts_number(a, m->name, why);
    if (account < 0 || CHANGE(d, WEB_REMOVE_ENDED, why, NUMBER(now)) < 0 ||
        CHANGE(d, WEB_REMOVE_OLDEST, why, NUMBER(account), NUMBER(WEB_SESSIONS - 1)) < 0)
        return -1;
    const int added =
        CHANGE(d, WEB_ADD, why, BLOB(m->token), NUMBER(account), TEXT(m->address), NUMBER(now),
               NUMBER(m->idle_seconds), NUMBER(m->most_seconds), TEXT(m->password));
    if (added == 0) /* since it was found right */
        return refuse(why, ESTALE, "the account's password was changed");
    return added < 0 ? -1 : 0;
}

int accounts_web_end_all(struct accounts *a, struct slice name, struct refusal *why)
{
    return CHANGE(&a->database, WEB_REMOVE_ALL, why, TEXT(name)) < 0 ? -1 : 0;
}

int accounts_web_remove(struct accounts *a, const void *message, struct outcome *done,
                        struct refusal *why)
{
    const struct store_web_remove *m = message;

    (void)done;
    return CHANGE(&a->database, WEB_REMOVE, why, BLOB(m->token)) < 0 ? -1 : 0;
}
