/* What the values of fields say: dates, conditions, ranges, preferences, credentials, digests,
 * names of files. */
#include "tests/unit/http_text.h"

#include "https-worker/accept.h"
#include "https-worker/credentials.h"
#include "https-worker/digest_field.h"
#include "https-worker/disposition.h"
#include "https-worker/media_type.h"
#include "https-worker/upload_metadata.h"

static struct fields fields;

/* ---- grammar -------------------------------------------------------------------------------- */
static void test_rfc9110_5_6_characters(void **state)
{
    static const char token[] = "!#$%&'*+-.^_`|~";
    static const char unreserved[] = "-._~", target[] = "-._~!$&'()*+,;=:@/?%[]";
    static const char attr[] = "!#$&+-.^_`|~", boundary[] = "'()+_,-./:=?";

    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        const bool alnum =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        const bool visible = c > ' ' && c < 0x7f;
        const char text[2] = {(char)c, '\0'};
#define IN(set) (c != 0 && c < 0x80 && strstr(set, text) != NULL)
        assert_int_equal(char_is((uint8_t)c, CHAR_TOKEN), alnum || IN(token));
        assert_int_equal(char_is((uint8_t)c, CHAR_UNRESERVED), alnum || IN(unreserved));
        assert_int_equal(char_is((uint8_t)c, CHAR_TARGET), alnum || IN(target));
        assert_int_equal(char_is((uint8_t)c, CHAR_ATTR), alnum || IN(attr));
        assert_int_equal(char_is((uint8_t)c, CHAR_BOUNDARY), alnum || IN(boundary));
        assert_int_equal(char_is((uint8_t)c, CHAR_VALUE), visible || IN(" \t") || c >= 0x80);
        assert_int_equal(char_is((uint8_t)c, CHAR_ETAG), (visible && c != '"') || c >= 0x80);
        assert_int_equal(char_is((uint8_t)c, CHAR_COOKIE), visible && !IN("\",;\\"));
#undef IN
    }
}

static void test_rfc9110_5_6_1_lists(void **state)
{
    static const struct {
        const char *list, *joined;
    } cases[] = {
        {"a,b", "a|b|"},
        {" a ,\tb\t", "a|b|"},
        {",,a,,b,,", "a|b|"},
        {"", ""},
        {" , ,", ""},
        {"\"a,b\",c", "\"a,b\"|c|"},
        {"\"a\\\",b\",c", "\"a\\\",b\"|c|"},
        {"\"a,b", "\"a,b|"},
        {"\"a\\", "\"a\\|"},
        {"a b,c", "a b|c|"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct slice rest = slice_text(cases[i].list), element;
        char joined[64] = "";
        size_t n = 0;
        while (list_next(&rest, &element))
            n += (size_t)snprintf(joined + n, sizeof(joined) - n, "%.*s|", (int)element.len,
                                  (const char *)element.data);
        assert_string_equal(joined, cases[i].joined);
    }
}

static void test_rfc9110_5_6_6_parameters(void **state)
{
    static const struct {
        const char *in, *said;
        int end;
    } cases[] = {
        {";a=b;c=\"d;e\"", "a=b c=d;e ", 0},
        {" ; a=b ;; ; c=d ; ", "a=b c=d ", 0},
        {";a=\"b\\\"c\\\\\"", "a=b\"c\\ ", 0},
        {";a=\"\"", "a= ", 0},
        {"", "", 0},
        {"a=b", "", -1},
        {";a", "", -1},
        {";a=", "", -1},
        {";=b", "", -1},
        {";a =b", "", -1},
        {";a= b", "", -1},
        {";a=b c", "", -1},
        {";a=\"b", "", -1},
        {";a=\"b\\\"", "", -1},
        {";a=\"b\"c", "", -1},
        {";a=b\"", "", -1},
        {";a=\"b\"\"c\"", "", -1},
        {";a=\"", "", -1},
        {";a=\"b\001\"", "", -1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct slice rest = slice_text(cases[i].in), name, value;
        char said[64] = "", text[16];
        size_t n = 0;
        int more;
        while ((more = parameter_next(&rest, &name, &value)) == 1) {
            const ssize_t len = unquote(value, text, sizeof(text));
            assert_true(len >= 0);
            n += (size_t)snprintf(said + n, sizeof(said) - n, "%.*s=%.*s ", (int)name.len,
                                  (const char *)name.data, (int)len, text);
        }
        if (more != cases[i].end)
            fail_msg("%s", cases[i].in);
        assert_string_equal(said, cases[i].said);
    }
    char text[3];
    assert_int_equal(unquote(slice_text("\"abc\""), text, 3), 3);
    assert_int_equal(unquote(slice_text("\"abc\""), text, 2), -1);
}

/* ---- preferences (RFC 9110, 12.5) ----------------------------------------------------------- */
static void test_rfc9110_12_5_preferences(void **state)
{
    static const struct {
        const char *fields;
        bool gzip, html;
    } cases[] = {
        {"", false, false},
        {"Accept-Encoding: gzip", true, false},
        {"Accept-Encoding: GZIP, deflate, br", true, false},
        {"Accept-Encoding: x-gzip", true, false},
        {"Accept-Encoding: br\nAccept-Encoding: gzip", true, false},
        {"Accept-Encoding: *", true, false},
        {"Accept-Encoding:", false, false},
        {"Accept-Encoding: br", false, false},
        {"Accept-Encoding: gzip;q=0", false, false},
        {"Accept-Encoding: gzip;q=0.000, *", false, false},
        {"Accept-Encoding: gzip ; q=0.001", true, false},
        {"Accept-Encoding: gzip;Q=1.000", true, false},
        {"Accept-Encoding: gzip;q=0.5, identity", false, false},
        {"Accept-Encoding: gzip;q=0.5, identity;q=0.5", true, false},
        {"Accept-Encoding: gzip, identity;q=0", true, false},
        {"Accept-Encoding: gzip;q=1.001", false, false},
        {"Accept-Encoding: gzip;q=2", false, false},
        {"Accept-Encoding: br;q=2, gzip", false, false},
        {"Accept-Encoding: gzip;q=.5", false, false},
        {"Accept-Encoding: gzip;q=1x", false, false},
        {"Accept-Encoding: gzip;q=0.x", false, false},
        {"Accept-Encoding: gzip;q=0.5555", false, false},
        {"Accept-Encoding: gzip;q=-1", false, false},
        {"Accept-Encoding: gzip;q", false, false},
        {"Accept-Encoding: gzip;q=", false, false},
        {"Accept-Encoding: gzip q=1", false, false},
        {"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", false, true},
        {"Accept: */*", false, false},
        {"Accept: application/json", false, false},
        {"Accept: application/json, text/html", false, false},
        {"Accept: application/json;q=0.5, text/html;level=1", false, true},
        {"Accept: text/*, application/*;q=0.9", false, true},
        {"Accept: text/html;q=0, */*", false, false},
        {"Accept: TEXT/HTML", false, true},
        {"Accept: text/html;q=x", false, false},
        {"Accept: text/plain", false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        fields_of(&fields, cases[i].fields);
        if (accept_gzip(&fields) != cases[i].gzip || accept_html(&fields) != cases[i].html)
            fail_msg("%s", cases[i].fields);
    }
}

/* ---- credentials ----------------------------------------------------------------------------- */
static void test_rfc6265_4_2_1_cookies(void **state)
{
    static const struct {
        const char *field, *value; /* NULL: none; "!": bad */
    } cases[] = {
        {"s=abc", "abc"},
        {"a=1; s=abc; b=2", "abc"},
        {"a=1;s=abc;b=2", "abc"},
        {"s=\"abc\"", "abc"},
        {"s=\"\"", ""},
        {"s=", ""},
        {"s=a=b", "a=b"},
        {"theirs={\"a\": [1, 2]}; s=abc; other=\303\274", "abc"},
        {"", NULL},
        {"S=abc", NULL},
        {"xs=abc", NULL},
        {"s2=abc", NULL},
        {"s =abc", NULL},
        {"s", NULL},
        {"a=s=abc", NULL},
        {"s=abc; s=abd", "!"},
        {"s=abc; a=1; s=abc", "!"},
        {"s=a b", "!"},
        {"s=a,b", "!"},
        {"s=a\\b", "!"},
        {"s=\"a", "!"},
        {"s=\303\274", "!"},
    };
    struct slice value;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const enum credentials_result r = cookie_find(slice_text(cases[i].field), "s", &value);
        const enum credentials_result expected = cases[i].value == NULL     ? CREDENTIALS_NONE
                                                 : cases[i].value[0] == '!' ? CREDENTIALS_BAD
                                                                            : CREDENTIALS_FOUND;
        if (r != expected || (r == CREDENTIALS_FOUND && !slice_is(value, cases[i].value)))
            fail_msg("%s", cases[i].field);
    }
}

static void test_rfc7617_basic(void **state)
{
    static const struct {
        const char *field, *user, *password;
    } good[] = {
        {"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame"}, /* RFC 7617, 2 */
        {"bASIC  dGVzdDoxMjPCow==", "test", "123\302\243"},               /* RFC 7617, 2.1 */
        {"Basic YTpiOmM=", "a", "b:c"},
        {"Basic Og==", "", ""},
    };
    static const char *const bad[] = {
        "Basic",         "Basic ",         "Basic YWI=",      "Basic YTpi=",
        "Basic YTpiOmM", "Basic YTpiOmN=", "Basic YTpi YTpi", "Basic YTpi, x=y",
        "Basic YToK",    "Basic YTp/",     "Basic AGE6Yg==",  "Basic YTpi\t",
    };
    struct basic basic;

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        assert_int_equal(basic_parse(slice_text(good[i].field), &basic), CREDENTIALS_FOUND);
        assert_true(slice_is(basic_user(&basic), good[i].user));
        assert_true(slice_is(basic_password(&basic), good[i].password));
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (basic_parse(slice_text(bad[i]), &basic) != CREDENTIALS_BAD)
            fail_msg("%s", bad[i]);
    }
    assert_int_equal(basic_parse(slice_text("Bearer YTpi"), &basic), CREDENTIALS_NONE);
    assert_int_equal(basic_parse(slice_text("BasicYTpi"), &basic), CREDENTIALS_NONE);
    assert_int_equal(basic_parse(slice_text(""), &basic), CREDENTIALS_NONE);
    basic_parse(slice_text(good[0].field), &basic);
    basic_clear(&basic);
    for (size_t i = 0; i < sizeof(basic); i++)
        assert_int_equal(((const uint8_t *)&basic)[i], 0);
}

/* As long as a secret may be, and longer. */
static void test_basic_length(void **state)
{
    static char field[SECRET_MAX * 2] = "Basic ";
    struct basic basic;

    (void)state;
    memset(field + 6, 'O', SECRET_MAX / 3 * 4); /* "OOOO": 0x38 0xe3 0x8e */
    memcpy(field + 6, "YTpi", 4);
    assert_int_equal(basic_parse(slice_text(field), &basic), CREDENTIALS_FOUND);
    assert_int_equal(basic_password(&basic).len, SECRET_MAX / 3 * 3 - 2);
    memset(field + 6 + SECRET_MAX / 3 * 4, 'O', 4);
    assert_int_equal(basic_parse(slice_text(field), &basic), CREDENTIALS_BAD);
    basic_clear(&basic);
}

/* ---- names of files -------------------------------------------------------------------------- */
static void test_rfc6266_disposition(void **state)
{
    static const char *const cases[][2] = {
        {"a b.txt", "attachment; filename=\"a b.txt\""},
        {"", "attachment; filename=\"\""},
        {"\303\274.txt", "attachment; filename=\"_.txt\"; filename*=UTF-8''%C3%BC.txt"},
        {"a\"b\\c%41", "attachment; filename=\"a_b_c_41\"; filename*=UTF-8''a%22b%5Cc%2541"},
        {"a'b*c(d)", "attachment; filename=\"a'b*c(d)\""},
        {"\342\202\254 'x*y'",
         "attachment; filename=\"_ 'x*y'\"; filename*=UTF-8''%E2%82%AC%20%27x%2Ay%27"},
        /* none of these may end the line, hide, or lead elsewhere */
        {"a\r\nSet-Cookie: x", "attachment; filename=\"a__Set-Cookie: x\""},
        {"a\tb\177", "attachment; filename=\"a_b_\""},
        {"../b/c", "attachment; filename=\".._b_c\""},
        {"a\342\200\256gpj.exe", "attachment; filename=\"a_gpj.exe\""},
        {"a\377b", "attachment; filename=\"a_b\""},
        {"\377\303\274", "attachment; filename=\"__\"; filename*=UTF-8''_%C3%BC"},
    };
    char text[512];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct writer w = writer_of(text, sizeof(text));
        disposition_write(&w, "attachment", slice_text(cases[i][0]));
        const struct slice written = slice_of(text, (size_t)writer_done(&w));
        if (!slice_is(written, cases[i][1]))
            fail_msg("%.*s", (int)written.len, text);
        assert_true(chars_are(written, CHAR_VALUE));
    }
    struct writer w = writer_of(text, sizeof(text));
    disposition_write(&w, "inline", slice_text("a"));
    assert_true(slice_is(slice_of(text, (size_t)writer_done(&w)), "inline; filename=\"a\""));
}

static void test_media_types(void **state)
{
    static const struct {
        const char *name, *sent;
        enum media_kind kind;
    } cases[] = {
        {"a.txt", "text/plain; charset=utf-8", MEDIA_INLINE},
        {"A.JPG", "image/jpeg", MEDIA_INLINE},
        {"a.tar.gz", "application/gzip", MEDIA_PASSIVE},
        {"a.html", "application/octet-stream", MEDIA_ACTIVE},
        {"a.SVG", "application/octet-stream", MEDIA_ACTIVE},
        {"a.png.js", "application/octet-stream", MEDIA_ACTIVE},
        {".xml", "application/octet-stream", MEDIA_ACTIVE},
        {"a", "application/octet-stream", MEDIA_PASSIVE},
        {"html", "application/octet-stream", MEDIA_PASSIVE},
        {"a.", "application/octet-stream", MEDIA_PASSIVE},
        {"a.unknown", "application/octet-stream", MEDIA_PASSIVE},
        {"a.pdf\n", "application/octet-stream", MEDIA_PASSIVE},
        {"", "application/octet-stream", MEDIA_PASSIVE},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct media_type *type = media_type_of(slice_text(cases[i].name));
        assert_string_equal(media_type_sent(type), cases[i].sent);
        assert_int_equal(type->kind, cases[i].kind);
    }
}

/* ---- digests --------------------------------------------------------------------------------- */
#define SHA256_TEXT "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" /* of nothing */
#define SHA512_TEXT                                                                                \
    "z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg=="

static void test_rfc9530_2_repr_digest(void **state)
{
    static const struct {
        const char *fields;
        enum digest_kind kind;
        int result;
    } cases[] = {
        {"", DIGEST_NONE, 0},
        {"Repr-Digest: sha-256=:" SHA256_TEXT ":", DIGEST_SHA256, 0},
        {"Repr-Digest: sha-512=:" SHA512_TEXT ":, sha-256=:" SHA256_TEXT ":", DIGEST_SHA512, 0},
        {"Repr-Digest: unixsum=:AAAA:\nRepr-Digest: sha-256=:" SHA256_TEXT ":", DIGEST_SHA256, 0},
        {"Repr-Digest: md5=:1B2M2Y8AsgTpgAmY7PhCfg==:", DIGEST_NONE, 0},
        {"Repr-Digest: sha-256=" SHA256_TEXT, DIGEST_NONE, -1},
        {"Repr-Digest: sha-256=:" SHA256_TEXT, DIGEST_NONE, -1},
        {"Repr-Digest: sha-256=\"" SHA256_TEXT "\"", DIGEST_NONE, -1},
        {"Repr-Digest: sha-256=::", DIGEST_NONE, -1},
        {"Repr-Digest: sha-256=:AAAA:", DIGEST_NONE, -1},
        {"Repr-Digest: sha-512=:" SHA256_TEXT ":", DIGEST_NONE, -1},
        {"Repr-Digest: sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=:", DIGEST_NONE, -1},
        {"Repr-Digest: sha-256=:" SHA256_TEXT ":;a=1", DIGEST_NONE, -1},
        {"Repr-Digest: sha-256", DIGEST_NONE, -1},
        {"Repr-Digest: SHA-256=:" SHA256_TEXT ":", DIGEST_NONE, -1},
        {"Repr-Digest: =:AAAA:", DIGEST_NONE, -1},
        {"Repr-Digest: 1a=:AAAA:", DIGEST_NONE, -1},
        {"Repr-Digest: a b=:AAAA:", DIGEST_NONE, -1},
        {"Repr-Digest: a=:", DIGEST_NONE, -1},
        {"Repr-Digest: *az09_-.*=:AAAA:", DIGEST_NONE, 0},
        {"Repr-Digest: a=:AAAA:", DIGEST_NONE, 0},
        {"Repr-Digest: a/=:AAAA:", DIGEST_NONE, -1},
        {"Repr-Digest: -a=:AAAA:", DIGEST_NONE, -1},
        {"Repr-Digest: sha-256=:" SHA256_TEXT ":, sha-256=:" SHA256_TEXT ":", DIGEST_NONE, -1},
    };
    struct digest_value value;
    struct refusal refusal;
    char text[128];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        refusal.status = 0;
        fields_of(&fields, cases[i].fields);
        if (repr_digest_parse(&fields, &value, &refusal) != cases[i].result ||
            (cases[i].result == 0 && value.kind != cases[i].kind) ||
            refusal.status != (cases[i].result < 0 ? 400 : 0))
            fail_msg("%s", cases[i].fields);
    }
    /* there and back */
    fields_of(&fields, cases[2].fields);
    assert_int_equal(repr_digest_parse(&fields, &value, &refusal), 0);
    struct writer w = writer_of(text, sizeof(text));
    repr_digest_write(&w, value.kind, value.bytes);
    assert_true(slice_is(slice_of(text, (size_t)writer_done(&w)), "sha-512=:" SHA512_TEXT ":"));
}

static void test_rfc9530_4_wanted(void **state)
{
    static const struct {
        const char *fields;
        enum digest_kind kind;
    } cases[] = {
        {"", DIGEST_NONE},
        {"Want-Repr-Digest: sha-256=1", DIGEST_SHA256},
        {"Want-Repr-Digest: sha-512=3, sha-256=10, unixsum=0", DIGEST_SHA256},
        {"Want-Repr-Digest: sha-512=10, sha-256=3", DIGEST_SHA512},
        {"Want-Repr-Digest: sha-512=5\nWant-Repr-Digest: sha-256=5", DIGEST_SHA512},
        {"Want-Repr-Digest: sha-256=0", DIGEST_NONE},
        {"Want-Repr-Digest: md5=10", DIGEST_NONE},
        {"Want-Repr-Digest: sha-256=11", DIGEST_NONE},
        {"Want-Repr-Digest: sha-256=-1", DIGEST_NONE},
        {"Want-Repr-Digest: sha-256=1.0", DIGEST_NONE},
        {"Want-Repr-Digest: sha-256", DIGEST_NONE},
        {"Want-Repr-Digest: sha-256=1, x=y", DIGEST_NONE},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        fields_of(&fields, cases[i].fields);
        assert_int_equal(repr_digest_wanted(&fields), cases[i].kind);
    }
}

/* ---- tus 1.0.0 ------------------------------------------------------------------------------- */
static void test_tus_checksum(void **state)
{
    static const char *const bad[] = {"",
                                      "sha1",
                                      "sha1 ",
                                      "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu",
                                      "sha1  Kq5sNclPz7QV2+lfQIuc6R7oRu0=",
                                      "sha256 Kq5sNclPz7QV2+lfQIuc6R7oRu0=",
                                      "crc32 AAAAAA==",
                                      "SHA1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=",
                                      ("sha-256 " SHA256_TEXT)};
    struct digest_value value;
    struct refusal refusal;
    char text[64];

    (void)state;
    assert_int_equal(
        upload_checksum_parse(slice_text("sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0="), &value, &refusal),
        0);
    assert_int_equal(value.kind, DIGEST_SHA1);
    assert_memory_equal(value.bytes, "\x2a\xae\x6c\x35\xc9\x4f\xcf\xb4\x15\xdb\xe9\x5f", 12);
    assert_int_equal(upload_checksum_parse(slice_text("sha256 " SHA256_TEXT), &value, &refusal), 0);
    assert_int_equal(value.kind, DIGEST_SHA256);
    assert_int_equal(digest_field_bytes(value.kind), 32);
    assert_int_equal(
        upload_checksum_parse(slice_text("md5 1B2M2Y8AsgTpgAmY7PhCfg=="), &value, &refusal), 0);
    assert_int_equal(value.kind, DIGEST_MD5);
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (upload_checksum_parse(slice_text(bad[i]), &value, &refusal) != -1)
            fail_msg("%s", bad[i]);
        assert_int_equal(refusal.status, 400);
    }
    struct writer w = writer_of(text, sizeof(text));
    upload_checksum_names(&w);
    assert_true(slice_is(slice_of(text, (size_t)writer_done(&w)), "sha256,sha1,md5"));
}

static void test_tus_metadata(void **state)
{
    static const struct {
        const char *field;
        enum metadata_result result;
        const char *value;
    } cases[] = {
        {"path L2EvYg==,replace eWVz", METADATA_FOUND, "/a/b"},
        {"replace eWVz, path L2EvYg==", METADATA_FOUND, "/a/b"},
        {"replace eWVz\nUpload-Metadata: path L2EvYg==", METADATA_FOUND, "/a/b"},
        {"path", METADATA_FOUND, ""},
        {"path ,replace", METADATA_FOUND, ""},
        {"path,!~", METADATA_FOUND, ""},
        {"replace eWVz", METADATA_ABSENT, ""},
        {"", METADATA_ABSENT, ""},
        {"Path L2EvYg==", METADATA_ABSENT, ""},
        {"path L2EvYg==,path L2EvYg==", METADATA_BAD, ""},
        {"path L2EvYg==,x,x", METADATA_BAD, ""}, /* also of a key that nobody asks for */
        {"path L2EvYg==,x !", METADATA_BAD, ""},
        {"path L2EvYg", METADATA_BAD, ""},
        {"path  L2EvYg==", METADATA_BAD, ""},
        {"path L2EvYg== x", METADATA_BAD, ""},
        {"path\tL2EvYg==", METADATA_BAD, ""},
        {"p\303\274 L2EvYg==", METADATA_BAD, ""},
        {"\377 L2EvYg==", METADATA_BAD, ""},
        {"\"path\" L2EvYg==", METADATA_BAD, ""},
        {"path MTIzNDU2Nzg5MDEyMzQ1Njc=", METADATA_BAD, ""}, /* 17 bytes */
        {"path MTIzNDU2Nzg5MDEyMzQ1Ng==", METADATA_FOUND, "1234567890123456"},
    };
    char line[1024];
    uint8_t bytes[16];
    size_t len;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        snprintf(line, sizeof(line), "Upload-Metadata: %s", cases[i].field);
        fields_of(&fields, line);
        if (upload_metadata_get(&fields, "path", bytes, sizeof(bytes), &len) != cases[i].result ||
            !slice_is(slice_of(bytes, len), cases[i].value))
            fail_msg("%s", cases[i].field);
    }
    for (size_t count = METADATA_PAIRS_MAX; count <= METADATA_PAIRS_MAX + 1; count++) {
        size_t n = (size_t)snprintf(line, sizeof(line), "Upload-Metadata: path");
        for (size_t i = 1; i < count; i++)
            n += (size_t)snprintf(line + n, sizeof(line) - n, ",k%zu", i);
        fields_of(&fields, line);
        assert_int_equal(upload_metadata_get(&fields, "path", bytes, sizeof(bytes), &len),
                         count > METADATA_PAIRS_MAX ? METADATA_BAD : METADATA_FOUND);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc9110_5_6_characters),
        cmocka_unit_test(test_rfc9110_5_6_1_lists),
        cmocka_unit_test(test_rfc9110_5_6_6_parameters),
        cmocka_unit_test(test_rfc9110_12_5_preferences),
        cmocka_unit_test(test_rfc6265_4_2_1_cookies),
        cmocka_unit_test(test_rfc7617_basic),
        cmocka_unit_test(test_basic_length),
        cmocka_unit_test(test_rfc6266_disposition),
        cmocka_unit_test(test_media_types),
        cmocka_unit_test(test_rfc9530_2_repr_digest),
        cmocka_unit_test(test_rfc9530_4_wanted),
        cmocka_unit_test(test_tus_checksum),
        cmocka_unit_test(test_tus_metadata),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
