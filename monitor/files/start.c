/* The agent's start: links in their places, the account's folders opened with the account's own
 * permissions, then the sandbox, whose root is empty: the folders are reached by their descriptors.
 * Called once by main. Must never open a folder as root, nor answer that it is ready before the
 * sandbox is in force. */
#include "monitor/files/start.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/sandbox.h"

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (UINT64_C(1) << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (UINT64_C(1) << 14)
#endif

#define TROUBLE_SIZE 256
#define MISSING_SIZE 1001 /* of agent_ready's text, and a NUL */
/* Each handle has its file and perhaps its folder; a few for a moment. */
#define DESCRIPTORS (2 * HANDLES_MAX + VIEW_FOLDERS_MAX + 64)

#define READ_FILE  LANDLOCK_ACCESS_FS_READ_FILE
#define READ_DIR   LANDLOCK_ACCESS_FS_READ_DIR
#define WRITE_FILE (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE)
#define REMOVE     (LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR)
#define MAKE       (LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM)

/* What the kernel lets through below a folder. Never: execute, devices, fifos, sockets. Finer
 * differences (a new file or one that exists) are the agent's own. */
static const struct {
    uint32_t right;
    uint64_t access;
    const char *why;
} accesses[] = {
    // clang-format off
    {RIGHT_LIST,      READ_DIR,                                            "listings"},
    {RIGHT_READ,      READ_FILE,                                           "downloads"},
    {RIGHT_WRITE,     WRITE_FILE | MAKE | LANDLOCK_ACCESS_FS_REFER,        "uploads, links"},
    {RIGHT_OVERWRITE, WRITE_FILE,                                          "changes"},
    {RIGHT_DELETE,    REMOVE,                                              "removing"},
    {RIGHT_RENAME,    REMOVE | MAKE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REFER, "moving"},
    {RIGHT_MKDIR,     LANDLOCK_ACCESS_FS_MAKE_DIR,                         "new folders"},
    // clang-format on
};

static uint64_t folder_access(uint32_t rights, uint32_t flags)
{
    uint64_t access = 0;

    for (size_t i = 0; i < sizeof(accesses) / sizeof(accesses[0]); i++) {
        if ((rights & accesses[i].right) != 0)
            access |= accesses[i].access;
    }
    /* uploads that appear when whole */
    if ((rights & (RIGHT_WRITE | RIGHT_OVERWRITE)) != 0 &&
        (flags & (ACCOUNT_ATOMIC | ACCOUNT_PARTS)) != 0)
        access |= MAKE | LANDLOCK_ACCESS_FS_REMOVE_FILE;
    if ((rights & RIGHT_DELETE) != 0 && (flags & ACCOUNT_TRASH) != 0) /* a move into it */
        access |= MAKE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REFER;
    if ((rights & ~(uint32_t)RIGHT_READ) != 0 && (flags & ACCOUNT_DURABLE) != 0)
        access |= READ_DIR; /* a folder is synced through a descriptor that reads */
    return access;
}

/* Received descriptors may stand anywhere: out of the way first, then to their places. */
static int take_links(struct envelope *e)
{
    static const int places[] = {FD_WORKER, FD_REPORTS};
    int moved[2] = {-1, -1};
    int r = -1;

    for (size_t i = 0; i < 2; i++) {
        const int fd = envelope_take_fd(e, i);
        moved[i] = fcntl(fd, F_DUPFD_CLOEXEC, FD_REPORTS + 1);
        close(fd);
        if (moved[i] < 0)
            goto out;
    }
    for (size_t i = 0; i < 2; i++) {
        if (dup3(moved[i], places[i], O_CLOEXEC) < 0 ||
            fcntl(places[i], F_SETFL, O_RDWR | O_NONBLOCK) < 0)
            goto out;
    }
    r = 0;
out:
    for (size_t i = 0; i < 2; i++) {
        if (moved[i] >= 0)
            close(moved[i]);
    }
    return r;
}

/* Can the account get in, and read where it may list? */
static int try_folder(int fd, uint32_t rights)
{
    struct stat st;

    if (fstatat(fd, ".", &st, 0) < 0)
        return -1;
    if ((rights & RIGHT_LIST) == 0)
        return 0;
    const int listing = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (listing < 0)
        return -1;
    close(listing);
    return 0;
}

/* The groups of the account's folder sets, each once. The home's group is none of them. */
static void take_groups(struct groups *groups, struct slice rest)
{
    struct folder from;

    while (geteuid() == 0 && unnest_folder(&rest, &from) == 1) {
        size_t i = 0;
        while (i < groups->count && groups->gids[i] != from.gid)
            i++;
        if (from.gid != 0 && i == groups->count && i < VIEW_FOLDERS_MAX)
            groups->gids[groups->count++] = from.gid;
    }
}

/* Open one folder by the path that the operator wrote: links in that are the operator's. */
static int open_folder(struct view_folder *f, const struct folder *from, char *trouble)
{
    char path[VIEW_PATH_SIZE] = "";

    const bool texts = slice_copy(from->name, f->name, sizeof(f->name)) == 0 &&
                       slice_copy(from->path, path, sizeof(path)) == 0;
    const bool named = strcmp(f->name, "/") == 0 || strchr(f->name, '/') == NULL;
    f->rights = from->rights & RIGHTS_ALL;
    f->shared = from->gid != 0 && getuid() == 0; /* without root all is one user's */
    f->fd = -1;
    errno = EINVAL;
    if (texts && named && f->name[0] != '\0' && path[0] == '/')
        f->fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (f->fd >= 0 && try_folder(f->fd, f->rights) == 0)
        return 0;
    const int error = errno;
    if (f->fd >= 0)
        close(f->fd);
    if (strcmp(f->name, "/") == 0)
        snprintf(trouble, TROUBLE_SIZE, "home %.180s: %s", path, strerror(error));
    else
        snprintf(trouble, TROUBLE_SIZE, "folder %.64s, %.110s: %s", f->name, path, strerror(error));
    return -1;
}

/* A folder set that cannot be opened is missing from the view, and nothing else is. */
static void note_missing(char missing[MISSING_SIZE], const char *trouble)
{
    const size_t at = strlen(missing);

    snprintf(missing + at, MISSING_SIZE - at, "%s%s", at > 0 ? "; " : "", trouble);
}

/* Into the view. -1: the home cannot be opened, or these are no folders, and trouble says why. */
static int open_folders(struct agent *a, struct slice rest, char missing[MISSING_SIZE],
                        char *trouble)
{
    struct folder from;
    int r;

    while ((r = unnest_folder(&rest, &from)) == 1) {
        if (a->view.count == VIEW_FOLDERS_MAX) {
            snprintf(trouble, TROUBLE_SIZE, "more than %d folders", VIEW_FOLDERS_MAX);
            return -1;
        }
        struct view_folder *f = &a->view.folders[a->view.count];
        if (open_folder(f, &from, trouble) < 0) {
            if (strcmp(f->name, "/") == 0)
                return -1;
            note_missing(missing, trouble);
            trouble[0] = '\0';
            continue;
        }
        if (strcmp(f->name, "/") == 0)
            a->view.home = f;
        a->view.count++;
    }
    if (r < 0)
        snprintf(trouble, TROUBLE_SIZE, "the folders are no list of folders");
    return r;
}

static int enter(struct agent *a, const struct agent_setup *setup, struct sandbox_groups groups,
                 uint32_t *layers, char *trouble)
{
    struct sandbox_folder folders[VIEW_FOLDERS_MAX];
    struct rlimit files = {0};
    char empty[4096];

    if (slice_copy(setup->empty_dir, empty, sizeof(empty)) < 0) {
        snprintf(trouble, TROUBLE_SIZE, "the empty folder has no name");
        return -1;
    }
    for (size_t i = 0; i < a->view.count; i++) {
        folders[i].fd = a->view.folders[i].fd;
        folders[i].access = folder_access(a->view.folders[i].rights, a->flags);
    }
    if (getrlimit(RLIMIT_NOFILE, &files) < 0) {
        snprintf(trouble, TROUBLE_SIZE, "resource limits: %s", strerror(errno));
        return -1;
    }
    const struct sandbox sandbox = {
        .process = PROCESS_AGENT,
        .empty_dir = empty,
        .uid = setup->uid,
        .gid = setup->gid,
        .groups = groups,
        .folders = folders,
        .folder_count = a->view.count,
        .descriptors = files.rlim_max < DESCRIPTORS ? (uint32_t)files.rlim_max : DESCRIPTORS,
        .file_size = UINT64_MAX,
    };
    tzset(); /* the log's time: its file cannot be read later */
    return sandbox_enter(&sandbox, layers, trouble, TROUBLE_SIZE);
}

/* Where fchmodat2 is missing (before Linux 6.6), chmod goes through this: see attributes.c. */
static int open_descriptors(struct agent *a)
{
    a->descriptors = -1;
    if (attributes_need_proc())
        a->descriptors = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return attributes_need_proc() && a->descriptors < 0 ? -1 : 0;
}

int agent_start(struct agent *a)
{
    char trouble[TROUBLE_SIZE] = "", missing[MISSING_SIZE] = "";
    struct agent_ready ready = {0};
    struct agent_setup setup;
    int r = -1;

    if (message_receive(FD_MONITOR, &a->request, 0) != 1 ||
        decode_agent_setup(&a->request, &setup) < 0) {
        log_error("the monitor's first message is no setup");
        goto out;
    }
    log_open("sallyport-files", LOG_TO_STDERR,
             setup.log_level <= LOG_LEVEL_DEBUG ? setup.log_level : LOG_LEVEL_INFO);
    a->flags = setup.flags;
    a->uid = geteuid() == 0 ? setup.uid : geteuid();
    a->gid = geteuid() == 0 ? setup.gid : getegid();
    a->umask = a->umask_now = setup.umask & 0777;
    umask(a->umask);
    take_groups(&a->groups, setup.folders);
    const struct sandbox_groups shared = {.gids = a->groups.gids, .count = a->groups.count};
    if (reports_open(&a->reports, FD_REPORTS) < 0 || open_descriptors(a) < 0 ||
        take_links(&a->request) < 0)
        snprintf(trouble, sizeof(trouble), "links: %s", strerror(errno));
    else if (sandbox_act_as(setup.uid, setup.gid, shared, trouble, sizeof(trouble)) == 0 &&
             open_folders(a, setup.folders, missing, trouble) == 0 &&
             sandbox_act_no_more(trouble, sizeof(trouble)) == 0 &&
             enter(a, &setup, shared, &ready.layers, trouble) == 0)
        r = 0;
    trouble[TROUBLE_SIZE - 1] = '\0';
    ready.trouble = slice_text(trouble);
    ready.missing = slice_text(missing);
    if (send_agent_ready(FD_MONITOR, 0, &ready) < 0)
        r = -1;
out:
    envelope_clear(&a->request);
    return r;
}
