/* Characters of a text in UTF-8 (RFC 3629). */
#ifndef SALLYPORT_UTF8_H
#define SALLYPORT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/slice.h"

/* Bytes of the character at the start (1 to 4) and its code; 0 if it is none, or the text is empty.
 */
size_t utf8_sequence(struct slice text, uint32_t *code);

/* Take the next character off a text that is not empty, as it may be written where only UTF-8 is
 * allowed: its bytes, or U+FFFD for a byte that is part of none; then *code is UTF8_NONE. */
#define UTF8_NONE UINT32_MAX
struct slice utf8_take(struct slice *text, uint32_t *code);

/* Characters that a person cannot see but that change what is seen: controls, line and paragraph
 * separators, marks that turn the direction of writing. */
bool utf8_deceives(uint32_t code);

#endif
