/* sallyport-sftp: one process for one SSH connection. Started ahead of need: everything that needs
 * the system is done first (settings, libssh, digests), then the sandbox is entered, and only then
 * is there a client. Must never read a byte from the network before the sandbox is in force. */
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/worker_life.h"
#include "sftp-worker/sftp.h"
#include "sftp-worker/worker.h"

#define DESCRIPTORS (SFTP_HANDLES_MAX + 24)
#define MEMORY_MOST (256 << 20) /* libssh keeps answers for a client that reads none */

/* ------------------------------------------------------------------------- before the sandbox */

static int receive_setup(struct worker *w)
{
    w->setup_message = malloc(sizeof(*w->setup_message));
    return w->setup_message != NULL && message_receive(FD_MONITOR, w->setup_message, 0) > 0 &&
                   decode_worker_setup(w->setup_message, &w->setup) == 0
               ? 0
               : -1;
}

static int set_list(ssh_bind bind, enum ssh_bind_options_e option, struct slice list)
{
    char text[1025];

    /* Names that this libssh does not have are dropped by it; one that it has is enough. */
    return slice_copy(list, text, sizeof(text)) == 0 &&
                   ssh_bind_options_set(bind, option, text) == SSH_OK
               ? 0
               : -1;
}

/* The version line: the monitor signs exchanges only with its nonce in it. */
static int set_version(ssh_bind bind, struct slice nonce)
{
    char text[128];

    snprintf(text, sizeof(text), "sallyport_" SALLYPORT_VERSION "%s%.*s", nonce.len > 0 ? " " : "",
             (int)nonce.len, (const char *)nonce.data);
    return ssh_bind_options_set(bind, SSH_BIND_OPTIONS_BANNER, text) == SSH_OK ? 0 : -1;
}

static int prepare_bind(struct worker *w)
{
    const struct worker_setup *s = &w->setup;
    const bool no_files = false;

    w->bind = ssh_bind_new();
    w->session = ssh_new();
    w->event = ssh_event_new();
    if (w->bind == NULL || w->session == NULL || w->event == NULL)
        return -1;
    if (ssh_bind_options_set(w->bind, SSH_BIND_OPTIONS_PROCESS_CONFIG, &no_files) != SSH_OK ||
        set_version(w->bind, s->nonce) < 0 ||
        set_list(w->bind, SSH_BIND_OPTIONS_KEY_EXCHANGE, s->kex) < 0 ||
        set_list(w->bind, SSH_BIND_OPTIONS_CIPHERS_C_S, s->ciphers) < 0 ||
        set_list(w->bind, SSH_BIND_OPTIONS_CIPHERS_S_C, s->ciphers) < 0 ||
        set_list(w->bind, SSH_BIND_OPTIONS_HMAC_C_S, s->macs) < 0 ||
        set_list(w->bind, SSH_BIND_OPTIONS_HMAC_S_C, s->macs) < 0 ||
        set_list(w->bind, SSH_BIND_OPTIONS_HOSTKEY_ALGORITHMS, s->host_key_algorithms) < 0 ||
        set_list(w->bind, SSH_BIND_OPTIONS_PUBKEY_ACCEPTED_KEY_TYPES, s->public_key_algorithms) < 0)
        return -1;
    if (host_keys_import(w->bind, s->host_keys) < 1)
        return -1;
    const uint64_t bytes = s->rekey_bytes;
    const uint32_t seconds = s->rekey_seconds;
    if (ssh_options_set(w->session, SSH_OPTIONS_REKEY_DATA, &bytes) != SSH_OK ||
        (seconds > 0 && ssh_options_set(w->session, SSH_OPTIONS_REKEY_TIME, &seconds) != SSH_OK) ||
        ssh_options_set(w->session, SSH_OPTIONS_COMPRESSION, "none") != SSH_OK)
        return -1;
    return 0;
}

/* Use once what is fetched or seeded at its first use: in the sandbox it would be too late. */
static int warm_up(void)
{
    uint8_t random[32];
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    const bool ok = key != NULL && RAND_bytes(random, sizeof(random)) == 1 &&
                    RAND_priv_bytes(random, sizeof(random)) == 1;

    EVP_PKEY_free(key);
    sftp_prepare();
    return ok ? 0 : -1;
}

static int prepare(struct worker *w)
{
    const char *step = "no settings";

    if (receive_setup(w) < 0)
        goto failed;
    log_open_hook(monitor_log, (enum log_level)w->setup.log_level);
    worker_stage("settings");
    step = "libcrypto";
    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_ADD_ALL_CIPHERS |
                                OPENSSL_INIT_ADD_ALL_DIGESTS,
                            NULL) != 1)
        goto failed;
    step = "libssh";
    if (ssh_init() != SSH_OK)
        goto failed;
    step = "the hooks under libssh do not take";
    if (seam_prepare(w) < 0)
        goto failed;
    worker_stage("libraries' own starts");
    step = "algorithms or host keys";
    if (prepare_bind(w) < 0)
        goto failed;
    worker_stage("algorithms and host keys");
    step = "random numbers";
    if (warm_up() < 0)
        goto failed;
    worker_stage("first uses");
    return 0;
failed:
    log_error("cannot start: %s%s%s", step, w->bind != NULL ? ": " : "",
              w->bind != NULL ? ssh_get_error(w->bind) : "");
    return -1;
}

static int enter_sandbox(struct worker *w)
{
    return worker_enter_sandbox(PROCESS_SFTP, w->setup.empty_dir, w->setup.uid, w->setup.gid,
                                DESCRIPTORS, MEMORY_MOST);
}

/* ------------------------------------------------------------------------- with a client */

static int receive_client(struct worker *w)
{
    static struct envelope e;
    struct client client;

    if (message_receive(FD_MONITOR, &e, 0) <= 0 || decode_client(&e, &client) < 0 ||
        envelope_take_fd(&e, 0) != FD_CLIENT)
        return -1;
    return slice_copy(client.address, w->address, sizeof(w->address));
}

static int on_monitor(socket_t fd, int revents, void *data)
{
    struct worker *w = data;

    (void)fd;
    (void)revents;
    return monitor_listen(&w->monitor) < 0 ? SSH_ERROR : SSH_OK;
}

/* A write that failed while libssh answered a login leaves no trace in its status: the answer sets
 * the state of success over that of the error, and nothing is polled any more. */
static bool client_gone(const struct worker *w)
{
    return (ssh_get_status(w->session) & (SSH_CLOSED | SSH_CLOSED_ERROR)) != 0 ||
           !ssh_is_connected(w->session);
}

/* The key exchange. Returns 0 or -1; a client that takes too long is ended by the monitor. */
static int exchange_keys(struct worker *w)
{
    int r;

    ssh_set_blocking(w->session, 0);
    if (ssh_bind_accept_fd(w->bind, w->session, FD_CLIENT) != SSH_OK)
        return -1;
    auth_install(w);
    r = ssh_handle_key_exchange(w->session);
    if (r == SSH_ERROR || ssh_event_add_session(w->event, w->session) != SSH_OK ||
        ssh_event_add_fd(w->event, FD_MONITOR, POLLIN, on_monitor, w) != SSH_OK)
        return -1;
    while (r == SSH_AGAIN && !w->stop.asked) {
        if (ssh_event_dopoll(w->event, -1) == SSH_ERROR || client_gone(w))
            return -1;
        r = ssh_handle_key_exchange(w->session);
    }
    return r == SSH_OK ? 0 : -1;
}

static int wait_ms(const struct worker *w, int wanted)
{
    if (w->setup.idle_seconds == 0 || !w->logged_in)
        return wanted;
    const int64_t left = w->active_ms + (int64_t)w->setup.idle_seconds * 1000 - worker_now_ms() + 1;
    const int idle = left < 0 ? 0 : left > 3600000 ? 3600000 : (int)left;
    return wanted < 0 || idle < wanted ? idle : wanted;
}

static bool idle_too_long(const struct worker *w)
{
    return w->logged_in && w->setup.idle_seconds != 0 &&
           worker_now_ms() - w->active_ms >= (int64_t)w->setup.idle_seconds * 1000;
}

static void serve(struct worker *w)
{
    int64_t said_ms = 0;
    bool quiet = false;

    w->active_ms = worker_now_ms();
    while (!w->stop.asked) {
        if (worker_allow_time(&said_ms, worker_now_ms()) < 0)
            stop_because(&w->stop, "no timer");
        const int wanted = channels_pump(w);
        /* Looked at before too: a write of the last words may have found the connection gone, and
         * then nothing is left that would end the wait. */
        if (client_gone(w) || ssh_event_dopoll(w->event, wait_ms(w, wanted)) == SSH_ERROR ||
            client_gone(w)) {
            channels_pump(w);
            stop_because(&w->stop, "the client closed the connection");
        }
        auth_check_swallowed(w);
        if (w->logged_in && !quiet) { /* libssh's own log was listened to for the logins only */
            ssh_set_log_level(SSH_LOG_NOLOG);
            w->active_ms = worker_now_ms();
            quiet = true;
        }
        if (idle_too_long(w))
            stop_because(&w->stop, "idle for too long");
    }
}

/* Tell the client why, if it still listens. */
static void say_goodbye(struct worker *w)
{
    channels_close(w);
    if (ssh_is_connected(w->session)) {
        ssh_session_set_disconnect_message(w->session, w->stop.reason);
        ssh_disconnect(w->session);
    }
    const struct worker_end end = {
        .reason = slice_text(w->stop.reason),
        .bytes_in = w->bytes_in,
        .bytes_out = w->bytes_out,
    };
    if (send_worker_end(FD_MONITOR, 0, &end) < 0)
        return; /* the monitor is gone, and this process with it */
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
    if (enter_sandbox(&w) < 0 || receive_client(&w) < 0)
        _exit(EXIT_FAILURE);
    if (exchange_keys(&w) < 0)
        stop_because(&w.stop, "no key exchange");
    else
        serve(&w);
    say_goodbye(&w);
    _exit(EXIT_SUCCESS);
}
