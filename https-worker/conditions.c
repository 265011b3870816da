/* Preconditions. Called by the handlers of GET, HEAD, PUT and DELETE before they do anything; must
 * never ignore a condition that it cannot read where that could lose somebody's file. */
#include "https-worker/conditions.h"

#include "https-worker/http_date.h"

bool etag_is(struct slice text)
{
    slice_skip(&text, "W/");
    return text.len >= 2 && text.data[0] == '"' && text.data[text.len - 1] == '"' &&
           chars_are(slice_of(text.data + 1, text.len - 2), CHAR_ETAG);
}

bool etag_same_strong(struct slice a, struct slice b)
{
    return a.len > 0 && a.data[0] == '"' && slice_equal(a, b);
}

bool etag_same_weak(struct slice a, struct slice b)
{
    slice_skip(&a, "W/");
    slice_skip(&b, "W/");
    return a.len > 0 && slice_equal(a, b);
}

/* Does a list of tags, or "*", match what is there? 1, 0, or -1: it is no such list, or empty. */
static int list_matches(const struct fields *fields, enum field field,
                        const struct representation *is, bool same(struct slice, struct slice))
{
    struct field_walk walk = {0};
    struct slice tag;
    size_t tags = 0, stars = 0;
    bool found = false;

    while (fields_next(fields, field, &walk, &tag)) {
        if (slice_is(tag, "*"))
            stars++;
        else if (!etag_is(tag))
            return -1;
        else
            tags++;
        found = found || same(tag, is->etag);
    }
    if (tags == 0 && stars == 1)
        return is->exists;
    return stars == 0 && tags > 0 ? is->exists && found : -1;
}

/* Was it modified after the date in a field? 1, 0, or -1: no such field, or one to ignore (RFC
 * 9110, 13.1.3 and 13.1.4). */
static int modified_after(const struct fields *fields, enum field field,
                          const struct representation *is, int64_t now)
{
    int64_t date;

    if (!is->dated || !fields_have(fields, field) ||
        !http_date_parse(fields_get(fields, field), now, &date))
        return -1;
    return is->modified > date;
}

/* RFC 9110, 13.1.5. */
static bool range_holds(const struct fields *fields, const struct representation *is, int64_t now)
{
    const struct slice value = fields_get(fields, FIELD_IF_RANGE);
    int64_t date;

    if (!fields_have(fields, FIELD_IF_RANGE))
        return true;
    if (etag_is(value))
        return etag_same_strong(value, is->etag);
    return is->dated && is->modified < now - 1 && http_date_parse(value, now, &date) &&
           date == is->modified;
}

enum condition conditions_judge(const struct request *request, const struct representation *is,
                                int64_t now)
{
    const struct fields *fields = &request->fields;
    const bool reads = request->method == METHOD_GET || request->method == METHOD_HEAD;

    if (fields_have(fields, FIELD_IF_MATCH)) {
        const int match = list_matches(fields, FIELD_IF_MATCH, is, etag_same_strong);
        if (match <= 0)
            return match < 0 ? CONDITION_BAD : CONDITION_FAILED;
    } else if (modified_after(fields, FIELD_IF_UNMODIFIED_SINCE, is, now) == 1) {
        return CONDITION_FAILED;
    }
    if (fields_have(fields, FIELD_IF_NONE_MATCH)) {
        const int match = list_matches(fields, FIELD_IF_NONE_MATCH, is, etag_same_weak);
        if (match != 0)
            return match < 0 ? CONDITION_BAD : reads ? CONDITION_NOT_MODIFIED : CONDITION_FAILED;
    } else if (reads && modified_after(fields, FIELD_IF_MODIFIED_SINCE, is, now) == 0) {
        return CONDITION_NOT_MODIFIED;
    }
    return request->method == METHOD_GET && range_holds(fields, is, now) ? CONDITION_GO_ON_RANGE
                                                                         : CONDITION_GO_ON;
}
