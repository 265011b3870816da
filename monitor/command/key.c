/* `sallyport key ...`: public keys of accounts. Reads whatever text form people have; a private key
 * is refused whole, wiped, and never sent anywhere. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/sshkey.h"
#include "monitor/command/command.h"

#define FOLDER_HINT  ": --folder takes every NAME.pub in it"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- add ---------------------------------------------------------------------------------- */

struct adding {
    struct context *c;
    json_t *rows;
    bool refused; /* at least one */
};

/* One answer: into the rows, and refusals to stderr too. */
static void report(struct adding *a, const char *account, const char *from,
                   const struct sshkey_entry *e, const char *result, const char *why)
{
    const struct slice blob = slice_of(e->blob, e->blob_len);
    char fingerprint[SSHKEY_FINGERPRINT_SIZE];
    json_t *row = json_object();

    put(row, "account", json_from(slice_text(account)));
    put(row, "file", json_from(slice_text(from)));
    put(row, "line", json_integer(e->line));
    put(row, "result", json_string(result));
    put(row, "reason", why != NULL ? json_from(slice_text(why)) : json_null());
    put(row, "type", e->info.type != NULL ? json_string(e->info.type) : json_null());
    put(row, "sha256",
        e->info.type != NULL ? json_string(sshkey_sha256(blob, fingerprint)) : json_null());
    put(row, "comment", json_from(slice_text(e->comment)));
    json_array_append_new(a->rows, row);
    if (why != NULL) {
        tell("%s:%u: %s", from, e->line, why);
        a->refused = true;
    }
}

/* Store one key that was read. Returns 0, or -1 when nothing further can be stored. */
static int add_entry(struct adding *a, const char *account, const char *from,
                     const struct sshkey_entry *e)
{
    const struct slice blob = slice_of(e->blob, e->blob_len);
    const struct key_add add = {
        .name = slice_text(account), .key = blob, .comment = slice_text(e->comment)};
    char why[SSHKEY_TROUBLE_SIZE + 16], fingerprint[SSHKEY_FINGERPRINT_SIZE];

    if (e->trouble[0] != '\0') {
        snprintf(why, sizeof(why), "this %s", e->trouble);
        report(a, account, from, e, "refused", why);
        return 0;
    }
    errno = 0;
    if (ask(a->c, MSG_key_add, &add, EEXIST) == MSG_store_done) {
        tell_audit(a->c, "account-change", account, "key added: %s \"%s\"",
                   sshkey_sha256(blob, fingerprint), e->comment);
        report(a, account, from, e, "added", NULL);
        return 0;
    }
    if (errno == EEXIST) {
        report(a, account, from, e, "already there", NULL);
        return 0;
    }
    a->refused = true;
    return errno == EINVAL ? 0 : -1;
}

/* All keys of a text, for one account. */
static int add_text(struct adding *a, const char *account, const char *from, struct slice text)
{
    struct sshkey_text keys = sshkey_text_of(text);
    struct sshkey_entry *e = calloc(1, sizeof(*e));
    bool any = false;
    int r = -1;

    if (e == NULL) {
        tell("%s", strerror(errno));
        return -1;
    }
    if (sshkey_is_private(text)) {
        tell("%s: this is a private key: it stays with its owner, and nothing of it was stored. "
             "The public key is needed: the file that ends in .pub, or what `ssh-keygen -y` or "
             "PuTTYgen shows",
             from);
        a->refused = true;
        r = 0;
        goto out;
    }
    while (sshkey_next(&keys, e) == 1) {
        any = true;
        if (add_entry(a, account, from, e) < 0)
            goto out;
    }
    if (!any) {
        tell("%s: there is no key in it", from);
        a->refused = true;
    }
    r = 0;
out:
    explicit_bzero(e, sizeof(*e));
    free(e);
    return r;
}

/* ALICE.pub in a folder: the account whose name is exactly ALICE. */
static int add_named_file(struct adding *a, int folder, const char *file)
{
    char name[NAME_MAX + 1];
    struct account account;
    struct text text = {0};
    int r = 0;

    snprintf(name, sizeof(name), "%.*s", (int)(strlen(file) - strlen(".pub")), file);
    errno = 0;
    const int found = account_find(a->c, name, &account);
    if (found <= 0) {
        const struct sshkey_entry nothing = {.line = 0};
        a->refused = true;
        if (found == 0)
            report(a, name, file, &nothing, "no such account", NULL);
        return found;
    }
    if (text_read(folder, file, FOLDER_HINT, &text) < 0)
        a->refused = true;
    else
        r = add_text(a, name, file, slice_of(text.bytes, text.len));
    text_free(&text);
    return r;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_public(const struct dirent *e)
{
    const size_t n = strlen(e->d_name), tail = strlen(".pub");

    return n > tail && strcmp(e->d_name + n - tail, ".pub") == 0;
}

static int add_folder(struct adding *a, const char *path)
{
    struct dirent **files = NULL;
    const int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int count = folder < 0 ? -1 : scandirat(folder, ".", &files, is_public, by_name);
    int r = 0;

    if (count < 0) {
        tell("%s: %s", path, strerror(errno));
        r = -1;
    } else if (count == 0) {
        tell("%s: there is no NAME.pub in it", path);
        a->refused = true;
    }
    for (int i = 0; i < count && r == 0; i++)
        r = add_named_file(a, folder, files[i]->d_name);
    for (int i = 0; i < count; i++)
        free(files[i]);
    free(files);
    if (folder >= 0)
        close(folder);
    return r;
}

static int add_file(struct adding *a, const char *account, const char *file)
{
    struct text text = {0};
    int r = text_read(AT_FDCWD, file, FOLDER_HINT, &text);

    if (r == 0)
        r = add_text(a, account, strcmp(file, "-") == 0 ? "standard input" : file,
                     slice_of(text.bytes, text.len));
    text_free(&text);
    return r;
}

enum result command_key_add(struct context *c)
{
    static const struct column columns[] = {
        {"ACCOUNT", "account"}, {"FILE", "file"},     {"LINE", "line"},      {"RESULT", "result"},
        {"TYPE", "type"},       {"SHA256", "sha256"}, {"COMMENT", "comment"}};
    struct adding a = {.c = c};
    struct account account;
    const size_t want = given(c, OPTION_FOLDER) ? 0 : given(c, OPTION_TEXT) ? 1 : 2;
    int r;

    if (c->argument_count != want || (given(c, OPTION_FOLDER) && given(c, OPTION_TEXT))) {
        tell("key add: give NAME KEYFILE, NAME - (standard input), NAME --text LINE or --folder "
             "DIR");
        return USAGE;
    }
    if (want > 0 && account_find(c, c->arguments[0], &account) <= 0)
        return REFUSED;
    a.rows = json_array();
    if (given(c, OPTION_FOLDER))
        r = add_folder(&a, c->options[OPTION_FOLDER]);
    else if (given(c, OPTION_TEXT))
        r = add_text(&a, c->arguments[0], "--text", slice_text(c->options[OPTION_TEXT]));
    else
        r = add_file(&a, c->arguments[0], c->arguments[1]);
    const enum result printed = print_rows(c, a.rows, columns, COUNT(columns));
    return r < 0 || a.refused ? REFUSED : printed;
}

/* ---- list and remove ---------------------------------------------------------------------- */

static json_t *key_json(const struct key *key)
{
    char fingerprint[SSHKEY_FINGERPRINT_SIZE], trouble[SSHKEY_TROUBLE_SIZE];
    struct sshkey_info info;
    json_t *o = json_object();

    /* A key that would not be taken today is shown all the same. */
    if (sshkey_read_blob(key->key, &info, trouble) < 0 && info.type == NULL)
        info = (struct sshkey_info){.type = "unknown"};
    put(o, "number", json_integer((json_int_t)key->number));
    put(o, "type", json_string(info.type));
    put(o, "bits", json_integer(info.bits));
    put(o, "sha256", json_string(sshkey_sha256(key->key, fingerprint)));
    put(o, "md5", json_string(sshkey_md5(key->key, fingerprint)));
    put(o, "comment", json_from(key->comment));
    put(o, "added", json_time(key->added));
    put(o, "last_used", json_time(key->last_used));
    return o;
}

/* All keys of an account as rows, or NULL after telling why not. */
static json_t *all_keys(struct context *c, const char *name)
{
    struct key_next next = {.name = slice_text(name)};
    json_t *rows = json_array();
    struct account account;
    struct key key;

    if (account_find(c, name, &account) <= 0)
        goto failed;
    for (;;) {
        const enum message_type type = ask(c, MSG_key_next, &next, 0);
        if (type == MSG_nothing_more)
            return rows;
        if (type != MSG_key || decode_key(&c->link.answer, &key) < 0)
            goto failed;
        json_array_append_new(rows, key_json(&key));
        next.after = key.number;
    }
failed:
    json_decref(rows);
    return NULL;
}

enum result command_key_list(struct context *c)
{
    static const struct column columns[] = {
        {"NUMBER", "number"},       {"TYPE", "type"},       {"BITS", "bits"},
        {"SHA256", "sha256"},       {"MD5", "md5"},         {"ADDED", "added"},
        {"LAST USED", "last_used"}, {"COMMENT", "comment"},
    };
    json_t *rows = all_keys(c, c->arguments[0]);

    return rows == NULL ? REFUSED : print_rows(c, rows, columns, COUNT(columns));
}

/* Is this the key that was meant? */
static bool is_meant(const json_t *row, const char *what)
{
    static const char *const keys[] = {"sha256", "md5", "comment"};
    char number[32];

    snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
             json_integer_value(json_object_get(row, "number")));
    if (strcmp(number, what) == 0)
        return true;
    for (size_t i = 0; i < COUNT(keys); i++) {
        const char *text = json_string_value(json_object_get(row, keys[i]));
        if (text != NULL && strcmp(text, what) == 0 && what[0] != '\0')
            return true;
    }
    return false;
}

enum result command_key_remove(struct context *c)
{
    const char *name = c->arguments[0], *what = c->arguments[1];
    json_t *rows = all_keys(c, name), *row, *meant = NULL;
    enum result result = REFUSED;
    size_t i, count = 0;
    char numbers[256] = "";

    if (rows == NULL)
        return REFUSED;
    json_array_foreach(rows, i, row)
    {
        const size_t n = strlen(numbers);
        if (!is_meant(row, what))
            continue;
        meant = row;
        count++;
        snprintf(numbers + n, sizeof(numbers) - n, "%s%" JSON_INTEGER_FORMAT, n > 0 ? ", " : "",
                 json_integer_value(json_object_get(row, "number")));
    }
    if (count != 1) {
        if (count == 0)
            tell("%s has no key \"%s\": give its number, fingerprint or comment, exactly", name,
                 what);
        else
            tell("%zu keys of %s are \"%s\": say which by its number (%s)", count, name, what,
                 numbers);
        goto out;
    }
    const struct key_remove remove = {
        .name = slice_text(name),
        .number = (uint64_t)json_integer_value(json_object_get(meant, "number"))};
    if (ask(c, MSG_key_remove, &remove, 0) != MSG_store_done)
        goto out;
    const char *sha256 = json_string_value(json_object_get(meant, "sha256"));
    tell_audit(c, "account-change", name, "key removed: %s", sha256);
    result = print_done(c, json_incref(meant), "key %" PRIu64 " of %s removed: %s", remove.number,
                        name, sha256);
out:
    json_decref(rows);
    return result;
}
