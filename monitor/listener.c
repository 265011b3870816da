/* The listening sockets, IPv4 and IPv6, and accepting: a client is counted, given a worker, and not
 * one byte of it is read here. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "monitor/monitor.h"

#define BACKLOG      512
#define ACCEPTS_MOST 64   /* in one round, then others have their turn */
#define PAUSE_MS     1000 /* after descriptors ran out */

static void address_of(const struct sockaddr_storage *from, struct address *a)
{
    char text[INET6_ADDRSTRLEN] = "?";

    memset(a, 0, sizeof(*a));
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)from;
        a->bytes[10] = a->bytes[11] = 0xff;
        memcpy(a->bytes + 12, &in->sin_addr, 4);
        inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
    } else {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;
        memcpy(a->bytes, &in6->sin6_addr, 16);
        inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
    }
    slice_copy(slice_text(text), a->text, sizeof(a->text));
}

static void set_option(int fd, int level, int option, int value)
{
    if (setsockopt(fd, level, option, &value, sizeof(value)) < 0)
        log_debug("setsockopt %d %d: %s", level, option, strerror(errno));
}

static void on_listener(struct monitor *m, struct source *source, uint32_t events)
{
    const struct listener *listener = source->owner;

    (void)events;
    for (int i = 0; i < ACCEPTS_MOST; i++) {
        struct sockaddr_storage from = {0};
        socklen_t len = sizeof(from);
        struct address address;
        const int fd =
            accept4(source->fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
                log_error("%s: accept: %s; trying again in a second", listener->text,
                          strerror(errno));
                m->listen_again_ms = now_ms() + PAUSE_MS;
                for (size_t l = 0; l < m->listener_count; l++)
                    source_watch(m, &m->listeners[l].source, EPOLLERR);
            }
            return;
        }
        address_of(&from, &address);
        const char *why = limits_connect(m, &address);
        if (why != NULL) {
            log_info("%s: connection refused: %s", address.text, why);
            close(fd);
            continue;
        }
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
        session_take_client(m, listener->kind, fd, &address);
    }
}

void listeners_tick(struct monitor *m, int64_t now)
{
    if (m->listen_again_ms == 0 || now < m->listen_again_ms)
        return;
    m->listen_again_ms = 0;
    for (size_t l = 0; l < m->listener_count; l++)
        source_watch(m, &m->listeners[l].source, EPOLLIN);
}

/* One address and port. Returns 0, or -1 after logging why. */
static int open_one(struct monitor *m, enum worker_kind kind, const char *address, uint16_t port)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    const bool four = inet_pton(AF_INET, address, &in.sin_addr) == 1;
    struct listener *listener = &m->listeners[m->listener_count];
    const char *step = "is not an address";

    if (m->listener_count == LISTENERS_MAX) {
        log_error("more than %d addresses to listen on", LISTENERS_MAX);
        return -1;
    }
    if (!four && inet_pton(AF_INET6, address, &in6.sin6_addr) != 1) {
        log_error("listen: %s %s", address, step);
        return -1;
    }
    *listener =
        (struct listener){.source = {.ready = on_listener, .owner = listener}, .kind = kind};
    snprintf(listener->text, sizeof(listener->text), four ? "%s %s:%u" : "%s [%s]:%u",
             worker_kind_names[kind], address, port);
    step = "socket";
    listener->source.fd = socket(four ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener->source.fd < 0) {
        if (errno == EAFNOSUPPORT && !four) {
            log_warning("%s: this machine has no IPv6", listener->text);
            return 0;
        }
        goto failed;
    }
    set_option(listener->source.fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (!four)
        set_option(listener->source.fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    step = "bind";
    if (bind(listener->source.fd, four ? (struct sockaddr *)&in : (struct sockaddr *)&in6,
             four ? sizeof(in) : sizeof(in6)) < 0)
        goto failed;
    step = "listen";
    if (listen(listener->source.fd, BACKLOG) < 0 || source_watch(m, &listener->source, EPOLLIN) < 0)
        goto failed;
    m->listener_count++;
    log_info("listening: %s", listener->text);
    return 0;
failed:
    log_error("%s: %s: %s", listener->text, step, strerror(errno));
    source_close(m, &listener->source);
    return -1;
}

int listeners_open(struct monitor *m)
{
    const char *list = m->config.sftp_listen;
    char address[INET6_ADDRSTRLEN];

    if (!m->config.sftp_enabled)
        return 0;
    while (*(list += strspn(list, " \t,")) != '\0') {
        const size_t n = strcspn(list, " \t,");
        if (slice_copy(slice_of(list, n), address, sizeof(address)) < 0) {
            log_error("listen: %.*s is not an address", (int)n, list);
            return -1;
        }
        if (open_one(m, WORKER_SFTP, address, (uint16_t)m->config.sftp_port) < 0)
            return -1;
        list += n;
    }
    return 0;
}

void listeners_close(struct monitor *m)
{
    for (size_t l = 0; l < m->listener_count; l++)
        source_close(m, &m->listeners[l].source);
    m->listener_count = 0;
}
