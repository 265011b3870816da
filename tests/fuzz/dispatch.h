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

/* A run's beginning and end: the host key, what was shown. */
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
/* The monitor told a child something. */
void model_told(struct monitor *m, struct child *c, struct envelope *e);
/* What must hold after each step. */
void model_check(const struct monitor *m);

#endif
