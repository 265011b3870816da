/* An agent in the test's hand: what stands in for sallyport-files, with its three links. Called by
 * agent.c, files.c and rights.c; while one of these runs, every agent is the test's unless it is
 * let become a real one. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/hostile/hostile.h"

void agents_by_hand(struct hostile *h, bool by_hand)
{
    if (by_hand)
        h->by_hand |= 1u << ROLE_AGENT;
    else
        h->by_hand &= ~(1u << ROLE_AGENT);
}

void agent_take(struct hostile *h, struct agent *g)
{
    g->worker = g->report = -1;
    if (!child_next(h, ROLE_AGENT, &g->child, PATIENCE_MS))
        give_up("no agent was started: see %s/log", h->place);
    if (raw_receive(h, g->child.link, PATIENCE_MS) != 1 ||
        decode_agent_setup(&h->envelope, &g->setup) < 0)
        give_up("an agent was not set up");
    g->session = g->setup.session;
    g->worker = envelope_take_fd(&h->envelope, 0);
    g->report = envelope_take_fd(&h->envelope, 1);
}

void agent_begin(struct hostile *h, struct actor *a, struct agent *g)
{
    actor_make(h, STAND_KEYED, a);
    login_begin(h, a);
    agent_take(h, g);
}

void agent_say_ready(struct agent *g)
{
    const struct agent_ready ready = {.layers = 0xff};

    if (send_agent_ready(g->child.link, 0, &ready) < 0)
        give_up("agent_ready: %s", strerror(errno));
}

void agent_open(struct hostile *h, struct actor *a, struct agent *g)
{
    agent_begin(h, a, g);
    agent_say_ready(g);
    if (actor_verdict(h, a) != VERDICT_OPEN)
        give_up("an agent that is ready opens no session");
}

void agent_drop(struct agent *g)
{
    child_drop(&g->child);
    if (g->worker >= 0)
        close(g->worker);
    if (g->report >= 0)
        close(g->report);
    g->worker = g->report = -1;
}
