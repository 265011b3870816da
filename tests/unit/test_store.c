/* The store as a process of its own: accounts, keys, uids, what it refuses, what a kill, a full
 * disk and an older schema do. The real binary (from SALLYPORT_BUILD, else build/release) in its
 * sandbox, asked over its link. The audit log: test_store_audit.c. */
#include "tests/unit/store_process.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/audit_chain.h"
#include "common/facts.h"
#include "common/operations.h"

#define KILL_ROUNDS  20
#define KILL_CHANGES 40

static void must_start(struct process *p)
{
    if (!process_start(p))
        fail_msg("the store did not start: %s", p->trouble);
}

/* ------------------------------------------------------------------------------- accounts */

static void test_account(void **state)
{
    struct process *p = *state;
    struct account a;
    const struct user_add add = {.name = slice_text("J\xc3\xb6rg"),
                                 .email = slice_text("j@example.org"),
                                 .home = slice_text("/srv/\xff\xfe"),
                                 .uid = ID_AUTOMATIC,
                                 .gid = 77,
                                 .status = ACCOUNT_DISABLED,
                                 .expires = INT64_C(4102444800),
                                 .password = slice_text("$6$salt$hash"),
                                 .rights = RIGHT_LIST | RIGHT_READ,
                                 .flags = ACCOUNT_ATOMIC | ACCOUNT_BOTH,
                                 .max_sessions = UINT32_MAX,
                                 .bandwidth = UINT64_C(1) << 40};

    must_start(p);
    const int64_t before = time(NULL);
    process_done(p, MSG_user_add, &add);
    assert_true(find_account(p, "J\xc3\xb6rg", slice_of(NULL, 0), &a));
    assert_true(slice_equal(a.name, add.name) && slice_equal(a.email, add.email));
    assert_true(slice_equal(a.home, add.home) && slice_equal(a.password, add.password));
    assert_int_equal(a.uid, FIRST_UID);
    assert_int_equal(a.gid, 77);
    assert_int_equal(a.status, ACCOUNT_DISABLED);
    assert_int_equal(a.expires, add.expires);
    assert_int_equal(a.rights, add.rights);
    assert_int_equal(a.flags, add.flags);
    assert_int_equal(a.max_sessions, add.max_sessions);
    assert_int_equal(a.bandwidth, add.bandwidth);
    assert_true(a.created >= before && a.created <= time(NULL));
    assert_true(a.last_login == 0 && a.key_known == 0 && a.key_count == 0);

    process_refused(p, MSG_user_add, &add, EEXIST);
    process_stop(p);
    must_start(p);
    assert_true(show_account(p, "J\xc3\xb6rg", &a));
    assert_true(slice_is(a.password, "set")); /* never the hash */
    assert_true(slice_equal(a.home, add.home));
    assert_false(show_account(p, "nobody", &a));
    const struct user_delete gone = {.name = add.name};
    process_done(p, MSG_user_delete, &gone);
    process_refused(p, MSG_user_delete, &gone, ENOENT);
    assert_false(find_account(p, "J\xc3\xb6rg", slice_of(NULL, 0), &a));
    process_stop(p);
}

static void test_names_are_exact(void **state)
{
    static const char *const names[] = {"Anna", "anna", "ANNA", "anna'; DROP TABLE accounts; --"};
    struct process *p = *state;
    struct user_next next = {.after = slice_text("")};
    struct account a;
    char after[ACCOUNT_NAME_MAX + 1];
    size_t count = 0;

    must_start(p);
    for (size_t i = 0; i < 4; i++)
        add_account(p, names[i]);
    for (size_t i = 0; i < 4; i++) {
        assert_true(find_account(p, names[i], slice_of(NULL, 0), &a));
        assert_true(slice_is(a.name, names[i]));
    }
    assert_false(find_account(p, "aNNA", slice_of(NULL, 0), &a));
    assert_false(find_account(p, "anna ", slice_of(NULL, 0), &a));
    assert_false(find_account(p, "ann%", slice_of(NULL, 0), &a));

    /* all of them, each once, in the order of bytes */
    after[0] = '\0';
    while (process_ask(p, MSG_user_next, &next) == MSG_account) {
        assert_int_equal(decode_account(&p->envelope, &a), 0);
        assert_true(slice_is(a.password, "set"));
        char name[ACCOUNT_NAME_MAX + 1];
        assert_int_equal(slice_copy(a.name, name, sizeof(name)), 0);
        assert_true(strcmp(after, name) < 0);
        memcpy(after, name, sizeof(after));
        next.after = slice_text(after);
        count++;
    }
    assert_int_equal(count, 4);
    process_stop(p);
}

static void test_set(void **state)
{
    struct process *p = *state;
    struct account a;
    struct user_set set = {.valid = ACCOUNT_SET_EMAIL | ACCOUNT_SET_PASSWORD,
                           .name = slice_text("anna"),
                           .email = slice_text("new@example.org"),
                           .home = slice_text("not looked at"),
                           .rights = ~0u};

    must_start(p);
    add_account(p, "anna");
    add_account(p, "bert");
    process_done(p, MSG_user_set, &set);
    assert_true(show_account(p, "anna", &a));
    assert_true(slice_is(a.email, "new@example.org") && slice_is(a.password, ""));
    assert_true(slice_is(a.home, "/srv/home"));
    assert_int_equal(a.rights, RIGHTS_ALL);
    assert_true(show_account(p, "bert", &a));
    assert_true(slice_is(a.email, "someone@example.org") && slice_is(a.password, "set"));

    set = (struct user_set){.valid = 0x1ff,
                            .name = slice_text("bert"),
                            .email = slice_text(""),
                            .home = slice_text("/other"),
                            .status = ACCOUNT_DISABLED,
                            .expires = 5,
                            .password = slice_text("$1$a$b"),
                            .rights = RIGHT_LIST,
                            .flags = ACCOUNT_DURABLE,
                            .max_sessions = 3,
                            .bandwidth = 9};
    process_done(p, MSG_user_set, &set);
    assert_true(find_account(p, "bert", slice_of(NULL, 0), &a));
    assert_true(slice_is(a.email, "") && slice_is(a.home, "/other"));
    assert_true(a.status == ACCOUNT_DISABLED && a.expires == 5 && slice_is(a.password, "$1$a$b"));
    assert_true(a.rights == RIGHT_LIST && a.flags == ACCOUNT_DURABLE && a.max_sessions == 3);
    assert_int_equal(a.bandwidth, 9);

    set.name = slice_text("nobody");
    process_refused(p, MSG_user_set, &set, ENOENT);
    set.name = slice_text("bert");
    set.valid = 1u << 9;
    process_refused(p, MSG_user_set, &set, EINVAL);
    process_stop(p);
}

static void test_validation(void **state)
{
    static const char *const bad_names[] = {
        "",
        "a/b",
        "a:b",
        "a\\b",
        "-a",
        ".a",
        " a",
        "a ",
        "a\tb",
        "a\nb",
        "a\x7f",
        "a\xff",
        "\xc0\xaf",
        "\xed\xa0\x80",
        "a\xc2\x85",
        "a\xe2\x80\xae"
        "b",
        "\xf4\x90\x80\x80",
        "a\xe2\x82",
    };
    static const char *const bad_emails[] = {"anna", "a@b c", "<a@b>", "a@b\n", "a@\xff"};
    static const char *const bad_passwords[] = {"secret", "$6$a b", "$6$a:b", "$6$\xc3\xb6"};
    struct process *p = *state;
    struct account a;
    struct user_add add;

    must_start(p);
    for (size_t i = 0; i < sizeof(bad_names) / sizeof(bad_names[0]); i++) {
        add = new_account(bad_names[i]);
        process_refused(p, MSG_user_add, &add, EINVAL);
    }
    for (size_t i = 0; i < sizeof(bad_emails) / sizeof(bad_emails[0]); i++) {
        add = new_account("anna");
        add.email = slice_text(bad_emails[i]);
        process_refused(p, MSG_user_add, &add, EINVAL);
    }
    for (size_t i = 0; i < sizeof(bad_passwords) / sizeof(bad_passwords[0]); i++) {
        add = new_account("anna");
        add.password = slice_text(bad_passwords[i]);
        process_refused(p, MSG_user_add, &add, EINVAL);
    }
    static const struct {
        uint32_t rights, flags, uid, gid;
        uint8_t status;
        int64_t expires;
        uint64_t bandwidth;
        const char *home;
    } bad[] = {
        {.rights = RIGHTS_ALL + 1, .uid = 1, .gid = 1, .home = "/h"},
        {.flags = 8, .uid = 1, .gid = 1, .home = "/h"},
        {.uid = 0, .gid = 1, .home = "/h"},
        {.uid = 1, .gid = 0, .home = "/h"},
        {.status = 2, .uid = 1, .gid = 1, .home = "/h"},
        {.expires = -1, .uid = 1, .gid = 1, .home = "/h"},
        {.bandwidth = UINT64_MAX, .uid = 1, .gid = 1, .home = "/h"},
        {.uid = 1, .gid = 1, .home = "srv"},
        {.uid = 1, .gid = 1, .home = ""},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        add = new_account("anna");
        add.rights = bad[i].rights;
        add.flags = bad[i].flags;
        add.uid = bad[i].uid;
        add.gid = bad[i].gid;
        add.status = bad[i].status;
        add.expires = bad[i].expires;
        add.bandwidth = bad[i].bandwidth;
        add.home = slice_text(bad[i].home);
        process_refused(p, MSG_user_add, &add, EINVAL);
    }
    assert_false(show_account(p, "anna", &a));

    /* not bad at all */
    static const char *const good_names[] = {
        "a",
        "Anna Maria",
        "o'neill",
        "user@example.org",
        "\xe4\xbd\xa0\xe5\xa5\xbd",
        "a.b-c",
        "$x",
        "0123456789012345678901234567890123456789012345678901234567890123"};
    for (size_t i = 0; i < sizeof(good_names) / sizeof(good_names[0]); i++)
        add_account(p, good_names[i]);
    process_stop(p);
}

/* ------------------------------------------------------------------------------- uids */

static uint32_t uid_of(struct process *p, const char *name)
{
    struct account a;

    assert_true(show_account(p, name, &a));
    return a.uid;
}

static void test_uids(void **state)
{
    struct process *p = *state;
    struct user_add named = new_account("named");
    struct user_delete gone = {.name = slice_text("b")};
    struct user_add full = new_account("full");

    p->setup.account_id_last = FIRST_UID + 5;
    must_start(p);
    add_account(p, "a");
    add_account(p, "b");
    named.uid = FIRST_UID + 2; /* in the way of the next */
    process_done(p, MSG_user_add, &named);
    named.name = slice_text("shared"); /* named twice: the operator's business */
    process_done(p, MSG_user_add, &named);
    assert_int_equal(uid_of(p, "shared"), FIRST_UID + 2);
    process_done(p, MSG_user_delete, &gone);
    add_account(p, "c");
    assert_int_equal(uid_of(p, "a"), FIRST_UID);
    assert_int_equal(uid_of(p, "c"), FIRST_UID + 3);
    process_stop(p);

    must_start(p); /* what was given is remembered */
    gone.name = slice_text("c");
    process_done(p, MSG_user_delete, &gone);
    add_account(p, "d");
    add_account(p, "e");
    assert_int_equal(uid_of(p, "d"), FIRST_UID + 4);
    assert_int_equal(uid_of(p, "e"), FIRST_UID + 5);
    process_refused(p, MSG_user_add, &full, ENOSPC);
    assert_non_null(strstr(p->text, "account_ids"));
    process_stop(p);

    p->setup.account_id_first = FIRST_UID - 1; /* a wider range helps */
    must_start(p);
    process_done(p, MSG_user_add, &full);
    assert_int_equal(uid_of(p, "full"), FIRST_UID - 1);
    full.name = slice_text("fuller");
    process_refused(p, MSG_user_add, &full, ENOSPC);
    process_stop(p);

    p->setup.account_id_first = p->setup.account_id_last = 0; /* one user's server */
    must_start(p);
    full.uid = 1234;
    full.gid = 4321;
    process_done(p, MSG_user_add, &full);
    assert_int_equal(uid_of(p, "fuller"), 1234);
    full.name = slice_text("own");
    full.uid = ID_AUTOMATIC;
    process_done(p, MSG_user_add, &full);
    assert_int_equal(uid_of(p, "own"), is_root() ? STORE_ID : geteuid());
    process_stop(p);
}

/* ------------------------------------------------------------------------------- keys */

static void test_keys(void **state)
{
    struct process *p = *state;
    uint8_t bytes[64];
    struct account a;
    struct key key;
    struct key_add add = {.name = slice_text("anna"), .comment = slice_text("laptop")};

    must_start(p);
    add_account(p, "anna");
    add_account(p, "bert");
    add.key = test_key(1, bytes);
    const uint64_t first = process_done(p, MSG_key_add, &add);
    assert_true(first > 0);
    process_refused(p, MSG_key_add, &add, EEXIST);
    add.name = slice_text("bert"); /* the same key may open two accounts */
    process_done(p, MSG_key_add, &add);
    add.name = slice_text("nobody");
    process_refused(p, MSG_key_add, &add, ENOENT);

    assert_true(find_account(p, "anna", test_key(1, bytes), &a));
    assert_true(a.key_known == 1 && a.key_count == 1);
    assert_true(find_account(p, "anna", test_key(2, bytes), &a));
    assert_int_equal(a.key_known, 0);
    assert_false(find_account(p, "nobody", test_key(1, bytes), &a));

    const struct key_next ask = {.name = slice_text("anna"), .after = 0};
    assert_int_equal(process_ask(p, MSG_key_next, &ask), MSG_key);
    assert_int_equal(decode_key(&p->envelope, &key), 0);
    assert_int_equal(key.number, first);
    assert_true(slice_equal(key.key, test_key(1, bytes)) && slice_is(key.comment, "laptop"));
    assert_true(key.added > 0 && key.last_used == 0);

    const struct store_login login = {.name = slice_text("anna"), .key = test_key(1, bytes)};
    process_done(p, MSG_store_login, &login);
    assert_int_equal(process_ask(p, MSG_key_next, &ask), MSG_key);
    assert_int_equal(decode_key(&p->envelope, &key), 0);
    assert_true(key.last_used >= key.added);
    assert_true(show_account(p, "anna", &a));
    assert_true(a.last_login >= a.created);
    const struct store_login unknown = {.name = slice_text("nobody")};
    process_refused(p, MSG_store_login, &unknown, ENOENT);

    struct key_remove away = {.name = slice_text("bert"), .number = first};
    process_refused(p, MSG_key_remove, &away, ENOENT); /* anna's */
    away.name = slice_text("anna");
    process_done(p, MSG_key_remove, &away);
    assert_int_equal(process_ask(p, MSG_key_next, &ask), MSG_nothing_more);
    assert_true(find_account(p, "bert", test_key(1, bytes), &a));
    assert_int_equal(a.key_known, 1);
    process_stop(p);
}

static void test_keys_refused(void **state)
{
    struct process *p = *state;
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {{"", 0},
               {"ssh-ed25519 AAAA", 16},
               {"\0\0\0\x0bssh-ed25519", 15},
               {"\0\0\0\x0cssh-ed25519", 15},
               {"\0\0\0\0rest", 8},
               {"\0\0\0\x04s\nh-rest", 11},
               {"\xff\xff\xff\xffrest", 8}};
    struct key_add add = {.name = slice_text("anna")};
    uint8_t bytes[64];

    must_start(p);
    add_account(p, "anna");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        add.key = slice_of(bad[i].bytes, bad[i].len);
        process_refused(p, MSG_key_add, &add, EINVAL);
    }
    add.key = test_key(1, bytes);
    add.comment = slice_text("two\nlines");
    process_refused(p, MSG_key_add, &add, EINVAL);
    add.comment = slice_text("latin1 \xf6");
    process_refused(p, MSG_key_add, &add, EINVAL);
    process_stop(p);
}

/* Give a database that is not in use some rows, as one transaction. */
static void fill(const struct process *p, const char *text)
{
    char path[256], *error = NULL;
    sqlite3 *db;

    snprintf(path, sizeof(path), "%s/accounts.db", p->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s", error);
    sqlite3_close(db);
    give_to_store(path);
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* 1,000 keys added one by one and 10,000 accounts beside: found fast, listed whole, removed whole.
 */
static void test_many(void **state)
{
    struct process *p = *state;
    uint8_t bytes[64];
    struct account a;
    struct key key;
    struct key_next ask = {.name = slice_text("many")};
    unsigned count = 0;

    must_start(p);
    add_account(p, "many");
    for (unsigned i = 0; i < 1000; i++) {
        const struct key_add add = {.name = slice_text("many"), .key = test_key(i, bytes)};
        process_done(p, MSG_key_add, &add);
    }
    process_stop(p);
    fill(p, "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 9999)"
            " INSERT INTO accounts (name, email, home, uid, gid, status, expires, password, rights,"
            " flags, max_sessions, bandwidth, created, last_login)"
            " SELECT 'user' || i, '', X'2f', 60000 + i, 60000, 0, 0, '', 0, 0, 0, 0, 0, 0 FROM c");
    must_start(p);
    assert_true(find_account(p, "many", test_key(999, bytes), &a)); /* the caches are warm */
    const double start = seconds();
    for (unsigned i = 0; i < 1000; i++) {
        assert_true(find_account(p, "many", test_key(i, bytes), &a));
        assert_true(a.key_known == 1 && a.key_count == 1000);
    }
    const double each = (seconds() - start) / 1000;
    print_message("store_find: %.0f us with 10,000 accounts and 1,000 keys\n", each * 1e6);
    assert_true(each < 0.001);
    assert_false(find_account(p, "userX", test_key(1, bytes), &a));
    for (; process_ask(p, MSG_key_next, &ask) == MSG_key; count++) {
        assert_int_equal(decode_key(&p->envelope, &key), 0);
        assert_true(key.number > ask.after && slice_equal(key.key, test_key(count, bytes)));
        ask.after = key.number;
    }
    assert_int_equal(count, 1000);
    const struct user_delete gone = {.name = slice_text("many")};
    process_done(p, MSG_user_delete, &gone);
    add_account(p, "many"); /* of the same name, but none of its keys */
    assert_true(find_account(p, "many", test_key(1, bytes), &a));
    assert_true(a.key_known == 0 && a.key_count == 0);
    process_stop(p);
}

/* ------------------------------------------------------------------------------- starting */

/* The schema of version 1, as it was. */
static const char version_1[] =
    "CREATE TABLE accounts (number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " name TEXT NOT NULL COLLATE BINARY UNIQUE,"
    " email TEXT NOT NULL, home BLOB NOT NULL, uid INTEGER NOT NULL, gid INTEGER NOT NULL,"
    " status INTEGER NOT NULL, expires INTEGER NOT NULL, password TEXT NOT NULL,"
    " rights INTEGER NOT NULL, flags INTEGER NOT NULL, max_sessions INTEGER NOT NULL,"
    " bandwidth INTEGER NOT NULL, created INTEGER NOT NULL, last_login INTEGER NOT NULL) STRICT;"
    "CREATE TABLE keys (number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " account INTEGER NOT NULL REFERENCES accounts (number) ON DELETE CASCADE,"
    " sha256 BLOB NOT NULL, key BLOB NOT NULL, comment TEXT NOT NULL,"
    " added INTEGER NOT NULL, last_used INTEGER NOT NULL, UNIQUE (sha256, account)) STRICT;"
    "CREATE INDEX keys_by_account ON keys (account);"
    "INSERT INTO accounts VALUES (1, 'old', '', X'2f68', 50000, 50000, 0, 0, '$1$a$b', 1, 0, 0, 0,"
    " 100, 200);"
    "PRAGMA application_id = 1396788816; PRAGMA user_version = 1";

static void test_older_schema(void **state)
{
    struct process *p = *state;
    struct account a;

    fill(p, version_1);
    must_start(p);
    assert_true(p->schema > 1);
    assert_true(find_account(p, "old", slice_of(NULL, 0), &a));
    assert_true(slice_is(a.home, "/h") && slice_is(a.password, "$1$a$b"));
    assert_true(a.created == 100 && a.last_login == 200 && a.uid == FIRST_UID);
    const struct user_delete gone = {.name = slice_text("old")};
    process_done(p, MSG_user_delete, &gone);
    add_account(p, "next");
    assert_int_equal(uid_of(p, "next"), FIRST_UID + 1); /* the old one's was remembered */
    process_stop(p);
}

static void test_start_refused(void **state)
{
    struct process *p = *state;

    fill(p, "PRAGMA application_id = 1396788816; PRAGMA user_version = 1000");
    assert_false(process_start(p));
    assert_non_null(strstr(p->trouble, "newer"));
    fill(p, "PRAGMA application_id = 7; PRAGMA user_version = 1");
    assert_false(process_start(p));
    assert_non_null(strstr(p->trouble, "another program"));
    write_state_file(p, "accounts.db",
                     "This is no database, but it is long enough to have a "
                     "header; every byte of it is text, up to and with the end.",
                     107);
    assert_false(process_start(p));
    assert_non_null(strstr(p->trouble, "no database"));

    char path[128];
    snprintf(path, sizeof(path), "%s/missing", p->dir);
    p->setup.state_dir = slice_text(path);
    assert_false(process_start(p));
    assert_non_null(strstr(p->trouble, "No such file"));
    p->setup.state_dir = slice_text("relative");
    assert_false(process_start(p));
    p->setup.state_dir = slice_text(p->dir);
    assert_int_equal(chmod(p->dir, 0777), 0);
    assert_false(process_start(p));
    assert_non_null(strstr(p->trouble, "0700"));
    assert_int_equal(chmod(p->dir, 0500), 0);
    snprintf(path, sizeof(path), "%s/lock", p->dir);
    unlink(path);
    assert_false(process_start(p));
    assert_non_null(strstr(p->trouble, "cannot be written"));
    assert_int_equal(chmod(p->dir, 0700), 0);
    if (!is_root()) {
        print_message("skipped: a state folder of root's (needs root)\n");
        return;
    }
    assert_int_equal(chown(p->dir, 0, 0), 0);
    assert_int_equal(chmod(p->dir, 0755), 0);
    assert_false(process_start(p));
    assert_non_null(strstr(p->trouble, "belongs to uid 0"));
}

static void test_damaged_database(void **state)
{
    struct process *p = *state;
    size_t len;

    must_start(p);
    add_account(p, "anna");
    process_stop(p);
    char *bytes = read_state_file(p, "accounts.db", &len);
    assert_true(len > 4 * 4096);
    memset(bytes + 4096, 0xee, 4096);
    write_state_file(p, "accounts.db", bytes, len);
    free(bytes);
    assert_false(process_start(p));
    assert_non_null(strstr(p->trouble, "damaged"));
}

static void test_one_store_only(void **state)
{
    struct process *p = *state;
    struct process second = *p;

    must_start(p);
    assert_false(process_start(&second));
    assert_non_null(strstr(second.trouble, "another sallyport-store"));
    add_account(p, "anna"); /* the first goes on */
    process_stop(p);
}

/* A word of /proc/PID/status. */
static void status_of(pid_t pid, const char *what, char *value, size_t size)
{
    char path[64], line[256];

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    value[0] = '\0';
    while (fgets(line, sizeof(line), f) != NULL) {
        if (strncmp(line, what, strlen(what)) == 0 && line[strlen(what)] == ':')
            snprintf(value, size, "%s",
                     line + strlen(what) + 1 + strspn(line + strlen(what) + 1, "\t "));
    }
    fclose(f);
}

static void test_sandbox(void **state)
{
    struct process *p = *state;
    const uint32_t least = LAYER_CAPABILITIES | LAYER_NO_NEW_PRIVS | LAYER_NOT_DUMPABLE |
                           LAYER_RLIMITS | LAYER_SECCOMP | (is_root() ? LAYER_IDS : 0);
    char value[256];

    must_start(p);
    assert_int_equal(p->layers & least, least);
    status_of(p->pid, "Seccomp", value, sizeof(value));
    assert_string_equal(value, "2\n");
    status_of(p->pid, "NoNewPrivs", value, sizeof(value));
    assert_string_equal(value, "1\n");
    status_of(p->pid, "CapBnd", value, sizeof(value));
    if (is_root())
        assert_string_equal(value, "0000000000000000\n");
    status_of(p->pid, "Uid", value, sizeof(value));
    if (is_root())
        assert_string_equal(value, "39001\t39001\t39001\t39001\n");
    status_of(p->pid, "Groups", value, sizeof(value));
    if (is_root())
        assert_string_equal(value, "\n");
    process_stop(p);
}

/* What the store must survive from the operator or a monitor gone mad. */
static void test_strange_messages(void **state)
{
    struct process *p = *state;
    const struct store_done done = {.number = 1};
    const uint8_t garbage[] = "\xff\xff\xff\xff\1\0\0\0garbage";
    uint8_t bytes[64];

    must_start(p);
    process_refused(p, MSG_store_done, &done, EPROTO);
    process_refused(p, MSG_store_setup, &p->setup, EALREADY);
    assert_true(send(p->link, garbage, sizeof(garbage), 0) > 0);
    assert_true(send(p->link, garbage, 3, 0) > 0);
    const struct user_show show = {.name = slice_text("anna")};
    const ssize_t len = message_encode(MSG_user_show, 77, &show, bytes, sizeof(bytes));
    assert_true(send(p->link, bytes, (size_t)len - 1, 0) > 0); /* cut off: refused by its id */
    assert_int_equal(message_receive(p->link, &p->envelope, 0), 1);
    assert_int_equal(p->envelope.type, MSG_store_refused);
    assert_int_equal(p->envelope.id, 77);
    add_account(p, "anna");
    process_stop(p);
}

/* ------------------------------------------------------------------------------- kill, full disk
 */

struct promise {
    uint32_t id;
    bool kept; /* acknowledged */
};

/* What was acknowledged, also after the store's death. */
static void take_promises(struct process *p, struct promise *promises, unsigned count)
{
    while (message_receive(p->link, &p->envelope, MSG_DONTWAIT) == 1) {
        assert_int_equal(p->envelope.type, MSG_store_done);
        for (unsigned i = 0; i < count; i++) {
            if (promises[i].id == p->envelope.id)
                promises[i].kept = true;
        }
    }
}

/* Even changes: an account; odd: a key for the one before. */
static uint32_t send_change(struct process *p, unsigned round, unsigned i, char name[32])
{
    uint8_t bytes[64];

    snprintf(name, 32, "user-%u-%u", round, i - i % 2);
    if (i % 2 == 0) {
        const struct user_add add = new_account(name);
        return process_send(p, MSG_user_add, &add);
    }
    const struct key_add add = {.name = slice_text(name), .key = test_key(round * 1000 + i, bytes)};
    return process_send(p, MSG_key_add, &add);
}

static void test_kill(void **state)
{
    struct process *p = *state;
    struct promise promises[KILL_CHANGES];
    unsigned kept = 0, lost = 0;
    uint8_t bytes[64];
    struct account a;
    char name[32];

    for (unsigned round = 0; round < KILL_ROUNDS; round++) {
        memset(promises, 0, sizeof(promises));
        must_start(p);
        for (unsigned i = 0; i < KILL_CHANGES; i++)
            promises[i].id = send_change(p, round, i, name);
        usleep((useconds_t)(round * 2000));
        kill(p->pid, SIGKILL);
        process_wait(p);
        take_promises(p, promises, KILL_CHANGES);
        close(p->link);

        must_start(p);
        for (unsigned i = 0; i < KILL_CHANGES; i++) {
            snprintf(name, sizeof(name), "user-%u-%u", round, i - i % 2);
            const bool there = find_account(p, name, test_key(round * 1000 + i, bytes), &a);
            const bool whole = i % 2 == 0 ? there : there && a.key_known == 1;
            if (there)
                assert_true(slice_is(a.home, "/srv/home") &&
                            slice_is(a.password, "$y$j9T$salt$hash"));
            if (promises[i].kept && !whole)
                fail_msg("round %u: change %u was acknowledged and is lost", round, i);
            kept += promises[i].kept;
            lost += !promises[i].kept;
        }
        process_stop(p);
    }
    print_message("%u changes acknowledged before a kill, %u not\n", kept, lost);
    assert_true(kept > 0 && lost > 0);
}

/* A state folder on a disk of its own, of 3 MiB. */
static bool small_disk(struct process *p)
{
    char options[64];

    if (!is_root() || unshare(CLONE_NEWNS) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return false;
    snprintf(options, sizeof(options), "size=3m,mode=0700,uid=%d,gid=%d", STORE_ID, STORE_ID);
    return mount("none", p->dir, "tmpfs", 0, options) == 0;
}

static void fill_disk(const struct process *p)
{
    static char block[65536];
    char path[128];

    snprintf(path, sizeof(path), "%s/filler", p->dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    setvbuf(f, NULL, _IONBF, 0);
    for (size_t size = sizeof(block); size > 0;) {
        if (fwrite(block, 1, size, f) != size)
            size /= 2;
    }
    fclose(f);
}

static void make_room(const struct process *p)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/filler", p->dir);
    assert_int_equal(unlink(path), 0);
}

/* Add accounts until it is refused; how many were. */
static unsigned add_until_full(struct process *p, unsigned from)
{
    char name[32];

    for (unsigned i = from; i < from + 2000; i++) {
        snprintf(name, sizeof(name), "user-%u", i);
        const struct user_add add = new_account(name);
        if (process_ask(p, MSG_user_add, &add) == MSG_store_refused)
            return i;
    }
    fail_msg("the disk never became full");
    return 0;
}

static void test_full_disk(void **state)
{
    struct process *p = *state;
    struct store_refused refused;
    struct account a;
    char name[32];
    const struct store_audit line = {.event = slice_text("login"), .text = slice_text("x")};

    if (!small_disk(p)) {
        print_message("skipped: a full disk (needs root and mounts)\n");
        return;
    }
    must_start(p);
    add_account(p, "anna");
    fill_disk(p);
    const unsigned count = add_until_full(p, 0);
    assert_int_equal(decode_store_refused(&p->envelope, &refused), 0);
    assert_int_equal(refused.error, ENOSPC);
    assert_true(refused.text.len > 10);
    snprintf(name, sizeof(name), "user-%u", count);
    assert_false(show_account(p, name, &a));  /* nothing half done */
    assert_true(show_account(p, "anna", &a)); /* reading goes on */
    const uint32_t waits = process_send(p, MSG_store_audit, &line);
    usleep(50000);
    assert_int_equal(message_receive(p->link, &p->envelope, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);

    make_room(p);
    assert_int_equal(message_receive(p->link, &p->envelope, 0), 1); /* tried again by itself */
    assert_int_equal(p->envelope.type, MSG_store_done);
    assert_int_equal(p->envelope.id, waits);
    add_account(p, name);
    process_kill(p);

    fill_disk(p); /* it starts with a full disk too, if all was there before */
    must_start(p);
    for (unsigned i = 0; i <= count; i++) {
        snprintf(name, sizeof(name), "user-%u", i);
        assert_true(show_account(p, name, &a));
    }
    make_room(p);
    process_stop(p);
    struct audit_verdict verdict;
    assert_int_equal(audit_verify(p->dir, stdout, &verdict), 0);
    umount2(p->dir, MNT_DETACH);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, process_new, process_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_account),
        TEST(test_names_are_exact),
        TEST(test_set),
        TEST(test_validation),
        TEST(test_uids),
        TEST(test_keys),
        TEST(test_keys_refused),
        TEST(test_many),
        TEST(test_older_schema),
        TEST(test_start_refused),
        TEST(test_damaged_database),
        TEST(test_one_store_only),
        TEST(test_sandbox),
        TEST(test_strange_messages),
        TEST(test_kill),
        TEST(test_full_disk),
    };

    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
