/* Requests' heads, a line at a time: nothing is looked at before its line has ended, so pieces make
 * no difference. Called by the connection with what it has received; must never guess where a body
 * ends. */
#include "https-worker/request.h"

#include <arpa/inet.h>

static const char *const methods[] = {
#define METHOD_NAME(name) #name,
    METHODS(METHOD_NAME)};

const char *method_name(enum method method)
{
    return methods[method];
}

void request_begin(struct request *r, const char *scheme)
{
    *r = (struct request){.scheme = scheme};
}

/* ---- the request line (RFC 9112, 3) --------------------------------------------------------- */

/* Characters of an address, and each '%' with its two digits (RFC 3986, 2.1). */
static bool is_target(struct slice text)
{
    if (!chars_are(text, CHAR_TARGET))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '%' && (text.len - i < 3 || hex_value(text.data[i + 1]) < 0 ||
                                    hex_value(text.data[i + 2]) < 0))
            return false;
    }
    return true;
}

static int take_version(struct request *r, struct slice text)
{
    if (text.len != 8 || !slice_skip(&text, "HTTP/") || text.data[0] < '0' || text.data[0] > '9' ||
        text.data[1] != '.' || text.data[2] < '0' || text.data[2] > '9')
        return refuse(&r->refusal, 400, "The request line does not end with a version of HTTP.");
    if (text.data[0] != '1' || text.data[2] > '1')
        return refuse(&r->refusal, 505, "HTTP/1.1 and HTTP/1.0 are spoken here.");
    r->minor = text.data[2] - '0';
    return 0;
}

/* line: without its CRLF; of one that is too long, the beginning. */
static int take_request_line(struct request *r, struct slice line)
{
    const struct slice method = slice_until(&line, ' ');
    enum method found = 0;

    if (!token_is(method))
        return refuse(&r->refusal, 400, "The request does not begin with a method.");
    if (method.len > REQUEST_METHOD_MAX)
        return refuse(&r->refusal, 501, "This method is not known here.");
    slice_skip(&line, " ");
    r->target = slice_until(&line, ' ');
    if (r->target.len > REQUEST_TARGET_MAX)
        return refuse(&r->refusal, 414, "The address is too long.");
    if (r->target.len == 0 || !is_target(r->target))
        return refuse(&r->refusal, 400,
                      "The address holds what no address may hold; such bytes are sent as %XX.");
    slice_skip(&line, " ");
    if (take_version(r, line) < 0)
        return -1;
    while (found < METHOD_COUNT && !slice_is(method, methods[found]))
        found++;
    if (found == METHOD_COUNT)
        return refuse(&r->refusal, 501, "This method is not known here.");
    r->method = found;
    r->stage = STAGE_FIELDS;
    return 0;
}

/* ---- whose it is (RFC 9112, 3.2 and 3.3) ---------------------------------------------------- */
static bool is_ipv6(struct slice text)
{
    char address[INET6_ADDRSTRLEN];
    struct in6_addr binary;

    return slice_copy(text, address, sizeof(address)) == 0 &&
           inet_pton(AF_INET6, address, &binary) == 1;
}

bool host_parse(struct slice text, struct slice *host, uint16_t *port)
{
    const struct slice whole = text;
    uint64_t number = 0;
    size_t n = 0;

    if (slice_skip(&text, "[")) {
        if (!is_ipv6(slice_until(&text, ']')) || !slice_skip(&text, "]"))
            return false;
    } else {
        while (n < text.len && char_is(text.data[n], CHAR_UNRESERVED))
            n++;
        slice_take(&text, n);
    }
    *host = slice_of(whole.data, whole.len - text.len);
    if (slice_skip(&text, ":")) {
        if (text.len > 5 || !number_of(text, &number) || number == 0 || number > UINT16_MAX)
            return false;
    }
    *port = (uint16_t)number;
    return host->len > 0 && (number > 0 || text.len == 0);
}

/* The address apart: origin-form, absolute-form or asterisk-form. `authority` is empty but for the
 * second. */
static int split_target(struct request *r, struct slice *authority)
{
    struct slice rest = r->target;

    *authority = slice_of(NULL, 0);
    if (slice_is(rest, "*")) {
        r->path = rest;
        return r->method == METHOD_OPTIONS
                   ? 0
                   : refuse(&r->refusal, 400, "Only OPTIONS may be asked of the whole server.");
    }
    if (rest.data[0] != '/') {
        const size_t scheme = strlen(r->scheme);
        if (rest.len < scheme || !slice_same(slice_take(&rest, scheme), slice_text(r->scheme)) ||
            !slice_skip(&rest, "://"))
            return refuse(&r->refusal, 400, "The address is not one of this server.");
        struct slice before = rest;
        before = slice_until(&before, '?');
        *authority = slice_take(&rest, slice_until(&before, '/').len);
        if (authority->len == 0)
            return refuse(&r->refusal, 400, "The address is not one of this server.");
    }
    r->path = slice_until(&rest, '?');
    if (r->path.len == 0) /* RFC 9112, 3.2.1 and 3.2.4 */
        r->path = slice_text(r->method == METHOD_OPTIONS && rest.len == 0 ? "*" : "/");
    r->query = rest;
    slice_skip(&r->query, "?");
    return 0;
}

static int find_host(struct request *r)
{
    const bool named = fields_have(&r->fields, FIELD_HOST);
    const struct slice value = fields_get(&r->fields, FIELD_HOST);
    struct slice authority;

    if (split_target(r, &authority) < 0)
        return -1;
    if (!named && r->minor > 0)
        return refuse(&r->refusal, 400, "The request has no Host field.");
    if (named && !host_parse(value, &r->host, &r->port))
        return refuse(&r->refusal, 400, "The Host field names no host.");
    if (authority.len == 0)
        return 0;
    if (named && !slice_same(value, authority))
        return refuse(&r->refusal, 400, "The Host field does not fit the address.");
    if (!named && !host_parse(authority, &r->host, &r->port))
        return refuse(&r->refusal, 400, "The address names no host.");
    return 0;
}

/* ---- how long it is, and what comes after (RFC 9112, 6 and 9.3) ----------------------------- */
static int refuse_coding(struct request *r, struct slice codings)
{
    struct slice coding, last = slice_of(NULL, 0);
    size_t count = 0;

    while (list_next(&codings, &coding)) {
        count += slice_same(coding, slice_text("chunked"));
        last = coding;
    }
    if (count != 1 || !slice_same(last, slice_text("chunked"))) /* RFC 9112, 6.3, point 4 */
        return refuse(&r->refusal, 400, "The transfer coding does not say where the body ends.");
    return refuse(&r->refusal, 501, "No transfer coding but chunked is known here.");
}

static int find_framing(struct request *r)
{
    const bool coded = fields_have(&r->fields, FIELD_TRANSFER_ENCODING);
    const bool counted = fields_have(&r->fields, FIELD_CONTENT_LENGTH);
    const struct slice coding = fields_get(&r->fields, FIELD_TRANSFER_ENCODING);

    if (coded && counted)
        return refuse(&r->refusal, 400, "The request gives its body two lengths.");
    if (coded && r->minor == 0) /* RFC 9112, 6.1 */
        return refuse(&r->refusal, 400, "HTTP/1.0 has no transfer codings.");
    if (coded && !slice_same(coding, slice_text("chunked")))
        return refuse_coding(r, coding);
    if (counted && !number_of(fields_get(&r->fields, FIELD_CONTENT_LENGTH), &r->length))
        return refuse(&r->refusal, 400, "The Content-Length is not a number.");
    r->framing = coded ? FRAMING_CHUNKED : r->length > 0 ? FRAMING_LENGTH : FRAMING_NONE;
    return 0;
}

static int find_wishes(struct request *r)
{
    struct field_walk connection = {0}, expect = {0};
    bool close = false, keep = false;
    struct slice word;

    while (fields_next(&r->fields, FIELD_CONNECTION, &connection, &word)) {
        if (!token_is(word))
            return refuse(&r->refusal, 400, "The Connection field is not a list of words.");
        close = close || slice_same(word, slice_text("close"));
        keep = keep || slice_same(word, slice_text("keep-alive"));
    }
    r->keep = !close && (r->minor > 0 || keep);
    while (fields_next(&r->fields, FIELD_EXPECT, &expect, &word)) {
        if (!slice_same(word, slice_text("100-continue")))
            return refuse(&r->refusal, 417, "The request expects what is not done here.");
        r->expects_100 = r->minor > 0;
    }
    return 0;
}

/* ---- lines ---------------------------------------------------------------------------------- */
static int take_line(struct request *r, struct slice line)
{
    switch (r->stage) {
    case STAGE_BEGIN:
        r->stage = STAGE_LINE;
        if (line.len == 0) /* one is forgiven: RFC 9112, 2.2 */
            return 0;
        return take_request_line(r, line);
    case STAGE_LINE:
        return take_request_line(r, line);
    default:
        if (line.len > 0)
            return fields_add(&r->fields, line, &r->refusal);
        r->stage = STAGE_DONE;
        return find_host(r) < 0 || find_framing(r) < 0 ? -1 : find_wishes(r);
    }
}

static int too_long(struct request *r, struct slice beginning)
{
    if (r->stage == STAGE_FIELDS)
        return refuse(&r->refusal, 431, "The header section is too long.");
    return take_request_line(r, beginning) < 0
               ? -1
               : refuse(&r->refusal, 400, "The request line is too long.");
}

/* Bytes that the line being read may have, its end included. */
static size_t line_most(const struct request *r)
{
    return r->stage == STAGE_FIELDS ? REQUEST_FIELDS_MAX - (r->line_at - r->fields_at)
                                    : REQUEST_LINE_MAX;
}

/* Read as many lines as are there. Returns -1 when one is refused. */
static int take_lines(struct request *r, struct slice bytes)
{
    while (r->stage != STAGE_DONE) {
        const size_t most = line_most(r), there = bytes.len - r->line_at;
        const size_t end = r->line_at + (there < most ? there : most);
        const uint8_t *lf =
            end > r->scanned ? memchr(bytes.data + r->scanned, '\n', end - r->scanned) : NULL;
        const uint8_t *line = bytes.data + r->line_at;
        r->scanned = end;
        if (lf == NULL)
            return there < most ? 0 : too_long(r, slice_of(line, most));
        if (lf == line || lf[-1] != '\r') /* RFC 9112, 2.2 */
            return refuse(&r->refusal, 400, "A line of the request does not end with CR LF.");
        r->scanned = r->line_at = (size_t)(lf + 1 - bytes.data);
        if (r->stage != STAGE_FIELDS)
            r->fields_at = r->line_at;
        if (take_line(r, slice_of(line, (size_t)(lf - line) - 1)) < 0)
            return -1;
    }
    return 0;
}

enum request_result request_parse(struct request *r, struct slice bytes)
{
    if (r->refusal.status != 0 || take_lines(r, bytes) < 0) {
        r->keep = false;
        return REQUEST_REFUSED;
    }
    r->bytes = r->line_at;
    return r->stage == STAGE_DONE ? REQUEST_WHOLE : REQUEST_MORE;
}
