/* TLS handshakes as an FTPS worker would have them signed, what a server signs for them, and data
 * connections from the client's side. Called by the parts; what is good here must be good for the
 * monitor, so that what is bad fails for its one flaw. */
#include <errno.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/sshwire.h"
#include "tests/hostile/hostile.h"

void tls_take_certificate(struct hostile *h, struct slice chain)
{
    struct wire w = wire_of(chain);
    const struct slice der = wire_string(&w);
    const unsigned char *at = der.data;
    X509 *certificate;

    if (h->tls_key != NULL)
        return;
    certificate = w.bad ? NULL : d2i_X509(NULL, &at, (long)der.len);
    h->tls_key = certificate != NULL ? X509_get_pubkey(certificate) : NULL;
    X509_free(certificate);
    if (h->tls_key == NULL)
        give_up("a worker got no certificate");
}

bool tls_signed(const struct hostile *h, const char *digest, struct slice bytes,
                struct slice signature)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const bool good =
        ctx != NULL &&
        EVP_DigestVerifyInit_ex(ctx, NULL, digest, NULL, NULL, h->tls_key, NULL) == 1 &&
        EVP_DigestVerify(ctx, signature.data, signature.len, bytes.data, bytes.len) == 1;

    EVP_MD_CTX_free(ctx);
    return good;
}

size_t tls13_input(struct slice hash, uint8_t *bytes, size_t size)
{
    static const char context[] = "TLS 1.3, server CertificateVerify"; /* and a NUL */
    struct wire_out w = wire_out_of(bytes, size);

    for (int i = 0; i < 64; i++)
        wire_put_u8(&w, ' ');
    wire_put_bytes(&w, slice_of(context, sizeof(context)));
    wire_put_bytes(&w, hash);
    if (w.bad)
        give_up("what is signed does not fit");
    return w.len;
}

size_t tls12_params(uint8_t curve_type, unsigned group, size_t point, uint8_t *bytes, size_t size)
{
    struct wire_out w = wire_out_of(bytes, size);

    wire_put_u8(&w, curve_type);
    wire_put_u8(&w, (uint8_t)(group >> 8));
    wire_put_u8(&w, (uint8_t)group);
    wire_put_u8(&w, (uint8_t)point);
    wire_put_u8(&w, 4); /* uncompressed */
    for (size_t i = 1; i < point; i++)
        wire_put_u8(&w, 0x42);
    if (w.bad)
        give_up("parameters that do not fit");
    return w.len;
}

void tls_do(struct hostile *h, struct actor *a)
{
    uint8_t hash[32], bytes[256];
    struct signature signature;

    if (getrandom(hash, sizeof(hash), 0) != (ssize_t)sizeof(hash))
        give_up("no random bytes");
    const struct sign_tls13 ask = {.scheme = ECDSA_SHA256, .hash = slice_of(hash, sizeof(hash))};
    const size_t len = tls13_input(ask.hash, bytes, sizeof(bytes));
    if (send_sign_tls13(a->link, 1, &ask) < 0 || raw_receive(h, a->link, answer_ms) != 1 ||
        decode_signature(&h->envelope, &signature) < 0 ||
        !tls_signed(h, "SHA256", slice_of(bytes, len), signature.bytes))
        give_up("a good handshake was not signed: see %s/log", h->place);
    a->keyed = true;
}

/* ------------------------------------------------------------------------- data connections */

void listener_drain(const struct hostile *h)
{
    int fd;

    while ((fd = accept4(h->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
        close(fd);
}

uint32_t passive_ask(struct hostile *h, struct actor *a)
{
    const struct data_passive ask = {0};
    const uint32_t id = ++h->next_id;

    if (send_data_passive(a->link, id, &ask) < 0)
        give_up("data_passive: %s", strerror(errno));
    return id;
}

uint16_t passive_port(struct hostile *h, struct actor *a, uint32_t id)
{
    struct data_port port;

    if (raw_receive(h, a->link, answer_ms) != 1 || decode_data_port(&h->envelope, &port) < 0 ||
        h->envelope.id != id)
        give_up("a data port was not answered: see %s/log", h->place);
    return (uint16_t)port.port;
}

int passive_connect(struct in_addr from, uint16_t port)
{
    const struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr = from};
    const struct sockaddr_in there = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (const struct sockaddr *)&here, sizeof(here)) < 0)
        give_up("cannot connect: %s", strerror(errno));
    if (connect(fd, (const struct sockaddr *)&there, sizeof(there)) == 0)
        return fd;
    close(fd);
    return -1;
}

int data_taken(struct hostile *h, struct actor *a, uint32_t id, int wait_ms)
{
    struct data_connection connection;

    if (raw_receive(h, a->link, wait_ms) != 1 ||
        decode_data_connection(&h->envelope, &connection) < 0 || h->envelope.id != id ||
        h->envelope.fd_count != 1)
        return -1;
    return envelope_take_fd(&h->envelope, 0);
}
