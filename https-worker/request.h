/* A request's line and header section (RFC 9112, 2 to 7 and 9; RFC 9110, 7), read as the bytes come
 * in. Strict: whatever two readers could take for two different things is refused, and a refusal
 * ends the connection.
 *
 * The caller collects the bytes of the head in one buffer of REQUEST_HEAD_MAX bytes, which begins
 * with the request and stays where it is until the request is done: all slices point into it. What
 * comes behind the head (the body, and the next request) is left alone. */
#ifndef SALLYPORT_HTTPS_REQUEST_H
#define SALLYPORT_HTTPS_REQUEST_H

#include "https-worker/fields.h"

/* Limits; FIELDS_MAX is another. */
#define REQUEST_METHOD_MAX 16
#define REQUEST_TARGET_MAX 8192
#define REQUEST_LINE_MAX   (REQUEST_METHOD_MAX + REQUEST_TARGET_MAX + 12) /* " T HTTP/1.1\r\n" */
#define REQUEST_FIELDS_MAX 32768 /* of the header section, its empty line too */
#define REQUEST_HEAD_MAX   (2 + REQUEST_LINE_MAX + REQUEST_FIELDS_MAX)

#define METHODS(X) X(GET) X(HEAD) X(POST) X(PUT) X(PATCH) X(DELETE) X(OPTIONS)
enum method {
#define METHOD_ENUM(name) METHOD_##name,
    METHODS(METHOD_ENUM)
#undef METHOD_ENUM
        METHOD_COUNT
};
const char *method_name(enum method method);

/* How long the body is (RFC 9112, 6.3). */
enum framing { FRAMING_NONE, FRAMING_LENGTH, FRAMING_CHUNKED };

enum request_result { REQUEST_MORE, REQUEST_WHOLE, REQUEST_REFUSED };

struct request {
    /* What it says; good when it is whole. */
    enum method method;
    unsigned minor;           /* HTTP/1.minor: 0 or 1 */
    struct slice path, query; /* still encoded; the query without its '?'. "*" for the server */
    struct slice host;        /* "files.example.org", "[::1]": case as sent; empty: HTTP/1.0 */
    uint16_t port;            /* 0: the scheme's own */
    struct fields fields;
    enum framing framing;
    uint64_t length;  /* of the body, where FRAMING_LENGTH says so */
    bool keep;        /* the connection may go on behind it (RFC 9112, 9.3) */
    bool expects_100; /* RFC 9110, 10.1.1 */
    size_t bytes;     /* of the head */
    struct refusal refusal;

    /* How far it has been read. */
    const char *scheme;
    struct slice target;
    enum request_stage { STAGE_BEGIN, STAGE_LINE, STAGE_FIELDS, STAGE_DONE } stage;
    size_t line_at;   /* where the line that is being read begins */
    size_t scanned;   /* no LF from there to here */
    size_t fields_at; /* where the header section begins */
};

/* Before a request's first byte. scheme: of this connection, "https" or "http"; an address that
 * names another one is refused. */
void request_begin(struct request *r, const char *scheme);

/* Look at all bytes that have come since the request began. REQUEST_MORE: call again with more;
 * REQUEST_WHOLE: r->bytes of them are its head; REQUEST_REFUSED: answer r->refusal (400, 414, 417,
 * 431, 501, 505) and close. Pieces make no difference to what is said, or by which byte at the
 * latest. */
enum request_result request_parse(struct request *r, struct slice bytes);

/* "example.org:8443" apart (RFC 9110, 7.2; RFC 3986, 3.2): a name of letters, digits and "-._~", an
 * IPv4 address or an IPv6 address in brackets. port is 0 where none stands. Returns false for
 * anything else, an empty one too. */
bool host_parse(struct slice text, struct slice *host, uint16_t *port);

#endif
