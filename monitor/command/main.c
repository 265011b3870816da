/* `sallyport`: reads the command line by the table of commands.def, then runs one command. A wrong
 * line ends here, before anything is opened, with status 2. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/log.h"
#include "monitor/command/command.h"

#define LINE_SIZE 4096

void tell(const char *format, ...)
{
    char raw[LINE_SIZE], line[LINE_SIZE * 2];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(raw, sizeof(raw), format, arguments);
    va_end(arguments);
    fprintf(stderr, "sallyport: %s\n", cleaned(slice_text(raw), line, sizeof(line)));
}

/* What stands on the command line. */
struct line {
    char **words; /* those that are no options; room for all */
    size_t count;
    bool help, version;
};

static int find_option(const char *name, size_t len)
{
    for (int o = 0; o < OPTION_COUNT; o++) {
        if (strlen(option_infos[o].name) == len && memcmp(option_infos[o].name, name, len) == 0)
            return o;
    }
    return -1;
}

/* One --option: argument[0] begins with it. Returns how many further words it took, or -1. */
static int take_option(struct context *c, struct line *line, char *const *argument)
{
    const char *name = argument[0] + 2;
    const size_t len = strcspn(name, "=");
    const char *value = name[len] == '=' ? name + len + 1 : NULL;

    if (strcmp(name, "json") == 0 || strcmp(name, "help") == 0 || strcmp(name, "version") == 0) {
        c->json |= name[0] == 'j';
        line->help |= name[0] == 'h';
        line->version |= name[0] == 'v';
        return 0;
    }
    const int option = find_option(name, len);
    if (option < 0) {
        tell("there is no option %s; `sallyport --help` tells all", argument[0]);
        return -1;
    }
    if (given(c, option)) {
        tell("--%s is given twice", option_infos[option].name);
        return -1;
    }
    if (option_infos[option].argument == NULL) {
        c->options[option] = "";
        if (value != NULL)
            tell("--%s takes no value", option_infos[option].name);
        return value != NULL ? -1 : 0;
    }
    const bool further = value == NULL;
    c->options[option] = further ? argument[1] : value;
    if (c->options[option] == NULL) {
        tell("--%s needs a value: %s", option_infos[option].name, option_infos[option].argument);
        return -1;
    }
    return further ? 1 : 0;
}

/* Read all words. Returns 0, or -1 after telling what is wrong. */
static int read_line(struct context *c, struct line *line, char *const *argv)
{
    bool only_words = false;

    for (char *const *at = argv + 1; *at != NULL; at++) {
        if (only_words || (*at)[0] != '-' || (*at)[1] == '\0') {
            line->words[line->count++] = *at;
        } else if (strcmp(*at, "--") == 0) {
            only_words = true;
        } else if ((*at)[1] == '-') {
            const int further = take_option(c, line, at);
            if (further < 0)
                return -1;
            at += further;
        } else if (strcmp(*at, "-h") == 0) {
            line->help = true;
        } else if (strcmp(*at, "-c") == 0 && at[1] != NULL) {
            c->config_path = *++at;
        } else {
            tell(strcmp(*at, "-c") == 0 ? "-c needs a file" : "there is no option %s", *at);
            return -1;
        }
    }
    return 0;
}

/* The command that the first words name; *used: how many words that took. NULL after telling. */
static const struct command *find_command(const struct line *line, size_t *used)
{
    char names[512] = "";
    size_t at = 0;

    for (size_t i = 0; i < command_count; i++) {
        const struct command *command = &commands[i];
        if (strcmp(command->name, line->words[0]) != 0)
            continue;
        *used = command->subcommand == NULL ? 1 : 2;
        if (*used == 1 || (line->count > 1 && strcmp(command->subcommand, line->words[1]) == 0))
            return command;
        at += (size_t)snprintf(names + at, sizeof(names) - at, "%s%s", at > 0 ? ", " : "",
                               command->subcommand);
    }
    if (at == 0)
        tell("there is no command %s; `sallyport --help` tells all", line->words[0]);
    else if (line->count > 1)
        tell("there is no %s %s; there are: %s", line->words[0], line->words[1], names);
    else
        tell("%s needs one of: %s", line->words[0], names);
    return NULL;
}

/* Do the options and the number of arguments fit the command? */
static int check_line(const struct context *c)
{
    char name[64];

    snprintf(name, sizeof(name), "%s%s%s", c->command->name,
             c->command->subcommand != NULL ? " " : "",
             c->command->subcommand != NULL ? c->command->subcommand : "");
    for (int o = 0; o < OPTION_COUNT; o++) {
        if (given(c, o) && !COMMAND_HAS(c->command, o)) {
            tell("%s takes no --%s", name, option_infos[o].name);
            return -1;
        }
    }
    if (c->argument_count < c->command->least) {
        tell("%s needs %s", name, c->command->arguments);
        return -1;
    }
    if (c->argument_count > c->command->most) {
        tell("%s: what is \"%s\"? Too many words", name, c->arguments[c->command->most]);
        return -1;
    }
    return 0;
}

/* What the command needs before it runs. */
static enum result prepare(struct context *c)
{
    struct config_trouble trouble;

    if (c->command->need == NEEDS_NOTHING)
        return DONE;
    c->config_read = true;
    if (config_read(c->config_path, &c->config, &trouble) < 0) {
        tell("%s", trouble.text);
        return REFUSED;
    }
    if (c->command->need == NEEDS_STORE)
        return link_store(c) < 0 ? REFUSED : DONE;
    if (c->command->need == NEEDS_SERVER) {
        const int r = link_server(c);
        if (r == 0)
            tell("no server runs (nobody listens on %s/control)", c->config.server_run_dir);
        return r < 0 ? REFUSED : r == 0 ? NO_SERVER : DONE;
    }
    return DONE;
}

static enum result run(struct context *c, struct line *line, char *const *argv)
{
    size_t used = 0;

    if (read_line(c, line, argv) < 0)
        return USAGE;
    if (line->version) {
        printf("sallyport %s\n", SALLYPORT_VERSION);
        return DONE;
    }
    if (line->count == 0) {
        usage_all(line->help ? stdout : stderr);
        return line->help ? DONE : USAGE;
    }
    /* Not for operators: the pages of the manual are made of it when sallyport is built. */
    if (line->count == 2 && strcmp(line->words[0], "manual") == 0)
        return print_manual(line->words[1]);
    c->command = find_command(line, &used);
    if (c->command == NULL)
        return USAGE;
    c->arguments = line->words + used;
    c->argument_count = line->count - used;
    if (line->help) {
        usage_command(c->command, stdout);
        return DONE;
    }
    if (check_line(c) < 0) {
        usage_command(c->command, stderr);
        return USAGE;
    }
    const enum result ready = prepare(c);
    return ready != DONE ? ready : c->command->run(c);
}

int main(int argc, char **argv)
{
    static struct context context = {.config_path = SALLYPORT_CONFIG, .link = {.socket = -1}};
    struct line line = {.words = calloc((size_t)argc + 1, sizeof(char *))};
    enum result result = REFUSED;

    log_open("sallyport", LOG_TO_NOWHERE, LOG_LEVEL_ERROR);
    umask(022);
    if (line.words == NULL)
        tell("no memory");
    else
        result = run(&context, &line, argv);
    link_close(&context.link);
    if (context.config_read)
        config_free(&context.config);
    free(line.words);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        tell("the output cannot be written");
        result = result == DONE ? REFUSED : result;
    }
    return (int)result;
}
