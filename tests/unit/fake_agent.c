/* The child process behind fake_agent.h: a table of messages, each done with one system call below
 * the folder. Ends when its link does. */
#include "common/operations.h"
#include "tests/unit/fake_agent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include "common/facts.h"
#include "common/message.h"

#define FAKE_HANDLES 1100

static struct fake {
    int link, folder;
    struct fake_seen *seen;
    uint32_t id; /* of the question */
    struct {
        int fd;
        DIR *dir;
    } handles[FAKE_HANDLES];
    struct envelope question;
    uint8_t blob[61440];
} fake;

/* A path of the view below the folder; one of a few buffers that take turns. */
static const char *below(struct slice path)
{
    static char space[4][4200];
    static unsigned turn;
    char *text = space[turn++ % 4];

    snprintf(text, sizeof(space[0]), ".%.*s", (int)path.len, (const char *)path.data);
    return text;
}

static void say(enum message_type type, const void *message, int fd)
{
    if (message_send(fake.link, type, fake.id, message, &fd, fd >= 0 ? 1 : 0) < 0)
        _exit(1);
}

static void say_status(int error, const char *text)
{
    const struct file_status status = {.error = (uint32_t)error, .text = slice_text(text)};

    say(MSG_file_status, &status, -1);
}

static void say_result(int result)
{
    say_status(result < 0 ? errno : 0, "");
}

static int64_t nanoseconds(struct timespec t)
{
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

#define SEEN(st)                                                                                   \
    .mode = (st).st_mode, .nlink = (uint32_t)(st).st_nlink, .uid = (st).st_uid,                    \
    .gid = (st).st_gid, .size = (uint64_t)(st).st_size, .atime_ns = nanoseconds((st).st_atim),     \
    .mtime_ns = nanoseconds((st).st_mtim), .rights = RIGHTS_ALL, .access = (st).st_mode >> 6 & 7

static uint32_t free_handle(void)
{
    for (uint32_t i = 1; i < FAKE_HANDLES; i++) {
        if (fake.handles[i].fd < 0)
            return i;
    }
    _exit(2);
}

static int fd_of(uint32_t handle)
{
    if (handle >= FAKE_HANDLES || fake.handles[handle].fd < 0)
        _exit(3); /* the engine must never ask for what it does not have */
    return fake.handles[handle].fd;
}

static void say_opened(int fd, DIR *dir)
{
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0) {
        say_result(-1);
        return;
    }
    const uint32_t handle = free_handle();
    fake.handles[handle].fd = fd;
    fake.handles[handle].dir = dir;
    fake.seen->open++;
    const struct file_opened opened = {.handle = handle, SEEN(st)};
    say(MSG_file_opened, &opened, dir == NULL ? fd : -1);
}

static void on_file_open(const struct file_open *m)
{
    const uint32_t ways = m->flags & (OPEN_READ | OPEN_WRITE);
    const int flags =
        (ways == (OPEN_READ | OPEN_WRITE) ? O_RDWR
         : ways == OPEN_WRITE             ? O_WRONLY
                                          : O_RDONLY) |
        (m->flags & OPEN_APPEND ? O_APPEND : 0) | (m->flags & OPEN_CREATE ? O_CREAT : 0) |
        (m->flags & OPEN_TRUNCATE ? O_TRUNC : 0) | (m->flags & OPEN_EXCLUSIVE ? O_EXCL : 0);

    if (slice_is(m->path, FAKE_FULL_NAME))
        say_opened(open("/dev/full", O_RDWR), NULL);
    else
        say_opened(openat(fake.folder, below(m->path), flags | O_CLOEXEC, m->mode), NULL);
}

static void on_file_close(const struct file_close *m)
{
    const int fd = fd_of(m->handle);

    fake.seen->closes++;
    fake.seen->open--;
    fake.seen->bytes_read = m->bytes_read;
    fake.seen->bytes_written = m->bytes_written;
    fake.seen->whole = m->whole;
    if (fake.handles[m->handle].dir != NULL)
        closedir(fake.handles[m->handle].dir);
    else
        close(fd);
    fake.handles[m->handle].fd = -1;
    fake.handles[m->handle].dir = NULL;
    say_status(0, "");
}

static void say_attributes(int result, const struct stat *st)
{
    if (result < 0) {
        say_result(-1);
        return;
    }
    const struct file_attributes seen = {SEEN(*st)};
    say(MSG_file_attributes, &seen, -1);
}

static void on_file_stat(const struct file_stat *m)
{
    struct stat st;

    if (slice_is(m->path, FAKE_SENTENCE))
        say_status(EACCES, FAKE_TEXT);
    else
        say_attributes(
            fstatat(fake.folder, below(m->path), &st, m->follow ? 0 : AT_SYMLINK_NOFOLLOW), &st);
}

static void on_file_hstat(const struct file_hstat *m)
{
    struct stat st;

    say_attributes(fstat(fd_of(m->handle), &st), &st);
}

static struct timespec time_of(int64_t ns, bool set)
{
    return (struct timespec){.tv_sec = ns / 1000000000,
                             .tv_nsec = set ? ns % 1000000000 : UTIME_OMIT};
}

static void on_file_setattr(const struct file_setattr *m)
{
    const char *path = below(m->path);
    const int flag = m->follow ? 0 : AT_SYMLINK_NOFOLLOW;
    const struct timespec times[2] = {time_of(m->atime_ns, m->valid & ATTR_ATIME),
                                      time_of(m->mtime_ns, m->valid & ATTR_MTIME)};
    int result = 0;

    if (m->valid & ATTR_SIZE) { /* first: it changes the times */
        const int fd = openat(fake.folder, path, O_WRONLY | O_CLOEXEC);
        result = fd < 0 ? -1 : ftruncate(fd, (off_t)m->size);
        if (fd >= 0)
            close(fd);
    }
    if (result == 0 && (m->valid & ATTR_MODE))
        result = fchmodat(fake.folder, path, m->mode, flag);
    if (result == 0 && (m->valid & ATTR_OWNER))
        result = fchownat(fake.folder, path, m->uid, m->gid, flag);
    if (result == 0)
        result = utimensat(fake.folder, path, times, flag);
    say_result(result);
}

static void on_file_hsetattr(const struct file_hsetattr *m)
{
    const int fd = fd_of(m->handle);
    const struct timespec times[2] = {time_of(m->atime_ns, m->valid & ATTR_ATIME),
                                      time_of(m->mtime_ns, m->valid & ATTR_MTIME)};
    int result = m->valid & ATTR_SIZE ? ftruncate(fd, (off_t)m->size) : 0;

    if (result == 0 && (m->valid & ATTR_MODE))
        result = fchmod(fd, m->mode);
    if (result == 0)
        result = futimens(fd, times);
    say_result(result);
}

static void on_file_opendir(const struct file_opendir *m)
{
    const int fd = openat(fake.folder, below(m->path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    say_opened(fd, fd < 0 ? NULL : fdopendir(fd));
}

static void on_file_readdir(const struct file_readdir *m)
{
    struct file_entries entries = {0};
    DIR *dir = fake.handles[m->handle].dir;
    struct dirent *d = NULL;
    ssize_t len = 0;
    uint32_t count = 0;

    if (fake.seen->sabotage == SABOTAGE_BAD_ENTRIES) {
        entries.entries = slice_text("no entry");
        say(MSG_file_entries, &entries, -1);
        return;
    }
    while ((size_t)len < sizeof(fake.blob) - 512 &&
           (fake.seen->entries == 0 || count < fake.seen->entries) && (d = readdir(dir)) != NULL) {
        struct stat st;
        if (fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        const struct directory_entry entry = {.name = slice_text(d->d_name), SEEN(st)};
        len = nest_directory_entry(&entry, fake.blob, (size_t)len, sizeof(fake.blob));
        count++;
    }
    entries.last = d == NULL && count == 0;
    entries.entries = slice_of(fake.blob, (size_t)len);
    say(MSG_file_entries, &entries, -1);
}

static void on_file_remove(const struct file_remove *m)
{
    say_result(unlinkat(fake.folder, below(m->path), 0));
}

static void on_file_mkdir(const struct file_mkdir *m)
{
    say_result(mkdirat(fake.folder, below(m->path), m->mode));
}

static void on_file_rmdir(const struct file_rmdir *m)
{
    say_result(unlinkat(fake.folder, below(m->path), AT_REMOVEDIR));
}

static void on_file_rename(const struct file_rename *m)
{
    say_result(renameat2(fake.folder, below(m->from), fake.folder, below(m->to),
                         m->replace ? 0 : RENAME_NOREPLACE));
}

static void on_file_readlink(const struct file_readlink *m)
{
    char text[4096];
    const ssize_t n = readlinkat(fake.folder, below(m->path), text, sizeof(text) - 1);
    const struct file_path found = {.path = slice_of(text, n < 0 ? 0 : (size_t)n)};

    if (n < 0)
        say_result(-1);
    else
        say(MSG_file_path, &found, -1);
}

static void on_file_symlink(const struct file_symlink *m)
{
    char target[4096];

    if (slice_copy(m->target, target, sizeof(target)) < 0)
        _exit(4);
    say_result(symlinkat(target, fake.folder, below(m->path)));
}

static void on_file_link(const struct file_link *m)
{
    say_result(linkat(fake.folder, below(m->from), fake.folder, below(m->to), 0));
}

/* Without a look at the disk: "." and ".." and double slashes go. */
static void on_file_realpath(const struct file_realpath *m)
{
    char text[4200] = "";
    size_t len = 0;

    for (size_t at = 0; at < m->path.len;) {
        const uint8_t *part = m->path.data + at;
        const uint8_t *slash = memchr(part, '/', m->path.len - at);
        const size_t n = slash != NULL ? (size_t)(slash - part) : m->path.len - at;
        if (n == 2 && memcmp(part, "..", 2) == 0) {
            while (len > 0 && text[--len] != '/')
                ;
        } else if (n > 0 && !(n == 1 && part[0] == '.')) {
            text[len++] = '/';
            memcpy(text + len, part, n);
            len += n;
        }
        at += n + 1;
    }
    const struct file_path found = {.path = len > 0 ? slice_of(text, len) : slice_text("/")};
    say(MSG_file_path, &found, -1);
}

static void on_file_space(const struct file_space *m)
{
    struct statvfs v;
    const int fd = m->path.len > 0 ? openat(fake.folder, below(m->path), O_PATH | O_CLOEXEC)
                                   : dup(fd_of(m->handle));

    if (fd < 0 || fstatvfs(fd, &v) < 0) {
        say_result(-1);
        return;
    }
    close(fd);
    const struct file_space_is is = {.bsize = v.f_bsize,
                                     .frsize = v.f_frsize,
                                     .blocks = v.f_blocks,
                                     .bfree = v.f_bfree,
                                     .bavail = v.f_bavail,
                                     .files = v.f_files,
                                     .ffree = v.f_ffree,
                                     .favail = v.f_favail,
                                     .fsid = v.f_fsid,
                                     .flag = v.f_flag,
                                     .namemax = v.f_namemax};
    say(MSG_file_space_is, &is, -1);
}

static void on_file_sync(const struct file_sync *m)
{
    fake.seen->syncs++;
    say_result(fsync(fd_of(m->handle)));
}

static void on_file_copy(const struct file_copy *m)
{
    const size_t most = m->length < FAKE_COPY_MOST ? (size_t)m->length : FAKE_COPY_MOST;
    ssize_t n = pread(fd_of(m->from), fake.blob,
                      most < sizeof(fake.blob) ? most : sizeof(fake.blob), (off_t)m->from_offset);
    struct file_copied copied;

    fake.seen->copies++;
    if (n > 0)
        n = pwrite(fd_of(m->to), fake.blob, (size_t)n, (off_t)m->to_offset);
    copied.length = fake.seen->sabotage == SABOTAGE_GREEDY_COPY ? m->length + 1 : (uint64_t)n;
    if (n < 0)
        say_result(-1);
    else
        say(MSG_file_copied, &copied, -1);
}

/* Do the next answer wrong. Returns true when it was given. */
static bool sabotaged(uint32_t how)
{
    const struct file_copied copied = {.length = 1};
    const struct file_opened opened = {.handle = free_handle()};
    const struct file_path path = {.path = slice_text("/")};

    switch (how) {
    case SABOTAGE_HANG_UP:
        _exit(0);
    case SABOTAGE_WRONG_ID:
        fake.id += 7;
        say_status(0, "");
        return true;
    case SABOTAGE_WRONG_TYPE:
        if (fake.question.type == MSG_file_copy)
            say(MSG_file_path, &path, -1);
        else
            say(MSG_file_copied, &copied, -1);
        return true;
    case SABOTAGE_WORTHLESS_YES:
        say_status(0, "");
        return true;
    case SABOTAGE_NO_DESCRIPTOR:
        say(MSG_file_opened, &opened, -1);
        return true;
    default:
        return false;
    }
}

#define SERVE(name)                                                                                \
    case MSG_##name: {                                                                             \
        struct name m;                                                                             \
        if (decode_##name(&fake.question, &m) < 0)                                                 \
            _exit(5);                                                                              \
        on_##name(&m);                                                                             \
        break;                                                                                     \
    }

static void serve_one(void)
{
    fake.id = fake.question.id;
    fake.seen->questions++;
    if (sabotaged(fake.seen->sabotage))
        return;
    switch (fake.question.type) {
        SERVE(file_open)
        SERVE(file_close)
        SERVE(file_stat)
        SERVE(file_hstat)
        SERVE(file_setattr)
        SERVE(file_hsetattr)
        SERVE(file_opendir)
        SERVE(file_readdir)
        SERVE(file_remove)
        SERVE(file_mkdir)
        SERVE(file_rmdir)
        SERVE(file_rename)
        SERVE(file_readlink)
        SERVE(file_symlink)
        SERVE(file_link)
        SERVE(file_realpath)
        SERVE(file_space)
        SERVE(file_sync)
        SERVE(file_copy)
    default:
        _exit(6);
    }
}

void fake_agent_start(struct fake_agent *agent, const char *folder)
{
    int ends[2];

    agent->seen =
        mmap(NULL, sizeof(*agent->seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (agent->seen == MAP_FAILED ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        abort();
    agent->link = ends[0];
    agent->pid = fork();
    if (agent->pid < 0)
        abort();
    if (agent->pid > 0) {
        close(ends[1]);
        return;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(ends[0]);
    umask(022);
    fake = (struct fake){.link = ends[1],
                         .folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC),
                         .seen = agent->seen};
    for (size_t i = 0; i < FAKE_HANDLES; i++)
        fake.handles[i].fd = -1;
    while (fake.folder >= 0 && message_receive(fake.link, &fake.question, 0) == 1)
        serve_one();
    _exit(0);
}

void fake_agent_stop(struct fake_agent *agent)
{
    close(agent->link);
    waitpid(agent->pid, NULL, 0);
    munmap(agent->seen, sizeof(*agent->seen));
}
