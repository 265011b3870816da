/* SSH exchange preimages (RFC 4253, 8) put together by hand, field by field, for the tests of what
 * the monitor parses and signs. */
#ifndef SALLYPORT_TESTS_EXCHANGE_H
#define SALLYPORT_TESTS_EXCHANGE_H

#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

#define EXCHANGE_MAX 16384

/* What one side's KEXINIT says (RFC 4253, 7.1). */
struct side {
    uint8_t cookie; /* its sixteen bytes */
    const char *kex, *host_key;
};

struct sample {
    struct slice v_c, v_s, i_c, i_s, k_s, e, f, k;
    uint8_t space[2][2048]; /* of the two KEXINITs */
};

/* The key exchanges that a monitor must know, and the hash of each (RFC 8731, 5656, 8268, and the
 * drafts of the hybrids). */
struct exchange_fact {
    const char *kex, *hash;
};
extern const struct exchange_fact exchange_facts[];
extern const size_t exchange_fact_count;

/* A KEXINIT of a side. Returns its bytes, which stand in space. */
struct slice kexinit(const struct side *side, uint8_t space[2048]);
/* An exchange as it should be. */
void sample_make(struct sample *s, const struct side *client, const struct side *server,
                 struct slice host_key);
/* The fields one after the other; a field whose data is NULL and whose length is not 0 is left out.
 * Returns bytes. */
size_t sample_preimage(const struct sample *s, uint8_t bytes[EXCHANGE_MAX]);

#endif
