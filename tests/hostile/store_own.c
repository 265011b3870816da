/* A compromised store, asked about codes, links and people's own accounts: what it is asked and in
 * whose name, what of its answers counts, and silence. Called by store.c. A code is right by its
 * word alone, whatever else it says. */
#include <errno.h>
#include <string.h>

#include "tests/hostile/hostile.h"

#define RIGHTS 127

/* The next question of this type, which stays in h->envelope. Returns its number; what else is
 * asked and told meanwhile is not answered. */
static uint32_t await(struct hostile *h, const struct child *store, enum message_type type)
{
    while (raw_receive(h, store->link, PATIENCE_MS) == 1) {
        if (h->envelope.type == type)
            return h->envelope.id;
    }
    give_up("the store is not asked %s", message_info(type)->name);
}

static void answer(const struct child *store, enum message_type type, uint32_t id,
                   const void *message)
{
    if (message_send(store->link, type, id, message, NULL, 0) < 0)
        give_up("a store cannot answer: %s", strerror(errno));
}

/* A login by key whose code the store is asked about. Returns the question's number. */
static uint32_t code_asked(struct hostile *h, struct actor *a, const struct child *store)
{
    const struct auth_code code = {.code = slice_text("123456")};
    const struct account account = {.name = slice_text(ACCOUNT),
                                    .home = slice_text(h->home),
                                    .uid = h->uid,
                                    .gid = h->gid,
                                    .rights = RIGHTS,
                                    .flags = ACCOUNT_CODE_ON,
                                    .key_known = 1,
                                    .key_count = 1};
    struct totp_check check;

    h->kind = ROLE_SFTP;
    actor_make(h, STAND_KEYED, a);
    login_begin(h, a);
    answer(store, MSG_account, await(h, store, MSG_store_find), &account);
    expect(h, actor_verdict(h, a) == VERDICT_PARTIAL, "store: no code is asked for");
    if (send_auth_code(a->link, 1, &code) < 0)
        give_up("auth_code cannot be sent");
    const uint32_t id = await(h, store, MSG_totp_check);
    expect(h,
           decode_totp_check(&h->envelope, &check) == 0 && slice_is(check.name, ACCOUNT) &&
               slice_equal(check.code, code.code),
           "store: it is asked about another code");
    return id;
}

/* That it is done, and nothing else, makes a code right. */
static void try_codes(struct hostile *h, const struct child *store)
{
    static const enum message_type others[] = {
        MSG_store_refused, MSG_nothing_more, MSG_account,        MSG_key,
        MSG_own_is,        MSG_totp_secret,  MSG_recovery_codes, MSG_link_is,
    };
    static const uint8_t empty[4096]; /* a message without anything */
    const struct store_done done = {0};
    struct actor a;

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        const uint32_t id = code_asked(h, &a, store);
        answer(store, others[i], id, empty);
        expect(h, actor_verdict(h, &a) == VERDICT_DENIED, "store: %s makes a code right",
               message_info(others[i])->name);
        answer(store, MSG_store_done, id, &done);
        raw_wait(h, store->link);
        server_status(h);
        expect(h, raw_receive(h, a.link, 0) == -1, "store: a second answer about a code counts");
        actor_drop(&a);
    }
    answer(store, MSG_store_done, code_asked(h, &a, store), &done);
    expect(h, actor_verdict(h, &a) == VERDICT_OPEN, "store: a right code is wrong");
    actor_drop(&a);
}

/* ------------------------------------------------------------------------- links */

/* A link is to be used; the store is asked what it is. */
static uint32_t link_asked(struct hostile *h, struct actor *a, const struct child *store,
                           uint8_t hash[32])
{
    static const uint8_t token[WEB_TOKEN] = {7};
    const struct auth_link m = {
        .token = slice_of(token, sizeof(token)), .use = 1, .fresh = slice_text(STRONG)};
    struct link_show show;

    if (EVP_Q_digest(NULL, "SHA256", NULL, token, sizeof(token), hash, NULL) != 1)
        give_up("no hash");
    web_greeted(h, a);
    if (send_auth_link(a->link, 9, &m) < 0)
        give_up("auth_link cannot be sent");
    const uint32_t id = await(h, store, MSG_link_show);
    expect(h,
           decode_link_show(&h->envelope, &show) == 0 && slice_equal(show.link, slice_of(hash, 32)),
           "store: it is asked about another link, or shown a token");
    return id;
}

static bool told(struct hostile *h, struct actor *a, enum message_type type)
{
    return raw_receive(h, a->link, PATIENCE_MS) == 1 && h->envelope.type == type &&
           h->envelope.id == 9 && h->envelope.fd_count == 0;
}

/* Whoever it says that a link is of: a password is changed by the link alone, in nobody's name. */
static void try_links(struct hostile *h, const struct child *store)
{
    const struct store_refused refused = {.error = ENOENT, .text = slice_text("none")};
    const struct store_done done = {.text = slice_text("evil\ntext")};
    struct link_is is = {.kind = LINK_LOST, .name = slice_text(ACCOUNT)};
    struct password_change change;
    struct link_confirm confirm;
    uint8_t hash[32];
    struct actor a;

    answer(store, MSG_link_is, link_asked(h, &a, store, hash), &is);
    uint32_t id = await(h, store, MSG_password_change);
    expect(h,
           decode_password_change(&h->envelope, &change) == 0 && change.name.len == 0 &&
               slice_equal(change.link, slice_of(hash, 32)) && change.password.len > 0 &&
               change.password.data[0] == '$',
           "store: a link changes a password in somebody's name");
    answer(store, MSG_store_done, id, &done);
    expect(h, told(h, &a, MSG_store_done), "store: that a password was changed is not told");
    actor_drop(&a);
    is.kind = LINK_ADDRESS; /* no password, whatever came with the link */
    answer(store, MSG_link_is, link_asked(h, &a, store, hash), &is);
    id = await(h, store, MSG_link_confirm);
    expect(h,
           decode_link_confirm(&h->envelope, &confirm) == 0 &&
               slice_equal(confirm.link, slice_of(hash, 32)),
           "store: another link is confirmed");
    answer(store, MSG_store_refused, id, &refused);
    expect(h, told(h, &a, MSG_store_refused), "store: a refusal is not told");
    actor_drop(&a);
    answer(store, MSG_store_refused, link_asked(h, &a, store, hash), &refused);
    expect(h, told(h, &a, MSG_store_refused), "store: that there is no link is not told");
    actor_drop(&a);
}

/* ------------------------------------------------------------------------- one's own account */

/* A worker that is logged in as ACCOUNT, by a password whose hash the store says it has. */
static void known(struct hostile *h, struct actor *a, const struct child *store)
{
    static const uint8_t token[WEB_TOKEN] = {9};
    const struct auth_token m = {.token = slice_of(token, sizeof(token))};
    const struct account account = {.name = slice_text(ACCOUNT),
                                    .home = slice_text(h->home),
                                    .uid = h->uid,
                                    .gid = h->gid,
                                    .rights = RIGHTS};

    web_greeted(h, a);
    if (send_auth_token(a->link, 1, &m) < 0)
        give_up("auth_token cannot be sent");
    answer(store, MSG_account, await(h, store, MSG_store_find), &account);
    if (actor_verdict(h, a) != VERDICT_KNOWN)
        give_up("no login by a token");
}

/* Asked in the name of who is logged in, and as no operator, whatever the worker has written. */
static void try_names(struct hostile *h, const struct child *store)
{
    const struct totp_remove remove = {
        .name = slice_text(OTHER), .code = slice_text("123456"), .by_operator = 1};
    const struct key_add add = {
        .name = slice_text(OTHER), .key = slice_text("key"), .comment = slice_text("c")};
    const struct store_done done = {0};
    struct totp_remove asked;
    struct key_add added;
    struct actor a;

    known(h, &a, store);
    if (send_totp_remove(a.link, 9, &remove) < 0)
        give_up("totp_remove cannot be sent");
    uint32_t id = await(h, store, MSG_totp_remove);
    expect(h,
           decode_totp_remove(&h->envelope, &asked) == 0 && slice_is(asked.name, ACCOUNT) &&
               asked.by_operator == 0 && slice_is(asked.code, "123456"),
           "store: it is asked in another name, or as by the operator");
    answer(store, MSG_store_done, id, &done);
    expect(h, told(h, &a, MSG_store_done), "store: its answer is not told");
    answer(store, MSG_store_done, id, &done);
    if (send_key_add(a.link, 9, &add) < 0)
        give_up("key_add cannot be sent");
    id = await(h, store, MSG_key_add);
    expect(h,
           decode_key_add(&h->envelope, &added) == 0 && slice_is(added.name, ACCOUNT) &&
               slice_is(added.key, "key") && slice_is(added.comment, "c"),
           "store: a key is added in another name");
    expect(h, raw_receive(h, a.link, 0) == -1, "store: a second answer is told");
    answer(store, MSG_store_done, id, &done);
    expect(h, told(h, &a, MSG_store_done), "store: its answer is not told");
    actor_drop(&a);
}

/* It says nothing (and then dies): a code is wrong, a question refused, a link not used. */
static void try_silence(struct hostile *h, struct child *store, bool dies)
{
    const struct own_show show = {.name = slice_text(ACCOUNT)};
    uint8_t hash[32];
    struct actor a, b, c;

    known(h, &a, store);
    if (send_own_show(a.link, 9, &show) < 0)
        give_up("own_show cannot be sent");
    await(h, store, MSG_own_show);
    link_asked(h, &b, store, hash);
    code_asked(h, &c, store);
    if (dies)
        child_drop(store);
    expect(h, told(h, &a, MSG_store_refused), "store: a question is not refused");
    expect(h, told(h, &b, MSG_store_refused), "store: a link is not refused");
    expect(h, actor_verdict(h, &c) == VERDICT_DENIED, "store: a code is right without it");
    actor_drop(&a);
    actor_drop(&b);
    actor_drop(&c);
}

void store_own_run(struct hostile *h, struct child *store)
{
    try_codes(h, store);
    try_links(h, store);
    try_names(h, store);
    try_silence(h, store, false);
    try_silence(h, store, true);
    store_take(h, store);
    store_say_ready(h, store);
    h->kind = ROLE_SFTP;
}
