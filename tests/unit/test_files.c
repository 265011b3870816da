/* The file agent's requests: each operation, each right, and what the store is told. */
#include "tests/unit/files_session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define NEW (OPEN_WRITE | OPEN_CREATE | OPEN_TRUNCATE)

static void test_upload_and_download(void **state)
{
    struct session *s = session_start(RIGHTS_ALL, 0);
    uint32_t handle;
    char bytes[16];
    int fd;
    (void)state;

    assert_int_equal(ask_upload(s, "/a.txt", NEW, "hello"), 0);
    assert_true(file_is(s, "home/a.txt", "hello"));
    const struct seen *seen = told(s, OPERATION_UPLOAD, 0, "/a.txt");
    assert_non_null(seen);
    assert_int_equal(seen->size, 5);
    assert_int_equal(seen->bytes_written, 22);
    struct stat st;
    assert_true(file_stat_is(s, "home/a.txt", &st));
    assert_int_equal(st.st_mode & 07777, 0644); /* 0666 without the umask */

    assert_int_equal(ask_open(s, "/a.txt", OPEN_READ, &handle, &fd), 0);
    assert_int_equal(pread(fd, bytes, sizeof(bytes), 0), 5);
    assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    assert_true(write(fd, "x", 1) < 0);
    close(fd);
    assert_int_equal(ask_close(s, handle, true), 0);
    assert_int_equal(ask_close(s, handle, true), EBADF);
    seen = told(s, OPERATION_DOWNLOAD, 0, "/a.txt");
    assert_non_null(seen);
    assert_int_equal(seen->bytes_read, 11);

    assert_int_equal(ask_upload(s, "/a.txt", OPEN_WRITE, "J"), 0); /* resumed: not truncated */
    assert_true(file_is(s, "home/a.txt", "Jello"));
    assert_non_null(told(s, OPERATION_MODIFY, 0, "/a.txt"));
    assert_int_equal(ask_upload(s, "/a.txt", OPEN_WRITE | OPEN_APPEND, "!"), 0);
    assert_true(file_is(s, "home/a.txt", "Jello!"));
    assert_int_equal(ask_upload(s, "/a.txt", NEW | OPEN_EXCLUSIVE, "no"), EEXIST);
    assert_int_equal(ask_upload(s, "/b.txt", NEW | OPEN_EXCLUSIVE, "b"), 0);
    assert_int_equal(ask_upload(s, "/c.txt", OPEN_WRITE, "c"), ENOENT);
    assert_int_equal(ask_upload(s, "/none/c.txt", NEW, "c"), ENOENT);
    assert_int_equal(ask_open(s, "/a.txt", 0, &handle, &fd), EINVAL);
    assert_int_equal(ask_open(s, "/a.txt", OPEN_READ | OPEN_TRUNCATE, &handle, &fd), EINVAL);
    assert_int_equal(ask_open(s, "/a.txt", 1u << 20, &handle, &fd), EINVAL);
    assert_int_equal(ask_open(s, "/", OPEN_READ, &handle, &fd), EISDIR);
    assert_int_equal(ask_open(s, "a.txt", OPEN_READ, &handle, &fd), EINVAL);
    session_end(s);
}

static void test_stat_and_setattr(void **state)
{
    struct session *s = session_start(RIGHTS_ALL, 0);
    struct file_attributes a;
    struct stat st;
    (void)state;

    put_file(s, "home/f", "12345", 0640);
    put_link(s, "f", "home/l");
    assert_int_equal(ask_stat(s, "/l", true, &a), 0);
    assert_true(S_ISREG(a.mode) && a.size == 5 && (a.mode & 0777) == 0640);
    assert_int_equal(ask_stat(s, "/l", false, &a), 0);
    assert_true(S_ISLNK(a.mode));
    assert_int_equal(ask_stat(s, "/none", true, &a), ENOENT);

    assert_int_equal(ask_mode(s, "/f", true, 06755), 0); /* setuid and setgid are masked */
    assert_true(file_stat_is(s, "home/f", &st));
    assert_int_equal(st.st_mode & 07777, 0755);
    assert_non_null(told(s, OPERATION_SETATTR, 0, "/f"));
    assert_int_equal(ask_mode(s, "/f", true, 0), 0);
    assert_int_equal(ask_mode(s, "/f", true, 0600), 0); /* of a file that cannot be opened */
    assert_int_equal(ask_mode(s, "/l", false, 0600), EOPNOTSUPP);
    assert_int_equal(ask_mode(s, "/l", true, 0644), 0);
    assert_true(file_stat_is(s, "home/f", &st));
    assert_int_equal(st.st_mode & 07777, 0644);

    struct file_setattr m = {.path = slice_text("/l"),
                             .follow = 0,
                             .valid = ATTR_MTIME | ATTR_ATIME,
                             .atime_ns = -1500000000,
                             .mtime_ns = 1234567890123456789};
    assert_int_equal(ask(s, MSG_file_setattr, &m), 0);
    assert_true(file_stat_is(s, "home/l", &st)); /* the link's own */
    assert_int_equal(st.st_mtim.tv_sec, 1234567890);
    assert_int_equal(st.st_mtim.tv_nsec, 123456789);
    m.follow = 1;
    m.valid = ATTR_SIZE | ATTR_MTIME;
    m.size = 2;
    assert_int_equal(ask(s, MSG_file_setattr, &m), 0);
    assert_true(file_is(s, "home/f", "12"));
    assert_int_equal(ask_stat(s, "/f", true, &a), 0);
    assert_true(a.mtime_ns == 1234567890123456789);
    m.valid = ATTR_OWNER;
    m.uid = a.uid;
    m.gid = a.gid;
    assert_int_equal(ask(s, MSG_file_setattr, &m), 0);
    m.uid = 0;
    m.gid = 12;
    assert_int_equal(ask(s, MSG_file_setattr, &m), EPERM);
    assert_string_not_equal(s->text, "");
    m.valid = 1u << 30;
    assert_int_equal(ask(s, MSG_file_setattr, &m), EINVAL);
    m.valid = ATTR_SIZE;
    m.path = slice_text("/");
    assert_int_equal(ask(s, MSG_file_setattr, &m), EISDIR);
    session_end(s);
}

static void test_handle_attributes(void **state)
{
    struct session *s = session_start(RIGHTS_ALL, 0);
    struct file_attributes a;
    struct stat st;
    uint32_t handle, reader;
    int fd, fd2;
    (void)state;

    assert_int_equal(ask_open(s, "/f", NEW | OPEN_READ, &handle, &fd), 0);
    assert_int_equal(write(fd, "123", 3), 3);
    const struct file_hstat look = {.handle = handle};
    assert_int_equal(ask(s, MSG_file_hstat, &look), 0);
    assert_int_equal(decode_file_attributes(&s->answer, &a), 0);
    assert_int_equal(a.size, 3);
    struct file_hsetattr m = {
        .handle = handle, .valid = ATTR_SIZE | ATTR_MODE, .size = 1, .mode = 07700};
    assert_int_equal(ask(s, MSG_file_hsetattr, &m), 0);
    assert_true(file_stat_is(s, "home/f", &st));
    assert_true(st.st_size == 1 && (st.st_mode & 07777) == 0700);
    assert_int_equal(ask_open(s, "/f", OPEN_READ, &reader, &fd2), 0);
    m.handle = reader;
    assert_int_equal(ask(s, MSG_file_hsetattr, &m), EBADF); /* size: not open for writing */
    m.handle = 99999;
    assert_int_equal(ask(s, MSG_file_hsetattr, &m), EBADF);
    const struct file_sync sync = {.handle = handle};
    assert_int_equal(ask(s, MSG_file_sync, &sync), 0);
    close(fd);
    close(fd2);
    session_end(s);
}

static void test_names(void **state)
{
    struct session *s = session_start(RIGHTS_ALL, 0);
    struct stat st;
    (void)state;

    assert_int_equal(ask_mkdir(s, "/d"), 0);
    assert_true(file_stat_is(s, "home/d", &st));
    assert_int_equal(st.st_mode & 07777, 0755);
    assert_int_equal(ask_mkdir(s, "/d"), EEXIST);
    assert_int_equal(ask_mkdir(s, "/"), EEXIST);
    assert_non_null(told(s, OPERATION_MAKE_FOLDER, 0, "/d"));
    assert_int_equal(ask_upload(s, "/d/a", NEW, "a"), 0);
    assert_int_equal(ask_upload(s, "/b", NEW, "b"), 0);
    assert_int_equal(ask_rename(s, "/d/a", "/b", false), EEXIST);
    assert_int_equal(ask_rename(s, "/d/a", "/c", false), 0);
    const struct seen *seen = told(s, OPERATION_MOVE, 0, "/d/a");
    assert_non_null(seen);
    assert_string_equal(seen->other, "/c");
    assert_int_equal(ask_rename(s, "/c", "/b", true), 0);
    assert_true(file_is(s, "home/b", "a"));
    assert_int_equal(ask_rename(s, "/", "/x", true), EBUSY);
    assert_int_equal(ask_rename(s, "/d", "/d/x", true), EINVAL);
    assert_int_equal(ask_remove(s, "/d"), EISDIR);
    assert_int_equal(ask_rmdir(s, "/b"), ENOTDIR);
    assert_int_equal(ask_remove(s, "/b"), 0);
    assert_non_null(told(s, OPERATION_REMOVE, 0, "/b"));
    assert_int_equal(ask_remove(s, "/b"), ENOENT);
    assert_int_equal(ask_upload(s, "/d/z", NEW, "z"), 0);
    assert_int_equal(ask_rmdir(s, "/d"), ENOTEMPTY);
    assert_int_equal(ask_remove(s, "/d/z"), 0);
    assert_int_equal(ask_rmdir(s, "/d"), 0);
    assert_non_null(told(s, OPERATION_REMOVE_FOLDER, 0, "/d"));
    assert_int_equal(ask_rmdir(s, "/"), EBUSY);
    session_end(s);
}

static void test_links(void **state)
{
    struct session *s = session_start(RIGHTS_ALL, 0);
    char real[4096];
    struct stat st;
    (void)state;

    assert_int_equal(ask_upload(s, "/a", NEW, "a"), 0);
    assert_int_equal(ask_symlink(s, "../a", "/s"), 0);
    assert_non_null(told(s, OPERATION_SYMLINK, 0, "/s"));
    const struct file_readlink m = {.path = slice_text("/s")};
    struct file_path text;
    assert_int_equal(ask(s, MSG_file_readlink, &m), 0);
    assert_int_equal(decode_file_path(&s->answer, &text), 0);
    assert_true(slice_is(text.path, "../a"));
    const struct file_readlink no = {.path = slice_text("/a")};
    assert_int_equal(ask(s, MSG_file_readlink, &no), EINVAL);
    assert_int_equal(ask_symlink(s, "x", "/s"), EEXIST);

    assert_int_equal(ask_link(s, "/a", "/h"), 0);
    assert_true(file_stat_is(s, "home/h", &st));
    assert_int_equal(st.st_nlink, 2);
    const struct seen *seen = told(s, OPERATION_LINK, 0, "/a");
    assert_non_null(seen);
    assert_string_equal(seen->other, "/h");
    assert_int_equal(ask_link(s, "/s", "/h2"), EPERM); /* a link to a link */
    assert_int_equal(ask_mkdir(s, "/d"), 0);
    assert_int_equal(ask_link(s, "/d", "/d2"), EPERM);
    assert_int_equal(ask_link(s, "/a", "/d/h"), 0);

    assert_int_equal(ask_symlink(s, "/d", "/to-d"), 0);
    assert_int_equal(ask_symlink(s, "../to-d/../a", "/d/chain"), 0);
    assert_int_equal(ask_realpath(s, "//d/./../to-d/h", real), 0);
    assert_string_equal(real, "/d/h");
    assert_int_equal(ask_realpath(s, "/d/chain", real), 0);
    assert_string_equal(real, "/a"); /* the link's .. is of the folder that it leads to */
    assert_int_equal(ask_realpath(s, "/d/chain/..", real), 0);
    assert_string_equal(real, "/d"); /* the request's .. is text */
    assert_int_equal(ask_realpath(s, "/../../none/x/..", real), 0);
    assert_string_equal(real, "/none");
    assert_int_equal(ask_realpath(s, "/", real), 0);
    assert_string_equal(real, "/");
    assert_int_equal(ask_symlink(s, "loop2", "/loop1"), 0);
    assert_int_equal(ask_symlink(s, "loop1", "/loop2"), 0);
    assert_int_equal(ask_realpath(s, "/loop1", real), ELOOP);
    assert_int_equal(ask_symlink(s, "nowhere", "/dangling"), 0);
    assert_int_equal(ask_upload(s, "/dangling", NEW, "x"), ENOENT);
    assert_false(file_stat_is(s, "home/nowhere", &st));
    session_end(s);
}

static void test_space_and_copy(void **state)
{
    struct session *s = session_start(RIGHTS_ALL, 0);
    struct file_space_is is;
    struct file_copied copied;
    struct statvfs vfs;
    uint32_t from, to;
    int fd, fd2;
    (void)state;

    struct file_space space = {.path = slice_text("/")};
    assert_int_equal(ask(s, MSG_file_space, &space), 0);
    assert_int_equal(decode_file_space_is(&s->answer, &is), 0);
    assert_int_equal(statvfs(s->home, &vfs), 0);
    assert_true(is.blocks == vfs.f_blocks && is.frsize == vfs.f_frsize && is.namemax == 255);

    put_file(s, "home/f", "0123456789", 0600);
    assert_int_equal(ask_open(s, "/f", OPEN_READ, &from, &fd), 0);
    space.path = slice_text("");
    space.handle = from;
    assert_int_equal(ask(s, MSG_file_space, &space), 0);
    assert_int_equal(ask_open(s, "/g", NEW, &to, &fd2), 0);
    struct file_copy m = {
        .from = from, .from_offset = 2, .to = to, .to_offset = 1, .length = UINT64_MAX};
    assert_int_equal(ask(s, MSG_file_copy, &m), 0);
    assert_int_equal(decode_file_copied(&s->answer, &copied), 0);
    assert_int_equal(copied.length, 8);
    const struct seen *seen = told(s, OPERATION_COPY, 0, "/f");
    assert_non_null(seen);
    assert_string_equal(seen->other, "/g");
    m.from_offset = 10;
    assert_int_equal(ask(s, MSG_file_copy, &m), 0);
    assert_int_equal(decode_file_copied(&s->answer, &copied), 0);
    assert_int_equal(copied.length, 0);
    m.from = to;
    m.to = from;
    assert_int_equal(ask(s, MSG_file_copy, &m), EBADF);
    m.from_offset = UINT64_MAX;
    m.from = from;
    m.to = to;
    assert_int_equal(ask(s, MSG_file_copy, &m), EINVAL);
    close(fd);
    close(fd2);
    struct stat st;
    assert_true(file_stat_is(s, "home/g", &st));
    assert_int_equal(st.st_size, 9);

    assert_int_equal(ask_open(s, "/f", OPEN_READ | OPEN_WRITE, &from, &fd), 0);
    m = (struct file_copy){.from = from, .to = from, .to_offset = 2, .length = 3};
    assert_int_equal(ask(s, MSG_file_copy, &m), EINVAL); /* overlap */
    m.to_offset = 5;
    assert_int_equal(ask(s, MSG_file_copy, &m), 0);
    assert_true(file_is(s, "home/f", "0123401289"));
    close(fd);
    session_end(s);
}

/* An operation, tried with all rights but one: refused with a sentence, told, and not done. */
struct lack {
    const char *name;
    uint32_t missing;
    enum operation operation; /* as reported */
    const char *path;         /* as reported; NULL: not reported */
    int (*attempt)(struct session *s);
};

static int try_list(struct session *s)
{
    uint32_t handle;
    return ask_opendir(s, "/d", &handle);
}
static int try_read(struct session *s)
{
    uint32_t handle;
    int fd;
    return ask_open(s, "/f", OPEN_READ, &handle, &fd);
}
static int try_write(struct session *s)
{
    return ask_upload(s, "/new", NEW, "x");
}
static int try_overwrite(struct session *s)
{
    return ask_upload(s, "/f", NEW, "x");
}
static int try_resume(struct session *s)
{
    return ask_upload(s, "/f", OPEN_WRITE, "x");
}
static int try_setattr(struct session *s)
{
    return ask_mode(s, "/f", true, 0600);
}
static int try_remove(struct session *s)
{
    return ask_remove(s, "/f");
}
static int try_rmdir(struct session *s)
{
    return ask_rmdir(s, "/d");
}
static int try_rename(struct session *s)
{
    return ask_rename(s, "/f", "/new", false);
}
static int try_replace(struct session *s)
{
    return ask_rename(s, "/g", "/f", true);
}
static int try_mkdir(struct session *s)
{
    return ask_mkdir(s, "/new");
}
static int try_symlink(struct session *s)
{
    return ask_symlink(s, "f", "/new");
}
static int try_link(struct session *s)
{
    return ask_link(s, "/f", "/new");
}
static int try_readlink(struct session *s)
{
    const struct file_readlink m = {.path = slice_text("/l")};
    return ask(s, MSG_file_readlink, &m);
}
static int try_space(struct session *s)
{
    const struct file_space m = {.path = slice_text("/")};
    return ask(s, MSG_file_space, &m);
}

static const struct lack lacks[] = {
    // clang-format off
    {"list",            RIGHT_LIST,      OPERATION_LISTING,       "/d",   try_list},
    {"download",        RIGHT_READ,      OPERATION_DOWNLOAD,      "/f",   try_read},
    {"upload",          RIGHT_WRITE,     OPERATION_UPLOAD,        "/new", try_write},
    {"overwrite",       RIGHT_OVERWRITE, OPERATION_MODIFY,        "/f",   try_overwrite},
    {"resume",          RIGHT_OVERWRITE, OPERATION_MODIFY,        "/f",   try_resume},
    {"setattr",         RIGHT_WRITE,     OPERATION_SETATTR,       "/f",   try_setattr},
    {"setattr existing", RIGHT_OVERWRITE, OPERATION_SETATTR,      "/f",   try_setattr},
    {"remove",          RIGHT_DELETE,    OPERATION_REMOVE,        "/f",   try_remove},
    {"rmdir",           RIGHT_DELETE,    OPERATION_REMOVE_FOLDER, "/d",   try_rmdir},
    {"rename",          RIGHT_RENAME,    OPERATION_MOVE,          "/f",   try_rename},
    {"rename over",     RIGHT_OVERWRITE, OPERATION_MOVE,          "/g",   try_replace},
    {"mkdir",           RIGHT_MKDIR,     OPERATION_MAKE_FOLDER,   "/new", try_mkdir},
    {"symlink",         RIGHT_WRITE,     OPERATION_SYMLINK,       "/new", try_symlink},
    {"link",            RIGHT_WRITE,     OPERATION_LINK,          "/f",   try_link},
    {"link unread",     RIGHT_READ,      OPERATION_LINK,          "/f",   try_link},
    {"readlink",        RIGHT_LIST,      OPERATION_READLINK,      NULL,   try_readlink},
    {"space",           RIGHT_LIST,      OPERATION_SPACE,         NULL,   try_space},
    // clang-format on
};

static void put_all(struct session *s)
{
    put_file(s, "home/f", "f", 0644);
    put_file(s, "home/g", "g", 0644);
    put_folder(s, "home/d");
    put_link(s, "f", "home/l");
}

static void test_each_right(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(lacks) / sizeof(lacks[0]); i++) {
        const struct lack *l = &lacks[i];
        struct stat st;
        struct session *s = session_start(RIGHTS_ALL & ~l->missing, 0);
        put_all(s);
        const int error = l->attempt(s);
        if (error != EACCES || s->text[0] == '\0')
            fail_msg("%s without its right: %s, \"%s\"", l->name, strerror(error), s->text);
        if (l->path != NULL && told(s, l->operation, EACCES, l->path) == NULL)
            fail_msg("%s without its right: not reported", l->name);
        assert_true(file_is(s, "home/f", "f") && file_is(s, "home/g", "g"));
        assert_true(file_stat_is(s, "home/f", &st) && (st.st_mode & 0777) == 0644);
        assert_true(file_stat_is(s, "home/d", &st));
        assert_false(file_stat_is(s, "home/new", &st));
        session_end(s);

        s = session_start(RIGHTS_ALL, 0); /* and with it, it works */
        put_all(s);
        if (l->attempt(s) != 0)
            fail_msg("%s with all rights: \"%s\"", l->name, s->text);
        session_end(s);
    }
}

static void test_upload_only(void **state)
{
    struct session *s = session_start(RIGHT_WRITE, ACCOUNT_ATOMIC | ACCOUNT_DURABLE);
    struct session *t = session_start(RIGHT_WRITE, 0);
    struct session *both[] = {s, t};
    (void)state;

    for (size_t i = 0; i < 2; i++) {
        struct session *u = both[i];
        struct file_attributes a;
        uint32_t handle;
        int fd;
        put_file(u, "home/old", "old", 0644);
        /* Read and write asked for: only writing is given. */
        assert_int_equal(ask_open(u, "/new", NEW | OPEN_READ, &handle, &fd), 0);
        assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_WRONLY);
        assert_int_equal(write(fd, "new", 3), 3);
        close(fd);
        const struct file_hsetattr m = {.handle = handle, .valid = ATTR_MODE, .mode = 0600};
        assert_int_equal(ask(u, MSG_file_hsetattr, &m), 0);
        assert_int_equal(ask_close(u, handle, true), 0);
        assert_true(file_is(u, "home/new", "new"));
        const struct file_setattr times = {.path = slice_text("/new"),
                                           .follow = 1,
                                           .valid = ATTR_MTIME | ATTR_MODE,
                                           .mode = 0440,
                                           .mtime_ns = 5000000000};
        assert_int_equal(ask(u, MSG_file_setattr, &times), 0);
        assert_int_equal(ask_stat(u, "/new", true, &a), 0);
        assert_true(a.mtime_ns == 5000000000 && (a.mode & 0777) == 0440);
        assert_int_equal(ask_mode(u, "/old", true, 0600), EACCES);
        assert_int_equal(ask_upload(u, "/new", NEW, "again"), EACCES);
        assert_int_equal(ask_open(u, "/new", OPEN_READ, &handle, &fd), EACCES);
        assert_int_equal(ask_opendir(u, "/", &handle), EACCES);
        assert_int_equal(ask_remove(u, "/new"), EACCES);
        session_end(u);
    }
}

static void test_atomic(void **state)
{
    struct session *s = session_start(RIGHTS_ALL, ACCOUNT_ATOMIC | ACCOUNT_DURABLE);
    struct stat st;
    uint32_t handle;
    int fd;
    (void)state;

    assert_int_equal(ask_open(s, "/a", NEW, &handle, &fd), 0);
    assert_int_equal(write(fd, "new", 3), 3);
    assert_false(file_stat_is(s, "home/a", &st));
    assert_int_equal(ask_mkdir(s, "/d"), 0);
    assert_int_equal(ask_close(s, handle, true), 0);
    close(fd);
    assert_true(file_is(s, "home/a", "new"));
    assert_non_null(told(s, OPERATION_UPLOAD, 0, "/a"));

    /* Replacing: the old one stays until the end, its mode is kept, links are followed. */
    put_link(s, "/a", "home/l");
    assert_int_equal(ask_mode(s, "/a", true, 0604), 0);
    assert_int_equal(ask_open(s, "/l", NEW, &handle, &fd), 0);
    assert_int_equal(write(fd, "newer", 5), 5);
    assert_true(file_is(s, "home/a", "new"));
    assert_int_equal(ask_close(s, handle, true), 0);
    close(fd);
    assert_true(file_is(s, "home/a", "newer"));
    assert_true(file_stat_is(s, "home/a", &st) && (st.st_mode & 07777) == 0604);
    assert_true(file_stat_is(s, "home/l", &st) && S_ISLNK(st.st_mode));
    assert_non_null(told(s, OPERATION_MODIFY, 0, "/l"));

    /* Broken off: nothing changes, nothing is left. */
    assert_int_equal(ask_open(s, "/a", NEW, &handle, &fd), 0);
    close(fd);
    assert_int_equal(ask_close(s, handle, false), 0);
    assert_true(file_is(s, "home/a", "newer"));
    assert_non_null(told(s, OPERATION_MODIFY, EPIPE, "/a"));

    /* The name was taken meanwhile: it stays with who was first. */
    assert_int_equal(ask_open(s, "/b", NEW, &handle, &fd), 0);
    put_file(s, "home/b", "other", 0644);
    assert_int_equal(ask_close(s, handle, true), EEXIST);
    assert_string_not_equal(s->text, "");
    close(fd);
    assert_true(file_is(s, "home/b", "other"));
    assert_non_null(told(s, OPERATION_UPLOAD, EEXIST, "/b"));

    /* Resuming writes in place. */
    assert_int_equal(ask_upload(s, "/b", OPEN_WRITE | OPEN_CREATE, "OT"), 0);
    assert_true(file_is(s, "home/b", "OTher"));
    put_file(s, "home/readonly", "x", 0444);
    assert_int_equal(ask_upload(s, "/readonly", NEW, "y"), EACCES);
    assert_int_equal(ask_rmdir(s, "/d"), 0);
    session_end(s);
}

/* Temporaries are not to be seen, not even by name, and those that a crash left go away. */
static void test_temporaries(void **state)
{
    static const char left[] = "home/d/.sallyport-upload.0123456789abcdef01234567";
    struct session *s = session_start(RIGHTS_ALL, ACCOUNT_ATOMIC);
    struct file_attributes a;
    struct stat st;
    uint32_t handle;
    int fd;
    (void)state;

    put_folder(s, "home/d");
    put_file(s, left, "half", 0444);
    const char *hidden = left + 4;
    assert_int_equal(ask_stat(s, hidden, true, &a), ENOENT);
    assert_int_equal(ask_open(s, hidden, OPEN_READ, &handle, &fd), ENOENT);
    assert_int_equal(ask_remove(s, hidden), ENOENT);
    assert_int_equal(ask_rename(s, hidden, "/x", false), ENOENT);
    assert_int_equal(ask_mkdir(s, "/.sallyport-upload.d"), ENOENT);
    assert_int_equal(ask_upload(s, "/.sallyport-upload.f/../f", NEW, "f"), ENOENT);
    assert_int_equal(ask_open(s, "/d/up", NEW, &handle, &fd), 0);
    assert_false(listed(s, "/d", left + sizeof("home/d/") - 1));
    assert_false(file_stat_is(s, left, &st));        /* abandoned: swept */
    assert_int_equal(ask_rmdir(s, "/d"), ENOTEMPTY); /* the other is being written */
    assert_int_equal(ask_close(s, handle, true), 0);
    close(fd);
    assert_true(file_stat_is(s, "home/d/up", &st));
    assert_int_equal(ask_remove(s, "/d/up"), 0);
    put_file(s, left, "half", 0644);
    assert_int_equal(ask_rmdir(s, "/d"), 0);
    session_end(s);
}

static void test_durable(void **state)
{
    struct session *s = session_start(RIGHTS_ALL & ~RIGHT_LIST, ACCOUNT_DURABLE);
    (void)state;

    assert_int_equal(ask_mkdir(s, "/d"), 0);
    assert_int_equal(ask_upload(s, "/d/a", NEW, "a"), 0);
    assert_int_equal(ask_upload(s, "/d/a", OPEN_WRITE, "b"), 0);
    assert_int_equal(ask_rename(s, "/d/a", "/b", false), 0);
    assert_true(file_is(s, "home/b", "b"));
    assert_int_equal(ask_remove(s, "/b"), 0);
    assert_int_equal(ask_rmdir(s, "/d"), 0);
    session_end(s);
}

/* Two folders in one view, and a view without a home. */
static void test_folders(void **state)
{
    struct session *s = session_folders();
    struct file_attributes a;
    char real[4096];
    uint32_t handle;
    int fd;
    (void)state;

    put_folder(s, "shared");
    put_file(s, "shared/doc", "doc", 0644);
    put_folder(s, "home/shared"); /* shadowed */
    put_file(s, "home/shared/hidden", "h", 0644);
    put_file(s, "home/f", "f", 0644);
    put_link(s, "..", "shared/up");
    assert_true(session_try(s, s->home, RIGHTS_ALL, 0, "shared", RIGHT_LIST | RIGHT_READ));
    assert_true(listed(s, "/", "shared") && listed(s, "/", "f") && listed(s, "/shared", "doc"));
    assert_false(listed(s, "/shared", "hidden"));
    assert_int_equal(ask_open(s, "/x/../shared/doc", OPEN_READ, &handle, &fd), 0);
    close(fd);
    assert_int_equal(ask_upload(s, "/shared/new", NEW, "x"), EACCES);
    assert_int_equal(ask_remove(s, "/shared/doc"), EACCES);
    assert_int_equal(ask_rmdir(s, "/shared"), EACCES);
    assert_int_equal(ask_rename(s, "/shared", "/y", false), EACCES);
    assert_int_equal(ask_mkdir(s, "/shared"), EACCES);
    assert_int_equal(ask_realpath(s, "/shared/up/doc", real), 0);
    assert_string_equal(real, "/shared/doc"); /* the root of its folder, not the view's */
    assert_int_equal(ask_stat(s, "/shared/up/home", true, &a), ENOENT);
    session_end(s);

    s = session_folders();
    put_folder(s, "one");
    put_file(s, "one/f", "f", 0644);
    assert_true(session_try(s, NULL, 0, 0, "one", RIGHTS_ALL));
    assert_true(listed(s, "/", "one"));
    assert_int_equal(ask_stat(s, "/", true, &a), 0);
    assert_true(S_ISDIR(a.mode));
    assert_int_equal(ask_stat(s, "/two", true, &a), ENOENT);
    assert_int_equal(ask_mkdir(s, "/two"), ENOENT);
    assert_int_equal(ask_rmdir(s, "/one"), EBUSY);
    assert_int_equal(ask_mode(s, "/", true, 0777), EACCES);
    assert_int_equal(ask_rename(s, "/one/f", "/one/g", false), 0);
    assert_int_equal(ask_rename(s, "/one/g", "/g", false), ENOENT);
    session_end(s);

    s = session_folders();
    put_folder(s, "one");
    put_file(s, "home/f", "f", 0644);
    assert_true(session_try(s, s->home, RIGHTS_ALL, 0, "one", RIGHTS_ALL));
    assert_int_equal(ask_rename(s, "/f", "/one/f", false), EXDEV);
    assert_string_not_equal(s->text, "");
    assert_int_equal(ask_link(s, "/f", "/one/f"), EXDEV);
    session_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_upload_and_download),
        cmocka_unit_test(test_stat_and_setattr),
        cmocka_unit_test(test_handle_attributes),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_space_and_copy),
        cmocka_unit_test(test_each_right),
        cmocka_unit_test(test_upload_only),
        cmocka_unit_test(test_atomic),
        cmocka_unit_test(test_temporaries),
        cmocka_unit_test(test_durable),
        cmocka_unit_test(test_folders),
    };

    return cmocka_run_group_tests_name("files", tests, NULL, NULL);
}
