/* System call filters as the kernel takes them: made from the rows of filters.h without memory from
 * the heap, so that there is no way to end with another filter than the rows say. Called by
 * sandbox.c. */
#ifndef SALLYPORT_FILTER_PROGRAM_H
#define SALLYPORT_FILTER_PROGRAM_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/filters.h"

#define FILTER_PROGRAM_MAX 2048 /* instructions; the kernel takes 4,096 */

struct filter_program {
    struct sock_filter code[FILTER_PROGRAM_MAX];
    size_t len;
    bool full; /* something found no room: it will not be loaded */
};

/* Begin: another architecture's calls kill the process. */
void filter_begin(struct filter_program *p);
/* Let through what a row says; by_number: whatever the arguments. */
void filter_allow(struct filter_program *p, const struct filter_row *row, bool by_number);
/* End with what happens to all the rest (SECCOMP_RET_*), and put it in force for this process and
 * its children. Returns 0, or -1 with errno. */
int filter_load(struct filter_program *p, uint32_t otherwise);

#endif
