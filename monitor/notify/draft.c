/* Growing texts of sallyport-notify. What held a secret is wiped before its memory is given back,
 * also when it moves. */
#include "monitor/notify/draft.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 1024

/* Room for so many bytes more. */
static bool grow(struct draft *text, size_t more)
{
    size_t size = text->size > 0 ? text->size : FIRST_SIZE;
    char *data;

    if (text->bad || more > DRAFT_MOST || text->len + more > DRAFT_MOST) {
        text->bad = true;
        return false;
    }
    if (text->len + more <= text->size)
        return true;
    while (size < text->len + more)
        size *= 2;
    data = malloc(size);
    if (data == NULL) {
        text->bad = true;
        return false;
    }
    if (text->len > 0) {
        memcpy(data, text->data, text->len);
        explicit_bzero(text->data, text->len);
    }
    free(text->data);
    text->data = data;
    text->size = size;
    return true;
}

void draft_add(struct draft *text, struct slice more)
{
    if (more.len == 0 || !grow(text, more.len))
        return;
    memcpy(text->data + text->len, more.data, more.len);
    text->len += more.len;
}

void draft_print(struct draft *text, const char *format, ...)
{
    char line[2048];
    va_list arguments;

    va_start(arguments, format);
    const int n = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (n < 0 || (size_t)n >= sizeof(line))
        text->bad = true;
    else
        draft_add(text, slice_of(line, (size_t)n));
    explicit_bzero(line, sizeof(line));
}

void draft_clear(struct draft *text)
{
    if (text->data != NULL)
        explicit_bzero(text->data, text->size);
    free(text->data);
    *text = (struct draft){0};
}
