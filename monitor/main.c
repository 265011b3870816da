/* sallyportd: options, start, reload and end of the monitor. Everything that can be wrong with a
 * configuration is told, and ends this program, before anything is started. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/library.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "monitor/monitor.h"

#define STOP_MS       8000 /* for sessions to say goodbye and agents to report */
#define CHILDREN_MS   5000 /* then, for the store to finish writing */
#define CLOCK_STEP_MS 2000 /* of the clock, that is worth a line */

enum { EXIT_CONFIG = 2 };

static void usage(FILE *out)
{
    fprintf(out, "usage: sallyportd [-f] [-t | -T | --print-policy] [-c FILE]\n"
                 "  -c FILE         configuration (" SALLYPORT_CONFIG ")\n"
                 "  -f              stay in the foreground: it always does\n"
                 "  -t              check the configuration and exit\n"
                 "  -T              check it, print every setting in force, and exit\n"
                 "  --print-policy  print messages, states and system call filters, and exit\n"
                 "                  (--print-policy=markdown: as tables for a document)\n"
                 "  --version       print the version and exit\n");
}

/* ------------------------------------------------------------------------- systemd */

/* sd_notify(3), without its library. */
static void notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    if (path == NULL || strlen(path) < 2 || strlen(path) >= sizeof(at.sun_path))
        return;
    memcpy(at.sun_path, path, strlen(path));
    const socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (at.sun_path[0] == '@')
        at.sun_path[0] = '\0';
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&at, len) < 0)
        log_warning("sd_notify: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
}

/* ------------------------------------------------------------------------- folders */

/* With exactly this mode, whatever the umask. */
static int make_one(const char *path, mode_t mode)
{
    if (mkdir(path, mode) < 0)
        return errno == EEXIST ? 0 : -1;
    return chmod(path, mode);
}

/* Make a folder and those above it. Existing ones stay as they are. */
static int make_folder(const char *path, mode_t mode)
{
    char part[4096];

    if (slice_copy(slice_text(path), part, sizeof(part)) < 0)
        return -1;
    for (char *at = part + 1; *at != '\0'; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        if (make_one(part, 0755) < 0)
            return -1;
        *at = '/';
    }
    return make_one(part, mode);
}

static int folder(const char *what, const char *path, mode_t mode, uint32_t owner)
{
    struct stat st;

    if (make_folder(path, mode) < 0 || stat(path, &st) < 0 ||
        (owner != 0 && st.st_uid == 0 && lchown(path, owner, owner) < 0)) {
        log_error("%s %s: %s", what, path, strerror(errno));
        return -1;
    }
    if (!S_ISDIR(st.st_mode)) {
        log_error("%s %s: not a folder", what, path);
        return -1;
    }
    if ((st.st_mode & 07777 & ~mode) != 0 && chmod(path, mode) < 0) {
        log_error("%s %s: mode %04o, and it cannot be made %04o: %s", what, path,
                  (unsigned)st.st_mode & 07777, (unsigned)mode, strerror(errno));
        return -1;
    }
    return 0;
}

static int make_folders(struct monitor *m)
{
    const struct config *c = &m->config;

    snprintf(m->empty_dir, sizeof(m->empty_dir), "%s/empty", c->server_run_dir);
    snprintf(m->control_path, sizeof(m->control_path), "%s/control", c->server_run_dir);
    return folder("server.run_dir", c->server_run_dir, 0755, 0) < 0 ||
                   folder("the empty folder", m->empty_dir, 0555, 0) < 0 ||
                   folder("server.key_dir", c->server_key_dir, 0700, 0) < 0 ||
                   folder("server.state_dir", c->server_state_dir, 0700,
                          m->root ? c->server_store_id : 0) < 0
               ? -1
               : 0;
}

/* ------------------------------------------------------------------------- start */

static void open_log(const struct config *c)
{
    static const enum log_target targets[] = {
        [CONFIG_LOG_STDERR] = LOG_TO_STDERR,
        [CONFIG_LOG_SYSLOG] = LOG_TO_SYSLOG,
        [CONFIG_LOG_JOURNAL] = LOG_TO_JOURNAL,
    };

    log_open("sallyportd", targets[c->server_log], (enum log_level)c->server_log_level);
    log_never_wait();
}

/* Descriptors 0, 1 and 2 are open, SIGPIPE is no end, and there are descriptors for all sessions.
 */
static int prepare_process(void)
{
    struct rlimit files;
    int fd;

    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd < 0)
        return -1;
    close(fd);
    umask(077);
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    if (sigaction(SIGPIPE, &ignore, NULL) < 0 || getrlimit(RLIMIT_NOFILE, &files) < 0)
        return -1;
    files.rlim_cur = files.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &files);
}

static int start(struct monitor *m)
{
    const struct id_range ids = m->config.server_worker_ids;
    char trouble[512];

    m->root = geteuid() == 0;
    m->started = time(NULL);
    library_text(m->library);
    m->epoll = epoll_create1(EPOLL_CLOEXEC);
    m->limits = limits_new();
    m->worker_uids = calloc(ids.last - ids.first + 1, 1);
    if (m->epoll < 0 || m->limits == NULL || m->worker_uids == NULL || prepare_process() < 0) {
        log_error("start: %s", strerror(errno));
        return -1;
    }
    if (!m->root)
        log_warning("not started as root: no chroot, and one uid for all processes; Landlock, "
                    "seccomp and no_new_privs hold");
    if (sandbox_landlock_abi() == 0)
        log_warning("this kernel has no Landlock: file access is bounded by uid and seccomp only");
    if (sign_prepare() < 0 || web_prepare(m) < 0) {
        log_error("libcrypto gives no random bytes or no signature algorithms");
        return -1;
    }
    if (make_folders(m) < 0 || priv_host_keys_load(&m->keys, m->config.server_key_dir, true) < 0 ||
        ((m->config.ftps_enabled || m->config.https_enabled) &&
         priv_tls_identities_load(&m->tls, &m->config, true) < 0) ||
        control_open(m) < 0 || listeners_open(m) < 0)
        return -1;
    if (sandbox_monitor(&m->layers, trouble, sizeof(trouble)) < 0) {
        log_error("%s", trouble);
        return -1;
    }
    if (signals_watch(m) < 0) {
        log_error("signals: %s", strerror(errno));
        return -1;
    }
    if (store_start(m) < 0 || hashers_start(m) < 0)
        return -1;
    sessions_spares(m);
    return 0;
}

/* ------------------------------------------------------------------------- reload */

int monitor_reload(struct monitor *m, char *why, size_t size)
{
    struct config next;
    struct config_trouble trouble;
    const char *fixed;
    int r = -1;

    if (config_read(m->config_path, &next, &trouble) < 0) {
        snprintf(why, size, "%.*s", (int)size - 1, trouble.text);
    } else if ((fixed = config_fixed_difference(&m->config, &next)) != NULL) {
        snprintf(why, size, "%s cannot change while the server runs: restart it", fixed);
    } else if (priv_host_keys_load(&m->keys, next.server_key_dir, false) < 0) {
        snprintf(why, size, "the host keys cannot be read: see the log");
    } else if ((next.ftps_enabled || next.https_enabled) &&
               priv_tls_identities_load(&m->tls, &next, false) < 0) {
        snprintf(why, size, "the TLS key or certificate cannot be read: see the log");
    } else {
        const struct config old = m->config;
        m->config = next;
        next = old;
        open_log(&m->config);
        sessions_replace_spares(m, "replaced after a reload");
        notify_replace(m);
        log_info("reloaded");
        r = 0;
    }
    config_free(&next);
    return r;
}

static void reload_by_signal(struct monitor *m)
{
    char why[512];

    m->reload = false;
    notify("RELOADING=1");
    if (monitor_reload(m, why, sizeof(why)) < 0)
        log_error("not reloaded, everything stays as it was: %s", why);
    notify("READY=1");
}

/* ------------------------------------------------------------------------- end */

static void begin_stop(struct monitor *m)
{
    m->stopping = true;
    log_info("stopping");
    notify("STOPPING=1");
    listeners_close(m);
    control_close(m);
    source_close(m, &m->notify.source); /* it finishes what it has in hand, and ends */
    for (struct session *s = m->sessions; s != NULL; s = s->next)
        session_stop(m, s, "the server is going down");
}

/* Wait for the store and the hashers, which end when their links are closed. */
static void wait_for_children(void)
{
    const int64_t until = now_ms() + CHILDREN_MS;
    const struct timespec nap = {.tv_nsec = 10 * 1000 * 1000};

    while (now_ms() < until) {
        const pid_t pid = waitpid(-1, NULL, WNOHANG);
        if (pid < 0 && errno == ECHILD)
            return;
        if (pid == 0)
            nanosleep(&nap, NULL);
    }
    log_warning("some children did not end in time; they end with this process");
}

static void finish(struct monitor *m)
{
    listeners_close(m);
    control_close(m);
    hashers_stop(m);
    notify_stop(m);
    store_stop(m);
    wait_for_children();
    priv_host_keys_free(&m->keys);
    priv_tls_identities_free(&m->tls);
    tls_sessions_free(m);
    limits_free(m->limits);
    free(m->worker_uids);
    source_close(m, &m->signals);
    if (m->epoll >= 0)
        close(m->epoll);
}

/* The clock was set, or the machine slept. Deadlines here do not depend on it, but the expiry of
 * accounts and the times in the audit log do (not its order), so it is said there. */
static void watch_clock(struct monitor *m, int64_t now)
{
    struct timespec time;
    char text[128];

    clock_gettime(CLOCK_REALTIME, &time);
    const int64_t offset = (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000 - now;
    const int64_t step = offset - m->clock_offset_ms;
    const bool first = m->clock_offset_ms == 0;
    m->clock_offset_ms = offset;
    if (first || (step > -CLOCK_STEP_MS && step < CLOCK_STEP_MS))
        return;
    snprintf(text, sizeof(text), "the clock went %s by %lld seconds", step < 0 ? "back" : "forward",
             (long long)(step < 0 ? -step : step) / 1000);
    log_warning("%s: the expiry of accounts follows it", text);
    const struct store_audit line = {.event = slice_text("clock"), .text = slice_text(text)};
    store_tell(m, MSG_store_audit, &line);
}

void monitor_tick(struct monitor *m, int64_t now)
{
    watch_clock(m, now);
    if (m->reload)
        reload_by_signal(m);
    if (m->stop && !m->stopping)
        begin_stop(m);
    if (m->stopping && now - m->stop_ms > STOP_MS) {
        log_warning("sessions did not end in time: killed");
        for (struct session *s = m->sessions; s != NULL; s = s->next)
            s->deadline_ms = 1;
    }
    store_tick(m, now);
    notify_tick(m, now);
    hashers_tick(m, now);
    listeners_tick(m, now);
    priv_tls_watch(m, now);
    data_tick(m, now);
    sessions_tick(m, now);
    sessions_bury(m);
    data_bury(m);
    if (!m->library_told && m->other_library[0] != '\0') {
        m->library_told = true;
        log_warning("workers have another OpenSSL (%s) than this process (%s): " LIBRARY_ADVICE,
                    m->other_library, m->library);
    }
    if (!m->announced && m->store.ready && m->worker_layers != 0) {
        m->announced = true;
        notify("READY=1");
        log_info("sallyport %s is ready", SALLYPORT_VERSION);
    }
}

/* ------------------------------------------------------------------------- main */

static int print_policy(const char *form)
{
    if (form != NULL && strcmp(form, "markdown") != 0) {
        fprintf(stderr, "sallyportd: --print-policy=%s: markdown is the one other form\n", form);
        return EXIT_CONFIG;
    }
    if (form == NULL)
        policy_print(stdout);
    else
        policy_print_markdown(stdout);
    return EXIT_SUCCESS;
}

enum { OPTION_POLICY = 256, OPTION_VERSION };

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"print-policy", optional_argument, NULL, OPTION_POLICY},
        {"version", no_argument, NULL, OPTION_VERSION},
        {"help", no_argument, NULL, 'h'},
        {0}};
    static struct monitor m; /* large: the message in hand is part of it */
    struct config_trouble trouble;
    bool check = false, dump = false;
    int option, r = EXIT_FAILURE;

    m.config_path = SALLYPORT_CONFIG;
    m.epoll = m.control.fd = m.signals.fd = m.store.source.fd = m.notify.source.fd = -1;
    while ((option = getopt_long(argc, argv, "c:fthT", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            m.config_path = optarg;
            break;
        case 'f':
            break;
        case 't':
            check = true;
            break;
        case 'T':
            dump = true;
            break;
        case OPTION_POLICY:
            return print_policy(optarg);
        case OPTION_VERSION:
            printf("sallyport %s\n", SALLYPORT_VERSION);
            return EXIT_SUCCESS;
        default:
            usage(option == 'h' ? stdout : stderr);
            return option == 'h' ? EXIT_SUCCESS : EXIT_CONFIG;
        }
    }
    if (config_read(m.config_path, &m.config, &trouble) < 0) {
        fprintf(stderr, "sallyportd: %s\n", trouble.text);
        config_free(&m.config);
        return EXIT_CONFIG;
    }
    if (dump)
        config_dump(&m.config, stdout);
    if (dump || check) {
        r = EXIT_SUCCESS;
    } else {
        open_log(&m.config);
        if (start(&m) == 0 && loop_run(&m) == 0)
            r = EXIT_SUCCESS;
        finish(&m);
        log_info("stopped");
    }
    config_free(&m.config);
    return r;
}
