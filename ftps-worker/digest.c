/* Digests: libcrypto's, and CRC-32 (ISO 3309, as zip and Ethernet have it), which it has not.
 * Called by HASH; in the sandbox nothing can be loaded, so all is made before. */
#include "ftps-worker/digest.h"

#include <string.h>
#include <strings.h>

/* The process's state beside its session: set before the sandbox, never changed after. */
// clang-format off
static struct {
    const char *name, *openssl; /* openssl NULL: CRC-32 */
    EVP_MD *loaded; /* NULL: this OpenSSL does not have it */
} kinds[] = {
    {"SHA-256", "SHA2-256", NULL},
    {"SHA-512", "SHA2-512", NULL},
    {"SHA-1",   "SHA1",     NULL},
    {"MD5",     "MD5",      NULL},
    {"CRC32",   NULL,       NULL},
};
// clang-format on
#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

#define SLICES 8
static uint32_t crc_table[SLICES][256];

static void crc_prepare(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++)
            c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
        crc_table[0][i] = c;
    }
    for (uint32_t i = 0; i < 256; i++) {
        for (int s = 1; s < SLICES; s++)
            crc_table[s][i] = crc_table[s - 1][i] >> 8 ^ crc_table[0][crc_table[s - 1][i] & 0xff];
    }
}

/* Eight bytes at a time. */
static uint32_t crc_feed(uint32_t c, const uint8_t *p, size_t n)
{
    for (; n >= SLICES; p += SLICES, n -= SLICES) {
        c ^= (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        c = crc_table[7][c & 0xff] ^ crc_table[6][c >> 8 & 0xff] ^ crc_table[5][c >> 16 & 0xff] ^
            crc_table[4][c >> 24] ^ crc_table[3][p[4]] ^ crc_table[2][p[5]] ^ crc_table[1][p[6]] ^
            crc_table[0][p[7]];
    }
    for (; n > 0; p++, n--)
        c = c >> 8 ^ crc_table[0][(c ^ *p) & 0xff];
    return c;
}

int digest_prepare(void)
{
    crc_prepare();
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (kinds[i].openssl != NULL && kinds[i].loaded == NULL)
            kinds[i].loaded = EVP_MD_fetch(NULL, kinds[i].openssl, NULL);
    }
    return digest_offered(0) ? 0 : -1;
}

bool digest_offered(size_t kind)
{
    return kinds[kind].openssl == NULL || kinds[kind].loaded != NULL;
}

size_t digest_count(void)
{
    return KIND_COUNT;
}

const char *digest_name(size_t kind)
{
    return kinds[kind].name;
}

size_t digest_find(struct slice name)
{
    size_t kind = 0;

    while (kind < KIND_COUNT &&
           (strlen(kinds[kind].name) != name.len ||
            strncasecmp(kinds[kind].name, (const char *)name.data, name.len) != 0))
        kind++;
    return kind < KIND_COUNT && digest_offered(kind) ? kind : KIND_COUNT;
}

int digest_begin(struct digest *d, size_t kind)
{
    *d = (struct digest){.kind = kind, .crc = UINT32_MAX};
    if (kinds[kind].openssl == NULL)
        return 0;
    d->context = EVP_MD_CTX_new();
    return d->context != NULL && EVP_DigestInit_ex2(d->context, kinds[kind].loaded, NULL) == 1 ? 0
                                                                                               : -1;
}

int digest_feed(struct digest *d, const uint8_t *bytes, size_t n)
{
    if (d->context != NULL)
        return EVP_DigestUpdate(d->context, bytes, n) == 1 ? 0 : -1;
    d->crc = crc_feed(d->crc, bytes, n);
    return 0;
}

int digest_end(struct digest *d, char text[DIGEST_TEXT])
{
    static const char hex[] = "0123456789abcdef";
    uint8_t bytes[EVP_MAX_MD_SIZE];
    unsigned n = 4;

    if (d->context != NULL) {
        if (EVP_DigestFinal_ex(d->context, bytes, &n) != 1)
            return -1;
    } else {
        for (unsigned i = 0; i < n; i++)
            bytes[i] = (uint8_t)(~d->crc >> (24 - 8 * i));
    }
    for (unsigned i = 0; i < n; i++) {
        text[2 * i] = hex[bytes[i] >> 4];
        text[2 * i + 1] = hex[bytes[i] & 15];
    }
    text[2 * n] = '\0';
    return 0;
}

void digest_free(struct digest *d)
{
    EVP_MD_CTX_free(d->context);
    d->context = NULL;
}
