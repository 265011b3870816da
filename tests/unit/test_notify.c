/* sallyport-notify as a process of its own: the real binary (from SALLYPORT_BUILD, else
 * build/release), its monitor and its store played here, the sendmail command a small script. What
 * the script is given is looked at, and what the store is told came of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/facts.h"
#include "common/message.h"
#include "common/spawn.h"

#define NOTIFY_ID   39003
#define PATIENCE_MS 30000
#define INVITE                                                                                     \
    "{\"account\": \"alice\", \"organisation\": \"Ours\", \"token\": \"TOKEN\", \"expires\": "     \
    "1795788300}"

struct notify {
    pid_t pid;
    int monitor, store;            /* our ends of its links */
    char base[64], templates[128]; /* a folder that its id may write to */
    char sendmail[256];
    struct notify_setup setup;
    struct notify_ready ready;
    struct envelope envelope;
};

/* ---- the two that it speaks to -----------------------------------------------------------------
 */

static int make(void **state)
{
    struct notify *n = calloc(1, sizeof(*n));

    assert_non_null(n);
    n->monitor = n->store = -1;
    snprintf(n->base, sizeof(n->base), "/tmp/sallyport-notify-XXXXXX");
    assert_non_null(mkdtemp(n->base));
    assert_int_equal(chmod(n->base, 0777), 0);
    snprintf(n->sendmail, sizeof(n->sendmail), "%s/sendmail", n->base);
    n->setup = (struct notify_setup){
        .uid = geteuid() == 0 ? NOTIFY_ID : 0,
        .gid = geteuid() == 0 ? NOTIFY_ID : 0,
        .log_level = 3,
        .sendmail = slice_text(n->sendmail),
        .from = slice_text("sallyport@example.org"),
        .organisation = slice_text("Ours"),
        .base = slice_text("https://files.example.org"),
        .seconds = 20,
    };
    *state = n;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)type;
    (void)walk;
    return remove(path);
}

static int wait_end(struct notify *n)
{
    int status = -1;

    assert_int_equal(waitpid(n->pid, &status, 0), n->pid);
    n->pid = 0;
    return status;
}

static int destroy(void **state)
{
    struct notify *n = *state;

    if (n->pid > 0) {
        kill(n->pid, SIGKILL);
        wait_end(n);
    }
    close(n->monitor);
    close(n->store);
    nftw(n->base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(n);
    return 0;
}

static void new_link(int *ours, int *theirs)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    *ours = pair[0];
    *theirs = pair[1];
}

static void spawn(struct notify *n)
{
    const char *build = getenv("SALLYPORT_BUILD");
    int theirs;

    close(n->store);
    close(n->monitor);
    new_link(&n->store, &theirs);
    n->pid = priv_spawn(build != NULL ? build : "build/release", "sallyport-notify", &n->monitor);
    if (n->pid < 0)
        fail_msg("sallyport-notify cannot be started: %s", strerror(errno));
    assert_int_equal(send_notify_setup_fds(n->monitor, 1, &n->setup, &theirs, 1), 0);
    close(theirs);
}

/* The next message of it on one of its links; 0: it is gone. */
static int receive(struct notify *n, int link)
{
    struct pollfd ready = {.fd = link, .events = POLLIN};

    envelope_clear(&n->envelope);
    if (poll(&ready, 1, PATIENCE_MS) != 1)
        fail_msg("it says nothing");
    const int got = message_receive(link, &n->envelope, 0);
    if (got < 0)
        fail_msg("what it says is no message: %s", strerror(errno));
    return got;
}

static void start(struct notify *n)
{
    spawn(n);
    assert_int_equal(receive(n, n->monitor), 1);
    assert_int_equal(decode_notify_ready(&n->envelope, &n->ready), 0);
}

/* The outcome that it tells as it asks for the next notice. */
struct told {
    uint64_t number;
    uint8_t outcome;
    char text[256];
};

static struct told asked(struct notify *n)
{
    struct notice_wanted wanted;
    struct told told;

    if (receive(n, n->store) == 0)
        fail_msg("it ended: status %#x", (unsigned)wait_end(n));
    assert_int_equal(decode_notice_wanted(&n->envelope, &wanted), 0);
    told.number = wanted.number;
    told.outcome = wanted.outcome;
    assert_int_equal(slice_copy(wanted.text, told.text, sizeof(told.text)), 0);
    return told;
}

static void give(struct notify *n, uint64_t number, const char *kind, const char *to,
                 const char *facts)
{
    const struct notice notice = {.number = number,
                                  .kind = slice_text(kind),
                                  .to = slice_text(to),
                                  .facts = slice_text(facts)};

    assert_int_equal(send_notice(n->store, 0, &notice), 0);
}

/* Start, and the first question: nothing came before it. */
static void ready(struct notify *n)
{
    start(n);
    const struct told told = asked(n);
    assert_int_equal(told.number, 0);
    assert_int_equal(told.outcome, NOTICE_NONE);
    assert_string_equal(told.text, "");
}

/* Deliver one, and this must come of it. */
static struct told deliver(struct notify *n, uint64_t number, const char *to, const char *facts,
                           enum notice_outcome outcome)
{
    give(n, number, "invite", to, facts);
    const struct told told = asked(n);
    if (told.number != number || told.outcome != outcome)
        fail_msg("notice %d has outcome %d: %s", (int)told.number, told.outcome, told.text);
    return told;
}

/* Nothing may come on a link now. */
static void silent(int link)
{
    struct pollfd quiet = {.fd = link, .events = POLLIN};

    assert_int_equal(poll(&quiet, 1, 100), 0);
}

/* ---- commands and what they were given ---------------------------------------------------------
 */

static void write_file(const struct notify *n, const char *name, const char *text, mode_t mode)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", n->base, name);
    unlink(path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

/* The sendmail command; $D is the test's folder. */
static void script(const struct notify *n, const char *text)
{
    char whole[4096];

    snprintf(whole, sizeof(whole), "#!/bin/sh\nD=%s\n%s\n", n->base, text);
    write_file(n, "sendmail", whole, 0755);
}

static const char *content(const struct notify *n, const char *name)
{
    static char text[300000];
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", n->base, name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return NULL;
    const size_t len = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[len] = '\0';
    return text;
}

static const char *must_have(const struct notify *n, const char *name)
{
    for (int i = 0; i < PATIENCE_MS / 10; i++) {
        const char *text = content(n, name);
        if (text != NULL && text[0] != '\0')
            return text;
        usleep(10000);
    }
    fail_msg("there is no %s", name);
    return NULL;
}

static void has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("no \"%s\" in:\n%s", part, text);
}

/* ---- tests -------------------------------------------------------------------------------------
 */

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

static bool alive(const char *pid)
{
    char path[64], line[256] = "";

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)strtol(pid, NULL, 10));
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    const bool read = fgets(line, sizeof(line), file) != NULL;
    fclose(file);
    return read && strstr(line, ") Z") == NULL;
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

/* What is refused is never given to a command. */
static void refused(void **state)
{
    static const struct {
        const char *kind, *to, *facts, *why;
    } cases[] = {
        {"invite", "alice@example.net\nBcc: x@y", INVITE, "address"},
        {"invite", "alice@example.net, x@y", INVITE, "address"},
        {"invite", "-oQ/tmp@example.net", INVITE, "address"},
        {"invite", "alice", INVITE, "address"},
        {"invite", "\"a b\"@example.net", INVITE, "address"},
        {"no-such", "alice@example.net", INVITE, "no such kind"},
        {"../invite", "alice@example.net", INVITE, "no such kind"},
        {"", "alice@example.net", INVITE, "no such kind"},
        {"invite", "alice@example.net", "", "facts"},
        {"invite", "alice@example.net", "[]", "facts"},
        {"invite", "alice@example.net", "{\"account\": \"a\"", "facts"},
        {"invite", "alice@example.net", "{\"account\": \"a\"}", "there is no {{link}}"},
        {"invite", "", INVITE, "no command for events"},
    };
    struct notify *n = *state;

    script(n, "touch $D/run");
    ready(n);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        give(n, i + 1, cases[i].kind, cases[i].to, cases[i].facts);
        const struct told told = asked(n);
        assert_int_equal(told.number, i + 1);
        assert_int_equal(told.outcome, NOTICE_REFUSED);
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

/* A line for the log, in this order between others. */
static void logged(struct notify *n, const char *part)
{
    char text[513] = "nothing";
    struct notify_log line;

    while (strstr(text, part) == NULL) {
        struct pollfd ready = {.fd = n->monitor, .events = POLLIN};
        if (poll(&ready, 1, PATIENCE_MS) != 1)
            fail_msg("\"%s\" was not logged; the last line: %s", part, text);
        assert_int_equal(receive(n, n->monitor), 1);
        assert_int_equal(decode_notify_log(&n->envelope, &line), 0);
        slice_copy(line.text, text, sizeof(text));
    }
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
              "exec ls /proc/self/fd >$D/fds");
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
#define TEST(function) cmocka_unit_test_setup_teardown(function, make, destroy)
    const struct CMUnitTest tests[] = {
        TEST(delivers),     TEST(outcomes),  TEST(no_command),    TEST(hanging),
        TEST(floods),       TEST(refused),   TEST(hostile_names), TEST(own_templates),
        TEST(another_link), TEST(restarted), TEST(stopped),       TEST(surroundings),
        TEST(set_gid),      TEST(sandboxed), TEST(events),        TEST(bad_messages),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
