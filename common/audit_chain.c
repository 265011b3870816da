/* Walking and verifying the audit log. Linked by the store and by the operator's command; it must
 * give a true verdict also while the store is writing and rotating, and it never writes. */
#include "common/audit_chain.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char no_hash[AUDIT_HASH_SIZE] =
    "0000000000000000000000000000000000000000000000000000000000000000";

/* ------------------------------------------------------------------------------- the parts */

int audit_hash(struct slice line, char hash[AUDIT_HASH_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    if (EVP_Digest(line.data, line.len, digest, &len, EVP_sha256(), NULL) != 1 || len != 32) {
        ERR_clear_error(); /* nobody asks libcrypto why */
        errno = EIO;
        return -1;
    }
    for (size_t i = 0; i < 32; i++) {
        hash[2 * i] = digits[digest[i] >> 4];
        hash[2 * i + 1] = digits[digest[i] & 15];
    }
    hash[AUDIT_HASH_SIZE - 1] = '\0';
    return 0;
}

static bool is_hash(const char *text)
{
    return strlen(text) == AUDIT_HASH_SIZE - 1 &&
           strspn(text, "0123456789abcdef") == AUDIT_HASH_SIZE - 1;
}

static int parse_line(struct slice line, uint64_t *n, char prev[AUDIT_HASH_SIZE])
{
    json_error_t error;
    json_t *json = json_loadb((const char *)line.data, line.len,
                              JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    const enum json_error_code code =
        json == NULL ? json_error_code(&error) : json_error_null_value;
    const json_t *number = json_object_get(json, "n");
    const char *hash = json_string_value(json_object_get(json, "prev"));
    int r = -1;

    if (json_is_integer(number) && json_integer_value(number) > 0 && hash != NULL &&
        is_hash(hash)) {
        *n = (uint64_t)json_integer_value(number);
        memcpy(prev, hash, AUDIT_HASH_SIZE);
        r = 0;
    }
    json_decref(json);
    if (r < 0) /* no word about the text: it was not the text */
        errno = code == json_error_unknown || code == json_error_out_of_memory ? ENOMEM : EBADMSG;
    return r;
}

int audit_line_read(struct slice line, uint64_t *n, char prev[AUDIT_HASH_SIZE])
{
    /* Jansson takes some lacks of memory for faults of the text: a fault is there at a second look.
     */
    return parse_line(line, n, prev) == 0 ? 0 : parse_line(line, n, prev);
}

int audit_head_read(int state_dir, uint64_t *n, char hash[AUDIT_HASH_SIZE])
{
    char text[AUDIT_HEAD_SIZE + 1] = "";
    const int fd = openat(state_dir, AUDIT_HEAD, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    ssize_t got = 0;
    size_t len = 0;

    if (fd < 0)
        return -1;
    do {
        got = pread(fd, text + len, AUDIT_HEAD_SIZE - len, (off_t)len);
        len += got > 0 ? (size_t)got : 0;
    } while ((got > 0 && len < AUDIT_HEAD_SIZE) || (got < 0 && errno == EINTR));
    const int error = errno;
    close(fd);
    if (got < 0) {
        errno = error;
        return -1;
    }
    char *end = NULL;
    errno = 0;
    *n = strtoull(text, &end, 10);
    if (len != AUDIT_HEAD_SIZE || errno != 0 || end != text + 20 || *end != ' ' ||
        text[AUDIT_HEAD_SIZE - 1] != '\n')
        goto damaged;
    text[AUDIT_HEAD_SIZE - 1] = '\0';
    if (!is_hash(end + 1))
        goto damaged;
    memcpy(hash, end + 1, AUDIT_HASH_SIZE);
    return 0;
damaged:
    errno = EBADMSG;
    return -1;
}

char *audit_file_name(uint64_t first, char name[AUDIT_NAME_SIZE])
{
    snprintf(name, AUDIT_NAME_SIZE, "%s.%012" PRIu64, AUDIT_LOG, first);
    return name;
}

/* The number in a rotated file's name, or 0: another file. */
static uint64_t number_in_name(const char *name)
{
    const size_t prefix = strlen(AUDIT_LOG ".");
    char again[AUDIT_NAME_SIZE];

    if (strncmp(name, AUDIT_LOG ".", prefix) != 0 || name[prefix] < '0' || name[prefix] > '9')
        return 0;
    const uint64_t n = strtoull(name + prefix, NULL, 10);
    return strcmp(audit_file_name(n, again), name) == 0 ? n : 0;
}

static int by_number(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

int audit_files_list(int state_dir, struct audit_files *files)
{
    const int fd = openat(state_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    size_t size = 0;
    int r = -1;

    *files = (struct audit_files){0};
    if (dir == NULL) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (entry == NULL && errno != 0)
            goto out;
        if (entry == NULL)
            break;
        const uint64_t n = number_in_name(entry->d_name);
        if (n == 0)
            continue;
        if (files->count == size) {
            size = size == 0 ? 16 : size * 2;
            uint64_t *more = reallocarray(files->first, size, sizeof(*more));
            if (more == NULL)
                goto out;
            files->first = more;
        }
        files->first[files->count++] = n;
    }
    if (files->count > 0)
        qsort(files->first, files->count, sizeof(files->first[0]), by_number);
    r = 0;
out:
    closedir(dir);
    if (r < 0) {
        free(files->first);
        *files = (struct audit_files){0};
    }
    return r;
}

/* ------------------------------------------------------------------------------- the walk */

/* Where a line stands. */
struct place {
    char file[AUDIT_NAME_SIZE];
    uint64_t line;  /* in its file, from 1 */
    uint64_t named; /* the number in the file's name; 0: audit.log itself */
    bool whole;     /* false: the last line, and its newline is missing */
};

typedef int (*place_function)(const struct place *place, struct slice line, void *context);

/* The lines of one file. What is longer than AUDIT_LINE_MAX is no line of ours and is given in
 * pieces. */
static int walk_file(int fd, struct place *place, place_function each, void *context)
{
    char *bytes = malloc(AUDIT_LINE_MAX);
    size_t len = 0;
    ssize_t n = 0;
    int r = bytes == NULL ? -1 : 0;

    place->line = 0;
    place->whole = true;
    while (r == 0 && (n = read(fd, bytes + len, AUDIT_LINE_MAX - len)) > 0) {
        size_t at = 0;
        len += (size_t)n;
        for (char *end; r == 0 && (end = memchr(bytes + at, '\n', len - at)) != NULL;) {
            place->line++;
            r = each(place, slice_of(bytes + at, (size_t)(end - bytes) - at), context);
            at = (size_t)(end - bytes) + 1;
        }
        if (r == 0 && at == 0 && len == AUDIT_LINE_MAX) {
            place->line++;
            r = each(place, slice_of(bytes, len), context);
            at = len;
        }
        len -= at;
        memmove(bytes, bytes + at, len);
    }
    if (r == 0 && n < 0)
        r = -1;
    if (r == 0 && len > 0) {
        place->line++;
        place->whole = false;
        r = each(place, slice_of(bytes, len), context);
    }
    free(bytes);
    return r;
}

/* The rotated files, oldest first; those from the inode of `live` on are left to the caller, who
 * holds that one open: it was rotated after we opened it. */
static int walk_rotated(int dir, int live, uint64_t *files, place_function each, void *context)
{
    struct audit_files list;
    struct stat here, there;
    int r = 0;

    if ((live >= 0 && fstat(live, &here) < 0) || audit_files_list(dir, &list) < 0)
        return -1;
    for (size_t i = 0; i < list.count && r == 0; i++) {
        struct place place = {.named = list.first[i]};
        const int fd = openat(dir, audit_file_name(list.first[i], place.file),
                              O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 && errno == ENOENT && *files == 0)
            continue; /* the oldest was removed just now, by rotate_keep */
        if (fd < 0 || fstat(fd, &there) < 0) {
            r = -1;
        } else if (live >= 0 && here.st_dev == there.st_dev && here.st_ino == there.st_ino) {
            close(fd);
            break;
        } else {
            ++*files;
            r = walk_file(fd, &place, each, context);
        }
        if (fd >= 0)
            close(fd);
    }
    free(list.first);
    return r;
}

static int walk_all(int dir, uint64_t *files, place_function each, void *context)
{
    struct place place = {.file = AUDIT_LOG};
    const int live = openat(dir, AUDIT_LOG, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    *files = 0;
    if (live < 0 && errno != ENOENT)
        return -1;
    int r = walk_rotated(dir, live, files, each, context);
    if (r == 0 && live >= 0) {
        ++*files;
        r = walk_file(live, &place, each, context);
    }
    if (live >= 0)
        close(live);
    return r;
}

struct walk {
    audit_line_function each;
    void *context;
};

static int give_line(const struct place *place, struct slice line, void *context)
{
    const struct walk *walk = context;

    return place->whole ? walk->each((const char *)line.data, line.len, walk->context) : 0;
}

int audit_walk(const char *state_dir, audit_line_function each, void *context)
{
    struct walk walk = {.each = each, .context = context};
    const int dir = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    uint64_t files;

    if (dir < 0)
        return -1;
    const int r = walk_all(dir, &files, give_line, &walk);
    close(dir);
    return r;
}

/* ------------------------------------------------------------------------------- the verdict */

struct chain {
    FILE *out;
    struct audit_verdict *verdict;
    uint64_t head; /* n in audit.head; 0: none */
    char head_hash[AUDIT_HASH_SIZE];
    struct place end; /* of the line seen last */
};

static void tell(struct chain *c, const struct place *place, uint64_t n, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void tell(struct chain *c, const struct place *place, uint64_t n, const char *format, ...)
{
    va_list arguments;

    c->verdict->troubles++;
    fprintf(c->out, "%s:%" PRIu64 ": ", place->file, place->line);
    if (n > 0)
        fprintf(c->out, "n %" PRIu64 ": ", n);
    va_start(arguments, format);
    vfprintf(c->out, format, arguments);
    va_end(arguments);
    fputc('\n', c->out);
}

/* n against what must follow the line before. */
static void check_number(struct chain *c, const struct place *place, uint64_t n)
{
    const uint64_t expected = c->verdict->last + 1;

    if (place->line == 1 && place->named != 0 && place->named != n)
        tell(c, place, n, "the file's name says that it begins with n %" PRIu64, place->named);
    if (c->verdict->lines == 0 || n == expected)
        return;
    if (n > expected)
        tell(c, place, n, "lines are missing before it: n %" PRIu64 " to %" PRIu64, expected,
             n - 1);
    else
        tell(c, place, n, "out of order or inserted: n %" PRIu64 " was expected", expected);
}

static int verify_line(const struct place *place, struct slice line, void *context)
{
    struct chain *c = context;
    struct audit_verdict *v = c->verdict;
    char prev[AUDIT_HASH_SIZE];
    uint64_t n;

    /* Only the end of the newest file may be unfinished: it is being written, or a crash cut it and
     * it was never acknowledged. audit.head tells if more than that is missing. */
    if (!place->whole && place->named == 0)
        return 0;
    if (audit_line_read(line, &n, prev) < 0) {
        n = v->last + 1;
        tell(c, place, 0, "changed: this is no line of the audit log");
    } else {
        check_number(c, place, n);
        if (v->lines > 0 && strcmp(prev, v->hash) != 0)
            tell(c, place, n, "the line before it was changed, dropped or moved, or this one was");
        else if (v->lines == 0 && n == 1 && strcmp(prev, no_hash) != 0)
            tell(c, place, n, "the first line must follow nothing");
    }
    if (audit_hash(line, v->hash) < 0)
        return -1;
    if (v->lines++ == 0)
        v->first = n;
    v->last = n;
    if (n == c->head && strcmp(v->hash, c->head_hash) != 0)
        tell(c, place, n, "changed: its hash is not the one in " AUDIT_HEAD);
    c->end = *place;
    return 0;
}

/* The end of the log against audit.head, which was read before the log was. */
static void verify_end(struct chain *c, int head_error)
{
    const struct audit_verdict *v = c->verdict;
    const struct place head = {.file = AUDIT_HEAD, .line = 1};

    if (head_error != 0 && v->lines > 0)
        tell(c, &head, 0, "%s: nobody can tell whether lines are missing at the end",
             strerror(head_error));
    else if (head_error == 0 && c->head > v->last)
        tell(c, &c->end, 0, "lines are missing after it: n %" PRIu64 " to %" PRIu64, v->last + 1,
             c->head);
}

int audit_verify(const char *state_dir, FILE *out, struct audit_verdict *verdict)
{
    struct chain c = {.out = out, .verdict = verdict, .end = {.file = AUDIT_LOG}};
    const int dir = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = -1;

    *verdict = (struct audit_verdict){0};
    memcpy(verdict->hash, no_hash, sizeof(no_hash));
    if (dir < 0)
        return -1;
    int head_error = EBADMSG;
    for (int i = 0; i < 3 && head_error == EBADMSG; i++) /* it may be written just now */
        head_error = audit_head_read(dir, &c.head, c.head_hash) < 0 ? errno : 0;
    if (head_error != 0 && head_error != ENOENT && head_error != EBADMSG) {
        errno = head_error;
        goto out;
    }
    if (walk_all(dir, &verdict->files, verify_line, &c) < 0)
        goto out;
    verify_end(&c, head_error);
    r = verdict->troubles > 0 ? 1 : 0;
out:
    close(dir);
    return r;
}
