/* The data connection: the monitor makes it and hands it over; TLS is spoken on it here. It lives
 * at descriptor 6, the only one beside the control connection's that the filter lets receive and
 * send; /dev/null keeps the place while there is none, so that nothing else ever takes it. Must
 * never wait and never move a byte that is not encrypted. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ftps-worker/worker.h"

#define STREAM_BYTES (16 * (TLS_RECORD + 512)) /* 16 records to a send */

static void enter(struct data *d, enum data_state state)
{
    d->state = state;
    d->since_ms = worker_now_ms();
}

static void refuse(struct data *d, struct slice why)
{
    if (slice_copy(why, d->trouble, sizeof(d->trouble)) < 0 || d->trouble[0] == '\0')
        slice_copy(slice_text("the server has none"), d->trouble, sizeof(d->trouble));
    enter(d, DATA_REFUSED);
}

/* Is the descriptor a connection? */
static bool connected(const struct data *d)
{
    return d->state >= DATA_CONNECTING && d->state <= DATA_LINGERING;
}

void data_drop(struct worker *w)
{
    struct data *d = &w->data;

    if (d->tls.ssl != NULL)
        tls_free(&d->tls);
    if (connected(d) && dup3(0, FD_DATA, 0) < 0)
        stop_because(&w->stop, "no descriptors");
    d->question = 0;
    enter(d, DATA_NONE);
}

/* ---- asking --------------------------------------------------------------------------------- */

int data_passive(struct worker *w, struct data_port *port)
{
    const struct data_passive question = {0};

    data_drop(w);
    if (monitor_ask(&w->monitor, MSG_data_passive, &question, MSG_data_port, port) < 0)
        return -1;
    if (port->port != 0) {
        w->data.question = w->monitor.id;
        enter(&w->data, DATA_PASSIVE);
    }
    return 0;
}

void data_active(struct worker *w, uint32_t port)
{
    data_drop(w);
    w->data.port = port;
    enter(&w->data, DATA_ACTIVE);
}

bool data_expected(const struct worker *w)
{
    const enum data_state state = w->data.state;

    return state == DATA_PASSIVE || state == DATA_ACTIVE || state == DATA_CONNECTED ||
           state == DATA_REFUSED;
}

/* The monitor's word about a connection, and its descriptor or -1. */
static void take_connection(struct worker *w, const struct data_connection *said, int fd,
                            enum data_state state)
{
    if (fd < 0) {
        refuse(&w->data, said->reason);
        return;
    }
    enter(&w->data, state);
    if (dup3(fd, FD_DATA, 0) < 0 || close(fd) < 0)
        stop_because(&w->stop, "no descriptors");
}

int data_unasked(void *owner, struct envelope *e)
{
    struct worker *w = owner;
    struct data_connection said;

    if (e->type != MSG_data_connection || decode_data_connection(e, &said) < 0)
        return -1;
    if (e->id != w->data.question || w->data.state != DATA_PASSIVE)
        return 0; /* of a question that was given up meanwhile: the envelope closes it */
    w->data.question = 0;
    take_connection(w, &said, envelope_take_fd(e, 0), DATA_CONNECTED);
    return 0;
}

static void connect_out(struct worker *w)
{
    const struct data_active question = {.port = w->data.port};
    struct data_connection said;

    if (monitor_ask(&w->monitor, MSG_data_active, &question, MSG_data_connection, &said) < 0)
        refuse(&w->data, slice_text("the server ends the session"));
    else
        take_connection(w, &said, monitor_take_fd(&w->monitor), DATA_CONNECTING);
}

enum data_step data_arrive(struct worker *w)
{
    struct data *d = &w->data;

    if (d->state == DATA_ACTIVE)
        connect_out(w);
    switch (d->state) {
    case DATA_CONNECTED:
        return DATA_READY;
    case DATA_PASSIVE:
    case DATA_CONNECTING:
        return DATA_WAITS;
    default:
        return DATA_FAILED;
    }
}

/* ---- TLS ------------------------------------------------------------------------------------ */

/* A client that sends a small file and close_notify waits between the two for the acknowledgement
 * of the first (Nagle), which else comes 40 ms later. */
static void acknowledge_at_once(void)
{
    const int yes = 1;

    if (setsockopt(FD_DATA, IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof(yes)) < 0)
        log_debug("TCP_QUICKACK: %s", strerror(errno));
}

enum data_step data_secure(struct worker *w)
{
    struct data *d = &w->data;

    if (d->state == DATA_CONNECTED) {
        if (tls_open(&d->tls, w->tls, FD_DATA, STREAM_BYTES, false) < 0) {
            refuse(d, slice_text("no memory"));
            return DATA_FAILED;
        }
        enter(d, DATA_SECURING);
    }
    switch (tls_handshake(&d->tls)) {
    case TLS_DONE:
        enter(d, DATA_OPEN);
        acknowledge_at_once();
        if (tls_resumed(&d->tls))
            tls_renew(&w->control.tls); /* goes with the next reply, for the next connection */
        return DATA_READY;
    case TLS_AGAIN:
        return DATA_WAITS;
    default:
        return DATA_FAILED;
    }
}

bool data_resumed(const struct worker *w)
{
    return w->setup.data_resumed == 0 || (w->flags & ACCOUNT_DATA_FRESH) != 0 ||
           tls_resumed(&w->data.tls);
}

ssize_t data_read(struct worker *w, void *bytes, size_t size)
{
    const ssize_t n = tls_read(&w->data.tls, bytes, size);

    /* TLS may have had something to say by itself (KeyUpdate), for which poll waits too. */
    if (n == TLS_AGAIN && tls_flush(&w->data.tls) == TLS_FAILED)
        return TLS_FAILED;
    if (n == TLS_FAILED && (w->flags & ACCOUNT_LAX_CLOSE) != 0 && tls_cut(&w->data.tls))
        return 0;
    return n;
}

bool data_pending(const struct worker *w)
{
    return tls_pending(&w->data.tls);
}

ssize_t data_write(struct worker *w, const void *bytes, size_t len)
{
    return tls_write(&w->data.tls, bytes, len);
}

enum tls_result data_flush(struct worker *w)
{
    return tls_flush(&w->data.tls);
}

enum tls_result data_close(struct worker *w)
{
    return tls_close(&w->data.tls);
}

const char *data_trouble(const struct worker *w)
{
    const struct data *d = &w->data;

    return d->state == DATA_SECURING || d->state == DATA_OPEN ? tls_trouble(&d->tls) : d->trouble;
}

/* Closing while the client's last words are on their way would reset the connection, and what it
 * has not read yet would be lost to it. */
void data_linger(struct worker *w)
{
    struct data *d = &w->data;

    if (shutdown(FD_DATA, SHUT_WR) < 0) { /* it is gone already */
        data_drop(w);
        return;
    }
    tls_free(&d->tls);
    enter(d, DATA_LINGERING);
}

/* ---- events --------------------------------------------------------------------------------- */

short data_events(const struct worker *w)
{
    const struct data *d = &w->data;
    const struct work *k = &w->work;

    switch (d->state) {
    case DATA_CONNECTING:
        return POLLOUT;
    case DATA_CONNECTED:
        return k->kind != WORK_NONE && k->phase == PHASE_SECURE ? POLLIN : 0;
    case DATA_SECURING:
        return tls_events(&d->tls);
    case DATA_OPEN:
        if (k->paused)
            return 0;
        return k->kind == WORK_UPLOAD ? tls_events(&d->tls) : POLLOUT;
    case DATA_LINGERING:
        return POLLIN;
    default:
        return 0;
    }
}

void data_polled(struct worker *w, short revents)
{
    struct data *d = &w->data;
    uint8_t waste[4096];

    if (d->state == DATA_CONNECTING && (revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
        data_drop(w);
        refuse(d, slice_text("your port does not answer"));
    } else if (d->state == DATA_CONNECTING && (revents & POLLOUT) != 0) {
        enter(d, DATA_CONNECTED);
    } else if (d->state == DATA_LINGERING) {
        /* Its close_notify, or its end: either comes behind all that was sent to it. */
        const ssize_t n = recv(FD_DATA, waste, sizeof(waste), MSG_DONTWAIT);
        if (n >= 0 || (errno != EAGAIN && errno != EINTR))
            data_drop(w);
    }
}

int data_wait_ms(struct worker *w)
{
    struct data *d = &w->data;

    if (d->state != DATA_LINGERING)
        return -1;
    const int64_t left = d->since_ms + (int64_t)w->setup.data_seconds * 1000 - worker_now_ms() + 1;
    if (left > 0)
        return left > 3600000 ? 3600000 : (int)left;
    data_drop(w);
    return -1;
}
