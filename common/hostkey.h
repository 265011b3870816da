/* The server's host keys: PEM files (PKCS#8) in key_dir, one for each type. Made and read by the
 * monitor at start and reload, and by `sallyport hostkey`; no other process ever sees one.
 * All functions with key in hand run with the monitor's or the operator's privilege. */
#ifndef SALLYPORT_HOSTKEY_H
#define SALLYPORT_HOSTKEY_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

#include "common/keyfile.h"

enum hostkey_type { HOSTKEY_ED25519, HOSTKEY_ECDSA, HOSTKEY_RSA, HOSTKEY_COUNT };

#define HOSTKEY_BLOB_MAX    1024 /* bytes of a public part: RSA up to 7,000 bits */
#define HOSTKEY_TROUBLE_MAX KEYFILE_TROUBLE_MAX

struct hostkey_info {
    const char *name;      /* "ed25519": what the operator types */
    const char *file;      /* in key_dir: "host_ed25519" */
    const char *ssh_type;  /* "ssh-ed25519", as in the public blob */
    const char *algorithm; /* libcrypto's name */
    const char *group;     /* of an elliptic curve, else NULL */
    unsigned bits;         /* of a new key */
};

/* The row of a type; NULL past the end. */
const struct hostkey_info *hostkey_info(enum hostkey_type type);

struct hostkey {
    EVP_PKEY *key; /* owned; hostkey_free */
    enum hostkey_type type;
    uint8_t blob[HOSTKEY_BLOB_MAX]; /* the public part as SSH has it (RFC 4253, 6.6; 8709; 5656) */
    size_t blob_len;
    unsigned bits;
};

/* Make a key and its file, mode 0600, durable. The folder is made (0700) if it is missing. An
 * existing file is never touched: -1 with EEXIST. Returns 0, or -1 with errno and why in trouble.
 */
int priv_hostkey_generate(const char *dir, enum hostkey_type type,
                          char trouble[HOSTKEY_TROUBLE_MAX]);

/* The same over an existing file, which stays beside it as NAME.old-DATE. At no moment is there no
 * key under the name. */
int priv_hostkey_replace(const char *dir, enum hostkey_type type,
                         char trouble[HOSTKEY_TROUBLE_MAX]);

/* Read a key. Refuses a file that others than its owner may read or write, that belongs to another
 * user (root's are taken), or that holds another type of key. Returns 0, or -1 with errno (ENOENT:
 * there is none) and why in trouble. */
int priv_hostkey_load(const char *dir, enum hostkey_type type, struct hostkey *hostkey,
                      char trouble[HOSTKEY_TROUBLE_MAX]);
void hostkey_free(struct hostkey *hostkey);

#endif
