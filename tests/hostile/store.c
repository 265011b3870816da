/* A compromised store: every message in every state, answers twice, to others' questions, floods,
 * deafness, death. Called by main.c. What it says about accounts is believed (that is its part);
 * but the monitor lives on, grows by nothing, and serves who is there. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/hostile/hostile.h"

#define GROWTH_KB  4096
#define PENDING_KB 4096 /* STORE_PENDING_BYTES of the monitor */
#define RIGHTS     127
#define NOWHERE    UINT32_C(0x7fffffff) /* no question's number */
#define OUR_GROUP  39001                /* the store's: see server.store_id */

static const char *const columns[] = {"starting", "idle", "asked"};
enum { AT_STARTING, AT_IDLE, AT_ASKED };
static bool known(enum message_type type, const char *variant);
static struct matrix from_store = {
    .file = "store.txt", .section = "store", .columns = columns, .column_count = 3, .known = known};

static bool known(enum message_type type, const char *variant)
{
    static const struct {
        enum message_type type;
        const char *name;
    } variants[] = {{MSG_store_ready, "trouble"}, {MSG_account, "right"},
                    {MSG_account, "other-name"},  {MSG_account, "other-number"},
                    {MSG_account, "cut"},         {MSG_account, "no-key"},
                    {MSG_account, "root"},        {MSG_account, "root-group"},
                    {MSG_account, "our-group"},   {MSG_account, "no-folders"}};

    for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
        if (variants[i].type == type && strcmp(variants[i].name, variant) == 0)
            return true;
    }
    return false;
}

/* ------------------------------------------------------------------------- a store */

/* The next one that is started: a moment after the last one's end. The monitor looks once a second,
 * or when it is told to reload. */
void store_take(struct hostile *h, struct child *store)
{
    const int64_t until = clock_now_ms() + PATIENCE_MS;

    while (!child_next(h, ROLE_STORE, store, 105)) {
        if (clock_now_ms() > until || kill(h->server, SIGHUP) < 0)
            give_up("no store was started: see %s/log", h->place);
    }
    server_settle(h);
    if (raw_receive(h, store->link, PATIENCE_MS) != 1 || h->envelope.type != MSG_store_setup)
        give_up("a store was not set up");
}

void store_say_ready(struct hostile *h, const struct child *store)
{
    const struct store_ready ready = {.layers = 0xff, .schema_version = 1};

    if (send_store_ready(store->link, 0, &ready) < 0)
        give_up("store_ready: %s", strerror(errno));
    raw_wait(h, store->link);
    if (server_status(h).store_pid != (uint32_t)store->pid)
        give_up("a store that is ready is none");
}

/* One that was ready: after several that never were, the monitor takes ever longer to start one. */
static void store_calm(struct hostile *h)
{
    struct child store;

    store_take(h, &store);
    store_say_ready(h, &store);
    child_drop(&store);
}

/* A login that waits for it. Returns the question's number; lines for the audit log are not
 * answered. */
static uint32_t store_asked(struct hostile *h, struct actor *a, const struct child *store)
{
    actor_make(h, STAND_KEYED, a);
    login_begin(h, a);
    while (raw_receive(h, store->link, PATIENCE_MS) == 1) {
        if (h->envelope.type == MSG_store_find)
            return h->envelope.id;
    }
    give_up("a login asks no store");
}

void store_end_real(struct hostile *h)
{
    const pid_t real = (pid_t)server_status(h).store_pid;

    h->by_hand |= 1u << ROLE_STORE;
    if (real <= 0 || kill(real, SIGKILL) < 0)
        give_up("the store cannot be ended: %s", strerror(errno));
}

/* ------------------------------------------------------------------------- samples */

static struct account account_of(const struct hostile *h, const char *name)
{
    return (struct account){.name = slice_text(name),
                            .home = slice_text(h->home),
                            .uid = h->uid,
                            .gid = h->gid,
                            .rights = RIGHTS,
                            .key_known = 1,
                            .key_count = 1};
}

static void make_sample(struct hostile *h, struct actor *a, const struct row *row, uint32_t id,
                        struct sample *s)
{
    const struct store_ready ready = {
        .schema_version = 1, .trouble = slice_text(row->variant[0] != '\0' ? "hostile" : "")};
    const char *variant = row->variant;
    struct account account = account_of(h, strcmp(variant, "other-name") == 0 ? BOTH : ACCOUNT);
    struct folder folder = {.name = slice_text("team"),
                            .path = slice_text(h->home),
                            .rights = RIGHTS,
                            .gid = strcmp(variant, "our-group") == 0 ? OUR_GROUP : 0};
    uint8_t folders[8192];
    ssize_t n = nest_folder(&folder, folders, 0, sizeof(folders));

    if (n < 0)
        give_up("a folder that does not encode");
    if (strstr(variant, "-group") != NULL)
        account.folders = slice_of(folders, (size_t)n);
    if (strcmp(variant, "no-folders") == 0)
        account.folders = slice_of(folders, (size_t)n - 1);
    n = -1;
    if (strcmp(variant, "no-key") == 0)
        account.key_known = 2;
    if (strcmp(variant, "root") == 0)
        account.uid = account.gid = 0;
    sample_make(h, a, row->type, NULL, s);
    if (row->type == MSG_store_ready)
        n = message_encode(row->type, id, &ready, s->bytes, sizeof(s->bytes));
    if (row->type == MSG_account && variant[0] != '\0')
        n = message_encode(row->type, strcmp(variant, "other-number") == 0 ? NOWHERE : id, &account,
                           s->bytes, sizeof(s->bytes));
    if (n > 0)
        s->len = (size_t)n - (strcmp(variant, "cut") == 0);
    else
        memcpy(s->bytes + 4, &id, sizeof(id));
}

/* ------------------------------------------------------------------------- the matrix */

/* Killed and told of, and another is started soon. */
static const char *store_ended(struct hostile *h, const struct child *store, uint64_t security)
{
    const uint64_t events = server_status(h).security_events - security;
    char line[64];

    h->security += events;
    if (!child_gone(h, store, PATIENCE_MS))
        return "the store was not killed";
    snprintf(line, sizeof(line), "security: the store (pid %d) ", (int)store->pid);
    return events != 1             ? "no security event, or several"
           : !log_soon(h, 0, line) ? "no security event in the log"
                                   : NULL;
}

static const char *judge(struct hostile *h, struct actor *a, const struct child *store,
                         const struct row *row, size_t column, uint32_t id, uint64_t security)
{
    const enum cell cell = row->cells[column];
    const struct nothing_more nothing = {0};
    const bool asked = column == AT_ASKED;

    raw_wait(h, store->link);
    if (cell == CELL_END) {
        const char *wrong = store_ended(h, store, security);
        return wrong == NULL && asked && actor_verdict(h, a) != VERDICT_DENIED ? "a login goes on"
                                                                               : wrong;
    }
    const struct status_is status = server_status(h);
    if (status.security_events != security)
        return "a security event";
    if (!asked) /* it is what it was before, or it is ready */
        return (status.store_pid == (uint32_t)store->pid) == (column == AT_IDLE || cell == CELL_OK)
                   ? NULL
                   : "it is ready, or not, against all rules";
    if (cell == CELL_NONE &&
        (raw_receive(h, a->link, 0) == 1 || send_nothing_more(store->link, id, &nothing) < 0))
        return "the login does not wait any more";
    return actor_verdict(h, a) == (cell == CELL_OK    ? VERDICT_OPEN
                                   : cell == CELL_BYE ? VERDICT_ENOUGH
                                                      : VERDICT_DENIED)
               ? NULL
               : "another verdict";
}

/* A store serves for as many rows as it lives. */
static void run_row(struct hostile *h, struct child *store, size_t *at, const struct row *row,
                    size_t column)
{
    static struct sample s;
    struct actor a;
    uint32_t id = NOWHERE;

    if (store->orders < 0 || child_gone(h, store, 0) || *at > column ||
        (*at == AT_STARTING && row->type == MSG_store_ready)) {
        if (store->orders >= 0)
            child_drop(store);
        if (column == AT_STARTING)
            store_calm(h);
        store_take(h, store);
        *at = AT_STARTING;
    }
    if (*at == AT_STARTING && column > AT_STARTING)
        store_say_ready(h, store);
    *at = column > AT_STARTING || row->type == MSG_store_ready ? AT_IDLE : AT_STARTING;
    if (column == AT_ASKED)
        id = store_asked(h, &a, store);
    else
        actor_make(h, STAND_KEYED, &a);
    make_sample(h, &a, row, id, &s);
    const uint64_t security = server_status(h).security_events;
    if (raw_send(store->link, s.bytes, s.len, s.fds, s.fd_count, 0) < 0)
        give_up("%s cannot be sent: %s", message_info(row->type)->name, strerror(errno));
    row_judge(h, &from_store, row, column, judge(h, &a, store, row, column, id, security));
    sample_free(&s);
    actor_drop(&a);
}

static void run_matrix(struct hostile *h, struct child *store)
{
    size_t at = AT_STARTING;

    for (size_t c = 0; c < from_store.column_count; c++) {
        for (size_t i = 0; i < from_store.count; i++) {
            const struct row *row = &from_store.rows[i];
            if (!row_due(h, &from_store, i, c))
                continue;
            if (!h->root &&
                (strcmp(row->variant, "root") == 0 || strstr(row->variant, "-group") != NULL))
                printf("skipped: an ordinary user's agents have one uid\n");
            else
                run_row(h, store, &at, row, c);
        }
    }
}

/* ------------------------------------------------------------------------- answers */

/* Twice, and then something else: the first counts. */
static void try_twice(struct hostile *h, const struct child *store)
{
    const struct account account = account_of(h, ACCOUNT);
    const struct nothing_more nothing = {0};
    struct actor a;

    const uint32_t id = store_asked(h, &a, store);
    if (send_account(store->link, id, &account) < 0 ||
        send_account(store->link, id, &account) < 0 ||
        send_nothing_more(store->link, id, &nothing) < 0)
        give_up("a store cannot answer: %s", strerror(errno));
    expect(h, actor_verdict(h, &a) == VERDICT_OPEN, "store: its first answer does not count");
    raw_wait(h, store->link);
    server_status(h);
    expect(h, raw_receive(h, a.link, 0) == -1, "store: its second answer has a consequence");
    actor_drop(&a);
}

/* The answers to two logins, each with the other's number: accounts of other names. */
static void try_swapped(struct hostile *h, const struct child *store)
{
    const struct account account = account_of(h, BOTH);
    struct actor a, b;

    const uint32_t one = store_asked(h, &a, store), other = store_asked(h, &b, store);
    if (send_account(store->link, other, &account) < 0 ||
        send_account(store->link, one, &account) < 0)
        give_up("a store cannot answer: %s", strerror(errno));
    expect(h, actor_verdict(h, &a) == VERDICT_DENIED && actor_verdict(h, &b) == VERDICT_DENIED,
           "store: a login under a name that was not asked for");
    actor_drop(&a);
    actor_drop(&b);
}

/* ------------------------------------------------------------------------- bytes, descriptors */

static void try_bad(struct hostile *h, const void *bytes, size_t len, size_t fd_count)
{
    struct child store;
    int fds[253], pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        give_up("socketpair: %s", strerror(errno));
    for (size_t i = 0; i < fd_count; i++)
        fds[i] = i % 2 == 0 ? pair[0] : STDERR_FILENO;
    store_take(h, &store);
    store_say_ready(h, &store); /* else the next one is started ever later */
    const uint64_t security = server_status(h).security_events;
    if (raw_send(store.link, bytes, len, fds, fd_count, 0) < 0)
        give_up("a store cannot send: %s", strerror(errno));
    raw_wait(h, store.link);
    const char *wrong = store_ended(h, &store, security);
    expect(h, wrong == NULL, "store: %zu bytes, %zu descriptors: %s", len, fd_count, wrong);
    close(pair[0]);
    close(pair[1]);
    child_drop(&store);
}

static void try_bytes(struct hostile *h)
{
    static uint8_t bytes[MESSAGE_MAX + 1] = {MSG_nothing_more}; /* in the host's order: little */
    static const size_t counts[] = {1, 2, 253}, lengths[] = {1, 3, 4, 7, sizeof(bytes)};

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        try_bad(h, bytes, 8, counts[i]);
    try_bad(h, "", 0, 1); /* nothing, with a descriptor */
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
        try_bad(h, bytes, lengths[i], 0);
}

/* ------------------------------------------------------------------------- floods, deafness */

/* Answers to nobody, without end: the others have their turns. */
static void try_flood(struct hostile *h, const struct child *store, struct actor *bystander)
{
    const struct nothing_more nothing = {0};
    const unsigned long memory = server_figure(h, "VmRSS");
    unsigned long sent = 0, rounds = 0;

    while (sent < h->options.flood) {
        for (int i = 0; i < 256 && sent < h->options.flood; i++)
            sent += send_nothing_more(store->link, NOWHERE, &nothing) == 0;
        server_status(h);
        exchange_do(h, bystander);
        rounds++;
    }
    expect(h, rounds > 0 && !child_gone(h, store, 0), "store: a flood of late answers ends it");
    expect(h, server_figure(h, "VmRSS") <= memory + GROWTH_KB, "store: the monitor has grown");
}

/* It reads nothing while the operator asks on: so many wait, the others are told. */
static void try_deaf(struct hostile *h, struct actor *bystander)
{
    static struct envelope answer;
    static char text[1000];
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    const int operator_link = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    const unsigned long memory = server_figure(h, "VmRSS");
    unsigned long refused = 0;

    memset(text, 'x', sizeof(text));
    snprintf(at.sun_path, sizeof(at.sun_path), "%s/run/control", h->place);
    const struct store_audit line = {.event = slice_text("hostile"),
                                     .text = slice_of(text, sizeof(text))};
    if (operator_link < 0 || connect(operator_link, (struct sockaddr *)&at, sizeof(at)) < 0)
        give_up("the control socket: %s", strerror(errno));
    for (int i = 0; i < 6000; i++) {
        if (send_store_audit(operator_link, 1, &line) < 0)
            give_up("the operator is not heard: %s", strerror(errno));
        while (message_receive(operator_link, &answer, MSG_DONTWAIT) == 1)
            refused += answer.type == MSG_control_refused;
    }
    server_status(h); /* after all of them were heard */
    exchange_do(h, bystander);
    while (message_receive(operator_link, &answer, MSG_DONTWAIT) == 1)
        refused += answer.type == MSG_control_refused;
    expect(h, refused > 0, "store: the monitor keeps any number of questions");
    expect(h, server_figure(h, "VmRSS") <= memory + PENDING_KB + GROWTH_KB,
           "store: the monitor has grown from %lu to %lu kB", memory, server_figure(h, "VmRSS"));
    close(operator_link);
}

/* ------------------------------------------------------------------------- all */

static void try_deaths(struct hostile *h)
{
    struct child store;

    for (int i = 0; i < 3; i++) {
        store_take(h, &store);
        if (i < 2)
            child_exit(h, &store, i);
        else
            child_die(h, &store, SIGSYS);
        expect(h, server_status(h).store_pid == 0, "store: a dead one is in office");
    }
}

void store_check(struct hostile *h)
{
    matrix_read(h, &from_store);
}

void store_run(struct hostile *h)
{
    struct child store = {.link = -1, .orders = -1};
    const struct file_stat ask = {.path = slice_text("/f")};
    struct actor bystander, after;

    home_reset(h);
    actor_make(h, STAND_AGENT, &bystander);
    const unsigned long descriptors = descriptors_still(h);
    store_end_real(h);
    run_matrix(h, &store);
    child_drop(&store);
    try_bytes(h);
    store_take(h, &store);
    store_say_ready(h, &store);
    try_twice(h, &store);
    try_swapped(h, &store);
    store_own_run(h, &store);
    try_flood(h, &store, &bystander);
    try_deaf(h, &bystander);
    child_drop(&store);
    try_deaths(h);
    h->by_hand &= ~(1u << ROLE_STORE);
    const int64_t until = clock_now_ms() + PATIENCE_MS;
    while (server_status(h).store_pid == 0 && clock_now_ms() < until)
        children_wait(h, -1, 0, 20);
    actor_make(h, STAND_OPEN, &after); /* does not return if it is not let in */
    expect(h,
           send_file_stat(bystander.agent, 1, &ask) == 0 &&
               raw_receive(h, bystander.agent, PATIENCE_MS) == 1 &&
               h->envelope.type == MSG_file_attributes,
           "store: another session did not live through it");
    actor_drop(&after);
    actor_drop(&bystander);
    expect(h, descriptors_settle(h, descriptors) <= descriptors,
           "store: the monitor has %lu descriptors, %lu before", server_descriptors(h),
           descriptors);
}
