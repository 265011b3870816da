/* TLS servers without a key: every kind of certificate in both versions of TLS, signed by the
 * monitor's own code in another process; streams against OpenSSL's client; and the signatures that
 * the monitor refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "common/sshwire.h"
#include "common/tls.h"
#include "common/tls_algorithms.h"
#include "monitor/monitor.h"

#define BUFFER   ((size_t)16 * (TLS_RECORD + 512))
#define SUITES12 "ECDHE-ECDSA-AES128-GCM-SHA256,ECDHE-RSA-AES128-GCM-SHA256"
#define SUITE13  "TLS_AES_128_GCM_SHA256"

enum kind { P256, P384, P521, RSA_2048, ED25519, KINDS };
static const struct {
    const char *type, *group;
} kinds[KINDS] = {
    [P256] = {"EC", "P-256"},   [P384] = {"EC", "P-384"},      [P521] = {"EC", "P-521"},
    [RSA_2048] = {"RSA", NULL}, [ED25519] = {"ED25519", NULL},
};

static EVP_PKEY *keys[KINDS];

/* ---- a certificate and its signer ------------------------------------------------------------ */

static EVP_PKEY *make_key(enum kind kind)
{
    if (kinds[kind].group != NULL)
        return EVP_PKEY_Q_keygen(NULL, NULL, "EC", kinds[kind].group);
    if (kind == RSA_2048)
        return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

static size_t make_certificate(enum kind kind, uint8_t *chain, size_t size)
{
    X509 *certificate = X509_new();
    X509_NAME *name = X509_get_subject_name(certificate);
    struct wire_out w = wire_out_of(chain, size);
    unsigned char *der = NULL;

    assert_int_equal(X509_set_version(certificate, 2), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                                (const unsigned char *)"test", -1, -1, 0),
                     1);
    assert_int_equal(X509_set_issuer_name(certificate, name), 1);
    assert_int_equal(X509_set_pubkey(certificate, keys[kind]), 1);
    assert_true(X509_sign(certificate, keys[kind], kind == ED25519 ? NULL : EVP_sha256()) > 0);
    const int len = i2d_X509(certificate, &der);
    assert_true(len > 0);
    wire_put_string(&w, slice_of(der, (size_t)len));
    OPENSSL_free(der);
    X509_free(certificate);
    assert_false(w.bad);
    return w.len;
}

/* The monitor, as far as signatures go: in a process of its own, with the key. */
static void sign_for(int link, EVP_PKEY *key)
{
    static struct envelope e;
    uint8_t bytes[1024];
    const char *why = NULL;

    while (message_receive(link, &e, 0) > 0) {
        struct sign_tls13 one;
        struct sign_tls12 other;
        ssize_t n = -1;
        if (decode_sign_tls13(&e, &one) == 0)
            n = priv_sign_tls13(key, &one, bytes, sizeof(bytes), &why);
        else if (decode_sign_tls12(&e, &other) == 0)
            n = priv_sign_tls12(key, &other, bytes, sizeof(bytes), &why);
        if (n < 0)
            _exit(1);
        const struct signature answer = {.bytes = slice_of(bytes, (size_t)n)};
        if (send_signature(link, e.id, &answer) < 0)
            _exit(2);
    }
    _exit(0);
}

static pid_t signer;

static void start_signer(enum kind kind)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    signer = fork();
    assert_true(signer >= 0);
    if (signer == 0) {
        close(pair[0]);
        close(FD_MONITOR);
        sign_for(pair[1], keys[kind]);
    }
    close(pair[1]);
    assert_int_equal(dup2(pair[0], FD_MONITOR), FD_MONITOR);
    if (pair[0] != FD_MONITOR)
        close(pair[0]);
}

static struct stop stopped;

static void stop_signer(void)
{
    int status;

    if (stopped.asked)
        fail_msg("told to stop: %s", stopped.reason);
    close(FD_MONITOR);
    assert_int_equal(waitpid(signer, &status, 0), signer);
    assert_int_equal(status, 0);
    assert_true(open("/dev/null", O_RDWR) == FD_MONITOR); /* the number stays ours */
}

/* ---- the two sides ------------------------------------------------------------------------- */

static struct monitor_link link_to_signer = {.stop = &stopped};

static SSL_CTX *make_context(enum kind kind)
{
    static uint8_t chain[4096];
    char why[256] = "";
    const struct tls_settings settings = {
        .certificates = slice_of(chain, make_certificate(kind, chain, sizeof(chain))),
        .ciphers12 = slice_text(SUITES12),
        .ciphers13 = slice_text("TLS_NEWER_THAN_THIS," SUITE13),
        .groups = slice_text("NewerThanThis,X25519,P-256"),
        .least = TLS_1_2,
        .resumption = TLS_RESUMES_HERE,
        .protocol = "ftp",
    };
    SSL_CTX *context = tls_context_new(&settings, &link_to_signer, why, sizeof(why));

    if (context == NULL)
        fail_msg("%s", why);
    return context;
}

/* A connection: our stream at one end, OpenSSL's client at the other. */
struct ends {
    struct tls_stream stream;
    SSL *client;
    int fds[2];
};

static void open_ends(struct ends *c, SSL_CTX *server, SSL_CTX *client, bool tickets)
{
    const int small = 65536;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, c->fds), 0);
    assert_int_equal(setsockopt(c->fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    assert_int_equal(tls_open(&c->stream, server, c->fds[0], BUFFER, tickets), 0);
    c->client = SSL_new(client);
    assert_non_null(c->client);
    assert_int_equal(SSL_set_fd(c->client, c->fds[1]), 1);
    SSL_set_connect_state(c->client);
}

static void close_ends(struct ends *c)
{
    tls_free(&c->stream);
    /* Else OpenSSL's client would not use its session again. */
    SSL_set_shutdown(c->client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(c->client);
    close(c->fds[0]);
    close(c->fds[1]);
}

/* Both sides in turns. Returns what ours came to. */
static enum tls_result shake_hands(struct ends *c)
{
    for (int i = 0; i < 100; i++) {
        const int r = SSL_do_handshake(c->client);
        const enum tls_result ours = tls_handshake(&c->stream);
        if (ours == TLS_FAILED || (ours == TLS_DONE && r == 1))
            return ours;
    }
    return TLS_AGAIN;
}

/* ---- tests ---------------------------------------------------------------------------------- */

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void exchange_bytes(struct ends *c)
{
    static uint8_t out[300000], in[300000];
    size_t sent = 0, got = 0, n;

    for (size_t i = 0; i < sizeof(out); i++)
        out[i] = (uint8_t)(i * 31 + i / 251);
    while (got < sizeof(out)) { /* to the client */
        const ssize_t taken = tls_write(&c->stream, out + sent, sizeof(out) - sent);
        sent += taken > 0 ? (size_t)taken : 0;
        assert_int_not_equal(tls_flush(&c->stream), TLS_FAILED);
        if (SSL_read_ex(c->client, in + got, sizeof(in) - got, &n) == 1)
            got += n;
    }
    assert_memory_equal(in, out, sizeof(out));
    memset(in, 0, sizeof(in));
    for (sent = got = 0; got < sizeof(out);) { /* from the client */
        if (sent < sizeof(out) && SSL_write_ex(c->client, out + sent, sizeof(out) - sent, &n) == 1)
            sent += n;
        const ssize_t r = tls_read(&c->stream, in + got, sizeof(in) - got);
        assert_true(r > 0 || r == TLS_AGAIN);
        got += r > 0 ? (size_t)r : 0;
    }
    assert_memory_equal(in, out, sizeof(out));
}

static void test_every_key_and_version(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        start_signer((enum kind)kind);
        SSL_CTX *server = make_context((enum kind)kind);
        for (size_t v = 0; v < 2; v++) {
            SSL_CTX *client = SSL_CTX_new(TLS_client_method());
            struct ends c;
            char text[128];
            uint8_t byte;
            SSL_CTX_set_min_proto_version(client, versions[v]);
            SSL_CTX_set_max_proto_version(client, versions[v]);
            SSL_CTX_set_mode(client, SSL_MODE_ENABLE_PARTIAL_WRITE);
            open_ends(&c, server, client, false);
            assert_int_equal(shake_hands(&c), TLS_DONE);
            tls_describe(&c.stream, text, sizeof(text));
            assert_non_null(strstr(text, v == 0 ? "TLSv1.2, " : "TLSv1.3, "));
            assert_false(tls_resumed(&c.stream));
            exchange_bytes(&c);
            assert_int_equal(SSL_shutdown(c.client), 0);
            assert_int_equal(tls_read(&c.stream, &byte, 1), 0);
            assert_int_equal(tls_close(&c.stream), TLS_DONE);
            assert_int_equal(SSL_shutdown(c.client), 1); /* our close_notify came */
            close_ends(&c);
            SSL_CTX_free(client);
        }
        SSL_CTX_free(server);
        stop_signer();
    }
}

/* What FTPS needs: any number of data connections on one session, also without tickets of theirs.
 */
static void test_resumption(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        start_signer(P256);
        SSL_CTX *server = make_context(P256), *client = SSL_CTX_new(TLS_client_method());
        struct ends control, data;
        char byte;
        size_t n;
        SSL_CTX_set_max_proto_version(client, versions[v]);
        open_ends(&control, server, client, true);
        assert_int_equal(shake_hands(&control), TLS_DONE);
        assert_int_equal(SSL_read_ex(control.client, &byte, 1, &n), 0); /* takes in the tickets */
        SSL_SESSION *session = SSL_get1_session(control.client);
        stop_signer();                  /* nothing is signed from here on */
        for (int i = 0; i < 200; i++) { /* more than OpenSSL's cache is let hold */
            open_ends(&data, server, client, false);
            assert_int_equal(SSL_set_session(data.client, session), 1);
            assert_int_equal(shake_hands(&data), TLS_DONE);
            assert_true(tls_resumed(&data.stream));
            assert_true(SSL_session_reused(data.client));
            close_ends(&data);
            tls_renew(&control.stream);
            assert_int_equal(tls_write(&control.stream, "x", 1), 1);
            assert_int_equal(tls_flush(&control.stream), TLS_DONE);
            assert_int_equal(SSL_read_ex(control.client, &byte, 1, &n), 1);
            SSL_SESSION *fresh = SSL_get1_session(control.client);
            assert_true(v == 0 || fresh != session);
            SSL_SESSION_free(fresh);
        }
        SSL_SESSION_free(session);
        close_ends(&control);
        SSL_CTX_free(client);
        SSL_CTX_free(server);
    }
}

/* An end without close_notify, junk instead of a handshake, a peer that reads nothing. */
static void test_broken_peers(void **state)
{
    static const char junk[] = "GET / HTTP/1.0\r\n\r\nand what else there is";
    static uint8_t block[4 * TLS_RECORD];
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());
    struct ends c;
    uint8_t byte;

    (void)state;
    start_signer(P256);
    SSL_CTX *server = make_context(P256);
    open_ends(&c, server, client, false);
    assert_int_equal(shake_hands(&c), TLS_DONE);
    assert_int_equal(shutdown(c.fds[1], SHUT_WR), 0);
    assert_int_equal(tls_read(&c.stream, &byte, 1), TLS_FAILED);
    assert_string_equal(tls_trouble(&c.stream), "the connection ended without close_notify");
    assert_int_equal(tls_read(&c.stream, &byte, 1), TLS_FAILED);
    close_ends(&c);

    open_ends(&c, server, client, false);
    assert_int_equal(write(c.fds[1], junk, sizeof(junk)), sizeof(junk));
    assert_int_equal(tls_handshake(&c.stream), TLS_FAILED);
    assert_true(tls_trouble(&c.stream)[0] != '\0');
    close_ends(&c);

    open_ends(&c, server, client, false);
    assert_int_equal(shake_hands(&c), TLS_DONE);
    size_t taken = 0;
    enum tls_result r = TLS_DONE;
    for (int i = 0; i < 1000 && r == TLS_DONE; i++) {
        const ssize_t n = tls_write(&c.stream, block, sizeof(block));
        assert_true(n > 0);
        taken += (size_t)n;
        r = tls_flush(&c.stream);
    }
    assert_int_equal(r, TLS_AGAIN);
    assert_true((tls_events(&c.stream) & POLLOUT) != 0);
    for (int i = 0; i < 1000 && tls_write(&c.stream, block, sizeof(block)) > 0; i++)
        ;
    assert_int_equal(tls_room(&c.stream), 0);
    assert_true(taken < 64 * sizeof(block)); /* what nobody reads is bounded by the buffers */
    assert_int_equal(tls_close(&c.stream), TLS_AGAIN); /* and its end still has its place */
    close_ends(&c);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
    stop_signer();
}

/* ---- what the monitor does not sign ---------------------------------------------------------- */

static void test_refused_signatures(void **state)
{
    static const uint8_t random[32] = {1}, hash[48] = {2};
    uint8_t params[140] = {3, 0, 29, 32}, out[1024];
    const char *why = NULL;

    (void)state;
    const struct {
        enum kind kind;
        uint32_t scheme;
        size_t hash;
        bool taken;
    } thirteen[] = {
        {P256, 0x0403, 32, true},
        {P256, 0x0403, 48, true},
        {P256, 0x0403, 0, false},
        {P256, 0x0403, 31, false},
        {P256, 0x0403, 33, false},
        {P256, 0x0804, 32, false},
        {P256, 0x0807, 32, false},
        {P256, 0, 32, false},
        {P256, 0x10403, 32, false},
        {RSA_2048, 0x0804, 32, true},
        {RSA_2048, 0x0806, 48, true},
        {RSA_2048, 0x0401, 32, false}, /* PKCS#1 is not for TLS 1.3 */
        {RSA_2048, 0x0201, 32, false}, /* SHA-1 is for nothing */
        {ED25519, 0x0807, 32, true},
        {ED25519, 0x0403, 32, false},
    };
    for (size_t i = 0; i < sizeof(thirteen) / sizeof(thirteen[0]); i++) {
        const struct sign_tls13 ask = {.scheme = thirteen[i].scheme,
                                       .hash = slice_of(hash, thirteen[i].hash)};
        const ssize_t n = priv_sign_tls13(keys[thirteen[i].kind], &ask, out, sizeof(out), &why);
        if ((n > 0) != thirteen[i].taken)
            fail_msg("TLS 1.3 row %zu: %zd", i, n);
    }
    const struct {
        size_t client, server, params;
        uint8_t first, group, point;
        bool taken;
    } twelve[] = {
        {32, 32, 36, 3, 29, 32, true},  {31, 32, 36, 3, 29, 32, false},
        {32, 31, 36, 3, 29, 32, false}, {0, 32, 36, 3, 29, 32, false},
        {32, 32, 35, 3, 29, 32, false}, {32, 32, 37, 3, 29, 32, false},
        {32, 32, 36, 1, 29, 32, false}, {32, 32, 36, 3, 28, 32, false},
        {32, 32, 69, 3, 23, 65, true},  {32, 32, 36, 3, 23, 32, false},
        {32, 32, 0, 3, 29, 32, false},  {32, 32, 36, 3, 29, 31, false},
    };
    for (size_t i = 0; i < sizeof(twelve) / sizeof(twelve[0]); i++) {
        params[0] = twelve[i].first;
        params[2] = twelve[i].group;
        params[3] = twelve[i].point;
        const struct sign_tls12 ask = {
            .scheme = 0x0403,
            .client_random = slice_of(random, twelve[i].client),
            .server_random = slice_of(random, twelve[i].server),
            .params = slice_of(params, twelve[i].params),
        };
        const ssize_t n = priv_sign_tls12(keys[P256], &ask, out, sizeof(out), &why);
        if ((n > 0) != twelve[i].taken)
            fail_msg("TLS 1.2 row %zu: %zd", i, n);
    }
}

static void test_what_is_passed_on(void **unused)
{
    static const char *const ciphers[] = {"AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305"};
    static const char *const others[] = {"AES-128-CBC", "AES-128-CCM", "DES-EDE3-CBC"};

    (void)unused;
    for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++) {
        EVP_CIPHER *one = EVP_CIPHER_fetch(NULL, ciphers[i], NULL);
        EVP_CIPHER *other = EVP_CIPHER_fetch(NULL, others[i], NULL);
        if (one == NULL || other != NULL)
            fail_msg("%s is %s, %s is %s", ciphers[i], one != NULL ? "there" : "missing", others[i],
                     other != NULL ? "there" : "missing");
        EVP_CIPHER_free(one);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_key_and_version), cmocka_unit_test(test_resumption),
        cmocka_unit_test(test_broken_peers),          cmocka_unit_test(test_refused_signatures),
        cmocka_unit_test(test_what_is_passed_on),
    };

    /* Before libcrypto's first use here: this process is the signer and the client too. */
    if (tls_algorithms_load(slice_text(SUITES12), slice_text(SUITE13)) < 0)
        return EXIT_FAILURE;
    for (int kind = 0; kind < KINDS; kind++) {
        if ((keys[kind] = make_key((enum kind)kind)) == NULL)
            return EXIT_FAILURE;
    }
    const int r = cmocka_run_group_tests(tests, NULL, NULL);
    for (int kind = 0; kind < KINDS; kind++)
        EVP_PKEY_free(keys[kind]);
    return r;
}
