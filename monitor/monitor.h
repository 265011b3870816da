/* The monitor's whole state and the modules that share it. One thread, one event loop, no
 * globals: every function takes the monitor or the session that it works on.
 *
 *   main.c       options, start, reload, end          listener.c   accepting clients
 *   loop.c       epoll, signals, the tick             limits.c     connections, sessions, penalties
 *   session.c    the session table, children          store.c      requests to the store
 *   dispatch.c   message x state x kind of worker     hashers.c    requests to the hashers
 *   auth.c       logins                               control.c    the operator's command
 *   sign.c       the two things that SSH keys do      preimage.c   the SSH exchange, parsed
 *   sign_tls.c   TLS signatures                       tls_key.c    the TLS key and certificate
 *   data.c       data connections of FTPS             host_keys.c  the SSH host keys
 *   web.c        web sessions and their tokens        tls_sessions.c  TLS sessions of HTTPS
 *   policy.c     what is enforced, printed            tls_watch.c  certificates renewed by others
 *   notify.c     the process that sends mail
 */
#ifndef SALLYPORT_MONITOR_H
#define SALLYPORT_MONITOR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/config.h"
#include "common/facts.h"
#include "common/message.h"
#include "common/secret.h"

struct monitor;
struct session;

/* ---- loop.c ------------------------------------------------------------------------------ */

/* Something that epoll watches; lives inside the struct that owns the descriptor. */
struct source {
    int fd; /* -1: none */
    void (*ready)(struct monitor *m, struct source *source, uint32_t events);
    void *owner;
    uint32_t events;
};

int64_t now_ms(void); /* CLOCK_MONOTONIC */
/* Watch source->fd. Returns 0 or -1. */
int source_watch(struct monitor *m, struct source *source, uint32_t events);
/* Stop watching and close. */
void source_close(struct monitor *m, struct source *source);
/* Signals become events. Before the first child is started: its end is one. Returns 0 or -1. */
int signals_watch(struct monitor *m);
/* Run until m->stop; once a second calls monitor_tick. */
int loop_run(struct monitor *m);

/* ---- host_keys.c, sign.c, preimage.c ------------------------------------------------------- */

#define HOST_KEYS_MAX 16 /* those in use and those that live sessions still sign rekeys with */

struct host_key {
    struct evp_pkey_st *key; /* owned */
    const char *type;        /* "ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa" */
    uint8_t blob[1024];      /* public part as SSH has it (RFC 4253, 6.6) */
    size_t blob_len;
    bool offered; /* false: replaced at a reload, kept for sessions that began with it */
};

struct host_keys {
    struct host_key keys[HOST_KEYS_MAX];
    size_t count;
};

/* Read the keys of a folder, making those that are missing on the first start. Keys that were there
 * before and are not now stay, no longer offered. Returns 0, or -1 after logging why. */
int priv_host_keys_load(struct host_keys *keys, const char *key_dir, bool make_missing);
void priv_host_keys_free(struct host_keys *keys);
/* The offered ones as SSH strings, one after the other, for worker_setup. Returns bytes. */
size_t host_keys_public(const struct host_keys *keys, uint8_t *bytes, size_t size);

#define SESSION_ID_MAX 64

#define NONCE_SIZE 33 /* 16 random bytes in hex, and a NUL */

/* What the monitor knows of a session's SSH exchanges. */
struct exchange {
    char nonce[NONCE_SIZE]; /* in the server's version line: no other session's exchange fits */
    uint8_t session_id[SESSION_ID_MAX]; /* the first H */
    size_t session_id_len;              /* 0: no exchange yet */
    uint8_t first_inits[32];            /* SHA-256 of the first I_C and I_S */
};

/* A parsed and checked preimage (RFC 4253, 8). */
struct preimage {
    struct slice v_c, v_s, i_c, i_s, k_s;
    const char *hash;       /* of the exchange: an OpenSSL name */
    struct slice signature; /* the host key algorithm that was agreed */
};

/* Parse to the last byte. Returns 0, or -1 and why. */
int preimage_parse(struct slice bytes, struct preimage *p, const char **why);

/* libcrypto's random generators, set up before the first session: what fails then stays broken in
 * it as long as the process lives. Returns 0 or -1. */
int sign_prepare(void);

/* A fresh nonce for a session. Returns 0 or -1. */
int exchange_begin(struct exchange *exchange);

/* Sign an exchange: find our key in it, recompute H, keep the first as the session id.
 * signature: at least 1024 bytes. Returns its length, or -1 and why; why NULL: it is ours, as when
 * there is no memory. */
ssize_t priv_sign_exchange(const struct host_keys *keys, struct exchange *exchange,
                           struct slice preimage, uint8_t *signature, size_t size,
                           const char **why);

/* Is this the account's signature over this session's login (RFC 4252, 7; sk-*: PROTOCOL.u2f)?
 * The signed data is rebuilt here. Returns 1 yes, 0 no. */
int verify_login_signature(const struct exchange *exchange, const struct auth_key *claim);
/* Is this algorithm name one that verify_login_signature knows for this key blob? */
bool key_algorithm_fits(struct slice algorithm, struct slice key);

/* ---- tls_key.c, sign_tls.c ------------------------------------------------------------------ */

struct tls_identities {
    struct evp_pkey_st *keys[TLS_IDENTITIES_MAX]; /* owned; NULL behind the last */
    uint8_t chain[16384]; /* of the first: DER, each an SSH string; the server's own first */
    size_t chain_len;
    uint8_t further[32768]; /* such chains of the others, each an SSH string */
    size_t further_len;
    uint64_t stamp; /* how the files that the configuration names stood, just before */
};

/* Read keys and certificates, making those that are missing where they may be made. What was held
 * before stays when that fails. Returns 0, or -1 after logging why. */
int priv_tls_identities_load(struct tls_identities *identities, const struct config *config,
                             bool make_missing);
void priv_tls_identities_free(struct tls_identities *identities);

/* How the files stand that the configuration names: another number when one of them changes. */
uint64_t priv_tls_stamp(const struct config *config);
/* Once a second: read them again when they have changed, and leave what is in force if that fails.
 */
void priv_tls_watch(struct monitor *m, int64_t now);

struct tls_watch {
    int64_t next_ms;
    uint64_t seen, refused; /* stamps: of the last look; of what could not be used */
};

/* Sign a TLS handshake. signature: at least 1024 bytes. Returns its length, or -1 and why. */
ssize_t priv_sign_tls13(struct evp_pkey_st *key, const struct sign_tls13 *request,
                        uint8_t *signature, size_t size, const char **why);
ssize_t priv_sign_tls12(struct evp_pkey_st *key, const struct sign_tls12 *request,
                        uint8_t *signature, size_t size, const char **why);

/* ---- store.c ------------------------------------------------------------------------------ */

/* Called with the store's answer, or with NULL when there will be none. */
typedef void (*store_answer)(struct monitor *m, uint64_t who, uint32_t id, struct envelope *answer);

#define STORE_PENDING_MAX   4096
#define STORE_PENDING_BYTES (4u << 20)

struct store_request {
    struct store_request *next;
    uint32_t id;       /* on the store's link */
    uint64_t who;      /* session or control client, by number */
    uint32_t their_id; /* the client's own id, for a relay */
    store_answer answer;
    bool keep; /* sent again to a new store: audit lines, times of logins */
    bool sent;
    int64_t deadline_ms; /* 0: none */
    size_t len;
    uint8_t bytes[]; /* the encoded message */
};

struct store_link {
    struct source source;
    pid_t pid;
    bool ready, told; /* told: it has said whether it is ready */
    uint32_t next_id, layers;
    int64_t restart_ms; /* when to start it again; 0: running */
    unsigned restarts;
    unsigned starts; /* counted: another number is another process */
    struct store_request *first;
    size_t pending, pending_bytes;
    uint64_t lost; /* kept requests that found no room */
};

int store_start(struct monitor *m);
void store_heard(struct monitor *m, struct source *source, uint32_t events);
/* Ask. answer is called later, with NULL when none comes in time; at once when there is no room.
 * NULL: nobody waits for it. */
void store_ask(struct monitor *m, enum message_type type, const void *message, uint64_t who,
               store_answer answer);
/* Tell: kept until the store has it, across its restarts. */
void store_tell(struct monitor *m, enum message_type type, const void *message);
/* Pass a message of the operator on. */
void store_relay(struct monitor *m, const struct envelope *e, uint64_t who, store_answer answer);
/* A new report link: returns the agent's end (the store's end is on its way), or -1. */
int store_report_link(struct monitor *m, struct session *s);
/* Every agent whose link nobody reads gets a new one, as long as the store takes them. */
void store_renew_links(struct monitor *m);
void store_tick(struct monitor *m, int64_t now);
void store_gone(struct monitor *m, int status);
void store_stop(struct monitor *m);

/* ---- notify.c ----------------------------------------------------------------------------- */

struct notify_child {
    struct source source;
    pid_t pid;            /* 0: it does not run */
    bool ready, replaced; /* replaced: its end is ours */
    unsigned store_start; /* of the store that its link leads to */
    uint32_t layers;
    int64_t ready_ms, restart_ms; /* not started before */
    unsigned restarts;
    unsigned lines; /* for the log, until lines_ms */
    int64_t lines_ms;
};

/* Once a second: start it when mail is enabled and there is a store, and again, ever later, when it
 * ended; give it another link when there is another store. */
void notify_tick(struct monitor *m, int64_t now);
bool notify_gone(struct monitor *m, pid_t pid, int status);
/* End it when it has done what it has in hand; another is started with what is in force. */
void notify_replace(struct monitor *m);
/* The end: it has a moment for what it has in hand. Before the store's. */
void notify_stop(struct monitor *m);

/* ---- hashers.c ---------------------------------------------------------------------------- */

/* weak: why a new password was not hashed, for people; else empty. */
typedef void (*hash_answer)(struct monitor *m, uint64_t session, struct slice hash,
                            struct slice weak);

#define HASHERS_MAX    16
#define HASH_QUEUE_MAX 256

struct hash_job {
    struct hash_job *next;
    uint64_t session;
    hash_answer answer;
    bool judge;
    struct secret password, setting;
};

struct hasher {
    struct source source;
    pid_t pid;
    bool ready;
    struct hash_job *job; /* the one it works on */
    int64_t restart_ms;
};

struct hashers {
    struct hasher each[HASHERS_MAX];
    struct hash_job *first, **last;
    size_t queued;
    uint32_t layers;
};

int hashers_start(struct monitor *m);
void hasher_heard(struct monitor *m, struct source *source, uint32_t events);
/* Hash; judge: a new password, which is not hashed if it is easily guessed. answer is called with
 * an empty hash when it cannot be done or was not. Returns 0, or -1: busy. */
int hash_ask(struct monitor *m, struct slice password, struct slice setting, bool judge,
             uint64_t session, hash_answer answer);
void hashers_tick(struct monitor *m, int64_t now);
bool hashers_gone(struct monitor *m, pid_t pid);
void hashers_stop(struct monitor *m);

/* ---- limits.c ----------------------------------------------------------------------------- */

struct address {
    uint8_t bytes[16]; /* IPv6, or IPv4 mapped */
    uint32_t scope;    /* of a link-local IPv6 address */
    bool exempt;       /* from penalties, as it was configured when it connected */
    char text[64];
};

enum penalty { PENALTY_FAILURE, PENALTY_GRACE, PENALTY_CRASH };

struct limits;
struct limits *limits_new(void);
void limits_free(struct limits *l);
/* May this address have one more connection? NULL yes (and it counts), else why not. Sets exempt.
 */
const char *limits_connect(struct monitor *m, struct address *a);
void limits_disconnect(struct monitor *m, const struct address *a);
void limits_penalise(struct monitor *m, const struct address *a, enum penalty penalty);
/* May s->account log in once more? NULL yes (and it counts), else why not. Counts exactly: by live
 * sessions; the connections of one account from one address over HTTPS are one. */
const char *limits_login(struct monitor *m, struct session *s, uint32_t max_sessions);
/* It ends: where it stood for others, one of them does from now on. */
void limits_logout(struct monitor *m, struct session *s);

/* ---- listener.c --------------------------------------------------------------------------- */

enum worker_kind { WORKER_SFTP, WORKER_FTPS, WORKER_HTTPS, WORKER_KINDS };

#define LISTENERS_MAX 32

struct listener {
    struct source source;
    enum worker_kind kind;
    bool implicit; /* TLS from the first byte */
    char text[80]; /* "sftp [::]:2022" */
};

/* A client that a listener took in. */
struct arrival {
    int fd;
    enum worker_kind kind;
    bool implicit;
    struct address address, local;
    char told[64]; /* FTPS: our address as its client is told it */
    int64_t since_ms;
};

struct sockaddr_storage;
void address_of(const struct sockaddr_storage *from, struct address *a);
bool address_is_four(const struct address *a);

int listeners_open(struct monitor *m);
void listeners_close(struct monitor *m);
/* After descriptors ran out: listen again. */
void listeners_tick(struct monitor *m, int64_t now);

/* ---- session.c ---------------------------------------------------------------------------- */

/* STATE(NAME, name): where a session stands; columns of the dispatch table. */
#define SESSION_STATES(STATE)                                                                      \
    STATE(STARTING, "starting") /* exec'd, not in its sandbox yet */                               \
    STATE(SPARE, "spare")       /* ready, no client */                                             \
    STATE(GREETED, "greeted")   /* has its client, nobody is logged in */                          \
    STATE(CHECKING, "checking") /* an answer of store, hasher or agent is awaited */               \
    STATE(KNOWN, "known")       /* HTTPS: logged in, no agent yet */                               \
    STATE(OPEN, "open")         /* logged in, its agent runs */                                    \
    STATE(ENDING, "ending")     /* told to end, or ended: nothing is heard any more */

enum session_state {
#define STATE(NAME, name) STATE_##NAME,
    SESSION_STATES(STATE)
#undef STATE
        STATE_COUNT,
};
extern const char *const session_state_names[STATE_COUNT];
extern const char *const worker_kind_names[WORKER_KINDS];

/* The account a login is for, as the store gave it. */
struct login {
    char name[ACCOUNT_NAME_MAX + 1]; /* as the client gave it */
    unsigned passed;                 /* AUTH_*: shown so far, by this name */
    unsigned proven;                 /* AUTH_*: what the step in hand proves */
    bool found, key_known, query;
    enum login_purpose purpose;
    bool code_due;       /* a code must follow, and nothing else */
    bool joined;         /* a code is taken for the end of the password */
    struct secret fresh; /* what purpose is about */
    bool by_link;        /* fresh is for the account of a mailed link: */
    uint8_t link[32];    /* the hash of its token */
    struct secret hash;  /* the account's password hash, for the moment of comparing */
    struct secret password;
    uint32_t uid, gid, status, rights, flags, max_sessions;
    int64_t expires;
    uint64_t bandwidth;
    char home[4096];
    uint8_t *folders; /* of its folder sets, as the store encoded them; owned */
    size_t folders_len;
    uint8_t mac[32];          /* of name and password: web_remembers */
    uint8_t token[WEB_TOKEN]; /* a fresh one */
    uint8_t *request;         /* the auth_key message in hand, encoded; owned */
    size_t request_len;
    uint32_t request_id;
};

/* Where a session waits for its client's data connection. */
struct data_wait {
    struct passive_port *port; /* NULL: nowhere */
    uint32_t id;               /* of the request */
    int64_t deadline_ms;
    bool due; /* a port is wanted, and not there yet */
};

struct session {
    struct session *next;
    uint64_t number;
    enum worker_kind kind;
    enum session_state state;
    struct source worker, agent;
    pid_t worker_pid, agent_pid;
    uint32_t worker_uid;           /* of the range; 0 as an ordinary user */
    struct address address, local; /* of the client, and of ours that it came to */
    char told[64];                 /* FTPS: the latter as the client is told it */
    /* Of the certificates that its worker has; each counted; NULL behind the last. */
    struct evp_pkey_st *tls_keys[TLS_IDENTITIES_MAX];
    struct data_wait data;
    bool has_client, ended;
    bool counted;                       /* as one of its account's sessions */
    bool by_token;                      /* came, or wants to come, by a web session: */
    uint8_t web[32];                    /* the hash of its token */
    uint32_t own_id;                    /* of its last question about its account, */
    bool own_asked;                     /* which is not answered yet */
    char changed[ACCOUNT_NAME_MAX + 1]; /* an account, whose web sessions are to be looked up */
    bool agent_due;                     /* the loop is to start its agent */
    bool failed;                        /* what its client showed was refused */
    bool report_due;               /* nobody reads its agent's reports: a new link is to be made */
    int64_t began_ms, deadline_ms; /* deadline 0: none */
    int64_t began_time;            /* seconds since 1970 */
    struct exchange exchange;
    unsigned tries, queries, heard[MSG_COUNT];
    struct login login;
    char account[ACCOUNT_NAME_MAX + 1]; /* logged in as; empty before */
    char method[64];
    int agent_link; /* the worker's end of its link to the agent, until it is sent; else -1 */
    char end_reason[256];
};

struct session *session_find(struct monitor *m, uint64_t number);
/* Start a worker ahead of need. */
int priv_session_spawn(struct monitor *m, enum worker_kind kind);
/* A client: given to a spare, or kept until one is ready. Takes the descriptor. */
void session_take_client(struct monitor *m, const struct arrival *arrival);
/* Give clients that wait to the spares that are ready. */
void sessions_assign(struct monitor *m);
/* Start the agents that are due. */
void sessions_agents(struct monitor *m);
/* End it: kill the worker, let the agent finish its reports. */
void session_end(struct monitor *m, struct session *s, const char *reason);
/* The worker broke the rules: a security event, a penalty, the end. */
void session_violation(struct monitor *m, struct session *s, const char *what);
/* One message of a child of the monitor's own: NULL, or what is wrong with it. */
typedef const char *(*child_message)(struct monitor *m, void *owner, struct envelope *e);
/* Hear the store, or a hasher. false: it broke the rules, which is a security event and its end;
 * another is started. */
bool child_heard(struct monitor *m, struct source *source, pid_t pid, const char *child,
                 child_message hear);
/* Its worker was told to end: it has a moment to tell its client why, and is not heard any more. */
void session_goodbye(struct session *s, const char *reason);
/* Ask the worker to say why and end. */
void session_stop(struct monitor *m, struct session *s, const char *reason);
void session_audit(struct monitor *m, const struct session *s, const char *event,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Tell of the next session (session_is, no_more_sessions), to the operator or a worker. 0 or -1. */
int sessions_tell(struct monitor *m, int fd, uint32_t id, const struct session_next *next);
/* End the sessions that are meant; how many. */
uint32_t sessions_kill(struct monitor *m, const struct session_kill *kill, const char *why);
void sessions_tick(struct monitor *m, int64_t now);
void sessions_spares(struct monitor *m);
/* End the spares, which were set up with what was in force before, and start others. */
void sessions_replace_spares(struct monitor *m, const char *why);
void sessions_child_ended(struct monitor *m, pid_t pid, int status);
/* Free what ended, between two rounds of events. */
void sessions_bury(struct monitor *m);

/* ---- data.c ------------------------------------------------------------------------------- */

/* Passive ports for the sessions that asked for one. */
void data_ports_open(struct monitor *m);
/* Give up what a session waits for. */
void data_release(struct monitor *m, struct session *s);
void data_tick(struct monitor *m, int64_t now);
/* Free ports that nobody waits on, between two rounds of events. */
void data_bury(struct monitor *m);

/* ---- web.c, tls_sessions.c ------------------------------------------------------------------- */

#define WEB_REMEMBERED 256

/* Passwords that were right a moment ago, as MACs under a key that nobody else has. */
struct web {
    uint8_t key[32];
    struct web_password {
        uint8_t mac[32];
        int64_t until_ms;
    } passwords[WEB_REMEMBERED];
    unsigned next;
};

int web_prepare(struct monitor *m);
/* The SHA-256 of a token. Returns 0 or -1. */
int web_hash(const uint8_t token[WEB_TOKEN], uint8_t hash[32]);
/* Was this password right for this account, as it is now, a moment ago? Fills login.mac. */
bool web_remembers(struct monitor *m, struct login *l);
/* It is right: login.mac is kept. */
void web_remember(struct monitor *m, const struct login *l);
/* Make a web session: login.token and its row in the store. */
void web_sign_in(struct monitor *m, struct session *s, store_answer answer);
/* Ask the store whose token it is. Returns -1: it is none. */
int web_ask(struct monitor *m, struct session *s, const struct auth_token *claim,
            store_answer answer);
void tls_sessions_free(struct monitor *m);

/* ---- dispatch.c --------------------------------------------------------------------------- */

/* What a handler returns after its answer: sent 0, or -1 with errno. A worker that does not read
 * breaks the rules; what fails here is not held against it. */
int answered(struct monitor *m, struct session *s, int sent, const char **why);
void dispatch_worker(struct monitor *m, struct source *source, uint32_t events);
void dispatch_agent(struct monitor *m, struct source *source, uint32_t events);
void dispatch_print(FILE *out);
void dispatch_print_markdown(FILE *out);

/* ---- policy.c ---------------------------------------------------------------------------- */

/* What is enforced, for people: as text, or as the tables of docs/privilege-boundary.md. */
void policy_print(FILE *out);
void policy_print_markdown(FILE *out);

/* ---- auth.c, web.c, tls_sessions.c, data.c: handlers of the dispatch table ------------------- */

/* A handler: 0, or -1 and why the worker is to be ended. */
typedef int (*session_handler)(struct monitor *m, struct session *s, struct envelope *e,
                               const char **why);

int on_auth_query(struct monitor *m, struct session *s, struct envelope *e, const char **why);
int on_auth_key(struct monitor *m, struct session *s, struct envelope *e, const char **why);
int on_auth_password(struct monitor *m, struct session *s, struct envelope *e, const char **why);
int on_auth_token(struct monitor *m, struct session *s, struct envelope *e, const char **why);
int on_auth_code(struct monitor *m, struct session *s, struct envelope *e, const char **why);
int on_auth_link(struct monitor *m, struct session *s, struct envelope *e, const char **why);
int on_lost_password(struct monitor *m, struct session *s, struct envelope *e, const char **why);
int on_own(struct monitor *m, struct session *s, struct envelope *e, const char **why);
int on_own_sessions(struct monitor *m, struct session *s, struct envelope *e, const char **why);
int on_own_session_kill(struct monitor *m, struct session *s, struct envelope *e, const char **why);
/* own.c: the account's password (and a code) was shown for purpose: do it. */
void own_change(struct monitor *m, struct session *s);
/* Accounts were changed: connections that came by web sessions which are none any more end. */
void own_changed(struct monitor *m);
int on_agent_wanted(struct monitor *m, struct session *s, struct envelope *e, const char **why);
int on_sign_out(struct monitor *m, struct session *s, struct envelope *e, const char **why);
int on_tls_keep(struct monitor *m, struct session *s, struct envelope *e, const char **why);
int on_tls_find(struct monitor *m, struct session *s, struct envelope *e, const char **why);
int on_data_passive(struct monitor *m, struct session *s, struct envelope *e, const char **why);
int on_data_active(struct monitor *m, struct session *s, struct envelope *e, const char **why);
void auth_agent_ready(struct monitor *m, struct session *s, const char *trouble);
/* What web.c waits for when a session is signed out. */
void auth_signed_out(struct monitor *m, uint64_t number, uint32_t id, struct envelope *answer);
void login_clear(struct login *l);

/* ---- control.c ---------------------------------------------------------------------------- */

struct control_client {
    struct control_client *next;
    struct source source;
    uint64_t number;
    bool gone;
};

int control_open(struct monitor *m);
void control_close(struct monitor *m);
void control_bury(struct monitor *m);

/* ---- main.c -------------------------------------------------------------------------------- */

struct counters {
    uint64_t logins, refusals, security_events;
};

#define WAITING_MAX 256

struct monitor {
    struct config config;
    const char *config_path; /* as given, made absolute */
    bool root, stop, reload, child_ended, stopping, announced;
    int64_t stop_ms;
    int64_t clock_offset_ms; /* of the clock of day over the monotonic one; 0: not looked at yet */
    int epoll;
    struct source signals, control;
    char empty_dir[4096], control_path[108];
    uint32_t layers, worker_layers, agent_layers;
    char library[LIBRARY_MAX + 1], other_library[LIBRARY_MAX + 1]; /* OpenSSL: ours; a worker's */
    bool library_told;
    int64_t started; /* seconds since 1970 */
    struct host_keys keys;
    struct tls_identities tls;
    struct tls_watch tls_watch;
    struct store_link store;
    struct hashers hashers;
    struct notify_child notify;
    struct limits *limits;
    struct web web;
    struct tls_kept *tls_kept; /* NULL: none yet */
    struct listener listeners[LISTENERS_MAX];
    size_t listener_count;
    int64_t listen_again_ms;
    struct session *sessions;
    uint64_t next_number;
    bool agents_due;
    bool data_due;           /* an FTPS session wants a passive port */
    bool assign_due;         /* a spare is ready */
    bool own_due;            /* somebody has changed an account: struct session.changed */
    bool links_due;          /* the store is there again: agents get new report links */
    int64_t spares_ms;       /* when the loop starts spares, at the latest; 0: none are missing */
    unsigned spare_failures; /* one after the other */
    int64_t spares_again_ms; /* no worker is started before */
    uint32_t next_worker_uid;
    uint8_t *worker_uids; /* one byte an id of the range: in use */
    struct passive_port *data_ports;
    struct arrival waiting[WAITING_MAX]; /* clients without a worker yet */
    size_t waiting_count;
    struct control_client *controls;
    struct counters counters;
    struct envelope envelope; /* the message in hand */
};

/* Once a second. */
void monitor_tick(struct monitor *m, int64_t now);
/* Read configuration and keys again; running sessions keep what they have. Returns 0, or -1 and
 * why (text of at least 512 bytes). */
int monitor_reload(struct monitor *m, char *why, size_t size);

#endif
