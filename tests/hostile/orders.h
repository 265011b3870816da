/* What the compromised worker and the test agree on. */
#ifndef SALLYPORT_HOSTILE_ORDERS_H
#define SALLYPORT_HOSTILE_ORDERS_H

#include <sys/types.h>

#define ORDERS_NAME "orders" /* a SOCK_SEQPACKET socket in the programs' folder */

/* The first message of a worker, with its link to the monitor as a descriptor. */
struct worker_hello {
    pid_t pid;
};

#endif
