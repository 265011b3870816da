/* The reader of command lines. Called by the control connection with every byte the client sends,
 * before and after its login; must never look behind n bytes nor keep more than LINE_BYTES. */
#include "ftps-worker/line.h"

/* RFC 854 */
#define IAC  255
#define WILL 251 /* WILL, WONT, DO, DONT: an option's number follows */
#define DONT 254

static void put(struct line_reader *r, uint8_t byte)
{
    if (r->len < sizeof(r->text))
        r->text[r->len++] = (char)byte;
    else
        r->too_long = true;
}

/* A byte that no escape is waiting for. */
static void take_plain(struct line_reader *r, uint8_t byte)
{
    switch (byte) {
    case '\n':
        r->whole = true;
        break;
    case '\r':
        r->state = LINE_CR;
        break;
    case IAC:
        r->state = LINE_IAC;
        break;
    default:
        r->bad = r->bad || byte == 0;
        put(r, byte);
    }
}

static void take(struct line_reader *r, uint8_t byte)
{
    const enum line_state state = r->state;

    r->state = LINE_TEXT;
    switch (state) {
    case LINE_CR:
        if (byte == 0) { /* a CR that belongs to the text */
            put(r, '\r');
            break;
        }
        r->bad = r->bad || byte != '\n';
        take_plain(r, byte);
        break;
    case LINE_IAC:
        if (byte == IAC)
            put(r, byte);
        else if (byte >= WILL && byte <= DONT)
            r->state = LINE_OPTION;
        break; /* IP, DM and the like: no text (the "Synch" before an ABOR) */
    case LINE_OPTION:
        break;
    default:
        take_plain(r, byte);
    }
}

size_t line_feed(struct line_reader *r, const uint8_t *bytes, size_t n)
{
    size_t used = 0;

    if (r->whole) {
        r->whole = r->bad = r->too_long = false;
        r->len = 0;
    }
    while (used < n && !r->whole)
        take(r, bytes[used++]);
    return used;
}

bool line_split(struct slice line, char *verb, size_t size, struct slice *argument)
{
    const char *text = (const char *)line.data;
    size_t n = 0;

    while (n < line.len && text[n] != ' ')
        n++;
    for (size_t i = 0; i < size; i++)
        verb[i] = i < n && i + 1 < size
                      ? (char)(text[i] >= 'a' && text[i] <= 'z' ? text[i] - 'a' + 'A' : text[i])
                      : '\0';
    if (n >= size) /* longer than any verb: no prefix of it may be taken for one */
        verb[0] = '\0';
    *argument = n < line.len ? slice_of(text + n + 1, line.len - n - 1) : slice_of(NULL, 0);
    return n < line.len;
}
