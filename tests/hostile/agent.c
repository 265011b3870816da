/* A compromised agent: every message on each of its three links, in every state, and what else it
 * could do to others than its own session. Called by main.c. Expected, always: that session suffers
 * and no other, the event is told, and a lie stands under the liar's name. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "common/operations.h"
#include "tests/hostile/hostile.h"

#define LIE       "/lie-of-" /* in the paths of all reports here; the session's number follows */
#define TIME_MS   UINT64_C(1700000000000)
#define BATCHES   2000 /* of a flood */
#define GROWTH_KB 4096

static const char *const monitor_columns[] = {"starting", "open", "ending"};
static const char *const store_columns[] = {"starting", "open", "over"};
enum { AT_STARTING, AT_OPEN, AT_LAST };

static bool known_to_monitor(enum message_type type, const char *variant);
static bool known_to_store(enum message_type type, const char *variant);

static struct matrix to_monitor = {.file = "agent.txt",
                                   .section = "monitor",
                                   .columns = monitor_columns,
                                   .column_count = 3,
                                   .known = known_to_monitor};
static struct matrix to_store = {.file = "agent.txt",
                                 .section = "store",
                                 .columns = store_columns,
                                 .column_count = 3,
                                 .known = known_to_store};

/* ------------------------------------------------------------------------- samples */

static bool known_to_monitor(enum message_type type, const char *variant)
{
    return type == MSG_agent_ready &&
           (strcmp(variant, "trouble") == 0 || strcmp(variant, "twice") == 0);
}

/* A batch with one thing wrong, or a lie in good form. */
static const struct {
    const char *name;
    uint64_t first;
    uint32_t count; /* as told; reports in it: two */
    uint8_t operation;
    uint64_t time_ms;
    int cut; /* bytes off the end; negative: added */
} batches[] = {
    {"", 1, 2, OPERATION_UPLOAD, TIME_MS, 0},
    {"again", 1, 2, OPERATION_UPLOAD, TIME_MS, 0},
    {"gap", 7, 2, OPERATION_UPLOAD, TIME_MS, 0},
    {"future", 1, 2, OPERATION_UPLOAD, UINT64_C(253402300799999), 0},
    {"zero", 0, 2, OPERATION_UPLOAD, TIME_MS, 0},
    {"none", 1, 0, OPERATION_UPLOAD, TIME_MS, 0},
    {"fewer", 1, 1, OPERATION_UPLOAD, TIME_MS, 0},
    {"more", 1, 3, OPERATION_UPLOAD, TIME_MS, 0},
    {"overflow", UINT64_MAX, 2, OPERATION_UPLOAD, TIME_MS, 0},
    {"operation", 1, 2, 255, TIME_MS, 0},
    {"time", 1, 2, OPERATION_UPLOAD, UINT64_MAX, 0},
    {"cut", 1, 2, OPERATION_UPLOAD, TIME_MS, 1},
    {"added", 1, 2, OPERATION_UPLOAD, TIME_MS, -1},
};
#define BATCH_KINDS (sizeof(batches) / sizeof(batches[0]))

static bool known_to_store(enum message_type type, const char *variant)
{
    for (size_t i = 0; type == MSG_report_batch && i < BATCH_KINDS; i++) {
        if (strcmp(batches[i].name, variant) == 0)
            return true;
    }
    return false;
}

/* Its path says whose it is, and goes on with what would make it another's. */
static void make_batch(const struct agent *g, size_t kind, struct sample *s)
{
    char path[200];

    snprintf(path, sizeof(path),
             LIE "%llu\",\"session\":1,\"account\":\"" BOTH "\"}\n{\"n\":1,\"account\":\"" BOTH
                 "\",\"path\":\"",
             (unsigned long long)g->session);
    const struct report report = {.operation = batches[kind].operation,
                                  .time_ms = batches[kind].time_ms,
                                  .path = slice_text(path),
                                  .other = slice_text("\x1b[2J\xff\r\n"),
                                  .size = UINT64_MAX,
                                  .bytes_written = UINT64_MAX};
    ssize_t len = nest_report(&report, s->room, 0, sizeof(s->room));
    len = len > 0 ? nest_report(&report, s->room, (size_t)len, sizeof(s->room)) : -1;
    if (len < 0)
        give_up("a batch that does not fit");
    const struct report_batch batch = {.first = batches[kind].first,
                                       .count = batches[kind].count,
                                       .records =
                                           slice_of(s->room, (size_t)(len - batches[kind].cut))};
    len = message_encode(MSG_report_batch, 1, &batch, s->bytes, sizeof(s->bytes));
    if (len < 0)
        give_up("a batch that does not encode");
    s->type = MSG_report_batch;
    s->fd_count = 0;
    s->len = (size_t)len;
}

static void make_sample(struct hostile *h, const struct actor *a, const struct agent *g,
                        const struct row *row, struct sample *s)
{
    const struct agent_ready ready = {
        .layers = 0xff,
        .trouble = slice_text(strcmp(row->variant, "trouble") == 0 ? "hostile trouble" : "")};
    struct actor no_agent = *a;
    size_t kind = 0;

    memset(s, 0, sizeof(*s));
    if (row->type == MSG_report_batch) {
        while (strcmp(batches[kind].name, row->variant) != 0)
            kind++;
        make_batch(g, kind, s);
    } else if (row->type == MSG_agent_ready) {
        s->len = (size_t)message_encode(MSG_agent_ready, 1, &ready, s->bytes, sizeof(s->bytes));
    } else {
        no_agent.agent = -1; /* nobody would answer there */
        sample_make(h, &no_agent, row->type, NULL, s);
    }
}

/* ------------------------------------------------------------------------- to the monitor */

/* After a message that must be its end: killed, with its worker; told, counted, penalised. */
static const char *agent_ended(struct hostile *h, struct actor *a, const struct agent *g,
                               uint64_t events, off_t log_from)
{
    const char *wrong = actor_ended(h, a, log_from);

    if (events != 1)
        return "no security event, or several";
    h->security++;
    return wrong != NULL                            ? wrong
           : !child_gone(h, &g->child, PATIENCE_MS) ? "the agent was not killed"
                                                    : NULL;
}

/* What is wrong with what came of it, or NULL. */
static const char *judge_monitor(struct hostile *h, struct actor *a, const struct agent *g,
                                 const struct row *row, size_t column, uint64_t security,
                                 off_t log_from)
{
    const enum cell cell = row->cells[column];

    raw_wait(h, g->child.link);
    const uint64_t events = server_status(h).security_events - security;
    if (cell == CELL_END)
        return agent_ended(h, a, g, events, log_from);
    h->security += events;
    if (events != 0)
        return "a security event";
    if (cell == CELL_NONE)
        return raw_receive(h, a->link, 0) == 1 ? "the worker is told something" : NULL;
    const enum verdict_outcome outcome = actor_verdict(h, a);
    return outcome == (cell == CELL_OK ? VERDICT_OPEN : VERDICT_ENOUGH) ? NULL : "another verdict";
}

static void run_monitor(struct hostile *h, const struct row *row, size_t column)
{
    static struct sample s;
    struct actor a;
    struct agent g;

    if (column == AT_OPEN)
        agent_open(h, &a, &g);
    else
        agent_begin(h, &a, &g);
    if (column == AT_LAST)
        actor_let_end(h, &a);
    make_sample(h, &a, &g, row, &s);
    const uint64_t security = server_status(h).security_events;
    const off_t log_from = log_end(h);
    const bool twice = strcmp(row->variant, "twice") == 0;
    if (raw_send(g.child.link, s.bytes, s.len, s.fds, s.fd_count, 0) < 0 ||
        (twice && raw_send(g.child.link, s.bytes, s.len, NULL, 0, 0) < 0 && errno != EPIPE))
        give_up("%s cannot be sent: %s", message_info(row->type)->name, strerror(errno));
    row_judge(h, &to_monitor, row, column,
              judge_monitor(h, &a, &g, row, column, security, log_from));
    sample_free(&s);
    agent_drop(&g);
    actor_drop(&a);
}

/* ------------------------------------------------------------------------- to the store */

static bool audit_has(struct hostile *h, const char *text)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/state/audit.log", h->place);
    return file_count(path, text) > 0;
}

/* An offence's line is written with the next sync: wait for it. */
static bool audit_soon(struct hostile *h, const char *text)
{
    const int64_t until = clock_now_ms() + PATIENCE_MS;

    while (!audit_has(h, text)) {
        if (clock_now_ms() > until)
            return false;
        children_wait(h, -1, 0, 1);
    }
    return true;
}

/* What is wrong with what the store did, or NULL. */
static const char *judge_store(struct hostile *h, const struct agent *g, const struct row *row,
                               enum cell cell, bool first)
{
    struct report_taken taken;
    char line[128];
    const int r = raw_receive(h, g->report, PATIENCE_MS);

    if (cell == CELL_END) {
        snprintf(line, sizeof(line), "\"event\":\"security\",\"session\":%llu,\"account\":\"%s\"",
                 (unsigned long long)g->session, ACCOUNT);
        if (r != 0)
            return "its link was not closed";
        h->offences++;
        return audit_soon(h, line) ? NULL : "the audit log does not say so";
    }
    if (r != 1 || decode_report_taken(&h->envelope, &taken) < 0)
        return "it was not taken";
    snprintf(line, sizeof(line), LIE "%llu", (unsigned long long)g->session);
    if (!audit_has(h, line))
        return "it was taken and is not in the audit log";
    snprintf(line, sizeof(line), "\"event\":\"reports-missing\",\"session\":%llu",
             (unsigned long long)g->session);
    return !first && strcmp(row->variant, "gap") == 0 && !audit_has(h, line) ? "the gap is not told"
                                                                             : NULL;
}

static const char *send_and_judge(struct hostile *h, const struct agent *g, const struct sample *s,
                                  const struct row *row, enum cell cell, bool first)
{
    if (raw_send(g->report, s->bytes, s->len, s->fds, s->fd_count, 0) < 0)
        give_up("%s cannot be sent: %s", message_info(row->type)->name, strerror(errno));
    return judge_store(h, g, row, cell, first);
}

static void run_store(struct hostile *h, const struct row *row, size_t column)
{
    static struct sample s;
    struct actor a;
    struct agent g;

    if (column == AT_STARTING)
        agent_begin(h, &a, &g);
    else
        agent_open(h, &a, &g);
    make_sample(h, &a, &g, row, &s);
    if (column == AT_LAST) { /* its worker is gone, and it is told that the session is over */
        actor_drop(&a);
        if (raw_receive(h, g.child.link, PATIENCE_MS) != 1 || h->envelope.type != MSG_agent_finish)
            give_up("an agent is not told that its session is over");
    }
    const uint64_t security = server_status(h).security_events;
    const char *wrong = NULL;
    if (row->cells[column] == CELL_OK && row->variant[0] != '\0') { /* the first comes first */
        static struct sample first;
        make_batch(&g, 0, &first);
        wrong = send_and_judge(h, &g, &first, row, CELL_OK, true);
    }
    if (wrong == NULL)
        wrong = send_and_judge(h, &g, &s, row, row->cells[column], false);
    row_judge(h, &to_store, row, column, wrong);
    /* What is between agent and store ends no session. */
    expect(h, server_status(h).security_events == security, "agent: the monitor has an event");
    sample_free(&s);
    agent_drop(&g);
    actor_drop(&a);
}

/* ------------------------------------------------------------------------- the audit log */

/* Each line with a lie in it: under the name of the session that told it? Returns lies, or -1. */
static long count_lies(struct hostile *h)
{
    char path[128], *line = NULL;
    size_t size = 0;
    long lies = 0;

    snprintf(path, sizeof(path), "%s/state/audit.log", h->place);
    FILE *f = fopen(path, "re");
    while (f != NULL && lies >= 0 && getline(&line, &size, f) > 0) {
        const char *lie = strstr(line, LIE);
        json_t *json = json_loads(line, 0, NULL);
        const char *account = json_string_value(json_object_get(json, "account"));
        const json_int_t session = json_integer_value(json_object_get(json, "session"));
        if (json == NULL || (lie != NULL && (account == NULL || strcmp(account, ACCOUNT) != 0 ||
                                             strtoll(lie + strlen(LIE), NULL, 10) != session)))
            lies = -1;
        else
            lies += lie != NULL;
        json_decref(json);
    }
    free(line);
    if (f != NULL)
        fclose(f);
    return lies;
}

/* `sallyport audit verify` finds the chain whole. */
static bool audit_verifies(struct hostile *h)
{
    char program[4352], config[128];
    char *const arguments[] = {"sallyport", "-c", config, "audit", "verify", NULL};
    char *const environment[] = {NULL};
    posix_spawn_file_actions_t quiet;
    int status = -1;
    pid_t pid;

    snprintf(program, sizeof(program), "%s/sallyport", h->options.build);
    snprintf(config, sizeof(config), "%s/sallyport.conf", h->place);
    if (posix_spawn_file_actions_init(&quiet) != 0 ||
        posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0) != 0 ||
        posix_spawn(&pid, program, &quiet, NULL, arguments, environment) != 0)
        give_up("%s cannot be run", program);
    posix_spawn_file_actions_destroy(&quiet);
    return waitpid(pid, &status, 0) == pid && status == 0;
}

/* ------------------------------------------------------------------------- ends */

/* However it ends: its client is told, and only misuse of its worker is an event. */
static void try_ends(struct hostile *h)
{
    static const struct {
        const char *name;
        int status, signal;
        bool event;
    } ends[] = {{"status 0", 0, 0, false},
                {"status 1", 1, 0, false},
                {"status 2", AGENT_MISUSED, 0, true},
                {"a signal", 0, SIGSYS, false},
                {"closing its link", -1, 0, false}};

    for (size_t i = 0; i < 2 * sizeof(ends) / sizeof(ends[0]); i++) {
        const bool open = i % 2 == 1;
        struct actor a;
        struct agent g;
        if (open)
            agent_open(h, &a, &g);
        else
            agent_begin(h, &a, &g);
        const uint64_t security = server_status(h).security_events;
        if (ends[i / 2].status < 0) {
            close(g.child.link);
            g.child.link = -1;
            expect(h, child_gone(h, &g.child, PATIENCE_MS),
                   "agent: one without a link to the monitor lives on");
        } else if (ends[i / 2].signal != 0) {
            child_die(h, &g.child, ends[i / 2].signal);
        } else {
            child_exit(h, &g.child, ends[i / 2].status);
        }
        const int r = raw_receive(h, a.link, PATIENCE_MS);
        const bool told = ends[i / 2].event ? r == 0
                                            : r == 1 && h->envelope.type ==
                                                            (open ? MSG_worker_stop : MSG_verdict);
        const uint64_t events = server_status(h).security_events - security;
        h->security += events;
        expect(h, told && events == ends[i / 2].event, "agent: %s while %s: %lu events%s",
               ends[i / 2].name, monitor_columns[i % 2], (unsigned long)events,
               told ? "" : ", its worker is not told");
        agent_drop(&g);
        actor_drop(&a);
    }
}

/* Nothing at all: the time to log in ends it. */
static void try_silence(struct hostile *h)
{
    struct actor a;
    struct agent g;

    server_grace(h, 1);
    agent_begin(h, &a, &g);
    expect(h, children_wait(h, a.orders, POLLIN, PATIENCE_MS), "agent: a silent one has no end");
    expect(h,
           raw_receive(h, g.child.link, PATIENCE_MS) == 1 && h->envelope.type == MSG_agent_finish,
           "agent: a silent one is not told that it is over");
    agent_drop(&g);
    actor_drop(&a);
    server_grace(h, 0);
}

/* ------------------------------------------------------------------------- bytes, descriptors */

/* A good message of each link with its bytes or its descriptors bad. Returns its length. */
static size_t try_bad(struct hostile *h, bool store, size_t cut, size_t fd_count)
{
    static const struct row rows[] = {{.type = MSG_agent_ready}, {.type = MSG_report_batch}};
    static struct sample s;
    int fds[253];
    struct actor a;
    struct agent g;
    const char *wrong = NULL;

    agent_begin(h, &a, &g);
    make_sample(h, &a, &g, &rows[store], &s);
    for (size_t i = 0; i < fd_count; i++) /* the link itself: a circle for the kernel */
        fds[i] = i % 2 == 0 ? STDERR_FILENO : g.report;
    const uint64_t security = server_status(h).security_events;
    const off_t log_from = log_end(h);
    const int link = store ? g.report : g.child.link;
    if (raw_send(link, s.bytes, s.len - cut, fds, fd_count, 0) < 0)
        give_up("an agent cannot send: %s", strerror(errno));
    raw_wait(h, link);
    if (store)
        wrong = judge_store(h, &g, &rows[1], CELL_END, false);
    else
        wrong = agent_ended(h, &a, &g, server_status(h).security_events - security, log_from);
    expect(h, wrong == NULL, "agent: to the %s, %zu bytes off, %zu descriptors: %s",
           store ? "store" : "monitor", cut, fd_count, wrong);
    agent_drop(&g);
    actor_drop(&a);
    return s.len;
}

static void try_bytes(struct hostile *h)
{
    static const size_t counts[] = {1, 2, 253};

    for (int store = 0; store < 2; store++) {
        size_t len = 2;
        for (size_t cut = 1; cut < len; cut += h->options.thin * (store ? 16 : 1))
            len = try_bad(h, store, cut, 0);
        for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
            try_bad(h, store, 0, counts[i]);
    }
}

/* Descriptors that wait in the worker's link when the monitor closes that: they are no burden. */
static void try_waiting_descriptors(struct hostile *h)
{
    struct actor a;
    struct agent g;
    int fds[253];

    agent_begin(h, &a, &g);
    for (size_t i = 0; i < 253; i++)
        fds[i] = STDERR_FILENO;
    /* Not more: the kernel counts those under way for each user, and here that is the monitor's. */
    for (int i = 0; i < 4; i++) {
        if (raw_send(g.worker, "x", 1, fds, 253, MSG_DONTWAIT) < 0)
            give_up("an agent cannot send to its worker: %s", strerror(errno));
    }
    child_exit(h, &g.child, 1);
    expect(h, actor_verdict(h, &a) == VERDICT_ENOUGH, "agent: an end before it is ready opens");
    agent_drop(&g);
    actor_drop(&a);
}

/* ------------------------------------------------------------------------- floods */

/* Batches without end, and their receipts never read: the store takes them in turns with others'
 * and does not grow; another session's reports are written meanwhile. */
static void try_flood(struct hostile *h)
{
    static struct sample s;
    struct actor a, b;
    struct agent g, other;
    struct report_taken taken = {0};
    unsigned sent = 0, others = 0;

    agent_open(h, &a, &g);
    agent_open(h, &b, &other);
    make_batch(&g, 0, &s);
    const pid_t store = (pid_t)server_status(h).store_pid;
    const unsigned long memory = process_figure(store, "VmRSS");
    const unsigned long monitor = server_figure(h, "VmRSS");
    for (; sent < BATCHES; sent++) {
        if (raw_send(g.report, s.bytes, s.len, NULL, 0, MSG_DONTWAIT) < 0 && errno != EAGAIN)
            break;
        if (sent % 100 != 0)
            continue;
        static struct sample one;
        make_batch(&other, 0, &one);
        others += raw_send(other.report, one.bytes, one.len, NULL, 0, 0) == 0 &&
                  raw_receive(h, other.report, PATIENCE_MS) == 1 &&
                  decode_report_taken(&h->envelope, &taken) == 0 && taken.number == 2;
    }
    const unsigned long grown = process_figure(store, "VmRSS");
    expect(h, sent == BATCHES, "agent: a flood of good batches ends after %u", sent);
    expect(h, others == BATCHES / 100, "agent: another's reports are taken %u times", others);
    expect(h, grown <= memory + GROWTH_KB, "agent: the store has grown from %lu to %lu kB", memory,
           grown);
    expect(h, server_figure(h, "VmRSS") <= monitor + GROWTH_KB, "agent: the monitor has grown");
    agent_drop(&g);
    agent_drop(&other);
    actor_drop(&a);
    actor_drop(&b);
}

/* ------------------------------------------------------------------------- all */

void agent_check(struct hostile *h)
{
    matrix_read(h, &to_monitor);
    matrix_read(h, &to_store);
    agent_check_worker(h);
}

static void run_matrix(struct hostile *h, const struct matrix *m,
                       void (*run)(struct hostile *h, const struct row *row, size_t column))
{
    for (size_t c = 0; c < m->column_count; c++) {
        for (size_t i = 0; i < m->count; i++) {
            if (row_due(h, m, i, c))
                run(h, &m->rows[i], c);
        }
    }
}

void agent_run(struct hostile *h)
{
    const struct file_stat ask = {.path = slice_text("/f")};
    struct actor bystander;

    home_reset(h);
    actor_make(h, STAND_AGENT, &bystander); /* with a real agent */
    const unsigned long descriptors = descriptors_still(h);
    agents_by_hand(h, true);
    run_matrix(h, &to_monitor, run_monitor);
    run_matrix(h, &to_store, run_store);
    try_ends(h);
    try_silence(h);
    try_bytes(h);
    try_waiting_descriptors(h);
    try_flood(h);
    agent_run_worker(h);
    agents_by_hand(h, false);
    expect(h,
           send_file_stat(bystander.agent, 1, &ask) == 0 &&
               raw_receive(h, bystander.agent, PATIENCE_MS) == 1 &&
               h->envelope.type == MSG_file_attributes,
           "agent: another session did not live through it");
    const long lies = count_lies(h);
    expect(h, lies > 0, "agent: a lie stands under another's name, or none is told (%ld)", lies);
    expect(h, audit_verifies(h), "agent: the audit log does not verify");
    actor_drop(&bystander);
    expect(h, descriptors_settle(h, descriptors) <= descriptors,
           "agent: the monitor has %lu descriptors, %lu before", server_descriptors(h),
           descriptors);
}
