/* What was done, told to the store in batches. Records wait here until the store says that they are
 * on its disk, so that a new link after a crash of the store gets them again. Bounded: when too
 * many wait the oldest go, which the store sees as a gap in their numbers. Nothing here ever
 * blocks. */
#ifndef SALLYPORT_REPORTS_H
#define SALLYPORT_REPORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/message.h"

#define REPORTS_MAX       4096         /* records that wait */
#define REPORTS_BYTES_MAX (2u << 20)   /* bytes of them */
#define REPORTS_DELAY_MS  50           /* the longest that a record waits for company */
#define REPORTS_BATCH     (48u * 1024) /* bytes of a batch that waits for no more */

struct record {
    struct record *next;
    uint64_t number; /* from 1 in a session */
    size_t len;
    bool reserve;    /* the one that is kept for when there is no memory */
    uint8_t bytes[]; /* as it stands in a batch: length and report message */
};

struct reports {
    int link;  /* SOCK_SEQPACKET, non-blocking */
    bool dead; /* the store is gone: wait for another link */
    bool full; /* the link took no more: wait until it is writable */
    struct record *first, *last, *unsent;
    struct record *reserve; /* NULL: in use */
    size_t count, bytes, unsent_bytes;
    uint64_t number;  /* of the newest record */
    uint64_t taken;   /* up to here the store has them */
    uint64_t dropped; /* records lost because too many waited */
    uint64_t due_ms;  /* monotonic: when the oldest unsent record must go */
    uint8_t batch[60000];
};

/* Ready for records. Returns 0, or -1: no memory. */
int reports_open(struct reports *reports, int link);

/* Keep a record. Its number and time are set here. */
void reports_add(struct reports *reports, const struct report *report);

/* Send what is due; everything if all is set. */
void reports_send(struct reports *reports, bool all);

/* Milliseconds until something is due, or -1. */
int reports_wait_ms(const struct reports *reports);

/* The link is readable or gone: take acknowledgements. */
void reports_read(struct reports *reports, struct envelope *envelope);

/* A new link took the old one's place, under the same number: all that waits is sent again. */
void reports_renew(struct reports *reports);

/* Everything is on the store's disk. */
bool reports_settled(const struct reports *reports);

uint64_t clock_ms(void); /* monotonic */
uint64_t wall_ms(void);  /* since 1970 */

#endif
