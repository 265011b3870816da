/* What an account's page shows: address, keys, codes, and who is signed in to it, from where. Asked
 * of the monitor, which writes in whose it is; streamed, as there is no end to keys. */
#include <stdio.h>
#include <string.h>

#include "common/sshkey.h"
#include "https-worker/json_out.h"
#include "https-worker/worker.h"

#define NS 1000000000ll

/* ---- asking --------------------------------------------------------------------------------- */

enum message_type own_ask(struct worker *w, enum message_type type, const void *question,
                          const char *field)
{
    const enum message_type answer = monitor_question(&w->monitor, type, question);
    struct store_refused refused;
    struct control_refused not_done;

    if (answer == MSG_store_refused && decode_store_refused(&w->monitor.answer, &refused) == 0) {
        answer_refused(w, refused.error, refused.text, field);
    } else if (answer == MSG_control_refused &&
               decode_control_refused(&w->monitor.answer, &not_done) == 0) {
        answer_refused(w, not_done.error, not_done.text, field);
    } else if (answer == MSG_verdict) { /* the login has ended meanwhile */
        w->exchange.answer.close = true;
        answer_error(w, 503, "busy", "The server is busy. Try again in a moment.");
    } else if (answer != MSG_NONE) {
        return answer;
    }
    return MSG_NONE;
}

void answer_nothing(struct worker *w)
{
    answer_begin(w, 204, RESPONSE_API);
    answer_end(w);
}

uint64_t own_number(struct worker *w, struct slice rest)
{
    uint64_t number = 0;

    if (slice_skip(&rest, "/") && number_of(rest, &number) && number > 0)
        return number;
    answer_error(w, 404, "not_found", "There is nothing at this address.");
    return 0;
}

/* ---- what is shown -------------------------------------------------------------------------- */

static void write_time(struct json_out *j, const char *key, int64_t seconds)
{
    json_key(j, key);
    if (seconds > 0 && seconds < INT64_MAX / NS)
        json_number(j, (uint64_t)seconds);
    else
        json_nothing(j);
}

static void write_text(struct json_out *j, const char *key, struct slice text)
{
    json_key(j, key);
    json_text(j, text);
}

static void write_count(struct json_out *j, const char *key, uint64_t number)
{
    json_key(j, key);
    json_number(j, number);
}

/* The members of the object that needs no list. */
static int write_facts(struct worker *w, struct json_out *j)
{
    static const char *const states[] = {
        [CODES_OFF] = "off", [CODES_BEGUN] = "begun", [CODES_ON] = "on"};
    struct own_is own;

    if (decode_own_is(&w->monitor.answer, &own) < 0 || own.codes > CODES_ON)
        return -1;
    write_text(j, "account", slice_text(w->account));
    write_text(j, "organisation", w->setup.organisation);
    write_text(j, "csrf", slice_text(w->csrf));
    write_text(j, "email", own.email);
    write_text(j, "new_email", own.new_email);
    json_key(j, "confirmed");
    json_bool(j, own.confirmed != 0);
    json_key(j, "mail");
    json_bool(j, w->setup.mail != 0);
    write_time(j, "password_changed", own.password_changed);
    write_text(j, "codes", slice_text(states[own.codes]));
    json_key(j, "codes_required");
    json_bool(j, own.codes_required != 0);
    write_count(j, "recovery_left", own.recovery_left);
    return 0;
}

/* Each writes the next of its kind: 1; 0: there is none left; -1. */
static int write_key(struct worker *w, struct json_out *j)
{
    const struct key_next ask = {.after = w->own.after};
    char trouble[SSHKEY_TROUBLE_SIZE];
    struct sshkey_info info;
    struct key key;

    if (monitor_question(&w->monitor, MSG_key_next, &ask) == MSG_nothing_more)
        return 0;
    if (decode_key(&w->monitor.answer, &key) < 0 || key.number <= w->own.after)
        return -1;
    w->own.after = key.number;
    (void)sshkey_read_blob(key.key, &info, trouble); /* of a type that is taken no more: none */
    json_open(j, '{');
    write_count(j, "number", key.number);
    json_key(j, "type");
    if (info.type != NULL)
        json_text(j, slice_text(info.type));
    else
        json_nothing(j);
    write_count(j, "bits", info.bits);
    write_fingerprints(j, key.key);
    write_text(j, "comment", key.comment);
    write_time(j, "added", key.added);
    write_time(j, "last_used", key.last_used);
    json_close(j, '}');
    return 1;
}

static int write_web(struct worker *w, struct json_out *j)
{
    const struct web_next ask = {.after = w->own.after};
    struct web_is web;

    if (monitor_question(&w->monitor, MSG_web_next, &ask) == MSG_nothing_more)
        return 0;
    if (decode_web_is(&w->monitor.answer, &web) < 0 || web.number <= w->own.after)
        return -1;
    w->own.after = web.number;
    json_open(j, '{');
    write_count(j, "number", web.number);
    write_text(j, "address", web.address);
    write_time(j, "created", web.created);
    write_time(j, "seen", web.seen);
    json_key(j, "own");
    json_bool(j, web.own != 0);
    json_close(j, '}');
    return 1;
}

/* Connections of browsers come and go: their web sessions are told of. */
static int write_session(struct worker *w, struct json_out *j)
{
    struct session_is session;

    do {
        const struct session_next ask = {.after = w->own.after};
        if (monitor_question(&w->monitor, MSG_session_next, &ask) == MSG_no_more_sessions)
            return 0;
        if (decode_session_is(&w->monitor.answer, &session) < 0 || session.number <= w->own.after ||
            !slice_is(session.account, w->account))
            return -1;
        w->own.after = session.number;
    } while (slice_is(session.protocol, "https"));
    json_open(j, '{');
    write_count(j, "number", session.number);
    write_text(j, "protocol", session.protocol);
    write_text(j, "address", session.address);
    write_text(j, "method", session.method);
    write_time(j, "started", session.started);
    json_close(j, '}');
    return 1;
}

/* ---- the answer ----------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int (*write)(struct worker *w, struct json_out *j);
} parts[] = {
    [OWN_KEYS] = {"keys", write_key},
    [OWN_WEB] = {"web", write_web},
    [OWN_SESSIONS] = {"sessions", write_session},
};

static ssize_t fill_own(struct worker *w, uint8_t *bytes, size_t size)
{
    struct own_listing *own = &w->own;
    struct writer writer = writer_of((char *)bytes, size);
    struct json_out j = json_out_of(&writer);

    if (own->part == OWN_END)
        return 0;
    if (own->part == OWN_FACTS) {
        json_open(&j, '{');
        if (own->keys && write_facts(w, &j) < 0)
            return -1;
        own->part = own->keys ? OWN_KEYS : OWN_WEB;
    } else {
        j.comma = own->begun;
        const int found = parts[own->part].write(w, &j);
        if (found < 0)
            return -1;
        own->begun = true;
        if (found > 0)
            return writer_done(&writer);
        writer_text(&writer, "]");
        own->part++;
    }
    own->begun = false;
    own->after = 0;
    if (own->part == OWN_END) {
        writer_text(&writer, "}\n");
    } else {
        writer_text(&writer, own->part == OWN_WEB && !own->keys ? "\n\"" : ",\n\"");
        writer_text(&writer, parts[own->part].name);
        writer_text(&writer, "\": [");
    }
    return writer_done(&writer);
}

static void answer_own(struct worker *w, bool keys)
{
    w->own = (struct own_listing){.keys = keys};
    answer_begin(w, 200, RESPONSE_API);
    response_text(&w->head, "Content-Type", "application/json");
    answer_stream(w, fill_own);
}

static void begin_account(struct worker *w)
{
    const struct own_show ask = {0};
    const enum message_type answer = own_ask(w, MSG_own_show, &ask, NULL);

    if (answer == MSG_own_is)
        answer_own(w, true);
    else if (answer != MSG_NONE) /* removed meanwhile */
        answer_error(w, 404, "not_found", "There is no such account any more.");
}

const struct handler handle_account = {.begin = begin_account};

static void begin_sessions(struct worker *w)
{
    answer_own(w, false);
}

const struct handler handle_sessions = {.begin = begin_sessions};

/* ---- the end of a session ------------------------------------------------------------------- */

static void begin_sessions_end(struct worker *w)
{
    struct slice rest = w->exchange.rest;
    const bool web = slice_skip(&rest, "/web");
    const uint64_t number = own_number(w, rest);
    const struct web_end end = {.number = number};
    const struct session_kill kill = {.number = number};
    struct control_done done = {.count = 1};

    if (number == 0 || (web ? own_ask(w, MSG_web_end, &end, NULL)
                            : own_ask(w, MSG_session_kill, &kill, NULL)) == MSG_NONE)
        return;
    if (!web && decode_control_done(&w->monitor.answer, &done) < 0)
        stop_because(&w->stop, "the server gave no answer");
    else if (done.count == 0)
        answer_error(w, 404, "not_found", "There is no such session any more.");
    else
        answer_nothing(w);
}

const struct handler handle_sessions_end = {.begin = begin_sessions_end};
