/* A form with one file, as browsers without scripts send it: multipart/form-data (RFC 7578, RFC
 * 2046, 5.1), read as its bytes come in. Small fields are collected here; the file's bytes go
 * through as pieces and are never kept. */
#ifndef SALLYPORT_HTTPS_MULTIPART_H
#define SALLYPORT_HTTPS_MULTIPART_H

#include "https-worker/disposition.h"
#include "https-worker/fields.h"

/* Limits. */
#define MULTIPART_BOUNDARY_MAX 70   /* RFC 2046, 5.1.1 */
#define MULTIPART_HEAD_MAX     4096 /* bytes of a part's header section */
#define MULTIPART_VALUE_MAX    4096 /* of a field */
#define MULTIPART_FIELDS_MAX   16

enum multipart_result {
    MULTIPART_MORE,     /* no bytes are left */
    MULTIPART_FIELD,    /* a field is whole: part.name, value */
    MULTIPART_FILE,     /* the file begins: part.name, part.filename */
    MULTIPART_PIECE,    /* of the file */
    MULTIPART_FILE_END, /* all of it has come */
    MULTIPART_REFUSED,  /* answer refusal (400, 413) */
};

struct multipart {
    struct disposition part;
    size_t value_len;
    uint8_t value[MULTIPART_VALUE_MAX];
    struct refusal refusal;

    /* How far it has been read. */
    enum multipart_stage {
        MULTIPART_BEGIN,
        MULTIPART_FIRST,       /* the first delimiter */
        MULTIPART_AFTER,       /* a delimiter */
        MULTIPART_AFTER_DASH,  /* a delimiter and '-' */
        MULTIPART_AFTER_BLANK, /* a delimiter and padding */
        MULTIPART_AFTER_CR,    /* a delimiter, padding, CR */
        MULTIPART_HEAD,
        MULTIPART_DATA,
        MULTIPART_CLOSED,    /* the last delimiter */
        MULTIPART_CLOSED_CR, /* and CR */
        MULTIPART_DONE       /* and LF */
    } stage;
    size_t matched; /* bytes of the delimiter that came last */
    size_t delimiter_len;
    char delimiter[4 + MULTIPART_BOUNDARY_MAX]; /* "\r\n--" and the boundary */
    size_t line_at, head_len;
    uint8_t head[MULTIPART_HEAD_MAX];
    struct fields fields; /* slices of head */
    size_t field_count;
    bool file_came;
};

/* Begin with the request's Content-Type. Returns 0 or -1 and m->refusal: 415 (it is no such form),
 * 400 (its boundary is none). The reader must not move after it. */
int multipart_begin(struct multipart *m, struct slice content_type);

/* Go on with bytes that came, and take what is used off them; call again until it says MORE. A
 * piece is a slice of them, or of m until the next call. */
enum multipart_result multipart_next(struct multipart *m, struct slice *bytes, struct slice *piece);

/* The body has ended. Returns 0, or -1 and m->refusal: the form has not. */
int multipart_end(struct multipart *m);

#endif
