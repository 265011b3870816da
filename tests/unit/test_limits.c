/* Who may connect and log in: counted exactly, per address and in all; penalties that grow, end and
 * never reach who is exempt; and a table that a hundred thousand addresses neither fill for others
 * nor make larger. The clock is the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "monitor/monitor.h"

static struct monitor m;
static int64_t clock_ms;

/* The monitor's clock (loop.c), which the test moves by hand. */
int64_t now_ms(void)
{
    return clock_ms;
}

static void seconds_pass(int64_t seconds)
{
    clock_ms += seconds * 1000;
}

static int start(void **state)
{
    (void)state;
    memset(&m.config, 0, sizeof(m.config));
    m.config.limits_connections = 100000;
    m.config.limits_connections_per_address = 100000;
    m.config.limits_penalty_failure = 5;
    m.config.limits_penalty_grace = 10;
    m.config.limits_penalty_crash = 90;
    m.config.limits_penalty_least = 15;
    m.config.limits_penalty_most = 600;
    m.config.limits_penalty_exempt = "";
    m.sessions = NULL;
    m.limits = limits_new();
    clock_ms = 1000000;
    log_open("test_limits", LOG_TO_NOWHERE, LOG_LEVEL_ERROR);
    return m.limits != NULL ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    limits_free(m.limits);
    return 0;
}

static struct address address(const char *text)
{
    struct address a = {.bytes = {[10] = 0xff, [11] = 0xff}};

    if (inet_pton(AF_INET, text, a.bytes + 12) != 1)
        assert_int_equal(inet_pton(AF_INET6, text, a.bytes), 1);
    assert_int_equal(slice_copy(slice_text(text), a.text, sizeof(a.text)), 0);
    return a;
}

/* One of many, all different: IPv4 and networks of IPv6 by turns. */
static struct address numbered(uint32_t n)
{
    struct address a = {.bytes = {[10] = 0xff, [11] = 0xff, [12] = 10}, .text = "one of many"};

    if (n % 2 == 0) {
        memcpy(a.bytes + 13, &n, 3);
    } else {
        memset(a.bytes, 0, sizeof(a.bytes));
        a.bytes[0] = 0x20;
        memcpy(a.bytes + 3, &n, 4);
    }
    return a;
}

static const char *connects(const char *text)
{
    struct address a = address(text);

    return limits_connect(&m, &a);
}

static void disconnects(const char *text)
{
    const struct address a = address(text);

    limits_disconnect(&m, &a);
}

/* As one that had connected: whether it is exempt is seen then. */
static void penalise(const char *text, enum penalty penalty)
{
    struct address a = address(text);
    const bool in = limits_connect(&m, &a) == NULL;

    limits_penalise(&m, &a, penalty);
    if (in)
        limits_disconnect(&m, &a);
}

/* It may connect; the connection ends at once. */
static void let_in(const char *text)
{
    const char *why = connects(text);

    if (why != NULL)
        fail_msg("%s is not let in: %s", text, why);
    disconnects(text);
}

static void shut_out(const char *text, const char *why)
{
    const char *told = connects(text);

    if (told == NULL)
        fail_msg("%s is let in", text);
    assert_string_equal(told, why);
}

#define PENALTY   "the address has a penalty"
#define PER_HOST  "too many connections from the address"
#define TOO_MANY  "too many connections"
#define ADDRESSES "too many addresses"

/* ---- connections --------------------------------------------------------------------------- */

static void test_in_all(void **state)
{
    (void)state;
    m.config.limits_connections = 3;
    assert_null(connects("192.0.2.1"));
    assert_null(connects("192.0.2.2"));
    assert_null(connects("2001:db8::1"));
    shut_out("192.0.2.3", TOO_MANY);
    shut_out("192.0.2.1", TOO_MANY);
    disconnects("192.0.2.9"); /* who has none frees none */
    shut_out("192.0.2.3", TOO_MANY);
    disconnects("192.0.2.2");
    disconnects("192.0.2.2");
    assert_null(connects("192.0.2.3"));
    shut_out("192.0.2.4", TOO_MANY);
    m.config.limits_connections = 4; /* a reload */
    assert_null(connects("192.0.2.4"));
}

static void test_per_address(void **state)
{
    (void)state;
    m.config.limits_connections_per_address = 2;
    assert_null(connects("192.0.2.1"));
    assert_null(connects("192.0.2.1"));
    shut_out("192.0.2.1", PER_HOST);
    let_in("192.0.2.2");
    disconnects("192.0.2.1");
    assert_null(connects("192.0.2.1"));
    shut_out("192.0.2.1", PER_HOST);
    /* One refused counts nowhere. */
    disconnects("192.0.2.1");
    disconnects("192.0.2.1");
    assert_null(connects("192.0.2.1"));
    assert_null(connects("192.0.2.1"));
}

static void test_ipv6_networks(void **state)
{
    (void)state;
    m.config.limits_connections_per_address = 2;
    assert_null(connects("2001:db8:1:2::1"));
    assert_null(connects("2001:db8:1:2:ffff::2"));
    shut_out("2001:db8:1:2:3:4:5:6", PER_HOST);
    let_in("2001:db8:1:3::1");
    disconnects("2001:db8:1:2:9::9"); /* any of the same /64 */
    assert_null(connects("2001:db8:1:2::7"));
    shut_out("2001:db8:1:2::7", PER_HOST);
    penalise("2001:db8:1:2::1", PENALTY_CRASH);
    shut_out("2001:db8:1:2::ffff", PENALTY);
    let_in("2001:db8:1:3::1");
    /* IPv4 addresses are no network of one. */
    penalise("192.0.2.1", PENALTY_CRASH);
    shut_out("192.0.2.1", PENALTY);
    let_in("192.0.2.2");
}

/* Thousands of steps by chance against a plain count. */
static void test_counts_are_exact(void **state)
{
    enum { HOSTS = 40, MOST = 7, IN_ALL = 150 };
    unsigned open_[HOSTS] = {0}, all = 0, refusals = 0;
    uint32_t chance = 88172645;

    (void)state;
    m.config.limits_connections = IN_ALL;
    m.config.limits_connections_per_address = MOST;
    for (int i = 0; i < 50000; i++) {
        chance ^= chance << 13;
        chance ^= chance >> 17;
        chance ^= chance << 5;
        const uint32_t host = chance % HOSTS;
        struct address a = numbered(host);
        if ((chance >> 8) % 100 < 45) {
            limits_disconnect(&m, &a);
            all -= open_[host] > 0;
            open_[host] -= open_[host] > 0;
            continue;
        }
        const char *expected = all >= IN_ALL ? TOO_MANY : open_[host] >= MOST ? PER_HOST : NULL;
        const char *why = limits_connect(&m, &a);
        if ((why == NULL) != (expected == NULL))
            fail_msg("step %d: %s", i, why != NULL ? why : "let in");
        if (expected != NULL) {
            assert_string_equal(why, expected);
            refusals++;
            continue;
        }
        open_[host]++;
        all++;
    }
    assert_true(refusals > 1000);
}

/* ---- penalties ----------------------------------------------------------------------------- */

static void test_penalties_grow_and_end(void **state)
{
    static const char host[] = "192.0.2.1";

    (void)state;
    /* 5, 10, 15 seconds are kept and not yet enforced. */
    for (int i = 0; i < 3; i++) {
        penalise(host, PENALTY_FAILURE);
        let_in(host);
    }
    penalise(host, PENALTY_FAILURE); /* 20 */
    shut_out(host, PENALTY);
    let_in("192.0.2.2");
    seconds_pass(4);
    shut_out(host, PENALTY);
    seconds_pass(1); /* 15 are left */
    let_in(host);
    penalise(host, PENALTY_FAILURE); /* 20 again: it grows from what is left */
    shut_out(host, PENALTY);
    seconds_pass(1000);
    let_in(host);
    penalise(host, PENALTY_FAILURE); /* 5: what is past is past */
    let_in(host);
    penalise(host, PENALTY_GRACE); /* 15 */
    let_in(host);
    penalise(host, PENALTY_GRACE); /* 25 */
    shut_out(host, PENALTY);
    seconds_pass(10);
    let_in(host);
}

static void test_the_longest_penalty(void **state)
{
    static const char host[] = "192.0.2.1";

    (void)state;
    penalise(host, PENALTY_CRASH); /* 90 */
    shut_out(host, PENALTY);
    seconds_pass(74);
    shut_out(host, PENALTY);
    seconds_pass(1);
    let_in(host);
    for (int i = 0; i < 1000; i++)
        penalise(host, PENALTY_CRASH);
    seconds_pass(600 - 16);
    shut_out(host, PENALTY);
    seconds_pass(1);
    let_in(host);
    /* A penalty of nothing is none, and so is one where the most is nothing. */
    m.config.limits_penalty_crash = 0;
    for (int i = 0; i < 1000; i++)
        penalise("192.0.2.2", PENALTY_CRASH);
    let_in("192.0.2.2");
    m.config.limits_penalty_most = 0;
    for (int i = 0; i < 1000; i++)
        penalise("192.0.2.3", PENALTY_GRACE);
    let_in("192.0.2.3");
}

static void test_open_connections_stay(void **state)
{
    (void)state;
    m.config.limits_connections_per_address = 2;
    assert_null(connects("192.0.2.1"));
    penalise("192.0.2.1", PENALTY_CRASH);
    shut_out("192.0.2.1", PENALTY);
    seconds_pass(100);
    assert_null(connects("192.0.2.1"));
    shut_out("192.0.2.1", PER_HOST);
}

static void test_exempt_networks(void **state)
{
    static char networks[] = "192.0.2.0/24, 2001:db8::/32\t::1 10.1.2.3 198.51.100.128/25 fd00::/9";
    static const struct {
        const char *text;
        bool exempt;
    } rows[] = {
        {"192.0.2.0", true},        {"192.0.2.255", true},     {"192.0.3.0", false},
        {"192.0.1.255", false},     {"10.1.2.3", true},        {"10.1.2.2", false},
        {"198.51.100.128", true},   {"198.51.100.127", false}, {"::1", true},
        {"2001:db8:ffff::1", true}, {"2001:db9::1", false},    {"fd7f::1", true},
        {"fd80::1", false},         {"1.2.3.4", false},
    };

    (void)state;
    m.config.limits_penalty_exempt = networks;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        penalise(rows[i].text, PENALTY_CRASH);
        if (rows[i].exempt)
            let_in(rows[i].text);
        else
            shut_out(rows[i].text, PENALTY);
    }
    m.config.limits_penalty_exempt = "0.0.0.0/0"; /* all of IPv4, nothing else */
    penalise("203.0.113.1", PENALTY_CRASH);
    let_in("203.0.113.1");
    penalise("2001:dead::1", PENALTY_CRASH);
    shut_out("2001:dead::1", PENALTY);
}

/* Who is made exempt by a reload, or has a neighbour who is not, is let in. */
static void test_exempt_is_looked_at_when_connecting(void **state)
{
    (void)state;
    penalise("192.0.2.1", PENALTY_CRASH);
    shut_out("192.0.2.1", PENALTY);
    m.config.limits_penalty_exempt = "192.0.2.1 2001:db8::5";
    let_in("192.0.2.1");
    penalise("2001:db8::6", PENALTY_CRASH);
    shut_out("2001:db8::6", PENALTY);
    let_in("2001:db8::5");
}

/* ---- the table ----------------------------------------------------------------------------- */

#define MANY 100000u

static size_t bytes_in_use(void)
{
#ifdef SALLYPORT_SANITIZE
    return 0; /* its allocator does not say */
#else
    return mallinfo2().uordblks;
#endif
}

/* Penalties of very many addresses shut nobody else out, and take bounded memory. */
static void test_many_addresses_with_penalties(void **state)
{
    const size_t before = bytes_in_use();

    (void)state;
    m.config.limits_connections_per_address = 2;
    assert_null(connects("192.0.2.1"));
    assert_null(connects("192.0.2.1"));
    for (int i = 0; i < 4; i++)
        penalise("192.0.2.66", PENALTY_CRASH);
    for (uint32_t i = 0; i < MANY; i++) {
        struct address a = numbered(i);
        limits_penalise(&m, &a, PENALTY_CRASH);
        if (i % 1000 == 0)
            let_in("203.0.113.7");
    }
    assert_true(bytes_in_use() - before < 2u << 20);
    let_in("203.0.113.7");
    let_in("2001:db8:77::1");
    /* What matters most was not lost for it. */
    shut_out("192.0.2.66", PENALTY);
    shut_out("192.0.2.1", PER_HOST);
    /* The last that was penalised is: those make room that are to end first. */
    struct address last = numbered(MANY - 1);
    assert_non_null(limits_connect(&m, &last));
    seconds_pass(1000);
    for (uint32_t i = 0; i < MANY; i++) {
        struct address a = numbered(i);
        assert_null(limits_connect(&m, &a));
        limits_disconnect(&m, &a);
    }
    assert_true(bytes_in_use() - before < 2u << 20);
    shut_out("192.0.2.1", PER_HOST);
}

/* Connections are never forgotten, however many addresses come. */
static void test_many_addresses_with_connections(void **state)
{
    uint32_t n = 0;
    const char *why = NULL;

    (void)state;
    m.config.limits_connections_per_address = 1;
    while (n < MANY && why == NULL) {
        struct address a = numbered(n);
        why = limits_connect(&m, &a);
        n += why == NULL;
    }
    assert_string_equal(why, ADDRESSES);
    assert_true(n >= 10000 && n < MANY);
    for (uint32_t i = 0; i < n; i++) {
        struct address a = numbered(i);
        assert_string_equal(limits_connect(&m, &a), PER_HOST);
    }
    penalise("203.0.113.7", PENALTY_CRASH); /* no room for it, and no harm */
    for (uint32_t i = 0; i < n; i++) {
        const struct address a = numbered(i);
        limits_disconnect(&m, &a);
    }
    m.config.limits_connections = 1; /* all of them were given back */
    let_in("203.0.113.8");
}

/* ---- logins -------------------------------------------------------------------------------- */

static struct session sessions[8];

/* The first `count` of the sessions are the monitor's; each has an account, or none. */
static void live(size_t count, const char *const *accounts)
{
    m.sessions = NULL;
    for (size_t i = 0; i < count; i++) {
        memset(&sessions[i], 0, sizeof(sessions[i]));
        assert_int_equal(
            slice_copy(slice_text(accounts[i]), sessions[i].account, sizeof(sessions[i].account)),
            0);
        sessions[i].counted = accounts[i][0] != '\0';
        sessions[i].next = m.sessions;
        m.sessions = &sessions[i];
    }
}

/* The first session logs in, and leaves again. */
static const char *logs_in(const char *name, uint32_t own)
{
    struct session *s = &sessions[0];

    s->counted = false;
    assert_int_equal(slice_copy(slice_text(name), s->account, sizeof(s->account)), 0);
    const char *why = limits_login(&m, s, own);
    assert_int_equal(s->counted, why == NULL);
    limits_logout(&m, s);
    return why;
}

static void ends(struct session *s)
{
    limits_logout(&m, s);
    s->ended = true;
}

#define OF_ACCOUNT "too many sessions of this account"

static void test_sessions_of_an_account(void **state)
{
    static const char *const accounts[] = {"", "anna", "anna", "bob", "", "annabel"};

    (void)state;
    live(6, accounts);
    assert_null(logs_in("anna", 0)); /* no limit at all */
    assert_string_equal(logs_in("anna", 1), OF_ACCOUNT);
    assert_string_equal(logs_in("anna", 2), OF_ACCOUNT);
    assert_null(logs_in("anna", 3));
    assert_string_equal(logs_in("bob", 1), OF_ACCOUNT);
    assert_null(logs_in("bob", 2));
    assert_null(logs_in("Anna", 1));
    m.config.limits_sessions_per_account = 2;
    assert_string_equal(logs_in("anna", 0), OF_ACCOUNT);
    assert_null(logs_in("anna", 3)); /* its own limit is the account's */
    assert_null(logs_in("bob", 0));
    ends(&sessions[1]); /* over, though its table entry still stands */
    assert_null(logs_in("anna", 0));
    assert_string_equal(logs_in("anna", 1), OF_ACCOUNT);
}

static void test_sessions_in_all(void **state)
{
    static const char *const accounts[] = {"", "anna", "bob", "", "carl"};

    (void)state;
    live(5, accounts);
    for (uint32_t most = 1; most <= 5; most++) {
        m.config.limits_max_sessions = most;
        const char *why = logs_in("dora", 0);
        if (most <= 3)
            assert_string_equal(why, "too many sessions");
        else
            assert_null(why);
    }
    m.config.limits_max_sessions = 0;
    for (uint32_t most = 1; most <= 5; most++) {
        m.config.sftp_max_sessions = most;
        const char *why = logs_in("dora", 0);
        if (most <= 3)
            assert_string_equal(why, "too many sessions of this protocol");
        else
            assert_null(why);
    }
    m.config.sftp_max_sessions = 3;
    ends(&sessions[4]);
    assert_null(logs_in("dora", 0));
    assert_null(logs_in("dora", 1)); /* it is not counted against itself */
}

/* One browser has several connections: one session, as long as any of them lives. */
static void test_connections_of_a_browser(void **state)
{
    static const char *const accounts[] = {"", "", "", "", "anna", ""};
    const struct address here = {.text = "192.0.2.1", .bytes = {[15] = 1}};

    (void)state;
    live(6, accounts);
    for (int i = 1; i < 4; i++) {
        sessions[i].kind = WORKER_HTTPS;
        sessions[i].address = here;
        assert_int_equal(slice_copy(slice_text("anna"), sessions[i].account, 64), 0);
        assert_null(limits_login(&m, &sessions[i], 2));
        assert_int_equal(sessions[i].counted, i == 1);
    }
    assert_string_equal(logs_in("anna", 2), OF_ACCOUNT); /* over SFTP there is one, too */
    sessions[5].kind = WORKER_HTTPS;                     /* from elsewhere it is another */
    assert_int_equal(slice_copy(slice_text("anna"), sessions[5].account, 64), 0);
    assert_string_equal(limits_login(&m, &sessions[5], 2), OF_ACCOUNT);
    sessions[5].account[0] = '\0';
    ends(&sessions[1]);
    assert_int_equal(sessions[2].counted + sessions[3].counted, 1);
    assert_string_equal(logs_in("anna", 2), OF_ACCOUNT);
    ends(&sessions[3]);
    assert_string_equal(logs_in("anna", 2), OF_ACCOUNT);
    ends(&sessions[2]);
    assert_null(logs_in("anna", 2));
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, start, end)
    const struct CMUnitTest tests[] = {
        TEST(test_in_all),
        TEST(test_per_address),
        TEST(test_ipv6_networks),
        TEST(test_counts_are_exact),
        TEST(test_penalties_grow_and_end),
        TEST(test_the_longest_penalty),
        TEST(test_open_connections_stay),
        TEST(test_exempt_networks),
        TEST(test_exempt_is_looked_at_when_connecting),
        TEST(test_many_addresses_with_penalties),
        TEST(test_many_addresses_with_connections),
        TEST(test_sessions_of_an_account),
        TEST(test_sessions_in_all),
        TEST(test_connections_of_a_browser),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
