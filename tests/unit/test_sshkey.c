/* Public keys as text and as blobs, against what ssh-keygen and PuTTYgen write and say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/sshkey.h"
#include "common/sshwire.h"
#include "tests/unit/sshkey_samples.h"

#define SAMPLES (sizeof(samples) / sizeof(samples[0]))

static struct sshkey_entry entry;

static struct slice blob_of(const struct sshkey_entry *e)
{
    return slice_of(e->blob, e->blob_len);
}

/* The one entry of a text. */
static void read_one(const char *text)
{
    struct sshkey_text t = sshkey_text_of(slice_text(text));
    struct sshkey_entry second;

    assert_int_equal(sshkey_next(&t, &entry), 1);
    assert_int_equal(sshkey_next(&t, &second), 0);
}

static void lines(void **state)
{
    char text[SSHKEY_FINGERPRINT_SIZE];
    (void)state;

    for (size_t i = 0; i < SAMPLES; i++) {
        read_one(samples[i].line);
        assert_string_equal(entry.trouble, samples[i].trouble != NULL ? samples[i].trouble : "");
        assert_string_equal(entry.info.type, samples[i].type);
        assert_int_equal(entry.info.bits, samples[i].bits);
        assert_string_equal(sshkey_sha256(blob_of(&entry), text), samples[i].sha256);
        assert_string_equal(sshkey_md5(blob_of(&entry), text), samples[i].md5);
        if (samples[i].trouble == NULL)
            assert_string_equal(entry.comment, samples[i].comment);
    }
}

/* A file with everything in it: every entry is told, with its line. */
static void whole_file(void **state)
{
    static const char header[] = "\xef\xbb\xbf# authorized_keys\r\n\r\n   \r\n";
    char *text = NULL;
    size_t len;
    (void)state;

    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    fputs(header, out);
    for (size_t i = 0; i < SAMPLES; i++)
        fprintf(out, "  %s  \r\n", samples[i].line);
    fclose(out);
    struct sshkey_text t = sshkey_text_of(slice_of(text, len));
    for (size_t i = 0; i < SAMPLES; i++) {
        assert_int_equal(sshkey_next(&t, &entry), 1);
        assert_int_equal(entry.line, 4 + i);
        assert_string_equal(entry.info.type, samples[i].type);
    }
    assert_int_equal(sshkey_next(&t, &entry), 0);
    free(text);
}

static void rfc4716(void **state)
{
    char text[SSHKEY_FINGERPRINT_SIZE], changed[4096];
    (void)state;

    read_one(rfc4716_openssh);
    assert_string_equal(entry.trouble, "");
    assert_string_equal(sshkey_sha256(blob_of(&entry), text), samples[2].sha256);
    assert_non_null(strstr(entry.comment, "3072-bit RSA, converted by "));
    read_one(rfc4716_putty);
    assert_string_equal(entry.trouble, "");
    assert_string_equal(sshkey_sha256(blob_of(&entry), text), samples[1].sha256);
    assert_string_equal(entry.comment, "rsa2048 test");
    /* Headers that go on, other headers, no quotes, old line ends. */
    const char *body = strchr(strchr(rfc4716_putty, '\n') + 1, '\n') + 1;
    snprintf(changed, sizeof(changed),
             "---- BEGIN SSH2 PUBLIC KEY ----\nSubject: me\nCOMMENT: one\\\n two: three\n"
             "x-key: a: b\n%s",
             body);
    for (char *at = changed; *at != '\0'; at++)
        *at = *at == '\n' ? '\r' : *at;
    read_one(changed);
    assert_string_equal(entry.trouble, "");
    assert_string_equal(entry.comment, "onetwo: three");
    assert_string_equal(sshkey_sha256(blob_of(&entry), text), samples[1].sha256);
    /* Cut before its end. */
    snprintf(changed, sizeof(changed), "%.*s", 200, rfc4716_putty);
    read_one(changed);
    assert_string_equal(entry.trouble,
                        "is cut: its last line (---- END SSH2 PUBLIC KEY ----) is missing");
}

static void refused_lines(void **state)
{
    static const struct {
        const char *text, *trouble;
    } rows[] = {
        {"hello", "is not a public key"},
        {"hello there everybody", "is not a public key"},
        {"ssh-ed25519", "is damaged: its base64 is no good (was it cut or wrapped?)"},
        {"ssh-ed25519 AAAA", "is not a key of a type that is known here"},
        {"ssh-ed25519 !!!!", "is damaged: its base64 is no good (was it cut or wrapped?)"},
        {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPmFm6U3lTwaqpHaEBeMoJpsoGmIMBxFiizI",
         "is damaged: its bytes are not those of a key of its type"},
        {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPmFm6U3lTwaqpHaEBeMoJpsoGmIMBxFiizIb",
         "is damaged: its base64 is no good (was it cut or wrapped?)"},
        {"ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIPmFm6U3lTwaqpHaEBeMoJpsoGmIMBxFiizIbvNWUvnE",
         "is damaged: it is named ssh-rsa but is ssh-ed25519"},
        {"ssh-ed25519-cert-v01@openssh.com AAAA", "is a certificate: give the public key itself"},
        {"from=\"10.0.0.1, 10.0.0.2\",command=\"echo \\\"x y\\\"\" ssh-ed25519 AAAA me",
         "has options before it, which do not count here: leave them out"},
        {"no-pty ssh-rsa AAAA", "has options before it, which do not count here: leave them out"},
        {"AAAAC3NzaC1lZDI1NTE5AAAAIPmFm6U3lTwaqpHaEBeMoJpsoGmIMBxFiizIbvNWUvnE",
         "is not a public key"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        read_one(rows[i].text);
        assert_string_equal(entry.trouble, rows[i].trouble);
    }
    read_one(pem_public);
    assert_non_null(strstr(entry.trouble, "ssh-keygen -i -m PKCS8"));
}

static void comments(void **state)
{
    char line[1024];
    (void)state;

    snprintf(line, sizeof(line), "%.80s", samples[0].line);
    read_one(line);
    assert_string_equal(entry.comment, "");
    snprintf(line, sizeof(line), "%.80s %0255d", samples[0].line, 7);
    read_one(line);
    assert_string_equal(entry.trouble, "");
    assert_int_equal(strlen(entry.comment), 255);
    snprintf(line, sizeof(line), "%.80s %0256d", samples[0].line, 7);
    read_one(line);
    assert_string_equal(entry.trouble, "has a comment of 256 bytes, 255 are the most");
    snprintf(line, sizeof(line), "%.80s a\033[31mb", samples[0].line);
    read_one(line);
    assert_string_equal(entry.trouble, "has a control character in its comment");
}

static void private_keys(void **state)
{
    static const char *const texts[] = {
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----\n",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n",
        "-----BEGIN PRIVATE KEY-----\nMIIE\n",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\r\nMIIE\r\n",
        "# mine\n  -----BEGIN EC PRIVATE KEY-----",
        "PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\n",
        "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n",
        /* As pastes have them: in one line, without the first, behind a public one. */
        "-----BEGIN OPENSSH PRIVATE KEY----- b3Bl -----END OPENSSH PRIVATE KEY-----",
        "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n",
        "AAAAC3NzaC1lZDI1NTE5\nPrivate-Lines: 1\nAAAA\n",
        "ssh-ed25519 AAAA me\nme: PuTTY-User-Key-File-2: ssh-ed25519\n",
        "SSH PRIVATE KEY FILE FORMAT 1.1\n",
    };
    (void)state;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_true(sshkey_is_private(slice_text(texts[i])));
    for (size_t i = 0; i < SAMPLES; i++)
        assert_false(sshkey_is_private(slice_text(samples[i].line)));
    assert_false(sshkey_is_private(slice_text(rfc4716_openssh)));
    assert_false(sshkey_is_private(slice_text(rfc4716_putty)));
    assert_false(sshkey_is_private(slice_text(pem_public)));
    assert_false(sshkey_is_private(slice_of(NULL, 0)));
}

/* Every blob cut at every byte, and with a byte too many, is refused: nothing is read past it. */
static void cut_blobs(void **state)
{
    struct sshkey_info info;
    char trouble[SSHKEY_TROUBLE_SIZE];
    (void)state;

    for (size_t i = 0; i < SAMPLES; i++) {
        read_one(samples[i].line);
        const size_t len = entry.blob_len;
        for (size_t n = 0; n <= len + 1; n++) {
            uint8_t *copy = calloc(1, n > 0 ? n : 1); /* exact: sanitizers see a byte beyond */
            assert_non_null(copy);
            memcpy(copy, entry.blob, n < len ? n : len);
            const int r = sshkey_read_blob(slice_of(copy, n), &info, trouble);
            assert_int_equal(r, n == len && samples[i].trouble == NULL ? 0 : -1);
            free(copy);
        }
    }
}

/* RSA numbers that are none: zero, negative, with a zero too many, an even exponent. */
static void bad_numbers(void **state)
{
    static const struct {
        const char *e;
        size_t e_len;
        uint8_t first;
        size_t n_len;
        int result;
    } rows[] = {
        {"\1\0\1", 3, 0x7f, 256, -1}, /* 2047 bits */
        {"\3", 1, 0x7f, 257, 0},      {"\1\0\1", 3, 0x80, 256, -1}, {"\2", 1, 0x7f, 257, -1},
        {"", 0, 0x7f, 257, -1},       {"\0", 1, 0x7f, 257, -1},     {"\1", 1, 0x7f, 257, -1},
        {"\0\1", 2, 0x7f, 257, -1},   {"\3", 1, 0, 257, -1},
    };
    struct sshkey_info info;
    char trouble[SSHKEY_TROUBLE_SIZE];
    uint8_t blob[512], n[300];
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct wire_out w = wire_out_of(blob, sizeof(blob));
        memset(n, 0x55, sizeof(n));
        n[0] = rows[i].first;
        wire_put_string(&w, slice_text("ssh-rsa"));
        wire_put_string(&w, slice_of(rows[i].e, rows[i].e_len));
        wire_put_string(&w, slice_of(n, rows[i].n_len));
        assert_int_equal(sshkey_read_blob(slice_of(blob, w.len), &info, trouble), rows[i].result);
    }
}

static void too_large(void **state)
{
    char *text = malloc(20000);
    (void)state;

    assert_non_null(text);
    memset(text, 'A', 20000);
    memcpy(text, "ssh-rsa ", 8);
    text[19999] = '\0';
    read_one(text);
    assert_string_equal(entry.trouble, "is too large: 8192 bytes are the most");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),     cmocka_unit_test(whole_file),
        cmocka_unit_test(rfc4716),   cmocka_unit_test(refused_lines),
        cmocka_unit_test(comments),  cmocka_unit_test(private_keys),
        cmocka_unit_test(cut_blobs), cmocka_unit_test(bad_numbers),
        cmocka_unit_test(too_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
