/* A worker's side of its link to the monitor: one question at a time, its answer waited for. What
 * the monitor says unasked is `end`, or what the owner of the link knows how to take. */
#ifndef SALLYPORT_MONITOR_LINK_H
#define SALLYPORT_MONITOR_LINK_H

#include "common/facts.h"
#include "common/log.h"
#include "common/message.h"
#include "common/stop.h"

struct monitor_link {
    struct stop *stop; /* the worker's: told to end, or the monitor is gone */
    /* A message that answers no question. Returns 0, or -1: it has no business here. NULL: none
     * has. */
    int (*unasked)(void *owner, struct envelope *e);
    void *owner;
    uint32_t id; /* of the last question */
    struct envelope answer;
};

/* Ask and wait for the answer, which has the type `expect`. Returns 0, or -1: the monitor wants
 * this worker to end, or is gone (stop was called). The answer's texts are good until the next
 * call. */
int monitor_ask(struct monitor_link *l, enum message_type type, const void *question,
                enum message_type expect, void *answer);
/* The same where the answer may be of several types: it is l->answer, to be decoded, and cleared
 * where it holds a secret. Returns its type, or MSG_NONE where monitor_ask returns -1. */
enum message_type monitor_question(struct monitor_link *l, enum message_type type,
                                   const void *question);
/* A descriptor that came with the last answer, or -1. */
int monitor_take_fd(struct monitor_link *l);
/* The link can be read, and nothing was asked. Returns 0, or -1 as monitor_ask. */
int monitor_listen(struct monitor_link *l);
/* Lines of the log go to the monitor: a hook for log_open_hook. */
void monitor_log(enum log_level level, const char *line);

#endif
