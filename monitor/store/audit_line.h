/* One line of the audit log, as text. Called by audit.c; knows JSON and nothing of files. */
#ifndef SALLYPORT_STORE_AUDIT_LINE_H
#define SALLYPORT_STORE_AUDIT_LINE_H

#include "monitor/store/audit.h"

/* What stands in every line. */
struct audit_line {
    uint64_t n;
    uint64_t time_ms;
    const char *prev;
};

/* Write the line with its newline. Returns its length, or -1: it does not fit, or there is no
 * memory. */
ssize_t audit_line_event(const struct audit_line *line, const struct store_audit *event, char *to,
                         size_t size);
ssize_t audit_line_report(const struct audit_line *line, const struct audit_subject *subject,
                          uint64_t number, const struct report *report, char *to, size_t size);

#endif
