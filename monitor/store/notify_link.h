/* The link of sallyport-notify to the outbox: it asks for a notice and says what came of the one
 * before; it is answered when one is due. Called by serve.c. */
#ifndef SALLYPORT_STORE_NOTIFY_LINK_H
#define SALLYPORT_STORE_NOTIFY_LINK_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/message.h"

struct store;

struct notify_link {
    int fd;     /* -1: there is none */
    bool asked; /* it waits for a notice */
    uint32_t id;
    uint64_t given; /* the notice that it was given and has said nothing of, or 0 */
    bool failed;    /* the database failed: tried again */
    bool heard;     /* what it said of the one before is not in the database yet */
    uint64_t number;
    uint8_t outcome;
    char text[256];
};

/* Take the link (fd; closed on failure), in place of one that was there. 0, or -1 with errno. */
int notify_link_add(struct store *s, int fd);
/* What it sent, if anything. */
void notify_link_receive(struct store *s, short events);
/* Record what was heard, give what is due. Changes are committed. */
void notify_link_serve(struct store *s);
/* Milliseconds until there is something to do without a message; -1: not before one. */
int notify_link_wait(struct store *s);
void notify_link_close(struct store *s);

#endif
