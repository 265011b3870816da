/* Digests in header fields: Repr-Digest and Want-Repr-Digest (RFC 9530), tus' Upload-Checksum. They
 * are read and written here, and computed elsewhere. */
#ifndef SALLYPORT_HTTPS_DIGEST_FIELD_H
#define SALLYPORT_HTTPS_DIGEST_FIELD_H

#include "https-worker/fields.h"
#include "https-worker/writer.h"

#define DIGEST_FIELD_MAX 64 /* bytes of the longest */

/* name in RFC 9530 (or NULL: not offered there), name in tus (or NULL), bytes */
#define DIGEST_FIELDS(X)                                                                           \
    X(SHA256, "sha-256", "sha256", 32)                                                             \
    X(SHA512, "sha-512", NULL, 64)                                                                 \
    X(SHA1, NULL, "sha1", 20)                                                                      \
    X(MD5, NULL, "md5", 16)
enum digest_kind {
#define DIGEST_ENUM(kind, name, tus, bytes) DIGEST_##kind,
    DIGEST_FIELDS(DIGEST_ENUM)
#undef DIGEST_ENUM
        DIGEST_NONE
};

struct digest_value {
    enum digest_kind kind;
    uint8_t bytes[DIGEST_FIELD_MAX];
};
size_t digest_field_bytes(enum digest_kind kind);

/* The first digest of a Repr-Digest field, of a kind in the table, that is offered. Keys that are
 * not known are passed over (RFC 9530, 3). *value's kind is DIGEST_NONE when there is none.
 * Returns 0 or -1 and a refusal with 400: no dictionary of byte sequences (RFC 9651, 3.2 and 3.3.5;
 * without parameters, which no algorithm defines), a wrong length, a kind for the second time.
 * A check that was asked for is never passed over because it cannot be read. */
int repr_digest_parse(const struct fields *fields, struct digest_value *value,
                      struct refusal *refusal);

/* The kind that a Want-Repr-Digest field prefers (RFC 9530, 4); DIGEST_NONE: the field is not
 * there, wants none of ours, or cannot be read, which is no error. */
enum digest_kind repr_digest_wanted(const struct fields *fields);

/* "sha-256=:...:" (RFC 9530, 3). bytes: digest_field_bytes(kind), of a kind with a name there. */
void repr_digest_write(struct writer *w, enum digest_kind kind, const uint8_t *bytes);

/* "sha256 BASE64" (tus 1.0.0, Checksum). Returns 0 or -1 and a refusal with 400: another algorithm,
 * no base64, a wrong length. */
int upload_checksum_parse(struct slice field, struct digest_value *value, struct refusal *refusal);

/* "sha256,sha1,md5", for Tus-Checksum-Algorithm. */
void upload_checksum_names(struct writer *w);

#endif
