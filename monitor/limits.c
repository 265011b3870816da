/* Who may connect and log in: connections per address and in all, sessions per account, protocol
 * and in all, and penalties for addresses that fail or misbehave (as OpenSSH's PerSourcePenalties).
 * The tables are bounded; when one is full the entry that matters least makes room. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/network.h"
#include "monitor/monitor.h"

#define SOURCES_MAX 16384
#define BUCKETS     4096
#define LOOKED_AT   64 /* buckets, for one that makes room: some 250 entries of a full table */
#define KEY_BYTES   16

/* An address (IPv6: its /64) that has connections or a penalty. */
struct source_entry {
    struct source_entry *next;
    uint8_t key[KEY_BYTES];
    unsigned connections;
    int64_t penalty_until_ms;
};

struct limits {
    struct source_entry *buckets[BUCKETS];
    size_t sources, connections;
    size_t hand; /* the bucket that is looked at next for room */
};

struct limits *limits_new(void)
{
    return calloc(1, sizeof(struct limits));
}

void limits_free(struct limits *l)
{
    for (size_t i = 0; l != NULL && i < BUCKETS; i++) {
        while (l->buckets[i] != NULL) {
            struct source_entry *e = l->buckets[i];
            l->buckets[i] = e->next;
            free(e);
        }
    }
    free(l);
}

static bool is_ipv4(const uint8_t bytes[16])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    return memcmp(bytes, mapped, sizeof(mapped)) == 0;
}

/* One IPv6 user has a /64 at least: the low half does not count. */
static void key_of(const struct address *a, uint8_t key[KEY_BYTES])
{
    memcpy(key, a->bytes, KEY_BYTES);
    if (!is_ipv4(a->bytes))
        memset(key + 8, 0, 8);
}

static size_t bucket_of(const uint8_t key[KEY_BYTES])
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */

    for (size_t i = 0; i < KEY_BYTES; i++)
        h = (h ^ key[i]) * 0x100000001b3u;
    return (size_t)(h ^ h >> 32) % BUCKETS;
}

static void drop(struct limits *l, struct source_entry **at)
{
    struct source_entry *e = *at;

    *at = e->next;
    free(e);
    l->sources--;
}

/* Room for one more: entries that say nothing any more go, and if none did, then of those looked at
 * the one without connections whose penalty ends first. A full table must shut nobody out. */
static void make_room(struct limits *l, int64_t now)
{
    struct source_entry **least = NULL;

    for (size_t n = 0; n < BUCKETS && (n < LOOKED_AT || least == NULL); n++) {
        struct source_entry **at = &l->buckets[l->hand];
        l->hand = (l->hand + 1) % BUCKETS;
        while (*at != NULL) {
            struct source_entry *e = *at;
            if (e->connections == 0 && e->penalty_until_ms <= now) {
                drop(l, at);
                continue;
            }
            if (e->connections == 0 &&
                (least == NULL || e->penalty_until_ms < (*least)->penalty_until_ms))
                least = at;
            at = &e->next;
        }
    }
    if (l->sources >= SOURCES_MAX && least != NULL)
        drop(l, least);
}

/* Find, or make. NULL: none, and no room for one. */
static struct source_entry *entry_of(struct limits *l, const struct address *a, bool make)
{
    uint8_t key[KEY_BYTES];
    struct source_entry *e;

    key_of(a, key);
    const size_t bucket = bucket_of(key);
    for (e = l->buckets[bucket]; e != NULL; e = e->next) {
        if (memcmp(e->key, key, KEY_BYTES) == 0)
            return e;
    }
    if (!make)
        return NULL;
    if (l->sources >= SOURCES_MAX)
        make_room(l, now_ms());
    if (l->sources >= SOURCES_MAX || (e = calloc(1, sizeof(*e))) == NULL)
        return NULL;
    memcpy(e->key, key, KEY_BYTES);
    e->next = l->buckets[bucket];
    l->buckets[bucket] = e;
    l->sources++;
    return e;
}

const char *limits_connect(struct monitor *m, struct address *a)
{
    struct limits *l = m->limits;
    const int64_t now = now_ms();

    a->exempt = networks_have(m->config.limits_penalty_exempt, a->bytes);
    if (l->connections >= m->config.limits_connections)
        return "too many connections";
    struct source_entry *e = entry_of(l, a, true);
    if (e == NULL)
        return "too many addresses";
    if (e->penalty_until_ms - now > (int64_t)m->config.limits_penalty_least * 1000 && !a->exempt)
        return "the address has a penalty";
    if (e->connections >= m->config.limits_connections_per_address)
        return "too many connections from the address";
    e->connections++;
    l->connections++;
    return NULL;
}

void limits_disconnect(struct monitor *m, const struct address *a)
{
    struct source_entry *e = entry_of(m->limits, a, false);

    if (e != NULL && e->connections > 0) {
        e->connections--;
        m->limits->connections--;
    }
}

void limits_penalise(struct monitor *m, const struct address *a, enum penalty penalty)
{
    const struct config *c = &m->config;
    const uint32_t seconds[] = {
        [PENALTY_FAILURE] = c->limits_penalty_failure,
        [PENALTY_GRACE] = c->limits_penalty_grace,
        [PENALTY_CRASH] = c->limits_penalty_crash,
    };
    const int64_t now = now_ms(), most = now + (int64_t)c->limits_penalty_most * 1000;
    struct source_entry *e;

    if (seconds[penalty] == 0 || a->exempt || (e = entry_of(m->limits, a, true)) == NULL)
        return;
    if (e->penalty_until_ms < now)
        e->penalty_until_ms = now;
    e->penalty_until_ms += (int64_t)seconds[penalty] * 1000;
    if (e->penalty_until_ms > most)
        e->penalty_until_ms = most;
    if (e->penalty_until_ms - now > (int64_t)c->limits_penalty_least * 1000)
        log_warning("%s: no connections for %lld seconds", a->text,
                    (long long)(e->penalty_until_ms - now) / 1000);
}

/* A browser has several connections, and they are one session. */
static bool together(const struct session *a, const struct session *b)
{
    return a->kind == WORKER_HTTPS && b->kind == WORKER_HTTPS && !a->ended && !b->ended &&
           strcmp(a->account, b->account) == 0 &&
           memcmp(a->address.bytes, b->address.bytes, sizeof(a->address.bytes)) == 0;
}

const char *limits_login(struct monitor *m, struct session *s, uint32_t max_sessions)
{
    const struct config *c = &m->config;
    const uint32_t own = max_sessions != 0 ? max_sessions : c->limits_sessions_per_account;
    const uint32_t of_protocol[WORKER_KINDS] = {
        [WORKER_SFTP] = c->sftp_max_sessions,
        [WORKER_FTPS] = c->ftps_max_sessions,
        [WORKER_HTTPS] = c->https_max_sessions,
    };
    size_t all = 0, protocol = 0, same = 0;

    for (const struct session *o = m->sessions; o != NULL; o = o->next) {
        if (!o->counted)
            continue;
        if (together(s, o))
            return NULL;
        all++;
        protocol += o->kind == s->kind;
        same += strcmp(s->account, o->account) == 0;
    }
    if (c->limits_max_sessions != 0 && all >= c->limits_max_sessions)
        return "too many sessions";
    if (of_protocol[s->kind] != 0 && protocol >= of_protocol[s->kind])
        return "too many sessions of this protocol";
    if (own != 0 && same >= own)
        return "too many sessions of this account";
    s->counted = true;
    return NULL;
}

void limits_logout(struct monitor *m, struct session *s)
{
    struct session *o = s->counted ? m->sessions : NULL;

    while (o != NULL && (o == s || !together(s, o)))
        o = o->next;
    if (o != NULL)
        o->counted = true;
    s->counted = false;
}
