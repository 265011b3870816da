/* sallyport.conf: what is taken, what is refused and with which words, and that what is dumped can
 * be read again. Every file is a real one in a folder of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/config.h"
#include "common/log.h"

struct place {
    char folder[64];
    char file[96];
    struct config config;
    struct config_trouble trouble;
};

static int place_make(void **state)
{
    struct place *p = calloc(1, sizeof(*p));

    assert_non_null(p);
    snprintf(p->folder, sizeof(p->folder), "/tmp/sallyport-config-XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    snprintf(p->file, sizeof(p->file), "%s/sallyport.conf", p->folder);
    *state = p;
    return 0;
}

static int place_remove(void **state)
{
    struct place *p = *state;

    config_free(&p->config);
    unlink(p->file);
    rmdir(p->folder);
    free(p);
    return 0;
}

/* Write bytes as the file and read it. */
static int read_bytes(struct place *p, const char *bytes, size_t len)
{
    FILE *file = fopen(p->file, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
    config_free(&p->config);
    return config_read(p->file, &p->config, &p->trouble);
}

static int read_text(struct place *p, const char *text)
{
    return read_bytes(p, text, strlen(text));
}

/* Reading must fail with FILE<tail>, exactly. */
static void refused(struct place *p, const char *text, const char *tail)
{
    char expected[sizeof(p->trouble.text)];

    assert_int_equal(read_text(p, text), -1);
    snprintf(expected, sizeof(expected), "%s:%s", p->file, tail);
    assert_string_equal(p->trouble.text, expected);
}

static void defaults_alone(void **state)
{
    struct place *p = *state;

    assert_int_equal(config_read(NULL, &p->config, &p->trouble), 0);
    assert_string_equal(p->config.server_state_dir, "/var/lib/sallyport");
    assert_int_equal(p->config.server_umask, 027);
    assert_int_equal(p->config.server_log, CONFIG_LOG_STDERR);
    assert_int_equal(p->config.server_log_level, LOG_LEVEL_INFO);
    assert_int_equal(p->config.server_worker_ids.first, 40000);
    assert_int_equal(p->config.server_worker_ids.last, 44999);
    assert_true(p->config.sftp_enabled);
    assert_string_equal(p->config.sftp_listen, "0.0.0.0 ::");
    assert_int_equal(p->config.sftp_rekey_bytes, 1u << 30);
    assert_string_equal(p->config.sftp_banner, "");
}

static void every_kind(void **state)
{
    struct place *p = *state;
    char folder[PATH_MAX], path[PATH_MAX + 8];

    assert_int_equal(read_text(p, "\xef\xbb\xbf# a comment\n; another\n"
                                  "[server] ; the first\n"
                                  "state_dir = state\r\n"
                                  "key_dir=/etc/keys\n"
                                  "log = journal ; where\n"
                                  "log_level : debug\n"
                                  "umask = 77\n"
                                  "worker_ids = 1000-1999\n"
                                  "[limits]\n"
                                  "bandwidth = 3M\n"
                                  "penalty_exempt = 10.0.0.0/8, ::1\n"
                                  "   192.168.0.0/16\n"
                                  "[sftp]\n"
                                  "enabled = no\n"
                                  "listen =\n"
                                  "\t127.0.0.1\n"
                                  "\n"
                                  "# between\n"
                                  "    ::1\n"
                                  "ciphers = aes128-ctr,\n"
                                  "   aes256-ctr, chacha20-poly1305@openssh.com\n"
                                  "banner = one\\ntwo\\\\\n"
                                  "  three\n"
                                  "[server]\n"
                                  "spare_workers = 0"),
                     0);
    assert_non_null(realpath(p->folder, folder));
    snprintf(path, sizeof(path), "%s/state", folder);
    assert_string_equal(p->config.server_state_dir, path);
    assert_string_equal(p->config.server_key_dir, "/etc/keys");
    assert_int_equal(p->config.server_log, CONFIG_LOG_JOURNAL);
    assert_int_equal(p->config.server_log_level, LOG_LEVEL_DEBUG);
    assert_int_equal(p->config.server_umask, 077);
    assert_int_equal(p->config.server_worker_ids.last, 1999);
    assert_int_equal(p->config.server_spare_workers, 0);
    assert_int_equal(p->config.limits_bandwidth, 3 << 20);
    assert_string_equal(p->config.limits_penalty_exempt, "10.0.0.0/8 ::1 192.168.0.0/16");
    assert_false(p->config.sftp_enabled);
    assert_string_equal(p->config.sftp_listen, "127.0.0.1 ::1");
    assert_string_equal(p->config.sftp_ciphers,
                        "aes128-ctr,aes256-ctr,chacha20-poly1305@openssh.com");
    assert_string_equal(p->config.sftp_banner, "one\ntwo\\\nthree");
    /* What was not named keeps its default. */
    assert_int_equal(p->config.sftp_port, 2022);
}

static void empty_file(void **state)
{
    struct place *p = *state;

    assert_int_equal(read_text(p, ""), 0);
    assert_int_equal(p->config.sftp_port, 2022);
}

static void refusals(void **state)
{
    static const struct {
        const char *text, *tail;
    } rows[] = {
        {"[sftp]\nprot = 1\n", "2: there is no setting \"prot\" in [sftp]"},
        {"[sftp]\nhash_cost = 1\n",
         "2: there is no setting \"hash_cost\" in [sftp]; there is one in [server]"},
        {"port = 1\n", "1: \"port\" stands before any [section]"},
        {"[ssh]\n", "1: there is no section [ssh]; there are: [server] [sftp] [tls] [ftps] [https] "
                    "[accounts] [mail] [limits] [audit]"},
        {"[]\n", "1: there is no section []; there are: [server] [sftp] [tls] [ftps] [https] "
                 "[accounts] [mail] [limits] [audit]"},
        {"[sftp\nport = 1\n", "1: a [section] without its ]"},
        {"[sftp] port = 1\n", "1: text after a [section]"},
        {"[sftp]\nport\n", "2: neither a [section], nor NAME = VALUE, nor a comment"},
        {"[sftp]\nport\nport = x\n", "2: neither a [section], nor NAME = VALUE, nor a comment"},
        {"[sftp]\nport = 22\n\n[sftp]\nport = 23\n", "5: sftp.port was given on line 2 already"},
        {"[sftp]\nport = 22\n 23\n",
         "3: begins with a blank, so it would continue sftp.port, which takes one value"},
        {"[sftp]\nport = 22\n  listen = ::\n",
         "3: begins with a blank, so it would continue sftp.port, which takes one value"},
        {"[sftp]\nport = 0\n", "2: sftp.port: \"0\" is out of bounds: 1 to 65535"},
        {"[sftp]\nport = 65536\n", "2: sftp.port: \"65536\" is out of bounds: 1 to 65535"},
        {"[sftp]\nport = 99999999999999999999999\n",
         "2: sftp.port: \"99999999999999999999999\" is not a number"},
        {"[sftp]\nport = -1\n", "2: sftp.port: \"-1\" is not a number"},
        {"[sftp]\nport = 22 23\n", "2: sftp.port: \"22 23\" is not a number"},
        {"[sftp]\nport =\n", "2: sftp.port: \"\" is not a number"},
        {"[sftp]\nport = 022\n",
         "2: sftp.port: \"022\" is not a number: decimal, without leading zeros"},
        {"[server]\numask = 8\n", "2: server.umask: \"8\" is not an octal number"},
        {"[server]\numask = 1000\n", "2: server.umask: \"1000\" is out of bounds: 00 to 0777"},
        {"[sftp]\nenabled = true\n", "2: sftp.enabled: \"true\" is not one of: yes, no"},
        {"[server]\nlog = file\n",
         "2: server.log: \"file\" is not one of: stderr, syslog, journal"},
        {"[server]\nlog = std\n", "2: server.log: \"std\" is not one of: stderr, syslog, journal"},
        {"[audit]\nrotate_bytes = 1P\n",
         "2: audit.rotate_bytes: \"1P\" is not a size: a number, or one with K, M, G or T"},
        {"[audit]\nrotate_bytes = 99999999T\n",
         "2: audit.rotate_bytes: \"99999999T\" is not a size: a number, or one with K, M, G or T"},
        {"[audit]\nrotate_bytes = 1K\n",
         "2: audit.rotate_bytes: \"1K\" is out of bounds: 4096 to 1099511627776"},
        {"[server]\nworker_ids = 5\n", "2: server.worker_ids: \"5\" is not a range: FIRST-LAST"},
        {"[server]\nworker_ids = 9-5\n",
         "2: server.worker_ids: \"9-5\" is not a range: the first is greater than the last"},
        {"[server]\nworker_ids = 0-5\n",
         "2: server.worker_ids: \"0-5\" is out of bounds: 1 to 4294967294"},
        {"[server]\nstate_dir =\n", "2: server.state_dir: a value is needed"},
        {"[sftp]\nlisten =\n", "2: sftp.listen: a value is needed"},
        {"[sftp]\nlisten = localhost\n",
         "2: sftp.listen: \"localhost\" is not an IPv4 or IPv6 address"},
        {"[sftp]\nlisten = 10.0.0.0/8\n",
         "2: sftp.listen: \"10.0.0.0/8\" is not an IPv4 or IPv6 address"},
        {"[limits]\npenalty_exempt = 10.0.0.0/33\n",
         "2: limits.penalty_exempt: \"10.0.0.0/33\" is not an address or a network (like "
         "192.0.2.0/24)"},
        {"[sftp]\nkex = a;b\n", "2: sftp.kex: \"a;b\" is not a name of an algorithm"},
        {"[sftp]\nbanner = a\\t\n",
         "2: sftp.banner: \"a\\t\" has a \\ that is followed by neither n nor \\"},
        {"[server]\nlog = \033[1m\n", "2: a control byte (0x1b)"},
        {"[server]\rlog = syslog\n", "1: a carriage return inside the line"},
    };
    struct place *p = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        refused(p, rows[i].text, rows[i].tail);
}

static void nul_byte(void **state)
{
    static const char bytes[] = "[sftp]\nport = 22\0 23\n";
    struct place *p = *state;

    assert_int_equal(read_bytes(p, bytes, sizeof(bytes) - 1), -1);
    assert_non_null(strstr(p->trouble.text, "sallyport.conf:2: a NUL byte"));
}

/* A line of `len` bytes: "banner = xxx". */
static char *long_line(const char *begin, size_t len)
{
    char *text = malloc(len + 32);

    assert_non_null(text);
    memset(text, 'x', len + 32);
    const int n = snprintf(text, len + 32, "[sftp]\n%s", begin);
    text[n] = 'x';
    snprintf(text + strlen("[sftp]\n") + len, 24, "\nport = 9\n");
    return text;
}

static void line_lengths(void **state)
{
    struct place *p = *state;
    char *fits = long_line("banner = ", 198), *over = long_line("banner = ", 199);
    char *comment = long_line("# banner = ", 5000);

    assert_int_equal(read_text(p, fits), 0);
    assert_int_equal(strlen(p->config.sftp_banner), 198 - strlen("banner = "));
    assert_int_equal(p->config.sftp_port, 9);
    refused(p, over,
            "2: longer than 198 bytes; lists and texts may go on on the next line, begun with a "
            "blank");
    assert_int_equal(read_text(p, comment), 0);
    assert_int_equal(p->config.sftp_port, 9);
    free(fits);
    free(over);
    free(comment);
}

static void texts_too_long(void **state)
{
    struct place *p = *state;
    char text[8192] = "[sftp]\nbanner = start\n";
    size_t n = strlen(text);

    for (unsigned i = 0; i < 20; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, " %0190u\n", i);
    assert_int_equal(read_text(p, text), 0);
    for (unsigned i = 0; i < 4; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, " %0190u\n", i);
    refused(p, text, "23: sftp.banner: 4016 bytes long: 0 to 4000 are allowed");
}

static void not_a_file(void **state)
{
    struct place *p = *state;
    char missing[160];

    assert_int_equal(config_read(p->folder, &p->config, &p->trouble), -1);
    assert_non_null(strstr(p->trouble.text, ": is a folder, not a file"));
    config_free(&p->config);
    snprintf(missing, sizeof(missing), "%s/none", p->folder);
    assert_int_equal(config_read(missing, &p->config, &p->trouble), -1);
    assert_non_null(strstr(p->trouble.text, "/none: cannot be read: No such file or directory"));
    config_free(&p->config);
    assert_int_equal(mkfifo(missing, 0600), 0);
    assert_int_equal(config_read(missing, &p->config, &p->trouble), -1);
    assert_non_null(strstr(p->trouble.text, ": is not a regular file"));
    unlink(missing);
}

static void unreadable(void **state)
{
    struct place *p = *state;

    if (geteuid() == 0) {
        print_message("skipped: root can read every file\n");
        skip();
    }
    assert_int_equal(read_text(p, ""), 0);
    assert_int_equal(chmod(p->file, 0), 0);
    config_free(&p->config);
    assert_int_equal(config_read(p->file, &p->config, &p->trouble), -1);
    assert_non_null(strstr(p->trouble.text, ": cannot be read: Permission denied"));
}

static void ids_overlap(void **state)
{
    struct place *p = *state;

    refused(p, "[server]\nworker_ids = 1000-50000\n",
            "2: server.worker_ids and server.account_ids overlap: each needs ids of its own");
    refused(p, "[server]\nworker_ids = 1000-1999\nstore_id = 1999\n",
            "3: server.worker_ids and server.store_id overlap: each needs ids of its own");
    refused(p, "[server]\nhasher_id = 39001\n",
            "2: server.store_id and server.hasher_id overlap: each needs ids of its own");
    refused(p, "[server]\nnotify_id = 45000\nworker_ids = 45000-45999\n",
            "3: server.worker_ids and server.notify_id overlap: each needs ids of its own");
    assert_int_equal(read_text(p, "[server]\nworker_ids = 1000-1999\nstore_id = 2000\n"), 0);
}

/* What mail is sent by, from whom, and with which links. */
static void mail(void **state)
{
    char from[CONFIG_MAIL_FROM], base[CONFIG_MAIL_BASE];
    struct place *p = *state;

    refused(p, "[mail]\nsendmail = sendmail -t\n",
            "2: mail.sendmail: does not begin with the absolute path of a program");
    refused(p, "[mail]\nsendmail = /usr/sbin/sendmail \"-t\n",
            "2: mail.sendmail: has a \" without its other");
    refused(p, "[mail]\nsendmail = /a\\nb\n", "2: mail.sendmail: has a control character");
    refused(p, "[mail]\nfrom = sallyport\n",
            "2: mail.from: is no address that mails can be sent from: name@domain, in ASCII");
    refused(p, "[mail]\n\nbase = http://files.example.org\n",
            "3: mail.base: does not begin with https:// and a name");
    assert_int_equal(read_text(p, "[mail]\nfrom = a@b\nbase = https://files.example.org\n"), 0);
    config_mail_from(&p->config, from);
    config_mail_base(&p->config, base);
    assert_string_equal(from, "a@b");
    assert_string_equal(base, "https://files.example.org");
    assert_int_equal(read_text(p, "[https]\nnames = one.example.org, two\n"), 0);
    config_mail_base(&p->config, base);
    assert_string_equal(base, "https://one.example.org");
    assert_int_equal(read_text(p, "[https]\nport = 8443\n"), 0);
    config_mail_from(&p->config, from);
    config_mail_base(&p->config, base);
    assert_int_equal(strncmp(from, "sallyport@", 10), 0);
    assert_int_equal(strncmp(base, "https://", 8), 0);
    assert_string_equal(strrchr(base, ':'), ":8443");
    assert_int_equal(strncmp(from + 10, base + 8, strlen(from + 10)), 0);
}

static void listeners_collide(void **state)
{
    struct place *p = *state;

    refused(p, "[sftp]\nlisten = 127.0.0.1 127.0.0.1\n",
            "2: sftp on 127.0.0.1 and sftp on 127.0.0.1 cannot both have port 2022");
    refused(p, "[sftp]\n\nlisten = ::1 ::\n",
            "3: sftp on ::1 and sftp on :: cannot both have port 2022");
    assert_int_equal(read_text(p, "[sftp]\nenabled=no\nlisten = ::1 ::\n"), 0);
    assert_int_equal(read_text(p, "[sftp]\nlisten = ::1 127.0.0.1 127.0.0.2\n"), 0);
}

/* Dump what was read, read the dump, dump again: the same text, and no difference. */
static void dump_again(void **state)
{
    struct place *p = *state;
    struct config again;
    char *first = NULL, *second = NULL;
    size_t first_len, second_len;
    char long_banner[1000];

    snprintf(long_banner, sizeof(long_banner),
             "[sftp]\nbanner = %0140d\\n ; no comment\\n# nor this\\n\\\\\n next %0180d\n"
             "[limits]\nbandwidth=1025\npenalty_exempt = ::1/128 10.1.0.0/16 10.2.0.0/16 "
             "10.3.0.0/16\n 10.4.0.0/16 10.5.0.0/16 10.6.0.0/16 10.7.0.0/16 10.8.0.0/16\n",
             1, 2);
    assert_int_equal(read_text(p, long_banner), 0);
    FILE *out = open_memstream(&first, &first_len);
    config_dump(&p->config, out);
    fclose(out);
    out = fopen(p->file, "w");
    assert_non_null(out);
    fputs(first, out);
    fclose(out);
    if (config_read(p->file, &again, &p->trouble) < 0)
        fail_msg("%s\n%s", p->trouble.text, first);
    out = open_memstream(&second, &second_len);
    config_dump(&again, out);
    fclose(out);
    assert_string_equal(first, second);
    assert_string_equal(p->config.sftp_banner, again.sftp_banner);
    assert_string_equal(p->config.limits_penalty_exempt, again.limits_penalty_exempt);
    assert_string_equal(p->config.sftp_public_key_algorithms, again.sftp_public_key_algorithms);
    assert_null(config_fixed_difference(&p->config, &again));
    config_free(&again);
    free(first);
    free(second);
}

/* The example, and the example with every # of a setting taken away, are the defaults. */
static void example_is_defaults(void **state)
{
    struct place *p = *state;
    struct config defaults;
    char *text = NULL, *bare = NULL, *want = NULL, *got = NULL;
    size_t len;

    FILE *out = open_memstream(&text, &len);
    config_print_example(out);
    fclose(out);
    assert_int_equal(read_text(p, text), 0);
    bare = calloc(1, len + 1);
    assert_non_null(bare);
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        const bool start = i == 0 || text[i - 1] == '\n';
        if (start && text[i] == '#' && (text[i + 1] != ' ' || text[i + 2] == ' '))
            continue;
        bare[n++] = text[i];
    }
    if (read_text(p, bare) < 0)
        fail_msg("%s\n%s", p->trouble.text, bare);
    assert_int_equal(config_read(NULL, &defaults, &p->trouble), 0);
    out = open_memstream(&want, &len);
    config_dump(&defaults, out);
    fclose(out);
    out = open_memstream(&got, &len);
    config_dump(&p->config, out);
    fclose(out);
    assert_string_equal(got, want);
    config_free(&defaults);
    free(text);
    free(bare);
    free(want);
    free(got);
}

static void fixed_differences(void **state)
{
    struct place *p = *state;
    struct config now;

    assert_int_equal(config_read(NULL, &now, &p->trouble), 0);
    assert_int_equal(read_text(p, "[server]\nlog_level = debug\n[limits]\ntries = 2\n"), 0);
    assert_null(config_fixed_difference(&now, &p->config));
    assert_int_equal(read_text(p, "[sftp]\nport = 22\n"), 0);
    assert_string_equal(config_fixed_difference(&now, &p->config), "sftp.port");
    assert_int_equal(read_text(p, "[audit]\nrotate_bytes = 1G\n"), 0);
    assert_string_equal(config_fixed_difference(&now, &p->config), "audit.rotate_bytes");
    assert_int_equal(read_text(p, "[sftp]\nlisten = ::1\n"), 0);
    assert_string_equal(config_fixed_difference(&now, &p->config), "sftp.listen");
    assert_int_equal(read_text(p, "[sftp]\nenabled = no\n"), 0);
    assert_string_equal(config_fixed_difference(&now, &p->config), "sftp.enabled");
    assert_int_equal(read_text(p, "[server]\naccount_ids = 50000-60000\n"), 0);
    assert_string_equal(config_fixed_difference(&now, &p->config), "server.account_ids");
    config_free(&now);
}

static void relative_configuration(void **state)
{
    struct place *p = *state;
    char old[PATH_MAX], folder[PATH_MAX], path[PATH_MAX + 8];

    assert_int_equal(read_text(p, "[server]\nrun_dir = run\n"), 0);
    assert_non_null(getcwd(old, sizeof(old)));
    assert_int_equal(chdir(p->folder), 0);
    config_free(&p->config);
    assert_int_equal(config_read("sallyport.conf", &p->config, &p->trouble), 0);
    assert_int_equal(chdir(old), 0);
    assert_non_null(realpath(p->folder, folder));
    snprintf(path, sizeof(path), "%s/run", folder);
    assert_string_equal(p->config.server_run_dir, path);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, place_make, place_remove)
    const struct CMUnitTest tests[] = {
        TEST(defaults_alone),
        TEST(every_kind),
        TEST(empty_file),
        TEST(refusals),
        TEST(nul_byte),
        TEST(line_lengths),
        TEST(texts_too_long),
        TEST(not_a_file),
        TEST(unreadable),
        TEST(ids_overlap),
        TEST(mail),
        TEST(listeners_collide),
        TEST(dump_again),
        TEST(example_is_defaults),
        TEST(fixed_differences),
        TEST(relative_configuration),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
