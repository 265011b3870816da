/* Fuzzing of the decoder of every message (common/message.c): the input is a type, chosen by its
 * first two bytes, and the fields' bytes. What decodes must encode to the same bytes again,
 * whatever another process sent; the fields' bytes are then read as a blob of nested messages too.
 */
#include <sanitizer/asan_interface.h>

#include "common/message.h"
#include "tests/fuzz/fuzz.h"

#define HEADER 8 /* struct header of message.c: type, id */

static union {
    uint8_t bytes[65536]; /* the greatest message's struct is far smaller */
    uint64_t align;
} decoded;

static void check_envelope(enum message_type type, struct slice fields)
{
    static struct envelope e;
    static uint8_t again[MESSAGE_MAX];
    const uint32_t number = type, id = 77;

    e.type = type;
    e.id = id;
    e.len = HEADER + fields.len;
    memcpy(e.bytes, &number, 4);
    memcpy(e.bytes + 4, &id, 4);
    if (fields.len > 0)
        memcpy(e.bytes + HEADER, fields.data, fields.len);
    ASAN_POISON_MEMORY_REGION(e.bytes + e.len, sizeof(e.bytes) - e.len);
    const int r = message_decode(&e, type, &decoded);
    if (r == 0) {
        const ssize_t len = message_encode(type, id, &decoded, again, sizeof(again));
        must(len >= 0 && (size_t)len == e.len);
        must(memcmp(again, e.bytes, e.len) == 0);
        must(message_encode(type, id, &decoded, again, e.len - 1) < 0);
        must(message_decode(&e, type == 1 ? 2 : 1, &decoded) < 0);
    }
    ASAN_UNPOISON_MEMORY_REGION(e.bytes, sizeof(e.bytes));
}

static void check_nested(enum message_type type, struct slice blob)
{
    uint8_t *copy = exact_copy(blob);
    uint8_t *again = malloc(blob.len + 1);
    struct slice rest = slice_of(copy, blob.len);
    size_t len = 0;
    int r;

    must(again != NULL);
    for (size_t before = rest.len; (r = message_unnest(&rest, type, &decoded)) > 0;
         before = rest.len) {
        must(rest.len < before);
        const ssize_t n = message_nest(type, &decoded, again, len, blob.len);
        must(n >= 0 && (size_t)n == blob.len - rest.len);
        /* All but the nested header's id, which nobody reads. */
        must(memcmp(again + len + 12, copy + len + 12, (size_t)n - len - 12) == 0);
        len = (size_t)n;
    }
    must(r < 0 || rest.len == 0);
    free(again);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of(data, size);
    const enum message_type type = take_u16(&input) % (MSG_COUNT + 1);

    if (input.len > MESSAGE_MAX - HEADER)
        return 0;
    if (message_info(type) == NULL) {
        struct envelope *e = calloc(1, sizeof(*e));
        must(e != NULL);
        e->type = type;
        e->len = HEADER;
        must(message_decode(e, type, &decoded) < 0);
        free(e);
        return 0;
    }
    must(message_info(type)->struct_size <= sizeof(decoded));
    check_envelope(type, input);
    check_nested(type, input);
    return 0;
}
