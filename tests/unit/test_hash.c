/* The hasher as a process of its own: the real binary (from SALLYPORT_BUILD, else build/release),
 * in its sandbox, asked over its link. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <crypt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/facts.h"
#include "common/message.h"
#include "common/password_rules.h"
#include "common/spawn.h"

#define HASHER_ID 39002

struct hasher {
    pid_t pid;
    int link;
    char empty[64];
    struct envelope envelope;
};

static const char *build_folder(void)
{
    const char *folder = getenv("SALLYPORT_BUILD");

    return folder != NULL ? folder : "build/release";
}

static int start(void **state)
{
    struct hasher *h = calloc(1, sizeof(*h));

    assert_non_null(h);
    snprintf(h->empty, sizeof(h->empty), "/tmp/sallyport-hash-XXXXXX");
    assert_non_null(mkdtemp(h->empty));
    assert_int_equal(chmod(h->empty, 0555), 0);
    h->pid = priv_spawn(build_folder(), "sallyport-hash", &h->link);
    if (h->pid < 0)
        fail_msg("%s/sallyport-hash cannot be started", build_folder());
    *state = h;
    return 0;
}

/* How it ended, as by waitpid. */
static int wait_end(struct hasher *h)
{
    int status = -1;

    assert_int_equal(waitpid(h->pid, &status, 0), h->pid);
    h->pid = -1;
    return status;
}

static int stop(void **state)
{
    struct hasher *h = *state;

    close(h->link);
    if (h->pid > 0)
        wait_end(h);
    rmdir(h->empty);
    free(h);
    return 0;
}

static void set_up(struct hasher *h, uint32_t cost)
{
    const struct hash_setup setup = {
        .empty_dir = slice_text(h->empty), .uid = HASHER_ID, .gid = HASHER_ID, .cost = cost};

    assert_int_equal(send_hash_setup(h->link, 7, &setup), 0);
}

/* Set up at the least cost; returns the layers. */
static uint32_t ready(struct hasher *h)
{
    struct hash_ready ready;

    set_up(h, 1);
    assert_int_equal(message_receive(h->link, &h->envelope, 0), 1);
    assert_int_equal(h->envelope.id, 7);
    assert_int_equal(decode_hash_ready(&h->envelope, &ready), 0);
    return ready.layers;
}

/* Hash; the text is valid until the next call. */
static const char *hash(struct hasher *h, struct slice password, const char *setting)
{
    static uint32_t id = 100;
    static char text[257];
    const struct hash_password request = {.password = password, .setting = slice_text(setting)};
    struct hashed result;

    assert_int_equal(send_hash_password(h->link, ++id, &request), 0);
    assert_int_equal(message_receive(h->link, &h->envelope, 0), 1);
    assert_int_equal(h->envelope.id, id);
    assert_int_equal(decode_hashed(&h->envelope, &result), 0);
    assert_int_equal(slice_copy(result.hash, text, sizeof(text)), 0);
    return text;
}

static void new_hash(void **state)
{
    struct hasher *h = *state;
    char first[257], expected[CRYPT_OUTPUT_SIZE];
    struct crypt_data data = {0};

    ready(h);
    snprintf(first, sizeof(first), "%s", hash(h, slice_text("Correct Horse"), ""));
    assert_int_equal(strncmp(first, "$y$", 3), 0);
    /* crypt(3) itself, in this process, agrees. */
    assert_non_null(crypt_rn("Correct Horse", first, &data, sizeof(data)));
    snprintf(expected, sizeof(expected), "%s", data.output);
    assert_string_equal(first, expected);
    /* The same again by the setting; not so for another password or another case. */
    assert_string_equal(hash(h, slice_text("Correct Horse"), first), first);
    assert_string_not_equal(hash(h, slice_text("correct horse"), first), first);
    assert_string_not_equal(hash(h, slice_text(""), first), first);
    /* Fresh salt each time. */
    assert_string_not_equal(hash(h, slice_text("Correct Horse"), ""), first);
}

static void other_methods(void **state)
{
    struct hasher *h = *state;
    /* SHA-512, as other systems' password files have it: `openssl passwd -6` says the same. */
    static const char sha512[] = "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uB"
                                 "nIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1";

    ready(h);
    assert_string_equal(hash(h, slice_text("Hello world!"), sha512), sha512);
}

static void no_good(void **state)
{
    static const char *const settings[] = {"*", "!", "*0", "$y$", "$y$!!!$x", "$9$x$y", "x"};
    struct hasher *h = *state;
    char longest[1024];

    ready(h);
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
        assert_string_equal(hash(h, slice_text("password"), settings[i]), "");
    memset(longest, 'a', sizeof(longest));
    assert_string_equal(hash(h, slice_of(longest, sizeof(longest)), ""), "");
    assert_string_equal(hash(h, slice_of(longest, 512), ""), "");
    assert_int_equal(strncmp(hash(h, slice_of(longest, 511), ""), "$y$", 3), 0);
    /* A password with a NUL inside is not the one before the NUL. */
    assert_string_equal(hash(h, slice_of("abc\0def", 7), ""), "");
    assert_int_equal(strncmp(hash(h, slice_text("still there"), ""), "$y$", 3), 0);
}

/* A new password is judged where that is asked for, and then: either a hash or why there is none.
 */
static void judged(void **state)
{
    static const struct {
        const char *password;
        uint8_t judge;
        bool weak;
    } cases[] = {
        {"correct horse", 0, false},
        {"correct horse", 1, true},
        {"correct horse", 255, true},
        {"Password123!", 1, true},
        {"gravel oyster tundra", 1, false},
        {"", 1, true},
        {"short", 0, false},
    };
    struct hasher *h = *state;

    ready(h);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct hash_password request = {.password = slice_text(cases[i].password),
                                              .judge = cases[i].judge};
        struct hashed result;
        assert_int_equal(send_hash_password(h->link, 1, &request), 0);
        assert_int_equal(message_receive(h->link, &h->envelope, 0), 1);
        assert_int_equal(decode_hashed(&h->envelope, &result), 0);
        assert_int_equal(result.hash.len > 0, !cases[i].weak);
        assert_int_equal(result.weak.len > 0, cases[i].weak);
        const char *why = password_weakness(slice_text(cases[i].password));
        assert_true(!cases[i].weak || slice_is(result.weak, why));
    }
    assert_int_equal(strncmp(hash(h, slice_text("still there"), ""), "$y$", 3), 0);
}

/* Costs of all configurable sizes that memory allows in a test. */
static void costs(void **state)
{
    struct hasher *h = *state;
    struct hash_ready answer;
    char first[257];

    set_up(h, 7);
    assert_int_equal(message_receive(h->link, &h->envelope, 0), 1);
    assert_int_equal(decode_hash_ready(&h->envelope, &answer), 0);
    snprintf(first, sizeof(first), "%s", hash(h, slice_text("x"), ""));
    assert_int_equal(strncmp(first, "$y$jBT$", 7), 0);
    assert_string_equal(hash(h, slice_text("x"), first), first);
}

/* A line of /proc/PID/status. */
static void status_line(pid_t pid, const char *name, char *value, size_t size)
{
    char path[64], line[256];

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    value[0] = '\0';
    while (fgets(line, sizeof(line), file) != NULL) {
        const size_t n = strlen(name);
        if (strncmp(line, name, n) == 0 && line[n] == ':') {
            line[strcspn(line, "\n")] = '\0';
            snprintf(value, size, "%s", line + n + 1 + strspn(line + n + 1, " \t"));
        }
    }
    fclose(file);
}

static void sandboxed(void **state)
{
    struct hasher *h = *state;
    const uint32_t layers = ready(h);
    const uint32_t always = LAYER_CAPABILITIES | LAYER_NO_NEW_PRIVS | LAYER_NOT_DUMPABLE |
                            LAYER_RLIMITS | LAYER_SECCOMP;
    char value[256];

    assert_int_equal(layers & always, always);
    status_line(h->pid, "Seccomp", value, sizeof(value));
    assert_string_equal(value, "2");
    status_line(h->pid, "NoNewPrivs", value, sizeof(value));
    assert_string_equal(value, "1");
    if (geteuid() != 0) {
        print_message("skipped: uid, gid and chroot can only be changed by root\n");
        return;
    }
    assert_int_equal(layers & (LAYER_CHROOT | LAYER_IDS), LAYER_CHROOT | LAYER_IDS);
    status_line(h->pid, "Uid", value, sizeof(value));
    assert_string_equal(value, "39002\t39002\t39002\t39002");
    status_line(h->pid, "Gid", value, sizeof(value));
    assert_string_equal(value, "39002\t39002\t39002\t39002");
    status_line(h->pid, "Groups", value, sizeof(value));
    assert_string_equal(value, "");
    status_line(h->pid, "CapBnd", value, sizeof(value));
    assert_string_equal(value, "0000000000000000");
}

static void bad_setup(void **state)
{
    struct hasher *h = *state;

    set_up(h, 12);
    assert_int_equal(message_receive(h->link, &h->envelope, 0), 0);
    const int status = wait_end(h);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

static void no_setup(void **state)
{
    struct hasher *h = *state;
    const struct hash_password request = {.password = slice_text("x")};

    assert_int_equal(send_hash_password(h->link, 1, &request), 0);
    assert_int_equal(message_receive(h->link, &h->envelope, 0), 0);
    const int status = wait_end(h);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

static void unexpected_message(void **state)
{
    struct hasher *h = *state;

    ready(h);
    set_up(h, 1);
    assert_int_equal(message_receive(h->link, &h->envelope, 0), 0);
    const int status = wait_end(h);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

static void ends_with_its_link(void **state)
{
    struct hasher *h = *state;

    ready(h);
    close(h->link);
    const int status = wait_end(h);
    h->link = -1;
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(new_hash),
        TEST(judged),
        TEST(other_methods),
        TEST(no_good),
        TEST(costs),
        TEST(sandboxed),
        TEST(bad_setup),
        TEST(no_setup),
        TEST(unexpected_message),
        TEST(ends_with_its_link),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
