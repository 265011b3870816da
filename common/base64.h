/* Base64 (RFC 4648, 4), strict: one text stands for some bytes and no other does. */
#ifndef SALLYPORT_BASE64_H
#define SALLYPORT_BASE64_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/slice.h"

#define BASE64_LENGTH(bytes) (((bytes) + 2) / 3 * 4) /* letters that stand for so many bytes */

/* What a letter of the alphabet stands for; -1 for any other byte. */
static inline int base64_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decode a whole text. Returns how many bytes, or -1 with errno: EILSEQ (another byte, padding that
 * is missing or not at the end, bits that stand for nothing), EMSGSIZE (more than size). What was
 * written by then is wiped. */
ssize_t base64_decode(struct slice text, uint8_t *bytes, size_t size);

/* Write BASE64_LENGTH(bytes.len) letters, with padding and without a NUL. Returns their number. */
size_t base64_encode(struct slice bytes, char *text);

#endif
