/* Folder sets in SQLite: the statements as one table, then the questions, then the changes. Called
 * by serve.c and accounts.c. Must never let an account have more than its view and a message hold:
 * what does not fit is refused to the operator, never found out at a login. */
#include "monitor/store/folders.h"

#include <errno.h>
#include <time.h>

#include "common/facts.h"
#include "monitor/store/validate.h"

#define FOLDER_COLUMNS                                                                             \
    "SELECT name, path, gid, created,"                                                             \
    " (SELECT count(*) FROM folder_members WHERE folder = folders.number) FROM folders "

enum statement {
    FOLDER_BY_NAME,
    FOLDER_AFTER,
    FOLDER_NUMBER,
    FOLDER_BY_PATH,
    FOLDER_ADD,
    FOLDER_REMOVE,
    MEMBER_AFTER,
    MEMBER_SET,
    MEMBER_REMOVE,
    FOLDERS_OF,
    STATEMENT_COUNT,
};

static const char *const statements[STATEMENT_COUNT] = {
    [FOLDER_BY_NAME] = FOLDER_COLUMNS "WHERE name = ?1",
    [FOLDER_AFTER] = FOLDER_COLUMNS "WHERE name > ?1 ORDER BY name LIMIT 1",
    [FOLDER_NUMBER] = "SELECT number FROM folders WHERE name = ?1",
    [FOLDER_BY_PATH] = "SELECT name FROM folders WHERE path = ?1",
    [FOLDER_ADD] = "INSERT INTO folders (name, path, gid, created) VALUES (?1, ?2, ?3, ?4)",
    [FOLDER_REMOVE] = "DELETE FROM folders WHERE name = ?1",
    [MEMBER_AFTER] = "SELECT accounts.name, folder_members.rights FROM folder_members"
                     " JOIN accounts ON accounts.number = account"
                     " WHERE folder = (SELECT number FROM folders WHERE name = ?1)"
                     " AND accounts.name > ?2 ORDER BY accounts.name LIMIT 1",
    [MEMBER_SET] = "INSERT INTO folder_members (account, folder, rights) VALUES (?1, ?2, ?3)"
                   " ON CONFLICT (account, folder) DO UPDATE SET rights = ?3",
    [MEMBER_REMOVE] = "DELETE FROM folder_members WHERE account = ?1 AND folder = ?2",
    [FOLDERS_OF] = "SELECT name, path, folder_members.rights, gid FROM folder_members"
                   " JOIN folders ON folders.number = folder WHERE account = ?1 ORDER BY name",
};

#define ASK_FOLDERS(a, statement, ...)                                                             \
    ASK(&(a)->database, (a)->folder_statements + (statement), __VA_ARGS__)
#define CHANGE_FOLDERS(a, statement, ...)                                                          \
    CHANGE(&(a)->database, (a)->folder_statements + (statement), __VA_ARGS__)

int folders_prepare(struct accounts *a, size_t before, struct refusal *why)
{
    a->folder_statements = before;
    return database_prepare(&a->database, statements, STATEMENT_COUNT, why);
}

/* ------------------------------------------------------------------------------- questions */

/* One row as a message behind the others. Returns 0, or -1: no room. */
static int put_folder(struct accounts *a, sqlite3_stmt *row, size_t *len)
{
    const struct folder folder = {
        .name = database_bytes(row, 0),
        .path = database_bytes(row, 1),
        .rights = (uint32_t)sqlite3_column_int64(row, 2),
        .gid = (uint32_t)sqlite3_column_int64(row, 3),
    };
    const ssize_t n = nest_folder(&folder, a->folders, *len, sizeof(a->folders));

    *len = n < 0 ? *len : (size_t)n;
    return n < 0 ? -1 : 0;
}

int folders_of(struct accounts *a, int64_t account, struct slice *folders, struct refusal *why)
{
    sqlite3_stmt *row;
    size_t len = 0, count = 0;
    int r = ASK_FOLDERS(a, FOLDERS_OF, &row, why, NUMBER(account));

    if (r < 0)
        return -1;
    for (bool more = r > 0; more; more = (r = database_next(&a->database, row, why)) > 0) {
        /* the home stands in the view, too */
        if (++count >= VIEW_FOLDERS_MAX || put_folder(a, row, &len) < 0) {
            database_done(row);
            return refuse(why, ENOSPC,
                          "an account has at most %d folder sets, with names and paths of %d bytes "
                          "together",
                          VIEW_FOLDERS_MAX - 1, FOLDERS_BYTES);
        }
    }
    *folders = slice_of(a->folders, len);
    return r < 0 ? -1 : 0;
}

static int tell_folder(struct accounts *a, int found, struct folder_set *answer)
{
    if (found > 0)
        *answer = (struct folder_set){
            .name = database_bytes(a->row, 0),
            .path = database_bytes(a->row, 1),
            .gid = (uint32_t)sqlite3_column_int64(a->row, 2),
            .created = sqlite3_column_int64(a->row, 3),
            .members = (uint32_t)sqlite3_column_int64(a->row, 4),
        };
    return found;
}

int folders_show(struct accounts *a, const void *message, void *answer, struct refusal *why)
{
    const struct folder_show *q = message;

    return tell_folder(a, ASK_FOLDERS(a, FOLDER_BY_NAME, &a->row, why, TEXT(q->name)), answer);
}

int folders_next(struct accounts *a, const void *message, void *answer, struct refusal *why)
{
    const struct folder_next *q = message;

    return tell_folder(a, ASK_FOLDERS(a, FOLDER_AFTER, &a->row, why, TEXT(q->after)), answer);
}

int folders_member_next(struct accounts *a, const void *message, void *answer, struct refusal *why)
{
    const struct folder_member_next *q = message;
    const int found = ASK_FOLDERS(a, MEMBER_AFTER, &a->row, why, TEXT(q->name), TEXT(q->after));

    if (found > 0)
        *(struct folder_member *)answer = (struct folder_member){
            .account = database_bytes(a->row, 0),
            .rights = (uint32_t)sqlite3_column_int64(a->row, 1),
        };
    return found;
}

/* ------------------------------------------------------------------------------- changes */

static int no_folder(struct refusal *why)
{
    return refuse(why, ENOENT, "there is no folder set of this name");
}

/* The number of a folder set, or -1 and why is filled. */
static int64_t folder_number(struct accounts *a, struct slice name, struct refusal *why)
{
    sqlite3_stmt *row;
    const int found = ASK_FOLDERS(a, FOLDER_NUMBER, &row, why, TEXT(name));

    if (found <= 0)
        return found < 0 ? -1 : no_folder(why);
    const int64_t number = sqlite3_column_int64(row, 0);
    database_done(row);
    return number;
}

/* Neither its name nor its path is another's. */
static int check_new(struct accounts *a, const struct folder_add *m, struct refusal *why)
{
    sqlite3_stmt *row;

    if (folder_number(a, m->name, why) >= 0)
        return refuse(why, EEXIST, "there is a folder set of this name already");
    if (why->error != ENOENT)
        return -1;
    const int found = ASK_FOLDERS(a, FOLDER_BY_PATH, &row, why, BLOB(m->path));
    if (found <= 0)
        return found;
    const struct slice other = database_bytes(row, 0);
    refuse(why, EEXIST, "the folder set %.*s has this path already", (int)other.len,
           (const char *)other.data);
    database_done(row);
    return -1;
}

int folders_add(struct accounts *a, const void *message, struct outcome *done, struct refusal *why)
{
    const struct folder_add *m = message;
    const char *trouble = validate_folder(m->name, m->path);
    uint32_t gid = m->gid == ID_AUTOMATIC ? a->own_gid : m->gid;

    (void)done;
    if (trouble != NULL)
        return refuse(why, EINVAL, "%s", trouble);
    if (check_new(a, m, why) < 0)
        return -1;
    if (a->first != 0) { /* else one user's server: everything is that user's */
        if (m->gid == 0)
            return refuse(why, EINVAL, "gid 0 is root's: no folder set may have it");
        if (accounts_take_id(a, m->gid, &gid, why) < 0)
            return -1;
    }
    return CHANGE_FOLDERS(a, FOLDER_ADD, why, TEXT(m->name), BLOB(m->path), NUMBER(gid),
                          NUMBER(time(NULL))) < 0
               ? -1
               : 0;
}

int folders_remove(struct accounts *a, const void *message, struct outcome *done,
                   struct refusal *why)
{
    const struct folder_remove *m = message;
    const int changed = CHANGE_FOLDERS(a, FOLDER_REMOVE, why, TEXT(m->name));

    (void)done;
    return changed == 0 ? no_folder(why) : changed < 0 ? -1 : 0;
}

int folders_grant(struct accounts *a, const void *message, struct outcome *done,
                  struct refusal *why)
{
    const struct folder_grant *m = message;
    const char *trouble = validate_grant(m->rights);
    struct slice folders;

    (void)done;
    if (trouble != NULL)
        return refuse(why, EINVAL, "%s", trouble);
    const int64_t folder = folder_number(a, m->name, why);
    const int64_t account = folder < 0 ? -1 : accounts_number(a, m->account, why);
    if (account < 0 ||
        CHANGE_FOLDERS(a, MEMBER_SET, why, NUMBER(account), NUMBER(folder), NUMBER(m->rights)) < 0)
        return -1;
    return folders_of(a, account, &folders, why); /* too many: it is undone */
}

int folders_revoke(struct accounts *a, const void *message, struct outcome *done,
                   struct refusal *why)
{
    const struct folder_revoke *m = message;
    const int64_t folder = folder_number(a, m->name, why);
    const int64_t account = folder < 0 ? -1 : accounts_number(a, m->account, why);

    (void)done;
    if (account < 0)
        return -1;
    const int changed = CHANGE_FOLDERS(a, MEMBER_REMOVE, why, NUMBER(account), NUMBER(folder));
    if (changed == 0)
        return refuse(why, ENOENT, "the account does not have this folder set");
    return changed < 0 ? -1 : 0;
}
