/* The stand-in of `make hostile`: stands in the programs' folder under the name of a worker, an
 * agent, a store or a hasher and is started by a real monitor. It hands its link to the test (by
 * descriptor, over a socket beside the program), so that the test is that process from then on, and
 * waits for the monitor to kill it or the test to say what becomes of it. It enters no sandbox and
 * reads nothing of what the monitor sends. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/facts.h"
#include "tests/hostile/orders.h"

/* The folder that this program stands in, and its name. Returns where the name is, or NULL. */
static const char *find_self(char *path, size_t size)
{
    const ssize_t n = readlink("/proc/self/exe", path, size - 1);

    if (n <= 0)
        return NULL;
    path[n] = '\0';
    char *slash = strrchr(path, '/');
    if (slash == NULL)
        return NULL;
    *slash = '\0';
    return slash + 1;
}

static int open_orders(const char *folder)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    const int orders = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    const int n = snprintf(at.sun_path, sizeof(at.sun_path), "%s/" ORDERS_NAME, folder);

    if (orders < 0 || n < 0 || (size_t)n >= sizeof(at.sun_path))
        return -1;
    return connect(orders, (struct sockaddr *)&at, sizeof(at)) < 0 ? -1 : orders;
}

/* Pass the link on. Returns 0 or -1. */
static int hand_over(int orders, const char *program)
{
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct child_hello hello = {.pid = getpid()};
    struct iovec part = {.iov_base = &hello, .iov_len = sizeof(hello)};
    const struct msghdr message = {.msg_iov = &part,
                                   .msg_iovlen = 1,
                                   .msg_control = control.space,
                                   .msg_controllen = sizeof(control.space)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    const int link = FD_MONITOR;

    if (snprintf(hello.program, sizeof(hello.program), "%s", program) < 0)
        return -1;
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &link, sizeof(link));
    return sendmsg(orders, &message, MSG_NOSIGNAL) == (ssize_t)sizeof(hello) ? 0 : -1;
}

/* Wait for an order; the link that may come with it takes its place. -1: the test is gone. */
static int take_order(int orders, struct child_order *order)
{
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = {.iov_base = order, .iov_len = sizeof(*order)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.space,
                             .msg_controllen = sizeof(control.space)};
    int link;

    if (recvmsg(orders, &message, 0) != (ssize_t)sizeof(*order))
        return -1;
    const struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    if (c == NULL || c->cmsg_type != SCM_RIGHTS)
        return 0;
    memcpy(&link, CMSG_DATA(c), sizeof(link));
    if (link == FD_MONITOR)
        return 0;
    return dup2(link, FD_MONITOR) == FD_MONITOR && close(link) == 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
    char folder[4096], real[4200];
    char *const environment[] = {NULL};
    const char *program = find_self(folder, sizeof(folder));
    const int orders = program != NULL ? open_orders(folder) : -1;
    struct child_order order;

    if (argc != 1 || orders < 0 || hand_over(orders, program) < 0)
        _exit(1);
    close(FD_MONITOR); /* the test's copy is the link now */
    if (take_order(orders, &order) < 0)
        _exit(0);
    switch (order.order) {
    case ORDER_EXIT:
        _exit(order.value);
    case ORDER_DIE:
        kill(getpid(), order.value);
        break;
    case ORDER_REAL:
        snprintf(real, sizeof(real), "%s/" REAL_NAME "/%s", folder, program);
        execve(real, argv, environment);
    }
    _exit(1);
}
