/* "I lost my password": a link for an account's confirmed address, or for nobody. Who asks is
 * answered the same in the same time, whatever is known of the name: a link that nobody gets is
 * made and written as one that is mailed. Called by serve.c. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "common/network.h"
#include "monitor/store/links.h"

#define SAME_ADDRESS 4 /* accounts of one address that are sent a link each */
#define AN_HOUR      3600

/* Count one more wish of a client (IPv6: of its /64). Where there is no room, the one that has been
 * counted for longest is forgotten. Returns whether it is one of the first of its hour. */
static bool client_allow(struct accounts *a, struct slice from)
{
    static const uint8_t mapped[12] = {
        [10] = 0xff, [11] = 0xff}; /* IPv4, as address_parse has it */
    struct lost_client *oldest = &a->own.clients[0];
    const int64_t now = time(NULL);
    uint8_t address[16] = {0};
    char text[65];

    if (slice_copy(from, text, sizeof(text)) == 0)
        (void)address_parse(text, address);
    if (memcmp(address, mapped, sizeof(mapped)) != 0)
        memset(address + 8, 0, 8);
    for (size_t i = 0; i < LOST_CLIENTS; i++) {
        struct lost_client *c = &a->own.clients[i];
        const bool counts = c->count > 0 && now >= c->since && now - c->since < AN_HOUR;
        if (!counts)
            *c = (struct lost_client){0};
        else if (memcmp(c->address, address, sizeof(address)) == 0)
            return c->count++ < a->own.links_an_hour;
        if (c->since < oldest->since)
            oldest = c;
    }
    *oldest = (struct lost_client){.since = now, .count = 1};
    memcpy(oldest->address, address, sizeof(address));
    return true;
}

/* A link for this account, if it may have one: 1 and it was sent, 0, or -1 and why is filled. */
static int send_to(struct accounts *a, const struct holder *h, const char *from,
                   struct refusal *why)
{
    /* One without a password is opened by keys alone, which was the operator's wish. */
    if (!h->confirmed || !h->open || !h->password)
        return 0;
    const int allowed = links_allow(a, h, why);
    if (allowed <= 0)
        return allowed;
    return links_send(a, h, LINK_LOST, h->email, from, why) < 0 ? -1 : 1;
}

/* To each account that the name or address is of. Returns how many were sent, or -1. */
static int send_all(struct accounts *a, struct slice name, const char *from, struct refusal *why)
{
    int sent = 0, found = 0;
    struct holder h;

    if (name.len <= ACCOUNT_NAME_MAX) {
        if (holder_find(a, name, &h, why) == 0)
            return send_to(a, &h, from, why);
        if (why->error != ENOENT || why->hard)
            return -1;
    }
    for (int64_t after = 0; sent < SAME_ADDRESS; after = h.number) {
        found = holder_by_address(a, name, after, &h, why);
        const int one = found > 0 ? send_to(a, &h, from, why) : found;
        if (one < 0)
            return -1;
        sent += one;
        if (found == 0)
            break;
    }
    return sent;
}

int links_lost(struct accounts *a, const void *message, struct outcome *done, struct refusal *why)
{
    const struct link_lost *m = message;
    char from[65];
    int sent = 0;

    (void)slice_copy(m->address, from, sizeof(from));
    if (!a->own.mail)
        return 0; /* of nobody at all, and the page does not offer it */
    const bool allowed = client_allow(a, m->address);
    if (allowed && (sent = send_all(a, m->name, from, why)) < 0)
        return -1;
    if (sent == 0 && links_send_nobody(a, from, why) < 0)
        return -1;
    done->event = "link";
    snprintf(done->line, sizeof(done->line), "a link for a lost password was asked for %.*s: %s",
             (int)m->name.len, (const char *)m->name.data,
             sent > 0   ? "it is mailed"
             : !allowed ? "none is sent, too many were asked for from this address"
                        : "none is sent");
    (void)slice_copy(m->address, done->address, sizeof(done->address));
    return 0;
}
