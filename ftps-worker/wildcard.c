/* Matching without recursion: fnmatch's time grows with the power of the stars, and the pattern is
 * a stranger's. Called for each name of a listing. */
#include "ftps-worker/wildcard.h"

bool wildcard_in(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '*' || text.data[i] == '?' || text.data[i] == '[')
            return true;
    }
    return false;
}

/* A set that begins at *at, behind its bracket. Returns whether c is in it and moves *at behind its
 * end; a set that never ends is no set: *at stays. */
static bool match_set(struct slice p, size_t *at, uint8_t c)
{
    size_t i = *at;
    const bool negated = i < p.len && (p.data[i] == '!' || p.data[i] == '^');
    bool in = false;

    i += negated ? 1 : 0;
    for (size_t first = i; i < p.len && (p.data[i] != ']' || i == first); i++) {
        const uint8_t low = p.data[i];
        if (i + 2 < p.len && p.data[i + 1] == '-' && p.data[i + 2] != ']') {
            in = in || (c >= low && c <= p.data[i + 2]);
            i += 2;
        } else {
            in = in || c == low;
        }
    }
    if (i >= p.len)
        return c == '[';
    *at = i + 1;
    return in != negated;
}

/* One byte of the name against what stands at *at, which is no star; moves *at behind it. */
static bool match_one(struct slice p, size_t *at, uint8_t c)
{
    const uint8_t what = p.data[(*at)++];

    if (what == '?')
        return true;
    if (what == '[')
        return match_set(p, at, c);
    if (what == '\\' && *at < p.len)
        return p.data[(*at)++] == c;
    return what == c;
}

bool wildcard_match(struct slice p, struct slice name)
{
    size_t at = 0, i = 0, star = SIZE_MAX, tried = 0;

    if (name.len > 0 && name.data[0] == '.' && (p.len == 0 || p.data[0] != '.'))
        return false;
    while (i < name.len) {
        size_t next = at;
        if (at < p.len && p.data[at] == '*') {
            star = ++at;
            tried = i;
        } else if (at < p.len && match_one(p, &next, name.data[i])) {
            at = next;
            i++;
        } else if (star != SIZE_MAX) { /* the last star takes one byte more */
            at = star;
            i = ++tried;
        } else {
            return false;
        }
    }
    while (at < p.len && p.data[at] == '*')
        at++;
    return at == p.len;
}
