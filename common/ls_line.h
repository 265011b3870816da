/* The line of `ls -l`, as SFTP's listings and FTP's LIST have it. */
#ifndef SALLYPORT_LS_LINE_H
#define SALLYPORT_LS_LINE_H

#include <stddef.h>
#include <stdint.h>

#include "common/attributes.h"
#include "common/slice.h"

#define LS_LINE_MAX 512

/* Whose name stands instead of the number. */
struct ls_account {
    const char *name; /* at most ACCOUNT_NAME_MAX bytes */
    uint32_t uid, gid;
};

/* Write the line: times in UTC, the year instead of the time of day when it is not within the half
 * year before now (seconds since 1970). name: at most 255 bytes; empty: the line up to it. Returns
 * the line's length. */
size_t ls_line(const struct ls_account *account, int64_t now, struct slice name,
               const struct attributes *a, char line[LS_LINE_MAX]);

/* The ten letters: "drwxr-xr-x". */
void ls_mode(uint32_t mode, char text[10]);

#endif
