/* What belongs to one FTPS session, used in another: data ports and connections; and what a TLS
 * signature is good for. Called by main.c. */
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/hostile/hostile.h"

#define QUIET_MS 100 /* how long nothing must come where nothing may */
#define MANY     500

/* Was it closed by the server? */
static bool is_closed(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char byte;

    return poll(&p, 1, PATIENCE_MS) == 1 && recv(fd, &byte, 1, 0) <= 0;
}

/* Do these two descriptors belong to one connection? */
static bool is_pair(int client, int served)
{
    struct pollfd p = {.fd = served, .events = POLLIN};
    char byte = 0;

    return send(client, "x", 1, MSG_NOSIGNAL) == 1 && poll(&p, 1, PATIENCE_MS) == 1 &&
           recv(served, &byte, 1, 0) == 1 && byte == 'x';
}

/* The hash of an SSH exchange is 32 bytes like any other: it is signed, but never as it is. */
static void try_typed(struct hostile *h)
{
    const struct exchange_parts plain = {0};
    uint8_t exchange[4096], hash[32], input[256];
    struct signature signature;
    struct actor ssh, a;

    h->kind = ROLE_SFTP;
    actor_make(h, STAND_GREETED, &ssh);
    const size_t len = exchange_make(h, &ssh, &plain, exchange, sizeof(exchange));
    if (EVP_Q_digest(NULL, "SHA256", NULL, exchange, len, hash, NULL) != 1)
        give_up("no hash");
    h->kind = ROLE_FTPS;
    actor_make(h, STAND_GREETED, &a);
    const struct sign_tls13 ask = {.scheme = ECDSA_SHA256, .hash = slice_of(hash, sizeof(hash))};
    if (send_sign_tls13(a.link, 5, &ask) < 0 || raw_receive(h, a.link, answer_ms) != 1 ||
        decode_signature(&h->envelope, &signature) < 0)
        give_up("a hash of 32 bytes is not signed");
    const size_t around = tls13_input(ask.hash, input, sizeof(input));
    expect(h, tls_signed(h, "SHA256", slice_of(input, around), signature.bytes),
           "across-ftps: what is signed is no CertificateVerify");
    expect(h,
           !tls_signed(h, "SHA256", ask.hash, signature.bytes) &&
               !tls_signed(h, "SHA256", slice_of(exchange, len), signature.bytes),
           "across-ftps: an SSH exchange was signed with the TLS key");
    actor_drop(&ssh);
    actor_drop(&a);
}

/* A's port is for A's client: whoever else connects is closed, and A waits on. */
static void try_ports(struct hostile *h)
{
    struct actor a, b;

    actor_make(h, STAND_OPEN, &a);
    actor_make(h, STAND_OPEN, &b);
    const uint32_t id_a = passive_ask(h, &a);
    const uint16_t port_a = passive_port(h, &a, id_a);
    const int foreign = passive_connect(b.address, port_a);
    expect(h, foreign >= 0 && is_closed(foreign), "across-ftps: B's client is let in at A's port");
    close(foreign);
    expect(h, data_taken(h, &a, id_a, QUIET_MS) < 0 && data_taken(h, &b, id_a, 0) < 0,
           "across-ftps: B's client's connection was handed over");
    const int own = passive_connect(a.address, port_a), served = data_taken(h, &a, id_a, answer_ms);
    expect(h, own >= 0 && served >= 0 && is_pair(own, served),
           "across-ftps: A's own client does not get through");
    expect(h, data_taken(h, &b, id_a, 0) < 0, "across-ftps: B was told of A's connection");
    /* Used: one connection a port. */
    const int second = passive_connect(a.address, port_a);
    expect(h, second < 0 || is_closed(second), "across-ftps: a port serves twice");
    if (second >= 0)
        close(second);
    close(own);
    close(served);
    actor_drop(&a);
    actor_drop(&b);
}

/* More sessions than ports. Of different addresses they share, and each gets its own client's; of
 * one address they could not be told apart. */
static void try_shared(struct hostile *h)
{
    enum { SHARING = 2 * PASSIVE_PORTS };
    struct actor all[SHARING], same[PASSIVE_PORTS + 1];
    uint32_t ids[SHARING];
    uint16_t ports[SHARING];

    for (int i = 0; i < SHARING; i++) {
        actor_make(h, STAND_OPEN, &all[i]);
        ids[i] = passive_ask(h, &all[i]);
        ports[i] = passive_port(h, &all[i], ids[i]);
        expect(h, ports[i] != 0, "across-ftps: session %d of %d gets no port", i, (int)SHARING);
    }
    for (int i = SHARING - 1; i >= 0; i--) {
        const int own = passive_connect(all[i].address, ports[i]);
        const int served = data_taken(h, &all[i], ids[i], answer_ms);
        expect(h, own >= 0 && served >= 0 && is_pair(own, served),
               "across-ftps: session %d has not got its client's connection", i);
        close(own);
        close(served);
    }
    for (int i = 0; i < SHARING; i++) {
        expect(h, raw_receive(h, all[i].link, 0) < 0, "across-ftps: one more for session %d", i);
        actor_drop(&all[i]);
    }
    for (int i = 0; i <= PASSIVE_PORTS; i++) {
        actor_greet(h, &same[i], htonl(INADDR_LOOPBACK));
        if (login_by_password(h, &same[i], ACCOUNT, PASSWORD) != VERDICT_OPEN)
            give_up("a good login was refused");
        const bool got = passive_port(h, &same[i], passive_ask(h, &same[i])) != 0;
        expect(h, got == (i < PASSIVE_PORTS), "across-ftps: port %d of one address: %d", i, got);
    }
    for (int i = 0; i <= PASSIVE_PORTS; i++)
        actor_drop(&same[i]);
}

/* One after the other, none used: each gives the one before up, in a monitor that does not grow. */
static void try_many(struct hostile *h)
{
    struct actor a;
    unsigned open = 0, last = 0;

    actor_make(h, STAND_OPEN, &a);
    const unsigned long before = descriptors_still(h); /* a spare takes the place of this worker */
    for (int i = 0; i < MANY; i++)
        last = passive_port(h, &a, passive_ask(h, &a));
    const unsigned long after = descriptors_still(h);
    expect(h, last != 0 && after <= before + 1, "across-ftps: %lu descriptors, %lu before", after,
           before);
    for (unsigned i = 0; i < PASSIVE_PORTS; i++) {
        const int fd = passive_connect(address_next(h), (uint16_t)(h->passive_first + i));
        open += fd >= 0;
        if (fd >= 0)
            close(fd);
    }
    expect(h, open == 1, "across-ftps: %u ports are open for one session", open);
    actor_drop(&a);
}

/* A port ends with its session, and with an active connection. */
static void try_end(struct hostile *h)
{
    const struct data_active active = {.port = h->listener_port};
    struct actor a;

    for (int ended = 0; ended < 2; ended++) {
        actor_make(h, STAND_OPEN, &a);
        const uint16_t port = passive_port(h, &a, passive_ask(h, &a));
        if (ended) {
            actor_drop(&a);
            descriptors_settle(h, 0);
        } else {
            listener_drain(h);
            if (send_data_active(a.link, 3, &active) < 0)
                give_up("data_active cannot be sent");
            const int to = data_taken(h, &a, 3, answer_ms);
            const int at = children_wait(h, h->listener, POLLIN, answer_ms)
                               ? accept4(h->listener, NULL, NULL, SOCK_CLOEXEC)
                               : -1;
            expect(h, to >= 0 && at >= 0 && is_pair(at, to),
                   "across-ftps: an active connection is not its client's");
            close(to);
            close(at);
        }
        const int fd = passive_connect(a.address, port);
        expect(h, port != 0 && fd < 0, "across-ftps: a port outlives what waited on it");
        if (fd >= 0)
            close(fd);
        actor_drop(&a);
    }
}

void across_ftps_run(struct hostile *h)
{
    try_typed(h);
    try_ports(h);
    try_shared(h);
    try_many(h);
    try_end(h);
    h->kind = ROLE_SFTP;
}
