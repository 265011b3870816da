/* Folder sets: a name, a path and a group each, and which accounts have them with what rights.
 * Called by serve.c for each message and by accounts.c for an account's own; they live in the
 * accounts' database and change as accounts do. */
#ifndef SALLYPORT_STORE_FOLDERS_H
#define SALLYPORT_STORE_FOLDERS_H

#include "monitor/store/accounts.h"

/* Prepare the statements, behind those that are there. Returns 0, or -1 and why is filled. */
int folders_prepare(struct accounts *a, size_t before, struct refusal *why);

/* The folder sets of an account, as folder messages in a->folders. Returns 0, or -1 and why is
 * filled: ENOSPC, they do not fit. */
int folders_of(struct accounts *a, int64_t account, struct slice *folders, struct refusal *why);

/* Questions: as those of accounts.h. */
int folders_show(struct accounts *a, const void *folder_show, void *folder_set,
                 struct refusal *why);
int folders_next(struct accounts *a, const void *folder_next, void *folder_set,
                 struct refusal *why);
int folders_member_next(struct accounts *a, const void *folder_member_next, void *folder_member,
                        struct refusal *why);

/* Changes: as those of accounts.h. */
int folders_add(struct accounts *a, const void *folder_add, struct outcome *done,
                struct refusal *why);
int folders_remove(struct accounts *a, const void *folder_remove, struct outcome *done,
                   struct refusal *why);
int folders_grant(struct accounts *a, const void *folder_grant, struct outcome *done,
                  struct refusal *why);
int folders_revoke(struct accounts *a, const void *folder_revoke, struct outcome *done,
                   struct refusal *why);

#endif
