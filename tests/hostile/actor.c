/* A compromised worker brought into a state of its session, and what the monitor makes of what it
 * sends. Called by the parts. The stand-ins that the monitor has started wait in a pool, all of
 * them not ready yet, so that the next client is always the next ready worker's. */
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "common/sshwire.h"
#include "tests/hostile/hostile.h"

#define SEND_FDS_MAX 253 /* SCM_MAX_FD: more the kernel does not take */
#define WAIT_MS      5000

const char *const stand_names[STAND_COUNT] = {
    [STAND_STARTING] = "starting", [STAND_SPARE] = "spare",       [STAND_GREETED] = "greeted",
    [STAND_KEYED] = "keyed",       [STAND_CHECKING] = "checking", [STAND_OPEN] = "open",
    [STAND_ENDING] = "ending",     [STAND_AGENT] = "agent",       [STAND_CODED] = "coded",
    [STAND_KNOWN] = "known",
};
const char *const seen_names[] = {
    [SEEN_QUIET] = "quiet",
    [SEEN_GOOD] = "answered",
    [SEEN_DENIED] = "denied",
    [SEEN_ENDED] = "ended as a security event",
    [SEEN_GONE] = "ended without a word",
    [SEEN_ODD] = "odd",
};

/* ------------------------------------------------------------------------- bytes */

int raw_send(int link, const void *bytes, size_t len, const int *fds, size_t fd_count, int flags)
{
    union {
        char space[CMSG_SPACE(sizeof(int) * SEND_FDS_MAX)];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = len};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    if (fd_count > 0 && fd_count <= SEND_FDS_MAX) {
        message.msg_control = control.space;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * fd_count);
    }
    return sendmsg(link, &message, MSG_NOSIGNAL | flags) < 0 ? -1 : 0;
}

void raw_wait(struct hostile *h, int link)
{
    const struct timespec nap = {.tv_nsec = 200 * 1000};
    const int64_t until = clock_now_ms() + WAIT_MS;
    struct pollfd end = {.fd = link};
    int unread = 0;

    (void)h;
    while (ioctl(link, SIOCOUTQ, &unread) == 0 && unread > 0 && clock_now_ms() < until) {
        if (poll(&end, 1, 0) == 1)
            return; /* POLLHUP: gone */
        nanosleep(&nap, NULL);
    }
}

int raw_receive(struct hostile *h, int link, int wait_ms)
{
    envelope_clear(&h->envelope);
    if (!children_wait(h, link, POLLIN, wait_ms))
        return -1;
    const int r = message_receive(link, &h->envelope, MSG_DONTWAIT);
    return r < 0 && errno == EPIPE ? 0 : r;
}

/* ------------------------------------------------------------------------- the pool */

/* A worker that was just started. */
static void pool_take(struct hostile *h, struct actor *a)
{
    const int64_t until = clock_now_ms() + PATIENCE_MS;
    struct child c;

    /* The monitor makes new spares at once after a reload, else within a second. */
    while (!child_next(h, h->kind, &c, 20)) {
        server_reload(h);
        if (clock_now_ms() > until)
            give_up("the monitor starts no workers: see %s/log", h->place);
    }
    *a = (struct actor){.kind = c.role,
                        .pid = c.pid,
                        .link = c.link,
                        .orders = c.orders,
                        .client = -1,
                        .given = -1,
                        .agent = -1};
}

void actor_drop(struct actor *a)
{
    int *const all[] = {&a->link, &a->agent, &a->given, &a->client, &a->orders};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (*all[i] >= 0)
            close(*all[i]);
        *all[i] = -1;
    }
}

/* ------------------------------------------------------------------------- clients */

struct in_addr address_next(struct hostile *h)
{
    h->next_address++;
    return (struct in_addr){.s_addr = htonl(UINT32_C(0x7f010000) + h->next_address)};
}

int client_connect(struct hostile *h, struct in_addr from)
{
    const struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr = from};
    const struct sockaddr_in there = {.sin_family = AF_INET,
                                      .sin_port = htons(h->ports[h->kind]),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (const struct sockaddr *)&here, sizeof(here)) < 0 ||
        connect(fd, (const struct sockaddr *)&there, sizeof(there)) < 0)
        give_up("cannot connect: %s", strerror(errno));
    return fd;
}

bool address_refused(struct hostile *h, struct in_addr from)
{
    const int fd = client_connect(h, from);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char byte;

    const bool refused = poll(&p, 1, WAIT_MS) == 1 && recv(fd, &byte, 1, 0) <= 0;
    close(fd);
    return refused;
}

/* ------------------------------------------------------------------------- into a state */

/* The first thing a worker hears. */
static void take_setup(struct hostile *h, struct actor *a)
{
    struct worker_setup setup;
    struct ftps_setup ftps;
    struct https_setup https;

    if (raw_receive(h, a->link, PATIENCE_MS) == 1 && a->kind == ROLE_FTPS &&
        decode_ftps_setup(&h->envelope, &ftps) == 0) {
        tls_take_certificate(h, ftps.certificates);
        return;
    }
    if (a->kind == ROLE_HTTPS && decode_https_setup(&h->envelope, &https) == 0) {
        tls_take_certificate(h, https.certificates);
        return;
    }
    if (a->kind != ROLE_SFTP || decode_worker_setup(&h->envelope, &setup) < 0)
        give_up("a worker was not set up");
    slice_copy(setup.nonce, a->nonce, sizeof(a->nonce));
    struct wire keys = wire_of(setup.host_keys);
    while (h->host_key_len == 0 && !wire_done(&keys) && !keys.bad) {
        const struct slice blob = wire_string(&keys);
        struct wire key = wire_of(blob);
        if (slice_is(wire_string(&key), "ssh-ed25519") && blob.len <= sizeof(h->host_key)) {
            memcpy(h->host_key, blob.data, blob.len);
            h->host_key_len = blob.len;
        }
    }
}

static void say_ready(struct hostile *h, struct actor *a)
{
    const struct worker_ready ready = {.layers = 0xff, .library = slice_text(OLD_LIBRARY)};

    if (send_worker_ready(a->link, 0, &ready) < 0)
        give_up("worker_ready: %s", strerror(errno));
    raw_wait(h, a->link);
    server_status(h); /* answered after that was handled */
}

static void take_client(struct hostile *h, struct actor *a)
{
    struct client client;

    say_ready(h, a);
    if (raw_receive(h, a->link, PATIENCE_MS) != 1 || decode_client(&h->envelope, &client) < 0)
        give_up("a worker got no client");
    a->given = envelope_take_fd(&h->envelope, 0);
}

void actor_take_waiting(struct hostile *h, struct actor *a)
{
    pool_take(h, a);
    take_setup(h, a);
    take_client(h, a);
}

void actor_greet(struct hostile *h, struct actor *a, uint32_t address)
{
    pool_take(h, a);
    take_setup(h, a);
    a->address.s_addr = address;
    a->client = client_connect(h, a->address);
    take_client(h, a);
}

enum verdict_outcome actor_verdict(struct hostile *h, struct actor *a)
{
    struct verdict verdict;

    if (raw_receive(h, a->link, answer_ms) != 1 || decode_verdict(&h->envelope, &verdict) < 0)
        give_up("a login got no verdict: see %s/log", h->place);
    if (verdict.outcome == VERDICT_OPEN)
        a->agent = envelope_take_fd(&h->envelope, 0);
    return (enum verdict_outcome)verdict.outcome;
}

static void ask_by_key(struct hostile *h, struct actor *a, const char *user,
                       const uint8_t *signature, size_t len)
{
    const struct auth_key claim = {.user = slice_text(user),
                                   .algorithm = slice_text("ssh-ed25519"),
                                   .key = slice_of(h->user_blob, h->user_blob_len),
                                   .signature = slice_of(signature, len)};

    if (send_auth_key(a->link, 1, &claim) < 0)
        give_up("auth_key: %s", strerror(errno));
}

enum verdict_outcome login_by_key(struct hostile *h, struct actor *a, const char *user,
                                  const uint8_t *signature, size_t len)
{
    ask_by_key(h, a, user, signature, len);
    return actor_verdict(h, a);
}

enum verdict_outcome login_by_password(struct hostile *h, struct actor *a, const char *user,
                                       const char *password)
{
    const struct auth_password claim = {.user = slice_text(user), .password = slice_text(password)};

    if (send_auth_password(a->link, 1, &claim) < 0)
        give_up("auth_password: %s", strerror(errno));
    return actor_verdict(h, a);
}

void login_begin(struct hostile *h, struct actor *a)
{
    uint8_t signature[128];
    const size_t len = login_sign(h, ACCOUNT, a->session_id, signature, sizeof(signature));

    ask_by_key(h, a, ACCOUNT, signature, len);
}

/* The first step of a login that needs a code. */
static void log_in_half(struct hostile *h, struct actor *a)
{
    uint8_t signature[128];
    const size_t len = login_sign(h, CODED, a->session_id, signature, sizeof(signature));

    if ((a->kind == ROLE_SFTP ? login_by_key(h, a, CODED, signature, len)
                              : login_by_password(h, a, CODED, PASSWORD)) != VERDICT_PARTIAL)
        give_up("no code is asked for: see %s/log", h->place);
    a->coded = true;
}

static void log_in(struct hostile *h, struct actor *a, enum stand stand)
{
    enum verdict_outcome outcome;

    if (a->kind == ROLE_SFTP) {
        login_begin(h, a);
        outcome = actor_verdict(h, a);
    } else {
        outcome = login_by_password(h, a, ACCOUNT, PASSWORD);
    }
    if (outcome == VERDICT_KNOWN && stand != STAND_KNOWN)
        outcome = web_want_agent(h, a);
    if (outcome != (stand == STAND_KNOWN ? VERDICT_KNOWN : VERDICT_OPEN))
        give_up("a good login was refused: see %s/log", h->place);
}

/* Told to end by the operator. */
void actor_let_end(struct hostile *h, struct actor *a)
{
    const struct session_kill end = {.number = server_session(h, a->pid, NULL)};

    if (server_ask(h, MSG_session_kill, &end) != MSG_control_done ||
        raw_receive(h, a->link, PATIENCE_MS) != 1 || h->envelope.type != MSG_worker_stop)
        give_up("a worker was not told to end");
}

/* An answer is awaited: the store is stopped and cannot give it. */
static void ask_in_vain(struct hostile *h, struct actor *a)
{
    const struct auth_password claim = {.user = slice_text(ACCOUNT),
                                        .password = slice_text("wrong")};

    if (!h->stopped || send_auth_password(a->link, 1, &claim) < 0)
        give_up("cannot get into the state checking");
    raw_wait(h, a->link);
    server_status(h);
}

void actor_make(struct hostile *h, enum stand stand, struct actor *a)
{
    if (stand == STAND_STARTING || stand == STAND_SPARE) {
        pool_take(h, a);
        take_setup(h, a);
        if (stand == STAND_SPARE)
            say_ready(h, a);
        return;
    }
    actor_greet(h, a, address_next(h).s_addr);
    if (stand != STAND_GREETED &&
        stand != STAND_ENDING) { /* or a login would be refused for that */
        if (a->kind == ROLE_SFTP)
            exchange_do(h, a);
        else
            tls_do(h, a);
    }
    if (stand == STAND_OPEN || stand == STAND_AGENT || stand == STAND_KNOWN)
        log_in(h, a, stand);
    if (stand == STAND_CODED)
        log_in_half(h, a);
    if (stand == STAND_CHECKING)
        ask_in_vain(h, a);
    if (stand == STAND_ENDING)
        actor_let_end(h, a);
}

/* ------------------------------------------------------------------------- what came of it */

/* One message that came: an answer to id? */
static enum seen judge(struct hostile *h, uint32_t id, enum seen so_far)
{
    const struct envelope *e = &h->envelope;
    struct verdict verdict;
    struct file_status status;
    struct data_port port;
    struct tls_found found;
    struct control_done done;

    if (e->type == MSG_worker_stop || e->type == MSG_client)
        return so_far;
    if (so_far != SEEN_QUIET || e->id != id)
        return SEEN_ODD;
    if (e->type == MSG_verdict) {
        if (decode_verdict(e, &verdict) < 0)
            return SEEN_ODD;
        return verdict.outcome == VERDICT_DENIED || verdict.outcome == VERDICT_ENOUGH ? SEEN_DENIED
                                                                                      : SEEN_GOOD;
    }
    if (e->type == MSG_file_status) {
        if (decode_file_status(e, &status) < 0)
            return SEEN_ODD;
        return status.error == 0 ? SEEN_GOOD : SEEN_DENIED;
    }
    if (e->type == MSG_data_port)
        return decode_data_port(e, &port) == 0 && port.port != 0 ? SEEN_GOOD : SEEN_DENIED;
    if (e->type == MSG_tls_found)
        return decode_tls_found(e, &found) == 0 && found.session.len > 0 ? SEEN_GOOD : SEEN_DENIED;
    if (e->type == MSG_control_done)
        return decode_control_done(e, &done) == 0 && done.count > 0 ? SEEN_GOOD : SEEN_DENIED;
    if (e->type == MSG_store_refused)
        return SEEN_DENIED;
    if (e->type == MSG_data_connection)
        return e->fd_count == 1 ? SEEN_GOOD : SEEN_DENIED;
    return SEEN_GOOD;
}

enum seen actor_watch(struct hostile *h, struct actor *a, uint64_t security_before, int wait_ms,
                      uint32_t id)
{
    enum seen seen = SEEN_QUIET;
    int r;

    raw_wait(h, a->link);
    if (wait_ms > 0)
        children_wait(h, a->link, POLLIN, wait_ms);
    /* Answered by the monitor after it has handled what it took from the link. */
    const uint64_t events = server_status(h).security_events - security_before;
    while ((r = raw_receive(h, a->link, 0)) == 1) {
        seen = judge(h, id, seen);
        if (h->envelope.type == MSG_verdict && h->envelope.fd_count == 1 && a->agent < 0)
            a->agent = envelope_take_fd(&h->envelope, 0); /* closed, it would end the session */
    }
    h->security += events;
    if (r == 0)
        return events == 1 ? SEEN_ENDED : events == 0 ? SEEN_GONE : SEEN_ODD;
    return events == 0 ? seen : SEEN_ODD;
}

enum seen actor_watch_agent(struct hostile *h, struct actor *a, uint64_t security_before,
                            uint32_t id)
{
    const int64_t until = clock_now_ms() + WAIT_MS;
    const struct timespec nap = {.tv_nsec = 1000 * 1000};
    uint64_t events = 0;
    int r = raw_receive(h, a->agent, WAIT_MS);

    if (r == 1)
        return server_status(h).security_events == security_before ? judge(h, id, SEEN_QUIET)
                                                                   : SEEN_ODD;
    if (r < 0)
        return SEEN_QUIET;
    /* The agent has closed the link: its exit status reaches the monitor next. */
    while (events == 0 && clock_now_ms() < until) {
        events = server_status(h).security_events - security_before;
        if (events == 0)
            nanosleep(&nap, NULL);
    }
    h->security += events;
    return events == 1 ? SEEN_ENDED : events == 0 ? SEEN_GONE : SEEN_ODD;
}

const char *actor_ended(struct hostile *h, struct actor *a, off_t log_from)
{
    char line[64];

    if (!children_wait(h, a->orders, POLLIN, WAIT_MS))
        return "the worker was not killed";
    snprintf(line, sizeof(line), ": security: the worker (pid %d) ", (int)a->pid);
    if (!log_has(h, log_from, line))
        return "no security event in the log";
    if (a->client >= 0 && !address_refused(h, a->address))
        return "its address has no penalty";
    return NULL;
}
