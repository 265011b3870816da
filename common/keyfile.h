/* Private keys and certificates as PEM files: read with care, written whole or not at all. Used for
 * the host keys and the TLS key, by the monitor and by the operator's command; no other process
 * ever sees a key's file. */
#ifndef SALLYPORT_KEYFILE_H
#define SALLYPORT_KEYFILE_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <sys/types.h>

#define KEYFILE_TROUBLE_MAX 512 /* bytes of a trouble's text, enough for a long path's end */

/* Say why; errno stays. Returns -1. */
int keyfile_tell(char trouble[KEYFILE_TROUBLE_MAX], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Open a key folder, made (0700) if it is missing. dir is for the trouble's text. Returns a
 * descriptor, or -1 with errno. */
int priv_keyfile_folder(const char *dir, char trouble[KEYFILE_TROUBLE_MAX]);

/* Read a private key. Refuses a file that others than its owner may read or write, or that belongs
 * to another user (root's are taken). file may be absolute. Returns NULL with errno (ENOENT: there
 * is none) and why in trouble. */
EVP_PKEY *priv_keyfile_read(int folder, const char *dir, const char *file,
                            char trouble[KEYFILE_TROUBLE_MAX]);

/* Put a file under its name, durable: a new one never over an existing one (EEXIST), or, with
 * replace, over the old one, which stays beside it as NAME.old-DATE; at no moment is there none.
 * Returns 0, or -1 with errno and why. */
int priv_keyfile_publish(int folder, const char *dir, const char *file, mode_t mode, BIO *content,
                         bool replace, char trouble[KEYFILE_TROUBLE_MAX]);

/* The same for a private key: PKCS#8 without a passphrase, mode 0600. */
int priv_keyfile_write(int folder, const char *dir, const char *file, const EVP_PKEY *key,
                       bool replace, char trouble[KEYFILE_TROUBLE_MAX]);

#endif
