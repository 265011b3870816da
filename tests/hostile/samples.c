/* A well-formed sample of every message: those that workers may send as good as can be, so that
 * where they are allowed they succeed; the others with empty fields. Variants of a message are good
 * in all but the one thing that their name says. Called by matrix.c and fields.c. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/sshwire.h"
#include "tests/hostile/hostile.h"

/* Bytes that fields of a sample point to. */
struct slice sample_keep(struct sample *s, size_t at, struct slice bytes)
{
    if (at + bytes.len > sizeof(s->room))
        give_up("a sample that does not fit");
    if (bytes.len > 0)
        memcpy(s->room + at, bytes.data, bytes.len);
    return slice_of(s->room + at, bytes.len);
}

void sample_encode(struct sample *s, const void *message)
{
    const ssize_t n = message_encode(s->type, s->id, message, s->bytes, sizeof(s->bytes));

    if (n < 0)
        give_up("a sample of %s that does not encode", message_info(s->type)->name);
    s->len = (size_t)n;
}

bool sample_is(const char *variant, const char *name)
{
    return variant != NULL && strcmp(variant, name) == 0;
}

/* ------------------------------------------------------------------------- to the monitor */

static void make_worker_ready(struct hostile *h, struct actor *a, const char *variant,
                              struct sample *s)
{
    const struct worker_ready m = {.layers = 0xff, .library = slice_text(OLD_LIBRARY)};

    (void)h, (void)a, (void)variant;
    sample_encode(s, &m);
}

static void make_sign_exchange(struct hostile *h, struct actor *a, const char *variant,
                               struct sample *s)
{
    struct exchange_parts parts = {0};
    struct sign_exchange m;

    if (sample_is(variant, "other-key"))
        parts.k_s = slice_of(h->other_key, h->other_key_len);
    if (sample_is(variant, "other-server"))
        parts.v_s = "SSH-2.0-OpenSSH_9.2";
    if (sample_is(variant, "other-session"))
        parts.v_s = "SSH-2.0-sallyport_" SALLYPORT_VERSION " 0123456789abcdef0123456789abcdef";
    if (sample_is(variant, "disagree"))
        parts.kex_s = "diffie-hellman-group14-sha256";
    if (sample_is(variant, "weak")) /* a method whose hash is SHA-1: not in the monitor's list */
        parts.kex_c = "diffie-hellman-group14-sha1";
    m.preimage = slice_of(s->room, exchange_make(h, a, &parts, s->room, sizeof(s->room)));
    if (sample_is(variant, "junk"))
        m.preimage = sample_keep(s, 0, slice_text("not an exchange, but the bytes of a login"));
    if (sample_is(variant, "trailing"))
        m.preimage.len++; /* room is zeroed: one byte more than the exchange */
    s->answers = true;
    sample_encode(s, &m);
}

static void make_auth_query(struct hostile *h, struct actor *a, const char *variant,
                            struct sample *s)
{
    struct auth_query m = {.user = slice_text(sample_is(variant, "nobody") ? "nobody" : ACCOUNT),
                           .algorithm = slice_text("ssh-ed25519"),
                           .key = slice_of(h->user_blob, h->user_blob_len)};

    (void)a;
    if (sample_is(variant, "unknown"))
        m.key = slice_of(h->other_key, h->other_key_len);
    if (sample_is(variant, "algorithm"))
        m.algorithm = slice_text("ssh-rsa"); /* SHA-1: not one that is taken */
    s->answers = true;
    sample_encode(s, &m);
}

static void make_auth_key(struct hostile *h, struct actor *a, const char *variant, struct sample *s)
{
    const char *user = sample_is(variant, "half") ? BOTH : ACCOUNT;
    const size_t len =
        login_sign(h, user, a->keyed ? a->session_id : NULL, s->room, sizeof(s->room));
    struct auth_key m = {.user = slice_text(sample_is(variant, "nobody") ? "nobody" : user),
                         .algorithm = slice_text("ssh-ed25519"),
                         .key = slice_of(h->user_blob, h->user_blob_len),
                         .signature = slice_of(s->room, len)};

    if (sample_is(variant, "wrong"))
        s->room[len / 2] ^= 1;
    if (sample_is(variant, "unsigned"))
        m.signature.len = 0;
    if (sample_is(variant, "algorithm"))
        m.algorithm = slice_text("rsa-sha2-512"); /* the key is none of its kind */
    s->answers = true;
    sample_encode(s, &m);
}

static void make_auth_password(struct hostile *h, struct actor *a, const char *variant,
                               struct sample *s)
{
    struct auth_password m = {.user = slice_text(sample_is(variant, "nobody") ? "nobody"
                                                 : sample_is(variant, "half") ? BOTH
                                                                              : ACCOUNT),
                              .password = slice_text(PASSWORD)};

    (void)h, (void)a;
    if (sample_is(variant, "wrong") || sample_is(variant, "sign-wrong"))
        m.password = slice_text("wrong horse");
    if (sample_is(variant, "sign-in") || sample_is(variant, "sign-wrong"))
        m.purpose = PURPOSE_SIGN_IN;
    purpose_of(variant, &m, s);
    if (sample_is(variant, "empty"))
        m.password = slice_text("");
    if (sample_is(variant, "nul")) /* the right one, then a NUL and more */
        m.password = sample_keep(s, 0, slice_of(PASSWORD "\0x", sizeof(PASSWORD) + 1));
    s->answers = true;
    sample_encode(s, &m);
}

/* A handshake's hash, and what is none of TLS 1.3. */
static void make_sign_tls13(struct hostile *h, struct actor *a, const char *variant,
                            struct sample *s)
{
    struct sign_tls13 m = {.scheme = ECDSA_SHA256, .hash = slice_of(s->room, 32)};

    (void)h, (void)a;
    memset(s->room, 0x5a, 64);
    if (sample_is(variant, "sha384"))
        m.hash.len = 48;
    if (sample_is(variant, "nothing"))
        m.hash.len = 0;
    if (sample_is(variant, "short"))
        m.hash.len = 31;
    if (sample_is(variant, "long"))
        m.hash.len = 33;
    if (sample_is(variant, "sha1"))
        m.scheme = 0x0203;
    if (sample_is(variant, "pkcs1"))
        m.scheme = 0x0401;
    if (sample_is(variant, "pss"))
        m.scheme = 0x0804;
    if (sample_is(variant, "ed25519"))
        m.scheme = 0x0807;
    if (sample_is(variant, "no-scheme"))
        m.scheme = ECDSA_SHA256 | 1u << 16;
    if (sample_is(variant, "identity")) /* it was given one */
        m.identity = 1;
    if (sample_is(variant, "identity-far"))
        m.identity = UINT32_MAX;
    s->answers = true;
    sample_encode(s, &m);
}

/* Randoms and ECDHE parameters, and what is none of TLS 1.2. */
static void make_sign_tls12(struct hostile *h, struct actor *a, const char *variant,
                            struct sample *s)
{
    const bool p384 = sample_is(variant, "p384");
    const uint8_t type = sample_is(variant, "explicit") ? 1 : 3;
    const unsigned group = sample_is(variant, "group") ? 22 : p384 ? 24 : 23;
    const size_t point = sample_is(variant, "point") ? 66 : p384 ? 97 : 65;
    const size_t len = tls12_params(type, group, point, s->room + 64, 256);
    struct sign_tls12 m = {.scheme = ECDSA_SHA256,
                           .client_random = slice_of(s->room, 32),
                           .server_random = slice_of(s->room + 32, 32),
                           .params = slice_of(s->room + 64, len)};

    (void)h, (void)a;
    memset(s->room, 0x5a, 64);
    if (sample_is(variant, "client-random"))
        m.client_random.len = 31;
    if (sample_is(variant, "server-random"))
        m.server_random.len = 31;
    if (sample_is(variant, "trailing"))
        m.params.len++; /* room is zeroed */
    if (sample_is(variant, "cut"))
        m.params.len--;
    if (sample_is(variant, "nothing"))
        m.params.len = 0;
    if (sample_is(variant, "dhe")) /* p, g and Ys, each with its length (RFC 5246, 7.4.3) */
        m.params = sample_keep(s, 64, slice_of("\0\2\5\7\0\1\2\0\1\4", 10));
    if (sample_is(variant, "pkcs1"))
        m.scheme = 0x0401;
    if (sample_is(variant, "sha1"))
        m.scheme = 0x0203;
    if (sample_is(variant, "identity"))
        m.identity = 1;
    if (sample_is(variant, "identity-far"))
        m.identity = TLS_IDENTITIES_MAX;
    s->answers = true;
    sample_encode(s, &m);
}

/* A TLS session of this worker's own. */
static void make_tls_keep(struct hostile *h, struct actor *a, const char *variant, struct sample *s)
{
    struct tls_keep m = {.id = slice_of(s->room, 32), .session = slice_of(s->room, 200)};

    (void)h, (void)a;
    memset(s->room, 0x11, 256); /* not in the slot of the one that web_prepare keeps */
    if (sample_is(variant, "nothing"))
        m.session.len = 0;
    if (sample_is(variant, "short"))
        m.id.len = 31;
    if (sample_is(variant, "no-id"))
        m.id.len = 0;
    sample_encode(s, &m);
}

static void make_tls_find(struct hostile *h, struct actor *a, const char *variant, struct sample *s)
{
    struct tls_find m = {.id = slice_of(h->tls_id, sizeof(h->tls_id))};

    (void)a;
    if (sample_is(variant, "unknown"))
        m.id = slice_of(s->room, 32); /* of zeros */
    if (sample_is(variant, "short"))
        m.id.len = 31;
    if (sample_is(variant, "no-id"))
        m.id.len = 0;
    s->answers = true;
    sample_encode(s, &m);
}

static void make_auth_token(struct hostile *h, struct actor *a, const char *variant,
                            struct sample *s)
{
    struct auth_token m = {.token = sample_keep(s, 0, slice_of(h->token, sizeof(h->token)))};

    (void)a;
    if (sample_is(variant, "unknown"))
        s->room[WEB_TOKEN / 2] ^= 1;
    if (sample_is(variant, "hash") && /* what the store has of it */
        EVP_Q_digest(NULL, "SHA256", NULL, h->token, sizeof(h->token), s->room, NULL) != 1)
        give_up("no hash");
    if (sample_is(variant, "short"))
        m.token.len = WEB_TOKEN - 1;
    if (sample_is(variant, "nothing"))
        m.token.len = 0;
    s->answers = true;
    sample_encode(s, &m);
}

static void make_agent_wanted(struct hostile *h, struct actor *a, const char *variant,
                              struct sample *s)
{
    const struct agent_wanted m = {0};

    (void)h, (void)a, (void)variant;
    s->answers = true;
    sample_encode(s, &m);
}

static void make_sign_out(struct hostile *h, struct actor *a, const char *variant, struct sample *s)
{
    const struct sign_out m = {0};

    (void)h, (void)a, (void)variant;
    s->answers = true;
    sample_encode(s, &m);
}

static void make_data_passive(struct hostile *h, struct actor *a, const char *variant,
                              struct sample *s)
{
    const struct data_passive m = {0};

    (void)h, (void)a, (void)variant;
    s->answers = true;
    sample_encode(s, &m);
}

static void make_data_active(struct hostile *h, struct actor *a, const char *variant,
                             struct sample *s)
{
    struct data_active m = {.port = h->listener_port};

    (void)a;
    listener_drain(h);
    if (sample_is(variant, "nobody"))
        m.port = 1024; /* nobody listens there */
    if (sample_is(variant, "service"))
        m.port = 1023;
    if (sample_is(variant, "nothing"))
        m.port = 0;
    if (sample_is(variant, "too-large"))
        m.port += 65536;
    s->answers = true;
    sample_encode(s, &m);
}

static void make_worker_log(struct hostile *h, struct actor *a, const char *variant,
                            struct sample *s)
{
    char text[64];
    const int n = snprintf(text, sizeof(text), "hostile line %d", (int)a->pid);
    const struct worker_log m = {.level = sample_is(variant, "level") ? 4 : 2,
                                 .text = sample_keep(s, 0, slice_of(text, (size_t)n))};

    (void)h;
    sample_encode(s, &m);
}

static void make_worker_end(struct hostile *h, struct actor *a, const char *variant,
                            struct sample *s)
{
    const struct worker_end m = {
        .reason = slice_text("hostile goodbye"), .bytes_in = 1, .bytes_out = UINT64_MAX};

    (void)h, (void)a, (void)variant;
    sample_encode(s, &m);
}

/* ------------------------------------------------------------------------- to the agent */

/* Ask the agent while a sample is prepared. */
static uint32_t handle_of(struct hostile *h, struct actor *a, enum message_type type,
                          const void *message)
{
    struct file_opened opened;

    if (message_send(a->agent, type, 1, message, NULL, 0) < 0 ||
        raw_receive(h, a->agent, PATIENCE_MS) != 1 || decode_file_opened(&h->envelope, &opened) < 0)
        give_up("the agent does not open what is there");
    return opened.handle;
}

void home_handles(struct hostile *h, struct actor *a, uint32_t *file, uint32_t *copy,
                  uint32_t *folder)
{
    const struct file_open read = {.path = slice_text("/f"), .flags = OPEN_READ | OPEN_WRITE};
    const struct file_open write = {
        .path = slice_text("/c"), .flags = OPEN_WRITE | OPEN_CREATE, .mode = 0600};
    const struct file_opendir list = {.path = slice_text("/")};

    *file = handle_of(h, a, MSG_file_open, &read);
    *copy = handle_of(h, a, MSG_file_open, &write);
    *folder = handle_of(h, a, MSG_file_opendir, &list);
}

/* All requests of files, each on what home_reset has made. */
union file_request {
    struct file_open open;
    struct file_upload upload;
    struct file_close close;
    struct file_stat stat;
    struct file_hstat hstat;
    struct file_setattr setattr;
    struct file_hsetattr hsetattr;
    struct file_opendir opendir;
    struct file_readdir readdir;
    struct file_remove remove;
    struct file_mkdir mkdir;
    struct file_rmdir rmdir;
    struct file_rename rename;
    struct file_readlink readlink;
    struct file_symlink symlink;
    struct file_link link;
    struct file_realpath realpath;
    struct file_space space;
    struct file_sync sync;
    struct file_copy copy;
};

static bool fill_by_path(enum message_type type, union file_request *m)
{
    switch (type) {
    case MSG_file_open:
        m->open = (struct file_open){.path = slice_text("/f"), .flags = OPEN_READ};
        return true;
    case MSG_file_stat:
        m->stat = (struct file_stat){.path = slice_text("/f")};
        return true;
    case MSG_file_setattr:
        m->setattr = (struct file_setattr){.path = slice_text("/f"), .valid = ATTR_MTIME};
        return true;
    case MSG_file_opendir:
        m->opendir = (struct file_opendir){.path = slice_text("/")};
        return true;
    case MSG_file_remove:
        m->remove = (struct file_remove){.path = slice_text("/v")};
        return true;
    case MSG_file_mkdir:
        m->mkdir = (struct file_mkdir){.path = slice_text("/n"), .mode = 0700};
        return true;
    case MSG_file_rmdir:
        m->rmdir = (struct file_rmdir){.path = slice_text("/o")};
        return true;
    case MSG_file_rename:
        m->rename = (struct file_rename){.from = slice_text("/v"), .to = slice_text("/m")};
        return true;
    case MSG_file_readlink:
        m->readlink = (struct file_readlink){.path = slice_text("/l")};
        return true;
    case MSG_file_symlink:
        m->symlink = (struct file_symlink){.target = slice_text("f"), .path = slice_text("/s")};
        return true;
    case MSG_file_link:
        m->link = (struct file_link){.from = slice_text("/f"), .to = slice_text("/h")};
        return true;
    case MSG_file_realpath:
        m->realpath = (struct file_realpath){.path = slice_text("/l")};
        return true;
    case MSG_file_space:
        m->space = (struct file_space){.path = slice_text("/")};
        return true;
    default:
        return false;
    }
}

static bool fill_by_handle(enum message_type type, union file_request *m, uint32_t file,
                           uint32_t copy, uint32_t folder)
{
    switch (type) {
    case MSG_file_close:
        m->close = (struct file_close){.handle = file, .whole = 1};
        return true;
    case MSG_file_hstat:
        m->hstat = (struct file_hstat){.handle = file};
        return true;
    case MSG_file_hsetattr:
        m->hsetattr = (struct file_hsetattr){.handle = file, .valid = ATTR_MTIME};
        return true;
    case MSG_file_readdir:
        m->readdir = (struct file_readdir){.handle = folder};
        return true;
    case MSG_file_sync:
        m->sync = (struct file_sync){.handle = file};
        return true;
    case MSG_file_copy:
        m->copy = (struct file_copy){.from = file, .to = copy, .length = 1};
        return true;
    default:
        return false;
    }
}

/* An upload that was begun and put down. */
static void upload_put_down(struct hostile *h, struct actor *a, char id[UPLOAD_ID + 1])
{
    const struct file_upload begin = {.path = slice_text("/u"), .size = 1, .mtime_ns = -1};
    struct upload_opened opened;
    struct file_close close = {.whole = CLOSE_BROKEN};

    if (send_file_upload(a->agent, 1, &begin) < 0 || raw_receive(h, a->agent, PATIENCE_MS) != 1 ||
        decode_upload_opened(&h->envelope, &opened) < 0 ||
        slice_copy(opened.id, id, UPLOAD_ID + 1) < 0)
        give_up("the agent begins no upload");
    close.handle = opened.handle;
    if (send_file_close(a->agent, 1, &close) < 0 || raw_receive(h, a->agent, PATIENCE_MS) != 1)
        give_up("the agent puts no upload down");
}

/* To go on with one; without an agent to have one from, and as "new", to begin one. */
static void fill_upload(struct hostile *h, struct actor *a, const char *variant,
                        union file_request *m, char id[UPLOAD_ID + 1])
{
    slice_copy(slice_text(sample_is(variant, "no-handle") ? "0123456789abcdef01234567" : ""), id,
               UPLOAD_ID + 1);
    if ((variant == NULL || variant[0] == '\0') && a->agent >= 0 && a->kind == ROLE_HTTPS)
        upload_put_down(h, a, id);
    m->upload = (struct file_upload){
        .path = slice_text("/u"), .id = slice_text(id), .size = 1, .mtime_ns = -1};
}

static void make_file_request(struct hostile *h, struct actor *a, const char *variant,
                              struct sample *s)
{
    union file_request m = {0};
    uint32_t file = 0, copy = 0, folder = 0;
    char id[UPLOAD_ID + 1];

    if (s->type == MSG_file_upload) {
        fill_upload(h, a, variant, &m, id);
    } else if (!fill_by_path(s->type, &m)) {
        if (a->agent >= 0 && !sample_is(variant, "no-handle"))
            home_handles(h, a, &file, &copy, &folder);
        else
            file = copy = folder = 77; /* more than were ever opened */
        if (!fill_by_handle(s->type, &m, file, copy, folder))
            give_up("no sample of %s: add one to samples.c", message_info(s->type)->name);
    }
    s->answers = true;
    sample_encode(s, &m);
}

static int put_file(int home, const char *name, const char *bytes, const struct hostile *h)
{
    const int fd = openat(home, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const bool done = fd >= 0 && write(fd, bytes, strlen(bytes)) == (ssize_t)strlen(bytes) &&
                      (!h->root || fchown(fd, h->uid, h->gid) == 0);

    if (fd >= 0)
        close(fd);
    return done ? 0 : -1;
}

/* Uploads that nobody will end. */
static void remove_uploads(int home)
{
    static const char hidden[] = ".sallyport-upload.";
    const struct dirent *entry;
    DIR *folder = fdopendir(dup(home));

    if (folder == NULL)
        give_up("the home cannot be read: %s", strerror(errno));
    rewinddir(folder);
    while ((entry = readdir(folder)) != NULL) {
        if (strncmp(entry->d_name, hidden, sizeof(hidden) - 1) == 0)
            unlinkat(home, entry->d_name, 0);
    }
    closedir(folder);
}

void home_reset(struct hostile *h)
{
    static const char *const files[] = {"c", "m", "s", "h", "v"};
    static const char *const folders[] = {"n", "o"};
    const int home = open(h->home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (home < 0)
        give_up("%s: %s", h->home, strerror(errno));
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        unlinkat(home, files[i], 0);
    remove_uploads(home);
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
        unlinkat(home, folders[i], AT_REMOVEDIR);
    if (put_file(home, "f", "a file\n", h) < 0 || put_file(home, "v", "", h) < 0 ||
        mkdirat(home, "o", 0700) < 0 || (h->root && fchownat(home, "o", h->uid, h->gid, 0) < 0) ||
        (symlinkat("f", home, "l") < 0 && errno != EEXIST))
        give_up("%s: %s", h->home, strerror(errno));
    close(home);
}

/* ------------------------------------------------------------------------- the table */

static const struct {
    enum message_type type;
    sample_maker make;
    const char *variants; /* names, parted by blanks */
} makers[] = {
    {MSG_worker_ready, make_worker_ready, ""},
    {MSG_sign_exchange, make_sign_exchange,
     "other-key other-server other-session disagree weak junk trailing"},
    {MSG_sign_tls13, make_sign_tls13,
     "sha384 nothing short long sha1 pkcs1 pss ed25519 no-scheme identity identity-far"},
    {MSG_sign_tls12, make_sign_tls12,
     "p384 explicit group point client-random server-random trailing cut nothing dhe pkcs1 sha1 "
     "identity identity-far"},
    {MSG_data_passive, make_data_passive, ""},
    {MSG_data_active, make_data_active, "nobody service nothing too-large"},
    {MSG_auth_query, make_auth_query, "unknown nobody algorithm"},
    {MSG_auth_key, make_auth_key, "half wrong unsigned nobody algorithm"},
    {MSG_auth_password, make_auth_password,
     "half wrong nobody empty nul sign-in sign-wrong fresh purpose purpose-far new-password "
     "new-address new-codes new-half new-wrong new-nobody new-empty new-weak new-nul new-long "
     "address-wrong address-empty address-bad address-nul address-long codes-wrong"},
    {MSG_auth_code, make_auth_code, "wrong empty nul used old long again"},
    {MSG_auth_link, make_auth_link,
     "use unknown hash used use-unknown use-empty use-weak use-nul use-long short nothing"},
    {MSG_lost_password, make_lost_password, "nobody empty address"},
    {MSG_own_show, make_own, "other"},
    {MSG_key_next, make_own, "other last"},
    {MSG_key_add, make_own, "other junk known"},
    {MSG_key_remove, make_own, "other none"},
    {MSG_web_next, make_own, "other last"},
    {MSG_web_end, make_own, "other none"},
    {MSG_totp_confirm, make_own, "other"},
    {MSG_totp_remove, make_own, "operator"},
    {MSG_session_next, make_own_session, "other last"},
    {MSG_session_kill, make_own_session, "other-name all none"},
    {MSG_tls_keep, make_tls_keep, "nothing short no-id"},
    {MSG_tls_find, make_tls_find, "unknown short no-id"},
    {MSG_auth_token, make_auth_token, "unknown hash short nothing"},
    {MSG_agent_wanted, make_agent_wanted, ""},
    {MSG_sign_out, make_sign_out, ""},
    {MSG_worker_log, make_worker_log, "level"},
    {MSG_worker_end, make_worker_end, ""},
};

static bool has_word(const char *words, const char *word)
{
    const size_t n = strlen(word);

    for (const char *at = words; (at = strstr(at, word)) != NULL; at += n) {
        if ((at == words || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
            return true;
    }
    return false;
}

bool sample_known(enum message_type type, const char *variant)
{
    if (variant == NULL)
        return true;
    if (message_info(type)->link == WORKER_TO_AGENT)
        return strcmp(variant, "no-handle") == 0 ||
               (type == MSG_file_upload && strcmp(variant, "new") == 0);
    for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++) {
        if (makers[i].type == type)
            return has_word(makers[i].variants, variant);
    }
    return false;
}

void sample_make(struct hostile *h, struct actor *a, enum message_type type, const char *variant,
                 struct sample *s)
{
    static const uint8_t empty[4096]; /* a message without anything: larger than any struct */
    const struct message_info *info = message_info(type);

    memset(s, 0, sizeof(*s));
    s->type = type;
    s->id = ++h->next_id;
    for (s->fd_count = 0; s->fd_count < info->fds_least; s->fd_count++) {
        s->fds[s->fd_count] = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (s->fds[s->fd_count] < 0)
            give_up("/dev/null: %s", strerror(errno));
    }
    if (info->link == WORKER_TO_AGENT) {
        make_file_request(h, a, variant, s);
        return;
    }
    for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++) {
        if (makers[i].type == type) {
            makers[i].make(h, a, variant, s);
            return;
        }
    }
    if (info->link == WORKER_TO_MONITOR || info->struct_size > sizeof(empty))
        give_up("no sample of %s: add one to samples.c", info->name);
    sample_encode(s, empty);
}

void sample_free(struct sample *s)
{
    for (size_t i = 0; i < s->fd_count; i++)
        close(s->fds[i]);
    s->fd_count = 0;
}
