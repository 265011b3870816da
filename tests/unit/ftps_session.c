/* See ftps_session.h. Any surprise fails the test that runs. */
#include "tests/unit/ftps_session.h"

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int session_start(void **state)
{
    struct test *t = calloc(1, sizeof(*t));

    assert_non_null(t);
    slice_copy(slice_text("/tmp/sallyport-ftps-XXXXXX"), t->folder, sizeof(t->folder));
    assert_non_null(mkdtemp(t->folder));
    fake_agent_start(&t->agent, t->folder);
    ftps_fake_start(&t->f, t->agent.link);
    *state = t;
    return 0;
}

static int forget(const char *path, const struct stat *st, int flag, struct FTW *walk)
{
    (void)st;
    (void)flag;
    (void)walk;
    return remove(path);
}

int session_end(void **state)
{
    struct test *t = *state;

    ftps_fake_end(&t->f);
    fake_agent_stop(&t->agent);
    nftw(t->folder, forget, 8, FTW_DEPTH | FTW_PHYS);
    free(t);
    return 0;
}

const char *say(struct test *t, const char *lines)
{
    t->f.said_len = 0;
    t->f.said[0] = '\0';
    ftps_fake_feed(&t->f, (const uint8_t *)lines, strlen(lines));
    return t->f.said;
}

const char *below(struct test *t, const char *name)
{
    static char path[2][400];
    static unsigned turn;

    snprintf(path[++turn % 2], sizeof(path[0]), "%s/%s", t->folder, name);
    return path[turn % 2];
}

void put_file(struct test *t, const char *name, const void *bytes, size_t len)
{
    FILE *file = fopen(below(t, name), "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

void assert_file(struct test *t, const char *name, const void *bytes, size_t len)
{
    char *there = malloc(len + 2);
    FILE *file = fopen(below(t, name), "rb");

    assert_non_null(file);
    assert_int_equal(fread(there, 1, len + 1, file), len);
    assert_memory_equal(there, bytes, len);
    fclose(file);
    free(there);
}

void assert_sent(struct test *t, const void *bytes, size_t len)
{
    assert_int_equal(t->f.sent_len, len);
    assert_memory_equal(t->f.sent, bytes, len);
    t->f.sent_len = 0;
}
