/* Data connections of FTPS sessions. A passive port is listened on here, for as long as a session
 * waits for its client on it, and what connects is handed over only when it comes from the address
 * of the session's own client. Active connections go to that address and nowhere else. Called by
 * the dispatcher; no byte of a data connection is read in this process. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "monitor/monitor.h"

#define BACKLOG      8
#define PORTS_TRIED  64   /* for one request; taken ones are rare while the range is not full */
#define ACCEPTS_MOST 16   /* in one round */
#define PORT_LEAST   1024 /* of a client, to connect to: below are services (RFC 2577, 3) */

/* A passive port that sessions wait on, each for another client's address. */
struct passive_port {
    struct passive_port *next;
    struct source source;
    struct address local;
    uint16_t port;
    unsigned waiting;
};

/* ------------------------------------------------------------------------- sockets */

/* A socket address. Returns its length. */
static socklen_t socket_address(const struct address *a, uint16_t port, struct sockaddr_storage *to)
{
    struct sockaddr_in *in = (struct sockaddr_in *)to;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)to;

    memset(to, 0, sizeof(*to));
    if (address_is_four(a)) {
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        memcpy(&in->sin_addr, a->bytes + 12, 4);
        return sizeof(*in);
    }
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(port);
    in6->sin6_scope_id = a->scope;
    memcpy(&in6->sin6_addr, a->bytes, 16);
    return sizeof(*in6);
}

/* A socket bound to an address, port 0: any. Returns a descriptor, or -1 with errno. */
static int bound_socket(const struct address *local, uint16_t port)
{
    struct sockaddr_storage at;
    const socklen_t len = socket_address(local, port, &at);
    const int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int one = 1;

    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
        bind(fd, (struct sockaddr *)&at, len) == 0)
        return fd;
    const int saved = errno;
    if (fd >= 0)
        close(fd);
    errno = saved;
    return -1;
}

/* ------------------------------------------------------------------------- telling the worker */

/* fd: its connection, or -1 and why there is none. Returns 0, or -1 with errno. */
static int tell(struct session *s, uint32_t id, int fd, const char *reason)
{
    const struct data_connection connection = {.reason = slice_text(reason)};

    return send_data_connection_fds(s->worker.fd, id, &connection, &fd, fd >= 0 ? 1 : 0);
}

/* Unasked. */
static void bring(struct monitor *m, struct session *s, uint32_t id, int fd, const char *reason)
{
    if (tell(s, id, fd, reason) < 0)
        session_end(m, s, "its worker cannot be told of a data connection");
}

void data_release(struct monitor *m, struct session *s)
{
    struct passive_port *port = s->data.port;

    s->data = (struct data_wait){0};
    if (port == NULL || --port->waiting > 0)
        return;
    source_close(m, &port->source); /* freed between two rounds: an event of it may be at hand */
}

void data_bury(struct monitor *m)
{
    for (struct passive_port **at = &m->data_ports; *at != NULL;) {
        struct passive_port *port = *at;
        if (port->waiting > 0) {
            at = &port->next;
            continue;
        }
        *at = port->next;
        free(port);
    }
}

void data_tick(struct monitor *m, int64_t now)
{
    for (struct session *s = m->sessions; s != NULL; s = s->next) {
        if (s->data.port == NULL || now < s->data.deadline_ms)
            continue;
        const uint32_t id = s->data.id;
        data_release(m, s);
        bring(m, s, id, -1, "no data connection came in time");
    }
}

/* ------------------------------------------------------------------------- passive */

static void on_data_port(struct monitor *m, struct source *source, uint32_t events)
{
    struct passive_port *port = source->owner;
    struct sockaddr_storage from;
    struct address address;
    const int one = 1;

    (void)events;
    for (int i = 0; i < ACCEPTS_MOST && port->waiting > 0; i++) {
        socklen_t len = sizeof(from);
        const int fd =
            accept4(source->fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        address_of(&from, &address);
        struct session *s = m->sessions;
        while (s != NULL && (s->data.port != port ||
                             memcmp(s->address.bytes, address.bytes, sizeof(address.bytes)) != 0))
            s = s->next;
        if (s == NULL) {
            log_info("data port %u: a connection from %s, which nobody waits for, is closed",
                     port->port, address.text);
        } else {
            const uint32_t id = s->data.id;
            if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0)
                log_debug("TCP_NODELAY: %s", strerror(errno));
            data_release(m, s);
            bring(m, s, id, fd, "");
        }
        close(fd);
    }
}

/* Does somebody with this client's address wait there already? Then the two could not be told
 * apart. */
static bool is_taken(const struct monitor *m, const struct passive_port *port,
                     const struct session *s)
{
    for (const struct session *o = m->sessions; o != NULL; o = o->next) {
        if (o->data.port == port &&
            memcmp(o->address.bytes, s->address.bytes, sizeof(s->address.bytes)) == 0)
            return true;
    }
    return false;
}

/* Listen, unless others wait on the port already. NULL with errno: not this one. */
static struct passive_port *open_port(struct monitor *m, const struct session *s, uint16_t number)
{
    struct passive_port *port = m->data_ports;

    while (port != NULL && (port->waiting == 0 || port->port != number ||
                            memcmp(port->local.bytes, s->local.bytes, 16) != 0))
        port = port->next;
    if (port != NULL) {
        errno = EADDRINUSE;
        return is_taken(m, port, s) ? NULL : port;
    }
    if ((port = calloc(1, sizeof(*port))) == NULL)
        return NULL;
    *port = (struct passive_port){.local = s->local, .port = number};
    port->source = (struct source){.ready = on_data_port, .owner = port};
    port->source.fd = bound_socket(&s->local, number);
    if (port->source.fd < 0 || listen(port->source.fd, BACKLOG) < 0 ||
        source_watch(m, &port->source, EPOLLIN) < 0) {
        const int saved = errno;
        if (port->source.fd >= 0)
            close(port->source.fd);
        free(port);
        errno = saved;
        return NULL;
    }
    port->next = m->data_ports;
    m->data_ports = port;
    return port;
}

/* Any free port of the range, not to be guessed. */
static struct passive_port *find_port(struct monitor *m, const struct session *s)
{
    const struct id_range range = m->config.ftps_passive_ports;
    const uint32_t count = range.last - range.first + 1;
    struct passive_port *port = NULL;
    uint32_t random;

    if (RAND_bytes((uint8_t *)&random, sizeof(random)) != 1)
        return NULL;
    for (uint32_t i = 0; i < count && i < PORTS_TRIED && port == NULL; i++) {
        port = open_port(m, s, (uint16_t)(range.first + (random + i) % count));
        if (port == NULL && errno != EADDRINUSE)
            break;
    }
    return port;
}

int on_data_passive(struct monitor *m, struct session *s, struct envelope *e, const char **why)
{
    struct data_passive request;

    if (decode_data_passive(e, &request) < 0) {
        *why = "sent a data_passive that does not decode";
        return -1;
    }
    data_release(m, s);
    s->data = (struct data_wait){.id = e->id, .due = true};
    m->data_due = true; /* the loop finds a port: no message of a worker does */
    return 0;
}

static void wait_on_port(struct monitor *m, struct session *s)
{
    struct passive_port *port = find_port(m, s);

    s->data.due = false;
    if (port != NULL) {
        port->waiting++;
        s->data.port = port;
        s->data.deadline_ms = now_ms() + (int64_t)m->config.ftps_data_wait * 1000;
    } else {
        log_warning("session %llu: no passive port: %s", (unsigned long long)s->number,
                    strerror(errno));
    }
    const struct data_port answer = {
        .address = slice_text(s->told),
        .port = port != NULL ? port->port : 0,
        .reason = slice_text(port != NULL ? "" : "no port of the server's range is free"),
    };
    if (send_data_port(s->worker.fd, s->data.id, &answer) < 0)
        session_end(m, s, "its worker cannot be told of a data port");
}

void data_ports_open(struct monitor *m)
{
    m->data_due = false;
    for (struct session *s = m->sessions; s != NULL; s = s->next) {
        if (s->data.due && s->state == STATE_OPEN)
            wait_on_port(m, s);
    }
}

/* ------------------------------------------------------------------------- active */

int on_data_active(struct monitor *m, struct session *s, struct envelope *e, const char **why)
{
    struct data_active request;
    struct sockaddr_storage to;
    int fd = -1;

    if (decode_data_active(e, &request) < 0 || request.port < PORT_LEAST ||
        request.port > UINT16_MAX || !m->config.ftps_active) {
        *why = "asked for a connection to a port that no client has";
        return -1;
    }
    data_release(m, s);
    const socklen_t len = socket_address(&s->address, (uint16_t)request.port, &to);
    fd = bound_socket(&s->local, 0);
    const bool begun =
        fd >= 0 && (connect(fd, (struct sockaddr *)&to, len) == 0 || errno == EINPROGRESS);
    const int sent = tell(s, e->id, begun ? fd : -1, begun ? "" : strerror(errno));
    const int saved = errno;
    if (fd >= 0)
        close(fd);
    errno = saved;
    return answered(m, s, sent, why);
}
