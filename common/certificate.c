/* X.509 certificates: see certificate.h. Names are put together as structures, never as text that
 * libcrypto would parse: what an operator writes can be a name and nothing else. */
#include "common/certificate.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/network.h"
#include "common/slice.h"

#define SECURITY_BITS   112
#define COMMON_NAME_MAX 64 /* RFC 5280, appendix A: ub-common-name */
#define HOST_NAME_MAX_  253
#define SERIAL_BYTES    16
#define DAY_SECONDS     86400

/* ---- rules -------------------------------------------------------------------------------- */

bool certificate_key_usable(const EVP_PKEY *key)
{
    if (EVP_PKEY_is_a(key, "RSA"))
        return EVP_PKEY_get_bits(key) >= CERTIFICATE_RSA_BITS_MIN;
    return EVP_PKEY_is_a(key, "EC") || EVP_PKEY_is_a(key, "ED25519");
}

bool certificate_is_strong(X509 *certificate)
{
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    int bits = 0;

    if (key == NULL || EVP_PKEY_get_security_bits(key) < SECURITY_BITS)
        return false;
    return (X509_get_extension_flags(certificate) & EXFLAG_SS) != 0 || /* nobody relies on it */
           (X509_get_signature_info(certificate, NULL, NULL, &bits, NULL) == 1 &&
            bits >= SECURITY_BITS);
}

/* ---- names -------------------------------------------------------------------------------- */

/* Labels of letters, digits, - and _ (RFC 1123, 2.1, and what is in use); the first may be "*". */
static bool is_host_name(const char *name)
{
    size_t label = 0;

    if (strlen(name) > HOST_NAME_MAX_)
        return false;
    if (strncmp(name, "*.", 2) == 0)
        name += 2;
    for (const char *at = name; *at != '\0'; at++) {
        if (*at == '.' && label == 0)
            return false;
        label = *at == '.' ? 0 : label + 1;
        if (label > 63 || (*at != '.' && *at != '-' && *at != '_' && !isalnum((uint8_t)*at)))
            return false;
    }
    return label > 0;
}

static GENERAL_NAME *name_of(int kind, const void *bytes, size_t len)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_STRING *value =
        ASN1_STRING_type_new(kind == GEN_DNS ? V_ASN1_IA5STRING : V_ASN1_OCTET_STRING);

    if (name == NULL || value == NULL || ASN1_STRING_set(value, bytes, (int)len) != 1) {
        ASN1_STRING_free(value);
        GENERAL_NAME_free(name);
        return NULL;
    }
    GENERAL_NAME_set0_value(name, kind, value);
    return name;
}

/* Add one, unless it is there. Taken. Returns 0, or -1. */
static int add_new(GENERAL_NAMES *names, GENERAL_NAME *name)
{
    for (int i = 0; name != NULL && i < sk_GENERAL_NAME_num(names); i++) {
        if (GENERAL_NAME_cmp(sk_GENERAL_NAME_value(names, i), name) == 0) {
            GENERAL_NAME_free(name);
            return 0;
        }
    }
    if (name != NULL && sk_GENERAL_NAME_push(names, name) > 0)
        return 0;
    GENERAL_NAME_free(name);
    return -1;
}

/* One word. Returns 0, 1 it is no name, or -1. */
static int add_word(GENERAL_NAMES *names, char *word)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    uint8_t bytes[16];

    if (strcmp(word, "0.0.0.0") == 0 || strcmp(word, "::") == 0)
        return 0;
    if (address_parse(word, bytes) == 0) {
        const size_t skip = memcmp(bytes, mapped, sizeof(mapped)) == 0 ? sizeof(mapped) : 0;
        return add_new(names, name_of(GEN_IPADD, bytes + skip, sizeof(bytes) - skip));
    }
    if (!is_host_name(word))
        return 1;
    for (char *at = word; *at != '\0'; at++)
        *at = (char)tolower((uint8_t)*at);
    return add_new(names, name_of(GEN_DNS, word, strlen(word)));
}

int certificate_names_add(GENERAL_NAMES *names, const char *list, char *bad, size_t size)
{
    char word[HOST_NAME_MAX_ + 1];
    int result = 0;

    while (*(list += strspn(list, " ,")) != '\0') {
        const size_t len = strcspn(list, " ,");
        const int r =
            slice_copy(slice_of(list, len), word, sizeof(word)) < 0 ? 1 : add_word(names, word);
        if (r < 0)
            return -1;
        if (r == 1 && result == 0) {
            snprintf(bad, size, "%.*s", (int)(len < 200 ? len : 200), list);
            result = 1;
        }
        list += len;
    }
    return result;
}

GENERAL_NAMES *certificate_names_own(const struct config *c)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    char host[256] = "", bad[256];
    const char *const lists[] = {host,           c->tls_names,   "localhost 127.0.0.1 ::1",
                                 c->ftps_listen, c->https_names, c->https_listen};
    bool good = names != NULL && gethostname(host, sizeof(host) - 1) == 0;

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]) && good; i++)
        good = certificate_names_add(names, lists[i], bad, sizeof(bad)) >= 0;
    if (good)
        return names;
    GENERAL_NAMES_free(names);
    return NULL;
}

char *certificate_name_text(const GENERAL_NAME *name, char *to, size_t size)
{
    int kind = 0;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &kind);

    to[0] = '\0';
    if (kind == GEN_IPADD) {
        const int len = ASN1_STRING_length(value);
        if (len != 4 && len != 16)
            return to;
        if (inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(value), to,
                      (socklen_t)size) == NULL)
            to[0] = '\0';
    } else if (kind == GEN_DNS) {
        slice_copy(slice_of(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value)), to,
                   size);
    }
    return to;
}

/* ---- making ------------------------------------------------------------------------------- */

/* The subject's parts, in the order that is usual. Returns 0, or -1 and which cannot be. */
static int fill_subject(X509_NAME *subject, const struct certificate_wish *wish, const char **why)
{
    char name[HOST_NAME_MAX_ + 1];
    const char *common =
        certificate_name_text(sk_GENERAL_NAME_value(wish->names, 0), name, sizeof(name));
    const struct {
        const char *part, *text, *why;
    } parts[] = {
        {"C", wish->country, "a country is two letters, as in US"},
        {"ST", wish->state, "a state has at most 128 characters, in UTF-8"},
        {"L", wish->locality, "a locality has at most 128 characters, in UTF-8"},
        {"O", wish->organisation, "an organisation has at most 64 characters, in UTF-8"},
        {"OU", wish->unit, "a unit has at most 64 characters, in UTF-8"},
        {"CN", strlen(common) <= COMMON_NAME_MAX ? common : NULL, "this name cannot be a subject"},
        {"emailAddress", wish->email, "an e-mail address has at most 128 characters, in ASCII"},
    };

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (parts[i].text == NULL || parts[i].text[0] == '\0')
            continue;
        if (X509_NAME_add_entry_by_txt(subject, parts[i].part, MBSTRING_UTF8,
                                       (const unsigned char *)parts[i].text, -1, -1, 0) != 1) {
            *why = parts[i].why;
            return -1;
        }
    }
    return 0;
}

static int add_extension(STACK_OF(X509_EXTENSION) * *all, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    const bool added = extension != NULL && X509v3_add_ext(all, extension, -1) != NULL;

    X509_EXTENSION_free(extension);
    return added ? 0 : -1;
}

/* What a server's certificate has; NULL without memory. Freed by the caller. */
static STACK_OF(X509_EXTENSION) * make_extensions(const GENERAL_NAMES *names)
{
    STACK_OF(X509_EXTENSION) *all = NULL;

    if (X509V3_add1_i2d(&all, NID_subject_alt_name, (void *)names, 0, X509V3_ADD_DEFAULT) == 1 &&
        add_extension(&all, NID_basic_constraints, "critical,CA:FALSE") == 0 &&
        add_extension(&all, NID_key_usage, "critical,digitalSignature") == 0 &&
        add_extension(&all, NID_ext_key_usage, "serverAuth") == 0)
        return all;
    sk_X509_EXTENSION_pop_free(all, X509_EXTENSION_free);
    return NULL;
}

static const EVP_MD *digest_for(const EVP_PKEY *key)
{
    return EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256();
}

static int set_serial(X509 *certificate)
{
    uint8_t bytes[SERIAL_BYTES];

    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return -1;
    bytes[0] &= 0x7f; /* positive (RFC 5280, 4.1.2.2) */
    BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    const bool set =
        number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return set ? 0 : -1;
}

X509 *certificate_self_sign(EVP_PKEY *key, const struct certificate_wish *wish, const char **why)
{
    X509 *certificate = X509_new();
    X509_NAME *subject = certificate != NULL ? X509_get_subject_name(certificate) : NULL;
    STACK_OF(X509_EXTENSION) *extensions = make_extensions(wish->names);
    bool good = subject != NULL && extensions != NULL;

    *why = "a certificate cannot be made";
    good = good && fill_subject(subject, wish, why) == 0 && X509_set_version(certificate, 2) == 1 &&
           set_serial(certificate) == 0 &&
           X509_gmtime_adj(X509_getm_notBefore(certificate), -DAY_SECONDS) != NULL &&
           X509_time_adj_ex(X509_getm_notAfter(certificate), (int)wish->days, 0, NULL) != NULL &&
           X509_set_issuer_name(certificate, subject) == 1 &&
           X509_set_pubkey(certificate, key) == 1;
    for (int i = 0; good && i < sk_X509_EXTENSION_num(extensions); i++)
        good = X509_add_ext(certificate, sk_X509_EXTENSION_value(extensions, i), -1) == 1;
    good = good && X509_sign(certificate, key, digest_for(key)) > 0;
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    ERR_clear_error();
    if (good)
        return certificate;
    X509_free(certificate);
    return NULL;
}

X509_REQ *certificate_request(EVP_PKEY *key, const struct certificate_wish *wish, const char **why)
{
    X509_REQ *request = X509_REQ_new();
    STACK_OF(X509_EXTENSION) *extensions = make_extensions(wish->names);
    bool good = request != NULL && extensions != NULL;

    *why = "a request cannot be made";
    good = good && fill_subject(X509_REQ_get_subject_name(request), wish, why) == 0 &&
           X509_REQ_set_version(request, 0) == 1 && X509_REQ_set_pubkey(request, key) == 1 &&
           X509_REQ_add_extensions(request, extensions) == 1 &&
           X509_REQ_sign(request, key, digest_for(key)) > 0;
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    ERR_clear_error();
    if (good)
        return request;
    X509_REQ_free(request);
    return NULL;
}
