/* The page's own files, which are part of the program. */
#ifndef SALLYPORT_HTTPS_STATIC_H
#define SALLYPORT_HTTPS_STATIC_H

#include "common/slice.h"

struct static_file {
    const char *name;
    struct slice plain, gzip;
};

/* A hash of all of them: part of their address, so that it changes with them. */
const char *static_hash(void);
/* By name; NULL: there is none. */
const struct static_file *static_find(struct slice name);

#endif
