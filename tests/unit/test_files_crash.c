/* Uploads in parts and the agent's death between every two steps: it is killed (SIGKILL) at each of
 * its system calls in turn that change anything, before the call is made. Afterwards there is the
 * upload, to be gone on with, or the whole file; never neither, and nothing is left for good.
 * Without root nothing can be traced: skipped. */
#include "tests/unit/files_session.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HIDDEN    ".sallyport-upload."
#define FD_WORKER 4
#define STEPS_MAX 100
#define LONG_AGO  (INT64_C(30) * 24 * 3600)

/* ------------------------------------------------------------------------- killing */

static bool is_step(const struct __ptrace_syscall_info *info)
{
    static const long steps[] = {SYS_openat2,   SYS_symlinkat, SYS_renameat2, SYS_renameat,
                                 SYS_unlinkat,  SYS_fchmod,    SYS_utimensat, SYS_fsync,
                                 SYS_ftruncate, SYS_flock,     SYS_linkat};

    /* Of those to the store, which come when they come, none is a step of a request. */
    if (info->entry.nr == SYS_sendmsg)
        return info->entry.args[0] == FD_WORKER;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (info->entry.nr == (uint64_t)steps[i])
            return true;
    }
    return false;
}

/* Send a request and kill the agent at its n-th step of it, from 1. Returns whether it was; else it
 * has answered, and the answer waits. */
static bool kill_at(struct session *s, enum message_type type, const void *message, int n)
{
    struct __ptrace_syscall_info info;
    bool answers = false;
    int status, step = 0;

    assert_int_equal(ptrace(PTRACE_SEIZE, s->pid, NULL, PTRACE_O_TRACESYSGOOD), 0);
    assert_int_equal(ptrace(PTRACE_INTERRUPT, s->pid, NULL, NULL), 0);
    assert_int_equal(waitpid(s->pid, &status, __WALL), s->pid);
    assert_int_equal(message_send(s->worker, type, ++s->id, message, NULL, 0), 0);
    while (!answers) {
        assert_int_equal(ptrace(PTRACE_SYSCALL, s->pid, NULL, NULL), 0);
        assert_int_equal(waitpid(s->pid, &status, __WALL), s->pid);
        assert_true(WIFSTOPPED(status));
        if (WSTOPSIG(status) != (SIGTRAP | 0x80))
            continue;
        assert_true(ptrace(PTRACE_GET_SYSCALL_INFO, s->pid, sizeof(info), &info) > 0);
        if (info.op != PTRACE_SYSCALL_INFO_ENTRY || !is_step(&info))
            continue;
        if (++step == n) {
            session_kill(s);
            return true;
        }
        answers = info.entry.nr == SYS_sendmsg;
    }
    assert_int_equal(ptrace(PTRACE_DETACH, s->pid, NULL, NULL), 0);
    assert_int_equal(message_receive(s->worker, &s->answer, 0), 1);
    envelope_clear(&s->answer); /* with the descriptor, where one came */
    return false;
}

/* ------------------------------------------------------------------------- what there is */

/* Whose note says that it is from long ago. */
static void age_all(const struct session *s)
{
    const struct timespec then = {.tv_sec = time(NULL) - LONG_AGO};
    const struct timespec times[2] = {then, then};
    const struct dirent *entry;
    DIR *folder = opendir(s->home);

    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL) {
        if (strncmp(entry->d_name, HIDDEN "note.", sizeof(HIDDEN "note.") - 1) == 0)
            assert_int_equal(utimensat(dirfd(folder), entry->d_name, times, AT_SYMLINK_NOFOLLOW),
                             0);
    }
    closedir(folder);
}

static size_t count_hidden(const struct session *s)
{
    const struct dirent *entry;
    DIR *folder = opendir(s->home);
    size_t count = 0;

    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL)
        count += strncmp(entry->d_name, HIDDEN, sizeof(HIDDEN) - 1) == 0;
    closedir(folder);
    return count;
}

/* One story: an account, whether there is a file already, and the request that is cut short. */
enum cut { CUT_BEGIN, CUT_GO_ON, CUT_KEEP, CUT_WHOLE, CUT_DROP, CUT_SWEEP, CUT_COUNT };

static const char *const cut_names[CUT_COUNT] = {"begin", "go on", "keep",
                                                 "whole", "drop",  "sweep"};

struct story {
    enum cut cut;
    uint32_t flags;
    bool exists;
    char id[UPLOAD_ID + 1]; /* of the upload, but for one that is cut at its beginning */
    int fd;                 /* the worker's */
};

static int begin(struct session *s, struct part *part)
{
    const struct file_upload m = {.path = slice_text("/f"),
                                  .size = 5,
                                  .mtime_ns = INT64_C(1234567890000000000),
                                  .replace = true};

    return ask_part(s, &m, part);
}

/* Up to the request that is cut short; then that. Returns whether the agent was killed. */
static bool play(struct session *s, struct story *story, int n)
{
    const struct file_upload new = {
        .path = slice_text("/f"), .size = 5, .mtime_ns = -1, .replace = true};
    struct file_close end = {.whole = CLOSE_BROKEN};
    struct part part, list = {.fd = -1};

    story->fd = -1;
    if (story->cut == CUT_BEGIN)
        return kill_at(s, MSG_file_upload, &new, n);
    assert_int_equal(begin(s, &part), 0);
    memcpy(story->id, part.id, sizeof(story->id));
    assert_int_equal(pwrite(part.fd, "whole", 5, 0), 5);
    if (story->cut == CUT_GO_ON || story->cut == CUT_SWEEP) {
        assert_int_equal(ask_end(s, &part, "", CLOSE_BROKEN), 0);
        const struct file_upload more = {.path = slice_text("/f"), .id = slice_text(story->id)};
        if (story->cut == CUT_GO_ON)
            return kill_at(s, MSG_file_upload, &more, n);
        age_all(s);
        assert_int_equal(ask_opendir(s, "/", &list.handle), 0);
        const struct file_readdir read = {.handle = list.handle};
        return kill_at(s, MSG_file_readdir, &read, n);
    }
    story->fd = part.fd;
    end.handle = part.handle;
    end.whole = story->cut == CUT_WHOLE  ? CLOSE_WHOLE
                : story->cut == CUT_DROP ? CLOSE_DROPPED
                                         : CLOSE_BROKEN;
    return kill_at(s, MSG_file_close, &end, n);
}

/* The file as it was before, if there was one. */
static bool is_old(const struct session *s, const struct story *story)
{
    struct stat st;

    return story->exists ? file_is(s, "home/f", "old") : !file_stat_is(s, "home/f", &st);
}

static bool is_new(const struct session *s)
{
    struct stat st;

    return file_is(s, "home/f", "whole") && file_stat_is(s, "home/f", &st) &&
           st.st_mtim.tv_sec == 1234567890;
}

/* The next session: what it finds, and what it can do with it. */
static void judge(struct session *s, const struct story *story)
{
    struct session *t = session_beside(s, RIGHTS_ALL, story->flags | ACCOUNT_PARTS);
    const bool may_end = story->cut == CUT_WHOLE;
    const bool may_go = story->cut == CUT_DROP || story->cut == CUT_SWEEP;
    struct part part;

    assert_true(is_old(s, story) || (may_end && is_new(s)));
    assert_false(listed(t, "/", "."));
    if (story->id[0] != '\0') {
        const int error = ask_go_on(t, "/f", story->id, &part);
        assert_true(error == 0 || (error == ENOENT && (may_go || is_new(s))));
        assert_true(error != 0 || is_old(s, story));
        if (error == 0) { /* all that was written is there, and can be published */
            assert_int_equal(part.offset, 5);
            assert_int_equal(ask_end(t, &part, "", CLOSE_WHOLE), 0);
            assert_true(is_new(s));
        }
    }
    age_all(s);
    assert_false(listed(t, "/", "."));
    assert_int_equal(count_hidden(s), 0);
    session_end(t);
}

/* At each step, until the request comes to its end without being killed. */
static void tell(struct story story)
{
    int n = 1;

    for (bool killed = true; killed; n++) {
        struct session *s = session_start(RIGHTS_ALL, story.flags | ACCOUNT_PARTS);
        if (story.exists)
            put_file(s, "home/f", "old", 0644);
        story.id[0] = '\0';
        killed = play(s, &story, n);
        if (story.fd >= 0)
            close(story.fd);
        if (!killed)
            session_kill(s); /* after its answer */
        judge(s, &story);
        session_end(s);
        assert_true(n < STEPS_MAX);
    }
    printf("%s%s%s: killed at %d steps\n", cut_names[story.cut], story.exists ? ", replacing" : "",
           (story.flags & ACCOUNT_DURABLE) != 0 ? ", durable" : "", n - 2);
    assert_true(n > 2);
}

static void test_every_step(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        printf("the agent's death at every step: skipped, ptrace needs root\n");
        return;
    }
    for (int i = 0; i < CUT_COUNT * 4; i++)
        tell((struct story){.cut = (enum cut)(i / 4),
                            .flags = (i & 1) != 0 ? ACCOUNT_DURABLE : 0,
                            .exists = (i & 2) != 0});
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_step)};

    return cmocka_run_group_tests_name("files, crashes", tests, NULL, NULL);
}
