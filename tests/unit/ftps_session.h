/* A session of the FTP engine for tests: its folder served by a simple agent in a child process. */
#ifndef SALLYPORT_FTPS_SESSION_H
#define SALLYPORT_FTPS_SESSION_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/fake_agent.h"
#include "tests/unit/ftps_fake.h"

struct test {
    struct ftps_fake f;
    struct fake_agent agent;
    char folder[64];
};

/* Setup and teardown of cmocka. */
int session_start(void **state);
int session_end(void **state);

/* Say lines; returns all that was answered. */
const char *say(struct test *t, const char *lines);
#define assert_says(t, line, reply) assert_string_equal(say(t, line "\r\n"), reply "\r\n")
#define assert_begins(t, line, reply)                                                              \
    assert_memory_equal(say(t, line "\r\n"), reply, sizeof(reply) - 1)

/* Files in the folder, behind the engine's back. */
const char *below(struct test *t, const char *name);
void put_file(struct test *t, const char *name, const void *bytes, size_t len);
void assert_file(struct test *t, const char *name, const void *bytes, size_t len);
/* What the client got over data connections is this; forgotten then. */
void assert_sent(struct test *t, const void *bytes, size_t len);

#define IN_SESSION(test) cmocka_unit_test_setup_teardown(test, session_start, session_end)

#endif
