/* Host keys on the disk: made, replaced and read. Called by the monitor and by the operator's
 * command. Must never overwrite a key without keeping the old one, and never leave private bytes in
 * memory of its own or in a file that others can read. */
#include "common/hostkey.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>

#include "common/sshwire.h"

#define FILE_MOST 16384 /* bytes of a key's file: RSA-16384 has 13,000 */

static const struct hostkey_info types[HOSTKEY_COUNT] = {
    [HOSTKEY_ED25519] = {"ed25519", "host_ed25519", "ssh-ed25519", "ED25519", NULL, 256},
    [HOSTKEY_ECDSA] = {"ecdsa", "host_ecdsa", "ecdsa-sha2-nistp256", "EC", "P-256", 256},
    [HOSTKEY_RSA] = {"rsa", "host_rsa", "ssh-rsa", "RSA", NULL, 3072},
};

const struct hostkey_info *hostkey_info(enum hostkey_type type)
{
    return type < HOSTKEY_COUNT ? &types[type] : NULL;
}

/* Say why; errno stays. Returns -1. */
static int __attribute__((format(printf, 2, 3)))
tell(char trouble[HOSTKEY_TROUBLE_MAX], const char *format, ...)
{
    const int saved = errno;
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(trouble, HOSTKEY_TROUBLE_MAX, format, arguments);
    va_end(arguments);
    errno = saved;
    return -1;
}

/* ---- reading ------------------------------------------------------------------------------ */

/* Open a key's file, which must be its owner's alone. */
static int open_private(int folder, const char *dir, const char *file,
                        char trouble[HOSTKEY_TROUBLE_MAX])
{
    const int fd = openat(folder, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;

    if (fd < 0)
        return tell(trouble, "%s/%s: %s", dir, file, strerror(errno));
    if (fstat(fd, &st) < 0) {
        tell(trouble, "%s/%s: %s", dir, file, strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        errno = EINVAL;
        tell(trouble, "%s/%s: is not a regular file", dir, file);
    } else if (st.st_uid != geteuid() && st.st_uid != 0) {
        errno = EPERM;
        tell(trouble, "%s/%s: belongs to uid %u: a host key is its server's alone", dir, file,
             (unsigned)st.st_uid);
    } else if ((st.st_mode & 077) != 0) {
        errno = EPERM;
        tell(trouble, "%s/%s: has mode %04o: others than its owner can use it; chmod 600 it", dir,
             file, (unsigned)st.st_mode & 07777);
    } else if (st.st_size > FILE_MOST) {
        errno = EFBIG;
        tell(trouble, "%s/%s: is too large for a host key", dir, file);
    } else {
        return fd;
    }
    const int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

/* libcrypto would ask the terminal for a passphrase: nobody may be there. */
static int no_passphrase(char *buffer, int size, int writing, void *context)
{
    (void)buffer, (void)size, (void)writing, (void)context;
    return 0;
}

/* The key in a file's bytes, or NULL. */
static EVP_PKEY *read_key(int fd)
{
    char bytes[FILE_MOST];
    size_t len = 0;
    ssize_t n;
    EVP_PKEY *key = NULL;

    while (len < sizeof(bytes) && (n = read(fd, bytes + len, sizeof(bytes) - len)) != 0) {
        if (n < 0 && errno != EINTR)
            goto out;
        len += n > 0 ? (size_t)n : 0;
    }
    BIO *bio = BIO_new_mem_buf(bytes, (int)len);
    if (bio != NULL)
        key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
out:
    OPENSSL_cleanse(bytes, sizeof(bytes));
    ERR_clear_error();
    return key;
}

/* A positive number as SSH's mpint (RFC 4251, 5). */
static void put_number(struct wire_out *w, const EVP_PKEY *key, const char *name)
{
    uint8_t bytes[HOSTKEY_BLOB_MAX];
    BIGNUM *number = NULL;

    if (EVP_PKEY_get_bn_param(key, name, &number) != 1 ||
        BN_num_bytes(number) > (int)sizeof(bytes) - 1) {
        w->bad = true;
    } else {
        const size_t pad = BN_num_bits(number) % 8 == 0 ? 1 : 0;
        bytes[0] = 0;
        BN_bn2bin(number, bytes + pad);
        wire_put_string(w, slice_of(bytes, (size_t)BN_num_bytes(number) + pad));
    }
    BN_free(number);
}

/* The public part as SSH has it. Returns 0, or -1. */
static int make_blob(struct hostkey *h)
{
    const struct hostkey_info *info = &types[h->type];
    struct wire_out w = wire_out_of(h->blob, sizeof(h->blob));
    uint8_t point[160];
    size_t len = sizeof(point);

    wire_put_string(&w, slice_text(info->ssh_type));
    switch (h->type) {
    case HOSTKEY_ED25519:
        if (EVP_PKEY_get_raw_public_key(h->key, point, &len) != 1)
            return -1;
        wire_put_string(&w, slice_of(point, len));
        break;
    case HOSTKEY_ECDSA:
        if (EVP_PKEY_get_octet_string_param(h->key, OSSL_PKEY_PARAM_PUB_KEY, point, len, &len) !=
                1 ||
            len != 65 || point[0] != 4)
            return -1;
        wire_put_string(&w, slice_text("nistp256"));
        wire_put_string(&w, slice_of(point, len));
        break;
    default:
        put_number(&w, h->key, OSSL_PKEY_PARAM_RSA_E);
        put_number(&w, h->key, OSSL_PKEY_PARAM_RSA_N);
    }
    h->blob_len = w.len;
    return w.bad ? -1 : 0;
}

static bool has_group(const EVP_PKEY *key, const char *group)
{
    char name[64];
    size_t len;

    /* Files name the curve by one of its names: prime256v1 is P-256. */
    return group == NULL ||
           (EVP_PKEY_get_group_name(key, name, sizeof(name), &len) == 1 &&
            OBJ_txt2nid(name) == EC_curve_nist2nid(group) && OBJ_txt2nid(name) != NID_undef);
}

int priv_hostkey_load(const char *dir, enum hostkey_type type, struct hostkey *hostkey,
                      char trouble[HOSTKEY_TROUBLE_MAX])
{
    const struct hostkey_info *info = hostkey_info(type);
    int folder = -1, fd = -1, r = -1;

    *hostkey = (struct hostkey){.type = type};
    if (info == NULL) {
        errno = EINVAL;
        return tell(trouble, "there is no such type of host key");
    }
    folder = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return tell(trouble, "%s: %s", dir, strerror(errno));
    fd = open_private(folder, dir, info->file, trouble);
    if (fd < 0)
        goto out;
    hostkey->key = read_key(fd);
    if (hostkey->key == NULL) {
        errno = EINVAL;
        tell(trouble, "%s/%s: is not a private key in PEM form without a passphrase", dir,
             info->file);
        goto out;
    }
    if (EVP_PKEY_is_a(hostkey->key, info->algorithm) != 1 ||
        !has_group(hostkey->key, info->group) || EVP_PKEY_get_bits(hostkey->key) < 253 ||
        make_blob(hostkey) < 0) {
        errno = EINVAL;
        tell(trouble, "%s/%s: is not a key of type %s", dir, info->file, info->name);
        goto out;
    }
    hostkey->bits = type == HOSTKEY_RSA ? (unsigned)EVP_PKEY_get_bits(hostkey->key) : info->bits;
    if (type == HOSTKEY_RSA && hostkey->bits < 2048) {
        errno = EINVAL;
        tell(trouble, "%s/%s: is too weak: RSA of %u bits, 2048 are the least", dir, info->file,
             hostkey->bits);
        goto out;
    }
    r = 0;
out:;
    const int saved = errno;
    if (r < 0)
        hostkey_free(hostkey);
    if (fd >= 0)
        close(fd);
    close(folder);
    errno = saved;
    return r;
}

void hostkey_free(struct hostkey *hostkey)
{
    EVP_PKEY_free(hostkey->key);
    hostkey->key = NULL;
}

/* ---- making ------------------------------------------------------------------------------- */

/* Write a key as PEM (PKCS#8) to an open file, and on to the disk. Returns 0, or -1 with errno. */
static int write_key(int fd, const EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    char *bytes = NULL;
    int r = -1;

    errno = ENOMEM;
    if (bio == NULL || PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
        goto out;
    long len = BIO_get_mem_data(bio, &bytes);
    while (len > 0) {
        const ssize_t n = write(fd, bytes, (size_t)len);
        if (n < 0 && errno != EINTR)
            goto out;
        bytes += n > 0 ? n : 0;
        len -= n > 0 ? n : 0;
    }
    r = fsync(fd);
out:
    BIO_free(bio); /* secure memory is wiped when it is freed */
    return r;
}

static EVP_PKEY *make_key(const struct hostkey_info *info)
{
    if (info->group != NULL)
        return EVP_PKEY_Q_keygen(NULL, NULL, info->algorithm, info->group);
    if (strcmp(info->algorithm, "RSA") == 0)
        return EVP_PKEY_Q_keygen(NULL, NULL, info->algorithm, (size_t)info->bits);
    return EVP_PKEY_Q_keygen(NULL, NULL, info->algorithm);
}

/* Put a finished file under its name: by link, which never replaces, or, after the old one got a
 * second name, by rename. */
static int publish(int folder, const char *temporary, const char *file, bool replace)
{
    char old[64], date[32];
    const time_t now = time(NULL);
    struct tm utc;

    if (!replace)
        return linkat(folder, temporary, folder, file, 0);
    if (gmtime_r(&now, &utc) == NULL)
        return -1;
    strftime(date, sizeof(date), "%Y%m%d-%H%M%S", &utc);
    snprintf(old, sizeof(old), "%s.old-%s", file, date);
    if (linkat(folder, file, folder, old, 0) < 0 && errno != ENOENT)
        return -1;
    return renameat(folder, temporary, folder, file);
}

/* key_dir, made if it is missing. */
static int open_folder(const char *dir, char trouble[HOSTKEY_TROUBLE_MAX])
{
    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return tell(trouble, "%s: %s", dir, strerror(errno));
    const int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return tell(trouble, "%s: %s", dir, strerror(errno));
    return folder;
}

static int generate(const char *dir, enum hostkey_type type, bool replace,
                    char trouble[HOSTKEY_TROUBLE_MAX])
{
    const struct hostkey_info *info = hostkey_info(type);
    EVP_PKEY *key = NULL;
    char temporary[64];
    int fd = -1, r = -1;
    const int folder = open_folder(dir, trouble);

    if (folder < 0)
        return -1;
    if (!replace && faccessat(folder, info->file, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        tell(trouble, "%s/%s: %s", dir, info->file, strerror(errno));
        close(folder);
        errno = EEXIST;
        return -1;
    }
    snprintf(temporary, sizeof(temporary), ".%s.new-%d", info->file, (int)getpid());
    key = make_key(info);
    if (key == NULL) {
        errno = ENOMEM;
        tell(trouble, "a key of type %s cannot be made", info->name);
        goto out;
    }
    unlinkat(folder, temporary, 0); /* of a process that had our number and was killed */
    fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || write_key(fd, key) < 0 || publish(folder, temporary, info->file, replace) < 0 ||
        fsync(folder) < 0) {
        tell(trouble, "%s/%s: %s", dir, info->file, strerror(errno));
        goto out;
    }
    r = 0;
out:;
    const int saved = errno;
    EVP_PKEY_free(key);
    if (fd >= 0) {
        unlinkat(folder, temporary, 0); /* gone already where it was renamed */
        close(fd);
    }
    close(folder);
    errno = saved;
    return r;
}

int priv_hostkey_generate(const char *dir, enum hostkey_type type,
                          char trouble[HOSTKEY_TROUBLE_MAX])
{
    return generate(dir, type, false, trouble);
}

int priv_hostkey_replace(const char *dir, enum hostkey_type type, char trouble[HOSTKEY_TROUBLE_MAX])
{
    return generate(dir, type, true, trouble);
}
