/* Fuzzing of the store's end of an agent's report link (monitor/store/source.c): the input is what
 * an agent sends, message after message, each with two bytes of length and one that says how many
 * descriptors come along. Whatever it is, each line that is gathered is one of the log, follows the
 * line before and holds no control character. */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "monitor/store/store.h"
#include "tests/fuzz/fuzz.h"

#define FDS_MOST 3

static struct store store;
static char no_hash[AUDIT_HASH_SIZE];

static void check_lines(void)
{
    const struct audit *a = &store.audit;
    char prev[AUDIT_HASH_SIZE], said[AUDIT_HASH_SIZE];
    uint64_t n = 0, number;

    memcpy(prev, no_hash, sizeof(prev));
    for (size_t at = 0; at < a->pending_len; n++) {
        const char *end = memchr(a->pending + at, '\n', a->pending_len - at);
        must(end != NULL);
        const struct slice line = slice_of(a->pending + at, (size_t)(end - a->pending) - at);
        for (size_t i = 0; i < line.len; i++)
            must(line.data[i] >= ' ');
        must(line.len < AUDIT_LINE_MAX && audit_line_read(line, &number, said) == 0);
        must(number == n + 1 && strcmp(said, prev) == 0);
        must(audit_hash(line, prev) == 0);
        at += line.len + 1;
    }
    must(n == a->pending_lines && a->next == n + 1 && strcmp(a->prev, prev) == 0);
}

static void say(int link, struct slice bytes, unsigned fd_count)
{
    int fds[FDS_MOST] = {STDIN_FILENO, STDIN_FILENO, STDIN_FILENO};
    union {
        char space[CMSG_SPACE(sizeof(fds))];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {.iov_base = (void *)bytes.data, .iov_len = bytes.len};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};

    if (fd_count > 0) {
        header.msg_control = control.space;
        header.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * fd_count);
    }
    (void)!sendmsg(link, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void begin(void)
{
    char *pending = store.audit.pending != NULL ? store.audit.pending : malloc(AUDIT_PENDING_MAX);

    must(pending != NULL);
    memset(no_hash, '0', sizeof(no_hash) - 1);
    store.audit = (struct audit){.dir = -1, .log = -1, .head = -1, .next = 1, .pending = pending};
    memcpy(store.audit.prev, no_hash, sizeof(no_hash));
    store.source_most = 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct store_audit_source whose = {
        .session = 1, .account = slice_text("alice"), .protocol = slice_text("sftp")};
    struct slice input = slice_of(data, size);
    const int before = open_descriptors();
    int pair[2];

    begin();
    must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    must(source_add(&store, pair[0], &whose) == 0);
    while (input.len > 0 && store.source_count > 0) {
        const unsigned fds = take_u8(&input) % 16;
        say(pair[1], take(&input, take_u16(&input)), fds <= FDS_MOST ? fds : 0);
        source_receive(&store, true);
        source_tell(&store);
    }
    close(pair[1]);
    source_receive(&store, true);
    check_lines();
    source_close_all(&store);
    must(open_descriptors() == before);
    return 0;
}
