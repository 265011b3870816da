/* The parser of SSH exchange preimages: it takes what a server of ours could have made, and nothing
 * that is a byte shorter, longer or otherwise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/algorithms.h"
#include "common/sshwire.h"
#include "monitor/monitor.h"
#include "tests/unit/exchange.h"

#define HOST_KEY slice_text("a host key's blob: only the signer looks at it")

static const struct side client = {'c', "curve25519-sha256", "ssh-ed25519"};
static const struct side server = {'s', "curve25519-sha256", "ssh-ed25519"};

static uint8_t bytes[EXCHANGE_MAX];

/* Parse from memory of just that size. */
static int parse(const uint8_t *from, size_t len, struct preimage *p)
{
    static uint8_t *exact;
    const char *why = NULL;

    free(exact);
    exact = malloc(len > 0 ? len : 1);
    assert_non_null(exact);
    memcpy(exact, from, len);
    const int r = preimage_parse(slice_of(exact, len), p, &why);
    assert_true(r == 0 || (r == -1 && why != NULL));
    return r;
}

static int parse_sample(const struct sample *s, struct preimage *p)
{
    return parse(bytes, sample_preimage(s, bytes), p);
}

static void good(struct sample *s)
{
    sample_make(s, &client, &server, HOST_KEY);
}

static void taken(const struct sample *s)
{
    struct preimage p;

    assert_int_equal(parse_sample(s, &p), 0);
}

static void refused(const struct sample *s)
{
    struct preimage p;

    assert_int_equal(parse_sample(s, &p), -1);
}

static void test_every_key_exchange(void **state)
{
    (void)state;
    for (size_t i = 0; i < exchange_fact_count; i++) {
        const struct side c = {'c', exchange_facts[i].kex, "rsa-sha2-512"};
        const struct side d = {'s', exchange_facts[i].kex, "ssh-ed25519,rsa-sha2-512"};
        struct sample s;
        struct preimage p;
        sample_make(&s, &c, &d, HOST_KEY);
        assert_int_equal(parse_sample(&s, &p), 0);
        assert_string_equal(p.hash, exchange_facts[i].hash);
        assert_true(slice_is(p.signature, "rsa-sha2-512"));
        assert_true(slice_equal(p.v_c, s.v_c) && slice_equal(p.v_s, s.v_s));
        assert_true(slice_equal(p.i_c, s.i_c) && slice_equal(p.i_s, s.i_s));
        assert_true(slice_equal(p.k_s, s.k_s));
    }
}

/* What is offered by default can be signed for. */
static void test_the_defaults_are_known(void **state)
{
    char all[] = SFTP_KEX;
    char *at = all;

    (void)state;
    for (char *name; (name = strsep(&at, ",")) != NULL;) {
        const struct side c = {'c', name, "ssh-ed25519"}, d = {'s', SFTP_KEX, "ssh-ed25519"};
        struct sample s;
        sample_make(&s, &c, &d, HOST_KEY);
        taken(&s);
    }
}

/* RFC 4253, 7.1: the first of the client's list that the server has. */
static void test_agreement(void **state)
{
    static const struct {
        const char *c_kex, *s_kex, *c_key, *s_key;
        const char *hash, *signature; /* NULL: refused */
    } rows[] = {
        {"ecdh-sha2-nistp384,curve25519-sha256", "curve25519-sha256,ecdh-sha2-nistp384",
         "rsa-sha2-256,ssh-ed25519", "ssh-ed25519,rsa-sha2-256", "SHA384", "rsa-sha2-256"},
        {"unknown,curve25519-sha256,ext-info-c,kex-strict-c-v00@openssh.com",
         "curve25519-sha256,kex-strict-s-v00@openssh.com", "ssh-ed25519", "ssh-ed25519", "SHA256",
         "ssh-ed25519"},
        /* Both know it, we do not: a later one must not be taken in its place. */
        {"diffie-hellman-group-exchange-sha256,curve25519-sha256",
         "curve25519-sha256,diffie-hellman-group-exchange-sha256", "ssh-ed25519", "ssh-ed25519",
         NULL, NULL},
        {"diffie-hellman-group1-sha1", "diffie-hellman-group1-sha1", "ssh-ed25519", "ssh-ed25519",
         NULL, NULL},
        {"diffie-hellman-group14-sha1", "diffie-hellman-group14-sha1", "ssh-ed25519", "ssh-ed25519",
         NULL, NULL},
        {"curve25519-sha256", "ecdh-sha2-nistp256", "ssh-ed25519", "ssh-ed25519", NULL, NULL},
        {"curve25519-sha256", "curve25519-sha256", "ssh-ed25519", "rsa-sha2-512", NULL, NULL},
        {"", "curve25519-sha256", "ssh-ed25519", "ssh-ed25519", NULL, NULL},
        {"curve25519-sha256", "", "ssh-ed25519", "ssh-ed25519", NULL, NULL},
        {"", "", "", "", NULL, NULL},
        {",", ",", "ssh-ed25519", "ssh-ed25519", NULL, NULL},
        {"curve25519-sha256", "curve25519-sha256", "", "", NULL, NULL},
        {"curve25519-sha25", "curve25519-sha25", "ssh-ed25519", "ssh-ed25519", NULL, NULL},
        {"curve25519-sha2567", "curve25519-sha2567", "ssh-ed25519", "ssh-ed25519", NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct side c = {'c', rows[i].c_kex, rows[i].c_key};
        const struct side d = {'s', rows[i].s_kex, rows[i].s_key};
        struct sample s;
        struct preimage p;
        sample_make(&s, &c, &d, HOST_KEY);
        if (parse_sample(&s, &p) != (rows[i].hash != NULL ? 0 : -1))
            fail_msg("%s and %s", rows[i].c_kex, rows[i].s_kex);
        if (rows[i].hash != NULL) {
            assert_string_equal(p.hash, rows[i].hash);
            assert_true(slice_is(p.signature, rows[i].signature));
        }
    }
}

static void test_every_cut(void **state)
{
    struct sample s;
    struct preimage p;

    (void)state;
    good(&s);
    const size_t len = sample_preimage(&s, bytes);
    for (size_t cut = 0; cut < len; cut++) {
        if (parse(bytes, cut, &p) == 0)
            fail_msg("cut to %zu of %zu it is taken", cut, len);
    }
    assert_int_equal(parse(bytes, len, &p), 0);
    assert_int_equal(parse(bytes, len + 1, &p), -1);
    assert_int_equal(parse(bytes, len + 4, &p), -1); /* an empty string more */
}

/* Each field left out, and each made empty. */
static void test_missing_fields(void **state)
{
    static const size_t fields[] = {
        offsetof(struct sample, v_c), offsetof(struct sample, v_s), offsetof(struct sample, i_c),
        offsetof(struct sample, i_s), offsetof(struct sample, k_s), offsetof(struct sample, e),
        offsetof(struct sample, f),   offsetof(struct sample, k),
    };
    const struct slice left_out = {NULL, 1}, empty = {NULL, 0};

    (void)state;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        struct sample s;
        good(&s);
        memcpy((uint8_t *)&s + fields[i], &left_out, sizeof(left_out));
        refused(&s);
        if (fields[i] == offsetof(struct sample, k_s))
            continue; /* whose it is the signer finds out: an empty one is nobody's */
        good(&s);
        memcpy((uint8_t *)&s + fields[i], &empty, sizeof(empty));
        refused(&s);
    }
}

static void test_versions(void **state)
{
    static char longest[256] = "SSH-2.0-";
    struct sample s;

    (void)state;
    memset(longest + 8, 'v', sizeof(longest) - 8);
    for (int side = 0; side < 2; side++) {
        const struct {
            struct slice v;
            int good;
        } rows[] = {
            {slice_text("SSH-1.99-x"), 1},   {slice_of(longest, 255), 1},
            {slice_of(longest, 256), 0},     {slice_text("SSH-2.0"), 0},
            {slice_text("ssh-2.0-x"), 0},    {slice_text("XSSH-2.0-x"), 0},
            {slice_text("HTTP/1.1 200"), 0},
        };
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            good(&s);
            *(side == 0 ? &s.v_c : &s.v_s) = rows[i].v;
            (rows[i].good ? taken : refused)(&s);
        }
    }
}

static void test_kexinits(void **state)
{
    static uint8_t bent[2100];
    struct sample s;

    (void)state;
    for (int side = 0; side < 2; side++) {
        good(&s);
        struct slice *init = side == 0 ? &s.i_c : &s.i_s;
        const struct slice whole = *init;
        memcpy(bent, whole.data, whole.len);
        for (size_t cut = 0; cut < whole.len; cut++) {
            *init = slice_of(bent, cut);
            refused(&s);
        }
        *init = slice_of(bent, whole.len + 1);
        refused(&s);
        *init = slice_of(bent, whole.len);
        taken(&s);
        /* Any other message. */
        for (unsigned type = 0; type < 256; type++) {
            bent[0] = (uint8_t)type;
            (type == 20 ? taken : refused)(&s);
        }
        bent[0] = 20;
        /* Lengths of the ten lists that lie. */
        struct wire w = wire_of(whole);
        wire_bytes(&w, 17);
        for (size_t list = 0; list < 10; list++) {
            const size_t at = w.at;
            for (unsigned byte = 0; byte < 4; byte++) {
                bent[at + byte] ^= 0x81;
                refused(&s);
                bent[at + byte] ^= 0x81;
            }
            wire_string(&w);
        }
        *init = slice_text("garbage that is no KEXINIT at all");
        refused(&s);
    }
}

static void test_shared_secret(void **state)
{
    static uint8_t k[5000];
    struct sample s;

    (void)state;
    memset(k, 1, sizeof(k));
    good(&s);
    s.k = slice_of(k, 1);
    taken(&s);
    s.k = slice_of(k, 1025); /* group 18 */
    taken(&s);
    s.k = slice_of(k, 4096);
    taken(&s);
    s.k = slice_of(k, 4097);
    refused(&s);
}

/* Lengths of the eight fields that lie. */
static void test_lengths_that_lie(void **state)
{
    static const uint32_t lies[] = {0, 1, 0x7fffffff, 0x80000000, UINT32_MAX};
    struct sample s;
    struct preimage p;

    (void)state;
    good(&s);
    const size_t len = sample_preimage(&s, bytes);
    struct wire w = wire_of(slice_of(bytes, len));
    for (size_t field = 0; field < 8; field++) {
        uint8_t bent[EXCHANGE_MAX];
        const size_t at = w.at;
        const uint32_t real = (uint32_t)wire_string(&w).len;
        const uint32_t near[] = {real - 1, real + 1, real + 4};
        for (size_t i = 0; i < 8; i++) {
            memcpy(bent, bytes, len);
            struct wire_out out = wire_out_of(bent + at, 4);
            wire_put_u32(&out, i < 5 ? lies[i] : near[i - 5]);
            assert_int_equal(parse(bent, len, &p), -1);
        }
    }
}

/* Bytes by chance, from a fixed seed: refused, or taken for what they are. */
static void test_bent_by_chance(void **state)
{
    uint32_t chance = 2463534242u;
    struct sample s;
    struct preimage p;
    unsigned seen[2] = {0, 0};

    (void)state;
    good(&s);
    const size_t len = sample_preimage(&s, bytes);
    for (int i = 0; i < 20000; i++) {
        uint8_t bent[EXCHANGE_MAX];
        memcpy(bent, bytes, len);
        for (int n = 0; n < 3; n++) {
            chance ^= chance << 13;
            chance ^= chance >> 17;
            chance ^= chance << 5;
            bent[chance % len] = (uint8_t)(chance >> 24);
        }
        const int r = parse(bent, len, &p);
        seen[r == 0]++;
        if (r == 0) {
            assert_string_equal(p.hash, "SHA256");
            assert_true(slice_is(p.signature, "ssh-ed25519"));
        }
    }
    assert_true(seen[0] > 1000 && seen[1] > 1000);
    parse(bytes, 0, &p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_key_exchange), cmocka_unit_test(test_the_defaults_are_known),
        cmocka_unit_test(test_agreement),          cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_missing_fields),     cmocka_unit_test(test_versions),
        cmocka_unit_test(test_kexinits),           cmocka_unit_test(test_shared_secret),
        cmocka_unit_test(test_lengths_that_lie),   cmocka_unit_test(test_bent_by_chance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
