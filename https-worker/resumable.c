/* Uploads that are resumed: tus 1.0.0 with creation, creation-with-upload, expiration, checksum and
 * termination. What has come lies with the agent, hidden beside the name it is for, and appears
 * under it when all has come; an upload's address holds that name and the agent's number. */
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>

#include "common/calendar.h"
#include "https-worker/upload_metadata.h"
#include "https-worker/worker.h"

#define TUS_VERSION "1.0.0"

void tus_fields(struct worker *w)
{
    response_text(&w->head, "Tus-Resumable", TUS_VERSION);
}

void tus_describe(struct worker *w)
{
    response_text(&w->head, "Tus-Version", TUS_VERSION);
    response_text(&w->head, "Tus-Extension",
                  "creation,creation-with-upload,expiration,checksum,termination");
    response_text(&w->head, "Tus-Checksum-Algorithm", "sha256,md5");
}

/* ---- which upload --------------------------------------------------------------------------- */

/* "/ID/PATH" of the address. false: there is none, and it has been answered. */
static bool read_address(struct worker *w, struct slice *id, struct slice *path)
{
    const struct slice rest = w->exchange.rest;
    const uint8_t *slash = rest.len > 1 ? memchr(rest.data + 1, '/', rest.len - 1) : NULL;

    if (slash == NULL || w->exchange.path.folder || slash == rest.data + 1 ||
        (size_t)(slash - rest.data) - 1 > UPLOAD_ID) {
        answer_error(w, 404, "not_found", "There is no such upload.");
        return false;
    }
    *id = slice_of(rest.data + 1, (size_t)(slash - rest.data) - 1);
    *path = slice_of(slash, rest.len - (size_t)(slash - rest.data));
    return true;
}

static bool version_right(struct worker *w)
{
    if (slice_is(fields_get(&w->exchange.request.fields, FIELD_TUS_RESUMABLE), TUS_VERSION))
        return true;
    answer_begin(w, 412, RESPONSE_API);
    tus_describe(w);
    answer_json_error(w, "version", "Say Tus-Resumable: " TUS_VERSION ".");
    return false;
}

/* Open the partial file: a new one (id empty), or one to go on with. As agent_ask. */
int part_open(struct worker *w, const struct file_upload *ask)
{
    struct resumable *u = &w->resumable;
    struct upload_opened o;
    int result = agent_ask(&w->agent, MSG_file_upload, ask, MSG_upload_opened, &o);

    if (result != 0)
        return result;
    const int fd = agent_take_fd(&w->agent);
    if (fd < 0)
        return -1;
    w->file = (struct agent_file){.open = true, .fd = fd, .handle = o.handle};
    u->size = o.size;
    u->offset = u->begin = o.offset;
    u->expires = o.expires;
    return slice_copy(o.id, u->id, sizeof(u->id)) < 0 ? -1 : 0;
}

static void answer_part_errno(struct worker *w, int error)
{
    if (error == EBUSY)
        answer_error(w, 423, "busy", "Another connection is writing this upload.");
    else
        answer_errno(w, error);
}

/* Fields that say how far it has come. */
static void write_progress(struct worker *w)
{
    const struct resumable *u = &w->resumable;

    response_number(&w->head, "Upload-Offset", u->offset);
    if (u->offset < u->size)
        response_date(&w->head, "Upload-Expires", u->expires);
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static bool checksum_begin(struct worker *w)
{
    struct resumable *u = &w->resumable;
    const struct slice field = fields_get(&w->exchange.request.fields, FIELD_UPLOAD_CHECKSUM);
    struct refusal refusal = {0};

    u->checksum.kind = DIGEST_NONE;
    if (field.len == 0)
        return true;
    if (upload_checksum_parse(field, &u->checksum, &refusal) < 0) {
        answer_error(w, 400, "bad_request", refusal.why);
        return false;
    }
    u->digest = u->checksum.kind == DIGEST_SHA256 ? DIGEST_OF_SHA256 : DIGEST_OF_MD5;
    if ((u->checksum.kind != DIGEST_SHA256 && u->checksum.kind != DIGEST_MD5) ||
        EVP_DigestInit_ex2(w->digests[u->digest], w->digest_types[u->digest], NULL) != 1) {
        answer_error(w, 400, "bad_request", "Checksums are sha256 or md5 here.");
        return false;
    }
    return true;
}

static bool checksum_right(struct worker *w)
{
    const struct resumable *u = &w->resumable;
    uint8_t bytes[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    return u->checksum.kind == DIGEST_NONE ||
           (EVP_DigestFinal_ex(w->digests[u->digest], bytes, &len) == 1 &&
            len == digest_field_bytes(u->checksum.kind) &&
            CRYPTO_memcmp(bytes, u->checksum.bytes, len) == 0);
}

static void piece_part(struct worker *w, struct slice piece)
{
    struct resumable *u = &w->resumable;

    if (piece.len > u->size - u->offset) {
        answer_error(w, 413, "too_large", "This is more than was announced.");
        return;
    }
    const int error = upload_write_at(w, piece, u->offset);
    if (error != 0) {
        answer_errno(w, error);
        return;
    }
    u->offset += piece.len;
    if (u->checksum.kind != DIGEST_NONE &&
        EVP_DigestUpdate(w->digests[u->digest], piece.data, piece.len) != 1)
        answer_error(w, 500, "failed", "The server could not do it.");
}

/* The piece has come: kept, or, when it was the last, published. status: of the answer. */
static void end_part(struct worker *w)
{
    struct resumable *u = &w->resumable;
    int error = 0;

    if (!checksum_right(w)) {
        const struct file_hsetattr back = {
            .handle = w->file.handle, .valid = ATTR_SIZE, .size = u->begin};
        (void)agent_do(&w->agent, MSG_file_hsetattr, &back);
        answer_error(w, 460, "checksum", "What came is not what was sent: send it again.");
        return;
    }
    error =
        agent_file_close(&w->agent, &w->file, u->offset == u->size ? CLOSE_WHOLE : CLOSE_BROKEN);
    if (error != 0) {
        answer_part_errno(w, error);
        return;
    }
    answer_begin(w, u->created ? 201 : 204, RESPONSE_API);
    write_progress(w);
    if (u->created) {
        struct writer *location = response_open(&w->head, "Location");
        writer_text(location, "/api/uploads/");
        writer_text(location, u->id);
        writer_path(location, slice_of(u->path, u->path_len));
        response_close(&w->head);
        answer_content(w, slice_text(""));
    } else {
        answer_end(w);
    }
}

/* Whatever is still open broke off, and is kept. */
static void done_part(struct worker *w)
{
    (void)agent_file_close(&w->agent, &w->file, CLOSE_BROKEN);
}

/* ---- creation ------------------------------------------------------------------------------- */

/* A text of the metadata. Returns its length, 0: it is not there; -1: it has been answered. */
static ssize_t metadata(struct worker *w, const char *key, char *text, size_t size)
{
    size_t len = 0;
    const enum metadata_result r =
        upload_metadata_get(&w->exchange.request.fields, key, (uint8_t *)text, size - 1, &len);

    if (r == METADATA_BAD || memchr(text, 0, len) != NULL) {
        answer_error(w, 400, "bad_request", "Upload-Metadata cannot be read.");
        return -1;
    }
    text[len] = '\0';
    return r == METADATA_FOUND ? (ssize_t)len : 0;
}

static bool read_creation(struct worker *w, struct file_upload *ask)
{
    struct resumable *u = &w->resumable;
    const struct fields *fields = &w->exchange.request.fields;
    char replace[8], mtime[24];
    uint64_t seconds = 0;
    const ssize_t path_len = metadata(w, "path", u->path, sizeof(u->path));
    const ssize_t replace_len =
        path_len < 0 ? -1 : metadata(w, "replace", replace, sizeof(replace));
    const ssize_t mtime_len = replace_len < 0 ? -1 : metadata(w, "mtime", mtime, sizeof(mtime));

    if (mtime_len < 0)
        return false;
    if (!number_of(fields_get(fields, FIELD_UPLOAD_LENGTH), &ask->size) || ask->size > INT64_MAX) {
        answer_error(w, 400, "bad_request", "Say how long it is: Upload-Length.");
        return false;
    }
    if (path_len < 2 || u->path[0] != '/' ||
        (mtime_len > 0 && (!number_of(slice_of(mtime, (size_t)mtime_len), &seconds) ||
                           seconds > (uint64_t)(INT64_MAX / NANO)))) {
        answer_error(w, 400, "bad_request", "Say what it is: Upload-Metadata: path ...");
        return false;
    }
    u->path_len = (size_t)path_len;
    ask->path = slice_of(u->path, u->path_len);
    ask->mtime_ns = mtime_len > 0 ? (int64_t)seconds * NANO : -1;
    ask->replace = strcmp(replace, "yes") == 0;
    return true;
}

/* The agent looks at the name only when all has come; who would be refused then is told now. */
static int look_before(struct worker *w, const struct file_upload *ask)
{
    struct attributes seen;
    const int result = agent_look(&w->agent, ask->path, true, &seen);

    if (result == 0 && S_ISDIR(seen.mode))
        return EISDIR;
    return result == 0 && !ask->replace ? EEXIST : result < 0 ? result : 0;
}

static void begin_tus_create(struct worker *w)
{
    struct file_upload ask = {0};
    const bool with_bytes = slice_is(fields_get(&w->exchange.request.fields, FIELD_CONTENT_TYPE),
                                     "application/offset+octet-stream");
    int error;

    if (!version_right(w) || !read_creation(w, &ask) || !checksum_begin(w) || !login_agent(w))
        return;
    w->resumable.created = true;
    if (w->exchange.request.framing == FRAMING_LENGTH && w->exchange.request.length > 0 &&
        !with_bytes) {
        answer_error(w, 415, "bad_request", "Bytes are application/offset+octet-stream.");
        return;
    }
    error = look_before(w, &ask);
    if (error == 0)
        error = part_open(w, &ask);
    if (error != 0)
        answer_part_errno(w, error);
}

const struct handler handle_tus_create = {
    .begin = begin_tus_create, .piece = piece_part, .end = end_part, .done = done_part};

/* ---- going on ------------------------------------------------------------------------------- */

/* Open the upload that the address names. false: it has been answered. */
static bool open_named(struct worker *w)
{
    struct file_upload ask = {.mtime_ns = -1};

    if (!version_right(w) || !read_address(w, &ask.id, &ask.path) || !login_agent(w))
        return false;
    w->resumable.created = false;
    const int error = part_open(w, &ask);
    if (error != 0)
        answer_part_errno(w, error);
    return error == 0;
}

static void begin_tus_offset(struct worker *w)
{
    if (!open_named(w))
        return;
    answer_begin(w, 200, RESPONSE_API);
    write_progress(w);
    response_number(&w->head, "Upload-Length", w->resumable.size);
    answer_content(w, slice_text(""));
}

const struct handler handle_tus_offset = {.begin = begin_tus_offset, .done = done_part};

static void begin_tus_append(struct worker *w)
{
    const struct fields *fields = &w->exchange.request.fields;
    uint64_t offset;

    if (!slice_is(fields_get(fields, FIELD_CONTENT_TYPE), "application/offset+octet-stream")) {
        answer_error(w, 415, "bad_request", "Bytes are application/offset+octet-stream.");
        return;
    }
    if (!number_of(fields_get(fields, FIELD_UPLOAD_OFFSET), &offset)) {
        answer_error(w, 400, "bad_request", "Say where it goes on: Upload-Offset.");
        return;
    }
    if (!checksum_begin(w) || !open_named(w))
        return;
    if (offset != w->resumable.offset)
        answer_error(w, 409, "offset", "So much has not come, or more: ask by HEAD.");
}

const struct handler handle_tus_append = {
    .begin = begin_tus_append, .piece = piece_part, .end = end_part, .done = done_part};

static void begin_tus_drop(struct worker *w)
{
    if (!open_named(w))
        return;
    const int error = agent_file_close(&w->agent, &w->file, CLOSE_DROPPED);
    if (error != 0) {
        answer_errno(w, error);
        return;
    }
    answer_begin(w, 204, RESPONSE_API);
    answer_end(w);
}

const struct handler handle_tus_drop = {.begin = begin_tus_drop, .done = done_part};
