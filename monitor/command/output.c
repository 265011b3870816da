/* What the command prints: every answer is put together once, as JSON, and shown as such or as a
 * table of some of its columns. Nothing that somebody else wrote reaches a terminal unescaped. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/utf8.h"
#include "monitor/command/command.h"

/* ---- texts -------------------------------------------------------------------------------- */

size_t shown_character(struct slice text)
{
    uint32_t code = 0;
    const size_t n = utf8_sequence(text, &code);

    return utf8_deceives(code) ? 0 : n;
}

char *cleaned(struct slice text, char *to, size_t size)
{
    size_t at = 0;

    while (text.len > 0 && at + 5 < size) {
        const size_t n = shown_character(text);
        if (n > 0)
            memcpy(to + at, text.data, n);
        else
            snprintf(to + at, size - at, "\\x%02x", text.data[0]);
        at += n > 0 ? n : 4;
        text = slice_of(text.data + (n > 0 ? n : 1), text.len - (n > 0 ? n : 1));
    }
    to[at] = '\0';
    return to;
}

json_t *json_from(struct slice text)
{
    const size_t size = text.len * 4 + 6;
    char *clean = malloc(size);
    json_t *value = NULL;

    /* Programs get the bytes as they are, where they are UTF-8. */
    if (clean != NULL && (value = json_stringn((const char *)text.data, text.len)) == NULL)
        value = json_string(cleaned(text, clean, size));
    free(clean);
    return value;
}

json_t *json_time(int64_t seconds)
{
    const time_t when = (time_t)seconds;
    struct tm utc;
    char text[64];

    if (seconds == 0 || gmtime_r(&when, &utc) == NULL)
        return json_null();
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
    return json_string(text);
}

void put(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) < 0)
        json_object_set_new(object, key, json_null());
}

/* ---- cells -------------------------------------------------------------------------------- */

/* A list of texts with commas, or of things with rights: "name (list,read), ..."; "none" where it
 * is empty. Allocated. */
static char *list_text(const json_t *list)
{
    char *text = NULL;
    size_t len, i;
    json_t *item;
    FILE *out = open_memstream(&text, &len);

    if (out == NULL)
        return NULL;
    json_array_foreach((json_t *)list, i, item)
    {
        char *rights = json_is_object(item) ? list_text(json_object_get(item, "rights")) : NULL;
        if (rights != NULL)
            fprintf(out, "%s%s (%s)", i > 0 ? ", " : "",
                    json_string_value(json_object_get(item, "name")), rights);
        else
            fprintf(out, "%s%s", i > 0 ? "," : "", json_string_value(item));
        free(rights);
    }
    if (json_array_size(list) == 0)
        fputs("none", out);
    if (fclose(out) != 0) {
        free(text);
        text = NULL;
    }
    return text;
}

/* A value as people read it. Allocated; NULL without memory. */
static char *cell_text(const json_t *value)
{
    char *text = NULL;

    if (json_is_array(value)) {
        text = list_text(value);
    } else if (json_is_string(value)) {
        const size_t len = json_string_length(value);
        text = malloc(len * 4 + 6);
        if (text != NULL)
            cleaned(slice_of(json_string_value(value), len), text, len * 4 + 6);
        if (text != NULL && text[0] == '\0')
            memcpy(text, "-", 2);
    } else if (json_is_integer(value)) {
        if (asprintf(&text, "%" JSON_INTEGER_FORMAT, json_integer_value(value)) < 0)
            text = NULL;
    } else {
        text = strdup(json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "-");
    }
    return text;
}

/* Columns of a terminal: characters, as UTF-8 counts them. */
static size_t width(const char *text)
{
    size_t n = 0;

    for (; *text != '\0'; text++)
        n += ((uint8_t)*text & 0xc0) != 0x80;
    return n;
}

static void print_json(json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_ENCODE_ANY);
    fputc('\n', stdout);
}

#define COLUMNS_MOST 16

/* Titles and cells, row by row; the last column is not padded. */
static void print_cells(char *const *cells, size_t rows, size_t count)
{
    size_t widest[COLUMNS_MOST] = {0};

    for (size_t i = 0; i < rows * count; i++) {
        const size_t n = width(cells[i]);
        widest[i % count] = n > widest[i % count] ? n : widest[i % count];
    }
    for (size_t i = 0; i < rows * count; i++) {
        const size_t k = i % count;
        const size_t pad = k + 1 < count ? widest[k] + 2 - width(cells[i]) : 0;
        printf("%s%*s%s", cells[i], (int)pad, "", k + 1 == count ? "\n" : "");
    }
}

enum result print_rows(const struct context *c, json_t *rows, const struct column *columns,
                       size_t count)
{
    const size_t row_count = json_array_size(rows);
    char **cells = calloc((row_count + 1) * count, sizeof(char *));
    bool whole = cells != NULL && rows != NULL && count <= COLUMNS_MOST;

    if (c->json) {
        print_json(rows);
        goto out;
    }
    for (size_t r = 0; r <= row_count && whole; r++) {
        for (size_t k = 0; k < count && whole; k++) {
            char **cell = &cells[r * count + k];
            *cell = r == 0
                        ? strdup(columns[k].title)
                        : cell_text(json_object_get(json_array_get(rows, r - 1), columns[k].key));
            whole = *cell != NULL;
        }
    }
    if (whole && row_count > 0)
        print_cells(cells, row_count + 1, count);
    else if (!whole)
        tell("%s", strerror(ENOMEM));
out:
    for (size_t i = 0; cells != NULL && i < (row_count + 1) * count; i++)
        free(cells[i]);
    free(cells);
    json_decref(rows);
    return whole ? DONE : REFUSED;
}

enum result print_record(const struct context *c, json_t *record, const struct column *columns,
                         size_t count)
{
    size_t widest = 0;

    if (c->json) {
        print_json(record);
        json_decref(record);
        return DONE;
    }
    for (size_t k = 0; k < count; k++)
        widest = strlen(columns[k].title) > widest ? strlen(columns[k].title) : widest;
    for (size_t k = 0; k < count; k++) {
        char *text = cell_text(json_object_get(record, columns[k].key));
        printf("%-*s  %s\n", (int)widest, columns[k].title, text != NULL ? text : "-");
        free(text);
    }
    json_decref(record);
    return DONE;
}

enum result print_done(const struct context *c, json_t *record, const char *format, ...)
{
    char raw[8192], line[16384];
    va_list arguments;

    if (c->json) {
        print_json(record);
    } else {
        va_start(arguments, format);
        vsnprintf(raw, sizeof(raw), format, arguments);
        va_end(arguments);
        printf("%s\n", cleaned(slice_text(raw), line, sizeof(line)));
    }
    json_decref(record);
    return DONE;
}
