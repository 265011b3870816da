/* An account's view: folders under names, and the way from a path in the view to a descriptor.
 * A path is normalised as text first and then resolved by openat2 below the folder's descriptor, so
 * that neither "..", a symbolic link nor a rename at the wrong moment leads out of the folder. */
#ifndef SALLYPORT_VIEW_H
#define SALLYPORT_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "common/facts.h"
#include "common/slice.h"

#define VIEW_PATH_SIZE 4096 /* bytes of a path in the view, its NUL included */
#define VIEW_LINKS_MAX 40   /* symbolic links followed in one path, as the kernel has it */

/* Uploads that appear only when whole are written under names that begin so. No path of the view
 * may hold one: to the account they do not exist. */
#define VIEW_HIDDEN_PREFIX ".sallyport-upload."

/* Those of uploads in parts, which outlive their session; both end in the upload's number. */
#define PART_PREFIX VIEW_HIDDEN_PREFIX "part."
#define NOTE_PREFIX VIEW_HIDDEN_PREFIX "note."

struct view_folder {
    char name[256]; /* "/" is the home; any other appears at the top and shadows */
    int fd;         /* O_PATH */
    uint32_t rights;
    bool shared; /* a folder set of a group: what is made there is the group's to read and write */
};

struct view {
    struct view_folder folders[VIEW_FOLDERS_MAX];
    size_t count;
    const struct view_folder *home; /* NULL: the top shows the folders' names and nothing else */
};

/* Where a path of the view leads. */
struct place {
    const struct view_folder *folder; /* NULL: the top of a view without a home */
    const char *below;                /* within path: what is below the folder, "" for itself */
    char path[VIEW_PATH_SIZE];        /* normalised, in the view */
};

/* Normalise and find the folder. Returns 0, or -1 with errno: EINVAL (not absolute), ENOENT (a
 * hidden name, or no such folder). path is set as far as it is known, for the report. */
int view_find(const struct view *view, struct slice path, struct place *place);

/* What the account may do there, RIGHT_*. */
uint32_t place_rights(const struct place *place);

/* The mode of something new, or one that is set: what is shared stays so. */
mode_t folder_mode(const struct view_folder *folder, mode_t mode, bool is_folder);

/* The folder of this name at the top of the view, or NULL. */
const struct view_folder *view_find_folder(const struct view *view, const char *name, size_t len);

/* openat2 below a folder: O_* flags, close-on-exec always. A place at the top without a folder is
 * ENOENT. Returns a descriptor or -1 with errno. */
int place_open(const struct place *place, int flags);

/* The folder that holds a place's last name, O_PATH, and that name. EBUSY for a folder of the view
 * itself: nobody removes, renames or replaces those. */
int place_parent(const struct place *place, const char **name);

/* One name in an open folder: never followed when a link, never another folder. */
int name_open(int parent, const char *name, int flags, mode_t mode);

/* Follow the links of a place within its folder and write the view's path of what is found.
 * What does not exist stays as it was. Returns 0, or -1: ELOOP, ENAMETOOLONG. */
int view_real(const struct view *view, const struct place *place, char real[VIEW_PATH_SIZE]);

/* The same as a place, in the same folder; what the text leads to may be another, which shadows it.
 * ENOENT: links lead to a hidden name. */
int view_real_place(const struct view *view, const struct place *place, struct place *real);

/* The lexical parent of a place, for "..". */
int view_above(const struct view *view, const char *path, struct place *above);

bool name_hidden(const char *name, size_t len);

/* Is one of a path's names hidden? */
bool path_hidden(struct slice path);

#endif
