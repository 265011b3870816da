/* One command of the operator's that is given a text on its input, watched without waiting. */
#ifndef SALLYPORT_NOTIFY_RUN_H
#define SALLYPORT_NOTIFY_RUN_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/facts.h"
#include "common/mailing.h"
#include "monitor/notify/draft.h"

#define RUN_POLLS   3
#define RUN_WHY_MAX 255 /* of notice_wanted.text in messages.def */

struct run {
    pid_t pid;                   /* 0: none runs */
    int ended, input, output;    /* a pidfd, pipes; -1: none, or closed */
    struct draft text;           /* owned: what it is given */
    size_t given;                /* bytes of it so far */
    char words[512];             /* the beginning of what it said */
    size_t said;                 /* bytes of it */
    char program[64];            /* its name, for messages */
    int64_t deadline_ms;         /* CLOCK_MONOTONIC */
    enum notice_outcome outcome; /* once it is over: NOTICE_* */
    char why[RUN_WHY_MAX + 1];   /* and why it is not delivered */
};

int64_t run_now_ms(void);
/* Start it with the text, which is taken. It has so many seconds. Returns 0, or -1: it is over at
 * once, with an outcome and why. */
int run_start(struct run *run, const struct command_line *command, struct draft *text,
              uint32_t seconds);
/* Descriptors to wait for. */
void run_polls(const struct run *run, struct pollfd polls[RUN_POLLS]);
/* Go on. Returns whether it is over: then it was waited for, and nothing of it is open. */
bool run_go_on(struct run *run);
/* End it now, and all that it started in its process group. */
void run_kill(struct run *run);

#endif
