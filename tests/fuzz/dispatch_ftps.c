/* The other account of FTPS sessions, for dispatch_model.c: what may be signed is put together here
 * from what the worker asked, and verified with the key of the certificate that this worker was
 * given; a data connection is looked at as the kernel has it, and must be this session's client's.
 */
#include <arpa/inet.h>
#include <openssl/evp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fuzz/dispatch.h"

#define KEYS 2

static EVP_PKEY *tls_keys[KEYS]; /* before and after a reload, by turns */
static EVP_PKEY *further_key;    /* of the second identity, always */
static int key_now;
static int clients; /* listens for active data connections, at every address of this machine */
static uint16_t clients_port;

void ftps_prepare(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof(at);

    for (int i = 0; i < KEYS; i++)
        must((tls_keys[i] = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256")) != NULL);
    must((further_key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256")) != NULL);
    clients = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    must(clients >= 0 && bind(clients, (struct sockaddr *)&at, len) == 0 &&
         listen(clients, 64) == 0 && getsockname(clients, (struct sockaddr *)&at, &len) == 0);
    clients_port = ntohs(at.sin_port);
}

struct address model_local(void)
{
    const unsigned pid = (unsigned)getpid();
    struct address a = {.bytes = {[10] = 0xff, [11] = 0xff, [12] = 127}};

    a.bytes[13] = (uint8_t)(1 + (pid >> 16 & 63));
    a.bytes[14] = (uint8_t)(pid >> 8);
    a.bytes[15] = (uint8_t)pid;
    snprintf(a.text, sizeof(a.text), "127.%d.%d.%d", a.bytes[13], a.bytes[14], a.bytes[15]);
    return a;
}

/* The certificate that goes with a key is its number. */
void model_reload(struct monitor *m)
{
    key_now = (key_now + 1) % KEYS;
    m->tls.keys[0] = tls_keys[key_now];
    m->tls.keys[1] = further_key;
    m->tls.chain[0] = (uint8_t)(key_now + 1);
    m->tls.chain_len = 1;
}

/* ---- what it says ------------------------------------------------------------------------------
 */
static void put(struct ftps_shown *f, struct slice bytes)
{
    must(f->tbs_len + bytes.len <= sizeof(f->tbs));
    if (bytes.len > 0)
        memcpy(f->tbs + f->tbs_len, bytes.data, bytes.len);
    f->tbs_len += bytes.len;
}

/* RFC 8446, 4.4.3. */
static void wants_tls13(struct ftps_shown *f, const struct sign_tls13 *ask)
{
    static const char context[] = "TLS 1.3, server CertificateVerify";

    f->signing = MSG_sign_tls13;
    f->identity = ask->identity;
    f->scheme = ask->scheme;
    f->tbs_len = 0;
    if (ask->hash.len != 32 && ask->hash.len != 48)
        return;
    memset(f->tbs, ' ', 64);
    f->tbs_len = 64;
    put(f, slice_of(context, sizeof(context)));
    put(f, ask->hash);
}

/* RFC 8422, 5.4: a named curve and a point, which says how long it is, and nothing more. */
static void wants_tls12(struct ftps_shown *f, const struct sign_tls12 *ask)
{
    const struct slice p = ask->params;

    f->signing = MSG_sign_tls12;
    f->identity = ask->identity;
    f->scheme = ask->scheme;
    f->tbs_len = 0;
    if (ask->client_random.len != 32 || ask->server_random.len != 32 || p.len < 5 ||
        p.data[0] != 3 || p.data[1] != 0 || p.data[3] != p.len - 4)
        return;
    put(f, ask->client_random);
    put(f, ask->server_random);
    put(f, p);
}

void ftps_says(struct ftps_shown *f, const struct envelope *e)
{
    struct sign_tls13 tls13;
    struct sign_tls12 tls12;
    struct data_passive passive;
    struct data_active active;

    if (decode_sign_tls13(e, &tls13) == 0) {
        wants_tls13(f, &tls13);
    } else if (decode_sign_tls12(e, &tls12) == 0) {
        wants_tls12(f, &tls12);
    } else if (decode_data_passive(e, &passive) == 0) {
        f->asked = MSG_data_passive;
        f->port = 0;
    } else if (decode_data_active(e, &active) == 0) {
        f->asked = MSG_data_active;
        f->asked_port = active.port;
        f->port = 0;
    }
}

void ftps_acts(struct monitor *m, struct child *c, uint8_t act, struct slice bytes)
{
    static const uint32_t schemes[] = {0x0403, 0x0503, 0x0603, 0x0401, 0x0804, 0x0807};
    const uint8_t first = bytes.len > 0 ? bytes.data[0] : 0;
    const size_t bent = bytes.len > 1 ? bytes.data[1] % 4 : 0; /* 0: as it should be */
    /* One of its two, one that it was not given, one that nobody has. */
    static const uint32_t identities[] = {0, 1, 2, TLS_IDENTITIES_MAX};
    const uint32_t identity = identities[bytes.len > 2 ? bytes.data[2] % 4 : 0];
    uint8_t hash[48] = {first}, params[4 + 66] = {3, 0, bent == 1 ? 24 : 23, 65, 4};
    const struct sign_tls13 tls13 = {
        .identity = identity,
        .scheme = schemes[first % 6],
        .hash = slice_of(hash, bent == 0   ? 32
                               : bent == 1 ? 48
                               : bent == 2 ? 31
                                           : 33),
    };
    const struct sign_tls12 tls12 = {
        .identity = identity,
        .scheme = schemes[first % 6],
        .client_random = slice_of(hash, bent == 2 ? 31 : 32),
        .server_random = slice_of(hash, 32),
        .params = slice_of(params, bent == 3 ? 70 : 69),
    };
    const struct data_passive passive = {0};
    const struct data_active active = {
        .port = bytes.len > 1 ? (uint32_t)bytes.data[0] << 8 | bytes.data[1] : clients_port};

    switch (act) {
    case 0:
    case 1:
        model_say(m, c, MSG_sign_tls13, &tls13);
        break;
    case 2:
        model_say(m, c, MSG_sign_tls12, &tls12);
        break;
    case 3:
        model_say(m, c, MSG_data_active, &active);
        break;
    default:
        model_say(m, c, MSG_data_passive, &passive);
    }
}

/* ---- what it is told ---------------------------------------------------------------------------
 */
static const char *digest_of(uint32_t scheme)
{
    return scheme == 0x0403   ? "SHA256"
           : scheme == 0x0503 ? "SHA384"
           : scheme == 0x0603 ? "SHA512"
                              : NULL; /* none of an EC key's */
}

static void told_signature(struct ftps_shown *f, const struct session *s, const struct envelope *e)
{
    const char *digest = digest_of(f->scheme);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    struct signature answer;
    EVP_PKEY *key = f->identity == 0 && f->key > 0 ? tls_keys[f->key - 1] : further_key;

    must(decode_signature(e, &answer) == 0 && f->tbs_len > 0 && digest != NULL && f->key > 0);
    must(f->identity < 2);                                       /* the others are nobody's */
    must(s->account[0] != '\0' || f->signed_before_login++ < 2); /* one of each kind */
    must(ctx != NULL && EVP_DigestVerifyInit_ex(ctx, NULL, digest, NULL, NULL, key, NULL) == 1 &&
         EVP_DigestVerify(ctx, answer.bytes.data, answer.bytes.len, f->tbs, f->tbs_len) == 1);
    EVP_MD_CTX_free(ctx);
    f->tbs_len = 0; /* once */
}

static void is_at(const struct sockaddr_in *in, const char *address, uint16_t port)
{
    char text[INET_ADDRSTRLEN];

    must(in->sin_family == AF_INET &&
         inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text)) != NULL);
    must(strcmp(text, address) == 0 && (port == 0 || ntohs(in->sin_port) == port));
}

static void told_connection(struct ftps_shown *f, struct envelope *e)
{
    const struct linger at_once = {.l_onoff = 1};
    struct data_connection connection;
    struct sockaddr_in here, there;
    socklen_t len = sizeof(here);

    must(decode_data_connection(e, &connection) == 0 && f->asked != MSG_NONE);
    must((e->fd_count == 1) == (connection.reason.len == 0));
    if (e->fd_count == 1) {
        const int fd = e->fds[0];
        const bool passive = f->asked == MSG_data_passive;
        must(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) == 0);
        must(getsockname(fd, (struct sockaddr *)&here, &len) == 0);
        is_at(&here, f->told, passive ? f->port : 0);
        len = sizeof(there);
        if (getpeername(fd, (struct sockaddr *)&there, &len) == 0)
            is_at(&there, f->address, passive ? 0 : (uint16_t)f->asked_port);
        else
            must(!passive); /* on its way, or refused by now */
        must(passive ? f->port != 0 : f->asked_port >= 1024 && f->asked_port <= UINT16_MAX);
        close(accept4(clients, NULL, NULL, SOCK_CLOEXEC));
    }
    f->asked = MSG_NONE;
    f->port = 0;
}

/* The TLS of HTTPS is FTPS' but that nothing is signed after the login. */
static void https_signs(struct ftps_shown *f, const struct session *s, const struct envelope *e)
{
    struct https_setup setup;

    if (decode_https_setup(e, &setup) == 0) {
        must(s->kind == WORKER_HTTPS && setup.certificates.len == 1);
        f->key = setup.certificates.data[0];
    } else if (e->type == MSG_signature && s->kind == WORKER_HTTPS) {
        must(s->account[0] == '\0');
        told_signature(f, s, e);
    }
}

void ftps_told(struct ftps_shown *f, const struct session *s, struct envelope *e)
{
    struct ftps_setup setup;
    struct client client;
    struct data_port port;

    if (decode_client(e, &client) == 0) {
        must(slice_copy(client.address, f->address, sizeof(f->address)) == 0);
        slice_copy(slice_text(model_local().text), f->told, sizeof(f->told));
    }
    if (s->kind != WORKER_FTPS) {
        must(e->type != MSG_ftps_setup && e->type != MSG_data_port &&
             e->type != MSG_data_connection);
        https_signs(f, s, e);
        return;
    }
    if (decode_ftps_setup(e, &setup) == 0) {
        must(setup.certificates.len == 1);
        f->key = setup.certificates.data[0];
    } else if (e->type == MSG_signature) {
        told_signature(f, s, e);
    } else if (decode_data_port(e, &port) == 0) {
        must(f->asked == MSG_data_passive && slice_is(port.address, f->told));
        must((port.port == 0) == (port.reason.len > 0) && port.port <= UINT16_MAX);
        f->port = (uint16_t)port.port;
    } else if (e->type == MSG_data_connection) {
        told_connection(f, e);
    }
}

void ftps_check(const struct ftps_shown *f, const struct session *s, bool opened)
{
    must(s->kind == WORKER_FTPS || s->data.port == NULL);
    must(s->kind != WORKER_SFTP || s->tls_keys[0] == NULL);
    must(s->data.port == NULL || (opened && !s->ended && f->port != 0));
    must(s->exchange.session_id_len == 0 || s->kind == WORKER_SFTP);
}
