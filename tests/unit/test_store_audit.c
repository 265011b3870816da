/* The audit log as the store writes it: its lines, agents' reports and their acknowledgement, the
 * chain of hashes against every kind of tampering, rotation, a torn end. Against the real binary
 * (from SALLYPORT_BUILD, else build/release). */
#include "tests/unit/store_process.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/audit_chain.h"
#include "common/operations.h"

static void add_line(struct process *p, const char *text)
{
    const struct store_audit line = {.event = slice_text("login"),
                                     .session = 12,
                                     .account = slice_text("anna"),
                                     .protocol = slice_text("sftp"),
                                     .address = slice_text("192.0.2.1"),
                                     .text = slice_text(text)};

    process_done(p, MSG_store_audit, &line);
}

static void add_lines(struct process *p, unsigned count)
{
    char text[32];

    for (unsigned i = 0; i < count; i++) {
        snprintf(text, sizeof(text), "line %u", i);
        add_line(p, text);
    }
}

/* The verdict; what is told goes to told (at most size bytes). */
static int verify(const struct process *p, struct audit_verdict *verdict, char *told, size_t size)
{
    FILE *out = fmemopen(told, size, "w");

    assert_non_null(out);
    const int r = audit_verify(p->dir, out, verdict);
    fclose(out);
    return r;
}

static void assert_whole(const struct process *p, uint64_t lines)
{
    struct audit_verdict verdict;
    char told[4096] = "";

    if (verify(p, &verdict, told, sizeof(told)) != 0)
        fail_msg("the chain is not whole:\n%s", told);
    assert_int_equal(verdict.lines, lines);
    assert_int_equal(verdict.last, verdict.first + lines - 1);
}

/* The chain is broken, and one of the lines told holds this. */
static void assert_broken(const struct process *p, const char *expected)
{
    struct audit_verdict verdict;
    char told[4096] = "";

    assert_int_equal(verify(p, &verdict, told, sizeof(told)), 1);
    assert_true(verdict.troubles > 0);
    if (strstr(told, expected) == NULL)
        fail_msg("expected \"%s\", was told:\n%s", expected, told);
}

/* ------------------------------------------------------------------------------- lines */

struct lines {
    json_t *all; /* an array */
};

static int collect(const char *line, size_t len, void *context)
{
    struct lines *lines = context;
    json_t *json = json_loadb(line, len, 0, NULL);

    assert_non_null(json);
    return json_array_append_new(lines->all, json);
}

static struct lines read_lines(const struct process *p)
{
    struct lines lines = {.all = json_array()};

    assert_int_equal(audit_walk(p->dir, collect, &lines), 0);
    return lines;
}

static const char *text_of(const struct lines *lines, size_t i, const char *key)
{
    const char *text = json_string_value(json_object_get(json_array_get(lines->all, i), key));

    return text != NULL ? text : "";
}

static int64_t number_of(const struct lines *lines, size_t i, const char *key)
{
    const json_t *number = json_object_get(json_array_get(lines->all, i), key);

    return json_is_integer(number) ? json_integer_value(number) : -1;
}

static void test_lines(void **state)
{
    struct process *p = *state;
    const struct store_audit bare = {.event = slice_text("server-start")};
    const struct store_audit odd = {.event = slice_text("refused"),
                                    .account = slice_text("a\xff\"b\n"),
                                    .text = slice_text("\xe2\x82")};
    size_t len;

    must_start(p);
    add_line(p, "by key");
    process_done(p, MSG_store_audit, &bare);
    process_done(p, MSG_store_audit, &odd);
    assert_whole(p, 3); /* while it runs, too */
    char *bytes = read_state_file(p, "audit.log", &len);
    assert_int_equal(strncmp(bytes, "{\"n\":1,\"time\":\"20", 17), 0);
    assert_non_null(strstr(bytes,
                           "Z\",\"event\":\"login\",\"session\":12,\"account\":\"anna\","
                           "\"protocol\":\"sftp\",\"address\":\"192.0.2.1\",\"text\":\"by key\","
                           "\"prev\":\"0000000000000000000000000000000000000000000000000000"
                           "000000000000\"}\n{\"n\":2,"));
    assert_int_equal(bytes[len - 1], '\n');
    free(bytes);
    struct lines lines = read_lines(p);
    assert_int_equal(json_array_size(lines.all), 3);
    assert_int_equal(number_of(&lines, 1, "session"), -1); /* none */
    assert_string_equal(text_of(&lines, 2, "account"), "a\xef\xbf\xbd\"b\n");
    assert_string_equal(text_of(&lines, 2, "account_hex"), "61ff22620a");
    assert_string_equal(text_of(&lines, 2, "text_hex"), "e282");
    assert_string_equal(text_of(&lines, 0, "account_hex"), "");
    json_decref(lines.all);
    process_stop(p);
    must_start(p);
    add_line(p, "after a restart");
    process_stop(p);
    assert_whole(p, 4);
}

/* ------------------------------------------------------------------------------- reports */

/* A report link as the monitor makes it; the agent's end. */
static int new_source(struct process *p, uint64_t session)
{
    const struct store_audit_source source = {.session = session,
                                              .account = slice_text("anna"),
                                              .protocol = slice_text("sftp"),
                                              .address = slice_text("2001:db8::1")};
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    p->id++;
    assert_int_equal(send_store_audit_source_fds(p->link, p->id, &source, &pair[1], 1), 0);
    close(pair[1]);
    assert_int_equal(message_receive(p->link, &p->envelope, 0), 1);
    assert_int_equal(p->envelope.type, MSG_store_done);
    assert_int_equal(p->envelope.id, p->id);
    return pair[0];
}

static void send_reports(int link, uint64_t first, const struct report *reports, uint32_t count)
{
    static uint8_t records[60000];
    ssize_t len = 0;

    for (uint32_t i = 0; i < count; i++) {
        len = nest_report(&reports[i], records, (size_t)len, sizeof(records));
        assert_true(len > 0);
    }
    const struct report_batch batch = {
        .first = first, .count = count, .records = slice_of(records, (size_t)len)};
    assert_int_equal(send_report_batch(link, 0, &batch), 0);
}

static struct report new_report(const char *path)
{
    return (struct report){.time_ms = UINT64_C(1767323045678), /* 2026-01-02T03:04:05.678Z */
                           .operation = OPERATION_UPLOAD,
                           .path = slice_text(path),
                           .size = 10,
                           .bytes_written = 10,
                           .duration_ms = 3};
}

/* The number that the agent is told, or 0: its link is closed. */
static uint64_t taken(struct process *p, int link)
{
    struct report_taken told;
    struct pollfd poll_link = {.fd = link, .events = POLLIN};

    assert_int_equal(poll(&poll_link, 1, 10000), 1);
    if (message_receive(link, &p->envelope, 0) != 1)
        return 0;
    assert_int_equal(decode_report_taken(&p->envelope, &told), 0);
    return told.number;
}

static void test_reports(void **state)
{
    struct process *p = *state;
    struct report reports[4] = {new_report("/a"), new_report("/b\xff"), new_report("/c"),
                                new_report("/d")};

    reports[1].operation = OPERATION_MOVE;
    reports[1].other = slice_text("/new");
    reports[1].error = EACCES;
    reports[2].operation = OPERATION_DOWNLOAD;
    reports[2].bytes_read = 7;
    reports[2].bytes_written = 0;
    reports[3].error = ENOSPC;
    must_start(p);
    const int link = new_source(p, 9), other = new_source(p, 10);
    send_reports(link, 1, reports, 4);
    assert_int_equal(taken(p, link), 4);
    struct lines lines = read_lines(p); /* on the disk already */
    assert_int_equal(json_array_size(lines.all), 4);
    assert_string_equal(text_of(&lines, 0, "time"), "2026-01-02T03:04:05.678Z");
    assert_string_equal(text_of(&lines, 0, "event"), "upload");
    assert_string_equal(text_of(&lines, 0, "account"), "anna");
    assert_string_equal(text_of(&lines, 0, "address"), "2001:db8::1");
    assert_string_equal(text_of(&lines, 0, "path"), "/a");
    assert_string_equal(text_of(&lines, 0, "result"), "ok");
    assert_int_equal(number_of(&lines, 0, "session"), 9);
    assert_int_equal(number_of(&lines, 0, "report"), 1);
    assert_int_equal(number_of(&lines, 0, "bytes"), 10);
    assert_int_equal(number_of(&lines, 0, "size"), 10);
    assert_int_equal(number_of(&lines, 0, "ms"), 3);
    assert_string_equal(text_of(&lines, 1, "event"), "rename");
    assert_string_equal(text_of(&lines, 1, "path_hex"), "2f62ff");
    assert_string_equal(text_of(&lines, 1, "to"), "/new");
    assert_string_equal(text_of(&lines, 1, "result"), "refused");
    assert_int_equal(number_of(&lines, 1, "bytes"), -1); /* nothing was transferred */
    assert_int_equal(number_of(&lines, 2, "bytes"), 7);
    assert_string_equal(text_of(&lines, 3, "result"), "ENOSPC");
    json_decref(lines.all);

    send_reports(link, 3, reports, 4); /* 3 and 4 again, 5 and 6 are new */
    assert_int_equal(taken(p, link), 6);
    send_reports(link, 1, reports, 2); /* all known: only told again */
    assert_int_equal(taken(p, link), 6);
    send_reports(link, 9, reports, 1); /* 7 and 8 never came */
    assert_int_equal(taken(p, link), 9);
    send_reports(other, 1, reports, 1);
    assert_int_equal(taken(p, other), 1);
    lines = read_lines(p);
    assert_int_equal(json_array_size(lines.all), 9);
    assert_string_equal(text_of(&lines, 6, "event"), "reports-missing");
    assert_non_null(strstr(text_of(&lines, 6, "text"), "7 to 8"));
    assert_int_equal(number_of(&lines, 8, "session"), 10);
    json_decref(lines.all);
    close(link);
    close(other);
    process_stop(p);
    assert_whole(p, 9);
}

/* The last words of an agent, and of the monitor, are written; also of one who read no answer. */
static void test_last_words(void **state)
{
    struct process *p = *state;
    const struct report report = new_report("/last");
    const struct store_audit line = {.event = slice_text("session-end")};

    must_start(p);
    for (uint64_t i = 1; i <= 20; i++) {
        const int link = new_source(p, i);
        send_reports(link, 1, &report, 1);
        usleep((useconds_t)(i % 4) * 500);
        send_reports(link, 2, &report, 1);
        close(link); /* its acknowledgements unread: a reset for the store */
    }
    const int link = new_source(p, 21);
    for (uint64_t i = 1; i <= 5; i++)
        send_reports(link, i, &report, 1);
    for (unsigned i = 0; i < 100; i++)
        process_send(p, MSG_store_audit, &line);
    process_stop(p); /* closes the link with everything unread */
    close(link);
    assert_whole(p, 145);
}

/* An agent that breaks the rules loses its link, and nobody else anything. */
static void test_bad_reports(void **state)
{
    struct process *p = *state;
    struct report good = new_report("/good"), bad;
    uint8_t records[1024];
    const struct report_taken wrong = {.number = 1};
    struct report_batch batch = {.first = 1, .count = 1};
    int links[9];

    must_start(p);
    const int innocent = new_source(p, 1);
    for (size_t i = 0; i < 9; i++)
        links[i] = new_source(p, 100 + i);
    const size_t len = (size_t)nest_report(&good, records, 0, sizeof(records));

    assert_true(send(links[0], "rubbish", 7, 0) == 7);
    assert_int_equal(send_report_taken(links[1], 0, &wrong), 0);
    batch.records = slice_of(records, len - 1);
    assert_int_equal(send_report_batch(links[2], 0, &batch), 0);
    batch.records = slice_of(records, len);
    batch.count = 2;
    assert_int_equal(send_report_batch(links[3], 0, &batch), 0);
    batch.count = 1;
    batch.first = 0;
    assert_int_equal(send_report_batch(links[4], 0, &batch), 0);
    batch.first = UINT64_MAX;
    assert_int_equal(send_report_batch(links[5], 0, &batch), 0);
    bad = good;
    bad.operation = OPERATION_COUNT;
    send_reports(links[6], 1, &bad, 1);
    bad = good;
    bad.time_ms = UINT64_MAX;
    send_reports(links[7], 1, &bad, 1);
    const struct report two[2] = {good,
                                  bad}; /* the good one of a bad batch is not written either */
    send_reports(links[8], 1, two, 2);
    for (size_t i = 0; i < 9; i++) {
        assert_int_equal(taken(p, links[i]), 0);
        close(links[i]);
    }
    send_reports(innocent, 1, &good, 1);
    assert_int_equal(taken(p, innocent), 1);
    struct lines lines = read_lines(p);
    assert_int_equal(json_array_size(lines.all), 10);
    uint64_t sessions = 0;
    for (size_t i = 0; i < 9; i++) {
        assert_string_equal(text_of(&lines, i, "event"), "security");
        sessions |= UINT64_C(1) << (number_of(&lines, i, "session") - 100);
    }
    assert_int_equal(sessions, 0x1ff);
    json_decref(lines.all);
    close(innocent);
    process_stop(p);
}

/* The longest names there are, each byte of which takes the most room. */
static void test_longest_report(void **state)
{
    struct process *p = *state;
    static char path[4096], other[4096];
    struct report report = new_report("");

    memset(path, 0xff, sizeof(path));
    memset(other, 0x01, sizeof(other));
    report.path = slice_of(path, 4095);
    report.other = slice_of(other, 4095);
    must_start(p);
    const int link = new_source(p, 1);
    for (uint64_t i = 1; i <= 70; i += 7) {
        const struct report many[7] = {report, report, report, report, report, report, report};
        send_reports(link, i, many, 7);
    }
    while (taken(p, link) != 70)
        continue;
    close(link);
    process_stop(p);
    assert_whole(p, 70);
}

/* kill -9 in the middle of reports: what was acknowledged is there, and the chain is whole. */
static void test_kill(void **state)
{
    struct process *p = *state;
    const struct report report = new_report("/file");
    uint64_t lines = 0;

    for (unsigned round = 0; round < 10; round++) {
        must_start(p);
        const int link = new_source(p, round + 1);
        for (uint64_t i = 1; i <= 60; i++)
            send_reports(link, i, &report, 1);
        usleep(round * 500);
        kill(p->pid, SIGKILL);
        process_wait(p);
        uint64_t last = 0;
        while (message_receive(link, &p->envelope, 0) == 1) {
            struct report_taken told;
            assert_int_equal(decode_report_taken(&p->envelope, &told), 0);
            last = told.number;
        }
        close(link);
        close(p->link);
        must_start(p);
        process_stop(p);
        struct audit_verdict verdict;
        assert_int_equal(audit_verify(p->dir, stdout, &verdict), 0);
        assert_true(verdict.lines >= lines + last);
        lines = verdict.lines;
    }
    assert_true(lines > 0);
}

/* ------------------------------------------------------------------------------- tampering */

/* The bytes of one line of a file, its newline included; n from 0. */
static struct slice line_at(const char *bytes, unsigned n)
{
    const char *begin = bytes;

    for (; n > 0; n--)
        begin = strchr(begin, '\n') + 1;
    return slice_of(begin, (size_t)(strchr(begin, '\n') + 1 - begin));
}

/* Write audit.log as the lines of `order` (numbers below 10), from a log of 10 lines. */
static void write_order(const struct process *p, const char *bytes, const char *order)
{
    char *text = calloc(1, strlen(bytes) * 3);
    size_t len = 0;

    assert_non_null(text);
    for (; *order != '\0'; order++) {
        const struct slice line = line_at(bytes, (unsigned)(*order - '0'));
        memcpy(text + len, line.data, line.len);
        len += line.len;
    }
    write_state_file(p, "audit.log", text, len);
    free(text);
}

static void test_tampering(void **state)
{
    struct process *p = *state;
    size_t len;

    must_start(p);
    add_lines(p, 10);
    process_stop(p);
    assert_whole(p, 10);
    char *bytes = read_state_file(p, "audit.log", &len);

    write_order(p, bytes, "0123456789");
    assert_whole(p, 10);
    write_order(p, bytes, "012346789"); /* dropped */
    assert_broken(p, "audit.log:6: n 7: lines are missing before it: n 6 to 6");
    write_order(p, bytes, "0124356789"); /* moved */
    assert_broken(p, "audit.log:5: n 4: out of order");
    write_order(p, bytes, "01233456789"); /* twice */
    assert_broken(p, "audit.log:5: n 4: out of order or inserted");
    write_order(p, bytes, "012345678"); /* the last one dropped */
    assert_broken(p, "lines are missing after it: n 10 to 10");
    write_order(p, bytes, "123456789"); /* the first one: what is left begins with n 2 */
    struct audit_verdict verdict;
    assert_int_equal(audit_verify(p->dir, stdout, &verdict), 0);
    assert_true(verdict.first == 2 && verdict.last == 10);
    write_state_file(p, "audit.log", "", 0);
    assert_broken(p, "lines are missing after it: n 1 to 10");

    /* changed by one letter: in the middle, in the last line */
    char *changed = calloc(1, len + 1);
    assert_non_null(changed);
    memcpy(changed, bytes, len);
    *strstr(changed, "line 4") = 'L';
    write_state_file(p, "audit.log", changed, len);
    assert_broken(p, "audit.log:6: n 6: the line before it was changed");
    memcpy(changed, bytes, len);
    *strstr(changed, "line 9") = 'L';
    write_state_file(p, "audit.log", changed, len);
    assert_broken(p, "audit.log:10: n 10: changed");
    memcpy(changed, bytes, len);
    *strstr(changed, "\"n\":4") = 'x';
    write_state_file(p, "audit.log", changed, len);
    assert_broken(p, "audit.log:4: changed: this is no line");

    /* without audit.head nobody can tell about the end */
    char path[128];
    snprintf(path, sizeof(path), "%s/audit.head", p->dir);
    write_state_file(p, "audit.log", bytes, len);
    assert_int_equal(unlink(path), 0);
    assert_broken(p, "audit.head");
    free(changed);
    free(bytes);
}

/* The store itself finds at its start that the end is missing, says so and leaves the gap to be
 * seen. */
static void test_cut_before_start(void **state)
{
    struct process *p = *state;
    size_t len;

    must_start(p);
    add_lines(p, 10);
    process_stop(p);
    char *bytes = read_state_file(p, "audit.log", &len);
    write_order(p, bytes, "0123456");
    free(bytes);
    must_start(p);
    process_stop(p);
    struct lines lines = read_lines(p);
    assert_int_equal(json_array_size(lines.all), 8);
    assert_string_equal(text_of(&lines, 7, "event"), "security");
    assert_non_null(strstr(text_of(&lines, 7, "text"), "lines 8 to 10"));
    assert_int_equal(number_of(&lines, 7, "n"), 11);
    json_decref(lines.all);
    assert_broken(p, "n 11: lines are missing before it: n 8 to 10");
}

static void test_changed_while_running(void **state)
{
    struct process *p = *state;
    char path[128], aside[128];

    snprintf(path, sizeof(path), "%s/audit.log", p->dir);
    snprintf(aside, sizeof(aside), "%s/aside", p->dir);
    must_start(p);
    add_lines(p, 5);
    assert_int_equal(truncate(path, 100), 0);
    add_line(p, "after the cut");
    struct lines lines = {.all = json_array()};
    size_t len;
    char *bytes = read_state_file(p, "audit.log", &len);
    assert_non_null(strstr(bytes, "\n{\"n\":6,")); /* on a line of its own */
    assert_non_null(strstr(bytes, "was changed by somebody else"));
    free(bytes);
    assert_broken(p, "audit.log:1: changed");

    assert_int_equal(rename(path, aside), 0);
    add_line(p, "after the move");
    process_stop(p);
    json_decref(lines.all);
    lines = read_lines(p);
    assert_int_equal(json_array_size(lines.all), 2);
    assert_string_equal(text_of(&lines, 0, "text"), "after the move");
    assert_string_equal(text_of(&lines, 1, "event"), "security");
    assert_int_equal(number_of(&lines, 1, "n"), 9);
    json_decref(lines.all);
}

/* ------------------------------------------------------------------------------- crashes, rotation
 */

static void test_torn_tail(void **state)
{
    struct process *p = *state;
    size_t len;

    must_start(p);
    add_lines(p, 3);
    process_kill(p);
    char *bytes = read_state_file(p, "audit.log", &len);
    char *torn = calloc(1, len + 32);
    assert_non_null(torn);
    memcpy(torn, bytes, len);
    memcpy(torn + len, "{\"n\":4,\"time\":\"20", 17);
    write_state_file(p, "audit.log", torn, len + 17);
    assert_whole(p, 3); /* never acknowledged: no trouble */
    must_start(p);
    add_line(p, "on it goes");
    process_stop(p);
    assert_whole(p, 5);
    struct lines lines = read_lines(p);
    assert_string_equal(text_of(&lines, 3, "event"), "audit-recovered");
    assert_int_equal(strncmp(text_of(&lines, 3, "text"), "17 bytes", 8), 0);
    json_decref(lines.all);
    free(torn);
    free(bytes);

    /* nothing but a torn line */
    write_state_file(p, "audit.log", "{\"n\":1", 6);
    write_state_file(p, "audit.head", "", 0);
    must_start(p);
    process_stop(p);
    assert_whole(p, 1);
}

static size_t count_rotated(const struct process *p, uint64_t *oldest)
{
    struct audit_files files;
    const int dir = open(p->dir, O_RDONLY | O_DIRECTORY);

    assert_true(dir >= 0);
    assert_int_equal(audit_files_list(dir, &files), 0);
    close(dir);
    const size_t count = files.count;
    *oldest = count > 0 ? files.first[0] : 0;
    free(files.first);
    return count;
}

static void test_rotation(void **state)
{
    struct process *p = *state;
    uint64_t oldest;
    char path[160], name[AUDIT_NAME_SIZE];
    struct audit_verdict verdict;

    p->setup.rotate_bytes = 1000;
    must_start(p);
    add_lines(p, 40);
    const size_t count = count_rotated(p, &oldest);
    assert_true(count >= 8 && oldest == 1);
    assert_whole(p, 40);
    process_stop(p);
    must_start(p); /* perhaps with an empty audit.log */
    add_lines(p, 10);
    process_stop(p);
    assert_whole(p, 50);

    p->setup.rotate_keep = 3;
    must_start(p);
    add_lines(p, 20);
    assert_int_equal(count_rotated(p, &oldest), 3);
    process_stop(p);
    char told[4096] = "";
    assert_int_equal(verify(p, &verdict, told, sizeof(told)), 0);
    assert_int_equal(verdict.first, oldest);
    assert_int_equal(verdict.last, 70);

    /* a file missing in the middle */
    struct audit_files files;
    const int dir = open(p->dir, O_RDONLY | O_DIRECTORY);
    assert_true(dir >= 0);
    assert_int_equal(audit_files_list(dir, &files), 0);
    close(dir);
    snprintf(path, sizeof(path), "%s/%s", p->dir, audit_file_name(files.first[1], name));
    assert_int_equal(unlink(path), 0);
    char expected[64];
    snprintf(expected, sizeof(expected), "lines are missing before it: n %llu to %llu",
             (unsigned long long)files.first[1], (unsigned long long)files.first[2] - 1);
    assert_broken(p, expected);
    free(files.first);
}

/* A crash between the rename and the new file: the chain goes on from the renamed one. */
static void test_rotation_cut_short(void **state)
{
    struct process *p = *state;
    char from[160], to[160], name[AUDIT_NAME_SIZE];

    must_start(p);
    add_lines(p, 5);
    process_kill(p);
    snprintf(from, sizeof(from), "%s/audit.log", p->dir);
    snprintf(to, sizeof(to), "%s/%s", p->dir, audit_file_name(1, name));
    assert_int_equal(rename(from, to), 0);
    assert_whole(p, 5);
    must_start(p);
    add_lines(p, 1);
    process_stop(p);
    assert_whole(p, 6);
}

/* verify and walk while lines are written and files rotated. */
static void test_verify_while_writing(void **state)
{
    struct process *p = *state;
    const struct report report = new_report("/busy");
    struct audit_verdict verdict;
    uint64_t seen = 0;

    p->setup.rotate_bytes = 20000;
    must_start(p);
    const int link = new_source(p, 1);
    for (uint64_t i = 1; i <= 300; i++) {
        send_reports(link, i, &report, 1);
        char told[4096] = "";
        if (verify(p, &verdict, told, sizeof(told)) != 0)
            fail_msg("false alarm:\n%s", told);
        assert_true(verdict.lines >= seen);
        seen = verdict.lines;
    }
    while (taken(p, link) != 300)
        continue;
    close(link);
    process_stop(p);
    assert_whole(p, 300);
}

/* Reports of many sessions at a time: how fast, and all there. */
static void test_many_reports(void **state)
{
    struct process *p = *state;
    const struct report report = new_report("/some/folder/with a file in it.txt");
    struct report batch[50];
    int links[20];
    struct timespec start, end;

    for (size_t i = 0; i < 50; i++)
        batch[i] = report;
    must_start(p);
    for (size_t i = 0; i < 20; i++)
        links[i] = new_source(p, i + 1);
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (uint64_t round = 0; round < 10; round++) {
        for (size_t i = 0; i < 20; i++)
            send_reports(links[i], round * 50 + 1, batch, 50);
    }
    for (size_t i = 0; i < 20; i++) {
        while (taken(p, links[i]) != 500)
            continue;
        close(links[i]);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    const double seconds =
        (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
    print_message("10,000 reports in %.0f ms\n", seconds * 1e3);
    process_stop(p);
    assert_whole(p, 10000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, process_new, process_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_lines),
        TEST(test_reports),
        TEST(test_last_words),
        TEST(test_bad_reports),
        TEST(test_longest_report),
        TEST(test_kill),
        TEST(test_tampering),
        TEST(test_cut_before_start),
        TEST(test_changed_while_running),
        TEST(test_torn_tail),
        TEST(test_rotation),
        TEST(test_rotation_cut_short),
        TEST(test_verify_while_writing),
        TEST(test_many_reports),
    };

    return cmocka_run_group_tests_name("store_audit", tests, NULL, NULL);
}
