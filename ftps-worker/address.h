/* The addresses of data connections, as the commands and replies about them write them. */
#ifndef SALLYPORT_FTPS_ADDRESS_H
#define SALLYPORT_FTPS_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/slice.h"

struct address {
    bool v6;
    uint8_t bytes[16]; /* IPv4: the first four */
    uint32_t port;     /* 0 where none is known */
};

enum address_result {
    ADDRESS_GOOD,
    ADDRESS_BAD,      /* not as the RFC writes it */
    ADDRESS_PROTOCOL, /* a family other than IPv4 and IPv6 */
};

/* Plain text, as the monitor tells it; an IPv4 address in an IPv6 one is IPv4. */
bool address_parse(struct slice text, struct address *address);
/* "h1,h2,h3,h4,p1,p2" of PORT (RFC 959, 4.1.2). */
enum address_result address_of_port(struct slice text, struct address *address);
/* "|1|132.235.1.2|6275|" of EPRT (RFC 2428, 2); any printable delimiter. */
enum address_result address_of_eprt(struct slice text, struct address *address);

/* The same host: ports are not looked at. */
bool address_same(const struct address *a, const struct address *b);

#endif
