/* Commands about what files are: size, times, mode, facts, free space. Each becomes a question to
 * the file agent. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "ftps-worker/worker.h"

void on_size(struct worker *w, const struct command *c)
{
    struct attributes seen;
    const int result = agent_look(&w->agent, path_slice(&c->path), true, &seen);

    if (result != 0)
        reply_result(w, result, 213, "");
    else if (!S_ISREG(seen.mode))
        reply(w, 550, "This is not a file");
    else if (w->ascii) /* the lines would have to be counted */
        reply(w, 550, "SIZE is not known in ASCII mode: TYPE I comes first");
    else
        reply(w, 213, "%" PRIu64, seen.size);
}

void on_avbl(struct worker *w, const struct command *c)
{
    const struct file_space ask = {.path = path_slice(&c->path)};
    struct file_space_is space;
    uint64_t bytes;
    const int result = agent_ask(&w->agent, MSG_file_space, &ask, MSG_file_space_is, &space);

    if (result != 0) {
        reply_result(w, result, 213, "");
        return;
    }
    if (__builtin_mul_overflow(space.bavail, space.frsize, &bytes))
        bytes = UINT64_MAX;
    reply(w, 213, "%" PRIu64, bytes);
}

/* ---- MLST ----------------------------------------------------------------------------------- */

void on_mlst(struct worker *w, const struct command *c)
{
    char line[LINE_MOST];
    struct path above;
    struct attributes seen, folder;
    struct facts_of of = {.name = path_slice(&c->path)};
    const int result = agent_look(&w->agent, path_slice(&c->path), false, &seen);

    if (result != 0) {
        reply_result(w, result, 250, "");
        return;
    }
    if (path_join(&above, path_slice(&c->path), slice_text("..")) == 0 &&
        agent_look(&w->agent, path_slice(&above), true, &folder) == 0)
        of.above = folder.access;
    if (S_ISLNK(seen.mode))
        of.target = listing_target(w, &c->path);
    const size_t len = listing_facts(w, &seen, &of, of.name, line);
    reply_first(w, 250, "Facts:");
    reply_between(w, "%.*s", (int)len, line);
    reply(w, 250, "End");
}

/* ---- setting -------------------------------------------------------------------------------- */

/* What is to be changed, and of which path. */
struct change {
    struct file_setattr ask;
    struct path path;
};

static bool change_path(struct worker *w, struct change *change, struct slice text)
{
    if (text.len == 0) {
        reply(w, 501, "A path is missing");
        return false;
    }
    if (path_join(&change->path, path_slice(&w->folder), text) != 0) {
        reply(w, 553, "The name is too long");
        return false;
    }
    change->ask.path = path_slice(&change->path);
    change->ask.follow = 1;
    return true;
}

static void change_time(struct change *change, int64_t ns)
{
    change->ask.valid |= ATTR_MTIME;
    change->ask.mtime_ns = ns;
}

/* Make it. said: the facts that were set, told with the path behind them; NULL: 200. */
static void change_make(struct worker *w, const struct change *change, const char *said)
{
    const int result = agent_do(&w->agent, MSG_file_setattr, &change->ask);

    if (result == 0 && said != NULL)
        reply(w, 213, "%s %s", said, change->path.text);
    else
        reply_result(w, result, 200, "Set");
}

/* The first word of a text and what follows its space. */
static struct slice first_word(struct slice text, struct slice *rest)
{
    const uint8_t *space = text.len > 0 ? memchr(text.data, ' ', text.len) : NULL;
    const size_t n = space != NULL ? (size_t)(space - text.data) : text.len;

    *rest = space != NULL ? slice_of(space + 1, text.len - n - 1) : slice_of(NULL, 0);
    return slice_of(text.data, n);
}

void on_mfmt(struct worker *w, const struct command *c)
{
    struct change change = {.ask.valid = 0};
    struct slice path;
    char text[64], time[TIME_TEXT];
    int64_t ns;

    if (!time_parse(first_word(c->text, &path), &ns)) {
        reply(w, 501, "A time is 14 digits: YYYYMMDDhhmmss, in UTC");
        return;
    }
    if (!change_path(w, &change, path))
        return;
    change_time(&change, ns);
    time_write(ns, time);
    snprintf(text, sizeof(text), "Modify=%s;", time);
    change_make(w, &change, text);
}

/* Old clients set the time with it: "MDTM YYYYMMDDhhmmss path", if there is no file of that name.
 */
void on_mdtm(struct worker *w, const struct command *c)
{
    struct change change = {.ask.valid = 0};
    struct attributes seen;
    struct slice rest;
    char time[TIME_TEXT];
    int64_t ns;

    if (!change_path(w, &change, c->text))
        return;
    const int result = agent_look(&w->agent, change.ask.path, true, &seen);
    if (result == ENOENT && time_parse(first_word(c->text, &rest), &ns) && rest.len > 0) {
        if (!change_path(w, &change, rest))
            return;
        change_time(&change, ns);
        change_make(w, &change, NULL);
        return;
    }
    if (result == 0)
        time_write(seen.mtime_ns, time);
    reply_result(w, result, 213, time);
}

static bool mode_parse(struct slice text, uint32_t *mode)
{
    *mode = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '7')
            return false;
        *mode = *mode << 3 | (uint32_t)(text.data[i] - '0');
    }
    return text.len >= 3 && text.len <= 5 && *mode <= 07777;
}

static bool name_is(struct slice text, const char *word)
{
    return text.len == strlen(word) && strncasecmp((const char *)text.data, word, text.len) == 0;
}

/* One "name=value" of MFF. */
static bool take_fact(struct change *change, struct slice fact)
{
    const uint8_t *equals = fact.len > 0 ? memchr(fact.data, '=', fact.len) : NULL;
    int64_t ns;

    if (equals == NULL)
        return false;
    const size_t n = (size_t)(equals - fact.data);
    const struct slice name = slice_of(fact.data, n);
    const struct slice value = slice_of(equals + 1, fact.len - n - 1);
    if (name_is(name, "modify") && time_parse(value, &ns)) {
        change_time(change, ns);
        return true;
    }
    if (name_is(name, "UNIX.mode") && mode_parse(value, &change->ask.mode)) {
        change->ask.valid |= ATTR_MODE;
        return true;
    }
    return false;
}

void on_mff(struct worker *w, const struct command *c)
{
    struct change change = {.ask.valid = 0};
    struct slice path;
    const struct slice facts = first_word(c->text, &path);
    char said[128];

    for (size_t at = 0; at < facts.len;) {
        const uint8_t *end = memchr(facts.data + at, ';', facts.len - at);
        if (end == NULL ||
            !take_fact(&change, slice_of(facts.data + at, (size_t)(end - facts.data) - at))) {
            reply(w, 501, "Facts that can be set: modify=YYYYMMDDhhmmss; and UNIX.mode=0644;");
            return;
        }
        at = (size_t)(end - facts.data) + 1;
    }
    if (change.ask.valid == 0 || facts.len >= sizeof(said)) {
        reply(w, 501, "Which facts? MFF modify=YYYYMMDDhhmmss;UNIX.mode=0644; path");
        return;
    }
    if (!change_path(w, &change, path))
        return;
    snprintf(said, sizeof(said), "%.*s", (int)facts.len, (const char *)facts.data);
    change_make(w, &change, said);
}

void on_site_chmod(struct worker *w, const struct command *c)
{
    struct change change = {.ask.valid = ATTR_MODE};
    struct slice path;

    if (!mode_parse(first_word(c->text, &path), &change.ask.mode)) {
        reply(w, 501, "A mode is three octal digits or four: SITE CHMOD 644 path");
        return;
    }
    if (change_path(w, &change, path))
        change_make(w, &change, NULL);
}

/* The last word of a text and what stands before its space. */
static struct slice last_word(struct slice text, struct slice *before)
{
    size_t at = text.len;

    while (at > 0 && text.data[at - 1] != ' ')
        at--;
    *before = slice_of(text.data, at > 0 ? at - 1 : 0);
    return slice_of(text.data + at, text.len - at);
}

/* Two forms: "YYYYMMDDhhmmss path" (seconds may be missing), and "path atime mtime ctime UTC". */
void on_site_utime(struct worker *w, const struct command *c)
{
    struct change change = {.ask.valid = 0};
    struct slice path = c->text, before;
    int64_t mtime, atime = 0;
    char digits[15];

    if (name_is(last_word(path, &before), "UTC")) {
        last_word(before, &path); /* when it was made: nothing can set it */
        if (time_parse(last_word(path, &before), &mtime) &&
            time_parse(last_word(before, &path), &atime)) {
            change.ask.valid = ATTR_ATIME;
            change.ask.atime_ns = atime;
            goto set;
        }
    } else {
        const struct slice time = first_word(c->text, &path);
        snprintf(digits, sizeof(digits), "%.*s%s", (int)(time.len < 15 ? time.len : 0),
                 (const char *)time.data, time.len == 12 ? "00" : "");
        if (time_parse(slice_text(digits), &mtime))
            goto set;
    }
    reply(w, 501, "A time is 14 digits: SITE UTIME YYYYMMDDhhmmss path");
    return;
set:
    change_time(&change, mtime);
    if (change_path(w, &change, path))
        change_make(w, &change, NULL);
}
