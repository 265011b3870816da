/* From AUTH to PASS. Nothing is decided here: the monitor's verdict opens the session or does not,
 * and what a hacked worker could change is only what its own client is told. */
#include <string.h>
#include <strings.h>

#include "ftps-worker/worker.h"

#define REFUSALS_MOST 20 /* tries that cannot even be asked about */

static bool text_is(struct slice text, const char *word)
{
    return text.len == strlen(word) && strncasecmp((const char *)text.data, word, text.len) == 0;
}

void on_host(struct worker *w, const struct command *c)
{
    (void)c;
    reply(w, 220, "This server is the same under each of its names"); /* RFC 7151, 3.1 */
}

/* ---- security (RFC 4217) -------------------------------------------------------------------- */

void on_auth(struct worker *w, const struct command *c)
{
    /* Those that mean a protected data connection too, from the drafts before RFC 4217. */
    static const struct {
        const char *name;
        bool private_data;
    } mechanisms[] = {{"TLS", false}, {"TLS-C", false}, {"SSL", true}, {"TLS-P", true}};

    if (w->control.secure) {
        reply(w, 503, "TLS is spoken already");
        return;
    }
    for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++) {
        if (text_is(c->text, mechanisms[i].name)) {
            w->private_data = mechanisms[i].private_data;
            reply(w, 234, "Begin TLS");
            control_secure(w);
            return;
        }
    }
    reply(w, 504, "Unknown mechanism: AUTH TLS");
}

void on_pbsz(struct worker *w, const struct command *c)
{
    for (size_t i = 0; i < c->text.len; i++) {
        if (c->text.data[i] < '0' || c->text.data[i] > '9') {
            reply(w, 501, "A number: PBSZ 0");
            return;
        }
    }
    w->pbsz = true;
    if (slice_is(c->text, "0"))
        reply(w, 200, "PBSZ=0");
    else
        reply(w, 200, "PBSZ=0 (TLS needs no buffer)");
}

void on_prot(struct worker *w, const struct command *c)
{
    if (!w->pbsz) {
        reply(w, 503, "PBSZ 0 comes first");
    } else if (text_is(c->text, "P")) {
        w->private_data = true;
        reply(w, 200, "Data connections are private");
    } else if (text_is(c->text, "C")) {
        reply(w, 534, "Data connections are protected here: PROT P");
    } else if (text_is(c->text, "S") || text_is(c->text, "E")) {
        reply(w, 536, "TLS has no such level: PROT P");
    } else {
        reply(w, 504, "Unknown level: PROT P");
    }
}

void on_ccc(struct worker *w, const struct command *c)
{
    (void)c;
    if (w->control.secure)
        reply(w, 534, "This connection stays protected");
    else
        reply(w, 533, "This connection is not protected yet: AUTH TLS");
}

/* ---- login ---------------------------------------------------------------------------------- */

/* The same answer whatever the name: which accounts there are is not told. */
void on_user(struct worker *w, const struct command *c)
{
    w->user_fits = slice_copy(c->text, w->user, sizeof(w->user)) == 0;
    w->code_due = false;
    w->state = STATE_NAMED;
    reply(w, 331, "The password, please: PASS");
}

static void refuse(struct worker *w, const char *why)
{
    w->code_due = false;
    w->state = STATE_SECURE;
    reply(w, 530, "%s", why);
}

static void refuse_here(struct worker *w)
{
    if (++w->refusals > REFUSALS_MOST)
        stop_because(&w->stop, "too many failed tries");
    else
        refuse(w, "Login incorrect");
}

static void open_session(struct worker *w, const struct verdict *v)
{
    const int fd = monitor_take_fd(&w->monitor);

    if (fd != FD_AGENT || agent_open(&w->agent, fd) < 0) { /* the filter knows it by its number */
        stop_because(&w->stop, "the server could not open the session");
        return;
    }
    slice_copy(v->account, w->account, sizeof(w->account));
    w->uid = v->uid;
    w->gid = v->gid;
    w->flags = v->flags;
    w->in.rate = w->out.rate = v->bandwidth;
    w->state = STATE_OPEN;
    reply(w, 230, "Logged in");
}

/* What comes of a try. The code of an authenticator is asked for by 336, and shown by PASS or ACCT;
 * who cannot be asked has it behind the password. */
static void ask(struct worker *w, enum message_type type, const void *question)
{
    struct verdict v;
    char why[256];

    if (monitor_ask(&w->monitor, type, question, MSG_verdict, &v) < 0)
        return;
    slice_copy(v.reason, why, sizeof(why));
    w->code_due = v.outcome == VERDICT_PARTIAL && (v.methods & AUTH_CODE) != 0;
    switch (v.outcome) {
    case VERDICT_OPEN:
        open_session(w, &v);
        break;
    case VERDICT_PARTIAL:
        if (w->code_due)
            reply(w, 336, "The code of your authenticator, please: PASS");
        else
            refuse(w, "This account needs a key beside the password: connect with SFTP");
        break;
    case VERDICT_ENOUGH:
        stop_because(&w->stop, why[0] != '\0' ? why : "too many failed tries");
        break;
    default:
        refuse(w, why[0] != '\0' ? why : "Login incorrect");
    }
}

static void ask_code(struct worker *w, struct slice code)
{
    const struct auth_code question = {.code = code};

    if (code.len > 64)
        refuse_here(w);
    else
        ask(w, MSG_auth_code, &question);
}

void on_pass(struct worker *w, const struct command *c)
{
    const struct auth_password question = {.user = slice_text(w->user), .password = c->text};

    if (w->code_due)
        ask_code(w, c->text);
    else if (!w->user_fits || c->text.len > 1024)
        refuse_here(w);
    else
        ask(w, MSG_auth_password, &question);
}

void on_acct(struct worker *w, const struct command *c)
{
    if (w->code_due)
        ask_code(w, c->text);
    else
        reply(w, 202, "Not needed");
}

void on_rein(struct worker *w, const struct command *c)
{
    (void)c;
    reply(w, 502, "Connect again to log in again");
}

void on_quit(struct worker *w, const struct command *c)
{
    (void)c;
    reply(w, 221, "Goodbye");
    w->quitting = true;
    stop_because(&w->stop, "the client ended the session");
}
