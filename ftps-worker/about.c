/* About the server and the session: FEAT, OPTS, HELP, STAT, TYPE and the like. Called by the
 * dispatch; what can be done is read from the table of verbs. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ftps-worker/worker.h"

static bool text_is(struct slice text, const char *word)
{
    return text.len == strlen(word) && strncasecmp((const char *)text.data, word, text.len) == 0;
}

/* ---- FEAT and OPTS (RFC 2389) --------------------------------------------------------------- */

/* "SHA-256*;SHA-512;": a star after the one in use. */
static void hash_feature(const struct worker *w, char *text, size_t size)
{
    size_t len = 0;

    text[0] = '\0';
    for (size_t i = 0; i < digest_count(); i++) {
        if (digest_offered(i))
            len += (size_t)snprintf(text + len, size - len, "%s%s;", digest_name(i),
                                    i == w->digest ? "*" : "");
    }
}

void on_feat(struct worker *w, const struct command *c)
{
    size_t count;
    const struct verb *verbs = verbs_all(&count);
    char more[FACTS_MAX];

    (void)c;
    reply_first(w, 211, "Features:");
    for (size_t i = 0; i < count; i++) {
        const struct verb *v = &verbs[i];
        more[0] = '\0';
        if (v->feature == NULL || (v->run == on_eprt && !w->setup.active))
            continue;
        if (v->run == on_mlst)
            facts_feature(more, w->facts);
        if (v->run == on_hash)
            hash_feature(w, more, sizeof(more));
        reply_between(w, "%s%s%s", v->feature, more[0] != '\0' ? " " : "", more);
    }
    reply(w, 211, "End");
}

static void opts_utf8(struct worker *w, struct slice text)
{
    if (text.len == 0 || text_is(text, "ON"))
        reply(w, 200, "UTF8 is on");
    else
        reply(w, 501, "UTF8 is always on");
}

static void opts_mlst(struct worker *w, struct slice text)
{
    char names[FACTS_MAX] = "";

    w->facts = facts_parse(text);
    facts_names(names, w->facts);
    reply(w, 200, "MLST OPTS%s%s", names[0] != '\0' ? " " : "", names); /* RFC 3659, 7.9 */
}

static void opts_hash(struct worker *w, struct slice text)
{
    const size_t kind = text.len > 0 ? digest_find(text) : w->digest;

    if (kind == digest_count()) {
        reply(w, 501, "Unknown digest; FEAT lists those that are known");
        return;
    }
    w->digest = kind;
    reply(w, 200, "%s", digest_name(kind));
}

void on_opts(struct worker *w, const struct command *c)
{
    static const struct {
        const char *name;
        void (*set)(struct worker *w, struct slice text);
    } options[] = {
        {"UTF8", opts_utf8}, {"UTF-8", opts_utf8}, {"MLST", opts_mlst}, {"HASH", opts_hash}};
    struct slice text;
    char name[16];

    line_split(c->text, name, sizeof(name), &text);
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        if (strcmp(name, options[i].name) == 0) {
            options[i].set(w, text);
            return;
        }
    }
    reply(w, 501, "No such option");
}

/* ---- HELP ----------------------------------------------------------------------------------- */

static void help_all(struct worker *w)
{
    size_t count;
    const struct verb *verbs = verbs_all(&count);
    char line[81];
    size_t len = 0;

    reply_first(w, 214, "These verbs are known; HELP verb says more:");
    for (size_t i = 0; i < count; i++) {
        len += (size_t)snprintf(line + len, sizeof(line) - len, "%-6s", verbs[i].name);
        if (len > sizeof(line) - 16 || i + 1 == count) {
            reply_between(w, "%s", line);
            len = 0;
        }
    }
    reply(w, 214, "End");
}

void on_help(struct worker *w, const struct command *c)
{
    struct slice rest;
    char name[16];

    if (c->text.len == 0) {
        help_all(w);
        return;
    }
    line_split(c->text, name, sizeof(name), &rest);
    const struct verb *verb = verb_find(name);
    if (verb == NULL)
        reply(w, 502, "Unknown verb; HELP lists those that are known");
    else if (verb->run == on_site)
        on_site_help(w, c);
    else
        reply(w, 214, "%s", verb->help);
}

void on_site_help(struct worker *w, const struct command *c)
{
    size_t count;
    const struct verb *sites = verbs_site(&count);

    (void)c;
    reply_first(w, 214, "After SITE:");
    for (size_t i = 0; i < count; i++)
        reply_between(w, "%s", sites[i].help);
    reply(w, 214, "End");
}

/* ---- small ones ----------------------------------------------------------------------------- */

void on_syst(struct worker *w, const struct command *c)
{
    (void)c;
    reply(w, 215, "UNIX Type: L8");
}

void on_clnt(struct worker *w, const struct command *c)
{
    (void)c;
    reply(w, 200, "Noted");
}

void on_noop(struct worker *w, const struct command *c)
{
    (void)c;
    reply(w, 200, "Nothing done");
}

void on_allo(struct worker *w, const struct command *c)
{
    (void)c;
    reply(w, 202, "Not needed");
}

void on_sscn(struct worker *w, const struct command *c)
{
    (void)c;
    reply(w, 502, "No transfers between servers");
}

void on_smnt(struct worker *w, const struct command *c)
{
    (void)c;
    reply(w, 502, "Nothing to mount");
}

/* ---- what a transfer is like ---------------------------------------------------------------- */

void on_type(struct worker *w, const struct command *c)
{
    static const struct {
        const char *name;
        bool ascii;
    } types[] = {{"I", false}, {"A", true}, {"A N", true}, {"L 8", false}, {"L8", false}};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (text_is(c->text, types[i].name)) {
            w->ascii = types[i].ascii;
            reply(w, 200, "Type is %s", w->ascii ? "ASCII" : "binary");
            return;
        }
    }
    reply(w, 504, "Types are A, I and L 8");
}

void on_mode(struct worker *w, const struct command *c)
{
    if (text_is(c->text, "S"))
        reply(w, 200, "Mode is stream");
    else
        reply(w, 504, "The mode is S");
}

void on_stru(struct worker *w, const struct command *c)
{
    if (text_is(c->text, "F"))
        reply(w, 200, "Structure is file");
    else
        reply(w, 504, "The structure is F");
}

/* ---- STAT ----------------------------------------------------------------------------------- */

static void stat_transfer(struct worker *w)
{
    reply(w, 213, "%" PRIu64 " bytes so far", w->work.moved);
}

void on_stat(struct worker *w, const struct command *c)
{
    char tls[128] = "none yet: AUTH TLS";

    if (w->work.kind != WORK_NONE) {
        stat_transfer(w);
        return;
    }
    if (c->text.len > 0) {
        list_as_reply(w, c);
        return;
    }
    if (w->control.secure)
        tls_describe(&w->control.tls, tls, sizeof(tls));
    reply_first(w, 211, "This session:");
    reply_between(w, "Connected from %s", w->client_text);
    reply_between(w, "TLS: %s", tls);
    if (w->state == STATE_OPEN) {
        reply_between(w, "Logged in as %s", w->account);
        reply_between(w, "Type %s, structure file, mode stream", w->ascii ? "ASCII" : "binary");
        reply_between(w, "Data connections: %s", w->private_data ? "private" : "PROT P is needed");
        reply_between(w, "%" PRIu64 " bytes received, %" PRIu64 " sent", w->bytes_in, w->bytes_out);
    } else {
        reply_between(w, "Not logged in");
    }
    reply(w, 211, "End");
}
