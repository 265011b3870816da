/* What run.py and the processes under test share: a file beside the programs, mapped by each before
 * its sandbox. run.py writes what is to fail and reads what happened; the layout is repeated there
 * (class Orders) and checked by SIZE and MAGIC. */
#ifndef SALLYPORT_FAULTS_ORDERS_H
#define SALLYPORT_FAULTS_ORDERS_H

#include <stdint.h>

#define ORDERS_FILE  "faults.orders"
#define ORDERS_MAGIC 0x5a11fa17u

enum mode { MODE_OFF, MODE_COUNT, MODE_FAIL };
enum phase { PHASE_START, PHASE_SESSION, PHASES };

#define FRAMES_MAX    12
#define SITES_MAX     16384 /* a power of two */
#define PROCESSES_MAX 8192

/* One place in the code that makes a call: the function, who called it, and the frames of our own
 * program above. Addresses are offsets in their object. */
struct site {
    uint64_t key; /* 0: free */
    uint64_t caller;
    uint32_t program, function;
    uint32_t calls[PHASES];
    uint64_t frames[FRAMES_MAX]; /* of our own program; 0: no more */
};

/* A process of the privileged side, in the order of their starts. */
struct process {
    uint32_t pid, program;
    int64_t allocations; /* alive */
};

struct orders {
    uint32_t magic, size;
    uint32_t mode, phase;
    /* the call to fail: the one after `left` others from the same place */
    uint64_t key, caller;
    uint32_t program, function;
    int32_t error; /* an errno, or -1: do half */
    int32_t left;
    uint32_t fired, fired_pid;
    /* children of the monitor that ended by another signal than its own SIGKILL */
    uint32_t crashes, crash_pid, crash_status;
    uint32_t processes;
    struct process process[PROCESSES_MAX];
    struct site sites[SITES_MAX];
};

#endif
