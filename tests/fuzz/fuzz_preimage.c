/* Fuzzing of the parser of SSH exchange preimages (monitor/preimage.c): what it takes has a hash
 * that we know, and algorithms that are in both sides' lists. */
#include "common/sshwire.h"
#include "monitor/monitor.h"
#include "tests/fuzz/fuzz.h"

/* The numbered list of a KEXINIT, by other means than the parser's. */
static struct slice list_of(struct slice kexinit, size_t number)
{
    struct wire w = wire_of(kexinit);

    wire_bytes(&w, 17);
    while (number-- > 0)
        wire_string(&w);
    return wire_string(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = exact_copy(slice_of(data, size));
    const char *why = NULL;
    struct preimage p;

    if (preimage_parse(slice_of(copy, size), &p, &why) < 0) {
        must(why != NULL);
    } else {
        must(strcmp(p.hash, "SHA256") == 0 || strcmp(p.hash, "SHA384") == 0 ||
             strcmp(p.hash, "SHA512") == 0);
        must(name_list_has(list_of(p.i_c, 1), p.signature));
        must(name_list_has(list_of(p.i_s, 1), p.signature));
        must(memcmp(p.v_c.data, "SSH-", 4) == 0 && memcmp(p.v_s.data, "SSH-", 4) == 0);
        must(p.i_c.data[0] == 20 && p.i_s.data[0] == 20);
        must(p.v_c.data == copy + 4 && p.k_s.data + p.k_s.len <= copy + size);
    }
    free(copy);
    return 0;
}
