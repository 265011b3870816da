/* How the store starts, on what it refuses to, its sandbox, and what it survives: an older schema,
 * a damaged file, kill -9, a full disk, nonsense. Against the real binary (from SALLYPORT_BUILD,
 * else build/release). */
#include "tests/unit/store_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/audit_chain.h"
#include "common/facts.h"

#define KILL_ROUNDS  20
#define KILL_CHANGES 40

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

    fill_database(p, version_1);
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

    fill_database(p, "PRAGMA application_id = 1396788816; PRAGMA user_version = 1000");
    assert_false(process_start(p));
    assert_non_null(strstr(p->trouble, "newer"));
    fill_database(p, "PRAGMA application_id = 7; PRAGMA user_version = 1");
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
    snprintf(path, sizeof(path), "%s/lock", p->dir);
    unlink(path);
    assert_int_equal(chmod(p->dir, 0500), 0);
    assert_false(process_start(p));
    assert_non_null(strstr(p->trouble, "cannot be written"));
    assert_int_equal(chmod(p->dir, 0700), 0);
    if (!is_root()) {
        print_message("skipped: a state folder of root's (needs root)\n");
        return;
    }
    snprintf(path, sizeof(path), "%s/audit.head", p->dir);
    assert_int_equal(close(open(path, O_WRONLY | O_CREAT, 0600)), 0);
    assert_false(process_start(p));
    assert_non_null(strstr(p->trouble, "audit.head belongs to uid 0"));
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
        usleep((useconds_t)(round * round * 100)); /* up to 36 ms, the short ones closer */
        if (round == KILL_ROUNDS - 1) {            /* however slow the disk is: one is kept */
            struct pollfd first = {.fd = p->link, .events = POLLIN};
            assert_int_equal(poll(&first, 1, 20000), 1);
        }
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

/* More lines than the store can keep; how many of them it refused. */
static unsigned flood_audit(struct process *p, unsigned count)
{
    static char text[1025];
    unsigned refused = 0;

    memset(text, 'x', sizeof(text) - 1);
    const struct store_audit line = {.event = slice_text("flood"), .text = slice_text(text)};
    for (unsigned i = 0; i < count; i++) {
        process_send(p, MSG_store_audit, &line);
        while (message_receive(p->link, &p->envelope, MSG_DONTWAIT) == 1) {
            assert_int_equal(p->envelope.type, MSG_store_refused);
            refused++;
        }
    }
    /* A question is answered after all of them. */
    const struct user_show last = {.name = slice_text("nobody")};
    process_send(p, MSG_user_show, &last);
    while (message_receive(p->link, &p->envelope, 0) == 1 && p->envelope.id != p->id)
        refused++;
    assert_int_equal(p->envelope.type, MSG_nothing_more);
    return refused;
}

static void test_full_disk(void **state)
{
    char told[64];
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

    const unsigned lost = flood_audit(p, 3000);
    assert_true(lost > 100 && lost < 2900);

    make_room(p);
    assert_int_equal(message_receive(p->link, &p->envelope, 0), 1); /* tried again by itself */
    assert_int_equal(p->envelope.type, MSG_store_done);
    assert_int_equal(p->envelope.id, waits);
    for (unsigned i = lost; i < 3000; i++) {
        assert_int_equal(message_receive(p->link, &p->envelope, 0), 1);
        assert_int_equal(p->envelope.type, MSG_store_done);
    }
    struct audit_verdict verdict;
    assert_int_equal(audit_verify(p->dir, stdout, &verdict), 0);
    assert_int_equal(verdict.lines, 1 + 3000 - lost + 1); /* and one that says how many are lost */
    snprintf(told, sizeof(told), "\"text\":\"%u lines could not be written", lost);
    size_t len;
    char *bytes = read_state_file(p, "audit.log", &len);
    assert_non_null(strstr(bytes, told));
    free(bytes);
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
    assert_int_equal(audit_verify(p->dir, stdout, &verdict), 0);
    umount2(p->dir, MNT_DETACH);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, process_new, process_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_older_schema),   TEST(test_start_refused), TEST(test_damaged_database),
        TEST(test_one_store_only), TEST(test_sandbox),       TEST(test_strange_messages),
        TEST(test_kill),           TEST(test_full_disk),
    };

    return cmocka_run_group_tests_name("store_life", tests, NULL, NULL);
}
