/* sallyport-notify runs other people's programs and may have been broken into: it has one question
 * at a time, about notices it was given, and whatever else it sends ends its link. A notice that it
 * had in hand is due as before then. Must never lose what it said of a notice that was delivered:
 * the next one is not given before that is in the database. */
#include "monitor/store/notify_link.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/facts.h"
#include "common/log.h"
#include "monitor/store/outbox.h"
#include "monitor/store/store.h"

#define WAIT_MOST_MS 60000 /* the clock may have been set meanwhile */

int notify_link_add(struct store *s, int fd)
{
    /* Giving it a notice must never wait for it. */
    if (fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0) {
        const int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    notify_link_close(s);
    s->notify.fd = fd;
    return 0;
}

void notify_link_close(struct store *s)
{
    if (s->notify.fd >= 0)
        close(s->notify.fd);
    /* What it said of the notice before is still recorded. */
    s->notify.fd = -1;
    s->notify.asked = false;
    s->notify.given = 0;
    if (!s->notify.heard)
        s->accounts.own.given = 0;
}

/* NULL, or what is wrong with a question. */
static const char *check(const struct store *s, const struct notice_wanted *wanted)
{
    if (s->notify.asked)
        return "it asked for a notice while it waited for one";
    if (wanted->outcome > NOTICE_REFUSED)
        return "it told an outcome that is none";
    if ((wanted->number == 0) != (wanted->outcome == NOTICE_NONE) ||
        wanted->number != s->notify.given)
        return "it told of another notice than the one that it was given";
    return NULL;
}

static const char *hear(struct store *s, const struct envelope *e)
{
    struct notify_link *link = &s->notify;
    struct notice_wanted wanted;
    const char *trouble;

    if (e->type != MSG_notice_wanted)
        return "it sent another message than notice_wanted";
    if (decode_notice_wanted(e, &wanted) < 0)
        return "it sent a notice_wanted that cannot be decoded";
    if ((trouble = check(s, &wanted)) != NULL)
        return trouble;
    link->asked = true;
    link->id = e->id;
    link->given = 0;
    if (wanted.number == 0)
        return NULL; /* what a link before it said may not be in the database yet */
    link->heard = true;
    link->number = wanted.number;
    link->outcome = wanted.outcome;
    (void)slice_copy(wanted.text, link->text, sizeof(link->text));
    return NULL;
}

void notify_link_receive(struct store *s, short events)
{
    struct envelope *e = &s->envelope;
    const char *trouble = NULL;

    if (s->notify.fd < 0 || (events & (POLLIN | POLLHUP | POLLERR)) == 0)
        return;
    const int r = message_receive_bare(s->notify.fd, e, MSG_DONTWAIT);
    if (r < 0 && errno == EPROTO)
        trouble = "it sent what is no message";
    else if (r < 0)
        return; /* nothing there, or no memory to take it: poll says it again */
    else if (r == 0)
        notify_link_close(s);
    else
        trouble = hear(s, e);
    if (r > 0)
        envelope_clear(e);
    if (trouble != NULL) {
        audit_note(&s->audit, "security", NULL, "the link of sallyport-notify was closed: %s",
                   trouble);
        notify_link_close(s);
    }
}

/* What came of the notice before goes into the database. Returns whether it is there. */
static bool record(struct store *s)
{
    struct notify_link *link = &s->notify;
    const struct notice_wanted wanted = {
        .number = link->number, .outcome = link->outcome, .text = slice_text(link->text)};
    struct refusal why;
    struct outcome done;

    if (!link->heard)
        return true;
    if (store_change(s, outbox_heard, &wanted, &done, &why) < 0) {
        log_warning("what came of a notice cannot be kept, the next one waits: %s", why.text);
        return false;
    }
    if (done.event != NULL)
        log_warning("%s", done.line);
    link->heard = false;
    s->accounts.own.given = 0;
    return true;
}

/* Forget what has waited for too long: some of it, the rest in the next round. */
static bool forget(struct store *s)
{
    struct refusal why;
    struct outcome done;

    for (int i = 0; i < ROUND_MAX; i++) {
        if (store_do(s, outbox_forget, NULL, &done, &why) < 0) {
            log_warning("the outbox: %s", why.text);
            return false;
        }
        if (done.number == 0)
            break;
        log_warning("%s", done.line);
    }
    return true;
}

/* Give the next one, if one is due. Returns whether the outbox could be read. */
static bool give(struct store *s)
{
    struct notice notice;
    struct refusal why;
    const int found = outbox_next(&s->accounts, &notice, &why);

    if (found < 0)
        log_warning("the outbox: %s", why.text);
    if (found > 0 && send_notice(s->notify.fd, s->notify.id, &notice) < 0) {
        log_warning("sallyport-notify takes no notice: %s", strerror(errno));
        notify_link_close(s);
    } else if (found > 0) {
        s->notify.asked = false;
        s->notify.given = notice.number;
        s->accounts.own.given = (int64_t)notice.number;
    }
    accounts_done(&s->accounts);
    return found >= 0;
}

/* When the first notice is due, seconds since 1970; -1: it cannot be read. */
static int64_t first_due(struct store *s)
{
    struct own_state *own = &s->accounts.own;
    struct refusal why;

    if (own->due == 0)
        own->due = outbox_due(&s->accounts, &why);
    const int64_t due = own->due;
    if (due < 0)
        own->due = 0;
    return due;
}

void notify_link_serve(struct store *s)
{
    struct notify_link *link = &s->notify;

    link->failed = !record(s);
    if (link->failed || link->fd < 0 || !link->asked)
        return;
    const int64_t due = first_due(s);
    if (due > time(NULL))
        return;
    s->accounts.own.due = 0;
    link->failed = due < 0 || !forget(s) || !give(s);
}

int notify_link_wait(struct store *s)
{
    if (s->notify.failed)
        return RETRY_MS;
    if (s->notify.fd < 0 || !s->notify.asked)
        return -1;
    const int64_t due = first_due(s), now = time(NULL);
    if (due < 0)
        return RETRY_MS;
    if (due <= now)
        return 0;
    return due - now >= WAIT_MOST_MS / 1000 ? WAIT_MOST_MS : (int)(due - now) * 1000;
}
