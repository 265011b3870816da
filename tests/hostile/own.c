/* What people do with their own accounts, as HTTPS workers do it for them: codes for two-step
 * login, mailed links, keys and web sessions by their numbers. Called by the parts. Nothing is
 * mailed here: a link's token is found where the store keeps its notice until it is delivered. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <liboath/oath.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/base64.h"
#include "tests/hostile/hostile.h"

#define STEP       30 /* seconds (RFC 6238) */
#define DIGITS     6
#define TOKEN_TEXT 43   /* letters of base64url without padding (RFC 4648, 5) */
#define SEEN_MOST  4096 /* tokens of one server */

/* ------------------------------------------------------------------------- workers */

void web_greeted(struct hostile *h, struct actor *a)
{
    const enum role kind = h->kind;

    h->kind = ROLE_HTTPS;
    actor_make(h, STAND_GREETED, a);
    h->kind = kind;
}

void web_actor(struct hostile *h, struct actor *a, const char *user, const char *password)
{
    web_greeted(h, a);
    if (login_by_password(h, a, user, password) != VERDICT_KNOWN)
        give_up("%s is not logged in: see %s/log", user, h->place);
}

enum message_type own_ask(struct hostile *h, struct actor *a, enum message_type type,
                          const void *message)
{
    const uint32_t id = ++h->next_id;

    if (message_send(a->link, type, id, message, NULL, 0) < 0 ||
        raw_receive(h, a->link, answer_ms) != 1 || h->envelope.id != id)
        give_up("%s is not answered: see %s/log", message_info(type)->name, h->place);
    return h->envelope.type;
}

enum message_type own_purpose(struct hostile *h, struct actor *a, const char *user,
                              const char *password, enum login_purpose purpose, const char *fresh)
{
    const struct auth_password claim = {.user = slice_text(user),
                                        .password = slice_text(password),
                                        .purpose = (uint8_t)purpose,
                                        .fresh = slice_text(fresh)};

    return own_ask(h, a, MSG_auth_password, &claim);
}

/* ------------------------------------------------------------------------- codes */

/* The code of a secret in Base32, now. */
static void code_now(const char *secret, char code[DIGITS + 1])
{
    char *bytes = NULL;
    size_t len = 0;

    if (oath_base32_decode(secret, strlen(secret), &bytes, &len) != OATH_OK ||
        oath_totp_generate(bytes, len, time(NULL), STEP, 0, DIGITS, code) != OATH_OK)
        give_up("no code of a secret");
    free(bytes);
}

void codes_remove(struct hostile *h, const char *user)
{
    const struct totp_remove remove = {.name = slice_text(user), .by_operator = 1};

    server_ask(h, MSG_totp_remove, &remove); /* refused where there are none */
}

void codes_enrol(struct hostile *h, const char *user, const char *password,
                 char codes[RECOVERY][CODE_MAX + 1])
{
    struct totp_secret secret;
    struct recovery_codes list;
    char text[65], code[DIGITS + 1], all[513], *rest = all;
    struct actor a;

    codes_remove(h, user);
    web_greeted(h, &a);
    if (own_purpose(h, &a, user, password, PURPOSE_CODES, "") != MSG_totp_secret ||
        decode_totp_secret(&h->envelope, &secret) < 0 ||
        slice_copy(secret.secret, text, sizeof(text)) < 0)
        give_up("%s gets no secret for codes: see %s/log", user, h->place);
    actor_drop(&a);
    web_actor(h, &a, user, password);
    code_now(text, code);
    const struct totp_confirm confirm = {.name = slice_text(user), .code = slice_text(code)};
    if (own_ask(h, &a, MSG_totp_confirm, &confirm) != MSG_recovery_codes ||
        decode_recovery_codes(&h->envelope, &list) < 0 ||
        slice_copy(list.codes, all, sizeof(all)) < 0)
        give_up("%s has no codes: see %s/log", user, h->place);
    actor_drop(&a);
    for (size_t i = 0; i < RECOVERY; i++) {
        const char *line = strsep(&rest, "\n");
        if (line == NULL || slice_copy(slice_text(line), codes[i], CODE_MAX + 1) < 0)
            give_up("%zu recovery codes", i);
    }
}

void own_prepare(struct hostile *h)
{
    codes_enrol(h, CODED, PASSWORD, h->codes);
    h->codes_used = 0;
}

const char *code_take(struct hostile *h)
{
    own_prepare(h); /* wrong ones of before do not count then */
    return h->codes[h->codes_used++];
}

/* ------------------------------------------------------------------------- links */

/* Tokens that were found before: the store's files keep old pages for a while. */
static struct {
    char place[64]; /* of the server that they are of */
    char texts[SEEN_MOST][TOKEN_TEXT];
    size_t count;
} found;

static bool is_new(const char *text)
{
    for (size_t i = 0; i < found.count; i++) {
        if (memcmp(found.texts[i], text, TOKEN_TEXT) == 0)
            return false;
    }
    if (found.count == SEEN_MOST)
        give_up("more than %d links", SEEN_MOST);
    memcpy(found.texts[found.count++], text, TOKEN_TEXT);
    return true;
}

static void token_of(const char *text, uint8_t token[WEB_TOKEN])
{
    char plain[TOKEN_TEXT + 1];

    for (size_t i = 0; i < TOKEN_TEXT; i++)
        plain[i] = (char)(text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i]);
    plain[TOKEN_TEXT] = '=';
    if (base64_decode(slice_of(plain, sizeof(plain)), token, WEB_TOKEN) != WEB_TOKEN)
        give_up("a token that is none: %.43s", text);
}

/* A token for this account in one file that was not there before: the facts of a notice are a JSON
 * object. */
static bool find_in(int folder, const char *name, const char *user, uint8_t token[WEB_TOKEN])
{
    static const char key[] = "{\"token\":\"";
    const int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    char whose[64];
    struct stat st;
    bool is_found = false;

    if (fd < 0 || fstat(fd, &st) < 0)
        give_up("%s: %s", name, strerror(errno));
    char *bytes = malloc((size_t)st.st_size + 1);
    const ssize_t n = bytes != NULL ? pread(fd, bytes, (size_t)st.st_size, 0) : -1;
    close(fd);
    const size_t len = (size_t)snprintf(whose, sizeof(whose), "\",\"account\":\"%s\",", user);
    const char *at = bytes, *end = bytes + (n > 0 ? n : 0);
    while (!is_found && (at = memmem(at, (size_t)(end - at), key, sizeof(key) - 1)) != NULL) {
        at += sizeof(key) - 1;
        if ((size_t)(end - at) > TOKEN_TEXT + len && memcmp(at + TOKEN_TEXT, whose, len) == 0 &&
            is_new(at)) {
            token_of(at, token);
            is_found = true;
        }
    }
    free(bytes);
    return is_found;
}

static bool find_token(struct hostile *h, const char *user, uint8_t token[WEB_TOKEN])
{
    char path[128];
    bool is_found = false;

    if (strcmp(found.place, h->place) != 0) {
        memcpy(found.place, h->place, sizeof(found.place));
        found.count = 0;
    }
    snprintf(path, sizeof(path), "%s/state", h->place);
    DIR *dir = opendir(path);
    for (struct dirent *e = dir != NULL ? readdir(dir) : NULL; e != NULL && !is_found;
         e = readdir(dir)) {
        if (strncmp(e->d_name, "accounts.db", 11) == 0)
            is_found = find_in(dirfd(dir), e->d_name, user, token);
    }
    if (dir != NULL)
        closedir(dir);
    return is_found;
}

void link_await(struct hostile *h, const char *user, uint8_t token[WEB_TOKEN])
{
    const int64_t until = clock_now_ms() + PATIENCE_MS;

    while (!find_token(h, user, token)) {
        if (clock_now_ms() > until)
            give_up("no link for %s: see %s/log", user, h->place);
        children_wait(h, -1, 0, 1);
    }
}

void link_take(struct hostile *h, uint8_t token[WEB_TOKEN])
{
    const struct lost_password lost = {.name = slice_text(LINKED)};
    struct actor a;

    while (find_token(h, LINKED, token)) /* what was asked for by others */
        ;
    web_greeted(h, &a);
    if (own_ask(h, &a, MSG_lost_password, &lost) != MSG_store_done)
        give_up("a lost password is not heard");
    actor_drop(&a);
    link_await(h, LINKED, token);
}

/* ------------------------------------------------------------------------- numbers */

uint64_t web_number(struct hostile *h, const char *user, uint8_t token[WEB_TOKEN])
{
    struct web_next next = {.name = slice_text(user)};
    struct web_is is;
    struct actor a;

    web_greeted(h, &a);
    if (web_sign_in(h, &a, user, PASSWORD, token) != VERDICT_TOKEN)
        give_up("%s cannot sign in: see %s/log", user, h->place);
    actor_drop(&a);
    web_actor(h, &a, user, PASSWORD);
    while (own_ask(h, &a, MSG_web_next, &next) == MSG_web_is &&
           decode_web_is(&h->envelope, &is) == 0)
        next.after = is.number;
    actor_drop(&a);
    if (next.after == 0)
        give_up("%s has no web session", user);
    return next.after;
}

uint64_t key_number(struct hostile *h, const char *user)
{
    uint8_t blob[BLOB_MAX];
    size_t len = 0;
    struct store_done done;
    EVP_PKEY *key = key_make(blob, &len);
    const struct key_add add = {.name = slice_text(user), .key = slice_of(blob, len)};

    EVP_PKEY_free(key);
    if (server_ask(h, MSG_key_add, &add) != MSG_store_done ||
        decode_store_done(&h->answer, &done) < 0 || done.number == 0)
        give_up("no key for %s", user);
    return done.number;
}

uint64_t key_first(struct hostile *h, const char *user)
{
    const struct key_next next = {.name = slice_text(user)};
    struct key key;

    if (server_ask(h, MSG_key_next, &next) != MSG_key || decode_key(&h->answer, &key) < 0)
        give_up("%s has no key", user);
    return key.number;
}
