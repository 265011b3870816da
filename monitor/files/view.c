/* Paths of the view and how they are resolved. Called by every handler that is given a path. Must
 * never hand the kernel a path that it would resolve from anywhere but a descriptor of the view:
 * whatever is longer than one name goes through openat2 with RESOLVE_IN_ROOT. */
#include "monitor/files/view.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/operations.h"

/* openat2 says EAGAIN when a rename happened while it walked; somebody who renames without end
 * gets that answer, nobody gets out. */
#define RESOLVE_TRIES 128

bool name_hidden(const char *name, size_t len)
{
    const size_t n = sizeof(VIEW_HIDDEN_PREFIX) - 1;

    return len >= n && memcmp(name, VIEW_HIDDEN_PREFIX, n) == 0;
}

bool path_hidden(struct slice path)
{
    const char *text = (const char *)path.data;

    for (size_t i = 0, start = 0; i <= path.len; i++) {
        if (i < path.len && text[i] != '/')
            continue;
        if (name_hidden(text + start, i - start))
            return true;
        start = i + 1;
    }
    return false;
}

/* As text only: //, /./ and /../ go, ".." of the root is the root. Never longer than the input. */
static int normalise(struct slice path, char out[VIEW_PATH_SIZE])
{
    const char *text = (const char *)path.data;
    size_t n = 0;
    bool hidden = false;

    out[0] = '\0';
    if (path.len >= VIEW_PATH_SIZE) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (path.len == 0 || text[0] != '/') {
        errno = EINVAL;
        return -1;
    }
    for (size_t i = 0; i < path.len;) {
        size_t end = i;
        while (end < path.len && text[end] != '/')
            end++;
        const size_t len = end - i;
        if (len == 2 && memcmp(text + i, "..", 2) == 0) {
            while (n > 0 && out[--n] != '/')
                ;
        } else if (len > 0 && !(len == 1 && text[i] == '.')) {
            hidden = hidden || name_hidden(text + i, len);
            out[n++] = '/';
            memcpy(out + n, text + i, len);
            n += len;
        }
        i = end + 1;
    }
    if (n == 0)
        out[n++] = '/';
    out[n] = '\0';
    if (hidden) {
        errno = ENOENT;
        return -1;
    }
    return 0;
}

const struct view_folder *view_find_folder(const struct view *view, const char *name, size_t len)
{
    for (size_t i = 0; i < view->count; i++) {
        const struct view_folder *f = &view->folders[i];
        if (f != view->home && strlen(f->name) == len && memcmp(f->name, name, len) == 0)
            return f;
    }
    return NULL;
}

int view_find(const struct view *view, struct slice path, struct place *place)
{
    place->folder = NULL;
    place->below = "";
    if (normalise(path, place->path) < 0)
        return -1;
    const char *top = place->path + 1;
    const size_t len = strcspn(top, "/");
    place->folder = len > 0 ? view_find_folder(view, top, len) : NULL;
    if (place->folder != NULL) {
        place->below = top[len] == '/' ? top + len + 1 : top + len;
        return 0;
    }
    place->folder = view->home;
    place->below = top;
    if (view->home == NULL && len > 0) {
        errno = ENOENT;
        return -1;
    }
    return 0;
}

mode_t folder_mode(const struct view_folder *folder, mode_t mode, bool is_folder)
{
    const mode_t shared = is_folder ? S_IRWXG : S_IRGRP | S_IWGRP;

    return (mode & 0777) | (folder->shared ? shared : 0);
}

uint32_t place_rights(const struct place *place)
{
    return place->folder != NULL ? place->folder->rights : RIGHT_LIST;
}

static int resolve(int fd, const char *path, int flags, mode_t mode, uint64_t how_to)
{
    const struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC), .mode = mode, .resolve = how_to};
    long r;
    int tries = 0;

    do
        r = syscall(SYS_openat2, fd, path, &how, sizeof(how));
    while (r < 0 && (errno == EINTR || (errno == EAGAIN && ++tries < RESOLVE_TRIES)));
    return (int)r;
}

static int open_below(const struct view_folder *folder, const char *path, int flags, uint64_t more)
{
    if (folder == NULL) {
        errno = ENOENT;
        return -1;
    }
    return resolve(folder->fd, path[0] != '\0' ? path : ".", flags, 0,
                   RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | more);
}

int place_open(const struct place *place, int flags)
{
    return open_below(place->folder, place->below, flags, 0);
}

int place_parent(const struct place *place, const char **name)
{
    char above[VIEW_PATH_SIZE];

    if (place->folder == NULL || place->below[0] == '\0') {
        errno = EBUSY;
        return -1;
    }
    const char *slash = strrchr(place->below, '/');
    *name = slash != NULL ? slash + 1 : place->below;
    const size_t len = slash != NULL ? (size_t)(slash - place->below) : 0;
    memcpy(above, place->below, len); /* below lies in path, which has the same size */
    above[len] = '\0';
    return open_below(place->folder, above, O_PATH | O_DIRECTORY, 0);
}

int name_open(int parent, const char *name, int flags, mode_t mode)
{
    return resolve(parent, name, flags | O_NOFOLLOW, mode,
                   RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS);
}

int view_above(const struct view *view, const char *path, struct place *above)
{
    const char *slash = strrchr(path, '/');
    const size_t len = slash != NULL && slash != path ? (size_t)(slash - path) : 1;

    return view_find(view, slice_of(path, len), above);
}

/* A walk that follows links by hand: done is what is resolved below the folder, todo what is not.
 */
struct walk {
    const struct view_folder *folder;
    char done[VIEW_PATH_SIZE], todo[VIEW_PATH_SIZE];
    unsigned links;
    int fd; /* of done; -1: the folder's own */
};

static void walk_to(struct walk *w, int fd)
{
    if (w->fd >= 0)
        close(w->fd);
    w->fd = fd;
}

/* Put a link's text before what is left. */
static int walk_link(struct walk *w, int link, const char *rest)
{
    char text[VIEW_PATH_SIZE], next[VIEW_PATH_SIZE];
    const ssize_t len = readlinkat(link, "", text, sizeof(text) - 1);

    if (len < 0)
        return -1;
    text[len] = '\0';
    if (++w->links > VIEW_LINKS_MAX) {
        errno = ELOOP;
        return -1;
    }
    const int n = snprintf(next, sizeof(next), "%s/%s", text, rest);
    if (n < 0 || (size_t)n >= sizeof(next)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(w->todo, next, (size_t)n + 1);
    if (text[0] == '/') {
        w->done[0] = '\0';
        walk_to(w, -1);
    }
    return 0;
}

/* One name onward. rest: what follows it in todo. */
static int walk_name(struct walk *w, const char *name, const char *rest)
{
    struct stat st;
    const size_t n = strlen(w->done), len = strlen(name);
    const int from = w->fd >= 0 ? w->fd : w->folder->fd;
    const int fd =
        resolve(from, name, O_PATH | O_NOFOLLOW, 0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
    int r = -1;

    if (fd < 0)
        return -1;
    if (fstat(fd, &st) < 0)
        goto out;
    if (S_ISLNK(st.st_mode)) {
        r = walk_link(w, fd, rest);
        goto out;
    }
    if (n + len + 2 > sizeof(w->done)) {
        errno = ENAMETOOLONG;
        goto out;
    }
    w->done[n] = '/';
    memcpy(w->done + n + 1, name, len + 1);
    memmove(w->todo, rest, strlen(rest) + 1);
    walk_to(w, fd);
    return 0;
out:
    close(fd);
    return r;
}

/* ".." of what is resolved: its parent, found again from the folder. */
static int walk_up(struct walk *w, const char *rest)
{
    char *slash = strrchr(w->done, '/');

    if (slash != NULL)
        *slash = '\0';
    memmove(w->todo, rest, strlen(rest) + 1);
    const int fd = open_below(w->folder, w->done, O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
    walk_to(w, fd);
    return fd < 0 ? -1 : 0;
}

static int walk_all(struct walk *w)
{
    char name[256];

    for (;;) {
        const char *at = w->todo + strspn(w->todo, "/");
        const size_t len = strcspn(at, "/");
        const char *rest = at + len;
        if (len == 0)
            return 0;
        if (len >= sizeof(name)) {
            errno = ENOENT;
            return -1;
        }
        memcpy(name, at, len);
        name[len] = '\0';
        if (strcmp(name, ".") == 0)
            memmove(w->todo, rest, strlen(rest) + 1);
        else if ((strcmp(name, "..") == 0 ? walk_up(w, rest) : walk_name(w, name, rest)) < 0)
            return -1;
    }
}

int view_real(const struct view *view, const struct place *place, char real[VIEW_PATH_SIZE])
{
    struct walk w = {.folder = place->folder, .fd = -1};
    int r = 0;

    memcpy(real, place->path, VIEW_PATH_SIZE);
    if (place->folder == NULL)
        return 0;
    /* The usual case in one call: there are no links in it. */
    const int plain = open_below(place->folder, place->below, O_PATH, RESOLVE_NO_SYMLINKS);
    if (plain >= 0) {
        close(plain);
        return 0;
    }
    memcpy(w.todo, place->below, strlen(place->below) + 1);
    if (walk_all(&w) < 0) {
        r = errno == ELOOP || errno == ENAMETOOLONG ? -1 : 0;
        goto out;
    }
    const bool home = place->folder == view->home;
    const int n = snprintf(real, VIEW_PATH_SIZE, "%s%s%s", home ? "" : "/",
                           home ? "" : place->folder->name, w.done);
    if (n < 0 || n >= VIEW_PATH_SIZE) {
        errno = ENAMETOOLONG;
        r = -1;
    } else if (n == 0) {
        memcpy(real, "/", 2);
    }
out : {
    const int error = errno;
    walk_to(&w, -1);
    errno = error;
}
    return r;
}

int view_real_place(const struct view *view, const struct place *place, struct place *real)
{
    char text[VIEW_PATH_SIZE];

    if (view_real(view, place, text) < 0 || normalise(slice_text(text), real->path) < 0)
        return -1;
    real->folder = place->folder;
    real->below = real->path + 1;
    if (place->folder != NULL && place->folder != view->home)
        real->below += strlen(place->folder->name);
    real->below += real->below[0] == '/';
    return 0;
}
