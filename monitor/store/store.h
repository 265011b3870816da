/* The store process: one loop, one database, one audit log, the links of the agents. Shared by
 * main.c (start), serve.c (the monitor's messages), source.c (the agents' reports) and
 * notify_link.c (the outbox). */
#ifndef SALLYPORT_STORE_STORE_H
#define SALLYPORT_STORE_STORE_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/message.h"
#include "monitor/store/accounts.h"
#include "monitor/store/audit.h"
#include "monitor/store/notify_link.h"

#define ROUND_MAX    64     /* messages of the monitor that are handled before one sync */
#define WAITING_MAX  8192   /* answers that wait: lines of the audit log, while its disk is full */
#define SOURCES_MOST 100000 /* agents' links, whatever the limit of descriptors is */
#define SPARE_FDS    64     /* descriptors that are kept for everything else */
#define END_ROUNDS   64     /* how often the agents are listened to after the monitor has gone */
#define RETRY_MS     1000   /* until what could not be written is tried again */
#define POLLS_FIXED  2      /* the monitor's link, that of sallyport-notify */

/* An agent's report link. */
struct source {
    int fd;
    struct audit_subject subject;
    uint64_t read;  /* number of the last report that was gathered */
    uint64_t taken; /* number of the last one that is on the disk */
    uint64_t told;  /* number that the agent was told last */
};

/* Answers that wait for the disk, by the ids of their requests. */
struct waiting {
    uint32_t ids[WAITING_MAX];
    size_t count;
};

struct store {
    struct accounts accounts;
    struct audit audit;
    struct source *sources;
    size_t source_count, source_size, source_most;
    struct pollfd *polls; /* POLLS_FIXED, then one a source */
    struct notify_link notify;
    struct waiting logins, lines;
    bool ended; /* the monitor's link is closed */
    struct envelope envelope;
};

/* serve.c: answer until the monitor's link closes; then what was received is finished. */
void store_serve(struct store *s);
/* A change; and with the transaction on the disk. Returns 0, or -1 and why is filled. */
int store_do(struct store *s, accounts_change change, const void *message, struct outcome *done,
             struct refusal *why);
int store_change(struct store *s, accounts_change change, const void *message, struct outcome *done,
                 struct refusal *why);

/* source.c. Adding takes fd; 0, or -1 with errno (EMFILE, ENOMEM): fd is closed. */
int source_add(struct store *s, int fd, const struct store_audit_source *whose);
/* One batch from each source that poll found ready, or from each when all is set. Returns how many
 * batches came. */
size_t source_receive(struct store *s, bool all);
/* All that was gathered is on the disk: tell the agents. */
void source_tell(struct store *s);
/* What to poll a source for; paused: for nothing, what it sends waits in its socket. */
void source_poll(const struct store *s, size_t index, bool paused, struct pollfd *poll);
void source_close_all(struct store *s);

#endif
