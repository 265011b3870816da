/* Opening and closing files. Called by the dispatch; handles_break_off by the loop at the end of a
 * session. Must never open anything but a regular file, nor with more access than was asked for and
 * the account's rights allow: what a name stands for is looked at (O_PATH) before it is opened. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "monitor/files/agent.h"

#define OPEN_TRIES 16 /* somebody keeps replacing the file between look and open */
#define OPEN_KNOWN                                                                                 \
    (OPEN_READ | OPEN_WRITE | OPEN_APPEND | OPEN_CREATE | OPEN_TRUNCATE | OPEN_EXCLUSIVE)
#define OPEN_NO_BLOCK (O_NONBLOCK | O_NOCTTY)

/* What is there, links followed. Returns 0 for a regular file, or an errno. */
static int look(struct request *r, struct stat *st)
{
    const int fd = place_open(&r->place, O_PATH);
    int error = 0;

    if (fd < 0)
        return errno;
    if (fstat(fd, st) < 0)
        error = errno;
    else if (S_ISDIR(st->st_mode))
        error = request_fail(r, EISDIR, "this is a folder");
    else if (!S_ISREG(st->st_mode))
        error = request_fail(r, EACCES, "not a regular file");
    close(fd);
    return error;
}

/* Open what was looked at. EAGAIN: it is another file by now. */
static int open_seen(struct request *r, int flags, const struct stat *seen, int *fd)
{
    struct stat st;

    *fd = place_open(&r->place, flags | OPEN_NO_BLOCK);
    if (*fd < 0)
        return errno;
    if (fstat(*fd, &st) == 0 && st.st_dev == seen->st_dev && st.st_ino == seen->st_ino)
        return 0;
    close(*fd);
    *fd = -1;
    return EAGAIN;
}

static int open_to_read(struct request *r, struct handle *h)
{
    struct stat st;
    int error = EAGAIN;

    if ((place_rights(&r->place) & RIGHT_READ) == 0)
        return request_refuse(r, OPERATION_DOWNLOAD);
    h->access = OPEN_READ;
    for (int tries = 0; error == EAGAIN && tries < OPEN_TRIES; tries++) {
        if ((error = look(r, &st)) == 0)
            error = open_seen(r, O_RDONLY, &st, &h->fd);
    }
    return error;
}

static bool is_atomic(const struct agent *a, uint32_t flags)
{
    const uint32_t anew = OPEN_CREATE | OPEN_TRUNCATE;

    return (a->flags & ACCOUNT_ATOMIC) != 0 &&
           ((flags & anew) == anew || (flags & OPEN_EXCLUSIVE) != 0);
}

/* A temporary beside the file that it will replace: links are followed first, so that the file is
 * replaced and not a link to it. */
static int begin_replacing(struct request *r, struct handle *h, int flags, const struct stat *seen)
{
    struct stat st;
    const char *name;

    if (view_real_place(&r->agent->view, &r->place, &r->place2) < 0 ||
        (h->parent = place_parent(&r->place2, &name)) < 0)
        return errno;
    if (fstatat(h->parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != seen->st_dev ||
        st.st_ino != seen->st_ino)
        return EAGAIN;
    if ((h->name = strdup(name)) == NULL)
        return ENOMEM;
    h->fd =
        temporary_make(h->parent, VIEW_HIDDEN_PREFIX, flags, seen->st_mode & 0777, h->temporary);
    if (h->fd < 0)
        return errno;
    return fchmod(h->fd, seen->st_mode & 0777) < 0 ? errno : 0;
}

static int open_existing(struct request *r, struct handle *h, int flags, const struct stat *seen)
{
    const struct file_open *m = r->message;
    const char *name;
    int error;

    r->operation = OPERATION_MODIFY;
    if ((m->flags & OPEN_EXCLUSIVE) != 0)
        return EEXIST;
    if ((place_rights(&r->place) & RIGHT_OVERWRITE) == 0)
        return request_refuse(r, OPERATION_MODIFY);
    if ((error = open_seen(r, flags, seen, &h->fd)) != 0)
        return error;
    if (is_atomic(r->agent, m->flags)) {
        close(h->fd); /* it may be written: that was the question */
        h->fd = -1;
        return begin_replacing(r, h, flags, seen);
    }
    if ((r->agent->flags & ACCOUNT_DURABLE) != 0 &&
        (h->parent = place_parent(&r->place, &name)) < 0)
        return errno;
    return (m->flags & OPEN_TRUNCATE) != 0 && ftruncate(h->fd, 0) < 0 ? errno : 0;
}

static int open_new(struct request *r, struct handle *h, int flags)
{
    const struct file_open *m = r->message;
    const mode_t mode = folder_mode(r->place.folder, m->mode, false);
    const char *name;
    struct stat st;

    r->operation = OPERATION_UPLOAD;
    if ((place_rights(&r->place) & RIGHT_WRITE) == 0)
        return request_refuse(r, OPERATION_UPLOAD);
    if ((h->parent = place_parent(&r->place, &name)) < 0)
        return errno;
    h->created = true;
    if (is_atomic(r->agent, m->flags)) {
        if (fstatat(h->parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            return (m->flags & OPEN_EXCLUSIVE) != 0 ? EEXIST : EAGAIN;
        if ((h->name = strdup(name)) == NULL)
            return ENOMEM;
        h->fd = temporary_make(h->parent, VIEW_HIDDEN_PREFIX, flags, mode, h->temporary);
        return h->fd < 0 ? errno : 0;
    }
    h->fd = name_open(h->parent, name, flags | O_CREAT | O_EXCL | OPEN_NO_BLOCK, mode);
    if (h->fd < 0)
        return errno == EEXIST && (m->flags & OPEN_EXCLUSIVE) == 0 ? EAGAIN : errno;
    return 0;
}

/* Take back what an attempt left in the handle. */
static void undo(struct handle *h)
{
    if (h->temporary[0] != '\0')
        unlinkat(h->parent, h->temporary, 0);
    h->temporary[0] = '\0';
    if (h->fd >= 0)
        close(h->fd);
    if (h->parent >= 0)
        close(h->parent);
    free(h->name);
    h->fd = h->parent = -1;
    h->name = NULL;
    h->created = false;
}

static int open_to_write(struct request *r, struct handle *h)
{
    const struct file_open *m = r->message;
    const bool reads = (m->flags & OPEN_READ) != 0 && (place_rights(&r->place) & RIGHT_READ) != 0;
    const int flags = (reads ? O_RDWR : O_WRONLY) | ((m->flags & OPEN_APPEND) != 0 ? O_APPEND : 0);

    h->access = OPEN_WRITE | (reads ? OPEN_READ : 0) | (m->flags & OPEN_APPEND);
    for (int tries = 0; tries < OPEN_TRIES; tries++) {
        struct stat st;
        int error = look(r, &st);
        if (error == 0)
            error = open_existing(r, h, flags, &st);
        else if (error == ENOENT && (m->flags & OPEN_CREATE) != 0)
            error = open_new(r, h, flags);
        if (error == 0)
            return 0;
        undo(h);
        if (error != EAGAIN)
            return error;
    }
    return request_fail(r, ENOENT, "the name is a link to nothing, or changes all the time");
}

int on_open(struct request *r)
{
    const struct file_open *m = r->message;
    struct agent *a = r->agent;
    const bool writes = (m->flags & OPEN_WRITE) != 0;
    struct file_opened opened;
    struct stat st;
    int error;

    r->operation = writes ? OPERATION_UPLOAD : OPERATION_DOWNLOAD;
    if ((m->flags & ~(uint32_t)OPEN_KNOWN) != 0 || (m->flags & (OPEN_READ | OPEN_WRITE)) == 0 ||
        (!writes && m->flags != OPEN_READ))
        return request_fail(r, EINVAL, "these ways of opening do not go together");
    if ((error = request_place(r, m->path, &r->place, 0)) != 0)
        return error;
    if (r->place.below[0] == '\0')
        return request_fail(r, EISDIR, "this is a folder");
    struct handle *h = handle_new(&a->handles, HANDLE_FILE);
    if (h == NULL)
        return request_fail(r, errno, "too many files are open in this session");
    h->path = strdup(r->place.path);
    h->folder = r->place.folder;
    h->opened_ms = clock_ms();
    error = h->path == NULL ? ENOMEM : writes ? open_to_write(r, h) : open_to_read(r, h);
    if (error == 0 && fstat(h->fd, &st) < 0)
        error = errno;
    if (error != 0) {
        undo(h);
        handle_free(&a->handles, h);
        return error;
    }
    h->device = st.st_dev;
    h->inode = st.st_ino;
    if (h->created)
        made_add(&a->made, &st);
    opened.handle = h->id;
    ATTRIBUTES_SET(&opened, &st);
    ATTRIBUTES_MAY(&opened, a, h->folder, &st, false);
    return request_answer(r, MSG_file_opened, &opened, h->fd);
}

/* What is not published: gone, but for an upload in parts, which is dropped only if that was said.
 * Returns error, or what else went wrong. */
static int put_aside(struct agent *a, struct handle *h, uint8_t whole, int error, const char **text)
{
    const char *kept = "";
    int failure = 0;

    if (h->partial.is)
        failure =
            whole == CLOSE_DROPPED || h->partial.once ? partial_drop(h) : partial_keep(a, h, &kept);
    else if (h->temporary[0] != '\0')
        unlinkat(h->parent, h->temporary, 0);
    h->temporary[0] = '\0';
    if (error == 0 && failure != 0)
        *text = kept;
    return error != 0 ? error : failure;
}

/* The end of a written file: on the disk if the account is durable, under its name if it is an
 * upload that appears when whole. whole: enum close_end. Returns 0 or an errno and why. */
static int finish_upload(struct agent *a, struct handle *h, uint8_t whole, const char **text)
{
    const bool durable = (a->flags & ACCOUNT_DURABLE) != 0;
    int error = 0;

    if (h->temporary[0] != '\0' && whole != CLOSE_WHOLE)
        return put_aside(a, h, whole, 0, text);
    if (h->partial.is && (error = partial_ready(h, text)) != 0)
        return put_aside(a, h, whole, error, text);
    if (durable && fsync(h->fd) < 0) {
        error = errno;
        *text = "the file could not be put on the disk";
        return put_aside(a, h, whole, error, text);
    }
    if (h->temporary[0] != '\0' &&
        temporary_publish(h->parent, h->temporary, h->name, !h->created) < 0) {
        error = errno;
        if (error == EEXIST)
            *text = "another file has taken the name meanwhile";
        return put_aside(a, h, whole, error, text);
    }
    if (h->partial.is)
        partial_published(h);
    h->temporary[0] = '\0';
    if (durable && folder_sync(h->parent) < 0) {
        error = errno;
        *text = "the folder could not be put on the disk";
    }
    return error;
}

/* Measure, finish, report and free a file's handle. An upload in parts is told when it ends. */
static int finish(struct agent *a, struct handle *h, const struct file_close *m, const char **text)
{
    const bool writes = (h->access & OPEN_WRITE) != 0;
    const bool whole = m->whole == CLOSE_WHOLE;
    struct stat st = {0};
    int error = fstat(h->fd, &st) < 0 ? errno : 0;

    if (error == 0 && writes)
        error = finish_upload(a, h, m->whole, text);
    const struct report report = {
        .operation = !writes      ? OPERATION_DOWNLOAD
                     : h->created ? OPERATION_UPLOAD
                                  : OPERATION_MODIFY,
        .error = (uint32_t)(error != 0 ? error
                            : whole    ? 0
                                       : EPIPE),
        .path = slice_text(h->path),
        .size = (uint64_t)st.st_size,
        .bytes_read = m->bytes_read,
        .bytes_written = m->bytes_written,
        .duration_ms = (uint32_t)(clock_ms() - h->opened_ms),
    };
    if (!h->partial.is || h->partial.once || whole)
        reports_add(&a->reports, &report);
    if (h->partial.is && whole && error == 0 && h->created)
        made_add(&a->made, &st);
    handle_free(&a->handles, h);
    return error;
}

int on_close(struct request *r)
{
    const struct file_close *m = r->message;
    struct handle *h = handle_find(&r->agent->handles, m->handle);

    if (h == NULL)
        return request_fail(r, EBADF, "no such handle");
    if (h->kind == HANDLE_FILE)
        return finish(r->agent, h, m, &r->text);
    handle_free(&r->agent->handles, h);
    return 0;
}

void handles_break_off(struct agent *a)
{
    const struct file_close broken = {.whole = 0};
    const char *text;
    struct handle *h;

    while ((h = handle_next(&a->handles, NULL)) != NULL) {
        if (h->kind == HANDLE_FILE)
            finish(a, h, &broken, &text);
        else
            handle_free(&a->handles, h);
    }
}
