/* The compromised worker of `make hostile`: stands in the programs' folder under a worker's name
 * and is started by a real monitor. It hands its link to the test (by descriptor, over a socket
 * beside the program), so that the test is the worker from then on, and waits to be killed by the
 * monitor or let go by the test. It enters no sandbox and reads nothing of what the monitor sends.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/facts.h"
#include "tests/hostile/orders.h"

/* The socket's name: in the folder that this program stands in. */
static int orders_address(struct sockaddr_un *at)
{
    char self[4096];
    const ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (n <= 0)
        return -1;
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    if (slash == NULL)
        return -1;
    *slash = '\0';
    const int len = snprintf(at->sun_path, sizeof(at->sun_path), "%s/" ORDERS_NAME, self);
    return len > 0 && (size_t)len < sizeof(at->sun_path) ? 0 : -1;
}

/* Pass the link on. Returns 0 or -1. */
static int hand_over(int orders)
{
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct worker_hello hello = {.pid = getpid()};
    struct iovec part = {.iov_base = &hello, .iov_len = sizeof(hello)};
    const struct msghdr message = {.msg_iov = &part,
                                   .msg_iovlen = 1,
                                   .msg_control = control.space,
                                   .msg_controllen = sizeof(control.space)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    const int link = FD_MONITOR;

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &link, sizeof(link));
    return sendmsg(orders, &message, MSG_NOSIGNAL) == (ssize_t)sizeof(hello) ? 0 : -1;
}

int main(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    const int orders = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    unsigned char status = 0;

    if (orders < 0 || orders_address(&at) < 0 ||
        connect(orders, (struct sockaddr *)&at, sizeof(at)) < 0 || hand_over(orders) < 0)
        _exit(1);
    close(FD_MONITOR);
    /* One byte: end with this status. The test's end is the end too. */
    const ssize_t n = recv(orders, &status, sizeof(status), 0);
    _exit(n == 1 ? status : 0);
}
