/* The host keys that the monitor holds: read at start and at each reload, never shown to anybody.
 * A key that was replaced stays for the sessions that began with it (they sign rekeys with it), and
 * is no longer offered. */
#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#include "common/hostkey.h"
#include "common/log.h"
#include "common/sshwire.h"
#include "monitor/monitor.h"

static struct host_key *find_blob(struct host_keys *keys, const uint8_t *blob, size_t len)
{
    for (size_t i = 0; i < keys->count; i++) {
        struct host_key *key = &keys->keys[i];
        if (key->blob_len == len && memcmp(key->blob, blob, len) == 0)
            return key;
    }
    return NULL;
}

/* Add a key, or offer it again. Takes the key out of what was read. */
static int take_key(struct host_keys *keys, struct hostkey *fresh)
{
    struct host_key *key = find_blob(keys, fresh->blob, fresh->blob_len);

    if (key != NULL) {
        key->offered = true;
        return 0;
    }
    if (keys->count == HOST_KEYS_MAX) {
        log_error("host keys were replaced too often; restart the server");
        return -1;
    }
    key = &keys->keys[keys->count++];
    *key = (struct host_key){.key = fresh->key,
                             .type = hostkey_info(fresh->type)->ssh_type,
                             .blob_len = fresh->blob_len,
                             .offered = true};
    memcpy(key->blob, fresh->blob, fresh->blob_len);
    fresh->key = NULL;
    return 0;
}

/* One type of key. Returns 1, 0 when there is none and none is to be made, or -1. */
static int load_one(struct host_keys *keys, const char *key_dir, enum hostkey_type type,
                    bool make_missing)
{
    char trouble[HOSTKEY_TROUBLE_MAX];
    struct hostkey fresh = {0};
    int r = priv_hostkey_load(key_dir, type, &fresh, trouble);

    if (r < 0 && errno == ENOENT && make_missing) {
        log_info("making the %s host key", hostkey_info(type)->name);
        if ((r = priv_hostkey_generate(key_dir, type, trouble)) == 0)
            r = priv_hostkey_load(key_dir, type, &fresh, trouble);
    } else if (r < 0 && errno == ENOENT) {
        return 0;
    }
    if (r < 0)
        log_error("host key: %s", trouble);
    else
        r = take_key(keys, &fresh) < 0 ? -1 : 1;
    hostkey_free(&fresh);
    return r;
}

int priv_host_keys_load(struct host_keys *keys, const char *key_dir, bool make_missing)
{
    bool offered[HOST_KEYS_MAX] = {false};
    const size_t before = keys->count;
    size_t found = 0;
    int r = 0;

    for (size_t i = 0; i < before; i++) {
        offered[i] = keys->keys[i].offered;
        keys->keys[i].offered = false;
    }
    for (int t = 0; t < HOSTKEY_COUNT && r >= 0; t++) {
        r = load_one(keys, key_dir, (enum hostkey_type)t, make_missing);
        found += r > 0;
    }
    if (r >= 0 && found > 0)
        return 0;
    if (r >= 0)
        log_error("no host key in %s: `sallyport hostkey generate` makes them", key_dir);
    /* Nothing changes: what was offered is offered, and what was read meanwhile is not kept. */
    while (keys->count > before) {
        struct host_key *key = &keys->keys[--keys->count];
        EVP_PKEY_free(key->key);
        explicit_bzero(key, sizeof(*key));
    }
    for (size_t i = 0; i < before; i++)
        keys->keys[i].offered = offered[i];
    return -1;
}

void priv_host_keys_free(struct host_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++)
        EVP_PKEY_free(keys->keys[i].key);
    explicit_bzero(keys, sizeof(*keys));
}

size_t host_keys_public(const struct host_keys *keys, uint8_t *bytes, size_t size)
{
    struct wire_out w = wire_out_of(bytes, size);

    for (size_t i = 0; i < keys->count; i++) {
        if (keys->keys[i].offered)
            wire_put_string(&w, slice_of(keys->keys[i].blob, keys->keys[i].blob_len));
    }
    return w.bad ? 0 : w.len;
}
