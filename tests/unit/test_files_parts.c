/* Uploads in parts: begun, gone on with, published when whole; by whom, over what, and what becomes
 * of those that nobody ends. What a crash leaves is in test_files_crash.c. */
#include "tests/unit/files_session.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NEW    (OPEN_WRITE | OPEN_CREATE | OPEN_TRUNCATE)
#define HIDDEN ".sallyport-upload."
#define SOME   "0123456789abcdef01234567" /* a number that nobody gave */
#define DAY    (24 * 3600)

/* ------------------------------------------------------------------------- behind its back */

static size_t count_hidden(const struct session *s, const char *where)
{
    char path[512];
    const struct dirent *entry;
    size_t count = 0;

    snprintf(path, sizeof(path), "%s/%s", s->base, where);
    DIR *folder = opendir(path);
    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL)
        count += strncmp(entry->d_name, HIDDEN, sizeof(HIDDEN) - 1) == 0;
    closedir(folder);
    return count;
}

/* The part or the note of an upload, below the base. */
static const char *hidden(const char *folder, const char *kind, const char *id)
{
    static char where[128];

    snprintf(where, sizeof(where), "%s/" HIDDEN "%s.%s", folder, kind, id);
    return where;
}

/* Its note says that somebody went on with it so long ago. */
static void age(const struct session *s, const char *folder, const char *id, long seconds)
{
    const struct timespec then = {.tv_sec = time(NULL) - seconds};
    const struct timespec times[2] = {then, then};
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", s->base, hidden(folder, "note", id));
    assert_int_equal(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

static void remove_file(const struct session *s, const char *where)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", s->base, where);
    assert_int_equal(unlink(path), 0);
}

/* Nothing came to the audit log but what was told before. */
static void assert_not_told(struct session *s)
{
    take_reports(s, 100);
    assert_int_equal(s->seen_count, 0);
}

/* ------------------------------------------------------------------------- the way */

static void test_the_way(void **state)
{
    static const uint32_t ways[] = {0, ACCOUNT_DURABLE, ACCOUNT_ATOMIC | ACCOUNT_TRASH};
    (void)state;

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        struct session *s = session_start(RIGHTS_ALL, ways[i] | ACCOUNT_PARTS);
        struct part part, more;
        struct stat st;
        char byte;
        assert_int_equal(ask_begin(s, "/f", 10, false, &part), 0);
        assert_int_equal(strspn(part.id, "0123456789abcdef"), UPLOAD_ID);
        assert_true(part.size == 10 && part.offset == 0 && part.mtime_ns == -1 && !part.replace);
        assert_true(labs((long)(part.expires - time(NULL) - 7 * DAY)) < 60);
        assert_int_equal(fcntl(part.fd, F_GETFL) & O_ACCMODE, O_WRONLY);
        assert_true(pread(part.fd, &byte, 1, 0) < 0);
        assert_int_equal(ask_end(s, &part, "01234", CLOSE_BROKEN), 0);
        assert_false(file_stat_is(s, "home/f", &st));
        assert_int_equal(count_hidden(s, "home"), 2);

        assert_int_equal(ask_go_on(s, "/f", part.id, &more), 0);
        assert_string_equal(more.id, part.id);
        assert_true(more.size == 10 && more.offset == 5 && more.handle != part.handle);
        assert_not_told(s);
        assert_int_equal(ask_end(s, &more, "56789", CLOSE_WHOLE), 0);
        assert_true(file_is(s, "home/f", "0123456789"));
        assert_true(file_stat_is(s, "home/f", &st) && (st.st_mode & 07777) == 0644);
        assert_int_equal(count_hidden(s, "home"), 0);
        const struct seen *seen = told(s, OPERATION_UPLOAD, 0, "/f");
        assert_non_null(seen);
        assert_true(seen->size == 10 && seen->bytes_written == 5 && s->seen_count == 1);
        assert_int_equal(ask_go_on(s, "/f", part.id, &more), ENOENT);
        assert_int_equal(ask_mode(s, "/f", true, 0600), 0);
        session_end(s);
    }
}

static void test_time_and_nothing(void **state)
{
    struct session *s = session_start(RIGHTS_ALL, ACCOUNT_PARTS);
    const struct file_upload m = {
        .path = slice_text("/f"), .size = 3, .mtime_ns = 1234567890123456789};
    struct part part, more;
    struct stat st;
    (void)state;

    assert_int_equal(ask_part(s, &m, &part), 0);
    assert_int_equal(ask_end(s, &part, "123", CLOSE_BROKEN), 0);
    assert_int_equal(ask_go_on(s, "/f", part.id, &more), 0);
    assert_true(more.mtime_ns == m.mtime_ns && more.offset == 3);
    assert_int_equal(ask_end(s, &more, "", CLOSE_WHOLE), 0);
    assert_true(file_stat_is(s, "home/f", &st));
    assert_true(st.st_mtim.tv_sec == 1234567890 && st.st_mtim.tv_nsec == 123456789);

    assert_int_equal(ask_begin(s, "/empty", 0, false, &part), 0);
    assert_int_equal(ask_end(s, &part, "", CLOSE_WHOLE), 0);
    assert_true(file_is(s, "home/empty", ""));
    session_end(s);
}

/* Only what has exactly the size that was said. */
static void test_not_whole(void **state)
{
    struct session *s = session_start(RIGHTS_ALL, ACCOUNT_DURABLE | ACCOUNT_PARTS);
    struct part part;
    struct stat st;
    (void)state;

    assert_int_equal(ask_begin(s, "/f", 5, false, &part), 0);
    assert_int_equal(ask_end(s, &part, "0123", CLOSE_WHOLE), EINVAL);
    assert_string_not_equal(s->text, "");
    assert_false(file_stat_is(s, "home/f", &st));
    assert_non_null(told(s, OPERATION_UPLOAD, EINVAL, "/f"));
    assert_int_equal(ask_go_on(s, "/f", part.id, &part), 0);
    assert_int_equal(part.offset, 4);
    assert_int_equal(ask_end(s, &part, "4567", CLOSE_WHOLE), EINVAL); /* too much */
    assert_false(file_stat_is(s, "home/f", &st));
    assert_int_equal(ask_go_on(s, "/f", part.id, &part), 0); /* which is cut */
    assert_int_equal(part.offset, 5);

    /* Taken back, as after a wrong checksum. */
    const struct file_hsetattr back = {.handle = part.handle, .valid = ATTR_SIZE, .size = 2};
    assert_int_equal(ask(s, MSG_file_hsetattr, &back), 0);
    part.offset = 2;
    assert_int_equal(ask_end(s, &part, "xyz", CLOSE_WHOLE), 0);
    assert_true(file_is(s, "home/f", "01xyz"));
    assert_int_equal(count_hidden(s, "home"), 0);
    session_end(s);
}

/* The session goes, with its worker or by a signal: another goes on. */
static void test_sessions_that_end(void **state)
{
    struct session *s = session_start(RIGHTS_ALL, ACCOUNT_DURABLE | ACCOUNT_PARTS);
    struct session *t = session_beside(s, RIGHTS_ALL, ACCOUNT_ATOMIC | ACCOUNT_PARTS);
    struct session *u = session_beside(s, RIGHTS_ALL, ACCOUNT_PARTS);
    struct part part, more, none;
    (void)state;

    assert_int_equal(ask_begin(t, "/f", 6, false, &part), 0);
    assert_int_equal(pwrite(part.fd, "01", 2, 0), 2);
    close(part.fd);
    assert_int_equal(session_hang_up(t), 0);
    assert_int_equal(t->seen_count, 0);
    session_end(t);
    assert_int_equal(ask_go_on(u, "/f", part.id, &more), 0);
    assert_int_equal(more.offset, 2);
    assert_int_equal(pwrite(more.fd, "23", 2, 2), 2);
    session_kill(u);
    assert_int_equal(ask_go_on(s, "/f", part.id, &none), EBUSY); /* its worker lives yet */
    close(more.fd);
    assert_int_equal(ask_go_on(s, "/f", part.id, &more), 0);
    assert_int_equal(more.offset, 4);
    assert_int_equal(ask_end(s, &more, "45", CLOSE_WHOLE), 0);
    assert_true(file_is(s, "home/f", "012345"));
    session_end(u);
    session_end(s);
}

/* One at a time; what a session has put down another may take up, though its worker has not closed
 * the descriptor yet. */
static void test_one_at_a_time(void **state)
{
    struct session *s = session_start(RIGHTS_ALL, ACCOUNT_PARTS);
    struct session *t = session_beside(s, RIGHTS_ALL, ACCOUNT_PARTS);
    struct part part, none, more;
    (void)state;

    assert_int_equal(ask_begin(s, "/f", 2, false, &part), 0);
    assert_int_equal(ask_go_on(t, "/f", part.id, &none), EBUSY);
    assert_string_not_equal(t->text, "");
    assert_int_equal(ask_go_on(s, "/f", part.id, &none), EBUSY);
    assert_int_equal(ask_close(s, part.handle, CLOSE_BROKEN), 0);
    assert_int_equal(ask_go_on(t, "/f", part.id, &more), 0);
    assert_int_equal(ask_go_on(s, "/f", part.id, &none), EBUSY);
    close(part.fd);
    assert_int_equal(ask_go_on(s, "/f", part.id, &none), EBUSY);
    assert_int_equal(ask_end(t, &more, "ab", CLOSE_WHOLE), 0);
    assert_int_equal(ask_go_on(s, "/f", part.id, &none), ENOENT);
    session_end(t);
    session_end(s);
}

static void test_dropped(void **state)
{
    struct session *s = session_start(RIGHT_WRITE | RIGHT_OVERWRITE, ACCOUNT_PARTS);
    struct part part, other, none;
    (void)state;

    put_file(s, "home/f", "old", 0644);
    assert_int_equal(ask_begin(s, "/f", 3, true, &part), 0);
    assert_int_equal(ask_begin(s, "/f", 3, true, &other), 0);
    assert_int_equal(ask_end(s, &part, "new", CLOSE_DROPPED), 0);
    assert_int_equal(ask_go_on(s, "/f", part.id, &none), ENOENT);
    assert_int_equal(count_hidden(s, "home"), 2);
    assert_int_equal(ask_end(s, &other, "ne", CLOSE_BROKEN), 0);
    assert_true(file_is(s, "home/f", "old"));
    assert_not_told(s);
    assert_int_equal(ask_go_on(s, "/f", other.id, &other), 0);
    assert_int_equal(ask_end(s, &other, "w", 77), 0); /* no such end: it broke off */
    assert_int_equal(ask_go_on(s, "/f", other.id, &other), 0);
    assert_int_equal(other.offset, 3);
    close(other.fd);
    session_end(s);
}

/* ------------------------------------------------------------------------- what has the name */

static void test_replacing(void **state)
{
    struct session *s = session_start(RIGHTS_ALL, ACCOUNT_PARTS);
    struct part part, second;
    struct stat st;
    (void)state;

    put_file(s, "home/f", "old", 0604);
    put_link(s, "/f", "home/l");
    assert_int_equal(ask_begin(s, "/l", 3, false, &part), EEXIST);
    assert_string_not_equal(s->text, "");
    assert_int_equal(ask_begin(s, "/l", 3, true, &part), 0);
    assert_true(file_stat_is(s, hidden("home", "part", part.id), &st));
    assert_int_equal(st.st_mode & 0077, 0004); /* no more open than what it replaces */
    assert_int_equal(ask_end(s, &part, "ne", CLOSE_BROKEN), 0);
    assert_int_equal(ask_go_on(s, "/f", part.id, &part), 0); /* by its own name, too */
    assert_true(part.replace && file_is(s, "home/f", "old"));
    assert_int_equal(ask_end(s, &part, "w", CLOSE_WHOLE), 0);
    assert_true(file_is(s, "home/f", "new"));
    assert_true(file_stat_is(s, "home/f", &st) && (st.st_mode & 07777) == 0604);
    assert_true(file_stat_is(s, "home/l", &st) && S_ISLNK(st.st_mode));
    assert_non_null(told(s, OPERATION_MODIFY, 0, "/f"));

    /* Several: the last to become whole has the name. */
    assert_int_equal(ask_begin(s, "/f", 3, true, &part), 0);
    assert_int_equal(ask_begin(s, "/f", 3, true, &second), 0);
    assert_int_equal(ask_end(s, &second, "two", CLOSE_WHOLE), 0);
    assert_int_equal(ask_end(s, &part, "one", CLOSE_WHOLE), 0);
    assert_true(file_is(s, "home/f", "one"));
    assert_int_equal(count_hidden(s, "home"), 0);

    put_file(s, "home/readonly", "x", 0444);
    assert_int_equal(ask_begin(s, "/readonly", 3, true, &part), EACCES);
    assert_int_equal(count_hidden(s, "home"), 0);
    session_end(s);
}

/* Somebody takes the name before it is whole: nothing of either is lost. */
static void test_taken_names(void **state)
{
    struct session *s = session_start(RIGHTS_ALL, ACCOUNT_PARTS);
    struct part part;
    (void)state;

    assert_int_equal(ask_begin(s, "/f", 3, false, &part), 0);
    put_file(s, "home/f", "other", 0644);
    assert_int_equal(ask_end(s, &part, "new", CLOSE_WHOLE), EEXIST);
    assert_non_null(told(s, OPERATION_MODIFY, EEXIST, "/f"));
    assert_true(file_is(s, "home/f", "other"));
    assert_int_equal(ask_remove(s, "/f"), 0);
    assert_int_equal(ask_go_on(s, "/f", part.id, &part), 0);
    assert_int_equal(part.offset, 3);
    assert_int_equal(ask_end(s, &part, "", CLOSE_WHOLE), 0);
    assert_true(file_is(s, "home/f", "new"));

    /* By what nobody replaces with a file. */
    assert_int_equal(ask_begin(s, "/g", 3, true, &part), 0);
    put_folder(s, "home/g");
    assert_int_equal(ask_end(s, &part, "new", CLOSE_WHOLE), EISDIR);
    assert_int_equal(ask_rmdir(s, "/g"), 0);
    put_link(s, "../outside/secret", "home/g");
    assert_int_equal(ask_go_on(s, "/g", part.id, &part), 0);
    assert_int_equal(ask_end(s, &part, "", CLOSE_WHOLE), EACCES);
    assert_true(file_is(s, "outside/secret", "secret"));
    assert_int_equal(ask_remove(s, "/g"), 0);
    put_file(s, "home/g", "readonly", 0444);
    assert_int_equal(ask_go_on(s, "/g", part.id, &part), 0);
    assert_int_equal(ask_end(s, &part, "", CLOSE_WHOLE), EACCES);
    assert_true(file_is(s, "home/g", "readonly"));
    assert_int_equal(ask_mode(s, "/g", true, 0640), 0);
    assert_int_equal(ask_go_on(s, "/g", part.id, &part), 0);
    assert_int_equal(ask_end(s, &part, "", CLOSE_WHOLE), 0);
    assert_true(file_is(s, "home/g", "new"));
    session_end(s);
}

/* ------------------------------------------------------------------------- rights */

/* Begun with some rights on a name, ended with others: what is refused when. */
static const struct case_of_rights {
    const char *what;
    uint32_t begin;
    bool exists, replace;
    int begun; /* errno */
    uint32_t end;
    bool exists_then;
    int ended;
    enum operation operation; /* of the refusal or the publishing, as reported */
} cases[] = {
    // clang-format off
    {"new, with write",           RIGHT_WRITE,     false, false, 0,      RIGHT_WRITE,     false, 0,      OPERATION_UPLOAD},
    {"new, without write",        RIGHTS_ALL & ~RIGHT_WRITE, false, true, EACCES, 0,      false, 0,      OPERATION_UPLOAD},
    {"over, with overwrite",      RIGHT_OVERWRITE, true,  true,  0,      RIGHT_OVERWRITE, true,  0,      OPERATION_MODIFY},
    {"over, without overwrite",   RIGHTS_ALL & ~RIGHT_OVERWRITE, true, true, EACCES, 0,   false, 0,      OPERATION_MODIFY},
    {"new, ended without write",  RIGHTS_ALL,      false, true,  0,      RIGHT_OVERWRITE, false, EACCES, OPERATION_UPLOAD},
    {"over, ended without overwrite", RIGHTS_ALL,  true,  true,  0,      RIGHT_WRITE,     true,  EACCES, OPERATION_MODIFY},
    {"new, and then there is one", RIGHT_WRITE,    false, true,  0,      RIGHT_WRITE,     true,  EACCES, OPERATION_MODIFY},
    {"over, and then there is none", RIGHT_OVERWRITE, true, true, 0,     RIGHT_OVERWRITE, false, EACCES, OPERATION_UPLOAD},
    {"over, and then there is none, with write", RIGHTS_ALL, true, true, 0, RIGHT_WRITE,  false, 0,      OPERATION_UPLOAD},
    // clang-format on
};

static void end_with(struct session *s, const struct case_of_rights *c, const char *id)
{
    struct session *t = session_beside(s, c->end, ACCOUNT_DURABLE | ACCOUNT_PARTS);
    struct part part;
    struct stat st;

    if (c->exists && !c->exists_then)
        remove_file(s, "home/f");
    else if (!c->exists && c->exists_then)
        put_file(s, "home/f", "old", 0644);
    assert_int_equal(ask_go_on(t, "/f", id, &part), 0);
    const int ended = ask_end(t, &part, "new", CLOSE_WHOLE);
    if (ended != c->ended || (ended != 0) != (t->text[0] != '\0'))
        fail_msg("%s: %s, \"%s\"", c->what, strerror(ended), t->text);
    if (told(t, c->operation, (uint32_t)ended, "/f") == NULL)
        fail_msg("%s: not reported", c->what);
    if (ended == 0 || c->exists_then)
        assert_true(file_is(s, "home/f", ended == 0 ? "new" : "old"));
    else
        assert_false(file_stat_is(s, "home/f", &st));
    assert_int_equal(count_hidden(s, "home"), ended == 0 ? 0 : 2);
    session_end(t);
}

static void test_rights(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct case_of_rights *c = &cases[i];
        struct session *s = session_start(c->begin, ACCOUNT_PARTS);
        struct part part;
        if (c->exists)
            put_file(s, "home/f", "old", 0644);
        const int begun = ask_begin(s, "/f", 3, c->replace, &part);
        if (begun != c->begun || (begun != 0) != (s->text[0] != '\0'))
            fail_msg("%s: %s, \"%s\"", c->what, strerror(begun), s->text);
        if (begun != 0) {
            assert_non_null(told(s, c->operation, EACCES, "/f"));
            assert_int_equal(count_hidden(s, "home"), 0);
        } else {
            assert_int_equal(ask_end(s, &part, "", CLOSE_BROKEN), 0);
            end_with(s, c, part.id);
        }
        session_end(s);
    }
}

/* Without either right nobody goes on; by a letter box nothing comes out. */
static void test_other_rights(void **state)
{
    struct session *s = session_start(RIGHT_WRITE, ACCOUNT_PARTS);
    struct session *t =
        session_beside(s, RIGHTS_ALL & ~(uint32_t)(RIGHT_WRITE | RIGHT_OVERWRITE), ACCOUNT_PARTS);
    struct part part, none;
    uint32_t handle;
    char byte;
    int fd;
    (void)state;

    assert_int_equal(ask_begin(s, "/f", 3, true, &part), 0);
    assert_true(read(part.fd, &byte, 1) < 0);
    assert_int_equal(ask_open(s, "/copy", NEW | OPEN_READ, &handle, &fd), 0);
    const struct file_copy copy = {.from = part.handle, .to = handle, .length = 3};
    assert_int_equal(ask(s, MSG_file_copy, &copy), EBADF);
    close(fd);
    assert_int_equal(ask_end(s, &part, "ab", CLOSE_BROKEN), 0);
    assert_int_equal(ask_go_on(t, "/f", part.id, &none), EACCES);
    assert_non_null(told(t, OPERATION_UPLOAD, EACCES, "/f"));
    assert_int_equal(ask_go_on(s, "/f", part.id, &part), 0);
    assert_int_equal(ask_end(s, &part, "c", CLOSE_WHOLE), 0);
    assert_true(file_is(s, "home/f", "abc"));
    const struct file_setattr times = {
        .path = slice_text("/f"), .follow = 1, .valid = ATTR_MTIME, .mtime_ns = 5000000000};
    assert_int_equal(ask(s, MSG_file_setattr, &times), 0); /* this session's own */
    assert_int_equal(ask_open(s, "/f", OPEN_READ, &handle, &fd), EACCES);
    session_end(t);
    session_end(s);
}

/* ------------------------------------------------------------------------- names and numbers */

/* To the account they do not exist, by whatever request; nor does a link lead there. */
static void test_hidden(void **state)
{
    struct session *s = session_start(RIGHTS_ALL, ACCOUNT_PARTS);
    static const char *const kinds[] = {"part", "note"};
    struct file_attributes a;
    struct part part, none;
    char path[256];
    uint32_t handle;
    int fd;
    (void)state;

    assert_int_equal(ask_begin(s, "/f", 3, false, &part), 0);
    assert_int_equal(ask_end(s, &part, "ab", CLOSE_BROKEN), 0);
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "/%s", hidden("home", kinds[i], part.id) + 5);
        const struct file_readlink readlink = {.path = slice_text(path)};
        assert_false(listed(s, "/", path + 1));
        assert_int_equal(ask_stat(s, path, false, &a), ENOENT);
        assert_int_equal(ask_open(s, path, OPEN_READ, &handle, &fd), ENOENT);
        assert_int_equal(ask_open(s, path, OPEN_WRITE, &handle, &fd), ENOENT);
        assert_int_equal(ask_remove(s, path), ENOENT);
        assert_int_equal(ask_rename(s, path, "/x", false), ENOENT);
        assert_int_equal(ask_rename(s, "/x", path, true), ENOENT);
        assert_int_equal(ask_link(s, path, "/x"), ENOENT);
        assert_int_equal(ask(s, MSG_file_readlink, &readlink), ENOENT);
        assert_int_equal(ask_symlink(s, path, "/x"), ENOENT);
        assert_int_equal(ask_symlink(s, path + 1, "/x"), ENOENT);
        assert_int_equal(ask_begin(s, path, 3, true, &none), ENOENT);
        assert_int_equal(ask_go_on(s, path, part.id, &none), ENOENT);
        put_link(s, path, "home/x");
        assert_int_equal(ask_begin(s, "/x", 3, true, &none), i == 0 ? ENOENT : EACCES);
        remove_file(s, "home/x");
    }
    assert_int_equal(ask_go_on(s, "/f", part.id, &part), 0);
    assert_int_equal(part.offset, 2);
    close(part.fd);
    session_end(s);
}

static void test_numbers(void **state)
{
    static const char *const bad[] = {
        "x",
        "0123456789abcdef0123456",
        "0123456789ABCDEF01234567",
        "../../../outside/secret.",
        "/0123456789abcdef0123456",
        SOME,
    };
    struct session *s = session_start(RIGHTS_ALL, ACCOUNT_PARTS);
    struct part part, none;
    (void)state;

    put_folder(s, "home/d");
    put_link(s, "d", "home/to-d");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(ask_go_on(s, "/f", bad[i], &none), ENOENT);
        assert_string_not_equal(s->text, "");
    }
    assert_int_equal(ask_begin(s, "/d/f", 3, false, &part), 0);
    assert_int_equal(ask_close(s, part.handle, CLOSE_BROKEN), 0);
    close(part.fd);
    static const char *const elsewhere[] = {"/f",      "/d/g",   "/d",     "/",
                                            "/none/f", "/d/f/f", "/d/../f"};
    for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++) {
        if (ask_go_on(s, elsewhere[i], part.id, &none) == 0)
            fail_msg("an upload is found at %s", elsewhere[i]);
    }
    assert_int_equal(ask_go_on(s, "//to-d/./f", part.id, &part), 0);
    close(part.fd);
    session_end(s);
}

/* What was put there by somebody else than an agent. */
static void test_forged(void **state)
{
    static const char *const notes[] = {
        "",
        "1",
        "1 3 -1 0",
        "2 3 -1 0 f",
        "1 3 -1 0 ",
        "1 3 -1 2 f",
        "1 3 -1  f",
        "1 x -1 0 f",
        "1 3 x 0 f",
        "1 9223372036854775808 -1 0 f",
        "1 99999999999999999999999 -1 0 f",
        "1 -3 -1 0 f",
        "1 3 -1 0 ../f",
        "1 3 -1 0 ../outside/secret",
        "1 3 -1 0 f/",
        "../outside/secret",
    };
    struct session *s = session_start(RIGHTS_ALL, ACCOUNT_PARTS);
    struct part part;
    char path[512];
    (void)state;

    put_file(s, hidden("home", "part", SOME), "abc", 0644);
    for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++) {
        if (notes[i][0] != '\0')
            put_link(s, notes[i], hidden("home", "note", SOME));
        else
            put_file(s, hidden("home", "note", SOME), "1 3 -1 0 f", 0644);
        if (ask_go_on(s, "/f", SOME, &part) != ENOENT)
            fail_msg("gone on with by the note \"%s\"", notes[i]);
        remove_file(s, hidden("home", "note", SOME));
    }
    put_link(s, "1 3 -1 0 f", hidden("home", "note", SOME)); /* a good one, and no file to it */
    remove_file(s, hidden("home", "part", SOME));
    assert_int_equal(ask_go_on(s, "/f", SOME, &part), ENOENT);
    put_link(s, "../outside/secret", hidden("home", "part", SOME));
    assert_int_equal(ask_go_on(s, "/f", SOME, &part), ENOENT);
    remove_file(s, hidden("home", "part", SOME));
    put_folder(s, hidden("home", "part", SOME));
    assert_int_equal(ask_go_on(s, "/f", SOME, &part), ENOENT);
    snprintf(path, sizeof(path), "%s/%s", s->base, hidden("home", "part", SOME));
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0666), 0);
    own(s, hidden("home", "part", SOME));
    assert_int_equal(ask_go_on(s, "/f", SOME, &part), ENOENT);
    assert_true(file_is(s, "outside/secret", "secret"));
    session_end(s);
}

static void test_paths(void **state)
{
    struct session *s = session_start(RIGHTS_ALL, ACCOUNT_PARTS);
    static const struct {
        const char *path;
        int error;
    } paths[] = {
        {"/", EISDIR},          {"/d", EISDIR},       {"/to-d", EISDIR},
        {"/none/f", ENOENT},    {"f", EINVAL},        {"", EINVAL},
        {"/dangling", EACCES},  {"/fifo", EACCES},    {"/to-outside/new", ENOENT},
        {"/loop", ELOOP},       {"/file/f", ENOTDIR}, {"/" HIDDEN "x/f", ENOENT},
        {"/to-secret", EACCES},
    };
    const struct file_upload large = {.path = slice_text("/f"), .size = (uint64_t)INT64_MAX + 1};
    struct part part;
    char path[256];
    (void)state;

    put_folder(s, "home/d");
    put_file(s, "home/file", "x", 0644);
    put_link(s, "d", "home/to-d");
    put_link(s, "nothing", "home/dangling");
    put_link(s, "loop", "home/loop");
    put_link(s, s->outside, "home/to-outside");
    put_link(s, "../outside/secret", "home/to-secret");
    snprintf(path, sizeof(path), "%s/fifo", s->home);
    assert_int_equal(mkfifo(path, 0666), 0);
    own(s, "home/fifo");
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        const int error = ask_begin(s, paths[i].path, 3, true, &part);
        if (error != paths[i].error)
            fail_msg("%s: %s", paths[i].path, strerror(error));
    }
    assert_int_equal(ask_part(s, &large, &part), EFBIG);
    assert_int_equal(count_hidden(s, "home"), 0);
    assert_true(file_is(s, "outside/secret", "secret"));
    session_end(s);
}

/* Two folders in one view: each has its uploads and its rights, links or not. */
static void test_folders(void **state)
{
    struct session *s = session_folders();
    struct part part, none;
    (void)state;

    put_folder(s, "one");
    put_folder(s, "home/one"); /* shadowed, but a link leads there */
    put_link(s, "one/f", "home/l");
    put_file(s, "home/one/f", "below", 0644);
    put_file(s, "one/f", "beside", 0644);
    assert_true(session_try(s, s->home, RIGHTS_ALL, ACCOUNT_ATOMIC | ACCOUNT_PARTS, "one",
                            RIGHT_LIST | RIGHT_READ));
    assert_int_equal(ask_begin(s, "/one/f", 3, true, &none), EACCES);
    assert_int_equal(ask_begin(s, "/one/g", 3, true, &none), EACCES);
    assert_int_equal(ask_begin(s, "/f", 3, false, &part), 0);
    assert_int_equal(ask_end(s, &part, "", CLOSE_BROKEN), 0);
    assert_int_equal(ask_go_on(s, "/one/f", part.id, &none), EACCES);
    assert_int_equal(ask_begin(s, "/l", 3, true, &part), 0);
    assert_int_equal(ask_end(s, &part, "new", CLOSE_WHOLE), 0);
    assert_true(file_is(s, "home/one/f", "new") && file_is(s, "one/f", "beside"));
    assert_int_equal(ask_upload(s, "/l", NEW, "newer"), 0); /* in one part, likewise */
    assert_true(file_is(s, "home/one/f", "newer") && file_is(s, "one/f", "beside"));
    assert_int_equal(count_hidden(s, "one"), 0);
    session_end(s);
}

/* ------------------------------------------------------------------------- those that nobody ends
 */

static void test_swept(void **state)
{
    struct session *s = session_start(RIGHTS_ALL, ACCOUNT_PARTS);
    struct session *reader = session_beside(s, RIGHT_LIST | RIGHT_READ, ACCOUNT_PARTS);
    struct part old, young, again, written;
    (void)state;

    put_folder(s, "home/d");
    assert_int_equal(ask_begin(s, "/d/f", 3, false, &old), 0);
    assert_int_equal(ask_end(s, &old, "ab", CLOSE_BROKEN), 0);
    assert_int_equal(ask_begin(s, "/d/f", 3, false, &young), 0);
    assert_int_equal(ask_end(s, &young, "ab", CLOSE_BROKEN), 0);
    assert_int_equal(ask_begin(s, "/d/f", 3, false, &again), 0);
    assert_int_equal(ask_end(s, &again, "ab", CLOSE_BROKEN), 0);
    assert_int_equal(ask_begin(s, "/d/f", 3, false, &written), 0);
    age(s, "home/d", old.id, 7 * DAY + 10);
    age(s, "home/d", young.id, 7 * DAY - 60);
    age(s, "home/d", again.id, 70 * DAY);
    age(s, "home/d", written.id, 70 * DAY);
    assert_int_equal(ask_go_on(s, "/d/f", again.id, &again),
                     0); /* late, but before anybody swept */
    assert_int_equal(ask_end(s, &again, "c", CLOSE_BROKEN), 0);
    assert_false(listed(reader, "/d", "f"));
    assert_int_equal(count_hidden(s, "home/d"), 8);
    assert_false(listed(s, "/d", "f"));
    assert_int_equal(count_hidden(s, "home/d"), 6);
    assert_int_equal(ask_go_on(s, "/d/f", old.id, &old), ENOENT);

    /* Its folder is not empty; the account is told why. */
    assert_int_equal(ask_rmdir(s, "/d"), ENOTEMPTY);
    assert_string_not_equal(s->text, "");
    assert_int_equal(ask_end(s, &written, "", CLOSE_BROKEN), 0); /* which counts as going on */
    assert_false(listed(s, "/d", "f"));
    assert_int_equal(count_hidden(s, "home/d"), 6);
    age(s, "home/d", young.id, 8 * DAY);
    age(s, "home/d", again.id, 8 * DAY);
    age(s, "home/d", written.id, 8 * DAY);
    assert_int_equal(ask_rmdir(s, "/d"), 0);
    session_end(reader);
    session_end(s);
}

/* Halves of an upload, as crashes leave them: at once; what is none of ours as ever. */
static void test_halves(void **state)
{
    struct session *s = session_start(RIGHTS_ALL, ACCOUNT_PARTS);
    struct stat st;
    (void)state;

    put_file(s, hidden("home", "part", SOME), "half", 0644);
    assert_false(listed(s, "/", "f"));
    assert_int_equal(count_hidden(s, "home"), 0);
    put_link(s, "1 3 -1 0 f", hidden("home", "note", SOME));
    assert_false(listed(s, "/", "f"));
    assert_int_equal(count_hidden(s, "home"), 0);
    put_file(s, hidden("home", "part", SOME), "abc", 0644);
    put_link(s, "1 3 -1 0 f", hidden("home", "note", SOME));
    assert_false(listed(s, "/", "f"));
    assert_int_equal(count_hidden(s, "home"), 2);
    put_link(s, "../outside/secret", hidden("home", "part", "0123456789abcdef01234560"));
    assert_false(listed(s, "/", "f"));
    assert_true(file_is(s, "outside/secret", "secret"));
    assert_true(file_stat_is(s, hidden("home", "part", "0123456789abcdef01234560"), &st));
    put_file(s, "home/" HIDDEN SOME, "of an atomic upload", 0644);
    assert_false(listed(s, "/", "f"));
    assert_false(file_stat_is(s, "home/" HIDDEN SOME, &st));
    session_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_way),       cmocka_unit_test(test_time_and_nothing),
        cmocka_unit_test(test_not_whole),     cmocka_unit_test(test_sessions_that_end),
        cmocka_unit_test(test_one_at_a_time), cmocka_unit_test(test_dropped),
        cmocka_unit_test(test_replacing),     cmocka_unit_test(test_taken_names),
        cmocka_unit_test(test_rights),        cmocka_unit_test(test_other_rights),
        cmocka_unit_test(test_hidden),        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_forged),        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_folders),       cmocka_unit_test(test_swept),
        cmocka_unit_test(test_halves),
    };

    return cmocka_run_group_tests_name("files, uploads in parts", tests, NULL, NULL);
}
