/* Every message of a worker's in every state, held against matrix.txt: what comes of it, and where
 * the session stands afterwards. Called by main.c. What is expected comes from that file alone. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/hostile/hostile.h"

#define NO_ANSWER_MS 50 /* how long nothing must come where nothing may */

/* One for each kind of worker, by its role: the sections of matrix.txt. */
static struct matrix kinds[WORKER_ROLES] = {
    {.file = "matrix.txt",
     .section = "sftp",
     .columns = stand_names,
     .column_count = STAND_KNOWN,
     .known = sample_known},
    {.file = "matrix.txt",
     .section = "ftps",
     .columns = stand_names,
     .column_count = STAND_KNOWN,
     .known = sample_known},
    {.file = "matrix.txt",
     .section = "https",
     .columns = stand_names,
     .column_count = STAND_COUNT,
     .known = sample_known},
};

/* ------------------------------------------------------------------------- running */

/* An active data connection has reached its client's address, and is closed again. */
static bool connection_came(struct hostile *h, const struct actor *a)
{
    struct sockaddr_in here;
    socklen_t len = sizeof(here);
    struct pollfd wait = {.fd = h->listener, .events = POLLIN};
    const int fd =
        poll(&wait, 1, answer_ms) == 1 ? accept4(h->listener, NULL, NULL, SOCK_CLOEXEC) : -1;
    const bool came = fd >= 0 && getsockname(fd, (struct sockaddr *)&here, &len) == 0 &&
                      here.sin_addr.s_addr == a->address.s_addr;

    if (fd >= 0)
        close(fd);
    return came;
}

/* Beyond what came back: was it heard, or not? Returns what is wrong, or NULL. */
static const char *proof(struct hostile *h, struct actor *a, const struct row *row,
                         enum stand stand, off_t log_from)
{
    const enum cell cell = row->cells[stand];
    const char *before =
        stand_names[stand == STAND_KEYED || stand == STAND_CODED ? STAND_GREETED : stand];
    char text[64];

    if (cell == CELL_END)
        return actor_ended(h, a, log_from);
    if ((cell == CELL_OK || cell == CELL_DENY) && stand != STAND_AGENT) {
        server_state(h, a->pid, text, sizeof(text));
        if (strcmp(text, row->after[stand][0] != '\0' ? row->after[stand] : before) != 0)
            return "the session stands elsewhere afterwards";
    }
    if (row->type == MSG_data_active && row->variant[0] == '\0' && cell == CELL_OK &&
        !connection_came(h, a))
        return "no connection came to its client";
    if (row->type == MSG_worker_log && (cell == CELL_OK || cell == CELL_NONE)) {
        snprintf(text, sizeof(text), "its worker says: hostile line %d\n", (int)a->pid);
        if (log_has(h, log_from, text) != (cell == CELL_OK))
            return cell == CELL_OK ? "its line is not in the log" : "its line is in the log";
    }
    if (cell == CELL_BYE) {
        actor_drop(a);
        if (!log_soon(h, log_from, "ended: its worker says: hostile goodbye"))
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

/* The spare of the cell before may still be there: a worker without a client has no name, and is
 * told by how many spares there are (server_state). */
static void await_no_spare(struct hostile *h)
{
    const int64_t until = clock_now_ms() + PATIENCE_MS;

    while (server_status(h).spares > 0 && clock_now_ms() < until)
        children_wait(h, -1, 0, 1);
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
    if (stand == STAND_STARTING || stand == STAND_SPARE)
        await_no_spare(h);
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
    expect(h, as_wanted && wrong == NULL, "matrix: %s: %s%s%s while %s: %s expected; %s%s%s",
           kinds[h->kind].section, name, variant != NULL ? "/" : "", row->variant,
           stand_names[stand], cell_names[cell], seen_names[seen], wrong != NULL ? ", but " : "",
           wrong != NULL ? wrong : "");
    sample_free(&s);
    actor_drop(&a);
}

void matrix_check(struct hostile *h)
{
    for (size_t k = 0; k < WORKER_ROLES; k++) {
        const struct matrix *m = &kinds[k];
        matrix_read(h, &kinds[k]);
        for (size_t i = 0; i < m->count; i++) {
            for (size_t s = 0; s < m->column_count; s++)
                h->lets[k][m->rows[i].type] |=
                    s != STAND_AGENT &&
                    (m->rows[i].cells[s] == CELL_OK || m->rows[i].cells[s] == CELL_DENY);
        }
    }
}

void matrix_run(struct hostile *h)
{
    for (size_t k = 0; k < WORKER_ROLES; k++) {
        h->kind = (enum role)k;
        for (size_t s = 0; s < kinds[k].column_count; s++) {
            if (s == STAND_CHECKING)
                server_hold(h, true);
            for (size_t i = 0; i < kinds[k].count; i++) {
                /* In its end nothing is heard, whatever it is: in a short run, by turns. */
                const bool turn = s != STAND_ENDING || i % h->options.thin == 0;
                if (turn && !row_skips(h, kinds[k].rows[i].type) && row_due(h, &kinds[k], i, s))
                    run_cell(h, &kinds[k].rows[i], (enum stand)s);
            }
            if (s == STAND_CHECKING)
                server_hold(h, false);
        }
    }
    h->kind = ROLE_SFTP;
}
