/* What is done to files and folders but for their content: made, renamed, deleted, asked about.
 * Requests are JSON; each is one question to the agent, or as many as a folder needs. */
#include <errno.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base64.h"
#include "https-worker/json_in.h"
#include "https-worker/json_out.h"
#include "https-worker/worker.h"

#define STEPS_MOST  200        /* files deleted in one step */
#define DIGEST_STEP (8u << 20) /* bytes read in one step */

/* ---- requests ------------------------------------------------------------------------------- */

/* A path: a text, or {"raw": base64} where its bytes are no UTF-8. Returns false: it is none. */
static bool path_of(const json_t *value, char *path, struct slice *found)
{
    const json_t *raw = json_is_object(value) ? json_object_get(value, "raw") : NULL;
    const char *text = json_string_value(raw != NULL ? raw : value);
    size_t len = json_string_length(raw != NULL ? raw : value);

    if (text == NULL || len == 0 || len > (raw != NULL ? 2 * TARGET_PATH_MAX : TARGET_PATH_MAX))
        return false;
    if (raw != NULL) {
        const ssize_t n = base64_decode(slice_of(text, len), (uint8_t *)path, TARGET_PATH_MAX);
        if (n <= 0)
            return false;
        len = (size_t)n;
    } else {
        memcpy(path, text, len);
    }
    *found = slice_of(path, len);
    return path[0] == '/' && memchr(path, 0, len) == NULL;
}

static bool member_path(struct worker *w, const json_t *body, const char *name, char *path,
                        struct slice *found)
{
    char message[80];

    if (path_of(json_object_get(body, name), path, found))
        return true;
    snprintf(message, sizeof(message), "Say which: \"%s\": \"/...\"", name);
    answer_error(w, 400, "bad_request", message);
    return false;
}

static void answer_done(struct worker *w, unsigned status, int result)
{
    if (result != 0) {
        answer_errno(w, result);
        return;
    }
    answer_begin(w, status, RESPONSE_API);
    if (status == 204)
        answer_end(w);
    else
        answer_content(w, slice_text(""));
}

/* ---- making and renaming -------------------------------------------------------------------- */

static void end_mkdir(struct worker *w)
{
    char path[TARGET_PATH_MAX + 1];
    struct slice found;
    json_t *body = json_body(w);

    if (body != NULL && member_path(w, body, "path", path, &found) && login_agent(w)) {
        const struct file_mkdir ask = {.path = found, .mode = 0777};
        answer_done(w, 201, agent_do(&w->agent, MSG_file_mkdir, &ask));
    }
    json_decref(body);
}

const struct handler handle_mkdir = {.end = end_mkdir};

static void end_rename(struct worker *w)
{
    char from[TARGET_PATH_MAX + 1], to[TARGET_PATH_MAX + 1];
    struct slice from_is, to_is;
    json_t *body = json_body(w);

    if (body != NULL && member_path(w, body, "from", from, &from_is) &&
        member_path(w, body, "to", to, &to_is) && login_agent(w)) {
        const struct file_rename ask = {.from = from_is,
                                        .to = to_is,
                                        .replace = json_is_true(json_object_get(body, "replace"))};
        answer_done(w, 204, agent_do(&w->agent, MSG_file_rename, &ask));
    }
    json_decref(body);
}

const struct handler handle_rename = {.end = end_rename};

/* ---- deleting ------------------------------------------------------------------------------- */

static int delete_name(struct worker *w, struct slice path, bool folder)
{
    const struct file_remove file = {.path = path};
    const struct file_rmdir empty = {.path = path};

    return folder ? agent_do(&w->agent, MSG_file_rmdir, &empty)
                  : agent_do(&w->agent, MSG_file_remove, &file);
}

/* A file, or an empty folder. Who may delete may not be allowed to look: then it is tried. */
static int delete_either(struct worker *w, struct slice path)
{
    struct attributes seen;
    int result = agent_look(&w->agent, path, false, &seen);

    if (result == 0)
        return delete_name(w, path, S_ISDIR(seen.mode));
    if (result != EACCES && result != EPERM)
        return result;
    result = delete_name(w, path, false);
    return result == EISDIR ? delete_name(w, path, true) : result;
}

void deletion_begin(struct worker *w, struct slice path)
{
    struct deletion *d = &w->deletion;

    d->root_len = d->len = path.len;
    memcpy(d->path, path.data, path.len);
    d->inside = false;
}

/* Go into the folder, delete its files, and go on with the first folder in it; when it is empty it
 * goes itself, and the one above is looked at anew. Returns 0 when all is done; EAGAIN: there is
 * more to do; another errno, or -1, as agent_ask. */
static int empty_folder(struct worker *w, size_t *steps)
{
    struct deletion *d = &w->deletion;
    struct agent_entries *entries = &w->listing.entries;
    struct directory_entry entry;
    int result =
        w->file.open ? 0 : agent_folder_open(&w->agent, slice_of(d->path, d->len), &w->file);

    if (result != 0)
        return result;
    if ((result = agent_entries_next(&w->agent, w->file.handle, false, entries)) != 0)
        return result;
    while (entries->at < entries->len) {
        if (agent_entries_take(entries, &entry) < 0)
            return -1;
        if (slice_is(entry.name, ".") || slice_is(entry.name, ".."))
            continue;
        if (d->len + 1 + entry.name.len > TARGET_PATH_MAX)
            return ENAMETOOLONG;
        const size_t len = d->len + 1 + entry.name.len;
        d->path[d->len] = '/';
        memcpy(d->path + d->len + 1, entry.name.data, entry.name.len);
        if (S_ISDIR(entry.mode)) {
            d->len = len;
            (void)agent_file_close(&w->agent, &w->file, CLOSE_WHOLE);
            return EAGAIN;
        }
        if ((result = delete_name(w, slice_of(d->path, len), false)) != 0)
            return result;
        ++*steps;
    }
    if (!entries->last)
        return EAGAIN;
    (void)agent_file_close(&w->agent, &w->file, CLOSE_WHOLE);
    if ((result = delete_name(w, slice_of(d->path, d->len), true)) != 0)
        return result;
    if (d->len == d->root_len)
        return 0;
    while (d->path[--d->len] != '/')
        ;
    return EAGAIN;
}

int deletion_step(struct worker *w)
{
    struct deletion *d = &w->deletion;
    size_t steps = 0;
    int result = EAGAIN;

    if (!d->inside) {
        result = delete_either(w, slice_of(d->path, d->len));
        if (result != ENOTEMPTY)
            return result;
        d->inside = true;
    }
    for (result = EAGAIN; result == EAGAIN && steps < STEPS_MOST; steps++)
        result = empty_folder(w, &steps);
    if (result != EAGAIN)
        (void)agent_file_close(&w->agent, &w->file, CLOSE_WHOLE);
    return result;
}

/* The answer: a result for each path, as it is done. */
static ssize_t fill_delete(struct worker *w, uint8_t *bytes, size_t size)
{
    struct deletion *d = &w->deletion;
    struct writer writer = writer_of((char *)bytes, size);
    struct json_out j = json_out_of(&writer);
    struct slice path;

    if (d->next > json_array_size(d->paths))
        return 0;
    if (!d->begun) {
        d->begun = true;
        writer_text(&writer, "{\"results\":[");
    }
    if (d->next == json_array_size(d->paths)) {
        writer_text(&writer, "\n]}\n");
        d->next++;
        return writer_done(&writer);
    }
    if (!d->doing) {
        if (!path_of(json_array_get(d->paths, d->next), d->path, &path) || path.len < 2)
            return -1; /* they were looked at before */
        deletion_begin(w, path);
        d->doing = true;
    }
    const int result = deletion_step(w);
    if (result < 0)
        return -1;
    if (result == EAGAIN) {
        writer_text(&writer, " ");
        return writer_done(&writer);
    }
    writer_text(&writer, d->next > 0 ? ",\n" : "\n");
    json_open(&j, '{');
    json_name(&j, "path", slice_of(d->path, d->root_len));
    json_key(&j, "error");
    if (result == 0)
        json_nothing(&j);
    else
        json_text(&j, slice_text(answer_sentence(w, result)));
    json_close(&j, '}');
    d->doing = false;
    d->next++;
    return writer_done(&writer);
}

static void end_delete(struct worker *w)
{
    struct deletion *d = &w->deletion;
    json_t *body = json_body(w), *paths = json_object_get(body, "paths");
    char path[TARGET_PATH_MAX + 1];
    struct slice found;
    bool good = json_is_array(paths) && json_array_size(paths) > 0;

    if (body == NULL)
        return;
    for (size_t i = 0; good && i < json_array_size(paths); i++)
        good = path_of(json_array_get(paths, i), path, &found) && found.len > 1;
    if (!good) {
        answer_error(w, 400, "bad_request", "Say which: \"paths\": [\"/...\"]");
    } else if (login_agent(w)) {
        d->paths = json_incref(paths);
        d->next = 0;
        d->begun = d->doing = false;
        answer_begin(w, 200, RESPONSE_API);
        response_text(&w->head, "Content-Type", "application/json");
        answer_stream(w, fill_delete);
    }
    json_decref(body);
}

static void done_delete(struct worker *w)
{
    (void)agent_file_close(&w->agent, &w->file, CLOSE_WHOLE);
    json_decref(w->deletion.paths);
    w->deletion.paths = NULL;
}

const struct handler handle_delete = {.end = end_delete, .done = done_delete};

/* DELETE of one address. */
static void begin_remove(struct worker *w)
{
    struct slice rest = w->exchange.request.query, path = w->exchange.rest;
    struct form_pair pair;
    bool recursive = false;
    int64_t said_ms = 0;
    int result;

    while (form_next(&rest, &pair))
        recursive |= form_named(&pair, "recursive");
    if (path.len < 2) {
        answer_error(w, 403, "not_allowed", "The account's own folder stays.");
        return;
    }
    if (!login_agent(w))
        return;
    if (recursive) {
        deletion_begin(w, path);
        while ((result = deletion_step(w)) == EAGAIN && !w->stop.asked)
            worker_breathe(w, &said_ms);
        if (w->stop.asked)
            return;
    } else {
        result = delete_either(w, path);
    }
    answer_done(w, 204, result);
}

static void done_remove(struct worker *w)
{
    (void)agent_file_close(&w->agent, &w->file, CLOSE_WHOLE);
}

const struct handler handle_remove = {.begin = begin_remove, .done = done_remove};

/* ---- questions ------------------------------------------------------------------------------ */

static void begin_stat(struct worker *w)
{
    char path[TARGET_PATH_MAX + 1], text[8 * TARGET_PATH_MAX];
    struct writer writer = writer_of(text, sizeof(text));
    struct json_out j = json_out_of(&writer);
    struct slice found;
    struct attributes seen;

    if (!query_path(w, path, sizeof(path), &found) || !login_agent(w))
        return;
    const int result = agent_look(&w->agent, found, false, &seen);
    if (result != 0) {
        answer_errno(w, result);
        return;
    }
    size_t slash = found.len;
    while (slash > 0 && path[slash - 1] != '/')
        slash--;
    entry_write(w, &j, slice_of(path, slash > 1 ? slash - 1 : 1),
                slice_of(path + slash, found.len - slash), &seen);
    writer_text(&writer, "\n");
    const ssize_t len = writer_done(&writer);
    answer_begin(w, 200, RESPONSE_API);
    response_text(&w->head, "Content-Type", "application/json");
    answer_content(w, slice_of(text, len > 0 ? (size_t)len : 0));
}

const struct handler handle_stat = {.begin = begin_stat};

/* ---- digests -------------------------------------------------------------------------------- */

static const char *const digest_names[DIGESTS] = {"SHA256", "MD5"};
static const char *const digest_keys[DIGESTS] = {"sha256", "md5"};

static ssize_t end_digest(struct worker *w, uint8_t *bytes, size_t size)
{
    struct writer writer = writer_of((char *)bytes, size);
    struct json_out j = json_out_of(&writer);
    uint8_t digest[EVP_MAX_MD_SIZE];
    char text[2 * EVP_MAX_MD_SIZE + 1];
    unsigned len;

    json_open(&j, '{');
    for (int i = 0; i < DIGESTS; i++) {
        if (EVP_DigestFinal_ex(w->digests[i], digest, &len) != 1)
            return -1;
        for (unsigned k = 0; k < len; k++)
            snprintf(text + 2 * k, 3, "%02x", digest[k]);
        json_key(&j, digest_keys[i]);
        json_text(&j, slice_of(text, 2 * len));
    }
    json_key(&j, "size");
    json_number(&j, w->file.bytes_read);
    json_close(&j, '}');
    writer_text(&writer, "\n");
    w->digest_ended = true;
    return writer_done(&writer);
}

static ssize_t fill_digest(struct worker *w, uint8_t *bytes, size_t size)
{
    if (w->digest_ended)
        return 0;
    for (size_t step = 0; step < DIGEST_STEP; step += BULK) {
        const ssize_t n = pread(w->file.fd, w->piece, BULK, (off_t)w->file.bytes_read);
        if (n < 0)
            return -1;
        if (n == 0)
            return end_digest(w, bytes, size);
        for (int i = 0; i < DIGESTS; i++) {
            if (EVP_DigestUpdate(w->digests[i], w->piece, (size_t)n) != 1)
                return -1;
        }
        w->file.bytes_read += (uint64_t)n;
    }
    bytes[0] = ' '; /* before the object: the client sees that it goes on */
    return 1;
}

static void begin_digest(struct worker *w)
{
    char path[TARGET_PATH_MAX + 1];
    struct slice found;

    if (!query_path(w, path, sizeof(path), &found) || !login_agent(w) ||
        !worker_buffer(w, &w->piece))
        return;
    const int result = agent_file_open(&w->agent, found, OPEN_READ, &w->file);
    if (result != 0) {
        answer_errno(w, result);
        return;
    }
    w->digest_ended = false;
    for (int i = 0; i < DIGESTS; i++) {
        if (EVP_DigestInit_ex2(w->digests[i], w->digest_types[i], NULL) != 1) {
            answer_error(w, 500, "failed", "The server could not do it.");
            return;
        }
    }
    answer_begin(w, 200, RESPONSE_API);
    response_text(&w->head, "Content-Type", "application/json");
    answer_stream(w, fill_digest);
}

const struct handler handle_digest = {.begin = begin_digest, .done = done_remove};

int digests_prepare(struct worker *w)
{
    for (int i = 0; i < DIGESTS; i++) {
        w->digest_types[i] = EVP_MD_fetch(NULL, digest_names[i], NULL);
        w->digests[i] = EVP_MD_CTX_new();
        if (w->digest_types[i] == NULL || w->digests[i] == NULL ||
            EVP_DigestInit_ex2(w->digests[i], w->digest_types[i], NULL) != 1)
            return -1;
    }
    return 0;
}
