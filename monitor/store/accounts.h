/* The accounts, their keys and web sessions; what of them folders.c needs. Called by serve.c for
 * each message; answers point into a row that stays until accounts_done. */
#ifndef SALLYPORT_STORE_ACCOUNTS_H
#define SALLYPORT_STORE_ACCOUNTS_H

#include "common/message.h"
#include "monitor/store/database.h"

struct accounts {
    struct database database;
    uint32_t first, last; /* uids given to new accounts; first 0: none, they run as `own` */
    uint32_t own_uid, own_gid;
    uint32_t given;                 /* the uid given last, to begin looking from; 0: none yet */
    sqlite3_stmt *row;              /* that the last answer points into */
    size_t folder_statements;       /* where those of folders.c begin in the database's */
    uint8_t folders[FOLDERS_BYTES]; /* of the account in the last answer, as messages */
};

/* setup: state_dir and the range of ids are read. Returns 0, or -1 and why is filled. */
int accounts_open(struct accounts *a, const struct store_setup *setup, struct refusal *why);
void accounts_close(struct accounts *a);

/* Questions: 1 and the answer, 0 nothing (more), -1 and why is filled. */
int accounts_find(struct accounts *a, const struct store_find *q, struct account *answer,
                  struct refusal *why);
int accounts_show(struct accounts *a, const struct user_show *q, struct account *answer,
                  struct refusal *why);
int accounts_next(struct accounts *a, const struct user_next *q, struct account *answer,
                  struct refusal *why);
int accounts_key_next(struct accounts *a, const struct key_next *q, struct key *answer,
                      struct refusal *why);
/* The answer was sent. */
void accounts_done(struct accounts *a);

/* A change: all of it or nothing, in a transaction that may hold changes before it. Durable only
 * after accounts_commit. number: of the key added, else 0. Returns 0, or -1 and why is filled; when
 * why->hard, the changes before it in the same transaction are undone too. */
typedef int (*accounts_change)(struct accounts *a, const void *message, uint64_t *number,
                               struct refusal *why);
int accounts_do(struct accounts *a, accounts_change change, const void *message, uint64_t *number,
                struct refusal *why);
int accounts_commit(struct accounts *a, struct refusal *why);

int accounts_user_add(struct accounts *a, const void *user_add, uint64_t *number,
                      struct refusal *why);
int accounts_user_set(struct accounts *a, const void *user_set, uint64_t *number,
                      struct refusal *why);
int accounts_user_delete(struct accounts *a, const void *user_delete, uint64_t *number,
                         struct refusal *why);
int accounts_key_add(struct accounts *a, const void *key_add, uint64_t *number,
                     struct refusal *why);
int accounts_key_remove(struct accounts *a, const void *key_remove, uint64_t *number,
                        struct refusal *why);
int accounts_web_add(struct accounts *a, const void *store_web_add, uint64_t *number,
                     struct refusal *why);
int accounts_web_remove(struct accounts *a, const void *store_web_remove, uint64_t *number,
                        struct refusal *why);
int accounts_login(struct accounts *a, const void *store_login, uint64_t *number,
                   struct refusal *why);

/* The number of an account, or -1 and why is filled (ENOENT: there is none). */
int64_t accounts_number(struct accounts *a, struct slice name, struct refusal *why);

/* An id that nobody ever had, or the one that is named: from now on no account gets it by itself.
 * Returns 0, or -1 and why is filled. */
int accounts_take_id(struct accounts *a, uint32_t named, uint32_t *id, struct refusal *why);

#endif
