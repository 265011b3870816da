/* See sftp_peer.h. Any surprise fails the test that runs. */
#include "tests/unit/sftp_peer.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static uint8_t *reserve(void *context, size_t bytes)
{
    struct peer *peer = context;

    free(peer->lent);
    peer->lent = NULL;
    assert_true(bytes <= SFTP_REPLY_MAX);
    if (peer->out_len + bytes > peer->out_most)
        return NULL;
    peer->lent = malloc(bytes);
    assert_non_null(peer->lent);
    peer->lent_size = bytes;
    return peer->lent;
}

static void commit(void *context, size_t bytes)
{
    struct peer *peer = context;

    assert_non_null(peer->lent);
    assert_true(bytes >= 9 && bytes <= peer->lent_size);
    while (peer->out_size < peer->out_len + bytes) {
        peer->out_size = peer->out_size * 2 + 65536;
        peer->out = realloc(peer->out, peer->out_size);
        assert_non_null(peer->out);
    }
    memcpy(peer->out + peer->out_len, peer->lent, bytes);
    peer->out_len += bytes;
    free(peer->lent);
    peer->lent = NULL;
}

void peer_session(struct peer *peer)
{
    const struct sftp_account account = {.name = "alice", .uid = PEER_UID, .gid = PEER_GID};
    const struct sftp_sink sink = {.reserve = reserve, .commit = commit, .context = peer};

    peer->sftp = sftp_new(peer->agent.link, &account, &sink);
    assert_non_null(peer->sftp);
    peer->out_len = 0;
    peer->out_most = SIZE_MAX;
}

void peer_end_session(struct peer *peer)
{
    sftp_free(peer->sftp);
    peer->sftp = NULL;
}

static void greet(struct peer *peer)
{
    sftp_prepare();
    peer_session(peer);
    begin(peer, T_INIT);
    peer->request.len = 5;
    put_u32(peer, 3);
    assert_int_equal(feed(peer, packet(peer)), 9);
    forget_answers(peer);
}

void peer_start(struct peer *peer)
{
    *peer = (struct peer){.folder = "/tmp/sallyport-sftp-XXXXXX",
                          .packet = malloc(SFTP_INPUT_MAX + 16)};
    assert_non_null(mkdtemp(peer->folder));
    assert_non_null(peer->packet);
    fake_agent_start(&peer->agent, peer->folder);
    greet(peer);
}

void peer_start_at(struct peer *peer, int link)
{
    *peer = (struct peer){.agent = {.link = link}, .packet = malloc(SFTP_INPUT_MAX + 16)};
    assert_non_null(peer->packet);
    greet(peer);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

void peer_end(struct peer *peer)
{
    peer_end_session(peer);
    if (peer->folder[0] != '\0') {
        fake_agent_stop(&peer->agent);
        assert_int_equal(nftw(peer->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    }
    free(peer->lent);
    free(peer->out);
    free(peer->packet);
}

void begin(struct peer *peer, uint8_t type)
{
    peer->request = wire_out_of(peer->packet, SFTP_INPUT_MAX + 16);
    wire_put_u32(&peer->request, 0);
    wire_put_u8(&peer->request, type);
    wire_put_u32(&peer->request, ++peer->id);
}

void begin_extension(struct peer *peer, const char *name)
{
    begin(peer, T_EXTENDED);
    put_text(peer, name);
}

void put_text(struct peer *peer, const char *text)
{
    put_string(peer, slice_text(text));
}

void put_string(struct peer *peer, struct slice bytes)
{
    wire_put_string(&peer->request, bytes);
}

void put_u32(struct peer *peer, uint32_t v)
{
    wire_put_u32(&peer->request, v);
}

void put_u64(struct peer *peer, uint64_t v)
{
    wire_put_u64(&peer->request, v);
}

struct slice packet(struct peer *peer)
{
    struct wire_out length = wire_out_of(peer->packet, 4);

    assert_false(peer->request.bad);
    wire_put_u32(&length, (uint32_t)(peer->request.len - 4));
    return slice_of(peer->packet, peer->request.len);
}

ssize_t feed(struct peer *peer, struct slice bytes)
{
    size_t at = 0;

    do {
        const size_t len = bytes.len - at;
        uint8_t *exact = malloc(len > 0 ? len : 1);
        assert_non_null(exact);
        if (len > 0)
            memcpy(exact, bytes.data + at, len);
        const ssize_t used = sftp_input(peer->sftp, exact, len);
        free(exact);
        if (used < 0)
            return -1;
        assert_true((size_t)used <= len);
        at += (size_t)used;
    } while (sftp_busy(peer->sftp));
    return (ssize_t)at;
}

struct answer next_answer(struct peer *peer, size_t *at)
{
    struct wire w = wire_of(slice_of(peer->out + *at, peer->out_len - *at));
    struct answer answer = {0};

    if (*at == peer->out_len)
        return answer;
    const uint32_t length = wire_u32(&w);
    const struct slice body = wire_bytes(&w, length);
    assert_false(w.bad);
    *at += w.at;
    answer.body = wire_of(body);
    answer.type = wire_u8(&answer.body);
    answer.id = wire_u32(&answer.body);
    assert_false(answer.body.bad);
    return answer;
}

void forget_answers(struct peer *peer)
{
    peer->out_len = 0;
}

struct answer exchange(struct peer *peer)
{
    const struct slice bytes = packet(peer);
    size_t at = 0;

    forget_answers(peer);
    assert_int_equal(feed(peer, bytes), bytes.len);
    const struct answer answer = next_answer(peer, &at);
    assert_int_equal(at, peer->out_len); /* one and no more */
    assert_int_equal(answer.id, peer->id);
    return answer;
}

struct slice status(struct answer answer, uint32_t code)
{
    assert_int_equal(answer.type, T_STATUS);
    assert_int_equal(wire_u32(&answer.body), code);
    const struct slice text = wire_string(&answer.body);
    assert_int_equal(wire_string(&answer.body).len, 0);
    assert_true(wire_done(&answer.body));
    assert_true(text.len > 0);
    return text;
}

struct attributes_read read_attributes(struct wire *w)
{
    struct attributes_read a = {.flags = wire_u32(w)};

    if (a.flags == 0)
        return a;
    assert_int_equal(a.flags, 15);
    a.size = wire_u64(w);
    a.uid = wire_u32(w);
    a.gid = wire_u32(w);
    a.mode = wire_u32(w);
    a.atime = wire_u32(w);
    a.mtime = wire_u32(w);
    return a;
}

/* A handle out of an answer, kept in one of 16 places that take turns. */
static struct slice keep_handle(struct answer answer)
{
    static uint8_t kept[16][256];
    static unsigned turn;
    uint8_t *place = kept[turn++ % 16];

    assert_int_equal(answer.type, T_HANDLE);
    const struct slice handle = wire_string(&answer.body);
    assert_true(wire_done(&answer.body));
    assert_in_range(handle.len, 1, 256);
    memcpy(place, handle.data, handle.len);
    return slice_of(place, handle.len);
}

struct slice open_file(struct peer *peer, const char *path, uint32_t flags)
{
    begin(peer, T_OPEN);
    put_text(peer, path);
    put_u32(peer, flags);
    put_u32(peer, 0);
    return keep_handle(exchange(peer));
}

struct slice open_folder(struct peer *peer, const char *path)
{
    return keep_handle(with_path(peer, T_OPENDIR, path));
}

struct answer with_path(struct peer *peer, uint8_t type, const char *path)
{
    begin(peer, type);
    put_text(peer, path);
    if (type == T_MKDIR)
        put_u32(peer, 0);
    return exchange(peer);
}

struct answer with_handle(struct peer *peer, uint8_t type, struct slice handle)
{
    begin(peer, type);
    put_string(peer, handle);
    return exchange(peer);
}

struct answer read_file(struct peer *peer, struct slice handle, uint64_t offset, uint32_t len)
{
    begin(peer, T_READ);
    put_string(peer, handle);
    put_u64(peer, offset);
    put_u32(peer, len);
    return exchange(peer);
}

struct answer write_file(struct peer *peer, struct slice handle, uint64_t offset, struct slice data)
{
    begin(peer, T_WRITE);
    put_string(peer, handle);
    put_u64(peer, offset);
    put_string(peer, data);
    return exchange(peer);
}

void make_file(struct peer *peer, const char *path, struct slice data)
{
    char full[4400];

    snprintf(full, sizeof(full), "%s%s", peer->folder, path);
    const int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data.data, data.len), data.len);
    close(fd);
}
