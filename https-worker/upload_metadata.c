/* Upload-Metadata. Called when an upload begins; must never choose between two values of a key. */
#include "https-worker/upload_metadata.h"

#include "common/base64.h"

/* "key BASE64" apart. */
static bool split(struct slice pair, struct slice *key, struct slice *value)
{
    *key = slice_until(&pair, ' ');
    slice_skip(&pair, " ");
    *value = pair;
    for (size_t i = 0; i < key->len; i++) {
        if (key->data[i] < 0x21 || key->data[i] > 0x7e || key->data[i] == '"')
            return false;
    }
    return true;
}

/* Base64 of any length, looked at piece by piece. */
static bool is_base64(struct slice text)
{
    uint8_t group[3];
    bool good = true;

    while (good && text.len > 4)
        good = base64_decode(slice_take(&text, 4), group, sizeof(group)) == sizeof(group);
    return good && base64_decode(text, group, sizeof(group)) >= 0;
}

enum metadata_result upload_metadata_get(const struct fields *fields, const char *key,
                                         uint8_t *bytes, size_t size, size_t *len)
{
    struct slice pair, keys[METADATA_PAIRS_MAX], value, found = {0};
    struct field_walk walk = {0};
    bool there = false;
    size_t count = 0;

    *len = 0;
    for (; fields_next(fields, FIELD_UPLOAD_METADATA, &walk, &pair); count++) {
        if (count == METADATA_PAIRS_MAX || !split(pair, &keys[count], &value) || !is_base64(value))
            return METADATA_BAD;
        for (size_t i = 0; i < count; i++) {
            if (slice_equal(keys[i], keys[count]))
                return METADATA_BAD;
        }
        if (slice_is(keys[count], key)) {
            found = value;
            there = true;
        }
    }
    if (!there)
        return METADATA_ABSENT;
    const ssize_t n = base64_decode(found, bytes, size);
    *len = n > 0 ? (size_t)n : 0;
    return n < 0 ? METADATA_BAD : METADATA_FOUND;
}
