/* Workers that stall, flood and exhaust, and whether the others notice: while one does its worst,
 * the operator's questions are answered, another session's exchanges signed and a real client's
 * requests served, and the monitor grows by nothing. Times are printed, counts decide. Called by
 * main.c. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/hostile/hostile.h"

#define ROUNDS_MAX  4096
#define ROUNDS_CALM 40
#define GROWTH_KB   4096 /* of the monitor, over a whole flood */
#ifdef __SANITIZE_ADDRESS__
#define ENDURED_KB 4096 /* over many sessions: what was freed is kept for a while */
#else
#define ENDURED_KB 256
#endif
#define HASH_CLIENTS 300
#define HASH_QUEUE   256 /* HASH_QUEUE_MAX of the monitor */
#define WAITING      256 /* WAITING_MAX of the monitor */
#define CLIENTS      300

/* ------------------------------------------------------------------------- the others */

/* Round trips of a bystander, in microseconds. */
struct pace {
    int64_t rounds[ROUNDS_MAX];
    size_t count;
};

static int64_t clock_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Who must not notice: a session that has exchanges signed, and a real client of a real worker. */
struct others {
    struct actor signer;
    struct sftp_client client;
    bool real;
};

static void others_begin(struct hostile *h, struct others *o)
{
    actor_make(h, STAND_AGENT, &o->signer);
    o->real = client_exists();
    if (o->real)
        client_start(h, &o->client);
    else
        printf("skipped: no sftp for this user here: a session of the test's is the bystander\n");
}

static void others_end(struct others *o)
{
    if (o->real)
        client_end(&o->client);
    actor_drop(&o->signer);
}

/* A question by the operator, one to be signed, one by the client; it goes on at all. */
static void round_trip(struct hostile *h, struct others *o, struct pace *pace)
{
    const struct file_stat ask = {.path = slice_text("/f")};
    struct actor *b = &o->signer;
    const int64_t began = clock_us();

    server_status(h);
    exchange_do(h, b);
    if (o->real) {
        client_say(&o->client, "ls -ln /f");
        if (!client_hear(h, &o->client, "-rw"))
            give_up("a bystander's client is not served: %s", o->client.text);
    } else if (send_file_stat(b->agent, 1, &ask) < 0 ||
               raw_receive(h, b->agent, PATIENCE_MS) != 1 ||
               h->envelope.type != MSG_file_attributes) {
        give_up("a bystander's agent does not answer");
    }
    if (pace->count < ROUNDS_MAX)
        pace->rounds[pace->count++] = clock_us() - began;
}

static int compare(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static int64_t median(struct pace *pace)
{
    qsort(pace->rounds, pace->count, sizeof(pace->rounds[0]), compare);
    return pace->count > 0 ? pace->rounds[pace->count / 2] : 0;
}

/* ------------------------------------------------------------------------- floods */

struct flood {
    unsigned long sent, answered;
    bool closed; /* the link was, before the end */
};

/* Send so many and take what comes, without ever waiting for the one to do the other. */
static struct flood flood_run(int link, const struct sample *s, unsigned long n, bool answers,
                              bool waits)
{
    static struct envelope e;
    struct flood f = {0};

    while (!f.closed && (f.sent < n || (answers && f.answered < n))) {
        const bool next = f.sent < n && (!waits || f.sent == f.answered);
        struct pollfd p = {.fd = link, .events = (short)(POLLIN | (next ? POLLOUT : 0))};
        if (poll(&p, 1, PATIENCE_MS) != 1)
            break;
        if ((p.revents & POLLIN) != 0) {
            const int r = message_receive(link, &e, MSG_DONTWAIT);
            f.closed = r == 0;
            f.answered += r == 1;
            envelope_clear(&e);
        } else if ((p.revents & POLLHUP) != 0) {
            f.closed = true;
        }
        if (f.closed || (p.revents & POLLOUT) == 0)
            continue;
        if (raw_send(link, s->bytes, s->len, NULL, 0, MSG_DONTWAIT) == 0)
            f.sent++;
        else if (errno != EAGAIN)
            f.closed = true;
    }
    return f;
}

/* In a process of its own. Returns its pid, and where the result will be. */
static pid_t flood_start(int link, const struct sample *s, unsigned long n, bool answers,
                         bool waits, int *out)
{
    int ends[2];

    if (pipe(ends) < 0)
        give_up("pipe: %s", strerror(errno));
    const pid_t pid = fork();
    if (pid < 0)
        give_up("fork: %s", strerror(errno));
    if (pid == 0) {
        const struct flood f = flood_run(link, s, n, answers, waits);
        const bool told = write(ends[1], &f, sizeof(f)) == (ssize_t)sizeof(f);
        _exit(told ? 0 : 1);
    }
    close(ends[1]);
    *out = ends[0];
    return pid;
}

/* One message again and again. */
struct flood_kind {
    const char *name;
    enum message_type type;
    enum role kind;
    enum stand stand;
    unsigned share; /* of options.flood: one in so many */
    unsigned long
        most;   /* answers, or lines in the log, before the end; 0: it has none, and lives */
    bool waits; /* for each answer before it asks again */
};

static const struct flood_kind floods[] = {
    {"sign, open", MSG_sign_exchange, ROLE_SFTP, STAND_OPEN, 1, 0, false},
    {"sign, greeted", MSG_sign_exchange, ROLE_SFTP, STAND_GREETED, 1, 4, false},
    {"query", MSG_auth_query, ROLE_SFTP, STAND_KEYED, 1, 64, false},
    {"password, open", MSG_auth_password, ROLE_SFTP, STAND_OPEN, 1, 1, false},
    {"log", MSG_worker_log, ROLE_SFTP, STAND_GREETED, 1, 1000, false},
    {"ready", MSG_worker_ready, ROLE_SFTP, STAND_STARTING, 1, 1, false},
    {"anything, ending", MSG_auth_password, ROLE_SFTP, STAND_ENDING, 10, 0, false},
    {"sign 1.3, greeted", MSG_sign_tls13, ROLE_FTPS, STAND_GREETED, 1, 1, false},
    {"sign 1.3, open", MSG_sign_tls13, ROLE_FTPS, STAND_OPEN, 10, 0, false},
    {"sign 1.2, open", MSG_sign_tls12, ROLE_FTPS, STAND_OPEN, 20, 0, false},
    {"passive", MSG_data_passive, ROLE_FTPS, STAND_OPEN, 10, 0, true},
    {"active", MSG_data_active, ROLE_FTPS, STAND_OPEN, 10, 0, false},
    {"tls keep", MSG_tls_keep, ROLE_HTTPS, STAND_GREETED, 1, 2, false},
    {"tls find", MSG_tls_find, ROLE_HTTPS, STAND_GREETED, 1, 2, false},
    {"token", MSG_auth_token, ROLE_HTTPS, STAND_GREETED, 1, 8, false},
    {"agent wanted", MSG_agent_wanted, ROLE_HTTPS, STAND_KNOWN, 1, 1, false},
    {"code", MSG_auth_code, ROLE_HTTPS, STAND_CODED, 1, 1, false},
    {"link", MSG_auth_link, ROLE_HTTPS, STAND_GREETED, 1, 8, false},
    {"lost password", MSG_lost_password, ROLE_HTTPS, STAND_GREETED, 1, 2, false},
    {"own show", MSG_own_show, ROLE_HTTPS, STAND_KNOWN, 1, 16, false},
    {"own show, open", MSG_own_show, ROLE_HTTPS, STAND_OPEN, 100, 0, true},
    {"key next", MSG_key_next, ROLE_HTTPS, STAND_KNOWN, 10, 0, true},
    {"key add", MSG_key_add, ROLE_HTTPS, STAND_KNOWN, 100, 0, true},
    {"key remove", MSG_key_remove, ROLE_HTTPS, STAND_KNOWN, 100, 0, true},
    {"web next", MSG_web_next, ROLE_HTTPS, STAND_KNOWN, 10, 0, true},
    {"web end", MSG_web_end, ROLE_HTTPS, STAND_KNOWN, 100, 0, true},
    {"codes confirm", MSG_totp_confirm, ROLE_HTTPS, STAND_KNOWN, 10, 20, true},
    {"codes remove", MSG_totp_remove, ROLE_HTTPS, STAND_KNOWN, 10, 20, true},
    {"session next", MSG_session_next, ROLE_HTTPS, STAND_KNOWN, 10, 0, false},
    {"agent: stat", MSG_file_stat, ROLE_SFTP, STAND_AGENT, 1, 0, false},
    {"agent: open", MSG_file_open, ROLE_SFTP, STAND_AGENT, 4, 0, false},
    {"agent: mkdir", MSG_file_mkdir, ROLE_SFTP, STAND_AGENT, 4, 0, false},
};

/* What the flood itself got. */
static void judge_flood(struct hostile *h, const struct flood_kind *kind, const struct actor *a,
                        const struct flood *f, unsigned long n, uint64_t events)
{
    const bool lives = kind->most == 0;
    char log[128], line[64];

    expect(h, lives ? !f->closed && events == 0 : f->closed && events == 1,
           "liveness: %s: %lu sent, %lu answered, %s, %lu events", kind->name, f->sent, f->answered,
           f->closed ? "ended" : "lives", (unsigned long)events);
    if (!lives)
        expect(h, f->answered <= kind->most, "liveness: %s: %lu answered, %lu at most", kind->name,
               f->answered, kind->most);
    else if (kind->stand != STAND_ENDING)
        expect(h, f->answered == n, "liveness: %s: %lu of %lu answered", kind->name, f->answered,
               n);
    if (kind->type != MSG_worker_log)
        return;
    snprintf(log, sizeof(log), "%s/log", h->place);
    snprintf(line, sizeof(line), "its worker says: hostile line %d\n", (int)a->pid);
    expect(h, file_count(log, line) == kind->most, "liveness: %s: %lu lines, %lu expected",
           kind->name, file_count(log, line), kind->most);
}

/* While a bystander works. */
static void try_flood(struct hostile *h, const struct flood_kind *kind, struct others *others)
{
    static struct sample s;
    static struct pace calm, stormy;
    const unsigned long n = h->options.flood / kind->share;
    const bool reads = kind->stand != STAND_ENDING;
    struct actor a;
    struct flood f = {0};
    int out = -1;

    home_reset(h);
    h->kind = kind->kind;
    actor_make(h, kind->stand, &a);
    h->kind = ROLE_SFTP;
    sample_make(h, &a, kind->type, NULL, &s);
    calm.count = stormy.count = 0;
    for (int i = 0; i < ROUNDS_CALM; i++)
        round_trip(h, others, &calm);
    const uint64_t security = server_status(h).security_events;
    const unsigned long memory = server_figure(h, "VmRSS");
    const pid_t pid = flood_start(kind->stand == STAND_AGENT ? a.agent : a.link, &s, n,
                                  s.answers && reads, kind->waits, &out);
    struct pollfd end = {.fd = out, .events = POLLIN};
    do
        round_trip(h, others, &stormy);
    while (poll(&end, 1, 0) == 0);
    if (read(out, &f, sizeof(f)) != (ssize_t)sizeof(f))
        give_up("%s: a flood without a result", kind->name);
    close(out);
    waitpid(pid, NULL, 0);
    const long grown = (long)server_figure(h, "VmRSS") - (long)memory;
    const uint64_t events = server_status(h).security_events - security;
    h->security += events;
    judge_flood(h, kind, &a, &f, n, events);
    expect(h, stormy.count > 0, "liveness: %s: nobody else was answered", kind->name);
    expect(h, grown <= GROWTH_KB, "liveness: %s: the monitor has grown by %ld kB", kind->name,
           grown);
    const double before = (double)median(&calm), during = (double)median(&stormy);
    printf(
        "  %-16s %6lu messages; others: %5zu rounds, median %.2f ms, %.2f times that of before\n",
        kind->name, f.sent, stormy.count, during / 1000, before > 0 ? during / before : 0);
    sample_free(&s);
    actor_drop(&a);
}

/* ------------------------------------------------------------------------- silence */

/* Answers that are never read: the monitor does not wait for the reader. */
static void try_never_reading(struct hostile *h)
{
    static struct sample s;
    struct actor a;
    unsigned long sent = 0;

    actor_make(h, STAND_OPEN, &a);
    sample_make(h, &a, MSG_sign_exchange, NULL, &s);
    const uint64_t security = server_status(h).security_events;
    const off_t log_from = log_end(h);
    struct pollfd p = {.fd = a.link, .events = POLLOUT};
    while (sent < h->options.flood && poll(&p, 1, PATIENCE_MS) == 1 && (p.revents & POLLHUP) == 0 &&
           (raw_send(a.link, s.bytes, s.len, NULL, 0, MSG_DONTWAIT) == 0 || errno == EAGAIN))
        sent++;
    const uint64_t events = server_status(h).security_events - security;
    h->security += events;
    expect(h, events == 1 && actor_ended(h, &a, log_from) == NULL,
           "liveness: a worker that never reads is not ended (%lu messages)", sent);
    sample_free(&s);
    actor_drop(&a);
}

/* The same to the agent: it waits for its own worker, and the operator can end that. */
static void try_never_reading_agent(struct hostile *h, struct others *others)
{
    static struct sample s;
    static struct pace pace;
    struct actor a;
    unsigned long sent = 0;

    home_reset(h);
    actor_make(h, STAND_AGENT, &a);
    sample_make(h, &a, MSG_file_stat, NULL, &s);
    struct pollfd p = {.fd = a.agent, .events = POLLOUT};
    while (sent < h->options.flood && poll(&p, 1, 500) == 1 &&
           raw_send(a.agent, s.bytes, s.len, NULL, 0, MSG_DONTWAIT) == 0)
        sent++;
    expect(h, sent < h->options.flood, "liveness: an agent takes %lu requests unread", sent);
    pace.count = 0;
    for (int i = 0; i < ROUNDS_CALM; i++)
        round_trip(h, others, &pace);
    const struct session_kill end = {.number = server_session(h, a.pid, NULL)};
    expect(h, server_ask(h, MSG_session_kill, &end) == MSG_control_done,
           "liveness: a stalled session cannot be ended");
    struct pollfd killed = {.fd = a.orders, .events = POLLIN};
    expect(h, poll(&killed, 1, PATIENCE_MS) == 1, "liveness: a stalled session lives on");
    sample_free(&s);
    actor_drop(&a);
}

/* Nothing at all: the time to log in ends that, the time for data connections a port that nobody
 * comes to. And a question that the store never answers. */
static void try_silence(struct hostile *h)
{
    struct actor a, b, c;
    struct verdict verdict;
    struct data_connection none;

    h->kind = ROLE_FTPS;
    actor_make(h, STAND_OPEN, &c);
    h->kind = ROLE_SFTP;
    server_grace(h, 1); /* and for data connections */
    const uint32_t id = passive_ask(h, &c);
    const uint16_t port = passive_port(h, &c, id);
    actor_make(h, STAND_GREETED, &a);
    struct pollfd killed = {.fd = a.orders, .events = POLLIN};
    const uint64_t security = server_status(h).security_events;
    expect(h, poll(&killed, 1, PATIENCE_MS) == 1, "liveness: a silent worker lives on");
    expect(h, server_status(h).security_events == security,
           "liveness: a silent client is a security event");
    actor_drop(&a);
    expect(h,
           raw_receive(h, c.link, PATIENCE_MS) == 1 &&
               decode_data_connection(&h->envelope, &none) == 0 && h->envelope.id == id &&
               h->envelope.fd_count == 0 && none.reason.len > 0 &&
               passive_connect(c.address, port) < 0,
           "liveness: a data port is waited on for ever");
    actor_drop(&c);
    server_grace(h, 0);
    server_hold(h, true);
    actor_make(h, STAND_CHECKING, &b);
    expect(h,
           raw_receive(h, b.link, PATIENCE_MS) == 1 &&
               decode_verdict(&h->envelope, &verdict) == 0 && verdict.outcome == VERDICT_DENIED,
           "liveness: a login waits for the store for ever");
    server_hold(h, false);
    actor_drop(&b);
}

/* ------------------------------------------------------------------------- exhaustion */

/* Tries: the last one is told so, and then nothing is heard. */
static void try_tries(struct hostile *h)
{
    struct actor a;
    unsigned tries = 1;

    actor_make(h, STAND_KEYED, &a);
    while (tries < 100 && login_by_password(h, &a, ACCOUNT, "wrong") == VERDICT_DENIED)
        tries++;
    expect(h, tries == 6, "liveness: %u tries on one connection", tries);
    const struct auth_password right = {.user = slice_text(ACCOUNT),
                                        .password = slice_text(PASSWORD)};
    const uint64_t security = server_status(h).security_events;
    if (send_auth_password(a.link, 5, &right) < 0)
        give_up("auth_password cannot be sent");
    expect(h, actor_watch(h, &a, security, 200, 5) == SEEN_QUIET,
           "liveness: a try is heard after the last one");
    actor_drop(&a);
}

/* More passwords than can be hashed: those too many are told, the others get their turn, and who
 * logs in with a key notices nothing. */
static void try_hashers(struct hostile *h)
{
    static struct actor all[HASH_CLIENTS];
    const struct auth_password claim = {.user = slice_text(ACCOUNT),
                                        .password = slice_text("wrong")};
    unsigned refused = 0, answered = 0;

    const unsigned hashers = server_hold_hashers(h, true);
    for (int i = 0; i < HASH_CLIENTS; i++) {
        actor_make(h, STAND_GREETED, &all[i]);
        if (send_auth_password(all[i].link, 1, &claim) < 0)
            give_up("auth_password cannot be sent");
    }
    const unsigned many = HASH_CLIENTS - HASH_QUEUE - hashers;
    const int64_t until = clock_now_ms() + PATIENCE_MS;
    while (refused < many && clock_now_ms() < until)
        refused += raw_receive(h, all[HASH_CLIENTS - 1 - refused].link, 1000) == 1;
    expect(h, hashers > 0 && refused == many, "liveness: %u of %u refused for want of hashers",
           refused, many);
    struct actor key;
    actor_make(h, STAND_OPEN, &key); /* does not return if it is not let in */
    expect(h, key.agent >= 0, "liveness: no key login while the hashers are busy");
    actor_drop(&key);
    server_hold_hashers(h, false);
    for (unsigned i = 0; i < HASH_CLIENTS - many; i++)
        answered += raw_receive(h, all[i].link, PATIENCE_MS) == 1;
    expect(h, answered == HASH_CLIENTS - many, "liveness: %u of %u answered after all", answered,
           HASH_CLIENTS - many);
    for (int i = 0; i < HASH_CLIENTS; i++)
        actor_drop(&all[i]);
}

/* Clients without end and no worker that gets ready: so many wait, the others are turned away. */
static void try_spares(struct hostile *h)
{
    static int clients[CLIENTS];
    const struct in_addr from = address_next(h);
    unsigned closed = 0;

    descriptors_settle(h, 0); /* those before have ended */
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = client_connect(h, from);
    const int64_t until = clock_now_ms() + PATIENCE_MS;
    while (server_status(h).connections < WAITING && clock_now_ms() < until)
        ;
    for (int i = 0; i < CLIENTS; i++) {
        struct pollfd p = {.fd = clients[i], .events = POLLIN};
        closed += poll(&p, 1, i < WAITING ? 0 : 1000) == 1;
    }
    expect(h, server_status(h).connections == WAITING && closed == CLIENTS - WAITING,
           "liveness: %u clients wait, %u were turned away", server_status(h).connections, closed);
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
    /* Those that wait get workers after all, in their order; then it is another's turn. */
    for (int i = 0; i < WAITING; i++) {
        struct actor a;
        actor_take_waiting(h, &a);
        actor_drop(&a);
    }
    struct actor last;
    actor_make(h, STAND_OPEN, &last);
    expect(h, last.agent >= 0, "liveness: no login after the flood of clients");
    actor_drop(&last);
}

void liveness_run(struct hostile *h)
{
    const unsigned long descriptors = descriptors_still(h);
    struct others others;

    try_never_reading(h);
    try_silence(h);
    try_tries(h);
    try_hashers(h);
    try_spares(h);
    home_reset(h);
    others_begin(h, &others);
    try_never_reading_agent(h, &others);
    for (size_t i = 0; i < sizeof(floods) / sizeof(floods[0]); i++)
        try_flood(h, &floods[i], &others);
    others_end(&others);
    const unsigned long after = descriptors_settle(h, descriptors);
    expect(h, after <= descriptors, "liveness: the monitor has %lu descriptors, %lu before", after,
           descriptors);
}

/* ------------------------------------------------------------------------- endurance */

/* One hostile session from an address without penalties. */
static void hostile_session(struct hostile *h, unsigned long i)
{
    static struct sample s;
    static const enum message_type wrong[] = {MSG_store_find, MSG_account, MSG_agent_ready};
    const int fds[] = {STDERR_FILENO, STDERR_FILENO};
    const unsigned how = (unsigned)(i % 9);
    uint8_t token[WEB_TOKEN];
    struct actor a;

    h->kind = how > 6 ? ROLE_HTTPS : how == 6 ? ROLE_FTPS : ROLE_SFTP;
    actor_greet(h, &a, htonl(INADDR_LOOPBACK));
    h->kind = ROLE_SFTP;
    const uint64_t security = server_status(h).security_events;
    sample_make(h, &a, wrong[i % 3], NULL, &s);
    switch (how) {
    case 0: /* not allowed */
    case 1: /* no message */
        raw_send(a.link, s.bytes, how == 0 ? s.len : 3, NULL, 0, 0);
        break;
    case 2: /* descriptors */
    case 3: /* and nothing else */
        raw_send(a.link, s.bytes, how == 2 ? s.len : 0, fds, 2, 0);
        break;
    case 4: /* a login, then misuse of the agent */
        exchange_do(h, &a);
        login_by_password(h, &a, ACCOUNT, PASSWORD);
        raw_send(a.agent, s.bytes, s.len, fds, 2, 0);
        break;
    case 6: /* FTPS: a login, a port that nobody comes to, and what is not allowed */
        tls_do(h, &a);
        login_by_password(h, &a, ACCOUNT, PASSWORD);
        passive_port(h, &a, passive_ask(h, &a));
        raw_send(a.link, s.bytes, s.len, NULL, 0, 0);
        break;
    case 7: /* HTTPS: a TLS session, a web session, and what is not allowed */
        tls_do(h, &a);
        tls_keep_session(h, &a, h->tls_id, slice_text("another session"));
        web_sign_in(h, &a, ACCOUNT, PASSWORD, token);
        raw_send(a.link, s.bytes, s.len, NULL, 0, 0);
        break;
    case 8: /* HTTPS: a login by a token, an agent, and what is not allowed */
        web_sign_in(h, &a, ACCOUNT, PASSWORD, token); /* the account has a hundred at most */
        web_log_in(h, &a, slice_of(token, sizeof(token)));
        web_want_agent(h, &a);
        raw_send(a.link, s.bytes, s.len, NULL, 0, 0);
        break;
    default: /* an exchange and a wrong password, then gone without a word */
        exchange_do(h, &a);
        login_by_password(h, &a, ACCOUNT, "wrong");
        break;
    }
    const enum seen seen = how == 4   ? actor_watch_agent(h, &a, security, 0)
                           : how == 5 ? SEEN_ENDED
                                      : actor_watch(h, &a, security, 0, 0);
    expect(h, seen == SEEN_ENDED, "endurance: session %lu: %s", i, seen_names[seen]);
    sample_free(&s);
    actor_drop(&a);
}

void endurance_run(struct hostile *h)
{
    const unsigned long warm = h->options.sessions / 5 + 6;

    for (unsigned long i = 0; i < warm; i++)
        hostile_session(h, i);
    const unsigned long descriptors = descriptors_settle(h, 0), memory = server_figure(h, "VmRSS"),
                        slots = server_figure(h, "FDSize");
    for (unsigned long i = 0; i < h->options.sessions; i++)
        hostile_session(h, i);
    const unsigned long after = descriptors_settle(h, descriptors),
                        grown = server_figure(h, "VmRSS");
    expect(h, after <= descriptors, "endurance: %lu descriptors, %lu before", after, descriptors);
    expect(h, server_figure(h, "FDSize") <= slots, "endurance: the table of descriptors has grown");
    expect(h, grown <= memory + ENDURED_KB, "endurance: %lu kB, %lu kB before", grown, memory);
    printf("  %lu sessions: descriptors %lu, %lu before; memory %lu kB, %lu kB before\n",
           h->options.sessions, after, descriptors, grown, memory);
}
