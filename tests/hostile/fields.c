/* Every message that a worker may send, where it is allowed, with its bytes bad in every way: cut,
 * too long, fields at their limit and over it, NUL and control bytes, foreign types and ids,
 * descriptors. Called by main.c. What a field may hold at most comes from the schema; what happens
 * beyond is always the same: the end of the session. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/hostile/hostile.h"

#define HEADER_BYTES 8
#define ANSWER_MS    PATIENCE_MS
#define MANY_FDS     253

/* Messages to the monitor, and a state in which each is allowed. */
static const struct {
    enum message_type type;
    enum role kind;
    enum stand stand;
} allowed[] = {
    // clang-format off
    {MSG_worker_ready,  ROLE_SFTP, STAND_STARTING}, {MSG_sign_exchange, ROLE_SFTP, STAND_GREETED},
    {MSG_auth_query,    ROLE_SFTP, STAND_GREETED},  {MSG_auth_key,      ROLE_SFTP, STAND_KEYED},
    {MSG_auth_password, ROLE_SFTP, STAND_GREETED},  {MSG_worker_log,    ROLE_SFTP, STAND_GREETED},
    {MSG_worker_end,    ROLE_SFTP, STAND_GREETED},  {MSG_sign_tls13,    ROLE_FTPS, STAND_GREETED},
    {MSG_sign_tls12,    ROLE_FTPS, STAND_GREETED},  {MSG_data_passive,  ROLE_FTPS, STAND_OPEN},
    {MSG_data_active,   ROLE_FTPS, STAND_OPEN},     {MSG_tls_keep,     ROLE_HTTPS, STAND_GREETED},
    {MSG_tls_find,     ROLE_HTTPS, STAND_GREETED},  {MSG_auth_token,   ROLE_HTTPS, STAND_GREETED},
    {MSG_agent_wanted, ROLE_HTTPS, STAND_KNOWN},    {MSG_sign_out,     ROLE_HTTPS, STAND_KNOWN},
    {MSG_auth_code,    ROLE_HTTPS, STAND_CODED},    {MSG_auth_link,    ROLE_HTTPS, STAND_GREETED},
    {MSG_lost_password, ROLE_HTTPS, STAND_GREETED}, {MSG_own_show,     ROLE_HTTPS, STAND_KNOWN},
    {MSG_key_next,     ROLE_HTTPS, STAND_KNOWN},    {MSG_key_add,      ROLE_HTTPS, STAND_KNOWN},
    {MSG_key_remove,   ROLE_HTTPS, STAND_KNOWN},    {MSG_web_next,     ROLE_HTTPS, STAND_KNOWN},
    {MSG_web_end,      ROLE_HTTPS, STAND_KNOWN},    {MSG_totp_confirm, ROLE_HTTPS, STAND_KNOWN},
    {MSG_totp_remove,  ROLE_HTTPS, STAND_KNOWN},    {MSG_session_next, ROLE_HTTPS, STAND_KNOWN},
    {MSG_session_kill, ROLE_HTTPS, STAND_KNOWN},
    // clang-format on
};

/* The message in hand: the state it is sent in, and its sample. */
struct subject {
    enum message_type type;
    enum stand stand;
    struct actor actor;
    struct sample sample;
};

static void subject_open(struct hostile *h, struct subject *s)
{
    if (s->stand == STAND_AGENT)
        home_reset(h);
    actor_make(h, s->stand, &s->actor);
    sample_make(h, &s->actor, s->type, NULL, &s->sample);
}

/* Send the sample as it is now, see what comes, and let the worker go. */
static void subject_try(struct hostile *h, struct subject *s, const int *fds, size_t fd_count,
                        bool good, const char *what, size_t number)
{
    struct actor *a = &s->actor;
    const bool agent = s->stand == STAND_AGENT;
    const uint64_t security = server_status(h).security_events;
    const off_t log_from = log_end(h);
    const char *wrong = NULL;
    enum seen seen;

    if (raw_send(agent ? a->agent : a->link, s->sample.bytes, s->sample.len, fds, fd_count, 0) < 0)
        give_up("%s, %s %zu, cannot be sent: %s", message_info(s->type)->name, what, number,
                strerror(errno));
    if (agent)
        seen = actor_watch_agent(h, a, security, s->sample.id);
    else
        seen = actor_watch(h, a, security, good && s->sample.answers ? ANSWER_MS : 0, s->sample.id);
    if (seen == SEEN_ENDED)
        wrong = actor_ended(h, a, log_from);
    const bool taken =
        seen == SEEN_GOOD || seen == SEEN_DENIED || (seen == SEEN_QUIET && !s->sample.answers);
    expect(h, (good ? taken : seen == SEEN_ENDED) && wrong == NULL,
           "fields: %s, %s %zu: %s expected; %s%s%s", message_info(s->type)->name, what, number,
           good ? "taken" : "the end", seen_names[seen], wrong != NULL ? ", but " : "",
           wrong != NULL ? wrong : "");
    sample_free(&s->sample);
    actor_drop(a);
}

/* ------------------------------------------------------------------------- whole messages */

/* Shorter by any number of bytes, but never nothing: a message of no bytes is tried by itself. */
static void try_cuts(struct hostile *h, struct subject *s)
{
    size_t len = 2;

    for (size_t cut = 1; cut < len; cut += h->options.thin) {
        subject_open(h, s);
        len = s->sample.len;
        s->sample.len = cut;
        subject_try(h, s, NULL, 0, false, "cut to", cut);
    }
}

/* Longer: by a byte, and to all that a message may hold and one more. */
static void try_long(struct hostile *h, struct subject *s)
{
    static const size_t lengths[] = {1, MESSAGE_MAX};
    static uint8_t bytes[MESSAGE_MAX + 1];

    for (size_t i = 0; i < 2; i++) {
        subject_open(h, s);
        s->sample.len = i == 0 ? s->sample.len + 1 : lengths[i];
        subject_try(h, s, NULL, 0, false, "length", s->sample.len);
    }
    subject_open(h, s);
    const uint64_t security = server_status(h).security_events;
    memcpy(bytes, s->sample.bytes, s->sample.len);
    const int link = s->stand == STAND_AGENT ? s->actor.agent : s->actor.link;
    if (raw_send(link, bytes, sizeof(bytes), NULL, 0, 0) < 0)
        give_up("a long message cannot be sent: %s", strerror(errno));
    const enum seen seen = s->stand == STAND_AGENT ? actor_watch_agent(h, &s->actor, security, 0)
                                                   : actor_watch(h, &s->actor, security, 0, 0);
    expect(h, seen == SEEN_ENDED, "fields: %s, too long a message: %s", message_info(s->type)->name,
           seen_names[seen]);
    sample_free(&s->sample);
    actor_drop(&s->actor);
}

static void try_headers(struct hostile *h, struct subject *s)
{
    static const uint32_t types[] = {0,          MSG_COUNT,  MSG_COUNT + 1, 0x7fffffff,
                                     0x80000000, 0xfffffffe, 0xffffffff};
    static const uint32_t ids[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        subject_open(h, s);
        memcpy(s->sample.bytes, &types[i], 4);
        subject_try(h, s, NULL, 0, false, "type", types[i]);
    }
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        subject_open(h, s);
        memcpy(s->sample.bytes + 4, &ids[i], 4);
        s->sample.id = ids[i];
        subject_try(h, s, NULL, 0, true, "id", ids[i]);
    }
}

/* ------------------------------------------------------------------------- descriptors */

enum { FD_FILE, FD_FOLDER, FD_SOCKET, FD_EPOLL, FD_EVENT, FD_PIPE, FD_LINK, FD_KINDS };

/* One of a kind; the link itself among them (a circle that only the kernel can clear away). */
static int make_fd(const struct actor *a, int kind, int *spare)
{
    int pair[2] = {-1, -1};

    switch (kind) {
    case FD_FILE:
        return open("/dev/zero", O_RDWR | O_CLOEXEC);
    case FD_FOLDER:
        return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    case FD_EPOLL:
        return epoll_create1(EPOLL_CLOEXEC);
    case FD_EVENT:
        return eventfd(0, EFD_CLOEXEC);
    case FD_LINK:
        return dup(a->link);
    default:
        if ((kind == FD_PIPE ? pipe2(pair, O_CLOEXEC)
                             : socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) < 0)
            return -1;
        *spare = pair[1];
        return pair[0];
    }
}

static void try_descriptors(struct hostile *h, struct subject *s)
{
    static const size_t counts[] = {1, 2, 3, MANY_FDS};

    for (int kind = 0; kind < FD_KINDS; kind++) {
        for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
            int fds[MANY_FDS], spare = -1;
            if (kind != FD_FILE && counts[c] != 1)
                continue;
            subject_open(h, s);
            fds[0] = make_fd(&s->actor, kind, &spare);
            if (fds[0] < 0)
                give_up("descriptor: %s", strerror(errno));
            for (size_t i = 1; i < counts[c]; i++)
                fds[i] = fds[0];
            subject_try(h, s, fds, counts[c], false, "descriptors", counts[c] * 10 + (size_t)kind);
            close(fds[0]);
            if (spare >= 0)
                close(spare);
        }
    }
}

/* ------------------------------------------------------------------------- fields */

/* Where a field's length stands in an encoded message. */
static size_t field_at(const struct sample *s, size_t field, uint32_t *length)
{
    const struct message_info *info = message_info(s->type);
    static const size_t fixed[] = {
        [FIELD_U8] = 1, [FIELD_U32] = 4, [FIELD_U64] = 8, [FIELD_I64] = 8};
    size_t at = HEADER_BYTES;

    for (size_t i = 0;; i++) {
        const enum field_kind kind = info->fields[i].kind;
        *length = 0;
        if (kind >= FIELD_STR)
            memcpy(length, s->bytes + at, 4);
        if (i == field)
            return at;
        at += kind >= FIELD_STR ? 4 + *length : fixed[kind];
    }
}

/* Make a field so long: of 'a', or as it is and padded. Returns 0, or -1: the message is full. */
static int stretch(struct sample *s, size_t at, uint32_t length, uint32_t wanted)
{
    const size_t tail = s->len - at - 4 - length;

    if (at + 4 + wanted + tail > sizeof(s->bytes))
        return -1;
    memmove(s->bytes + at + 4 + wanted, s->bytes + at + 4 + length, tail);
    memset(s->bytes + at + 4, 'a', wanted);
    memcpy(s->bytes + at, &wanted, 4);
    s->len = at + 4 + wanted + tail;
    return 0;
}

/* A path of a message to the agent is absolute also when it is long. */
static void make_path(struct sample *s, size_t at, uint32_t wanted)
{
    for (uint32_t i = 0; i < wanted; i += 200)
        s->bytes[at + 4 + i] = '/';
}

/* Parameters of ECDHE have the lengths of their curves, and none has the most of the schema. */
static bool is_shaped(enum message_type type, const char *field)
{
    return type == MSG_sign_tls12 && strcmp(field, "params") == 0;
}

/* At most, and one more. What is at most is good in itself, whatever comes of it; but an exchange
 * must be one. */
static void try_length(struct hostile *h, struct subject *s, size_t field)
{
    const struct field_info *info = &message_info(s->type)->fields[field];
    uint32_t length;

    for (uint32_t over = 0; over < 2; over++) {
        subject_open(h, s);
        const size_t at = field_at(&s->sample, field, &length);
        const uint32_t wanted = info->most + over;
        if (stretch(&s->sample, at, length, wanted) < 0)
            give_up("%s.%s: no room for its most", message_info(s->type)->name, info->name);
        if (s->stand == STAND_AGENT)
            make_path(&s->sample, at, wanted);
        if (s->type == MSG_sign_exchange) {
            const struct exchange_parts parts = {.total = wanted};
            exchange_make(h, &s->actor, &parts, s->sample.bytes + at + 4, wanted);
        }
        subject_try(h, s, NULL, 0, over == 0 && !is_shaped(s->type, info->name), info->name,
                    wanted);
    }
}

/* A length that says more than there is. */
static void try_lie(struct hostile *h, struct subject *s, size_t field)
{
    static const uint32_t lies[] = {0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff};
    uint32_t length;

    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        subject_open(h, s);
        const size_t at = field_at(&s->sample, field, &length);
        memcpy(s->sample.bytes + at, &lies[i], 4);
        subject_try(h, s, NULL, 0, false, message_info(s->type)->fields[field].name, lies[i]);
    }
}

/* One byte in the middle of a text: NUL ends the session, anything else is text. */
static void try_bytes(struct hostile *h, struct subject *s, size_t field)
{
    static const uint8_t bytes[] = {0, 1, '\t', '\n', '\r', 0x1b, 0x7f, 0x80, 0xff};
    uint32_t length;

    for (size_t i = 0; i < sizeof(bytes); i++) {
        subject_open(h, s);
        const size_t at = field_at(&s->sample, field, &length);
        if (length == 0 || stretch(&s->sample, at, length, length) < 0)
            give_up("%s: a sample with an empty text", message_info(s->type)->name);
        s->sample.bytes[at + 4 + length / 2] = bytes[i];
        if (s->stand == STAND_AGENT && length > 1)
            s->sample.bytes[at + 4] = '/';
        subject_try(h, s, NULL, 0, bytes[i] != 0, message_info(s->type)->fields[field].name,
                    bytes[i]);
    }
}

static void try_fields(struct hostile *h, struct subject *s)
{
    const struct message_info *info = message_info(s->type);

    for (size_t f = 0; f < info->field_count; f++) {
        if (info->fields[f].kind < FIELD_STR)
            continue;
        try_length(h, s, f);
        try_lie(h, s, f);
        if (info->fields[f].kind == FIELD_STR)
            try_bytes(h, s, f);
    }
}

/* ------------------------------------------------------------------------- nothing */

/* A message of no bytes looks like the link's end, which it is then: no event, but the worker goes
 * soon. With descriptors it is an attack on the monitor's table of descriptors. */
static void try_nothing(struct hostile *h)
{
    static const enum stand stands[] = {STAND_STARTING, STAND_SPARE, STAND_GREETED, STAND_OPEN,
                                        STAND_ENDING};
    const int fds[] = {STDERR_FILENO, STDERR_FILENO};

    for (size_t i = 0; i < sizeof(stands) / sizeof(stands[0]); i++) {
        for (size_t fd_count = 0; fd_count <= 2; fd_count++) {
            struct actor a;
            actor_make(h, stands[i], &a);
            const uint64_t security = server_status(h).security_events;
            const bool quiet = fd_count > 0 && stands[i] == STAND_ENDING;
            if (raw_send(a.link, "", 0, fds, fd_count, 0) < 0)
                give_up("no bytes cannot be sent: %s", strerror(errno));
            const enum seen seen = actor_watch(h, &a, security, 0, 0);
            expect(h,
                   seen == (quiet          ? SEEN_QUIET
                            : fd_count > 0 ? SEEN_ENDED
                                           : SEEN_GONE),
                   "fields: nothing, with %zu descriptors, while %s: %s", fd_count,
                   stand_names[stands[i]], seen_names[seen]);
            if (fd_count == 0) {
                struct pollfd killed = {.fd = a.orders, .events = POLLIN};
                expect(h, poll(&killed, 1, PATIENCE_MS) == 1,
                       "fields: a worker without a link lives on while %s", stand_names[stands[i]]);
            }
            actor_drop(&a);
        }
    }
}

/* ------------------------------------------------------------------------- all */

static void run_subject(struct hostile *h, enum message_type type, enum stand stand)
{
    static struct subject s; /* large */

    s.type = type;
    s.stand = stand;
    try_cuts(h, &s);
    try_long(h, &s);
    try_headers(h, &s);
    try_descriptors(h, &s);
    try_fields(h, &s);
}

void fields_run(struct hostile *h)
{
    const unsigned long before = descriptors_still(h), slots = server_figure(h, "FDSize");

    for (int t = MSG_NONE + 1; t < MSG_COUNT; t++) {
        const enum message_link link = message_info((enum message_type)t)->link;
        size_t i = 0;
        if (link == WORKER_TO_AGENT) {
            h->kind = t == MSG_file_upload ? ROLE_HTTPS : ROLE_SFTP;
            run_subject(h, (enum message_type)t, STAND_AGENT);
            h->kind = ROLE_SFTP;
        }
        while (i < sizeof(allowed) / sizeof(allowed[0]) && allowed[i].type != (enum message_type)t)
            i++;
        if (i == sizeof(allowed) / sizeof(allowed[0]) && link != WORKER_TO_MONITOR &&
            !h->lets[ROLE_HTTPS][t])
            continue;
        if (i == sizeof(allowed) / sizeof(allowed[0]))
            give_up("fields: where is %s allowed? Add it to the table",
                    message_info((enum message_type)t)->name);
        h->kind = allowed[i].kind;
        run_subject(h, allowed[i].type, allowed[i].stand);
        h->kind = ROLE_SFTP;
    }
    try_nothing(h);
    expect(h, descriptors_settle(h, before) <= before,
           "fields: the monitor has %lu descriptors, %lu before", server_descriptors(h), before);
    expect(h, server_figure(h, "FDSize") <= slots,
           "fields: the monitor's table of descriptors has grown from %lu to %lu", slots,
           server_figure(h, "FDSize"));
}
