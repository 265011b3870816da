/* Sections of field lines. Called by the readers of requests, bodies and multipart bodies; must
 * never keep a value that could end a line. */
#include "https-worker/fields.h"

enum { SINGLE, LIST };
enum { HEADER, TRAILER };

static const struct {
    const char *name;
    uint8_t len, rule, where;
} known[] = {
#define FIELD(name, text, rule, where) {text, sizeof(text) - 1, rule, where},
#include "https-worker/fields.def"
};

const char *field_name(enum field field)
{
    return known[field].name;
}

static enum field find(struct slice name)
{
    enum field field = 0;

    while (field < FIELD_COUNT && !slice_same(name, slice_of(known[field].name, known[field].len)))
        field++;
    return field;
}

int fields_add(struct fields *fields, struct slice line, struct refusal *refusal)
{
    if (fields->count == FIELDS_MAX)
        return refuse(refusal, 431, "The request has too many header fields.");
    fields->count++;
    const struct slice name = slice_until(&line, ':');
    if (!slice_skip(&line, ":"))
        return refuse(refusal, 400, "A header field has no colon.");
    if (!token_is(name)) /* nor blanks before it, or before the colon: RFC 9112, 5.2 and 5.1 */
        return refuse(refusal, 400, "The name of a header field holds what no name may hold.");
    if (!chars_are(line, CHAR_VALUE))
        return refuse(refusal, 400, "A header field holds a control character.");
    const enum field field = find(name);
    if (field == FIELD_COUNT || (fields->trailers && known[field].where != TRAILER))
        return 0;
    if (known[field].rule == SINGLE && fields_have(fields, field))
        return refuse(refusal, 400, "A header field that may come once came twice.");
    fields->lines[fields->kept++] = (struct field_line){.field = field, .value = ows_trim(line)};
    return 0;
}

bool fields_have(const struct fields *fields, enum field field)
{
    return fields_get(fields, field).data != NULL; /* an empty value stands somewhere too */
}

struct slice fields_get(const struct fields *fields, enum field field)
{
    size_t i = 0;

    while (i < fields->kept && fields->lines[i].field != field)
        i++;
    return i < fields->kept ? fields->lines[i].value : slice_of(NULL, 0);
}

bool fields_next(const struct fields *fields, enum field field, struct field_walk *walk,
                 struct slice *element)
{
    for (;;) {
        if (list_next(&walk->rest, element))
            return true;
        while (walk->line < fields->kept && fields->lines[walk->line].field != field)
            walk->line++;
        if (walk->line == fields->kept)
            return false;
        walk->rest = fields->lines[walk->line++].value;
    }
}
