/* The requests of a worker: one table, and the way of each through it: decode, handle, report,
 * answer. Called by the loop in main.c. Must never let a request pass that is not in the table, and
 * never act on what it could not decode to the last byte. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "monitor/files/agent.h"

/* Which outcomes are told to the store. */
enum telling {
    TELL_NOTHING, /* or the handler does it */
    TELL_REFUSED, /* when a right or a permission was missing */
    TELL_ALL,     /* also what was done, and failures of the disk */
};

struct row {
    int (*handler)(struct request *r);
    enum operation operation;
    enum telling telling;
};

static const struct row rows[MSG_COUNT] = {
    // clang-format off
    [MSG_file_open]     = {on_open,     OPERATION_DOWNLOAD,      TELL_REFUSED}, /* or UPLOAD, MODIFY */
    [MSG_file_upload]   = {on_upload,   OPERATION_UPLOAD,        TELL_REFUSED}, /* or MODIFY */
    [MSG_file_close]    = {on_close,    OPERATION_DOWNLOAD,      TELL_NOTHING}, /* tells by itself */
    [MSG_file_stat]     = {on_stat,     OPERATION_STAT,          TELL_NOTHING},
    [MSG_file_hstat]    = {on_hstat,    OPERATION_STAT,          TELL_NOTHING},
    [MSG_file_setattr]  = {on_setattr,  OPERATION_SETATTR,       TELL_ALL},
    [MSG_file_hsetattr] = {on_hsetattr, OPERATION_SETATTR,       TELL_ALL},
    [MSG_file_opendir]  = {on_opendir,  OPERATION_LISTING,       TELL_REFUSED},
    [MSG_file_readdir]  = {on_readdir,  OPERATION_LISTING,       TELL_REFUSED},
    [MSG_file_remove]   = {on_remove,   OPERATION_REMOVE,        TELL_ALL},
    [MSG_file_mkdir]    = {on_mkdir,    OPERATION_MAKE_FOLDER,   TELL_ALL},
    [MSG_file_rmdir]    = {on_rmdir,    OPERATION_REMOVE_FOLDER, TELL_ALL},
    [MSG_file_rename]   = {on_rename,   OPERATION_MOVE,          TELL_ALL},
    [MSG_file_readlink] = {on_readlink, OPERATION_READLINK,      TELL_NOTHING},
    [MSG_file_symlink]  = {on_symlink,  OPERATION_SYMLINK,       TELL_ALL},
    [MSG_file_link]     = {on_link,     OPERATION_LINK,          TELL_ALL},
    [MSG_file_realpath] = {on_realpath, OPERATION_STAT,          TELL_NOTHING},
    [MSG_file_space]    = {on_space,    OPERATION_SPACE,         TELL_NOTHING},
    [MSG_file_sync]     = {on_sync,     OPERATION_MODIFY,        TELL_NOTHING},
    [MSG_file_copy]     = {on_copy,     OPERATION_COPY,          TELL_ALL},
    // clang-format on
};

/* Room for any of the requests. */
union file_message {
    struct file_open open;
    struct file_upload upload;
    struct file_close close;
    struct file_stat stat;
    struct file_hstat hstat;
    struct file_setattr setattr;
    struct file_hsetattr hsetattr;
    struct file_opendir opendir;
    struct file_readdir readdir;
    struct file_remove remove;
    struct file_mkdir mkdir;
    struct file_rmdir rmdir;
    struct file_rename rename;
    struct file_readlink readlink;
    struct file_symlink symlink;
    struct file_link link;
    struct file_realpath realpath;
    struct file_space space;
    struct file_sync sync;
    struct file_copy copy;
};

static const char *const refusals[OPERATION_COUNT] = {
    [OPERATION_STAT] = "this account may not see attributes",
    [OPERATION_LISTING] = "this account may not list folders",
    [OPERATION_DOWNLOAD] = "this account may not read files",
    [OPERATION_UPLOAD] = "this account may not make files",
    [OPERATION_MODIFY] = "this account may not change or replace files that exist",
    [OPERATION_SETATTR] = "this account may not change attributes",
    [OPERATION_REMOVE] = "this account may not delete",
    [OPERATION_MAKE_FOLDER] = "this account may not make folders",
    [OPERATION_REMOVE_FOLDER] = "this account may not delete",
    [OPERATION_MOVE] = "this account may not rename",
    [OPERATION_READLINK] = "this account may not read links",
    [OPERATION_SYMLINK] = "this account may not make links",
    [OPERATION_LINK] = "this account may not make links",
    [OPERATION_SPACE] = "this account may not see the free space",
    [OPERATION_COPY] = "this account may not copy",
};

const char *operation_refusal(enum operation operation)
{
    return refusals[operation];
}

int request_fail(struct request *r, int error, const char *text)
{
    r->text = text;
    return error;
}

int request_refuse(struct request *r, enum operation operation)
{
    return request_fail(r, EACCES, refusals[operation]);
}

/* For what may be made there. */
static void take_umask(struct agent *a, const struct view_folder *folder)
{
    const mode_t wanted = folder->shared ? a->umask & ~(mode_t)S_IRWXG : a->umask;

    if (wanted != a->umask_now)
        umask(wanted);
    a->umask_now = wanted;
}

int request_place(struct request *r, struct slice path, struct place *place, uint32_t rights)
{
    const int found = view_find(&r->agent->view, path, place);
    const int error = errno;

    if (r->path == NULL)
        r->path = place->path;
    else
        r->path2 = place->path;
    if (found < 0)
        return error == EINVAL ? request_fail(r, error, "the path is not absolute") : error;
    if (rights != 0 && (place_rights(place) & rights) == 0)
        return request_refuse(r, r->operation);
    if (place->folder != NULL)
        take_umask(r->agent, place->folder);
    return 0;
}

struct handle *request_handle(struct request *r, uint32_t id, enum handle_kind kind)
{
    struct handle *h = handle_find(&r->agent->handles, id);

    if (h == NULL || h->kind != kind) {
        r->text = h == NULL ? "no such handle" : "a handle of the other kind";
        return NULL;
    }
    if (r->path == NULL)
        r->path = h->path;
    else
        r->path2 = h->path;
    return h;
}

int request_answer(struct request *r, enum message_type type, const void *message, int fd)
{
    struct agent *a = r->agent;

    r->answered = true;
    while (message_send(FD_WORKER, type, r->id, message, &fd, fd >= 0 ? 1 : 0) < 0) {
        if (errno != EAGAIN || links_wait(a, POLLOUT, -1) < 0 || a->worker_gone) {
            a->worker_gone = true;
            break;
        }
    }
    return 0;
}

/* Is this outcome one that the audit log should have? */
static bool told(enum telling telling, int error)
{
    switch (error) {
    case EACCES:
    case EPERM:
        return telling != TELL_NOTHING;
    case 0:
    case EROFS:
    case ENOSPC:
    case EDQUOT:
    case EIO:
    case EXDEV:
        return telling == TELL_ALL;
    default:
        return false;
    }
}

static void tell(struct request *r, int error, uint64_t began_ms)
{
    const struct report report = {
        .operation = (uint8_t)r->operation,
        .error = (uint32_t)error,
        .path = slice_text(r->path),
        .other = slice_text(r->path2),
        .size = r->size,
        .duration_ms = (uint32_t)(clock_ms() - began_ms),
    };

    reports_add(&r->agent->reports, &report);
}

bool request_serve(struct agent *a)
{
    const struct row *row = &rows[a->request.type];
    const uint64_t began_ms = clock_ms();
    union file_message message;
    struct request r;

    if (row->handler == NULL || message_decode(&a->request, a->request.type, &message) < 0) {
        a->misused = a->worker_gone = true;
        return false;
    }
    /* Not one initialiser: the places are large and each handler fills its own. */
    r.agent = a;
    r.message = &message;
    r.id = a->request.id;
    r.operation = row->operation;
    r.text = "";
    r.path = r.path2 = NULL;
    r.size = 0;
    r.answered = false;
    const int error = row->handler(&r);
    if (told(row->telling, error))
        tell(&r, error, began_ms);
    if (!r.answered) {
        const struct file_status status = {.error = (uint32_t)error, .text = slice_text(r.text)};
        request_answer(&r, MSG_file_status, &status, -1);
    }
    return !a->worker_gone;
}
