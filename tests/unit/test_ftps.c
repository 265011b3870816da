/* The FTP engine's commands: the table of verbs, logins, lines that are none, names, attributes,
 * addresses of data connections. What the network does to it is in the end-to-end tests. */
#include "tests/unit/ftps_session.h"

#include <ctype.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/operations.h"

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
            t->f.w.stop.asked = t->f.w.quitting = false;
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
    assert_says(t, "OPTS MLST", "200 MLST OPTS");
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
    assert_true(t->f.w.stop.asked);
    t->f.w.stop.asked = false;
    t->f.outcome = VERDICT_ENOUGH;
    say(t, "USER alice\r\nPASS x\r\n");
    assert_true(t->f.w.stop.asked);
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

int main(void)
{
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
