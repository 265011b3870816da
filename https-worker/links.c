/* What was mailed to somebody: the page that a link opens, what the link is for, and its use; and
 * the wish for one, of who has lost the password. Nobody is signed in here: a link is a token that
 * the store knows, and nothing tells whether an account exists. */
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "common/base64.h"
#include "https-worker/json_in.h"
#include "https-worker/json_out.h"
#include "https-worker/worker.h"

#define LINK_LETTERS 43 /* 32 bytes in base64url (RFC 4648, 5), without padding */

/* The token of a link. false: it cannot be one. */
static bool token_of(struct slice text, uint8_t token[WEB_TOKEN])
{
    uint8_t letters[LINK_LETTERS + 1];
    bool good = text.len == LINK_LETTERS;

    for (size_t i = 0; good && i < LINK_LETTERS; i++) {
        const uint8_t c = text.data[i];
        good = c != '+' && c != '/';
        letters[i] = c == '-' ? '+' : c == '_' ? '/' : c;
    }
    letters[LINK_LETTERS] = '=';
    good = good && base64_decode(slice_of(letters, sizeof(letters)), token, WEB_TOKEN) == WEB_TOKEN;
    explicit_bzero(letters, sizeof(letters));
    return good;
}

static void answer_link(struct worker *w)
{
    static const char *const kinds[] = {
        [LINK_INVITE] = "invite", [LINK_LOST] = "lost", [LINK_ADDRESS] = "address"};
    char text[2048];
    struct writer writer = writer_of(text, sizeof(text));
    struct json_out j = json_out_of(&writer);
    struct link_is link;

    if (decode_link_is(&w->monitor.answer, &link) < 0 || link.kind < LINK_INVITE ||
        link.kind > LINK_ADDRESS || link.expires < 0) {
        stop_because(&w->stop, "the server gave no answer");
        return;
    }
    json_open(&j, '{');
    json_key(&j, "kind");
    json_text(&j, slice_text(kinds[link.kind]));
    json_key(&j, "account");
    json_text(&j, link.name);
    json_key(&j, "email");
    json_text(&j, link.email);
    json_key(&j, "expires");
    json_number(&j, (uint64_t)link.expires);
    json_close(&j, '}');
    writer_text(&writer, "\n");
    answer_json_text(w, &writer);
}

/* A password that is too weak leaves the link as good as it was; all else is the link's end. */
static void answer_bad_link(struct worker *w)
{
    struct store_refused refused;

    if (decode_store_refused(&w->monitor.answer, &refused) < 0)
        stop_because(&w->stop, "the server gave no answer");
    else
        answer_refused(w, refused.error, refused.text,
                       refused.error == EINVAL   ? "password"
                       : refused.error == EAGAIN ? NULL
                                                 : "token");
}

static void use_link(struct worker *w, const json_t *body)
{
    uint8_t token[WEB_TOKEN];
    struct auth_link question = {.token = slice_of(token, sizeof(token))};
    struct slice text;

    if (!json_member(w, body, "token", 4 * LINK_LETTERS, &text) ||
        !json_member(w, body, "password", SECRET_MAX, &question.fresh))
        return;
    if (!token_of(text, token)) {
        answer_field(w, 404, "not_found",
                     "This link is not whole. Copy all of it from the message.", "token");
        return;
    }
    question.use = question.fresh.len > 0 || json_is_true(json_object_get(body, "confirm"));
    switch (monitor_question(&w->monitor, MSG_auth_link, &question)) {
    case MSG_link_is:
        answer_link(w);
        break;
    case MSG_store_done:
        answer_nothing(w);
        break;
    case MSG_store_refused:
        answer_bad_link(w);
        break;
    case MSG_verdict:
        answer_error(w, 503, "busy", "The server is busy. Try again in a moment.");
        break;
    default:
        stop_because(&w->stop, "the server gave no answer");
    }
    explicit_bzero(token, sizeof(token));
}

static void end_link(struct worker *w)
{
    json_t *body = login_unbound(w) ? json_body(w) : NULL;

    if (body != NULL)
        use_link(w, body);
    json_decref(body);
}

const struct handler handle_link = {.end = end_link, .secret = true};

/* ---- who has lost the password -------------------------------------------------------------- */

static void end_lost(struct worker *w)
{
    json_t *body = login_unbound(w) ? json_body(w) : NULL;
    struct lost_password question;

    if (body == NULL || !json_member(w, body, "name", 254, &question.name))
        goto out;
    if (question.name.len == 0)
        answer_field(w, 400, "bad_request", "Enter your user name, or your e-mail address.",
                     "name");
    else if (w->setup.mail == 0)
        answer_error(w, 403, "no_mail", "This server sends no mail. Ask who gave you the account.");
    else if (monitor_question(&w->monitor, MSG_lost_password, &question) == MSG_store_done)
        answer_nothing(w);
    else if (!w->stop.asked)
        answer_error(w, 503, "busy", "The server is busy. Try again in a moment.");
out:
    json_decref(body);
}

const struct handler handle_lost = {.end = end_lost};
