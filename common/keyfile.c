/* PEM files of keys and certificates: see keyfile.h. Must never overwrite one without keeping the
 * old one, and never leave private bytes in memory of its own or in a file that others can read. */
#include "common/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#define OLD_MOST  100   /* old files of one second */
#define FILE_MOST 16384 /* bytes of a key's file: RSA-16384 has 13,000 */

int keyfile_tell(char trouble[KEYFILE_TROUBLE_MAX], const char *format, ...)
{
    const int saved = errno;
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(trouble, KEYFILE_TROUBLE_MAX, format, arguments);
    va_end(arguments);
    errno = saved;
    return -1;
}

/* ---- reading ------------------------------------------------------------------------------ */

/* Open a key's file, which must be its owner's alone. One that the configuration names may be a
 * link: ACME clients keep the newest of their files so. */
static int open_private(int folder, const char *dir, const char *file,
                        char trouble[KEYFILE_TROUBLE_MAX])
{
    const int follow = file[0] == '/' ? 0 : O_NOFOLLOW;
    const int fd = openat(folder, file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | follow);
    struct stat st;

    if (fd < 0)
        return keyfile_tell(trouble, "%s/%s: %s", dir, file, strerror(errno));
    if (fstat(fd, &st) < 0) {
        keyfile_tell(trouble, "%s/%s: %s", dir, file, strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        errno = EINVAL;
        keyfile_tell(trouble, "%s/%s: is not a regular file", dir, file);
    } else if (st.st_uid != geteuid() && st.st_uid != 0) {
        errno = EPERM;
        keyfile_tell(trouble, "%s/%s: belongs to uid %u: a private key is its owner's alone", dir,
                     file, (unsigned)st.st_uid);
    } else if ((st.st_mode & 077) != 0) {
        errno = EPERM;
        keyfile_tell(trouble,
                     "%s/%s: has mode %04o: others than its owner can use it; chmod 600 it", dir,
                     file, (unsigned)st.st_mode & 07777);
    } else if (st.st_size > FILE_MOST) {
        errno = EFBIG;
        keyfile_tell(trouble, "%s/%s: is too large for a private key", dir, file);
    } else {
        return fd;
    }
    const int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

/* libcrypto would ask the terminal for a passphrase: nobody may be there. */
static int no_passphrase(char *buffer, int size, int writing, void *context)
{
    (void)buffer, (void)size, (void)writing, (void)context;
    return 0;
}

/* The key in a file's bytes, or NULL. */
static EVP_PKEY *read_key(int fd)
{
    char bytes[FILE_MOST];
    size_t len = 0;
    ssize_t n;
    EVP_PKEY *key = NULL;

    while (len < sizeof(bytes) && (n = read(fd, bytes + len, sizeof(bytes) - len)) != 0) {
        if (n < 0 && errno != EINTR)
            goto out;
        len += n > 0 ? (size_t)n : 0;
    }
    BIO *bio = BIO_new_mem_buf(bytes, (int)len);
    if (bio != NULL)
        key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
out:
    OPENSSL_cleanse(bytes, sizeof(bytes));
    ERR_clear_error();
    return key;
}

EVP_PKEY *priv_keyfile_read(int folder, const char *dir, const char *file,
                            char trouble[KEYFILE_TROUBLE_MAX])
{
    const int fd = open_private(folder, dir, file, trouble);
    EVP_PKEY *key = NULL;

    if (fd < 0)
        return NULL;
    if ((key = read_key(fd)) == NULL) {
        errno = EINVAL;
        keyfile_tell(trouble, "%s/%s: is not a private key in PEM form without a passphrase", dir,
                     file);
    }
    const int saved = errno;
    close(fd);
    errno = saved;
    return key;
}

/* ---- writing ------------------------------------------------------------------------------ */

/* Write to an open file, and on to the disk. Returns 0, or -1 with errno. */
static int write_content(int fd, BIO *content)
{
    char *bytes = NULL;
    long len = BIO_get_mem_data(content, &bytes);

    while (len > 0) {
        const ssize_t n = write(fd, bytes, (size_t)len);
        if (n < 0 && errno != EINTR)
            return -1;
        bytes += n > 0 ? n : 0;
        len -= n > 0 ? n : 0;
    }
    return fsync(fd);
}

/* Put a finished file under its name: by link, which never replaces, or, after the old one got a
 * second name, by rename. */
static int publish(int folder, const char *temporary, const char *file, bool replace)
{
    char old[80], date[32];
    const time_t now = time(NULL);
    struct tm utc;
    int r;

    if (!replace)
        return linkat(folder, temporary, folder, file, 0);
    if (gmtime_r(&now, &utc) == NULL)
        return -1;
    strftime(date, sizeof(date), "%Y%m%d-%H%M%S", &utc);
    snprintf(old, sizeof(old), "%s.old-%s", file, date);
    r = linkat(folder, file, folder, old, 0);
    /* Several in one second are told apart by a number. */
    for (int i = 2; r < 0 && errno == EEXIST && i < OLD_MOST; i++) {
        snprintf(old, sizeof(old), "%s.old-%s-%d", file, date, i);
        r = linkat(folder, file, folder, old, 0);
    }
    if (r < 0 && errno != ENOENT)
        return -1;
    return renameat(folder, temporary, folder, file);
}

int priv_keyfile_publish(int folder, const char *dir, const char *file, mode_t mode, BIO *content,
                         bool replace, char trouble[KEYFILE_TROUBLE_MAX])
{
    char temporary[128];
    int fd = -1, r = -1;

    snprintf(temporary, sizeof(temporary), ".%s.new-%d", file, (int)getpid());
    if (!replace && faccessat(folder, file, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        goto out;
    }
    unlinkat(folder, temporary, 0); /* of a process that had our number and was killed */
    fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0 || fchmod(fd, mode) < 0 || write_content(fd, content) < 0 ||
        publish(folder, temporary, file, replace) < 0 || fsync(folder) < 0)
        goto out;
    r = 0;
out:
    if (r < 0)
        keyfile_tell(trouble, "%s/%s: %s", dir, file, strerror(errno));
    const int saved = errno;
    if (fd >= 0) {
        unlinkat(folder, temporary, 0); /* gone already where it was renamed */
        close(fd);
    }
    errno = saved;
    return r;
}

int priv_keyfile_write(int folder, const char *dir, const char *file, const EVP_PKEY *key,
                       bool replace, char trouble[KEYFILE_TROUBLE_MAX])
{
    BIO *bio = BIO_new(BIO_s_secmem());
    int r = -1;

    if (bio == NULL || PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1) {
        errno = ENOMEM;
        keyfile_tell(trouble, "%s/%s: the key cannot be written as PEM", dir, file);
    } else {
        r = priv_keyfile_publish(folder, dir, file, 0600, bio, replace, trouble);
    }
    const int saved = errno;
    BIO_free(bio); /* secure memory is wiped when it is freed */
    errno = saved;
    return r;
}

int priv_keyfile_folder(const char *dir, char trouble[KEYFILE_TROUBLE_MAX])
{
    /* Made only where it is missing: at a reload the monitor has no call for that any more. */
    int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (folder < 0 && errno == ENOENT && (mkdir(dir, 0700) == 0 || errno == EEXIST))
        folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder >= 0 ? folder : keyfile_tell(trouble, "%s: %s", dir, strerror(errno));
}
