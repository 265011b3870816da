/* Listings and searches as JSON, streamed: an entry a line, as the agent tells them, never built
 * whole. The shape is valid as a whole and line by line. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "https-worker/json_out.h"
#include "https-worker/worker.h"

#define LINE_MOST                                                                                  \
    (6 * (TARGET_PATH_MAX + 256) + 512) /* of one entry: escaped, and in base64 too                \
                                         */
#define WAITING_MOST (1u << 20)         /* bytes of folders still to be searched */

/* ---- one entry ------------------------------------------------------------------------------ */

const char *entry_type(uint32_t mode)
{
    return S_ISREG(mode) ? "file" : S_ISDIR(mode) ? "folder" : S_ISLNK(mode) ? "link" : "other";
}

/* What a link leads to, where that is in the view; else the link itself. */
struct attributes entry_followed(struct worker *w, struct slice folder, struct slice name,
                                 const struct attributes *a)
{
    char path[TARGET_PATH_MAX + 1];
    struct attributes target;
    struct writer writer = writer_of(path, sizeof(path));

    writer_put(&writer, folder);
    if (folder.len == 0 || folder.data[folder.len - 1] != '/')
        writer_text(&writer, "/");
    writer_put(&writer, name);
    const ssize_t len = writer_done(&writer);
    return len > 0 && agent_look(&w->agent, slice_of(path, (size_t)len), true, &target) == 0
               ? target
               : *a;
}

void entry_write(struct worker *w, struct json_out *j, struct slice folder, struct slice name,
                 const struct attributes *a)
{
    const bool link = S_ISLNK(a->mode);
    const struct attributes shown = link ? entry_followed(w, folder, name, a) : *a;

    json_open(j, '{');
    json_name(j, "name", name);
    json_key(j, "type");
    json_text(j, slice_text(entry_type(shown.mode)));
    json_key(j, "size");
    json_number(j, S_ISREG(shown.mode) ? shown.size : 0);
    json_key(j, "mtime");
    json_time(j, shown.mtime_ns);
    if (link) {
        json_key(j, "link");
        json_bool(j, true);
    }
    json_close(j, '}');
}

/* ---- which entries -------------------------------------------------------------------------- */

/* Does the name hold the text, whatever the case of ASCII letters? */
static bool name_has(struct slice name, const char *needle)
{
    const size_t len = strlen(needle);

    for (size_t i = 0; i + len <= name.len; i++) {
        size_t same = 0;
        while (same < len && tolower(name.data[i + same]) == needle[same])
            same++;
        if (same == len)
            return true;
    }
    return false;
}

/* A folder that is still to be searched; where there is no room, it is left out and the end says
 * so. */
static void remember_folder(struct listing *l, struct slice name)
{
    const size_t need = l->path_len + 1 + name.len + 1;
    size_t depth = 0;

    for (size_t i = 0; i < l->path_len; i++)
        depth += l->path[i] == '/';
    if (depth >= DEPTH_MAX || l->path_len + 1 + name.len > TARGET_PATH_MAX ||
        l->waiting_len + need > WAITING_MOST) {
        l->error = ENAMETOOLONG;
        return;
    }
    char *at = l->waiting + l->waiting_len;
    memcpy(at, l->path, l->path_len);
    at += l->path_len;
    if (l->path_len > 1)
        *at++ = '/';
    memcpy(at, name.data, name.len);
    at[name.len] = '\0';
    l->waiting_len = (size_t)(at + name.len + 1 - l->waiting);
}

/* The last of those. Returns as agent_ask; -2: there is none. */
static int next_folder(struct worker *w)
{
    struct listing *l = &w->listing;

    if (!l->search || l->waiting_len == 0)
        return -2;
    const char *end = l->waiting + l->waiting_len - 1;
    const char *begin = end;
    while (begin > l->waiting && begin[-1] != '\0')
        begin--;
    l->path_len = (size_t)(end - begin);
    memcpy(l->path, begin, l->path_len + 1);
    l->waiting_len = (size_t)(begin - l->waiting);
    l->entries.last = false;
    l->entries.at = l->entries.len = 0;
    (void)agent_file_close(&w->agent, &w->file, CLOSE_WHOLE);
    const int result = agent_folder_open(&w->agent, slice_of(l->path, l->path_len), &w->file);
    if (result > 0) { /* it may be gone, or closed to this account: the others are searched */
        l->entries.last = true;
        return 0;
    }
    return result;
}

/* The next entry that is to be shown: 1; 0: there is none left; 2: not found yet, a search takes
 * its time; -1: the agent is gone. */
int listing_next(struct worker *w, struct directory_entry *entry)
{
    struct listing *l = &w->listing;
    struct agent_entries *e = &l->entries;

    for (;;) {
        const int got = agent_entries_take(e, entry);
        if (got < 0)
            return -1;
        if (got == 0) {
            const int result =
                e->last ? next_folder(w) : agent_entries_next(&w->agent, w->file.handle, false, e);
            if (result == -1)
                return -1;
            if (result == -2)
                return 0;
            if (result > 0) {
                l->error = result;
                e->last = true;
            }
            if (l->search)
                return 2;
            continue;
        }
        if (slice_is(entry->name, ".") || slice_is(entry->name, ".."))
            continue;
        if (l->search && S_ISDIR(entry->mode))
            remember_folder(l, entry->name);
        if (!l->search || name_has(entry->name, l->needle))
            return 1;
    }
}

/* ---- the stream ----------------------------------------------------------------------------- */

static void write_begin(struct worker *w, struct json_out *j)
{
    const struct listing *l = &w->listing;

    json_open(j, '{');
    json_name(j, "path", slice_of(l->path, l->path_len));
    write_rights(j, l->rights);
    json_key(j, "entries");
    json_open(j, '[');
    writer_text(j->writer, "\n");
}

static void write_end(struct worker *w, struct writer *writer)
{
    const struct listing *l = &w->listing;

    writer_text(writer, l->count > 0 ? "\n], \"count\": " : "], \"count\": ");
    writer_number(writer, l->count);
    if (l->error != 0)
        writer_text(writer,
                    ", \"error\": {\"error\": \"failed\", \"message\": \"Not all of it could be "
                    "listed.\"}");
    writer_text(writer, "}\n");
}

/* In a search, entries are named from the folder that it began in. */
static void write_entry(struct worker *w, struct writer *writer,
                        const struct directory_entry *entry)
{
    struct listing *l = &w->listing;
    const struct attributes a = ATTRIBUTES_OF(*entry);
    struct json_out j = json_out_of(writer);
    char name[TARGET_PATH_MAX + 258];
    size_t len = 0;

    if (l->count++ > 0)
        writer_text(writer, ",\n");
    if (l->search && l->path_len > l->root_len) {
        len = l->path_len - l->root_len;
        memcpy(name, l->path + l->root_len, len);
        name[len++] = '/';
    }
    memcpy(name + len, entry->name.data, entry->name.len);
    entry_write(w, &j, slice_of(l->path, l->search ? l->root_len : l->path_len),
                slice_of(name, len + entry->name.len), &a);
}

/* As many as have room; but what the agent has told goes out before it is asked again. */
static ssize_t fill_listing(struct worker *w, uint8_t *bytes, size_t size)
{
    struct listing *l = &w->listing;
    struct writer writer = writer_of((char *)bytes, size);
    struct json_out j = json_out_of(&writer);
    struct directory_entry entry;

    if (l->ending)
        return 0;
    if (!l->first) {
        l->first = true;
        write_begin(w, &j);
    }
    while (size - writer.len >= 2 * LINE_MOST) {
        const int found = listing_next(w, &entry);
        if (found < 0)
            return -1;
        if (found == 0) {
            write_end(w, &writer);
            l->ending = true;
            break;
        }
        if (found == 2 && writer.len == 0)
            writer_text(&writer, " "); /* nothing yet: the client sees that it goes on */
        if (found == 2)
            break;
        write_entry(w, &writer, &entry);
        if (l->entries.at == l->entries.len)
            break;
    }
    return writer_done(&writer);
}

int listing_open(struct worker *w, struct slice path)
{
    struct listing *l = &w->listing;

    l->first = l->entries.last = l->ending = false;
    l->error = 0;
    l->count = 0;
    l->entries.at = l->entries.len = l->waiting_len = 0;
    memmove(l->path, path.data, path.len); /* it may stand there already */
    l->path_len = path.len;
    l->root_len = path.len > 1 ? path.len + 1 : 1;
    int result = agent_folder_open(&w->agent, path, &w->file);
    if (result != 0)
        return result;
    l->rights = w->file.seen.rights;
    /* Its first names at once: a folder that cannot be read is answered with an error alone. */
    result = agent_entries_next(&w->agent, w->file.handle, false, &l->entries);
    if (result > 0)
        (void)agent_file_close(&w->agent, &w->file, CLOSE_WHOLE);
    return result;
}

static void begin(struct worker *w)
{
    struct slice path;

    if (!query_path(w, w->listing.path, sizeof(w->listing.path), &path) || !login_agent(w))
        return;
    const int result = listing_open(w, path);
    if (result != 0) {
        answer_errno(w, result);
        return;
    }
    answer_begin(w, 200, RESPONSE_API);
    response_text(&w->head, "Content-Type", "application/json");
    answer_stream(w, fill_listing);
}

static void begin_list(struct worker *w)
{
    w->listing.search = false;
    begin(w);
}

static void begin_search(struct worker *w)
{
    struct listing *l = &w->listing;
    struct slice text;

    l->search = true;
    if (form_get(w->exchange.request.query, "text", l->needle, sizeof(l->needle), &text) !=
            FORM_FOUND ||
        text.len == 0 || text.len >= sizeof(l->needle)) {
        answer_error(w, 400, "bad_request", "Say what to look for: ?text=");
        return;
    }
    for (size_t i = 0; i < text.len; i++)
        l->needle[i] = (char)tolower((unsigned char)l->needle[i]);
    l->needle[text.len] = '\0';
    if (l->waiting == NULL && (l->waiting = malloc(WAITING_MOST)) == NULL) {
        answer_error(w, 503, "busy", "The server has no memory for it.");
        return;
    }
    begin(w);
}

static void done(struct worker *w)
{
    (void)agent_file_close(&w->agent, &w->file, CLOSE_WHOLE);
}

const struct handler handle_list = {.begin = begin_list, .done = done};
const struct handler handle_search = {.begin = begin_search, .done = done};
