/* Whom the command talks to: the monitor, over the control socket, or, when none listens there, a
 * store that it starts itself; and a hasher for new passwords. Must never touch the state folder
 * while a server runs, and never waits for ever. */
#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/spawn.h"
#include "monitor/command/command.h"

#define ANSWER_SECONDS 60  /* of a server or store that works */
#define READY_SECONDS  300 /* of a store that may have to migrate, or a chain to walk */

/* ---- folders ------------------------------------------------------------------------------ */

/* Make one folder with exactly this mode and, as root, this owner; one that exists stays. */
static int make_folder(const char *path, mode_t mode, uint32_t owner)
{
    if (mkdir(path, mode) < 0)
        return errno == EEXIST ? 0 : -1;
    if (chmod(path, mode) < 0)
        return -1;
    return geteuid() == 0 && owner != 0 ? chown(path, owner, owner) : 0;
}

/* The same with the folders above it: those are root's, 0755. */
static int make_folders(const char *path, mode_t mode, uint32_t owner)
{
    char part[4096];

    if (slice_copy(slice_text(path), part, sizeof(part)) < 0) {
        errno = ENAMETOOLONG;
        return -1;
    }
    for (char *at = part + 1; *at != '\0'; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        if (make_folder(part, 0755, 0) < 0)
            return -1;
        *at = '/';
    }
    return make_folder(path, mode, owner);
}

/* ---- waiting ------------------------------------------------------------------------------ */

/* The next message, or -1 with errno: ETIMEDOUT, EPIPE (the other side is gone), EPROTO. */
static int receive(int socket, struct envelope *e, int seconds)
{
    struct pollfd ready = {.fd = socket, .events = POLLIN};
    int r;

    do
        r = poll(&ready, 1, seconds * 1000);
    while (r < 0 && errno == EINTR);
    if (r == 0)
        errno = ETIMEDOUT;
    if (r <= 0)
        return -1;
    r = message_receive(socket, e, 0);
    if (r == 0)
        errno = EPIPE;
    return r == 1 ? 0 : -1;
}

/* Wait for the end of a child whose link is closed. */
static void wait_child(pid_t pid)
{
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* ---- the server --------------------------------------------------------------------------- */

int link_server(struct context *c)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    const int n =
        snprintf(to.sun_path, sizeof(to.sun_path), "%s/control", c->config.server_run_dir);

    if (n < 0 || (size_t)n >= sizeof(to.sun_path)) {
        tell("%s/control: too long for a socket's name", c->config.server_run_dir);
        return -1;
    }
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        tell("%s: %s", to.sun_path, strerror(errno));
        return -1;
    }
    if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0) {
        c->link.socket = fd;
        c->link.server = true;
        return 1;
    }
    const int error = errno;
    close(fd);
    if (error == ENOENT || error == ECONNREFUSED)
        return 0;
    if (error == EACCES)
        tell("%s: only root, or the user who runs the server, may use it", to.sun_path);
    else
        tell("%s: %s", to.sun_path, strerror(error));
    return -1;
}

/* ---- a store of our own ------------------------------------------------------------------- */

static int set_up_store(struct context *c)
{
    const struct config *config = &c->config;
    const bool root = geteuid() == 0;
    const struct store_setup setup = {
        .state_dir = slice_text(config->server_state_dir),
        .uid = root ? config->server_store_id : 0,
        .gid = root ? config->server_store_id : 0,
        .account_id_first = root ? config->server_account_ids.first : 0,
        .account_id_last = root ? config->server_account_ids.last : 0,
        .rotate_bytes = config->audit_rotate_bytes,
        .rotate_keep = config->audit_rotate_keep,
        .link_seconds = config->accounts_link_seconds,
        .links_an_hour = config->accounts_links_an_hour,
        .gather_seconds = config->mail_gather,
        .mail = config->mail_enabled,
        .organisation = slice_text(config->https_organisation),
        .log_level = (uint8_t)config->server_log_level,
    };
    struct store_ready ready;

    if (send_store_setup(c->link.socket, 0, &setup) < 0 ||
        receive(c->link.socket, &c->link.answer, READY_SECONDS) < 0 ||
        decode_store_ready(&c->link.answer, &ready) < 0) {
        tell("sallyport-store did not start: %s",
             errno == EPIPE || errno == ECONNRESET ? "it ended" : strerror(errno));
        return -1;
    }
    if (ready.trouble.len > 0)
        tell("%.*s", (int)ready.trouble.len, (const char *)ready.trouble.data);
    return ready.trouble.len > 0 ? -1 : 0;
}

/* The state folder, the store's own; one that root made beforehand is given to it, as the server
 * does at its start. */
static int make_state_folder(const struct config *config)
{
    const char *path = config->server_state_dir;
    const uint32_t owner = config->server_store_id;
    struct stat st;

    if (make_folders(path, 0700, owner) < 0 || stat(path, &st) < 0)
        return -1;
    return geteuid() == 0 && st.st_uid == 0 ? lchown(path, owner, owner) : 0;
}

int link_store(struct context *c)
{
    const int server = link_server(c);

    if (server != 0)
        return server < 0 ? -1 : 0;
    if (make_state_folder(&c->config) < 0) {
        tell("state folder %s: %s", c->config.server_state_dir, strerror(errno));
        return -1;
    }
    c->link.child = priv_spawn(c->config.server_programs, "sallyport-store", &c->link.socket);
    if (c->link.child < 0) {
        tell("%s/sallyport-store: %s", c->config.server_programs, strerror(errno));
        c->link.child = 0;
        return -1;
    }
    return set_up_store(c);
}

void link_close(struct link *link)
{
    envelope_clear(&link->answer);
    if (link->socket >= 0)
        close(link->socket);
    link->socket = -1;
    wait_child(link->child);
    link->child = 0;
}

/* ---- questions ---------------------------------------------------------------------------- */

/* A refusal, from the store or the monitor: told unless it is the quiet one. */
static void refusal(const struct envelope *answer, int quiet)
{
    struct store_refused store;
    struct control_refused control;
    struct slice text = slice_text("refused, without a reason");
    uint32_t error = EPROTO;

    if (decode_store_refused(answer, &store) == 0) {
        text = store.text;
        error = store.error;
    } else if (decode_control_refused(answer, &control) == 0) {
        text = control.text;
        error = control.error;
    }
    if (quiet == 0 || error != (uint32_t)quiet)
        tell("%.*s", (int)text.len, (const char *)text.data);
    errno = (int)error;
}

enum message_type ask(struct context *c, enum message_type type, const void *message, int quiet)
{
    struct link *link = &c->link;
    const char *who = link->server ? "the server" : "the store";

    envelope_clear(&link->answer);
    if (message_send(link->socket, type, ++link->id, message, NULL, 0) < 0) {
        if (errno == EMSGSIZE)
            tell("%s: a text is too long", message_info(type)->name);
        else
            tell("%s cannot be asked: %s", who, strerror(errno));
        return MSG_NONE;
    }
    do {
        if (receive(link->socket, &link->answer, ANSWER_SECONDS) < 0) {
            tell("%s did not answer: %s", who, errno == EPIPE ? "it ended" : strerror(errno));
            return MSG_NONE;
        }
    } while (link->answer.id != link->id);
    if (link->answer.type != MSG_store_refused && link->answer.type != MSG_control_refused)
        return link->answer.type;
    refusal(&link->answer, quiet);
    return MSG_NONE;
}

/* ---- a hasher of our own ------------------------------------------------------------------ */

static int start_hasher(struct context *c, pid_t *pid, int *socket)
{
    char empty[4096];
    const bool root = geteuid() == 0;
    const int n = snprintf(empty, sizeof(empty), "%s/empty", c->config.server_run_dir);
    const struct hash_setup setup = {
        .empty_dir = slice_text(empty),
        .uid = root ? c->config.server_hasher_id : 0,
        .gid = root ? c->config.server_hasher_id : 0,
        .cost = c->config.server_hash_cost,
    };

    if (n < 0 || (size_t)n >= sizeof(empty))
        return -1;
    /* As root it lives in the empty folder, which a server may never have made. */
    if (root &&
        (make_folders(c->config.server_run_dir, 0755, 0) < 0 || make_folder(empty, 0555, 0) < 0)) {
        tell("%s: %s", empty, strerror(errno));
        return -1;
    }
    *pid = priv_spawn(c->config.server_programs, "sallyport-hash", socket);
    if (*pid < 0) {
        tell("%s/sallyport-hash: %s", c->config.server_programs, strerror(errno));
        return -1;
    }
    return send_hash_setup(*socket, 0, &setup);
}

int hash_new(struct context *c, const struct secret *password, struct secret *hash)
{
    const struct hash_password request = {.password = secret_slice(password)};
    struct envelope *e = calloc(1, sizeof(*e));
    struct hash_ready ready;
    struct hashed result;
    pid_t pid = -1;
    int socket = -1, r = -1;

    if (e == NULL || start_hasher(c, &pid, &socket) < 0)
        goto out;
    if (receive(socket, e, ANSWER_SECONDS) < 0 || decode_hash_ready(e, &ready) < 0 ||
        send_hash_password(socket, 1, &request) < 0 || receive(socket, e, ANSWER_SECONDS) < 0 ||
        decode_hashed(e, &result) < 0)
        tell("sallyport-hash did not answer: %s", errno == EPIPE ? "it ended" : strerror(errno));
    else if (result.hash.len == 0)
        tell("this password cannot be hashed");
    else
        r = secret_set(hash, result.hash);
out:
    if (e != NULL)
        envelope_clear(e);
    free(e);
    if (socket >= 0)
        close(socket);
    wait_child(pid);
    return r;
}

/* ---- what goes with every change ---------------------------------------------------------- */

/* Who runs this: the real uid's name and, under sudo, who asked for it. */
static void who(char *text, size_t size)
{
    const struct passwd *user = getpwuid(getuid());
    const char *sudo = getuid() == 0 ? getenv("SUDO_USER") : NULL;

    snprintf(text, size, "%.64s (uid %u%s%.64s)", user != NULL ? user->pw_name : "somebody",
             (unsigned)getuid(), sudo != NULL ? ", by sudo of " : "", sudo != NULL ? sudo : "");
}

void tell_audit(struct context *c, const char *event, const char *account, const char *format, ...)
{
    char by[256], what[700], text[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    who(by, sizeof(by));
    snprintf(text, sizeof(text), "%s, by %s", what, by);
    const struct store_audit line = {.event = slice_text(event),
                                     .account = slice_text(account),
                                     .protocol = slice_text("operator"),
                                     .text = slice_text(text)};
    if (ask(c, MSG_store_audit, &line, 0) == MSG_NONE)
        tell("warning: the change was made, but it is not in the audit log");
}

int end_sessions(struct context *c, const char *account)
{
    const struct session_kill kill = {.account = slice_text(account)};
    struct control_done done;

    if (!c->link.server)
        return 0;
    if (ask(c, MSG_session_kill, &kill, 0) != MSG_control_done ||
        decode_control_done(&c->link.answer, &done) < 0) {
        tell("warning: the account's sessions could not be ended");
        return -1;
    }
    return (int)done.count;
}
