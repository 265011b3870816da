/* The operator's command, `sallyport`: what its parts share. Run by root, or by the user who runs
 * the server; talks to the monitor over the control socket or, when no server runs, to a store of
 * its own. Never computes a password hash and never writes to the state folder itself. */
#ifndef SALLYPORT_COMMAND_H
#define SALLYPORT_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "common/config.h"
#include "common/facts.h"
#include "common/message.h"
#include "common/secret.h"

/* How the program ends. */
enum result { DONE = 0, REFUSED = 1, USAGE = 2, NO_SERVER = 3 };

/* ---- table.c: commands and options as data ------------------------------------------------- */

enum option {
#define OPTION(NAME, name, argument, completion, help) OPTION_##NAME,
#define COMMAND(...)
#include "monitor/command/commands.def"
#undef OPTION
#undef COMMAND
    OPTION_COUNT,
};

enum completion {
    COMPLETE_WORD,
    COMPLETE_FOLDER,
    COMPLETE_FILE,
    COMPLETE_RIGHT,
    COMPLETE_HOSTKEY,
    COMPLETE_KEY,
};
enum need { NEEDS_NOTHING, NEEDS_CONFIG, NEEDS_STORE, NEEDS_SERVER };

struct option_info {
    const char *name, *argument;
    enum completion completion;
    const char *help;
};

struct context;

struct command {
    enum result (*run)(struct context *c);
    const char *name, *subcommand; /* subcommand: NULL where there is none */
    const char *arguments;
    size_t least, most;
    enum need need;
    uint64_t options; /* bits by enum option */
    const char *help;
};

extern const struct option_info option_infos[OPTION_COUNT];
extern const struct command commands[];
extern const size_t command_count;

#define COMMAND_HAS(command, option) (((command)->options & (UINT64_C(1) << (option))) != 0)

/* Usage: of everything, or of one command. */
void usage_all(FILE *out);
void usage_command(const struct command *command, FILE *out);

/* ---- link.c: the server, or a store of our own --------------------------------------------- */

struct link {
    int socket;  /* to the monitor, or to the store; -1: none */
    bool server; /* a server runs and socket leads to it */
    pid_t child; /* the store that we started, or 0 */
    uint32_t id; /* of the last request */
    struct envelope answer;
};

/* Is there a server? Opens the link to it. Returns 1, 0 there is none, or -1 after telling why. */
int link_server(struct context *c);
/* The server's link, or a store of our own. Returns 0, or -1 after telling why. */
int link_store(struct context *c);
void link_close(struct link *link);

/* Ask and wait for the answer, which is in link.answer until the next. A refusal is told, unless
 * its errno is `quiet` (0: none is). Returns the answer's type, or MSG_NONE after telling why
 * (errno: the refusal's). */
enum message_type ask(struct context *c, enum message_type type, const void *message, int quiet);

/* Hash a new password in a hasher of our own. Returns 0, or -1 after telling why. */
int hash_new(struct context *c, const struct secret *password, struct secret *hash);

/* ---- main.c -------------------------------------------------------------------------------- */

struct context {
    const char *config_path;
    struct config config; /* read where the command needs it */
    bool config_read;
    bool json;
    const struct command *command;
    const char *options[OPTION_COUNT]; /* NULL: not given; "" for those without argument */
    char **arguments;
    size_t argument_count;
    struct link link;
};

static inline bool given(const struct context *c, enum option option)
{
    return c->options[option] != NULL;
}

/* "sallyport: ..." on stderr, one line, control characters escaped. */
void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A line into the audit log about a change: who and what, never a secret. A log that cannot be
 * written is told as a warning: the change has been made. account may be "". */
void tell_audit(struct context *c, const char *event, const char *account, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* End an account's live sessions, if a server runs. Returns how many there were, or -1. */
int end_sessions(struct context *c, const char *account);

/* ---- output.c: tables for people, JSON for programs ---------------------------------------- */

struct column {
    const char *title, *key; /* key: in the JSON object */
};

/* Any bytes as JSON text: what is no UTF-8 or would change what is seen is escaped as \xNN. */
json_t *json_from(struct slice text);
/* Seconds since 1970 as "2026-01-02T03:04:05Z"; 0: null. */
json_t *json_time(int64_t seconds);
/* Put into an object; a failed value makes the object useless but never crashes. */
void put(json_t *object, const char *key, json_t *value);

/* Print rows (an array of objects; taken): a table of these columns, or all as JSON. */
enum result print_rows(const struct context *c, json_t *rows, const struct column *columns,
                       size_t count);
/* Print one object (taken): a line a column, or all as JSON. */
enum result print_record(const struct context *c, json_t *record, const struct column *columns,
                         size_t count);
/* What was done: a sentence for people, or the object (taken, may be NULL) for programs. */
enum result print_done(const struct context *c, json_t *record, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A text with control characters escaped, for a line of people's. Returns to. */
char *cleaned(struct slice text, char *to, size_t size);
/* May this character stand in what people read? n: bytes of it at the start of text, 0: no UTF-8.
 */
size_t shown_character(struct slice text);

/* ---- values.c: what operators write -------------------------------------------------------- */

/* Each returns 0, or -1 after telling what is wrong with the option. */
int option_number(const struct context *c, enum option option, uint64_t least, uint64_t most,
                  uint64_t *number);
int option_size(const struct context *c, enum option option, uint64_t *size);
/* Rights as rights_parse has them. what: the option or argument. */
int rights_given(const char *what, const char *text, uint32_t now, uint32_t *rights);
/* never: may "never" stand for 0? */
int option_time(const struct context *c, enum option option, bool never, int64_t *seconds);

/* ---- text.c: files that operators give ------------------------------------------------------ */

/* A text that may turn out to be secret: wiped when it is freed. */
struct text {
    uint8_t *bytes;
    size_t len, size;
};

/* Read a file by its name below folder ("-": standard input). folder_hint: what else to tell where
 * it is a folder, or "". Returns 0, or -1 after telling why. */
int text_read(int folder, const char *name, const char *folder_hint, struct text *t);
void text_free(struct text *t);

/* ---- password.c ---------------------------------------------------------------------------- */

/* From stdin, one line; or asked for twice at the terminal. Returns 0, or -1 after telling why. */
int password_from_stdin(struct secret *password);
int password_from_terminal(const char *account, struct secret *password);
/* Twenty characters, about 115 bits, none that look alike. Returns 0, or -1 after telling why. */
int password_generate(struct secret *password);
/* Ask a question at the terminal: 1 yes, 0 no, -1 there is none. */
int confirm(const char *question);

/* ---- home.c -------------------------------------------------------------------------------- */

enum home_state { HOME_MADE, HOME_KEPT, HOME_FAILED };

/* Make an account's home, mode 0700 and the account's own (as root), and the folders above it. One
 * that exists is kept as it is. A note goes to stderr where somebody else owns it. */
enum home_state home_make(const char *home, uint32_t uid, uint32_t gid);

/* ---- accounts.c: what user.c and key.c both need ------------------------------------------- */

/* An account by its exact name: 1 (points into link.answer), 0 after telling that there is none, -1
 * after telling why. */
int account_find(struct context *c, const char *name, struct account *account);
json_t *account_json(const struct account *account);
json_t *rights_json(uint32_t rights);

/* ---- own.c: what an account's owner does with it ------------------------------------------- */

/* Into what is shown of an account: its address, codes, invitation. Returns 0, or -1 after telling.
 */
int own_put(struct context *c, const char *name, json_t *record);
/* Mail a link that sets the first password ("": to the account's address). 0, or -1 after telling.
 */
int own_invite(struct context *c, const char *name, const char *email);

/* ---- folder.c ------------------------------------------------------------------------------- */

#define FOLDER_MODE 02770 /* of a folder set's folder: what is made in it gets its group */

/* Each folder set, in order. Returns 0, or -1 after telling why. */
typedef void (*folder_seen)(const struct folder_set *folder, void *context);
int folders_each(struct context *c, folder_seen seen, void *context);

/* Why a folder is not one that accounts can share by this group, or NULL. */
struct stat;
const char *folder_unshared(const struct stat *st, uint32_t gid);

/* ---- cert.c -------------------------------------------------------------------------------- */

/* What --key may be, by its place in the list; NULL behind the last. */
const char *cert_key_name(size_t place);

/* ---- check.c, audit.c, manual.c ------------------------------------------------------------ */

enum result print_manual(const char *what);

/* The handlers of commands.def: each in the file of its command. */
#define OPTION(NAME, name, argument, completion, help)
#define COMMAND(handler, ...) enum result command_##handler(struct context *c);
#include "monitor/command/commands.def"
#undef OPTION
#undef COMMAND

#endif
