/* Certificates in what an operator pastes or an authority sends: PEM with anything around it, line
 * ends of any system, DER, PKCS #7. For cert_install.c; keeps nothing of a private key. */
#ifndef SALLYPORT_CERT_INPUT_H
#define SALLYPORT_CERT_INPUT_H

#include <openssl/x509.h>

#include "common/slice.h"

#define CERT_INPUT_MOST (1u << 20) /* bytes of a file */
#define CERT_WHY_MAX    256

/* Add all certificates of a file's bytes, those not yet there. Returns 0, or -1 and why, as the
 * rest of a sentence that begins with the file's name ("is empty"). */
int cert_input_add(STACK_OF(X509) * certificates, struct slice bytes, char why[CERT_WHY_MAX]);

#endif
