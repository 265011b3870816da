/* What transfers begin with: where the data connection comes from, where in the file it starts, and
 * the file itself. Called by the dispatch; work.c does the moving. */
#include <errno.h>
#include <inttypes.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ftps-worker/worker.h"

#define PORT_LEAST 1024 /* below are other services; the monitor holds to it too */
#define STOU_TRIES 16

/* ---- data connections ----------------------------------------------------------------------- */

/* EPSV ALL promised that nothing but EPSV would come (RFC 2428, 4). */
static bool promised(struct worker *w, const char *verb)
{
    if (w->epsv_all)
        reply(w, 503, "%s after EPSV ALL", verb);
    return w->epsv_all;
}

/* Returns true with a port, else the reply is made. */
static bool ask_port(struct worker *w, struct data_port *port)
{
    if (data_passive(w, port) < 0)
        return false;
    if (port->port != 0 && port->port <= 65535)
        return true;
    reply(w, 425, "%.*s", (int)port->reason.len, (const char *)port->reason.data);
    return false;
}

void on_pasv(struct worker *w, const struct command *c)
{
    struct data_port port;
    struct address a;

    (void)c;
    if (promised(w, "PASV"))
        return;
    if (w->client.v6) {
        reply(w, 425, "PASV knows no IPv6: EPSV");
        return;
    }
    if (!ask_port(w, &port))
        return;
    if (!address_parse(port.address, &a) || a.v6) {
        data_drop(w);
        reply(w, 425, "No IPv4 address to connect to: EPSV");
        return;
    }
    reply(w, 227, "Entering Passive Mode (%u,%u,%u,%u,%u,%u)", a.bytes[0], a.bytes[1], a.bytes[2],
          a.bytes[3], port.port >> 8, port.port & 255);
}

void on_epsv(struct worker *w, const struct command *c)
{
    const struct slice text = c->text;
    const char *mine = w->client.v6 ? "2" : "1";
    struct data_port port;

    if (text.len == 3 && strncasecmp((const char *)text.data, "ALL", 3) == 0) {
        w->epsv_all = true;
        reply(w, 200, "EPSV and nothing else from here on");
        return;
    }
    if (text.len > 0 && !slice_is(text, mine)) {
        const bool known = slice_is(text, "1") || slice_is(text, "2");
        reply(w, known ? 522 : 501, "Network protocol not supported, use (%s)", mine);
        return;
    }
    if (ask_port(w, &port))
        reply(w, 229, "Entering Extended Passive Mode (|||%u|)", port.port);
}

/* PORT and EPRT, once their argument is read. */
static void connect_to(struct worker *w, const struct address *a)
{
    if (!w->setup.active)
        reply(w, 502, "Active mode is switched off: choose passive mode in your client");
    else if (!address_same(a, &w->client))
        reply(w, 501, "Only your own address is connected to (%s): choose passive mode",
              w->client_text);
    else if (a->port < PORT_LEAST)
        reply(w, 501, "Only ports from %u on are connected to", PORT_LEAST);
    else {
        data_active(w, a->port);
        reply(w, 200, "Your port is known");
    }
}

void on_port(struct worker *w, const struct command *c)
{
    struct address a;

    if (promised(w, "PORT"))
        return;
    if (address_of_port(c->text, &a) != ADDRESS_GOOD)
        reply(w, 501, "As in PORT 192,0,2,1,4,1");
    else
        connect_to(w, &a);
}

void on_eprt(struct worker *w, const struct command *c)
{
    struct address a;

    if (promised(w, "EPRT"))
        return;
    switch (address_of_eprt(c->text, &a)) {
    case ADDRESS_GOOD:
        connect_to(w, &a);
        break;
    case ADDRESS_PROTOCOL:
        reply(w, 522, "Network protocol not supported, use (1,2)");
        break;
    default:
        reply(w, 501, "As in EPRT |1|192.0.2.1|1025|");
    }
}

bool transfer_allowed(struct worker *w)
{
    if (!w->private_data) {
        data_drop(w);
        reply(w, 522, "Data connections are protected here: PBSZ 0 and PROT P come first");
    } else if (!data_expected(w)) {
        reply(w, 425, "No data connection: EPSV, PASV or PORT comes first");
    } else {
        return true;
    }
    return false;
}

/* ---- where it starts ------------------------------------------------------------------------ */

/* A decimal number up to 2^63 - 1. */
static bool take_offset(struct slice text, uint64_t *number)
{
    uint64_t n = 0;

    if (text.len == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || n > INT64_MAX / 10)
            return false;
        n = n * 10 + (uint64_t)(text.data[i] - '0');
        if (n > INT64_MAX)
            return false;
    }
    *number = n;
    return true;
}

void on_rest(struct worker *w, const struct command *c)
{
    if (!take_offset(c->text, &w->rest)) {
        reply(w, 501, "A number of bytes: REST 1024");
        return;
    }
    w->ranged = false;
    reply(w, 350, "The next transfer begins at %" PRIu64, w->rest);
}

void on_rang(struct worker *w, const struct command *c)
{
    const uint8_t *space = memchr(c->text.data, ' ', c->text.len);
    const size_t n = space != NULL ? (size_t)(space - c->text.data) : c->text.len;
    uint64_t first, last;

    if (space == NULL || !take_offset(slice_of(c->text.data, n), &first) ||
        !take_offset(slice_of(space + 1, c->text.len - n - 1), &last)) {
        reply(w, 501, "The first byte and the last: RANG 0 1023");
        return;
    }
    if (first == 1 && last == 0) { /* draft-bryan-ftp-range-08, 3: no range */
        w->ranged = false;
        reply(w, 350, "The range is forgotten");
        return;
    }
    if (last < first) {
        reply(w, 501, "The last byte comes before the first");
        return;
    }
    w->rest = 0;
    w->ranged = true;
    w->range_first = first;
    w->range_last = last;
    reply(w, 350, "Restarting at %" PRIu64 ". End byte range at %" PRIu64, first, last);
}

/* REST and RANG hold for one command. */
static void forget_range(struct worker *w)
{
    w->rest = 0;
    w->ranged = false;
}

/* The range of a file that was opened to read. */
static void take_range(struct worker *w)
{
    struct work *k = &w->work;

    k->at = w->ranged ? w->range_first : w->rest;
    k->end = w->ranged && w->range_last < INT64_MAX ? w->range_last + 1 : INT64_MAX;
    forget_range(w);
}

/* ---- transfers ------------------------------------------------------------------------------ */

/* The transfer cannot begin: its data connection will not be used. */
static void refuse(struct worker *w, unsigned otherwise, int result)
{
    data_drop(w);
    forget_range(w);
    if (result < 0)
        stop_because(&w->stop, "the file agent is gone");
    else
        reply_errno(w, otherwise, result, w->agent.text);
}

static bool ascii_offset(struct worker *w)
{
    if (!w->ascii || (w->rest == 0 && !w->ranged))
        return false;
    forget_range(w);
    data_drop(w);
    reply(w, 554, "Lines have no offsets: TYPE I comes first");
    return true;
}

void on_retr(struct worker *w, const struct command *c)
{
    struct work *k = &w->work;

    if (!transfer_allowed(w) || ascii_offset(w))
        return;
    const int result = agent_file_open(&w->agent, path_slice(&c->path), OPEN_READ, &w->work.file);
    if (result != 0) {
        refuse(w, 550, result);
        return;
    }
    take_range(w);
    const uint64_t size = k->file.seen.size;
    if (k->at > size) {
        agent_file_close(&w->agent, &w->work.file, CLOSE_BROKEN);
        data_drop(w);
        reply(w, 554, "The file has %" PRIu64 " bytes", size);
        return;
    }
    const uint64_t end = k->end < size ? k->end : size;
    snprintf(k->said, sizeof(k->said), "Sending %s (%" PRIu64 " bytes)",
             c->path.text + path_last(&c->path), end - k->at);
    snprintf(k->done, sizeof(k->done), "Transfer complete");
    work_begin(w, WORK_DOWNLOAD);
}

/* A file to write is open: take what comes. */
static void receive(struct worker *w, const char *said, const char *name)
{
    struct work *k = &w->work;

    k->restarted = w->rest > 0;
    k->at = w->rest;
    forget_range(w);
    snprintf(k->said, sizeof(k->said), "%s%s", said, name);
    if (k->done[0] == '\0')
        snprintf(k->done, sizeof(k->done), "Transfer complete");
    work_begin(w, WORK_UPLOAD);
}

static bool upload_allowed(struct worker *w)
{
    if (!transfer_allowed(w) || ascii_offset(w))
        return false;
    if (w->ranged) {
        forget_range(w);
        data_drop(w);
        reply(w, 551, "RANG goes with RETR and HASH");
        return false;
    }
    w->work.append = false;
    w->work.done[0] = '\0';
    return true;
}

void on_stor(struct worker *w, const struct command *c)
{
    if (!upload_allowed(w))
        return;
    const int result = agent_file_open(
        &w->agent, path_slice(&c->path),
        OPEN_WRITE | (w->rest == 0 ? OPEN_CREATE | OPEN_TRUNCATE : 0), &w->work.file);
    if (result != 0) {
        refuse(w, 553, result);
        return;
    }
    if (w->rest > w->work.file.seen.size) { /* a hole would be taken for what was sent */
        const uint64_t size = w->work.file.seen.size;
        agent_file_close(&w->agent, &w->work.file, CLOSE_BROKEN);
        data_drop(w);
        forget_range(w);
        reply(w, 554, "The file has %" PRIu64 " bytes", size);
        return;
    }
    receive(w, "Receiving ", c->path.text + path_last(&c->path));
}

void on_appe(struct worker *w, const struct command *c)
{
    if (!upload_allowed(w))
        return;
    if (w->rest > 0) {
        forget_range(w);
        data_drop(w);
        reply(w, 554, "REST goes with RETR and STOR");
        return;
    }
    const int result = agent_file_open(&w->agent, path_slice(&c->path),
                                       OPEN_WRITE | OPEN_CREATE | OPEN_APPEND, &w->work.file);
    if (result != 0) {
        refuse(w, 553, result);
        return;
    }
    w->work.append = true;
    receive(w, "Appending to ", c->path.text + path_last(&c->path));
}

/* A name that is free: the one that was asked for, or with random digits behind it. */
static int open_unique(struct worker *w, struct slice wish, struct path *path)
{
    char name[256];
    uint8_t random[6];
    int result = EEXIST;

    if (wish.len > sizeof(name) - 16)
        return ENAMETOOLONG;
    for (int tries = 0; result == EEXIST && tries < STOU_TRIES; tries++) {
        size_t len = wish.len > 0 ? wish.len : 6;
        memcpy(name, wish.len > 0 ? (const char *)wish.data : "upload", len);
        if (tries > 0 || wish.len == 0) {
            if (RAND_bytes(random, sizeof(random)) != 1)
                return EIO;
            len +=
                (size_t)snprintf(name + len, sizeof(name) - len, ".%02x%02x%02x%02x%02x%02x",
                                 random[0], random[1], random[2], random[3], random[4], random[5]);
        }
        if ((result = path_join(path, path_slice(&w->folder), slice_of(name, len))) == 0)
            result = agent_file_open(&w->agent, path_slice(path),
                                     OPEN_WRITE | OPEN_CREATE | OPEN_EXCLUSIVE, &w->work.file);
    }
    return result;
}

void on_stou(struct worker *w, const struct command *c)
{
    struct path path;

    if (!upload_allowed(w))
        return;
    w->rest = 0;
    const int result = open_unique(w, c->text, &path);
    if (result != 0) {
        refuse(w, 553, result);
        return;
    }
    const char *name = path.text + path_last(&path);
    snprintf(w->work.done, sizeof(w->work.done), "Transfer complete: FILE: %s", name);
    receive(w, "FILE: ", name); /* RFC 1123, 4.1.2.9 */
}

/* Of a transfer that goes on: it ends with 426, and this command with 226 (RFC 959, 4.1.3). */
void on_abor(struct worker *w, const struct command *c)
{
    (void)c;
    if (w->work.kind != WORK_NONE) {
        work_break(w);
        reply(w, 426, "Broken off");
    }
    data_drop(w);
    reply(w, 226, "Nothing goes on any more");
}

/* ---- HASH ----------------------------------------------------------------------------------- */

void on_hash(struct worker *w, const struct command *c)
{
    struct work *k = &w->work;
    const int result = agent_file_open(&w->agent, path_slice(&c->path), OPEN_READ, &w->work.file);

    if (result != 0) {
        forget_range(w);
        reply_result(w, result, 213, "");
        return;
    }
    take_range(w);
    if (k->end > k->file.seen.size)
        k->end = k->file.seen.size;
    k->begin = k->at;
    if (k->at > k->end) {
        agent_file_close(&w->agent, &w->work.file, CLOSE_WHOLE);
        reply(w, 556, "The file has %" PRIu64 " bytes", k->file.seen.size);
        return;
    }
    snprintf(k->said, sizeof(k->said), "%s", c->path.text);
    if (digest_begin(&k->digest, w->digest) < 0)
        stop_because(&w->stop, "no memory");
    else
        work_begin(w, WORK_HASH);
}
