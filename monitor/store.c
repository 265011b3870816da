/* The monitor's side of the store: questions that are answered later, and facts that are told and
 * kept until the store has them on the disk. A store that is slow, dead or restarted costs those
 * who ask an error, and nobody else anything. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "common/spawn.h"
#include "monitor/monitor.h"

#define ANSWER_MS       5000 /* then who asked is told that there is none */
#define ROUND_MOST      256  /* answers heard before others have their turn */
#define RESTART_MS      100
#define RESTART_MOST_MS 30000
#define LAST_MS         3000 /* at the end, for what is still to be told */

static void request_free(struct store_link *store, struct store_request *r)
{
    store->pending--;
    store->pending_bytes -= r->len;
    explicit_bzero(r->bytes, r->len);
    free(r);
}

/* Take the request with this id out of the list. NULL: there is none. */
static struct store_request *request_take(struct store_link *store, uint32_t id)
{
    for (struct store_request **at = &store->first; *at != NULL; at = &(*at)->next) {
        struct store_request *r = *at;
        if (r->id == id) {
            *at = r->next;
            return r;
        }
    }
    return NULL;
}

static void send_pending(struct monitor *m)
{
    struct store_link *store = &m->store;

    if (!store->ready)
        return;
    for (struct store_request *r = store->first; r != NULL; r = r->next) {
        if (r->sent)
            continue;
        if (send(store->source.fd, r->bytes, r->len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
            if (errno == EAGAIN)
                source_watch(m, &store->source, EPOLLIN | EPOLLOUT);
            return; /* EPIPE: its end is on its way */
        }
        r->sent = true;
    }
    if (store->source.events != EPOLLIN)
        source_watch(m, &store->source, EPOLLIN);
}

/* A new request at the end of the list. NULL: no room. */
static struct store_request *request_new(struct store_link *store, size_t len)
{
    struct store_request **at = &store->first;
    struct store_request *r;

    if (store->pending >= STORE_PENDING_MAX || store->pending_bytes + len > STORE_PENDING_BYTES ||
        (r = calloc(1, sizeof(*r) + len)) == NULL)
        return NULL;
    while (*at != NULL)
        at = &(*at)->next;
    *at = r;
    r->len = len;
    r->id = ++store->next_id;
    store->pending++;
    store->pending_bytes += len;
    return r;
}

static struct store_request *request_encode(struct store_link *store, enum message_type type,
                                            const void *message)
{
    uint8_t bytes[MESSAGE_MAX];
    struct store_request *r = NULL;
    const ssize_t len = message_encode(type, store->next_id + 1, message, bytes, sizeof(bytes));

    if (len < 0)
        return NULL;
    r = request_new(store, (size_t)len);
    if (r != NULL)
        memcpy(r->bytes, bytes, (size_t)len);
    explicit_bzero(bytes, (size_t)len);
    return r;
}

void store_ask(struct monitor *m, enum message_type type, const void *message, uint64_t who,
               store_answer answer)
{
    struct store_request *r = request_encode(&m->store, type, message);

    if (r == NULL) {
        if (answer != NULL)
            answer(m, who, 0, NULL);
        return;
    }
    r->who = who;
    r->answer = answer;
    r->deadline_ms = now_ms() + ANSWER_MS;
    send_pending(m);
}

void store_tell(struct monitor *m, enum message_type type, const void *message)
{
    struct store_request *r = request_encode(&m->store, type, message);

    if (r == NULL) {
        if (m->store.lost++ == 0)
            log_error("the store takes nothing: lines of the audit log are being lost");
        return;
    }
    r->keep = true;
    send_pending(m);
}

/* Lines that were lost become a line, once there is room again. */
static void tell_lost(struct monitor *m)
{
    struct store_link *store = &m->store;
    const uint64_t lost = store->lost;
    char text[80];

    if (lost == 0 || store->pending >= STORE_PENDING_MAX / 2)
        return;
    snprintf(text, sizeof(text), "%llu lines of the monitor's found no room and are lost",
             (unsigned long long)lost);
    const struct store_audit line = {.event = slice_text("audit-lost"), .text = slice_text(text)};
    store->lost = 0;
    store_tell(m, MSG_store_audit, &line);
    if (store->lost > 0)
        store->lost += lost - 1; /* not now: the line itself is none of those that were lost */
}

void store_relay(struct monitor *m, const struct envelope *e, uint64_t who, store_answer answer)
{
    struct store_request *r = request_new(&m->store, e->len);

    if (r == NULL) {
        answer(m, who, e->id, NULL);
        return;
    }
    memcpy(r->bytes, e->bytes, e->len);
    memcpy(r->bytes + 4, &r->id, 4); /* struct header of message.c: type, id */
    r->who = who;
    r->their_id = e->id;
    r->answer = answer;
    r->deadline_ms = now_ms() + ANSWER_MS;
    send_pending(m);
}

/* A report link that the store did not take, or not in time: another one is to be made. */
static void on_link_taken(struct monitor *m, uint64_t who, uint32_t id, struct envelope *answer)
{
    struct session *s = session_find(m, who);

    (void)id;
    if (s != NULL && (answer == NULL || answer->type != MSG_store_done))
        s->report_due = true;
}

int store_report_link(struct monitor *m, struct session *s)
{
    const struct store_audit_source about = {
        .session = s->number,
        .account = slice_text(s->account),
        .protocol = slice_text(worker_kind_names[s->kind]),
        .address = slice_text(s->address.text),
    };
    struct store_request *r = m->store.ready ? request_new(&m->store, 0) : NULL;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        pair[0] = pair[1] = -1;
    message_refuse_descriptors(pair[0]);
    message_refuse_descriptors(pair[1]);
    /* Without a store, or one that takes no more now, the agent keeps its reports and gets another
     * link later. */
    s->report_due = r == NULL || pair[1] < 0 ||
                    send_store_audit_source_fds(m->store.source.fd, r->id, &about, &pair[1], 1) < 0;
    if (r != NULL && s->report_due) {
        request_free(&m->store, request_take(&m->store, r->id));
    } else if (r != NULL) {
        r->sent = true;
        r->who = s->number;
        r->answer = on_link_taken;
        r->deadline_ms = now_ms() + ANSWER_MS;
    }
    if (pair[1] >= 0)
        close(pair[1]);
    return pair[0];
}

void store_renew_links(struct monitor *m)
{
    m->links_due = false;
    for (struct session *s = m->sessions; s != NULL; s = s->next) {
        if (s->agent.fd < 0 || !s->report_due)
            continue;
        const struct agent_report_link link = {0};
        int fd = store_report_link(m, s);
        if (fd >= 0 && s->report_due)
            close(fd);
        if (fd < 0 || s->report_due)
            return;
        if (send_agent_report_link_fds(s->agent.fd, 0, &link, &fd, 1) < 0)
            log_warning("session %llu: its agent takes no new report link",
                        (unsigned long long)s->number);
        close(fd);
    }
}

/* NULL, or what is wrong. */
static const char *on_store_ready(struct monitor *m, const struct envelope *e)
{
    struct store_link *store = &m->store;
    struct store_ready ready;
    char trouble[256];

    if (store->told || decode_store_ready(e, &ready) < 0)
        return "sent a store_ready that is none";
    store->told = true;
    slice_copy(ready.trouble, trouble, sizeof(trouble));
    if (trouble[0] != '\0') {
        log_error("the store: %s", trouble);
        return NULL; /* it ends by itself, and is tried again */
    }
    store->ready = true;
    store->layers = ready.layers;
    store->restarts = 0;
    log_info("the store is ready (schema %u)", ready.schema_version);
    send_pending(m);
    m->links_due = true; /* the loop renews them: no message does */
    return NULL;
}

/* One message: an answer to the question with its number. What nobody waits for (any more) is
 * dropped: an answer may come too late. NULL, or what is wrong. */
static const char *hear_store(struct monitor *m, void *owner, struct envelope *e)
{
    struct store_request *r;

    (void)owner;
    if (e->type == MSG_store_ready)
        return on_store_ready(m, e);
    if (message_info(e->type)->link != FROM_STORE)
        return "sent a message that is none of a store's";
    if ((r = request_take(&m->store, e->id)) != NULL) {
        if (r->answer != NULL)
            r->answer(m, r->who, r->their_id, e);
        request_free(&m->store, r);
    }
    return NULL;
}

void store_heard(struct monitor *m, struct source *source, uint32_t events)
{
    (void)events;
    if (!child_heard(m, source, m->store.pid, "store", hear_store))
        m->store.ready = false;
    else if (source->fd >= 0)
        send_pending(m);
}

int store_start(struct monitor *m)
{
    const struct config *c = &m->config;
    struct store_link *store = &m->store;
    const struct store_setup setup = {
        .state_dir = slice_text(c->server_state_dir),
        .uid = m->root ? c->server_store_id : 0,
        .gid = m->root ? c->server_store_id : 0,
        .account_id_first = m->root ? c->server_account_ids.first : 0,
        .account_id_last = m->root ? c->server_account_ids.last : 0,
        .rotate_bytes = c->audit_rotate_bytes,
        .rotate_keep = c->audit_rotate_keep,
        .link_seconds = c->accounts_link_seconds,
        .links_an_hour = c->accounts_links_an_hour,
        .gather_seconds = c->mail_gather,
        .mail = c->mail_enabled,
        .organisation = slice_text(c->https_organisation),
        .log_level = (uint8_t)c->server_log_level,
    };

    store->restart_ms = 0;
    store->starts++;
    store->told = false;
    store->source = (struct source){.fd = -1, .ready = store_heard, .owner = store};
    store->pid = priv_spawn(c->server_programs, "sallyport-store", &store->source.fd);
    if (store->pid < 0) {
        log_error("cannot start %s/sallyport-store: %s", c->server_programs, strerror(errno));
        store->pid = 0;
        return -1;
    }
    /* One that is not set up would wait for ever. Its end is heard as any other's. */
    if (source_watch(m, &store->source, EPOLLIN) < 0 ||
        send_store_setup(store->source.fd, 0, &setup) < 0) {
        log_error("the store cannot be set up: %s", strerror(errno));
        kill(store->pid, SIGKILL);
    }
    return 0;
}

/* Answer with nothing whoever waits too long, or (gone) whose question went to a store that ended:
 * whether a change was made is not known then. What must be kept is sent again. */
static void fail_pending(struct monitor *m, bool gone, int64_t now)
{
    struct store_request *failed = NULL, **end = &failed;

    for (struct store_request **at = &m->store.first; *at != NULL;) {
        struct store_request *r = *at;
        if (r->keep) {
            r->sent = gone ? false : r->sent;
            at = &r->next;
        } else if ((gone && r->sent) || now >= r->deadline_ms) {
            *at = r->next;
            r->next = NULL;
            *end = r;
            end = &r->next;
        } else {
            at = &r->next;
        }
    }
    while (failed != NULL) {
        struct store_request *r = failed;
        failed = r->next;
        if (r->answer != NULL)
            r->answer(m, r->who, r->their_id, NULL);
        request_free(&m->store, r);
    }
}

void store_gone(struct monitor *m, int status)
{
    struct store_link *store = &m->store;
    int64_t wait = RESTART_MS;

    for (unsigned i = 0; i < store->restarts && wait < RESTART_MOST_MS; i++)
        wait *= 2;
    store->pid = 0; /* another process may have it from now on */
    for (int i = 0; i < ROUND_MOST && store->source.fd >= 0; i++)
        store_heard(m, &store->source, EPOLLIN); /* its last words */
    source_close(m, &store->source);
    store->ready = false;
    store->restarts++;
    store->restart_ms = now_ms() + wait;
    for (struct session *s = m->sessions; s != NULL; s = s->next)
        s->report_due = true;
    if (!m->stop)
        log_error("the store ended (%s %d); no login and no change until it is back",
                  WIFSIGNALED(status) ? "signal" : "status",
                  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    fail_pending(m, true, now_ms());
}

void store_tick(struct monitor *m, int64_t now)
{
    fail_pending(m, false, now);
    if (!m->stop && m->store.restart_ms != 0 && now >= m->store.restart_ms && store_start(m) < 0)
        m->store.restart_ms = now + RESTART_MOST_MS;
    tell_lost(m);
    send_pending(m);
    if (m->store.ready)
        store_renew_links(m);
}

/* Has the store been sent all that it is to keep? */
static bool all_sent(const struct store_link *store)
{
    const struct store_request *r = store->first;

    while (r != NULL && r->sent)
        r = r->next;
    return r == NULL;
}

void store_stop(struct monitor *m)
{
    const int64_t until = now_ms() + LAST_MS;

    /* The loop has ended: what is still to be told may be waited for. */
    send_pending(m);
    while (m->store.ready && m->store.source.fd >= 0 && !all_sent(&m->store) && now_ms() < until) {
        struct pollfd ready = {.fd = m->store.source.fd, .events = POLLIN | POLLOUT};
        if (poll(&ready, 1, 100) > 0)
            store_heard(m, &m->store.source, EPOLLIN);
    }
    if (!all_sent(&m->store))
        log_error("the store did not take all lines of the audit log in time");
    source_close(m, &m->store.source); /* it writes what it has, and ends */
    m->store.ready = false;
    while (m->store.first != NULL) {
        struct store_request *r = m->store.first;
        m->store.first = r->next;
        request_free(&m->store, r);
    }
}
