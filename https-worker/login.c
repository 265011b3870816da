/* Who asks. A person signs in by a form and is given a token, which their browser shows with every
 * request; a program shows name and password. Nothing is decided here: the monitor's verdict binds
 * this connection to an account, for good. Called by routes.c and the rows of signing in and out.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "https-worker/accept.h"
#include "https-worker/credentials.h"
#include "https-worker/json_out.h"
#include "https-worker/worker.h"

#define COOKIE    "__Host-session"
#define NEXT_MOST 2048
#define CODE_MAX  64    /* bytes: auth_code's field */
#define BOUND_MS  30000 /* until a connection that was opened by a token is to end */

/* ---- what was shown ------------------------------------------------------------------------- */

enum kind { KIND_NONE, KIND_COOKIE, KIND_BASIC, KIND_BAD };

/* The cookie, or the Authorization field, which counts before it. */
static enum kind find_shown(const struct worker *w, struct slice *shown)
{
    const struct fields *fields = &w->exchange.request.fields;

    *shown = fields_get(fields, FIELD_AUTHORIZATION);
    if (shown->len > 0 && w->setup.basic)
        return shown->len > SECRET_MAX ? KIND_BAD : KIND_BASIC;
    switch (cookie_find(fields_get(fields, FIELD_COOKIE), COOKIE, shown)) {
    case CREDENTIALS_FOUND:
        return shown->len == 2 * WEB_TOKEN ? KIND_COOKIE : KIND_BAD;
    case CREDENTIALS_BAD:
        return KIND_BAD;
    default:
        return KIND_NONE;
    }
}

static int token_of(struct slice text, uint8_t token[WEB_TOKEN])
{
    for (size_t i = 0; i < WEB_TOKEN; i++) {
        const int high = hex_value(text.data[2 * i]), low = hex_value(text.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return -1;
        token[i] = (uint8_t)(high << 4 | low);
    }
    return 0;
}

static void write_hex(const uint8_t *bytes, size_t len, char *text)
{
    for (size_t i = 0; i < len; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

/* What the page shows with each change: a hash of the token, of which the token cannot be told. */
static int make_csrf(struct worker *w, const uint8_t token[WEB_TOKEN])
{
    static const char purpose[] = "sallyport: X-CSRF-Token";
    uint8_t text[sizeof(purpose) + WEB_TOKEN], hash[32];
    unsigned len = 0;

    memcpy(text, purpose, sizeof(purpose));
    memcpy(text + sizeof(purpose), token, WEB_TOKEN);
    const int r = EVP_Digest(text, sizeof(text), hash, &len, EVP_sha256(), NULL) == 1 ? 0 : -1;
    explicit_bzero(text, sizeof(text));
    write_hex(hash, sizeof(hash), w->csrf);
    return r;
}

/* ---- asking --------------------------------------------------------------------------------- */

static void take_account(struct worker *w, const struct verdict *v, enum kind kind,
                         struct slice shown)
{
    w->login = LOGIN_KNOWN;
    w->known_ms = worker_now_ms();
    w->by_cookie = kind == KIND_COOKIE;
    slice_copy(v->account, w->account, sizeof(w->account));
    w->uid = v->uid;
    w->gid = v->gid;
    w->flags = v->flags;
    w->rights = v->rights;
    w->incoming.rate = w->outgoing.rate = v->bandwidth;
    secret_set(&w->shown, shown);
}

static int ask_by_token(struct worker *w, struct slice shown, struct verdict *v)
{
    uint8_t token[WEB_TOKEN];
    int r = -1;

    *v = (struct verdict){.outcome = VERDICT_DENIED};
    if (token_of(shown, token) < 0)
        return 0;
    const struct auth_token question = {.token = slice_of(token, sizeof(token))};
    if (make_csrf(w, token) == 0)
        r = monitor_ask(&w->monitor, MSG_auth_token, &question, MSG_verdict, v);
    explicit_bzero(token, sizeof(token));
    return r;
}

static int ask_by_password(struct worker *w, struct slice user, struct slice password,
                           struct verdict *v)
{
    const struct auth_password question = {
        .user = user, .password = password, .purpose = PURPOSE_SESSION};

    *v = (struct verdict){.outcome = VERDICT_DENIED};
    if (user.len == 0 || user.len > ACCOUNT_NAME_MAX || password.len > SECRET_MAX ||
        memchr(user.data, 0, user.len) != NULL)
        return 0; /* nobody has such a name */
    return monitor_ask(&w->monitor, MSG_auth_password, &question, MSG_verdict, v);
}

/* ---- a password with something in mind ------------------------------------------------------ */

enum proof login_prove(struct worker *w, const struct auth_password *question, struct slice code)
{
    const struct slice user = question->user;
    const struct auth_code second = {.code = code};
    struct verdict v;
    bool asked = false;

    if (user.len == 0 || user.len > ACCOUNT_NAME_MAX || question->password.len > SECRET_MAX ||
        memchr(user.data, 0, user.len) != NULL || code.len > CODE_MAX)
        return PROOF_WRONG; /* nobody has such a name */
    enum message_type type = monitor_question(&w->monitor, MSG_auth_password, question);
    for (;;) {
        if (type == MSG_NONE ||
            (type == MSG_verdict && decode_verdict(&w->monitor.answer, &v) < 0)) {
            stop_because(&w->stop, "the server gave no verdict");
            return PROOF_STOPPED;
        }
        if (type != MSG_verdict || v.outcome == VERDICT_TOKEN)
            return PROOF_RIGHT;
        if (v.outcome != VERDICT_PARTIAL)
            break;
        if ((v.methods & AUTH_CODE) == 0)
            return PROOF_KEY;
        if (code.len == 0 || asked)
            return asked ? PROOF_CODE_WRONG : PROOF_CODE;
        asked = true;
        type = monitor_question(&w->monitor, MSG_auth_code, &second);
    }
    if (v.outcome == VERDICT_DENIED && v.reason.len > 0)
        return PROOF_BUSY;
    return asked ? PROOF_CODE_WRONG : PROOF_WRONG;
}

/* What is told of each, by the sign-in card and in JSON. */
static const struct proof_row {
    unsigned status;
    const char *code, *message;
} proofs[] = {
    [PROOF_WRONG] = {403, "wrong_password", "This is not the password. Check it and try again."},
    [PROOF_BUSY] = {503, "busy", "The server is busy. Try again in a moment."},
    [PROOF_KEY] = {403, "key_needed",
                   "This account needs a key beside the password: connect with SFTP."},
    [PROOF_CODE] = {403, "code_needed", "Enter the code that your authenticator shows."},
    [PROOF_CODE_WRONG] = {403, "wrong_code",
                          "This code is not right, or was used already. Wait for the next one."},
};

void answer_proof(struct worker *w, enum proof proof, const char *field)
{
    const struct proof_row *row = &proofs[proof];
    const bool code = proof == PROOF_CODE || proof == PROOF_CODE_WRONG;

    if (proof != PROOF_STOPPED)
        answer_field(w, row->status, row->code, row->message,
                     code                   ? "code"
                     : proof == PROOF_WRONG ? field
                                            : NULL);
}

bool login_unbound(struct worker *w)
{
    w->exchange.answer.close = true; /* whoever comes next may be another */
    if (w->login == LOGIN_NONE)
        return true;
    answer_begin(w, 307, RESPONSE_API);
    response_field(&w->head, "Location", w->exchange.request.path);
    answer_content(w, slice_text(""));
    return false;
}

bool login_lacks_codes(const struct worker *w)
{
    return (w->flags & ACCOUNT_CODES) != 0 && (w->flags & ACCOUNT_CODE_ON) == 0;
}

static int ask_by_basic(struct worker *w, struct slice shown, struct verdict *v)
{
    struct basic basic;
    int r = 0;

    *v = (struct verdict){.outcome = VERDICT_DENIED};
    if (basic_parse(shown, &basic) == CREDENTIALS_FOUND)
        r = ask_by_password(w, basic_user(&basic), basic_password(&basic), v);
    basic_clear(&basic);
    return r;
}

/* ---- a row that needs an account ------------------------------------------------------------ */

/* Forget a cookie that opens nothing. */
static void clear_cookie(struct worker *w)
{
    response_text(&w->head, "Set-Cookie",
                  COOKIE "=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0");
}

static void to_sign_in(struct worker *w, enum kind kind, const char *message)
{
    const struct exchange *x = &w->exchange;
    const bool person = x->route->who == WHO_PERSON ||
                        (x->route->method == METHOD_GET && accept_html(&x->request.fields));
    /* Browsers would ask by a window of their own: only programs are told of it. */
    const bool program = w->setup.basic && kind != KIND_COOKIE && !person &&
                         !fields_have(&x->request.fields, FIELD_SEC_FETCH_SITE);

    answer_begin(w, person ? 303 : 401, RESPONSE_API);
    if (kind == KIND_COOKIE)
        clear_cookie(w);
    if (program)
        response_text(&w->head, "WWW-Authenticate", "Basic realm=\"sallyport\", charset=\"UTF-8\"");
    if (!person) {
        answer_json_error(w, "sign_in", message);
        return;
    }
    struct writer *location = response_open(&w->head, "Location");
    writer_text(location, "/login?next=");
    writer_percent(location, x->request.path, CHAR_UNRESERVED);
    response_close(&w->head);
    answer_content(w, slice_text(""));
}

/* Only addresses of this server: "//x" and "https://x" would be others. The page keeps the open
 * folder behind a '#'. */
static bool is_own_address(struct slice next)
{
    const struct slice address = slice_until(&next, '#');

    (void)slice_skip(&next, "#");
    return address.len > 0 && address.data[0] == '/' &&
           (address.len == 1 || address.data[1] != '/') && chars_are(address, CHAR_TARGET) &&
           chars_are(next, CHAR_TARGET);
}

/* A connection belongs to one account for good. Browsers keep connections over a new login, and
 * show a person what they are answered: they are sent to the same address on another one. */
static void to_another_connection(struct worker *w, enum kind kind)
{
    const struct request *r = &w->exchange.request;

    w->exchange.answer.close = true;
    if (kind != KIND_COOKIE || !is_own_address(r->path)) {
        answer_error(w, 421, "other_account", "This connection belongs to another account.");
        return;
    }
    answer_begin(w, 307, RESPONSE_API);
    struct writer *location = response_open(&w->head, "Location");
    writer_put(location, r->path);
    if (r->query.len > 0) {
        writer_text(location, "?");
        writer_put(location, r->query);
    }
    response_close(&w->head);
    answer_content(w, slice_text(""));
}

bool login_needed(struct worker *w)
{
    struct verdict v;
    struct slice shown;
    const enum kind kind = find_shown(w, &shown);
    int r = -1;

    if (kind == KIND_BAD || kind == KIND_NONE) {
        to_sign_in(w, kind, "Sign in first.");
        return false;
    }
    if (w->login != LOGIN_NONE) {
        if (shown.len == w->shown.len &&
            CRYPTO_memcmp(shown.data, w->shown.bytes, shown.len) == 0) {
            /* The next connection shows the token anew: sessions end when they must, and last
             * while they are used. */
            if (w->by_cookie && worker_now_ms() - w->known_ms > BOUND_MS)
                w->exchange.answer.close = true;
            return true;
        }
        to_another_connection(w, kind);
        return false;
    }
    r = kind == KIND_COOKIE ? ask_by_token(w, shown, &v) : ask_by_basic(w, shown, &v);
    if (r < 0) {
        stop_because(&w->stop, "the server gave no verdict");
        return false;
    }
    char why[256];
    slice_copy(v.reason, why, sizeof(why));
    if (v.outcome == VERDICT_KNOWN) {
        take_account(w, &v, kind, shown);
        if (login_lacks_codes(w)) /* once it has them, no connection is to know better */
            w->exchange.answer.close = true;
        return true;
    }
    /* One token a connection: the monitor hears few, and who guesses pays with a connection each.
     */
    if (v.outcome == VERDICT_ENOUGH || kind == KIND_COOKIE)
        w->exchange.answer.close = true;
    if (v.outcome == VERDICT_PARTIAL && (v.methods & AUTH_CODE) != 0)
        answer_error(w, 403, "code_needed", "This account needs a code too: sign in by /login.");
    else if (v.outcome == VERDICT_PARTIAL)
        answer_error(w, 403, proofs[PROOF_KEY].code, proofs[PROOF_KEY].message);
    else if (why[0] != '\0' && v.outcome == VERDICT_DENIED)
        answer_error(w, 503, "busy", why);
    else
        to_sign_in(w, kind, "Sign in again.");
    return false;
}

bool login_agent(struct worker *w)
{
    const struct agent_wanted question = {0};
    struct verdict v;
    int fd = -1;

    if (w->login == LOGIN_OPEN)
        return true;
    if (login_lacks_codes(w)) { /* the monitor would say the same */
        answer_error(w, 403, "codes_needed",
                     "This account needs two-step login: set it up first, in a browser.");
        return false;
    }
    if (monitor_ask(&w->monitor, MSG_agent_wanted, &question, MSG_verdict, &v) == 0 &&
        v.outcome == VERDICT_OPEN)
        fd = monitor_take_fd(&w->monitor);
    if (fd != FD_AGENT || agent_open(&w->agent, fd) < 0) {
        w->exchange.answer.close = true;
        answer_error(w, 503, "failed", "The account's folder cannot be opened.");
        return false;
    }
    w->login = LOGIN_OPEN;
    return true;
}

/* ---- signing in ----------------------------------------------------------------------------- */

/* Did the page's script ask? Then nothing is redirected, and no page is sent. */
static bool wants_json(const struct worker *w)
{
    struct slice accept = fields_get(&w->exchange.request.fields, FIELD_ACCEPT);

    return slice_skip(&accept, "application/json");
}

static void welcome(struct worker *w, struct slice next)
{
    char token[2 * WEB_TOKEN + 1], text[2 * NEXT_MOST];
    struct writer writer = writer_of(text, sizeof(text));
    struct json_out j = json_out_of(&writer);
    struct verdict v = {0};

    if (decode_verdict(&w->monitor.answer, &v) < 0 || v.token.len != WEB_TOKEN) {
        stop_because(&w->stop, "the server gave no token");
        return;
    }
    write_hex(v.token.data, WEB_TOKEN, token);
    next = is_own_address(next) ? next : slice_text("/");
    answer_begin(w, wants_json(w) ? 200 : 303, RESPONSE_API);
    struct writer *cookie = response_open(&w->head, "Set-Cookie");
    writer_text(cookie, COOKIE "=");
    writer_text(cookie, token);
    writer_text(cookie, "; Path=/; Secure; HttpOnly; SameSite=Strict");
    response_close(&w->head);
    explicit_bzero(token, sizeof(token));
    if (!wants_json(w)) {
        response_field(&w->head, "Location", next);
        answer_content(w, slice_text(""));
        return;
    }
    json_open(&j, '{');
    json_key(&j, "next");
    json_text(&j, next);
    json_close(&j, '}');
    response_text(&w->head, "Content-Type", "application/json");
    answer_content(w, slice_of(text, writer.len));
}

/* Why not: as the card, or for its script. */
static void not_signed_in(struct worker *w, enum proof proof, struct slice user)
{
    static const char wrong[] = "User name or password is not right. Check both and try again.",
                      code[] = "Enter your password once more, and the code of your authenticator.";

    if (proof == PROOF_STOPPED)
        return;
    if (wants_json(w) && proof == PROOF_WRONG)
        answer_field(w, 403, "wrong_password", wrong, "password");
    else if (wants_json(w))
        answer_proof(w, proof, "password");
    else if (proof == PROOF_WRONG)
        page_sign_in(w, 401, wrong, user, false);
    else
        page_sign_in(w, proofs[proof].status, proof == PROOF_CODE ? code : proofs[proof].message,
                     user, proof == PROOF_CODE || proof == PROOF_CODE_WRONG);
}

static void end_sign_in_do(struct worker *w)
{
    const struct slice form = slice_of(w->collected, w->collected_len);
    char user[4 * ACCOUNT_NAME_MAX], password[SECRET_MAX + 1], next[NEXT_MOST], code[CODE_MAX + 1];
    struct slice user_is = {0}, password_is = {0}, next_is = {0}, code_is = {0};

    if (!login_unbound(w)) /* bound for good: the form comes again on another connection */
        return;
    if (form_get(form, "user", user, sizeof(user), &user_is) != FORM_FOUND ||
        form_get(form, "password", password, sizeof(password), &password_is) != FORM_FOUND ||
        form_get(form, "code", code, sizeof(code), &code_is) == FORM_BAD ||
        form_get(form, "next", next, sizeof(next), &next_is) == FORM_BAD) {
        page_sign_in(w, 400, "Fill in both, your user name and your password.", user_is, false);
    } else {
        const struct auth_password question = {
            .user = user_is, .password = password_is, .purpose = PURPOSE_SIGN_IN};
        const enum proof proof = login_prove(w, &question, code_is);
        if (proof == PROOF_RIGHT)
            welcome(w, next_is);
        else
            not_signed_in(w, proof, user_is);
    }
    explicit_bzero(password, sizeof(password));
    explicit_bzero(code, sizeof(code));
}

const struct handler handle_sign_in_do = {.end = end_sign_in_do, .secret = true};

static void end_sign_out(struct worker *w)
{
    const struct sign_out message = {0};
    struct verdict v;
    char token[80];
    struct slice token_is = {0};

    if (w->by_cookie &&
        (form_get(slice_of(w->collected, w->collected_len), "csrf", token, sizeof(token),
                  &token_is) != FORM_FOUND ||
         !token_right(w, token_is)) &&
        !token_right(w, fields_get(&w->exchange.request.fields, FIELD_X_CSRF_TOKEN))) {
        answer_error(w, 403, "bad_token", "The page is out of date: load it again.");
        return;
    }
    w->exchange.answer.close = true;
    if (w->by_cookie && monitor_ask(&w->monitor, MSG_sign_out, &message, MSG_verdict, &v) < 0) {
        stop_because(&w->stop, "the server is gone");
        return;
    }
    if (w->by_cookie && v.outcome != VERDICT_OUT) {
        answer_error(w, 503, "failed", "You are still signed in. Try again later.");
        return;
    }
    answer_begin(w, 303, RESPONSE_API);
    clear_cookie(w);
    response_text(&w->head, "Clear-Site-Data", "\"cache\", \"storage\"");
    response_text(&w->head, "Location", "/login");
    answer_content(w, slice_text(""));
}

const struct handler handle_sign_out = {.end = end_sign_out};
