/* What stands around the FTP engine, for unit tests and the fuzzer: a control connection that is
 * two buffers, a data connection that is two more, a monitor whose verdict is set beforehand. The
 * engine is all of ftps-worker but main.c, control.c and data.c. */
#ifndef SALLYPORT_FTPS_FAKE_H
#define SALLYPORT_FTPS_FAKE_H

#include "ftps-worker/worker.h"

struct ftps_fake {
    struct worker w;
    /* the data connection */
    struct slice upload; /* what the client sends */
    size_t piece;        /* bytes of one read or write at most; 0: all */
    unsigned waits;      /* so often it is not ready yet */
    bool absent;         /* the client does not come */
    bool cut;            /* ends without close_notify */
    bool fresh;          /* no session is resumed */
    bool dropped;        /* data_drop was called while a connection was there */
    uint8_t *sent;       /* what the client got; owned */
    size_t sent_len, sent_size, sent_most;
    /* the rest */
    uint32_t outcome;        /* of the next verdict */
    int64_t now_ms, tick_ms; /* the time, and how much of it a step takes */
    char *said;              /* replies so far, NUL-terminated; owned */
    size_t said_len;
};

/* A session that is logged in as uid and gid 7 and 8, its agent at the other end of link. */
void ftps_fake_start(struct ftps_fake *f, int link);
void ftps_fake_end(struct ftps_fake *f);

/* Bytes of the client: lines are run and work is done until nothing moves. Returns false when the
 * session has ended. */
bool ftps_fake_feed(struct ftps_fake *f, const uint8_t *bytes, size_t len);

#endif
