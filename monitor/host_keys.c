/* The host keys that the monitor holds: read at start and at each reload, never shown to anybody.
 * A key that was replaced stays for the sessions that began with it (they sign rekeys with it), and
 * is no longer offered. */
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

/* Add a key, or offer it again. Takes the key. */
static int take_key(struct host_keys *keys, enum hostkey_type type, EVP_PKEY *pkey,
                    const uint8_t *blob, size_t len)
{
    struct host_key *key = find_blob(keys, blob, len);

    if (key != NULL) {
        EVP_PKEY_free(pkey);
        key->offered = true;
        return 0;
    }
    if (keys->count == HOST_KEYS_MAX) {
        log_error("host keys were replaced too often; restart the server");
        EVP_PKEY_free(pkey);
        return -1;
    }
    key = &keys->keys[keys->count++];
    *key = (struct host_key){
        .key = pkey, .type = hostkey_info(type)->ssh_type, .blob_len = len, .offered = true};
    memcpy(key->blob, blob, len);
    return 0;
}

int priv_host_keys_load(struct host_keys *keys, const char *key_dir, bool make_missing)
{
    uint8_t blob[HOSTKEY_BLOB_MAX];
    char trouble[4600];
    size_t len, found = 0;
    EVP_PKEY *key;

    for (size_t i = 0; i < keys->count; i++)
        keys->keys[i].offered = false;
    for (int t = 0; t < HOSTKEY_TYPES; t++) {
        const enum hostkey_type type = (enum hostkey_type)t;
        int r = hostkey_load(key_dir, type, &key, blob, &len, trouble, sizeof(trouble));
        if (r == 0 && make_missing) {
            log_info("making the %s host key", hostkey_info(type)->name);
            r = hostkey_generate(key_dir, type, false, trouble, sizeof(trouble));
            r = r < 0 ? r : hostkey_load(key_dir, type, &key, blob, &len, trouble, sizeof(trouble));
        }
        if (r < 0) {
            log_error("host key: %s", trouble);
            return -1;
        }
        if (r > 0 && take_key(keys, type, key, blob, len) < 0)
            return -1;
        found += r > 0;
    }
    if (found == 0)
        log_error("no host key in %s: `sallyport hostkey generate` makes them", key_dir);
    return found > 0 ? 0 : -1;
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
