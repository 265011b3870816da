/* Open files and folders of one session, under numbers that are not used again soon. */
#ifndef SALLYPORT_HANDLES_H
#define SALLYPORT_HANDLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "monitor/files/view.h"

#define HANDLES_MAX    1024 /* of a session, a power of two */
#define LISTING_BYTES  32768
#define TEMPORARY_SIZE (sizeof(PART_PREFIX) + 24)

enum handle_kind { HANDLE_FREE, HANDLE_FILE, HANDLE_LISTING };

/* How far a listing is. */
enum listing_stage { LISTING_DOTS, LISTING_FOLDERS, LISTING_NAMES, LISTING_END };

struct listing {
    enum listing_stage stage;
    size_t step;    /* of the dots or folders: the next */
    size_t at, end; /* what is left in buffer, struct linux_dirent64 */
    uint8_t *buffer;
};

struct handle {
    enum handle_kind kind;
    uint32_t generation;
    uint32_t id;
    int fd;     /* owned; -1 for the top of a view without a home */
    int parent; /* owned, O_PATH, or -1: the folder to sync or publish in at the end */
    char *path; /* owned: normalised, in the view */
    const struct view_folder *folder;
    uint32_t access; /* OPEN_READ, OPEN_WRITE, OPEN_APPEND */
    bool created;    /* there was no such file */
    dev_t device;
    ino_t inode;
    uint64_t opened_ms; /* monotonic */
    /* An upload that appears when whole: */
    char temporary[TEMPORARY_SIZE]; /* its name in parent, "" if none */
    char *name;                     /* owned: what it is to be called in parent */
    struct {
        bool is; /* an upload in parts, and what was said when it was begun: */
        bool replace;
        uint64_t size;
        int64_t mtime_ns; /* -1: none */
    } partial;
    struct listing listing;
};

struct handles {
    struct handle *slots; /* owned; moves when it grows */
    size_t capacity, open;
    size_t cursor; /* where to look for the next free slot */
};

/* A free handle, or NULL with EMFILE or ENOMEM. Its descriptors are -1, the rest is zero. */
struct handle *handle_new(struct handles *handles, enum handle_kind kind);

/* By number, or NULL. */
struct handle *handle_find(const struct handles *handles, uint32_t id);

/* Close its descriptors and free it. */
void handle_free(struct handles *handles, struct handle *handle);

/* The handle after this one in no special order (NULL: the first), or NULL. */
struct handle *handle_next(const struct handles *handles, const struct handle *after);

/* Is this file open for writing in this session? */
bool handle_writes(const struct handles *handles, dev_t device, ino_t inode);

#endif
