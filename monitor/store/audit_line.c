/* Events and reports as JSON. Called by audit.c. Texts come from clients and file systems, so any
 * bytes may stand in them: what is no UTF-8 is shown as U+FFFD, and all its bytes again in a field
 * of the same name with _hex, so that two names never look the same in the log. */
#include "monitor/store/audit_line.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/operations.h"
#include "common/utf8.h"
#include "monitor/store/validate.h"

/* "2026-01-02T03:04:05.678Z" */
static void format_time(uint64_t time_ms, char *text, size_t size)
{
    const time_t seconds = (time_t)(time_ms / 1000);
    struct tm utc = {0};
    char date[40];

    gmtime_r(&seconds, &utc);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text, size, "%s.%03uZ", date, (unsigned)(time_ms % 1000));
}

static int put(json_t *json, const char *key, json_t *value)
{
    return value == NULL ? -1 : json_object_set_new_nocheck(json, key, value);
}

static int put_number(json_t *json, const char *key, uint64_t number)
{
    return put(json, key, json_integer(number > INT64_MAX ? INT64_MAX : (json_int_t)number));
}

static int put_hex(json_t *json, const char *key, struct slice bytes)
{
    static const char digits[] = "0123456789abcdef";
    char name[64];
    char *text = malloc(bytes.len * 2);

    if (text == NULL)
        return -1;
    for (size_t i = 0; i < bytes.len; i++) {
        text[2 * i] = digits[bytes.data[i] >> 4];
        text[2 * i + 1] = digits[bytes.data[i] & 15];
    }
    snprintf(name, sizeof(name), "%s_hex", key);
    const int r = put(json, name, json_stringn_nocheck(text, bytes.len * 2));
    free(text);
    return r;
}

/* Any bytes. Empty: the field is left out. */
static int put_text(json_t *json, const char *key, struct slice bytes)
{
    struct slice rest = bytes;
    char *text;
    size_t len = 0;
    uint32_t code;
    bool whole = true;

    if (bytes.len == 0)
        return 0;
    if ((text = calloc(bytes.len, 3)) == NULL)
        return -1;
    do {
        const struct slice shown = utf8_take(&rest, &code);
        memcpy(text + len, shown.data, shown.len);
        len += shown.len;
        whole = whole && code != UTF8_NONE;
    } while (rest.len > 0);
    int r = put(json, key, json_stringn_nocheck(text, len));
    free(text);
    if (r == 0 && !whole)
        r = put_hex(json, key, bytes);
    return r;
}

/* "ok", "refused" (by the account's rights or the file system's), or errno's name. */
static int put_result(json_t *json, uint32_t error)
{
    const char *name = error == 0 ? "ok" : error == EACCES || error == EPERM ? "refused" : NULL;
    char number[24];

    if (name == NULL)
        name = strerrorname_np((int)error);
    if (name == NULL) {
        snprintf(number, sizeof(number), "errno %" PRIu32, error);
        name = number;
    }
    return put(json, "result", json_string(name));
}

/* "size" was measured by the agent; what went over the wire only the worker knows: "claimed". */
static int put_transfer(json_t *json, const struct report *report)
{
    const bool down = report->operation == OPERATION_DOWNLOAD;
    const uint64_t main = down ? report->bytes_read : report->bytes_written;
    const uint64_t other = down ? report->bytes_written : report->bytes_read;

    if (put_number(json, "bytes", main) < 0 ||
        (other > 0 && put_number(json, down ? "bytes_written" : "bytes_read", other) < 0) ||
        put(json, "claimed", json_true()) < 0)
        return -1;
    return put_number(json, "size", report->size);
}

static bool is_transfer(uint8_t operation)
{
    return operation == OPERATION_DOWNLOAD || operation == OPERATION_UPLOAD ||
           operation == OPERATION_MODIFY || operation == OPERATION_COPY;
}

static json_t *begin(const struct audit_line *line, struct slice event, uint64_t session)
{
    json_t *json = json_object();
    char when[64];

    format_time(line->time_ms, when, sizeof(when));
    if (json == NULL || put_number(json, "n", line->n) < 0 ||
        put(json, "time", json_string(when)) < 0 || put_text(json, "event", event) < 0 ||
        (session > 0 && put_number(json, "session", session) < 0)) {
        json_decref(json);
        return NULL;
    }
    return json;
}

/* The line's end, and its bytes. Takes json. */
static ssize_t finish(const struct audit_line *line, json_t *json, char *to, size_t size)
{
    size_t len = 0;

    if (json != NULL && put(json, "prev", json_string(line->prev)) == 0)
        len = json_dumpb(json, to, size, JSON_COMPACT);
    json_decref(json);
    if (len == 0 || len >= size)
        return -1;
    to[len] = '\n';
    return (ssize_t)len + 1;
}

ssize_t audit_line_event(const struct audit_line *line, const struct store_audit *event, char *to,
                         size_t size)
{
    json_t *json = begin(line, event->event, event->session);

    if (json == NULL)
        return -1;
    if (put_text(json, "account", event->account) < 0 ||
        put_text(json, "protocol", event->protocol) < 0 ||
        put_text(json, "address", event->address) < 0 || put_text(json, "text", event->text) < 0) {
        json_decref(json);
        return -1;
    }
    return finish(line, json, to, size);
}

ssize_t audit_line_report(const struct audit_line *line, const struct audit_subject *subject,
                          uint64_t number, const struct report *report, char *to, size_t size)
{
    const struct operation_info *operation = operation_info(report->operation);
    json_t *json = begin(line, slice_text(operation->name), subject->session);

    if (json == NULL)
        return -1;
    if (put_number(json, "report", number) < 0 ||
        put_text(json, "account", slice_text(subject->account)) < 0 ||
        put_text(json, "protocol", slice_text(subject->protocol)) < 0 ||
        put_text(json, "address", slice_text(subject->address)) < 0 ||
        put_text(json, "path", report->path) < 0 || put_text(json, "to", report->other) < 0 ||
        put_result(json, report->error) < 0 ||
        (is_transfer(report->operation) && put_transfer(json, report) < 0) ||
        put_number(json, "ms", report->duration_ms) < 0) {
        json_decref(json);
        return -1;
    }
    return finish(line, json, to, size);
}
