/* SQLite behind a small front: opening, the schema and its versions, prepared statements with bound
 * values, transactions, and SQLite's errors as an errno and a sentence. Used by the files
 * that hold statements (accounts.c, folders.c, links.c ...); no SQL text is ever put together at
 * run time. */
#ifndef SALLYPORT_STORE_DATABASE_H
#define SALLYPORT_STORE_DATABASE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/slice.h"

/* Why something was not done; becomes store_refused or store_ready's trouble. */
struct refusal {
    int error; /* errno */
    bool hard; /* the database itself failed: nothing of the open transaction can be kept */
    char text[256];
};

/* Fill it. Returns -1. */
int refuse(struct refusal *why, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

struct database {
    sqlite3 *db;
    sqlite3_stmt *
        *statements; /* in the order of the texts given to database_prepare, call by call */
    size_t count;
};

/* Open state_dir/accounts.db, making it if it is missing, and bring its schema up to date. It stays
 * locked for this process alone until database_close. Returns 0, or -1 and why is filled. */
int database_open(struct database *d, const char *state_dir, struct refusal *why);
int database_prepare(struct database *d, const char *const *texts, size_t count,
                     struct refusal *why);
void database_close(struct database *d);

/* The version of the schema that this program makes. */
uint32_t database_schema_version(void);

/* What is bound to ?1, ?2 ... */
struct value {
    enum { VALUE_NULL, VALUE_NUMBER, VALUE_TEXT, VALUE_BLOB } kind;
    int64_t number;
    struct slice bytes; /* read until the statement is done */
};
#define NOTHING     ((struct value){.kind = VALUE_NULL})
#define NUMBER(n)   ((struct value){.kind = VALUE_NUMBER, .number = (int64_t)(n)})
#define TEXT(slice) ((struct value){.kind = VALUE_TEXT, .bytes = (slice)})
#define BLOB(slice) ((struct value){.kind = VALUE_BLOB, .bytes = (slice)})

/* Bind and take the first step. Returns 1 and *row (until database_done), 0 without a row, or -1
 * and why is filled. */
int database_ask(struct database *d, size_t statement, const struct value *values, size_t count,
                 sqlite3_stmt **row, struct refusal *why);
/* The next row of the same: 1, 0 there is none and it is done, or -1 and why is filled. */
int database_next(struct database *d, sqlite3_stmt *row, struct refusal *why);
void database_done(sqlite3_stmt *row);
#define ASK_PLAIN(d, statement, row, why) database_ask(d, statement, NULL, 0, row, why)
#define ASK(d, statement, row, why, ...)                                                           \
    database_ask(d, statement, (const struct value[]){__VA_ARGS__},                                \
                 sizeof((const struct value[]){__VA_ARGS__}) / sizeof(struct value), row, why)

/* The same for what changes rows: returns how many, or -1 and why is filled. */
int database_change(struct database *d, size_t statement, const struct value *values, size_t count,
                    struct refusal *why);
#define CHANGE_PLAIN(d, statement, why) database_change(d, statement, NULL, 0, why)
#define CHANGE(d, statement, why, ...)                                                             \
    database_change(d, statement, (const struct value[]){__VA_ARGS__},                             \
                    sizeof((const struct value[]){__VA_ARGS__}) / sizeof(struct value), why)

/* A column of a row; texts and blobs point into it. */
struct slice database_bytes(sqlite3_stmt *row, int column);

/* A transaction of one or more changes: each change begins, and ends in keep or undo. Nothing is on
 * the disk until commit has returned 0. A commit that fails has undone all. */
int database_begin(struct database *d, struct refusal *why);
int database_keep(struct database *d, struct refusal *why);
void database_undo(struct database *d, bool all);
int database_commit(struct database *d, struct refusal *why);
bool database_in_transaction(const struct database *d);

#endif
