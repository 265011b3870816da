/* A real sallyport-store for the tests: started as the monitor starts it, on a state folder of its
 * own, spoken to over its link. Used by the tests test_store*.c. */
#ifndef SALLYPORT_TESTS_STORE_PROCESS_H
#define SALLYPORT_TESTS_STORE_PROCESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <sys/types.h>

#include "common/message.h"

#define STORE_ID  39001
#define FIRST_UID 50000

struct process {
    pid_t pid; /* 0: not running */
    int link;
    uint32_t id;            /* of the last request */
    char base[64], dir[80]; /* dir: the state folder, in base */
    struct store_setup setup;
    char trouble[256]; /* of the last start */
    uint32_t layers, schema;
    char text[256]; /* of the last store_done or refusal */
    struct envelope envelope;
};

/* cmocka's setup and teardown: a folder that belongs to the store, no process yet. */
int process_new(void **state);
int process_free(void **state);

/* Start and wait for store_ready. Returns whether it is ready; else trouble, and it has ended. */
bool process_start(struct process *p);
/* The same, and it must be ready. */
void must_start(struct process *p);
/* Close the link; it must end well. */
void process_stop(struct process *p);
void process_kill(struct process *p);
/* Its exit status as waitpid gives it. */
int process_wait(struct process *p);

/* Send without waiting. Returns the id. */
uint32_t process_send(struct process *p, enum message_type type, const void *message);
/* Send and take the answer with the same id into p->envelope; its type. */
enum message_type process_ask(struct process *p, enum message_type type, const void *message);
/* The answer must be store_done; its number. */
uint64_t process_done(struct process *p, enum message_type type, const void *message);
/* The answer must be store_refused with this errno; the text is in p->text. */
void process_refused(struct process *p, enum message_type type, const void *message, int error);

/* Ready-made messages. Texts must live as long. */
struct user_add new_account(const char *name);
struct slice test_key(unsigned number, uint8_t bytes[64]);
void add_account(struct process *p, const char *name);
/* Ask for an account; false: there is none. It points into p->envelope. */
bool show_account(struct process *p, const char *name, struct account *account);
bool find_account(struct process *p, const char *name, struct slice key, struct account *account);

uint32_t uid_of(struct process *p, const char *name);

/* SQL on the database of a store that is not running. */
void fill_database(const struct process *p, const char *text);
/* A file of the state folder, whole and with a NUL; the caller frees. */
char *read_state_file(const struct process *p, const char *name, size_t *len);
void write_state_file(const struct process *p, const char *name, const char *bytes, size_t len);
/* Belongs to the store from now on. */
void give_to_store(const char *path);
bool is_root(void);

#endif
