/* Bytes that must not outlive their use: a fixed buffer whose clearing is part of the type. */
#ifndef SALLYPORT_SECRET_H
#define SALLYPORT_SECRET_H

#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

#define SECRET_MAX 1024

struct secret {
    size_t len;
    uint8_t bytes[SECRET_MAX + 1]; /* always followed by a NUL */
};

/* Copy in. Returns 0, or -1 with EMSGSIZE; then the secret is empty. */
int secret_set(struct secret *secret, struct slice from);
struct slice secret_slice(const struct secret *secret);
const char *secret_text(const struct secret *secret);

/* Wipe: call on every way out. */
void secret_clear(struct secret *secret);

#endif
