/* What people do with their own accounts, for dispatch_model.c: codes, mailed links, changes that a
 * password is shown for, questions about an account. The store is asked for a session only what
 * that session said, in the name of the account that it has shown. Kept from what the children say
 * and are told. */
#include <errno.h>
#include <openssl/evp.h>

#include "tests/fuzz/dispatch.h"

#define RIGHT_CODE "123456"

/* What a session has said. */
static struct own {
    uint64_t number;
    enum login_purpose purpose; /* of its last password */
    struct secret fresh;        /* ... what it is about */
    struct secret code, password;
    uint8_t link[32];  /* the hash of its last link's token */
    bool by_link, use; /* a link came last; to be used */
    uint8_t lost[255];
    size_t lost_len;
    bool kills; /* it asked for sessions of its account to be ended */
} owns[CHILDREN_MAX];
static size_t own_count;

/* What hashers said, lately: an answer may be there before the monitor has handed out the job. */
#define HASHES 64
static struct secret hashes[HASHES];
static size_t hash_count;

static struct own *own_of(uint64_t number)
{
    for (size_t i = 0; i < own_count; i++) {
        if (owns[i].number == number)
            return &owns[i];
    }
    must(own_count < CHILDREN_MAX);
    owns[own_count] = (struct own){.number = number};
    return &owns[own_count++];
}

/* ---- what a worker says ---------------------------------------------------------------------- */

static void says_before(struct own *o, const struct envelope *e)
{
    struct auth_password password;
    struct auth_code code;
    struct auth_link link;
    struct lost_password lost;

    if (decode_auth_password(e, &password) == 0) {
        o->by_link = false;
        o->purpose = (enum login_purpose)password.purpose;
        must(secret_set(&o->fresh, password.fresh) == 0);
        must(secret_set(&o->password, password.password) == 0);
    } else if (decode_auth_code(e, &code) == 0) {
        must(secret_set(&o->code, code.code) == 0);
    } else if (decode_auth_link(e, &link) == 0 && link.token.len == WEB_TOKEN) {
        o->by_link = true;
        o->use = link.use != 0;
        must(EVP_Q_digest(NULL, "SHA256", NULL, link.token.data, link.token.len, o->link, NULL) ==
             1);
    } else if (decode_lost_password(e, &lost) == 0) {
        memcpy(o->lost, lost.name.data, lost.name.len);
        o->lost_len = lost.name.len;
    }
}

void own_says(const struct session *s, const struct envelope *e)
{
    struct own *o = own_of(s->number);
    struct session_kill kill;

    if (s->state == STATE_GREETED)
        says_before(o, e);
    if (s->kind == WORKER_HTTPS && decode_session_kill(e, &kill) == 0)
        o->kills = true;
}

void own_acts(struct monitor *m, struct child *c, uint8_t act, struct slice user,
              struct slice bytes)
{
    static const enum login_purpose purposes[] = {PURPOSE_PASSWORD, PURPOSE_ADDRESS, PURPOSE_CODES};
    const uint8_t first = bytes.len > 0 ? bytes.data[0] : 0;
    uint8_t token[WEB_TOKEN] = {first};
    const struct auth_password password = {.user = user,
                                           .password = slice_text("right"),
                                           .purpose = (uint8_t)purposes[act % 3],
                                           .fresh = slice_text("fresh")};
    const struct auth_password joined = {.user = user, .password = slice_text("right" RIGHT_CODE)};
    const struct auth_code code = {.code = slice_text(act == 3 ? RIGHT_CODE : "000000")};
    const struct auth_link link = {.token = slice_of(token, WEB_TOKEN - (first == 99)),
                                   .use = act == 6,
                                   .fresh = slice_text("fresh")};
    const struct lost_password lost = {.name = user};
    const struct own_show show = {.name = user};
    const struct key_add add = {.name = user, .key = bytes.len <= 255 ? bytes : user};
    const struct key_next keys = {.name = user, .after = first};
    const struct key_remove remove = {.name = user, .number = first};
    const struct web_next webs = {.name = user, .after = first};
    const struct web_end end = {.name = user, .number = first};
    const struct totp_confirm confirm = {.name = user, .code = slice_text(RIGHT_CODE)};
    const struct totp_remove codes = {.name = user, .code = code.code, .by_operator = 1};
    const struct session_next next = {.account = user, .after = first};
    const struct session_kill kill = {.account = user, .number = first};
    const struct {
        enum message_type type;
        const void *message;
    } acts[OWN_ACT_KINDS] = {
        {MSG_auth_password, &password}, {MSG_auth_password, &password},
        {MSG_auth_password, &password}, {MSG_auth_code, &code},
        {MSG_auth_code, &code},         {MSG_auth_link, &link},
        {MSG_auth_link, &link},         {MSG_lost_password, &lost},
        {MSG_own_show, &show},          {MSG_key_add, &add},
        {MSG_key_next, &keys},          {MSG_key_remove, &remove},
        {MSG_web_next, &webs},          {MSG_web_end, &end},
        {MSG_totp_confirm, &confirm},   {MSG_totp_remove, &codes},
        {MSG_session_next, &next},      {MSG_session_kill, &kill},
    };

    if (act == 4 && first == 1) /* FTPS: behind the password */
        model_say(m, c, MSG_auth_password, &joined);
    else
        model_say(m, c, acts[act].type, acts[act].message);
}

void own_hashed(struct slice hash)
{
    must(secret_set(&hashes[hash_count++ % HASHES], hash) == 0);
}

static bool was_hashed(struct slice hash)
{
    for (size_t i = 0; i < hash_count && i < HASHES; i++) {
        if (slice_equal(hash, secret_slice(&hashes[i])))
            return true;
    }
    return false;
}

/* ---- what the store is asked ----------------------------------------------------------------- */

/* Is this the code that was said, or the end of the password that came with it? */
static bool said_code(const struct own *o, const struct session *s, struct slice code)
{
    const struct slice password = secret_slice(&o->password);

    if (slice_equal(code, secret_slice(&o->code)))
        return true;
    return s != NULL && s->kind == WORKER_FTPS && code.len == 6 && password.len > 6 &&
           memcmp(password.data + password.len - 6, code.data, 6) == 0;
}

static void asked_check(struct child *store, const struct session *s, struct own *o,
                        const struct envelope *e)
{
    const struct store_refused refused = {.error = EACCES, .text = slice_text("wrong")};
    const struct store_done done = {0};
    struct totp_check check;

    must(decode_totp_check(e, &check) == 0);
    must(said_code(o, s, check.code));
    const bool right = slice_is(check.code, RIGHT_CODE);
    model_code(o->number, right);
    if (right)
        child_tells(store, MSG_store_done, e->id, &done);
    else
        child_tells(store, MSG_store_refused, e->id, &refused);
}

/* A change: by the link that was said, to be used; or by what was shown for just this. */
static void asked_change(const struct own *o, const struct envelope *e)
{
    const char *name = model_shown(o->number);
    struct password_change password;
    struct address_change address;
    struct totp_begin begin;
    struct link_confirm confirm;

    if (decode_password_change(e, &password) == 0) {
        must(password.password.len > 0 && was_hashed(password.password));
        if (password.link.len > 0)
            must(o->by_link && o->use && password.name.len == 0 &&
                 slice_equal(password.link, slice_of(o->link, 32)));
        else
            must(!o->by_link && o->purpose == PURPOSE_PASSWORD && name != NULL &&
                 slice_is(password.name, name));
    } else if (decode_link_confirm(e, &confirm) == 0) {
        must(o->by_link && o->use && slice_equal(confirm.link, slice_of(o->link, 32)));
    } else if (decode_address_change(e, &address) == 0) {
        must(!o->by_link && o->purpose == PURPOSE_ADDRESS && name != NULL &&
             slice_is(address.name, name) && slice_equal(address.email, secret_slice(&o->fresh)));
    } else {
        must(decode_totp_begin(e, &begin) == 0);
        must(!o->by_link && o->purpose == PURPOSE_CODES && name != NULL &&
             slice_is(begin.name, name));
    }
}

static void asked_link(struct child *store, const struct own *o, const struct envelope *e)
{
    const struct store_refused refused = {.error = ENOENT, .text = slice_text("no such link")};
    struct link_show show;

    must(decode_link_show(e, &show) == 0);
    must(o->by_link && slice_equal(show.link, slice_of(o->link, 32)));
    const struct link_is is = {.kind = show.link.data[0] & 3, .name = slice_text("alice")};
    if (is.kind != 0)
        child_tells(store, MSG_link_is, e->id, &is);
    else
        child_tells(store, MSG_store_refused, e->id, &refused);
}

/* A question from the page of an account: in the name of who is logged in, whatever was said. */
static void asked_own(const struct session *s, const struct own *o, const struct envelope *e)
{
    const char *name = model_shown(o->number);
    struct totp_remove remove;
    struct slice asked;
    uint32_t len;

    must(e->len >= 12);
    memcpy(&len, e->bytes + 8, 4); /* the name is the first field */
    must(len <= e->len - 12);
    asked = slice_of(e->bytes + 12, len);
    must(name != NULL && slice_is(asked, name) && o->purpose == PURPOSE_SESSION);
    must(s == NULL || s->kind == WORKER_HTTPS);
    if (decode_totp_remove(e, &remove) == 0)
        must(remove.by_operator == 0);
}

bool own_asked(const struct monitor *m, struct child *store, const struct envelope *e)
{
    const struct store_done done = {.text = slice_text("alice: done")};
    const struct store_request *r = m->store.first;
    struct link_lost lost;

    while (r != NULL && r->id != e->id)
        r = r->next;
    const struct session *s = m->sessions;
    while (s != NULL && (r == NULL || s->number != r->who))
        s = s->next;
    struct own *o = r != NULL ? own_of(r->who) : NULL;
    switch (e->type) {
    case MSG_totp_check:
        if (o != NULL)
            asked_check(store, s, o, e);
        return true;
    case MSG_password_change:
    case MSG_address_change:
    case MSG_totp_begin:
    case MSG_link_confirm:
        if (o != NULL)
            asked_change(o, e);
        break;
    case MSG_link_show:
        if (o != NULL)
            asked_link(store, o, e);
        return true;
    case MSG_link_lost:
        must(decode_link_lost(e, &lost) == 0);
        must(o == NULL || slice_equal(lost.name, slice_of(o->lost, o->lost_len)));
        break;
    case MSG_own_show:
    case MSG_key_add:
    case MSG_key_next:
    case MSG_key_remove:
    case MSG_web_next:
    case MSG_web_end:
    case MSG_totp_confirm:
    case MSG_totp_remove:
        if (o != NULL)
            asked_own(s, o, e);
        break;
    case MSG_store_setup: /* all else that the monitor says to a store, and nothing more */
    case MSG_store_find:
    case MSG_store_login:
    case MSG_store_web_add:
    case MSG_store_web_remove:
    case MSG_store_audit:
    case MSG_store_audit_source:
        return false;
    default:
        must(!"a question of the operator's");
    }
    child_tells(store, MSG_store_done, e->id, &done);
    return true;
}

/* ---- what a worker is told ------------------------------------------------------------------- */

/* Somebody asked for its end who has shown to be of the same account. */
static bool may_be_ended(const char *account)
{
    for (size_t i = 0; i < own_count; i++) {
        const char *name = owns[i].kills ? model_shown(owns[i].number) : NULL;
        if (name != NULL && strcmp(name, account) == 0)
            return true;
    }
    return false;
}

void own_told(const struct monitor *m, const struct session *s, const struct envelope *e)
{
    const char *name = model_shown(s->number);
    struct session_is is;
    struct worker_stop stop;

    (void)m;
    if (decode_session_is(e, &is) == 0)
        must(s->kind == WORKER_HTTPS && name != NULL && slice_is(is.account, name));
    if (decode_worker_stop(e, &stop) == 0 && slice_is(stop.reason, "ended by its account"))
        must(name != NULL && may_be_ended(name));
    switch (message_info(e->type)->link) {
    case FROM_STORE:
    case MONITOR_TO_CONTROL:
        must(s->kind == WORKER_HTTPS);
        break;
    default:
        break;
    }
}

void own_end(void)
{
    explicit_bzero(owns, sizeof(owns));
    explicit_bzero(hashes, sizeof(hashes));
    own_count = hash_count = 0;
}
