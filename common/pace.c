/* Bandwidth: what of a second's bytes is left. Called by the workers before they move bytes; never
 * waits. */
#include "common/pace.h"

#define BURST_LEAST 65536

uint32_t pace_left(struct pace *p, int64_t now_ms)
{
    if (p->rate == 0)
        return UINT32_MAX;
    if (p->at_ms == 0)
        p->at_ms = now_ms;
    const int64_t burst = (int64_t)(p->rate < BURST_LEAST ? BURST_LEAST : p->rate);
    const int64_t more = (int64_t)((double)p->rate * (double)(now_ms - p->at_ms) / 1000);
    if (more > 0) { /* less than a byte: counted with the next milliseconds */
        p->left = p->left + more > burst ? burst : p->left + more;
        p->at_ms = now_ms;
    }
    return p->left <= 0 ? 0 : p->left > UINT32_MAX ? UINT32_MAX : (uint32_t)p->left;
}
