/* `sallyport check`: looks at everything that a server needs to start and its accounts to log in,
 * and says of each whether it is well. Changes nothing. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/audit_chain.h"
#include "common/hostkey.h"
#include "common/mailing.h"
#include "common/sshkey.h"
#include "monitor/command/cert.h"
#include "monitor/notify/template.h"

#define SOON_DAYS    30 /* a certificate is to be renewed */
#define DAY_SECONDS  86400
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum mark { OK, WARN, FAIL };

struct checking {
    struct context *c;
    json_t *rows;
    bool failed;
};

static void __attribute__((format(printf, 4, 5)))
say(struct checking *k, enum mark mark, const char *what, const char *format, ...)
{
    static const char *const marks[] = {[OK] = "OK", [WARN] = "WARN", [FAIL] = "FAIL"};
    char text[4096];
    va_list arguments;
    json_t *row = json_object();

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    put(row, "result", json_string(marks[mark]));
    put(row, "what", json_from(slice_text(what)));
    put(row, "text", json_from(slice_text(text)));
    json_array_append_new(k->rows, row);
    k->failed |= mark == FAIL;
}

/* ---- files and folders -------------------------------------------------------------------- */

static void check_programs(struct checking *k)
{
    static const char *const programs[] = {"sallyport-store",  "sallyport-files", "sallyport-hash",
                                           "sallyport-notify", "sallyport-sftp",  "sallyport-ftps",
                                           "sallyport-https"};
    const char *folder = k->c->config.server_programs;
    char path[4352];
    bool all = true;

    for (size_t i = 0; i < COUNT(programs); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, programs[i]);
        if (access(path, X_OK) == 0)
            continue;
        say(k, FAIL, "programs", "%s: %s", path, strerror(errno));
        all = false;
    }
    if (all)
        say(k, OK, "programs", "all are in %s", folder);
}

/* A folder that is one user's alone. Returns whether it is there and that user's. */
static bool check_private(struct checking *k, const char *what, const char *path, uid_t owner)
{
    struct stat st;

    if (stat(path, &st) < 0) {
        say(k, errno == ENOENT ? WARN : FAIL, what, "%s: %s%s", path, strerror(errno),
            errno == ENOENT ? ": it is made at the first start" : "");
        return false;
    }
    if (!S_ISDIR(st.st_mode))
        say(k, FAIL, what, "%s is not a folder", path);
    else if (st.st_uid == 0 && owner != 0 && geteuid() == 0)
        say(k, WARN, what, "%s is root's: it is given to uid %u at the first start", path,
            (unsigned)owner);
    else if (st.st_uid != owner)
        say(k, FAIL, what, "%s belongs to uid %u and should to %u", path, (unsigned)st.st_uid,
            (unsigned)owner);
    else if ((st.st_mode & 077) != 0)
        say(k, FAIL, what, "%s has mode %04o: others can look into it; chmod 700 it", path,
            (unsigned)st.st_mode & 07777);
    else
        say(k, OK, what, "%s", path);
    return S_ISDIR(st.st_mode) && st.st_uid == owner;
}

static void check_host_keys(struct checking *k)
{
    char trouble[HOSTKEY_TROUBLE_MAX], fingerprint[SSHKEY_FINGERPRINT_SIZE], what[32];
    struct hostkey key;

    for (int type = 0; type < HOSTKEY_COUNT; type++) {
        snprintf(what, sizeof(what), "host key %s", hostkey_info((enum hostkey_type)type)->name);
        if (priv_hostkey_load(k->c->config.server_key_dir, (enum hostkey_type)type, &key,
                              trouble) == 0) {
            say(k, OK, what, "%s", sshkey_sha256(slice_of(key.blob, key.blob_len), fingerprint));
            hostkey_free(&key);
        } else if (errno == ENOENT) {
            say(k, WARN, what, "there is none: it is made at the first start");
        } else {
            say(k, FAIL, what, "%s", trouble);
        }
    }
}

/* One TLS certificate: can it be read, and for how long is it valid? */
static void check_certificate(struct checking *k, int folder, const char *file)
{
    char trouble[KEYFILE_TROUBLE_MAX], subject[CERT_SUBJECT_MAX];
    STACK_OF(X509) *chain = priv_tls_chain_read(folder, k->c->config.server_key_dir, file, trouble);

    if (chain == NULL && errno == ENOENT && file[0] != '/') {
        say(k, WARN, "certificate", "there is none: it is made at the first start");
    } else if (chain == NULL) {
        say(k, FAIL, "certificate", "%s", trouble);
    } else {
        X509 *own = sk_X509_value(chain, 0);
        const int64_t left = cert_seconds(X509_get0_notAfter(own)) - (int64_t)time(NULL);
        say(k,
            left < 0                         ? FAIL
            : left < SOON_DAYS * DAY_SECONDS ? WARN
                                             : OK,
            "certificate", left < 0 ? "%s has expired" : "%s is valid for %" PRId64 " days",
            cert_subject(X509_get_subject_name(own), subject), left / DAY_SECONDS);
    }
    sk_X509_pop_free(chain, X509_free);
}

static void check_certificates(struct checking *k)
{
    const struct config *config = &k->c->config;
    const char *file = config->tls_certificate, *list = config->tls_further;
    const int folder = open(config->server_key_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct tls_paths paths;

    if (folder < 0)
        return; /* told by check_private */
    if (config->ftps_enabled || config->https_enabled) {
        check_certificate(k, folder, file[0] != '\0' ? file : TLS_CERTIFICATE_FILE);
        while (tls_paths_next(&list, &paths))
            check_certificate(k, folder, paths.certificate);
    }
    close(folder);
}

/* ---- ids ---------------------------------------------------------------------------------- */

static bool in_range(uint32_t id, struct id_range range)
{
    return id >= range.first && id <= range.last;
}

/* Users of this machine that have an id of the server's: they could reach what is not theirs. */
static void check_ids(struct checking *k)
{
    const struct config *config = &k->c->config;
    bool clean = true;

    if (geteuid() != 0) {
        say(k, WARN, "ids", "not root: all processes and accounts share uid %u",
            (unsigned)geteuid());
        return;
    }
    setpwent();
    for (const struct passwd *user = getpwent(); user != NULL; user = getpwent()) {
        const uint32_t uid = user->pw_uid;
        const char *whose = in_range(uid, config->server_worker_ids)    ? "worker_ids"
                            : in_range(uid, config->server_account_ids) ? "account_ids"
                            : uid == config->server_store_id            ? "store_id"
                            : uid == config->server_hasher_id           ? "hasher_id"
                                                                        : NULL;
        if (whose == NULL)
            continue;
        say(k, WARN, "ids", "user %s of this machine has uid %" PRIu32 ", which is in %s",
            user->pw_name, uid, whose);
        clean = false;
    }
    endpwent();
    if (clean)
        say(k, OK, "ids", "no user of this machine has an id of the server's");
}

/* ---- mail --------------------------------------------------------------------------------- */

static void check_template(void *context, const char *file, const char *why)
{
    struct checking *k = context;
    const struct config *config = &k->c->config;
    char path[4096 + 256];
    struct stat st;

    snprintf(path, sizeof(path), "%s/%s", config->mail_templates, file);
    if (why != NULL)
        say(k, WARN, "mail templates", "%s is not used: %s", path, why);
    else if (geteuid() == 0 && stat(path, &st) == 0 && (st.st_mode & S_IROTH) == 0 &&
             st.st_uid != config->server_notify_id)
        say(k, WARN, "mail templates", "%s is not used: uid %" PRIu32 " cannot read it", path,
            config->server_notify_id);
    else
        say(k, OK, "mail templates", "%s", path);
}

static void check_mail_command(struct checking *k)
{
    char from[CONFIG_MAIL_FROM];
    struct command_line command;
    struct stat st;

    config_mail_from(&k->c->config, from);
    if (command_line_split(slice_text(k->c->config.mail_sendmail), &command) != NULL)
        return; /* told as a trouble of the configuration */
    if (stat(command.words[0], &st) < 0 || access(command.words[0], X_OK) < 0)
        say(k, FAIL, "mail command", "%s: %s", command.words[0], strerror(errno));
    else if (!S_ISREG(st.st_mode))
        say(k, FAIL, "mail command", "%s is no program", command.words[0]);
    else if (geteuid() == 0 && st.st_uid == 0 && (st.st_mode & S_ISUID) != 0)
        say(k, WARN, "mail command",
            "%s is set-uid: it gets no capability here; a client that is not is better",
            command.words[0]);
    else
        say(k, OK, "mail command", "%s, from %s", command.words[0], from);
}

static void check_mail(struct checking *k)
{
    const struct config *config = &k->c->config;
    char base[CONFIG_MAIL_BASE];

    if (!config->mail_enabled)
        return;
    check_mail_command(k);
    config_mail_base(config, base);
    if (!config->https_enabled && config->mail_base[0] == '\0')
        say(k, WARN, "mail links", "lead to %s, and HTTPS is not served", base);
    else
        say(k, OK, "mail links", "begin with %s", base);
    if (config->mail_templates[0] != '\0' &&
        templates_check(config->mail_templates, check_template, k) < 0)
        say(k, WARN, "mail templates", "%s: %s", config->mail_templates, strerror(errno));
}

/* ---- accounts ----------------------------------------------------------------------------- */

/* May these ids pass through a folder? */
static bool may_pass(const struct stat *st, uint32_t uid, uint32_t gid)
{
    return (st->st_mode & (st->st_uid == uid ? 0100 : st->st_gid == gid ? 0010 : 0001)) != 0;
}

/* The first folder above a path that its account cannot pass through; false: there is none. */
static bool closed_above(const char *home, uint32_t uid, uint32_t gid, char *part, size_t size)
{
    struct stat st;

    if (geteuid() != 0 || slice_copy(slice_text(home), part, size) < 0)
        return false;
    for (char *at = strrchr(part, '/'); at != NULL; at = strrchr(part, '/')) {
        *(at == part ? at + 1 : at) = '\0';
        if (stat(part, &st) == 0 && !may_pass(&st, uid, gid))
            return true;
        if (at == part)
            break;
    }
    return false;
}

static bool check_home(struct checking *k, const char *what, const char *home, uint32_t uid,
                       uint32_t gid)
{
    char part[4096];
    struct stat st;

    if (stat(home, &st) < 0)
        say(k, FAIL, what, "home %s: %s", home, strerror(errno));
    else if (!S_ISDIR(st.st_mode))
        say(k, FAIL, what, "home %s is not a folder", home);
    else if (st.st_uid != uid)
        say(k, WARN, what, "home %s belongs to uid %u, not to the account's %" PRIu32, home,
            (unsigned)st.st_uid, uid);
    else if (closed_above(home, uid, gid, part, sizeof(part)))
        say(k, FAIL, what, "home %s: uid %" PRIu32 " cannot pass through %s", home, uid, part);
    else
        return true;
    return false;
}

/* Can the account be opened at all? */
static bool check_login(struct checking *k, const char *what, const struct account *a)
{
    const bool password = a->password.len > 0, key = a->key_count > 0;

    if (!password && !key)
        say(k, WARN, what, "has neither a password nor a key: nothing opens it");
    else if ((a->flags & ACCOUNT_BOTH) != 0 && !(password && key))
        say(k, WARN, what, "needs a password and a key, and has no %s: nothing opens it",
            password ? "key" : "password");
    else
        return true;
    return false;
}

static void check_accounts(struct checking *k)
{
    char after[ACCOUNT_NAME_MAX + 1] = "", what[ACCOUNT_NAME_MAX + 16], home[4096];
    unsigned good = 0, all = 0;
    struct account a;

    for (;; all++) {
        const struct user_next next = {.after = slice_text(after)};
        const enum message_type type = ask(k->c, MSG_user_next, &next, 0);
        if (type == MSG_nothing_more)
            break;
        if (type != MSG_account || decode_account(&k->c->link.answer, &a) < 0 ||
            slice_copy(a.name, after, sizeof(after)) < 0 ||
            slice_copy(a.home, home, sizeof(home)) < 0) {
            say(k, FAIL, "accounts", "cannot be read");
            return;
        }
        snprintf(what, sizeof(what), "account %s", after);
        const bool enters = check_login(k, what, &a);
        good += check_home(k, what, home, a.uid, a.gid) && enters;
    }
    if (good == all)
        say(k, OK, "accounts", "%u, each with its home and a way to log in", all);
    else
        say(k, OK, "accounts", "%u of %u are well", good, all);
}

/* ---- folder sets -------------------------------------------------------------------------- */

struct folders_checked {
    struct checking *k;
    unsigned good, all;
};

static void check_folder(const struct folder_set *folder, void *context)
{
    struct folders_checked *f = context;
    char path[4096], part[4096], what[FOLDER_NAME_MAX + 16];
    struct stat st;

    f->all++;
    snprintf(what, sizeof(what), "folder set %.*s", (int)folder->name.len,
             (const char *)folder->name.data);
    const char *trouble = slice_copy(folder->path, path, sizeof(path)) < 0 || stat(path, &st) < 0
                              ? strerror(errno)
                              : folder_unshared(&st, folder->gid);
    if (trouble != NULL)
        say(f->k, WARN, what, "%s: %s (gid %" PRIu32 ", mode 2770 are expected)", path, trouble,
            folder->gid);
    else if (closed_above(path, ID_AUTOMATIC, folder->gid, part, sizeof(part)))
        say(f->k, WARN, what, "%s: who has it may not be able to pass through %s", path, part);
    else
        f->good++;
}

static void check_folders(struct checking *k)
{
    struct folders_checked f = {.k = k};

    if (folders_each(k->c, check_folder, &f) < 0)
        say(k, FAIL, "folder sets", "cannot be read");
    else if (f.all > 0)
        say(k, OK, "folder sets", "%u of %u are well", f.good, f.all);
}

/* ---- the audit log ------------------------------------------------------------------------ */

static void check_audit(struct checking *k)
{
    struct audit_verdict verdict;
    char *troubles = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&troubles, &len);
    const int r = out == NULL ? -1 : audit_verify(k->c->config.server_state_dir, out, &verdict);
    const int error = errno;

    if (out != NULL && fclose(out) == 0 && r == 1)
        say(k, FAIL, "audit log", "%" PRIu64 " troubles in its chain, the first: %.*s",
            verdict.troubles, (int)strcspn(troubles, "\n"), troubles);
    else if (r < 0)
        say(k, FAIL, "audit log", "cannot be read: %s", strerror(error));
    else
        say(k, OK, "audit log", "%" PRIu64 " lines in %" PRIu64 " files, the chain is whole",
            verdict.lines, verdict.files);
    free(troubles);
}

/* ---- all ---------------------------------------------------------------------------------- */

static void check_all(struct checking *k)
{
    struct context *c = k->c;
    struct config_trouble trouble;
    const bool root = geteuid() == 0;

    c->config_read = true;
    if (config_read(c->config_path, &c->config, &trouble) < 0) {
        say(k, FAIL, "configuration", "%s", trouble.text);
        return;
    }
    say(k, OK, "configuration", "%s", c->config_path);
    check_programs(k);
    check_ids(k);
    check_mail(k);
    if (check_private(k, "key folder", c->config.server_key_dir, geteuid())) {
        check_host_keys(k);
        check_certificates(k);
    }
    const bool state = check_private(k, "state folder", c->config.server_state_dir,
                                     root ? c->config.server_store_id : geteuid());
    const int server = link_server(c);
    say(k, server < 0 ? FAIL : OK, "server",
        server < 0    ? "cannot be asked"
        : server == 0 ? "does not run"
                      : "runs");
    /* Without a server a store of our own is asked; it would make the folder. */
    if (server <= 0 && !state)
        return;
    if (server < 0 || (server == 0 && link_store(c) < 0))
        say(k, FAIL, "store", "cannot be asked");
    else {
        check_accounts(k);
        check_folders(k);
    }
    check_audit(k);
}

enum result command_check(struct context *c)
{
    static const struct column columns[] = {{"RESULT", "result"}, {"WHAT", "what"}, {"", "text"}};
    struct checking k = {.c = c, .rows = json_array()};

    check_all(&k);
    const enum result printed = print_rows(c, k.rows, columns, COUNT(columns));
    return k.failed ? REFUSED : printed;
}
