/* sallyport-hash: computes crypt(3) hashes, one at a time, and judges new passwords; nothing else.
 * Started by the monitor (or, without a server, by the operator's command) and asked over
 * descriptor 3. It sees passwords and settings, never names; it must keep neither after its answer,
 * and never compares. */
#include <crypt.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/facts.h"
#include "common/log.h"
#include "common/message.h"
#include "common/password_rules.h"
#include "common/sandbox.h"
#include "common/secret.h"

#define COST_LEAST 1
#define COST_MOST  11
#define SALT_BYTES 16
#define HASH_MOST  256 /* of hashed.hash in messages.def */

/* The one state of this process: buffers too large for a stack. */
static struct {
    uint32_t cost;
    struct envelope envelope;
    struct crypt_data data;
    struct secret password, setting;
} hasher;

/* Copy a secret that crypt(3) will read as a C string: a NUL inside would cut it unseen. */
static int take_text(struct secret *secret, struct slice from)
{
    if (from.len > 0 && memchr(from.data, 0, from.len) != NULL)
        return -1;
    return secret_set(secret, from);
}

/* A setting for a new hash: yescrypt, the configured cost, fresh salt. */
static int make_setting(struct secret *setting)
{
    char text[CRYPT_GENSALT_OUTPUT_SIZE];
    uint8_t salt[SALT_BYTES];
    int r = -1;

    /* By its system call: newer C libraries' function makes calls that the filter does not have. */
    if (syscall(SYS_getrandom, salt, sizeof(salt), 0) == (long)sizeof(salt) &&
        crypt_gensalt_rn("$y$", hasher.cost, (const char *)salt, sizeof(salt), text,
                         sizeof(text)) != NULL)
        r = secret_set(setting, slice_text(text));
    explicit_bzero(salt, sizeof(salt));
    explicit_bzero(text, sizeof(text));
    return r;
}

/* Answer one request. The hash is empty where the setting or the password is none that crypt(3)
 * can take, or where a new password is easily guessed. Returns 0, or -1 when the link is broken. */
static int answer(const struct hash_password *request, uint32_t id)
{
    struct hashed result = {0};
    const char *hash = NULL;
    const char *weak = request->judge != 0 ? password_weakness(request->password) : NULL;

    if (weak != NULL)
        result.weak = slice_text(weak);
    else if (take_text(&hasher.password, request->password) == 0 &&
             take_text(&hasher.setting, request->setting) == 0 &&
             (hasher.setting.len > 0 || make_setting(&hasher.setting) == 0))
        hash = crypt_rn(secret_text(&hasher.password), secret_text(&hasher.setting), &hasher.data,
                        sizeof(hasher.data));
    if (hash != NULL && strlen(hash) <= HASH_MOST)
        result.hash = slice_text(hash);
    const int r = send_hashed(FD_MONITOR, id, &result);
    explicit_bzero(&hasher.data, sizeof(hasher.data));
    secret_clear(&hasher.password);
    secret_clear(&hasher.setting);
    return r;
}

/* The first message: who to be and at what cost. Returns 0 when the sandbox is in force. */
static int set_up(void)
{
    struct hash_setup setup;
    struct hash_ready ready = {0};
    char empty_dir[4096], trouble[256];
    int r = -1;

    if (message_receive_bare(FD_MONITOR, &hasher.envelope, 0) != 1 ||
        decode_hash_setup(&hasher.envelope, &setup) < 0 ||
        slice_copy(setup.empty_dir, empty_dir, sizeof(empty_dir)) < 0 || setup.cost < COST_LEAST ||
        setup.cost > COST_MOST) {
        log_error("the first message is no good setup");
        goto out;
    }
    hasher.cost = setup.cost;
    const struct sandbox sandbox = {
        .process = PROCESS_HASHER,
        .empty_dir = empty_dir[0] != '\0' ? empty_dir : NULL,
        .uid = setup.uid,
        .gid = setup.gid,
        .descriptors = FD_MONITOR + 2, /* one free: Landlock is set through a descriptor */
        .file_size = 0,
    };
    if (sandbox_enter(&sandbox, &ready.layers, trouble, sizeof(trouble)) < 0) {
        log_error("%s", trouble);
        goto out;
    }
    r = send_hash_ready(FD_MONITOR, hasher.envelope.id, &ready);
out:
    envelope_clear(&hasher.envelope);
    return r;
}

int main(void)
{
    int received;

    log_open("sallyport-hash", LOG_TO_STDERR, LOG_LEVEL_INFO);
    if (set_up() < 0)
        return EXIT_FAILURE;
    /* From here on nothing is logged (the filter has no write) and no exit handlers are run. */
    while ((received = message_receive_bare(FD_MONITOR, &hasher.envelope, 0)) == 1) {
        struct hash_password request;
        const int r = decode_hash_password(&hasher.envelope, &request) < 0
                          ? -1
                          : answer(&request, hasher.envelope.id);
        envelope_clear(&hasher.envelope);
        if (r < 0)
            _exit(EXIT_FAILURE);
    }
    _exit(received == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}
