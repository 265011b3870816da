/* A request's body (RFC 9112, 6 and 7.1), taken apart as its bytes come in: pieces of content are
 * slices of what came, and not a byte behind the body is touched. Chunks are read as strictly as
 * heads: extensions and trailers are bounded and ignored, but for the trailer fields that
 * fields.def names. */
#ifndef SALLYPORT_HTTPS_BODY_H
#define SALLYPORT_HTTPS_BODY_H

#include "https-worker/request.h"

/* Limits. */
#define CHUNK_DIGITS_MAX     16    /* of a chunk's size, leading zeros too */
#define CHUNK_EXTENSION_MAX  256   /* bytes of one chunk's extensions */
#define CHUNK_EXTENSIONS_MAX 16384 /* of all in one body */
#define TRAILERS_MAX         4096  /* bytes of the trailer section */

enum body_result { BODY_MORE, BODY_PIECE, BODY_END, BODY_REFUSED };

struct body {
    uint64_t most;  /* content allowed in all */
    uint64_t total; /* content that came */
    uint64_t left;  /* of a body with a length, or of the chunk */
    enum body_stage {
        BODY_CONTENT, /* with a length */
        BODY_SIZE,    /* chunked: digits */
        BODY_BLANKS,  /* before an extension */
        BODY_EXTENSION,
        BODY_SIZE_LF,
        BODY_DATA,
        BODY_DATA_CR,
        BODY_DATA_LF,
        BODY_TRAILERS,
        BODY_DONE
    } stage;
    size_t digits, extension, extensions;
    size_t line_at, len; /* in the trailers: where their last line begins, where they end */
    struct refusal refusal;
    struct fields trailers; /* Repr-Digest and the like, when it has ended; slices of `text` */
    uint8_t text[TRAILERS_MAX];
};

/* After the request. most: bytes of content that are taken; a longer one is refused with 413, at
 * once where the request says its length. The body must not move while its trailers are used. */
void body_begin(struct body *b, const struct request *r, uint64_t most);

/* Go on with bytes that came, and take what is used off them. BODY_PIECE: *piece is content, more
 * than nothing, a slice of them; call again. BODY_MORE: none are left. BODY_END: what is left of
 * them belongs to the next request. BODY_REFUSED: answer b->refusal (400, 413, 431) and close. */
enum body_result body_next(struct body *b, struct slice *bytes, struct slice *piece);

/* Is a "100 Continue" to be sent before the body is waited for (RFC 9110, 10.1.1)? there: bytes
 * that came behind the head. Not after it has been refused: then the final answer goes out without
 * the body, and the connection must close, since the client may send it or not. */
bool body_wants_100(const struct request *r, size_t there);

#endif
