/* Stands between the programs of the privileged side and the C library, for `make faults`: counts
 * the calls that can fail, by the place that makes them, and makes one of them fail when run.py
 * says so. Linked into programs of build/VARIANT/faults/, which nothing installs; takes the place
 * of the C library's functions for the libraries too. Its orders are mapped before main and so
 * before any sandbox; it makes no system call afterwards but those that it passes on. */
#undef _FORTIFY_SOURCE /* its inline functions would stand in the way */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <link.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unwind.h>

#include <poll.h>

#include "tests/faults/orders.h"

#define SHORT  (-1)
#define EXPORT __attribute__((visibility("default")))
#define CALLER ((uintptr_t)__builtin_return_address(0))

enum function {
#define FAULT(name, ...) FN_##name,
#include "tests/faults/faults.def"
#undef FAULT
    FN_COUNT,
    FN_NONE = FN_COUNT,
};

/* In run.py's order: PROGRAMS. */
static const char *const programs[] = {"sallyportd", "sallyport-store", "sallyport-files",
                                       "sallyport-hash"};

static struct orders *orders;
static struct process *self;
static struct process early; /* until the orders are mapped */
static uint32_t program;
static bool busy; /* inside the shim: what it calls itself is not counted; there is one thread */

/* ------------------------------------------------------------------------------- places */

/* Where an address is: its offset in its object, and whether that is our own program. */
static uint64_t offset_of(uintptr_t address, bool *own)
{
    struct dl_find_object object;

    *own = false;
    if (_dl_find_object((void *)address, &object) != 0)
        return 0;
    *own = object.dlfo_link_map->l_name[0] == '\0';
    return address - object.dlfo_link_map->l_addr;
}

struct walk {
    uintptr_t caller;
    bool begun;
    unsigned count;
    uint64_t frames[FRAMES_MAX];
};

static _Unwind_Reason_Code walk_frame(struct _Unwind_Context *context, void *argument)
{
    struct walk *w = argument;
    const uintptr_t address = _Unwind_GetIP(context);
    bool own;

    w->begun = w->begun || address == w->caller;
    if (!w->begun)
        return _URC_NO_REASON;
    const uint64_t offset = offset_of(address, &own);
    if (own)
        w->frames[w->count++] = offset;
    return w->count == FRAMES_MAX ? _URC_END_OF_STACK : _URC_NO_REASON;
}

static void mix(uint64_t *hash, uint64_t value)
{
    for (int i = 0; i < 8; i++, value >>= 8)
        *hash = (*hash ^ (value & 0xff)) * UINT64_C(0x100000001b3);
}

static uint64_t key_of(enum function function, uint64_t caller, const struct walk *w)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    mix(&hash, program);
    mix(&hash, function);
    mix(&hash, caller);
    for (unsigned i = 0; i < w->count; i++)
        mix(&hash, w->frames[i]);
    return hash | 1;
}

static void count(uint64_t key, enum function function, uint64_t caller, const struct walk *w)
{
    for (size_t i = 0; i < SITES_MAX; i++) {
        struct site *site = &orders->sites[(key + i) % SITES_MAX];
        uint64_t was = 0;
        if (__atomic_compare_exchange_n(&site->key, &was, key, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST)) {
            site->caller = caller;
            site->program = program;
            site->function = function;
            memcpy(site->frames, w->frames, sizeof(site->frames));
        } else if (was != key) {
            continue;
        }
        __atomic_add_fetch(&site->calls[orders->phase % PHASES], 1, __ATOMIC_SEQ_CST);
        return;
    }
}

/* Is this call to fail? Returns 0, or the error. */
static int due(enum function function, uintptr_t address)
{
    struct walk w = {.caller = address};
    bool own;

    if (function == FN_NONE || orders == NULL || orders->mode == MODE_OFF || busy)
        return 0;
    const bool fail = orders->mode == MODE_FAIL;
    if (fail && (orders->program != program || orders->function != function || orders->left < 0))
        return 0;
    const int error = errno;
    int failed = 0;
    busy = true;
    const uint64_t caller = offset_of(address, &own);
    if (fail && caller != orders->caller)
        goto out;
    _Unwind_Backtrace(walk_frame, &w);
    const uint64_t key = key_of(function, caller, &w);
    if (!fail) {
        count(key, function, caller, &w);
    } else if (key == orders->key && __atomic_fetch_sub(&orders->left, 1, __ATOMIC_SEQ_CST) == 0) {
        orders->fired_pid = self->pid;
        failed = orders->error;
        __atomic_add_fetch(&orders->fired, 1, __ATOMIC_SEQ_CST);
    }
out:
    busy = false;
    errno = error;
    return failed;
}

/* ------------------------------------------------------------------------------- the start */

static int program_number(const char *name)
{
    for (uint32_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
        if (strcmp(name, programs[i]) == 0)
            return (int)i;
    }
    return -1;
}

static void take_place(struct orders *o)
{
    const uint32_t at = __atomic_fetch_add(&o->processes, 1, __ATOMIC_SEQ_CST) % PROCESSES_MAX;

    o->process[at].program = program;
    o->process[at].allocations = early.allocations;
    o->process[at].pid = (uint32_t)getpid();
    self = &o->process[at];
}

__attribute__((constructor(101))) static void map_orders(void)
{
    char path[4096];
    struct walk warm = {.caller = CALLER};
    const ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof(ORDERS_FILE));

    if (n <= 0)
        return;
    path[n] = '\0';
    char *slash = strrchr(path, '/');
    const int number = slash != NULL ? program_number(slash + 1) : -1;
    if (number < 0)
        return;
    memcpy(slash + 1, ORDERS_FILE, sizeof(ORDERS_FILE));
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    struct orders *o = mmap(NULL, sizeof(*o), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (o == MAP_FAILED || o->magic != ORDERS_MAGIC || o->size != sizeof(*o))
        return;
    _Unwind_Backtrace(walk_frame, &warm); /* what it loads and allocates once */
    program = (uint32_t)number;
    take_place(o);
    orders = o;
}

static void alive(int change)
{
    struct process *p = self != NULL ? self : &early;

    p->allocations += change;
}

/* ------------------------------------------------------------------------------- the calls */

/* The next function of this name after ours: the C library's, or the sanitizer's before it. */
static void *next_of(const char *name)
{
    const bool was = busy;

    busy = true;
    void *f = dlsym(RTLD_NEXT, name);
    busy = was;
    if (f == NULL)
        abort();
    return f;
}
#define NEXT(name)                                                                                 \
    static __typeof__(name) *next;                                                                 \
    if (next == NULL)                                                                              \
    next = (__typeof__(name) *)next_of(#name)

#define PASS_OR(function, failed)                                                                  \
    do {                                                                                           \
        const int error = due(FN_##function, CALLER);                                              \
        if (error != 0) {                                                                          \
            errno = error == SHORT ? EIO : error;                                                  \
            return failed;                                                                         \
        }                                                                                          \
    } while (0)

/* CALL(type, name, counts as, result of a failure, parameters, arguments) */
#define CALL(type, name, function, failed, parameters, arguments)                                  \
    EXPORT type name parameters                                                                    \
    {                                                                                              \
        NEXT(name);                                                                                \
        PASS_OR(function, failed);                                                                 \
        return next arguments;                                                                     \
    }

EXPORT void *malloc(size_t size)
{
    NEXT(malloc);
    PASS_OR(malloc, NULL);
    void *p = next(size);
    alive(p != NULL);
    return p;
}

EXPORT void *calloc(size_t n, size_t size)
{
    NEXT(calloc);
    PASS_OR(calloc, NULL);
    void *p = next(n, size);
    alive(p != NULL);
    return p;
}

EXPORT void *realloc(void *old, size_t size)
{
    NEXT(realloc);
    PASS_OR(realloc, NULL);
    void *p = next(old, size);
    alive((p != NULL) - (old != NULL && (p != NULL || size == 0)));
    return p;
}

/* Not left to the C library, which would call its own realloc. */
EXPORT void *reallocarray(void *old, size_t n, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(n, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(old, bytes);
}

/* Looking for the next one may free an error's text: that one stays. */
EXPORT void free(void *p)
{
    static bool looking;

    if (looking)
        return;
    looking = true;
    NEXT(free);
    looking = false;
    alive(-(p != NULL));
    next(p);
}

// clang-format off
CALL(void *, mmap, mmap, MAP_FAILED, (void *a, size_t n, int p, int f, int fd, off_t o), (a, n, p, f, fd, o))
CALL(void *, mmap64, mmap, MAP_FAILED, (void *a, size_t n, int p, int f, int fd, off64_t o), (a, n, p, f, fd, o))

CALL(int, socketpair, socketpair, -1, (int d, int t, int p, int v[2]), (d, t, p, v))
CALL(int, socket, socket, -1, (int d, int t, int p), (d, t, p))
CALL(int, bind, bind, -1, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
CALL(int, listen, listen, -1, (int fd, int n), (fd, n))
CALL(int, connect, connect, -1, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
CALL(int, accept4, accept4, -1, (int fd, struct sockaddr *a, socklen_t *n, int f), (fd, a, n, f))
CALL(int, getsockopt, getsockopt, -1, (int fd, int l, int o, void *v, socklen_t *n), (fd, l, o, v, n))
CALL(int, setsockopt, setsockopt, -1, (int fd, int l, int o, const void *v, socklen_t n), (fd, l, o, v, n))
CALL(int, epoll_create1, epoll_create1, -1, (int f), (f))
CALL(int, epoll_wait, epoll_wait, -1, (int fd, struct epoll_event *e, int n, int ms), (fd, e, n, ms))
CALL(int, poll, poll, -1, (struct pollfd *p, nfds_t n, int ms), (p, n, ms))
CALL(int, signalfd, signalfd, -1, (int fd, const sigset_t *s, int f), (fd, s, f))
CALL(ssize_t, sendmsg, sendmsg, -1, (int fd, const struct msghdr *m, int f), (fd, m, f))
CALL(ssize_t, send, send, -1, (int fd, const void *b, size_t n, int f), (fd, b, n, f))
CALL(ssize_t, recvmsg, recvmsg, -1, (int fd, struct msghdr *m, int f), (fd, m, f))
CALL(int, dup3, dup3, -1, (int from, int to, int f), (from, to, f))

CALL(FILE *, fopen, fopen, NULL, (const char *p, const char *m), (p, m))
CALL(FILE *, fopen64, fopen, NULL, (const char *p, const char *m), (p, m))
CALL(FILE *, fdopen, fdopen, NULL, (int fd, const char *m), (fd, m))
CALL(ssize_t, writev, writev, -1, (int fd, const struct iovec *v, int n), (fd, v, n))
CALL(ssize_t, copy_file_range, copy_file_range, -1, (int a, off64_t *x, int b, off64_t *y, size_t n, unsigned f), (a, x, b, y, n, f))
CALL(int, fsync, fsync, -1, (int fd), (fd))
CALL(int, fdatasync, fdatasync, -1, (int fd), (fd))
CALL(int, ftruncate, ftruncate, -1, (int fd, off_t n), (fd, n))
CALL(int, ftruncate64, ftruncate, -1, (int fd, off64_t n), (fd, n))
CALL(int, flock, flock, -1, (int fd, int o), (fd, o))
CALL(int, stat, stat, -1, (const char *p, struct stat *s), (p, s))
CALL(int, stat64, stat, -1, (const char *p, struct stat64 *s), (p, s))
CALL(int, lstat64, stat, -1, (const char *p, struct stat64 *s), (p, s))
CALL(int, fstat, fstat, -1, (int fd, struct stat *s), (fd, s))
CALL(int, fstat64, fstat, -1, (int fd, struct stat64 *s), (fd, s))
CALL(int, fstatat, fstatat, -1, (int fd, const char *p, struct stat *s, int f), (fd, p, s, f))
CALL(int, fstatvfs, fstatvfs, -1, (int fd, struct statvfs *s), (fd, s))
CALL(int, mkdir, mkdir, -1, (const char *p, mode_t m), (p, m))
CALL(int, mkdirat, mkdirat, -1, (int fd, const char *p, mode_t m), (fd, p, m))
CALL(int, renameat, rename, -1, (int a, const char *x, int b, const char *y), (a, x, b, y))
CALL(int, renameat2, rename, -1, (int a, const char *x, int b, const char *y, unsigned f), (a, x, b, y, f))
CALL(int, linkat, link, -1, (int a, const char *x, int b, const char *y, int f), (a, x, b, y, f))
CALL(int, symlinkat, symlinkat, -1, (const char *t, int fd, const char *p), (t, fd, p))
CALL(int, unlink, unlink, -1, (const char *p), (p))
CALL(int, unlinkat, unlink, -1, (int fd, const char *p, int f), (fd, p, f))
CALL(int, chmod, chmod, -1, (const char *p, mode_t m), (p, m))
CALL(int, fchmod, chmod, -1, (int fd, mode_t m), (fd, m))
CALL(int, fchmodat, chmod, -1, (int fd, const char *p, mode_t m, int f), (fd, p, m, f))
CALL(int, lchown, chown, -1, (const char *p, uid_t u, gid_t g), (p, u, g))
CALL(int, fchown, chown, -1, (int fd, uid_t u, gid_t g), (fd, u, g))
CALL(int, utimensat, utimensat, -1, (int fd, const char *p, const struct timespec t[2], int f), (fd, p, t, f))
CALL(ssize_t, readlinkat, readlinkat, -1, (int fd, const char *p, char *b, size_t n), (fd, p, b, n))
CALL(ssize_t, getdents64, getdents64, -1, (int fd, void *b, size_t n), (fd, b, n))
CALL(DIR *, fdopendir, fdopendir, NULL, (int fd), (fd))

CALL(int, setgroups, setgroups, -1, (size_t n, const gid_t *g), (n, g))
CALL(int, setegid, setegid, -1, (gid_t g), (g))
CALL(int, seteuid, seteuid, -1, (uid_t u), (u))
CALL(int, chroot, chroot, -1, (const char *p), (p))
CALL(int, chdir, chdir, -1, (const char *p), (p))
CALL(int, setrlimit, setrlimit, -1, (__rlimit_resource_t r, const struct rlimit *l), (r, l))
// clang-format on

/* Going back to root is tried to see that it fails: that is no call to make fail. */
EXPORT int setresgid(gid_t r, gid_t e, gid_t s)
{
    NEXT(setresgid);
    if (r != 0)
        PASS_OR(setresgid, -1);
    return next(r, e, s);
}

EXPORT int setresuid(uid_t r, uid_t e, uid_t s)
{
    NEXT(setresuid);
    if (r != 0)
        PASS_OR(setresuid, -1);
    return next(r, e, s);
}

/* Of libcap's own declaration, which is in no header of the C library. */
int capset(void *header, const void *data);
CALL(int, capset, capset, -1, (void *header, const void *data), (header, data))

EXPORT void *mremap(void *old, size_t size, size_t new_size, int flags, ...)
{
    va_list more;

    va_start(more, flags);
    void *address = (flags & MREMAP_FIXED) != 0 ? va_arg(more, void *) : NULL;
    va_end(more);
    NEXT(mremap);
    PASS_OR(mremap, MAP_FAILED);
    return next(old, size, new_size, flags, address);
}

/* Only a descriptor that is added can be too much. */
EXPORT int epoll_ctl(int fd, int operation, int of, struct epoll_event *event)
{
    NEXT(epoll_ctl);
    if (operation == EPOLL_CTL_ADD)
        PASS_OR(epoll_ctl, -1);
    return next(fd, operation, of, event);
}

EXPORT int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes, char *const arguments[],
                       char *const environment[])
{
    NEXT(posix_spawn);
    const int error = due(FN_posix_spawn, CALLER);
    return error != 0 ? error : next(pid, path, actions, attributes, arguments, environment);
}

/* With the sanitizers a process may say a word at its end, whose standard error is a file here, and
 * which a hasher may not make longer. */
static bool is_crash(int how)
{
#ifdef SALLYPORT_SANITIZE
    if (WIFSIGNALED(how) && WTERMSIG(how) == SIGXFSZ)
        return false;
#endif
    return WIFSIGNALED(how) && WTERMSIG(how) != SIGKILL;
}

/* Not to fail, but to know how children ended: the monitor's own killing is SIGKILL. */
EXPORT pid_t waitpid(pid_t pid, int *status, int options)
{
    int how = 0;

    NEXT(waitpid);
    const pid_t ended = next(pid, &how, options);
    if (ended > 0 && orders != NULL && is_crash(how)) {
        orders->crash_pid = (uint32_t)ended;
        orders->crash_status = (uint32_t)how;
        orders->crashes++;
    }
    if (status != NULL)
        *status = how;
    return ended;
}

/* Commands that take nothing or an int or a pointer. */
#define FCNTL(name)                                                                                \
    EXPORT int name(int fd, int command, ...)                                                      \
    {                                                                                              \
        va_list more;                                                                              \
        va_start(more, command);                                                                   \
        void *argument = va_arg(more, void *);                                                     \
        va_end(more);                                                                              \
        NEXT(name);                                                                                \
        PASS_OR(fcntl, -1);                                                                        \
        return next(fd, command, argument);                                                        \
    }
FCNTL(fcntl)
FCNTL(fcntl64)

#define OPEN(name, function, parameters, ...)                                                      \
    EXPORT int name parameters                                                                     \
    {                                                                                              \
        va_list more;                                                                              \
        va_start(more, flags);                                                                     \
        const mode_t mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0;     \
        va_end(more);                                                                              \
        NEXT(name);                                                                                \
        PASS_OR(function, -1);                                                                     \
        return next(__VA_ARGS__, flags, mode);                                                     \
    }
OPEN(open, open, (const char *path, int flags, ...), path)
OPEN(open64, open, (const char *path, int flags, ...), path)
OPEN(openat, openat, (int dir, const char *path, int flags, ...), dir, path)
OPEN(openat64, openat, (int dir, const char *path, int flags, ...), dir, path)

/* Reading and writing, which may do less than was asked for. */
#define TRANSFER(name, function, parameters, fd, bytes, ...)                                       \
    EXPORT ssize_t name parameters                                                                 \
    {                                                                                              \
        NEXT(name);                                                                                \
        const int error = due(FN_##function, CALLER);                                              \
        if (error == SHORT && n > 1)                                                               \
            return next(fd, bytes, n / 2 __VA_ARGS__);                                             \
        if (error > 0) {                                                                           \
            errno = error;                                                                         \
            return -1;                                                                             \
        }                                                                                          \
        return next(fd, bytes, n __VA_ARGS__);                                                     \
    }
// clang-format off
#define AT , at
TRANSFER(read, read, (int fd, void *b, size_t n), fd, b)
TRANSFER(write, write, (int fd, const void *b, size_t n), fd, b)
TRANSFER(pread, pread, (int fd, void *b, size_t n, off_t at), fd, b, AT)
TRANSFER(pread64, pread, (int fd, void *b, size_t n, off64_t at), fd, b, AT)
TRANSFER(pwrite, pwrite, (int fd, const void *b, size_t n, off_t at), fd, b, AT)
TRANSFER(pwrite64, pwrite, (int fd, const void *b, size_t n, off64_t at), fd, b, AT)
// clang-format on

EXPORT int prctl(int option, ...)
{
    unsigned long v[4];
    va_list more;

    va_start(more, option);
    for (int i = 0; i < 4; i++)
        v[i] = va_arg(more, unsigned long);
    va_end(more);
    NEXT(prctl);
    PASS_OR(prctl, -1);
    return next(option, v[0], v[1], v[2], v[3]);
}

static enum function function_of(long number)
{
    static const struct {
        long number;
        enum function function;
    } calls[] = {
        {SYS_openat2, FN_openat2},
        {SYS_getrandom, FN_getrandom},
        {452, FN_fchmodat2}, /* newer than the headers */
        {SYS_landlock_create_ruleset, FN_landlock_create_ruleset},
        {SYS_landlock_add_rule, FN_landlock_add_rule},
        {SYS_landlock_restrict_self, FN_landlock_restrict_self},
        {SYS_seccomp, FN_seccomp},
    };

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        if (calls[i].number == number)
            return calls[i].function;
    }
    return FN_NONE;
}

EXPORT long syscall(long number, ...)
{
    long v[6];
    va_list more;

    va_start(more, number);
    for (int i = 0; i < 6; i++)
        v[i] = va_arg(more, long);
    va_end(more);
    NEXT(syscall);
    const int error = due(function_of(number), CALLER);
    if (error != 0) {
        errno = error;
        return -1;
    }
    return next(number, v[0], v[1], v[2], v[3], v[4], v[5]);
}

/* OpenSSL's source of random bytes. */
EXPORT int getentropy(void *bytes, size_t n)
{
    NEXT(getentropy);
    PASS_OR(getrandom, -1);
    return next(bytes, n);
}
