/* What takes more than a moment: transfers, listings, digests. Called by the event loop, a bounded
 * step at a time, so that the control connection stays alive; bytes go between the file's
 * descriptor and the stream through one buffer, in pieces of 16 records. Must never say 226 before
 * the agent has taken the file back. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ftps-worker/ascii.h"
#include "ftps-worker/worker.h"

#define STEP_BYTES (4u << 20) /* moved in one step */

enum { WAIT_EVENT = -1, GO_ON = 0 };

/* ---- files ---------------------------------------------------------------------------------- */

bool work_buffer(struct worker *w)
{
    if (w->memory == NULL) {
        w->memory = aligned_alloc(BUFFER_FRONT, BUFFER_FRONT + BUFFER);
        w->buffer = w->memory != NULL ? w->memory + BUFFER_FRONT : NULL;
    }
    if (w->memory == NULL)
        stop_because(&w->stop, "no memory");
    return w->memory != NULL;
}

/* ---- begin and end -------------------------------------------------------------------------- */

static void enter_phase(struct work *k, enum work_phase phase)
{
    k->phase = phase;
    k->since_ms = worker_now_ms();
}

void work_begin(struct worker *w, enum work_kind kind)
{
    struct work *k = &w->work;

    if (!work_buffer(w))
        return;
    k->kind = kind;
    k->ascii = kind == WORK_LISTING ? false : w->ascii; /* listings have their CR LF already */
    k->source_ended = k->held_cr = k->paused = false;
    k->last = 0;
    k->moved = 0;
    k->buffer_at = k->buffer_len = 0;
    enter_phase(k, PHASE_ARRIVE);
}

static void forget(struct worker *w)
{
    digest_free(&w->work.digest);
    w->work.kind = WORK_NONE;
}

void work_break(struct worker *w)
{
    if (w->work.kind == WORK_NONE)
        return;
    if (agent_file_close(&w->agent, &w->work.file,
                         w->work.kind != WORK_UPLOAD && w->work.kind != WORK_DOWNLOAD
                             ? CLOSE_WHOLE
                             : CLOSE_BROKEN) < 0)
        stop_because(&w->stop, "the file agent is gone");
    data_drop(w);
    forget(w);
}

/* It failed before the end: what went wrong with the connection, or with the file. */
static int fail(struct worker *w, unsigned code, const char *text, const char *why)
{
    reply(w, code, "%s: %s", text, why); /* first: the connection knows why */
    work_break(w);
    return GO_ON;
}

static int fail_broken(struct worker *w)
{
    return fail(w, 426,
                w->work.kind == WORK_UPLOAD ? "The upload broke off and is not whole"
                                            : "The data connection broke off",
                data_trouble(w));
}

/* error: an errno, or -1 when the agent is gone. */
static int fail_file(struct worker *w, int error)
{
    work_break(w);
    if (error < 0)
        stop_because(&w->stop, "the file agent is gone");
    else
        reply_errno(w, 451, error, slice_of(NULL, 0));
    return GO_ON;
}

/* All has moved: the agent takes the file back, and only its word makes the reply. */
static int complete(struct worker *w)
{
    const bool upload = w->work.kind == WORK_UPLOAD;
    const int result = agent_file_close(&w->agent, &w->work.file, CLOSE_WHOLE);

    forget(w);
    if (result < 0)
        stop_because(&w->stop, "the file agent is gone");
    else if (result > 0)
        reply_errno(w, upload ? 553 : 451, result, w->agent.text);
    else
        reply(w, 226, "%s", w->work.done);
    return GO_ON;
}

/* Milliseconds that the client has left for this phase. */
static int time_left(const struct worker *w)
{
    const int64_t left =
        w->work.since_ms + (int64_t)w->setup.data_seconds * 1000 - worker_now_ms() + 1;

    return left < 0 ? 0 : left > 3600000 ? 3600000 : (int)left;
}

/* ---- from file to stream -------------------------------------------------------------------- */

/* Returns bytes, 0 at the end, or -1 with errno. */
static ssize_t read_file(struct work *k, uint8_t *bytes, size_t size)
{
    const uint64_t left = k->end - k->at;
    const size_t most = left < size ? (size_t)left : size;
    ssize_t n;

    if (most == 0)
        return 0;
    do
        n = pread(k->file.fd, bytes, most, (off_t)k->at);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        k->at += (size_t)n;
        k->file.bytes_read += (size_t)n;
    }
    /* Less than asked for, and as far as the file went when it was opened: the end. */
    if (n >= 0 && ((size_t)n < most || k->at == k->end) && k->at >= k->file.seen.size)
        k->source_ended = true;
    return n;
}

static ssize_t read_lines(struct work *k, uint8_t *bytes)
{
    uint8_t *half = bytes + BUFFER / 2;
    const ssize_t n = read_file(k, half, BUFFER / 2);

    return n <= 0 ? n : (ssize_t)ascii_to_network(bytes, half, (size_t)n, &k->last);
}

/* Have bytes in the buffer. Returns 0, or an errno, or -1 when the agent is gone. */
static int fill(struct worker *w)
{
    struct work *k = &w->work;
    int error = 0;
    ssize_t n;

    if (k->kind == WORK_DOWNLOAD) {
        n = k->ascii ? read_lines(k, w->buffer) : read_file(k, w->buffer, BUFFER);
        error = n < 0 ? errno : 0;
    } else {
        n = listing_fill(w, w->buffer, BUFFER, &error);
    }
    if (n < 0)
        return error;
    k->source_ended = k->source_ended || n == 0;
    k->buffer_at = 0;
    k->buffer_len = (size_t)n;
    return 0;
}

/* Encrypt and send until the client takes no more, the step's measure is full or all has gone. */
static int send_step(struct worker *w)
{
    struct work *k = &w->work;

    for (size_t moved = 0; moved < STEP_BYTES;) {
        if (k->buffer_at == k->buffer_len && k->source_ended) {
            enter_phase(k, PHASE_CLOSE);
            return GO_ON;
        }
        if (k->buffer_at == k->buffer_len) {
            const int error = fill(w);
            if (error != 0)
                return fail_file(w, error);
            continue;
        }
        const size_t left = k->buffer_len - k->buffer_at,
                     pace = pace_left(&w->out, worker_now_ms());
        const ssize_t n = pace == 0
                              ? TLS_AGAIN
                              : data_write(w, w->buffer + k->buffer_at, left < pace ? left : pace);
        if (n == TLS_AGAIN) {
            const enum tls_result sent = data_flush(w);
            if (sent == TLS_FAILED)
                return fail_broken(w);
            if (sent == TLS_AGAIN)
                return WAIT_EVENT;
            if (pace > 0)
                continue;
            k->paused = true;
            return PACE_MS;
        }
        if (n < 0)
            return fail_broken(w);
        k->buffer_at += (size_t)n;
        k->moved += (size_t)n;
        moved += (size_t)n;
        w->bytes_out += (size_t)n;
        w->active_ms = worker_now_ms();
        pace_took(&w->out, (size_t)n);
    }
    return GO_ON;
}

/* close_notify, with all that is still to be sent before it. */
static int close_step(struct worker *w)
{
    switch (data_close(w)) {
    case TLS_DONE:
        data_linger(w);
        return complete(w);
    case TLS_AGAIN:
        return WAIT_EVENT; /* a client that takes nothing is idle, and that has its end */
    default:
        return fail_broken(w);
    }
}

/* ---- from stream to file -------------------------------------------------------------------- */

/* Returns 0 or an errno. */
static int write_file(struct work *k, const uint8_t *bytes, size_t len)
{
    for (size_t done = 0; done < len;) {
        if (k->at > INT64_MAX - len)
            return EFBIG;
        const ssize_t n =
            pwrite(k->file.fd, bytes + done, len - done, k->append ? 0 : (off_t)k->at);
        if (n < 0 && errno != EINTR)
            return errno;
        if (n == 0)
            return EIO;
        if (n > 0) {
            done += (size_t)n;
            k->at += (size_t)n;
            k->file.bytes_written += (size_t)n;
        }
    }
    return 0;
}

/* Returns 0 or an errno. */
static int take(struct worker *w, size_t n)
{
    struct work *k = &w->work;

    if (!k->ascii)
        return write_file(k, w->buffer, n);
    /* A CR that was held back comes before what was received. */
    return write_file(k, w->buffer - 1, ascii_to_file(w->buffer - 1, w->buffer, n, &k->held_cr));
}

/* The client has said that this is all. A file that went on behind it ends here. */
static int end_upload(struct worker *w)
{
    struct work *k = &w->work;
    int error = 0;

    if (k->held_cr)
        error = write_file(k, (const uint8_t *)"\r", 1);
    if (error == 0 && k->restarted && k->file.seen.size > k->at) {
        const struct file_hsetattr ask = {
            .handle = k->file.handle, .valid = ATTR_SIZE, .size = k->at};
        error = agent_do(&w->agent, MSG_file_hsetattr, &ask);
    }
    if (error != 0)
        return fail_file(w, error);
    if (data_close(w) == TLS_AGAIN)
        log_debug("a client took no close_notify"); /* it has said its own: nothing is lost */
    data_drop(w);
    return complete(w);
}

static int receive_step(struct worker *w)
{
    struct work *k = &w->work;

    for (size_t moved = 0; moved < STEP_BYTES;) {
        const size_t pace = pace_left(&w->in, worker_now_ms());
        const size_t most = pace < BUFFER ? pace : BUFFER;
        if (most == 0) {
            k->paused = true;
            return PACE_MS;
        }
        const ssize_t n = data_read(w, w->buffer, most);
        if (n == TLS_AGAIN)
            return WAIT_EVENT;
        if (n < 0)
            return fail_broken(w);
        if (n == 0)
            return end_upload(w);
        const int error = take(w, (size_t)n);
        if (error != 0)
            return fail_file(w, error);
        moved += (size_t)n;
        k->moved += (size_t)n;
        w->bytes_in += (size_t)n;
        w->active_ms = worker_now_ms();
        pace_took(&w->in, (size_t)n);
        if ((size_t)n < most && !data_pending(w)) /* nothing more is here: poll first */
            return WAIT_EVENT;
    }
    return GO_ON;
}

/* ---- the data connection comes first -------------------------------------------------------- */

static int arrive_step(struct worker *w)
{
    const enum data_step step = data_arrive(w);
    const int left = time_left(w);

    if (step == DATA_READY) {
        reply(w, 150, "%s", w->work.said);
        control_flush(w); /* clients begin TLS when they have read it */
        enter_phase(&w->work, PHASE_SECURE);
        return time_left(w);
    }
    if (step == DATA_FAILED)
        return fail(w, 425, "No data connection", data_trouble(w));
    return left > 0 ? left : fail(w, 425, "No data connection", "nobody connected in time");
}

static int secure_step(struct worker *w)
{
    switch (data_secure(w)) {
    case DATA_READY:
        if (!data_resumed(w))
            return fail(w, 522,
                        "The data connection must resume the TLS session of the control connection",
                        "choose that in your client, or ask for an account without it");
        enter_phase(&w->work, PHASE_MOVE);
        w->active_ms = worker_now_ms();
        return w->work.kind == WORK_UPLOAD && !data_pending(w) ? WAIT_EVENT : GO_ON;
    case DATA_FAILED:
        return fail(w, 425, "TLS on the data connection failed", data_trouble(w));
    default:
        break;
    }
    const int left = time_left(w);
    return left > 0 ? left : fail(w, 425, "TLS on the data connection", "it took too long");
}

/* ---- without a data connection -------------------------------------------------------------- */

static int hash_end(struct worker *w)
{
    struct work *k = &w->work;
    char text[DIGEST_TEXT];
    const size_t kind = k->digest.kind;
    const int ended = digest_end(&k->digest, text);
    const int result = agent_file_close(&w->agent, &w->work.file, CLOSE_WHOLE);

    forget(w);
    if (result != 0)
        reply_result(w, result, 213, "");
    else if (ended < 0)
        reply(w, 451, "The digest failed");
    else
        reply(w, 213, "%s %" PRIu64 "-%" PRIu64 " %s %s", digest_name(kind), k->begin,
              k->at > k->begin ? k->at - 1 : k->begin, text, k->said);
    return GO_ON;
}

static int hash_step(struct worker *w)
{
    struct work *k = &w->work;

    w->active_ms = worker_now_ms();
    for (size_t moved = 0; moved < STEP_BYTES;) {
        const ssize_t n = read_file(k, w->buffer, BUFFER);
        if (n < 0)
            return fail_file(w, errno);
        if (n == 0)
            return hash_end(w);
        if (digest_feed(&k->digest, w->buffer, (size_t)n) < 0)
            return fail_file(w, EIO);
        moved += (size_t)n;
        k->moved += (size_t)n;
    }
    return GO_ON;
}

/* A listing between the lines of a reply. */
static int status_step(struct worker *w)
{
    struct work *k = &w->work;

    while (k->buffer_at < k->buffer_len || !k->source_ended) {
        if (k->buffer_at == k->buffer_len) {
            const int error = fill(w);
            if (error != 0) {
                work_break(w);
                reply(w, 213, "The listing broke off");
                return GO_ON;
            }
            continue;
        }
        const size_t n = reply_bytes(w, w->buffer + k->buffer_at, k->buffer_len - k->buffer_at);
        if (n == 0)
            return WAIT_EVENT;
        k->buffer_at += n;
    }
    const int result = agent_file_close(&w->agent, &w->work.file, CLOSE_WHOLE);
    forget(w);
    if (result < 0)
        stop_because(&w->stop, "the file agent is gone");
    reply(w, 213, "End");
    return GO_ON;
}

static int phase_step(struct worker *w)
{
    switch (w->work.phase) {
    case PHASE_ARRIVE:
        return arrive_step(w);
    case PHASE_SECURE:
        return secure_step(w);
    case PHASE_CLOSE:
        return close_step(w);
    default:
        return w->work.kind == WORK_UPLOAD ? receive_step(w) : send_step(w);
    }
}

int work_step(struct worker *w)
{
    struct work *k = &w->work;
    enum work_phase phase;
    int wait_ms;

    k->paused = false;
    if (k->kind == WORK_HASH)
        return hash_step(w);
    if (k->kind == WORK_STATUS)
        return status_step(w);
    do { /* from phase to phase in one step: a small file is done in it */
        phase = k->phase;
        wait_ms = phase_step(w);
    } while (wait_ms == GO_ON && k->kind != WORK_NONE && k->phase != phase && !w->stop.asked);
    return wait_ms;
}
