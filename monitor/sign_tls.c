/* TLS signatures, typed: what is signed is put together here, from a transcript's hash (TLS 1.3) or
 * from randoms and ECDHE parameters whose shape is checked (TLS 1.2). Called by the dispatcher;
 * never signs bytes as a worker gave them, and nothing that is not a server's handshake. */
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <string.h>

#include "common/sshwire.h"
#include "monitor/monitor.h"

#define NAMED_CURVE 3 /* ECCurveType (RFC 8422, 5.4) */

/* Signature schemes (RFC 8446, 4.2.3). PKCS#1 padding is for TLS 1.2 alone. */
static const struct scheme {
    uint32_t number;
    int type; /* EVP_PKEY_get_id, which needs no memory: its lack would blame the worker */
    const char *digest;
    bool pss, only_tls12;
} schemes[] = {
    {0x0403, EVP_PKEY_EC, "SHA256", false, false}, {0x0503, EVP_PKEY_EC, "SHA384", false, false},
    {0x0603, EVP_PKEY_EC, "SHA512", false, false}, {0x0804, EVP_PKEY_RSA, "SHA256", true, false},
    {0x0805, EVP_PKEY_RSA, "SHA384", true, false}, {0x0806, EVP_PKEY_RSA, "SHA512", true, false},
    {0x0401, EVP_PKEY_RSA, "SHA256", false, true}, {0x0501, EVP_PKEY_RSA, "SHA384", false, true},
    {0x0601, EVP_PKEY_RSA, "SHA512", false, true}, {0x0807, EVP_PKEY_ED25519, NULL, false, false},
};

/* Named groups whose points have one length each (RFC 8446, 4.2.8.2). */
static const struct {
    uint32_t group, point;
} groups[] = {{23, 65}, {24, 97}, {25, 133}, {29, 32}, {30, 56}};

static const struct scheme *find_scheme(uint32_t number, EVP_PKEY *key, bool tls12)
{
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (schemes[i].number == number && EVP_PKEY_get_id(key) == schemes[i].type &&
            (tls12 || !schemes[i].only_tls12))
            return &schemes[i];
    }
    return NULL;
}

static ssize_t sign(EVP_PKEY *key, const struct scheme *scheme, struct slice tbs,
                    uint8_t *signature, size_t size)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *options = NULL;
    ssize_t r = -1;

    if (ctx != NULL &&
        EVP_DigestSignInit_ex(ctx, &options, scheme->digest, NULL, NULL, key, NULL) == 1 &&
        (!scheme->pss ||
         (EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1 &&
          EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) == 1)) &&
        EVP_DigestSign(ctx, signature, &size, tbs.data, tbs.len) == 1)
        r = (ssize_t)size;
    EVP_MD_CTX_free(ctx);
    return r;
}

ssize_t priv_sign_tls13(EVP_PKEY *key, const struct sign_tls13 *request, uint8_t *signature,
                        size_t size, const char **why)
{
    static const char context[] = "TLS 1.3, server CertificateVerify";
    const struct scheme *scheme = find_scheme(request->scheme, key, false);
    uint8_t tbs[64 + sizeof(context) + 48];
    struct wire_out w = wire_out_of(tbs, sizeof(tbs));

    *why = "asked for a signature that is none of TLS 1.3";
    if (scheme == NULL || (request->hash.len != 32 && request->hash.len != 48))
        return -1;
    memset(tbs, ' ', 64); /* RFC 8446, 4.4.3 */
    w.len = 64;
    wire_put_bytes(&w, slice_of(context, sizeof(context)));
    wire_put_bytes(&w, request->hash);
    *why = NULL; /* what fails from here on is ours */
    return w.bad ? -1 : sign(key, scheme, slice_of(tbs, w.len), signature, size);
}

/* ServerECDHParams: a named curve, its number, a point of its length, and nothing more. */
static bool are_ecdhe_params(struct slice params)
{
    struct wire w = wire_of(params);
    const uint8_t type = wire_u8(&w);
    const uint8_t high = wire_u8(&w);
    const uint32_t group = (uint32_t)high << 8 | wire_u8(&w);
    const uint8_t len = wire_u8(&w);

    wire_bytes(&w, len);
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        if (groups[i].group == group)
            return type == NAMED_CURVE && groups[i].point == len && wire_done(&w);
    }
    return false;
}

ssize_t priv_sign_tls12(EVP_PKEY *key, const struct sign_tls12 *request, uint8_t *signature,
                        size_t size, const char **why)
{
    const struct scheme *scheme = find_scheme(request->scheme, key, true);
    uint8_t tbs[64 + 140];
    struct wire_out w = wire_out_of(tbs, sizeof(tbs));

    *why = "asked for a signature that is none of TLS 1.2";
    if (scheme == NULL || request->client_random.len != 32 || request->server_random.len != 32 ||
        !are_ecdhe_params(request->params))
        return -1;
    wire_put_bytes(&w, request->client_random);
    wire_put_bytes(&w, request->server_random);
    wire_put_bytes(&w, request->params);
    *why = NULL; /* what fails from here on is ours */
    return w.bad ? -1 : sign(key, scheme, slice_of(tbs, w.len), signature, size);
}
