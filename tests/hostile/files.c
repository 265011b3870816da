/* A real agent under attack where matrix.txt does not reach: before it is ready, after its session
 * was told to end, after the end, and from a compromised store. Called by main.c. The agent is
 * started by a real monitor for a real login; for the first and the last of these the test stands
 * between the two. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/hostile/hostile.h"

#ifdef __SANITIZE_ADDRESS__
#define GROWTH_KB 4096 /* of an agent: what it has freed is kept for a while */
#else
#define GROWTH_KB 1024
#endif

static const char *const columns[] = {"before", "ending", "over", "report"};
enum { AT_BEFORE, AT_ENDING, AT_OVER, AT_REPORT };
static bool known(enum message_type type, const char *variant);
static struct matrix to_agent = {
    .file = "files.txt", .section = "agent", .columns = columns, .column_count = 4, .known = known};

static bool known(enum message_type type, const char *variant)
{
    return type == MSG_report_taken &&
           (strcmp(variant, "ahead") == 0 || strcmp(variant, "cut") == 0);
}

static struct sample *make_sample(struct hostile *h, struct actor *a, const struct row *row)
{
    static struct sample s;
    const struct report_taken ahead = {.number = UINT64_MAX};

    sample_make(h, a, row->type, NULL, &s);
    if (strcmp(row->variant, "ahead") == 0 &&
        message_encode(row->type, s.id, &ahead, s.bytes, sizeof(s.bytes)) != (ssize_t)s.len)
        give_up("a receipt that does not encode");
    s.len -= strcmp(row->variant, "cut") == 0;
    return &s;
}

/* What was seen, against what is written. NULL: as expected. */
static const char *judge(enum seen seen, enum cell cell)
{
    static const enum seen wanted[CELL_COUNT] = {[CELL_OK] = SEEN_GOOD,
                                                 [CELL_DENY] = SEEN_DENIED,
                                                 [CELL_NONE] = SEEN_GONE,
                                                 [CELL_END] = SEEN_ENDED,
                                                 [CELL_BYE] = SEEN_ODD};
    return seen == wanted[cell] ? NULL : seen_names[seen];
}

/* ------------------------------------------------------------------------- in between */

/* A real agent whose three links are the test's. */
struct middle {
    struct actor actor; /* its session, whose login waits for ever */
    struct agent agent;
    int monitor;               /* the agent's link to its real monitor, kept open */
    int link, worker, reports; /* the test's ends */
};

static void pair_make(int ends[2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        give_up("socketpair: %s", strerror(errno));
}

/* first: what waits in the worker's link when the agent starts, or NULL. */
static void middle_start(struct hostile *h, struct middle *m, const struct row *first,
                         struct sample **sample)
{
    int link[2], worker[2], reports[2];

    agent_begin(h, &m->actor, &m->agent);
    pair_make(link);
    pair_make(worker);
    pair_make(reports);
    if (first != NULL) {
        *sample = make_sample(h, &m->actor, first);
        if (raw_send(worker[0], (*sample)->bytes, (*sample)->len, (*sample)->fds,
                     (*sample)->fd_count, 0) < 0)
            give_up("nothing can wait: %s", strerror(errno));
    }
    const int fds[] = {worker[1], reports[1]};
    m->monitor = dup(m->agent.child.link);
    if (m->monitor < 0 || send_agent_setup_fds(link[0], 0, &m->agent.setup, fds, 2) < 0)
        give_up("an agent cannot be set up: %s", strerror(errno));
    child_real(&m->agent.child, link[1]);
    close(link[1]);
    close(worker[1]);
    close(reports[1]);
    m->link = link[0];
    m->worker = worker[0];
    m->reports = reports[0];
}

static void middle_end(struct middle *m)
{
    close(m->link);
    close(m->worker);
    close(m->reports);
    close(m->monitor);
    agent_drop(&m->agent);
    actor_drop(&m->actor);
}

/* ------------------------------------------------------------------------- the worker's link */

/* It waits there before the agent is set up: heard when the sandbox holds, not earlier. */
static void run_before(struct hostile *h, const struct row *row)
{
    struct sample *s = NULL;
    struct middle m;

    home_reset(h);
    const uint64_t security = server_status(h).security_events;
    middle_start(h, &m, row, &s);
    struct pollfd links[] = {{.fd = m.link, .events = POLLIN}, {.fd = m.worker, .events = POLLIN}};
    poll(links, 2, PATIENCE_MS);
    const bool early = links[1].revents != 0 && links[0].revents == 0 && poll(links, 1, 0) == 0;
    if (raw_receive(h, m.link, PATIENCE_MS) != 1 || h->envelope.type != MSG_agent_ready)
        give_up("an agent does not get ready");
    struct actor at_worker = m.actor;
    at_worker.agent = m.worker;
    const enum seen seen = actor_watch_agent(h, &at_worker, security, s->id);
    row_judge(h, &to_agent, row, AT_BEFORE,
              early ? "heard before it was ready" : judge(seen, row->cells[AT_BEFORE]));
    sample_free(s);
    middle_end(&m);
}

/* The operator ends the session; its worker has a moment yet. */
static void run_ending(struct hostile *h, const struct row *row)
{
    struct actor a;

    home_reset(h);
    actor_make(h, STAND_AGENT, &a);
    struct sample *s = make_sample(h, &a, row);
    const uint64_t security = server_status(h).security_events;
    actor_let_end(h, &a);
    if (raw_send(a.agent, s->bytes, s->len, s->fds, s->fd_count, 0) < 0)
        give_up("an agent takes no message: %s", strerror(errno));
    row_judge(h, &to_agent, row, AT_ENDING,
              judge(actor_watch_agent(h, &a, security, s->id), row->cells[AT_ENDING]));
    sample_free(s);
    actor_drop(&a);
}

/* As home_reset left it: what was asked was not done. */
static bool home_untouched(const struct hostile *h)
{
    static const char *const gone[] = {"n", "m", "s", "h"};
    const int home = open(h->home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool same =
        home >= 0 && faccessat(home, "v", F_OK, 0) == 0 && faccessat(home, "o", F_OK, 0) == 0;

    for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
        same = same && faccessat(home, gone[i], F_OK, AT_SYMLINK_NOFOLLOW) < 0;
    if (home >= 0)
        close(home);
    return same;
}

static bool process_is(struct hostile *h, pid_t pid, char state)
{
    const int64_t until = clock_now_ms() + PATIENCE_MS;
    char path[64], line[256];

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    while (clock_now_ms() < until) {
        bool is = false;
        FILE *f = fopen(path, "re");
        while (f != NULL && fgets(line, sizeof(line), f) != NULL)
            is = is || (strncmp(line, "State:\t", 7) == 0 && line[7] == state);
        if (f != NULL)
            fclose(f);
        if (is)
            return true;
        children_wait(h, -1, 0, 1);
    }
    return false;
}

/* While it waits for its links, all of them: not while it still looks at one. */
static bool process_stop(struct hostile *h, pid_t pid)
{
    return pid > 0 && process_is(h, pid, 'S') && kill(pid, SIGSTOP) == 0 && process_is(h, pid, 'T');
}

/* It waits in the link when the session ends, and the test still holds that. */
static void run_over(struct hostile *h, const struct row *row)
{
    const int64_t until = clock_now_ms() + PATIENCE_MS;
    struct actor a;
    pid_t agent = 0;

    home_reset(h);
    actor_make(h, STAND_AGENT, &a);
    struct sample *s = make_sample(h, &a, row);
    const pid_t worker = a.pid;
    const uint64_t security = server_status(h).security_events;
    if (server_session(h, worker, &agent) == 0 || !process_stop(h, agent))
        give_up("an agent cannot be stopped: %s", strerror(errno));
    if (raw_send(a.agent, s->bytes, s->len, s->fds, s->fd_count, 0) < 0)
        give_up("an agent takes no message: %s", strerror(errno));
    const int link = a.agent;
    a.agent = -1;
    actor_drop(&a);
    while (server_session(h, worker, NULL) != 0 && clock_now_ms() < until)
        children_wait(h, -1, 0, 1);
    kill(agent, SIGCONT);
    const int r = raw_receive(h, link, PATIENCE_MS);
    while (kill(agent, 0) == 0 && clock_now_ms() < until)
        children_wait(h, -1, 0, 1);
    const uint64_t events = server_status(h).security_events - security;
    h->security += events;
    row_judge(h, &to_agent, row, AT_OVER,
              r != 0                             ? "it was answered"
              : row->cells[AT_OVER] != CELL_NONE ? "nothing came of it"
              : events != 0                      ? "a security event"
              : !home_untouched(h)               ? "it was done"
              : kill(agent, 0) == 0              ? "the agent lives on"
                                                 : NULL);
    close(link);
    sample_free(s);
}

/* ------------------------------------------------------------------------- the report link */

/* A folder made and removed: two reports. */
static const char *work(struct hostile *h, struct middle *m)
{
    const struct file_mkdir mkdir = {.path = slice_text("/n"), .mode = 0700};
    const struct file_rmdir rmdir = {.path = slice_text("/n")};

    return send_file_mkdir(m->worker, 1, &mkdir) == 0 &&
                   raw_receive(h, m->worker, PATIENCE_MS) == 1 &&
                   send_file_rmdir(m->worker, 2, &rmdir) == 0 &&
                   raw_receive(h, m->worker, PATIENCE_MS) == 1
               ? NULL
               : "its worker is not served any more";
}

/* All reports since the last receipt come, as one or two batches, and get theirs. */
static const char *take_reports(struct hostile *h, struct middle *m, uint64_t *taken)
{
    struct report_batch batch;
    const uint64_t last = *taken + 2;

    while (*taken < last) {
        if (raw_receive(h, m->reports, PATIENCE_MS) != 1 ||
            decode_report_batch(&h->envelope, &batch) < 0)
            return "no report comes";
        if (batch.first != *taken + 1 || batch.count == 0 || batch.count > last - *taken)
            return "reports are missing, or come twice";
        *taken += batch.count;
    }
    const struct report_taken receipt = {.number = *taken};
    if (send_report_taken(m->reports, 0, &receipt) < 0)
        give_up("an agent takes no receipt: %s", strerror(errno));
    raw_wait(h, m->reports);
    return NULL;
}

/* The store was started again, or so the monitor says. */
static void new_report_link(struct middle *m)
{
    const struct agent_report_link renewed = {0};
    int ends[2];

    pair_make(ends);
    if (send_agent_report_link_fds(m->link, 0, &renewed, &ends[1], 1) < 0)
        give_up("an agent takes no link: %s", strerror(errno));
    close(ends[1]);
    close(m->reports);
    m->reports = ends[0];
}

/* What a store says while reports wait for their receipt, to one agent after the other. Its worker
 * goes on in any case; after what is no receipt that link is heard no more, and another one gets
 * all that was done. */
static void run_report(struct hostile *h, struct middle *m, const struct row *row, uint64_t *taken)
{
    const struct file_stat ask = {.path = slice_text("/f")};
    const struct report_taken all = {.number = *taken + 2}; /* good, but too late */
    struct sample *s = make_sample(h, &m->actor, row);
    const char *wrong = work(h, m);

    if (raw_send(m->reports, s->bytes, s->len, s->fds, s->fd_count, 0) < 0)
        give_up("an agent takes no receipt: %s", strerror(errno));
    raw_wait(h, m->reports);
    if (row->cells[AT_REPORT] == CELL_NONE && send_report_taken(m->reports, 0, &all) < 0 &&
        errno != EPIPE)
        give_up("an agent takes no receipt: %s", strerror(errno));
    if (wrong == NULL &&
        (send_file_stat(m->worker, 3, &ask) < 0 || raw_receive(h, m->worker, PATIENCE_MS) != 1))
        wrong = "its worker is not served any more";
    if (row->cells[AT_REPORT] == CELL_NONE)
        new_report_link(m);
    if (wrong == NULL)
        wrong = take_reports(h, m, taken);
    row_judge(h, &to_agent, row, AT_REPORT, wrong);
    sample_free(s);
}

static void run_reports(struct hostile *h)
{
    struct middle m;
    uint64_t taken = 0;

    home_reset(h);
    middle_start(h, &m, NULL, NULL);
    if (raw_receive(h, m.link, PATIENCE_MS) != 1 || h->envelope.type != MSG_agent_ready)
        give_up("an agent does not get ready");
    for (size_t i = 0; i < to_agent.count; i++)
        run_report(h, &m, &to_agent.rows[i], &taken);
    middle_end(&m);
}

/* ------------------------------------------------------------------------- floods */

/* Requests without end whose answers are never read: the agent waits, and grows by nothing; another
 * session's does not wait for it. */
static void try_deaf_worker(struct hostile *h)
{
    const struct file_stat ask = {.path = slice_text("/f")};
    struct sample *s;
    const struct row list = {.type = MSG_file_opendir};
    struct actor a, b;
    pid_t agent = 0;
    unsigned long sent = 0;

    home_reset(h);
    actor_make(h, STAND_AGENT, &a);
    actor_make(h, STAND_AGENT, &b);
    s = make_sample(h, &a, &list);
    if (server_session(h, a.pid, &agent) == 0)
        give_up("a session without an agent");
    const unsigned long memory = process_figure(agent, "VmRSS");
    struct pollfd p = {.fd = a.agent, .events = POLLOUT};
    while (sent < h->options.flood && poll(&p, 1, 500) == 1 &&
           raw_send(a.agent, s->bytes, s->len, NULL, 0, MSG_DONTWAIT) == 0)
        sent++;
    const unsigned long grown = process_figure(agent, "VmRSS");
    expect(h, sent < h->options.flood && memory > 0 && grown <= memory + GROWTH_KB,
           "files: an agent takes %lu requests unread and grows from %lu to %lu kB", sent, memory,
           grown);
    expect(h, send_file_stat(b.agent, 1, &ask) == 0 && raw_receive(h, b.agent, PATIENCE_MS) == 1,
           "files: another session's agent waits for it");
    sample_free(s);
    actor_drop(&a);
    actor_drop(&b);
}

/* ------------------------------------------------------------------------- all */

void files_check(struct hostile *h)
{
    matrix_read(h, &to_agent);
}

void files_run(struct hostile *h)
{
    static void (*const run[])(struct hostile * h, const struct row *row) = {
        [AT_BEFORE] = run_before, [AT_ENDING] = run_ending, [AT_OVER] = run_over};
    const unsigned long descriptors = descriptors_still(h);

    for (size_t c = 0; c < sizeof(run) / sizeof(run[0]); c++) {
        agents_by_hand(h, c == AT_BEFORE);
        for (size_t i = 0; i < to_agent.count; i++) {
            if (row_due(h, &to_agent, i, c))
                run[c](h, &to_agent.rows[i]);
        }
    }
    agents_by_hand(h, true);
    run_reports(h);
    agents_by_hand(h, false);
    try_deaf_worker(h);
    expect(h, descriptors_settle(h, descriptors) <= descriptors,
           "files: the monitor has %lu descriptors, %lu before", server_descriptors(h),
           descriptors);
}
