/* What needs the account's password once more: another password, another address, a secret for
 * codes. Each shows it on a connection that is nobody's yet, and does one thing; the password opens
 * nothing else there. */
#include <jansson.h>
#include <string.h>

#include "https-worker/codes.h"
#include "https-worker/json_in.h"
#include "https-worker/worker.h"

/* user, current, code, and what is new. Returns the type of the store's answer, MSG_NONE where all
 * has been answered. */
static enum message_type prove(struct worker *w, const json_t *body, enum login_purpose purpose,
                               const char *fresh)
{
    struct auth_password question = {.purpose = (uint8_t)purpose};
    struct store_refused refused;
    struct slice code;

    if (!json_member(w, body, "user", ACCOUNT_NAME_MAX, &question.user) ||
        !json_member(w, body, "current", SECRET_MAX, &question.password) ||
        !json_member(w, body, "code", 64, &code) ||
        (fresh != NULL && !json_member(w, body, fresh, SECRET_MAX, &question.fresh)))
        return MSG_NONE;
    if (fresh != NULL && question.fresh.len == 0) {
        answer_field(w, 400, "bad_request", "Fill it in.", fresh);
        return MSG_NONE;
    }
    const enum proof proof = login_prove(w, &question, code);
    if (proof != PROOF_RIGHT) {
        answer_proof(w, proof, "current");
        return MSG_NONE;
    }
    if (w->monitor.answer.type == MSG_store_refused &&
        decode_store_refused(&w->monitor.answer, &refused) == 0) {
        answer_refused(w, refused.error, refused.text, fresh);
        return MSG_NONE;
    }
    return w->monitor.answer.type;
}

static void change(struct worker *w, enum login_purpose purpose, const char *fresh)
{
    json_t *body = login_unbound(w) ? json_body(w) : NULL;
    const enum message_type type = body != NULL ? prove(w, body, purpose, fresh) : MSG_NONE;

    if (type == MSG_store_done)
        answer_nothing(w);
    else if (type == MSG_totp_secret)
        answer_codes_secret(w, slice_of(json_string_value(json_object_get(body, "user")),
                                        json_string_length(json_object_get(body, "user"))));
    else if (type != MSG_NONE)
        stop_because(&w->stop, "the server gave no answer");
    json_decref(body);
}

static void end_password(struct worker *w)
{
    change(w, PURPOSE_PASSWORD, "new");
}

const struct handler handle_password = {.end = end_password, .secret = true};

static void end_address(struct worker *w)
{
    change(w, PURPOSE_ADDRESS, "email");
}

const struct handler handle_address = {.end = end_address, .secret = true};

static void end_codes_begin(struct worker *w)
{
    change(w, PURPOSE_CODES, NULL);
}

const struct handler handle_codes_begin = {.end = end_codes_begin, .secret = true};
