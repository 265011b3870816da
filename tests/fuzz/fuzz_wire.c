/* Fuzzing of SSH's wire types and name lists (common/sshwire.c). The first byte is how many of the
 * following ones choose what is read; what was read is written again and must be the same bytes. */
#include "common/sshwire.h"
#include "tests/fuzz/fuzz.h"

static void read_and_write(struct slice steps, struct slice bytes)
{
    uint8_t *copy = exact_copy(bytes), *again = malloc(bytes.len + 1);
    struct wire in = wire_of(slice_of(copy, bytes.len));
    struct wire_out out = wire_out_of(again, bytes.len);

    must(again != NULL);
    for (size_t i = 0; i < steps.len && !in.bad; i++) {
        struct slice s;
        switch (steps.data[i] % 5) {
        case 0:
            wire_put_u8(&out, wire_u8(&in));
            break;
        case 1:
            wire_put_u32(&out, wire_u32(&in));
            break;
        case 2:
            wire_put_u64(&out, wire_u64(&in));
            break;
        case 3:
            s = wire_string(&in);
            must(s.len <= bytes.len && (s.len == 0 || s.data >= copy));
            if (!in.bad)
                wire_put_string(&out, s);
            break;
        default:
            wire_put_bytes(&out, wire_bytes(&in, steps.data[i] / 5));
        }
        must(in.at <= bytes.len);
        must(in.bad || (!out.bad && out.len == in.at));
    }
    if (in.bad) {
        must(wire_u8(&in) == 0 && wire_u64(&in) == 0 && wire_string(&in).len == 0);
        must(!wire_done(&in));
    } else {
        must(memcmp(again, copy, in.at) == 0);
        must(wire_done(&in) == (in.at == bytes.len));
    }
    free(copy);
    free(again);
}

static void match(struct slice bytes)
{
    const size_t half = bytes.len / 2;
    uint8_t *a = exact_copy(slice_of(bytes.data, half));
    uint8_t *b = exact_copy(slice_of(bytes.data + half, bytes.len - half));
    const struct slice first = slice_of(a, half), second = slice_of(b, bytes.len - half);
    const struct slice name = name_list_match(first, second);

    if (name.len > 0) {
        must(name.data >= a && name.data + name.len <= a + half);
        must(name_list_has(first, name) && name_list_has(second, name));
        must(memchr(name.data, ',', name.len) == NULL);
        must(slice_equal(name_list_match(first, name), name));
    }
    free(a);
    free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of(data, size);
    const struct slice steps = take(&input, take_u8(&input));

    read_and_write(steps, input);
    match(input);
    return 0;
}
