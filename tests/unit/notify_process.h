/* A real sallyport-notify for the tests: its monitor and its store played here, a script as its
 * sendmail command. Used by test_notify.c and test_notify_life.c. */
#ifndef SALLYPORT_TESTS_NOTIFY_PROCESS_H
#define SALLYPORT_TESTS_NOTIFY_PROCESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <sys/types.h>

#include "common/facts.h"
#include "common/message.h"

#define NOTIFY_ID   39003
#define PATIENCE_MS 30000
#define INVITE                                                                                     \
    "{\"account\": \"alice\", \"organisation\": \"Ours\", \"token\": \"TOKEN\", \"expires\": "     \
    "1795788300}"

struct notify {
    pid_t pid;
    int monitor, store;            /* our ends of its links */
    char base[64], templates[128]; /* a folder that its id may write to */
    char sendmail[256];
    struct notify_setup setup;
    struct notify_ready ready;
    struct envelope envelope;
};

/* The outcome that it tells as it asks for the next notice. */
struct told {
    uint64_t number;
    uint8_t outcome;
    char text[256];
};

/* cmocka's setup and teardown: a folder, no process yet. */
int notify_new(void **state);
/* Its exit status as waitpid gives it. */
int wait_end(struct notify *n);
int notify_free(void **state);
void new_link(int *ours, int *theirs);
/* Start it and send its setup; ready: and wait until it is ready, and for its first question. */
void spawn(struct notify *n);
/* The next message on one of its links, into n->envelope; 0: it is gone. */
int receive(struct notify *n, int link);
/* It asks for a notice. */
struct told asked(struct notify *n);
/* Answer that. */
void give(struct notify *n, uint64_t number, const char *kind, const char *to, const char *facts);
void ready(struct notify *n);
/* Give a notice, and wait until it tells what came of it, which must be this. */
struct told deliver(struct notify *n, uint64_t number, const char *to, const char *facts,
                    enum notice_outcome outcome);
/* Nothing comes on a link now. */
void silent(int link);
/* A file of the test's folder. */
void write_file(const struct notify *n, const char *name, const char *text, mode_t mode);
/* The sendmail command; $D is the test's folder. */
void script(const struct notify *n, const char *text);
/* What a command left in the folder: NULL, nothing yet; must_have: waited for. */
const char *content(const struct notify *n, const char *name);
const char *must_have(const struct notify *n, const char *name);
/* The text has this part. */
void has(const char *text, const char *part);
/* Is there such a process, a number as text? */
bool alive(const char *pid);
/* It sends such a line for the log. */
void logged(struct notify *n, const char *part);

#endif
