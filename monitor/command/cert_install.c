/* `sallyport cert install`: takes what an authority sent, finds which of it belongs to a key that
 * is here, puts the chain together, and looks at everything that clients would refuse before
 * anything is changed. Each objection has its own words; those that --force overrules stay as
 * warnings. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "monitor/command/cert.h"
#include "monitor/command/cert_input.h"

#define DAY_SECONDS 86400

struct installing {
    struct context *c;
    int folder;
    STACK_OF(X509) * given;
    X509 *certificate; /* the server's own: one of given */
    struct cert_chain chain;
};

/* ---- objections ----------------------------------------------------------------------------- */

/* Something that --force overrules. Returns 0: it does, or -1; told either way. */
static int __attribute__((format(printf, 2, 3)))
object(const struct installing *i, const char *format, ...)
{
    char text[2048];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (given(i->c, OPTION_FORCE)) {
        tell("warning: %s", text);
        return 0;
    }
    tell("%s. Nothing was changed; --force installs it all the same", text);
    return -1;
}

/* ---- the files ------------------------------------------------------------------------------ */

static int read_given(struct installing *i, const char *file)
{
    char why[CERT_WHY_MAX];
    struct text text = {0};
    int r = text_read(AT_FDCWD, file, "", &text);

    if (r == 0 && (r = cert_input_add(i->given, slice_of(text.bytes, text.len), why)) < 0)
        tell("%s %s", strcmp(file, "-") == 0 ? "standard input" : file, why);
    text_free(&text);
    return r;
}

/* ---- whose key ------------------------------------------------------------------------------ */

static bool has_key_here(const struct installing *i, X509 *certificate)
{
    char trouble[KEYFILE_TROUBLE_MAX];
    EVP_PKEY *key = priv_tls_key_find(i->folder, i->c->config.server_key_dir, certificate, trouble);

    EVP_PKEY_free(key);
    return key != NULL;
}

static bool is_self_signed(X509 *certificate)
{
    return (X509_get_extension_flags(certificate) & EXFLAG_SS) != 0;
}

/* Of two that have keys here: one that somebody signed, then the newer one. */
static bool is_better(X509 *a, X509 *b)
{
    if (is_self_signed(a) != is_self_signed(b))
        return is_self_signed(b);
    return ASN1_TIME_compare(X509_get0_notBefore(a), X509_get0_notBefore(b)) > 0;
}

/* No key fits any: say what the file is for. */
static int tell_no_key(const struct installing *i)
{
    char subject[CERT_SUBJECT_MAX];

    for (int k = 0; k < sk_X509_num(i->given); k++) {
        X509 *one = sk_X509_value(i->given, k);
        if (X509_check_ca(one) != 0)
            continue;
        tell("no key here belongs to the certificate of \"%s\": neither the one in use nor one "
             "that waits (`sallyport cert show` lists them). It was made for another key",
             cert_subject(X509_get_subject_name(one), subject));
        return -1;
    }
    tell("there are only certificates of authorities in it, \"%s\" the first: the server's own is "
         "missing",
         cert_subject(X509_get_subject_name(sk_X509_value(i->given, 0)), subject));
    return -1;
}

static int find_own(struct installing *i)
{
    for (int k = 0; k < sk_X509_num(i->given); k++) {
        X509 *one = sk_X509_value(i->given, k);
        if (has_key_here(i, one) && (i->certificate == NULL || is_better(one, i->certificate)))
            i->certificate = one;
    }
    return i->certificate != NULL ? 0 : tell_no_key(i);
}

/* ---- what clients would refuse ----------------------------------------------------------------
 */

static int check_strength(const struct installing *i)
{
    char subject[CERT_SUBJECT_MAX];

    if (!certificate_key_usable(X509_get0_pubkey(i->certificate))) {
        tell("its key is neither RSA of %d bits or more, EC nor Ed25519", CERTIFICATE_RSA_BITS_MIN);
        return -1;
    }
    for (int k = 0; k < sk_X509_num(i->chain.served); k++) {
        X509 *one = sk_X509_value(i->chain.served, k);
        if (certificate_is_strong(one))
            continue;
        tell("the certificate of \"%s\" has a key or a signature that is too weak: clients and "
             "the server itself refuse it",
             cert_subject(X509_get_subject_name(one), subject));
        return -1;
    }
    return 0;
}

/* The chain that a worker is told has a greatest size. */
static int check_size(const struct installing *i)
{
    size_t bytes = 0;

    for (int k = 0; k < sk_X509_num(i->chain.served); k++) {
        const int len = i2d_X509(sk_X509_value(i->chain.served, k), NULL);
        bytes += len > 0 ? (size_t)len + 4 : 0;
    }
    if (bytes <= CERTIFICATE_CHAIN_MAX)
        return 0;
    tell("the chain has %zu bytes: %d are the most", bytes, CERTIFICATE_CHAIN_MAX);
    return -1;
}

static int check_dates(const struct installing *i)
{
    char subject[CERT_SUBJECT_MAX];
    const int64_t now = time(NULL);

    for (int k = 0; k < sk_X509_num(i->chain.served); k++) {
        X509 *one = sk_X509_value(i->chain.served, k);
        const int64_t from = cert_seconds(X509_get0_notBefore(one));
        const int64_t until = cert_seconds(X509_get0_notAfter(one));
        json_t *when = json_time(until < now ? until : from);
        int r = 0;
        cert_subject(X509_get_subject_name(one), subject);
        if (until < now)
            r = object(i, "the certificate of \"%s\" has expired: %s", subject,
                       json_string_value(when));
        else if (from > now)
            r = object(i,
                       "the certificate of \"%s\" is not valid yet, but from %s on: is this "
                       "machine's clock right?",
                       subject, json_string_value(when));
        json_decref(when);
        if (r < 0)
            return -1;
    }
    return 0;
}

/* Is one of the names that a list has in the certificate? */
static bool has_one_of(X509 *certificate, const char *list)
{
    char word[256];

    while (*(list += strspn(list, " ,")) != '\0') {
        const size_t len = strcspn(list, " ,");
        if (slice_copy(slice_of(list, len), word, sizeof(word)) == 0 &&
            (X509_check_host(certificate, word, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) ==
                 1 ||
             X509_check_ip_asc(certificate, word, 0) == 1))
            return true;
        list += len;
    }
    return false;
}

static int check_names(const struct installing *i)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(i->certificate, NID_subject_alt_name, NULL, NULL);
    json_t *texts = cert_names_json(names);
    const bool any = json_array_size(texts) > 0;

    json_decref(texts);
    GENERAL_NAMES_free(names);
    return any ? 0
               : object(i, "the certificate has no subjectAltName with a host name or an address: "
                           "no client of today believes it");
}

/* Other names than the configuration knows may be right: DNS is not asked. */
static void warn_of_names(const struct installing *i)
{
    const struct config *config = &i->c->config;
    char host[256] = "";

    if (gethostname(host, sizeof(host) - 1) < 0)
        host[0] = '\0';
    if (!has_one_of(i->certificate, config->tls_names) &&
        !has_one_of(i->certificate, config->https_names) && !has_one_of(i->certificate, host))
        tell("warning: none of its names is in tls.names or https.names, nor is it this machine's "
             "(%s): clients who come by another name are warned",
             host);
}

/* May it be a server's at all? */
static int check_purpose(const struct installing *i)
{
    if (X509_check_ca(i->certificate) != 0 && !is_self_signed(i->certificate))
        return object(i, "the certificate is an authority's, not a server's");
    if (X509_check_purpose(i->certificate, X509_PURPOSE_SSL_SERVER, 0) != 1)
        return object(i, "the certificate is not for servers (extendedKeyUsage or keyUsage): "
                         "clients refuse it");
    return 0;
}

static int check_chain(const struct installing *i)
{
    return i->chain.anchor == CERT_ANCHOR_NONE ? object(i, "%s", i->chain.trouble) : 0;
}

/* ---- telling -------------------------------------------------------------------------------- */

static const struct {
    const char *name, *text; /* text: %s is the authority */
} anchors[] = {
    [CERT_ANCHOR_SELF] = {"self-signed", "nobody: it is self-signed, and clients warn of it"},
    [CERT_ANCHOR_SYSTEM] = {"system", "this system's trust store"},
    [CERT_ANCHOR_GIVEN] = {"given", "the root in the files: clients have to trust it, too"},
    [CERT_ANCHOR_UNKNOWN] = {"unchecked", "nothing: this system has no trust store to look in"},
    [CERT_ANCHOR_NONE] = {"none", "nothing: it was forced"},
};

/* Certificates that were given and are neither served nor the root. */
static void tell_left_out(const struct installing *i)
{
    char subject[CERT_SUBJECT_MAX];

    for (int k = 0; k < sk_X509_num(i->given); k++) {
        X509 *one = sk_X509_value(i->given, k);
        bool used = is_self_signed(one);
        for (int s = 0; s < sk_X509_num(i->chain.served); s++)
            used |= X509_cmp(one, sk_X509_value(i->chain.served, s)) == 0;
        if (!used)
            tell("left out: \"%s\" is not in its chain",
                 cert_subject(X509_get_subject_name(one), subject));
    }
}

static enum result print_installed(const struct installing *i)
{
    json_t *record = cert_json(i->certificate);
    char subject[CERT_SUBJECT_MAX];
    const int count = sk_X509_num(i->chain.served);
    const int64_t left = cert_seconds(X509_get0_notAfter(i->certificate)) - (int64_t)time(NULL);

    put(record, "chain_length", json_integer(count));
    put(record, "authority", json_from(slice_text(i->chain.authority)));
    put(record, "trusted_by", json_string(anchors[i->chain.anchor].name));
    return print_done(i->c, record,
                      "the certificate of \"%s\" is in use, for %lld days; checked: its key, "
                      "dates, names and purpose, and its chain of %d, signed by \"%s\", against %s",
                      cert_subject(X509_get_subject_name(i->certificate), subject),
                      (long long)(left / DAY_SECONDS), count, i->chain.authority,
                      anchors[i->chain.anchor].text);
}

/* ---- all ------------------------------------------------------------------------------------ */

static int judge(struct installing *i)
{
    static int (*const checks[])(const struct installing *) = {
        check_strength, check_size, check_dates, check_purpose, check_names, check_chain,
    };

    if (find_own(i) < 0)
        return -1;
    if (cert_chain_build(i->certificate, i->given, &i->chain) < 0) {
        tell("the chain cannot be put together: there is no memory");
        return -1;
    }
    for (size_t k = 0; k < sizeof(checks) / sizeof(checks[0]); k++) {
        if (checks[k](i) < 0)
            return -1;
    }
    return 0;
}

enum result command_cert_install(struct context *c)
{
    struct installing i = {.c = c, .folder = -1, .given = sk_X509_new_null()};
    enum result result = REFUSED;

    if (i.given == NULL || cert_may_install(c) < 0 || read_given(&i, c->arguments[0]) < 0 ||
        (given(c, OPTION_CHAIN) && read_given(&i, c->options[OPTION_CHAIN]) < 0) ||
        (i.folder = cert_folder(c)) < 0 || judge(&i) < 0)
        goto out;
    warn_of_names(&i);
    tell_left_out(&i);
    if (cert_put_into_use(c, i.folder, i.chain.served) == 0)
        result = print_installed(&i);
out:
    cert_chain_free(&i.chain);
    sk_X509_pop_free(i.given, X509_free);
    if (i.folder >= 0)
        close(i.folder);
    ERR_clear_error();
    return result;
}
