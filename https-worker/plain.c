/* Folders without scripts: a listing with links, and a form that uploads one file. Called for
 * people whose browser runs no scripts, or who have turned them off. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/calendar.h"
#include "common/operations.h"
#include "https-worker/template.h"
#include "https-worker/worker.h"

#define ROW_MOST     (12 * 1024) /* HTML of one entry */
#define PART_MOST    8192        /* of any other part */
#define NAMES_MOST   (64u << 20) /* bytes of entries that are sorted */
#define ADDRESS_MOST (3 * TARGET_PATH_MAX + 16)

/* ---- entries, sorted ------------------------------------------------------------------------ */

/* One entry in w->plain.memory; its name, with a NUL, stands behind it. */
struct plain_entry {
    struct attributes seen;
    uint32_t len;
    char name[];
};

static int before(const void *a, const void *b)
{
    const struct plain_entry *x = *(const struct plain_entry *const *)a,
                             *y = *(const struct plain_entry *const *)b;
    const int folders = S_ISDIR(y->seen.mode) - S_ISDIR(x->seen.mode);

    return folders != 0 ? folders : strcasecmp(x->name, y->name);
}

static int keep_entry(struct plain *p, const struct directory_entry *entry,
                      const struct attributes *seen)
{
    struct plain_entry *e = malloc(sizeof(*e) + entry->name.len + 1);

    if (p->count == p->room) {
        const size_t room = p->room > 0 ? 2 * p->room : 256;
        struct plain_entry **more = realloc(p->entries, room * sizeof(*more));
        if (more == NULL) {
            free(e);
            return -1;
        }
        p->entries = more;
        p->room = room;
    }
    p->bytes += sizeof(*e) + entry->name.len + 1 + sizeof(e);
    if (e == NULL || p->bytes > NAMES_MOST) {
        free(e);
        return -1;
    }
    *e = (struct plain_entry){.seen = *seen, .len = (uint32_t)entry->name.len};
    memcpy(e->name, entry->name.data, entry->name.len);
    e->name[entry->name.len] = '\0';
    p->entries[p->count++] = e;
    return 0;
}

/* All of the folder. Returns as agent_ask. */
static int collect(struct worker *w, struct slice path)
{
    struct plain *p = &w->plain;
    struct directory_entry entry;
    int found, result;

    w->listing.search = false;
    if ((result = listing_open(w, path)) != 0)
        return result;
    while ((found = listing_next(w, &entry)) == 1) {
        const struct attributes a = ATTRIBUTES_OF(entry);
        /* The name is copied before the agent is asked what a link leads to. */
        if (keep_entry(p, &entry, &a) < 0) {
            p->notice = "There are more files than can be shown here.";
            break;
        }
        if (S_ISLNK(a.mode)) {
            struct plain_entry *e = p->entries[p->count - 1];
            e->seen = entry_followed(w, path, slice_of(e->name, e->len), &a);
        }
    }
    if (found < 0)
        return -1;
    if (w->listing.error != 0)
        p->notice = "Not all of it could be listed.";
    if (p->count > 0)
        qsort(p->entries, p->count, sizeof(p->entries[0]), before);
    return 0;
}

/* ---- parts ---------------------------------------------------------------------------------- */

static void size_text(uint64_t size, char *text, size_t room)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    size_t unit = 0;
    double n = (double)size;

    for (; n >= 1000 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++)
        n /= 1000;
    snprintf(text, room, unit > 0 && n < 10 ? "%.1f %s" : "%.0f %s", n, units[unit]);
}

static void put_part(struct worker *w, struct writer *out, const char *part,
                     const struct value *own, size_t count)
{
    struct value values[12] = {
        {"static", slice_text(page_static())},
        {"organisation", w->setup.organisation},
        {"account", slice_text(w->account)},
        {"csrf", slice_text(w->csrf)},
    };

    for (size_t i = 0; i < count; i++)
        values[4 + i] = own[i];
    template_put(out, "plain.html", part, values, 4 + count);
}

static void put_row(struct worker *w, struct writer *out, const struct plain_entry *e)
{
    const struct slice folder = slice_of(w->listing.path, w->listing.path_len);
    const struct calendar c = calendar_of(seconds_of(e->seen.mtime_ns));
    const bool is_folder = S_ISDIR(e->seen.mode);
    char address[ADDRESS_MOST], size[32] = "", changed[32], iso[32];
    struct writer link = writer_of(address, sizeof(address));

    writer_text(&link, is_folder ? "/plain" : "/files");
    writer_path(&link, folder);
    if (folder.len > 1)
        writer_text(&link, "/");
    writer_path(&link, slice_of(e->name, e->len));
    const ssize_t len = writer_done(&link);
    if (S_ISREG(e->seen.mode))
        size_text(e->seen.size, size, sizeof(size));
    snprintf(changed, sizeof(changed), "%04u-%02u-%02u %02u:%02u", c.year, c.month, c.day, c.hour,
             c.minute);
    snprintf(iso, sizeof(iso), "%04u-%02u-%02uT%02u:%02u:%02uZ", c.year, c.month, c.day, c.hour,
             c.minute, c.second);
    const struct value values[] = {
        {"kind", slice_text(entry_type(e->seen.mode))},
        {"address", slice_of(address, len > 0 ? (size_t)len : 0)},
        {"name", slice_of(e->name, e->len)},
        {"size", slice_text(size)},
        {"changed", slice_text(changed)},
        {"changed_iso", slice_text(iso)},
    };
    put_part(w, out, "row", values, sizeof(values) / sizeof(values[0]));
}

/* All that stands before the rows. */
static void put_begin(struct worker *w, struct writer *out)
{
    const struct slice path = slice_of(w->listing.path, w->listing.path_len);
    const uint8_t *slash = memrchr(path.data, '/', path.len);
    const size_t at = (size_t)(slash - path.data);
    char address[ADDRESS_MOST];
    struct writer above = writer_of(address, sizeof(address));
    const struct value folder = {"folder", path.len > 1 ? slice_of(slash + 1, path.len - at - 1)
                                                        : slice_text("Files")};
    const struct value notice = {"notice", slice_text(w->plain.notice)};

    put_part(w, out, "head", &folder, 1);
    if (w->plain.notice[0] != '\0')
        put_part(w, out, "notice", &notice, 1);
    if (path.len > 1) {
        writer_text(&above, "/plain");
        writer_path(&above, slice_of(path.data, at > 0 ? at : 1));
        const struct value value = {"above",
                                    slice_of(address, above.bad ? 0 : (size_t)writer_done(&above))};
        put_part(w, out, "above", &value, 1);
    }
    put_part(w, out, "table", NULL, 0);
}

static void put_end(struct worker *w, struct writer *out)
{
    char address[ADDRESS_MOST];
    struct writer here = writer_of(address, sizeof(address));

    put_part(w, out, "end", NULL, 0);
    if (w->plain.count == 0)
        put_part(w, out, "empty", NULL, 0);
    if ((w->listing.rights & RIGHT_WRITE) != 0) {
        writer_text(&here, "/plain");
        writer_path(&here, slice_of(w->listing.path, w->listing.path_len));
        const struct value value = {"here",
                                    slice_of(address, here.bad ? 0 : (size_t)writer_done(&here))};
        put_part(w, out, "upload", &value, 1);
    }
    put_part(w, out, "foot", NULL, 0);
}

static ssize_t fill_plain(struct worker *w, uint8_t *bytes, size_t size)
{
    struct plain *p = &w->plain;
    struct writer out = writer_of((char *)bytes, size);

    if (p->ended)
        return 0;
    if (!p->begun)
        put_begin(w, &out);
    p->begun = true;
    while (p->next < p->count && size - out.len >= ROW_MOST + 4 * PART_MOST)
        put_row(w, &out, p->entries[p->next++]);
    if (p->next == p->count && size - out.len >= 4 * PART_MOST) {
        put_end(w, &out);
        p->ended = true;
    }
    return writer_done(&out);
}

/* ---- the page ------------------------------------------------------------------------------- */

static void forget(struct plain *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->entries[i]);
    free(p->entries);
    *p = (struct plain){.notice = ""};
}

static void answer_listing(struct worker *w, unsigned status, const char *notice)
{
    forget(&w->plain);
    w->plain.notice = notice;
    (void)agent_file_close(&w->agent, &w->file, CLOSE_BROKEN);
    const int result = collect(w, w->exchange.rest);
    (void)agent_file_close(&w->agent, &w->file, CLOSE_WHOLE);
    if (result != 0) {
        answer_errno(w, result);
        return;
    }
    answer_begin(w, status, RESPONSE_PAGE);
    response_text(&w->head, "Content-Type", "text/html; charset=utf-8");
    answer_stream(w, fill_plain);
}

static void begin_plain(struct worker *w)
{
    if (login_agent(w))
        answer_listing(w, 200, "");
}

static void done_plain(struct worker *w)
{
    forget(&w->plain);
    (void)agent_file_close(&w->agent, &w->file, CLOSE_BROKEN);
}

const struct handler handle_plain = {.begin = begin_plain, .done = done_plain};

/* ---- the form ------------------------------------------------------------------------------- */

static void begin_plain_put(struct worker *w)
{
    struct form_upload *u = &w->form_upload;

    u->csrf_right = !w->by_cookie;
    u->whole = false;
    if (!login_agent(w))
        return;
    if (multipart_begin(&u->form, fields_get(&w->exchange.request.fields, FIELD_CONTENT_TYPE)) < 0)
        answer_error(w, u->form.refusal.status, "bad_request", u->form.refusal.why);
}

/* The file of the form begins: under its own name, in the folder of the page. */
static void begin_file(struct worker *w)
{
    const struct disposition *part = &w->form_upload.form.part;
    const struct slice folder = w->exchange.rest;
    char path[TARGET_PATH_MAX + 1];
    struct writer at = writer_of(path, sizeof(path));

    if (!w->form_upload.csrf_right) {
        answer_error(w, 403, "not_allowed", "The page is out of date: load it again.");
        return;
    }
    if (part->file_len == 0) {
        answer_listing(w, 400, "Choose a file first.");
        return;
    }
    writer_put(&at, folder);
    if (folder.len > 1)
        writer_text(&at, "/");
    writer_put(&at, slice_of(part->filename, part->file_len));
    const ssize_t len = writer_done(&at);
    const int error = len > 0 ? upload_open(w, slice_of(path, (size_t)len), true) : ENAMETOOLONG;
    if (error == EEXIST)
        answer_listing(w, 409, "A file of this name is there already, and stays as it is.");
    else if (error < 0)
        answer_errno(w, error);
    else if (error != 0)
        answer_listing(w, answer_status(error), answer_sentence(w, error));
}

static void piece_plain_put(struct worker *w, struct slice bytes)
{
    struct form_upload *u = &w->form_upload;
    struct slice piece;
    int error = 0;

    while (!w->exchange.answer.begun && !w->stop.asked) {
        switch (multipart_next(&u->form, &bytes, &piece)) {
        case MULTIPART_MORE:
            return;
        case MULTIPART_FIELD:
            if (slice_is(slice_of(u->form.part.name, u->form.part.len), "csrf"))
                u->csrf_right =
                    u->csrf_right || token_right(w, slice_of(u->form.value, u->form.value_len));
            break;
        case MULTIPART_FILE:
            begin_file(w);
            break;
        case MULTIPART_PIECE:
            if ((error = upload_write(w, piece)) != 0)
                answer_listing(w, answer_status(error), answer_sentence(w, error));
            break;
        case MULTIPART_FILE_END:
            if ((error = agent_file_close(&w->agent, &w->file, CLOSE_WHOLE)) != 0)
                answer_listing(w, answer_status(error), answer_sentence(w, error));
            u->whole = error == 0;
            break;
        default:
            answer_error(w, u->form.refusal.status, "bad_request", u->form.refusal.why);
        }
    }
}

static void end_plain_put(struct worker *w)
{
    struct form_upload *u = &w->form_upload;

    if (multipart_end(&u->form) < 0) {
        answer_error(w, u->form.refusal.status, "bad_request", u->form.refusal.why);
    } else if (!u->whole) {
        answer_listing(w, 400, "Choose a file first.");
    } else {
        answer_begin(w, 303, RESPONSE_API);
        struct writer *location = response_open(&w->head, "Location");
        writer_text(location, "/plain");
        writer_path(location, w->exchange.rest);
        response_close(&w->head);
        answer_content(w, slice_text(""));
    }
}

const struct handler handle_plain_put = {
    .begin = begin_plain_put, .piece = piece_plain_put, .end = end_plain_put, .done = done_plain};
