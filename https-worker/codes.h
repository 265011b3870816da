/* Two-step login: what an authenticator is given (RFC 6238). */
#ifndef SALLYPORT_HTTPS_CODES_H
#define SALLYPORT_HTTPS_CODES_H

#include "https-worker/worker.h"

/* The secret that w->monitor.answer has, for the account `user`: as text, as an address for
 * authenticators, and as its picture. */
void answer_codes_secret(struct worker *w, struct slice user);

#endif
