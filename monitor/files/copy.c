/* Copying between two open handles, and fsync of one. Called by the dispatch. Must never copy more
 * than one bounded piece for a message: the session waits while it lasts. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "monitor/files/agent.h"

#define COPY_MOST   (UINT64_C(64) << 20)
#define COPY_BUFFER (256u * 1024)

struct span {
    int from, to;
    off_t from_offset, to_offset;
    size_t left;
};

/* Should the pieces be copied by hand? */
static bool by_hand(int error)
{
    return error == EXDEV || error == EINVAL || error == ENOSYS || error == EOPNOTSUPP ||
           error == EPERM;
}

/* Write all of a piece. Returns what was written before an error, or -1. */
static ssize_t write_piece(const struct span *s, const uint8_t *bytes, size_t len)
{
    size_t done = 0;

    while (done < len) {
        const ssize_t n = pwrite(s->to, bytes + done, len - done, s->to_offset + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return done > 0 ? (ssize_t)done : -1;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

static ssize_t copy_piece(const struct span *s, uint8_t **buffer)
{
    off_t from = s->from_offset, to = s->to_offset;
    ssize_t n = -1;

    if (*buffer == NULL) {
        do
            n = copy_file_range(s->from, &from, s->to, &to, s->left, 0);
        while (n < 0 && errno == EINTR);
        /* Nothing may be the end, or a file system that has no size to tell: read to know. */
        if (n > 0 || (n < 0 && !by_hand(errno)))
            return n;
        if ((*buffer = malloc(COPY_BUFFER)) == NULL)
            return -1;
    }
    do
        n = pread(s->from, *buffer, s->left < COPY_BUFFER ? s->left : COPY_BUFFER, s->from_offset);
    while (n < 0 && errno == EINTR);
    return n > 0 ? write_piece(s, *buffer, (size_t)n) : n;
}

/* Returns an errno only if nothing was copied. */
static int copy_span(struct span *s, uint64_t *done)
{
    uint8_t *buffer = NULL;
    int error = 0;

    *done = 0;
    while (s->left > 0) {
        const ssize_t n = copy_piece(s, &buffer);
        if (n < 0 && *done == 0)
            error = errno;
        if (n <= 0)
            break;
        s->from_offset += n;
        s->to_offset += n;
        s->left -= (size_t)n;
        *done += (uint64_t)n;
    }
    free(buffer);
    return error;
}

static bool overlap(const struct handle *from, const struct handle *to, const struct span *s)
{
    const off_t len = (off_t)s->left;

    return from->device == to->device && from->inode == to->inode &&
           s->from_offset < s->to_offset + len && s->to_offset < s->from_offset + len;
}

int on_copy(struct request *r)
{
    const struct file_copy *m = r->message;
    const struct handle *from = request_handle(r, m->from, HANDLE_FILE);
    const struct handle *to = from != NULL ? request_handle(r, m->to, HANDLE_FILE) : NULL;
    struct file_copied copied = {0};

    if (from == NULL || to == NULL)
        return EBADF;
    if ((from->access & OPEN_READ) == 0)
        return request_fail(r, EBADF, "the source is not open for reading");
    if ((to->access & OPEN_WRITE) == 0)
        return request_fail(r, EBADF, "the destination is not open for writing");
    if ((to->access & OPEN_APPEND) != 0)
        return request_fail(r, EINVAL, "the destination is open for appending");
    if (m->from_offset > INT64_MAX - COPY_MOST || m->to_offset > INT64_MAX - COPY_MOST)
        return EINVAL;
    struct span s = {
        .from = from->fd,
        .to = to->fd,
        .from_offset = (off_t)m->from_offset,
        .to_offset = (off_t)m->to_offset,
        .left = (size_t)(m->length < COPY_MOST ? m->length : COPY_MOST),
    };
    if (overlap(from, to, &s))
        return request_fail(r, EINVAL, "source and destination overlap");
    const int error = copy_span(&s, &copied.length);
    if (error != 0)
        return error;
    r->size = copied.length;
    return request_answer(r, MSG_file_copied, &copied, -1);
}

int on_sync(struct request *r)
{
    const struct file_sync *m = r->message;
    const struct handle *h = request_handle(r, m->handle, HANDLE_FILE);

    if (h == NULL)
        return EBADF;
    return fsync(h->fd) < 0 ? errno : 0;
}
