/* The TLS key and certificate that the monitor holds: read at start and at each reload, made on the
 * first start (ECDSA P-256, self-signed for this machine's names), so that clients warn and then
 * work. The certificate goes to workers as DER; the key goes nowhere. A session that began with a
 * key that was replaced since keeps it until it ends. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/keyfile.h"
#include "common/log.h"
#include "common/network.h"
#include "common/sshwire.h"
#include "monitor/monitor.h"

#define KEY_FILE         "tls.key"
#define CERTIFICATE_FILE "tls.crt"
#define VALID_DAYS       3650 /* clients that trusted it once need not be asked again */
#define RSA_BITS_MIN     2048
#define NAMES_MAX        2048
#define SECURITY_BITS    112

/* ------------------------------------------------------------------------- reading */

static bool is_usable(const EVP_PKEY *key)
{
    if (EVP_PKEY_is_a(key, "RSA"))
        return EVP_PKEY_get_bits(key) >= RSA_BITS_MIN;
    return EVP_PKEY_is_a(key, "EC") || EVP_PKEY_is_a(key, "ED25519");
}

/* As libssl will judge it in every worker (SSL_CTX_set_security_level(3), level 2): one that it
 * refuses there would leave a server without workers. */
static bool is_strong(X509 *certificate)
{
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    int bits = 0;

    if (key == NULL || EVP_PKEY_get_security_bits(key) < SECURITY_BITS)
        return false;
    return (X509_get_extension_flags(certificate) & EXFLAG_SS) != 0 || /* nobody relies on it */
           (X509_get_signature_info(certificate, NULL, NULL, &bits, NULL) == 1 &&
            bits >= SECURITY_BITS);
}

/* The chain as worker messages have it. Returns 0, or -1 and why. */
static int read_chain(BIO *bio, const EVP_PKEY *key, struct tls_identity *identity, char *why,
                      size_t size)
{
    struct wire_out w = wire_out_of(identity->chain, sizeof(identity->chain));
    size_t count = 0;
    X509 *certificate;

    while ((certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        unsigned char *der = NULL;
        const int len = i2d_X509(certificate, &der);
        const bool fits = count > 0 || X509_check_private_key(certificate, key) == 1;
        const bool strong = is_strong(certificate);
        if (len > 0)
            wire_put_string(&w, slice_of(der, (size_t)len));
        OPENSSL_free(der);
        X509_free(certificate);
        count++;
        if (len <= 0 || !fits || !strong || w.bad) {
            snprintf(why, size,
                     !fits     ? "its first certificate is not of the key"
                     : !strong ? "certificate %zu of it has a key or a signature that is too weak"
                     : w.bad   ? "the chain is too long"
                               : "certificate %zu of it cannot be read",
                     count);
            return -1;
        }
    }
    ERR_clear_error();
    identity->chain_len = w.len;
    snprintf(why, size, "holds no certificate in PEM form");
    return count > 0 ? 0 : -1;
}

static BIO *open_certificate(int folder, const char *file)
{
    const int fd = openat(folder, file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    FILE *stream = NULL;

    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        stream = fdopen(fd, "r");
    else
        errno = EINVAL;
    if (stream == NULL) {
        close(fd);
        return NULL;
    }
    return BIO_new_fp(stream, BIO_CLOSE);
}

/* ------------------------------------------------------------------------- making */

static void add_name(char *names, const char *name)
{
    const size_t len = strlen(names);
    uint8_t bytes[16];

    if (name[0] != '\0')
        snprintf(names + len, NAMES_MAX - len, "%s%s:%s", len > 0 ? "," : "",
                 address_parse(name, bytes) == 0 ? "IP" : "DNS", name);
}

/* Each word of a list, but for addresses that mean all addresses. */
static void add_names(char *names, const char *list)
{
    char word[256];

    while (*(list += strspn(list, " ,")) != '\0') {
        const size_t len = strcspn(list, " ,");
        if (slice_copy(slice_of(list, len), word, sizeof(word)) == 0 &&
            strcmp(word, "0.0.0.0") != 0 && strcmp(word, "::") != 0)
            add_name(names, word);
        list += len;
    }
}

static int add_extension(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    const int r = extension != NULL ? X509_add_ext(certificate, extension, -1) : 0;

    X509_EXTENSION_free(extension);
    return r == 1 ? 0 : -1;
}

static int fill_certificate(X509 *certificate, EVP_PKEY *key, const struct config *c)
{
    char names[NAMES_MAX] = "", host[256] = "";
    uint8_t serial[16];
    X509_NAME *subject = X509_get_subject_name(certificate);
    BIGNUM *number = NULL;
    int r = -1;

    if (gethostname(host, sizeof(host) - 1) < 0 || RAND_bytes(serial, sizeof(serial)) != 1)
        return -1;
    serial[0] &= 0x7f; /* positive (RFC 5280, 4.1.2.2) */
    add_name(names, host);
    add_names(names, c->tls_names);
    add_names(names, "localhost 127.0.0.1 ::1");
    add_names(names, c->ftps_listen);
    add_names(names, c->https_names);
    add_names(names, c->https_listen);
    number = BN_bin2bn(serial, sizeof(serial), NULL);
    host[64] = '\0'; /* the most that a common name may have */
    if (number != NULL && X509_set_version(certificate, 2) == 1 &&
        BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL &&
        X509_gmtime_adj(X509_getm_notBefore(certificate), -86400) != NULL &&
        X509_time_adj_ex(X509_getm_notAfter(certificate), VALID_DAYS, 0, NULL) != NULL &&
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (unsigned char *)host, -1, -1,
                                   0) == 1 &&
        X509_set_issuer_name(certificate, subject) == 1 && X509_set_pubkey(certificate, key) == 1 &&
        add_extension(certificate, NID_subject_alt_name, names) == 0 &&
        add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") == 0 &&
        add_extension(certificate, NID_key_usage, "critical,digitalSignature") == 0 &&
        add_extension(certificate, NID_ext_key_usage, "serverAuth") == 0 &&
        X509_sign(certificate, key, EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256()) > 0)
        r = 0;
    BN_free(number);
    return r;
}

static int make_certificate(int folder, const struct config *c, EVP_PKEY *key,
                            char trouble[KEYFILE_TROUBLE_MAX])
{
    X509 *certificate = X509_new();
    BIO *bio = BIO_new(BIO_s_mem());
    int r = -1;

    log_info("making a self-signed TLS certificate");
    if (certificate == NULL || bio == NULL || fill_certificate(certificate, key, c) < 0 ||
        PEM_write_bio_X509(bio, certificate) != 1)
        snprintf(trouble, KEYFILE_TROUBLE_MAX, "a certificate cannot be made");
    else
        r = priv_keyfile_publish(folder, c->server_key_dir, CERTIFICATE_FILE, 0644, bio, false,
                                 trouble);
    X509_free(certificate);
    BIO_free(bio);
    return r;
}

/* The key, made if it is missing and may be. */
static EVP_PKEY *load_key(int folder, const struct config *c, bool make_missing,
                          char trouble[KEYFILE_TROUBLE_MAX])
{
    const bool own = c->tls_key[0] == '\0';
    EVP_PKEY *key = priv_keyfile_read(folder, own ? c->server_key_dir : "",
                                      own ? KEY_FILE : c->tls_key, trouble);

    if (key != NULL || errno != ENOENT || !own || !make_missing)
        return key;
    log_info("making the TLS key");
    key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    if (key == NULL) {
        snprintf(trouble, KEYFILE_TROUBLE_MAX, "a TLS key cannot be made");
    } else if (priv_keyfile_write(folder, c->server_key_dir, KEY_FILE, key, false, trouble) < 0) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    return key;
}

int priv_tls_identity_load(struct tls_identity *identity, const struct config *c, bool make_missing)
{
    const bool own = c->tls_certificate[0] == '\0';
    const char *file = own ? CERTIFICATE_FILE : c->tls_certificate;
    char trouble[KEYFILE_TROUBLE_MAX] = "", why[256];
    struct tls_identity fresh = {0};
    BIO *bio = NULL;
    int r = -1;
    const int folder = priv_keyfile_folder(c->server_key_dir, trouble);

    if (folder < 0 || (fresh.key = load_key(folder, c, make_missing, trouble)) == NULL)
        goto out;
    if ((bio = open_certificate(folder, file)) == NULL && errno == ENOENT && own && make_missing &&
        make_certificate(folder, c, fresh.key, trouble) == 0)
        bio = open_certificate(folder, file);
    if (bio == NULL) {
        if (trouble[0] == '\0')
            snprintf(trouble, sizeof(trouble), "%s%s%s: %s", own ? c->server_key_dir : "",
                     own ? "/" : "", file, strerror(errno));
        goto out;
    }
    if (!is_usable(fresh.key)) {
        snprintf(trouble, sizeof(trouble),
                 "its key is neither RSA of %d bits or more, EC nor Ed25519", RSA_BITS_MIN);
    } else if (read_chain(bio, fresh.key, &fresh, why, sizeof(why)) < 0) {
        snprintf(trouble, sizeof(trouble), "%s%s%s: %s", own ? c->server_key_dir : "",
                 own ? "/" : "", file, why);
    } else {
        r = 0;
    }
out:
    BIO_free(bio);
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
