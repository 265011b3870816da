/* The seam under libssh. This program defines four functions of libcrypto itself, so that libssh's
 * calls come here: signing an exchange and verifying a login go to the monitor, which is given what
 * was hashed and never a hash. Everything else is passed on as it is. Without these hooks a junk
 * key would sign and every client would refuse: it fails closed. */
#include <dlfcn.h>
#include <openssl/evp.h>
#include <string.h>

#include "common/sshwire.h"
#include "sftp-worker/worker.h"

#define RING         4
#define PREIMAGE_MIN 200
#define PREIMAGE_MAX 60000 /* what sign_exchange holds */
#define HOOK         __attribute__((visibility("default"), used))

typedef int (*digest_update)(EVP_MD_CTX *, const void *, size_t);
typedef EVP_PKEY *(*new_raw_private)(int, ENGINE *, const unsigned char *, size_t);

static struct {
    struct worker *worker;
    digest_update update;
    new_raw_private raw_private;
    struct {
        uint8_t bytes[PREIMAGE_MAX];
        size_t len;
    } ring[RING]; /* exchanges that were hashed lately: they contain K, and are wiped after use */
    size_t next;
    bool busy; /* our own hashing: not to be kept */
    unsigned long updates;
    struct seam_signature signature;
} seam;

const uint8_t *seam_ed25519_public;

/* ------------------------------------------------------------------------- exchange hashes */

/* An exchange's preimage begins with the client's version (RFC 4253, 8), a string "SSH-...". */
static bool is_preimage(const uint8_t *data, size_t len)
{
    return len >= PREIMAGE_MIN && len <= PREIMAGE_MAX && memcmp(data + 4, "SSH-", 4) == 0 &&
           data[0] == 0 && data[1] == 0;
}

HOOK int EVP_DigestUpdate(EVP_MD_CTX *ctx, const void *data, size_t len)
{
    seam.updates++;
    if (!seam.busy && is_preimage(data, len)) {
        memcpy(seam.ring[seam.next].bytes, data, len);
        seam.ring[seam.next].len = len;
        seam.next = (seam.next + 1) % RING;
    }
    return seam.update(ctx, data, len);
}

static bool hashes_to(const char *hash, size_t i, const uint8_t *h, size_t h_len)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    size_t len = 0;

    return EVP_Q_digest(NULL, hash, NULL, seam.ring[i].bytes, seam.ring[i].len, digest, &len) ==
               1 &&
           len == h_len && memcmp(digest, h, len) == 0;
}

/* Which of the kept exchanges has this hash? RING: none. */
static size_t find_preimage(const uint8_t *h, size_t h_len)
{
    const char *hash = h_len == 32 ? "SHA256" : h_len == 48 ? "SHA384" : "SHA512";
    size_t i;

    seam.busy = true;
    for (i = 0; i < RING; i++) {
        if (seam.ring[i].len > 0 && hashes_to(hash, i, h, h_len))
            break;
    }
    seam.busy = false;
    return i;
}

HOOK int EVP_DigestSign(EVP_MD_CTX *ctx, unsigned char *bytes, size_t *len,
                        const unsigned char *tbs, size_t tbs_len)
{
    struct signature answer;
    int r = 0;

    (void)ctx;
    if (bytes == NULL) { /* how long may it be? */
        *len = 1024;
        return 1;
    }
    const size_t i = find_preimage(tbs, tbs_len);
    if (i < RING) {
        const struct sign_exchange ask = {.preimage =
                                              slice_of(seam.ring[i].bytes, seam.ring[i].len)};
        if (monitor_ask(&seam.worker->monitor, MSG_sign_exchange, &ask, MSG_signature, &answer) ==
                0 &&
            answer.bytes.len <= *len) {
            memcpy(bytes, answer.bytes.data, answer.bytes.len);
            *len = answer.bytes.len;
            r = 1;
        }
    }
    explicit_bzero(seam.ring, sizeof(seam.ring));
    return r;
}

/* ------------------------------------------------------------------------- logins */

/* What a client signs to log in (RFC 4252, 7): keep the algorithm's name. A security key signs
 * hashes instead, with flags and counter between them (PROTOCOL.u2f): keep those. */
static void keep_signed_data(struct seam_signature *s, struct slice tbs)
{
    struct wire w = wire_of(tbs);

    s->algorithm[0] = '\0';
    if (tbs.len == 69) {
        s->sk_flags = tbs.data[32];
        w = wire_of(slice_of(tbs.data + 33, 4));
        s->sk_counter = wire_u32(&w);
        return;
    }
    wire_string(&w); /* session id */
    wire_u8(&w);
    for (int i = 0; i < 3; i++)
        wire_string(&w); /* user, service, method */
    wire_u8(&w);
    slice_copy(wire_string(&w), s->algorithm, sizeof(s->algorithm));
}

HOOK int EVP_DigestVerify(EVP_MD_CTX *ctx, const unsigned char *bytes, size_t len,
                          const unsigned char *tbs, size_t tbs_len)
{
    struct seam_signature *s = &seam.signature;

    (void)ctx;
    memset(s, 0, sizeof(*s));
    if (len <= sizeof(s->bytes)) {
        memcpy(s->bytes, bytes, len);
        s->len = len;
        keep_signed_data(s, slice_of(tbs, tbs_len));
        s->fresh = true;
    }
    return 1; /* the verdict is the monitor's: it is asked by the login callback that follows */
}

bool seam_take_signature(struct seam_signature *signature)
{
    const bool fresh = seam.signature.fresh;

    *signature = seam.signature;
    seam.signature.fresh = false;
    return fresh;
}

/* ------------------------------------------------------------------------- libssh 0.12 */

/* It derives an Ed25519 public key from the seed. The seed that it was given is the public key. */
HOOK EVP_PKEY *EVP_PKEY_new_raw_private_key(int type, ENGINE *engine, const unsigned char *key,
                                            size_t len)
{
    if (type == EVP_PKEY_ED25519 && seam_ed25519_public != NULL && len == 32 &&
        memcmp(key, seam_ed25519_public, 32) == 0)
        return EVP_PKEY_new_raw_public_key(type, engine, key, len);
    return seam.raw_private(type, engine, key, len);
}

/* ------------------------------------------------------------------------- do they hold? */

/* The hooks are resolved when this program is loaded, before main. */
__attribute__((constructor)) static void resolve(void)
{
    seam.update = (digest_update)dlsym(RTLD_NEXT, "EVP_DigestUpdate");
    seam.raw_private = (new_raw_private)dlsym(RTLD_NEXT, "EVP_PKEY_new_raw_private_key");
}

int seam_prepare(struct worker *w)
{
    ssh_key key = NULL;
    unsigned char *hash = NULL;
    size_t len = 0;
    int r = -1;

    seam.worker = w;
    if (seam.update == NULL || seam.raw_private == NULL ||
        dlsym(RTLD_DEFAULT, "EVP_DigestUpdate") != (void *)EVP_DigestUpdate ||
        dlsym(RTLD_DEFAULT, "EVP_DigestSign") != (void *)EVP_DigestSign ||
        dlsym(RTLD_DEFAULT, "EVP_DigestVerify") != (void *)EVP_DigestVerify)
        return -1;
    /* libssh's own hashing must pass through here. */
    const unsigned long before = seam.updates;
    static const char sample[] =
        "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
    if (ssh_pki_import_pubkey_base64(sample, SSH_KEYTYPE_ED25519, &key) == SSH_OK &&
        ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &len) == SSH_OK &&
        seam.updates > before)
        r = 0;
    ssh_clean_pubkey_hash(&hash);
    ssh_key_free(key);
    return r;
}
