/* What every kind of worker does in its life, whatever it parses: into the sandbox, and a measure
 * of the processor's time for each round of its loop. Called by the workers' main.c. */
#ifndef SALLYPORT_WORKER_LIFE_H
#define SALLYPORT_WORKER_LIFE_H

#include <stdint.h>

#include "common/sandbox.h"
#include "common/slice.h"

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t worker_now_ms(void);

/* Enter the sandbox of a process that opens nothing and writes files that its agent opened, and
 * tell the monitor. Returns 0, or -1 after logging why: then it must end. */
int worker_enter_sandbox(enum process process, struct slice empty_dir, uint32_t uid, uint32_t gid,
                         uint32_t descriptors, uint64_t memory);

/* A stage of this process's start is done: the processor's time that it took is told, in the log at
 * level debug, once the sandbox is entered. The first is all before main(). `name` is kept. */
void worker_stage(const char *name);

/* One round of the loop may take so much of the processor's time (10 s): a client can send a
 * library round in circles, and SIGPROF then ends this process. now_ms: CLOCK_MONOTONIC; said anew
 * once a second, for rounds are many; *said_ms begins as 0. Returns 0 or -1. */
int worker_allow_time(int64_t *said_ms, int64_t now_ms);

#endif
