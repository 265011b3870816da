/* Heads of answers (RFC 9110, 15; RFC 9112, 4 to 7), built into a caller's buffer: status, date,
 * the fixed fields of each kind of answer, the caller's own, how the body is framed, whether the
 * connection goes on. Every value passes the one check that keeps it from ending its line. */
#ifndef SALLYPORT_HTTPS_RESPONSE_H
#define SALLYPORT_HTTPS_RESPONSE_H

#include "https-worker/request.h"
#include "https-worker/writer.h"

/* Which of the fixed fields an answer has. */
enum response_kind {
    RESPONSE_PAGE = 1,     /* HTML of the page, with scripts and styles of this server */
    RESPONSE_STATIC = 2,   /* the page's files, under an address of their content */
    RESPONSE_API = 4,      /* JSON, and answers without content */
    RESPONSE_DOWNLOAD = 8, /* somebody's file, to be saved */
    RESPONSE_PREVIEW = 16, /* somebody's file, shown within the page */
    RESPONSE_CLEAR = 32,   /* over plain HTTP: the redirect to HTTPS */
};

struct response {
    struct writer writer;
    unsigned status;
    unsigned minor; /* of the request */
    bool keep;      /* the connection goes on behind this answer */
    bool framed;    /* how long the body is has been said */
    bool chunked;   /* ... in chunks; neither of both: until the connection closes */
    size_t value_at;
};

/* Begin: status line, Date, fixed fields. The request may be one that was refused. now: seconds
 * since 1970. The answer closes the connection unless the request's `keep` is set. */
void response_begin(struct response *r, const struct request *request, struct writer writer,
                    unsigned status, enum response_kind kind, int64_t now);

/* Fields. A value with a control character, or with a blank at an end, spoils the head. */
void response_field(struct response *r, const char *name, struct slice value);
void response_text(struct response *r, const char *name, const char *value);
void response_number(struct response *r, const char *name, uint64_t value);
void response_date(struct response *r, const char *name, int64_t seconds);
/* A value that others put together: open, write into what it returns, close. */
struct writer *response_open(struct response *r, const char *name);
void response_close(struct response *r);

/* One of them, unless the status has no body (1xx, 204, 304): bytes of content (of HEAD: what GET
 * would send); or a length that is not known: chunked, or for HTTP/1.0 until the close. */
void response_length(struct response *r, uint64_t length);
void response_stream(struct response *r);

/* The end of the head. Returns its length, or -1: it did not fit, a value was none, the framing was
 * not said or said twice, or the status is not in the table. Then nothing of it may be sent. */
ssize_t response_end(struct response *r);

/* May a body follow (RFC 9112, 6.3)? Not behind an answer to HEAD, nor these statuses. */
bool response_has_body(enum method method, unsigned status);

/* "Not Found"; NULL for a status that is not in the table. */
const char *response_reason(unsigned status);

/* What is sent where body_wants_100 says so. */
#define RESPONSE_CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

/* A chunk (RFC 9112, 7.1): `space` holds CHUNK_BEFORE bytes, n bytes of content (more than none),
 * and CHUNK_AFTER bytes. Returns what is to be sent, a slice of it. CHUNK_LAST ends the body. */
#define CHUNK_BEFORE 10 /* n is below 2^32 */
#define CHUNK_AFTER  2
#define CHUNK_LAST   "0\r\n\r\n"
struct slice chunk_wrap(char *space, uint32_t n);

#endif
