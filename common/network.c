/* Addresses, networks and mappings of configuration: see network.h. */
#include "common/network.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "common/slice.h"

#define WORD_MAX   256
#define SEPARATORS ", \t"

int address_parse(const char *text, uint8_t bytes[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    memcpy(bytes, mapped, sizeof(mapped));
    if (inet_pton(AF_INET, text, bytes + 12) == 1)
        return 0;
    return inet_pton(AF_INET6, text, bytes) == 1 ? 0 : -1;
}

int network_parse(const char *text, struct network *network)
{
    char address[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    const size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    struct in_addr four;
    char *end = NULL;

    if (slice_copy(slice_of(text, len), address, sizeof(address)) < 0 ||
        address_parse(address, network->bytes) < 0)
        return -1;
    const unsigned first = inet_pton(AF_INET, address, &four) == 1 ? 96 : 0;
    network->bits = 128;
    if (slash == NULL)
        return 0;
    if (slash[1] < '0' || slash[1] > '9')
        return -1;
    const unsigned long bits = strtoul(slash + 1, &end, 10);
    network->bits = first + (unsigned)bits;
    return *end == '\0' && bits <= 128 - first ? 0 : -1;
}

static bool network_has(const struct network *network, const uint8_t address[16])
{
    const unsigned whole = network->bits / 8, rest = network->bits % 8;
    const uint8_t mask = (uint8_t)(0xff00 >> rest);

    return memcmp(address, network->bytes, whole) == 0 &&
           (rest == 0 || (address[whole] & mask) == (network->bytes[whole] & mask));
}

/* The next word of a list. Returns 1, 0 at the end. A word that is too long is passed over. */
static int next_word(const char **list, char word[WORD_MAX])
{
    while (*(*list += strspn(*list, SEPARATORS)) != '\0') {
        const size_t len = strcspn(*list, SEPARATORS);
        const struct slice text = slice_of(*list, len);
        *list += len;
        if (slice_copy(text, word, WORD_MAX) == 0)
            return 1;
    }
    return 0;
}

bool networks_have(const char *list, const uint8_t address[16])
{
    struct network network;
    char word[WORD_MAX];

    while (next_word(&list, word) == 1) {
        if (network_parse(word, &network) == 0 && network_has(&network, address))
            return true;
    }
    return false;
}

/* Parts a word. Returns 0, or -1. */
static int parse_mapping(char *word, struct network *network, const char **address)
{
    char *equals = strchr(word, '=');
    uint8_t bytes[16];

    *address = equals != NULL ? equals + 1 : word;
    memset(network, 0, sizeof(*network));
    if (equals != NULL) {
        *equals = '\0';
        if (network_parse(word, network) < 0)
            return -1;
    }
    return address_parse(*address, bytes);
}

bool mapping_is_good(const char *word)
{
    char text[WORD_MAX];
    struct network network;
    const char *address;

    return slice_copy(slice_text(word), text, sizeof(text)) == 0 &&
           parse_mapping(text, &network, &address) == 0;
}

int mapping_find(const char *list, const uint8_t address[16], char *text, size_t size)
{
    struct network network;
    char word[WORD_MAX];
    const char *found;

    while (next_word(&list, word) == 1) {
        if (parse_mapping(word, &network, &found) == 0 && network_has(&network, address))
            return slice_copy(slice_text(found), text, size);
    }
    return -1;
}
