/* One request after the other on the client's connection: its head is read, its row in the table of
 * routes found, its body handed to that row piece by piece, and the answer sent before the next
 * head is looked at. Called by main.c, a bounded step at a time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "https-worker/worker.h"

/* Of a body that nobody wants: read, so that the connection may go on. */
#define SKIPPED_MOST 65536
#define CHUNK_HEAD   10 /* "ffffffff\r\n" */
#define CHUNK_TAIL   2

static void enter(struct worker *w, enum phase phase)
{
    w->exchange.phase = phase;
    w->exchange.since_ms = worker_now_ms();
}

bool worker_buffer(struct worker *w, uint8_t **buffer)
{
    if (*buffer == NULL && (*buffer = malloc(BULK)) == NULL)
        stop_because(&w->stop, "no memory");
    return *buffer != NULL;
}

int exchange_left(struct worker *w)
{
    const struct exchange *x = &w->exchange;
    const bool head = x->phase == PHASE_HANDSHAKE || x->phase == PHASE_HEAD;
    const bool between = x->phase == PHASE_HEAD && w->in_len == 0;
    const uint32_t seconds = head && !(between && w->login != LOGIN_NONE) ? w->setup.request_seconds
                                                                          : w->setup.idle_seconds;
    const int64_t since = head ? x->since_ms : w->active_ms;
    const int64_t left = since + (int64_t)seconds * 1000 - worker_now_ms();

    if (left > 0)
        return left > INT32_MAX ? INT32_MAX : (int)left;
    stop_because(&w->stop, between ? "no further request" : "the client is too slow");
    return 0;
}

/* ---- the head ------------------------------------------------------------------------------- */

static void begin_head(struct worker *w)
{
    request_begin(&w->exchange.request, w->connection.secure ? "https" : "http");
    enter(w, PHASE_HEAD);
}

/* More of what the client sends, behind what is there. */
static enum step read_input(struct worker *w)
{
    const ssize_t n = connection_read(w, w->in + w->in_len, sizeof(w->in) - w->in_len);

    if (n == IO_AGAIN)
        return STEP_READ;
    if (n == 0)
        stop_because(&w->stop, "the client closed the connection");
    if (n > 0) {
        if (w->in_len == 0)
            w->exchange.since_ms = worker_now_ms(); /* the request begins */
        w->in_len += (size_t)n;
    }
    return STEP_ON;
}

/* The head is whole: who asks for what, and may they? Then its row begins. */
static void begin_request(struct worker *w)
{
    struct exchange *x = &w->exchange;
    struct refusal refusal = {0};

    x->body_at = x->request.bytes;
    x->continued = false;
    w->collected_len = 0;
    enter(w, PHASE_BODY);
    body_begin(&x->body, &x->request, SKIPPED_MOST);
    x->answer.close = !x->request.keep;
    if (!w->connection.secure) {
        answer_redirect(w);
        return;
    }
    x->path.len = 0; /* of "*", which is no path */
    if (!slice_is(x->request.path, "*") && target_decode(x->request.path, &x->path, &refusal) < 0) {
        answer_refusal(w, &refusal);
        return;
    }
    x->route = route_find(w);
    if (x->route == NULL || x->answer.begun)
        return;
    body_begin(&x->body, &x->request, x->route->body_most);
    if (x->body.refusal.status != 0) {
        answer_refusal(w, &x->body.refusal);
        return;
    }
    if (!route_allowed(w))
        return;
    if (x->route->handler != &handle_download)
        kept_drop(w); /* whatever this one does: it is to be seen */
    if (x->route->handler->begin != NULL)
        x->route->handler->begin(w);
}

static enum step step_head(struct worker *w)
{
    struct exchange *x = &w->exchange;

    switch (request_parse(&x->request, slice_of(w->in, w->in_len))) {
    case REQUEST_MORE:
        return read_input(w);
    case REQUEST_REFUSED:
        x->request.method = METHOD_GET;
        x->body_at = w->in_len;
        enter(w, PHASE_ANSWER);
        answer_refusal(w, &x->request.refusal);
        return STEP_ON;
    default:
        begin_request(w);
        return STEP_ON;
    }
}

/* ---- the body ------------------------------------------------------------------------------- */

/* Is the rest of the body worth reading, now that the answer stands? */
static bool worth_skipping(const struct exchange *x)
{
    const bool held_back = x->request.expects_100 && !x->continued;

    return x->body.stage == BODY_DONE ||
           (x->body.refusal.status == 0 && !held_back && x->body.total <= SKIPPED_MOST &&
            (x->request.framing != FRAMING_LENGTH || x->request.length <= SKIPPED_MOST));
}

bool exchange_may_go_on(const struct worker *w)
{
    const struct exchange *x = &w->exchange;

    return !x->answer.close && (x->phase != PHASE_BODY || worth_skipping(x));
}

/* A piece of the body for its row, or to be dropped when the answer stands already. */
static void take_piece(struct worker *w, struct slice piece)
{
    struct exchange *x = &w->exchange;

    if (x->answer.begun)
        return;
    if (x->route->handler->piece != NULL) {
        x->route->handler->piece(w, piece);
        return;
    }
    if (piece.len > sizeof(w->collected) - w->collected_len) {
        answer_error(w, 413, "too_large", "The request is too large.");
        return;
    }
    memcpy(w->collected + w->collected_len, piece.data, piece.len);
    w->collected_len += piece.len;
}

static void body_ended(struct worker *w)
{
    struct exchange *x = &w->exchange;

    if (!x->answer.begun && x->route->handler->end != NULL)
        x->route->handler->end(w);
    enter(w, PHASE_ANSWER);
}

/* Take apart what has come. Returns whether the body has ended, one way or the other. */
static bool take_body(struct worker *w, struct slice *bytes)
{
    struct exchange *x = &w->exchange;
    struct slice piece;

    for (;;) {
        if (x->answer.begun && !exchange_may_go_on(w)) {
            x->answer.close = true;
            enter(w, PHASE_ANSWER);
            return true;
        }
        switch (body_next(&x->body, bytes, &piece)) {
        case BODY_PIECE:
            take_piece(w, piece);
            break;
        case BODY_END:
            body_ended(w);
            return true;
        case BODY_REFUSED:
            if (!x->answer.begun)
                answer_refusal(w, &x->body.refusal);
            x->answer.close = true;
            enter(w, PHASE_ANSWER);
            return true;
        default:
            return false;
        }
    }
}

/* Say 100 once, before waiting for what the client holds back. */
static enum step say_continue(struct worker *w)
{
    const ssize_t n = connection_write(w, RESPONSE_CONTINUE, sizeof(RESPONSE_CONTINUE) - 1);

    if (n == IO_AGAIN)
        return connection_flush(w) == IO_AGAIN ? STEP_WRITE : STEP_ON;
    w->exchange.continued = true;
    return connection_flush(w) == IO_AGAIN ? STEP_WRITE : STEP_ON;
}

static enum step step_body(struct worker *w)
{
    struct exchange *x = &w->exchange;
    struct slice bytes = slice_of(w->in + x->body_at, w->in_len - x->body_at);

    const bool ended = take_body(w, &bytes);
    x->body_at = w->in_len - bytes.len;
    if (ended || w->stop.asked)
        return STEP_ON;
    if (!x->continued && !x->answer.begun &&
        body_wants_100(&x->request, w->in_len - x->request.bytes))
        return say_continue(w);
    if (connection_flush(w) == IO_AGAIN)
        return STEP_WRITE;
    const uint32_t allowed = pace_left(&w->incoming, worker_now_ms());
    if (allowed == 0)
        return STEP_PAUSE;
    if (!worker_buffer(w, &w->piece))
        return STEP_ON;
    /* Of a body without a length no more than has room in `in`, where the next request's begin
     * goes. */
    size_t most = x->request.framing == FRAMING_LENGTH && x->body.left < BULK ? (size_t)x->body.left
                  : x->request.framing == FRAMING_LENGTH                      ? BULK
                                                         : INPUT - x->request.bytes;
    most = most < allowed ? most : allowed;
    const ssize_t n = connection_read(w, w->piece, most);
    if (n == IO_AGAIN)
        return STEP_READ;
    if (n == 0)
        stop_because(&w->stop, "the client closed the connection in the middle of a request");
    if (n <= 0)
        return STEP_ON;
    pace_took(&w->incoming, (size_t)n);
    bytes = slice_of(w->piece, (size_t)n);
    (void)take_body(w, &bytes);
    /* What belongs to the next request waits where that will begin. */
    if (bytes.len > INPUT - x->request.bytes) { /* of a body that is not read to its end */
        x->answer.close = true;
        bytes.len = 0;
    }
    memcpy(w->in + x->request.bytes, bytes.data, bytes.len);
    x->body_at = x->request.bytes;
    w->in_len = x->request.bytes + bytes.len;
    return STEP_ON;
}

/* ---- the answer ----------------------------------------------------------------------------- */

/* Room for a piece, and what frames it. Returns bytes, or -1: the connection is cut. */
static ssize_t fill_answer(struct worker *w, uint8_t *bytes, size_t size)
{
    struct answer *a = &w->exchange.answer;

    if (!a->chunked)
        return a->fill(w, bytes, size);
    const ssize_t n = a->fill(w, bytes + CHUNK_BEFORE, size - CHUNK_BEFORE - CHUNK_AFTER);
    if (n < 0)
        return -1;
    if (n == 0) {
        memcpy(bytes, CHUNK_LAST, sizeof(CHUNK_LAST) - 1);
        a->ended = true;
        return sizeof(CHUNK_LAST) - 1;
    }
    const struct slice chunk = chunk_wrap((char *)bytes, (uint32_t)n);
    memmove(bytes, chunk.data, chunk.len);
    return (ssize_t)chunk.len;
}

/* Put more of the answer into w->out, behind its head. */
static enum step fill_out(struct worker *w)
{
    struct answer *a = &w->exchange.answer;
    size_t room = BULK - w->out_len;

    if (a->paced) {
        const uint32_t allowed = pace_left(&w->outgoing, worker_now_ms());
        if (allowed == 0)
            return STEP_PAUSE;
        room = room < allowed ? room : allowed;
    }
    if (room <= 2 * (CHUNK_BEFORE + CHUNK_AFTER))
        return STEP_ON; /* the head first */
    const ssize_t n = fill_answer(w, w->out + w->out_len, room);
    if (n < 0) {
        w->connection.broken = true; /* no close_notify: nobody is to take it for whole */
        stop_because(&w->stop, "an answer broke off");
        return STEP_ON;
    }
    if (a->paced)
        pace_took(&w->outgoing, (size_t)n);
    a->ended = a->ended || n == 0;
    w->out_len += (size_t)n;
    return STEP_ON;
}

/* Nothing of it stays in this process. */
static void wipe(struct worker *w)
{
    explicit_bzero(w->collected, w->collected_len);
    explicit_bzero(w->in, w->exchange.body_at);
    if (w->piece != NULL)
        explicit_bzero(w->piece, BULK);
    if (w->out != NULL)
        explicit_bzero(w->out, BULK);
    envelope_clear(&w->monitor.answer);
}

/* All is sent: the next request, which may be here already. */
static enum step finish(struct worker *w)
{
    struct exchange *x = &w->exchange;

    if (x->route != NULL && x->route->handler->done != NULL)
        x->route->handler->done(w);
    if (x->route != NULL && x->route->handler->secret)
        wipe(w);
    if (x->answer.close) {
        stop_because(&w->stop, "done");
        return STEP_ON;
    }
    w->in_len -= x->body_at;
    memmove(w->in, w->in + x->body_at, w->in_len);
    memset(&x->answer, 0, sizeof(x->answer));
    x->route = NULL;
    begin_head(w);
    return w->in_len == 0 && !connection_pending(w) ? STEP_READ : STEP_ON;
}

static enum step step_answer(struct worker *w)
{
    struct answer *a = &w->exchange.answer;

    if (!a->ended && (a->fill == NULL || w->exchange.request.method == METHOD_HEAD))
        a->ended = true;
    if (!a->ended && w->out_len < BULK / 2) {
        const enum step step = fill_out(w);
        if (w->stop.asked ||
            (step == STEP_PAUSE && w->out_at == w->out_len && connection_flush(w) != IO_AGAIN))
            return step;
    }
    if (w->out_at < w->out_len) {
        const ssize_t n = connection_write(w, w->out + w->out_at, w->out_len - w->out_at);
        if (n == IO_AGAIN)
            return connection_flush(w) == IO_AGAIN ? STEP_WRITE : STEP_ON;
        if (n > 0)
            w->out_at += (size_t)n;
        if (w->out_at == w->out_len)
            w->out_at = w->out_len = 0;
        if (w->out_len > 0)
            return STEP_ON;
    }
    if (connection_flush(w) == IO_AGAIN)
        return STEP_WRITE;
    return a->ended && !w->stop.asked ? finish(w) : STEP_ON;
}

enum step exchange_step(struct worker *w)
{
    switch (w->exchange.phase) {
    case PHASE_HANDSHAKE:
        if (w->exchange.since_ms == 0)
            enter(w, PHASE_HANDSHAKE);
        if (w->connection.handshaking && connection_handshake(w) == IO_AGAIN)
            return STEP_READ;
        if (!w->stop.asked)
            begin_head(w);
        return STEP_ON;
    case PHASE_HEAD:
        return step_head(w);
    case PHASE_BODY:
        return step_body(w);
    default:
        return step_answer(w);
    }
}
