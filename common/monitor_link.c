/* Questions of a worker to the monitor, and what the monitor says unasked. Used by every kind of
 * worker; the link is the fixed descriptor FD_MONITOR. */
#include "common/monitor_link.h"

#include <string.h>

/* The monitor says: end. */
static int take_stop(struct monitor_link *l)
{
    struct worker_stop stop;
    char reason[256] = "the server ends the session";

    if (decode_worker_stop(&l->answer, &stop) == 0)
        slice_copy(stop.reason, reason, sizeof(reason));
    stop_because(l->stop, reason);
    return -1;
}

static int receive(struct monitor_link *l)
{
    envelope_clear(&l->answer);
    if (message_receive(FD_MONITOR, &l->answer, 0) > 0)
        return 0;
    stop_because(l->stop, "the server is gone");
    return -1;
}

/* What came answers nothing. */
static int take_unasked(struct monitor_link *l)
{
    if (l->answer.type == MSG_worker_stop)
        return take_stop(l);
    if (l->unasked != NULL && l->unasked(l->owner, &l->answer) == 0) {
        envelope_clear(&l->answer); /* now: when the next message comes nobody knows */
        return 0;
    }
    stop_because(l->stop, "the server gave no answer");
    return -1;
}

/* Ask and wait for what answers, of the type `expect`; MSG_NONE: of any. It is l->answer. */
static int ask(struct monitor_link *l, enum message_type type, const void *question,
               enum message_type expect)
{
    const uint32_t id = ++l->id;

    if (message_send(FD_MONITOR, type, id, question, NULL, 0) < 0) {
        stop_because(l->stop, "the server is gone");
        return -1;
    }
    for (;;) {
        if (receive(l) < 0)
            return -1;
        if (l->answer.id == id &&
            (expect == MSG_NONE ? l->answer.type != MSG_worker_stop : l->answer.type == expect))
            return 0;
        if (take_unasked(l) < 0)
            return -1;
    }
}

enum message_type monitor_question(struct monitor_link *l, enum message_type type,
                                   const void *question)
{
    return ask(l, type, question, MSG_NONE) == 0 ? l->answer.type : MSG_NONE;
}

int monitor_ask(struct monitor_link *l, enum message_type type, const void *question,
                enum message_type expect, void *answer)
{
    if (ask(l, type, question, expect) < 0)
        return -1;
    if (message_decode(&l->answer, expect, answer) == 0)
        return 0;
    stop_because(l->stop, "the server gave no answer");
    return -1;
}

int monitor_take_fd(struct monitor_link *l)
{
    return envelope_take_fd(&l->answer, 0);
}

int monitor_listen(struct monitor_link *l)
{
    return receive(l) < 0 ? -1 : take_unasked(l);
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
