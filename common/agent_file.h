/* Files and folders of the agent, as a worker holds them: opened by a question, read and written by
 * the descriptor that came, given back by another. Used by every worker. Must never be taken for
 * open when its descriptor did not come. */
#ifndef SALLYPORT_AGENT_FILE_H
#define SALLYPORT_AGENT_FILE_H

#include "common/agent_link.h"
#include "common/attributes.h"
#include "common/facts.h"

struct agent_file {
    bool open;
    int fd;          /* -1 of a folder */
    uint32_t handle; /* the agent's */
    uint64_t bytes_read, bytes_written;
    struct attributes seen; /* when it was opened */
};

/* All return as agent_ask. flags: OPEN_READ and its like. */
int agent_file_open(struct agent_link *agent, struct slice path, uint32_t flags,
                    struct agent_file *f);
int agent_folder_open(struct agent_link *agent, struct slice path, struct agent_file *f);
/* Of one that is not open: nothing. What the close of the descriptor said counts too: some
 * filesystems tell of a full disk only there. */
int agent_file_close(struct agent_link *agent, struct agent_file *f, enum close_end end);
/* A file that was only read, whatever becomes of the closing: nothing is waited for. */
void agent_file_let_go(struct agent_link *agent, struct agent_file *f);
int agent_look(struct agent_link *agent, struct slice path, bool follow, struct attributes *seen);

/* What the agent has told of a folder's entries: directory_entry, one after the other. They are
 * copied, as it is asked for other things between two of them. */
struct agent_entries {
    bool last; /* there are no more behind these */
    size_t at, len;
    uint8_t bytes[61440]; /* the most of one file_entries */
};

/* The next ones, in place of those there. names_only: their attributes are not needed. */
int agent_entries_next(struct agent_link *agent, uint32_t handle, bool names_only,
                       struct agent_entries *e);
/* One of them. 1; 0: all of these were taken; -1: what the agent sent is none. */
int agent_entries_take(struct agent_entries *e, struct directory_entry *entry);

#endif
