/* Host keys as files: made, read, replaced, and refused where others could have read them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/pem.h>

#include "common/hostkey.h"
#include "common/sshwire.h"

struct place {
    char folder[64];
    char trouble[HOSTKEY_TROUBLE_MAX];
};

static int place_make(void **state)
{
    struct place *p = calloc(1, sizeof(*p));

    assert_non_null(p);
    snprintf(p->folder, sizeof(p->folder), "/tmp/sallyport-hostkey-XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    *state = p;
    return 0;
}

/* Names in the folder that begin with a text; removes them if asked to. */
static unsigned files(const struct place *p, const char *begin, int away)
{
    DIR *folder = opendir(p->folder);
    unsigned count = 0;

    assert_non_null(folder);
    for (struct dirent *e = readdir(folder); e != NULL; e = readdir(folder)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
            strncmp(e->d_name, begin, strlen(begin)) != 0)
            continue;
        count++;
        if (away)
            unlinkat(dirfd(folder), e->d_name, 0);
    }
    closedir(folder);
    return count;
}

static int place_remove(void **state)
{
    struct place *p = *state;

    files(p, "", 1);
    rmdir(p->folder);
    free(p);
    return 0;
}

static char *file_path(const struct place *p, enum hostkey_type type, char *path, size_t size)
{
    snprintf(path, size, "%s/%s", p->folder, hostkey_info(type)->file);
    return path;
}

static void each_type(void **state)
{
    struct place *p = *state;

    for (enum hostkey_type type = 0; type < HOSTKEY_COUNT; type++) {
        const struct hostkey_info *info = hostkey_info(type);
        struct hostkey first, second;
        struct stat st;
        char path[128];
        assert_int_equal(priv_hostkey_load(p->folder, type, &first, p->trouble), -1);
        assert_int_equal(errno, ENOENT);
        assert_int_equal(priv_hostkey_generate(p->folder, type, p->trouble), 0);
        assert_int_equal(stat(file_path(p, type, path, sizeof(path)), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(st.st_nlink, 1);
        assert_int_equal(priv_hostkey_load(p->folder, type, &first, p->trouble), 0);
        struct wire w = wire_of(slice_of(first.blob, first.blob_len));
        assert_true(slice_is(wire_string(&w), info->ssh_type));
        if (type == HOSTKEY_ED25519)
            assert_int_equal(wire_string(&w).len, 32);
        if (type == HOSTKEY_ECDSA) {
            assert_true(slice_is(wire_string(&w), "nistp256"));
            assert_int_equal(wire_string(&w).len, 65);
        }
        if (type == HOSTKEY_RSA) {
            const struct slice e = wire_string(&w), n = wire_string(&w);
            assert_true(slice_equal(e, slice_of("\1\0\1", 3)));
            assert_int_equal(n.len, 385); /* 3072 bits and the sign's byte */
            assert_int_equal(n.data[0], 0);
        }
        assert_true(wire_done(&w));
        assert_int_equal(first.bits, info->bits);
        /* What is there stays. */
        assert_int_equal(priv_hostkey_generate(p->folder, type, p->trouble), -1);
        assert_int_equal(errno, EEXIST);
        assert_int_equal(priv_hostkey_load(p->folder, type, &second, p->trouble), 0);
        assert_true(slice_equal(slice_of(first.blob, first.blob_len),
                                slice_of(second.blob, second.blob_len)));
        hostkey_free(&second);
        hostkey_free(&first);
    }
    assert_int_equal(files(p, "", 0), HOSTKEY_COUNT);
}

static void replaced(void **state)
{
    struct place *p = *state;
    struct hostkey first, second, old;
    char path[128], kept[384] = "";

    assert_int_equal(priv_hostkey_generate(p->folder, HOSTKEY_ED25519, p->trouble), 0);
    assert_int_equal(priv_hostkey_load(p->folder, HOSTKEY_ED25519, &first, p->trouble), 0);
    assert_int_equal(priv_hostkey_replace(p->folder, HOSTKEY_ED25519, p->trouble), 0);
    assert_int_equal(priv_hostkey_load(p->folder, HOSTKEY_ED25519, &second, p->trouble), 0);
    assert_false(
        slice_equal(slice_of(first.blob, first.blob_len), slice_of(second.blob, second.blob_len)));
    assert_int_equal(files(p, "host_ed25519.old-", 0), 1);
    assert_int_equal(files(p, "", 0), 2);
    /* The old one is whole: under its own name again it is what it was. */
    DIR *folder = opendir(p->folder);
    assert_non_null(folder);
    for (struct dirent *e = readdir(folder); e != NULL; e = readdir(folder)) {
        if (strncmp(e->d_name, "host_ed25519.old-", 17) == 0)
            snprintf(kept, sizeof(kept), "%s/%s", p->folder, e->d_name);
    }
    closedir(folder);
    assert_int_equal(rename(kept, file_path(p, HOSTKEY_ED25519, path, sizeof(path))), 0);
    assert_int_equal(priv_hostkey_load(p->folder, HOSTKEY_ED25519, &old, p->trouble), 0);
    assert_true(
        slice_equal(slice_of(first.blob, first.blob_len), slice_of(old.blob, old.blob_len)));
    hostkey_free(&old);
    hostkey_free(&second);
    hostkey_free(&first);
    /* Replacing where there is none just makes one. */
    assert_int_equal(priv_hostkey_replace(p->folder, HOSTKEY_ECDSA, p->trouble), 0);
    assert_int_equal(files(p, "host_ecdsa", 0), 1);
}

/* Loading must fail with an errno and say something. */
static void refused(struct place *p, enum hostkey_type type, int error, const char *part)
{
    struct hostkey h;

    assert_int_equal(priv_hostkey_load(p->folder, type, &h, p->trouble), -1);
    assert_int_equal(errno, error);
    assert_null(h.key);
    if (strstr(p->trouble, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", p->trouble, part);
}

static void refusals(void **state)
{
    struct place *p = *state;
    char path[128], other[128];

    file_path(p, HOSTKEY_ED25519, path, sizeof(path));
    assert_int_equal(priv_hostkey_generate(p->folder, HOSTKEY_ED25519, p->trouble), 0);
    static const mode_t modes[] = {0640, 0604, 0620, 0660, 0644};
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        assert_int_equal(chmod(path, modes[i]), 0);
        refused(p, HOSTKEY_ED25519, EPERM, "others than its owner can use it; chmod 600 it");
    }
    assert_int_equal(chmod(path, 0600), 0);
    /* A key of one type under the name of another. */
    assert_int_equal(rename(path, file_path(p, HOSTKEY_RSA, other, sizeof(other))), 0);
    refused(p, HOSTKEY_RSA, EINVAL, "host_rsa: is not a key of type rsa");
    /* A link, even to a good key. */
    assert_int_equal(symlink(other, path), 0);
    refused(p, HOSTKEY_ED25519, ELOOP, "host_ed25519: ");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    refused(p, HOSTKEY_ED25519, EINVAL, "is not a regular file");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    refused(p, HOSTKEY_ED25519, EINVAL, "is not a regular file");
    assert_int_equal(rmdir(path), 0);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

static void bad_contents(void **state)
{
    struct place *p = *state;
    char path[128];

    file_path(p, HOSTKEY_RSA, path, sizeof(path));
    write_file(path, "");
    refused(p, HOSTKEY_RSA, EINVAL, "is not a private key in PEM form");
    write_file(path, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    refused(p, HOSTKEY_RSA, EINVAL, "is not a private key in PEM form");
    /* RSA that is too weak, and a key with a passphrase: never asked for. */
    static const struct {
        size_t bits;
        const char *cipher, *says;
    } rows[] = {{1024, NULL, "is too weak: RSA of 1024 bits"},
                {2048, "AES-256-CBC", "without a passphrase"}};
    for (size_t i = 0; i < 2; i++) {
        EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", rows[i].bits);
        const EVP_CIPHER *cipher =
            rows[i].cipher != NULL ? EVP_get_cipherbyname(rows[i].cipher) : NULL;
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(PEM_write_PKCS8PrivateKey(file, key, cipher, "secret",
                                                   cipher != NULL ? 6 : 0, NULL, NULL),
                         1);
        assert_int_equal(fclose(file), 0);
        EVP_PKEY_free(key);
        refused(p, HOSTKEY_RSA, EINVAL, rows[i].says);
    }
    /* Another curve than the one that is offered. */
    file_path(p, HOSTKEY_ECDSA, path, sizeof(path));
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
    write_file(path, "");
    FILE *file = fopen(path, "w");
    assert_int_equal(PEM_write_PKCS8PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(file), 0);
    EVP_PKEY_free(key);
    refused(p, HOSTKEY_ECDSA, EINVAL, "is not a key of type ecdsa");
}

static void folder_missing(void **state)
{
    struct place *p = *state;
    struct stat st;

    assert_int_equal(rmdir(p->folder), 0);
    refused(p, HOSTKEY_ED25519, ENOENT, "No such file or directory");
    assert_int_equal(priv_hostkey_generate(p->folder, HOSTKEY_ED25519, p->trouble), 0);
    assert_int_equal(stat(p->folder, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
}

static void folder_read_only(void **state)
{
    struct place *p = *state;

    if (geteuid() == 0) {
        print_message("skipped: root may write everywhere\n");
        skip();
    }
    assert_int_equal(chmod(p->folder, 0500), 0);
    assert_int_equal(priv_hostkey_generate(p->folder, HOSTKEY_ED25519, p->trouble), -1);
    assert_int_equal(errno, EACCES);
    assert_int_equal(chmod(p->folder, 0700), 0);
    assert_int_equal(files(p, "", 0), 0);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, place_make, place_remove)
    const struct CMUnitTest tests[] = {
        TEST(each_type),    TEST(replaced),       TEST(refusals),
        TEST(bad_contents), TEST(folder_missing), TEST(folder_read_only),
    };

    umask(022);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
