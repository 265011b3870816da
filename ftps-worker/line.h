/* Command lines out of the bytes of a control connection: Telnet's escapes taken out (RFC 959, 4.1;
 * RFC 854), the end of the line found, whatever pieces the bytes come in. Knows no verb. */
#ifndef SALLYPORT_FTPS_LINE_H
#define SALLYPORT_FTPS_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

#define LINE_BYTES 8192 /* of a line, its end not counted; what is longer is dropped */

enum line_state { LINE_TEXT, LINE_CR, LINE_IAC, LINE_OPTION };

struct line_reader {
    enum line_state state;
    bool whole;    /* the last feed ended a line: the next begins one */
    bool bad;      /* holds a NUL, or a CR that is neither CR LF nor CR NUL (RFC 2640, 3.1) */
    bool too_long; /* text holds its beginning */
    size_t len;
    char text[LINE_BYTES];
};

/* Take bytes until a line is whole (reader->whole) or none is left. Returns how many were used.
 * The line's text is good until the next call. A line ends with LF; a CR before it is dropped. */
size_t line_feed(struct line_reader *r, const uint8_t *bytes, size_t n);

/* Split a line at its first space: the verb in upper case, the rest as it is. Returns true when
 * there is an argument, perhaps an empty one. */
bool line_split(struct slice line, char *verb, size_t size, struct slice *argument);

#endif
