/* The monitor's side of sallyport-notify: one process, while mail is enabled, with a link of its
 * own to the store. Nothing here is reached from a worker's message: notices are the store's, and
 * what this child may say is that it is ready, and lines for the log. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/spawn.h"
#include "monitor/monitor.h"

#define RESTART_MS      100
#define RESTART_MOST_MS 60000
#define LIVED_MS        60000 /* so long, and its end is no sign of trouble at its start */
#define LINES_MOST      60    /* for the log in LINES_MS */
#define LINES_MS        60000
#define LAST_MS         2000 /* at the end, for the command that runs */

/* A line of its own, marked as such. */
static void tell_line(struct notify_child *n, const struct notify_log *line)
{
    char text[513];

    if (++n->lines > LINES_MOST || slice_copy(line->text, text, sizeof(text)) < 0)
        return;
    log_line(line->level <= LOG_LEVEL_DEBUG ? line->level : LOG_LEVEL_DEBUG, "notify: %s%s", text,
             n->lines == LINES_MOST ? " (and no more of its lines for a minute)" : "");
}

/* One message: it is ready, once, and lines. NULL, or what is wrong. */
static const char *hear_notify(struct monitor *m, void *owner, struct envelope *e)
{
    struct notify_child *n = owner;
    struct notify_ready ready;
    struct notify_log line;

    (void)m;
    if (e->type == MSG_notify_log && decode_notify_log(e, &line) == 0) {
        tell_line(n, &line);
        return NULL;
    }
    if (n->ready || decode_notify_ready(e, &ready) < 0)
        return "sent what it may not";
    n->ready = true;
    n->ready_ms = now_ms();
    n->layers = ready.layers;
    log_info("sallyport-notify is ready");
    return NULL;
}

static void notify_heard(struct monitor *m, struct source *source, uint32_t events)
{
    struct notify_child *n = source->owner;

    (void)events;
    if (!child_heard(m, source, n->pid, "notify", hear_notify))
        n->ready = false;
}

/* A new link to the store's queue: returns the end for sallyport-notify (the store's is on its
 * way), or -1. The store's answer to it is nobody's: a link that it does not take is closed, and
 * that is heard at the other end. */
static int make_link(struct monitor *m)
{
    const struct outbox_link link = {0};
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -1;
    message_refuse_descriptors(pair[0]);
    message_refuse_descriptors(pair[1]);
    if (send_outbox_link_fds(m->store.source.fd, 0, &link, &pair[1], 1) < 0) {
        close(pair[0]);
        pair[0] = -1;
    }
    close(pair[1]);
    return pair[0];
}

/* Another start, ever later from one to the next. */
static void put_off(struct notify_child *n)
{
    int64_t wait = RESTART_MS;

    for (unsigned i = 0; i < n->restarts && wait < RESTART_MOST_MS; i++)
        wait *= 2;
    n->restarts++;
    n->restart_ms = now_ms() + (wait < RESTART_MOST_MS ? wait : RESTART_MOST_MS);
}

static void start(struct monitor *m, int link)
{
    const struct config *c = &m->config;
    struct notify_child *n = &m->notify;
    char from[CONFIG_MAIL_FROM], base[CONFIG_MAIL_BASE];

    config_mail_from(c, from);
    config_mail_base(c, base);
    const struct notify_setup setup = {
        .uid = m->root ? c->server_notify_id : 0,
        .gid = m->root ? c->server_notify_id : 0,
        .log_level = (uint8_t)c->server_log_level,
        .sendmail = slice_text(c->mail_sendmail),
        .from = slice_text(from),
        .templates = slice_text(c->mail_templates),
        .organisation = slice_text(c->https_organisation),
        .base = slice_text(base),
        .seconds = c->mail_seconds,
    };
    n->ready = false;
    n->store_start = m->store.starts;
    n->source = (struct source){.fd = -1, .ready = notify_heard, .owner = n};
    n->pid = priv_spawn(c->server_programs, "sallyport-notify", &n->source.fd);
    if (n->pid < 0) {
        log_error("cannot start %s/sallyport-notify: %s", c->server_programs, strerror(errno));
        n->pid = 0;
        put_off(n);
        return;
    }
    /* One that is not set up would wait for ever. Its end is heard as any other's. */
    if (source_watch(m, &n->source, EPOLLIN) < 0 ||
        send_notify_setup_fds(n->source.fd, 0, &setup, &link, 1) < 0) {
        log_error("sallyport-notify cannot be set up: %s", strerror(errno));
        kill(n->pid, SIGKILL);
    }
}

/* The store that it asked has ended, and there is another. */
static void renew_link(struct monitor *m, int link)
{
    const struct notify_outbox message = {0};
    struct notify_child *n = &m->notify;

    n->store_start = m->store.starts;
    if (send_notify_outbox_fds(n->source.fd, 0, &message, &link, 1) < 0)
        log_warning("sallyport-notify takes no new link: %s", strerror(errno));
}

void notify_tick(struct monitor *m, int64_t now)
{
    struct notify_child *n = &m->notify;

    if (now >= n->lines_ms) {
        n->lines = 0;
        n->lines_ms = now + LINES_MS;
    }
    const bool wanted =
        n->pid == 0 ? now >= n->restart_ms : n->ready && n->store_start != m->store.starts;
    if (!m->config.mail_enabled || m->stop || !m->store.ready || !wanted)
        return;
    const int link = make_link(m);
    if (link < 0)
        return; /* the store takes no more now */
    if (n->pid == 0)
        start(m, link);
    else
        renew_link(m, link);
    close(link);
}

bool notify_gone(struct monitor *m, pid_t pid, int status)
{
    struct notify_child *n = &m->notify;

    if (pid != n->pid)
        return false;
    notify_heard(m, &n->source, EPOLLIN); /* its last words */
    source_close(m, &n->source);
    n->pid = 0;
    if (n->ready && now_ms() - n->ready_ms > LIVED_MS)
        n->restarts = 0;
    n->ready = false;
    put_off(n);
    if (!m->stop && !n->replaced)
        log_error("sallyport-notify ended (%s %d); no mail until it is back",
                  WIFSIGNALED(status) ? "signal" : "status",
                  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    if (n->replaced)
        n->restart_ms = n->restarts = 0;
    n->replaced = false;
    return true;
}

void notify_replace(struct monitor *m)
{
    m->notify.replaced = m->notify.pid > 0;
    source_close(m, &m->notify.source); /* it finishes what it has in hand, and ends */
}

void notify_stop(struct monitor *m)
{
    const struct timespec nap = {.tv_nsec = 10 * 1000 * 1000};
    const int64_t until = now_ms() + LAST_MS;
    struct notify_child *n = &m->notify;

    source_close(m, &n->source);
    while (n->pid > 0 && waitpid(n->pid, NULL, WNOHANG) == 0 && now_ms() < until)
        nanosleep(&nap, NULL);
    n->pid = 0;
}
