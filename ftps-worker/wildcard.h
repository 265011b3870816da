/* Patterns of names in LIST and NLST. */
#ifndef SALLYPORT_FTPS_WILDCARD_H
#define SALLYPORT_FTPS_WILDCARD_H

#include <stdbool.h>

#include "common/slice.h"

/* Is there a *, ? or [ in it? */
bool wildcard_in(struct slice text);

/* Does the whole name fit: * any bytes, ? one, [a-z] and [!a-z] one of or none of, \x just x.
 * A dot at the beginning must be written out. Time is at most the product of both lengths. */
bool wildcard_match(struct slice pattern, struct slice name);

#endif
