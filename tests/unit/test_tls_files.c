/* The TLS key and certificate as files: a process that puts a new pair into use is killed (SIGKILL)
 * before and after each of its calls that change the folder. Whatever it left, the server finds a
 * certificate and its key, the old or the new; the key that waited is never lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/certificate.h"
#include "common/tls_files.h"

#define STEPS_MAX 100

/* ---- calls that are counted ----------------------------------------------------------------- */

static int step, kill_before, kill_after; /* steps from 1; 0: never */

static long counted(long result)
{
    if (step == kill_after)
        raise(SIGKILL);
    return result;
}

static void begin_step(void)
{
    if (++step == kill_before)
        raise(SIGKILL);
}

/* In place of the C library's, for what is linked into this program. */
int renameat(int from, const char *old, int to, const char *new)
{
    begin_step();
    return (int)counted(syscall(SYS_renameat2, from, old, to, new, 0));
}

int linkat(int from, const char *old, int to, const char *new, int flags)
{
    begin_step();
    return (int)counted(syscall(SYS_linkat, from, old, to, new, flags));
}

int unlinkat(int folder, const char *name, int flags)
{
    begin_step();
    return (int)counted(syscall(SYS_unlinkat, folder, name, flags));
}

int mkdirat(int folder, const char *name, mode_t mode)
{
    begin_step();
    return (int)counted(syscall(SYS_mkdirat, folder, name, mode));
}

int fsync(int fd)
{
    begin_step();
    return (int)counted(syscall(SYS_fsync, fd));
}

int fchmod(int fd, mode_t mode)
{
    begin_step();
    return (int)counted(syscall(SYS_fchmod, fd, mode));
}

/* ---- a key folder --------------------------------------------------------------------------- */

struct place {
    char dir[64], trouble[KEYFILE_TROUBLE_MAX];
    int folder;
    EVP_PKEY *old_key, *new_key;
    STACK_OF(X509) * old_chain, *new_chain;
};

static STACK_OF(X509) * chain_of(EVP_PKEY *key)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    STACK_OF(X509) *chain = sk_X509_new_null();
    const char *why;
    char bad[256];

    assert_non_null(names);
    assert_int_equal(certificate_names_add(names, "localhost", bad, sizeof(bad)), 0);
    const struct certificate_wish wish = {.names = names, .days = 1};
    X509 *certificate = certificate_self_sign(key, &wish, &why);
    assert_non_null(certificate);
    assert_int_equal(sk_X509_push(chain, certificate), 1);
    GENERAL_NAMES_free(names);
    return chain;
}

static int place_make(void **state)
{
    struct place *p = calloc(1, sizeof(*p));

    assert_non_null(p);
    snprintf(p->dir, sizeof(p->dir), "/tmp/sallyport-tls-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    p->folder = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(p->folder >= 0);
    p->old_key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    p->new_key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    assert_non_null(p->old_key);
    assert_non_null(p->new_key);
    p->old_chain = chain_of(p->old_key);
    p->new_chain = chain_of(p->new_key);
    *state = p;
    return 0;
}

static void empty(int folder)
{
    DIR *all = fdopendir(dup(folder));

    assert_non_null(all);
    rewinddir(all);
    for (struct dirent *e = readdir(all); e != NULL; e = readdir(all)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        const int below = openat(folder, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (below >= 0) {
            empty(below);
            close(below);
        }
        assert_int_equal(unlinkat(folder, e->d_name, below >= 0 ? AT_REMOVEDIR : 0), 0);
    }
    closedir(all);
}

static int place_remove(void **state)
{
    struct place *p = *state;

    empty(p->folder);
    close(p->folder);
    rmdir(p->dir);
    EVP_PKEY_free(p->old_key);
    EVP_PKEY_free(p->new_key);
    sk_X509_pop_free(p->old_chain, X509_free);
    sk_X509_pop_free(p->new_chain, X509_free);
    free(p);
    return 0;
}

/* What the server serves: 0 the old pair, 1 the new one. */
static int served(struct place *p)
{
    STACK_OF(X509) *chain =
        priv_tls_chain_read(p->folder, p->dir, TLS_CERTIFICATE_FILE, p->trouble);

    assert_non_null(chain);
    EVP_PKEY *key = priv_tls_key_find(p->folder, p->dir, sk_X509_value(chain, 0), p->trouble);
    assert_non_null(key);
    const int is_new = X509_cmp(sk_X509_value(chain, 0), sk_X509_value(p->new_chain, 0)) == 0;
    assert_int_equal(EVP_PKEY_eq(key, is_new ? p->new_key : p->old_key), 1);
    EVP_PKEY_free(key);
    sk_X509_pop_free(chain, X509_free);
    return is_new;
}

static int waits(const struct place *p, const EVP_PKEY *key)
{
    char path[64], name[TLS_NAME_SIZE];

    snprintf(path, sizeof(path), "%s/%s.key", TLS_PENDING, tls_key_name(key, name));
    return faccessat(p->folder, path, F_OK, 0) == 0;
}

static void begin_with_old(struct place *p)
{
    empty(p->folder);
    assert_int_equal(priv_tls_pending_add(p->folder, p->dir, p->old_key, NULL, p->trouble), 0);
    assert_int_equal(priv_tls_install(p->folder, p->dir, p->old_chain, p->trouble), 0);
    assert_int_equal(served(p), 0);
    assert_int_equal(priv_tls_pending_add(p->folder, p->dir, p->new_key, NULL, p->trouble), 0);
}

/* Install the new pair in a process that is killed. Returns whether it was. */
static int install_killed(struct place *p, int before, int after)
{
    int status;
    const pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        step = 0;
        kill_before = before;
        kill_after = after;
        _exit(priv_tls_install(p->folder, p->dir, p->new_chain, p->trouble) == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return 1;
    }
    assert_int_equal(WEXITSTATUS(status), 0);
    return 0;
}

static void check_after(struct place *p)
{
    struct stat st;
    const int is_new = served(p);

    assert_true(is_new || waits(p, p->new_key));
    assert_int_equal(priv_tls_settle(p->folder, p->dir, p->trouble), 0);
    assert_int_equal(served(p), is_new);
    if (!is_new)
        assert_int_equal(priv_tls_install(p->folder, p->dir, p->new_chain, p->trouble), 0);
    assert_int_equal(served(p), 1);
    assert_false(waits(p, p->new_key));
    assert_int_equal(fstatat(p->folder, TLS_KEY_FILE, &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    EVP_PKEY *key = priv_keyfile_read(p->folder, p->dir, TLS_KEY_FILE, p->trouble);
    assert_int_equal(EVP_PKEY_eq(key, p->new_key), 1);
    EVP_PKEY_free(key);
}

static void killed_at_each_step(void **state)
{
    struct place *p = *state;
    int killed = 1, n = 0, old = 0, fresh = 0;

    while (killed) {
        assert_true(++n < STEPS_MAX);
        for (int after = 0; after < 2; after++) {
            begin_with_old(p);
            killed = install_killed(p, after ? 0 : n, after ? n : 0);
            old += served(p) == 0;
            fresh += served(p) == 1;
            check_after(p);
        }
    }
    /* There were steps on both sides of the switch. */
    assert_true(old > 4);
    assert_true(fresh > 4);
}

static void key_added_and_killed(void **state)
{
    struct place *p = *state;
    int killed = 1;

    for (int n = 1; killed; n++) {
        int status;
        assert_true(n < STEPS_MAX);
        empty(p->folder);
        const pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            step = 0;
            kill_before = n;
            _exit(priv_tls_pending_add(p->folder, p->dir, p->new_key, NULL, p->trouble) == 0 ? 0
                                                                                             : 1);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        killed = WIFSIGNALED(status);
        if (!waits(p, p->new_key))
            continue;
        /* A key that is there is whole. */
        assert_int_equal(priv_tls_install(p->folder, p->dir, p->new_chain, p->trouble), 0);
        assert_int_equal(served(p), 1);
    }
    assert_int_equal(served(p), 1);
}

/* ---- without crashes ------------------------------------------------------------------------ */

static void renewal_keeps_the_key(void **state)
{
    struct place *p = *state;
    STACK_OF(X509) *again = chain_of(p->old_key);

    begin_with_old(p);
    assert_int_equal(priv_tls_install(p->folder, p->dir, again, p->trouble), 0);
    assert_int_equal(served(p), 0);
    assert_true(waits(p, p->new_key)); /* untouched */
    sk_X509_pop_free(again, X509_free);
}

static void certificate_without_key(void **state)
{
    struct place *p = *state;

    begin_with_old(p);
    char name[TLS_NAME_SIZE];
    tls_key_name(p->new_key, name);
    assert_int_equal(priv_tls_pending_remove(p->folder, p->dir, name, p->trouble), 0);
    assert_int_equal(priv_tls_pending_remove(p->folder, p->dir, name, p->trouble), -1);
    assert_int_equal(errno, ENOENT);
    assert_null(priv_tls_key_find(p->folder, p->dir, sk_X509_value(p->new_chain, 0), p->trouble));
    assert_non_null(strstr(p->trouble, "its first certificate is not of the key"));
    /* A key that others can read is none. */
    assert_int_equal(fchmodat(p->folder, TLS_KEY_FILE, 0644, 0), 0);
    assert_null(priv_tls_key_find(p->folder, p->dir, sk_X509_value(p->old_chain, 0), p->trouble));
    assert_non_null(strstr(p->trouble, "others than its owner"));
}

static void names(void **state)
{
    GENERAL_NAMES *all = GENERAL_NAMES_new();
    char bad[256] = "", text[300];
    static const char *const good[] = {"localhost",   "127.0.0.1", "::1",        "a.example.org",
                                       "*.b.example", "192.0.2.1", "2001:db8::1"};
    static const char *const wrong[] = {"a..b",       ".a",          "b;c", "DNS:a",
                                        "email:copy", "a*.b.org",    "*",   "*.",
                                        "-\n",        "\xc3\xa4.de", "a/b", "1.2.3.4/8"};

    (void)state;
    assert_int_equal(certificate_names_add(all, "localhost 127.0.0.1,::1 0.0.0.0 :: A.example.org",
                                           bad, sizeof(bad)),
                     0);
    assert_int_equal(certificate_names_add(all,
                                           "127.0.0.1 ::ffff:127.0.0.1 LOCALHOST a.example.org"
                                           " *.b.example,,192.0.2.1 2001:db8::1",
                                           bad, sizeof(bad)),
                     0);
    assert_int_equal(sk_GENERAL_NAME_num(all), sizeof(good) / sizeof(good[0]));
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_string_equal(
            certificate_name_text(sk_GENERAL_NAME_value(all, (int)i), text, sizeof(text)), good[i]);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(certificate_names_add(all, wrong[i], bad, sizeof(bad)), 1);
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(certificate_names_add(all, text, bad, sizeof(bad)), 1);
    assert_int_equal(sk_GENERAL_NAME_num(all), sizeof(good) / sizeof(good[0]));
    GENERAL_NAMES_free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(killed_at_each_step, place_make, place_remove),
        cmocka_unit_test_setup_teardown(key_added_and_killed, place_make, place_remove),
        cmocka_unit_test_setup_teardown(renewal_keeps_the_key, place_make, place_remove),
        cmocka_unit_test_setup_teardown(certificate_without_key, place_make, place_remove),
        cmocka_unit_test(names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
