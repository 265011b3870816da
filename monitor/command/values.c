/* What operators write after an option: numbers, sizes, times. Each trouble names the option, what
 * was given and what may be. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/operations.h"
#include "monitor/command/command.h"

static int parse_number(const char *text, uint64_t *number, const char **end)
{
    char *behind;

    if (!isdigit((unsigned char)text[0]))
        return -1;
    errno = 0;
    *number = strtoull(text, &behind, 10);
    *end = behind;
    return errno == 0 ? 0 : -1;
}

int option_number(const struct context *c, enum option option, uint64_t least, uint64_t most,
                  uint64_t *number)
{
    const char *text = c->options[option], *end;

    if (parse_number(text, number, &end) == 0 && *end == '\0' && *number >= least &&
        *number <= most)
        return 0;
    tell("--%s: \"%s\" is not a number from %" PRIu64 " to %" PRIu64, option_infos[option].name,
         text, least, most);
    return -1;
}

int rights_given(const char *what, const char *text, uint32_t now, uint32_t *rights)
{
    char all[256];
    size_t at = 0;

    if (rights_parse(text, now, rights) == 0)
        return 0;
    for (int bit = 0; bit < RIGHT_COUNT; bit++)
        at += (size_t)snprintf(all + at, sizeof(all) - at, "%s%s", bit > 0 ? ", " : "",
                               right_info((enum right_bit)bit)->name);
    tell("%s: \"%s\" is not all, none or a list of: %s", what, text, all);
    return -1;
}

int option_size(const struct context *c, enum option option, uint64_t *size)
{
    static const char units[] = "KMGT";
    const char *text = c->options[option], *end, *unit = NULL;
    unsigned shift = 0;

    if (parse_number(text, size, &end) < 0)
        goto bad;
    if (*end != '\0') {
        unit = strchr(units, toupper((unsigned char)*end));
        if (unit == NULL || end[1] != '\0')
            goto bad;
        shift = 10 * (unsigned)(unit - units + 1);
    }
    if (*size > (uint64_t)INT64_MAX >> shift)
        goto bad;
    *size <<= shift;
    return 0;
bad:
    tell("--%s: \"%s\" is not a size: a number, or one with K, M, G or T",
         option_infos[option].name, text);
    return -1;
}

/* The forms of a time: a day begins at 0:00; without Z it is this machine's time. */
static int parse_time(const char *text, int64_t *seconds)
{
    static const char *const forms[] = {"%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S",
                                        "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"};

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct tm tm = {.tm_isdst = -1};
        const char *end = strptime(text, forms[i], &tm);
        if (end == NULL || (strcmp(end, "Z") != 0 && *end != '\0'))
            continue;
        const int day = tm.tm_mday, month = tm.tm_mon;
        const time_t when = *end == 'Z' ? timegm(&tm) : mktime(&tm);
        /* 30 February would become a day in March. */
        if (when <= 0 || tm.tm_mday != day || tm.tm_mon != month)
            return -1;
        *seconds = when;
        return 0;
    }
    return -1;
}

int option_time(const struct context *c, enum option option, bool never, int64_t *seconds)
{
    const char *text = c->options[option];

    if (never && strcmp(text, "never") == 0) {
        *seconds = 0;
        return 0;
    }
    if (parse_time(text, seconds) == 0)
        return 0;
    tell("--%s: \"%s\" is not a time: YYYY-MM-DD or YYYY-MM-DDTHH:MM[:SS][Z]%s",
         option_infos[option].name, text, never ? ", or never" : "");
    return -1;
}
