/* Dates of HTTP (RFC 9110, 5.6.7). */
#ifndef SALLYPORT_HTTPS_HTTP_DATE_H
#define SALLYPORT_HTTPS_HTTP_DATE_H

#include "https-worker/grammar.h"

#define HTTP_DATE_LENGTH 29 /* "Sun, 06 Nov 1994 08:49:37 GMT" */

/* Read any of the three forms: IMF-fixdate, RFC 850's, asctime's. now: seconds since 1970, for
 * years of two digits (the last such year that is at most 50 years ahead). Names of days are
 * checked to be some, not to fit. Returns false for anything else: fields with such a date are
 * ignored. */
bool http_date_parse(struct slice text, int64_t now, int64_t *seconds);

/* IMF-fixdate, without a NUL. */
void http_date_write(int64_t seconds, char text[HTTP_DATE_LENGTH]);

#endif
