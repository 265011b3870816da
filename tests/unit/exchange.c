/* Exchange preimages for tests: plain concatenation, in the order of RFC 4253. */
#include "tests/unit/exchange.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "common/facts.h"
#include "common/sshwire.h"

const struct exchange_fact exchange_facts[] = {
    {"mlkem768x25519-sha256", "SHA256"},
    {"sntrup761x25519-sha512", "SHA512"},
    {"sntrup761x25519-sha512@openssh.com", "SHA512"},
    {"curve25519-sha256", "SHA256"},
    {"curve25519-sha256@libssh.org", "SHA256"},
    {"ecdh-sha2-nistp256", "SHA256"},
    {"ecdh-sha2-nistp384", "SHA384"},
    {"ecdh-sha2-nistp521", "SHA512"},
    {"diffie-hellman-group14-sha256", "SHA256"},
    {"diffie-hellman-group16-sha512", "SHA512"},
    {"diffie-hellman-group18-sha512", "SHA512"},
};
const size_t exchange_fact_count = sizeof(exchange_facts) / sizeof(exchange_facts[0]);

struct slice kexinit(const struct side *side, uint8_t space[2048])
{
    static const char *const others[8] = {
        "aes128-ctr", "aes128-ctr", "hmac-sha2-256", "hmac-sha2-256", "none", "none", "", "",
    };
    struct wire_out w = wire_out_of(space, 2048);

    wire_put_u8(&w, 20);
    for (size_t i = 0; i < 16; i++)
        wire_put_u8(&w, side->cookie);
    wire_put_string(&w, slice_text(side->kex));
    wire_put_string(&w, slice_text(side->host_key));
    for (size_t i = 0; i < 8; i++)
        wire_put_string(&w, slice_text(others[i]));
    wire_put_u8(&w, 0);
    wire_put_u32(&w, 0);
    assert_false(w.bad);
    return slice_of(space, w.len);
}

void sample_make(struct sample *s, const struct side *client, const struct side *server,
                 struct slice host_key)
{
    static const uint8_t point[32] = {9, 8, 7}, secret[33] = {0, 0x80, 1};

    s->v_c = slice_text("SSH-2.0-OpenSSH_9.2p1 Debian-2");
    s->v_s = slice_text("SSH-2.0-sallyport_" SALLYPORT_VERSION);
    s->i_c = kexinit(client, s->space[0]);
    s->i_s = kexinit(server, s->space[1]);
    s->k_s = host_key;
    s->e = slice_of(point, sizeof(point));
    s->f = slice_of(point, sizeof(point));
    s->k = slice_of(secret, sizeof(secret));
}

size_t sample_preimage(const struct sample *s, uint8_t bytes[EXCHANGE_MAX])
{
    const struct slice fields[] = {s->v_c, s->v_s, s->i_c, s->i_s, s->k_s, s->e, s->f, s->k};
    struct wire_out w = wire_out_of(bytes, EXCHANGE_MAX);

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (fields[i].data != NULL || fields[i].len == 0)
            wire_put_string(&w, fields[i]);
    }
    assert_false(w.bad);
    return w.len;
}
