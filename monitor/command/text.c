/* Files that an operator gives, read whole: for key.c and cert.c, which find out only then whether
 * there is something secret in them. Never leaves a copy of their bytes behind. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/command/command.h"

#define FILE_MOST (16u << 20) /* bytes of a file: some 30,000 public keys */

void text_free(struct text *t)
{
    if (t->bytes != NULL)
        explicit_bzero(t->bytes, t->size);
    free(t->bytes);
    *t = (struct text){0};
}

/* Room for more; the old bytes are wiped, which realloc would not do. */
static int text_grow(struct text *t)
{
    const size_t size = t->size == 0 ? 65536 : t->size * 2;
    uint8_t *bytes = size > FILE_MOST ? NULL : malloc(size);

    if (bytes == NULL) {
        errno = size > FILE_MOST ? EFBIG : ENOMEM;
        return -1;
    }
    if (t->len > 0)
        memcpy(bytes, t->bytes, t->len);
    const size_t len = t->len;
    text_free(t);
    *t = (struct text){.bytes = bytes, .len = len, .size = size};
    return 0;
}

/* All of a descriptor. Returns 0, or -1 with errno. */
static int read_all(int fd, struct text *t)
{
    ssize_t n;

    do {
        if (t->len == t->size && text_grow(t) < 0)
            return -1;
        n = read(fd, t->bytes + t->len, t->size - t->len);
        if (n < 0 && errno != EINTR)
            return -1;
        t->len += n > 0 ? (size_t)n : 0;
    } while (n != 0);
    return 0;
}

int text_read(int folder, const char *name, const char *folder_hint, struct text *t)
{
    struct stat st;
    const bool input = strcmp(name, "-") == 0;
    const int fd =
        input ? STDIN_FILENO : openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int r = -1;

    if (fd >= 0 && !input && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        tell("%s is a folder%s", name, folder_hint);
    else if (fd < 0 || read_all(fd, t) < 0)
        tell("%s: %s", name, strerror(errno));
    else
        r = 0;
    if (fd >= 0 && !input)
        close(fd);
    if (r < 0)
        text_free(t);
    return r;
}
