/* Public keys as blobs and as text. Called by `sallyport key`; must take no key that the monitor
 * would not verify, and must say of everything else why it is not taken. */
#include "common/sshkey.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include <openssl/evp.h>

#include "common/base64.h"
#include "common/sshwire.h"

/* ---- blobs -------------------------------------------------------------------------------- */

enum shape { SHAPE_ED25519, SHAPE_ECDSA, SHAPE_RSA, SHAPE_DSA };

/* Key types: RFC 8709, 5656, 8332 and, for sk, OpenSSH's PROTOCOL.u2f. */
static const struct key_type {
    const char *name;
    enum shape shape;
    bool application; /* sk: one more string at the end */
    const char *curve;
    size_t point; /* bytes of an uncompressed point */
    unsigned bits;
} types[] = {
    {"ssh-ed25519", SHAPE_ED25519, false, NULL, 32, 256},
    {"ecdsa-sha2-nistp256", SHAPE_ECDSA, false, "nistp256", 65, 256},
    {"ecdsa-sha2-nistp384", SHAPE_ECDSA, false, "nistp384", 97, 384},
    {"ecdsa-sha2-nistp521", SHAPE_ECDSA, false, "nistp521", 133, 521},
    {"ssh-rsa", SHAPE_RSA, false, NULL, 0, 0},
    {"sk-ssh-ed25519@openssh.com", SHAPE_ED25519, true, NULL, 32, 256},
    {"sk-ecdsa-sha2-nistp256@openssh.com", SHAPE_ECDSA, true, "nistp256", 65, 256},
    {"ssh-dss", SHAPE_DSA, false, NULL, 0, 1024},
};

static int __attribute__((format(printf, 2, 3)))
tell(char trouble[SSHKEY_TROUBLE_SIZE], const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(trouble, SSHKEY_TROUBLE_SIZE, format, arguments);
    va_end(arguments);
    return -1;
}

static const struct key_type *find_type(struct slice name)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (slice_is(name, types[i].name))
            return &types[i];
    }
    return NULL;
}

/* Bits of a positive mpint in its one form (RFC 4251, 5); 0 if it is none. */
static unsigned number_bits(struct slice number)
{
    unsigned top = 8;

    if (number.len > 0 && number.data[0] == 0) {
        number = slice_of(number.data + 1, number.len - 1);
        if (number.len == 0 || (number.data[0] & 0x80) == 0)
            return 0;
    } else if (number.len > 0 && (number.data[0] & 0x80) != 0) {
        return 0;
    }
    if (number.len == 0)
        return 0;
    while ((number.data[0] & 1u << (top - 1)) == 0)
        top--;
    return (unsigned)(number.len - 1) * 8 + top;
}

static int read_rsa(struct wire *w, struct sshkey_info *info, char trouble[SSHKEY_TROUBLE_SIZE])
{
    const struct slice e = wire_string(w), n = wire_string(w);
    const unsigned e_bits = number_bits(e);

    info->bits = number_bits(n);
    if (!wire_done(w) || e_bits < 2 || info->bits == 0 || (e.data[e.len - 1] & 1) == 0)
        return tell(trouble, "is damaged: its RSA numbers are no good");
    if (info->bits < SSHKEY_RSA_BITS_LEAST)
        return tell(trouble, "is too weak: RSA of %u bits, %d are the least", info->bits,
                    SSHKEY_RSA_BITS_LEAST);
    return 0;
}

/* ed25519 and ecdsa, of people or of a security key. */
static int read_curve(struct wire *w, const struct key_type *type,
                      char trouble[SSHKEY_TROUBLE_SIZE])
{
    if (type->curve != NULL && !slice_is(wire_string(w), type->curve))
        return tell(trouble, "is damaged: its curve is not that of its type");
    const struct slice point = wire_string(w);
    if (type->application && wire_string(w).len == 0)
        return tell(trouble, "is damaged: it names no application");
    if (!wire_done(w) || point.len != type->point ||
        (type->shape == SHAPE_ECDSA && point.data[0] != 4))
        return tell(trouble, "is damaged: its bytes are not those of a key of its type");
    return 0;
}

int sshkey_read_blob(struct slice blob, struct sshkey_info *info, char trouble[SSHKEY_TROUBLE_SIZE])
{
    struct wire w = wire_of(blob);
    const struct slice name = wire_string(&w);
    const struct key_type *type = w.bad ? NULL : find_type(name);

    *info = (struct sshkey_info){0};
    if (type == NULL)
        return tell(trouble, "is not a key of a type that is known here");
    info->type = type->name;
    info->bits = type->bits;
    if (type->shape == SHAPE_DSA)
        return tell(trouble, "is a DSA key (ssh-dss): too weak, nobody takes them any more");
    if (blob.len > SSHKEY_BLOB_MAX)
        return tell(trouble, "is too large: %zu bytes, %d are the most", blob.len, SSHKEY_BLOB_MAX);
    return type->shape == SHAPE_RSA ? read_rsa(&w, info, trouble) : read_curve(&w, type, trouble);
}

/* ---- fingerprints ------------------------------------------------------------------------- */

static size_t digest(const char *name, struct slice blob, uint8_t bytes[EVP_MAX_MD_SIZE])
{
    size_t len = 0;

    return EVP_Q_digest(NULL, name, NULL, blob.data, blob.len, bytes, &len) == 1 ? len : 0;
}

char *sshkey_sha256(struct slice blob, char text[SSHKEY_FINGERPRINT_SIZE])
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t bytes[EVP_MAX_MD_SIZE] = {0};
    const size_t len = digest("SHA256", blob, bytes);
    size_t at = 0;

    text[0] = '\0';
    if (len != 32)
        return text;
    at = (size_t)snprintf(text, SSHKEY_FINGERPRINT_SIZE, "SHA256:");
    /* 256 bits make 43 letters of six bits; the last has two bits of padding. */
    for (size_t bit = 0; bit < 256; bit += 6) {
        const unsigned pair = (unsigned)bytes[bit / 8] << 8 | bytes[bit / 8 + 1];
        text[at++] = letters[pair >> (10 - bit % 8) & 63];
    }
    text[at] = '\0';
    return text;
}

char *sshkey_md5(struct slice blob, char text[SSHKEY_FINGERPRINT_SIZE])
{
    uint8_t bytes[EVP_MAX_MD_SIZE];
    const size_t len = digest("MD5", blob, bytes);
    size_t at = 0;

    text[0] = '\0';
    if (len != 16)
        return text;
    at = (size_t)snprintf(text, SSHKEY_FINGERPRINT_SIZE, "MD5");
    for (size_t i = 0; i < len; i++)
        at += (size_t)snprintf(text + at, SSHKEY_FINGERPRINT_SIZE - at, ":%02x", bytes[i]);
    return text;
}

/* ---- text --------------------------------------------------------------------------------- */

#define BLOCK_BEGIN "---- BEGIN SSH2 PUBLIC KEY ----"
#define BLOCK_END   "---- END SSH2 PUBLIC KEY ----"

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static struct slice trimmed(struct slice s)
{
    while (s.len > 0 && is_blank(s.data[0]))
        s = slice_of(s.data + 1, s.len - 1);
    while (s.len > 0 && is_blank(s.data[s.len - 1]))
        s.len--;
    return s;
}

static bool begins(struct slice s, const char *with)
{
    const size_t n = strlen(with);

    return s.len >= n && memcmp(s.data, with, n) == 0;
}

static bool ends(struct slice s, const char *with)
{
    const size_t n = strlen(with);

    return s.len >= n && memcmp(s.data + s.len - n, with, n) == 0;
}

/* The next line, without its end (LF, CRLF or CR) and the blanks around it. */
static bool next_line(struct sshkey_text *text, struct slice *line)
{
    size_t n = 0;

    if (text->rest.len == 0)
        return false;
    while (n < text->rest.len && text->rest.data[n] != '\n' && text->rest.data[n] != '\r')
        n++;
    *line = trimmed(slice_of(text->rest.data, n));
    if (n + 1 < text->rest.len && text->rest.data[n] == '\r' && text->rest.data[n + 1] == '\n')
        n++;
    if (n < text->rest.len)
        n++;
    text->rest = slice_of(text->rest.data + n, text->rest.len - n);
    text->line++;
    return true;
}

/* The first word; *line moves behind it and the blanks that follow. */
static struct slice next_word(struct slice *line)
{
    size_t n = 0;

    if (line->len == 0) /* an empty slice may be NULL, and no offset of NULL is defined */
        return *line;
    while (n < line->len && !is_blank(line->data[n]))
        n++;
    const struct slice word = slice_of(line->data, n);
    *line = trimmed(slice_of(line->data + n, line->len - n));
    return word;
}

/* Wherever they stand in a line: a paste may have lost its line ends, or its first line. */
bool sshkey_is_private(struct slice bytes)
{
    static const char *const marks[] = {
        "PRIVATE KEY-----",            /* PEM, OpenSSH's own */
        "PRIVATE KEY ----",            /* SSH.COM's */
        "SSH PRIVATE KEY FILE FORMAT", /* SSH 1 */
        "PuTTY-User-Key-File-",
        "Private-Lines: ",        /* PuTTY's, further down */
        "b3BlbnNzaC1rZXktdjEAAA", /* "openssh-key-v1" and a NUL, in base64 */
    };
    struct sshkey_text text = sshkey_text_of(bytes);
    struct slice line;

    while (next_line(&text, &line)) {
        for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
            if (memmem(line.data, line.len, marks[i], strlen(marks[i])) != NULL)
                return true;
        }
    }
    return false;
}

struct sshkey_text sshkey_text_of(struct slice text)
{
    /* Some editors begin a file with this mark of UTF-8. */
    if (begins(text, "\xef\xbb\xbf"))
        text = slice_of(text.data + 3, text.len - 3);
    return (struct sshkey_text){.rest = text};
}

/* A blob that comes in pieces of base64. */
struct decoder {
    struct sshkey_entry *entry;
    uint32_t bits;
    unsigned count;   /* of bits that wait: 0, 2, 4 or 6 */
    unsigned letters; /* in all, padding too */
    unsigned padding;
    bool bad, full;
};

static void decode(struct decoder *d, struct slice text)
{
    for (size_t i = 0; i < text.len && !d->bad; i++) {
        const int value = base64_value(text.data[i]);
        d->letters++;
        if (text.data[i] == '=' && d->padding < 2) {
            d->padding++;
            continue;
        }
        if (value < 0 || d->padding > 0) {
            d->bad = true;
            return;
        }
        d->bits = d->bits << 6 | (uint32_t)value;
        d->count += 6;
        if (d->count < 8)
            continue;
        d->count -= 8;
        if (d->entry->blob_len == sizeof(d->entry->blob))
            d->bad = d->full = true;
        else
            d->entry->blob[d->entry->blob_len++] = (uint8_t)(d->bits >> d->count);
        d->bits &= (1u << d->count) - 1;
    }
}

/* All was decoded: look at the blob. named: the type that stood before it, or empty. */
static int decoded(struct decoder *d, struct slice named)
{
    struct sshkey_entry *e = d->entry;
    const struct slice blob = slice_of(e->blob, e->blob_len);

    if (d->full)
        return tell(e->trouble, "is too large: %d bytes are the most", SSHKEY_BLOB_MAX);
    if (d->bad || d->letters % 4 != 0 || d->bits != 0 || d->letters == 0)
        return tell(e->trouble, "is damaged: its base64 is no good (was it cut or wrapped?)");
    if (sshkey_read_blob(blob, &e->info, e->trouble) < 0)
        return -1;
    if (named.len > 0 && !slice_is(named, e->info.type))
        return tell(e->trouble, "is damaged: it is named %.*s but is %s", (int)named.len,
                    (const char *)named.data, e->info.type);
    return 0;
}

static int take_comment(struct sshkey_entry *e, struct slice comment)
{
    for (size_t i = 0; i < comment.len; i++) {
        if (iscntrl(comment.data[i]))
            return tell(e->trouble, "has a control character in its comment");
    }
    if (slice_copy(comment, e->comment, sizeof(e->comment)) < 0)
        return tell(e->trouble, "has a comment of %zu bytes, %d are the most", comment.len,
                    SSHKEY_COMMENT_MAX);
    return 0;
}

/* Skip the options of an authorized_keys line: commas, and blanks within quotes (sshd(8)). */
static struct slice after_options(struct slice line)
{
    bool quoted = false;
    size_t n = 0;

    for (; n < line.len && (quoted || !is_blank(line.data[n])); n++) {
        if (line.data[n] == '\\' && n + 1 < line.len && line.data[n + 1] == '"')
            n++;
        else if (line.data[n] == '"')
            quoted = !quoted;
    }
    return n < line.len ? trimmed(slice_of(line.data + n, line.len - n)) : slice_of(NULL, 0);
}

/* TYPE BASE64 [COMMENT] */
static void read_line(struct slice line, struct sshkey_entry *e)
{
    struct slice rest = line, behind = after_options(line);
    const struct slice name = next_word(&rest);
    struct decoder d = {.entry = e};

    if (ends(name, "-cert-v01@openssh.com")) {
        tell(e->trouble, "is a certificate: give the public key itself");
    } else if (find_type(name) != NULL) {
        decode(&d, next_word(&rest));
        if (decoded(&d, name) == 0)
            take_comment(e, rest);
    } else if (find_type(next_word(&behind)) != NULL) {
        tell(e->trouble, "has options before it, which do not count here: leave them out");
    } else {
        tell(e->trouble, "is not a public key");
    }
}

/* A header of RFC 4716, 3.3: "Comment: text" or "Comment: "text"". */
static void read_header(struct slice line, struct sshkey_entry *e)
{
    static const char tag[] = "comment:";
    const size_t n = sizeof(tag) - 1;

    if (line.len < n)
        return;
    for (size_t i = 0; i < n; i++) {
        if (tolower(line.data[i]) != tag[i])
            return;
    }
    struct slice value = trimmed(slice_of(line.data + n, line.len - n));
    if (value.len >= 2 && value.data[0] == '"' && value.data[value.len - 1] == '"')
        value = slice_of(value.data + 1, value.len - 2);
    take_comment(e, value);
}

/* The lines of an RFC 4716 block after its first. */
static void read_block(struct sshkey_text *text, struct sshkey_entry *e)
{
    struct decoder d = {.entry = e};
    struct slice line;
    char header[1024];
    size_t header_len = 0;
    bool more = false; /* the header goes on: its line ended in a backslash */

    while (next_line(text, &line)) {
        if (slice_is(line, BLOCK_END)) {
            if (e->trouble[0] == '\0')
                decoded(&d, slice_of(NULL, 0));
            return;
        }
        if (!more && memchr(line.data, ':', line.len) == NULL) {
            decode(&d, line);
            continue;
        }
        more = line.len > 0 && line.data[line.len - 1] == '\\';
        const size_t n = line.len - (more ? 1 : 0);
        if (n < sizeof(header) - header_len) {
            memcpy(header + header_len, line.data, n);
            header_len += n;
        }
        if (!more) {
            read_header(slice_of(header, header_len), e);
            header_len = 0;
        }
    }
    tell(e->trouble, "is cut: its last line (%s) is missing", BLOCK_END);
}

/* Another kind of block ("-----BEGIN PUBLIC KEY-----"): skip it whole. */
static void skip_block(struct sshkey_text *text, struct sshkey_entry *e)
{
    struct slice line;

    while (next_line(text, &line) && !begins(line, "-----END ") && !begins(line, "---- END "))
        ;
    tell(e->trouble, "is not a public key as SSH has it (a PEM public key becomes one by "
                     "`ssh-keygen -i -m PKCS8 -f FILE`)");
}

int sshkey_next(struct sshkey_text *text, struct sshkey_entry *entry)
{
    struct slice line;

    do {
        if (!next_line(text, &line))
            return 0;
    } while (line.len == 0 || line.data[0] == '#');
    entry->line = text->line;
    entry->trouble[0] = entry->comment[0] = '\0';
    entry->info = (struct sshkey_info){0};
    entry->blob_len = 0;
    if (slice_is(line, BLOCK_BEGIN))
        read_block(text, entry);
    else if (begins(line, "-----BEGIN ") || begins(line, "---- BEGIN "))
        skip_block(text, entry);
    else
        read_line(line, entry);
    return 1;
}
