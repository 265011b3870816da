/* `sallyport cert ...`: what its files share. */
#ifndef SALLYPORT_CERT_H
#define SALLYPORT_CERT_H

#include "common/certificate.h"
#include "common/tls_files.h"
#include "monitor/command/cert_chain.h"
#include "monitor/command/command.h"

/* The key folder, for one `cert` command at a time; what an earlier one left half done is brought
 * to its end. Returns a descriptor, or -1 after telling why. */
int cert_folder(const struct context *c);

/* May a certificate be installed, or does the configuration name files of somebody else's? Returns
 * 0, or -1 after telling. */
int cert_may_install(const struct context *c);
/* Put a chain into use: into the key folder, the audit log, and the server that runs. Returns 0, or
 * -1 after telling why. */
int cert_put_into_use(struct context *c, int folder, const STACK_OF(X509) * chain);

/* A line into the audit log. */
void cert_tell_audit(struct context *c, const char *what, const char *which);

/* All that `cert show` tells of one certificate. */
json_t *cert_json(X509 *certificate);
/* Names of a certificate or a request, as texts. */
json_t *cert_names_json(const GENERAL_NAMES *names);
/* A key: its "key_type" and "key_bits" into an object. */
void cert_put_key(json_t *object, const EVP_PKEY *key);
/* Lower-case hexadecimal digits with colons between bytes: a fingerprint. */
json_t *cert_fingerprint(const X509 *certificate, const EVP_MD *digest);
/* Seconds since 1970. */
int64_t cert_seconds(const ASN1_TIME *time);

#endif
