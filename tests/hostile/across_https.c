/* What belongs to one web session, account or connection over HTTPS, used in another: tokens, what
 * is remembered of passwords, TLS sessions, agents. Called by main.c. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "tests/hostile/hostile.h"

#define QUIET_MS   200 /* how long nothing must come where nothing may */
#define TOKENS_ONE 8   /* shown in one session */

static struct slice token_slice(const uint8_t token[WEB_TOKEN])
{
    return slice_of(token, WEB_TOKEN);
}

/* A fresh token. */
static void sign_in(struct hostile *h, const char *user, uint8_t token[WEB_TOKEN])
{
    struct actor a;

    actor_make(h, STAND_GREETED, &a);
    if (web_sign_in(h, &a, user, PASSWORD, token) != VERDICT_TOKEN)
        give_up("%s cannot sign in: see %s/log", user, h->place);
    actor_drop(&a);
}

/* Whose is a session that shows this token? NULL: nobody's. */
static bool opens(struct hostile *h, const uint8_t token[WEB_TOKEN], const char *user)
{
    struct verdict verdict;
    struct actor a;

    actor_make(h, STAND_GREETED, &a);
    const enum verdict_outcome outcome = web_log_in(h, &a, token_slice(token));
    const bool decodes = decode_verdict(&h->envelope, &verdict) == 0;
    const bool held = user != NULL
                          ? outcome == VERDICT_KNOWN && decodes && slice_is(verdict.account, user)
                          : outcome == VERDICT_DENIED && decodes && verdict.account.len == 0 &&
                                verdict.uid == 0 && verdict.gid == 0;
    actor_drop(&a);
    return held;
}

/* All 32 bytes or nothing; of one account; and a sign-in opens nothing by itself. */
static void try_tokens(struct hostile *h)
{
    uint8_t one[WEB_TOKEN], two[WEB_TOKEN], bent[WEB_TOKEN];
    struct actor a = {0};

    sign_in(h, ACCOUNT, one);
    sign_in(h, OTHER, two);
    expect(h, memcmp(one, two, sizeof(one)) != 0, "across-https: two tokens are one");
    expect(h, opens(h, one, ACCOUNT) && opens(h, two, OTHER) && opens(h, one, ACCOUNT),
           "across-https: a token is not its account's");
    for (size_t i = 0; i < WEB_TOKEN; i++) {
        if (i % TOKENS_ONE == 0)
            actor_make(h, STAND_GREETED, &a);
        memcpy(bent, one, sizeof(bent));
        bent[i] ^= 0x80;
        expect(h, web_log_in(h, &a, token_slice(bent)) == VERDICT_DENIED,
               "across-https: a token with another byte %zu is good", i);
        if (i % TOKENS_ONE == TOKENS_ONE - 1)
            actor_drop(&a);
    }
    actor_make(h, STAND_GREETED, &a);
    expect(h, web_sign_in(h, &a, BOTH, PASSWORD, bent) == VERDICT_PARTIAL,
           "across-https: half a login brings a token");
    expect(h, web_sign_in(h, &a, ACCOUNT, PASSWORD, bent) == VERDICT_TOKEN,
           "across-https: no token after half a login of another name");
    const struct agent_wanted ask = {0};
    const uint64_t security = server_status(h).security_events;
    if (send_agent_wanted(a.link, 5, &ask) < 0)
        give_up("agent_wanted cannot be sent");
    expect(h, actor_watch(h, &a, security, 0, 5) == SEEN_ENDED,
           "across-https: who has signed in is logged in");
    actor_drop(&a);
}

static enum verdict_outcome sign_out(struct hostile *h, struct actor *a)
{
    const struct sign_out ask = {0};
    struct verdict verdict;

    if (send_sign_out(a->link, 1, &ask) < 0)
        give_up("sign_out cannot be sent");
    raw_wait(h, a->link);
    if (raw_receive(h, a->link, answer_ms) != 1 || decode_verdict(&h->envelope, &verdict) < 0)
        give_up("signing out was not answered");
    actor_drop(a);
    return verdict.outcome;
}

/* Who signs out ends the web session that this connection came by; none, if it came by none. */
static void try_sign_out(struct hostile *h)
{
    uint8_t one[WEB_TOKEN], two[WEB_TOKEN];
    struct actor a, b, c;

    sign_in(h, ACCOUNT, one);
    sign_in(h, ACCOUNT, two);
    actor_make(h, STAND_KNOWN, &a);
    expect(h, sign_out(h, &a) == VERDICT_DENIED, "across-https: signed out without a web session");
    expect(h, opens(h, one, ACCOUNT) && opens(h, two, ACCOUNT),
           "across-https: a web session ended by who came by a password");
    actor_make(h, STAND_GREETED, &a);
    if (web_log_in(h, &a, token_slice(one)) != VERDICT_KNOWN)
        give_up("a good token was refused");
    actor_make(h, STAND_GREETED, &b);
    if (web_log_in(h, &b, token_slice(two)) != VERDICT_KNOWN)
        give_up("a good token was refused");
    actor_make(h, STAND_GREETED, &c);
    if (web_log_in(h, &c, token_slice(one)) != VERDICT_KNOWN)
        give_up("a good token was refused");
    expect(h, sign_out(h, &a) == VERDICT_OUT, "across-https: signing out is refused");
    expect(h, raw_receive(h, c.link, answer_ms) == 1 && h->envelope.type == MSG_worker_stop,
           "across-https: another connection of the web session goes on");
    actor_drop(&c);
    expect(h, opens(h, one, NULL), "across-https: a token is good after signing out");
    expect(h, opens(h, two, ACCOUNT), "across-https: A signed out B");
    expect(h, web_want_agent(h, &b) == VERDICT_OPEN, "across-https: A ended B's connection");
    actor_drop(&b);
}

/* What an account was signed in by holds no longer than what it was: password, status, and both
 * methods wanted. */
static void try_changes(struct hostile *h)
{
    uint8_t token[WEB_TOKEN];
    struct user_set set = {.valid = ACCOUNT_SET_STATUS, .name = slice_text(OTHER)};
    unsigned tries = 1;
    struct actor a;

    sign_in(h, OTHER, token);
    for (int disabled = 1; disabled >= 0; disabled--) {
        set.status = disabled ? ACCOUNT_DISABLED : ACCOUNT_ENABLED;
        server_set(h, &set);
        expect(h, opens(h, token, NULL), "across-https: a token is good after a change of status");
    }
    sign_in(h, OTHER, token);
    server_password(h, OTHER, PASSWORD "!");
    expect(h, opens(h, token, NULL), "across-https: a token is good after a change of password");
    server_password(h, OTHER, PASSWORD);
    expect(h, opens(h, token, NULL), "across-https: a token is good again");
    sign_in(h, OTHER, token);
    set.valid = ACCOUNT_SET_FLAGS;
    set.flags = ACCOUNT_BOTH;
    server_set(h, &set);
    actor_make(h, STAND_GREETED, &a);
    expect(h, web_log_in(h, &a, token_slice(token)) == VERDICT_PARTIAL,
           "across-https: a token is two methods");
    while (tries < 50 && login_by_password(h, &a, OTHER, "wrong") == VERDICT_DENIED)
        tries++;
    expect(h, tries == 6, "across-https: %u tries after a token", tries);
    actor_drop(&a);
    set.flags = 0;
    server_set(h, &set);
}

/* Signed in by a password that is changed before the web session is made: there is none. */
static void try_race(struct hostile *h)
{
    const struct auth_password claim = {
        .user = slice_text(OTHER), .password = slice_text(PASSWORD), .purpose = PURPOSE_SIGN_IN};
    struct actor a;

    server_password(h, OTHER, PASSWORD);
    server_hold_hashers(h, true);
    actor_make(h, STAND_GREETED, &a);
    if (send_auth_password(a.link, 1, &claim) < 0)
        give_up("auth_password cannot be sent");
    raw_wait(h, a.link);
    server_password(h, OTHER, PASSWORD "!");
    server_hold_hashers(h, false);
    expect(h, actor_verdict(h, &a) == VERDICT_DENIED,
           "across-https: a web session by a password that was changed meanwhile");
    actor_drop(&a);
    server_password(h, OTHER, PASSWORD);
}

/* Ask for a login that nobody can hash now: is it answered? */
static bool asks(struct hostile *h, struct actor *a, enum role kind, const char *user,
                 const char *password)
{
    const struct auth_password claim = {.user = slice_text(user), .password = slice_text(password)};

    h->kind = kind;
    actor_make(h, STAND_GREETED, a);
    h->kind = ROLE_HTTPS;
    if (send_auth_password(a->link, 1, &claim) < 0)
        give_up("auth_password cannot be sent");
    return children_wait(h, a->link, POLLIN, QUIET_MS);
}

/* What is remembered is the password of one account as it is now, and for HTTPS alone. */
static void try_remembered(struct hostile *h)
{
    static const struct {
        enum role kind;
        const char *user, *password, *what;
        enum verdict_outcome outcome;
    } rows[] = {
        // clang-format off
        {ROLE_HTTPS, ACCOUNT, PASSWORD "!", "with a byte more",  VERDICT_DENIED},
        {ROLE_HTTPS, OTHER,   PASSWORD,     "that was changed",  VERDICT_DENIED},
        {ROLE_HTTPS, BOTH,    PASSWORD,     "that was set anew", VERDICT_PARTIAL},
        {ROLE_HTTPS, "nobody", PASSWORD,    "of nobody",         VERDICT_DENIED},
        {ROLE_FTPS,  ACCOUNT, PASSWORD,     "of HTTPS",          VERDICT_OPEN},
        // clang-format on
    };
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    struct actor all[ROWS], a;
    uint8_t token[WEB_TOKEN];

    sign_in(h, ACCOUNT, token);
    sign_in(h, OTHER, token);
    server_password(h, OTHER, PASSWORD "?");
    server_password(h, BOTH, PASSWORD); /* it is not what it was: the hash is another */
    server_hold_hashers(h, true);
    expect(h, asks(h, &a, ROLE_HTTPS, ACCOUNT, PASSWORD) && actor_verdict(h, &a) == VERDICT_KNOWN,
           "across-https: a password that was right a moment ago is hashed again");
    actor_drop(&a);
    for (size_t i = 0; i < ROWS; i++)
        expect(h, !asks(h, &all[i], rows[i].kind, rows[i].user, rows[i].password),
               "across-https: a password %s is remembered", rows[i].what);
    server_hold_hashers(h, false);
    for (size_t i = 0; i < ROWS; i++) {
        expect(h, actor_verdict(h, &all[i]) == rows[i].outcome,
               "across-https: a password %s: outcome", rows[i].what);
        actor_drop(&all[i]);
    }
    server_password(h, OTHER, PASSWORD);
}

/* The agent, asked for twice at once: the second is heard while the first is awaited. */
static void try_agents(struct hostile *h)
{
    const struct agent_wanted ask = {0};
    struct actor a;

    actor_make(h, STAND_KNOWN, &a);
    const uint64_t security = server_status(h).security_events;
    const off_t log_from = log_end(h);
    if (send_agent_wanted(a.link, 1, &ask) < 0 || send_agent_wanted(a.link, 2, &ask) < 0)
        give_up("agent_wanted cannot be sent");
    expect(h,
           actor_watch(h, &a, security, QUIET_MS, 1) == SEEN_ENDED &&
               actor_ended(h, &a, log_from) == NULL,
           "across-https: two agents in one session");
    actor_drop(&a);
}

/* A TLS session is had by its id alone, and a newer one takes its place. */
static void try_tls_sessions(struct hostile *h)
{
    const struct slice one = slice_text("one"), two = slice_text("two"), none = {0};
    uint8_t id[32], other[32];
    struct actor a, b;

    memset(id, 0x22, sizeof(id));
    memset(other, 0x22, sizeof(other));
    other[31] ^= 1; /* of the same slot */
    actor_make(h, STAND_GREETED, &a);
    actor_make(h, STAND_GREETED, &b);
    tls_keep_session(h, &a, id, one);
    expect(h, tls_finds_session(h, &b, id, one), "across-https: a TLS session is not resumed");
    expect(h, tls_finds_session(h, &b, other, none),
           "across-https: a TLS session is found under another id");
    actor_drop(&b);
    actor_make(h, STAND_GREETED, &b);
    tls_keep_session(h, &b, other, two);
    expect(h, tls_finds_session(h, &a, id, none) && tls_finds_session(h, &a, other, two),
           "across-https: two TLS sessions are in one slot");
    tls_keep_session(h, &b, other, one);
    expect(h, tls_finds_session(h, &b, other, one),
           "across-https: a TLS session is older than the last one");
    actor_drop(&a);
    actor_drop(&b);
}

void across_https_run(struct hostile *h)
{
    h->kind = ROLE_HTTPS;
    try_tokens(h);
    try_sign_out(h);
    try_changes(h);
    try_race(h);
    try_remembered(h);
    try_agents(h);
    try_tls_sessions(h);
    h->kind = ROLE_SFTP;
}
