/* The SFTP worker: one process, one connection, no key, no file. What its parts share.
 *
 *   main.c          setup, sandbox, the client, the event loop
 *   seam.c          libcrypto calls that libssh makes with keys, sent to the monitor instead
 *   host_keys.c     host keys for libssh: public parts, and junk for the private ones
 *   auth.c          libssh's login callbacks: every answer is the monitor's
 *   channel.c       session channels: bytes between libssh and the SFTP server (sftp.h) */
#ifndef SALLYPORT_WORKER_H
#define SALLYPORT_WORKER_H

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/facts.h"
#include "common/log.h"
#include "common/message.h"
#include "common/monitor_link.h"
#include "common/pace.h"
#include "common/worker_life.h"

#define CHANNELS_MAX 10

struct channel;

struct worker {
    struct monitor_link monitor;
    struct worker_setup setup; /* texts point into setup_message */
    struct envelope *setup_message;
    ssh_bind bind;
    ssh_session session;
    ssh_event event;
    struct ssh_server_callbacks_struct callbacks;
    char address[65];
    /* login */
    bool logged_in, banner_sent, request_seen, request_answered;
    char kbdint_user[ACCOUNT_NAME_MAX + 1];
    bool code_due; /* the first step was right: a code must follow */
    unsigned local_refusals, queries;
    char account[ACCOUNT_NAME_MAX + 1];
    uint32_t uid, gid;
    /* transfers */
    struct channel *channels[CHANNELS_MAX];
    bool had_channel;
    struct pace in, out;
    int64_t active_ms; /* last time that bytes moved */
    uint64_t bytes_in, bytes_out;
    /* the end */
    struct stop stop;
};

/* End soon, with this reason; the first one counts. */

/* ---- seam.c -------------------------------------------------------------------------------- */

/* What the client signed last, as libssh would have verified it. */
struct seam_signature {
    bool fresh; /* since the last seam_take_signature */
    uint8_t bytes[4096];
    size_t len;
    uint8_t sk_flags;
    uint32_t sk_counter;
    char algorithm[65]; /* empty for sk-*: the key's type then */
};

/* Bind the hooks to this worker. Returns 0, or -1: they do not take (then nothing can be signed).
 */
int seam_prepare(struct worker *w);
bool seam_take_signature(struct seam_signature *signature);

/* ---- host_keys.c --------------------------------------------------------------------------- */

/* Give libssh the host keys of worker_setup. Returns how many, or -1. */
int host_keys_import(ssh_bind bind, struct slice public_keys);
extern const uint8_t *seam_ed25519_public; /* see seam.c: libssh 0.12 derives it from the seed */

/* ---- auth.c -------------------------------------------------------------------------------- */

void auth_install(struct worker *w);
/* After each round of events: a request that libssh swallowed is not left without a word. */
void auth_check_swallowed(struct worker *w);

/* ---- channel.c ----------------------------------------------------------------------------- */

ssh_channel channel_open(ssh_session session, void *worker);
/* Move what can be moved, on every channel. Returns milliseconds until it wants to be called again
 * without any event, or -1. */
int channels_pump(struct worker *w);
void channels_close(struct worker *w);

#endif
