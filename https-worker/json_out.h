/* JSON (RFC 8259), written compactly and in one pass into a writer. Texts may be any bytes: what is
 * no UTF-8 becomes U+FFFD. The caller says where objects and arrays begin and end; the commas come
 * by themselves. */
#ifndef SALLYPORT_HTTPS_JSON_OUT_H
#define SALLYPORT_HTTPS_JSON_OUT_H

#include "https-worker/writer.h"

struct json_out {
    struct writer *writer;
    bool comma; /* the next value, or key, is not the first */
};

/* A value follows others that were written by another json_out of the same array: set comma. */
static inline struct json_out json_out_of(struct writer *writer)
{
    return (struct json_out){.writer = writer};
}

void json_open(struct json_out *j, char bracket);   /* '{' or '[' */
void json_close(struct json_out *j, char bracket);  /* '}' or ']' */
void json_key(struct json_out *j, const char *key); /* plain ASCII; a value follows */

void json_text(struct json_out *j, struct slice text);
void json_number(struct json_out *j, uint64_t number);
void json_bool(struct json_out *j, bool value);
void json_nothing(struct json_out *j);
/* Nanoseconds since 1970 as seconds with three digits behind the point, rounded down. */
void json_time(struct json_out *j, int64_t ns);

/* The member `key` with a name or path; where that is no UTF-8, "raw" follows, with its bytes in
 * base64, so that it can be named in a request. */
void json_name(struct json_out *j, const char *key, struct slice name);

#endif
