/* The life of a worker, as far as all kinds have it in common: see worker_life.h. Must never leave
 * a process outside of its sandbox without saying so. */
#include "common/worker_life.h"

#include <stdio.h>
#include <sys/time.h>
#include <time.h>

#include "common/facts.h"
#include "common/library.h"
#include "common/log.h"
#include "common/message.h"

#define ROUND_SECONDS 10
#define STAGES_MOST   8

/* What this process's start has cost: for who wants to make it shorter. */
static struct {
    struct {
        const char *name;
        int64_t until_us; /* of the processor's time */
    } stages[STAGES_MOST];
    size_t count;
} start;

void worker_stage(const char *name)
{
    struct timespec used;

    if (start.count == STAGES_MOST || clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) < 0)
        return;
    start.stages[start.count].name = name;
    start.stages[start.count++].until_us = (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

static void tell_stages(void)
{
    char text[256];
    size_t len = 0;
    int64_t before_us = 0;

    for (size_t i = 0; i < start.count && len < sizeof(text); i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s %lld", i > 0 ? ", " : "",
                                start.stages[i].name,
                                (long long)(start.stages[i].until_us - before_us));
        before_us = start.stages[i].until_us;
    }
    log_debug("start, in microseconds of the processor: %s", text);
}

int64_t worker_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int worker_enter_sandbox(enum process process, struct slice empty_dir, uint32_t uid, uint32_t gid,
                         uint32_t descriptors, uint64_t memory)
{
    char empty[4096], trouble[256], library[LIBRARY_MAX + 1];
    uint32_t layers;
    const struct sandbox sandbox = {
        .process = process,
        .empty_dir = empty,
        .uid = uid,
        .gid = gid,
        .descriptors = descriptors,
        .memory = memory,
        .file_size = UINT64_MAX, /* it writes files that the agent opened */
    };

    if (slice_copy(empty_dir, empty, sizeof(empty)) < 0)
        return -1;
    if (sandbox_enter(&sandbox, &layers, trouble, sizeof(trouble)) < 0) {
        log_error("%s", trouble);
        return -1;
    }
    worker_stage("sandbox");
    tell_stages();
    library_text(library);
    const struct worker_ready ready = {.layers = layers, .library = slice_text(library)};
    return send_worker_ready(FD_MONITOR, 0, &ready);
}

int worker_allow_time(int64_t *said_ms, int64_t now_ms)
{
    const struct itimerval most = {.it_value = {.tv_sec = ROUND_SECONDS}};

    if (*said_ms != 0 && now_ms - *said_ms < 1000)
        return 0;
    *said_ms = now_ms;
    return setitimer(ITIMER_PROF, &most, NULL);
}
