/* From the first message to the sandbox. */
#ifndef SALLYPORT_FILES_START_H
#define SALLYPORT_FILES_START_H

#include "monitor/files/agent.h"

/* Receive agent_setup, take the links to their places, open the folders as the account, enter the
 * sandbox and tell the monitor. Returns 0, or -1: the monitor knows why. */
int agent_start(struct agent *agent);

#endif
