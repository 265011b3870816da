/* TYPE A: lines end with CR LF on the network and with LF in files. What a piece's edge cuts in two
 * is remembered for the next piece. */
#ifndef SALLYPORT_FTPS_ASCII_H
#define SALLYPORT_FTPS_ASCII_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* File to network: LF becomes CR LF where no CR stands before it. to: room for 2 * n bytes, which
 * may end where `from` ends (to + n == from). last: the byte before this piece, 0 at the beginning.
 * Returns the bytes written. */
size_t ascii_to_network(uint8_t *to, const uint8_t *from, size_t n, uint8_t *last);

/* Network to file: CR LF becomes LF, any other CR stays. to: room for n + 1 bytes, may begin one
 * byte before from. held: a CR ended the last piece; at the end of all a held one is still to be
 * written. Returns the bytes written. */
size_t ascii_to_file(uint8_t *to, const uint8_t *from, size_t n, bool *held);

#endif
