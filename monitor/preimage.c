/* The preimage of an SSH exchange hash (RFC 4253, 8), parsed to the last byte. It comes from a
 * worker, so nothing in it is believed: what is returned has the shape of an exchange that a server
 * of ours could have made, and names the algorithms that its two KEXINITs agree on. */
#include <string.h>

#include "common/sshwire.h"
#include "monitor/monitor.h"

#define KEXINIT        20
#define KEXINIT_LISTS  10
#define KEX_LIST       0
#define HOST_KEY_LIST  1
#define SHARED_K_BYTES 4096

/* The key exchanges that we sign for, and the hash of each. All have the same tail: what the client
 * sent, what the server sent, the shared secret, each a string. */
static const struct {
    const char *name, *hash;
} exchanges[] = {
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

/* The lists of a KEXINIT (RFC 4253, 7.1) that matter here. */
static bool parse_kexinit(struct slice bytes, struct slice *kex, struct slice *host_key)
{
    struct wire w = wire_of(bytes);
    struct slice lists[KEXINIT_LISTS];

    if (wire_u8(&w) != KEXINIT)
        return false;
    wire_bytes(&w, 16); /* cookie */
    for (size_t i = 0; i < KEXINIT_LISTS; i++)
        lists[i] = wire_string(&w);
    wire_u8(&w);  /* first_kex_packet_follows */
    wire_u32(&w); /* reserved */
    *kex = lists[KEX_LIST];
    *host_key = lists[HOST_KEY_LIST];
    return wire_done(&w);
}

static bool is_version(struct slice v)
{
    return v.len >= 8 && v.len <= 255 && memcmp(v.data, "SSH-", 4) == 0;
}

static const char *hash_of(struct slice kex)
{
    for (size_t i = 0; i < sizeof(exchanges) / sizeof(exchanges[0]); i++) {
        if (slice_is(kex, exchanges[i].name))
            return exchanges[i].hash;
    }
    return NULL;
}

int preimage_parse(struct slice bytes, struct preimage *p, const char **why)
{
    struct wire w = wire_of(bytes);
    struct slice c_kex, c_host_key, s_kex, s_host_key;

    memset(p, 0, sizeof(*p));
    p->v_c = wire_string(&w);
    p->v_s = wire_string(&w);
    p->i_c = wire_string(&w);
    p->i_s = wire_string(&w);
    p->k_s = wire_string(&w);
    const struct slice from_client = wire_string(&w);
    const struct slice from_server = wire_string(&w);
    const struct slice k = wire_string(&w);
    *why = "asked to sign what is no key exchange";
    if (!wire_done(&w) || !is_version(p->v_c) || !is_version(p->v_s) || from_client.len == 0 ||
        from_server.len == 0 || k.len == 0 || k.len > SHARED_K_BYTES)
        return -1;
    *why = "asked to sign an exchange whose KEXINIT does not parse";
    if (!parse_kexinit(p->i_c, &c_kex, &c_host_key) || !parse_kexinit(p->i_s, &s_kex, &s_host_key))
        return -1;
    *why = "asked to sign an exchange whose algorithms do not agree";
    p->hash = hash_of(name_list_match(c_kex, s_kex));
    p->signature = name_list_match(c_host_key, s_host_key);
    return p->hash != NULL && p->signature.len > 0 ? 0 : -1;
}
