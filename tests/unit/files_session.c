/* The harness of the file agent's tests. */
#include "tests/unit/files_session.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/spawn.h"

static const char *build_folder(void)
{
    const char *folder = getenv("SALLYPORT_BUILD");

    return folder != NULL ? folder : "build/release";
}

static void at_base(const struct session *s, const char *where, char *path, size_t size)
{
    assert_true(snprintf(path, size, "%s/%s", s->base, where) < (int)size);
}

void own(const struct session *s, const char *where)
{
    char path[4096 + 512];

    at_base(s, where, path, sizeof(path));
    if (geteuid() == 0)
        assert_int_equal(lchown(path, AGENT_UID, AGENT_UID), 0);
}

void put_folder(const struct session *s, const char *where)
{
    char path[512];

    at_base(s, where, path, sizeof(path));
    assert_int_equal(mkdir(path, 0755), 0);
    own(s, where);
}

void put_file(const struct session *s, const char *where, const char *content, mode_t mode)
{
    char path[512];

    at_base(s, where, path, sizeof(path));
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    own(s, where);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

void put_link(const struct session *s, const char *target, const char *where)
{
    char path[512];

    at_base(s, where, path, sizeof(path));
    assert_int_equal(symlink(target, path), 0);
    own(s, where);
}

bool file_is(const struct session *s, const char *where, const char *content)
{
    char path[512], bytes[4096];

    at_base(s, where, path, sizeof(path));
    const int fd = open(path, O_RDONLY | O_NOFOLLOW);
    if (fd < 0)
        return false;
    const ssize_t n = read(fd, bytes, sizeof(bytes));
    close(fd);
    return n == (ssize_t)strlen(content) && memcmp(bytes, content, (size_t)n) == 0;
}

bool file_stat_is(const struct session *s, const char *where, struct stat *st)
{
    char path[512];

    at_base(s, where, path, sizeof(path));
    return lstat(path, st) == 0;
}

struct session *session_folders(void)
{
    struct session *s = calloc(1, sizeof(*s));

    assert_non_null(s);
    s->pid = s->monitor = s->worker = s->store = -1;
    s->seen = calloc(SEEN_MAX, sizeof(*s->seen));
    assert_non_null(s->seen);
    umask(022);
    snprintf(s->base, sizeof(s->base), "/tmp/sallyport-files-XXXXXX");
    assert_non_null(mkdtemp(s->base));
    assert_int_equal(chmod(s->base, 0755), 0);
    own(s, "");
    snprintf(s->home, sizeof(s->home), "%s/home", s->base);
    snprintf(s->outside, sizeof(s->outside), "%s/outside", s->base);
    put_folder(s, "home");
    put_folder(s, "outside");
    put_folder(s, "empty");
    put_file(s, "outside/secret", "secret", 0600);
    return s;
}

bool session_try(struct session *s, const char *home, uint32_t rights, uint32_t flags,
                 const char *extra, uint32_t extra_rights)
{
    uint8_t folders[16384];
    char path[512];
    ssize_t len = 0;
    int worker[2], store[2];
    struct agent_ready ready;
    char empty[512];

    at_base(s, "empty", empty, sizeof(empty));
    if (home != NULL) {
        const struct folder f = {
            .name = slice_text("/"), .path = slice_text(home), .rights = rights};
        assert_true((len = nest_folder(&f, folders, (size_t)len, sizeof(folders))) > 0);
    }
    if (extra[0] != '\0') {
        at_base(s, extra, path, sizeof(path));
        const struct folder f = {.name = slice_text(extra),
                                 .path = slice_text(path),
                                 .rights = extra_rights,
                                 .gid = s->extra_gid};
        assert_true((len = nest_folder(&f, folders, (size_t)len, sizeof(folders))) > 0);
    }
    const struct agent_setup setup = {
        .session = 7,
        .account = slice_text("anna"),
        .empty_dir = slice_text(empty),
        .uid = geteuid() == 0 ? AGENT_UID : geteuid(),
        .gid = geteuid() == 0 ? AGENT_UID : getegid(),
        .flags = flags,
        .umask = 022,
        .log_level = 2,
        .folders = slice_of(folders, (size_t)len),
    };
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, worker), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, store), 0);
    s->worker = worker[0];
    s->store = store[0];
    s->pid = priv_spawn(build_folder(), "sallyport-files", &s->monitor);
    if (s->pid < 0)
        fail_msg("%s/sallyport-files cannot be started", build_folder());
    const int fds[] = {worker[1], store[1]};
    assert_int_equal(send_agent_setup_fds(s->monitor, 1, &setup, fds, 2), 0);
    close(worker[1]);
    close(store[1]);
    assert_int_equal(message_receive(s->monitor, &s->answer, 0), 1);
    assert_int_equal(decode_agent_ready(&s->answer, &ready), 0);
    assert_int_equal(slice_copy(ready.trouble, s->trouble, sizeof(s->trouble)), 0);
    assert_int_equal(slice_copy(ready.missing, s->missing, sizeof(s->missing)), 0);
    s->layers = ready.layers;
    return s->trouble[0] == '\0';
}

struct session *session_start(uint32_t rights, uint32_t flags)
{
    struct session *s = session_folders();

    if (!session_try(s, s->home, rights, flags, "", 0))
        fail_msg("not ready: %s", s->trouble);
    return s;
}

struct session *session_beside(const struct session *s, uint32_t rights, uint32_t flags)
{
    struct session *other = calloc(1, sizeof(*other));

    assert_non_null(other);
    other->seen = calloc(SEEN_MAX, sizeof(*other->seen));
    assert_non_null(other->seen);
    memcpy(other->base, s->base, sizeof(other->base));
    memcpy(other->home, s->home, sizeof(other->home));
    other->beside = true;
    if (!session_try(other, other->home, rights, flags, "", 0))
        fail_msg("not ready: %s", other->trouble);
    return other;
}

static void close_link(int *link)
{
    if (*link >= 0)
        close(*link);
    *link = -1;
}

int session_hang_up(struct session *s)
{
    int status = -1;

    close_link(&s->worker);
    for (int i = 0; i < 500; i++) {
        take_reports(s, 10);
        if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
            s->pid = -1;
            return status;
        }
        usleep(5000); /* its links end a moment before it does */
    }
    fail_msg("the agent did not end");
    return -1;
}

void session_kill(struct session *s)
{
    int status;

    assert_int_equal(kill(s->pid, SIGKILL), 0);
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    s->pid = -1;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

void session_end(struct session *s)
{
    int status = 0;

    close_link(&s->monitor);
    close_link(&s->worker);
    if (s->pid > 0) {
        assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
        assert_true(WIFEXITED(status)); /* never by the filter or a sanitizer */
    }
    close_link(&s->store);
    if (!s->beside)
        nftw(s->base, remove_one, 32, FTW_DEPTH | FTW_PHYS);
    free(s->seen);
    free(s);
}

int ask(struct session *s, enum message_type type, const void *message)
{
    struct file_status status;

    envelope_clear(&s->answer);
    s->text[0] = '\0';
    assert_int_equal(message_send(s->worker, type, ++s->id, message, NULL, 0), 0);
    if (message_receive(s->worker, &s->answer, 0) != 1)
        fail_msg("no answer to %s", message_info(type)->name);
    assert_int_equal(s->answer.id, s->id);
    if (s->answer.type != MSG_file_status)
        return 0;
    assert_int_equal(decode_file_status(&s->answer, &status), 0);
    assert_int_equal(slice_copy(status.text, s->text, sizeof(s->text)), 0);
    return (int)status.error;
}

int ask_open(struct session *s, const char *path, uint32_t flags, uint32_t *handle, int *fd)
{
    const struct file_open m = {.path = slice_text(path), .flags = flags, .mode = 0666};
    struct file_opened opened;
    const int error = ask(s, MSG_file_open, &m);

    if (error != 0)
        return error;
    assert_int_equal(decode_file_opened(&s->answer, &opened), 0);
    assert_int_equal(s->answer.fd_count, 1);
    *handle = opened.handle;
    *fd = envelope_take_fd(&s->answer, 0);
    return 0;
}

int ask_close(struct session *s, uint32_t handle, bool whole)
{
    const struct file_close m = {
        .handle = handle, .bytes_read = 11, .bytes_written = 22, .whole = whole};

    return ask(s, MSG_file_close, &m);
}

int ask_stat(struct session *s, const char *path, bool follow, struct file_attributes *attributes)
{
    const struct file_stat m = {.path = slice_text(path), .follow = follow};
    const int error = ask(s, MSG_file_stat, &m);

    if (error == 0)
        assert_int_equal(decode_file_attributes(&s->answer, attributes), 0);
    return error;
}

int ask_remove(struct session *s, const char *path)
{
    const struct file_remove m = {.path = slice_text(path)};

    return ask(s, MSG_file_remove, &m);
}

int ask_mkdir(struct session *s, const char *path)
{
    const struct file_mkdir m = {.path = slice_text(path), .mode = 06777};

    return ask(s, MSG_file_mkdir, &m);
}

int ask_rmdir(struct session *s, const char *path)
{
    const struct file_rmdir m = {.path = slice_text(path)};

    return ask(s, MSG_file_rmdir, &m);
}

int ask_rename(struct session *s, const char *from, const char *to, bool replace)
{
    const struct file_rename m = {
        .from = slice_text(from), .to = slice_text(to), .replace = replace};

    return ask(s, MSG_file_rename, &m);
}

int ask_symlink(struct session *s, const char *target, const char *path)
{
    const struct file_symlink m = {.target = slice_text(target), .path = slice_text(path)};

    return ask(s, MSG_file_symlink, &m);
}

int ask_link(struct session *s, const char *from, const char *to)
{
    const struct file_link m = {.from = slice_text(from), .to = slice_text(to)};

    return ask(s, MSG_file_link, &m);
}

int ask_mode(struct session *s, const char *path, bool follow, uint32_t mode)
{
    const struct file_setattr m = {
        .path = slice_text(path), .follow = follow, .valid = ATTR_MODE, .mode = mode};

    return ask(s, MSG_file_setattr, &m);
}

int ask_realpath(struct session *s, const char *path, char real[4096])
{
    const struct file_realpath m = {.path = slice_text(path)};
    struct file_path answer;
    const int error = ask(s, MSG_file_realpath, &m);

    if (error == 0) {
        assert_int_equal(decode_file_path(&s->answer, &answer), 0);
        assert_int_equal(slice_copy(answer.path, real, 4096), 0);
    }
    return error;
}

int ask_opendir(struct session *s, const char *path, uint32_t *handle)
{
    const struct file_opendir m = {.path = slice_text(path)};
    struct file_opened opened;
    const int error = ask(s, MSG_file_opendir, &m);

    if (error == 0) {
        assert_int_equal(decode_file_opened(&s->answer, &opened), 0);
        assert_int_equal(s->answer.fd_count, 0);
        *handle = opened.handle;
    }
    return error;
}

int ask_upload(struct session *s, const char *path, uint32_t flags, const char *content)
{
    uint32_t handle;
    int fd;
    const int error = ask_open(s, path, flags, &handle, &fd);

    if (error != 0)
        return error;
    assert_int_equal(pwrite(fd, content, strlen(content), 0), strlen(content));
    close(fd);
    return ask_close(s, handle, true);
}

int ask_part(struct session *s, const struct file_upload *m, struct part *part)
{
    struct upload_opened opened;
    const int error = ask(s, MSG_file_upload, m);

    *part = (struct part){.fd = -1};
    if (error != 0)
        return error;
    assert_int_equal(decode_upload_opened(&s->answer, &opened), 0);
    assert_int_equal(slice_copy(opened.id, part->id, sizeof(part->id)), 0);
    part->handle = opened.handle;
    part->size = opened.size;
    part->offset = opened.offset;
    part->mtime_ns = opened.mtime_ns;
    part->replace = opened.replace != 0;
    part->expires = opened.expires;
    part->fd = envelope_take_fd(&s->answer, 0);
    return 0;
}

int ask_begin(struct session *s, const char *path, uint64_t size, bool replace, struct part *part)
{
    const struct file_upload m = {
        .path = slice_text(path), .size = size, .mtime_ns = -1, .replace = replace};

    return ask_part(s, &m, part);
}

int ask_go_on(struct session *s, const char *path, const char *id, struct part *part)
{
    const struct file_upload m = {.path = slice_text(path), .id = slice_text(id)};

    return ask_part(s, &m, part);
}

int ask_end(struct session *s, struct part *part, const char *content, enum close_end end)
{
    const struct file_close m = {
        .handle = part->handle, .bytes_written = strlen(content), .whole = (uint8_t)end};

    if (content[0] != '\0')
        assert_int_equal(pwrite(part->fd, content, strlen(content), (off_t)part->offset),
                         strlen(content));
    close(part->fd);
    part->fd = -1;
    return ask(s, MSG_file_close, &m);
}

int ask_list(struct session *s, const char *path, bool names_only,
             void (*each)(const struct directory_entry *entry, void *context), void *context)
{
    struct file_entries entries = {0};
    struct directory_entry entry;
    uint32_t handle;
    int error = ask_opendir(s, path, &handle);

    if (error != 0)
        return error;
    while (error == 0 && entries.last == 0) {
        const struct file_readdir m = {.handle = handle, .names_only = names_only};
        if ((error = ask(s, MSG_file_readdir, &m)) != 0)
            break;
        assert_int_equal(decode_file_entries(&s->answer, &entries), 0);
        struct slice rest = entries.entries;
        int r;
        while ((r = unnest_directory_entry(&rest, &entry)) == 1)
            each(&entry, context);
        assert_int_equal(r, 0);
    }
    const int closed = ask_close(s, handle, true);
    return error != 0 ? error : closed;
}

struct search {
    const char *name;
    bool found;
};

static void look_at(const struct directory_entry *entry, void *context)
{
    struct search *search = context;

    search->found = search->found || slice_is(entry->name, search->name);
}

bool listed(struct session *s, const char *path, const char *name)
{
    struct search search = {.name = name};

    assert_int_equal(ask_list(s, path, true, look_at, &search), 0);
    return search.found;
}

static void keep(struct session *s, uint64_t number, const struct report *report)
{
    struct seen *seen = &s->seen[s->seen_count % SEEN_MAX];
    char text[4096];

    *seen = (struct seen){
        .number = number,
        .operation = report->operation,
        .error = report->error,
        .size = report->size,
        .bytes_read = report->bytes_read,
        .bytes_written = report->bytes_written,
    };
    assert_int_equal(slice_copy(report->path, text, sizeof(text)), 0);
    memcpy(seen->path, text, sizeof(seen->path) - 1);
    assert_int_equal(slice_copy(report->other, text, sizeof(text)), 0);
    memcpy(seen->other, text, sizeof(seen->other) - 1);
    s->seen_count++;
}

void take_reports(struct session *s, int most_ms)
{
    static struct envelope e; /* not the answer's: an answer may still be looked at */
    struct pollfd link = {.fd = s->store, .events = POLLIN};
    struct report_batch batch;
    struct report report;

    while (s->store >= 0 && poll(&link, 1, most_ms) > 0) {
        if (message_receive(s->store, &e, MSG_DONTWAIT) != 1)
            return;
        assert_int_equal(decode_report_batch(&e, &batch), 0);
        struct slice rest = batch.records;
        uint32_t count = 0;
        int r;
        while ((r = unnest_report(&rest, &report)) == 1)
            keep(s, batch.first + count++, &report);
        assert_int_equal(r, 0);
        assert_int_equal(count, batch.count);
        const struct report_taken taken = {.number = batch.first + count - 1};
        if (!s->silent_store && send_report_taken(s->store, 0, &taken) == 0)
            s->acknowledged = taken.number;
        envelope_clear(&e);
        most_ms = 0;
    }
}

const struct seen *told(struct session *s, enum operation operation, uint32_t error,
                        const char *path)
{
    for (int i = 0; i < 100; i++) {
        for (size_t n = s->seen_count; n > 0 && n + SEEN_MAX > s->seen_count; n--) {
            const struct seen *seen = &s->seen[(n - 1) % SEEN_MAX];
            if (seen->operation == operation && seen->error == error &&
                strcmp(seen->path, path) == 0)
                return seen;
        }
        take_reports(s, 10);
    }
    return NULL;
}
