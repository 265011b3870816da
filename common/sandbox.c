/* Entering the sandbox. The steps stand in one table, in the order in which they are taken; the
 * first that fails ends it, and the caller exits. Called by every child before the network (or, for
 * the agent and the store, before the first request), and by the monitor for its own reduction.
 * Must never continue with a layer silently missing: what is skipped is not in the layers. */
#include "common/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/facts.h"
#include "common/filter_program.h"
#include "common/filters.h"

static const struct {
    const char *program, *help;
} processes[] = {
#define PROCESS(NAME, program, help) [PROCESS_##NAME] = {program, help},
#include "common/filters.def"
#undef PROCESS
};

/* Landlock as the kernel's newest headers have it: Debian 12's know only the first field. */
struct landlock_rules {
    uint64_t handled_fs, handled_net, scoped;
};
#define LANDLOCK_NET_ALL    3u /* bind and connect TCP: ABI 4 */
#define LANDLOCK_SCOPED_ALL 3u /* abstract Unix sockets and signals: ABI 6 */

#ifdef SALLYPORT_SANITIZE
/* Whether its words go to a terminal, and what leaked, a sanitizer finds out by calls that no
 * sandbox has: its report would be lost. ASAN_OPTIONS says otherwise where there is an environment.
 */
const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
    return "color=never:detect_leaks=0";
}
#endif

/* ------------------------------------------------------------------------------- the steps */

static int enter_root(const struct sandbox *s)
{
    return chroot(s->empty_dir) < 0 || chdir("/") < 0 ? -1 : 0;
}

/* Drop all of the bounding set but what is kept; keeps NULL: all of it. A set that cannot be read
 * cannot be believed to be empty. */
static int drop_bounding(bool (*keeps)(cap_value_t c))
{
    cap_value_t c = 0;
    int bound;

    for (; (bound = cap_get_bound(c)) >= 0; c++) {
        if (bound == 1 && (keeps == NULL || !keeps(c)) && cap_drop_bound(c) < 0)
            return -1;
    }
    return c > 0 && errno == EINVAL ? 0 : -1;
}

_Static_assert(sizeof(gid_t) == sizeof(uint32_t), "groups are handed to the kernel as they are");

static bool has_root(struct sandbox_groups groups)
{
    for (size_t i = 0; i < groups.count; i++) {
        if (groups.gids[i] == 0)
            return true;
    }
    return false;
}

/* Are the groups in force these, in the same number? */
static bool groups_are(struct sandbox_groups groups)
{
    gid_t have[SANDBOX_GROUPS_MAX];

    if (getgroups(0, NULL) != (int)groups.count ||
        getgroups(SANDBOX_GROUPS_MAX, have) != (int)groups.count)
        return false;
    for (size_t i = 0; i < groups.count; i++) {
        size_t k = 0;
        while (k < groups.count && groups.gids[k] != have[i])
            k++;
        if (k == groups.count)
            return false;
    }
    return true;
}

static int become(uint32_t uid, uint32_t gid, struct sandbox_groups groups)
{
    uid_t r, e, s;
    gid_t gr, ge, gs;

    if (uid == 0 || gid == 0 || groups.count > SANDBOX_GROUPS_MAX || has_root(groups)) {
        errno = EINVAL;
        return -1;
    }
    /* The bounding set goes first: it takes CAP_SETPCAP, which the change of ids takes away. */
    if (geteuid() == 0 && (drop_bounding(NULL) < 0 || setgroups(groups.count, groups.gids) < 0 ||
                           setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0))
        return -1;
    /* Believe nothing: read it back, and try to undo it. */
    if (getresuid(&r, &e, &s) < 0 || getresgid(&gr, &ge, &gs) < 0)
        return -1;
    if (r != uid || e != uid || s != uid || gr != gid || ge != gid || gs != gid ||
        !groups_are(groups) || setresuid(0, 0, 0) == 0 || setresgid(0, 0, 0) == 0) {
        errno = EPERM;
        return -1;
    }
    return 0;
}

static int take_ids(const struct sandbox *s)
{
    return become(s->uid, s->gid, s->groups);
}

/* At once and with an answer: libcap's way asks for each one first, and takes any error for the end
 * of the list. */
static int clear_ambient(void)
{
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

static int clear_capabilities(const struct sandbox *s)
{
    (void)s;
    cap_t none = cap_init();
    int r = -1;

    if (none == NULL)
        return -1;
    if (clear_ambient() == 0 && cap_set_proc(none) == 0)
        r = 0;
    cap_free(none);
    return r;
}

static int no_new_privileges(const struct sandbox *s)
{
    (void)s;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static int not_dumpable(const struct sandbox *s)
{
    (void)s;
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0
               ? -1
               : 0;
}

static int limit(int resource, rlim_t value)
{
    const struct rlimit both = {.rlim_cur = value, .rlim_max = value};

    return setrlimit(resource, &both);
}

static int limits(const struct sandbox *s)
{
    if (limit(RLIMIT_CORE, 0) < 0 ||
        (s->commands != COMMANDS_ANY && limit(RLIMIT_NPROC, s->commands) < 0) ||
        limit(RLIMIT_NOFILE, s->descriptors) < 0)
        return -1;
#ifndef SALLYPORT_SANITIZE /* a sanitizer's shadow counts as data */
    if (s->memory != 0 && limit(RLIMIT_DATA, s->memory) < 0)
        return -1;
#endif
    return s->file_size == UINT64_MAX ? 0 : limit(RLIMIT_FSIZE, s->file_size);
}

int sandbox_landlock_abi(void)
{
    const long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    if (abi >= 0)
        return (int)abi;
    return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -1;
}

/* The file system accesses that a version of Landlock knows: 13 in the first, then one each. */
static uint64_t landlock_known(int abi)
{
    const unsigned bits = abi >= 5 ? 16 : abi >= 3 ? 15 : abi == 2 ? 14 : 13;

    return (UINT64_C(1) << bits) - 1;
}

static int landlock(const struct sandbox *s)
{
    const int abi = sandbox_landlock_abi();
    const struct landlock_rules rules = {
        .handled_fs = landlock_known(abi),
        .handled_net = LANDLOCK_NET_ALL,
        .scoped = LANDLOCK_SCOPED_ALL,
    };
    const size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
    int ruleset, r = -1;

    ruleset = abi < 0 ? -1 : (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
    if (ruleset < 0)
        return -1;
    for (size_t i = 0; i < s->folder_count; i++) {
        const struct landlock_path_beneath_attr beneath = {
            .allowed_access = s->folders[i].access & rules.handled_fs,
            .parent_fd = s->folders[i].fd,
        };
        if (beneath.allowed_access != 0 &&
            syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) < 0)
            goto out;
    }
    r = (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
out:
    close(ruleset);
    return r;
}

static void allow_rows(struct filter_program *filter, enum process process, bool by_number)
{
    size_t count;
    const struct filter_row *rows = filter_rows(process, &count);

    for (size_t i = 0; i < count; i++)
        filter_allow(filter, &rows[i], by_number);
}

static int seccomp(const struct sandbox *s)
{
    struct filter_program filter;

    filter_begin(&filter);
    allow_rows(&filter, s->process, false);
    return filter_load(&filter, SECCOMP_RET_KILL_PROCESS);
}

/* ------------------------------------------------------------------------------- the table */

enum need { ALWAYS, AS_ROOT, AS_ROOT_WITH_EMPTY, ALONE, ALONE_WITH_LANDLOCK };

static const struct step {
    const char *name;
    enum sandbox_layer layer;
    enum need need;
    int (*take)(const struct sandbox *s);
} steps[] = {
    {"chroot to the empty folder", LAYER_CHROOT, AS_ROOT_WITH_EMPTY, enter_root},
    {"uid, gid, groups, and back refused", LAYER_IDS, AS_ROOT, take_ids},
    {"capabilities cleared", LAYER_CAPABILITIES, ALWAYS, clear_capabilities},
    {"no_new_privs", LAYER_NO_NEW_PRIVS, ALONE, no_new_privileges},
    {"not dumpable, ends with its parent", LAYER_NOT_DUMPABLE, ALWAYS, not_dumpable},
    {"resource limits", LAYER_RLIMITS, ALWAYS, limits},
    {"Landlock", LAYER_LANDLOCK, ALONE_WITH_LANDLOCK, landlock},
    {"seccomp", LAYER_SECCOMP, ALONE, seccomp},
};

static bool needed(const struct step *step, const struct sandbox *s, bool root)
{
    switch (step->need) {
    case AS_ROOT:
        return root;
    case AS_ROOT_WITH_EMPTY:
        return root && s->empty_dir != NULL;
    case ALONE:
        return s->commands == 0;
    case ALONE_WITH_LANDLOCK:
        return s->commands == 0 && sandbox_landlock_abi() != 0;
    default:
        return true;
    }
}

/* Whether sandbox_become took root's ids away: then sandbox_enter still goes root's way. */
static bool became;

int sandbox_become(uint32_t uid, uint32_t gid, char *trouble, size_t size)
{
    if (geteuid() != 0)
        return 0;
    if (become(uid, gid, (struct sandbox_groups){0}) < 0) {
        snprintf(trouble, size, "becoming uid %u: %s", uid, strerror(errno));
        return -1;
    }
    became = true;
    return 0;
}

int sandbox_act_as(uint32_t uid, uint32_t gid, struct sandbox_groups groups, char *trouble,
                   size_t size)
{
    if (geteuid() != 0)
        return 0;
    errno = EINVAL;
    if (uid != 0 && gid != 0 && !has_root(groups) && setgroups(groups.count, groups.gids) == 0 &&
        setegid(gid) == 0 && seteuid(uid) == 0 && geteuid() == uid && getegid() == gid)
        return 0;
    snprintf(trouble, size, "acting as uid %u: %s", uid, strerror(errno));
    return -1;
}

int sandbox_act_no_more(char *trouble, size_t size)
{
    if (getuid() != 0)
        return 0;
    if (seteuid(0) < 0 || setegid(0) < 0) {
        snprintf(trouble, size, "acting as root again: %s", strerror(errno));
        return -1;
    }
    return 0;
}

int sandbox_enter(const struct sandbox *s, uint32_t *layers, char *trouble, size_t size)
{
    const bool root = geteuid() == 0 || became;

    *layers = 0;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (!needed(&steps[i], s, root))
            continue;
        if (steps[i].take(s) < 0) {
            snprintf(trouble, size, "sandbox, %s: %s", steps[i].name, strerror(errno));
            return -1;
        }
        *layers |= steps[i].layer;
    }
    return 0;
}

/* --------------------------------------------------------------------------- the monitor */

/* What the monitor keeps, for itself and for the first moments of its children. */
static const cap_value_t monitor_capabilities[] = {
    CAP_SETUID,           /* children become their own uid ... */
    CAP_SETGID,           /* ... and gid, without groups */
    CAP_SYS_CHROOT,       /* workers enter the empty folder */
    CAP_SETPCAP,          /* children empty their bounding set */
    CAP_KILL,             /* end a session whose processes have other uids */
    CAP_NET_BIND_SERVICE, /* listen below 1024, and again after a reload */
};

static bool monitor_keeps(cap_value_t c)
{
    for (size_t i = 0; i < sizeof(monitor_capabilities) / sizeof(monitor_capabilities[0]); i++) {
        if (monitor_capabilities[i] == c)
            return true;
    }
    return false;
}

static int monitor_reduce_capabilities(void)
{
    const int n = sizeof(monitor_capabilities) / sizeof(monitor_capabilities[0]);
    cap_t set = cap_init();
    int r = -1;

    if (set == NULL)
        return -1;
    if (drop_bounding(monitor_keeps) == 0 && clear_ambient() == 0 &&
        cap_set_flag(set, CAP_PERMITTED, n, monitor_capabilities, CAP_SET) == 0 &&
        cap_set_flag(set, CAP_EFFECTIVE, n, monitor_capabilities, CAP_SET) == 0)
        r = cap_set_proc(set);
    cap_free(set);
    return r;
}

/* The monitor's rows, and by number alone those of every child: they inherit this filter. What is
 * not listed does not exist (ENOSYS), as on an older kernel: a C library newer than the list falls
 * back when a child starts. Children's own filters kill. */
static int monitor_filter(bool root)
{
    struct filter_program filter;

    /* Without no_new_privs as root: a mail command started later may be setgid, as Postfix's is.
     * Loading needs CAP_SYS_ADMIN then, which goes right after. */
    if (!root && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    filter_begin(&filter);
    allow_rows(&filter, PROCESS_MONITOR, false);
    for (int p = PROCESS_MONITOR + 1; p < PROCESS_COUNT; p++)
        allow_rows(&filter, (enum process)p, true);
    return filter_load(&filter, SECCOMP_RET_ERRNO | ENOSYS);
}

int sandbox_monitor(uint32_t *layers, char *trouble, size_t size)
{
    const bool root = geteuid() == 0;
    const char *step = "not dumpable";

    *layers = 0;
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || limit(RLIMIT_CORE, 0) < 0)
        goto failed;
    *layers |= LAYER_NOT_DUMPABLE | LAYER_RLIMITS;
    step = "seccomp";
    if (monitor_filter(root) < 0)
        goto failed;
    *layers |= LAYER_SECCOMP | (root ? 0 : LAYER_NO_NEW_PRIVS);
    step = "capabilities";
    if (root && monitor_reduce_capabilities() < 0)
        goto failed;
    *layers |= root ? LAYER_CAPABILITIES : 0;
    return 0;
failed:
    snprintf(trouble, size, "the monitor's sandbox, %s: %s", step, strerror(errno));
    return -1;
}

/* --------------------------------------------------------------------------- for people */

const char *process_name(enum process process)
{
    return processes[process].program;
}

const char *process_help(enum process process)
{
    return processes[process].help;
}

void filter_condition(const struct condition *c, char *text, size_t size)
{
    const unsigned long long mask = c->mask, value = c->value;

    switch (c->kind) {
    case COND_ANY:
        snprintf(text, size, "any");
        break;
    case COND_EQ:
        snprintf(text, size, "arg%u == %llu", c->argument, value);
        break;
    case COND_GE:
        snprintf(text, size, "arg%u >= %llu", c->argument, value);
        break;
    case COND_MASKED:
        snprintf(text, size, "arg%u & %#llx == %llu", c->argument, mask, value);
        break;
    case COND_MAP:
        snprintf(text, size, "anonymous, private, not x");
        break;
    }
}

void sandbox_print_filters(FILE *out)
{
    char condition[FILTER_CONDITION_MAX];

    for (int p = 0; p < PROCESS_COUNT; p++) {
        size_t count;
        const struct filter_row *rows = filter_rows((enum process)p, &count);
        fprintf(out, "%s: %s\n", processes[p].program, processes[p].help);
        for (size_t i = 0; i < count; i++) {
            filter_condition(&rows[i].condition, condition, sizeof(condition));
            fprintf(out, "  %-20s %-26s %s\n", rows[i].name, condition, rows[i].why);
        }
        fprintf(out, "\n");
    }
}
