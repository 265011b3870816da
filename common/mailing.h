/* What a text must be to be an address of mail, a command or the beginning of links. Used by the
 * configuration, so that a mistake is told before anything is sent, and by sallyport-notify, which
 * believes no one. */
#ifndef SALLYPORT_MAILING_H
#define SALLYPORT_MAILING_H

#include <stdbool.h>
#include <stddef.h>

#include "common/slice.h"

#define MAIL_ADDRESS_MAX  254 /* bytes (RFC 5321, 4.5.3.1.3: a path without its brackets) */
#define COMMAND_MAX       1024
#define COMMAND_WORDS_MAX 64

/* Is it dot-atom@domain in ASCII, and nothing else (RFC 5322, 3.2.3, 3.4.1)? No quotes, comments,
 * brackets or control characters, so that it stands in a header field as one recipient. */
bool mail_address_is_good(struct slice address);

/* A command as words; its texts point into itself. */
struct command_line {
    char *words[COMMAND_WORDS_MAX + 2]; /* NULL behind the last; room for one more */
    size_t count;
    char text[COMMAND_MAX + 1];
};

/* Split by blanks. "..." keeps blanks in a word; a backslash before " or \ takes it as it is.
 * No shell ever sees it. The first word must be an absolute path. NULL, or what is wrong. */
const char *command_line_split(struct slice text, struct command_line *command);

/* NULL, or what keeps this from being https://name:port (a path may follow, no slash at its end).
 */
const char *mail_base_trouble(struct slice base);

#endif
