/* The client's side of an SFTP session for tests: builds requests, feeds the engine, reads answers.
 * Whatever the engine is given or lends is memory of exactly the size it was told, so that the
 * address sanitizer sees one byte too many. */
#ifndef SALLYPORT_SFTP_PEER_H
#define SALLYPORT_SFTP_PEER_H

#include "common/sshwire.h"
#include "sftp-worker/sftp.h"
#include "tests/unit/fake_agent.h"

#define PEER_UID 4000
#define PEER_GID 4001

enum {
    T_INIT = 1,
    T_VERSION,
    T_OPEN,
    T_CLOSE,
    T_READ,
    T_WRITE,
    T_LSTAT,
    T_FSTAT,
    T_SETSTAT,
    T_FSETSTAT,
    T_OPENDIR,
    T_READDIR,
    T_REMOVE,
    T_MKDIR,
    T_RMDIR,
    T_REALPATH,
    T_STAT,
    T_RENAME,
    T_READLINK,
    T_SYMLINK,
    T_STATUS = 101,
    T_HANDLE,
    T_DATA,
    T_NAME,
    T_ATTRS,
    T_EXTENDED = 200,
    T_EXTENDED_REPLY,
};
enum { W_READ = 1, W_WRITE = 2, W_APPEND = 4, W_CREAT = 8, W_TRUNC = 16, W_EXCL = 32 };
enum { OK = 0, END = 1, NO_FILE = 2, DENIED = 3, FAILURE = 4, BAD = 5, UNSUPPORTED = 8 };

struct peer {
    struct fake_agent agent;
    struct sftp *sftp;
    char folder[64];
    uint8_t *lent; /* to the engine */
    size_t lent_size;
    uint8_t *out; /* answers that were committed and not read */
    size_t out_len, out_size, out_most;
    uint32_t id;
    uint8_t *packet; /* the request that is being built */
    struct wire_out request;
};

struct answer {
    uint8_t type;
    uint32_t id;
    struct wire body; /* good until the next request */
};

void peer_start(struct peer *peer);              /* a folder, an agent, a session after INIT */
void peer_start_at(struct peer *peer, int link); /* the same with an agent that is there already */
void peer_end(struct peer *peer);
void peer_session(struct peer *peer);     /* a new session on the same agent, before INIT */
void peer_end_session(struct peer *peer); /* sftp_free */

/* Build a request: begin, put into peer->request, then exchange it for the one answer. */
void begin(struct peer *peer, uint8_t type);
void begin_extension(struct peer *peer, const char *name);
void put_text(struct peer *peer, const char *text);
void put_string(struct peer *peer, struct slice bytes);
void put_u32(struct peer *peer, uint32_t v);
void put_u64(struct peer *peer, uint64_t v);
struct slice packet(struct peer *peer); /* the whole packet with its length */
struct answer exchange(struct peer *peer);

/* Offer bytes until they are used, with jobs; -1 when the engine wants to close. */
ssize_t feed(struct peer *peer, struct slice bytes);
/* The next answer that was committed, or type 0. */
struct answer next_answer(struct peer *peer, size_t *at);
void forget_answers(struct peer *peer);

/* The answer must be a status of this code; returns its text. */
struct slice status(struct answer answer, uint32_t code);
#define assert_text(slice, text) assert_true(slice_is(slice, text))

struct attributes_read {
    uint32_t flags, uid, gid, mode, atime, mtime;
    uint64_t size;
};
struct attributes_read read_attributes(struct wire *w);

/* The usual requests. */
struct slice open_file(struct peer *peer, const char *path,
                       uint32_t flags); /* kept until 16 more */
struct slice open_folder(struct peer *peer, const char *path);
struct answer with_path(struct peer *peer, uint8_t type, const char *path);
struct answer with_handle(struct peer *peer, uint8_t type, struct slice handle);
struct answer read_file(struct peer *peer, struct slice handle, uint64_t offset, uint32_t len);
struct answer write_file(struct peer *peer, struct slice handle, uint64_t offset,
                         struct slice data);
void make_file(struct peer *peer, const char *path, struct slice data); /* on the disk itself */

#endif
