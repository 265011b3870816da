/* Days since 1970 to dates and back: the proleptic Gregorian calendar, with years that begin in
 * March so that the leap day is their last. Used by the workers for listings and times. */
#include "common/calendar.h"

#define DAY         86400
#define ERA_DAYS    146097u               /* of 400 years */
#define EPOCH_SHIFT 719468                /* days from 0000-03-01 to 1970-01-01 */
#define FIRST       INT64_C(-62135596800) /* 0001-01-01 */
#define LAST        INT64_C(253402300799) /* the end of 9999 */

struct calendar calendar_of(int64_t seconds)
{
    const int64_t t = seconds < FIRST ? FIRST : seconds > LAST ? LAST : seconds;
    const int64_t days = (t >= 0 ? t : t - (DAY - 1)) / DAY;
    const uint32_t second = (uint32_t)(t - days * DAY);
    const uint32_t z = (uint32_t)(days + EPOCH_SHIFT);
    const uint32_t era = z / ERA_DAYS, of_era = z % ERA_DAYS;
    const uint32_t year_of_era =
        (of_era - of_era / 1460 + of_era / 36524 - of_era / (ERA_DAYS - 1)) / 365;
    const uint32_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const uint32_t march = (5 * of_year + 2) / 153; /* 0: March */

    return (struct calendar){
        .year = era * 400 + year_of_era + (march >= 10 ? 1 : 0),
        .month = march < 10 ? march + 3 : march - 9,
        .day = of_year - (153 * march + 2) / 5 + 1,
        .hour = second / 3600,
        .minute = second / 60 % 60,
        .second = second % 60,
    };
}

static uint32_t days_in(uint32_t year, uint32_t month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

bool calendar_seconds(const struct calendar *c, int64_t *seconds)
{
    if (c->year < 1 || c->year > 9999 || c->month < 1 || c->month > 12 || c->day < 1 ||
        c->day > days_in(c->year, c->month) || c->hour > 23 || c->minute > 59 || c->second > 60)
        return false;
    const uint32_t march = c->month > 2 ? c->month - 3 : c->month + 9;
    const uint32_t year = c->month > 2 ? c->year : c->year - 1;
    const uint32_t of_year = (153 * march + 2) / 5 + c->day - 1;
    const int64_t days = (int64_t)(year / 400) * ERA_DAYS + year % 400 * 365 + year % 400 / 4 -
                         year % 400 / 100 + of_year - EPOCH_SHIFT;

    *seconds = days * DAY + c->hour * 3600 + c->minute * 60 + c->second;
    return true;
}
