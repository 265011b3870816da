/* Folder sets as the agent has them: groups and modes, what cannot be opened, what an entry tells,
 * and that names which are swapped all the time lead neither from a set into the home nor back. */
#include "tests/unit/files_session.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NEW  (OPEN_WRITE | OPEN_CREATE | OPEN_TRUNCATE)
#define TEAM 51300 /* a gid that nobody has */

static bool as_root(const char *what)
{
    if (geteuid() == 0)
        return true;
    printf("%s: skipped, needs root\n", what);
    return false;
}

/* base/team: root's and the group's, as `sallyport folder add` makes it. */
static void put_team(struct session *s)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/team", s->base);
    assert_int_equal(mkdir(path, 0755), 0);
    if (geteuid() == 0)
        assert_int_equal(chown(path, 0, TEAM), 0);
    assert_int_equal(chmod(path, geteuid() == 0 ? 02770 : 0700), 0);
    s->extra_gid = TEAM;
}

static void assert_made(const struct session *s, const char *where, mode_t mode, gid_t gid)
{
    struct stat st;

    assert_true(file_stat_is(s, where, &st));
    assert_int_equal(st.st_mode & 07777, mode);
    assert_int_equal(st.st_gid, gid);
    assert_int_equal(st.st_uid, AGENT_UID);
}

/* Asked for 0600, or 0644 under a umask of 022: the group has it in the set, and not in the home.
 */
static void test_modes_and_groups(void **state)
{
    static const uint32_t ways[] = {0, ACCOUNT_ATOMIC | ACCOUNT_DURABLE};
    char path[64], line[256], groups[256] = "", *end;
    (void)state;

    for (size_t i = 0; as_root("groups") && i < 2; i++) {
        struct session *s = session_folders();
        put_team(s);
        assert_true(session_try(s, s->home, RIGHTS_ALL, ways[i], "team", RIGHTS_ALL));
        snprintf(path, sizeof(path), "/proc/%d/status", (int)s->pid);
        FILE *f = fopen(path, "r");
        assert_non_null(f);
        while (fgets(line, sizeof(line), f) != NULL)
            if (strncmp(line, "Groups:", 7) == 0)
                snprintf(groups, sizeof(groups), "%s", line + 7);
        fclose(f);
        assert_int_equal(strtol(groups, &end, 10), TEAM);
        assert_int_equal(strspn(end, " \n"), strlen(end)); /* and no other */
        assert_int_equal(ask_upload(s, "/a", NEW, "a"), 0);
        assert_int_equal(ask_upload(s, "/team/a", NEW, "a"), 0);
        assert_int_equal(ask_upload(s, "/b", NEW, "b"), 0);
        assert_made(s, "home/a", 0644, AGENT_UID);
        assert_made(s, "home/b", 0644, AGENT_UID);
        assert_made(s, "team/a", 0664, TEAM);
        assert_int_equal(ask_upload(s, "/team/a", NEW, "c"), 0); /* replaced */
        assert_made(s, "team/a", 0664, TEAM);
        assert_int_equal(ask_mode(s, "/team/a", true, 0600), 0);
        assert_made(s, "team/a", 0660, TEAM);
        assert_int_equal(ask_mode(s, "/a", true, 0600), 0);
        assert_made(s, "home/a", 0600, AGENT_UID);
        assert_int_equal(ask_mkdir(s, "/team/d"), 0);
        assert_int_equal(ask_mkdir(s, "/d"), 0);
        assert_made(s, "team/d", 02775, TEAM);
        assert_made(s, "home/d", 0755, AGENT_UID);
        assert_int_equal(ask_mode(s, "/team/d", true, 0700), 0);
        assert_made(s, "team/d", 02770, TEAM);
        session_end(s);
    }
}

/* Without its group, gone, or no folder at all: missing alone, and why is told. */
static void test_missing(void **state)
{
    static const char *const names[] = {"gone", "file", "closed"};
    struct file_attributes a;
    (void)state;

    for (size_t i = 0; i < 3; i++) {
        struct session *s = session_folders();
        put_file(s, "file", "f", 0644);
        put_folder(s, "closed");
        char path[128];
        snprintf(path, sizeof(path), "%s/closed", s->base);
        assert_int_equal(chmod(path, 0), 0);
        assert_true(session_try(s, s->home, RIGHTS_ALL, 0, names[i], RIGHTS_ALL));
        assert_non_null(strstr(s->missing, names[i]));
        assert_non_null(strstr(s->missing, strerror(i == 0 ? ENOENT : i == 1 ? ENOTDIR : EACCES)));
        assert_false(listed(s, "/", names[i]));
        assert_int_equal(ask_upload(s, "/f", NEW, "f"), 0);
        snprintf(path, sizeof(path), "/%s", names[i]);
        assert_int_equal(ask_stat(s, path, true, &a), ENOENT);
        session_end(s);
    }
}

static void look_at_entry(const struct directory_entry *entry, void *context)
{
    if (slice_is(entry->name, "team"))
        *(struct directory_entry *)context = *entry;
}

static void test_what_is_told(void **state)
{
    struct session *s = session_folders();
    struct directory_entry entry = {0};
    struct file_attributes a;
    (void)state;

    put_team(s);
    put_file(s, "team/f", "f", 0444);
    assert_true(session_try(s, s->home, RIGHTS_ALL, 0, "team", RIGHT_LIST | RIGHT_READ));
    assert_int_equal(ask_list(s, "/", false, look_at_entry, &entry), 0);
    assert_int_equal(entry.rights, RIGHT_LIST | RIGHT_READ);
    assert_int_equal(entry.access, ACCESS_READ | ACCESS_WRITE | ACCESS_EXECUTE | ACCESS_FIXED);
    assert_int_equal(ask_stat(s, "/team/f", true, &a), 0);
    assert_true(a.rights == (RIGHT_LIST | RIGHT_READ) && a.access == ACCESS_READ);
    assert_int_equal(ask_stat(s, "/", true, &a), 0);
    assert_true(a.rights == RIGHTS_ALL && (a.access & ACCESS_FIXED) != 0);
    session_end(s);
}

struct swapper {
    char a[2][128], b[2][128];
    atomic_bool stop;
};

static void *swap(void *argument)
{
    struct swapper *w = argument;

    while (!atomic_load(&w->stop)) {
        for (int i = 0; i < 2; i++)
            renameat2(AT_FDCWD, w->a[i], AT_FDCWD, w->b[i], RENAME_EXCHANGE);
    }
    return NULL;
}

/* A folder of the set turns into a link to the home and back all the time, and one of the home into
 * a link to the set: whatever is read, written or made stays on its side. */
static void test_swapped_names(void **state)
{
    static const struct {
        const char *path;
        char inside;
    } sides[] = {{"/team/dir/f", 't'}, {"/dir/f", 'h'}};
    struct session *s = session_folders();
    struct swapper w = {.stop = false};
    unsigned good = 0, bad = 0;
    struct timespec now;
    pthread_t thread;
    char target[160], byte;
    (void)state;

    put_team(s);
    put_folder(s, "team/dir");
    put_file(s, "team/dir/f", "t", 0600);
    put_folder(s, "home/dir");
    put_file(s, "home/dir/f", "h", 0600);
    put_link(s, "../home/dir", "team/link");
    snprintf(target, sizeof(target), "%s/team/dir", s->base);
    put_link(s, target, "home/link");
    for (int i = 0; i < 2; i++) {
        snprintf(w.a[i], sizeof(w.a[i]), "%s/%s/dir", s->base, i == 0 ? "team" : "home");
        snprintf(w.b[i], sizeof(w.b[i]), "%s/%s/link", s->base, i == 0 ? "team" : "home");
    }
    assert_true(session_try(s, s->home, RIGHTS_ALL, ACCOUNT_ATOMIC, "team", RIGHTS_ALL));
    assert_int_equal(pthread_create(&thread, NULL, swap, &w), 0);
    clock_gettime(CLOCK_MONOTONIC, &now);
    for (const time_t end = now.tv_sec + 2; now.tv_sec < end;
         clock_gettime(CLOCK_MONOTONIC, &now)) {
        for (int i = 0; i < 2; i++) {
            uint32_t handle;
            int fd;
            const char content[] = {sides[i].inside, '\0'};
            if (ask_open(s, sides[i].path, OPEN_READ | OPEN_WRITE, &handle, &fd) == 0) {
                assert_int_equal(pread(fd, &byte, 1, 0), 1);
                assert_int_equal(byte, sides[i].inside);
                close(fd);
                ask_close(s, handle, true);
                good++;
            } else {
                bad++;
            }
            ask_upload(s, sides[i].path, NEW, content);
            ask_rename(s, sides[i].path, sides[1 - i].path, true);
            ask_link(s, sides[i].path, sides[1 - i].path);
        }
        take_reports(s, 0);
    }
    atomic_store(&w.stop, true);
    pthread_join(thread, NULL);
    assert_true(good > 0 && bad > 0); /* both sides of the race were met */
    assert_true(file_is(s, "team/dir/f", "t") || file_is(s, "team/link/f", "t"));
    assert_true(file_is(s, "home/dir/f", "h") || file_is(s, "home/link/f", "h"));
    session_end(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modes_and_groups),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_what_is_told),
        cmocka_unit_test(test_swapped_names),
    };

    return cmocka_run_group_tests_name("files, folder sets", tests, NULL, NULL);
}
