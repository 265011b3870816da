/* Web sessions in the store: whose a token is, what ends it, how many there are, and a database of
 * before they were. Against the real binary (from SALLYPORT_BUILD, else build/release). */
#include "tests/unit/store_process.h"

#include <errno.h>
#include <string.h>

#include "common/facts.h"

#define KEPT 100                /* of one account */
#define HASH "$y$j9T$salt$hash" /* of new_account's password */

/* One of many: the hash of a token. */
static struct slice token(unsigned number, uint8_t bytes[WEB_TOKEN])
{
    memset(bytes, 0x5a, WEB_TOKEN);
    memcpy(bytes, &number, sizeof(number));
    return slice_of(bytes, WEB_TOKEN);
}

static struct store_web_add web_add(const char *name, struct slice hash)
{
    return (struct store_web_add){.name = slice_text(name),
                                  .password = slice_text(HASH),
                                  .token = hash,
                                  .address = slice_text("192.0.2.1"),
                                  .idle_seconds = 1000,
                                  .most_seconds = 10000};
}

static void sign_in(struct process *p, const char *name, unsigned number)
{
    uint8_t bytes[WEB_TOKEN];
    const struct store_web_add add = web_add(name, token(number, bytes));

    process_done(p, MSG_store_web_add, &add);
}

/* The account that a token is of; false: of none. */
static bool finds(struct process *p, struct slice hash, struct account *a)
{
    const struct store_find find = {.token = hash};

    if (process_ask(p, MSG_store_find, &find) == MSG_nothing_more)
        return false;
    assert_int_equal(p->envelope.type, MSG_account);
    assert_int_equal(decode_account(&p->envelope, a), 0);
    return true;
}

static bool is_of(struct process *p, unsigned number, const char *name)
{
    uint8_t bytes[WEB_TOKEN];
    struct account a;

    return finds(p, token(number, bytes), &a) && slice_is(a.name, name);
}

static bool is_gone(struct process *p, unsigned number)
{
    uint8_t bytes[WEB_TOKEN];
    struct account a;

    return !finds(p, token(number, bytes), &a);
}

/* SQL while the store is down. */
static void while_down(struct process *p, const char *text)
{
    process_stop(p);
    fill_database(p, text);
    must_start(p);
}

/* ------------------------------------------------------------------------------- whose it is */

static void test_token(void **state)
{
    struct process *p = *state;
    struct store_web_remove remove;
    struct account a;
    uint8_t bytes[WEB_TOKEN];

    must_start(p);
    add_account(p, "anna");
    add_account(p, "bert");
    sign_in(p, "anna", 1);
    sign_in(p, "anna", 2);
    sign_in(p, "bert", 3);
    assert_true(is_of(p, 1, "anna") && is_of(p, 2, "anna") && is_of(p, 3, "bert"));
    process_stop(p);
    must_start(p); /* they outlive it */
    assert_true(is_of(p, 1, "anna") && is_of(p, 3, "bert"));

    token(1, bytes);
    for (size_t i = 0; i < WEB_TOKEN; i++) { /* every byte counts, and how many there are */
        bytes[i] ^= 1;
        assert_false(finds(p, slice_of(bytes, WEB_TOKEN), &a));
        bytes[i] ^= 1;
        if (i > 0)
            assert_false(finds(p, slice_of(bytes, i), &a));
    }
    assert_true(finds(p, slice_of(bytes, WEB_TOKEN), &a));
    assert_true(slice_is(a.password, HASH) && a.key_known == 0);

    remove.token = slice_of(bytes, WEB_TOKEN - 1);
    process_done(p, MSG_store_web_remove, &remove); /* of none: nothing ends */
    assert_true(is_of(p, 1, "anna"));
    remove.token = slice_of(bytes, WEB_TOKEN);
    process_done(p, MSG_store_web_remove, &remove);
    process_done(p, MSG_store_web_remove, &remove);
    assert_true(is_gone(p, 1) && is_of(p, 2, "anna") && is_of(p, 3, "bert"));
    process_stop(p);
}

static void test_refused(void **state)
{
    struct process *p = *state;
    uint8_t bytes[WEB_TOKEN];
    struct store_web_add add = web_add("nobody", token(1, bytes));

    must_start(p);
    add_account(p, "anna");
    process_refused(p, MSG_store_web_add, &add, ENOENT);
    add.name = slice_text("");
    process_refused(p, MSG_store_web_add, &add, ENOENT);
    add.name = slice_text("anna");
    for (size_t len = 0; len < WEB_TOKEN; len += WEB_TOKEN - 1) {
        add.token.len = len;
        process_refused(p, MSG_store_web_add, &add, EINVAL);
    }
    add.token.len = WEB_TOKEN;
    /* By a password that is not the account's any more. */
    add.password = slice_text("$y$j9T$salt$hasH");
    process_refused(p, MSG_store_web_add, &add, ESTALE);
    add.password = slice_text("");
    process_refused(p, MSG_store_web_add, &add, ESTALE);
    assert_true(is_gone(p, 1));
    sign_in(p, "anna", 1);
    process_stop(p);
}

/* ------------------------------------------------------------------------------- its end */

static void test_times(void **state)
{
    struct process *p = *state;
    uint8_t bytes[WEB_TOKEN];
    const struct store_login seen = {.name = slice_text("anna"), .token = token(1, bytes)};

    must_start(p);
    add_account(p, "anna");
    sign_in(p, "anna", 1);
    while_down(p, "UPDATE web_sessions SET seen = seen - 990");
    assert_true(is_of(p, 1, "anna"));
    process_done(p, MSG_store_login, &seen); /* it is used: the time to be idle begins anew */
    while_down(p, "UPDATE web_sessions SET seen = seen - 500");
    assert_true(is_of(p, 1, "anna"));
    process_done(p, MSG_store_login, &seen);
    while_down(p, "UPDATE web_sessions SET seen = seen - 1000");
    assert_true(is_gone(p, 1));
    process_done(p, MSG_store_login, &seen); /* what has ended does not live again */
    assert_true(is_gone(p, 1));

    sign_in(p, "anna", 2);
    while_down(p, "UPDATE web_sessions SET ends = ends - 9990");
    assert_true(is_of(p, 2, "anna"));
    while_down(p, "UPDATE web_sessions SET ends = ends - 10");
    assert_true(is_gone(p, 2)); /* however much it is used */
    process_stop(p);
}

static void test_changes(void **state)
{
    struct process *p = *state;
    struct user_set set = {.valid = ACCOUNT_SET_EMAIL | ACCOUNT_SET_RIGHTS | ACCOUNT_SET_FLAGS,
                           .name = slice_text("anna"),
                           .password = slice_text(HASH)};
    const struct user_delete gone = {.name = slice_text("anna")};

    must_start(p);
    add_account(p, "anna");
    add_account(p, "bert");
    sign_in(p, "anna", 1);
    sign_in(p, "anna", 2);
    sign_in(p, "bert", 3);
    process_done(p, MSG_user_set, &set);
    assert_true(is_of(p, 1, "anna") && is_of(p, 2, "anna"));
    set.valid = ACCOUNT_SET_PASSWORD; /* also to what it was */
    process_done(p, MSG_user_set, &set);
    assert_true(is_gone(p, 1) && is_gone(p, 2) && is_of(p, 3, "bert"));
    sign_in(p, "anna", 1);
    set.valid = ACCOUNT_SET_STATUS;
    set.status = ACCOUNT_DISABLED;
    process_done(p, MSG_user_set, &set);
    set.status = ACCOUNT_ENABLED;
    process_done(p, MSG_user_set, &set);
    assert_true(is_gone(p, 1) && is_of(p, 3, "bert"));
    sign_in(p, "anna", 1);
    process_done(p, MSG_user_delete, &gone);
    assert_true(is_gone(p, 1));
    add_account(p, "anna"); /* another, of the same name */
    assert_true(is_gone(p, 1) && is_of(p, 3, "bert"));
    process_stop(p);
}

/* So many of one account; the longest unused makes room. */
static void test_newest(void **state)
{
    struct process *p = *state;
    unsigned kept = 0;

    must_start(p);
    add_account(p, "anna");
    add_account(p, "bert");
    sign_in(p, "bert", 1000);
    sign_in(p, "anna", 1);
    sign_in(p, "anna", 2);
    while_down(p, "UPDATE web_sessions SET seen = seen - 5 WHERE token < X'02'");
    for (unsigned i = 3; i <= KEPT; i++)
        sign_in(p, "anna", i);
    assert_true(is_of(p, 1, "anna"));
    sign_in(p, "anna", KEPT + 1);
    assert_true(is_gone(p, 1) && is_of(p, 2, "anna"));
    for (unsigned i = KEPT + 2; i < 2 * KEPT; i++)
        sign_in(p, "anna", i);
    for (unsigned i = 1; i < 2 * KEPT; i++)
        kept += is_of(p, i, "anna");
    assert_int_equal(kept, KEPT);
    assert_true(is_of(p, 2 * KEPT - 1, "anna"));
    assert_true(is_of(p, 1000, "bert")); /* another's are not touched */
    process_stop(p);
}

/* ------------------------------------------------------------------------------- before */

/* The schema of version 2, as it was. */
static const char version_2[] =
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
    "CREATE TABLE uids (uid INTEGER PRIMARY KEY) STRICT;"
    "INSERT INTO uids VALUES (50000), (50001);"
    "INSERT INTO accounts VALUES (1, 'old', 'o@example.org', X'2f68', 50000, 50000, 0, 0, '" HASH
    "', 1, 0, 0, 0, 100, 200);"
    "INSERT INTO keys VALUES (7, 1, zeroblob(32), X'00', 'a key', 300, 400);"
    "PRAGMA application_id = 1396788816; PRAGMA user_version = 2";

static void test_schema_2(void **state)
{
    struct process *p = *state;
    const struct key_next next = {.name = slice_text("old")};
    struct account a;
    struct key key;

    fill_database(p, version_2);
    must_start(p);
    assert_true(p->schema > 2);
    assert_true(find_account(p, "old", slice_of(NULL, 0), &a));
    assert_true(slice_is(a.home, "/h") && slice_is(a.password, HASH) && a.uid == FIRST_UID);
    assert_true(slice_is(a.email, "o@example.org") && a.created == 100 && a.last_login == 200);
    assert_int_equal(process_ask(p, MSG_key_next, &next), MSG_key);
    assert_int_equal(decode_key(&p->envelope, &key), 0);
    assert_true(key.number == 7 && slice_is(key.comment, "a key") && key.last_used == 400);
    add_account(p, "next");
    assert_int_equal(uid_of(p, "next"), FIRST_UID + 2); /* 50001 was another's once */
    sign_in(p, "old", 1);
    assert_true(is_of(p, 1, "old"));
    const struct folder_add set = {
        .name = slice_text("team"), .path = slice_text("/srv"), .gid = ID_AUTOMATIC};
    process_done(p, MSG_folder_add, &set); /* as version 4 has them */
    process_stop(p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, process_new, process_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_token),   TEST(test_refused), TEST(test_times),
        TEST(test_changes), TEST(test_newest),  TEST(test_schema_2),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
