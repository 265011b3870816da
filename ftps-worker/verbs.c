/* The table of verbs and the way of a command through it: its row, the state, the argument, the
 * handler. Called by the control connection for each line. Must never run what the table does not
 * allow in the session's state. */
#include <errno.h>
#include <string.h>

#include "ftps-worker/worker.h"

/* ---- the tables ----------------------------------------------------------------------------- */
#define CLEAR  STATE_CLEAR
#define LOGIN  (STATE_SECURE | STATE_NAMED)
#define BEFORE (STATE_CLEAR | STATE_SECURE)
#define NAMED  STATE_NAMED
#define OPEN   STATE_OPEN
#define TLS    (LOGIN | OPEN)
#define ANY    (CLEAR | TLS)

static const char log_in[] = "530 Log in first: USER, then PASS";
static const char auth_first[] = "503 AUTH TLS comes first";
static const char tls_only[] = "530 This server takes logins over TLS only: choose \"FTP over TLS "
                               "(explicit)\" in your client";
#define LOG_IN     log_in
#define AUTH_FIRST auth_first
#define HOST_FIRST "503 HOST comes before USER"
#define TWICE      "503 You are logged in already"
#define USER_FIRST "503 PASS comes after USER, once"

static const struct verb verbs[] = {
#define VERB(name, function, states, argument, busy, feature, operations, misuse, help)            \
    {name, on_##function, states, ARGUMENT_##argument, busy, feature, operations, misuse, help},
#define ALIAS(name, of)
#define SITE(name, function, argument, operations, help)
#include "ftps-worker/verbs.def"
#undef VERB
#undef ALIAS
#undef SITE
};

static const struct {
    const char *name, *of;
} aliases[] = {
#define VERB(name, function, states, argument, busy, feature, operations, misuse, help)
#define ALIAS(name, of) {name, of},
#define SITE(name, function, argument, operations, help)
#include "ftps-worker/verbs.def"
#undef VERB
#undef ALIAS
#undef SITE
};

static const struct verb sites[] = {
#define VERB(name, function, states, argument, busy, feature, operations, misuse, help)
#define ALIAS(name, of)
// clang-format off
#define SITE(name, function, argument, operations, help)                                           \
    {name, on_##function, OPEN, ARGUMENT_##argument, WAITS, NULL, operations, LOG_IN, help},
// clang-format on
#include "ftps-worker/verbs.def"
#undef VERB
#undef ALIAS
#undef SITE
};

const struct verb *verbs_all(size_t *count)
{
    *count = sizeof(verbs) / sizeof(verbs[0]);
    return verbs;
}

const struct verb *verbs_site(size_t *count)
{
    *count = sizeof(sites) / sizeof(sites[0]);
    return sites;
}

static const struct verb *find(const struct verb *table, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    }
    return NULL;
}

const struct verb *verb_find(const char *name)
{
    for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
        if (strcmp(aliases[i].name, name) == 0)
            name = aliases[i].of;
    }
    return find(verbs, sizeof(verbs) / sizeof(verbs[0]), name);
}

/* ---- a command ------------------------------------------------------------------------------ */
#define UNKNOWN_LOGGED 10

static void unknown(struct worker *w, struct slice line)
{
    if (w->unknown_verbs++ < UNKNOWN_LOGGED)
        log_info("an unknown verb: %.*s", (int)(line.len < 32 ? line.len : 32),
                 (const char *)line.data);
    reply(w, 500, "Unknown verb; HELP lists those that are known");
}

/* The argument as the row wants it. Returns false with the reply made. */
static bool take_argument(struct worker *w, struct command *c)
{
    const enum argument kind = c->verb->argument;
    struct slice *text = &c->text;

    if (kind == ARGUMENT_NONE || kind == ARGUMENT_TEXT || kind == ARGUMENT_OPTIONAL) {
        while (text->len > 0 && text->data[text->len - 1] == ' ' && kind == ARGUMENT_NONE)
            text->len--;
        while (text->len > 0 && text->data[0] == ' ')
            *text = slice_of(text->data + 1, text->len - 1);
    }
    if (kind == ARGUMENT_NONE && text->len > 0) {
        reply(w, 501, "%s takes no argument", c->verb->name);
        return false;
    }
    if ((kind == ARGUMENT_TEXT || kind == ARGUMENT_PATH) && text->len == 0) {
        reply(w, 501, "%s needs an argument: %s", c->verb->name, c->verb->help);
        return false;
    }
    if (kind != ARGUMENT_PATH && kind != ARGUMENT_PATH_HERE)
        return true;
    if (path_join(&c->path, path_slice(&w->folder), *text) != 0) {
        reply(w, 553, "The name is too long");
        return false;
    }
    return true;
}

void reply_log_in(struct worker *w)
{
    reply_text(w, w->state == STATE_CLEAR ? tls_only : log_in);
}

static void run(struct worker *w, const struct verb *verb, struct slice text)
{
    static struct command c; /* large; one command at a time */
    const char *misuse = verb->misuse;

    if (w->state == STATE_CLEAR && misuse != auth_first)
        misuse = tls_only;
    if ((verb->states & (uint32_t)w->state) == 0) {
        reply_text(w, misuse);
        return;
    }
    c.verb = verb;
    c.text = text;
    if (take_argument(w, &c))
        verb->run(w, &c);
}

void on_site(struct worker *w, const struct command *c)
{
    char name[16];
    struct slice text;

    line_split(c->text, name, sizeof(name), &text);
    const struct verb *verb = find(sites, sizeof(sites) / sizeof(sites[0]), name);
    if (verb == NULL)
        reply(w, 504, "Unknown; SITE HELP lists what is known");
    else
        run(w, verb, text);
}

bool command_run(struct worker *w)
{
    const struct line_reader *r = &w->control.reader;
    const struct slice line = slice_of(r->text, r->len);
    const bool working = w->work.kind != WORK_NONE;
    struct slice text;
    char name[16];

    const bool argument = line_split(line, name, sizeof(name), &text);
    const struct verb *verb = verb_find(name);
    const bool at_once = verb != NULL && verb->busy == AT_ONCE && !argument && !r->bad &&
                         !r->too_long && w->work.kind != WORK_STATUS;
    if (working && !at_once)
        return false;
    /* A name that was to be changed is forgotten by every command but the one that says how. */
    if (!working && (verb == NULL || strcmp(name, "RNTO") != 0))
        w->renaming = false;
    if (r->too_long)
        reply(w, 500, "The line is too long: %u bytes at most", LINE_BYTES);
    else if (r->bad)
        reply(w, 501, "A NUL or a carriage return stands in the line");
    else if (verb == NULL)
        unknown(w, line);
    else
        run(w, verb, text);
    return true;
}
