/* What people do with their own accounts. Before a login, over a connection of its own: a mailed
 * link, a lost password, a change that the password was just shown for. After it: questions of the
 * account's page, into which the account's name is written here. Called by the dispatcher and by
 * auth.c. The store decides and answers; nothing a worker says names another account. */
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "monitor/monitor.h"

#define BUSY "The server is busy: look whether it was done, and try again."

/* What the store said goes back as it is, with a line for the audit log where it did something.
 * No answer: it is refused, and why. weak: of a new password, else empty. */
static void forward(struct monitor *m, struct session *s, uint32_t id, struct envelope *answer,
                    struct slice weak)
{
    const struct store_refused refused = {.error = weak.len > 0 ? EINVAL : EAGAIN,
                                          .text = weak.len > 0 ? weak : slice_text(BUSY)};
    struct slice text = slice_of(NULL, 0);
    struct store_done done;
    struct recovery_codes codes;

    s->own_asked = false;
    if (s->state == STATE_ENDING)
        return;
    if (answer != NULL && decode_store_done(answer, &done) == 0)
        text = done.text;
    else if (answer != NULL && decode_recovery_codes(answer, &codes) == 0)
        text = codes.text;
    if (text.len > 0) {
        session_audit(m, s, "account-change", "%.*s", (int)text.len, (const char *)text.data);
        /* The loop sees to it that no connection outlives its web session, nor its flags. */
        slice_copy(slice_text(s->account[0] != '\0' ? s->account : s->login.name), s->changed,
                   sizeof(s->changed));
        m->own_due = true;
    }
    if ((answer != NULL ? message_forward(s->worker.fd, answer, id)
                        : send_store_refused(s->worker.fd, id, &refused)) < 0)
        session_end(m, s, "its worker is gone");
}

/* ------------------------------------------------------------------------- ended web sessions */

static void on_web_looked_up(struct monitor *m, uint64_t number, uint32_t id,
                             struct envelope *answer)
{
    struct session *s = session_find(m, number);
    struct account account;

    (void)id;
    if (s == NULL || answer == NULL)
        return;
    if (answer->type == MSG_nothing_more)
        session_stop(m, s, "signed out");
    else if (decode_account(answer, &account) == 0)
        s->login.flags = account.flags; /* codes that were due may be there now */
}

/* Whoever came by a web session of this account: is it still one? What may it? */
static void look_web_up(struct monitor *m, const char *account)
{
    for (struct session *s = m->sessions; s != NULL; s = s->next) {
        const struct store_find find = {.token = slice_of(s->web, sizeof(s->web))};
        if (s->by_token && s->state != STATE_ENDING && strcmp(s->account, account) == 0)
            store_ask(m, MSG_store_find, &find, s->number, on_web_looked_up);
    }
}

void own_changed(struct monitor *m)
{
    m->own_due = false;
    for (struct session *s = m->sessions; s != NULL; s = s->next) {
        if (s->changed[0] != '\0')
            look_web_up(m, s->changed);
        s->changed[0] = '\0';
    }
}

/* ------------------------------------------------------------------------- before a login */

/* The end of what was begun before a login, however it went: another may begin. */
static void finish(struct monitor *m, struct session *s, struct envelope *answer, struct slice weak)
{
    s->state = STATE_GREETED;
    forward(m, s, s->login.request_id, answer, weak);
    login_clear(&s->login);
}

static void on_changed(struct monitor *m, uint64_t number, uint32_t id, struct envelope *answer)
{
    struct session *s = session_find(m, number);

    (void)id;
    if (s != NULL && s->state == STATE_CHECKING)
        finish(m, s, answer, slice_of(NULL, 0));
}

static void on_new_hash(struct monitor *m, uint64_t number, struct slice hash, struct slice weak)
{
    struct session *s = session_find(m, number);

    if (s == NULL || s->state != STATE_CHECKING)
        return;
    struct login *l = &s->login;
    const struct password_change change = {
        .name = slice_text(l->by_link ? "" : l->name),
        .link = slice_of(l->link, l->by_link ? sizeof(l->link) : 0),
        .password = hash,
        .address = slice_text(s->address.text),
    };
    if (hash.len > 0)
        store_ask(m, MSG_password_change, &change, number, on_changed);
    else
        finish(m, s, NULL, weak);
}

static void hash_fresh(struct monitor *m, struct session *s)
{
    if (hash_ask(m, secret_slice(&s->login.fresh), slice_of(NULL, 0), true, s->number,
                 on_new_hash) < 0)
        on_changed(m, s->number, 0, NULL);
}

void own_change(struct monitor *m, struct session *s)
{
    struct login *l = &s->login;
    const struct address_change address = {
        .name = slice_text(l->name),
        .email = secret_slice(&l->fresh),
        .address = slice_text(s->address.text),
    };
    const struct totp_begin codes = {.name = slice_text(l->name)};

    if (l->purpose == PURPOSE_PASSWORD)
        hash_fresh(m, s);
    else if (l->purpose == PURPOSE_ADDRESS)
        store_ask(m, MSG_address_change, &address, s->number, on_changed);
    else
        store_ask(m, MSG_totp_begin, &codes, s->number, on_changed);
}

/* What the link is for. Looked at only: that is the answer; else it is done. */
static void on_link(struct monitor *m, uint64_t number, uint32_t id, struct envelope *answer)
{
    struct session *s = session_find(m, number);
    struct link_is link;

    if (s == NULL || s->state != STATE_CHECKING || !s->login.by_link || answer == NULL ||
        decode_link_is(answer, &link) < 0) {
        on_changed(m, number, id, answer);
    } else if (link.kind == LINK_ADDRESS) {
        const struct link_confirm confirm = {
            .link = slice_of(s->login.link, sizeof(s->login.link)),
            .address = slice_text(s->address.text),
        };
        store_ask(m, MSG_link_confirm, &confirm, number, on_changed);
    } else {
        slice_copy(link.name, s->login.name, sizeof(s->login.name));
        hash_fresh(m, s);
    }
}

int on_auth_link(struct monitor *m, struct session *s, struct envelope *e, const char **why)
{
    struct login *l = &s->login;
    struct auth_link claim;

    *why = "sent an auth_link that does not decode";
    if (decode_auth_link(e, &claim) < 0 || claim.token.len != WEB_TOKEN)
        return -1;
    login_clear(l);
    l->request_id = e->id;
    l->by_link = claim.use != 0;
    if (secret_set(&l->fresh, claim.fresh) < 0 || web_hash(claim.token.data, l->link) < 0) {
        on_changed(m, s->number, 0, NULL);
        return 0;
    }
    const struct link_show show = {.link = slice_of(l->link, sizeof(l->link))};
    store_ask(m, MSG_link_show, &show, s->number, on_link);
    return 0;
}

/* Answered at once: how long the store takes would say whether there is such an account. */
int on_lost_password(struct monitor *m, struct session *s, struct envelope *e, const char **why)
{
    const struct store_done heard = {0};
    struct lost_password lost;

    *why = "sent a lost_password that does not decode";
    if (decode_lost_password(e, &lost) < 0)
        return -1;
    session_audit(m, s, "lost-password", "%.*s", (int)lost.name.len, (const char *)lost.name.data);
    const struct link_lost link = {.name = lost.name, .address = slice_text(s->address.text)};
    store_ask(m, MSG_link_lost, &link, s->number, NULL);
    return answered(m, s, send_store_done(s->worker.fd, e->id, &heard), why);
}

/* ------------------------------------------------------------------------- after it */

static void on_own_answer(struct monitor *m, uint64_t number, uint32_t id, struct envelope *answer)
{
    struct session *s = session_find(m, number);

    (void)id;
    if (s != NULL)
        forward(m, s, s->own_id, answer, slice_of(NULL, 0));
}

/* All that is passed on; the account's name comes first in each. */
#define OWN_QUESTIONS(each)                                                                        \
    each(own_show) each(key_add) each(key_next) each(key_remove) each(web_next) each(web_end)      \
        each(totp_confirm) each(totp_remove)
#define MEMBER(type)     struct type type;
#define NAME_FIRST(type) static_assert(offsetof(struct type, name) == 0, #type);
union own_question {
    struct slice name;
    OWN_QUESTIONS(MEMBER)
};
OWN_QUESTIONS(NAME_FIRST)

int on_own(struct monitor *m, struct session *s, struct envelope *e, const char **why)
{
    union own_question question;

    *why = "asked about its account what does not decode, or before it was answered";
    if (message_decode(e, e->type, &question) < 0 || s->own_asked)
        return -1;
    s->own_asked = true; /* one at a time: no session fills the queue to the store */
    question.name = slice_text(s->account);
    if (e->type == MSG_totp_remove)
        question.totp_remove.by_operator = 0;
    if (e->type == MSG_web_next)
        question.web_next.own = slice_of(s->web, s->by_token ? sizeof(s->web) : 0);
    s->own_id = e->id;
    store_ask(m, e->type, &question, s->number, on_own_answer);
    return 0;
}

int on_own_sessions(struct monitor *m, struct session *s, struct envelope *e, const char **why)
{
    struct session_next next;

    *why = "sent a session_next that does not decode";
    if (decode_session_next(e, &next) < 0)
        return -1;
    next.account = slice_text(s->account);
    return answered(m, s, sessions_tell(m, s->worker.fd, e->id, &next), why);
}

int on_own_session_kill(struct monitor *m, struct session *s, struct envelope *e, const char **why)
{
    struct session_kill kill;

    *why = "sent a session_kill that does not decode";
    if (decode_session_kill(e, &kill) < 0)
        return -1;
    kill.account = slice_text(s->account);
    const struct control_done done = {.count = sessions_kill(m, &kill, "ended by its account")};
    return answered(m, s, send_control_done(s->worker.fd, e->id, &done), why);
}
