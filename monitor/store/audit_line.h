/* One line of the audit log, as text. Called by audit.c; knows JSON and nothing of files.
 *
 * Fields in this order; what is empty is left out, what is no UTF-8 stands in KEY_hex too:
 *   all      n, time (RFC 3339, ms, UTC), event, session, ..., prev
 *   events   account, protocol, address, text
 *   reports  report, account, protocol, address, path, to, result; ms; of transfers before it:
 *            bytes, bytes_read or bytes_written (the other direction), size (measured),
 *            claimed (true: the counts of bytes are the worker's word)
 * report is the number within the session: one that stands there twice was sent again by an agent
 * to a store that had been restarted. */
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
