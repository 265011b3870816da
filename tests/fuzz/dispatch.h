/* What fuzz_dispatch.c (the children, the steps) and dispatch_model.c (what must hold) share. */
#ifndef SALLYPORT_TESTS_FUZZ_DISPATCH_H
#define SALLYPORT_TESTS_FUZZ_DISPATCH_H

#include <signal.h>

#include "monitor/monitor.h"
#include "tests/fuzz/fuzz.h"

#define CHILDREN_MAX 64
#define FIRST_PID    0x40000000 /* no process of a real system has it */

enum child_kind { CHILD_WORKER, CHILD_STORE, CHILD_HASHER, CHILD_AGENT, CHILD_KINDS };

struct child {
    pid_t pid;
    enum child_kind kind;
    int link; /* the child's end; -1: closed */
    bool alive, killed;
};
extern struct child children[CHILDREN_MAX];
struct child *child_find(pid_t pid);
void child_says(struct child *c, struct slice bytes, unsigned fd_count);
void child_tells(struct child *c, enum message_type type, uint32_t id, const void *message);

/* Once: the keys, and a place that active data connections are made to. */
void model_prepare(void);
/* The server's own address: of this process alone, so that its ports are free. */
struct address model_local(void);
/* A run's beginning and end: the keys, what was shown. */
void model_begin(struct monitor *m);
void model_end(void);
/* The child's word that it is ready. */
void model_ready(struct child *c);
/* Somebody speaks; bytes that are not empty stand in place of what how asks for. */
void model_worker_says(struct monitor *m, struct child *c, struct slice bytes, unsigned fd_count);
void model_worker_acts(struct monitor *m, struct child *c, uint8_t how, struct slice bytes);
void model_store_answers(const struct monitor *m, struct child *c, uint8_t how, struct slice bytes);
void model_hasher_answers(struct monitor *m, struct child *c, uint8_t how, struct slice bytes);
void model_agent_says(struct monitor *m, struct child *c, uint8_t how, struct slice bytes);
/* The number'th data port that sessions wait on, counted round; 0: none. */
uint16_t model_port(unsigned number);
/* The operator has replaced the TLS key and certificate. */
void model_reload(struct monitor *m);
/* The monitor told a child something. */
void model_told(struct monitor *m, struct child *c, struct envelope *e);
/* What must hold after each step. */
void model_check(const struct monitor *m);
/* A worker sends a well-formed message. */
void model_say(struct monitor *m, struct child *c, enum message_type type, const void *message);
/* Has a session, by its number, shown what its account needs? As whom (or NULL), and NULL: no. */
const char *model_shown(uint64_t number);
/* A code of a session was judged: right, or not. */
void model_code(uint64_t number, bool right);

/* ---- dispatch_ftps.c: FTPS sessions ------------------------------------------------------------
 */

#define FTPS_ACTS      14 /* model_worker_acts: those from here on */
#define FTPS_ACT_KINDS 6

/* What an FTPS session asked for and was told. */
struct ftps_shown {
    enum message_type signing; /* the last request for a signature */
    uint32_t identity;         /* ... by the key of which certificate */
    uint32_t scheme, signed_before_login;
    uint8_t tbs[256];        /* what is to be signed for it */
    size_t tbs_len;          /* 0: nothing that may be signed */
    int key;                 /* of the certificate that its worker has, from 1; 0: none */
    char address[64];        /* its client's */
    enum message_type asked; /* data_passive or data_active, last */
    uint32_t asked_port;
    uint16_t port; /* passive: what it was told; 0: none */
    char told[64];
};
void ftps_prepare(void);
void ftps_says(struct ftps_shown *f, const struct envelope *e);
void ftps_acts(struct monitor *m, struct child *c, uint8_t act, struct slice bytes);
void ftps_told(struct ftps_shown *f, const struct session *s, struct envelope *e);
void ftps_check(const struct ftps_shown *f, const struct session *s, bool opened);

/* ---- dispatch_https.c: HTTPS sessions ----------------------------------------------------------
 */

#define HTTPS_ACTS      (FTPS_ACTS + FTPS_ACT_KINDS) /* model_worker_acts: those from here on */
#define HTTPS_ACT_KINDS 8

/* What an HTTPS session has shown and was told. */
struct https_shown {
    bool is, signing_in, by_token, known, wanted;
    enum login_purpose purpose;      /* of its last password */
    uint8_t password[32], token[32]; /* their SHA-256, as shown last */
    uint8_t id[32];                  /* of the TLS session that was asked for last */
};
void https_says(struct https_shown *h, const struct session *s, const struct envelope *e);
/* A login is tried; by a password, or (NULL) otherwise. */
void https_tries(struct https_shown *h, const struct session *s, const struct auth_password *try);
void https_acts(struct monitor *m, struct child *c, uint8_t act, struct slice user,
                struct slice bytes);
/* The password shown was right for an account with this hash; was it, in the minute before? */
void https_was_right(const struct https_shown *h, const char *name, const struct secret *hash);
bool https_is_right(const struct https_shown *h, const char *name, const struct secret *hash);
/* The store: whose web session this is (NULL: nobody's), a new one, one that has ended. */
const char *https_token_name(struct slice hash);
void https_web_added(const struct store_web_add *add);
void https_web_removed(const struct store_web_remove *remove);
/* proven: its login was shown, as the account of this name. */
void https_told(struct https_shown *h, const struct session *s, const struct envelope *e,
                bool proven, const char *name);
void https_check(const struct https_shown *h, const struct session *s, bool proven,
                 const char *name);
void https_end(void);

/* ---- dispatch_own.c: codes, links, one's own account -------------------------------------------
 */

#define OWN_ACTS      (HTTPS_ACTS + HTTPS_ACT_KINDS) /* model_worker_acts: those from here on */
#define OWN_ACT_KINDS 18

/* A worker says something; may be heard, as it stands. */
void own_says(const struct session *s, const struct envelope *e);
void own_acts(struct monitor *m, struct child *c, uint8_t act, struct slice user,
              struct slice bytes);
/* A hash that a hasher said. */
void own_hashed(struct slice hash);
/* What the store is asked for a session. Returns whether it was one of these; it is answered. */
bool own_asked(const struct monitor *m, struct child *store, const struct envelope *e);
/* What a worker is told. */
void own_told(const struct monitor *m, const struct session *s, const struct envelope *e);
void own_end(void);

#endif
