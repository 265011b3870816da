/* The parts of the manual pages that are data: made when sallyport is built, from the tables that
 * the programs work by (`sallyport manual WHAT`; docs/pages puts them into the pages). */
#include <ctype.h>
#include <string.h>

#include "common/operations.h"
#include "monitor/command/command.h"

/* Help as a sentence on a line of mdoc(7): nothing in it is a request or an escape. */
static void print_text(const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", stdout);
    else if (*text != '\0' && *text != '\\' && *text != '`')
        fputc(toupper((unsigned char)*text++), stdout);
    for (; *text != '\0'; text++) {
        if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '`')
            fputs("\\(ga", stdout);
        else
            fputc(*text, stdout);
    }
}

/* "NUMBER|SHA256:...|COMMENT" or "[NAME KEYFILE|-]" as arguments of a macro. */
static void print_arguments(const char *arguments)
{
    for (const char *at = arguments; *at != '\0';) {
        const size_t n = strcspn(at, "[] |");
        if (n > 0)
            printf(" %s %.*s", strncmp(at, "-]", 2) == 0 ? "Fl" : "Ar", at[0] == '-' ? 0 : (int)n,
                   at);
        at += n;
        if (*at == '|')
            fputs(" |", stdout);
        at += *at != '\0';
    }
}

static void print_option(const struct option_info *option)
{
    printf(".It Fl -%s", option->name);
    if (option->argument != NULL)
        print_arguments(option->argument);
    fputc('\n', stdout);
    print_text(option->help);
    fputs(".\n", stdout);
}

static void print_commands(void)
{
    for (size_t i = 0; i < command_count; i++) {
        const struct command *command = &commands[i];
        printf(".It Cm %s%s%s", command->name, command->subcommand != NULL ? " " : "",
               command->subcommand != NULL ? command->subcommand : "");
        print_arguments(command->arguments);
        printf("\n");
        print_text(command->help);
        fputs(".\n", stdout);
        if (command->options == 0)
            continue;
        fputs(".Bl -tag -width Ds\n", stdout);
        for (int o = 0; o < OPTION_COUNT; o++) {
            if (COMMAND_HAS(command, o))
                print_option(&option_infos[o]);
        }
        fputs(".El\n", stdout);
    }
}

static void print_rights(void)
{
    for (int bit = 0; bit < RIGHT_COUNT; bit++) {
        const struct right_info *right = right_info((enum right_bit)bit);
        printf(".It Cm %s\n", right->name);
        print_text(right->help);
        fputs(".\n", stdout);
    }
}

static void print_settings(void)
{
    config_print_manual(stdout);
}

static void print_example(void)
{
    config_print_example(stdout);
}

enum result print_manual(const char *what)
{
    static const struct {
        const char *name;
        void (*print)(void);
    } parts[] = {
        {"commands", print_commands},
        {"rights", print_rights},
        {"settings", print_settings},
        {"example", print_example},
    };

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strcmp(parts[i].name, what) == 0) {
            parts[i].print();
            return DONE;
        }
    }
    tell("manual: there is no part \"%s\"", what);
    return USAGE;
}
