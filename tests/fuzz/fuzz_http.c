/* Fuzzing of the HTTP core. The first byte chooses what is read, the second into what pieces it is
 * cut: a connection with requests and bodies one after another, a form, or the value of a field or
 * an address. What comes in pieces must be what comes whole; what is written and read again must be
 * what it was; nothing is read outside the bytes that came. */
#include "common/base64.h"
#include "common/utf8.h"
#include "https-worker/accept.h"
#include "https-worker/body.h"
#include "https-worker/conditions.h"
#include "https-worker/credentials.h"
#include "https-worker/digest_field.h"
#include "https-worker/http_date.h"
#include "https-worker/json_out.h"
#include "https-worker/media_type.h"
#include "https-worker/multipart.h"
#include "https-worker/range.h"
#include "https-worker/response.h"
#include "https-worker/target.h"
#include "https-worker/upload_metadata.h"
#include "tests/fuzz/fuzz.h"

#define NOW 1763740800

/* What happened, as one number: FNV-1a of all that was said. */
static uint64_t trace;

static void note(const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        trace = (trace ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001b3);
}

static void note_number(uint64_t number)
{
    note(&number, sizeof(number));
}

static void note_slice(struct slice s)
{
    note_number(s.len);
    note(s.data, s.len);
}

static bool within(struct slice inner, struct slice outer)
{
    return inner.len == 0 || (inner.data >= outer.data && inner.len <= outer.len &&
                              inner.data - outer.data <= (ptrdiff_t)(outer.len - inner.len));
}

static void look_at_refusal(const struct refusal *refusal)
{
    must(response_reason(refusal->status) != NULL && refusal->status >= 400);
    must(refusal->why[strlen(refusal->why) - 1] == '.');
    note_number(refusal->status);
    note_slice(slice_text(refusal->why));
}

/* ---- values --------------------------------------------------------------------------------- */
static void look_at_ranges(struct slice value, uint64_t size)
{
    struct ranges ranges;
    const struct byteranges b = {
        .ranges = &ranges, .size = size, .type = "text/plain", .boundary = "x"};
    uint64_t content = 0;
    const enum range_result result = range_parse(value, size, &ranges);

    note_number(result);
    if (result != RANGE_PARTS)
        return;
    must(ranges.count > 0 && ranges.count <= RANGES_MAX);
    for (size_t i = 0; i < ranges.count; i++) {
        const struct range *a = &ranges.list[i];
        must(a->first <= a->last && a->last < size);
        content += range_length(a);
        for (size_t k = 0; k < i; k++) {
            const struct range *other = &ranges.list[k];
            must(a->first > other->last
                     ? a->first - other->last > RANGE_GAP
                     : other->first > a->last && other->first - a->last > RANGE_GAP);
        }
    }
    must(content <= size);
    must(byteranges_length(&b) > content);
    must(byteranges_length(&b) - content <= (ranges.count + 1) * RANGE_GAP);
}

static void look_at_credentials(struct slice value)
{
    struct basic basic;
    struct slice cookie;

    if (basic_parse(value, &basic) == CREDENTIALS_FOUND) {
        must(memchr(basic_user(&basic).data, ':', basic_user(&basic).len) == NULL);
        must(basic_user(&basic).len + 1 + basic_password(&basic).len == basic.both.len);
        note_slice(secret_slice(&basic.both));
    }
    basic_clear(&basic);
    if (cookie_find(value, "s", &cookie) == CREDENTIALS_FOUND)
        must(within(cookie, value) && chars_are(cookie, CHAR_COOKIE));
    note_slice(cookie);
}

static void look_at_digests(const struct fields *fields)
{
    struct digest_value digest;
    struct refusal refusal;
    char text[128];

    if (repr_digest_parse(fields, &digest, &refusal) < 0)
        look_at_refusal(&refusal);
    else if (digest.kind != DIGEST_NONE) {
        struct writer w = writer_of(text, sizeof(text));
        repr_digest_write(&w, digest.kind, digest.bytes);
        must(writer_done(&w) > 0);
        note(text, w.len);
    }
    note_number(repr_digest_wanted(fields));
    if (upload_checksum_parse(fields_get(fields, FIELD_UPLOAD_CHECKSUM), &digest, &refusal) == 0)
        note(digest.bytes, digest_field_bytes(digest.kind));
}

static void look_at_fields(const struct request *r)
{
    const struct representation file = {
        .exists = true, .etag = slice_text("\"x\""), .dated = true, .modified = NOW - 5};
    const struct representation missing = {0};
    uint8_t bytes[64];
    size_t len = 0;

    must(r->fields.kept <= r->fields.count && r->fields.count <= FIELDS_MAX);
    for (size_t i = 0; i < r->fields.kept; i++) {
        must(chars_are(r->fields.lines[i].value, CHAR_VALUE));
        note_number(r->fields.lines[i].field);
        note_slice(r->fields.lines[i].value);
    }
    const enum condition verdict = conditions_judge(r, &file, NOW);
    must(verdict != CONDITION_GO_ON_RANGE || r->method == METHOD_GET);
    must(verdict != CONDITION_NOT_MODIFIED || r->method == METHOD_GET || r->method == METHOD_HEAD);
    must(conditions_judge(r, &missing, NOW) != CONDITION_NOT_MODIFIED);
    note_number(verdict);
    note_number(accept_gzip(&r->fields) * 2 + accept_html(&r->fields));
    look_at_ranges(fields_get(&r->fields, FIELD_RANGE), 5000);
    look_at_credentials(fields_get(&r->fields, FIELD_AUTHORIZATION));
    look_at_credentials(fields_get(&r->fields, FIELD_COOKIE));
    look_at_digests(&r->fields);
    note_number(upload_metadata_get(&r->fields, "path", bytes, sizeof(bytes), &len));
    note(bytes, len);
}

/* A path that is decoded holds no name that leads elsewhere, and its address is decoded to it. */
static void look_at_path(struct slice encoded)
{
    static struct target_path path, again;
    static char text[3 * TARGET_PATH_MAX];
    struct writer w = writer_of(text, sizeof(text));
    struct refusal refusal;

    if (target_decode(encoded, &path, &refusal) < 0) {
        look_at_refusal(&refusal);
        return;
    }
    must(path.len > 0 && path.len <= TARGET_PATH_MAX && path.text[0] == '/');
    must(path.text[path.len] == '\0' && strlen(path.text) == path.len);
    must(path.len == 1 || path.text[path.len - 1] != '/');
    must(strstr(path.text, "//") == NULL && strstr(path.text, "/../") == NULL);
    note_slice(slice_of(path.text, path.len));
    writer_path(&w, slice_of(path.text, path.len));
    must(writer_done(&w) > 0 && chars_are(slice_of(text, w.len), CHAR_TARGET));
    must(target_decode(slice_of(text, w.len), &again, &refusal) == 0);
    must(again.len == path.len && memcmp(again.text, path.text, path.len) == 0);
}

static void look_at_form(struct slice form)
{
    static char text[20000];
    struct slice rest = form, value;
    struct form_pair pair;

    while (form_next(&rest, &pair)) {
        must(within(pair.name, form) && within(pair.value, form));
        const ssize_t n = form_decode(pair.value, text, sizeof(text));
        must(n <= (ssize_t)pair.value.len);
        note_number((uint64_t)n);
        note(text, n > 0 ? (size_t)n : 0);
    }
    note_number(form_get(form, "path", text, sizeof(text), &value));
    note_slice(value);
}

/* ---- a connection --------------------------------------------------------------------------- */
static void look_at_request(const struct request *r, struct slice bytes)
{
    must(r->refusal.status == 0 && r->bytes <= bytes.len && r->bytes <= REQUEST_HEAD_MAX);
    must(memcmp(bytes.data + r->bytes - 4, "\r\n\r\n", 4) == 0);
    must(r->method < METHOD_COUNT && r->minor <= 1);
    must(r->path.len > 0 && (r->path.data[0] == '/' || slice_is(r->path, "*")));
    must(chars_are(r->path, CHAR_TARGET) && chars_are(r->query, CHAR_TARGET));
    must(within(r->host, bytes) && (r->host.len > 0 || r->minor == 0));
    must(r->framing != FRAMING_CHUNKED || r->minor == 1);
    must((r->framing == FRAMING_LENGTH) == (r->length > 0));
    note_number(r->method * 64u + r->minor * 32u + r->framing * 8u + r->keep * 2u + r->expects_100);
    note_number(r->length);
    note_number(r->port);
    note_slice(r->path);
    note_slice(r->query);
    note_slice(r->host);
    look_at_fields(r);
    look_at_path(r->path);
    look_at_form(r->query);
}

/* How far a connection was read. `there` bytes have come. */
struct reader {
    struct request request;
    struct body body;
    bool in_body, ended;
    size_t at; /* where the request, or what is left of its body, begins */
};

static void end_connection(struct reader *c, const struct refusal *refusal)
{
    c->ended = true;
    if (refusal != NULL)
        look_at_refusal(refusal);
}

static void read_body(struct reader *c, struct slice bytes)
{
    struct slice rest = slice_of(bytes.data + c->at, bytes.len - c->at), piece;
    enum body_result result;

    while ((result = body_next(&c->body, &rest, &piece)) == BODY_PIECE) {
        must(piece.len > 0 && within(piece, bytes));
        note(piece.data, piece.len);
    }
    c->at = bytes.len - rest.len;
    must(c->body.total <= c->body.most);
    if (result == BODY_REFUSED)
        end_connection(c, &c->body.refusal);
    if (result != BODY_END)
        return;
    note_number(c->body.total);
    must(c->request.framing != FRAMING_LENGTH || c->body.total == c->request.length);
    look_at_digests(&c->body.trailers);
    c->in_body = false;
    c->ended = !c->request.keep;
    request_begin(&c->request, "https");
}

static void read_request(struct reader *c, struct slice bytes)
{
    const struct slice rest = slice_of(bytes.data + c->at, bytes.len - c->at);
    const enum request_result result = request_parse(&c->request, rest);

    if (result == REQUEST_REFUSED)
        end_connection(c, &c->request.refusal);
    if (result != REQUEST_WHOLE)
        return;
    look_at_request(&c->request, rest);
    c->at += c->request.bytes;
    body_begin(&c->body, &c->request, 4000);
    c->in_body = true;
}

/* All that can be done with the bytes that are there. */
static void go_on(struct reader *c, struct slice bytes)
{
    size_t at;
    bool in_body;

    do {
        at = c->at;
        in_body = c->in_body;
        if (in_body)
            read_body(c, bytes);
        else
            read_request(c, bytes);
    } while (!c->ended && (c->at != at || c->in_body != in_body));
}

static uint64_t read_connection(struct slice bytes, size_t piece)
{
    static struct reader c;

    trace = UINT64_C(0xcbf29ce484222325);
    c.in_body = c.ended = false;
    c.at = 0;
    request_begin(&c.request, "https");
    for (size_t there = 0; there < bytes.len && !c.ended;) {
        there = bytes.len - there < piece ? bytes.len : there + piece;
        go_on(&c, slice_of(bytes.data, there));
    }
    return trace;
}

/* ---- forms ---------------------------------------------------------------------------------- */
/* The file's bytes, and all else, as a trace. */
static uint8_t file[40000];
static size_t file_len;

static uint64_t read_form(struct slice type, struct slice bytes, size_t size)
{
    static struct multipart m;
    struct slice piece;

    trace = UINT64_C(0xcbf29ce484222325);
    file_len = 0;
    if (multipart_begin(&m, type) < 0) {
        look_at_refusal(&m.refusal);
        return trace;
    }
    while (bytes.len > 0 && m.refusal.status == 0) {
        struct slice part = take(&bytes, size);
        enum multipart_result result;
        while ((result = multipart_next(&m, &part, &piece)) != MULTIPART_MORE &&
               result != MULTIPART_REFUSED) {
            if (result == MULTIPART_PIECE) {
                must(piece.len > 0 && piece.len <= sizeof(file) - file_len);
                memcpy(file + file_len, piece.data, piece.len);
                file_len += piece.len;
                continue;
            }
            must(m.part.is_file == (result != MULTIPART_FIELD));
            note_number(result);
            note(m.part.name, m.part.len);
            note(m.part.filename, m.part.file_len);
            note(m.value, result == MULTIPART_FIELD ? m.value_len : 0);
        }
    }
    if (multipart_end(&m) < 0)
        look_at_refusal(&m.refusal);
    note(file, file_len);
    return trace;
}

/* Any bytes without the delimiter in them, as a file of a form, come out as they went in. */
static void wrap_form(struct slice content, size_t piece)
{
    static const char before[] =
        "--b\r\nContent-Disposition: form-data; name=f; filename=a\r\n\r\n";
    static const char after[] = "\r\n--b--\r\n";
    const size_t begin = sizeof(before) - 1, len = begin + content.len + sizeof(after) - 1;
    static char form[30000];

    if (content.len > 20000 || memmem(content.data, content.len, "\r\n--b", 5) != NULL)
        return;
    memcpy(form, before, begin);
    if (content.len > 0)
        memcpy(form + begin, content.data, content.len);
    memcpy(form + begin + content.len, after, sizeof(after) - 1);
    read_form(slice_text("multipart/form-data; boundary=b"), slice_of(form, len), piece);
    must(file_len == content.len && (file_len == 0 || !memcmp(file, content.data, file_len)));
}

/* ---- there and back ------------------------------------------------------------------------- */
static char text[160000];

static void bounce_date(struct slice bytes)
{
    char date[HTTP_DATE_LENGTH];
    int64_t seconds, again = -1;

    if (!http_date_parse(bytes, NOW, &seconds))
        return;
    http_date_write(seconds, date);
    must(http_date_parse(slice_of(date, sizeof(date)), NOW, &again) && again == seconds);
}

static void bounce_base64(struct slice bytes)
{
    static uint8_t decoded[20000];
    const ssize_t n = base64_decode(bytes, decoded, sizeof(decoded));
    struct writer w = writer_of(text, sizeof(text));

    if (n >= 0) { /* no other text stands for these bytes */
        writer_base64(&w, slice_of(decoded, (size_t)n));
        must(slice_equal(slice_of(text, w.len), bytes));
    }
    w = writer_of(text, sizeof(text));
    writer_base64(&w, bytes);
    must(writer_done(&w) >= 0);
    must(base64_decode(slice_of(text, w.len), decoded, sizeof(decoded)) == (ssize_t)bytes.len);
    must(bytes.len == 0 || memcmp(decoded, bytes.data, bytes.len) == 0);
}

/* Percent-encoded by the writer, read as a form's value. */
static void bounce_percent(struct slice bytes)
{
    static char decoded[20000];
    struct writer w = writer_of(text, sizeof(text));

    writer_percent(&w, bytes, CHAR_UNRESERVED);
    must(writer_done(&w) >= 0 && chars_are(slice_of(text, w.len), CHAR_TARGET));
    const ssize_t n = form_decode(slice_of(text, w.len), decoded, sizeof(decoded));
    if (bytes.len > 0 && memchr(bytes.data, 0, bytes.len) != NULL)
        must(n == -1);
    else
        must(n == (ssize_t)bytes.len && (n == 0 || !memcmp(decoded, bytes.data, bytes.len)));
}

/* One character of a string of JSON: as it stands, or escaped; -1 at its quote. */
static int32_t json_character(struct slice *in)
{
    static const char named[] = "\"\"\\\\b\bf\fn\nr\rt\t";
    uint32_t code, digits = 0;

    must(in->len > 0);
    const struct slice c = utf8_take(in, &code);
    must(code != UTF8_NONE && code >= 0x20 && code != 0x2028 && code != 0x2029);
    if (code != '\\')
        return c.data[0] == '"' ? -1 : (int32_t)code;
    must(in->len >= 2);
    const uint8_t what = slice_take(in, 1).data[0];
    for (size_t i = 0; i + 1 < sizeof(named); i += 2) {
        if (named[i] == (char)what)
            return named[i + 1];
    }
    must(what == 'u' && in->len >= 4);
    for (size_t i = 0; i < 4; i++) {
        const int digit = hex_value(slice_take(in, 1).data[0]);
        must(digit >= 0);
        digits = digits << 4 | (uint32_t)digit;
    }
    return (int32_t)digits;
}

static void bounce_json(struct slice bytes)
{
    struct writer w = writer_of(text, sizeof(text));
    struct json_out j = json_out_of(&w);

    json_text(&j, bytes);
    must(writer_done(&w) >= 2 && text[0] == '"');
    struct slice written = slice_of(text + 1, w.len - 1);
    while (bytes.len > 0) {
        uint32_t code;
        utf8_take(&bytes, &code);
        must(json_character(&written) == (int32_t)(code == UTF8_NONE ? 0xfffd : code));
    }
    must(json_character(&written) == -1 && written.len == 0);
}

/* A value within an answer: the head is whole and has one more line, or is refused. */
static void bounce_response(struct slice bytes)
{
    static const struct request request = {.minor = 1, .keep = true};
    struct response r;
    struct slice head;
    size_t lines = 0;

    response_begin(&r, &request, writer_of(text, sizeof(text)), 200, RESPONSE_API, NOW);
    disposition_write(response_open(&r, "Content-Disposition"), "attachment", bytes);
    response_close(&r);
    must(!r.writer.bad);
    response_field(&r, "X", bytes);
    response_length(&r, bytes.len);
    const ssize_t n = response_end(&r);
    must((n > 0) == (chars_are(bytes, CHAR_VALUE) && ows_trim(bytes).len == bytes.len));
    if (n < 0)
        return;
    for (head = slice_of(text, (size_t)n); head.len > 0; lines++) {
        const uint8_t *end = memmem(head.data, head.len, "\r\n", 2);
        must(end != NULL && chars_are(slice_of(head.data, (size_t)(end - head.data)), CHAR_VALUE));
        slice_take(&head, (size_t)(end - head.data) + 2);
    }
    must(lines == 13);
}

static void bounce_chunk(struct slice bytes, size_t piece)
{
    static const struct request request = {.minor = 1, .framing = FRAMING_CHUNKED};
    static struct body body;
    struct slice content, sent, part = {0};
    size_t seen = 0;

    if (bytes.len == 0)
        return;
    memcpy(text + CHUNK_BEFORE, bytes.data, bytes.len);
    sent = chunk_wrap(text, (uint32_t)bytes.len);
    must(sent.len + 5 <= sizeof(text));
    memcpy((char *)sent.data + sent.len, CHUNK_LAST, 5);
    sent.len += 5;
    body_begin(&body, &request, bytes.len);
    for (enum body_result result = BODY_MORE; result != BODY_END;) {
        if (part.len == 0)
            part = take(&sent, piece);
        result = body_next(&body, &part, &content);
        must(result != BODY_REFUSED);
        must(content.len == 0 || memcmp(content.data, bytes.data + seen, content.len) == 0);
        seen += content.len;
    }
    must(seen == bytes.len && sent.len == 0);
}

static void look_at_value(struct slice bytes)
{
    struct disposition d;
    struct refusal refusal = {0};
    struct slice host;
    uint16_t port;
    uint64_t number;

    bounce_date(bytes);
    bounce_base64(bytes);
    bounce_percent(bytes);
    bounce_json(bytes);
    bounce_response(bytes);
    look_at_ranges(bytes, 5000);
    look_at_ranges(bytes, 0);
    look_at_ranges(bytes, INT64_MAX);
    look_at_credentials(bytes);
    look_at_path(bytes);
    look_at_form(bytes);
    must(media_type_of(bytes)->type != NULL);
    if (host_parse(bytes, &host, &port))
        must(host.len > 0 && within(host, bytes));
    if (number_of(bytes, &number))
        must(bytes.len > 0);
    if (disposition_parse(bytes, &d, &refusal) == 0)
        must(d.len > 0 && memchr(d.filename, '/', d.file_len) == NULL);
    else
        look_at_refusal(&refusal);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of(data, size);
    const uint8_t what = take_u8(&input) % 4;
    const uint8_t cut = take_u8(&input);
    const size_t piece = cut > 0 ? cut : 1;
    struct slice type = slice_text("multipart/form-data; boundary=b");

    if (what == 2) /* a form whose type the input says */
        type = take(&input, take_u8(&input));
    uint8_t *copy = exact_copy(input);
    const struct slice bytes = slice_of(copy, input.len);
    if (what == 0) {
        must(read_connection(bytes, SIZE_MAX) == read_connection(bytes, piece));
    } else if (what == 3) {
        look_at_value(bytes);
        bounce_chunk(bytes, piece);
        wrap_form(bytes, piece);
    } else {
        must(read_form(type, bytes, SIZE_MAX) == read_form(type, bytes, piece));
    }
    free(copy);
    return 0;
}
