/* Forms in pieces. Called by the upload without scripts; must never keep a file's bytes, lose one
 * of them, or take a part's end for anything but the whole delimiter.
 *
 * The delimiter begins with CR, and no other CR is in it: where a match breaks off, no other can
 * have begun in what was matched. What was held back is then the delimiter's own beginning. */
#include "https-worker/multipart.h"

int multipart_begin(struct multipart *m, struct slice content_type)
{
    struct slice name, value, boundary = {0};
    char text[MULTIPART_BOUNDARY_MAX];
    int more;

    m->refusal = (struct refusal){0};
    m->stage = MULTIPART_BEGIN;
    m->field_count = 0;
    m->file_came = false;
    if (!slice_same(ows_trim(slice_until(&content_type, ';')), slice_text("multipart/form-data")))
        return refuse(&m->refusal, 415, "A form with a file is sent as multipart/form-data.");
    while ((more = parameter_next(&content_type, &name, &value)) == 1) {
        if (!slice_same(name, slice_text("boundary")))
            continue;
        if (boundary.len > 0)
            return refuse(&m->refusal, 400, "The form has two boundaries.");
        boundary = value;
    }
    const ssize_t len = unquote(boundary, text, sizeof(text));
    if (more < 0 || len <= 0 || !chars_are(slice_of(text, (size_t)len), CHAR_BOUNDARY))
        return refuse(&m->refusal, 400, "The form's boundary is none.");
    memcpy(m->delimiter, "\r\n--", 4);
    memcpy(m->delimiter + 4, text, (size_t)len);
    m->delimiter_len = 4 + (size_t)len;
    return 0;
}

int multipart_end(struct multipart *m)
{
    if (m->refusal.status != 0)
        return -1;
    return m->stage == MULTIPART_CLOSED || m->stage == MULTIPART_DONE
               ? 0
               : refuse(&m->refusal, 400, "The form breaks off.");
}

/* ---- parts' heads --------------------------------------------------------------------------- */

/* RFC 7578, 4.7: not to be used; where it says that the bytes are the bytes, it does no harm. */
static bool is_plain(struct slice encoding)
{
    return encoding.len == 0 || slice_same(encoding, slice_text("binary")) ||
           slice_same(encoding, slice_text("8bit")) || slice_same(encoding, slice_text("7bit"));
}

/* The head is whole: what comes? */
static enum multipart_result begin_part(struct multipart *m)
{
    m->stage = MULTIPART_DATA;
    m->matched = m->value_len = 0;
    if (!is_plain(fields_get(&m->fields, FIELD_CONTENT_TRANSFER_ENCODING)))
        refuse(&m->refusal, 400, "The parts of a form are sent as they are.");
    else if (disposition_parse(fields_get(&m->fields, FIELD_CONTENT_DISPOSITION), &m->part,
                               &m->refusal) == 0) {
        if (!m->part.is_file && ++m->field_count > MULTIPART_FIELDS_MAX)
            refuse(&m->refusal, 400, "The form has too many fields.");
        if (m->part.is_file && m->file_came)
            refuse(&m->refusal, 400, "The form has more than one file.");
        m->file_came = m->file_came || m->part.is_file;
    }
    if (m->refusal.status != 0)
        return MULTIPART_REFUSED;
    return m->part.is_file ? MULTIPART_FILE : MULTIPART_MORE;
}

static enum multipart_result take_head(struct multipart *m, uint8_t c)
{
    if (m->head_len == MULTIPART_HEAD_MAX) {
        refuse(&m->refusal, 400, "The head of a part of the form is too long.");
        return MULTIPART_REFUSED;
    }
    m->head[m->head_len++] = c;
    if (c != '\n')
        return MULTIPART_MORE;
    const struct slice line = slice_of(m->head + m->line_at, m->head_len - m->line_at);
    m->line_at = m->head_len;
    if (line.len < 2 || line.data[line.len - 2] != '\r') {
        refuse(&m->refusal, 400, "A line of the form does not end with CR LF.");
        return MULTIPART_REFUSED;
    }
    if (line.len == 2)
        return begin_part(m);
    return fields_add(&m->fields, slice_of(line.data, line.len - 2), &m->refusal) < 0
               ? MULTIPART_REFUSED
               : MULTIPART_MORE;
}

/* ---- delimiters ----------------------------------------------------------------------------- */

/* What may follow a delimiter, and what that leads to (RFC 2046, 5.1.1). */
static const struct {
    enum multipart_stage stage;
    char byte;
    enum multipart_stage next;
} steps[] = {
    {MULTIPART_AFTER, '-', MULTIPART_AFTER_DASH},
    {MULTIPART_AFTER, ' ', MULTIPART_AFTER_BLANK},
    {MULTIPART_AFTER, '\t', MULTIPART_AFTER_BLANK},
    {MULTIPART_AFTER, '\r', MULTIPART_AFTER_CR},
    {MULTIPART_AFTER_BLANK, ' ', MULTIPART_AFTER_BLANK},
    {MULTIPART_AFTER_BLANK, '\t', MULTIPART_AFTER_BLANK},
    {MULTIPART_AFTER_BLANK, '\r', MULTIPART_AFTER_CR},
    {MULTIPART_AFTER_CR, '\n', MULTIPART_HEAD},
    {MULTIPART_AFTER_DASH, '-', MULTIPART_CLOSED},
    {MULTIPART_CLOSED, '\r', MULTIPART_CLOSED_CR},
    {MULTIPART_CLOSED_CR, '\n', MULTIPART_DONE},
};

static enum multipart_result take_step(struct multipart *m, uint8_t c)
{
    size_t i = 0;

    while (i < sizeof(steps) / sizeof(steps[0]) &&
           (steps[i].stage != m->stage || steps[i].byte != (char)c))
        i++;
    if (i == sizeof(steps) / sizeof(steps[0])) {
        refuse(&m->refusal, 400,
               m->stage < MULTIPART_CLOSED ? "A boundary of the form stands where none may stand."
                                           : "Something stands behind the form's end.");
        return MULTIPART_REFUSED;
    }
    m->stage = steps[i].next;
    m->line_at = m->head_len = 0;
    m->fields.count = m->fields.kept = 0;
    m->fields.trailers = false;
    return MULTIPART_MORE;
}

/* The first delimiter, with the CRLF before it or without (RFC 2046, 5.1.1: no preamble here). */
static enum multipart_result take_first(struct multipart *m, uint8_t c)
{
    if (m->stage == MULTIPART_BEGIN)
        m->matched = c == '\r' ? 0 : 2;
    m->stage = MULTIPART_FIRST;
    if (c != (uint8_t)m->delimiter[m->matched]) {
        refuse(&m->refusal, 400, "The form does not begin with its boundary.");
        return MULTIPART_REFUSED;
    }
    if (++m->matched == m->delimiter_len)
        m->stage = MULTIPART_AFTER;
    return MULTIPART_MORE;
}

/* ---- data ----------------------------------------------------------------------------------- */

/* How many bytes of a text go on with the delimiter, of which some were matched before it. */
static size_t match(const struct multipart *m, const uint8_t *text, size_t len, size_t matched)
{
    size_t n = 0;

    while (n < len && matched + n < m->delimiter_len &&
           text[n] == (uint8_t)m->delimiter[matched + n])
        n++;
    return n;
}

/* Bytes before what is, or may become, the delimiter. */
static size_t plain_bytes(const struct multipart *m, struct slice bytes)
{
    size_t at = 0;

    while (at < bytes.len) {
        const uint8_t *cr = memchr(bytes.data + at, '\r', bytes.len - at);
        if (cr == NULL)
            return bytes.len;
        at = (size_t)(cr - bytes.data);
        const size_t n = match(m, cr, bytes.len - at, 0);
        if (n == m->delimiter_len || at + n == bytes.len)
            return at;
        at += n;
    }
    return at;
}

/* Take data off: what is some (maybe held back before), or a delimiter's beginning, with none. */
static struct slice take_data(struct multipart *m, struct slice *bytes)
{
    if (m->matched == 0) {
        const struct slice data = slice_take(bytes, plain_bytes(m, *bytes));
        if (data.len > 0)
            return data;
    }
    const size_t n = match(m, bytes->data, bytes->len, m->matched);
    if (n < bytes->len && m->matched + n < m->delimiter_len) {
        const struct slice held = slice_of(m->delimiter, m->matched);
        m->matched = 0;
        return held;
    }
    m->matched += n;
    slice_take(bytes, n);
    return slice_of(NULL, 0);
}

static enum multipart_result go_on_with_data(struct multipart *m, struct slice *bytes,
                                             struct slice *piece)
{
    const struct slice data = take_data(m, bytes);

    if (m->matched == m->delimiter_len) {
        m->stage = MULTIPART_AFTER;
        return m->part.is_file ? MULTIPART_FILE_END : MULTIPART_FIELD;
    }
    if (data.len == 0)
        return MULTIPART_MORE;
    if (m->part.is_file) {
        *piece = data;
        return MULTIPART_PIECE;
    }
    if (data.len > MULTIPART_VALUE_MAX - m->value_len) {
        refuse(&m->refusal, 413, "A field of the form is too long.");
        return MULTIPART_REFUSED;
    }
    memcpy(m->value + m->value_len, data.data, data.len);
    m->value_len += data.len;
    return MULTIPART_MORE;
}

enum multipart_result multipart_next(struct multipart *m, struct slice *bytes, struct slice *piece)
{
    enum multipart_result result = MULTIPART_MORE;

    *piece = slice_of(NULL, 0);
    if (m->refusal.status != 0)
        return MULTIPART_REFUSED;
    while (bytes->len > 0 && result == MULTIPART_MORE) {
        switch (m->stage) {
        case MULTIPART_DATA:
            result = go_on_with_data(m, bytes, piece);
            break;
        case MULTIPART_BEGIN:
        case MULTIPART_FIRST:
            result = take_first(m, slice_take(bytes, 1).data[0]);
            break;
        case MULTIPART_HEAD:
            result = take_head(m, slice_take(bytes, 1).data[0]);
            break;
        default:
            result = take_step(m, slice_take(bytes, 1).data[0]);
        }
    }
    return result;
}
