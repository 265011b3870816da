/* Links whose messages carry no descriptors: what is attached all the same is refused, by the one
 * who receives or, where the kernel can, by the kernel at the sender; and it is never in the
 * receiver's table, not even for a moment that it could be seen in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/message.h"

#define MANY 253 /* SCM_MAX_FD */

static int pair[2];
static struct envelope e;

static int start(void **state)
{
    (void)state;
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}

static int end(void **state)
{
    (void)state;
    return close(pair[0]) | close(pair[1]);
}

static size_t open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t n = 0;

    assert_non_null(dir);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

/* Bytes as they are, with so many times this descriptor. Returns 0, or an errno. */
static int send_raw(const void *bytes, size_t len, int fd, size_t count)
{
    union {
        char space[CMSG_SPACE(sizeof(int) * MANY)];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = len};
    const struct msghdr message = {.msg_iov = &part,
                                   .msg_iovlen = 1,
                                   .msg_control = control.space,
                                   .msg_controllen = CMSG_SPACE(sizeof(int) * count)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * count);
    for (size_t i = 0; i < count; i++)
        memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(int));
    return sendmsg(pair[0], &message, MSG_NOSIGNAL) < 0 ? errno : 0;
}

static const uint32_t head[2] = {MSG_status, 7}; /* a whole message: it has no fields */

static void test_messages_pass(void **state)
{
    const struct worker_log line = {.level = 1, .text = slice_text("text")};
    struct worker_log got;
    (void)state;

    assert_int_equal(message_receive_bare(pair[1], &e, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(send_worker_log(pair[0], 9, &line), 0);
    assert_int_equal(message_receive_bare(pair[1], &e, 0), 1);
    assert_int_equal(decode_worker_log(&e, &got), 0);
    assert_true(slice_is(got.text, "text"));
    assert_int_equal(e.id, 9);
    assert_int_equal(shutdown(pair[0], SHUT_WR), 0);
    assert_int_equal(message_receive_bare(pair[1], &e, 0), 0);
}

static void test_descriptors_are_refused(void **state)
{
    static const size_t counts[] = {1, 2, 3, MANY}, lengths[] = {0, 1, sizeof(head)};
    const size_t before = open_descriptors();
    (void)state;

    for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
        for (size_t l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++) {
            assert_int_equal(send_raw(head, lengths[l], pair[0], counts[c]), 0);
            assert_int_equal(message_receive_bare(pair[1], &e, 0), -1);
            assert_int_equal(errno, EPROTO);
            assert_int_equal(e.fd_count, 0);
            assert_int_equal(open_descriptors(), before);
        }
    }
    assert_int_equal(send_raw(head, sizeof(head), STDERR_FILENO, 1), 0);
    assert_int_equal(message_receive_bare(pair[1], &e, 0), -1);
    /* One that belongs to its message is none here either. */
    const struct client client = {.address = slice_text("address")};
    assert_int_equal(send_client_fds(pair[0], 1, &client, &pair[0], 1), 0);
    assert_int_equal(message_receive_bare(pair[1], &e, 0), -1);
    assert_int_equal(errno, EPROTO);
    assert_int_equal(open_descriptors(), before);
}

/* What was attached is gone, and kept open by nobody. */
static void test_refused_descriptors_are_released(void **state)
{
    int ends[2];
    char byte;
    (void)state;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(send_raw(head, sizeof(head), ends[1], 1), 0);
    close(ends[1]);
    assert_int_equal(message_receive_bare(pair[1], &e, 0), -1);
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
}

static void test_the_kernel_refuses(void **state)
{
    const struct status status = {0};
    (void)state;

    message_refuse_descriptors(pair[1]);
    const int r = send_raw(head, sizeof(head), STDERR_FILENO, 1);
    if (r == 0) {
        print_message("skipped: this kernel refuses no descriptors at their sender (6.16)\n");
        skip();
    }
    assert_int_equal(r, EPERM);
    assert_int_equal(send_raw("", 0, STDERR_FILENO, MANY), EPERM);
    assert_int_equal(message_receive_bare(pair[1], &e, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(send_status(pair[0], 1, &status), 0);
    assert_int_equal(message_receive_bare(pair[1], &e, 0), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_messages_pass),
        TEST(test_descriptors_are_refused),
        TEST(test_refused_descriptors_are_released),
        TEST(test_the_kernel_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
