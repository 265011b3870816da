/* sallyport-ftps: one process for one FTP connection. Started ahead of need: everything that needs
 * the system is done first (settings, TLS, digests), then the sandbox is entered, and only then is
 * there a client. Must never read a byte from the network before the sandbox is in force. */
#include <malloc.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/worker_life.h"
#include "ftps-worker/worker.h"

#define DESCRIPTORS 16 /* one file and one data connection, and what comes before it goes */
#define MEMORY_MOST (128 << 20)
#define KEPT_MOST   (1 << 20) /* bytes of freed memory that this process keeps */

/* ------------------------------------------------------------------------- before the sandbox */

static int receive_setup(struct worker *w)
{
    w->setup_message = malloc(sizeof(*w->setup_message));
    return w->setup_message != NULL && message_receive(FD_MONITOR, w->setup_message, 0) > 0 &&
                   decode_ftps_setup(w->setup_message, &w->setup) == 0
               ? 0
               : -1;
}

static int prepare_tls(struct worker *w, char *why, size_t size)
{
    const struct tls_settings settings = {
        .certificates = w->setup.certificates,
        .further = w->setup.further,
        .ciphers12 = w->setup.ciphers12,
        .ciphers13 = w->setup.ciphers13,
        .groups = w->setup.groups,
        .least = (enum tls_version)w->setup.tls_least,
        .resumption = TLS_RESUMES_HERE,
        .protocol = "ftp",
    };

    w->tls = tls_context_new(&settings, &w->monitor, why, size);
    return w->tls != NULL ? 0 : -1;
}

/* Use once what is fetched or seeded at its first use: in the sandbox it would be too late. */
static int warm_up(void)
{
    uint8_t random[32];

    return RAND_bytes(random, sizeof(random)) == 1 &&
                   RAND_priv_bytes(random, sizeof(random)) == 1 && digest_prepare() == 0
               ? 0
               : -1;
}

static int prepare(struct worker *w)
{
    char why[256] = "";
    const char *step = "no settings";

    if (receive_setup(w) < 0)
        goto failed;
    log_open_hook(monitor_log, (enum log_level)w->setup.log_level);
    worker_stage("settings");
    /* Each data connection has buffers of the same size: they need not come from the kernel anew.
     */
    if (mallopt(M_MMAP_THRESHOLD, KEPT_MOST) != 1 || mallopt(M_TRIM_THRESHOLD, KEPT_MOST) != 1)
        log_debug("freed memory goes back at once"); /* another allocator, as the sanitizers' */
    step = "the certificate";
    if (prepare_tls(w, why, sizeof(why)) < 0)
        goto failed;
    worker_stage("TLS");
    step = "random numbers or digests";
    if (warm_up() < 0)
        goto failed;
    worker_stage("first uses");
    step = "the data connection's place";
    if (dup2(0, FD_DATA) < 0)
        goto failed;
    return 0;
failed:
    log_error("cannot start: %s%s%s", step, why[0] != '\0' ? ": " : "", why);
    return -1;
}

static int enter_sandbox(struct worker *w)
{
    return worker_enter_sandbox(PROCESS_FTPS, w->setup.empty_dir, w->setup.uid, w->setup.gid,
                                DESCRIPTORS, MEMORY_MOST);
}

/* ------------------------------------------------------------------------- with a client */

static int receive_client(struct worker *w)
{
    static struct envelope e;
    struct client client;

    if (message_receive(FD_MONITOR, &e, 0) <= 0 || decode_client(&e, &client) < 0 ||
        envelope_take_fd(&e, 0) != FD_CLIENT ||
        slice_copy(client.address, w->client_text, sizeof(w->client_text)) < 0 ||
        !address_parse(client.address, &w->client))
        return -1;
    w->implicit = w->private_data = client.implicit != 0;
    return 0;
}

static int sooner(int a, int b)
{
    return a < 0 ? b : b < 0 || a < b ? a : b;
}

/* Milliseconds until the session is idle for too long; 0: it is. */
static int idle_left(struct worker *w)
{
    if (w->setup.idle_seconds == 0 || w->state != STATE_OPEN)
        return -1; /* before a login the monitor counts */
    const int64_t left = w->active_ms + (int64_t)w->setup.idle_seconds * 1000 - worker_now_ms();
    if (left <= 0)
        stop_because(&w->stop, "idle for too long");
    return left <= 0 ? 0 : left > 3600000 ? 3600000 : (int)left;
}

/* Wait for what can go on, at most so long. Returns whether the control connection can be read. */
static bool wait_for_events(struct worker *w, int wait_ms)
{
    const short control = control_events(w), data = data_events(w);
    struct pollfd polled[] = {
        {.fd = control != 0 ? FD_CLIENT : -1, .events = control},
        {.fd = FD_MONITOR, .events = POLLIN},
        {.fd = data != 0 ? FD_DATA : -1, .events = data},
    };

    if (poll(polled, sizeof(polled) / sizeof(polled[0]), wait_ms) <= 0)
        return false;
    if (polled[2].revents != 0)
        data_polled(w, polled[2].revents);
    if (polled[1].revents != 0)
        monitor_listen(&w->monitor);
    return (polled[0].revents & ~POLLOUT) != 0;
}

static void serve(struct worker *w)
{
    int64_t said_ms = 0;
    bool readable = false;

    control_begin(w);
    w->active_ms = worker_now_ms();
    while (!w->stop.asked) {
        if (worker_allow_time(&said_ms, worker_now_ms()) < 0)
            stop_because(&w->stop, "no timer");
        int wait_ms = control_step(w, readable) ? 0 : -1;
        if (w->work.kind != WORK_NONE && !w->stop.asked) {
            wait_ms = sooner(wait_ms, work_step(w));
            if (w->work.kind == WORK_NONE) /* what waited for its end */
                wait_ms = control_step(w, false) || w->work.kind != WORK_NONE ? 0 : -1;
        }
        wait_ms = sooner(sooner(wait_ms, data_wait_ms(w)), idle_left(w));
        if (!w->stop.asked)
            readable = wait_for_events(w, wait_ms);
    }
}

/* Tell the client and the monitor why. */
static void say_goodbye(struct worker *w)
{
    work_break(w);
    data_drop(w);
    control_end(w);
    const struct worker_end end = {
        .reason = slice_text(w->stop.reason),
        .bytes_in = w->bytes_in,
        .bytes_out = w->bytes_out,
    };
    if (send_worker_end(FD_MONITOR, 0, &end) == 0) /* else the monitor is gone: this process too */
        control_drain(w);
}

int main(void)
{
    static struct worker w;
    const struct sigaction ignore = {.sa_handler = SIG_IGN};

    worker_stage("exec and libraries");
    w.monitor.stop = &w.stop;
    w.monitor.unasked = data_unasked;
    w.monitor.owner = &w;
    if (sigaction(SIGPIPE, &ignore, NULL) < 0 || prepare(&w) < 0)
        return EXIT_FAILURE;
    /* From here on not exit(): the filter has no calls for what libraries do then. */
    if (enter_sandbox(&w) < 0 || receive_client(&w) < 0)
        _exit(EXIT_FAILURE);
    w.facts = FACTS_ALL;
    w.ascii = true; /* RFC 959, 5.1 */
    w.work.file.fd = -1;
    path_join(&w.folder, slice_text("/"), slice_of(NULL, 0));
    serve(&w);
    say_goodbye(&w);
    _exit(EXIT_SUCCESS);
}
