/* What the parts of the SFTP server share: the session, a request on its way, handles, answers.
 * Not for others: they see sftp.h. */
#ifndef SALLYPORT_SFTP_ENGINE_H
#define SALLYPORT_SFTP_ENGINE_H

#include "common/agent_file.h"
#include "common/attributes.h"
#include "common/ls_line.h"
#include "common/message.h"
#include "common/slice.h"
#include "common/sshwire.h"
#include "sftp-worker/sftp.h"

#define PATH_BYTES 4095 /* of a path in a message to the agent */

/* Largest answers, in bytes with the packet's length. None is smaller than ROOM_STATUS, so that
 * every request can be refused with a sentence. */
enum room {
    ROOM_STATUS = 512,
    ROOM_VERSION = 1024,
    ROOM_NAME = 2 * PATH_BYTES + 64,
    ROOM_LISTING = 32 * 1024, /* the draft promises clients that take no more than 34,000 */
    ROOM_IDS = 64 * 1024,
};

/* Packet types that answers have (filexfer-02, 3). */
enum packet_type {
    FXP_VERSION = 2,
    FXP_STATUS = 101,
    FXP_HANDLE = 102,
    FXP_DATA = 103,
    FXP_NAME = 104,
    FXP_ATTRS = 105,
    FXP_EXTENDED_REPLY = 201,
};

/* Codes of STATUS (filexfer-02, 7). */
enum status_code {
    FX_OK = 0,
    FX_EOF = 1,
    FX_NO_SUCH_FILE = 2,
    FX_PERMISSION_DENIED = 3,
    FX_FAILURE = 4,
    FX_BAD_MESSAGE = 5,
    FX_OP_UNSUPPORTED = 8,
};

/* ---- handles ------------------------------------------------------------------------------- */
enum handle_kind { HANDLE_NONE, HANDLE_FILE, HANDLE_FOLDER, HANDLE_ANY };

struct handle {
    enum handle_kind kind; /* HANDLE_NONE: the place is free */
    uint32_t generation;   /* so that a handle that was closed is not taken for a newer one */
    uint32_t agent;        /* the agent's number for it */
    uint32_t next_free;
    int fd; /* of a file, -1 of a folder */
    bool readable, writable, append;
    int write_error; /* errno of the first write that failed */
    uint64_t bytes_read, bytes_written;
    struct agent_entries *listing; /* of a folder, once it was read */
};

struct handles {
    struct handle *all; /* grows as needed, at most SFTP_HANDLES_MAX */
    uint32_t count, open, first_free;
};

/* A free place, HANDLE_NONE until the caller sets its kind; NULL: EMFILE or ENOMEM in errno. */
struct handle *handle_new(struct handles *handles);
/* By the client's opaque bytes, of one kind; NULL: there is none. */
struct handle *handle_find(struct handles *handles, struct slice bytes, enum handle_kind kind);
uint32_t handle_number(const struct handles *handles, const struct handle *handle);
void handle_release(struct handles *handles, struct handle *handle); /* closes its descriptor */

/* ---- a session and a request on its way ----------------------------------------------------- */
struct job;

struct sftp {
    struct agent_link agent;
    struct sftp_sink sink;
    struct sftp_totals totals;
    struct handles handles;
    struct job *job; /* a long request that is worked on in steps */
    uint32_t uid, gid;
    uint32_t version; /* the client's; 0 before INIT */
    bool again;       /* sftp_busy */
    const char *error;
    char account[ACCOUNT_NAME_MAX + 1];
};

struct call {
    struct sftp *sftp;
    uint32_t id;
    struct wire args;       /* what of the packet was not read yet */
    struct handle *handle;  /* where the row asks for one */
    int trouble;            /* errno of a path that cannot be one */
    struct wire_out answer; /* over what the sink lent */
};

enum outcome {
    ANSWERED,
    LATER,     /* a job was begun, or has more to do */
    MALFORMED, /* the packet is not what its type promises */
    BROKEN,    /* the agent is gone or talks nonsense */
};

typedef enum outcome (*handler)(struct call *call);

struct request {
    uint8_t number;
    const char *name, *version; /* version: NULL of what is no extension */
    size_t least, room;
    enum handle_kind needs;
    const char *operations;
    handler run;
    const char *help;
};

#define REQUEST(number, function, least, room, handle, operations, help)                           \
    enum outcome on_##function(struct call *call);
#define EXTENSION(function, name, version, least, room, handle, operations, help)                  \
    enum outcome on_##function(struct call *call);
#include "sftp-worker/requests.def"
#undef REQUEST
#undef EXTENSION

/* The tables, for dispatch and for tests; *count rows. */
const struct request *sftp_requests(size_t *count);
const struct request *sftp_extensions(size_t *count);

/* ---- arguments ------------------------------------------------------------------------------ */
struct path {
    struct slice text; /* absolute in the account's view */
    char space[PATH_BYTES + 1];
};

/* The next argument as a path; relative ones are relative to the home, "/". What cannot be a path
 * is remembered in the call: ask args_good once, after the last argument, then args_refuse. */
void take_path(struct call *call, struct path *path);
/* The same for what may be empty and means "here" then (realpath, expand-path). */
void take_path_or_home(struct call *call, struct path *path);
/* A text that the agent takes as it is: what a symbolic link says. */
struct slice take_text(struct call *call);
/* The last step of these: path_set for a text that is no argument by itself. Returns errno or 0. */
int path_set(struct path *path, struct slice text);
bool args_good(const struct call *call);
enum outcome args_refuse(struct call *call);

/* ---- attributes ----------------------------------------------------------------------------- */
/* As a client sends them (filexfer-02, 5): what to change. */
struct changes {
    uint32_t valid; /* ATTR_* */
    uint64_t size;
    uint32_t uid, gid, mode;
    int64_t atime_ns, mtime_ns;
};

/* Into any message with CHANGE_FIELDS. */
#define CHANGES_FROM(c)                                                                            \
    .valid = (c).valid, .size = (c).size, .uid = (c).uid, .gid = (c).gid, .mode = (c).mode,        \
    .atime_ns = (c).atime_ns, .mtime_ns = (c).mtime_ns

struct changes take_attributes(struct call *call);
void put_attributes(struct wire_out *out, const struct attributes *attributes);
void put_no_attributes(struct wire_out *out);

#define LONGNAME_MAX LS_LINE_MAX
/* The line of `ls -l` (UTC; ids as numbers but for the account's own). now: seconds since 1970.
 * Returns its length; name is at most 255 bytes. */
size_t longname(const struct sftp *sftp, int64_t now, struct slice name,
                const struct attributes *attributes, char line[LONGNAME_MAX]);

/* ---- answers -------------------------------------------------------------------------------- */
void answer_begin(struct call *call, enum packet_type type);
enum outcome answer_status(struct call *call, enum status_code code, const char *text);
/* text: a sentence instead of the errno's own, may be empty. */
enum outcome answer_errno(struct call *call, int error, struct slice text);
/* The result of an agent call that has no other answer than a status; also for those that failed.
 */
enum outcome answer_agent(struct call *call, int result);
enum outcome answer_attributes(struct call *call, const struct attributes *attributes);
enum outcome answer_name(struct call *call, struct slice name);
enum outcome answer_handle(struct call *call, const struct handle *handle);

/* ---- files, for requests and jobs ------------------------------------------------------------ */
/* Give a handle back to the agent and free its place. whole: 0, the transfer broke off.
 * Returns 0, an errno that the client may see (its sentence in agent.text), or -1: broken. */
int file_give_back(struct sftp *sftp, struct handle *handle, bool whole);
/* Open a file and have its descriptor. Returns as file_give_back; the handle belongs to the table.
 */
int file_open_as(struct sftp *sftp, const struct file_open *ask, struct handle **made,
                 struct attributes *seen);
/* One pread. Returns bytes (0: the end), or -1 with errno. */
ssize_t file_read_at(int fd, uint8_t *data, size_t len, uint64_t offset);

/* ---- jobs ----------------------------------------------------------------------------------- */
/* One step of the session's job, as a request; the room that its answer needs; the job given up. */
enum outcome job_step(struct call *call);
size_t job_room(const struct job *job);
uint32_t job_id(const struct job *job);
void job_end(struct sftp *sftp);

#endif
