/* What the fuzz targets share: the entry point, and taking an input apart. Each target is a program
 * that libFuzzer drives (make fuzz); what must hold is said by must(), which ends the run. */
#ifndef SALLYPORT_TESTS_FUZZ_H
#define SALLYPORT_TESTS_FUZZ_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/slice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(what)                                                                                 \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #what);              \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* The next n bytes of an input, fewer at its end. */
static inline struct slice take(struct slice *input, size_t n)
{
    const struct slice taken = slice_of(input->data, n < input->len ? n : input->len);

    *input = slice_of(input->data + taken.len, input->len - taken.len);
    return taken;
}

static inline uint8_t take_u8(struct slice *input)
{
    const struct slice s = take(input, 1);

    return s.len == 1 ? s.data[0] : 0;
}

static inline uint16_t take_u16(struct slice *input)
{
    const uint8_t low = take_u8(input);

    return (uint16_t)(low | take_u8(input) << 8);
}

/* How many descriptors are open, of those that a run can come to. */
static inline int open_descriptors(void)
{
    int n = 0;

    for (int fd = 0; fd < 400; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* A copy in memory of just that size, so that a read past it is seen. Owned by the caller. */
static inline uint8_t *exact_copy(struct slice bytes)
{
    uint8_t *copy = malloc(bytes.len > 0 ? bytes.len : 1);

    must(copy != NULL);
    if (bytes.len > 0)
        memcpy(copy, bytes.data, bytes.len);
    return copy;
}

#endif
