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

_Static_assert(sizeof(((struct tls_identity *)0)->chain) == CERTIFICATE_CHAIN_MAX, "one limit");

/* ------------------------------------------------------------------------- reading */

/* The chain as worker messages have it. Returns 0, or -1 and why. */
static int put_chain(const STACK_OF(X509) * chain, struct tls_identity *identity, char *why,
                     size_t size)
{
    struct wire_out w = wire_out_of(identity->chain, sizeof(identity->chain));

    for (int i = 0; i < sk_X509_num(chain); i++) {
        X509 *certificate = sk_X509_value(chain, i);
        const bool fits = i > 0 || X509_check_private_key(certificate, identity->key) == 1;
        const bool strong = certificate_is_strong(certificate);
        unsigned char *der = NULL;
        const int len = i2d_X509(certificate, &der);
        if (len > 0)
            wire_put_string(&w, slice_of(der, (size_t)len));
        OPENSSL_free(der);
        if (len <= 0 || !fits || !strong || w.bad) {
            snprintf(why, size,
                     !fits     ? "its first certificate is not of the key"
                     : !strong ? "certificate %d of it has a key or a signature that is too weak"
                     : w.bad   ? "the chain is too long"
                               : "certificate %d of it cannot be read",
                     i + 1);
            ERR_clear_error();
            return -1;
        }
    }
    identity->chain_len = w.len;
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

/* ------------------------------------------------------------------------- public */

/* The certificate that the configuration names, and its key. Returns 0, or -1 and why. */
static int load(int folder, const struct config *c, struct tls_identity *fresh,
                char trouble[KEYFILE_TROUBLE_MAX])
{
    const bool own = c->tls_certificate[0] == '\0';
    const char *file = own ? TLS_CERTIFICATE_FILE : c->tls_certificate;
    STACK_OF(X509) *chain = priv_tls_chain_read(folder, c->server_key_dir, file, trouble);
    char why[256];
    int r = -1;

    if (chain == NULL)
        return -1;
    fresh->key = c->tls_key[0] != '\0' ? priv_keyfile_read(folder, "", c->tls_key, trouble)
                                       : priv_tls_key_find(folder, c->server_key_dir,
                                                           sk_X509_value(chain, 0), trouble);
    if (fresh->key == NULL)
        goto out;
    if (!certificate_key_usable(fresh->key))
        tell_unusable(trouble);
    else if (put_chain(chain, fresh, why, sizeof(why)) < 0)
        keyfile_tell(trouble, "%s%s%s: %s", own ? c->server_key_dir : "", own ? "/" : "", file,
                     why);
    else
        r = 0;
out:
    sk_X509_pop_free(chain, X509_free);
    return r;
}

int priv_tls_identity_load(struct tls_identity *identity, const struct config *c, bool make_missing)
{
    char trouble[KEYFILE_TROUBLE_MAX] = "";
    struct tls_identity fresh = {0};
    const int folder = priv_keyfile_folder(c->server_key_dir, trouble);
    int r = -1;

    if (folder >= 0 && (!make_missing || make_own(folder, c, trouble) == 0))
        r = load(folder, c, &fresh, trouble);
    if (folder >= 0)
        close(folder);
    if (r < 0) {
        log_error("TLS certificate: %s", trouble);
        EVP_PKEY_free(fresh.key);
        return -1;
    }
    EVP_PKEY_free(identity->key);
    *identity = fresh;
    return 0;
}

void priv_tls_identity_free(struct tls_identity *identity)
{
    EVP_PKEY_free(identity->key);
    explicit_bzero(identity, sizeof(*identity));
}
