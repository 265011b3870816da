/* The SFTP server engine on the real file agent: that both mean the same by their messages. What
 * each does by itself is in test_sftp.c and test_files.c. */
#include "tests/unit/files_session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/sftp_peer.h"

struct both {
    struct session *session;
    struct peer peer;
};

static struct both *both_start(uint32_t rights, uint32_t flags)
{
    struct both *both = calloc(1, sizeof(*both));

    assert_non_null(both);
    both->session = session_start(rights, flags);
    peer_start_at(&both->peer, both->session->worker);
    return both;
}

static void both_end(struct both *both)
{
    peer_end(&both->peer);
    session_end(both->session);
    free(both);
}

/* A listing's names, each in "/", one after the other. */
static void names(struct peer *peer, char *text, size_t size)
{
    const struct slice h = open_folder(peer, "/");
    size_t len = 0;

    for (;;) {
        struct answer answer = with_handle(peer, T_READDIR, h);
        if (answer.type == T_STATUS)
            break;
        for (uint32_t left = wire_u32(&answer.body); left > 0; left--) {
            const struct slice name = wire_string(&answer.body);
            wire_string(&answer.body);
            read_attributes(&answer.body);
            if (name.data[0] != '.')
                len += (size_t)snprintf(text + len, size - len, "%.*s/", (int)name.len,
                                        (const char *)name.data);
        }
    }
    status(with_handle(peer, T_CLOSE, h), OK);
}

static void test_a_session_of_everything(void **state)
{
    struct both *both = both_start(RIGHTS_ALL, 0);
    struct peer *peer = &both->peer;
    char text[200] = "";

    (void)state;
    struct slice h = open_file(peer, "/a", W_WRITE | W_CREAT | W_TRUNC);
    status(write_file(peer, h, 0, slice_text("hello ")), OK);
    status(with_handle(peer, T_CLOSE, h), OK);
    h = open_file(peer, "/a", W_WRITE | W_READ); /* go on where it stopped */
    status(write_file(peer, h, 6, slice_text("world")), OK);
    begin_extension(peer, "fsync@openssh.com");
    put_string(peer, h);
    status(exchange(peer), OK);
    struct answer answer = read_file(peer, h, 0, 100);
    assert_text(wire_string(&answer.body), "hello world");
    const struct slice to = open_file(peer, "/b", W_WRITE | W_CREAT);
    begin_extension(peer, "copy-data");
    put_string(peer, h);
    put_u64(peer, 6);
    put_u64(peer, 0);
    put_string(peer, to);
    put_u64(peer, 0);
    status(exchange(peer), OK);
    begin(peer, T_FSETSTAT);
    put_string(peer, to);
    put_u32(peer, 4 | 8);
    put_u32(peer, 0600);
    put_u32(peer, 1000);
    put_u32(peer, 2000);
    status(exchange(peer), OK);
    answer = with_handle(peer, T_FSTAT, to);
    const struct attributes_read a = read_attributes(&answer.body);
    assert_int_equal(a.size, 5);
    assert_int_equal(a.mode, S_IFREG | 0600);
    assert_int_equal(a.mtime, 2000);
    status(with_handle(peer, T_CLOSE, h), OK);
    status(with_handle(peer, T_CLOSE, to), OK);
    assert_true(file_is(both->session, "home/a", "hello world"));
    assert_true(file_is(both->session, "home/b", "world"));
    status(with_path(peer, T_MKDIR, "folder"), OK);
    begin(peer, T_RENAME);
    put_text(peer, "/b");
    put_text(peer, "/a");
    status(exchange(peer), FAILURE); /* it exists */
    begin_extension(peer, "posix-rename@openssh.com");
    put_text(peer, "/b");
    put_text(peer, "/a");
    status(exchange(peer), OK);
    begin(peer, T_SYMLINK);
    put_text(peer, "a");
    put_text(peer, "/link");
    status(exchange(peer), OK);
    answer = with_path(peer, T_REALPATH, "folder/../link");
    assert_int_equal(wire_u32(&answer.body), 1);
    assert_text(wire_string(&answer.body), "/a");
    names(peer, text, sizeof(text));
    assert_int_equal(strlen(text), strlen("a/folder/link/"));
    assert_int_equal(with_path(peer, T_STAT, "/../../..").type, T_ATTRS);
    status(with_path(peer, T_REMOVE, "/link"), OK);
    status(with_path(peer, T_RMDIR, "/folder"), OK);
    begin_extension(peer, "space-available");
    put_text(peer, "/");
    assert_int_equal(exchange(peer).type, T_EXTENDED_REPLY);
    begin_extension(peer, "check-file-name");
    put_text(peer, "/a");
    put_text(peer, "md5");
    put_u64(peer, 0);
    put_u64(peer, 0);
    put_u32(peer, 0);
    answer = exchange(peer);
    assert_int_equal(answer.type, T_EXTENDED_REPLY);
    assert_text(wire_string(&answer.body), "md5");
    assert_memory_equal(answer.body.data + answer.body.at, "\x7d\x79\x30\x37\xa0\x76\x01\x86", 8);
    both_end(both);
}

static void test_an_upload_appears_when_whole(void **state)
{
    struct both *both = both_start(RIGHTS_ALL, ACCOUNT_ATOMIC | ACCOUNT_DURABLE);
    struct peer *peer = &both->peer;
    char text[200] = "";

    (void)state;
    const struct slice whole = open_file(peer, "/whole", W_WRITE | W_CREAT | W_TRUNC);
    const struct slice half = open_file(peer, "/half", W_WRITE | W_CREAT | W_TRUNC);
    status(write_file(peer, whole, 0, slice_text("all of it")), OK);
    status(write_file(peer, half, 0, slice_text("some")), OK);
    names(peer, text, sizeof(text));
    assert_string_equal(text, "");
    status(with_handle(peer, T_CLOSE, whole), OK);
    peer_end_session(peer); /* the client vanishes */
    assert_true(file_is(both->session, "home/whole", "all of it"));
    assert_false(file_is(both->session, "home/half", "some"));
    const struct seen *report = told(both->session, OPERATION_UPLOAD, 0, "/whole");
    assert_non_null(report);
    assert_int_equal(report->bytes_written, 9);
    assert_non_null(told(both->session, OPERATION_UPLOAD, EPIPE, "/half"));
    both_end(both);
}

static void test_rights_are_told_in_a_sentence(void **state)
{
    struct both *both = both_start(RIGHT_WRITE | RIGHT_LIST, 0);
    struct peer *peer = &both->peer;

    (void)state;
    const struct slice h = open_file(peer, "/a", W_READ | W_WRITE | W_CREAT);
    status(write_file(peer, h, 0, slice_text("x")), OK);
    status(read_file(peer, h, 0, 1), DENIED); /* it was opened for writing alone */
    status(with_handle(peer, T_CLOSE, h), OK);
    assert_text(status(with_path(peer, T_REMOVE, "/a"), DENIED), "this account may not delete");
    begin(peer, T_OPEN);
    put_text(peer, "/a");
    put_u32(peer, W_READ);
    put_u32(peer, 0);
    assert_text(status(exchange(peer), DENIED), "this account may not read files");
    both_end(both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_session_of_everything),
        cmocka_unit_test(test_an_upload_appears_when_whole),
        cmocka_unit_test(test_rights_are_told_in_a_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
