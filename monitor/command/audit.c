/* `sallyport audit ...`: reads the log where it lies; nothing here writes to it. Lines are shown as
 * they were written; for people their control characters are escaped. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/audit_chain.h"
#include "monitor/command/command.h"

/* ---- verify ------------------------------------------------------------------------------- */

enum result command_audit_verify(struct context *c)
{
    struct audit_verdict verdict = {0};
    const int r = audit_verify(c->config.server_state_dir, stderr, &verdict);

    if (r < 0) {
        tell("the audit log in %s cannot be read: %s", c->config.server_state_dir, strerror(errno));
        return REFUSED;
    }
    json_t *record = json_object();
    put(record, "whole", json_boolean(r == 0));
    put(record, "files", json_integer((json_int_t)verdict.files));
    put(record, "lines", json_integer((json_int_t)verdict.lines));
    put(record, "first", json_integer((json_int_t)verdict.first));
    put(record, "last", json_integer((json_int_t)verdict.last));
    put(record, "troubles", json_integer((json_int_t)verdict.troubles));
    put(record, "hash", json_string(verdict.hash));
    if (r == 0)
        print_done(c, record,
                   "the chain is whole: lines %" PRIu64 " to %" PRIu64 " in %" PRIu64
                   " files, hash of the last %s",
                   verdict.first, verdict.last, verdict.files, verdict.hash);
    else
        print_done(c, record, "the chain is broken: %" PRIu64 " troubles in audit.log",
                   verdict.troubles);
    return r == 0 ? DONE : REFUSED;
}

/* ---- show --------------------------------------------------------------------------------- */

struct showing {
    const struct context *c;
    int64_t since, until; /* 0: not asked for */
    uint64_t session;     /* 0: not asked for */
    uint64_t last;        /* lines to keep; 0: all are shown at once */
    char **kept;          /* the last ones, in a ring of `last` */
    uint64_t shown;       /* or kept */
    json_int_t seen;      /* "n" of the newest line that was looked at: none is taken twice */
    bool array;           /* between [ and ]: a whole answer as JSON */
    bool failed;
};

/* The fields that people see first, in this order; the rest follows as NAME=VALUE. */
static const char *const leading[] = {"time", "event", "account", "address"};
static const char *const hidden[] = {"n", "prev"};

static bool is_one_of(const char *key, const char *const *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(key, keys[i]) == 0)
            return true;
    }
    return false;
}

static void print_value(const json_t *value)
{
    char text[32768];

    if (json_is_string(value))
        printf("%s", cleaned(slice_of(json_string_value(value), json_string_length(value)), text,
                             sizeof(text)));
    else if (json_is_integer(value))
        printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else
        printf("%s", json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "-");
}

static void print_line(const char *line, size_t len)
{
    json_t *json = json_loadb(line, len, JSON_ALLOW_NUL, NULL), *value;
    const char *key;

    if (!json_is_object(json)) {
        json_decref(json);
        return;
    }
    for (size_t i = 0; i < sizeof(leading) / sizeof(leading[0]); i++) {
        value = json_object_get(json, leading[i]);
        if (i > 0)
            fputs("  ", stdout);
        print_value(value);
    }
    json_object_foreach(json, key, value)
    {
        if (is_one_of(key, leading, sizeof(leading) / sizeof(leading[0])) ||
            is_one_of(key, hidden, sizeof(hidden) / sizeof(hidden[0])))
            continue;
        printf("  %s=", key);
        print_value(value);
    }
    fputc('\n', stdout);
    json_decref(json);
}

/* Does a field hold exactly this text? */
static bool is_text(const json_t *json, const char *key, const char *text)
{
    const char *value = json_string_value(json_object_get(json, key));

    return value != NULL && strcmp(value, text) == 0;
}

/* Seconds since 1970 of "2026-01-02T03:04:05.678Z", or -1. */
static int64_t line_time(const json_t *json)
{
    const char *text = json_string_value(json_object_get(json, "time"));
    struct tm tm = {0};

    if (text == NULL || strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) == NULL)
        return -1;
    return timegm(&tm);
}

static bool path_begins(const json_t *json, const char *prefix)
{
    static const char *const keys[] = {"path", "to"};

    for (size_t i = 0; i < 2; i++) {
        const char *path = json_string_value(json_object_get(json, keys[i]));
        if (path != NULL && strncmp(path, prefix, strlen(prefix)) == 0)
            return true;
    }
    return false;
}

/* Is this line asked for? */
static bool wanted(const struct showing *s, const json_t *json)
{
    const char *const *options = s->c->options;

    if ((options[OPTION_ACCOUNT] != NULL && !is_text(json, "account", options[OPTION_ACCOUNT])) ||
        (options[OPTION_EVENT] != NULL && !is_text(json, "event", options[OPTION_EVENT])) ||
        (options[OPTION_PATH_PREFIX] != NULL && !path_begins(json, options[OPTION_PATH_PREFIX])))
        return false;
    if (s->session != 0 &&
        json_integer_value(json_object_get(json, "session")) != (json_int_t)s->session)
        return false;
    const int64_t when = line_time(json);
    return (s->since == 0 || when >= s->since) && (s->until == 0 || when < s->until);
}

static void show(struct showing *s, const char *line, size_t len)
{
    if (!s->c->json) {
        print_line(line, len);
        return;
    }
    if (s->array)
        fputs(s->shown > 0 ? ",\n " : "[", stdout);
    printf("%.*s%s", (int)len, line, s->array ? "" : "\n");
}

/* One line of the log: show it or keep it, if it is asked for. */
static int take_line(const char *line, size_t len, void *context)
{
    struct showing *s = context;
    json_t *json = json_loadb(line, len, JSON_ALLOW_NUL, NULL);
    const json_int_t n = json_integer_value(json_object_get(json, "n"));

    if (n > s->seen && wanted(s, json)) {
        if (s->last == 0) {
            show(s, line, len);
        } else {
            char **place = &s->kept[s->shown % s->last];
            free(*place);
            *place = strndup(line, len);
            s->failed |= *place == NULL;
        }
        s->shown++;
    }
    s->seen = n > s->seen ? n : s->seen;
    json_decref(json);
    return s->failed || ferror(stdout) ? 1 : 0;
}

/* The ring of the last lines, oldest first. */
static void show_kept(struct showing *s)
{
    const uint64_t count = s->shown < s->last ? s->shown : s->last, first = s->shown - count;

    s->shown = 0;
    for (uint64_t i = first; i < first + count; i++) {
        char **place = &s->kept[i % s->last];
        if (*place != NULL)
            show(s, *place, strlen(*place));
        free(*place);
        *place = NULL;
        s->shown++;
    }
}

/* ---- follow ------------------------------------------------------------------------------- */

/* The file that grows: what was read of it, and a line that is not whole yet. */
struct following {
    int fd;
    ino_t inode;
    off_t at;
    char *part;
    size_t len;
};

/* Open it: from the start, or a line's length before the end. What is read twice is seen by its
 * number; a first line that is not whole is no JSON and falls away. */
static int open_log(const struct context *c, struct following *f, bool at_end)
{
    char path[4352];
    struct stat st;

    snprintf(path, sizeof(path), "%s/%s", c->config.server_state_dir, AUDIT_LOG);
    f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (f->fd < 0 || fstat(f->fd, &st) < 0)
        return -1;
    f->inode = st.st_ino;
    f->at = at_end && st.st_size > AUDIT_LINE_MAX ? st.st_size - AUDIT_LINE_MAX : 0;
    f->len = 0;
    return 0;
}

/* Read on; every whole line is taken. */
static int read_on(struct showing *s, struct following *f)
{
    ssize_t n;

    while ((n = pread(f->fd, f->part + f->len, AUDIT_LINE_MAX - f->len, f->at)) > 0) {
        char *line = f->part, *end;
        f->at += n;
        f->len += (size_t)n;
        while ((end = memchr(line, '\n', f->len - (size_t)(line - f->part))) != NULL) {
            take_line(line, (size_t)(end - line), s);
            line = end + 1;
        }
        f->len -= (size_t)(line - f->part);
        memmove(f->part, line, f->len);
        if (f->len == AUDIT_LINE_MAX)
            return -1; /* no line is that long: this is no log */
    }
    fflush(stdout);
    return n < 0 || ferror(stdout) ? -1 : 0;
}

/* Was the log rotated? Then the file under its name is another. */
static bool rotated(const struct context *c, const struct following *f)
{
    char path[4352];
    struct stat st;

    snprintf(path, sizeof(path), "%s/%s", c->config.server_state_dir, AUDIT_LOG);
    return stat(path, &st) == 0 && st.st_ino != f->inode;
}

static int follow(struct showing *s, struct following *f)
{
    int r = 0;

    while (r == 0) {
        poll(NULL, 0, 250);
        const bool next = rotated(s->c, f);
        r = read_on(s, f);
        if (r == 0 && next) {
            close(f->fd);
            r = open_log(s->c, f, false);
        }
    }
    return r;
}

/* ---- show, all of it ---------------------------------------------------------------------- */

static int read_options(const struct context *c, struct showing *s)
{
    if (given(c, OPTION_SINCE) && option_time(c, OPTION_SINCE, false, &s->since) < 0)
        return -1;
    if (given(c, OPTION_UNTIL) && option_time(c, OPTION_UNTIL, false, &s->until) < 0)
        return -1;
    if (given(c, OPTION_SESSION) && option_number(c, OPTION_SESSION, 1, INT64_MAX, &s->session) < 0)
        return -1;
    return given(c, OPTION_LAST) ? option_number(c, OPTION_LAST, 1, 1000000, &s->last) : 0;
}

enum result command_audit_show(struct context *c)
{
    struct showing s = {.c = c};
    struct following f = {.fd = -1};
    const char *folder = c->config.server_state_dir;
    enum result result = REFUSED;

    if (read_options(c, &s) < 0)
        return USAGE;
    s.array = c->json && !given(c, OPTION_FOLLOW);
    s.kept = s.last > 0 ? calloc(s.last, sizeof(char *)) : NULL;
    f.part = given(c, OPTION_FOLLOW) ? malloc(AUDIT_LINE_MAX) : NULL;
    if ((s.last > 0 && s.kept == NULL) || (given(c, OPTION_FOLLOW) && f.part == NULL)) {
        tell("%s", strerror(errno));
        goto out;
    }
    /* Opened before the lines up to now are walked through, so that none is missed between. */
    if (given(c, OPTION_FOLLOW) && open_log(c, &f, true) < 0) {
        tell("%s/%s: %s", folder, AUDIT_LOG, strerror(errno));
        goto out;
    }
    if (audit_walk(folder, take_line, &s) < 0) {
        tell("the audit log in %s cannot be read: %s", folder, strerror(errno));
        goto out;
    }
    if (s.last > 0)
        show_kept(&s);
    if (s.array)
        fputs(s.shown > 0 ? "]\n" : "[]\n", stdout);
    s.last = 0;
    result = s.failed || (given(c, OPTION_FOLLOW) && follow(&s, &f) < 0) ? REFUSED : DONE;
out:
    for (uint64_t i = 0; s.kept != NULL && i < s.last; i++)
        free(s.kept[i]);
    free(s.kept);
    free(f.part);
    if (f.fd >= 0)
        close(f.fd);
    return result;
}
