/* What a client tells of a file that it will upload: Upload-Metadata of tus 1.0.0 (Creation). */
#ifndef SALLYPORT_HTTPS_UPLOAD_METADATA_H
#define SALLYPORT_HTTPS_UPLOAD_METADATA_H

#include "https-worker/fields.h"

#define METADATA_PAIRS_MAX 32

/* The value of a key, decoded into bytes. All of the field is read: METADATA_BAD (400) when a pair
 * of it is none (a key of visible ASCII without comma and quotes, a blank, strict base64; an empty
 * value may lack the blank), when a key stands there twice, when there are too many pairs, or the
 * value does not fit. */
enum metadata_result { METADATA_ABSENT, METADATA_FOUND, METADATA_BAD };
enum metadata_result upload_metadata_get(const struct fields *fields, const char *key,
                                         uint8_t *bytes, size_t size, size_t *len);

#endif
