/* Host keys: made, replaced and read (keyfile.c has their files). Called by the monitor and by the
 * operator's command. Must never take a key of another type, or a weak one. */
#include "common/hostkey.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>

#include "common/sshwire.h"

static const struct hostkey_info types[HOSTKEY_COUNT] = {
    [HOSTKEY_ED25519] = {"ed25519", "host_ed25519", "ssh-ed25519", "ED25519", NULL, 256},
    [HOSTKEY_ECDSA] = {"ecdsa", "host_ecdsa", "ecdsa-sha2-nistp256", "EC", "P-256", 256},
    [HOSTKEY_RSA] = {"rsa", "host_rsa", "ssh-rsa", "RSA", NULL, 3072},
};

const struct hostkey_info *hostkey_info(enum hostkey_type type)
{
    return type < HOSTKEY_COUNT ? &types[type] : NULL;
}

/* ---- reading ------------------------------------------------------------------------------ */

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
    int folder = -1, r = -1;

    *hostkey = (struct hostkey){.type = type};
    if (info == NULL) {
        errno = EINVAL;
        return keyfile_tell(trouble, "there is no such type of host key");
    }
    folder = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return keyfile_tell(trouble, "%s: %s", dir, strerror(errno));
    if ((hostkey->key = priv_keyfile_read(folder, dir, info->file, trouble)) == NULL)
        goto out;
    if (EVP_PKEY_is_a(hostkey->key, info->algorithm) != 1 ||
        !has_group(hostkey->key, info->group) || EVP_PKEY_get_bits(hostkey->key) < 253 ||
        make_blob(hostkey) < 0) {
        errno = EINVAL;
        keyfile_tell(trouble, "%s/%s: is not a key of type %s", dir, info->file, info->name);
        goto out;
    }
    hostkey->bits = type == HOSTKEY_RSA ? (unsigned)EVP_PKEY_get_bits(hostkey->key) : info->bits;
    if (type == HOSTKEY_RSA && hostkey->bits < 2048) {
        errno = EINVAL;
        keyfile_tell(trouble, "%s/%s: is too weak: RSA of %u bits, 2048 are the least", dir,
                     info->file, hostkey->bits);
        goto out;
    }
    r = 0;
out:;
    const int saved = errno;
    if (r < 0)
        hostkey_free(hostkey);
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

static EVP_PKEY *make_key(const struct hostkey_info *info)
{
    if (info->group != NULL)
        return EVP_PKEY_Q_keygen(NULL, NULL, info->algorithm, info->group);
    if (strcmp(info->algorithm, "RSA") == 0)
        return EVP_PKEY_Q_keygen(NULL, NULL, info->algorithm, (size_t)info->bits);
    return EVP_PKEY_Q_keygen(NULL, NULL, info->algorithm);
}

static int generate(const char *dir, enum hostkey_type type, bool replace,
                    char trouble[HOSTKEY_TROUBLE_MAX])
{
    const struct hostkey_info *info = hostkey_info(type);
    const int folder = priv_keyfile_folder(dir, trouble);
    EVP_PKEY *key = NULL;
    int r = -1;

    if (folder < 0)
        return -1;
    if (!replace && faccessat(folder, info->file, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST; /* before a key is made, which takes long */
        keyfile_tell(trouble, "%s/%s: %s", dir, info->file, strerror(errno));
    } else if ((key = make_key(info)) == NULL) {
        errno = ENOMEM;
        keyfile_tell(trouble, "a key of type %s cannot be made", info->name);
    } else {
        r = priv_keyfile_write(folder, dir, info->file, key, replace, trouble);
    }
    const int saved = errno;
    EVP_PKEY_free(key);
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
