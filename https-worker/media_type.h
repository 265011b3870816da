/* Media types of files, by the ends of their names alone: nothing looks into a file, and nosniff
 * tells browsers not to do it either. */
#ifndef SALLYPORT_HTTPS_MEDIA_TYPE_H
#define SALLYPORT_HTTPS_MEDIA_TYPE_H

#include "common/slice.h"

enum media_kind { MEDIA_PASSIVE, MEDIA_INLINE, MEDIA_ACTIVE };

struct media_type {
    const char *suffix; /* without its dot */
    const char *type;
    enum media_kind kind;
};

/* A row of media_types.def; never NULL. The case of the suffix does not count. */
const struct media_type *media_type_of(struct slice name);

/* What is said in Content-Type: the type, but application/octet-stream of what is active. */
const char *media_type_sent(const struct media_type *type);

#endif
