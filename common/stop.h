/* Whether a worker's loop is to end, and why: for the log, and for the client where its protocol
 * has words for it. Whoever finds a reason says so; the loop looks. */
#ifndef SALLYPORT_STOP_H
#define SALLYPORT_STOP_H

#include <stdbool.h>
#include <string.h>

#include "common/slice.h"

struct stop {
    bool asked;
    char reason[256];
};

/* The first reason stands; what of it has no room is cut off. */
static inline void stop_because(struct stop *stop, const char *reason)
{
    if (stop->asked)
        return;
    stop->asked = true;
    slice_copy(slice_of(reason, strnlen(reason, sizeof(stop->reason) - 1)), stop->reason,
               sizeof(stop->reason));
}

#endif
