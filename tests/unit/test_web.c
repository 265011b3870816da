/* What the monitor remembers for HTTPS: passwords that were right a moment ago, tokens by their
 * hash alone, TLS sessions under their ids. The clock is the test's, and so is the store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <malloc.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "monitor/monitor.h"

#define SLOTS     8192 /* of TLS sessions */
#define MINUTE_MS 60000
#define HOUR_MS   3600000

static struct monitor m;
static struct session s;
static int64_t clock_ms;
static int link_end; /* the worker's */

/* What was asked of the store. */
static struct asked {
    enum message_type type;
    unsigned count;
    uint8_t token[WEB_TOKEN];
    size_t token_len;
    char name[ACCOUNT_NAME_MAX + 1], password[257];
    uint32_t idle, most;
} asked;
static unsigned not_signed_out;
static bool answered_nothing; /* the store is told to have failed */

/* ---- the monitor around it ------------------------------------------------------------------- */

int64_t now_ms(void)
{
    return clock_ms;
}

static void take_token(struct slice token)
{
    assert_true(token.len <= sizeof(asked.token));
    memcpy(asked.token, token.data, token.len);
    asked.token_len = token.len;
}

void store_ask(struct monitor *monitor, enum message_type type, const void *message, uint64_t who,
               store_answer answer)
{
    assert_ptr_equal(monitor, &m);
    assert_int_equal(who, s.number);
    asked.type = type;
    asked.count++;
    if (type == MSG_store_web_remove) {
        take_token(((const struct store_web_remove *)message)->token);
        assert_ptr_equal(answer, auth_signed_out);
        return;
    }
    if (type == MSG_store_find) {
        const struct store_find *find = message;
        assert_true(find->name.len == 0 && find->key.len == 0);
        take_token(find->token);
        return;
    }
    assert_int_equal(type, MSG_store_web_add);
    const struct store_web_add *add = message;
    take_token(add->token);
    assert_int_equal(slice_copy(add->name, asked.name, sizeof(asked.name)), 0);
    assert_int_equal(slice_copy(add->password, asked.password, sizeof(asked.password)), 0);
    assert_true(slice_is(add->address, "192.0.2.9"));
    asked.idle = add->idle_seconds;
    asked.most = add->most_seconds;
}

int answered(struct monitor *monitor, struct session *session, int sent, const char **why)
{
    (void)monitor, (void)session, (void)why;
    assert_int_equal(sent, 0);
    return 0;
}

void auth_signed_out(struct monitor *monitor, uint64_t number, uint32_t id, struct envelope *answer)
{
    (void)monitor, (void)id;
    assert_true(number == s.number && answer == NULL);
    not_signed_out++;
}

static void on_answer(struct monitor *monitor, uint64_t who, uint32_t id, struct envelope *answer)
{
    (void)monitor, (void)who, (void)id;
    answered_nothing = answer == NULL;
}

static int start(void **state)
{
    int ends[2];

    (void)state;
    memset(&m, 0, sizeof(m));
    memset(&s, 0, sizeof(s));
    memset(&asked, 0, sizeof(asked));
    not_signed_out = 0;
    clock_ms = 1000000;
    s.number = 77;
    memcpy(s.address.text, "192.0.2.9", 10);
    m.config.https_session_idle = 1800;
    m.config.https_session_most = 43200;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0)
        return -1;
    s.worker.fd = ends[0];
    link_end = ends[1];
    return web_prepare(&m);
}

static int end(void **state)
{
    (void)state;
    tls_sessions_free(&m);
    assert_null(m.tls_kept);
    close(s.worker.fd);
    close(link_end);
    return 0;
}

/* ---- passwords that were right --------------------------------------------------------------- */

static void try_password(const char *name, const char *hash, const char *password)
{
    struct login *l = &s.login;

    memset(l, 0, sizeof(*l));
    assert_int_equal(slice_copy(slice_text(name), l->name, sizeof(l->name)), 0);
    assert_int_equal(secret_set(&l->hash, slice_text(hash)), 0);
    assert_int_equal(secret_set(&l->password, slice_text(password)), 0);
}

static bool remembers(const char *name, const char *hash, const char *password)
{
    try_password(name, hash, password);
    return web_remembers(&m, &s.login);
}

static void remember(const char *name, const char *hash, const char *password)
{
    remembers(name, hash, password);
    web_remember(&m, &s.login);
}

/* Bound to account, hash and password, each whole: what is put together is kept apart. */
static void test_bound(void **state)
{
    (void)state;
    assert_false(remembers("anna", "$y$hash", "secret"));
    assert_false(remembers("anna", "$y$hash", "secret")); /* to be asked for does not remember */
    web_remember(&m, &s.login);
    assert_true(remembers("anna", "$y$hash", "secret"));
    assert_false(remembers("anna", "$y$hash", "secre"));
    assert_false(remembers("anna", "$y$hash", "secret2"));
    assert_false(remembers("anna", "$y$hash", ""));
    assert_false(remembers("anna", "$y$other", "secret")); /* it was changed */
    assert_false(remembers("anna", "", "secret"));
    assert_false(remembers("bert", "$y$hash", "secret"));
    assert_false(remembers("anna$", "y$hash", "secret"));
    assert_false(remembers("anna", "$y$hashs", "ecret"));
    assert_false(remembers("ann", "a$y$hash", "secret"));
    assert_true(remembers("anna", "$y$hash", "secret"));
    /* The longest there are. */
    char name[ACCOUNT_NAME_MAX + 1], hash[257], password[1025];
    memset(name, 'n', sizeof(name) - 1);
    memset(hash, 'h', sizeof(hash) - 1);
    memset(password, 'p', sizeof(password) - 1);
    name[sizeof(name) - 1] = hash[sizeof(hash) - 1] = password[sizeof(password) - 1] = '\0';
    remember(name, hash, password);
    assert_true(remembers(name, hash, password));
    password[1023] = 'q';
    assert_false(remembers(name, hash, password));
    /* Nothing of it can be read back without the key. */
    assert_null(memmem(&m.web, sizeof(m.web), "secret", 6));
    /* Under another key nothing is the same: after a restart all are hashed anew. */
    m.web.key[0] ^= 1;
    assert_false(remembers("anna", "$y$hash", "secret"));
}

static void test_age(void **state)
{
    (void)state;
    remember("anna", "$y$hash", "secret");
    clock_ms += MINUTE_MS - 1;
    assert_true(remembers("anna", "$y$hash", "secret"));
    clock_ms += 1; /* that it was asked for has not prolonged it */
    assert_false(remembers("anna", "$y$hash", "secret"));
    remember("anna", "$y$hash", "secret");
    assert_true(remembers("anna", "$y$hash", "secret"));
    clock_ms += INT64_C(1) << 40;
    assert_false(remembers("anna", "$y$hash", "secret"));
}

/* A ring: the oldest makes room, in a table that does not grow. */
static void test_ring(void **state)
{
    char name[32];

    (void)state;
    for (int i = 0; i < 3 * WEB_REMEMBERED; i++) {
        snprintf(name, sizeof(name), "user%d", i);
        remember(name, "$y$hash", "secret");
    }
    for (int i = 0; i < 3 * WEB_REMEMBERED; i++) {
        snprintf(name, sizeof(name), "user%d", i);
        assert_int_equal(remembers(name, "$y$hash", "secret"), i >= 2 * WEB_REMEMBERED);
    }
    m.web.next = UINT32_MAX; /* and when it has gone round */
    remember("anna", "$y$hash", "secret");
    remember("bert", "$y$hash", "secret");
    assert_true(remembers("anna", "$y$hash", "secret") && remembers("bert", "$y$hash", "secret"));
}

/* ---- tokens ---------------------------------------------------------------------------------- */

static bool is_hash_of(const uint8_t hash[32], const uint8_t token[WEB_TOKEN])
{
    uint8_t own[32];

    return EVP_Q_digest(NULL, "SHA256", NULL, token, WEB_TOKEN, own, NULL) == 1 &&
           memcmp(own, hash, sizeof(own)) == 0;
}

static void test_sign_in(void **state)
{
    uint8_t first[WEB_TOKEN];

    (void)state;
    answered_nothing = false;
    try_password("anna", "$y$hash", "");
    web_sign_in(&m, &s, on_answer);
    memcpy(first, s.login.token, sizeof(first));
    assert_true(asked.count == 1 && asked.type == MSG_store_web_add);
    assert_true(asked.token_len == WEB_TOKEN && is_hash_of(asked.token, first));
    assert_memory_not_equal(asked.token, first, WEB_TOKEN); /* the token goes nowhere */
    assert_string_equal(asked.name, "anna");
    assert_string_equal(asked.password, "$y$hash");
    assert_true(asked.idle == 1800 && asked.most == 43200);
    assert_false(answered_nothing || s.by_token);
    web_sign_in(&m, &s, on_answer);
    assert_memory_not_equal(s.login.token, first, WEB_TOKEN);
    assert_int_equal(asked.count, 2);
}

static void test_ask(void **state)
{
    uint8_t token[WEB_TOKEN + 1] = {1, 2, 3};
    struct auth_token claim = {0};

    (void)state;
    for (size_t len = 0; len <= WEB_TOKEN + 1; len++) {
        claim.token = slice_of(token, len);
        assert_int_equal(web_ask(&m, &s, &claim, on_answer), len == WEB_TOKEN ? 0 : -1);
        assert_int_equal(asked.count, len >= WEB_TOKEN);
        assert_int_equal(s.by_token, len >= WEB_TOKEN);
    }
    assert_true(asked.type == MSG_store_find && asked.token_len == WEB_TOKEN);
    assert_true(is_hash_of(asked.token, token) && is_hash_of(s.web, token));
}

/* Encoded and received as from a worker. */
static void receive(enum message_type type, const void *message, struct envelope *e)
{
    assert_int_equal(message_send(link_end, type, 5, message, NULL, 0), 0);
    assert_int_equal(message_receive(s.worker.fd, e, 0), 1);
}

static void test_sign_out(void **state)
{
    static struct envelope e;
    const struct sign_out ask = {0};
    const char *why = NULL;

    (void)state;
    receive(MSG_sign_out, &ask, &e);
    e.id = 77;
    memset(s.web, 0x33, sizeof(s.web));
    assert_int_equal(on_sign_out(&m, &s, &e, &why), 0);
    assert_true(asked.count == 0 && not_signed_out == 1); /* it came by no web session */
    s.by_token = true;
    assert_int_equal(on_sign_out(&m, &s, &e, &why), 0);
    assert_true(not_signed_out == 1);
    assert_true(asked.count == 1 && asked.type == MSG_store_web_remove);
    assert_true(asked.token_len == 32 && s.login.request_id == 77);
    assert_memory_equal(asked.token, s.web, 32);
    e.len++; /* what does not decode ends nothing */
    assert_int_equal(on_sign_out(&m, &s, &e, &why), -1);
    assert_int_equal(asked.count, 1);
    envelope_clear(&e);
}

/* ---- TLS sessions ---------------------------------------------------------------------------- */

/* One of many; those whose first two bytes are the same have one slot. */
static struct slice tls_id(unsigned slot, uint8_t last, uint8_t id[32])
{
    memset(id, 0x44, 32);
    id[0] = (uint8_t)(slot >> 8);
    id[1] = (uint8_t)slot;
    id[31] = last;
    return slice_of(id, 32);
}

static int keep(struct slice id, struct slice session)
{
    static struct envelope e;
    const struct tls_keep message = {.id = id, .session = session};
    const char *why = NULL;

    receive(MSG_tls_keep, &message, &e);
    const int r = on_tls_keep(&m, &s, &e, &why);
    assert_int_equal(e.len > 0, 1);
    envelope_clear(&e);
    return r;
}

/* -1: it is refused; else whether what is found is this. */
static int find(struct slice id, const char *session)
{
    static struct envelope e;
    const struct tls_find message = {.id = id};
    const char *why = NULL;
    struct tls_found found;

    receive(MSG_tls_find, &message, &e);
    const int r = on_tls_find(&m, &s, &e, &why);
    envelope_clear(&e);
    if (r < 0)
        return -1;
    assert_int_equal(message_receive(link_end, &e, MSG_DONTWAIT), 1);
    assert_int_equal(decode_tls_found(&e, &found), 0);
    assert_int_equal(e.id, 5);
    const bool same = slice_is(found.session, session);
    envelope_clear(&e);
    return same;
}

static void test_tls_slots(void **state)
{
    uint8_t a[32], b[32], c[32];

    (void)state;
    tls_id(1, 0, a);
    tls_id(1, 1, b);                                /* the same slot */
    tls_id(1 + SLOTS, 0, c);                        /* this one too: there are no more */
    assert_int_equal(find(slice_of(a, 32), ""), 1); /* before anything was kept */
    assert_int_equal(keep(slice_of(a, 32), slice_text("one")), 0);
    assert_int_equal(find(slice_of(a, 32), "one"), 1);
    assert_int_equal(find(slice_of(a, 32), "one"), 1);
    assert_int_equal(find(slice_of(b, 32), ""), 1);
    assert_int_equal(find(slice_of(c, 32), ""), 1);
    for (size_t i = 0; i < 32; i++) { /* every byte of an id counts */
        a[i] ^= 0x10;
        assert_int_equal(find(slice_of(a, 32), ""), 1);
        a[i] ^= 0x10;
    }
    assert_int_equal(keep(slice_of(a, 32), slice_text("newer, and longer")), 0);
    assert_int_equal(find(slice_of(a, 32), "newer, and longer"), 1);
    assert_int_equal(keep(slice_of(b, 32), slice_text("2")), 0);
    assert_int_equal(find(slice_of(a, 32), ""), 1);
    assert_int_equal(find(slice_of(b, 32), "2"), 1);
    assert_int_equal(keep(slice_of(c, 32), slice_text("three")), 0);
    assert_int_equal(find(slice_of(b, 32), ""), 1);
    /* What it held is gone, not only hidden behind a length. */
    assert_null(memmem(m.tls_kept, SLOTS * 1024, "newer", 5));
    assert_int_equal(keep(slice_of(c, 32), slice_text("")), 0);
    assert_int_equal(find(slice_of(c, 32), ""), 1);
}

static void test_tls_lengths(void **state)
{
    uint8_t id[32];
    char large[1025];

    (void)state;
    tls_id(9, 0, id);
    for (size_t len = 0; len < 32; len++) {
        assert_int_equal(keep(slice_of(id, len), slice_text("x")), -1);
        assert_int_equal(find(slice_of(id, len), ""), -1);
    }
    memset(large, 'l', sizeof(large) - 1);
    large[1024] = '\0';
    assert_int_equal(keep(slice_of(id, 32), slice_text(large)), 0);
    assert_int_equal(find(slice_of(id, 32), large), 1);
}

static void test_tls_age(void **state)
{
    uint8_t id[32];

    (void)state;
    tls_id(3, 0, id);
    assert_int_equal(keep(slice_of(id, 32), slice_text("one")), 0);
    clock_ms += HOUR_MS - 1;
    assert_int_equal(find(slice_of(id, 32), "one"), 1);
    clock_ms += 1; /* found or not, it ends */
    assert_int_equal(find(slice_of(id, 32), ""), 1);
    assert_int_equal(keep(slice_of(id, 32), slice_text("two")), 0);
    assert_int_equal(find(slice_of(id, 32), "two"), 1);
}

/* However many are kept, of the largest: the same memory. */
static void test_tls_bounded(void **state)
{
    uint8_t id[32];
    char large[1025];

    (void)state;
    memset(large, 'l', sizeof(large) - 1);
    large[1024] = '\0';
    assert_int_equal(keep(tls_id(0, 0, id), slice_text(large)), 0);
    const struct mallinfo2 before = mallinfo2();
    for (unsigned i = 0; i < 3 * SLOTS; i++)
        assert_int_equal(keep(tls_id(i, (uint8_t)(i / SLOTS), id), slice_text(large)), 0);
    const struct mallinfo2 after = mallinfo2();
    assert_true(after.uordblks + after.hblkhd <= before.uordblks + before.hblkhd);
    assert_true(before.uordblks + before.hblkhd < 16 << 20);
    assert_int_equal(find(tls_id(3 * SLOTS - 1, 2, id), large), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_bound),   TEST(test_age),         TEST(test_ring),      TEST(test_sign_in),
        TEST(test_ask),     TEST(test_sign_out),    TEST(test_tls_slots), TEST(test_tls_lengths),
        TEST(test_tls_age), TEST(test_tls_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
