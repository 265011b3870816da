/* Reads sallyport.conf by the table settings.def, with inih as the line parser. Called by the
 * monitor at start and reload, and by the operator's command. The first trouble wins and is told
 * as FILE:LINE: reason; nothing of a file with trouble may ever be used. */
#include "common/config.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/algorithms.h"
#include "common/config_table.h"
#include "common/log.h"
#include "common/network.h"

_Static_assert((int)CONFIG_LOG_STDERR == LOG_TO_STDERR && (int)CONFIG_LOG_SYSLOG == LOG_TO_SYSLOG &&
                   (int)CONFIG_LOG_JOURNAL == LOG_TO_JOURNAL && LOG_LEVEL_ERROR == 0 &&
                   LOG_LEVEL_DEBUG == 3,
               "the choices of server.log and server.log_level stand in the order of log.h");

/* Bounds are a pair, or for CHOICE a text. */
#define LIMITS_PAIR(least, most) least, most, NULL
#define LIMITS_BOOL(pair)        LIMITS_PAIR pair
#define LIMITS_NUMBER(pair)      LIMITS_PAIR pair
#define LIMITS_OCTAL(pair)       LIMITS_PAIR pair
#define LIMITS_SIZE(pair)        LIMITS_PAIR pair
#define LIMITS_TEXT(pair)        LIMITS_PAIR pair
#define LIMITS_LIST(pair)        LIMITS_PAIR pair
#define LIMITS_PATH(pair)        LIMITS_PAIR pair
#define LIMITS_RANGE(pair)       LIMITS_PAIR pair
#define LIMITS_ADDRESSES(pair)   LIMITS_PAIR pair
#define LIMITS_NETWORKS(pair)    LIMITS_PAIR pair
#define LIMITS_PATHS(pair)       LIMITS_PAIR pair
#define LIMITS_MAPPING(pair)     LIMITS_PAIR pair
#define LIMITS_CHOICE(choices)   0, 0, choices

const struct setting config_settings[SETTING_COUNT] = {
#define SETTING(section, name, TYPE, bounds, preset, reload, help)                                 \
    {#section, #name,  SETTING_##TYPE, LIMITS_##TYPE(bounds),                                      \
     preset,   reload, help,           offsetof(struct config, section##_##name)},
#include "common/settings.def"
#undef SETTING
};

/* One reading of one file. */
struct reading {
    FILE *file;
    const char *path;              /* as given, for messages; NULL: the defaults alone */
    char *folder;                  /* of the file, absolute; what relative paths are relative to */
    unsigned line;                 /* that stands before inih now */
    bool indented;                 /* that line begins with a blank */
    const struct setting *last;    /* what an indented line would continue */
    unsigned lines[SETTING_COUNT]; /* where each was given; 0: not */
    struct config *config;
    struct config_trouble *trouble;
    bool failed;
};

/* Tell the first trouble, at a line (0: of the file as a whole). Returns -1. */
static int __attribute__((format(printf, 3, 4)))
fail(struct reading *r, unsigned line, const char *format, ...)
{
    char *text = r->trouble->text;
    const size_t size = sizeof(r->trouble->text);
    va_list arguments;
    int n;

    if (r->failed)
        return -1;
    r->failed = true;
    if (line > 0)
        n = snprintf(text, size, "%s:%u: ", r->path, line);
    else
        n = snprintf(text, size, "%s: ", r->path != NULL ? r->path : "defaults");
    va_start(arguments, format);
    if (n > 0 && (size_t)n < size)
        vsnprintf(text + n, size - (size_t)n, format, arguments);
    va_end(arguments);
    return -1;
}

/* ---- values ------------------------------------------------------------------------------- */

/* Trouble with a value, at the line that stands before us. Returns -1. */
static int bad_value(struct reading *r, const struct setting *row, const char *value,
                     const char *why)
{
    return fail(r, r->line, "%s.%s: \"%s\" %s", row->section, row->name, value, why);
}

/* Digits alone, in a base, with an optional unit's letter. 0, or -1. */
static int parse_digits(const char *text, int base, const char *units, uint64_t *number)
{
    char *end;

    if (!isdigit((unsigned char)text[0]))
        return -1;
    errno = 0;
    const unsigned long long n = strtoull(text, &end, base);
    if (errno != 0)
        return -1;
    uint64_t factor = 1;
    if (*end != '\0') {
        const char *unit = strchr(units, toupper((unsigned char)*end));
        if (unit == NULL || end[1] != '\0')
            return -1;
        factor = (uint64_t)1 << (10 * (unit - units + 1));
    }
    if (n > UINT64_MAX / factor)
        return -1;
    *number = n * factor;
    return 0;
}

static int check_bounds(struct reading *r, const struct setting *row, const char *value, uint64_t n)
{
    char why[128];

    if (n >= row->least && n <= row->most)
        return 0;
    snprintf(why, sizeof(why),
             row->kind == SETTING_OCTAL ? "is out of bounds: 0%" PRIo64 " to 0%" PRIo64
                                        : "is out of bounds: %" PRIu64 " to %" PRIu64,
             row->least, row->most);
    return bad_value(r, row, value, why);
}

static int set_bool(struct reading *r, const struct setting *row, const char *value)
{
    bool *to = setting_value(r->config, row);

    if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
        return bad_value(r, row, value, "is not one of: yes, no");
    *to = value[0] == 'y';
    return 0;
}

static int set_number(struct reading *r, const struct setting *row, const char *value)
{
    const bool octal = row->kind == SETTING_OCTAL;
    uint32_t *to = setting_value(r->config, row);
    uint64_t n;

    if (!octal && value[0] == '0' && value[1] != '\0')
        return bad_value(r, row, value, "is not a number: decimal, without leading zeros");
    if (parse_digits(value, octal ? 8 : 10, "", &n) < 0)
        return bad_value(r, row, value, octal ? "is not an octal number" : "is not a number");
    if (check_bounds(r, row, value, n) < 0)
        return -1;
    *to = (uint32_t)n; /* the bounds of the table are within 32 bits */
    return 0;
}

static int set_size(struct reading *r, const struct setting *row, const char *value)
{
    uint64_t *to = setting_value(r->config, row);
    uint64_t n;

    if (parse_digits(value, 10, "KMGT", &n) < 0)
        return bad_value(r, row, value, "is not a size: a number, or one with K, M, G or T");
    if (check_bounds(r, row, value, n) < 0)
        return -1;
    *to = n;
    return 0;
}

static int set_range(struct reading *r, const struct setting *row, const char *value)
{
    struct id_range *to = setting_value(r->config, row);
    const char *dash = strchr(value, '-');
    uint64_t first, last;
    char text[32];

    if (dash == NULL || (size_t)(dash - value) >= sizeof(text))
        return bad_value(r, row, value, "is not a range: FIRST-LAST");
    memcpy(text, value, (size_t)(dash - value));
    text[dash - value] = '\0';
    if (parse_digits(text, 10, "", &first) < 0 || parse_digits(dash + 1, 10, "", &last) < 0)
        return bad_value(r, row, value, "is not a range: FIRST-LAST");
    if (check_bounds(r, row, value, first) < 0 || check_bounds(r, row, value, last) < 0)
        return -1;
    if (first > last)
        return bad_value(r, row, value, "is not a range: the first is greater than the last");
    *to = (struct id_range){.first = (uint32_t)first, .last = (uint32_t)last};
    return 0;
}

static int set_choice(struct reading *r, const struct setting *row, const char *value)
{
    uint32_t *to = setting_value(r->config, row);
    const size_t len = strlen(value);
    uint32_t place = 0;
    char why[256] = "is not one of: ";

    for (const char *at = row->choices;; at++, place++) {
        const size_t n = strcspn(at, "|");
        if (n == len && memcmp(at, value, n) == 0) {
            *to = place;
            return 0;
        }
        at += n;
        if (*at == '\0')
            break;
    }
    size_t n = strlen(why);
    for (const char *at = row->choices; *at != '\0' && n + 3 < sizeof(why); at++) {
        if (*at == '|')
            why[n++] = ',';
        why[n++] = *at == '|' ? ' ' : *at;
    }
    why[n] = '\0';
    return bad_value(r, row, value, why);
}

/* Take an allocated text as the value, its length within bounds. Owns text from here on. */
static int keep_text(struct reading *r, const struct setting *row, char *text)
{
    char **to = setting_value(r->config, row);

    if (text == NULL)
        return fail(r, r->line, "%s.%s: %s", row->section, row->name, strerror(ENOMEM));
    const size_t len = strlen(text);
    if (len < row->least || len > row->most) {
        if (len == 0)
            fail(r, r->line, "%s.%s: a value is needed", row->section, row->name);
        else
            fail(r, r->line, "%s.%s: %zu bytes long: %" PRIu64 " to %" PRIu64 " are allowed",
                 row->section, row->name, len, row->least, row->most);
        free(text);
        return -1;
    }
    free(*to);
    *to = text;
    return 0;
}

/* What stands, the text between, and what comes; between only if there is something before. */
static char *joined(const char *before, const char *between, const char *more)
{
    char *text;

    if (before == NULL || before[0] == '\0')
        return strdup(more);
    return asprintf(&text, "%s%s%s", before, between, more) < 0 ? NULL : text;
}

static int set_text(struct reading *r, const struct setting *row, const char *value)
{
    char *const *now = setting_value(r->config, row);
    char text[CONFIG_TEXT_MAX];
    size_t n = 0;

    for (const char *at = value; *at != '\0' && n + 1 < sizeof(text); at++) {
        if (*at != '\\') {
            text[n++] = *at;
            continue;
        }
        at++;
        if (*at != 'n' && *at != '\\')
            return bad_value(r, row, value, "has a \\ that is followed by neither n nor \\");
        text[n++] = *at == 'n' ? '\n' : '\\';
    }
    text[n] = '\0';
    return keep_text(r, row, r->indented ? joined(*now, "\n", text) : strdup(text));
}

static bool is_address(const char *word)
{
    uint8_t bytes[16];

    return address_parse(word, bytes) == 0;
}

static bool is_network(const char *word)
{
    struct network network;

    return network_parse(word, &network) == 0;
}

/* A name of an algorithm: RFC 4251, 6. */
static bool is_list_name(const char *word)
{
    for (; *word != '\0'; word++) {
        if (!isalnum((unsigned char)*word) && strchr("-_.@+", *word) == NULL)
            return false;
    }
    return true;
}

static bool is_absolute(const char *word)
{
    return word[0] == '/';
}

/* LIST, ADDRESSES, NETWORKS, PATHS: words parted by blanks or commas, each looked at, kept with one
 * separator between. An indented line adds to what stands. */
static int set_words(struct reading *r, const struct setting *row, const char *value)
{
    static const struct {
        bool (*good)(const char *word);
        const char *why, *separator;
    } kinds[SETTING_KIND_COUNT] = {
        [SETTING_LIST] = {is_list_name, "is not a name of an algorithm", ","},
        [SETTING_ADDRESSES] = {is_address, "is not an IPv4 or IPv6 address", " "},
        [SETTING_NETWORKS] = {is_network, "is not an address or a network (like 192.0.2.0/24)",
                              " "},
        [SETTING_PATHS] = {is_absolute, "is not an absolute path", " "},
        [SETTING_MAPPING] = {mapping_is_good, "is neither an address nor NETWORK=ADDRESS", " "},
    };
    char *const *now = setting_value(r->config, row);
    char *words = strdup(value);
    char *text = strdup(r->indented && *now != NULL ? *now : "");
    char *at = NULL;

    if (words == NULL)
        goto out;
    for (char *word = strtok_r(words, ", \t", &at); word != NULL && text != NULL;
         word = strtok_r(NULL, ", \t", &at)) {
        if (!kinds[row->kind].good(word)) {
            bad_value(r, row, word, kinds[row->kind].why);
            free(text);
            free(words);
            return -1;
        }
        char *longer = joined(text, kinds[row->kind].separator, word);
        free(text);
        text = longer;
    }
    free(words);
    words = text;
    text = NULL;
out:
    free(text);
    return keep_text(r, row, words);
}

static int set_path(struct reading *r, const struct setting *row, const char *value)
{
    if (value[0] == '/' || value[0] == '\0')
        return keep_text(r, row, strdup(value));
    return keep_text(r, row, joined(r->folder, "/", value));
}

typedef int (*set_function)(struct reading *r, const struct setting *row, const char *value);

static const set_function set_functions[SETTING_KIND_COUNT] = {
    [SETTING_BOOL] = set_bool,     [SETTING_NUMBER] = set_number,   [SETTING_OCTAL] = set_number,
    [SETTING_SIZE] = set_size,     [SETTING_TEXT] = set_text,       [SETTING_LIST] = set_words,
    [SETTING_PATH] = set_path,     [SETTING_RANGE] = set_range,     [SETTING_CHOICE] = set_choice,
    [SETTING_PATHS] = set_words,   [SETTING_ADDRESSES] = set_words, [SETTING_NETWORKS] = set_words,
    [SETTING_MAPPING] = set_words,
};

/* ---- the file, through inih --------------------------------------------------------------- */

static bool is_section(const char *name, size_t len)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (strlen(config_settings[i].section) == len &&
            memcmp(config_settings[i].section, name, len) == 0)
            return true;
    }
    return false;
}

/* Names of all sections, for a message. */
static void section_names(char *text, size_t size)
{
    size_t at = 0;

    for (size_t i = 0; i < SETTING_COUNT && at < size; i++) {
        if (i > 0 && strcmp(config_settings[i].section, config_settings[i - 1].section) == 0)
            continue;
        const int n =
            snprintf(text + at, size - at, "%s[%s]", at > 0 ? " " : "", config_settings[i].section);
        at += n > 0 ? (size_t)n : 0;
    }
}

/* inih says nothing when a section begins: so that a wrong name is an error even without settings
 * below it, such a line is looked at here. */
static void check_section_line(struct reading *r, const char *line)
{
    const char *end = strchr(line, ']');
    char names[256];

    r->last = NULL;
    if (end == NULL) {
        fail(r, r->line, "a [section] without its ]");
        return;
    }
    if (!is_section(line + 1, (size_t)(end - line - 1))) {
        section_names(names, sizeof(names));
        fail(r, r->line, "there is no section %.*s; there are: %s", (int)(end - line + 1), line,
             names);
        return;
    }
    end += 1 + strspn(end + 1, " \t\r\n");
    if (*end != '\0' && *end != ';' && *end != '#')
        fail(r, r->line, "text after a [section]");
}

/* inih's reader: the next line, whole, or the first trouble. size is inih's: 200 in Debian. */
static char *next_line(char *line, int size, void *context)
{
    struct reading *r = context;
    const int most = size - 2 < CONFIG_LINE_MAX ? size - 2 : CONFIG_LINE_MAX;
    int n = 0, c = EOF;
    bool comment = false, blank = true;

    if (r->failed)
        return NULL;
    r->line++;
    while ((c = getc(r->file)) != EOF && c != '\n') {
        if (c == '\0')
            fail(r, r->line, "a NUL byte");
        else if (iscntrl(c) && c != '\t' && c != '\r')
            fail(r, r->line, "a control byte (0x%02x)", (unsigned)c);
        if (blank && !isspace(c)) {
            blank = false;
            comment = c == '#' || c == ';';
        }
        if (n < most)
            line[n++] = (char)c;
        else if (!comment && c != '\r')
            fail(r, r->line,
                 "longer than %d bytes; lists and texts may go on on the next line, begun with a "
                 "blank",
                 most);
        if (r->failed)
            return NULL;
    }
    if (ferror(r->file)) {
        fail(r, 0, "cannot be read: %s", strerror(errno));
        return NULL;
    }
    if (c == EOF && n == 0)
        return NULL;
    line[n] = '\0';
    if (memchr(line, '\r', (size_t)n) != NULL && strchr(line, '\r') != line + n - 1)
        fail(r, r->line, "a carriage return inside the line");
    r->indented = line[0] == ' ' || line[0] == '\t';
    if (line[0] == '[')
        check_section_line(r, line);
    return r->failed ? NULL : line;
}

static const struct setting *find_setting(const char *section, const char *name)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *row = &config_settings[i];
        if (strcmp(row->name, name) == 0 && (section == NULL || strcmp(row->section, section) == 0))
            return row;
    }
    return NULL;
}

static int unknown_setting(struct reading *r, const char *section, const char *name)
{
    const struct setting *elsewhere = find_setting(NULL, name);

    if (section[0] == '\0')
        return fail(r, r->line, "\"%s\" stands before any [section]", name);
    if (elsewhere != NULL)
        return fail(r, r->line, "there is no setting \"%s\" in [%s]; there is one in [%s]", name,
                    section, elsewhere->section);
    return fail(r, r->line, "there is no setting \"%s\" in [%s]", name, section);
}

/* inih's handler: one NAME = VALUE, or a line that continues one. Returns 1: troubles are ours. */
static int take_setting(void *context, const char *section, const char *name, const char *value)
{
    struct reading *r = context;
    const struct setting *row;

    if (r->failed)
        return 1;
    if (r->indented && r->last != NULL) {
        if (!setting_continues(r->last))
            fail(r, r->line,
                 "begins with a blank, so it would continue %s.%s, which takes one value",
                 r->last->section, r->last->name);
        else
            set_functions[r->last->kind](r, r->last, value);
        return 1;
    }
    r->indented = false;
    row = find_setting(section, name);
    if (row == NULL) {
        unknown_setting(r, section, name);
        return 1;
    }
    unsigned *given = &r->lines[row - config_settings];
    if (*given > 0) {
        fail(r, r->line, "%s.%s was given on line %u already", section, name, *given);
        return 1;
    }
    *given = r->line;
    r->last = row;
    /* An empty first line of a list: its values stand on the lines that follow. The bounds are
     * looked at again when all is read. */
    if (setting_continues(row) && value[0] == '\0') {
        char **to = setting_value(r->config, row);
        (*to)[0] = '\0';
        return 1;
    }
    set_functions[row->kind](r, row, value);
    return 1;
}

/* ---- checks across settings --------------------------------------------------------------- */

/* The later of two places, for the line of a trouble between them. */
static unsigned later_line(const struct reading *r, enum setting_place a, enum setting_place b)
{
    return r->lines[a] > r->lines[b] ? r->lines[a] : r->lines[b];
}

/* Ids that must be nobody else's. */
static int check_ids(struct reading *r)
{
    const struct config *c = r->config;
    const struct {
        enum setting_place place;
        struct id_range ids;
    } owners[] = {
        {PLACE_server_worker_ids, c->server_worker_ids},
        {PLACE_server_account_ids, c->server_account_ids},
        {PLACE_server_store_id, {c->server_store_id, c->server_store_id}},
        {PLACE_server_hasher_id, {c->server_hasher_id, c->server_hasher_id}},
        {PLACE_server_notify_id, {c->server_notify_id, c->server_notify_id}},
    };
    const size_t count = sizeof(owners) / sizeof(owners[0]);

    for (size_t i = 0; i < count; i++) {
        for (size_t k = i + 1; k < count; k++) {
            if (owners[i].ids.first > owners[k].ids.last ||
                owners[k].ids.first > owners[i].ids.last)
                continue;
            return fail(r, later_line(r, owners[i].place, owners[k].place),
                        "server.%s and server.%s overlap: each needs ids of its own",
                        config_settings[owners[i].place].name,
                        config_settings[owners[k].place].name);
        }
    }
    return 0;
}

/* Do two addresses collide on one port: the same, or one of them is all of its family. */
static bool addresses_collide(const char *a, const char *b)
{
    const bool a6 = strchr(a, ':') != NULL, b6 = strchr(b, ':') != NULL;
    unsigned char x[sizeof(struct in6_addr)] = {0}, y[sizeof(x)] = {0}, any[sizeof(x)] = {0};

    if (a6 != b6 || inet_pton(a6 ? AF_INET6 : AF_INET, a, x) != 1 ||
        inet_pton(b6 ? AF_INET6 : AF_INET, b, y) != 1)
        return false;
    return memcmp(x, y, sizeof(x)) == 0 || memcmp(x, any, sizeof(x)) == 0 ||
           memcmp(y, any, sizeof(y)) == 0;
}

/* One address and port that will be bound. */
struct endpoint {
    char address[INET6_ADDRSTRLEN];
    uint32_t port;
    enum setting_place listen_place, port_place;
};

#define ENDPOINTS_MAX 512

/* Add a listener's addresses. Returns the new count. */
static size_t add_endpoints(struct endpoint *endpoints, size_t count, const char *listen,
                            uint32_t port, enum setting_place listen_place,
                            enum setting_place port_place)
{
    while (*listen != '\0' && count < ENDPOINTS_MAX) {
        const size_t n = strcspn(listen, " ");
        struct endpoint *e = &endpoints[count++];
        *e =
            (struct endpoint){.port = port, .listen_place = listen_place, .port_place = port_place};
        snprintf(e->address, sizeof(e->address), "%.*s", (int)n, listen);
        listen += n + strspn(listen + n, " ");
    }
    return count;
}

static int check_listeners(struct reading *r)
{
    const struct config *c = r->config;
    /* clang-format off */
    const struct {
        bool enabled;
        const char *listen;
        uint32_t port;
        enum setting_place listen_place, port_place;
    } listeners[] = {
        {c->sftp_enabled, c->sftp_listen, c->sftp_port, PLACE_sftp_listen, PLACE_sftp_port},
        {c->ftps_enabled, c->ftps_listen, c->ftps_port, PLACE_ftps_listen, PLACE_ftps_port},
        {c->ftps_enabled && c->ftps_implicit, c->ftps_listen, c->ftps_implicit_port,
         PLACE_ftps_listen, PLACE_ftps_implicit_port},
        {c->https_enabled, c->https_listen, c->https_port, PLACE_https_listen, PLACE_https_port},
        {c->https_enabled && c->https_redirect, c->https_listen, c->https_redirect_port,
         PLACE_https_listen, PLACE_https_redirect_port},
    };
    /* clang-format on */
    struct endpoint *endpoints = calloc(ENDPOINTS_MAX, sizeof(*endpoints));
    size_t count = 0;
    int result = 0;

    if (endpoints == NULL)
        return fail(r, 0, "%s", strerror(errno));
    for (size_t i = 0; i < sizeof(listeners) / sizeof(listeners[0]); i++) {
        if (listeners[i].enabled)
            count = add_endpoints(endpoints, count, listeners[i].listen, listeners[i].port,
                                  listeners[i].listen_place, listeners[i].port_place);
    }
    for (size_t i = 0; i < count && result == 0; i++) {
        for (size_t k = i + 1; k < count && result == 0; k++) {
            const struct endpoint *a = &endpoints[i], *b = &endpoints[k];
            if (a->port != b->port || !addresses_collide(a->address, b->address))
                continue;
            const unsigned ports = later_line(r, a->port_place, b->port_place);
            const unsigned listens = later_line(r, a->listen_place, b->listen_place);
            result = fail(r, a->port_place != b->port_place && ports > 0 ? ports : listens,
                          "%s on %s and %s on %s cannot both have port %" PRIu32,
                          config_settings[a->listen_place].section, a->address,
                          config_settings[b->listen_place].section, b->address, a->port);
        }
    }
    free(endpoints);
    return result;
}

static int check_mail(struct reading *r)
{
    enum setting_place place;
    const char *why = config_mail_trouble(r->config, &place);

    return why == NULL ? 0
                       : fail(r, r->lines[place], "mail.%s: %s", config_settings[place].name, why);
}

/* Lists whose first line was empty and that got no other. */
static int check_left_empty(struct reading *r)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *row = &config_settings[i];
        if (!setting_is_text(row) || row->least == 0)
            continue;
        char *const *text = setting_value(r->config, row);
        if ((*text)[0] == '\0')
            return fail(r, r->lines[i], "%s.%s: a value is needed", row->section, row->name);
    }
    return 0;
}

/* ---- reading ------------------------------------------------------------------------------ */

static int set_defaults(struct reading *r)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *row = &config_settings[i];
        if (set_functions[row->kind](r, row, row->preset) < 0)
            return -1;
    }
    return 0;
}

static int open_file(struct reading *r)
{
    struct stat st;
    const int fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return fail(r, 0, "cannot be read: %s", strerror(errno));
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        fail(r, 0, S_ISDIR(st.st_mode) ? "is a folder, not a file" : "is not a regular file");
        close(fd);
        return -1;
    }
    r->file = fdopen(fd, "r");
    if (r->file == NULL) {
        fail(r, 0, "cannot be read: %s", strerror(errno));
        close(fd);
        return -1;
    }
    return 0;
}

/* The folder of the file, absolute. */
static int find_folder(struct reading *r)
{
    char *full = realpath(r->path, NULL);

    if (full == NULL)
        return fail(r, 0, "cannot be read: %s", strerror(errno));
    char *slash = strrchr(full, '/');
    *(slash == full ? slash + 1 : slash) = '\0';
    r->folder = full;
    return 0;
}

int config_read(const char *path, struct config *config, struct config_trouble *trouble)
{
    struct reading *r = calloc(1, sizeof(*r));
    int result = -1;

    memset(config, 0, sizeof(*config));
    trouble->text[0] = '\0';
    if (r == NULL) {
        snprintf(trouble->text, sizeof(trouble->text), "%s", strerror(errno));
        return -1;
    }
    *r = (struct reading){.path = path, .config = config, .trouble = trouble};
    if (set_defaults(r) < 0)
        goto out;
    if (path == NULL) {
        result = 0;
        goto out;
    }
    if (open_file(r) < 0 || find_folder(r) < 0)
        goto out;
    const int bad_line = ini_parse_stream(next_line, r, take_setting, r);
    /* inih tells only at the end of lines that it could not read; the first trouble wins. */
    if (bad_line > 0 && (!r->failed || (unsigned)bad_line < r->line)) {
        r->failed = false;
        fail(r, (unsigned)bad_line, "neither a [section], nor NAME = VALUE, nor a comment");
    }
    if (r->failed || check_left_empty(r) < 0 || check_ids(r) < 0 || check_listeners(r) < 0 ||
        check_mail(r) < 0)
        goto out;
    result = 0;
out:
    if (r->file != NULL)
        fclose(r->file);
    free(r->folder);
    free(r);
    return result;
}

void config_free(struct config *config)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (setting_is_text(&config_settings[i])) {
            char **text = setting_value(config, &config_settings[i]);
            free(*text);
            *text = NULL;
        }
    }
}

static bool setting_same(const struct setting *row, const struct config *a, const struct config *b)
{
    const void *x = setting_value_const(a, row), *y = setting_value_const(b, row);

    if (setting_is_text(row))
        return strcmp(*(char *const *)x, *(char *const *)y) == 0;
    switch (row->kind) {
    case SETTING_BOOL:
        return *(const bool *)x == *(const bool *)y;
    case SETTING_SIZE:
        return *(const uint64_t *)x == *(const uint64_t *)y;
    case SETTING_RANGE:
        return memcmp(x, y, sizeof(struct id_range)) == 0;
    default:
        return *(const uint32_t *)x == *(const uint32_t *)y;
    }
}

const char *config_fixed_difference(const struct config *now, const struct config *next)
{
#define SETTING(section, name, TYPE, bounds, preset, reload, help) #section "." #name,
    static const char *const names[] = {
#include "common/settings.def"
    };
#undef SETTING

    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (!config_settings[i].reload && !setting_same(&config_settings[i], now, next))
            return names[i];
    }
    return NULL;
}
