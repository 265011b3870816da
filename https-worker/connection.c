/* The client's connection: TLS, or plain HTTP on the port that redirects. Called by the exchange;
 * never waits, and never looks at what the bytes say. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "https-worker/worker.h"

int connection_open(struct worker *w)
{
    struct connection *c = &w->connection;

    c->handshaking = c->secure;
    return c->secure ? tls_open(&c->tls, w->tls, FD_CLIENT, BULK, true) : 0;
}

static ssize_t failed(struct worker *w, const char *why)
{
    w->connection.broken = true;
    stop_because(&w->stop, why);
    return IO_FAILED;
}

int connection_handshake(struct worker *w)
{
    struct connection *c = &w->connection;
    char text[64];

    switch (tls_handshake(&c->tls)) {
    case TLS_AGAIN:
        return IO_AGAIN;
    case TLS_FAILED:
        log_info("TLS: %s", tls_trouble(&c->tls));
        return (int)failed(w, "no TLS");
    default:
        break;
    }
    c->handshaking = false;
    tls_describe(&c->tls, text, sizeof(text));
    log_debug("%s%s", text, tls_resumed(&c->tls) ? ", resumed" : "");
    return 0;
}

static ssize_t read_clear(struct worker *w, void *bytes, size_t size)
{
    const ssize_t n = recv(FD_CLIENT, bytes, size, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return IO_AGAIN;
    return n < 0 ? failed(w, "the connection is broken") : n;
}

ssize_t connection_read(struct worker *w, void *bytes, size_t size)
{
    struct connection *c = &w->connection;

    if (c->ended || c->broken)
        return 0;
    ssize_t n = c->secure ? tls_read(&c->tls, bytes, size) : read_clear(w, bytes, size);
    if (n == TLS_AGAIN)
        return IO_AGAIN;
    /* Without close_notify: every body says how long it is, so nothing is taken for whole. */
    if (n == TLS_FAILED && c->secure && tls_cut(&c->tls))
        n = 0;
    if (n == 0)
        c->ended = true;
    if (n < 0)
        return failed(w, "the connection is broken");
    w->bytes_in += (uint64_t)n;
    if (n > 0)
        w->active_ms = worker_now_ms();
    return n;
}

ssize_t connection_write(struct worker *w, const void *bytes, size_t len)
{
    struct connection *c = &w->connection;
    ssize_t n;

    if (c->secure) {
        n = tls_write(&c->tls, bytes, len);
    } else {
        n = send(FD_CLIENT, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        n = n < 0 && errno == EAGAIN ? TLS_AGAIN : n < 0 ? TLS_FAILED : n;
    }
    if (n == TLS_AGAIN)
        return IO_AGAIN;
    if (n < 0)
        return failed(w, "the connection is broken");
    w->bytes_out += (uint64_t)n;
    return n;
}

int connection_flush(struct worker *w)
{
    struct connection *c = &w->connection;
    const size_t before = c->secure ? c->tls.out_len - c->tls.out_sent : 0;

    if (!c->secure)
        return 0;
    const enum tls_result r = tls_flush(&c->tls);
    if (r == TLS_FAILED)
        return (int)failed(w, "the connection is broken");
    if (c->tls.out_len - c->tls.out_sent != before)
        w->active_ms = worker_now_ms();
    return r == TLS_DONE ? 0 : IO_AGAIN;
}

bool connection_pending(const struct worker *w)
{
    const struct connection *c = &w->connection;

    return c->secure && !c->handshaking && !c->ended && tls_pending(&c->tls);
}

short connection_events(const struct worker *w, bool reading)
{
    const struct connection *c = &w->connection;

    if (!c->secure)
        return reading ? POLLIN : POLLOUT;
    if (c->handshaking)
        return tls_events(&c->tls);
    return (short)((reading ? POLLIN : 0) | (c->tls.out_sent < c->tls.out_len ? POLLOUT : 0));
}

void connection_close(struct worker *w)
{
    struct connection *c = &w->connection;

    if (c->broken)
        return;
    if (c->secure && !c->handshaking)
        (void)tls_close(&c->tls);
    (void)shutdown(FD_CLIENT, SHUT_WR); /* gone already: nothing to say */
}
