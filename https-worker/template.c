/* Templates to HTML. Called by the pages; must never let a text end the place it stands in. */
#include "https-worker/template.h"

#include <stdio.h>
#include <string.h>

#include "common/utf8.h"
#include "https-worker/static.h"

/* What a character is written as; NULL: as it is. */
static const char *escape_of(uint32_t code)
{
    switch (code) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return code != UTF8_NONE && utf8_deceives(code) ? "\xef\xbf\xbd" : NULL;
    }
}

static void put_escaped(struct writer *out, struct slice text)
{
    while (text.len > 0) {
        uint32_t code;
        const struct slice as_is = utf8_take(&text, &code);
        const char *escaped = escape_of(code);
        writer_put(out, escaped != NULL ? slice_text(escaped) : as_is);
    }
}

/* The bytes of a part, up to the next one. */
static struct slice part_of(const char *file, const char *part)
{
    const struct static_file *found = static_find(slice_text(file));
    char mark[64];
    const int len = snprintf(mark, sizeof(mark), "<!-- part: %s -->\n", part);
    const uint8_t *begin = found != NULL && len > 0 && (size_t)len < sizeof(mark)
                               ? memmem(found->plain.data, found->plain.len, mark, (size_t)len)
                               : NULL;

    if (begin == NULL)
        return slice_of(NULL, 0);
    begin += len;
    const size_t left = found->plain.len - (size_t)(begin - found->plain.data);
    const uint8_t *end = memmem(begin, left, "<!-- part: ", 11);
    return slice_of(begin, end != NULL ? (size_t)(end - begin) : left);
}

void template_put(struct writer *out, const char *file, const char *part,
                  const struct value *values, size_t count)
{
    struct slice rest = part_of(file, part);

    out->bad = out->bad || rest.len == 0;
    while (rest.len > 0) {
        const uint8_t *open = memmem(rest.data, rest.len, "{{", 2);
        const size_t before = open != NULL ? (size_t)(open - rest.data) : rest.len;
        writer_put(out, slice_take(&rest, before));
        if (open == NULL)
            break;
        const uint8_t *end = memmem(rest.data, rest.len, "}}", 2);
        const size_t len = end != NULL ? (size_t)(end - rest.data) : rest.len;
        struct slice name = slice_take(&rest, len);
        slice_take(&name, 2);
        slice_take(&rest, end != NULL ? 2 : 0);
        for (size_t i = 0; i < count; i++) {
            if (slice_is(name, values[i].name))
                put_escaped(out, values[i].text);
        }
    }
}
