/* Line ends of TYPE A. Called by the transfers between file and stream. */
#include "ftps-worker/ascii.h"

#include <string.h>

size_t ascii_to_network(uint8_t *to, const uint8_t *from, size_t n, uint8_t *last)
{
    size_t len = 0;

    for (size_t i = 0; i < n;) {
        const uint8_t *end = memchr(from + i, '\n', n - i);
        const size_t run = end != NULL ? (size_t)(end - from) - i : n - i;

        memmove(to + len, from + i, run);
        len += run;
        i += run;
        if (run > 0)
            *last = from[i - 1];
        if (end == NULL)
            break;
        if (*last != '\r')
            to[len++] = '\r';
        to[len++] = *last = '\n';
        i++;
    }
    return len;
}

size_t ascii_to_file(uint8_t *to, const uint8_t *from, size_t n, bool *held)
{
    size_t len = 0;

    for (size_t i = 0; i < n;) {
        if (*held && from[i] != '\n') /* a CR by itself */
            to[len++] = '\r';
        const uint8_t *cr = memchr(from + i, '\r', n - i);
        const size_t run = cr != NULL ? (size_t)(cr - from) - i : n - i;

        memmove(to + len, from + i, run);
        len += run;
        i += run;
        *held = cr != NULL;
        i += *held;
    }
    return len;
}
