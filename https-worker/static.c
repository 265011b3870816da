/* The page's files, as scripts/embed has put them into the program. */
#include "https-worker/static.h"

#define UI_HASH(hash)
#define UI_FILE(number, name)                                                                      \
    extern const uint8_t ui_plain_##number[], ui_plain_##number##_end[];                           \
    extern const uint8_t ui_gzip_##number[], ui_gzip_##number##_end[];
#include "ui_files.inc"
#undef UI_HASH
#undef UI_FILE

static const struct {
    const char *name;
    const uint8_t *plain, *plain_end, *gzip, *gzip_end;
} files[] = {
#define UI_HASH(hash)
#define UI_FILE(number, name)                                                                      \
    {name, ui_plain_##number, ui_plain_##number##_end, ui_gzip_##number, ui_gzip_##number##_end},
#include "ui_files.inc"
#undef UI_HASH
#undef UI_FILE
};

const char *static_hash(void)
{
#define UI_HASH(hash) return hash;
#define UI_FILE(number, name)
#include "ui_files.inc"
#undef UI_HASH
#undef UI_FILE
}

const struct static_file *static_find(struct slice name)
{
    static struct static_file found;

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (!slice_is(name, files[i].name))
            continue;
        found = (struct static_file){
            .name = files[i].name,
            .plain = slice_of(files[i].plain, (size_t)(files[i].plain_end - files[i].plain)),
            .gzip = slice_of(files[i].gzip, (size_t)(files[i].gzip_end - files[i].gzip)),
        };
        return &found;
    }
    return NULL;
}
