/* Digests as text. Called by the handlers of downloads and uploads; must never take a digest of a
 * wrong length, or half of one. */
#include "https-worker/digest_field.h"

#include "common/base64.h"

static const struct {
    const char *name, *tus;
    size_t bytes;
} kinds[] = {
#define DIGEST_ROW(kind, name, tus, bytes) {name, tus, bytes},
    DIGEST_FIELDS(DIGEST_ROW)};

size_t digest_field_bytes(enum digest_kind kind)
{
    return kinds[kind].bytes;
}

static bool is_name(const char *name, struct slice text)
{
    return name != NULL && slice_is(text, name);
}

/* A key (RFC 9651, 3.1.2) taken off a dictionary's member, and its '='. */
static bool take_key(struct slice *member, struct slice *key)
{
    *key = slice_until(member, '=');
    for (size_t i = 0; i < key->len; i++) {
        const uint8_t c = key->data[i];
        const bool begins = (c >= 'a' && c <= 'z') || c == '*';
        if (!begins && (i == 0 || ((c < '0' || c > '9') && c != '_' && c != '-' && c != '.')))
            return false;
    }
    return key->len > 0 && slice_skip(member, "=");
}

static int take_digest(struct slice text, enum digest_kind kind, struct digest_value *value)
{
    const ssize_t n = base64_decode(text, value->bytes, sizeof(value->bytes));

    if (n < 0 || (size_t)n != kinds[kind].bytes)
        return -1;
    value->kind = kind;
    return 0;
}

/* ---- RFC 9530 ------------------------------------------------------------------------------- */
int repr_digest_parse(const struct fields *fields, struct digest_value *value,
                      struct refusal *refusal)
{
    static const char bad[] = "The Repr-Digest field cannot be read.";
    struct field_walk walk = {0};
    struct slice member, key;
    unsigned seen = 0;

    value->kind = DIGEST_NONE;
    while (fields_next(fields, FIELD_REPR_DIGEST, &walk, &member)) {
        if (!take_key(&member, &key) || !slice_skip(&member, ":") || member.len == 0 ||
            member.data[member.len - 1] != ':')
            return refuse(refusal, 400, bad);
        member.len--;
        for (enum digest_kind kind = 0; kind < DIGEST_NONE; kind++) {
            struct digest_value found;
            if (!is_name(kinds[kind].name, key))
                continue;
            if (seen & 1u << kind || take_digest(member, kind, &found) < 0)
                return refuse(refusal, 400, bad);
            if (seen == 0)
                *value = found;
            seen |= 1u << kind;
        }
    }
    return 0;
}

enum digest_kind repr_digest_wanted(const struct fields *fields)
{
    enum digest_kind best = DIGEST_NONE;
    struct field_walk walk = {0};
    struct slice member, key;
    uint64_t weight, most = 0;

    while (fields_next(fields, FIELD_WANT_REPR_DIGEST, &walk, &member)) {
        if (!take_key(&member, &key) || !number_of(member, &weight) || weight > 10)
            return DIGEST_NONE;
        for (enum digest_kind kind = 0; kind < DIGEST_NONE; kind++) {
            if (is_name(kinds[kind].name, key) && weight > most) {
                best = kind;
                most = weight;
            }
        }
    }
    return best;
}

void repr_digest_write(struct writer *w, enum digest_kind kind, const uint8_t *bytes)
{
    writer_text(w, kinds[kind].name);
    writer_text(w, "=:");
    writer_base64(w, slice_of(bytes, kinds[kind].bytes));
    writer_text(w, ":");
}

/* ---- tus ------------------------------------------------------------------------------------ */
int upload_checksum_parse(struct slice field, struct digest_value *value, struct refusal *refusal)
{
    const struct slice name = slice_until(&field, ' ');
    enum digest_kind kind = 0;

    value->kind = DIGEST_NONE;
    while (kind < DIGEST_NONE && !is_name(kinds[kind].tus, name))
        kind++;
    if (kind == DIGEST_NONE)
        return refuse(refusal, 400, "The algorithm of the Upload-Checksum is not known here.");
    return !slice_skip(&field, " ") || take_digest(field, kind, value) < 0
               ? refuse(refusal, 400, "The Upload-Checksum field cannot be read.")
               : 0;
}

void upload_checksum_names(struct writer *w)
{
    const char *comma = "";

    for (enum digest_kind kind = 0; kind < DIGEST_NONE; kind++) {
        if (kinds[kind].tus == NULL)
            continue;
        writer_text(w, comma);
        writer_text(w, kinds[kind].tus);
        comma = ",";
    }
}
