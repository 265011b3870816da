/* Descriptors where none belong, on a kernel that can refuse them at the sender (Linux 6.16): on
 * every link that carries none, from each process that could be compromised. Called by main.c. All
 * other parts take that from the monitor, as on an older kernel, to see that it refuses by itself.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/hostile/hostile.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

static bool kernel_can(void)
{
    const int none = 0, fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    const bool can = setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &none, sizeof(none)) == 0;

    close(fd);
    return can;
}

/* One to any number of them, with bytes and without. */
static void try_link(struct hostile *h, const char *name, int link)
{
    static const size_t counts[] = {1, 2, 253};
    const uint64_t security = server_status(h).security_events;
    int fds[253];

    for (size_t i = 0; i < 253; i++)
        fds[i] = STDERR_FILENO;
    for (size_t i = 0; i < 2 * sizeof(counts) / sizeof(counts[0]); i++) {
        const int r = raw_send(link, "12345678", i % 2 == 0 ? 8 : 0, fds, counts[i / 2], 0);
        expect(h, r < 0 && errno == EPERM, "rights: %s: %zu descriptors: %s", name, counts[i / 2],
               r == 0 ? "sent" : strerror(errno));
    }
    expect(h, server_status(h).security_events == security, "rights: %s: something came", name);
}

static void try_sessions(struct hostile *h)
{
    const struct file_stat ask = {.path = slice_text("/f")};
    const int fd = STDERR_FILENO;
    struct actor a, b;
    struct agent g;

    actor_make(h, STAND_GREETED, &a);
    try_link(h, "worker to monitor", a.link);
    exchange_do(h, &a); /* its link is whole */
    actor_drop(&a);
    actor_make(h, STAND_AGENT, &b);
    try_link(h, "worker to agent", b.agent);
    expect(h, send_file_stat(b.agent, 1, &ask) == 0 && raw_receive(h, b.agent, PATIENCE_MS) == 1,
           "rights: an agent is gone");
    actor_drop(&b);
    agents_by_hand(h, true);
    agent_begin(h, &a, &g);
    try_link(h, "agent to monitor", g.child.link);
    try_link(h, "agent to store", g.report);
    agent_say_ready(&g);
    expect(h, actor_verdict(h, &a) == VERDICT_OPEN, "rights: an agent's link is not whole");
    /* Here they belong. */
    expect(h, raw_send(g.worker, "x", 1, &fd, 1, 0) == 0, "rights: an agent can hand out no file");
    agent_drop(&g);
    actor_drop(&a);
    agents_by_hand(h, false);
}

void rights_run(struct hostile *h)
{
    struct child store, hasher;

    if (!kernel_can()) {
        printf("skipped: this kernel refuses no descriptors at their sender (Linux 6.16)\n");
        return;
    }
    home_reset(h);
    try_sessions(h);
    try_link(h, "operator to monitor", h->control);
    store_end_real(h);
    store_take(h, &store);
    try_link(h, "store to monitor", store.link);
    store_say_ready(h, &store);
    h->by_hand &= ~(1u << ROLE_STORE);
    child_drop(&store);
    h->by_hand |= 1u << ROLE_HASHER;
    server_end_hashers(h);
    hasher_take(h, &hasher);
    try_link(h, "hasher to monitor", hasher.link);
    hasher_say_ready(h, &hasher);
    h->by_hand &= ~(1u << ROLE_HASHER);
    child_drop(&hasher);
}
