/* Is this chain whole: see cert_chain.h. libcrypto puts it together and judges it, first by what
 * this system trusts, then by the roots that were given as well. */
#include "monitor/command/cert_chain.h"

#include <dirent.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *cert_subject(const X509_NAME *name, char to[CERT_SUBJECT_MAX])
{
    BIO *bio = BIO_new(BIO_s_mem());
    int n = 0;

    if (bio != NULL &&
        X509_NAME_print_ex(bio, name, 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB) >= 0)
        n = BIO_read(bio, to, CERT_SUBJECT_MAX - 1);
    to[n > 0 ? n : 0] = '\0';
    BIO_free(bio);
    return to;
}

/* ---- the system's trust store --------------------------------------------------------------- */

static const char *from_environment(const char *name, const char *otherwise)
{
    const char *value = getenv(name);

    return value != NULL ? value : otherwise;
}

/* Is there anything in it? */
static bool system_trusts_any(void)
{
    const char *file =
        from_environment(X509_get_default_cert_file_env(), X509_get_default_cert_file());
    const char *path =
        from_environment(X509_get_default_cert_dir_env(), X509_get_default_cert_dir());
    bool any = access(file, R_OK) == 0;
    DIR *folder = any ? NULL : opendir(path);

    for (struct dirent *e = folder != NULL ? readdir(folder) : NULL; e != NULL && !any;
         e = readdir(folder))
        any = e->d_name[0] != '.';
    if (folder != NULL)
        closedir(folder);
    return any;
}

/* ---- verifying ------------------------------------------------------------------------------ */

static bool is_root(X509 *certificate)
{
    return X509_self_signed(certificate, 1) == 1;
}

/* The roots that were given; not the certificate itself. Returns how many, or -1. */
static int add_roots(X509_STORE *store, const STACK_OF(X509) * given, X509 *certificate)
{
    int count = 0;

    for (int i = 0; i < sk_X509_num(given); i++) {
        X509 *one = sk_X509_value(given, i);
        if (X509_cmp(one, certificate) == 0 || !is_root(one))
            continue;
        if (X509_STORE_add_cert(store, one) != 1)
            return -1;
        count++;
    }
    return count;
}

/* What libcrypto says of a chain. */
struct verdict {
    int error;             /* X509_V_OK ... */
    STACK_OF(X509) * path; /* as far as it came, the certificate first; owned */
    X509 *where;           /* that the error is about; owned, may be NULL */
};

static void verdict_free(struct verdict *v)
{
    sk_X509_pop_free(v->path, X509_free);
    X509_free(v->where);
    *v = (struct verdict){0};
}

/* Returns 0, or -1 without memory. */
static int verify(X509 *certificate, STACK_OF(X509) * given, bool given_roots, struct verdict *v)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    int r = -1;

    verdict_free(v);
    if (store == NULL || ctx == NULL || X509_STORE_set_default_paths(store) != 1 ||
        (given_roots && add_roots(store, given, certificate) < 0) ||
        X509_STORE_CTX_init(ctx, store, certificate, given) != 1 ||
        X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_SERVER) != 1)
        goto out;
    v->error = X509_verify_cert(ctx) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(ctx);
    v->path = X509_STORE_CTX_get1_chain(ctx);
    v->where = X509_STORE_CTX_get_current_cert(ctx);
    if (v->where != NULL && X509_up_ref(v->where) != 1)
        v->where = NULL;
    r = v->path != NULL ? 0 : -1;
out:
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    ERR_clear_error();
    return r;
}

static bool is_incomplete(int error)
{
    return error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
           error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
           error == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE;
}

/* ---- telling -------------------------------------------------------------------------------- */

/* Where the issuer's certificate can be had, as the certificate itself says (RFC 5280, 4.2.2.1). */
static void issuer_address(X509 *certificate, char *to, size_t size)
{
    AUTHORITY_INFO_ACCESS *all = X509_get_ext_d2i(certificate, NID_info_access, NULL, NULL);

    to[0] = '\0';
    for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(all) && to[0] == '\0'; i++) {
        const ACCESS_DESCRIPTION *one = sk_ACCESS_DESCRIPTION_value(all, i);
        int kind = 0;
        const ASN1_STRING *value = GENERAL_NAME_get0_value(one->location, &kind);
        if (OBJ_obj2nid(one->method) == NID_ad_ca_issuers && kind == GEN_URI)
            snprintf(to, size, " (it is at %.*s)", (int)ASN1_STRING_length(value),
                     (const char *)ASN1_STRING_get0_data(value));
    }
    AUTHORITY_INFO_ACCESS_free(all);
}

static void tell_incomplete(struct cert_chain *chain, X509 *last)
{
    char subject[CERT_SUBJECT_MAX], address[256];

    issuer_address(last, address, sizeof(address));
    snprintf(chain->trouble, sizeof(chain->trouble),
             "the chain is incomplete: the certificate of \"%s\"%s, who signed \"%s\", is missing; "
             "get it from the authority and give it with --chain, a private authority's root too",
             chain->authority, address, cert_subject(X509_get_subject_name(last), subject));
}

static void tell_wrong(struct cert_chain *chain, const struct verdict *v)
{
    char subject[CERT_SUBJECT_MAX] = "?";

    if (v->where != NULL)
        cert_subject(X509_get_subject_name(v->where), subject);
    snprintf(chain->trouble, sizeof(chain->trouble), "clients will refuse the chain: %s, at \"%s\"",
             X509_verify_cert_error_string(v->error), subject);
}

/* ---- all ------------------------------------------------------------------------------------ */

/* The path without its root becomes what is served. */
static void take_path(struct cert_chain *chain, struct verdict *v)
{
    chain->served = v->path;
    v->path = NULL;
    const int count = sk_X509_num(chain->served);
    X509 *last = sk_X509_value(chain->served, count - 1);
    cert_subject(X509_get_issuer_name(last), chain->authority);
    if (count > 1 && is_root(last))
        X509_free(sk_X509_pop(chain->served));
}

int cert_chain_build(X509 *certificate, STACK_OF(X509) * given, struct cert_chain *chain)
{
    struct verdict v = {0};
    int r = -1;

    *chain = (struct cert_chain){.anchor = CERT_ANCHOR_SYSTEM};
    if (verify(certificate, given, false, &v) < 0)
        goto out;
    if (v.error != X509_V_OK && is_root(certificate)) {
        chain->anchor = CERT_ANCHOR_SELF;
    } else if (v.error != X509_V_OK) {
        chain->anchor = CERT_ANCHOR_GIVEN;
        if (verify(certificate, given, true, &v) < 0)
            goto out;
    }
    take_path(chain, &v);
    r = 0;
    if (v.error == X509_V_OK || chain->anchor == CERT_ANCHOR_SELF)
        goto out;
    chain->anchor = CERT_ANCHOR_NONE;
    if (!is_incomplete(v.error))
        tell_wrong(chain, &v);
    else if (sk_X509_num(chain->served) > 1 && !system_trusts_any())
        chain->anchor = CERT_ANCHOR_UNKNOWN;
    else
        tell_incomplete(chain, sk_X509_value(chain->served, sk_X509_num(chain->served) - 1));
out:
    verdict_free(&v);
    return r;
}

void cert_chain_free(struct cert_chain *chain)
{
    sk_X509_pop_free(chain->served, X509_free);
    chain->served = NULL;
}
