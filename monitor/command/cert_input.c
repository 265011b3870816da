/* Certificates in what an operator gives: see cert_input.h. A private key is looked for before
 * anything is decoded or copied: a file with one is refused whole. */
#include "monitor/command/cert_input.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/pkcs7.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CERTIFICATES_MOST 64
#define LABEL_MOST        64 /* bytes of what stands after -----BEGIN */
#define BEGIN             "-----BEGIN "

static int __attribute__((format(printf, 2, 3)))
say(char why[CERT_WHY_MAX], const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(why, CERT_WHY_MAX, format, arguments);
    va_end(arguments);
    ERR_clear_error();
    return -1;
}

static int say_private(char why[CERT_WHY_MAX])
{
    return say(why, "holds a private key: it was not taken, and nothing of it was kept. A key that "
                    "is sent around is no secret any more: `sallyport cert csr` makes one that "
                    "never leaves this server");
}

static int say_request(char why[CERT_WHY_MAX])
{
    return say(why,
               "is a request (CSR), not a certificate: it goes to the authority, and what that "
               "sends back is installed");
}

/* ---- what is taken ------------------------------------------------------------------------- */

/* Keep a certificate (taken), unless it is there already. */
static int keep(STACK_OF(X509) * certificates, X509 *certificate, char why[CERT_WHY_MAX])
{
    int r = 0;

    for (int i = 0; i < sk_X509_num(certificates); i++) {
        if (X509_cmp(sk_X509_value(certificates, i), certificate) == 0)
            goto out;
    }
    if (sk_X509_num(certificates) >= CERTIFICATES_MOST)
        r = say(why, "holds more than %d certificates: the server's own and its chain are wanted",
                CERTIFICATES_MOST);
    else if (sk_X509_push(certificates, certificate) > 0)
        certificate = NULL;
    else
        r = say(why, "cannot be kept: there is no memory");
out:
    X509_free(certificate);
    return r;
}

typedef int (*taker)(STACK_OF(X509) * certificates, const unsigned char *der, long len,
                     char why[CERT_WHY_MAX]);

static int take_certificate(STACK_OF(X509) * certificates, const unsigned char *der, long len,
                            char why[CERT_WHY_MAX])
{
    const unsigned char *end = der;
    X509 *certificate = d2i_X509(NULL, &end, len);

    if (certificate == NULL || end != der + len) {
        X509_free(certificate);
        return say(why, "holds a certificate that is damaged: it cannot be decoded");
    }
    return keep(certificates, certificate, why);
}

/* With OpenSSL's own notes about trust behind it. */
static int take_trusted(STACK_OF(X509) * certificates, const unsigned char *der, long len,
                        char why[CERT_WHY_MAX])
{
    X509 *certificate = d2i_X509_AUX(NULL, &der, len);

    return certificate == NULL
               ? say(why, "holds a certificate that is damaged: it cannot be decoded")
               : keep(certificates, certificate, why);
}

static int take_pkcs7(STACK_OF(X509) * certificates, const unsigned char *der, long len,
                      char why[CERT_WHY_MAX])
{
    PKCS7 *bundle = d2i_PKCS7(NULL, &der, len);
    const STACK_OF(X509) *inside = NULL;
    int r = 0;

    if (bundle != NULL && PKCS7_type_is_signed(bundle) && bundle->d.sign != NULL)
        inside = bundle->d.sign->cert;
    if (sk_X509_num(inside) <= 0)
        r = say(why, "holds a PKCS #7 bundle without a certificate");
    for (int i = 0; i < sk_X509_num(inside) && r == 0; i++) {
        X509 *certificate = sk_X509_value(inside, i);
        r = X509_up_ref(certificate) == 1 ? keep(certificates, certificate, why)
                                          : say(why, "cannot be kept: there is no memory");
    }
    PKCS7_free(bundle);
    return r;
}

static int pass_over(STACK_OF(X509) * certificates, const unsigned char *der, long len,
                     char why[CERT_WHY_MAX])
{
    (void)certificates, (void)der, (void)len, (void)why;
    return 0;
}

/* Blocks of PEM (RFC 7468, and what others write). */
static const struct {
    const char *label;
    taker take;
} blocks[] = {
    {"CERTIFICATE", take_certificate},
    {"X509 CERTIFICATE", take_certificate},
    {"TRUSTED CERTIFICATE", take_trusted},
    {"PKCS7", take_pkcs7},
    {"PKCS #7 SIGNED DATA", take_pkcs7},
    {"CMS", take_pkcs7},
    {"CERTIFICATE REQUEST", pass_over}, /* beside certificates; alone it is told */
    {"NEW CERTIFICATE REQUEST", pass_over},
    {"DH PARAMETERS", pass_over}, /* other servers want them in one file */
    {"EC PARAMETERS", pass_over},
};

/* ---- texts --------------------------------------------------------------------------------- */

static const uint8_t *find(struct slice in, const char *text)
{
    return in.len > 0 ? memmem(in.data, in.len, text, strlen(text)) : NULL;
}

static struct slice after(struct slice in, const uint8_t *at)
{
    return slice_of(at, in.len - (size_t)(at - in.data));
}

/* A private key in any form of text that people have. */
static bool has_private_key(struct slice text)
{
    struct slice rest = text;

    for (const uint8_t *at = find(rest, BEGIN); at != NULL; at = find(rest, BEGIN)) {
        rest = after(rest, at + strlen(BEGIN));
        const uint8_t *end = find(rest, "-----");
        const size_t len = end != NULL ? (size_t)(end - rest.data) : rest.len;
        if (find(slice_of(rest.data, len < LABEL_MOST ? len : LABEL_MOST), "PRIVATE KEY") != NULL)
            return true;
    }
    return find(text, "PuTTY-User-Key-File-") != NULL;
}

/* The text's lines without blanks and marks of quotation around them, and without empty ones.
 * Returns how many begin a block, or -1 without memory. */
static int put_lines(BIO *bio, struct slice text)
{
    int begun = 0;

    while (text.len > 0) {
        size_t len = 0, skip = 0;
        while (len < text.len && text.data[len] != '\n' && text.data[len] != '\r')
            len++;
        struct slice line = slice_of(text.data, len);
        text = after(text, text.data + (len < text.len ? len + 1 : len));
        if (line.len >= 3 && memcmp(line.data, "\xef\xbb\xbf", 3) == 0)
            skip = 3; /* the byte order mark */
        while (skip < line.len && memchr(" \t>", line.data[skip], 3) != NULL)
            skip++;
        line = after(line, line.data + skip);
        while (line.len > 0 && memchr(" \t", line.data[line.len - 1], 2) != NULL)
            line.len--;
        if (line.len == 0)
            continue;
        begun += line.len > strlen(BEGIN) && memcmp(line.data, BEGIN, strlen(BEGIN)) == 0;
        if (BIO_write(bio, line.data, (int)line.len) != (int)line.len ||
            BIO_write(bio, "\n", 1) != 1)
            return -1;
    }
    return begun;
}

static int take_block(STACK_OF(X509) * certificates, const char *label, const unsigned char *der,
                      long len, char why[CERT_WHY_MAX])
{
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        if (strcmp(blocks[i].label, label) == 0)
            return blocks[i].take(certificates, der, len, why);
    }
    return say(why, "holds something else than certificates: \"%.60s\"", label);
}

static int add_text(STACK_OF(X509) * certificates, struct slice text, char why[CERT_WHY_MAX])
{
    BIO *bio = BIO_new(BIO_s_mem());
    const int begun = bio == NULL ? -1 : put_lines(bio, text);
    const int before = sk_X509_num(certificates);
    char *label = NULL, *header = NULL;
    unsigned char *der = NULL;
    bool request = false;
    int r = begun < 0 ? say(why, "cannot be read: there is no memory") : 0;

    for (int block = 1; block <= begun && r == 0; block++) {
        long len = 0;
        if (PEM_read_bio(bio, &label, &header, &der, &len) != 1) {
            r = say(why, "is cut short or damaged: its block %d of %d cannot be read", block,
                    begun);
            break;
        }
        request |= strstr(label, "CERTIFICATE REQUEST") != NULL;
        r = take_block(certificates, label, der, len, why);
        OPENSSL_free(label);
        OPENSSL_free(header);
        OPENSSL_clear_free(der, (size_t)len);
        label = header = NULL;
        der = NULL;
    }
    if (r == 0 && sk_X509_num(certificates) == before && request)
        r = say_request(why);
    else if (r == 0 && begun == 0)
        r = say(why, "holds no certificate: no line of it begins with " BEGIN);
    BIO_free(bio);
    ERR_clear_error();
    return r;
}

/* ---- DER ----------------------------------------------------------------------------------- */

static bool is_private_der(struct slice bytes)
{
    const unsigned char *at = bytes.data;
    PKCS12 *bundle = d2i_PKCS12(NULL, &at, (long)bytes.len);
    EVP_PKEY *key = NULL;
    X509_SIG *encrypted = NULL;

    if (bundle == NULL) {
        at = bytes.data;
        key = d2i_AutoPrivateKey(NULL, &at, (long)bytes.len);
    }
    /* PKCS #8 with a passphrase has the form of a signed digest, too. */
    if (bundle == NULL && key == NULL) {
        at = bytes.data;
        encrypted = d2i_X509_SIG(NULL, &at, (long)bytes.len);
    }
    const bool found = bundle != NULL || key != NULL || encrypted != NULL;
    PKCS12_free(bundle);
    EVP_PKEY_free(key);
    X509_SIG_free(encrypted);
    ERR_clear_error();
    return found;
}

static bool is_request_der(struct slice bytes)
{
    const unsigned char *at = bytes.data;
    X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)bytes.len);

    X509_REQ_free(request);
    return request != NULL;
}

/* A SEQUENCE (X.690, 8.1): with a length of several bytes, or one that fits. */
static bool is_der(struct slice bytes)
{
    return bytes.len > 2 && bytes.data[0] == 0x30 &&
           ((bytes.data[1] & 0x80) != 0 || bytes.data[1] + 2u == bytes.len);
}

static int add_der(STACK_OF(X509) * certificates, struct slice bytes, char why[CERT_WHY_MAX])
{
    if (take_certificate(certificates, bytes.data, (long)bytes.len, why) == 0)
        return 0;
    if (is_private_der(bytes))
        return say_private(why);
    if (is_request_der(bytes))
        return say_request(why);
    if (take_pkcs7(certificates, bytes.data, (long)bytes.len, why) == 0)
        return 0;
    return say(why, "is neither text with certificates in it nor one in DER form, or is damaged");
}

/* ---- all ----------------------------------------------------------------------------------- */

int cert_input_add(STACK_OF(X509) * certificates, struct slice bytes, char why[CERT_WHY_MAX])
{
    if (bytes.len == 0)
        return say(why, "is empty");
    if (bytes.len > CERT_INPUT_MOST)
        return say(why, "is too large for certificates: %u bytes are the most", CERT_INPUT_MOST);
    if (has_private_key(bytes))
        return say_private(why);
    if (bytes.len >= 2 &&
        (memcmp(bytes.data, "\xff\xfe", 2) == 0 || memcmp(bytes.data, "\xfe\xff", 2) == 0))
        return say(why, "is text in UTF-16: save it as plain text");
    const int r =
        is_der(bytes) ? add_der(certificates, bytes, why) : add_text(certificates, bytes, why);
    if (r == 0)
        why[0] = '\0';
    ERR_clear_error();
    return r;
}
