/* The filter tables as data: made from common/filters/NAME.def, used by sandbox.c to load the
 * filters and by --print-policy to show them. */
#include "common/filters.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>

#define ROW(call, condition, why) {#call, SYS_##call, condition, why},

#ifdef SALLYPORT_SANITIZE
#define SANITIZER_ROWS                                                                             \
    ROW(write, FD_IS(2), "sanitizer's report")                                                     \
    ROW(mmap, NOT_EXECUTABLE(2), "sanitizer's memory")                                             \
    ROW(mprotect, NOT_EXECUTABLE(2), "sanitizer's memory")                                         \
    ROW(munmap, ANY, "sanitizer's memory")                                                         \
    ROW(madvise, ANY, "sanitizer's memory")                                                        \
    ROW(sigaltstack, ANY, "sanitizer's threads")                                                   \
    ROW(rt_sigaction, ANY, "sanitizer's handlers")                                                 \
    ROW(rt_sigprocmask, ANY, "sanitizer's handlers")                                               \
    ROW(sched_yield, ANY, "sanitizer's locks")                                                     \
    ROW(futex, ANY, "sanitizer's locks")                                                           \
    ROW(getpid, ANY, "sanitizer's report")                                                         \
    ROW(gettid, ANY, "sanitizer's report")                                                         \
    ROW(getrusage, ANY, "sanitizer's memory")                                                      \
    ROW(clock_gettime, ANY, "sanitizer's memory")                                                  \
    ROW(readlink, ANY, "sanitizer's report")                                                       \
    ROW(exit_group, ANY, "sanitizer's end")
#else
#define SANITIZER_ROWS
#endif

static const struct filter_row monitor_rows[] = {
#include "common/filters/monitor.def"
    {0}};
static const struct filter_row store_rows[] = {
#include "common/filters/store.def"
    {0}};
static const struct filter_row hasher_rows[] = {
#include "common/filters/hasher.def"
    {0}};
static const struct filter_row agent_rows[] = {
#include "common/filters/agent.def"
    {0}};
static const struct filter_row sftp_rows[] = {
#include "common/filters/sftp.def"
    {0}};
static const struct filter_row ftps_rows[] = {
#include "common/filters/ftps.def"
    {0}};

static const struct filter_row https_rows[] = {
#include "common/filters/https.def"
    {0}};

#define TABLE(rows)                                                                                \
    {                                                                                              \
        rows, sizeof(rows) / sizeof(rows[0]) - 1                                                   \
    }
static const struct {
    const struct filter_row *rows;
    size_t count;
} tables[PROCESS_COUNT] = {
    [PROCESS_MONITOR] = TABLE(monitor_rows), [PROCESS_STORE] = TABLE(store_rows),
    [PROCESS_HASHER] = TABLE(hasher_rows),   [PROCESS_AGENT] = TABLE(agent_rows),
    [PROCESS_SFTP] = TABLE(sftp_rows),       [PROCESS_FTPS] = TABLE(ftps_rows),
    [PROCESS_HTTPS] = TABLE(https_rows),
};

const struct filter_row *filter_rows(enum process process, size_t *count)
{
    *count = tables[process].count;
    return tables[process].rows;
}
