/* Line ends of TYPE A. Called by the transfers between file and stream. */
#include "ftps-worker/ascii.h"

size_t ascii_to_network(uint8_t *to, const uint8_t *from, size_t n, uint8_t *last)
{
    uint8_t before = *last;
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        const uint8_t c = from[i];
        if (c == '\n' && before != '\r')
            to[len++] = '\r';
        to[len++] = before = c;
    }
    *last = before;
    return len;
}

size_t ascii_to_file(uint8_t *to, const uint8_t *from, size_t n, bool *held)
{
    bool cr = *held;
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        const uint8_t c = from[i];
        if (cr && c != '\n')
            to[len++] = '\r';
        cr = c == '\r';
        if (!cr)
            to[len++] = c;
    }
    *held = cr;
    return len;
}
