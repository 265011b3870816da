/* Pages with places to fill in: templates among the page's files, in parts that each begin behind a
 * line "<!-- part: NAME -->". {{name}} stands for a text, which is always escaped. */
#ifndef SALLYPORT_HTTPS_TEMPLATE_H
#define SALLYPORT_HTTPS_TEMPLATE_H

#include "https-worker/writer.h"

struct value {
    const char *name;
    struct slice text;
};

/* Write one part of a template with its places filled; a place without a value stays empty.
 * Control characters, marks of direction and bytes that are no UTF-8 become U+FFFD. */
void template_put(struct writer *out, const char *file, const char *part,
                  const struct value *values, size_t count);

#endif
