/* Which OpenSSL a process has in it. The monitor and its workers may have different ones: where one
 * was updated and the other runs since before, or holds its own (STATIC_TLS in the Makefile). */
#ifndef SALLYPORT_LIBRARY_H
#define SALLYPORT_LIBRARY_H

#include <openssl/crypto.h>
#include <stdio.h>

#include "common/message.h"

#define LIBRARY_ADVICE                                                                             \
    "it was updated; start the server again, or build it again where its workers hold their own"

/* Version, and when it was built: security updates often change nothing else. */
static inline void library_text(char text[LIBRARY_MAX + 1])
{
    snprintf(text, LIBRARY_MAX + 1, "%s, %s", OpenSSL_version(OPENSSL_VERSION),
             OpenSSL_version(OPENSSL_BUILT_ON));
}

#endif
