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
#include "common/network.h"
#include "monitor/monitor.h"

#define BACKLOG      512
#define ACCEPTS_MOST 64   /* in one round, then others have their turn */
#define PAUSE_MS     1000 /* after descriptors ran out */

void address_of(const struct sockaddr_storage *from, struct address *a)
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
        a->scope = in6->sin6_scope_id;
        inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
    }
    slice_copy(slice_text(text), a->text, sizeof(a->text));
}

bool address_is_four(const struct address *a)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    return memcmp(a->bytes, mapped, sizeof(mapped)) == 0;
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
        struct sockaddr_storage from = {0}, to = {0};
        socklen_t len = sizeof(from), to_len = sizeof(to);
        struct arrival arrival = {.kind = listener->kind, .implicit = listener->implicit};
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
        address_of(&from, &arrival.address);
        const char *why = getsockname(fd, (struct sockaddr *)&to, &to_len) < 0
                              ? "it has no local address"
                              : limits_connect(m, &arrival.address);
        if (why != NULL) {
            log_info("%s: connection refused: %s", arrival.address.text, why);
            close(fd);
            continue;
        }
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
        address_of(&to, &arrival.local);
        if (mapping_find(m->config.ftps_public_address, arrival.address.bytes, arrival.told,
                         sizeof(arrival.told)) < 0)
            memcpy(arrival.told, arrival.local.text, sizeof(arrival.told));
        arrival.fd = fd;
        arrival.since_ms = now_ms();
        session_take_client(m, &arrival);
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

/* What is listened for, as configured. */
struct service {
    bool enabled;
    enum worker_kind kind;
    bool implicit;
    const char *listen;
    uint32_t port;
};

/* One address and port. Returns 0, or -1 after logging why. */
static int open_one(struct monitor *m, const struct service *service, const char *address)
{
    const uint16_t port = (uint16_t)service->port;
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    const bool four = inet_pton(AF_INET, address, &in.sin_addr) == 1;
    struct listener *listener = &m->listeners[m->listener_count];
    const char *step = "is not an address";
    const char *note = service->kind == WORKER_HTTPS ? (service->implicit ? "" : " (redirect)")
                       : service->implicit           ? " (implicit)"
                                                     : "";

    if (m->listener_count == LISTENERS_MAX) {
        log_error("more than %d addresses to listen on", LISTENERS_MAX);
        return -1;
    }
    if (!four && inet_pton(AF_INET6, address, &in6.sin6_addr) != 1) {
        log_error("listen: %s %s", address, step);
        return -1;
    }
    *listener = (struct listener){.source = {.ready = on_listener, .owner = listener},
                                  .kind = service->kind,
                                  .implicit = service->implicit};
    snprintf(listener->text, sizeof(listener->text), four ? "%s%s %s:%u" : "%s%s [%s]:%u",
             worker_kind_names[service->kind], note, address, port);
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

static int open_service(struct monitor *m, const struct service *service)
{
    const char *list = service->listen;
    char address[INET6_ADDRSTRLEN];

    while (*(list += strspn(list, " \t,")) != '\0') {
        const size_t n = strcspn(list, " \t,");
        if (slice_copy(slice_of(list, n), address, sizeof(address)) < 0) {
            log_error("listen: %.*s is not an address", (int)n, list);
            return -1;
        }
        if (open_one(m, service, address) < 0)
            return -1;
        list += n;
    }
    return 0;
}

int listeners_open(struct monitor *m)
{
    const struct config *c = &m->config;
    const struct service services[] = {
        {c->sftp_enabled, WORKER_SFTP, false, c->sftp_listen, c->sftp_port},
        {c->ftps_enabled, WORKER_FTPS, false, c->ftps_listen, c->ftps_port},
        {c->ftps_enabled && c->ftps_implicit, WORKER_FTPS, true, c->ftps_listen,
         c->ftps_implicit_port},
        {c->https_enabled, WORKER_HTTPS, true, c->https_listen, c->https_port},
        {c->https_enabled && c->https_redirect, WORKER_HTTPS, false, c->https_listen,
         c->https_redirect_port},
    };

    for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
        if (services[i].enabled && open_service(m, &services[i]) < 0)
            return -1;
    }
    return 0;
}

void listeners_close(struct monitor *m)
{
    for (size_t l = 0; l < m->listener_count; l++)
        source_close(m, &m->listeners[l].source);
    m->listener_count = 0;
}
