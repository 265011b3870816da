/* TLS sessions of HTTPS clients, which come back by other connections and so to other workers. Kept
 * here under their random ids, bounded in number and age: no worker holds a key that opens tickets.
 * Called by the dispatcher; what a session holds is not looked at. */
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/monitor.h"

#define SLOTS   8192
#define ID      32
#define KEPT_MS (3600 * 1000)

/* One id may stand in one slot only: a newer one takes it. */
struct tls_kept {
    uint8_t id[ID];
    int64_t until_ms;
    struct secret session;
};

static struct tls_kept *slot_of(struct monitor *m, struct slice id)
{
    return &m->tls_kept[(id.data[0] << 8 | id.data[1]) % SLOTS];
}

int on_tls_keep(struct monitor *m, struct session *s, struct envelope *e, const char **why)
{
    struct tls_keep request;

    (void)s;
    *why = "sent a tls_keep that does not decode";
    if (decode_tls_keep(e, &request) < 0 || request.id.len != ID)
        return -1;
    if (m->tls_kept == NULL && (m->tls_kept = calloc(SLOTS, sizeof(*m->tls_kept))) == NULL)
        return 0; /* its client will not resume */
    struct tls_kept *kept = slot_of(m, request.id);
    memcpy(kept->id, request.id.data, ID);
    kept->until_ms = now_ms() + KEPT_MS;
    if (secret_set(&kept->session, request.session) < 0)
        secret_clear(&kept->session);
    return 0;
}

int on_tls_find(struct monitor *m, struct session *s, struct envelope *e, const char **why)
{
    struct tls_find request;
    struct tls_found found = {0};

    *why = "sent a tls_find that does not decode";
    if (decode_tls_find(e, &request) < 0 || request.id.len != ID)
        return -1;
    const struct tls_kept *kept = m->tls_kept != NULL ? slot_of(m, request.id) : NULL;
    if (kept != NULL && now_ms() < kept->until_ms &&
        CRYPTO_memcmp(kept->id, request.id.data, ID) == 0)
        found.session = secret_slice(&kept->session);
    return answered(m, s, send_tls_found(s->worker.fd, e->id, &found), why);
}

void tls_sessions_free(struct monitor *m)
{
    for (size_t i = 0; m->tls_kept != NULL && i < SLOTS; i++)
        secret_clear(&m->tls_kept[i].session);
    free(m->tls_kept);
    m->tls_kept = NULL;
}
