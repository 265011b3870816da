/* What sallyport-notify delivers, and what it refuses: what the command is given is looked at, and
 * what the store is told came of it. */
#include "tests/unit/notify_process.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void delivers(void **state)
{
    struct notify *n = *state;

    script(n, "cat >$D/mail");
    ready(n);
    const struct told told = deliver(n, 7, "alice@example.net", INVITE, NOTICE_DELIVERED);
    const char *mail = must_have(n, "mail");
    has(mail, "\nTo: alice@example.net\n");
    has(mail, "\nFrom: \"Ours\" <sallyport@example.org>\n");
    has(mail, "\nSubject: Your account at Ours\n");
    has(mail, "\nAuto-Submitted: auto-generated\n");
    has(mail, "\n    https://files.example.org/link#TOKEN\n");
    has(mail, "\n    alice\n");
    assert_null(strstr(mail, "{{"));
    assert_string_equal(told.text, "sendmail ended with status 0");
    /* The next one over the same link; and each kind that there is. */
    static const char facts[] = "{\"account\": \"alice\", \"token\": \"T\", \"expires\": 1, "
                                "\"email\": \"new@example.net\", \"address\": "
                                "\"192.0.2.1\", \"changes\": [{\"what\": \"a new password\", "
                                "\"when\": 2}, {\"what\": \"a key\", \"when\": "
                                "3, \"address\": \"192.0.2.2\"}]}";
    static const char *const kinds[] = {"invite", "lost", "address", "changed"};
    for (uint64_t i = 0; i < 4; i++) {
        give(n, 8 + i, kinds[i], "alice@example.net", facts);
        const struct told next = asked(n);
        assert_int_equal(next.number, 8 + i);
        if (next.outcome != NOTICE_DELIVERED)
            fail_msg("%s: %s", kinds[i], next.text);
        mail = must_have(n, "mail");
        has(mail, "alice");
        has(mail, "Ours");
        assert_null(strstr(mail, "{{"));
    }
    has(mail, "  * a new password\n    Thursday, 1 January 1970, ");
    has(mail, ", from 192.0.2.2\n");
}

static void outcomes(void **state)
{
    static const struct {
        const char *script;
        enum notice_outcome outcome;
        const char *text;
    } cases[] = {
        {"cat >/dev/null; exit 75", NOTICE_LATER, "status 75: not now"},
        {"exit 67", NOTICE_REFUSED, "status 67: there is no such recipient"},
        {"exit 65", NOTICE_REFUSED, "status 65"},
        {"exit 64", NOTICE_LATER, "status 64"},
        {"exit 69", NOTICE_LATER, "status 69"},
        {"exit 78", NOTICE_LATER, "status 78"},
        {"exit 1", NOTICE_LATER, "status 1"},
        {"exit 200", NOTICE_LATER, "status 200"},
        {"echo; echo 'relay: \033[2Jno' >&2; echo more; exit 1", NOTICE_LATER,
         "sendmail ended with status 1: relay: ?[2Jno"},
        {"kill -9 $$", NOTICE_LATER, "killed by signal 9"},
        {"kill -15 $$", NOTICE_LATER, "killed by signal 15"},
        {"exit 0", NOTICE_DELIVERED, "status 0"},
    };
    struct notify *n = *state;

    script(n, "exit 0");
    ready(n);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        script(n, cases[i].script);
        const struct told told = deliver(n, i + 1, "alice@example.net", INVITE, cases[i].outcome);
        has(told.text, cases[i].text);
        assert_null(strstr(told.text, "more"));
    }
}

static void no_command(void **state)
{
    struct notify *n = *state;
    char path[256];

    ready(n);
    has(deliver(n, 1, "alice@example.net", INVITE, NOTICE_LATER).text, "No such file");
    write_file(n, "sendmail", "#!/bin/sh\nexit 0\n", 0644);
    has(deliver(n, 2, "alice@example.net", INVITE, NOTICE_LATER).text, "Permission denied");
    snprintf(path, sizeof(path), "%s/sendmail", n->base);
    unlink(path);
    assert_int_equal(mkdir(path, 0755), 0);
    deliver(n, 3, "alice@example.net", INVITE, NOTICE_LATER);
    assert_int_equal(rmdir(path), 0);
    script(n, "exit 0");
    deliver(n, 4, "alice@example.net", INVITE, NOTICE_DELIVERED);
}

/* Killed with what it started, when its time is up; one that floods its output is heard to its end.
 */
static void hanging(void **state)
{
    struct notify *n = *state;
    char first[32], second[32];

    n->setup.seconds = 1;
    script(n, "echo $$ >$D/first; sleep 1000 & echo $! >$D/second; wait");
    ready(n);
    const struct told told = deliver(n, 1, "alice@example.net", INVITE, NOTICE_LATER);
    has(told.text, "did not end in time");
    snprintf(first, sizeof(first), "%s", must_have(n, "first"));
    snprintf(second, sizeof(second), "%s", must_have(n, "second"));
    for (int i = 0; i < 500 && (alive(first) || alive(second)); i++)
        usleep(10000);
    assert_false(alive(first));
    assert_false(alive(second));
    /* One that leaves something behind is not waited for longer than itself. */
    script(n, "cat >/dev/null; sleep 1000 & echo $! >$D/left; exit 0");
    deliver(n, 2, "alice@example.net", INVITE, NOTICE_DELIVERED);
    const pid_t left = (pid_t)strtol(must_have(n, "left"), NULL, 10);
    assert_int_equal(kill(left, SIGKILL), 0);
}

static void floods(void **state)
{
    struct notify *n = *state;
    char *facts = calloc(1, 33000);

    assert_non_null(facts);
    script(n, "head -c 20000000 /dev/zero; cat >$D/mail; head -c 20000000 /dev/zero >&2; exit 0");
    ready(n);
    /* A message larger than a pipe, given to one that writes first. */
    snprintf(facts, 33000, "{\"token\": \"T\", \"expires\": 1, \"account\": \"%0*d\"}", 32000, 0);
    give(n, 1, "invite", "alice@example.net", facts);
    struct told told = asked(n);
    assert_int_equal(told.outcome, NOTICE_DELIVERED);
    assert_true(strlen(must_have(n, "mail")) > 40000);
    /* To one that does not read it. */
    script(n, "exec <&-; sleep 0.1; exit 0");
    give(n, 2, "invite", "alice@example.net", facts);
    told = asked(n);
    assert_int_equal(told.outcome, NOTICE_DELIVERED);
    free(facts);
}

/* Never given to a command: no address of a recipient, for good; and what cannot be rendered. */
static void refused(void **state)
{
    static const struct {
        const char *kind, *to, *facts, *why;
        enum notice_outcome outcome;
    } cases[] = {
        {"invite", "alice@example.net\nBcc: x@y", INVITE, "address", NOTICE_REFUSED},
        {"invite", "alice@example.net, x@y", INVITE, "address", NOTICE_REFUSED},
        {"invite", "-oQ/tmp@example.net", INVITE, "address", NOTICE_REFUSED},
        {"invite", "alice", INVITE, "address", NOTICE_REFUSED},
        {"invite", "\"a b\"@example.net", INVITE, "address", NOTICE_REFUSED},
        {"no-such", "alice@example.net", INVITE, "no such kind", NOTICE_LATER},
        {"../invite", "alice@example.net", INVITE, "no such kind", NOTICE_LATER},
        {"", "alice@example.net", INVITE, "no such kind", NOTICE_LATER},
        {"invite", "alice@example.net", "", "facts", NOTICE_LATER},
        {"invite", "alice@example.net", "[]", "facts", NOTICE_LATER},
        {"invite", "alice@example.net", "{\"account\": \"a\"", "facts", NOTICE_LATER},
        {"invite", "alice@example.net", "{\"account\": \"a\"}", "there is no {{link}}",
         NOTICE_LATER},
        {"invite", "", INVITE, "no command for events", NOTICE_REFUSED},
    };
    struct notify *n = *state;

    script(n, "touch $D/run");
    ready(n);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        give(n, i + 1, cases[i].kind, cases[i].to, cases[i].facts);
        const struct told told = asked(n);
        assert_int_equal(told.number, i + 1);
        assert_int_equal(told.outcome, cases[i].outcome);
        has(told.text, cases[i].why);
    }
    assert_null(content(n, "run"));
}

static void hostile_names(void **state)
{
    struct notify *n = *state;

    script(n, "cat >$D/mail");
    ready(n);
    deliver(n, 1, "alice@example.net",
            "{\"account\": \"x\\r\\n\\r\\nBcc: evil@example.org\\n.\\nQUIT\", \"organisation\": "
            "\"O\\nTo: evil@example.org\\r"
            "\\u2028\\u202e\", \"token\": \"T\", \"expires\": 1}",
            NOTICE_DELIVERED);
    const char *mail = must_have(n, "mail");
    assert_null(strstr(mail, "\nBcc"));
    assert_null(strstr(mail, "\nTo: evil"));
    assert_null(strstr(mail, "\n.\n"));
    assert_null(strchr(mail, '\r'));
    has(mail, "\n    x    Bcc: evil@example.org . QUIT\n");
    has(mail, "\nSubject: Your account at O To: evil@example.org   \n");
}

static void own_templates(void **state)
{
    struct notify *n = *state;
    char path[256];

    snprintf(n->templates, sizeof(n->templates), "%s/templates", n->base);
    assert_int_equal(mkdir(n->templates, 0755), 0);
    n->setup.templates = slice_text(n->templates);
    script(n, "cat >$D/mail");
    ready(n);
    deliver(n, 1, "alice@example.net", INVITE, NOTICE_DELIVERED);
    has(must_have(n, "mail"), "\nSubject: Your account at Ours\n");
    /* In force at once, also one of another system. */
    write_file(n, "templates/invite.txt",
               "Subject: Welcome, {{account}}\r\n\r\nGr\xc3\xbc\xc3\x9f"
               "e\r\n",
               0644);
    deliver(n, 2, "alice@example.net", INVITE, NOTICE_DELIVERED);
    has(must_have(n, "mail"), "\nSubject: Welcome, alice\n");
    has(must_have(n, "mail"), "\n\nR3LDvMOfZQ0K\n");
    /* Broken, unreadable, no file: told, and the built-in one is sent. */
    static const char *const broken[] = {"Subject: x\n\n{{no_such}}\n", "no subject\n",
                                         "Subject: \xff\n", "Subject: x\n\n\x1b[2J\n", ""};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        write_file(n, "templates/invite.txt", broken[i], 0644);
        deliver(n, 10 + i, "alice@example.net", INVITE, NOTICE_DELIVERED);
        has(must_have(n, "mail"), "\nSubject: Your account at Ours\n");
        logged(n, "invite.txt cannot be used, the text that was built in is: ");
    }
    snprintf(path, sizeof(path), "%s/invite.txt", n->templates);
    unlink(path);
    assert_int_equal(mkfifo(path, 0666), 0);
    deliver(n, 4, "alice@example.net", INVITE, NOTICE_DELIVERED);
    logged(n, "it is not a regular file");
    if (geteuid() == 0) {
        write_file(n, "templates/invite.txt", "Subject: secret\n", 0600);
        deliver(n, 5, "alice@example.net", INVITE, NOTICE_DELIVERED);
        has(must_have(n, "mail"), "\nSubject: Your account at Ours\n");
        logged(n, "Permission denied");
    }
}

/* The operator's command for events: the facts as they are, the kind as its last word. */
static void events(void **state)
{
    struct notify *n = *state;
    char command[512];

    snprintf(command, sizeof(command), "%s/hook \"a b\"", n->base);
    n->setup.command = slice_text(command);
    script(n, "exit 1");
    write_file(n, "hook",
               "#!/bin/sh\nD=${0%/*}\nfor a; do echo \"[$a]\"; done >$D/words; cat >$D/json\n",
               0755);
    ready(n);
    give(n, 3, "events", "", "{\"events\": [{\"what\": \"upload\"}]}");
    const struct told told = asked(n);
    assert_int_equal(told.outcome, NOTICE_DELIVERED);
    assert_string_equal(must_have(n, "words"), "[a b]\n[events]\n");
    assert_string_equal(must_have(n, "json"), "{\"events\": [{\"what\": \"upload\"}]}");
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, notify_new, notify_free)
    const struct CMUnitTest tests[] = {
        TEST(delivers), TEST(outcomes),      TEST(no_command),    TEST(hanging), TEST(floods),
        TEST(refused),  TEST(hostile_names), TEST(own_templates), TEST(events),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
