/* The TLS key and certificate as files of the key folder:
 *   tls.crt             the chain that is served, the server's own certificate first
 *   tls.key             its key
 *   pending/NAME.key    a key that waits for its certificate; NAME is made of its public part
 *   pending/NAME.csr    the request for it
 * The certificate is the switch: its key is looked for by its public part, in tls.key and then
 * among those that wait. So one rename changes both, and a crash at any moment leaves the old pair
 * or the new one. Used by the monitor (reads) and the operator's command (writes). */
#ifndef SALLYPORT_TLS_FILES_H
#define SALLYPORT_TLS_FILES_H

#include <openssl/x509.h>

#include "common/keyfile.h"

#define TLS_KEY_FILE         "tls.key"
#define TLS_CERTIFICATE_FILE "tls.crt"
#define TLS_PENDING          "pending"
#define TLS_NAME_SIZE        17 /* 16 hexadecimal digits of the SHA-256 of the public key */

/* The name of a waiting key. Returns name, "" where there is no memory. */
char *tls_key_name(const EVP_PKEY *key, char name[TLS_NAME_SIZE]);
char *tls_certificate_key_name(X509 *certificate, char name[TLS_NAME_SIZE]);

/* Certificates of a PEM file, at least one. file may be absolute. Returns NULL with errno (ENOENT:
 * there is none) and why. */
STACK_OF(X509) * priv_tls_chain_read(int folder, const char *dir, const char *file,
                                     char trouble[KEYFILE_TROUBLE_MAX]);
/* The key of a certificate: tls.key, or the one that waits. Returns NULL with errno and why. */
EVP_PKEY *priv_tls_key_find(int folder, const char *dir, X509 *certificate,
                            char trouble[KEYFILE_TROUBLE_MAX]);

/* The files that a word of the setting tls.further means: in a folder as certbot has it, or beside
 * each other as lego has them. */
struct tls_paths {
    char certificate[4096], key[4096];
};

/* The next of a list. Returns false at its end. */
bool tls_paths_next(const char **list, struct tls_paths *paths);

/* Keep a new key among those that wait, with its request (NULL: it has none). Returns 0, or -1 with
 * errno and why. */
int priv_tls_pending_add(int folder, const char *dir, const EVP_PKEY *key, X509_REQ *request,
                         char trouble[KEYFILE_TROUBLE_MAX]);
/* Remove one. Returns 0, or -1 with errno (ENOENT) and why. */
int priv_tls_pending_remove(int folder, const char *dir, const char *name,
                            char trouble[KEYFILE_TROUBLE_MAX]);

/* Serve this chain from the next reload on; its key is tls.key or waits. What was there is kept
 * beside it as NAME.old-DATE. Returns 0, or -1 with errno and why: then the old pair is in force,
 * or the new one where only settling failed. */
int priv_tls_install(int folder, const char *dir, const STACK_OF(X509) * chain,
                     char trouble[KEYFILE_TROUBLE_MAX]);
/* Move the served certificate's key to tls.key where it still waits: what is left to do after a
 * crash. Returns 0, also if there is nothing to do, or -1 with errno and why. */
int priv_tls_settle(int folder, const char *dir, char trouble[KEYFILE_TROUBLE_MAX]);

#endif
