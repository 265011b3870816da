/* Conditional requests (RFC 9110, 13): every precondition of a request held against the file as it
 * is, in the order of 13.2.2, to one verdict. */
#ifndef SALLYPORT_HTTPS_CONDITIONS_H
#define SALLYPORT_HTTPS_CONDITIONS_H

#include "https-worker/request.h"

/* What the request is about. */
struct representation {
    bool exists;
    struct slice etag; /* as it is sent: "\"5f-1a\"", "W/\"5f\""; empty: it has none */
    bool dated;
    int64_t modified; /* seconds since 1970, as Last-Modified says it */
};

enum condition {
    CONDITION_GO_ON,        /* do it; the Range field is to be ignored */
    CONDITION_GO_ON_RANGE,  /* do it; the Range field counts, if there is one */
    CONDITION_NOT_MODIFIED, /* 304 */
    CONDITION_FAILED,       /* 412 */
    CONDITION_BAD,          /* 400: an If-Match or If-None-Match that is none */
};

/* Ask only when the answer without conditions would be a success (RFC 9110, 13.2.1). now: seconds
 * since 1970. A date in If-Range counts only when the file has been as it is for a second at least,
 * so that no other content had the same date (RFC 9110, 8.8.2.2 and 13.1.5). */
enum condition conditions_judge(const struct request *request, const struct representation *is,
                                int64_t now);

/* An entity tag (RFC 9110, 8.8.3): W/ or not, quotes, and nothing else. */
bool etag_is(struct slice text);
/* RFC 9110, 8.8.3.2: the strong comparison finds no weak tag equal to anything. */
bool etag_same_strong(struct slice a, struct slice b);
bool etag_same_weak(struct slice a, struct slice b);

#endif
