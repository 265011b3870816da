/* Requests in JSON (RFC 8259). They may hold passwords: what the reader frees is wiped. */
#ifndef SALLYPORT_HTTPS_JSON_IN_H
#define SALLYPORT_HTTPS_JSON_IN_H

#include <jansson.h>

#include "https-worker/worker.h"

/* Before the sandbox, and before any other use of the library. */
void json_prepare(void);

/* The request's body as an object, for json_decref; NULL: it has been answered. */
json_t *json_body(struct worker *w);

/* A member's text: slice of `body`, empty where there is none. false: it is no text, or of more
 * than `most` bytes, and that has been answered. */
bool json_member(struct worker *w, const json_t *body, const char *name, size_t most,
                 struct slice *text);

#endif
