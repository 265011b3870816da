/* Requests about names: remove, make, move, links, real paths. Called by the dispatch. Each opens
 * the folder that holds the name below the view and then acts on that one name; must never give the
 * kernel a longer path. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <dirent.h>

#include "monitor/files/agent.h"

#define SWEEP_BYTES 4096

/* The end of every change here. result: 0, or -1 with errno. Closes the folder. */
static int changed(struct request *r, int result, int parent)
{
    int error = result < 0 ? errno : 0;

    if (error == 0 && (r->agent->flags & ACCOUNT_DURABLE) != 0 && folder_sync(parent) < 0) {
        error = errno;
        r->text = "it was done, but could not be put on the disk";
    }
    close(parent);
    return error;
}

/* The folder and last name of a path on which a right is needed. Returns the folder or -1 and the
 * errno in *error. */
static int name_of(struct request *r, struct slice path, struct place *place, uint32_t right,
                   const char **name, int *error)
{
    int parent = -1;

    *error = request_place(r, path, place, right);
    if (*error == 0 && (parent = place_parent(place, name)) < 0) {
        *error = errno;
        if (*error == EBUSY)
            r->text = "this is a folder of the account's view itself";
    }
    return parent;
}

/* What is removed goes to the trash. */
static int put_away(struct request *r, int parent, const char *name, bool folder)
{
    const int error = trash_put(r, parent, name, folder);

    errno = error;
    return changed(r, error != 0 ? -1 : 0, parent);
}

int on_remove(struct request *r)
{
    const struct file_remove *m = r->message;
    const char *name;
    int error;
    const int parent = name_of(r, m->path, &r->place, RIGHT_DELETE, &name, &error);

    if (parent < 0)
        return error;
    if (trash_takes(r))
        return put_away(r, parent, name, false);
    return changed(r, unlinkat(parent, name, 0), parent);
}

int on_mkdir(struct request *r)
{
    const struct file_mkdir *m = r->message;
    const char *name;
    struct stat st;
    int error;
    const int parent = name_of(r, m->path, &r->place, RIGHT_MKDIR, &name, &error);

    if (parent < 0)
        return error == EBUSY ? EEXIST : error;
    const int done = mkdirat(parent, name, folder_mode(r->place.folder, m->mode, true));
    const int failure = errno;
    if (done == 0 && fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        made_add(&r->agent->made, &st);
    errno = failure;
    return changed(r, done, parent);
}

/* A folder that looks empty to the account but for temporaries: take the abandoned ones away.
 * Returns whether it looks so. */
static bool sweep(int parent, const char *name)
{
    uint8_t buffer[SWEEP_BYTES] __attribute__((aligned(8)));
    const int fd = name_open(parent, name, O_RDONLY | O_DIRECTORY | O_NONBLOCK, 0);
    bool hides = true;
    ssize_t n;

    if (fd < 0)
        return false;
    while ((n = getdents64(fd, buffer, sizeof(buffer))) > 0) {
        for (ssize_t at = 0; at < n;) {
            const struct dirent64 *d = (const struct dirent64 *)(const void *)(buffer + at);
            const bool dot = strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0;
            hides = dot || name_hidden(d->d_name, strlen(d->d_name));
            if (!hides)
                goto out; /* it is not empty anyway */
            if (!dot)
                temporary_sweep(fd, d->d_name);
            at += d->d_reclen;
        }
    }
out:
    close(fd);
    return hides && n == 0;
}

int on_rmdir(struct request *r)
{
    const struct file_rmdir *m = r->message;
    const char *name;
    int error;
    const int parent = name_of(r, m->path, &r->place, RIGHT_DELETE, &name, &error);

    if (parent < 0)
        return error;
    if (trash_takes(r))
        return put_away(r, parent, name, true);
    int done = unlinkat(parent, name, AT_REMOVEDIR);
    if (done < 0 && errno == ENOTEMPTY) {
        const bool hides = sweep(parent, name);
        done = unlinkat(parent, name, AT_REMOVEDIR);
        if (done < 0 && errno == ENOTEMPTY && hides)
            r->text = "there are uploads to it that are not whole yet";
    }
    return changed(r, done, parent);
}

int on_rename(struct request *r)
{
    const struct file_rename *m = r->message;
    const char *from, *to;
    int to_parent = -1, error;
    const int from_parent = name_of(r, m->from, &r->place, RIGHT_RENAME, &from, &error);

    if (from_parent < 0)
        goto out;
    if ((to_parent = name_of(r, m->to, &r->place2, RIGHT_RENAME, &to, &error)) < 0)
        goto out;
    if (r->place.folder != r->place2.folder) {
        error = request_fail(r, EXDEV, "a rename cannot leave its folder of the view");
        goto out;
    }
    const bool may_replace = (place_rights(&r->place2) & RIGHT_OVERWRITE) != 0;
    const int done = name_move(from_parent, from, to_parent, to, m->replace != 0 && may_replace);
    if (done < 0 && errno == EEXIST && m->replace != 0 && !may_replace) {
        error = request_refuse(r, OPERATION_MODIFY);
        goto out;
    }
    error = changed(r, done, to_parent);
    to_parent = -1;
    if (error == 0) {
        error = changed(r, 0, from_parent);
        return error;
    }
out:
    if (to_parent >= 0)
        close(to_parent);
    if (from_parent >= 0)
        close(from_parent);
    return error;
}

int on_symlink(struct request *r)
{
    const struct file_symlink *m = r->message;
    char target[VIEW_PATH_SIZE];
    const char *name;
    int error;

    if (slice_copy(m->target, target, sizeof(target)) < 0)
        return EINVAL;
    if (path_hidden(m->target))
        return ENOENT; /* as everywhere: there is no such name */
    const int parent = name_of(r, m->path, &r->place, RIGHT_WRITE, &name, &error);
    return parent < 0 ? error : changed(r, symlinkat(target, parent, name), parent);
}

int on_link(struct request *r)
{
    const struct file_link *m = r->message;
    const char *from, *to;
    struct stat st;
    int to_parent = -1, error;
    const int from_parent = name_of(r, m->from, &r->place, RIGHT_READ, &from, &error);

    if (from_parent < 0)
        return error;
    if ((to_parent = name_of(r, m->to, &r->place2, RIGHT_WRITE, &to, &error)) < 0)
        goto out;
    if (r->place.folder != r->place2.folder)
        error = request_fail(r, EXDEV, "a link cannot leave its folder of the view");
    else if (fstatat(from_parent, from, &st, AT_SYMLINK_NOFOLLOW) < 0)
        error = errno;
    else if (!S_ISREG(st.st_mode))
        error = request_fail(r, EPERM, "only regular files can be linked");
    if (error != 0)
        close(to_parent);
    else
        error = changed(r, linkat(from_parent, from, to_parent, to, 0), to_parent);
out:
    close(from_parent);
    return error;
}

int on_readlink(struct request *r)
{
    const struct file_readlink *m = r->message;
    char text[VIEW_PATH_SIZE];
    int error = request_place(r, m->path, &r->place, RIGHT_LIST);

    if (error != 0)
        return error;
    if (r->place.folder == NULL)
        return EINVAL;
    const int fd = place_open(&r->place, O_PATH | O_NOFOLLOW);
    if (fd < 0)
        return errno;
    const ssize_t len = readlinkat(fd, "", text, sizeof(text));
    error = len >= 0 ? 0 : errno == ENOENT ? EINVAL : errno; /* ENOENT: this is no link */
    if (len >= (ssize_t)sizeof(text))
        error = ENAMETOOLONG;
    close(fd);
    if (error != 0)
        return error;
    const struct file_path path = {.path = slice_of(text, (size_t)len)};
    return request_answer(r, MSG_file_path, &path, -1);
}

int on_realpath(struct request *r)
{
    const struct file_realpath *m = r->message;
    const uint32_t seeing = RIGHT_LIST | RIGHT_READ | RIGHT_WRITE;
    char real[VIEW_PATH_SIZE];
    struct file_path path;
    const int error = request_place(r, m->path, &r->place, 0);

    /* Of a name that does not exist in the view only the text is known. */
    if (error != 0 && (error != ENOENT || r->place.path[0] != '/'))
        return error;
    path.path = slice_text(r->place.path);
    if (error == 0 && (place_rights(&r->place) & seeing) != 0) {
        if (view_real(&r->agent->view, &r->place, real) < 0)
            return errno;
        path.path = slice_text(real);
    }
    return request_answer(r, MSG_file_path, &path, -1);
}
