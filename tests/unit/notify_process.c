/* The tests' own small monitor and store of sallyport-notify: they start the built binary (from
 * SALLYPORT_BUILD, else build/release) and speak real messages to it. */
#include "tests/unit/notify_process.h"

#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/spawn.h"

/* ---- the two that it speaks to -----------------------------------------------------------------
 */

int notify_new(void **state)
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

int wait_end(struct notify *n)
{
    int status = -1;

    assert_int_equal(waitpid(n->pid, &status, 0), n->pid);
    n->pid = 0;
    return status;
}

int notify_free(void **state)
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

void new_link(int *ours, int *theirs)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    *ours = pair[0];
    *theirs = pair[1];
}

void spawn(struct notify *n)
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
int receive(struct notify *n, int link)
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

struct told asked(struct notify *n)
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

void give(struct notify *n, uint64_t number, const char *kind, const char *to, const char *facts)
{
    const struct notice notice = {.number = number,
                                  .kind = slice_text(kind),
                                  .to = slice_text(to),
                                  .facts = slice_text(facts)};

    assert_int_equal(send_notice(n->store, 0, &notice), 0);
}

/* Start, and the first question: nothing came before it. */
void ready(struct notify *n)
{
    start(n);
    const struct told told = asked(n);
    assert_int_equal(told.number, 0);
    assert_int_equal(told.outcome, NOTICE_NONE);
    assert_string_equal(told.text, "");
}

/* Deliver one, and this must come of it. */
struct told deliver(struct notify *n, uint64_t number, const char *to, const char *facts,
                    enum notice_outcome outcome)
{
    give(n, number, "invite", to, facts);
    const struct told told = asked(n);
    if (told.number != number || told.outcome != outcome)
        fail_msg("notice %d has outcome %d: %s", (int)told.number, told.outcome, told.text);
    return told;
}

/* Nothing may come on a link now. */
void silent(int link)
{
    struct pollfd quiet = {.fd = link, .events = POLLIN};

    assert_int_equal(poll(&quiet, 1, 100), 0);
}

/* ---- commands and what they were given ---------------------------------------------------------
 */

void write_file(const struct notify *n, const char *name, const char *text, mode_t mode)
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
void script(const struct notify *n, const char *text)
{
    char whole[4096];

    snprintf(whole, sizeof(whole), "#!/bin/sh\nD=%s\n%s\n", n->base, text);
    write_file(n, "sendmail", whole, 0755);
}

const char *content(const struct notify *n, const char *name)
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

const char *must_have(const struct notify *n, const char *name)
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

void has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("no \"%s\" in:\n%s", part, text);
}

bool alive(const char *pid)
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

/* A line for the log, in this order between others. */
void logged(struct notify *n, const char *part)
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
