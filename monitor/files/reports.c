/* The queue of reports and its link to the store. Called by the dispatch for each operation that is
 * told and by the loop. Must never delay an answer to the worker: it sends without waiting, and a
 * store that does not listen costs records at worst, counted, never time. */
#include "monitor/files/reports.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "common/log.h"

#define RECORD_MOST 9216 /* bytes: a report of the longest paths */

static uint64_t now_ms(clockid_t clock)
{
    struct timespec t = {0};

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t clock_ms(void)
{
    return now_ms(CLOCK_MONOTONIC);
}

uint64_t wall_ms(void)
{
    return now_ms(CLOCK_REALTIME);
}

int reports_open(struct reports *q, int link)
{
    q->link = link;
    q->reserve = malloc(sizeof(*q->reserve) + RECORD_MOST);
    if (q->reserve == NULL)
        return -1;
    q->reserve->reserve = true;
    return 0;
}

/* Room for a record. What was done is done: where there is no memory to tell it, the place that was
 * kept for that is taken. */
static struct record *record_new(struct reports *q, size_t len)
{
    struct record *r = malloc(sizeof(*r) + len);

    if (r != NULL) {
        r->reserve = false;
    } else if (len <= RECORD_MOST) {
        r = q->reserve;
        q->reserve = NULL;
    }
    return r;
}

static void drop_first(struct reports *q)
{
    struct record *r = q->first;

    if (q->unsent == r) {
        q->unsent = r->next;
        q->unsent_bytes -= r->len;
    }
    q->first = r->next;
    if (q->first == NULL)
        q->last = NULL;
    q->count--;
    q->bytes -= r->len;
    if (r->reserve)
        q->reserve = r;
    else
        free(r);
}

static void lost(struct reports *q)
{
    if (q->dropped++ == 0)
        log_warning("the store takes no reports: the oldest are dropped");
}

void reports_add(struct reports *q, const struct report *report)
{
    uint8_t *bytes = q->batch; /* free between two sends */
    struct report stamped = *report;

    stamped.time_ms = wall_ms();
    q->number++;
    const ssize_t len = nest_report(&stamped, bytes, 0, sizeof(q->batch));
    struct record *r = len > 0 ? record_new(q, (size_t)len) : NULL;
    if (r == NULL) {
        lost(q);
        return;
    }
    r->next = NULL;
    r->number = q->number;
    r->len = (size_t)len;
    memcpy(r->bytes, bytes, r->len);
    while (q->first != NULL && (q->count >= REPORTS_MAX || q->bytes + r->len > REPORTS_BYTES_MAX)) {
        drop_first(q);
        lost(q);
    }
    if (q->last != NULL)
        q->last->next = r;
    else
        q->first = r;
    q->last = r;
    if (q->unsent == NULL) {
        q->unsent = r;
        q->due_ms = clock_ms() + REPORTS_DELAY_MS;
    }
    q->count++;
    q->bytes += r->len;
    q->unsent_bytes += r->len;
}

/* One batch: records that follow each other without a gap. False: the link takes no more. */
static bool send_batch(struct reports *q)
{
    struct record *r = q->unsent;
    struct report_batch batch = {.first = r->number};
    size_t len = 0;

    while (r != NULL && len + r->len <= sizeof(q->batch) &&
           r->number == batch.first + batch.count) {
        memcpy(q->batch + len, r->bytes, r->len);
        len += r->len;
        batch.count++;
        r = r->next;
    }
    batch.records = slice_of(q->batch, len);
    if (send_report_batch(q->link, 0, &batch) < 0) {
        q->full = errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM;
        q->dead = !q->full;
        return false;
    }
    q->unsent = r;
    q->unsent_bytes -= len;
    return true;
}

void reports_send(struct reports *q, bool all)
{
    if (q->unsent == NULL || q->dead || q->full)
        return;
    if (!all && q->unsent_bytes < REPORTS_BATCH && clock_ms() < q->due_ms)
        return;
    while (q->unsent != NULL && send_batch(q))
        ;
}

int reports_wait_ms(const struct reports *q)
{
    if (q->unsent == NULL || q->dead || q->full)
        return -1;
    const uint64_t now = clock_ms();
    return now >= q->due_ms ? 0 : (int)(q->due_ms - now);
}

void reports_read(struct reports *q, struct envelope *envelope)
{
    struct report_taken taken;
    int r;

    while ((r = message_receive_bare(q->link, envelope, MSG_DONTWAIT)) == 1) {
        const bool good = decode_report_taken(envelope, &taken) == 0 && taken.number <= q->number;
        envelope_clear(envelope);
        if (!good) {
            q->dead = true;
            return;
        }
        if (taken.number > q->taken)
            q->taken = taken.number;
        while (q->first != NULL && q->first->number <= taken.number)
            drop_first(q);
    }
    if (r == 0 || errno == EPROTO) /* else nothing is there, or no memory to take it */
        q->dead = true;
}

void reports_renew(struct reports *q)
{
    q->dead = q->full = false;
    q->unsent = q->first;
    q->unsent_bytes = q->bytes;
    q->due_ms = clock_ms();
}

bool reports_settled(const struct reports *q)
{
    return q->first == NULL;
}
