/* `sallyport folder ...`: folder sets, which accounts share. The store decides; what follows it
 * (the folder itself, the end of live sessions, the audit line) is told if it fails and undoes
 * nothing. Must never give away a folder that was there before, nor one that is not the one just
 * made. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/operations.h"
#include "monitor/command/command.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- folder sets as answers --------------------------------------------------------------- */

/* A folder set by its exact name: 1 (points into link.answer), 0 after telling that there is none,
 * -1 after telling why. */
static int folder_find(struct context *c, const char *name, struct folder_set *folder)
{
    const struct folder_show show = {.name = slice_text(name)};
    const enum message_type type =
        strlen(name) > FOLDER_NAME_MAX ? MSG_nothing_more : ask(c, MSG_folder_show, &show, 0);

    if (type == MSG_folder_set && decode_folder_set(&c->link.answer, folder) == 0)
        return 1;
    if (type == MSG_nothing_more)
        tell("there is no folder set \"%s\" (names are case-sensitive)", name);
    else if (type != MSG_NONE)
        tell("the store's answer is none to this question");
    return type == MSG_nothing_more ? 0 : -1;
}

static json_t *folder_json(const struct folder_set *f)
{
    json_t *o = json_object();

    put(o, "name", json_from(f->name));
    put(o, "path", json_from(f->path));
    put(o, "gid", json_integer(f->gid));
    put(o, "members", json_integer(f->members));
    put(o, "created", json_time(f->created));
    return o;
}

/* Who has it, with their rights; NULL after telling why not. */
static json_t *members_json(struct context *c, const char *name)
{
    char after[ACCOUNT_NAME_MAX + 1] = "";
    json_t *list = json_array();
    struct folder_member member;

    for (;;) {
        const struct folder_member_next next = {.name = slice_text(name),
                                                .after = slice_text(after)};
        const enum message_type type = ask(c, MSG_folder_member_next, &next, 0);
        if (type == MSG_nothing_more)
            return list;
        if (type != MSG_folder_member || decode_folder_member(&c->link.answer, &member) < 0 ||
            slice_copy(member.account, after, sizeof(after)) < 0)
            break;
        json_t *o = json_object();
        put(o, "name", json_from(member.account));
        put(o, "rights", rights_json(member.rights));
        json_array_append_new(list, o);
    }
    json_decref(list);
    return NULL;
}

enum result command_folder_show(struct context *c)
{
    static const struct column columns[] = {
        {"Name", "name"},       {"Path", "path"},         {"Gid", "gid"},
        {"Created", "created"}, {"Accounts", "accounts"},
    };
    struct folder_set folder;

    if (folder_find(c, c->arguments[0], &folder) <= 0)
        return REFUSED;
    json_t *record = folder_json(&folder), *members = members_json(c, c->arguments[0]);
    if (members == NULL) {
        json_decref(record);
        return REFUSED;
    }
    put(record, "accounts", members);
    return print_record(c, record, columns, COUNT(columns));
}

int folders_each(struct context *c, folder_seen seen, void *context)
{
    char after[FOLDER_NAME_MAX + 1] = "";
    struct folder_set folder;

    for (;;) {
        const struct folder_next next = {.after = slice_text(after)};
        const enum message_type type = ask(c, MSG_folder_next, &next, 0);
        if (type == MSG_nothing_more)
            return 0;
        if (type != MSG_folder_set || decode_folder_set(&c->link.answer, &folder) < 0 ||
            slice_copy(folder.name, after, sizeof(after)) < 0)
            return -1;
        seen(&folder, context);
    }
}

static void add_row(const struct folder_set *folder, void *context)
{
    json_array_append_new(context, folder_json(folder));
}

enum result command_folder_list(struct context *c)
{
    static const struct column columns[] = {
        {"NAME", "name"}, {"GID", "gid"}, {"ACCOUNTS", "members"}, {"PATH", "path"}};
    json_t *rows = json_array();

    if (folders_each(c, add_row, rows) == 0)
        return print_rows(c, rows, columns, COUNT(columns));
    json_decref(rows);
    return REFUSED;
}

/* ---- the folder itself -------------------------------------------------------------------- */

const char *folder_unshared(const struct stat *st, uint32_t gid)
{
    if (!S_ISDIR(st->st_mode))
        return "is not a folder";
    if (geteuid() != 0)
        return NULL; /* one user's server: everything is that user's */
    if (st->st_gid != gid)
        return "belongs to another group";
    return (st->st_mode & FOLDER_MODE) == FOLDER_MODE
               ? NULL
               : "is not for its group to write, or does not pass the group on";
}

/* One that was there already is left as it is. Returns whether it is a folder. */
static bool look_at(const char *path, uint32_t gid)
{
    struct stat st;
    const char *trouble = stat(path, &st) < 0 ? strerror(errno) : folder_unshared(&st, gid);

    if (trouble != NULL && S_ISDIR(st.st_mode))
        tell(
            "note: %s was there already and %s; it was left as it is. To share it with all that is "
            "in it: chgrp -R %" PRIu32 " and chmod -R g+rwX it, then chmod g+s every folder in it",
            path, trouble, gid);
    else if (trouble != NULL)
        tell("%s %s", path, trouble);
    return trouble == NULL || S_ISDIR(st.st_mode);
}

/* Make it, root's and the group's (as root), unless it is there. Returns 0, or -1 after telling. */
static int make_shared(const char *path, uint32_t gid)
{
    struct stat st;
    int fd = -1, r = -1;

    if (mkdir(path, 0700) < 0) {
        if (errno == EEXIST)
            return look_at(path, gid) ? 0 : -1;
        goto failed;
    }
    fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        goto failed;
    if (st.st_uid != geteuid()) { /* somebody put another folder in its place */
        errno = EPERM;
        goto failed;
    }
    r = 0;
    if (geteuid() != 0 || (fchown(fd, 0, gid) == 0 && fchmod(fd, FOLDER_MODE) == 0))
        goto out;
    r = -1;
failed:
    tell("%s cannot be made: %s", path, strerror(errno));
out:
    if (fd >= 0)
        close(fd);
    return r;
}

/* ---- add ---------------------------------------------------------------------------------- */

/* Is a path another one, or below it? */
static bool below(const char *path, const char *above)
{
    const size_t n = strlen(above);

    return strncmp(path, above, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

struct neighbours {
    const char *name, *path; /* of the new one, as the file system has it */
};

/* Whoever reaches it by another way does so with the rights of that way. */
static void note_overlap(const struct neighbours *n, const char *what, struct slice whose,
                         struct slice where)
{
    char written[PATH_MAX], there[PATH_MAX];

    if (slice_copy(where, written, sizeof(written)) < 0 || realpath(written, there) == NULL)
        return;
    if (below(n->path, there))
        tell("note: %s lies in the %s %.*s, which has other rights there", n->path, what,
             (int)whose.len, (const char *)whose.data);
    else if (below(there, n->path))
        tell("note: the %s %.*s lies in %s: whoever has %s gets at it, as far as the modes of its "
             "files allow",
             what, (int)whose.len, (const char *)whose.data, n->path, n->name);
}

static void note_folder(const struct folder_set *folder, void *context)
{
    const struct neighbours *n = context;

    if (!slice_is(folder->name, n->name))
        note_overlap(n, "folder set", folder->name, folder->path);
}

static void note_overlaps(struct context *c, const char *name, const char *path)
{
    char real[PATH_MAX], after[ACCOUNT_NAME_MAX + 1] = "";
    struct neighbours n = {.name = name, .path = real};
    struct account a;

    if (realpath(path, real) == NULL)
        return;
    for (;;) {
        const struct user_next next = {.after = slice_text(after)};
        if (ask(c, MSG_user_next, &next, 0) != MSG_account ||
            decode_account(&c->link.answer, &a) < 0 || slice_copy(a.name, after, sizeof(after)) < 0)
            break;
        note_overlap(&n, "home of", a.name, a.home);
    }
    (void)folders_each(c, note_folder, &n); /* what went wrong was told */
}

/* The path as it is kept: absolute, without slashes at its end. */
static int want_path(const char *given_path, char path[PATH_MAX])
{
    char above[PATH_MAX];
    struct stat st;

    if (given_path[0] != '/') {
        tell("%s: the path of a folder set is absolute: it begins with /", given_path);
        return -1;
    }
    if (slice_copy(slice_text(given_path), path, PATH_MAX) < 0) {
        tell("the path is too long");
        return -1;
    }
    for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
        path[n - 1] = '\0';
    memcpy(above, path, PATH_MAX);
    char *last = strrchr(above, '/');
    last[last == above ? 1 : 0] = '\0';
    if (stat(path, &st) == 0 ? S_ISDIR(st.st_mode) : stat(above, &st) == 0 && S_ISDIR(st.st_mode))
        return 0;
    tell("%s: %s", path,
         stat(path, &st) == 0 ? "this is not a folder" : "the folder above it does not exist");
    return -1;
}

static int want_gid(const struct context *c, uint32_t *gid)
{
    const struct config *config = &c->config;
    const struct id_range workers = config->server_worker_ids;
    uint64_t number;

    *gid = ID_AUTOMATIC;
    if (!given(c, OPTION_GID))
        return 0;
    if (option_number(c, OPTION_GID, 1, ID_AUTOMATIC - 1, &number) < 0)
        return -1;
    *gid = (uint32_t)number;
    if ((*gid >= workers.first && *gid <= workers.last) || *gid == config->server_store_id ||
        *gid == config->server_hasher_id) {
        tell("--gid: %" PRIu32 " is an id of the server's own processes", *gid);
        return -1;
    }
    return 0;
}

enum result command_folder_add(struct context *c)
{
    const char *name = c->arguments[0];
    char path[PATH_MAX];
    struct folder_set folder;
    uint32_t gid;

    if (want_path(c->arguments[1], path) < 0)
        return REFUSED;
    if (want_gid(c, &gid) < 0)
        return USAGE;
    const struct folder_add add = {.name = slice_text(name), .path = slice_text(path), .gid = gid};
    if (ask(c, MSG_folder_add, &add, 0) != MSG_store_done || folder_find(c, name, &folder) <= 0)
        return REFUSED;
    gid = folder.gid;
    json_t *record = folder_json(&folder);
    const bool made = make_shared(path, gid) == 0;
    tell_audit(c, "folder-change", "", "folder set %.255s added: gid %" PRIu32 ", %.300s", name,
               gid, path);
    if (made)
        note_overlaps(c, name, path);
    else
        tell("the folder set was added, but there is no folder: make it, then look with `sallyport "
             "check`");
    print_done(c, record,
               "folder set %s added: gid %" PRIu32 ", %s; `sallyport folder grant` gives "
               "it to accounts",
               name, gid, path);
    return made ? DONE : REFUSED;
}

/* ---- remove, grant, revoke ----------------------------------------------------------------- */

enum result command_folder_remove(struct context *c)
{
    const char *name = c->arguments[0];
    const struct folder_remove remove = {.name = slice_text(name)};
    struct folder_set folder;
    json_t *members, *member;
    size_t i;
    int ended = 0;

    if (folder_find(c, name, &folder) <= 0 || (members = members_json(c, name)) == NULL)
        return REFUSED;
    if (ask(c, MSG_folder_remove, &remove, 0) != MSG_store_done) {
        json_decref(members);
        return REFUSED;
    }
    json_array_foreach(members, i, member)
    {
        const int n = end_sessions(c, json_string_value(json_object_get(member, "name")));
        ended += n > 0 ? n : 0;
    }
    tell_audit(c, "folder-change", "", "folder set %.255s removed, which %zu accounts had", name,
               json_array_size(members));
    json_decref(members);
    json_t *record = json_object();
    put(record, "name", json_string(name));
    put(record, "sessions_ended", json_integer(ended));
    return print_done(c, record, "folder set %s removed; sessions ended: %d; its files stay", name,
                      ended);
}

/* What an account may do in a folder set now; 0: it does not have it. */
static uint32_t rights_now(const struct account *account, const char *name)
{
    struct slice rest = account->folders;
    struct folder folder;

    while (unnest_folder(&rest, &folder) == 1) {
        if (slice_is(folder.name, name))
            return folder.rights;
    }
    return 0;
}

enum result command_folder_grant(struct context *c)
{
    const char *name = c->arguments[0], *who = c->arguments[1];
    struct folder_grant grant = {.name = slice_text(name), .account = slice_text(who)};
    struct folder_set folder;
    struct account account;
    char text[256];

    if (folder_find(c, name, &folder) <= 0 || account_find(c, who, &account) <= 0)
        return REFUSED;
    if (rights_given("RIGHTS", c->arguments[2], rights_now(&account, name), &grant.rights) < 0)
        return USAGE;
    if (grant.rights == 0) {
        tell("no rights are left: `sallyport folder revoke %s %s` takes the folder set away", name,
             who);
        return USAGE;
    }
    if (ask(c, MSG_folder_grant, &grant, 0) != MSG_store_done)
        return REFUSED;
    rights_format(grant.rights, text, sizeof(text));
    tell_audit(c, "folder-change", who, "folder set %.255s, rights now %s", name, text);
    json_t *record = json_object();
    put(record, "name", json_string(name));
    put(record, "account", json_string(who));
    put(record, "rights", rights_json(grant.rights));
    return print_done(c, record,
                      "%s has the folder set %s with the rights %s, from its next login on", who,
                      name, text);
}

enum result command_folder_revoke(struct context *c)
{
    const char *name = c->arguments[0], *who = c->arguments[1];
    const struct folder_revoke revoke = {.name = slice_text(name), .account = slice_text(who)};
    struct folder_set folder;
    struct account account;

    if (folder_find(c, name, &folder) <= 0 || account_find(c, who, &account) <= 0 ||
        ask(c, MSG_folder_revoke, &revoke, 0) != MSG_store_done)
        return REFUSED;
    const int ended = end_sessions(c, who);
    tell_audit(c, "folder-change", who, "folder set %.255s taken away", name);
    json_t *record = json_object();
    put(record, "name", json_string(name));
    put(record, "account", json_string(who));
    put(record, "sessions_ended", json_integer(ended));
    return print_done(c, record, "%s does not have the folder set %s any more; sessions ended: %d",
                      who, name, ended > 0 ? ended : 0);
}
