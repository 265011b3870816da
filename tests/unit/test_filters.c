/* The system call filters as the kernel enforces them: a child enters the sandbox of a program and
 * makes one call. What no row allows must kill it (SIGSYS), whatever the arguments' upper bits say;
 * what the program needs must pass. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/facts.h"
#include "common/filters.h"
#include "common/sandbox.h"

#define SANDBOX_ID    45000
#define LAST_CALL     600 /* past the newest system call there is */
#define PATIENCE_S    10
#define NOT_SANDBOXED 101
#define NOT_PREPARED  102

#define W 1u /* the SFTP worker */
#define H 2u /* the hasher */

static char base[64], file[128];

/* ------------------------------------------------------------------------- a child in a sandbox */

/* Descriptors as in a worker: 3, 4 and 5 are sockets, 6 and 7 a file; 8 to 10 are the sockets'
 * other ends. */
static bool place_descriptors(void)
{
    int pairs[3][2];

    for (int i = 0; i < 3; i++) {
        const int type = i == 1 ? SOCK_STREAM : SOCK_SEQPACKET;
        if (socketpair(AF_UNIX, type, 0, pairs[i]) < 0)
            return false;
        for (int j = 0; j < 2; j++) { /* out of the way first */
            if ((pairs[i][j] = fcntl(pairs[i][j], F_DUPFD, 100)) < 0)
                return false;
        }
    }
    const int fd = open(file, O_RDWR);
    const int far = fd < 0 ? -1 : fcntl(fd, F_DUPFD, 100);
    if (far < 0)
        return false;
    return dup2(pairs[0][0], 3) == 3 && dup2(pairs[1][0], 4) == 4 && dup2(pairs[2][0], 5) == 5 &&
           dup2(far, 6) == 6 && dup2(far, 7) == 7 && dup2(pairs[0][1], 8) == 8 &&
           dup2(pairs[1][1], 9) == 9 && dup2(pairs[2][1], 10) == 10 && close_range(11, ~0u, 0) == 0;
}

static void enter(enum process process)
{
    const struct sandbox sandbox = {
        .process = process,
        .empty_dir = base,
        .uid = SANDBOX_ID,
        .gid = SANDBOX_ID,
        .descriptors = 256,
        .file_size = UINT64_MAX,
    };
    /* cmocka catches these and would run on in the child. */
    static const int caught[] = {SIGILL, SIGSEGV, SIGBUS, SIGFPE, SIGSYS};
    char trouble[256];
    uint32_t layers;

    for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
        signal(caught[i], SIG_DFL);
    alarm(PATIENCE_S); /* a call that is let through may wait for ever */
    if (!place_descriptors())
        _exit(NOT_PREPARED);
    if (sandbox_enter(&sandbox, &layers, trouble, sizeof(trouble)) < 0 ||
        (layers & LAYER_SECCOMP) == 0)
        _exit(NOT_SANDBOXED);
}

static int wait_for(pid_t pid)
{
    int status = -1;

    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* Make one call in the sandbox; how the child ended. It ends with 0 if the call came back. */
static int end_of(enum process process, long call, const uint64_t a[6])
{
    const pid_t pid = fork();

    if (pid == 0) {
        enter(process);
        syscall(call, a[0], a[1], a[2], a[3], a[4], a[5]);
        syscall(SYS_exit_group, 0);
    }
    return wait_for(pid);
}

static bool killed(int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

/* ------------------------------------------------------------------------- what must kill */

#define HIGH       (UINT64_C(1) << 32) /* bits that the kernel cuts off a descriptor */
#define MINUS_ONE  UINT64_MAX
#define ANONYMOUS  (MAP_PRIVATE | MAP_ANONYMOUS)
#define READ_WRITE (PROT_READ | PROT_WRITE)

static uint8_t space[4096];
#define AT(address) ((uintptr_t)(address))

static const struct forbidden {
    const char *name;
    unsigned who;
    long call;
    uint64_t arguments[6];
} forbidden[] = {
    // clang-format off
    /* files, by name */
    {"open", W | H, SYS_open, {AT("/etc/passwd"), O_RDONLY}},
    {"openat", W | H, SYS_openat, {(uint64_t)AT_FDCWD, AT("/etc/passwd"), O_RDONLY}},
    {"openat below a descriptor", W | H, SYS_openat, {6, AT("x"), O_RDONLY}},
    {"openat2", W | H, 437, {(uint64_t)AT_FDCWD, AT("/"), AT(space), 24}},
    {"creat", W | H, SYS_creat, {AT("/tmp/x"), 0600}},
    {"stat", W | H, SYS_stat, {AT("/"), AT(space)}},
    {"readlinkat", W | H, SYS_readlinkat, {(uint64_t)AT_FDCWD, AT("/"), AT(space), 10}},
    {"unlink", W | H, SYS_unlink, {AT("/tmp/x")}},
    {"rename", W | H, SYS_rename, {AT("/tmp/x"), AT("/tmp/y")}},
    {"mkdir", W | H, SYS_mkdir, {AT("/tmp/x"), 0700}},
    {"chmod", W | H, SYS_chmod, {AT("/tmp/x"), 0777}},
    {"chroot", W | H, SYS_chroot, {AT("/")}},
    {"chdir", W | H, SYS_chdir, {AT("/")}},
    {"mount", W | H, SYS_mount, {0}},
    {"memfd_create", W | H, SYS_memfd_create, {AT("x"), 0}},
    {"getdents64", W | H, SYS_getdents64, {6, AT(space), sizeof(space)}},
    /* files, by descriptor */
    {"read", W | H, SYS_read, {6, AT(space), 1}},
    {"write to a file", W | H, SYS_write, {6, AT(space), 1}},
    {"write to the client", W | H, SYS_write, {4, AT(space), 1}},
    {"writev", W | H, SYS_writev, {6, AT(space), 0}},
    {"ftruncate", W | H, SYS_ftruncate, {6, 0}},
    {"fchmod", W | H, SYS_fchmod, {6, 0777}},
    {"pread64 of a link", W | H, SYS_pread64, {3, AT(space), 1, 0}},
    {"pread64 of the client", W | H, SYS_pread64, {4, AT(space), 1, 0}},
    {"pread64 of 5", W | H, SYS_pread64, {5, AT(space), 1, 0}},
    {"pread64 of 0", W | H, SYS_pread64, {0, AT(space), 1, 0}},
    {"pread64 of 6 with a bit above an int", W | H, SYS_pread64, {HIGH | 6, AT(space), 1, 0}},
    {"pread64 of 3 with a bit above an int", W | H, SYS_pread64, {HIGH | 3, AT(space), 1, 0}},
    {"pread64 of the highest bit", W | H, SYS_pread64, {(UINT64_C(1) << 63) | 6, AT(space), 1, 0}},
    {"pread64 of 65536", W | H, SYS_pread64, {65536, AT(space), 1, 0}},
    {"pread64 of an int below 0", W | H, SYS_pread64, {UINT32_MAX, AT(space), 1, 0}},
    {"pread64 of -1", W | H, SYS_pread64, {MINUS_ONE, AT(space), 1, 0}},
    {"pwrite64 to a link", W | H, SYS_pwrite64, {3, AT(space), 1, 0}},
    {"pwrite64 to 5", W | H, SYS_pwrite64, {5, AT(space), 1, 0}},
    {"pwrite64 to 3 with a bit above an int", W | H, SYS_pwrite64, {HIGH | 3, AT(space), 1, 0}},
    {"pread64 by the hasher", H, SYS_pread64, {6, AT(space), 1, 0}},
    {"pwrite64 by the hasher", H, SYS_pwrite64, {6, AT(space), 1, 0}},
    {"sendfile", W | H, SYS_sendfile, {4, 6, 0, 1}},
    {"splice", W | H, SYS_splice, {6, 0, 4, 0, 1, 0}},
    {"ioctl", W | H, SYS_ioctl, {4, 0x541b, AT(space)}},
    {"fcntl", W | H, SYS_fcntl, {4, F_GETFL}},
    {"dup", W | H, SYS_dup, {6}},
    {"dup2", W | H, SYS_dup2, {6, 4}},
    {"dup3", W | H, SYS_dup3, {6, 4, 0}},
    {"close by the hasher", H, SYS_close, {4}},
    /* the network */
    {"socket", W | H, SYS_socket, {AF_INET, SOCK_STREAM, 0}},
    {"socket of the kernel's", W | H, SYS_socket, {AF_NETLINK, SOCK_RAW, 0}},
    {"socketpair", W | H, SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, AT(space)}},
    {"connect", W | H, SYS_connect, {4, AT(space), 16}},
    {"bind", W | H, SYS_bind, {4, AT(space), 16}},
    {"listen", W | H, SYS_listen, {4, 1}},
    {"accept4", W | H, SYS_accept4, {4, 0, 0, 0}},
    {"setsockopt", W | H, SYS_setsockopt, {4, SOL_SOCKET, SO_REUSEADDR, AT(space), 4}},
    {"shutdown", W | H, SYS_shutdown, {4, SHUT_RDWR}},
    {"sendmsg to the client", W | H, SYS_sendmsg, {4, AT(space), 0}},
    {"sendmsg to 6", W | H, SYS_sendmsg, {6, AT(space), 0}},
    {"sendmsg to 3 with a bit above an int", W | H, SYS_sendmsg, {HIGH | 3, AT(space), 0}},
    {"recvmsg from the client", W | H, SYS_recvmsg, {4, AT(space), MSG_DONTWAIT}},
    {"recvmsg from 3 with a bit above an int", W | H, SYS_recvmsg, {HIGH | 3, AT(space), 0}},
    {"recvfrom the monitor", W | H, SYS_recvfrom, {3, AT(space), 1, MSG_DONTWAIT, 0, 0}},
    {"recvfrom the agent", W | H, SYS_recvfrom, {5, AT(space), 1, MSG_DONTWAIT, 0, 0}},
    {"recvfrom 4 with a bit above an int", W | H, SYS_recvfrom, {HIGH | 4, AT(space), 1, MSG_DONTWAIT, 0, 0}},
    {"sendto the monitor", W | H, SYS_sendto, {3, AT(space), 1, MSG_DONTWAIT, 0, 0}},
    {"sendto 6", W | H, SYS_sendto, {6, AT(space), 1, 0, 0, 0}},
    {"sendmmsg", W | H, SYS_sendmmsg, {3, AT(space), 1, 0}},
    {"recvmmsg", W | H, SYS_recvmmsg, {3, AT(space), 1, MSG_DONTWAIT, 0}},
    {"sendmsg to the agent by the hasher", H, SYS_sendmsg, {5, AT(space), 0}},
    {"poll by the hasher", H, SYS_poll, {0, 0, 0}},
    {"recvfrom by the hasher", H, SYS_recvfrom, {4, AT(space), 1, MSG_DONTWAIT, 0, 0}},
    /* processes */
    {"execve", W | H, SYS_execve, {AT("/bin/true"), 0, 0}},
    {"execveat", W | H, SYS_execveat, {6, AT(""), 0, 0, AT_EMPTY_PATH}},
    {"fork", W | H, SYS_fork, {0}},
    {"vfork", W | H, SYS_vfork, {0}},
    {"clone", W | H, SYS_clone, {SIGCHLD, 0, 0, 0, 0}},
    {"clone3", W | H, SYS_clone3, {AT(space), 64}},
    {"ptrace", W | H, SYS_ptrace, {0, 0, 0, 0}},
    {"kill", W | H, SYS_kill, {1, 0}},
    {"kill everybody", W | H, SYS_kill, {MINUS_ONE, 0}},
    {"tgkill", W | H, SYS_tgkill, {1, 1, 0}},
    {"pidfd_open", W | H, SYS_pidfd_open, {1, 0}},
    {"process_vm_readv", W | H, SYS_process_vm_readv, {1, 0, 0, 0, 0, 0}},
    {"wait4", W | H, SYS_wait4, {MINUS_ONE, 0, WNOHANG, 0}},
    /* who one is */
    {"setuid", W | H, SYS_setuid, {0}},
    {"setresuid", W | H, SYS_setresuid, {0, 0, 0}},
    {"setgroups", W | H, SYS_setgroups, {0, 0}},
    {"capset", W | H, SYS_capset, {AT(space), AT(space)}},
    {"prctl", W | H, SYS_prctl, {PR_SET_DUMPABLE, 1, 0, 0, 0}},
    {"prctl, only asking", W | H, SYS_prctl, {PR_GET_NAME, AT(space), 0, 0, 0}},
    {"prlimit64", W | H, SYS_prlimit64, {0, 7, 0, AT(space)}},
    {"unshare", W | H, SYS_unshare, {0x10000000}},
    {"setns", W | H, SYS_setns, {6, 0}},
    {"seccomp", W | H, SYS_seccomp, {0, 0, 0}},
    /* memory that can be run */
    {"mmap, executable", W | H, SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC, ANONYMOUS, MINUS_ONE, 0}},
    {"mmap, all at once", W | H, SYS_mmap, {0, 4096, READ_WRITE | PROT_EXEC, ANONYMOUS, MINUS_ONE, 0}},
    {"mmap of a file, executable", W | H, SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, 6, 0}},
    {"mprotect, executable", W | H, SYS_mprotect, {AT(space), 4096, PROT_READ | PROT_EXEC}},
    {"mprotect, all at once", W | H, SYS_mprotect, {AT(space), 4096, READ_WRITE | PROT_EXEC}},
    {"pkey_mprotect", W | H, SYS_pkey_mprotect, {AT(space), 4096, PROT_READ | PROT_EXEC, MINUS_ONE}},
#ifndef SALLYPORT_SANITIZE /* which maps and protects for itself */
    {"mmap of a file", W, SYS_mmap, {0, 4096, PROT_READ, MAP_PRIVATE, 6, 0}},
    {"mmap, shared", W, SYS_mmap, {0, 4096, READ_WRITE, MAP_SHARED | MAP_ANONYMOUS, MINUS_ONE, 0}},
    {"mprotect by the hasher", H, SYS_mprotect, {AT(space), 4096, PROT_READ}},
    {"rt_sigaction", W | H, SYS_rt_sigaction, {SIGUSR1, 0, 0, 8}},
    {"readlink", W | H, SYS_readlink, {AT("/"), AT(space), 10}},
    {"write to stderr", W | H, SYS_write, {2, AT("x"), 0}},
    {"futex by the hasher", H, SYS_futex, {AT(space), FUTEX_WAKE, 1, 0, 0, 0}},
    {"getpid by the hasher", H, SYS_getpid, {0}},
#endif
    /* doors to the rest of the kernel */
    {"io_uring_setup", W | H, SYS_io_uring_setup, {1, AT(space)}},
    {"bpf", W | H, SYS_bpf, {0, AT(space), 8}},
    {"perf_event_open", W | H, SYS_perf_event_open, {AT(space), 0, MINUS_ONE, MINUS_ONE, 0}},
    {"userfaultfd", W | H, SYS_userfaultfd, {0}},
    {"keyctl", W | H, SYS_keyctl, {0, 0, 0, 0, 0}},
    {"init_module", W | H, SYS_init_module, {0, 0, 0}},
    {"shmget", W | H, SYS_shmget, {0, 4096, 01600}},
    {"mq_open", W | H, SYS_mq_open, {AT("x"), 0, 0, 0}},
    {"no call at all", W | H, 100000, {0}},
    // clang-format on
};

static void must_kill(const struct forbidden *f, enum process process)
{
    const int status = end_of(process, f->call, f->arguments);

    if (!killed(status))
        fail_msg("%s: %s is not killed, but ends with %#x", process_name(process), f->name,
                 (unsigned)status);
}

static void test_forbidden_calls(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        if ((forbidden[i].who & W) != 0)
            must_kill(&forbidden[i], PROCESS_SFTP);
        if ((forbidden[i].who & H) != 0)
            must_kill(&forbidden[i], PROCESS_HASHER);
    }
}

static bool has_row(enum process process, int number)
{
    size_t count;
    const struct filter_row *rows = filter_rows(process, &count);

    for (size_t i = 0; i < count; i++) {
        if (rows[i].number == number)
            return true;
    }
    return false;
}

/* uretprobe and uprobe: the kernel's own way back from a probe that root has set. It lets them pass
 * any filter (Linux 6.14 and 6.18), and from anywhere else they do nothing or end the process. */
static bool is_probe(int number)
{
#ifdef __x86_64__
    return number == 335 || number == 336;
#else
    (void)number;
    return false;
#endif
}

/* Every number there is, in every process: what has no row kills. */
static void test_every_other_number(void **state)
{
    static const enum process all[] = {PROCESS_STORE, PROCESS_HASHER, PROCESS_AGENT, PROCESS_SFTP};
    static const uint64_t nothing[6];

    (void)state;
    for (size_t p = 0; p < sizeof(all) / sizeof(all[0]); p++) {
        unsigned tried = 0;
        for (int number = 0; number < LAST_CALL; number++) {
            if (has_row(all[p], number) || is_probe(number))
                continue;
            tried++;
            const int status = end_of(all[p], number, nothing);
            if (!killed(status))
                fail_msg("%s: call %d is not killed, but ends with %#x", process_name(all[p]),
                         number, (unsigned)status);
        }
        assert_true(tried > LAST_CALL - 70);
    }
}

#ifdef __x86_64__
/* The same numbers through the kernel's other doors mean other calls: all of them are shut. */
static void by_the_32_bit_door(void)
{
    long r = 20; /* getpid there */

    __asm__ volatile("int $0x80" : "+a"(r) : : "memory", "r8", "r9", "r10", "r11");
    syscall(SYS_exit_group, 0);
}

static void test_other_doors(void **state)
{
    static const uint64_t nothing[6];

    (void)state;
    assert_true(killed(end_of(PROCESS_SFTP, 0x40000000 | SYS_getpid, nothing)));
    assert_true(killed(end_of(PROCESS_SFTP, 0x40000000 | SYS_exit_group, nothing)));
    pid_t pid = fork();
    if (pid == 0)
        by_the_32_bit_door();
    if (wait_for(pid) != 0) {
        print_message("skipped: this kernel has no 32-bit calls\n");
        return;
    }
    pid = fork();
    if (pid == 0) {
        enter(PROCESS_SFTP);
        by_the_32_bit_door();
    }
    assert_true(killed(wait_for(pid)));
}
#endif

/* ------------------------------------------------------------------------- what must pass */

/* The way of a call that is allowed: its result, or the errno that shows that the kernel did it. */
struct allowed {
    const char *name;
    long call;
    uint64_t arguments[6];
    int error; /* 0: none */
};

static const struct allowed worker_calls[] = {
    // clang-format off
    {"poll", SYS_poll, {0, 0, 0}, 0},
    {"recvfrom the client", SYS_recvfrom, {4, AT(space), 1, MSG_DONTWAIT, 0, 0}, EAGAIN},
    {"sendto the client", SYS_sendto, {4, AT("x"), 1, MSG_DONTWAIT, 0, 0}, 0},
    {"recvmsg from the monitor", SYS_recvmsg, {3, AT(space), MSG_DONTWAIT}, EAGAIN},
    {"recvmsg from the agent", SYS_recvmsg, {5, AT(space), MSG_DONTWAIT}, EAGAIN},
    {"sendmsg to the monitor", SYS_sendmsg, {3, AT(space), MSG_DONTWAIT}, 0},
    {"sendmsg to the agent", SYS_sendmsg, {5, AT(space), MSG_DONTWAIT}, 0},
    {"pwrite64 to a file", SYS_pwrite64, {6, AT("x"), 1, 0}, 0},
    {"pread64 of a file", SYS_pread64, {6, AT(space), 1, 0}, 0},
    {"pread64 of 7", SYS_pread64, {7, AT(space), 1, 0}, 0},
    {"pread64 of 12", SYS_pread64, {12, AT(space), 1, 0}, EBADF},
    {"pread64 of 63", SYS_pread64, {63, AT(space), 1, 0}, EBADF},
    {"pread64 of 1023", SYS_pread64, {1023, AT(space), 1, 0}, EBADF},
    {"pread64 of 65535", SYS_pread64, {65535, AT(space), 1, 0}, EBADF},
    {"close", SYS_close, {7}, 0},
    {"brk", SYS_brk, {0}, 0},
    {"mmap", SYS_mmap, {0, 8192, READ_WRITE, ANONYMOUS, MINUS_ONE, 0}, 0},
    {"mmap, kept free", SYS_mmap, {0, 8192, PROT_NONE, ANONYMOUS | MAP_NORESERVE, MINUS_ONE, 0}, 0},
    {"munmap", SYS_munmap, {AT(0x200000000000), 4096}, 0},
    {"mremap", SYS_mremap, {AT(0x200000000000), 4096, 4096, 0, 0}, EFAULT},
    {"mprotect", SYS_mprotect, {AT(0x200000000000), 4096, PROT_READ}, ENOMEM},
    {"madvise", SYS_madvise, {AT(0x200000000000), 4096, MADV_DONTNEED}, ENOMEM},
    {"getpid", SYS_getpid, {0}, 0},
    {"getrandom", SYS_getrandom, {AT(space), 16, 0}, 0},
    {"clock_gettime", SYS_clock_gettime, {CLOCK_MONOTONIC, AT(space)}, 0},
    {"gettimeofday", SYS_gettimeofday, {AT(space), 0}, 0},
    {"time", SYS_time, {0}, 0},
    {"futex", SYS_futex, {AT(space), FUTEX_WAKE, 1, 0, 0, 0}, 0},
    // clang-format on
};

static const struct allowed hasher_calls[] = {
    // clang-format off
    {"recvmsg", SYS_recvmsg, {3, AT(space), MSG_DONTWAIT}, EAGAIN},
    {"sendmsg", SYS_sendmsg, {3, AT(space), MSG_DONTWAIT}, 0},
    {"getrandom", SYS_getrandom, {AT(space), 16, 0}, 0},
    {"brk", SYS_brk, {0}, 0},
    {"mmap", SYS_mmap, {0, 1 << 20, READ_WRITE, ANONYMOUS, MINUS_ONE, 0}, 0},
    {"munmap", SYS_munmap, {AT(0x200000000000), 4096}, 0},
    // clang-format on
};

/* Each in a child of its own; its exit status tells. */
static void must_pass(enum process process, const struct allowed *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct allowed *c = &calls[i];
        const uint64_t *a = c->arguments;
        const pid_t pid = fork();
        if (pid == 0) {
            enter(process);
            const long r = syscall(c->call, a[0], a[1], a[2], a[3], a[4], a[5]);
            const int error = r == -1 ? errno : 0;
            syscall(SYS_exit_group, error == c->error ? 0 : error == 0 ? 100 : error);
        }
        const int status = wait_for(pid);
        if (status != 0)
            fail_msg("%s: %s ends with %#x", process_name(process), c->name, (unsigned)status);
    }
}

static void test_allowed_calls(void **state)
{
    (void)state;
    must_pass(PROCESS_SFTP, worker_calls, sizeof(worker_calls) / sizeof(worker_calls[0]));
    must_pass(PROCESS_HASHER, hasher_calls, sizeof(hasher_calls) / sizeof(hasher_calls[0]));
}

/* ------------------------------------------------------------------------- the rest of it */

static int make_place(void **state)
{
    (void)state;
    snprintf(base, sizeof(base), "/tmp/sallyport-filters-XXXXXX");
    if (mkdtemp(base) == NULL || chmod(base, 0755) < 0)
        return -1;
    snprintf(file, sizeof(file), "%s/file", base);
    const int fd = open(file, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (fd < 0)
        return -1;
    close(fd);
    return 0;
}

static int remove_place(void **state)
{
    (void)state;
    return unlink(file) < 0 || rmdir(base) < 0 ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_allowed_calls),
        cmocka_unit_test(test_forbidden_calls),
        cmocka_unit_test(test_every_other_number),
#ifdef __x86_64__
        cmocka_unit_test(test_other_doors),
#endif
    };

    return cmocka_run_group_tests(tests, make_place, remove_place);
}
