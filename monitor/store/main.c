/* sallyport-store: all that is durable. Started by the monitor, or by the operator's command when
 * no server runs; its first message is store_setup. Opens its files, enters its sandbox, answers
 * store_ready, serves. It must never answer that it is ready when any of that failed. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/landlock.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/facts.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "monitor/store/store.h"

#define LOCK_TRIES 40 /* a store that ends may need a moment */
#define LOCK_PAUSE 50 /* ms between two */
#define TRUNCATE_FS                                                                                \
    (UINT64_C(1) << 14) /* LANDLOCK_ACCESS_FS_TRUNCATE, ABI 3: newer than headers                  \
                         */

#ifdef SALLYPORT_SANITIZE
/* The search for leaks starts a thread at exit, which the sandbox does not allow. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return 1;
}
#endif

/* Ends with its link and not before: Ctrl-C in a terminal reaches all processes at once. */
static int ignore_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGXFSZ};

    const struct sigaction ignore = {.sa_handler = SIG_IGN};

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        if (sigaction(signals[i], &ignore, NULL) < 0)
            return -1;
    }
    return 0;
}

static int open_state_dir(const char *path, struct refusal *why)
{
    struct stat st;
    const int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir < 0)
        return refuse(why, errno, "state folder %.120s: %s", path, strerror(errno));
    if (fstat(dir, &st) < 0) {
        refuse(why, errno, "state folder %.120s: %s", path, strerror(errno));
    } else if (st.st_uid != geteuid()) {
        refuse(why, EPERM,
               "state folder %.120s belongs to uid %u: it must belong to the store's, %u", path,
               (unsigned)st.st_uid, (unsigned)geteuid());
    } else if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        refuse(why, EPERM, "state folder %.120s can be written by others: chmod 0700 it", path);
    } else {
        return dir;
    }
    close(dir);
    return -1;
}

/* A file restored from a backup often belongs to root: say so, instead of "cannot be opened". */
static int check_files(int dir, struct refusal *why)
{
    static const char *const names[] = {"lock", "accounts.db", "accounts.db-wal", AUDIT_LOG,
                                        AUDIT_HEAD};
    struct stat st;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (fstatat(dir, names[i], &st, AT_SYMLINK_NOFOLLOW) < 0) {
            if (errno != ENOENT)
                return refuse(why, errno, "%s: %s", names[i], strerror(errno));
        } else if (!S_ISREG(st.st_mode)) {
            return refuse(why, EINVAL, "%s in the state folder is no regular file", names[i]);
        } else if (st.st_uid != geteuid()) {
            return refuse(why, EPERM, "%s belongs to uid %u: it must belong to the store's, %u",
                          names[i], (unsigned)st.st_uid, (unsigned)geteuid());
        }
    }
    return 0;
}

/* One store at a time: two would each believe in their own end of the audit log. */
static int lock_state_dir(int dir, struct refusal *why)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE * 1000000L};
    const int lock = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (lock < 0)
        return refuse(why, errno, "the state folder cannot be written: lock: %s", strerror(errno));
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(lock, LOCK_EX | LOCK_NB) == 0)
            return lock;
        if (errno != EWOULDBLOCK)
            break;
        nanosleep(&pause, NULL);
    }
    if (errno == EWOULDBLOCK)
        refuse(why, EBUSY, "another sallyport-store is running on this state folder");
    else
        refuse(why, errno, "lock: %s", strerror(errno));
    close(lock);
    return -1;
}

/* As many links as descriptors allow. */
static uint32_t descriptors(struct store *s)
{
    struct rlimit limit = {0};

    uint64_t most = SPARE_FDS + SOURCES_MOST;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max < most)
        most = limit.rlim_max;
    s->source_most = most > SPARE_FDS ? most - SPARE_FDS : 0;
    return (uint32_t)most;
}

static int enter_sandbox(struct store *s, int dir, const struct store_setup *setup,
                         uint32_t *layers, struct refusal *why)
{
    const struct sandbox_folder folder = {
        .fd = dir,
        .access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                  LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                  LANDLOCK_ACCESS_FS_REMOVE_FILE | TRUNCATE_FS,
    };
    const struct sandbox sandbox = {
        .process = PROCESS_STORE,
        .uid = setup->uid,
        .gid = setup->gid,
        .folders = &folder,
        .folder_count = 1,
        .descriptors = descriptors(s),
        .file_size = UINT64_MAX,
    };

    /* Loaded now, because it opens files: the seed of JSON's tables, the time zone. */
    json_object_seed(0);
    tzset();
    why->error = EPERM;
    return sandbox_enter(&sandbox, layers, why->text, sizeof(why->text));
}

static int start(struct store *s, const struct store_setup *setup, uint32_t *layers,
                 struct refusal *why)
{
    char path[4096], hash[AUDIT_HASH_SIZE];

    umask(077);
    if (ignore_signals() < 0)
        return refuse(why, errno, "signals: %s", strerror(errno));
    /* libcrypto sets itself up with its first hash: what fails then stays broken. */
    if (audit_hash(slice_text(""), hash) < 0)
        return refuse(why, errno, "libcrypto makes no hash");
    if (slice_copy(setup->state_dir, path, sizeof(path)) < 0 || path[0] != '/')
        return refuse(why, EINVAL, "the state folder must be an absolute path");
    why->error = EPERM;
    if (sandbox_become(setup->uid, setup->gid, why->text, sizeof(why->text)) < 0)
        return -1;
    const int dir = open_state_dir(path, why);
    if (dir < 0 || check_files(dir, why) < 0 || lock_state_dir(dir, why) < 0)
        return -1;
    if (accounts_open(&s->accounts, setup, why) < 0)
        return -1;
    if (audit_open(&s->audit, dir, setup->rotate_bytes, setup->rotate_keep) < 0)
        return refuse(why, errno, "audit log: %s", strerror(errno));
    s->polls = calloc(POLLS_FIXED, sizeof(*s->polls));
    if (s->polls == NULL)
        return refuse(why, ENOMEM, "no memory");
    return enter_sandbox(s, dir, setup, layers, why);
}

/* The first message. Returns 0 and its id, or -1. */
static int receive_setup(struct envelope *e, struct store_setup *setup)
{
    return message_receive(FD_MONITOR, e, 0) == 1 && decode_store_setup(e, setup) == 0 ? 0 : -1;
}

int main(void)
{
    static struct store store = {.notify = {.fd = -1}}; /* the one state of this process */
    struct store_ready ready = {.schema_version = database_schema_version()};
    struct store_setup setup;
    struct refusal why = {0};

    log_open("sallyport-store", LOG_TO_STDERR, LOG_LEVEL_INFO);
    if (receive_setup(&store.envelope, &setup) < 0) {
        log_error("the first message is no store_setup: this program is started by sallyportd");
        return EXIT_FAILURE;
    }
    const uint32_t id = store.envelope.id;
    log_open("sallyport-store", LOG_TO_STDERR,
             setup.log_level <= LOG_LEVEL_DEBUG ? setup.log_level : LOG_LEVEL_DEBUG);
    const int started = start(&store, &setup, &ready.layers, &why);
    if (started < 0) {
        log_error("%s", why.text);
        ready.trouble = slice_text(why.text);
    }
    if (send_store_ready(FD_MONITOR, id, &ready) < 0 || started < 0)
        return EXIT_FAILURE;
    envelope_clear(&store.envelope);
    store_serve(&store);
    audit_close(&store.audit);
    accounts_close(&store.accounts);
    notify_link_close(&store);
    source_close_all(&store);
    return EXIT_SUCCESS;
}
