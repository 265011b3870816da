/* Logins. A worker's message starts a chain of answers (store, then hasher or signature check, then
 * the agent), and each step looks the session up again by its number: it may have ended meanwhile.
 * Only what is decided here opens a session; nothing a worker says is taken for true. An unknown
 * name takes the same steps as a known one. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "common/log.h"
#include "common/sshwire.h"
#include "monitor/monitor.h"

#define CODES_DUE      "this account needs two-step login: set it up on its page"
#define CODE_DIGITS    6  /* of an authenticator (RFC 6238) */
#define BCRYPT_SETTING 29 /* bytes of method, cost and salt of a bcrypt hash */

void login_clear(struct login *l)
{
    if (l->request != NULL)
        OPENSSL_clear_free(l->request, l->request_len);
    OPENSSL_free(l->folders);
    explicit_bzero(l, sizeof(*l));
}

/* ------------------------------------------------------------------------- verdicts */

static void send_answer(struct monitor *m, struct session *s, enum verdict_outcome outcome,
                        const char *reason)
{
    const bool open = outcome == VERDICT_OPEN, in = open || outcome == VERDICT_KNOWN;
    const unsigned left = (AUTH_PASSWORD | AUTH_PUBLICKEY) & ~s->login.passed;
    const struct verdict verdict = {
        .outcome = (uint8_t)outcome,
        .methods = (uint8_t)(s->login.code_due ? AUTH_CODE
                             : left != 0       ? left
                                               : AUTH_PASSWORD | AUTH_PUBLICKEY),
        .reason = slice_text(reason),
        .account = slice_text(s->account),
        .uid = in ? s->login.uid : 0,
        .gid = in ? s->login.gid : 0,
        .bandwidth =
            in ? (s->login.bandwidth != 0 ? s->login.bandwidth : m->config.limits_bandwidth) : 0,
        .flags = in ? s->login.flags : 0,
        .rights = in ? s->login.rights : 0,
        .token = slice_of(s->login.token, outcome == VERDICT_TOKEN ? WEB_TOKEN : 0),
    };

    if (send_verdict_fds(s->worker.fd, s->login.request_id, &verdict, &s->agent_link,
                         open ? 1 : 0) < 0)
        session_end(m, s, "its worker is gone");
    explicit_bzero(s->login.token, sizeof(s->login.token));
}

/* No further try: the client is told why, and the worker ends. */
static void give_up(struct monitor *m, struct session *s, const char *told)
{
    send_answer(m, s, VERDICT_ENOUGH, told);
    if (!s->ended)
        session_goodbye(s, told);
}

/* Refuse this try. why is for the log and the audit, never for the client; told (if not NULL) is
 * for the client, where it tells nothing about accounts. */
static void deny(struct monitor *m, struct session *s, const char *why, const char *told)
{
    const char *method = s->login.proven == AUTH_PASSWORD ? "password"
                         : s->login.proven == AUTH_CODE   ? "code"
                                                          : "publickey";

    secret_clear(&s->login.password);
    secret_clear(&s->login.hash);
    secret_clear(&s->login.fresh);
    s->state = STATE_GREETED;
    s->account[0] = '\0';
    /* A key that was offered, not used; a token that has expired: no try, no line in the audit log
     */
    if (s->login.query || s->by_token) {
        send_answer(m, s, VERDICT_DENIED, told != NULL ? told : "");
        return;
    }
    s->tries++;
    s->failed = s->failed || told == NULL;
    m->counters.refusals++;
    log_info("session %llu: %s: login as \"%s\" by %s refused: %s", (unsigned long long)s->number,
             s->address.text, s->login.name, method, why);
    session_audit(m, s, "refused", "%s: %s", method, why);
    if (s->tries < m->config.limits_tries)
        send_answer(m, s, VERDICT_DENIED, told != NULL ? told : "");
    else
        give_up(m, s, "too many failed tries");
}

/* ------------------------------------------------------------------------- a proven login */

static void proven(struct monitor *m, struct session *s);

/* Must it have codes, and has none yet? Then only a browser gets in, to set them up. */
static bool lacks_codes(const struct login *l)
{
    return (l->flags & ACCOUNT_CODES) != 0 && (l->flags & ACCOUNT_CODE_ON) == 0;
}

/* Who it is, for the log, the audit log and the account's record. A token opens many connections,
 * which have no lines of their own. */
static void logged_in(struct monitor *m, struct session *s, struct slice key)
{
    const struct slice none = slice_of(NULL, 0);
    const struct store_login login = {
        .name = slice_text(s->login.name),
        .key = key,
        .token = s->by_token ? slice_of(s->web, sizeof(s->web)) : none,
    };

    store_tell(m, MSG_store_login, &login);
    if (s->by_token)
        return;
    m->counters.logins++;
    log_info("session %llu: %s: account %s logged in by %s", (unsigned long long)s->number,
             s->address.text, s->login.name, s->method);
    session_audit(m, s, "login", "%s", s->method);
}

/* The store has the web session: whoever signed in may have its token. */
static void on_signed_in(struct monitor *m, uint64_t number, uint32_t id, struct envelope *answer)
{
    struct session *s = session_find(m, number);

    (void)id;
    if (s == NULL || s->state != STATE_CHECKING)
        return;
    if (answer == NULL || answer->type != MSG_store_done) {
        deny(m, s, "the store does not keep the web session", "try again later");
        return;
    }
    s->state = STATE_GREETED;
    logged_in(m, s, slice_of(NULL, 0));
    s->login.passed = 0; /* used up: another token needs another code */
    send_answer(m, s, VERDICT_TOKEN, "");
}

/* The store has forgotten the web session: whoever else came by it ends too. */
void auth_signed_out(struct monitor *m, uint64_t number, uint32_t id, struct envelope *answer)
{
    struct session *s = session_find(m, number);
    const bool done = answer != NULL && answer->type == MSG_store_done;

    (void)id;
    if (s == NULL)
        return;
    for (struct session *o = m->sessions; done && o != NULL; o = o->next) {
        if (o != s && o->by_token && memcmp(o->web, s->web, sizeof(o->web)) == 0)
            session_stop(m, o, "signed out");
    }
    if (done)
        session_audit(m, s, "sign-out", "%s", "");
    if (s->state == STATE_ENDING)
        return;
    send_answer(m, s, done ? VERDICT_OUT : VERDICT_DENIED, done ? "" : "try again later");
    if (done && !s->ended)
        session_goodbye(s, "signed out");
}

/* Another step must follow. */
static void ask_more(struct monitor *m, struct session *s)
{
    s->state = STATE_GREETED;
    send_answer(m, s, VERDICT_PARTIAL, "");
}

/* What the store says of a code. A wrong one takes the first step with it. */
static void on_code(struct monitor *m, uint64_t number, uint32_t id, struct envelope *answer)
{
    struct session *s = session_find(m, number);

    (void)id;
    if (s == NULL || s->state != STATE_CHECKING)
        return;
    s->login.code_due = false;
    s->login.proven = AUTH_CODE;
    if (answer != NULL && answer->type == MSG_store_done) {
        proven(m, s);
        secret_clear(&s->login.hash);
        return;
    }
    s->login.passed = 0;
    deny(m, s, answer == NULL ? "the store does not answer" : "wrong code",
         answer == NULL ? "try again later" : NULL);
}

static void check_code(struct monitor *m, struct session *s, struct slice code)
{
    const struct totp_check check = {
        .name = slice_text(s->login.name), .code = code, .address = slice_text(s->address.text)};

    store_ask(m, MSG_totp_check, &check, s->number, on_code);
}

/* A code must follow the first step; one that came behind the password is looked at now. */
static void ask_code(struct monitor *m, struct session *s)
{
    const struct secret *password = &s->login.password;

    s->login.code_due = true;
    if (s->login.joined)
        check_code(m, s, slice_of(password->bytes + password->len - CODE_DIGITS, CODE_DIGITS));
    else
        ask_more(m, s);
}

/* A session begins: with its agent, whose word opens; in a browser before that. */
static void begin_session(struct monitor *m, struct session *s)
{
    struct login *l = &s->login;

    slice_copy(slice_text(l->name), s->account, sizeof(s->account));
    const char *why = limits_login(m, s, l->max_sessions);
    if (why != NULL) {
        l->passed &= ~l->proven;
        deny(m, s, why, why);
    } else if (s->kind == WORKER_HTTPS) {
        s->state = STATE_KNOWN;
        s->deadline_ms = 0;
        logged_in(m, s, slice_of(NULL, 0));
        send_answer(m, s, VERDICT_KNOWN, "");
    } else {
        s->agent_due = m->agents_due = true; /* the loop starts it: no message of a worker does */
    }
}

/* One method was shown. Another may be needed; else it is done what it was shown for. */
static void proven(struct monitor *m, struct session *s)
{
    const unsigned both = AUTH_PASSWORD | AUTH_PUBLICKEY;
    struct login *l = &s->login;

    l->passed |= l->proven;
    snprintf(s->method, sizeof(s->method), "%s%s",
             (l->passed & both) == both         ? "publickey+password"
             : (l->passed & AUTH_PASSWORD) != 0 ? "password"
                                                : "publickey",
             (l->passed & AUTH_CODE) != 0 ? "+code" : "");
    if ((l->flags & ACCOUNT_BOTH) != 0 && (l->passed & both) != both)
        ask_more(m, s);
    else if ((l->flags & ACCOUNT_CODE_ON) != 0 && !s->by_token && (l->passed & AUTH_CODE) == 0)
        ask_code(m, s);
    else if (lacks_codes(l) && s->kind != WORKER_HTTPS)
        deny(m, s, "codes are required and not set up", "sign in with a browser first: " CODES_DUE);
    else if (l->purpose == PURPOSE_SIGN_IN)
        web_sign_in(m, s, on_signed_in);
    else if (l->purpose != PURPOSE_SESSION)
        own_change(m, s);
    else
        begin_session(m, s);
}

void auth_agent_ready(struct monitor *m, struct session *s, const char *trouble)
{
    struct auth_key used = {0};
    struct login *l = &s->login;

    if (s->state != STATE_CHECKING)
        return;
    if (trouble != NULL) {
        log_error("session %llu: account %s: %s", (unsigned long long)s->number, s->account,
                  trouble);
        s->account[0] = '\0';
        m->counters.refusals++;
        session_audit(m, s, "refused", "%s", trouble);
        give_up(m, s, "the account's folder cannot be opened; the operator's log says why");
        return;
    }
    if (l->request != NULL) {
        struct slice rest = slice_of(l->request, l->request_len);
        unnest_auth_key(&rest, &used);
    }
    s->state = STATE_OPEN;
    s->deadline_ms = 0;
    send_answer(m, s, VERDICT_OPEN, "");
    if (s->ended)
        return;
    if (s->kind != WORKER_HTTPS) /* there it was before */
        logged_in(m, s, used.key);
    close(s->agent_link);
    s->agent_link = -1;
    login_clear(l);
}

/* ------------------------------------------------------------------------- the store's answer */

static bool is_ours(const struct config *c, uint32_t id)
{
    return (id >= c->server_worker_ids.first && id <= c->server_worker_ids.last) ||
           id == c->server_store_id || id == c->server_hasher_id || id == 0;
}

/* Why this account may not log in now, or NULL. Ids of the server's own processes are no account's,
 * whatever the store says. */
static const char *account_trouble(const struct monitor *m, const struct login *l)
{
    struct slice folders = slice_of(l->folders, l->folders_len);
    struct folder folder;

    if (!l->found)
        return "no such account";
    bool ours = is_ours(&m->config, l->uid) || is_ours(&m->config, l->gid);
    while (unnest_folder(&folders, &folder) == 1)
        ours = ours || is_ours(&m->config, folder.gid);
    if (m->root && ours)
        return "the account has an id of the server's own";
    if (l->status != ACCOUNT_ENABLED)
        return "the account is disabled";
    if (l->expires != 0 && time(NULL) >= l->expires)
        return "the account has expired";
    return NULL;
}

/* Keep what the store said. Returns -1 when it said nothing that can be used. */
static int take_account(struct login *l, bool by_token, struct envelope *answer)
{
    struct account a;

    l->found = l->key_known = false;
    if (answer == NULL)
        return -1;
    if (answer->type == MSG_nothing_more)
        return 0;
    if (decode_account(answer, &a) < 0 ||
        (by_token ? slice_copy(a.name, l->name, sizeof(l->name)) < 0
                  : !slice_is(a.name, l->name)) ||
        secret_set(&l->hash, a.password) < 0 || slice_copy(a.home, l->home, sizeof(l->home)) < 0)
        return -1;
    OPENSSL_free(l->folders);
    l->folders = OPENSSL_malloc(a.folders.len + 1);
    if (l->folders == NULL)
        return -1;
    memcpy(l->folders, a.folders.data, a.folders.len);
    l->folders_len = a.folders.len;
    l->found = true;
    l->key_known = a.key_known == 1;
    l->uid = a.uid;
    l->gid = a.gid;
    l->status = a.status;
    l->rights = a.rights;
    l->flags = a.flags;
    l->max_sessions = a.max_sessions;
    l->expires = a.expires;
    l->bandwidth = a.bandwidth;
    return 0;
}

/* And the hash that it was compared with; a sign-in that waits for a code needs that once more. */
static void forget_password(struct login *l)
{
    secret_clear(&l->password);
    if (!l->code_due)
        secret_clear(&l->hash);
}

static bool ends_in_code(const struct secret *password)
{
    size_t digits = 0;

    while (digits < CODE_DIGITS && digits < password->len &&
           isdigit(password->bytes[password->len - digits - 1]))
        digits++;
    return digits == CODE_DIGITS;
}

static void hash_password(struct monitor *m, struct session *s);

static void on_hash(struct monitor *m, uint64_t number, struct slice hash, struct slice weak)
{
    struct session *s = session_find(m, number);
    struct login *l = s != NULL ? &s->login : NULL;

    (void)weak; /* what is there already is not judged */
    if (s == NULL || s->state != STATE_CHECKING)
        return;
    /* The comparison is always made, on something of the same length where there is no hash. */
    const bool same = hash.len > 0 && hash.len == l->hash.len &&
                      CRYPTO_memcmp(hash.data, l->hash.bytes, hash.len) == 0 &&
                      (!l->joined || (l->flags & ACCOUNT_CODE_ON) != 0);
    /* FTP clients that cannot be asked for a code have it behind the password. Looked at for every
     * account: the time would tell which have codes. */
    if (s->kind == WORKER_FTPS && !same && !l->joined && ends_in_code(&l->password)) {
        l->joined = true;
        hash_password(m, s);
        return;
    }
    const char *trouble = account_trouble(m, l);
    if (hash.len == 0 && trouble == NULL) {
        deny(m, s, "the password could not be hashed", "try again later");
    } else if (trouble != NULL || !same) {
        deny(m, s, trouble != NULL ? trouble : "wrong password", NULL);
    } else {
        if (s->kind == WORKER_HTTPS)
            web_remember(m, l);
        proven(m, s);
    }
    forget_password(l);
}

/* The session whose login waits for this answer, with the account taken from it. NULL: it has
 * ended, or there was no answer and it was told so. */
static struct session *answered_session(struct monitor *m, uint64_t number, struct envelope *answer)
{
    struct session *s = session_find(m, number);

    if (s == NULL || s->state != STATE_CHECKING)
        return NULL;
    if (take_account(&s->login, s->by_token, answer) == 0)
        return s;
    deny(m, s, "the store does not answer", "try again later");
    return NULL;
}

/* What a hasher needs to hash once more (crypt(5)): method, cost and salt. Not the hash: a hasher
 * that was taken over would give it back, whatever the password. */
static struct slice setting_of(const struct secret *hash)
{
    const uint8_t *last = memrchr(hash->bytes, '$', hash->len);

    if (hash->len > BCRYPT_SETTING && memcmp(hash->bytes, "$2", 2) == 0)
        return slice_of(hash->bytes, BCRYPT_SETTING); /* it has no $ before the hash */
    return last != NULL ? slice_of(hash->bytes, (size_t)(last - hash->bytes) + 1)
                        : slice_of(NULL, 0);
}

/* No account, or one without a password: an empty setting, and the hasher makes a new hash at the
 * same cost, which nothing equals. */
static void hash_password(struct monitor *m, struct session *s)
{
    struct login *l = &s->login;

    const struct slice password =
        slice_of(l->password.bytes, l->password.len - (l->joined ? CODE_DIGITS : 0));
    if (hash_ask(m, password, setting_of(&l->hash), false, s->number, on_hash) < 0)
        deny(m, s, "too many passwords wait to be hashed", "try again later");
}

static void on_account_for_password(struct monitor *m, uint64_t number, uint32_t id,
                                    struct envelope *answer)
{
    struct session *s = answered_session(m, number, answer);

    (void)id;
    if (s == NULL)
        return;
    struct login *l = &s->login;
    if (s->kind == WORKER_HTTPS && web_remembers(m, l) && account_trouble(m, l) == NULL) {
        proven(m, s);
        forget_password(l);
    } else {
        hash_password(m, s);
    }
}

/* Of a key that the account has: no other is ever parsed. */
static bool signature_fits(const struct session *s)
{
    struct slice rest = slice_of(s->login.request, s->login.request_len);
    struct auth_key claim;

    return unnest_auth_key(&rest, &claim) == 1 && verify_login_signature(&s->exchange, &claim) == 1;
}

/* By a key, or by the token of a web session, which the store found it by. */
static void on_account_for_proof(struct monitor *m, uint64_t number, uint32_t id,
                                 struct envelope *answer)
{
    struct session *s = answered_session(m, number, answer);

    (void)id;
    if (s == NULL)
        return;
    struct login *l = &s->login;
    secret_clear(&l->hash);
    const char *trouble = account_trouble(m, l);
    if (trouble == NULL && !s->by_token && !l->key_known)
        trouble = "not a key of this account";
    if (trouble != NULL) {
        deny(m, s, trouble, NULL);
    } else if (l->query) {
        s->state = STATE_GREETED;
        send_answer(m, s, VERDICT_KEY_OK, "");
    } else if (s->by_token || signature_fits(s)) {
        proven(m, s);
    } else {
        deny(m, s, "wrong signature", NULL);
    }
}

/* ------------------------------------------------------------------------- handlers */

/* A try begins. A change of name forgets what was shown under the other. */
static int begin(struct session *s, const struct envelope *e, struct slice user, unsigned method,
                 bool query, const char **why)
{
    struct login *l = &s->login;
    char name[ACCOUNT_NAME_MAX + 1];

    if (slice_copy(user, name, sizeof(name)) < 0) {
        *why = "sent a name that is none";
        return -1;
    }
    const unsigned passed = strcmp(name, l->name) == 0 ? l->passed : 0;
    login_clear(l);
    s->by_token = false;
    memcpy(l->name, name, sizeof(name));
    l->passed = passed;
    l->proven = method;
    l->query = query;
    l->request_id = e->id;
    return 0;
}

int on_auth_query(struct monitor *m, struct session *s, struct envelope *e, const char **why)
{
    struct auth_query q;

    *why = "sent an auth_query that does not decode";
    if (decode_auth_query(e, &q) < 0 || begin(s, e, q.user, AUTH_PUBLICKEY, true, why) < 0)
        return -1;
    if (!name_list_has(slice_text(m->config.sftp_public_key_algorithms), q.algorithm) ||
        !key_algorithm_fits(q.algorithm, q.key)) {
        deny(m, s, "algorithm not allowed", NULL);
        return 0;
    }
    const struct store_find find = {.name = q.user, .key = q.key};
    store_ask(m, MSG_store_find, &find, s->number, on_account_for_proof);
    return 0;
}

int on_auth_key(struct monitor *m, struct session *s, struct envelope *e, const char **why)
{
    struct auth_key claim;
    uint8_t copy[MESSAGE_MAX];
    ssize_t len;

    *why = "sent an auth_key that does not decode";
    if (decode_auth_key(e, &claim) < 0 || (len = nest_auth_key(&claim, copy, 0, sizeof(copy))) < 0)
        return -1;
    if (s->exchange.session_id_len == 0) {
        *why = "sent an auth_key before any key exchange";
        return -1;
    }
    if (begin(s, e, claim.user, AUTH_PUBLICKEY, false, why) < 0)
        return -1;
    if (!name_list_has(slice_text(m->config.sftp_public_key_algorithms), claim.algorithm) ||
        !key_algorithm_fits(claim.algorithm, claim.key)) {
        deny(m, s, "algorithm not allowed", NULL);
        return 0;
    }
    s->login.request = OPENSSL_malloc((size_t)len);
    if (s->login.request == NULL) {
        deny(m, s, "no memory", "try again later");
        return 0;
    }
    memcpy(s->login.request, copy, (size_t)len);
    s->login.request_len = (size_t)len;
    const struct store_find find = {.name = claim.user, .key = claim.key};
    store_ask(m, MSG_store_find, &find, s->number, on_account_for_proof);
    return 0;
}

int on_auth_password(struct monitor *m, struct session *s, struct envelope *e, const char **why)
{
    struct auth_password claim;

    *why = "sent an auth_password that does not decode";
    if (decode_auth_password(e, &claim) < 0 || claim.purpose > PURPOSE_CODES ||
        begin(s, e, claim.user, AUTH_PASSWORD, false, why) < 0)
        return -1;
    if (s->kind == WORKER_HTTPS)
        s->login.purpose = (enum login_purpose)claim.purpose;
    if (memchr(claim.password.data, 0, claim.password.len) != NULL ||
        secret_set(&s->login.password, claim.password) < 0 ||
        (s->kind == WORKER_HTTPS && secret_set(&s->login.fresh, claim.fresh) < 0)) {
        deny(m, s, "a password with a NUL byte", NULL);
        return 0;
    }
    const struct store_find find = {.name = claim.user};
    store_ask(m, MSG_store_find, &find, s->number, on_account_for_password);
    return 0;
}

int on_auth_token(struct monitor *m, struct session *s, struct envelope *e, const char **why)
{
    struct auth_token claim;

    *why = "sent an auth_token that does not decode";
    if (decode_auth_token(e, &claim) < 0 ||
        begin(s, e, slice_of(NULL, 0), AUTH_PASSWORD, false, why) < 0)
        return -1;
    return web_ask(m, s, &claim, on_account_for_proof);
}

int on_auth_code(struct monitor *m, struct session *s, struct envelope *e, const char **why)
{
    struct auth_code claim;

    *why = "sent an auth_code that nobody asked for, or that does not decode";
    if (decode_auth_code(e, &claim) < 0 || !s->login.code_due)
        return -1;
    s->login.request_id = e->id;
    check_code(m, s, claim.code);
    return 0;
}

int on_agent_wanted(struct monitor *m, struct session *s, struct envelope *e, const char **why)
{
    struct agent_wanted request;

    *why = "sent an agent_wanted that does not decode";
    if (decode_agent_wanted(e, &request) < 0)
        return -1;
    s->login.request_id = e->id;
    if (lacks_codes(&s->login))
        give_up(m, s, CODES_DUE);
    else
        s->agent_due = m->agents_due = true;
    return 0;
}
