/* Bodies in pieces. Called by the connection and by handlers that take content; must never use a
 * byte behind the body, nor wait for one that need not come. */
#include "https-worker/body.h"

void body_begin(struct body *b, const struct request *r, uint64_t most)
{
    static const enum body_stage first[] = {
        [FRAMING_NONE] = BODY_DONE, [FRAMING_LENGTH] = BODY_CONTENT, [FRAMING_CHUNKED] = BODY_SIZE};

    b->most = most;
    b->total = b->left = 0;
    b->stage = first[r->framing];
    b->digits = b->extension = b->extensions = b->line_at = b->len = 0;
    b->refusal = (struct refusal){0};
    b->trailers.count = b->trailers.kept = 0;
    b->trailers.trailers = true;
    if (r->framing == FRAMING_LENGTH) {
        b->left = r->length;
        if (b->left > most)
            refuse(&b->refusal, 413, "The content is too large.");
    }
}

bool body_wants_100(const struct request *r, size_t there)
{
    return r->expects_100 && r->framing != FRAMING_NONE && there == 0;
}

/* ---- chunks, a byte at a time (RFC 9112, 7.1) ------------------------------------------------ */
static int take_extension(struct body *b)
{
    return ++b->extension > CHUNK_EXTENSION_MAX || ++b->extensions > CHUNK_EXTENSIONS_MAX
               ? refuse(&b->refusal, 400, "The body has too many chunk extensions.")
               : 0;
}

/* What may follow the digits: CR, an extension, or blanks before one (RFC 9112, 7.1.1). */
static int end_size(struct body *b, uint8_t c)
{
    if (b->digits > 0 && c == '\r') {
        b->stage = BODY_SIZE_LF;
        return 0;
    }
    if (b->digits == 0 || (c != ';' && c != ' ' && c != '\t'))
        return refuse(&b->refusal, 400, "The size of a chunk is not a hexadecimal number.");
    b->stage = c == ';' ? BODY_EXTENSION : BODY_BLANKS;
    return take_extension(b);
}

static int take_size(struct body *b, uint8_t c)
{
    const int value = hex_value(c);

    if (value < 0)
        return end_size(b, c);
    if (++b->digits > CHUNK_DIGITS_MAX)
        return refuse(&b->refusal, 400, "The size of a chunk has too many digits.");
    b->left = b->left << 4 | (uint64_t)value;
    return 0;
}

static int begin_data(struct body *b)
{
    b->digits = b->extension = 0;
    b->stage = b->left > 0 ? BODY_DATA : BODY_TRAILERS;
    return b->left > b->most - b->total ? refuse(&b->refusal, 413, "The content is too large.") : 0;
}

/* Trailer fields are collected, a line taken at its end: the empty one ends the body. */
static int take_trailer(struct body *b, uint8_t c)
{
    if (b->len == TRAILERS_MAX)
        return refuse(&b->refusal, 431, "The trailer section is too long.");
    b->text[b->len++] = c;
    if (c != '\n')
        return 0;
    const struct slice line = slice_of(b->text + b->line_at, b->len - b->line_at);
    b->line_at = b->len;
    if (line.len < 2 || line.data[line.len - 2] != '\r')
        return refuse(&b->refusal, 400, "A line of the trailer section does not end with CR LF.");
    if (line.len > 2)
        return fields_add(&b->trailers, slice_of(line.data, line.len - 2), &b->refusal);
    b->stage = BODY_DONE;
    return 0;
}

static int expect(struct body *b, uint8_t c, uint8_t expected, enum body_stage next)
{
    if (c != expected)
        return refuse(&b->refusal, 400, "A chunk does not end where its size says, with CR LF.");
    b->stage = next;
    return 0;
}

static int take_byte(struct body *b, uint8_t c)
{
    switch (b->stage) {
    case BODY_SIZE:
        return take_size(b, c);
    case BODY_BLANKS:
        if (c != ';' && c != ' ' && c != '\t')
            return refuse(&b->refusal, 400, "The size of a chunk is not a hexadecimal number.");
        b->stage = c == ';' ? BODY_EXTENSION : BODY_BLANKS;
        return take_extension(b);
    case BODY_EXTENSION:
        if (c == '\r')
            return expect(b, c, '\r', BODY_SIZE_LF);
        return char_is(c, CHAR_VALUE)
                   ? take_extension(b)
                   : refuse(&b->refusal, 400, "A chunk extension holds a control character.");
    case BODY_SIZE_LF:
        return expect(b, c, '\n', BODY_DATA) < 0 ? -1 : begin_data(b);
    case BODY_DATA_CR:
        return expect(b, c, '\r', BODY_DATA_LF);
    case BODY_DATA_LF:
        return expect(b, c, '\n', BODY_SIZE);
    default:
        return take_trailer(b, c);
    }
}

/* ---- pieces --------------------------------------------------------------------------------- */
static enum body_result take_piece(struct body *b, struct slice *bytes, struct slice *piece)
{
    *piece = slice_take(bytes, bytes->len < b->left ? bytes->len : (size_t)b->left);
    b->left -= piece->len;
    b->total += piece->len;
    if (b->left == 0)
        b->stage = b->stage == BODY_DATA ? BODY_DATA_CR : BODY_DONE;
    return BODY_PIECE;
}

enum body_result body_next(struct body *b, struct slice *bytes, struct slice *piece)
{
    *piece = slice_of(NULL, 0);
    if (b->refusal.status != 0)
        return BODY_REFUSED;
    while (b->stage != BODY_DONE) {
        if (bytes->len == 0)
            return BODY_MORE;
        if (b->stage == BODY_CONTENT || b->stage == BODY_DATA)
            return take_piece(b, bytes, piece);
        if (take_byte(b, slice_take(bytes, 1).data[0]) < 0)
            return BODY_REFUSED;
    }
    return BODY_END;
}
