/* Media types from the one table. Called for downloads and previews; must never give a browser
 * somebody's file as a page of this server. */
#include "https-worker/media_type.h"

#include "https-worker/grammar.h"

static const struct media_type types[] = {
#define MEDIA_TYPE(suffix, type, kind) {suffix, type, MEDIA_##kind},
#include "https-worker/media_types.def"
};
#define LAST (sizeof(types) / sizeof(types[0]) - 1)

const struct media_type *media_type_of(struct slice name)
{
    const uint8_t *dot = name.len > 0 ? memrchr(name.data, '.', name.len) : NULL;
    size_t i = 0;

    if (dot == NULL)
        return &types[LAST];
    slice_take(&name, (size_t)(dot + 1 - name.data));
    while (i < LAST && !slice_same(name, slice_text(types[i].suffix)))
        i++;
    return &types[i];
}

const char *media_type_sent(const struct media_type *type)
{
    return type->kind == MEDIA_ACTIVE ? types[LAST].type : type->type;
}
