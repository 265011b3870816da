/* The extensions that are answered at once. OpenSSH's are described in its PROTOCOL file, 4;
 * space-available in draft-ietf-secsh-filexfer-extensions-00, 4. */
#include "sftp-worker/engine.h"

enum outcome on_limits(struct call *call)
{
    answer_begin(call, FXP_EXTENDED_REPLY);
    wire_put_u64(&call->answer, SFTP_PACKET_MAX);
    wire_put_u64(&call->answer, SFTP_DATA_MAX); /* of a READ */
    wire_put_u64(&call->answer, SFTP_DATA_MAX); /* of a WRITE */
    wire_put_u64(&call->answer, SFTP_HANDLES_MAX);
    return ANSWERED;
}

/* ---- space ---------------------------------------------------------------------------------- */
static int ask_space(struct call *call, struct slice path, uint32_t handle,
                     struct file_space_is *space)
{
    const struct file_space ask = {.path = path, .handle = handle};

    return agent_ask(&call->sftp->agent, MSG_file_space, &ask, MSG_file_space_is, space);
}

static enum outcome answer_statvfs(struct call *call, const struct file_space_is *space)
{
    const uint64_t known_flags = 0x1 | 0x2; /* read-only, no set-uid: the same bits in Linux */

    answer_begin(call, FXP_EXTENDED_REPLY);
    wire_put_u64(&call->answer, space->bsize);
    wire_put_u64(&call->answer, space->frsize);
    wire_put_u64(&call->answer, space->blocks);
    wire_put_u64(&call->answer, space->bfree);
    wire_put_u64(&call->answer, space->bavail);
    wire_put_u64(&call->answer, space->files);
    wire_put_u64(&call->answer, space->ffree);
    wire_put_u64(&call->answer, space->favail);
    wire_put_u64(&call->answer, space->fsid);
    wire_put_u64(&call->answer, space->flag & known_flags);
    wire_put_u64(&call->answer, space->namemax);
    return ANSWERED;
}

enum outcome on_statvfs(struct call *call)
{
    struct path path;
    struct file_space_is space;

    take_path(call, &path);
    if (!args_good(call))
        return args_refuse(call);
    const int result = ask_space(call, path.text, 0, &space);
    return result == 0 ? answer_statvfs(call, &space) : answer_agent(call, result);
}

enum outcome on_fstatvfs(struct call *call)
{
    struct file_space_is space;
    const int result = ask_space(call, slice_of(NULL, 0), call->handle->agent, &space);

    return result == 0 ? answer_statvfs(call, &space) : answer_agent(call, result);
}

static uint64_t bytes_of(uint64_t blocks, uint64_t size)
{
    uint64_t bytes;

    return __builtin_mul_overflow(blocks, size, &bytes) ? UINT64_MAX : bytes;
}

enum outcome on_space_available(struct call *call)
{
    struct path path;
    struct file_space_is space;

    take_path(call, &path);
    if (!args_good(call))
        return args_refuse(call);
    const int result = ask_space(call, path.text, 0, &space);
    if (result != 0)
        return answer_agent(call, result);
    const uint64_t unit = space.frsize != 0 ? space.frsize : space.bsize;
    const uint64_t used = space.blocks > space.bfree ? space.blocks - space.bfree : 0;
    answer_begin(call, FXP_EXTENDED_REPLY);
    wire_put_u64(&call->answer, bytes_of(space.blocks, unit));        /* on the device */
    wire_put_u64(&call->answer, bytes_of(space.bfree, unit));         /* unused on it */
    wire_put_u64(&call->answer, bytes_of(used + space.bavail, unit)); /* for the user */
    wire_put_u64(&call->answer, bytes_of(space.bavail, unit));        /* unused for the user */
    wire_put_u32(&call->answer, unit > UINT32_MAX ? UINT32_MAX : (uint32_t)unit);
    return ANSWERED;
}

/* ---- names of ids --------------------------------------------------------------------------- */
/* A string that holds a name for each id: the account's own for `own`, empty for all others. */
static void put_names(struct wire_out *out, struct slice ids, uint32_t own, const char *name)
{
    struct wire w = wire_of(ids);
    const size_t at = out->len;

    wire_put_u32(out, 0);
    while (w.at < w.len && !out->bad)
        wire_put_string(out, slice_text(wire_u32(&w) == own ? name : ""));
    if (out->bad)
        return;
    struct wire_out length = wire_out_of(out->data + at, 4);
    wire_put_u32(&length, (uint32_t)(out->len - at - 4));
}

enum outcome on_users_groups(struct call *call)
{
    const struct sftp *sftp = call->sftp;
    const struct slice uids = wire_string(&call->args);
    const struct slice gids = wire_string(&call->args);

    if (call->args.bad || uids.len % 4 != 0 || gids.len % 4 != 0)
        return MALFORMED;
    answer_begin(call, FXP_EXTENDED_REPLY);
    put_names(&call->answer, uids, sftp->uid, sftp->account);
    put_names(&call->answer, gids, sftp->gid, sftp->account);
    return ANSWERED;
}
