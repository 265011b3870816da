/* `sallyport hostkey ...`: the server's own keys, as files of key_dir. Shows public parts only. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/hostkey.h"
#include "common/sshkey.h"
#include "monitor/command/command.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct column columns[] = {
    {"TYPE", "type"}, {"BITS", "bits"}, {"SHA256", "sha256"}, {"MD5", "md5"}, {"FILE", "file"}};

static json_t *hostkey_json(const struct context *c, const struct hostkey *key)
{
    const struct slice blob = slice_of(key->blob, key->blob_len);
    char fingerprint[SSHKEY_FINGERPRINT_SIZE], file[4352];
    const struct hostkey_info *info = hostkey_info(key->type);
    json_t *o = json_object();

    snprintf(file, sizeof(file), "%s/%s", c->config.server_key_dir, info->file);
    put(o, "type", json_string(info->name));
    put(o, "ssh_type", json_string(info->ssh_type));
    put(o, "bits", json_integer(key->bits));
    put(o, "sha256", json_string(sshkey_sha256(blob, fingerprint)));
    put(o, "md5", json_string(sshkey_md5(blob, fingerprint)));
    put(o, "file", json_from(slice_text(file)));
    return o;
}

/* One key into rows. Returns 1, 0 there is none, or -1 after telling why. */
static int add_row(const struct context *c, enum hostkey_type type, json_t *rows)
{
    struct hostkey key;
    char trouble[HOSTKEY_TROUBLE_MAX];

    if (priv_hostkey_load(c->config.server_key_dir, type, &key, trouble) < 0) {
        if (errno == ENOENT)
            return 0;
        tell("%s", trouble);
        return -1;
    }
    json_array_append_new(rows, hostkey_json(c, &key));
    hostkey_free(&key);
    return 1;
}

enum result command_hostkey_list(struct context *c)
{
    json_t *rows = json_array();
    bool refused = false;

    for (int type = 0; type < HOSTKEY_COUNT; type++)
        refused |= add_row(c, (enum hostkey_type)type, rows) < 0;
    if (!refused && json_array_size(rows) == 0)
        tell("there is no host key in %s: the server makes them at its first start, or `sallyport "
             "hostkey generate`",
             c->config.server_key_dir);
    const enum result printed = print_rows(c, rows, columns, COUNT(columns));
    return refused ? REFUSED : printed;
}

/* Audit line, and the running server takes the keys. */
static void tell_others(struct context *c, const json_t *rows)
{
    const struct reload reload = {0};
    json_t *row;
    size_t i;

    if (link_store(c) < 0) {
        tell("warning: the keys were made, but that is not in the audit log");
        return;
    }
    json_array_foreach((json_t *)rows, i, row)
    {
        tell_audit(c, "hostkey-change", "", "%s host key made: %s",
                   json_string_value(json_object_get(row, "type")),
                   json_string_value(json_object_get(row, "sha256")));
    }
    if (c->link.server && ask(c, MSG_reload, &reload, 0) == MSG_NONE)
        tell("warning: the running server could not take the keys: `sallyport reload`");
}

/* Make one type. Returns 1 made, 0 there was one and it stays, or -1 after telling why. */
static int make_one(const struct context *c, enum hostkey_type type, json_t *rows)
{
    char trouble[HOSTKEY_TROUBLE_MAX];
    const char *dir = c->config.server_key_dir;
    const int r = given(c, OPTION_FORCE) ? priv_hostkey_replace(dir, type, trouble)
                                         : priv_hostkey_generate(dir, type, trouble);

    if (r < 0 && errno == EEXIST && !given(c, OPTION_FORCE))
        return 0;
    if (r < 0) {
        tell("%s", trouble);
        return -1;
    }
    return add_row(c, type, rows);
}

enum result command_hostkey_generate(struct context *c)
{
    const char *only = c->options[OPTION_TYPE];
    json_t *rows = json_array();
    enum result result = DONE;
    bool known = only == NULL;

    for (int type = 0; type < HOSTKEY_COUNT && result == DONE; type++) {
        const char *name = hostkey_info((enum hostkey_type)type)->name;
        if (only != NULL && strcmp(only, name) != 0)
            continue;
        known = true;
        if (make_one(c, (enum hostkey_type)type, rows) < 0)
            result = REFUSED;
    }
    if (!known) {
        tell("--type: \"%s\" is not one of: ed25519, ecdsa, rsa", only);
        json_decref(rows);
        return USAGE;
    }
    if (json_array_size(rows) > 0) {
        tell_others(c, rows);
    } else if (result == DONE) {
        tell("there %s already; --force replaces %s and keeps the old beside it",
             only != NULL ? "is such a key" : "is a key of each type",
             only != NULL ? "it" : "them");
        result = REFUSED;
    }
    const enum result printed = print_rows(c, rows, columns, COUNT(columns));
    return result != DONE ? result : printed;
}
