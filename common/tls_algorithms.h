/* The algorithms that TLS needs, of OpenSSL's default provider, and no others. OpenSSL enters every
 * algorithm of a kind into its tables when the first one of that kind is asked for; a worker that
 * lives for one connection would pay for a hundred ciphers and forty decoders and use five. Used by
 * common/tls.c alone. */
#ifndef SALLYPORT_TLS_ALGORITHMS_H
#define SALLYPORT_TLS_ALGORITHMS_H

#include <stdbool.h>

/* Load them for the whole process, once. every_cipher: all ciphers of the provider, as suites are
 * asked for that have others than AES-GCM and ChaCha20-Poly1305. Returns 0 or -1. */
int tls_algorithms_load(bool every_cipher);

#endif
