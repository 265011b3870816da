/* Heads of answers. Called by every handler, and for every refusal; must never give out a head that
 * is cut, ends early, or leaves open where its body ends. */
#include "https-worker/response.h"

#include "https-worker/http_date.h"

/* RFC 9110, 15; RFC 6585 (429, 431); RFC 4918 (423, 507); tus 1.0.0 (460). */
static const struct {
    unsigned status;
    const char *reason;
} statuses[] = {
    {200, "OK"},
    {201, "Created"},
    {204, "No Content"},
    {206, "Partial Content"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {460, "Checksum Mismatch"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

#define SECURE                                                                                     \
    (RESPONSE_PAGE | RESPONSE_STATIC | RESPONSE_API | RESPONSE_DOWNLOAD | RESPONSE_PREVIEW)
#define ALL (SECURE | RESPONSE_CLEAR)

/* The fixed fields: by them no script runs but the page's own, nothing is framed, guessed at, kept
 * or told to others. */
static const struct {
    unsigned kinds;
    const char *name, *value;
} fixed[] = {
    {SECURE, "Strict-Transport-Security", "max-age=31536000"}, /* not in clear: RFC 6797, 7.2 */
    {RESPONSE_PAGE, "Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
     "media-src 'self'; frame-src 'self'; connect-src 'self'; form-action 'self'; "
     "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
     "trusted-types 'none'"},
    {RESPONSE_PREVIEW, "Content-Security-Policy",
     "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; "
     "frame-ancestors 'self'"},
    {ALL & ~(RESPONSE_PAGE | RESPONSE_PREVIEW), "Content-Security-Policy",
     "sandbox; default-src 'none'; frame-ancestors 'none'"},
    {ALL, "X-Content-Type-Options", "nosniff"},
    {SECURE, "Cross-Origin-Opener-Policy", "same-origin"},
    {SECURE, "Cross-Origin-Resource-Policy", "same-origin"},
    {ALL, "Referrer-Policy", "same-origin"},
    {RESPONSE_STATIC, "Cache-Control", "public, max-age=31536000, immutable"},
    {ALL & ~RESPONSE_STATIC, "Cache-Control", "no-store"},
};

const char *response_reason(unsigned status)
{
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        if (statuses[i].status == status)
            return statuses[i].reason;
    }
    return NULL;
}

static bool status_has_body(unsigned status)
{
    return status >= 200 && status != 204 && status != 304;
}

bool response_has_body(enum method method, unsigned status)
{
    return method != METHOD_HEAD && status_has_body(status);
}

void response_begin(struct response *r, const struct request *request, struct writer writer,
                    unsigned status, enum response_kind kind, int64_t now)
{
    const char *reason = response_reason(status);

    *r = (struct response){
        .writer = writer, .status = status, .minor = request->minor, .keep = request->keep};
    r->writer.bad = r->writer.bad || reason == NULL;
    writer_text(&r->writer, "HTTP/1.1 ");
    writer_number(&r->writer, status);
    writer_text(&r->writer, " ");
    writer_text(&r->writer, reason);
    writer_text(&r->writer, "\r\n");
    response_date(r, "Date", now);
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        if (fixed[i].kinds & kind)
            response_text(r, fixed[i].name, fixed[i].value);
    }
}

/* ---- fields --------------------------------------------------------------------------------- */
struct writer *response_open(struct response *r, const char *name)
{
    writer_text(&r->writer, name);
    writer_text(&r->writer, ": ");
    r->value_at = r->writer.len;
    return &r->writer;
}

void response_close(struct response *r)
{
    const struct slice value = slice_of(r->writer.text + r->value_at, r->writer.len - r->value_at);

    if (!chars_are(value, CHAR_VALUE) || ows_trim(value).len != value.len)
        r->writer.bad = true;
    writer_text(&r->writer, "\r\n");
}

void response_field(struct response *r, const char *name, struct slice value)
{
    writer_put(response_open(r, name), value);
    response_close(r);
}

void response_text(struct response *r, const char *name, const char *value)
{
    response_field(r, name, slice_text(value));
}

void response_number(struct response *r, const char *name, uint64_t value)
{
    writer_number(response_open(r, name), value);
    response_close(r);
}

void response_date(struct response *r, const char *name, int64_t seconds)
{
    char text[HTTP_DATE_LENGTH];

    http_date_write(seconds, text);
    response_field(r, name, slice_of(text, sizeof(text)));
}

/* ---- the body, and what comes after --------------------------------------------------------- */
static void frame(struct response *r)
{
    r->writer.bad = r->writer.bad || r->framed || !status_has_body(r->status);
    r->framed = true;
}

void response_length(struct response *r, uint64_t length)
{
    frame(r);
    response_number(r, "Content-Length", length);
}

void response_stream(struct response *r)
{
    frame(r);
    r->chunked = r->minor > 0;
    r->keep = r->keep && r->chunked;
    if (r->chunked)
        response_text(r, "Transfer-Encoding", "chunked");
}

ssize_t response_end(struct response *r)
{
    if (!r->keep)
        response_text(r, "Connection", "close");
    else if (r->minor == 0) /* RFC 9112, 9.3 and C.2.2 */
        response_text(r, "Connection", "keep-alive");
    r->writer.bad = r->writer.bad || r->framed != status_has_body(r->status);
    writer_text(&r->writer, "\r\n");
    return writer_done(&r->writer);
}

struct slice chunk_wrap(char *space, uint32_t n)
{
    static const char digits[] = "0123456789abcdef";
    char *begin = space + CHUNK_BEFORE - 2;
    char *const end = space + CHUNK_BEFORE + n;

    memcpy(begin, "\r\n", 2);
    for (uint32_t left = n; left > 0; left >>= 4)
        *--begin = digits[left & 15];
    memcpy(end, "\r\n", CHUNK_AFTER);
    return slice_of(begin, (size_t)(end - begin) + CHUNK_AFTER);
}
