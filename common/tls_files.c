/* The TLS key and certificate as files: see tls_files.h. Must never remove a key before the served
 * certificate has its own under tls.key, on the disk. */
#include "common/tls_files.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE (sizeof(TLS_PENDING) + TLS_NAME_SIZE + 8)

/* ---- names -------------------------------------------------------------------------------- */

static char *name_of(unsigned char *der, int len, char name[TLS_NAME_SIZE])
{
    unsigned char hash[EVP_MAX_MD_SIZE];

    name[0] = '\0';
    if (len > 0 && EVP_Digest(der, (size_t)len, hash, NULL, EVP_sha256(), NULL) == 1) {
        for (size_t i = 0; i < (TLS_NAME_SIZE - 1) / 2; i++)
            snprintf(name + 2 * i, TLS_NAME_SIZE - 2 * i, "%02x", hash[i]);
    }
    OPENSSL_free(der);
    return name;
}

char *tls_key_name(const EVP_PKEY *key, char name[TLS_NAME_SIZE])
{
    unsigned char *der = NULL;
    const int len = i2d_PUBKEY(key, &der);

    return name_of(der, len, name);
}

char *tls_certificate_key_name(X509 *certificate, char name[TLS_NAME_SIZE])
{
    const EVP_PKEY *key = X509_get0_pubkey(certificate);

    name[0] = '\0';
    return key != NULL ? tls_key_name(key, name) : name;
}

/* ---- reading ------------------------------------------------------------------------------ */

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
        const int saved = errno;
        close(fd);
        errno = saved;
        return NULL;
    }
    return BIO_new_fp(stream, BIO_CLOSE);
}

STACK_OF(X509) * priv_tls_chain_read(int folder, const char *dir, const char *file,
                                     char trouble[KEYFILE_TROUBLE_MAX])
{
    BIO *bio = open_certificate(folder, file);
    STACK_OF(X509) *chain = sk_X509_new_null();
    const bool own = file[0] != '/';
    X509 *certificate;

    if (bio == NULL || chain == NULL) {
        keyfile_tell(trouble, "%s%s%s: %s", own ? dir : "", own ? "/" : "", file, strerror(errno));
        goto fail;
    }
    while ((certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        if (sk_X509_push(chain, certificate) > 0)
            continue;
        X509_free(certificate);
        break;
    }
    ERR_clear_error();
    if (sk_X509_num(chain) == 0) {
        errno = EINVAL;
        keyfile_tell(trouble, "%s%s%s: holds no certificate in PEM form", own ? dir : "",
                     own ? "/" : "", file);
        goto fail;
    }
    BIO_free(bio);
    return chain;
fail:;
    const int saved = errno;
    BIO_free(bio);
    sk_X509_pop_free(chain, X509_free);
    errno = saved;
    return NULL;
}

/* A key's file, if it is the certificate's key. NULL: it is another's, or cannot be read (why). */
static EVP_PKEY *read_fitting(int folder, const char *dir, const char *file, X509 *certificate,
                              char trouble[KEYFILE_TROUBLE_MAX])
{
    EVP_PKEY *key = priv_keyfile_read(folder, dir, file, trouble);

    if (key == NULL || X509_check_private_key(certificate, key) == 1)
        return key;
    ERR_clear_error();
    EVP_PKEY_free(key);
    errno = EINVAL;
    keyfile_tell(trouble, "%s/%s: its first certificate is not of the key in %s", dir,
                 TLS_CERTIFICATE_FILE, file);
    return NULL;
}

EVP_PKEY *priv_tls_key_find(int folder, const char *dir, X509 *certificate,
                            char trouble[KEYFILE_TROUBLE_MAX])
{
    char name[TLS_NAME_SIZE], path[PATH_SIZE], other[KEYFILE_TROUBLE_MAX];
    EVP_PKEY *key = read_fitting(folder, dir, TLS_KEY_FILE, certificate, trouble);
    const int saved = errno;

    if (key != NULL)
        return key;
    snprintf(path, sizeof(path), "%s/%s.key", TLS_PENDING,
             tls_certificate_key_name(certificate, name));
    key = read_fitting(folder, dir, path, certificate, other);
    /* Moved between the two looks: it is under its own name before it leaves the other. */
    if (key == NULL)
        key = read_fitting(folder, dir, TLS_KEY_FILE, certificate, other);
    errno = saved;
    return key;
}

/* ---- files of others ------------------------------------------------------------------------ */

bool tls_paths_next(const char **list, struct tls_paths *paths)
{
    static const char *const ends[] = {".crt", ".pem", ".cer"};
    const char *word = *list + strspn(*list, " ,");
    const int len = (int)strcspn(word, " ,");

    if (len == 0)
        return false;
    *list = word + len;
    snprintf(paths->certificate, sizeof(paths->certificate), "%.*s/fullchain.pem", len, word);
    snprintf(paths->key, sizeof(paths->key), "%.*s/privkey.pem", len, word);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (len < 5 || strncmp(word + len - 4, ends[i], 4) != 0)
            continue;
        snprintf(paths->certificate, sizeof(paths->certificate), "%.*s", len, word);
        snprintf(paths->key, sizeof(paths->key), "%.*s.key", len - 4, word);
    }
    return true;
}

/* ---- keys that wait ----------------------------------------------------------------------- */

static int open_pending(int folder, const char *dir, char path[KEYFILE_TROUBLE_MAX],
                        char trouble[KEYFILE_TROUBLE_MAX])
{
    snprintf(path, KEYFILE_TROUBLE_MAX, "%s/%s", dir, TLS_PENDING);
    if (mkdirat(folder, TLS_PENDING, 0700) < 0 && errno != EEXIST)
        return keyfile_tell(trouble, "%s: %s", path, strerror(errno));
    const int fd = openat(folder, TLS_PENDING, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 ? fd : keyfile_tell(trouble, "%s: %s", path, strerror(errno));
}

int priv_tls_pending_add(int folder, const char *dir, const EVP_PKEY *key, X509_REQ *request,
                         char trouble[KEYFILE_TROUBLE_MAX])
{
    char path[KEYFILE_TROUBLE_MAX], name[TLS_NAME_SIZE], file[TLS_NAME_SIZE + 8];
    BIO *bio = BIO_new(BIO_s_mem());
    int r = -1;
    const int pending = open_pending(folder, dir, path, trouble);

    if (pending < 0)
        goto out;
    tls_key_name(key, name);
    if (bio == NULL || name[0] == '\0' ||
        (request != NULL && PEM_write_bio_X509_REQ(bio, request) != 1)) {
        errno = ENOMEM;
        keyfile_tell(trouble, "%s: %s", path, strerror(errno));
        goto out;
    }
    /* The key first: a request without one would ask for a certificate that nobody can use. */
    snprintf(file, sizeof(file), "%s.key", name);
    if (fsync(folder) < 0 || priv_keyfile_write(pending, path, file, key, false, trouble) < 0)
        goto out;
    snprintf(file, sizeof(file), "%s.csr", name);
    if (request == NULL ||
        priv_keyfile_publish(pending, path, file, 0644, bio, false, trouble) == 0)
        r = 0;
out:;
    const int saved = errno;
    BIO_free(bio);
    if (pending >= 0)
        close(pending);
    errno = saved;
    return r;
}

int priv_tls_pending_remove(int folder, const char *dir, const char *name,
                            char trouble[KEYFILE_TROUBLE_MAX])
{
    char path[PATH_SIZE];

    /* The request first, for the reason that it was written last. */
    snprintf(path, sizeof(path), "%s/%.16s.csr", TLS_PENDING, name);
    if (unlinkat(folder, path, 0) < 0 && errno != ENOENT)
        return keyfile_tell(trouble, "%s/%s: %s", dir, path, strerror(errno));
    snprintf(path, sizeof(path), "%s/%.16s.key", TLS_PENDING, name);
    if (unlinkat(folder, path, 0) < 0)
        return keyfile_tell(trouble, "%s/%s: %s", dir, path, strerror(errno));
    return 0;
}

/* ---- putting into use --------------------------------------------------------------------- */

int priv_tls_settle(int folder, const char *dir, char trouble[KEYFILE_TROUBLE_MAX])
{
    char name[TLS_NAME_SIZE], path[PATH_SIZE], other[KEYFILE_TROUBLE_MAX];
    STACK_OF(X509) *chain = priv_tls_chain_read(folder, dir, TLS_CERTIFICATE_FILE, trouble);
    EVP_PKEY *waiting = NULL, *used = NULL;
    int r = -1;

    if (chain == NULL)
        return errno == ENOENT ? 0 : -1;
    X509 *certificate = sk_X509_value(chain, 0);
    snprintf(path, sizeof(path), "%s/%s.key", TLS_PENDING,
             tls_certificate_key_name(certificate, name));
    waiting = read_fitting(folder, dir, path, certificate, trouble);
    if (waiting == NULL) {
        r = errno == ENOENT ? 0 : -1;
        goto out;
    }
    used = read_fitting(folder, dir, TLS_KEY_FILE, certificate, other);
    if (used == NULL && priv_keyfile_write(folder, dir, TLS_KEY_FILE, waiting, true, trouble) < 0)
        goto out;
    r = priv_tls_pending_remove(folder, dir, name, trouble);
out:;
    const int saved = errno;
    EVP_PKEY_free(waiting);
    EVP_PKEY_free(used);
    sk_X509_pop_free(chain, X509_free);
    errno = saved;
    return r;
}

int priv_tls_install(int folder, const char *dir, const STACK_OF(X509) * chain,
                     char trouble[KEYFILE_TROUBLE_MAX])
{
    BIO *bio = BIO_new(BIO_s_mem());
    bool good = bio != NULL;
    int r = -1;

    for (int i = 0; i < sk_X509_num(chain) && good; i++)
        good = PEM_write_bio_X509(bio, sk_X509_value(chain, i)) == 1;
    if (!good) {
        errno = ENOMEM;
        keyfile_tell(trouble, "%s/%s: %s", dir, TLS_CERTIFICATE_FILE, strerror(errno));
    } else if (priv_keyfile_publish(folder, dir, TLS_CERTIFICATE_FILE, 0644, bio, true, trouble) ==
               0) {
        r = priv_tls_settle(folder, dir, trouble);
    }
    const int saved = errno;
    BIO_free(bio);
    errno = saved;
    return r;
}
