/* Attributes: looking at them and changing them, and the free space. Called by the dispatch. Must
 * never change anything by a name that could be swapped for a link: a descriptor is opened first
 * (O_PATH where reading is not needed) and the change is made on that. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "monitor/files/agent.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452 /* Linux 6.6; one number on all architectures */
#endif

#define ATTR_KNOWN (ATTR_SIZE | ATTR_OWNER | ATTR_MODE | ATTR_ATIME | ATTR_MTIME)
#define NS         INT64_C(1000000000)
#define SEEING     (RIGHT_LIST | RIGHT_READ | RIGHT_WRITE)

int64_t time_ns(const struct timespec *t)
{
    int64_t ns;

    /* Years beyond 2262 do not fit: the last that does. */
    if (__builtin_mul_overflow((int64_t)t->tv_sec, NS, &ns) ||
        __builtin_add_overflow(ns, (int64_t)t->tv_nsec, &ns))
        return t->tv_sec < 0 ? INT64_MIN : INT64_MAX;
    return ns;
}

struct timespec timespec_of(int64_t ns)
{
    struct timespec t = {.tv_sec = ns / NS, .tv_nsec = ns % NS};

    if (t.tv_nsec < 0) {
        t.tv_nsec += NS;
        t.tv_sec--;
    }
    return t;
}

void made_add(struct made *made, const struct stat *st)
{
    const size_t slot = made->count++ % MADE_MAX;

    made->ring[slot].device = st->st_dev;
    made->ring[slot].inode = st->st_ino;
}

bool made_has(const struct made *made, dev_t device, ino_t inode)
{
    for (size_t i = 0; i < made->count && i < MADE_MAX; i++) {
        if (made->ring[i].device == device && made->ring[i].inode == inode)
            return true;
    }
    return false;
}

void top_attributes(struct stat *st)
{
    *st = (struct stat){
        .st_mode = S_IFDIR | 0555, .st_nlink = 2, .st_uid = geteuid(), .st_gid = getegid()};
}

unsigned access_of(const struct agent *a, const struct stat *st)
{
    size_t i = 0;

    if (st->st_uid == a->uid)
        return st->st_mode >> 6 & 7;
    while (st->st_gid != a->gid && i < a->groups.count && a->groups.gids[i] != st->st_gid)
        i++;
    return (st->st_gid == a->gid || i < a->groups.count ? st->st_mode >> 3 : st->st_mode) & 7;
}

static int answer_attributes(struct request *r, const struct view_folder *folder,
                             const struct stat *st, bool fixed)
{
    struct file_attributes attributes;

    ATTRIBUTES_SET(&attributes, st);
    ATTRIBUTES_MAY(&attributes, r->agent, folder, st, fixed);
    return request_answer(r, MSG_file_attributes, &attributes, -1);
}

int on_stat(struct request *r)
{
    const struct file_stat *m = r->message;
    struct stat st;
    int error = request_place(r, m->path, &r->place, SEEING);

    if (error != 0)
        return error;
    if (r->place.folder == NULL) {
        top_attributes(&st);
        return answer_attributes(r, NULL, &st, true);
    }
    const int fd = place_open(&r->place, O_PATH | (m->follow != 0 ? 0 : O_NOFOLLOW));
    if (fd < 0)
        return errno;
    error = fstat(fd, &st) < 0 ? errno : 0;
    close(fd);
    return error != 0 ? error
                      : answer_attributes(r, r->place.folder, &st, r->place.below[0] == '\0');
}

int on_hstat(struct request *r)
{
    const struct file_hstat *m = r->message;
    const struct handle *h = handle_find(&r->agent->handles, m->handle);
    struct stat st;

    if (h == NULL)
        return request_fail(r, EBADF, "no such handle");
    if (h->fd < 0)
        top_attributes(&st);
    else if (fstat(h->fd, &st) < 0)
        return errno;
    return answer_attributes(r, h->folder, &st, false);
}

/* What setattr and hsetattr ask for. */
struct change {
    uint32_t valid;
    uint64_t size;
    uint32_t uid, gid, mode;
    struct timespec times[2];
};

#define CHANGE_OF(m)                                                                               \
    {                                                                                              \
        .valid = (m)->valid, .size = (m)->size, .uid = (m)->uid, .gid = (m)->gid,                  \
        .mode = (m)->mode, .times = {                                                              \
            timespec_of((m)->atime_ns),                                                            \
            timespec_of((m)->mtime_ns)                                                             \
        }                                                                                          \
    }

/* May this account change that? All is checked before anything is done. */
static int check_change(struct request *r, const struct change *c, const struct stat *st,
                        const struct view_folder *folder)
{
    const struct agent *a = r->agent;
    const uint32_t rights = folder->rights;
    const bool own = made_has(&a->made, st->st_dev, st->st_ino) ||
                     handle_writes(&a->handles, st->st_dev, st->st_ino);

    if ((c->valid & ~(uint32_t)ATTR_KNOWN) != 0)
        return request_fail(r, EINVAL, "unknown attributes");
    if (own ? (rights & (RIGHT_WRITE | RIGHT_OVERWRITE | RIGHT_MKDIR)) == 0
            : (rights & RIGHT_WRITE) == 0)
        return request_refuse(r, OPERATION_SETATTR);
    if (!own && (rights & RIGHT_OVERWRITE) == 0)
        return request_refuse(r, OPERATION_MODIFY);
    if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode) && !S_ISLNK(st->st_mode))
        return request_fail(r, EACCES, "not a regular file or a folder");
    if ((c->valid & ATTR_SIZE) != 0 && !S_ISREG(st->st_mode))
        return S_ISDIR(st->st_mode) ? EISDIR : EINVAL;
    if ((c->valid & ATTR_SIZE) != 0 && c->size > INT64_MAX)
        return EFBIG;
    if ((c->valid & ATTR_MODE) != 0 && S_ISLNK(st->st_mode))
        return request_fail(r, EOPNOTSUPP, "a link has no mode of its own");
    if ((c->valid & ATTR_OWNER) != 0 && (c->uid != st->st_uid || c->gid != st->st_gid))
        return request_fail(r, EPERM, "owners cannot be changed");
    return 0;
}

bool attributes_need_proc(void)
{
    return syscall(SYS_fchmodat2, -1, "", 0, AT_EMPTY_PATH) < 0 && errno == ENOSYS;
}

/* chmod of what a descriptor, perhaps O_PATH, stands for: a name could be swapped for a link.
 * Kernels before 6.6 know only the way over /proc/self/fd, opened before the sandbox. */
static int change_mode(const struct agent *a, int fd, mode_t mode)
{
    char number[16];

    if (syscall(SYS_fchmodat2, fd, "", mode, AT_EMPTY_PATH) == 0)
        return 0;
    if (errno != ENOSYS)
        return -1;
    snprintf(number, sizeof(number), "%d", fd);
    return fchmodat(a->descriptors, number, mode, 0);
}

/* Mode and times. The mode's bits above 0777 are never set; a folder keeps those that it has. */
static int change_rest(const struct agent *a, const struct view_folder *folder, int fd,
                       const struct change *c, const struct stat *st)
{
    const bool is_folder = S_ISDIR(st->st_mode);
    const mode_t kept = is_folder ? st->st_mode & 07000 : 0;
    struct timespec times[2] = {c->times[0], c->times[1]};

    if ((c->valid & ATTR_MODE) != 0 &&
        change_mode(a, fd, folder_mode(folder, c->mode, is_folder) | kept) < 0)
        return errno;
    if ((c->valid & (ATTR_ATIME | ATTR_MTIME)) == 0)
        return 0;
    if ((c->valid & ATTR_ATIME) == 0)
        times[0].tv_nsec = UTIME_OMIT;
    if ((c->valid & ATTR_MTIME) == 0)
        times[1].tv_nsec = UTIME_OMIT;
    return utimensat(fd, "", times, AT_EMPTY_PATH) < 0 ? errno : 0;
}

/* The size, through a descriptor that may write; opened here as the file that was looked at. */
static int change_size(struct request *r, const struct change *c, const struct stat *seen)
{
    struct stat st;
    int error = 0;
    const int fd = place_open(&r->place, O_WRONLY | O_NONBLOCK | O_NOCTTY);

    if (fd < 0)
        return errno;
    if (fstat(fd, &st) < 0 || st.st_dev != seen->st_dev || st.st_ino != seen->st_ino)
        error = EAGAIN;
    else if (ftruncate(fd, (off_t)c->size) < 0)
        error = errno;
    close(fd);
    return error;
}

int on_setattr(struct request *r)
{
    const struct file_setattr *m = r->message;
    const struct change c = CHANGE_OF(m);
    struct stat st;
    int error = request_place(r, m->path, &r->place, 0);

    if (error != 0)
        return error;
    if (r->place.folder == NULL)
        return request_refuse(r, OPERATION_SETATTR);
    const int fd = place_open(&r->place, O_PATH | (m->follow != 0 ? 0 : O_NOFOLLOW));
    if (fd < 0)
        return errno;
    error = fstat(fd, &st) < 0 ? errno : check_change(r, &c, &st, r->place.folder);
    if (error == 0 && (c.valid & ATTR_SIZE) != 0)
        error = change_size(r, &c, &st);
    if (error == 0)
        error = change_rest(r->agent, r->place.folder, fd, &c, &st);
    close(fd);
    return error;
}

int on_hsetattr(struct request *r)
{
    const struct file_hsetattr *m = r->message;
    const struct change c = CHANGE_OF(m);
    const struct handle *h = handle_find(&r->agent->handles, m->handle);
    struct stat st;

    if (h == NULL)
        return request_fail(r, EBADF, "no such handle");
    r->path = h->path;
    if (h->fd < 0)
        return request_refuse(r, OPERATION_SETATTR);
    int error = fstat(h->fd, &st) < 0 ? errno : check_change(r, &c, &st, h->folder);
    if (error == 0 && (c.valid & ATTR_SIZE) != 0 && (h->access & OPEN_WRITE) == 0)
        error = request_fail(r, EBADF, "the file is not open for writing");
    if (error == 0 && (c.valid & ATTR_SIZE) != 0 && ftruncate(h->fd, (off_t)c.size) < 0)
        error = errno;
    return error != 0 ? error : change_rest(r->agent, h->folder, h->fd, &c, &st);
}

int on_space(struct request *r)
{
    const struct file_space *m = r->message;
    struct file_space_is is;
    struct statvfs vfs;
    int fd, opened = -1, error = 0;

    if (m->path.len == 0) {
        const struct handle *h = handle_find(&r->agent->handles, m->handle);
        if (h == NULL || h->fd < 0)
            return request_fail(r, EBADF, "no such handle");
        fd = h->fd;
    } else {
        if ((error = request_place(r, m->path, &r->place, RIGHT_LIST)) != 0)
            return error;
        if ((fd = opened = place_open(&r->place, O_PATH)) < 0)
            return errno;
    }
    if (fstatvfs(fd, &vfs) < 0)
        error = errno;
    if (opened >= 0)
        close(opened);
    if (error != 0)
        return error;
    is = (struct file_space_is){
        .bsize = vfs.f_bsize,
        .frsize = vfs.f_frsize,
        .blocks = vfs.f_blocks,
        .bfree = vfs.f_bfree,
        .bavail = vfs.f_bavail,
        .files = vfs.f_files,
        .ffree = vfs.f_ffree,
        .favail = vfs.f_favail,
        .fsid = vfs.f_fsid,
        .flag = vfs.f_flag,
        .namemax = vfs.f_namemax,
    };
    return request_answer(r, MSG_file_space_is, &is, -1);
}
