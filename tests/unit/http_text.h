/* What the tests of the HTTP core share: sections of field lines out of a text, and inputs of any
 * bytes. */
#ifndef SALLYPORT_TESTS_HTTP_TEXT_H
#define SALLYPORT_TESTS_HTTP_TEXT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "https-worker/fields.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A string literal's bytes, NULs within it too. */
#define RAW(text)                                                                                  \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }

/* Lines that end with '\n', as a section of fields; they must be good. */
static inline void fields_of(struct fields *fields, const char *lines)
{
    struct refusal refusal = {0};

    fields->trailers = false;
    fields->count = fields->kept = 0;
    while (*lines != '\0') {
        const size_t n = strcspn(lines, "\n");
        if (fields_add(fields, slice_of(lines, n), &refusal) < 0)
            fail_msg("%.*s: %s", (int)n, lines, refusal.why);
        lines += n + (lines[n] == '\n');
    }
}

#endif
