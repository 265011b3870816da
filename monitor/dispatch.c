/* The policy of the boundary, whole: which message from which kind of worker in which state of its
 * session, how often, what happens, and where the session stands afterwards. What no row allows
 * ends the worker. Called by the event loop when a worker's or an agent's link can be read. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "common/log.h"
#include "monitor/monitor.h"

#define K(kind)    (1u << WORKER_##kind)
#define K_ALL      ((1u << WORKER_KINDS) - 1)
#define K_TLS      (K(FTPS) | K(HTTPS))
#define S(state)   (1u << STATE_##state)
#define STAY       STATE_COUNT
#define UNBOUNDED  0
#define ROUND_MOST 16 /* messages of one worker heard before the others have their turn */

/* ------------------------------------------------------------------------- small handlers */

int answered(struct monitor *m, struct session *s, int sent, const char **why)
{
    if (sent == 0)
        return 0;
    if (errno == EAGAIN) {
        *why = "does not read its answers";
        return -1;
    }
    session_end(m, s, "its worker cannot be answered");
    return 0;
}

static int on_worker_ready(struct monitor *m, struct session *s, struct envelope *e,
                           const char **why)
{
    struct worker_ready ready;

    if (decode_worker_ready(e, &ready) < 0) {
        *why = "sent a worker_ready that does not decode";
        return -1;
    }
    m->worker_layers = ready.layers;
    if (!slice_is(ready.library, m->library))
        slice_copy(ready.library, m->other_library, sizeof(m->other_library));
    s->deadline_ms = 0;
    m->assign_due = true; /* the loop gives it a client, and starts others: no message does */
    return 0;
}

/* The answer to a request for a signature: n bytes of it, or -1. */
static int answer_signature(struct monitor *m, struct session *s, const struct envelope *e,
                            const uint8_t *bytes, ssize_t n, const char **why)
{
    if (n < 0 && *why == NULL) {
        session_end(m, s, "the server could not sign the key exchange");
        return 0;
    }
    if (n < 0)
        return -1;
    const struct signature answer = {.bytes = slice_of(bytes, (size_t)n)};
    return answered(m, s, send_signature(s->worker.fd, e->id, &answer), why);
}

static int on_sign_exchange(struct monitor *m, struct session *s, struct envelope *e,
                            const char **why)
{
    struct sign_exchange request;
    uint8_t bytes[1024];

    if (decode_sign_exchange(e, &request) < 0) {
        *why = "sent a sign_exchange that does not decode";
        return -1;
    }
    const ssize_t n =
        priv_sign_exchange(&m->keys, &s->exchange, request.preimage, bytes, sizeof(bytes), why);
    return answer_signature(m, s, e, bytes, n, why);
}

/* The key that a worker means; NULL and why: it was given none of that number. */
static struct evp_pkey_st *tls_key_of(const struct session *s, uint32_t identity, const char **why)
{
    *why = "asked for a signature by a key that it was not given";
    return identity < TLS_IDENTITIES_MAX ? s->tls_keys[identity] : NULL;
}

static int on_sign_tls13(struct monitor *m, struct session *s, struct envelope *e, const char **why)
{
    struct sign_tls13 request;
    struct evp_pkey_st *key;
    uint8_t bytes[1024];

    *why = "sent a sign_tls13 that does not decode";
    if (decode_sign_tls13(e, &request) < 0 || (key = tls_key_of(s, request.identity, why)) == NULL)
        return -1;
    const ssize_t n = priv_sign_tls13(key, &request, bytes, sizeof(bytes), why);
    return answer_signature(m, s, e, bytes, n, why);
}

static int on_sign_tls12(struct monitor *m, struct session *s, struct envelope *e, const char **why)
{
    struct sign_tls12 request;
    struct evp_pkey_st *key;
    uint8_t bytes[1024];

    *why = "sent a sign_tls12 that does not decode";
    if (decode_sign_tls12(e, &request) < 0 || (key = tls_key_of(s, request.identity, why)) == NULL)
        return -1;
    const ssize_t n = priv_sign_tls12(key, &request, bytes, sizeof(bytes), why);
    return answer_signature(m, s, e, bytes, n, why);
}

static int on_worker_log(struct monitor *m, struct session *s, struct envelope *e, const char **why)
{
    struct worker_log line;
    char text[513];

    (void)m;
    *why = "sent a worker_log that does not decode";
    if (decode_worker_log(e, &line) < 0 || line.level > LOG_LEVEL_DEBUG)
        return -1;
    slice_copy(line.text, text, sizeof(text));
    log_line((enum log_level)line.level, "session %llu: %s: its worker says: %s",
             (unsigned long long)s->number, s->address.text, text);
    return 0;
}

static int on_worker_end(struct monitor *m, struct session *s, struct envelope *e, const char **why)
{
    struct worker_end end;

    (void)m;
    *why = "sent a worker_end that does not decode";
    if (decode_worker_end(e, &end) < 0)
        return -1;
    char text[256];
    slice_copy(end.reason, text, sizeof(text));
    snprintf(s->end_reason, sizeof(s->end_reason),
             "its worker says: %.180s (in %llu, out %llu bytes)", text,
             (unsigned long long)end.bytes_in, (unsigned long long)end.bytes_out);
    s->deadline_ms = now_ms() + 1000;
    return 0;
}

/* ------------------------------------------------------------------------- the table */

// clang-format off
static const struct rule {
    enum message_type type;
    unsigned kinds;           /* of workers that may send it */
    unsigned states;          /* in which it may be sent */
    unsigned most;            /* how often in one session */
    session_handler handler;
    enum session_state next;  /* set before the handler runs, which may go on from there */
} rules[] = {
    {MSG_worker_ready,  K_ALL,   S(STARTING),                    1,         on_worker_ready,  STATE_SPARE},
    {MSG_sign_exchange, K(SFTP), S(GREETED),                     4,         on_sign_exchange, STAY},
    {MSG_sign_exchange, K(SFTP), S(OPEN),                        UNBOUNDED, on_sign_exchange, STAY},
    {MSG_sign_tls13,    K_TLS,   S(GREETED),                     1,         on_sign_tls13,    STAY},
    {MSG_sign_tls13,    K(FTPS), S(OPEN),                        UNBOUNDED, on_sign_tls13,    STAY},
    {MSG_sign_tls12,    K_TLS,   S(GREETED),                     1,         on_sign_tls12,    STAY},
    {MSG_sign_tls12,    K(FTPS), S(OPEN),                        UNBOUNDED, on_sign_tls12,    STAY},
    {MSG_auth_query,    K(SFTP), S(GREETED),                     64,        on_auth_query,    STATE_CHECKING},
    {MSG_auth_key,      K(SFTP), S(GREETED),                     100,       on_auth_key,      STATE_CHECKING},
    {MSG_auth_password, K_ALL,   S(GREETED),                     100,       on_auth_password, STATE_CHECKING},
    {MSG_auth_code,     K_ALL,   S(GREETED),                     10,        on_auth_code,     STATE_CHECKING},
    {MSG_auth_link,     K(HTTPS), S(GREETED),                    8,         on_auth_link,     STATE_CHECKING},
    {MSG_lost_password, K(HTTPS), S(GREETED),                    2,         on_lost_password, STAY},
    {MSG_auth_token,    K(HTTPS), S(GREETED),                    8,         on_auth_token,    STATE_CHECKING},
    {MSG_tls_keep,      K(HTTPS), S(GREETED),                    2,         on_tls_keep,      STAY},
    {MSG_tls_find,      K(HTTPS), S(GREETED),                    2,         on_tls_find,      STAY},
    {MSG_agent_wanted,  K(HTTPS), S(KNOWN),                      1,         on_agent_wanted,  STATE_CHECKING},
    {MSG_sign_out,      K(HTTPS), S(KNOWN)|S(OPEN),              1,         on_sign_out,      STAY},
    {MSG_own_show,          K(HTTPS), S(KNOWN)|S(OPEN),              1000,      on_own,           STAY},
    {MSG_key_next,          K(HTTPS), S(KNOWN)|S(OPEN),              100000,    on_own,           STAY},
    {MSG_key_add,           K(HTTPS), S(KNOWN)|S(OPEN),              1000,      on_own,           STAY},
    {MSG_key_remove,        K(HTTPS), S(KNOWN)|S(OPEN),              1000,      on_own,           STAY},
    {MSG_web_next,          K(HTTPS), S(KNOWN)|S(OPEN),              100000,    on_own,           STAY},
    {MSG_web_end,           K(HTTPS), S(KNOWN)|S(OPEN),              1000,      on_own,           STAY},
    {MSG_totp_confirm,      K(HTTPS), S(KNOWN)|S(OPEN),              20,        on_own,           STAY},
    {MSG_totp_remove,       K(HTTPS), S(KNOWN)|S(OPEN),              20,        on_own,           STAY},
    {MSG_session_next,      K(HTTPS), S(KNOWN)|S(OPEN),              100000,    on_own_sessions,  STAY},
    {MSG_session_kill,      K(HTTPS), S(KNOWN)|S(OPEN),              1000,      on_own_session_kill, STAY},
    {MSG_data_passive,  K(FTPS), S(OPEN),                        UNBOUNDED, on_data_passive,  STAY},
    {MSG_data_active,   K(FTPS), S(OPEN),                        UNBOUNDED, on_data_active,   STAY},
    {MSG_worker_log,    K_ALL,   S(STARTING)|S(SPARE)|S(GREETED)|S(KNOWN)|S(OPEN), 1000, on_worker_log, STAY},
    {MSG_worker_end,    K_ALL,   S(GREETED)|S(KNOWN)|S(OPEN),    1,         on_worker_end,    STATE_ENDING},
};
// clang-format on

static const struct rule *find_rule(const struct session *s, enum message_type type)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        const struct rule *rule = &rules[i];
        if (rule->type == type && (rule->kinds & (1u << s->kind)) != 0 &&
            (rule->states & (1u << s->state)) != 0 &&
            (rule->most == UNBOUNDED || s->heard[type] < rule->most))
            return rule;
    }
    return NULL;
}

static bool signs(const struct rule *rule)
{
    return rule->handler == on_sign_exchange || rule->handler == on_sign_tls13 ||
           rule->handler == on_sign_tls12;
}

/* One message from a worker. Returns false when there is no more to hear in this round: a signature
 * (milliseconds with RSA) is a round by itself, or a worker that floods would hold up the others by
 * many of them. */
static bool hear_worker(struct monitor *m, struct session *s)
{
    struct envelope *e = &m->envelope;
    const char *why = "broke the rules";
    char what[160];
    const int r = message_receive_bare(s->worker.fd, e, MSG_DONTWAIT);

    if (r < 0 && errno == EAGAIN)
        return false;
    /* Its end follows as SIGCHLD: judged there. So does that of one that cannot be heard (no
     * memory): only what is no message is its own doing. */
    if (r == 0 || (r < 0 && errno != EPROTO)) {
        const int64_t soon = now_ms() + 1000;
        source_close(m, &s->worker);
        if (s->state != STATE_ENDING && (s->deadline_ms == 0 || s->deadline_ms > soon))
            s->deadline_ms = soon;
        return false;
    }
    if (s->state == STATE_ENDING) {
        envelope_clear(e);
        return true; /* what was on its way when it was told to end */
    }
    if (r < 0) {
        session_violation(m, s, "sent bytes that are no message");
        return false;
    }
    const struct rule *rule = find_rule(s, e->type);
    if (rule == NULL) {
        snprintf(what, sizeof(what), "sent %s while %s", message_info(e->type)->name,
                 session_state_names[s->state]);
        session_violation(m, s, what);
    } else {
        s->heard[e->type] += rule->most == UNBOUNDED ? 0 : 1;
        if (rule->next != STAY)
            s->state = rule->next;
        if (rule->handler(m, s, e, &why) < 0)
            session_violation(m, s, why);
    }
    envelope_clear(e);
    return s->worker.fd >= 0 && (rule == NULL || !signs(rule));
}

void dispatch_worker(struct monitor *m, struct source *source, uint32_t events)
{
    (void)events;
    for (int i = 0; i < ROUND_MOST && hear_worker(m, source->owner); i++)
        ;
}

/* Whoever it is by now, it does not go on serving. */
static void kill_agent(const struct session *s)
{
    if (s->agent_pid > 0)
        kill(s->agent_pid, SIGKILL);
}

void dispatch_agent(struct monitor *m, struct source *source, uint32_t events)
{
    struct session *s = source->owner;
    struct envelope *e = &m->envelope;
    struct agent_ready ready;
    char trouble[256], missing[1001];
    const int r = message_receive_bare(source->fd, e, MSG_DONTWAIT);

    (void)events;
    if (r < 0 && errno == EAGAIN)
        return;
    if (r < 0 && errno != EPROTO) { /* no memory for it: an agent whose link ends, ends */
        source_close(m, source);
        return;
    }
    if (r == 0) { /* its end follows as SIGCHLD; without a link it could not be told to end */
        source_close(m, source);
        kill_agent(s);
        return;
    }
    const bool first =
        r > 0 && decode_agent_ready(e, &ready) == 0 && s->heard[MSG_agent_ready]++ == 0;
    if (!first || (s->state != STATE_CHECKING && s->state != STATE_ENDING)) {
        session_violation(m, s, "has an agent that broke the rules");
        source_close(m, source);
        kill_agent(s);
    } else if (s->state == STATE_CHECKING) { /* else it got ready after the session had ended */
        slice_copy(ready.trouble, trouble, sizeof(trouble));
        m->agent_layers = ready.layers;
        slice_copy(ready.missing, missing, sizeof(missing));
        if (missing[0] != '\0') {
            log_warning("session %llu: account %s: %s", (unsigned long long)s->number, s->account,
                        missing);
            session_audit(m, s, "folder-missing", "%s", missing);
        }
        auth_agent_ready(m, s, trouble[0] != '\0' ? trouble : NULL);
    }
    envelope_clear(e);
}

/* ------------------------------------------------------------------------- for people */

static void print_set(FILE *out, unsigned set, const char *const *names, unsigned count,
                      const char *between)
{
    const char *comma = "";

    if (set == (1u << count) - 1) {
        fprintf(out, "all");
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        if ((set & (1u << i)) != 0) {
            fprintf(out, "%s%s", comma, names[i]);
            comma = between;
        }
    }
}

void dispatch_print(FILE *out)
{
    fprintf(out, "What a worker may send to the monitor (message: from which kind of worker, in "
                 "which state, how often, next state)\n");
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        const struct rule *rule = &rules[i];
        fprintf(out, "  %-14s from ", message_info(rule->type)->name);
        print_set(out, rule->kinds, worker_kind_names, WORKER_KINDS, ",");
        fprintf(out, ", while ");
        print_set(out, rule->states, session_state_names, STATE_COUNT, ",");
        if (rule->most != UNBOUNDED)
            fprintf(out, ", at most %u", rule->most);
        fprintf(out, ", then %s\n",
                rule->next == STAY ? "as before" : session_state_names[rule->next]);
    }
    fprintf(out, "\nMessages\n");
    for (int t = MSG_NONE + 1; t < MSG_COUNT; t++) {
        const struct message_info *info = message_info((enum message_type)t);
        fprintf(out, "  %-18s %-28s %u-%u descriptors: %s\n", info->name,
                message_link_name(info->link), info->fds_least, info->fds_most, info->note);
    }
}

void dispatch_print_markdown(FILE *out)
{
    fprintf(out, "| message | from | while the session is | at most, in one session | then |\n"
                 "|---|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        const struct rule *rule = &rules[i];
        fprintf(out, "| `%s` | ", message_info(rule->type)->name);
        print_set(out, rule->kinds, worker_kind_names, WORKER_KINDS, ", ");
        fprintf(out, " | ");
        print_set(out, rule->states, session_state_names, STATE_COUNT, ", ");
        if (rule->most != UNBOUNDED)
            fprintf(out, " | %u", rule->most);
        else
            fprintf(out, " | any number");
        fprintf(out, " | %s |\n",
                rule->next == STAY ? "as before" : session_state_names[rule->next]);
    }
}
