/* Every message in every state, held against matrix.txt: what comes of it, and where the session
 * stands afterwards. Called by main.c. Refuses to run when a message of the schema has no row, or a
 * row no message: the matrix is complete or it fails. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/hostile/hostile.h"

#define ROWS_MAX     256
#define NO_ANSWER_MS 50 /* how long nothing must come where nothing may */

static const char *const kinds[] = {"sftp"}; /* of workers: sections of matrix.txt */

enum cell { CELL_OK, CELL_DENY, CELL_BYE, CELL_NONE, CELL_END, CELL_COUNT };
static const char *const cell_names[CELL_COUNT] = {"ok", "deny", "bye", "none", "end"};

struct row {
    enum message_type type;
    char variant[VARIANT_MAX]; /* empty: plain */
    enum cell cells[STAND_COUNT];
    char after[STAND_COUNT][12]; /* the session's state then; empty: as before */
};

struct matrix {
    struct row rows[ROWS_MAX];
    size_t count;
};

/* ------------------------------------------------------------------------- reading */

static enum message_type type_of(const char *name)
{
    for (int t = MSG_NONE + 1; t < MSG_COUNT; t++) {
        if (strcmp(message_info((enum message_type)t)->name, name) == 0)
            return (enum message_type)t;
    }
    return MSG_NONE;
}

enum message_type matrix_message(const char *path, unsigned number, char *word, char *variant)
{
    char *slash = strchr(word, '/');

    *variant = '\0';
    if (slash != NULL) {
        *slash = '\0';
        if (slice_copy(slice_text(slash + 1), variant, VARIANT_MAX) < 0)
            give_up("%s:%u: a variant with too long a name", path, number);
    }
    const enum message_type type = type_of(word);
    if (type == MSG_NONE || !sample_known(type, slash != NULL ? variant : NULL))
        give_up("%s:%u: there is no %s %s", path, number, word, variant);
    return type;
}

bool matrix_skips(const struct hostile *h, enum message_type type)
{
    return h->options.message != NULL && strcmp(h->options.message, message_info(type)->name) != 0;
}

static void read_row(const char *path, unsigned number, char *line, struct row *row)
{
    char *rest = line, *word = strsep(&rest, " ");

    memset(row, 0, sizeof(*row));
    row->type = matrix_message(path, number, word, row->variant);
    for (size_t s = 0; s < STAND_COUNT; s++) {
        do
            word = strsep(&rest, " ");
        while (word != NULL && *word == '\0');
        char *after = word;
        word = strsep(&after, ">");
        if (after != NULL &&
            slice_copy(slice_text(after), row->after[s], sizeof(row->after[s])) < 0)
            give_up("%s:%u: %s: there is no such state", path, number, after);
        size_t c = 0;
        while (word != NULL && c < CELL_COUNT && strcmp(word, cell_names[c]) != 0)
            c++;
        if (word == NULL || c == CELL_COUNT)
            give_up("%s:%u: %s: no such outcome, or none", path, number, stand_names[s]);
        row->cells[s] = (enum cell)c;
    }
    if (rest != NULL)
        give_up("%s:%u: more cells than states", path, number);
}

/* Every message once without a variant, in this section. */
static void check_complete(const char *path, const char *kind, const struct matrix *m)
{
    unsigned missing = 0;

    for (int t = MSG_NONE + 1; t < MSG_COUNT; t++) {
        unsigned plain = 0;
        for (size_t i = 0; i < m->count; i++)
            plain += m->rows[i].type == (enum message_type)t && m->rows[i].variant[0] == '\0';
        if (plain == 1)
            continue;
        fprintf(stderr, "%s: [%s]: %u rows of %s, 1 expected\n", path, kind, plain,
                message_info((enum message_type)t)->name);
        missing++;
    }
    if (missing > 0)
        give_up("%s is not complete: decide what each message gets in each state", path);
}

static void matrix_read(const struct hostile *h, const char *kind, struct matrix *m)
{
    const char *path = h->options.matrix;
    char line[256], section[32] = "";
    unsigned number = 0;
    FILE *f = fopen(path, "re");

    if (f == NULL)
        give_up("%s: %s", path, strerror(errno));
    m->count = 0;
    while (fgets(line, sizeof(line), f) != NULL) {
        number++;
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '[') {
            snprintf(section, sizeof(section), "%.*s", (int)strcspn(line + 1, "]"), line + 1);
            continue;
        }
        if (line[0] == '#' || line[0] == '\0' || strcmp(section, kind) != 0)
            continue;
        if (m->count == ROWS_MAX)
            give_up("%s: more than %d rows", path, ROWS_MAX);
        read_row(path, number, line, &m->rows[m->count++]);
    }
    fclose(f);
    check_complete(path, kind, m);
}

/* ------------------------------------------------------------------------- running */

static bool log_soon(struct hostile *h, off_t from, const char *text)
{
    const int64_t until = clock_now_ms() + answer_ms;
    const struct timespec nap = {.tv_nsec = 1000 * 1000};

    while (!log_has(h, from, text)) {
        if (clock_now_ms() > until)
            return false;
        nanosleep(&nap, NULL);
    }
    return true;
}

/* Beyond what came back: was it heard, or not? Returns what is wrong, or NULL. */
static const char *proof(struct hostile *h, struct actor *a, const struct row *row,
                         enum stand stand, off_t log_from)
{
    const enum cell cell = row->cells[stand];
    const char *before = stand == STAND_KEYED ? stand_names[STAND_GREETED] : stand_names[stand];
    char text[64];

    if (cell == CELL_END)
        return actor_ended(h, a, log_from);
    if ((cell == CELL_OK || cell == CELL_DENY) && stand != STAND_AGENT) {
        server_state(h, a->pid, text, sizeof(text));
        if (strcmp(text, row->after[stand][0] != '\0' ? row->after[stand] : before) != 0)
            return "the session stands elsewhere afterwards";
    }
    if (row->type == MSG_worker_log && (cell == CELL_OK || cell == CELL_NONE)) {
        snprintf(text, sizeof(text), "its worker says: hostile line %d\n", (int)a->pid);
        if (log_has(h, log_from, text) != (cell == CELL_OK))
            return cell == CELL_OK ? "its line is not in the log" : "its line is in the log";
    }
    if (cell == CELL_BYE) {
        actor_drop(a);
        if (!log_soon(h, log_from, "ended: hostile goodbye"))
            return "its reason is not in the log";
    }
    return NULL;
}

static enum seen wanted(enum cell cell, bool answers)
{
    switch (cell) {
    case CELL_OK:
        return answers ? SEEN_GOOD : SEEN_QUIET;
    case CELL_DENY:
        return SEEN_DENIED;
    case CELL_END:
        return SEEN_ENDED;
    default:
        return SEEN_QUIET;
    }
}

static void run_cell(struct hostile *h, const struct row *row, enum stand stand)
{
    static struct sample s;
    const char *name = message_info(row->type)->name;
    const char *variant = row->variant[0] != '\0' ? row->variant : NULL;
    const enum cell cell = row->cells[stand];
    struct actor a;

    if (stand == STAND_OPEN || stand == STAND_AGENT)
        home_reset(h);
    actor_make(h, stand, &a);
    sample_make(h, &a, row->type, variant, &s);
    const uint64_t security = server_status(h).security_events;
    const off_t log_from = log_end(h);
    const int wait_ms = !s.answers                             ? 0
                        : cell == CELL_OK || cell == CELL_DENY ? answer_ms
                        : cell == CELL_NONE                    ? NO_ANSWER_MS
                                                               : 0;
    const int link = stand == STAND_AGENT ? a.agent : a.link;
    if (raw_send(link, s.bytes, s.len, s.fds, s.fd_count, 0) < 0)
        give_up("%s while %s cannot be sent: %s", name, stand_names[stand], strerror(errno));
    const enum seen seen = stand == STAND_AGENT ? actor_watch_agent(h, &a, security, s.id)
                                                : actor_watch(h, &a, security, wait_ms, s.id);
    const bool as_wanted = seen == wanted(cell, s.answers);
    const char *wrong = as_wanted ? proof(h, &a, row, stand, log_from) : NULL;
    expect(h, as_wanted && wrong == NULL, "matrix: %s%s%s while %s: %s expected; %s%s%s", name,
           variant != NULL ? "/" : "", row->variant, stand_names[stand], cell_names[cell],
           seen_names[seen], wrong != NULL ? ", but " : "", wrong != NULL ? wrong : "");
    sample_free(&s);
    actor_drop(&a);
}

void matrix_check(struct hostile *h)
{
    static struct matrix m;

    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        matrix_read(h, kinds[k], &m);
        for (size_t i = 0; i < m.count; i++) {
            for (int s = 0; s < STAND_AGENT; s++)
                h->lets[m.rows[i].type] |= m.rows[i].cells[s] == CELL_OK;
        }
    }
}

void matrix_run(struct hostile *h)
{
    static struct matrix m;

    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        matrix_read(h, kinds[k], &m);
        for (size_t s = 0; s < STAND_COUNT; s++) {
            if (s == STAND_CHECKING)
                server_hold(h, true);
            for (size_t i = 0; i < m.count; i++) {
                if (!matrix_skips(h, m.rows[i].type))
                    run_cell(h, &m.rows[i], (enum stand)s);
            }
            if (s == STAND_CHECKING)
                server_hold(h, false);
        }
    }
}
