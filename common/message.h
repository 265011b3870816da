/* Messages between processes: everything here is generated from messages.def.
 *
 * For each message there is a struct (struct sign_exchange), a number (MSG_SIGN_EXCHANGE's place is
 * taken by MSG_sign_exchange), a typed send (send_sign_exchange) and a typed decode
 * (decode_sign_exchange). A message travels whole over a SOCK_SEQPACKET socket or not at all.
 * Nothing in this file allocates; decoded texts and blobs point into the received envelope. */
#ifndef SALLYPORT_MESSAGE_H
#define SALLYPORT_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/slice.h"

#define MESSAGE_MAX      65536 /* bytes of one message, its header included */
#define MESSAGE_FDS_MAX  2     /* descriptors that one message may carry */
#define ACCOUNT_NAME_MAX 64    /* bytes of an account's name */
#define WEB_TOKEN        32    /* bytes of the token of a web session */
#define FOLDER_NAME_MAX  255   /* bytes of the name of a folder in a view */
#define FOLDERS_BYTES    28000 /* of an account's folder sets in messages, beside its home */
#define LIBRARY_MAX      160   /* bytes of which OpenSSL a worker has (library.h) */
#define UPLOAD_ID        24    /* letters of the number of an upload in parts: 96 bits, in hex */

enum message_link {
    WORKER_TO_MONITOR,
    MONITOR_TO_WORKER,
    MONITOR_TO_AGENT,
    AGENT_TO_MONITOR,
    WORKER_TO_AGENT,
    AGENT_TO_WORKER,
    AGENT_TO_STORE,
    STORE_TO_AGENT,
    TO_STORE,
    FROM_STORE,
    TO_HASHER,
    FROM_HASHER,
    TO_NOTIFY,
    FROM_NOTIFY,
    NOTIFY_TO_STORE,
    STORE_TO_NOTIFY,
    CONTROL_TO_MONITOR,
    MONITOR_TO_CONTROL,
    NESTED, /* travels inside another message's blob */
};

enum message_type {
    MSG_NONE = 0,
#define MESSAGE(name, link, fds_least, fds_most, note) MSG_##name,
#include "common/message_fields_off.h"
#include "common/messages.def"
#include "common/message_macros_end.h"
    MSG_COUNT,
};

#define MESSAGE(name, link, fds_least, fds_most, note) struct name {
#define F_U8(m, field)                                 uint8_t field;
#define F_U32(m, field)                                uint32_t field;
#define F_U64(m, field)                                uint64_t field;
#define F_I64(m, field)                                int64_t field;
#define F_STR(m, field, most)                          struct slice field;
#define F_BLOB(m, field, most)                         struct slice field;
#define F_SECRET(m, field, most)                       struct slice field;
#define END(name)                                                                                  \
    char end_; /* a message without fields is a struct all the same */                             \
    }                                                                                              \
    ;
#include "common/messages.def"
#include "common/message_macros_end.h"

enum field_kind { FIELD_U8, FIELD_U32, FIELD_U64, FIELD_I64, FIELD_STR, FIELD_BLOB, FIELD_SECRET };

struct field_info {
    const char *name;
    enum field_kind kind;
    uint32_t most;   /* bytes, for texts and blobs */
    uint32_t offset; /* in the message's struct */
};

struct message_info {
    const char *name;
    enum message_link link;
    uint8_t fds_least, fds_most;
    bool secret; /* has a field whose bytes are wiped after use */
    const struct field_info *fields;
    size_t field_count;
    size_t struct_size;
    const char *note;
};

/* What was received: the type is known and the number of descriptors fits it. */
struct envelope {
    enum message_type type;
    uint32_t id; /* of the request; its answer carries the same */
    size_t len;  /* of bytes */
    size_t fd_count;
    int fds[MESSAGE_FDS_MAX]; /* owned by whoever received; -1 once taken */
    uint8_t bytes[MESSAGE_MAX];
};

/* The schema's row of a type, or NULL. */
const struct message_info *message_info(enum message_type type);
const char *message_link_name(enum message_link link);

/* Encode a message's struct. Returns its length, or -1: EMSGSIZE (it or a field is too long),
 * EINVAL (a text holds NUL). */
ssize_t message_encode(enum message_type type, uint32_t id, const void *message, uint8_t *bytes,
                       size_t size);

/* Decode an envelope into a message's struct: every field within its bounds, nothing left over.
 * Returns 0, or -1 with EPROTO. Texts and blobs point into the envelope. */
int message_decode(const struct envelope *e, enum message_type type, void *message);

/* Send and receive on a SOCK_SEQPACKET socket. Sending: 0, or -1 with errno (EAGAIN when a
 * non-blocking socket is full). Receiving: 1 a message, 0 the other side is gone, -1 errno; EPROTO
 * when what came is no message of the schema (its descriptors are closed, the sender is to be
 * ended), EAGAIN when there is none. flags: MSG_DONTWAIT or 0. */
int message_send(int socket, enum message_type type, uint32_t id, const void *message,
                 const int *fds, size_t fd_count);
int message_receive(int socket, struct envelope *e, int flags);

/* The same from a sender whose messages never carry descriptors: the kernel is given no room for
 * them, so that none ever gets into this process; an attached one is EPROTO. */
int message_receive_bare(int socket, struct envelope *e, int flags);

/* Nobody may send descriptors to this socket: the kernel refuses them at the sender, EPERM (Linux
 * 6.16; before, nothing happens here and message_receive_bare refuses). Set it before the sender
 * has its end. */
void message_refuse_descriptors(int socket);

/* Pass on what was received, under another id, without decoding it (the monitor's relay between
 * the operator's command and the store). Descriptors are not passed. */
int message_forward(int socket, const struct envelope *e, uint32_t id);

/* After use: close descriptors nobody took, wipe secrets. */
void envelope_clear(struct envelope *e);

/* Take a descriptor out of an envelope: the caller owns it. */
int envelope_take_fd(struct envelope *e, size_t index);

/* Nested messages in a blob: each is four bytes of length and an encoded message.
 * Append: the new length of the blob, or -1 when it does not fit (EMSGSIZE).
 * Next: 1 decoded, 0 at the end, -1 EPROTO; *rest moves on. */
ssize_t message_nest(enum message_type type, const void *message, uint8_t *blob, size_t len,
                     size_t size);
int message_unnest(struct slice *rest, enum message_type type, void *message);

/* Typed fronts, one pair a message. */
#define MESSAGE(name, link, fds_least, fds_most, note)                                             \
    static inline int send_##name(int socket, uint32_t id, const struct name *m)                   \
    {                                                                                              \
        return message_send(socket, MSG_##name, id, m, NULL, 0);                                   \
    }                                                                                              \
    static inline int send_##name##_fds(int socket, uint32_t id, const struct name *m,             \
                                        const int *fds, size_t fd_count)                           \
    {                                                                                              \
        return message_send(socket, MSG_##name, id, m, fds, fd_count);                             \
    }                                                                                              \
    static inline int decode_##name(const struct envelope *e, struct name *m)                      \
    {                                                                                              \
        return message_decode(e, MSG_##name, m);                                                   \
    }                                                                                              \
    static inline ssize_t nest_##name(const struct name *m, uint8_t *blob, size_t len,             \
                                      size_t size)                                                 \
    {                                                                                              \
        return message_nest(MSG_##name, m, blob, len, size);                                       \
    }                                                                                              \
    static inline int unnest_##name(struct slice *rest, struct name *m)                            \
    {                                                                                              \
        return message_unnest(rest, MSG_##name, m);                                                \
    }
#include "common/message_fields_off.h"
#include "common/messages.def"
#include "common/message_macros_end.h"

#endif
