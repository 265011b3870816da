/* `sallyport cert ...`: the server's TLS certificate: made here, or asked for with a key that is
 * made here and never leaves. Private parts are never printed; what is replaced is kept beside. */
#include "monitor/command/cert.h"

#include <errno.h>
#include <openssl/pem.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- the folder ----------------------------------------------------------------------------- */

int cert_folder(const struct context *c)
{
    char trouble[KEYFILE_TROUBLE_MAX] = "";
    const char *dir = c->config.server_key_dir;
    const int folder = priv_keyfile_folder(dir, trouble);

    if (folder < 0) {
        tell("%s", trouble);
        return -1;
    }
    if (flock(folder, LOCK_EX | LOCK_NB) < 0)
        tell("%s: %s", dir,
             errno == EWOULDBLOCK ? "another `sallyport cert` is at work in it" : strerror(errno));
    else if (priv_tls_settle(folder, dir, trouble) < 0)
        tell("%s", trouble);
    else
        return folder;
    close(folder);
    return -1;
}

int cert_may_install(const struct context *c)
{
    const bool key = c->config.tls_key[0] != '\0';
    const char *file = key ? c->config.tls_key : c->config.tls_certificate;

    if (file[0] == '\0')
        return 0;
    tell("the configuration names %s as tls.%s: what is installed in %s would not be served. Take "
         "tls.certificate and tls.key out of it first",
         file, key ? "key" : "certificate", c->config.server_key_dir);
    return -1;
}

void cert_tell_audit(struct context *c, const char *what, const char *which)
{
    if (c->link.socket < 0 && link_store(c) < 0)
        tell("warning: the change was made, but it is not in the audit log");
    else
        tell_audit(c, "certificate-change", "", "%s: %s", what, which);
}

int cert_put_into_use(struct context *c, int folder, const STACK_OF(X509) * chain)
{
    const struct reload reload = {0};
    const char *dir = c->config.server_key_dir;
    char trouble[KEYFILE_TROUBLE_MAX], subject[CERT_SUBJECT_MAX], which[CERT_SUBJECT_MAX + 128];
    X509 *certificate = sk_X509_value(chain, 0);

    if (priv_tls_install(folder, dir, chain, trouble) < 0) {
        tell("%s", trouble);
        return -1;
    }
    json_t *sha256 = cert_fingerprint(certificate, EVP_sha256());
    snprintf(which, sizeof(which), "%s, SHA-256 %s",
             cert_subject(X509_get_subject_name(certificate), subject), json_string_value(sha256));
    json_decref(sha256);
    cert_tell_audit(c, "certificate installed", which);
    if (c->link.server && ask(c, MSG_reload, &reload, 0) == MSG_NONE)
        tell("warning: the running server could not take the certificate: `sallyport reload`");
    return 0;
}

/* ---- keys ----------------------------------------------------------------------------------- */

static const struct {
    const char *name, *type, *group;
    size_t bits;
} kinds[] = {{"ec", "EC", "P-256", 0}, {"rsa", "RSA", NULL, 3072}, {"ed25519", "ED25519", NULL, 0}};

const char *cert_key_name(size_t place)
{
    return place < COUNT(kinds) ? kinds[place].name : NULL;
}

/* A key as --key says. Returns NULL after telling why; *usage: the option is wrong. */
static EVP_PKEY *make_key(const struct context *c, bool *usage)
{
    const char *name = given(c, OPTION_KEY) ? c->options[OPTION_KEY] : kinds[0].name;

    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (strcmp(kinds[i].name, name) != 0)
            continue;
        EVP_PKEY *key = kinds[i].bits > 0
                            ? EVP_PKEY_Q_keygen(NULL, NULL, kinds[i].type, kinds[i].bits)
                            : EVP_PKEY_Q_keygen(NULL, NULL, kinds[i].type, kinds[i].group);
        if (key == NULL)
            tell("a key of this type cannot be made");
        return key;
    }
    tell("--key: \"%s\" is not one of: ec, rsa, ed25519", name);
    *usage = true;
    return NULL;
}

/* ---- what is wished for --------------------------------------------------------------------- */

/* Names for an authority: those that the outside knows. Returns 0, or -1 after telling why. */
static int add_public_names(const struct context *c, GENERAL_NAMES *names)
{
    char host[256] = "", bad[256];

    if (certificate_names_add(names, c->config.https_names, bad, sizeof(bad)) < 0 ||
        certificate_names_add(names, c->config.tls_names, bad, sizeof(bad)) < 0)
        return -1;
    if (sk_GENERAL_NAME_num(names) == 0 && gethostname(host, sizeof(host) - 1) == 0 &&
        strchr(host, '.') != NULL && certificate_names_add(names, host, bad, sizeof(bad)) < 0)
        return -1;
    if (sk_GENERAL_NAME_num(names) > 0)
        return 0;
    tell("--name is needed: neither https.names, tls.names nor this machine's name say by which "
         "name clients reach the server");
    return -1;
}

/* The names that a certificate or a request is for. NULL after telling why. */
static GENERAL_NAMES *wished_names(const struct context *c, bool own)
{
    GENERAL_NAMES *names =
        own && !given(c, OPTION_NAME) ? certificate_names_own(&c->config) : GENERAL_NAMES_new();
    char bad[256] = "";
    int r = names != NULL ? 0 : -1;

    if (r == 0 && given(c, OPTION_NAME)) {
        r = certificate_names_add(names, c->options[OPTION_NAME], bad, sizeof(bad));
        if (r > 0)
            tell("--name: \"%s\" is neither a host name nor an address (an international name is "
                 "written as xn--...)",
                 bad);
        else if (r == 0 && sk_GENERAL_NAME_num(names) == 0)
            tell("--name: there is no name in \"%s\"", c->options[OPTION_NAME]);
        r = r == 0 && sk_GENERAL_NAME_num(names) > 0 ? 0 : -1;
    } else if (r == 0 && !own) {
        r = add_public_names(c, names);
    }
    if (r == 0)
        return names;
    GENERAL_NAMES_free(names);
    return NULL;
}

static struct certificate_wish wish_of(const struct context *c, const GENERAL_NAMES *names)
{
    return (struct certificate_wish){
        .country = c->options[OPTION_COUNTRY],
        .state = c->options[OPTION_STATE],
        .locality = c->options[OPTION_LOCALITY],
        .organisation = c->options[OPTION_ORGANISATION],
        .unit = c->options[OPTION_UNIT],
        .email = c->options[OPTION_EMAIL],
        .names = names,
        .days = CERTIFICATE_DAYS,
    };
}

/* ---- self-signed ---------------------------------------------------------------------------- */

/* The key is among those that wait until its certificate is there. */
static int install_own(struct context *c, int folder, EVP_PKEY *key, X509 *certificate)
{
    char trouble[KEYFILE_TROUBLE_MAX];
    STACK_OF(X509) *chain = sk_X509_new_null();
    int r = -1;

    if (chain == NULL || sk_X509_push(chain, certificate) <= 0)
        tell("%s", strerror(ENOMEM));
    else if (priv_tls_pending_add(folder, c->config.server_key_dir, key, NULL, trouble) < 0)
        tell("%s", trouble);
    else
        r = cert_put_into_use(c, folder, chain);
    sk_X509_free(chain);
    return r;
}

enum result command_cert_self_signed(struct context *c)
{
    uint64_t days = CERTIFICATE_DAYS;
    GENERAL_NAMES *names = NULL;
    EVP_PKEY *key = NULL;
    X509 *certificate = NULL;
    const char *why = "";
    bool usage = false;
    int folder = -1;
    enum result result = REFUSED;

    if (given(c, OPTION_DAYS) && option_number(c, OPTION_DAYS, 1, 36500, &days) < 0)
        return USAGE;
    if (cert_may_install(c) < 0 || (names = wished_names(c, true)) == NULL ||
        (folder = cert_folder(c)) < 0 || (key = make_key(c, &usage)) == NULL)
        goto out;
    struct certificate_wish wish = wish_of(c, names);
    wish.days = (uint32_t)days;
    certificate = certificate_self_sign(key, &wish, &why);
    if (certificate == NULL)
        tell("%s", why);
    else if (install_own(c, folder, key, certificate) == 0)
        result = print_done(c, cert_json(certificate),
                            "a self-signed certificate is in use: clients warn of it until they "
                            "are told to trust %s/%s",
                            c->config.server_key_dir, TLS_CERTIFICATE_FILE);
out:
    X509_free(certificate);
    EVP_PKEY_free(key);
    GENERAL_NAMES_free(names);
    if (folder >= 0)
        close(folder);
    return usage ? USAGE : result;
}

/* ---- csr ------------------------------------------------------------------------------------ */

static enum result print_request(const struct context *c, X509_REQ *request, const char *name)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem = NULL, path[4352];
    enum result result = REFUSED;

    snprintf(path, sizeof(path), "%s/%s/%s.csr", c->config.server_key_dir, TLS_PENDING, name);
    if (bio == NULL || PEM_write_bio_X509_REQ(bio, request) != 1) {
        tell("%s", strerror(ENOMEM));
    } else if (c->json) {
        json_t *record = json_object();
        const long len = BIO_get_mem_data(bio, &pem);
        put(record, "name", json_string(name));
        put(record, "file", json_from(slice_text(path)));
        put(record, "csr", json_stringn(pem, (size_t)len));
        result = print_done(c, record, "%s", "");
    } else {
        const long len = BIO_get_mem_data(bio, &pem);
        printf("%.*s", (int)len, pem);
        tell("the request %s is saved in %s; its key waits beside the one in use. What the "
             "authority sends back: `sallyport cert install FILE`",
             name, path);
        result = DONE;
    }
    BIO_free(bio);
    return result;
}

enum result command_cert_csr(struct context *c)
{
    char trouble[KEYFILE_TROUBLE_MAX], name[TLS_NAME_SIZE];
    GENERAL_NAMES *names = wished_names(c, false);
    EVP_PKEY *key = NULL;
    X509_REQ *request = NULL;
    const char *why = "";
    bool usage = false;
    int folder = -1;
    enum result result = REFUSED;

    if (c->config.tls_certificate[0] != '\0' || c->config.tls_key[0] != '\0')
        tell("warning: the configuration names files of its own (tls.certificate, tls.key): the "
             "answer can be installed when they are taken out of it");
    if (names == NULL || (folder = cert_folder(c)) < 0 || (key = make_key(c, &usage)) == NULL)
        goto out;
    const struct certificate_wish wish = wish_of(c, names);
    request = certificate_request(key, &wish, &why);
    if (request == NULL)
        tell("%s", why);
    else if (priv_tls_pending_add(folder, c->config.server_key_dir, key, request, trouble) < 0)
        tell("%s", trouble);
    else if ((result = print_request(c, request, tls_key_name(key, name))) == DONE)
        cert_tell_audit(c, "certificate request made", name);
out:
    X509_REQ_free(request);
    EVP_PKEY_free(key);
    GENERAL_NAMES_free(names);
    if (folder >= 0)
        close(folder);
    return usage ? USAGE : result;
}

/* ---- discard -------------------------------------------------------------------------------- */

enum result command_cert_discard(struct context *c)
{
    const char *name = c->arguments[0];
    char trouble[KEYFILE_TROUBLE_MAX];
    enum result result = REFUSED;

    if (strlen(name) != TLS_NAME_SIZE - 1 ||
        strspn(name, "0123456789abcdef") != TLS_NAME_SIZE - 1) {
        tell("\"%s\" is no name of a request: `sallyport cert show` lists those that wait", name);
        return USAGE;
    }
    const int folder = cert_folder(c);
    if (folder < 0)
        return REFUSED;
    const int r = priv_tls_pending_remove(folder, c->config.server_key_dir, name, trouble);
    const int error = errno;
    if (r == 0)
        cert_tell_audit(c, "certificate request discarded", name);
    if (r == 0)
        result = print_done(c, json_pack("{s:s}", "discarded", name),
                            "the request %s and its key are gone: a certificate for it cannot be "
                            "installed any more",
                            name);
    else if (error == ENOENT)
        tell("there is no request %s: `sallyport cert show` lists those that wait", name);
    else
        tell("%s", trouble);
    close(folder);
    return result;
}
