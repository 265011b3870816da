/* Requests' heads (RFC 9112, RFC 9110): what is taken, what is refused and with which status. Every
 * input is given whole, byte by byte, and cut in two at every byte: that makes no difference. */
#include "tests/unit/http_text.h"

#include "https-worker/request.h"

/* What a request said, in a line: method, version, path, query, host and port, body, and what it
 * wishes. */
static void describe(const struct request *r, char *text, size_t size)
{
    static const char *const framings[] = {"none", "length", "chunked"};

    if (r->refusal.status != 0) {
        snprintf(text, size, "%u %s", r->refusal.status, r->refusal.why);
        return;
    }
    snprintf(text, size, "%s 1.%u %.*s ?%.*s %.*s:%u %s %llu%s%s", method_name(r->method), r->minor,
             (int)r->path.len, (const char *)r->path.data, (int)r->query.len,
             (const char *)r->query.data, (int)r->host.len, (const char *)r->host.data, r->port,
             framings[r->framing], (unsigned long long)r->length, r->keep ? " keep" : "",
             r->expects_100 ? " 100" : "");
}

/* Parse what comes in pieces that end at `ends` (the last one is the whole), and say what it is. */
static enum request_result parse(const char *scheme, struct slice in, const size_t *ends,
                                 size_t count, char *text, size_t size)
{
    static struct request r;
    enum request_result result = REQUEST_MORE;

    request_begin(&r, scheme);
    for (size_t i = 0; i < count && result == REQUEST_MORE; i++)
        result = request_parse(&r, slice_of(in.data, ends[i]));
    if (result == REQUEST_MORE)
        snprintf(text, size, "more");
    else
        describe(&r, text, size);
    if (result == REQUEST_WHOLE) { /* not a byte more than its empty line */
        const uint8_t *end = memmem(in.data + 2, in.len - 2, "\r\n\r\n", 4);
        assert_ptr_equal(in.data + r.bytes, end + 4);
    }
    if (result == REQUEST_REFUSED) {
        assert_false(r.keep);
        assert_int_equal(request_parse(&r, in), REQUEST_REFUSED);
    }
    return result;
}

/* The same whole and in pieces; text is what it is. */
static enum request_result parse_all_ways(const char *scheme, struct slice in, char *text,
                                          size_t size)
{
    char other[16384];
    size_t *ends = calloc(in.len + 1, sizeof(ends[0]));

    assert_non_null(ends);
    const enum request_result result = parse(scheme, in, &in.len, 1, text, size);
    for (size_t i = 0; i <= in.len; i++)
        ends[i] = i;
    assert_int_equal(parse(scheme, in, ends, in.len + 1, other, sizeof(other)), result);
    assert_string_equal(other, text);
    for (size_t cut = 0; cut < in.len && in.len < 2000; cut++) {
        const size_t two[] = {cut, in.len};
        assert_int_equal(parse(scheme, in, two, 2, other, sizeof(other)), result);
        assert_string_equal(other, text);
    }
    free(ends);
    return result;
}

static void assert_request(const char *in, const char *expected)
{
    char text[16384];

    parse_all_ways("https", slice_text(in), text, sizeof(text));
    assert_string_equal(text, expected);
}

static void assert_refused(struct slice in, unsigned status)
{
    char text[16384], begin[8];

    snprintf(begin, sizeof(begin), "%u ", status);
    if (parse_all_ways("https", in, text, sizeof(text)) != REQUEST_REFUSED ||
        strncmp(text, begin, 4) != 0)
        fail_msg("%u expected: %.*s: %s", status, (int)in.len, (const char *)in.data, text);
}

#define HOST "Host: a\r\n"

/* ---- the line (RFC 9112, 3) ----------------------------------------------------------------- */
static void test_rfc9112_3_request_line(void **state)
{
    static const char *const cases[][2] = {
        {"GET / HTTP/1.1\r\n" HOST "\r\n", "GET 1.1 / ? a:0 none 0 keep"},
        /* RFC 9112, 2.2: one empty line before it */
        {"\r\nGET / HTTP/1.1\r\n" HOST "\r\n", "GET 1.1 / ? a:0 none 0 keep"},
        {"HEAD /a/%C3%BC?x=1&y=%20 HTTP/1.1\r\n" HOST "\r\n",
         "HEAD 1.1 /a/%C3%BC ?x=1&y=%20 a:0 none 0 keep"},
        {"GET /%0A%00?%0f HTTP/1.1\r\n" HOST "\r\n", "GET 1.1 /%0A%00 ?%0f a:0 none 0 keep"},
        {"GET /? HTTP/1.1\r\n" HOST "\r\n", "GET 1.1 / ? a:0 none 0 keep"},
        {"GET /a??b?/ HTTP/1.1\r\n" HOST "\r\n", "GET 1.1 /a ??b?/ a:0 none 0 keep"},
        {"GET /a[1]?b[2] HTTP/1.1\r\n" HOST "\r\n", "GET 1.1 /a[1] ?b[2] a:0 none 0 keep"},
        {"GET /;,:@&=+$-_.!~*'() HTTP/1.1\r\n" HOST "\r\n",
         "GET 1.1 /;,:@&=+$-_.!~*'() ? a:0 none 0 keep"},
        {"PATCH /x HTTP/1.1\r\n" HOST "\r\n", "PATCH 1.1 /x ? a:0 none 0 keep"},
        {"GET / HTTP/1.1\r\n" HOST "\r\nGET /2 HT", "GET 1.1 / ? a:0 none 0 keep"},
        {"GET / HTTP/1.0\r\n\r\n", "GET 1.0 / ? :0 none 0"},
        {"GET / HTTP/1.1\r\nHost", "more"},
        {"", "more"},
        {"\r\n", "more"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_request(cases[i][0], cases[i][1]);
    assert_string_equal(method_name(METHOD_OPTIONS), "OPTIONS");
}

static void test_rfc9112_3_bad_request_line(void **state)
{
    static const struct {
        struct slice in;
        unsigned status;
    } cases[] = {
        {RAW("\r\n\r\nGET / HTTP/1.1\r\n"), 400},
        {RAW("\nGET / HTTP/1.1\r\n"), 400},
        {RAW("GET / HTTP/1.1\n" HOST "\r\n"), 400}, /* a bare LF: RFC 9112, 2.2 */
        {RAW("GET / HTTP/1.1\r\r\n"), 400},
        {RAW("GET /\rHTTP/1.1\r\n"), 400},
        {RAW(" GET / HTTP/1.1\r\n"), 400},
        {RAW("GET  / HTTP/1.1\r\n"), 400},
        {RAW("GET /  HTTP/1.1\r\n"), 400},
        {RAW("GET / HTTP/1.1 \r\n"), 400},
        {RAW("GET\t/\tHTTP/1.1\r\n"), 400},
        {RAW("GET /\tHTTP/1.1\r\n"), 400},
        {RAW("GET /a b HTTP/1.1\r\n"), 400},
        {RAW("GET /\r\n"), 400}, /* HTTP/0.9 */
        {RAW("GET\r\n"), 400},
        {RAW("GET \r\n"), 400},
        {RAW("GET / \r\n"), 400},
        {RAW("GET / http/1.1\r\n"), 400},
        {RAW("GET / HTTP/1\r\n"), 400},
        {RAW("GET / HTTP/1.10\r\n"), 400},
        {RAW("GET / HTTP/01.1\r\n"), 400},
        {RAW("GET / HTTP/+.1\r\n"), 400},
        {RAW("GET / HTTP/1,1\r\n"), 400},
        {RAW("GET / HTTP/1.2\r\n"), 505},
        {RAW("GET / HTTP/1.9\r\n"), 505},
        {RAW("GET / HTTP/0.9\r\n"), 505},
        {RAW("GET / HTTP/9.1\r\n"), 505},
        {RAW("GET / HTTP/1.:\r\n"), 400},
        {RAW("GET / HTTP/2.0\r\n"), 505},
        {RAW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505}, /* RFC 9113, 3.4 */
        {RAW("G\0T / HTTP/1.1\r\n"), 400},
        {RAW("GET /\0 HTTP/1.1\r\n"), 400},
        {RAW("GET /\303\274 HTTP/1.1\r\n"), 400},
        {RAW("GET /a#b HTTP/1.1\r\n"), 400},
        {RAW("GET /a\"b HTTP/1.1\r\n"), 400},
        {RAW("GET /<> HTTP/1.1\r\n"), 400},
        {RAW("GET /{} HTTP/1.1\r\n"), 400},
        {RAW("GET /a\\b HTTP/1.1\r\n"), 400},
        {RAW("GET /a|b HTTP/1.1\r\n"), 400},
        {RAW("GET /a^b HTTP/1.1\r\n"), 400},
        {RAW("GET /a`b HTTP/1.1\r\n"), 400},
        {RAW("GET /% HTTP/1.1\r\n"), 400},
        {RAW("GET /%4 HTTP/1.1\r\n"), 400},
        {RAW("GET /%zz HTTP/1.1\r\n"), 400},
        {RAW("GET /?%u0041 HTTP/1.1\r\n"), 400},
        {RAW("get / HTTP/1.1\r\n"), 501}, /* RFC 9110, 9.1: case counts */
        {RAW("BREW / HTTP/1.1\r\n"), 501},
        {RAW("TRACE / HTTP/1.1\r\n"), 501},
        {RAW("CONNECT a:443 HTTP/1.1\r\n"), 501},
        {RAW("GE(T / HTTP/1.1\r\n"), 400},
        {RAW("ABCDEFGHIJKLMNOPQ / HTTP/1.1\r\n"), 501},
        {RAW("\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n"), 400}, /* TLS within TLS */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_refused(cases[i].in, cases[i].status);
}

/* ---- forms of the address (RFC 9112, 3.2) --------------------------------------------------- */
static void test_rfc9112_3_2_target_forms(void **state)
{
    static const char *const cases[][2] = {
        {"GET https://a/b?c HTTP/1.1\r\n" HOST "\r\n", "GET 1.1 /b ?c a:0 none 0 keep"},
        {"GET HTTPS://A/b HTTP/1.1\r\n" HOST "\r\n", "GET 1.1 /b ? a:0 none 0 keep"},
        {"GET https://a HTTP/1.1\r\n" HOST "\r\n", "GET 1.1 / ? a:0 none 0 keep"},
        {"GET https://a?c HTTP/1.1\r\n" HOST "\r\n", "GET 1.1 / ?c a:0 none 0 keep"},
        {"GET https://[::1]:8443/x HTTP/1.1\r\nHost: [::1]:8443\r\n\r\n",
         "GET 1.1 /x ? [::1]:8443 none 0 keep"},
        {"GET https://a:8443/ HTTP/1.0\r\n\r\n", "GET 1.0 / ? a:8443 none 0"},
        {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "OPTIONS 1.1 * ? a:0 none 0 keep"},
        {"OPTIONS https://a HTTP/1.1\r\n" HOST "\r\n", "OPTIONS 1.1 * ? a:0 none 0 keep"},
        {"OPTIONS https://a/ HTTP/1.1\r\n" HOST "\r\n", "OPTIONS 1.1 / ? a:0 none 0 keep"},
    };
    static const char *const bad[] = {
        "GET https://b/ HTTP/1.1\r\n" HOST "\r\n",     /* another host */
        "GET https://a:443/ HTTP/1.1\r\n" HOST "\r\n", /* not as in Host: RFC 9112, 3.2 */
        "GET https://u@a/ HTTP/1.1\r\nHost: u@a\r\n\r\n",
        "GET https://u@a/ HTTP/1.0\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\n" HOST "\r\n", /* another scheme than the connection's */
        "GET ftp://a/ HTTP/1.1\r\n" HOST "\r\n",
        "GET https:///b HTTP/1.1\r\n" HOST "\r\n",
        "GET https:a/b HTTP/1.1\r\n" HOST "\r\n",
        "GET a:443 HTTP/1.1\r\n" HOST "\r\n", /* authority-form */
        "GET a HTTP/1.1\r\n" HOST "\r\n",
        "GET ?a HTTP/1.1\r\n" HOST "\r\n",
        "GET * HTTP/1.1\r\n" HOST "\r\n",
        "OPTIONS *? HTTP/1.1\r\n" HOST "\r\n",
        "OPTIONS ** HTTP/1.1\r\n" HOST "\r\n",
    };
    char text[256];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_request(cases[i][0], cases[i][1]);
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_refused(slice_text(bad[i]), 400);
    /* over plain HTTP it is the other way round */
    assert_int_equal(parse_all_ways("http", slice_text("GET http://a/ HTTP/1.1\r\n" HOST "\r\n"),
                                    text, sizeof(text)),
                     REQUEST_WHOLE);
    assert_int_equal(parse_all_ways("http", slice_text("GET https://a/ HTTP/1.1\r\n" HOST "\r\n"),
                                    text, sizeof(text)),
                     REQUEST_REFUSED);
}

static void test_rfc9110_7_2_host(void **state)
{
    static const struct {
        const char *value, *host;
        unsigned port;
    } good[] = {
        {"files.example.org", "files.example.org", 0},
        {"a:8443", "a", 8443},
        {"127.0.0.1:1", "127.0.0.1", 1},
        {"[::1]", "[::1]", 0},
        {"[2001:db8::1]:65535", "[2001:db8::1]", 65535},
        {"xn--bcher-kva.example", "xn--bcher-kva.example", 0},
    };
    static const char *const bad[] = {
        "",    "a:",  "a:0",   "a:65536", "a:-1",      "a:80x",   "a:+80",    ":80",     "[::1",
        "[]",  "[g]", "[::g]", "::1",     "[::1]x",    "[::1]:",  "a b",      "a,b",     "a/b",
        "u@a", "a?b", "a%20",  "a\\b",    "[::1%25a]", "a:80:80", "a:000080", "\303\274"};
    char in[256];
    struct slice host;
    uint16_t port;

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        assert_true(host_parse(slice_text(good[i].value), &host, &port));
        assert_true(slice_is(host, good[i].host));
        assert_int_equal(port, good[i].port);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        snprintf(in, sizeof(in), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", bad[i]);
        assert_refused(slice_text(in), 400);
    }
    /* none, two, two of the same (RFC 9112, 3.2); HTTP/1.0 may have none, but not two */
    assert_refused(slice_text("GET / HTTP/1.1\r\n\r\n"), 400);
    assert_refused(slice_text("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400);
    assert_refused(slice_text("GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n"), 400);
    assert_refused(slice_text("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"), 400);
    assert_refused(slice_text("GET https://a/ HTTP/1.1\r\n\r\n"), 400);
}

/* ---- field lines (RFC 9112, 5; RFC 9110, 5) -------------------------------------------------- */
static void test_rfc9112_5_bad_field_lines(void **state)
{
    static const struct slice lines[] = {
        RAW("A : b"), /* a blank before the colon: RFC 9112, 5.1 */
        RAW("A\t: b"),
        RAW("Transfer-Encoding : chunked"),
        RAW(" A: b"), /* obs-fold: RFC 9112, 5.2 */
        RAW("A: b\r\n c"),
        RAW("A: b\r\n\tc"),
        RAW("Content-Length: 4\r\n 2"),
        RAW(": b"),
        RAW("A"),
        RAW("A b"),
        RAW("A(: b"),
        RAW("\"A\": b"),
        RAW("A\303\274: b"),
        RAW("A\0: b"),
        RAW("A: b\0c"), /* RFC 9110, 5.5 */
        RAW("A: b\rc"),
        RAW("A: b\r"),
        RAW("A: b\nX: c"), /* a bare LF */
        RAW("A: b\n"),
        RAW("A: \001"),
        RAW("A: \177"),
        RAW("A: b\013c"),
        RAW("\013A: b"),
        RAW("\xef\xbb\xbf"
            "A: b"),
    };
    char in[256];

    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++) {
        static const char before[] = "GET / HTTP/1.1\r\nHost: a\r\n";
        size_t n = sizeof(before) - 1;
        memcpy(in, before, n);
        memcpy(in + n, lines[i].data, lines[i].len);
        n += lines[i].len;
        memcpy(in + n, "\r\n\r\n", 4);
        assert_refused(slice_of(in, n + 4), 400);
    }
    /* white space before the first field: RFC 9112, 2.2 */
    assert_refused(slice_text("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), 400);
    assert_refused(slice_text("GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n"), 400);
}

static void test_rfc9110_5_values_and_lists(void **state)
{
    static const char in[] = "GET / HTTP/1.1\r\n"
                             "hOST:\t a \t\r\n"
                             "X-Unknown: 1\r\n"
                             "If-None-Match: \"a,b\", , W/\"c\"\r\n"
                             "Range:bytes=0-\r\n"
                             "IF-NONE-MATCH:\"d\"\r\n"
                             "Upload-Metadata:\r\n"
                             "User-Agent: \303\274 \"x\r\n"
                             "\r\n";
    static const char *const tags[] = {"\"a,b\"", "W/\"c\"", "\"d\""};
    static struct request r;
    struct field_walk walk = {0};
    struct slice tag;

    (void)state;
    request_begin(&r, "https");
    assert_int_equal(request_parse(&r, slice_text(in)), REQUEST_WHOLE);
    assert_true(slice_is(fields_get(&r.fields, FIELD_HOST), "a"));
    assert_true(slice_is(fields_get(&r.fields, FIELD_RANGE), "bytes=0-"));
    assert_true(slice_is(fields_get(&r.fields, FIELD_USER_AGENT), "\303\274 \"x"));
    assert_true(fields_have(&r.fields, FIELD_UPLOAD_METADATA));
    assert_int_equal(fields_get(&r.fields, FIELD_UPLOAD_METADATA).len, 0);
    assert_false(fields_have(&r.fields, FIELD_COOKIE));
    assert_null(fields_get(&r.fields, FIELD_COOKIE).data);
    assert_int_equal(r.fields.count, 7);
    for (size_t i = 0; i < COUNT(tags); i++) {
        assert_true(fields_next(&r.fields, FIELD_IF_NONE_MATCH, &walk, &tag));
        assert_true(slice_is(tag, tags[i]));
    }
    assert_false(fields_next(&r.fields, FIELD_IF_NONE_MATCH, &walk, &tag));
    assert_string_equal(field_name(FIELD_X_CSRF_TOKEN), "X-CSRF-Token");
}

/* Each singleton of the table twice, with the same value (RFC 9110, 5.3). */
static void test_rfc9110_5_3_singletons(void **state)
{
    static const char *const lists[] = {
        "Connection", "Expect",        "Content-Encoding", "Accept",           "Accept-Encoding",
        "If-Match",   "If-None-Match", "Repr-Digest",      "Want-Repr-Digest", "Upload-Metadata"};
    static struct fields fields;
    char line[128];

    (void)state;
    for (enum field field = 0; field < FIELD_COUNT; field++) {
        struct refusal refusal = {0};
        bool list = false;
        for (size_t i = 0; i < COUNT(lists); i++)
            list = list || strcmp(field_name(field), lists[i]) == 0;
        fields.count = fields.kept = 0;
        snprintf(line, sizeof(line), "%s: a", field_name(field));
        assert_int_equal(fields_add(&fields, slice_text(line), &refusal), 0);
        assert_int_equal(fields_add(&fields, slice_text(line), &refusal), list ? 0 : -1);
        assert_int_equal(refusal.status, list ? 0 : 400);
    }
}

/* ---- limits --------------------------------------------------------------------------------- */
/* A request with a part of some length: before, n times `with`, after. */
static struct slice build(char *to, const char *before, size_t n, char with, const char *after)
{
    const size_t b = strlen(before), a = strlen(after);

    memcpy(to, before, b);
    memset(to + b, with, n);
    memcpy(to + b + n, after, a + 1);
    return slice_of(to, b + n + a);
}

static void test_limits(void **state)
{
    static char in[REQUEST_HEAD_MAX + 4096];
    static const char end[] = " HTTP/1.1\r\nHost: a\r\n\r\n";
    char text[16384];

    (void)state;
    /* the address: 8 KiB, 414 (RFC 9110, 15.5.15) */
    struct slice s = build(in, "GET /", REQUEST_TARGET_MAX - 1, 'a', end);
    assert_int_equal(parse_all_ways("https", s, text, sizeof(text)), REQUEST_WHOLE);
    s = build(in, "GET /", REQUEST_TARGET_MAX, 'a', end);
    assert_refused(s, 414);
    s = build(in, "GET /", REQUEST_TARGET_MAX + 3000, 'a', "");
    assert_refused(s, 414);
    s = build(in, "GET / HTTP/1.1", REQUEST_TARGET_MAX + 3000, 'a', "");
    assert_refused(s, 400);
    s = build(in, "", REQUEST_LINE_MAX + 1, 'A', "");
    assert_refused(s, 501);
    s = build(in, "", REQUEST_LINE_MAX, '\0', "");
    assert_refused(s, 400);
    /* the longest method that could be, with the longest address */
    s = build(in, "ABCDEFGHIJKLMNOP /", REQUEST_TARGET_MAX - 1, 'a', end);
    assert_refused(s, 501);

    /* the header section: 32 KiB, 431 (RFC 6585, 5) */
    static const char before[] = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    const size_t room = REQUEST_FIELDS_MAX - strlen("Host: a\r\nX: \r\n\r\n");
    s = build(in, before, room, 'a', "\r\n\r\n");
    assert_int_equal(parse_all_ways("https", s, text, sizeof(text)), REQUEST_WHOLE);
    s = build(in, before, room + 1, 'a', "\r\n\r\n");
    assert_refused(s, 431);
    s = build(in, before, room + 2, 'a', "\r\n\r\n");
    assert_refused(s, 431);
    s = build(in, before, room + 2, 'a', "");
    assert_int_equal(parse_all_ways("https", s, text, sizeof(text)), REQUEST_MORE);
    s = build(in, before, room + 4, 'a', "");
    assert_refused(s, 431);
}

static void test_limit_of_fields(void **state)
{
    static char in[4096];

    (void)state;
    for (size_t lines = FIELDS_MAX - 1; lines <= FIELDS_MAX; lines++) {
        size_t n = (size_t)snprintf(in, sizeof(in), "GET / HTTP/1.1\r\nHost: a\r\n");
        for (size_t i = 0; i < lines; i++)
            n += (size_t)snprintf(in + n, sizeof(in) - n, "X: y\r\n");
        snprintf(in + n, sizeof(in) - n, "\r\n");
        if (lines == FIELDS_MAX)
            assert_refused(slice_text(in), 431);
        else
            assert_request(in, "GET 1.1 / ? a:0 none 0 keep");
    }
}

/* ---- where the body ends (RFC 9112, 6) ------------------------------------------------------- */
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"

static void test_rfc9112_6_framing(void **state)
{
    static const char *const cases[][2] = {
        {POST "Content-Length: 5\r\n\r\nabcde", "POST 1.1 / ? a:0 length 5 keep"},
        {POST "Content-Length: 1\r\n\r\n", "POST 1.1 / ? a:0 length 1 keep"},
        {POST "Content-Length: 0\r\n\r\n", "POST 1.1 / ? a:0 none 0 keep"},
        {POST "Content-Length:005\r\n\r\n", "POST 1.1 / ? a:0 length 5 keep"},
        {POST "Content-Length: 18446744073709551615\r\n\r\n",
         "POST 1.1 / ? a:0 length 18446744073709551615 keep"},
        {POST "Transfer-Encoding: chunked\r\n\r\n", "POST 1.1 / ? a:0 chunked 0 keep"},
        {POST "transfer-encoding:\tCHUNKED \r\n\r\n", "POST 1.1 / ? a:0 chunked 0 keep"},
        {POST "\r\n", "POST 1.1 / ? a:0 none 0 keep"},
        {"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\n", "POST 1.0 / ? :0 length 5"},
        {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", "GET 1.1 / ? a:0 length 5 keep"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_request(cases[i][0], cases[i][1]);
}

/* Smuggling: what front ends and servers were caught at taking for two different things. */
static void test_rfc9112_6_3_smuggling(void **state)
{
    static const struct {
        struct slice fields;
        unsigned status;
    } cases[] = {
        /* CL.TE and TE.CL: RFC 9112, 6.1 */
        {RAW("Content-Length: 6\r\nTransfer-Encoding: chunked"), 400},
        {RAW("Transfer-Encoding: chunked\r\nContent-Length: 6"), 400},
        {RAW("Transfer-Encoding: chunked\r\nContent-Length: 0"), 400},
        {RAW("Transfer-Encoding: identity\r\nContent-Length: 6"), 400},
        {RAW("Content-Length: x\r\nTransfer-Encoding: chunked"), 400},
        /* CL.CL: RFC 9110, 8.6 */
        {RAW("Content-Length: 5\r\nContent-Length: 6"), 400},
        {RAW("Content-Length: 5\r\nContent-Length: 5"), 400},
        {RAW("Content-Length: 5\r\ncontent-length:"), 400},
        {RAW("Content-Length: 5, 5"), 400},
        {RAW("Content-Length: 5,6"), 400},
        {RAW("Content-Length: 5,"), 400},
        {RAW("Content-Length: +5"), 400},
        {RAW("Content-Length: -5"), 400},
        {RAW("Content-Length: -0"), 400},
        {RAW("Content-Length: 0x5"), 400},
        {RAW("Content-Length: 5x"), 400},
        {RAW("Content-Length: 5.0"), 400},
        {RAW("Content-Length: 5e1"), 400},
        {RAW("Content-Length: 5 5"), 400},
        {RAW("Content-Length: 5;a"), 400},
        {RAW("Content-Length: \"5\""), 400},
        {RAW("Content-Length:"), 400},
        {RAW("Content-Length: "), 400},
        {RAW("Content-Length: 18446744073709551616"), 400},
        {RAW("Content-Length: 99999999999999999999999999"), 400},
        {RAW("Content-Length: 5\0"), 400},
        {RAW("Content-Length: \0135"), 400},
        {RAW("Content-Length: 1_0"), 400},
        {RAW("Content-Length: \331\245"), 400},
        {RAW("Content-Length : 5"), 400},
        {RAW("Content_Length: 5\r\nContent-Length: a"), 400},
        /* TE.TE: RFC 9112, 6.1 and 6.3 */
        {RAW("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), 400},
        {RAW("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"), 400},
        {RAW("Transfer-Encoding: x\r\nTransfer-Encoding: chunked"), 400},
        {RAW("Transfer-Encoding: chunked, chunked"), 400},
        {RAW("Transfer-Encoding: chunked, identity"), 400},
        {RAW("Transfer-Encoding: chunked;q=1"), 400},
        {RAW("Transfer-Encoding: identity"), 400},
        {RAW("Transfer-Encoding: gzip"), 400},
        {RAW("Transfer-Encoding: gzip, chunked"), 501},
        {RAW("Transfer-Encoding: identity, chunked"), 501},
        {RAW("Transfer-Encoding: xchunked"), 400},
        {RAW("Transfer-Encoding: chunkedx"), 400},
        {RAW("Transfer-Encoding: \"chunked\""), 400},
        {RAW("Transfer-Encoding: 'chunked'"), 400},
        {RAW("Transfer-Encoding: chunk"), 400},
        {RAW("Transfer-Encoding: ch\303\274nked"), 400},
        {RAW("Transfer-Encoding: \013chunked"), 400},
        {RAW("Transfer-Encoding: chunked\014"), 400},
        {RAW("Transfer-Encoding: chunked\0"), 400},
        {RAW("Transfer-Encoding:"), 400},
        {RAW("Transfer-Encoding : chunked"), 400},
        {RAW("Transfer-Encoding\013: chunked"), 400},
        {RAW(" Transfer-Encoding: chunked"), 400},
        {RAW("X: x\nTransfer-Encoding: chunked"), 400},
        {RAW("X: x\rTransfer-Encoding: chunked"), 400},
        {RAW("Transfer-Encoding:\r\n chunked"), 400},
        {RAW("Transfer-Encoding: chunked\r\n , identity"), 400},
        {RAW("X:x\r\n\0Transfer-Encoding: chunked"), 400},
    };
    char in[512];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t n = sizeof(POST) - 1;
        memcpy(in, POST, n);
        memcpy(in + n, cases[i].fields.data, cases[i].fields.len);
        n += cases[i].fields.len;
        memcpy(in + n, "\r\n\r\n", 4);
        assert_refused(slice_of(in, n + 4), cases[i].status);
    }
    /* RFC 9112, 6.1: no transfer coding in HTTP/1.0 */
    assert_refused(slice_text("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
}

/* Names that only look like those that count are others. */
static void test_names_that_are_others(void **state)
{
    (void)state;
    assert_request(POST "Content_Length: 5\r\nTransfer_Encoding: chunked\r\n"
                        "X-Transfer-Encoding: chunked\r\n\r\n",
                   "POST 1.1 / ? a:0 none 0 keep");
}

/* ---- what comes after (RFC 9112, 9.3), and before (RFC 9110, 10.1.1) ------------------------- */
static void test_rfc9112_9_3_persistence(void **state)
{
    static const struct {
        const char *in;
        bool keep;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection:\r\n\r\n", true},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false},
    };
    static struct request r;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        request_begin(&r, "https");
        assert_int_equal(request_parse(&r, slice_text(cases[i].in)), REQUEST_WHOLE);
        assert_int_equal(r.keep, cases[i].keep);
    }
    assert_refused(slice_text("GET / HTTP/1.1\r\nHost: a\r\nConnection: a b\r\n\r\n"), 400);
    assert_refused(slice_text("GET / HTTP/1.1\r\nHost: a\r\nConnection: \"close\"\r\n\r\n"), 400);
}

static void test_rfc9110_10_1_1_expect(void **state)
{
    (void)state;
    assert_request(POST "Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n",
                   "POST 1.1 / ? a:0 length 5 keep 100");
    assert_request("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
                   "POST 1.0 / ? :0 length 5");
    assert_refused(slice_text(POST "Expect: 200-ok\r\n\r\n"), 417);
    assert_refused(slice_text(POST "Expect: 100-continue, x\r\n\r\n"), 417);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc9112_3_request_line),
        cmocka_unit_test(test_rfc9112_3_bad_request_line),
        cmocka_unit_test(test_rfc9112_3_2_target_forms),
        cmocka_unit_test(test_rfc9110_7_2_host),
        cmocka_unit_test(test_rfc9112_5_bad_field_lines),
        cmocka_unit_test(test_rfc9110_5_values_and_lists),
        cmocka_unit_test(test_rfc9110_5_3_singletons),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_limit_of_fields),
        cmocka_unit_test(test_rfc9112_6_framing),
        cmocka_unit_test(test_rfc9112_6_3_smuggling),
        cmocka_unit_test(test_names_that_are_others),
        cmocka_unit_test(test_rfc9112_9_3_persistence),
        cmocka_unit_test(test_rfc9110_10_1_1_expect),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
