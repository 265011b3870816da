/* The other account of HTTPS sessions, for dispatch_model.c: web sessions as the store has them,
 * tokens as workers got them, what a right password lets others do for a minute, and TLS sessions
 * as they were kept. Kept from what the children say and are told. */
#include <openssl/evp.h>

#include "tests/fuzz/dispatch.h"

#define MANY      64
#define MINUTE_MS 60000
#define HOUR_MS   3600000

static struct web_session {
    uint8_t hash[32];
    char name[ACCOUNT_NAME_MAX + 1];
} web_sessions[MANY];
static size_t web_count;

static uint8_t tokens[MANY][WEB_TOKEN], signed_out[MANY][32];
static size_t token_count, signed_out_count;

static struct right {
    char name[ACCOUNT_NAME_MAX + 1];
    struct secret hash;
    uint8_t password[32]; /* its SHA-256 */
    int64_t until_ms;
} rights[MANY];
static size_t right_count;

static struct kept {
    uint8_t id[32];
    struct secret session;
    int64_t until_ms;
} kept[MANY];
static size_t kept_count;

static void sha256(struct slice bytes, uint8_t hash[32])
{
    must(EVP_Q_digest(NULL, "SHA256", NULL, bytes.data, bytes.len, hash, NULL) == 1);
}

/* ---- what a worker says ---------------------------------------------------------------------- */

void https_says(struct https_shown *h, const struct session *s, const struct envelope *e)
{
    struct auth_token token;
    struct tls_keep keep;
    struct tls_find find;
    struct agent_wanted wanted;
    struct sign_out out;

    if (s->kind != WORKER_HTTPS)
        return;
    if (decode_auth_token(e, &token) == 0 && token.token.len == WEB_TOKEN &&
        s->state == STATE_GREETED) {
        h->by_token = true;
        sha256(token.token, h->token);
    } else if (decode_agent_wanted(e, &wanted) == 0 && s->state == STATE_KNOWN) {
        h->wanted = true;
    } else if (decode_sign_out(e, &out) == 0 && h->by_token && h->known) {
        must(signed_out_count < MANY);
        memcpy(signed_out[signed_out_count++], h->token, 32);
    } else if (decode_tls_keep(e, &keep) == 0 && keep.id.len == 32) {
        struct kept *k = &kept[kept_count++ % MANY];
        memcpy(k->id, keep.id.data, 32);
        must(secret_set(&k->session, keep.session) == 0);
        k->until_ms = now_ms() + HOUR_MS;
    } else if (decode_tls_find(e, &find) == 0 && find.id.len == 32) {
        memcpy(h->id, find.id.data, 32);
    }
}

void https_tries(struct https_shown *h, const struct session *s, const struct auth_password *try)
{
    h->is = s->kind == WORKER_HTTPS;
    h->by_token = false;
    h->purpose = h->is && try != NULL ? (enum login_purpose)try->purpose : PURPOSE_SESSION;
    h->signing_in = h->purpose == PURPOSE_SIGN_IN;
    if (try != NULL)
        sha256(try->password, h->password);
}

void https_acts(struct monitor *m, struct child *c, uint8_t act, struct slice user,
                struct slice bytes)
{
    const uint8_t first = bytes.len > 0 ? bytes.data[0] : 0;
    uint8_t token[WEB_TOKEN] = {first}, id[32] = {0, first & 3, first};
    const struct auth_password password = {.user = user,
                                           .password = slice_text(act == 0 ? "right" : "wrong"),
                                           .purpose = PURPOSE_SIGN_IN};
    const struct auth_token shown = {.token = slice_of(token, WEB_TOKEN - (first == 99))};
    const struct tls_keep keep = {.id = slice_of(id, 32), .session = bytes};
    const struct tls_find find = {.id = slice_of(id, 32)};
    const struct agent_wanted wanted = {0};
    const struct sign_out out = {0};

    if (act == 2 && token_count > 0)
        memcpy(token, tokens[first % token_count], sizeof(token));
    switch (act) {
    case 0:
    case 1:
        model_say(m, c, MSG_auth_password, &password);
        break;
    case 2:
    case 3:
        model_say(m, c, MSG_auth_token, &shown);
        break;
    case 4:
        model_say(m, c, MSG_tls_keep, &keep);
        break;
    case 5:
        model_say(m, c, MSG_tls_find, &find);
        break;
    case 6:
        model_say(m, c, MSG_agent_wanted, &wanted);
        break;
    default:
        model_say(m, c, MSG_sign_out, &out);
    }
}

/* ---- passwords that were right --------------------------------------------------------------- */

void https_was_right(const struct https_shown *h, const char *name, const struct secret *hash)
{
    struct right *r = &rights[right_count++ % MANY];

    snprintf(r->name, sizeof(r->name), "%s", name);
    r->hash = *hash;
    memcpy(r->password, h->password, sizeof(r->password));
    r->until_ms = now_ms() + MINUTE_MS;
}

bool https_is_right(const struct https_shown *h, const char *name, const struct secret *hash)
{
    for (size_t i = 0; h->is && i < right_count && i < MANY; i++) {
        const struct right *r = &rights[i];
        if (now_ms() < r->until_ms && strcmp(r->name, name) == 0 &&
            slice_equal(secret_slice(&r->hash), secret_slice(hash)) &&
            memcmp(r->password, h->password, sizeof(r->password)) == 0)
            return true;
    }
    return false;
}

/* ---- the store's part ------------------------------------------------------------------------ */

const char *https_token_name(struct slice hash)
{
    for (size_t i = 0; i < web_count; i++) {
        if (slice_equal(hash, slice_of(web_sessions[i].hash, 32)))
            return web_sessions[i].name;
    }
    return NULL;
}

void https_web_added(const struct store_web_add *add)
{
    must(add->token.len == 32 && https_token_name(add->token) == NULL);
    if (web_count == MANY)
        return;
    memcpy(web_sessions[web_count].hash, add->token.data, 32);
    must(slice_copy(add->name, web_sessions[web_count++].name, ACCOUNT_NAME_MAX + 1) == 0);
}

/* Only by who came by it. */
void https_web_removed(const struct store_web_remove *remove)
{
    bool told = false;

    for (size_t i = 0; i < signed_out_count; i++)
        told = told || slice_equal(remove->token, slice_of(signed_out[i], 32));
    must(told);
    for (size_t i = 0; i < web_count; i++) {
        if (slice_equal(remove->token, slice_of(web_sessions[i].hash, 32)))
            web_sessions[i] = web_sessions[--web_count];
    }
}

/* ---- what a worker is told ------------------------------------------------------------------- */

void https_told(struct https_shown *h, const struct session *s, const struct envelope *e,
                bool proven, const char *name)
{
    struct verdict v;
    struct tls_found found;
    uint8_t hash[32];
    bool same = false;

    if (decode_tls_found(e, &found) == 0) {
        must(s->kind == WORKER_HTTPS);
        for (size_t i = 0; i < kept_count && i < MANY; i++)
            same = same || (memcmp(kept[i].id, h->id, 32) == 0 && now_ms() < kept[i].until_ms &&
                            slice_equal(found.session, secret_slice(&kept[i].session)));
        must(same || found.session.len == 0);
        return;
    }
    if (decode_verdict(e, &v) < 0)
        return;
    must((v.outcome == VERDICT_TOKEN) == (v.token.len > 0));
    if (v.outcome == VERDICT_TOKEN) {
        must(s->kind == WORKER_HTTPS && h->signing_in && proven && v.account.len == 0);
        must(v.token.len == WEB_TOKEN && v.uid == 0);
        sha256(v.token, hash);
        const char *owner = https_token_name(slice_of(hash, 32));
        must(web_count == MANY || (owner != NULL && strcmp(owner, name) == 0));
        memcpy(tokens[token_count < MANY ? token_count++ : 0], v.token.data, WEB_TOKEN);
    } else if (v.outcome == VERDICT_KNOWN) {
        must(s->kind == WORKER_HTTPS && h->purpose == PURPOSE_SESSION && !h->known && proven);
        must(slice_is(v.account, name) && e->fd_count == 0);
        h->known = true;
    } else if (v.outcome == VERDICT_OPEN && s->kind == WORKER_HTTPS) {
        must(h->known && h->wanted);
    }
}

void https_check(const struct https_shown *h, const struct session *s, bool proven,
                 const char *name)
{
    static const uint8_t none[WEB_TOKEN];

    if (s->kind != WORKER_HTTPS) {
        must(s->state != STATE_KNOWN && !s->by_token && !h->known && !h->signing_in);
        return;
    }
    if (s->state == STATE_KNOWN)
        must(proven && h->purpose == PURPOSE_SESSION && strcmp(s->account, name) == 0 &&
             s->agent_pid == 0);
    if (s->state == STATE_GREETED)
        must(!h->known && s->agent_pid == 0);
    if (s->state == STATE_OPEN || s->agent_pid != 0)
        must(h->wanted);
    /* A token is nowhere but where it was sent; of a session that ends it goes with the rest. */
    if (s->state != STATE_CHECKING && s->state != STATE_ENDING)
        must(memcmp(s->login.token, none, sizeof(none)) == 0);
}

void https_end(void)
{
    web_count = token_count = signed_out_count = right_count = kept_count = 0;
}
