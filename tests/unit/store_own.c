/* The tests' own small sallyport-notify: a link to the store, one question at a time. */
#include <jansson.h>

#include "tests/unit/store_own.h"

#include <errno.h>
#include <openssl/evp.h>
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/base64.h"
#include "common/facts.h"

#define PATIENCE_MS 20000

static struct {
    int link;
    uint32_t id;
    bool asked;
    uint64_t number; /* of the last notice */
    json_t *facts;
    struct envelope envelope;
} notify = {.link = -1};

int own_new(void **state)
{
    const int r = process_new(state);
    struct process *p = *state;

    p->setup.mail = 1;
    p->setup.link_seconds = 1000;
    p->setup.links_an_hour = 5;
    p->setup.organisation = slice_text("Example");
    return r;
}

int own_free(void **state)
{
    process_free_notify(*state);
    return process_free(state);
}

void process_free_notify(struct process *p)
{
    (void)p;
    if (notify.link >= 0)
        close(notify.link);
    json_decref(notify.facts);
    notify.facts = NULL;
    notify.link = -1;
    notify.asked = false;
    notify.number = 0;
}

int notify_socket(void)
{
    return notify.link;
}

void process_link_notify(struct process *p)
{
    const struct outbox_link link = {0};
    int pair[2];

    process_free_notify(p);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(send_outbox_link_fds(p->link, ++p->id, &link, &pair[1], 1), 0);
    close(pair[1]);
    assert_int_equal(message_receive(p->link, &p->envelope, 0), 1);
    assert_int_equal(p->envelope.type, MSG_store_done);
    notify.link = pair[0];
}

void start_mailing(struct process *p)
{
    must_start(p);
    process_link_notify(p);
}

void add_without_password(struct process *p, const char *name, const char *email)
{
    struct user_add add = new_account(name);

    add.password = slice_text("");
    add.email = slice_text(email);
    process_done(p, MSG_user_add, &add);
}

void own_of(struct process *p, const char *name, struct own_is *own)
{
    const struct own_show show = {.name = slice_text(name)};

    assert_int_equal(process_ask(p, MSG_own_show, &show), MSG_own_is);
    assert_int_equal(decode_own_is(&p->envelope, own), 0);
}

void ask_notice(enum notice_outcome outcome)
{
    const struct notice_wanted wanted = {
        .number = notify.number, .outcome = (uint8_t)outcome, .text = slice_text("no relay")};

    assert_false(notify.asked);
    assert_int_equal(send_notice_wanted(notify.link, ++notify.id, &wanted), 0);
    notify.asked = true;
    notify.number = 0;
}

static void ask_if_needed(void)
{
    if (!notify.asked)
        ask_notice(notify.number != 0 ? NOTICE_DELIVERED : NOTICE_NONE);
}

void take_notice(struct process *p, const char *kind, const char *to)
{
    struct pollfd ready = {.fd = notify.link, .events = POLLIN};
    struct notice notice;

    ask_if_needed();
    if (poll(&ready, 1, PATIENCE_MS) != 1)
        fail_msg("no notice \"%s\" came", kind);
    assert_int_equal(message_receive(notify.link, &notify.envelope, 0), 1);
    assert_int_equal(decode_notice(&notify.envelope, &notice), 0);
    assert_int_equal(notify.envelope.id, notify.id);
    if (!slice_is(notice.kind, kind) || !slice_is(notice.to, to))
        fail_msg("a notice \"%.*s\" to %.*s, not \"%s\" to %s", (int)notice.kind.len,
                 (const char *)notice.kind.data, (int)notice.to.len, (const char *)notice.to.data,
                 kind, to);
    json_decref(notify.facts);
    notify.facts = json_loadb((const char *)notice.facts.data, notice.facts.len, 0, NULL);
    assert_non_null(notify.facts);
    notify.asked = false;
    notify.number = notice.number;
    assert_string_equal(fact(p, "organisation"), "Example");
    assert_true(strlen(fact(p, "account")) > 0);
}

void take_link(struct process *p, const char *kind, const char *to, uint8_t hash[32])
{
    uint8_t token[WEB_TOKEN];
    char text[BASE64_LENGTH(WEB_TOKEN) + 1];
    unsigned len = 0;

    take_notice(p, kind, to);
    assert_int_equal(strlen(fact(p, "token")), 43);
    snprintf(text, sizeof(text), "%s=", fact(p, "token"));
    for (char *at = text; *at != '\0'; at++)
        *at = *at == '-' ? '+' : *at == '_' ? '/' : *at;
    assert_int_equal(base64_decode(slice_text(text), token, sizeof(token)), WEB_TOKEN);
    assert_int_equal(EVP_Digest(token, sizeof(token), hash, &len, EVP_sha256(), NULL), 1);
    assert_true(json_integer_value(json_object_get(notify.facts, "expires")) > time(NULL));
}

void expect_change(struct process *p, const char *to, const char *what, const char *address)
{
    take_notice(p, "changed", to);
    assert_int_equal(change_count(p), 1);
    assert_string_equal(change_text(p, 0, "what"), what);
    assert_string_equal(change_text(p, 0, "address"), address);
    const json_t *change = json_array_get(json_object_get(notify.facts, "changes"), 0);
    const json_int_t when = json_integer_value(json_object_get(change, "when"));
    assert_true(when <= time(NULL) && when > time(NULL) - 3600);
}

/* A line of the audit log is answered at the end of a round, when the log is on the disk. The first
 * may be part of a round that had begun; before the second is answered, the store has looked at all
 * that was sent before the first. */
static void go_round(struct process *p)
{
    const struct store_audit line = {.event = slice_text("round")};

    for (int i = 0; i < 2; i++)
        process_done(p, MSG_store_audit, &line);
}

void expect_none(struct process *p)
{
    struct notice notice;

    ask_if_needed();
    go_round(p);
    if (message_receive(notify.link, &notify.envelope, MSG_DONTWAIT) >= 0) {
        assert_int_equal(decode_notice(&notify.envelope, &notice), 0);
        fail_msg("a notice \"%.*s\" to %.*s that nobody waits for", (int)notice.kind.len,
                 (const char *)notice.kind.data, (int)notice.to.len, (const char *)notice.to.data);
    }
    assert_int_equal(errno, EAGAIN);
}

uint64_t notice_number(void)
{
    return notify.number;
}

const char *fact(struct process *p, const char *name)
{
    const char *text = json_string_value(json_object_get(notify.facts, name));

    (void)p;
    if (text == NULL)
        fail_msg("the notice has no %s", name);
    return text;
}

size_t change_count(struct process *p)
{
    (void)p;
    return json_array_size(json_object_get(notify.facts, "changes"));
}

const char *change_text(struct process *p, size_t index, const char *name)
{
    const json_t *change = json_array_get(json_object_get(notify.facts, "changes"), index);
    const char *text = json_string_value(json_object_get(change, name));

    (void)p;
    if (text == NULL)
        fail_msg("change %zu has no %s", index, name);
    return text;
}

int64_t count_rows(const struct process *p, const char *query)
{
    sqlite3_stmt *row;
    char path[256];
    sqlite3 *db;

    snprintf(path, sizeof(path), "%s/accounts.db", p->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, query, -1, &row, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    const int64_t count = sqlite3_column_int64(row, 0);
    sqlite3_finalize(row);
    sqlite3_close(db);
    give_to_store(path);
    return count;
}

void assert_audit(struct process *p, const char *text)
{
    size_t len;

    go_round(p);
    char *bytes = read_state_file(p, "audit.log", &len);
    if (strstr(bytes, text) == NULL)
        fail_msg("the audit log has no \"%s\": %s", text, bytes);
    free(bytes);
}
