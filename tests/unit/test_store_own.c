/* What people do with their own accounts, in the store: mailed links, passwords, addresses, codes,
 * web sessions, keys; and the notices that tell of it. Against the real binary (from
 * SALLYPORT_BUILD, else build/release), which is killed between. Times that are long:
 * test_store_clock.c. */
#include <liboath/oath.h>

#include "tests/unit/store_own.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/facts.h"

#define HASH "$y$j9T$salt$other"

/* ------------------------------------------------------------------------------- links */

static void invite(struct process *p, const char *name, const char *email)
{
    const struct link_invite m = {.name = slice_text(name), .email = slice_text(email)};

    process_done(p, MSG_link_invite, &m);
}

static void refused_link(struct process *p, const uint8_t hash[32], int error, const char *says)
{
    const struct link_show look = {.link = slice_of(hash, 32)};
    const struct password_change use = {
        .link = look.link, .password = slice_text(HASH), .address = slice_text("192.0.2.9")};

    process_refused(p, MSG_link_show, &look, error);
    assert_non_null(strstr(p->text, says));
    process_refused(p, MSG_password_change, &use, error);
    assert_non_null(strstr(p->text, says));
}

static void use_link(struct process *p, const uint8_t hash[32])
{
    const struct password_change use = {.link = slice_of(hash, 32),
                                        .password = slice_text(HASH),
                                        .address = slice_text("192.0.2.9")};

    process_done(p, MSG_password_change, &use);
}

static void look_at(struct process *p, const uint8_t hash[32], enum link_kind kind,
                    const char *name, const char *email)
{
    const struct link_show look = {.link = slice_of(hash, 32)};
    struct link_is is;

    assert_int_equal(process_ask(p, MSG_link_show, &look), MSG_link_is);
    assert_int_equal(decode_link_is(&p->envelope, &is), 0);
    assert_true(is.kind == kind && slice_is(is.name, name) && slice_is(is.email, email));
    assert_true(is.expires > time(NULL));
}

static void test_invite(void **state)
{
    struct process *p = *state;
    const struct link_invite again = {.name = slice_text("anna")};
    uint8_t hash[32];
    struct account a;
    struct own_is own;

    start_mailing(p);
    add_without_password(p, "anna", "");
    process_refused(p, MSG_link_invite, &again, EINVAL); /* it has no address */
    invite(p, "anna", "anna@example.org");
    assert_string_equal(p->text, "anna: an invitation is mailed");
    own_of(p, "anna", &own);
    assert_true(slice_is(own.email, "anna@example.org") && own.confirmed == 0);
    assert_true(own.invited > time(NULL) && own.password_changed == 0);
    take_link(p, "invite", "anna@example.org", hash);

    /* Looking uses nothing up, and every byte counts. */
    look_at(p, hash, LINK_INVITE, "anna", "anna@example.org");
    look_at(p, hash, LINK_INVITE, "anna", "anna@example.org");
    for (size_t i = 0; i < 32; i++) {
        hash[i] ^= 1;
        refused_link(p, hash, ENOENT, "LOST PASSWORD");
        hash[i] ^= 1;
    }
    const struct link_show part = {.link = slice_of(hash, 31)}, none = {0};
    process_refused(p, MSG_link_show, &part, ENOENT);
    process_refused(p, MSG_link_show, &none, ENOENT);

    use_link(p, hash);
    assert_string_equal(p->text, "anna: password changed, by a mailed link");
    assert_true(find_account(p, "anna", slice_of(NULL, 0), &a) && slice_is(a.password, HASH));
    own_of(p, "anna", &own);
    assert_true(own.confirmed == 1 && own.invited == 0 && own.password_changed > 0);
    refused_link(p, hash, EALREADY, "used already");
    process_refused(p, MSG_link_invite, &again, EEXIST);
    expect_change(p, "anna@example.org",
                  "The first password was set, by the link of the invitation.", "192.0.2.9");
    expect_none(p);
    process_stop(p);
}

static void test_replaced(void **state)
{
    struct process *p = *state;
    uint8_t first[32], second[32];
    struct user_set set = {
        .valid = ACCOUNT_SET_STATUS, .name = slice_text("anna"), .status = ACCOUNT_DISABLED};

    start_mailing(p);
    add_without_password(p, "anna", "anna@example.org");
    invite(p, "anna", "");
    take_link(p, "invite", "anna@example.org", first);
    invite(p, "anna", ""); /* this one is never mailed: the next stands in its place */
    invite(p, "anna", "");
    take_link(p, "invite", "anna@example.org", second);
    expect_none(p);
    refused_link(p, first, ESTALE, "newest");
    look_at(p, second, LINK_INVITE, "anna", "anna@example.org");

    process_done(p, MSG_user_set, &set);
    refused_link(p, second, EACCES, "disabled");
    const struct link_invite closed = {.name = slice_text("anna")};
    process_refused(p, MSG_link_invite, &closed, EACCES);
    set.status = ACCOUNT_ENABLED;
    process_done(p, MSG_user_set, &set);
    look_at(p, second, LINK_INVITE, "anna", "anna@example.org");
    set.valid = ACCOUNT_SET_EXPIRES;
    set.expires = time(NULL) - 1;
    process_done(p, MSG_user_set, &set);
    refused_link(p, second, EACCES, "expired");
    set.expires = 0;
    process_done(p, MSG_user_set, &set);
    set.valid = ACCOUNT_SET_EMAIL; /* the operator's word counts, from now on */
    set.email = slice_text("new@example.org");
    process_done(p, MSG_user_set, &set);
    refused_link(p, second, ESTALE, "newest");
    process_stop(p);
}

/* An address that nobody has proven is told nothing: the operator set a password meanwhile. */
static void test_unproven(void **state)
{
    struct process *p = *state;
    uint8_t hash[32], bytes[64];
    struct own_is own;
    const struct user_set set = {
        .name = slice_text("anna"), .valid = ACCOUNT_SET_PASSWORD, .password = slice_text(HASH)};
    const struct link_lost lost = {.name = slice_text("anna"), .address = slice_text("192.0.2.1")};
    const struct link_lost by_address = {.name = slice_text("anna@example.org"),
                                         .address = slice_text("192.0.2.1")};
    const struct key_add key = {.name = slice_text("anna"), .key = test_key(1, bytes)};

    start_mailing(p);
    add_without_password(p, "anna", "");
    invite(p, "anna", "anna@example.org");
    take_link(p, "invite", "anna@example.org", hash);
    process_done(p, MSG_user_set, &set);
    own_of(p, "anna", &own);
    assert_true(own.confirmed == 0 && own.password_changed > 0);
    process_done(p, MSG_link_lost, &lost);
    process_done(p, MSG_link_lost, &by_address);
    process_done(p, MSG_key_add, &key);
    expect_none(p);
    refused_link(p, hash, ESTALE, "newest");
    process_stop(p);
}

static void test_expired(void **state)
{
    struct process *p = *state;
    uint8_t first[32], second[32];
    const struct link_show look = {.link = slice_of(first, 32)};

    p->setup.link_seconds = 1;
    start_mailing(p);
    add_without_password(p, "anna", "anna@example.org");
    invite(p, "anna", "");
    take_link(p, "invite", "anna@example.org", first);
    while (process_ask(p, MSG_link_show, &look) == MSG_link_is)
        usleep(50000);
    refused_link(p, first, ETIMEDOUT, "expired: ask the operator");
    process_stop(p);
    p->setup.link_seconds = 1000;
    must_start(p);
    invite(p, "anna", "");
    process_stop(p);
    fill_database(p, "UPDATE outbox SET due = 1, ends = 2");
    start_mailing(p);
    expect_none(p); /* what could not be mailed in time is given up, and said */
    assert_audit(p, "the message \\\"invite\\\" to anna@example.org was not delivered");
    invite(p, "anna", "");
    take_link(p, "invite", "anna@example.org", second);
    refused_link(p, first, ETIMEDOUT, "expired: ask the operator");
    use_link(p, second);
    process_stop(p);
}

/* One link, many who use it at once: one of them does. */
static void test_at_once(void **state)
{
    struct process *p = *state;
    struct store_refused refused;
    uint8_t hash[32];
    unsigned done = 0;

    start_mailing(p);
    add_without_password(p, "anna", "anna@example.org");
    invite(p, "anna", "");
    take_link(p, "invite", "anna@example.org", hash);
    const struct password_change use = {.link = slice_of(hash, 32), .password = slice_text(HASH)};
    for (int i = 0; i < 10; i++)
        process_send(p, MSG_password_change, &use);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(message_receive(p->link, &p->envelope, 0), 1);
        if (p->envelope.type == MSG_store_done) {
            done++;
            continue;
        }
        assert_int_equal(decode_store_refused(&p->envelope, &refused), 0);
        assert_int_equal(refused.error, EALREADY);
    }
    assert_int_equal(done, 1);
    process_stop(p);
}

/* ------------------------------------------------------------------------------- lost */

static void lost(struct process *p, const char *name, const char *from)
{
    const struct link_lost m = {.name = slice_text(name), .address = slice_text(from)};

    process_done(p, MSG_link_lost, &m);
    assert_string_equal(p->text, ""); /* whatever it is */
}

static void test_lost(void **state)
{
    struct process *p = *state;
    uint8_t hash[32];
    struct user_set set = {
        .name = slice_text("off"), .valid = ACCOUNT_SET_STATUS, .status = ACCOUNT_DISABLED};
    const char *const nobody[] = {
        "nobody",          "off",        "late", "keys", "new", "nobody@example.org", "",
        "new@example.org", "' OR 1=1 --"};

    start_mailing(p);
    add_account(p, "anna"); /* someone@example.org, as all others of this kind */
    add_account(p, "off");
    add_account(p, "late");
    add_without_password(p, "keys", "keys@example.org");
    add_without_password(p, "new", "");
    invite(p, "new", "new@example.org");
    take_link(p, "invite", "new@example.org", hash);
    process_done(p, MSG_user_set, &set);
    set = (struct user_set){.name = slice_text("late"), .valid = ACCOUNT_SET_EXPIRES, .expires = 5};
    process_done(p, MSG_user_set, &set);
    for (size_t i = 0; i < sizeof(nobody) / sizeof(nobody[0]); i++) {
        char from[32];
        snprintf(from, sizeof(from), "192.0.2.%zu", i);
        lost(p, nobody[i], from);
    }
    expect_none(p);

    lost(p, "anna", "198.51.100.1");
    take_link(p, "lost", "someone@example.org", hash);
    assert_string_equal(fact(p, "address"), "198.51.100.1");
    look_at(p, hash, LINK_LOST, "anna", "someone@example.org");
    use_link(p, hash);
    expect_change(p, "someone@example.org",
                  "The password was changed, by the link that was mailed.", "192.0.2.9");
    refused_link(p, hash, EALREADY, "used already");

    /* By the address, whatever its case: of each account that has it and may log in. */
    add_account(p, "bert");
    lost(p, "SomeOne@Example.org", "2001:db8::1");
    take_link(p, "lost", "someone@example.org", hash);
    look_at(p, hash, LINK_LOST, "anna", "someone@example.org");
    take_link(p, "lost", "someone@example.org", hash);
    look_at(p, hash, LINK_LOST, "bert", "someone@example.org");
    expect_none(p);
    assert_audit(p, "a link for a lost password was asked for nobody: none is sent");
    assert_audit(p, "a link for a lost password was asked for anna: it is mailed");
    process_stop(p);
}

/* ------------------------------------------------------------------------------- address */

static void test_address(void **state)
{
    struct process *p = *state;
    uint8_t hash[32], other[32];
    struct own_is own;
    struct address_change change = {.name = slice_text("anna"),
                                    .email = slice_text("new@example.org"),
                                    .address = slice_text("192.0.2.5")};
    struct link_confirm confirm = {.link = slice_of(hash, 32), .address = slice_text("192.0.2.6")};
    static const char *const bad[] = {"",      "x",         "a@",      "@b",
                                      "a@b@c", "a@b,c@d.e", "a b@c",   "-oQ@x.org",
                                      "a\n@b", "(a)@b",     "a@b;c@d", "someone@b\\c"};

    start_mailing(p);
    add_account(p, "anna");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        change.email = slice_text(bad[i]);
        process_refused(p, MSG_address_change, &change, EINVAL);
    }
    change.email = slice_text("someone@example.org");
    process_refused(p, MSG_address_change, &change, EEXIST);
    change.email = slice_text("new@example.org");
    process_done(p, MSG_address_change, &change);
    own_of(p, "anna", &own);
    assert_true(slice_is(own.email, "someone@example.org") && own.confirmed == 1);
    assert_true(slice_is(own.new_email, "new@example.org"));
    take_link(p, "address", "new@example.org", hash);
    assert_string_equal(fact(p, "email"), "new@example.org");
    expect_change(p, "someone@example.org",
                  "The e-mail address is to become new@example.org, once that is confirmed.",
                  "192.0.2.5");

    /* Each kind of link does its own thing alone. */
    const struct password_change wrong = {.link = confirm.link, .password = slice_text(HASH)};
    process_refused(p, MSG_password_change, &wrong, EINVAL);
    lost(p, "anna", "192.0.2.7");
    take_link(p, "lost", "someone@example.org", other);
    confirm.link = slice_of(other, 32);
    process_refused(p, MSG_link_confirm, &confirm, EINVAL);
    confirm.link = slice_of(hash, 32);
    process_done(p, MSG_link_confirm, &confirm);
    assert_string_equal(p->text, "anna: another address is confirmed");
    process_refused(p, MSG_link_confirm, &confirm, EALREADY);
    own_of(p, "anna", &own);
    assert_true(slice_is(own.email, "new@example.org") && own.confirmed == 1);
    assert_int_equal(own.new_email.len, 0);
    refused_link(p, other, ESTALE, "newest"); /* what went to the old address is over */
    expect_change(p, "someone@example.org", "The e-mail address was changed to new@example.org.",
                  "192.0.2.6");

    /* The operator's word counts at once, and the address before it is told. */
    const struct user_set set = {.name = slice_text("anna"),
                                 .valid = ACCOUNT_SET_EMAIL,
                                 .email = slice_text("set@example.org")};
    process_done(p, MSG_user_set, &set);
    own_of(p, "anna", &own);
    assert_true(slice_is(own.email, "set@example.org") && own.confirmed == 1);
    expect_change(p, "new@example.org",
                  "The operator changed the e-mail address to set@example.org.", "");
    process_done(p, MSG_user_set, &set); /* as it is: nothing to tell */
    expect_none(p);

    /* So many an hour. */
    for (int i = 0; i < 3; i++)
        process_done(p, MSG_address_change,
                     &(struct address_change){.name = slice_text("anna"),
                                              .email = slice_text("again@example.org")});
    change.email = slice_text("again@example.org");
    process_refused(p, MSG_address_change, &change, EAGAIN);
    process_stop(p);
}

/* ------------------------------------------------------------------------------- password, web */

static void test_password(void **state)
{
    struct process *p = *state;
    uint8_t hash[32], token[WEB_TOKEN] = {1};
    struct account a;
    struct password_change change = {.name = slice_text("anna"),
                                     .password = slice_text(HASH),
                                     .address = slice_text("192.0.2.5")};
    const struct store_web_add web = {.name = slice_text("anna"),
                                      .password = slice_text("$y$j9T$salt$hash"),
                                      .token = slice_of(token, sizeof(token)),
                                      .idle_seconds = 100,
                                      .most_seconds = 100};
    const struct store_find by_token = {.token = web.token};

    start_mailing(p);
    add_account(p, "anna");
    process_done(p, MSG_store_web_add, &web);
    lost(p, "anna", "192.0.2.7");
    take_link(p, "lost", "someone@example.org", hash);
    change.password = slice_text("");
    process_refused(p, MSG_password_change, &change, EINVAL);
    change.password = slice_text("no hash");
    process_refused(p, MSG_password_change, &change, EINVAL);
    change.password = slice_text(HASH);
    change.name = slice_text("bert");
    process_refused(p, MSG_password_change, &change, ENOENT);
    change.name = slice_text("anna");
    assert_int_equal(process_ask(p, MSG_store_find, &by_token), MSG_account);
    process_done(p, MSG_password_change, &change);
    assert_string_equal(p->text, "anna: password changed");
    assert_true(find_account(p, "anna", slice_of(NULL, 0), &a) && slice_is(a.password, HASH));
    assert_int_equal(process_ask(p, MSG_store_find, &by_token), MSG_nothing_more);
    refused_link(p, hash, ESTALE, "newest");
    expect_change(p, "someone@example.org", "The password was changed.", "192.0.2.5");

    /* Somebody else's link does not set it. */
    lost(p, "anna", "192.0.2.7");
    take_link(p, "lost", "someone@example.org", hash);
    change.link = slice_of(hash, 32);
    change.name = slice_text("bert");
    process_refused(p, MSG_password_change, &change, EINVAL);
    /* The operator's change ends it, and is told. */
    const struct user_set set = {
        .name = slice_text("anna"), .valid = ACCOUNT_SET_PASSWORD, .password = slice_text(HASH)};
    process_done(p, MSG_user_set, &set);
    refused_link(p, hash, ESTALE, "newest");
    expect_change(p, "someone@example.org", "The operator changed the password.", "");
    process_stop(p);
}

static uint64_t web_after(struct process *p, const char *name, uint64_t after)
{
    const struct web_next next = {.name = slice_text(name), .after = after};
    struct web_is is;

    if (process_ask(p, MSG_web_next, &next) == MSG_nothing_more)
        return 0;
    assert_int_equal(decode_web_is(&p->envelope, &is), 0);
    assert_true(is.number > after && slice_is(is.address, name) && is.created > 0 && is.seen > 0);
    return is.number;
}

static void test_web(void **state)
{
    struct process *p = *state;
    static const char *const names[] = {"anna", "anna", "bert"};
    uint64_t numbers[3] = {0};

    must_start(p);
    add_account(p, "anna");
    add_account(p, "bert");
    for (uint8_t i = 0; i < 3; i++) {
        uint8_t token[WEB_TOKEN] = {i};
        const struct store_web_add web = {.name = slice_text(names[i]),
                                          .password = slice_text("$y$j9T$salt$hash"),
                                          .token = slice_of(token, sizeof(token)),
                                          .address = slice_text(names[i]),
                                          .idle_seconds = 100,
                                          .most_seconds = 100};
        process_done(p, MSG_store_web_add, &web);
        numbers[i] = web_after(p, names[i], i == 1 ? numbers[0] : 0);
        assert_true(numbers[i] > 0);
    }
    assert_int_equal(web_after(p, "anna", numbers[1]), 0);
    assert_int_equal(web_after(p, "nobody", 0), 0);
    assert_int_equal(web_after(p, "anna", UINT64_MAX), 0);
    struct web_end end = {.name = slice_text("anna"), .number = numbers[2]};
    process_refused(p, MSG_web_end, &end, ENOENT); /* another's */
    end.number = numbers[0];
    process_done(p, MSG_web_end, &end);
    process_refused(p, MSG_web_end, &end, ENOENT);
    end.number = UINT64_MAX;
    process_refused(p, MSG_web_end, &end, ENOENT);
    assert_int_equal(web_after(p, "anna", 0), numbers[1]);
    assert_int_equal(web_after(p, "bert", 0), numbers[2]);
    process_stop(p);
}

/* ------------------------------------------------------------------------------- gathered */

static void test_gathered(void **state)
{
    struct process *p = *state;
    uint8_t bytes[64];
    struct key_add add = {.name = slice_text("anna")};
    uint64_t number = 0;

    p->setup.gather_seconds = 3600;
    start_mailing(p);
    add_account(p, "anna");
    for (unsigned i = 0; i < 50; i++) {
        add.key = test_key(i, bytes);
        number = process_done(p, MSG_key_add, &add);
    }
    assert_true(strncmp(p->text, "anna: key SHA256:", 17) == 0 && strlen(p->text) == 17 + 43 + 6);
    const struct key_remove gone = {.name = slice_text("anna"), .number = number};
    process_done(p, MSG_key_remove, &gone);
    assert_non_null(strstr(p->text, " removed"));
    expect_none(p); /* they are gathered */
    process_stop(p);
    fill_database(p, "UPDATE outbox SET due = 1");
    start_mailing(p);
    take_notice(p, "changed", "someone@example.org");
    assert_int_equal(change_count(p), 41);
    assert_true(strncmp(change_text(p, 0, "what"), "The SSH key SHA256:", 19) == 0);
    assert_true(strncmp(change_text(p, 40, "what"), "Further changes", 15) == 0);
    /* It is in sallyport-notify's hands: what comes now is another one. */
    add.key = test_key(1000, bytes);
    process_done(p, MSG_key_add, &add);
    process_stop(p);
    assert_int_equal(count_rows(p, "SELECT count(*) FROM outbox"), 2);
    process_free_notify(p);
}

/* ------------------------------------------------------------------------------- codes */

static const char *code_now(const char *secret, int64_t steps, char code[7])
{
    char *bytes = NULL;
    size_t len = 0;

    assert_int_equal(oath_base32_decode(secret, strlen(secret), &bytes, &len), OATH_OK);
    assert_int_equal(len, 20);
    assert_int_equal(oath_totp_generate(bytes, len, time(NULL) + steps * 30, 30, 0, 6, code),
                     OATH_OK);
    free(bytes);
    return code;
}

/* Enrols; the secret, and the recovery codes. */
static void enrol(struct process *p, const char *name, char secret[65], char codes[513])
{
    const struct totp_begin begin = {.name = slice_text(name)};
    struct totp_secret is;
    struct recovery_codes list;
    char code[7];

    assert_int_equal(process_ask(p, MSG_totp_begin, &begin), MSG_totp_secret);
    assert_int_equal(decode_totp_secret(&p->envelope, &is), 0);
    assert_true(slice_is(is.issuer, "Example") && is.secret.len == 32);
    assert_int_equal(slice_copy(is.secret, secret, 65), 0);
    const struct totp_confirm wrong = {.name = slice_text(name), .code = slice_text("12345")};
    process_refused(p, MSG_totp_confirm, &wrong, EACCES);
    const struct totp_confirm confirm = {.name = slice_text(name),
                                         .code = slice_text(code_now(secret, 0, code))};
    assert_int_equal(process_ask(p, MSG_totp_confirm, &confirm), MSG_recovery_codes);
    assert_int_equal(decode_recovery_codes(&p->envelope, &list), 0);
    assert_int_equal(slice_copy(list.codes, codes, 513), 0);
    assert_int_equal(strlen(codes), 10 * 20 - 1);
}

static void check_code(struct process *p, const char *code, int error)
{
    const struct totp_check check = {.name = slice_text("anna"), .code = slice_text(code)};

    if (error == 0)
        process_done(p, MSG_totp_check, &check);
    else
        process_refused(p, MSG_totp_check, &check, error);
}

static void test_codes(void **state)
{
    struct process *p = *state;
    char secret[65], codes[513], code[7];
    struct account a;
    struct own_is own;

    start_mailing(p);
    add_account(p, "anna");
    check_code(p, "123456", ENOENT);
    own_of(p, "anna", &own);
    assert_true(own.codes == CODES_OFF && own.codes_required == 0 && own.recovery_left == 0);
    const struct totp_begin begin = {.name = slice_text("anna")};
    process_ask(p, MSG_totp_begin, &begin);
    own_of(p, "anna", &own);
    assert_int_equal(own.codes, CODES_BEGUN);
    check_code(p, "123456", ENOENT); /* nothing is in force yet */
    assert_true(find_account(p, "anna", slice_of(NULL, 0), &a) && (a.flags & ACCOUNT_CODE_ON) == 0);

    enrol(p, "anna", secret, codes);
    own_of(p, "anna", &own);
    assert_true(own.codes == CODES_ON && own.recovery_left == 10);
    assert_true(find_account(p, "anna", slice_of(NULL, 0), &a) && a.flags == ACCOUNT_CODE_ON);
    assert_true(show_account(p, "anna", &a) && a.flags == ACCOUNT_CODE_ON);
    char *first = codes, *second = codes + 20;
    first[19] = second[19] = '\0';
    code_now(secret, 1, code);
    check_code(p, code, 0);
    check_code(p, code, EACCES);
    assert_non_null(strstr(p->text, "used already"));
    process_kill(p);
    start_mailing(p); /* it remembers */
    check_code(p, code, EACCES);
    check_code(p, "", EACCES);
    check_code(p, "1234567", EACCES);
    check_code(p, "aaaaaa", EACCES);
    check_code(p, "ABCD-EFGH-IJKL-MNOP", EAGAIN); /* the fifth was the last that was judged */
    check_code(p, first, EAGAIN);
    process_kill(p);
    start_mailing(p);
    check_code(p, first, EAGAIN);
    process_stop(p);
    fill_database(p, "UPDATE codes SET wrong_at = wrong_at - 60");
    start_mailing(p);
    check_code(p, "000-00", EACCES);

    /* Each recovery code once; case, dashes and blanks do not matter. */
    check_code(p, first, 0);
    assert_string_equal(p->text, "anna: a recovery code was used, 9 left");
    check_code(p, first, EACCES);
    char loose[32] = " ";
    for (size_t i = 0, at = 1; second[i] != '\0'; i++) {
        if (second[i] != '-')
            loose[at++] = (char)(second[i] >= 'A' ? second[i] - 'A' + 'a' : second[i]);
    }
    check_code(p, loose, 0);
    process_kill(p);
    start_mailing(p);
    check_code(p, second, EACCES);
    own_of(p, "anna", &own);
    assert_int_equal(own.recovery_left, 8);
    process_stop(p);
}

static void test_codes_removed(void **state)
{
    struct process *p = *state;
    char secret[65], codes[513], code[7];
    struct totp_remove remove = {.name = slice_text("anna"), .code = slice_text("123")};
    struct user_set set = {.name = slice_text("anna"), .valid = ACCOUNT_SET_FLAGS};
    struct account a;
    struct own_is own;

    start_mailing(p);
    add_account(p, "anna");
    process_refused(p, MSG_totp_remove, &remove, ENOENT);
    enrol(p, "anna", secret, codes);
    take_notice(p, "changed", "someone@example.org");
    set.flags = ACCOUNT_CODE_ON; /* never the operator's to set */
    process_refused(p, MSG_user_set, &set, EINVAL);
    process_refused(p, MSG_totp_remove, &remove, EACCES);
    assert_true(show_account(p, "anna", &a) && a.flags == ACCOUNT_CODE_ON);
    code_now(secret, 1, code);
    remove.code = slice_text(code);
    set.flags = ACCOUNT_CODES | ACCOUNT_TRASH;
    process_done(p, MSG_user_set, &set);
    process_refused(p, MSG_totp_remove, &remove, EPERM);
    own_of(p, "anna", &own);
    assert_true(own.codes == CODES_ON && own.codes_required == 1);
    set.flags = 0;
    process_done(p, MSG_user_set, &set);
    process_done(p, MSG_totp_remove, &remove);
    assert_true(show_account(p, "anna", &a) && a.flags == 0);
    expect_change(p, "someone@example.org", "Two-step login was turned off.", "");

    /* The operator, where the device was lost; and what was begun is forgotten by a word. */
    enrol(p, "anna", secret, codes);
    set.flags = ACCOUNT_CODES;
    process_done(p, MSG_user_set, &set);
    remove = (struct totp_remove){.name = slice_text("anna"), .by_operator = 1};
    process_done(p, MSG_totp_remove, &remove);
    assert_true(show_account(p, "anna", &a) && a.flags == ACCOUNT_CODES);
    own_of(p, "anna", &own);
    assert_true(own.codes == CODES_OFF && own.recovery_left == 0);
    process_refused(p, MSG_totp_remove, &remove, ENOENT);
    const struct totp_begin begin = {.name = slice_text("anna")};
    process_ask(p, MSG_totp_begin, &begin);
    remove.by_operator = 0;
    process_done(p, MSG_totp_remove, &remove);
    own_of(p, "anna", &own);
    assert_int_equal(own.codes, CODES_OFF);
    process_stop(p);
}

/* ------------------------------------------------------------------------------- before */

/* As version 4 left it, of what version 5 changes. */
static const char version_4[] =
    "CREATE TABLE accounts (number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " name TEXT NOT NULL COLLATE BINARY UNIQUE,"
    " email TEXT NOT NULL, home BLOB NOT NULL, uid INTEGER NOT NULL, gid INTEGER NOT NULL,"
    " status INTEGER NOT NULL, expires INTEGER NOT NULL, password TEXT NOT NULL,"
    " rights INTEGER NOT NULL, flags INTEGER NOT NULL, max_sessions INTEGER NOT NULL,"
    " bandwidth INTEGER NOT NULL, created INTEGER NOT NULL, last_login INTEGER NOT NULL) STRICT;"
    "CREATE TABLE keys (number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " account INTEGER NOT NULL REFERENCES accounts (number) ON DELETE CASCADE,"
    " sha256 BLOB NOT NULL, key BLOB NOT NULL, comment TEXT NOT NULL,"
    " added INTEGER NOT NULL, last_used INTEGER NOT NULL, UNIQUE (sha256, account)) STRICT;"
    "CREATE TABLE uids (uid INTEGER PRIMARY KEY) STRICT;"
    "CREATE TABLE web_sessions (token BLOB NOT NULL PRIMARY KEY,"
    " account INTEGER NOT NULL REFERENCES accounts (number) ON DELETE CASCADE,"
    " address TEXT NOT NULL, created INTEGER NOT NULL, seen INTEGER NOT NULL,"
    " idle INTEGER NOT NULL, ends INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX web_sessions_by_account ON web_sessions (account);"
    "CREATE TABLE folders (number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " name TEXT NOT NULL COLLATE BINARY UNIQUE, path BLOB NOT NULL UNIQUE,"
    " gid INTEGER NOT NULL, created INTEGER NOT NULL) STRICT;"
    "CREATE TABLE folder_members ("
    " account INTEGER NOT NULL REFERENCES accounts (number) ON DELETE CASCADE,"
    " folder INTEGER NOT NULL REFERENCES folders (number) ON DELETE CASCADE,"
    " rights INTEGER NOT NULL, PRIMARY KEY (account, folder)) STRICT, WITHOUT ROWID;"
    "INSERT INTO accounts VALUES (1, 'old', 'o@example.org', X'2f68', 50000, 50000, 0, 0, '$1$a$b',"
    " 1, 0, 0, 0, 100, 200), (2, 'bare', '', X'2f', 50001, 50001, 0, 0, '', 1, 0, 0, 0, 100, 0);"
    "INSERT INTO uids VALUES (50000), (50001);"
    "INSERT INTO web_sessions SELECT zeroblob(32), 1, 'old', unixepoch() - 9, unixepoch() - 5,"
    " 1000, unixepoch() + 1000;"
    "PRAGMA application_id = 1396788816; PRAGMA user_version = 4";

static void test_schema_4(void **state)
{
    struct process *p = *state;
    static const uint8_t token[WEB_TOKEN];
    const struct store_find by_token = {.token = slice_of(token, sizeof(token))};
    struct own_is own;

    fill_database(p, version_4);
    start_mailing(p);
    assert_true(p->schema > 4);
    own_of(p, "old", &own);
    assert_true(slice_is(own.email, "o@example.org") && own.confirmed == 1);
    assert_true(own.password_changed == 0 && own.codes == CODES_OFF);
    own_of(p, "bare", &own);
    assert_true(own.email.len == 0 && own.confirmed == 0);
    assert_int_equal(process_ask(p, MSG_store_find, &by_token), MSG_account);
    assert_true(web_after(p, "old", 0) > 0);
    process_stop(p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, own_new, own_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_unproven), TEST(test_invite),   TEST(test_replaced), TEST(test_expired),
        TEST(test_at_once),  TEST(test_lost),     TEST(test_address),  TEST(test_password),
        TEST(test_web),      TEST(test_gathered), TEST(test_codes),    TEST(test_codes_removed),
        TEST(test_schema_4),
    };

    return cmocka_run_group_tests_name("store_own", tests, NULL, NULL);
}
