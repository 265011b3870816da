/* Web sessions: signing in makes one, whose token goes to the client and whose hash to the store;
 * any connection that shows the token later is its account's. Programs show a password with every
 * connection instead; that it was right is remembered for a moment, as hashing is slow. Called by
 * auth.c and the dispatcher; a token is never logged and never leaves but to who signed in. */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <string.h>

#include "common/log.h"
#include "monitor/monitor.h"

#define REMEMBERED_MS 60000

int web_prepare(struct monitor *m)
{
    return RAND_priv_bytes(m->web.key, sizeof(m->web.key)) == 1 ? 0 : -1;
}

/* ------------------------------------------------------------------------- passwords that were
 * right */

bool web_remembers(struct monitor *m, struct login *l)
{
    const struct slice parts[] = {slice_text(l->name), secret_slice(&l->hash),
                                  secret_slice(&l->password)};
    uint8_t text[ACCOUNT_NAME_MAX + 256 + 1024 + 3];
    size_t len = 0;
    unsigned mac_len = 0;
    bool found = false;

    for (size_t i = 0; i < 3; i++) { /* none holds a NUL byte */
        memcpy(text + len, parts[i].data, parts[i].len);
        len += parts[i].len;
        text[len++] = 0;
    }
    if (HMAC(EVP_sha256(), m->web.key, sizeof(m->web.key), text, len, l->mac, &mac_len) == NULL)
        memset(l->mac, 0, sizeof(l->mac));
    explicit_bzero(text, len);
    for (size_t i = 0; i < WEB_REMEMBERED && mac_len == sizeof(l->mac); i++) {
        const struct web_password *p = &m->web.passwords[i];
        found |= now_ms() < p->until_ms && CRYPTO_memcmp(p->mac, l->mac, sizeof(p->mac)) == 0;
    }
    return found;
}

void web_remember(struct monitor *m, const struct login *l)
{
    struct web_password *p = &m->web.passwords[m->web.next++ % WEB_REMEMBERED];

    memcpy(p->mac, l->mac, sizeof(p->mac));
    p->until_ms = now_ms() + REMEMBERED_MS;
}

/* ------------------------------------------------------------------------- tokens */

int web_hash(const uint8_t token[WEB_TOKEN], uint8_t hash[32])
{
    return EVP_Digest(token, WEB_TOKEN, hash, NULL, EVP_sha256(), NULL) == 1 ? 0 : -1;
}

void web_sign_in(struct monitor *m, struct session *s, store_answer answer)
{
    struct login *l = &s->login;
    uint8_t hash[32];

    if (RAND_priv_bytes(l->token, sizeof(l->token)) != 1 || web_hash(l->token, hash) < 0) {
        answer(m, s->number, 0, NULL);
        return;
    }
    const struct store_web_add add = {
        .name = slice_text(l->name),
        .password = secret_slice(&l->hash),
        .token = slice_of(hash, sizeof(hash)),
        .address = slice_text(s->address.text),
        .idle_seconds = m->config.https_session_idle,
        .most_seconds = m->config.https_session_most,
    };
    store_ask(m, MSG_store_web_add, &add, s->number, answer);
}

int web_ask(struct monitor *m, struct session *s, const struct auth_token *claim,
            store_answer answer)
{
    const struct store_find find = {.token = slice_of(s->web, sizeof(s->web))};

    if (claim->token.len != WEB_TOKEN)
        return -1;
    s->by_token = true;
    if (web_hash(claim->token.data, s->web) < 0)
        answer(m, s->number, 0, NULL);
    else
        store_ask(m, MSG_store_find, &find, s->number, answer);
    return 0;
}

int on_sign_out(struct monitor *m, struct session *s, struct envelope *e, const char **why)
{
    struct sign_out request;

    *why = "sent a sign_out that does not decode";
    if (decode_sign_out(e, &request) < 0)
        return -1;
    const struct store_web_remove remove = {.token = slice_of(s->web, sizeof(s->web))};
    s->login.request_id = e->id;
    if (s->by_token)
        store_ask(m, MSG_store_web_remove, &remove, s->number, auth_signed_out);
    else
        auth_signed_out(m, s->number, 0, NULL);
    return 0;
}
