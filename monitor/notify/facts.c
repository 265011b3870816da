/* Reads a notice's facts and adds what only this machine knows: its own time, and how links to it
 * begin. Called once for each notice. The facts hold tokens that open accounts: nothing of them is
 * logged, and the memory that they were in is wiped. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "monitor/notify/template.h"

static void wipe_and_free(void *memory)
{
    if (memory != NULL)
        explicit_bzero(memory, malloc_usable_size(memory));
    free(memory);
}

void facts_prepare(void)
{
    json_set_alloc_funcs(malloc, wipe_and_free);
    json_object_seed(0);
    tzset();
}

/* Seconds since 1970 as people say it: Friday, 27 November 2026, 14:05 CET. */
static json_t *told_time(json_int_t seconds)
{
    const time_t when = (time_t)seconds;
    struct tm local;
    char text[128];

    if (localtime_r(&when, &local) == NULL)
        return NULL;
    return strftime(text, sizeof(text), "%A, %-d %B %Y, %H:%M %Z", &local) > 0 ? json_string(text)
                                                                               : NULL;
}

/* Times are numbers, and become texts; in the items of lists too. */
static int tell_times(json_t *facts)
{
    static const char *const times[] = {"expires", "when"};
    const char *name;
    json_t *value, *item;
    size_t i;

    for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        value = json_object_get(facts, times[i]);
        if (json_is_integer(value) &&
            json_object_set_new(facts, times[i], told_time(json_integer_value(value))) < 0)
            return -1;
    }
    json_object_foreach(facts, name, value)
    {
        json_array_foreach(value, i, item)
        {
            if (json_is_object(item) && tell_times(item) < 0)
                return -1;
        }
    }
    return 0;
}

/* link: base/link#token, which no server is ever asked for by a GET (RFC 3986, 3.5). */
static int add_link(json_t *facts, const char *base)
{
    const json_t *token = json_object_get(facts, "token");

    if (!json_is_string(token))
        return 0;
    return json_object_set_new(facts, "link",
                               json_sprintf("%s/link#%s", base, json_string_value(token)));
}

/* Of https://name:port the name. */
static int add_server(json_t *facts, const char *base)
{
    const char *name = strstr(base, "://");

    name = name != NULL ? name + 3 : base;
    const size_t len = name[0] == '[' ? strcspn(name, "]") + 1 : strcspn(name, ":/");
    return json_object_set_new(facts, "server", json_stringn(name, strnlen(name, len)));
}

static int add_organisation(json_t *facts, const char *organisation)
{
    const json_t *told = json_object_get(facts, "organisation");
    const json_t *server = json_object_get(facts, "server");

    if (json_is_string(told) && json_string_length(told) > 0)
        return 0;
    return json_object_set_new(
        facts, "organisation",
        json_string(organisation[0] != '\0' ? organisation : json_string_value(server)));
}

json_t *facts_read(struct slice bytes, const char *base, const char *organisation)
{
    json_t *facts = json_loadb((const char *)bytes.data, bytes.len, JSON_REJECT_DUPLICATES, NULL);

    if (json_is_object(facts) && tell_times(facts) == 0 && add_link(facts, base) == 0 &&
        add_server(facts, base) == 0 && add_organisation(facts, organisation) == 0 &&
        json_object_set_new(facts, "base", json_string(base)) == 0)
        return facts;
    json_decref(facts);
    return NULL;
}
