/* The texts of FTP: lines with Telnet's escapes, paths, addresses, patterns, line ends, facts,
 * times, digests. Pieces are cut at every byte where that could matter. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/operations.h"
#include "common/facts.h"
#include "common/calendar.h"
#include "common/ls_line.h"
#include "ftps-worker/address.h"
#include "ftps-worker/ascii.h"
#include "ftps-worker/digest.h"
#include "ftps-worker/facts.h"
#include "ftps-worker/line.h"
#include "ftps-worker/path.h"
#include "ftps-worker/wildcard.h"

/* ---- lines ---------------------------------------------------------------------------------- */
static void assert_line(struct line_reader *r, const char *text, size_t len, bool bad)
{
    assert_true(r->whole);
    assert_int_equal(r->bad, bad);
    assert_int_equal(r->len, len);
    assert_memory_equal(r->text, text, len);
}

#define RAW(text) (const uint8_t *)(text), sizeof(text) - 1

static void test_line(void **state)
{
    static struct line_reader r;
    static const struct {
        const uint8_t *in;
        size_t in_len;
        const char *text;
        size_t len;
        bool bad;
    } cases[] = {
        {RAW("NOOP\r\n"), "NOOP", 4, false},
        {RAW("NOOP\n"), "NOOP", 4, false},
        {RAW("\r\n"), "", 0, false},
        {RAW("CWD a\r\0b\r\n"), "CWD a\rb", 7, false}, /* RFC 2640, 3.1 */
        {RAW("CWD a\rb\r\n"), "CWD ab", 6, true},
        {RAW("CWD a\r\r\n"), "CWD a", 5, true},
        {RAW("CWD a\0b\r\n"), "CWD a\0b", 7, true},
        {RAW("\377\364\377\362ABOR\r\n"), "ABOR", 4, false},
        {RAW("A\377\373\001B\377\376\377C\r\n"), "ABC", 3, false}, /* options, whatever number */
        {RAW("CWD \377\377\r\n"), "CWD \377", 5, false},
        {RAW("CWD \303\274 \342\202\254\r\n"), "CWD \303\274 \342\202\254", 10, false},
        {RAW("A\r\377\364\n"), "A", 1, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        /* in one piece, and byte by byte */
        assert_int_equal(line_feed(&r, cases[i].in, cases[i].in_len), cases[i].in_len);
        assert_line(&r, cases[i].text, cases[i].len, cases[i].bad);
        for (size_t at = 0; at < cases[i].in_len; at++)
            assert_int_equal(line_feed(&r, cases[i].in + at, 1), 1);
        assert_line(&r, cases[i].text, cases[i].len, cases[i].bad);
    }
}

static void test_lines_in_one_piece(void **state)
{
    static struct line_reader r;
    const char *in = "USER a\r\nPASS b\r\nQUI";

    (void)state;
    assert_int_equal(line_feed(&r, (const uint8_t *)in, 19), 8);
    assert_line(&r, "USER a", 6, false);
    assert_int_equal(line_feed(&r, (const uint8_t *)in + 8, 11), 8);
    assert_line(&r, "PASS b", 6, false);
    assert_int_equal(line_feed(&r, (const uint8_t *)in + 16, 3), 3);
    assert_false(r.whole);
}

static void test_long_line(void **state)
{
    static struct line_reader r;
    static uint8_t in[LINE_BYTES + 100];

    (void)state;
    memset(in, 'a', sizeof(in));
    in[LINE_BYTES] = '\n';
    assert_int_equal(line_feed(&r, in, sizeof(in)), LINE_BYTES + 1);
    assert_true(r.whole && !r.too_long && r.len == LINE_BYTES);
    in[LINE_BYTES] = 'a';
    in[sizeof(in) - 1] = '\n';
    assert_int_equal(line_feed(&r, in, sizeof(in)), sizeof(in));
    assert_true(r.whole && r.too_long && r.len == LINE_BYTES);
    assert_int_equal(line_feed(&r, RAW("NOOP\n")), 5);
    assert_line(&r, "NOOP", 4, false);
    assert_false(r.too_long);
}

static void test_split(void **state)
{
    struct slice argument;
    char verb[8];

    (void)state;
    assert_true(line_split(slice_text("retr  a b "), verb, sizeof(verb), &argument));
    assert_string_equal(verb, "RETR");
    assert_true(slice_is(argument, " a b "));
    assert_false(line_split(slice_text("noop"), verb, sizeof(verb), &argument));
    assert_string_equal(verb, "NOOP");
    assert_int_equal(argument.len, 0);
    assert_true(line_split(slice_text("cwd "), verb, sizeof(verb), &argument));
    assert_int_equal(argument.len, 0);
    line_split(slice_text("abcdefgh"), verb, sizeof(verb), &argument);
    assert_string_equal(verb, ""); /* no verb begins another */
    line_split(slice_text(""), verb, sizeof(verb), &argument);
    assert_string_equal(verb, "");
}

/* ---- paths ---------------------------------------------------------------------------------- */
static void test_path(void **state)
{
    static const char *const cases[][3] = {
        {"/", "", "/"},
        {"/", "a", "/a"},
        {"/a", "b", "/a/b"},
        {"/a", "/b", "/b"},
        {"/a/b", "..", "/a"},
        {"/a", "../..", "/"},
        {"/a", "../../b", "/b"},
        {"/a", "./b//c/.", "/a/b/c"},
        {"/a", "b/../c", "/a/c"},
        {"/", " a ", "/ a "},
        {"/a b", "c d", "/a b/c d"},
        {"/a", "...", "/a/..."},
        {"/a", "b/", "/a/b"},
        {"/a", "/", "/"},
        {"/a", "\303\274", "/a/\303\274"},
    };
    static struct path path;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(path_join(&path, slice_text(cases[i][0]), slice_text(cases[i][1])), 0);
        assert_string_equal(path.text, cases[i][2]);
        assert_int_equal(path.len, strlen(cases[i][2]));
    }
    /* in place */
    assert_int_equal(path_join(&path, slice_text("/a/b"), slice_text("c")), 0);
    assert_int_equal(path_join(&path, path_slice(&path), slice_text("../d")), 0);
    assert_string_equal(path.text, "/a/b/d");
    assert_int_equal(path_last(&path), 5);
    assert_int_equal(path_join(&path, slice_text("/"), slice_of("a\0b", 3)), EILSEQ);
}

static void test_path_length(void **state)
{
    static char name[PATH_BYTES + 2];
    static struct path path;

    (void)state;
    memset(name, 'a', sizeof(name));
    assert_int_equal(path_join(&path, slice_text("/"), slice_of(name, PATH_BYTES - 1)), 0);
    assert_int_equal(path.len, PATH_BYTES);
    assert_int_equal(path_join(&path, slice_text("/"), slice_of(name, PATH_BYTES)), ENAMETOOLONG);
    assert_int_equal(path_join(&path, slice_text("/b"), slice_of(name, PATH_BYTES - 2)),
                     ENAMETOOLONG);
}

static void test_path_shown(void **state)
{
    char text[64];
    size_t n;

    (void)state;
    n = path_show(slice_text("a \"b\"\r\n226 \303\274\177"), true, text, sizeof(text));
    assert_int_equal(n, 16);
    assert_memory_equal(text, "a \"\"b\"\"??226 \303\274?", n);
    assert_int_equal(path_show(slice_text("\"\""), true, text, 3), 2);
    assert_int_equal(path_show(slice_text("\"\""), false, text, 1), 1);
}

/* ---- addresses ------------------------------------------------------------------------------ */
static void test_port(void **state)
{
    static const char *const wrong[] = {"",
                                        "1,2,3,4,5",
                                        "1,2,3,4,5,6,7",
                                        "1,2,3,4,5,6 ",
                                        "256,2,3,4,5,6",
                                        "1,2,3,4,5,",
                                        "1,,3,4,5,6",
                                        "a,2,3,4,5,6",
                                        "-1,2,3,4,5,6",
                                        "1,2,3,4,99999999999999999999,6"};
    struct address a, b;

    (void)state;
    assert_int_equal(address_of_port(slice_text("192,0,2,1,4,1"), &a), ADDRESS_GOOD);
    assert_int_equal(a.port, 1025);
    assert_true(address_parse(slice_text("192.0.2.1"), &b) && address_same(&a, &b));
    assert_true(address_parse(slice_text("::ffff:192.0.2.1"), &b) && address_same(&a, &b));
    assert_true(address_parse(slice_text("192.0.2.2"), &b) && !address_same(&a, &b));
    assert_true(address_parse(slice_text("::1"), &b) && !address_same(&a, &b));
    assert_false(address_parse(slice_text("localhost"), &b));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(address_of_port(slice_text(wrong[i]), &a), ADDRESS_BAD);
}

static void test_eprt(void **state)
{
    static const char *const wrong[] = {"",
                                        "|",
                                        "|1|",
                                        "|1|192.0.2.1|",
                                        "|1|192.0.2.1|80",
                                        "|1|192.0.2.1|65536|",
                                        "|1|::1|80|",
                                        "|2|192.0.2.1|80|",
                                        "|1|a|80|",
                                        "|1|192.0.2.1|80|x",
                                        " 1 192.0.2.1 80 ",
                                        "|1|192.0.2.1||",
                                        "||192.0.2.1|80|"};
    struct address a, b;

    (void)state;
    assert_int_equal(address_of_eprt(slice_text("|1|192.0.2.1|6275|"), &a), ADDRESS_GOOD);
    assert_int_equal(a.port, 6275);
    assert_int_equal(address_of_eprt(slice_text("!2!2001:db8::1!6275!"), &a), ADDRESS_GOOD);
    assert_true(a.v6 && address_parse(slice_text("2001:DB8:0::1"), &b) && address_same(&a, &b));
    assert_int_equal(address_of_eprt(slice_text("|3|x|80|"), &a), ADDRESS_PROTOCOL);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(address_of_eprt(slice_text(wrong[i]), &a), ADDRESS_BAD);
}

/* ---- patterns ------------------------------------------------------------------------------- */
static void test_wildcard(void **state)
{
    static const struct {
        const char *pattern, *name;
        bool fits;
    } cases[] = {
        {"*", "a", true},           {"*", ".a", false},
        {".*", ".a", true},         {"*.txt", "a.txt", true},
        {"*.txt", "a.txt2", false}, {"a*b*c", "aXbYbZc", true},
        {"a*b*c", "aXbYbZ", false}, {"?", "ab", false},
        {"??", "ab", true},         {"[a-c]x", "bx", true},
        {"[a-c]x", "dx", false},    {"[!a-c]x", "dx", true},
        {"[^a-c]x", "ax", false},   {"[]]", "]", true},
        {"[a-]", "-", true},        {"[", "[", true},
        {"[a", "[a", true},         {"[a", "a", false},
        {"\\*", "*", true},         {"\\*", "a", false},
        {"**a", "bca", true},       {"", "", true},
        {"", "a", false},           {"a\\", "a\\", true},
    };
    char pattern[256], name[256];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (wildcard_match(slice_text(cases[i].pattern), slice_text(cases[i].name)) !=
            cases[i].fits)
            fail_msg("%s %s", cases[i].pattern, cases[i].name);
    }
    /* what takes others years */
    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = i % 2 == 0 ? '*' : 'a';
    memset(name, 'a', sizeof(name));
    pattern[sizeof(pattern) - 1] = 'b';
    assert_false(wildcard_match(slice_of(pattern, sizeof(pattern)), slice_of(name, sizeof(name))));
    assert_true(wildcard_in(slice_text("a[b")) && !wildcard_in(slice_text("a\\b")));
}

/* ---- line ends ------------------------------------------------------------------------------ */
static size_t to_network(const char *text, size_t len, size_t piece, uint8_t *out)
{
    uint8_t last = 0;
    size_t n = 0;

    for (size_t at = 0; at < len; at += piece) {
        const size_t take = len - at < piece ? len - at : piece;
        uint8_t space[2 * 16];
        /* the source at the end of the target, as the transfer has it */
        memcpy(space + sizeof(space) / 2, text + at, take);
        const size_t made = ascii_to_network(space, space + sizeof(space) / 2, take, &last);
        memcpy(out + n, space, made);
        n += made;
    }
    return n;
}

static size_t to_file(const char *text, size_t len, size_t piece, uint8_t *out)
{
    bool held = false;
    size_t n = 0;

    for (size_t at = 0; at < len; at += piece) {
        const size_t take = len - at < piece ? len - at : piece;
        uint8_t space[17];
        memcpy(space + 1, text + at, take);
        const size_t made = ascii_to_file(space, space + 1, take, &held);
        memcpy(out + n, space, made);
        n += made;
    }
    if (held)
        out[n++] = '\r';
    return n;
}

static void test_ascii(void **state)
{
    static const char file[] = "a\n\nb\r\nc\rd\n\n\n\n\n\n\n\n\n\n";
    static const char network[] = "a\r\n\r\nb\r\nc\rd\r\r\n\r\r";
    static const char stored[] = "a\n\nb\nc\rd\r\n\r\r";
    static const char sent[] = "a\r\n\r\nb\r\nc\rd\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";
    uint8_t out[128];

    (void)state;
    for (size_t piece = 1; piece <= 16; piece++) {
        assert_int_equal(to_network(file, sizeof(file) - 1, piece, out), sizeof(sent) - 1);
        assert_memory_equal(out, sent, sizeof(sent) - 1);
        assert_int_equal(to_file(network, sizeof(network) - 1, piece, out), sizeof(stored) - 1);
        assert_memory_equal(out, stored, sizeof(stored) - 1);
    }
}

/* ---- facts and times ------------------------------------------------------------------------ */
static const struct attributes a_file = {.mode = S_IFREG | 0640,
                                         .nlink = 1,
                                         .uid = 7,
                                         .gid = 8,
                                         .size = 18446744073709551615u,
                                         .mtime_ns = 1763740800 * NANO,
                                         .rights = RIGHTS_ALL,
                                         .access = ACCESS_READ | ACCESS_WRITE};

static void assert_facts(uint32_t facts, const struct attributes *a, const struct facts_of *of,
                         const char *expected)
{
    char text[FACTS_MAX + 64];
    const size_t n = facts_write(text, facts, a, of);

    assert_true(n < FACTS_MAX + of->target.len);
    text[n] = '\0';
    assert_string_equal(text, expected);
}

static void test_facts(void **state)
{
    const struct attributes folder = {.mode = S_IFDIR | 01755,
                                      .uid = 9,
                                      .gid = 8,
                                      .rights = RIGHTS_ALL,
                                      .access = ACCESS_READ | ACCESS_EXECUTE};
    const struct attributes link = {.mode = S_IFLNK | 0777, .uid = 9, .gid = 9};
    struct facts_of of = {.name = slice_text("x"), .above = 7};

    (void)state;
    assert_facts(
        FACTS_ALL, &a_file, &of,
        "type=file;size=18446744073709551615;modify=20251121160000;perm=awrdf;UNIX.mode=0640;"
        "UNIX.owner=7;UNIX.group=8; ");
    of.above = 5;
    assert_facts(FACT_PERM, &a_file, &of, "perm=awr; ");
    assert_facts(FACT_SIZE | FACT_TYPE, &folder, &of, "type=dir; ");
    assert_facts(FACT_PERM | FACT_MODE, &folder, &of, "perm=el;UNIX.mode=0755; ");
    assert_facts(0, &folder, &of, " ");
    /* rights and modes, both */
    struct attributes some = a_file;
    of.above = 7;
    some.rights = RIGHT_READ | RIGHT_RENAME;
    assert_facts(FACT_PERM, &some, &of, "perm=rf; ");
    some.access = ACCESS_WRITE | ACCESS_FIXED;
    assert_facts(FACT_PERM, &some, &of, "perm=; ");
    some = folder;
    some.access = ACCESS_READ | ACCESS_WRITE | ACCESS_EXECUTE;
    assert_facts(FACT_PERM, &some, &of, "perm=cmpeldf; ");
    some.rights = RIGHT_LIST | RIGHT_MKDIR | RIGHT_DELETE;
    some.access |= ACCESS_FIXED;
    assert_facts(FACT_PERM, &some, &of, "perm=mpel; ");
    of.above = 5;
    of.listed = true;
    of.name = slice_text(".");
    assert_facts(FACT_TYPE, &folder, &of, "type=cdir; ");
    of.name = slice_text("..");
    assert_facts(FACT_TYPE, &folder, &of, "type=pdir; ");
    assert_facts(FACT_TYPE, &link, &of, "type=OS.unix=slink; ");
    of.target = slice_text("../b");
    assert_facts(FACT_TYPE, &link, &of, "type=OS.unix=slink:../b; ");
    of.target = slice_text("a; type=dir");
    assert_facts(FACT_TYPE, &link, &of, "type=OS.unix=slink; ");
}

static void test_fact_names(void **state)
{
    char text[FACTS_MAX];

    (void)state;
    assert_int_equal(facts_parse(slice_text("TYPE;unix.MODE;nope;size")),
                     FACT_TYPE | FACT_MODE | FACT_SIZE);
    assert_int_equal(facts_parse(slice_text("")), 0);
    assert_int_equal(facts_parse(slice_text(";;")), 0);
    facts_feature(text, FACT_SIZE);
    assert_string_equal(text, "type;size*;modify;perm;UNIX.mode;UNIX.owner;UNIX.group;");
    facts_names(text, FACT_SIZE | FACT_GROUP);
    assert_string_equal(text, "size;UNIX.group;");
    for (uint32_t facts = 0; facts <= FACTS_ALL; facts++) {
        const size_t n = facts_names(text, facts);
        assert_int_equal(facts_parse(slice_of(text, n)), facts);
    }
}

static void test_time(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {
        {"19700101000000", 0},
        {"20251121160000", 1763740800 * NANO},
        {"20251121160000.5", 1763740800 * NANO + NANO / 2},
        {"20000229235959", 951868799 * NANO},
        {"19691231235959", -1 * NANO},
        {"20161231235960", 1483228800 * NANO}, /* a leap second */
        {"20251121160000.1234567899", 1763740800 * NANO + 123456789},
    };
    static const char *const wrong[] = {"",
                                        "2025112116000",
                                        "20250229000000",
                                        "20251321000000",
                                        "20251100000000",
                                        "20251131000000",
                                        "20251121240000",
                                        "20251121006000",
                                        "2025112100000x",
                                        "20251121000000.",
                                        "20251121000000.x",
                                        "202511210000001",
                                        "00000101000000",
                                        "+2025112100000",
                                        "99991231235959"};
    char text[TIME_TEXT];
    int64_t ns;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(time_parse(slice_text(good[i].text), &ns));
        assert_true(ns == good[i].ns);
        time_write(ns, text);
        if (strcmp(good[i].text, "20161231235960") != 0)
            assert_memory_equal(text, good[i].text, 14);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(time_parse(slice_text(wrong[i]), &ns));
    time_write(-1, text); /* rounded down */
    assert_string_equal(text, "19691231235959");
    time_write(INT64_MAX, text);
    assert_string_equal(text, "22620411234716");
}

/* Every day of eight centuries, against itself and the weekday that only counting gives. */
static void test_calendar(void **state)
{
    int64_t back;
    struct calendar before = calendar_of(-400 * INT64_C(31556952) - 86400);

    (void)state;
    for (int64_t t = -400 * INT64_C(31556952); t < 400 * INT64_C(31556952); t += 86400) {
        const struct calendar c = calendar_of(t);
        assert_true(calendar_seconds(&c, &back) && back == t);
        const bool next_day =
            c.year == before.year && c.month == before.month && c.day == before.day + 1;
        const bool next_month = c.day == 1 && before.day >= 28 &&
                                (c.month == before.month + 1 ||
                                 (c.month == 1 && before.month == 12 && c.year == before.year + 1));
        assert_true(next_day || next_month);
        before = c;
    }
    assert_int_equal(calendar_of(INT64_MAX).year, 9999);
    assert_int_equal(calendar_of(INT64_MIN).year, 1);
}

static void test_ls_line(void **state)
{
    const struct ls_account account = {.name = "alice", .uid = 7, .gid = 8};
    const struct attributes old = {
        .mode = S_IFDIR | S_ISVTX | 0755, .nlink = 4294967295u, .uid = 9, .gid = 8, .size = 5};
    char line[LS_LINE_MAX + 1];
    size_t n;

    (void)state;
    n = ls_line(&account, 1763740801, slice_text("name"), &a_file, line);
    line[n] = '\0';
    assert_string_equal(line,
                        "-rw-r-----   1 alice    alice    18446744073709551615 Nov 21 16:00 name");
    n = ls_line(&account, 1763740801, slice_of(NULL, 0), &old, line);
    line[n] = '\0';
    assert_string_equal(line, "drwxr-xr-t 4294967295 9        alice           5 Jan  1  1970 ");
}

/* ---- digests -------------------------------------------------------------------------------- */
static void test_digests(void **state)
{
    // clang-format off
    static const char *const of_abc[] = {
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "a9993e364706816aba3e25717850c26c9cd0d89d",
        "900150983cd24fb0d6963f7d28e17f72",
        "352441c2",
    };
    // clang-format on
    uint8_t check[] = "123456789";
    struct digest d;
    char text[DIGEST_TEXT];

    (void)state;
    assert_int_equal(digest_prepare(), 0);
    assert_int_equal(digest_count(), sizeof(of_abc) / sizeof(of_abc[0]));
    for (size_t i = 0; i < digest_count(); i++) {
        assert_int_equal(digest_find(slice_text(digest_name(i))), i);
        assert_int_equal(digest_begin(&d, i), 0);
        assert_int_equal(digest_feed(&d, (const uint8_t *)"a", 1), 0);
        assert_int_equal(digest_feed(&d, (const uint8_t *)"bc", 2), 0);
        assert_int_equal(digest_end(&d, text), 0);
        assert_string_equal(text, of_abc[i]);
        digest_free(&d);
    }
    assert_int_equal(digest_find(slice_text("sha-1")), 2);
    assert_int_equal(digest_find(slice_text("SHA-9")), digest_count());
    /* the check value of CRC-32, and the eight-byte way of it in every position */
    for (size_t cut = 0; cut <= 9; cut++) {
        assert_int_equal(digest_begin(&d, 4), 0);
        digest_feed(&d, check, cut);
        digest_feed(&d, check + cut, 9 - cut);
        assert_int_equal(digest_end(&d, text), 0);
        assert_string_equal(text, "cbf43926");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line),       cmocka_unit_test(test_lines_in_one_piece),
        cmocka_unit_test(test_long_line),  cmocka_unit_test(test_split),
        cmocka_unit_test(test_path),       cmocka_unit_test(test_path_length),
        cmocka_unit_test(test_path_shown), cmocka_unit_test(test_port),
        cmocka_unit_test(test_eprt),       cmocka_unit_test(test_wildcard),
        cmocka_unit_test(test_ascii),      cmocka_unit_test(test_facts),
        cmocka_unit_test(test_fact_names), cmocka_unit_test(test_time),
        cmocka_unit_test(test_calendar),   cmocka_unit_test(test_ls_line),
        cmocka_unit_test(test_digests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
