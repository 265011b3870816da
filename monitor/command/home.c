/* Homes of accounts. Run with the operator's privilege over a path that may lead through folders of
 * others: the last folder is opened without following a link, and given away only if it is the one
 * that was just made. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/command/command.h"

/* Open the folder above a path, making what is missing (0755, root's). *name: the last part. */
static int open_above(char *path, const char **name)
{
    char *last = strrchr(path, '/');

    *name = last + 1;
    if (last == path)
        return open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    *last = '\0';
    for (char *at = path + 1;; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        const char kept = *at;
        *at = '\0';
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            return -1;
        *at = kept;
        if (kept == '\0')
            break;
    }
    return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* A home that was there already: say so where it is not the account's. */
static enum home_state look_at(const char *home, const struct stat *st, uint32_t uid)
{
    if (!S_ISDIR(st->st_mode)) {
        tell("%s is there already and is not a folder", home);
        return HOME_FAILED;
    }
    if (st->st_uid != uid)
        tell("note: %s was there already and belongs to uid %u, not to the account's %u; it was "
             "left as it is",
             home, (unsigned)st->st_uid, (unsigned)uid);
    return HOME_KEPT;
}

/* Give the folder that was just made to the account. */
static int give(int fd, uint32_t uid, uint32_t gid)
{
    struct stat st;

    if (fstat(fd, &st) < 0 || fchmod(fd, 0700) < 0)
        return -1;
    if (geteuid() != 0 || st.st_uid == uid)
        return 0;
    if (st.st_uid != 0) {
        errno = EPERM; /* somebody put another folder in its place */
        return -1;
    }
    return fchown(fd, uid, gid);
}

enum home_state home_make(const char *home, uint32_t uid, uint32_t gid)
{
    char path[4096];
    const char *name;
    struct stat st;
    int above = -1, fd = -1;
    enum home_state state = HOME_FAILED;

    if (slice_copy(slice_text(home), path, sizeof(path)) < 0) {
        errno = ENAMETOOLONG;
        goto failed;
    }
    for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
        path[n - 1] = '\0';
    above = open_above(path, &name);
    if (above < 0)
        goto failed;
    if (fstatat(above, name[0] != '\0' ? name : "/", &st, 0) == 0) {
        state = look_at(home, &st, uid);
        goto out;
    }
    if (mkdirat(above, name, 0700) < 0)
        goto failed;
    fd = openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || give(fd, uid, gid) < 0)
        goto failed;
    state = HOME_MADE;
    goto out;
failed:
    tell("home %s cannot be made: %s", home, strerror(errno));
out:
    if (fd >= 0)
        close(fd);
    if (above >= 0)
        close(above);
    return state;
}
