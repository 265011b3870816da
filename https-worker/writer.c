/* Bounded text. Called by all that writes answers; must never write past a buffer, nor give out a
 * text that is cut. */
#include "https-worker/writer.h"

#include "common/base64.h"

struct writer writer_of(char *text, size_t size)
{
    return (struct writer){.text = text, .size = size};
}

ssize_t writer_done(const struct writer *w)
{
    return w->bad ? -1 : (ssize_t)w->len;
}

/* Room for n bytes more, or NULL. */
static char *room(struct writer *w, size_t n)
{
    char *at = w->text + w->len;

    w->bad = w->bad || n > w->size - w->len;
    if (w->bad)
        return NULL;
    w->len += n;
    return at;
}

void writer_put(struct writer *w, struct slice bytes)
{
    char *to = room(w, bytes.len);

    if (to != NULL && bytes.len > 0)
        memcpy(to, bytes.data, bytes.len);
}

void writer_text(struct writer *w, const char *text)
{
    writer_put(w, slice_text(text));
}

void writer_number(struct writer *w, uint64_t number)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    writer_put(w, slice_of(digits + at, sizeof(digits) - at));
}

void writer_base64(struct writer *w, struct slice bytes)
{
    char *to = room(w, BASE64_LENGTH(bytes.len));

    if (to != NULL)
        base64_encode(bytes, to);
}

void writer_percent(struct writer *w, struct slice bytes, unsigned plain)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < bytes.len; i++) {
        const uint8_t c = bytes.data[i];
        const char escaped[] = {'%', digits[c >> 4], digits[c & 15]};
        writer_put(w, char_is(c, plain) ? slice_of(&c, 1) : slice_of(escaped, sizeof(escaped)));
    }
}

void writer_path(struct writer *w, struct slice path)
{
    while (path.len > 0) {
        writer_percent(w, slice_until(&path, '/'), CHAR_UNRESERVED);
        if (slice_skip(&path, "/"))
            writer_text(w, "/");
    }
}
