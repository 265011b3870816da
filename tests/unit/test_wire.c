/* The small things that everything stands on: SSH's wire types, slices, base64, UTF-8, secrets,
 * rights as text, and log lines, in which nobody but the log may begin a line or speak to a
 * terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base64.h"
#include "common/log.h"
#include "common/operations.h"
#include "common/secret.h"
#include "common/slice.h"
#include "common/sshwire.h"
#include "common/utf8.h"

/* ---- sshwire.c ----------------------------------------------------------------------------- */

static const uint8_t sample[] = {
    0x7f,                                           /* u8 */
    0x01, 0x02, 0x03, 0x04,                         /* u32 */
    0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, /* u64 */
    0x00, 0x00, 0x00, 0x03, 'a',  'b',  'c',        /* string */
    0x00, 0x00, 0x00, 0x00,                         /* an empty one */
    'x',  'y',                                      /* bytes */
};

static void test_read(void **state)
{
    struct wire w = wire_of(slice_of(sample, sizeof(sample)));

    (void)state;
    assert_int_equal(wire_u8(&w), 0x7f);
    assert_int_equal(wire_u32(&w), 0x01020304);
    assert_true(wire_u64(&w) == UINT64_C(0x80000000000000ff));
    assert_true(slice_is(wire_string(&w), "abc"));
    assert_true(slice_is(wire_string(&w), ""));
    assert_false(wire_done(&w));
    assert_true(slice_is(wire_bytes(&w, 2), "xy"));
    assert_true(wire_done(&w));
    assert_int_equal(wire_bytes(&w, 0).len, 0);
    assert_true(wire_done(&w));
    assert_int_equal(wire_u8(&w), 0);
    assert_true(w.bad);
    assert_false(wire_done(&w));
}

/* Each cut of the sample, in memory of just that size: bad, and bad from then on. */
static void test_read_cut(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof(sample); len++) {
        uint8_t *exact = malloc(len > 0 ? len : 1);
        assert_non_null(exact);
        memcpy(exact, sample, len);
        struct wire w = wire_of(slice_of(exact, len));
        wire_u8(&w);
        wire_u32(&w);
        wire_u64(&w);
        wire_string(&w);
        wire_string(&w);
        wire_bytes(&w, 2);
        assert_true(w.bad);
        assert_false(wire_done(&w));
        assert_int_equal(wire_u8(&w), 0);
        assert_int_equal(wire_u32(&w), 0);
        assert_true(wire_u64(&w) == 0);
        assert_int_equal(wire_string(&w).len, 0);
        assert_int_equal(wire_bytes(&w, 0).len, 0);
        assert_true(w.bad);
        free(exact);
    }
}

static void test_read_lengths_that_lie(void **state)
{
    static const uint32_t lengths[] = {4, 5, 0x7fffffff, 0x80000000, UINT32_MAX - 3, UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        uint8_t bytes[7] = {0, 0, 0, 0, 'a', 'b', 'c'};
        struct wire_out out = wire_out_of(bytes, 4);
        wire_put_u32(&out, lengths[i]);
        struct wire w = wire_of(slice_of(bytes, sizeof(bytes)));
        assert_int_equal(wire_string(&w).len, 0);
        assert_true(w.bad);
    }
    struct wire w = wire_of(slice_of(sample, sizeof(sample)));
    wire_u8(&w);
    wire_bytes(&w, SIZE_MAX);
    assert_true(w.bad);
    w = wire_of(slice_of(NULL, 0));
    assert_true(wire_done(&w));
    assert_int_equal(wire_bytes(&w, 0).len, 0);
    assert_true(wire_done(&w));
    wire_string(&w);
    assert_true(w.bad);
}

static void put_sample(struct wire_out *w)
{
    wire_put_u8(w, 0x7f);
    wire_put_u32(w, 0x01020304);
    wire_put_u64(w, UINT64_C(0x80000000000000ff));
    wire_put_string(w, slice_text("abc"));
    wire_put_string(w, slice_of(NULL, 0));
    wire_put_bytes(w, slice_text("xy"));
    wire_put_bytes(w, slice_of(NULL, 0));
}

static void test_write(void **state)
{
    (void)state;
    for (size_t size = 0; size <= sizeof(sample); size++) {
        uint8_t *exact = malloc(size + 1);
        assert_non_null(exact);
        exact[size] = 0xa5;
        struct wire_out w = wire_out_of(exact, size);
        put_sample(&w);
        assert_int_equal(w.bad, size < sizeof(sample));
        assert_true(w.len <= size);
        assert_int_equal(exact[size], 0xa5);
        if (size == sizeof(sample)) {
            assert_int_equal(w.len, sizeof(sample));
            assert_memory_equal(exact, sample, sizeof(sample));
        }
        /* Once bad, it takes nothing more, not even what would fit. */
        const size_t len = w.len;
        wire_put_u8(&w, 1);
        assert_true(w.bad && w.len == len);
        free(exact);
    }
}

static void test_name_lists(void **state)
{
    static const struct {
        const char *first, *second, *match;
    } rows[] = {
        {"a,b,c", "c,b", "b"}, {"a", "a", "a"},    {"a,b", "c,d", ""},
        {"", "a", ""},         {"a", "", ""},      {",,", ",,", ""},
        {",a", "b,,a", "a"},   {"ab,a", "a", "a"}, {"a", "ab,ba", ""},
        {"A", "a", ""},        {"a,", "a", "a"},   {"curve", "curve25519,curve", "curve"},
        {"b,a,b", "a,b", "b"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct slice match =
            name_list_match(slice_text(rows[i].first), slice_text(rows[i].second));
        if (!slice_is(match, rows[i].match))
            fail_msg("%s and %s: %.*s", rows[i].first, rows[i].second, (int)match.len, match.data);
    }
    assert_true(name_list_has(slice_text("x,yy,z"), slice_text("yy")));
    assert_true(name_list_has(slice_text("x,yy,z"), slice_text("z")));
    assert_false(name_list_has(slice_text("x,yy,z"), slice_text("y")));
    assert_false(name_list_has(slice_text("x,yy,z"), slice_text("x,yy")));
    assert_false(name_list_has(slice_of(NULL, 0), slice_text("x")));
    assert_false(name_list_has(slice_of("a\0b", 3), slice_text("a")));
}

/* ---- slice.h, secret.c --------------------------------------------------------------------- */

static void test_slices(void **state)
{
    char text[4];

    (void)state;
    assert_int_equal(slice_text(NULL).len, 0);
    assert_true(slice_equal(slice_of(NULL, 0), slice_text("")));
    assert_false(slice_equal(slice_text("a"), slice_text("b")));
    assert_false(slice_equal(slice_text("a"), slice_text("ab")));
    assert_false(slice_is(slice_of("a\0", 2), "a"));
    assert_int_equal(slice_copy(slice_text("abc"), text, sizeof(text)), 0);
    assert_string_equal(text, "abc");
    assert_int_equal(slice_copy(slice_text("abcd"), text, sizeof(text)), -1);
    assert_string_equal(text, "");
    assert_int_equal(slice_copy(slice_of("a\0c", 3), text, sizeof(text)), -1);
    assert_string_equal(text, "");
    assert_int_equal(slice_copy(slice_of(NULL, 0), text, 1), 0);
    assert_string_equal(text, "");
    text[0] = 'z';
    assert_int_equal(slice_copy(slice_of(NULL, 0), text, 0), -1);
    assert_int_equal(text[0], 'z');
}

static void test_secrets(void **state)
{
    static const struct secret none;
    static struct secret secret;
    static uint8_t bytes[SECRET_MAX + 1];

    (void)state;
    memset(bytes, 's', sizeof(bytes));
    assert_int_equal(secret_set(&secret, slice_of(bytes, SECRET_MAX)), 0);
    assert_int_equal(secret_slice(&secret).len, SECRET_MAX);
    assert_int_equal(strlen(secret_text(&secret)), SECRET_MAX);
    /* A shorter one leaves nothing of the longer behind. */
    assert_int_equal(secret_set(&secret, slice_text("short")), 0);
    assert_string_equal(secret_text(&secret), "short");
    assert_null(memchr(secret.bytes + 5, 's', sizeof(secret.bytes) - 5));
    errno = 0;
    assert_int_equal(secret_set(&secret, slice_of(bytes, SECRET_MAX + 1)), -1);
    assert_int_equal(errno, EMSGSIZE);
    assert_memory_equal(&secret, &none, sizeof(secret));
    assert_int_equal(secret_set(&secret, slice_of("a\0b", 3)), 0);
    assert_int_equal(secret_slice(&secret).len, 3);
    secret_clear(&secret);
    assert_memory_equal(&secret, &none, sizeof(secret));
    assert_string_equal(secret_text(&secret), "");
}

/* ---- operations.c -------------------------------------------------------------------------- */

static void test_rights(void **state)
{
    static const uint32_t keep = 0xdeadbeef;
    static const struct {
        const char *text;
        uint32_t now, rights;
        int result;
    } rows[] = {
        {"all", 0, RIGHTS_ALL, 0},
        {"none", RIGHTS_ALL, 0, 0},
        {"list", RIGHTS_ALL, RIGHT_LIST, 0},
        {"list,read", 0, RIGHT_LIST | RIGHT_READ, 0},
        {"read,list,read", 0, RIGHT_LIST | RIGHT_READ, 0},
        {"+delete", RIGHT_LIST, RIGHT_LIST | RIGHT_DELETE, 0},
        {"-list", RIGHTS_ALL, RIGHTS_ALL & ~(uint32_t)RIGHT_LIST, 0},
        {"+delete,-list", RIGHT_LIST, RIGHT_DELETE, 0},
        {"-all", RIGHTS_ALL, 0, 0},
        {"-all,read", RIGHTS_ALL, RIGHT_READ, 0},
        {"all,-write,-overwrite", 0, RIGHTS_ALL & ~(uint32_t)(RIGHT_WRITE | RIGHT_OVERWRITE), 0},
        {"-delete", RIGHT_LIST, RIGHT_LIST, 0},
        {"", 0, 0, -1},
        {",", 0, 0, -1},
        {"list,", 0, 0, -1},
        {",list", 0, 0, -1},
        {"list,,read", 0, 0, -1},
        {"list read", 0, 0, -1},
        {" list", 0, 0, -1},
        {"LIST", 0, 0, -1},
        {"lis", 0, 0, -1},
        {"listing", 0, 0, -1},
        {"+", 0, 0, -1},
        {"++list", 0, 0, -1},
        {"list,none", 0, 0, -1},
        {"write,execute", 0, 0, -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t rights = keep;
        const int r = rights_parse(rows[i].text, rows[i].now, &rights);
        if (r != rows[i].result || rights != (r == 0 ? rows[i].rights : keep))
            fail_msg("\"%s\" on %#x: %d, %#x", rows[i].text, rows[i].now, r, rights);
    }
}

static void test_rights_as_text(void **state)
{
    char text[128];

    (void)state;
    assert_string_equal(rights_format(0, text, sizeof(text)), "none");
    assert_string_equal(rights_format(RIGHTS_ALL, text, sizeof(text)), "all");
    assert_string_equal(rights_format(RIGHT_READ | RIGHT_LIST, text, sizeof(text)), "list,read");
    for (uint32_t set = 0; set <= RIGHTS_ALL; set++) {
        uint32_t back = ~set;
        assert_int_equal(rights_parse(rights_format(set, text, sizeof(text)), 0, &back), 0);
        assert_int_equal(back, set);
        for (size_t size = 1; size < 40; size++) {
            memset(text, 'z', sizeof(text));
            rights_format(set, text, size);
            assert_true(strlen(text) < size);
            assert_int_equal(text[size], 'z');
        }
    }
}

static void test_operations(void **state)
{
    (void)state;
    for (int i = 0; i < RIGHT_COUNT; i++)
        assert_true(right_info((enum right_bit)i)->name[0] != '\0');
    assert_null(right_info(RIGHT_COUNT));
    for (int i = 0; i < OPERATION_COUNT; i++) {
        const struct operation_info *o = operation_info((enum operation)i);
        assert_true(o->name[0] != '\0');
        assert_true(o->right != 0 && (o->right & (o->right - 1)) == 0);
        assert_true((o->right & ~(uint32_t)RIGHTS_ALL) == 0);
    }
    assert_null(operation_info(OPERATION_COUNT));
    assert_int_equal(operation_info(OPERATION_DOWNLOAD)->right, RIGHT_READ);
    assert_int_equal(operation_info(OPERATION_REMOVE)->right, RIGHT_DELETE);
    assert_true(operation_info(OPERATION_UPLOAD)->writes);
    assert_false(operation_info(OPERATION_DOWNLOAD)->writes);
}

/* ---- log.c --------------------------------------------------------------------------------- */

static struct {
    int kept; /* the real stderr */
    int end;  /* what is written to it */
    char text[8192];
} log_pipe;

static int catch_stderr(void **state)
{
    int ends[2];

    (void)state;
    if (pipe2(ends, O_NONBLOCK) < 0 || (log_pipe.kept = dup(2)) < 0 || dup2(ends[1], 2) < 0)
        return -1;
    close(ends[1]);
    log_pipe.end = ends[0];
    return 0;
}

static int let_stderr_go(void **state)
{
    (void)state;
    dup2(log_pipe.kept, 2);
    close(log_pipe.kept);
    close(log_pipe.end);
    return 0;
}

/* What was written since the last call. */
static const char *written(void)
{
    const ssize_t n = read(log_pipe.end, log_pipe.text, sizeof(log_pipe.text) - 1);

    log_pipe.text[n > 0 ? n : 0] = '\0';
    return log_pipe.text;
}

static void test_log_lines(void **state)
{
    char expected[64];

    (void)state;
    log_open("tester", LOG_TO_STDERR, LOG_LEVEL_INFO);
    log_info("user %s, %d", "anna", 7);
    /* 2024-05-06T07:08:09.123Z tester[PID] info: ... */
    const char *line = written();
    snprintf(expected, sizeof(expected), "Z tester[%d] info: user anna, 7\n", (int)getpid());
    assert_int_equal(line[4], '-');
    assert_int_equal(line[10], 'T');
    assert_string_equal(line + 23, expected);
    log_debug("not this");
    assert_string_equal(written(), "");
    log_line(LOG_LEVEL_DEBUG, "nor this");
    assert_string_equal(written(), "");
    log_error("but this");
    assert_non_null(strstr(written(), " error: but this\n"));
    log_open("tester", LOG_TO_NOWHERE, LOG_LEVEL_DEBUG);
    log_error("nowhere");
    assert_string_equal(written(), "");
    log_open("tester", LOG_TO_JOURNAL, LOG_LEVEL_DEBUG);
    log_warning("w");
    log_debug("d");
    assert_string_equal(written(), "<4>tester: w\n<7>tester: d\n");
}

static void test_log_cleans(void **state)
{
    static const struct {
        const char *raw, *clean;
    } rows[] = {
        {"a\nb", "a\\x0ab"},
        {"a\r\nb", "a\\x0d\\x0ab"},
        {"\x1b[2J", "\\x1b[2J"},
        {"tab\there", "tab\\x09here"},
        {"\x7f", "\\x7f"},
        {"\x01\x1f", "\\x01\\x1f"},
        {"M\xc3\xbcller", "M\xc3\xbcller"}, /* UTF-8 stays */
        {"\xe2\x82\xac \xf0\x9f\x98\x80", "\xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\xc2\x9b"
         "2J",
         "\\xc2\\x9b2J"},             /* CSI as UTF-8 has it */
        {"\xc2\x85.", "\\xc2\\x85."}, /* next line */
        {"\xc2\xa0.", "\xc2\xa0."},   /* the first that is none */
        {"50% %n %s", "50% %n %s"},
    };
    char expected[128];

    (void)state;
    log_open("tester", LOG_TO_JOURNAL, LOG_LEVEL_INFO);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        log_info("%s", rows[i].raw);
        snprintf(expected, sizeof(expected), "<6>tester: %s\n", rows[i].clean);
        assert_string_equal(written(), expected);
    }
}

/* A text of any length is one line of a bounded one, also when every byte of it grows. */
static void test_log_long_lines(void **state)
{
    static const char fills[] = {'x', '\n', '\x1b'};
    static char text[20000];

    (void)state;
    log_open("tester", LOG_TO_JOURNAL, LOG_LEVEL_INFO);
    for (size_t i = 0; i < sizeof(fills); i++) {
        for (size_t len = 2000; len < 2100; len++) {
            memset(text, fills[i], len);
            text[len] = '\0';
            log_info("%s", text);
            const char *line = written();
            assert_true(strlen(line) > 1900 && strlen(line) < 2100);
            assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
        }
    }
    memset(text, 'y', sizeof(text) - 1);
    log_info("%s", text);
    assert_true(strlen(written()) < 2100);
}

/* A log that nobody can take loses its line, not the process. */
static void test_log_without_reader(void **state)
{
    (void)state;
    log_open("tester", LOG_TO_STDERR, LOG_LEVEL_INFO);
    for (int i = 0; i < 2000; i++)
        log_info("a full pipe: %d", i);
    while (written()[0] != '\0')
        continue;
    const int kept = dup(2);
    close(2);
    log_info("no stderr at all");
    assert_int_equal(dup2(kept, 2), 2);
    close(kept);
    log_info("back");
    assert_non_null(strstr(written(), "back\n"));
}

static char hooked[4096];
static enum log_level hooked_level;

static void hook(enum log_level level, const char *line)
{
    hooked_level = level;
    snprintf(hooked, sizeof(hooked), "%s", line);
}

static void test_log_hook(void **state)
{
    (void)state;
    log_open_hook(hook, LOG_LEVEL_WARNING);
    log_warning("a\nb");
    assert_string_equal(hooked, "a\\x0ab");
    assert_int_equal(hooked_level, LOG_LEVEL_WARNING);
    log_info("below the level");
    assert_string_equal(hooked, "a\\x0ab");
    assert_string_equal(written(), "");
    log_open("tester", LOG_TO_STDERR, LOG_LEVEL_INFO);
}

/* ---- base64.h and utf8.h --------------------------------------------------------------------- */
static void test_base64(void **state)
{
    /* RFC 4648, 10 */
    static const char *const samples[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xff\xef", "/+8="},
    };
    static const char *const bad[] = {
        "=",      "==",   "===",  "Z",    "Zg",       "Zg=",
        "Zg===",  "Zh==", "Zm9=", "====", "=Zg=",     "Zg==Zg==",
        "Zm9v\n", "Zm 9", "Zm-_", "A===", "Zg==\r\n", "\xff\xff\xff\xff"};
    uint8_t bytes[8];
    char text[16];

    (void)state;
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        const struct slice plain = slice_text(samples[i][0]);
        const size_t n = base64_encode(plain, text);
        assert_int_equal(n, BASE64_LENGTH(plain.len));
        assert_true(slice_is(slice_of(text, n), samples[i][1]));
        assert_int_equal(base64_decode(slice_of(text, n), bytes, plain.len), plain.len);
        assert_memory_equal(bytes, plain.data, plain.len);
        if (plain.len > 0) {
            errno = 0;
            assert_int_equal(base64_decode(slice_of(text, n), bytes, plain.len - 1), -1);
            assert_int_equal(errno, EMSGSIZE);
        }
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        errno = 0;
        if (base64_decode(slice_text(bad[i]), bytes, sizeof(bytes)) != -1 || errno != EILSEQ)
            fail_msg("%s", bad[i]);
    }
    /* nothing of what was decoded stays when the rest is bad */
    memset(bytes, 1, sizeof(bytes));
    assert_int_equal(base64_decode(slice_text("Zm9v!!!!"), bytes, sizeof(bytes)), -1);
    assert_memory_equal(bytes, "\0\0\0\1", 4);
}

static void test_utf8_take(void **state)
{
    struct slice text = slice_text("a\xc3\xbc\xff\xe2\x82\xf0\x9f\x98\x80");
    static const struct {
        const char *shown;
        uint32_t code;
    } expected[] = {{"a", 'a'},
                    {"\xc3\xbc", 0xfc},
                    {"\xef\xbf\xbd", UTF8_NONE},
                    {"\xef\xbf\xbd", UTF8_NONE},
                    {"\xef\xbf\xbd", UTF8_NONE},
                    {"\xf0\x9f\x98\x80", 0x1f600}};
    uint32_t code;

    (void)state;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        assert_true(slice_is(utf8_take(&text, &code), expected[i].shown));
        assert_int_equal(code, expected[i].code);
    }
    assert_int_equal(text.len, 0);
}

int main(void)
{
#define LOGGED(test) cmocka_unit_test_setup_teardown(test, catch_stderr, let_stderr_go)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_read_cut),
        cmocka_unit_test(test_read_lengths_that_lie),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_name_lists),
        cmocka_unit_test(test_slices),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_utf8_take),
        cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_rights),
        cmocka_unit_test(test_rights_as_text),
        cmocka_unit_test(test_operations),
        LOGGED(test_log_lines),
        LOGGED(test_log_cleans),
        LOGGED(test_log_long_lines),
        LOGGED(test_log_without_reader),
        LOGGED(test_log_hook),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
