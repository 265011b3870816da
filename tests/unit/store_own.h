/* A sallyport-notify for the tests of the store: asks for notices over a link of its own and reads
 * them as its templates would. Used by test_store_own.c and test_store_outbox.c. */
#ifndef SALLYPORT_TESTS_STORE_OWN_H
#define SALLYPORT_TESTS_STORE_OWN_H

#include "common/facts.h"
#include "tests/unit/store_process.h"

/* cmocka's setup and teardown: as process_new, with mail. */
int own_new(void **state);
int own_free(void **state);

/* Start the store, and link a fresh sallyport-notify to it. */
void start_mailing(struct process *p);
void process_link_notify(struct process *p);
void process_free_notify(struct process *p);
int notify_socket(void);

void add_without_password(struct process *p, const char *name, const char *email);
void own_of(struct process *p, const char *name, struct own_is *own);

/* Ask for a notice, with this outcome of the one before. It may not have come yet. */
void ask_notice(enum notice_outcome outcome);
/* The notice that was asked for (asked for now, if it was not: the one before was delivered). It
 * must be of this kind and go there. */
void take_notice(struct process *p, const char *kind, const char *to);
/* ... and its link's hash. */
void take_link(struct process *p, const char *kind, const char *to, uint8_t hash[32]);
/* ... and tell of one change. */
void expect_change(struct process *p, const char *to, const char *what, const char *address);
/* There is none that is due. */
void expect_none(struct process *p);

/* Of the last notice. */
uint64_t notice_number(void);
const char *fact(struct process *p, const char *name);
size_t change_count(struct process *p);
const char *change_text(struct process *p, size_t index, const char *name);

/* The store must be stopped: what a query for one number gives. */
int64_t count_rows(const struct process *p, const char *query);
/* The audit log has a line with this in it. */
void assert_audit(struct process *p, const char *text);

#endif
