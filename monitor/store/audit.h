/* The audit log, as it is written. Lines are gathered while messages are read and go to the disk
 * together: only after audit_commit said 0 may any of them be acknowledged. A line that cannot be
 * written waits here and is tried again. The form of the files: common/audit_chain.h. */
#ifndef SALLYPORT_STORE_AUDIT_H
#define SALLYPORT_STORE_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/audit_chain.h"
#include "common/message.h"

#define AUDIT_PENDING_MAX (2 * 1024 * 1024) /* bytes of lines that wait for the disk */
#define AUDIT_PENDING_HIGH                                                                         \
    (512 * 1024) /* above this no report is read: a batch makes under 1 MiB */

struct audit {
    int dir, log, head;    /* descriptors: the state folder, audit.log, audit.head; -1: not open */
    uint64_t rotate_bytes; /* of audit.log, before it is renamed */
    uint32_t rotate_keep;  /* renamed files to keep; 0: all */

    uint64_t size;              /* bytes of audit.log that are whole and synced */
    uint64_t first;             /* n of its first line; 0: it is empty */
    bool tail;                  /* after size stand bytes of a line that was never finished */
    bool newline;               /* what stands before size does not end in a newline */
    uint64_t next;              /* n of the next line */
    char prev[AUDIT_HASH_SIZE]; /* hash of the line before it */

    char *pending; /* AUDIT_PENDING_MAX bytes: whole lines, each with its newline */
    size_t pending_len, pending_lines;
    uint64_t lost; /* lines for which there was no room; told in a line when there is again */
    int error;     /* errno of the last commit, 0: it went well */
};

/* Whose doings the reports on one link are. */
struct audit_subject {
    uint64_t session;
    char account[ACCOUNT_NAME_MAX + 1], protocol[17], address[65];
};

/* Open or make the log in the state folder (kept, not owned), cut what a crash left unfinished and
 * go on with the chain. What was found wrong becomes a line. Returns 0, or -1 with errno. */
int audit_open(struct audit *a, int state_dir, uint64_t rotate_bytes, uint32_t rotate_keep);

/* Gather a line. Returns 0, or -1: there is no room, the line is lost and counted. */
int audit_event(struct audit *a, const struct store_audit *event);
int audit_report(struct audit *a, const struct audit_subject *subject, uint64_t number,
                 const struct report *report);

/* A line of the store itself. */
void audit_note(struct audit *a, const char *event, const struct audit_subject *subject,
                const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Write and sync all that was gathered; rotate when it is time. Returns 0 (also when there was
 * nothing), or -1 with errno: all of it waits for the next try. */
int audit_commit(struct audit *a);

/* Does anything wait to be written? */
bool audit_waits(const struct audit *a);

/* Write what can be written, sync, close. */
void audit_close(struct audit *a);

#endif
