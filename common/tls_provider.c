/* Key-less keys for TLS servers. libssl is given a key of this provider, so its signatures come to
 * digest_sign below, whole as they are to be signed; the parts that the handshake adds to them are
 * taken off, and the monitor, which puts them on again, is asked. The public part is an ordinary
 * key of the default provider, and answers all questions about itself. Private parts are never
 * exported: there are none. */
#include "common/tls_provider.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#define NAME       "sallyport"
#define PROPERTIES "provider=" NAME
#define CONTEXT    "TLS 1.3, server CertificateVerify"

static struct {
    struct monitor_link *monitor;
    OSSL_PROVIDER *ours; /* loaded for as long as the process runs */
    uint32_t identity;   /* of the key that is being made */
} state;

struct keyless {
    EVP_PKEY *public; /* owned */
    uint32_t identity;
    bool signs;
};

/* ------------------------------------------------------------------------- keys */

static void *key_new(void *context)
{
    (void)context;
    return calloc(1, sizeof(struct keyless));
}

static void key_free(void *data)
{
    struct keyless *key = data;

    if (key != NULL)
        EVP_PKEY_free(key->public);
    free(key);
}

static void *key_dup(const void *from, int selection)
{
    const struct keyless *old = from;
    struct keyless *key = key_new(NULL);

    (void)selection;
    if (key == NULL || old->public == NULL || EVP_PKEY_up_ref(old->public) != 1) {
        free(key);
        return NULL;
    }
    *key = *old;
    return key;
}

/* Of a public part, as any provider exports it; `signs` where a pair was asked for. */
static int import(struct keyless *key, const char *type, int selection, const OSSL_PARAM params[])
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, "provider=default");
    const bool ok =
        ctx != NULL && key->public == NULL && EVP_PKEY_fromdata_init(ctx) == 1 &&
        EVP_PKEY_fromdata(ctx, &key->public, EVP_PKEY_PUBLIC_KEY, (OSSL_PARAM *)params) == 1;

    EVP_PKEY_CTX_free(ctx);
    key->identity = state.identity;
    key->signs = ok && (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0;
    return ok;
}

static int import_rsa(void *data, int selection, const OSSL_PARAM params[])
{
    return import(data, "RSA", selection, params);
}

static int import_ec(void *data, int selection, const OSSL_PARAM params[])
{
    return import(data, "EC", selection, params);
}

static int import_ed25519(void *data, int selection, const OSSL_PARAM params[])
{
    return import(data, "ED25519", selection, params);
}

/* The public part only. What asks for the private one wants to sign by itself: refused. */
static int export(void *data, int selection, OSSL_CALLBACK *take, void *taker)
{
    const struct keyless *key = data;
    OSSL_PARAM *params = NULL;

    if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 || key->public == NULL ||
        EVP_PKEY_todata(key->public, EVP_PKEY_PUBLIC_KEY, &params) != 1)
        return 0;
    const int r = take(params, taker);
    OSSL_PARAM_free(params);
    return r;
}

static const OSSL_PARAM *key_types(int selection)
{
    static const OSSL_PARAM types[] = {
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
        OSSL_PARAM_END,
    };

    return (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0 ? types : NULL;
}

static int key_has(const void *data, int selection)
{
    const struct keyless *key = data;

    return key != NULL && key->public != NULL &&
           ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) == 0 || key->signs);
}

static int key_match(const void *a, const void *b, int selection)
{
    const struct keyless *one = a, *other = b;

    (void)selection;
    return one->public != NULL && other->public != NULL &&
           EVP_PKEY_eq(one->public, other->public) == 1;
}

static int key_get_params(void *data, OSSL_PARAM params[])
{
    return EVP_PKEY_get_params(((struct keyless *)data)->public, params);
}

static const OSSL_PARAM *key_gettable(void *context)
{
    static const OSSL_PARAM known[] = {
        OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
        OSSL_PARAM_END,
    };

    (void)context;
    return known;
}

static const char *ec_operation(int operation)
{
    return operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

/* ------------------------------------------------------------------------- signatures */

struct signing {
    struct keyless *key; /* the caller's, for as long as it signs */
    char digest[32];
    bool pss;
};

static void *signing_new(void *context, const char *properties)
{
    (void)context;
    (void)properties;
    return calloc(1, sizeof(struct signing));
}

static void signing_free(void *data)
{
    free(data);
}

static void *signing_dup(void *from)
{
    struct signing *s = signing_new(NULL, NULL);

    if (s != NULL)
        *s = *(const struct signing *)from;
    return s;
}

static int signing_set_params(void *data, const OSSL_PARAM params[])
{
    struct signing *s = data;
    const OSSL_PARAM *p =
        params != NULL ? OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE) : NULL;
    int mode = 0;

    if (p == NULL)
        return 1;
    if (p->data_type == OSSL_PARAM_UTF8_STRING)
        s->pss = strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0;
    else if (OSSL_PARAM_get_int(p, &mode) == 1)
        s->pss = mode == RSA_PKCS1_PSS_PADDING;
    else
        return 0;
    return 1;
}

static const OSSL_PARAM *signing_settable(void *data, void *context)
{
    static const OSSL_PARAM known[] = {
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, NULL, 0),
        OSSL_PARAM_END,
    };

    (void)data;
    (void)context;
    return known;
}

static int sign_init(void *data, const char *digest, void *key, const OSSL_PARAM params[])
{
    struct signing *s = data;

    if (key != NULL)
        s->key = key;
    s->pss = false;
    s->digest[0] = '\0';
    if (digest != NULL && slice_copy(slice_text(digest), s->digest, sizeof(s->digest)) < 0)
        return 0;
    return signing_set_params(s, params);
}

/* TLS's number for what libssl has chosen (RFC 8446, 4.2.3). 0: not one of ours. */
static uint32_t scheme_of(const struct signing *s)
{
    static const struct {
        const char *type, *digest;
        bool pss;
        uint32_t scheme;
    } schemes[] = {
        {"EC", "SHA256", false, 0x0403},  {"EC", "SHA384", false, 0x0503},
        {"EC", "SHA512", false, 0x0603},  {"RSA", "SHA256", true, 0x0804},
        {"RSA", "SHA384", true, 0x0805},  {"RSA", "SHA512", true, 0x0806},
        {"RSA", "SHA256", false, 0x0401}, {"RSA", "SHA384", false, 0x0501},
        {"RSA", "SHA512", false, 0x0601}, {"ED25519", "", false, 0x0807},
    };
    EVP_MD *md = s->digest[0] != '\0' ? EVP_MD_fetch(NULL, s->digest, NULL) : NULL;
    uint32_t scheme = 0;

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]) && scheme == 0; i++) {
        if (EVP_PKEY_is_a(s->key->public, schemes[i].type) == 1 && s->pss == schemes[i].pss &&
            (schemes[i].digest[0] == '\0' || (md != NULL && EVP_MD_is_a(md, schemes[i].digest))))
            scheme = schemes[i].scheme;
    }
    EVP_MD_free(md);
    return scheme;
}

/* Take off what TLS puts around what is particular to a handshake, and ask. */
static int ask(uint32_t identity, uint32_t scheme, struct slice tbs, struct signature *answer)
{
    uint8_t frame[64 + sizeof(CONTEXT)];

    memset(frame, ' ', 64);
    memcpy(frame + 64, CONTEXT, sizeof(CONTEXT));
    if (tbs.len > sizeof(frame) && memcmp(tbs.data, frame, sizeof(frame)) == 0) {
        const struct sign_tls13 question = {
            .identity = identity,
            .scheme = scheme,
            .hash = slice_of(tbs.data + sizeof(frame), tbs.len - sizeof(frame)),
        };
        return monitor_ask(state.monitor, MSG_sign_tls13, &question, MSG_signature, answer);
    }
    if (tbs.len <= 64)
        return -1;
    const struct sign_tls12 question = {
        .identity = identity,
        .scheme = scheme,
        .client_random = slice_of(tbs.data, 32),
        .server_random = slice_of(tbs.data + 32, 32),
        .params = slice_of(tbs.data + 64, tbs.len - 64),
    };
    return monitor_ask(state.monitor, MSG_sign_tls12, &question, MSG_signature, answer);
}

static int digest_sign(void *data, unsigned char *signature, size_t *len, size_t size,
                       const unsigned char *tbs, size_t tbs_len)
{
    const struct signing *s = data;
    struct signature answer;

    if (s->key == NULL || !s->key->signs)
        return 0;
    if (signature == NULL) { /* how long may it be? */
        *len = (size_t)EVP_PKEY_get_size(s->key->public);
        return 1;
    }
    const uint32_t scheme = scheme_of(s);
    if (scheme == 0 || ask(s->key->identity, scheme, slice_of(tbs, tbs_len), &answer) < 0 ||
        answer.bytes.len == 0 || answer.bytes.len > size)
        return 0;
    memcpy(signature, answer.bytes.data, answer.bytes.len);
    *len = answer.bytes.len;
    return 1;
}

/* ------------------------------------------------------------------------- the tables */

// clang-format off
#define FUNCTION(number, function) {number, (void (*)(void))(function)}
#define KEYMGMT(import_function, more)                                                             \
    {                                                                                              \
        FUNCTION(OSSL_FUNC_KEYMGMT_NEW, key_new), FUNCTION(OSSL_FUNC_KEYMGMT_FREE, key_free),      \
        FUNCTION(OSSL_FUNC_KEYMGMT_DUP, key_dup), FUNCTION(OSSL_FUNC_KEYMGMT_HAS, key_has),        \
        FUNCTION(OSSL_FUNC_KEYMGMT_MATCH, key_match),                                              \
        FUNCTION(OSSL_FUNC_KEYMGMT_IMPORT, import_function),                                       \
        FUNCTION(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_types),                                       \
        FUNCTION(OSSL_FUNC_KEYMGMT_EXPORT, export),                                                \
        FUNCTION(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, key_types),                                       \
        FUNCTION(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get_params),                                    \
        FUNCTION(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable), more, {0, NULL}                 \
    }
static const OSSL_DISPATCH rsa_functions[] = KEYMGMT(import_rsa, {0});
static const OSSL_DISPATCH ed25519_functions[] = KEYMGMT(import_ed25519, {0});
static const OSSL_DISPATCH ec_functions[] =
    KEYMGMT(import_ec, FUNCTION(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, ec_operation));
static const OSSL_DISPATCH signature_functions[] = {
    FUNCTION(OSSL_FUNC_SIGNATURE_NEWCTX, signing_new),
    FUNCTION(OSSL_FUNC_SIGNATURE_FREECTX, signing_free),
    FUNCTION(OSSL_FUNC_SIGNATURE_DUPCTX, signing_dup),
    FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, sign_init),
    FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, digest_sign),
    FUNCTION(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, signing_set_params),
    FUNCTION(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, signing_settable),
    {0, NULL},
};
static const OSSL_ALGORITHM keys[] = {
    {"RSA:rsaEncryption:1.2.840.113549.1.1.1", PROPERTIES, rsa_functions, NULL},
    {"EC:id-ecPublicKey:1.2.840.10045.2.1", PROPERTIES, ec_functions, NULL},
    {"ED25519:1.3.101.112", PROPERTIES, ed25519_functions, NULL},
    {NULL, NULL, NULL, NULL},
};
static const OSSL_ALGORITHM signatures[] = {
    {"RSA:rsaEncryption:1.2.840.113549.1.1.1", PROPERTIES, signature_functions, NULL},
    {"ECDSA", PROPERTIES, signature_functions, NULL},
    {"ED25519:1.3.101.112", PROPERTIES, signature_functions, NULL},
    {NULL, NULL, NULL, NULL},
};
// clang-format on

static const OSSL_ALGORITHM *query(void *context, int operation, int *no_cache)
{
    (void)context;
    *no_cache = 0;
    return operation == OSSL_OP_KEYMGMT ? keys : operation == OSSL_OP_SIGNATURE ? signatures : NULL;
}

static int provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                         const OSSL_DISPATCH **out, void **context)
{
    static const OSSL_DISPATCH functions[] = {
        FUNCTION(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
        {0, NULL},
    };

    (void)in;
    *out = functions;
    *context = (void *)handle;
    return 1;
}

int tls_provider_load(struct monitor_link *monitor)
{
    state.monitor = monitor;
    if (state.ours != NULL)
        return 0;
    if (OSSL_PROVIDER_add_builtin(NULL, NAME, provider_init) == 1)
        state.ours = OSSL_PROVIDER_load(NULL, NAME);
    return state.ours != NULL ? 0 : -1;
}

EVP_PKEY *tls_provider_key(EVP_PKEY *public_key, uint32_t identity)
{
    const char *type = EVP_PKEY_is_a(public_key, "RSA")       ? "RSA"
                       : EVP_PKEY_is_a(public_key, "EC")      ? "EC"
                       : EVP_PKEY_is_a(public_key, "ED25519") ? "ED25519"
                                                              : NULL;
    EVP_PKEY_CTX *ctx = type != NULL ? EVP_PKEY_CTX_new_from_name(NULL, type, PROPERTIES) : NULL;
    OSSL_PARAM *params = NULL;
    EVP_PKEY *key = NULL;

    state.identity = identity;
    if (ctx == NULL || EVP_PKEY_todata(public_key, EVP_PKEY_PUBLIC_KEY, &params) != 1 ||
        EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) != 1)
        key = NULL;
    OSSL_PARAM_free(params);
    EVP_PKEY_CTX_free(ctx);
    return key;
}
