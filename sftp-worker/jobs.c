/* Requests that may take long: copy-data and check-file (draft-ietf-secsh-filexfer-extensions-00, 7
 * and 3). Each is worked on in steps of bounded size between which the event loop has its turn; the
 * requests behind it wait, other sessions do not. */
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "common/facts.h"
#include "sftp-worker/engine.h"

#define STEP_BYTES   (8u << 20)   /* hashed in one step */
#define PIECE_BYTES  (128u << 10) /* read at once */
#define ANSWER_MAX   SFTP_DATA_MAX
#define BLOCK_LEAST  256u /* the draft's */
#define ECHOED_NAMES 64   /* room for the names in an answer */

struct copy {
    uint32_t from, to; /* the agent's handles */
    uint64_t from_at, to_at, left;
    bool to_end; /* the end of the file is not an error */
};

struct hash {
    struct handle *handle;
    bool own_handle; /* opened for this job: given back at its end */
    bool echo;       /* paramiko's shape of the answer */
    const struct digest *digest;
    EVP_MD_CTX *context;
    uint64_t at, end;
    uint64_t block, block_left; /* bytes; one block for all when the client gave 0 */
    uint8_t *piece;
    uint8_t *digests; /* those that are done */
    size_t digests_len, digests_size;
};

struct job {
    uint32_t id;
    size_t room;
    enum outcome (*step)(struct call *call, struct job *job);
    union {
        struct copy copy;
        struct hash hash;
    };
};

/* ---- the digests ---------------------------------------------------------------------------- */
/* The process's only state beside sessions: loaded before the sandbox, never changed after. */
// clang-format off
static struct digest {
    const char *name, *openssl;
    EVP_MD *loaded; /* NULL: this OpenSSL does not have it, it is not offered */
} digests[] = {
    {"md5",    "MD5",      NULL},
    {"sha1",   "SHA1",     NULL},
    {"sha224", "SHA2-224", NULL},
    {"sha256", "SHA2-256", NULL},
    {"sha384", "SHA2-384", NULL},
    {"sha512", "SHA2-512", NULL},
};
// clang-format on

void sftp_prepare(void)
{
    for (size_t i = 0; i < sizeof(digests) / sizeof(digests[0]); i++) {
        if (digests[i].loaded == NULL)
            digests[i].loaded = EVP_MD_fetch(NULL, digests[i].openssl, NULL);
    }
}

/* The first of the client's list that there is. */
static const struct digest *choose_digest(struct slice list)
{
    while (list.len > 0) {
        const struct slice name = name_list_next(&list);
        for (size_t i = 0; i < sizeof(digests) / sizeof(digests[0]); i++) {
            if (digests[i].loaded != NULL && slice_is(name, digests[i].name))
                return &digests[i];
        }
    }
    return NULL;
}

/* ---- a job ---------------------------------------------------------------------------------- */
static struct job *job_new(struct call *call, size_t room,
                           enum outcome (*step)(struct call *, struct job *))
{
    struct job *job = calloc(1, sizeof(*job));

    if (job == NULL)
        return NULL;
    job->id = call->id;
    job->room = room;
    job->step = step;
    call->sftp->job = job;
    return job;
}

enum outcome job_step(struct call *call)
{
    return call->sftp->job->step(call, call->sftp->job);
}

size_t job_room(const struct job *job)
{
    return job->room;
}

uint32_t job_id(const struct job *job)
{
    return job->id;
}

static enum outcome hash_step(struct call *call, struct job *job);

void job_end(struct sftp *sftp)
{
    struct job *job = sftp->job;

    if (job == NULL)
        return;
    if (job->step == hash_step) {
        EVP_MD_CTX_free(job->hash.context);
        free(job->hash.piece);
        free(job->hash.digests);
        if (job->hash.own_handle) /* only read: whatever the agent says, the digest is right */
            file_give_back(sftp, job->hash.handle, true);
    }
    sftp->job = NULL;
    free(job);
}

/* ---- copy-data ------------------------------------------------------------------------------ */
/* One piece. */
static enum outcome copy_step(struct call *call, struct job *job)
{
    struct copy *copy = &job->copy;
    const struct file_copy ask = {.from = copy->from,
                                  .from_offset = copy->from_at,
                                  .to = copy->to,
                                  .to_offset = copy->to_at,
                                  .length = copy->left};
    struct file_copied copied;

    if (copy->left == 0)
        return answer_status(call, FX_OK, "Success");
    const int result = agent_ask(&call->sftp->agent, MSG_file_copy, &ask, MSG_file_copied, &copied);
    if (result != 0)
        return answer_agent(call, result);
    if (copied.length > copy->left)
        return BROKEN;
    if (copied.length == 0 && copy->to_end)
        return answer_status(call, FX_OK, "Success");
    if (copied.length == 0)
        return answer_status(call, FX_EOF, "End of file");
    copy->from_at += copied.length;
    copy->to_at += copied.length;
    copy->left -= copied.length;
    return LATER;
}

enum outcome on_copy_data(struct call *call)
{
    struct sftp *sftp = call->sftp;
    const uint64_t from_at = wire_u64(&call->args);
    const uint64_t length = wire_u64(&call->args);
    const struct slice to_bytes = wire_string(&call->args);
    const uint64_t to_at = wire_u64(&call->args);
    struct file_attributes seen;

    if (call->args.bad)
        return MALFORMED;
    const struct handle *to = handle_find(&sftp->handles, to_bytes, HANDLE_FILE);
    if (to == NULL)
        return answer_status(call, FX_FAILURE, "Invalid handle");
    if (to == call->handle)
        return answer_status(call, FX_FAILURE, "A file cannot be copied into itself");
    if (from_at > INT64_MAX || length > INT64_MAX - from_at || to_at > INT64_MAX)
        return answer_errno(call, EFBIG, slice_of(NULL, 0));
    /* To the end is to where it is now: were both handles of one file, it would move on for ever.
     * Some filesystems tell no size at all: those are read until nothing comes. */
    const struct file_hstat ask = {.handle = call->handle->agent};
    const int result = agent_ask(&sftp->agent, MSG_file_hstat, &ask, MSG_file_attributes, &seen);
    if (result != 0)
        return answer_agent(call, result);
    const uint64_t size = seen.size != 0 ? seen.size : INT64_MAX;
    const uint64_t to_end = size > from_at ? size - from_at : 0;
    struct job *job = job_new(call, ROOM_STATUS, copy_step);
    if (job == NULL)
        return answer_errno(call, ENOMEM, slice_of(NULL, 0));
    job->copy = (struct copy){.from = call->handle->agent,
                              .to = to->agent,
                              .from_at = from_at,
                              .to_at = to_at,
                              .left = length != 0 ? length : to_end,
                              .to_end = length == 0};
    return LATER;
}

/* ---- check-file ----------------------------------------------------------------------------- */
static int block_begin(struct hash *hash)
{
    hash->block_left = hash->block;
    return EVP_DigestInit_ex2(hash->context, hash->digest->loaded, NULL) == 1 ? 0 : -1;
}

static int block_end(struct hash *hash)
{
    const size_t len = (size_t)EVP_MD_get_size(hash->digest->loaded);
    unsigned got = 0;

    if (hash->digests_size - hash->digests_len < len ||
        EVP_DigestFinal_ex(hash->context, hash->digests + hash->digests_len, &got) != 1)
        return -1;
    hash->digests_len += got;
    return 0;
}

static enum outcome answer_digests(struct call *call, const struct hash *hash)
{
    answer_begin(call, FXP_EXTENDED_REPLY);
    if (hash->echo)
        wire_put_string(&call->answer, slice_text("check-file"));
    wire_put_string(&call->answer, slice_text(hash->digest->name));
    wire_put_bytes(&call->answer, slice_of(hash->digests, hash->digests_len));
    return ANSWERED;
}

/* Hash the next piece. Returns its bytes, 0 at the end of the file, or -1 with errno. */
static ssize_t hash_piece(struct hash *hash)
{
    uint64_t most = PIECE_BYTES;

    most = most < hash->block_left ? most : hash->block_left;
    most = most < hash->end - hash->at ? most : hash->end - hash->at;
    const ssize_t n = file_read_at(hash->handle->fd, hash->piece, (size_t)most, hash->at);
    if (n <= 0)
        return n;
    errno = EIO;
    if (EVP_DigestUpdate(hash->context, hash->piece, (size_t)n) != 1)
        return -1;
    hash->at += (uint64_t)n;
    hash->block_left -= (uint64_t)n;
    if (hash->block_left == 0 && (block_end(hash) < 0 || block_begin(hash) < 0))
        return -1;
    return n;
}

static enum outcome hash_step(struct call *call, struct job *job)
{
    struct hash *hash = &job->hash;

    for (size_t done = 0; done < STEP_BYTES && hash->at < hash->end;) {
        const ssize_t n = hash_piece(hash);
        if (n < 0)
            return answer_errno(call, errno, slice_of(NULL, 0));
        if (n == 0)
            hash->end = hash->at; /* the file became shorter */
        done += (size_t)n;
    }
    if (hash->at < hash->end)
        return LATER;
    /* The last block is shorter; nothing at all still has one digest. */
    if ((hash->block_left < hash->block || hash->digests_len == 0) && block_end(hash) < 0)
        return answer_errno(call, EIO, slice_of(NULL, 0));
    return answer_digests(call, hash);
}

struct check {
    const struct digest *digest;
    uint64_t from, length;
    uint32_t block;
};

/* The arguments after the file. Returns true, or false with the answer in *outcome. */
static bool take_check(struct call *call, struct check *check, enum outcome *outcome)
{
    check->digest = choose_digest(wire_string(&call->args));
    check->from = wire_u64(&call->args);
    check->length = wire_u64(&call->args);
    check->block = wire_u32(&call->args);
    if (!args_good(call))
        *outcome = args_refuse(call);
    else if (check->digest == NULL)
        *outcome = answer_status(call, FX_FAILURE, "None of these digests is offered");
    else if (check->block != 0 && check->block < BLOCK_LEAST)
        *outcome = answer_status(call, FX_FAILURE, "A block has at least 256 bytes");
    else
        return true;
    return false;
}

/* Begin: returns LATER, or the answer when it cannot be done. size: of the file, now. */
static enum outcome begin_hash(struct call *call, struct handle *handle, uint64_t size,
                               const struct check *check, bool echo)
{
    const uint64_t from = check->from < size ? check->from : size;
    const uint64_t length =
        check->length == 0 || check->length > size - from ? size - from : check->length;
    const uint64_t block = check->block != 0 ? check->block : UINT64_MAX;
    const uint64_t blocks = check->block != 0 ? length / block + (length % block != 0) : 1;
    const size_t each = (size_t)EVP_MD_get_size(check->digest->loaded);

    if (blocks > ANSWER_MAX / each)
        return answer_status(call, FX_FAILURE, "Too many blocks: ask for a part of the file");
    const size_t bytes = (blocks > 0 ? (size_t)blocks : 1) * each;
    const size_t room = bytes + ECHOED_NAMES;
    struct job *job = job_new(call, room > ROOM_STATUS ? room : ROOM_STATUS, hash_step);
    if (job == NULL)
        goto no_memory;
    job->hash = (struct hash){.handle = handle,
                              .echo = echo,
                              .digest = check->digest,
                              .context = EVP_MD_CTX_new(),
                              .at = from,
                              .end = from + length,
                              .block = block,
                              .piece = malloc(PIECE_BYTES),
                              .digests = malloc(bytes),
                              .digests_size = bytes};
    if (job->hash.context == NULL || job->hash.piece == NULL || job->hash.digests == NULL ||
        block_begin(&job->hash) < 0)
        goto no_memory;
    return LATER;
no_memory:
    job_end(call->sftp);
    return answer_errno(call, ENOMEM, slice_of(NULL, 0));
}

static enum outcome check_handle(struct call *call, bool echo)
{
    const struct file_hstat ask = {.handle = call->handle->agent};
    struct check check;
    struct file_attributes seen;
    enum outcome outcome;

    if (!take_check(call, &check, &outcome))
        return outcome;
    if (!call->handle->readable)
        return answer_status(call, FX_PERMISSION_DENIED, "The file was not opened for reading");
    const int result =
        agent_ask(&call->sftp->agent, MSG_file_hstat, &ask, MSG_file_attributes, &seen);
    if (result != 0)
        return answer_agent(call, result);
    return begin_hash(call, call->handle, seen.size, &check, echo);
}

enum outcome on_check_file_handle(struct call *call)
{
    return check_handle(call, false);
}

/* Under the name that paramiko asks by, in the shape that it reads: with that name first. */
enum outcome on_check_file(struct call *call)
{
    return check_handle(call, true);
}

enum outcome on_check_file_name(struct call *call)
{
    struct sftp *sftp = call->sftp;
    struct path path;
    struct check check;
    struct attributes seen;
    struct handle *handle = NULL;
    enum outcome outcome;

    take_path(call, &path);
    if (!take_check(call, &check, &outcome))
        return outcome;
    const struct file_open ask = {.path = path.text, .flags = OPEN_READ};
    const int result = file_open_as(sftp, &ask, &handle, &seen);
    if (result != 0)
        return answer_agent(call, result);
    outcome = begin_hash(call, handle, seen.size, &check, false);
    if (outcome == LATER)
        sftp->job->hash.own_handle = true;
    else
        file_give_back(sftp, handle, true);
    return outcome;
}
