/* Runs the operator's commands: by posix_spawn, never by a shell, with an environment of its own, a
 * pipe each way and nothing else open. What a command says is kept for a line of the log and
 * otherwise thrown away, however much it is; one that does not end is killed with its group. */
#include "monitor/notify/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define LINE_MOST 120  /* bytes of what it said, for a reason */
#define KILLED_MS 5000 /* for one that was killed to be gone; it is not waited for longer */

/* What an exit status means (sysexits.h). All others: later, as the operator may mend what is wrong
 * with the command or its configuration. */
static const struct {
    int status;
    enum notice_outcome outcome;
    const char *meaning;
} statuses[] = {
    {EX_OK, NOTICE_DELIVERED, ""},
    {EX_USAGE, NOTICE_LATER, ": wrong usage"},
    {EX_DATAERR, NOTICE_REFUSED, ": the message or its address is not taken"},
    {EX_NOUSER, NOTICE_REFUSED, ": there is no such recipient"},
    {EX_NOHOST, NOTICE_LATER, ": the relay's name is not known"},
    {EX_UNAVAILABLE, NOTICE_LATER, ": unavailable"},
    {EX_SOFTWARE, NOTICE_LATER, ": an error of its own"},
    {EX_OSERR, NOTICE_LATER, ": an error of the system"},
    {EX_CANTCREAT, NOTICE_LATER, ": a file cannot be made"},
    {EX_IOERR, NOTICE_LATER, ": input or output failed"},
    {EX_TEMPFAIL, NOTICE_LATER, ": not now"},
    {EX_PROTOCOL, NOTICE_LATER, ": the relay said what it does not understand"},
    {EX_NOPERM, NOTICE_LATER, ": not permitted"},
    {EX_CONFIG, NOTICE_LATER, ": its configuration is wrong"},
};

int64_t run_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Its first line with anything in it, as far as it is readable. */
static void first_line(const struct run *run, char line[LINE_MOST + 1])
{
    size_t from = 0, n = 0;

    while (from < run->said && (unsigned char)run->words[from] <= ' ')
        from++;
    for (; from < run->said && run->words[from] != '\n' && n < LINE_MOST; from++) {
        const unsigned char c = (unsigned char)run->words[from];
        line[n++] = c >= 0x20 && c < 0x7f ? (char)c : '?';
    }
    line[n] = '\0';
}

static void __attribute__((format(printf, 3, 4)))
over(struct run *run, enum notice_outcome outcome, const char *format, ...)
{
    char line[LINE_MOST + 1];
    va_list arguments;

    va_start(arguments, format);
    const int n = vsnprintf(run->why, sizeof(run->why), format, arguments);
    va_end(arguments);
    first_line(run, line);
    if (n >= 0 && (size_t)n + sizeof(line) + 2 <= sizeof(run->why) && line[0] != '\0' &&
        outcome != NOTICE_DELIVERED)
        snprintf(run->why + n, sizeof(line) + 2, ": %s", line);
    run->outcome = outcome;
    run->pid = 0;
    close_one(&run->ended);
    close_one(&run->input);
    close_one(&run->output);
    draft_clear(&run->text);
}

static int child_actions(posix_spawn_file_actions_t *actions, int input, int output)
{
    int r;

    if ((r = posix_spawn_file_actions_adddup2(actions, input, STDIN_FILENO)) != 0 ||
        (r = posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO)) != 0 ||
        (r = posix_spawn_file_actions_adddup2(actions, output, STDERR_FILENO)) != 0)
        return r;
    return posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
}

/* A process group of its own; signals as a new process expects them: none blocked, none ignored. */
static int child_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    int r;

    sigemptyset(&none);
    sigfillset(&all);
    if ((r = posix_spawnattr_setsigmask(attributes, &none)) != 0 ||
        (r = posix_spawnattr_setsigdefault(attributes, &all)) != 0 ||
        (r = posix_spawnattr_setpgroup(attributes, 0)) != 0)
        return r;
    return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                    POSIX_SPAWN_SETPGROUP);
}

/* 0, or an errno. */
static int spawn(struct run *run, const struct command_line *command, int input, int output)
{
    char *const environment[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int r;

    if ((r = posix_spawn_file_actions_init(&actions)) != 0)
        return r;
    if ((r = posix_spawnattr_init(&attributes)) != 0)
        goto free_actions;
    if ((r = child_actions(&actions, input, output)) == 0 &&
        (r = child_attributes(&attributes)) == 0)
        r = posix_spawn(&run->pid, command->words[0], &actions, &attributes, command->words,
                        environment);
    posix_spawnattr_destroy(&attributes);
free_actions:
    posix_spawn_file_actions_destroy(&actions);
    return r;
}

static int not_blocking(int fd)
{
    return fcntl(fd, F_SETFL, O_NONBLOCK);
}

int run_start(struct run *run, const struct command_line *command, struct draft *text,
              uint32_t seconds)
{
    const char *slash = strrchr(command->words[0], '/');
    int in[2] = {-1, -1}, out[2] = {-1, -1};
    int error = 0;

    *run = (struct run){.ended = -1, .input = -1, .output = -1, .text = *text};
    *text = (struct draft){0};
    snprintf(run->program, sizeof(run->program), "%.60s", slash != NULL ? slash + 1 : "");
    run->deadline_ms = run_now_ms() + (int64_t)seconds * 1000;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue; /* one that could not be killed has ended since */
    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || not_blocking(in[1]) < 0 ||
        not_blocking(out[0]) < 0) {
        error = errno;
    } else if ((error = spawn(run, command, in[0], out[1])) == 0) {
        run->ended = (int)syscall(SYS_pidfd_open, run->pid, 0);
        error = run->ended < 0 ? errno : 0;
    }
    run->input = in[1];
    run->output = out[0];
    close_one(&in[0]);
    close_one(&out[1]);
    if (error == 0)
        return 0;
    if (run->pid > 0) { /* it runs, and cannot be watched */
        kill(-run->pid, SIGKILL);
        waitpid(run->pid, NULL, 0);
    }
    over(run, NOTICE_LATER, "%.80s cannot be run: %s", command->words[0], strerror(error));
    return -1;
}

void run_polls(const struct run *run, struct pollfd polls[RUN_POLLS])
{
    polls[0] = (struct pollfd){.fd = run->ended, .events = POLLIN};
    polls[1] = (struct pollfd){.fd = run->input, .events = POLLOUT};
    polls[2] = (struct pollfd){.fd = run->output, .events = POLLIN};
}

/* Give what there is room for. A command that wants no more may still say that all is well. */
static void give(struct run *run)
{
    while (run->input >= 0) {
        const size_t left = run->text.len - run->given;
        const ssize_t n = left > 0 ? write(run->input, run->text.data + run->given, left) : 0;
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        run->given += n > 0 ? (size_t)n : 0;
        if (n < 0 || run->given == run->text.len)
            close_one(&run->input);
    }
}

/* Take what it has said so far, a bounded part of it at a time. */
static void take(struct run *run)
{
    char words[4096];

    for (int i = 0; i < 16 && run->output >= 0; i++) {
        const ssize_t n = read(run->output, words, sizeof(words));
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0)
            close_one(&run->output);
        for (ssize_t k = 0; k < n && run->said < sizeof(run->words); k++)
            run->words[run->said++] = words[k];
    }
}

/* It has ended, and what is left of it in memory is taken. */
static void judge(struct run *run)
{
    int status = 0;

    if (waitpid(run->pid, &status, WNOHANG) != run->pid) {
        over(run, NOTICE_LATER, "%s: nobody knows how it ended", run->program);
        return;
    }
    if (WIFSIGNALED(status)) {
        over(run, NOTICE_LATER, "%s was killed by signal %d", run->program, WTERMSIG(status));
        return;
    }
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        if (statuses[i].status == WEXITSTATUS(status)) {
            over(run, statuses[i].outcome, "%s ended with status %d%s", run->program,
                 WEXITSTATUS(status), statuses[i].meaning);
            return;
        }
    }
    over(run, NOTICE_LATER, "%s ended with status %d", run->program, WEXITSTATUS(status));
}

void run_kill(struct run *run)
{
    struct pollfd gone = {.fd = run->ended, .events = POLLIN};

    kill(-run->pid, SIGKILL);
    kill(run->pid, SIGKILL);
    /* One that has become another user cannot be killed, and is left to itself. */
    if (poll(&gone, 1, KILLED_MS) > 0)
        waitpid(run->pid, NULL, WNOHANG);
    take(run);
    over(run, NOTICE_LATER, "%s did not end in time and was killed", run->program);
}

bool run_go_on(struct run *run)
{
    struct pollfd gone = {.fd = run->ended, .events = POLLIN};

    if (poll(&gone, 1, 0) > 0) {
        take(run);
        judge(run);
        return true;
    }
    if (run_now_ms() >= run->deadline_ms) {
        run_kill(run);
        return true;
    }
    give(run);
    take(run);
    return false;
}
