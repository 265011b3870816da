/* File attributes on the wire (filexfer-02, 5) and the line of `ls -l` that names carry. Called by
 * the requests; knows nothing of files. */
#include "common/calendar.h"
#include "common/facts.h"
#include "common/ls_line.h"
#include "sftp-worker/engine.h"

/* Bits of the flags word. */
enum wire_attribute {
    WIRE_SIZE = 1u << 0,
    WIRE_OWNER = 1u << 1,
    WIRE_MODE = 1u << 2,
    WIRE_TIMES = 1u << 3,
    WIRE_EXTENDED = 1u << 31,
};

struct changes take_attributes(struct call *call)
{
    struct wire *w = &call->args;
    struct changes c = {0};
    const uint32_t flags = wire_u32(w);

    if (flags & WIRE_SIZE) {
        c.valid |= ATTR_SIZE;
        c.size = wire_u64(w);
    }
    if (flags & WIRE_OWNER) {
        c.valid |= ATTR_OWNER;
        c.uid = wire_u32(w);
        c.gid = wire_u32(w);
    }
    if (flags & WIRE_MODE) {
        c.valid |= ATTR_MODE;
        c.mode = wire_u32(w) & 07777;
    }
    if (flags & WIRE_TIMES) {
        c.valid |= ATTR_ATIME | ATTR_MTIME;
        c.atime_ns = wire_u32(w) * NANO;
        c.mtime_ns = wire_u32(w) * NANO;
    }
    if (flags & WIRE_EXTENDED) { /* named by others: read over */
        for (uint32_t left = wire_u32(w); left > 0 && !w->bad; left--) {
            wire_string(w);
            wire_string(w);
        }
    }
    return c;
}

static uint32_t wire_time(int64_t ns)
{
    const int64_t seconds = ns / NANO;

    return seconds < 0 ? 0 : seconds > UINT32_MAX ? UINT32_MAX : (uint32_t)seconds;
}

void put_attributes(struct wire_out *out, const struct attributes *a)
{
    wire_put_u32(out, WIRE_SIZE | WIRE_OWNER | WIRE_MODE | WIRE_TIMES);
    wire_put_u64(out, a->size);
    wire_put_u32(out, a->uid);
    wire_put_u32(out, a->gid);
    wire_put_u32(out, a->mode);
    wire_put_u32(out, wire_time(a->atime_ns));
    wire_put_u32(out, wire_time(a->mtime_ns));
}

void put_no_attributes(struct wire_out *out)
{
    wire_put_u32(out, 0);
}

size_t longname(const struct sftp *sftp, int64_t now, struct slice name, const struct attributes *a,
                char text[LONGNAME_MAX])
{
    const struct ls_account account = {.name = sftp->account, .uid = sftp->uid, .gid = sftp->gid};

    return ls_line(&account, now, name, a, text);
}
