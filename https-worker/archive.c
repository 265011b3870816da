/* Several files, or a folder with all in it, as one zip: made by libarchive while it is sent, never
 * as a whole. The agent walks the folders; what cannot be opened is left out, and a list of it ends
 * the archive. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/base64.h"
#include "common/calendar.h"
#include "common/utf8.h"
#include "https-worker/disposition.h"
#include "https-worker/grammar.h"
#include "https-worker/media_type.h"
#include "https-worker/worker.h"

#define WAITING_MOST (1u << 20) /* bytes of names still to be put in */
#define MISSING_MOST 65536      /* of the list of what is left out */
#define PACKED_MOST  (64u << 20)
#define NAME_MOST    (3 * (TARGET_PATH_MAX + 2) + 1)
#define MISSING_NAME "files that are missing here.txt"

static void done_zip(struct worker *w);

/* ---- bytes out ------------------------------------------------------------------------------ */

static la_ssize_t take_bytes(struct archive *a, void *owner, const void *bytes, size_t len)
{
    struct worker *w = owner;
    struct bundle *b = &w->bundle;

    if (len > b->room - b->len) {
        const size_t room = 2 * (b->len + len);
        uint8_t *more = realloc(b->bytes, room);
        if (more == NULL) {
            archive_set_error(a, ENOMEM, "no memory");
            return -1;
        }
        b->bytes = more;
        b->room = room;
    }
    memcpy(b->bytes + b->len, bytes, len);
    b->len += len;
    return (la_ssize_t)len;
}

static int begin_archive(struct worker *w)
{
    struct bundle *b = &w->bundle;

    b->archive = archive_write_new();
    return b->archive != NULL && archive_write_set_format_zip(b->archive) == ARCHIVE_OK &&
                   archive_write_set_format_option(b->archive, "zip", "compression-level", "1") ==
                       ARCHIVE_OK &&
                   archive_write_set_bytes_per_block(b->archive, 0) == ARCHIVE_OK &&
                   archive_write_open2(b->archive, w, NULL, take_bytes, NULL, NULL) == ARCHIVE_OK
               ? 0
               : -1;
}

/* Texts become much smaller. Most other files are packed already, and to try takes longer than to
 * send them. */
static bool worth_packing(struct slice name, const struct attributes *a)
{
    return a->size <= PACKED_MOST &&
           strncmp(media_type_of(name)->type, "text/", sizeof("text/") - 1) == 0;
}

/* Names in a zip are UTF-8: a byte that is part of no character becomes "%E4". text has room for
 * NAME_MOST bytes, as many as a path can need. */
static size_t write_text(struct slice name, char *text)
{
    size_t len = 0;
    uint32_t code;

    while (name.len > 0) {
        const uint8_t byte = name.data[0];
        const struct slice character = utf8_take(&name, &code);
        if (code == UTF8_NONE)
            len += (size_t)snprintf(text + len, NAME_MOST - len, "%%%02X", byte);
        else
            memcpy(text + len, character.data, character.len);
        len += code == UTF8_NONE ? 0 : character.len;
    }
    text[len] = '\0';
    return len;
}

/* The head of an entry; its bytes follow. */
static int put_head(struct worker *w, struct slice name, const struct attributes *a)
{
    char text[NAME_MOST];
    struct archive_entry *entry = archive_entry_new();

    if (entry == NULL)
        return -1;
    write_text(name, text);
    archive_entry_set_pathname(entry, text);
    archive_entry_set_filetype(entry, S_ISDIR(a->mode) ? AE_IFDIR : AE_IFREG);
    archive_entry_set_perm(entry, (S_ISDIR(a->mode) ? 0755 : 0644));
    archive_entry_set_size(entry, S_ISDIR(a->mode) ? 0 : (la_int64_t)a->size);
    archive_entry_set_mtime(entry, seconds_of(a->mtime_ns), 0);
    if (worth_packing(name, a))
        archive_write_zip_set_compression_deflate(w->bundle.archive);
    else
        archive_write_zip_set_compression_store(w->bundle.archive);
    const int r = archive_write_header(w->bundle.archive, entry);
    archive_entry_free(entry);
    return r == ARCHIVE_OK || r == ARCHIVE_WARN ? 0 : -1;
}

/* What libraries read at their first use (tables of characters, the time zone) are files. Names are
 * UTF-8; times are UTC. */
int archive_prepare(void)
{
    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL || setenv("TZ", "UTC0", 1) < 0)
        return -1;
    tzset();
    return 0;
}

/* ---- what goes in --------------------------------------------------------------------------- */

/* A name below the folder of the request, with a NUL: to be looked at later. */
static int remember(struct bundle *b, struct slice folder, struct slice name)
{
    const size_t len = folder.len + (folder.len > 0) + name.len + 1;

    if (len > TARGET_PATH_MAX || b->waiting_len + len > WAITING_MOST)
        return -1;
    char *at = b->waiting + b->waiting_len;
    if (folder.len > 0) {
        memcpy(at, folder.data, folder.len);
        at += folder.len;
        *at++ = '/';
    }
    memcpy(at, name.data, name.len);
    at[name.len] = '\0';
    b->waiting_len += len;
    return 0;
}

static void left_out(struct bundle *b, struct slice name)
{
    if (NAME_MOST > MISSING_MOST - b->missing_len)
        return; /* the list is long enough to say that something is wrong */
    b->missing_len += write_text(name, b->missing + b->missing_len);
    b->missing[b->missing_len++] = '\n';
}

/* All names in the folder that is open are remembered; it is small work beside sending them. */
static int read_folder(struct worker *w, struct slice name)
{
    struct directory_entry entry;
    char copy[TARGET_PATH_MAX + 1];
    int found;

    memcpy(copy, name.data, name.len);
    const struct slice folder = slice_of(copy, name.len);
    while ((found = listing_next(w, &entry)) == 1) {
        if (remember(&w->bundle, folder, entry.name) < 0)
            left_out(&w->bundle, folder);
    }
    if (w->listing.error != 0)
        left_out(&w->bundle, folder);
    return found;
}

/* The next of what is remembered: a folder's names, or a file that is opened. Returns -1: it cannot
 * go on. */
static int next_name(struct worker *w)
{
    struct bundle *b = &w->bundle;
    const char *begin = b->waiting + b->waiting_len - 1;
    char path[2 * TARGET_PATH_MAX], name[TARGET_PATH_MAX + 2];
    struct attributes seen;

    while (begin > b->waiting && begin[-1] != '\0')
        begin--;
    int len = snprintf(name, sizeof(name), "%s", begin);
    b->waiting_len = (size_t)(begin - b->waiting);
    const int path_len = snprintf(path, sizeof(path), "%s%s%s", b->folder,
                                  strcmp(b->folder, "/") == 0 ? "" : "/", name);
    const struct slice at = slice_of(path, (size_t)path_len);
    int result =
        (size_t)path_len > TARGET_PATH_MAX ? ENAMETOOLONG : agent_look(&w->agent, at, true, &seen);
    if (result == 0 && S_ISDIR(seen.mode))
        result = listing_open(w, at);
    else if (result == 0)
        result = agent_file_open(&w->agent, at, OPEN_READ, &w->file);
    if (result < 0)
        return -1;
    if (result > 0) {
        left_out(b, slice_of(name, (size_t)len));
        return 0;
    }
    if (!S_ISDIR(seen.mode)) {
        b->left = w->file.seen.size;
        return put_head(w, slice_of(name, (size_t)len), &w->file.seen);
    }
    result = read_folder(w, slice_of(name, (size_t)len));
    (void)agent_file_close(&w->agent, &w->file, CLOSE_WHOLE);
    name[len++] = '/';
    return result < 0 ? -1 : put_head(w, slice_of(name, (size_t)len), &seen);
}

/* A piece of the file that is open. One that has become shorter is filled up: its head says how
 * long it is. */
static int put_piece(struct worker *w)
{
    struct bundle *b = &w->bundle;
    const size_t most = b->left < BULK ? (size_t)b->left : BULK;
    ssize_t n = most > 0 ? pread(w->file.fd, w->piece, most, (off_t)w->file.bytes_read) : 0;

    if (n < 0)
        return -1;
    if (n == 0 && most > 0) {
        memset(w->piece, 0, most);
        n = (ssize_t)most;
    }
    if (n > 0 && archive_write_data(b->archive, w->piece, (size_t)n) != n)
        return -1;
    b->left -= (uint64_t)n;
    w->file.bytes_read += (uint64_t)n;
    if (b->left > 0)
        return 0;
    (void)agent_file_close(&w->agent, &w->file, CLOSE_WHOLE);
    return archive_write_finish_entry(b->archive) == ARCHIVE_OK ? 0 : -1;
}

static int end_archive(struct worker *w)
{
    struct bundle *b = &w->bundle;
    const struct attributes text = {
        .mode = S_IFREG, .size = b->missing_len, .mtime_ns = (int64_t)time(NULL) * NANO};

    b->ended = true;
    if (b->missing_len > 0 &&
        (put_head(w, slice_text(MISSING_NAME), &text) < 0 ||
         archive_write_data(b->archive, b->missing, b->missing_len) != (la_ssize_t)b->missing_len))
        return -1;
    return archive_write_close(b->archive) == ARCHIVE_OK ? 0 : -1;
}

static ssize_t fill_zip(struct worker *w, uint8_t *bytes, size_t size)
{
    struct bundle *b = &w->bundle;
    int r = 0;

    while (r == 0 && b->at == b->len && !b->ended) {
        b->at = b->len = 0;
        r = w->file.open ? put_piece(w) : b->waiting_len > 0 ? next_name(w) : end_archive(w);
    }
    if (r < 0)
        return -1;
    const size_t n = b->len - b->at < size ? b->len - b->at : size;
    memcpy(bytes, b->bytes + b->at, n);
    b->at += n;
    return (ssize_t)n;
}

/* ---- the request ---------------------------------------------------------------------------- */

/* A value of the form as size bytes; raw: it is in base64, as browsers send no name as it is that
 * is no UTF-8 or has a line break. Returns the length or -1. */
static ssize_t decode_bytes(struct slice value, bool raw, char *bytes, size_t size)
{
    char letters[BASE64_LENGTH(TARGET_PATH_MAX) + 1];

    if (!raw)
        return form_decode(value, bytes, size);
    const ssize_t len = form_decode(value, letters, sizeof(letters));
    const ssize_t n =
        len < 0 ? -1 : base64_decode(slice_of(letters, (size_t)len), (uint8_t *)bytes, size);
    return n > 0 && memchr(bytes, 0, (size_t)n) == NULL ? n : -1;
}

/* The folder of the form: one, in either way. */
static bool read_top(struct bundle *b, struct slice form)
{
    struct form_pair pair;
    unsigned found = 0;

    while (form_next(&form, &pair)) {
        const bool raw = form_named(&pair, "folder_raw");
        if (!raw && !form_named(&pair, "folder"))
            continue;
        const ssize_t n = decode_bytes(pair.value, raw, b->folder, sizeof(b->folder) - 1);
        if (n <= 0 || b->folder[0] != '/')
            return false;
        b->folder[n] = '\0';
        found++;
    }
    return found == 1;
}

/* Is it a name in the folder, or a path below it, as a search tells them? */
static bool is_below(struct slice path)
{
    while (path.len > 0) {
        const struct slice name = slice_until(&path, '/');
        if (name.len == 0 || slice_is(name, ".") || slice_is(name, "..") ||
            (slice_skip(&path, "/") && path.len == 0))
            return false;
    }
    return true;
}

/* The names of the form: of the folder that it names, nothing else. */
static bool read_names(struct worker *w, struct slice form)
{
    struct bundle *b = &w->bundle;
    struct slice rest = form;
    struct form_pair pair;
    char name[TARGET_PATH_MAX];

    if (!read_top(b, form))
        return false;
    while (form_next(&rest, &pair)) {
        const bool raw = form_named(&pair, "name_raw");
        if (!raw && !form_named(&pair, "name"))
            continue;
        const ssize_t n = decode_bytes(pair.value, raw, name, sizeof(name));
        const struct slice one = slice_of(name, n > 0 ? (size_t)n : 0);
        if (n <= 0 || !is_below(one) || remember(b, slice_of(NULL, 0), one) < 0)
            return false;
    }
    return b->waiting_len > 0;
}

/* "Folder.zip"; the one name's, where there is but one. */
static void write_name(struct worker *w)
{
    const struct bundle *b = &w->bundle;
    const char *slash = strrchr(b->folder, '/');
    const bool one = strlen(b->waiting) + 1 == b->waiting_len;
    const char *inner = one ? strrchr(b->waiting, '/') : NULL;
    const char *base = inner != NULL      ? inner + 1
                       : one              ? b->waiting
                       : slash[1] != '\0' ? slash + 1
                                          : "files";
    char name[300];

    const int len = snprintf(name, sizeof(name), "%.255s.zip", base);
    disposition_write(response_open(&w->head, "Content-Disposition"), "attachment",
                      slice_of(name, (size_t)len));
    response_close(&w->head);
}

static void end_zip(struct worker *w)
{
    const struct slice form = slice_of(w->collected, w->collected_len);
    struct bundle *b = &w->bundle;
    char token[80];
    struct slice token_is;

    if (w->by_cookie && (form_get(form, "csrf", token, sizeof(token), &token_is) != FORM_FOUND ||
                         !token_right(w, token_is))) {
        answer_error(w, 403, "bad_token", "The page is out of date: load it again.");
        return;
    }
    b->waiting = malloc(WAITING_MOST);
    b->missing = malloc(MISSING_MOST);
    if (b->waiting == NULL || b->missing == NULL || !worker_buffer(w, &w->piece)) {
        answer_error(w, 503, "busy", "The server has no memory for it.");
        return;
    }
    if (!read_names(w, form)) {
        answer_error(w, 400, "bad_request", "Say which: folder=/... and name=...");
        return;
    }
    if (!login_agent(w))
        return;
    if (begin_archive(w) < 0) {
        answer_error(w, 500, "failed", "The archive could not be begun.");
        return;
    }
    w->listing.search = false;
    answer_begin(w, 200, RESPONSE_DOWNLOAD);
    response_text(&w->head, "Content-Type", "application/zip");
    write_name(w);
    answer_stream(w, fill_zip);
    w->exchange.answer.paced = true;
}

static void done_zip(struct worker *w)
{
    struct bundle *b = &w->bundle;

    (void)agent_file_close(&w->agent, &w->file, CLOSE_BROKEN);
    if (b->archive != NULL)
        archive_write_free(b->archive);
    free(b->waiting);
    free(b->missing);
    free(b->bytes);
    *b = (struct bundle){0};
}

const struct handler handle_zip = {.end = end_zip, .done = done_zip};
