/* Codes in SQLite, computed by liboath: the statements as one table, then how a code is judged,
 * then the changes. Must never say more of a wrong code than that it is wrong or was used, never
 * judge without limit, and never forget which step was used last. */
#include "monitor/store/codes.h"

#include <errno.h>
#include <liboath/oath.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "monitor/store/outbox.h"
#include "monitor/store/own.h"

#define DIGITS         6
#define STEP_SECONDS   30
#define WINDOW         1    /* steps before and behind that are taken too (RFC 6238, 5.2) */
#define SECRET_BYTES   20   /* as long as the hash (RFC 4226, 4) */
#define WRONG_MOST     5    /* in a row; then none is judged ... */
#define WRONG_SECONDS  60   /* ... for so long after the last */
#define FRESH_SECONDS  3600 /* for which a secret waits for its first code */
#define RECOVERY_COUNT 10
#define RECOVERY_BYTES 10
#define RECOVERY_CHARS 16 /* in Base32 */
#define SECRET_CHARS   32

enum statement {
    CODES_OF,
    CODES_BEGIN,
    CODES_CONFIRM,
    CODES_RIGHT,
    CODES_WRONG,
    CODES_REMOVE,
    RECOVERY_ADD,
    RECOVERY_USE,
    RECOVERY_LEFT,
    RECOVERY_REMOVE,
    STATEMENT_COUNT,
};

static const char *const statements[STATEMENT_COUNT] = {
    [CODES_OF] = "SELECT secret, fresh, begun, step, wrong, wrong_at FROM codes WHERE account = ?1",
    [CODES_BEGIN] = "INSERT INTO codes (account, secret, fresh, begun, step, wrong, wrong_at)"
                    " VALUES (?1, X'', ?2, ?3, 0, 0, 0)"
                    " ON CONFLICT (account) DO UPDATE SET fresh = ?2, begun = ?3",
    [CODES_CONFIRM] = ("UPDATE codes SET secret = fresh, fresh = X'', step = ?2, wrong = 0"
                       " WHERE account = ?1"),
    [CODES_RIGHT] = "UPDATE codes SET step = max(step, ?2), wrong = 0 WHERE account = ?1",
    [CODES_WRONG] = "UPDATE codes SET wrong = ?2, wrong_at = ?3 WHERE account = ?1",
    [CODES_REMOVE] = "DELETE FROM codes WHERE account = ?1",
    [RECOVERY_ADD] = "INSERT INTO recovery_codes (account, sha256) VALUES (?1, ?2)",
    [RECOVERY_USE] = "DELETE FROM recovery_codes WHERE account = ?1 AND sha256 = ?2",
    [RECOVERY_LEFT] = "SELECT count(*) FROM recovery_codes WHERE account = ?1",
    [RECOVERY_REMOVE] = "DELETE FROM recovery_codes WHERE account = ?1",
};

#define ASK_CODES(a, statement, ...)                                                               \
    ASK(&(a)->database, (a)->code_statements + (statement), __VA_ARGS__)
#define CHANGE_CODES(a, statement, ...)                                                            \
    CHANGE(&(a)->database, (a)->code_statements + (statement), __VA_ARGS__)

int codes_prepare(struct accounts *a, struct refusal *why)
{
    if (oath_init() != OATH_OK)
        return refuse(why, EIO, "liboath does not start");
    a->code_statements = a->database.count;
    return database_prepare(&a->database, statements, STATEMENT_COUNT, why);
}

/* ------------------------------------------------------------------------------- what there is */

struct codes {
    uint8_t secret[SECRET_BYTES], fresh[SECRET_BYTES];
    bool on, begun; /* a secret is in force; another one waits for its first code */
    int64_t step;   /* of the last code that was right */
    int64_t wrong, wrong_at;
};

static bool take_secret(struct slice from, uint8_t secret[SECRET_BYTES])
{
    if (from.len == SECRET_BYTES)
        memcpy(secret, from.data, SECRET_BYTES);
    return from.len == SECRET_BYTES;
}

/* Of an account; all empty where it has none. Returns 0, or -1 and why is filled. */
static int read_codes(struct accounts *a, int64_t account, struct codes *c, struct refusal *why)
{
    const int64_t now = time(NULL);
    sqlite3_stmt *row;
    const int found = ASK_CODES(a, CODES_OF, &row, why, NUMBER(account));

    *c = (struct codes){0};
    if (found <= 0)
        return found;
    const int64_t begun = sqlite3_column_int64(row, 2);
    c->on = take_secret(database_bytes(row, 0), c->secret);
    c->begun = take_secret(database_bytes(row, 1), c->fresh) && now >= begun &&
               now - begun < FRESH_SECONDS;
    c->step = sqlite3_column_int64(row, 3);
    c->wrong = sqlite3_column_int64(row, 4);
    c->wrong_at = sqlite3_column_int64(row, 5);
    database_done(row);
    return 0;
}

static int recovery_left(struct accounts *a, int64_t account, uint32_t *left, struct refusal *why)
{
    sqlite3_stmt *row;

    if (ASK_CODES(a, RECOVERY_LEFT, &row, why, NUMBER(account)) <= 0)
        return -1; /* an aggregate always has a row */
    *left = (uint32_t)sqlite3_column_int64(row, 0);
    database_done(row);
    return 0;
}

int codes_now(struct accounts *a, int64_t account, struct codes_now *now, struct refusal *why)
{
    struct codes c;
    int r = read_codes(a, account, &c, why);

    if (r == 0) {
        now->state = c.on ? CODES_ON : c.begun ? CODES_BEGUN : CODES_OFF;
        r = recovery_left(a, account, &now->recovery_left, why);
    }
    explicit_bzero(&c, sizeof(c));
    return r;
}

/* ------------------------------------------------------------------------------- a code, judged */

/* As it was meant: without blanks and dashes, in capitals. */
struct typed {
    char text[RECOVERY_CHARS + 1];
    enum { TYPED_NEITHER, TYPED_DIGITS, TYPED_RECOVERY } kind;
};

static void read_typed(struct slice code, struct typed *t)
{
    size_t len = 0, digits = 0;

    *t = (struct typed){.kind = TYPED_NEITHER};
    for (size_t i = 0; i < code.len; i++) {
        const uint8_t c = code.data[i];
        if (c == ' ' || c == '-')
            continue;
        if (len == RECOVERY_CHARS)
            return;
        t->text[len++] = (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
        digits += c >= '0' && c <= '9';
    }
    if (len == DIGITS && digits == DIGITS)
        t->kind = TYPED_DIGITS;
    else if (len == RECOVERY_CHARS)
        t->kind = TYPED_RECOVERY;
}

/* The step that this is the code of, within the window around now: 0 none. Which of them it is does
 * not show in the time taken. */
static int64_t step_of(const uint8_t secret[SECRET_BYTES], const char *digits, int64_t now)
{
    int64_t found = 0;
    char code[DIGITS + 1];

    for (int64_t step = now / STEP_SECONDS - WINDOW; step <= now / STEP_SECONDS + WINDOW; step++) {
        if (step > 0 &&
            oath_totp_generate((const char *)secret, SECRET_BYTES, step * STEP_SECONDS,
                               STEP_SECONDS, 0, DIGITS, code) == OATH_OK &&
            CRYPTO_memcmp(code, digits, DIGITS) == 0)
            found = step; /* the latest, should two be the same */
    }
    explicit_bzero(code, sizeof(code));
    return found;
}

/* A wrong code is a change, too: it is counted, and the answer says so. */
static int wrong(struct accounts *a, int64_t account, int64_t before, const char *text,
                 struct outcome *done, struct refusal *why)
{
    done->error = EACCES;
    snprintf(done->text, sizeof(done->text), "%s", text);
    return CHANGE_CODES(a, CODES_WRONG, why, NUMBER(account), NUMBER(before + 1),
                        NUMBER(time(NULL))) < 0
               ? -1
               : 0;
}

/* After some wrong ones none is judged for a while: 0, or -1 and why is filled. */
static int may_try(struct codes *c, struct refusal *why)
{
    const int64_t now = time(NULL);

    if (c->wrong < WRONG_MOST)
        return 0;
    if (now >= c->wrong_at && now - c->wrong_at < WRONG_SECONDS)
        return refuse(why, EAGAIN,
                      "there were too many wrong codes: wait a minute, then try with a new one");
    c->wrong = 0;
    return 0;
}

static int use_recovery(struct accounts *a, const struct holder *h, const struct codes *c,
                        const struct typed *t, struct outcome *done, struct refusal *why)
{
    uint8_t hash[32];
    uint32_t left;

    if (accounts_hash(slice_of(t->text, RECOVERY_CHARS), hash, why) < 0)
        return -1;
    const int used =
        CHANGE_CODES(a, RECOVERY_USE, why, NUMBER(h->number), BLOB(slice_of(hash, sizeof(hash))));
    if (used < 0)
        return -1;
    if (used == 0)
        return wrong(a, h->number, c->wrong, "this recovery code is not right, or was used already",
                     done, why);
    if (recovery_left(a, h->number, &left, why) < 0 ||
        CHANGE_CODES(a, CODES_RIGHT, why, NUMBER(h->number), NUMBER(0)) < 0)
        return -1;
    snprintf(done->text, sizeof(done->text), "%s: a recovery code was used, %u left", h->name,
             left);
    /* For the audit log: the answer has no room for it where something else was done by this code.
     */
    done->event = "account-change";
    memcpy(done->line, done->text, sizeof(done->text));
    memcpy(done->account, h->name, sizeof(done->account));
    return outbox_tell(a, h, slice_text(done->address), why,
                       "A recovery code was used in place of a code; %u %s left.", left,
                       left == 1 ? "is" : "are");
}

/* Is this code right, for the secret that is in force? It is used up then. Returns 0 (right, or
 * done->error), or -1 and why is filled. */
static int judge(struct accounts *a, const struct holder *h, struct codes *c, struct slice code,
                 struct outcome *done, struct refusal *why)
{
    struct typed t;
    int r = -1;

    read_typed(code, &t);
    if (may_try(c, why) < 0)
        goto out;
    if (t.kind == TYPED_RECOVERY) {
        r = use_recovery(a, h, c, &t, done, why);
    } else {
        const int64_t step =
            t.kind == TYPED_DIGITS ? step_of(c->secret, t.text, (int64_t)time(NULL)) : 0;
        if (step == 0)
            r = wrong(a, h->number, c->wrong, "this code is not right", done, why);
        else if (step <= c->step)
            r = wrong(a, h->number, c->wrong,
                      "this code was used already, and is right only once: wait for the next one",
                      done, why);
        else
            r = CHANGE_CODES(a, CODES_RIGHT, why, NUMBER(h->number), NUMBER(step)) < 0 ? -1 : 0;
    }
out:
    explicit_bzero(&t, sizeof(t));
    return r;
}

/* ------------------------------------------------------------------------------- changes */

/* Bytes in Base32 (RFC 4648, 6): chars letters and a NUL. */
static int put_base32(const uint8_t *bytes, size_t size, char *text, size_t chars,
                      struct refusal *why)
{
    char *made = NULL;
    size_t len = 0;
    int r = -1;

    if (oath_base32_encode((const char *)bytes, size, &made, &len) != OATH_OK || len != chars) {
        refuse(why, ENOMEM, "no memory is left for a code");
    } else {
        memcpy(text, made, chars);
        text[chars] = '\0';
        r = 0;
    }
    if (made != NULL)
        explicit_bzero(made, len);
    free(made);
    return r;
}

int codes_begin(struct accounts *a, const void *message, struct outcome *done, struct refusal *why)
{
    const struct totp_begin *m = message;
    uint8_t secret[SECRET_BYTES];
    char text[SECRET_CHARS + 1];
    struct holder h;
    int r = -1;

    if (holder_find(a, m->name, &h, why) == 0 && own_random(secret, sizeof(secret), why) == 0 &&
        put_base32(secret, sizeof(secret), text, SECRET_CHARS, why) == 0 &&
        CHANGE_CODES(a, CODES_BEGIN, why, NUMBER(h.number), BLOB(slice_of(secret, sizeof(secret))),
                     NUMBER(time(NULL))) >= 0) {
        done->answer = MSG_totp_secret;
        r = secret_set(&done->secret, slice_text(text));
    }
    explicit_bzero(secret, sizeof(secret));
    explicit_bzero(text, sizeof(text));
    return r;
}

/* "XXXX-XXXX-XXXX-XXXX", kept by the hash of its letters. */
static int make_recovery(struct accounts *a, int64_t account, char shown[RECOVERY_CHARS + 4],
                         struct refusal *why)
{
    uint8_t bytes[RECOVERY_BYTES], hash[32];
    char text[RECOVERY_CHARS + 1];
    int r = -1;

    if (own_random(bytes, sizeof(bytes), why) == 0 &&
        put_base32(bytes, sizeof(bytes), text, RECOVERY_CHARS, why) == 0 &&
        accounts_hash(slice_of(text, RECOVERY_CHARS), hash, why) == 0 &&
        CHANGE_CODES(a, RECOVERY_ADD, why, NUMBER(account), BLOB(slice_of(hash, sizeof(hash)))) >
            0) {
        snprintf(shown, RECOVERY_CHARS + 4, "%.4s-%.4s-%.4s-%.4s", text, text + 4, text + 8,
                 text + 12);
        r = 0;
    }
    explicit_bzero(bytes, sizeof(bytes));
    explicit_bzero(text, sizeof(text));
    return r;
}

/* A new list in place of the old one, parted by line feeds. */
static int make_recovery_list(struct accounts *a, int64_t account, struct secret *list,
                              struct refusal *why)
{
    char text[RECOVERY_COUNT * (RECOVERY_CHARS + 4)] = "";
    int r = CHANGE_CODES(a, RECOVERY_REMOVE, why, NUMBER(account)) < 0 ? -1 : 0;

    for (size_t i = 0; i < RECOVERY_COUNT && r == 0; i++) {
        char *at = text + i * (RECOVERY_CHARS + 4);
        r = make_recovery(a, account, at, why);
        at[RECOVERY_CHARS + 3] = i + 1 < RECOVERY_COUNT ? '\n' : '\0';
    }
    if (r == 0)
        r = secret_set(list, slice_of(text, sizeof(text) - 1));
    explicit_bzero(text, sizeof(text));
    return r;
}

/* The first code of a fresh secret is right: it is in force, and that step used. */
static int take_fresh(struct accounts *a, const struct holder *h, int64_t step, bool first,
                      struct outcome *done, struct refusal *why)
{
    if (CHANGE_CODES(a, CODES_CONFIRM, why, NUMBER(h->number), NUMBER(step)) < 0 ||
        make_recovery_list(a, h->number, &done->secret, why) < 0 ||
        outbox_tell(a, h, slice_text(""), why,
                    first ? "Two-step login was turned on: a code is asked for at each login."
                          : "Codes for two-step login come from another authenticator now.") < 0)
        return -1;
    done->answer = MSG_recovery_codes;
    snprintf(done->text, sizeof(done->text), "%s: codes for two-step login %s", h->name,
             first ? "turned on" : "from another authenticator");
    return 0;
}

int codes_confirm(struct accounts *a, const void *message, struct outcome *done,
                  struct refusal *why)
{
    const struct totp_confirm *m = message;
    struct typed t = {0};
    struct holder h;
    struct codes c = {0};
    int r = -1;

    if (holder_find(a, m->name, &h, why) < 0 || read_codes(a, h.number, &c, why) < 0)
        goto out;
    if (!c.begun) {
        refuse(why, ENOENT, "no secret waits for its first code (any more): begin anew");
        goto out;
    }
    if (may_try(&c, why) < 0)
        goto out;
    read_typed(m->code, &t);
    const int64_t step = t.kind == TYPED_DIGITS ? step_of(c.fresh, t.text, (int64_t)time(NULL)) : 0;
    r = step == 0
            ? wrong(a, h.number, c.wrong,
                    "this code is not right: is the clock of the device that shows it?", done, why)
            : take_fresh(a, &h, step, !c.on, done, why);
out:
    explicit_bzero(&t, sizeof(t));
    explicit_bzero(&c, sizeof(c));
    return r;
}

/* Those that are in force may be removed by who has a code, or by the operator. */
static int may_remove(struct accounts *a, const struct totp_remove *m, const struct holder *h,
                      struct codes *c, struct outcome *done, struct refusal *why)
{
    if (!c->on || m->by_operator != 0)
        return c->on || c->begun
                   ? 0
                   : refuse(why, ENOENT, "the account has no codes for two-step login");
    if (h->codes_required)
        return refuse(why, EPERM,
                      "the operator of this server wants a second step for this account: it can be "
                      "changed, and not removed");
    return judge(a, h, c, m->code, done, why);
}

int codes_remove(struct accounts *a, const void *message, struct outcome *done, struct refusal *why)
{
    const struct totp_remove *m = message;
    struct codes c = {0};
    struct holder h;
    int r = -1;

    if (holder_find(a, m->name, &h, why) < 0 || read_codes(a, h.number, &c, why) < 0 ||
        may_remove(a, m, &h, &c, done, why) < 0)
        goto out;
    if (done->error != 0) { /* a wrong code */
        r = 0;
        goto out;
    }
    if (CHANGE_CODES(a, CODES_REMOVE, why, NUMBER(h.number)) < 0 ||
        CHANGE_CODES(a, RECOVERY_REMOVE, why, NUMBER(h.number)) < 0 ||
        (c.on && outbox_tell(a, &h, slice_text(""), why, "%s",
                             m->by_operator != 0 ? "The operator turned two-step login off."
                                                 : "Two-step login was turned off.") < 0))
        goto out;
    snprintf(done->text, sizeof(done->text), "%s: codes for two-step login removed", h.name);
    r = 0;
out:
    explicit_bzero(&c, sizeof(c));
    return r;
}

int codes_check(struct accounts *a, const void *message, struct outcome *done, struct refusal *why)
{
    const struct totp_check *m = message;
    struct codes c = {0};
    struct holder h;
    int r = -1;

    (void)slice_copy(m->address, done->address, sizeof(done->address));
    if (holder_find(a, m->name, &h, why) < 0 || read_codes(a, h.number, &c, why) < 0)
        goto out;
    r = c.on ? judge(a, &h, &c, m->code, done, why)
             : refuse(why, ENOENT, "the account has no codes for two-step login");
out:
    explicit_bzero(&c, sizeof(c));
    return r;
}
