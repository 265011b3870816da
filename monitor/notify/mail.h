/* One message as mail has it (RFC 5322, RFC 2045): what a sendmail command takes on its input. */
#ifndef SALLYPORT_NOTIFY_MAIL_H
#define SALLYPORT_NOTIFY_MAIL_H

#include <stdint.h>
#include <time.h>

#include "monitor/notify/draft.h"

struct mail {
    const char *from, *name; /* the sender's address, and the organisation's name */
    const char *to;          /* the one recipient's address */
    uint64_t number, mark;   /* for its Message-ID, the same when it is sent again */
    time_t date;
    struct slice subject, body; /* UTF-8; a subject of one line, lines of the body end with \n */
};

/* Write it, lines ending with a line feed as such commands expect. NULL, or what is wrong with it:
 * then out is of no use. */
const char *mail_write(const struct mail *mail, struct draft *out);

#endif
