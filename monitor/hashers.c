/* The monitor's side of the hashers: a bounded queue of passwords to hash, spread over a few
 * processes that were started once. Every answer, also "cannot", goes to who asked. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "common/log.h"
#include "common/spawn.h"
#include "monitor/monitor.h"

#define RESTART_MS 100
#define WEAK_MAX   255 /* of hashed.weak in messages.def */

static void job_free(struct hash_job *job)
{
    if (job == NULL)
        return;
    secret_clear(&job->password);
    secret_clear(&job->setting);
    free(job);
}

/* Give waiting jobs to hashers that have none. */
static void hand_out(struct monitor *m)
{
    struct hashers *h = &m->hashers;

    for (size_t i = 0; i < m->config.server_hashers && h->first != NULL; i++) {
        struct hasher *hasher = &h->each[i];
        if (!hasher->ready || hasher->job != NULL)
            continue;
        struct hash_job *job = h->first;
        const struct hash_password ask = {.password = secret_slice(&job->password),
                                          .setting = secret_slice(&job->setting),
                                          .judge = job->judge};
        if (send_hash_password(hasher->source.fd, 0, &ask) < 0)
            continue; /* its end is on its way */
        h->first = job->next;
        if (h->first == NULL)
            h->last = &h->first;
        h->queued--;
        hasher->job = job;
    }
}

/* One message: it is ready, once, and then one answer a question. NULL, or what is wrong. */
static const char *hear_hasher(struct monitor *m, void *owner, struct envelope *e)
{
    struct hasher *hasher = owner;
    struct hash_job *job = hasher->job;
    struct secret hash = {0};
    struct hash_ready ready;
    struct hashed answer;
    char weak[WEAK_MAX + 1];

    if (!hasher->ready) {
        if (decode_hash_ready(e, &ready) < 0)
            return "sent another message than that it is ready";
        hasher->ready = true;
        m->hashers.layers = ready.layers;
        return NULL;
    }
    if (job == NULL || decode_hashed(e, &answer) < 0 ||
        slice_copy(answer.weak, weak, sizeof(weak)) < 0 ||
        (weak[0] != '\0' && (!job->judge || answer.hash.len > 0)))
        return "sent what it was not asked for";
    /* The handler may ask again and receive into the same envelope: copy first. */
    hasher->job = NULL;
    secret_set(&hash, answer.hash);
    envelope_clear(e);
    job->answer(m, job->session, secret_slice(&hash), slice_text(weak));
    secret_clear(&hash);
    job_free(job);
    return NULL;
}

void hasher_heard(struct monitor *m, struct source *source, uint32_t events)
{
    struct hasher *hasher = source->owner;

    (void)events;
    if (!child_heard(m, source, hasher->pid, "hasher", hear_hasher))
        hasher->ready = false;
    hand_out(m);
}

static int start_one(struct monitor *m, struct hasher *hasher)
{
    const struct hash_setup setup = {
        .empty_dir = slice_text(m->empty_dir),
        .uid = m->root ? m->config.server_hasher_id : 0,
        .gid = m->root ? m->config.server_hasher_id : 0,
        .cost = m->config.server_hash_cost,
    };

    hasher->restart_ms = 0;
    hasher->source = (struct source){.fd = -1, .ready = hasher_heard, .owner = hasher};
    hasher->pid = priv_spawn(m->config.server_programs, "sallyport-hash", &hasher->source.fd);
    if (hasher->pid < 0) {
        log_error("cannot start %s/sallyport-hash: %s", m->config.server_programs, strerror(errno));
        hasher->pid = 0;
        return -1;
    }
    /* One that is not set up would wait for ever. Its end is heard as any other's. */
    if (source_watch(m, &hasher->source, EPOLLIN) < 0 ||
        send_hash_setup(hasher->source.fd, 0, &setup) < 0) {
        log_error("a hasher cannot be set up: %s", strerror(errno));
        kill(hasher->pid, SIGKILL);
    }
    return 0;
}

int hashers_start(struct monitor *m)
{
    m->hashers.last = &m->hashers.first;
    for (size_t i = 0; i < m->config.server_hashers; i++) {
        if (start_one(m, &m->hashers.each[i]) < 0)
            return -1;
    }
    return 0;
}

int hash_ask(struct monitor *m, struct slice password, struct slice setting, bool judge,
             uint64_t session, hash_answer answer)
{
    struct hashers *h = &m->hashers;
    struct hash_job *job = h->queued < HASH_QUEUE_MAX ? calloc(1, sizeof(*job)) : NULL;

    if (job == NULL)
        return -1;
    if (secret_set(&job->password, password) < 0 || secret_set(&job->setting, setting) < 0) {
        job_free(job);
        return -1;
    }
    job->session = session;
    job->answer = answer;
    job->judge = judge;
    *h->last = job;
    h->last = &job->next;
    h->queued++;
    hand_out(m);
    return 0;
}

bool hashers_gone(struct monitor *m, pid_t pid)
{
    for (size_t i = 0; i < m->config.server_hashers; i++) {
        struct hasher *hasher = &m->hashers.each[i];
        struct hash_job *job = hasher->job;
        if (hasher->pid != pid)
            continue;
        source_close(m, &hasher->source);
        hasher->pid = 0;
        hasher->ready = false;
        hasher->job = NULL;
        hasher->restart_ms = now_ms() + RESTART_MS;
        if (!m->stop)
            log_error("a hasher ended; another is started");
        if (job != NULL) {
            job->answer(m, job->session, slice_of(NULL, 0), slice_of(NULL, 0));
            job_free(job);
        }
        return true;
    }
    return false;
}

void hashers_tick(struct monitor *m, int64_t now)
{
    for (size_t i = 0; i < m->config.server_hashers; i++) {
        struct hasher *hasher = &m->hashers.each[i];
        if (!m->stop && hasher->restart_ms != 0 && now >= hasher->restart_ms &&
            start_one(m, hasher) < 0)
            hasher->restart_ms = now + RESTART_MS;
    }
}

void hashers_stop(struct monitor *m)
{
    struct hashers *h = &m->hashers;

    for (size_t i = 0; i < HASHERS_MAX; i++) {
        if (h->each[i].pid > 0)
            source_close(m, &h->each[i].source); /* it ends by itself */
        job_free(h->each[i].job);
        h->each[i].job = NULL;
    }
    while (h->first != NULL) {
        struct hash_job *job = h->first;
        h->first = job->next;
        job_free(job);
    }
    h->last = &h->first;
    h->queued = 0;
}
