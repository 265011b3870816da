/* How sallyport-notify lives: links, ends in the middle of a notice, its sandbox and what its
 * commands have of it, messages that are none. */
#include "tests/unit/notify_process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void relink(struct notify *n)
{
    const struct notify_outbox link = {0};
    int theirs;

    close(n->store);
    new_link(&n->store, &theirs);
    assert_int_equal(send_notify_outbox_fds(n->monitor, 0, &link, &theirs, 1), 0);
    close(theirs);
}

/* The store is restarted while a command runs, or before it kept what it was told: the new one is
 * told nothing of what it did not give, and what it gives again is not delivered again. */
static void another_link(void **state)
{
    struct notify *n = *state;
    struct told told;

    script(n, "cat >/dev/null; echo x >$D/began; while ! [ -e $D/go ]; do sleep 0.02; done; echo x "
              ">>$D/runs; exit $(cat $D/go)");
    ready(n);
    give(n, 41, "invite", "alice@example.net", INVITE);
    must_have(n, "began");
    relink(n);
    write_file(n, "go", "0", 0644);
    for (int i = 0; i < 2; i++) {
        told = asked(n);
        assert_int_equal(told.number, 0);
        assert_int_equal(told.outcome, NOTICE_NONE);
        deliver(n, 41, "alice@example.net", INVITE, NOTICE_DELIVERED);
        assert_string_equal(must_have(n, "runs"), "x\n");
        relink(n);
    }
    /* Another notice, also if it has the same number; and one that is to be tried again. */
    assert_int_equal(asked(n).number, 0);
    deliver(n, 41, "bob@example.net", INVITE, NOTICE_DELIVERED);
    deliver(n, 42, "bob@example.net", INVITE, NOTICE_DELIVERED);
    assert_string_equal(must_have(n, "runs"), "x\nx\nx\n");
    write_file(n, "go", "75", 0644);
    deliver(n, 43, "bob@example.net", INVITE, NOTICE_LATER);
    relink(n);
    assert_int_equal(asked(n).number, 0);
    write_file(n, "go", "0", 0644);
    deliver(n, 43, "bob@example.net", INVITE, NOTICE_DELIVERED);
}

/* Ended in the middle of a notice: the store was not told, and the next one delivers it. */
static void restarted(void **state)
{
    struct notify *n = *state;
    char first[128];

    script(n, "cat >$D/mail; echo x >$D/began; sleep 1000");
    ready(n);
    give(n, 5, "invite", "alice@example.net", INVITE);
    must_have(n, "began");
    kill(n->pid, SIGKILL);
    wait_end(n);
    assert_int_equal(receive(n, n->store), 0);
    const char *id = strstr(must_have(n, "mail"), "\nMessage-ID: ");
    assert_non_null(id);
    snprintf(first, sizeof(first), "%.*s", (int)strcspn(id + 1, "\n"), id + 1);
    script(n, "cat >$D/mail; exit 0");
    ready(n);
    deliver(n, 5, "alice@example.net", INVITE, NOTICE_DELIVERED);
    has(must_have(n, "mail"), first); /* which who gets it twice can see */
    deliver(n, 6, "alice@example.net", INVITE, NOTICE_DELIVERED);
    assert_null(strstr(must_have(n, "mail"), first));
}

/* The server stops: a command that is about to end may, and is told; another is killed. */
static void stopped(void **state)
{
    struct notify *n = *state;

    script(n, "cat >/dev/null; echo x >$D/began; sleep 0.3; exit 0");
    ready(n);
    give(n, 1, "invite", "alice@example.net", INVITE);
    must_have(n, "began");
    close(n->monitor);
    n->monitor = -1;
    const struct told told = asked(n);
    assert_int_equal(told.number, 1);
    assert_int_equal(told.outcome, NOTICE_DELIVERED);
    assert_int_equal(wait_end(n), 0);
    script(n, "cat >/dev/null; echo $$ >$D/pid; exec sleep 1000");
    ready(n);
    give(n, 2, "invite", "alice@example.net", INVITE);
    must_have(n, "pid");
    close(n->monitor);
    n->monitor = -1;
    assert_int_equal(receive(n, n->store), 0);
    assert_int_equal(wait_end(n), 0);
    assert_false(alive(must_have(n, "pid")));
    /* And one that does nothing ends at once. */
    ready(n);
    close(n->monitor);
    n->monitor = -1;
    assert_int_equal(wait_end(n), 0);
}

/* A command sees its input and nothing else: no descriptor, no variable, no shell between. */
static void surroundings(void **state)
{
    struct notify *n = *state;
    char command[512];

    snprintf(command, sizeof(command), "%s/sendmail -t \"a b\" $(touch${IFS}%s/pwned) ;", n->base,
             n->base);
    n->setup.sendmail = slice_text(command);
    script(n, "tr '\\0' '\\n' </proc/$$/environ >$D/environ; pwd >$D/pwd\n"
              "for a; do echo \"[$a]\"; done >$D/words\n"
              "grep -E '^(Sig|Cap|NoNew|Uid|Gid|Groups)' /proc/self/status >$D/status\n"
              "cat /proc/self/limits >$D/limits; exec ls /proc/self/fd >$D/fds");
    ready(n);
    deliver(n, 1, "alice@example.net", INVITE, NOTICE_DELIVERED);
    assert_string_equal(
        must_have(n, "environ"),
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nLANG=C.UTF-8\n");
    assert_string_equal(must_have(n, "pwd"), "/\n");
    has(must_have(n, "words"), "[-t]\n[a b]\n[$(touch${IFS}");
    has(must_have(n, "words"), ")]\n[;]\n");
    assert_null(content(n, "pwned"));
    assert_string_equal(must_have(n, "fds"), "0\n1\n2\n3\n"); /* 3: the folder that is listed */
    const char *limits = must_have(n, "limits");
    has(limits, "\nMax core file size        0                    0                    bytes");
    has(limits, "\nMax open files            256                  256                  files");
    if (geteuid() == 0)
        has(limits,
            "\nMax processes             256                  256                  processes");
    const char *status = must_have(n, "status");
    has(status, "SigBlk:\t0000000000000000\n");
    has(status, "SigIgn:\t");
    /* But for two that are the C library's own. */
    assert_int_equal(strtoull(strstr(status, "SigIgn:\t") + 8, NULL, 16) & 0x7fffffff, 0);
    has(status, "CapEff:\t0000000000000000\n");
    if (geteuid() != 0) {
        print_message("skipped: ids can only be changed by root\n");
        return;
    }
    has(status, "Uid:\t39003\t39003\t39003\t39003\n");
    has(status, "Gid:\t39003\t39003\t39003\t39003\n");
    has(status, "Groups:\t \n");
    has(status, "CapBnd:\t0000000000000000\n");
}

static void copy_program(const char *from, const char *to)
{
    const int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0755);
    char bytes[4096];
    ssize_t n;

    assert_true(in >= 0 && out >= 0);
    while ((n = read(in, bytes, sizeof(bytes))) > 0)
        assert_int_equal(write(out, bytes, (size_t)n), n);
    assert_int_equal(n, 0);
    close(in);
    close(out);
}

/* A set-gid command has its group: what Postfix's needs. */
static void set_gid(void **state)
{
    struct notify *n = *state;
    char path[256];

    if (geteuid() != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 0) {
        print_message("skipped: only root can make a set-gid program of another group\n");
        return;
    }
    snprintf(path, sizeof(path), "%s/stat", n->base);
    copy_program("/usr/bin/stat", path);
    assert_int_equal(chown(path, 0, 12345), 0);
    assert_int_equal(chmod(path, 02755), 0);
    script(n, "$D/stat -c %g /proc/self/ >$D/gid");
    ready(n);
    deliver(n, 1, "alice@example.net", INVITE, NOTICE_DELIVERED);
    assert_string_equal(must_have(n, "gid"), "12345\n");
}

static void sandboxed(void **state)
{
    const uint32_t always = LAYER_CAPABILITIES | LAYER_NOT_DUMPABLE | LAYER_RLIMITS;
    struct notify *n = *state;
    char path[64];
    struct stat st;

    ready(n);
    assert_int_equal(n->ready.layers & always, always);
    assert_int_equal(n->ready.layers & (LAYER_LANDLOCK | LAYER_CHROOT), 0);
    if (geteuid() != 0) {
        print_message("skipped: ids can only be changed by root\n");
        return;
    }
    assert_int_equal(n->ready.layers & LAYER_IDS, LAYER_IDS);
    snprintf(path, sizeof(path), "/proc/%d/status", (int)n->pid);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_uid, 0); /* not dumpable: /proc is root's */
}

static void ends_badly(struct notify *n)
{
    const int status = wait_end(n);

    if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_FAILURE)
        fail_msg("it ended with status %#x", (unsigned)status);
}

static void bad_messages(void **state)
{
    const struct hash_password wrong = {.password = slice_text("x")};
    struct notify *n = *state;
    int theirs;

    script(n, "exit 0");
    /* A setup that is none, or that cannot be. */
    n->setup.sendmail = slice_text("sendmail -t");
    spawn(n);
    ends_badly(n);
    n->setup.sendmail = slice_text(n->sendmail);
    spawn(n);
    kill(n->pid, SIGKILL);
    wait_end(n);
    /* Never root's ids: it would go on as root. */
    if (geteuid() == 0) {
        n->setup.uid = 0;
        spawn(n);
        logged(n, "uid, gid, groups");
        ends_badly(n);
        n->setup.uid = NOTIFY_ID;
    }
    /* Setup twice. */
    ready(n);
    theirs = dup(n->store);
    assert_int_equal(send_notify_setup_fds(n->monitor, 1, &n->setup, &theirs, 1), 0);
    close(theirs);
    ends_badly(n);
    /* Another message; no message; a second notice that nobody asked for. */
    ready(n);
    assert_int_equal(send_hash_password(n->monitor, 1, &wrong), 0);
    ends_badly(n);
    ready(n);
    assert_int_equal(send_hash_password(n->store, 1, &wrong), 0);
    ends_badly(n);
    ready(n);
    assert_int_equal(send(n->store, "x", 1, 0), 1);
    ends_badly(n);
    script(n, "sleep 0.2; exit 0");
    ready(n);
    give(n, 1, "invite", "alice@example.net", INVITE);
    give(n, 2, "invite", "alice@example.net", INVITE);
    assert_int_equal(asked(n).number, 1); /* the second is taken for the answer to this ... */
    assert_int_equal(asked(n).number, 2); /* ... as it cannot be told from one */
    silent(n->store);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, notify_new, notify_free)
    const struct CMUnitTest tests[] = {
        TEST(another_link), TEST(restarted), TEST(stopped),      TEST(surroundings),
        TEST(set_gid),      TEST(sandboxed), TEST(bad_messages),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
