/* The FTPS worker: one process, one control connection and at most one data connection and one open
 * file at a time, no key. What its parts share.
 *
 *   main.c        setup, sandbox, the client, the event loop, the end
 *   control.c     the control connection: TLS, lines in, replies out
 *   data.c        the data connection: asked from the monitor, TLS, descriptor 6
 *   verbs.def/.c  every verb and its row; one command to its handler
 *   reply.c       replies
 *   login.c       AUTH to PASS; about.c HELP, FEAT, OPTS ...; names.c PWD to RNTO; attributes.c
 *   transfer.c    PASV to STOU: what a transfer begins with; list.c the same of listings
 *   work.c        a transfer, a listing or a digest, a bounded step at a time
 *   listing.c     entries of the agent to lines
 *   line, path, address, wildcard, ascii, facts, digest: texts and nothing else */
#ifndef SALLYPORT_FTPS_WORKER_H
#define SALLYPORT_FTPS_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/agent_file.h"
#include "common/facts.h"
#include "common/message.h"
#include "common/monitor_link.h"
#include "common/pace.h"
#include "common/tls.h"
#include "common/worker_life.h"
#include "ftps-worker/address.h"
#include "ftps-worker/digest.h"
#include "ftps-worker/facts.h"
#include "ftps-worker/line.h"
#include "ftps-worker/path.h"

#define FD_DATA      6 /* the data connection's place; /dev/null while there is none */
#define BUFFER       (16 * TLS_RECORD)       /* between file and stream */
#define BUFFER_FRONT 64                      /* its alignment */
#define REPLIES_MAX  65536                   /* replies that are not sent yet */
#define REPLY_ROOM   16384                   /* the most that one command says at once */
#define LINE_MOST    (2 * PATH_BYTES + 1024) /* bytes of one line of a listing */

/* ---- the control connection ------------------------------------------------------------------ */
struct control {
    bool secure;      /* TLS is spoken */
    bool handshaking; /* ... and not agreed upon yet */
    bool ended;       /* the client sends no more */
    bool closing;     /* the last words are on their way */
    bool waiting;     /* reader holds a line that was not run yet */
    struct tls_stream tls;
    struct line_reader reader;
    size_t in_at, in_len;   /* received, not read yet */
    size_t out_at, out_len; /* replies, not sent yet */
    uint8_t in[16384];
    char out[REPLIES_MAX];
};

/* ---- the data connection --------------------------------------------------------------------- */
enum data_state {
    DATA_NONE,
    DATA_PASSIVE,    /* the monitor waits for the client */
    DATA_ACTIVE,     /* the client named a port: connected to when a transfer begins */
    DATA_CONNECTING, /* to that port: complete when it can be written */
    DATA_CONNECTED,  /* no TLS yet */
    DATA_SECURING,   /* in the handshake */
    DATA_OPEN,
    DATA_LINGERING, /* all is said; waits for the client to close, for a bounded time */
    DATA_REFUSED,   /* trouble says why */
};

struct data {
    enum data_state state;
    uint32_t question; /* id of the data_passive whose connection is to come; 0: none */
    uint32_t port;     /* DATA_ACTIVE */
    int64_t since_ms;  /* of the state */
    struct tls_stream tls;
    char trouble[256];
};

/* ---- work: what takes more than a moment ----------------------------------------------------- */
enum work_kind {
    WORK_NONE,
    WORK_DOWNLOAD,
    WORK_UPLOAD,
    WORK_LISTING, /* over a data connection */
    WORK_STATUS,  /* a listing as a reply */
    WORK_HASH,
};
enum work_phase { PHASE_ARRIVE, PHASE_SECURE, PHASE_MOVE, PHASE_CLOSE };

enum list_form { LIST_LONG, LIST_NAMES, LIST_FACTS };

struct listing {
    enum list_form form;
    bool all, almost_all; /* -a: names with a dot, "." and ".."; -A: without these two */
    uint32_t above;       /* facts_of.above of the entries */
    int64_t now;
    struct path folder;
    size_t prefix_len, pattern_len; /* before each name of NLST; 0: all names */
    char prefix[PATH_BYTES + 1], pattern[256];
    struct agent_entries entries;
};

struct work {
    enum work_kind kind;
    enum work_phase phase;
    int64_t since_ms; /* of the phase */
    bool ascii, append, restarted;
    bool source_ended; /* nothing more to send but what is in the buffer */
    bool held_cr;      /* ascii_to_file */
    bool paused;       /* for the bandwidth's sake: nothing is waited for but time */
    uint8_t last;      /* ascii_to_network */
    struct agent_file file;
    uint64_t at, end; /* in the file: the next byte, and where to stop */
    uint64_t begin;   /* HASH: the first byte */
    uint64_t moved;   /* bytes over the data connection */
    size_t buffer_at, buffer_len;
    struct listing listing;
    struct digest digest;
    char said[PATH_BYTES + 256]; /* of the reply that opens it; HASH: the path */
    char done[320];              /* of the reply at its end */
};

/* ---- the session ----------------------------------------------------------------------------- */
enum state {
    STATE_CLEAR = 1u << 0,  /* explicit FTPS before AUTH TLS */
    STATE_SECURE = 1u << 1, /* TLS, no name yet */
    STATE_NAMED = 1u << 2,  /* USER was said */
    STATE_OPEN = 1u << 3,   /* logged in */
};

struct worker {
    struct monitor_link monitor;
    struct ftps_setup setup; /* texts point into setup_message */
    struct envelope *setup_message;
    SSL_CTX *tls;
    struct address client;
    char client_text[65];
    bool implicit; /* TLS from the first byte */
    struct control control;
    struct data data;
    struct work work;
    uint8_t *memory, *buffer; /* BUFFER bytes, BUFFER_FRONT before them; made by the first work */
    /* login */
    enum state state;
    char user[ACCOUNT_NAME_MAX + 1];
    bool user_fits;
    bool code_due; /* the password was right: a code must follow */
    unsigned refusals, unknown_verbs;
    struct agent_link agent;
    char account[ACCOUNT_NAME_MAX + 1];
    uint32_t uid, gid, flags;
    struct pace in, out;
    /* what commands set for those after them */
    bool pbsz, private_data, ascii, epsv_all, renaming, ranged;
    uint64_t rest, range_first, range_last;
    uint32_t facts;
    size_t digest;
    struct path folder, rename_from;
    /* the end */
    int64_t active_ms; /* last time that a command came or bytes moved */
    uint64_t bytes_in, bytes_out;
    bool quitting;    /* the client asked for it */
    struct stop stop; /* for the client and the log */
};

/* End soon, with this reason; the first one counts. */

/* ---- verbs.c --------------------------------------------------------------------------------- */
enum argument {
    ARGUMENT_NONE,
    ARGUMENT_OPTIONAL,  /* any text or none */
    ARGUMENT_TEXT,      /* some text */
    ARGUMENT_SECRET,    /* any text, never logged */
    ARGUMENT_PATH,      /* a path: made absolute for the handler */
    ARGUMENT_PATH_HERE, /* the same, or the working folder */
};
enum busy { WAITS, AT_ONCE }; /* AT_ONCE: without an argument also while work goes on */

struct command {
    const struct verb *verb;
    struct slice text; /* the argument as it came */
    struct path path;  /* where the verb takes one */
};

struct verb {
    const char *name;
    void (*run)(struct worker *w, const struct command *c);
    uint32_t states; /* in which it is allowed */
    enum argument argument;
    enum busy busy;
    const char *feature;    /* its line in FEAT, or NULL */
    const char *operations; /* rows of operations.def that the agent may ask a right for */
    const char *misuse;     /* the reply in any other state */
    const char *help;
};

#define VERB(name, function, states, argument, busy, feature, operations, misuse, help)            \
    void on_##function(struct worker *w, const struct command *c);
#define ALIAS(name, of)
#define SITE(name, function, argument, operations, help)                                           \
    void on_##function(struct worker *w, const struct command *c);
#include "ftps-worker/verbs.def"
#undef VERB
#undef ALIAS
#undef SITE

const struct verb *verbs_all(size_t *count);
const struct verb *verbs_site(size_t *count);   /* what follows SITE */
const struct verb *verb_find(const char *name); /* or alias; NULL: unknown */
/* Run the line in the reader, unless it has to wait for the end of work: then false. */
bool command_run(struct worker *w);
/* What is said to a command that needs a login: without TLS, how to get there. */
void reply_log_in(struct worker *w);

/* ---- reply.c --------------------------------------------------------------------------------- */
/* One line; control characters in it become '?'. */
void reply(struct worker *w, unsigned code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A line before the last one: "211-Features:"; and one between: " TVFS". */
void reply_first(struct worker *w, unsigned code, const char *text);
void reply_between(struct worker *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A row's text, which begins with its code. */
void reply_text(struct worker *w, const char *text);
/* What the agent said to a question: 0 is told with this code and text, an errno with 550 (or what
 * fits it better) and its sentence, -1 ends the session. */
void reply_result(struct worker *w, int result, unsigned code, const char *text);
/* An errno. otherwise: the code where the errno has none of its own. */
void reply_errno(struct worker *w, unsigned otherwise, int error, struct slice text);
size_t reply_room(const struct worker *w);
/* Whole lines between the first and the last of a reply; returns how many bytes were taken, 0 when
 * the client has to read first. */
size_t reply_bytes(struct worker *w, const uint8_t *bytes, size_t len);

/* ---- transfer.c ------------------------------------------------------------------------------ */
/* May a transfer begin: PROT P, and a data connection to come? Otherwise the reply is made. */
bool transfer_allowed(struct worker *w);

/* ---- list.c ---------------------------------------------------------------------------------- */
/* STAT of a path: its listing as a reply. */
void list_as_reply(struct worker *w, const struct command *c);

/* ---- control.c ------------------------------------------------------------------------------- */
void control_begin(struct worker *w); /* the greeting, or TLS */
/* TLS from here on: what the client sent after its AUTH is dropped. */
void control_secure(struct worker *w);
/* Receive if it can be read, run lines, send replies. Returns true when there is more to do without
 * any event. */
bool control_step(struct worker *w, bool readable);
void control_flush(struct worker *w);
short control_events(const struct worker *w);
void control_end(struct worker *w); /* the last words */
/* Until the client has closed its side, for a moment: what it still sends must not reset the
 * connection before it has read the last words. */
void control_drain(struct worker *w);

/* ---- data.c ---------------------------------------------------------------------------------- */
enum data_step { DATA_READY, DATA_WAITS, DATA_FAILED };

/* Ask for a port. Returns 0, or -1: the session ends. */
int data_passive(struct worker *w, struct data_port *port);
void data_active(struct worker *w, uint32_t port);
/* Is there a connection, or one to come? */
bool data_expected(const struct worker *w);
/* The connection, once a transfer begins; then TLS on it. DATA_FAILED: data.trouble says why. */
enum data_step data_arrive(struct worker *w);
enum data_step data_secure(struct worker *w);
/* Whether the control connection's session was resumed, where that is asked for. */
bool data_resumed(const struct worker *w);
/* As tls_read (where the account may, any end of the connection is the end of the upload),
 * tls_pending, tls_write, tls_flush, tls_close. */
ssize_t data_read(struct worker *w, void *bytes, size_t size);
bool data_pending(const struct worker *w);
ssize_t data_write(struct worker *w, const void *bytes, size_t len);
enum tls_result data_flush(struct worker *w);
enum tls_result data_close(struct worker *w);
/* Why the last of these failed. */
const char *data_trouble(const struct worker *w);
/* All is said: keep it until the client closes. */
void data_linger(struct worker *w);
void data_drop(struct worker *w);
/* What the monitor says unasked: a hook of the monitor's link. */
int data_unasked(void *owner, struct envelope *e);
/* What to poll FD_DATA for, 0: not at all; what came of it. */
short data_events(const struct worker *w);
void data_polled(struct worker *w, short revents);
/* Until a connection that lingers is closed here: milliseconds, -1 for none. */
int data_wait_ms(struct worker *w);

/* ---- work.c ---------------------------------------------------------------------------------- */
/* Begin. A download, upload or listing waits for its data connection first. */
void work_begin(struct worker *w, enum work_kind kind);
/* One bounded step. Returns milliseconds to wait for events, 0: more can be done at once, -1: until
 * something comes. */
int work_step(struct worker *w);
/* Break off: nothing is said. */
void work_break(struct worker *w);
/* The buffer, made at its first use; false: no memory (the session ends). */
bool work_buffer(struct worker *w);
/* Files. As agent_ask; the descriptor is w->work.file.fd. */

/* ---- listing.c ------------------------------------------------------------------------------- */
/* Begin w->work.listing with form, all, almost_all set: of a folder, of names that fit a pattern,
 * or of one file. text: as the client wrote it. Returns as agent_ask. */
int listing_open(struct worker *w, const struct path *path, struct slice text);
/* Lines into bytes. Returns how many bytes, 0 at the end, or -1 with the errno (-1: the agent is
 * gone) in *error. */
ssize_t listing_fill(struct worker *w, uint8_t *bytes, size_t size, int *error);
/* One entry's line of facts. Returns its length (at most LINE_MOST). */
size_t listing_facts(struct worker *w, const struct attributes *a, const struct facts_of *of,
                     struct slice name, char *line);
/* What a symbolic link says; empty when it cannot be read. Good until the agent is asked again. */
struct slice listing_target(struct worker *w, const struct path *link);

#endif
