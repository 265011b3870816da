/* sallyport-files: the file agent. Started by the monitor for one logged-in session; serves one
 * worker on FD_WORKER, tells the store on FD_REPORTS, and ends when the worker's link or the
 * monitor's does. Nothing that the worker sends ends it but what is no request at all.
 * Exit status: 0 the session is over, 1 it could not start, 2 the worker misused its link. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "monitor/files/start.h"

#define LAST_MS 60000 /* the longest wait at the end, for a store that is being restarted */

enum end { END_SESSION = 0, END_NOT_STARTED = 1 }; /* and AGENT_MISUSED */

/* The monitor gives a new report link, says that the session is over, or is gone. */
static void read_monitor(struct agent *a)
{
    struct agent_report_link link;
    struct agent_finish finish;

    /* A new link ends the old one: what the old store said last is heard first. */
    if (!a->reports.dead)
        reports_read(&a->reports, &a->other);
    a->monitor_gone = true;
    if (message_receive(FD_MONITOR, &a->other, MSG_DONTWAIT) != 1)
        return;
    if (decode_agent_report_link(&a->other, &link) == 0) {
        const int fd = envelope_take_fd(&a->other, 0);
        if (dup3(fd, FD_REPORTS, O_CLOEXEC) == FD_REPORTS &&
            fcntl(FD_REPORTS, F_SETFL, O_RDWR | O_NONBLOCK) == 0) {
            reports_renew(&a->reports);
            a->monitor_gone = false;
        }
        close(fd);
    } else if (decode_agent_finish(&a->other, &finish) == 0) {
        a->worker_gone = true;
        a->monitor_gone = false;
    }
    envelope_clear(&a->other);
}

int links_wait(struct agent *a, short events, int most_ms)
{
    struct reports *q = &a->reports;
    const int due_ms = reports_wait_ms(q);
    struct pollfd links[] = {
        {.fd = a->worker_gone ? -1 : FD_WORKER, .events = events},
        {.fd = FD_MONITOR, .events = POLLIN},
        {.fd = q->dead ? -1 : FD_REPORTS, .events = (short)(q->full ? POLLIN | POLLOUT : POLLIN)},
    };
    const int wait_ms = due_ms >= 0 && (most_ms < 0 || due_ms < most_ms) ? due_ms : most_ms;

    if (poll(links, 3, wait_ms) < 0)
        return errno == EINTR ? 0 : -1;
    if (links[1].revents != 0)
        read_monitor(a);
    if (a->monitor_gone)
        return -1;
    if ((links[2].revents & POLLOUT) != 0)
        q->full = false;
    if ((links[2].revents & ~POLLOUT) != 0)
        reports_read(q, &a->other);
    reports_send(q, false);
    return links[0].revents;
}

/* A request, if there is one: workers wait for the answer to each, most of them. */
static void serve(struct agent *a)
{
    const int r = message_receive_bare(FD_WORKER, &a->request, MSG_DONTWAIT);

    if (r < 0 && errno == EAGAIN)
        return;
    if (r == 1) {
        request_serve(a);
        envelope_clear(&a->request);
        return;
    }
    a->misused = r < 0 && errno == EPROTO;
    a->worker_gone = true;
    if (a->misused)
        log_error("the worker sent what is no request: the session ends");
}

/* Tell the store the rest, and give it a moment to say that it has it. */
static void finish_reports(struct agent *a)
{
    const uint64_t deadline = clock_ms() + LAST_MS;

    reports_send(&a->reports, true);
    while (!reports_settled(&a->reports) && !a->monitor_gone) {
        const uint64_t now = clock_ms();
        if (now >= deadline || links_wait(a, 0, (int)(deadline - now)) < 0)
            break;
        reports_send(&a->reports, true);
    }
    if (!reports_settled(&a->reports))
        log_warning("the store did not take the last reports");
}

int main(void)
{
    struct agent *a = calloc(1, sizeof(*a));

    if (a == NULL || agent_start(a) < 0)
        _exit(END_NOT_STARTED);
    for (int events; !a->worker_gone && (events = links_wait(a, POLLIN, -1)) >= 0;) {
        if (events != 0 && !a->worker_gone) /* the monitor may have said so just now */
            serve(a);
    }
    a->worker_gone = true;
    close(FD_WORKER); /* who else may hold the other end sees that it is over */
    handles_break_off(a);
    finish_reports(a);
    /* Not exit(): nothing is buffered, and the filter has no calls for what others hang on it. */
    _exit(a->misused ? AGENT_MISUSED : END_SESSION);
}
