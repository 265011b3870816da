/* The TLS key and certificate that the monitor holds: read at start and at each reload, made on the
 * first start (ECDSA P-256, self-signed for this machine's names), so that clients warn and then
 * work. The certificate goes to workers as DER; the key goes nowhere. A session that began with a
 * key that was replaced since keeps it until it ends. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>
#include <unistd.h>

#include "common/certificate.h"
#include "common/log.h"
#include "common/sshwire.h"
#include "common/tls_files.h"
#include "monitor/monitor.h"

_Static_assert(sizeof(((struct tls_identities *)0)->chain) == CERTIFICATE_CHAIN_MAX, "one limit");

/* ------------------------------------------------------------------------- reading */

/* The chain as worker messages have it, if it is the key's. Returns 0, or -1 and why. */
static int put_chain(const STACK_OF(X509) * chain, EVP_PKEY *key, struct wire_out *w, char *why,
                     size_t size)
{
    for (int i = 0; i < sk_X509_num(chain); i++) {
        X509 *certificate = sk_X509_value(chain, i);
        const bool fits = i > 0 || X509_check_private_key(certificate, key) == 1;
        const bool strong = certificate_is_strong(certificate);
        unsigned char *der = NULL;
        const int len = i2d_X509(certificate, &der);
        if (len > 0)
            wire_put_string(w, slice_of(der, (size_t)len));
        OPENSSL_free(der);
        if (len <= 0 || !fits || !strong || w->bad) {
            snprintf(why, size,
                     !fits     ? "its first certificate is not of the key"
                     : !strong ? "certificate %d of it has a key or a signature that is too weak"
                     : w->bad  ? "the chain is too long"
                               : "certificate %d of it cannot be read",
                     i + 1);
            ERR_clear_error();
            return -1;
        }
    }
    return 0;
}

/* ------------------------------------------------------------------------- making */

static int make_certificate(int folder, const struct config *c, EVP_PKEY *key,
                            char trouble[KEYFILE_TROUBLE_MAX])
{
    GENERAL_NAMES *names = certificate_names_own(c);
    const struct certificate_wish wish = {.names = names, .days = CERTIFICATE_DAYS};
    const char *why = "there is no memory";
    X509 *certificate = names != NULL ? certificate_self_sign(key, &wish, &why) : NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    int r = -1;

    log_info("making a self-signed TLS certificate");
    if (certificate == NULL || bio == NULL || PEM_write_bio_X509(bio, certificate) != 1)
        keyfile_tell(trouble, "a certificate cannot be made: %s", why);
    else
        r = priv_keyfile_publish(folder, c->server_key_dir, TLS_CERTIFICATE_FILE, 0644, bio, false,
                                 trouble);
    X509_free(certificate);
    BIO_free(bio);
    GENERAL_NAMES_free(names);
    return r;
}

static int tell_unusable(char trouble[KEYFILE_TROUBLE_MAX])
{
    return keyfile_tell(trouble, "its key is neither RSA of %d bits or more, EC nor Ed25519",
                        CERTIFICATE_RSA_BITS_MIN);
}

static EVP_PKEY *make_key(int folder, const struct config *c, char trouble[KEYFILE_TROUBLE_MAX])
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");

    log_info("making the TLS key");
    if (key == NULL) {
        keyfile_tell(trouble, "a TLS key cannot be made");
    } else if (priv_keyfile_write(folder, c->server_key_dir, TLS_KEY_FILE, key, false, trouble) <
               0) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    return key;
}

/* Make what the first start finds missing of the files that are ours: a certificate, and before it
 * the key. Returns 0, also if nothing was, or -1 and why. */
static int make_own(int folder, const struct config *c, char trouble[KEYFILE_TROUBLE_MAX])
{
    const char *dir = c->server_key_dir;
    STACK_OF(X509) *chain = NULL;
    EVP_PKEY *key = NULL;
    int r = -1;

    if (c->tls_certificate[0] == '\0' &&
        ((chain = priv_tls_chain_read(folder, dir, TLS_CERTIFICATE_FILE, trouble)) != NULL ||
         errno != ENOENT)) {
        r = chain != NULL ? 0 : -1;
        goto out;
    }
    key = c->tls_key[0] != '\0' ? priv_keyfile_read(folder, "", c->tls_key, trouble)
                                : priv_keyfile_read(folder, dir, TLS_KEY_FILE, trouble);
    if (key == NULL && errno == ENOENT && c->tls_key[0] == '\0')
        key = make_key(folder, c, trouble);
    if (key != NULL && c->tls_certificate[0] == '\0')
        r = certificate_key_usable(key) ? make_certificate(folder, c, key, trouble)
                                        : tell_unusable(trouble);
    else
        r = key != NULL ? 0 : -1;
out:
    EVP_PKEY_free(key);
    sk_X509_pop_free(chain, X509_free);
    return r;
}

/* ------------------------------------------------------------------------- loading */

/* A pair of files; key "": the own one of the certificate. Its chain goes to w. Returns the key, or
 * NULL and why. */
static EVP_PKEY *load_pair(int folder, const char *dir, const char *file, const char *key_file,
                           struct wire_out *w, char trouble[KEYFILE_TROUBLE_MAX])
{
    const bool own = file[0] != '/';
    STACK_OF(X509) *chain = priv_tls_chain_read(folder, dir, file, trouble);
    EVP_PKEY *key = NULL;
    char why[256];
    bool good = false;

    if (chain == NULL)
        return NULL;
    key = key_file[0] != '\0' ? priv_keyfile_read(folder, "", key_file, trouble)
                              : priv_tls_key_find(folder, dir, sk_X509_value(chain, 0), trouble);
    if (key == NULL)
        goto out;
    if (!certificate_key_usable(key))
        tell_unusable(trouble);
    else if (put_chain(chain, key, w, why, sizeof(why)) < 0)
        keyfile_tell(trouble, "%s%s%s: %s", own ? dir : "", own ? "/" : "", file, why);
    else
        good = true;
out:
    if (!good) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    sk_X509_pop_free(chain, X509_free);
    return key;
}

/* The certificates for other names. Returns 0, or -1 and why. */
static int load_further(int folder, const struct config *c, struct tls_identities *fresh,
                        char trouble[KEYFILE_TROUBLE_MAX])
{
    struct wire_out all = wire_out_of(fresh->further, sizeof(fresh->further));
    struct tls_paths paths;
    uint8_t bytes[CERTIFICATE_CHAIN_MAX];
    const char *list = c->tls_further;

    for (size_t i = 1; tls_paths_next(&list, &paths); i++) {
        struct wire_out w = wire_out_of(bytes, sizeof(bytes));
        if (i == TLS_IDENTITIES_MAX)
            return keyfile_tell(trouble, "tls.further names more than %d certificates",
                                TLS_IDENTITIES_MAX - 1);
        fresh->keys[i] = load_pair(folder, "", paths.certificate, paths.key, &w, trouble);
        if (fresh->keys[i] == NULL)
            return -1;
        wire_put_string(&all, slice_of(bytes, w.len));
        if (all.bad)
            return keyfile_tell(trouble, "the chains of tls.further are too long together");
    }
    fresh->further_len = all.len;
    return 0;
}

/* What the configuration names. Returns 0, or -1 and why. */
static int load(int folder, const struct config *c, struct tls_identities *fresh,
                char trouble[KEYFILE_TROUBLE_MAX])
{
    const char *file = c->tls_certificate[0] == '\0' ? TLS_CERTIFICATE_FILE : c->tls_certificate;
    struct wire_out w = wire_out_of(fresh->chain, sizeof(fresh->chain));

    fresh->keys[0] = load_pair(folder, c->server_key_dir, file, c->tls_key, &w, trouble);
    fresh->chain_len = w.len;
    return fresh->keys[0] == NULL ? -1 : load_further(folder, c, fresh, trouble);
}

int priv_tls_identities_load(struct tls_identities *identities, const struct config *c,
                             bool make_missing)
{
    char trouble[KEYFILE_TROUBLE_MAX] = "";
    struct tls_identities fresh = {.stamp = priv_tls_stamp(c)};
    const int folder = priv_keyfile_folder(c->server_key_dir, trouble);
    int r = -1;

    if (folder >= 0 && (!make_missing || make_own(folder, c, trouble) == 0))
        r = load(folder, c, &fresh, trouble);
    if (folder >= 0)
        close(folder);
    if (r < 0) {
        log_error("TLS certificate: %s", trouble);
        priv_tls_identities_free(&fresh);
        return -1;
    }
    priv_tls_identities_free(identities);
    *identities = fresh;
    return 0;
}

void priv_tls_identities_free(struct tls_identities *identities)
{
    for (size_t i = 0; i < TLS_IDENTITIES_MAX; i++)
        EVP_PKEY_free(identities->keys[i]);
    explicit_bzero(identities, sizeof(*identities));
}
