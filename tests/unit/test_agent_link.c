/* Questions to the agent and what comes back, right and wrong: the other end is this test's.
 * Answers are sent before they are asked for, as a socket keeps them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/agent_link.h"

struct both {
    int other;
    struct agent_link agent;
};

static int begin(void **state)
{
    struct both *both = calloc(1, sizeof(*both));
    int pair[2];

    if (both == NULL || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ||
        agent_open(&both->agent, pair[0]) < 0)
        return -1;
    both->other = pair[1];
    *state = both;
    return 0;
}

static int end(void **state)
{
    struct both *both = *state;

    agent_close(&both->agent);
    close(both->agent.socket);
    close(both->other);
    free(both);
    return 0;
}

static void say(struct both *both, uint32_t id, uint32_t error)
{
    const struct file_status status = {.error = error};

    assert_int_equal(send_file_status(both->other, id, &status), 0);
}

static int mkdir_asked(struct both *both)
{
    const struct file_mkdir ask = {.path = slice_text("/x")};

    return agent_do(&both->agent, MSG_file_mkdir, &ask);
}

static void close_told(struct both *both)
{
    const struct file_close told = {.handle = 7};

    agent_tell(&both->agent, MSG_file_close, &told);
}

static void test_an_answer(void **state)
{
    struct both *both = *state;

    say(both, 1, 0);
    say(both, 2, ENOENT);
    assert_int_equal(mkdir_asked(both), 0);
    assert_int_equal(mkdir_asked(both), ENOENT);
    assert_false(both->agent.broken);
}

/* What is said without waiting is answered first, and that answer is nobody's. */
static void test_what_is_told_is_dropped(void **state)
{
    struct both *both = *state;

    say(both, 1, EIO);
    say(both, 2, EIO);
    say(both, 3, EEXIST);
    say(both, 4, 0);
    close_told(both);
    close_told(both);
    assert_int_equal(mkdir_asked(both), EEXIST);
    assert_int_equal(mkdir_asked(both), 0);
}

/* Nothing is taken for the answer to another question. */
static void test_answers_in_the_wrong_order(void **state)
{
    struct both *both = *state;

    say(both, 2, 0);
    say(both, 1, 0);
    close_told(both);
    assert_int_equal(mkdir_asked(both), -1);
    assert_true(both->agent.broken);
    assert_int_equal(mkdir_asked(both), -1);
}

static void test_an_answer_too_few(void **state)
{
    struct both *both = *state;

    close_told(both);
    say(both, 1, 0);
    assert_int_equal(shutdown(both->other, SHUT_WR), 0);
    assert_int_equal(mkdir_asked(both), -1);
}

/* A question that cannot be said fails alone; the next has its answer. */
static void test_a_question_too_long(void **state)
{
    static const uint8_t path[70000];
    struct both *both = *state;
    const struct file_mkdir ask = {.path = slice_of(path, sizeof(path))};

    close_told(both);
    say(both, 1, 0);
    say(both, 2, 0);
    assert_in_set(agent_do(&both->agent, MSG_file_mkdir, &ask),
                  ((unsigned long[]){EINVAL, EMSGSIZE}), 2);
    assert_int_equal(mkdir_asked(both), 0);
}

static void test_telling_when_nobody_listens(void **state)
{
    struct both *both = *state;

    assert_int_equal(shutdown(both->agent.socket, SHUT_WR), 0);
    close_told(both);
    assert_true(both->agent.broken);
    assert_int_equal(mkdir_asked(both), -1);
}

int main(void)
{
#define WITH_LINK(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        WITH_LINK(test_an_answer),
        WITH_LINK(test_what_is_told_is_dropped),
        WITH_LINK(test_answers_in_the_wrong_order),
        WITH_LINK(test_an_answer_too_few),
        WITH_LINK(test_a_question_too_long),
        WITH_LINK(test_telling_when_nobody_listens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
