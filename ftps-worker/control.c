/* The control connection: bytes to lines to commands, replies to bytes, in the clear until AUTH TLS
 * and over TLS from then on. Called by the event loop. Must never run a command that came before
 * TLS after it, nor one whose replies have no room: a client that does not read blocks itself. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "ftps-worker/worker.h"

#define LINES_MOST   64   /* run before others have their turn */
#define GOODBYE_MS   1000 /* for the last words to leave ... */
#define DRAIN_MS     500  /* ... and to be heard; the monitor waits no longer than a second */
#define GOODBYE_MOST 65536

/* ---- sending -------------------------------------------------------------------------------- */

static bool client_gone(struct worker *w)
{
    w->control.ended = true;
    w->control.out_at = w->control.out_len = 0;
    stop_because(&w->stop, "the client closed the connection");
    return false;
}

/* Returns false when the client takes no more for now. */
static bool send_clear(struct worker *w)
{
    struct control *c = &w->control;

    while (c->out_at < c->out_len) {
        const ssize_t n = send(FD_CLIENT, c->out + c->out_at, c->out_len - c->out_at,
                               MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? false : client_gone(w);
        c->out_at += (size_t)n;
    }
    return true;
}

static bool send_secure(struct worker *w)
{
    struct control *c = &w->control;

    for (;;) {
        while (c->out_at < c->out_len) {
            const ssize_t n = tls_write(&c->tls, c->out + c->out_at, c->out_len - c->out_at);
            if (n == TLS_AGAIN)
                break;
            if (n < 0)
                return client_gone(w);
            c->out_at += (size_t)n;
        }
        switch (tls_flush(&c->tls)) {
        case TLS_FAILED:
            return client_gone(w);
        case TLS_AGAIN:
            return false;
        default:
            if (c->out_at == c->out_len)
                return true;
        }
    }
}

void control_flush(struct worker *w)
{
    struct control *c = &w->control;

    if (c->tls.ssl != NULL && c->handshaking)
        return;
    const bool sent = c->tls.ssl != NULL ? send_secure(w) : send_clear(w);
    if (sent)
        c->out_at = c->out_len = 0;
}

/* ---- the beginning -------------------------------------------------------------------------- */

/* 220, with the operator's text, whose lines may be several. */
static void greet(struct worker *w)
{
    struct slice text = w->setup.banner;
    char line[512];

    while (text.len > 0) {
        const uint8_t *end = memchr(text.data, '\n', text.len);
        const size_t n = end != NULL ? (size_t)(end - text.data) : text.len;
        const size_t used = end != NULL ? n + 1 : n;
        if (slice_copy(slice_of(text.data, n < sizeof(line) ? n : sizeof(line) - 1), line,
                       sizeof(line)) == 0)
            reply_first(w, 220, line);
        text = slice_of(text.data + used, text.len - used);
    }
    reply(w, 220, w->control.secure ? "Ready" : "Ready; AUTH TLS comes first");
}

void control_begin(struct worker *w)
{
    w->state = STATE_CLEAR;
    if (w->implicit) /* the greeting comes when TLS is spoken */
        control_secure(w);
    else
        greet(w);
}

void control_secure(struct worker *w)
{
    struct control *c = &w->control;

    if (c->in_at < c->in_len)
        log_warning("what came after AUTH in the clear was dropped");
    c->in_at = c->in_len = 0;
    c->secure = c->handshaking = true;
}

/* Returns true when TLS is agreed upon. */
static bool go_on_with_handshake(struct worker *w)
{
    struct control *c = &w->control;
    char text[128];

    if (c->tls.ssl == NULL) {
        control_flush(w); /* 234 is the last that is said in the clear */
        if (c->out_len > 0 || w->stop.asked)
            return false;
        if (tls_open(&c->tls, w->tls, FD_CLIENT, TLS_STREAM_LEAST, true) < 0) {
            stop_because(&w->stop, "no memory");
            return false;
        }
    }
    switch (tls_handshake(&c->tls)) {
    case TLS_AGAIN:
        return false;
    case TLS_FAILED:
        log_info("TLS: %s", tls_trouble(&c->tls));
        c->ended = true;
        stop_because(&w->stop, "no TLS");
        return false;
    default:
        break;
    }
    c->handshaking = false;
    w->state = STATE_SECURE;
    tls_describe(&c->tls, text, sizeof(text));
    log_debug("%s", text);
    if (w->implicit)
        greet(w);
    return true;
}

/* ---- receiving ------------------------------------------------------------------------------ */

static void receive(struct worker *w)
{
    struct control *c = &w->control;
    ssize_t n;

    if (c->secure) {
        n = tls_read(&c->tls, c->in, sizeof(c->in));
        if (n == TLS_AGAIN)
            return;
    } else {
        n = recv(FD_CLIENT, c->in, sizeof(c->in), MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
    }
    c->in_at = 0;
    c->in_len = n > 0 ? (size_t)n : 0;
    c->ended = n <= 0;
}

/* A line that was run is wiped while it may have been a password. */
static void forget_line(struct control *c)
{
    explicit_bzero(c->reader.text, c->reader.len);
    explicit_bzero(c->in, c->in_at);
}

/* Run lines while there are any and their replies have room. */
static void run_lines(struct worker *w)
{
    struct control *c = &w->control;

    for (int lines = 0; lines < LINES_MOST && !w->stop.asked && !c->handshaking; lines++) {
        if (reply_room(w) < REPLIES_MAX / 2)
            return;
        if (!c->waiting) {
            c->in_at += line_feed(&c->reader, c->in + c->in_at, c->in_len - c->in_at);
            if (!c->reader.whole)
                return;
            c->waiting = true;
        }
        const bool before_login = w->state != STATE_OPEN;
        if (!command_run(w))
            return;
        c->waiting = false;
        w->active_ms = worker_now_ms();
        if (before_login)
            forget_line(c);
    }
}

/* The client sends no more: what it asked for before is done, a transfer only if it said QUIT. */
static void look_for_end(struct worker *w)
{
    const struct control *c = &w->control;
    const bool quits =
        c->waiting && c->reader.len >= 4 && strncasecmp(c->reader.text, "QUIT", 4) == 0;

    if (c->ended && c->in_at == c->in_len && (!c->waiting || !quits))
        stop_because(&w->stop, "the client closed the connection");
}

bool control_step(struct worker *w, bool readable)
{
    struct control *c = &w->control;

    if (c->handshaking) {
        if (!go_on_with_handshake(w))
            return false;
        readable = true; /* the first command may have come with the handshake's end */
    }
    if (c->in_at == c->in_len && !c->ended && !c->waiting &&
        (readable || (c->tls.ssl != NULL && tls_pending(&c->tls))))
        receive(w);
    run_lines(w);
    look_for_end(w);
    control_flush(w);
    if (c->handshaking && !w->stop.asked)
        return c->tls.ssl == NULL && c->out_len == 0; /* TLS begins */
    if (w->stop.asked || reply_room(w) < REPLIES_MAX / 2)
        return false;
    if (c->waiting || c->in_at < c->in_len)
        return w->work.kind == WORK_NONE;
    return c->tls.ssl != NULL && !c->ended && tls_pending(&c->tls);
}

short control_events(const struct worker *w)
{
    const struct control *c = &w->control;
    short events = 0;

    if (c->handshaking && c->tls.ssl != NULL)
        return tls_events(&c->tls);
    if (c->handshaking)
        return c->out_at < c->out_len ? POLLOUT : POLLIN;
    if (c->out_at < c->out_len || c->tls.out_sent < c->tls.out_len)
        events |= POLLOUT;
    if (!c->ended && c->in_at == c->in_len && !c->waiting && reply_room(w) >= REPLIES_MAX / 2)
        events |= POLLIN;
    return events;
}

/* ---- the end -------------------------------------------------------------------------------- */

static bool wait_for(short events, int64_t until_ms)
{
    const int64_t left = until_ms - worker_now_ms();
    struct pollfd p = {.fd = FD_CLIENT, .events = events};

    return left > 0 && poll(&p, 1, (int)left) > 0;
}

void control_end(struct worker *w)
{
    struct control *c = &w->control;
    const int64_t until_ms = worker_now_ms() + GOODBYE_MS;

    if (c->handshaking)
        return;
    if (!c->ended && !w->quitting)
        reply(w, 421, "%s", w->stop.reason);
    for (control_flush(w); !c->ended && c->out_len > 0 && wait_for(POLLOUT, until_ms);)
        control_flush(w);
    if (c->tls.ssl != NULL && tls_close(&c->tls) != TLS_DONE)
        return;
    if (shutdown(FD_CLIENT, SHUT_WR) == 0)
        c->closing = !c->ended;
}

void control_drain(struct worker *w)
{
    struct control *c = &w->control;
    const int64_t until_ms = worker_now_ms() + DRAIN_MS;
    size_t drained = 0;
    ssize_t n;

    while (c->closing && drained < GOODBYE_MOST && wait_for(POLLIN, until_ms) &&
           (n = recv(FD_CLIENT, c->in, sizeof(c->in), MSG_DONTWAIT)) > 0)
        drained += (size_t)n;
}
