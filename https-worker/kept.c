/* The file of the last download stays open for a second, for those who ask for it again: players
 * and programs that take a file in ranges, one after the other. Called by files.c, and by the
 * exchange for what ends it. Must never give the bytes of a file that has changed since, or whose
 * name has: the open file is looked at before it is used again. What nobody sees there is a change
 * of a folder above it; a second is as long as it can go unseen. */
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "https-worker/worker.h"

#define KEPT_MS 1000
/* A file that changes twice within one tick of the filesystem's clock has the same time twice. */
#define QUIET_SECONDS 2

/* fstat(2) itself: the C library's may be another call, one that takes paths too. */
static int look(int fd, struct kept_look *seen)
{
    struct stat st;

    if (syscall(SYS_fstat, fd, &st) < 0)
        return -1;
    *seen = (struct kept_look){
        .links = (int64_t)st.st_nlink,
        .size = st.st_size,
        .changed_s = st.st_ctim.tv_sec,
        .changed_ns = st.st_ctim.tv_nsec,
    };
    return 0;
}

bool kept_take(struct worker *w, struct slice path)
{
    struct kept *k = &w->kept;
    struct kept_look now;

    if (!k->file.open || !slice_equal(path, slice_of(k->path, k->path_len)) ||
        worker_now_ms() > k->until_ms || look(k->file.fd, &now) < 0 ||
        memcmp(&now, &k->seen, sizeof(now)) != 0) {
        kept_drop(w);
        return false;
    }
    w->file = k->file;
    k->file = (struct agent_file){.fd = -1};
    return true;
}

void kept_opened(struct worker *w, struct slice path)
{
    struct kept *k = &w->kept;

    k->usable = path.len <= sizeof(k->path) && look(w->file.fd, &k->seen) == 0 &&
                (uint64_t)k->seen.size == w->file.seen.size &&
                k->seen.changed_s + QUIET_SECONDS <= time(NULL);
    if (!k->usable)
        return;
    memcpy(k->path, path.data, path.len);
    k->path_len = path.len;
    k->until_ms = worker_now_ms() + KEPT_MS;
}

void kept_put(struct worker *w)
{
    w->kept.file = w->file;
    w->file = (struct agent_file){.fd = -1};
    if (!w->kept.usable)
        kept_drop(w);
}

void kept_drop(struct worker *w)
{
    agent_file_let_go(&w->agent, &w->kept.file);
}

int kept_left(struct worker *w)
{
    const int64_t left = w->kept.until_ms - worker_now_ms();

    if (!w->kept.file.open)
        return INT32_MAX;
    if (left > 0)
        return (int)left;
    kept_drop(w);
    return INT32_MAX;
}
