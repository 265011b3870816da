/* Fuzzing of the check of a login's signature (monitor/sign.c): keys and signatures of any shape go
 * to libcrypto, as they would if an account had such a key. The first byte chooses the algorithm,
 * then come flags, counter, the length of the key blob, the blob and the signature. */
#include "common/sshwire.h"
#include "monitor/monitor.h"
#include "tests/fuzz/fuzz.h"

static const char *const algorithms[] = {
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-256",
    "rsa-sha2-512",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-rsa",
    "ssh-dss",
    "",
};
#define KNOWN 8 /* of them are taken */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of(data, size);
    const size_t number = take_u8(&input) % (sizeof(algorithms) / sizeof(algorithms[0]));
    const uint8_t flags = take_u8(&input);
    const uint32_t counter = take_u16(&input);
    const struct slice blob = take(&input, take_u16(&input));
    uint8_t *key = exact_copy(blob), *signature = exact_copy(input);
    const struct auth_key claim = {
        .user = slice_text("alice"),
        .algorithm = slice_text(algorithms[number]),
        .key = slice_of(key, blob.len),
        .signature = slice_of(signature, input.len),
        .sk_flags = flags,
        .sk_counter = counter,
    };
    const struct exchange none = {0};
    struct exchange x = {.session_id_len = 32};

    const int r = verify_login_signature(&x, &claim);
    must(r == 0 || r == 1);
    struct wire w = wire_of(blob);
    const struct slice type = wire_string(&w);
    const bool rsa = slice_is(type, "ssh-rsa");
    if (r == 1) {
        must(number < KNOWN && input.len > 0);
        must(rsa ? number == 4 || number == 5 : slice_is(type, algorithms[number]));
        must(number < 6 || (flags & 1) != 0);
    }
    must(verify_login_signature(&none, &claim) == 0);
    free(key);
    free(signature);
    return 0;
}
