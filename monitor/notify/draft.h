/* A text that grows, up to a limit, and is wiped when it goes: mails hold links that open
 * accounts. Once something did not fit it is bad, and stays so: checked once, at the end. */
#ifndef SALLYPORT_NOTIFY_DRAFT_H
#define SALLYPORT_NOTIFY_DRAFT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/slice.h"

#define DRAFT_MOST (256u << 10) /* bytes; a notice's facts are 32 KiB at most */

struct draft {
    char *data; /* owned; no NUL at its end */
    size_t len, size;
    bool bad; /* no memory, or too long */
};

void draft_add(struct draft *text, struct slice more);
void draft_print(struct draft *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Wipe and free; it is empty then. */
void draft_clear(struct draft *text);

static inline struct slice draft_slice(const struct draft *text)
{
    return slice_of(text->data, text->len);
}

#endif
