/* The algorithms that TLS needs, of OpenSSL's default provider, and no others. OpenSSL enters every
 * algorithm of a kind into its tables when the first one of that kind is asked for; a worker that
 * lives for one connection would pay for a hundred ciphers and forty decoders and use five. Used by
 * common/tls.c alone. */
#ifndef SALLYPORT_TLS_ALGORITHMS_H
#define SALLYPORT_TLS_ALGORITHMS_H

#include "common/slice.h"

/* Load them for the whole process, once. suites12, suites13: what is offered, parted by commas; a
 * suite of another cipher than AES-GCM and ChaCha20-Poly1305 brings all ciphers of the provider.
 * Returns 0 or -1. */
int tls_algorithms_load(struct slice suites12, struct slice suites13);

#endif
