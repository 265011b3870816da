/* Text put together in a caller's buffer: heads of answers, JSON, addresses. What does not fit, or
 * may not stand where it was to stand, makes the writer bad for good: writer_done says so, and
 * there is no other way to the text's length. */
#ifndef SALLYPORT_HTTPS_WRITER_H
#define SALLYPORT_HTTPS_WRITER_H

#include "https-worker/grammar.h"

struct writer {
    char *text;
    size_t size, len;
    bool bad;
};

struct writer writer_of(char *text, size_t size);

void writer_put(struct writer *w, struct slice bytes);
void writer_text(struct writer *w, const char *text);
void writer_number(struct writer *w, uint64_t number);
void writer_base64(struct writer *w, struct slice bytes);
/* Bytes of other classes than `plain` (CHAR_...) as %XX (RFC 3986, 2.1). */
void writer_percent(struct writer *w, struct slice bytes, unsigned plain);
/* A path with its slashes, for Location and links: percent-encoded so that decoding it gives the
 * same bytes, wherever it stands in an address. */
void writer_path(struct writer *w, struct slice path);

/* The length of what was written, or -1: it is not whole, and none of it may be used. */
ssize_t writer_done(const struct writer *w);

#endif
