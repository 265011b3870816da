/* The audit log as it lies in the state folder: which files, in which order, and the chain of
 * hashes through their lines. Written by the store alone; read here by the store at its start and
 * by the operator's command (`sallyport audit show|verify`). Nothing here changes a file.
 *
 *   audit.log.000000000001   rotated files, named by the number of their first line
 *   audit.log                the file that is written
 *   audit.head               number and hash of the last line (of none: 0), so that what is cut off
 *                            the end is missed
 *
 * A line is one JSON object. "n" counts from 1 for ever; "prev" is the SHA-256 of the line before,
 * its newline left out, across files; the very first has 64 zeros. */
#ifndef SALLYPORT_AUDIT_CHAIN_H
#define SALLYPORT_AUDIT_CHAIN_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/slice.h"

#define AUDIT_LOG       "audit.log"
#define AUDIT_HEAD      "audit.head"
#define AUDIT_LINE_MAX  (256 * 1024) /* bytes; the longest line the store can write has 70,000 */
#define AUDIT_HASH_SIZE 65           /* 64 hexadecimal digits and a NUL */
#define AUDIT_NAME_SIZE 48           /* of a file's name, its NUL included */
#define AUDIT_HEAD_SIZE 86           /* bytes of audit.head: 20 digits, blank, hash, newline */

struct audit_verdict {
    uint64_t files, lines;
    uint64_t first, last;       /* n of the oldest and the newest line; 0: there is none */
    uint64_t troubles;          /* how many were told */
    char hash[AUDIT_HASH_SIZE]; /* of the newest line */
};

/* Walk the whole chain, oldest file first. Every line that was changed, dropped, inserted or moved
 * is told to out as "FILE:LINE: n N: what is wrong". When the oldest files were removed, what is
 * left is verified from verdict->first on. A line that is just being written is no trouble.
 * Returns 0 the chain is whole, 1 it is not, -1 errno: the log cannot be read. */
int audit_verify(const char *state_dir, FILE *out, struct audit_verdict *verdict);

/* Give every line, without its newline, oldest first. A callback that does not return 0 ends the
 * walk. Returns what the last callback did, or -1 with errno when the log cannot be read. */
typedef int (*audit_line_function)(const char *line, size_t len, void *context);
int audit_walk(const char *state_dir, audit_line_function each, void *context);

/* ---- for the store */

/* The numbers in the names of the rotated files, lowest first. Free first after use.
 * Returns 0, or -1 with errno. */
struct audit_files {
    uint64_t *first;
    size_t count;
};
int audit_files_list(int state_dir, struct audit_files *files);

/* The name of a rotated file. Returns name. */
char *audit_file_name(uint64_t first, char name[AUDIT_NAME_SIZE]);

/* The hash of a line as text. Returns 0, or -1 (EIO: libcrypto refused). */
int audit_hash(struct slice line, char hash[AUDIT_HASH_SIZE]);

/* A line's own number and what it says of the line before. Returns 0, or -1 when the bytes are no
 * line of the log (EBADMSG) or there is no memory (ENOMEM). */
int audit_line_read(struct slice line, uint64_t *n, char prev[AUDIT_HASH_SIZE]);

/* What audit.head says. Returns 0, or -1 with errno: ENOENT; EBADMSG when it is damaged; else it
 * could not be read. */
int audit_head_read(int state_dir, uint64_t *n, char hash[AUDIT_HASH_SIZE]);

#endif
