/* sallyport.conf: one struct, made from settings.def. Read by the monitor and by the operator's
 * command; no other process sees the file. */
#ifndef SALLYPORT_CONFIG_H
#define SALLYPORT_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CONFIG_TEXT_MAX 4096

struct id_range {
    uint32_t first, last;
};

#define CONFIG_BOOL      bool
#define CONFIG_NUMBER    uint32_t
#define CONFIG_SIZE      uint64_t
#define CONFIG_OCTAL     uint32_t
#define CONFIG_TEXT      char *
#define CONFIG_LIST      char *
#define CONFIG_PATH      char *
#define CONFIG_PATHS     char *
#define CONFIG_RANGE     struct id_range
#define CONFIG_CHOICE    uint32_t
#define CONFIG_ADDRESSES char *
#define CONFIG_NETWORKS  char *
#define CONFIG_MAPPING   char *

/* Values of CHOICE settings: places in their lists. server_log_level is enum log_level. */
enum config_log { CONFIG_LOG_STDERR, CONFIG_LOG_SYSLOG, CONFIG_LOG_JOURNAL };

struct config {
#define SETTING(section, name, TYPE, bounds, preset, reload, help) CONFIG_##TYPE section##_##name;
#include "common/settings.def"
#undef SETTING
};

/* Where trouble is told: "FILE:LINE: reason", one line. */
struct config_trouble {
    char text[CONFIG_TEXT_MAX + 512];
};

/* Read a file over the defaults. path NULL: the defaults alone. Texts are allocated; end with
 * config_free, also after an error. Returns 0, or -1 and trouble is filled. */
int config_read(const char *path, struct config *config, struct config_trouble *trouble);
void config_free(struct config *config);

/* Every setting with its value as it would stand in the file (`sallyportd -T`). */
void config_dump(const struct config *config, FILE *out);

/* A setting that cannot change while the server runs and differs: its name ("sftp.port"), else
 * NULL. */
const char *config_fixed_difference(const struct config *now, const struct config *next);

/* What mail is sent from, and how its links begin (https://name:port), as set or by the names that
 * the server has. */
#define CONFIG_MAIL_FROM 255
#define CONFIG_MAIL_BASE 1025
void config_mail_from(const struct config *config, char from[CONFIG_MAIL_FROM]);
void config_mail_base(const struct config *config, char base[CONFIG_MAIL_BASE]);

/* The table as mdoc(7) rows, for sallyport.conf(5), and as a commented example file. */
void config_print_manual(FILE *out);
void config_print_example(FILE *out);

#endif
