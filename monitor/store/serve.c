/* The loop and the table of messages. All that waits is handled, then what it wrote goes to the
 * disk together, then it is answered: nothing is ever acknowledged that a crash could take back.
 * Called by main.c inside the sandbox; must never end because of what an agent or the operator
 * sent. */
#include "monitor/store/store.h"

#include <errno.h>
#include <string.h>

#include "common/facts.h"
#include "common/log.h"
#include "monitor/store/codes.h"
#include "monitor/store/folders.h"
#include "monitor/store/links.h"
#include "monitor/store/own.h"

/* ------------------------------------------------------------------------------- answers */

/* A monitor that is gone shows as the end of its link, behind what it still sent. Any other answer
 * that is lost would be waited for in vain, and what was told would be kept in the monitor: then
 * this store ends, and the next one is told all that again. */
static void sent(struct store *s, int r)
{
    if (r == 0 || errno == EPIPE || errno == ECONNRESET)
        return;
    log_error("an answer could not be sent, the store begins anew: %s", strerror(errno));
    s->ended = true;
}

static void answer_done(struct store *s, uint32_t id)
{
    const struct store_done done = {0};

    sent(s, send_store_done(FD_MONITOR, id, &done));
}

static void answer_refused(struct store *s, uint32_t id, const struct refusal *why)
{
    const struct store_refused refused = {.error = (uint32_t)why->error,
                                          .text = slice_text(why->text)};

    sent(s, send_store_refused(FD_MONITOR, id, &refused));
}

static void answer_nothing(struct store *s, uint32_t id)
{
    const struct nothing_more nothing = {0};

    sent(s, send_nothing_more(FD_MONITOR, id, &nothing));
}

/* What was found, a message of this type; or that there is none, or why it cannot be told. */
static void answer_found(struct store *s, uint32_t id, int found, enum message_type type,
                         const void *answer, const struct refusal *why)
{
    if (found < 0)
        answer_refused(s, id, why);
    else if (found == 0)
        answer_nothing(s, id);
    else
        sent(s, message_send(FD_MONITOR, type, id, answer, NULL, 0));
    accounts_done(&s->accounts);
}

/* All that waited for the same thing gets the same answer. */
static void answer_waiting(struct store *s, struct waiting *waiting, const struct refusal *why)
{
    for (size_t i = 0; i < waiting->count; i++) {
        if (why == NULL)
            answer_done(s, waiting->ids[i]);
        else
            answer_refused(s, waiting->ids[i], why);
    }
    waiting->count = 0;
}

/* ------------------------------------------------------------------------------- handlers */

/* Room for the answer to any question that the table names. */
union any_answer {
    struct account account;
    struct key key;
    struct folder_set folder_set;
    struct folder_member folder_member;
    struct own_is own;
    struct web_is web;
    struct link_is link;
};

/* The transaction that is open, with the logins in it, goes to the disk. */
static int commit(struct store *s, struct refusal *why)
{
    const int r = accounts_commit(&s->accounts, why);

    answer_waiting(s, &s->logins, r < 0 ? why : NULL);
    return r;
}

int store_do(struct store *s, accounts_change change, const void *message, struct outcome *done,
             struct refusal *why)
{
    struct audit_subject subject = {0};

    if (accounts_do(&s->accounts, change, message, done, why) < 0) {
        if (why->hard) /* they were in the same transaction */
            answer_waiting(s, &s->logins, why);
        return -1;
    }
    if (done->event != NULL) {
        snprintf(subject.account, sizeof(subject.account), "%s", done->account);
        snprintf(subject.address, sizeof(subject.address), "%s", done->address);
        audit_note(&s->audit, done->event, &subject, "%s", done->line);
    }
    return 0;
}

int store_change(struct store *s, accounts_change change, const void *message, struct outcome *done,
                 struct refusal *why)
{
    return store_do(s, change, message, done, why) < 0 || commit(s, why) < 0 ? -1 : 0;
}

/* A login waits for those after it in the same round: its times are worth no sync of their own. */
static void on_login(struct store *s, uint32_t id, const void *message)
{
    struct refusal why;
    struct outcome done;

    if (store_do(s, accounts_login, message, &done, &why) < 0)
        answer_refused(s, id, &why);
    else
        s->logins.ids[s->logins.count++] = id;
}

/* What a change that is on the disk has to say. */
static void answer_outcome(struct store *s, uint32_t id, const struct outcome *done)
{
    const struct store_done is = {.number = done->number, .text = slice_text(done->text)};
    const struct store_refused refused = {.error = (uint32_t)done->error,
                                          .text = slice_text(done->text)};
    const struct recovery_codes codes = {.codes = secret_slice(&done->secret),
                                         .text = slice_text(done->text)};
    const struct totp_secret secret = {.secret = secret_slice(&done->secret),
                                       .issuer = slice_text(s->accounts.own.organisation)};

    if (done->error != 0)
        sent(s, send_store_refused(FD_MONITOR, id, &refused));
    else if (done->answer == MSG_totp_secret)
        sent(s, send_totp_secret(FD_MONITOR, id, &secret));
    else if (done->answer == MSG_recovery_codes)
        sent(s, send_recovery_codes(FD_MONITOR, id, &codes));
    else
        sent(s, send_store_done(FD_MONITOR, id, &is));
}

static void on_change(struct store *s, uint32_t id, const void *message, accounts_change change)
{
    struct refusal why;
    struct outcome done;

    if (store_change(s, change, message, &done, &why) < 0)
        answer_refused(s, id, &why);
    else
        answer_outcome(s, id, &done);
    secret_clear(&done.secret);
}

static void on_question(struct store *s, uint32_t id, const void *message,
                        accounts_question question, enum message_type type)
{
    struct refusal why;
    union any_answer answer;
    const int found = question(&s->accounts, message, &answer, &why);

    answer_found(s, id, found, type, &answer, &why);
}

static void on_audit(struct store *s, uint32_t id, const void *message)
{
    struct refusal why;

    if (s->lines.count == WAITING_MAX) {
        s->audit.lost++;
    } else if (audit_event(&s->audit, message) == 0) {
        s->lines.ids[s->lines.count++] = id;
        return;
    }
    refuse(&why, s->audit.error != 0 ? s->audit.error : ENOBUFS,
           "the audit log cannot be written: this line is lost, and counted");
    answer_refused(s, id, &why);
}

static void on_audit_source(struct store *s, uint32_t id, const void *message)
{
    struct refusal why;

    if (source_add(s, envelope_take_fd(&s->envelope, 0), message) == 0) {
        answer_done(s, id);
        return;
    }
    refuse(&why, errno, "the agent's report link cannot be taken: %s", strerror(errno));
    answer_refused(s, id, &why);
}

static void on_outbox_link(struct store *s, uint32_t id, const void *message)
{
    struct refusal why;

    (void)message;
    if (notify_link_add(s, envelope_take_fd(&s->envelope, 0)) == 0) {
        answer_done(s, id);
        return;
    }
    refuse(&why, errno, "the link of sallyport-notify cannot be taken: %s", strerror(errno));
    answer_refused(s, id, &why);
}

static void on_second_setup(struct store *s, uint32_t id, const void *message)
{
    struct refusal why;

    (void)s;
    (void)message;
    refuse(&why, EALREADY, "the store is set up already");
    answer_refused(s, id, &why);
}

/* ------------------------------------------------------------------------------- the table */

static const struct {
    void (*handle)(struct store *s, uint32_t id, const void *message);
    accounts_change change;     /* instead of handle: a change, answered when it is durable; */
    accounts_question question; /* or a question, answered by a message of this type */
    enum message_type answer;
} handlers[MSG_COUNT] = {
    [MSG_store_find] = {.question = accounts_find, .answer = MSG_account},
    [MSG_store_login] = {.handle = on_login},
    [MSG_store_audit] = {.handle = on_audit},
    [MSG_store_audit_source] = {.handle = on_audit_source},
    [MSG_store_setup] = {.handle = on_second_setup},
    [MSG_user_add] = {.change = accounts_user_add},
    [MSG_user_set] = {.change = accounts_user_set},
    [MSG_user_delete] = {.change = accounts_user_delete},
    [MSG_user_show] = {.question = accounts_show, .answer = MSG_account},
    [MSG_user_next] = {.question = accounts_next, .answer = MSG_account},
    [MSG_key_add] = {.change = accounts_key_add},
    [MSG_key_next] = {.question = accounts_key_next, .answer = MSG_key},
    [MSG_key_remove] = {.change = accounts_key_remove},
    [MSG_own_show] = {.question = own_show, .answer = MSG_own_is},
    [MSG_web_next] = {.question = own_web_next, .answer = MSG_web_is},
    [MSG_web_end] = {.change = own_web_end},
    [MSG_totp_begin] = {.change = codes_begin},
    [MSG_totp_confirm] = {.change = codes_confirm},
    [MSG_totp_remove] = {.change = codes_remove},
    [MSG_totp_check] = {.change = codes_check},
    [MSG_password_change] = {.change = own_password},
    [MSG_address_change] = {.change = own_address},
    [MSG_link_show] = {.question = links_show, .answer = MSG_link_is},
    [MSG_link_confirm] = {.change = own_confirm},
    [MSG_link_invite] = {.change = links_invite},
    [MSG_link_lost] = {.change = links_lost},
    [MSG_outbox_link] = {.handle = on_outbox_link},
    [MSG_folder_add] = {.change = folders_add},
    [MSG_folder_remove] = {.change = folders_remove},
    [MSG_folder_show] = {.question = folders_show, .answer = MSG_folder_set},
    [MSG_folder_next] = {.question = folders_next, .answer = MSG_folder_set},
    [MSG_folder_grant] = {.change = folders_grant},
    [MSG_folder_revoke] = {.change = folders_revoke},
    [MSG_folder_member_next] = {.question = folders_member_next, .answer = MSG_folder_member},
    [MSG_store_web_add] = {.change = accounts_web_add},
    [MSG_store_web_remove] = {.change = accounts_web_remove},
};

/* Room for the struct of any message that the table names. */
union any_message {
    struct store_find find;
    struct store_login login;
    struct store_audit audit;
    struct store_audit_source source;
    struct store_setup setup;
    struct user_add add;
    struct user_set set;
    struct user_delete delete;
    struct user_show show;
    struct user_next next;
    struct key_add key_add;
    struct key_next key_next;
    struct key_remove key_remove;
    struct own_show own_show;
    struct web_next web_next;
    struct web_end web_end;
    struct totp_begin totp_begin;
    struct totp_confirm totp_confirm;
    struct totp_remove totp_remove;
    struct totp_check totp_check;
    struct password_change password_change;
    struct address_change address_change;
    struct link_show link_show;
    struct link_confirm link_confirm;
    struct link_invite link_invite;
    struct link_lost link_lost;
    struct outbox_link outbox_link;
    struct folder_add folder_add;
    struct folder_remove folder_remove;
    struct folder_show folder_show;
    struct folder_next folder_next;
    struct folder_grant folder_grant;
    struct folder_revoke folder_revoke;
    struct folder_member_next folder_member_next;
    struct store_web_add web_add;
    struct store_web_remove web_remove;
};

static void dispatch(struct store *s)
{
    const enum message_type type = s->envelope.type;
    const uint32_t id = s->envelope.id;
    const struct message_info *info = message_info(type);
    union any_message message;
    struct refusal why;

    if (handlers[type].handle == NULL && handlers[type].change == NULL &&
        handlers[type].question == NULL) {
        refuse(&why, EPROTO, "the store does not take the message %s", info->name);
        answer_refused(s, id, &why);
    } else if (info->struct_size > sizeof(message) ||
               message_decode(&s->envelope, type, &message) < 0) {
        refuse(&why, EPROTO, "the message %s cannot be decoded", info->name);
        answer_refused(s, id, &why);
    } else if (handlers[type].change != NULL) {
        on_change(s, id, &message, handlers[type].change);
    } else if (handlers[type].question != NULL) {
        on_question(s, id, &message, handlers[type].question, handlers[type].answer);
    } else {
        handlers[type].handle(s, id, &message);
    }
}

/* ------------------------------------------------------------------------------- the loop */

/* What the monitor sent, up to ROUND_MAX messages: the rest is for the next round. */
static void receive_monitor(struct store *s)
{
    for (int i = 0; i < ROUND_MAX && !s->ended; i++) {
        const int r = message_receive(FD_MONITOR, &s->envelope, MSG_DONTWAIT);
        if (r < 0 && errno == EAGAIN)
            break;
        if (r < 0 && errno == EPROTO) {
            audit_note(&s->audit, "security", NULL, "the store was sent what is no message");
            continue;
        }
        if (r <= 0) {
            s->ended = true;
            break;
        }
        dispatch(s);
        envelope_clear(&s->envelope);
    }
}

/* The round's writing, then its answers. */
static void settle(struct store *s)
{
    struct refusal why;

    if (database_in_transaction(&s->accounts.database))
        (void)commit(s, &why);
    if (audit_commit(&s->audit) < 0)
        return; /* nothing is acknowledged; tried again at the next message or in RETRY_MS */
    answer_waiting(s, &s->lines, NULL);
    source_tell(s);
}

static int wait_for_work(struct store *s)
{
    const bool stuck = audit_waits(&s->audit);
    int wait = notify_link_wait(s);

    if (stuck && (wait < 0 || wait > RETRY_MS))
        wait = RETRY_MS;
    s->polls[0] = (struct pollfd){.fd = FD_MONITOR, .events = POLLIN};
    s->polls[1] = (struct pollfd){.fd = s->notify.fd, .events = POLLIN};
    for (size_t i = 0; i < s->source_count; i++)
        source_poll(s, i, stuck, &s->polls[POLLS_FIXED + i]);
    const int r = poll(s->polls, POLLS_FIXED + s->source_count, wait);
    return r < 0 && errno != EINTR ? -1 : 0;
}

void store_serve(struct store *s)
{
    while (!s->ended) {
        if (wait_for_work(s) < 0) {
            log_error("poll: %s", strerror(errno));
            break;
        }
        notify_link_receive(s, s->polls[1].revents);
        if (s->polls[0].revents != 0)
            receive_monitor(s);
        notify_link_serve(s);
        if (!audit_waits(&s->audit) || s->audit.error == 0)
            (void)source_receive(s, false);
        settle(s);
    }
    /* The monitor is gone: what agents and sallyport-notify sent before is still written. */
    notify_link_receive(s, POLLIN);
    notify_link_close(s);
    notify_link_serve(s);
    for (int i = 0; i < END_ROUNDS && source_receive(s, true) > 0; i++)
        settle(s);
    settle(s);
}
