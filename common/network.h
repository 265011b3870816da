/* Addresses and networks as configuration names them (10.0.0.0/8, 2001:db8::/32, or an address
 * alone). Used by the configuration's parser, the limits and the passive ports. IPv4 is kept as
 * IPv6 has it, mapped (RFC 4291, 2.5.5.2). Nothing here looks up a name. */
#ifndef SALLYPORT_NETWORK_H
#define SALLYPORT_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct network {
    uint8_t bytes[16];
    unsigned bits; /* of bytes that count: 0 to 128 */
};

/* Returns 0, or -1: not an address (a network). */
int address_parse(const char *text, uint8_t bytes[16]);
int network_parse(const char *text, struct network *network);

/* Is the address in one of the networks of a list (parted by blanks or commas)? */
bool networks_have(const char *list, const uint8_t address[16]);

/* A mapping's word: NETWORK=ADDRESS, or ADDRESS for all others. */
bool mapping_is_good(const char *word);
/* The address that the first fitting word of a list of mappings gives. Returns 0, or -1: none. */
int mapping_find(const char *list, const uint8_t address[16], char *text, size_t size);

#endif
