/* `sallyport completion bash|zsh`: written from the table of commands, so that it never knows less
 * or more than the parser. */
#include <string.h>

#include "common/hostkey.h"
#include "common/operations.h"
#include "monitor/command/command.h"

/* Does a command with this name stand before this row? */
static bool seen_before(size_t row)
{
    for (size_t i = 0; i < row; i++) {
        if (strcmp(commands[i].name, commands[row].name) == 0)
            return true;
    }
    return false;
}

static void print_names(void)
{
    for (size_t i = 0; i < command_count; i++) {
        if (!seen_before(i))
            printf("%s ", commands[i].name);
    }
}

static void print_subcommands(const char *name)
{
    for (size_t i = 0; i < command_count; i++) {
        if (strcmp(commands[i].name, name) == 0 && commands[i].subcommand != NULL)
            printf("%s ", commands[i].subcommand);
    }
}

static void print_options(const struct command *command)
{
    for (int o = 0; o < OPTION_COUNT; o++) {
        if (COMMAND_HAS(command, o))
            printf("--%s ", option_infos[o].name);
    }
    fputs("--json --help", stdout);
}

/* The words that may follow an option, as a bash command that sets COMPREPLY. */
static void print_values(enum completion completion)
{
    fputs("COMPREPLY=($(compgen ", stdout);
    switch (completion) {
    case COMPLETE_FOLDER:
        fputs("-d", stdout);
        break;
    case COMPLETE_FILE:
        fputs("-f", stdout);
        break;
    case COMPLETE_KEY:
        fputs("-W \"", stdout);
        for (size_t i = 0; cert_key_name(i) != NULL; i++)
            printf("%s%s", i > 0 ? " " : "", cert_key_name(i));
        fputs("\"", stdout);
        break;
    case COMPLETE_RIGHT:
        fputs("-W \"all none", stdout);
        for (int bit = 0; bit < RIGHT_COUNT; bit++)
            printf(" %s", right_info((enum right_bit)bit)->name);
        fputs("\"", stdout);
        break;
    case COMPLETE_HOSTKEY:
        fputs("-W \"", stdout);
        for (int type = 0; type < HOSTKEY_COUNT; type++)
            printf("%s%s", type > 0 ? " " : "", hostkey_info((enum hostkey_type)type)->name);
        fputs("\"", stdout);
        break;
    case COMPLETE_WORD:
        fputs("-W \"\"", stdout);
        break;
    }
    fputs(" -- \"$cur\"))", stdout);
}

static void print_bash(void)
{
    fputs("# Completion of sallyport, for bash: made by `sallyport completion bash`.\n"
          "_sallyport() {\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} i w words=()\n"
          "    COMPREPLY=()\n"
          "    case $prev in\n"
          "    -c) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n",
          stdout);
    for (int o = 0; o < OPTION_COUNT; o++) {
        if (option_infos[o].argument == NULL)
            continue;
        printf("    --%s) ", option_infos[o].name);
        print_values(option_infos[o].completion);
        fputs("; return ;;\n", stdout);
    }
    fputs("    esac\n"
          "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
          "        w=${COMP_WORDS[i]}\n"
          "        case $w in\n"
          "        -c) i=$((i + 1)) ;;\n"
          "        -*) ;;\n"
          "        *) words+=(\"$w\") ;;\n"
          "        esac\n"
          "    done\n"
          "    case \"${words[0]} ${words[1]}\" in\n",
          stdout);
    for (size_t i = 0; i < command_count; i++) {
        const struct command *command = &commands[i];
        printf("    \"%s %s\"%s) ", command->name,
               command->subcommand != NULL ? command->subcommand : "",
               command->subcommand != NULL ? "" : "*");
        fputs("[[ $cur == -* ]] && COMPREPLY=($(compgen -W \"", stdout);
        print_options(command);
        printf("\" -- \"$cur\")) || COMPREPLY=($(compgen %s -- \"$cur\")) ;;\n",
               strchr(command->arguments, '|') != NULL && command->subcommand == NULL
                   ? "-W \"bash zsh\""
                   : "-f");
    }
    for (size_t i = 0; i < command_count; i++) {
        if (seen_before(i) || commands[i].subcommand == NULL)
            continue;
        printf("    \"%s \"*) COMPREPLY=($(compgen -W \"", commands[i].name);
        print_subcommands(commands[i].name);
        fputs("\" -- \"$cur\")) ;;\n", stdout);
    }
    fputs("    *) COMPREPLY=($(compgen -W \"", stdout);
    print_names();
    fputs("-c --json --help --version\" -- \"$cur\")) ;;\n"
          "    esac\n"
          "}\n",
          stdout);
}

/* zsh reads bash's by its own bridge. */
static void print_zsh(void)
{
    fputs("#compdef sallyport\n"
          "# Completion of sallyport, for zsh: made by `sallyport completion zsh`.\n"
          "autoload -U +X bashcompinit && bashcompinit\n",
          stdout);
    print_bash();
    /* Loaded by the first completion itself, it has to answer that one too. */
    fputs("complete -F _sallyport sallyport\n"
          "[[ -z $compstate ]] || _bash_complete -F _sallyport\n",
          stdout);
}

enum result command_completion(struct context *c)
{
    if (strcmp(c->arguments[0], "bash") == 0) {
        print_bash();
        fputs("complete -o filenames -F _sallyport sallyport\n", stdout);
    } else if (strcmp(c->arguments[0], "zsh") == 0) {
        print_zsh();
    } else {
        tell("completion: \"%s\" is neither bash nor zsh", c->arguments[0]);
        return USAGE;
    }
    return DONE;
}
