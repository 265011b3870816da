/* The two things that keys are used for in SSH, typed: sign an exchange that the monitor has hashed
 * itself, and verify a login over data that the monitor has put together itself. Called by the
 * dispatcher and by the logins; never signs or verifies bytes as a worker gave them. */
#include <errno.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>

#include "common/hostkey.h"
#include "common/log.h"
#include "common/sshwire.h"
#include "monitor/monitor.h"

#define BANNER        "SSH-2.0-sallyport_" SALLYPORT_VERSION
#define RSA_BITS_MIN  2048
#define RSA_BYTES_MAX 2048 /* 16384 bits */
#define SK_PRESENT    0x01 /* the person touched the key (PROTOCOL.u2f) */

/* Signature algorithms (RFC 8332, 8709, 5656, PROTOCOL.u2f): which key type they go with, the hash
 * that is signed, and how the key is to be made. */
static const struct algorithm {
    const char *name, *key_type, *hash, *group;
    bool sk;
} algorithms[] = {
    {"ssh-ed25519", "ssh-ed25519", NULL, NULL, false},
    {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", "SHA256", "P-256", false},
    {"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384", "SHA384", "P-384", false},
    {"ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521", "SHA512", "P-521", false},
    {"rsa-sha2-256", "ssh-rsa", "SHA256", NULL, false},
    {"rsa-sha2-512", "ssh-rsa", "SHA512", NULL, false},
    {"sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519@openssh.com", NULL, NULL, true},
    {"sk-ecdsa-sha2-nistp256@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com", "SHA256", "P-256",
     true},
};

static const struct algorithm *find_algorithm(struct slice name)
{
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
        if (slice_is(name, algorithms[i].name))
            return &algorithms[i];
    }
    return NULL;
}

bool key_algorithm_fits(struct slice algorithm, struct slice key)
{
    const struct algorithm *a = find_algorithm(algorithm);
    struct wire w = wire_of(key);

    return a != NULL && slice_is(wire_string(&w), a->key_type);
}

/* ------------------------------------------------------------------------- signing */

static const struct host_key *find_host_key(const struct host_keys *keys, struct slice k_s,
                                            struct slice signature)
{
    const struct algorithm *a = find_algorithm(signature);

    for (size_t i = 0; a != NULL && i < keys->count; i++) {
        const struct host_key *key = &keys->keys[i];
        if (slice_equal(slice_of(key->blob, key->blob_len), k_s) &&
            strcmp(a->key_type, key->type) == 0)
            return key;
    }
    return NULL;
}

/* SHA-256 of both KEXINITs, 32 bytes. */
static bool hash_inits(const struct preimage *p, uint8_t inits[32])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const bool hashed = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
                        EVP_DigestUpdate(ctx, p->i_c.data, p->i_c.len) == 1 &&
                        EVP_DigestUpdate(ctx, p->i_s.data, p->i_s.len) == 1 &&
                        EVP_DigestFinal_ex(ctx, inits, NULL) == 1;

    EVP_MD_CTX_free(ctx);
    return hashed;
}

/* Keep the first exchange's hash as the session id; a rekey has other KEXINITs than the first. */
static bool keep_session_id(struct exchange *x, const uint8_t inits[32], const uint8_t *h,
                            size_t h_len)
{
    if (h_len > sizeof(x->session_id))
        return false;
    if (x->session_id_len > 0)
        return memcmp(x->first_inits, inits, 32) != 0;
    memcpy(x->session_id, h, h_len);
    memcpy(x->first_inits, inits, 32);
    x->session_id_len = h_len;
    return true;
}

/* Without memory at the first use of a kind of algorithm libcrypto takes the kind for missing, for
 * good: what would be signed with later is looked up here, where a failure ends the start. */
static bool has_signatures(void)
{
    static const char *const names[] = {"ED25519", "ECDSA", "RSA"};
    bool has = true;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        EVP_SIGNATURE *one = EVP_SIGNATURE_fetch(NULL, names[i], NULL);
        has = has && one != NULL;
        EVP_SIGNATURE_free(one);
    }
    return has;
}

int sign_prepare(void)
{
    uint8_t byte;

    return RAND_bytes(&byte, 1) == 1 && RAND_priv_bytes(&byte, 1) == 1 && has_signatures() ? 0 : -1;
}

int exchange_begin(struct exchange *exchange)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[(NONCE_SIZE - 1) / 2];

    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return -1;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        exchange->nonce[2 * i] = digits[bytes[i] >> 4];
        exchange->nonce[2 * i + 1] = digits[bytes[i] & 15];
    }
    exchange->nonce[NONCE_SIZE - 1] = '\0';
    return 0;
}

/* The version line of this session (RFC 4253, 4.2). A worker could hand over an exchange of another
 * session, secrets and all, and use that one's logins again, were it not for the nonce in here. */
static bool is_our_version(const struct exchange *x, struct slice v_s)
{
    char line[sizeof(BANNER) + 1 + NONCE_SIZE];

    snprintf(line, sizeof(line), BANNER "%s%s", x->nonce[0] != '\0' ? " " : "", x->nonce);
    return slice_is(v_s, line);
}

ssize_t priv_sign_exchange(const struct host_keys *keys, struct exchange *exchange,
                           struct slice bytes, uint8_t *signature, size_t size, const char **why)
{
    struct preimage p;
    uint8_t h[EVP_MAX_MD_SIZE], inits[32];
    size_t h_len = 0;
    EVP_MD_CTX *ctx = NULL;
    ssize_t r = -1;

    if (preimage_parse(bytes, &p, why) < 0)
        goto out;
    *why = "asked to sign an exchange of another server";
    const struct host_key *key = find_host_key(keys, p.k_s, p.signature);
    if (key == NULL || !is_our_version(exchange, p.v_s))
        goto out;
    *why = NULL; /* what fails now is no fault of the worker's */
    if (EVP_Q_digest(NULL, p.hash, NULL, bytes.data, bytes.len, h, &h_len) != 1 ||
        !hash_inits(&p, inits))
        goto out;
    *why = "asked to sign its first exchange again";
    if (!keep_session_id(exchange, inits, h, h_len))
        goto out;
    *why = NULL;
    if ((ctx = EVP_MD_CTX_new()) != NULL &&
        EVP_DigestSignInit_ex(ctx, NULL, find_algorithm(p.signature)->hash, NULL, NULL, key->key,
                              NULL) == 1 &&
        EVP_DigestSign(ctx, signature, &size, h, h_len) == 1)
        r = (ssize_t)size;
out:
    EVP_MD_CTX_free(ctx);
    OPENSSL_cleanse(h, sizeof(h));
    ERR_clear_error(); /* nobody asks libcrypto why */
    return r;
}

/* ------------------------------------------------------------------------- verifying */

static EVP_PKEY *key_from_params(const char *type, OSSL_PARAM_BLD *builder)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;

    if (params == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return key;
}

static EVP_PKEY *rsa_key(struct wire *w)
{
    const struct slice e = wire_string(w), n = wire_string(w);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    BIGNUM *be = NULL, *bn = NULL;
    EVP_PKEY *key = NULL;

    if (builder == NULL || !wire_done(w) || e.len > 8 || n.len > RSA_BYTES_MAX + 1)
        goto out;
    be = BN_bin2bn(e.data, (int)e.len, NULL);
    bn = BN_bin2bn(n.data, (int)n.len, NULL);
    /* An exponent of 1 would make every padded hash its own signature. */
    if (be != NULL && bn != NULL && BN_num_bits(bn) >= RSA_BITS_MIN && BN_is_odd(be) &&
        !BN_is_one(be) && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, bn) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, be) == 1)
        key = key_from_params("RSA", builder);
out:
    BN_free(be);
    BN_free(bn);
    OSSL_PARAM_BLD_free(builder);
    return key;
}

static EVP_PKEY *ecdsa_key(struct wire *w, const char *group)
{
    wire_string(w); /* the curve's name, told by the type already */
    const struct slice point = wire_string(w);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;

    if (builder != NULL && !w->bad && point.len > 0 &&
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point.data, point.len) ==
            1)
        key = key_from_params("EC", builder);
    OSSL_PARAM_BLD_free(builder);
    return key;
}

/* A public key blob (RFC 4253, 6.6; PROTOCOL.u2f: then the application follows). */
static EVP_PKEY *key_from_blob(const struct algorithm *a, struct slice blob,
                               struct slice *application)
{
    struct wire w = wire_of(blob);
    EVP_PKEY *key = NULL;

    wire_string(&w); /* the type: looked at in key_algorithm_fits */
    if (a->group != NULL) {
        key = ecdsa_key(&w, a->group);
    } else if (a->hash != NULL) {
        return rsa_key(&w);
    } else {
        const struct slice raw = wire_string(&w);
        if (!w.bad)
            key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw.data, raw.len);
    }
    *application = a->sk ? wire_string(&w) : slice_of(NULL, 0);
    if (!wire_done(&w)) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    return key;
}

/* What the client signed (RFC 4252, 7). Returns bytes, 0 if it does not fit. */
static size_t login_data(const struct exchange *x, const struct auth_key *claim, uint8_t *bytes,
                         size_t size)
{
    struct wire_out w = wire_out_of(bytes, size);

    wire_put_string(&w, slice_of(x->session_id, x->session_id_len));
    wire_put_u8(&w, 50); /* SSH_MSG_USERAUTH_REQUEST */
    wire_put_string(&w, claim->user);
    wire_put_string(&w, slice_text("ssh-connection"));
    wire_put_string(&w, slice_text("publickey"));
    wire_put_u8(&w, 1);
    wire_put_string(&w, claim->algorithm);
    wire_put_string(&w, claim->key);
    return w.bad ? 0 : w.len;
}

/* What a security key signs of it: hashes, its flags and counter (PROTOCOL.u2f). */
static size_t security_key_data(const struct auth_key *claim, struct slice application,
                                const uint8_t *data, size_t len, uint8_t bytes[69])
{
    struct wire_out w = wire_out_of(bytes, 69);
    uint8_t hash[32];

    if ((claim->sk_flags & SK_PRESENT) == 0 ||
        EVP_Q_digest(NULL, "SHA256", NULL, application.data, application.len, hash, NULL) != 1)
        return 0;
    wire_put_bytes(&w, slice_of(hash, sizeof(hash)));
    wire_put_u8(&w, claim->sk_flags);
    wire_put_u32(&w, claim->sk_counter);
    if (EVP_Q_digest(NULL, "SHA256", NULL, data, len, hash, NULL) != 1)
        return 0;
    wire_put_bytes(&w, slice_of(hash, sizeof(hash)));
    return w.bad ? 0 : w.len;
}

int verify_login_signature(const struct exchange *exchange, const struct auth_key *claim)
{
    const struct algorithm *a = find_algorithm(claim->algorithm);
    uint8_t data[10240], sk_data[69];
    const uint8_t *tbs = data;
    struct slice application = {0};
    EVP_MD_CTX *ctx = NULL;
    int r = 0;

    if (a == NULL || !key_algorithm_fits(claim->algorithm, claim->key) ||
        exchange->session_id_len == 0)
        return 0;
    EVP_PKEY *key = key_from_blob(a, claim->key, &application);
    size_t len = login_data(exchange, claim, data, sizeof(data));
    if (key == NULL || len == 0)
        goto out;
    if (a->sk) {
        len = security_key_data(claim, application, data, len, sk_data);
        tbs = sk_data;
    }
    if (len > 0 && (ctx = EVP_MD_CTX_new()) != NULL &&
        EVP_DigestVerifyInit_ex(ctx, NULL, a->hash, NULL, NULL, key, NULL) == 1 &&
        EVP_DigestVerify(ctx, claim->signature.data, claim->signature.len, tbs, len) == 1)
        r = 1;
out:
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return r;
}
