/* Web sessions and kept TLS sessions, as HTTPS workers have them. Called by the parts; what is good
 * here must be good for the monitor, so that what is bad fails for its one flaw. */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "tests/hostile/hostile.h"

enum verdict_outcome web_sign_in(struct hostile *h, struct actor *a, const char *user,
                                 const char *password, uint8_t token[WEB_TOKEN])
{
    const struct auth_password claim = {
        .user = slice_text(user), .password = slice_text(password), .purpose = PURPOSE_SIGN_IN};
    struct verdict verdict;

    if (send_auth_password(a->link, 1, &claim) < 0)
        give_up("auth_password: %s", strerror(errno));
    const enum verdict_outcome outcome = actor_verdict(h, a);
    if (decode_verdict(&h->envelope, &verdict) < 0 ||
        verdict.token.len != (outcome == VERDICT_TOKEN ? WEB_TOKEN : 0))
        give_up("a token of %zu bytes with outcome %d", verdict.token.len, (int)outcome);
    memset(token, 0, WEB_TOKEN);
    if (verdict.token.len > 0)
        memcpy(token, verdict.token.data, WEB_TOKEN);
    return outcome;
}

enum verdict_outcome web_log_in(struct hostile *h, struct actor *a, struct slice token)
{
    const struct auth_token claim = {.token = token};

    if (send_auth_token(a->link, 1, &claim) < 0)
        give_up("auth_token: %s", strerror(errno));
    return actor_verdict(h, a);
}

enum verdict_outcome web_want_agent(struct hostile *h, struct actor *a)
{
    const struct agent_wanted ask = {0};

    if (send_agent_wanted(a->link, 1, &ask) < 0)
        give_up("agent_wanted: %s", strerror(errno));
    return actor_verdict(h, a);
}

void tls_keep_session(struct hostile *h, struct actor *a, const uint8_t id[32],
                      struct slice session)
{
    const struct tls_keep keep = {.id = slice_of(id, 32), .session = session};

    if (send_tls_keep(a->link, 0, &keep) < 0)
        give_up("tls_keep: %s", strerror(errno));
    raw_wait(h, a->link);
    server_status(h); /* answered after that was handled */
}

bool tls_finds_session(struct hostile *h, struct actor *a, const uint8_t id[32],
                       struct slice session)
{
    const struct tls_find find = {.id = slice_of(id, 32)};
    const uint32_t number = ++h->next_id;
    struct tls_found found;

    if (send_tls_find(a->link, number, &find) < 0 || raw_receive(h, a->link, answer_ms) != 1 ||
        decode_tls_found(&h->envelope, &found) < 0 || h->envelope.id != number)
        give_up("tls_find is not answered: see %s/log", h->place);
    return slice_equal(found.session, session);
}

void web_prepare(struct hostile *h)
{
    const enum role kind = h->kind;
    struct actor a;

    if (getrandom(h->tls_id, sizeof(h->tls_id), 0) != (ssize_t)sizeof(h->tls_id))
        give_up("no random bytes");
    h->tls_id[0] = h->tls_id[1] = 0xff; /* a slot of its own */
    h->kind = ROLE_HTTPS;
    actor_make(h, STAND_GREETED, &a);
    tls_keep_session(h, &a, h->tls_id, slice_text("a session"));
    if (web_sign_in(h, &a, ACCOUNT, PASSWORD, h->token) != VERDICT_TOKEN)
        give_up("nobody can sign in: see %s/log", h->place);
    actor_drop(&a);
    h->kind = kind;
    own_prepare(h);
}
