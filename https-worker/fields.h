/* Field lines: one section of them (of a request, behind a chunked body, of a part of a multipart
 * body), of which the fields in fields.def are kept. A line is a slice of the caller's bytes, and
 * those must stay where they are as long as the section is used. */
#ifndef SALLYPORT_HTTPS_FIELDS_H
#define SALLYPORT_HTTPS_FIELDS_H

#include "https-worker/grammar.h"

#define FIELDS_MAX 100 /* lines in a section, those that are not kept too */

enum field {
#define FIELD(name, text, rule, where) FIELD_##name,
#include "https-worker/fields.def"
    FIELD_COUNT
};

struct field_line {
    enum field field;
    struct slice value; /* trimmed; its bytes are of CHAR_VALUE */
};

struct fields {
    bool trailers; /* only what may stand there is kept */
    size_t count;  /* lines that came */
    size_t kept;
    struct field_line lines[FIELDS_MAX]; /* in their order */
};

/* Take a line, its CRLF not included (RFC 9112, 5). Returns 0 or -1 and the refusal: 400 (no field
 * line, blanks before the colon or the name, a byte that may not be there, a singleton for the
 * second time), 431 (too many). */
int fields_add(struct fields *fields, struct slice line, struct refusal *refusal);

/* Did it come? */
bool fields_have(const struct fields *fields, enum field field);
/* The value of a SINGLE field; empty also when it did not come. */
struct slice fields_get(const struct fields *fields, enum field field);

/* Walk a LIST field over all its lines (RFC 9110, 5.3 and 5.6.1): zero the walk, then call until it
 * returns false. */
struct field_walk {
    size_t line;
    struct slice rest;
};
bool fields_next(const struct fields *fields, enum field field, struct field_walk *walk,
                 struct slice *element);

/* "Content-Length": for answers and logs. */
const char *field_name(enum field field);

#endif
