/* Content-Disposition: of downloads, written (RFC 6266, RFC 8187); of parts of forms, read (RFC
 * 7578, 4.2, as browsers write it). */
#ifndef SALLYPORT_HTTPS_DISPOSITION_H
#define SALLYPORT_HTTPS_DISPOSITION_H

#include "https-worker/writer.h"

/* `attachment; filename="a_.txt"; filename*=UTF-8''a%C3%BC.txt`: the second only where the first
 * cannot say it all. Characters that deceive the eye, and bytes that are no UTF-8, become "_": the
 * name is one that a person can type. kind: "attachment" or "inline". */
void disposition_write(struct writer *w, const char *kind, struct slice name);

#define PART_NAME_MAX     64
#define PART_FILENAME_MAX 255 /* NAME_MAX of Linux */

struct disposition {
    bool is_file; /* it has a filename, perhaps an empty one: no file was chosen */
    size_t len;   /* of name */
    size_t file_len;
    char name[PART_NAME_MAX];
    char filename[PART_FILENAME_MAX];
};

/* Read a part's: `form-data; name="file"; filename="a.txt"`. In quotes %22, %0D and %0A stand for
 * what could not stand there, and nothing else is an escape, not even a backslash (HTML, "multipart
 * form data"; RFC 7578, 2). Refused with 400: another type, no name, a parameter twice, filename*
 * (RFC 7578, 4.2 forbids it), names that are too long or hold a slash, "." and "..". */
int disposition_parse(struct slice field, struct disposition *out, struct refusal *refusal);

#endif
