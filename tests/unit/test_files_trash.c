/* The trash: what is removed by an account that has one is moved there whole, under a name of its
 * own, by the delete right alone, and nothing that could not be moved is lost. */
#include "tests/unit/files_session.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define NEW  (OPEN_WRITE | OPEN_CREATE | OPEN_TRUNCATE)
#define MANY 50

static bool as_root(const char *what)
{
    if (geteuid() == 0)
        return true;
    printf("%s: skipped, needs root\n", what);
    return false;
}

/* Where the report says that a removed name is now: its path in the view. */
static const char *moved_to(struct session *s, enum operation operation, const char *path)
{
    const struct seen *seen = told(s, operation, 0, path);

    if (seen == NULL)
        fail_msg("%s: its removal is not reported", path);
    return seen->other;
}

/* The same, as a place below the base; that it has this form is looked at here. */
static void in_trash(struct session *s, enum operation operation, const char *path,
                     const char *name, char where[512])
{
    static const char form[] = "/.trash/NNNN-NN-NNTNN.NN.NNZ";
    const char *to = moved_to(s, operation, path);
    const size_t n = sizeof(form) - 1;

    for (size_t i = 0; i < n; i++) {
        if (form[i] == 'N' ? to[i] < '0' || to[i] > '9' : to[i] != form[i])
            fail_msg("%s went to %s", path, to);
    }
    const char *blank = strchr(to + n, ' ');
    if (blank == NULL || strcmp(blank + 1, name) != 0 || (to[n] != ' ' && to[n] != '.'))
        fail_msg("%s went to %s", path, to);
    assert_true(snprintf(where, 512, "home%s", to) < 512);
}

static size_t count_names(const struct session *s, const char *where)
{
    char path[256];
    size_t count = 0;

    snprintf(path, sizeof(path), "%s/%s", s->base, where);
    DIR *folder = opendir(path);
    assert_non_null(folder);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count - 2;
}

/* The delete right and no other. */
static void test_what_goes_there(void **state)
{
    static const uint32_t ways[] = {0, ACCOUNT_DURABLE | ACCOUNT_ATOMIC};
    (void)state;

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        struct session *s = session_start(RIGHT_DELETE, ACCOUNT_TRASH | ways[i]);
        char where[512], below[600];
        struct stat st;
        uint32_t handle;
        int fd;
        put_folder(s, "home/d");
        put_folder(s, "home/d/sub");
        put_folder(s, "home/empty");
        put_file(s, "home/d/sub/f", "deep", 0600);
        put_file(s, "home/f", "text", 0400);
        put_link(s, "f", "home/l");

        assert_int_equal(ask_rmdir(s, "/f"), ENOTDIR);
        assert_int_equal(ask_remove(s, "/d"), EISDIR);
        assert_int_equal(ask_remove(s, "/none"), ENOENT);
        assert_int_equal(ask_rmdir(s, "/"), EBUSY);
        assert_false(file_stat_is(s, "home/.trash", &st)); /* on first use */

        assert_int_equal(ask_remove(s, "/l"), 0);
        in_trash(s, OPERATION_REMOVE, "/l", "l", where);
        assert_true(file_stat_is(s, where, &st) && S_ISLNK(st.st_mode));
        assert_true(file_is(s, "home/f", "text"));
        assert_true(file_stat_is(s, "home/.trash", &st));
        assert_int_equal(st.st_mode, S_IFDIR | 0700);

        assert_int_equal(ask_remove(s, "/f"), 0);
        in_trash(s, OPERATION_REMOVE, "/f", "f", where);
        assert_true(file_is(s, where, "text"));
        assert_false(file_stat_is(s, "home/f", &st));
        assert_int_equal(ask_rmdir(s, "/empty"), 0);
        in_trash(s, OPERATION_REMOVE_FOLDER, "/empty", "empty", where);
        assert_true(file_stat_is(s, where, &st) && S_ISDIR(st.st_mode));

        assert_int_equal(ask_rmdir(s, "/d"), 0); /* with all that is in it */
        in_trash(s, OPERATION_REMOVE_FOLDER, "/d", "d", where);
        snprintf(below, sizeof(below), "%s/sub/f", where);
        assert_true(file_is(s, below, "deep"));
        assert_int_equal(count_names(s, "home"), 1);
        assert_int_equal(count_names(s, "home/.trash"), 4);

        /* No other right came with it. */
        assert_int_equal(ask_mkdir(s, "/n"), EACCES);
        assert_int_equal(ask_upload(s, "/.trash/n", NEW, "n"), EACCES);
        assert_int_equal(ask_rename(s, where + 4, "/d", false), EACCES);
        assert_int_equal(ask_open(s, below + 4, OPEN_READ, &handle, &fd), EACCES);
        assert_int_equal(ask_opendir(s, "/.trash", &handle), EACCES);
        session_end(s);
    }
}

/* Inside, removal is removal; wherever that is, links and all. */
static void test_inside(void **state)
{
    struct session *s = session_start(RIGHTS_ALL, ACCOUNT_TRASH);
    char where[512], path[600];
    struct stat st;
    (void)state;

    put_folder(s, "home/d");
    put_file(s, "home/d/f", "f", 0644);
    put_file(s, "home/d/g", "g", 0644);
    put_file(s, "home/h", "h", 0644);
    assert_int_equal(ask_rmdir(s, "/d"), 0);
    in_trash(s, OPERATION_REMOVE_FOLDER, "/d", "d", where);
    assert_true(listed(s, "/", ".trash")); /* hidden from nobody */
    assert_true(listed(s, "/.trash", where + sizeof("home/.trash/") - 1));
    assert_int_equal(ask_rmdir(s, where + 4), ENOTEMPTY);
    snprintf(path, sizeof(path), "%s/f", where + 4);
    assert_int_equal(ask_remove(s, path), 0);
    assert_string_equal(moved_to(s, OPERATION_REMOVE, path), "");

    /* By a link into it; a link in it does not lead its removals along. */
    put_link(s, ".trash", "home/bin");
    put_link(s, ".", "home/here");
    put_folder(s, "home/kept");
    put_file(s, "home/kept/f", "kept", 0644);
    put_link(s, "/kept", "home/.trash/out");
    snprintf(path, sizeof(path), "/here/bin/%s/g", where + sizeof("home/.trash/") - 1);
    assert_int_equal(ask_remove(s, path), 0);
    assert_string_equal(moved_to(s, OPERATION_REMOVE, path), "");
    assert_int_equal(ask_remove(s, "/.trash/out/f"), 0);
    in_trash(s, OPERATION_REMOVE, "/.trash/out/f", "f", path);
    assert_true(file_is(s, path, "kept"));
    assert_int_equal(ask_rename(s, path + 4, "/f", false), 0); /* and back */
    assert_true(file_is(s, "home/f", "kept"));
    assert_int_equal(ask_remove(s, "/.trash/out"), 0);
    assert_true(file_stat_is(s, "home/kept", &st));

    assert_int_equal(ask_rmdir(s, "/here/.trash"), ENOTEMPTY);
    assert_int_equal(ask_rmdir(s, where + 4), 0);
    assert_int_equal(count_names(s, "home/.trash"), 0);
    assert_int_equal(ask_rmdir(s, "/here/.trash"), 0);
    assert_false(file_stat_is(s, "home/.trash", &st));
    assert_int_equal(ask_remove(s, "/h"), 0); /* it comes again */
    in_trash(s, OPERATION_REMOVE, "/h", "h", where);
    assert_true(file_is(s, where, "h"));

    /* Names that only begin so. */
    put_folder(s, "home/.trashes");
    put_file(s, "home/.trashes/f", "f", 0644);
    assert_int_equal(ask_remove(s, "/.trashes/f"), 0);
    in_trash(s, OPERATION_REMOVE, "/.trashes/f", "f", where);
    session_end(s);
}

/* Of one name in one second, by two sessions at a time: each stays. */
static void test_taken_names(void **state)
{
    struct session *s = session_start(RIGHTS_ALL, ACCOUNT_TRASH);
    struct session *both[] = {s, session_beside(s, RIGHTS_ALL, ACCOUNT_TRASH)};
    char where[512], content[16];
    (void)state;

    for (int i = 0; i < MANY; i++) {
        struct session *one = both[i % 2];
        snprintf(content, sizeof(content), "%d", i);
        one->seen_count = 0;
        assert_int_equal(ask_upload(one, "/same", NEW, content), 0);
        assert_int_equal(ask_remove(one, "/same"), 0);
        in_trash(one, OPERATION_REMOVE, "/same", "same", where);
        if (!file_is(one, where, content))
            fail_msg("%d went to %s, which has another", i, where);
    }
    assert_int_equal(count_names(s, "home/.trash"), MANY);
    session_end(both[1]);
    session_end(s);
}

/* Names without room for the time: cut before the suffix, not within a character. */
static void test_long_names(void **state)
{
    static const struct {
        const char *what, *unit, *suffix;
    } kinds[] = {
        {"letters", "n", ".pdf"},
        {"two bytes each", "\xc3\xa4", ".jpeg"},
        {"three bytes each, no suffix", "\xe2\x82\xac", ""},
        {"no UTF-8 at all", "\x80", ".a suffix that is too long"},
    };
    struct session *s = session_start(RIGHTS_ALL, ACCOUNT_TRASH);
    (void)state;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const size_t unit = strlen(kinds[i].unit), tail = strlen(kinds[i].suffix);
        char path[300] = "/", where[600];
        size_t len = 1;
        while (len + unit + tail <= 256) {
            memcpy(path + len, kinds[i].unit, unit);
            len += unit;
        }
        memcpy(path + len, kinds[i].suffix, tail + 1);
        assert_int_equal(ask_upload(s, path, NEW, kinds[i].what), 0);
        assert_int_equal(ask_remove(s, path), 0);
        const char *to = moved_to(s, OPERATION_REMOVE, path);
        snprintf(where, sizeof(where), "home%s", to);
        if (!file_is(s, where, kinds[i].what))
            fail_msg("%s went to %s", kinds[i].what, to);
        const char *name = strchr(to, ' ') + 1;
        const size_t left = strlen(name), end = tail <= 16 ? tail : 0;
        assert_true(strlen(to) <= sizeof("/.trash/") - 1 + 255);
        assert_string_equal(name + left - end, tail <= 16 ? kinds[i].suffix : "");
        assert_true(left > end || unit == 1);
        assert_memory_equal(name, path + 1, left - end);
        assert_int_equal((left - end) % unit, 0);
    }
    session_end(s);
}

/* Something else is called so: refused, and nothing is removed; the account can mend it. */
static void test_no_trash_folder(void **state)
{
    struct session *s = session_start(RIGHTS_ALL, ACCOUNT_TRASH);
    struct stat before;
    (void)state;

    put_folder(s, "home/d");
    put_file(s, "home/d/f", "f", 0644);
    put_file(s, "home/.trash", "a file", 0644);
    assert_int_equal(ask_remove(s, "/d/f"), EACCES);
    assert_string_not_equal(s->text, "");
    assert_int_equal(ask_rmdir(s, "/d"), EACCES);
    assert_non_null(told(s, OPERATION_REMOVE, EACCES, "/d/f"));
    assert_int_equal(ask_remove(s, "/.trash"), 0);

    assert_true(file_stat_is(s, "outside", &before));
    put_link(s, "../outside", "home/.trash");
    assert_int_equal(ask_remove(s, "/d/f"), EACCES);
    assert_int_equal(ask_remove(s, "/.trash"), 0);
    put_link(s, "d", "home/.trash"); /* not even within the folder */
    assert_int_equal(ask_rmdir(s, "/d"), EACCES);
    assert_int_equal(ask_remove(s, "/.trash"), 0);
    assert_true(file_is(s, "home/d/f", "f"));
    assert_int_equal(count_names(s, "outside"), 1);

    if (as_root("a trash that is another's")) {
        put_folder(s, "home/.trash");
        char path[128];
        snprintf(path, sizeof(path), "%s/.trash", s->home);
        assert_int_equal(chown(path, 0, 0), 0);
        assert_int_equal(chmod(path, 0700), 0);
        assert_int_equal(ask_remove(s, "/d/f"), EACCES);
        assert_int_equal(ask_rmdir(s, "/d"), EACCES);
        assert_true(file_is(s, "home/d/f", "f"));
    }
    session_end(s);
}

/* What cannot be moved there is not removed. A fifo is: nothing is in it. */
static void test_not_moved(void **state)
{
    struct session *s = session_folders();
    char path[128];
    struct stat st;
    (void)state;

    snprintf(path, sizeof(path), "%s/fifo", s->home);
    assert_int_equal(mkfifo(path, 0666), 0);
    own(s, "home/fifo");
    put_folder(s, "home/disk");
    snprintf(path, sizeof(path), "%s/disk", s->home);
    const bool mounted = as_root("a trash on another file system") &&
                         mount("tmpfs", path, "tmpfs", 0, "size=1m,mode=0777") == 0;
    if (mounted)
        put_file(s, "home/disk/f", "f", 0644);
    const bool ready = session_try(s, s->home, RIGHTS_ALL, ACCOUNT_TRASH, "", 0);
    const int removed = mounted && ready ? ask_remove(s, "/disk/f") : EXDEV;
    const bool said = !mounted || s->text[0] != '\0';
    const bool there = !mounted || file_is(s, "home/disk/f", "f");
    const bool reported = !mounted || told(s, OPERATION_REMOVE, EXDEV, "/disk/f") != NULL;
    const int over = mounted && ready ? ask_upload(s, "/disk/f", NEW, "g") : 0;
    if (mounted)
        umount2(path, MNT_DETACH);
    assert_true(ready && there && reported && said);
    assert_int_equal(removed, EXDEV);
    assert_int_equal(over, 0);

    assert_int_equal(ask_remove(s, "/fifo"), 0);
    assert_false(file_stat_is(s, "home/fifo", &st));
    assert_string_equal(moved_to(s, OPERATION_REMOVE, "/fifo"), "");
    session_end(s);
}

/* Replacing is not removing; without the flag nothing goes anywhere; without the right neither. */
static void test_what_does_not(void **state)
{
    struct session *s = session_start(RIGHTS_ALL, ACCOUNT_TRASH | ACCOUNT_ATOMIC);
    struct stat st;
    (void)state;

    put_file(s, "home/f", "f", 0644);
    put_file(s, "home/g", "g", 0644);
    assert_int_equal(ask_upload(s, "/f", NEW, "new"), 0);
    assert_int_equal(ask_rename(s, "/g", "/f", true), 0);
    assert_true(file_is(s, "home/f", "g"));
    assert_false(file_stat_is(s, "home/.trash", &st));
    session_end(s);

    s = session_start(RIGHTS_ALL & ~RIGHT_DELETE, ACCOUNT_TRASH);
    put_folder(s, "home/d");
    put_file(s, "home/f", "f", 0644);
    assert_int_equal(ask_remove(s, "/f"), EACCES);
    assert_int_equal(ask_rmdir(s, "/d"), EACCES);
    assert_false(file_stat_is(s, "home/.trash", &st));
    session_end(s);

    s = session_start(RIGHTS_ALL, 0);
    put_folder(s, "home/.trash");
    put_folder(s, "home/d");
    put_file(s, "home/d/f", "f", 0644);
    assert_int_equal(ask_rmdir(s, "/d"), ENOTEMPTY);
    assert_int_equal(ask_remove(s, "/d/f"), 0);
    assert_int_equal(ask_rmdir(s, "/d"), 0);
    assert_int_equal(count_names(s, "home/.trash"), 0);
    session_end(s);
}

/* Each folder of the view has its own. */
static void test_folders(void **state)
{
    struct session *s = session_folders();
    char where[512];
    struct stat st;
    (void)state;

    put_folder(s, "one");
    put_folder(s, "one/d");
    put_file(s, "one/d/f", "f", 0644);
    put_file(s, "one/.trashed", "g", 0644);
    assert_true(
        session_try(s, s->home, RIGHTS_ALL, ACCOUNT_TRASH, "one", RIGHT_DELETE | RIGHT_LIST));
    assert_int_equal(ask_remove(s, "/one/d/f"), 0);
    const char *to = moved_to(s, OPERATION_REMOVE, "/one/d/f");
    assert_memory_equal(to, "/one/.trash/", 12);
    snprintf(where, sizeof(where), "%s", to + 1);
    assert_true(file_is(s, where, "f"));
    assert_int_equal(ask_remove(s, to), 0); /* inside: for good */
    assert_int_equal(count_names(s, "one/.trash"), 0);
    assert_int_equal(ask_remove(s, "/one/.trashed"), 0);
    assert_int_equal(count_names(s, "one/.trash"), 1);
    assert_int_equal(ask_rmdir(s, "/one"), EBUSY);
    assert_false(file_stat_is(s, "home/.trash", &st));
    session_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_goes_there), cmocka_unit_test(test_inside),
        cmocka_unit_test(test_taken_names),     cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_no_trash_folder), cmocka_unit_test(test_not_moved),
        cmocka_unit_test(test_what_does_not),   cmocka_unit_test(test_folders),
    };

    return cmocka_run_group_tests_name("files, trash", tests, NULL, NULL);
}
