/* A provider for OpenSSL 3 whose keys have no private part: it knows the public key of the server's
 * certificate, and each signature is made by the monitor, typed as messages.def says. Used by
 * common/tls.c alone. It verifies nothing, decrypts nothing, exports no private part. */
#ifndef SALLYPORT_TLS_PROVIDER_H
#define SALLYPORT_TLS_PROVIDER_H

#include <openssl/evp.h>

#include "common/monitor_link.h"

/* Load it, once, with the link that signatures are asked over from now on. Returns 0 or -1. */
int tls_provider_load(struct monitor_link *monitor);

/* A key that signs through the monitor, with this public part: RSA, or EC on P-256, P-384 or P-521,
 * or Ed25519. identity: which of the server's it is to the monitor. Returns NULL where that cannot
 * be. The caller frees it. */
EVP_PKEY *tls_provider_key(EVP_PKEY *public_key, uint32_t identity);

#endif
