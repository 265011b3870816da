/* Dates, read by patterns: a letter of a pattern says what stands in its place. Called for
 * conditional requests and by everything that is answered; asks no clock. */
#include "https-worker/http_date.h"

#include "common/calendar.h"

static const char *const day_names[] = {"Thursday", "Friday",  "Saturday", "Sunday",
                                        "Monday",   "Tuesday", "Wednesday"}; /* of 1 January 1970 */
static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
#define DAYS 7
#define DAY  86400

/* a: a day's name of three letters, A: the whole of it, d: day of the month, e: the same with a
 * blank for a zero, b: month, Y: year, y: its last two digits, h m s: time. */
static const char *const patterns[] = {
    "a, d b Y h:m:s GMT",
    "A, d-b-y h:m:s GMT",
    "a b e h:m:s Y",
};

static bool take_digits(struct slice *text, size_t n, uint32_t *number)
{
    uint64_t value = 0;

    if (text->len < n || !number_of(slice_take(text, n), &value))
        return false;
    *number = (uint32_t)value;
    return true;
}

static bool take_day_name(struct slice *text, bool whole)
{
    for (size_t i = 0; i < DAYS; i++) {
        const size_t n = whole ? strlen(day_names[i]) : 3;
        if (text->len >= n && memcmp(text->data, day_names[i], n) == 0) {
            slice_take(text, n);
            return true;
        }
    }
    return false;
}

static bool take_month(struct slice *text, uint32_t *month)
{
    for (*month = 1; *month <= 12 && text->len >= 3; ++*month) {
        if (memcmp(text->data, month_names + (*month - 1) * 3, 3) == 0) {
            slice_take(text, 3);
            return true;
        }
    }
    return false;
}

/* Two digits of a year: the last such one that is not more than 50 years ahead of now. */
static bool take_short_year(struct slice *text, int64_t now, uint32_t *year)
{
    const uint32_t most = calendar_of(now).year + 50;
    uint32_t digits;

    if (!take_digits(text, 2, &digits))
        return false;
    *year = most - (most - digits) % 100;
    return true;
}

/* What one letter of a pattern stands for. */
static bool take_one(struct slice *text, char what, int64_t now, struct calendar *c)
{
    switch (what) {
    case 'a':
    case 'A':
        return take_day_name(text, what == 'A');
    case 'd':
        return take_digits(text, 2, &c->day);
    case 'e':
        return take_digits(text, slice_skip(text, " ") ? 1 : 2, &c->day);
    case 'b':
        return take_month(text, &c->month);
    case 'Y':
        return take_digits(text, 4, &c->year);
    case 'y':
        return take_short_year(text, now, &c->year);
    case 'h':
        return take_digits(text, 2, &c->hour);
    case 'm':
        return take_digits(text, 2, &c->minute);
    case 's':
        return take_digits(text, 2, &c->second);
    default:
        return slice_skip(text, (const char[]){what, '\0'});
    }
}

static bool take_pattern(struct slice text, const char *pattern, int64_t now, struct calendar *c)
{
    while (*pattern != '\0' && take_one(&text, *pattern, now, c))
        pattern++;
    return *pattern == '\0' && text.len == 0;
}

bool http_date_parse(struct slice text, int64_t now, int64_t *seconds)
{
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        struct calendar c = {0};
        if (take_pattern(text, patterns[i], now, &c))
            return calendar_seconds(&c, seconds);
    }
    return false;
}

static void put_digits(char *to, size_t n, uint32_t number)
{
    while (n-- > 0) {
        to[n] = (char)('0' + number % 10);
        number /= 10;
    }
}

void http_date_write(int64_t seconds, char text[HTTP_DATE_LENGTH])
{
    const struct calendar c = calendar_of(seconds);
    int64_t days = 0;

    calendar_seconds(&(struct calendar){.year = c.year, .month = c.month, .day = c.day}, &days);
    days = days / DAY % DAYS;
    memcpy(text, "Thu, 00 Jan 0000 00:00:00 GMT", HTTP_DATE_LENGTH);
    memcpy(text, day_names[days < 0 ? days + DAYS : days], 3);
    put_digits(text + 5, 2, c.day);
    memcpy(text + 8, month_names + (c.month - 1) * 3, 3);
    put_digits(text + 12, 4, c.year);
    put_digits(text + 17, 2, c.hour);
    put_digits(text + 20, 2, c.minute);
    put_digits(text + 23, 2, c.second);
}
