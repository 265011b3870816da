/* The calendar in UTC. The C library's own functions look for time zone files, and workers open
 * nothing. */
#ifndef SALLYPORT_CALENDAR_H
#define SALLYPORT_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

#define NANO INT64_C(1000000000) /* nanoseconds in a second */

struct calendar {
    uint32_t year;       /* 1 to 9999 */
    uint32_t month, day; /* from 1 */
    uint32_t hour, minute, second;
};

/* Seconds since 1970, rounded to the first or last second that four digits of a year can say. */
struct calendar calendar_of(int64_t seconds);

/* The other way. Returns false for what is no date (a 30th of February, an hour 24); a leap second
 * is the first of the next minute. */
bool calendar_seconds(const struct calendar *c, int64_t *seconds);

/* Whole seconds of a time in nanoseconds, rounded down. */
static inline int64_t seconds_of(int64_t ns)
{
    return ns / NANO - (ns % NANO < 0);
}

#endif
