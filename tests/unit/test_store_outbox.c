/* The store's outbox and the link of sallyport-notify to it: what a hostile one can do, what is
 * bounded, what kill -9 leaves. Against the real binary (from SALLYPORT_BUILD, else build/release).
 */
#include "tests/unit/store_own.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/facts.h"

#define OUTBOX_MOST 10000
#define KILL_ROUNDS 12
#define KILL_LINKS  8

static void add_key(struct process *p, const char *name, unsigned number)
{
    uint8_t bytes[64];
    const struct key_add add = {.name = slice_text(name), .key = test_key(number, bytes)};

    process_done(p, MSG_key_add, &add);
}

static void invite(struct process *p, const char *name)
{
    const struct link_invite m = {.name = slice_text(name)};

    process_done(p, MSG_link_invite, &m);
}

/* ------------------------------------------------------------------------------- a hostile one */

/* The store closed the link, for this reason, and goes on. */
static void must_be_closed(struct process *p, const char *why)
{
    struct pollfd ended = {.fd = notify_socket(), .events = POLLIN};
    static struct envelope e;

    for (;;) {
        assert_int_equal(poll(&ended, 1, 20000), 1);
        const int r = message_receive(notify_socket(), &e, 0);
        if (r == 0 || (r < 0 && errno == ECONNRESET))
            break;
        assert_int_equal(r, 1); /* a notice that it was given before */
    }
    assert_audit(p, why);
    process_link_notify(p);
}

static void wanted(uint64_t number, enum notice_outcome outcome)
{
    const struct notice_wanted m = {.number = number, .outcome = (uint8_t)outcome};

    assert_int_equal(send_notice_wanted(notify_socket(), 1, &m), 0);
}

static void test_hostile(void **state)
{
    struct process *p = *state;
    static const char garbage[] = "\xff\xff\xff\xff\1\0\0\0garbage";
    const struct notice_wanted one = {0};
    const struct user_show other = {.name = slice_text("anna")};
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    start_mailing(p);
    add_account(p, "anna");
    wanted(0, NOTICE_NONE);
    wanted(0, NOTICE_NONE);
    must_be_closed(p, "asked for a notice while it waited");
    wanted(1, NOTICE_DELIVERED);
    must_be_closed(p, "another notice than the one");
    wanted(0, NOTICE_DELIVERED);
    must_be_closed(p, "another notice than the one");
    wanted(0, NOTICE_REFUSED + 1);
    must_be_closed(p, "an outcome that is none");
    wanted(UINT64_MAX, NOTICE_LATER);
    must_be_closed(p, "another notice than the one");
    assert_true(send(notify_socket(), garbage, sizeof(garbage), 0) > 0);
    must_be_closed(p, "what is no message");
    assert_int_equal(send_user_show(notify_socket(), 1, &other), 0);
    must_be_closed(p, "another message than notice_wanted");
    uint8_t bytes[256];
    const ssize_t len = message_encode(MSG_notice_wanted, 1, &one, bytes, sizeof(bytes));
    assert_true(send(notify_socket(), bytes, (size_t)len - 1, 0) > 0);
    must_be_closed(p, "cannot be decoded");
    assert_true(fd >= 0);
    (void)message_send(notify_socket(), MSG_notice_wanted, 1, &one, &fd, 1);
    close(fd);
    process_link_notify(p);

    /* What it had in hand when it broke a rule is due as before. */
    add_key(p, "anna", 1);
    take_notice(p, "changed", "someone@example.org");
    const uint64_t number = notice_number();
    wanted(number + 1, NOTICE_DELIVERED);
    must_be_closed(p, "another notice than the one");
    take_notice(p, "changed", "someone@example.org");
    assert_int_equal(notice_number(), number);
    wanted(0, NOTICE_NONE); /* nor may it keep silent about it */
    must_be_closed(p, "another notice than the one");
    take_notice(p, "changed", "someone@example.org");
    ask_notice(NOTICE_DELIVERED);
    expect_none(p);

    /* A link in place of one whose sallyport-notify is gone; the one before is deaf. */
    process_link_notify(p);
    add_key(p, "anna", 2);
    take_notice(p, "changed", "someone@example.org");
    process_stop(p);
}

/* One that dies loses nothing. */
static void test_dead(void **state)
{
    struct process *p = *state;

    start_mailing(p);
    add_account(p, "anna");
    add_key(p, "anna", 1);
    wanted(0, NOTICE_NONE);
    process_link_notify(p); /* it died with a notice on its way: the next one gets it */
    take_notice(p, "changed", "someone@example.org");
    process_stop(p);
}

/* ------------------------------------------------------------------------------- outcomes */

static void test_outcomes(void **state)
{
    struct process *p = *state;

    start_mailing(p);
    add_account(p, "anna");
    add_key(p, "anna", 1);
    take_notice(p, "changed", "someone@example.org");
    ask_notice(NOTICE_LATER);
    expect_none(p); /* not now */
    process_kill(p);
    assert_int_equal(count_rows(p, "SELECT count(*) FROM outbox WHERE tries = 1"), 1);
    fill_database(p, "UPDATE outbox SET due = 1");
    start_mailing(p);
    take_notice(p, "changed", "someone@example.org");
    process_kill(p); /* before anything was said of it: it is due still */
    start_mailing(p);
    take_notice(p, "changed", "someone@example.org");
    ask_notice(NOTICE_REFUSED);
    expect_none(p);
    assert_audit(p, "the message \\\"changed\\\" to someone@example.org was not delivered and is "
                    "given up: no relay");
    add_key(p, "anna", 2);
    take_notice(p, "changed", "someone@example.org");
    ask_notice(NOTICE_DELIVERED);
    expect_none(p); /* it was heard */
    process_kill(p);
    assert_int_equal(count_rows(p, "SELECT count(*) FROM outbox"), 0);

    /* An account takes its notices with it. */
    start_mailing(p);
    add_without_password(p, "bert", "bert@example.org");
    process_free_notify(p);
    invite(p, "bert");
    add_key(p, "bert", 1);
    const struct user_delete gone = {.name = slice_text("bert")};
    process_done(p, MSG_user_delete, &gone);
    process_link_notify(p);
    expect_none(p);
    process_stop(p);
}

/* ------------------------------------------------------------------------------- bounds */

#define FILL(link, kind)                                                                           \
    "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 10000)"              \
    " INSERT INTO outbox (account, link, kind, recipient, facts, due, ends, tries, created)"       \
    " SELECT 1, " link ", '" kind "', 'many' || i || '@example.org',"                              \
    " '{\"account\":\"anna\",\"organisation\":\"Example\"}', 1, 9999999999, 0, i FROM c"

static void test_full(void **state)
{
    struct process *p = *state;

    must_start(p);
    add_account(p, "anna");
    add_without_password(p, "bert", "bert@example.org");
    process_stop(p);
    fill_database(p, FILL("NULL", "changed"));
    must_start(p);
    add_key(p, "anna", 1);
    invite(p, "bert");
    process_stop(p);
    assert_int_equal(count_rows(p, "SELECT count(*) FROM outbox"), OUTBOX_MOST);
    assert_int_equal(count_rows(p, "SELECT min(created) FROM outbox"), 3); /* the oldest gave way */
    assert_int_equal(count_rows(p, "SELECT count(*) FROM outbox WHERE kind = 'invite'"), 1);

    /* Links never do; a change is made all the same. */
    fill_database(p, "DELETE FROM outbox;" FILL("(SELECT token FROM links)", "lost"));
    must_start(p);
    add_key(p, "anna", 2);
    const struct link_lost lost = {.name = slice_text("anna"), .address = slice_text("192.0.2.1")};
    process_done(p, MSG_link_lost, &lost);
    process_stop(p);
    assert_int_equal(count_rows(p, "SELECT count(*) FROM outbox"), OUTBOX_MOST + 1);
    assert_int_equal(count_rows(p, "SELECT count(*) FROM outbox WHERE kind = 'changed'"), 0);
    assert_int_equal(count_rows(p, "SELECT count(*) FROM keys"), 2);
}

static void test_no_mail(void **state)
{
    struct process *p = *state;
    const struct link_invite invitation = {.name = slice_text("bert")};
    const struct link_lost lost = {.name = slice_text("anna"), .address = slice_text("192.0.2.1")};
    const struct address_change address = {.name = slice_text("anna"),
                                           .email = slice_text("new@example.org")};

    p->setup.mail = 0;
    start_mailing(p);
    add_account(p, "anna");
    add_without_password(p, "bert", "bert@example.org");
    process_refused(p, MSG_link_invite, &invitation, EOPNOTSUPP);
    assert_non_null(strstr(p->text, "mail is not enabled"));
    process_refused(p, MSG_address_change, &address, EOPNOTSUPP);
    process_done(p, MSG_link_lost, &lost);
    add_key(p, "anna", 1);
    expect_none(p);
    process_stop(p);
    assert_int_equal(count_rows(p, "SELECT count(*) FROM outbox"), 0);
    assert_int_equal(count_rows(p, "SELECT count(*) FROM links"), 0);
}

/* ------------------------------------------------------------------------------- kill */

/* A change and its notice are there both or neither; what was acknowledged is there. */
static void test_kill(void **state)
{
    struct process *p = *state;
    uint32_t ids[KILL_LINKS];
    unsigned kept = 0, lost_count = 0;
    char name[32], query[256];

    for (unsigned round = 0; round < KILL_ROUNDS; round++) {
        must_start(p);
        for (unsigned i = 0; i < KILL_LINKS; i++) {
            snprintf(name, sizeof(name), "user-%u-%u", round, i);
            add_without_password(p, name, "bert@example.org");
        }
        for (unsigned i = 0; i < KILL_LINKS; i++) {
            snprintf(name, sizeof(name), "user-%u-%u", round, i);
            const struct link_invite m = {.name = slice_text(name)};
            ids[i] = process_send(p, MSG_link_invite, &m);
        }
        if (round == KILL_ROUNDS - 1) { /* however slow the disk is: one is kept */
            struct pollfd first = {.fd = p->link, .events = POLLIN};
            assert_int_equal(poll(&first, 1, 20000), 1);
        }
        usleep((useconds_t)(round * round * 100));
        kill(p->pid, SIGKILL);
        process_wait(p);
        unsigned acknowledged = 0;
        while (message_receive(p->link, &p->envelope, MSG_DONTWAIT) == 1) {
            assert_int_equal(p->envelope.type, MSG_store_done);
            assert_int_equal(p->envelope.id, ids[acknowledged]);
            acknowledged++;
        }
        close(p->link);
        must_start(p); /* it takes what is whole of the log */
        process_stop(p);
        for (unsigned i = 0; i < KILL_LINKS; i++) {
            snprintf(query, sizeof(query),
                     "SELECT count(*) FROM links JOIN accounts ON accounts.number = links.account"
                     " JOIN outbox ON link = token WHERE name = 'user-%u-%u'",
                     round, i);
            const int64_t there = count_rows(p, query);
            if (i < acknowledged && there != 1)
                fail_msg("round %u: invitation %u was acknowledged and is lost", round, i);
        }
        kept += acknowledged;
        lost_count += KILL_LINKS - acknowledged;
        assert_int_equal(count_rows(p, "SELECT count(*) FROM links WHERE token NOT IN"
                                       " (SELECT link FROM outbox)"),
                         0);
    }
    print_message("%u invitations acknowledged before a kill, %u not\n", kept, lost_count);
    assert_true(kept > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, own_new, own_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_hostile), TEST(test_dead),    TEST(test_outcomes),
        TEST(test_full),    TEST(test_no_mail), TEST(test_kill),
    };

    return cmocka_run_group_tests_name("store_outbox", tests, NULL, NULL);
}
