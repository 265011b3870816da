/* The rows of the system call filters. One file a process under common/filters/, each row
 *
 *   ROW(system call, condition, "why")
 *
 * What no row allows kills the process. Conditions look at the arguments as the kernel gets them,
 * all 64 bits, so that a value with a bit set above an int's fails. */
#ifndef SALLYPORT_FILTERS_H
#define SALLYPORT_FILTERS_H

#include <stddef.h>
#include <stdint.h>

#include "common/sandbox.h"

enum condition_kind { COND_ANY, COND_EQ, COND_GE, COND_MASKED, COND_MAP };

struct condition {
    enum condition_kind kind;
    unsigned argument; /* 0 to 5 */
    uint64_t mask;     /* COND_MASKED: bits looked at */
    uint64_t value;
};

#define ANY                                                                                        \
    {                                                                                              \
        COND_ANY, 0, 0, 0                                                                          \
    }
#define ARG_EQ(argument, value)                                                                    \
    {                                                                                              \
        COND_EQ, argument, 0, value                                                                \
    }
#define ARG_GE(argument, value)                                                                    \
    {                                                                                              \
        COND_GE, argument, 0, value                                                                \
    } /* a descriptor */
#define ARG_BITS(argument, mask, set)                                                              \
    {                                                                                              \
        COND_MASKED, argument, mask, set                                                           \
    } /* argument & mask == set */
#define FD_IS(fd)                ARG_EQ(0, fd)
#define FD_FROM(fd)              ARG_GE(0, fd)
#define NOT_EXECUTABLE(argument) ARG_BITS(argument, PROT_EXEC, 0)
#define PRIVATE_MEMORY                                                                             \
    {                                                                                              \
        COND_MAP, 0, 0, 0                                                                          \
    } /* mmap: anonymous, private, never executable */

struct filter_row {
    const char *name; /* of the system call, as printed */
    int number;
    struct condition condition;
    const char *why;
};

/* The rows of one process. */
const struct filter_row *filter_rows(enum process process, size_t *count);

/* A row's condition for people. */
#define FILTER_CONDITION_MAX 80
void filter_condition(const struct condition *condition, char *text, size_t size);

#endif
