/* Rights and operations, from operations.def: one meaning over every protocol. */
#ifndef SALLYPORT_OPERATIONS_H
#define SALLYPORT_OPERATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum right_bit {
#define RIGHT(NAME, name, help) RIGHT_BIT_##NAME,
#define OPERATION(NAME, name, writes, right, help)
#include "common/operations.def"
#undef RIGHT
#undef OPERATION
    RIGHT_COUNT,
};

enum right {
#define RIGHT(NAME, name, help) RIGHT_##NAME = 1u << RIGHT_BIT_##NAME,
#define OPERATION(NAME, name, writes, right, help)
#include "common/operations.def"
#undef RIGHT
#undef OPERATION
    RIGHTS_ALL = (1u << RIGHT_COUNT) - 1,
};

enum operation {
#define RIGHT(NAME, name, help)
#define OPERATION(NAME, name, writes, right, help) OPERATION_##NAME,
#include "common/operations.def"
#undef RIGHT
#undef OPERATION
    OPERATION_COUNT,
};

struct right_info {
    const char *name, *help;
};

struct operation_info {
    const char *name;
    bool writes;
    uint32_t right; /* RIGHT_* needed */
    const char *help;
};

/* The row of a right (by bit, 0 to RIGHT_COUNT - 1) or an operation; NULL past the end. */
const struct right_info *right_info(enum right_bit bit);
const struct operation_info *operation_info(enum operation operation);

/* Parse "list,read,write", "all", "none", or "+delete,-read" relative to now. 0, or -1 (EINVAL). */
int rights_parse(const char *text, uint32_t now, uint32_t *rights);

/* Write "list,read,..." (or "all", "none") into text. Returns text. */
char *rights_format(uint32_t rights, char *text, size_t size);

#endif
