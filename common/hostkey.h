/* The server's SSH host keys: files of a folder that only root reads, one a type, PEM (PKCS #8).
 * Used by the monitor (load, generate on the first start) and by `sallyport hostkey`. */
#ifndef SALLYPORT_HOSTKEY_H
#define SALLYPORT_HOSTKEY_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOSTKEY_BLOB_MAX 1024

enum hostkey_type { HOSTKEY_ED25519, HOSTKEY_ECDSA, HOSTKEY_RSA, HOSTKEY_TYPES };

struct hostkey_info {
    const char *name;     /* "ed25519", for people */
    const char *file;     /* "host_ed25519", in the folder of keys */
    const char *ssh_type; /* "ssh-ed25519", first string of the blob (RFC 4253, 6.6) */
    unsigned bits;
};

const struct hostkey_info *hostkey_info(enum hostkey_type type);

/* Read a key and put its public blob together. Returns 1, 0 when there is no such file, or -1 and
 * why in trouble (unreadable, readable by others, another type of key). *key is the caller's. */
int hostkey_load(const char *directory, enum hostkey_type type, EVP_PKEY **key,
                 uint8_t blob[HOSTKEY_BLOB_MAX], size_t *blob_len, char *trouble, size_t size);

/* Make a key and write it, whole or not at all: a temporary, fsync, then its name. A key that is
 * there stays, unless replace: then it is kept beside as FILE.old-SECONDS. Returns 0, or -1 and why
 * (EEXIST in errno when there is one already). */
int hostkey_generate(const char *directory, enum hostkey_type type, bool replace, char *trouble,
                     size_t size);

#endif
