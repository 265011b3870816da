/* posix_spawn with the descriptors of the design. Must never leave a descriptor of the caller open
 * in the child: everything from FD_MONITOR + 1 up is closed by the file actions. */
#include "common/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/facts.h"
#include "common/message.h"

static int child_actions(posix_spawn_file_actions_t *actions, int link)
{
    int r = 0;

    if ((r = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0)) != 0 ||
        (r = posix_spawn_file_actions_addopen(actions, 1, "/dev/null", O_WRONLY, 0)) != 0 ||
#ifndef SALLYPORT_KEEP_STDERR
        (r = posix_spawn_file_actions_addopen(actions, 2, "/dev/null", O_WRONLY, 0)) != 0 ||
#endif
        (r = posix_spawn_file_actions_adddup2(actions, link, FD_MONITOR)) != 0)
        return r;
    return posix_spawn_file_actions_addclosefrom_np(actions, FD_MONITOR + 1);
}

/* Signals as a new process expects them: none blocked, none ignored. */
static int child_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    int r;

    sigemptyset(&none);
    sigfillset(&all);
    if ((r = posix_spawnattr_setsigmask(attributes, &none)) != 0 ||
        (r = posix_spawnattr_setsigdefault(attributes, &all)) != 0)
        return r;
    return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

pid_t priv_spawn(const char *directory, const char *program, int *link)
{
    char path[4352];
    char *const arguments[] = {(char *)program, NULL};
    char *const environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int pair[2] = {-1, -1};
    pid_t pid = -1;
    int r;

    const int n = snprintf(path, sizeof(path), "%s/%s", directory, program);
    if (n < 0 || (size_t)n >= sizeof(path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -1;
    message_refuse_descriptors(pair[0]); /* no child has one to send to who started it */
    if ((r = posix_spawn_file_actions_init(&actions)) != 0)
        goto close_pair;
    if ((r = posix_spawnattr_init(&attributes)) != 0)
        goto free_actions;
    /* dup2 onto itself would keep close-on-exec set: move out of the way first. */
    if (pair[1] == FD_MONITOR) {
        const int moved = fcntl(pair[1], F_DUPFD_CLOEXEC, FD_MONITOR + 1);
        r = moved < 0 ? errno : 0;
        if (moved >= 0) {
            close(pair[1]);
            pair[1] = moved;
        }
    }
    if (r == 0 && (r = child_actions(&actions, pair[1])) == 0 &&
        (r = child_attributes(&attributes)) == 0)
        r = posix_spawn(&pid, path, &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
free_actions:
    posix_spawn_file_actions_destroy(&actions);
close_pair:
    close(pair[1]);
    if (r != 0) {
        close(pair[0]);
        errno = r;
        return -1;
    }
    *link = pair[0];
    return pid;
}
