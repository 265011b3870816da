/* Whole files that are uploaded at once: PUT, and the form of the pages without scripts. Uploads
 * that are resumed are resumable.c's. What broke off is never told as done. */
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "https-worker/conditions.h"
#include "https-worker/digest_field.h"
#include "https-worker/worker.h"

/* ---- the file ------------------------------------------------------------------------------- */

int upload_open(struct worker *w, struct slice path, bool keep)
{
    const uint32_t how = OPEN_WRITE | OPEN_CREATE | (keep ? OPEN_EXCLUSIVE : OPEN_TRUNCATE);

    return agent_file_open(&w->agent, path, how, &w->file);
}

int upload_write_at(struct worker *w, struct slice piece, uint64_t at)
{
    while (piece.len > 0) {
        const ssize_t n = pwrite(w->file.fd, piece.data, piece.len, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        at += (uint64_t)n;
        w->file.bytes_written += (uint64_t)n;
        slice_take(&piece, (size_t)n);
    }
    return 0;
}

int upload_write(struct worker *w, struct slice piece)
{
    return upload_write_at(w, piece, w->file.bytes_written);
}

/* ---- PUT ------------------------------------------------------------------------------------ */

/* What is there now, for the conditions. Returns 0 or what answers the request. */
static bool conditions_hold(struct worker *w, struct upload *u)
{
    struct attributes seen;
    char etag[ETAG_MAX] = "";
    const int error = agent_look(&w->agent, w->exchange.rest, true, &seen);

    u->existed = error == 0;
    if (error == 0)
        file_etag(&seen, etag);
    const struct representation now_is = {.exists = u->existed, .etag = slice_text(etag)};
    switch (conditions_judge(&w->exchange.request, &now_is, time(NULL))) {
    case CONDITION_GO_ON:
    case CONDITION_GO_ON_RANGE:
        return true;
    case CONDITION_BAD:
        answer_error(w, 400, "bad_request", "The conditions cannot be read.");
        return false;
    default:
        answer_error(w, 412, "changed", "The file is not as the request expects it.");
        return false;
    }
}

static void begin_upload(struct worker *w)
{
    struct upload *u = &w->upload;
    const struct fields *fields = &w->exchange.request.fields;
    struct refusal refusal = {0};

    u->digest.kind = DIGEST_NONE;
    if (fields_have(fields, FIELD_CONTENT_RANGE) || fields_have(fields, FIELD_CONTENT_ENCODING)) {
        answer_error(w, 400, "bad_request", "Send the whole file, as it is."); /* RFC 9110, 14.5 */
        return;
    }
    if (w->exchange.path.folder || w->exchange.rest.len < 2) {
        answer_error(w, 409, "is_folder", "This is a folder.");
        return;
    }
    if (repr_digest_parse(fields, &u->digest, &refusal) < 0) {
        answer_error(w, 400, "bad_request", refusal.why);
        return;
    }
    if (!login_agent(w) || !conditions_hold(w, u))
        return;
    if (u->digest.kind != DIGEST_NONE && upload_digest_begin(w) < 0) {
        answer_error(w, 400, "bad_request", "Digests are SHA-256 here.");
        return;
    }
    const bool keep = fields_have(fields, FIELD_IF_NONE_MATCH) && !u->existed;
    const struct file_upload part = {.path = w->exchange.rest,
                                     .size = w->exchange.request.length,
                                     .mtime_ns = -1,
                                     .replace = !keep};
    /* Of a known length it appears when it is whole; else what breaks off cannot be told from what
     * ends, but by the answer. */
    u->in_parts = w->exchange.request.framing == FRAMING_LENGTH && part.size <= INT64_MAX;
    const int error = u->in_parts ? part_open(w, &part) : upload_open(w, w->exchange.rest, keep);
    if (error != 0)
        answer_errno(w, error);
}

static void piece_upload(struct worker *w, struct slice piece)
{
    const int error = upload_write(w, piece);

    if (error == 0 && w->upload.digest.kind != DIGEST_NONE &&
        EVP_DigestUpdate(w->digests[DIGEST_OF_SHA256], piece.data, piece.len) != 1)
        answer_error(w, 500, "failed", "The server could not do it.");
    else if (error != 0)
        answer_errno(w, error);
}

int upload_digest_begin(struct worker *w)
{
    return w->upload.digest.kind == DIGEST_SHA256 &&
                   EVP_DigestInit_ex2(w->digests[DIGEST_OF_SHA256],
                                      w->digest_types[DIGEST_OF_SHA256], NULL) == 1
               ? 0
               : -1;
}

static bool digest_right(struct worker *w)
{
    const struct upload *u = &w->upload;
    uint8_t bytes[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    return u->digest.kind == DIGEST_NONE ||
           (EVP_DigestFinal_ex(w->digests[DIGEST_OF_SHA256], bytes, &len) == 1 &&
            len == digest_field_bytes(u->digest.kind) &&
            CRYPTO_memcmp(bytes, u->digest.bytes, len) == 0);
}

/* What has come is not wanted. */
static void drop_upload(struct worker *w)
{
    (void)agent_file_close(&w->agent, &w->file, w->upload.in_parts ? CLOSE_DROPPED : CLOSE_BROKEN);
}

static void end_upload(struct worker *w)
{
    struct attributes seen;
    char etag[ETAG_MAX];

    if (!digest_right(w)) {
        const struct file_remove remove = {.path = w->exchange.rest};
        drop_upload(w);
        if (!w->upload.existed && !w->upload.in_parts)
            (void)agent_do(&w->agent, MSG_file_remove, &remove);
        answer_error(w, 422, "digest", "What came is not what was announced.");
        return;
    }
    int error = agent_file_close(&w->agent, &w->file, CLOSE_WHOLE);
    if (error != 0) {
        answer_errno(w, error);
        return;
    }
    error = agent_look(&w->agent, w->exchange.rest, true, &seen);
    answer_begin(w, w->upload.existed ? 204 : 201, RESPONSE_API);
    if (error == 0) { /* an account may be allowed to write only */
        file_etag(&seen, etag);
        response_text(&w->head, "ETag", etag);
    }
    if (w->upload.existed)
        answer_end(w);
    else
        answer_content(w, slice_text(""));
}

/* Broken off, if it is still open. */
static void done_upload(struct worker *w)
{
    drop_upload(w);
}

const struct handler handle_upload = {
    .begin = begin_upload, .piece = piece_upload, .end = end_upload, .done = done_upload};
