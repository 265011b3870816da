/* A file that is downloaded: opened by the agent, sent whole or in ranges (RFC 9110, 14), under
 * conditions (13). Also entity tags and ?path=, which other rows need. */
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "https-worker/accept.h"
#include "https-worker/conditions.h"
#include "https-worker/disposition.h"
#include "https-worker/media_type.h"
#include "https-worker/worker.h"

#define DIGESTED_MOST (64u << 20)

/* ---- what several rows ask --------------------------------------------------------------------
 */

void file_etag(const struct attributes *a, char etag[ETAG_MAX])
{
    snprintf(etag, ETAG_MAX, "\"%llx-%llx\"", (unsigned long long)a->mtime_ns,
             (unsigned long long)a->size);
}

bool query_path(struct worker *w, char *path, size_t size, struct slice *found)
{
    if (form_get(w->exchange.request.query, "path", path, size, found) == FORM_FOUND &&
        found->len > 0 && found->data[0] == '/')
        return true;
    answer_error(w, 400, "bad_request", "Say which: ?path=/...");
    return false;
}

/* ---- the head ------------------------------------------------------------------------------- */

static int64_t seconds_of(int64_t ns)
{
    return ns >= 0 ? ns / 1000000000 : -((-ns + 999999999) / 1000000000);
}

static struct slice last_name(struct slice path)
{
    const uint8_t *slash = memrchr(path.data, '/', path.len);
    const size_t skipped = slash != NULL ? (size_t)(slash - path.data) + 1 : 0;

    return slice_of(path.data + skipped, path.len - skipped);
}

/* Is it asked for to be shown, and may it be? */
static bool shown_inline(const struct worker *w, const struct media_type *type)
{
    struct slice rest = w->exchange.request.query;
    struct form_pair pair;

    while (form_next(&rest, &pair)) {
        if (form_named(&pair, "inline"))
            return type->kind == MEDIA_INLINE;
    }
    return false;
}

static void write_fields(struct worker *w, const struct media_type *type, bool attachment,
                         const char *etag)
{
    struct writer *disposition = response_open(&w->head, "Content-Disposition");

    disposition_write(disposition, attachment ? "attachment" : "inline",
                      last_name(w->exchange.rest));
    response_close(&w->head);
    response_text(&w->head, "Accept-Ranges", "bytes");
    response_text(&w->head, "ETag", etag);
    response_date(&w->head, "Last-Modified", seconds_of(w->file.seen.mtime_ns));
    if (w->download.ranges.count < 2)
        response_text(&w->head, "Content-Type", media_type_sent(type));
}

/* The digest of the whole file, where it is asked for and takes but a moment: it stands before the
 * bytes. Of larger files /api/digest tells. */
static void write_digest(struct worker *w)
{
    EVP_MD_CTX *sha256 = w->digests[DIGEST_OF_SHA256];
    uint8_t bytes[EVP_MAX_MD_SIZE];
    uint64_t at = 0;
    ssize_t n = 1;

    if (repr_digest_wanted(&w->exchange.request.fields) == DIGEST_NONE ||
        w->file.seen.size > DIGESTED_MOST || !worker_buffer(w, &w->piece) ||
        EVP_DigestInit_ex2(sha256, w->digest_types[DIGEST_OF_SHA256], NULL) != 1)
        return;
    for (; at < w->file.seen.size && n > 0; at += (uint64_t)n) {
        n = pread(w->file.fd, w->piece, BULK, (off_t)at);
        if (n <= 0 || EVP_DigestUpdate(sha256, w->piece, (size_t)n) != 1)
            return;
    }
    if (at != w->file.seen.size || EVP_DigestFinal_ex(sha256, bytes, NULL) != 1)
        return;
    repr_digest_write(response_open(&w->head, "Repr-Digest"), DIGEST_SHA256, bytes);
    response_close(&w->head);
}

/* ---- the bytes ------------------------------------------------------------------------------ */

static int part_head(struct worker *w, size_t part, char *text, size_t size)
{
    const struct download *d = &w->download;
    const struct range *r = &d->ranges.list[part];

    if (part == d->ranges.count)
        return snprintf(text, size, "\r\n--%s--\r\n", d->boundary);
    return snprintf(
        text, size, "%s--%s\r\nContent-Type: %s\r\nContent-Range: bytes %llu-%llu/%llu\r\n\r\n",
        part > 0 ? "\r\n" : "", d->boundary,
        media_type_sent(media_type_of(last_name(w->exchange.rest))), (unsigned long long)r->first,
        (unsigned long long)r->last, (unsigned long long)w->file.seen.size);
}

/* The next range, or the text behind the last. false: there is no more. */
static bool next_part(struct worker *w)
{
    struct download *d = &w->download;

    if (d->ranges.count < 2 || d->part > d->ranges.count)
        return false;
    d->text_at = 0;
    d->text_len = (size_t)part_head(w, d->part, d->text, sizeof(d->text));
    if (d->part < d->ranges.count) {
        d->at = d->ranges.list[d->part].first;
        d->end = d->ranges.list[d->part].last + 1;
    }
    d->part++;
    return true;
}

static ssize_t fill_download(struct worker *w, uint8_t *bytes, size_t size)
{
    struct download *d = &w->download;
    size_t len = 0;

    while (len < size) {
        if (d->text_at < d->text_len) {
            const size_t left = d->text_len - d->text_at;
            const size_t n = left < size - len ? left : size - len;
            memcpy(bytes + len, d->text + d->text_at, n);
            d->text_at += n;
            len += n;
        } else if (d->at < d->end) {
            const size_t most = d->end - d->at < size - len ? (size_t)(d->end - d->at) : size - len;
            const ssize_t n = pread(w->file.fd, bytes + len, most, (off_t)d->at);
            if (n <= 0)
                return -1; /* shorter than was promised, or the disk fails */
            d->at += (uint64_t)n;
            w->file.bytes_read += (uint64_t)n;
            len += (size_t)n;
        } else if (!next_part(w)) {
            break;
        }
    }
    return (ssize_t)len;
}

static uint64_t multipart_length(struct worker *w)
{
    uint64_t length = 0;
    char text[PART_HEAD];

    for (size_t i = 0; i <= w->download.ranges.count; i++) {
        length += (uint64_t)part_head(w, i, text, sizeof(text));
        if (i < w->download.ranges.count)
            length += range_length(&w->download.ranges.list[i]);
    }
    return length;
}

/* ---- the answer ----------------------------------------------------------------------------- */

static void write_content_range(struct worker *w)
{
    const struct download *d = &w->download;
    char text[80];

    if (d->ranges.count == 1)
        snprintf(text, sizeof(text), "bytes %llu-%llu/%llu",
                 (unsigned long long)d->ranges.list[0].first,
                 (unsigned long long)d->ranges.list[0].last, (unsigned long long)w->file.seen.size);
    else
        snprintf(text, sizeof(text), "bytes */%llu", (unsigned long long)w->file.seen.size);
    response_text(&w->head, "Content-Range", text);
}

static int make_boundary(struct download *d)
{
    uint8_t random[16];

    if (RAND_bytes(random, sizeof(random)) != 1)
        return -1;
    for (size_t i = 0; i < sizeof(random); i++)
        snprintf(d->boundary + 2 * i, 3, "%02x", random[i]);
    return 0;
}

static void send_file(struct worker *w, bool ranged, const char *etag)
{
    struct download *d = &w->download;
    const struct media_type *type = media_type_of(last_name(w->exchange.rest));
    const bool preview = shown_inline(w, type);
    const struct slice range = fields_get(&w->exchange.request.fields, FIELD_RANGE);
    const uint64_t size = w->file.seen.size;
    char value[80];

    switch (range_parse(ranged ? range : slice_of(NULL, 0), size, &d->ranges)) {
    case RANGE_NONE:
        answer_begin(w, 416, RESPONSE_API);
        d->ranges.count = 0;
        write_content_range(w);
        answer_json_error(w, "range", "The file has no such part.");
        return;
    case RANGE_WHOLE:
        d->ranges.count = 0;
        break;
    default:
        break;
    }
    answer_begin(w, d->ranges.count > 0 ? 206 : 200,
                 preview ? RESPONSE_PREVIEW : RESPONSE_DOWNLOAD);
    write_fields(w, type, !preview, etag);
    write_digest(w);
    d->end = size;
    if (d->ranges.count < 2) {
        if (d->ranges.count == 1) {
            write_content_range(w);
            d->at = d->ranges.list[0].first;
            d->end = d->ranges.list[0].last + 1;
        }
        answer_bytes(w, d->end - d->at, fill_download);
        return;
    }
    if (make_boundary(d) < 0) {
        stop_because(&w->stop, "no random numbers");
        return;
    }
    d->end = d->at = 0;
    snprintf(value, sizeof(value), "multipart/byteranges; boundary=%s", d->boundary);
    response_text(&w->head, "Content-Type", value);
    answer_bytes(w, multipart_length(w), fill_download);
}

static void begin_download(struct worker *w)
{
    const struct exchange *x = &w->exchange;
    char etag[ETAG_MAX];

    memset(&w->download, 0, sizeof(w->download)); /* nothing of it is owed yet */
    if (!login_agent(w))
        return;
    if (!kept_take(w, x->rest)) {
        const int error = agent_file_open(&w->agent, x->rest, OPEN_READ, &w->file);
        if (error != 0) {
            answer_errno(w, error);
            return;
        }
        kept_opened(w, x->rest);
    }
    file_etag(&w->file.seen, etag);
    const struct representation now_is = {
        .exists = true,
        .etag = slice_text(etag),
        .dated = true,
        .modified = seconds_of(w->file.seen.mtime_ns),
    };
    switch (conditions_judge(&x->request, &now_is, time(NULL))) {
    case CONDITION_GO_ON:
        send_file(w, false, etag);
        break;
    case CONDITION_GO_ON_RANGE:
        send_file(w, true, etag);
        break;
    case CONDITION_NOT_MODIFIED:
        answer_begin(w, 304, RESPONSE_DOWNLOAD);
        response_text(&w->head, "ETag", etag);
        answer_end(w);
        break;
    case CONDITION_FAILED:
        answer_error(w, 412, "changed", "The file has changed.");
        break;
    default:
        answer_error(w, 400, "bad_request", "The conditions cannot be read.");
    }
}

static void done_download(struct worker *w)
{
    const struct download *d = &w->download;
    const bool all = d->at == d->end || w->exchange.request.method == METHOD_HEAD;

    if (all && w->file.open)
        kept_put(w);
    else
        (void)agent_file_close(&w->agent, &w->file, CLOSE_BROKEN);
}

const struct handler handle_download = {.begin = begin_download, .done = done_download};
