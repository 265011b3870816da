/* Replies into the control connection's buffer. Called by every command; the dispatch runs none
 * before there is REPLY_ROOM. Whatever texts go in (names of files, the agent's sentences): no byte
 * of them may end a line or begin another. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ftps-worker/worker.h"

size_t reply_room(const struct worker *w)
{
    return sizeof(w->control.out) - w->control.out_len + w->control.out_at;
}

/* Room for a line at the end of the buffer. */
static char *make_room(struct worker *w, size_t *room)
{
    struct control *c = &w->control;

    if (c->out_at > 0 && sizeof(c->out) - c->out_len < REPLY_ROOM) {
        memmove(c->out, c->out + c->out_at, c->out_len - c->out_at);
        c->out_len -= c->out_at;
        c->out_at = 0;
    }
    *room = sizeof(c->out) - c->out_len;
    return c->out + c->out_len;
}

/* A line: its beginning ("250 "), its text, its end. What does not fit is cut. */
static void put_line(struct worker *w, const char *begin, const char *format, va_list list)
    __attribute__((format(printf, 3, 0)));
static void put_line(struct worker *w, const char *begin, const char *format, va_list list)
{
    size_t room;
    char *line = make_room(w, &room);
    const size_t before = strlen(begin);

    if (room < before + 3) { /* cannot be: the dispatch saw to it */
        stop_because(&w->stop, "replies were not read");
        return;
    }
    memcpy(line, begin, before);
    const int n = vsnprintf(line + before, room - before - 2, format, list);
    const size_t most = room - before - 3;
    const size_t len = n < 0 ? 0 : (size_t)n < most ? (size_t)n : most;
    path_show(slice_of(line + before, len), false, line + before, len);
    memcpy(line + before + len, "\r\n", 2);
    w->control.out_len += before + len + 2;
}

void reply(struct worker *w, unsigned code, const char *format, ...)
{
    char begin[8];
    va_list list;

    snprintf(begin, sizeof(begin), "%03u ", code % 1000);
    va_start(list, format);
    put_line(w, begin, format, list);
    va_end(list);
}

void reply_between(struct worker *w, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    put_line(w, " ", format, list);
    va_end(list);
}

static void put_text(struct worker *w, const char *begin, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void put_text(struct worker *w, const char *begin, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    put_line(w, begin, format, list);
    va_end(list);
}

void reply_first(struct worker *w, unsigned code, const char *text)
{
    char begin[8];

    snprintf(begin, sizeof(begin), "%03u-", code % 1000);
    put_text(w, begin, "%s", text);
}

void reply_text(struct worker *w, const char *text)
{
    put_text(w, "", "%s", text);
}

size_t reply_bytes(struct worker *w, const uint8_t *bytes, size_t len)
{
    size_t room;
    char *to = make_room(w, &room);

    if (room <= REPLY_ROOM)
        return 0;
    len = len < room - REPLY_ROOM ? len : room - REPLY_ROOM;
    memcpy(to, bytes, len);
    w->control.out_len += len;
    return len;
}

/* ---- errnos --------------------------------------------------------------------------------- */

/* Those with a reply of their own (RFC 959, 4.2.1). */
static const struct {
    int error;
    unsigned code;
} codes[] = {
    {ENOSPC, 452}, {EDQUOT, 552}, {EFBIG, 552},        {EIO, 451},
    {ENOMEM, 451}, {EAGAIN, 450}, {ENAMETOOLONG, 553}, {ETXTBSY, 450},
};

void reply_errno(struct worker *w, unsigned otherwise, int error, struct slice text)
{
    unsigned code = otherwise;

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (codes[i].error == error)
            code = codes[i].code;
    }
    if (text.len == 0) /* not strerror: it may look for translations */
        text = slice_text(strerrordesc_np(error));
    if (text.len == 0)
        text = slice_text("It failed");
    reply(w, code, "%.*s", (int)text.len, (const char *)text.data);
}

void reply_result(struct worker *w, int result, unsigned code, const char *text)
{
    if (result < 0)
        stop_because(&w->stop, "the file agent is gone");
    else if (result > 0)
        reply_errno(w, 550, result, w->agent.text);
    else
        reply(w, code, "%s", text);
}
