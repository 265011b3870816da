/* LIST, NLST, MLSD and STAT of a path: options, what is to be listed, and where it goes. listing.c
 * makes the lines, work.c sends them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "ftps-worker/worker.h"

/* Options as of ls: -a and -A count, others change nothing (-l is what LIST is; there is no -R). */
static struct slice take_options(struct listing *l, struct slice text)
{
    while (text.len > 1 && text.data[0] == '-') {
        size_t n = 1;
        while (n < text.len && text.data[n] != ' ') {
            l->all = l->all || text.data[n] == 'a';
            l->almost_all = l->almost_all || text.data[n] == 'A';
            n++;
        }
        while (n < text.len && text.data[n] == ' ')
            n++;
        text = slice_of(text.data + n, text.len - n);
    }
    return text;
}

/* Open what is to be listed. Returns false with the reply made. */
static bool begin(struct worker *w, enum list_form form, const struct path *path, struct slice text)
{
    struct listing *l = &w->work.listing;

    l->form = form;
    const int result = listing_open(w, path, text);
    if (result < 0)
        stop_because(&w->stop, "the file agent is gone");
    else if (result > 0)
        reply_errno(w, 550, result, w->agent.text);
    return result == 0;
}

/* Of LIST, NLST and STAT: the argument is options and a path as the client wrote it. */
static bool begin_text(struct worker *w, enum list_form form, struct slice text)
{
    struct listing *l = &w->work.listing;
    struct path path;

    l->all = l->almost_all = false;
    text = take_options(l, text);
    if (path_join(&path, path_slice(&w->folder), text) == 0)
        return begin(w, form, &path, text);
    reply(w, 553, "The name is too long");
    return false;
}

static void send_listing(struct worker *w, bool begun)
{
    if (!begun) {
        data_drop(w);
        return;
    }
    snprintf(w->work.said, sizeof(w->work.said), "Sending the listing");
    snprintf(w->work.done, sizeof(w->work.done), "Listing complete");
    work_begin(w, WORK_LISTING);
}

void on_list(struct worker *w, const struct command *c)
{
    if (transfer_allowed(w))
        send_listing(w, begin_text(w, LIST_LONG, c->text));
}

void on_nlst(struct worker *w, const struct command *c)
{
    if (transfer_allowed(w))
        send_listing(w, begin_text(w, LIST_NAMES, c->text));
}

void on_mlsd(struct worker *w, const struct command *c)
{
    if (!transfer_allowed(w))
        return;
    const bool begun = begin(w, LIST_FACTS, &c->path, slice_of(NULL, 0));
    if (begun && !w->work.file.open) { /* RFC 3659, 7.2.1 */
        data_drop(w);
        reply(w, 501, "This is not a folder: MLST");
        return;
    }
    send_listing(w, begun);
}

void list_as_reply(struct worker *w, const struct command *c)
{
    if (w->state != STATE_OPEN) {
        reply_log_in(w);
        return;
    }
    if (!begin_text(w, LIST_LONG, c->text))
        return;
    reply_first(w, 213, "Status:");
    work_begin(w, WORK_STATUS);
}
