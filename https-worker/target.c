/* Addresses and forms. Called by the routes for every path, query and form; must never let two
 * texts that mean two names decode to one, nor a name hold a slash. */
#include "https-worker/target.h"

/* One character of an encoded text: the byte it stands for, taken off; -1 for a bad escape. */
static int decode_one(struct slice *text)
{
    const uint8_t c = slice_take(text, 1).data[0];

    if (c != '%')
        return c;
    const int high = text->len >= 2 ? hex_value(text->data[0]) : -1;
    const int low = text->len >= 2 ? hex_value(text->data[1]) : -1;
    if (high < 0 || low < 0)
        return -1;
    slice_take(text, 2);
    return high << 4 | low;
}

static int decode_name(struct slice name, struct target_path *out, struct refusal *refusal)
{
    const size_t begin = out->len;

    while (name.len > 0) {
        const int c = decode_one(&name);
        if (c < 0)
            return refuse(refusal, 400, "The address has a % that two digits do not follow.");
        if (c == 0 || c == '/')
            return refuse(refusal, 400, "The address holds a NUL or a slash within a name.");
        if (out->len == TARGET_PATH_MAX)
            return refuse(refusal, 414, "The path is too long.");
        out->text[out->len++] = (char)c;
    }
    const struct slice decoded = slice_of(out->text + begin, out->len - begin);
    if (decoded.len == 0 || slice_is(decoded, ".") || slice_is(decoded, ".."))
        return refuse(refusal, 400, "The address holds an empty name, \".\" or \"..\".");
    return 0;
}

int target_decode(struct slice path, struct target_path *out, struct refusal *refusal)
{
    *out = (struct target_path){.folder = true};
    if (!slice_skip(&path, "/"))
        return refuse(refusal, 400, "The address does not begin with a slash.");
    while (path.len > 0) {
        if (out->len == TARGET_PATH_MAX)
            return refuse(refusal, 414, "The path is too long.");
        out->text[out->len++] = '/';
        if (decode_name(slice_until(&path, '/'), out, refusal) < 0)
            return -1;
        out->folder = slice_skip(&path, "/");
    }
    if (out->len == 0)
        out->text[out->len++] = '/';
    out->text[out->len] = '\0';
    return 0;
}

/* ---- forms ---------------------------------------------------------------------------------- */
bool form_next(struct slice *rest, struct form_pair *pair)
{
    struct slice text = slice_of(NULL, 0);

    while (rest->len > 0 && text.len == 0) {
        text = slice_until(rest, '&');
        slice_skip(rest, "&");
    }
    if (text.len == 0)
        return false;
    pair->name = slice_until(&text, '=');
    slice_skip(&text, "=");
    pair->value = text;
    return true;
}

ssize_t form_decode(struct slice encoded, char *text, size_t size)
{
    size_t len = 0;

    while (encoded.len > 0) {
        const bool blank = encoded.data[0] == '+';
        const int c = decode_one(&encoded);
        if (c <= 0 || len == size)
            return -1;
        text[len++] = blank ? ' ' : (char)c;
    }
    return (ssize_t)len;
}

bool form_named(const struct form_pair *pair, const char *name)
{
    struct slice encoded = pair->name;

    while (encoded.len > 0 && *name != '\0' && decode_one(&encoded) == (uint8_t)*name)
        name++;
    return encoded.len == 0 && *name == '\0';
}

enum form_result form_get(struct slice form, const char *name, char *text, size_t size,
                          struct slice *value)
{
    enum form_result result = FORM_ABSENT;
    struct form_pair pair;

    *value = slice_of(NULL, 0);
    while (form_next(&form, &pair)) {
        if (!form_named(&pair, name))
            continue;
        const ssize_t n = result == FORM_ABSENT ? form_decode(pair.value, text, size) : -1;
        if (n < 0)
            return FORM_BAD;
        *value = slice_of(text, (size_t)n);
        result = FORM_FOUND;
    }
    return result;
}
