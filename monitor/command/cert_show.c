/* `sallyport cert show`: the certificate in use, its chain, and the keys that wait for one. Changes
 * nothing and shows public parts only. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "monitor/command/cert.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DAY_SECONDS  86400

/* ---- one certificate ------------------------------------------------------------------------ */

int64_t cert_seconds(const ASN1_TIME *time)
{
    struct tm tm = {0};

    return ASN1_TIME_to_tm(time, &tm) == 1 ? timegm(&tm) : 0;
}

json_t *cert_names_json(const GENERAL_NAMES *names)
{
    json_t *all = json_array();
    char text[512];

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        certificate_name_text(sk_GENERAL_NAME_value(names, i), text, sizeof(text));
        if (text[0] != '\0')
            json_array_append_new(all, json_from(slice_text(text)));
    }
    return all;
}

void cert_put_key(json_t *object, const EVP_PKEY *key)
{
    const char *type = key == NULL ? NULL : EVP_PKEY_get0_type_name(key);

    put(object, "key_type", type != NULL ? json_string(type) : json_null());
    put(object, "key_bits", key != NULL ? json_integer(EVP_PKEY_get_bits(key)) : json_null());
}

json_t *cert_fingerprint(const X509 *certificate, const EVP_MD *digest)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    char text[3 * EVP_MAX_MD_SIZE + 1];

    if (X509_digest(certificate, digest, hash, &len) != 1 || len == 0)
        return json_null();
    for (unsigned i = 0; i < len; i++)
        snprintf(text + 3 * i, 4, "%02x:", hash[i]);
    text[3 * len - 1] = '\0';
    return json_string(text);
}

static json_t *name_json(const X509_NAME *name)
{
    char text[CERT_SUBJECT_MAX];

    return json_from(slice_text(cert_subject(name, text)));
}

json_t *cert_json(X509 *certificate)
{
    const int64_t from = cert_seconds(X509_get0_notBefore(certificate));
    const int64_t until = cert_seconds(X509_get0_notAfter(certificate));
    const int64_t left = until - (int64_t)time(NULL);
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    BIGNUM *serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    char *digits = serial != NULL ? BN_bn2hex(serial) : NULL;
    json_t *o = json_object();

    put(o, "subject", name_json(X509_get_subject_name(certificate)));
    put(o, "issuer", name_json(X509_get_issuer_name(certificate)));
    put(o, "self_signed", json_boolean((X509_get_extension_flags(certificate) & EXFLAG_SS) != 0));
    put(o, "names", cert_names_json(names));
    put(o, "not_before", json_time(from));
    put(o, "not_after", json_time(until));
    put(o, "days_left", json_integer(left >= 0 ? left / DAY_SECONDS : -1));
    cert_put_key(o, X509_get0_pubkey(certificate));
    put(o, "serial", digits != NULL ? json_string(digits) : json_null());
    put(o, "sha256", cert_fingerprint(certificate, EVP_sha256()));
    put(o, "sha1", cert_fingerprint(certificate, EVP_sha1()));
    GENERAL_NAMES_free(names);
    BN_free(serial);
    OPENSSL_free(digits);
    return o;
}

/* ---- keys that wait ------------------------------------------------------------------------- */

static X509_REQ *read_request(int pending, const char *name)
{
    char file[TLS_NAME_SIZE + 8];
    X509_REQ *request = NULL;

    snprintf(file, sizeof(file), "%.16s.csr", name);
    const int fd = openat(pending, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    FILE *stream = fd >= 0 ? fdopen(fd, "r") : NULL;
    if (stream != NULL) {
        request = PEM_read_X509_REQ(stream, NULL, NULL, NULL);
        fclose(stream);
    } else if (fd >= 0) {
        close(fd);
    }
    return request;
}

static GENERAL_NAMES *request_names(X509_REQ *request)
{
    STACK_OF(X509_EXTENSION) *all = X509_REQ_get_extensions(request);
    GENERAL_NAMES *names = X509V3_get_d2i(all, NID_subject_alt_name, NULL, NULL);

    sk_X509_EXTENSION_pop_free(all, X509_EXTENSION_free);
    return names;
}

static json_t *pending_json(const struct context *c, int pending, const char *name)
{
    X509_REQ *request = read_request(pending, name);
    GENERAL_NAMES *names = request != NULL ? request_names(request) : NULL;
    char file[TLS_NAME_SIZE + 8], path[4352];
    json_t *o = json_object();
    struct stat st = {0};

    snprintf(file, sizeof(file), "%.16s.key", name);
    snprintf(path, sizeof(path), "%s/%s/%.16s.csr", c->config.server_key_dir, TLS_PENDING, name);
    if (fstatat(pending, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
        st.st_mtime = 0;
    put(o, "name", json_stringn(name, TLS_NAME_SIZE - 1));
    put(o, "made", json_time(st.st_mtime));
    cert_put_key(o, request != NULL ? X509_REQ_get0_pubkey(request) : NULL);
    put(o, "subject",
        request != NULL ? name_json(X509_REQ_get_subject_name(request)) : json_null());
    put(o, "names", cert_names_json(names));
    put(o, "file", request != NULL ? json_from(slice_text(path)) : json_null());
    GENERAL_NAMES_free(names);
    X509_REQ_free(request);
    return o;
}

static int is_key(const struct dirent *e)
{
    return strlen(e->d_name) == TLS_NAME_SIZE - 1 + 4 &&
           strcmp(e->d_name + TLS_NAME_SIZE - 1, ".key") == 0;
}

static json_t *all_pending(const struct context *c, int folder)
{
    struct dirent **files = NULL;
    json_t *rows = json_array();
    const int pending =
        openat(folder, TLS_PENDING, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    const int count = pending < 0 ? 0 : scandirat(pending, ".", &files, is_key, alphasort);

    for (int i = 0; i < count; i++) {
        json_array_append_new(rows, pending_json(c, pending, files[i]->d_name));
        free(files[i]);
    }
    free(files);
    if (pending >= 0)
        close(pending);
    return rows;
}

/* ---- show ----------------------------------------------------------------------------------- */

static const struct column columns[] = {
    {"subject", "subject"},        {"issuer", "issuer"},   {"names", "names"},
    {"valid from", "not_before"},  {"until", "not_after"}, {"days left", "days_left"},
    {"key", "key_type"},           {"bits", "key_bits"},   {"serial", "serial"},
    {"SHA-256", "sha256"},         {"SHA-1", "sha1"},      {"certificate", "file"},
    {"self-signed", "self_signed"}};
static const struct column chain_columns[] = {
    {"CHAIN", "subject"}, {"SIGNED BY", "issuer"}, {"UNTIL", "not_after"}};
static const struct column further_columns[] = {
    {"FURTHER", "file"}, {"NAMES", "names"}, {"UNTIL", "not_after"}, {"DAYS LEFT", "days_left"}};
static const struct column pending_columns[] = {{"WAITS", "name"},
                                                {"MADE", "made"},
                                                {"KEY", "key_type"},
                                                {"NAMES", "names"},
                                                {"REQUEST", "file"}};

/* The chain in use into an object, certificate by certificate. Returns 0, or -1 after telling why:
 * there is none, or its key is not there. */
static int put_used(const struct context *c, int folder, json_t *all)
{
    const struct config *config = &c->config;
    const bool own = config->tls_certificate[0] == '\0';
    const char *file = own ? TLS_CERTIFICATE_FILE : config->tls_certificate;
    char trouble[KEYFILE_TROUBLE_MAX], path[4352];
    json_t *chain = json_array(), *used = json_null();
    EVP_PKEY *key = NULL;
    STACK_OF(X509) *read = priv_tls_chain_read(folder, config->server_key_dir, file, trouble);

    if (read != NULL) {
        used = cert_json(sk_X509_value(read, 0));
        snprintf(path, sizeof(path), "%s%s%s", own ? config->server_key_dir : "", own ? "/" : "",
                 file);
        put(used, "file", json_from(slice_text(path)));
        for (int i = 0; i < sk_X509_num(read); i++)
            json_array_append_new(chain, cert_json(sk_X509_value(read, i)));
        key = config->tls_key[0] != '\0' ? priv_keyfile_read(folder, "", config->tls_key, trouble)
                                         : priv_tls_key_find(folder, config->server_key_dir,
                                                             sk_X509_value(read, 0), trouble);
    } else if (errno == ENOENT && own) {
        keyfile_tell(trouble,
                     "there is no certificate in %s: the server makes one at its first start, or "
                     "`sallyport cert self-signed`",
                     config->server_key_dir);
    }
    put(all, "in_use", used);
    put(all, "chain", chain);
    if (key == NULL)
        tell("%s", trouble);
    const bool found = key != NULL;
    EVP_PKEY_free(key);
    sk_X509_pop_free(read, X509_free);
    return found ? 0 : -1;
}

/* Certificates for other names. Returns 0, or -1 after telling why: one cannot be read. */
static int put_further(const struct context *c, int folder, json_t *all)
{
    const char *list = c->config.tls_further;
    json_t *rows = json_array();
    struct tls_paths paths;
    int r = 0;

    while (tls_paths_next(&list, &paths)) {
        char trouble[KEYFILE_TROUBLE_MAX];
        STACK_OF(X509) *read = priv_tls_chain_read(folder, "", paths.certificate, trouble);
        if (read == NULL) {
            tell("%s", trouble);
            r = -1;
            continue;
        }
        json_t *row = cert_json(sk_X509_value(read, 0));
        put(row, "file", json_from(slice_text(paths.certificate)));
        json_array_append_new(rows, row);
        sk_X509_pop_free(read, X509_free);
    }
    put(all, "further", rows);
    return r;
}

static void print_part(const struct context *c, const json_t *all, const char *key,
                       const struct column *part, size_t count, size_t least)
{
    json_t *rows = json_object_get(all, key);

    if (json_array_size(rows) < least)
        return;
    printf("\n");
    print_rows(c, json_incref(rows), part, count);
}

enum result command_cert_show(struct context *c)
{
    const int folder = open(c->config.server_key_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    json_t *all = json_object();

    if (folder < 0) {
        tell("%s: %s", c->config.server_key_dir, strerror(errno));
        json_decref(all);
        return REFUSED;
    }
    bool used = put_used(c, folder, all) == 0;
    used &= put_further(c, folder, all) == 0;
    put(all, "pending", all_pending(c, folder));
    close(folder);
    if (c->json) {
        print_record(c, json_incref(all), NULL, 0);
    } else {
        if (json_is_object(json_object_get(all, "in_use")))
            print_record(c, json_incref(json_object_get(all, "in_use")), columns, COUNT(columns));
        print_part(c, all, "chain", chain_columns, COUNT(chain_columns), 2);
        print_part(c, all, "further", further_columns, COUNT(further_columns), 1);
        print_part(c, all, "pending", pending_columns, COUNT(pending_columns), 1);
    }
    json_decref(all);
    return used ? DONE : REFUSED;
}
