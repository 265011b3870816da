/* Range requests (RFC 9110, 14). */
#ifndef SALLYPORT_HTTPS_RANGE_H
#define SALLYPORT_HTTPS_RANGE_H

#include "https-worker/writer.h"

/* More ranges than this, and all are ignored. Ranges that overlap, or lie nearer to each other than
 * a part's head is long, become one, so that the answer is never longer than the file by more than
 * one head and end (RFC 9110, 14.2 and 15.3.7.2). */
#define RANGES_MAX 32
#define RANGE_GAP  256

struct range {
    uint64_t first, last; /* bytes; both belong to it */
};

struct ranges {
    size_t count;
    struct range list[RANGES_MAX]; /* in the order asked for; apart from each other */
};

enum range_result {
    RANGE_WHOLE, /* no Range field that counts: 200 and the whole file (RFC 9110, 14.2) */
    RANGE_PARTS, /* 206; one range: Content-Range, more: multipart/byteranges */
    RANGE_NONE,  /* 416: none of them lies in the file */
};

/* value: of the Range field, empty when there is none; size: of the file, below 2^63. */
enum range_result range_parse(struct slice value, uint64_t size, struct ranges *ranges);

static inline uint64_t range_length(const struct range *range)
{
    return range->last - range->first + 1;
}

/* "bytes 5-9/100"; NULL: with a star for the range, which goes with 416 (RFC 9110, 14.4). */
void content_range_write(struct writer *w, const struct range *range, uint64_t size);

/* An answer with several ranges (RFC 9110, 14.6): each part's head, its bytes, ..., the end. */
struct byteranges {
    const struct ranges *ranges;
    uint64_t size;        /* of the file */
    const char *type;     /* its media type */
    const char *boundary; /* letters and digits by chance, so that no file holds them */
};
#define BYTERANGES_HEAD_MAX 512 /* of a head, with a type and boundary of 128 each at most */

/* Content-Type's value. */
void byteranges_type(struct writer *w, const struct byteranges *b);
/* What stands before the bytes of range number i; of `ranges->count`, the end. */
void byteranges_head(struct writer *w, const struct byteranges *b, size_t i);
/* Content-Length: heads, bytes and end together. */
uint64_t byteranges_length(const struct byteranges *b);

#endif
