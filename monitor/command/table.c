/* commands.def as data, and the usage texts that are made of it. Called by main.c, completion.c and
 * manual.c; holds nothing that is not in the table. */
#include "monitor/command/command.h"

#include <string.h>

const struct option_info option_infos[OPTION_COUNT] = {
#define OPTION(NAME, name, argument, completion, help)                                             \
    [OPTION_##NAME] = {name, argument, COMPLETE_##completion, help},
#define COMMAND(...)
#include "monitor/command/commands.def"
#undef OPTION
#undef COMMAND
};

#define HAS(NAME) (UINT64_C(1) << OPTION_##NAME)

const struct command commands[] = {
#define OPTION(NAME, name, argument, completion, help)
#define COMMAND(handler, name, subcommand, arguments, least, most, needs, options, help)           \
    {command_##handler, name, subcommand, arguments, least, most, NEEDS_##needs, options, help},
#include "monitor/command/commands.def"
#undef OPTION
#undef COMMAND
};
const size_t command_count = sizeof(commands) / sizeof(commands[0]);

_Static_assert(OPTION_COUNT <= 64, "a command's options are the bits of a uint64_t");

static const char *const globals[][2] = {
    {"-c FILE", "the configuration, else " SALLYPORT_CONFIG},
    {"--json", "answers as JSON, for programs"},
    {"-h, --help", "this, or the help of one command"},
    {"--version", "print the version"},
};

/* "user add NAME", cut at no width. */
static int print_name(const struct command *command, FILE *out)
{
    return fprintf(out, "%s%s%s%s%s", command->name, command->subcommand != NULL ? " " : "",
                   command->subcommand != NULL ? command->subcommand : "",
                   command->arguments[0] != '\0' ? " " : "", command->arguments);
}

void usage_all(FILE *out)
{
    fprintf(out, "usage: sallyport [-c FILE] [--json] COMMAND ...\n\n");
    for (size_t i = 0; i < command_count; i++) {
        fputs("  ", out);
        const int n = print_name(&commands[i], out);
        if (n > 28)
            fprintf(out, "\n%30s", "");
        fprintf(out, "%*s%s\n", n > 28 ? 2 : 30 - n, "", commands[i].help);
    }
    fputc('\n', out);
    for (size_t i = 0; i < sizeof(globals) / sizeof(globals[0]); i++)
        fprintf(out, "  %-30s%s\n", globals[i][0], globals[i][1]);
    fprintf(out,
            "\n`sallyport COMMAND --help` tells a command's options; sallyport(1) tells all.\n");
}

void usage_command(const struct command *command, FILE *out)
{
    fputs("usage: sallyport ", out);
    print_name(command, out);
    fprintf(out, "%s\n%s\n", command->options != 0 ? " [OPTIONS]" : "", command->help);
    for (int o = 0; o < OPTION_COUNT; o++) {
        const struct option_info *info = &option_infos[o];
        char text[64];
        if (!COMMAND_HAS(command, o))
            continue;
        snprintf(text, sizeof(text), "--%s%s%s", info->name, info->argument != NULL ? " " : "",
                 info->argument != NULL ? info->argument : "");
        fprintf(out, "  %-28s  %s\n", text, info->help);
    }
}
