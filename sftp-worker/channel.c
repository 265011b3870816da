/* Session channels: bytes from libssh's buffer to the SFTP server without a copy, its answers from
 * one outgoing buffer to libssh, no more of them at a time than the client takes. libssh is entered
 * again from inside its own calls (a write polls), so the callbacks only note what came while one
 * is being made, and channels_pump, called by the event loop, does the rest. */
#include <stdlib.h>
#include <string.h>

#include "sftp-worker/sftp.h"
#include "sftp-worker/worker.h"

#define OUT_MAX     (1024 * 1024)
#define WRITE_MOST  (256 * 1024)      /* given to libssh before the client has taken the last */
#define UNREAD_MOST (4 * 1024 * 1024) /* libssh's windows are 1.3 MB */

struct channel {
    struct worker *worker;
    ssh_channel channel;
    struct ssh_channel_callbacks_struct callbacks;
    struct sftp *sftp; /* NULL: no subsystem yet, or refused */
    bool writing;      /* inside libssh's write: its callbacks come back here */
    bool eof, closed, refused;
    size_t unread; /* bytes in libssh's buffer that were offered and not used */
    uint8_t *in;   /* what was read out of libssh's buffer, SFTP_INPUT_MAX */
    size_t in_len;
    uint8_t *out; /* answers, OUT_MAX */
    size_t out_at, out_len;
};

/* ------------------------------------------------------------------------- out */

static uint8_t *out_reserve(void *context, size_t bytes)
{
    struct channel *c = context;

    if (c->out_at > 0 && c->out_at + c->out_len + bytes > OUT_MAX) {
        memmove(c->out, c->out + c->out_at, c->out_len);
        c->out_at = 0;
    }
    return c->out_at + c->out_len + bytes <= OUT_MAX ? c->out + c->out_at + c->out_len : NULL;
}

static void out_commit(void *context, size_t bytes)
{
    struct channel *c = context;

    c->out_len += bytes;
}

/* Give libssh what the client's window and the socket take. Returns false on an error. */
static bool send_out(struct channel *c)
{
    struct worker *w = c->worker;

    while (c->out_len > 0 && (ssh_get_status(w->session) & SSH_WRITE_PENDING) == 0) {
        uint32_t n = c->out_len > WRITE_MOST ? WRITE_MOST : (uint32_t)c->out_len;
        const uint32_t window = ssh_channel_window_size(c->channel),
                       pace = pace_left(&w->out, worker_now_ms());
        n = n > window ? window : n;
        n = n > pace ? pace : n;
        if (n == 0)
            break;
        c->writing = true;
        const int written = ssh_channel_write(c->channel, c->out + c->out_at, n);
        c->writing = false;
        if (written < 0)
            return false;
        if (written == 0)
            break;
        c->out_at += (size_t)written;
        c->out_len -= (size_t)written;
        if (c->out_len == 0)
            c->out_at = 0;
        w->bytes_out += (uint64_t)written;
        w->active_ms = worker_now_ms();
        pace_took(&w->out, (size_t)written);
    }
    return true;
}

/* ------------------------------------------------------------------------- in */

/* Returns how many were used, or -1 when the channel is to be closed. */
static ssize_t offer(struct channel *c, const uint8_t *data, size_t len)
{
    struct worker *w = c->worker;

    if (pace_left(&w->in, worker_now_ms()) == 0)
        return 0;
    const ssize_t used = sftp_input(c->sftp, data, len);
    if (used > 0) {
        w->bytes_in += (uint64_t)used;
        w->active_ms = worker_now_ms();
        pace_took(&w->in, (size_t)used);
    }
    return used;
}

static void protocol_error(struct channel *c)
{
    log_warning("SFTP: %s", sftp_error(c->sftp));
    c->closed = true;
}

static int on_data(ssh_session session, ssh_channel channel, void *data, uint32_t len,
                   int is_stderr, void *context)
{
    struct channel *c = context;
    ssize_t used = 0;

    (void)session;
    (void)channel;
    if (is_stderr || c->sftp == NULL || c->closed)
        return (int)len; /* nobody listens */
    if (!c->writing && c->in_len == 0 && (used = offer(c, data, len)) < 0) {
        protocol_error(c);
        used = len;
    }
    c->unread = len - (size_t)used;
    if (c->unread > UNREAD_MOST) /* libssh keeps what comes, whatever window it gave */
        stop_because(&c->worker->stop, "the client sends more than its window");
    return (int)used;
}

/* Take up what was left in libssh's buffer, which it does not offer again by itself. */
static void read_in(struct channel *c)
{
    while (!c->closed) {
        const size_t room = SFTP_INPUT_MAX - c->in_len;
        if (c->unread > 0 && room > 0) {
            const size_t n = c->unread < room ? c->unread : room;
            c->writing = true;
            const int got =
                ssh_channel_read_nonblocking(c->channel, c->in + c->in_len, (uint32_t)n, 0);
            c->writing = false;
            if (got <= 0)
                return;
            c->in_len += (size_t)got;
            c->unread -= (size_t)got < c->unread ? (size_t)got : c->unread;
        }
        if (c->in_len == 0 && !sftp_busy(c->sftp))
            return;
        const ssize_t used = offer(c, c->in, c->in_len);
        if (used < 0)
            protocol_error(c);
        if (used <= 0)
            return;
        c->in_len -= (size_t)used;
        memmove(c->in, c->in + used, c->in_len);
    }
}

/* ------------------------------------------------------------------------- requests */

static int on_subsystem(ssh_session session, ssh_channel channel, const char *name, void *context)
{
    struct channel *c = context;
    struct worker *w = c->worker;
    const struct sftp_account account = {.name = w->account, .uid = w->uid, .gid = w->gid};
    const struct sftp_sink sink = {out_reserve, out_commit, c};

    (void)session;
    if (strcmp(name, "sftp") != 0 || c->sftp != NULL || c->refused) {
        static const char why[] = "sallyport: of subsystems only sftp is served here\r\n";
        ssh_channel_write_stderr(channel, why, sizeof(why) - 1);
        return SSH_ERROR;
    }
    c->in = malloc(SFTP_INPUT_MAX);
    c->out = malloc(OUT_MAX);
    c->sftp = c->in != NULL && c->out != NULL ? sftp_new(FD_AGENT, &account, &sink) : NULL;
    return c->sftp != NULL ? SSH_OK : SSH_ERROR;
}

/* A shell or a command: granted only to be able to say why not. */
static int say_no(struct channel *c)
{
    static const char why[] = "sallyport: files only: connect with sftp, or with scp in its SFTP "
                              "mode (without -O)\r\n";

    if (c->sftp != NULL || c->refused)
        return SSH_ERROR;
    ssh_channel_write_stderr(c->channel, why, sizeof(why) - 1);
    ssh_channel_request_send_exit_status(c->channel, 1);
    c->refused = true;
    return SSH_OK;
}

static int on_shell(ssh_session session, ssh_channel channel, void *context)
{
    (void)session;
    (void)channel;
    return say_no(context);
}

static int on_exec(ssh_session session, ssh_channel channel, const char *command, void *context)
{
    (void)session;
    (void)channel;
    (void)command;
    return say_no(context);
}

static int on_env(ssh_session session, ssh_channel channel, const char *name, const char *value,
                  void *context)
{
    (void)session;
    (void)channel;
    (void)name;
    (void)value;
    (void)context;
    return SSH_ERROR;
}

static void on_eof(ssh_session session, ssh_channel channel, void *context)
{
    struct channel *c = context;

    (void)session;
    (void)channel;
    c->eof = true;
}

static void on_close(ssh_session session, ssh_channel channel, void *context)
{
    struct channel *c = context;

    (void)session;
    (void)channel;
    c->eof = true;
    c->closed = true;
}

/* ------------------------------------------------------------------------- open and close */

ssh_channel channel_open(ssh_session session, void *context)
{
    struct worker *w = context;
    struct channel *c = NULL;
    size_t i = 0;

    while (i < CHANNELS_MAX && w->channels[i] != NULL)
        i++;
    if (!w->logged_in || i == CHANNELS_MAX || (c = calloc(1, sizeof(*c))) == NULL)
        return NULL;
    c->worker = w;
    c->channel = ssh_channel_new(session);
    if (c->channel == NULL) {
        free(c);
        return NULL;
    }
    c->callbacks = (struct ssh_channel_callbacks_struct){
        .userdata = c,
        .channel_data_function = on_data,
        .channel_eof_function = on_eof,
        .channel_close_function = on_close,
        .channel_shell_request_function = on_shell,
        .channel_exec_request_function = on_exec,
        .channel_env_request_function = on_env,
        .channel_subsystem_request_function = on_subsystem,
    };
    ssh_callbacks_init(&c->callbacks);
    ssh_set_channel_callbacks(c->channel, &c->callbacks);
    w->channels[i] = c;
    w->had_channel = true;
    return c->channel;
}

static void channel_end(struct channel *c)
{
    /* First: libssh reads while it writes, and what comes now is for nobody. */
    ssh_remove_channel_callbacks(c->channel, &c->callbacks);
    if (c->sftp != NULL && ssh_channel_is_open(c->channel))
        ssh_channel_request_send_exit_status(c->channel, 0);
    if (ssh_channel_is_open(c->channel)) {
        ssh_channel_send_eof(c->channel);
        ssh_channel_close(c->channel);
    }
    sftp_free(c->sftp);
    ssh_channel_free(c->channel);
    free(c->in);
    free(c->out);
    free(c);
}

/* Move bytes on one channel until nothing moves. Returns true when the channel has ended. */
static bool pump(struct channel *c, int *wait)
{
    size_t before;

    if (c->sftp == NULL)
        return c->closed || c->refused;
    do {
        before = c->in_len + c->unread + c->out_len;
        if (!send_out(c))
            return true;
        read_in(c);
    } while (!c->closed && before != c->in_len + c->unread + c->out_len);
    const bool stuck = c->out_len > 0 || ssh_get_status(c->worker->session) & SSH_WRITE_PENDING;
    if (sftp_busy(c->sftp))
        c->worker->active_ms = worker_now_ms(); /* it works, though no byte moves */
    if (sftp_busy(c->sftp) && !stuck)
        *wait = 0;
    else if ((c->worker->in.rate != 0 || c->worker->out.rate != 0) &&
             (c->unread > 0 || c->in_len > 0 || c->out_len > 0 || c->eof) && *wait != 0)
        *wait = PACE_MS;
    if (c->closed)
        return c->out_len == 0 || c->eof || !ssh_channel_is_open(c->channel);
    /* The client has said all and has all: what is left, if anything, is no whole packet. */
    return c->eof && c->out_len == 0 && !sftp_busy(c->sftp) &&
           pace_left(&c->worker->in, worker_now_ms()) > 0;
}

int channels_pump(struct worker *w)
{
    int wait = -1;

    for (size_t i = 0; i < CHANNELS_MAX; i++) {
        struct channel *c = w->channels[i];
        if (c != NULL && pump(c, &wait)) {
            w->channels[i] = NULL;
            channel_end(c);
        }
    }
    return wait;
}

void channels_close(struct worker *w)
{
    for (size_t i = 0; i < CHANNELS_MAX; i++) {
        if (w->channels[i] != NULL)
            channel_end(w->channels[i]);
        w->channels[i] = NULL;
    }
}
