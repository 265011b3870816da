/* One's own account, taken for another's: questions that name somebody else, codes, links and
 * numbers of A in B, two steps of a login that do not belong together, and two things at once.
 * Against the real store. Called by main.c. */
#include <poll.h>
#include <string.h>

#include "tests/hostile/hostile.h"

#define QUIET_MS 200 /* how long nothing must come where nothing may */
#define EVIL     "another velvet quince tundra 8"

static struct slice token_slice(const uint8_t token[WEB_TOKEN])
{
    return slice_of(token, WEB_TOKEN);
}

/* Send it where it must not be heard: is the worker ended, and told of? */
static bool ends(struct hostile *h, struct actor *a, enum message_type type, const void *message)
{
    const uint64_t security = server_status(h).security_events;
    const off_t log_from = log_end(h);

    if (message_send(a->link, type, 77, message, NULL, 0) < 0)
        give_up("%s cannot be sent", message_info(type)->name);
    const bool ended = actor_watch(h, a, security, 0, 77) == SEEN_ENDED;
    return ended && actor_ended(h, a, log_from) == NULL;
}

static enum verdict_outcome show_code(struct hostile *h, struct actor *a, const char *code)
{
    const struct auth_code m = {.code = slice_text(code)};
    struct verdict verdict;

    if (own_ask(h, a, MSG_auth_code, &m) != MSG_verdict ||
        decode_verdict(&h->envelope, &verdict) < 0)
        give_up("a code gets no verdict");
    return (enum verdict_outcome)verdict.outcome;
}

static enum message_type use_link(struct hostile *h, struct actor *a,
                                  const uint8_t token[WEB_TOKEN], const char *fresh)
{
    const struct auth_link m = {.token = token_slice(token), .use = 1, .fresh = slice_text(fresh)};

    return own_ask(h, a, MSG_auth_link, &m);
}

/* Can somebody log in by this? */
static bool opens(struct hostile *h, const char *user, const char *password)
{
    struct actor a;

    web_greeted(h, &a);
    const bool opened = login_by_password(h, &a, user, password) == VERDICT_KNOWN;
    actor_drop(&a);
    return opened;
}

/* ------------------------------------------------------------------------- whose it is */

static unsigned count_keys(struct hostile *h, const char *user)
{
    struct key_next next = {.name = slice_text(user)};
    struct key key;
    unsigned n = 0;

    while (server_ask(h, MSG_key_next, &next) == MSG_key && decode_key(&h->answer, &key) == 0) {
        next.after = key.number;
        n++;
    }
    return n;
}

/* Logged in as OTHER, and always naming LINKED: what is told and done is OTHER's. */
static void try_keys(struct hostile *h)
{
    const unsigned keys = count_keys(h, LINKED), own = count_keys(h, OTHER);
    const uint64_t theirs = key_first(h, LINKED), ours = key_first(h, OTHER);
    const struct slice name = slice_text(LINKED);
    const struct key_next next = {.name = name};
    struct key_add add = {.name = name, .comment = slice_text("evil")};
    struct key_remove remove = {.name = name, .number = theirs};
    uint8_t blob[BLOB_MAX];
    size_t len = 0;
    struct key key;
    struct store_done done;
    struct actor a;

    web_actor(h, &a, OTHER, PASSWORD);
    expect(h,
           own_ask(h, &a, MSG_key_next, &next) == MSG_key && decode_key(&h->envelope, &key) == 0 &&
               key.number == ours && ours != theirs,
           "across-own: another's keys are told");
    EVP_PKEY_free(key_make(blob, &len));
    add.key = slice_of(blob, len);
    expect(h,
           own_ask(h, &a, MSG_key_add, &add) == MSG_store_done &&
               decode_store_done(&h->envelope, &done) == 0 && count_keys(h, LINKED) == keys &&
               count_keys(h, OTHER) == own + 1,
           "across-own: a key is added to another's");
    expect(h,
           own_ask(h, &a, MSG_key_remove, &remove) == MSG_store_refused &&
               count_keys(h, LINKED) == keys,
           "across-own: another's key is removed");
    remove.number = done.number;
    expect(h,
           own_ask(h, &a, MSG_key_remove, &remove) == MSG_store_done &&
               count_keys(h, OTHER) == own && count_keys(h, LINKED) == keys,
           "across-own: one's own key is not removed under another's name");
    actor_drop(&a);
}

static void try_shown(struct hostile *h)
{
    const struct own_show show = {.name = slice_text(LINKED)};
    struct own_is is;
    struct actor a;

    web_actor(h, &a, OTHER, PASSWORD);
    expect(h,
           own_ask(h, &a, MSG_own_show, &show) == MSG_own_is &&
               decode_own_is(&h->envelope, &is) == 0 && is.email.len == 0,
           "across-own: another's account is shown");
    actor_drop(&a);
    web_actor(h, &a, LINKED, STRONG);
    expect(h,
           own_ask(h, &a, MSG_own_show, &show) == MSG_own_is &&
               decode_own_is(&h->envelope, &is) == 0 && slice_is(is.email, ADDRESS),
           "across-own: one's own account is not shown");
    actor_drop(&a);
}

/* Is a web session still good? */
static bool token_opens(struct hostile *h, const uint8_t token[WEB_TOKEN])
{
    struct actor a;

    web_greeted(h, &a);
    const bool known = web_log_in(h, &a, token_slice(token)) == VERDICT_KNOWN;
    actor_drop(&a);
    return known;
}

static void try_web_sessions(struct hostile *h)
{
    uint8_t one[WEB_TOKEN], two[WEB_TOKEN];
    const uint64_t ours = web_number(h, OTHER, one), theirs = web_number(h, ACCOUNT, two);
    struct web_end end = {.name = slice_text(ACCOUNT), .number = theirs};
    struct web_next next = {.name = slice_text(ACCOUNT)};
    struct web_is is;
    struct actor a;
    bool seen = false;

    web_actor(h, &a, OTHER, PASSWORD);
    while (own_ask(h, &a, MSG_web_next, &next) == MSG_web_is &&
           decode_web_is(&h->envelope, &is) == 0) {
        next.after = is.number;
        seen = seen || is.number == theirs;
    }
    expect(h, !seen && next.after == ours, "across-own: another's web sessions are told");
    expect(h, own_ask(h, &a, MSG_web_end, &end) == MSG_store_refused && token_opens(h, two),
           "across-own: another's web session is ended");
    end.number = ours;
    expect(h,
           own_ask(h, &a, MSG_web_end, &end) == MSG_store_done && !token_opens(h, one) &&
               token_opens(h, two),
           "across-own: one's own web session is not ended");
    actor_drop(&a);
}

/* Connections that came by a web session of LINKED, one by each of these tokens; the other ends. */
static void must_end(struct hostile *h, const char *by, const uint8_t gone[WEB_TOKEN],
                     const uint8_t left[WEB_TOKEN], enum message_type type, const void *message,
                     struct actor *asker)
{
    struct actor a, b;

    web_greeted(h, &a);
    web_greeted(h, &b);
    if (web_log_in(h, &a, token_slice(gone)) != VERDICT_KNOWN ||
        (left != NULL && web_log_in(h, &b, token_slice(left)) != VERDICT_KNOWN))
        give_up("a good token was refused");
    expect(h, own_ask(h, asker, type, message) == MSG_store_done, "across-own: no end by %s", by);
    expect(h, raw_receive(h, a.link, answer_ms) == 1 && h->envelope.type == MSG_worker_stop,
           "across-own: a connection outlives its web session, which was ended by %s", by);
    expect(h, raw_receive(h, b.link, QUIET_MS) == -1,
           "across-own: another connection is ended by %s", by);
    actor_drop(&a);
    actor_drop(&b);
}

/* A web session that is ended takes the connections that came by it, and no others. */
static void try_connections(struct hostile *h)
{
    uint8_t one[WEB_TOKEN], two[WEB_TOKEN];
    const uint64_t number = web_number(h, OTHER, one);
    const struct web_end end = {.number = number};
    const struct auth_password change = {.user = slice_text(LINKED),
                                         .password = slice_text(STRONG),
                                         .purpose = PURPOSE_PASSWORD,
                                         .fresh = slice_text(STRONG)};
    struct actor a, b;

    web_number(h, OTHER, two);
    web_actor(h, &a, OTHER, PASSWORD);
    must_end(h, "its number", one, two, MSG_web_end, &end, &a);
    actor_drop(&a);
    web_greeted(h, &a);
    web_greeted(h, &b);
    if (web_sign_in(h, &a, LINKED, STRONG, one) != VERDICT_TOKEN)
        give_up("LINKED cannot sign in: see %s/log", h->place);
    must_end(h, "another password", one, NULL, MSG_auth_password, &change, &b);
    actor_drop(&b);
    if (web_sign_in(h, &a, LINKED, STRONG, one) != VERDICT_TOKEN)
        give_up("LINKED cannot sign in: see %s/log", h->place);
    link_take(h, two);
    const struct auth_link use = {.token = token_slice(two), .use = 1, .fresh = slice_text(STRONG)};
    web_greeted(h, &b);
    must_end(h, "a link", one, NULL, MSG_auth_link, &use, &b);
    actor_drop(&a);
    actor_drop(&b);
}

/* Sessions of all protocols: A's are told to A, and ended by A, alone. */
static void try_sessions(struct hostile *h)
{
    struct session_next next = {.account = slice_text(ACCOUNT)};
    struct session_is is;
    struct control_done done;
    struct actor a, b, c, d;
    unsigned told = 0;

    h->kind = ROLE_SFTP;
    actor_make(h, STAND_OPEN, &b); /* of ACCOUNT */
    h->kind = ROLE_HTTPS;
    web_actor(h, &a, OTHER, PASSWORD);
    web_actor(h, &c, OTHER, PASSWORD);
    web_greeted(h, &d); /* of nobody yet */
    const uint64_t theirs = server_session(h, b.pid, NULL),
                   nobodys = server_session(h, d.pid, NULL);
    while (own_ask(h, &a, MSG_session_next, &next) == MSG_session_is &&
           decode_session_is(&h->envelope, &is) == 0) {
        expect(h, slice_is(is.account, OTHER), "across-own: another's session is told");
        next.after = is.number;
        told++;
    }
    expect(h, told == 2, "across-own: %u sessions are told, 2 expected", told);
    const uint64_t numbers[] = {theirs, nobodys};
    for (size_t i = 0; i < 2; i++) {
        const struct session_kill kill = {.account = i == 0 ? slice_text(ACCOUNT) : slice_text(""),
                                          .number = numbers[i]};
        expect(h,
               own_ask(h, &a, MSG_session_kill, &kill) == MSG_control_done &&
                   decode_control_done(&h->envelope, &done) == 0 && done.count == 0,
               "across-own: another's session is ended (%zu)", i);
    }
    const struct session_kill all = {.account = slice_text(ACCOUNT)};
    if (send_session_kill(a.link, 5, &all) < 0)
        give_up("session_kill cannot be sent");
    expect(h,
           raw_receive(h, c.link, answer_ms) == 1 && h->envelope.type == MSG_worker_stop &&
               raw_receive(h, b.link, QUIET_MS) == -1 && raw_receive(h, d.link, 0) == -1,
           "across-own: all sessions of an account are not that account's");
    char state[32];
    server_state(h, b.pid, state, sizeof(state));
    expect(h, strcmp(state, "open") == 0, "across-own: another's session is %s", state);
    actor_drop(&a);
    actor_drop(&b);
    actor_drop(&c);
    actor_drop(&d);
}

/* ------------------------------------------------------------------------- codes */

/* Codes of one account are none of another's, a code is right once, and a worker is no operator. */
static void try_codes(struct hostile *h)
{
    const struct totp_remove remove = {
        .name = slice_text(CODED), .code = slice_text("000000"), .by_operator = 1};
    char linked[RECOVERY][CODE_MAX + 1];
    struct actor a;

    codes_enrol(h, LINKED, STRONG, linked);
    const char *code = code_take(h);
    actor_make(h, STAND_CODED, &a);
    expect(h, show_code(h, &a, linked[0]) == VERDICT_DENIED,
           "across-own: another account's code is right");
    actor_drop(&a);
    actor_make(h, STAND_CODED, &a);
    expect(h, show_code(h, &a, code) == VERDICT_KNOWN, "across-own: a right code is refused");
    expect(h, own_ask(h, &a, MSG_totp_remove, &remove) == MSG_store_refused,
           "across-own: a worker removes codes as the operator");
    actor_drop(&a);
    actor_make(h, STAND_CODED, &a); /* does not return if no code is asked for */
    expect(h, show_code(h, &a, code) == VERDICT_DENIED, "across-own: a code is right twice");
    actor_drop(&a);
    /* As LINKED, naming CODED: its own go, the other's stay. */
    web_greeted(h, &a);
    const struct totp_remove own = {.name = slice_text(CODED), .code = slice_text(linked[2])};
    expect(h,
           login_by_password(h, &a, LINKED, STRONG) == VERDICT_PARTIAL &&
               show_code(h, &a, linked[1]) == VERDICT_KNOWN &&
               own_ask(h, &a, MSG_totp_remove, &own) == MSG_store_done && opens(h, LINKED, STRONG),
           "across-own: one's own codes are not removed");
    actor_drop(&a);
    actor_make(h, STAND_CODED, &a);
    actor_drop(&a);
}

/* One code, shown in two sessions at once: one of them is let in. */
static void try_code_twice(struct hostile *h)
{
    const struct auth_code m = {.code = slice_text(code_take(h))};
    struct actor a, b;

    actor_make(h, STAND_CODED, &a);
    actor_make(h, STAND_CODED, &b);
    server_hold(h, true);
    if (send_auth_code(a.link, 1, &m) < 0 || send_auth_code(b.link, 1, &m) < 0)
        give_up("auth_code cannot be sent");
    raw_wait(h, a.link);
    raw_wait(h, b.link);
    server_hold(h, false);
    const enum verdict_outcome one = actor_verdict(h, &a), two = actor_verdict(h, &b);
    expect(h, (one == VERDICT_KNOWN) + (two == VERDICT_KNOWN) == 1,
           "across-own: a code shown twice at once: %d and %d", (int)one, (int)two);
    actor_drop(&a);
    actor_drop(&b);
}

/* Between the first step and the code, something else. */
static void try_between(struct hostile *h)
{
    const struct auth_code code = {.code = slice_text(code_take(h))};
    const struct auth_token token = {.token = slice_of(h->token, sizeof(h->token))};
    uint8_t link[WEB_TOKEN];
    struct verdict verdict;
    struct actor a;

    /* A password for another name, wrong or right; the same name with a wrong one; a token; a link:
     * nothing is due then, and a code ends the worker. */
    actor_make(h, STAND_CODED, &a);
    expect(h,
           login_by_password(h, &a, ACCOUNT, "wrong") == VERDICT_DENIED &&
               ends(h, &a, MSG_auth_code, &code),
           "across-own: a code after a wrong password of another");
    actor_drop(&a);
    actor_make(h, STAND_CODED, &a);
    expect(h,
           login_by_password(h, &a, CODED, "wrong") == VERDICT_DENIED &&
               ends(h, &a, MSG_auth_code, &code),
           "across-own: a code after a wrong password of the same");
    actor_drop(&a);
    actor_make(h, STAND_CODED, &a);
    expect(h,
           login_by_password(h, &a, BOTH, PASSWORD) == VERDICT_PARTIAL &&
               ends(h, &a, MSG_auth_code, &code),
           "across-own: a code after half a login of another");
    actor_drop(&a);
    actor_make(h, STAND_CODED, &a);
    expect(h,
           own_ask(h, &a, MSG_auth_token, &token) == MSG_verdict &&
               decode_verdict(&h->envelope, &verdict) == 0 && verdict.outcome == VERDICT_KNOWN &&
               slice_is(verdict.account, ACCOUNT) && ends(h, &a, MSG_auth_code, &code),
           "across-own: a code after a token");
    actor_drop(&a);
    link_take(h, link);
    const struct auth_link look = {.token = token_slice(link)};
    actor_make(h, STAND_CODED, &a);
    expect(h,
           own_ask(h, &a, MSG_auth_link, &look) == MSG_link_is && ends(h, &a, MSG_auth_code, &code),
           "across-own: a code after a link");
    actor_drop(&a);
    /* The first step again: the code is for that one. A wrong code takes the first step with it. */
    actor_make(h, STAND_CODED, &a);
    expect(h,
           login_by_password(h, &a, CODED, PASSWORD) == VERDICT_PARTIAL &&
               show_code(h, &a, "000000") == VERDICT_DENIED,
           "across-own: a first step twice");
    expect(h,
           login_by_password(h, &a, CODED, PASSWORD) == VERDICT_PARTIAL &&
               own_ask(h, &a, MSG_auth_code, &code) == MSG_verdict &&
               decode_verdict(&h->envelope, &verdict) == 0 && verdict.outcome == VERDICT_KNOWN &&
               slice_is(verdict.account, CODED),
           "across-own: no login after a wrong code");
    actor_drop(&a);
}

/* What the password was shown for stays what it was: the code does not turn a session into a
 * change, nor a change into a session; and each sign-in needs a code of its own. */
static void try_purposes(struct hostile *h)
{
    uint8_t token[WEB_TOKEN];
    struct verdict verdict;
    struct own_is is;
    struct actor a;
    const struct own_show show = {.name = slice_text(CODED)};

    const struct auth_code code = {.code = slice_text(code_take(h))};
    web_greeted(h, &a);
    expect(h,
           own_purpose(h, &a, CODED, PASSWORD, PURPOSE_PASSWORD, EVIL) == MSG_verdict &&
               decode_verdict(&h->envelope, &verdict) == 0 && verdict.outcome == VERDICT_PARTIAL,
           "across-own: a password is changed without a code");
    expect(h, login_by_password(h, &a, CODED, PASSWORD) == VERDICT_PARTIAL,
           "across-own: a second first step");
    expect(h,
           own_ask(h, &a, MSG_auth_code, &code) == MSG_verdict &&
               decode_verdict(&h->envelope, &verdict) == 0 && verdict.outcome == VERDICT_KNOWN,
           "across-own: the first purpose is the second's");
    expect(h,
           own_ask(h, &a, MSG_own_show, &show) == MSG_own_is &&
               decode_own_is(&h->envelope, &is) == 0,
           "across-own: a session is none");
    actor_drop(&a);
    const struct auth_code more = {.code = slice_text(h->codes[h->codes_used++])};
    web_greeted(h, &a);
    expect(h, web_sign_in(h, &a, CODED, PASSWORD, token) == VERDICT_PARTIAL,
           "across-own: a token without a code");
    expect(h,
           own_ask(h, &a, MSG_auth_code, &more) == MSG_verdict &&
               decode_verdict(&h->envelope, &verdict) == 0 && verdict.outcome == VERDICT_TOKEN,
           "across-own: no token with a code");
    expect(h, web_sign_in(h, &a, CODED, PASSWORD, token) == VERDICT_PARTIAL,
           "across-own: one code signs in twice");
    actor_drop(&a);
    /* Wrong passwords say nothing about codes. */
    web_greeted(h, &a);
    expect(h, login_by_password(h, &a, CODED, "wrong") == VERDICT_DENIED,
           "across-own: a code is asked for after a wrong password");
    actor_drop(&a);
}

/* ------------------------------------------------------------------------- links */

static void restore(struct hostile *h)
{
    server_password(h, LINKED, STRONG);
}

/* One link in two sessions at once, both looked at before either is used: one is the first. */
static void try_link_twice(struct hostile *h)
{
    uint8_t token[WEB_TOKEN];
    struct actor a, b;

    link_take(h, token);
    const struct auth_link one = {
        .token = token_slice(token), .use = 1, .fresh = slice_text(STRONG)};
    const struct auth_link two = {.token = token_slice(token), .use = 1, .fresh = slice_text(EVIL)};
    web_greeted(h, &a);
    web_greeted(h, &b);
    server_hold_hashers(h, true); /* both wait for their hashes with a link that is good */
    if (send_auth_link(a.link, 1, &one) < 0 || send_auth_link(b.link, 1, &two) < 0)
        give_up("auth_link cannot be sent");
    raw_wait(h, a.link);
    raw_wait(h, b.link);
    expect(h, !children_wait(h, a.link, POLLIN, QUIET_MS), "across-own: a hasher is not asked");
    server_hold_hashers(h, false);
    const bool got = raw_receive(h, a.link, answer_ms) == 1;
    const enum message_type first = h->envelope.type;
    const bool both = raw_receive(h, b.link, answer_ms) == 1 && got;
    const enum message_type second = h->envelope.type;
    expect(h, both && (first == MSG_store_done) + (second == MSG_store_done) == 1,
           "across-own: a link used twice at once: %s and %s", message_info(first)->name,
           message_info(second)->name);
    expect(h,
           opens(h, LINKED, first == MSG_store_done ? STRONG : EVIL) &&
               !opens(h, LINKED, first == MSG_store_done ? EVIL : STRONG),
           "across-own: the second use of a link counts");
    actor_drop(&a);
    actor_drop(&b);
    restore(h);
}

/* A link is its own account's, of its own kind, and ends with what it was for. */
static void try_links(struct hostile *h)
{
    uint8_t old[WEB_TOKEN], token[WEB_TOKEN], address[WEB_TOKEN], web[WEB_TOKEN];
    struct link_is is;
    struct actor a;

    link_take(h, old);
    link_take(h, token);
    web_greeted(h, &a);
    expect(h, use_link(h, &a, old, EVIL) == MSG_store_refused && opens(h, LINKED, STRONG),
           "across-own: an older link is good");
    /* What was looked at in this session is not what is used in it. */
    const struct auth_link look = {.token = token_slice(token)};
    expect(h,
           own_ask(h, &a, MSG_auth_link, &look) == MSG_link_is &&
               decode_link_is(&h->envelope, &is) == 0 && slice_is(is.name, LINKED) &&
               is.kind == LINK_LOST,
           "across-own: a good link is not shown");
    expect(h, use_link(h, &a, old, EVIL) == MSG_store_refused,
           "across-own: an old link is good after a look at a good one");
    /* A web session's token is no link, and a link is no web session. */
    expect(h, use_link(h, &a, h->token, EVIL) == MSG_store_refused,
           "across-own: a web session's token is a link");
    expect(h, web_log_in(h, &a, token_slice(token)) == VERDICT_DENIED,
           "across-own: a link is a web session");
    actor_drop(&a);
    /* By whom and in whatever session it is used: LINKED's password, and nobody else's. */
    web_greeted(h, &a);
    if (web_sign_in(h, &a, LINKED, STRONG, web) != VERDICT_TOKEN)
        give_up("LINKED cannot sign in");
    expect(h, login_by_password(h, &a, CODED, PASSWORD) == VERDICT_PARTIAL,
           "across-own: no first step");
    expect(h,
           use_link(h, &a, token, EVIL) == MSG_store_done && opens(h, LINKED, EVIL) &&
               !opens(h, LINKED, STRONG) && !opens(h, CODED, EVIL),
           "across-own: a link does not set its account's password");
    expect(h, !token_opens(h, web), "across-own: a web session outlives the password");
    expect(h, use_link(h, &a, token, STRONG) == MSG_store_refused && opens(h, LINKED, EVIL),
           "across-own: a link is good twice");
    actor_drop(&a);
    restore(h);
    /* A link for an address sets no password, whatever comes with it. */
    web_greeted(h, &a);
    if (own_purpose(h, &a, LINKED, STRONG, PURPOSE_ADDRESS, "new@example.org") != MSG_store_done)
        give_up("an address cannot be changed: see %s/log", h->place);
    link_await(h, LINKED, address);
    expect(h, use_link(h, &a, address, EVIL) == MSG_store_done && opens(h, LINKED, STRONG),
           "across-own: a link for an address sets a password");
    expect(h, use_link(h, &a, address, "") == MSG_store_refused,
           "across-own: an address is confirmed twice");
    actor_drop(&a);
    const struct user_set set = {
        .valid = ACCOUNT_SET_EMAIL, .name = slice_text(LINKED), .email = slice_text(ADDRESS)};
    server_set(h, &set);
}

/* Asked for a lost password: the answer is the same, and does not wait for the store. */
static void try_lost(struct hostile *h)
{
    static const char *const names[] = {LINKED, ADDRESS, ACCOUNT, "nobody"};
    struct store_done done;
    struct actor a;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct lost_password lost = {.name = slice_text(names[i])};
        web_greeted(h, &a);
        server_hold(h, true);
        expect(h,
               own_ask(h, &a, MSG_lost_password, &lost) == MSG_store_done &&
                   decode_store_done(&h->envelope, &done) == 0 && done.text.len == 0 &&
                   done.number == 0,
               "across-own: a lost password of %s is told apart", names[i]);
        server_hold(h, false);
        actor_drop(&a);
    }
}

/* ------------------------------------------------------------------------- at once */

/* A question about the account and the agent at once: each gets its own answer. Two questions, or
 * one while the agent is awaited, are out of turn. */
static void try_at_once(struct hostile *h)
{
    const struct own_show show = {.name = slice_text(ACCOUNT)};
    const struct agent_wanted want = {0};
    bool shown = false, opened = false;
    struct verdict verdict;
    struct own_is is;
    struct actor a;
    char state[32];

    actor_make(h, STAND_KNOWN, &a);
    if (send_own_show(a.link, 5, &show) < 0 || send_agent_wanted(a.link, 6, &want) < 0)
        give_up("two questions cannot be sent");
    for (int i = 0; i < 2 && raw_receive(h, a.link, answer_ms) == 1; i++) {
        shown = shown || (h->envelope.id == 5 && decode_own_is(&h->envelope, &is) == 0);
        if (h->envelope.id == 6 && decode_verdict(&h->envelope, &verdict) == 0) {
            opened = verdict.outcome == VERDICT_OPEN && h->envelope.fd_count == 1;
            a.agent = envelope_take_fd(&h->envelope, 0);
        }
    }
    server_state(h, a.pid, state, sizeof(state));
    expect(h, shown && opened && strcmp(state, "open") == 0,
           "across-own: a question and the agent at once: %s, %s, %s",
           shown ? "shown" : "not shown", opened ? "opened" : "not opened", state);
    expect(h, own_ask(h, &a, MSG_own_show, &show) == MSG_own_is, "across-own: none with an agent");
    actor_drop(&a);

    actor_make(h, STAND_KNOWN, &a);
    if (send_agent_wanted(a.link, 6, &want) < 0)
        give_up("agent_wanted cannot be sent");
    expect(h, ends(h, &a, MSG_own_show, &show),
           "across-own: a question while the agent is awaited");
    actor_drop(&a);

    actor_make(h, STAND_KNOWN, &a);
    server_hold(h, true);
    if (send_own_show(a.link, 5, &show) < 0)
        give_up("own_show cannot be sent");
    expect(h, ends(h, &a, MSG_own_show, &show), "across-own: two questions at once");
    server_hold(h, false);
    actor_drop(&a);
}

/* The session ends while its question is with the store: the answer is nobody's. */
static void try_gone(struct hostile *h)
{
    const struct own_show show = {.name = slice_text(ACCOUNT)};
    struct actor a;

    actor_make(h, STAND_KNOWN, &a);
    server_hold(h, true);
    if (send_own_show(a.link, 5, &show) < 0)
        give_up("own_show cannot be sent");
    raw_wait(h, a.link);
    actor_drop(&a);
    server_status(h);
    server_hold(h, false);
    actor_make(h, STAND_KNOWN, &a); /* does not return if nobody answers */
    actor_drop(&a);
    /* Told to end: it is not answered any more. */
    actor_make(h, STAND_KNOWN, &a);
    server_hold(h, true);
    if (send_own_show(a.link, 5, &show) < 0)
        give_up("own_show cannot be sent");
    raw_wait(h, a.link);
    actor_let_end(h, &a);
    server_hold(h, false);
    expect(h, raw_receive(h, a.link, QUIET_MS) != 1, "across-own: answered after its end");
    actor_drop(&a);
}

void across_own_run(struct hostile *h)
{
    h->kind = ROLE_HTTPS;
    try_keys(h);
    try_shown(h);
    try_web_sessions(h);
    try_connections(h);
    try_sessions(h);
    try_codes(h);
    try_code_twice(h);
    try_between(h);
    try_purposes(h);
    try_link_twice(h);
    try_links(h);
    try_lost(h);
    try_at_once(h);
    try_gone(h);
    h->kind = ROLE_SFTP;
}
