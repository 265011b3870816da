/* When, and which part: dates, conditions (RFC 9110, 13) and ranges (RFC 9110, 14). */
#include "tests/unit/http_text.h"

#include "https-worker/conditions.h"
#include "https-worker/http_date.h"
#include "https-worker/range.h"

#define NOW 1763740800 /* Fri, 21 Nov 2025 16:00:00 GMT */

/* ---- dates (RFC 9110, 5.6.7) ---------------------------------------------------------------- */
static void test_rfc9110_5_6_7_dates(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } good[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
        {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
        {"Sun Nov  6 08:49:37 1994", 784111777},
        {"Wed Nov 16 08:49:37 1994", 784975777},
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Thu, 29 Feb 2024 23:59:60 GMT", 1709251200},
        {"Fri, 31 Dec 9999 23:59:59 GMT", 253402300799},
        {"Mon, 06 Nov 1994 08:49:37 GMT", 784111777}, /* the day's name says nothing */
        /* two digits: at most 50 years ahead */
        {"Friday, 21-Nov-75 16:00:00 GMT", 3341577600},
        {"Friday, 21-Nov-76 16:00:00 GMT", 217440000},
        {"Friday, 21-Nov-25 16:00:00 GMT", NOW},
    };
    static const char *const bad[] = {
        "",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "sun, 06 nov 1994 08:49:37 gmt",
        "Son, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Now 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Wed, 29 Feb 2023 00:00:00 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 x8:49:37 GMT",
        "Sun, 06 Nov 1994 08:x9:37 GMT",
        "Sun, 06 Nov 1994 08:49:x7 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 Nov +994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sunday, 06-Nov-x4 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 1994 GMT",
        "Sun Nov  66 08:49:37 1994",
        "784111777",
        "Sun, 06 Nov 1994 08:49:3",
    };
    char text[HTTP_DATE_LENGTH];
    int64_t seconds;

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        seconds = -1;
        if (!http_date_parse(slice_text(good[i].text), NOW, &seconds) || seconds != good[i].seconds)
            fail_msg("%s: %lld", good[i].text, (long long)seconds);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (http_date_parse(slice_text(bad[i]), NOW, &seconds))
            fail_msg("%s", bad[i]);
    }
    http_date_write(784111777, text);
    assert_memory_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT", HTTP_DATE_LENGTH);
    http_date_write(-1, text);
    assert_memory_equal(text, "Wed, 31 Dec 1969 23:59:59 GMT", HTTP_DATE_LENGTH);
    /* there and back, each day's name in turn */
    for (int64_t day = -1000000000; day < 4000000000; day += 86400 * 13 + 1) {
        http_date_write(day, text);
        assert_true(http_date_parse(slice_of(text, sizeof(text)), NOW, &seconds));
        assert_true(seconds == day);
    }
}

/* ---- conditions (RFC 9110, 13) --------------------------------------------------------------- */
static void test_rfc9110_8_8_3_etags(void **state)
{
    static const char *const good[] = {"\"a\"",   "W/\"a\"",      "\"\"",
                                       "\"a,b\"", "\"\303\274\"", "\"\\\""};
    static const char *const bad[] = {"a",   "\"a",    "a\"",     "\"a\"b\"",   "w/\"a\"",
                                      "W/a", "W\"a\"", "\"a b\"", "\"a\"\"b\"", "\"",
                                      "",    "*",      "W/",      "\"\001\""};
    static const struct {
        const char *a, *b;
        bool strong, weak;
    } pairs[] = {
        /* RFC 9110, 8.8.3.2 */
        {"W/\"1\"", "W/\"1\"", false, true},
        {"W/\"1\"", "W/\"2\"", false, false},
        {"W/\"1\"", "\"1\"", false, true},
        {"\"1\"", "W/\"1\"", false, true},
        {"\"1\"", "\"1\"", true, true},
        {"\"1\"", "\"2\"", false, false},
        {"", "", false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(etag_is(slice_text(good[i])));
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (etag_is(slice_text(bad[i])))
            fail_msg("%s", bad[i]);
    }
    for (size_t i = 0; i < COUNT(pairs); i++) {
        const struct slice a = slice_text(pairs[i].a), b = slice_text(pairs[i].b);
        assert_int_equal(etag_same_strong(a, b), pairs[i].strong);
        assert_int_equal(etag_same_weak(a, b), pairs[i].weak);
    }
}

#define OLDER   "Fri, 21 Nov 2025 14:59:59 GMT"
#define SAME    "Fri, 21 Nov 2025 15:00:00 GMT"
#define NEWER   "Fri, 21 Nov 2025 15:00:01 GMT"
#define CHANGED (NOW - 3600)

static void test_rfc9110_13_2_2_order(void **state)
{
    static const struct {
        const char *fields;
        enum condition get, put, get_missing, put_missing;
    } cases[] = {
#define GO    CONDITION_GO_ON
#define RANGE CONDITION_GO_ON_RANGE
#define NOT   CONDITION_NOT_MODIFIED
#define FAIL  CONDITION_FAILED
#define BAD   CONDITION_BAD
        {"", RANGE, GO, RANGE, GO},
        /* 1: If-Match, the strong comparison */
        {"If-Match: \"x\"", RANGE, GO, FAIL, FAIL},
        {"If-Match: \"y\", \"x\"", RANGE, GO, FAIL, FAIL},
        {"If-Match: \"y\"\nIf-Match: \"x\"", RANGE, GO, FAIL, FAIL},
        {"If-Match: \"y\"", FAIL, FAIL, FAIL, FAIL},
        {"If-Match: W/\"x\"", FAIL, FAIL, FAIL, FAIL},
        {"If-Match: *", RANGE, GO, FAIL, FAIL},
        {"If-Match: x", BAD, BAD, BAD, BAD},
        {"If-Match: \"x\", y", BAD, BAD, BAD, BAD},
        {"If-Match: *, \"x\"", BAD, BAD, BAD, BAD},
        {"If-Match: *, *", BAD, BAD, BAD, BAD},
        {"If-Match:", BAD, BAD, BAD, BAD},
        /* 2: If-Unmodified-Since, only without it */
        {"If-Unmodified-Since: " OLDER, FAIL, FAIL, RANGE, GO},
        {"If-Unmodified-Since: " SAME, RANGE, GO, RANGE, GO},
        {"If-Unmodified-Since: " NEWER, RANGE, GO, RANGE, GO},
        {"If-Unmodified-Since: yesterday", RANGE, GO, RANGE, GO},
        {"If-Match: \"x\"\nIf-Unmodified-Since: " OLDER, RANGE, GO, FAIL, FAIL},
        /* 3: If-None-Match, the weak comparison */
        {"If-None-Match: \"x\"", NOT, FAIL, RANGE, GO},
        {"If-None-Match: W/\"x\"", NOT, FAIL, RANGE, GO},
        {"If-None-Match: \"y\", W/\"z\"", RANGE, GO, RANGE, GO},
        {"If-None-Match: *", NOT, FAIL, RANGE, GO},
        {"If-None-Match: x", BAD, BAD, BAD, BAD},
        {"If-Match: \"x\"\nIf-None-Match: \"x\"", NOT, FAIL, FAIL, FAIL},
        {"If-Unmodified-Since: " SAME "\nIf-None-Match: *", NOT, FAIL, RANGE, GO},
        {"If-Unmodified-Since: " OLDER "\nIf-None-Match: \"y\"", FAIL, FAIL, RANGE, GO},
        /* 4: If-Modified-Since, only without it, and of GET and HEAD */
        {"If-Modified-Since: " OLDER, RANGE, GO, RANGE, GO},
        {"If-Modified-Since: " SAME, NOT, GO, RANGE, GO},
        {"If-Modified-Since: " NEWER, NOT, GO, RANGE, GO},
        {"If-Modified-Since: today", RANGE, GO, RANGE, GO},
        {"If-None-Match: \"y\"\nIf-Modified-Since: " NEWER, RANGE, GO, RANGE, GO},
        {"If-None-Match: \"x\"\nIf-Modified-Since: " OLDER, NOT, FAIL, RANGE, GO},
        /* 5: If-Range, exactly what is there */
        {"If-Range: \"x\"", RANGE, GO, GO, GO},
        {"If-Range: W/\"x\"", GO, GO, GO, GO},
        {"If-Range: \"y\"", GO, GO, GO, GO},
        {"If-Range: " SAME, RANGE, GO, GO, GO},
        {"If-Range: " NEWER, GO, GO, GO, GO},
        {"If-Range: " OLDER, GO, GO, GO, GO},
        {"If-Range: x", GO, GO, GO, GO},
        {"If-Range: *", GO, GO, GO, GO},
        {"If-Range: \"y\"\nIf-None-Match: \"x\"", NOT, FAIL, GO, GO},
        {"If-Range: \"y\"\nIf-Match: \"x\"", GO, GO, FAIL, FAIL},
    };
    const struct representation there = {
        .exists = true, .etag = slice_text("\"x\""), .dated = true, .modified = CHANGED};
    const struct representation missing = {0};
    static struct request r;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        fields_of(&r.fields, cases[i].fields);
        r.method = METHOD_GET;
        if (conditions_judge(&r, &there, NOW) != cases[i].get ||
            conditions_judge(&r, &missing, NOW) != cases[i].get_missing)
            fail_msg("GET %s", cases[i].fields);
        r.method = METHOD_HEAD; /* ranges are GET's alone: RFC 9110, 14.2 */
        assert_int_equal(conditions_judge(&r, &there, NOW),
                         cases[i].get == RANGE ? GO : cases[i].get);
        r.method = METHOD_PUT;
        if (conditions_judge(&r, &there, NOW) != cases[i].put ||
            conditions_judge(&r, &missing, NOW) != cases[i].put_missing)
            fail_msg("PUT %s", cases[i].fields);
    }
}

/* RFC 9110, 13.1.5 and 8.8.2.2: a date is no strong validator in the second that it names; a weak
 * tag is none at all. */
static void test_rfc9110_13_1_5_strong(void **state)
{
    struct representation file = {
        .exists = true, .etag = slice_text("W/\"x\""), .dated = true, .modified = CHANGED};
    static struct request r = {.method = METHOD_GET};

    (void)state;
    fields_of(&r.fields, "If-Range: " SAME);
    assert_int_equal(conditions_judge(&r, &file, CHANGED + 2), CONDITION_GO_ON_RANGE);
    assert_int_equal(conditions_judge(&r, &file, CHANGED + 1), CONDITION_GO_ON);
    assert_int_equal(conditions_judge(&r, &file, CHANGED), CONDITION_GO_ON);
    assert_int_equal(conditions_judge(&r, &file, CHANGED - 5), CONDITION_GO_ON);
    fields_of(&r.fields, "If-Range: W/\"x\"");
    assert_int_equal(conditions_judge(&r, &file, NOW), CONDITION_GO_ON);
    fields_of(&r.fields, "If-Match: W/\"x\"");
    assert_int_equal(conditions_judge(&r, &file, NOW), CONDITION_FAILED);
    fields_of(&r.fields, "If-None-Match: \"x\"");
    assert_int_equal(conditions_judge(&r, &file, NOW), CONDITION_NOT_MODIFIED);
}

/* ---- ranges (RFC 9110, 14) ------------------------------------------------------------------- */
static void test_rfc9110_14_1_ranges(void **state)
{
    static const struct {
        const char *value;
        uint64_t size;
        const char *ranges; /* "": none lies in it; NULL: the whole */
    } cases[] = {
        {"bytes=0-499", 10000, "0-499 "},
        {"bytes=500-999", 10000, "500-999 "},
        {"bytes=-500", 10000, "9500-9999 "},
        {"bytes=9500-", 10000, "9500-9999 "},
        {"bytes=0-0,-1", 10000, "0-0 9999-9999 "},
        {"bytes=0-", 1, "0-0 "},
        {"Bytes=0-0", 5, "0-0 "},
        {"bytes= 0-0 , -1", 10000, "0-0 9999-9999 "},
        {"bytes=,0-0,", 5, "0-0 "},
        {"bytes=0-99999999999999999999999", 5, "0-4 "},
        {"bytes=-99999999999999999999999", 5, "0-4 "},
        {"bytes=0-100000000000000000000000", 5, "0-4 "},
        {"bytes=-5", 5, "0-4 "},
        {"bytes=-6", 5, "0-4 "},
        {"bytes=4-", 5, "4-4 "},
        {"bytes=0-18446744073709551615", 5, "0-4 "},
        {"bytes=9223372036854775807-", UINT64_C(9223372036854775808),
         "9223372036854775807-9223372036854775807 "},
        /* none of it: 416 */
        {"bytes=5-", 5, ""},
        {"bytes=5-9", 5, ""},
        {"bytes=-0", 5, ""},
        {"bytes=99999999999999999999999-", 5, ""},
        {"bytes=0-", 0, ""},
        {"bytes=0-0", 0, ""},
        {"bytes=5-, -0", 5, ""},
        {"bytes=5-, 1-2", 5, "1-2 "},
        /* ignored */
        {"bytes=-5", 0, NULL},
        {"", 5, NULL},
        {"bytes", 5, NULL},
        {"bytes=", 5, NULL},
        {"bytes=,", 5, NULL},
        {"bytes =0-", 5, NULL},
        {"items=0-5", 5, NULL},
        {"0-5", 5, NULL},
        {"bytes=-", 5, NULL},
        {"bytes=a-b", 5, NULL},
        {"bytes=2-1", 5, NULL},
        {"bytes=1", 5, NULL},
        {"bytes=+1-2", 5, NULL},
        {"bytes=1-+2", 5, NULL},
        {"bytes=1--2", 5, NULL},
        {"bytes=--1", 5, NULL},
        {"bytes=1 - 2", 5, NULL},
        {"bytes=0x1-2", 5, NULL},
        {"bytes=1-2;3-4", 5, NULL},
        {"bytes=1-2 3-4", 5, NULL},
        {"bytes=1-2, x", 5, NULL},
        {"bytes=99999999999999999999999-0", 5, NULL},
        /* joined: RFC 9110, 14.2 and 15.3.7.2 */
        {"bytes=0-4,3-9", 10000, "0-9 "},
        {"bytes=0-4,5-9", 10000, "0-9 "},
        {"bytes=5-9,0-4", 10000, "0-9 "},
        {"bytes=0-4,260-300", 10000, "0-300 "},
        {"bytes=0-4,261-300", 10000, "0-4 261-300 "},
        {"bytes=1000-1001,0-1", 10000, "1000-1001 0-1 "}, /* in the order asked for */
        {"bytes=1000-1001,0-1,2000-2001,900-1100", 10000, "900-1100 0-1 2000-2001 "},
        {"bytes=0-1,2000-2001,1000-1001,300-1800", 10000, "0-1 300-2001 "},
        {"bytes=0-1,2000-2001,1000-1001,200-1800", 10000, "0-2001 "},
        {"bytes=0-,0-,0-,0-", 10000, "0-9999 "},
    };
    struct ranges ranges;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const enum range_result r = range_parse(slice_text(cases[i].value), cases[i].size, &ranges);
        char text[256] = "";
        size_t n = 0;
        for (size_t k = 0; k < ranges.count && r == RANGE_PARTS; k++)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%llu-%llu ",
                                  (unsigned long long)ranges.list[k].first,
                                  (unsigned long long)ranges.list[k].last);
        const enum range_result expected = cases[i].ranges == NULL      ? RANGE_WHOLE
                                           : cases[i].ranges[0] == '\0' ? RANGE_NONE
                                                                        : RANGE_PARTS;
        if (r != expected || (r == RANGE_PARTS && strcmp(text, cases[i].ranges) != 0))
            fail_msg("%s of %llu: %d %s", cases[i].value, (unsigned long long)cases[i].size, r,
                     text);
    }
}

/* So many ranges, and no more; what is answered is never much longer than the file. */
static void test_rfc9110_14_2_many_ranges(void **state)
{
    struct ranges ranges;
    char value[2048];

    (void)state;
    for (size_t count = RANGES_MAX; count <= RANGES_MAX + 1; count++) {
        size_t n = (size_t)snprintf(value, sizeof(value), "bytes=");
        for (size_t i = 0; i < count; i++)
            n += (size_t)snprintf(value + n, sizeof(value) - n, "%zu-%zu,", i * 1000, i * 1000);
        assert_int_equal(range_parse(slice_of(value, n), 1000000, &ranges),
                         count > RANGES_MAX ? RANGE_WHOLE : RANGE_PARTS);
        if (count == RANGES_MAX)
            assert_int_equal(ranges.count, RANGES_MAX);
    }
    /* those that do not lie in the file count too */
    size_t n = (size_t)snprintf(value, sizeof(value), "bytes=");
    for (size_t i = 0; i <= RANGES_MAX; i++)
        n += (size_t)snprintf(value + n, sizeof(value) - n, "9-,");
    assert_int_equal(range_parse(slice_of(value, n), 5, &ranges), RANGE_WHOLE);
}

static void test_rfc9110_14_6_byteranges(void **state)
{
    static const struct ranges ranges = {.count = 2, .list = {{500, 999}, {7000, 7999}}};
    const struct byteranges b = {
        .ranges = &ranges, .size = 8000, .type = "application/pdf", .boundary = "THIS"};
    static const char *const heads[] = {
        "--THIS\r\nContent-Type: application/pdf\r\nContent-Range: bytes 500-999/8000\r\n\r\n",
        ("\r\n--THIS\r\nContent-Type: application/pdf\r\n"
         "Content-Range: bytes 7000-7999/8000\r\n\r\n"),
        "\r\n--THIS--\r\n"};
    char text[BYTERANGES_HEAD_MAX];
    uint64_t length = 500 + 1000;

    (void)state;
    for (size_t i = 0; i < COUNT(heads); i++) {
        struct writer w = writer_of(text, sizeof(text));
        byteranges_head(&w, &b, i);
        assert_true(slice_is(slice_of(text, (size_t)writer_done(&w)), heads[i]));
        length += w.len;
    }
    assert_true(byteranges_length(&b) == length);
    struct writer w = writer_of(text, sizeof(text));
    byteranges_type(&w, &b);
    writer_text(&w, " ");
    content_range_write(&w, NULL, 8000);
    assert_true(slice_is(slice_of(text, (size_t)writer_done(&w)),
                         "multipart/byteranges; boundary=THIS bytes */8000"));
    /* however large the file, a head fits, and is no longer than the gap that makes it a part */
    static const struct ranges large = {.count = 1, .list = {{UINT64_MAX - 2, UINT64_MAX - 1}}};
    const struct byteranges longest = {
        .ranges = &large,
        .size = UINT64_MAX,
        .type = "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        .boundary = "0123456789abcdef0123456789abcdef"};
    w = writer_of(text, RANGE_GAP);
    byteranges_head(&w, &longest, 0);
    assert_true(writer_done(&w) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc9110_5_6_7_dates),
        cmocka_unit_test(test_rfc9110_8_8_3_etags),
        cmocka_unit_test(test_rfc9110_13_2_2_order),
        cmocka_unit_test(test_rfc9110_13_1_5_strong),
        cmocka_unit_test(test_rfc9110_14_1_ranges),
        cmocka_unit_test(test_rfc9110_14_2_many_ranges),
        cmocka_unit_test(test_rfc9110_14_6_byteranges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
