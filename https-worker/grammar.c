/* Small rules of HTTP's grammar. Called by all that reads requests and their fields; must never
 * read past a slice, whatever stands in it. */
#include "https-worker/grammar.h"

/* ---- characters ----------------------------------------------------------------------------- */
#define IN(c, low, high) ((c) >= (low) && (c) <= (high))
#define ALPHA(c)         (IN(c, 'a', 'z') || IN(c, 'A', 'Z'))
#define ALNUM(c)         (ALPHA(c) || IN(c, '0', '9'))
#define VISIBLE(c)       IN(c, 0x21, 0x7e)
#define OBS_TEXT(c)      ((c) >= 0x80)

#define UNRESERVED(c) (ALNUM(c) || (c) == '-' || (c) == '.' || (c) == '_' || (c) == '~')
#define SUB_DELIM(c)                                                                               \
    ((c) == '!' || (c) == '$' || IN(c, '&', ',') || (c) == ';' || (c) == '=') /* & ' ( ) * + , */
#define TOKEN(c)                                                                                   \
    (ALNUM(c) || (c) == '!' || IN(c, '#', '\'') || (c) == '*' || (c) == '+' || (c) == '-' ||       \
     (c) == '.' || IN(c, '^', '`') || (c) == '|' || (c) == '~') /* # $ % & ', ^ _ ` */
#define TARGET(c)                                                                                  \
    (UNRESERVED(c) || SUB_DELIM(c) || (c) == '%' || (c) == ':' || (c) == '@' || (c) == '/' ||      \
     (c) == '?' || (c) == '[' || (c) == ']')
#define ETAG(c)   ((VISIBLE(c) && (c) != '"') || OBS_TEXT(c))
#define COOKIE(c) (VISIBLE(c) && (c) != '"' && (c) != ',' && (c) != ';' && (c) != '\\')
#define ATTR(c)   (TOKEN(c) && (c) != '*' && (c) != '\'' && (c) != '%')
#define BOUNDARY(c)                                                                                \
    (ALNUM(c) || IN(c, '\'', ')') || IN(c, '+', '/') || (c) == '_' || (c) == ':' || (c) == '=' ||  \
     (c) == '?') /* ' ( ), + , - . / */
#define VALUE(c) (VISIBLE(c) || (c) == ' ' || (c) == '\t' || OBS_TEXT(c))

#define CLASSES(c)                                                                                 \
    ((TOKEN(c) ? CHAR_TOKEN : 0) | (VALUE(c) ? CHAR_VALUE : 0) | (TARGET(c) ? CHAR_TARGET : 0) |   \
     (UNRESERVED(c) ? CHAR_UNRESERVED : 0) | (ETAG(c) ? CHAR_ETAG : 0) |                           \
     (COOKIE(c) ? CHAR_COOKIE : 0) | (ATTR(c) ? CHAR_ATTR : 0) |                                   \
     (BOUNDARY(c) ? CHAR_BOUNDARY : 0))
#define CLASSES4(c)  CLASSES(c), CLASSES((c) + 1), CLASSES((c) + 2), CLASSES((c) + 3)
#define CLASSES16(c) CLASSES4(c), CLASSES4((c) + 4), CLASSES4((c) + 8), CLASSES4((c) + 12)
#define CLASSES64(c) CLASSES16(c), CLASSES16((c) + 16), CLASSES16((c) + 32), CLASSES16((c) + 48)

static const uint8_t classes_of[256] = {CLASSES64(0), CLASSES64(64), CLASSES64(128),
                                        CLASSES64(192)};

bool char_is(uint8_t c, unsigned classes)
{
    return (classes_of[c] & classes) != 0;
}

bool chars_are(struct slice text, unsigned classes)
{
    size_t at = 0;

    while (at < text.len && (classes_of[text.data[at]] & classes) != 0)
        at++;
    return at == text.len;
}

bool token_is(struct slice text)
{
    return text.len > 0 && chars_are(text, CHAR_TOKEN);
}

int hex_value(uint8_t c)
{
    return IN(c, '0', '9')   ? c - '0'
           : IN(c, 'a', 'f') ? c - 'a' + 10
           : IN(c, 'A', 'F') ? c - 'A' + 10
                             : -1;
}

/* ---- slices --------------------------------------------------------------------------------- */
static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

struct slice slice_take(struct slice *text, size_t n)
{
    const struct slice taken = slice_of(text->data, n);

    *text = slice_of(n > 0 ? text->data + n : text->data, text->len - n);
    return taken;
}

struct slice slice_until(struct slice *text, char separator)
{
    const uint8_t *at = text->len > 0 ? memchr(text->data, separator, text->len) : NULL;

    return slice_take(text, at != NULL ? (size_t)(at - text->data) : text->len);
}

struct slice ows_trim(struct slice text)
{
    while (text.len > 0 && is_blank(text.data[0]))
        slice_take(&text, 1);
    while (text.len > 0 && is_blank(text.data[text.len - 1]))
        text.len--;
    return text;
}

static uint8_t lower(uint8_t c)
{
    return IN(c, 'A', 'Z') ? (uint8_t)(c - 'A' + 'a') : c;
}

bool slice_same(struct slice a, struct slice b)
{
    size_t at = 0;

    if (a.len != b.len)
        return false;
    while (at < a.len && lower(a.data[at]) == lower(b.data[at]))
        at++;
    return at == a.len;
}

bool slice_skip(struct slice *text, const char *beginning)
{
    const size_t n = strlen(beginning);

    if (text->len < n || !slice_is(slice_of(text->data, n), beginning))
        return false;
    slice_take(text, n);
    return true;
}

/* ---- numbers, lists, parameters ------------------------------------------------------------- */
bool number_of(struct slice text, uint64_t *number)
{
    uint64_t n = 0;
    bool good = text.len > 0;

    for (size_t i = 0; i < text.len && good; i++) {
        const uint64_t digit = (uint64_t)text.data[i] - '0';
        good = IN(text.data[i], '0', '9') && n <= (UINT64_MAX - digit) / 10;
        n = good ? n * 10 + digit : 0;
    }
    *number = n;
    return good;
}

/* Bytes until a separator that is not in quotes, or the end; quotes as in a quoted-string. */
static size_t unquoted_until(struct slice text, char separator)
{
    bool quoted = false;
    size_t at = 0;

    for (; at < text.len && (quoted || text.data[at] != (uint8_t)separator); at++) {
        if (text.data[at] == '"')
            quoted = !quoted;
        else if (quoted && text.data[at] == '\\' && at + 1 < text.len)
            at++;
    }
    return at;
}

bool list_next(struct slice *rest, struct slice *element)
{
    while (rest->len > 0) {
        *element = ows_trim(slice_take(rest, unquoted_until(*rest, ',')));
        if (rest->len > 0)
            slice_take(rest, 1);
        if (element->len > 0)
            return true;
    }
    *element = slice_of(NULL, 0);
    return false;
}

/* A quoted-string as it stands: both quotes, and between them nothing but its characters. */
static bool is_quoted(struct slice text)
{
    if (text.len < 2 || text.data[0] != '"' || text.data[text.len - 1] != '"' ||
        !chars_are(text, CHAR_VALUE))
        return false;
    size_t at = 1;
    while (at < text.len - 1 && text.data[at] != '"')
        at += text.data[at] == '\\' ? 2 : 1;
    return at == text.len - 1;
}

int parameter_next(struct slice *rest, struct slice *name, struct slice *value)
{
    struct slice parameter = slice_of(NULL, 0);

    while (parameter.len == 0) { /* an empty one is allowed */
        *rest = ows_trim(*rest);
        if (rest->len == 0)
            return 0;
        if (!slice_skip(rest, ";"))
            return -1;
        parameter = ows_trim(slice_take(rest, unquoted_until(*rest, ';')));
    }
    *name = slice_until(&parameter, '=');
    if (!slice_skip(&parameter, "="))
        return -1;
    *value = parameter;
    return token_is(*name) && (token_is(*value) || is_quoted(*value)) ? 1 : -1;
}

ssize_t unquote(struct slice value, char *text, size_t size)
{
    const bool quoted = value.len >= 2 && value.data[0] == '"';
    const size_t end = quoted ? value.len - 1 : value.len;
    size_t n = 0;

    for (size_t at = quoted ? 1 : 0; at < end; at++) {
        if (quoted && value.data[at] == '\\' && at + 1 < end)
            at++;
        if (n == size)
            return -1;
        text[n++] = (char)value.data[at];
    }
    return (ssize_t)n;
}
