/* Questions to the file agent and their answers, one at a time. What the agent sends is checked
 * like anything from another process: a wrong number, a wrong kind of message or a message that
 * does not decode breaks the link for good, since nothing after it could be matched to its
 * question. */
#include "common/agent_link.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

int agent_open(struct agent_link *agent, int socket)
{
    *agent = (struct agent_link){.socket = socket};
    agent->answer = malloc(sizeof(*agent->answer));
    if (agent->answer == NULL)
        return -1;
    agent->answer->type = MSG_NONE;
    agent->answer->len = agent->answer->fd_count = 0;
    return 0;
}

void agent_close(struct agent_link *agent)
{
    if (agent->answer != NULL)
        envelope_clear(agent->answer);
    free(agent->answer);
    agent->answer = NULL;
}

/* Wait until the socket can be read or written: needed when it is a non-blocking one. */
static int wait_for(int socket, short events)
{
    struct pollfd p = {.fd = socket, .events = events};

    while (poll(&p, 1, -1) < 0) {
        if (errno != EINTR)
            return -1;
    }
    return 0;
}

/* Returns 0, or -1 with errno. */
static int send_question(struct agent_link *agent, enum message_type type, const void *question)
{
    while (message_send(agent->socket, type, agent->id, question, NULL, 0) < 0) {
        if (errno != EAGAIN || wait_for(agent->socket, POLLOUT) < 0)
            return -1;
    }
    return 0;
}

/* Returns 0 with an answer that has the id, or -1. */
static int receive_one(struct agent_link *agent, uint32_t id)
{
    int got;

    while ((got = message_receive(agent->socket, agent->answer, 0)) < 0) {
        if (errno != EAGAIN || wait_for(agent->socket, POLLIN) < 0)
            return -1;
    }
    if (got == 0 || agent->answer->id != id ||
        message_info(agent->answer->type)->link != AGENT_TO_WORKER)
        return -1;
    return 0;
}

/* Returns 0 with the answer to the last question, or -1. Those before it come first. */
static int receive_answer(struct agent_link *agent)
{
    for (; agent->unheard > 0; agent->unheard--) {
        if (receive_one(agent, agent->id - agent->unheard) < 0)
            return -1;
        envelope_clear(agent->answer);
    }
    return receive_one(agent, agent->id);
}

/* A status where something else was hoped for, or awaited. Returns as agent_ask. */
static int read_status(struct agent_link *agent, bool awaited)
{
    struct file_status status;

    if (decode_file_status(agent->answer, &status) < 0 || status.error > INT32_MAX)
        return -1;
    if (status.error == 0)
        return awaited ? 0 : -1;
    agent->text = status.text;
    return (int)status.error;
}

int agent_ask(struct agent_link *agent, enum message_type type, const void *question,
              enum message_type expect, void *answer)
{
    int result = -1;

    agent->text = slice_of(NULL, 0);
    envelope_clear(agent->answer);
    if (agent->broken)
        return -1;
    agent->id++;
    if (send_question(agent, type, question) < 0) {
        /* A question that cannot be said was not sent: it fails alone. */
        if (errno == EINVAL || errno == EMSGSIZE) {
            agent->id--;
            return errno;
        }
        goto out;
    }
    if (receive_answer(agent) < 0)
        goto out;
    if (agent->answer->type == MSG_file_status)
        result = read_status(agent, expect == MSG_file_status);
    else if (message_decode(agent->answer, expect, answer) == 0)
        result = 0;
out:
    if (result < 0)
        agent->broken = true;
    return result;
}

void agent_tell(struct agent_link *agent, enum message_type type, const void *question)
{
    if (agent->broken)
        return;
    agent->id++;
    if (send_question(agent, type, question) == 0)
        agent->unheard++;
    else if (errno == EINVAL || errno == EMSGSIZE)
        agent->id--; /* it was not sent: as if nothing had been said */
    else
        agent->broken = true;
}

int agent_do(struct agent_link *agent, enum message_type type, const void *question)
{
    return agent_ask(agent, type, question, MSG_file_status, NULL);
}

int agent_take_fd(struct agent_link *agent)
{
    return envelope_take_fd(agent->answer, 0);
}
