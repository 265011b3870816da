/* Host keys on the disk. Only the monitor and the operator's command link this; a private key is
 * never in any other process. Must never overwrite a key that it was not told to replace. */
#include "common/hostkey.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/sshwire.h"

#define PEM_MAX 16384

static const struct hostkey_info types[HOSTKEY_TYPES] = {
    [HOSTKEY_ED25519] = {"ed25519", "host_ed25519", "ssh-ed25519", 256},
    [HOSTKEY_ECDSA] = {"ecdsa", "host_ecdsa", "ecdsa-sha2-nistp256", 256},
    [HOSTKEY_RSA] = {"rsa", "host_rsa", "ssh-rsa", 3072},
};

const struct hostkey_info *hostkey_info(enum hostkey_type type)
{
    return type < HOSTKEY_TYPES ? &types[type] : NULL;
}

/* ------------------------------------------------------------------------- public parts */

static void put_mpint(struct wire_out *w, const BIGNUM *n)
{
    uint8_t bytes[520] = {0}; /* a zero before, for a number whose top bit is set */
    const int len = BN_num_bytes(n);

    if (len > (int)sizeof(bytes) - 1 || BN_bn2bin(n, bytes + 1) != len) {
        w->bad = true;
        return;
    }
    const size_t zero = (bytes[1] & 0x80) != 0 ? 1 : 0;
    wire_put_string(w, slice_of(bytes + 1 - zero, (size_t)len + zero));
}

static void put_rsa(struct wire_out *w, const EVP_PKEY *key)
{
    BIGNUM *e = NULL, *n = NULL;

    if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) == 1 &&
        EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n) == 1) {
        put_mpint(w, e);
        put_mpint(w, n);
    } else {
        w->bad = true;
    }
    BN_free(e);
    BN_free(n);
}

static void put_ecdsa(struct wire_out *w, const EVP_PKEY *key)
{
    char group[64] = "";
    uint8_t point[133];
    size_t len = 0;

    if (EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group),
                                       NULL) != 1 ||
        strcmp(group, "prime256v1") != 0 ||
        EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point), &len) !=
            1)
        w->bad = true;
    wire_put_string(w, slice_text("nistp256"));
    wire_put_string(w, slice_of(point, len));
}

static void put_ed25519(struct wire_out *w, const EVP_PKEY *key)
{
    uint8_t raw[32];
    size_t len = sizeof(raw);

    if (EVP_PKEY_get_raw_public_key(key, raw, &len) != 1)
        w->bad = true;
    wire_put_string(w, slice_of(raw, len));
}

/* RFC 4253, 6.6; RFC 5656, 3.1; RFC 8709, 4. Returns bytes, 0 if it is another type of key. */
static size_t public_blob(enum hostkey_type type, const EVP_PKEY *key,
                          uint8_t blob[HOSTKEY_BLOB_MAX])
{
    static const char *const names[HOSTKEY_TYPES] = {"ED25519", "EC", "RSA"};
    struct wire_out w = wire_out_of(blob, HOSTKEY_BLOB_MAX);

    if (EVP_PKEY_is_a(key, names[type]) != 1)
        return 0;
    wire_put_string(&w, slice_text(types[type].ssh_type));
    if (type == HOSTKEY_RSA)
        put_rsa(&w, key);
    else if (type == HOSTKEY_ECDSA)
        put_ecdsa(&w, key);
    else
        put_ed25519(&w, key);
    return w.bad ? 0 : w.len;
}

/* ------------------------------------------------------------------------- reading */

static int fail(char *trouble, size_t size, const char *path, const char *why)
{
    snprintf(trouble, size, "%s: %s", path, why);
    return -1;
}

int hostkey_load(const char *directory, enum hostkey_type type, EVP_PKEY **key,
                 uint8_t blob[HOSTKEY_BLOB_MAX], size_t *blob_len, char *trouble, size_t size)
{
    char path[4200], pem[PEM_MAX];
    struct stat st;
    BIO *bio = NULL;
    ssize_t n = 0;
    int r = -1;

    *key = NULL;
    snprintf(path, sizeof(path), "%s/%s", directory, types[type].file);
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 0 : fail(trouble, size, path, strerror(errno));
    if (fstat(fd, &st) < 0 || (n = read(fd, pem, sizeof(pem))) < 0) {
        fail(trouble, size, path, strerror(errno));
    } else if (!S_ISREG(st.st_mode) || (st.st_mode & 077) != 0) {
        fail(trouble, size, path, "others than its owner can read this private key (want 0600)");
    } else if ((bio = BIO_new_mem_buf(pem, (int)n)) == NULL ||
               (*key = PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)"")) == NULL) {
        fail(trouble, size, path, "not a private key in PEM form");
    } else if ((*blob_len = public_blob(type, *key, blob)) == 0) {
        fail(trouble, size, path, "a key of another type");
    } else {
        r = 1;
    }
    if (r < 0) {
        EVP_PKEY_free(*key);
        *key = NULL;
    }
    BIO_free(bio);
    OPENSSL_cleanse(pem, sizeof(pem));
    close(fd);
    return r;
}

/* ------------------------------------------------------------------------- making */

static EVP_PKEY *make_key(enum hostkey_type type)
{
    switch (type) {
    case HOSTKEY_RSA:
        return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)types[type].bits);
    case HOSTKEY_ECDSA:
        return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    default:
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    }
}

/* The key's PEM text into a new file of mode 0600, on the disk when this returns. */
static int write_key(const char *path, EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    char *pem = NULL;
    int fd = -1, r = -1;

    if (bio == NULL || PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1) {
        errno = ENOMEM;
        goto out;
    }
    const long len = BIO_get_mem_data(bio, &pem);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        goto out;
    errno = ENOSPC; /* of a short write */
    if (write(fd, pem, (size_t)len) == len && fsync(fd) == 0)
        r = 0;
out:
    if (fd >= 0)
        close(fd);
    BIO_free(bio);
    return r;
}

static int sync_directory(const char *directory)
{
    const int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r;

    if (fd < 0)
        return -1;
    r = fsync(fd);
    close(fd);
    return r;
}

int hostkey_generate(const char *directory, enum hostkey_type type, bool replace, char *trouble,
                     size_t size)
{
    char path[4200], fresh[4240], old[4240];
    EVP_PKEY *key = NULL;
    int r = -1;

    snprintf(path, sizeof(path), "%s/%s", directory, types[type].file);
    snprintf(fresh, sizeof(fresh), "%s.new-%d", path, (int)getpid());
    snprintf(old, sizeof(old), "%s.old-%lld", path, (long long)time(NULL));
    if (!replace && access(path, F_OK) == 0) {
        errno = EEXIST;
        return fail(trouble, size, path, strerror(EEXIST));
    }
    if ((key = make_key(type)) == NULL) {
        fail(trouble, size, path, "a key could not be made");
        goto out;
    }
    if (write_key(fresh, key) < 0 || (replace && rename(path, old) < 0 && errno != ENOENT) ||
        link(fresh, path) < 0 || sync_directory(directory) < 0) {
        fail(trouble, size, path, strerror(errno));
        goto out;
    }
    r = 0;
out:
    EVP_PKEY_free(key);
    const int saved = errno;
    unlink(fresh);
    errno = saved;
    return r;
}
