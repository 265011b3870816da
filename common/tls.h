/* TLS for workers, without a key: contexts whose signatures are made by the monitor, and streams
 * that encrypt many records before they are sent and read the network in large pieces. Used by the
 * FTPS and HTTPS workers; all of a context is made before the sandbox. A stream owns no policy:
 * what is said over it, and to whom, is the worker's. */
#ifndef SALLYPORT_TLS_H
#define SALLYPORT_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/monitor_link.h"
#include "common/slice.h"

/* What a context is made of: fields of the worker's setup message. */
struct tls_settings {
    struct slice certificates;                 /* DER, each an SSH string; the server's own first */
    struct slice further;                      /* such chains for other names, each an SSH string */
    struct slice ciphers12, ciphers13, groups; /* OpenSSL's names, with commas */
    enum tls_version least;
    enum tls_resumption {
        TLS_RESUMES_HERE,    /* sessions stay in the process, for data connections (FTPS) */
        TLS_RESUMES_ANYWHERE /* the monitor keeps them, for other workers (HTTPS) */
    } resumption;
    const char *protocol; /* of ALPN (RFC 7301): a client that offers only others is refused, as its
                             bytes were meant for another kind of server */
};

/* A server's context, its signatures asked from the monitor over the link. Returns NULL and why (at
 * least 256 bytes). Before the sandbox: it loads the provider and fetches every algorithm. */
SSL_CTX *tls_context_new(const struct tls_settings *settings, struct monitor_link *monitor,
                         char *why, size_t size);

#define TLS_RECORD 16384 /* most bytes of application data in one record (RFC 8446, 5.1) */

enum tls_result {
    TLS_DONE = 0,
    TLS_AGAIN = -1,  /* poll the descriptor for tls_events and call again */
    TLS_FAILED = -2, /* broken off, or not TLS; tls_trouble says why */
};

struct tls_stream {
    SSL *ssl;
    int fd;
    /* Encrypted, to be sent: out[out_sent .. out_len) */
    uint8_t *out;
    size_t out_len, out_sent, out_size;
    /* Received, to be decrypted: in[in_used .. in_len) */
    uint8_t *in;
    size_t in_len, in_used, in_size;
    bool drained;     /* the last recv of this call left nothing behind: no other is made */
    bool end_of_file; /* the peer closed the connection (with or without close_notify) */
    bool ended;       /* the peer's close_notify was read */
    bool failed;      /* what comes is no TLS, or the connection is broken */
    int error;        /* errno of what failed on the socket */
    char trouble[128];
};

/* A server's side on a connected descriptor, which stays the caller's; non-blocking sends and
 * receives are used whatever its flags. buffer: bytes of each direction's buffer, at least
 * TLS_STREAM_LEAST; a control connection needs no more. tickets: give the client sessions to
 * resume (a data connection gives none: an uploading client would never read them, and its close
 * would reset the connection). Returns 0, or -1: no memory. The stream must not move. */
#define TLS_STREAM_LEAST (2 * (TLS_RECORD + 512))
int tls_open(struct tls_stream *s, SSL_CTX *context, int fd, size_t buffer, bool tickets);
/* Free everything but the descriptor; keys are wiped. An unopened, zeroed stream is allowed. */
void tls_free(struct tls_stream *s);

/* Go on with the handshake. TLS_DONE when it is complete and its last bytes are sent. */
enum tls_result tls_handshake(struct tls_stream *s);

/* Read what was decrypted: bytes (more than 0); 0: the peer ended its side with close_notify;
 * TLS_AGAIN; TLS_FAILED, also when the connection ended without close_notify. Fills `bytes` with
 * as many records as there are. */
ssize_t tls_read(struct tls_stream *s, void *bytes, size_t size);

/* Encrypt. Returns how many bytes were taken (whole records as far as the buffer has room), or
 * TLS_AGAIN when there is room for none: tls_flush first. Nothing is sent by it. */
ssize_t tls_write(struct tls_stream *s, const void *bytes, size_t len);
/* Bytes that tls_write would take now, at least. */
size_t tls_room(const struct tls_stream *s);
/* Send what is encrypted. TLS_DONE: all is sent. */
enum tls_result tls_flush(struct tls_stream *s);

/* Say close_notify (RFC 8446, 6.1) and send it with all that is before it. TLS_DONE: sent. */
enum tls_result tls_close(struct tls_stream *s);

/* What poll should wait for: POLLIN, and POLLOUT while something is not sent. */
short tls_events(const struct tls_stream *s);
/* Bytes, or the end, are here already, and no event will tell of them: read before polling. */
bool tls_pending(const struct tls_stream *s);

/* Give the client a fresh session to resume, with the next that is written (TLS 1.3). Some use each
 * but once (RFC 8446, C.4). */
void tls_renew(struct tls_stream *s);

/* After TLS_FAILED: did the connection end in order, but for close_notify? */
bool tls_cut(const struct tls_stream *s);

/* Did it resume a session? All that there are were made in this process: for a data connection,
 * by the control connection's client. */
bool tls_resumed(const struct tls_stream *s);

/* Why the last call failed, for the log: one line, no secret. */
const char *tls_trouble(const struct tls_stream *s);
/* "TLSv1.3, TLS_AES_128_GCM_SHA256" */
void tls_describe(const struct tls_stream *s, char *text, size_t size);

#endif
