/* The one way into the sandbox, for every process: the order of DESIGN.md, each step checked.
 * Called once, before the first byte from the network, with everything loaded that will be needed.
 * A step that fails ends in -1 and the caller must exit; nothing is ever skipped but for two
 * reasons: the process was started without root (then no chroot and no change of ids is possible),
 * or the kernel has no Landlock. Both are told in the layers. */
#ifndef SALLYPORT_SANDBOX_H
#define SALLYPORT_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum process {
#define PROCESS(NAME, name, help) PROCESS_##NAME,
#include "common/filters.def"
#undef PROCESS
    PROCESS_COUNT,
};

/* A folder that the process may reach by Landlock, with the LANDLOCK_ACCESS_FS_* it needs there. */
struct sandbox_folder {
    int fd; /* O_PATH will do; stays open, the caller's */
    uint64_t access;
};

#define SANDBOX_GROUPS_MAX 256

/* Supplementary groups: by them an account shares its folder sets with others. Never 0. */
struct sandbox_groups {
    const uint32_t *gids;
    size_t count;
};

#define COMMANDS_ANY UINT32_MAX

struct sandbox {
    enum process process;
    const char *empty_dir; /* chroot here; NULL: no chroot (the store reaches its folder by path) */
    uint32_t uid, gid;     /* to become; looked at only when started as root */
    struct sandbox_groups groups; /* the supplementary ones, of an agent; else none */
    const struct sandbox_folder *folders;
    size_t folder_count;
    uint32_t descriptors; /* RLIMIT_NOFILE */
    uint64_t memory;      /* RLIMIT_DATA; 0: no limit of its own */
    uint64_t file_size;   /* RLIMIT_FSIZE; UINT64_MAX: no limit (who writes no file says 0) */
    /* It runs the operator's commands, which may be set-gid and do what they like: neither
     * no_new_privs nor Landlock nor a filter of its own, and so many processes (RLIMIT_NPROC).
     * 0: it runs none; COMMANDS_ANY: without a limit, where its uid has processes of others too. */
    uint32_t commands;
};

/* Enter. Returns 0 and the layers in force (LAYER_*), or -1 and which step failed and why in
 * trouble (at least 256 bytes). */
int sandbox_enter(const struct sandbox *sandbox, uint32_t *layers, char *trouble, size_t size);

/* Only the step "ids" of the above, first, for the store: it opens its folder as its own user;
 * sandbox_enter then finds it done. */
int sandbox_become(uint32_t uid, uint32_t gid, char *trouble, size_t size);

/* Open as another user, and be root again, for the agent: an account's folders are opened with the
 * account's own permissions before the empty folder becomes the root. Nothing happens without root.
 */
int sandbox_act_as(uint32_t uid, uint32_t gid, struct sandbox_groups groups, char *trouble,
                   size_t size);
int sandbox_act_no_more(char *trouble, size_t size);

/* The monitor's own reduction: capabilities to the few it names, its filter. */
int sandbox_monitor(uint32_t *layers, char *trouble, size_t size);

/* Landlock's version in this kernel, 0 for none, -1 with errno when it cannot be asked. */
int sandbox_landlock_abi(void);

/* The filters as tables for people: sallyportd --print-policy. */
void sandbox_print_filters(FILE *out);
const char *process_name(enum process process);
const char *process_help(enum process process);

#endif
