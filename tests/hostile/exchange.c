/* Key exchanges as a worker would hand them to the monitor (RFC 4253, 8), and signatures of logins
 * as a client would make them (RFC 4252, 7). Called by the parts; what is good here must be good
 * for the monitor, so that what is bad fails for its one flaw. */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "common/sshwire.h"
#include "tests/hostile/hostile.h"

#define BANNER   "SSH-2.0-sallyport_" SALLYPORT_VERSION
#define KEX      "curve25519-sha256"
#define HOST_KEY "ssh-ed25519"

static const uint8_t zeros[16];

EVP_PKEY *key_make(uint8_t *blob, size_t *len)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    uint8_t raw[32];
    size_t raw_len = sizeof(raw);
    struct wire_out w = wire_out_of(blob, BLOB_MAX);

    if (key == NULL || EVP_PKEY_get_raw_public_key(key, raw, &raw_len) != 1)
        give_up("no key can be made");
    wire_put_string(&w, slice_text("ssh-ed25519"));
    wire_put_string(&w, slice_of(raw, raw_len));
    *len = w.len;
    return key;
}

/* RFC 4253, 7.1. pad: bytes of the last list, languages from server to client. */
static size_t kexinit(const char *kex, size_t pad, uint8_t *bytes, size_t size)
{
    struct wire_out w = wire_out_of(bytes, size);
    uint8_t cookie[16];

    if (getrandom(cookie, sizeof(cookie), 0) != (ssize_t)sizeof(cookie))
        give_up("no random bytes");
    wire_put_u8(&w, 20);
    wire_put_bytes(&w, slice_of(cookie, sizeof(cookie)));
    wire_put_string(&w, slice_text(kex));
    wire_put_string(&w, slice_text(HOST_KEY));
    for (int i = 0; i < 2; i++)
        wire_put_string(&w, slice_text("aes128-gcm@openssh.com"));
    for (int i = 0; i < 5; i++)
        wire_put_string(&w, slice_text(i < 2 ? "" : i < 4 ? "none" : ""));
    wire_put_u32(&w, (uint32_t)pad);
    for (size_t i = 0; i < pad; i++)
        wire_put_u8(&w, 'x');
    wire_put_u8(&w, 0);
    wire_put_u32(&w, 0);
    if (w.bad)
        give_up("a KEXINIT that does not fit");
    return w.len;
}

static size_t put_exchange(struct hostile *h, const struct actor *a,
                           const struct exchange_parts *parts, size_t pad, uint8_t *bytes,
                           size_t size)
{
    char version[128];
    struct wire_out w = wire_out_of(bytes, size);
    uint8_t inits[2][MESSAGE_MAX], point[32];
    const char *kex_c = parts->kex_c != NULL ? parts->kex_c : KEX;
    const char *kex_s = parts->kex_s != NULL ? parts->kex_s : kex_c;
    const size_t i_c = kexinit(kex_c, pad, inits[0], sizeof(inits[0]));
    const size_t i_s = kexinit(kex_s, 0, inits[1], sizeof(inits[1]));

    snprintf(version, sizeof(version), BANNER "%s%s", a->nonce[0] != '\0' ? " " : "", a->nonce);
    memset(point, 0x42, sizeof(point));
    wire_put_string(&w, slice_text("SSH-2.0-hostile"));
    wire_put_string(&w, slice_text(parts->v_s != NULL ? parts->v_s : version));
    wire_put_string(&w, slice_of(inits[0], i_c));
    wire_put_string(&w, slice_of(inits[1], i_s));
    wire_put_string(&w, parts->k_s.len > 0 ? parts->k_s : slice_of(h->host_key, h->host_key_len));
    for (int i = 0; i < 3; i++)
        wire_put_string(&w, slice_of(point, sizeof(point)));
    if (w.bad)
        give_up("an exchange that does not fit");
    return w.len;
}

size_t exchange_make(struct hostile *h, const struct actor *a, const struct exchange_parts *parts,
                     uint8_t *bytes, size_t size)
{
    const size_t bare = put_exchange(h, a, parts, 0, bytes, size);

    return parts->total > bare ? put_exchange(h, a, parts, parts->total - bare, bytes, size) : bare;
}

static bool digest(struct slice bytes, uint8_t hash[32])
{
    return EVP_Q_digest(NULL, "SHA256", NULL, bytes.data, bytes.len, hash, NULL) == 1;
}

bool exchange_signed(const struct hostile *h, struct slice preimage, struct slice signature)
{
    struct wire w = wire_of(slice_of(h->host_key, h->host_key_len));
    uint8_t hash[32];

    wire_string(&w);
    const struct slice raw = wire_string(&w);
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw.data, raw.len);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const bool good = key != NULL && ctx != NULL && digest(preimage, hash) &&
                      EVP_DigestVerifyInit_ex(ctx, NULL, NULL, NULL, NULL, key, NULL) == 1 &&
                      EVP_DigestVerify(ctx, signature.data, signature.len, hash, sizeof(hash)) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    return good;
}

void exchange_do(struct hostile *h, struct actor *a)
{
    uint8_t bytes[4096];
    const struct exchange_parts plain = {0};
    const struct slice preimage =
        slice_of(bytes, exchange_make(h, a, &plain, bytes, sizeof(bytes)));
    const struct sign_exchange ask = {.preimage = preimage};
    struct signature signature;

    if (send_sign_exchange(a->link, 1, &ask) < 0 || raw_receive(h, a->link, answer_ms) != 1 ||
        decode_signature(&h->envelope, &signature) < 0 ||
        !exchange_signed(h, preimage, signature.bytes))
        give_up("a good exchange was not signed: see %s/log", h->place);
    if (!a->keyed && !digest(preimage, a->session_id))
        give_up("no hash");
    a->keyed = true;
}

size_t login_sign(const struct hostile *h, const char *user, const uint8_t *session_id,
                  uint8_t *signature, size_t size)
{
    uint8_t data[2048];
    struct wire_out w = wire_out_of(data, sizeof(data));
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    wire_put_string(
        &w, slice_of(session_id != NULL ? session_id : zeros, session_id != NULL ? 32 : 16));
    wire_put_u8(&w, 50);
    wire_put_string(&w, slice_text(user));
    wire_put_string(&w, slice_text("ssh-connection"));
    wire_put_string(&w, slice_text("publickey"));
    wire_put_u8(&w, 1);
    wire_put_string(&w, slice_text("ssh-ed25519"));
    wire_put_string(&w, slice_of(h->user_blob, h->user_blob_len));
    if (w.bad || ctx == NULL ||
        EVP_DigestSignInit_ex(ctx, NULL, NULL, NULL, NULL, h->user_key, NULL) != 1 ||
        EVP_DigestSign(ctx, signature, &size, data, w.len) != 1)
        give_up("no signature can be made");
    EVP_MD_CTX_free(ctx);
    return size;
}
