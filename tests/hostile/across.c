/* What belongs to one session, used in another: signatures, session ids, exchanges, handles, half a
 * login. Called by main.c. */
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/hostile/hostile.h"

/* A key login with a signature made for another session. */
static void try_signatures(struct hostile *h)
{
    struct actor a, b;
    uint8_t for_a[128], for_b[128];

    actor_make(h, STAND_KEYED, &a);
    actor_make(h, STAND_KEYED, &b);
    const size_t len_a = login_sign(h, ACCOUNT, a.session_id, for_a, sizeof(for_a));
    const size_t len_b = login_sign(h, ACCOUNT, b.session_id, for_b, sizeof(for_b));
    expect(h, login_by_key(h, &b, ACCOUNT, for_a, len_a) == VERDICT_DENIED,
           "across: a signature for A was good in B");
    expect(h, login_by_key(h, &a, ACCOUNT, for_b, len_b) == VERDICT_DENIED,
           "across: a signature for B was good in A");
    expect(h, login_by_key(h, &a, ACCOUNT, for_a, len_a) == VERDICT_OPEN,
           "across: A's own signature was refused");
    /* Used, and in the hand of another worker: also after A's end. */
    expect(h, login_by_key(h, &b, ACCOUNT, for_a, len_a) == VERDICT_DENIED,
           "across: a signature used in A was good in B");
    actor_drop(&a);
    expect(h, login_by_key(h, &b, ACCOUNT, for_a, len_a) == VERDICT_DENIED,
           "across: a signature used in A was good in B after A's end");
    /* Of the same session, but for another name. */
    expect(h, login_by_key(h, &b, BOTH, for_b, len_b) == VERDICT_DENIED,
           "across: a signature for one name was good for another");
    /* A rekey must not move the session id: the first exchange counts. */
    exchange_do(h, &b);
    expect(h, login_by_key(h, &b, ACCOUNT, for_b, len_b) == VERDICT_OPEN,
           "across: B's own signature was refused after a second exchange");
    actor_drop(&b);
}

/* Send an exchange; what came of it. */
static enum seen send_exchange(struct hostile *h, struct actor *a, struct slice preimage)
{
    const struct sign_exchange ask = {.preimage = preimage};
    const uint64_t security = server_status(h).security_events;

    if (send_sign_exchange(a->link, 7, &ask) < 0)
        give_up("an exchange cannot be sent");
    return actor_watch(h, a, security, PATIENCE_MS, 7);
}

/* What a worker says it has in it: told to the operator, with no line of its own. */
static void try_library(struct hostile *h)
{
    struct actor a;

    actor_make(h, STAND_SPARE, &a);
    expect(h,
           log_soon(h, 0, "workers have another OpenSSL (OpenSSL of old\\x0a) than this process"),
           "across: another OpenSSL in a worker is not told");
    actor_drop(&a);
}

/* The first exchange a second time, before and after the login. */
static void try_first_again(struct hostile *h)
{
    const struct exchange_parts plain = {0};
    uint8_t bytes[4096], signature[128];

    for (int open = 0; open < 2; open++) {
        struct actor a;
        actor_make(h, STAND_GREETED, &a);
        const struct slice first =
            slice_of(bytes, exchange_make(h, &a, &plain, bytes, sizeof(bytes)));
        expect(h, send_exchange(h, &a, first) == SEEN_GOOD, "across: a first exchange is refused");
        if (open) {
            EVP_Q_digest(NULL, "SHA256", NULL, first.data, first.len, a.session_id, NULL);
            const size_t len = login_sign(h, ACCOUNT, a.session_id, signature, sizeof(signature));
            expect(h, login_by_key(h, &a, ACCOUNT, signature, len) == VERDICT_OPEN,
                   "across: a good login was refused");
        }
        const off_t log_from = log_end(h);
        expect(h, send_exchange(h, &a, first) == SEEN_ENDED && actor_ended(h, &a, log_from) == NULL,
               "across: the first exchange was signed again%s", open ? " after the login" : "");
        actor_drop(&a);
    }
}

/* A whole exchange of A in B: with its signature B would have A's session id, and every signature
 * that A's client made would be good in B. */
static void try_exchange(struct hostile *h)
{
    const struct exchange_parts plain = {0};
    uint8_t bytes[4096];
    struct actor a, b;

    actor_make(h, STAND_GREETED, &a);
    actor_make(h, STAND_GREETED, &b);
    const struct slice first = slice_of(bytes, exchange_make(h, &a, &plain, bytes, sizeof(bytes)));
    expect(h, send_exchange(h, &a, first) == SEEN_GOOD, "across: a first exchange is refused");
    expect(h, send_exchange(h, &b, first) == SEEN_ENDED, "across: A's exchange was signed in B");
    actor_drop(&a);
    actor_drop(&b);
}

/* Handles count in one agent only. */
static void try_handles(struct hostile *h)
{
    struct actor a, b;
    uint32_t of_a[3], of_b[3];

    home_reset(h);
    actor_make(h, STAND_AGENT, &a);
    actor_make(h, STAND_AGENT, &b);
    home_handles(h, &b, &of_b[0], &of_b[1], &of_b[2]);
    for (int i = 0; i < 8; i++) /* as many as B has and more */
        home_handles(h, &a, &of_a[0], &of_a[1], &of_a[2]);
    for (int i = 0; i < 3; i++) {
        const struct file_hstat ask = {.handle = of_a[i]};
        const uint64_t security = server_status(h).security_events;
        if (send_file_hstat(b.agent, 9, &ask) < 0)
            give_up("file_hstat cannot be sent");
        expect(h, actor_watch_agent(h, &b, security, 9) == SEEN_DENIED,
               "across: handle %u of A is one in B", of_a[i]);
    }
    actor_drop(&a);
    actor_drop(&b);
}

/* Half a login in A, the other half in B; and halves of two names in one session. */
static void try_halves(struct hostile *h)
{
    struct actor a, b;
    uint8_t signature[128];

    actor_make(h, STAND_KEYED, &a);
    actor_make(h, STAND_KEYED, &b);
    expect(h, login_by_password(h, &a, BOTH, PASSWORD) == VERDICT_PARTIAL,
           "across: the first half of a login is not one");
    size_t len = login_sign(h, BOTH, b.session_id, signature, sizeof(signature));
    expect(h, login_by_key(h, &b, BOTH, signature, len) == VERDICT_PARTIAL,
           "across: A's half counted in B");
    /* Another name in between: what was shown is forgotten. */
    expect(h, login_by_password(h, &b, ACCOUNT, "wrong") == VERDICT_DENIED,
           "across: a wrong password is right");
    expect(h, login_by_password(h, &b, BOTH, PASSWORD) == VERDICT_PARTIAL,
           "across: a half shown before another name still counted");
    len = login_sign(h, BOTH, a.session_id, signature, sizeof(signature));
    expect(h, login_by_key(h, &a, BOTH, signature, len) == VERDICT_OPEN,
           "across: both halves do not log in");
    actor_drop(&a);
    actor_drop(&b);
}

/* An agent ends with its worker, at once, and with the reports of what it has done. */
static void try_outlive(struct hostile *h)
{
    const struct worker_log junk = {.level = 77, .text = slice_text("x")};
    const struct timespec nap = {.tv_nsec = 1000 * 1000};
    const int64_t until = clock_now_ms() + PATIENCE_MS;
    struct actor a;
    pid_t agent = 0;

    actor_make(h, STAND_AGENT, &a);
    server_session(h, a.pid, &agent);
    const uint64_t security = server_status(h).security_events;
    if (agent <= 0 || kill(agent, 0) < 0 || send_worker_log(a.link, 1, &junk) < 0)
        give_up("a session without an agent");
    expect(h, actor_watch(h, &a, security, 0, 0) == SEEN_ENDED, "across: a violation has no end");
    close(a.agent); /* as the kernel does for a worker that was killed */
    a.agent = -1;
    while (kill(agent, 0) == 0 && clock_now_ms() < until)
        nanosleep(&nap, NULL);
    expect(h, kill(agent, 0) < 0, "across: an agent outlives its worker");
    actor_drop(&a);
}

void across_run(struct hostile *h)
{
    try_library(h);
    try_signatures(h);
    try_first_again(h);
    try_exchange(h);
    try_handles(h);
    try_halves(h);
    try_outlive(h);
}
