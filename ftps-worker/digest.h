/* Digests of HASH (draft-bryan-ftpext-hash-02). */
#ifndef SALLYPORT_FTPS_DIGEST_H
#define SALLYPORT_FTPS_DIGEST_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

#define DIGEST_TEXT (2 * EVP_MAX_MD_SIZE + 1)

struct digest {
    size_t kind; /* its row */
    EVP_MD_CTX *context;
    uint32_t crc;
};

/* Load what is needed. Once, before the sandbox. Returns 0, or -1: not even the default is there.
 */
int digest_prepare(void);

/* How many there are (the first is the default), and their names: "SHA-256". */
size_t digest_count(void);
const char *digest_name(size_t kind);
bool digest_offered(size_t kind);
/* By name, whatever its case; digest_count() for none that is offered. */
size_t digest_find(struct slice name);

/* Begin; 0 or -1. Feed. End: hexadecimal digits and a NUL; 0 or -1. */
int digest_begin(struct digest *d, size_t kind);
int digest_feed(struct digest *d, const uint8_t *bytes, size_t n);
int digest_end(struct digest *d, char text[DIGEST_TEXT]);
void digest_free(struct digest *d);

#endif
