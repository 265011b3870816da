/* What is enforced, for people: every table of the boundary, from the rows that the processes
 * themselves run by. Called by main.c for --print-policy; `make boundary` puts the tables into
 * docs/privilege-boundary.md. Must never print a rule that it did not read from such a table. */
#include <string.h>

#include "common/filters.h"
#include "common/operations.h"
#include "common/sandbox.h"
#include "monitor/monitor.h"

void policy_print(FILE *out)
{
    dispatch_print(out);
    fprintf(out, "\nSystem calls, after the sandbox is entered; anything else kills the process\n");
    sandbox_print_filters(out);
}

/* ------------------------------------------------------------------------- markdown */

/* Text for a cell: a bar would end it. */
static void print_cell(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|')
            putc('\\', out);
        putc(*text, out);
    }
}

static void print_processes(FILE *out)
{
    fprintf(out, "| process | what it is | rows in its filter |\n|---|---|---|\n");
    for (int p = 0; p < PROCESS_COUNT; p++) {
        size_t count;
        filter_rows((enum process)p, &count);
        fprintf(out, "| `%s` | ", process_name((enum process)p));
        print_cell(out, process_help((enum process)p));
        fprintf(out, " | %zu |\n", count);
    }
}

/* "user text 64, key bytes 8192": the schema's fields with the most bytes of each. */
static void print_fields(const struct message_info *info, FILE *out)
{
    static const char *const kinds[] = {
        [FIELD_U8] = "u8",         [FIELD_U32] = "u32",  [FIELD_U64] = "u64",
        [FIELD_I64] = "i64",       [FIELD_STR] = "text", [FIELD_BLOB] = "bytes",
        [FIELD_SECRET] = "secret",
    };

    for (size_t i = 0; i < info->field_count; i++) {
        const struct field_info *field = &info->fields[i];
        fprintf(out, "%s%s %s", i > 0 ? ", " : "", field->name, kinds[field->kind]);
        if (field->kind >= FIELD_STR)
            fprintf(out, " %u", field->most);
    }
}

static void print_link(enum message_link link, FILE *out)
{
    fprintf(out,
            "\n**%s**\n\n| message | descriptors | fields, and the most bytes of each | why it "
            "is safe, or what it is for |\n|---|---|---|---|\n",
            message_link_name(link));
    for (int t = MSG_NONE + 1; t < MSG_COUNT; t++) {
        const struct message_info *info = message_info((enum message_type)t);
        if (info->link != link)
            continue;
        fprintf(out, "| `%s` | ", info->name);
        if (info->fds_least == info->fds_most)
            fprintf(out, "%u", info->fds_most);
        else
            fprintf(out, "%u to %u", info->fds_least, info->fds_most);
        fprintf(out, " | ");
        print_fields(info, out);
        fprintf(out, " | ");
        print_cell(out, info->note);
        fprintf(out, " |\n");
    }
}

static void print_messages(FILE *out)
{
    for (int link = WORKER_TO_MONITOR; link <= NESTED; link++)
        print_link((enum message_link)link, out);
}

static void print_rights(FILE *out)
{
    const struct right_info *right;

    fprintf(out, "| right | what it lets an account do |\n|---|---|\n");
    for (unsigned bit = 0; (right = right_info((enum right_bit)bit)) != NULL; bit++) {
        fprintf(out, "| %s | ", right->name);
        print_cell(out, right->help);
        fprintf(out, " |\n");
    }
}

static void print_operations(FILE *out)
{
    const struct operation_info *operation;
    char right[128];

    fprintf(out, "| operation | changes something | right | what it is |\n|---|---|---|---|\n");
    for (unsigned n = 0; (operation = operation_info((enum operation)n)) != NULL; n++) {
        fprintf(out, "| %s | %s | %s | ", operation->name, operation->writes ? "yes" : "no",
                rights_format(operation->right, right, sizeof(right)));
        print_cell(out, operation->help);
        fprintf(out, " |\n");
    }
}

static void print_filters(FILE *out)
{
    char condition[FILTER_CONDITION_MAX];

    for (int p = 0; p < PROCESS_COUNT; p++) {
        size_t count;
        const struct filter_row *rows = filter_rows((enum process)p, &count);
        fprintf(out, "\n**%s**\n\n| system call | condition | why |\n|---|---|---|\n",
                process_name((enum process)p));
        for (size_t i = 0; i < count; i++) {
            filter_condition(&rows[i].condition, condition, sizeof(condition));
            fprintf(out, "| %s | %s | ", rows[i].name, condition);
            print_cell(out, rows[i].why);
            fprintf(out, " |\n");
        }
    }
}

void policy_print_markdown(FILE *out)
{
    static const struct {
        const char *name;
        void (*print)(FILE *out);
    } sections[] = {
        {"processes", print_processes},   {"dispatch", dispatch_print_markdown},
        {"messages", print_messages},     {"rights", print_rights},
        {"operations", print_operations}, {"filters", print_filters},
    };

    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        fprintf(out, "<!-- policy: %s -->\n", sections[i].name);
        sections[i].print(out);
        fprintf(out, "<!-- end of policy -->\n");
    }
}
