/* The session table and the children that serve it: a worker from exec to its end, its client, its
 * agent. Called by the dispatcher, the listeners and the tick. Must never believe a worker about
 * anything: its pid, its uid and its client are what the monitor gave it. */
#include <errno.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/operations.h"
#include "common/spawn.h"
#include "monitor/monitor.h"

#define START_MS      20000 /* from exec to ready */
#define GOODBYE_MS    3000  /* to tell the client why */
#define AGENT_LAST_MS 65000 /* for the last reports, also when the store is being restarted */
#define STARTING_MOST 8     /* workers of a kind being started at the same time */
#define SPARES_MS     5  /* what a client waits for comes first: a spare takes a core for as long */
#define FAILURES_MOST 8  /* spares that fail one after the other before starting is slowed */
#define CHILD_ROUND   64 /* messages of the store or a hasher heard before others have their turn */
#define AGAIN_MS      2000 /* then, between two attempts */

const char *const session_state_names[STATE_COUNT] = {
#define STATE(NAME, name) name,
    SESSION_STATES(STATE)
#undef STATE
};

const char *const worker_kind_names[WORKER_KINDS] = {
    [WORKER_SFTP] = "sftp",
    [WORKER_FTPS] = "ftps",
    [WORKER_HTTPS] = "https",
};

struct session *session_find(struct monitor *m, uint64_t number)
{
    struct session *s = m->sessions;

    while (s != NULL && s->number != number)
        s = s->next;
    return s;
}

/* ------------------------------------------------------------------------- workers' own ids */

/* A uid nobody has. 0: the range is used up. As an ordinary user there is only our own. */
static uint32_t take_worker_uid(struct monitor *m)
{
    const struct id_range range = m->config.server_worker_ids;
    const uint32_t count = range.last - range.first + 1;

    for (uint32_t i = 0; i < count; i++) {
        const uint32_t at = (m->next_worker_uid + i) % count;
        if (m->worker_uids[at] == 0) {
            m->worker_uids[at] = 1;
            m->next_worker_uid = (at + 1) % count;
            return range.first + at;
        }
    }
    return 0;
}

static void give_worker_uid_back(struct monitor *m, uint32_t uid)
{
    if (uid != 0)
        m->worker_uids[uid - m->config.server_worker_ids.first] = 0;
}

/* ------------------------------------------------------------------------- start of a worker */

static int set_up_sftp(struct monitor *m, struct session *s)
{
    const struct config *c = &m->config;
    uint8_t public_keys[4096];
    const size_t len = host_keys_public(&m->keys, public_keys, sizeof(public_keys));
    const struct worker_setup setup = {
        .host_keys = slice_of(public_keys, len),
        .empty_dir = slice_text(m->empty_dir),
        .uid = s->worker_uid,
        .gid = s->worker_uid,
        .log_level = (uint8_t)c->server_log_level,
        .kex = slice_text(c->sftp_kex),
        .ciphers = slice_text(c->sftp_ciphers),
        .macs = slice_text(c->sftp_macs),
        .host_key_algorithms = slice_text(c->sftp_host_key_algorithms),
        .public_key_algorithms = slice_text(c->sftp_public_key_algorithms),
        .banner = slice_text(c->sftp_banner),
        .nonce = slice_text(s->exchange.nonce),
        .grace_seconds = c->limits_login_grace,
        .idle_seconds = c->limits_idle,
        .rekey_bytes = c->sftp_rekey_bytes,
        .rekey_seconds = c->sftp_rekey_seconds,
    };

    return send_worker_setup(s->worker.fd, 0, &setup);
}

/* Counted: also after a reload a worker signs for the certificates that it has. Returns 0 or -1. */
static int take_tls_keys(struct monitor *m, struct session *s)
{
    for (size_t i = 0; i < TLS_IDENTITIES_MAX && m->tls.keys[i] != NULL; i++) {
        if (EVP_PKEY_up_ref(m->tls.keys[i]) != 1)
            return -1;
        s->tls_keys[i] = m->tls.keys[i];
    }
    return s->tls_keys[0] != NULL ? 0 : -1;
}

static int set_up_ftps(struct monitor *m, struct session *s)
{
    static const uint8_t least[] = {TLS_1_2, TLS_1_3};
    const struct config *c = &m->config;
    const struct ftps_setup setup = {
        .certificates = slice_of(m->tls.chain, m->tls.chain_len),
        .further = slice_of(m->tls.further, m->tls.further_len),
        .empty_dir = slice_text(m->empty_dir),
        .uid = s->worker_uid,
        .gid = s->worker_uid,
        .log_level = (uint8_t)c->server_log_level,
        .tls_least = least[c->tls_least],
        .ciphers12 = slice_text(c->tls_ciphers),
        .ciphers13 = slice_text(c->tls_ciphersuites),
        .groups = slice_text(c->tls_groups),
        .banner = slice_text(c->ftps_banner),
        .grace_seconds = c->limits_login_grace,
        .idle_seconds = c->limits_idle,
        .data_seconds = c->ftps_data_wait,
        .data_resumed = c->ftps_resume_data,
        .active = c->ftps_active,
    };

    return take_tls_keys(m, s) < 0 ? -1 : send_ftps_setup(s->worker.fd, 0, &setup);
}

static int set_up_https(struct monitor *m, struct session *s)
{
    static const uint8_t least[] = {TLS_1_2, TLS_1_3};
    const struct config *c = &m->config;
    uint8_t public_keys[4096];
    const size_t len = host_keys_public(&m->keys, public_keys, sizeof(public_keys));
    const struct https_setup setup = {
        .certificates = slice_of(m->tls.chain, m->tls.chain_len),
        .further = slice_of(m->tls.further, m->tls.further_len),
        .host_keys = slice_of(public_keys, len),
        .empty_dir = slice_text(m->empty_dir),
        .uid = s->worker_uid,
        .gid = s->worker_uid,
        .log_level = (uint8_t)c->server_log_level,
        .tls_least = least[c->tls_least],
        .ciphers12 = slice_text(c->tls_ciphers),
        .ciphers13 = slice_text(c->tls_ciphersuites),
        .groups = slice_text(c->tls_groups),
        .organisation = slice_text(c->https_organisation),
        .accent = slice_text(c->https_accent),
        .names = slice_text(c->https_names),
        .port = c->https_port,
        .sftp_port = c->sftp_enabled ? c->sftp_port : 0,
        .ftps_port = c->ftps_enabled ? c->ftps_port : 0,
        .ftps_implicit_port = c->ftps_enabled && c->ftps_implicit ? c->ftps_implicit_port : 0,
        .basic = c->https_basic,
        .mail = c->mail_enabled,
        .request_seconds = c->https_request_seconds,
        .idle_seconds = c->https_idle,
    };

    return take_tls_keys(m, s) < 0 ? -1 : send_https_setup(s->worker.fd, 0, &setup);
}

static const struct {
    const char *program;
    int (*set_up)(struct monitor *m, struct session *s);
} workers[WORKER_KINDS] = {
    [WORKER_SFTP] = {"sallyport-sftp", set_up_sftp},
    [WORKER_FTPS] = {"sallyport-ftps", set_up_ftps},
    [WORKER_HTTPS] = {"sallyport-https", set_up_https},
};

int priv_session_spawn(struct monitor *m, enum worker_kind kind)
{
    struct session *s = calloc(1, sizeof(*s));
    int link = -1;

    if (s == NULL)
        return -1;
    s->worker = (struct source){.fd = -1, .ready = dispatch_worker, .owner = s};
    s->agent = (struct source){.fd = -1, .ready = dispatch_agent, .owner = s};
    s->agent_link = -1;
    s->kind = kind;
    s->state = STATE_STARTING;
    if (m->root && (s->worker_uid = take_worker_uid(m)) == 0) {
        log_error("no uid left for a worker: server.worker_ids is too small");
        goto failed;
    }
    if (exchange_begin(&s->exchange) < 0) {
        log_error("no random bytes for a session");
        goto failed;
    }
    s->worker_pid = priv_spawn(m->config.server_programs, workers[kind].program, &link);
    if (s->worker_pid < 0) {
        log_error("cannot start %s/%s: %s", m->config.server_programs, workers[kind].program,
                  strerror(errno));
        goto failed;
    }
    s->worker.fd = link;
    s->number = ++m->next_number;
    s->deadline_ms = now_ms() + START_MS;
    s->next = m->sessions;
    m->sessions = s;
    if (source_watch(m, &s->worker, EPOLLIN) < 0 || workers[kind].set_up(m, s) < 0)
        session_end(m, s, "cannot be set up");
    return 0;
failed:
    give_worker_uid_back(m, s->worker_uid);
    free(s); /* no key of it is counted yet */
    return -1;
}

/* Give a spare its client; then the descriptor is the worker's. -1: the spare is dead. */
static int assign(struct monitor *m, struct session *s, const struct arrival *arrival)
{
    const struct client client = {.address = slice_text(arrival->address.text),
                                  .implicit = arrival->implicit};

    if (send_client_fds(s->worker.fd, 0, &client, &arrival->fd, 1) < 0) {
        session_end(m, s, "its worker is gone");
        return -1;
    }
    close(arrival->fd);
    m->spare_failures = 0;
    s->address = arrival->address;
    s->local = arrival->local;
    slice_copy(slice_text(arrival->told), s->told, sizeof(s->told));
    s->has_client = true;
    s->state = STATE_GREETED;
    s->began_ms = now_ms();
    s->began_time = time(NULL);
    s->deadline_ms = s->began_ms + (int64_t)m->config.limits_login_grace * 1000;
    return 0;
}

void sessions_assign(struct monitor *m)
{
    m->assign_due = false;
    m->spares_ms = now_ms() + SPARES_MS;
    for (struct session *s = m->sessions; s != NULL; s = s->next) {
        size_t i = 0;
        while (i < m->waiting_count && m->waiting[i].kind != s->kind)
            i++;
        if (s->state != STATE_SPARE || i == m->waiting_count || assign(m, s, &m->waiting[i]) < 0)
            continue;
        m->waiting_count--;
        memmove(&m->waiting[i], &m->waiting[i + 1], (m->waiting_count - i) * sizeof(m->waiting[0]));
    }
}

void session_take_client(struct monitor *m, const struct arrival *arrival)
{
    if (m->assign_due)
        sessions_assign(m); /* who waits already comes first */
    for (struct session *s = m->sessions; s != NULL; s = s->next) {
        if (s->kind == arrival->kind && s->state == STATE_SPARE && assign(m, s, arrival) == 0) {
            m->spares_ms = now_ms() + SPARES_MS;
            return;
        }
    }
    if (m->waiting_count == WAITING_MAX) {
        log_warning("%s: refused, too many clients wait for a worker", arrival->address.text);
        limits_disconnect(m, &arrival->address);
        close(arrival->fd);
        return;
    }
    m->waiting[m->waiting_count++] = *arrival;
    sessions_spares(m);
}

/* A spare died, or cannot be started. Where one after the other does, no use in haste. */
static void spare_failed(struct monitor *m)
{
    if (++m->spare_failures >= FAILURES_MOST)
        m->spares_again_ms = now_ms() + AGAIN_MS;
}

/* As many spares of each kind that is served as configured, and one for each client that waits; few
 * started at a time. */
void sessions_spares(struct monitor *m)
{
    const bool served[WORKER_KINDS] = {
        [WORKER_SFTP] = m->config.sftp_enabled,
        [WORKER_FTPS] = m->config.ftps_enabled,
        [WORKER_HTTPS] = m->config.https_enabled,
    };
    size_t starting[WORKER_KINDS] = {0}, have[WORKER_KINDS] = {0}, wanted[WORKER_KINDS] = {0};

    m->spares_ms = 0;
    if (m->stop || now_ms() < m->spares_again_ms)
        return;
    for (const struct session *s = m->sessions; s != NULL; s = s->next) {
        starting[s->kind] += s->state == STATE_STARTING;
        have[s->kind] += s->state == STATE_STARTING || s->state == STATE_SPARE;
    }
    for (size_t i = 0; i < m->waiting_count; i++)
        wanted[m->waiting[i].kind]++;
    for (int kind = 0; kind < WORKER_KINDS; kind++) {
        wanted[kind] += served[kind] ? m->config.server_spare_workers : 0;
        for (; starting[kind] < STARTING_MOST && have[kind] < wanted[kind]; have[kind]++) {
            if (priv_session_spawn(m, (enum worker_kind)kind) < 0) {
                spare_failed(m);
                return;
            }
            starting[kind]++;
        }
    }
}

/* ------------------------------------------------------------------------- the agent */

/* The view: the home, then the account's folder sets as the store encoded them. */
static ssize_t view(const struct session *s, uint8_t *blob, size_t size)
{
    const struct folder home = {
        .name = slice_text("/"), .path = slice_text(s->login.home), .rights = s->login.rights};
    const size_t sets = s->login.folders_len;
    const ssize_t len = nest_folder(&home, blob, 0, size);

    if (len < 0 || sets > size - (size_t)len)
        return -1;
    if (sets > 0)
        memcpy(blob + len, s->login.folders, sets);
    return len + (ssize_t)sets;
}

/* Spawn the agent for a login that succeeded. Returns 0 or -1. */
static int priv_session_agent(struct monitor *m, struct session *s)
{
    uint8_t folders[32768]; /* as many as agent_setup takes */
    const ssize_t len = view(s, folders, sizeof(folders));
    int pair[2] = {-1, -1}, report = -1, link = -1, r = -1;

    if (len < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        goto out;
    message_refuse_descriptors(pair[1]); /* a worker has none to send to its agent */
    s->agent_pid = priv_spawn(m->config.server_programs, "sallyport-files", &link);
    if (s->agent_pid < 0) {
        log_error("cannot start %s/sallyport-files: %s", m->config.server_programs,
                  strerror(errno));
        s->agent_pid = 0;
        goto out;
    }
    s->agent.fd = link;
    if ((report = store_report_link(m, s)) < 0 || source_watch(m, &s->agent, EPOLLIN) < 0)
        goto out;
    const struct agent_setup setup = {
        .session = s->number,
        .account = slice_text(s->account),
        .empty_dir = slice_text(m->empty_dir),
        .uid = s->login.uid,
        .gid = s->login.gid,
        .flags = s->login.flags | (s->kind == WORKER_HTTPS ? ACCOUNT_PARTS : 0),
        .umask = m->config.server_umask,
        .log_level = (uint8_t)m->config.server_log_level,
        .folders = slice_of(folders, (size_t)len),
    };
    const int fds[] = {pair[1], report};
    if (send_agent_setup_fds(s->agent.fd, 0, &setup, fds, 2) < 0)
        goto out;
    s->agent_link = pair[0];
    pair[0] = -1;
    r = 0;
out:
    if (r < 0)
        log_error("session %llu: its file agent cannot be set up: %s",
                  (unsigned long long)s->number, strerror(errno));
    for (int i = 0; i < 2; i++) {
        if (pair[i] >= 0)
            close(pair[i]);
    }
    if (report >= 0)
        close(report);
    return r;
}

void sessions_agents(struct monitor *m)
{
    m->agents_due = false;
    for (struct session *s = m->sessions; s != NULL; s = s->next) {
        if (!s->agent_due)
            continue;
        s->agent_due = false;
        if (s->state == STATE_CHECKING && priv_session_agent(m, s) < 0)
            auth_agent_ready(m, s, "the file agent cannot be started");
    }
}

/* ------------------------------------------------------------------------- the end */

void session_audit(struct monitor *m, const struct session *s, const char *event,
                   const char *format, ...)
{
    char text[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    const char *account = s->account[0] != '\0' ? s->account : s->login.name;
    const struct store_audit line = {
        .event = slice_text(event),
        .session = s->number,
        .account = slice_text(account),
        .protocol = slice_text(worker_kind_names[s->kind]),
        .address = slice_text(s->address.text),
        .text = slice_text(text),
    };
    store_tell(m, MSG_store_audit, &line);
}

static void kill_child(pid_t pid)
{
    if (pid > 0 && kill(pid, SIGKILL) < 0 && errno != ESRCH)
        log_error("kill %d: %s", (int)pid, strerror(errno));
}

void session_end(struct monitor *m, struct session *s, const char *reason)
{
    const struct agent_finish finish = {0};

    if (s->ended)
        return;
    limits_logout(m, s);
    s->ended = true;
    if (s->has_client) {
        log_info("session %llu: %s%s%s ended: %s", (unsigned long long)s->number, s->address.text,
                 s->account[0] != '\0' ? ", account " : "", s->account, reason);
        if (s->account[0] != '\0' && !s->by_token) /* those come and go without a line */
            session_audit(m, s, "session-end", "%s", reason);
        else if (s->failed)
            limits_penalise(m, &s->address, PENALTY_FAILURE);
        else if (s->deadline_ms != 0 && now_ms() >= s->deadline_ms)
            limits_penalise(m, &s->address, PENALTY_GRACE);
        limits_disconnect(m, &s->address);
    }
    s->has_client = false;
    s->state = STATE_ENDING;
    s->deadline_ms = now_ms() + AGENT_LAST_MS;
    source_close(m, &s->worker);
    data_release(m, s);
    kill_child(s->worker_pid);
    /* It must not go on serving: where it cannot be told, the end of its link tells it. */
    if (s->agent.fd >= 0 && send_agent_finish(s->agent.fd, 0, &finish) < 0)
        source_close(m, &s->agent);
    if (s->agent_link >= 0)
        close(s->agent_link);
    s->agent_link = -1;
    login_clear(&s->login);
}

void session_goodbye(struct session *s, const char *reason)
{
    slice_copy(slice_text(reason), s->end_reason, sizeof(s->end_reason));
    s->state = STATE_ENDING;
    s->deadline_ms = now_ms() + GOODBYE_MS;
}

void session_stop(struct monitor *m, struct session *s, const char *reason)
{
    const struct worker_stop stop = {.reason = slice_text(reason)};

    if (s->state == STATE_ENDING)
        return;
    if (!s->has_client) {
        session_end(m, s, reason);
        return;
    }
    /* A worker that cannot be told is dead already: how it ended is judged at its SIGCHLD. */
    if (send_worker_stop(s->worker.fd, 0, &stop) < 0)
        source_close(m, &s->worker);
    session_goodbye(s, reason);
}

void session_violation(struct monitor *m, struct session *s, const char *what)
{
    m->counters.security_events++;
    log_warning("session %llu: %s: security: the worker (pid %d) %s", (unsigned long long)s->number,
                s->address.text, (int)s->worker_pid, what);
    session_audit(m, s, "security", "worker: %s", what);
    if (s->has_client)
        limits_penalise(m, &s->address, PENALTY_CRASH);
    session_end(m, s, what);
}

/* It broke the rules: a security event, its end; another is started. */
static void child_violation(struct monitor *m, struct source *source, pid_t pid, const char *child,
                            const char *what)
{
    char text[128];

    m->counters.security_events++;
    snprintf(text, sizeof(text), "%s: %s", child, what);
    log_warning("security: the %s (pid %d) %s", child, (int)pid, what);
    const struct store_audit line = {.event = slice_text("security"), .text = slice_text(text)};
    store_tell(m, MSG_store_audit, &line);
    source_close(m, source);
    kill_child(pid);
}

bool child_heard(struct monitor *m, struct source *source, pid_t pid, const char *child,
                 child_message hear)
{
    struct envelope *e = &m->envelope;
    const char *wrong = NULL;
    int got = -1;

    for (int i = 0; i < CHILD_ROUND && wrong == NULL && source->fd >= 0; i++) {
        got = message_receive_bare(source->fd, e, MSG_DONTWAIT);
        if (got < 0 && errno == EPROTO)
            wrong = "sent bytes that are no message";
        if (got <= 0)
            break;
        wrong = hear(m, source->owner, e);
        envelope_clear(e);
    }
    if (wrong != NULL) {
        child_violation(m, source, pid, child, wrong);
    } else if (source->fd >= 0 && got == 0) {
        source_close(m, source); /* its end follows as SIGCHLD */
        kill_child(pid);
    }
    return wrong == NULL;
}

static void worker_ended(struct monitor *m, struct session *s, int status)
{
    char how[64] = "its worker ended";

    give_worker_uid_back(m, s->worker_uid);
    s->worker_uid = 0;
    if (WIFSIGNALED(status))
        snprintf(how, sizeof(how), "its worker was killed by signal %d", WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0)
        snprintf(how, sizeof(how), "its worker ended with status %d", WEXITSTATUS(status));
    if (WIFSIGNALED(status) && !s->ended && s->has_client) {
        session_violation(m, s, how); /* nobody here killed it */
    } else if (s->state == STATE_ENDING) {
        session_end(m, s, s->end_reason[0] != '\0' ? s->end_reason : how);
    } else if (s->state == STATE_STARTING || s->state == STATE_SPARE) {
        log_error("a spare %s worker: %s", worker_kind_names[s->kind], how);
        spare_failed(m);
        session_end(m, s, how);
    } else if (!WIFSIGNALED(status) && WEXITSTATUS(status) == 0) {
        session_end(m, s, how);
    } else {
        session_violation(m, s, how);
    }
}

void sessions_child_ended(struct monitor *m, pid_t pid, int status)
{
    for (struct session *s = m->sessions; s != NULL; s = s->next) {
        if (s->worker_pid == pid) {
            s->worker_pid = 0; /* another process may have it from now on */
            /* What it said last is still in its link: hear it before judging its end. */
            if (s->worker.fd >= 0)
                dispatch_worker(m, &s->worker, EPOLLIN);
            worker_ended(m, s, status);
            return;
        }
        if (s->agent_pid == pid) {
            s->agent_pid = 0;
            if (s->agent.fd >= 0)
                dispatch_agent(m, &s->agent, EPOLLIN);
            source_close(m, &s->agent);
            if (WIFEXITED(status) && WEXITSTATUS(status) == AGENT_MISUSED)
                session_violation(m, s, "sent its file agent what is no request");
            else if (s->state == STATE_CHECKING)
                auth_agent_ready(m, s, "the file agent ended");
            else
                session_stop(m, s, "the file agent ended");
            return;
        }
    }
}

/* ------------------------------------------------------------------------- told and ended */

int sessions_tell(struct monitor *m, int fd, uint32_t id, const struct session_next *next)
{
    const struct no_more_sessions end = {0};
    const struct session *found = NULL;

    for (const struct session *s = m->sessions; s != NULL; s = s->next) {
        if (s->has_client && s->number > next->after &&
            (next->account.len == 0 || slice_is(next->account, s->account)) &&
            (found == NULL || s->number < found->number))
            found = s;
    }
    if (found == NULL)
        return send_no_more_sessions(fd, id, &end);
    const struct session_is is = {
        .number = found->number,
        .protocol = slice_text(worker_kind_names[found->kind]),
        .state = slice_text(session_state_names[found->state]),
        .account = slice_text(found->account),
        .address = slice_text(found->address.text),
        .method = slice_text(found->method),
        .started = found->began_time,
        .worker_pid = (uint32_t)found->worker_pid,
        .agent_pid = (uint32_t)found->agent_pid,
    };
    return send_session_is(fd, id, &is);
}

uint32_t sessions_kill(struct monitor *m, const struct session_kill *kill, const char *why)
{
    uint32_t count = 0;

    for (struct session *s = m->sessions; s != NULL; s = s->next) {
        if (!s->has_client || s->state == STATE_ENDING ||
            (kill->account.len > 0 && !slice_is(kill->account, s->account)) ||
            ((kill->number != 0 || kill->account.len == 0) && s->number != kill->number))
            continue;
        session_stop(m, s, why);
        count++;
    }
    return count;
}

/* ------------------------------------------------------------------------- the tick */

static void waiting_tick(struct monitor *m, int64_t now)
{
    for (size_t i = 0; i < m->waiting_count;) {
        struct arrival *w = &m->waiting[i];
        if (!m->stop && now - w->since_ms < (int64_t)m->config.limits_login_grace * 1000) {
            i++;
            continue;
        }
        limits_disconnect(m, &w->address);
        close(w->fd);
        m->waiting_count--;
        memmove(w, w + 1, (m->waiting_count - i) * sizeof(*w));
    }
}

void sessions_tick(struct monitor *m, int64_t now)
{
    for (struct session *s = m->sessions; s != NULL; s = s->next) {
        if (s->deadline_ms == 0 || now < s->deadline_ms)
            continue;
        if (s->ended) {
            kill_child(s->worker_pid);
            kill_child(s->agent_pid);
        } else {
            session_end(m, s,
                        s->state == STATE_ENDING     ? s->end_reason
                        : s->worker.fd < 0           ? "its worker closed its link"
                        : s->state == STATE_STARTING ? "its worker did not get ready"
                                                     : "no login within the time allowed");
        }
    }
    waiting_tick(m, now);
    sessions_spares(m);
}

void sessions_replace_spares(struct monitor *m, const char *why)
{
    for (struct session *s = m->sessions; s != NULL; s = s->next) {
        if (s->state == STATE_SPARE || s->state == STATE_STARTING)
            session_end(m, s, why);
    }
    sessions_spares(m);
}

void sessions_bury(struct monitor *m)
{
    for (struct session **at = &m->sessions; *at != NULL;) {
        struct session *s = *at;
        if (s->state != STATE_ENDING || s->worker_pid != 0 || s->agent_pid != 0) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        source_close(m, &s->worker);
        source_close(m, &s->agent);
        login_clear(&s->login);
        for (size_t i = 0; i < TLS_IDENTITIES_MAX; i++)
            EVP_PKEY_free(s->tls_keys[i]);
        explicit_bzero(s, sizeof(*s));
        free(s);
    }
}
