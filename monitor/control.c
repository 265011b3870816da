/* The operator's command, over a Unix socket that only root (or the user who runs the server) may
 * use: SO_PEERCRED is asked, whatever the file's mode says. Its questions about accounts are passed
 * to the store as they are; this file answers those about the running server. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/library.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "monitor/monitor.h"

#define CLIENTS_MOST 64

static struct control_client *find_client(struct monitor *m, uint64_t number)
{
    struct control_client *c = m->controls;

    while (c != NULL && (c->number != number || c->gone))
        c = c->next;
    return c;
}

static void drop(struct monitor *m, struct control_client *c)
{
    source_close(m, &c->source);
    c->gone = true;
}

static int refuse(struct control_client *c, uint32_t id, int error, const char *text)
{
    const struct control_refused refused = {.error = (uint32_t)error, .text = slice_text(text)};

    return send_control_refused(c->source.fd, id, &refused);
}

/* ------------------------------------------------------------------------- handlers */

typedef int (*control_handler)(struct monitor *m, struct control_client *c,
                               const struct envelope *e);

static void on_relayed(struct monitor *m, uint64_t who, uint32_t id, struct envelope *answer)
{
    struct control_client *c = find_client(m, who);

    if (c == NULL)
        return;
    const int r =
        answer != NULL
            ? message_forward(c->source.fd, answer, id)
            : refuse(c, id, EAGAIN,
                     "the store does not answer: look whether it was done, and try again");
    if (r < 0)
        drop(m, c);
}

static int on_store_question(struct monitor *m, struct control_client *c, const struct envelope *e)
{
    store_relay(m, e, c->number, on_relayed);
    return 0;
}

/* One line for each layer that a process ought to have and has not. */
static void print_weaker(const struct monitor *m, char *text, size_t size)
{
    size_t at = 0;

    text[0] = '\0';
    if (!m->root)
        at += (size_t)snprintf(text + at, size - at,
                               "not started as root: no chroot, and one uid for all processes\n");
    if (sandbox_landlock_abi() == 0)
        at += (size_t)snprintf(text + at, size - at, "this kernel has no Landlock\n");
    if (m->other_library[0] != '\0')
        at += (size_t)snprintf(
            text + at, size - at,
            "workers have another OpenSSL (%s) than the monitor (%s): " LIBRARY_ADVICE "\n",
            m->other_library, m->library);
    if (at > 0)
        text[at - 1] = '\0';
}

static size_t count_sessions(const struct monitor *m, enum session_state state)
{
    size_t n = 0;

    for (const struct session *s = m->sessions; s != NULL; s = s->next)
        n += s->state == state;
    return n;
}

/* Those that the limits count: a browser's connections are one. */
static size_t count_logged_in(const struct monitor *m)
{
    size_t n = 0;

    for (const struct session *s = m->sessions; s != NULL; s = s->next)
        n += s->counted;
    return n;
}

static int on_status(struct monitor *m, struct control_client *c, const struct envelope *e)
{
    char listeners[1024] = "", weaker[1024];
    uint32_t hashers = 0;
    size_t at = 0;

    for (size_t l = 0; l < m->listener_count && at < sizeof(listeners); l++)
        at += (size_t)snprintf(listeners + at, sizeof(listeners) - at, "%s%s", l > 0 ? "\n" : "",
                               m->listeners[l].text);
    for (size_t i = 0; i < m->config.server_hashers; i++)
        hashers += m->hashers.each[i].ready;
    const int abi = sandbox_landlock_abi();
    print_weaker(m, weaker, sizeof(weaker));
    const size_t connections = count_sessions(m, STATE_GREETED) +
                               count_sessions(m, STATE_CHECKING) + count_sessions(m, STATE_KNOWN) +
                               count_sessions(m, STATE_OPEN) + m->waiting_count;
    const struct status_is status = {
        .version = slice_text(SALLYPORT_VERSION),
        .pid = (uint32_t)getpid(),
        .started = m->started,
        .privileged = m->root,
        .landlock_abi = (uint32_t)(abi > 0 ? abi : 0),
        .layers_monitor = m->layers,
        .layers_store = m->store.layers,
        .layers_hasher = m->hashers.layers,
        .layers_worker = m->worker_layers,
        .layers_agent = m->agent_layers,
        .layers_notify = m->notify.layers,
        .store_pid = m->store.ready ? (uint32_t)m->store.pid : 0,
        .notify_pid = m->notify.ready ? (uint32_t)m->notify.pid : 0,
        .hashers = hashers,
        .spares = (uint32_t)count_sessions(m, STATE_SPARE),
        .connections = (uint32_t)connections,
        .sessions = (uint32_t)count_logged_in(m),
        .logins = m->counters.logins,
        .refusals = m->counters.refusals,
        .security_events = m->counters.security_events,
        .listeners = slice_text(listeners),
        .weaker = slice_text(weaker),
    };
    return send_status_is(c->source.fd, e->id, &status);
}

static int on_session_next(struct monitor *m, struct control_client *c, const struct envelope *e)
{
    struct session_next next;

    return decode_session_next(e, &next) < 0 ? -1 : sessions_tell(m, c->source.fd, e->id, &next);
}

static int on_session_kill(struct monitor *m, struct control_client *c, const struct envelope *e)
{
    struct session_kill kill;

    if (decode_session_kill(e, &kill) < 0)
        return -1;
    const struct control_done done = {.count = sessions_kill(m, &kill, "ended by the operator")};
    return send_control_done(c->source.fd, e->id, &done);
}

static int on_reload(struct monitor *m, struct control_client *c, const struct envelope *e)
{
    const struct control_done done = {0};
    char why[512];

    if (monitor_reload(m, why, sizeof(why)) < 0)
        return refuse(c, e->id, EINVAL, why);
    return send_control_done(c->source.fd, e->id, &done);
}

/* What the operator may ask. What is not here is for the monitor alone. */
static const struct {
    enum message_type type;
    control_handler handler;
} questions[] = {
    {MSG_user_add, on_store_question},
    {MSG_user_set, on_store_question},
    {MSG_user_delete, on_store_question},
    {MSG_user_show, on_store_question},
    {MSG_user_next, on_store_question},
    {MSG_key_add, on_store_question},
    {MSG_key_next, on_store_question},
    {MSG_key_remove, on_store_question},
    {MSG_own_show, on_store_question},
    {MSG_link_invite, on_store_question},
    {MSG_totp_remove, on_store_question},
    {MSG_folder_add, on_store_question},
    {MSG_folder_remove, on_store_question},
    {MSG_folder_show, on_store_question},
    {MSG_folder_next, on_store_question},
    {MSG_folder_grant, on_store_question},
    {MSG_folder_revoke, on_store_question},
    {MSG_folder_member_next, on_store_question},
    {MSG_store_audit, on_store_question},
    {MSG_status, on_status},
    {MSG_session_next, on_session_next},
    {MSG_session_kill, on_session_kill},
    {MSG_reload, on_reload},
};

static int answer(struct monitor *m, struct control_client *c, const struct envelope *e)
{
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        if (questions[i].type == e->type)
            return questions[i].handler(m, c, e);
    }
    return refuse(c, e->id, EPERM, "not something to ask here");
}

/* ------------------------------------------------------------------------- connections */

static void on_client(struct monitor *m, struct source *source, uint32_t events)
{
    struct control_client *c = source->owner;
    struct envelope *e = &m->envelope;
    const int r = message_receive_bare(source->fd, e, MSG_DONTWAIT);

    (void)events;
    if (r < 0 && errno == EAGAIN)
        return;
    if (r <= 0 || answer(m, c, e) < 0)
        drop(m, c);
    envelope_clear(e);
}

static void on_control(struct monitor *m, struct source *source, uint32_t events)
{
    struct ucred who;
    socklen_t len = sizeof(who);
    size_t clients = 0;
    const int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)events;
    if (fd < 0)
        return;
    for (const struct control_client *c = m->controls; c != NULL; c = c->next)
        clients++;
    struct control_client *c = clients < CLIENTS_MOST ? calloc(1, sizeof(*c)) : NULL;
    if (c == NULL || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0 ||
        (who.uid != 0 && who.uid != geteuid())) {
        if (c != NULL)
            log_warning("control socket: uid %u was refused", (unsigned)who.uid);
        free(c);
        close(fd);
        return;
    }
    c->source = (struct source){.fd = fd, .ready = on_client, .owner = c};
    c->number = ++m->next_number;
    c->next = m->controls;
    m->controls = c;
    if (source_watch(m, &c->source, EPOLLIN) < 0)
        drop(m, c);
}

int control_open(struct monitor *m)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    m->control = (struct source){.fd = -1, .ready = on_control};
    if (slice_copy(slice_text(m->control_path), at.sun_path, sizeof(at.sun_path)) < 0) {
        log_error("%s: too long for a socket", m->control_path);
        return -1;
    }
    m->control.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (m->control.fd < 0)
        goto failed;
    /* A socket that still answers belongs to a server that runs. */
    if (connect(m->control.fd, (struct sockaddr *)&at, sizeof(at)) == 0) {
        log_error("%s: a server runs already", m->control_path);
        source_close(m, &m->control);
        return -1;
    }
    close(m->control.fd);
    if (unlink(m->control_path) < 0 && errno != ENOENT)
        goto failed;
    m->control.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (m->control.fd < 0)
        goto failed;
    message_refuse_descriptors(m->control.fd); /* who connects sends to one that inherits it */
    if (bind(m->control.fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
        chmod(m->control_path, 0600) < 0 || listen(m->control.fd, 16) < 0 ||
        source_watch(m, &m->control, EPOLLIN) < 0)
        goto failed;
    return 0;
failed:
    log_error("%s: %s", m->control_path, strerror(errno));
    return -1;
}

void control_close(struct monitor *m)
{
    if (m->control.fd >= 0 && unlink(m->control_path) < 0)
        log_warning("%s: %s", m->control_path, strerror(errno));
    source_close(m, &m->control);
    for (struct control_client *c = m->controls; c != NULL; c = c->next)
        drop(m, c);
    control_bury(m);
}

void control_bury(struct monitor *m)
{
    for (struct control_client **at = &m->controls; *at != NULL;) {
        struct control_client *c = *at;
        if (!c->gone) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        free(c);
    }
}
