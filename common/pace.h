/* A limit of bytes a second, and what of it is left now. Used by workers for the account's
 * bandwidth, one for each direction. */
#ifndef SALLYPORT_PACE_H
#define SALLYPORT_PACE_H

#include <stddef.h>
#include <stdint.h>

#define PACE_MS 50 /* when nothing is left: look again after so long */

struct pace {
    uint64_t rate; /* bytes a second; 0: no limit */
    int64_t left;
    int64_t at_ms;
};

/* Bytes that may move now (monotonic milliseconds); UINT32_MAX without a limit. A second's worth is
 * kept for a burst, never more. */
uint32_t pace_left(struct pace *p, int64_t now_ms);

static inline void pace_took(struct pace *p, size_t bytes)
{
    if (p->rate != 0)
        p->left -= (int64_t)bytes;
}

#endif
