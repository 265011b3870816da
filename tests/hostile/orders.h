/* What a stand-in and the test agree on. */
#ifndef SALLYPORT_HOSTILE_ORDERS_H
#define SALLYPORT_HOSTILE_ORDERS_H

#include <sys/types.h>

#define ORDERS_NAME "orders" /* a SOCK_SEQPACKET socket in the programs' folder */
#define REAL_NAME   "real"   /* a folder beside it: the programs that are stood in for */

/* The first message of a stand-in, with its link to the monitor as a descriptor. */
struct child_hello {
    pid_t pid;
    char program[32]; /* which it stands in for */
};

/* The test's end of the socket is the stand-in's end too, with status 0. Or an order: */
enum order {
    ORDER_EXIT, /* with this status */
    ORDER_DIE,  /* by this signal */
    ORDER_REAL, /* become the program itself, on the link that is attached */
};
struct child_order {
    enum order order;
    int value;
};

#endif
