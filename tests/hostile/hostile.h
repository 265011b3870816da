/* The boundary under attack: a real server some of whose processes are in the test's hand, and what
 * is asked of it. main.c runs the parts; each has a server, where others of its kind are real:
 *
 *   workers   matrix.c     every message, every state        agents    agent.c   every link, lies
 *             fields.c     every field, bad in every way               files.c   a real one,
 * attacked across.c     one session's things in another   store     store.c liveness.c   floods,
 * silence, exhaustion       hashers   hasher.c rights.c     descriptors, by the kernel
 *
 *   server.c    a server of its own, its control socket     actor.c     a worker in a given state
 *   children.c  the stand-ins that the monitor started      client.c    a real client
 *   exchange.c  key exchanges and login signatures          rows.c      the matrices
 *   tls.c       TLS handshakes and what is signed for them
 *   web.c       web sessions and kept TLS sessions
 *   own.c       codes, mailed links, keys and web sessions by their numbers
 *   samples.c   a well-formed sample of each message  samples_own.c  ... about one's own account
 *
 * Every check is a case; what did not go as expected is printed. */
#ifndef SALLYPORT_HOSTILE_H
#define SALLYPORT_HOSTILE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <openssl/evp.h>

#include "common/facts.h"
#include "common/message.h"

#define PATIENCE_MS   20000 /* longer than anything takes on a busy machine */
#define ACCOUNT       "demo"
#define BOTH          "both"             /* an account that needs key and password */
#define OLD_LIBRARY   "OpenSSL of old\n" /* that every worker here has, by its own word */
#define OTHER         "other"            /* one more, whose record the parts may change */
#define CODED         "coded"            /* one with codes for two-step login */
#define LINKED        "linked"           /* one with an address, whose password is STRONG */
#define ADDRESS       "linked@example.org"
#define PASSWORD      "correct horse"
#define STRONG        "anchor velvet tundra quince 7" /* good as a new one, too */
#define RECOVERY      10                              /* codes of one list */
#define CODE_MAX      64
#define POOL_MAX      512
#define PASSIVE_PORTS 4 /* of data connections: few, so that sessions meet on them */
#define BLOB_MAX      1200
#define VARIANT_MAX   24
#define TOLD_MOST     10

extern int answer_ms; /* how long an answer is waited for where one is due */

/* Where a worker stands: the monitor's states, GREETED parted by whether there was a key exchange,
 * and the link to its agent; CODED: a code is due; KNOWN is HTTPS' alone. Columns of matrix.txt. */
enum stand {
    STAND_STARTING,
    STAND_SPARE,
    STAND_GREETED,
    STAND_KEYED,
    STAND_CHECKING,
    STAND_OPEN,
    STAND_ENDING,
    STAND_AGENT,
    STAND_CODED,
    STAND_KNOWN,
    STAND_COUNT,
};
extern const char *const stand_names[STAND_COUNT];

#define WORKER_ROLES 3 /* the first ones: kinds of worker */
/* Whose place a stand-in takes. */
enum role { ROLE_SFTP, ROLE_FTPS, ROLE_HTTPS, ROLE_AGENT, ROLE_STORE, ROLE_HASHER, ROLE_COUNT };
extern const char *const role_programs[ROLE_COUNT];

/* A stand-in that the monitor has started. */
struct child {
    enum role role;
    pid_t pid;
    int link;   /* to the monitor: owned */
    int orders; /* to the stand-in: its end is the process's end */
};

/* A compromised worker. */
struct actor {
    enum role kind; /* one of the first WORKER_ROLES */
    pid_t pid;
    int link;   /* to the monitor */
    int orders; /* to the stand-in: its end is the process's end */
    int client; /* the far end of its client's connection; -1: none */
    int given;  /* the descriptor of its client that it was handed; -1: none */
    int agent;  /* the link to its file agent; -1: not logged in */
    struct in_addr address;
    uint8_t session_id[32]; /* SFTP: of its first exchange */
    bool keyed;             /* an exchange, or a TLS handshake, was signed */
    bool coded;             /* a code was asked for */
    char nonce[65];         /* of its session, in the server's version line */
};

struct options {
    const char *build;    /* folder of the programs */
    const char *matrices; /* folder of matrix.txt and the others */
    unsigned long flood, sessions, thin;
    const char *message; /* only rows of this one; NULL: all */
    bool keep;           /* leave the server's folder */
    bool clean;          /* leave it in no case */
    bool first;          /* end with the first that is unexpected */
};

struct hostile {
    struct options options;
    unsigned long cases, unexpected;
    char told[TOLD_MOST][200]; /* the first of what was unexpected, said again at the end */
    unsigned long security;    /* events that the test has caused on purpose: the monitor's */
    unsigned long offences;    /* and the store's, about agents' report links */
    /* by the matrices: workers of a kind may send it to the monitor, and live */
    bool lets[WORKER_ROLES][MSG_COUNT];
    /* the server */
    char place[64];
    unsigned stand_ins; /* 1 << ROLE_*: whose programs are stand-ins */
    unsigned by_hand;   /* of these: whose processes the test plays; others become real at once */
    unsigned hashers;   /* how many; 0: as many as by default */
    unsigned spares;    /* workers started ahead */
    bool new_kernel;    /* the monitor may have the kernel refuse descriptors */
    pid_t server;
    bool root, stopped;           /* stopped: its store is */
    uint16_t ports[WORKER_ROLES]; /* that each kind of worker is served on */
    uint16_t passive_first;       /* of PASSIVE_PORTS, this process's alone */
    enum role kind;               /* of the workers that are asked for */
    int listener; /* for active data connections, at every address of this machine */
    uint16_t listener_port;
    int orders, control, log;
    uint32_t next_id, next_address;
    struct child pool[POOL_MAX]; /* started, not used yet */
    size_t pool_count;
    /* what it has */
    uint8_t host_key[BLOB_MAX], other_key[BLOB_MAX]; /* Ed25519 public blobs: its own, another's */
    size_t host_key_len, other_key_len;
    EVP_PKEY *tls_key;                  /* public, of its certificate */
    uint8_t tls_id[32];                 /* of a TLS session that it keeps */
    uint8_t token[WEB_TOKEN];           /* of a web session of the account */
    char codes[RECOVERY][CODE_MAX + 1]; /* recovery codes of CODED */
    size_t codes_used;
    EVP_PKEY *user_key;
    uint8_t user_blob[BLOB_MAX];
    size_t user_blob_len;
    uint32_t uid, gid; /* the account's */
    char home[128];
    struct envelope envelope, answer; /* from a worker's link; from the control socket */
};

/* ---- main.c ------------------------------------------------------------------------------- */

/* One case. What is false is printed with the text. Returns held. */
bool expect(struct hostile *h, bool held, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The test itself cannot go on. */
void give_up(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
int64_t clock_now_ms(void);

/* ---- server.c ----------------------------------------------------------------------------- */

/* Ports for data connections that no other run on this machine uses, until this process ends. */
void passive_claim(struct hostile *h);
void server_start(struct hostile *h);
/* SIGTERM; a case that it ends with status 0 in time. */
void server_stop(struct hostile *h);
void server_remove(struct hostile *h, bool keep);
/* Ask over the control socket; the answer is in h->answer. */
enum message_type server_ask(struct hostile *h, enum message_type type, const void *message);
struct status_is server_status(struct hostile *h);
void server_reload(struct hostile *h);
/* A SIGHUP that was sent has been heard: it ends spares, and must not end the one that is next. */
void server_settle(struct hostile *h);
/* Change an account; its password. */
void server_set(struct hostile *h, const struct user_set *set);
void server_password(struct hostile *h, const char *name, const char *password);
/* Write the configuration with another time to log in, and reload. */
void server_grace(struct hostile *h, unsigned seconds);
/* Where the session of a worker stands, in the monitor's words. */
void server_state(struct hostile *h, pid_t worker, char *state, size_t size);
/* The number of the session that a worker serves; 0: none. agent: its agent's pid, or NULL. */
uint64_t server_session(struct hostile *h, pid_t worker, pid_t *agent);
/* Is the text in the log, from this place on? Soon: it may take a moment. */
off_t log_end(struct hostile *h);
bool log_has(struct hostile *h, off_t from, const char *text);
bool log_soon(struct hostile *h, off_t from, const char *text);
/* Lines of a file that hold a text. */
unsigned long file_count(const char *path, const char *text);
/* Stop the store, or let it go on. */
void server_hold(struct hostile *h, bool stop);
/* The same with the hashers. Returns how many there are. */
unsigned server_hold_hashers(struct hostile *h, bool stop);
/* Kill the hashers. */
void server_end_hashers(struct hostile *h);
/* A figure of /proc/PID/status of the monitor, or of any process. */
unsigned long server_figure(struct hostile *h, const char *name);
unsigned long process_figure(pid_t pid, const char *name);
/* Descriptors that the monitor has open; 0 where they cannot be seen (an ordinary user). */
unsigned long server_descriptors(struct hostile *h);
/* The same, once it has stopped changing: a spare that is missing is started a moment later. */
unsigned long descriptors_still(struct hostile *h);
/* After all sessions: wait until the monitor has as few descriptors as this (0: as few as it gets).
 * Returns how many it has. */
unsigned long descriptors_settle(struct hostile *h, unsigned long wanted);

/* ---- children.c --------------------------------------------------------------------------- */

/* Wait until the descriptor has one of these events; meanwhile stand-ins are heard. */
bool children_wait(struct hostile *h, int fd, short events, int wait_ms);
/* The next of this role. False: there was none in this time. */
bool child_next(struct hostile *h, enum role role, struct child *child, int wait_ms);
/* Let it become the real program on a link of the test's choice (its own: child->link), end with a
 * status, or be killed by a signal. It is the test's no longer. */
void child_real(struct child *child, int link);
void child_exit(struct hostile *h, struct child *child, int status);
void child_die(struct hostile *h, struct child *child, int signal);
/* Let it go: it ends with status 0. */
void child_drop(struct child *child);
/* Has it ended within this time? */
bool child_gone(struct hostile *h, const struct child *child, int wait_ms);
/* All that wait. */
void children_drop(struct hostile *h);

/* ---- actor.c ------------------------------------------------------------------------------ */

enum seen {
    SEEN_QUIET,  /* nothing came, the link is open */
    SEEN_GOOD,   /* answered */
    SEEN_DENIED, /* answered with a denial */
    SEEN_ENDED,  /* the link was closed, with one security event */
    SEEN_GONE,   /* the link was closed without one */
    SEEN_ODD,    /* anything else: several events, another id */
};
extern const char *const seen_names[];

/* A worker in a state. */
void actor_make(struct hostile *h, enum stand stand, struct actor *a);
/* The same, with a client from an address of the test's choice. */
void actor_greet(struct hostile *h, struct actor *a, uint32_t address);
/* A worker that gets a client who waits already. */
void actor_take_waiting(struct hostile *h, struct actor *a);
/* Log in with a key and a signature. Returns the verdict's outcome; with VERDICT_OPEN the worker
 * has its agent. */
enum verdict_outcome login_by_key(struct hostile *h, struct actor *a, const char *user,
                                  const uint8_t *signature, size_t len);
enum verdict_outcome login_by_password(struct hostile *h, struct actor *a, const char *user,
                                       const char *password);
/* Let it go: the stand-in ends with status 0. */
void actor_drop(struct actor *a);
/* A connection from 127.0.0.0/8. Returns the descriptor. */
int client_connect(struct hostile *h, struct in_addr from);
struct in_addr address_next(struct hostile *h);
/* Does the server refuse this address? */
bool address_refused(struct hostile *h, struct in_addr from);

/* Send any bytes with any descriptors. Returns 0, or -1 with errno. */
int raw_send(int link, const void *bytes, size_t len, const int *fds, size_t fd_count, int flags);
/* Wait until the other side has taken what was sent, or is gone. */
void raw_wait(struct hostile *h, int link);
/* Receive into h->envelope. 1 a message, 0 gone, -1 nothing within the time. */
int raw_receive(struct hostile *h, int link, int wait_ms);
/* What came of what was sent to the monitor. An answer with this id is waited for so long. */
enum seen actor_watch(struct hostile *h, struct actor *a, uint64_t security_before, int wait_ms,
                      uint32_t id);
/* The same on the agent's link. */
enum seen actor_watch_agent(struct hostile *h, struct actor *a, uint64_t security_before,
                            uint32_t id);
/* Killed, logged, counted, penalised: why not, or NULL. */
const char *actor_ended(struct hostile *h, struct actor *a, off_t log_from);

/* ---- exchange.c --------------------------------------------------------------------------- */

struct exchange_parts {
    const char *v_s;   /* NULL: the server's */
    struct slice k_s;  /* empty: the server's Ed25519 key */
    const char *kex_c; /* NULL: one that is good */
    const char *kex_s; /* NULL: as the client's */
    size_t total;      /* padded to so many bytes; 0: not */
};
/* A fresh exchange's preimage, as this actor's worker would have it. Returns bytes. */
size_t exchange_make(struct hostile *h, const struct actor *a, const struct exchange_parts *parts,
                     uint8_t *bytes, size_t size);
/* Is this the host key's signature over the exchange? */
bool exchange_signed(const struct hostile *h, struct slice preimage, struct slice signature);
/* Let the monitor sign one; keeps the first as the session id. */
void exchange_do(struct hostile *h, struct actor *a);
/* The user's signature for a login in the session with this id. Returns bytes. */
size_t login_sign(const struct hostile *h, const char *user, const uint8_t *session_id,
                  uint8_t *signature, size_t size);
EVP_PKEY *key_make(uint8_t *blob, size_t *len);

/* ---- tls.c -------------------------------------------------------------------------------- */

#define ECDSA_SHA256 0x0403u /* SignatureScheme (RFC 8446, 4.2.3) */

/* Keep the public key of a certificate chain as workers get it. */
void tls_take_certificate(struct hostile *h, struct slice chain);
/* Is this the server's signature over these bytes? */
bool tls_signed(const struct hostile *h, const char *digest, struct slice bytes,
                struct slice signature);
/* What a TLS 1.3 server signs for a handshake with this hash (RFC 8446, 4.4.3). Returns bytes. */
size_t tls13_input(struct slice hash, uint8_t *bytes, size_t size);
/* ServerECDHParams with any point (RFC 8422, 5.4). Returns bytes. */
size_t tls12_params(uint8_t curve_type, unsigned group, size_t point, uint8_t *bytes, size_t size);
/* Let the monitor sign a handshake. */
void tls_do(struct hostile *h, struct actor *a);
/* Forget the active data connections that have come so far. */
void listener_drain(const struct hostile *h);
/* Ask for a data port. Returns the request's id. */
uint32_t passive_ask(struct hostile *h, struct actor *a);
/* The answer: the port, or 0. */
uint16_t passive_port(struct hostile *h, struct actor *a, uint32_t id);
/* Connect to a port of the server from an address. Returns the descriptor, or -1: refused. */
int passive_connect(struct in_addr from, uint16_t port);
/* The connection that was brought with this id within the time; -1: none. */
int data_taken(struct hostile *h, struct actor *a, uint32_t id, int wait_ms);

/* ---- web.c -------------------------------------------------------------------------------- */

/* Once a server: a TLS session and a web session that are good. */
void web_prepare(struct hostile *h);
/* Sign in with a password: a token for other connections. Returns the verdict's outcome. */
enum verdict_outcome web_sign_in(struct hostile *h, struct actor *a, const char *user,
                                 const char *password, uint8_t token[WEB_TOKEN]);
/* Log in by a token. */
enum verdict_outcome web_log_in(struct hostile *h, struct actor *a, struct slice token);
/* Ask for the agent. */
enum verdict_outcome web_want_agent(struct hostile *h, struct actor *a);
void tls_keep_session(struct hostile *h, struct actor *a, const uint8_t id[32],
                      struct slice session);
/* Is this what is found under an id? Empty: nothing is. */
bool tls_finds_session(struct hostile *h, struct actor *a, const uint8_t id[32],
                       struct slice session);

/* ---- own.c -------------------------------------------------------------------------------- */

/* Once a server: CODED gets codes. */
void own_prepare(struct hostile *h);
/* A code of CODED that is right, once. Those of before are good no more. */
const char *code_take(struct hostile *h);
/* Codes for an account, shown by its password (not CODED: those are h->codes). */
void codes_enrol(struct hostile *h, const char *user, const char *password,
                 char codes[RECOVERY][CODE_MAX + 1]);
/* The operator takes an account's codes away, if it has any. */
void codes_remove(struct hostile *h, const char *user);
/* The token of a link that was just mailed to the address of LINKED: a lost password. */
void link_take(struct hostile *h, uint8_t token[WEB_TOKEN]);
/* The token of a new link of this account, which was asked for by other means. */
void link_await(struct hostile *h, const char *user, uint8_t token[WEB_TOKEN]);
/* Ask about the account, as a worker; the answer is in h->envelope. Returns its type. */
enum message_type own_ask(struct hostile *h, struct actor *a, enum message_type type,
                          const void *message);
/* Show a password for something; the answer as above. */
enum message_type own_purpose(struct hostile *h, struct actor *a, const char *user,
                              const char *password, enum login_purpose purpose, const char *fresh);
/* The number of a fresh web session, and of a fresh key, of an account; of its first key. */
uint64_t web_number(struct hostile *h, const char *user, uint8_t token[WEB_TOKEN]);
uint64_t key_number(struct hostile *h, const char *user);
uint64_t key_first(struct hostile *h, const char *user);
/* An HTTPS worker that is logged in as somebody; what h->kind is does not matter. */
void web_actor(struct hostile *h, struct actor *a, const char *user, const char *password);
/* The same, greeted. */
void web_greeted(struct hostile *h, struct actor *a);

/* ---- samples.c ---------------------------------------------------------------------------- */

struct sample {
    enum message_type type;
    uint32_t id;
    bool answers; /* an answer is due where it is allowed */
    size_t len, fd_count;
    int fds[MESSAGE_FDS_MAX]; /* owned */
    uint8_t bytes[MESSAGE_MAX];
    uint8_t room[MESSAGE_MAX]; /* what the fields point to */
};
/* A well-formed message, as good as this actor can make it. variant: NULL or one of samples.c. */
void sample_make(struct hostile *h, struct actor *a, enum message_type type, const char *variant,
                 struct sample *s);
bool sample_known(enum message_type type, const char *variant);
void sample_free(struct sample *s);
/* For those who make them: keep bytes for the fields; encode the message; is it this variant? */
struct slice sample_keep(struct sample *s, size_t at, struct slice bytes);
void sample_encode(struct sample *s, const void *message);
bool sample_is(const char *variant, const char *name);

/* ---- samples_own.c ------------------------------------------------------------------------ */

typedef void (*sample_maker)(struct hostile *h, struct actor *a, const char *variant,
                             struct sample *s);
/* What a login by password is for, in a sample that logs in without it. */
bool purpose_of(const char *variant, struct auth_password *m, struct sample *s);
void make_auth_code(struct hostile *h, struct actor *a, const char *variant, struct sample *s);
void make_auth_link(struct hostile *h, struct actor *a, const char *variant, struct sample *s);
void make_lost_password(struct hostile *h, struct actor *a, const char *variant, struct sample *s);
void make_own(struct hostile *h, struct actor *a, const char *variant, struct sample *s);
void make_own_session(struct hostile *h, struct actor *a, const char *variant, struct sample *s);
/* What the agent's samples act upon. */
void home_reset(struct hostile *h);
void home_handles(struct hostile *h, struct actor *a, uint32_t *file, uint32_t *copy,
                  uint32_t *folder);

/* Wait for the verdict of what was asked; with VERDICT_OPEN the worker has its agent. */
enum verdict_outcome actor_verdict(struct hostile *h, struct actor *a);
/* Ask for a good login by key, and go on before its verdict. */
void login_begin(struct hostile *h, struct actor *a);
/* Have the operator end its session: it is told so, and is not heard any more. */
void actor_let_end(struct hostile *h, struct actor *a);

/* ---- agents.c ----------------------------------------------------------------------------- */

/* A compromised agent. */
struct agent {
    struct child child;
    int worker, report; /* its ends of the links to its worker and to the store; -1: none */
    uint64_t session;
    struct agent_setup setup; /* its texts are in h->envelope, until the next message */
};

/* Are agents started from now on the test's, or real? */
void agents_by_hand(struct hostile *h, bool by_hand);
/* The agent of a login that was asked for. */
void agent_take(struct hostile *h, struct agent *g);
/* A session whose login waits for its agent; the same, logged in. */
void agent_begin(struct hostile *h, struct actor *a, struct agent *g);
void agent_open(struct hostile *h, struct actor *a, struct agent *g);
void agent_say_ready(struct agent *g);
void agent_drop(struct agent *g);

/* ---- client.c ----------------------------------------------------------------------------- */

struct sftp_client {
    pid_t pid;
    int to, from;
    char text[4096]; /* what it printed since it was told something */
    size_t len;
};

bool client_exists(void);
/* A worker becomes real, and its client logs in by password. */
void client_start(struct hostile *h, struct sftp_client *c);
/* Tell it a command; wait until it prints this (false: it does not, or has ended). */
void client_say(struct sftp_client *c, const char *command);
bool client_hear(struct hostile *h, struct sftp_client *c, const char *wanted);
void client_end(struct sftp_client *c);

/* ---- rows.c ------------------------------------------------------------------------------- */

enum cell { CELL_OK, CELL_DENY, CELL_BYE, CELL_NONE, CELL_END, CELL_COUNT };
extern const char *const cell_names[CELL_COUNT];

#define ROWS_MAX    320
#define COLUMNS_MAX 10

struct row {
    enum message_type type;
    char variant[VARIANT_MAX]; /* empty: plain */
    enum cell cells[COLUMNS_MAX];
    char after[COLUMNS_MAX][12]; /* the session's state then; empty: as before */
};

struct matrix {
    const char *file, *section;
    const char *const *columns;
    size_t column_count;
    bool (*known)(enum message_type type, const char *variant);
    struct row rows[ROWS_MAX];
    size_t count;
};

/* The message and variant that a row begins with. Does not return if there is none such. */
enum message_type row_message(const char *path, unsigned number, char *word, char *variant,
                              bool (*known)(enum message_type type, const char *variant));
/* Is another message asked for by the command line? */
bool row_skips(const struct hostile *h, enum message_type type);
/* Does not return if it is not complete. */
void matrix_read(const struct hostile *h, struct matrix *m);
/* Is this cell's turn? All are, but in a short run. */
bool row_due(const struct hostile *h, const struct matrix *m, size_t row, size_t column);
/* One case: wrong is NULL, or what happened instead. */
void row_judge(struct hostile *h, const struct matrix *m, const struct row *row, size_t column,
               const char *wrong);

/* ---- the parts ----------------------------------------------------------------------------- */

/* Are the matrices complete? Do not return if not. */
void matrix_check(struct hostile *h);
void matrix_run(struct hostile *h);
void counts_run(struct hostile *h);
void fields_run(struct hostile *h);
void liveness_run(struct hostile *h);
void across_run(struct hostile *h);
void across_ftps_run(struct hostile *h);
void across_https_run(struct hostile *h);
void across_own_run(struct hostile *h);
void agent_check(struct hostile *h);
void agent_run(struct hostile *h);
void files_check(struct hostile *h);
void files_run(struct hostile *h);
void rights_run(struct hostile *h);
void store_check(struct hostile *h);
void store_run(struct hostile *h);
/* Of store_own.c: codes, links and accounts' own questions; it ends the store in the end. */
void store_own_run(struct hostile *h, struct child *store);
void hasher_check(struct hostile *h);
void hasher_run(struct hostile *h);
/* Of store.c and hasher.c: end the real one; the next that is started; it says that it is ready. */
void store_end_real(struct hostile *h);
void store_take(struct hostile *h, struct child *store);
void store_say_ready(struct hostile *h, const struct child *store);
void hasher_take(struct hostile *h, struct child *hasher);
void hasher_say_ready(struct hostile *h, const struct child *hasher);
/* Of agent.c: its link to a real worker. */
void agent_check_worker(struct hostile *h);
void agent_run_worker(struct hostile *h);
/* Descriptors and memory over many hostile sessions. */
void endurance_run(struct hostile *h);

#endif
