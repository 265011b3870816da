/* Lines of listings out of the agent's entries, as many as a buffer holds at a time: never a whole
 * listing. Called by list.c and work.c. Names come from disks, and strangers gave them: no byte of
 * one may end its line. */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/ls_line.h"
#include "ftps-worker/wildcard.h"
#include "ftps-worker/worker.h"

/* ---- opening -------------------------------------------------------------------------------- */

/* One name stands for the listing: its entry as if the agent had told it. */
static int list_one(struct worker *w, const struct path *path, struct slice text)
{
    struct listing *l = &w->work.listing;
    struct attributes seen;
    const size_t last = path_last(path);
    const int result = agent_look(&w->agent, path_slice(path), false, &seen);

    if (result != 0)
        return result;
    const struct directory_entry entry = {
        .name = slice_of(path->text + last, path->len - last),
        .mode = seen.mode,
        .nlink = seen.nlink,
        .uid = seen.uid,
        .gid = seen.gid,
        .size = seen.size,
        .atime_ns = seen.atime_ns,
        .mtime_ns = seen.mtime_ns,
        .rights = seen.rights,
        .access = seen.access,
    };
    const ssize_t len = nest_directory_entry(&entry, l->entries.bytes, 0, sizeof(l->entries.bytes));
    if (len < 0)
        return ENAMETOOLONG;
    l->entries.len = (size_t)len;
    l->entries.last = l->all = true;
    l->prefix_len = text.len > entry.name.len ? text.len - entry.name.len : 0;
    memcpy(l->prefix, text.len > 0 ? (const char *)text.data : "", l->prefix_len);
    return path_join(&l->folder, path_slice(path), slice_text(".."));
}

/* The last name is a pattern: list the folder above. */
static int list_pattern(struct worker *w, const struct path *path, struct slice text)
{
    struct listing *l = &w->work.listing;
    const size_t last = path_last(path), len = path->len - last;

    if (len == 0 || len >= sizeof(l->pattern) || len > text.len ||
        !wildcard_in(slice_of(path->text + last, len)))
        return ENOENT;
    memcpy(l->pattern, path->text + last, len);
    l->pattern_len = len;
    l->prefix_len = text.len - len;
    memcpy(l->prefix, text.data, l->prefix_len);
    const int error = path_join(&l->folder, path_slice(path), slice_text(".."));
    return error != 0 ? error : agent_folder_open(&w->agent, path_slice(&l->folder), &w->work.file);
}

int listing_open(struct worker *w, const struct path *path, struct slice text)
{
    struct listing *l = &w->work.listing;

    l->entries.last = false;
    l->entries.at = l->entries.len = l->prefix_len = l->pattern_len = 0;
    l->now = time(NULL);
    if (text.len > PATH_BYTES)
        return ENAMETOOLONG;
    int result = agent_folder_open(&w->agent, path_slice(path), &w->work.file);
    if (result == 0) {
        l->folder = *path;
        memcpy(l->prefix, text.len > 0 ? (const char *)text.data : "", text.len);
        l->prefix_len = text.len;
        if (text.len > 0 && text.data[text.len - 1] != '/')
            l->prefix[l->prefix_len++] = '/';
    } else if (result == ENOTDIR) {
        result = list_one(w, path, text);
    } else if (result == ENOENT) {
        result = list_pattern(w, path, text);
    }
    l->above = w->work.file.open ? w->work.file.seen.access : 0;
    return result;
}

/* ---- lines ---------------------------------------------------------------------------------- */

struct slice listing_target(struct worker *w, const struct path *link)
{
    const struct file_readlink ask = {.path = path_slice(link)};
    struct file_path target;

    return agent_ask(&w->agent, MSG_file_readlink, &ask, MSG_file_path, &target) == 0
               ? target.path
               : slice_of(NULL, 0);
}

static struct slice target_of(struct worker *w, const struct directory_entry *entry)
{
    struct path link;

    return S_ISLNK(entry->mode) &&
                   path_join(&link, path_slice(&w->work.listing.folder), entry->name) == 0
               ? listing_target(w, &link)
               : slice_of(NULL, 0);
}

size_t listing_facts(struct worker *w, const struct attributes *a, const struct facts_of *of,
                     struct slice name, char *line)
{
    const size_t len = facts_write(line, w->facts, a, of);

    return len + path_show(name, false, line + len, PATH_BYTES);
}

static size_t write_long(struct worker *w, const struct directory_entry *entry, char *line)
{
    const struct ls_account account = {.name = w->account, .uid = w->uid, .gid = w->gid};
    const struct attributes a = ATTRIBUTES_OF(*entry);
    const struct slice target = target_of(w, entry);
    size_t len = ls_line(&account, w->work.listing.now, slice_of(NULL, 0), &a, line);

    len += path_show(entry->name, false, line + len, entry->name.len);
    if (target.len > 0) {
        memcpy(line + len, " -> ", 4);
        len += 4 + path_show(target, false, line + len + 4, PATH_BYTES);
    }
    return len;
}

static size_t write_facts(struct worker *w, const struct directory_entry *entry, char *line)
{
    const struct attributes a = ATTRIBUTES_OF(*entry);
    const bool dots = slice_is(entry->name, ".") || slice_is(entry->name, "..");
    const struct facts_of of = {
        .name = entry->name,
        .listed = true,
        .above = dots ? 0 : w->work.listing.above,
        .target = w->facts & FACT_TYPE ? target_of(w, entry) : slice_of(NULL, 0),
    };

    return listing_facts(w, &a, &of, entry->name, line);
}

static size_t write_name(struct worker *w, const struct directory_entry *entry, char *line)
{
    const struct listing *l = &w->work.listing;
    const size_t len = path_show(slice_of(l->prefix, l->prefix_len), false, line, PATH_BYTES);

    return len + path_show(entry->name, false, line + len, entry->name.len);
}

static bool is_shown(const struct listing *l, struct slice name)
{
    const bool dots = slice_is(name, ".") || slice_is(name, "..");

    if (l->pattern_len > 0)
        return !dots && wildcard_match(slice_of(l->pattern, l->pattern_len), name);
    if (l->form == LIST_FACTS || name.len == 0 || name.data[0] != '.')
        return true;
    return l->all || (l->almost_all && !dots);
}

ssize_t listing_fill(struct worker *w, uint8_t *bytes, size_t size, int *error)
{
    static size_t (*const writers[])(struct worker *, const struct directory_entry *, char *) = {
        [LIST_LONG] = write_long, [LIST_NAMES] = write_name, [LIST_FACTS] = write_facts};
    struct listing *l = &w->work.listing;
    size_t len = 0;

    while (size - len >= LINE_MOST) {
        struct directory_entry entry;
        const int got = agent_entries_take(&l->entries, &entry);
        if (got == 0 && l->entries.last)
            break;
        if (got == 0)
            *error = agent_entries_next(&w->agent, w->work.file.handle, l->form == LIST_NAMES,
                                        &l->entries);
        if (got < 0)
            *error = -1;
        if (*error != 0)
            return -1;
        if (got == 0)
            continue;
        if (!is_shown(l, entry.name))
            continue;
        len += writers[l->form](w, &entry, (char *)bytes + len);
        memcpy(bytes + len, "\r\n", 2);
        len += 2;
    }
    return (ssize_t)len;
}
