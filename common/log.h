/* One line a fact, to stderr, syslog or the journal. Any text may be given: control characters are
 * shown escaped, so that nobody can write a line of their own into the log. Secrets never go here.
 */
#ifndef SALLYPORT_LOG_H
#define SALLYPORT_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_target { LOG_TO_STDERR, LOG_TO_SYSLOG, LOG_TO_JOURNAL, LOG_TO_NOWHERE, LOG_TO_HOOK };

/* A process without a log of its own (a worker) gives its lines to a function. */
typedef void (*log_hook)(enum log_level level, const char *line);

void log_open(const char *process, enum log_target target, enum log_level level);
/* A line for which stderr has no room now is dropped and counted, never waited for: for a process
 * that must not stall because a terminal or a pipe is not read. */
void log_never_wait(void);
void log_open_hook(log_hook hook, enum log_level level);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For a level that is only known at run time. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
