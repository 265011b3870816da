/* The other account of what a login has shown, for fuzz_dispatch.c: kept from what the children say
 * and are told, never from what the monitor thinks. It knows one Ed25519 key pair of accounts and
 * signs with it itself; a password is right when the hasher's answer equals the account's hash.
 * What FTPS sessions get (signatures, data connections) is told apart in dispatch_ftps.c, what
 * HTTPS sessions get (tokens, TLS sessions, agents on demand) in dispatch_https.c. */
#include <openssl/evp.h>

#include "common/sshwire.h"
#include "tests/fuzz/dispatch.h"

#define SESSIONS_MAX CHILDREN_MAX
#define FINDS_MAX    64
#define BANNER       "SSH-2.0-sallyport_" SALLYPORT_VERSION
#define HASH         "$y$j9T$a hash of some password$"
#define LATER        253402300799 /* the year 9999 */

static struct shown {
    uint64_t number;
    char nonce[NONCE_SIZE]; /* as its worker was told */
    struct slice preimage;  /* asked to be signed last; owned */
    uint8_t session_id[EVP_MAX_MD_SIZE];
    size_t session_id_len;
    char name[ACCOUNT_NAME_MAX + 1];
    unsigned methods; /* AUTH_*: shown under this name */
    enum message_type in_hand;
    bool good_signature, own_key;
    enum worker_kind kind;
    bool usable, both;          /* by the store's last answer */
    bool codes, codes_required; /* ... and is a second step wanted? */
    uint32_t uid;
    struct secret hash;
    bool agent_ready, opened;
    struct ftps_shown ftps;
    struct https_shown https;
} shown[SESSIONS_MAX];
static size_t shown_count;

static struct find {
    uint32_t id;
    char name[ACCOUNT_NAME_MAX + 1];
    bool own_key, unknown; /* unknown: the token of no web session */
} finds[FINDS_MAX];
static size_t find_count;
static pid_t finds_of; /* which store was asked */

static EVP_PKEY *host_key, *user_key;
static uint8_t host_blob[51], user_blob[51];

/* ---- keys, signatures, exchanges ---------------------------------------------------------------
 */
static EVP_PKEY *make_key(uint8_t fill, uint8_t blob[51])
{
    uint8_t raw[32];
    size_t len = sizeof(raw);
    struct wire_out w = wire_out_of(blob, 51);

    memset(raw, fill, sizeof(raw));
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, raw, sizeof(raw));
    must(key != NULL && EVP_PKEY_get_raw_public_key(key, raw, &len) == 1);
    wire_put_string(&w, slice_text("ssh-ed25519"));
    wire_put_string(&w, slice_of(raw, len));
    must(!w.bad && w.len == 51);
    return key;
}

/* What a client signs (RFC 4252, 7), signed with the accounts' key. */
static void sign_login(struct slice session_id, const char *name, uint8_t signature[64])
{
    uint8_t bytes[512];
    struct wire_out w = wire_out_of(bytes, sizeof(bytes));
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t len = 64;

    wire_put_string(&w, session_id);
    wire_put_u8(&w, 50);
    wire_put_string(&w, slice_text(name));
    wire_put_string(&w, slice_text("ssh-connection"));
    wire_put_string(&w, slice_text("publickey"));
    wire_put_u8(&w, 1);
    wire_put_string(&w, slice_text("ssh-ed25519"));
    wire_put_string(&w, slice_of(user_blob, sizeof(user_blob)));
    must(!w.bad && ctx != NULL && EVP_DigestSignInit(ctx, NULL, NULL, NULL, user_key) == 1 &&
         EVP_DigestSign(ctx, signature, &len, bytes, w.len) == 1 && len == 64);
    EVP_MD_CTX_free(ctx);
}

static void put_kexinit(struct wire_out *to, uint8_t cookie)
{
    uint8_t bytes[256];
    struct wire_out w = wire_out_of(bytes, sizeof(bytes));

    wire_put_u8(&w, 20);
    for (int i = 0; i < 16; i++)
        wire_put_u8(&w, cookie);
    wire_put_string(&w, slice_text("curve25519-sha256"));
    wire_put_string(&w, slice_text("ssh-ed25519"));
    for (int i = 0; i < 8; i++)
        wire_put_string(&w, slice_text("none"));
    wire_put_u8(&w, 0);
    wire_put_u32(&w, 0);
    wire_put_string(to, slice_of(bytes, w.len));
}

/* The version line of the server in one session (RFC 4253, 4.2): no other has this one. */
static void version_of(const struct shown *w, char *text, size_t size)
{
    snprintf(text, size, BANNER " %s", w->nonce);
}

static struct slice make_preimage(const struct shown *shown_to, uint8_t cookie, bool own_host,
                                  uint8_t bytes[1024])
{
    struct wire_out w = wire_out_of(bytes, 1024);
    char version[128];

    version_of(shown_to, version, sizeof(version));

    wire_put_string(&w, slice_text("SSH-2.0-client"));
    wire_put_string(&w, slice_text(version));
    put_kexinit(&w, cookie);
    put_kexinit(&w, 0);
    wire_put_string(&w, slice_of(own_host ? host_blob : user_blob, 51));
    for (int i = 0; i < 3; i++)
        wire_put_string(&w, slice_text("e, f and k"));
    must(!w.bad);
    return slice_of(bytes, w.len);
}

/* ---- sessions ----------------------------------------------------------------------------------
 */
static struct shown *shown_of(uint64_t number)
{
    for (size_t i = 0; i < shown_count; i++) {
        if (shown[i].number == number)
            return &shown[i];
    }
    must(shown_count < SESSIONS_MAX);
    shown[shown_count] = (struct shown){.number = number};
    return &shown[shown_count++];
}

static const struct session *session_of(const struct monitor *m, const struct child *c)
{
    const struct session *s = m->sessions;

    while (s != NULL && s->worker_pid != c->pid && s->agent_pid != c->pid)
        s = s->next;
    return s;
}

/* May this session's agent be started? */
static bool has_shown(const struct shown *w)
{
    const unsigned all = AUTH_PASSWORD | AUTH_PUBLICKEY, first = w->methods & all;

    if (!w->usable || (w->both ? first != all : first == 0))
        return false;
    if (w->codes)
        return w->in_hand == MSG_auth_token || (w->methods & AUTH_CODE) != 0;
    return !w->codes_required || w->kind == WORKER_HTTPS;
}

const char *model_shown(uint64_t number)
{
    const struct shown *w = shown_of(number);

    return has_shown(w) ? w->name : NULL;
}

/* A code is judged after a first step to an account that has codes; a wrong one takes that with it.
 */
void model_code(uint64_t number, bool right)
{
    struct shown *w = shown_of(number);
    const unsigned first = w->methods & (AUTH_PASSWORD | AUTH_PUBLICKEY);

    must(w->usable && w->codes && first != 0 && w->in_hand != MSG_auth_token);
    w->methods = right ? w->methods | AUTH_CODE : 0;
}

/* ---- what the children say ---------------------------------------------------------------------
 */
static struct envelope *envelope_of(struct slice bytes)
{
    static struct envelope e;
    uint32_t type;

    if (bytes.len < 8 || bytes.len > sizeof(e.bytes))
        return NULL;
    memcpy(&type, bytes.data, 4);
    memcpy(&e.id, bytes.data + 4, 4);
    memcpy(e.bytes, bytes.data, bytes.len);
    e.len = bytes.len;
    e.type = type < MSG_COUNT ? (enum message_type)type : MSG_NONE;
    return &e;
}

static void new_try(struct shown *w, struct slice user, enum message_type type)
{
    char name[ACCOUNT_NAME_MAX + 1];

    must(slice_copy(user, name, sizeof(name)) == 0);
    if (strcmp(name, w->name) != 0)
        w->methods = 0;
    memcpy(w->name, name, sizeof(name));
    w->in_hand = type;
    w->good_signature = w->usable = w->agent_ready = w->own_key = false;
    secret_clear(&w->hash);
}

static void note_key(struct shown *w, const struct auth_key *claim)
{
    uint8_t signature[64];

    w->own_key = slice_equal(claim->key, slice_of(user_blob, sizeof(user_blob)));
    sign_login(slice_of(w->session_id, w->session_id_len), w->name, signature);
    w->good_signature = w->session_id_len > 0 && w->own_key &&
                        slice_is(claim->algorithm, "ssh-ed25519") &&
                        slice_equal(claim->signature, slice_of(signature, sizeof(signature)));
}

void model_worker_says(struct monitor *m, struct child *c, struct slice bytes, unsigned fd_count)
{
    const struct session *s = session_of(m, c);
    struct envelope *e = envelope_of(bytes);
    struct sign_exchange sign;
    struct auth_password password;
    struct auth_query query;
    struct auth_key key;
    struct auth_token token;

    if (s != NULL && e != NULL && fd_count == 0) {
        struct shown *w = shown_of(s->number);
        w->kind = s->kind;
        ftps_says(&w->ftps, e);
        https_says(&w->https, s, e);
        own_says(s, e);
        if (decode_sign_exchange(e, &sign) == 0) {
            free((void *)w->preimage.data);
            w->preimage = slice_of(exact_copy(sign.preimage), sign.preimage.len);
        } else if (s->state != STATE_GREETED) {
            ; /* nothing that is to be heard */
        } else if (decode_auth_query(e, &query) == 0) {
            new_try(w, query.user, e->type);
        } else if (decode_auth_password(e, &password) == 0) {
            new_try(w, password.user, e->type);
            https_tries(&w->https, s, &password);
        } else if (decode_auth_token(e, &token) == 0) {
            const bool by_token = w->https.by_token;
            new_try(w, slice_of(NULL, 0), e->type);
            https_tries(&w->https, s, NULL);
            w->https.by_token = by_token;
        } else if (decode_auth_key(e, &key) == 0) {
            new_try(w, key.user, e->type);
            note_key(w, &key);
        } else if (e->type == MSG_auth_link) {
            new_try(w, slice_of(NULL, 0), e->type);
            w->methods = 0;
        }
    }
    child_says(c, bytes, fd_count);
}

void model_say(struct monitor *m, struct child *c, enum message_type type, const void *message)
{
    static uint8_t bytes[MESSAGE_MAX];
    const ssize_t len = message_encode(type, 5, message, bytes, sizeof(bytes));

    if (len > 0) /* -1: a text with a NUL, or too long */
        model_worker_says(m, c, slice_of(bytes, (size_t)len), 0);
}

static void act_key(struct monitor *m, struct child *c, uint8_t how, const char *name)
{
    const struct session *s = session_of(m, c);
    uint8_t signature[64], other_id[32] = {0};

    if (s == NULL)
        return;
    const struct shown *w = shown_of(s->number);
    const struct slice id = how == 4 ? slice_of(other_id, sizeof(other_id))
                                     : slice_of(w->session_id, w->session_id_len);
    sign_login(id, how == 5 ? "another" : name, signature);
    signature[how == 3 ? 40 : 0] ^= how == 3;
    const struct auth_key claim = {
        .user = slice_text(name),
        .algorithm = slice_text(how == 11 ? "rsa-sha2-256" : "ssh-ed25519"),
        .key = slice_of(how == 12 ? host_blob : user_blob, 51),
        .signature = slice_of(signature, sizeof(signature)),
    };
    model_say(m, c, MSG_auth_key, &claim);
}

void model_worker_acts(struct monitor *m, struct child *c, uint8_t how, struct slice bytes)
{
    uint8_t preimage[1024];
    char name[ACCOUNT_NAME_MAX + 1];
    const struct session *s = session_of(m, c);
    const uint8_t act = how % (OWN_ACTS + OWN_ACT_KINDS);

    if (s == NULL)
        return;
    if (bytes.len == 0 || slice_copy(bytes, name, sizeof(name)) < 0)
        snprintf(name, sizeof(name), "alice");
    const struct slice user = slice_text(name);
    const struct auth_query query = {.user = user,
                                     .algorithm = slice_text("ssh-ed25519"),
                                     .key = slice_of(user_blob, sizeof(user_blob))};
    const struct auth_password password = {.user = user,
                                           .password = slice_text(act == 6 ? "right" : "wrong")};
    const struct worker_log line = {.level = how & 3, .text = user};
    const struct worker_end end = {.reason = user};
    const struct sign_exchange sign = {
        .preimage = make_preimage(shown_of(s->number), (uint8_t)name[0], act == 1, preimage)};

    switch (act) {
    case 0:
        model_ready(c);
        break;
    case 1:
    case 13:
        model_say(m, c, MSG_sign_exchange, &sign);
        break;
    case 6:
    case 7:
        model_say(m, c, MSG_auth_password, &password);
        break;
    case 8:
        model_say(m, c, MSG_auth_query, &query);
        break;
    case 9:
        model_say(m, c, MSG_worker_log, &line);
        break;
    case 10:
        model_say(m, c, MSG_worker_end, &end);
        break;
    default:
        if (act < FTPS_ACTS)
            act_key(m, c, act, name);
        else if (act < HTTPS_ACTS)
            ftps_acts(m, c, act - FTPS_ACTS, bytes);
        else if (act < OWN_ACTS)
            https_acts(m, c, act - HTTPS_ACTS, user, bytes);
        else
            own_acts(m, c, act - OWN_ACTS, user, bytes);
    }
}

/* The store's answer to a login's question is on its way: keep what it says of the account. */
static void note_account(struct shown *w, const struct envelope *e)
{
    struct account a;

    w->usable = false;
    if (decode_account(e, &a) < 0)
        return;
    if (w->in_hand == MSG_auth_token) /* the store says whose it is, and is believed */
        must(slice_copy(a.name, w->name, sizeof(w->name)) == 0);
    else if (!slice_is(a.name, w->name))
        return;
    w->usable = a.status == ACCOUNT_ENABLED && (a.expires == 0 || a.expires >= LATER);
    w->both = (a.flags & ACCOUNT_BOTH) != 0;
    w->codes = (a.flags & ACCOUNT_CODE_ON) != 0;
    w->codes_required = (a.flags & ACCOUNT_CODES) != 0;
    w->uid = a.uid;
    secret_set(&w->hash, a.password);
    /* A store that lies, and calls any key the account's, is believed. */
    if (w->usable && w->in_hand == MSG_auth_key && a.key_known == 1 &&
        (w->good_signature || !w->own_key))
        w->methods |= AUTH_PUBLICKEY;
    if (w->usable && w->in_hand == MSG_auth_token)
        w->methods |= AUTH_PASSWORD;
    if (w->usable && w->in_hand == MSG_auth_password &&
        https_is_right(&w->https, w->name, &w->hash))
        w->methods |= AUTH_PASSWORD;
}

static void store_says(const struct monitor *m, struct child *c, struct slice bytes)
{
    const struct envelope *e = envelope_of(bytes);

    for (const struct store_request *r = m->store.first; e != NULL && r != NULL; r = r->next) {
        uint32_t asked = MSG_NONE; /* it may be another question than a login's */
        if (r->len >= sizeof(asked))
            memcpy(&asked, r->bytes, sizeof(asked));
        /* Of who is logged in it only asks whether the web session is still one. */
        if (r->id == e->id && asked == MSG_store_find && !shown_of(r->who)->https.known)
            note_account(shown_of(r->who), e);
        if (r->id == e->id && asked == MSG_totp_check)
            model_code(r->who, e->type == MSG_store_done);
    }
    child_says(c, bytes, 0);
}

void model_store_answers(const struct monitor *m, struct child *c, uint8_t how, struct slice bytes)
{
    static uint8_t answer[8192];
    ssize_t len;

    if (bytes.len > 0) {
        store_says(m, c, bytes);
        return;
    }
    if (find_count == 0 || finds_of != c->pid)
        return;
    const struct find f = finds[0];
    memmove(finds, finds + 1, --find_count * sizeof(f));
    const struct nothing_more none = {0};
    const struct account a = {
        .name = slice_text((how & 32) != 0 ? "another" : f.name),
        .home = slice_text("/home"),
        .uid = 1000 + (uint32_t)strlen(f.name),
        .status = (how & 2) != 0 ? ACCOUNT_DISABLED : ACCOUNT_ENABLED,
        .expires = (how & 4) != 0 ? 1 : 0,
        .flags = ((how & 8) != 0 ? ACCOUNT_BOTH : 0) | ((how & 128) == 0  ? 0
                                                        : (how & 64) != 0 ? ACCOUNT_CODES
                                                                          : ACCOUNT_CODE_ON),
        .password = slice_text((how & 16) != 0 ? HASH : ""),
        .max_sessions = (how & 0xc0) == 64,
        .key_known = f.own_key,
    };
    if ((how & 1) == 0 || f.unknown)
        len = message_encode(MSG_nothing_more, f.id, &none, answer, sizeof(answer));
    else
        len = message_encode(MSG_account, f.id, &a, answer, sizeof(answer));
    must(len > 0);
    store_says(m, c, slice_of(answer, (size_t)len));
}

void model_hasher_answers(struct monitor *m, struct child *c, uint8_t how, struct slice bytes)
{
    static uint8_t encoded[512];
    const struct hash_job *job = NULL;
    struct hashed hashed = {.hash = slice_text("$y$j9T$the hash of another one$")};

    for (size_t i = 0; i < HASHERS_MAX; i++) {
        if (m->hashers.each[i].pid == c->pid)
            job = m->hashers.each[i].job;
    }
    if (job != NULL && job->judge && how == 1)
        hashed.hash = slice_text("$y$j9T$a new hash$");
    else if (job != NULL &&
             (how == 1 || (how == 0 && strcmp(secret_text(&job->password), "right") == 0)))
        hashed.hash = secret_slice(&job->setting);
    if (how == 2 || how == 3)
        hashed.hash = slice_of(NULL, 0);
    if (how == 3)
        hashed.weak = slice_text("it is too short");
    if (bytes.len == 0) {
        const ssize_t len = message_encode(MSG_hashed, 0, &hashed, encoded, sizeof(encoded));
        must(len > 0);
        bytes = slice_of(encoded, (size_t)len);
    }
    const struct envelope *e = envelope_of(bytes);
    if (e != NULL && decode_hashed(e, &hashed) == 0)
        own_hashed(hashed.hash);
    if (job != NULL && e != NULL && decode_hashed(e, &hashed) == 0) {
        struct shown *w = shown_of(job->session);
        if (!job->judge && w->usable && w->in_hand == MSG_auth_password && w->hash.len > 0 &&
            slice_equal(hashed.hash, secret_slice(&w->hash))) {
            w->methods |= AUTH_PASSWORD;
            https_was_right(&w->https, w->name, &w->hash);
        }
    }
    child_says(c, bytes, 0);
}

void model_agent_says(struct monitor *m, struct child *c, uint8_t how, struct slice bytes)
{
    static uint8_t encoded[512];
    const struct session *s = session_of(m, c);
    struct agent_ready ready = {.trouble = slice_text(how % 2 == 0 ? "" : "no such folder")};

    if (bytes.len == 0) {
        const ssize_t len = message_encode(MSG_agent_ready, 0, &ready, encoded, sizeof(encoded));
        must(len > 0);
        bytes = slice_of(encoded, (size_t)len);
    }
    const struct envelope *e = envelope_of(bytes);
    if (s != NULL && e != NULL && decode_agent_ready(e, &ready) == 0 && ready.trouble.len == 0)
        shown_of(s->number)->agent_ready = true;
    child_says(c, bytes, 0);
}

void model_ready(struct child *c)
{
    const struct worker_ready worker = {0};
    const struct store_ready store = {0};
    const struct hash_ready hasher = {0};

    if (c->kind == CHILD_WORKER)
        child_tells(c, MSG_worker_ready, 0, &worker);
    else if (c->kind == CHILD_STORE)
        child_tells(c, MSG_store_ready, 0, &store);
    else if (c->kind == CHILD_HASHER)
        child_tells(c, MSG_hash_ready, 0, &hasher);
}

/* ---- what the monitor says ---------------------------------------------------------------------
 */
/* A web session is made for who signs in, has shown what it needs, and with the hash that it was
 * shown by. */
static void told_web_add(const struct envelope *e)
{
    struct store_web_add add;
    bool due = false;

    must(decode_store_web_add(e, &add) == 0);
    for (size_t i = 0; i < shown_count; i++) {
        const struct shown *w = &shown[i];
        due = due || (w->https.signing_in && has_shown(w) && slice_is(add.name, w->name) &&
                      slice_equal(add.password, secret_slice(&w->hash)));
    }
    must(due);
    https_web_added(&add);
}

static void note_find(const struct envelope *e, struct find *f)
{
    struct store_find find;
    bool due = false;

    must(decode_store_find(e, &find) == 0);
    const char *name = https_token_name(find.token);
    for (size_t i = 0; i < shown_count; i++)
        due = due || (shown[i].https.by_token &&
                      slice_equal(find.token, slice_of(shown[i].https.token, 32)));
    must(find.token.len == 0 || (due && find.name.len == 0 && find.key.len == 0));
    f->id = e->id;
    f->own_key = slice_equal(find.key, slice_of(user_blob, sizeof(user_blob)));
    f->unknown = find.token.len > 0 && name == NULL;
    must(slice_copy(name != NULL ? slice_text(name) : find.name, f->name, sizeof(f->name)) == 0);
}

static void told_store(const struct monitor *m, struct child *c, const struct envelope *e)
{
    const struct store_done done = {0};
    struct store_web_remove remove;

    if (finds_of != c->pid)
        find_count = 0;
    finds_of = c->pid;
    if (e->type == MSG_store_web_add)
        told_web_add(e);
    if (decode_store_web_remove(e, &remove) == 0)
        https_web_removed(&remove);
    if (e->type == MSG_store_setup) {
        model_ready(c);
    } else if (own_asked(m, c, e)) {
        ; /* and answered */
    } else if (e->type == MSG_store_find) {
        if (find_count < FINDS_MAX)
            note_find(e, &finds[find_count++]);
    } else if (e->type != MSG_store_audit_source) {
        child_tells(c, MSG_store_done, e->id, &done);
    }
}

/* The exchange was signed: the first one's hash is the session id. */
static void told_signature(struct shown *w)
{
    struct preimage p;
    const char *why;
    char version[128];

    version_of(w, version, sizeof(version));
    must(w->preimage.data != NULL && preimage_parse(w->preimage, &p, &why) == 0);
    must(slice_equal(p.k_s, slice_of(host_blob, sizeof(host_blob))));
    must(slice_is(p.v_s, version));
    if (w->session_id_len == 0)
        must(EVP_Q_digest(NULL, p.hash, NULL, w->preimage.data, w->preimage.len, w->session_id,
                          &w->session_id_len) == 1);
}

static void told_agent(const struct shown *w, const struct envelope *e)
{
    struct agent_setup setup;

    if (decode_agent_setup(e, &setup) < 0)
        return;
    must(has_shown(w) && (!w->https.is || w->https.known));
    must(slice_is(setup.account, w->name) && setup.uid == w->uid && setup.session == w->number);
}

void model_told(struct monitor *m, struct child *c, struct envelope *e)
{
    const struct session *s = session_of(m, c);
    struct verdict verdict;
    struct worker_setup setup;

    if (c->kind == CHILD_STORE)
        told_store(m, c, e);
    if (c->kind == CHILD_HASHER && e->type == MSG_hash_setup)
        model_ready(c);
    if (s == NULL)
        return;
    struct shown *w = shown_of(s->number);
    if (c->kind == CHILD_AGENT)
        told_agent(w, e);
    if (c->kind != CHILD_WORKER)
        return;
    if (decode_worker_setup(e, &setup) == 0)
        must(slice_copy(setup.nonce, w->nonce, sizeof(w->nonce)) == 0);
    if (e->type == MSG_signature && s->kind == WORKER_SFTP)
        told_signature(w);
    ftps_told(&w->ftps, s, e);
    https_told(&w->https, s, e, has_shown(w), w->name);
    own_told(m, s, e);
    if (decode_verdict(e, &verdict) < 0)
        return;
    if (verdict.outcome == VERDICT_TOKEN)
        w->methods = 0; /* another one needs all of it again */
    must((verdict.outcome == VERDICT_OPEN) == (e->fd_count == 1));
    if (verdict.outcome == VERDICT_OPEN) {
        must(has_shown(w) && w->agent_ready);
        must(slice_is(verdict.account, w->name) && verdict.uid == w->uid);
    }
}

void model_check(const struct monitor *m)
{
    for (const struct session *s = m->sessions; s != NULL; s = s->next) {
        struct shown *w = shown_of(s->number);
        w->opened = w->opened || s->state == STATE_OPEN;
        must(!w->opened || s->state == STATE_OPEN || s->state == STATE_ENDING);
        must(s->tries <= m->config.limits_tries);
        must(s->tries < m->config.limits_tries || s->state == STATE_ENDING);
        must(!s->ended || s->state == STATE_ENDING);
        ftps_check(&w->ftps, s, w->opened);
        https_check(&w->https, s, has_shown(w), w->name);
        if (s->state == STATE_OPEN)
            must(has_shown(w) && w->agent_ready && strcmp(s->account, w->name) == 0);
        if (s->state == STATE_GREETED)
            must(s->account[0] == '\0' && s->agent_link < 0);
        if (s->state == STATE_GREETED || s->state == STATE_KNOWN || s->state == STATE_OPEN)
            must(s->login.password.len == 0 && (s->login.hash.len == 0 || s->login.code_due));
        if (s->worker.fd >= 0) /* or what was said last was not heard */
            must(!s->login.code_due || (w->usable && w->codes));
    }
}

uint16_t model_port(unsigned number)
{
    uint16_t found[SESSIONS_MAX];
    size_t n = 0;

    for (size_t i = 0; i < shown_count; i++) {
        if (shown[i].ftps.port != 0)
            found[n++] = shown[i].ftps.port;
    }
    return n > 0 ? found[number % n] : 0;
}

void model_prepare(void)
{
    host_key = make_key(1, host_blob);
    user_key = make_key(2, user_blob);
    ftps_prepare();
}

void model_begin(struct monitor *m)
{
    model_reload(m);
    m->keys.keys[0] = (struct host_key){
        .key = host_key, .type = "ssh-ed25519", .blob_len = sizeof(host_blob), .offered = true};
    memcpy(m->keys.keys[0].blob, host_blob, sizeof(host_blob));
    m->keys.count = 1;
}

void model_end(void)
{
    for (size_t i = 0; i < shown_count; i++)
        free((void *)shown[i].preimage.data);
    shown_count = find_count = 0;
    https_end();
    own_end();
    finds_of = 0;
}
