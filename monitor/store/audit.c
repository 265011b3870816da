/* Writing the audit log: gathering lines, one write and one sync for all of them, rotation, and
 * what is found at the start. Called by serve.c and source.c; must never acknowledge what is not on
 * the disk, and never change a line that once was. */
#include "monitor/store/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "monitor/store/audit_line.h"

#define LOG_FLAGS (O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW)

/* ------------------------------------------------------------------------------- gathering */

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static struct audit_line next_line(const struct audit *a, uint64_t time_ms)
{
    return (struct audit_line){.n = a->next, .time_ms = time_ms, .prev = a->prev};
}

static char *room(struct audit *a, size_t *size)
{
    *size = AUDIT_PENDING_MAX - a->pending_len;
    return a->pending + a->pending_len;
}

/* A line of len bytes stands at the end of what is pending: take it into the chain. */
static int gathered(struct audit *a, ssize_t len)
{
    if (len <= 0 ||
        audit_hash(slice_of(a->pending + a->pending_len, (size_t)len - 1), a->prev) < 0) {
        a->lost++;
        errno = ENOBUFS;
        return -1;
    }
    a->pending_len += (size_t)len;
    a->pending_lines++;
    a->next++;
    return 0;
}

int audit_event(struct audit *a, const struct store_audit *event)
{
    const struct audit_line line = next_line(a, now_ms());
    size_t size;
    char *to = room(a, &size);

    return gathered(a, audit_line_event(&line, event, to, size));
}

int audit_report(struct audit *a, const struct audit_subject *subject, uint64_t number,
                 const struct report *report)
{
    const struct audit_line line = next_line(a, report->time_ms);
    size_t size;
    char *to = room(a, &size);

    return gathered(a, audit_line_report(&line, subject, number, report, to, size));
}

void audit_note(struct audit *a, const char *event, const struct audit_subject *subject,
                const char *format, ...)
{
    char text[512];
    va_list arguments;
    struct store_audit note = {.event = slice_text(event)};

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    note.text = slice_text(text);
    if (subject != NULL) {
        note.session = subject->session;
        note.account = slice_text(subject->account);
        note.protocol = slice_text(subject->protocol);
        note.address = slice_text(subject->address);
    }
    log_warning("audit: %s: %s", event, text);
    (void)audit_event(a, &note); /* counted when there is no room */
}

bool audit_waits(const struct audit *a)
{
    return a->pending_len > 0 || a->lost > 0;
}

/* ------------------------------------------------------------------------------- the end of a file
 */

/* What the end of a file of the log says. */
struct tail {
    uint64_t size;  /* up to and with the last newline */
    uint64_t cut;   /* bytes after it */
    uint64_t first; /* n of the file's first line, 0: unknown or none */
    uint64_t last;  /* n of its last line, 0: unknown or none */
    bool damaged;   /* the last line is none of ours */
    char hash[AUDIT_HASH_SIZE];
};

static ssize_t read_at(int fd, char *bytes, size_t size, uint64_t at)
{
    size_t len = 0;

    while (len < size) {
        const ssize_t n = pread(fd, bytes + len, size - len, (off_t)(at + len));
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    return (ssize_t)len;
}

/* The lines in bytes, which begin with one. */
static int scan_lines(const char *bytes, size_t len, struct tail *tail)
{
    char prev[AUDIT_HASH_SIZE];

    for (size_t at = 0; at < len;) {
        const char *end = memchr(bytes + at, '\n', len - at);
        if (end == NULL)
            break;
        const struct slice line = slice_of(bytes + at, (size_t)(end - bytes) - at);
        uint64_t n;
        tail->damaged = audit_line_read(line, &n, prev) < 0;
        if (tail->damaged && errno == ENOMEM)
            return -1;
        if (!tail->damaged)
            tail->last = n;
        else if (tail->last > 0)
            tail->last++;
        if (audit_hash(line, tail->hash) < 0)
            return -1;
        at += line.len + 1;
    }
    return 0;
}

static int read_tail(int fd, struct tail *tail)
{
    const size_t most = 2 * AUDIT_LINE_MAX;
    char *bytes = malloc(most);
    char prev[AUDIT_HASH_SIZE];
    struct stat st;
    int r = -1;

    *tail = (struct tail){0};
    if (bytes == NULL || fstat(fd, &st) < 0)
        goto out;
    const uint64_t total = (uint64_t)st.st_size;
    ssize_t len = read_at(fd, bytes, AUDIT_LINE_MAX, 0);
    if (len < 0)
        goto out;
    const char *end = memchr(bytes, '\n', (size_t)len);
    if (end != NULL &&
        audit_line_read(slice_of(bytes, (size_t)(end - bytes)), &tail->first, prev) < 0) {
        if (errno == ENOMEM)
            goto out;
        tail->first = 0;
    }
    const uint64_t from = total > most ? total - most : 0;
    if ((len = read_at(fd, bytes, most, from)) < 0)
        goto out;
    const char *last = memrchr(bytes, '\n', (size_t)len);
    if (last == NULL && from > 0) { /* not what a crash leaves: it stays as it is */
        tail->size = total;
        tail->damaged = true;
        r = 0;
        goto out;
    }
    const size_t whole = last == NULL ? 0 : (size_t)(last - bytes) + 1;
    const char *begin = from > 0 ? (const char *)memchr(bytes, '\n', whole) + 1 : bytes;
    tail->size = from + whole;
    tail->cut = total - tail->size;
    r = scan_lines(begin, whole - (size_t)(begin - bytes), tail);
out:
    free(bytes);
    return r;
}

/* The end of the newest rotated file, for a log that has no line of its own. */
static int read_rotated_tail(int dir, struct tail *tail)
{
    struct audit_files files;
    char name[AUDIT_NAME_SIZE];
    int r = 0;

    *tail = (struct tail){0};
    if (audit_files_list(dir, &files) < 0)
        return -1;
    if (files.count > 0) {
        const int fd = openat(dir, audit_file_name(files.first[files.count - 1], name),
                              O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        r = fd < 0 ? -1 : read_tail(fd, tail);
        if (fd >= 0)
            close(fd);
    }
    free(files.first);
    return r;
}

/* ------------------------------------------------------------------------------- opening */

/* Open audit.log and stand at its end. Returns 0, or -1 with errno. */
static int open_log(struct audit *a, struct tail *tail)
{
    struct stat st;

    a->log = openat(a->dir, AUDIT_LOG, LOG_FLAGS, 0600);
    if (a->log < 0)
        return -1;
    if (fstat(a->log, &st) < 0 || read_tail(a->log, tail) < 0)
        goto failed;
    if (!S_ISREG(st.st_mode)) {
        errno = EINVAL;
        goto failed;
    }
    a->size = tail->size;
    a->first = tail->first;
    if (a->first == 0 && tail->size > 0)
        a->first = tail->last > 0 ? tail->last : a->next;
    a->tail = tail->cut > 0;
    a->newline = tail->damaged && tail->last == 0 && tail->size == (uint64_t)st.st_size;
    return 0;
failed:
    close(a->log);
    a->log = -1;
    return -1;
}

/* Number and hash of the last line, for audit_verify. Best effort: the log itself is what counts.
 */
static void write_head(struct audit *a)
{
    char text[AUDIT_HEAD_SIZE + 1];

    if (a->head < 0)
        return;
    snprintf(text, sizeof(text), "%020" PRIu64 " %s\n", a->next - 1, a->prev);
    if (pwrite(a->head, text, AUDIT_HEAD_SIZE, 0) != AUDIT_HEAD_SIZE)
        log_warning(AUDIT_HEAD ": %s", strerror(errno));
}

/* Go on with the chain where the log ends; what is missing or damaged becomes a line. Returns 0, or
 * -1 when it could not be looked at. */
static int continue_chain(struct audit *a, const struct tail *log, const struct tail *end)
{
    char hash[AUDIT_HASH_SIZE];
    uint64_t head = 0;
    const int trouble = audit_head_read(a->dir, &head, hash) < 0 ? errno : 0;

    if (trouble != 0 && trouble != ENOENT && trouble != EBADMSG) {
        errno = trouble;
        return -1;
    }
    if (trouble != 0) {
        head = 0;
        memset(hash, '0', AUDIT_HASH_SIZE - 1);
        hash[AUDIT_HASH_SIZE - 1] = '\0';
    }
    a->next = end->last + 1;
    memcpy(a->prev, end->hash[0] != '\0' ? end->hash : hash, sizeof(a->prev));
    if (head > end->last) { /* the gap stays in the numbers, where audit_verify sees it */
        a->next = head + 1;
        audit_note(a, "security", NULL,
                   "the end of the audit log is missing: lines %" PRIu64 " to %" PRIu64,
                   end->last + 1, head);
    } else if (head > 0 && head == end->last && strcmp(hash, end->hash) != 0) {
        audit_note(a, "security", NULL, "line %" PRIu64 " of the audit log was changed", head);
    } else if (trouble != 0 && end->last > 0) {
        audit_note(a, "security", NULL, AUDIT_HEAD " is gone or damaged (%s); it is made anew",
                   strerror(trouble));
    }
    if (end->damaged)
        audit_note(a, "security", NULL, "the last line of the audit log is damaged");
    if (log->cut > 0)
        audit_note(a, "audit-recovered", NULL,
                   "%" PRIu64 " bytes of an unfinished line were cut off after a crash", log->cut);
    return 0;
}

int audit_open(struct audit *a, int state_dir, uint64_t rotate_bytes, uint32_t rotate_keep)
{
    struct tail log, rotated;

    *a = (struct audit){.dir = state_dir,
                        .log = -1,
                        .head = -1,
                        .rotate_bytes = rotate_bytes,
                        .rotate_keep = rotate_keep,
                        .next = 1};
    a->pending = malloc(AUDIT_PENDING_MAX);
    if (a->pending == NULL || open_log(a, &log) < 0 || read_rotated_tail(a->dir, &rotated) < 0)
        goto failed;
    if (continue_chain(a, &log, log.size > 0 ? &log : &rotated) < 0)
        goto failed;
    a->head = openat(a->dir, AUDIT_HEAD, LOG_FLAGS, 0600);
    if (a->head < 0 || fsync(a->dir) < 0)
        goto failed;
    /* With the disk full that fails and is tried again: accounts can be read all the same. */
    if (audit_commit(a) == 0)
        write_head(a);
    return 0;
failed:
    audit_close(a);
    return -1;
}

/* ------------------------------------------------------------------------------- the disk */

/* Somebody else may have moved, cut or lengthened the file since the last commit. */
static int mind_file(struct audit *a)
{
    struct stat mine, named;
    struct tail tail;

    if (a->log >= 0 && fstat(a->log, &mine) < 0)
        return -1;
    const bool there = fstatat(a->dir, AUDIT_LOG, &named, AT_SYMLINK_NOFOLLOW) == 0;
    if (!there && errno != ENOENT)
        return -1; /* nobody knows whether it is there */
    if (a->log >= 0 && there && mine.st_ino == named.st_ino && mine.st_dev == named.st_dev) {
        if ((uint64_t)mine.st_size == a->size || a->tail)
            return 0;
        audit_note(a, "security", NULL,
                   AUDIT_LOG " was changed by somebody else: it has %lld bytes and had %" PRIu64,
                   (long long)mine.st_size, a->size);
        a->size = (uint64_t)mine.st_size;
        char last = '\n';
        a->newline =
            a->size > 0 && pread(a->log, &last, 1, (off_t)a->size - 1) == 1 && last != '\n';
        return 0;
    }
    if (a->log >= 0) {
        audit_note(a, "security", NULL, AUDIT_LOG " was removed or renamed by somebody else");
        close(a->log);
    }
    return open_log(a, &tail);
}

static int write_all(int fd, const char *bytes, size_t len, uint64_t at)
{
    while (len > 0) {
        const ssize_t n = pwrite(fd, bytes, len, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        bytes += n;
        len -= (size_t)n;
        at += (size_t)n;
    }
    return 0;
}

/* Remove rotated files over the number to keep, oldest first. */
static void remove_old(struct audit *a)
{
    struct audit_files files;
    char name[AUDIT_NAME_SIZE];

    if (a->rotate_keep == 0 || audit_files_list(a->dir, &files) < 0)
        return;
    for (size_t i = 0; i + a->rotate_keep < files.count; i++) {
        if (unlinkat(a->dir, audit_file_name(files.first[i], name), 0) < 0)
            log_warning("%s: %s", name, strerror(errno));
    }
    free(files.first);
}

/* The file that is full gets its first number as name and a new one begins. What fails is tried
 * again at the next commit. */
static void rotate(struct audit *a)
{
    char name[AUDIT_NAME_SIZE];

    if (renameat(a->dir, AUDIT_LOG, a->dir, audit_file_name(a->first, name)) < 0) {
        log_warning("%s: %s", name, strerror(errno));
        return;
    }
    close(a->log);
    a->size = a->first = 0;
    a->log = openat(a->dir, AUDIT_LOG, LOG_FLAGS | O_EXCL, 0600);
    if (a->log < 0 || fsync(a->dir) < 0)
        log_warning(AUDIT_LOG ": %s", strerror(errno));
    remove_old(a);
}

/* One write, one sync. Until it has gone well the file counts as ending at size. */
static int write_pending(struct audit *a)
{
    if (mind_file(a) < 0)
        return -1;
    uint64_t at = a->size;
    const bool longer = a->tail;
    a->tail = true;
    if (a->newline && write_all(a->log, "\n", 1, at++) < 0)
        return -1;
    if (write_all(a->log, a->pending, a->pending_len, at) < 0 ||
        (longer && ftruncate(a->log, (off_t)(at + a->pending_len)) < 0) || fdatasync(a->log) < 0)
        return -1;
    a->tail = a->newline = false;
    a->size = at + a->pending_len;
    if (a->first == 0)
        a->first = a->next - a->pending_lines;
    a->pending_len = a->pending_lines = 0;
    return 0;
}

int audit_commit(struct audit *a)
{
    while (audit_waits(a)) {
        if (a->lost > 0 && a->pending_len == 0) {
            const uint64_t lost = a->lost;
            a->lost = 0;
            audit_note(a, "audit-lost", NULL, "%" PRIu64 " lines could not be written and are lost",
                       lost);
            a->lost = a->pending_len > 0 ? 0 : lost;
        }
        if (a->pending_len == 0) {
            errno = a->error = ENOMEM;
            return -1;
        }
        if (write_pending(a) < 0) {
            a->error = errno;
            const int error = errno;
            if (a->log >= 0 && a->tail && ftruncate(a->log, (off_t)a->size) == 0)
                a->tail = false;
            errno = error;
            return -1;
        }
        write_head(a);
        if (a->size >= a->rotate_bytes)
            rotate(a);
    }
    a->error = 0;
    return 0;
}

void audit_close(struct audit *a)
{
    if (a->pending != NULL && a->log >= 0)
        (void)audit_commit(a);
    if (a->head >= 0) {
        (void)fdatasync(a->head);
        close(a->head);
    }
    if (a->log >= 0)
        close(a->log);
    free(a->pending);
    *a = (struct audit){.dir = -1, .log = -1, .head = -1};
}
