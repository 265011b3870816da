/* Fuzzing of the audit log's reader (common/audit_chain.c). Even first byte: files of any bytes are
 * read to an end. Odd: a true chain is made of the input's pieces, one change is made to it, and
 * the verdict must be that it is no longer whole. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/audit_chain.h"
#include "tests/fuzz/fuzz.h"

#define LINES_MAX 12
#define LOG_MAX   65536

static int folder = -1;
static char folder_path[] = "/dev/shm/sallyport-fuzz-XXXXXX"; /* in memory: no disk is waited for */

static void clean_up(void)
{
    unlinkat(folder, AUDIT_LOG, 0);
    unlinkat(folder, AUDIT_LOG ".000000000001", 0);
    unlinkat(folder, AUDIT_HEAD, 0);
    rmdir(folder_path);
}

static void put_file(const char *name, struct slice bytes)
{
    const int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    must(fd >= 0 && write(fd, bytes.data, bytes.len) == (ssize_t)bytes.len);
    close(fd);
}

static int count_line(const char *line, size_t len, void *context)
{
    size_t *seen = context;

    must(memchr(line, '\n', len) == NULL);
    *seen += len + 1;
    return 0;
}

/* Verify and walk. Returns 1 when the log is not whole: trouble was told, or it says that it begins
 * later (where lines end that were removed on purpose, only the operator knows). */
static int look(void)
{
    struct audit_verdict v;
    char *told = NULL;
    size_t told_len, seen = 0;
    FILE *out = open_memstream(&told, &told_len);

    must(out != NULL);
    const int r = audit_verify(folder_path, out, &v);
    must(fclose(out) == 0);
    must(r >= 0 && (r == 1) == (v.troubles > 0) && (told_len > 0) == (r == 1));
    free(told);
    must(audit_walk(folder_path, count_line, &seen) == 0);
    return r == 1 || (v.lines > 0 && v.first != 1);
}

static void any_bytes(struct slice input)
{
    const struct slice head = take(&input, take_u8(&input) % 2 * AUDIT_HEAD_SIZE);
    const struct slice rotated = take(&input, take_u16(&input));

    put_file(AUDIT_HEAD, head);
    put_file(AUDIT_LOG ".000000000001", rotated);
    put_file(AUDIT_LOG, input);
    look();
}

/* A chain of `count` lines, the texts of which come from the input. Returns bytes; starts: where
 * each line begins. */
static size_t make_chain(struct slice *input, char log[LOG_MAX], size_t starts[LINES_MAX + 1],
                         size_t count)
{
    char prev[AUDIT_HASH_SIZE], head[AUDIT_HEAD_SIZE + 1], text[2 * 64 + 1];
    size_t len = 0;

    memset(prev, '0', sizeof(prev) - 1);
    prev[AUDIT_HASH_SIZE - 1] = '\0';
    for (size_t i = 0; i < count; i++) {
        const struct slice bytes = take(input, take_u8(input) % 64);
        for (size_t b = 0; b < bytes.len; b++)
            snprintf(text + 2 * b, 3, "%02x", bytes.data[b]);
        text[2 * bytes.len] = '\0';
        starts[i] = len;
        len += (size_t)snprintf(log + len, LOG_MAX - len,
                                "{\"n\":%zu,\"text\":\"%s\",\"prev\":\"%s\"}\n", i + 1, text, prev);
        must(audit_hash(slice_of(log + starts[i], len - 1 - starts[i]), prev) == 0);
    }
    starts[count] = len;
    snprintf(head, sizeof(head), "%020zu %s\n", count, prev);
    put_file(AUDIT_HEAD, slice_of(head, AUDIT_HEAD_SIZE));
    return len;
}

/* One change. Returns the log's new length. */
static size_t change(char log[LOG_MAX], size_t len, const size_t starts[LINES_MAX + 1],
                     size_t count, uint8_t what, uint16_t where)
{
    const size_t line = where % count, begin = starts[line], end = starts[line + 1];
    char other[1024];

    switch (what % 5) {
    case 0: /* a byte */
        log[where % len] ^= (char)(what >= 5 ? what / 5 : 1);
        return len;
    case 1: /* a line dropped */
        memmove(log + begin, log + end, len - end);
        return len - (end - begin);
    case 2: /* a line twice */
        memmove(log + end, log + begin, len - begin);
        return len + (end - begin);
    case 3: /* the end cut off */
        return where % len;
    default: /* a line moved to the end; the last one to the front */
        must(end - begin <= sizeof(other));
        memcpy(other, log + begin, end - begin);
        memmove(log + begin, log + end, len - end);
        if (line < count - 1) {
            memcpy(log + len - (end - begin), other, end - begin);
            return len;
        }
        memmove(log + (end - begin), log, len - (end - begin));
        memcpy(log, other, end - begin);
        return len;
    }
}

static void true_chain(struct slice input)
{
    static char log[2 * LOG_MAX], before[LOG_MAX];
    size_t starts[LINES_MAX + 1];
    const size_t count = 1 + take_u8(&input) % LINES_MAX;
    const uint8_t what = take_u8(&input);
    const uint16_t where = take_u16(&input);
    const size_t split = take_u8(&input) % (count + 1);
    const size_t len = make_chain(&input, log, starts, count);

    memcpy(before, log, len);
    unlinkat(folder, AUDIT_LOG ".000000000001", 0);
    for (int changed = 0; changed < 2; changed++) {
        const size_t now = changed ? change(log, len, starts, count, what, where) : len;
        const size_t first = starts[split] < now ? starts[split] : 0;
        if (first > 0)
            put_file(AUDIT_LOG ".000000000001", slice_of(log, first));
        else
            unlinkat(folder, AUDIT_LOG ".000000000001", 0);
        put_file(AUDIT_LOG, slice_of(log + first, now - first));
        const bool same = now == len && memcmp(log, before, len) == 0;
        must(look() == (same ? 0 : 1));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of(data, size);

    if (folder < 0) {
        must(mkdtemp(folder_path) != NULL);
        folder = open(folder_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        must(folder >= 0 && atexit(clean_up) == 0);
    }
    if (size > LOG_MAX)
        return 0;
    if (take_u8(&input) % 2 == 0)
        any_bytes(input);
    else
        true_chain(input);
    return 0;
}
