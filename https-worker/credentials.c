/* Cookies and Basic credentials. Called for every request that needs a session; must never leave a
 * password behind, nor choose between two cookies. */
#include "https-worker/credentials.h"

#include "common/base64.h"

enum credentials_result cookie_find(struct slice field, const char *name, struct slice *value)
{
    enum credentials_result result = CREDENTIALS_NONE;

    *value = slice_of(NULL, 0);
    while (field.len > 0) {
        struct slice pair = ows_trim(slice_until(&field, ';'));
        slice_skip(&field, ";");
        if (!slice_skip(&pair, name) || !slice_skip(&pair, "="))
            continue;
        if (pair.len >= 2 && pair.data[0] == '"' && pair.data[pair.len - 1] == '"')
            pair = slice_of(pair.data + 1, pair.len - 2);
        if (result != CREDENTIALS_NONE || !chars_are(pair, CHAR_COOKIE))
            return CREDENTIALS_BAD;
        *value = pair;
        result = CREDENTIALS_FOUND;
    }
    return result;
}

/* ---- Basic (RFC 7617) ----------------------------------------------------------------------- */
enum credentials_result basic_parse(struct slice field, struct basic *basic)
{
    struct secret *both = &basic->both;

    basic_clear(basic); /* ends with a NUL, then, however long it becomes */
    if (!slice_same(slice_until(&field, ' '), slice_text("Basic")))
        return CREDENTIALS_NONE;
    while (slice_skip(&field, " ")) /* RFC 9110, 11.4: one or more */
        ;
    const ssize_t len = base64_decode(field, both->bytes, SECRET_MAX);
    if (len < 0)
        return CREDENTIALS_BAD;
    both->len = (size_t)len;
    for (size_t i = 0; i < both->len; i++) {
        if (both->bytes[i] < ' ' || both->bytes[i] == 0x7f)
            return CREDENTIALS_BAD;
    }
    struct slice rest = secret_slice(both);
    basic->user_len = slice_until(&rest, ':').len;
    return rest.len > 0 ? CREDENTIALS_FOUND : CREDENTIALS_BAD;
}

struct slice basic_user(const struct basic *basic)
{
    return slice_of(basic->both.bytes, basic->user_len);
}

struct slice basic_password(const struct basic *basic)
{
    return slice_of(basic->both.bytes + basic->user_len + 1, basic->both.len - basic->user_len - 1);
}

void basic_clear(struct basic *basic)
{
    secret_clear(&basic->both);
    basic->user_len = 0;
}
