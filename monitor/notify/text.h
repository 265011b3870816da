/* A text that grows, up to a limit, and is wiped when it goes: mails hold links that open
 * accounts. Once something did not fit it is bad, and stays so: checked once, at the end. */
#ifndef SALLYPORT_NOTIFY_TEXT_H
#define SALLYPORT_NOTIFY_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/slice.h"

#define TEXT_MOST (256u << 10) /* bytes; a notice's facts are 32 KiB at most */

struct text {
    char *data; /* owned; no NUL at its end */
    size_t len, size;
    bool bad; /* no memory, or too long */
};

void text_add(struct text *text, struct slice more);
void text_print(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Wipe and free; it is empty then. */
void text_clear(struct text *text);

static inline struct slice text_slice(const struct text *text)
{
    return slice_of(text->data, text->len);
}

#endif
