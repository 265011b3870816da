/* Is this chain whole, and whom does it end at? For cert_install.c. Reads the system's trust store;
 * trusts no network and no time but this machine's. */
#ifndef SALLYPORT_CERT_CHAIN_H
#define SALLYPORT_CERT_CHAIN_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

#define CERT_SUBJECT_MAX 256

enum cert_anchor {
    CERT_ANCHOR_SELF,    /* it is self-signed */
    CERT_ANCHOR_SYSTEM,  /* an authority that this system trusts */
    CERT_ANCHOR_GIVEN,   /* the root that was in the files */
    CERT_ANCHOR_UNKNOWN, /* this system has no trust store to look in */
    CERT_ANCHOR_NONE,    /* none: see trouble */
};

struct cert_chain {
    STACK_OF(X509) * served;          /* the server's own first, without the root; owned */
    enum cert_anchor anchor;          /* ... */
    char authority[CERT_SUBJECT_MAX]; /* who signed the last of it */
    char trouble[1024];               /* CERT_ANCHOR_NONE: what is wrong with it */
};

/* Put the chain of a certificate together from those that were given, in whatever order. Returns
 * 0, also where anchor is none, or -1 without memory. End with cert_chain_free. */
int cert_chain_build(X509 *certificate, STACK_OF(X509) * given, struct cert_chain *chain);
void cert_chain_free(struct cert_chain *chain);

/* A subject or an issuer on one line. Returns to. */
char *cert_subject(const X509_NAME *name, char to[CERT_SUBJECT_MAX]);

#endif
