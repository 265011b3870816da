/* The worker's side of its link to the monitor: one question at a time, its answer waited for.
 * Between questions the monitor may say one thing only: end. */
#include <errno.h>
#include <string.h>

#include "sftp-worker/worker.h"

static struct {
    struct envelope answer;
    uint32_t id;
} state;

/* The monitor says: end. */
static int take_stop(struct worker *w, const struct envelope *e)
{
    struct worker_stop stop;
    char reason[256] = "the server ends the session";

    if (decode_worker_stop(e, &stop) == 0)
        slice_copy(stop.reason, reason, sizeof(reason));
    worker_stop_because(w, reason);
    return -1;
}

static int receive(struct worker *w)
{
    envelope_clear(&state.answer);
    if (message_receive(FD_MONITOR, &state.answer, 0) > 0)
        return 0;
    worker_stop_because(w, "the server is gone");
    return -1;
}

int monitor_ask(struct worker *w, enum message_type type, const void *question,
                enum message_type expect, void *answer)
{
    const uint32_t id = ++state.id;

    if (message_send(FD_MONITOR, type, id, question, NULL, 0) < 0) {
        worker_stop_because(w, "the server is gone");
        return -1;
    }
    if (receive(w) < 0)
        return -1;
    if (state.answer.type == MSG_worker_stop)
        return take_stop(w, &state.answer);
    if (state.answer.id != id || message_decode(&state.answer, expect, answer) < 0) {
        worker_stop_because(w, "the server gave no answer");
        return -1;
    }
    return 0;
}

int monitor_take_fd(struct worker *w)
{
    (void)w;
    return envelope_take_fd(&state.answer, 0);
}

int monitor_listen(struct worker *w)
{
    return receive(w) < 0 ? -1 : take_stop(w, &state.answer);
}

void monitor_log(enum log_level level, const char *line)
{
    const struct worker_log message = {
        .level = (uint8_t)level,
        .text = slice_of(line, strnlen(line, 512)),
    };

    if (send_worker_log(FD_MONITOR, 0, &message) < 0)
        return; /* the monitor is gone: found out at the next question */
}
