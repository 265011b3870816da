/* Answers: their heads, texts, errors. Called by every row's functions. An answer that cannot be
 * put together becomes a 500; nothing half-written is ever sent. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "https-worker/json_out.h"
#include "https-worker/worker.h"

void answer_begin(struct worker *w, unsigned status, enum response_kind kind)
{
    struct exchange *x = &w->exchange;

    if (!worker_buffer(w, &w->out))
        return;
    response_begin(&w->head, &x->request, writer_of((char *)w->out, HEAD_MOST), status,
                   w->connection.secure ? kind : RESPONSE_CLEAR, time(NULL));
    x->answer.close = x->answer.close || !exchange_may_go_on(w);
    w->head.keep = w->head.keep && !x->answer.close;
    if (x->route != NULL && strncmp(x->route->name, "tus_", 4) == 0)
        tus_fields(w);
}

/* The head is whole. Nothing follows, or what fill gives. */
static void end_head(struct worker *w, ssize_t (*fill)(struct worker *, uint8_t *, size_t))
{
    struct answer *a = &w->exchange.answer;
    const bool closes = a->close;

    if (w->stop.asked)
        return;
    const ssize_t len = response_end(&w->head);
    if (len < 0) {
        stop_because(&w->stop, "an answer could not be put together");
        return;
    }
    *a = (struct answer){
        .begun = true, .close = closes || !w->head.keep, .chunked = w->head.chunked, .fill = fill};
    w->out_at = 0;
    w->out_len = (size_t)len;
}

void answer_end(struct worker *w)
{
    end_head(w, NULL);
}

void answer_content(struct worker *w, struct slice content)
{
    response_length(&w->head, content.len);
    end_head(w, NULL);
    if (w->stop.asked || !response_has_body(w->exchange.request.method, w->head.status))
        return;
    if (content.len > BULK - w->out_len) {
        stop_because(&w->stop, "an answer is too long");
        return;
    }
    memmove(w->out + w->out_len, content.data, content.len); /* it may stand in w->out already */
    w->out_len += content.len;
}

void answer_stream(struct worker *w, ssize_t (*fill)(struct worker *, uint8_t *, size_t))
{
    response_stream(&w->head);
    end_head(w, fill);
}

void answer_bytes(struct worker *w, uint64_t length,
                  ssize_t (*fill)(struct worker *, uint8_t *, size_t))
{
    response_length(&w->head, length);
    end_head(w, fill);
    w->exchange.answer.paced = true;
}

/* Over plain HTTP: the same address over HTTPS, and nothing else. */
void answer_redirect(struct worker *w)
{
    const struct request *r = &w->exchange.request;
    struct slice names = w->setup.names, host = r->host, name;

    if (list_next(&names, &name))
        host = name;
    w->exchange.answer.close = true;
    if (host.len == 0) { /* HTTP/1.0: nobody knows by which name it came */
        answer_error(w, 400, "bad_request", "Come back over HTTPS.");
        return;
    }
    answer_begin(w, 308, RESPONSE_CLEAR);
    struct writer *location = response_open(&w->head, "Location");
    writer_text(location, "https://");
    writer_put(location, host);
    if (w->setup.port != 443) {
        writer_text(location, ":");
        writer_number(location, w->setup.port);
    }
    writer_put(location, slice_is(r->path, "*") ? slice_text("/") : r->path);
    if (r->query.len > 0) {
        writer_text(location, "?");
        writer_put(location, r->query);
    }
    response_close(&w->head);
    answer_content(w, slice_text(""));
}

/* ---- errors --------------------------------------------------------------------------------- */

/* field: of the request, or NULL. */
static void answer_json(struct worker *w, const char *code, const char *message, const char *field)
{
    char text[1024];
    struct writer writer = writer_of(text, sizeof(text));
    struct json_out j = json_out_of(&writer);

    json_open(&j, '{');
    json_key(&j, "error");
    json_text(&j, slice_text(code));
    json_key(&j, "message");
    json_text(&j, slice_text(message));
    if (field != NULL) {
        json_key(&j, "field");
        json_text(&j, slice_text(field));
    }
    json_close(&j, '}');
    writer_text(&writer, "\n");
    const ssize_t len = writer_done(&writer);
    response_text(&w->head, "Content-Type", "application/json");
    answer_content(w, slice_of(text, len > 0 ? (size_t)len : 0));
}

void answer_json_text(struct worker *w, const struct writer *writer)
{
    const ssize_t len = writer_done(writer);

    if (len < 0) {
        answer_error(w, 500, "failed", "The server could not do it.");
        return;
    }
    answer_begin(w, 200, RESPONSE_API);
    response_text(&w->head, "Content-Type", "application/json");
    answer_content(w, slice_of(writer->text, (size_t)len));
}

void answer_json_error(struct worker *w, const char *code, const char *message)
{
    answer_json(w, code, message, NULL);
}

void answer_field(struct worker *w, unsigned status, const char *code, const char *message,
                  const char *field)
{
    answer_begin(w, status, RESPONSE_API);
    answer_json(w, code, message, field);
}

void answer_error(struct worker *w, unsigned status, const char *code, const char *message)
{
    answer_begin(w, status, RESPONSE_API);
    answer_json_error(w, code, message);
}

void answer_refusal(struct worker *w, const struct refusal *refusal)
{
    w->exchange.answer.close = true;
    answer_error(w, refusal->status, "bad_request", refusal->why);
}

/* What an errno of the agent becomes. */
static const struct {
    int error;
    unsigned status;
    const char *code, *message;
} errors[] = {
    {ENOENT, 404, "not_found", "There is no such file or folder."},
    {ENOTDIR, 404, "not_found", "There is no such file or folder."},
    {EACCES, 403, "not_allowed", "This account may not do that."},
    {EPERM, 403, "not_allowed", "This account may not do that."},
    {EROFS, 403, "not_allowed", "Nothing can be changed here."},
    {EEXIST, 409, "exists", "There is something of this name already."},
    {ENOTEMPTY, 409, "not_empty", "The folder is not empty."},
    {EISDIR, 409, "is_folder", "This is a folder."},
    {EBUSY, 409, "busy", "Somebody else is writing it."},
    {ENOSPC, 507, "no_space", "There is no room left."},
    {EDQUOT, 507, "no_space", "There is no room left."},
    {EFBIG, 413, "too_large", "The file is too large."},
    {ENAMETOOLONG, 400, "bad_request", "The name is too long."},
    {EINVAL, 400, "bad_request", "This cannot be done."},
    {EXDEV, 409, "other_folder", "It cannot be moved there."},
    {ELOOP, 409, "loop", "A link leads round in a circle."},
};

static size_t error_row(int error)
{
    size_t i = 0;

    while (i < sizeof(errors) / sizeof(errors[0]) && errors[i].error != error)
        i++;
    return i;
}

/* The agent's words, or the store's, as a sentence. */
static bool make_sentence(struct slice words, char *text, size_t size)
{
    size_t len = words.len;

    if (len == 0 || slice_copy(words, text, size - 1) < 0)
        return false;
    if (text[0] >= 'a' && text[0] <= 'z')
        text[0] = (char)(text[0] - 'a' + 'A');
    if (text[len - 1] != '.')
        text[len++] = '.';
    text[len] = '\0';
    return true;
}

const char *answer_sentence(struct worker *w, int error)
{
    static char message[256];
    const size_t row = error_row(error);

    if (make_sentence(w->agent.text, message, sizeof(message)))
        return message;
    return row < sizeof(errors) / sizeof(errors[0]) ? errors[row].message
                                                    : "The server could not do it.";
}

unsigned answer_status(int error)
{
    const size_t row = error_row(error);

    return row < sizeof(errors) / sizeof(errors[0]) ? errors[row].status : 500;
}

void answer_errno(struct worker *w, int error)
{
    const size_t row = error_row(error);

    if (error < 0) /* the agent is gone, and with it this connection */
        stop_because(&w->stop, "the file agent is gone");
    else if (row < sizeof(errors) / sizeof(errors[0]))
        answer_error(w, errors[row].status, errors[row].code, answer_sentence(w, error));
    else
        answer_error(w, 500, "failed", "The server could not do it.");
}

/* What an errno of the store becomes; the sentence is the store's own. */
// clang-format off
static const struct {
    int error;
    unsigned status;
    const char *code;
} refusals[] = {
    {ENOENT,     404, "not_found"},
    {EALREADY,   410, "used"},
    {ETIMEDOUT,  410, "expired"},
    {ESTALE,     410, "replaced"},
    {EINVAL,     422, "refused"},
    {EEXIST,     409, "exists"},
    {EACCES,     403, "not_allowed"},
    {EPERM,      403, "not_allowed"},
    {EBUSY,      503, "busy"},
    {EAGAIN,     503, "busy"},
    {ENOSPC,     507, "no_space"},
    {EOPNOTSUPP, 403, "no_mail"},
};
// clang-format on

void answer_refused(struct worker *w, uint32_t error, struct slice words, const char *field)
{
    const size_t count = sizeof(refusals) / sizeof(refusals[0]);
    char message[300];
    size_t row = 0;

    while (row < count && (uint32_t)refusals[row].error != error)
        row++;
    if (!make_sentence(words, message, sizeof(message)))
        snprintf(message, sizeof(message), "%s", "The server could not do it.");
    answer_field(w, row < count ? refusals[row].status : 500,
                 row < count ? refusals[row].code : "failed", message, field);
}
