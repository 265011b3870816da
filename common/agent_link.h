/* The link to the file agent: one question, its answer, in order. Used by everything in a
 * worker that needs more than a descriptor it already has. A slow disk makes the agent slow and
 * stalls this session only, so there is no time-out: the monitor ends sessions. */
#ifndef SALLYPORT_AGENT_LINK_H
#define SALLYPORT_AGENT_LINK_H

#include <stdbool.h>

#include "common/message.h"

struct agent_link {
    int socket; /* the caller's */
    uint32_t id;
    bool broken;             /* nothing can be asked any more */
    uint32_t unheard;        /* answers that nobody waits for, still to come */
    struct slice text;       /* the sentence of the last error, or empty; in the answer */
    struct envelope *answer; /* owned */
};

int agent_open(struct agent_link *agent, int socket); /* -1: no memory */
void agent_close(struct agent_link *agent);

/* Ask, and wait for the answer. expect and answer: the message that says yes and its struct, whose
 * texts are good until the next call. Returns 0; or the errno that the client may see; or -1, the
 * link is broken (it was closed, or what came is not an answer to this question). */
int agent_ask(struct agent_link *agent, enum message_type type, const void *question,
              enum message_type expect, void *answer);
/* The same where yes is a status. */
int agent_do(struct agent_link *agent, enum message_type type, const void *question);
/* Say, and do not wait: the answer is dropped when it comes. Where it is said right before a
 * question, the agent is woken once for both. Nothing follows from a link that breaks: the next
 * question tells. */
void agent_tell(struct agent_link *agent, enum message_type type, const void *question);
/* The descriptor that came with the last answer, the caller's now; -1: there was none. */
int agent_take_fd(struct agent_link *agent);

#endif
