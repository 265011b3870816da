/* Arguments out of requests and answers to them: the parts of the protocol that all requests share.
 * Paths are made absolute here and checked for what no path can be; whether they lead anywhere is
 * for the agent to say. */
#include <errno.h>
#include <string.h>

#include "sftp-worker/engine.h"

/* ---- arguments ------------------------------------------------------------------------------ */
int path_set(struct path *path, struct slice text)
{
    const bool absolute = text.len > 0 && text.data[0] == '/';

    path->text = slice_of(NULL, 0);
    if (text.len + (absolute ? 0 : 1) > PATH_BYTES)
        return ENAMETOOLONG;
    if (text.len > 0 && memchr(text.data, 0, text.len) != NULL)
        return EILSEQ;
    path->text = text;
    if (!absolute) {
        path->space[0] = '/';
        if (text.len > 0)
            memcpy(path->space + 1, text.data, text.len);
        path->text = slice_of(path->space, text.len + 1);
    }
    return 0;
}

void take_path_or_home(struct call *call, struct path *path)
{
    const int trouble = path_set(path, wire_string(&call->args));

    if (call->trouble == 0)
        call->trouble = trouble;
}

void take_path(struct call *call, struct path *path)
{
    const struct slice text = wire_string(&call->args);
    const int trouble = text.len == 0 ? ENOENT : path_set(path, text);

    if (call->trouble == 0)
        call->trouble = trouble;
}

struct slice take_text(struct call *call)
{
    const struct slice text = wire_string(&call->args);

    if (call->trouble == 0 && text.len > PATH_BYTES)
        call->trouble = ENAMETOOLONG;
    if (call->trouble == 0 && text.len > 0 && memchr(text.data, 0, text.len) != NULL)
        call->trouble = EILSEQ;
    return text;
}

bool args_good(const struct call *call)
{
    return !call->args.bad && call->trouble == 0;
}

enum outcome args_refuse(struct call *call)
{
    if (call->args.bad)
        return MALFORMED;
    if (call->trouble == EILSEQ)
        return answer_status(call, FX_FAILURE, "A name cannot hold a NUL byte");
    return answer_errno(call, call->trouble, slice_of(NULL, 0));
}

/* ---- answers -------------------------------------------------------------------------------- */
/* The errnos that have a code of their own; all others are FX_FAILURE with the errno's sentence. */
static const struct {
    int error;
    enum status_code code;
} codes[] = {
    {0, FX_OK},
    {ENOENT, FX_NO_SUCH_FILE},
    {ENOTDIR, FX_NO_SUCH_FILE},
    {ELOOP, FX_NO_SUCH_FILE},
    {EACCES, FX_PERMISSION_DENIED},
    {EPERM, FX_PERMISSION_DENIED},
    {EROFS, FX_PERMISSION_DENIED},
    {ENOSYS, FX_OP_UNSUPPORTED},
    {EOPNOTSUPP, FX_OP_UNSUPPORTED},
};

void answer_begin(struct call *call, enum packet_type type)
{
    call->answer.len = 4; /* the packet's length, known at the end */
    call->answer.bad = false;
    wire_put_u8(&call->answer, (uint8_t)type);
    if (type != FXP_VERSION)
        wire_put_u32(&call->answer, call->id);
}

static enum outcome put_status(struct call *call, enum status_code code, struct slice text)
{
    answer_begin(call, FXP_STATUS);
    wire_put_u32(&call->answer, code);
    if (call->sftp->version >= 3) {
        wire_put_string(&call->answer, text);
        wire_put_string(&call->answer, slice_text("")); /* the language: none */
    }
    return ANSWERED;
}

enum outcome answer_status(struct call *call, enum status_code code, const char *text)
{
    return put_status(call, code, slice_text(text));
}

enum outcome answer_errno(struct call *call, int error, struct slice text)
{
    enum status_code code = FX_FAILURE;

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (codes[i].error == error)
            code = codes[i].code;
    }
    if (text.len == 0) /* not strerror: it may look for translations */
        text = slice_text(error == 0 ? "Success" : strerrordesc_np(error));
    if (text.len == 0)
        text = slice_text("Failure");
    return put_status(call, code, text);
}

enum outcome answer_agent(struct call *call, int result)
{
    return result < 0 ? BROKEN : answer_errno(call, result, call->sftp->agent.text);
}

enum outcome answer_attributes(struct call *call, const struct attributes *attributes)
{
    answer_begin(call, FXP_ATTRS);
    put_attributes(&call->answer, attributes);
    return ANSWERED;
}

enum outcome answer_name(struct call *call, struct slice name)
{
    answer_begin(call, FXP_NAME);
    wire_put_u32(&call->answer, 1);
    wire_put_string(&call->answer, name);
    wire_put_string(&call->answer, name);
    put_no_attributes(&call->answer);
    return ANSWERED;
}

enum outcome answer_handle(struct call *call, const struct handle *handle)
{
    answer_begin(call, FXP_HANDLE);
    wire_put_u32(&call->answer, 4);
    wire_put_u32(&call->answer, handle_number(&call->sftp->handles, handle));
    return ANSWERED;
}
