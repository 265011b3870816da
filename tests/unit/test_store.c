/* The store as a process of its own: accounts, keys, uids, what it refuses, what a kill, a full
 * disk and an older schema do. The real binary (from SALLYPORT_BUILD, else build/release) in its
 * sandbox, asked over its link. The audit log: test_store_audit.c. */
#include "tests/unit/store_process.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/facts.h"
#include "common/operations.h"

/* ------------------------------------------------------------------------------- accounts */

static void test_account(void **state)
{
    struct process *p = *state;
    struct account a;
    const struct user_add add = {.name = slice_text("J\xc3\xb6rg"),
                                 .email = slice_text("j@example.org"),
                                 .home = slice_text("/srv/\xff\xfe"),
                                 .uid = ID_AUTOMATIC,
                                 .gid = 77,
                                 .status = ACCOUNT_DISABLED,
                                 .expires = INT64_C(4102444800),
                                 .password = slice_text("$6$salt$hash"),
                                 .rights = RIGHT_LIST | RIGHT_READ,
                                 .flags = ACCOUNT_ATOMIC | ACCOUNT_BOTH,
                                 .max_sessions = UINT32_MAX,
                                 .bandwidth = UINT64_C(1) << 40};

    must_start(p);
    const int64_t before = time(NULL);
    process_done(p, MSG_user_add, &add);
    assert_true(find_account(p, "J\xc3\xb6rg", slice_of(NULL, 0), &a));
    assert_true(slice_equal(a.name, add.name) && slice_equal(a.email, add.email));
    assert_true(slice_equal(a.home, add.home) && slice_equal(a.password, add.password));
    assert_int_equal(a.uid, FIRST_UID);
    assert_int_equal(a.gid, 77);
    assert_int_equal(a.status, ACCOUNT_DISABLED);
    assert_int_equal(a.expires, add.expires);
    assert_int_equal(a.rights, add.rights);
    assert_int_equal(a.flags, add.flags);
    assert_int_equal(a.max_sessions, add.max_sessions);
    assert_int_equal(a.bandwidth, add.bandwidth);
    assert_true(a.created >= before && a.created <= time(NULL));
    assert_true(a.last_login == 0 && a.key_known == 0 && a.key_count == 0);

    process_refused(p, MSG_user_add, &add, EEXIST);
    process_stop(p);
    must_start(p);
    assert_true(show_account(p, "J\xc3\xb6rg", &a));
    assert_true(slice_is(a.password, "set")); /* never the hash */
    assert_true(slice_equal(a.home, add.home));
    assert_false(show_account(p, "nobody", &a));
    const struct user_delete gone = {.name = add.name};
    process_done(p, MSG_user_delete, &gone);
    process_refused(p, MSG_user_delete, &gone, ENOENT);
    assert_false(find_account(p, "J\xc3\xb6rg", slice_of(NULL, 0), &a));
    process_stop(p);
}

static void test_names_are_exact(void **state)
{
    static const char *const names[] = {"Anna", "anna", "ANNA", "anna'; DROP TABLE accounts; --"};
    struct process *p = *state;
    struct user_next next = {.after = slice_text("")};
    struct account a;
    char after[ACCOUNT_NAME_MAX + 1];
    size_t count = 0;

    must_start(p);
    for (size_t i = 0; i < 4; i++)
        add_account(p, names[i]);
    for (size_t i = 0; i < 4; i++) {
        assert_true(find_account(p, names[i], slice_of(NULL, 0), &a));
        assert_true(slice_is(a.name, names[i]));
    }
    assert_false(find_account(p, "aNNA", slice_of(NULL, 0), &a));
    assert_false(find_account(p, "anna ", slice_of(NULL, 0), &a));
    assert_false(find_account(p, "ann%", slice_of(NULL, 0), &a));

    /* all of them, each once, in the order of bytes */
    after[0] = '\0';
    while (process_ask(p, MSG_user_next, &next) == MSG_account) {
        assert_int_equal(decode_account(&p->envelope, &a), 0);
        assert_true(slice_is(a.password, "set"));
        char name[ACCOUNT_NAME_MAX + 1];
        assert_int_equal(slice_copy(a.name, name, sizeof(name)), 0);
        assert_true(strcmp(after, name) < 0);
        memcpy(after, name, sizeof(after));
        next.after = slice_text(after);
        count++;
    }
    assert_int_equal(count, 4);
    process_stop(p);
}

static void test_set(void **state)
{
    struct process *p = *state;
    struct account a;
    struct user_set set = {.valid = ACCOUNT_SET_EMAIL | ACCOUNT_SET_PASSWORD,
                           .name = slice_text("anna"),
                           .email = slice_text("new@example.org"),
                           .home = slice_text("not looked at"),
                           .rights = ~0u};

    must_start(p);
    add_account(p, "anna");
    add_account(p, "bert");
    process_done(p, MSG_user_set, &set);
    assert_true(show_account(p, "anna", &a));
    assert_true(slice_is(a.email, "new@example.org") && slice_is(a.password, ""));
    assert_true(slice_is(a.home, "/srv/home"));
    assert_int_equal(a.rights, RIGHTS_ALL);
    assert_true(show_account(p, "bert", &a));
    assert_true(slice_is(a.email, "someone@example.org") && slice_is(a.password, "set"));

    set = (struct user_set){.valid = 0x1ff,
                            .name = slice_text("bert"),
                            .email = slice_text(""),
                            .home = slice_text("/other"),
                            .status = ACCOUNT_DISABLED,
                            .expires = 5,
                            .password = slice_text("$1$a$b"),
                            .rights = RIGHT_LIST,
                            .flags = ACCOUNT_DURABLE,
                            .max_sessions = 3,
                            .bandwidth = 9};
    process_done(p, MSG_user_set, &set);
    assert_true(find_account(p, "bert", slice_of(NULL, 0), &a));
    assert_true(slice_is(a.email, "") && slice_is(a.home, "/other"));
    assert_true(a.status == ACCOUNT_DISABLED && a.expires == 5 && slice_is(a.password, "$1$a$b"));
    assert_true(a.rights == RIGHT_LIST && a.flags == ACCOUNT_DURABLE && a.max_sessions == 3);
    assert_int_equal(a.bandwidth, 9);

    set.name = slice_text("nobody");
    process_refused(p, MSG_user_set, &set, ENOENT);
    set.name = slice_text("bert");
    set.valid = 1u << 9;
    process_refused(p, MSG_user_set, &set, EINVAL);
    process_stop(p);
}

static void test_validation(void **state)
{
    static const char *const bad_names[] = {
        "",
        "a/b",
        "a:b",
        "a\\b",
        "-a",
        ".a",
        " a",
        "a ",
        "a\tb",
        "a\nb",
        "a\x7f",
        "a\xff",
        "\xc0\xaf",
        "\xed\xa0\x80",
        "a\xc2\x85",
        "a\xe2\x80\xae",
        "\xf4\x90\x80\x80",
        "a\xe2\x82",
    };
    static const char *const bad_emails[] = {"anna", "a@b c", "<a@b>", "a@b\n", "a@\xff"};
    static const char *const bad_passwords[] = {"secret", "$6$a b", "$6$a:b", "$6$\xc3\xb6"};
    struct process *p = *state;
    struct account a;
    struct user_add add;

    must_start(p);
    for (size_t i = 0; i < sizeof(bad_names) / sizeof(bad_names[0]); i++) {
        add = new_account(bad_names[i]);
        process_refused(p, MSG_user_add, &add, EINVAL);
    }
    for (size_t i = 0; i < sizeof(bad_emails) / sizeof(bad_emails[0]); i++) {
        add = new_account("anna");
        add.email = slice_text(bad_emails[i]);
        process_refused(p, MSG_user_add, &add, EINVAL);
    }
    for (size_t i = 0; i < sizeof(bad_passwords) / sizeof(bad_passwords[0]); i++) {
        add = new_account("anna");
        add.password = slice_text(bad_passwords[i]);
        process_refused(p, MSG_user_add, &add, EINVAL);
    }
    static const struct {
        uint32_t rights, flags, uid, gid;
        uint8_t status;
        int64_t expires;
        uint64_t bandwidth;
        const char *home;
    } bad[] = {
        {.rights = RIGHTS_ALL + 1, .uid = 1, .gid = 1, .home = "/h"},
        {.flags = 1u << 31, .uid = 1, .gid = 1, .home = "/h"},
        {.uid = 0, .gid = 1, .home = "/h"},
        {.uid = 1, .gid = 0, .home = "/h"},
        {.status = 2, .uid = 1, .gid = 1, .home = "/h"},
        {.expires = -1, .uid = 1, .gid = 1, .home = "/h"},
        {.bandwidth = UINT64_MAX, .uid = 1, .gid = 1, .home = "/h"},
        {.uid = 1, .gid = 1, .home = "srv"},
        {.uid = 1, .gid = 1, .home = ""},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        add = new_account("anna");
        add.rights = bad[i].rights;
        add.flags = bad[i].flags;
        add.uid = bad[i].uid;
        add.gid = bad[i].gid;
        add.status = bad[i].status;
        add.expires = bad[i].expires;
        add.bandwidth = bad[i].bandwidth;
        add.home = slice_text(bad[i].home);
        process_refused(p, MSG_user_add, &add, EINVAL);
    }
    assert_false(show_account(p, "anna", &a));

    /* not bad at all */
    static const char *const good_names[] = {
        "a",
        "Anna Maria",
        "o'neill",
        "user@example.org",
        "\xe4\xbd\xa0\xe5\xa5\xbd",
        "a.b-c",
        "$x",
        "0123456789012345678901234567890123456789012345678901234567890123"};
    for (size_t i = 0; i < sizeof(good_names) / sizeof(good_names[0]); i++)
        add_account(p, good_names[i]);
    process_stop(p);
}

/* ------------------------------------------------------------------------------- uids */

static void test_uids(void **state)
{
    struct process *p = *state;
    struct user_add named = new_account("named");
    struct user_delete gone = {.name = slice_text("b")};
    struct user_add full = new_account("full");

    p->setup.account_id_last = FIRST_UID + 5;
    must_start(p);
    add_account(p, "a");
    add_account(p, "b");
    named.uid = FIRST_UID + 2; /* in the way of the next */
    process_done(p, MSG_user_add, &named);
    named.name = slice_text("shared"); /* named twice: the operator's business */
    process_done(p, MSG_user_add, &named);
    assert_int_equal(uid_of(p, "shared"), FIRST_UID + 2);
    process_done(p, MSG_user_delete, &gone);
    add_account(p, "c");
    assert_int_equal(uid_of(p, "a"), FIRST_UID);
    assert_int_equal(uid_of(p, "c"), FIRST_UID + 3);
    process_stop(p);

    must_start(p); /* what was given is remembered */
    gone.name = slice_text("c");
    process_done(p, MSG_user_delete, &gone);
    add_account(p, "d");
    add_account(p, "e");
    assert_int_equal(uid_of(p, "d"), FIRST_UID + 4);
    assert_int_equal(uid_of(p, "e"), FIRST_UID + 5);
    process_refused(p, MSG_user_add, &full, ENOSPC);
    assert_non_null(strstr(p->text, "account_ids"));
    process_stop(p);

    p->setup.account_id_first = FIRST_UID - 1; /* a wider range helps */
    must_start(p);
    process_done(p, MSG_user_add, &full);
    assert_int_equal(uid_of(p, "full"), FIRST_UID - 1);
    full.name = slice_text("fuller");
    process_refused(p, MSG_user_add, &full, ENOSPC);
    process_stop(p);

    p->setup.account_id_first = p->setup.account_id_last = 0; /* one user's server */
    must_start(p);
    full.uid = 1234;
    full.gid = 4321;
    process_done(p, MSG_user_add, &full);
    assert_int_equal(uid_of(p, "fuller"), 1234);
    full.name = slice_text("own");
    full.uid = ID_AUTOMATIC;
    process_done(p, MSG_user_add, &full);
    assert_int_equal(uid_of(p, "own"), is_root() ? STORE_ID : geteuid());
    process_stop(p);
}

/* ------------------------------------------------------------------------------- keys */

static void test_keys(void **state)
{
    struct process *p = *state;
    uint8_t bytes[64];
    struct account a;
    struct key key;
    struct key_add add = {.name = slice_text("anna"), .comment = slice_text("laptop")};

    must_start(p);
    add_account(p, "anna");
    add_account(p, "bert");
    add.key = test_key(1, bytes);
    const uint64_t first = process_done(p, MSG_key_add, &add);
    assert_true(first > 0);
    process_refused(p, MSG_key_add, &add, EEXIST);
    add.name = slice_text("bert"); /* the same key may open two accounts */
    process_done(p, MSG_key_add, &add);
    add.name = slice_text("nobody");
    process_refused(p, MSG_key_add, &add, ENOENT);

    assert_true(find_account(p, "anna", test_key(1, bytes), &a));
    assert_true(a.key_known == 1 && a.key_count == 1);
    assert_true(find_account(p, "anna", test_key(2, bytes), &a));
    assert_int_equal(a.key_known, 0);
    assert_false(find_account(p, "nobody", test_key(1, bytes), &a));

    const struct key_next ask = {.name = slice_text("anna"), .after = 0};
    assert_int_equal(process_ask(p, MSG_key_next, &ask), MSG_key);
    assert_int_equal(decode_key(&p->envelope, &key), 0);
    assert_int_equal(key.number, first);
    assert_true(slice_equal(key.key, test_key(1, bytes)) && slice_is(key.comment, "laptop"));
    assert_true(key.added > 0 && key.last_used == 0);

    const struct store_login login = {.name = slice_text("anna"), .key = test_key(1, bytes)};
    process_done(p, MSG_store_login, &login);
    assert_int_equal(process_ask(p, MSG_key_next, &ask), MSG_key);
    assert_int_equal(decode_key(&p->envelope, &key), 0);
    assert_true(key.last_used >= key.added);
    assert_true(show_account(p, "anna", &a));
    assert_true(a.last_login >= a.created);
    const struct store_login unknown = {.name = slice_text("nobody")};
    process_refused(p, MSG_store_login, &unknown, ENOENT);

    struct key_remove away = {.name = slice_text("bert"), .number = first};
    process_refused(p, MSG_key_remove, &away, ENOENT); /* anna's */
    away.name = slice_text("anna");
    process_done(p, MSG_key_remove, &away);
    assert_int_equal(process_ask(p, MSG_key_next, &ask), MSG_nothing_more);
    assert_true(find_account(p, "bert", test_key(1, bytes), &a));
    assert_int_equal(a.key_known, 1);
    process_stop(p);
}

static void test_keys_refused(void **state)
{
    struct process *p = *state;
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {{"", 0},
               {"ssh-ed25519 AAAA", 16},
               {"\0\0\0\x0bssh-ed25519", 15},
               {"\0\0\0\x0cssh-ed25519", 15},
               {"\0\0\0\0rest", 8},
               {"\0\0\0\x04s\nh-rest", 11},
               {"\xff\xff\xff\xffrest", 8}};
    struct key_add add = {.name = slice_text("anna")};
    uint8_t bytes[64];

    must_start(p);
    add_account(p, "anna");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        add.key = slice_of(bad[i].bytes, bad[i].len);
        process_refused(p, MSG_key_add, &add, EINVAL);
    }
    add.key = test_key(1, bytes);
    add.comment = slice_text("two\nlines");
    process_refused(p, MSG_key_add, &add, EINVAL);
    add.comment = slice_text("latin1 \xf6");
    process_refused(p, MSG_key_add, &add, EINVAL);
    process_stop(p);
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* 1,000 keys added one by one and 10,000 accounts beside: found fast, listed whole, removed whole.
 */
static void test_many(void **state)
{
    struct process *p = *state;
    uint8_t bytes[64];
    struct account a;
    struct key key;
    struct key_next ask = {.name = slice_text("many")};
    unsigned count = 0;

    must_start(p);
    add_account(p, "many");
    for (unsigned i = 0; i < 1000; i++) {
        const struct key_add add = {.name = slice_text("many"), .key = test_key(i, bytes)};
        process_done(p, MSG_key_add, &add);
    }
    process_stop(p);
    fill_database(
        p, "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 9999)"
           " INSERT INTO accounts (name, email, home, uid, gid, status, expires, password, rights,"
           " flags, max_sessions, bandwidth, created, last_login)"
           " SELECT 'user' || i, '', X'2f', 60000 + i, 60000, 0, 0, '', 0, 0, 0, 0, 0, 0 FROM c");
    must_start(p);
    assert_true(find_account(p, "many", test_key(999, bytes), &a)); /* the caches are warm */
    const double start = seconds();
    for (unsigned i = 0; i < 1000; i++) {
        assert_true(find_account(p, "many", test_key(i, bytes), &a));
        assert_true(a.key_known == 1 && a.key_count == 1000);
    }
    const double each = (seconds() - start) / 1000;
    print_message("store_find: %.0f us with 10,000 accounts and 1,000 keys\n", each * 1e6);
    assert_true(each < 0.001);
    assert_false(find_account(p, "userX", test_key(1, bytes), &a));
    for (; process_ask(p, MSG_key_next, &ask) == MSG_key; count++) {
        assert_int_equal(decode_key(&p->envelope, &key), 0);
        assert_true(key.number > ask.after && slice_equal(key.key, test_key(count, bytes)));
        ask.after = key.number;
    }
    assert_int_equal(count, 1000);
    const struct user_delete gone = {.name = slice_text("many")};
    process_done(p, MSG_user_delete, &gone);
    add_account(p, "many"); /* of the same name, but none of its keys */
    assert_true(find_account(p, "many", test_key(1, bytes), &a));
    assert_true(a.key_known == 0 && a.key_count == 0);
    process_stop(p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, process_new, process_free)

/* ------------------------------------------------------------------------------- folder sets */

static uint64_t grant(struct process *p, const char *name, const char *account, uint32_t rights)
{
    const struct folder_grant m = {
        .name = slice_text(name), .account = slice_text(account), .rights = rights};

    return process_done(p, MSG_folder_grant, &m);
}

static void add_folder(struct process *p, const char *name, const char *path)
{
    const struct folder_add m = {
        .name = slice_text(name), .path = slice_text(path), .gid = ID_AUTOMATIC};

    process_done(p, MSG_folder_add, &m);
}

/* The folder sets of an account, "name path rights gid, ...", as a login gets them. */
static const char *folders_of(struct process *p, const char *name)
{
    static char text[1024];
    struct account a;
    struct folder f;
    size_t at = 0;

    assert_true(find_account(p, name, slice_of(NULL, 0), &a));
    text[0] = '\0';
    while (unnest_folder(&a.folders, &f) == 1)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%.*s %.*s %u %u, ", (int)f.name.len,
                               (const char *)f.name.data, (int)f.path.len,
                               (const char *)f.path.data, f.rights, f.gid);
    assert_int_equal(a.folders.len, 0);
    return text;
}

static void test_folder_sets(void **state)
{
    struct process *p = *state;
    struct folder_set set;
    struct folder_member member;
    const struct folder_show show = {.name = slice_text("team")};

    must_start(p);
    add_account(p, "anna");
    add_account(p, "bert");
    add_folder(p, "team", "/srv/team");
    add_folder(p, "docs", "/srv/docs");
    add_account(p, "carl"); /* ids of folder sets are no account's */
    assert_int_equal(uid_of(p, "carl"), FIRST_UID + 4);
    grant(p, "team", "bert", RIGHTS_ALL);
    grant(p, "team", "anna", RIGHT_LIST);
    grant(p, "docs", "anna", RIGHT_LIST | RIGHT_READ);
    assert_string_equal(folders_of(p, "anna"), "docs /srv/docs 3 50003, team /srv/team 1 50002, ");
    grant(p, "team", "anna", RIGHT_READ); /* in place of those before */
    process_stop(p);
    must_start(p);
    assert_string_equal(folders_of(p, "anna"), "docs /srv/docs 3 50003, team /srv/team 2 50002, ");
    assert_string_equal(folders_of(p, "carl"), "");

    assert_int_equal(process_ask(p, MSG_folder_show, &show), MSG_folder_set);
    assert_int_equal(decode_folder_set(&p->envelope, &set), 0);
    assert_true(slice_is(set.name, "team") && slice_is(set.path, "/srv/team"));
    assert_true(set.members == 2 && set.created > 0);
    struct folder_next next = {.after = slice_text("")};
    assert_int_equal(process_ask(p, MSG_folder_next, &next), MSG_folder_set);
    assert_true(decode_folder_set(&p->envelope, &set) == 0 && slice_is(set.name, "docs"));
    next.after = slice_text("team");
    assert_int_equal(process_ask(p, MSG_folder_next, &next), MSG_nothing_more);
    struct folder_member_next who = {.name = slice_text("team"), .after = slice_text("anna")};
    assert_int_equal(process_ask(p, MSG_folder_member_next, &who), MSG_folder_member);
    assert_int_equal(decode_folder_member(&p->envelope, &member), 0);
    assert_true(slice_is(member.account, "bert") && member.rights == RIGHTS_ALL);

    const struct folder_revoke away = {.name = slice_text("team"), .account = slice_text("anna")};
    process_done(p, MSG_folder_revoke, &away);
    process_refused(p, MSG_folder_revoke, &away, ENOENT);
    const struct user_delete gone = {.name = slice_text("bert")};
    process_done(p, MSG_user_delete, &gone); /* and what it had */
    assert_int_equal(process_ask(p, MSG_folder_show, &show), MSG_folder_set);
    assert_true(decode_folder_set(&p->envelope, &set) == 0 && set.members == 0);
    const struct folder_remove removed = {.name = slice_text("docs")};
    process_done(p, MSG_folder_remove, &removed); /* and who had it */
    process_refused(p, MSG_folder_remove, &removed, ENOENT);
    assert_string_equal(folders_of(p, "anna"), "");
    process_stop(p);
}

static void test_folder_sets_that_are_none(void **state)
{
    static const struct {
        const char *name, *path;
        int error;
    } bad[] = {
        {"", "/srv/x", EINVAL},         {".", "/srv/x", EINVAL},
        {"..", "/srv/x", EINVAL},       {"a/b", "/srv/x", EINVAL},
        {".trash", "/srv/x", EINVAL},   {".sallyport-upload.x", "/srv/x", EINVAL},
        {"-x", "/srv/x", EINVAL},       {" x", "/srv/x", EINVAL},
        {"x ", "/srv/x", EINVAL},       {"a\nb", "/srv/x", EINVAL},
        {"\xff", "/srv/x", EINVAL},     {"x", "", EINVAL},
        {"x", "srv/x", EINVAL},         {"x", "/", EINVAL},
        {"team", "/srv/other", EEXIST}, {"x", "/srv/team", EEXIST},
    };
    struct process *p = *state;
    const char *const names[][2] = {{"team", "nobody"}, {"nothing", "anna"}};

    must_start(p);
    add_account(p, "anna");
    add_folder(p, "team", "/srv/team");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct folder_add add = {
            .name = slice_text(bad[i].name), .path = slice_text(bad[i].path), .gid = ID_AUTOMATIC};
        process_refused(p, MSG_folder_add, &add, bad[i].error);
    }
    const struct folder_add root = {.name = slice_text("x"), .path = slice_text("/srv/x")};
    process_refused(p, MSG_folder_add, &root, EINVAL); /* gid 0 */
    for (size_t i = 0; i < 2; i++) {
        const struct folder_grant m = {.name = slice_text(names[i][0]),
                                       .account = slice_text(names[i][1]),
                                       .rights = RIGHT_LIST};
        process_refused(p, MSG_folder_grant, &m, ENOENT);
    }
    struct folder_grant m = {.name = slice_text("team"), .account = slice_text("anna")};
    process_refused(p, MSG_folder_grant, &m, EINVAL); /* no rights */
    m.rights = RIGHTS_ALL + 1;
    process_refused(p, MSG_folder_grant, &m, EINVAL);
    assert_string_equal(folders_of(p, "anna"), "");
    process_stop(p);
}

/* As many as fit into a view and a message; one more is refused, and nothing else is lost. */
static void test_folder_sets_are_bounded(void **state)
{
    struct process *p = *state;
    char name[16], path[4096];
    struct account a;
    struct folder f;
    size_t count = 0;

    must_start(p);
    add_account(p, "anna");
    add_account(p, "bert");
    for (int i = 0; i < VIEW_FOLDERS_MAX; i++) {
        snprintf(name, sizeof(name), "f%03d", i);
        snprintf(path, sizeof(path), "/srv/%03d", i);
        add_folder(p, name, path);
        if (i < VIEW_FOLDERS_MAX - 1)
            grant(p, name, "anna", RIGHT_LIST);
    }
    struct folder_grant m = {
        .name = slice_text(name), .account = slice_text("anna"), .rights = RIGHT_LIST};
    process_refused(p, MSG_folder_grant, &m, ENOSPC);
    assert_true(find_account(p, "anna", slice_of(NULL, 0), &a));
    for (; unnest_folder(&a.folders, &f) == 1; count++)
        assert_false(slice_is(f.name, name));
    assert_int_equal(count, VIEW_FOLDERS_MAX - 1);

    memset(path, 'x', sizeof(path));
    path[0] = '/';
    path[4095] = '\0';
    for (int i = 0; i < FOLDERS_BYTES / 4095; i++) {
        snprintf(name, sizeof(name), "long%d", i);
        path[1] = (char)('a' + i);
        add_folder(p, name, path);
        if (i < FOLDERS_BYTES / 4200)
            grant(p, name, "bert", RIGHT_LIST);
    }
    add_folder(p, "last", "/srv/last");
    path[1] = 'z';
    add_folder(p, "longer", path);
    m = (struct folder_grant){
        .name = slice_text("longer"), .account = slice_text("bert"), .rights = RIGHT_LIST};
    process_refused(p, MSG_folder_grant, &m, ENOSPC);
    grant(p, "last", "bert", RIGHT_LIST); /* what has room still comes in */
    process_stop(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_account),
        TEST(test_names_are_exact),
        TEST(test_set),
        TEST(test_validation),
        TEST(test_uids),
        TEST(test_keys),
        TEST(test_keys_refused),
        TEST(test_many),
        TEST(test_folder_sets),
        TEST(test_folder_sets_that_are_none),
        TEST(test_folder_sets_are_bounded),
    };

    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
