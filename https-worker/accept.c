/* Preferences. Called for the page's own files and for errors; decides nothing but the form of what
 * is sent anyway. */
#include "https-worker/accept.h"

/* qvalue (RFC 9110, 12.4.2) in thousandths; -1: it is none. */
static int weight_of(struct slice text)
{
    int weight;

    if (text.len == 0 || text.len > 5 || (text.data[0] != '0' && text.data[0] != '1') ||
        (text.len > 1 && text.data[1] != '.'))
        return -1;
    weight = (text.data[0] - '0') * 1000;
    for (size_t i = 2, unit = 100; i < text.len; i++, unit /= 10) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return -1;
        weight += (text.data[i] - '0') * (int)unit;
    }
    return weight <= 1000 ? weight : -1;
}

/* The weight of an element and what it is about: all before its parameters. Other parameters are
 * passed over. -1: it cannot be read. */
static int take_weight(struct slice element, struct slice *what)
{
    struct slice name, value;
    int weight = 1000, more = 1;

    *what = ows_trim(slice_until(&element, ';'));
    while (weight >= 0 && (more = parameter_next(&element, &name, &value)) == 1) {
        if (slice_same(name, slice_text("q")))
            weight = weight_of(value);
    }
    return more < 0 ? -1 : weight;
}

/* The weight that a list field gives to the first of some names that it has, the most specific
 * standing first; 0 where it has none of them, or cannot be read. */
static int weight_in(const struct fields *fields, enum field field, const char *const names[3])
{
    int weights[3] = {-1, -1, -1};
    struct field_walk walk = {0};
    struct slice element, what;

    while (fields_next(fields, field, &walk, &element)) {
        const int weight = take_weight(element, &what);
        if (weight < 0)
            return 0;
        for (size_t i = 0; i < 3; i++) {
            if (names[i] != NULL && slice_same(what, slice_text(names[i])))
                weights[i] = weight;
        }
    }
    for (size_t i = 0; i < 3; i++) {
        if (weights[i] >= 0)
            return weights[i];
    }
    return 0;
}

bool accept_gzip(const struct fields *fields)
{
    static const char *const gzip[3] = {"gzip", "x-gzip", "*"};
    static const char *const plain[3] = {"identity", NULL, NULL};
    const int weight = weight_in(fields, FIELD_ACCEPT_ENCODING, gzip);

    return weight > 0 && weight >= weight_in(fields, FIELD_ACCEPT_ENCODING, plain);
}

bool accept_html(const struct fields *fields)
{
    static const char *const html[3] = {"text/html", "text/*", "*/*"};
    static const char *const json[3] = {"application/json", "application/*", "*/*"};

    return weight_in(fields, FIELD_ACCEPT, html) > weight_in(fields, FIELD_ACCEPT, json);
}
