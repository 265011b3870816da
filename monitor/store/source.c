/* The agents' report links: batches in, "taken" out. Called by serve.c. An agent runs as an account
 * and may have been broken into: whatever it sends, its own link is the most that it can lose. */
#include "monitor/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/operations.h"

#define TIME_MS_MOST UINT64_C(253402300799999) /* the end of the year 9999 */

static void copy_text(struct slice from, char *to, size_t size)
{
    if (slice_copy(from, to, size) < 0)
        snprintf(to, size, "?"); /* cannot be: the schema's bounds are those of the fields */
}

static int grow(struct store *s)
{
    const size_t size = s->source_size == 0 ? 64 : s->source_size * 2;
    struct source *sources = reallocarray(s->sources, size, sizeof(*sources));

    if (sources == NULL)
        return -1;
    s->sources = sources;
    struct pollfd *polls = reallocarray(s->polls, size + POLLS_FIXED, sizeof(*polls));
    if (polls == NULL)
        return -1;
    memset(polls + POLLS_FIXED + s->source_count, 0, (size - s->source_count) * sizeof(*polls));
    s->polls = polls;
    s->source_size = size;
    return 0;
}

int source_add(struct store *s, int fd, const struct store_audit_source *whose)
{
    struct source source = {.fd = fd, .subject = {.session = whose->session}};

    if (s->source_count >= s->source_most) {
        errno = EMFILE;
        goto failed;
    }
    /* Telling an agent must never wait for it. */
    if (fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
        goto failed;
    if (s->source_count == s->source_size && grow(s) < 0)
        goto failed;
    copy_text(whose->account, source.subject.account, sizeof(source.subject.account));
    copy_text(whose->protocol, source.subject.protocol, sizeof(source.subject.protocol));
    copy_text(whose->address, source.subject.address, sizeof(source.subject.address));
    s->polls[POLLS_FIXED + s->source_count].revents = 0; /* not polled yet */
    s->sources[s->source_count++] = source;
    return 0;
failed:;
    const int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* The place in the table stays until source_sweep, so that polls and sources stay side by side. */
static void source_close(struct source *source)
{
    close(source->fd);
    source->fd = -1;
}

static void source_sweep(struct store *s)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->source_count; i++) {
        if (s->sources[i].fd >= 0)
            s->sources[kept++] = s->sources[i];
    }
    s->source_count = kept;
}

void source_close_all(struct store *s)
{
    for (size_t i = 0; i < s->source_count; i++)
        source_close(&s->sources[i]);
    free(s->sources);
    free(s->polls);
    s->sources = NULL;
    s->polls = NULL;
    s->source_count = s->source_size = 0;
}

/* A broken rule: the link ends, and the log says so. */
static void source_offends(struct store *s, struct source *source, const char *what)
{
    audit_note(&s->audit, "security", &source->subject,
               "the file agent's report link was closed: %s", what);
    source_close(source);
}

/* Look at every record before the first is written: NULL, or what is wrong. */
static const char *check_batch(const struct report_batch *batch)
{
    struct slice rest = batch->records;
    struct report report;
    uint32_t count = 0;
    int r;

    if (batch->count == 0 || batch->first == 0 || batch->first > UINT64_MAX - batch->count)
        return "a batch with impossible numbers";
    while ((r = unnest_report(&rest, &report)) > 0) {
        count++;
        if (operation_info(report.operation) == NULL)
            return "a report of an unknown operation";
        if (report.time_ms > TIME_MS_MOST)
            return "a report of an impossible time";
    }
    if (r < 0)
        return "a batch that cannot be decoded";
    return count == batch->count ? NULL : "a batch with another number of reports than it says";
}

/* Gather a batch. What came before over this link (the agent sends again what it was not told) is
 * left out; numbers that are missing are said. */
static void gather(struct store *s, struct source *source, const struct report_batch *batch)
{
    struct slice rest = batch->records;
    struct report report;
    uint64_t number = batch->first;

    if (source->read > 0 && batch->first > source->read + 1)
        audit_note(&s->audit, "reports-missing", &source->subject,
                   "reports %" PRIu64 " to %" PRIu64 " of this session never came",
                   source->read + 1, batch->first - 1);
    for (; unnest_report(&rest, &report) > 0; number++) {
        if (number > source->read)
            (void)audit_report(&s->audit, &source->subject, number, &report);
    }
    if (number - 1 > source->read)
        source->read = number - 1;
    else
        source->told = 0; /* all of it was known: say so again */
}

/* One batch. Returns whether there was one. */
static bool receive(struct store *s, struct source *source)
{
    struct envelope *e = &s->envelope;
    struct report_batch batch;
    const char *trouble;
    const int r = message_receive_bare(source->fd, e, MSG_DONTWAIT);

    if (r < 0 && errno == EPROTO) {
        source_offends(s, source, "it sent what is no message");
        return false;
    }
    if (r < 0)
        return false; /* nothing there, or no memory to take it: poll says it again */
    if (r == 0) {
        source_close(source);
        return false;
    }
    if (e->type != MSG_report_batch)
        trouble = "it sent another message than a batch";
    else if (decode_report_batch(e, &batch) < 0)
        trouble = "a batch that cannot be decoded";
    else
        trouble = check_batch(&batch);
    if (trouble != NULL)
        source_offends(s, source, trouble);
    else
        gather(s, source, &batch);
    envelope_clear(e);
    return trouble == NULL;
}

size_t source_receive(struct store *s, bool all)
{
    size_t batches = 0;

    for (size_t i = 0; i < s->source_count; i++) {
        if (s->audit.pending_len >= AUDIT_PENDING_HIGH)
            break; /* the rest waits in its sockets */
        const short revents = all ? POLLIN : s->polls[POLLS_FIXED + i].revents;
        if (s->sources[i].fd >= 0 && (revents & (POLLIN | POLLHUP | POLLERR)) != 0)
            batches += receive(s, &s->sources[i]);
    }
    return batches;
}

void source_tell(struct store *s)
{
    for (size_t i = 0; i < s->source_count; i++) {
        struct source *source = &s->sources[i];
        if (source->fd < 0)
            continue;
        source->taken = source->read;
        if (source->told == source->taken)
            continue;
        const struct report_taken taken = {.number = source->taken};
        if (send_report_taken(source->fd, 0, &taken) == 0)
            source->told = source->taken;
        /* Else owed: poll says when. Gone: its end is read after what it sent before. */
    }
    source_sweep(s);
}

void source_poll(const struct store *s, size_t index, bool paused, struct pollfd *poll)
{
    const struct source *source = &s->sources[index];
    const bool owed = source->told != source->taken;

    *poll = (struct pollfd){.fd = paused ? -1 : source->fd,
                            .events = (short)(POLLIN | (owed ? POLLOUT : 0))};
}
