/* The stand-ins that the monitor has started: they wait in a pool until a part wants one of their
 * role, or become the real program at once where no part plays that role. Called by whoever waits
 * for anything, since what is waited for may need a real agent or store first. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/hostile/hostile.h"
#include "tests/hostile/orders.h"

const char *const role_programs[ROLE_COUNT] = {
    [ROLE_SFTP] = "sallyport-sftp",   [ROLE_FTPS] = "sallyport-ftps",
    [ROLE_HTTPS] = "sallyport-https", [ROLE_AGENT] = "sallyport-files",
    [ROLE_STORE] = "sallyport-store", [ROLE_HASHER] = "sallyport-hash",
};

void child_drop(struct child *c)
{
    if (c->link >= 0)
        close(c->link);
    if (c->orders >= 0)
        close(c->orders);
    c->link = c->orders = -1;
}

static int send_order(const struct child *c, enum order what, int value, int link)
{
    const struct child_order order = {.order = what, .value = value};

    return raw_send(c->orders, &order, sizeof(order), &link, link >= 0 ? 1 : 0, 0);
}

void child_real(struct child *c, int link)
{
    /* One that was killed meanwhile takes no orders. */
    if (send_order(c, ORDER_REAL, 0, link) < 0 && errno != EPIPE && errno != ECONNRESET)
        give_up("a stand-in takes no orders: %s", strerror(errno));
    child_drop(c);
}

/* Its link is closed by its end and not before. */
static void end(struct hostile *h, struct child *c, enum order what, int value)
{
    if (send_order(c, what, value, -1) < 0 || !child_gone(h, c, PATIENCE_MS))
        give_up("a stand-in takes no orders: %s", strerror(errno));
    child_drop(c);
}

void child_exit(struct hostile *h, struct child *c, int status)
{
    end(h, c, ORDER_EXIT, status);
}

void child_die(struct hostile *h, struct child *c, int signal)
{
    end(h, c, ORDER_DIE, signal);
}

bool child_gone(struct hostile *h, const struct child *c, int wait_ms)
{
    return children_wait(h, c->orders, POLLIN, wait_ms);
}

/* Neither killed nor given up by the monitor. */
static bool alive(const struct child *c)
{
    struct pollfd p[] = {{.fd = c->orders, .events = POLLIN}, {.fd = c->link}};

    return c->orders >= 0 && poll(p, 2, 0) == 0;
}

/* Take the link that a stand-in hands over. False: nobody is there. */
static bool take_hello(struct hostile *h, struct child *child)
{
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct child_hello hello;
    struct iovec part = {.iov_base = &hello, .iov_len = sizeof(hello)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.space,
                             .msg_controllen = sizeof(control.space)};
    size_t role = 0;

    *child = (struct child){.link = -1, .orders = accept4(h->orders, NULL, NULL, SOCK_CLOEXEC)};
    if (child->orders < 0)
        return false;
    const ssize_t n = recvmsg(child->orders, &message, MSG_CMSG_CLOEXEC);
    const struct cmsghdr *c = n == (ssize_t)sizeof(hello) ? CMSG_FIRSTHDR(&message) : NULL;
    if (c == NULL || c->cmsg_type != SCM_RIGHTS) { /* killed meanwhile */
        child_drop(child);
        return true;
    }
    memcpy(&child->link, CMSG_DATA(c), sizeof(child->link));
    child->pid = hello.pid;
    while (role < ROLE_COUNT &&
           strncmp(hello.program, role_programs[role], sizeof(hello.program)) != 0)
        role++;
    if (role == ROLE_COUNT)
        give_up("a stand-in for nobody");
    child->role = (enum role)role;
    return true;
}

/* Those that have ended and that nobody asked for: spares, replaced at a reload. */
static void drop_ended(struct hostile *h)
{
    size_t kept = 0;

    for (size_t i = 0; i < h->pool_count; i++) {
        if (alive(&h->pool[i]))
            h->pool[kept++] = h->pool[i];
        else
            child_drop(&h->pool[i]);
    }
    h->pool_count = kept;
}

static void hear(struct hostile *h)
{
    struct child c;

    if (h->pool_count == POOL_MAX)
        drop_ended(h);
    while (h->pool_count < POOL_MAX && take_hello(h, &c)) {
        if (c.orders < 0)
            continue;
        if ((h->by_hand & 1u << c.role) != 0)
            h->pool[h->pool_count++] = c;
        else
            child_real(&c, c.link);
    }
}

bool children_wait(struct hostile *h, int fd, short events, int wait_ms)
{
    const int64_t until = clock_now_ms() + wait_ms;
    int64_t left = wait_ms;

    do {
        struct pollfd p[] = {{.fd = fd, .events = events}, {.fd = h->orders, .events = POLLIN}};
        poll(p, 2, (int)left);
        if (p[1].revents != 0)
            hear(h);
        if (p[0].revents != 0)
            return true;
        left = until - clock_now_ms();
    } while (left > 0);
    return false;
}

bool child_next(struct hostile *h, enum role role, struct child *child, int wait_ms)
{
    const int64_t until = clock_now_ms() + wait_ms;
    struct pollfd p = {.fd = h->orders, .events = POLLIN};

    do {
        hear(h);
        for (size_t i = 0; i < h->pool_count;) {
            if (h->pool[i].role != role) {
                i++;
                continue;
            }
            *child = h->pool[i];
            memmove(&h->pool[i], &h->pool[i + 1], (--h->pool_count - i) * sizeof(*child));
            if (alive(child))
                return true;
            child_drop(child);
        }
        const int64_t left = until - clock_now_ms();
        if (left <= 0)
            return false;
        poll(&p, 1, (int)left);
    } while (true);
}

void children_drop(struct hostile *h)
{
    hear(h);
    for (size_t i = 0; i < h->pool_count; i++)
        child_drop(&h->pool[i]);
    h->pool_count = 0;
}
