/* The sandbox fails closed. Each program is started for real, under a system call filter that makes
 * one step of its way into the sandbox fail (or lie), with its setup, its client's connection and a
 * first request already waiting: it must end, say which step it was, and have read nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <linux/landlock.h>
#include <openssl/x509.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/algorithms.h"
#include "common/facts.h"
#include "common/message.h"
#include "common/operations.h"

#define ORDINARY_UID 65534
#define GROUP_BEFORE 12345 /* a group that a child has, to be lost */
#define PATIENCE_MS  20000
#define GREETING                                                                                   \
    "SSH-2.0-a_client_that_is_in_a_hurry\r\n" /* to an FTP server no verb, to a web server no      \
                                                 request */

enum program { WORKER, FTPS, HTTPS, HASHER, STORE, AGENT, PROGRAMS };

#define W     (1u << WORKER | 1u << FTPS | 1u << HTTPS) /* every kind of worker */
#define H     (1u << HASHER)
#define S     (1u << STORE)
#define A     (1u << AGENT)
#define EVERY (W | H | S | A)

static const struct program_fact {
    const char *name;
    uint32_t uid;
    bool own_root; /* it goes into the empty folder */
} programs[PROGRAMS] = {
    [WORKER] = {"sallyport-sftp", 40000, true},  [FTPS] = {"sallyport-ftps", 40001, true},
    [HTTPS] = {"sallyport-https", 40002, true},  [HASHER] = {"sallyport-hash", 39002, true},
    [STORE] = {"sallyport-store", 39001, false}, [AGENT] = {"sallyport-files", 50000, true},
};

/* A system call with an argument that must be so; argument -1: any call of it. */
struct match {
    int call, argument;
    uint64_t value;
};

/* What is made to fail, and the step that must be named for it. A fault with error 0 is a lie: the
 * call says that it did, and did nothing. */
static const struct fault {
    const char *name;
    struct match match, and_too; /* and_too.call 0: none */
    int error;
    bool root_only;
    unsigned programs;
    const char *step;
} faults[] = {
    // clang-format off
    {"chroot", {SYS_chroot, -1, 0}, {0}, EPERM, true, W | H | A, "chroot"},
    {"chdir", {SYS_chdir, -1, 0}, {0}, EPERM, true, W | H | A, "chroot"},
    {"PR_CAPBSET_DROP", {SYS_prctl, 0, PR_CAPBSET_DROP}, {0}, EPERM, true, EVERY, "uid"},
    {"PR_CAPBSET_READ", {SYS_prctl, 0, PR_CAPBSET_READ}, {0}, EPERM, true, EVERY, "uid"},
    {"setgroups", {SYS_setgroups, -1, 0}, {0}, EPERM, true, EVERY, "uid"},
    {"setgroups lies", {SYS_setgroups, -1, 0}, {0}, 0, true, EVERY, "uid"},
    {"setresgid", {SYS_setresgid, -1, 0}, {0}, EPERM, true, EVERY, "uid"},
    {"setresgid lies", {SYS_setresgid, -1, 0}, {0}, 0, true, EVERY, "uid"},
    {"setresuid", {SYS_setresuid, -1, 0}, {0}, EPERM, true, EVERY, "uid"},
    {"setresuid lies", {SYS_setresuid, -1, 0}, {0}, 0, true, EVERY, "uid"},
    {"getresuid", {SYS_getresuid, -1, 0}, {0}, EPERM, true, EVERY, "uid"},
    {"getresgid", {SYS_getresgid, -1, 0}, {0}, EPERM, true, EVERY, "uid"},
    {"getgroups", {SYS_getgroups, -1, 0}, {0}, EPERM, true, EVERY, "uid"},
    {"capset", {SYS_capset, -1, 0}, {0}, EPERM, false, EVERY, "capabilities"},
    {"PR_SET_NO_NEW_PRIVS", {SYS_prctl, 0, PR_SET_NO_NEW_PRIVS}, {0}, EPERM, false, EVERY, "no_new_privs"},
    {"PR_SET_DUMPABLE", {SYS_prctl, 0, PR_SET_DUMPABLE}, {0}, EPERM, false, EVERY, "not dumpable"},
    {"PR_SET_PDEATHSIG", {SYS_prctl, 0, PR_SET_PDEATHSIG}, {0}, EPERM, false, EVERY, "not dumpable"},
#ifndef SALLYPORT_SANITIZE /* whose own start sets this limit */
    {"RLIMIT_CORE", {SYS_prlimit64, 1, RLIMIT_CORE}, {0}, EPERM, false, EVERY, "resource limits"},
#endif
    {"RLIMIT_NPROC", {SYS_prlimit64, 1, RLIMIT_NPROC}, {0}, EPERM, false, EVERY, "resource limits"},
    {"RLIMIT_NOFILE", {SYS_prlimit64, 1, RLIMIT_NOFILE}, {0}, EPERM, false, EVERY, "resource limits"},
    {"RLIMIT_FSIZE", {SYS_prlimit64, 1, RLIMIT_FSIZE}, {0}, EPERM, false, H, "resource limits"},
    {"landlock_create_ruleset", {SYS_landlock_create_ruleset, 2, 0}, {0}, EPERM, false, EVERY, "Landlock"},
    {"landlock_add_rule", {SYS_landlock_add_rule, -1, 0}, {0}, EPERM, false, S | A, "Landlock"},
    {"landlock_restrict_self", {SYS_landlock_restrict_self, -1, 0}, {0}, EPERM, false, EVERY, "Landlock"},
    {"seccomp", {SYS_seccomp, 0, SECCOMP_SET_MODE_FILTER}, {0}, EPERM, false, EVERY, "seccomp"},
    {"PR_SET_SECCOMP", {SYS_seccomp, -1, 0}, {SYS_prctl, 0, PR_SET_SECCOMP}, EPERM, false, EVERY, "seccomp"},
    // clang-format on
};

/* A kernel without Landlock: the one layer that may be missing. */
static const struct fault no_landlock = {
    "no Landlock", {SYS_landlock_create_ruleset, -1, 0}, {0}, ENOSYS, false, EVERY, ""};

/* One start of a program, and the test's ends of all that it was given. */
struct run {
    enum program program;
    bool root; /* it is started as root */
    pid_t pid;
    int link, errors;
    int client, served;        /* the worker's client, and a duplicate of what the worker got */
    int peer, asked, reports;  /* the agent's worker, a duplicate of the agent's end; the store */
    char base[64], told[4096]; /* why it did not start, by its own words */
    bool ready;
    uint32_t layers;
    int status;
    struct envelope e;
};

/* ------------------------------------------------------------------------- the child's start */

static bool add_match(scmp_filter_ctx filter, const struct match *m, int error)
{
    const struct scmp_arg_cmp is =
        SCMP_CMP64(m->argument < 0 ? 0u : (unsigned)m->argument, SCMP_CMP_EQ, m->value, 0);
    /* Limits are read by the same call: only one that is set has a third argument. */
    const struct scmp_arg_cmp set = SCMP_CMP64(2, SCMP_CMP_NE, 0, 0);
    const struct scmp_arg_cmp both[2] = {is, set};
    const unsigned n = m->argument < 0 ? 0 : m->call == SYS_prlimit64 ? 2 : 1;

    return seccomp_rule_add_array(filter, SCMP_ACT_ERRNO((unsigned)error), m->call, n, both) == 0;
}

static bool install(const struct fault *fault)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    const bool good =
        filter != NULL &&
        seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, geteuid() == 0 ? 0 : 1) == 0 &&
        add_match(filter, &fault->match, fault->error) &&
        (fault->and_too.call == 0 || add_match(filter, &fault->and_too, fault->error)) &&
        seccomp_load(filter) == 0;

    seccomp_release(filter);
    return good;
}

/* In the child: descriptors as the monitor's children have them, ids, the fault, the program. */
static void become_program(const struct run *r, int program, int link, int errors,
                           const struct fault *fault)
{
    const gid_t group = GROUP_BEFORE;
    char *const arguments[] = {(char *)programs[r->program].name, NULL};
#ifdef SALLYPORT_SANITIZE
    char *const environment[] = {"ASAN_OPTIONS=detect_leaks=0", NULL};
#else
    char *const environment[] = {NULL};
#endif
    const int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    const int kept_program = fcntl(program, F_DUPFD_CLOEXEC, 20);
    const int kept_errors = fcntl(errors, F_DUPFD_CLOEXEC, 20);
    const int kept_link = fcntl(link, F_DUPFD_CLOEXEC, 20);

    signal(SIGPIPE, SIG_DFL);
    if (nowhere < 0 || kept_program < 0 || kept_errors < 0 || kept_link < 0 ||
        dup2(nowhere, 0) < 0 || dup2(nowhere, 1) < 0 || dup2(kept_errors, 2) < 0 ||
        dup2(kept_link, FD_MONITOR) < 0 ||
        close_range(FD_MONITOR + 1, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
        _exit(101);
    if (geteuid() == 0) {
        if (setgroups(r->root ? 1 : 0, &group) < 0)
            _exit(102);
        if (!r->root && (setresgid(ORDINARY_UID, ORDINARY_UID, ORDINARY_UID) < 0 ||
                         setresuid(ORDINARY_UID, ORDINARY_UID, ORDINARY_UID) < 0))
            _exit(103);
    }
    if (fault != NULL && !install(fault))
        _exit(104);
    fexecve(kept_program, arguments, environment);
    _exit(105);
}

/* ------------------------------------------------------------------------- what waits for it */

/* A connection over TCP with bytes to read in it. */
static void open_client(struct run *r)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int waiting = 0;

    assert_true(listener >= 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    r->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(r->client, (struct sockaddr *)&address, len), 0);
    r->served = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(r->served >= 0);
    close(listener);
    assert_int_equal(write(r->client, GREETING, strlen(GREETING)), strlen(GREETING));
    while (waiting < (int)strlen(GREETING)) {
        struct pollfd wait = {.fd = r->served, .events = POLLIN};
        assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
        assert_int_equal(ioctl(r->served, FIONREAD, &waiting), 0);
    }
}

/* The connection, with the bytes of a client that does not wait to be greeted. */
static void give_client(struct run *r)
{
    const struct client client = {.address = slice_text("127.0.0.1")};

    open_client(r);
    assert_int_equal(send_client_fds(r->link, 2, &client, &r->served, 1), 0);
}

static void prepare_worker(struct run *r)
{
    static const uint8_t host_key[] = {
        0,    0,    0,    51,   0,    0,    0,    11,   's',  's',  'h',  '-',  'e',  'd',
        '2',  '5',  '5',  '1',  '9',  0,    0,    0,    32,   0xd7, 0x5a, 0x98, 0x01, 0x82,
        0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e, 0xe1, 0x72,
        0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
    }; /* RFC 8032, 7.1, test 1 */
    char empty[128];
    snprintf(empty, sizeof(empty), "%s/empty", r->base);
    const struct worker_setup setup = {
        .host_keys = slice_of(host_key, sizeof(host_key)),
        .empty_dir = slice_text(empty),
        .uid = programs[WORKER].uid,
        .gid = programs[WORKER].uid,
        .log_level = 2,
        .kex = slice_text(SFTP_KEX),
        .ciphers = slice_text(SFTP_CIPHERS),
        .macs = slice_text(SFTP_MACS),
        .host_key_algorithms = slice_text(SFTP_HOST_KEY_ALGORITHMS),
        .public_key_algorithms = slice_text(SFTP_PUBLIC_KEY_ALGORITHMS),
        .grace_seconds = 60,
        .idle_seconds = 60,
        .rekey_bytes = UINT64_C(1) << 30,
        .rekey_seconds = 3600,
    };

    assert_int_equal(send_worker_setup(r->link, 1, &setup), 0);
    give_client(r);
}

/* An SSH string of one certificate (P-256, self-signed), made once. */
static struct slice certificate(void)
{
    static uint8_t chain[2048];
    static size_t len;
    EVP_PKEY *key;
    X509 *x;
    unsigned char *end = chain + 4;

    if (len > 0)
        return slice_of(chain, len);
    key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    x = X509_new();
    assert_true(key != NULL && x != NULL && X509_set_version(x, 2) == 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(x), -60));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(x), 3600));
    assert_int_equal(X509_set_pubkey(x, key), 1);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    const int n = i2d_X509(x, NULL);
    assert_true(n > 0 && (size_t)n + 4 <= sizeof(chain));
    assert_int_equal(i2d_X509(x, &end), n);
    chain[2] = (uint8_t)(n >> 8);
    chain[3] = (uint8_t)n;
    len = (size_t)n + 4;
    X509_free(x);
    EVP_PKEY_free(key);
    return slice_of(chain, len);
}

static void prepare_ftps(struct run *r)
{
    char empty[128];
    snprintf(empty, sizeof(empty), "%s/empty", r->base);
    const struct ftps_setup setup = {
        .certificates = certificate(),
        .empty_dir = slice_text(empty),
        .uid = programs[FTPS].uid,
        .gid = programs[FTPS].uid,
        .log_level = 2,
        .tls_least = TLS_1_2,
        .ciphers12 = slice_text(TLS_CIPHERS),
        .ciphers13 = slice_text(TLS_CIPHERSUITES),
        .groups = slice_text(TLS_GROUPS),
        .grace_seconds = 60,
        .idle_seconds = 60,
        .data_seconds = 30,
    };

    assert_int_equal(send_ftps_setup(r->link, 1, &setup), 0);
    give_client(r);
}

/* Its client comes to the port that redirects: a request is answered without TLS. */
static void prepare_https(struct run *r)
{
    char empty[128];
    snprintf(empty, sizeof(empty), "%s/empty", r->base);
    const struct https_setup setup = {
        .certificates = certificate(),
        .empty_dir = slice_text(empty),
        .uid = programs[HTTPS].uid,
        .gid = programs[HTTPS].uid,
        .log_level = 2,
        .tls_least = TLS_1_2,
        .ciphers12 = slice_text(TLS_CIPHERS),
        .ciphers13 = slice_text(TLS_CIPHERSUITES),
        .groups = slice_text(TLS_GROUPS),
        .organisation = slice_text("sallyport"),
        .port = 443,
        .request_seconds = 60,
        .idle_seconds = 60,
    };

    assert_int_equal(send_https_setup(r->link, 1, &setup), 0);
    give_client(r);
}

static void prepare_hasher(struct run *r)
{
    char empty[128];
    snprintf(empty, sizeof(empty), "%s/empty", r->base);
    const struct hash_setup setup = {.empty_dir = slice_text(empty),
                                     .uid = programs[HASHER].uid,
                                     .gid = programs[HASHER].uid,
                                     .cost = 1};
    const struct hash_password request = {.password = slice_text("password")};

    assert_int_equal(send_hash_setup(r->link, 1, &setup), 0);
    assert_int_equal(send_hash_password(r->link, 2, &request), 0);
}

static void prepare_store(struct run *r)
{
    char state[128];
    snprintf(state, sizeof(state), "%s/own", r->base);
    const struct store_setup setup = {.state_dir = slice_text(state),
                                      .uid = programs[STORE].uid,
                                      .gid = programs[STORE].uid,
                                      .account_id_first = 50000,
                                      .account_id_last = 59999,
                                      .rotate_bytes = UINT64_C(1) << 30};
    const struct user_show request = {.name = slice_text("nobody")};

    assert_int_equal(send_store_setup(r->link, 1, &setup), 0);
    assert_int_equal(send_user_show(r->link, 2, &request), 0);
}

static void prepare_agent(struct run *r)
{
    char home[128], empty[128];
    uint8_t folders[512];
    int worker[2], store[2];
    snprintf(empty, sizeof(empty), "%s/empty", r->base);
    snprintf(home, sizeof(home), "%s/own", r->base);
    const struct folder folder = {
        .name = slice_text("/"), .path = slice_text(home), .rights = RIGHTS_ALL};
    const ssize_t len = nest_folder(&folder, folders, 0, sizeof(folders));
    const struct agent_setup setup = {.session = 1,
                                      .account = slice_text("anna"),
                                      .empty_dir = slice_text(empty),
                                      .uid = programs[AGENT].uid,
                                      .gid = programs[AGENT].uid,
                                      .umask = 027,
                                      .log_level = 2,
                                      .folders = slice_of(folders, len > 0 ? (size_t)len : 0)};
    const struct file_stat request = {.path = slice_text("/")};

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, worker), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, store), 0);
    r->peer = worker[0];
    r->asked = worker[1];
    r->reports = store[0];
    assert_int_equal(send_file_stat(r->peer, 9, &request), 0);
    assert_int_equal(
        send_agent_setup_fds(r->link, 1, &setup, (const int[]){worker[1], store[1]}, 2), 0);
    close(store[1]);
}

/* ------------------------------------------------------------------------- a run */

static void make_folders(struct run *r)
{
    const uid_t owner = r->root ? programs[r->program].uid : ORDINARY_UID;
    char path[128];

    snprintf(r->base, sizeof(r->base), "/tmp/sallyport-closed-XXXXXX");
    assert_non_null(mkdtemp(r->base));
    assert_int_equal(chmod(r->base, 0755), 0);
    snprintf(path, sizeof(path), "%s/empty", r->base);
    assert_int_equal(mkdir(path, 0555), 0);
    snprintf(path, sizeof(path), "%s/own", r->base);
    assert_int_equal(mkdir(path, 0700), 0);
    if (geteuid() == 0)
        assert_int_equal(chown(path, owner, owner), 0);
}

static struct run *run_start(enum program program, bool root, const struct fault *fault)
{
    static void (*const prepare[PROGRAMS])(struct run *) = {
        [WORKER] = prepare_worker, [FTPS] = prepare_ftps,   [HASHER] = prepare_hasher,
        [STORE] = prepare_store,   [AGENT] = prepare_agent, [HTTPS] = prepare_https,
    };
    const char *build = getenv("SALLYPORT_BUILD");
    struct run *r = calloc(1, sizeof(*r));
    char path[4096];
    int link[2], errors[2];

    assert_non_null(r);
    *r = (struct run){.program = program, .root = root};
    r->client = r->served = r->peer = r->asked = r->reports = -1;
    make_folders(r);
    snprintf(path, sizeof(path), "%s/%s", build != NULL ? build : "build/release",
             programs[program].name);
    const int binary = open(path, O_RDONLY | O_CLOEXEC);
    if (binary < 0)
        fail_msg("%s: %s", path, strerror(errno));
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link), 0);
    assert_int_equal(pipe2(errors, O_CLOEXEC), 0);
    r->link = link[0];
    r->errors = errors[0];
    prepare[program](r);
    r->pid = fork();
    assert_true(r->pid >= 0);
    if (r->pid == 0)
        become_program(r, binary, link[1], errors[1], fault);
    close(link[1]);
    close(errors[1]);
    close(binary);
    return r;
}

/* One message of the program. Its refusal to start is told by a line of the log or with ready. */
static void note_message(struct run *r)
{
    struct worker_ready worker;
    struct worker_log line;
    struct hash_ready hasher;
    struct store_ready store;
    struct agent_ready agent;
    struct slice trouble = slice_of(NULL, 0);

    if (decode_worker_log(&r->e, &line) == 0) {
        slice_copy(line.text, r->told, sizeof(r->told));
        return;
    }
    if (decode_worker_ready(&r->e, &worker) == 0) {
        r->layers = worker.layers;
    } else if (decode_hash_ready(&r->e, &hasher) == 0) {
        r->layers = hasher.layers;
    } else if (decode_store_ready(&r->e, &store) == 0) {
        r->layers = store.layers;
        trouble = store.trouble;
    } else if (decode_agent_ready(&r->e, &agent) == 0) {
        r->layers = agent.layers;
        trouble = agent.trouble;
    } else {
        fail_msg("%s says %s before it is ready", programs[r->program].name,
                 message_info(r->e.type)->name);
    }
    if (trouble.len > 0)
        slice_copy(trouble, r->told, sizeof(r->told));
    else
        r->ready = true;
}

static int next_message(int link, struct envelope *e)
{
    struct pollfd wait = {.fd = link, .events = POLLIN};

    if (poll(&wait, 1, PATIENCE_MS) != 1)
        fail_msg("no message within %d ms", PATIENCE_MS);
    return message_receive(link, e, 0);
}

/* Until it is ready or has ended. */
static void run_watch(struct run *r)
{
    while (!r->ready && next_message(r->link, &r->e) == 1) {
        note_message(r);
        envelope_clear(&r->e);
    }
    if (r->ready)
        return;
    const ssize_t n = r->told[0] == '\0' ? read(r->errors, r->told, sizeof(r->told) - 1) : 0;
    if (n > 0)
        r->told[n] = '\0';
    assert_int_equal(waitpid(r->pid, &r->status, 0), r->pid);
    r->pid = 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)type;
    (void)walk;
    return remove(path);
}

static void run_end(struct run *r)
{
    const int all[] = {r->link, r->errors, r->client, r->served, r->peer, r->asked, r->reports};

    if (r->pid > 0) {
        kill(r->pid, SIGKILL);
        waitpid(r->pid, NULL, 0);
    }
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (all[i] >= 0)
            close(all[i]);
    }
    nftw(r->base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(r);
}

/* ------------------------------------------------------------------------- it fails closed */

/* Not a byte of the client's was read, nor one written to it. */
static void client_untouched(const struct run *r, const char *fault)
{
    char bytes[256];
    int waiting = -1;

    assert_int_equal(ioctl(r->served, FIONREAD, &waiting), 0);
    if (waiting != (int)strlen(GREETING))
        fail_msg("%s: %d of %zu bytes of the client are left", fault, waiting, strlen(GREETING));
    assert_int_equal(recv(r->served, bytes, sizeof(bytes), MSG_DONTWAIT), strlen(GREETING));
    assert_memory_equal(bytes, GREETING, strlen(GREETING));
    assert_int_equal(recv(r->client, bytes, sizeof(bytes), MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
}

/* The agent's request is where it was, and nobody answered it. */
static void request_untouched(struct run *r, const char *fault)
{
    if (message_receive(r->asked, &r->e, MSG_DONTWAIT) != 1 || r->e.id != 9)
        fail_msg("%s: the agent has read a request", fault);
    envelope_clear(&r->e);
    assert_int_equal(message_receive(r->peer, &r->e, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
}

static void must_fail(enum program program, bool root, const struct fault *fault)
{
    struct run *r = run_start(program, root, fault);
    const char *name = programs[program].name;

    run_watch(r);
    if (r->ready)
        fail_msg("%s goes on without: %s", name, fault->name);
    if (!WIFEXITED(r->status) || WEXITSTATUS(r->status) == 0 || WEXITSTATUS(r->status) > 100)
        fail_msg("%s, %s: ended with status %#x", name, fault->name, (unsigned)r->status);
    if (strstr(r->told, fault->step) == NULL)
        fail_msg("%s, %s: expected to fail at \"%s\", told \"%s\"", name, fault->name, fault->step,
                 r->told);
    if (r->client >= 0)
        client_untouched(r, fault->name);
    if (program == AGENT)
        request_untouched(r, fault->name);
    run_end(r);
}

static int landlock_abi(void)
{
    return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

/* All steps of one program that apply to who starts it. */
static void each_fault(enum program program, bool root)
{
    unsigned tried = 0;

    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        const struct fault *f = &faults[i];
        if ((f->programs & 1u << program) == 0 || (f->root_only && !root) ||
            (strcmp(f->step, "Landlock") == 0 && landlock_abi() <= 0))
            continue;
        must_fail(program, root, f);
        tried++;
    }
    if (landlock_abi() <= 0)
        print_message("skipped: this kernel has no Landlock\n");
    assert_true(tried >= 8);
    print_message("%s, started %s: %u steps made to fail\n", programs[program].name,
                  root ? "as root" : "as an ordinary user", tried);
}

/* ------------------------------------------------------------------------- and goes on if it holds
 */

/* A line of /proc/PID/status is so. */
static void status_is(const struct run *r, const char *name, const char *expected)
{
    char path[64], line[256];
    bool found = false;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)r->pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (!found && fgets(line, sizeof(line), file) != NULL) {
        const size_t n = strlen(name);
        if (strncmp(line, name, n) != 0 || line[n] != ':')
            continue;
        found = true;
        line[strcspn(line, "\n")] = '\0';
        assert_string_equal(line + n + 1 + strspn(line + n + 1, " \t"), expected);
    }
    fclose(file);
    assert_true(found);
}

static void in_force(const struct run *r, uint32_t missing)
{
    static const char *const sets[] = {"CapInh", "CapPrm", "CapEff", "CapAmb"};
    const uint32_t always = LAYER_CAPABILITIES | LAYER_NO_NEW_PRIVS | LAYER_NOT_DUMPABLE |
                            LAYER_RLIMITS | LAYER_SECCOMP |
                            (landlock_abi() > 0 ? LAYER_LANDLOCK : 0);
    const uint32_t as_root = LAYER_IDS | (programs[r->program].own_root ? LAYER_CHROOT : 0);
    const uint32_t uid = programs[r->program].uid;
    char ids[64], path[128], root[256];

    assert_int_equal(r->layers, (always | (r->root ? as_root : 0)) & ~missing);
    status_is(r, "Seccomp", "2");
    status_is(r, "NoNewPrivs", "1");
    for (size_t i = 0; i < 4; i++)
        status_is(r, sets[i], "0000000000000000");
    if (!r->root)
        return;
    status_is(r, "CapBnd", "0000000000000000");
    status_is(r, "Groups", "");
    snprintf(ids, sizeof(ids), "%u\t%u\t%u\t%u", uid, uid, uid, uid);
    status_is(r, "Uid", ids);
    status_is(r, "Gid", ids);
    snprintf(path, sizeof(path), "/proc/%d/root", (int)r->pid);
    const ssize_t n = readlink(path, root, sizeof(root) - 1);
    assert_true(n > 0);
    root[n] = '\0';
    snprintf(path, sizeof(path), "%s/empty", r->base);
    assert_string_equal(root, programs[r->program].own_root ? path : "/");
}

/* What was waiting is served now: the checks above would have seen it. */
static void serves(struct run *r)
{
    static const enum message_type answers[] = {
        [HASHER] = MSG_hashed, [STORE] = MSG_nothing_more, [AGENT] = MSG_file_attributes};
    const char *begins = r->program == FTPS    ? "220 "
                         : r->program == HTTPS ? "HTTP/1.1 501 "
                                               : "SSH-2.0-";
    char banner[256];
    int waiting = -1;

    if (r->client < 0) {
        assert_int_equal(next_message(r->program == AGENT ? r->peer : r->link, &r->e), 1);
        if (r->e.type != answers[r->program])
            fail_msg("%s answers %s", programs[r->program].name, message_info(r->e.type)->name);
        envelope_clear(&r->e);
        return;
    }
    struct pollfd wait = {.fd = r->client, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
    assert_true(recv(r->client, banner, sizeof(banner), 0) > (ssize_t)strlen(begins));
    assert_memory_equal(banner, begins, strlen(begins));
    for (int ms = 0; waiting != 0 && ms < PATIENCE_MS; ms++) {
        assert_int_equal(ioctl(r->served, FIONREAD, &waiting), 0);
        poll(NULL, 0, 1);
    }
    assert_int_equal(waiting, 0);
}

static void must_hold(enum program program, bool root, const struct fault *fault, uint32_t missing)
{
    struct run *r = run_start(program, root, fault);

    run_watch(r);
    if (!r->ready)
        fail_msg("%s is not ready: %s", programs[program].name, r->told);
    in_force(r, missing);
    serves(r);
    run_end(r);
}

/* ------------------------------------------------------------------------- the tests */

#define BY_ROOT_OR_SKIP                                                                            \
    if (geteuid() != 0) {                                                                          \
        print_message("skipped: chroot, ids and the bounding set are steps of root's only\n");     \
        return;                                                                                    \
    }

#define PROGRAM_TESTS(name, PROGRAM)                                                               \
    static void test_##name##_as_root(void **state)                                                \
    {                                                                                              \
        (void)state;                                                                               \
        BY_ROOT_OR_SKIP                                                                            \
        each_fault(PROGRAM, true);                                                                 \
    }                                                                                              \
    static void test_##name##_as_ordinary_user(void **state)                                       \
    {                                                                                              \
        (void)state;                                                                               \
        each_fault(PROGRAM, false);                                                                \
    }
PROGRAM_TESTS(worker, WORKER)
PROGRAM_TESTS(ftps, FTPS)
PROGRAM_TESTS(https, HTTPS)
PROGRAM_TESTS(hasher, HASHER)
PROGRAM_TESTS(store, STORE)
PROGRAM_TESTS(agent, AGENT)

static void test_all_holds(void **state)
{
    (void)state;
    for (enum program p = 0; p < PROGRAMS; p++)
        must_hold(p, false, NULL, 0);
    BY_ROOT_OR_SKIP
    for (enum program p = 0; p < PROGRAMS; p++)
        must_hold(p, true, NULL, 0);
}

static void test_without_landlock_the_rest_holds(void **state)
{
    (void)state;
    for (enum program p = 0; p < PROGRAMS; p++)
        must_hold(p, false, &no_landlock, LAYER_LANDLOCK);
    BY_ROOT_OR_SKIP
    for (enum program p = 0; p < PROGRAMS; p++)
        must_hold(p, true, &no_landlock, LAYER_LANDLOCK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_holds),
        cmocka_unit_test(test_without_landlock_the_rest_holds),
        cmocka_unit_test(test_worker_as_root),
        cmocka_unit_test(test_worker_as_ordinary_user),
        cmocka_unit_test(test_ftps_as_root),
        cmocka_unit_test(test_ftps_as_ordinary_user),
        cmocka_unit_test(test_https_as_root),
        cmocka_unit_test(test_https_as_ordinary_user),
        cmocka_unit_test(test_hasher_as_root),
        cmocka_unit_test(test_hasher_as_ordinary_user),
        cmocka_unit_test(test_store_as_root),
        cmocka_unit_test(test_store_as_ordinary_user),
        cmocka_unit_test(test_agent_as_root),
        cmocka_unit_test(test_agent_as_ordinary_user),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
