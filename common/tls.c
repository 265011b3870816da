/* Contexts and streams of TLS servers whose keys are the monitor's. Called by the FTPS and HTTPS
 * workers. A stream's records go through buffers of its own, many to a system call; the descriptor
 * is touched by recv and send only, never waited for. Must never hold a private key: it has none.
 */
#include "common/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/log.h"
#include "common/sshwire.h"
#include "common/tls_algorithms.h"
#include "common/tls_provider.h"

#define OVERHEAD        256    /* most that encryption adds to a record (RFC 8446, 5.2) */
#define LAST_WORDS      512    /* room that is kept for alerts */
#define SESSIONS_MOST   64     /* of one worker: its control connection's, kept for its data */
#define SESSION_BYTES   1024   /* of one that the monitor keeps: tls_keep.session */
#define SESSION_SECONDS 604800 /* the most that TLS 1.3 has (RFC 8446, 4.6.1) */

static BIO_METHOD *method; /* one a process, for all streams */

/* ------------------------------------------------------------------------- contexts */

static const char *openssl_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    return reason != NULL ? reason : "no reason given";
}

static X509 *read_certificate(struct wire *w)
{
    const struct slice der = wire_string(w);
    const unsigned char *at = der.data;
    X509 *certificate = w->bad || der.len == 0 ? NULL : d2i_X509(NULL, &at, (long)der.len);

    if (certificate != NULL && at != der.data + der.len) {
        X509_free(certificate);
        certificate = NULL;
    }
    return certificate;
}

/* The server's certificates, each with its chain and a key that signs through the monitor: one list
 * a process, for all its contexts. The first is for clients that name none of them. */
static struct {
    struct identity {
        X509 *certificate;
        EVP_PKEY *key;
        STACK_OF(X509) * chain;
    } all[TLS_IDENTITIES_MAX];
    size_t count;
} identities;

static void forget_identities(void)
{
    for (size_t i = 0; i < TLS_IDENTITIES_MAX; i++) {
        X509_free(identities.all[i].certificate);
        EVP_PKEY_free(identities.all[i].key);
        sk_X509_pop_free(identities.all[i].chain, X509_free);
        identities.all[i] = (struct identity){0};
    }
    identities.count = 0;
}

/* One more, of a chain. Returns 0 or -1. */
static int add_identity(struct slice chain)
{
    struct wire w = wire_of(chain);

    if (identities.count == TLS_IDENTITIES_MAX)
        return -1;
    struct identity *one = &identities.all[identities.count];
    if ((one->certificate = read_certificate(&w)) == NULL ||
        (one->key = tls_provider_key(X509_get0_pubkey(one->certificate),
                                     (uint32_t)identities.count)) == NULL ||
        (one->chain = sk_X509_new_null()) == NULL)
        return -1;
    while (!wire_done(&w)) {
        X509 *certificate = read_certificate(&w);
        if (certificate == NULL || sk_X509_push(one->chain, certificate) <= 0) {
            X509_free(certificate);
            return -1;
        }
    }
    identities.count++;
    return 0;
}

/* The certificate for the name that the client asks for (RFC 6066, 3). What is not found, or cannot
 * be used, leaves the first: the client judges it. */
static int choose_identity(SSL *ssl, int *alert, void *argument)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    (void)alert, (void)argument;
    for (size_t i = 0; name != NULL && i < identities.count; i++) {
        const struct identity *one = &identities.all[i];
        if (X509_check_host(one->certificate, name, 0, 0, NULL) != 1)
            continue;
        if (i == 0)
            return SSL_TLSEXT_ERR_OK;
        SSL_certs_clear(ssl); /* else one of another type would stay beside it */
        return SSL_use_cert_and_key(ssl, one->certificate, one->key, one->chain, 1) == 1
                   ? SSL_TLSEXT_ERR_OK
                   : SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    return SSL_TLSEXT_ERR_NOACK;
}

/* All certificates: the first into the context, the others where they are asked for. */
static int use_certificates(SSL_CTX *context, const struct tls_settings *settings)
{
    struct wire w = wire_of(settings->further);
    const struct identity *own = &identities.all[0];

    forget_identities();
    if (add_identity(settings->certificates) < 0 ||
        SSL_CTX_use_cert_and_key(context, own->certificate, own->key, own->chain, 1) != 1 ||
        SSL_CTX_check_private_key(context) != 1)
        return -1;
    while (!wire_done(&w)) {
        const struct slice chain = wire_string(&w);
        if (w.bad || add_identity(chain) < 0)
            return -1;
    }
    if (identities.count > 1)
        SSL_CTX_set_tlsext_servername_callback(context, choose_identity);
    return 0;
}

/* OpenSSL's cache drops the oldest when it is full: the sessions of the first handshake, which some
 * clients resume again and again. They are kept here. */
static struct {
    SSL_SESSION *sessions[4];
    size_t count;
} first;

static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
    SSL_SESSION *copy = NULL; /* the session itself cannot be resumed once the cache dropped it */

    (void)ssl;
    if (first.count < sizeof(first.sessions) / sizeof(first.sessions[0]) &&
        (copy = SSL_SESSION_dup(session)) != NULL)
        first.sessions[first.count++] = copy;
    return 0;
}

static SSL_SESSION *find_first(SSL *ssl, const unsigned char *id, int len, int *copy)
{
    (void)ssl;
    *copy = 0; /* it goes to the cache, and is spoiled there like any other: a copy of ours */
    for (size_t i = 0; i < first.count; i++) {
        unsigned n = 0;
        const unsigned char *other = SSL_SESSION_get_id(first.sessions[i], &n);
        if (len >= 0 && n == (unsigned)len && memcmp(other, id, n) == 0)
            return SSL_SESSION_dup(first.sessions[i]);
    }
    return NULL;
}

static void forget_first(void)
{
    while (first.count > 0)
        SSL_SESSION_free(first.sessions[--first.count]);
}

/* Sessions that any worker may resume are the monitor's to keep: those of TLS 1.3. Ids pass in the
 * clear, and by what is kept of TLS 1.2 whoever has it reads all that was recorded of that session:
 * resuming makes no new keys there. */
static int keep_in_monitor(SSL *ssl, SSL_SESSION *session)
{
    uint8_t bytes[SESSION_BYTES], *at = bytes;
    unsigned id_len = 0;
    const unsigned char *id = SSL_SESSION_get_id(session, &id_len);
    const int len = i2d_SSL_SESSION(session, NULL);

    (void)ssl;
    if (SSL_SESSION_get_protocol_version(session) < TLS1_3_VERSION)
        return 0;
    if (len > 0 && len <= SESSION_BYTES && i2d_SSL_SESSION(session, &at) == len) {
        const struct tls_keep keep = {.id = slice_of(id, id_len),
                                      .session = slice_of(bytes, (size_t)len)};
        if (send_tls_keep(FD_MONITOR, 0, &keep) < 0)
            log_debug("a TLS session is not kept: %s", strerror(errno));
    }
    explicit_bzero(bytes, sizeof(bytes));
    return 0; /* no reference was taken */
}

/* Blocks: for the monitor's answer, as a signature does. Asked but twice (a client may offer many
 * sessions, and has a handshake without one). */
static SSL_SESSION *find_in_monitor(SSL *ssl, const unsigned char *id, int len, int *copy)
{
    static unsigned asked;
    struct monitor_link *monitor = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    struct tls_found found;

    *copy = 0;
    if (len != 32 || asked++ >= 2)
        return NULL;
    const struct tls_find find = {.id = slice_of(id, (size_t)len)};
    if (monitor_ask(monitor, MSG_tls_find, &find, MSG_tls_found, &found) < 0 ||
        found.session.len == 0)
        return NULL;
    const unsigned char *at = found.session.data;
    SSL_SESSION *session = d2i_SSL_SESSION(NULL, &at, (long)found.session.len);
    ERR_clear_error();
    return session;
}

static void keep_sessions(SSL_CTX *context, enum tls_resumption resumption)
{
    static const unsigned char id[] = "sallyport";

    /* No ticket key: sessions stay where they are kept, under ids. */
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_session_id_context(context, id, sizeof(id) - 1);
    SSL_CTX_set_timeout(context, SESSION_SECONDS);
    forget_first();
    if (resumption == TLS_RESUMES_ANYWHERE) {
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_set_num_tickets(context, 1);
        SSL_CTX_sess_set_new_cb(context, keep_in_monitor);
        SSL_CTX_sess_set_get_cb(context, find_in_monitor);
        return;
    }
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_SERVER);
    SSL_CTX_sess_set_cache_size(context, SESSIONS_MOST);
    SSL_CTX_sess_set_new_cb(context, on_new_session);
    SSL_CTX_sess_set_get_cb(context, find_first);
}

/* ALPN: ours, or the end. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned in_len, void *protocol)
{
    const size_t len = strlen(protocol);

    (void)ssl;
    while (in_len > 0 && in[0] < in_len) {
        if (in[0] == len && memcmp(in + 1, protocol, len) == 0) {
            *out = in + 1;
            *out_len = in[0];
            return SSL_TLSEXT_ERR_OK;
        }
        in_len -= in[0] + 1u;
        in += in[0] + 1u;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int set_groups(SSL_CTX *context, const char *groups)
{
    return (int)SSL_CTX_set1_groups_list(context, groups);
}

/* Of a list parted by commas, the names that this library has, in their order: OpenSSL would refuse
 * the list for one that is newer than it. Returns 0, or -1: it has none of them. */
static int set_list(SSL_CTX *context, int (*set)(SSL_CTX *, const char *), struct slice list)
{
    char known[1024] = "", name[128];
    size_t len = 0;

    if (slice_copy(list, known, sizeof(known)) < 0)
        return -1;
    for (char *comma = known; (comma = strchr(comma, ',')) != NULL;)
        *comma = ':';
    if (set(context, known) == 1)
        return 0;
    while (list.len > 0) {
        const struct slice one = name_list_next(&list);
        if (slice_copy(one, name, sizeof(name)) == 0 && set(context, name) == 1 &&
            len + one.len + 2 <= sizeof(known))
            len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s", len > 0 ? ":" : "",
                                    name);
    }
    return len > 0 && set(context, known) == 1 ? 0 : -1;
}

/* Without the tables of every name, as what is used is fetched; but a chain's signatures are looked
 * up there, and judged too weak where they are not found. Without libcrypto's words for its errors:
 * what is told of a client are libssl's. */
static int start_libcrypto(void)
{
    const EVP_MD *const signed_by[] = {EVP_sha1(), EVP_sha224(), EVP_sha256(), EVP_sha384(),
                                       EVP_sha512()};

    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS |
                                OPENSSL_INIT_NO_ADD_ALL_CIPHERS | OPENSSL_INIT_NO_ADD_ALL_DIGESTS,
                            NULL) != 1)
        return -1;
    for (size_t i = 0; i < sizeof(signed_by) / sizeof(signed_by[0]); i++) {
        if (EVP_add_digest(signed_by[i]) != 1)
            return -1;
    }
    return 0;
}

SSL_CTX *tls_context_new(const struct tls_settings *settings, struct monitor_link *monitor,
                         char *why, size_t size)
{
    const char *step = "libcrypto";
    SSL_CTX *context = NULL;

    if (start_libcrypto() < 0)
        goto failed;
    /* Before our provider: what both have is theirs, unless asked by name. */
    step = "the algorithms";
    if (tls_algorithms_load(settings->ciphers12, settings->ciphers13) < 0)
        goto failed;
    step = "the key-less provider";
    if (tls_provider_load(monitor) < 0)
        goto failed;
    step = "a context";
    if ((context = SSL_CTX_new(TLS_server_method())) == NULL ||
        SSL_CTX_set_min_proto_version(context, settings->least == TLS_1_3 ? TLS1_3_VERSION
                                                                          : TLS1_2_VERSION) != 1)
        goto failed;
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_app_data(context, monitor);
    keep_sessions(context, settings->resumption);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, (void *)(uintptr_t)settings->protocol);
    step = "ciphers or groups";
    if (set_list(context, SSL_CTX_set_cipher_list, settings->ciphers12) < 0 ||
        set_list(context, SSL_CTX_set_ciphersuites, settings->ciphers13) < 0 ||
        set_list(context, set_groups, settings->groups) < 0)
        goto failed;
    step = "certificates";
    if (use_certificates(context, settings) < 0)
        goto failed;
    ERR_clear_error();
    return context;
failed:
    snprintf(why, size, "TLS: %s: %s", step, openssl_reason());
    SSL_CTX_free(context);
    return NULL;
}

/* ------------------------------------------------------------------------- what OpenSSL reads and
 * writes */

static int bio_read(BIO *bio, char *bytes, int size)
{
    struct tls_stream *s = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (s->in_used == s->in_len && !s->end_of_file && !s->drained) {
        const ssize_t n = recv(s->fd, s->in, s->in_size, MSG_DONTWAIT);
        s->in_used = 0;
        s->in_len = n > 0 ? (size_t)n : 0;
        s->end_of_file = n == 0;
        s->drained = n > 0 && (size_t)n < s->in_size;
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            BIO_set_retry_read(bio);
            return -1;
        }
        if (n < 0) {
            s->error = errno;
            s->end_of_file = true;
        }
    }
    const size_t here = s->in_len - s->in_used;
    const size_t n = here < (size_t)size ? here : (size_t)size;
    if (n == 0) { /* nothing now; or the end, which libssl is not told: it would forget the session,
                     see judge */
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(bytes, s->in + s->in_used, n);
    s->in_used += n;
    return (int)n;
}

static int bio_write(BIO *bio, const char *bytes, int len)
{
    struct tls_stream *s = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if ((size_t)len > s->out_size - s->out_len) {
        BIO_set_retry_write(bio);
        return -1;
    }
    memcpy(s->out + s->out_len, bytes, (size_t)len);
    s->out_len += (size_t)len;
    return len;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    struct tls_stream *s = BIO_get_data(bio);

    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : command == BIO_CTRL_EOF ? s->end_of_file : 0;
}

static BIO_METHOD *make_method(void)
{
    BIO_METHOD *made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");

    if (made != NULL && BIO_meth_set_read(made, bio_read) == 1 &&
        BIO_meth_set_write(made, bio_write) == 1 && BIO_meth_set_ctrl(made, bio_ctrl) == 1)
        return made;
    BIO_meth_free(made);
    return NULL;
}

/* ------------------------------------------------------------------------- streams */

int tls_open(struct tls_stream *s, SSL_CTX *context, int fd, size_t buffer, bool tickets)
{
    BIO *bio = NULL;

    *s = (struct tls_stream){.fd = fd, .in_size = buffer, .out_size = buffer + LAST_WORDS};
    if (method == NULL)
        method = make_method();
    s->in = malloc(s->in_size);
    s->out = malloc(s->out_size);
    s->ssl = SSL_new(context);
    if (s->in == NULL || s->out == NULL || s->ssl == NULL || method == NULL ||
        (bio = BIO_new(method)) == NULL || (!tickets && SSL_set_num_tickets(s->ssl, 0) != 1)) {
        BIO_free(bio);
        tls_free(s);
        return -1;
    }
    BIO_set_data(bio, s);
    BIO_set_init(bio, 1);
    SSL_set_bio(s->ssl, bio, bio);
    SSL_set_accept_state(s->ssl);
    return 0;
}

void tls_free(struct tls_stream *s)
{
    /* A connection that broke off would take its session with it, and with that of a data
     * connection all that come after it. */
    if (s->ssl != NULL)
        SSL_set_shutdown(s->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(s->ssl);
    free(s->in);
    free(s->out);
    *s = (struct tls_stream){.fd = -1};
}

/* What a call of libssl that gave r means. */
static enum tls_result judge(struct tls_stream *s, int r)
{
    const int error = SSL_get_error(s->ssl, r);

    if (error == SSL_ERROR_WANT_WRITE || (error == SSL_ERROR_WANT_READ && !s->end_of_file))
        return TLS_AGAIN;
    s->failed = true;
    if (s->error != 0)
        snprintf(s->trouble, sizeof(s->trouble), "%s", strerror(s->error));
    else if (s->end_of_file)
        snprintf(s->trouble, sizeof(s->trouble), "the connection ended without close_notify");
    else
        snprintf(s->trouble, sizeof(s->trouble), "%s", openssl_reason());
    ERR_clear_error();
    return TLS_FAILED;
}

enum tls_result tls_flush(struct tls_stream *s)
{
    while (s->out_sent < s->out_len) {
        const ssize_t n = send(s->fd, s->out + s->out_sent, s->out_len - s->out_sent,
                               MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return TLS_AGAIN;
        if (n < 0) {
            s->error = errno;
            snprintf(s->trouble, sizeof(s->trouble), "%s", strerror(errno));
            return TLS_FAILED;
        }
        s->out_sent += (size_t)n;
        if (s->out_sent < s->out_len) /* what it took is all that it takes now */
            return TLS_AGAIN;
    }
    s->out_len = s->out_sent = 0;
    return TLS_DONE;
}

enum tls_result tls_handshake(struct tls_stream *s)
{
    ERR_clear_error();
    s->drained = false;
    const int r = SSL_do_handshake(s->ssl);
    const enum tls_result result = r == 1 ? TLS_DONE : judge(s, r);
    const enum tls_result sent = tls_flush(s); /* an alert too */

    return result == TLS_FAILED || sent == TLS_DONE ? result : sent;
}

ssize_t tls_read(struct tls_stream *s, void *bytes, size_t size)
{
    size_t len = 0, n = 0;

    s->drained = false;
    while (len < size && !s->ended) {
        ERR_clear_error();
        const int r = SSL_read_ex(s->ssl, (uint8_t *)bytes + len, size - len, &n);
        if (r == 1) {
            len += n;
        } else if (SSL_get_error(s->ssl, r) == SSL_ERROR_ZERO_RETURN) {
            s->ended = true;
        } else {
            const enum tls_result result = judge(s, r);
            /* What was read comes first; a failure is found again by the next call. */
            return len > 0 ? (ssize_t)len : (ssize_t)result;
        }
    }
    return (ssize_t)len;
}

size_t tls_room(const struct tls_stream *s)
{
    const size_t most = s->out_size - LAST_WORDS;

    return s->out_len >= most ? 0 : (most - s->out_len) / (TLS_RECORD + OVERHEAD) * TLS_RECORD;
}

ssize_t tls_write(struct tls_stream *s, const void *bytes, size_t len)
{
    const size_t room = tls_room(s);
    size_t taken = 0, n = 0;

    if (room == 0)
        return TLS_AGAIN;
    if (len > room)
        len = room;
    while (taken < len) {
        ERR_clear_error();
        const int r = SSL_write_ex(s->ssl, (const uint8_t *)bytes + taken, len - taken, &n);
        if (r != 1)
            return taken > 0 ? (ssize_t)taken : (ssize_t)judge(s, r);
        taken += n;
    }
    return (ssize_t)taken;
}

enum tls_result tls_close(struct tls_stream *s)
{
    if ((SSL_get_shutdown(s->ssl) & SSL_SENT_SHUTDOWN) == 0 && SSL_shutdown(s->ssl) < 0)
        ERR_clear_error(); /* it is broken already: what is in the buffer is sent all the same */
    return tls_flush(s);
}

short tls_events(const struct tls_stream *s)
{
    return (short)(POLLIN | (s->out_sent < s->out_len ? POLLOUT : 0));
}

bool tls_pending(const struct tls_stream *s)
{
    /* Not SSL_has_pending: it is true of half a record too, which is waited for. */
    return s->in_used < s->in_len || SSL_pending(s->ssl) > 0 || s->ended || s->failed;
}

void tls_renew(struct tls_stream *s)
{
    if (SSL_version(s->ssl) == TLS1_3_VERSION && SSL_new_session_ticket(s->ssl) != 1)
        ERR_clear_error(); /* no memory: the client goes on with the one that it has */
}

bool tls_cut(const struct tls_stream *s)
{
    return s->failed && s->end_of_file && s->error == 0 && SSL_has_pending(s->ssl) == 0;
}

bool tls_resumed(const struct tls_stream *s)
{
    return SSL_session_reused(s->ssl) == 1;
}

const char *tls_trouble(const struct tls_stream *s)
{
    return s->trouble;
}

void tls_describe(const struct tls_stream *s, char *text, size_t size)
{
    snprintf(text, size, "%s, %s", SSL_get_version(s->ssl), SSL_get_cipher_name(s->ssl));
}
