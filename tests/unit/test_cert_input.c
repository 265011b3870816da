/* What operators paste as a certificate: every form that is taken, a message of its own for each
 * that is not, and garbage, which is refused or yields certificates but never harms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/pkcs7.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/certificate.h"
#include "monitor/command/cert_input.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEXT_MAX     65536
#define FLIPS        400

/* Texts that the tests are made of, each with its end. */
static struct {
    EVP_PKEY *key;
    X509 *certificate, *other;
    char pem[TEXT_MAX], other_pem[TEXT_MAX], key_pem[TEXT_MAX], request[TEXT_MAX];
    uint8_t der[TEXT_MAX], bundle[TEXT_MAX], key_der[TEXT_MAX], pkcs12[TEXT_MAX];
    size_t der_len, bundle_len, key_der_len, pkcs12_len;
} have;

static size_t drain(BIO *bio, void *to)
{
    const int n = BIO_read(bio, to, TEXT_MAX - 1);

    assert_true(n > 0 && n < TEXT_MAX - 1);
    ((char *)to)[n] = '\0';
    return (size_t)n;
}

static void make_bundles(void)
{
    BIO *bio = BIO_new(BIO_s_mem());
    PKCS7 *bundle = PKCS7_new();

    assert_int_equal(PKCS7_set_type(bundle, NID_pkcs7_signed), 1);
    assert_int_equal(PKCS7_content_new(bundle, NID_pkcs7_data), 1);
    assert_int_equal(PKCS7_add_certificate(bundle, have.certificate), 1);
    assert_int_equal(PKCS7_add_certificate(bundle, have.other), 1);
    assert_int_equal(i2d_PKCS7_bio(bio, bundle), 1);
    have.bundle_len = drain(bio, have.bundle);
    PKCS12 *pkcs12 = PKCS12_create("pass", "name", have.key, have.certificate, NULL, 0, 0, 0, 0, 0);
    assert_non_null(pkcs12);
    assert_int_equal(i2d_PKCS12_bio(bio, pkcs12), 1);
    have.pkcs12_len = drain(bio, have.pkcs12);
    PKCS12_free(pkcs12);
    PKCS7_free(bundle);
    BIO_free(bio);
}

static int make_all(void **state)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    BIO *bio = BIO_new(BIO_s_mem());
    const char *why;
    char bad[256];

    (void)state;
    assert_int_equal(certificate_names_add(names, "localhost", bad, sizeof(bad)), 0);
    const struct certificate_wish wish = {.names = names, .days = 1};
    assert_non_null(have.key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"));
    assert_non_null(have.certificate = certificate_self_sign(have.key, &wish, &why));
    assert_non_null(have.other = certificate_self_sign(have.key, &wish, &why));
    X509_REQ *request = certificate_request(have.key, &wish, &why);
    assert_non_null(request);
    assert_int_equal(PEM_write_bio_X509(bio, have.certificate), 1);
    drain(bio, have.pem);
    assert_int_equal(PEM_write_bio_X509(bio, have.other), 1);
    drain(bio, have.other_pem);
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, have.key, NULL, NULL, 0, NULL, NULL), 1);
    drain(bio, have.key_pem);
    assert_int_equal(PEM_write_bio_X509_REQ(bio, request), 1);
    drain(bio, have.request);
    assert_int_equal(i2d_X509_bio(bio, have.certificate), 1);
    have.der_len = drain(bio, have.der);
    assert_int_equal(i2d_PrivateKey_bio(bio, have.key), 1);
    have.key_der_len = drain(bio, have.key_der);
    make_bundles();
    X509_REQ_free(request);
    BIO_free(bio);
    GENERAL_NAMES_free(names);
    return 0;
}

static int free_all(void **state)
{
    (void)state;
    X509_free(have.certificate);
    X509_free(have.other);
    EVP_PKEY_free(have.key);
    return 0;
}

/* How many certificates are taken of these bytes; -1: refused, and why. */
static int taken(struct slice bytes, char why[CERT_WHY_MAX])
{
    STACK_OF(X509) *all = sk_X509_new_null();
    uint8_t *copy = malloc(bytes.len > 0 ? bytes.len : 1); /* whose end a sanitizer knows */

    assert_non_null(all);
    assert_non_null(copy);
    if (bytes.len > 0)
        memcpy(copy, bytes.data, bytes.len);
    why[0] = '\0';
    const int r = cert_input_add(all, slice_of(copy, bytes.len), why);
    const int count = r == 0 ? sk_X509_num(all) : -1;
    assert_true((r == 0) == (why[0] == '\0'));
    assert_int_equal(ERR_peek_error(), 0);
    sk_X509_pop_free(all, X509_free);
    free(copy);
    return count;
}

/* A text with something put in front of and instead of the end of each line. */
static char *lined(char *to, const char *text, const char *before, const char *end)
{
    size_t at = 0;

    while (*text != '\0') {
        const size_t len = strcspn(text, "\n");
        at += (size_t)snprintf(to + at, TEXT_MAX - at, "%s%.*s%s", before, (int)len, text, end);
        text += len + (text[len] == '\n');
    }
    return to;
}

static void expect(int count, const char *text)
{
    char why[CERT_WHY_MAX];
    const int got = taken(slice_text(text), why);

    if (got != count)
        fail_msg("%d taken, %d expected (%s) of:\n%s", got, count, why, text);
}

static void pasted(void **state)
{
    static char text[4 * TEXT_MAX], lines[TEXT_MAX];

    (void)state;
    expect(1, have.pem);
    expect(1, lined(lines, have.pem, "", "\r\n"));
    expect(1, lined(lines, have.pem, "", "\r"));
    expect(1, lined(lines, have.pem, "", "\n\n"));
    expect(1, lined(lines, have.pem, "    ", " \t\n"));
    expect(1, lined(lines, have.pem, "> ", "\r\n"));
    snprintf(text, sizeof(text), "\xef\xbb\xbf%s", have.pem);
    expect(1, text);
    snprintf(text, sizeof(text), "Dear customer,\r\nhere it is:\n%s\nand between\n%s-- \nYours\n",
             have.pem, have.other_pem);
    expect(2, text);
    snprintf(text, sizeof(text), "%s%s%s", have.pem, have.other_pem, have.pem);
    expect(2, text); /* none twice */
    snprintf(text, sizeof(text), "%s%s", have.request, have.pem);
    expect(1, text);
    text[0] = '\0';
    snprintf(text, sizeof(text), "%.*s", (int)strlen(have.pem) - 1, have.pem);
    expect(1, text); /* without the last line's end */
}

static void binary(void **state)
{
    char why[CERT_WHY_MAX];

    (void)state;
    assert_int_equal(taken(slice_of(have.der, have.der_len), why), 1);
    assert_int_equal(taken(slice_of(have.bundle, have.bundle_len), why), 2);
}

static void refused(void **state)
{
    static char cut[TEXT_MAX], both[2 * TEXT_MAX], damaged[TEXT_MAX], large[CERT_INPUT_MOST + 1];
    char why[CERT_WHY_MAX];

    (void)state;
    snprintf(cut, sizeof(cut), "%.*s", (int)strlen(have.pem) / 2, have.pem);
    snprintf(both, sizeof(both), "%s%s", have.pem, have.key_pem);
    snprintf(damaged, sizeof(damaged), "%s", have.pem);
    damaged[100] = '!';
    memset(large, 'a', sizeof(large));
    const struct {
        struct slice bytes;
        const char *why;
    } cases[] = {
        {slice_text(""), "is empty"},
        {slice_text("\n\n"), "holds no certificate"},
        {slice_text("no such thing"), "holds no certificate"},
        {slice_text("0"), "holds no certificate"},
        {slice_text("----BEGIN CERTIFICATE-----\nAAAA\n"), "holds no certificate"},
        {slice_text(cut), "is cut short or damaged: its block 1 of 1"},
        {slice_text(damaged), "is cut short or damaged: its block 1 of 1"},
        {slice_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
         "holds a certificate that is damaged"},
        {slice_text("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
         "holds something else than certificates: \"PUBLIC KEY\""},
        {slice_text(have.request), "is a request (CSR)"},
        {slice_text(both), "holds a private key"},
        {slice_text(have.key_pem), "holds a private key"},
        {slice_text("> -----BEGIN RSA PRIVATE KEY-----"), "holds a private key"},
        {slice_text("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl"), "holds a private key"},
        {slice_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\nb3Bl"), "holds a private key"},
        {slice_text("PuTTY-User-Key-File-3: ssh-ed25519\n"), "holds a private key"},
        {slice_of(have.key_der, have.key_der_len), "holds a private key"},
        {slice_of(have.pkcs12, have.pkcs12_len), "holds a private key"},
        {slice_of(have.der, have.der_len - 1), "is neither text"},
        {slice_of(have.bundle, have.bundle_len - 1), "is neither text"},
        {slice_of("\xff\xfe-\0-\0", 6), "is text in UTF-16"},
        {slice_of(large, sizeof(large)), "is too large"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (taken(cases[i].bytes, why) != -1 || strncmp(why, cases[i].why, strlen(cases[i].why)))
            fail_msg("case %zu: \"%s\" expected, not \"%s\"", i, cases[i].why, why);
    }
}

/* Numbers that are the same in each run. */
static uint32_t next_number(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void garbage(void **state)
{
    static uint8_t bytes[TEXT_MAX];
    char why[CERT_WHY_MAX];
    uint32_t seed = 1;
    const struct slice whole[] = {
        slice_text(have.pem),
        slice_of(have.der, have.der_len),
        slice_of(have.bundle, have.bundle_len),
        slice_of(have.pkcs12, have.pkcs12_len),
        slice_text(have.request),
    };

    (void)state;
    for (size_t i = 0; i < COUNT(whole); i++) {
        for (size_t len = 0; len < whole[i].len; len++)
            assert_true(taken(slice_of(whole[i].data, len), why) <= 1);
        for (int n = 0; n < FLIPS; n++) {
            memcpy(bytes, whole[i].data, whole[i].len);
            for (uint32_t k = 0; k <= next_number(&seed) % 3; k++)
                bytes[next_number(&seed) % whole[i].len] = (uint8_t)next_number(&seed);
            assert_true(taken(slice_of(bytes, whole[i].len), why) <= 2);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pasted),
        cmocka_unit_test(binary),
        cmocka_unit_test(refused),
        cmocka_unit_test(garbage),
    };

    return cmocka_run_group_tests(tests, make_all, free_all);
}
