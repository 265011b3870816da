/* What is sent, and addresses both ways: heads, chunks, JSON, percent-encoding, forms. */
#include "tests/unit/http_text.h"

#include "https-worker/body.h"
#include "https-worker/json_out.h"
#include "https-worker/response.h"
#include "https-worker/target.h"

#define NOW 784111777

/* ---- heads (RFC 9112, 4 to 6) ---------------------------------------------------------------- */
static const struct request kept = {.minor = 1, .keep = true};
static const struct request closing = {.minor = 1};
static const struct request old = {.minor = 0};
static const struct request old_kept = {.minor = 0, .keep = true};

static char head[4096];

static struct response begin(const struct request *request, unsigned status,
                             enum response_kind kind)
{
    struct response r;

    memset(head, '?', sizeof(head));
    response_begin(&r, request, writer_of(head, sizeof(head)), status, kind, NOW);
    return r;
}

/* The head as a C string; fails the test when it is bad. */
static const char *ended(struct response *r)
{
    const ssize_t n = response_end(r);

    assert_true(n > 0 && (size_t)n < sizeof(head));
    head[n] = '\0';
    return head;
}

static void test_rfc9112_4_head(void **state)
{
    struct response r = begin(&kept, 200, RESPONSE_DOWNLOAD);

    (void)state;
    response_text(&r, "Content-Type", "text/plain");
    response_number(&r, "Upload-Offset", UINT64_MAX);
    response_date(&r, "Last-Modified", 0);
    writer_percent(response_open(&r, "Location"), slice_text("a\r\nb"), CHAR_UNRESERVED);
    response_close(&r);
    response_field(&r, "ETag", slice_of("\"a\"xyz", 3));
    response_length(&r, 5);
    assert_string_equal(ended(&r), "HTTP/1.1 200 OK\r\n"
                                   "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                                   "Strict-Transport-Security: max-age=31536000\r\n"
                                   "Content-Security-Policy: sandbox; default-src 'none'; "
                                   "frame-ancestors 'none'\r\n"
                                   "X-Content-Type-Options: nosniff\r\n"
                                   "Cross-Origin-Opener-Policy: same-origin\r\n"
                                   "Cross-Origin-Resource-Policy: same-origin\r\n"
                                   "Referrer-Policy: same-origin\r\n"
                                   "Cache-Control: no-store\r\n"
                                   "Content-Type: text/plain\r\n"
                                   "Upload-Offset: 18446744073709551615\r\n"
                                   "Last-Modified: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
                                   "Location: a%0D%0Ab\r\n"
                                   "ETag: \"a\"\r\n"
                                   "Content-Length: 5\r\n"
                                   "\r\n");
}

/* What each kind has, and what it has not. */
static void test_fixed_fields(void **state)
{
    static const struct {
        enum response_kind kind;
        const char *has[4], *has_not[3];
    } cases[] = {
        {RESPONSE_PAGE,
         {"script-src 'self'", "trusted-types 'none'", "frame-ancestors 'none'", "no-store"},
         {"sandbox", "unsafe-inline", "immutable"}},
        {RESPONSE_STATIC, {"immutable", "nosniff", "Strict-Transport"}, {"no-store", "script-src"}},
        {RESPONSE_API,
         {"Strict-Transport", "no-store", "default-src 'none'", "nosniff"},
         {"script-src", "immutable", "unsafe-inline"}},
        {RESPONSE_PREVIEW,
         {"sandbox;", "frame-ancestors 'self'", "no-store", "nosniff"},
         {"script-src", "frame-ancestors 'none'", "immutable"}},
        {RESPONSE_CLEAR, {"nosniff", "no-store"}, {"Strict-Transport", "script-src"}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct response r = begin(&kept, 200, cases[i].kind);
        response_length(&r, 0);
        const char *text = ended(&r);
        for (size_t k = 0; k < 4 && cases[i].has[k] != NULL; k++)
            assert_non_null(strstr(text, cases[i].has[k]));
        for (size_t k = 0; k < 3 && cases[i].has_not[k] != NULL; k++)
            assert_null(strstr(text, cases[i].has_not[k]));
        /* one policy and one rule for caches, whatever the kind */
        const char *policy = strstr(text, "\r\nContent-Security-Policy: ");
        const char *cache = strstr(text, "\r\nCache-Control: ");
        assert_true(policy != NULL && cache != NULL);
        assert_null(strstr(policy + 1, "\r\nContent-Security-Policy: "));
        assert_null(strstr(cache + 1, "\r\nCache-Control: "));
    }
}

static void test_rfc9112_6_and_9_framing(void **state)
{
    static const struct {
        const struct request *request;
        unsigned status;
        bool stream; /* else a length */
        const char *end;
        bool keep, chunked;
    } cases[] = {
        {&kept, 200, false, "Content-Length: 7\r\n\r\n", true, false},
        {&closing, 200, false, "Content-Length: 7\r\nConnection: close\r\n\r\n", false, false},
        {&old_kept, 200, false, "Content-Length: 7\r\nConnection: keep-alive\r\n\r\n", true, false},
        {&old, 200, false, "Content-Length: 7\r\nConnection: close\r\n\r\n", false, false},
        {&kept, 200, true, "Transfer-Encoding: chunked\r\n\r\n", true, true},
        {&closing, 200, true, "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n", false,
         true},
        /* HTTP/1.0 knows no chunks: RFC 9112, 6.1; the close ends it */
        {&old_kept, 200, true, "no-store\r\nConnection: close\r\n\r\n", false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct response r = begin(cases[i].request, cases[i].status, RESPONSE_API);
        if (cases[i].stream)
            response_stream(&r);
        else
            response_length(&r, 7);
        const char *text = ended(&r);
        assert_string_equal(text + strlen(text) - strlen(cases[i].end), cases[i].end);
        assert_int_equal(r.keep, cases[i].keep);
        assert_int_equal(r.chunked, cases[i].chunked);
    }
    /* without a body: RFC 9112, 6.3 */
    struct response r = begin(&kept, 204, RESPONSE_API);
    assert_null(strstr(ended(&r), "Content-Length"));
    r = begin(&kept, 304, RESPONSE_STATIC);
    assert_null(strstr(ended(&r), "Content-Length"));
    assert_true(response_has_body(METHOD_GET, 200));
    assert_false(response_has_body(METHOD_HEAD, 200));
    assert_false(response_has_body(METHOD_GET, 204));
    assert_false(response_has_body(METHOD_GET, 304));
    assert_false(response_has_body(METHOD_GET, 100));
}

/* Every way to a head that must not be sent. */
static void test_bad_heads(void **state)
{
    static const struct slice values[] = {RAW("a\r\nX: b"), RAW("a\nb"),  RAW("a\rb"), RAW("a\0b"),
                                          RAW("\001"),      RAW("a\177"), RAW(" a"),   RAW("a "),
                                          RAW("\ta"),       RAW("\r\n")};
    struct response r;

    (void)state;
    for (size_t i = 0; i < COUNT(values); i++) {
        r = begin(&kept, 200, RESPONSE_API);
        response_field(&r, "X", values[i]);
        response_length(&r, 0);
        assert_int_equal(response_end(&r), -1);
    }
    r = begin(&kept, 299, RESPONSE_API); /* no such status */
    response_length(&r, 0);
    assert_int_equal(response_end(&r), -1);
    r = begin(&kept, 200, RESPONSE_API); /* no framing */
    assert_int_equal(response_end(&r), -1);
    r = begin(&kept, 200, RESPONSE_API); /* two */
    response_length(&r, 0);
    response_length(&r, 0);
    assert_int_equal(response_end(&r), -1);
    r = begin(&old, 200, RESPONSE_API);
    response_stream(&r);
    response_length(&r, 0);
    assert_int_equal(response_end(&r), -1);
    r = begin(&kept, 204, RESPONSE_API); /* a body where none may be */
    response_length(&r, 0);
    assert_int_equal(response_end(&r), -1);
    r = begin(&kept, 304, RESPONSE_API);
    response_stream(&r);
    assert_int_equal(response_end(&r), -1);
    /* what the API says, and what refusals do */
    static const unsigned used[] = {200, 201, 204, 206, 303, 304, 308, 400, 401, 403, 404,
                                    405, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417,
                                    421, 422, 429, 431, 460, 500, 501, 503, 505, 507};
    for (size_t i = 0; i < COUNT(used); i++)
        assert_non_null(response_reason(used[i]));
    assert_string_equal(response_reason(421), "Misdirected Request");
    assert_null(response_reason(0));
}

/* Every size of the buffer below what is needed is told, and not a byte behind it is touched. */
static void test_heads_that_do_not_fit(void **state)
{
    static char room[4096];
    struct response r = begin(&closing, 404, RESPONSE_PAGE);

    (void)state;
    response_length(&r, 10);
    const ssize_t need = response_end(&r);
    assert_true(need > 0);
    for (size_t size = 0; size <= (size_t)need; size++) {
        memset(room, '?', sizeof(room));
        response_begin(&r, &closing, writer_of(room, size), 404, RESPONSE_PAGE, NOW);
        response_length(&r, 10);
        assert_int_equal(response_end(&r), size < (size_t)need ? -1 : need);
        assert_int_equal(room[size], '?');
    }
    assert_memory_equal(room, head, (size_t)need);
}

/* ---- chunks (RFC 9112, 7.1): what is wrapped can be read ------------------------------------- */
static void test_rfc9112_7_1_chunks(void **state)
{
    static const uint32_t sizes[] = {1, 9, 10, 15, 16, 255, 256, 4095, 4096, 65536, 70000};
    static char space[CHUNK_BEFORE + 70000 + CHUNK_AFTER];
    static const struct request chunked = {.minor = 1, .framing = FRAMING_CHUNKED};
    static struct body body;

    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct slice piece, sent, last = slice_text(CHUNK_LAST);
        memset(space, 'a', sizeof(space));
        sent = chunk_wrap(space, sizes[i]);
        assert_int_equal(sent.data[sent.len - CHUNK_AFTER], '\r');
        assert_true(sent.data[0] != '0');
        body_begin(&body, &chunked, UINT64_MAX);
        assert_int_equal(body_next(&body, &sent, &piece), BODY_PIECE);
        assert_int_equal(piece.len, sizes[i]);
        assert_ptr_equal(piece.data, space + CHUNK_BEFORE);
        for (size_t k = 0; k < piece.len; k++)
            assert_int_equal(piece.data[k], 'a');
        assert_int_equal(body_next(&body, &sent, &piece), BODY_MORE);
        assert_int_equal(body_next(&body, &last, &piece), BODY_END);
    }
}

/* ---- JSON (RFC 8259) ------------------------------------------------------------------------- */
static char text[512];

static struct json_out json_begin(struct writer *w)
{
    *w = writer_of(text, sizeof(text));
    return json_out_of(w);
}

static void assert_written(const struct writer *w, const char *expected)
{
    const ssize_t n = writer_done(w);

    assert_true(n >= 0);
    if (!slice_is(slice_of(w->text, (size_t)n), expected))
        fail_msg("%.*s, not %s", (int)n, w->text, expected);
}

static void test_rfc8259_7_strings(void **state)
{
    static const struct {
        struct slice in;
        const char *out;
    } cases[] = {
        {RAW(""), "\"\""},
        {RAW("a b/c"), "\"a b/c\""},
        {RAW("\"\\"), "\"\\\"\\\\\""},
        {RAW("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\""},
        {RAW("\0\001\037 \177"), "\"\\u0000\\u0001\\u001f \177\""},
        {RAW("\303\274\342\202\254\360\237\230\200"), "\"\303\274\342\202\254\360\237\230\200\""},
        {RAW("\342\200\250\342\200\251"), "\"\\u2028\\u2029\""},
        {RAW("a\377b"), "\"a\357\277\275b\""},
        {RAW("\303"), "\"\357\277\275\""},
        {RAW("\300\257"), "\"\357\277\275\357\277\275\""}, /* too long for a slash */
        {RAW("\355\240\200"), "\"\357\277\275\357\277\275\357\277\275\""}, /* half of a pair */
        {RAW("</script>"), "\"</script>\""},
    };
    struct writer w;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct json_out j = json_begin(&w);
        json_text(&j, cases[i].in);
        assert_written(&w, cases[i].out);
    }
}

static void test_json_structure(void **state)
{
    struct writer w;
    struct json_out j = json_begin(&w);

    (void)state;
    json_open(&j, '{');
    json_key(&j, "path");
    json_text(&j, slice_text("/x"));
    json_key(&j, "entries");
    json_open(&j, '[');
    json_open(&j, '{');
    json_close(&j, '}');
    json_number(&j, UINT64_MAX);
    json_bool(&j, true);
    json_bool(&j, false);
    json_nothing(&j);
    json_open(&j, '[');
    json_close(&j, ']');
    json_close(&j, ']');
    json_key(&j, "count");
    json_number(&j, 0);
    json_close(&j, '}');
    assert_written(&w, "{\"path\":\"/x\",\"entries\":[{},18446744073709551615,true,false,null,[]],"
                       "\"count\":0}");
    /* what goes on an array that another began */
    j = json_begin(&w);
    j.comma = true;
    json_nothing(&j);
    assert_written(&w, ",null");
}

static void test_json_names_and_times(void **state)
{
    static const struct {
        int64_t ns;
        const char *out;
    } times[] = {
        {0, "0.000"},
        {1763750000123456789, "1763750000.123"},
        {999999, "0.000"},
        {1000000, "0.001"},
        {-1, "-0.001"},
        {-1000000, "-0.001"},
        {-1500000000, "-1.500"},
        {INT64_MAX, "9223372036.854"},
        {INT64_MIN, "-9223372036.855"},
    };
    struct writer w;
    struct json_out j = json_begin(&w);

    (void)state;
    json_open(&j, '{');
    json_name(&j, "name", slice_text("a"));
    json_name(&j, "path", slice_text("a\377"));
    json_key(&j, "x");
    json_nothing(&j);
    json_close(&j, '}');
    assert_written(&w, "{\"name\":\"a\",\"path\":\"a\357\277\275\",\"raw\":\"Yf8=\",\"x\":null}");
    for (size_t i = 0; i < COUNT(times); i++) {
        j = json_begin(&w);
        json_time(&j, times[i].ns);
        assert_written(&w, times[i].out);
    }
}

/* An entry that does not fit: nothing behind the buffer is touched, and it is told. */
static void test_json_bounds(void **state)
{
    struct writer w;

    (void)state;
    for (size_t size = 0; size <= 40; size++) {
        memset(text, '?', sizeof(text));
        w = writer_of(text, size);
        struct json_out j = json_out_of(&w);
        json_open(&j, '{');
        json_name(&j, "name", slice_text("a\n\377"));
        json_close(&j, '}');
        assert_int_equal(text[size], '?');
        assert_int_equal(writer_done(&w), size < 30 ? -1 : 30);
    }
}

/* ---- addresses (RFC 3986) -------------------------------------------------------------------- */
static void test_rfc3986_paths(void **state)
{
    static const struct {
        const char *encoded;
        struct slice decoded; /* empty: refused with 400 */
        bool folder;
    } cases[] = {
        {"/", RAW("/"), true},
        {"/a", RAW("/a"), false},
        {"/a/", RAW("/a"), true},
        {"/files/a%20b/c+d", RAW("/files/a b/c+d"), false},
        {"/%C3%BC%c3%bc", RAW("/\303\274\303\274"), false},
        {"/a%25b%2525", RAW("/a%b%25"), false}, /* decoded once */
        {"/%0A%ff%5c", RAW("/\n\377\\"), false},
        {"/...", RAW("/..."), false},
        {"/.a/a./..a", RAW("/.a/a./..a"), false},
        {"/%3f%23", RAW("/?#"), false},
        {"", RAW(""), false},
        {"*", RAW(""), false},
        {"a", RAW(""), false},
        {"//", RAW(""), false},
        {"//a", RAW(""), false},
        {"/a//b", RAW(""), false},
        {"/a//", RAW(""), false},
        {"/.", RAW(""), false},
        {"/..", RAW(""), false},
        {"/a/./b", RAW(""), false},
        {"/a/../b", RAW(""), false},
        {"/a/..", RAW(""), false},
        {"/%2e%2E/etc", RAW(""), false},
        {"/.%2e", RAW(""), false},
        {"/%2e", RAW(""), false},
        {"/a%2fb", RAW(""), false},
        {"/a%2F..%2Fb", RAW(""), false},
        {"/%2F", RAW(""), false},
        {"/a%00", RAW(""), false},
        {"/%", RAW(""), false},
        {"/%1", RAW(""), false},
        {"/%1g", RAW(""), false},
        {"/%g1", RAW(""), false},
        {"/%%41", RAW(""), false},
    };
    static struct target_path path;
    struct refusal refusal;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const bool good = cases[i].decoded.len > 0;
        refusal.status = 0;
        if (target_decode(slice_text(cases[i].encoded), &path, &refusal) != (good ? 0 : -1) ||
            refusal.status != (good ? 0 : 400))
            fail_msg("%s: %u", cases[i].encoded, refusal.status);
        if (!good)
            continue;
        assert_true(slice_equal(slice_of(path.text, path.len), cases[i].decoded));
        assert_int_equal(path.text[path.len], '\0');
        assert_int_equal(path.folder, cases[i].folder);
    }
}

static void test_path_length(void **state)
{
    static char encoded[3 * TARGET_PATH_MAX + 8] = "/";
    static struct target_path path;
    struct refusal refusal;

    (void)state;
    for (size_t i = 0; i < TARGET_PATH_MAX; i++)
        memcpy(encoded + 1 + 3 * i, "%61", 3);
    assert_int_equal(
        target_decode(slice_of(encoded, 1 + 3 * (TARGET_PATH_MAX - 1)), &path, &refusal), 0);
    assert_int_equal(path.len, TARGET_PATH_MAX);
    assert_int_equal(target_decode(slice_of(encoded, 1 + 3 * TARGET_PATH_MAX), &path, &refusal),
                     -1);
    assert_int_equal(refusal.status, 414);
    memcpy(encoded + 1 + 3 * (TARGET_PATH_MAX - 1), "/a", 2);
    assert_int_equal(
        target_decode(slice_of(encoded, 3 + 3 * (TARGET_PATH_MAX - 1)), &path, &refusal), -1);
    assert_int_equal(refusal.status, 414);
}

/* Any name survives the way into an address and back. */
static void test_path_round_trip(void **state)
{
    static struct target_path path;
    static const char safe[] = "-._~/";
    struct refusal refusal;
    char name[258] = "/a";

    (void)state;
    for (unsigned c = 1; c < 256; c++)
        name[c + 1] = c == '/' ? 'x' : (char)c;
    static char encoded[1024];
    struct writer w = writer_of(encoded, sizeof(encoded));
    writer_path(&w, slice_of(name, 257));
    const size_t n = (size_t)writer_done(&w);
    for (size_t i = 0; i < n; i++) {
        const char c = encoded[i];
        assert_true((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '%' || strchr(safe, c) != NULL);
    }
    assert_int_equal(target_decode(slice_of(encoded, n), &path, &refusal), 0);
    assert_int_equal(path.len, 257);
    assert_memory_equal(path.text, name, 257);
    w = writer_of(encoded, sizeof(encoded));
    writer_path(&w, slice_text("/"));
    writer_path(&w, slice_text("a b/\303\274/"));
    writer_path(&w, slice_text(""));
    assert_written(&w, "/a%20b/%C3%BC/");
}

/* ---- forms (URL Standard, 5) ----------------------------------------------------------------- */
static void test_forms(void **state)
{
    static const struct {
        const char *form;
        enum form_result result;
        const char *value; /* of "path" */
    } cases[] = {
        {"path=/a", FORM_FOUND, "/a"},
        {"x=y&path=%2Fa+b%2B&z", FORM_FOUND, "/a b+"},
        {"&&path=&", FORM_FOUND, ""},
        {"path", FORM_FOUND, ""},
        {"p%61th=a", FORM_FOUND, "a"},
        {"path=a=b", FORM_FOUND, "a=b"},
        {"path=%01", FORM_FOUND, "\001"},
        {"", FORM_ABSENT, ""},
        {"paths=a&pat=b&Path=c", FORM_ABSENT, ""},
        {"path%00=a", FORM_ABSENT, ""},
        {"=path", FORM_ABSENT, ""},
        {"a;path=b", FORM_ABSENT, ""}, /* '&' alone parts them */
        {"path=a&path=b", FORM_BAD, ""},
        {"path=a&p%61th=a", FORM_BAD, ""},
        {"path=%", FORM_BAD, ""},
        {"path=%4", FORM_BAD, ""},
        {"path=a%zz", FORM_BAD, ""},
        {"path=a%00b", FORM_BAD, ""},
        {"path=12345678", FORM_FOUND, "12345678"},
        {"path=123456789", FORM_BAD, ""}, /* does not fit */
    };
    char value[8];
    struct slice found;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const enum form_result r =
            form_get(slice_text(cases[i].form), "path", value, sizeof(value), &found);
        if (r != cases[i].result || (r == FORM_FOUND && !slice_is(found, cases[i].value)))
            fail_msg("%s", cases[i].form);
    }
}

static void test_form_repeated(void **state)
{
    static char form[] = "name=a%20b&csrf=t&name=c+d&name=&x";
    static const char *const names[] = {"a b", "c d", ""};
    struct slice rest = slice_text(form);
    struct form_pair pair;
    size_t count = 0, pairs = 0;

    (void)state;
    while (form_next(&rest, &pair)) {
        pairs++;
        if (!form_named(&pair, "name"))
            continue;
        /* in its place */
        char *place = form + (pair.value.data - (const uint8_t *)form);
        const ssize_t n = form_decode(pair.value, place, pair.value.len);
        assert_true(n >= 0 && slice_is(slice_of(place, (size_t)n), names[count]));
        count++;
    }
    assert_int_equal(count, 3);
    assert_int_equal(pairs, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc9112_4_head),          cmocka_unit_test(test_fixed_fields),
        cmocka_unit_test(test_rfc9112_6_and_9_framing), cmocka_unit_test(test_bad_heads),
        cmocka_unit_test(test_heads_that_do_not_fit),   cmocka_unit_test(test_rfc9112_7_1_chunks),
        cmocka_unit_test(test_rfc8259_7_strings),       cmocka_unit_test(test_json_structure),
        cmocka_unit_test(test_json_names_and_times),    cmocka_unit_test(test_json_bounds),
        cmocka_unit_test(test_rfc3986_paths),           cmocka_unit_test(test_path_length),
        cmocka_unit_test(test_path_round_trip),         cmocka_unit_test(test_forms),
        cmocka_unit_test(test_form_repeated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
