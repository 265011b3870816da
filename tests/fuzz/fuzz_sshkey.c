/* Fuzzing of the text forms of public keys (common/sshkey.c): what an operator pastes or a customer
 * sent. Reading ends; a key that is taken is one by its blob too, and nothing of it can write a
 * line or a control character on a terminal. */
#include "common/sshkey.h"
#include "tests/fuzz/fuzz.h"

static void check_shown(const char *text)
{
    for (; *text != '\0'; text++)
        must((unsigned char)*text >= ' ' && *text != 0x7f);
}

static void check_entry(const struct sshkey_entry *entry)
{
    const struct slice blob = slice_of(entry->blob, entry->blob_len);
    char trouble[SSHKEY_TROUBLE_SIZE], print[SSHKEY_FINGERPRINT_SIZE];
    struct sshkey_info info;

    must(memchr(entry->trouble, 0, sizeof(entry->trouble)) != NULL);
    check_shown(entry->trouble);
    if (entry->trouble[0] != '\0')
        return;
    must(memchr(entry->comment, 0, sizeof(entry->comment)) != NULL);
    check_shown(entry->comment);
    must(sshkey_read_blob(blob, &info, trouble) == 0);
    must(strcmp(info.type, entry->info.type) == 0 && info.bits == entry->info.bits);
    must(strlen(sshkey_sha256(blob, print)) == 50);
    check_shown(sshkey_md5(blob, print));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sshkey_entry entry;
    uint8_t *copy = exact_copy(slice_of(data, size));
    struct sshkey_text text = sshkey_text_of(slice_of(copy, size));
    char trouble[SSHKEY_TROUBLE_SIZE] = "";
    struct sshkey_info info;
    size_t left = size + 1;

    sshkey_is_private(slice_of(copy, size));
    if (sshkey_read_blob(slice_of(copy, size), &info, trouble) < 0)
        must(trouble[0] != '\0');
    while (sshkey_next(&text, &entry) == 1) {
        must(text.rest.len < left);
        left = text.rest.len;
        check_entry(&entry);
    }
    free(copy);
    return 0;
}
