/* The two things that keys do: the monitor signs an exchange that it has hashed itself, and
 * believes a login only by a signature over what it has put together itself. All keys and all
 * signatures here are made by OpenSSL in the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "common/sshwire.h"
#include "monitor/monitor.h"
#include "tests/unit/exchange.h"

/* ---- keys ---------------------------------------------------------------------------------- */

enum kind { ED25519, P256, P384, P521, RSA_2048, SK_ED25519, SK_P256, OTHER_ED25519, KINDS };

static struct key_pair {
    const char *type, *curve; /* as SSH has them */
    const char *group;        /* as OpenSSL has it */
    EVP_PKEY *key;
    uint8_t blob[1024];
    size_t blob_len;
} keys[KINDS] = {
    [ED25519] = {.type = "ssh-ed25519"},
    [P256] = {.type = "ecdsa-sha2-nistp256", .curve = "nistp256", .group = "P-256"},
    [P384] = {.type = "ecdsa-sha2-nistp384", .curve = "nistp384", .group = "P-384"},
    [P521] = {.type = "ecdsa-sha2-nistp521", .curve = "nistp521", .group = "P-521"},
    [RSA_2048] = {.type = "ssh-rsa"},
    [SK_ED25519] = {.type = "sk-ssh-ed25519@openssh.com"},
    [SK_P256] = {.type = "sk-ecdsa-sha2-nistp256@openssh.com",
                 .curve = "nistp256",
                 .group = "P-256"},
    [OTHER_ED25519] = {.type = "ssh-ed25519"},
};

static void put_mpint(struct wire_out *w, EVP_PKEY *key, const char *name)
{
    uint8_t bytes[1024] = {0};
    BIGNUM *n = NULL;

    assert_int_equal(EVP_PKEY_get_bn_param(key, name, &n), 1);
    const int len = BN_num_bytes(n);
    assert_true(len < (int)sizeof(bytes));
    BN_bn2bin(n, bytes + 1);
    const size_t sign = bytes[1] >> 7; /* a first bit that is set would be a minus */
    wire_put_string(w, slice_of(bytes + 1 - sign, (size_t)len + sign));
    BN_free(n);
}

static void make_blob(struct key_pair *k, const char *application)
{
    struct wire_out w = wire_out_of(k->blob, sizeof(k->blob));
    uint8_t raw[256];
    size_t len = sizeof(raw);

    wire_put_string(&w, slice_text(k->type));
    if (k->group != NULL) {
        wire_put_string(&w, slice_text(k->curve));
        assert_int_equal(EVP_PKEY_get_octet_string_param(k->key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY,
                                                         raw, sizeof(raw), &len),
                         1);
        wire_put_string(&w, slice_of(raw, len));
    } else if (strcmp(k->type, "ssh-rsa") == 0) {
        put_mpint(&w, k->key, OSSL_PKEY_PARAM_RSA_E);
        put_mpint(&w, k->key, OSSL_PKEY_PARAM_RSA_N);
    } else {
        assert_int_equal(EVP_PKEY_get_raw_public_key(k->key, raw, &len), 1);
        wire_put_string(&w, slice_of(raw, len));
    }
    if (application != NULL)
        wire_put_string(&w, slice_text(application));
    assert_false(w.bad);
    k->blob_len = w.len;
}

static struct slice blob_of(const struct key_pair *k)
{
    return slice_of(k->blob, k->blob_len);
}

static int make_keys(void **state)
{
    (void)state;
    for (int i = 0; i < KINDS; i++) {
        struct key_pair *k = &keys[i];
        k->key = k->group != NULL ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", k->group)
                 : i == RSA_2048  ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048)
                                  : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        if (k->key == NULL)
            return -1;
        make_blob(k, strncmp(k->type, "sk-", 3) == 0 ? "ssh:" : NULL);
    }
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    for (int i = 0; i < KINDS; i++)
        EVP_PKEY_free(keys[i].key);
    return 0;
}

static size_t sign(EVP_PKEY *key, const char *hash, const uint8_t *data, size_t len,
                   uint8_t *signature, size_t size)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    assert_int_equal(EVP_DigestSignInit_ex(ctx, NULL, hash, NULL, NULL, key, NULL), 1);
    assert_int_equal(EVP_DigestSign(ctx, signature, &size, data, len), 1);
    EVP_MD_CTX_free(ctx);
    return size;
}

static bool verifies(EVP_PKEY *key, const char *hash, const uint8_t *data, size_t len,
                     const uint8_t *signature, size_t size)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const bool good = EVP_DigestVerifyInit_ex(ctx, NULL, hash, NULL, NULL, key, NULL) == 1 &&
                      EVP_DigestVerify(ctx, signature, size, data, len) == 1;

    EVP_MD_CTX_free(ctx);
    return good;
}

#define OUR_VERSION "SSH-2.0-sallyport_" SALLYPORT_VERSION

/* ---- signing exchanges --------------------------------------------------------------------- */

static const struct {
    const char *algorithm, *hash;
    enum kind kind;
} host_algorithms[] = {
    {"ssh-ed25519", NULL, ED25519},
    {"ecdsa-sha2-nistp256", "SHA256", P256},
    {"rsa-sha2-256", "SHA256", RSA_2048},
    {"rsa-sha2-512", "SHA512", RSA_2048},
};
#define HOST_ALGORITHMS (sizeof(host_algorithms) / sizeof(host_algorithms[0]))

static struct host_keys house;
static uint8_t bytes[EXCHANGE_MAX], signature[1024];

static void fill_house(void)
{
    static const enum kind ours[] = {ED25519, P256, RSA_2048};

    house.count = 0;
    for (size_t i = 0; i < 3; i++) {
        struct host_key *k = &house.keys[house.count++];
        const struct key_pair *from = &keys[ours[i]];
        *k = (struct host_key){.key = from->key, .type = from->type, .blob_len = from->blob_len};
        memcpy(k->blob, from->blob, from->blob_len);
        k->offered = i != 1; /* one was replaced at a reload: live sessions still need it */
    }
}

static void make(struct sample *s, const char *kex, const char *algorithm, enum kind kind,
                 uint8_t cookie)
{
    const struct side c = {cookie, kex, algorithm}, d = {(uint8_t)(cookie + 1), kex, algorithm};

    sample_make(s, &c, &d, blob_of(&keys[kind]));
}

/* Ask; returns the signature's length or -1. */
static ssize_t ask(struct exchange *x, const struct sample *s)
{
    const char *why = NULL;
    const size_t len = sample_preimage(s, bytes);
    const ssize_t r =
        priv_sign_exchange(&house, x, slice_of(bytes, len), signature, sizeof(signature), &why);

    assert_true(r > 0 || (r == -1 && why != NULL));
    return r;
}

static void test_signatures_verify(void **state)
{
    (void)state;
    fill_house();
    for (size_t a = 0; a < HOST_ALGORITHMS; a++) {
        for (size_t i = 0; i < exchange_fact_count; i++) {
            struct sample s;
            struct exchange x = {0};
            uint8_t h[EVP_MAX_MD_SIZE];
            size_t h_len;
            make(&s, exchange_facts[i].kex, host_algorithms[a].algorithm, host_algorithms[a].kind,
                 1);
            const ssize_t n = ask(&x, &s);
            assert_true(n > 0);
            const size_t len = sample_preimage(&s, bytes);
            assert_int_equal(
                EVP_Q_digest(NULL, exchange_facts[i].hash, NULL, bytes, len, h, &h_len), 1);
            assert_true(verifies(keys[host_algorithms[a].kind].key, host_algorithms[a].hash, h,
                                 h_len, signature, (size_t)n));
            assert_int_equal(x.session_id_len, h_len);
            assert_memory_equal(x.session_id, h, h_len);
        }
    }
}

/* Refused, and the session has no id by it. */
static void not_signed(const struct sample *s)
{
    static const struct exchange none;
    struct exchange x = {0};

    assert_int_equal(ask(&x, s), -1);
    assert_memory_equal(&x, &none, sizeof(x));
}

static void test_whose_exchange(void **state)
{
    static uint8_t bent[1024];
    struct sample s;

    (void)state;
    fill_house();
    make(&s, "curve25519-sha256", "ssh-ed25519", OTHER_ED25519, 1); /* nobody's here */
    not_signed(&s);
    for (size_t i = 0; i < keys[ED25519].blob_len; i++) {
        make(&s, "curve25519-sha256", "ssh-ed25519", ED25519, 1);
        memcpy(bent, keys[ED25519].blob, keys[ED25519].blob_len);
        bent[i] ^= 1;
        s.k_s = slice_of(bent, keys[ED25519].blob_len);
        not_signed(&s);
        s.k_s = slice_of(keys[ED25519].blob, i);
        not_signed(&s);
    }
    memcpy(bent, keys[ED25519].blob, keys[ED25519].blob_len);
    s.k_s = slice_of(bent, keys[ED25519].blob_len + 1);
    not_signed(&s);
    static const char *const banners[] = {
        "SSH-2.0-OpenSSH_9.2", "SSH-2.0-sallyport_",    OUR_VERSION "1",
        OUR_VERSION " x",      "SSH-2.0-SALLYPORT_0.1", "SSH-1.99-sallyport_0.1",
    };
    for (size_t i = 0; i < sizeof(banners) / sizeof(banners[0]); i++) {
        make(&s, "curve25519-sha256", "ssh-ed25519", ED25519, 1);
        s.v_s = slice_text(banners[i]);
        not_signed(&s);
    }
}

/* The key that is named and the algorithm that was agreed must be of one kind. */
static void test_which_algorithm(void **state)
{
    static const struct {
        const char *algorithm;
        enum kind kind;
    } rows[] = {
        {"rsa-sha2-512", ED25519},
        {"ssh-ed25519", RSA_2048},
        {"ssh-ed25519", P256},
        {"ecdsa-sha2-nistp256", ED25519},
        {"ecdsa-sha2-nistp384", P256},
        {"ssh-rsa", RSA_2048}, /* SHA-1 */
        {"ssh-dss", ED25519},
        {"sk-ssh-ed25519@openssh.com", ED25519},
        {"sk-ecdsa-sha2-nistp256@openssh.com", P256},
        {"ssh-ed25519-cert-v01@openssh.com", ED25519},
        {"null", ED25519},
    };
    struct sample s;

    (void)state;
    fill_house();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        make(&s, "curve25519-sha256", rows[i].algorithm, rows[i].kind, 1);
        not_signed(&s);
    }
    /* A key that is not there any more. */
    house.count = 0;
    make(&s, "curve25519-sha256", "ssh-ed25519", ED25519, 1);
    not_signed(&s);
}

static void test_rekeys(void **state)
{
    struct sample s, rekey;
    struct exchange x = {0};

    (void)state;
    fill_house();
    make(&s, "sntrup761x25519-sha512", "ssh-ed25519", ED25519, 1);
    assert_true(ask(&x, &s) > 0);
    const struct exchange first = x;
    assert_int_equal(first.session_id_len, 64);
    /* The same again, also with another secret or key: no second session id can be made of it. */
    assert_int_equal(ask(&x, &s), -1);
    s.k = slice_text("another secret");
    assert_int_equal(ask(&x, &s), -1);
    s.k_s = blob_of(&keys[RSA_2048]);
    assert_int_equal(ask(&x, &s), -1);
    assert_memory_equal(&x, &first, sizeof(x));
    /* Rekeys are signed, by any key exchange and host key of ours; the id stays the first. */
    for (uint8_t i = 0; i < 20; i++) {
        const size_t a = i % HOST_ALGORITHMS;
        make(&rekey, exchange_facts[i % exchange_fact_count].kex, host_algorithms[a].algorithm,
             host_algorithms[a].kind, (uint8_t)(3 + i));
        assert_true(ask(&x, &rekey) > 0);
        assert_memory_equal(&x, &first, sizeof(x));
    }
    make(&s, "sntrup761x25519-sha512", "ssh-ed25519", ED25519, 1);
    assert_int_equal(ask(&x, &s), -1); /* still not the first again */
    assert_memory_equal(&x, &first, sizeof(x));
}

static void test_room_for_the_signature(void **state)
{
    struct sample s;
    const char *why = NULL;

    (void)state;
    fill_house();
    for (size_t a = 0; a < HOST_ALGORITHMS; a++) {
        struct exchange x = {0};
        uint8_t small[40];
        make(&s, "curve25519-sha256", host_algorithms[a].algorithm, host_algorithms[a].kind, 1);
        const size_t len = sample_preimage(&s, bytes);
        memset(small, 0xa5, sizeof(small));
        assert_int_equal(priv_sign_exchange(&house, &x, slice_of(bytes, len), small, 20, &why), -1);
        assert_null(why); /* the server's own failure, no rule that a worker broke */
        for (size_t i = 20; i < sizeof(small); i++)
            assert_int_equal(small[i], 0xa5);
    }
}

/* ---- believing logins ---------------------------------------------------------------------- */

static const struct login_algorithm {
    const char *name, *hash;
    enum kind kind;
    bool sk;
} login_algorithms[] = {
    {"ssh-ed25519", NULL, ED25519, false},
    {"ecdsa-sha2-nistp256", "SHA256", P256, false},
    {"ecdsa-sha2-nistp384", "SHA384", P384, false},
    {"ecdsa-sha2-nistp521", "SHA512", P521, false},
    {"rsa-sha2-256", "SHA256", RSA_2048, false},
    {"rsa-sha2-512", "SHA512", RSA_2048, false},
    {"sk-ssh-ed25519@openssh.com", NULL, SK_ED25519, true},
    {"sk-ecdsa-sha2-nistp256@openssh.com", "SHA256", SK_P256, true},
};
#define LOGIN_ALGORITHMS (sizeof(login_algorithms) / sizeof(login_algorithms[0]))

static struct exchange session = {.session_id = "the session's id, of 32 bytes...",
                                  .session_id_len = 32};

/* What a client signs: RFC 4252, 7, and for security keys OpenSSH's PROTOCOL.u2f. */
static size_t to_sign(const struct auth_key *claim, bool sk, const char *application, uint8_t *out,
                      size_t size)
{
    struct wire_out w = wire_out_of(out, size);
    uint8_t hashes[2][32];

    wire_put_string(&w, slice_of(session.session_id, session.session_id_len));
    wire_put_u8(&w, 50);
    wire_put_string(&w, claim->user);
    wire_put_string(&w, slice_text("ssh-connection"));
    wire_put_string(&w, slice_text("publickey"));
    wire_put_u8(&w, 1);
    wire_put_string(&w, claim->algorithm);
    wire_put_string(&w, claim->key);
    assert_false(w.bad);
    if (!sk)
        return w.len;
    assert_int_equal(
        EVP_Q_digest(NULL, "SHA256", NULL, application, strlen(application), hashes[0], NULL), 1);
    assert_int_equal(EVP_Q_digest(NULL, "SHA256", NULL, out, w.len, hashes[1], NULL), 1);
    w = wire_out_of(out, size);
    wire_put_bytes(&w, slice_of(hashes[0], 32));
    wire_put_u8(&w, claim->sk_flags);
    wire_put_u32(&w, claim->sk_counter);
    wire_put_bytes(&w, slice_of(hashes[1], 32));
    return w.len;
}

/* Sign a claim as its fields stand, with a hash that may not be the algorithm's. */
static void sign_claim(struct auth_key *claim, const struct login_algorithm *a, const char *hash,
                       uint8_t space[1024])
{
    uint8_t data[4096];
    const size_t len = to_sign(claim, a->sk, "ssh:", data, sizeof(data));

    claim->signature = slice_of(space, sign(keys[a->kind].key, hash, data, len, space, 1024));
}

static void good_claim(struct auth_key *claim, const struct login_algorithm *a, uint8_t space[1024])
{
    *claim = (struct auth_key){
        .user = slice_text("anna"),
        .algorithm = slice_text(a->name),
        .key = blob_of(&keys[a->kind]),
        .sk_flags = a->sk ? 0x01 : 0,
        .sk_counter = a->sk ? 0x01020304 : 0,
    };
    sign_claim(claim, a, a->hash, space);
    assert_true(key_algorithm_fits(claim->algorithm, claim->key));
    assert_int_equal(verify_login_signature(&session, claim), 1);
}

#define NOT_BELIEVED(claim) assert_int_equal(verify_login_signature(&session, (claim)), 0)

static void test_logins(void **state)
{
    static const char *const users[] = {"Anna", "ann", "annaa", "", "root", "anna "};
    uint8_t space[1024];
    struct auth_key claim;

    (void)state;
    for (size_t i = 0; i < LOGIN_ALGORITHMS; i++) {
        const struct login_algorithm *a = &login_algorithms[i];
        good_claim(&claim, a, space);
        for (size_t u = 0; u < sizeof(users) / sizeof(users[0]); u++) {
            claim.user = slice_text(users[u]);
            NOT_BELIEVED(&claim);
        }
        claim.user = slice_text("anna");
        for (size_t byte = 0; byte < session.session_id_len; byte++) {
            session.session_id[byte] ^= 0x10;
            NOT_BELIEVED(&claim);
            session.session_id[byte] ^= 0x10;
        }
        session.session_id_len = 31;
        NOT_BELIEVED(&claim);
        session.session_id_len = 0; /* before any exchange nobody can log in */
        sign_claim(&claim, a, a->hash, space);
        NOT_BELIEVED(&claim);
        session.session_id_len = 32;
        good_claim(&claim, a, space);
        for (size_t o = 0; o < LOGIN_ALGORITHMS; o++) {
            claim.algorithm = slice_text(login_algorithms[o].name);
            if (o != i)
                NOT_BELIEVED(&claim);
        }
        claim.algorithm = slice_text(a->name);
        for (int k = 0; k < KINDS; k++) {
            claim.key = blob_of(&keys[k]);
            if (k != (int)a->kind)
                NOT_BELIEVED(&claim);
        }
        claim.key = blob_of(&keys[a->kind]);
        assert_int_equal(verify_login_signature(&session, &claim), 1);
    }
}

static void test_bent_signatures(void **state)
{
    uint8_t space[1024], bent[1025] = {0};
    struct auth_key claim;

    (void)state;
    for (size_t i = 0; i < LOGIN_ALGORITHMS; i++) {
        good_claim(&claim, &login_algorithms[i], space);
        const size_t len = claim.signature.len;
        memcpy(bent, space, len);
        for (size_t cut = 0; cut < len; cut++) {
            claim.signature = slice_of(bent, cut);
            NOT_BELIEVED(&claim);
        }
        claim.signature = slice_of(bent, len);
        for (size_t byte = 0; byte < len; byte++) {
            bent[byte] ^= 0x01;
            NOT_BELIEVED(&claim);
            bent[byte] ^= 0x01;
        }
        assert_int_equal(verify_login_signature(&session, &claim), 1);
        bent[len] = 0;
        claim.signature = slice_of(bent, len + 1);
        NOT_BELIEVED(&claim);
        claim.signature = slice_of(NULL, 0);
        NOT_BELIEVED(&claim);
        memset(bent, 0, len);
        claim.signature = slice_of(bent, len);
        NOT_BELIEVED(&claim);
        memset(bent, 0xff, len);
        NOT_BELIEVED(&claim);
    }
}

/* A signature is made over the very blob that is bent, so that only the parser can refuse it. */
static void test_bent_keys(void **state)
{
    uint8_t space[1024], bent[1024];
    struct auth_key claim;

    (void)state;
    for (size_t i = 0; i < LOGIN_ALGORITHMS; i++) {
        const struct login_algorithm *a = &login_algorithms[i];
        const struct key_pair *k = &keys[a->kind];
        good_claim(&claim, a, space);
        memcpy(bent, k->blob, k->blob_len);
        for (size_t cut = 0; cut < k->blob_len; cut++) {
            claim.key = slice_of(bent, cut);
            if (cut % 16 == 0)
                sign_claim(&claim, a, a->hash, space);
            NOT_BELIEVED(&claim);
        }
        bent[k->blob_len] = 0;
        claim.key = slice_of(bent, k->blob_len + 1);
        sign_claim(&claim, a, a->hash, space);
        NOT_BELIEVED(&claim);
        claim.key = slice_of(NULL, 0);
        sign_claim(&claim, a, a->hash, space);
        NOT_BELIEVED(&claim);
        /* The right type, then garbage. */
        struct wire_out w = wire_out_of(bent, sizeof(bent));
        wire_put_string(&w, slice_text(k->type));
        memset(bent + w.len, 0x5a, 100);
        claim.key = slice_of(bent, w.len + 100);
        sign_claim(&claim, a, a->hash, space);
        NOT_BELIEVED(&claim);
        claim.key = slice_of(bent, w.len);
        sign_claim(&claim, a, a->hash, space);
        NOT_BELIEVED(&claim);
    }
}

static void test_security_keys(void **state)
{
    uint8_t space[1024], data[4096];
    struct auth_key claim;

    (void)state;
    for (size_t i = 0; i < LOGIN_ALGORITHMS; i++) {
        const struct login_algorithm *a = &login_algorithms[i];
        if (!a->sk)
            continue;
        good_claim(&claim, a, space);
        claim.sk_counter ^= 1;
        NOT_BELIEVED(&claim);
        claim.sk_counter ^= 1;
        for (unsigned bit = 1; bit < 256; bit <<= 1) {
            claim.sk_flags ^= (uint8_t)bit;
            NOT_BELIEVED(&claim);
            claim.sk_flags ^= (uint8_t)bit;
        }
        /* Signed without anybody touching the key. */
        claim.sk_flags = 0x04;
        sign_claim(&claim, a, a->hash, space);
        NOT_BELIEVED(&claim);
        claim.sk_flags = 0;
        sign_claim(&claim, a, a->hash, space);
        NOT_BELIEVED(&claim);
        claim.sk_flags = 0x05; /* touched, and a PIN was given */
        sign_claim(&claim, a, a->hash, space);
        assert_int_equal(verify_login_signature(&session, &claim), 1);
        /* Signed for a web site, by the same key. */
        const size_t len = to_sign(&claim, true, "https://example.org", data, sizeof(data));
        claim.signature =
            slice_of(space, sign(keys[a->kind].key, a->hash, data, len, space, sizeof(space)));
        NOT_BELIEVED(&claim);
        /* The plain data, as if the key were no security key. */
        const size_t plain = to_sign(&claim, false, "", data, sizeof(data));
        claim.signature =
            slice_of(space, sign(keys[a->kind].key, a->hash, data, plain, space, sizeof(space)));
        NOT_BELIEVED(&claim);
    }
}

/* The hash comes from the algorithm's name: a weaker one under it is not believed. */
static void test_weaker_hashes(void **state)
{
    static const struct {
        size_t algorithm;
        const char *hash;
    } rows[] = {
        {4, "SHA1"}, {4, "SHA512"}, {4, "SHA224"}, {5, "SHA1"},   {5, "SHA256"}, {5, "MD5"},
        {1, "SHA1"}, {1, "SHA512"}, {2, "SHA256"}, {3, "SHA256"}, {7, "SHA1"},
    };
    uint8_t space[1024];
    struct auth_key claim;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct login_algorithm *a = &login_algorithms[rows[i].algorithm];
        good_claim(&claim, a, space);
        sign_claim(&claim, a, rows[i].hash, space);
        NOT_BELIEVED(&claim);
    }
}

static void test_algorithms_of_old(void **state)
{
    static const struct {
        const char *name, *hash;
        enum kind kind;
    } rows[] = {
        {"ssh-rsa", "SHA1", RSA_2048},
        {"ssh-rsa", "SHA256", RSA_2048},
        {"ssh-dss", NULL, ED25519},
        {"rsa-sha2-256-cert-v01@openssh.com", "SHA256", RSA_2048},
        {"ssh-ed25519-cert-v01@openssh.com", NULL, ED25519},
        {"ssh-ed25519,rsa-sha2-256", NULL, ED25519},
        {"SSH-ED25519", NULL, ED25519},
        {"none", NULL, ED25519},
        {"", NULL, ED25519},
    };
    uint8_t space[1024], data[4096];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct auth_key claim = {.user = slice_text("anna"),
                                 .algorithm = slice_text(rows[i].name),
                                 .key = blob_of(&keys[rows[i].kind])};
        const size_t len = to_sign(&claim, false, "", data, sizeof(data));
        claim.signature = slice_of(
            space, sign(keys[rows[i].kind].key, rows[i].hash, data, len, space, sizeof(space)));
        assert_false(key_algorithm_fits(claim.algorithm, claim.key));
        NOT_BELIEVED(&claim);
    }
}

static void test_weak_rsa(void **state)
{
    static const size_t sizes[] = {1024, 2040, 2048};
    uint8_t space[1024], data[4096];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct key_pair k = {.type = "ssh-rsa",
                             .key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", sizes[i])};
        assert_non_null(k.key);
        make_blob(&k, NULL);
        struct auth_key claim = {.user = slice_text("anna"),
                                 .algorithm = slice_text("rsa-sha2-512"),
                                 .key = blob_of(&k)};
        const size_t len = to_sign(&claim, false, "", data, sizeof(data));
        claim.signature = slice_of(space, sign(k.key, "SHA512", data, len, space, sizeof(space)));
        assert_int_equal(verify_login_signature(&session, &claim), sizes[i] == 2048);
        EVP_PKEY_free(k.key);
    }
}

/* With an exponent of 1 anybody signs: the padded hash is its own signature. */
static void forge(const struct auth_key *claim, size_t modulus, uint8_t space[1024])
{
    static const uint8_t info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                   0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
    uint8_t data[4096];
    const size_t len = to_sign(claim, false, "", data, sizeof(data));

    memset(space, 0xff, modulus);
    space[0] = 0;
    space[1] = 1;
    uint8_t *at = space + modulus - sizeof(info) - 32;
    at[-1] = 0;
    memcpy(at, info, sizeof(info));
    assert_int_equal(EVP_Q_digest(NULL, "SHA256", NULL, data, len, at + sizeof(info), NULL), 1);
}

static void test_rsa_exponents(void **state)
{
    static const struct {
        uint8_t bytes[10];
        size_t len;
    } exponents[] = {
        {{1}, 1},
        {{0}, 1},
        {{0}, 0},
        {{2}, 1},
        {{1, 0, 0}, 3},
        {{0, 1}, 2},
        {{1, 0, 0, 0, 0, 0, 0, 0, 1}, 9},
    };
    uint8_t blob[1024], space[1024];

    (void)state;
    for (size_t i = 0; i < sizeof(exponents) / sizeof(exponents[0]); i++) {
        struct wire_out w = wire_out_of(blob, sizeof(blob));
        wire_put_string(&w, slice_text("ssh-rsa"));
        wire_put_string(&w, slice_of(exponents[i].bytes, exponents[i].len));
        put_mpint(&w, keys[RSA_2048].key, OSSL_PKEY_PARAM_RSA_N);
        struct auth_key claim = {.user = slice_text("anna"),
                                 .algorithm = slice_text("rsa-sha2-256"),
                                 .key = slice_of(blob, w.len)};
        forge(&claim, 256, space);
        claim.signature = slice_of(space, 256);
        NOT_BELIEVED(&claim);
        sign_claim(&claim, &login_algorithms[4], "SHA256", space);
        NOT_BELIEVED(&claim);
    }
}

/* A modulus too long to be worked with is refused before any work. */
static void test_long_rsa(void **state)
{
    static uint8_t blob[8192], number[3000];
    uint8_t space[1024] = {0};

    (void)state;
    memset(number, 0xff, sizeof(number));
    number[0] = 0;
    for (size_t bytes_of = 2049; bytes_of <= sizeof(number); bytes_of += 50) {
        struct wire_out w = wire_out_of(blob, sizeof(blob));
        wire_put_string(&w, slice_text("ssh-rsa"));
        wire_put_string(&w, slice_of("\x01\x00\x01", 3));
        wire_put_string(&w, slice_of(number, bytes_of));
        const struct auth_key claim = {.user = slice_text("anna"),
                                       .algorithm = slice_text("rsa-sha2-256"),
                                       .key = slice_of(blob, w.len),
                                       .signature = slice_of(space, sizeof(space))};
        NOT_BELIEVED(&claim);
    }
}

/* A blob of one curve or length under the name of another. */
static void test_keys_of_another_shape(void **state)
{
    static const struct {
        size_t algorithm;
        enum kind kind;
    } rows[] = {{1, P384}, {2, P256}, {3, P384}, {0, P256}, {1, ED25519}};
    uint8_t blob[1024], space[1024], data[4096];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct login_algorithm *a = &login_algorithms[rows[i].algorithm];
        const struct key_pair *named = &keys[a->kind], *real = &keys[rows[i].kind];
        struct wire from = wire_of(blob_of(real));
        struct wire_out w = wire_out_of(blob, sizeof(blob));
        wire_string(&from);
        wire_put_string(&w, slice_text(named->type));
        wire_put_bytes(&w, slice_of(real->blob + from.at, real->blob_len - from.at));
        struct auth_key claim = {.user = slice_text("anna"),
                                 .algorithm = slice_text(a->name),
                                 .key = slice_of(blob, w.len)};
        const size_t len = to_sign(&claim, false, "", data, sizeof(data));
        claim.signature = slice_of(space, sign(real->key, real->group != NULL ? a->hash : NULL,
                                               data, len, space, sizeof(space)));
        assert_true(key_algorithm_fits(claim.algorithm, claim.key));
        NOT_BELIEVED(&claim);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signatures_verify),      cmocka_unit_test(test_whose_exchange),
        cmocka_unit_test(test_which_algorithm),        cmocka_unit_test(test_rekeys),
        cmocka_unit_test(test_room_for_the_signature), cmocka_unit_test(test_logins),
        cmocka_unit_test(test_bent_signatures),        cmocka_unit_test(test_bent_keys),
        cmocka_unit_test(test_security_keys),          cmocka_unit_test(test_weaker_hashes),
        cmocka_unit_test(test_algorithms_of_old),      cmocka_unit_test(test_weak_rsa),
        cmocka_unit_test(test_rsa_exponents),          cmocka_unit_test(test_long_rsa),
        cmocka_unit_test(test_keys_of_another_shape),
    };

    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
