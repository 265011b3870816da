/* Reading and writing SSH's wire types (RFC 4251, 5) and public key blobs and lines. Used by the
 * monitor (exchange preimages, signed login data), the SFTP worker and the operator's command. */
#ifndef SALLYPORT_SSHWIRE_H
#define SALLYPORT_SSHWIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

/* A cursor. A read past the end makes it bad and gives zeros and empty slices from then on: check
 * wire_done (or .bad) once, at the end. */
struct wire {
    const uint8_t *data;
    size_t len, at;
    bool bad;
};

struct wire wire_of(struct slice bytes);
uint8_t wire_u8(struct wire *w);
uint32_t wire_u32(struct wire *w);
uint64_t wire_u64(struct wire *w);
struct slice wire_string(struct wire *w);
struct slice wire_bytes(struct wire *w, size_t n);
bool wire_done(const struct wire *w); /* all read, nothing bad */

/* A bounded writer over a caller's buffer; .bad when it did not fit. */
struct wire_out {
    uint8_t *data;
    size_t size, len;
    bool bad;
};

struct wire_out wire_out_of(uint8_t *data, size_t size);
void wire_put_u8(struct wire_out *w, uint8_t v);
void wire_put_u32(struct wire_out *w, uint32_t v);
void wire_put_u64(struct wire_out *w, uint64_t v);
void wire_put_bytes(struct wire_out *w, struct slice bytes);
void wire_put_string(struct wire_out *w, struct slice bytes);

/* The next name of a comma-separated list (RFC 4251, 5: name-list), which moves past it and its
 * comma. */
struct slice name_list_next(struct slice *list);
/* Is name one of a list? */
bool name_list_has(struct slice list, struct slice name);
/* The first name of `first` that `second` has too, or an empty slice. */
struct slice name_list_match(struct slice first, struct slice second);

#endif
