/* The SFTP server engine does what clients ask: every request and every extension, against real
 * files that a simple agent in a child process serves. What it must refuse is in
 * test_sftp_hostile.c. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/operations.h"
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

static struct slice one_name(struct answer answer)
{
    assert_int_equal(answer.type, T_NAME);
    assert_int_equal(wire_u32(&answer.body), 1);
    const struct slice name = wire_string(&answer.body);
    assert_true(slice_equal(wire_string(&answer.body), name));
    assert_int_equal(read_attributes(&answer.body).flags, 0);
    assert_true(wire_done(&answer.body));
    return name;
}

static struct attributes_read attributes(struct answer answer)
{
    assert_int_equal(answer.type, T_ATTRS);
    const struct attributes_read a = read_attributes(&answer.body);
    assert_true(wire_done(&answer.body));
    return a;
}

static struct slice data(struct answer answer)
{
    assert_int_equal(answer.type, T_DATA);
    const struct slice bytes = wire_string(&answer.body);
    assert_true(wire_done(&answer.body));
    return bytes;
}

static struct stat stat_of(struct peer *peer, const char *path)
{
    char full[200];
    struct stat st;

    snprintf(full, sizeof(full), "%s%s", peer->folder, path);
    assert_int_equal(lstat(full, &st), 0);
    return st;
}

/* ---- the start ------------------------------------------------------------------------------ */
static void test_version_names_every_extension(void **state)
{
    struct peer *peer = *state;
    size_t count, at = 0;
    const struct request *rows = sftp_extensions(&count);

    peer_end_session(peer);
    peer_session(peer);
    begin(peer, T_INIT);
    peer->request.len = 5;
    put_u32(peer, 6);
    put_text(peer, "client@example.com"); /* extensions of the client: read over */
    put_text(peer, "1");
    assert_true(feed(peer, packet(peer)) > 0);
    struct wire w = wire_of(slice_of(peer->out, peer->out_len));
    assert_int_equal(wire_u32(&w), peer->out_len - 4);
    assert_int_equal(wire_u8(&w), T_VERSION);
    assert_int_equal(wire_u32(&w), 3);
    for (; at < count; at++) {
        assert_text(wire_string(&w), rows[at].name);
        assert_text(wire_string(&w), rows[at].version);
    }
    assert_true(wire_done(&w));
    assert_true(count >= 15);
}

static void test_an_old_client_hears_statuses_without_text(void **state)
{
    struct peer *peer = *state;

    peer_end_session(peer);
    peer_session(peer);
    begin(peer, T_INIT);
    peer->request.len = 5;
    put_u32(peer, 2);
    assert_int_equal(feed(peer, packet(peer)), 9);
    struct answer answer = with_path(peer, T_STAT, "/none");
    assert_int_equal(answer.type, T_STATUS);
    assert_int_equal(wire_u32(&answer.body), NO_FILE);
    assert_true(wire_done(&answer.body));
}

static void test_the_tables_are_sound(void **state)
{
    size_t requests, extensions;
    const struct request *tables[2] = {sftp_requests(&requests), sftp_extensions(&extensions)};
    const size_t counts[2] = {requests, extensions};

    (void)state;
    for (size_t t = 0; t < 2; t++) {
        for (size_t i = 0; i < counts[t]; i++) {
            const struct request *row = &tables[t][i];
            assert_true(row->room >= ROOM_STATUS && row->room <= SFTP_REPLY_MAX);
            assert_true(row->needs == HANDLE_NONE || row->least >= 4);
            for (size_t j = 0; j < i; j++)
                assert_true(strcmp(tables[t][j].name, row->name) != 0 &&
                            (t == 1 || tables[t][j].number != row->number));
            for (const char *word = row->operations; *word != '\0';) {
                const size_t n = strcspn(word, " ");
                bool known = false;
                for (unsigned o = 0; o < OPERATION_COUNT; o++)
                    known |= slice_is(slice_of(word, n), operation_info(o)->name);
                assert_true(known);
                word += n + (word[n] == ' ');
            }
        }
    }
    assert_int_equal(requests, 20);
}

/* ---- contents ------------------------------------------------------------------------------- */
static void test_a_file_is_written_and_read(void **state)
{
    struct peer *peer = *state;
    struct slice h = open_file(peer, "/a", W_READ | W_WRITE | W_CREAT | W_EXCL);

    status(write_file(peer, h, 0, slice_text("hello ")), OK);
    status(write_file(peer, h, 6, slice_text("world")), OK);
    status(write_file(peer, h, 3, slice_text("")), OK);
    assert_text(data(read_file(peer, h, 0, 5)), "hello");
    assert_text(data(read_file(peer, h, 6, 100)), "world");
    assert_int_equal(data(read_file(peer, h, 6, 0)).len, 0);
    status(read_file(peer, h, 11, 1), END);
    status(read_file(peer, h, UINT64_MAX, 1000), END);
    assert_int_equal(attributes(with_handle(peer, T_FSTAT, h)).size, 11);
    status(with_handle(peer, T_CLOSE, h), OK);
    assert_int_equal(peer->agent.seen->bytes_read, 10);
    assert_int_equal(peer->agent.seen->bytes_written, 11);
    assert_int_equal(peer->agent.seen->whole, 1);
    assert_int_equal(peer->agent.seen->open, 0);
    assert_int_equal(sftp_totals(peer->sftp).bytes_read, 10);
    assert_int_equal(sftp_totals(peer->sftp).bytes_written, 11);
    assert_int_equal(stat_of(peer, "/a").st_size, 11);
}

static void test_the_ways_to_open(void **state)
{
    struct peer *peer = *state;

    make_file(peer, "/a", slice_text("0123456789"));
    begin(peer, T_OPEN);
    put_text(peer, "/a");
    put_u32(peer, W_WRITE | W_CREAT | W_EXCL);
    put_u32(peer, 0);
    assert_text(status(exchange(peer), FAILURE), "File exists");
    struct slice h = open_file(peer, "a", W_WRITE | W_APPEND); /* relative to the home */
    status(write_file(peer, h, UINT64_MAX, slice_text("abc")), OK);
    status(with_handle(peer, T_CLOSE, h), OK);
    assert_int_equal(stat_of(peer, "/a").st_size, 13);
    h = open_file(peer, "/a", W_WRITE | W_TRUNC);
    status(with_handle(peer, T_CLOSE, h), OK);
    assert_int_equal(stat_of(peer, "/a").st_size, 0);
    h = open_file(peer, "/a", 0); /* as OpenSSH: to read */
    status(read_file(peer, h, 0, 1), END);
    assert_text(status(write_file(peer, h, 0, slice_text("x")), DENIED),
                "The file was not opened for writing");
    h = open_file(peer, "/a", W_WRITE);
    status(read_file(peer, h, 0, 1), DENIED);
    begin(peer, T_OPEN);
    put_text(peer, "/new");
    put_u32(peer, W_WRITE | W_CREAT);
    put_u32(peer, 4);
    put_u32(peer, 0600);
    assert_int_equal(exchange(peer).type, T_HANDLE);
    assert_int_equal(stat_of(peer, "/new").st_mode, S_IFREG | 0600);
}

static void test_large_reads_and_writes(void **state)
{
    struct peer *peer = *state;
    uint8_t *bytes = malloc(SFTP_DATA_MAX);
    struct slice h = open_file(peer, "/big", W_READ | W_WRITE | W_CREAT);

    assert_non_null(bytes);
    for (size_t i = 0; i < SFTP_DATA_MAX; i++)
        bytes[i] = (uint8_t)(i * 2654435761u >> 24);
    for (uint64_t at = 0; at < 4; at++)
        status(write_file(peer, h, at * SFTP_DATA_MAX, slice_of(bytes, SFTP_DATA_MAX)), OK);
    for (uint64_t at = 0; at < 4; at++)
        assert_true(slice_equal(data(read_file(peer, h, at * SFTP_DATA_MAX, SFTP_DATA_MAX)),
                                slice_of(bytes, SFTP_DATA_MAX)));
    assert_int_equal(data(read_file(peer, h, 5, UINT32_MAX)).len, SFTP_DATA_MAX);
    assert_int_equal(data(read_file(peer, h, 3 * SFTP_DATA_MAX + 7, UINT32_MAX)).len,
                     SFTP_DATA_MAX - 7);
    free(bytes);
}

static void test_a_full_disk_is_told_at_write_and_at_close(void **state)
{
    struct peer *peer = *state;
    const struct slice h = open_file(peer, FAKE_FULL_NAME, W_WRITE);

    assert_text(status(write_file(peer, h, 0, slice_text("x")), FAILURE),
                "No space left on device");
    assert_text(status(with_handle(peer, T_CLOSE, h), FAILURE), "No space left on device");
    assert_int_equal(peer->agent.seen->whole, 0);
    assert_int_equal(peer->agent.seen->bytes_written, 0);
}

static void test_a_client_that_vanishes_leaves_nothing_whole(void **state)
{
    struct peer *peer = *state;
    const struct slice h = open_file(peer, "/a", W_WRITE | W_CREAT);

    open_folder(peer, "/");
    status(write_file(peer, h, 0, slice_text("half")), OK);
    peer_end_session(peer);
    assert_int_equal(peer->agent.seen->closes, 2);
    assert_int_equal(peer->agent.seen->open, 0);
    assert_int_equal(peer->agent.seen->whole, 0);
}

/* ---- names and attributes ------------------------------------------------------------------- */
static void test_attributes_are_told(void **state)
{
    struct peer *peer = *state;

    make_file(peer, "/a", slice_text("12345"));
    begin(peer, T_SYMLINK);
    put_text(peer, "a"); /* the target first, as OpenSSH has it */
    put_text(peer, "/link");
    status(exchange(peer), OK);
    const struct stat st = stat_of(peer, "/a");
    const struct attributes_read a = attributes(with_path(peer, T_STAT, "link"));
    assert_int_equal(a.size, 5);
    assert_int_equal(a.mode, S_IFREG | 0644);
    assert_int_equal(a.uid, st.st_uid);
    assert_int_equal(a.gid, st.st_gid);
    assert_int_equal(a.mtime, st.st_mtime);
    assert_true(S_ISLNK(attributes(with_path(peer, T_LSTAT, "/link")).mode));
    assert_text(one_name(with_path(peer, T_READLINK, "/link")), "a");
    assert_text(status(with_path(peer, T_STAT, "/none"), NO_FILE), "No such file or directory");
    status(with_path(peer, T_STAT, "/a/none"), NO_FILE);
    assert_text(status(with_path(peer, T_STAT, FAKE_SENTENCE), DENIED), FAKE_TEXT);
    assert_true(S_ISDIR(attributes(with_handle(peer, T_FSTAT, open_folder(peer, "/"))).mode));
}

static void test_attributes_are_set(void **state)
{
    struct peer *peer = *state;

    make_file(peer, "/a", slice_text("12345"));
    begin(peer, T_SETSTAT);
    put_text(peer, "/a");
    put_u32(peer, 1u << 31 | 1 | 4 | 8); /* an extended pair too */
    put_u64(peer, 3);
    put_u32(peer, 0100751);
    put_u32(peer, 1000);
    put_u32(peer, 4000000000u);
    put_u32(peer, 1);
    put_text(peer, "acl@example.com");
    put_text(peer, "none");
    status(exchange(peer), OK);
    struct stat st = stat_of(peer, "/a");
    assert_int_equal(st.st_size, 3);
    assert_int_equal(st.st_mode, S_IFREG | 0751);
    assert_int_equal(st.st_atime, 1000);
    assert_int_equal(st.st_mtime, 4000000000);
    assert_int_equal(attributes(with_path(peer, T_STAT, "/a")).mtime, 4000000000u);
    const struct slice h = open_file(peer, "/a", W_WRITE);
    begin(peer, T_FSETSTAT);
    put_string(peer, h);
    put_u32(peer, 1 | 4);
    put_u64(peer, 9);
    put_u32(peer, 0600);
    status(exchange(peer), OK);
    st = stat_of(peer, "/a");
    assert_int_equal(st.st_size, 9);
    assert_int_equal(st.st_mode, S_IFREG | 0600);
    begin(peer, T_SETSTAT); /* nothing to set: done, wherever */
    put_text(peer, "/none");
    put_u32(peer, 0);
    status(exchange(peer), OK);
}

static void test_links_attributes_are_set(void **state)
{
    struct peer *peer = *state;

    begin(peer, T_SYMLINK);
    put_text(peer, "nowhere");
    put_text(peer, "/link");
    status(exchange(peer), OK);
    begin_extension(peer, "lsetstat@openssh.com");
    put_text(peer, "/link");
    put_u32(peer, 8);
    put_u32(peer, 1000);
    put_u32(peer, 2000);
    status(exchange(peer), OK);
    assert_int_equal(stat_of(peer, "/link").st_mtime, 2000);
    begin_extension(peer, "lsetstat@openssh.com");
    put_text(peer, "/link");
    put_u32(peer, 1);
    put_u64(peer, 2000);
    status(exchange(peer), BAD); /* and the session goes on */
    assert_text(one_name(with_path(peer, T_READLINK, "/link")), "nowhere");
}

static struct answer two_paths(struct peer *peer, uint8_t type, const char *extension,
                               const char *from, const char *to)
{
    if (extension != NULL)
        begin_extension(peer, extension);
    else
        begin(peer, type);
    put_text(peer, from);
    put_text(peer, to);
    return exchange(peer);
}

static void test_names_are_made_moved_and_removed(void **state)
{
    struct peer *peer = *state;

    make_file(peer, "/a", slice_text("a"));
    make_file(peer, "/b", slice_text("bb"));
    assert_text(status(two_paths(peer, T_RENAME, NULL, "/a", "/b"), FAILURE), "File exists");
    status(two_paths(peer, T_RENAME, NULL, "/a", "/c"), OK);
    status(two_paths(peer, 0, "posix-rename@openssh.com", "/c", "/b"), OK);
    assert_int_equal(stat_of(peer, "/b").st_size, 1);
    status(two_paths(peer, 0, "hardlink@openssh.com", "/b", "/d"), OK);
    assert_int_equal(stat_of(peer, "/d").st_nlink, 2);
    begin(peer, T_MKDIR);
    put_text(peer, "/folder");
    put_u32(peer, 4);
    put_u32(peer, 0700);
    status(exchange(peer), OK);
    assert_int_equal(stat_of(peer, "/folder").st_mode, S_IFDIR | 0700);
    status(with_path(peer, T_MKDIR, "/folder2"), OK);
    assert_int_equal(stat_of(peer, "/folder2").st_mode, S_IFDIR | 0755);
    status(with_path(peer, T_REMOVE, "/folder"), FAILURE); /* a folder */
    status(with_path(peer, T_RMDIR, "/folder"), OK);
    status(with_path(peer, T_REMOVE, "/d"), OK);
    status(with_path(peer, T_REMOVE, "/d"), NO_FILE);
}

static void test_names_are_made_plain(void **state)
{
    static const struct {
        const char *extension, *name, *plain;
    } cases[] = {
        {NULL, "", "/"},
        {NULL, ".", "/"},
        {NULL, "/a/./b/../c//", "/a/c"},
        {NULL, "../../x", "/x"},
        {NULL, "~", "/~"},
        {"expand-path@openssh.com", "", "/"},
        {"expand-path@openssh.com", "a", "/a"},
        {"expand-path@openssh.com", "~", "/"},
        {"expand-path@openssh.com", "~/a/b", "/a/b"},
        {"expand-path@openssh.com", "~alice", "/"},
        {"expand-path@openssh.com", "~alice/x", "/x"},
        {"expand-path@openssh.com", "~bob", NULL},
        {"expand-path@openssh.com", "~alicex/y", NULL},
        {"home-directory", "", "/"},
        {"home-directory", "alice", "/"},
        {"home-directory", "bob", NULL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (cases[i].extension != NULL)
            begin_extension(*state, cases[i].extension);
        else
            begin(*state, T_REALPATH);
        put_text(*state, cases[i].name);
        if (cases[i].plain != NULL)
            assert_text(one_name(exchange(*state)), cases[i].plain);
        else
            assert_text(status(exchange(*state), NO_FILE), "No such user");
    }
}

/* ---- listings ------------------------------------------------------------------------------- */
static void test_a_listing_has_lines_as_ls(void **state)
{
    struct peer *peer = *state;
    char line[200], when[20];
    struct tm tm;

    make_file(peer, "/a", slice_text("12345"));
    peer->agent.seen->entries = 1; /* each message one entry: they are put together in turn */
    const struct slice h = open_folder(peer, "/");
    int seen = 0, answers = 0;
    for (;; answers++) {
        struct answer answer = with_handle(peer, T_READDIR, h);
        if (answer.type == T_STATUS) {
            status(answer, END);
            break;
        }
        assert_int_equal(answer.type, T_NAME);
        assert_int_equal(wire_u32(&answer.body), 1);
        const struct slice name = wire_string(&answer.body), longname = wire_string(&answer.body);
        assert_int_equal(read_attributes(&answer.body).flags, 15);
        assert_true(wire_done(&answer.body));
        if (!slice_is(name, "a"))
            continue;
        const struct stat st = stat_of(peer, "/a");
        assert_non_null(gmtime_r(&st.st_mtime, &tm));
        strftime(when, sizeof(when), "%b %e %H:%M", &tm);
        snprintf(line, sizeof(line), "-rw-r--r--   1 %-8u %-8u        5 %s a", st.st_uid, st.st_gid,
                 when);
        assert_text(longname, line);
        seen++;
    }
    assert_int_equal(seen, 1);
    assert_int_equal(answers, 3);                 /* with . and .. */
    status(with_handle(peer, T_READDIR, h), END); /* still */
    status(with_handle(peer, T_CLOSE, h), OK);
}

static void test_twenty_thousand_names(void **state)
{
    enum { NAMES = 20000 };
    struct peer *peer = *state;
    bool *found = calloc(NAMES, sizeof(*found));
    unsigned names = 0, answers = 0;
    char path[200];

    assert_non_null(found);
    for (unsigned i = 0; i < NAMES; i++) {
        snprintf(path, sizeof(path), "/%05u-%.*s", i, (int)(i % 100),
                 "a-longer-name-for-some-of-the-files-so-that-answers-are-not-all-filled-alike-"
                 "and-edges-come-at-all-places");
        make_file(peer, path, slice_text(""));
    }
    const struct slice h = open_folder(peer, "/");
    for (;; answers++) {
        struct answer answer = with_handle(peer, T_READDIR, h);
        if (answer.type == T_STATUS)
            break;
        assert_in_range(peer->out_len, 1, 34000);
        for (uint32_t left = wire_u32(&answer.body); left > 0; left--, names++) {
            const struct slice name = wire_string(&answer.body);
            wire_string(&answer.body);
            read_attributes(&answer.body);
            if (name.len < 6)
                continue; /* . and .. */
            const unsigned long i = strtoul((const char *)name.data, NULL, 10);
            assert_true(i < NAMES && !found[i]);
            found[i] = true;
        }
        assert_true(wire_done(&answer.body));
    }
    assert_int_equal(names, NAMES + 2);
    assert_true(answers < NAMES / 60);
    free(found);
}

static void test_the_times_of_lines(void **state)
{
    static const int64_t times[] = {
        0,           -1,           951782399,    951782400,  951868800,
        1709164800,  1709251199,   1735689599,   4107542399, 4107542400,
        -2208988801, 253402300799, -62135596800, 68169600,   1000000000};
    const struct sftp sftp = {.account = "alice", .uid = 7, .gid = 8};
    char line[LONGNAME_MAX], expected[64];

    (void)state;
    for (size_t i = 0; i < 3 * sizeof(times) / sizeof(times[0]); i++) {
        const time_t t = times[i / 3];
        const int64_t now = i % 3 == 0 ? t + 1000 : i % 3 == 1 ? t + 183 * 86400 : t - 1;
        const struct attributes a = {.mode = S_IFDIR | S_ISVTX | S_ISUID | S_ISGID | 0755,
                                     .nlink = 12,
                                     .uid = 7,
                                     .gid = 9,
                                     .size = 1234567890123,
                                     .mtime_ns = 0};
        struct attributes at = a;
        struct tm tm;
        if (t > 9000000000 || t < -9000000000)
            continue; /* beyond 64 bits of nanoseconds */
        at.mtime_ns = t * 1000000000;
        assert_non_null(gmtime_r(&t, &tm));
        strftime(expected, sizeof(expected), i % 3 == 0 ? "%b %e %H:%M" : "%b %e  %Y", &tm);
        char whole[200];
        snprintf(whole, sizeof(whole), "drwsr-sr-t  12 alice    9        1234567890123 %s name",
                 expected);
        const size_t n = longname(&sftp, now, slice_text("name"), &at, line);
        assert_text(slice_of(line, n), whole);
    }
    for (int64_t day = -90000; day < 90000; day += 7) { /* 1723 to 2216 */
        const time_t t = day * 86400 + 12345;
        const struct attributes a = {.mtime_ns = t * 1000000000};
        struct tm tm;
        assert_non_null(gmtime_r(&t, &tm));
        const size_t n = longname(&sftp, t, slice_text("."), &a, line);
        strftime(expected, sizeof(expected), "%b %e %H:%M .", &tm);
        assert_text(slice_of(line + n - strlen(expected), strlen(expected)), expected);
    }
}

/* ---- extensions ----------------------------------------------------------------------------- */
static void test_limits_and_space(void **state)
{
    struct peer *peer = *state;
    const struct slice h = open_folder(peer, "/");

    begin_extension(peer, "limits@openssh.com");
    struct answer answer = exchange(peer);
    assert_int_equal(answer.type, T_EXTENDED_REPLY);
    assert_int_equal(wire_u64(&answer.body), 262144);
    assert_int_equal(wire_u64(&answer.body), 261120);
    assert_int_equal(wire_u64(&answer.body), 261120);
    assert_int_equal(wire_u64(&answer.body), 1000);
    assert_true(wire_done(&answer.body));
    for (int i = 0; i < 2; i++) {
        begin_extension(peer, i == 0 ? "statvfs@openssh.com" : "fstatvfs@openssh.com");
        put_string(peer, i == 0 ? slice_text("/") : h);
        answer = exchange(peer);
        assert_int_equal(answer.type, T_EXTENDED_REPLY);
        uint64_t v[11];
        for (size_t f = 0; f < 11; f++)
            v[f] = wire_u64(&answer.body);
        assert_true(wire_done(&answer.body));
        assert_true(v[1] >= 512 && v[2] >= v[3] && v[3] >= v[4] && v[9] < 4 && v[10] >= 255);
    }
    begin_extension(peer, "space-available");
    put_text(peer, "/");
    answer = exchange(peer);
    assert_int_equal(answer.type, T_EXTENDED_REPLY);
    const uint64_t device = wire_u64(&answer.body), unused = wire_u64(&answer.body),
                   user = wire_u64(&answer.body), user_unused = wire_u64(&answer.body);
    assert_true(device >= unused && device >= user && user >= user_unused && unused >= user_unused);
    assert_true(wire_u32(&answer.body) >= 512);
    assert_true(wire_done(&answer.body));
    begin_extension(peer, "statvfs@openssh.com");
    put_text(peer, "/none");
    status(exchange(peer), NO_FILE);
}

static void test_names_of_ids(void **state)
{
    struct peer *peer = *state;
    const uint8_t uids[] = {0, 0, 0, 0, 0, 0, PEER_UID >> 8, PEER_UID & 255, 0, 0, 0, 9};
    const uint8_t gids[] = {0, 0, PEER_GID >> 8, PEER_GID & 255};

    begin_extension(peer, "users-groups-by-id@openssh.com");
    put_string(peer, slice_of(uids, sizeof(uids)));
    put_string(peer, slice_of(gids, sizeof(gids)));
    struct answer answer = exchange(peer);
    assert_int_equal(answer.type, T_EXTENDED_REPLY);
    struct wire users = wire_of(wire_string(&answer.body));
    struct wire groups = wire_of(wire_string(&answer.body));
    assert_true(wire_done(&answer.body));
    assert_text(wire_string(&users), "");
    assert_text(wire_string(&users), "alice");
    assert_text(wire_string(&users), "");
    assert_true(wire_done(&users));
    assert_text(wire_string(&groups), "alice");
    assert_true(wire_done(&groups));
    uint8_t *many = calloc(60000, 4); /* more than an answer holds: refused, not cut */
    begin_extension(peer, "users-groups-by-id@openssh.com");
    put_string(peer, slice_of(many, 240000));
    put_string(peer, slice_of(gids, 0));
    status(exchange(peer), FAILURE);
    free(many);
}

static struct answer copy(struct peer *peer, struct slice from, uint64_t from_at, uint64_t len,
                          struct slice to, uint64_t to_at)
{
    begin_extension(peer, "copy-data");
    put_string(peer, from);
    put_u64(peer, from_at);
    put_u64(peer, len);
    put_string(peer, to);
    put_u64(peer, to_at);
    return exchange(peer);
}

static void test_files_are_copied(void **state)
{
    enum { SIZE = 300000 };
    struct peer *peer = *state;
    uint8_t *bytes = malloc(SIZE);

    assert_non_null(bytes);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)(i / 7);
    make_file(peer, "/from", slice_of(bytes, SIZE));
    const struct slice from = open_file(peer, "/from", W_READ);
    const struct slice to = open_file(peer, "/to", W_READ | W_WRITE | W_CREAT);
    status(copy(peer, from, 0, 0, to, 10), OK);
    assert_true(peer->agent.seen->copies >= 5); /* in pieces */
    assert_int_equal(stat_of(peer, "/to").st_size, SIZE + 10);
    assert_true(slice_equal(data(read_file(peer, to, 10, 200000)), slice_of(bytes, 200000)));
    status(copy(peer, from, 5, 3, to, 0), OK);
    assert_true(slice_equal(data(read_file(peer, to, 0, 3)), slice_of(bytes + 5, 3)));
    status(copy(peer, from, SIZE - 2, 5, to, 0), END); /* as OpenSSH: what there was is copied */
    status(copy(peer, from, SIZE + 9, 0, to, 0), OK);
    status(copy(peer, from, 0, 5, from, 100), FAILURE);
    status(copy(peer, from, 0, 5, slice_text("none"), 100), FAILURE);
    status(copy(peer, from, UINT64_MAX, 5, to, 0), FAILURE);
    status(copy(peer, from, 5, INT64_MAX, to, 0), FAILURE);
    free(bytes);
}

static struct answer check(struct peer *peer, const char *name, struct slice file,
                           const char *digests, uint64_t from, uint64_t len, uint32_t block)
{
    begin_extension(peer, name);
    put_string(peer, file);
    put_text(peer, digests);
    put_u64(peer, from);
    put_u64(peer, len);
    put_u32(peer, block);
    return exchange(peer);
}

/* The bytes after the digest's name, as hexadecimal. */
static const char *digest(struct answer answer, const char *echo, const char *name)
{
    static char text[8192];

    assert_int_equal(answer.type, T_EXTENDED_REPLY);
    if (echo != NULL)
        assert_text(wire_string(&answer.body), echo);
    assert_text(wire_string(&answer.body), name);
    const size_t n = answer.body.len - answer.body.at;
    assert_true(n < sizeof(text) / 2);
    for (size_t i = 0; i < n; i++)
        snprintf(text + 2 * i, 3, "%02x", answer.body.data[answer.body.at + i]);
    return text;
}

#define SHA256_EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define MD5_ABC      "900150983cd24fb0d6963f7d28e17f72"
#define SHA1_ABC     "a9993e364706816aba3e25717850c26c9cd0d89d"

static void test_digests_of_files(void **state)
{
    struct peer *peer = *state;
    char *million = malloc(1000000);

    assert_non_null(million);
    memset(million, 'a', 1000000);
    make_file(peer, "/abc", slice_text("abc"));
    make_file(peer, "/empty", slice_text(""));
    make_file(peer, "/million", slice_of(million, 1000000));
    const struct slice abc = open_file(peer, "/abc", W_READ);
    const struct slice name = slice_text("abc"), empty = slice_text("/empty");
    assert_string_equal(digest(check(peer, "check-file-handle", abc, "md5", 0, 0, 0), NULL, "md5"),
                        MD5_ABC);
    assert_string_equal(
        digest(check(peer, "check-file-name", name, "crc32,sha1,md5", 0, 3, 256), NULL, "sha1"),
        SHA1_ABC);
    assert_string_equal(digest(check(peer, "check-file", abc, "md5", 0, 9, 0), "check-file", "md5"),
                        MD5_ABC);
    assert_string_equal(
        digest(check(peer, "check-file-name", empty, "sha256", 9, 9, 0), NULL, "sha256"),
        SHA256_EMPTY);
    assert_string_equal(
        digest(check(peer, "check-file-name", slice_text("/million"), "sha256", 0, 0, 0), NULL,
               "sha256"),
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    const char *two = digest(
        check(peer, "check-file-name", slice_text("/million"), "md5", 999400, 0, 300), NULL, "md5");
    assert_int_equal(strlen(two), 64); /* two blocks of 300, alike */
    assert_memory_equal(two, two + 32, 32);
    two = digest(check(peer, "check-file-name", slice_text("/million"), "md5", 1, 600, 500), NULL,
                 "md5");
    assert_int_equal(strlen(two), 64); /* and one that is shorter */
    assert_memory_not_equal(two, two + 32, 32);
    assert_int_equal(peer->agent.seen->open, 1); /* those opened by name were closed */
    free(million);
}

static void test_digests_that_are_refused(void **state)
{
    struct peer *peer = *state;

    make_file(peer, "/a", slice_text("abc"));
    const struct slice h = open_file(peer, "/a", W_WRITE);
    const struct slice a = slice_text("/a");
    status(check(peer, "check-file-handle", h, "md5", 0, 0, 0), DENIED);
    status(check(peer, "check-file-handle", open_folder(peer, "/"), "md5", 0, 0, 0), FAILURE);
    status(check(peer, "check-file-name", a, "crc32,md55,", 0, 0, 0), FAILURE);
    status(check(peer, "check-file-name", a, "md5", 0, 0, 255), FAILURE);
    status(check(peer, "check-file-name", slice_text("/none"), "md5", 0, 0, 0), NO_FILE);
    assert_int_equal(attributes(with_handle(peer, T_FSTAT, h)).size, 3); /* the session goes on */
}

static void test_a_digest_of_a_large_file_gives_the_turn_back(void **state)
{
    struct peer *peer = *state;
    char path[200];
    size_t at = 0, turns = 0;

    make_file(peer, "/large", slice_text(""));
    snprintf(path, sizeof(path), "%s/large", peer->folder);
    assert_int_equal(truncate(path, 40 << 20), 0);
    begin_extension(peer, "check-file-name");
    put_text(peer, "/large");
    put_text(peer, "sha1");
    put_u64(peer, 0);
    put_u64(peer, 0);
    put_u32(peer, 1 << 20);
    const struct slice bytes = packet(peer);
    assert_int_equal(sftp_input(peer->sftp, bytes.data, bytes.len), bytes.len);
    for (; sftp_busy(peer->sftp); turns++)
        assert_int_equal(sftp_input(peer->sftp, NULL, 0), 0);
    assert_true(turns >= 5);
    struct answer answer = next_answer(peer, &at);
    assert_int_equal(answer.type, T_EXTENDED_REPLY);
    assert_text(wire_string(&answer.body), "sha1");
    assert_int_equal(answer.body.len - answer.body.at, 40 * 20);
    begin_extension(peer, "check-file-name");
    put_text(peer, "/large");
    put_text(peer, "sha1");
    put_u64(peer, 0);
    put_u64(peer, 0);
    put_u32(peer, 256);
    status(exchange(peer), FAILURE); /* too many blocks for an answer */
}

static void test_fsync(void **state)
{
    struct peer *peer = *state;
    const struct slice h = open_file(peer, "/a", W_WRITE | W_CREAT);

    begin_extension(peer, "fsync@openssh.com");
    put_string(peer, h);
    status(exchange(peer), OK);
    assert_int_equal(peer->agent.seen->syncs, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_version_names_every_extension),
        TEST(test_an_old_client_hears_statuses_without_text),
        cmocka_unit_test(test_the_tables_are_sound),
        TEST(test_a_file_is_written_and_read),
        TEST(test_the_ways_to_open),
        TEST(test_large_reads_and_writes),
        TEST(test_a_full_disk_is_told_at_write_and_at_close),
        TEST(test_a_client_that_vanishes_leaves_nothing_whole),
        TEST(test_attributes_are_told),
        TEST(test_attributes_are_set),
        TEST(test_links_attributes_are_set),
        TEST(test_names_are_made_moved_and_removed),
        TEST(test_names_are_made_plain),
        TEST(test_a_listing_has_lines_as_ls),
        TEST(test_twenty_thousand_names),
        cmocka_unit_test(test_the_times_of_lines),
        TEST(test_limits_and_space),
        TEST(test_names_of_ids),
        TEST(test_files_are_copied),
        TEST(test_digests_of_files),
        TEST(test_digests_that_are_refused),
        TEST(test_a_digest_of_a_large_file_gives_the_turn_back),
        TEST(test_fsync),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
