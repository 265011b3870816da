/* A file agent for the tests of the SFTP server: a child process that serves one folder, knows no
 * rights and trusts its paths. What it saw and how it shall misbehave is in memory that it shares
 * with the test. */
#ifndef SALLYPORT_FAKE_AGENT_H
#define SALLYPORT_FAKE_AGENT_H

#include <stdint.h>
#include <sys/types.h>

enum sabotage {
    SABOTAGE_NONE,
    SABOTAGE_HANG_UP,       /* end without an answer */
    SABOTAGE_WRONG_ID,      /* answer another question */
    SABOTAGE_WRONG_TYPE,    /* answer something else */
    SABOTAGE_WORTHLESS_YES, /* a status without error where more is needed */
    SABOTAGE_NO_DESCRIPTOR, /* a file without its descriptor */
    SABOTAGE_BAD_ENTRIES,   /* a listing that does not decode */
    SABOTAGE_GREEDY_COPY,   /* more copied than was asked for */
    SABOTAGE_LAST,
};

#define FAKE_COPY_MOST 65536       /* bytes of one file_copy */
#define FAKE_FULL_NAME "/full"     /* opens as a device that is full */
#define FAKE_SENTENCE  "/sentence" /* stat of it fails with EACCES and this text */
#define FAKE_TEXT      "the sentence of the agent"

struct fake_seen {
    uint32_t sabotage; /* for the next question, whatever it is */
    uint32_t questions, closes, syncs, copies;
    uint64_t bytes_read, bytes_written; /* of the last file_close */
    uint8_t whole;
    uint32_t open;    /* handles now */
    uint32_t entries; /* most entries in one answer; 0: as many as fit */
};

struct fake_agent {
    pid_t pid;
    int link; /* the test's end */
    struct fake_seen *seen;
};

void fake_agent_start(struct fake_agent *agent, const char *folder);
void fake_agent_stop(struct fake_agent *agent);

#endif
