/* Uploads that appear under their name only when whole, and what puts changes on the disk. Called
 * by open.c and names.c with descriptors of folders in the view. Must never publish over a file
 * that the account may not replace, nor remove a temporary that another session still writes: each
 * is locked (flock) by the descriptor that writes it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "monitor/files/agent.h"

#define NAME_TRIES 16

/* A fresh name: the prefix and 96 random bits. */
static int temporary_name(const char *prefix, char name[TEMPORARY_SIZE])
{
    uint8_t random[12];
    size_t at = strlen(prefix);

    /* The call itself: newer C libraries make others around it, which the filter has not. */
    if (syscall(SYS_getrandom, random, sizeof(random), 0) != (long)sizeof(random)) {
        errno = EIO;
        return -1;
    }
    memcpy(name, prefix, at);
    for (size_t i = 0; i < sizeof(random); i++, at += 2)
        snprintf(name + at, 3, "%02x", random[i]);
    return 0;
}

/* Locked, and still there: somebody sweeping may have been quicker. Where there are no locks nobody
 * sweeps. */
static bool temporary_ours(int fd)
{
    struct stat st;

    if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        return false;
    return fstat(fd, &st) == 0 && st.st_nlink > 0;
}

int temporary_make(int parent, const char *prefix, int flags, mode_t mode,
                   char name[TEMPORARY_SIZE])
{
    int error = EAGAIN;

    for (int tries = 0; tries < NAME_TRIES; tries++) {
        if (temporary_name(prefix, name) < 0) {
            error = errno;
            break;
        }
        const int fd = name_open(parent, name, flags | O_CREAT | O_EXCL, mode);
        if (fd >= 0 && temporary_ours(fd))
            return fd;
        if (fd < 0 && errno != EEXIST) {
            error = errno;
            break;
        }
        if (fd >= 0) {
            close(fd);
            unlinkat(parent, name, 0); /* if nobody has swept it */
        }
    }
    name[0] = '\0';
    errno = error;
    return -1;
}

int temporary_take(int parent, const char *name)
{
    struct stat st;

    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
        return -1;
    int fd = name_open(parent, name, O_WRONLY | O_NONBLOCK | O_NOCTTY, 0);
    if (fd < 0)
        fd = name_open(parent, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

void temporary_sweep(int parent, const char *name)
{
    if (partial_sweep(parent, name))
        return;
    const int fd = temporary_take(parent, name);
    if (fd < 0)
        return;
    unlinkat(parent, name, 0);
    close(fd);
}

/* For file systems without RENAME_NOREPLACE. A file: link, which never replaces, and unlink. A
 * folder: rename, which replaces at most an empty one. */
static int move_without_replacing(int from_parent, const char *from, int to_parent, const char *to)
{
    struct stat st;

    if (fstatat(to_parent, to, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        return -1;
    }
    if (fstatat(from_parent, from, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    if (S_ISDIR(st.st_mode))
        return renameat2(from_parent, from, to_parent, to, 0);
    if (linkat(from_parent, from, to_parent, to, 0) < 0)
        return -1;
    return unlinkat(from_parent, from, 0);
}

int name_move(int from_parent, const char *from, int to_parent, const char *to, bool replace)
{
    if (renameat2(from_parent, from, to_parent, to, replace ? 0 : RENAME_NOREPLACE) == 0)
        return 0;
    if (!replace && errno == EINVAL)
        return move_without_replacing(from_parent, from, to_parent, to);
    return -1;
}

int temporary_publish(int parent, const char *temporary, const char *name, bool replace)
{
    return name_move(parent, temporary, parent, name, replace);
}

int folder_sync(int parent)
{
    const int fd = name_open(parent, ".", O_RDONLY | O_DIRECTORY, 0);
    int r;

    if (fd < 0)
        return -1;
    r = fsync(fd);
    if (r < 0 && errno == EINVAL) /* a file system that has nothing to sync in folders */
        r = 0;
    const int error = errno;
    close(fd);
    errno = error;
    return r;
}
