/* File attributes on the wire (filexfer-02, 5) and the line of `ls -l` that names carry. The time
 * of day is worked out here, in UTC: the C library's functions would look for time zone files, and
 * this process opens nothing. */
#include <sys/stat.h>

#include "common/facts.h"
#include "sftp-worker/engine.h"

/* Bits of the flags word. */
enum wire_attribute {
    WIRE_SIZE = 1u << 0,
    WIRE_OWNER = 1u << 1,
    WIRE_MODE = 1u << 2,
    WIRE_TIMES = 1u << 3,
    WIRE_EXTENDED = 1u << 31,
};

#define NANO 1000000000ll

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

/* ---- the line of ls -l ---------------------------------------------------------------------- */
/* A line being written; the fields' widths keep it below LONGNAME_MAX. */
struct line {
    char *text;
    size_t len;
};

static void line_bytes(struct line *line, const void *bytes, size_t n)
{
    memcpy(line->text + line->len, bytes, n);
    line->len += n;
}

static void line_char(struct line *line, char c)
{
    line->text[line->len++] = c;
}

static void line_spaces(struct line *line, size_t used, size_t width)
{
    for (; used < width; used++)
        line_char(line, ' ');
}

/* A number into 20 digits at most; returns where it begins and its length. */
static size_t digits(uint64_t v, char space[20], const char **text)
{
    size_t at = 20;

    do
        space[--at] = (char)('0' + v % 10);
    while ((v /= 10) > 0);
    *text = space + at;
    return 20 - at;
}

/* To the right within width, after `fill`s. */
static void line_number(struct line *line, uint64_t v, size_t width, char fill)
{
    char space[20];
    const char *text;
    const size_t n = digits(v, space, &text);

    for (size_t i = n; i < width; i++)
        line_char(line, fill);
    line_bytes(line, text, n);
}

/* An owner to the left within 8. */
static void line_owner(struct line *line, const char *own, bool is_own, uint32_t id)
{
    const size_t before = line->len;

    if (is_own)
        line_bytes(line, own, strlen(own));
    else
        line_number(line, id, 0, ' ');
    line_spaces(line, line->len - before, 8);
    line_char(line, ' ');
}

static void line_mode(struct line *line, uint32_t mode)
{
    static const struct {
        uint32_t format;
        char letter;
    } types[] = {{S_IFREG, '-'}, {S_IFDIR, 'd'}, {S_IFLNK, 'l'}, {S_IFBLK, 'b'},
                 {S_IFCHR, 'c'}, {S_IFIFO, 'p'}, {S_IFSOCK, 's'}};
    char text[10] = {'?', '-', '-', '-', '-', '-', '-', '-', '-', '-'};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if ((mode & S_IFMT) == types[i].format)
            text[0] = types[i].letter;
    }
    for (size_t i = 0; i < 9; i++) {
        if (mode & (0400u >> i))
            text[1 + i] = "rwx"[i % 3];
    }
    if (mode & S_ISUID)
        text[3] = text[3] == 'x' ? 's' : 'S';
    if (mode & S_ISGID)
        text[6] = text[6] == 'x' ? 's' : 'S';
    if (mode & S_ISVTX)
        text[9] = text[9] == 'x' ? 't' : 'T';
    line_bytes(line, text, sizeof(text));
}

/* "Nov 21 12:00" within the last half year, else "Nov 21  2026": the calendar of the proleptic
 * Gregorian year that begins in March, so that the leap day is its last. */
static void line_time(struct line *line, int64_t when, int64_t now)
{
    static const char months[] = "MarAprMayJunJulAugSepOctNovDecJanFeb";
    const int64_t most = 253402300799; /* the end of the year 9999 */
    const int64_t t = when < -62135596800 ? -62135596800 : when > most ? most : when;
    const int64_t day = (t >= 0 ? t : t - 86399) / 86400;
    const uint32_t second = (uint32_t)(t - day * 86400);
    const uint32_t z = (uint32_t)(day + 719468); /* days since 0000-03-01 */
    const uint32_t era = z / 146097, of_era = z % 146097;
    const uint32_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const uint32_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const uint32_t month = (5 * of_year + 2) / 153; /* 0: March */
    const uint32_t of_month = of_year - (153 * month + 2) / 5 + 1;
    const uint32_t year = era * 400 + year_of_era + (month >= 10 ? 1 : 0);

    line_bytes(line, months + 3 * (size_t)month, 3);
    line_char(line, ' ');
    line_number(line, of_month, 2, ' ');
    line_char(line, ' ');
    if (when > now - 365 * 86400 / 2 && when <= now) {
        line_number(line, second / 3600, 2, '0');
        line_char(line, ':');
        line_number(line, second / 60 % 60, 2, '0');
    } else {
        line_number(line, year, 5, ' ');
    }
}

size_t longname(const struct sftp *sftp, int64_t now, struct slice name, const struct attributes *a,
                char text[LONGNAME_MAX])
{
    /* 10 + 1 + 10 + 1 + 65 + 65 + 20 + 1 + 12 + 1 + 255 */
    struct line line = {.text = text};

    line_mode(&line, a->mode);
    line_char(&line, ' ');
    line_number(&line, a->nlink, 3, ' ');
    line_char(&line, ' ');
    line_owner(&line, sftp->account, a->uid == sftp->uid, a->uid);
    line_owner(&line, sftp->account, a->gid == sftp->gid, a->gid);
    line_number(&line, a->size, 8, ' ');
    line_char(&line, ' ');
    line_time(&line, a->mtime_ns / NANO, now);
    line_char(&line, ' ');
    line_bytes(&line, name.data, name.len);
    return line.len;
}
