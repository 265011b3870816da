/* The encoder and decoder of every message, driven by the tables that messages.def makes, and
 * their transport over SOCK_SEQPACKET. The decoder is the only code that looks at bytes another
 * process sent; it must refuse whatever the schema does not describe, and never reads past them. */
#include "common/message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16: newer than headers; asm-generic/socket.h */
#endif

/* What stands before the fields. */
struct header {
    uint32_t type;
    uint32_t id;
};

#define MESSAGE(name, link, fds_least, fds_most, note)                                             \
    static const struct field_info fields_of_##name[] = {
#define F_U8(m, field)           {#field, FIELD_U8, 1, offsetof(struct m, field)},
#define F_U32(m, field)          {#field, FIELD_U32, 4, offsetof(struct m, field)},
#define F_U64(m, field)          {#field, FIELD_U64, 8, offsetof(struct m, field)},
#define F_I64(m, field)          {#field, FIELD_I64, 8, offsetof(struct m, field)},
#define F_STR(m, field, most)    {#field, FIELD_STR, most, offsetof(struct m, field)},
#define F_BLOB(m, field, most)   {#field, FIELD_BLOB, most, offsetof(struct m, field)},
#define F_SECRET(m, field, most) {#field, FIELD_SECRET, most, offsetof(struct m, field)},
#define END(name)                                                                                  \
    {                                                                                              \
        NULL, FIELD_U8, 0, 0                                                                       \
    }                                                                                              \
    }                                                                                              \
    ;
#include "common/messages.def"
#include "common/message_macros_end.h"

/* Does any field of this message hold a secret? Counted by the compiler. */
#define MESSAGE(name, link, fds_least, fds_most, note) enum { secrets_of_##name = 0
#define F_U8(m, field)
#define F_U32(m, field)
#define F_U64(m, field)
#define F_I64(m, field)
#define F_STR(m, field, most)
#define F_BLOB(m, field, most)
#define F_SECRET(m, field, most) +1
#define END(name)                                                                                  \
    }                                                                                              \
    ;
#include "common/messages.def"
#include "common/message_macros_end.h"

static const struct message_info messages[MSG_COUNT] = {
#define MESSAGE(name, link, fds_least, fds_most, note)                                             \
    [MSG_##name] = {#name,                                                                         \
                    link,                                                                          \
                    fds_least,                                                                     \
                    fds_most,                                                                      \
                    secrets_of_##name > 0,                                                         \
                    fields_of_##name,                                                              \
                    sizeof(fields_of_##name) / sizeof(fields_of_##name[0]) - 1,                    \
                    sizeof(struct name),                                                           \
                    note},
#include "common/message_fields_off.h"
#include "common/messages.def"
#include "common/message_macros_end.h"
};

const struct message_info *message_info(enum message_type type)
{
    return type > MSG_NONE && type < MSG_COUNT ? &messages[type] : NULL;
}

const char *message_link_name(enum message_link link)
{
    static const char *const names[] = {
        [WORKER_TO_MONITOR] = "worker -> monitor",
        [MONITOR_TO_WORKER] = "monitor -> worker",
        [MONITOR_TO_AGENT] = "monitor -> agent",
        [AGENT_TO_MONITOR] = "agent -> monitor",
        [WORKER_TO_AGENT] = "worker -> agent",
        [AGENT_TO_WORKER] = "agent -> worker",
        [AGENT_TO_STORE] = "agent -> store",
        [STORE_TO_AGENT] = "store -> agent",
        [TO_STORE] = "monitor or operator -> store",
        [FROM_STORE] = "store -> monitor or operator",
        [TO_HASHER] = "monitor -> hasher",
        [FROM_HASHER] = "hasher -> monitor",
        [TO_NOTIFY] = "monitor -> notify",
        [FROM_NOTIFY] = "notify -> monitor",
        [NOTIFY_TO_STORE] = "notify -> store",
        [STORE_TO_NOTIFY] = "store -> notify",
        [CONTROL_TO_MONITOR] = "operator -> monitor",
        [MONITOR_TO_CONTROL] = "monitor -> operator",
        [NESTED] = "inside another",
    };
    return names[link];
}

/* Bytes of a field that has a fixed size, else 0. */
static size_t fixed_size(enum field_kind kind)
{
    switch (kind) {
    case FIELD_U8:
        return 1;
    case FIELD_U32:
        return 4;
    case FIELD_U64:
    case FIELD_I64:
        return 8;
    default:
        return 0;
    }
}

ssize_t message_encode(enum message_type type, uint32_t id, const void *message, uint8_t *bytes,
                       size_t size)
{
    const struct message_info *info = message_info(type);
    const struct header header = {.type = type, .id = id};
    size_t at = sizeof(header);

    if (info == NULL || size < sizeof(header)) {
        errno = EMSGSIZE;
        return -1;
    }
    memcpy(bytes, &header, sizeof(header));
    for (size_t i = 0; i < info->field_count; i++) {
        const struct field_info *field = &info->fields[i];
        const uint8_t *value = (const uint8_t *)message + field->offset;
        size_t n = fixed_size(field->kind);
        if (n == 0) {
            struct slice text;
            memcpy(&text, value, sizeof(text));
            errno = EMSGSIZE;
            if (text.len > field->most || size - at < 4 || size - at - 4 < text.len)
                goto failed;
            errno = EINVAL;
            if (field->kind == FIELD_STR && text.len > 0 && memchr(text.data, 0, text.len) != NULL)
                goto failed;
            const uint32_t length = (uint32_t)text.len;
            memcpy(bytes + at, &length, 4);
            at += 4;
            value = text.data;
            n = text.len;
        }
        errno = EMSGSIZE;
        if (size - at < n)
            goto failed;
        if (n > 0)
            memcpy(bytes + at, value, n);
        at += n;
    }
    return (ssize_t)at;
failed:
    if (info->secret)
        explicit_bzero(bytes, at);
    return -1;
}

static int refuse(void)
{
    errno = EPROTO;
    return -1;
}

/* The fields, from bytes[at]; every read is bounded by len. */
static int decode_fields(const struct message_info *info, const uint8_t *bytes, size_t len,
                         size_t at, void *message)
{
    for (size_t i = 0; i < info->field_count; i++) {
        const struct field_info *field = &info->fields[i];
        uint8_t *value = (uint8_t *)message + field->offset;
        const size_t fixed = fixed_size(field->kind);
        if (fixed > 0) {
            if (len - at < fixed)
                return refuse();
            memcpy(value, bytes + at, fixed);
            at += fixed;
            continue;
        }
        uint32_t length;
        if (len - at < 4)
            return refuse();
        memcpy(&length, bytes + at, 4);
        at += 4;
        if (length > field->most || len - at < length)
            return refuse();
        if (field->kind == FIELD_STR && memchr(bytes + at, 0, length) != NULL)
            return refuse();
        const struct slice text = slice_of(bytes + at, length);
        memcpy(value, &text, sizeof(text));
        at += length;
    }
    return at == len ? 0 : refuse();
}

int message_decode(const struct envelope *e, enum message_type type, void *message)
{
    const struct message_info *info = message_info(type);

    if (info == NULL || e->type != type || e->len < sizeof(struct header))
        return refuse();
    return decode_fields(info, e->bytes, e->len, sizeof(struct header), message);
}

int message_send(int socket, enum message_type type, uint32_t id, const void *message,
                 const int *fds, size_t fd_count)
{
    uint8_t bytes[MESSAGE_MAX];
    const ssize_t len = message_encode(type, id, message, bytes, sizeof(bytes));
    union {
        char space[CMSG_SPACE(sizeof(int) * MESSAGE_FDS_MAX)];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {.iov_base = bytes, .iov_len = len > 0 ? (size_t)len : 0};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t sent = -1;

    if (len < 0)
        goto out;
    if (fd_count < messages[type].fds_least || fd_count > messages[type].fds_most) {
        errno = EINVAL;
        goto out;
    }
    if (fd_count > 0) {
        header.msg_control = control.space;
        header.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * fd_count);
    }
    do
        sent = sendmsg(socket, &header, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
out:
    if (len > 0 && messages[type].secret)
        explicit_bzero(bytes, (size_t)len);
    return sent < 0 ? -1 : 0;
}

int message_forward(int socket, const struct envelope *e, uint32_t id)
{
    const struct header header = {.type = e->type, .id = id};
    struct iovec parts[2] = {
        {.iov_base = (void *)&header, .iov_len = sizeof(header)},
        {.iov_base = (void *)(e->bytes + sizeof(header)), .iov_len = e->len - sizeof(header)},
    };
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t sent;

    do
        sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -1 : 0;
}

/* Collect the descriptors of a received message; those over the maximum were closed by the kernel,
 * which says so by MSG_CTRUNC. */
static void collect_descriptors(struct msghdr *header, struct envelope *e)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        const size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            if (e->fd_count < MESSAGE_FDS_MAX)
                e->fds[e->fd_count++] = fd;
            else
                close(fd);
        }
    }
}

/* One message, with room for descriptors or without. Where there is none (or too little) and some
 * were attached, the kernel says MSG_CTRUNC, and they are gone. */
static int receive(int socket, struct envelope *e, int flags, void *control, size_t control_size)
{
    struct iovec part = {.iov_base = e->bytes, .iov_len = sizeof(e->bytes)};
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = control_size};
    struct header head;
    ssize_t n;

    e->type = MSG_NONE;
    e->len = e->fd_count = 0;
    /* A peer that ended without reading all makes ECONNRESET, once, before what it had sent. */
    do
        n = recvmsg(socket, &header, flags | MSG_CMSG_CLOEXEC);
    while (n < 0 && (errno == EINTR || errno == ECONNRESET));
    if (n < 0)
        return -1;
    collect_descriptors(&header, e);
    /* An empty datagram may carry descriptors; the end does not. */
    if (n == 0 && e->fd_count == 0 && (header.msg_flags & MSG_CTRUNC) == 0)
        return 0;
    e->len = (size_t)n;
    if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || e->len < sizeof(head))
        goto refused;
    memcpy(&head, e->bytes, sizeof(head));
    const struct message_info *info = head.type < MSG_COUNT ? message_info(head.type) : NULL;
    if (info == NULL || info->link == NESTED || e->fd_count < info->fds_least ||
        e->fd_count > info->fds_most)
        goto refused;
    e->type = head.type;
    e->id = head.id;
    return 1;
refused:
    envelope_clear(e);
    return refuse();
}

int message_receive(int socket, struct envelope *e, int flags)
{
    union {
        char space[CMSG_SPACE(sizeof(int) * MESSAGE_FDS_MAX)];
        struct cmsghdr align;
    } control;

    return receive(socket, e, flags, control.space, sizeof(control.space));
}

int message_receive_bare(int socket, struct envelope *e, int flags)
{
    return receive(socket, e, flags, NULL, 0);
}

void message_refuse_descriptors(int socket)
{
    const int none = 0;

    /* Best effort: kernels that do not know it say ENOPROTOOPT. */
    (void)setsockopt(socket, SOL_SOCKET, SO_PASSRIGHTS, &none, sizeof(none));
}

void envelope_clear(struct envelope *e)
{
    for (size_t i = 0; i < e->fd_count; i++) {
        if (e->fds[i] >= 0)
            close(e->fds[i]);
    }
    e->fd_count = 0;
    if (e->type == MSG_NONE || messages[e->type].secret)
        explicit_bzero(e->bytes, e->len);
    e->len = 0;
    e->type = MSG_NONE;
}

int envelope_take_fd(struct envelope *e, size_t index)
{
    int fd = -1;

    if (index < e->fd_count) {
        fd = e->fds[index];
        e->fds[index] = -1;
    }
    return fd;
}

ssize_t message_nest(enum message_type type, const void *message, uint8_t *blob, size_t len,
                     size_t size)
{
    if (size - len < 4) {
        errno = EMSGSIZE;
        return -1;
    }
    const ssize_t n = message_encode(type, 0, message, blob + len + 4, size - len - 4);
    if (n < 0)
        return -1;
    const uint32_t length = (uint32_t)n;
    memcpy(blob + len, &length, 4);
    return (ssize_t)(len + 4 + length);
}

int message_unnest(struct slice *rest, enum message_type type, void *message)
{
    const struct message_info *info = message_info(type);
    struct header head;
    uint32_t length;

    if (rest->len == 0)
        return 0;
    if (info == NULL || rest->len < 4)
        return refuse();
    memcpy(&length, rest->data, 4);
    if (length < sizeof(head) || rest->len - 4 < length)
        return refuse();
    memcpy(&head, rest->data + 4, sizeof(head));
    if (head.type != type || decode_fields(info, rest->data + 4, length, sizeof(head), message) < 0)
        return refuse();
    *rest = slice_of(rest->data + 4 + length, rest->len - 4 - length);
    return 1;
}
