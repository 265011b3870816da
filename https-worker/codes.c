/* Two-step login on the account's page: the secret and its picture, the first code, recovery codes,
 * and the end of it. Nothing is judged here, and no secret stays behind its answer. */
#include "https-worker/codes.h"

#include <jansson.h>
#include <string.h>

#include "https-worker/json_in.h"
#include "https-worker/json_out.h"
#include "https-worker/qr.h"

#define CODE_MAX 64 /* bytes: totp_confirm's field */

/* otpauth://totp/ISSUER:USER?secret=...&issuer=ISSUER, as authenticators read it. What it is by
 * default (SHA-1, 6 digits, 30 seconds) is not said: some refuse to read it. */
static void write_uri(struct writer *uri, const struct totp_secret *secret, struct slice user)
{
    writer_text(uri, "otpauth://totp/");
    writer_percent(uri, secret->issuer, CHAR_UNRESERVED);
    writer_text(uri, ":");
    writer_percent(uri, user, CHAR_UNRESERVED);
    writer_text(uri, "?secret=");
    writer_percent(uri, secret->secret, CHAR_UNRESERVED);
    writer_text(uri, "&issuer=");
    writer_percent(uri, secret->issuer, CHAR_UNRESERVED);
}

void answer_codes_secret(struct worker *w, struct slice user)
{
    char address[1024], path[QR_PATH_MAX], text[QR_PATH_MAX + 2048];
    struct writer uri = writer_of(address, sizeof(address)),
                  picture = writer_of(path, sizeof(path));
    struct writer writer = writer_of(text, sizeof(text));
    struct json_out j = json_out_of(&writer);
    struct totp_secret secret;
    size_t size = 0;

    if (decode_totp_secret(&w->monitor.answer, &secret) < 0) {
        stop_because(&w->stop, "the server gave no secret");
        return;
    }
    write_uri(&uri, &secret, user);
    const ssize_t len = writer_done(&uri);
    if (len > 0)
        size = qr_path(slice_of(address, (size_t)len), &picture);
    json_open(&j, '{');
    json_key(&j, "secret");
    json_text(&j, secret.secret);
    json_key(&j, "uri");
    json_text(&j, slice_of(address, len > 0 ? (size_t)len : 0));
    json_key(&j, "qr");
    if (size == 0) {
        json_nothing(&j); /* the text does as well */
    } else {
        json_open(&j, '{');
        json_key(&j, "size");
        json_number(&j, size);
        json_key(&j, "path");
        json_text(&j, slice_of(path, picture.len));
        json_close(&j, '}');
    }
    json_close(&j, '}');
    writer_text(&writer, "\n");
    answer_json_text(w, &writer);
    explicit_bzero(address, sizeof(address));
    explicit_bzero(path, sizeof(path));
    explicit_bzero(text, sizeof(text));
}

/* ---- once it has begun ---------------------------------------------------------------------- */

/* The request's code, which must be there. */
static bool code_of(struct worker *w, const json_t *body, struct slice *code)
{
    if (!json_member(w, body, "code", CODE_MAX, code))
        return false;
    if (code->len > 0)
        return true;
    answer_field(w, 400, "bad_request", "Enter the code that your authenticator shows.", "code");
    return false;
}

static void answer_recovery(struct worker *w)
{
    char text[2048];
    struct writer writer = writer_of(text, sizeof(text));
    struct json_out j = json_out_of(&writer);
    struct recovery_codes recovery;

    if (decode_recovery_codes(&w->monitor.answer, &recovery) < 0) {
        stop_because(&w->stop, "the server gave no recovery codes");
        return;
    }
    struct slice rest = recovery.codes;
    json_open(&j, '{');
    json_key(&j, "recovery");
    json_open(&j, '[');
    while (rest.len > 0) {
        const struct slice code = slice_until(&rest, '\n');
        slice_skip(&rest, "\n");
        if (code.len > 0)
            json_text(&j, code);
    }
    json_close(&j, ']');
    json_close(&j, '}');
    writer_text(&writer, "\n");
    answer_json_text(w, &writer);
    explicit_bzero(text, sizeof(text));
}

/* The connection ends behind both: what it knows of the account is true no more. */
static void end_codes_confirm(struct worker *w)
{
    json_t *body = json_body(w);
    struct totp_confirm confirm = {0};

    if (body != NULL && code_of(w, body, &confirm.code)) {
        w->exchange.answer.close = true;
        if (own_ask(w, MSG_totp_confirm, &confirm, "code") != MSG_NONE)
            answer_recovery(w);
    }
    json_decref(body);
}

const struct handler handle_codes_confirm = {.end = end_codes_confirm, .secret = true};

static void end_codes_end(struct worker *w)
{
    json_t *body = json_body(w);
    struct totp_remove remove = {0};

    if (body != NULL && code_of(w, body, &remove.code)) {
        w->exchange.answer.close = true;
        if (own_ask(w, MSG_totp_remove, &remove, "code") != MSG_NONE)
            answer_nothing(w);
    }
    json_decref(body);
}

const struct handler handle_codes_end = {.end = end_codes_end, .secret = true};
