/* What kind of answer a client prefers (RFC 9110, 12). */
#ifndef SALLYPORT_HTTPS_ACCEPT_H
#define SALLYPORT_HTTPS_ACCEPT_H

#include "https-worker/fields.h"

/* May a text be sent with gzip (RFC 9110, 12.5.3)? Only when it is named, or "*" is, with a weight
 * that is not 0 nor less than that of no coding. A list that cannot be read counts as none. */
bool accept_gzip(const struct fields *fields);

/* Does the client like HTML better than JSON (RFC 9110, 12.5.1)? Browsers do; programs, which say
 * anything or nothing, get JSON. */
bool accept_html(const struct fields *fields);

#endif
