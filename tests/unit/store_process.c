/* The store's tests' own small monitor: starts the built binary and speaks real messages to it. */
#include "tests/unit/store_process.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/facts.h"
#include "common/operations.h"
#include "common/spawn.h"
#include "common/sshwire.h"

bool is_root(void)
{
    return geteuid() == 0;
}

void give_to_store(const char *path)
{
    if (is_root())
        assert_int_equal(chown(path, STORE_ID, STORE_ID), 0);
}

int process_new(void **state)
{
    struct process *p = calloc(1, sizeof(*p));

    assert_non_null(p);
    snprintf(p->base, sizeof(p->base), "/tmp/sallyport-store-XXXXXX");
    assert_non_null(mkdtemp(p->base));
    assert_int_equal(chmod(p->base, 0755), 0);
    snprintf(p->dir, sizeof(p->dir), "%s/state", p->base);
    assert_int_equal(mkdir(p->dir, 0700), 0);
    give_to_store(p->dir);
    p->link = -1;
    p->setup = (struct store_setup){
        .state_dir = slice_text(p->dir),
        .uid = STORE_ID,
        .gid = STORE_ID,
        .account_id_first = FIRST_UID,
        .account_id_last = FIRST_UID + 9999,
        .rotate_bytes = UINT64_C(1) << 30,
        .log_level = 0,
    };
    *state = p;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)type;
    (void)walk;
    return remove(path);
}

int process_free(void **state)
{
    struct process *p = *state;

    if (p->pid > 0)
        process_kill(p);
    nftw(p->base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(p);
    return 0;
}

int process_wait(struct process *p)
{
    int status = -1;

    assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
    p->pid = 0;
    return status;
}

bool process_start(struct process *p)
{
    const char *build = getenv("SALLYPORT_BUILD");
    struct store_ready ready;

    p->pid = priv_spawn(build != NULL ? build : "build/release", "sallyport-store", &p->link);
    if (p->pid < 0)
        fail_msg("sallyport-store cannot be started: %s", strerror(errno));
    assert_int_equal(send_store_setup(p->link, 1, &p->setup), 0);
    assert_int_equal(message_receive(p->link, &p->envelope, 0), 1);
    assert_int_equal(decode_store_ready(&p->envelope, &ready), 0);
    assert_int_equal(p->envelope.id, 1);
    p->id = 1;
    p->layers = ready.layers;
    p->schema = ready.schema_version;
    assert_int_equal(slice_copy(ready.trouble, p->trouble, sizeof(p->trouble)), 0);
    if (p->trouble[0] == '\0')
        return true;
    assert_int_equal(WEXITSTATUS(process_wait(p)), EXIT_FAILURE);
    close(p->link);
    return false;
}

void must_start(struct process *p)
{
    if (!process_start(p))
        fail_msg("the store did not start: %s", p->trouble);
}

void process_stop(struct process *p)
{
    close(p->link);
    const int status = process_wait(p);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("the store ended with status %#x", (unsigned)status);
}

void process_kill(struct process *p)
{
    kill(p->pid, SIGKILL);
    process_wait(p);
    close(p->link);
}

uint32_t process_send(struct process *p, enum message_type type, const void *message)
{
    p->id++;
    if (message_send(p->link, type, p->id, message, NULL, 0) < 0)
        fail_msg("%s cannot be sent: %s", message_info(type)->name, strerror(errno));
    return p->id;
}

enum message_type process_ask(struct process *p, enum message_type type, const void *message)
{
    const uint32_t id = process_send(p, type, message);

    if (message_receive(p->link, &p->envelope, 0) != 1) {
        const int status = process_wait(p);
        fail_msg("the store died of %s: status %#x", message_info(type)->name, (unsigned)status);
    }
    assert_int_equal(p->envelope.id, id);
    return p->envelope.type;
}

uint64_t process_done(struct process *p, enum message_type type, const void *message)
{
    struct store_refused refused;
    struct store_done done;

    if (process_ask(p, type, message) == MSG_store_refused) {
        assert_int_equal(decode_store_refused(&p->envelope, &refused), 0);
        fail_msg("%s was refused: %.*s", message_info(type)->name, (int)refused.text.len,
                 (const char *)refused.text.data);
    }
    assert_int_equal(decode_store_done(&p->envelope, &done), 0);
    assert_int_equal(slice_copy(done.text, p->text, sizeof(p->text)), 0);
    return done.number;
}

void process_refused(struct process *p, enum message_type type, const void *message, int error)
{
    struct store_refused refused;

    assert_int_equal(process_ask(p, type, message), MSG_store_refused);
    assert_int_equal(decode_store_refused(&p->envelope, &refused), 0);
    assert_int_equal(slice_copy(refused.text, p->text, sizeof(p->text)), 0);
    if (refused.error != (uint32_t)error)
        fail_msg("%s was refused with %s, not %s: %s", message_info(type)->name,
                 strerrorname_np((int)refused.error), strerrorname_np(error), p->text);
    assert_true(strlen(p->text) > 5);
}

struct user_add new_account(const char *name)
{
    return (struct user_add){
        .name = slice_text(name),
        .email = slice_text("someone@example.org"),
        .home = slice_text("/srv/home"),
        .uid = ID_AUTOMATIC,
        .gid = ID_AUTOMATIC,
        .password = slice_text("$y$j9T$salt$hash"),
        .rights = RIGHTS_ALL,
        .bandwidth = 1000,
    };
}

struct slice test_key(unsigned number, uint8_t bytes[64])
{
    struct wire_out w = wire_out_of(bytes, 64);
    uint8_t key[32] = {0};

    memcpy(key, &number, sizeof(number));
    wire_put_string(&w, slice_text("ssh-ed25519"));
    wire_put_string(&w, slice_of(key, sizeof(key)));
    assert_false(w.bad);
    return slice_of(bytes, w.len);
}

void add_account(struct process *p, const char *name)
{
    const struct user_add add = new_account(name);

    process_done(p, MSG_user_add, &add);
}

static bool take_account(struct process *p, enum message_type type, struct account *account)
{
    if (type == MSG_nothing_more)
        return false;
    assert_int_equal(type, MSG_account);
    assert_int_equal(decode_account(&p->envelope, account), 0);
    return true;
}

bool show_account(struct process *p, const char *name, struct account *account)
{
    const struct user_show show = {.name = slice_text(name)};

    return take_account(p, process_ask(p, MSG_user_show, &show), account);
}

bool find_account(struct process *p, const char *name, struct slice key, struct account *account)
{
    const struct store_find find = {.name = slice_text(name), .key = key};

    return take_account(p, process_ask(p, MSG_store_find, &find), account);
}

uint32_t uid_of(struct process *p, const char *name)
{
    struct account a;

    assert_true(show_account(p, name, &a));
    return a.uid;
}

void fill_database(const struct process *p, const char *text)
{
    char path[256], *error = NULL;
    sqlite3 *db;

    snprintf(path, sizeof(path), "%s/accounts.db", p->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s", error);
    sqlite3_close(db);
    give_to_store(path);
}

char *read_state_file(const struct process *p, const char *name, size_t *len)
{
    char path[256];
    struct stat st;

    snprintf(path, sizeof(path), "%s/%s", p->dir, name);
    const int fd = open(path, O_RDONLY);
    if (fd < 0)
        fail_msg("%s: %s", path, strerror(errno));
    assert_int_equal(fstat(fd, &st), 0);
    char *bytes = calloc(1, (size_t)st.st_size + 1);
    assert_non_null(bytes);
    assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
    close(fd);
    *len = (size_t)st.st_size;
    return bytes;
}

void write_state_file(const struct process *p, const char *name, const char *bytes, size_t len)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", p->dir, name);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    close(fd);
    give_to_store(path);
}
