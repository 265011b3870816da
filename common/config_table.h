/* The rows of settings.def as data: for config.c, which reads them, and config_print.c, which
 * shows them. Nobody else needs to see a setting as a row. */
#ifndef SALLYPORT_CONFIG_TABLE_H
#define SALLYPORT_CONFIG_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config.h"

enum setting_kind {
    SETTING_BOOL,
    SETTING_NUMBER,
    SETTING_OCTAL,
    SETTING_SIZE,
    SETTING_TEXT,
    SETTING_LIST,
    SETTING_PATH,
    SETTING_PATHS,
    SETTING_RANGE,
    SETTING_CHOICE,
    SETTING_ADDRESSES,
    SETTING_NETWORKS,
    SETTING_MAPPING,
    SETTING_KIND_COUNT,
};

struct setting {
    const char *section, *name;
    enum setting_kind kind;
    uint64_t least, most; /* of the value; of the length in bytes for texts */
    const char *choices;  /* SETTING_CHOICE: "a|b|c" */
    const char *preset;   /* as it would stand in the file */
    bool reload;          /* may change while the server runs */
    const char *help;
    size_t offset; /* in struct config */
};

enum setting_place {
#define SETTING(section, name, TYPE, bounds, preset, reload, help) PLACE_##section##_##name,
#include "common/settings.def"
#undef SETTING
    SETTING_COUNT,
};

extern const struct setting config_settings[SETTING_COUNT];

/* What is wrong with a setting of [mail], and which; NULL: all are good. */
const char *config_mail_trouble(const struct config *config, enum setting_place *place);

/* A row's value in a config; the caller knows the kind. */
static inline void *setting_value(struct config *config, const struct setting *row)
{
    return (char *)config + row->offset;
}

static inline const void *setting_value_const(const struct config *config,
                                              const struct setting *row)
{
    return (const char *)config + row->offset;
}

/* Kinds whose value is an allocated text. */
static inline bool setting_is_text(const struct setting *row)
{
    return row->kind == SETTING_TEXT || row->kind == SETTING_LIST || row->kind == SETTING_PATH ||
           row->kind == SETTING_ADDRESSES || row->kind == SETTING_NETWORKS ||
           row->kind == SETTING_MAPPING || row->kind == SETTING_PATHS;
}

/* The kinds that may go on on further lines, each begun with a blank. */
static inline bool setting_continues(const struct setting *row)
{
    return setting_is_text(row) && row->kind != SETTING_PATH;
}

/* Longest line that inih, as Debian builds it, reads whole. */
#define CONFIG_LINE_MAX 198

#endif
