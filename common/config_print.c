/* Shows settings: as a file that can be read again (`sallyportd -T`), as the rows of the manual
 * page, and as the commented example file. All three from the table that the parser reads by. */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/config_table.h"

/* A size with the largest unit that keeps it whole. */
static void print_size(FILE *out, uint64_t size)
{
    static const char units[] = " KMGT";
    size_t unit = 0;

    while (size > 0 && size % 1024 == 0 && unit + 2 < sizeof(units)) {
        size /= 1024;
        unit++;
    }
    fprintf(out, "%" PRIu64, size);
    if (unit > 0)
        fputc(units[unit], out);
}

static void print_choice(FILE *out, const char *choices, uint32_t place)
{
    while (place-- > 0)
        choices += strcspn(choices, "|") + 1;
    fprintf(out, "%.*s", (int)strcspn(choices, "|"), choices);
}

/* Words, as many on a line as fit; lines after the first begin with `indent`. */
static void print_words(FILE *out, const char *value, char separator, size_t used,
                        const char *indent)
{
    const char parts[] = {separator, '\0'};
    bool first = true;

    while (*value != '\0') {
        const size_t n = strcspn(value, parts);
        if (!first && used + n + 1 > 95) {
            fprintf(out, "\n%s", indent);
            used = strlen(indent);
        }
        fprintf(out, "%.*s", (int)n, value);
        used += n + 1;
        value += n;
        first = false;
        if (*value == separator) {
            if (separator == ',' || used + 1 + strcspn(value + 1, parts) <= 95)
                fputc(separator, out);
            value++;
        }
    }
}

/* May a line of a text stand on a line of its own? (It would be skipped, cut or a comment.) */
static bool stands_alone(const char *line)
{
    return line[0] != '\0' && line[0] != '\n' && !isblank((unsigned char)line[0]) &&
           line[0] != ';' && line[0] != '#';
}

/* A text with \n and \ escaped, broken into further lines where it may be. */
static void print_text(FILE *out, const char *value)
{
    bool fresh = strlen(value) < 100;

    if (!fresh)
        fputs("\n\t", out);
    for (; *value != '\0'; value++) {
        if (*value == '\\')
            fputs("\\\\", out);
        else if (*value != '\n')
            fputc(*value, out);
        else if (!fresh && stands_alone(value + 1))
            fputs("\n\t", out);
        else
            fputs("\\n", out);
    }
}

static void print_value(FILE *out, const struct setting *row, const struct config *config)
{
    const void *value = setting_value_const(config, row);
    const struct id_range *range = value;
    const size_t used = strlen(row->name) + 3;

    switch (row->kind) {
    case SETTING_BOOL:
        fputs(*(const bool *)value ? "yes" : "no", out);
        break;
    case SETTING_NUMBER:
        fprintf(out, "%" PRIu32, *(const uint32_t *)value);
        break;
    case SETTING_OCTAL:
        fprintf(out, "%04" PRIo32, *(const uint32_t *)value);
        break;
    case SETTING_SIZE:
        print_size(out, *(const uint64_t *)value);
        break;
    case SETTING_RANGE:
        fprintf(out, "%" PRIu32 "-%" PRIu32, range->first, range->last);
        break;
    case SETTING_CHOICE:
        print_choice(out, row->choices, *(const uint32_t *)value);
        break;
    case SETTING_TEXT:
        print_text(out, *(char *const *)value);
        break;
    case SETTING_LIST:
        print_words(out, *(char *const *)value, ',', used, "    ");
        break;
    case SETTING_ADDRESSES:
    case SETTING_NETWORKS:
    case SETTING_MAPPING:
    case SETTING_PATHS:
        print_words(out, *(char *const *)value, ' ', used, "    ");
        break;
    default:
        fputs(*(char *const *)value, out);
    }
}

/* Does a section begin with this row? */
static bool begins_section(size_t i)
{
    return i == 0 || strcmp(config_settings[i].section, config_settings[i - 1].section) != 0;
}

void config_dump(const struct config *config, FILE *out)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *row = &config_settings[i];
        if (begins_section(i))
            fprintf(out, "%s[%s]\n", i > 0 ? "\n" : "", row->section);
        fprintf(out, "%s = ", row->name);
        print_value(out, row, config);
        fputc('\n', out);
    }
}

/* What may stand for a value, in words. */
static void print_allowed(FILE *out, const struct setting *row)
{
    switch (row->kind) {
    case SETTING_BOOL:
        fputs("yes or no", out);
        break;
    case SETTING_NUMBER:
        fprintf(out, "a number, %" PRIu64 " to %" PRIu64, row->least, row->most);
        break;
    case SETTING_OCTAL:
        fprintf(out, "an octal number, 0%" PRIo64 " to 0%" PRIo64, row->least, row->most);
        break;
    case SETTING_SIZE:
        fputs("a size, ", out);
        print_size(out, row->least);
        fputs(" to ", out);
        print_size(out, row->most);
        break;
    case SETTING_TEXT:
        fprintf(out, "a text of at most %" PRIu64 " bytes", row->most);
        break;
    case SETTING_LIST:
        fputs("a list of names", out);
        break;
    case SETTING_PATH:
        fputs("a path", out);
        break;
    case SETTING_PATHS:
        fputs("a list of absolute paths", out);
        break;
    case SETTING_RANGE:
        fprintf(out, "a range of ids, %" PRIu64 " to %" PRIu64, row->least, row->most);
        break;
    case SETTING_CHOICE:
        for (const char *at = row->choices; *at != '\0'; at++) {
            if (*at == '|')
                fputs(strchr(at + 1, '|') != NULL ? ", " : " or ", out);
            else
                fputc(*at, out);
        }
        break;
    case SETTING_ADDRESSES:
        fputs("addresses", out);
        break;
    default:
        fputs("addresses and networks", out);
    }
}

/* Text for a line of mdoc(7): nothing in it is a request or an escape. */
static void print_mdoc(FILE *out, const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", out);
    for (; *text != '\0'; text++) {
        if (*text == '\\')
            fputs("\\e", out);
        else if (*text == '`')
            fputs("\\(ga", out);
        else
            fputc(*text, out);
    }
}

void config_print_manual(FILE *out)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *row = &config_settings[i];
        if (begins_section(i))
            fprintf(out, "%s.Ss [%s]\n.Bl -tag -width Ds\n", i > 0 ? ".El\n" : "", row->section);
        fprintf(out, ".It Cm %s\n", row->name);
        if (isalpha((unsigned char)row->help[0]))
            fputc(toupper((unsigned char)row->help[0]), out);
        print_mdoc(out, row->help + (isalpha((unsigned char)row->help[0]) ? 1 : 0));
        fputs(".\n.br\n", out);
        fputs("Takes ", out);
        print_allowed(out, row);
        fputs(".\n", out);
        if (row->preset[0] == '\0') {
            fputs("Empty by default.\n", out);
        } else {
            fputs("Default:\n.Ql ", out);
            print_mdoc(out, row->preset);
            fputs(" .\n", out);
        }
        if (!row->reload)
            fputs("A change needs a restart.\n", out);
    }
    fputs(".El\n", out);
}

void config_print_example(FILE *out)
{
    fputs("# sallyport.conf: every setting with its default. Remove a # to change one.\n"
          "# Lines that begin with a blank go on with the list or text above them.\n",
          out);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *row = &config_settings[i];
        if (begins_section(i))
            fprintf(out, "\n[%s]\n", row->section);
        fprintf(out, "\n# %s\n# (", row->help);
        print_allowed(out, row);
        fprintf(out, "%s)\n#%s = ", row->reload ? "" : "; a change needs a restart", row->name);
        if (row->kind == SETTING_LIST)
            print_words(out, row->preset, ',', strlen(row->name) + 4, "#    ");
        else
            fputs(row->preset, out);
        fputc('\n', out);
    }
}
