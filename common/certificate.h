/* X.509 certificates: which of them are good enough to be served, and how ours are made. One rule
 * for the monitor, which reads them, and for the operator's command, which makes and installs them.
 * Opens no file and never sees a key that it was not given. */
#ifndef SALLYPORT_CERTIFICATE_H
#define SALLYPORT_CERTIFICATE_H

#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config.h"

#define CERTIFICATE_RSA_BITS_MIN 2048
#define CERTIFICATE_DAYS         3650  /* clients that trusted ours once need not be asked again */
#define CERTIFICATE_CHAIN_MAX    16384 /* bytes of a served chain in DER, with 4 for each of it */

/* May a key of this type and size be a server's? */
bool certificate_key_usable(const EVP_PKEY *key);
/* As libssl will judge it in every worker (SSL_CTX_set_security_level(3), level 2): one that it
 * refuses there would leave a server without workers. */
bool certificate_is_strong(X509 *certificate);

/* Add the host names and addresses of a list (parted by blanks or commas), none twice; addresses
 * that mean all addresses are passed over. Returns 0; 1 and the first word that is neither a host
 * name nor an address, the others being added; or -1 without memory. */
int certificate_names_add(GENERAL_NAMES *names, const char *list, char *bad, size_t size);
/* What a certificate that nobody chose names for should have: this machine's, those of tls.names
 * and https.names, those that every client on this machine may use. NULL without memory. */
GENERAL_NAMES *certificate_names_own(const struct config *config);
/* A name as text: "files.example.org", "192.0.2.1". Returns to; "" for one of another kind. */
char *certificate_name_text(const GENERAL_NAME *name, char *to, size_t size);

/* What a certificate or a request for one is to say. Texts are UTF-8; NULL or "": left out. */
struct certificate_wish {
    const char *country, *state, *locality, *organisation, *unit, *email;
    const GENERAL_NAMES *names; /* at least one: the first is the common name, too */
    uint32_t days;              /* of validity; a request has none */
};

/* Sign our own, valid from a day ago. Returns NULL and why (a static text). */
X509 *certificate_self_sign(EVP_PKEY *key, const struct certificate_wish *wish, const char **why);
/* A request (RFC 2986) for an authority. Returns NULL and why (a static text). */
X509_REQ *certificate_request(EVP_PKEY *key, const struct certificate_wish *wish, const char **why);

#endif
