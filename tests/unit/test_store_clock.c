/* Codes, links and the outbox where time decides, with a clock that the test sets: the store's
 * files linked in, on a real database (--wrap=time in the Makefile). The same in the real process:
 * test_store_own.c, test_store_outbox.c. */
#include <liboath/oath.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "monitor/store/codes.h"
#include "monitor/store/links.h"
#include "monitor/store/outbox.h"
#include "monitor/store/own.h"

#define START  1800000000 /* the start of a step */
#define STEP   30
#define SECRET "12345678901234567890" /* RFC 6238, appendix B */

static time_t now;
static struct accounts accounts;
static struct outcome done;
static struct refusal why;
static char dir[64];

time_t __wrap_time(time_t *result);
time_t __wrap_time(time_t *result)
{
    if (result != NULL)
        *result = now;
    return now;
}

static int open_store(void **state)
{
    struct store_setup setup = {
        .link_seconds = 86400, .links_an_hour = 3, .gather_seconds = 60, .mail = 1};

    (void)state;
    now = START;
    snprintf(dir, sizeof(dir), "/tmp/sallyport-clock-XXXXXX");
    assert_non_null(mkdtemp(dir));
    setup.state_dir = slice_text(dir);
    if (accounts_open(&accounts, &setup, &why) < 0)
        fail_msg("%s", why.text);
    return 0;
}

static int close_store(void **state)
{
    static const char *const names[] = {"accounts.db", "accounts.db-wal", "accounts.db-shm"};
    char path[128];

    (void)state;
    accounts_close(&accounts);
    (void)sqlite3_shutdown(); /* it is set up anew by the next accounts_open */
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        (void)unlink(path);
    }
    return rmdir(dir);
}

static void sql(const char *text)
{
    char *error = NULL;

    if (sqlite3_exec(accounts.database.db, text, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s", error);
    accounts.own.due = 0;
}

static int64_t number_of(const char *query)
{
    sqlite3_stmt *row;

    assert_int_equal(sqlite3_prepare_v2(accounts.database.db, query, -1, &row, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    const int64_t number = sqlite3_column_int64(row, 0);
    sqlite3_finalize(row);
    return number;
}

/* A change, on the disk: 0, or the errno of its refusal (what is kept of it, too). */
static int change(accounts_change what, const void *message)
{
    if (accounts_do(&accounts, what, message, &done, &why) < 0)
        return why.error;
    assert_int_equal(accounts_commit(&accounts, &why), 0);
    return done.error;
}

static void add(const char *name, const char *email)
{
    const struct user_add m = {.name = slice_text(name),
                               .email = slice_text(email),
                               .home = slice_text("/"),
                               .password = slice_text("$a$b")};

    assert_int_equal(change(accounts_user_add, &m), 0);
}

/* ------------------------------------------------------------------------------- codes */

static void code_at(int64_t when, char code[7])
{
    assert_int_equal(oath_totp_generate(SECRET, 20, (time_t)when, STEP, 0, 6, code), OATH_OK);
}

static int check(const char *code)
{
    const struct totp_check m = {.name = slice_text("anna"), .code = slice_text(code)};

    return change(codes_check, &m);
}

/* The code of the step at `when`, shown now. */
static int check_at(int64_t when)
{
    char code[7];

    code_at(when, code);
    return check(code);
}

static void enrolled(void)
{
    add("anna", "anna@example.org");
    sql("INSERT INTO codes VALUES (1, CAST('" SECRET "' AS BLOB), X'', 0, 0, 0, 0)");
}

static void forget_codes(void)
{
    sql("UPDATE codes SET step = 0, wrong = 0, wrong_at = 0");
}

/* RFC 6238, appendix B: the last six digits of SHA-1's. */
static void test_vectors(void **state)
{
    static const struct {
        time_t when;
        const char *code;
    } vectors[] = {
        {59, "287082"},         {1111111109, "081804"}, {1111111111, "050471"},
        {1234567890, "005924"}, {2000000000, "279037"}, {20000000000, "353130"},
    };

    (void)state;
    enrolled();
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        forget_codes();
        now = vectors[i].when;
        assert_int_equal(check(vectors[i].code), 0);
        assert_int_equal(check(vectors[i].code), EACCES);
    }
}

/* One step before and behind, at the first and last second of one. */
static void test_window(void **state)
{
    (void)state;
    enrolled();
    for (int64_t second = 0; second < STEP; second += STEP - 1) {
        now = START + second;
        for (int steps = -3; steps <= 3; steps++) {
            forget_codes();
            assert_int_equal(check_at(START + steps * STEP), abs(steps) <= 1 ? 0 : EACCES);
            forget_codes(); /* any second of a step is the same */
            assert_int_equal(check_at(START + steps * STEP + STEP - 1),
                             abs(steps) <= 1 ? 0 : EACCES);
        }
    }
    forget_codes();
    now = START - 1;
    assert_int_equal(check_at(START + STEP - 1), 0);
    forget_codes();
    assert_int_equal(check_at(START + STEP), EACCES);
    now = START + 2 * STEP - 1;
    forget_codes();
    assert_int_equal(check_at(START), 0);
    now = START + 2 * STEP;
    forget_codes();
    assert_int_equal(check_at(START), EACCES);
}

/* A step once, and none before it any more (RFC 6238, 5.2). */
static void test_replay(void **state)
{
    (void)state;
    enrolled();
    assert_int_equal(check_at(START), 0);
    assert_int_equal(check_at(START), EACCES);
    assert_non_null(strstr(done.text, "used already"));
    assert_int_equal(check_at(START - STEP), EACCES);
    assert_int_equal(check_at(START + STEP), 0);
    assert_int_equal(check_at(START), EACCES);
    now += STEP;
    assert_int_equal(check_at(START + STEP), EACCES);
    assert_int_equal(check_at(START + 2 * STEP), 0);
    now = START - 10 * STEP; /* a clock that was set back opens nothing again */
    assert_int_equal(check_at(START), EACCES);
    assert_int_equal(check_at(now), EACCES);
    now = START + 3 * STEP;
    assert_int_equal(check_at(now), 0);
}

static void test_wrong(void **state)
{
    (void)state;
    enrolled();
    for (int i = 0; i < 4; i++)
        assert_int_equal(check("000000"), EACCES);
    assert_int_equal(check_at(now), 0); /* a right one: they are forgotten */
    for (int i = 0; i < 5; i++)
        assert_int_equal(check("000000"), EACCES);
    const int64_t last = now;
    now = last + 59;
    assert_int_equal(check_at(now), EAGAIN);
    assert_int_equal(check("AAAA-AAAA-AAAA-AAAA"), EAGAIN);
    const struct totp_remove removal = {.name = slice_text("anna"), .code = slice_text("000000")};
    assert_int_equal(change(codes_remove, &removal), EAGAIN);
    now = last + 60;
    assert_int_equal(check("AAAA-AAAA-AAAA-AAAA"), EACCES);
    for (int i = 0; i < 4; i++)
        assert_int_equal(check("000000"), EACCES);
    assert_int_equal(check_at(now), EAGAIN);
    now = last - 1000; /* set back: nobody is shut out for as long */
    sql("UPDATE codes SET step = 0");
    assert_int_equal(check_at(now), 0);
}

/* What was begun waits for an hour; what is in force stays so meanwhile. */
static void test_begun(void **state)
{
    const struct totp_begin begin = {.name = slice_text("anna")};
    struct totp_confirm confirm = {.name = slice_text("anna")};
    char code[7];

    (void)state;
    enrolled();
    assert_int_equal(change(codes_begin, &begin), 0);
    assert_true(done.answer == MSG_totp_secret && done.secret.len == 32);
    assert_int_equal(check_at(now), 0);
    sql("UPDATE codes SET fresh = CAST('" SECRET "' AS BLOB)");
    now += 3600;
    code_at(now, code);
    confirm.code = slice_text(code);
    assert_int_equal(change(codes_confirm, &confirm), ENOENT);
    now -= 1;
    assert_int_equal(change(codes_confirm, &confirm), 0);
    assert_int_equal(done.answer, MSG_recovery_codes);
    assert_int_equal(change(codes_confirm, &confirm), ENOENT);
    assert_int_equal(check(code), EACCES); /* that step is used */
    assert_int_equal(number_of("SELECT count(*) FROM recovery_codes"), 10);
    secret_clear(&done.secret);
}

/* ------------------------------------------------------------------------------- links */

static void lost(const char *name, const char *from)
{
    const struct link_lost m = {.name = slice_text(name), .address = slice_text(from)};

    assert_int_equal(change(links_lost, &m), 0);
    assert_string_equal(done.text, "");
}

static int64_t links_of(const char *name)
{
    char query[256];

    snprintf(query, sizeof(query),
             "SELECT count(*) FROM links WHERE account ="
             " (SELECT number FROM accounts WHERE name = '%s')",
             name);
    return number_of(query);
}

static void test_links_an_hour(void **state)
{
    char from[32], name[32];

    (void)state;
    add("anna", "anna@example.org");
    for (int i = 0; i < 6; i++) {
        snprintf(from, sizeof(from), "192.0.2.%d", i);
        lost("anna", from);
        now += 60;
    }
    assert_int_equal(links_of("anna"), 3);
    now = START + 3599;
    lost("anna", "192.0.2.99");
    assert_int_equal(links_of("anna"), 3);
    now = START + 3600;
    lost("anna", "192.0.2.99");
    assert_int_equal(links_of("anna"), 4);

    /* One client, many names: IPv4 by the address, IPv6 by its /64. */
    for (int i = 0; i < 6; i++) {
        snprintf(name, sizeof(name), "user-%d", i);
        snprintf(from, sizeof(from), "2001:db8::%d", i);
        add(name, "user@example.org");
        lost(name, from);
        assert_int_equal(links_of(name), i < 3);
    }
    lost("user-3", "2001:db8:0:1::");
    assert_int_equal(links_of("user-3"), 1);
    lost("user-4", "192.0.2.100");
    assert_int_equal(links_of("user-4"), 1);
    now += 3600;
    lost("user-5", "2001:db8::5");
    assert_int_equal(links_of("user-5"), 1);
}

/* More clients than are counted: the one that has been counted for longest makes room, and nothing
 * else is forgotten. */
static void test_many_clients(void **state)
{
    char from[32];

    (void)state;
    add("anna", "anna@example.org");
    for (int i = 0; i < 3; i++)
        lost("nobody", "198.51.100.1");
    now++;
    for (int i = 0; i < LOST_CLIENTS - 1; i++) {
        snprintf(from, sizeof(from), "10.0.%d.%d", i / 256, i % 256);
        lost("nobody", from);
    }
    lost("anna", "198.51.100.1");
    assert_int_equal(links_of("anna"), 0);
    lost("nobody", "10.1.0.0");
    lost("anna", "198.51.100.1");
    assert_int_equal(links_of("anna"), 1);
    assert_int_equal(number_of("SELECT count(*) FROM links WHERE account IS NULL"), 0);
    lost("nobody", "10.1.0.1");
    assert_int_equal(number_of("SELECT count(*) FROM links WHERE account IS NULL"), 1);
    assert_int_equal(number_of("SELECT count(*) FROM outbox WHERE account IS NULL"), 1);
}

/* The answer for nobody writes what the one for somebody does. */
static void test_same_path(void **state)
{
    const struct link_lost asked[] = {{.name = slice_text("anna")}, {.name = slice_text("nobody")}};
    int64_t rows[2];

    (void)state;
    add("anna", "anna@example.org");
    for (int i = 0; i < 2; i++) {
        sql("DELETE FROM links");
        assert_int_equal(change(links_lost, &asked[i]), 0);
        rows[i] = number_of("SELECT (SELECT count(*) FROM links) * 10 +"
                            " (SELECT count(*) FROM outbox)");
    }
    assert_int_equal(rows[0], rows[1]);
    assert_int_equal(rows[0], 11);
}

static void test_link_ends(void **state)
{
    const struct link_invite m = {.name = slice_text("anna")};
    struct link link;
    uint8_t hash[32] = {0};
    sqlite3_stmt *row;

    (void)state;
    add("anna", "anna@example.org");
    sql("UPDATE accounts SET password = ''");
    assert_int_equal(change(links_invite, &m), 0);
    assert_int_equal(
        sqlite3_prepare_v2(accounts.database.db, "SELECT token FROM links", -1, &row, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    assert_int_equal(sqlite3_column_bytes(row, 0), 32);
    memcpy(hash, sqlite3_column_blob(row, 0), 32);
    sqlite3_finalize(row);
    now = START + 86399;
    assert_int_equal(links_find(&accounts, slice_of(hash, 32), &link, &why), 0);
    assert_int_equal(link.expires, START + 86400);
    now++;
    assert_int_equal(links_find(&accounts, slice_of(hash, 32), &link, &why), -1);
    assert_int_equal(why.error, ETIMEDOUT);
    now += 31 * 86400; /* nothing is remembered for ever */
    assert_int_equal(change(links_invite, &m), 0);
    assert_int_equal(links_find(&accounts, slice_of(hash, 32), &link, &why), -1);
    assert_int_equal(why.error, ENOENT);
}

/* ------------------------------------------------------------------------------- outbox */

static void add_key(uint8_t number)
{
    const uint8_t key[] = {0, 0, 0, 3, 'k', 'e', 'y', number};
    const struct key_add m = {.name = slice_text("anna"), .key = slice_of(key, sizeof(key))};

    assert_int_equal(change(accounts_key_add, &m), 0);
}

/* The number of the notice that is due, or 0. */
static uint64_t due(void)
{
    struct notice notice = {0};
    const int found = outbox_next(&accounts, &notice, &why);

    assert_true(found >= 0);
    accounts_done(&accounts);
    return notice.number;
}

static void heard(uint64_t number, enum notice_outcome outcome)
{
    const struct notice_wanted m = {
        .number = number, .outcome = (uint8_t)outcome, .text = slice_text("the relay is away")};

    assert_int_equal(change(outbox_heard, &m), 0);
}

static void test_gather(void **state)
{
    (void)state;
    add("anna", "anna@example.org");
    add_key(1);
    now += 59;
    add_key(2); /* does not put the first off */
    assert_int_equal(due(), 0);
    now++;
    assert_true(due() > 0);
    assert_int_equal(number_of("SELECT count(*) FROM outbox"), 1);
    assert_int_equal(number_of("SELECT json_array_length(facts, '$.changes') FROM outbox"), 2);
    accounts.own.given = (int64_t)due(); /* in sallyport-notify's hands */
    add_key(3);
    assert_int_equal(number_of("SELECT count(*) FROM outbox"), 2);
    add_key(4);
    assert_int_equal(number_of("SELECT count(*) FROM outbox"), 2);
    assert_int_equal(
        number_of("SELECT json_array_length(facts, '$.changes') FROM outbox ORDER BY number DESC"),
        2);
}

/* Tried again, later each time, for three days. */
static void test_later(void **state)
{
    int64_t before = 0, tries = 0;
    uint64_t number;

    (void)state;
    add("anna", "anna@example.org");
    add_key(1);
    now += 60;
    const int64_t first = now;
    while ((number = due()) != 0) {
        done.event = NULL;
        heard(number, NOTICE_LATER);
        tries++;
        if (done.event != NULL)
            break;
        assert_int_equal(due(), 0);
        const int64_t wait = outbox_due(&accounts, &why) - now;
        assert_true(wait >= 60 && wait <= 4 * 3600 && wait >= before);
        before = wait;
        now += wait;
    }
    assert_true(now - first > 2 * 86400 && now - first < 3 * 86400);
    assert_true(tries > 10 && tries < 40);
    assert_string_equal(done.event, "mail");
    assert_non_null(strstr(done.line, "to anna@example.org was not delivered and is given up: the "
                                      "relay is away"));
    assert_string_equal(done.account, "anna");
    assert_int_equal(number_of("SELECT count(*) FROM outbox"), 0);
    assert_int_equal(outbox_due(&accounts, &why), INT64_MAX);
}

/* No longer than its link is good; and what nobody came for is forgotten. */
static void test_link_notice(void **state)
{
    const struct link_invite m = {.name = slice_text("anna")};
    uint64_t number;

    (void)state;
    add("anna", "anna@example.org");
    sql("UPDATE accounts SET password = ''");
    assert_int_equal(change(links_invite, &m), 0);
    while ((number = due()) != 0) {
        heard(number, NOTICE_LATER);
        if (done.event != NULL)
            break;
        now = outbox_due(&accounts, &why);
        assert_true(now < START + 86400);
    }
    assert_non_null(done.event);
    assert_true(now > START + 72000);
    assert_int_equal(change(links_invite, &m), 0);
    now += 86399;
    assert_int_equal(change(outbox_forget, NULL), 0);
    assert_int_equal(done.number, 0);
    assert_true(due() != 0);
    now++;
    assert_int_equal(change(outbox_forget, NULL), 0);
    assert_true(done.number != 0 && done.event != NULL);
    assert_int_equal(change(outbox_forget, NULL), 0);
    assert_int_equal(done.number, 0);
    assert_int_equal(due(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_store, close_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_vectors),   TEST(test_window),       TEST(test_replay),
        TEST(test_wrong),     TEST(test_begun),        TEST(test_links_an_hour),
        TEST(test_same_path), TEST(test_many_clients), TEST(test_link_ends),
        TEST(test_gather),    TEST(test_later),        TEST(test_link_notice),
    };

    return cmocka_run_group_tests_name("store_clock", tests, NULL, NULL);
}
