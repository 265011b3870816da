/* The accounts, their keys and web sessions; what of them folders.c needs. Called by serve.c for
 * each message; answers point into a row that stays until accounts_done. */
#ifndef SALLYPORT_STORE_ACCOUNTS_H
#define SALLYPORT_STORE_ACCOUNTS_H

#include "common/message.h"
#include "common/secret.h"
#include "monitor/store/database.h"

#define LOST_CLIENTS 1024 /* whose wishes for links are counted */

/* A client's address (IPv6: its /64), and how many links it wished for within an hour. */
struct lost_client {
    uint8_t address[16];
    int64_t since;
    uint32_t count;
};

/* What the flows of people's own accounts (own.c, links.c, lost.c, codes.c, outbox.c) share. */
struct own_state {
    uint32_t link_seconds, links_an_hour, gather_seconds; /* settings, as store_setup has them */
    bool mail;
    char organisation[101];
    char texts[3][256]; /* that answers point into: by enum own_text */
    int64_t given;      /* the notice that sallyport-notify has in hand, or 0 */
    int64_t due;        /* when the first notice is; 0: look, something was put in or taken out */
    struct lost_client clients[LOST_CLIENTS];
};

struct accounts {
    struct database database;
    uint32_t first, last; /* uids given to new accounts; first 0: none, they run as `own` */
    uint32_t own_uid, own_gid;
    uint32_t given;           /* the uid given last, to begin looking from; 0: none yet */
    sqlite3_stmt *row;        /* that the last answer points into */
    size_t folder_statements; /* where those of folders.c begin in the database's ... */
    size_t holder_statements, link_statements, own_statements, code_statements, outbox_statements;
    struct own_state own;
    uint8_t folders[FOLDERS_BYTES]; /* of the account in the last answer, as messages */
};

/* setup: all but log and audit is read. Returns 0, or -1 and why is filled. */
int accounts_open(struct accounts *a, const struct store_setup *setup, struct refusal *why);
void accounts_close(struct accounts *a);

/* Questions: 1 and the answer, 0 nothing (more), -1 and why is filled. */
typedef int (*accounts_question)(struct accounts *a, const void *message, void *answer,
                                 struct refusal *why);
int accounts_find(struct accounts *a, const void *store_find, void *account, struct refusal *why);
int accounts_show(struct accounts *a, const void *user_show, void *account, struct refusal *why);
int accounts_next(struct accounts *a, const void *user_next, void *account, struct refusal *why);
int accounts_key_next(struct accounts *a, const void *key_next, void *key, struct refusal *why);
/* The answer was sent. */
void accounts_done(struct accounts *a);

/* What is said of a change once it is durable. */
struct outcome {
    uint64_t number;          /* of the key added, or 0 */
    char text[256];           /* what was done, for the audit log; with error: why not */
    int error;                /* errno: refused, and yet something was kept (a wrong try) */
    enum message_type answer; /* totp_secret or recovery_codes, in place of store_done */
    struct secret secret;     /* ... and what it says */
    const char *event;        /* NULL, or of a line for the audit log that the store writes ... */
    char line[600];           /* ... its text */
    char account[ACCOUNT_NAME_MAX + 1], address[65]; /* ... of whom */
};

/* A change: all of it or nothing, in a transaction that may hold changes before it. Durable only
 * after accounts_commit. done: empty before. Returns 0, or -1 and why is filled; when
 * why->hard, the changes before it in the same transaction are undone too. */
typedef int (*accounts_change)(struct accounts *a, const void *message, struct outcome *done,
                               struct refusal *why);
int accounts_do(struct accounts *a, accounts_change change, const void *message,
                struct outcome *done, struct refusal *why);
int accounts_commit(struct accounts *a, struct refusal *why);

int accounts_user_add(struct accounts *a, const void *user_add, struct outcome *done,
                      struct refusal *why);
int accounts_user_set(struct accounts *a, const void *user_set, struct outcome *done,
                      struct refusal *why);
int accounts_user_delete(struct accounts *a, const void *user_delete, struct outcome *done,
                         struct refusal *why);
int accounts_key_add(struct accounts *a, const void *key_add, struct outcome *done,
                     struct refusal *why);
int accounts_key_remove(struct accounts *a, const void *key_remove, struct outcome *done,
                        struct refusal *why);
int accounts_web_add(struct accounts *a, const void *store_web_add, struct outcome *done,
                     struct refusal *why);
int accounts_web_remove(struct accounts *a, const void *store_web_remove, struct outcome *done,
                        struct refusal *why);
int accounts_login(struct accounts *a, const void *store_login, struct outcome *done,
                   struct refusal *why);

/* Ends every web session of an account. Returns 0, or -1 and why is filled. */
int accounts_web_end_all(struct accounts *a, struct slice name, struct refusal *why);

/* SHA-256. Returns 0, or -1 and why is filled. */
int accounts_hash(struct slice bytes, uint8_t hash[32], struct refusal *why);

/* The number of an account, or -1 and why is filled (ENOENT: there is none). */
int64_t accounts_number(struct accounts *a, struct slice name, struct refusal *why);

/* An id that nobody ever had, or the one that is named: from now on no account gets it by itself.
 * Returns 0, or -1 and why is filled. */
int accounts_take_id(struct accounts *a, uint32_t named, uint32_t *id, struct refusal *why);

#endif
