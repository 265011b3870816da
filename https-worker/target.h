/* Addresses and forms: paths decoded to names (RFC 3986, 2.1 and 3.3), queries and forms taken
 * apart (application/x-www-form-urlencoded, as browsers write it). Decoding happens once, here;
 * nothing is decoded twice and nothing is repaired. writer_path is the way back. */
#ifndef SALLYPORT_HTTPS_TARGET_H
#define SALLYPORT_HTTPS_TARGET_H

#include "https-worker/grammar.h"

#define TARGET_PATH_MAX (4095 + 32) /* of a path to the agent, and what stands before it */

struct target_path {
    bool folder; /* a slash stood at its end; text has none there */
    size_t len;
    char text[TARGET_PATH_MAX + 1]; /* "/files/a b"; "/" for the root; ends with a NUL */
};

/* Decode a request's path. Any bytes may stand in a name, but:
 *   a bad escape, and NUL: 400
 *   an escaped slash: 400. No name holds one, and split later it would be another path
 *   "." and "..", escaped or not: 400. Clients take them out; who sends them wants to confuse
 *   an empty name ("//"): 400. It would be a second address of the same
 * and 414 for what is longer than any path. Returns 0 or -1 and the refusal. */
int target_decode(struct slice path, struct target_path *out, struct refusal *refusal);

/* The next pair of a query or form: as it stands, encoded; without a '=' the value is empty.
 * Returns false at the end. */
struct form_pair {
    struct slice name, value;
};
bool form_next(struct slice *rest, struct form_pair *pair);

/* Decode a name or value into size bytes: '+' is a blank, %XX a byte. text may be where the encoded
 * one stands. Returns the length or -1: a bad escape, a NUL, or it does not fit. */
ssize_t form_decode(struct slice encoded, char *text, size_t size);

/* The value of a name that may stand there once, decoded as above into text, which is none of the
 * form's bytes. FORM_BAD: it stands there twice, or cannot be decoded. */
enum form_result { FORM_ABSENT, FORM_FOUND, FORM_BAD };
enum form_result form_get(struct slice form, const char *name, char *text, size_t size,
                          struct slice *value);
/* Does a pair have this name? (It may be escaped too.) */
bool form_named(const struct form_pair *pair, const char *name);

#endif
