/* A file agent under test: the real binary, started as the monitor starts it, with the three links
 * in the test's hands and a home in a folder of its own. Beside the home lies a folder "outside"
 * that belongs to the same account: nothing but the agent keeps the account out of it. */
#ifndef SALLYPORT_FILES_SESSION_H
#define SALLYPORT_FILES_SESSION_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "common/facts.h"
#include "common/message.h"
#include "common/operations.h"

#define AGENT_UID 51234
#define SEEN_MAX  8192

/* A report as the store got it. */
struct seen {
    uint64_t number;
    uint8_t operation;
    uint32_t error;
    uint64_t size, bytes_read, bytes_written;
    char path[512], other[512];
};

struct session {
    pid_t pid;
    int monitor, worker, store;
    char base[64], home[96], outside[96];
    uint32_t id;            /* of the last request */
    struct envelope answer; /* to it */
    char text[256];         /* its sentence, if it was refused */
    uint32_t layers;        /* as the agent told them */
    char trouble[256], missing[1001];
    uint32_t extra_gid; /* of the second folder: its group */
    bool silent_store;  /* acknowledge nothing */
    bool beside;        /* its folders are another's */
    uint64_t acknowledged;
    struct seen *seen;
    size_t seen_count;
};

/* Make the folders; start the agent on them. extra: a second folder of the view ("" none), below
 * base. Ready agents only; session_try gives back whether it became ready. */
struct session *session_folders(void);
bool session_try(struct session *s, const char *home, uint32_t rights, uint32_t flags,
                 const char *extra, uint32_t extra_rights);
struct session *session_start(uint32_t rights, uint32_t flags);

/* Another agent on the folders of s, which must end after it. */
struct session *session_beside(const struct session *s, uint32_t rights, uint32_t flags);

/* The agent is killed (SIGKILL) where it stands. */
void session_kill(struct session *s);

/* The worker goes away: wait for the agent's end, as by waitpid. */
int session_hang_up(struct session *s);

/* End and remove all. */
void session_end(struct session *s);

/* Ask and wait. Returns the errno of a file_status, 0 for any other answer (in s->answer). */
int ask(struct session *s, enum message_type type, const void *message);

/* Requests in one line each. */
int ask_open(struct session *s, const char *path, uint32_t flags, uint32_t *handle, int *fd);
int ask_close(struct session *s, uint32_t handle, bool whole);
int ask_stat(struct session *s, const char *path, bool follow, struct file_attributes *attributes);
int ask_remove(struct session *s, const char *path);
int ask_mkdir(struct session *s, const char *path);
int ask_rmdir(struct session *s, const char *path);
int ask_rename(struct session *s, const char *from, const char *to, bool replace);
int ask_symlink(struct session *s, const char *target, const char *path);
int ask_link(struct session *s, const char *from, const char *to);
int ask_mode(struct session *s, const char *path, bool follow, uint32_t mode);
int ask_realpath(struct session *s, const char *path, char real[4096]);
int ask_opendir(struct session *s, const char *path, uint32_t *handle);

/* A whole upload: open with these flags, write, close. Returns the first errno. */
int ask_upload(struct session *s, const char *path, uint32_t flags, const char *content);

/* An upload in parts, as it was opened. fd: the caller's. */
struct part {
    char id[UPLOAD_ID + 1];
    uint32_t handle;
    uint64_t size, offset;
    int64_t mtime_ns, expires;
    bool replace;
    int fd;
};
int ask_begin(struct session *s, const char *path, uint64_t size, bool replace, struct part *part);
int ask_go_on(struct session *s, const char *path, const char *id, struct part *part);
int ask_part(struct session *s, const struct file_upload *m, struct part *part);

/* Write at its offset, then close its descriptor and its handle. */
int ask_end(struct session *s, struct part *part, const char *content, enum close_end end);

/* List a whole folder; each is called with every name and its attributes. */
int ask_list(struct session *s, const char *path, bool names_only,
             void (*each)(const struct directory_entry *entry, void *context), void *context);

/* Does a listing hold this name? */
bool listed(struct session *s, const char *path, const char *name);

/* Wait for a report; the newest that fits. NULL: none came within a second. */
const struct seen *told(struct session *s, enum operation operation, uint32_t error,
                        const char *path);
void take_reports(struct session *s, int most_ms);

/* Files behind the agent's back, owned by its account. where: relative to s->base. */
void put_file(const struct session *s, const char *where, const char *content, mode_t mode);
void put_folder(const struct session *s, const char *where);
void put_link(const struct session *s, const char *target, const char *where);
bool file_is(const struct session *s, const char *where, const char *content);
bool file_stat_is(const struct session *s, const char *where, struct stat *st);
void own(const struct session *s, const char *where);

#endif
