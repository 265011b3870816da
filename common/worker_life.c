/* The life of a worker, as far as all kinds have it in common: see worker_life.h. Must never leave
 * a process outside of its sandbox without saying so. */
#include "common/worker_life.h"

#include <sys/time.h>

#include "common/facts.h"
#include "common/log.h"
#include "common/message.h"

#define ROUND_SECONDS 10

int worker_enter_sandbox(enum process process, struct slice empty_dir, uint32_t uid, uint32_t gid,
                         uint32_t descriptors, uint64_t memory)
{
    char empty[4096], trouble[256];
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
    const struct worker_ready ready = {.layers = layers};
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
