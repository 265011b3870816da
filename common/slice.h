/* Bytes that somebody else owns, and their number. Used for every text and blob that is passed
 * around; a slice never frees and never ends in NUL by promise. */
#ifndef SALLYPORT_SLICE_H
#define SALLYPORT_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *data; /* may be NULL when len is 0 */
    size_t len;          /* bytes */
};

static inline struct slice slice_of(const void *data, size_t len)
{
    return (struct slice){.data = data, .len = len};
}

/* A C string's bytes, without its NUL. NULL counts as empty. */
static inline struct slice slice_text(const char *text)
{
    return slice_of(text, text != NULL ? strlen(text) : 0);
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool slice_is(struct slice a, const char *text)
{
    return slice_equal(a, slice_text(text));
}

/* Copy as a C string. Returns 0, or -1 when it does not fit or holds a NUL; then text is empty. */
static inline int slice_copy(struct slice from, char *text, size_t size)
{
    if (size == 0)
        return -1;
    text[0] = '\0';
    if (from.len >= size || (from.len > 0 && memchr(from.data, 0, from.len) != NULL))
        return -1;
    if (from.len > 0)
        memcpy(text, from.data, from.len);
    text[from.len] = '\0';
    return 0;
}

#endif
