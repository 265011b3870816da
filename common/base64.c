/* Base64 of whole texts. Used by the HTTPS worker for credentials, digests and names that are no
 * text; must never leave half of a secret behind. */
#include "common/base64.h"

#include <errno.h>

/* Four letters, of which the last `padding` are none: 3 - padding bytes. Returns false when they
 * are not what the encoder would write. */
static bool decode_group(const uint8_t letters[4], size_t padding, uint8_t bytes[3])
{
    uint32_t bits = 0;

    for (size_t i = 0; i < 4; i++) {
        const int value = i < 4 - padding ? base64_value(letters[i]) : 0;
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
    }
    for (size_t i = 0; i < 3; i++)
        bytes[i] = (uint8_t)(bits >> (16 - 8 * i));
    return (bits & ((1u << (8 * padding)) - 1)) == 0;
}

ssize_t base64_decode(struct slice text, uint8_t *bytes, size_t size)
{
    uint8_t group[3];
    size_t n = 0, padding = 0;
    int error = text.len % 4 != 0 ? EILSEQ : 0;

    while (error == 0 && text.len > 0 && padding < 2 && text.data[text.len - 1 - padding] == '=')
        padding++;
    for (size_t at = 0; at < text.len && error == 0; at += 4) {
        const size_t missing = at + 4 == text.len ? padding : 0;
        if (!decode_group(text.data + at, missing, group))
            error = EILSEQ;
        else if (3 - missing > size - n)
            error = EMSGSIZE;
        else
            memcpy(bytes + n, group, 3 - missing);
        n += error == 0 ? 3 - missing : 0;
    }
    explicit_bzero(group, sizeof(group));
    if (error == 0)
        return (ssize_t)n;
    if (n > 0)
        explicit_bzero(bytes, n);
    errno = error;
    return -1;
}

size_t base64_encode(struct slice bytes, char *text)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = 0;

    for (size_t at = 0; at < bytes.len; at += 3) {
        const size_t there = bytes.len - at < 3 ? bytes.len - at : 3;
        uint32_t bits = 0;
        for (size_t i = 0; i < 3; i++)
            bits = bits << 8 | (i < there ? bytes.data[at + i] : 0u);
        for (size_t i = 0; i < 4; i++)
            text[n++] = i <= there ? letters[bits >> (18 - 6 * i) & 63] : '=';
    }
    return n;
}
