/* Bodies of requests as JSON objects. Called by the rows that take them; must leave nothing of a
 * request in freed memory. */
#include "https-worker/json_in.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory --------------------------------------------------------------------------------- */

/* Before each piece of memory: how long it is. As aligned as malloc's own. */
union piece {
    size_t len;
    max_align_t aligned;
};

static void *take(size_t len)
{
    union piece *piece = len < SIZE_MAX - sizeof(*piece) ? malloc(sizeof(*piece) + len) : NULL;

    if (piece == NULL)
        return NULL;
    piece->len = len;
    return piece + 1;
}

static void wipe_and_give(void *bytes)
{
    union piece *piece = bytes;

    if (piece == NULL)
        return;
    piece--;
    explicit_bzero(bytes, piece->len);
    free(piece);
}

void json_prepare(void)
{
    json_set_alloc_funcs(take, wipe_and_give);
    json_object_seed(0); /* it would open a file at its first object */
}

/* ---- requests ------------------------------------------------------------------------------- */

json_t *json_body(struct worker *w)
{
    json_error_t error;
    struct slice type = fields_get(&w->exchange.request.fields, FIELD_CONTENT_TYPE);

    if (!slice_skip(&type, "application/json") || (type.len > 0 && type.data[0] != ';')) {
        answer_error(w, 415, "bad_request", "Send JSON: Content-Type: application/json.");
        return NULL;
    }
    json_t *body =
        json_loadb((const char *)w->collected, w->collected_len, JSON_REJECT_DUPLICATES, &error);
    explicit_bzero(&error, sizeof(error)); /* it tells what stands near */
    if (json_is_object(body))
        return body;
    json_decref(body);
    answer_error(w, 400, "bad_request", "The request is no JSON object.");
    return NULL;
}

bool json_member(struct worker *w, const json_t *body, const char *name, size_t most,
                 struct slice *text)
{
    const json_t *value = json_object_get(body, name);
    char message[100];

    *text = slice_of(json_string_value(value), json_string_length(value));
    if (value == NULL || (json_is_string(value) && text->len <= most))
        return true;
    snprintf(message, sizeof(message), "\"%s\" is no text, or too long.", name);
    answer_field(w, 400, "bad_request", message, name);
    return false;
}
