/* The small rules that the grammar of HTTP is made of (RFC 9110, 5.6; RFC 3986): classes of
 * characters, white space, numbers, lists, parameters. All of it slices of somebody's bytes. */
#ifndef SALLYPORT_HTTPS_GRAMMAR_H
#define SALLYPORT_HTTPS_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/slice.h"

/* Why a request is refused: what is answered. Always closes the connection where it comes from
 * request.h or body.h, as nobody knows then where the next request begins. */
struct refusal {
    unsigned status; /* 0: it is not */
    const char *why; /* a short sentence for people */
};

/* Fill it in. Returns -1, for the caller to return. */
static inline int refuse(struct refusal *refusal, unsigned status, const char *why)
{
    *refusal = (struct refusal){.status = status, .why = why};
    return -1;
}

/* Classes of characters; one may be of several. */
enum {
    CHAR_TOKEN = 1,      /* tchar (RFC 9110, 5.6.2) */
    CHAR_VALUE = 2,      /* of a field's value: visible, blank, tab, obs-text (RFC 9110, 5.5) */
    CHAR_TARGET = 4,     /* of a request's target, '%' too (RFC 3986, 3.3 and 3.4); and "[" and
                          * "]", the only others that browsers leave in a path as they are */
    CHAR_UNRESERVED = 8, /* stands for itself in every part of an address (RFC 3986, 2.3) */
    CHAR_ETAG = 16,      /* etagc (RFC 9110, 8.8.3) */
    CHAR_COOKIE = 32,    /* cookie-octet (RFC 6265, 4.1.1) */
    CHAR_ATTR = 64,      /* attr-char (RFC 8187, 3.2.1) */
    CHAR_BOUNDARY = 128, /* of a multipart boundary (RFC 2046, 5.1.1), the blank left out */
};

bool char_is(uint8_t c, unsigned classes);
/* All of them; true for none. */
bool chars_are(struct slice text, unsigned classes);
/* A token: at least one character. */
bool token_is(struct slice text);

/* The value of a hexadecimal digit, or -1. */
int hex_value(uint8_t c);

/* Without blanks and tabs at both ends (OWS: RFC 9110, 5.6.3). */
struct slice ows_trim(struct slice text);

/* The first n bytes taken off a text: n is at most text->len. */
struct slice slice_take(struct slice *text, size_t n);
/* All before a separator taken off, or all there is where none stands; the separator stays. */
struct slice slice_until(struct slice *text, char separator);
/* Equal, whatever the case of ASCII letters. */
bool slice_same(struct slice a, struct slice b);
/* Take a beginning off, if it is there (case counts). */
bool slice_skip(struct slice *text, const char *beginning);

/* 1*DIGIT below 2^64, and nothing else (no sign, no blank). Zeros may lead. */
bool number_of(struct slice text, uint64_t *number);

/* The next element of a comma-separated list, trimmed; empty ones are passed over (RFC
 * 9110, 5.6.1). Commas in quotes do not count. Returns false at the end. */
bool list_next(struct slice *rest, struct slice *element);

/* The next parameter, `; name=value`, of what is left of an element (RFC 9110, 5.6.6): a name and a
 * token or quoted-string as it stands, quotes included. Returns 1; 0 at the end; -1: it is none. */
int parameter_next(struct slice *rest, struct slice *name, struct slice *value);

/* What a token or quoted-string says (RFC 9110, 5.6.4), into size bytes. Returns the length or -1:
 * does not fit. value is as parameter_next gave it. */
ssize_t unquote(struct slice value, char *text, size_t size);

#endif
