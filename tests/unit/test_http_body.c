/* Bodies: with a length, in chunks (RFC 9112, 6 and 7.1), and forms with a file (RFC 7578). Every
 * input is given whole, byte by byte, and cut in two at every byte: that makes no difference. */
#include "tests/unit/http_text.h"

#include "https-worker/body.h"
#include "https-worker/multipart.h"

/* How an input is cut: into pieces of `step` bytes, or in two at `cut`. */
struct cutting {
    size_t cut, step;
};

static size_t piece_end(const struct cutting *cutting, size_t at, size_t len)
{
    const size_t end = cutting->step > 0   ? at + cutting->step
                       : at < cutting->cut ? cutting->cut
                                           : len;

    return end < len ? end : len;
}

/* ---- bodies --------------------------------------------------------------------------------- */
struct outcome {
    enum body_result result;
    unsigned status;
    size_t used, len;
    uint8_t content[512];
};

static struct body body;

static struct outcome decode(const struct request *r, uint64_t most, struct slice in,
                             const struct cutting *cutting)
{
    struct outcome o = {.result = BODY_MORE};
    struct slice piece;

    body_begin(&body, r, most);
    for (size_t at = 0; (o.result == BODY_MORE || o.result == BODY_PIECE) && at < in.len;) {
        const size_t end = piece_end(cutting, at, in.len);
        struct slice part = slice_of(in.data + at, end - at);
        while ((o.result = body_next(&body, &part, &piece)) == BODY_PIECE) {
            assert_true(piece.len > 0 && piece.data >= in.data &&
                        piece.data + piece.len <= in.data + end);
            assert_true(piece.len <= sizeof(o.content) - o.len);
            memcpy(o.content + o.len, piece.data, piece.len);
            o.len += piece.len;
        }
        at = end;
        o.used = end - part.len;
    }
    if (in.len == 0)
        o.result = body_next(&body, &in, &piece);
    o.status = body.refusal.status;
    assert_int_equal(o.len, body.total);
    return o;
}

static struct outcome decode_all_ways(const struct request *r, uint64_t most, struct slice in)
{
    const struct outcome whole = decode(r, most, in, &(struct cutting){.cut = in.len});

    for (size_t cut = 0; cut <= in.len; cut++) {
        const struct cutting cuttings[] = {{.cut = cut}, {.step = cut + 1}};
        for (size_t i = 0; i < 2; i++) {
            const struct outcome o = decode(r, most, in, &cuttings[i]);
            assert_int_equal(o.result, whole.result);
            assert_int_equal(o.status, whole.status);
            assert_int_equal(o.len, whole.len);
            assert_memory_equal(o.content, whole.content, whole.len);
            if (whole.result == BODY_END)
                assert_int_equal(o.used, whole.used);
        }
    }
    return whole;
}

static const struct request chunked = {.framing = FRAMING_CHUNKED, .minor = 1};

static void test_rfc9112_6_2_length(void **state)
{
    const struct request five = {.framing = FRAMING_LENGTH, .length = 5};
    const struct request none = {.framing = FRAMING_NONE};
    struct outcome o = decode_all_ways(&five, 5, slice_text("abcdeGET / HTTP/1.1\r\n"));

    (void)state;
    assert_int_equal(o.result, BODY_END);
    assert_int_equal(o.used, 5); /* pipelining: RFC 9112, 9.3.2 */
    assert_memory_equal(o.content, "abcde", 5);
    o = decode_all_ways(&five, 5, slice_text("abcd"));
    assert_int_equal(o.result, BODY_MORE);
    o = decode_all_ways(&five, 4, slice_text("a"));
    assert_int_equal(o.status, 413);
    assert_int_equal(o.len, 0);
    o = decode_all_ways(&none, 0, slice_text("GET"));
    assert_int_equal(o.result, BODY_END);
    assert_int_equal(o.used, 0);
    o = decode_all_ways(&none, 0, slice_text(""));
    assert_int_equal(o.result, BODY_END);
}

static void test_rfc9112_7_1_chunked(void **state)
{
    static const struct {
        const char *in, *content;
    } cases[] = {
        {"5\r\nabcde\r\n0\r\n\r\n", "abcde"},
        {"5\r\nabcde\r\n3\r\nfgh\r\n0\r\n\r\n", "abcdefgh"},
        {"0\r\n\r\n", ""},
        {"0000\r\n\r\n", ""},
        {"000000000000000a\r\n0123456789\r\n0\r\n\r\n", "0123456789"},
        {"A\r\n0123456789\r\n0\r\n\r\n", "0123456789"},
        {"2\r\n\r\n\r\n0\r\n\r\n", "\r\n"},
        {"5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n"},
        /* extensions: RFC 9112, 7.1.1; the blanks are bad, but read */
        {"1;a\r\nx\r\n0;b=c\r\n\r\n", "x"},
        {"1;a=\"b;\\\"c\"\r\nx\r\n0\r\n\r\n", "x"},
        {"1 ;a\r\nx\r\n0\t; a = b\r\n\r\n", "x"},
        {"1;\r\nx\r\n0\r\n\r\n", "x"},
        /* trailers: RFC 9112, 7.1.2 */
        {"1\r\nx\r\n0\r\nA: b\r\nC:d\r\n\r\n", "x"},
        {"0\r\nContent-Length: 5\r\nHost: x\r\nHost: y\r\nTransfer-Encoding: x\r\n\r\n", ""},
    };
    char in[256];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const size_t len = strlen(cases[i].in);
        snprintf(in, sizeof(in), "%s0\r\n\r\nGET", cases[i].in);
        const struct outcome o = decode_all_ways(&chunked, 100, slice_text(in));
        if (o.result != BODY_END || o.used != len)
            fail_msg("%s", cases[i].in);
        assert_true(slice_is(slice_of(o.content, o.len), cases[i].content));
        /* every beginning of it wants more */
        for (size_t n = 0; n < len; n++) {
            const struct outcome part =
                decode(&chunked, 100, slice_of(in, n), &(struct cutting){.cut = n});
            assert_int_equal(part.result, BODY_MORE);
        }
    }
}

/* Smuggling within chunks. */
static void test_rfc9112_7_1_bad_chunks(void **state)
{
    static const struct slice cases[] = {
        RAW("\r\n"),
        RAW(";a\r\n"),
        RAW(" 5\r\nabcde\r\n"),
        RAW("+5\r\nabcde\r\n"),
        RAW("-5\r\nabcde\r\n"),
        RAW("0x5\r\nabcde\r\n"),
        RAW("5h\r\nabcde\r\n"),
        RAW("5_0\r\n"),
        RAW("0_0\r\n\r\n"),
        RAW("5,5\r\nabcde\r\n"),
        RAW("5.0\r\nabcde\r\n"),
        RAW("5 \r\nabcde\r\n"),
        RAW("5\t\r\nabcde\r\n"),
        RAW("5 5\r\nabcde\r\n"),
        RAW("5\0\r\nabcde\r\n"),
        RAW("5\013\r\nabcde\r\n"),
        RAW("\r5\r\nabcde\r\n"),
        RAW("\n5\r\nabcde\r\n"),
        RAW("5\nabcde\r\n"), /* a bare LF behind the size */
        RAW("5\rabcde\r\n"),
        RAW("5\r\r\nabcde\r\n"),
        RAW("5\r\nabcde\n0\r\n\r\n"), /* ... behind the data */
        RAW("5\r\nabcdeXX0\r\n\r\n"), /* two bytes that are no CRLF */
        RAW("5\r\nabcde\r0\r\n\r\n"),
        RAW("5\r\nabcde0\r\n\r\n"),
        RAW("5\r\nabcdef\r\n0\r\n\r\n"), /* more data than it says */
        RAW("5\r\nabcd\r\n0\r\n\r\n"),   /* less */
        RAW("1;a\nx\r\n0\r\n\r\n"),      /* TERM.EXT: a bare LF in an extension */
        RAW("1;a\n2\r\nx\r\n0\r\n\r\n"),
        RAW("1;a\rx\r\n0\r\n\r\n"),
        RAW("1;\"a\r\nb\"\r\nx\r\n0\r\n\r\n0"),
        RAW("1;a\0\r\nx\r\n"),
        RAW("1;\177\r\nx\r\n"),
        RAW("00000000000000005\r\nabcde\r\n"), /* 17 digits */
        RAW("10000000000000005\r\nabcde\r\n"), /* 5 beyond 2^64 */
        RAW("ffffffffffffffffff\r\n"),
        RAW("0\r\nA: b\n\r\n"), /* trailers as strict as headers */
        RAW("0\r\n\n"),
        RAW("0\r\nA : b\r\n\r\n"),
        RAW("0\r\nA\r\n\r\n"),
        RAW("0\r\n A: b\r\n\r\n"),
        RAW("0\r\nA: b\r\n c\r\n\r\n"),
        RAW("0\r\nGET / HTTP/1.1\r\n\r\n"),
        RAW("0\r\nA: b\0\r\n\r\n"),
        RAW("0\r\r\n\r\n"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct outcome o = decode_all_ways(&chunked, 1000, cases[i]);
        if (o.status != 400)
            fail_msg("%.*s: %u", (int)cases[i].len, (const char *)cases[i].data, o.status);
    }
}

static void test_limits_of_chunks(void **state)
{
    static char in[CHUNK_EXTENSIONS_MAX + 16384];
    const struct cutting whole = {.cut = SIZE_MAX};
    size_t n;

    (void)state;
    /* content, in all */
    assert_int_equal(decode_all_ways(&chunked, 5, slice_text("5\r\nabcde\r\n0\r\n\r\n")).result,
                     BODY_END);
    assert_int_equal(decode_all_ways(&chunked, 4, slice_text("5\r\nabcde\r\n")).status, 413);
    assert_int_equal(decode_all_ways(&chunked, 4, slice_text("4\r\nabcd\r\n1\r\ne\r\n")).status,
                     413);
    assert_int_equal(
        decode_all_ways(&chunked, 4, slice_text("1\r\na\r\nffffffffffffffff\r\n")).status, 413);
    /* an extension, its semicolon too */
    for (size_t len = CHUNK_EXTENSION_MAX; len <= CHUNK_EXTENSION_MAX + 1; len++) {
        n = (size_t)snprintf(in, sizeof(in), "1;%0*d\r\nx\r\n0\r\n\r\n", (int)len - 1, 0);
        assert_int_equal(decode(&chunked, 5, slice_of(in, n), &whole).status,
                         len > CHUNK_EXTENSION_MAX ? 400 : 0);
    }
    /* all of them: 64 of 256, and one more */
    for (size_t count = 64; count <= 65; count++) {
        n = 0;
        for (size_t i = 0; i < count; i++)
            n += (size_t)snprintf(in + n, sizeof(in) - n, "1;%0255d\r\nx\r\n", 0);
        n += (size_t)snprintf(in + n, sizeof(in) - n, "0\r\n\r\n");
        assert_int_equal(decode(&chunked, 100, slice_of(in, n), &whole).status,
                         count > 64 ? 400 : 0);
    }
    /* trailers: bytes with the empty line, and lines */
    for (size_t len = TRAILERS_MAX - 2; len <= TRAILERS_MAX - 1; len++) {
        n = (size_t)snprintf(in, sizeof(in), "0\r\nA:%0*d\r\n\r\n", (int)len - 4, 0);
        assert_int_equal(decode(&chunked, 5, slice_of(in, n), &whole).status,
                         len > TRAILERS_MAX - 2 ? 431 : 0);
    }
    for (size_t lines = FIELDS_MAX; lines <= FIELDS_MAX + 1; lines++) {
        n = (size_t)snprintf(in, sizeof(in), "0\r\n");
        for (size_t i = 0; i < lines; i++)
            n += (size_t)snprintf(in + n, sizeof(in) - n, "A:b\r\n");
        n += (size_t)snprintf(in + n, sizeof(in) - n, "\r\n");
        assert_int_equal(decode(&chunked, 5, slice_of(in, n), &whole).status,
                         lines > FIELDS_MAX ? 431 : 0);
    }
}

/* Of the trailers only what the table names is kept (RFC 9110, 6.5.1). */
static void test_rfc9110_6_5_trailers(void **state)
{
    static const char in[] = "0\r\nHost: x\r\nRepr-Digest: sha-256=:AAAA:\r\nCookie: a\r\n\r\n";

    (void)state;
    assert_int_equal(decode_all_ways(&chunked, 5, slice_text(in)).result, BODY_END);
    assert_int_equal(body.trailers.kept, 1);
    assert_true(slice_is(fields_get(&body.trailers, FIELD_REPR_DIGEST), "sha-256=:AAAA:"));
    /* and nothing of them stays for the next body */
    assert_int_equal(decode_all_ways(&chunked, 5, slice_text("0\r\n\r\n")).result, BODY_END);
    assert_int_equal(body.trailers.kept, 0);
}

static void test_rfc9110_10_1_1_continue(void **state)
{
    const struct request expects = {.framing = FRAMING_LENGTH, .length = 5, .expects_100 = true};
    const struct request empty = {.framing = FRAMING_NONE, .expects_100 = true};

    (void)state;
    assert_true(body_wants_100(&expects, 0));
    assert_false(body_wants_100(&expects, 1)); /* it has begun without */
    assert_false(body_wants_100(&empty, 0));
    assert_false(body_wants_100(&chunked, 0));
}

/* ---- forms ---------------------------------------------------------------------------------- */
#define TYPE "multipart/form-data; boundary=XyZ"

/* What a form said: fields as name=value, the file as <name|filename|bytes>, then how it ended. */
static void read_form(struct slice in, const struct cutting *cutting, char *text, size_t size)
{
    static struct multipart m;
    struct slice piece;
    size_t n = 0;

    assert_int_equal(multipart_begin(&m, slice_text(TYPE)), 0);
    for (size_t at = 0; at < in.len && m.refusal.status == 0;) {
        const size_t end = piece_end(cutting, at, in.len);
        struct slice part = slice_of(in.data + at, end - at);
        enum multipart_result result;
        while ((result = multipart_next(&m, &part, &piece)) != MULTIPART_MORE &&
               result != MULTIPART_REFUSED) {
            if (result == MULTIPART_FIELD)
                n += (size_t)snprintf(text + n, size - n, "%.*s=%.*s ", (int)m.part.len,
                                      m.part.name, (int)m.value_len, (const char *)m.value);
            else if (result == MULTIPART_FILE)
                n += (size_t)snprintf(text + n, size - n, "<%.*s|%.*s|", (int)m.part.len,
                                      m.part.name, (int)m.part.file_len, m.part.filename);
            else
                n += (size_t)snprintf(text + n, size - n, "%.*s", (int)piece.len,
                                      result == MULTIPART_PIECE ? (const char *)piece.data : "");
            n += result == MULTIPART_FILE_END ? (size_t)snprintf(text + n, size - n, "> ") : 0;
            assert_true(n < size);
        }
        assert_true(part.len == 0 || result == MULTIPART_REFUSED);
        at = end;
    }
    if (multipart_end(&m) < 0)
        snprintf(text + n, size - n, "%u", m.refusal.status);
    else
        snprintf(text + n, size - n, "end");
}

static void assert_form(const char *in, const char *expected)
{
    const struct slice bytes = slice_text(in);
    char text[8192];

    read_form(bytes, &(struct cutting){.cut = bytes.len}, text, sizeof(text));
    assert_string_equal(text, expected);
    for (size_t cut = 0; cut <= bytes.len; cut++) {
        read_form(bytes, &(struct cutting){.cut = cut}, text, sizeof(text));
        assert_string_equal(text, expected);
        read_form(bytes, &(struct cutting){.step = cut + 1}, text, sizeof(text));
        assert_string_equal(text, expected);
    }
}

#define FIELD_PART(name) "--XyZ\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"
#define FILE_PART(name)                                                                            \
    "--XyZ\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" name                     \
    "\"\r\nContent-Type: text/plain\r\n\r\n"
#define END "\r\n--XyZ--\r\n"

static void test_rfc7578_forms(void **state)
{
    static const char *const cases[][2] = {
        {FIELD_PART("csrf") "t0k"
                            "\r\n" FILE_PART("a.txt") "hello" END,
         "csrf=t0k <file|a.txt|hello> end"},
        {FILE_PART("a b.txt") END, "<file|a b.txt|> end"},
        {FILE_PART("") END, "<file||> end"}, /* none was chosen */
        {FIELD_PART("a") END, "a= end"},
        {"\r\n" FIELD_PART("a") "b\r\n--XyZ--", "a=b end"},
        {"--XyZ--\r\n", "end"},
        /* delimiters that are none, and bytes that begin like one */
        {FILE_PART("a") "\r\n" END, "<file|a|\r\n> end"},
        {FILE_PART("a") "\r\n--Xy" END, "<file|a|\r\n--Xy> end"},
        {FILE_PART("a") "\r\n--Xyz" END, "<file|a|\r\n--Xyz> end"},
        {FILE_PART("a") "\r\r\n\r\n-\r\n--\r\n--X\r" END,
         "<file|a|\r\r\n\r\n-\r\n--\r\n--X\r> end"},
        {FILE_PART("a") "--XyZ\n--XyZ--\r--XyZ" END, "<file|a|--XyZ\n--XyZ--\r--XyZ> end"},
        {FILE_PART("a") "\n--XyZ\r\n --XyZ" END, "<file|a|\n--XyZ\r\n --XyZ> end"},
        /* padding behind a delimiter: RFC 2046, 5.1.1 */
        {FIELD_PART("a") "b\r\n--XyZ \t \r\nContent-Disposition: form-data; name=c\r\n\r\nd" END,
         "a=b c=d end"},
        {"--XyZ\r\ncontent-disposition:FORM-DATA;NAME=a\r\nX: y\r\n"
         "Content-Transfer-Encoding: 8bit\r\n\r\nb" END,
         "a=b end"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_form(cases[i][0], cases[i][1]);
}

static void test_rfc7578_bad_forms(void **state)
{
    static const char *const cases[][2] = {
        {"", "400"},
        {"--XyZ", "400"},
        {"--XyZ\r\n", "400"},
        {FIELD_PART("a") "b", "400"},
        {FIELD_PART("a") "b\r\n--XyZ", "a=b 400"},
        {FIELD_PART("a") "b\r\n--XyZ-", "a=b 400"},
        {FIELD_PART("a") "b\r\n--XyZ--\r", "a=b 400"},
        {FILE_PART("a") "b\r\n--Xy", "<file|a|b400"},
        /* before, between and behind */
        {"x--XyZ--\r\n", "400"},
        {"preamble\r\n--XyZ--\r\n", "400"},
        {"\n--XyZ--\r\n", "400"},
        {"\r\n\r\n--XyZ--\r\n", "400"},
        {"--XyZ\nContent-Disposition: form-data; name=a\r\n\r\nb" END, "400"},
        {FIELD_PART("a") "b\r\n--XyZx\r\n", "a=b 400"}, /* RFC 2046: the whole line is not needed */
        {FIELD_PART("a") "b\r\n--XyZ-x", "a=b 400"},
        {FIELD_PART("a") "b\r\n--XyZ \n", "a=b 400"},
        {FIELD_PART("a") "b" END "x", "a=b 400"},
        {FIELD_PART("a") "b\r\n--XyZ-- \r\n", "a=b 400"},
        {FIELD_PART("a") "b\r\n--XyZ--\r\n\r\n", "a=b 400"},
        {FIELD_PART("a") "b\r\n--XyZ--\n", "a=b 400"},
        /* heads */
        {"--XyZ\r\n\r\nb" END, "400"},
        {"--XyZ\r\nContent-Disposition: form-data\r\n\r\nb" END, "400"},
        {"--XyZ\r\nContent-Disposition: attachment; name=a\r\n\r\nb" END, "400"},
        {"--XyZ\r\nContent-Disposition: form-data; name=a\n\r\nb" END, "400"},
        {"--XyZ\r\nContent-Disposition : form-data; name=a\r\n\r\nb" END, "400"},
        {"--XyZ\r\nContent-Disposition: form-data;\r\n name=a\r\n\r\nb" END, "400"},
        {"--XyZ\r\nContent-Disposition: form-data; name=a\r\n"
         "Content-Disposition: form-data; name=b\r\n\r\nb" END,
         "400"},
        {"--XyZ\r\nContent-Disposition: form-data; name=a\r\n"
         "Content-Transfer-Encoding: base64\r\n\r\nYg==" END,
         "400"},
        {FILE_PART("a") "b\r\n" FILE_PART("c") "d" END, "<file|a|b> 400"},
        {FIELD_PART("a") "b\r\n--XyZ\r\n\r\nc" END, "a=b 400"},
        {"--XyZ\r\nContent-Disposition: form-data; name=ab\n\r\nc" END, "400"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_form(cases[i][0], cases[i][1]);
}

static void test_limits_of_forms(void **state)
{
    static char in[2 * MULTIPART_VALUE_MAX], text[2 * MULTIPART_VALUE_MAX];
    const struct cutting whole = {.cut = SIZE_MAX};
    size_t n = 0;

    (void)state;
    for (int len = MULTIPART_VALUE_MAX; len <= MULTIPART_VALUE_MAX + 1; len++) {
        n = (size_t)snprintf(in, sizeof(in), FIELD_PART("a") "%0*d" END, len, 0);
        for (size_t step = 0; step < 8; step += 7) {
            read_form(slice_of(in, n), step > 0 ? &(struct cutting){.step = step} : &whole, text,
                      sizeof(text));
            assert_string_equal(text + strlen(text) - 3, len > MULTIPART_VALUE_MAX ? "413" : "end");
        }
    }
    for (int len = MULTIPART_HEAD_MAX; len <= MULTIPART_HEAD_MAX + 1; len++) {
        static const char line[] = "Content-Disposition: form-data; name=a\r\nX: \r\n\r\n";
        n = (size_t)snprintf(
            in, sizeof(in),
            "--XyZ\r\nContent-Disposition: form-data; name=a\r\nX: %0*d\r\n\r\nb" END,
            len - (int)strlen(line), 0);
        read_form(slice_of(in, n), &whole, text, sizeof(text));
        assert_string_equal(text, len > MULTIPART_HEAD_MAX ? "400" : "a=b end");
    }
    for (size_t count = MULTIPART_FIELDS_MAX; count <= MULTIPART_FIELDS_MAX + 1; count++) {
        n = 0;
        for (size_t i = 0; i < count; i++)
            n +=
                (size_t)snprintf(in + n, sizeof(in) - n, "%s" FIELD_PART("a"), i > 0 ? "\r\n" : "");
        n += (size_t)snprintf(in + n, sizeof(in) - n, END);
        read_form(slice_of(in, n), &whole, text, sizeof(text));
        assert_string_equal(text + strlen(text) - 3, count > MULTIPART_FIELDS_MAX ? "400" : "end");
    }
}

/* Large pieces of the file stay in one piece, CRs in them or not. */
static void test_pieces_are_large(void **state)
{
    static const char in[] = FILE_PART("a") "0\r1\r\n2\r\n-3\r\n--4\r\n--X5" END;
    static struct multipart m;
    struct slice bytes = slice_text(in), piece;

    (void)state;
    assert_int_equal(multipart_begin(&m, slice_text(TYPE)), 0);
    assert_int_equal(multipart_next(&m, &bytes, &piece), MULTIPART_FILE);
    assert_int_equal(multipart_next(&m, &bytes, &piece), MULTIPART_PIECE);
    assert_true(slice_is(piece, "0\r1\r\n2\r\n-3\r\n--4\r\n--X5"));
    assert_int_equal(multipart_next(&m, &bytes, &piece), MULTIPART_FILE_END);
    assert_int_equal(multipart_next(&m, &bytes, &piece), MULTIPART_MORE);
    assert_int_equal(multipart_end(&m), 0);
}

static void test_rfc2046_5_1_1_boundary(void **state)
{
    static const struct {
        const char *type;
        unsigned status;
    } cases[] = {
        {"multipart/form-data; boundary=a", 0},
        {"Multipart/Form-Data;charset=x;BOUNDARY=\"a\"", 0},
        {"multipart/form-data; boundary=----WebKitFormBoundaryePkpFF7tjBAqx29L", 0},
        {"multipart/form-data; boundary=\"a'()+_,-./:=?\"", 0},
        {"multipart/form-data; boundary="
         "1234567890123456789012345678901234567890123456789012345678901234567890",
         0},
        {"multipart/form-data; boundary="
         "12345678901234567890123456789012345678901234567890123456789012345678901",
         400},
        {"multipart/form-data", 400},
        {"multipart/form-data; boundary=", 400},
        {"multipart/form-data; boundary=\"\"", 400},
        {"multipart/form-data; boundary=a b", 400},
        {"multipart/form-data; boundary=\"a b\"", 400},
        {"multipart/form-data; boundary=\"a", 400},
        {"multipart/form-data; boundary=a; boundary=b", 400},
        {"multipart/form-data; boundary=a; x", 400},
        {"multipart/form-data; boundary=a,b", 400},
        {"multipart/mixed; boundary=a", 415},
        {"multipart/form-datax; boundary=a", 415},
        {"", 415},
    };
    static struct multipart m;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const int r = multipart_begin(&m, slice_text(cases[i].type));
        if (m.refusal.status != cases[i].status || r != (cases[i].status == 0 ? 0 : -1))
            fail_msg("%s: %u", cases[i].type, m.refusal.status);
    }
}

static void test_rfc7578_4_2_names(void **state)
{
    static const struct {
        const char *value, *name, *filename; /* name NULL: refused */
    } cases[] = {
        {"form-data; name=\"a\"", "a", NULL},
        {"form-data; name=a; filename=b", "a", "b"},
        {"form-data;filename=\"b;c\" ; name=\"a;\"", "a;", "b;c"},
        {"form-data; name=\"a\"; filename=\"\"", "a", ""},
        {"form-data; name=\"a\"; filename=\"\303\274 b.txt\"", "a", "\303\274 b.txt"},
        {"form-data; name=\"a\"; filename=\"%22%0D%0A%2F%\"", "a", "\"\r\n%2F%"},
        {"form-data; name=\"a\"; filename=\"b\\\\c\\\"", "a", "b\\\\c\\"},
        {"form-data; name=\"a\"; filename=\"C:\\b\"; x=y", "a", "C:\\b"},
        {"form-data; name=\"a\"; filename=\"...\"", "a", "..."},
        {"form-data; name=\"a\"; filename=\"b\\\"c\"", NULL, NULL},
        {"form-data; name=\"a\"; filename=\"b", NULL, NULL},
        {"form-data; name=\"a\"; filename=b c", NULL, NULL},
        {"form-data; name=\"a\"; filename", NULL, NULL},
        {"form-data; x; filename=b; name=a", NULL, NULL},
        {"form-data; name=\"a\"; filename*=UTF-8''b", NULL, NULL},
        {"form-data; name=\"a\"; filename=b; filename*=UTF-8''b", NULL, NULL},
        {"form-data; name=\"a\"; filename=b; FileName=b", NULL, NULL},
        {"form-data; name=\"a\"; name=\"a\"", NULL, NULL},
        {"form-data; name=\"\"; filename=b", NULL, NULL},
        {"form-data; filename=b", NULL, NULL},
        {"form-data; name=a; filename=\"..\"", NULL, NULL},
        {"form-data; name=a; filename=\".\"", NULL, NULL},
        {"form-data; name=a; filename=\"b/c\"", NULL, NULL},
        {"form-data; name=a; filename=\"/\"", NULL, NULL},
        {"form-data name=a", NULL, NULL},
        {"attachment; name=a", NULL, NULL},
        {"", NULL, NULL},
    };
    struct disposition d;
    struct refusal refusal;
    char long_one[512];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const int r = disposition_parse(slice_text(cases[i].value), &d, &refusal);
        if ((r == 0) != (cases[i].name != NULL))
            fail_msg("%s", cases[i].value);
        if (r < 0) {
            assert_int_equal(refusal.status, 400);
            continue;
        }
        assert_true(slice_is(slice_of(d.name, d.len), cases[i].name));
        assert_int_equal(d.is_file, cases[i].filename != NULL);
        assert_true(slice_is(slice_of(d.filename, d.file_len), cases[i].filename));
    }
    for (int len = PART_FILENAME_MAX; len <= PART_FILENAME_MAX + 1; len++) {
        snprintf(long_one, sizeof(long_one), "form-data; name=a; filename=%0*d", len, 0);
        assert_int_equal(disposition_parse(slice_text(long_one), &d, &refusal),
                         len > PART_FILENAME_MAX ? -1 : 0);
    }
    for (int len = PART_NAME_MAX; len <= PART_NAME_MAX + 1; len++) {
        snprintf(long_one, sizeof(long_one), "form-data; name=%0*d", len, 0);
        assert_int_equal(disposition_parse(slice_text(long_one), &d, &refusal),
                         len > PART_NAME_MAX ? -1 : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc9112_6_2_length),
        cmocka_unit_test(test_rfc9112_7_1_chunked),
        cmocka_unit_test(test_rfc9112_7_1_bad_chunks),
        cmocka_unit_test(test_limits_of_chunks),
        cmocka_unit_test(test_rfc9110_6_5_trailers),
        cmocka_unit_test(test_rfc9110_10_1_1_continue),
        cmocka_unit_test(test_rfc7578_forms),
        cmocka_unit_test(test_rfc7578_bad_forms),
        cmocka_unit_test(test_limits_of_forms),
        cmocka_unit_test(test_pieces_are_large),
        cmocka_unit_test(test_rfc2046_5_1_1_boundary),
        cmocka_unit_test(test_rfc7578_4_2_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
