/* The SFTP server: version 3 (draft-ietf-secsh-filexfer-02) as OpenSSH's server speaks it, with its
 * extensions. Bytes of a channel go in, answers go out into memory that the caller lends; names and
 * attributes are asked from the file agent, file contents go straight between the descriptors that
 * it handed over and the caller's buffers. Called by the worker's channel; knows nothing of SSH.
 * It must never open anything and needs no system call but those of common/filters/sftp.def. */
#ifndef SALLYPORT_SFTP_H
#define SALLYPORT_SFTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SFTP_VERSION     3
#define SFTP_PACKET_MAX  (256 * 1024)             /* bytes of a packet, its length not counted */
#define SFTP_INPUT_MAX   (4 + SFTP_PACKET_MAX)    /* what a caller must be able to keep and offer */
#define SFTP_REPLY_MAX   (4 + SFTP_PACKET_MAX)    /* the most that is ever reserved at once */
#define SFTP_DATA_MAX    (SFTP_PACKET_MAX - 1024) /* bytes of one READ or WRITE */
#define SFTP_HANDLES_MAX 1000                     /* open at a time: RLIMIT_NOFILE must allow it */

struct sftp;

/* Whom the session serves: for owners' names in listings and for "~name". */
struct sftp_account {
    const char *name; /* copied */
    uint32_t uid, gid;
};

/* Where answers go. Each answer is one reserve and, when it is written, one commit.
 * reserve: memory for `bytes` more bytes that stays as it is until the commit or the next reserve;
 *   NULL when there is no room now. It must find room for SFTP_REPLY_MAX once all is sent.
 * commit: the first `bytes` of what was reserved last are an answer to send, after all before. */
struct sftp_sink {
    uint8_t *(*reserve)(void *context, size_t bytes);
    void (*commit)(void *context, size_t bytes);
    void *context;
};

/* What went through the session, for the audit's claims. */
struct sftp_totals {
    uint64_t requests;
    uint64_t bytes_read;    /* of file contents, sent to the client */
    uint64_t bytes_written; /* of file contents, from the client */
};

/* Load the digests of check-file. Once, before the sandbox: nothing can be loaded in it. */
void sftp_prepare(void);

/* A session. agent_link: SOCK_SEQPACKET to the account's file agent; stays the caller's, may be
 * shared by the channels of one connection. NULL when there is no memory. */
struct sftp *sftp_new(int agent_link, const struct sftp_account *account,
                      const struct sftp_sink *sink);

/* Offer the channel's unread bytes. Returns how many were used: whole packets only, keep the rest
 * and offer it again with what comes after it. It stops early when the sink has no room: call again
 * when some was sent. -1: the channel must be closed after sending what was committed, sftp_error
 * says why. A WRITE's data are written from `data`, without a copy. */
ssize_t sftp_input(struct sftp *sftp, const uint8_t *data, size_t len);

/* A long request (copy-data, check-file) gave the turn back: call sftp_input again, with the same
 * bytes or more or none, without waiting for the client. */
bool sftp_busy(const struct sftp *sftp);

/* Why sftp_input returned -1: one line for the log. */
const char *sftp_error(const struct sftp *sftp);

struct sftp_totals sftp_totals(const struct sftp *sftp);

/* The channel is closed. What is still open is given back as broken off: an atomic upload is not
 * published. NULL is allowed. */
void sftp_free(struct sftp *sftp);

#endif
