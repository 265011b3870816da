/* Requests that name files: each becomes one question to the file agent, which decides and acts.
 * Nothing is looked up, checked or remembered here. */
#include <errno.h>

#include "common/facts.h"
#include "sftp-worker/engine.h"

/* ---- attributes ----------------------------------------------------------------------------- */
static enum outcome stat_name(struct call *call, bool follow)
{
    struct path path;
    struct attributes seen;

    take_path(call, &path);
    if (!args_good(call))
        return args_refuse(call);
    const int result = agent_look(&call->sftp->agent, path.text, follow, &seen);
    return result != 0 ? answer_agent(call, result) : answer_attributes(call, &seen);
}

enum outcome on_stat(struct call *call)
{
    return stat_name(call, true);
}

enum outcome on_lstat(struct call *call)
{
    return stat_name(call, false);
}

static enum outcome set_name(struct call *call, bool follow)
{
    struct path path;

    take_path(call, &path);
    const struct changes changes = take_attributes(call);
    if (!args_good(call))
        return args_refuse(call);
    if (changes.valid == 0)
        return answer_status(call, FX_OK, "Success");
    if (!follow && (changes.valid & ATTR_SIZE))
        return answer_status(call, FX_BAD_MESSAGE, "A link has no size to set");
    const struct file_setattr ask = {.path = path.text, .follow = follow, CHANGES_FROM(changes)};
    return answer_agent(call, agent_do(&call->sftp->agent, MSG_file_setattr, &ask));
}

enum outcome on_setstat(struct call *call)
{
    return set_name(call, true);
}

enum outcome on_lsetstat(struct call *call)
{
    return set_name(call, false);
}

/* ---- names ---------------------------------------------------------------------------------- */
enum outcome on_remove(struct call *call)
{
    struct path path;

    take_path(call, &path);
    if (!args_good(call))
        return args_refuse(call);
    const struct file_remove ask = {.path = path.text};
    return answer_agent(call, agent_do(&call->sftp->agent, MSG_file_remove, &ask));
}

enum outcome on_mkdir(struct call *call)
{
    struct path path;

    take_path(call, &path);
    const struct changes changes = take_attributes(call);
    if (!args_good(call))
        return args_refuse(call);
    const struct file_mkdir ask = {.path = path.text,
                                   .mode = changes.valid & ATTR_MODE ? changes.mode : 0777};
    return answer_agent(call, agent_do(&call->sftp->agent, MSG_file_mkdir, &ask));
}

enum outcome on_rmdir(struct call *call)
{
    struct path path;

    take_path(call, &path);
    if (!args_good(call))
        return args_refuse(call);
    const struct file_rmdir ask = {.path = path.text};
    return answer_agent(call, agent_do(&call->sftp->agent, MSG_file_rmdir, &ask));
}

static enum outcome rename_name(struct call *call, bool replace)
{
    struct path from, to;

    take_path(call, &from);
    take_path(call, &to);
    if (!args_good(call))
        return args_refuse(call);
    const struct file_rename ask = {.from = from.text, .to = to.text, .replace = replace};
    return answer_agent(call, agent_do(&call->sftp->agent, MSG_file_rename, &ask));
}

enum outcome on_rename(struct call *call)
{
    return rename_name(call, false);
}

enum outcome on_posix_rename(struct call *call)
{
    return rename_name(call, true);
}

/* ---- links ---------------------------------------------------------------------------------- */
/* The draft has the link's name first. OpenSSH's server and so every client have the target. */
enum outcome on_symlink(struct call *call)
{
    struct path path;
    const struct slice target = take_text(call);

    take_path(call, &path);
    if (!args_good(call))
        return args_refuse(call);
    const struct file_symlink ask = {.target = target, .path = path.text};
    return answer_agent(call, agent_do(&call->sftp->agent, MSG_file_symlink, &ask));
}

enum outcome on_hardlink(struct call *call)
{
    struct path from, to;

    take_path(call, &from);
    take_path(call, &to);
    if (!args_good(call))
        return args_refuse(call);
    const struct file_link ask = {.from = from.text, .to = to.text};
    return answer_agent(call, agent_do(&call->sftp->agent, MSG_file_link, &ask));
}

enum outcome on_readlink(struct call *call)
{
    struct path path;
    struct file_path found;

    take_path(call, &path);
    if (!args_good(call))
        return args_refuse(call);
    const struct file_readlink ask = {.path = path.text};
    const int result =
        agent_ask(&call->sftp->agent, MSG_file_readlink, &ask, MSG_file_path, &found);
    return result == 0 ? answer_name(call, found.path) : answer_agent(call, result);
}

/* ---- absolute names ------------------------------------------------------------------------- */
static enum outcome resolve(struct call *call, struct slice path)
{
    const struct file_realpath ask = {.path = path};
    struct file_path found;
    const int result =
        agent_ask(&call->sftp->agent, MSG_file_realpath, &ask, MSG_file_path, &found);

    return result == 0 ? answer_name(call, found.path) : answer_agent(call, result);
}

enum outcome on_realpath(struct call *call)
{
    struct path path;

    take_path_or_home(call, &path);
    if (!args_good(call))
        return args_refuse(call);
    return resolve(call, path.text);
}

/* "~", "~/x" and the same with the account's own name lead home, which is "/". */
enum outcome on_expand_path(struct call *call)
{
    struct slice text = wire_string(&call->args);
    struct path path;

    if (text.len > 0 && text.data[0] == '~') {
        const uint8_t *slash = memchr(text.data, '/', text.len);
        const size_t end = slash != NULL ? (size_t)(slash - text.data) : text.len;
        const struct slice name = slice_of(text.data + 1, end - 1);
        if (name.len > 0 && !slice_is(name, call->sftp->account))
            return answer_status(call, FX_NO_SUCH_FILE, "No such user");
        text = slice_of(text.data + end, text.len - end);
    }
    call->trouble = path_set(&path, text);
    if (!args_good(call))
        return args_refuse(call);
    return resolve(call, path.text);
}

enum outcome on_home_directory(struct call *call)
{
    const struct slice name = wire_string(&call->args);

    if (call->args.bad)
        return MALFORMED;
    if (name.len > 0 && !slice_is(name, call->sftp->account))
        return answer_status(call, FX_NO_SUCH_FILE, "No such user");
    return answer_name(call, slice_text("/"));
}
