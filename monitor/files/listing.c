/* Listings: as many entries as one message holds, from where the last one ended. Called by the
 * dispatch. Must never hold a whole listing in memory, nor tell of names outside the view: ".." of
 * a folder's top shows the top itself, and temporaries of uploads do not exist. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "monitor/files/agent.h"

struct part {
    struct agent *agent;
    struct handle *handle;
    bool names_only;
    size_t len; /* of agent->blob that is filled */
};

int on_opendir(struct request *r)
{
    const struct file_opendir *m = r->message;
    struct agent *a = r->agent;
    struct file_opened opened;
    struct stat st;
    int error = request_place(r, m->path, &r->place, RIGHT_LIST);

    if (error != 0)
        return error;
    struct handle *h = handle_new(&a->handles, HANDLE_LISTING);
    if (h == NULL)
        return request_fail(r, errno, "too many files are open in this session");
    h->path = strdup(r->place.path);
    h->folder = r->place.folder;
    if (h->path == NULL)
        error = ENOMEM;
    else if (h->folder == NULL)
        top_attributes(&st);
    else if ((h->fd = place_open(&r->place, O_RDONLY | O_DIRECTORY | O_NONBLOCK)) < 0 ||
             fstat(h->fd, &st) < 0)
        error = errno;
    if (error != 0) {
        handle_free(&a->handles, h);
        return error;
    }
    opened.handle = h->id;
    ATTRIBUTES_SET(&opened, &st);
    ATTRIBUTES_MAY(&opened, a, h->folder, &st, r->place.below[0] == '\0');
    return request_answer(r, MSG_file_opened, &opened, -1);
}

/* False: the part is full, the entry comes with the next. fixed: a folder of the view, or NULL. */
static bool put(struct part *p, const char *name, const struct stat *st,
                const struct view_folder *fixed)
{
    struct directory_entry entry = {.name = slice_text(name)};
    const struct view_folder *folder = fixed != NULL ? fixed : p->handle->folder;

    if (!p->names_only) {
        ATTRIBUTES_SET(&entry, st);
        ATTRIBUTES_MAY(&entry, p->agent, folder, st, fixed != NULL);
    }
    const ssize_t n = nest_directory_entry(&entry, p->agent->blob, p->len, sizeof(p->agent->blob));
    if (n < 0)
        return false;
    p->len = (size_t)n;
    return true;
}

/* "." and "..", which stays within the view. */
static bool put_dots(struct part *p)
{
    struct listing *l = &p->handle->listing;
    struct place above;
    struct stat st;

    for (; l->step < 2 && !p->names_only; l->step++) {
        int fd = p->handle->fd;
        int opened = -1;
        if (l->step == 1 && view_above(&p->agent->view, p->handle->path, &above) == 0)
            fd = opened = above.folder != NULL ? place_open(&above, O_PATH) : -1;
        if (fd < 0 || fstat(fd, &st) < 0)
            top_attributes(&st);
        if (opened >= 0)
            close(opened);
        if (!put(p, l->step == 0 ? "." : "..", &st, NULL))
            return false;
    }
    l->step = 0;
    l->stage = LISTING_FOLDERS;
    return true;
}

/* The view's own folders, at the top. */
static bool put_folders(struct part *p)
{
    const struct view *v = &p->agent->view;
    struct listing *l = &p->handle->listing;
    struct stat st;

    for (; strcmp(p->handle->path, "/") == 0 && l->step < v->count; l->step++) {
        const struct view_folder *f = &v->folders[l->step];
        if (f == v->home || fstat(f->fd, &st) < 0)
            continue;
        if (!put(p, f->name, &st, f))
            return false;
    }
    l->stage = p->handle->fd >= 0 ? LISTING_NAMES : LISTING_END;
    return true;
}

/* Is this a name that the listing leaves out? */
static bool left_out(const struct part *p, const char *name)
{
    const struct handle *h = p->handle;
    const size_t len = strlen(name);

    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return true;
    if (name_hidden(name, len)) {
        /* Left by a session that was killed; one that is still written is locked. */
        if ((h->folder->rights & (RIGHT_WRITE | RIGHT_OVERWRITE)) != 0)
            temporary_sweep(h->fd, name);
        return true;
    }
    return h->path[1] == '\0' && view_find_folder(&p->agent->view, name, len) != NULL;
}

/* The attributes of a name. False: it is gone meanwhile. One that cannot be looked at (its disk
 * fails) is listed all the same, with its kind alone: nobody is to believe that it is not there. */
static bool look_at(const struct part *p, const struct dirent64 *d, struct stat *st)
{
    *st = (struct stat){.st_mode = DTTOIF(d->d_type)};
    return p->names_only || fstatat(p->handle->fd, d->d_name, st, AT_SYMLINK_NOFOLLOW) == 0 ||
           errno != ENOENT;
}

/* The names in the buffer. */
static bool put_buffer(struct part *p)
{
    struct listing *l = &p->handle->listing;
    struct stat st;

    while (l->at < l->end) {
        const struct dirent64 *d = (const struct dirent64 *)(const void *)(l->buffer + l->at);
        if (!left_out(p, d->d_name) && look_at(p, d, &st) && !put(p, d->d_name, &st, NULL))
            return false;
        l->at += d->d_reclen;
    }
    return true;
}

/* Returns 0, or an errno when nothing could be read. */
static int put_names(struct part *p)
{
    struct listing *l = &p->handle->listing;

    if (l->buffer == NULL && (l->buffer = malloc(LISTING_BYTES)) == NULL)
        return ENOMEM;
    while (put_buffer(p)) {
        const ssize_t n = getdents64(p->handle->fd, l->buffer, LISTING_BYTES);
        if (n < 0 && errno != ENOENT)
            return p->len > 0 ? 0 : errno;
        if (n <= 0) { /* the end, or the folder itself was removed */
            l->stage = LISTING_END;
            return 0;
        }
        l->at = 0;
        l->end = (size_t)n;
    }
    return 0;
}

int on_readdir(struct request *r)
{
    const struct file_readdir *m = r->message;
    struct handle *h = request_handle(r, m->handle, HANDLE_LISTING);
    struct part p = {.agent = r->agent, .handle = h, .names_only = m->names_only != 0};
    int error = 0;

    if (h == NULL)
        return EBADF;
    if (h->listing.stage == LISTING_DOTS)
        put_dots(&p);
    if (h->listing.stage == LISTING_FOLDERS)
        put_folders(&p);
    if (h->listing.stage == LISTING_NAMES)
        error = put_names(&p);
    if (error != 0)
        return error;
    const struct file_entries entries = {
        .last = h->listing.stage == LISTING_END,
        .entries = slice_of(r->agent->blob, p.len),
    };
    return request_answer(r, MSG_file_entries, &entries, -1);
}
