/* Paths of the account's view as text: joined to the working folder and made plain, and shown in
 * replies. Whether they lead anywhere is for the agent to say. */
#ifndef SALLYPORT_FTPS_PATH_H
#define SALLYPORT_FTPS_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "common/slice.h"

#define PATH_BYTES 4095 /* of a path in a message to the agent */

struct path {
    size_t len;
    char text[PATH_BYTES + 1]; /* absolute; ends with a NUL */
};

/* name, seen from folder: absolute and without ".", ".." and empty names ("/.." is "/"); TVFS
 * (RFC 3659, 6). Returns 0, or errno: ENAMETOOLONG, EILSEQ (a NUL). folder may lie in *out. */
int path_join(struct path *out, struct slice folder, struct slice name);

/* Where the last name of a path begins: path.text + that; 1 for "/". */
size_t path_last(const struct path *path);

/* Text for a reply or a listing: what would end or change the line becomes '?', and quotes are
 * doubled where asked for (RFC 959, appendix II). Returns the length, cut to size. */
size_t path_show(struct slice path, bool quoted, char *text, size_t size);

static inline struct slice path_slice(const struct path *path)
{
    return slice_of(path->text, path->len);
}

#endif
