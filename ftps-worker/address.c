/* PORT's and EPRT's arguments. Called by the commands of data connections; decides nothing: the
 * monitor connects to the client's own address whatever stands here. */
#include "ftps-worker/address.h"

#include <arpa/inet.h>
#include <string.h>

/* A decimal number of at most `most`, without signs and spaces; moves *at. */
static bool take_number(struct slice text, size_t *at, uint32_t most, uint32_t *number)
{
    const size_t begin = *at;
    uint32_t n = 0;

    while (*at < text.len && text.data[*at] >= '0' && text.data[*at] <= '9') {
        n = n * 10 + (uint32_t)(text.data[(*at)++] - '0');
        if (n > most)
            return false;
    }
    *number = n;
    return *at > begin;
}

bool address_parse(struct slice text, struct address *a)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char copy[INET6_ADDRSTRLEN + 1];

    memset(a, 0, sizeof(*a));
    if (slice_copy(text, copy, sizeof(copy)) < 0)
        return false;
    if (inet_pton(AF_INET, copy, a->bytes) == 1)
        return true;
    if (inet_pton(AF_INET6, copy, a->bytes) != 1)
        return false;
    a->v6 = memcmp(a->bytes, mapped, sizeof(mapped)) != 0;
    if (!a->v6) {
        memmove(a->bytes, a->bytes + sizeof(mapped), 4);
        memset(a->bytes + 4, 0, sizeof(a->bytes) - 4);
    }
    return true;
}

enum address_result address_of_port(struct slice text, struct address *a)
{
    uint32_t numbers[6];
    size_t at = 0;

    for (size_t i = 0; i < 6; i++) {
        if (i > 0 && (at == text.len || text.data[at++] != ','))
            return ADDRESS_BAD;
        if (!take_number(text, &at, 255, &numbers[i]))
            return ADDRESS_BAD;
    }
    if (at != text.len)
        return ADDRESS_BAD;
    memset(a, 0, sizeof(*a));
    for (size_t i = 0; i < 4; i++)
        a->bytes[i] = (uint8_t)numbers[i];
    a->port = numbers[4] << 8 | numbers[5];
    return ADDRESS_GOOD;
}

enum address_result address_of_eprt(struct slice text, struct address *a)
{
    uint32_t family, port;
    size_t at = 1;

    if (text.len < 1 || text.data[0] < 33 || text.data[0] > 126)
        return ADDRESS_BAD;
    const uint8_t delimiter = text.data[0];
    if (!take_number(text, &at, 65535, &family) || at == text.len || text.data[at++] != delimiter)
        return ADDRESS_BAD;
    if (family != 1 && family != 2)
        return ADDRESS_PROTOCOL;
    const size_t begin = at;
    while (at < text.len && text.data[at] != delimiter)
        at++;
    if (at == text.len || !address_parse(slice_of(text.data + begin, at - begin), a))
        return ADDRESS_BAD;
    const bool colons = memchr(text.data + begin, ':', at - begin) != NULL;
    at++;
    if (colons != (family == 2) || !take_number(text, &at, 65535, &port) || at + 1 != text.len ||
        text.data[at] != delimiter)
        return ADDRESS_BAD;
    a->port = port;
    return ADDRESS_GOOD;
}

bool address_same(const struct address *a, const struct address *b)
{
    return a->v6 == b->v6 && memcmp(a->bytes, b->bytes, a->v6 ? 16 : 4) == 0;
}
