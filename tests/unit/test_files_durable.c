/* What a durable account is promised: file and folder are on the disk before the answer. Seen in
 * the system calls of the running agent (ptrace); without root only in what is there afterwards. */
#include "tests/unit/files_session.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEW       (OPEN_WRITE | OPEN_CREATE | OPEN_TRUNCATE)
#define CALLS_MAX 4096
#define FD_WORKER 4

struct tracer {
    pid_t pid;
    pthread_t thread;
    atomic_bool attached, refused, stop;
    atomic_int count;
    struct {
        uint64_t number, first;
    } calls[CALLS_MAX];
};

static void record(struct tracer *t)
{
    struct __ptrace_syscall_info info;
    const int n = atomic_load(&t->count);

    if (n < CALLS_MAX && ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, sizeof(info), &info) > 0 &&
        info.op == PTRACE_SYSCALL_INFO_ENTRY) {
        t->calls[n].number = info.entry.nr;
        t->calls[n].first = info.entry.args[0];
        atomic_store(&t->count, n + 1);
    }
}

static void *trace(void *argument)
{
    struct tracer *t = argument;
    int status;

    if (ptrace(PTRACE_SEIZE, t->pid, NULL, PTRACE_O_TRACESYSGOOD) < 0 ||
        ptrace(PTRACE_INTERRUPT, t->pid, NULL, NULL) < 0) {
        atomic_store(&t->refused, true);
        return NULL;
    }
    while (waitpid(t->pid, &status, __WALL) == t->pid && WIFSTOPPED(status)) {
        if (WSTOPSIG(status) == (SIGTRAP | 0x80))
            record(t);
        if (atomic_load(&t->stop)) {
            ptrace(PTRACE_DETACH, t->pid, NULL, NULL);
            break;
        }
        ptrace(PTRACE_SYSCALL, t->pid, NULL, NULL);
        atomic_store(&t->attached, true);
    }
    return NULL;
}

static bool tracer_start(struct tracer *t, pid_t pid)
{
    memset(t, 0, sizeof(*t));
    t->pid = pid;
    assert_int_equal(pthread_create(&t->thread, NULL, trace, t), 0);
    while (!atomic_load(&t->attached) && !atomic_load(&t->refused))
        usleep(1000);
    return atomic_load(&t->attached);
}

static void tracer_stop(struct tracer *t, struct session *s)
{
    struct file_attributes a;

    atomic_store(&t->stop, true);
    ask_stat(s, "/", true, &a); /* something to stop at */
    pthread_join(t->thread, NULL);
}

/* The calls since mark, up to the answer, as a word of letters: F fsync, R rename, N a new name, U
 * unlink, A answer. */
static void calls_since(struct tracer *t, int mark, char *word, size_t size)
{
    static const struct {
        long number;
        char letter;
    } letters[] = {
        {SYS_fsync, 'F'},   {SYS_renameat2, 'R'}, {SYS_renameat, 'R'},
        {SYS_mkdirat, 'N'}, {SYS_unlinkat, 'U'},
    };
    size_t n = 0;

    for (int i = mark; i < atomic_load(&t->count) && n + 2 < size; i++) {
        for (size_t l = 0; l < sizeof(letters) / sizeof(letters[0]); l++) {
            if (t->calls[i].number == (uint64_t)letters[l].number)
                word[n++] = letters[l].letter;
        }
        if (t->calls[i].number == SYS_sendmsg && t->calls[i].first == FD_WORKER) {
            word[n++] = 'A';
            break;
        }
    }
    word[n] = '\0';
}

struct expectation {
    uint32_t flags;
    const char *close_new, *mkdir, *rename, *remove;
    const char *keep, *publish; /* of an upload in parts */
};

/* From mark to the answer the agent made these calls; without a tracer nothing is known. */
static void assert_calls(struct tracer *t, bool traced, int mark, const char *expected)
{
    char word[32];

    calls_since(t, mark, word, sizeof(word));
    if (traced)
        assert_string_equal(word, expected);
}

static void check_parts(struct session *s, struct tracer *t, bool traced,
                        const struct expectation *e)
{
    struct part part;

    assert_int_equal(ask_begin(s, "/p", 2, false, &part), 0);
    int mark = atomic_load(&t->count);
    assert_int_equal(ask_end(s, &part, "x", CLOSE_BROKEN), 0);
    assert_calls(t, traced, mark, e->keep);
    assert_int_equal(ask_go_on(s, "/p", part.id, &part), 0);
    mark = atomic_load(&t->count);
    assert_int_equal(ask_end(s, &part, "y", CLOSE_WHOLE), 0);
    assert_calls(t, traced, mark, e->publish);
    assert_true(file_is(s, "home/p", "xy"));
}

static void check(const struct expectation *e)
{
    static struct tracer t;
    struct session *s = session_start(RIGHTS_ALL, e->flags | ACCOUNT_PARTS);
    uint32_t handle;
    struct stat st;
    int fd;

    const bool traced = tracer_start(&t, s->pid);
    if (!traced)
        printf("the order of fsync and answer: skipped, ptrace needs root\n");
    assert_int_equal(ask_open(s, "/f", NEW, &handle, &fd), 0);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    int mark = atomic_load(&t.count);
    assert_int_equal(ask_close(s, handle, true), 0);
    assert_calls(&t, traced, mark, e->close_new);
    assert_true(file_is(s, "home/f", "x"));
    mark = atomic_load(&t.count);
    assert_int_equal(ask_mkdir(s, "/d"), 0);
    assert_calls(&t, traced, mark, e->mkdir);
    mark = atomic_load(&t.count);
    assert_int_equal(ask_rename(s, "/f", "/d/f", false), 0);
    assert_calls(&t, traced, mark, e->rename);
    assert_true(file_is(s, "home/d/f", "x"));
    mark = atomic_load(&t.count);
    assert_int_equal(ask_remove(s, "/d/f"), 0);
    assert_calls(&t, traced, mark, e->remove);
    assert_false(file_stat_is(s, "home/d/f", &st));
    check_parts(s, &t, traced, e);
    tracer_stop(&t, s);
    session_end(s);
}

static void test_order(void **state)
{
    static const struct expectation expectations[] = {
        {ACCOUNT_DURABLE, "FFA", "NFA", "RFFA", "UFA", "FFA", "FRUFA"},
        {ACCOUNT_DURABLE | ACCOUNT_ATOMIC, "FRFA", "NFA", "RFFA", "UFA", "FFA", "FRUFA"},
        {ACCOUNT_DURABLE | ACCOUNT_TRASH, "FFA", "NFA", "RFFA", "NRFFFA", "FFA", "FRUFA"},
        {ACCOUNT_ATOMIC, "RA", "NA", "RA", "UA", "A", "RUA"},
        {0, "A", "NA", "RA", "UA", "A", "RUA"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(expectations) / sizeof(expectations[0]); i++)
        check(&expectations[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order)};

    return cmocka_run_group_tests_name("files, durable", tests, NULL, NULL);
}
