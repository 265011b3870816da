/* The FTP engine does what clients ask: the table of verbs, logins, names, transfers, listings and
 * digests, against real files that a simple agent in a child process serves, over a data connection
 * that is two buffers. What the network does to it is in the end-to-end tests. */
#include <ctype.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/calendar.h"
#include "common/operations.h"
#include "tests/unit/fake_agent.h"
#include "tests/unit/ftps_fake.h"

struct test {
    struct ftps_fake f;
    struct fake_agent agent;
    char folder[64];
};

static int start(void **state)
{
    struct test *t = calloc(1, sizeof(*t));

    assert_non_null(t);
    slice_copy(slice_text("/tmp/sallyport-ftps-XXXXXX"), t->folder, sizeof(t->folder));
    assert_non_null(mkdtemp(t->folder));
    fake_agent_start(&t->agent, t->folder);
    ftps_fake_start(&t->f, t->agent.link);
    *state = t;
    return 0;
}

static int forget(const char *path, const struct stat *st, int flag, struct FTW *walk)
{
    (void)st;
    (void)flag;
    (void)walk;
    return remove(path);
}

static int end(void **state)
{
    struct test *t = *state;

    ftps_fake_end(&t->f);
    fake_agent_stop(&t->agent);
    nftw(t->folder, forget, 8, FTW_DEPTH | FTW_PHYS);
    free(t);
    return 0;
}

/* Say lines; returns all that was answered. */
static const char *say(struct test *t, const char *lines)
{
    t->f.said_len = 0;
    t->f.said[0] = '\0';
    ftps_fake_feed(&t->f, (const uint8_t *)lines, strlen(lines));
    return t->f.said;
}

#define assert_says(t, line, reply) assert_string_equal(say(t, line "\r\n"), reply "\r\n")
#define assert_begins(t, line, reply)                                                              \
    assert_memory_equal(say(t, line "\r\n"), reply, sizeof(reply) - 1)

static const char *below(struct test *t, const char *name)
{
    static char path[2][400];
    static unsigned turn;

    snprintf(path[++turn % 2], sizeof(path[0]), "%s/%s", t->folder, name);
    return path[turn % 2];
}

static void put_file(struct test *t, const char *name, const void *bytes, size_t len)
{
    FILE *file = fopen(below(t, name), "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void assert_file(struct test *t, const char *name, const void *bytes, size_t len)
{
    char *there = malloc(len + 2);
    FILE *file = fopen(below(t, name), "rb");

    assert_non_null(file);
    assert_int_equal(fread(there, 1, len + 1, file), len);
    assert_memory_equal(there, bytes, len);
    fclose(file);
    free(there);
}

static void assert_sent(struct test *t, const void *bytes, size_t len)
{
    assert_int_equal(t->f.sent_len, len);
    assert_memory_equal(t->f.sent, bytes, len);
    t->f.sent_len = 0;
}

/* ---- the table ------------------------------------------------------------------------------ */
static bool is_operation(const char *name, size_t len)
{
    const struct operation_info *info;

    for (int i = 0; (info = operation_info((enum operation)i)) != NULL; i++) {
        if (strlen(info->name) == len && memcmp(info->name, name, len) == 0)
            return true;
    }
    return false;
}

static void check_rows(const struct verb *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct verb *v = &rows[i];
        assert_true(strlen(v->name) >= 3 && strlen(v->name) < 8);
        for (const char *c = v->name; *c != '\0'; c++)
            assert_true(isupper((unsigned char)*c));
        assert_non_null(v->run);
        assert_true(v->states != 0 && strlen(v->help) > 4 && strlen(v->help) < 200);
        assert_true(v->misuse[0] == '5' && v->misuse[3] == ' ');
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(v->name, rows[j].name);
        for (const char *o = v->operations; *o != '\0';) {
            const size_t n = strcspn(o, " ");
            assert_true(is_operation(o, n));
            o += o[n] == ' ' ? n + 1 : n;
        }
    }
}

static void test_table(void **state)
{
    size_t count;
    const struct verb *rows = verbs_all(&count);

    (void)state;
    assert_true(count > 50);
    check_rows(rows, count);
    for (size_t i = 0; i < count; i++)
        assert_ptr_equal(verb_find(rows[i].name), &rows[i]);
    assert_ptr_equal(verb_find("XPWD"), verb_find("PWD"));
    assert_null(verb_find("RET"));
    assert_null(verb_find(""));
    rows = verbs_site(&count);
    check_rows(rows, count);
}

/* Every verb in every state, without an argument and with one: one reply of its own, and what the
 * table does not allow changes nothing and asks nobody. */
static void test_every_verb_in_every_state(void **state)
{
    static const enum state states[] = {STATE_CLEAR, STATE_SECURE, STATE_NAMED};
    struct test *t = *state;
    size_t count;
    const struct verb *rows = verbs_all(&count);

    for (size_t s = 0; s < sizeof(states) / sizeof(states[0]); s++) {
        for (size_t i = 0; i < 2 * count; i++) {
            const struct verb *v = &rows[i / 2];
            char line[64];
            snprintf(line, sizeof(line), "%s%s\r\n", v->name, i % 2 == 0 ? "" : " x");
            t->f.w.state = states[s];
            t->f.w.stop = t->f.w.quitting = false;
            t->f.w.control.secure = states[s] != STATE_CLEAR;
            t->f.outcome = VERDICT_DENIED;
            const uint32_t questions = t->agent.seen->questions;
            const char *said = say(t, line);
            assert_int_equal(t->agent.seen->questions, questions);
            assert_true(isdigit((unsigned char)said[0]));
            if ((v->states & states[s]) == 0) {
                assert_int_equal(said[0], '5');
                assert_int_equal(t->f.w.state, states[s]);
            }
        }
    }
}

static void test_help_and_features(void **state)
{
    struct test *t = *state;
    const char *said = say(t, "FEAT\r\n");

    assert_memory_equal(said, "211-Features:\r\n ", 16);
    assert_non_null(strstr(said, "\r\n MLST type*;size*;"));
    assert_non_null(strstr(said, "\r\n HASH SHA-256*;SHA-512;"));
    assert_non_null(strstr(said, "\r\n REST STREAM\r\n"));
    assert_non_null(strstr(said, "\r\n EPRT\r\n"));
    assert_non_null(strstr(said, "\r\n211 End\r\n"));
    t->f.w.setup.active = 0;
    assert_null(strstr(say(t, "FEAT\r\n"), "EPRT"));
    said = say(t, "HELP\r\n");
    size_t count;
    const struct verb *rows = verbs_all(&count);
    for (size_t i = 0; i < count; i++)
        assert_non_null(strstr(said, rows[i].name));
    assert_says(t, "HELP retr", "214 RETR path: download");
    assert_begins(t, "HELP NOPE", "502 ");
    assert_begins(t, "HELP SITE", "214-After SITE:");
    assert_says(t, "OPTS MLST size;type;", "200 MLST OPTS type;size;");
    assert_says(t, "OPTS MLST", "200 MLST OPTS ");
    assert_says(t, "OPTS HASH crc32", "200 CRC32");
    assert_begins(t, "OPTS UTF8 OFF", "501 ");
}

/* ---- logins --------------------------------------------------------------------------------- */
static void begin_login(struct test *t, bool secure)
{
    agent_close(&t->f.w.agent);
    t->f.w.state = secure ? STATE_SECURE : STATE_CLEAR;
    t->f.w.control.secure = secure;
    t->f.w.pbsz = t->f.w.private_data = false;
}

static void test_login(void **state)
{
    struct test *t = *state;

    begin_login(t, false);
    assert_begins(t, "USER alice", "530 This server takes logins over TLS only");
    assert_begins(t, "PASS x", "530 This server takes logins over TLS only");
    assert_begins(t, "LIST", "530 This server takes logins over TLS only");
    assert_begins(t, "PBSZ 0", "503 ");
    assert_begins(t, "CCC", "533 ");
    assert_begins(t, "AUTH GSSAPI", "504 ");
    assert_begins(t, "HOST a", "220 ");
    assert_begins(t, "AUTH tls", "234 ");
    assert_begins(t, "AUTH TLS", "503 ");
    assert_begins(t, "LIST", "530 Log in");
    assert_begins(t, "PASS x", "503 ");
    assert_begins(t, "USER alice", "331 ");
    t->f.outcome = VERDICT_DENIED;
    assert_says(t, "PASS x", "530 Login incorrect");
    assert_begins(t, "PASS x", "503 ");
    assert_begins(t, "USER alice", "331 ");
    t->f.outcome = VERDICT_PARTIAL;
    assert_begins(t, "PASS x", "530 This account needs a key");
    assert_begins(t, "USER bob", "331 ");
    assert_begins(t, "USER alice", "331 ");
    t->f.outcome = VERDICT_OPEN;
    dup2(t->agent.link, FD_AGENT);
    assert_begins(t, "PASS ", "230 ");
    assert_begins(t, "USER alice", "503 ");
    assert_begins(t, "HOST a", "503 ");
    assert_begins(t, "PROT P", "503 ");
    assert_begins(t, "PBSZ 0", "200 PBSZ=0");
    assert_begins(t, "PROT C", "534 ");
    assert_begins(t, "PROT E", "536 ");
    assert_begins(t, "PROT X", "504 ");
    t->f.w.data.state = DATA_PASSIVE;
    assert_begins(t, "LIST", "522 ");
    assert_begins(t, "PROT P", "200 ");
    assert_begins(t, "PWD", "257 \"/\"");
    if (t->agent.link != FD_AGENT)
        close(FD_AGENT);
}

static void test_too_many_tries(void **state)
{
    struct test *t = *state;
    char name[ACCOUNT_NAME_MAX + 8], line[ACCOUNT_NAME_MAX + 32];

    begin_login(t, true);
    memset(name, 'a', sizeof(name));
    name[ACCOUNT_NAME_MAX + 1] = '\0'; /* too long to be asked about */
    snprintf(line, sizeof(line), "USER %s\r\nPASS x\r\n", name);
    for (int i = 0; i < 20; i++)
        assert_memory_equal(say(t, line), "331", 3);
    say(t, line);
    assert_true(t->f.w.stop);
    t->f.w.stop = false;
    t->f.outcome = VERDICT_ENOUGH;
    say(t, "USER alice\r\nPASS x\r\n");
    assert_true(t->f.w.stop);
}

/* ---- lines that are none -------------------------------------------------------------------- */
static void test_bad_lines(void **state)
{
    static char line[LINE_BYTES + 100];
    struct test *t = *state;

    assert_begins(t, "", "500 ");
    assert_begins(t, "FOO", "500 ");
    assert_begins(t, "RETRIEVER x", "500 ");
    assert_begins(t, "CWD", "501 CWD needs");
    assert_begins(t, "PWD x", "501 PWD takes no argument");
    assert_begins(t, "pwd ", "257 ");
    assert_begins(t, "CWD a\rb", "501 ");
    memset(line, 'a', sizeof(line));
    memcpy(line, "CWD ", 4);
    line[sizeof(line) - 2] = '\n';
    line[sizeof(line) - 1] = '\0';
    assert_memory_equal(say(t, line), "500 The line is too long", 24);
    line[5000] = '\n';
    line[5001] = '\0';
    assert_memory_equal(say(t, line), "553 ", 4);
    assert_string_equal(say(t, "PWD\nNOOP\r\n"),
                        "257 \"/\" is the working folder\r\n200 Nothing done\r\n");
}

/* ---- names ---------------------------------------------------------------------------------- */
static void test_names(void **state)
{
    struct test *t = *state;

    assert_says(t, "MKD a \"b\"", "257 \"/a \"\"b\"\"\" made");
    assert_begins(t, "CWD a \"b\"", "250 ");
    assert_says(t, "PWD", "257 \"/a \"\"b\"\"\" is the working folder");
    assert_begins(t, "XMKD c/../d", "257 \"/a \"\"b\"\"/d\"");
    assert_begins(t, "CDUP", "250 ");
    assert_says(t, "PWD", "257 \"/\" is the working folder");
    put_file(t, "f", "x", 1);
    assert_begins(t, "CWD f", "550 This is not a folder");
    assert_begins(t, "CWD nope", "550 No such file");
    assert_begins(t, "RNTO g", "503 ");
    assert_begins(t, "RNFR nope", "550 ");
    assert_begins(t, "RNTO g", "503 ");
    assert_begins(t, "RNFR f", "350 ");
    assert_begins(t, "NOOP", "200 ");
    assert_begins(t, "RNTO g", "503 "); /* it has to follow at once */
    assert_begins(t, "RNFR f", "350 ");
    assert_begins(t, "RNTO g", "250 ");
    assert_file(t, "g", "x", 1);
    assert_begins(t, "DELE g", "250 ");
    assert_begins(t, "DELE g", "550 ");
    assert_begins(t, "RMD /a \"b\"/d", "250 ");
    assert_begins(t, "RMD nope", "550 ");
    assert_begins(t, "AVBL", "213 ");
}

static void test_attributes(void **state)
{
    struct test *t = *state;
    struct stat st;

    put_file(t, "f 1", "12345", 5);
    assert_says(t, "SIZE f 1", "213 5");
    assert_begins(t, "TYPE A", "200 ");
    assert_begins(t, "SIZE f 1", "550 ");
    assert_begins(t, "TYPE I", "200 ");
    assert_begins(t, "SIZE /", "550 This is not a file");
    assert_says(t, "MFMT 20200102030405 f 1", "213 Modify=20200102030405; /f 1");
    assert_says(t, "MDTM f 1", "213 20200102030405");
    assert_begins(t, "MDTM 20210102030405 f 1", "200 ");
    assert_says(t, "MDTM f 1", "213 20210102030405");
    put_file(t, "20210102030405 f 1", "", 0);
    assert_begins(t, "MDTM 20210102030405 f 1", "213 20"); /* there is such a file: it is meant */
    assert_begins(t, "MFMT 2020 f 1", "501 ");
    assert_begins(t, "MFMT 20200102030405", "501 ");
    assert_says(t, "MFF UNIX.mode=0600;Modify=20190102030405; f 1",
                "213 UNIX.mode=0600;Modify=20190102030405; /f 1");
    assert_int_equal(stat(below(t, "f 1"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_begins(t, "MFF size=5; f 1", "501 ");
    assert_begins(t, "MFF modify=20190102030405 f 1", "501 ");
    assert_begins(t, "MFF  f 1", "501 ");
    assert_begins(t, "SITE CHMOD 644 f 1", "200 ");
    assert_int_equal(stat(below(t, "f 1"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
    assert_begins(t, "SITE CHMOD 899 f 1", "501 ");
    assert_begins(t, "SITE CHMOD 644", "501 ");
    assert_begins(t, "SITE UTIME 202001020304 f 1", "200 ");
    assert_says(t, "MDTM f 1", "213 20200102030400");
    assert_begins(t, "SITE UTIME f 1 20220102030405 20230102030405 20240102030405 UTC", "200 ");
    assert_says(t, "MDTM f 1", "213 20230102030405");
    assert_begins(t, "SITE UTIME f 1", "501 ");
    assert_begins(t, "SITE NOPE", "504 ");
}

static void test_mlst(void **state)
{
    struct test *t = *state;

    put_file(t, "f", "12345", 5);
    assert_int_equal(symlink("f", below(t, "l")), 0);
    say(t, "OPTS MLST type;size;\r\n");
    assert_says(t, "MLST f", "250-Facts:\r\n type=file;size=5; /f\r\n250 End");
    assert_says(t, "MLST l", "250-Facts:\r\n type=OS.unix=slink:f; /l\r\n250 End");
    assert_says(t, "MLST", "250-Facts:\r\n type=dir; /\r\n250 End");
    assert_begins(t, "MLST nope", "550 ");
}

/* ---- data connections ----------------------------------------------------------------------- */
static void test_ports(void **state)
{
    struct test *t = *state;

    assert_says(t, "PASV", "227 Entering Passive Mode (192,0,2,1,117,49)");
    assert_says(t, "EPSV", "229 Entering Extended Passive Mode (|||30001|)");
    assert_begins(t, "EPSV 1", "229 ");
    assert_says(t, "EPSV 2", "522 Network protocol not supported, use (1)");
    assert_begins(t, "EPSV x", "501 ");
    assert_begins(t, "PORT 192,0,2,7,4,0", "200 ");
    assert_begins(t, "PORT 192,0,2,7,3,255", "501 ");
    assert_begins(t, "PORT 192,0,2,8,4,0", "501 Only your own address");
    assert_begins(t, "EPRT |1|192.0.2.7|1024|", "200 ");
    assert_begins(t, "EPRT |2|::1|1024|", "501 ");
    assert_begins(t, "EPRT |9|::1|1024|", "522 ");
    t->f.w.setup.active = 0;
    assert_begins(t, "PORT 192,0,2,7,4,0", "502 ");
    t->f.absent = true;
    assert_says(t, "PASV", "425 no port is free");
    assert_begins(t, "LIST", "425 ");
    t->f.absent = false;
    assert_begins(t, "EPSV all", "200 ");
    assert_begins(t, "PASV", "503 ");
    assert_begins(t, "PORT 192,0,2,7,4,0", "503 ");
    assert_begins(t, "EPSV", "229 ");
    t->f.w.client.v6 = true;
    t->f.w.epsv_all = false;
    assert_begins(t, "PASV", "425 ");
    assert_says(t, "EPSV 1", "522 Network protocol not supported, use (2)");
}

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
            start(&one);
            struct test *t = one;
            put_file(t, "f", "x", 1);
            t->agent.seen->sabotage = how;
            say(t, lines[i]);
            const bool one_more = how == SABOTAGE_WORTHLESS_YES || how == SABOTAGE_NO_DESCRIPTOR;
            assert_true(t->f.w.stop || one_more);
            assert_int_equal(t->f.w.work.kind, WORK_NONE);
            end(&one);
        }
    }
}

int main(void)
{
#define IN_SESSION(test) cmocka_unit_test_setup_teardown(test, start, end)
    const struct CMUnitTest tests[] = {
        IN_SESSION(test_table),
        IN_SESSION(test_every_verb_in_every_state),
        IN_SESSION(test_help_and_features),
        IN_SESSION(test_login),
        IN_SESSION(test_too_many_tries),
        IN_SESSION(test_bad_lines),
        IN_SESSION(test_names),
        IN_SESSION(test_attributes),
        IN_SESSION(test_mlst),
        IN_SESSION(test_ports),
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
