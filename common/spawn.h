/* Starting a child: by exec, never a bare fork, with an empty environment and fixed descriptors.
 * Used by the monitor for all its children and by the operator's command for the store and the
 * hasher when no server runs. */
#ifndef SALLYPORT_SPAWN_H
#define SALLYPORT_SPAWN_H

#include <sys/types.h>

/* Start `directory/program`. Its 0, 1 and 2 are /dev/null (2 is kept as it is when
 * SALLYPORT_KEEP_STDERR was compiled in, for the sanitizers), FD_MONITOR is one end of a new
 * SOCK_SEQPACKET pair, and nothing else is open. Returns the pid and the other end (close-on-exec,
 * blocking) in *link, or -1 with errno. */
pid_t priv_spawn(const char *directory, const char *program, int *link);

#endif
