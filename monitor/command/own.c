/* `sallyport user invite`, `sallyport user codes`, and what `user show` tells of what the owner of
 * an account does with it. Links, codes and their secrets are the store's: none of them comes here.
 */
#include <string.h>
#include <time.h>

#include "monitor/command/command.h"

/* Ask what the store knows of an account's own affairs: 0 (points into link.answer), or -1 after
 * telling why. */
static int own_find(struct context *c, const char *name, struct own_is *own)
{
    const struct own_show show = {.name = slice_text(name)};
    const enum message_type type = ask(c, MSG_own_show, &show, 0);

    if (type == MSG_own_is && decode_own_is(&c->link.answer, own) == 0)
        return 0;
    if (type != MSG_NONE)
        tell("the store's answer is none to this question");
    return -1;
}

int own_put(struct context *c, const char *name, json_t *record)
{
    struct own_is own;

    if (own_find(c, name, &own) < 0)
        return -1;
    put(record, "email_confirmed", json_boolean(own.confirmed));
    put(record, "new_email", json_from(own.new_email));
    put(record, "invited_until", json_time(own.invited));
    put(record, "password_changed", json_time(own.password_changed));
    put(record, "recovery_codes", json_integer(own.recovery_left));
    return 0;
}

int own_invite(struct context *c, const char *name, const char *email)
{
    const struct link_invite invite = {.name = slice_text(name), .email = slice_text(email)};

    if (ask(c, MSG_link_invite, &invite, 0) != MSG_store_done)
        return -1;
    tell_audit(c, "account-change", name, "invited%s%.254s", email[0] != '\0' ? " at " : "", email);
    return 0;
}

/* "2026-01-02T03:04:05Z". */
static const char *time_text(int64_t seconds, char *text, size_t size)
{
    const time_t when = (time_t)seconds;
    struct tm utc;

    if (gmtime_r(&when, &utc) == NULL || strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        text[0] = '\0';
    return text;
}

enum result command_user_invite(struct context *c)
{
    const char *name = c->arguments[0];
    char until[64], email[256];
    struct account a;
    struct own_is own;

    if (account_find(c, name, &a) <= 0 || own_find(c, name, &own) < 0)
        return REFUSED;
    if (own.invited != 0 && !given(c, OPTION_RESEND)) {
        tell("an invitation of %s waits until %s: --resend mails another in its place", name,
             time_text(own.invited, until, sizeof(until)));
        return REFUSED;
    }
    if (own_invite(c, name, "") < 0 || own_find(c, name, &own) < 0 ||
        slice_copy(own.email, email, sizeof(email)) < 0)
        return REFUSED;
    json_t *record = json_object();
    put(record, "name", json_string(name));
    put(record, "email", json_from(own.email));
    put(record, "invited_until", json_time(own.invited));
    return print_done(c, record, "account %s: an invitation goes to %s, good until %s", name, email,
                      time_text(own.invited, until, sizeof(until)));
}

static enum result show_codes(struct context *c, const char *name)
{
    static const struct column columns[] = {
        {"Codes", "codes"}, {"Required", "codes_required"}, {"Recovery codes", "recovery_codes"}};
    static const char *const states[] = {
        [CODES_OFF] = "off", [CODES_BEGUN] = "begun", [CODES_ON] = "on"};
    json_t *record;
    struct own_is own;

    if (own_find(c, name, &own) < 0)
        return REFUSED;
    record = json_object();
    put(record, "name", json_string(name));
    put(record, "codes", json_string(own.codes <= CODES_ON ? states[own.codes] : "?"));
    put(record, "codes_required", json_boolean(own.codes_required));
    put(record, "recovery_codes", json_integer(own.recovery_left));
    return print_record(c, record, columns, sizeof(columns) / sizeof(columns[0]));
}

enum result command_user_codes(struct context *c)
{
    const char *name = c->arguments[0];
    const struct totp_remove remove = {.name = slice_text(name), .by_operator = 1};
    struct account a;

    if (account_find(c, name, &a) <= 0)
        return REFUSED;
    if (!given(c, OPTION_REMOVE))
        return show_codes(c, name);
    const bool required = (a.flags & ACCOUNT_CODES) != 0;
    if (ask(c, MSG_totp_remove, &remove, 0) != MSG_store_done)
        return REFUSED;
    tell_audit(c, "account-change", name, "codes removed");
    if (required)
        tell("note: the account must have codes: it is let in by a browser alone, to set them up");
    json_t *record = json_object();
    put(record, "name", json_string(name));
    put(record, "codes", json_string("off"));
    return print_done(c, record, "codes of %s removed: no code is asked for at its next login",
                      name);
}
