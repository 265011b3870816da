/* A provider between OpenSSL and its default provider. The default provider is loaded into a
 * library context of its own; what it can do is passed on with its own context, less the names that
 * no handshake uses. Called by common/tls.c, before the sandbox. Must never implement anything. */
#include "common/tls_algorithms.h"

#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <string.h>

#include "common/sshwire.h"

#define NAME       "narrowed"
#define NAMES_MOST 8

/* For as long as the process runs. */
static struct {
    OSSL_LIB_CTX *context; /* the default provider's own, where it fetches what it is made of */
    OSSL_PROVIDER *standard, *narrowed;
    bool every_cipher;
} state;

/* What is passed on of these operations: for handshakes, certificates, and what the workers digest
 * for their clients. Of all others, everything. */
// clang-format off
enum { DIGESTS, CIPHERS, DECODERS };
static struct narrow {
    int operation;
    const char *properties; /* must be among theirs; NULL: any */
    const char *names[NAMES_MOST]; /* the first of each algorithm's */
    OSSL_ALGORITHM passed[NAMES_MOST + 1]; /* the last is their end */
    bool chosen;
} narrows[] = {
    [DIGESTS] = {OSSL_OP_DIGEST, NULL, {"SHA1", "SHA2-224", "SHA2-256", "SHA2-384", "SHA2-512", "MD5", "MD5-SHA1"}, {{0}}, false},
    [CIPHERS] = {OSSL_OP_CIPHER, NULL, {"AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305"}, {{0}}, false},
    [DECODERS] = {OSSL_OP_DECODER, "structure=SubjectPublicKeyInfo", {"RSA", "EC", "ED25519"}, {{0}}, false},
};
// clang-format on

static bool passes(const struct narrow *n, const OSSL_ALGORITHM *algorithm)
{
    const size_t len = strcspn(algorithm->algorithm_names, ":");

    if (n->properties != NULL && strstr(algorithm->property_definition, n->properties) == NULL)
        return false;
    for (size_t i = 0; i < NAMES_MOST && n->names[i] != NULL; i++) {
        if (strlen(n->names[i]) == len &&
            OPENSSL_strncasecmp(n->names[i], algorithm->algorithm_names, len) == 0)
            return true;
    }
    return false;
}

static struct narrow *narrow_of(int operation)
{
    for (size_t i = 0; i < sizeof(narrows) / sizeof(narrows[0]); i++) {
        if (narrows[i].operation == operation &&
            !(operation == OSSL_OP_CIPHER && state.every_cipher))
            return &narrows[i];
    }
    return NULL;
}

/* Asked again for every name that is not found: what is passed is chosen once. */
static const OSSL_ALGORITHM *query(void *context, int operation, int *no_cache)
{
    struct narrow *n = narrow_of(operation);
    size_t count = 0;

    (void)context;
    *no_cache = 0;
    if (n != NULL && n->chosen)
        return n->passed;
    const OSSL_ALGORITHM *all = OSSL_PROVIDER_query_operation(state.standard, operation, no_cache);
    if (n == NULL || all == NULL)
        return all;
    for (; all->algorithm_names != NULL && count < NAMES_MOST; all++) {
        if (passes(n, all))
            n->passed[count++] = *all;
    }
    n->chosen = true;
    return n->passed;
}

static int capabilities(void *context, const char *kind, OSSL_CALLBACK *take, void *taker)
{
    (void)context;
    return OSSL_PROVIDER_get_capabilities(state.standard, kind, take, taker);
}

static int narrowed_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                         const OSSL_DISPATCH **out, void **context)
{
    static const OSSL_DISPATCH functions[] = {
        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query},
        {OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (void (*)(void))capabilities},
        {0, NULL},
    };

    (void)handle;
    (void)in;
    *out = functions;
    *context = OSSL_PROVIDER_get0_provider_ctx(state.standard); /* theirs: their code is called */
    return 1;
}

/* Random numbers by SHA-256 on both sides: the usual generator would enter every cipher. */
static int random_by_hash(OSSL_LIB_CTX *context)
{
    return RAND_set_DRBG_type(context, "HASH-DRBG", NULL, NULL, "SHA256");
}

static void unpunctuated(struct slice name, char *text, size_t size)
{
    size_t len = 0;

    for (size_t i = 0; i < name.len && len < size - 1; i++) {
        if (name.data[i] != '-' && name.data[i] != '_')
            text[len++] = (char)name.data[i];
    }
    text[len] = '\0';
}

/* Is there a suite whose cipher is not one of ours? One is spelled AES-128-GCM, AES128-GCM and
 * AES_128_GCM. */
static bool needs_more(struct slice suites)
{
    char suite[128], cipher[32];

    while (suites.len > 0) {
        bool ours = false;
        unpunctuated(name_list_next(&suites), suite, sizeof(suite));
        for (size_t i = 0; i < NAMES_MOST && narrows[CIPHERS].names[i] != NULL && !ours; i++) {
            unpunctuated(slice_text(narrows[CIPHERS].names[i]), cipher, sizeof(cipher));
            ours = strcasestr(suite, cipher) != NULL;
        }
        if (!ours)
            return true;
    }
    return false;
}

int tls_algorithms_load(struct slice suites12, struct slice suites13)
{
    uint8_t random[32];

    if (state.narrowed != NULL)
        return 0;
    state.every_cipher = needs_more(suites12) || needs_more(suites13);
    if ((state.context = OSSL_LIB_CTX_new()) == NULL || random_by_hash(state.context) != 1 ||
        random_by_hash(NULL) != 1 ||
        (state.standard = OSSL_PROVIDER_load(state.context, "default")) == NULL ||
        OSSL_PROVIDER_add_builtin(NULL, NAME, narrowed_init) != 1 ||
        (state.narrowed = OSSL_PROVIDER_load(NULL, NAME)) == NULL)
        return -1;
    /* Used once: what is seeded at the first use could not be in the sandbox. */
    const int r = RAND_bytes_ex(state.context, random, sizeof(random), 0) == 1 &&
                          RAND_priv_bytes_ex(state.context, random, sizeof(random), 0) == 1
                      ? 0
                      : -1;
    OPENSSL_cleanse(random, sizeof(random));
    return r;
}
