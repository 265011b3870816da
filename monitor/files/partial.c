/* Uploads in parts: begun by one session, gone on with by another, published when whole. Called by
 * the dispatch, by open.c at a close, and by upload.c when a folder is swept. The bytes lie in a
 * hidden file beside the name that they are for; what was said when the upload was begun is the
 * text of a hidden link of the same number, which is there at once or not at all. Must never open
 * by a number anything but such a file, in the folder of the name that is asked for, and that to
 * write only; nor publish what is not whole, or what the account may not put there at that moment.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "monitor/files/agent.h"

#define NOTE_SIZE    (sizeof("1 ") + 3 * 21 + 256)
#define KEPT_SECONDS (INT64_C(7) * 24 * 3600) /* since it was last begun or gone on with */

/* What was said when it was begun. */
struct note {
    uint64_t size;
    int64_t mtime_ns;
    bool replace;
    const char *name; /* in text */
    char text[NOTE_SIZE];
};

/* ------------------------------------------------------------------------- numbers and names */

static bool id_good(const char *id)
{
    return strlen(id) == UPLOAD_ID && strspn(id, "0123456789abcdef") == UPLOAD_ID;
}

/* The number in the name of a part or a note, or NULL. */
static const char *id_of(const char *name, const char *prefix)
{
    const size_t n = strlen(prefix);

    return strncmp(name, prefix, n) == 0 && id_good(name + n) ? name + n : NULL;
}

static void hidden_name(char out[TEMPORARY_SIZE], const char *prefix, const char *id)
{
    snprintf(out, TEMPORARY_SIZE, "%s%s", prefix, id);
}

/* ------------------------------------------------------------------------- notes */

static int note_make(int parent, const char *id, const struct handle *h)
{
    char name[TEMPORARY_SIZE], text[NOTE_SIZE];

    hidden_name(name, NOTE_PREFIX, id);
    const int n =
        snprintf(text, sizeof(text), "1 %llu %lld %d %s", (unsigned long long)h->partial.size,
                 (long long)h->partial.mtime_ns, h->partial.replace ? 1 : 0, h->name);
    if (n < 0 || (size_t)n >= sizeof(text)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return symlinkat(text, parent, name);
}

/* Returns 0, or -1: none, or none of ours. */
static int note_read(int parent, const char *id, struct note *note)
{
    char name[TEMPORARY_SIZE], *end;

    hidden_name(name, NOTE_PREFIX, id);
    const ssize_t len = readlinkat(parent, name, note->text, sizeof(note->text) - 1);
    if (len < 0 || len >= (ssize_t)sizeof(note->text) - 1)
        return -1;
    note->text[len] = '\0';
    if (strncmp(note->text, "1 ", 2) != 0)
        return -1;
    note->size = strtoull(note->text + 2, &end, 10);
    if (*end != ' ' || note->size > INT64_MAX)
        return -1;
    note->mtime_ns = strtoll(end + 1, &end, 10);
    if (end[0] != ' ' || (end[1] != '0' && end[1] != '1') || end[2] != ' ')
        return -1;
    note->replace = end[1] == '1';
    note->name = end + 3;
    return 0;
}

/* Somebody goes on with it: its time begins anew. */
static int note_touch(int parent, const char *id)
{
    char name[TEMPORARY_SIZE];

    hidden_name(name, NOTE_PREFIX, id);
    return utimensat(parent, name, NULL, AT_SYMLINK_NOFOLLOW);
}

static void note_remove(int parent, const char *id)
{
    char name[TEMPORARY_SIZE];

    hidden_name(name, NOTE_PREFIX, id);
    unlinkat(parent, name, 0); /* one that stays is swept, when there is nothing to it */
}

/* ------------------------------------------------------------------------- what takes the name */

/* What an upload finds under the name that it is for. */
struct found {
    bool there;
    struct stat st;
};

static int fail(const char **text, int error, const char *why)
{
    *text = why;
    return error;
}

/* Look, and ask whether this account may put the upload there. Returns 0 or an errno and why. */
static int may_publish(const struct handle *h, struct found *found, const char **text)
{
    const uint32_t rights = h->folder->rights;

    found->there = fstatat(h->parent, h->name, &found->st, AT_SYMLINK_NOFOLLOW) == 0;
    if (!found->there && errno != ENOENT)
        return errno;
    if (!found->there)
        return (rights & RIGHT_WRITE) != 0
                   ? 0
                   : fail(text, EACCES, operation_refusal(OPERATION_UPLOAD));
    if (S_ISDIR(found->st.st_mode))
        return fail(text, EISDIR, "there is a folder of this name");
    if (!h->partial.replace)
        return fail(text, EEXIST, "there is a file of this name");
    if (!S_ISREG(found->st.st_mode))
        return fail(text, EACCES, "not a regular file");
    if ((rights & RIGHT_OVERWRITE) == 0)
        return fail(text, EACCES, operation_refusal(OPERATION_MODIFY));
    const int fd = name_open(h->parent, h->name, O_WRONLY | O_NONBLOCK | O_NOCTTY, 0);
    if (fd < 0)
        return errno;
    close(fd); /* it may be written: that was the question */
    return 0;
}

/* ------------------------------------------------------------------------- opening */

static int begin(struct request *r, struct handle *h)
{
    const struct file_upload *m = r->message;
    struct found found;

    if (m->size > INT64_MAX)
        return EFBIG;
    h->partial.size = m->size;
    h->partial.mtime_ns = m->mtime_ns;
    h->partial.replace = m->replace != 0;
    const int error = may_publish(h, &found, &r->text);
    if (found.there)
        r->operation = OPERATION_MODIFY;
    if (error != 0)
        return error;
    /* No more open than what it replaces, and at least to its owner, who goes on with it later. */
    const mode_t mode = found.there ? (found.st.st_mode & 0777) | S_IWUSR : 0666;
    h->fd = temporary_make(h->parent, PART_PREFIX, O_WRONLY, mode, h->temporary);
    if (h->fd < 0)
        return errno;
    if (note_make(h->parent, id_of(h->temporary, PART_PREFIX), h) < 0) {
        const int failure = errno;
        unlinkat(h->parent, h->temporary, 0);
        return failure;
    }
    return 0;
}

/* The part of this number: opened, and nobody else's. */
static int open_part(struct handle *h, const char *part, const char **text)
{
    struct stat seen, st;

    if (fstatat(h->parent, part, &seen, AT_SYMLINK_NOFOLLOW) < 0)
        return errno;
    if (!S_ISREG(seen.st_mode))
        return ENOENT;
    h->fd = name_open(h->parent, part, O_WRONLY | O_NONBLOCK | O_NOCTTY, 0);
    if (h->fd < 0)
        return errno;
    if (flock(h->fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        return fail(text, EBUSY, "another session goes on with this upload");
    /* It may have been published or swept since it was opened: then it is no part any more. */
    if (fstat(h->fd, &st) < 0 || fstatat(h->parent, part, &seen, AT_SYMLINK_NOFOLLOW) < 0)
        return errno;
    if (st.st_dev != seen.st_dev || st.st_ino != seen.st_ino)
        return ENOENT;
    if ((uint64_t)st.st_size > h->partial.size && ftruncate(h->fd, (off_t)h->partial.size) < 0)
        return errno;
    return 0;
}

static int go_on(struct request *r, struct handle *h, const char *id)
{
    const uint32_t needed = RIGHT_WRITE | RIGHT_OVERWRITE;
    char part[TEMPORARY_SIZE];
    struct note note;

    if ((h->folder->rights & needed) == 0)
        return request_refuse(r, OPERATION_UPLOAD);
    if (note_read(h->parent, id, &note) < 0 || strcmp(note.name, h->name) != 0)
        return request_fail(r, ENOENT, "there is no such upload");
    h->partial.size = note.size;
    h->partial.mtime_ns = note.mtime_ns;
    h->partial.replace = note.replace;
    hidden_name(part, PART_PREFIX, id);
    const int error = open_part(h, part, &r->text);
    if (error != 0)
        return error == ENOENT ? request_fail(r, ENOENT, "there is no such upload") : error;
    if (note_touch(h->parent, id) < 0)
        return errno;
    memcpy(h->temporary, part, sizeof(h->temporary));
    return 0;
}

/* Where it is to appear: links are followed, so that a file is replaced and not a link to it. */
static int find_name(struct request *r, struct handle *h)
{
    const char *name;

    if (r->place.below[0] == '\0')
        return request_fail(r, EISDIR, "this is a folder");
    h->path = strdup(r->place.path);
    if (h->path == NULL)
        return ENOMEM;
    if (view_real_place(&r->agent->view, &r->place, &r->place2) < 0 ||
        (h->parent = place_parent(&r->place2, &name)) < 0)
        return errno == EBUSY ? request_fail(r, EISDIR, "this is a folder") : errno;
    h->name = strdup(name);
    return h->name == NULL ? ENOMEM : 0;
}

int on_upload(struct request *r)
{
    const struct file_upload *m = r->message;
    struct agent *a = r->agent;
    char id[UPLOAD_ID + 1];
    struct stat st;
    int error = request_place(r, m->path, &r->place, 0);

    if (error != 0)
        return error;
    if ((a->flags & ACCOUNT_PARTS) == 0)
        return request_fail(r, EOPNOTSUPP, "uploads in parts come over HTTPS only");
    if (slice_copy(m->id, id, sizeof(id)) < 0 || (id[0] != '\0' && !id_good(id)))
        return request_fail(r, ENOENT, "there is no such upload");
    struct handle *h = handle_new(&a->handles, HANDLE_FILE);
    if (h == NULL)
        return request_fail(r, errno, "too many files are open in this session");
    h->folder = r->place.folder;
    h->access = OPEN_WRITE;
    h->opened_ms = clock_ms();
    h->partial.is = true;
    error = find_name(r, h);
    if (error == 0)
        error = id[0] == '\0' ? begin(r, h) : go_on(r, h, id);
    if (error == 0 && fstat(h->fd, &st) < 0) {
        error = errno;
        if (id[0] == '\0')
            partial_drop(h); /* nobody will know its number */
    }
    if (error != 0) {
        handle_free(&a->handles, h);
        return error;
    }
    h->device = st.st_dev;
    h->inode = st.st_ino;
    const struct upload_opened opened = {
        .id = slice_text(id_of(h->temporary, PART_PREFIX)),
        .handle = h->id,
        .size = h->partial.size,
        .offset = (uint64_t)st.st_size,
        .mtime_ns = h->partial.mtime_ns,
        .replace = h->partial.replace,
        .expires = (int64_t)(wall_ms() / 1000) + KEPT_SECONDS,
    };
    return request_answer(r, MSG_upload_opened, &opened, h->fd);
}

/* ------------------------------------------------------------------------- closing */

int partial_ready(struct handle *h, const char **text)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, timespec_of(h->partial.mtime_ns)};
    struct found found;
    struct stat st;

    if (fstat(h->fd, &st) < 0)
        return errno;
    const int error = may_publish(h, &found, text);
    h->created = !found.there; /* also for the report of a refusal */
    if ((uint64_t)st.st_size != h->partial.size)
        return fail(text, EINVAL, "not all of it is there, or more: it is kept as it is");
    if (error != 0)
        return error;
    if (found.there && fchmod(h->fd, found.st.st_mode & 0777) < 0)
        return errno;
    return h->partial.mtime_ns != -1 && utimensat(h->fd, "", times, AT_EMPTY_PATH) < 0 ? errno : 0;
}

void partial_published(const struct handle *h)
{
    note_remove(h->parent, id_of(h->temporary, PART_PREFIX));
}

int partial_keep(const struct agent *a, const struct handle *h, const char **text)
{
    const bool durable = (a->flags & ACCOUNT_DURABLE) != 0;
    int error = 0;

    if (durable && (fsync(h->fd) < 0 || folder_sync(h->parent) < 0))
        error = fail(text, errno, "what is there could not be put on the disk");
    note_touch(h->parent, id_of(h->temporary, PART_PREFIX));
    flock(h->fd, LOCK_UN); /* the worker has the same one, and perhaps not closed it yet */
    return error;
}

int partial_drop(const struct handle *h)
{
    if (unlinkat(h->parent, h->temporary, 0) < 0)
        return errno;
    note_remove(h->parent, id_of(h->temporary, PART_PREFIX));
    return 0;
}

/* ------------------------------------------------------------------------- sweeping */

/* Nobody has gone on with it for too long, or nobody can: it has no note. */
static bool is_stale(int parent, const char *id)
{
    char name[TEMPORARY_SIZE];
    struct stat st;

    hidden_name(name, NOTE_PREFIX, id);
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT;
    return (int64_t)(wall_ms() / 1000) - (int64_t)st.st_mtim.tv_sec >= KEPT_SECONDS;
}

static void sweep_part(int parent, const char *part, const char *id)
{
    struct stat st, seen;

    if (!is_stale(parent, id))
        return;
    const int fd = temporary_take(parent, part);
    if (fd < 0)
        return;
    /* Once more, now that nobody can begin, go on or publish: it may just have been done. */
    if (is_stale(parent, id) && fstat(fd, &st) == 0 &&
        fstatat(parent, part, &seen, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == seen.st_dev &&
        st.st_ino == seen.st_ino && unlinkat(parent, part, 0) == 0)
        note_remove(parent, id);
    close(fd);
}

/* A part is always there before its note. */
static void sweep_note(int parent, const char *id)
{
    char part[TEMPORARY_SIZE];
    struct stat st;

    hidden_name(part, PART_PREFIX, id);
    if (fstatat(parent, part, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
        note_remove(parent, id);
}

bool partial_sweep(int parent, const char *name)
{
    const char *part = id_of(name, PART_PREFIX), *note = id_of(name, NOTE_PREFIX);

    if (part != NULL)
        sweep_part(parent, name, part);
    else if (note != NULL)
        sweep_note(parent, note);
    return part != NULL || note != NULL;
}
