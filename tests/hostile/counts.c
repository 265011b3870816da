/* How often each message is heard in one session, held against the section "KIND counts" of
 * matrix.txt: so many times it is taken, the next time ends the worker. Called by main.c. Refuses
 * to run when a message that the matrix lets workers send has no row there. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/hostile/hostile.h"

#define ANY  1200  /* times, where there is no limit: more than any other limit that is set */
#define MANY 10000 /* times, from which on the operator is not asked after each one */

struct count {
    enum message_type type;
    char variant[VARIANT_MAX];
    enum stand stand;
    unsigned most; /* 0: any number */
};

static bool read_count(const char *path, unsigned number, char *line, struct count *c)
{
    char stand[16], most[16];
    char *rest = line, *word = strsep(&rest, " ");

    c->type = row_message(path, number, word, c->variant, sample_known);
    char *const words[] = {stand, most};
    for (size_t i = 0; i < 2; i++) {
        do
            word = strsep(&rest, " ");
        while (word != NULL && *word == '\0');
        if (word == NULL || slice_copy(slice_text(word), words[i], sizeof(stand)) < 0)
            return false;
    }
    for (c->stand = 0; c->stand < STAND_COUNT; c->stand++) {
        if (strcmp(stand_names[c->stand], stand) == 0)
            break;
    }
    c->most = (unsigned)strtoul(most, NULL, 10);
    return rest == NULL && c->stand < STAND_COUNT && (c->most > 0) == (strcmp(most, "any") != 0);
}

/* One answer after the other until there is none any more. Returns how many came. */
static unsigned take_many(struct hostile *h, struct actor *a, const struct sample *s, unsigned most)
{
    unsigned taken = 0;

    while (taken <= most && raw_send(a->link, s->bytes, s->len, NULL, 0, 0) == 0 &&
           raw_receive(h, a->link, answer_ms) == 1)
        taken++;
    return taken;
}

/* So many that it takes a moment: one and the same message, in a long run. */
static void run_many(struct hostile *h, const struct count *c)
{
    static struct sample s;
    struct actor a;

    if (c->most > h->options.flood) {
        printf("  skipped: %u times %s (-f says how many at most)\n", c->most,
               message_info(c->type)->name);
        return;
    }
    actor_make(h, c->stand, &a);
    sample_make(h, &a, c->type, c->variant[0] != '\0' ? c->variant : NULL, &s);
    const uint64_t security = server_status(h).security_events;
    const unsigned taken = take_many(h, &a, &s, c->most);
    const enum seen seen = actor_watch(h, &a, security, 0, 0);
    expect(h, taken == c->most && seen == SEEN_ENDED,
           "counts: %s: %s while %s: %u heard, %u expected, then: %s", role_programs[h->kind],
           message_info(c->type)->name, stand_names[c->stand], taken, c->most, seen_names[seen]);
    sample_free(&s);
    actor_drop(&a);
}

/* Codes come after passwords, one after each: for a token, or the first would be the last. */
static bool counts_codes(const struct hostile *h, const struct count *c)
{
    return h->kind == ROLE_HTTPS && c->type == MSG_auth_code;
}

static void first_step(struct hostile *h, struct actor *a)
{
    uint8_t token[WEB_TOKEN];

    if (web_sign_in(h, a, CODED, PASSWORD, token) != VERDICT_PARTIAL)
        give_up("no code is asked for: see %s/log", h->place);
}

static void run_count(struct hostile *h, const struct count *c)
{
    static struct sample s;
    const unsigned most = c->most != 0 ? c->most : ANY;
    struct actor a;
    unsigned taken = 0;
    enum seen seen = SEEN_GOOD;
    bool good = true;

    actor_make(h, counts_codes(h, c) ? STAND_GREETED : c->stand, &a);
    while (good && taken <= most && (c->most != 0 || taken < most)) {
        sample_make(h, &a, c->type, c->variant[0] != '\0' ? c->variant : NULL, &s);
        if (counts_codes(h, c))
            first_step(h, &a);
        const uint64_t security = server_status(h).security_events;
        if (raw_send(a.link, s.bytes, s.len, NULL, 0, 0) < 0)
            give_up("%s cannot be sent: %s", message_info(c->type)->name, strerror(errno));
        seen = actor_watch(h, &a, security, s.answers ? answer_ms : 0, s.id);
        good = s.answers ? seen == SEEN_GOOD || seen == SEEN_DENIED : seen == SEEN_QUIET;
        taken += good;
        sample_free(&s);
    }
    expect(h, taken == most && (c->most == 0 ? good : seen == SEEN_ENDED),
           "counts: %s: %s%s%s while %s: %u heard, %u expected, then: %s", role_programs[h->kind],
           message_info(c->type)->name, c->variant[0] != '\0' ? "/" : "", c->variant,
           stand_names[c->stand], taken, most, seen_names[seen]);
    actor_drop(&a);
}

static void run_section(struct hostile *h, const char *section)
{
    bool counted[MSG_COUNT] = {false}, inside = false;
    char path[4352], line[256];
    unsigned number = 0;
    struct count c;

    snprintf(path, sizeof(path), "%s/matrix.txt", h->options.matrices);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        give_up("%s: %s", path, strerror(errno));
    while (fgets(line, sizeof(line), f) != NULL) {
        number++;
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '[')
            inside = strcmp(line, section) == 0;
        else if (inside && line[0] != '#' && line[0] != '\0') {
            if (!read_count(path, number, line, &c))
                give_up("%s:%u: message, state, how often", path, number);
            counted[c.type] = true;
            if (!row_skips(h, c.type))
                (c.most > MANY ? run_many : run_count)(h, &c);
        }
    }
    fclose(f);
    for (int t = MSG_NONE + 1; t < MSG_COUNT; t++) {
        if (h->lets[h->kind][t] != counted[t])
            give_up("%s: %s: %s: how often is it heard in one session?", path, section,
                    message_info((enum message_type)t)->name);
    }
}

void counts_run(struct hostile *h)
{
    h->kind = ROLE_HTTPS;
    run_section(h, "[https counts]");
    h->kind = ROLE_FTPS;
    run_section(h, "[ftps counts]");
    h->kind = ROLE_SFTP;
    run_section(h, "[sftp counts]");
}
