/* The matrices: files of rows written and reviewed by hand, a message and what it gets in each
 * column. Called by each part for its own before anything is started. A message of the schema
 * without a row, or a row without a message, and nothing is run: they are complete or they fail. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/hostile/hostile.h"

const char *const cell_names[CELL_COUNT] = {"ok", "deny", "bye", "none", "end"};

static enum message_type type_of(const char *name)
{
    for (int t = MSG_NONE + 1; t < MSG_COUNT; t++) {
        if (strcmp(message_info((enum message_type)t)->name, name) == 0)
            return (enum message_type)t;
    }
    return MSG_NONE;
}

enum message_type row_message(const char *path, unsigned number, char *word, char *variant,
                              bool (*known)(enum message_type type, const char *variant))
{
    char *slash = strchr(word, '/');

    *variant = '\0';
    if (slash != NULL) {
        *slash = '\0';
        if (slice_copy(slice_text(slash + 1), variant, VARIANT_MAX) < 0)
            give_up("%s:%u: a variant with too long a name", path, number);
    }
    const enum message_type type = type_of(word);
    if (type == MSG_NONE || (slash != NULL && !known(type, variant)))
        give_up("%s:%u: there is no %s %s", path, number, word, variant);
    return type;
}

bool row_skips(const struct hostile *h, enum message_type type)
{
    return h->options.message != NULL && strcmp(h->options.message, message_info(type)->name) != 0;
}

static void read_row(const char *path, unsigned number, char *line, const struct matrix *m,
                     struct row *row)
{
    char *rest = line, *word = strsep(&rest, " ");

    memset(row, 0, sizeof(*row));
    row->type = row_message(path, number, word, row->variant, m->known);
    for (size_t s = 0; s < m->column_count; s++) {
        do
            word = strsep(&rest, " ");
        while (word != NULL && *word == '\0');
        char *after = word;
        word = strsep(&after, ">");
        if (after != NULL &&
            slice_copy(slice_text(after), row->after[s], sizeof(row->after[s])) < 0)
            give_up("%s:%u: %s: there is no such state", path, number, after);
        size_t c = 0;
        while (word != NULL && c < CELL_COUNT && strcmp(word, cell_names[c]) != 0)
            c++;
        if (word == NULL || c == CELL_COUNT)
            give_up("%s:%u: %s: no such outcome, or none", path, number, m->columns[s]);
        row->cells[s] = (enum cell)c;
    }
    if (rest != NULL)
        give_up("%s:%u: more cells than columns", path, number);
}

/* Every message once without a variant. */
static void check_complete(const char *path, const struct matrix *m)
{
    unsigned missing = 0;

    for (int t = MSG_NONE + 1; t < MSG_COUNT; t++) {
        unsigned plain = 0;
        for (size_t i = 0; i < m->count; i++)
            plain += m->rows[i].type == (enum message_type)t && m->rows[i].variant[0] == '\0';
        if (plain == 1)
            continue;
        fprintf(stderr, "%s: [%s]: %u rows of %s, 1 expected\n", path, m->section, plain,
                message_info((enum message_type)t)->name);
        missing++;
    }
    if (missing > 0)
        give_up("%s is not complete: decide what each message gets in each column", path);
}

void matrix_read(const struct hostile *h, struct matrix *m)
{
    char path[4352], line[256], section[32] = "";
    unsigned number = 0;

    snprintf(path, sizeof(path), "%s/%s", h->options.matrices, m->file);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        give_up("%s: %s", path, strerror(errno));
    m->count = 0;
    while (fgets(line, sizeof(line), f) != NULL) {
        number++;
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '[') {
            snprintf(section, sizeof(section), "%.*s", (int)strcspn(line + 1, "]"), line + 1);
            continue;
        }
        if (line[0] == '#' || line[0] == '\0' || strcmp(section, m->section) != 0)
            continue;
        if (m->count == ROWS_MAX)
            give_up("%s: more than %d rows", path, ROWS_MAX);
        read_row(path, number, line, m, &m->rows[m->count++]);
    }
    fclose(f);
    check_complete(path, m);
}

/* A message of another link, or one that is never heard in this state, is refused for that alone,
 * whatever is in it: in a short run, by turns. */
bool row_due(const struct hostile *h, const struct matrix *m, size_t row, size_t column)
{
    bool heard = false;

    for (size_t i = 0; i < m->count; i++)
        heard |= m->rows[i].type == m->rows[row].type && m->rows[i].cells[column] != CELL_END;
    return heard || (row + column) % h->options.thin == 0;
}

void row_judge(struct hostile *h, const struct matrix *m, const struct row *row, size_t column,
               const char *wrong)
{
    expect(h, wrong == NULL, "%s [%s]: %s%s%s, %s: %s expected; %s", m->file, m->section,
           message_info(row->type)->name, row->variant[0] != '\0' ? "/" : "", row->variant,
           m->columns[column], cell_names[row->cells[column]], wrong);
}
