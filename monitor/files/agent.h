/* The file agent: one process for one logged-in session, with the account's uid, that opens, lists,
 * renames ... what its worker asks for, as far as the account's rights go, and tells the store what
 * it did. main.c starts it, dispatch.c holds the table of requests, the handlers are in open.c,
 * partial.c, listing.c, names.c, attributes.c and copy.c. */
#ifndef SALLYPORT_AGENT_H
#define SALLYPORT_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "common/facts.h"
#include "common/message.h"
#include "common/operations.h"
#include "monitor/files/handles.h"
#include "monitor/files/reports.h"
#include "monitor/files/view.h"

#define FD_WORKER  4 /* the worker's link */
#define FD_REPORTS 5 /* the report link to the store; folders and files come after it */

#define MADE_MAX   64    /* things this session made that it remembers */
#define BLOB_BYTES 61440 /* entries in one answer */

/* Files and folders that this session made: an account that may not change what exists may still
 * set times and mode of its own uploads. */
struct made {
    struct {
        dev_t device;
        ino_t inode;
    } ring[MADE_MAX];
    size_t count; /* ever */
};

/* The groups of an account's folder sets. */
struct groups {
    uint32_t gids[VIEW_FOLDERS_MAX];
    size_t count;
};

struct agent {
    uint32_t flags;    /* ACCOUNT_DURABLE, ACCOUNT_ATOMIC, ACCOUNT_TRASH */
    uint32_t uid, gid; /* the account's */
    struct groups groups;
    mode_t umask, umask_now; /* as configured; of this process: a folder set leaves the group's */
    struct view view;
    int descriptors; /* /proc/self/fd where chmod needs it, else -1 */
    struct handles handles;
    struct reports reports;
    struct made made;
    struct {
        int64_t second;  /* since 1970, of the last thing that went to the trash */
        unsigned number; /* the last of those that had to be numbered in it */
    } trash;
    bool worker_gone;  /* its link ended or was misused */
    bool misused;      /* something came from the worker that is no request */
    bool monitor_gone; /* the link to the monitor ended */
    struct envelope request, other;
    uint8_t blob[BLOB_BYTES];
};

/* Does this kernel lack fchmodat2? */
bool attributes_need_proc(void);

/* A request while it is served. Handlers return 0 or the errno of the answer; they set text to a
 * sentence where the errno says too little, and what belongs into the report. */
struct request {
    struct agent *agent;
    const void *message; /* the decoded struct of its type */
    uint32_t id;
    enum operation operation;
    const char *text;         /* never NULL */
    const char *path, *path2; /* for the report; NULL: none */
    uint64_t size;            /* for the report */
    bool answered;            /* the handler sent its own answer */
    struct place place, place2;
};

/* dispatch.c */

/* Serve one message from the worker (in agent->request). False: it is no request, or the worker is
 * gone; the session is over. */
bool request_serve(struct agent *agent);

/* Send an answer, waiting for the worker to take it. fd: -1 or a descriptor to go with it. Returns
 * 0 for the handler to return. */
int request_answer(struct request *r, enum message_type type, const void *message, int fd);

/* Find a place and check that one of the rights is given there. Returns 0 or an errno. */
int request_place(struct request *r, struct slice path, struct place *place, uint32_t rights);

/* The handle of a request, of this kind, or NULL (answer EBADF). */
struct handle *request_handle(struct request *r, uint32_t id, enum handle_kind kind);

/* Refuse for lack of a right: EACCES and what the account may not do. */
int request_refuse(struct request *r, enum operation operation);

/* What the account may not do, as a sentence. */
const char *operation_refusal(enum operation operation);

/* Fail with a sentence. */
int request_fail(struct request *r, int error, const char *text);

/* main.c: wait once for the links and look after the monitor's and the store's. events: what to
 * wait for on the worker's link. Returns what came of it there, -1 when the monitor is gone. */
int links_wait(struct agent *agent, short events, int most_ms);

/* Handlers: one a message. */
int on_open(struct request *r);
int on_upload(struct request *r);
int on_close(struct request *r);
int on_opendir(struct request *r);
int on_readdir(struct request *r);
int on_stat(struct request *r);
int on_hstat(struct request *r);
int on_setattr(struct request *r);
int on_hsetattr(struct request *r);
int on_space(struct request *r);
int on_remove(struct request *r);
int on_mkdir(struct request *r);
int on_rmdir(struct request *r);
int on_rename(struct request *r);
int on_symlink(struct request *r);
int on_link(struct request *r);
int on_readlink(struct request *r);
int on_realpath(struct request *r);
int on_sync(struct request *r);
int on_copy(struct request *r);

/* open.c: the end of the session, everything still open broke off. */
void handles_break_off(struct agent *agent);

/* upload.c: uploads that appear when whole, and what makes changes durable. */

/* Make a temporary file in parent, locked. prefix: VIEW_HIDDEN_PREFIX or PART_PREFIX. Returns its
 * descriptor, or -1 with an empty name. */
int temporary_make(int parent, const char *prefix, int flags, mode_t mode,
                   char name[TEMPORARY_SIZE]);

/* Open one that somebody made and lock it. -1: it is still being written, or cannot be had. */
int temporary_take(int parent, const char *name);

/* Give it its name, replacing what is there if replace is set. 0 or -1 (EEXIST). */
int temporary_publish(int parent, const char *temporary, const char *name, bool replace);

/* Remove what crashed sessions left in a folder; names that are still being written stay. */
void temporary_sweep(int parent, const char *name);

/* partial.c: uploads in parts (handles with partial.is). */

/* Before one is published: is it whole, and may it take its name now? Sets created, mode and time.
 * Returns 0, or an errno and why. */
int partial_ready(struct handle *h, const char **text);

/* It has its name. */
void partial_published(const struct handle *h);

/* Not published: kept for a session that goes on with it, or not wanted any more. 0 or an errno. */
int partial_keep(const struct agent *a, const struct handle *h, const char **text);
int partial_drop(const struct handle *h);

/* Is this hidden name of an upload in parts? Then it is removed if it is abandoned. */
bool partial_sweep(int parent, const char *name);

/* Move a name; replace false: fails with EEXIST where there is something. */
int name_move(int from_parent, const char *from, int to_parent, const char *to, bool replace);

/* A folder's names to the disk. */
int folder_sync(int parent);

/* trash.c: the trash of an account that has one. */

/* Does what is at r->place go to the trash when it is removed? Not what is in it already. Uses
 * r->place2. */
bool trash_takes(struct request *r);

/* Move a name of parent there; folder: it must be one, else it must be none. Sets r->path2 to where
 * it is now. Returns 0 or an errno: EXDEV another file system than the trash. */
int trash_put(struct request *r, int parent, const char *name, bool folder);

/* attributes.c */
#define ATTRIBUTES_SET(m, st)                                                                      \
    do {                                                                                           \
        (m)->mode = (st)->st_mode;                                                                 \
        (m)->nlink = (uint32_t)(st)->st_nlink;                                                     \
        (m)->uid = (st)->st_uid;                                                                   \
        (m)->gid = (st)->st_gid;                                                                   \
        (m)->size = (uint64_t)(st)->st_size;                                                       \
        (m)->atime_ns = time_ns(&(st)->st_atim);                                                   \
        (m)->mtime_ns = time_ns(&(st)->st_mtim);                                                   \
    } while (0)
/* What the account may do with that: ATTRIBUTES_SET does not know. folder: NULL for the top of a
 * view without a home. fixed: it is a folder of the view itself. */
#define ATTRIBUTES_MAY(m, a, folder_of, st, fixed)                                                 \
    do {                                                                                           \
        (m)->rights = (folder_of) != NULL ? (folder_of)->rights : (uint32_t)RIGHT_LIST;            \
        (m)->access = (uint8_t)(access_of(a, st) | ((fixed) ? ACCESS_FIXED : 0u));                 \
    } while (0)
unsigned access_of(const struct agent *a, const struct stat *st);
int64_t time_ns(const struct timespec *t);
struct timespec timespec_of(int64_t ns);
void made_add(struct made *made, const struct stat *st);
bool made_has(const struct made *made, dev_t device, ino_t inode);

/* What stands for the top of a view without a home. */
void top_attributes(struct stat *st);

#endif
