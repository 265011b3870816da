/* Logins, as libssh asks for them. Nothing is decided here: each request becomes a question to the
 * monitor, and its verdict the answer. What a hacked worker could change here is only what its own
 * client is told. */
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "common/sshwire.h"
#include "sftp-worker/worker.h"

#define LOCAL_REFUSALS_MOST 20 /* requests that cannot even be asked */
#define QUERIES_MOST        60 /* keys offered; the monitor takes a few more for an attack */

/* The methods that may come next, in libssh's bits. */
static void offer(struct worker *w, unsigned methods)
{
    int offered = 0;

    if ((methods & AUTH_PUBLICKEY) != 0)
        offered |= SSH_AUTH_METHOD_PUBLICKEY;
    if ((methods & AUTH_PASSWORD) != 0)
        offered |= SSH_AUTH_METHOD_PASSWORD | SSH_AUTH_METHOD_INTERACTIVE;
    if ((methods & AUTH_CODE) != 0)
        offered |= SSH_AUTH_METHOD_INTERACTIVE;
    ssh_set_auth_methods(w->session, offered);
}

static int refuse_here(struct worker *w)
{
    if (++w->local_refusals > LOCAL_REFUSALS_MOST)
        stop_because(&w->stop, "too many failed tries");
    return SSH_AUTH_DENIED;
}

static int on_open(struct worker *w, const struct verdict *v)
{
    const int fd = monitor_take_fd(&w->monitor);

    if (fd != FD_AGENT) { /* the filter knows it by its number */
        stop_because(&w->stop, "the server could not open the session");
        return SSH_AUTH_DENIED;
    }
    slice_copy(v->account, w->account, sizeof(w->account));
    w->uid = v->uid;
    w->gid = v->gid;
    w->in.rate = w->out.rate = v->bandwidth;
    w->logged_in = true;
    return SSH_AUTH_SUCCESS;
}

/* Ask for a verdict. Returns what libssh's callbacks return. */
static int ask(struct worker *w, enum message_type type, const void *question)
{
    struct verdict v;
    char reason[256];

    w->request_answered = true;
    if (w->stop.asked) /* what libssh had read already: the monitor would not hear it */
        return SSH_AUTH_DENIED;
    if (w->logged_in)
        return refuse_here(w);
    if (monitor_ask(&w->monitor, type, question, MSG_verdict, &v) < 0)
        return SSH_AUTH_DENIED;
    offer(w, v.methods);
    w->code_due = v.outcome == VERDICT_PARTIAL && (v.methods & AUTH_CODE) != 0;
    switch (v.outcome) {
    case VERDICT_OPEN:
        return on_open(w, &v);
    case VERDICT_PARTIAL:
        return SSH_AUTH_PARTIAL;
    case VERDICT_KEY_OK:
        return SSH_AUTH_SUCCESS;
    case VERDICT_ENOUGH:
        slice_copy(v.reason, reason, sizeof(reason));
        stop_because(&w->stop, reason);
        return SSH_AUTH_DENIED;
    default:
        return SSH_AUTH_DENIED;
    }
}

/* ------------------------------------------------------------------------- banner */

/* Shown once, before the first answer (RFC 4252, 5.4). */
static void show_banner(struct worker *w)
{
    char text[4097];

    if (w->banner_sent)
        return;
    w->banner_sent = true;
    if (w->setup.banner.len == 0 || slice_copy(w->setup.banner, text, sizeof(text)) < 0)
        return;
    ssh_string banner = ssh_string_from_char(text);
    if (banner != NULL)
        ssh_send_issue_banner(w->session, banner);
    ssh_string_free(banner);
}

/* ------------------------------------------------------------------------- callbacks */

static int on_none(ssh_session session, const char *user, void *data)
{
    struct worker *w = data;

    (void)session;
    (void)user;
    w->request_answered = true;
    show_banner(w);
    return refuse_here(w);
}

static int on_password(ssh_session session, const char *user, const char *password, void *data)
{
    struct worker *w = data;
    const struct auth_password question = {.user = slice_text(user),
                                           .password = slice_text(password)};

    (void)session;
    show_banner(w);
    if (question.user.len > ACCOUNT_NAME_MAX || question.password.len > 1024) {
        w->request_answered = true;
        return refuse_here(w);
    }
    return ask(w, MSG_auth_password, &question);
}

/* The key as a blob (RFC 4253, 6.6). Returns bytes, 0 if it does not fit. */
static size_t key_blob(ssh_key key, uint8_t *blob, size_t size)
{
    char *text = NULL;
    size_t len = 0;

    if (ssh_pki_export_pubkey_base64(key, &text) != SSH_OK)
        return 0;
    const size_t chars = strlen(text);
    if (chars % 4 == 0 && chars / 4 * 3 <= size) {
        const int n = EVP_DecodeBlock(blob, (const unsigned char *)text, (int)chars);
        len = n > 0 ? (size_t)n : 0;
        for (size_t i = chars; len > 0 && i > 0 && text[i - 1] == '='; i--)
            len--;
    }
    ssh_string_free_char(text);
    return len;
}

/* Without a signature: would this key do? RSA has one key type and several algorithms. */
static int ask_query(struct worker *w, const char *user, ssh_key key, struct slice blob)
{
    const char *type = ssh_key_type_to_char(ssh_key_type(key));
    const struct slice taken = w->setup.public_key_algorithms;
    const char *rsa =
        name_list_has(taken, slice_text("rsa-sha2-256")) ? "rsa-sha2-256" : "rsa-sha2-512";
    const struct auth_query question = {
        .user = slice_text(user),
        .algorithm = slice_text(type != NULL && strcmp(type, "ssh-rsa") == 0 ? rsa : type),
        .key = blob,
    };

    if (++w->queries > QUERIES_MOST) {
        stop_because(&w->stop, "too many keys were offered");
        return SSH_AUTH_DENIED;
    }
    return question.algorithm.len > 64 ? refuse_here(w) : ask(w, MSG_auth_query, &question);
}

static int ask_signature(struct worker *w, const char *user, ssh_key key, struct slice blob)
{
    static struct seam_signature s;

    if (!seam_take_signature(&s))
        return refuse_here(w);
    const struct auth_key question = {
        .user = slice_text(user),
        .algorithm = slice_text(s.algorithm[0] != '\0' ? s.algorithm
                                                       : ssh_key_type_to_char(ssh_key_type(key))),
        .key = blob,
        .signature = slice_of(s.bytes, s.len),
        .sk_flags = s.sk_flags,
        .sk_counter = s.sk_counter,
    };
    return ask(w, MSG_auth_key, &question);
}

static int on_public_key(ssh_session session, const char *user, struct ssh_key_struct *key,
                         char signature_state, void *data)
{
    struct worker *w = data;
    uint8_t blob[8192];
    const size_t len = key_blob(key, blob, sizeof(blob));

    (void)session;
    show_banner(w);
    w->request_answered = true;
    if (len == 0 || strlen(user) > ACCOUNT_NAME_MAX)
        return refuse_here(w);
    if (signature_state == SSH_PUBLICKEY_STATE_NONE)
        return ask_query(w, user, key, slice_of(blob, len));
    return signature_state == SSH_PUBLICKEY_STATE_VALID
               ? ask_signature(w, user, key, slice_of(blob, len))
               : refuse_here(w);
}

/* ------------------------------------------------------------------------- keyboard-interactive */

/* One question at a time (RFC 4256): the password, for programs that know no other method; the
 * code, after a first step by whatever method. */
static int prompt(struct worker *w, ssh_message message)
{
    static const char *password[] = {"Password: "}, *code[] = {"Code: "};
    char hidden[] = {0};

    ssh_message_auth_interactive_request(message, "", "", 1, w->code_due ? code : password, hidden);
    return 0;
}

static int ask_code(struct worker *w, const char *given)
{
    const struct auth_code question = {.code = slice_text(given)};

    return question.code.len > 64 ? refuse_here(w) : ask(w, MSG_auth_code, &question);
}

static int on_kbdint(struct worker *w, ssh_message message)
{
    const char *user = ssh_message_auth_user(message);

    w->request_answered = true;
    show_banner(w);
    if (!ssh_message_auth_kbdint_is_response(message)) {
        if (user == NULL ||
            slice_copy(slice_text(user), w->kbdint_user, sizeof(w->kbdint_user)) < 0) {
            refuse_here(w);
            return 1;
        }
        return prompt(w, message);
    }
    const char *given = ssh_userauth_kbdint_getnanswers(w->session) == 1
                            ? ssh_userauth_kbdint_getanswer(w->session, 0)
                            : NULL;
    if (given == NULL) {
        refuse_here(w);
        return 1;
    }
    const int r =
        w->code_due ? ask_code(w, given) : on_password(w->session, w->kbdint_user, given, w);
    if (r == SSH_AUTH_PARTIAL && w->code_due) /* the same method goes on */
        return prompt(w, message);
    if (r != SSH_AUTH_SUCCESS && r != SSH_AUTH_PARTIAL)
        return 1;
    ssh_message_auth_reply_success(message, r == SSH_AUTH_PARTIAL);
    return 0;
}

/* Whatever the callbacks above do not take: 1 lets libssh refuse it. */
static int on_message(ssh_session session, ssh_message message, void *data)
{
    struct worker *w = data;

    (void)session;
    if (ssh_message_type(message) == SSH_REQUEST_AUTH) {
        w->request_answered = true;
        if (!w->logged_in && ssh_message_subtype(message) == SSH_AUTH_METHOD_INTERACTIVE)
            return on_kbdint(w, message);
        refuse_here(w);
    }
    return 1;
}

/* GSSAPI can be asked for although it is not offered; libssh would look for its files. */
static ssh_string on_gssapi(ssh_session session, const char *user, int count, ssh_string *oids,
                            void *data)
{
    struct worker *w = data;

    (void)session;
    (void)user;
    (void)count;
    (void)oids;
    w->request_answered = true;
    refuse_here(w);
    return NULL;
}

/* ------------------------------------------------------------------------- swallowed requests */

/* libssh drops a login request that it cannot parse (an unknown type of key, say) without a reply,
 * and says so in its log only: a request is seen there, and looked for in the callbacks. */
static void on_library_log(int priority, const char *function, const char *text, void *data)
{
    struct worker *w = data;

    (void)priority;
    if (strcmp(function, "ssh_packet_userauth_request") == 0 &&
        strstr(text, "Auth request for service") != NULL) {
        w->request_seen = true;
        w->request_answered = false;
    }
}

void auth_check_swallowed(struct worker *w)
{
    if (w->logged_in || !w->request_seen)
        return;
    w->request_seen = false;
    if (!w->request_answered)
        stop_because(&w->stop, "a login request of a kind that is not supported here");
}

void auth_install(struct worker *w)
{
    w->callbacks = (struct ssh_server_callbacks_struct){
        .userdata = w,
        .auth_password_function = on_password,
        .auth_none_function = on_none,
        .auth_pubkey_function = on_public_key,
        .gssapi_select_oid_function = on_gssapi,
        .channel_open_request_session_function = channel_open,
    };
    ssh_callbacks_init(&w->callbacks);
    ssh_set_server_callbacks(w->session, &w->callbacks);
    ssh_set_message_callback(w->session, on_message, w);
    ssh_set_log_callback(on_library_log);
    ssh_set_log_userdata(w);
    ssh_set_log_level(SSH_LOG_PACKET);
    offer(w, AUTH_PASSWORD | AUTH_PUBLICKEY);
}
