/* Paths as text. Called by the dispatch for every argument that is a path; must never make a path
 * that is longer than the agent's messages hold. */
#include "ftps-worker/path.h"

#include <errno.h>

/* Append the names of a text. */
static int append(struct path *out, struct slice names)
{
    const char *text = (const char *)names.data;
    size_t end;

    for (size_t i = 0; i < names.len; i = end + 1) {
        for (end = i; end < names.len && text[end] != '/'; end++)
            ;
        const size_t n = end - i;
        if (n == 0 || (n == 1 && text[i] == '.'))
            continue;
        if (n == 2 && text[i] == '.' && text[i + 1] == '.') {
            while (out->len > 0 && out->text[--out->len] != '/')
                ;
            continue;
        }
        if (n + 1 > PATH_BYTES - out->len)
            return ENAMETOOLONG;
        out->text[out->len++] = '/';
        memmove(out->text + out->len, text + i, n);
        out->len += n;
    }
    return 0;
}

int path_join(struct path *out, struct slice folder, struct slice name)
{
    int error = 0;

    if (name.len > 0 && memchr(name.data, 0, name.len) != NULL)
        return EILSEQ;
    const bool absolute = name.len > 0 && name.data[0] == '/';
    const struct slice base = absolute ? slice_of(NULL, 0) : folder;
    out->len = 0;
    if ((error = append(out, base)) == 0)
        error = append(out, name);
    if (out->len == 0)
        out->text[out->len++] = '/';
    out->text[out->len] = '\0';
    return error;
}

size_t path_last(const struct path *path)
{
    size_t at = path->len;

    while (at > 1 && path->text[at - 1] != '/')
        at--;
    return at;
}

size_t path_show(struct slice path, bool quoted, char *text, size_t size)
{
    size_t len = 0;

    for (size_t i = 0; i < path.len; i++) {
        const uint8_t c = path.data[i];
        const size_t n = quoted && c == '"' ? 2 : 1;
        if (len + n > size)
            break;
        text[len] = c < 0x20 || c == 0x7f ? '?' : (char)c;
        if (n == 2)
            text[len + 1] = '"';
        len += n;
    }
    return len;
}
