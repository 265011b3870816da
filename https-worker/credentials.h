/* Who asks: a cookie, or a name and password with each request. */
#ifndef SALLYPORT_HTTPS_CREDENTIALS_H
#define SALLYPORT_HTTPS_CREDENTIALS_H

#include "common/secret.h"
#include "https-worker/grammar.h"

enum credentials_result {
    CREDENTIALS_NONE,  /* it is not there */
    CREDENTIALS_FOUND, /* it is */
    CREDENTIALS_BAD,   /* 400: it is there, and cannot be what it should be */
};

/* The value of one cookie of a Cookie field (RFC 6265, 4.2.1), its quotes taken off. BAD: it is
 * there twice (somebody else set one of them), or holds other bytes than a cookie's. Other cookies
 * may look as they like. */
enum credentials_result cookie_find(struct slice field, const char *name, struct slice *value);

/* A name and password out of an Authorization field (RFC 7617, 2). NONE: empty, or another scheme.
 * BAD: no base64, no colon, a control character, too long. Wipe with basic_clear whatever the
 * result. */
struct basic {
    struct secret both; /* "name:password" */
    size_t user_len;
};
enum credentials_result basic_parse(struct slice field, struct basic *basic);
struct slice basic_user(const struct basic *basic);
struct slice basic_password(const struct basic *basic);
void basic_clear(struct basic *basic);

#endif
