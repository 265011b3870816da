/* The schema's encoder, decoder and transport: every message, walked by the table that messages.def
 * makes, is written by an encoder of the test's own and must be read back, and whatever differs
 * from the schema by a byte, a length or a descriptor must be refused without losing a descriptor.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef SALLYPORT_SANITIZE
#include <sanitizer/asan_interface.h>
#endif

#include "common/message.h"

#define ID          0x89abcdefu
#define HEADER      8
#define STRUCT_MOST 512

/* How texts and blobs are filled; numbers are all bits or none. */
enum fill { EMPTY, SHORT, LONGEST };

/* What a test works on: one of them, too large for a stack. */
static struct {
    struct envelope e;
    uint8_t expected[2 * MESSAGE_MAX];
    uint8_t text[MESSAGE_MAX + 1];
} t;

static bool is_variable(const struct field_info *f)
{
    return f->kind == FIELD_STR || f->kind == FIELD_BLOB || f->kind == FIELD_SECRET;
}

static size_t fixed_bytes(const struct field_info *f)
{
    return f->kind == FIELD_U8 ? 1 : f->kind == FIELD_U32 ? 4 : 8;
}

static size_t length_of(const struct field_info *f, enum fill fill)
{
    return fill == EMPTY ? 0 : fill == LONGEST ? f->most : f->most < 5 ? f->most : 5;
}

/* A message's struct with every field filled; texts point into t.text, which has no NUL. */
static void fill_struct(const struct message_info *info, enum fill fill, uint8_t *message)
{
    memset(message, 0, STRUCT_MOST);
    for (size_t i = 0; i < info->field_count; i++) {
        const struct field_info *f = &info->fields[i];
        if (is_variable(f)) {
            const struct slice text = slice_of(t.text + i, length_of(f, fill));
            memcpy(message + f->offset, &text, sizeof(text));
        } else {
            memset(message + f->offset, fill == EMPTY ? 0 : 0xff, fixed_bytes(f));
        }
    }
}

static void put(size_t *at, const void *bytes, size_t n)
{
    assert_true(*at + n <= sizeof(t.expected));
    if (n > 0)
        memcpy(t.expected + *at, bytes, n);
    *at += n;
}

/* One field made otherwise: the length that is told, and the bytes that stand there. */
struct spoil {
    size_t field;
    uint32_t told;
    struct slice real;
};

/* The same by hand into t.expected; spoil NULL: as the schema has it. Returns bytes. */
static size_t encode_by_hand(enum message_type type, enum fill fill, const struct spoil *spoil)
{
    const struct message_info *info = message_info(type);
    const uint32_t head[2] = {type, ID};
    const uint64_t none = 0, all = UINT64_MAX;
    size_t at = 0;

    put(&at, head, sizeof(head));
    for (size_t i = 0; i < info->field_count; i++) {
        const struct field_info *f = &info->fields[i];
        if (!is_variable(f)) {
            put(&at, fill == EMPTY ? &none : &all, fixed_bytes(f));
        } else if (spoil != NULL && spoil->field == i) {
            put(&at, &spoil->told, 4);
            put(&at, spoil->real.data, spoil->real.len);
        } else {
            const uint32_t length = (uint32_t)length_of(f, fill);
            put(&at, &length, 4);
            put(&at, t.text + i, length);
        }
    }
    return at;
}

/* t.expected as if it had been received. */
static void into_envelope(enum message_type type, size_t len)
{
    assert_true(len <= sizeof(t.e.bytes));
    t.e = (struct envelope){.type = type, .id = ID, .len = len};
    memcpy(t.e.bytes, t.expected, len);
}

static size_t spoilt(enum message_type type, size_t field, uint32_t told, size_t real)
{
    const struct spoil spoil = {.field = field, .told = told, .real = slice_of(t.text, real)};

    return encode_by_hand(type, SHORT, &spoil);
}

static void refused(enum message_type type, const char *what)
{
    uint8_t message[STRUCT_MOST];

    errno = 0;
    if (message_decode(&t.e, type, message) != -1 || errno != EPROTO)
        fail_msg("%s: %s is not refused", message_info(type)->name, what);
}

static void same_fields(const struct message_info *info, const uint8_t *a, const uint8_t *b)
{
    for (size_t i = 0; i < info->field_count; i++) {
        const struct field_info *f = &info->fields[i];
        struct slice sa, sb;
        if (is_variable(f)) {
            memcpy(&sa, a + f->offset, sizeof(sa));
            memcpy(&sb, b + f->offset, sizeof(sb));
            if (!slice_equal(sa, sb))
                fail_msg("%s.%s came back otherwise", info->name, f->name);
        } else if (memcmp(a + f->offset, b + f->offset, fixed_bytes(f)) != 0) {
            fail_msg("%s.%s came back otherwise", info->name, f->name);
        }
    }
}

#define EACH_MESSAGE(type) for (enum message_type type = MSG_NONE + 1; type < MSG_COUNT; type++)

static void test_the_table(void **state)
{
    (void)state;
    assert_null(message_info(MSG_NONE));
    assert_null(message_info(MSG_COUNT));
    EACH_MESSAGE(type)
    {
        const struct message_info *info = message_info(type);
        size_t most = HEADER;
        bool secret = false;
        assert_non_null(info);
        assert_true(info->struct_size <= STRUCT_MOST);
        assert_true(info->note[0] != '\0');
        assert_non_null(message_link_name(info->link));
        assert_true(info->fds_least <= info->fds_most && info->fds_most <= MESSAGE_FDS_MAX);
        for (size_t i = 0; i < info->field_count; i++) {
            const struct field_info *f = &info->fields[i];
            most += is_variable(f) ? 4 + f->most : fixed_bytes(f);
            secret = secret || f->kind == FIELD_SECRET;
        }
        assert_int_equal(info->secret, secret);
        if (most > MESSAGE_MAX)
            fail_msg("%s can be of %zu bytes: no message holds it", info->name, most);
    }
}

static void test_round_trips(void **state)
{
    uint8_t from[STRUCT_MOST], to[STRUCT_MOST];

    (void)state;
    EACH_MESSAGE(type)
    {
        const struct message_info *info = message_info(type);
        for (enum fill fill = EMPTY; fill <= LONGEST; fill++) {
            fill_struct(info, fill, from);
            const size_t len = encode_by_hand(type, fill, NULL);
            t.e = (struct envelope){.type = type, .id = ID};
            const ssize_t n = message_encode(type, ID, from, t.e.bytes, sizeof(t.e.bytes));
            assert_int_equal(n, len);
            assert_memory_equal(t.e.bytes, t.expected, len);
            t.e.len = len;
            memset(to, 0x55, sizeof(to));
            assert_int_equal(message_decode(&t.e, type, to), 0);
            same_fields(info, from, to);
        }
    }
}

/* Into no buffer that is too small, and never past it. */
static void test_encode_bounds(void **state)
{
    uint8_t from[STRUCT_MOST];

    (void)state;
    EACH_MESSAGE(type)
    {
        fill_struct(message_info(type), SHORT, from);
        const size_t len = encode_by_hand(type, SHORT, NULL);
        for (size_t size = 0; size < len; size++) {
            uint8_t *bytes = malloc(size + 8);
            assert_non_null(bytes);
            memset(bytes, 0xa5, size + 8);
            errno = 0;
            assert_int_equal(message_encode(type, ID, from, bytes, size), -1);
            assert_int_equal(errno, EMSGSIZE);
            for (size_t i = 0; i < 8; i++)
                assert_int_equal(bytes[size + i], 0xa5);
            free(bytes);
        }
    }
    errno = 0;
    assert_int_equal(message_encode(MSG_NONE, ID, from, t.e.bytes, MESSAGE_MAX), -1);
    assert_int_equal(message_encode(MSG_COUNT, ID, from, t.e.bytes, MESSAGE_MAX), -1);
    assert_int_equal(errno, EMSGSIZE);
}

/* Bytes past the end of what was received must not even be looked at. */
static void uncover(size_t len)
{
#ifdef SALLYPORT_SANITIZE
    if (len == 0)
        ASAN_POISON_MEMORY_REGION(t.e.bytes, sizeof(t.e.bytes));
    else if (len >= sizeof(t.e.bytes))
        ASAN_UNPOISON_MEMORY_REGION(t.e.bytes, sizeof(t.e.bytes));
    else
        ASAN_UNPOISON_MEMORY_REGION(t.e.bytes + len - 1, 1);
#else
    (void)len;
#endif
}

static void test_every_truncation(void **state)
{
    (void)state;
    EACH_MESSAGE(type)
    {
        for (enum fill fill = EMPTY; fill <= LONGEST; fill++) {
            const size_t len = encode_by_hand(type, fill, NULL);
            uint8_t message[STRUCT_MOST];
            into_envelope(type, len);
            uncover(0);
            for (size_t cut = 0; cut < len; cut++) {
                if (cut > 0)
                    uncover(cut);
                t.e.len = cut;
                errno = 0;
                if (message_decode(&t.e, type, message) != -1 || errno != EPROTO) {
                    uncover(MESSAGE_MAX);
                    fail_msg("%s cut to %zu of %zu is taken", message_info(type)->name, cut, len);
                }
            }
            uncover(MESSAGE_MAX);
            t.e.len = len;
            assert_int_equal(message_decode(&t.e, type, message), 0);
            if (len < MESSAGE_MAX) {
                t.e.len = len + 1;
                refused(type, "one byte more");
            }
        }
    }
}

static void test_lengths_over_the_maximum(void **state)
{
    uint8_t from[STRUCT_MOST];

    (void)state;
    EACH_MESSAGE(type)
    {
        const struct message_info *info = message_info(type);
        for (size_t i = 0; i < info->field_count; i++) {
            const struct field_info *f = &info->fields[i];
            if (!is_variable(f))
                continue;
            /* All bytes are there, but one more than the schema has. */
            into_envelope(type, spoilt(type, i, f->most + 1, f->most + 1));
            refused(type, "a field over its maximum");
            /* At the maximum it is taken: it was the length alone. */
            into_envelope(type, spoilt(type, i, f->most, f->most));
            assert_int_equal(message_decode(&t.e, type, from), 0);
            into_envelope(type, spoilt(type, i, UINT32_MAX, 5));
            refused(type, "a length of all bits");
            into_envelope(type, spoilt(type, i, 6, 5));
            refused(type, "a length of one more than there is");
            into_envelope(type, spoilt(type, i, 4, 5));
            refused(type, "a length of one less than there is");

            fill_struct(info, SHORT, from);
            const struct slice over = slice_of(t.text, (size_t)f->most + 1);
            memcpy(from + f->offset, &over, sizeof(over));
            errno = 0;
            assert_int_equal(message_encode(type, ID, from, t.e.bytes, MESSAGE_MAX), -1);
            assert_int_equal(errno, EMSGSIZE);
        }
    }
}

static void test_nul_bytes(void **state)
{
    static const char with_nul[3][4] = {"\0ab", "a\0b", "ab\0"};
    uint8_t from[STRUCT_MOST], to[STRUCT_MOST];

    (void)state;
    EACH_MESSAGE(type)
    {
        const struct message_info *info = message_info(type);
        for (size_t n = 0; n < 3 * info->field_count; n++) {
            const struct field_info *f = &info->fields[n / 3];
            const struct slice text = slice_of(with_nul[n % 3], 3);
            if (!is_variable(f))
                continue;
            fill_struct(info, SHORT, from);
            memcpy(from + f->offset, &text, sizeof(text));
            errno = 0;
            const ssize_t len = message_encode(type, ID, from, t.expected, MESSAGE_MAX);
            if (f->kind != FIELD_STR) {
                into_envelope(type, (size_t)len);
                assert_int_equal(message_decode(&t.e, type, to), 0);
                same_fields(info, from, to);
                continue;
            }
            assert_int_equal(len, -1);
            assert_int_equal(errno, EINVAL);
            const struct spoil spoil = {.field = n / 3, .told = 3, .real = text};
            into_envelope(type, encode_by_hand(type, SHORT, &spoil));
            refused(type, "a text with a NUL");
        }
    }
}

static void test_decode_as_another(void **state)
{
    struct status as_status;
    struct reload as_reload;

    (void)state;
    into_envelope(MSG_status, encode_by_hand(MSG_status, EMPTY, NULL));
    assert_int_equal(decode_status(&t.e, &as_status), 0);
    assert_int_equal(decode_reload(&t.e, &as_reload), -1);
    assert_int_equal(message_decode(&t.e, MSG_NONE, &as_status), -1);
    assert_int_equal(message_decode(&t.e, MSG_COUNT, &as_status), -1);
    assert_int_equal(errno, EPROTO);
}

/* A failed encoding leaves no secret behind in the buffer. */
static void test_a_failed_encoding_keeps_no_secret(void **state)
{
    const struct hash_password request = {
        .password = slice_text("a secret nobody may find"),
        .setting = slice_of(t.text, 257),
    };

    (void)state;
    memset(t.e.bytes, 0, sizeof(t.e.bytes));
    assert_int_equal(message_encode(MSG_hash_password, ID, &request, t.e.bytes, MESSAGE_MAX), -1);
    assert_null(memmem(t.e.bytes, MESSAGE_MAX, "a secret", 8));
}

/* ---- nested messages ----------------------------------------------------------------------- */

static size_t nest_three(uint8_t *blob, size_t size)
{
    size_t len = 0;

    for (uint32_t i = 0; i < 3; i++) {
        const struct folder f = {
            .name = slice_text("home"), .path = slice_of(t.text, 100 + i), .rights = i};
        const ssize_t n = nest_folder(&f, blob, len, size);
        assert_true(n > 0);
        len = (size_t)n;
    }
    return len;
}

static void test_nested(void **state)
{
    uint8_t blob[600];
    const size_t len = nest_three(blob, sizeof(blob));
    struct slice rest = slice_of(blob, len);
    struct folder f;
    struct report r;

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(unnest_folder(&rest, &f), 1);
        assert_int_equal(f.rights, i);
        assert_int_equal(f.path.len, 100 + i);
        assert_true(slice_is(f.name, "home"));
    }
    assert_int_equal(unnest_folder(&rest, &f), 0);
    rest = slice_of(NULL, 0);
    assert_int_equal(unnest_folder(&rest, &f), 0);
    rest = slice_of(blob, len);
    assert_int_equal(unnest_report(&rest, &r), -1);
    assert_int_equal(message_unnest(&rest, MSG_NONE, &f), -1);
}

/* Count those that decode before the end or an error; the bytes are just as many as told. */
static int unnest_all(const uint8_t *blob, size_t len, int *last)
{
    uint8_t *exact = malloc(len > 0 ? len : 1);
    struct folder f;
    int count = 0;

    assert_non_null(exact);
    memcpy(exact, blob, len);
    struct slice rest = slice_of(exact, len);
    while ((*last = unnest_folder(&rest, &f)) == 1)
        count++;
    free(exact);
    return count;
}

static void test_nested_refusals(void **state)
{
    uint8_t blob[600];
    const size_t len = nest_three(blob, sizeof(blob));
    const size_t one = len / 3 - 1; /* the second is one byte longer, the third two */
    uint32_t length;
    int last;

    (void)state;
    for (size_t cut = 1; cut < len; cut++) {
        const int count = unnest_all(blob, cut, &last);
        const bool between = cut == one || cut == 2 * one + 1;
        assert_int_equal(count, cut < one ? 0 : cut < 2 * one + 1 ? 1 : 2);
        assert_int_equal(last, between ? 0 : -1);
    }
    memcpy(&length, blob, 4);
    for (int by = -1; by <= 1; by += 2) {
        const uint32_t wrong = length + (uint32_t)by;
        memcpy(blob, &wrong, 4);
        assert_int_equal(unnest_all(blob, len, &last), 0);
        assert_int_equal(last, -1);
    }
    for (uint32_t tiny = 0; tiny < HEADER; tiny++) {
        memcpy(blob, &tiny, 4);
        unnest_all(blob, len, &last);
        assert_int_equal(last, -1);
    }
    const uint32_t all = UINT32_MAX;
    memcpy(blob, &all, 4);
    unnest_all(blob, len, &last);
    assert_int_equal(last, -1);
}

static void test_nest_bounds(void **state)
{
    const struct folder f = {.name = slice_text("a"), .path = slice_text("/b"), .rights = 1};
    uint8_t blob[128];
    const ssize_t len = nest_folder(&f, blob, 0, sizeof(blob));

    (void)state;
    assert_true(len > 0);
    for (size_t size = 0; size < (size_t)len; size++) {
        memset(blob, 0xa5, sizeof(blob));
        errno = 0;
        assert_int_equal(nest_folder(&f, blob, 0, size), -1);
        assert_int_equal(errno, EMSGSIZE);
        assert_int_equal(blob[size], 0xa5);
    }
    assert_int_equal(nest_folder(&f, blob, 64, 64 + (size_t)len), 64 + len);
}

/* ---- transport ----------------------------------------------------------------------------- */

static int link_[2];

static int open_link(void **state)
{
    (void)state;
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link_);
}

static int close_link(void **state)
{
    (void)state;
    close(link_[0]);
    close(link_[1]);
    return 0;
}

static size_t open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    size_t n = 0;

    assert_non_null(folder);
    while (readdir(folder) != NULL)
        n++;
    closedir(folder);
    return n;
}

/* Bytes as they are, with some descriptors: what a process that was taken over may send. */
static void send_raw(const void *bytes, size_t len, size_t fd_count)
{
    union {
        char space[CMSG_SPACE(sizeof(int) * 64)];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = len};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};

    assert_true(fd_count <= 64);
    if (fd_count > 0) {
        header.msg_control = control.space;
        header.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        for (size_t i = 0; i < fd_count; i++)
            memcpy(CMSG_DATA(c) + i * sizeof(int), &link_[0], sizeof(int));
    }
    assert_int_equal(sendmsg(link_[0], &header, 0), len);
}

/* What was sent is refused, and no descriptor of it stays. */
static void receive_refused(const char *what, size_t before)
{
    errno = 0;
    const int r = message_receive(link_[1], &t.e, MSG_DONTWAIT);
    if (r != -1 || errno != EPROTO)
        fail_msg("%s: not refused but %d", what, r);
    assert_int_equal(t.e.type, MSG_NONE);
    assert_int_equal(t.e.fd_count, 0);
    if (open_descriptors() != before)
        fail_msg("%s: a descriptor stays open", what);
}

static void test_send_and_receive_all(void **state)
{
    uint8_t from[STRUCT_MOST], to[STRUCT_MOST];
    const int fds[3] = {link_[0], link_[1], link_[0]};

    (void)state;
    const size_t before = open_descriptors();
    EACH_MESSAGE(type)
    {
        const struct message_info *info = message_info(type);
        fill_struct(info, LONGEST, from);
        for (size_t n = 0; n <= MESSAGE_FDS_MAX + 1; n++) {
            errno = 0;
            const int sent = message_send(link_[0], type, ID, from, fds, n);
            if (n < info->fds_least || n > info->fds_most) {
                assert_int_equal(sent, -1);
                assert_int_equal(errno, EINVAL);
                continue;
            }
            assert_int_equal(sent, 0);
            if (info->link == NESTED) {
                receive_refused(info->name, before);
                continue;
            }
            assert_int_equal(message_receive(link_[1], &t.e, 0), 1);
            assert_int_equal(t.e.type, type);
            assert_int_equal(t.e.id, ID);
            assert_int_equal(t.e.fd_count, n);
            assert_int_equal(message_decode(&t.e, type, to), 0);
            same_fields(info, from, to);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(fcntl(t.e.fds[i], F_GETFD), FD_CLOEXEC);
            envelope_clear(&t.e);
            assert_int_equal(open_descriptors(), before);
        }
    }
}

static void test_wrong_descriptors(void **state)
{
    static const size_t counts[] = {0, 1, 2, 3, 4, 17, 64};

    (void)state;
    const size_t before = open_descriptors();
    EACH_MESSAGE(type)
    {
        const struct message_info *info = message_info(type);
        const size_t len = encode_by_hand(type, SHORT, NULL);
        for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
            if (info->link != NESTED && counts[i] >= info->fds_least && counts[i] <= info->fds_most)
                continue;
            send_raw(t.expected, len, counts[i]);
            receive_refused(info->name, before);
        }
    }
}

static void test_no_message_at_all(void **state)
{
    static const uint32_t types[] = {0, MSG_COUNT, MSG_COUNT + 1, 0x7fffffff, UINT32_MAX};
    static const uint8_t zeros[HEADER];

    (void)state;
    const size_t before = open_descriptors();
    for (size_t len = 1; len < HEADER; len++) {
        for (size_t fds = 0; fds <= 3; fds++) {
            send_raw(zeros, len, fds);
            receive_refused("shorter than a header", before);
        }
    }
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        const uint32_t head[2] = {types[i], ID};
        for (size_t fds = 0; fds <= 3; fds++) {
            send_raw(head, sizeof(head), fds);
            receive_refused("an unknown type", before);
        }
    }
}

static void test_oversized(void **state)
{
    const uint32_t head[2] = {MSG_file_entries, ID};

    (void)state;
    const size_t before = open_descriptors();
    memset(t.expected, 'x', sizeof(t.expected));
    memcpy(t.expected, head, sizeof(head));
    send_raw(t.expected, MESSAGE_MAX + 1, 0);
    receive_refused("a byte more than a message", before);
    send_raw(t.expected, 2 * MESSAGE_MAX, 2);
    receive_refused("two messages' bytes", before);
    /* The largest is received, and refused by its decoder. */
    struct file_entries entries;
    send_raw(t.expected, MESSAGE_MAX, 0);
    assert_int_equal(message_receive(link_[1], &t.e, 0), 1);
    assert_int_equal(t.e.len, MESSAGE_MAX);
    assert_int_equal(decode_file_entries(&t.e, &entries), -1);
    envelope_clear(&t.e);
}

/* An empty datagram looks like the end; descriptors on it would stay for ever. */
static void test_empty_with_descriptors(void **state)
{
    (void)state;
    const size_t before = open_descriptors();
    for (size_t fds = 0; fds <= 3; fds++) {
        send_raw("", 0, fds);
        assert_true(message_receive(link_[1], &t.e, MSG_DONTWAIT) <= 0);
        assert_int_equal(t.e.fd_count, 0);
        assert_int_equal(open_descriptors(), before);
    }
}

static void test_ends_of_a_link(void **state)
{
    const struct reload m = {0};
    int r;

    (void)state;
    errno = 0;
    assert_int_equal(message_receive(link_[1], &t.e, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    /* Full: nothing is lost, the sender learns it. */
    assert_int_equal(fcntl(link_[0], F_SETFL, O_NONBLOCK), 0);
    for (r = 0; r == 0;)
        r = send_reload(link_[0], 1, &m);
    assert_int_equal(errno, EAGAIN);
    while (message_receive(link_[1], &t.e, MSG_DONTWAIT) == 1)
        envelope_clear(&t.e);
    /* A peer that ends without reading: what it had said before is heard, then the end. */
    assert_int_equal(send_reload(link_[0], 1, &m), 0);
    assert_int_equal(send_reload(link_[1], 7, &m), 0);
    close(link_[1]);
    assert_int_equal(message_receive(link_[0], &t.e, 0), 1);
    assert_int_equal(t.e.id, 7);
    envelope_clear(&t.e);
    assert_int_equal(message_receive(link_[0], &t.e, 0), 0);
    errno = 0;
    assert_int_equal(send_reload(link_[0], 1, &m), -1); /* and no SIGPIPE */
    assert_int_equal(errno, EPIPE);
    link_[1] = dup(link_[0]);
}

static void test_secrets_are_wiped(void **state)
{
    static const uint8_t zeros[MESSAGE_MAX];
    uint8_t from[STRUCT_MOST];
    size_t seen = 0;

    (void)state;
    EACH_MESSAGE(type)
    {
        const struct message_info *info = message_info(type);
        if (!info->secret)
            continue;
        seen++;
        memset(&t.e, 0, sizeof(t.e));
        fill_struct(info, LONGEST, from);
        assert_int_equal(message_send(link_[0], type, ID, from, NULL, 0), 0);
        assert_int_equal(message_receive(link_[1], &t.e, 0), 1);
        assert_non_null(memmem(t.e.bytes, t.e.len, t.text + 24, 8) != NULL ? t.e.bytes : NULL);
        envelope_clear(&t.e);
        assert_memory_equal(t.e.bytes, zeros, MESSAGE_MAX);
        /* Refused (a descriptor too many), it is wiped as well. */
        send_raw(t.expected, encode_by_hand(type, LONGEST, NULL), info->fds_most + 1);
        errno = 0;
        assert_int_equal(message_receive(link_[1], &t.e, 0), -1);
        assert_memory_equal(t.e.bytes, zeros, MESSAGE_MAX);
    }
    assert_true(seen >= 5);
}

static void test_taken_descriptors_stay(void **state)
{
    const int fds[2] = {link_[0], link_[1]};
    const struct agent_setup m = {0};

    (void)state;
    const size_t before = open_descriptors();
    assert_int_equal(send_agent_setup_fds(link_[0], 1, &m, fds, 2), 0);
    assert_int_equal(message_receive(link_[1], &t.e, 0), 1);
    const int taken = envelope_take_fd(&t.e, 1);
    assert_true(taken > 2);
    assert_int_equal(envelope_take_fd(&t.e, 1), -1);
    assert_int_equal(envelope_take_fd(&t.e, 2), -1);
    envelope_clear(&t.e);
    envelope_clear(&t.e); /* twice harms nobody */
    assert_int_equal(open_descriptors(), before + 1);
    assert_int_equal(fcntl(taken, F_GETFD), FD_CLOEXEC);
    close(taken);
}

static void test_forward(void **state)
{
    const struct user_show m = {.name = slice_text("somebody")};
    struct user_show got;

    (void)state;
    assert_int_equal(send_user_show(link_[0], 5, &m), 0);
    assert_int_equal(message_receive(link_[1], &t.e, 0), 1);
    assert_int_equal(message_forward(link_[0], &t.e, 77), 0);
    assert_int_equal(message_receive(link_[1], &t.e, 0), 1);
    assert_int_equal(t.e.id, 77);
    assert_int_equal(decode_user_show(&t.e, &got), 0);
    assert_true(slice_is(got.name, "somebody"));
    envelope_clear(&t.e);
}

int main(void)
{
#define LINKED(test) cmocka_unit_test_setup_teardown(test, open_link, close_link)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_table),
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_encode_bounds),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_lengths_over_the_maximum),
        cmocka_unit_test(test_nul_bytes),
        cmocka_unit_test(test_decode_as_another),
        cmocka_unit_test(test_a_failed_encoding_keeps_no_secret),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_nested_refusals),
        cmocka_unit_test(test_nest_bounds),
        LINKED(test_send_and_receive_all),
        LINKED(test_wrong_descriptors),
        LINKED(test_no_message_at_all),
        LINKED(test_oversized),
        LINKED(test_empty_with_descriptors),
        LINKED(test_ends_of_a_link),
        LINKED(test_secrets_are_wiped),
        LINKED(test_taken_descriptors_stay),
        LINKED(test_forward),
    };

    for (size_t i = 0; i < sizeof(t.text); i++)
        t.text[i] = (uint8_t)(1 + i % 251);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
