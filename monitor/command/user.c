/* `sallyport user ...`. Every change is the store's, made whole or not at all; what follows it (the
 * home, the end of live sessions, the audit line) is told if it fails and undoes nothing. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/operations.h"
#include "monitor/command/command.h"

/* ---- accounts as answers ------------------------------------------------------------------ */

int account_find(struct context *c, const char *name, struct account *account)
{
    const struct user_show show = {.name = slice_text(name)};

    if (strlen(name) > ACCOUNT_NAME_MAX)
        goto none;
    switch (ask(c, MSG_user_show, &show, 0)) {
    case MSG_account:
        if (decode_account(&c->link.answer, account) == 0)
            return 1;
        tell("the store's answer cannot be read");
        return -1;
    case MSG_nothing_more:
        goto none;
    case MSG_NONE:
        return -1;
    default:
        tell("the store's answer is none to this question");
        return -1;
    }
none:
    tell("there is no account \"%s\" (names are case-sensitive)", name);
    errno = ENOENT;
    return 0;
}

json_t *rights_json(uint32_t rights)
{
    json_t *list = json_array();

    for (int bit = 0; bit < RIGHT_COUNT; bit++) {
        if ((rights & (1u << bit)) != 0)
            json_array_append_new(list, json_string(right_info((enum right_bit)bit)->name));
    }
    return list;
}

/* Its folder sets: name, path, rights. */
static json_t *folders_json(struct slice rest)
{
    json_t *list = json_array();
    struct folder folder;

    while (unnest_folder(&rest, &folder) == 1) {
        json_t *o = json_object();
        put(o, "name", json_from(folder.name));
        put(o, "path", json_from(folder.path));
        put(o, "rights", rights_json(folder.rights));
        json_array_append_new(list, o);
    }
    return list;
}

json_t *account_json(const struct account *a)
{
    const bool expired = a->expires != 0 && a->expires <= time(NULL);
    json_t *o = json_object();

    put(o, "name", json_from(a->name));
    put(o, "status",
        json_string(a->status == ACCOUNT_DISABLED ? "disabled"
                    : expired                     ? "expired"
                                                  : "enabled"));
    put(o, "email", json_from(a->email));
    put(o, "home", json_from(a->home));
    put(o, "uid", json_integer(a->uid));
    put(o, "gid", json_integer(a->gid));
    put(o, "expires", json_time(a->expires));
    put(o, "password", json_boolean(a->password.len > 0));
    put(o, "keys", json_integer(a->key_count));
    put(o, "rights", rights_json(a->rights));
    put(o, "folders", folders_json(a->folders));
    put(o, "durable", json_boolean((a->flags & ACCOUNT_DURABLE) != 0));
    put(o, "atomic", json_boolean((a->flags & ACCOUNT_ATOMIC) != 0));
    put(o, "trash", json_boolean((a->flags & ACCOUNT_TRASH) != 0));
    put(o, "both", json_boolean((a->flags & ACCOUNT_BOTH) != 0));
    put(o, "data_fresh", json_boolean((a->flags & ACCOUNT_DATA_FRESH) != 0));
    put(o, "lax_close", json_boolean((a->flags & ACCOUNT_LAX_CLOSE) != 0));
    put(o, "codes", json_boolean((a->flags & ACCOUNT_CODE_ON) != 0));
    put(o, "codes_required", json_boolean((a->flags & ACCOUNT_CODES) != 0));
    put(o, "max_sessions", json_integer(a->max_sessions));
    put(o, "bandwidth", json_integer((json_int_t)a->bandwidth));
    put(o, "created", json_time(a->created));
    put(o, "last_login", json_time(a->last_login));
    return o;
}

static const struct column show_columns[] = {
    {"Name", "name"},
    {"Status", "status"},
    {"E-mail", "email"},
    {"Confirmed", "email_confirmed"},
    {"New e-mail", "new_email"},
    {"Invited until", "invited_until"},
    {"Home", "home"},
    {"Uid", "uid"},
    {"Gid", "gid"},
    {"Expires", "expires"},
    {"Password", "password"},
    {"... changed", "password_changed"},
    {"Codes", "codes"},
    {"... required", "codes_required"},
    {"Recovery codes", "recovery_codes"},
    {"Keys", "keys"},
    {"Rights", "rights"},
    {"Folder sets", "folders"},
    {"Durable", "durable"},
    {"Atomic", "atomic"},
    {"Trash", "trash"},
    {"Both needed", "both"},
    {"Data fresh", "data_fresh"},
    {"Lax close", "lax_close"},
    {"Max. sessions", "max_sessions"},
    {"Bandwidth", "bandwidth"},
    {"Created", "created"},
    {"Last login", "last_login"},
};

static const struct column list_columns[] = {
    {"NAME", "name"},
    {"STATUS", "status"},
    {"UID", "uid"},
    {"PASSWORD", "password"},
    {"KEYS", "keys"},
    {"EXPIRES", "expires"},
    {"LAST LOGIN", "last_login"},
    {"HOME", "home"},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum result command_user_show(struct context *c)
{
    struct account a;

    if (account_find(c, c->arguments[0], &a) <= 0)
        return REFUSED;
    json_t *record = account_json(&a);
    if (own_put(c, c->arguments[0], record) == 0)
        return print_record(c, record, show_columns, COUNT(show_columns));
    json_decref(record);
    return REFUSED;
}

enum result command_user_list(struct context *c)
{
    char after[ACCOUNT_NAME_MAX + 1] = "";
    json_t *rows = json_array();
    struct account a;

    for (;;) {
        const struct user_next next = {.after = slice_text(after)};
        const enum message_type type = ask(c, MSG_user_next, &next, 0);
        if (type == MSG_nothing_more)
            return print_rows(c, rows, list_columns, COUNT(list_columns));
        if (type != MSG_account || decode_account(&c->link.answer, &a) < 0 ||
            slice_copy(a.name, after, sizeof(after)) < 0)
            break;
        json_array_append_new(rows, account_json(&a));
    }
    json_decref(rows);
    return REFUSED;
}

/* ---- what options say of an account ------------------------------------------------------- */

struct wanted {
    struct user_set set; /* valid: what was given */
    char home[PATH_MAX];
    struct secret password, hash;
};

static void wanted_clear(struct wanted *w)
{
    secret_clear(&w->password);
    secret_clear(&w->hash);
}

/* Flags: each with the option that sets it and the one that takes it away. */
static const struct {
    enum account_flag flag;
    enum option on, off;
} flag_options[] = {
    {ACCOUNT_DURABLE, OPTION_DURABLE, OPTION_NO_DURABLE},
    {ACCOUNT_ATOMIC, OPTION_ATOMIC, OPTION_NO_ATOMIC},
    {ACCOUNT_TRASH, OPTION_TRASH, OPTION_NO_TRASH},
    {ACCOUNT_BOTH, OPTION_BOTH, OPTION_NO_BOTH},
    {ACCOUNT_DATA_FRESH, OPTION_DATA_FRESH, OPTION_NO_DATA_FRESH},
    {ACCOUNT_LAX_CLOSE, OPTION_LAX_CLOSE, OPTION_NO_LAX_CLOSE},
};

static int want_codes(const struct context *c, struct wanted *w)
{
    const char *what = c->options[OPTION_REQUIRE_CODES];
    const bool yes = strcmp(what, "yes") == 0;

    if (!yes && strcmp(what, "no") != 0) {
        tell("--require-codes: \"%s\" is neither yes nor no", what);
        return -1;
    }
    w->set.valid |= ACCOUNT_SET_FLAGS;
    w->set.flags = yes ? w->set.flags | ACCOUNT_CODES : w->set.flags & ~(uint32_t)ACCOUNT_CODES;
    return 0;
}

static int want_flags(const struct context *c, struct wanted *w)
{
    for (size_t i = 0; i < COUNT(flag_options); i++) {
        const bool on = given(c, flag_options[i].on), off = given(c, flag_options[i].off);
        if (on && off) {
            tell("--%s and --%s exclude each other", option_infos[flag_options[i].on].name,
                 option_infos[flag_options[i].off].name);
            return -1;
        }
        if (on || off)
            w->set.valid |= ACCOUNT_SET_FLAGS;
        if (on)
            w->set.flags |= flag_options[i].flag;
        if (off)
            w->set.flags &= ~(uint32_t)flag_options[i].flag;
    }
    return given(c, OPTION_REQUIRE_CODES) ? want_codes(c, w) : 0;
}

/* The home as given, absolute. */
static int want_home(const struct context *c, struct wanted *w)
{
    const char *given_home = c->options[OPTION_HOME];
    char here[PATH_MAX];
    int n;

    if (given_home[0] == '\0') {
        tell("--home: a folder is needed");
        return -1;
    }
    if (given_home[0] != '/' && getcwd(here, sizeof(here)) == NULL) {
        tell("--home: %s", strerror(errno));
        return -1;
    }
    n = snprintf(w->home, sizeof(w->home), "%s%s%s", given_home[0] == '/' ? "" : here,
                 given_home[0] == '/' ? "" : "/", given_home);
    if (n < 0 || (size_t)n >= sizeof(w->home)) {
        tell("--home: the path is too long");
        return -1;
    }
    w->set.home = slice_text(w->home);
    w->set.valid |= ACCOUNT_SET_HOME;
    return 0;
}

static int want_rights(const struct context *c, struct wanted *w)
{
    if (rights_given("--rights", c->options[OPTION_RIGHTS], w->set.rights, &w->set.rights) < 0)
        return -1;
    w->set.valid |= ACCOUNT_SET_RIGHTS;
    return 0;
}

/* Read the options that `add` and `set` share, over what w holds. Returns 0, or -1 after telling.
 */
static int want_options(const struct context *c, struct wanted *w)
{
    uint64_t number;

    if (given(c, OPTION_EMAIL)) {
        w->set.email = slice_text(c->options[OPTION_EMAIL]);
        w->set.valid |= ACCOUNT_SET_EMAIL;
    }
    if (given(c, OPTION_EXPIRES)) {
        if (option_time(c, OPTION_EXPIRES, true, &w->set.expires) < 0)
            return -1;
        w->set.valid |= ACCOUNT_SET_EXPIRES;
    }
    if (given(c, OPTION_MAX_SESSIONS)) {
        if (option_number(c, OPTION_MAX_SESSIONS, 0, 1000000, &number) < 0)
            return -1;
        w->set.max_sessions = (uint32_t)number;
        w->set.valid |= ACCOUNT_SET_MAX_SESSIONS;
    }
    if (given(c, OPTION_BANDWIDTH)) {
        if (option_size(c, OPTION_BANDWIDTH, &w->set.bandwidth) < 0)
            return -1;
        w->set.valid |= ACCOUNT_SET_BANDWIDTH;
    }
    if ((given(c, OPTION_RIGHTS) && want_rights(c, w) < 0) ||
        (given(c, OPTION_HOME) && want_home(c, w) < 0))
        return -1;
    return want_flags(c, w);
}

/* ---- passwords ---------------------------------------------------------------------------- */

/* A new password by the options, hashed. Nothing where none was asked for. */
static int want_password(struct context *c, struct wanted *w)
{
    if (given(c, OPTION_PASSWORD_STDIN) && given(c, OPTION_GENERATE_PASSWORD)) {
        tell("--password-stdin and --generate-password exclude each other");
        return -1;
    }
    if (given(c, OPTION_PASSWORD_STDIN)) {
        if (password_from_stdin(&w->password) < 0)
            return -1;
    } else if (!given(c, OPTION_GENERATE_PASSWORD) || password_generate(&w->password) < 0) {
        return given(c, OPTION_GENERATE_PASSWORD) ? -1 : 0;
    }
    return hash_new(c, &w->password, &w->hash);
}

/* "; 2 sessions ended", where a server runs. */
static const char *sessions_text(const struct context *c, int ended, char *text, size_t size)
{
    text[0] = '\0';
    if (c->link.server && ended >= 0)
        snprintf(text, size, "; %d session%s ended", ended, ended == 1 ? "" : "s");
    return text;
}

/* Store what w wants of an account. */
static int store_set(struct context *c, struct wanted *w, const char *name)
{
    w->set.name = slice_text(name);
    return ask(c, MSG_user_set, &w->set, 0) == MSG_store_done ? 0 : -1;
}

/* Set a password (or none) that w holds, end the sessions, tell. */
static enum result change_password(struct context *c, struct wanted *w, const char *what,
                                   bool print_password)
{
    const char *name = c->arguments[0];
    json_t *record = json_object();
    char text[64];

    w->set.valid = ACCOUNT_SET_PASSWORD;
    w->set.password = secret_slice(&w->hash);
    if (store_set(c, w, name) < 0) {
        json_decref(record);
        return REFUSED;
    }
    const int ended = end_sessions(c, name);
    tell_audit(c, "account-change", name, "password %s", what);
    put(record, "name", json_string(name));
    put(record, "sessions_ended", json_integer(ended));
    if (print_password)
        put(record, "password", json_string(secret_text(&w->password)));
    if (!print_password || c->json)
        return print_done(c, record, "password of %s %s%s", name, what,
                          sessions_text(c, ended, text, sizeof(text)));
    json_decref(record);
    printf("%s\n", secret_text(&w->password));
    return DONE;
}

enum result command_user_passwd(struct context *c)
{
    struct wanted w = {0};
    struct account a;
    enum result result = REFUSED;

    if (given(c, OPTION_REMOVE) && given(c, OPTION_PASSWORD_STDIN)) {
        tell("--remove and --password-stdin exclude each other");
        return USAGE;
    }
    if (account_find(c, c->arguments[0], &a) <= 0)
        return REFUSED;
    if (given(c, OPTION_REMOVE)) {
        if ((a.flags & ACCOUNT_BOTH) != 0)
            tell("note: the account needs both a password and a key, so nothing opens it now");
        return change_password(c, &w, "removed", false);
    }
    const int r = given(c, OPTION_PASSWORD_STDIN)
                      ? password_from_stdin(&w.password)
                      : password_from_terminal(c->arguments[0], &w.password);
    if (r == 0 && hash_new(c, &w.password, &w.hash) == 0)
        result = change_password(c, &w, "changed", false);
    wanted_clear(&w);
    return result;
}

enum result command_user_generate_password(struct context *c)
{
    struct wanted w = {0};
    struct account a;
    enum result result = REFUSED;

    if (account_find(c, c->arguments[0], &a) <= 0)
        return REFUSED;
    if (password_generate(&w.password) == 0 && hash_new(c, &w.password, &w.hash) == 0)
        result = change_password(c, &w, "generated", true);
    wanted_clear(&w);
    return result;
}

/* ---- add ---------------------------------------------------------------------------------- */

static int want_ids(const struct context *c, uint32_t *uid, uint32_t *gid)
{
    uint64_t number;

    *uid = *gid = ID_AUTOMATIC;
    if (given(c, OPTION_UID)) {
        if (option_number(c, OPTION_UID, 1, ID_AUTOMATIC - 1, &number) < 0)
            return -1;
        *uid = (uint32_t)number;
    }
    if (given(c, OPTION_GID)) {
        if (option_number(c, OPTION_GID, 1, ID_AUTOMATIC - 1, &number) < 0)
            return -1;
        *gid = (uint32_t)number;
    }
    return 0;
}

/* --invite stands in place of a password, and its address is the account's. Returns 0, or -1 after
 * telling. */
static int want_invite(const struct context *c, struct wanted *w)
{
    static const enum option others[] = {OPTION_EMAIL, OPTION_PASSWORD_STDIN,
                                         OPTION_GENERATE_PASSWORD};

    if (!given(c, OPTION_INVITE))
        return 0;
    for (size_t i = 0; i < COUNT(others); i++) {
        if (given(c, others[i])) {
            tell("--invite and --%s exclude each other", option_infos[others[i]].name);
            return -1;
        }
    }
    if (c->options[OPTION_INVITE][0] == '\0') {
        tell("--invite: an e-mail address is needed");
        return -1;
    }
    w->set.email = slice_text(c->options[OPTION_INVITE]);
    return 0;
}

/* The account is in the store: the invitation, its home, the audit line, the answer. */
static enum result added(struct context *c, struct wanted *w)
{
    const char *name = c->arguments[0];
    struct account a;
    char home[PATH_MAX];

    if (account_find(c, name, &a) <= 0 || slice_copy(a.home, home, sizeof(home)) < 0)
        return REFUSED;
    const uint32_t uid = a.uid, gid = a.gid;
    json_t *record = account_json(&a);
    if (given(c, OPTION_GENERATE_PASSWORD))
        put(record, "generated_password", json_string(secret_text(&w->password)));
    const enum home_state state = home_make(home, uid, gid);
    tell_audit(c, "account-change", name, "added: uid %" PRIu32 ", gid %" PRIu32 ", home %.400s",
               uid, gid, home);
    put(record, "home_made", json_boolean(state == HOME_MADE));
    const bool invited =
        given(c, OPTION_INVITE) && own_invite(c, name, c->options[OPTION_INVITE]) == 0;
    if (given(c, OPTION_INVITE))
        put(record, "invited", json_boolean(invited));
    if (given(c, OPTION_INVITE) && !invited)
        tell("the account was added, but not invited: `sallyport user invite` does it");
    if (state == HOME_FAILED)
        tell(
            "the account was added, but it has no home: make it, then look with `sallyport check`");
    print_done(c, record, "account %s added: uid %" PRIu32 ", gid %" PRIu32 ", home %s%s%s", name,
               uid, gid, home, invited ? "; an invitation goes to " : "",
               invited ? c->options[OPTION_INVITE] : "");
    if (given(c, OPTION_GENERATE_PASSWORD) && !c->json)
        printf("password: %s\n", secret_text(&w->password));
    return state == HOME_FAILED || invited != given(c, OPTION_INVITE) ? REFUSED : DONE;
}

enum result command_user_add(struct context *c)
{
    const char *name = c->arguments[0];
    struct wanted w = {.set.rights = RIGHTS_ALL};
    uint32_t uid, gid;
    enum result result = REFUSED;

    if (want_options(c, &w) < 0 || want_ids(c, &uid, &gid) < 0 || want_invite(c, &w) < 0)
        return USAGE;
    if (given(c, OPTION_INVITE) && !c->config.mail_enabled) {
        tell("--invite: mail is not enabled (mail.enabled in the server's configuration)");
        return REFUSED;
    }
    if (!given(c, OPTION_HOME)) {
        const int n = snprintf(w.home, sizeof(w.home), "%s/%s", c->config.server_home_base, name);
        w.set.home = slice_of(w.home, n > 0 && (size_t)n < sizeof(w.home) ? (size_t)n : 0);
    }
    if (want_password(c, &w) < 0)
        goto out;
    const struct user_add add = {
        .name = slice_text(name),
        .email = w.set.email,
        .home = w.set.home,
        .uid = uid,
        .gid = gid,
        .status = given(c, OPTION_DISABLED) ? ACCOUNT_DISABLED : ACCOUNT_ENABLED,
        .expires = w.set.expires,
        .password = secret_slice(&w.hash),
        .rights = w.set.rights,
        .flags = w.set.flags,
        .max_sessions = w.set.max_sessions,
        .bandwidth = w.set.bandwidth,
    };
    if (ask(c, MSG_user_add, &add, 0) == MSG_store_done)
        result = added(c, &w);
out:
    wanted_clear(&w);
    return result;
}

/* ---- the other changes -------------------------------------------------------------------- */

/* "e-mail, rights": what a change was about. */
static const char *changed_text(uint32_t valid, char *text, size_t size)
{
    static const struct {
        uint32_t field;
        const char *name;
    } names[] = {
        {ACCOUNT_SET_EMAIL, "e-mail"},        {ACCOUNT_SET_HOME, "home"},
        {ACCOUNT_SET_EXPIRES, "expiry"},      {ACCOUNT_SET_RIGHTS, "rights"},
        {ACCOUNT_SET_FLAGS, "flags"},         {ACCOUNT_SET_MAX_SESSIONS, "max. sessions"},
        {ACCOUNT_SET_BANDWIDTH, "bandwidth"},
    };
    size_t at = 0;

    text[0] = '\0';
    for (size_t i = 0; i < COUNT(names); i++) {
        if ((valid & names[i].field) != 0 && at < size)
            at += (size_t)snprintf(text + at, size - at, "%s%s", at > 0 ? ", " : "", names[i].name);
    }
    return text;
}

enum result command_user_set(struct context *c)
{
    const char *name = c->arguments[0];
    struct wanted w = {0};
    struct account a;
    char what[256], rights[256];

    if (account_find(c, name, &a) <= 0)
        return REFUSED;
    w.set.rights = a.rights;
    w.set.flags = a.flags & ~(uint32_t)ACCOUNT_CODE_ON; /* that is the store's to say */
    const uint32_t uid = a.uid, gid = a.gid;
    if (want_options(c, &w) < 0)
        return USAGE;
    if (w.set.valid == 0) {
        tell("user set: what is to be changed? `sallyport user set --help` tells the options");
        return USAGE;
    }
    if (store_set(c, &w, name) < 0)
        return REFUSED;
    const bool homeless =
        (w.set.valid & ACCOUNT_SET_HOME) != 0 && home_make(w.home, uid, gid) == HOME_FAILED;
    changed_text(w.set.valid, what, sizeof(what));
    tell_audit(c, "account-change", name, "%s set%s%s", what,
               (w.set.valid & ACCOUNT_SET_RIGHTS) != 0 ? ", rights now " : "",
               (w.set.valid & ACCOUNT_SET_RIGHTS) != 0
                   ? rights_format(w.set.rights, rights, sizeof(rights))
                   : "");
    if (account_find(c, name, &a) <= 0)
        return REFUSED;
    print_done(c, account_json(&a), "account %s: %s set, from its next login on", name, what);
    return homeless ? REFUSED : DONE;
}

static enum result set_status(struct context *c, enum account_status status, const char *what)
{
    const char *name = c->arguments[0];
    struct wanted w = {.set = {.valid = ACCOUNT_SET_STATUS, .status = (uint8_t)status}};
    struct account a;
    char text[64];

    if (account_find(c, name, &a) <= 0 || store_set(c, &w, name) < 0)
        return REFUSED;
    const int ended = status == ACCOUNT_DISABLED ? end_sessions(c, name) : -1;
    tell_audit(c, "account-change", name, "%s", what);
    json_t *record = json_object();
    put(record, "name", json_string(name));
    put(record, "status", json_string(what));
    if (status == ACCOUNT_DISABLED)
        put(record, "sessions_ended", json_integer(ended));
    return print_done(c, record, "account %s %s%s", name, what,
                      sessions_text(c, ended, text, sizeof(text)));
}

enum result command_user_disable(struct context *c)
{
    return set_status(c, ACCOUNT_DISABLED, "disabled");
}

enum result command_user_enable(struct context *c)
{
    return set_status(c, ACCOUNT_ENABLED, "enabled");
}

enum result command_user_delete(struct context *c)
{
    const char *name = c->arguments[0];
    const struct user_delete delete = {.name = slice_text(name)};
    struct account a;
    char question[256], text[64];

    if (account_find(c, name, &a) <= 0)
        return REFUSED;
    if (!given(c, OPTION_YES)) {
        snprintf(question, sizeof(question),
                 "Delete the account %s and its %" PRIu32 " keys? Its "
                 "files stay.",
                 name, a.key_count);
        const int yes = confirm(question);
        if (yes <= 0)
            tell(yes < 0 ? "there is no terminal to ask at: --yes deletes without asking"
                         : "nothing was deleted");
        if (yes <= 0)
            return yes < 0 ? USAGE : REFUSED;
    }
    if (ask(c, MSG_user_delete, &delete, 0) != MSG_store_done)
        return REFUSED;
    const int ended = end_sessions(c, name);
    tell_audit(c, "account-change", name, "deleted");
    json_t *record = json_object();
    put(record, "name", json_string(name));
    put(record, "sessions_ended", json_integer(ended));
    return print_done(c, record, "account %s deleted%s; its files stay", name,
                      sessions_text(c, ended, text, sizeof(text)));
}
