/* The line of `ls -l`, worked out without the C library's time and number formats: a listing has
 * thousands of them. Called by the SFTP and FTPS workers. */
#include "common/ls_line.h"

#include <string.h>
#include <sys/stat.h>

#include "common/calendar.h"

/* A line being written; the fields' widths keep it below LS_LINE_MAX. */
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

void ls_mode(uint32_t mode, char text[10])
{
    static const struct {
        uint32_t format;
        char letter;
    } types[] = {{S_IFREG, '-'}, {S_IFDIR, 'd'}, {S_IFLNK, 'l'}, {S_IFBLK, 'b'},
                 {S_IFCHR, 'c'}, {S_IFIFO, 'p'}, {S_IFSOCK, 's'}};

    memcpy(text, "?---------", 10);
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
}

/* "Nov 21 12:00" within the last half year, else "Nov 21  2026". */
static void line_time(struct line *line, int64_t when, int64_t now)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const struct calendar c = calendar_of(when);

    line_bytes(line, months + 3 * (size_t)(c.month - 1), 3);
    line_char(line, ' ');
    line_number(line, c.day, 2, ' ');
    line_char(line, ' ');
    if (when > now - 365 * 86400 / 2 && when <= now) {
        line_number(line, c.hour, 2, '0');
        line_char(line, ':');
        line_number(line, c.minute, 2, '0');
    } else {
        line_number(line, c.year, 5, ' ');
    }
}

size_t ls_line(const struct ls_account *account, int64_t now, struct slice name,
               const struct attributes *a, char text[LS_LINE_MAX])
{
    /* 10 + 1 + 10 + 1 + 65 + 65 + 20 + 1 + 12 + 1 + 255 */
    struct line line = {.text = text, .len = 10};

    ls_mode(a->mode, text);
    line_char(&line, ' ');
    line_number(&line, a->nlink, 3, ' ');
    line_char(&line, ' ');
    line_owner(&line, account->name, a->uid == account->uid, a->uid);
    line_owner(&line, account->name, a->gid == account->gid, a->gid);
    line_number(&line, a->size, 8, ' ');
    line_char(&line, ' ');
    line_time(&line, seconds_of(a->mtime_ns), now);
    line_char(&line, ' ');
    if (name.len > 0)
        line_bytes(&line, name.data, name.len);
    return line.len;
}
