/* Names of files in header fields. Called for downloads and by the reader of forms; must never let
 * a name end a field, or lead out of its folder. */
#include "https-worker/disposition.h"

#include "common/utf8.h"

/* ---- written -------------------------------------------------------------------------------- */

/* Each character as it is sent; "_" for one that is not. */
static struct slice take_shown(struct slice *name)
{
    uint32_t code;
    const struct slice character = utf8_take(name, &code);

    return code == UTF8_NONE || utf8_deceives(code) || code == '/' ? slice_text("_") : character;
}

void disposition_write(struct writer *w, const char *kind, struct slice name)
{
    struct slice rest = name;
    bool plain = true;

    writer_text(w, kind);
    writer_text(w, "; filename=\"");
    while (rest.len > 0) {
        const struct slice c = take_shown(&rest);
        /* what readers take for an escape, or in an encoding of their own (RFC 6266, appendix D) */
        const bool safe = c.len == 1 && memchr("\"\\%", c.data[0], 3) == NULL;
        writer_put(w, safe ? c : slice_text("_"));
        plain = plain && safe;
    }
    writer_text(w, "\"");
    if (plain)
        return;
    writer_text(w, "; filename*=UTF-8''");
    for (rest = name; rest.len > 0;)
        writer_percent(w, take_shown(&rest), CHAR_ATTR);
}

/* ---- read ----------------------------------------------------------------------------------- */

/* The next `; name="value"` or `; name=token`, the value without quotes. 1; 0 at the end; -1. */
static int take_parameter(struct slice *rest, struct slice *name, struct slice *value)
{
    *rest = ows_trim(*rest);
    if (rest->len == 0)
        return 0;
    if (!slice_skip(rest, ";"))
        return -1;
    *rest = ows_trim(*rest);
    *name = slice_until(rest, '=');
    if (!token_is(*name) || !slice_skip(rest, "="))
        return -1;
    if (slice_skip(rest, "\"")) {
        *value = slice_until(rest, '"');
        return slice_skip(rest, "\"") ? 1 : -1;
    }
    *value = ows_trim(slice_until(rest, ';'));
    return token_is(*value) ? 1 : -1;
}

/* The escapes of forms undone. Returns the length or -1: it does not fit. */
static ssize_t unescape(struct slice value, char *text, size_t size)
{
    static const struct {
        const char *escape;
        char c;
    } escapes[] = {{"%22", '"'}, {"%0D", '\r'}, {"%0A", '\n'}};
    size_t len = 0;

    while (value.len > 0 && len < size) {
        size_t i = 0;
        while (i < 3 && !slice_skip(&value, escapes[i].escape))
            i++;
        text[len++] = i < 3 ? escapes[i].c : (char)slice_take(&value, 1).data[0];
    }
    return value.len > 0 ? -1 : (ssize_t)len;
}

static int take_names(struct slice rest, struct slice *name, struct slice *filename,
                      struct refusal *refusal)
{
    struct slice parameter, value;
    int more;

    while ((more = take_parameter(&rest, &parameter, &value)) == 1) {
        struct slice *to = slice_same(parameter, slice_text("name"))       ? name
                           : slice_same(parameter, slice_text("filename")) ? filename
                                                                           : NULL;
        if (slice_same(parameter, slice_text("filename*")))
            return refuse(refusal, 400, "A form names its files with filename, not filename*.");
        if (to != NULL && to->data != NULL)
            return refuse(refusal, 400, "A part of the form has two names.");
        if (to != NULL)
            *to = value;
    }
    return more == 0 ? 0 : refuse(refusal, 400, "The name of a part of the form cannot be read.");
}

int disposition_parse(struct slice field, struct disposition *out, struct refusal *refusal)
{
    struct slice name = {0}, filename = {0};

    *out = (struct disposition){0};
    if (!slice_same(ows_trim(slice_until(&field, ';')), slice_text("form-data")))
        return refuse(refusal, 400, "A part of the form is no form-data.");
    if (take_names(field, &name, &filename, refusal) < 0)
        return -1;
    const ssize_t len = unescape(name, out->name, sizeof(out->name));
    if (len <= 0)
        return refuse(refusal, 400, "A part of the form has no name, or a long one.");
    const ssize_t file_len = unescape(filename, out->filename, sizeof(out->filename));
    if (file_len < 0)
        return refuse(refusal, 400, "The name of the file is too long.");
    out->len = (size_t)len;
    out->file_len = (size_t)file_len;
    out->is_file = filename.data != NULL;
    const struct slice file = slice_of(out->filename, out->file_len);
    if (slice_is(file, ".") || slice_is(file, "..") || memchr(file.data, '/', file.len) != NULL)
        return refuse(refusal, 400, "The name of the file is not one of a single file.");
    return 0;
}
