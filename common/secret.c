/* Copying and wiping of secrets; the compiler cannot leave the wiping out. */
#include "common/secret.h"

#include <errno.h>
#include <string.h>

int secret_set(struct secret *secret, struct slice from)
{
    secret_clear(secret);
    if (from.len > SECRET_MAX) {
        errno = EMSGSIZE;
        return -1;
    }
    if (from.len > 0)
        memcpy(secret->bytes, from.data, from.len);
    secret->len = from.len;
    secret->bytes[from.len] = '\0';
    return 0;
}

struct slice secret_slice(const struct secret *secret)
{
    return slice_of(secret->bytes, secret->len);
}

const char *secret_text(const struct secret *secret)
{
    return (const char *)secret->bytes;
}

void secret_clear(struct secret *secret)
{
    explicit_bzero(secret, sizeof(*secret));
}
