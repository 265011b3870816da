/* The event loop: epoll over every link and listener, signals as events, a tick once a second.
 * Nothing in it blocks. A source may be closed by any handler: what epoll still reports of it in
 * the same round is recognised by its descriptor being -1. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "monitor/monitor.h"

#define ROUND_MAX 64
#define TICK_MS   1000

int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int source_watch(struct monitor *m, struct source *source, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    const int op = source->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

    /* Our end alone: the other end of a socket pair is another open file description. */
    if (op == EPOLL_CTL_ADD && fcntl(source->fd, F_SETFL, O_NONBLOCK) < 0)
        return -1;
    if (epoll_ctl(m->epoll, op, source->fd, &event) < 0)
        return -1;
    source->events = events;
    return 0;
}

void source_close(struct monitor *m, struct source *source)
{
    if (source->fd < 0)
        return;
    if (source->events != 0)
        epoll_ctl(m->epoll, EPOLL_CTL_DEL, source->fd, NULL);
    close(source->fd);
    source->fd = -1;
    source->events = 0;
}

static void on_signal(struct monitor *m, struct source *source, uint32_t events)
{
    struct signalfd_siginfo info;

    (void)events;
    while (read(source->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        switch (info.ssi_signo) {
        case SIGHUP:
            m->reload = true;
            break;
        case SIGCHLD:
            m->child_ended = true;
            break;
        default:
            if (m->stop_ms == 0)
                m->stop_ms = now_ms();
            m->stop = true;
        }
    }
}

int signals_watch(struct monitor *m)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -1;
    m->signals = (struct source){.ready = on_signal};
    m->signals.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return m->signals.fd < 0 ? -1 : source_watch(m, &m->signals, EPOLLIN);
}

static void reap(struct monitor *m)
{
    int status;
    pid_t pid;

    m->child_ended = false;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == m->store.pid)
            store_gone(m, status);
        else if (!hashers_gone(m, pid) && !notify_gone(m, pid, status))
            sessions_child_ended(m, pid, status);
    }
}

int loop_run(struct monitor *m)
{
    struct epoll_event round[ROUND_MAX];
    int64_t tick = now_ms() + TICK_MS;

    for (;;) {
        const int64_t due = m->spares_ms != 0 && m->spares_ms < tick ? m->spares_ms : tick;
        const int64_t left = due - now_ms();
        const int n = epoll_wait(m->epoll, round, ROUND_MAX, left > 0 ? (int)left : 0);
        if (n < 0 && errno != EINTR) {
            log_error("epoll_wait: %s", strerror(errno));
            return -1;
        }
        for (int i = 0; i < n; i++) {
            struct source *source = round[i].data.ptr;
            if (source->fd >= 0)
                source->ready(m, source, round[i].events);
        }
        if (m->child_ended)
            reap(m);
        if (m->own_due)
            own_changed(m);
        sessions_bury(m);
        data_bury(m);
        control_bury(m);
        if (m->agents_due)
            sessions_agents(m);
        if (m->data_due)
            data_ports_open(m);
        if (m->links_due)
            store_renew_links(m);
        if (m->assign_due)
            sessions_assign(m);
        if (m->spares_ms != 0 && (m->waiting_count > 0 || now_ms() >= m->spares_ms))
            sessions_spares(m);
        if (now_ms() >= tick || m->reload || m->stop) {
            tick = now_ms() + (m->stop ? 50 : TICK_MS);
            monitor_tick(m, now_ms());
            if (m->stop && m->stopping && m->sessions == NULL)
                return 0;
        }
    }
}
