/* The HTTPS worker: one process, one connection, one account at most, no key, no file of its own.
 * What its parts share.
 *
 *   main.c         setup, sandbox, the client, the loop, the end
 *   connection.c   bytes in and out: TLS, or plain HTTP that is only redirected
 *   exchange.c     one request after the other: head, body, answer
 *   routes.def/.c  every address and its row
 *   answer.c       answers: errors, texts, files, streams
 *   login.c        who asks: sign-in, tokens, Basic; the agent
 *   pages.c        the page's files and the pages without scripts
 *   files.c        downloads; kept.c: asked for again; uploads.c: PUT and forms; resumable.c: tus
 *   account.c      what the account's page shows, sessions; own_keys.c: keys; proof.c: what is done
 * with the password at hand; links.c: mailed links; codes.c: two-step login, with qr.c folder.c
 * listings and searches; change.c: what else is done to files; archive.c: zip request, fields,
 * body, target, multipart, response, json ...: texts and nothing else */
#ifndef SALLYPORT_HTTPS_WORKER_H
#define SALLYPORT_HTTPS_WORKER_H

#include <openssl/evp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/agent_file.h"
#include "common/facts.h"
#include "common/log.h"
#include "common/message.h"
#include "common/monitor_link.h"
#include "common/pace.h"
#include "common/secret.h"
#include "common/tls.h"
#include "common/worker_life.h"
#include "https-worker/body.h"
#include "https-worker/digest_field.h"
#include "https-worker/multipart.h"
#include "https-worker/range.h"
#include "https-worker/request.h"
#include "https-worker/response.h"
#include "https-worker/target.h"

#define BULK      (16 * TLS_RECORD) /* between file and connection */
#define INPUT     65536             /* a request's head, and what came behind it */
#define HEAD_MOST 16384             /* of an answer */
#define COLLECTED 65536             /* the most of a body that is looked at as a whole */

struct worker;

/* ---- the connection -------------------------------------------------------------------------- */
struct connection {
    bool secure;      /* TLS; else plain HTTP, which is redirected */
    bool handshaking; /* not agreed upon yet */
    bool ended;       /* the client sends no more */
    bool broken;      /* nothing can be sent any more */
    struct tls_stream tls;
};

/* ---- one request and its answer -------------------------------------------------------------- */
enum phase { PHASE_HANDSHAKE, PHASE_HEAD, PHASE_BODY, PHASE_ANSWER };

/* What an answer holds behind its head. */
struct answer {
    bool begun; /* its head is in w->out */
    bool close; /* the connection ends with it */
    bool ended; /* all of it is in w->out */
    /* Fill more. Returns bytes; 0 at the end; -1: it cannot go on, and the connection is cut, so
     * that nobody takes it for whole. NULL: nothing more comes. */
    ssize_t (*fill)(struct worker *w, uint8_t *bytes, size_t size);
    bool chunked;
    bool paced; /* a file's bytes: the account's bandwidth counts */
};

/* ---- what answers are made of ---------------------------------------------------------------- */
#define PART_HEAD 512

struct download {
    struct ranges ranges;     /* count 0: the whole file */
    size_t part;              /* the one that is being sent */
    uint64_t at, end;         /* in the file: the next byte, and where to stop */
    size_t text_at, text_len; /* of text: between two parts, still to be sent */
    char text[PART_HEAD], boundary[33];
};

#define DEPTH_MAX 64 /* folders below each other in a search */

struct listing {
    bool search, first, ending;
    int error;
    uint64_t count;
    uint32_t rights;  /* the account's in the folder that it began in: RIGHT_* */
    size_t root_len;  /* search: of the folder that it began in, with its slash */
    char needle[512]; /* in lower case */
    size_t path_len;  /* of the folder in hand */
    char path[TARGET_PATH_MAX + 1];
    size_t waiting_len; /* search: folders to be looked at, each with a NUL behind it */
    char *waiting;
    struct agent_entries entries;
};

/* A file, or a folder with all in it, being deleted. */
struct deletion {
    struct json_t *paths; /* those of the request; counted */
    size_t next;          /* the one in hand */
    bool begun, doing;
    bool inside;          /* it was a folder that is not empty */
    size_t root_len, len; /* of path: the one that was named, and what is in hand below it */
    char path[2 * TARGET_PATH_MAX];
};

/* A whole file on its way in. */
struct upload {
    bool existed;               /* before */
    bool in_parts;              /* the agent's partial file, published when whole */
    struct digest_value digest; /* announced; DIGEST_NONE: none */
};

/* A page without scripts on its way out; a form on its way in. */
struct plain_entry;
struct plain {
    const char *notice;
    struct plain_entry **entries; /* owned, as each of them */
    size_t count, room, bytes, next;
    bool begun, ended;
};
/* An upload in parts. */
struct resumable {
    bool created;
    uint64_t size, begin, offset; /* begin: where this request's bytes go */
    int64_t expires;
    struct digest_value checksum; /* of this request's bytes; DIGEST_NONE: none */
    int digest;                   /* its place in w->digests */
    size_t path_len;
    char id[UPLOAD_ID + 1], path[TARGET_PATH_MAX + 1];
};

/* A zip on its way out. */
struct bundle {
    struct archive *archive;
    uint8_t *bytes; /* made, not sent yet: from `at` to `len` */
    size_t at, len, room;
    char *waiting; /* names below `folder` that are still to go in, each with a NUL behind it */
    size_t waiting_len;
    char *missing; /* names that cannot go in, a line each */
    size_t missing_len;
    uint64_t left; /* of the file that is open */
    bool ended;
    char folder[TARGET_PATH_MAX + 1];
};
/* What an account's page shows, on its way out. */
struct own_listing {
    enum own_part { OWN_FACTS, OWN_KEYS, OWN_WEB, OWN_SESSIONS, OWN_END } part;
    bool begun;     /* the part in hand */
    bool keys;      /* all of it is wanted, not only the sessions */
    uint64_t after; /* the number of the last one */
};

struct form_upload {
    struct multipart form;
    bool csrf_right, whole; /* whole: the file has come */
};

enum { DIGEST_OF_SHA256, DIGEST_OF_MD5, DIGESTS };

struct exchange {
    enum phase phase;
    int64_t since_ms; /* of the phase */
    struct request request;
    const struct route *route;
    struct target_path path;
    struct slice rest; /* of the path, behind the route's */
    struct body body;
    bool continued; /* 100 was said */
    size_t body_at; /* in w->in: the first byte behind the head that was not read yet */
    struct answer answer;
};

/* The file of the last download: see kept.c. */
struct kept {
    struct agent_file file;
    bool usable;
    int64_t until_ms;
    struct kept_look {
        int64_t links, size, changed_s, changed_ns;
    } seen;
    size_t path_len;
    char path[1024];
};

/* ---- who asks -------------------------------------------------------------------------------- */
enum login { LOGIN_NONE, LOGIN_KNOWN, LOGIN_OPEN };

struct worker {
    struct monitor_link monitor;
    struct https_setup setup; /* texts point into setup_message */
    struct envelope *setup_message;
    SSL_CTX *tls;
    char client_text[65];
    struct connection connection;
    struct exchange exchange;
    size_t in_len, out_at, out_len, collected_len;
    uint8_t in[INPUT];
    uint8_t *out;   /* BULK bytes, made at first use */
    uint8_t *piece; /* the same, for bodies */
    uint8_t collected[COLLECTED];
    struct response head;
    struct agent_file file; /* the one that the request is about */
    struct kept kept;
    struct download download;
    struct listing listing;
    struct deletion deletion;
    struct upload upload;
    struct plain plain;
    struct form_upload form_upload;
    struct bundle bundle;
    struct resumable resumable;
    struct own_listing own;
    EVP_MD *digest_types[DIGESTS];
    EVP_MD_CTX *digests[DIGESTS];
    bool digest_ended;
    /* login */
    enum login login;
    struct secret shown; /* what it was opened by: cookie or Authorization field */
    int64_t known_ms;    /* when the monitor said whose it is */
    bool by_cookie;
    struct agent_link agent;
    char account[ACCOUNT_NAME_MAX + 1];
    char csrf[65];
    uint32_t uid, gid, flags, rights;
    struct pace incoming, outgoing;
    /* the end */
    int64_t active_ms;
    unsigned rounds; /* of the loop */
    uint64_t bytes_in, bytes_out;
    struct stop stop;
};

/* Within a step that takes long by right: it may, and the monitor is heard. said_ms: 0 at first. */
void worker_breathe(struct worker *w, int64_t *said_ms);

/* ---- connection.c ---------------------------------------------------------------------------- */
enum { IO_AGAIN = -1, IO_FAILED = -2 };

int connection_open(struct worker *w); /* -1: no memory */
/* 0: complete; IO_AGAIN; IO_FAILED. */
int connection_handshake(struct worker *w);
/* Bytes; 0 at the end; IO_AGAIN; IO_FAILED. */
ssize_t connection_read(struct worker *w, void *bytes, size_t size);
/* Bytes taken; IO_AGAIN: flush first; IO_FAILED. */
ssize_t connection_write(struct worker *w, const void *bytes, size_t len);
/* 0: all is sent; IO_AGAIN; IO_FAILED. */
int connection_flush(struct worker *w);
bool connection_pending(const struct worker *w);
short connection_events(const struct worker *w, bool reading);
void connection_close(struct worker *w); /* the last words */

/* ---- routes.c -------------------------------------------------------------------------------- */
enum shape { SHAPE_EXACT, SHAPE_BELOW };
enum who { WHO_ANYBODY, WHO_PERSON, WHO_ACCOUNT };
enum guard { GUARD_OPEN, GUARD_TOKEN, GUARD_FORM };

/* What a row does; whatever is NULL is not needed. */
struct handler {
    void (*begin)(
        struct worker *w); /* the head has come; may answer, then the body is not wanted */
    void (*piece)(struct worker *w, struct slice piece); /* of the body; NULL: into w->collected */
    void (*end)(struct worker *w);                       /* all of the body has come: answer */
    void (*done)(struct worker *w); /* the answer is sent, or never will be: give things back */
    bool secret; /* there is one in what it takes or answers: the buffers are wiped behind it */
};

struct route {
    const char *name;
    enum method method;
    const char *address;
    enum shape shape;
    enum who who;
    enum guard guard;
    uint64_t body_most;
    const char *help;
    const struct handler *handler;
};

#define ROUTE(name, method, address, shape, who, guard, body, help)                                \
    extern const struct handler handle_##name;
#include "https-worker/routes.def"

/* The row of the request in hand, with `rest`; NULL: it has been answered. */
const struct route *route_find(struct worker *w);
/* May it be asked for, by whom, from where? Otherwise it has been answered. */
bool route_allowed(struct worker *w);
/* Is it the page's token of this session? */
bool token_right(const struct worker *w, struct slice token);

/* ---- answer.c -------------------------------------------------------------------------------- */
/* Begin: fields go to w->head. End in one of the others. */
void answer_begin(struct worker *w, unsigned status, enum response_kind kind);
void answer_end(struct worker *w); /* for a status without content */
/* Content that is copied: at most BULK with the head. */
void answer_content(struct worker *w, struct slice content);
/* Content that fill gives (struct answer): so many bytes, or until it says that there are no more.
 */
void answer_bytes(struct worker *w, uint64_t length,
                  ssize_t (*fill)(struct worker *w, uint8_t *bytes, size_t size));
void answer_stream(struct worker *w,
                   ssize_t (*fill)(struct worker *w, uint8_t *bytes, size_t size));
void answer_redirect(struct worker *w);
/* 200, with the JSON text that was written; 500 where it did not fit. */
void answer_json_text(struct worker *w, const struct writer *writer);
/* {"error": code, "message": message} behind a head that was begun; the same with a head; one that
 * closes the connection; what the agent said. */
void answer_json_error(struct worker *w, const char *code, const char *message);
void answer_error(struct worker *w, unsigned status, const char *code, const char *message);
void answer_refusal(struct worker *w, const struct refusal *refusal);
/* {"error": code, "message": message, "field": field}: what is wrong with one field of a request.
 */
void answer_field(struct worker *w, unsigned status, const char *code, const char *message,
                  const char *field);
/* What the store refused: its errno, its words; field: which one it is about, or NULL. */
void answer_refused(struct worker *w, uint32_t error, struct slice words, const char *field);
void answer_errno(struct worker *w, int error);
/* The status of an errno. */
unsigned answer_status(int error);
/* The sentence of an errno, the agent's own where it has one. Good until the agent is asked again.
 */
const char *answer_sentence(struct worker *w, int error);

/* ---- login.c --------------------------------------------------------------------------------- */
/* Bind the connection to the account that the request names. false: it has been answered. */
bool login_needed(struct worker *w);
/* The file agent, from its first use on. false: it has been answered. */
bool login_agent(struct worker *w);

/* What became of a password that was shown. */
enum proof {
    PROOF_STOPPED, /* the server is gone */
    PROOF_WRONG,
    PROOF_BUSY,
    PROOF_KEY,        /* a key is needed too: not over HTTPS */
    PROOF_CODE,       /* a code is needed too */
    PROOF_CODE_WRONG, /* ... and it is not right */
    PROOF_RIGHT,      /* what answers is w->monitor.answer */
};
/* Show a name and a password to the monitor, and a code (or none) where it wants one, all on this
 * connection, which must be nobody's yet. */
enum proof login_prove(struct worker *w, const struct auth_password *question, struct slice code);
/* Is this connection nobody's yet? Otherwise the request is sent to another one. */
bool login_unbound(struct worker *w);
/* Codes are wanted of this account, and it has none yet: nothing is open to it but enrolling. */
bool login_lacks_codes(const struct worker *w);
/* Refuse what was asked for with a password. field: the password's in the request. */
void answer_proof(struct worker *w, enum proof proof, const char *field);

/* ---- pages.c --------------------------------------------------------------------------------- */
/* The sign-in card, with a sentence and the name that was typed; code: with a field for one. */
void page_sign_in(struct worker *w, unsigned status, const char *message, struct slice user,
                  bool code);

/* "/static/HASH" */
const char *page_static(void);

/* ---- files.c --------------------------------------------------------------------------------- */
/* As agent_ask; the file is w->file. */
/* A name's entity tag, in quotes (RFC 9110, 8.8.3): inode times and size. */
#define ETAG_MAX 48
void file_etag(const struct attributes *a, char etag[ETAG_MAX]);
/* The value of a query's `path`, as an absolute path. false: it has been answered. */
bool query_path(struct worker *w, char *path, size_t size, struct slice *found);

/* ---- kept.c ---------------------------------------------------------------------------------- */
/* The path's file is open again, as w->file. false: it must be opened. */
bool kept_take(struct worker *w, struct slice path);
/* w->file was opened by this path: it may be asked for again. */
void kept_opened(struct worker *w, struct slice path);
/* w->file has been sent: keep it for a while. */
void kept_put(struct worker *w);
/* Give back what is kept. */
void kept_drop(struct worker *w);
/* Milliseconds until then; INT32_MAX: nothing is kept, by now. */
int kept_left(struct worker *w);

/* ---- uploads.c ------------------------------------------------------------------------------- */
/* A digest of what comes, to be held against upload.digest. -1: of no kind that is computed. */
int upload_digest_begin(struct worker *w);

/* Open a file to be written, made where there is none. keep: what is there already stays, and
 * EEXIST is the answer. As agent_ask. */
int upload_open(struct worker *w, struct slice path, bool keep);
/* Behind what has been written, or anywhere. 0 or an errno. */
int upload_write(struct worker *w, struct slice piece);
int upload_write_at(struct worker *w, struct slice piece, uint64_t at);

/* ---- resumable.c ----------------------------------------------------------------------------- */
/* Open the partial file of an upload: a new one (id empty), or one to go on with; w->resumable says
 * how far it is. As agent_ask. */
int part_open(struct worker *w, const struct file_upload *ask);
/* Fields of every answer about uploads in parts, and of what can be done with them. */
void tus_fields(struct worker *w);
void tus_describe(struct worker *w);

/* ---- archive.c ------------------------------------------------------------------------------- */
/* Before the sandbox. Returns 0 or -1. */
int archive_prepare(void);

/* ---- change.c -------------------------------------------------------------------------------- */
void deletion_begin(struct worker *w, struct slice path);
/* A bounded number of files: 0: all is gone; EAGAIN: call again; else as agent_ask. */
int deletion_step(struct worker *w);
/* Before the sandbox. Returns 0 or -1. */
int digests_prepare(struct worker *w);

/* ---- account.c ------------------------------------------------------------------------------- */
/* Ask for something of the account that this connection belongs to. Returns the answer's type, what
 * it says being w->monitor.answer; MSG_NONE: it was refused, and that has been answered. field: of
 * the request that is to blame. */
enum message_type own_ask(struct worker *w, enum message_type type, const void *question,
                          const char *field);
/* The number at the end of an address; 0: there is none, and that has been answered. */
uint64_t own_number(struct worker *w, struct slice rest);
/* 204. */
void answer_nothing(struct worker *w);

/* ---- me.c ------------------------------------------------------------------------------------ */
struct json_out;
/* "rights": [...], of RIGHT_*. */
void write_rights(struct json_out *j, uint32_t rights);
/* "sha256" and "md5" of a public key, as ssh-keygen prints them. */
void write_fingerprints(struct json_out *j, struct slice blob);

/* ---- folder.c -------------------------------------------------------------------------------- */
/* Begin w->listing of a folder and read its first names. As agent_ask. */
int listing_open(struct worker *w, struct slice path);
/* Its next entry: 1; 0: there is none left; 2: not found yet, a search takes its time; -1: the
 * agent is gone. */
int listing_next(struct worker *w, struct directory_entry *entry);
/* "file", "folder", "link" or "other". */
const char *entry_type(uint32_t mode);
/* What a link in a folder leads to, where that is in the view; else the link itself. */
struct attributes entry_followed(struct worker *w, struct slice folder, struct slice name,
                                 const struct attributes *a);
void entry_write(struct worker *w, struct json_out *j, struct slice folder, struct slice name,
                 const struct attributes *a);

/* ---- exchange.c ------------------------------------------------------------------------------ */
enum step { STEP_ON, STEP_READ, STEP_WRITE, STEP_PAUSE };
/* One bounded step: what to wait for before the next. */
enum step exchange_step(struct worker *w);
/* Can another request follow? Not where the rest of this one's body is better not waited for. */
bool exchange_may_go_on(const struct worker *w);
/* BULK bytes, made when they are first needed. false: no memory, the connection ends. */
bool worker_buffer(struct worker *w, uint8_t **buffer);
/* Milliseconds until the client has been silent for too long; 0: it has. */
int exchange_left(struct worker *w);

#endif
