/* A server of the test's own: its folder, its programs with stand-ins for some, its account, its
 * control socket, its log. Called by main.c and the parts. Started and ended by pid. */
#include <crypt.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/hostile/hostile.h"
#include "tests/hostile/orders.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16 */
#endif

#define RIGHTS  127 /* all */
#define GRACE   60  /* seconds to log in */
#define STILL   10  /* looks, 20 ms apart, that tell of no change */
#define SETTLED 40  /* looks, 50 ms apart, until what is left stays */

static void copy_program(const char *from, const char *to)
{
    char buffer[65536];
    const int in = open(from, O_RDONLY | O_CLOEXEC);
    const int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    ssize_t n;

    if (in < 0 || out < 0)
        give_up("%s: %s", from, strerror(errno));
    while ((n = read(in, buffer, sizeof(buffer))) > 0) {
        if (write(out, buffer, (size_t)n) != n)
            give_up("%s: %s", to, strerror(errno));
    }
    if (n < 0 || fchmod(out, 0755) < 0)
        give_up("%s: %s", to, strerror(errno));
    close(in);
    close(out);
}

static void install(const struct hostile *h, const char *program, const char *as)
{
    char from[4352], to[256];

    snprintf(from, sizeof(from), "%s/%s", h->options.build, program);
    snprintf(to, sizeof(to), "%s/programs/%s", h->place, as);
    copy_program(from, to);
}

static void make_folders(struct hostile *h)
{
    static const char real[] = "programs/" REAL_NAME;
    static const char *const folders[] = {"state", "keys", "run", "homes", "programs", real};
    char path[256];

    if (snprintf(h->place, sizeof(h->place), "/tmp/sallyport-hostile-XXXXXX") < 0 ||
        mkdtemp(h->place) == NULL || chmod(h->place, 0711) < 0)
        give_up("%s: %s", h->place, strerror(errno));
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", h->place, folders[i]);
        if (mkdir(path, 0711) < 0 || chmod(path, i < 2 ? 0700 : 0711) < 0)
            give_up("%s: %s", path, strerror(errno));
    }
    install(h, "sallyportd", "sallyportd");
    for (size_t i = 0; i < ROLE_COUNT; i++) {
        const bool stand_in = (h->stand_ins & 1u << i) != 0;
        char as[64];
        snprintf(as, sizeof(as), "%s%s", stand_in ? REAL_NAME "/" : "", role_programs[i]);
        install(h, role_programs[i], as);
        if (stand_in)
            install(h, "hostile-child", role_programs[i]);
    }
}

/* Stand-ins report here. */
static void open_orders(struct hostile *h)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    snprintf(at.sun_path, sizeof(at.sun_path), "%s/programs/" ORDERS_NAME, h->place);
    h->orders = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (h->orders < 0 || bind(h->orders, (struct sockaddr *)&at, sizeof(at)) < 0 ||
        chmod(at.sun_path, 0777) < 0 || listen(h->orders, 512) < 0)
        give_up("%s: %s", at.sun_path, strerror(errno));
}

static uint16_t free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) < 0)
        give_up("no free port: %s", strerror(errno));
    close(fd);
    return ntohs(at.sin_port);
}

/* Whoever holds the name of an abstract socket has its ports: several runs go on at a time. They
 * lie below those that the kernel gives to clients, and above those of the end-to-end tests. */
void passive_claim(struct hostile *h)
{
    enum { FIRST = 29000, SHARES = 500 };
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    for (unsigned i = 0; i < SHARES; i++) {
        h->passive_first = (uint16_t)(FIRST + i * PASSIVE_PORTS);
        snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "sallyport-hostile-%u",
                 h->passive_first);
        if (fd >= 0 && bind(fd, (struct sockaddr *)&name, sizeof(name)) == 0)
            return;
    }
    give_up("no ports for data connections: %s", strerror(errno));
}

static void write_config(struct hostile *h, unsigned grace)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/sallyport.conf", h->place);
    FILE *f = fopen(path, "we");
    if (f == NULL)
        give_up("%s: %s", path, strerror(errno));
    fprintf(f,
            "[server]\nstate_dir = %s/state\nkey_dir = %s/keys\nhome_base = %s/homes\n"
            "run_dir = %s/run\nprograms = %s/programs\nhash_cost = 1\nspare_workers = %u\n"
            "%s%.0u\n"
            "[sftp]\nlisten = 127.0.0.1\nport = %u\n"
            "[ftps]\nenabled = %s\nlisten = 127.0.0.1\nport = %u\npassive_ports = %u-%u\n"
            "data_wait = %u\n"
            "[https]\nenabled = %s\nlisten = 127.0.0.1\nport = %u\nredirect = no\n"
            "[limits]\nconnections_per_address = 1000\npenalty_exempt = 127.0.0.1\n"
            "login_grace = %u\n"
            "[accounts]\nlinks_an_hour = 1000\n"
            "[mail]\nenabled = yes\nsendmail = /bin/false\n", /* nothing is ever delivered */
            h->place, h->place, h->place, h->place, h->place, h->spares,
            h->hashers != 0 ? "hashers = " : "", h->hashers, h->ports[ROLE_SFTP],
            (h->stand_ins & 1u << ROLE_FTPS) != 0 ? "yes" : "no", h->ports[ROLE_FTPS],
            h->passive_first, h->passive_first + PASSIVE_PORTS - 1, grace,
            (h->stand_ins & 1u << ROLE_HTTPS) != 0 ? "yes" : "no", h->ports[ROLE_HTTPS], grace);
    if (fclose(f) != 0)
        give_up("%s: %s", path, strerror(errno));
}

/* As on a kernel before 6.16: descriptors are refused by who receives them. */
static int forget_passrights(bool root)
{
    const struct scmp_arg_cmp passrights[] = {
        {.arg = 1, .op = SCMP_CMP_EQ, .datum_a = SOL_SOCKET},
        {.arg = 2, .op = SCMP_CMP_EQ, .datum_a = SO_PASSRIGHTS},
    };
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int r = filter != NULL ? seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, root ? 0 : 1) : -1;

    if (r == 0)
        r = seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(ENOPROTOOPT), SCMP_SYS(setsockopt), 2,
                                   passrights);
    if (r == 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    return r;
}

static void run_server(struct hostile *h)
{
    char program[256], config[256], log[256];

    snprintf(program, sizeof(program), "%s/programs/sallyportd", h->place);
    snprintf(config, sizeof(config), "%s/sallyport.conf", h->place);
    snprintf(log, sizeof(log), "%s/log", h->place);
    h->log = open(log, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (h->log < 0)
        give_up("%s: %s", log, strerror(errno));
    h->server = fork();
    if (h->server < 0)
        give_up("fork: %s", strerror(errno));
    if (h->server == 0) {
        char *const arguments[] = {program, "-c", config, NULL};
        char *const environment[] = {"ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=1",
                                     "UBSAN_OPTIONS=print_stacktrace=1", NULL};
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if ((h->new_kernel || forget_passrights(h->root) == 0) && dup2(h->log, 1) == 1 &&
            dup2(h->log, 2) == 2 && chdir("/") == 0)
            execve(program, arguments, environment);
        _exit(127);
    }
}

static void open_control(struct hostile *h)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    const struct timespec nap = {.tv_nsec = 20 * 1000 * 1000};
    const int64_t until = clock_now_ms() + PATIENCE_MS;

    snprintf(at.sun_path, sizeof(at.sun_path), "%s/run/control", h->place);
    h->control = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    while (connect(h->control, (struct sockaddr *)&at, sizeof(at)) < 0) {
        if (clock_now_ms() > until || waitpid(h->server, NULL, WNOHANG) == h->server)
            give_up("the server did not start: see %s/log", h->place);
        nanosleep(&nap, NULL);
    }
}

enum message_type server_ask(struct hostile *h, enum message_type type, const void *message)
{
    const uint32_t id = ++h->next_id;

    envelope_clear(&h->answer);
    if (message_send(h->control, type, id, message, NULL, 0) < 0 ||
        !children_wait(h, h->control, POLLIN, 3 * PATIENCE_MS) ||
        message_receive(h->control, &h->answer, MSG_DONTWAIT) != 1 || h->answer.id != id)
        give_up("the monitor does not answer %s: see %s/log", message_info(type)->name, h->place);
    return h->answer.type;
}

struct status_is server_status(struct hostile *h)
{
    const struct status ask = {0};
    struct status_is status;

    if (server_ask(h, MSG_status, &ask) != MSG_status_is ||
        decode_status_is(&h->answer, &status) < 0)
        give_up("no status");
    return status;
}

void server_reload(struct hostile *h)
{
    const struct reload ask = {0};

    if (server_ask(h, MSG_reload, &ask) != MSG_control_done)
        give_up("the server does not reload: see %s/log", h->place);
}

void server_settle(struct hostile *h)
{
    for (int i = 0; i < 2; i++) /* its loop has gone round in between */
        server_status(h);
}

void server_grace(struct hostile *h, unsigned seconds)
{
    write_config(h, seconds != 0 ? seconds : GRACE);
    server_reload(h);
}

uint64_t server_session(struct hostile *h, pid_t worker, pid_t *agent)
{
    struct session_next ask = {0};
    struct session_is is;

    while (server_ask(h, MSG_session_next, &ask) == MSG_session_is) {
        if (decode_session_is(&h->answer, &is) < 0)
            give_up("a session that does not decode");
        if (is.worker_pid == (uint32_t)worker) {
            if (agent != NULL)
                *agent = (pid_t)is.agent_pid;
            return is.number;
        }
        ask.after = is.number;
    }
    return 0;
}

void server_state(struct hostile *h, pid_t worker, char *state, size_t size)
{
    struct session_is is;

    if (server_session(h, worker, NULL) == 0) /* it has no client */
        snprintf(state, size, "%s", server_status(h).spares == 1 ? "spare" : "starting");
    else if (decode_session_is(&h->answer, &is) < 0 || slice_copy(is.state, state, size) < 0)
        give_up("a session without a state");
}

/* Hash a password, with fresh salt; the hash is in data. */
static struct slice hash_of(const char *password, struct crypt_data *data)
{
    char salt[CRYPT_GENSALT_OUTPUT_SIZE];

    memset(data, 0, sizeof(*data));
    if (crypt_gensalt_rn("$y$", 1, NULL, 0, salt, sizeof(salt)) == NULL)
        give_up("no salt");
    return slice_text(crypt_r(password, salt, data));
}

void server_set(struct hostile *h, const struct user_set *set)
{
    if (server_ask(h, MSG_user_set, set) != MSG_store_done)
        give_up("an account cannot be changed");
}

void server_password(struct hostile *h, const char *name, const char *password)
{
    struct crypt_data data;
    const struct user_set set = {.valid = ACCOUNT_SET_PASSWORD,
                                 .name = slice_text(name),
                                 .password = hash_of(password, &data)};

    server_set(h, &set);
}

static void make_account(struct hostile *h, const char *name, uint32_t flags, const char *password,
                         const char *address)
{
    struct crypt_data data;
    struct account account;

    snprintf(h->home, sizeof(h->home), "%s/homes/%s", h->place, name);
    const struct user_add add = {.name = slice_text(name),
                                 .home = slice_text(h->home),
                                 .uid = ID_AUTOMATIC,
                                 .gid = ID_AUTOMATIC,
                                 .password = hash_of(password, &data),
                                 .email = slice_text(address),
                                 .rights = RIGHTS,
                                 .flags = flags};
    if (server_ask(h, MSG_user_add, &add) != MSG_store_done)
        give_up("the account could not be made");
    const struct key_add key = {.name = slice_text(name),
                                .key = slice_of(h->user_blob, h->user_blob_len)};
    if (server_ask(h, MSG_key_add, &key) != MSG_store_done)
        give_up("the account's key could not be added");
    const struct user_show show = {.name = slice_text(name)};
    if (server_ask(h, MSG_user_show, &show) != MSG_account ||
        decode_account(&h->answer, &account) < 0)
        give_up("the account cannot be seen");
    h->uid = h->root ? account.uid : geteuid();
    h->gid = h->root ? account.gid : getegid();
    if (mkdir(h->home, 0700) < 0 || (h->root && chown(h->home, h->uid, h->gid) < 0))
        give_up("%s: %s", h->home, strerror(errno));
}

void server_start(struct hostile *h)
{
    const struct timespec nap = {.tv_nsec = 20 * 1000 * 1000};
    const int64_t until = clock_now_ms() + PATIENCE_MS;

    h->root = geteuid() == 0;
    h->security = h->offences = 0;
    h->host_key_len = 0;
    EVP_PKEY_free(h->tls_key);
    h->tls_key = NULL;
    make_folders(h);
    open_orders(h);
    for (size_t i = 0; i < WORKER_ROLES; i++)
        h->ports[i] = free_port();
    write_config(h, GRACE);
    run_server(h);
    open_control(h);
    for (struct status_is s = server_status(h); s.store_pid == 0 || s.hashers == 0;
         s = server_status(h)) {
        if (clock_now_ms() > until)
            give_up("the server is not ready: see %s/log", h->place);
        nanosleep(&nap, NULL);
    }
    make_account(h, BOTH, ACCOUNT_BOTH, PASSWORD, "");
    make_account(h, OTHER, 0, PASSWORD, "");
    make_account(h, CODED, 0, PASSWORD, "");
    make_account(h, LINKED, 0, STRONG, ADDRESS);
    make_account(h, ACCOUNT, 0, PASSWORD, ""); /* the last one's home and ids are kept */
}

void server_stop(struct hostile *h)
{
    const struct timespec nap = {.tv_nsec = 20 * 1000 * 1000};
    const int64_t until = clock_now_ms() + PATIENCE_MS;
    int status = -1;

    kill(h->server, SIGTERM);
    while (waitpid(h->server, &status, WNOHANG) == 0 && clock_now_ms() < until) {
        children_drop(h);
        nanosleep(&nap, NULL);
    }
    children_drop(h);
    expect(h, WIFEXITED(status) && WEXITSTATUS(status) == 0, "the server ended with status %d",
           status);
    if (status == -1)
        kill(h->server, SIGKILL);
    h->server = 0;
    close(h->control);
    close(h->orders);
}

static void remove_below(int parent, const char *name)
{
    const int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

    if (dir == NULL) {
        unlinkat(parent, name, 0);
        return;
    }
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            remove_below(dirfd(dir), e->d_name);
    }
    closedir(dir);
    unlinkat(parent, name, AT_REMOVEDIR);
}

void server_remove(struct hostile *h, bool keep)
{
    if (h->server > 0)
        kill(h->server, SIGKILL);
    close(h->log);
    if (h->place[0] != '\0' && !keep)
        remove_below(AT_FDCWD, h->place);
}

void server_hold(struct hostile *h, bool stop)
{
    const struct status_is status = server_status(h);
    const pid_t store = (pid_t)status.store_pid;

    if (store <= 0 || kill(store, stop ? SIGSTOP : SIGCONT) < 0)
        give_up("the store (pid %d) cannot be stopped: %s", (int)store, strerror(errno));
    h->stopped = stop;
}

/* Is this process a hasher of our server? */
static bool is_hasher(struct hostile *h, const char *pid)
{
    char path[64], line[256] = "";

    snprintf(path, sizeof(path), "/proc/%.16s/stat", pid);
    FILE *f = fopen(path, "re");
    const bool got = f != NULL && fgets(line, sizeof(line), f) != NULL;
    if (f != NULL)
        fclose(f);
    const char *end = strrchr(line, ')'); /* "PID (NAME) STATE PARENT ...": names are cut */
    return got && end != NULL && strstr(line, "(sallyport-hash)") != NULL &&
           strtol(end + 4, NULL, 10) == (long)h->server;
}

static unsigned signal_hashers(struct hostile *h, int signal)
{
    unsigned n = 0;
    DIR *dir = opendir("/proc");

    for (struct dirent *e = dir != NULL ? readdir(dir) : NULL; e != NULL; e = readdir(dir)) {
        if (e->d_name[0] < '1' || e->d_name[0] > '9' || !is_hasher(h, e->d_name))
            continue;
        if (kill((pid_t)strtol(e->d_name, NULL, 10), signal) < 0)
            give_up("a hasher cannot be reached: %s", strerror(errno));
        n++;
    }
    if (dir != NULL)
        closedir(dir);
    return n;
}

unsigned server_hold_hashers(struct hostile *h, bool stop)
{
    return signal_hashers(h, stop ? SIGSTOP : SIGCONT);
}

void server_end_hashers(struct hostile *h)
{
    signal_hashers(h, SIGKILL);
}

/* ------------------------------------------------------------------------- what can be seen */

off_t log_end(struct hostile *h)
{
    struct stat st;

    return fstat(h->log, &st) == 0 ? st.st_size : 0;
}

bool log_has(struct hostile *h, off_t from, const char *text)
{
    const off_t end = log_end(h);
    const size_t len = end > from ? (size_t)(end - from) : 0;
    char *bytes = malloc(len + 1);
    const ssize_t n = bytes != NULL ? pread(h->log, bytes, len, from) : -1;
    const bool found = n > 0 && memmem(bytes, (size_t)n, text, strlen(text)) != NULL;

    free(bytes);
    return found;
}

bool log_soon(struct hostile *h, off_t from, const char *text)
{
    const int64_t until = clock_now_ms() + PATIENCE_MS;

    while (!log_has(h, from, text)) {
        if (clock_now_ms() > until)
            return false;
        children_wait(h, -1, 0, 1);
    }
    return true;
}

unsigned long file_count(const char *path, const char *text)
{
    FILE *f = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;
    unsigned long n = 0;

    while (f != NULL && getline(&line, &size, f) > 0)
        n += strstr(line, text) != NULL;
    free(line);
    if (f != NULL)
        fclose(f);
    return n;
}

unsigned long server_figure(struct hostile *h, const char *name)
{
    return process_figure(h->server, name);
}

unsigned long process_figure(pid_t pid, const char *name)
{
    char path[64], line[256];
    unsigned long figure = 0;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "re");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
            figure = strtoul(line + strlen(name) + 1, NULL, 10);
    }
    if (f != NULL)
        fclose(f);
    return figure;
}

unsigned long server_descriptors(struct hostile *h)
{
    char path[64];
    unsigned long n = 0;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)h->server);
    DIR *dir = opendir(path);
    for (struct dirent *e = dir != NULL ? readdir(dir) : NULL; e != NULL; e = readdir(dir))
        n += e->d_name[0] != '.';
    if (dir != NULL)
        closedir(dir);
    return n;
}

unsigned long descriptors_still(struct hostile *h)
{
    const struct timespec nap = {.tv_nsec = 20 * 1000 * 1000};
    const int64_t until = clock_now_ms() + PATIENCE_MS;
    unsigned long n = server_descriptors(h), before;

    for (unsigned still = 0; still < STILL && clock_now_ms() < until;) {
        nanosleep(&nap, NULL);
        before = n;
        n = server_descriptors(h);
        still = n == before ? still + 1 : 0;
    }
    return n;
}

unsigned long descriptors_settle(struct hostile *h, unsigned long wanted)
{
    const struct timespec nap = {.tv_nsec = 50 * 1000 * 1000};
    const int64_t until = clock_now_ms() + PATIENCE_MS;
    unsigned long n = 0, before;
    unsigned still = 0; /* looks without a change */

    server_reload(h); /* as many spares as after the start */
    do {
        nanosleep(&nap, NULL);
        before = n;
        n = server_descriptors(h);
        still = n == before && server_status(h).connections == 0 ? still + 1 : 0;
    } while (still < SETTLED && (wanted == 0 || n > wanted) && clock_now_ms() < until);
    return n;
}
