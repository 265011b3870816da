/* Fuzzing of the monitor's boundary: dispatch.c and all that it calls (logins, signing, sessions,
 * data connections, the links to store and hashers, limits), with children that exist only here.
 * The input is a sequence of steps: what workers, agents, store and hashers say, which of them die,
 * who connects to a data port, and how time goes by. dispatch_model.c keeps its own account of what
 * was shown, and ends the run when a session is open without it, or has what is another's. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/spawn.h"
#include "tests/fuzz/dispatch.h"

#define STEPS_MAX   200
#define STEP_KINDS  11
#define PORTS_FIRST 30000 /* so few that sessions meet on them */
#define PORTS_LAST  30001

static struct monitor *m;
struct child children[CHILDREN_MAX];
static size_t child_count;
static int64_t clock_ms;
static struct source *ports[CHILDREN_MAX]; /* that are listened on, for data connections */

/* ---- in place of loop.c, spawn.c and the system ---------------------------------------------- */
int64_t now_ms(void)
{
    return clock_ms;
}

static bool is_listening(int fd)
{
    int listening = 0;
    socklen_t len = sizeof(listening);

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening;
}

int source_watch(struct monitor *monitor, struct source *source, uint32_t events)
{
    must(monitor == m && source->fd >= 0);
    source->events = events;
    if (is_listening(source->fd)) {
        size_t i = 0;
        while (i < CHILDREN_MAX && ports[i] != NULL)
            i++;
        must(i < CHILDREN_MAX); /* one for each session at most */
        ports[i] = source;
    }
    return fcntl(source->fd, F_SETFL, O_NONBLOCK);
}

void source_close(struct monitor *monitor, struct source *source)
{
    must(monitor == m);
    if (source->fd < 0)
        return;
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        if (ports[i] == source)
            ports[i] = NULL;
    }
    close(source->fd);
    source->fd = -1;
    source->events = 0;
}

pid_t priv_spawn(const char *directory, const char *program, int *link)
{
    int pair[2];

    (void)directory;
    if (child_count == CHILDREN_MAX) {
        errno = EAGAIN;
        return -1;
    }
    must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    must(fcntl(pair[1], F_SETFL, O_NONBLOCK) == 0);
    struct child *c = &children[child_count++];
    *c = (struct child){.pid = FIRST_PID + (pid_t)child_count, .link = pair[1], .alive = true};
    c->kind = strcmp(program, "sallyport-store") == 0   ? CHILD_STORE
              : strcmp(program, "sallyport-hash") == 0  ? CHILD_HASHER
              : strcmp(program, "sallyport-files") == 0 ? CHILD_AGENT
                                                        : CHILD_WORKER;
    *link = pair[0];
    return c->pid;
}

struct child *child_find(pid_t pid)
{
    for (size_t i = 0; i < child_count; i++) {
        if (children[i].pid == pid)
            return &children[i];
    }
    return NULL;
}

/* In place of kill(2): only children of this run can be meant. */
int kill(pid_t pid, int number)
{
    struct child *c = child_find(pid);

    must(c != NULL && number == SIGKILL);
    c->killed = true;
    return 0;
}

static void discard(enum log_level level, const char *line)
{
    (void)level;
    must(strchr(line, '\n') == NULL);
}

/* ---- children ----------------------------------------------------------------------------------
 */
static void child_ends(struct child *c, int status)
{
    if (!c->alive)
        return;
    c->alive = false;
    if (c->link >= 0)
        close(c->link);
    c->link = -1;
    if (c->kind == CHILD_STORE)
        store_gone(m, status);
    else if (!hashers_gone(m, c->pid))
        sessions_child_ended(m, c->pid, status);
    c->pid = 0;
}

static void reap(void)
{
    for (size_t i = 0; i < child_count; i++) {
        if (children[i].killed)
            child_ends(&children[i], SIGKILL);
    }
}

/* The number'th live child of a kind, counted round; NULL: there is none. */
static struct child *pick(enum child_kind kind, unsigned number)
{
    struct child *found[CHILDREN_MAX];
    size_t n = 0;

    for (size_t i = 0; i < child_count; i++) {
        if (children[i].alive && children[i].kind == kind && children[i].link >= 0)
            found[n++] = &children[i];
    }
    return n > 0 ? found[number % n] : NULL;
}

void child_says(struct child *c, struct slice bytes, unsigned fd_count)
{
    int fds[3] = {STDIN_FILENO, STDIN_FILENO, STDIN_FILENO};
    union {
        char space[CMSG_SPACE(sizeof(fds))];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {.iov_base = (void *)bytes.data, .iov_len = bytes.len};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};

    if (fd_count > 0) {
        header.msg_control = control.space;
        header.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * fd_count);
    }
    (void)!sendmsg(c->link, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void child_tells(struct child *c, enum message_type type, uint32_t id, const void *message)
{
    static uint8_t bytes[MESSAGE_MAX];
    const ssize_t len = message_encode(type, id, message, bytes, sizeof(bytes));

    must(len >= 0);
    child_says(c, slice_of(bytes, (size_t)len), 0);
}

/* What a child said is there to be read: the loop's part. Workers first: what one says is heard in
 * the state that the model has seen, before an answer to somebody else changes it. */
static void hear(void)
{
    struct source *source = &m->store.source;

    for (struct session *s = m->sessions; s != NULL; s = s->next) {
        if (s->worker.fd >= 0)
            s->worker.ready(m, &s->worker, 0);
        if (s->agent.fd >= 0)
            s->agent.ready(m, &s->agent, 0);
    }
    if (source->fd >= 0)
        source->ready(m, source, 0);
    for (size_t i = 0; i < HASHERS_MAX; i++) {
        source = &m->hashers.each[i].source;
        if (m->hashers.each[i].pid > 0 && source->fd >= 0)
            source->ready(m, source, 0);
    }
    for (size_t i = 0; i < CHILDREN_MAX; i++) {
        if (ports[i] != NULL)
            ports[i]->ready(m, ports[i], 0);
    }
}

/* Read what the monitor sent; the model looks at each message. */
static void drain(void)
{
    static struct envelope e;

    for (size_t i = 0; i < child_count; i++) {
        struct child *c = &children[i];
        while (c->link >= 0 && message_receive(c->link, &e, MSG_DONTWAIT) == 1) {
            model_told(m, c, &e);
            envelope_clear(&e);
        }
    }
}

/* ---- steps -------------------------------------------------------------------------------------
 */
static struct address address_make(uint8_t last)
{
    struct address a = {.bytes = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = last}};

    snprintf(a.text, sizeof(a.text), "127.0.0.%d", last);
    return a;
}

/* Of any protocol, from one of two addresses. */
static void new_client(uint8_t how)
{
    struct arrival arrival = {
        .fd = dup(STDIN_FILENO),
        .kind = (how & 8) != 0   ? WORKER_HTTPS
                : (how & 2) != 0 ? WORKER_FTPS
                                 : WORKER_SFTP,
        .implicit = (how & 4) != 0,
        .address = address_make(1 + (how & 1)),
        .local = model_local(),
        .since_ms = clock_ms,
    };

    must(arrival.fd >= 0);
    slice_copy(slice_text(arrival.local.text), arrival.told, sizeof(arrival.told));
    if (limits_connect(m, &arrival.address) == NULL)
        session_take_client(m, &arrival);
    else
        close(arrival.fd);
}

/* Somebody connects to a port that a session was told, from one of four addresses. Returns the
 * connection, or -1. */
static int connects(uint8_t how)
{
    const struct sockaddr_in from = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK + (how & 3u)),
    };
    const struct linger at_once = {.l_onoff = 1};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(model_port(how >> 2))};
    const struct address local = model_local();

    if (to.sin_port == 0)
        return -1;
    memcpy(&to.sin_addr, local.bytes + 12, 4);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) == 0 &&
         bind(fd, (const struct sockaddr *)&from, sizeof(from)) == 0);
    if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
        return fd;
    close(fd);
    return -1;
}

static void time_passes(uint8_t seconds)
{
    clock_ms += seconds * 1000;
    data_tick(m, clock_ms);
    sessions_tick(m, clock_ms);
    store_tick(m, clock_ms);
    hashers_tick(m, clock_ms);
}

static void dies(uint8_t how)
{
    static const int statuses[] = {0, 1 << 8, AGENT_MISUSED << 8, SIGSYS};
    struct child *c = pick(how % CHILD_KINDS, how >> 4);

    if (c != NULL)
        child_ends(c, statuses[how >> 2 & 3]);
}

/* The operator's part: one session is told to end, or another TLS key is read. */
static void operator_acts(uint8_t how)
{
    struct session *s = m->sessions;

    if ((how & 4) != 0) {
        model_reload(m);
        return;
    }
    for (unsigned i = 0; s != NULL && i < (how & 3u); i++)
        s = s->next;
    if (s != NULL)
        session_stop(m, s, "the operator ended it");
}

/* Returns a connection that the step has made, or -1. */
static int step(uint8_t what, uint8_t how, struct slice bytes)
{
    struct child *const worker = pick(
        CHILD_WORKER, (how >> 6) + 4u * (what / STEP_KINDS / 2)); /* its lowest bit: round_done */

    switch (what % STEP_KINDS) {
    case 0: /* a worker says any bytes */
        if (worker != NULL)
            model_worker_says(m, worker, bytes, (how & 0x3f) < 4 ? how & 3 : 0);
        break;
    case 1: /* a worker says a message as it should be */
        if (worker != NULL)
            model_worker_acts(m, worker, how & 0x3f, bytes);
        break;
    case 2:
        new_client(how);
        break;
    case 3:
        if (pick(CHILD_STORE, 0) != NULL)
            model_store_answers(m, pick(CHILD_STORE, 0), how, bytes);
        break;
    case 4:
        if (pick(CHILD_HASHER, how >> 4) != NULL)
            model_hasher_answers(m, pick(CHILD_HASHER, how >> 4), how & 15, bytes);
        break;
    case 5:
        if (pick(CHILD_AGENT, how >> 4) != NULL)
            model_agent_says(m, pick(CHILD_AGENT, how >> 4), how & 15, bytes);
        break;
    case 6:
        dies(how);
        break;
    case 7:
        time_passes(how);
        break;
    case 8:
        operator_acts(how);
        break;
    case 9: /* a worker closes its link before it ends */
        if (worker != NULL) {
            close(worker->link);
            worker->link = -1;
        }
        break;
    default:
        return connects(how);
    }
    return -1;
}

static void round_done(uint8_t how)
{
    hear();
    drain();
    if ((how & 1) == 0)
        reap();
    model_check(m);
    if (m->own_due)
        own_changed(m);
    sessions_bury(m);
    data_bury(m);
    if (m->agents_due)
        sessions_agents(m);
    if (m->data_due)
        data_ports_open(m);
    if (m->links_due)
        store_renew_links(m);
    if (m->assign_due)
        sessions_assign(m);
    if (m->spares_ms != 0)
        sessions_spares(m);
    drain();
    model_check(m);
}

/* ---- a run -------------------------------------------------------------------------------------
 */
static void begin(const struct config *config)
{
    static struct monitor monitor;

    m = &monitor;
    memset(m, 0, offsetof(struct monitor, envelope));
    child_count = 0;
    clock_ms = 1000000;
    m->config = *config;
    m->limits = limits_new();
    m->epoll = -1;
    snprintf(m->empty_dir, sizeof(m->empty_dir), "/nowhere");
    must(m->limits != NULL);
    model_begin(m);
    must(web_prepare(m) == 0);
    must(store_start(m) == 0 && hashers_start(m) == 0);
    sessions_spares(m);
    for (size_t i = 0; i < child_count; i++) {
        if (children[i].kind == CHILD_WORKER) /* the others say so when they are set up */
            model_ready(&children[i]);
    }
    round_done(0);
    new_client(0);
}

static void finish(void)
{
    m->stop = true;
    for (struct session *s = m->sessions; s != NULL; s = s->next)
        session_end(m, s, "the server ends");
    store_stop(m);
    hashers_stop(m);
    for (size_t i = 0; i < child_count; i++)
        child_ends(&children[i], SIGKILL);
    sessions_bury(m);
    data_bury(m);
    must(m->sessions == NULL && m->data_ports == NULL);
    while (m->waiting_count > 0)
        close(m->waiting[--m->waiting_count].fd);
    limits_free(m->limits);
    tls_sessions_free(m);
    model_end();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config config;
    struct config_trouble trouble;
    struct slice input = slice_of(data, size);

    if (config.server_hashers == 0) {
        must(config_read(NULL, &config, &trouble) == 0);
        config.server_spare_workers = 1;
        config.server_hashers = 1;
        config.limits_tries = 3;
        config.https_enabled = 1;
        config.ftps_passive_ports = (struct id_range){PORTS_FIRST, PORTS_LAST};
        model_prepare();
        log_open_hook(discard, LOG_LEVEL_DEBUG);
    }
    const int before = open_descriptors();
    begin(&config);
    for (int i = 0; i < STEPS_MAX && input.len > 0; i++) {
        const uint8_t what = take_u8(&input), how = take_u8(&input);
        const int connection = step(what, how, take(&input, take_u16(&input)));
        round_done(what / STEP_KINDS);
        if (connection >= 0)
            close(connection);
    }
    finish();
    must(open_descriptors() == before);
    return 0;
}
