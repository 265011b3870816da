/* A compromised hasher: every message in every state, answers twice and to others' questions,
 * silence, death. Called by main.c. What it can decide at most is the login that it was asked
 * about, and that only if it knows the hash, which it is not told; and what becomes of a new
 * password. */
#include <crypt.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/hostile/hostile.h"

#define FRESH     "another velvet quince tundra 8"
#define GROWTH_KB 8192 /* of the monitor, the sanitizers' included */

static const char *const columns[] = {"starting", "idle", "busy"};
enum { AT_STARTING, AT_IDLE, AT_BUSY };
static bool known(enum message_type type, const char *variant);
static struct matrix from_hasher = {.file = "store.txt",
                                    .section = "hasher",
                                    .columns = columns,
                                    .column_count = 3,
                                    .known = known};

static bool known(enum message_type type, const char *variant)
{
    static const char *const variants[] = {"right", "number", "wrong", "setting",
                                           "cut",   "longer", "weak",  "weak-right"};

    for (size_t i = 0; type == MSG_hashed && i < sizeof(variants) / sizeof(variants[0]); i++) {
        if (strcmp(variants[i], variant) == 0)
            return true;
    }
    return false;
}

/* ------------------------------------------------------------------------- a hasher */

void hasher_take(struct hostile *h, struct child *hasher)
{
    const int64_t until = clock_now_ms() + PATIENCE_MS;

    while (!child_next(h, ROLE_HASHER, hasher, 105)) {
        if (clock_now_ms() > until || kill(h->server, SIGHUP) < 0)
            give_up("no hasher was started: see %s/log", h->place);
    }
    server_settle(h);
    if (raw_receive(h, hasher->link, PATIENCE_MS) != 1 || h->envelope.type != MSG_hash_setup)
        give_up("a hasher was not set up");
}

void hasher_say_ready(struct hostile *h, const struct child *hasher)
{
    const struct hash_ready ready = {.layers = 0xff};

    if (send_hash_ready(hasher->link, 0, &ready) < 0)
        give_up("hash_ready: %s", strerror(errno));
    raw_wait(h, hasher->link);
    server_status(h);
}

/* A login by password that waits for it, and what it knows then. */
struct job {
    char setting[257], right[CRYPT_OUTPUT_SIZE];
    size_t len; /* of all that it was told, which holds no name */
};

static void hasher_asked(struct hostile *h, struct actor *a, const struct child *hasher,
                         struct job *job)
{
    const struct auth_password claim = {.user = slice_text(ACCOUNT),
                                        .password = slice_text(PASSWORD)};
    static struct crypt_data data;
    struct hash_password ask;

    actor_make(h, STAND_GREETED, a);
    if (send_auth_password(a->link, 1, &claim) < 0 ||
        raw_receive(h, hasher->link, PATIENCE_MS) != 1 ||
        decode_hash_password(&h->envelope, &ask) < 0 ||
        slice_copy(ask.setting, job->setting, sizeof(job->setting)) < 0)
        give_up("a login asks no hasher");
    job->len = h->envelope.len;
    const char *right = crypt_r(PASSWORD, job->setting, &data);
    snprintf(job->right, sizeof(job->right), "%s", right != NULL ? right : "");
}

static const char *hasher_ended(struct hostile *h, const struct child *hasher, uint64_t security)
{
    const uint64_t events = server_status(h).security_events - security;
    char line[64];

    h->security += events;
    if (!child_gone(h, hasher, PATIENCE_MS))
        return "the hasher was not killed";
    snprintf(line, sizeof(line), "security: the hasher (pid %d) ", (int)hasher->pid);
    return events != 1             ? "no security event, or several"
           : !log_soon(h, 0, line) ? "no security event in the log"
                                   : NULL;
}

static void hasher_answer(const struct child *hasher, const char *hash)
{
    const struct hashed answer = {.hash = slice_text(hash)};

    if (send_hashed(hasher->link, 0, &answer) < 0)
        give_up("a hasher cannot answer: %s", strerror(errno));
}

/* ------------------------------------------------------------------------- the matrix */

static void make_sample(struct hostile *h, struct actor *a, const struct row *row,
                        const struct job *job, struct sample *s)
{
    const char *variant = row->variant;
    const bool right = variant[0] != '\0' && strcmp(variant, "wrong") != 0;
    struct hashed answer = {.hash = slice_text(right ? job->right : "$y$j75$wrong$wrong")};

    sample_make(h, a, row->type, NULL, s);
    if (row->type != MSG_hashed || variant[0] == '\0')
        return;
    if (strcmp(variant, "setting") == 0)
        answer.hash = slice_text(job->setting);
    if (strcmp(variant, "weak") == 0)
        answer.hash.len = 0;
    if (strncmp(variant, "weak", 4) == 0)
        answer.weak = slice_text("it is easily guessed");
    const ssize_t n = message_encode(MSG_hashed, strcmp(variant, "number") == 0 ? 77 : 0, &answer,
                                     s->bytes, sizeof(s->bytes));
    if (n < 0)
        give_up("a hash that does not encode");
    s->len = (size_t)n - (strcmp(variant, "cut") == 0) + (strcmp(variant, "longer") == 0);
}

static const char *judge(struct hostile *h, struct actor *a, const struct child *hasher,
                         const struct row *row, size_t column, uint64_t security)
{
    const enum cell cell = row->cells[column];

    raw_wait(h, hasher->link);
    if (cell == CELL_END) {
        const char *wrong = hasher_ended(h, hasher, security);
        return wrong == NULL && column == AT_BUSY && actor_verdict(h, a) != VERDICT_DENIED
                   ? "a login goes on"
                   : wrong;
    }
    const struct status_is status = server_status(h);
    if (status.security_events != security)
        return "a security event";
    if (column != AT_BUSY)
        return status.hashers == 1 ? NULL : "it is not ready";
    return actor_verdict(h, a) == (cell == CELL_OK ? VERDICT_OPEN : VERDICT_DENIED)
               ? NULL
               : "another verdict";
}

static void run_row(struct hostile *h, const struct row *row, size_t column)
{
    static struct sample s;
    struct job job = {.right = "x"};
    struct child hasher;
    struct actor a;

    hasher_take(h, &hasher);
    if (column > AT_STARTING)
        hasher_say_ready(h, &hasher);
    if (column == AT_BUSY)
        hasher_asked(h, &a, &hasher, &job);
    else
        actor_make(h, STAND_KEYED, &a);
    make_sample(h, &a, row, &job, &s);
    const uint64_t security = server_status(h).security_events;
    if (raw_send(hasher.link, s.bytes, s.len, s.fds, s.fd_count, 0) < 0)
        give_up("%s cannot be sent: %s", message_info(row->type)->name, strerror(errno));
    row_judge(h, &from_hasher, row, column, judge(h, &a, &hasher, row, column, security));
    sample_free(&s);
    actor_drop(&a);
    child_drop(&hasher);
}

/* ------------------------------------------------------------------------- a new password */

/* A change of LINKED's password that waits for its new hash. The old one was hashed rightly, into
 * right, the first time; then it is remembered for a moment. */
static void judge_asked(struct hostile *h, struct actor *a, const struct child *hasher,
                        char right[CRYPT_OUTPUT_SIZE])
{
    const struct auth_password claim = {.user = slice_text(LINKED),
                                        .password = slice_text(STRONG),
                                        .purpose = PURPOSE_PASSWORD,
                                        .fresh = slice_text(FRESH)};
    static struct crypt_data data;
    struct hash_password ask;
    char setting[257];

    web_greeted(h, a);
    if (send_auth_password(a->link, 1, &claim) < 0 ||
        raw_receive(h, hasher->link, PATIENCE_MS) != 1 ||
        decode_hash_password(&h->envelope, &ask) < 0)
        give_up("a change asks no hasher");
    if (ask.judge == 0) {
        slice_copy(ask.setting, setting, sizeof(setting));
        const char *hash = crypt_r(STRONG, setting, &data);
        snprintf(right, CRYPT_OUTPUT_SIZE, "%s", hash != NULL ? hash : "");
        hasher_answer(hasher, right);
        if (raw_receive(h, hasher->link, PATIENCE_MS) != 1 ||
            decode_hash_password(&h->envelope, &ask) < 0)
            give_up("a new password is not hashed");
    }
    expect(h, ask.judge == 1 && slice_is(ask.password, FRESH) && ask.setting.len == 0,
           "hasher: a new password is not to be judged");
}

/* A hash or why not, never both; what it says of the password reaches who asked, and changes
 * nothing. */
static void try_judged(struct hostile *h)
{
    static const struct {
        bool hash;
        const char *weak;
        enum message_type answer;
        bool ends;
    } rows[] = {
        {false, "it is easily guessed", MSG_store_refused, false},
        {false, "", MSG_store_refused, false},
        {true, "it is easily guessed", MSG_store_refused, true},
        {true, "", MSG_store_done, false},
    };
    char right[CRYPT_OUTPUT_SIZE] = "";
    struct store_refused refused;
    struct child hasher;
    struct actor a;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        hasher_take(h, &hasher);
        hasher_say_ready(h, &hasher);
        judge_asked(h, &a, &hasher, right);
        const struct hashed answer = {.hash = slice_text(rows[i].hash ? right : ""),
                                      .weak = slice_text(rows[i].weak)};
        const uint64_t security = server_status(h).security_events;
        if (send_hashed(hasher.link, 0, &answer) < 0)
            give_up("a hasher cannot answer: %s", strerror(errno));
        raw_wait(h, hasher.link);
        if (rows[i].ends)
            expect(h, hasher_ended(h, &hasher, security) == NULL,
                   "hasher: a weak password that was hashed");
        expect(h, raw_receive(h, a.link, PATIENCE_MS) == 1 && h->envelope.type == rows[i].answer,
               "hasher: a new password, %zu: %s", i, message_info(h->envelope.type)->name);
        if (rows[i].weak[0] != '\0' && !rows[i].ends)
            expect(h,
                   decode_store_refused(&h->envelope, &refused) == 0 &&
                       slice_is(refused.text, rows[i].weak),
                   "hasher: why a password is weak is not told");
        expect(h, server_status(h).security_events == security + rows[i].ends,
               "hasher: a new password, %zu: security events", i);
        actor_drop(&a);
        child_drop(&hasher);
    }
}

/* ------------------------------------------------------------------------- what it is told */

/* Method, cost and salt; neither whose they are nor what to say. */
static void try_knowledge(struct hostile *h)
{
    struct child hasher;
    struct actor a;
    struct job job;

    hasher_take(h, &hasher);
    hasher_say_ready(h, &hasher);
    hasher_asked(h, &a, &hasher, &job);
    expect(h,
           strlen(job.setting) < strlen(job.right) &&
               strncmp(job.right, job.setting, strlen(job.setting)) == 0,
           "hasher: the setting is not the hash's, or is the hash");
    expect(h, job.len == 8 + 4 + strlen(PASSWORD) + 4 + strlen(job.setting) + 1,
           "hasher: it is told more than a password and a setting");
    hasher_answer(&hasher, job.right);
    expect(h, actor_verdict(h, &a) == VERDICT_OPEN, "hasher: the right answer is wrong");
    /* Once more: nobody has asked. */
    const uint64_t security = server_status(h).security_events;
    hasher_answer(&hasher, job.right);
    raw_wait(h, hasher.link);
    expect(h, hasher_ended(h, &hasher, security) == NULL, "hasher: a second answer is heard");
    expect(h, raw_receive(h, a.link, 0) == -1, "hasher: a second answer has a consequence");
    actor_drop(&a);
    child_drop(&hasher);
}

/* One is asked, another answers, and rightly: it is not heard. */
static void try_other(struct hostile *h)
{
    struct child one, other;
    struct actor a;
    struct job job;

    hasher_take(h, &one);
    hasher_take(h, &other);
    hasher_say_ready(h, &one);
    hasher_asked(h, &a, &one, &job);
    hasher_say_ready(h, &other);
    const uint64_t security = server_status(h).security_events;
    hasher_answer(&other, job.right);
    raw_wait(h, other.link);
    expect(h, hasher_ended(h, &other, security) == NULL && raw_receive(h, a.link, 0) == -1,
           "hasher: another's answer is heard");
    hasher_answer(&one, "$y$j75$wrong$wrong");
    expect(h, actor_verdict(h, &a) == VERDICT_DENIED, "hasher: a wrong answer is right");
    actor_drop(&a);
    child_drop(&one);
    child_drop(&other);
}

/* It never answers: the time to log in ends that; logins by key know nothing of it. */
static void try_silence(struct hostile *h)
{
    struct child hasher;
    struct actor a, key;
    struct job job;

    hasher_take(h, &hasher);
    hasher_say_ready(h, &hasher);
    server_grace(h, 1);
    hasher_asked(h, &a, &hasher, &job);
    server_grace(h, 0);
    actor_make(h, STAND_OPEN, &key); /* does not return if it is not let in */
    actor_drop(&key);
    expect(h, children_wait(h, a.orders, POLLIN, PATIENCE_MS), "hasher: a login waits for ever");
    actor_drop(&a);
    child_drop(&hasher);
}

/* Dead before, while and after it is asked. */
static void try_deaths(struct hostile *h)
{
    struct child hasher;
    struct actor a;
    struct job job;

    for (int i = 0; i < 12; i++) {
        hasher_take(h, &hasher);
        if (i % 3 > 0)
            hasher_say_ready(h, &hasher);
        if (i % 3 == 2)
            hasher_asked(h, &a, &hasher, &job);
        if (i % 2 == 0)
            child_exit(h, &hasher, i);
        else
            child_die(h, &hasher, SIGSYS);
        if (i % 3 != 2)
            continue;
        expect(h, actor_verdict(h, &a) == VERDICT_DENIED, "hasher: its death lets somebody in");
        actor_drop(&a);
    }
}

static void try_descriptors(struct hostile *h)
{
    static const size_t counts[] = {1, 2, 253};
    uint8_t bytes[] = {MSG_hashed, 0, 0, 0, 0, 0,
                       0,          0, 0, 0, 0, 0}; /* in the host's order: little */
    int fds[253];

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct child hasher;
        hasher_take(h, &hasher);
        hasher_say_ready(h, &hasher);
        for (size_t f = 0; f < counts[i]; f++)
            fds[f] = f % 2 == 0 ? STDERR_FILENO : hasher.link;
        const uint64_t security = server_status(h).security_events;
        if (raw_send(hasher.link, bytes, sizeof(bytes), fds, counts[i], 0) < 0)
            give_up("a hasher cannot send: %s", strerror(errno));
        raw_wait(h, hasher.link);
        const char *wrong = hasher_ended(h, &hasher, security);
        expect(h, wrong == NULL, "hasher: %zu descriptors: %s", counts[i], wrong);
        child_drop(&hasher);
    }
}

/* ------------------------------------------------------------------------- all */

void hasher_check(struct hostile *h)
{
    matrix_read(h, &from_hasher);
}

void hasher_run(struct hostile *h)
{
    const unsigned long descriptors = descriptors_still(h), memory = server_figure(h, "VmRSS");
    const unsigned real = server_hold_hashers(h, false);
    struct actor after;

    h->by_hand |= 1u << ROLE_HASHER;
    expect(h, real == h->hashers, "hasher: %u at the start, %u expected", real, h->hashers);
    server_end_hashers(h);
    for (size_t c = 0; c < from_hasher.column_count; c++) {
        for (size_t i = 0; i < from_hasher.count; i++) {
            if (row_due(h, &from_hasher, i, c))
                run_row(h, &from_hasher.rows[i], c);
        }
    }
    try_knowledge(h);
    try_judged(h);
    try_other(h);
    try_silence(h);
    try_deaths(h);
    try_descriptors(h);
    h->by_hand &= ~(1u << ROLE_HASHER);
    children_drop(h); /* those that wait end, and real ones follow */
    const int64_t until = clock_now_ms() + PATIENCE_MS;
    while (server_status(h).hashers < h->hashers && clock_now_ms() < until)
        children_wait(h, -1, 0, 20);
    actor_make(h, STAND_GREETED, &after);
    expect(h, login_by_password(h, &after, ACCOUNT, PASSWORD) == VERDICT_OPEN,
           "hasher: no login by password after it");
    actor_drop(&after);
    expect(h, descriptors_settle(h, descriptors) <= descriptors,
           "hasher: the monitor has %lu descriptors, %lu before", server_descriptors(h),
           descriptors);
    expect(h, server_figure(h, "VmRSS") <= memory + GROWTH_KB,
           "hasher: the monitor has grown from %lu to %lu kB", memory, server_figure(h, "VmRSS"));
}
