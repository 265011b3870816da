/* sallyport-https: serves one connection. Started by the monitor ahead of need: settings, TLS,
 * sandbox, then its client, then the loop. Must not read a byte from the network before the sandbox
 * holds. */
#include <malloc.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/worker_life.h"
#include "https-worker/json_in.h"
#include "https-worker/worker.h"

#define DESCRIPTORS 32
#define MEMORY_MOST (256ull << 20)
#define KEPT_MOST   (1 << 20)  /* of freed memory */
#define ROUNDS_MOST 16         /* of the loop, without a look at the monitor */
#define DRAIN_MS    2000       /* for the client to close its side, after the last answer */
#define DRAIN_MOST  (1u << 20) /* bytes of what it still sends */

/* ------------------------------------------------------------------------- before the sandbox */

static int prepare_tls(struct worker *w, char *why, size_t size)
{
    const struct tls_settings settings = {
        .certificates = w->setup.certificates,
        .further = w->setup.further,
        .ciphers12 = w->setup.ciphers12,
        .ciphers13 = w->setup.ciphers13,
        .groups = w->setup.groups,
        .least = (enum tls_version)w->setup.tls_least,
        .resumption = TLS_RESUMES_ANYWHERE,
        .protocol = "http/1.1",
    };

    w->tls = tls_context_new(&settings, &w->monitor, why, size);
    return w->tls != NULL ? 0 : -1;
}

/* Use once what is fetched or seeded at its first use: in the sandbox it would be too late. */
static int warm_up(struct worker *w)
{
    uint8_t random[32];

    json_prepare();
    return RAND_bytes(random, sizeof(random)) == 1 &&
                   RAND_priv_bytes(random, sizeof(random)) == 1 && digests_prepare(w) == 0 &&
                   archive_prepare() == 0
               ? 0
               : -1;
}

static int prepare(struct worker *w)
{
    char why[256] = "";
    const char *step = "no settings";

    w->setup_message = malloc(sizeof(*w->setup_message));
    if (w->setup_message == NULL || message_receive(FD_MONITOR, w->setup_message, 0) <= 0 ||
        decode_https_setup(w->setup_message, &w->setup) < 0)
        goto failed;
    log_open_hook(monitor_log, (enum log_level)w->setup.log_level);
    worker_stage("settings");
    if (mallopt(M_MMAP_THRESHOLD, KEPT_MOST) != 1 || mallopt(M_TRIM_THRESHOLD, KEPT_MOST) != 1)
        log_debug("freed memory goes back at once"); /* another allocator, as the sanitizers' */
    step = "the certificate";
    if (prepare_tls(w, why, sizeof(why)) < 0)
        goto failed;
    worker_stage("TLS");
    step = "random numbers, digests or archives";
    if (warm_up(w) < 0)
        goto failed;
    worker_stage("first uses");
    return 0;
failed:
    log_error("cannot start: %s%s%s", step, why[0] != '\0' ? ": " : "", why);
    return -1;
}

/* ------------------------------------------------------------------------- with a client */

static int receive_client(struct worker *w)
{
    static struct envelope e;
    struct client client;

    if (message_receive(FD_MONITOR, &e, 0) <= 0 || decode_client(&e, &client) < 0 ||
        envelope_take_fd(&e, 0) != FD_CLIENT ||
        slice_copy(client.address, w->client_text, sizeof(w->client_text)) < 0)
        return -1;
    w->connection.secure = client.implicit != 0;
    return connection_open(w);
}

static void wait_for_events(struct worker *w, enum step step)
{
    const bool waits = step == STEP_READ || step == STEP_WRITE;
    const int kept = kept_left(w), silent = exchange_left(w);
    const int left = kept < silent ? kept : silent;
    struct pollfd polled[] = {
        {.fd = waits ? FD_CLIENT : -1, .events = connection_events(w, step == STEP_READ)},
        {.fd = FD_MONITOR, .events = POLLIN},
    };
    const int wait_ms = step == STEP_ON ? 0 : step == STEP_PAUSE && left > PACE_MS ? PACE_MS : left;

    /* The monitor can wait for a few rounds: most steps are short. */
    if (w->stop.asked || (step == STEP_ON && ++w->rounds % ROUNDS_MOST != 0))
        return;
    if (poll(polled, 2, wait_ms) <= 0)
        return;
    if (polled[1].revents != 0)
        monitor_listen(&w->monitor);
}

void worker_breathe(struct worker *w, int64_t *said_ms)
{
    struct pollfd p = {.fd = FD_MONITOR, .events = POLLIN};

    if (worker_allow_time(said_ms, worker_now_ms()) < 0)
        stop_because(&w->stop, "no timer");
    else if (poll(&p, 1, 0) > 0)
        monitor_listen(&w->monitor);
}

static void serve(struct worker *w)
{
    int64_t said_ms = 0;

    w->active_ms = worker_now_ms();
    while (!w->stop.asked) {
        if (worker_allow_time(&said_ms, worker_now_ms()) < 0)
            stop_because(&w->stop, "no timer");
        else
            wait_for_events(w, exchange_step(w));
    }
}

/* What the client still sends must not reset the connection before it has read the last answer. */
static void drain(struct worker *w)
{
    const int64_t until_ms = worker_now_ms() + DRAIN_MS;
    struct pollfd p = {.fd = FD_CLIENT, .events = POLLIN};
    size_t drained = 0;

    while (!w->connection.broken && drained < DRAIN_MOST) {
        const int64_t left = until_ms - worker_now_ms();
        if (left <= 0 || poll(&p, 1, (int)left) <= 0)
            break;
        const ssize_t n = recv(FD_CLIENT, w->in, sizeof(w->in), MSG_DONTWAIT);
        if (n <= 0)
            break;
        drained += (size_t)n;
    }
}

static void say_goodbye(struct worker *w)
{
    const struct route *route = w->exchange.route;

    if (route != NULL && route->handler->done != NULL)
        route->handler->done(w);
    /* Waited for: once the monitor ends the agent, what is still told it is not heard. */
    (void)agent_file_close(&w->agent, &w->kept.file, CLOSE_WHOLE);
    connection_close(w);
    const struct worker_end end = {
        .reason = slice_text(w->stop.reason),
        .bytes_in = w->bytes_in,
        .bytes_out = w->bytes_out,
    };
    if (send_worker_end(FD_MONITOR, 0, &end) == 0) /* else the monitor is gone: this process too */
        drain(w);
}

int main(void)
{
    static struct worker w;
    const struct sigaction ignore = {.sa_handler = SIG_IGN};

    worker_stage("exec and libraries");
    w.monitor.stop = &w.stop;
    if (sigaction(SIGPIPE, &ignore, NULL) < 0 || prepare(&w) < 0)
        return EXIT_FAILURE;
    /* From here on not exit(): the filter has no calls for what libraries do then. */
    if (worker_enter_sandbox(PROCESS_HTTPS, w.setup.empty_dir, w.setup.uid, w.setup.gid,
                             DESCRIPTORS, MEMORY_MOST) < 0 ||
        receive_client(&w) < 0)
        _exit(EXIT_FAILURE);
    serve(&w);
    say_goodbye(&w);
    _exit(EXIT_SUCCESS);
}
