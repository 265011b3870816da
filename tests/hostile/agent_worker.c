/* A compromised agent and its worker: a real client asks a real worker for something, and what the
 * agent answers is every message of the schema, and worse. Called by agent.c. Expected: that
 * session is over where the answer was none, and nothing else happens. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/hostile/hostile.h"

#define COMMAND "ls -ln /f" /* asks for attributes of /f, first */
#define LISTED  "-rw"
#define CLOSED  "Connection closed"

static const char *const columns[] = {"asked"};
static bool known(enum message_type type, const char *variant);
static struct matrix to_worker = {.file = "agent.txt",
                                  .section = "worker",
                                  .columns = columns,
                                  .column_count = 1,
                                  .known = known};

static bool known(enum message_type type, const char *variant)
{
    return type == MSG_file_attributes
               ? strcmp(variant, "other-id") == 0 || strcmp(variant, "descriptors") == 0 ||
                     strcmp(variant, "cut") == 0
               : type == MSG_file_status && strcmp(variant, "refused") == 0;
}

static void encode(struct sample *s, uint32_t id, enum message_type type, const void *message)
{
    const ssize_t n = message_encode(type, id, message, s->bytes, sizeof(s->bytes));

    if (n < 0)
        give_up("an answer that does not encode");
    s->len = (size_t)n;
}

static void make_answer(struct hostile *h, const struct row *row, uint32_t id, struct sample *s)
{
    const struct file_attributes file = {.mode = S_IFREG | 0600, .nlink = 1, .size = 7};
    const struct file_status refused = {.error = EACCES};
    const struct actor nobody = {.link = -1, .orders = -1, .client = -1, .given = -1, .agent = -1};
    struct actor none = nobody;

    memset(s, 0, sizeof(*s));
    if (row->type == MSG_file_attributes) {
        encode(s, strcmp(row->variant, "other-id") == 0 ? id + 1 : id, row->type, &file);
        s->len -= strcmp(row->variant, "cut") == 0;
        while (strcmp(row->variant, "descriptors") == 0 && s->fd_count < 2)
            s->fds[s->fd_count++] = open("/dev/null", O_RDWR | O_CLOEXEC);
    } else if (row->type == MSG_file_status && row->variant[0] != '\0') {
        encode(s, id, row->type, &refused);
    } else {
        sample_make(h, &none, row->type, NULL, s);
        memcpy(s->bytes + 4, &id, sizeof(id));
    }
}

/* Answer what the client's program asks at its start; stop at what the command asks.
 * Returns its id; 0: nothing was asked. */
static uint32_t next_question(struct hostile *h, struct agent *g, int wait_ms)
{
    const struct file_path root = {.path = slice_text("/")};

    while (raw_receive(h, g->worker, wait_ms) == 1) {
        const uint32_t id = h->envelope.id;
        if (h->envelope.type != MSG_file_realpath)
            return id;
        if (send_file_path(g->worker, id, &root) < 0)
            give_up("a worker takes no answer: %s", strerror(errno));
    }
    return 0;
}

static const char *judge(struct hostile *h, struct sftp_client *c, struct agent *g, enum cell cell)
{
    const struct file_attributes file = {.mode = S_IFREG | 0600, .nlink = 1, .size = 7};
    uint32_t id;

    if (cell == CELL_END) {
        if (!client_hear(h, c, CLOSED))
            return "the client goes on";
        return next_question(h, g, PATIENCE_MS) == 0 ? NULL : "its agent was asked again";
    }
    if (cell == CELL_DENY) /* the program tries another way: the link goes on */
        return next_question(h, g, PATIENCE_MS) != 0 ? NULL : "its agent is asked no more";
    while ((id = next_question(h, g, 100)) != 0) { /* it asks some more before it prints */
        if (send_file_attributes(g->worker, id, &file) < 0)
            return "its agent is not heard";
    }
    return client_hear(h, c, LISTED) ? NULL : "the client saw no file";
}

static void run_row(struct hostile *h, const struct row *row)
{
    static struct sample s;
    struct sftp_client c;
    struct agent g;

    client_start(h, &c);
    agent_take(h, &g);
    agent_say_ready(&g);
    const uint64_t security = server_status(h).security_events;
    client_say(&c, COMMAND);
    const uint32_t id = next_question(h, &g, PATIENCE_MS);
    make_answer(h, row, id, &s);
    if (id == 0 || raw_send(g.worker, s.bytes, s.len, s.fds, s.fd_count, 0) < 0)
        give_up("a real worker asks nothing, or takes no answer");
    row_judge(h, &to_worker, row, 0, judge(h, &c, &g, row->cells[0]));
    expect(h, server_status(h).security_events == security, "agent: a worker's event");
    sample_free(&s);
    client_end(&c);
    agent_drop(&g);
}

void agent_check_worker(struct hostile *h)
{
    matrix_read(h, &to_worker);
}

void agent_run_worker(struct hostile *h)
{
    if (!client_exists()) {
        printf("skipped: no sftp for this user here: agents' answers to a real worker\n");
        return;
    }
    for (size_t i = 0; i < to_worker.count; i++) {
        if (row_due(h, &to_worker, i, 0))
            run_row(h, &to_worker.rows[i]);
    }
}
