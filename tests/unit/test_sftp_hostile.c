/* The SFTP server engine refuses what it must and is not moved by what a client, the network or a
 * broken agent can do: malformed packets at every cut, misused handles, pipelines of any depth in
 * any pieces, a client that does not read, and all of it inside the worker's own sandbox. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/sandbox.h"
#include "sftp-worker/engine.h"
#include "tests/unit/sftp_peer.h"

static int start(void **state)
{
    *state = calloc(1, sizeof(struct peer));
    peer_start(*state);
    return 0;
}

static int end(void **state)
{
    peer_end(*state);
    free(*state);
    return 0;
}

/* A new session after INIT. */
static void session(struct peer *peer)
{
    peer_end_session(peer);
    peer_session(peer);
    begin(peer, T_INIT);
    peer->request.len = 5;
    put_u32(peer, 3);
    assert_int_equal(feed(peer, packet(peer)), 9);
    forget_answers(peer);
}

static void refused(struct peer *peer, struct slice bytes, const char *why)
{
    assert_int_equal(feed(peer, bytes), -1);
    assert_string_equal(sftp_error(peer->sftp), why);
    assert_int_equal(feed(peer, bytes), -1); /* for good */
}

/* ---- the order of things -------------------------------------------------------------------- */
static void test_init_comes_first_and_once(void **state)
{
    struct peer *peer = *state;
    size_t at = 0;

    begin(peer, T_INIT);
    refused(peer, packet(peer), "a second INIT");
    assert_int_equal(peer->out_len, 0);
    peer_end_session(peer);
    peer_session(peer);
    begin(peer, T_REALPATH);
    put_text(peer, ".");
    refused(peer, packet(peer), "a request before INIT");
    struct answer answer = next_answer(peer, &at);
    assert_int_equal(answer.type, T_STATUS);
    assert_int_equal(wire_u32(&answer.body), FAILURE);
    assert_true(wire_done(&answer.body)); /* no text: the version is not agreed on */
    assert_int_equal(peer->agent.seen->questions, 0);
}

static void test_lengths_that_cannot_be(void **state)
{
    struct peer *peer = *state;
    uint8_t bytes[16] = {0};

    for (uint8_t length = 0; length < 5; length++) {
        session(peer);
        bytes[3] = length;
        refused(peer, slice_of(bytes, sizeof(bytes)), "a packet was too short to be a request");
    }
    session(peer);
    memcpy(bytes, "\x00\x04\x00\x01", 4);
    refused(peer, slice_of(bytes, 4), "a packet was longer than 256 KiB"); /* at once */
    session(peer);
    memcpy(bytes, "\xff\xff\xff\xff", 4);
    refused(peer, slice_of(bytes, 4), "a packet was longer than 256 KiB");
}

static void test_the_longest_packet(void **state)
{
    struct peer *peer = *state;
    const struct slice h = open_file(peer, "/a", W_WRITE | W_CREAT);
    uint8_t *bytes = calloc(1, SFTP_PACKET_MAX);

    assert_non_null(bytes);
    begin(peer, T_WRITE);
    put_string(peer, h);
    put_u64(peer, 0);
    put_string(peer, slice_of(bytes, SFTP_PACKET_MAX - 25));
    assert_int_equal(packet(peer).len, SFTP_INPUT_MAX);
    status(exchange(peer), OK);
    free(bytes);
}

static void test_unknown_requests_are_answered(void **state)
{
    struct peer *peer = *state;

    for (unsigned type = 0; type < 256; type++) {
        if ((type >= T_INIT && type <= T_SYMLINK && type != T_VERSION) || type == T_EXTENDED)
            continue;
        begin(peer, (uint8_t)type);
        put_text(peer, "whatever");
        status(exchange(peer), UNSUPPORTED);
    }
    begin_extension(peer, "statvfs@openssh.co");
    put_text(peer, "/");
    status(exchange(peer), UNSUPPORTED);
    begin_extension(peer, "");
    status(exchange(peer), UNSUPPORTED);
}

/* ---- malformed packets ---------------------------------------------------------------------- */
/* One good packet of each kind, by number, from 0; false when there are no more. */
static bool good_packet(struct peer *peer, unsigned kind, struct slice h, struct slice h2)
{
    size_t requests, extensions;
    const struct request *rows = sftp_requests(&requests);
    const struct request *more = sftp_extensions(&extensions);

    if (kind >= requests + extensions)
        return false;
    const struct request *row = kind < requests ? &rows[kind] : &more[kind - requests];
    if (kind >= requests)
        begin_extension(peer, row->name);
    else
        begin(peer, row->number);
    const char *name = row->name;
    if (row->needs == HANDLE_NONE && row->least > 0)
        put_text(peer, "/a/b");
    else if (row->needs != HANDLE_NONE)
        put_string(peer, h);
    if (strcmp(name, "open") == 0)
        put_u32(peer, W_WRITE);
    if (strcmp(name, "open") == 0 || strstr(name, "setstat") != NULL ||
        strcmp(name, "mkdir") == 0) {
        put_u32(peer, 1u << 31 | 15);
        for (int i = 0; i < 7; i++)
            put_u32(peer, 0);
        put_u32(peer, 1);
        put_text(peer, "a@b");
        put_text(peer, "c");
    }
    if (strstr(name, "rename") != NULL || strstr(name, "link") != NULL)
        put_text(peer, "/c");
    if (strcmp(name, "read") == 0 || strcmp(name, "write") == 0) {
        put_u64(peer, 0);
        put_u32(peer, 4); /* of data; or what is wanted */
        put_u32(peer, 0x61626364);
    }
    if (strcmp(name, "copy-data") == 0) {
        put_u64(peer, 0);
        put_u64(peer, 0);
        put_string(peer, h2);
        put_u64(peer, 0);
    }
    if (strncmp(name, "check-file", 10) == 0) {
        put_text(peer, "md5,sha1");
        put_u64(peer, 0);
        put_u64(peer, 0);
        put_u32(peer, 256);
    }
    if (strncmp(name, "users-groups", 12) == 0)
        put_text(peer, "abcd");
    return true;
}

/* A session with a file to read and write as its first handle, a second one and a folder; all have
 * the same bytes in each new session. */
static void session_with_handles(struct peer *peer, struct slice *file, struct slice *file2,
                                 struct slice *folder)
{
    static const char *const names[] = {"/1", "/2"};
    char path[200];

    session(peer);
    for (size_t i = 0; i < 2; i++) { /* spoilt requests may have changed them */
        snprintf(path, sizeof(path), "%s%s", peer->folder, names[i]);
        unlink(path);
    }
    *file = open_file(peer, "/1", W_READ | W_WRITE | W_CREAT | W_TRUNC);
    *file2 = open_file(peer, "/2", W_READ | W_WRITE | W_CREAT | W_TRUNC);
    *folder = open_folder(peer, "/");
    forget_answers(peer);
}

/* Feed a spoilt packet: one answer to its id, or the end of the session with at most one. */
static void survive(struct peer *peer, struct slice bytes)
{
    size_t at = 0;
    const ssize_t used = feed(peer, bytes);
    const struct answer answer = next_answer(peer, &at);

    assert_int_equal(at, peer->out_len);
    if (used == -1)
        assert_true(answer.type == 0 || answer.type == T_STATUS);
    else if (used > 0)
        assert_true(answer.type > 0 && used <= (ssize_t)bytes.len);
}

static void test_every_packet_cut_everywhere(void **state)
{
    struct peer *peer = *state;
    struct slice h, h2, folder;
    uint8_t whole[512];

    for (unsigned kind = 0;; kind++) {
        session_with_handles(peer, &h, &h2, &folder);
        if (!good_packet(peer, kind, h, h2))
            break;
        const size_t len = packet(peer).len;
        assert_true(len < sizeof(whole));
        memcpy(whole, peer->packet, len);
        for (size_t cut = 4; cut < len; cut++) {
            struct wire_out length = wire_out_of(whole, 4);
            session_with_handles(peer, &h, &h2, &folder);
            wire_put_u32(&length, (uint32_t)(cut - 4));
            survive(peer, slice_of(whole, cut));
            /* One byte of a packet missing in the channel: waits, no answer. */
            session_with_handles(peer, &h, &h2, &folder);
            assert_int_equal(feed(peer, slice_of(whole, cut - 1)), 0);
            assert_int_equal(peer->out_len, 0);
        }
    }
}

static void test_a_cut_in_the_arguments_ends_the_session(void **state)
{
    struct peer *peer = *state;
    size_t at = 0;

    begin(peer, T_OPEN);
    put_text(peer, "/a");
    put_u32(peer, W_READ);
    put_u32(peer, 4); /* a mode that is not there */
    refused(peer, packet(peer), "a request was malformed");
    status(next_answer(peer, &at), BAD);
    session(peer);
    begin(peer, T_EXTENDED);
    put_u32(peer, 100);
    at = 0;
    refused(peer, packet(peer), "a request was malformed");
    status(next_answer(peer, &at), BAD);
    session(peer);
    begin(peer, T_SETSTAT);
    put_text(peer, "/a");
    put_u32(peer, 1u << 31);
    put_u32(peer, UINT32_MAX); /* that many pairs */
    refused(peer, packet(peer), "a request was malformed");
}

static void test_every_byte_and_field_spoilt(void **state)
{
    static const int32_t changes[] = {-1, 1, 0x7fffffff, 0x100};
    struct peer *peer = *state;
    struct slice h, h2, folder;
    uint8_t whole[512], spoilt[512];

    for (unsigned kind = 0;; kind++) {
        session_with_handles(peer, &h, &h2, &folder);
        if (!good_packet(peer, kind, h, h2))
            break;
        const size_t len = packet(peer).len;
        memcpy(whole, peer->packet, len);
        for (size_t at = 4; at + 4 <= len; at++) {
            for (size_t c = 0; c < sizeof(changes) / sizeof(changes[0]); c++) {
                struct wire w = wire_of(slice_of(whole + at, 4));
                struct wire_out out = wire_out_of(spoilt + at, 4);
                memcpy(spoilt, whole, len);
                wire_put_u32(&out, wire_u32(&w) + (uint32_t)changes[c]);
                session_with_handles(peer, &h, &h2, &folder);
                survive(peer, slice_of(spoilt, len));
            }
        }
    }
}

static void test_bytes_by_chance(void **state)
{
    struct peer *peer = *state;
    uint64_t seed = 0x9e3779b97f4a7c15;
    uint8_t bytes[600];

    for (unsigned round = 0; round < 3000; round++) {
        session(peer);
        for (size_t i = 0; i < sizeof(bytes); i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            bytes[i] = (uint8_t)(seed >> 56);
        }
        bytes[0] = bytes[1] = bytes[2] = 0; /* a length that can be */
        if (bytes[4] == T_REMOVE || bytes[4] == T_RENAME)
            bytes[4] = T_STAT;
        const ssize_t used = feed(peer, slice_of(bytes, sizeof(bytes)));
        assert_true(used == -1 || used <= (ssize_t)sizeof(bytes));
    }
}

/* ---- paths ---------------------------------------------------------------------------------- */
static void test_paths_that_cannot_be(void **state)
{
    struct peer *peer = *state;
    char path[4200];

    memset(path, 'x', sizeof(path));
    path[0] = '/';
    const uint8_t types[] = {T_STAT, T_REALPATH, T_REMOVE, T_OPENDIR, T_READLINK};
    for (size_t i = 0; i < sizeof(types); i++) {
        begin(peer, types[i]);
        put_string(peer, slice_of("/a\0b", 4));
        assert_text(status(exchange(peer), FAILURE), "A name cannot hold a NUL byte");
        begin(peer, types[i]);
        put_string(peer, slice_of(path, 4096));
        assert_text(status(exchange(peer), FAILURE), "File name too long");
        begin(peer, types[i]);
        put_string(peer, slice_of(path + 1, 4095)); /* with the slash before it */
        assert_text(status(exchange(peer), FAILURE), "File name too long");
    }
    begin(peer, T_REALPATH);
    put_string(peer, slice_of(path, 4095));
    assert_int_equal(exchange(peer).type, T_NAME);
    begin(peer, T_STAT);
    put_text(peer, "");
    status(exchange(peer), NO_FILE);
    begin(peer, T_SYMLINK);
    put_string(peer, slice_of("a\0b", 3));
    put_text(peer, "/link");
    status(exchange(peer), FAILURE);
    begin(peer, T_SYMLINK);
    put_string(peer, slice_of(path, 4096));
    put_text(peer, "/link");
    status(exchange(peer), FAILURE);
    begin_extension(peer, "expand-path@openssh.com");
    put_string(peer, slice_of("~/a\0b", 5));
    status(exchange(peer), FAILURE);
}

/* ---- handles -------------------------------------------------------------------------------- */
static void test_handles_misused(void **state)
{
    struct peer *peer = *state;
    const struct slice h = open_file(peer, "/a", W_READ | W_WRITE | W_CREAT);
    const struct slice folder = open_folder(peer, "/");
    uint8_t wrong[5];

    status(with_handle(peer, T_READDIR, h), FAILURE);
    status(read_file(peer, folder, 0, 1), FAILURE);
    status(write_file(peer, folder, 0, slice_text("x")), FAILURE);
    memcpy(wrong, h.data, 4);
    status(with_handle(peer, T_FSTAT, slice_of(wrong, 3)), FAILURE);
    status(with_handle(peer, T_FSTAT, slice_of(wrong, 5)), FAILURE);
    status(with_handle(peer, T_FSTAT, slice_of(wrong, 0)), FAILURE);
    for (unsigned bit = 0; bit < 32; bit++) {
        memcpy(wrong, h.data, 4);
        wrong[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (memcmp(wrong, folder.data, 4) != 0)
            status(with_handle(peer, T_FSTAT, slice_of(wrong, 4)), FAILURE);
    }
    status(with_handle(peer, T_CLOSE, h), OK);
    assert_text(status(with_handle(peer, T_CLOSE, h), FAILURE), "Invalid handle");
    const struct slice newer = open_file(peer, "/a", W_READ); /* in the same place */
    assert_false(slice_equal(h, newer));
    status(read_file(peer, h, 0, 1), FAILURE);
    status(read_file(peer, newer, 0, 1), END);
}

static void test_a_thousand_handles(void **state)
{
    struct peer *peer = *state;

    for (unsigned i = 0; i < SFTP_HANDLES_MAX; i++)
        open_folder(peer, "/");
    const uint32_t questions = peer->agent.seen->questions;
    assert_text(status(with_path(peer, T_OPENDIR, "/"), FAILURE), "Too many open files");
    begin(peer, T_OPEN);
    put_text(peer, "/a");
    put_u32(peer, W_WRITE | W_CREAT);
    put_u32(peer, 0);
    assert_text(status(exchange(peer), FAILURE), "Too many open files");
    assert_int_equal(peer->agent.seen->questions, questions); /* nothing was made */
    session(peer);
    assert_int_equal(peer->agent.seen->open, 0);
    open_folder(peer, "/");
}

/* ---- pipelines ------------------------------------------------------------------------------ */
/* Many requests in one buffer: reads, writes, stats, refusals; the caller frees it. */
static uint8_t *pipeline(struct peer *peer, struct slice h, unsigned requests, size_t *len)
{
    size_t size = 1 << 20;
    uint8_t *bytes = malloc(size);

    *len = 0;
    for (unsigned i = 0; i < requests; i++) {
        begin(peer, i % 4 == 0 ? T_WRITE : i % 4 == 1 ? T_READ : i % 4 == 2 ? T_STAT : 77);
        peer->id = i;
        if (i % 4 < 2) {
            put_string(peer, h);
            put_u64(peer, i / 4);
        }
        if (i % 4 == 0)
            put_text(peer, "ab");
        else if (i % 4 == 1)
            put_u32(peer, 1 + i % 7);
        else
            put_text(peer, "/none");
        const struct slice one = packet(peer);
        while (size - *len < one.len)
            bytes = realloc(bytes, size *= 2);
        assert_non_null(bytes);
        memcpy(bytes + *len, one.data, one.len);
        *len += one.len;
    }
    return bytes;
}

static void test_thousands_of_requests_at_once(void **state)
{
    enum { REQUESTS = 8000 };
    struct peer *peer = *state;
    const struct slice h = open_file(peer, "/a", W_READ | W_WRITE | W_CREAT);
    size_t len, at = 0;
    uint8_t *bytes = pipeline(peer, h, REQUESTS, &len);
    uint32_t id = 0;

    forget_answers(peer);
    assert_int_equal(feed(peer, slice_of(bytes, len)), len);
    struct wire ids = wire_of(slice_of(bytes, len));
    for (; at < peer->out_len; id++) {
        const struct slice request = wire_string(&ids);
        struct wire w = wire_of(request);
        const uint8_t type = wire_u8(&w);
        const struct answer answer = next_answer(peer, &at);
        assert_int_equal(answer.id, wire_u32(&w)); /* in their order */
        assert_int_equal(answer.type, type == T_READ ? T_DATA : T_STATUS);
    }
    assert_int_equal(id, REQUESTS);
    assert_int_equal(sftp_totals(peer->sftp).requests, REQUESTS + 2);
    free(bytes);
}

static void test_a_pipeline_in_any_pieces(void **state)
{
    static const size_t pieces[] = {1, 2, 3, 5, 7, 31, 100, 1000};
    struct peer *peer = *state;
    struct slice h, h2, folder;
    uint8_t *expected = NULL;
    size_t expected_len = 0;

    for (size_t p = 0; p <= sizeof(pieces) / sizeof(pieces[0]); p++) {
        size_t len, used = 0;
        session_with_handles(peer, &h, &h2, &folder);
        uint8_t *bytes = pipeline(peer, h, 200, &len);
        const size_t piece = p == 0 ? len : pieces[p - 1];
        for (size_t there = 0; there < len;) {
            there = there + piece < len ? there + piece : len;
            const ssize_t n = feed(peer, slice_of(bytes + used, there - used));
            assert_true(n >= 0);
            used += (size_t)n;
        }
        assert_int_equal(used, len);
        free(bytes);
        if (p == 0) {
            expected = malloc(peer->out_len);
            expected_len = peer->out_len;
            assert_non_null(expected);
            memcpy(expected, peer->out, expected_len);
        }
        struct slice out = slice_of(peer->out, peer->out_len);
        assert_int_equal(out.len, expected_len);
        size_t a = 0, b = 0; /* the ids count on: the rest is the same */
        while (a < out.len) {
            const struct answer one = next_answer(peer, &a);
            struct wire w = wire_of(slice_of(expected + b, expected_len - b));
            const struct slice other = wire_string(&w);
            b += w.at;
            assert_int_equal(one.type, other.data[0]);
            assert_memory_equal(one.body.data + 5, other.data + 5, other.len - 5);
        }
    }
    free(expected);
}

static void test_a_client_that_does_not_read(void **state)
{
    struct peer *peer = *state;
    struct slice h = open_file(peer, "/a", W_READ | W_WRITE | W_CREAT);
    const char *block = "0123456789abcdef";
    size_t len, used = 0, answers = 0, stops = 0;

    for (uint64_t i = 0; i < 64; i++)
        status(write_file(peer, h, i * 16, slice_text(block)), OK);
    uint8_t *bytes = pipeline(peer, h, 4000, &len);
    forget_answers(peer);
    peer->out_most = 2048;
    while (used < len) {
        const ssize_t n = feed(peer, slice_of(bytes + used, len - used));
        assert_true(n >= 0);
        assert_true(peer->out_len <= peer->out_most);
        used += (size_t)n;
        if (n == 0 || used < len) { /* full: nothing is begun */
            const uint64_t before = sftp_totals(peer->sftp).requests;
            assert_int_equal(feed(peer, slice_of(bytes + used, len - used)), 0);
            assert_int_equal(sftp_totals(peer->sftp).requests, before);
            stops++;
        }
        for (size_t at = 0; at < peer->out_len; answers++)
            next_answer(peer, &at);
        forget_answers(peer);
    }
    assert_int_equal(answers, 4000);
    assert_true(stops > 10);
    free(bytes);
}

static void test_a_job_waits_for_room(void **state)
{
    struct peer *peer = *state;
    uint8_t request[100];
    size_t at = 0;

    make_file(peer, "/a", slice_text("abc"));
    begin_extension(peer, "check-file-name");
    put_text(peer, "/a");
    put_text(peer, "md5");
    put_u64(peer, 0);
    put_u64(peer, 0);
    put_u32(peer, 0);
    const struct slice bytes = slice_of(request, packet(peer).len);
    memcpy(request, peer->packet, bytes.len);
    peer->out_most = 0;
    assert_int_equal(feed(peer, bytes), 0);
    assert_false(sftp_busy(peer->sftp)); /* waits for the client, does not turn in circles */
    peer->out_most = SIZE_MAX;
    assert_int_equal(feed(peer, bytes), bytes.len);
    assert_int_equal(next_answer(peer, &at).type, T_EXTENDED_REPLY);
    assert_int_equal(peer->agent.seen->open, 0);
}

/* Begin to hash a file of 64 MiB, and do the first step; path: at least 200 bytes for its name. */
static void begin_to_hash(struct peer *peer, char *path)
{
    make_file(peer, "/large", slice_text(""));
    snprintf(path, 200, "%s/large", peer->folder);
    assert_int_equal(truncate(path, 64 << 20), 0);
    begin_extension(peer, "check-file-name");
    put_text(peer, "/large");
    put_text(peer, "md5");
    put_u64(peer, 0);
    put_u64(peer, 0);
    put_u32(peer, 0);
    const struct slice bytes = packet(peer);
    assert_int_equal(sftp_input(peer->sftp, bytes.data, bytes.len), bytes.len);
    assert_true(sftp_busy(peer->sftp));
}

static void test_a_job_goes_on_when_there_is_room_again(void **state)
{
    struct peer *peer = *state;
    char path[200];
    size_t at = 0;

    begin_to_hash(peer, path);
    peer->out_most = 0;
    assert_int_equal(sftp_input(peer->sftp, NULL, 0), 0);
    assert_false(sftp_busy(peer->sftp));
    peer->out_most = SIZE_MAX;
    assert_int_equal(truncate(path, 1 << 20), 0); /* and it has become shorter */
    assert_int_equal(feed(peer, slice_of(NULL, 0)), 0);
    assert_int_equal(next_answer(peer, &at).type, T_EXTENDED_REPLY);
    assert_int_equal(peer->agent.seen->open, 0);
}

/* The client goes while its file is hashed. */
static void test_a_job_that_nobody_waits_for(void **state)
{
    struct peer *peer = *state;
    char path[200];

    begin_to_hash(peer, path);
    session(peer);
    assert_int_equal(peer->agent.seen->open, 0);
}

/* ---- a broken agent ------------------------------------------------------------------------- */
static void test_an_agent_that_talks_nonsense(void **state)
{
    struct peer *peer = *state;
    struct slice h, h2, folder;

    for (uint32_t how = SABOTAGE_NONE + 1; how < SABOTAGE_LAST; how++) {
        session_with_handles(peer, &h, &h2, &folder);
        if (how == SABOTAGE_BAD_ENTRIES) {
            begin(peer, T_READDIR);
            put_string(peer, folder);
        } else if (how == SABOTAGE_GREEDY_COPY) {
            begin_extension(peer, "copy-data");
            put_string(peer, h);
            put_u64(peer, 0);
            put_u64(peer, 5);
            put_string(peer, h2);
            put_u64(peer, 0);
        } else {
            begin(peer, T_OPEN);
            put_text(peer, "/1");
            put_u32(peer, W_READ);
            put_u32(peer, 0);
        }
        peer->agent.seen->sabotage = how;
        refused(peer, packet(peer), "the file agent is gone");
        peer_end_session(peer);
        fake_agent_stop(&peer->agent);
        fake_agent_start(&peer->agent, peer->folder);
        peer_session(peer);
    }
}

/* The link may be one that does not block: then the engine waits by itself. */
static void test_a_link_that_does_not_block(void **state)
{
    struct peer *peer = *state;

    assert_int_equal(fcntl(peer->agent.link, F_SETFL, O_NONBLOCK), 0);
    for (unsigned i = 0; i < 200; i++)
        status(with_path(peer, T_STAT, "/none"), NO_FILE);
}

/* ---- the sandbox ---------------------------------------------------------------------------- */
/* In a child with the worker's own system call filter: everything that is no name's business. */
static void live_in_the_sandbox(struct peer *peer)
{
    const struct sandbox sandbox = {.process = PROCESS_SFTP,
                                    .uid = getuid() != 0 ? getuid() : 65534,
                                    .gid = getgid() != 0 ? getgid() : 65534,
                                    .descriptors = 64,
                                    .file_size = UINT64_MAX};
    char trouble[256];
    uint32_t layers;
    size_t at = 0;

    if (dup2(peer->agent.link, 5) < 0 || dup2(5, 3) < 0 || dup2(5, 4) < 0)
        _exit(10); /* as in the worker, where files come after these */
    peer->agent.link = 5;
    peer_session(peer);
    if (sandbox_enter(&sandbox, &layers, trouble, sizeof(trouble)) < 0) {
        fprintf(stderr, "sandbox: %s\n", trouble);
        _exit(11);
    }
    begin(peer, T_INIT);
    peer->request.len = 5;
    put_u32(peer, 3);
    feed(peer, packet(peer));
    const struct slice h = open_file(peer, "/a", W_READ | W_WRITE | W_CREAT);
    for (uint64_t i = 0; i < 20; i++)
        status(write_file(peer, h, i * 16, slice_text("0123456789abcdef")), OK);
    if (read_file(peer, h, 0, 300).type != T_DATA)
        _exit(12);
    for (unsigned i = 0; i < 12; i++)
        open_folder(peer, "/");
    if (with_handle(peer, T_READDIR, open_folder(peer, "/")).type != T_NAME)
        _exit(13);
    status(with_path(peer, T_STAT, "/none"), NO_FILE);
    begin_extension(peer, "check-file-handle");
    put_string(peer, h);
    put_text(peer, "sha512");
    put_u64(peer, 0);
    put_u64(peer, 0);
    put_u32(peer, 0);
    if (exchange(peer).type != T_EXTENDED_REPLY)
        _exit(14);
    status(with_handle(peer, T_CLOSE, h), OK);
    begin(peer, 99);
    feed(peer, packet(peer));
    next_answer(peer, &at);
    peer_end_session(peer);
    _exit(0);
}

static void test_nothing_but_what_the_filter_allows(void **state)
{
    struct peer *peer = *state;
    int how = 0;
    const pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        live_in_the_sandbox(peer);
    assert_int_equal(waitpid(pid, &how, 0), pid);
    assert_true(WIFEXITED(how));
    assert_int_equal(WEXITSTATUS(how), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_init_comes_first_and_once),   TEST(test_lengths_that_cannot_be),
        TEST(test_the_longest_packet),          TEST(test_unknown_requests_are_answered),
        TEST(test_every_packet_cut_everywhere), TEST(test_a_cut_in_the_arguments_ends_the_session),
        TEST(test_every_byte_and_field_spoilt), TEST(test_bytes_by_chance),
        TEST(test_paths_that_cannot_be),        TEST(test_handles_misused),
        TEST(test_a_thousand_handles),          TEST(test_thousands_of_requests_at_once),
        TEST(test_a_pipeline_in_any_pieces),    TEST(test_a_client_that_does_not_read),
        TEST(test_a_job_waits_for_room),        TEST(test_a_job_goes_on_when_there_is_room_again),
        TEST(test_a_job_that_nobody_waits_for), TEST(test_an_agent_that_talks_nonsense),
        TEST(test_a_link_that_does_not_block),  TEST(test_nothing_but_what_the_filter_allows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
