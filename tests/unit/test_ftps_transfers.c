/* The FTP engine's transfers, listings and digests, over a data connection that is two buffers:
 * what arrives, what is refused, what is broken off, and an agent that fails. */
#include "tests/unit/ftps_session.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- transfers ------------------------------------------------------------------------------ */
#define BIG 1000003

static uint8_t *big(void)
{
    static uint8_t bytes[BIG];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    return bytes;
}

static void test_download(void **state)
{
    struct test *t = *state;

    put_file(t, "f", big(), BIG);
    for (size_t piece = 0; piece <= 70000; piece += 35000) {
        t->f.piece = piece;
        t->f.waits = 5;
        assert_says(t, "TYPE I\r\nEPSV\r\nRETR f",
                    "200 Type is binary\r\n229 Entering Extended Passive Mode (|||30001|)\r\n"
                    "150 Sending f (1000003 bytes)\r\n226 Transfer complete");
        assert_sent(t, big(), BIG);
    }
    assert_int_equal(t->agent.seen->open, 0);
    assert_true(t->agent.seen->whole == 1 && t->agent.seen->bytes_read == BIG);
    say(t, "EPSV\r\nREST 1000000\r\nRETR f\r\n");
    assert_sent(t, big() + 1000000, 3);
    assert_begins(t, "EPSV\r\nREST 1000003\r\nRETR f", "229");
    assert_sent(t, "", 0);
    say(t, "EPSV\r\nRANG 10 19\r\nRETR f\r\n");
    assert_sent(t, big() + 10, 10);
    say(t, "EPSV\r\nRANG 10 9223372036854775807\r\nRETR f\r\n");
    assert_sent(t, big() + 10, BIG - 10);
    say(t, "EPSV\r\nRETR f\r\n"); /* REST and RANG hold once */
    assert_sent(t, big(), BIG);
}

static void test_download_refused(void **state)
{
    struct test *t = *state;

    put_file(t, "f", "12345", 5);
    assert_begins(t, "RETR f", "425 ");
    say(t, "TYPE I\r\nEPSV\r\n");
    assert_begins(t, "RETR nope", "550 ");
    assert_begins(t, "RETR f", "425 "); /* that connection is gone */
    say(t, "EPSV\r\nREST 6\r\n");
    assert_begins(t, "RETR f", "554 ");
    assert_begins(t, "REST 9223372036854775807", "350 ");
    assert_begins(t, "REST 9223372036854775808", "501 ");
    assert_begins(t, "REST -1", "501 ");
    assert_begins(t, "RANG 5 4", "501 ");
    assert_begins(t, "RANG 5", "501 ");
    assert_begins(t, "RANG 1 0", "350 ");
    say(t, "TYPE A\r\nEPSV\r\nREST 1\r\n");
    assert_begins(t, "RETR f", "554 ");
    t->f.fresh = true;
    say(t, "EPSV\r\n");
    assert_begins(t, "RETR f", "150 Sending f (5 bytes)\r\n522 ");
    t->f.fresh = false;
    t->f.sent_most = 2;
    say(t, "EPSV\r\n");
    assert_begins(t, "RETR f", "150 Sending f (5 bytes)\r\n426 ");
    t->f.sent_most = SIZE_MAX;
    t->f.waits = 1000000;
    t->f.tick_ms = 1000;
    say(t, "EPSV\r\n");
    assert_begins(t, "RETR f", "425 "); /* nobody comes */
    assert_int_equal(t->agent.seen->open, 0);
}

static void upload(struct test *t, const char *line, const void *bytes, size_t len)
{
    t->f.upload = slice_of(bytes, len);
    say(t, "EPSV\r\n");
    say(t, line);
}

static void test_upload(void **state)
{
    struct test *t = *state;

    say(t, "TYPE I\r\n");
    for (size_t piece = 0; piece <= 70000; piece += 35000) {
        t->f.piece = piece;
        t->f.waits = 5;
        upload(t, "STOR f\r\n", big(), BIG);
        assert_string_equal(t->f.said, "150 Receiving f\r\n226 Transfer complete\r\n");
        assert_file(t, "f", big(), BIG);
        assert_true(t->agent.seen->whole == 1 && t->agent.seen->bytes_written == BIG);
    }
    upload(t, "STOR f\r\n", "12345", 5);
    assert_file(t, "f", "12345", 5);
    upload(t, "REST 3\r\nSTOR f\r\n", "x", 1); /* the file ends where the upload does */
    assert_file(t, "f", "123x", 4);
    upload(t, "REST 4\r\nSTOR f\r\n", "yz", 2);
    assert_file(t, "f", "123xyz", 6);
    upload(t, "APPE f\r\n", "+", 1);
    assert_file(t, "f", "123xyz+", 7);
    upload(t, "APPE new\r\n", "+", 1);
    assert_file(t, "new", "+", 1);
    upload(t, "STOU\r\n", "unique", 6);
    assert_memory_equal(t->f.said, "150 FILE: upload.", 17);
    upload(t, "STOU f\r\n", "unique", 6);
    assert_memory_equal(t->f.said, "150 FILE: f.", 12);
    char name[32] = "";
    memcpy(name, t->f.said + 10, 14);
    assert_file(t, name, "unique", 6);
    assert_int_equal(t->agent.seen->open, 0);
}

static void test_upload_refused(void **state)
{
    struct test *t = *state;

    say(t, "TYPE I\r\n");
    put_file(t, "f", "12345", 5);
    upload(t, "REST 6\r\nSTOR f\r\n", "x", 1);
    assert_memory_equal(strchr(t->f.said, '\n') + 1, "554 ", 4);
    upload(t, "REST 1\r\nSTOR nope\r\n", "x", 1);
    assert_memory_equal(strchr(t->f.said, '\n') + 1, "553 ", 4);
    upload(t, "REST 1\r\nAPPE f\r\n", "x", 1);
    assert_memory_equal(strchr(t->f.said, '\n') + 1, "554 ", 4);
    upload(t, "RANG 1 2\r\nSTOR f\r\n", "x", 1);
    assert_memory_equal(strchr(t->f.said, '\n') + 1, "551 ", 4);
    assert_file(t, "f", "12345", 5);
    upload(t, "STOR nope/f\r\n", "x", 1);
    assert_memory_equal(t->f.said, "553 ", 4);
    t->f.cut = true; /* no close_notify: it is not whole */
    upload(t, "STOR f\r\n", "123", 3);
    assert_string_equal(t->f.said,
                        "150 Receiving f\r\n426 The upload broke off and is not whole: it "
                        "broke\r\n");
    assert_int_equal(t->agent.seen->whole, 0);
    t->f.cut = false;
    upload(t, "STOR full\r\n", big(), BIG);
    assert_memory_equal(t->f.said, "150 Receiving full\r\n452 ", 24);
    assert_int_equal(t->agent.seen->whole, 0);
    assert_int_equal(t->agent.seen->open, 0);
}

static void test_ascii_transfers(void **state)
{
    static char lines[600000], sent[1200000];
    struct test *t = *state;
    size_t n = 0, m = 0;

    for (size_t i = 0; n < sizeof(lines) - 8; i++) { /* a line end at every edge of pieces */
        for (size_t j = 0; j < i % 7; j++)
            lines[n++] = sent[m++] = 'x';
        lines[n++] = '\n';
        sent[m++] = '\r';
        sent[m++] = '\n';
    }
    put_file(t, "f", lines, n);
    say(t, "TYPE A\r\nEPSV\r\nRETR f\r\n");
    assert_sent(t, sent, m);
    t->f.piece = 1000;
    upload(t, "STOR g\r\n", sent, m);
    assert_file(t, "g", lines, n);
    upload(t, "STOR g\r\n", "a\r\r\nb\r", 6);
    assert_file(t, "g", "a\r\nb\r", 5);
}

static void test_abort(void **state)
{
    struct test *t = *state;

    put_file(t, "f", big(), BIG);
    assert_begins(t, "ABOR", "226 ");
    say(t, "TYPE I\r\nEPSV\r\n");
    /* By hand: the transfer stands still before its connection. */
    t->f.waits = 1;
    t->f.w.control.reader.len = 6;
    memcpy(t->f.w.control.reader.text, "RETR f", 6);
    assert_true(command_run(&t->f.w));
    assert_int_equal(t->f.w.work.kind, WORK_DOWNLOAD);
    static const struct {
        const char *line, *reply; /* NULL: it waits */
    } during[] = {{"NOOP", "200 Nothing done\r\n"},
                  {"STAT", "213 0 bytes so far\r\n"},
                  {"STAT f", NULL},
                  {"QUIT", NULL},
                  {"PWD", NULL},
                  {"FOO", NULL},
                  {"ABOR", "426 Broken off\r\n226 Nothing goes on any more\r\n"}};
    for (size_t i = 0; i < sizeof(during) / sizeof(during[0]); i++) {
        t->f.said_len = 0;
        t->f.w.control.reader.len = strlen(during[i].line);
        memcpy(t->f.w.control.reader.text, during[i].line, strlen(during[i].line));
        assert_int_equal(command_run(&t->f.w), during[i].reply != NULL);
        control_flush(&t->f.w);
        assert_string_equal(t->f.said, during[i].reply != NULL ? during[i].reply : "");
    }
    assert_int_equal(t->f.w.work.kind, WORK_NONE);
    assert_true(t->f.dropped);
    assert_int_equal(t->agent.seen->open, 0);
    assert_int_equal(t->agent.seen->whole, 0);
}

static void test_bandwidth(void **state)
{
    struct test *t = *state;

    put_file(t, "f", big(), BIG);
    t->f.w.out.rate = t->f.w.in.rate = 100000;
    const int64_t before = t->f.now_ms;
    say(t, "TYPE I\r\nEPSV\r\nRETR f\r\n");
    assert_sent(t, big(), BIG);
    assert_in_range(t->f.now_ms - before, 8000, 11000);
    const int64_t between = t->f.now_ms;
    upload(t, "STOR g\r\n", big(), BIG);
    assert_file(t, "g", big(), BIG);
    assert_in_range(t->f.now_ms - between, 8000, 11000);
}

/* ---- listings ------------------------------------------------------------------------------- */
static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What the client got, its lines in order and joined by '|'. */
static const char *lines_of(struct test *t)
{
    static char joined[65536];
    char *lines[500], *at = (char *)t->f.sent;
    size_t count = 0, len = 0;

    for (size_t left = t->f.sent_len; left > 0; count++) {
        char *end = memmem(at, left, "\r\n", 2);
        assert_true(end != NULL && count < 500);
        *end = '\0';
        lines[count] = at;
        left -= (size_t)(end + 2 - at);
        at = end + 2;
    }
    qsort(lines, count, sizeof(lines[0]), compare);
    joined[0] = '\0';
    for (size_t i = 0; i < count; i++)
        len += (size_t)snprintf(joined + len, sizeof(joined) - len, "%s%s", i > 0 ? "|" : "",
                                lines[i]);
    t->f.sent_len = 0;
    return joined;
}

#define assert_lists(t, line, names)                                                               \
    do {                                                                                           \
        say(t, "EPSV\r\n" line "\r\n");                                                            \
        assert_string_equal(lines_of(t), names);                                                   \
    } while (0)

static void test_listings(void **state)
{
    struct test *t = *state;

    put_file(t, "b.txt", "12345", 5);
    put_file(t, "a.c", "", 0);
    put_file(t, ".hidden", "", 0);
    put_file(t, "line\r\n226 end", "", 0);
    assert_int_equal(mkdir(below(t, "d"), 0755), 0);
    put_file(t, "d/x y", "", 0);
    put_file(t, "d/[z]", "", 0);
    assert_lists(t, "NLST", "a.c|b.txt|d|line??226 end");
    assert_lists(t, "NLST -A", ".hidden|a.c|b.txt|d|line??226 end");
    assert_lists(t, "NLST *.*", "a.c|b.txt");
    assert_lists(t, "NLST -a d/x*", "d/x y");
    assert_lists(t, "NLST d", "d/[z]|d/x y");
    assert_lists(t, "NLST /d/", "/d/[z]|/d/x y");
    assert_lists(t, "NLST d/x y", "d/x y");
    assert_lists(t, "NLST d/[z]", "d/[z]"); /* there is such a name */
    assert_lists(t, "NLST d/[xyz] *", "d/x y");
    assert_lists(t, "NLST d/[!x]*", "d/[z]");
    assert_lists(t, "NLST d/*z", "");
    say(t, "OPTS MLST type;size;\r\n");
    assert_lists(t, "MLSD d",
                 "type=cdir; .|type=file;size=0; [z]|type=file;size=0; x y|type=pdir; ..");
    const char *said = say(t, "EPSV\r\nNLST nope\r\n");
    assert_memory_equal(strchr(said, '\n') + 1, "550 ", 4);
    said = say(t, "EPSV\r\nMLSD b.txt\r\n");
    assert_memory_equal(strchr(said, '\n') + 1, "501 ", 4);
    say(t, "EPSV\r\nLIST -la b.txt\r\n");
    assert_non_null(strstr(lines_of(t), " b.txt"));
    assert_int_equal(symlink("b.txt", below(t, "l")), 0);
    say(t, "EPSV\r\nLIST l\r\n");
    assert_non_null(strstr(lines_of(t), " l -> b.txt"));
    said = say(t, "STAT d\r\n");
    assert_memory_equal(said, "213-Status:\r\n-rw", 16);
    assert_non_null(strstr(said, " x y\r\n"));
    assert_non_null(strstr(said, "\r\n213 End\r\n"));
    assert_int_equal(t->agent.seen->open, 0);
}

/* More than one answer of the agent, and more than one buffer of replies. */
static void test_long_listings(void **state)
{
    struct test *t = *state;
    char name[200];
    size_t lines = 0;

    for (int i = 0; i < 2000; i++) {
        memset(name, 'n', sizeof(name));
        snprintf(name + 150, 50, "%d", i);
        put_file(t, name, "", 0);
    }
    t->agent.seen->entries = 7;
    say(t, "EPSV\r\nNLST\r\n");
    for (size_t i = 0; i < t->f.sent_len; i++)
        lines += t->f.sent[i] == '\n';
    assert_int_equal(lines, 2000);
    const char *said = say(t, "STAT /\r\n");
    for (lines = 0; *said != '\0'; said++)
        lines += *said == '\n';
    assert_int_equal(lines, 2002);
}

/* ---- digests -------------------------------------------------------------------------------- */
static void test_hash(void **state)
{
    struct test *t = *state;

    put_file(t, "f", "abc", 3);
    assert_says(
        t, "HASH f",
        "213 SHA-256 0-2 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad /f");
    assert_says(t, "OPTS HASH CRC32\r\nHASH f", "200 CRC32\r\n213 CRC32 0-2 352441c2 /f");
    assert_says(t, "RANG 1 1\r\nHASH f",
                "350 Restarting at 1. End byte range at 1\r\n213 CRC32 1-1 71beeff9 /f");
    put_file(t, "empty", "", 0);
    assert_says(t, "HASH empty", "213 CRC32 0-0 00000000 /empty");
    assert_begins(t, "HASH nope", "550 ");
    say(t, "RANG 9 10\r\n");
    assert_begins(t, "HASH f", "556 ");
    put_file(t, "g", big(), BIG);
    assert_begins(t, "HASH g", "213 CRC32 0-1000002 ");
    assert_int_equal(t->agent.seen->open, 0);
}

/* ---- the agent fails ------------------------------------------------------------------------ */
static void test_broken_agent(void **state)
{
    static const char *const lines[] = {
        "PWD\r\nCWD /\r\n",     "EPSV\r\nRETR f\r\n", "EPSV\r\nLIST\r\n", "MLST f\r\n",
        "EPSV\r\nSTOR new\r\n", "HASH f\r\n",         "DELE f\r\n",       "SIZE f\r\n"};

    (void)state;
    for (uint32_t how = SABOTAGE_HANG_UP; how <= SABOTAGE_NO_DESCRIPTOR; how++) {
        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
            void *one = NULL;
            session_start(&one);
            struct test *t = one;
            put_file(t, "f", "x", 1);
            t->agent.seen->sabotage = how;
            say(t, lines[i]);
            const bool one_more = how == SABOTAGE_WORTHLESS_YES || how == SABOTAGE_NO_DESCRIPTOR;
            assert_true(t->f.w.stop.asked || one_more);
            assert_int_equal(t->f.w.work.kind, WORK_NONE);
            session_end(&one);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SESSION(test_download),
        IN_SESSION(test_download_refused),
        IN_SESSION(test_upload),
        IN_SESSION(test_upload_refused),
        IN_SESSION(test_ascii_transfers),
        IN_SESSION(test_abort),
        IN_SESSION(test_bandwidth),
        IN_SESSION(test_listings),
        IN_SESSION(test_long_listings),
        IN_SESSION(test_hash),
        cmocka_unit_test(test_broken_agent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
