/* Requests on what is open: files, whose contents go between descriptor and buffer with no copy in
 * between, and folders, whose names come from the agent a message at a time and leave as the client
 * asks for them. READ and WRITE allocate nothing. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/facts.h"
#include "sftp-worker/engine.h"

/* ---- opening and closing -------------------------------------------------------------------- */
/* The flags of OPEN (filexfer-02, 6.3) are the agent's, bit by bit. */
_Static_assert(OPEN_READ == 1 && OPEN_WRITE == 2 && OPEN_APPEND == 4 && OPEN_CREATE == 8 &&
                   OPEN_TRUNCATE == 16 && OPEN_EXCLUSIVE == 32,
               "SSH_FXF_READ, WRITE, APPEND, CREAT, TRUNC, EXCL");
#define OPEN_KNOWN 0x3fu

/* A place in the table before anything is opened, so that nothing is opened in vain.
 * Returns 0 or errno. */
static int make_place(struct sftp *sftp, struct handle **handle)
{
    *handle = handle_new(&sftp->handles);
    sftp->agent.text = slice_of(NULL, 0);
    return *handle != NULL ? 0 : errno;
}

int file_open_as(struct sftp *sftp, const struct file_open *ask, struct handle **made,
                 struct attributes *seen)
{
    struct handle *handle = NULL;
    struct file_opened opened;
    int result = make_place(sftp, &handle);

    if (result != 0)
        return result;
    result = agent_ask(&sftp->agent, MSG_file_open, ask, MSG_file_opened, &opened);
    if (result == 0 && (handle->fd = agent_take_fd(&sftp->agent)) < 0)
        result = -1; /* a file without its descriptor: not what was promised */
    if (result != 0) {
        handle_release(&sftp->handles, handle);
        return result;
    }
    handle->kind = HANDLE_FILE;
    handle->agent = opened.handle;
    handle->readable = ask->flags & OPEN_READ;
    handle->writable = ask->flags & OPEN_WRITE;
    handle->append = ask->flags & OPEN_APPEND;
    *made = handle;
    *seen = ATTRIBUTES_OF(opened);
    return 0;
}

enum outcome on_open(struct call *call)
{
    struct path path;
    struct handle *handle = NULL;
    struct attributes seen;

    take_path(call, &path);
    uint32_t flags = wire_u32(&call->args) & OPEN_KNOWN;
    const struct changes changes = take_attributes(call);
    if (!args_good(call))
        return args_refuse(call);
    if ((flags & (OPEN_READ | OPEN_WRITE)) == 0)
        flags |= OPEN_READ;
    const struct file_open ask = {
        .path = path.text, .flags = flags, .mode = changes.valid & ATTR_MODE ? changes.mode : 0666};
    const int result = file_open_as(call->sftp, &ask, &handle, &seen);
    return result == 0 ? answer_handle(call, handle) : answer_agent(call, result);
}

enum outcome on_opendir(struct call *call)
{
    struct sftp *sftp = call->sftp;
    struct handle *handle = NULL;
    struct path path;
    struct file_opened opened;

    take_path(call, &path);
    if (!args_good(call))
        return args_refuse(call);
    int result = make_place(sftp, &handle);
    if (result != 0)
        return answer_agent(call, result);
    const struct file_opendir ask = {.path = path.text};
    result = agent_ask(&sftp->agent, MSG_file_opendir, &ask, MSG_file_opened, &opened);
    if (result != 0) {
        handle_release(&sftp->handles, handle);
        return answer_agent(call, result);
    }
    handle->kind = HANDLE_FOLDER;
    handle->agent = opened.handle;
    return answer_handle(call, handle);
}

int file_give_back(struct sftp *sftp, struct handle *handle, bool whole)
{
    const struct file_close ask = {.handle = handle->agent,
                                   .bytes_read = handle->bytes_read,
                                   .bytes_written = handle->bytes_written,
                                   .whole = whole};
    int error = 0;

    /* Ours first: some filesystems tell of a full disk only at a close. */
    if (handle->fd >= 0 && close(handle->fd) < 0 && errno != EINTR)
        error = errno;
    handle->fd = -1;
    handle_release(&sftp->handles, handle);
    const int result = agent_do(&sftp->agent, MSG_file_close, &ask);
    return result != 0 ? result : error;
}

/* The agent's answer is the client's: it may only now be known that the disk was full. Where a
 * write failed the file is not whole, and saying yes here would let an upload be lost in silence.
 */
enum outcome on_close(struct call *call)
{
    const int write_error = call->handle->write_error;
    const int result = file_give_back(call->sftp, call->handle, write_error == 0);

    return result == 0 ? answer_errno(call, write_error, slice_of(NULL, 0))
                       : answer_agent(call, result);
}

/* ---- contents ------------------------------------------------------------------------------- */
ssize_t file_read_at(int fd, uint8_t *data, size_t len, uint64_t offset)
{
    ssize_t n;

    if (len == 0 || offset > INT64_MAX - len)
        return 0; /* no file reaches so far */
    do
        n = pread(fd, data, len, (off_t)offset);
    while (n < 0 && errno == EINTR);
    return n;
}

#define DATA_HEAD 13 /* length, type, id, length of the data */

enum outcome on_read(struct call *call)
{
    struct handle *handle = call->handle;
    const uint64_t offset = wire_u64(&call->args);
    const uint32_t wanted = wire_u32(&call->args);
    const size_t most = wanted < SFTP_DATA_MAX ? wanted : SFTP_DATA_MAX;

    if (call->args.bad || call->answer.size < DATA_HEAD + most)
        return MALFORMED;
    if (!handle->readable)
        return answer_status(call, FX_PERMISSION_DENIED, "The file was not opened for reading");
    const ssize_t n = file_read_at(handle->fd, call->answer.data + DATA_HEAD, most, offset);
    if (n < 0 && errno == EBADF) /* the account may write here and not read */
        return answer_status(call, FX_PERMISSION_DENIED, "The file was not opened for reading");
    if (n < 0)
        return answer_errno(call, errno, slice_of(NULL, 0));
    if (n == 0 && most > 0)
        return answer_status(call, FX_EOF, "End of file");
    handle->bytes_read += (size_t)n;
    call->sftp->totals.bytes_read += (size_t)n;
    answer_begin(call, FXP_DATA);
    wire_put_u32(&call->answer, (uint32_t)n);
    call->answer.len += (size_t)n; /* already there */
    return ANSWERED;
}

/* All of data at offset, or at the end of a file that was opened to append (then the kernel does
 * not look at the offset). Returns 0 or errno; *done says how much was written in any case. */
static int write_at(const struct handle *handle, struct slice data, uint64_t offset, size_t *done)
{
    if (handle->append)
        offset = 0;
    if (offset > INT64_MAX - data.len)
        return EFBIG;
    while (*done < data.len) {
        const ssize_t n =
            pwrite(handle->fd, data.data + *done, data.len - *done, (off_t)(offset + *done));
        if (n < 0 && errno != EINTR)
            return errno;
        if (n == 0)
            return EIO;
        *done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

enum outcome on_write(struct call *call)
{
    struct handle *handle = call->handle;
    const uint64_t offset = wire_u64(&call->args);
    const struct slice data = wire_string(&call->args);
    size_t done = 0;

    if (call->args.bad)
        return MALFORMED;
    if (!handle->writable)
        return answer_status(call, FX_PERMISSION_DENIED, "The file was not opened for writing");
    const int error = write_at(handle, data, offset, &done);
    handle->bytes_written += done;
    call->sftp->totals.bytes_written += done;
    if (error != 0 && handle->write_error == 0)
        handle->write_error = error;
    return answer_errno(call, error, slice_of(NULL, 0));
}

enum outcome on_fsync(struct call *call)
{
    const struct file_sync ask = {.handle = call->handle->agent};

    return answer_agent(call, agent_do(&call->sftp->agent, MSG_file_sync, &ask));
}

/* ---- attributes ----------------------------------------------------------------------------- */
enum outcome on_fstat(struct call *call)
{
    const struct file_hstat ask = {.handle = call->handle->agent};
    struct file_attributes seen;
    const int result =
        agent_ask(&call->sftp->agent, MSG_file_hstat, &ask, MSG_file_attributes, &seen);

    if (result != 0)
        return answer_agent(call, result);
    const struct attributes attributes = ATTRIBUTES_OF(seen);
    return answer_attributes(call, &attributes);
}

enum outcome on_fsetstat(struct call *call)
{
    const struct changes changes = take_attributes(call);

    if (call->args.bad)
        return MALFORMED;
    if (changes.valid == 0)
        return answer_status(call, FX_OK, "Success");
    const struct file_hsetattr ask = {.handle = call->handle->agent, CHANGES_FROM(changes)};
    return answer_agent(call, agent_do(&call->sftp->agent, MSG_file_hsetattr, &ask));
}

/* ---- listings ------------------------------------------------------------------------------- */
#define ENTRY_MAX (4 + 255 + 4 + LONGNAME_MAX + 32) /* bytes of one name in an answer */

/* Have entries in the handle's listing, if the agent has more. Returns as agent_ask; ENOMEM. */
static int fill_listing(struct sftp *sftp, struct handle *handle)
{
    int result = 0;

    if (handle->listing == NULL) {
        sftp->agent.text = slice_of(NULL, 0);
        handle->listing = malloc(sizeof(*handle->listing));
        if (handle->listing == NULL)
            return ENOMEM;
        handle->listing->last = false;
        handle->listing->len = handle->listing->at = 0;
    }
    struct agent_entries *listing = handle->listing;
    while (result == 0 && listing->at == listing->len && !listing->last)
        result = agent_entries_next(&sftp->agent, handle->agent, false, listing);
    return result;
}

/* Put entries while there is room. Returns how many, or -1: what the agent sent is none. */
static int put_entries(struct call *call, struct agent_entries *listing)
{
    const int64_t now = time(NULL);
    struct directory_entry entry;
    int count = 0;

    while (listing->at < listing->len && call->answer.size - call->answer.len >= ENTRY_MAX) {
        char line[LONGNAME_MAX];
        if (agent_entries_take(listing, &entry) < 0)
            return -1;
        const struct attributes attributes = ATTRIBUTES_OF(entry);
        const size_t len = longname(call->sftp, now, entry.name, &attributes, line);
        wire_put_string(&call->answer, entry.name);
        wire_put_string(&call->answer, slice_of(line, len));
        put_attributes(&call->answer, &attributes);
        count++;
    }
    return count;
}

enum outcome on_readdir(struct call *call)
{
    const int result = fill_listing(call->sftp, call->handle);

    if (result != 0)
        return answer_agent(call, result);
    answer_begin(call, FXP_NAME);
    const size_t at_count = call->answer.len;
    wire_put_u32(&call->answer, 0);
    const int count = put_entries(call, call->handle->listing);
    if (count < 0)
        return BROKEN;
    if (count == 0)
        return answer_status(call, FX_EOF, "End of file");
    struct wire_out number = wire_out_of(call->answer.data + at_count, 4);
    wire_put_u32(&number, (uint32_t)count);
    return ANSWERED;
}
