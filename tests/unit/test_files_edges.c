/* The file agent at its edges: ways out of the view, things that are no files, races, many and
 * large things, a store that dies, a worker that misbehaves, a home that is not there. */
#include "tests/unit/files_session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NEW  (OPEN_WRITE | OPEN_CREATE | OPEN_TRUNCATE)
#define MANY 50000

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool as_root(const char *what)
{
    if (geteuid() == 0)
        return true;
    printf("%s: skipped, needs root\n", what);
    return false;
}

/* Nobody touched what lies beside the home. */
static void assert_outside_untouched(const struct session *s, const struct stat *before)
{
    struct stat st;

    assert_true(file_is(s, "outside/secret", "secret"));
    assert_true(file_stat_is(s, "outside/secret", &st));
    assert_int_equal(st.st_mode, before->st_mode);
    assert_int_equal(st.st_nlink, 1);
    assert_int_equal(st.st_mtim.tv_sec, before->st_mtim.tv_sec);
    assert_int_equal(rmdir(s->outside), -1);
    assert_int_equal(errno, ENOTEMPTY);
    char path[128];
    snprintf(path, sizeof(path), "%s/secret", s->outside);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(s->outside), 0); /* the one file was all there is */
}

static void test_ways_out(void **state)
{
    static const char *const ways[] = {
        "/../outside/secret",
        "/../../../../../../etc/passwd",
        "/abs/secret",
        "/rel/secret",
        "/chain/secret",
        "/deep/x/../../rel/secret",
        "/file",
        "/deep/up/secret",
        "/etc-passwd",
        "/self/root/etc/passwd",
        "/rel/../../outside/secret",
    };
    struct session *s = session_start(RIGHTS_ALL, ACCOUNT_ATOMIC);
    char text[256];
    struct stat before;
    (void)state;

    assert_true(file_stat_is(s, "outside/secret", &before));
    put_link(s, s->outside, "home/abs");
    put_link(s, "../outside", "home/rel");
    put_link(s, "rel", "home/chain");
    snprintf(text, sizeof(text), "%s/secret", s->outside);
    put_link(s, text, "home/file");
    put_folder(s, "home/deep");
    put_link(s, "../../outside", "home/deep/up");
    put_link(s, "/etc/passwd", "home/etc-passwd");
    put_link(s, "/proc/self", "home/self");
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        const char *way = ways[i];
        struct file_attributes a;
        uint32_t handle;
        int fd;
        if (ask_open(s, way, OPEN_READ, &handle, &fd) == 0 ||
            ask_open(s, way, OPEN_WRITE, &handle, &fd) == 0 || ask_stat(s, way, true, &a) == 0 ||
            ask_mode(s, way, true, 0777) == 0 || ask_rename(s, way, "/got", true) == 0 ||
            ask_link(s, way, "/got") == 0)
            if (strcmp(way, "/file") != 0 && strcmp(way, "/etc-passwd") != 0)
                fail_msg("%s leads somewhere", way);
        ask_remove(s, way);
    }
    assert_int_equal(ask_mkdir(s, "/abs/new"), ENOENT);
    assert_int_equal(ask_upload(s, "/rel/new", NEW, "x"), ENOENT);
    assert_outside_untouched(s, &before);
    session_end(s);
}

/* A real /proc inside the home: its magic links lead anywhere, and are not followed. */
static void test_magic_links(void **state)
{
    struct session *s;
    struct file_attributes a;
    char path[160];
    uint32_t handle;
    int fd;
    (void)state;

    if (!as_root("magic links"))
        return;
    s = session_folders();
    put_folder(s, "home/proc");
    snprintf(path, sizeof(path), "%s/proc", s->home);
    if (mount("proc", path, "proc", 0, NULL) < 0) {
        printf("magic links: skipped, no mount here: %s\n", strerror(errno));
        session_end(s);
        return;
    }
    const bool ready = session_try(s, s->home, RIGHTS_ALL, 0, "", 0);
    const int root = ready ? ask_stat(s, "/proc/self/root/etc", true, &a) : 0;
    const int cwd = ready ? ask_open(s, "/proc/self/cwd/etc/passwd", OPEN_READ, &handle, &fd) : 0;
    const int link = ready ? ask_open(s, "/proc/self/fd/0", OPEN_READ, &handle, &fd) : 0;
    umount2(path, MNT_DETACH);
    assert_true(ready);
    assert_true(root != 0 && cwd != 0 && link != 0);
    session_end(s);
}

static void test_no_files(void **state)
{
    struct session *s = session_start(RIGHTS_ALL, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct file_attributes a;
    char path[128];
    uint32_t handle;
    int fd;
    (void)state;

    snprintf(path, sizeof(path), "%s/fifo", s->home);
    assert_int_equal(mkfifo(path, 0666), 0);
    own(s, "home/fifo");
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", s->home);
    const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    own(s, "home/socket");
    snprintf(path, sizeof(path), "%s/device", s->home);
    const bool device = as_root("a device") && mknod(path, S_IFCHR | 0666, 0x0105) == 0; /* zero */
    const char *const names[] = {"/fifo", "/socket", device ? "/device" : "/fifo"};
    const double began = seconds();
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(ask_open(s, names[i], OPEN_READ, &handle, &fd), EACCES);
        assert_string_equal(s->text, "not a regular file");
        assert_int_equal(ask_open(s, names[i], NEW, &handle, &fd), EACCES);
        assert_int_equal(ask_mode(s, names[i], true, 0600), EACCES);
        assert_int_equal(ask_opendir(s, names[i], &handle), ENOTDIR);
        assert_int_equal(ask_link(s, names[i], "/x"), EPERM);
        assert_int_equal(ask_stat(s, names[i], true, &a), 0);
        assert_false(S_ISREG(a.mode));
    }
    assert_true(seconds() - began < 2);
    assert_int_equal(ask_remove(s, "/fifo"), 0);
    close(listener);
    session_end(s);
}

struct swapper {
    char a[2][128], b[2][128];
    atomic_bool stop;
};

static void *swap(void *argument)
{
    struct swapper *w = argument;

    while (!atomic_load(&w->stop)) {
        for (int i = 0; i < 2; i++)
            renameat2(AT_FDCWD, w->a[i], AT_FDCWD, w->b[i], RENAME_EXCHANGE);
    }
    return NULL;
}

/* One second of requests on names that turn into links to the outside and back all the time. */
static void test_swapped_names(void **state)
{
    struct session *s = session_start(RIGHTS_ALL, ACCOUNT_ATOMIC);
    struct swapper w = {.stop = false};
    struct stat before;
    char target[160], bytes[16];
    unsigned good = 0, bad = 0;
    pthread_t thread;
    (void)state;

    assert_true(file_stat_is(s, "outside/secret", &before));
    put_folder(s, "home/dir");
    put_file(s, "home/dir/secret", "inside", 0600);
    put_link(s, "../outside", "home/dir-link");
    put_file(s, "home/file", "inside", 0600);
    snprintf(target, sizeof(target), "%s/secret", s->outside);
    put_link(s, target, "home/file-link");
    snprintf(w.a[0], sizeof(w.a[0]), "%s/dir", s->home);
    snprintf(w.b[0], sizeof(w.b[0]), "%s/dir-link", s->home);
    snprintf(w.a[1], sizeof(w.a[1]), "%s/file", s->home);
    snprintf(w.b[1], sizeof(w.b[1]), "%s/file-link", s->home);
    assert_int_equal(pthread_create(&thread, NULL, swap, &w), 0);
    for (const double end = seconds() + 1; seconds() < end;) {
        static const char *const names[] = {"/dir/secret", "/file"};
        for (int i = 0; i < 2; i++) {
            uint32_t handle;
            int fd;
            if (ask_open(s, names[i], OPEN_READ | OPEN_WRITE, &handle, &fd) == 0) {
                assert_int_equal(pread(fd, bytes, sizeof(bytes), 0), 6);
                assert_memory_equal(bytes, "inside", 6);
                assert_int_equal(pwrite(fd, "inside", 6, 0), 6);
                close(fd);
                ask_close(s, handle, true);
                good++;
            } else {
                bad++;
            }
            ask_upload(s, names[i], NEW, "inside");
            ask_mode(s, names[i], true, 0644);
            const struct file_setattr m = {.path = slice_text(names[i]),
                                           .follow = 1,
                                           .valid = ATTR_MTIME | ATTR_SIZE,
                                           .size = 6,
                                           .mtime_ns = 1};
            ask(s, MSG_file_setattr, &m);
            ask_link(s, names[i], "/linked");
            ask_remove(s, "/linked");
        }
        ask_upload(s, "/dir/new", NEW, "new");
        ask_mkdir(s, "/dir/sub");
        ask_rmdir(s, "/dir/sub");
        ask_remove(s, "/dir/new");
        take_reports(s, 0);
    }
    atomic_store(&w.stop, true);
    pthread_join(thread, NULL);
    assert_true(good > 0 && bad > 0); /* both sides of the race were met */
    assert_outside_untouched(s, &before);
    session_end(s);
}

struct tally {
    size_t count, dots, files;
};

static void count_entry(const struct directory_entry *entry, void *context)
{
    struct tally *tally = context;

    tally->count++;
    tally->dots += slice_is(entry->name, ".") || slice_is(entry->name, "..");
    tally->files += S_ISREG(entry->mode);
}

static void test_long_listing(void **state)
{
    struct session *s = session_start(RIGHTS_ALL, 0);
    struct tally full = {0}, names = {0};
    char path[160];
    (void)state;

    put_folder(s, "home/many");
    for (int i = 0; i < MANY; i++) {
        snprintf(path, sizeof(path), "%s/many/a name of some length %d", s->home, i);
        const int fd = open(path, O_WRONLY | O_CREAT, 0644);
        assert_true(fd >= 0);
        close(fd);
    }
    const double began = seconds();
    assert_int_equal(ask_list(s, "/many", false, count_entry, &full), 0);
    const double took = seconds() - began;
    assert_true(full.count == MANY + 2 && full.dots == 2 && full.files == MANY);
    assert_int_equal(ask_list(s, "/many", true, count_entry, &names), 0);
    assert_true(names.count == MANY && names.dots == 0 && names.files == 0);
    printf("50,000 entries listed in %.0f ms\n", took * 1000);
    assert_true(took < 5);
    session_end(s);
}

static void test_many_handles(void **state)
{
    struct session *s = session_start(RIGHTS_ALL, ACCOUNT_ATOMIC | ACCOUNT_DURABLE);
    static uint32_t handles[1024];
    uint32_t handle, first;
    struct stat st;
    char name[32];
    int fd;
    (void)state;

    for (int i = 0; i < 1024; i++) {
        snprintf(name, sizeof(name), "/f%d", i);
        if (i % 2 == 0) {
            assert_int_equal(ask_open(s, name, NEW, &handles[i], &fd), 0);
            close(fd);
        } else {
            assert_int_equal(ask_opendir(s, "/", &handles[i]), 0);
        }
        for (int j = 0; j < i; j++)
            assert_int_not_equal(handles[i], handles[j]);
    }
    assert_int_equal(ask_open(s, "/more", NEW, &handle, &fd), EMFILE);
    assert_string_not_equal(s->text, "");
    assert_false(file_stat_is(s, "home/more", &st));
    assert_int_equal(ask_opendir(s, "/", &handle), EMFILE);
    first = handles[0];
    assert_int_equal(ask_close(s, handles[0], true), 0);
    for (int i = 0; i < 5000; i++) { /* the same slot: never a number that was in use */
        assert_int_equal(ask_opendir(s, "/", &handle), 0);
        assert_int_not_equal(handle, first);
        assert_int_equal(ask_close(s, first, true), EBADF);
        assert_int_equal(ask_close(s, handle, true), 0);
    }
    assert_int_equal(session_hang_up(s), 0);
    assert_false(file_stat_is(s, "home/f2", &st));
    assert_non_null(told(s, OPERATION_UPLOAD, EPIPE, "/f2"));
    assert_non_null(told(s, OPERATION_UPLOAD, 0, "/f0"));
    session_end(s);
}

static void new_report_link(struct session *s)
{
    const struct agent_report_link m = {0};
    int pair[2];

    if (s->store >= 0)
        close(s->store);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    s->store = pair[0];
    assert_int_equal(send_agent_report_link_fds(s->monitor, 0, &m, &pair[1], 1), 0);
    close(pair[1]);
}

static void test_store_dies(void **state)
{
    struct session *s = session_start(RIGHTS_ALL & ~RIGHT_DELETE, 0);
    char name[32];
    (void)state;

    s->silent_store = true;
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof(name), "/d%d", i);
        assert_int_equal(ask_mkdir(s, name), 0);
    }
    assert_non_null(told(s, OPERATION_MAKE_FOLDER, 0, "/d9"));
    assert_int_equal(s->seen_count, 10);
    close(s->store); /* without having acknowledged anything */
    s->store = -1;
    assert_int_equal(ask_mkdir(s, "/d10"), 0);
    usleep(100000);
    assert_int_equal(ask_mkdir(s, "/d11"), 0);
    s->silent_store = false;
    s->seen_count = 0;
    new_report_link(s);
    assert_non_null(told(s, OPERATION_MAKE_FOLDER, 0, "/d11"));
    assert_int_equal(s->seen_count, 12);
    for (size_t i = 0; i < 12; i++)
        assert_int_equal(s->seen[i].number, i + 1);

    /* Acknowledged ones do not come again. */
    assert_int_equal(ask_mkdir(s, "/d12"), 0);
    assert_non_null(told(s, OPERATION_MAKE_FOLDER, 0, "/d12"));
    assert_int_equal(ask_mkdir(s, "/d13"), 0);
    new_report_link(s);
    s->seen_count = 0;
    assert_non_null(told(s, OPERATION_MAKE_FOLDER, 0, "/d13"));
    for (size_t i = 0; i < s->seen_count; i++)
        assert_int_equal(s->seen[i].number, 14); /* never 13, which was acknowledged */

    /* A store that reads nothing, for as long as it likes: answers come, the oldest reports go. */
    const double began = seconds();
    for (int i = 0; i < 6000; i++)
        assert_int_equal(ask_remove(s, "/d0"), EACCES);
    assert_true(seconds() - began < 10);
    new_report_link(s);
    s->seen_count = 0;
    assert_int_equal(ask_mkdir(s, "/last"), 0);
    assert_non_null(told(s, OPERATION_MAKE_FOLDER, 0, "/last"));
    take_reports(s, 200);
    assert_true(s->seen_count <= 4097 && s->seen_count > 3000); /* with the last */
    assert_int_equal(s->seen[s->seen_count - 1].number, 14 + 6000 + 1);
    assert_int_equal(s->seen[0].number, 14 + 6000 + 2 - s->seen_count);
    assert_int_equal(session_hang_up(s), 0);
    session_end(s);
}

/* Reports of a last moment are waited for, but not for ever. */
static void test_last_reports(void **state)
{
    struct session *s = session_start(RIGHTS_ALL, 0);
    uint32_t handle;
    int fd;
    (void)state;

    assert_int_equal(ask_open(s, "/f", NEW, &handle, &fd), 0);
    assert_int_equal(write(fd, "123", 3), 3);
    close(fd);
    assert_int_equal(session_hang_up(s), 0);
    const struct seen *seen = told(s, OPERATION_UPLOAD, EPIPE, "/f");
    assert_non_null(seen);
    assert_int_equal(seen->size, 3);
    assert_true(file_is(s, "home/f", "123")); /* straight to its name: can be resumed */
    session_end(s);

    /* A store that is being restarted just then: the agent waits for it, and for its word. */
    s = session_start(RIGHTS_ALL, 0);
    s->silent_store = true;
    assert_int_equal(ask_mkdir(s, "/d"), 0);
    assert_non_null(told(s, OPERATION_MAKE_FOLDER, 0, "/d"));
    close(s->store);
    s->store = -1;
    close(s->worker);
    s->worker = -1;
    s->silent_store = false;
    s->seen_count = 0;
    new_report_link(s);
    assert_int_equal(session_hang_up(s), 0);
    assert_int_equal(s->seen_count, 1);
    session_end(s);
}

static void test_odd_names(void **state)
{
    struct session *s = session_start(RIGHTS_ALL, 0);
    char name[4097], real[4096];
    struct file_attributes a;
    (void)state;

    memset(name, 'n', 257);
    name[0] = '/';
    name[256] = '\0';
    assert_int_equal(ask_upload(s, name, NEW, "x"), 0);
    assert_true(listed(s, "/", name + 1));
    assert_int_equal(ask_realpath(s, name, real), 0);
    name[256] = 'n';
    name[257] = '\0';
    assert_int_equal(ask_upload(s, name, NEW, "x"), ENAMETOOLONG);
    assert_int_equal(ask_upload(s, "/\xff\xfe \n\t\"'\\\x01", NEW, "odd"), 0);
    assert_true(listed(s, "/", "\xff\xfe \n\t\"'\\\x01"));
    assert_non_null(told(s, OPERATION_UPLOAD, 0, "/\xff\xfe \n\t\"'\\\x01"));
    assert_int_equal(ask_upload(s, "/.sallyport", NEW, "x"), 0);
    assert_int_equal(ask_stat(s, "", true, &a), EINVAL);
    assert_int_equal(ask_stat(s, "///.///..//.", true, &a), 0);

    size_t len = 0; /* as deep as a path can be */
    while (len + 2 <= 4000) {
        memcpy(name + len, "/d", 3);
        len += 2;
        assert_int_equal(ask_mkdir(s, name), 0);
    }
    assert_int_equal(ask_symlink(s, ".", "/here"), 0);
    assert_int_equal(ask_upload(s, "/here/here/d/f", NEW, "x"), 0);
    assert_int_equal(ask_realpath(s, name, real), 0);
    assert_string_equal(real, name);
    memmove(name + 5, name, len + 1);
    memcpy(name, "/here", 5);
    const double began = seconds();
    assert_int_equal(ask_realpath(s, name, real), 0);
    assert_string_equal(real, name + 5);
    assert_true(seconds() - began < 1);
    while (len > 0) {
        name[5 + len] = '\0';
        if (len == 2)
            assert_int_equal(ask_remove(s, "/d/f"), 0);
        assert_int_equal(ask_rmdir(s, name + 5), 0);
        len -= 2;
    }
    session_end(s);
}

static void test_full_disk(void **state)
{
    struct session *s;
    static const uint32_t ways[] = {0, ACCOUNT_ATOMIC | ACCOUNT_DURABLE};
    (void)state;

    if (!as_root("a full disk"))
        return;
    for (size_t i = 0; i < 2; i++) {
        static const char block[65536] = "x";
        uint32_t handle;
        ssize_t n;
        int fd;
        s = session_folders();
        if (mount("tmpfs", s->home, "tmpfs", 0, "size=1m,mode=0777,nr_inodes=10") < 0) {
            printf("a full disk: skipped, no mount here: %s\n", strerror(errno));
            session_end(s);
            return;
        }
        const bool ready = session_try(s, s->home, RIGHTS_ALL, ways[i], "", 0);
        const int opened = ready ? ask_open(s, "/big", NEW, &handle, &fd) : -1;
        if (opened == 0) {
            while ((n = write(fd, block, sizeof(block))) > 0)
                ;
            close(fd);
        }
        const int closed = opened == 0 ? ask_close(s, handle, false) : -1;
        int made = 0;
        for (int d = 0; d < 20 && made == 0; d++) {
            char name[16];
            snprintf(name, sizeof(name), "/d%d", d);
            made = ask_mkdir(s, name);
        }
        const bool reported = told(s, OPERATION_UPLOAD, EPIPE, "/big") != NULL;
        umount2(s->home, MNT_DETACH);
        assert_true(ready);
        assert_true(opened == 0 && closed == 0);
        assert_int_equal(made, ENOSPC);
        assert_true(reported);
        session_end(s);
    }
}

/* What is no request ends the session, with a status that says so. */
static void test_misuse(void **state)
{
    static const struct {
        const char *what;
        uint8_t bytes[16];
        size_t len;
    } misuses[] = {
        {"too short", {1, 2, 3}, 3},
        {"no such type", {0xff, 0xff, 0, 0, 1, 0, 0, 0}, 8},
        {"another link's", {MSG_status, 0, 0, 0, 1, 0, 0, 0}, 8},
        {"no fields", {MSG_file_open, 0, 0, 0, 1, 0, 0, 0}, 8},
        {"too much", {MSG_file_hstat, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9}, 13},
        {"a length past the end", {MSG_file_remove, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, '/'}, 13},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(misuses) / sizeof(misuses[0]); i++) {
        struct session *s = session_start(RIGHTS_ALL, 0);
        char byte;
        assert_int_equal(send(s->worker, misuses[i].bytes, misuses[i].len, 0), misuses[i].len);
        assert_true(recv(s->worker, &byte, 1, 0) <= 0);
        const int status = session_hang_up(s);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 2)
            fail_msg("%s: status %x", misuses[i].what, (unsigned)status);
        session_end(s);
    }
}

static uint64_t dice(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Every request with any values: always one answer, and never a way out. */
static void test_any_values(void **state)
{
    static const char *const paths[] = {"/",    "/a",    "/b",    "/d",        "/d/a",
                                        "/l",   "/../a", "/d/..", "/l/secret", "//d//b",
                                        "junk", "",      "/d/l",  "/s"};
    struct session *s = session_start(RIGHTS_ALL, ACCOUNT_ATOMIC);
    uint64_t seed = 88172645463325252u;
    uint64_t message[32];
    struct stat before;
    (void)state;

    assert_true(file_stat_is(s, "outside/secret", &before));
    put_link(s, "../outside", "home/l");
    for (int round = 0; round < 20000; round++) {
        const enum message_type type =
            MSG_file_open + (enum message_type)(dice(&seed) % (MSG_file_copy - MSG_file_open + 1));
        const struct message_info *info = message_info(type);
        assert_true(info->struct_size <= sizeof(message));
        for (size_t i = 0; i < info->field_count; i++) {
            uint8_t *at = (uint8_t *)message + info->fields[i].offset;
            const struct slice path =
                slice_text(paths[dice(&seed) % (sizeof(paths) / sizeof(paths[0]))]);
            const uint64_t low = dice(&seed) % 3 == 0 ? dice(&seed) : dice(&seed) % 40;
            const bool handle = strcmp(info->fields[i].name, "handle") == 0;
            const uint32_t number = handle ? (uint32_t)(1024 + low) : (uint32_t)low;
            switch (info->fields[i].kind) {
            case FIELD_U8:
                *at = (uint8_t)low;
                break;
            case FIELD_U32:
                memcpy(at, &number, 4);
                break;
            case FIELD_U64:
            case FIELD_I64:
                memcpy(at, &low, 8);
                break;
            default:
                memcpy(at, &path, sizeof(path));
            }
        }
        ask(s, type, message); /* fails the test if there is no answer */
        if (round % 100 == 0)
            take_reports(s, 0);
    }
    assert_outside_untouched(s, &before);
    session_end(s);
}

/* A worker that asks and never listens: the monitor can still end the session. */
static void test_deaf_worker(void **state)
{
    struct session *s = session_start(RIGHTS_ALL, 0);
    const struct file_opendir m = {.path = slice_text("/")};
    int status, sent = 0;
    (void)state;

    assert_int_equal(fcntl(s->worker, F_SETFL, O_NONBLOCK), 0);
    for (int i = 0; i < 200; i++) {
        while (message_send(s->worker, MSG_file_opendir, 1, &m, NULL, 0) == 0)
            sent++;
        usleep(1000);
    }
    assert_true(sent > 100);
    close(s->monitor);
    s->monitor = -1;
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    s->pid = -1;
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    session_end(s);
}

static void assert_not_ready(struct session *s, const char *home, const char *trouble)
{
    int status;

    assert_false(session_try(s, home, RIGHTS_ALL, 0, "", 0));
    if (strstr(s->trouble, trouble) == NULL || strstr(s->trouble, home) == NULL)
        fail_msg("trouble is \"%s\", not \"%s\"", s->trouble, trouble);
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    s->pid = -1;
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    session_end(s);
}

static void test_bad_home(void **state)
{
    struct session *s = session_folders();
    char path[128];
    (void)state;

    snprintf(path, sizeof(path), "%s/none", s->base);
    assert_not_ready(s, path, ": No such file or directory");
    s = session_folders();
    snprintf(path, sizeof(path), "%s/secret", s->outside);
    assert_not_ready(s, path, ": Not a directory");
    s = session_folders();
    assert_int_equal(chmod(s->home, 0), 0);
    assert_not_ready(s, s->home, ": Permission denied");
    s = session_folders();
    assert_not_ready(s, "relative", ": Invalid argument");

    s = session_folders(); /* the operator's own links are followed */
    put_link(s, "home", "link-home");
    put_file(s, "home/f", "f", 0644);
    snprintf(path, sizeof(path), "%s/link-home", s->base);
    assert_true(session_try(s, path, RIGHTS_ALL, 0, "", 0));
    assert_true(listed(s, "/", "f"));
    session_end(s);
}

/* A line of /proc/PID/status. */
static void status_line(const struct session *s, const char *name, char line[256])
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/status", (int)s->pid);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, 256, f) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':') {
            memmove(line, line + strlen(name) + 1, 256 - strlen(name) - 1);
            line[strcspn(line, "\n")] = '\0';
            fclose(f);
            return;
        }
    }
    fclose(f);
    fail_msg("no %s in %s", name, path);
}

static void assert_status(const struct session *s, const char *name, const char *value)
{
    char line[256];

    status_line(s, name, line);
    const char *at = line + strspn(line, "\t ");
    line[strcspn(line, "\n")] = '\0';
    size_t len = strlen(at);
    while (len > 0 && at[len - 1] == ' ')
        len--;
    if (len != strlen(value) || memcmp(at, value, len) != 0)
        fail_msg("%s: \"%s\", not \"%s\"", name, at, value);
}

static void test_the_process(void **state)
{
    struct session *s = session_start(RIGHTS_ALL, 0);
    const uint32_t layers = LAYER_NO_NEW_PRIVS | LAYER_SECCOMP | LAYER_NOT_DUMPABLE |
                            LAYER_RLIMITS | LAYER_CAPABILITIES;
    char path[64], link[256], ids[64];
    (void)state;

    assert_int_equal(s->layers & layers, layers);
    assert_status(s, "NoNewPrivs", "1");
    assert_status(s, "Seccomp", "2");
    assert_status(s, "CapEff", "0000000000000000");
    assert_status(s, "CapPrm", "0000000000000000");
    assert_status(s, "CapAmb", "0000000000000000");
    if (as_root("uid, gid, groups, descriptors and bounding set of the process")) {
        assert_true((s->layers & LAYER_IDS) != 0);
        snprintf(ids, sizeof(ids), "%d\t%d\t%d\t%d", AGENT_UID, AGENT_UID, AGENT_UID, AGENT_UID);
        assert_status(s, "Uid", ids);
        assert_status(s, "Gid", ids);
        assert_status(s, "Groups", "");
        assert_status(s, "CapBnd", "0000000000000000");
        for (int fd = 0; fd < 32; fd++) {
            snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)s->pid, fd);
            const ssize_t n = readlink(path, link, sizeof(link) - 1);
            link[n > 0 ? n : 0] = '\0';
            if (fd == 0 || fd == 1)
                assert_string_equal(link, "/dev/null");
            else if (fd >= 3 && fd <= 5)
                assert_memory_equal(link, "socket:", 7);
            else if (fd == 6)
                assert_string_equal(link, s->home);
            else if (fd > 6)
                assert_string_equal(link, "");
        }
    }
    session_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ways_out),     cmocka_unit_test(test_magic_links),
        cmocka_unit_test(test_no_files),     cmocka_unit_test(test_swapped_names),
        cmocka_unit_test(test_long_listing), cmocka_unit_test(test_many_handles),
        cmocka_unit_test(test_store_dies),   cmocka_unit_test(test_last_reports),
        cmocka_unit_test(test_odd_names),    cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_misuse),       cmocka_unit_test(test_any_values),
        cmocka_unit_test(test_deaf_worker),  cmocka_unit_test(test_bad_home),
        cmocka_unit_test(test_the_process),
    };

    return cmocka_run_group_tests_name("files, edges", tests, NULL, NULL);
}
