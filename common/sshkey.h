/* SSH public keys of accounts: their blobs, the text forms that people have them in, and
 * fingerprints. Used by the operator's command. Pure functions over bytes: nothing here opens a
 * file; libcrypto computes digests and nothing else. */
#ifndef SALLYPORT_SSHKEY_H
#define SALLYPORT_SSHKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

#define SSHKEY_BLOB_MAX         8192 /* bytes; key_add's field in messages.def */
#define SSHKEY_COMMENT_MAX      255
#define SSHKEY_FINGERPRINT_SIZE 64 /* a text: "SHA256:..." or "MD5:aa:bb...", with its NUL */
#define SSHKEY_TROUBLE_SIZE     200
#define SSHKEY_RSA_BITS_LEAST   2048

struct sshkey_info {
    const char *type; /* "ssh-ed25519": RFC 4253, 8709, 5656, OpenSSH's PROTOCOL.u2f */
    unsigned bits;
};

/* Look at a public key blob: a type that may log in, every field whole, nothing left over, RSA not
 * too short. Returns 0, or -1 and why in trouble, as the end of a sentence ("is ..."). */
int sshkey_read_blob(struct slice blob, struct sshkey_info *info,
                     char trouble[SSHKEY_TROUBLE_SIZE]);

/* "SHA256:" and base64 without padding; "MD5:" and hexadecimal pairs: as ssh-keygen -l prints them.
 * Return text, empty if libcrypto has no such digest (MD5 under FIPS). */
char *sshkey_sha256(struct slice blob, char text[SSHKEY_FINGERPRINT_SIZE]);
char *sshkey_md5(struct slice blob, char text[SSHKEY_FINGERPRINT_SIZE]);

/* Is there a private key in this text (OpenSSH, PEM, PuTTY, SSH.com)? Then nothing of it may be
 * taken or stored. */
bool sshkey_is_private(struct slice text);

/* A text with keys in it, read from the start: an OpenSSH line, an authorized_keys file, PuTTYgen's
 * line, or RFC 4716 blocks, mixed as they come. */
struct sshkey_text {
    struct slice rest;
    unsigned line; /* of what was read last, from 1 */
};

struct sshkey_entry {
    unsigned line;                     /* where it begins */
    char trouble[SSHKEY_TROUBLE_SIZE]; /* empty: a good key; else why not, as "is ..." */
    struct sshkey_info info;
    uint8_t blob[SSHKEY_BLOB_MAX];
    size_t blob_len;
    char comment[SSHKEY_COMMENT_MAX + 1];
};

struct sshkey_text sshkey_text_of(struct slice text);
/* The next key, or what stands where one should be. Returns 1, or 0 at the end. */
int sshkey_next(struct sshkey_text *text, struct sshkey_entry *entry);

#endif
