/* Samples of what people do with their own accounts: passwords shown for a change, codes, mailed
 * links, and what is asked about an account. Called by samples.c. What a good one needs (a link
 * that was mailed, a key to remove) is made by the way, where there is a store to make it. */
#include <string.h>

#include "tests/hostile/hostile.h"

#define NUL_INSIDE STRONG "\0more"

/* Is there somebody to make things with? A worker without a client would take the next one's. */
static bool can_prepare(const struct hostile *h, const struct actor *a)
{
    return !h->stopped && a->client >= 0 && (h->stand_ins & 1u << ROLE_HTTPS) != 0 &&
           (h->by_hand & 1u << ROLE_STORE) == 0;
}

/* ------------------------------------------------------------------------- passwords */

bool purpose_of(const char *variant, struct auth_password *m, struct sample *s)
{
    static const struct {
        const char *variant;
        uint8_t purpose;
        const char *user, *password, *fresh;
    } rows[] = {
        // clang-format off
        {"fresh",         PURPOSE_SESSION,  ACCOUNT,  PASSWORD,      STRONG},
        {"purpose",       PURPOSE_CODES + 1, ACCOUNT, PASSWORD,      STRONG},
        {"purpose-far",   UINT8_MAX,        ACCOUNT,  PASSWORD,      STRONG},
        {"new-password",  PURPOSE_PASSWORD, LINKED,   STRONG,        STRONG},
        {"new-half",      PURPOSE_PASSWORD, BOTH,     PASSWORD,      STRONG},
        {"new-wrong",     PURPOSE_PASSWORD, LINKED,   "wrong horse", STRONG},
        {"new-nobody",    PURPOSE_PASSWORD, "nobody", STRONG,        STRONG},
        {"new-empty",     PURPOSE_PASSWORD, LINKED,   STRONG,        ""},
        {"new-weak",      PURPOSE_PASSWORD, LINKED,   STRONG,        "password"},
        {"new-nul",       PURPOSE_PASSWORD, LINKED,   STRONG,        STRONG},
        {"new-long",      PURPOSE_PASSWORD, LINKED,   STRONG,        STRONG},
        {"new-address",   PURPOSE_ADDRESS,  LINKED,   STRONG,        "new@example.org"},
        {"address-wrong", PURPOSE_ADDRESS,  LINKED,   "wrong horse", "new@example.org"},
        {"address-empty", PURPOSE_ADDRESS,  LINKED,   STRONG,        ""},
        {"address-bad",   PURPOSE_ADDRESS,  LINKED,   STRONG,        "no address"},
        {"address-nul",   PURPOSE_ADDRESS,  LINKED,   STRONG,        "new@example.org"},
        {"address-long",  PURPOSE_ADDRESS,  LINKED,   STRONG,        "new@example.org"},
        {"new-codes",     PURPOSE_CODES,    LINKED,   STRONG,        ""},
        {"codes-wrong",   PURPOSE_CODES,    LINKED,   "wrong horse", ""},
        // clang-format on
    };
    size_t i = 0;

    while (i < sizeof(rows) / sizeof(rows[0]) && !sample_is(variant, rows[i].variant))
        i++;
    if (i == sizeof(rows) / sizeof(rows[0]))
        return false;
    *m = (struct auth_password){.user = slice_text(rows[i].user),
                                .password = slice_text(rows[i].password),
                                .purpose = rows[i].purpose,
                                .fresh = slice_text(rows[i].fresh)};
    if (sample_is(variant, "new-nul"))
        m->fresh = sample_keep(s, 0, slice_of(NUL_INSIDE, sizeof(NUL_INSIDE)));
    if (sample_is(variant, "address-nul"))
        m->fresh = sample_keep(s, 0, slice_of("new@example.org\0x", 17));
    if (sample_is(variant, "new-long") || sample_is(variant, "address-long")) {
        memset(s->room, 'a', 1024);
        memcpy(s->room + 512, "@", 1);
        m->fresh = slice_of(s->room, 1024);
    }
    return true;
}

/* ------------------------------------------------------------------------- codes */

/* A code that was right a moment ago. */
static void use_code(struct hostile *h, const char *code)
{
    const struct auth_code m = {.code = slice_text(code)};
    struct verdict verdict;
    struct actor a;

    web_greeted(h, &a);
    if (login_by_password(h, &a, CODED, PASSWORD) != VERDICT_PARTIAL ||
        own_ask(h, &a, MSG_auth_code, &m) != MSG_verdict ||
        decode_verdict(&h->envelope, &verdict) < 0 || verdict.outcome != VERDICT_KNOWN)
        give_up("a good code is refused: see %s/log", h->place);
    actor_drop(&a);
}

void make_auth_code(struct hostile *h, struct actor *a, const char *variant, struct sample *s)
{
    const bool right =
        !sample_is(variant, "wrong") && !sample_is(variant, "empty") && !sample_is(variant, "long");
    const char *code = right && can_prepare(h, a) ? code_take(h) : "000000";
    struct auth_code m = {.code = sample_keep(s, 0, slice_text(code))};

    if (sample_is(variant, "empty"))
        m.code.len = 0;
    if (sample_is(variant, "long")) {
        memset(s->room, '0', CODE_MAX);
        m.code = slice_of(s->room, CODE_MAX);
    }
    if (sample_is(variant, "nul")) { /* a right one, then a NUL and more */
        m.code = slice_of(s->room, m.code.len + 2);
        s->room[m.code.len - 2] = 0;
        s->room[m.code.len - 1] = 'x';
    }
    if (sample_is(variant, "used") && can_prepare(h, a))
        use_code(h, code);
    if (sample_is(variant, "old") && can_prepare(h, a))
        own_prepare(h); /* of a list that was replaced */
    if (sample_is(variant, "again") && a->coded && send_auth_code(a->link, 1, &m) < 0)
        give_up("a code cannot be sent");
    s->answers = true;
    sample_encode(s, &m);
}

/* ------------------------------------------------------------------------- links */

static void use_link(struct hostile *h, const uint8_t token[WEB_TOKEN])
{
    const struct auth_link m = {
        .token = slice_of(token, WEB_TOKEN), .use = 1, .fresh = slice_text(STRONG)};
    struct actor a;

    web_greeted(h, &a);
    if (own_ask(h, &a, MSG_auth_link, &m) != MSG_store_done)
        give_up("a good link is refused: see %s/log", h->place);
    actor_drop(&a);
}

void make_auth_link(struct hostile *h, struct actor *a, const char *variant, struct sample *s)
{
    const bool use = variant != NULL && strncmp(variant, "use", 3) == 0;
    const bool unknown = variant != NULL && strstr(variant, "unknown") != NULL;
    uint8_t token[WEB_TOKEN] = {0};
    struct auth_link m = {.fresh = slice_text(STRONG), .use = use && !sample_is(variant, "used")};

    if (!unknown && can_prepare(h, a))
        link_take(h, token);
    if (sample_is(variant, "used") && can_prepare(h, a))
        use_link(h, token);
    if (sample_is(variant, "hash") && /* what the store has of it */
        EVP_Q_digest(NULL, "SHA256", NULL, token, sizeof(token), token, NULL) != 1)
        give_up("no hash");
    m.token = sample_keep(s, 0, slice_of(token, sizeof(token)));
    if (sample_is(variant, "short"))
        m.token.len = WEB_TOKEN - 1;
    if (sample_is(variant, "nothing"))
        m.token.len = 0;
    if (sample_is(variant, "use-empty"))
        m.fresh.len = 0;
    if (sample_is(variant, "use-weak"))
        m.fresh = slice_text("password");
    if (sample_is(variant, "use-nul"))
        m.fresh = sample_keep(s, WEB_TOKEN, slice_of(NUL_INSIDE, sizeof(NUL_INSIDE)));
    if (sample_is(variant, "use-long")) {
        memset(s->room + WEB_TOKEN, 'a', 1024);
        m.fresh = slice_of(s->room + WEB_TOKEN, 1024);
    }
    s->answers = true;
    sample_encode(s, &m);
}

void make_lost_password(struct hostile *h, struct actor *a, const char *variant, struct sample *s)
{
    const struct lost_password m = {.name = slice_text(sample_is(variant, "nobody")    ? "nobody"
                                                       : sample_is(variant, "empty")   ? ""
                                                       : sample_is(variant, "address") ? ADDRESS
                                                                                       : LINKED)};

    (void)h, (void)a;
    s->answers = true;
    sample_encode(s, &m);
}

/* ------------------------------------------------------------------------- one's own account */

static void fill_key_add(const char *variant, struct key_add *m, struct hostile *h,
                         struct sample *s)
{
    size_t len = 0;

    if (sample_is(variant, "junk")) {
        m->key = slice_text("no key");
    } else if (sample_is(variant, "known")) {
        m->key = slice_of(h->user_blob, h->user_blob_len);
    } else {
        EVP_PKEY_free(key_make(s->room, &len));
        m->key = slice_of(s->room, len);
    }
    m->comment = slice_text("hostile");
}

/* Whose it is said to be is never looked at. */
void make_own(struct hostile *h, struct actor *a, const char *variant, struct sample *s)
{
    const struct slice name = slice_text(sample_is(variant, "other") ? OTHER : ACCOUNT);
    const char *whose = sample_is(variant, "other") ? OTHER : ACCOUNT;
    const uint64_t after = sample_is(variant, "last") ? UINT64_MAX : 0;
    const bool makes = can_prepare(h, a) && !sample_is(variant, "none");
    uint8_t token[WEB_TOKEN];
    union {
        struct own_show show;
        struct key_next key_next;
        struct key_add key_add;
        struct key_remove key_remove;
        struct web_next web_next;
        struct web_end web_end;
        struct totp_confirm confirm;
        struct totp_remove remove;
    } m = {.show = {.name = name}};

    if (s->type == MSG_key_next)
        m.key_next = (struct key_next){.name = name, .after = after};
    if (s->type == MSG_key_add) {
        m.key_add = (struct key_add){.name = name};
        fill_key_add(variant, &m.key_add, h, s);
    }
    if (s->type == MSG_key_remove)
        m.key_remove =
            (struct key_remove){.name = name, .number = makes ? key_number(h, whose) : 0};
    if (s->type == MSG_web_next)
        m.web_next = (struct web_next){.name = name, .after = after};
    if (s->type == MSG_web_end)
        m.web_end =
            (struct web_end){.name = name, .number = makes ? web_number(h, whose, token) : 0};
    if (s->type == MSG_totp_confirm)
        m.confirm = (struct totp_confirm){.name = name, .code = slice_text("123456")};
    if (s->type == MSG_totp_remove)
        m.remove = (struct totp_remove){.name = name,
                                        .code = slice_text("123456"),
                                        .by_operator = sample_is(variant, "operator")};
    s->answers = true;
    sample_encode(s, &m);
}

/* Its sessions; the one that asks among them. */
void make_own_session(struct hostile *h, struct actor *a, const char *variant, struct sample *s)
{
    const bool other = sample_is(variant, "other") || sample_is(variant, "other-name");
    const struct slice name = slice_text(other ? OTHER : ACCOUNT);
    const uint64_t own = sample_is(variant, "none")  ? UINT64_MAX
                         : sample_is(variant, "all") ? 0
                                                     : server_session(h, a->pid, NULL);
    const struct session_next next = {.account = name,
                                      .after = sample_is(variant, "last") ? UINT64_MAX : 0};
    const struct session_kill kill = {.account = name, .number = own};

    s->answers = true;
    sample_encode(s, s->type == MSG_session_next ? (const void *)&next : (const void *)&kill);
}
