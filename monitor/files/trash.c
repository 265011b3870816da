/* The trash of an account that has one: what is removed is moved into .trash of its folder of the
 * view, under a name that says when: of a folder set into the set's own, which all share who have
 * the set, and never into one account's home. Called by names.c for what the account may remove.
 * Must never replace what is there, nor remove for good what the account believes to be kept: what
 * cannot be moved stays where it is. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/calendar.h"
#include "monitor/files/agent.h"

#define TRASH        ".trash"
#define TRASH_MODE   0700
#define NAME_SIZE    256   /* of a file name, its NUL included */
#define WHEN_SIZE    40    /* "2026-11-21T19.47.03Z.2 " */
#define SUFFIX_BYTES 16    /* ".pdf" of a name that must be cut stays */
#define TAKEN_MOST   10000 /* names of one second that are tried */

/* ------------------------------------------------------------------------- what goes there */

/* Links on the way decide, not the text: one may lead into the trash, or out of it. */
bool trash_takes(struct request *r)
{
    const struct view *view = &r->agent->view;
    const size_t n = sizeof(TRASH) - 1;
    struct place above;

    if ((r->agent->flags & ACCOUNT_TRASH) == 0)
        return false;
    if (view_above(view, r->place.path, &above) < 0 ||
        view_real_place(view, &above, &r->place2) < 0)
        return true;
    const char *below = r->place2.below;
    if (below[0] == '\0')
        return strcmp(strrchr(r->place.path, '/') + 1, TRASH) != 0;
    return strncmp(below, TRASH, n) != 0 || (below[n] != '\0' && below[n] != '/');
}

/* Kinds as unlink and rmdir have them. kept: what an account can have made, which is moved. */
static int look(int parent, const char *name, bool folder, bool *kept)
{
    struct stat st;

    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno;
    if (S_ISDIR(st.st_mode) != folder)
        return folder ? ENOTDIR : EISDIR;
    *kept = folder || S_ISREG(st.st_mode) || S_ISLNK(st.st_mode);
    return 0;
}

/* ------------------------------------------------------------------------- names in it */

/* The moment, and from the second of the same name on a number; then the name, cut before its
 * suffix where a file name has no room for all of it. */
static void name_make(char out[NAME_SIZE], int64_t seconds, unsigned number, const char *name)
{
    const struct calendar c = calendar_of(seconds);
    const char *suffix = strrchr(name, '.');
    char when[WHEN_SIZE], count[16] = "";
    size_t len = strlen(name), tail = suffix != NULL && suffix != name ? strlen(suffix) : 0;

    if (number > 1)
        snprintf(count, sizeof(count), ".%u", number);
    const int n = snprintf(when, sizeof(when), "%04u-%02u-%02uT%02u.%02u.%02uZ%s ",
                           (unsigned)c.year, (unsigned)c.month, (unsigned)c.day, (unsigned)c.hour,
                           (unsigned)c.minute, (unsigned)c.second, count);
    const size_t room = NAME_SIZE - 1 - (size_t)n;
    if (len <= room) {
        tail = 0;
    } else {
        tail = tail <= SUFFIX_BYTES ? tail : 0;
        for (len = room - tail; len > 0 && ((unsigned char)name[len] & 0xc0) == 0x80; len--)
            ; /* not within a character of UTF-8 */
    }
    snprintf(out, NAME_SIZE, "%s%.*s%s", when, (int)len, name, tail > 0 ? suffix : "");
}

/* Move it under the first such name that is free. taken: set to that name. */
static int move(struct agent *a, int parent, const char *name, int trash, char taken[NAME_SIZE])
{
    const int64_t now = (int64_t)(wall_ms() / 1000);
    unsigned number = 1;

    /* Others of this session in the same second had the numbers before: a client that removes a
     * thousand files of one name does not try a million. */
    if (a->trash.second != now) {
        a->trash.second = now;
        a->trash.number = 1;
    }
    for (int tries = 0; tries < TAKEN_MOST; tries++) {
        name_make(taken, now, number, name);
        if (name_move(parent, name, trash, taken, false) == 0)
            return 0;
        if (errno != EEXIST)
            return -1;
        number = ++a->trash.number;
    }
    return -1;
}

/* ------------------------------------------------------------------------- the trash itself */

/* The folder, O_PATH, made on first use (made is set then). -1: the errno is in *error. */
static int open_trash(struct request *r, bool *made, int *error)
{
    const int top = r->place.folder->fd;
    int fd = name_open(top, TRASH, O_PATH | O_DIRECTORY, 0);

    if (fd < 0 && errno == ENOENT) {
        *made = mkdirat(top, TRASH, folder_mode(r->place.folder, TRASH_MODE, true)) == 0;
        if (!*made && errno != EEXIST) {
            *error =
                request_fail(r, errno, "the folder " TRASH " cannot be made: it is not removed");
            return -1;
        }
        fd = name_open(top, TRASH, O_PATH | O_DIRECTORY, 0);
    }
    *error = fd < 0 ? errno : 0;
    if (*error == ENOTDIR || *error == ELOOP)
        *error =
            request_fail(r, EACCES, "what is called " TRASH " is no folder: it is not removed");
    return fd;
}

int trash_put(struct request *r, int parent, const char *name, bool folder)
{
    const bool durable = (r->agent->flags & ACCOUNT_DURABLE) != 0;
    const bool home = r->place.folder == r->agent->view.home;
    char taken[NAME_SIZE];
    bool kept = false, made = false;
    int error = look(parent, name, folder, &kept);

    if (error != 0)
        return error;
    if (!kept) /* a fifo, a socket, a device: nothing is in it */
        return unlinkat(parent, name, 0) < 0 ? errno : 0;
    const int trash = open_trash(r, &made, &error);
    if (trash < 0)
        return error;
    if (move(r->agent, parent, name, trash, taken) < 0) {
        error = errno;
        if (error == EXDEV)
            r->text = "it is on another file system than the trash: it is not removed";
        goto out;
    }
    snprintf(r->place2.path, sizeof(r->place2.path), "%s%s/" TRASH "/%s", home ? "" : "/",
             home ? "" : r->place.folder->name, taken);
    r->path2 = r->place2.path;
    if (durable && (folder_sync(trash) < 0 || (made && folder_sync(r->place.folder->fd) < 0)))
        error = request_fail(r, errno, "it was done, but could not be put on the disk");
out:
    close(trash);
    return error;
}
