/* The log of every process that has one. Called from anywhere but signal handlers; must never fail
 * loudly: a log that cannot be written (a lost terminal, a full disk) loses its line, not the
 * server. */
#include "common/log.h"

#include <ctype.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048

static struct {
    const char *process;
    enum log_target target;
    enum log_level level;
    log_hook hook;
    bool never_wait;
    unsigned long long lost; /* lines, since the last that was written */
} state = {.process = "sallyport", .target = LOG_TO_STDERR, .level = LOG_LEVEL_INFO};

static const struct {
    const char *name;
    int priority; /* syslog's, also the journal's prefix (sd-daemon(3)) */
} levels[] = {
    [LOG_LEVEL_ERROR] = {"error", LOG_ERR},
    [LOG_LEVEL_WARNING] = {"warning", LOG_WARNING},
    [LOG_LEVEL_INFO] = {"info", LOG_INFO},
    [LOG_LEVEL_DEBUG] = {"debug", LOG_DEBUG},
};

void log_open(const char *process, enum log_target target, enum log_level level)
{
    state.process = process;
    state.target = target;
    state.level = level;
    state.hook = NULL;
    if (target == LOG_TO_SYSLOG)
        openlog(process, LOG_PID | LOG_NDELAY, LOG_DAEMON);
}

void log_never_wait(void)
{
    state.never_wait = true;
}

void log_open_hook(log_hook hook, enum log_level level)
{
    state.target = LOG_TO_HOOK;
    state.level = level;
    state.hook = hook;
}

/* Copy with control characters as \xNN, those too that UTF-8 has in two bytes (U+0080 to U+009F):
 * terminals obey them. */
static void clean(const char *from, char *to, size_t size)
{
    size_t at = 0, control = 0;

    for (; *from != '\0' && at + 5 < size; from++) {
        const unsigned char c = (unsigned char)*from, next = (unsigned char)from[1];
        if (c == 0xc2 && next >= 0x80 && next <= 0x9f)
            control = 2;
        else if (iscntrl(c))
            control = 1;
        if (control > 0) {
            at += (size_t)snprintf(to + at, size - at, "\\x%02x", (unsigned)c);
            control--;
        } else {
            to[at++] = *from;
        }
    }
    to[at] = '\0';
}

static void write_stderr(const char *prefix, const char *line)
{
    const struct iovec parts[] = {
        {.iov_base = (void *)prefix, .iov_len = strlen(prefix)},
        {.iov_base = (void *)line, .iov_len = strlen(line)},
        {.iov_base = "\n", .iov_len = 1},
    };

    if (state
            .never_wait) { /* a pipe that says it is writable takes PIPE_BUF bytes, and so a line */
        struct pollfd reader = {.fd = STDERR_FILENO, .events = POLLOUT};
        if (poll(&reader, 1, 0) != 1) {
            state.lost++;
            return;
        }
        if (state.lost > 0 &&
            dprintf(STDERR_FILENO, "%s%llu lines of this log found no reader in time\n", prefix,
                    state.lost) > 0)
            state.lost = 0;
    }
    if (writev(STDERR_FILENO, parts, 3) < 0)
        return; /* nowhere left to say so */
}

static void __attribute__((format(printf, 2, 0)))
emit(enum log_level level, const char *format, va_list arguments)
{
    char raw[LINE_MAX_BYTES], line[LINE_MAX_BYTES], prefix[128];

    if (level > state.level || state.target == LOG_TO_NOWHERE)
        return;
    vsnprintf(raw, sizeof(raw), format, arguments);
    clean(raw, line, sizeof(line));
    switch (state.target) {
    case LOG_TO_SYSLOG:
        syslog(levels[level].priority, "%s", line);
        break;
    case LOG_TO_JOURNAL:
        snprintf(prefix, sizeof(prefix), "<%d>%s: ", levels[level].priority, state.process);
        write_stderr(prefix, line);
        break;
    case LOG_TO_HOOK:
        state.hook(level, line);
        break;
    default: {
        struct timespec now;
        struct tm utc;
        char stamp[32];
        clock_gettime(CLOCK_REALTIME, &now);
        gmtime_r(&now.tv_sec, &utc);
        strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &utc);
        snprintf(prefix, sizeof(prefix), "%s.%03ldZ %s[%d] %s: ", stamp, now.tv_nsec / 1000000,
                 state.process, (int)getpid(), levels[level].name);
        write_stderr(prefix, line);
    }
    }
}

#define LOG_FUNCTION(name, level)                                                                  \
    void name(const char *format, ...)                                                             \
    {                                                                                              \
        va_list arguments;                                                                         \
        va_start(arguments, format);                                                               \
        emit(level, format, arguments);                                                            \
        va_end(arguments);                                                                         \
    }
LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warning, LOG_LEVEL_WARNING)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)

void log_line(enum log_level level, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    emit(level, format, arguments);
    va_end(arguments);
}
