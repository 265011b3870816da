/* Host keys as libssh wants them, without their secrets: files in OpenSSH's format (PROTOCOL.key)
 * made from the public blobs that the monitor sent, with junk where the private parts would be.
 * A signature made with one of these is worth nothing; the seam asks the monitor instead. */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "common/sshwire.h"
#include "sftp-worker/worker.h"

#define FILE_MAX 4096

/* A private number that is none. */
static void put_junk(struct wire_out *w, uint8_t number)
{
    wire_put_string(w, slice_of(&number, 1));
}

/* The private section's fields after the type: public parts as they are, junk for the others. */
static void put_ed25519(struct wire_out *w, struct wire *blob)
{
    static uint8_t seed_and_key[64];
    const struct slice key = wire_string(blob);

    if (key.len != 32) {
        w->bad = true;
        return;
    }
    memcpy(seed_and_key, key.data, 32); /* the seed: no secret, just 32 bytes that are known */
    memcpy(seed_and_key + 32, key.data, 32);
    seam_ed25519_public = seed_and_key + 32;
    wire_put_string(w, key);
    wire_put_string(w, slice_of(seed_and_key, sizeof(seed_and_key)));
}

static void put_ecdsa(struct wire_out *w, struct wire *blob)
{
    wire_put_string(w, wire_string(blob)); /* curve */
    wire_put_string(w, wire_string(blob)); /* point */
    put_junk(w, 1);                        /* scalar */
}

static void put_rsa(struct wire_out *w, struct wire *blob)
{
    const struct slice e = wire_string(blob), n = wire_string(blob);

    wire_put_string(w, n);
    wire_put_string(w, e);
    put_junk(w, 1); /* d */
    put_junk(w, 1); /* iqmp */
    put_junk(w, 3); /* p and q: libssh from 0.11 on divides by what is one less */
    put_junk(w, 3);
}

static const struct {
    const char *type;
    void (*put)(struct wire_out *w, struct wire *blob);
} kinds[] = {
    {"ssh-ed25519", put_ed25519},
    {"ecdsa-sha2-nistp256", put_ecdsa},
    {"ssh-rsa", put_rsa},
};

static size_t private_section(struct slice public_blob, uint8_t *bytes, size_t size)
{
    struct wire_out w = wire_out_of(bytes, size);
    struct wire blob = wire_of(public_blob);
    const struct slice type = wire_string(&blob);
    bool known = false;

    wire_put_u64(&w, 0); /* the two check numbers */
    wire_put_string(&w, type);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (slice_is(type, kinds[i].type)) {
            kinds[i].put(&w, &blob);
            known = true;
        }
    }
    wire_put_string(&w, slice_text("")); /* comment */
    for (uint8_t pad = 1; w.len % 8 != 0; pad++)
        wire_put_u8(&w, pad);
    return known && !w.bad && wire_done(&blob) ? w.len : 0;
}

/* The whole file, in PEM's clothes. Returns 0 or -1. */
static int key_file(struct slice public_blob, char text[FILE_MAX])
{
    static const char begin[] = "-----BEGIN OPENSSH PRIVATE KEY-----\n";
    static const char end[] = "\n-----END OPENSSH PRIVATE KEY-----\n";
    uint8_t file[2400], section[2048];
    struct wire_out w = wire_out_of(file, sizeof(file));
    const size_t len = private_section(public_blob, section, sizeof(section));

    wire_put_bytes(&w, slice_of("openssh-key-v1", 15)); /* with its NUL */
    wire_put_string(&w, slice_text("none"));
    wire_put_string(&w, slice_text("none"));
    wire_put_string(&w, slice_text(""));
    wire_put_u32(&w, 1);
    wire_put_string(&w, public_blob);
    wire_put_string(&w, slice_of(section, len));
    if (len == 0 || w.bad)
        return -1;
    size_t at = sizeof(begin) - 1;
    memcpy(text, begin, at);
    at += (size_t)EVP_EncodeBlock((unsigned char *)text + at, file, (int)w.len);
    memcpy(text + at, end, sizeof(end));
    return 0;
}

int host_keys_import(ssh_bind bind, struct slice public_keys)
{
    struct wire w = wire_of(public_keys);
    char text[FILE_MAX];
    int count = 0;

    while (!w.bad && w.at < w.len) {
        ssh_key key = NULL;
        if (key_file(wire_string(&w), text) < 0 ||
            ssh_pki_import_privkey_base64(text, NULL, NULL, NULL, &key) != SSH_OK)
            return -1;
        if (ssh_bind_options_set(bind, SSH_BIND_OPTIONS_IMPORT_KEY, key) != SSH_OK) {
            ssh_key_free(key);
            return -1;
        }
        count++;
    }
    return w.bad ? -1 : count;
}
