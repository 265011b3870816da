/* `sallyport session`, `status` and `reload`: about the server that runs, as its monitor tells it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "monitor/command/command.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- sessions ----------------------------------------------------------------------------- */

static json_t *session_json(const struct session_is *s)
{
    json_t *o = json_object();

    put(o, "number", json_integer((json_int_t)s->number));
    put(o, "protocol", json_from(s->protocol));
    put(o, "state", json_from(s->state));
    put(o, "account", json_from(s->account));
    put(o, "address", json_from(s->address));
    put(o, "method", json_from(s->method));
    put(o, "started", json_time(s->started));
    put(o, "worker_pid", json_integer(s->worker_pid));
    put(o, "agent_pid", json_integer(s->agent_pid));
    return o;
}

enum result command_session_list(struct context *c)
{
    static const struct column columns[] = {
        {"NUMBER", "number"},   {"ACCOUNT", "account"},   {"PROTOCOL", "protocol"},
        {"ADDRESS", "address"}, {"STATE", "state"},       {"METHOD", "method"},
        {"STARTED", "started"}, {"WORKER", "worker_pid"}, {"AGENT", "agent_pid"},
    };
    struct session_next next = {.after = 0};
    json_t *rows = json_array();
    struct session_is is;

    for (;;) {
        const enum message_type type = ask(c, MSG_session_next, &next, 0);
        if (type == MSG_no_more_sessions)
            return print_rows(c, rows, columns, COUNT(columns));
        if (type != MSG_session_is || decode_session_is(&c->link.answer, &is) < 0)
            break;
        json_array_append_new(rows, session_json(&is));
        next.after = is.number;
    }
    json_decref(rows);
    return REFUSED;
}

static int session_number(const char *text, uint64_t *number)
{
    char *end;

    errno = 0;
    *number = strtoull(text, &end, 10);
    return errno == 0 && text[0] >= '0' && text[0] <= '9' && *end == '\0' && *number > 0 ? 0 : -1;
}

enum result command_session_kill(struct context *c)
{
    const char *account = c->options[OPTION_ACCOUNT];
    struct session_kill kill = {.account = slice_text(account)};
    struct control_done done;

    if ((c->argument_count == 1) == (account != NULL)) {
        tell("session kill: give the NUMBER of a session, or --account NAME");
        return USAGE;
    }
    if (account == NULL && session_number(c->arguments[0], &kill.number) < 0) {
        tell("session kill: \"%s\" is not the number of a session", c->arguments[0]);
        return USAGE;
    }
    if (account != NULL && (account[0] == '\0' || strlen(account) > ACCOUNT_NAME_MAX)) {
        tell("there is no account \"%s\"", account);
        return REFUSED;
    }
    if (ask(c, MSG_session_kill, &kill, 0) != MSG_control_done ||
        decode_control_done(&c->link.answer, &done) < 0)
        return REFUSED;
    if (done.count == 0) {
        if (account != NULL)
            tell("%s has no session", account);
        else
            tell("there is no session %" PRIu64, kill.number);
        return REFUSED;
    }
    const uint32_t count = done.count;
    if (account != NULL)
        tell_audit(c, "session-kill", account, "all sessions (%" PRIu32 ") ended", count);
    else
        tell_audit(c, "session-kill", "", "session %" PRIu64 " ended", kill.number);
    json_t *record = json_object();
    put(record, "sessions_ended", json_integer(count));
    return print_done(c, record, "%" PRIu32 " session%s ended", count, count == 1 ? "" : "s");
}

enum result command_reload(struct context *c)
{
    const struct reload reload = {0};

    if (ask(c, MSG_reload, &reload, 0) != MSG_control_done)
        return REFUSED;
    return print_done(c, json_object(), "configuration and host keys were read again");
}

/* ---- status ------------------------------------------------------------------------------- */

static const struct {
    uint32_t layer;
    const char *name;
} layers[] = {
    {LAYER_CHROOT, "empty root"},         {LAYER_IDS, "own uid"},
    {LAYER_CAPABILITIES, "capabilities"}, {LAYER_NO_NEW_PRIVS, "no_new_privs"},
    {LAYER_NOT_DUMPABLE, "not dumpable"}, {LAYER_RLIMITS, "rlimits"},
    {LAYER_LANDLOCK, "Landlock"},         {LAYER_SECCOMP, "seccomp"},
};

static json_t *layers_json(uint32_t set)
{
    json_t *list = json_array();

    for (size_t i = 0; i < COUNT(layers); i++) {
        if ((set & layers[i].layer) != 0)
            json_array_append_new(list, json_string(layers[i].name));
    }
    return list;
}

/* Lines of a text as a list. */
static json_t *lines_json(struct slice text)
{
    json_t *list = json_array();

    while (text.len > 0) {
        const uint8_t *end = memchr(text.data, '\n', text.len);
        const size_t n = end != NULL ? (size_t)(end - text.data) : text.len;
        json_array_append_new(list, json_from(slice_of(text.data, n)));
        text = end != NULL ? slice_of(end + 1, text.len - n - 1) : slice_of(NULL, 0);
    }
    return list;
}

static json_t *status_json(const struct status_is *s)
{
    const time_t now = time(NULL);
    json_t *o = json_object(), *sandbox = json_object();

    put(o, "running", json_true());
    put(o, "version", json_from(s->version));
    put(o, "pid", json_integer(s->pid));
    put(o, "started", json_time(s->started));
    put(o, "uptime_seconds", json_integer(now > s->started ? now - s->started : 0));
    put(o, "privileged", json_boolean(s->privileged));
    put(o, "landlock_abi", json_integer(s->landlock_abi));
    put(o, "store_pid", json_integer(s->store_pid));
    put(o, "notify_pid", json_integer(s->notify_pid));
    put(o, "hashers", json_integer(s->hashers));
    put(o, "spares", json_integer(s->spares));
    put(o, "connections", json_integer(s->connections));
    put(o, "sessions", json_integer(s->sessions));
    put(o, "logins", json_integer((json_int_t)s->logins));
    put(o, "refusals", json_integer((json_int_t)s->refusals));
    put(o, "security_events", json_integer((json_int_t)s->security_events));
    put(o, "listeners", lines_json(s->listeners));
    put(sandbox, "monitor", layers_json(s->layers_monitor));
    put(sandbox, "store", layers_json(s->layers_store));
    put(sandbox, "hasher", layers_json(s->layers_hasher));
    put(sandbox, "worker", layers_json(s->layers_worker));
    put(sandbox, "agent", layers_json(s->layers_agent));
    put(sandbox, "notify", layers_json(s->layers_notify));
    put(o, "sandbox", sandbox);
    put(o, "weaker", lines_json(s->weaker));
    return o;
}

/* 3 d 4 h 5 min */
static void print_uptime(int64_t seconds)
{
    const int64_t days = seconds / 86400, hours = seconds / 3600 % 24, minutes = seconds / 60 % 60;

    if (days > 0)
        printf("%" PRId64 " d ", days);
    if (days > 0 || hours > 0)
        printf("%" PRId64 " h ", hours);
    if (days > 0 || hours > 0 || minutes > 0)
        printf("%" PRId64 " min\n", minutes);
    else
        printf("%" PRId64 " s\n", seconds);
}

/* A list of the record on one line, or each on a line of its own below the title. */
static void print_list(const char *title, const json_t *list, const char *none, bool lines)
{
    char text[2048];
    json_t *item;
    size_t i;

    printf("%-14s", title);
    if (json_array_size(list) == 0)
        printf("%s\n", none);
    json_array_foreach((json_t *)list, i, item)
    {
        const struct slice s = slice_of(json_string_value(item), json_string_length(item));
        const bool last = i + 1 == json_array_size(list);
        if (lines && i > 0)
            printf("%-14s", "");
        printf("%s%s", cleaned(s, text, sizeof(text)), lines || last ? "\n" : ", ");
    }
}

static void print_status(const struct status_is *s, const json_t *o)
{
    static const struct {
        const char *title, *key;
    } processes[] = {{"  monitor", "monitor"}, {"  store", "store"},  {"  hashers", "hasher"},
                     {"  workers", "worker"},  {"  agents", "agent"}, {"  notify", "notify"}};
    char text[256];

    printf("%-14ssallyport %s, pid %" PRIu32 "%s\n", "Running",
           cleaned(s->version, text, sizeof(text)), s->pid,
           s->privileged ? ", started as root" : "");
    printf("%-14s", "Since");
    printf("%s, ", json_string_value(json_object_get(o, "started")));
    print_uptime((int64_t)json_integer_value(json_object_get(o, "uptime_seconds")));
    print_list("Listens", json_object_get(o, "listeners"), "nowhere", true);
    printf("%-14s%" PRIu32 " connected, %" PRIu32 " of them logged in\n", "Now", s->connections,
           s->sessions);
    printf("%-14s%" PRIu64 " logins, %" PRIu64 " refused, %" PRIu64 " security events\n",
           "Since start", s->logins, s->refusals, s->security_events);
    printf("%-14sstore %s, %" PRIu32 " hashers, %" PRIu32 " spare workers%s\n", "Processes",
           s->store_pid != 0 ? "runs" : "is down", s->hashers, s->spares,
           s->notify_pid != 0 ? ", notify" : "");
    printf("%-14sLandlock ABI %" PRIu32 "\n", "Sandbox", s->landlock_abi);
    for (size_t i = 0; i < COUNT(processes); i++)
        print_list(processes[i].title,
                   json_object_get(json_object_get(o, "sandbox"), processes[i].key),
                   "none was started yet", false);
    print_list("Weaker", json_object_get(o, "weaker"), "nothing: all of it is in force", true);
}

enum result command_status(struct context *c)
{
    const struct status status = {0};
    const int server = link_server(c);
    struct status_is is;

    if (server < 0)
        return REFUSED;
    if (server == 0) {
        json_t *record = json_object();
        put(record, "running", json_false());
        print_done(c, record, "no server runs (nobody listens on %s/control)",
                   c->config.server_run_dir);
        return NO_SERVER;
    }
    if (ask(c, MSG_status, &status, 0) != MSG_status_is ||
        decode_status_is(&c->link.answer, &is) < 0)
        return REFUSED;
    json_t *record = status_json(&is);
    if (c->json)
        return print_record(c, record, NULL, 0);
    print_status(&is, record);
    json_decref(record);
    return DONE;
}
