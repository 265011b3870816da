/* Public keys that people give their own accounts, in whatever form they have them. A private key
 * is refused whole: nothing of it is asked, stored or logged. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/sshkey.h"
#include "https-worker/json_in.h"
#include "https-worker/json_out.h"
#include "https-worker/worker.h"

#define KEYS_MOST 100 /* at once */

/* The next entry of a text, in the one place that is large enough for it. */
static struct sshkey_entry entry;

/* Store the key in hand. Returns 0 and *number, or an errno and why; -1: the monitor is gone. */
static int store_key(struct worker *w, uint64_t *number, char why[SSHKEY_TROUBLE_SIZE + 8])
{
    const struct key_add add = {.key = slice_of(entry.blob, entry.blob_len),
                                .comment = slice_text(entry.comment)};
    struct store_done done;
    struct store_refused refused;

    switch (monitor_question(&w->monitor, MSG_key_add, &add)) {
    case MSG_store_done:
        if (decode_store_done(&w->monitor.answer, &done) < 0)
            return -1;
        *number = done.number;
        return 0;
    case MSG_store_refused:
        if (decode_store_refused(&w->monitor.answer, &refused) < 0)
            return -1;
        if (slice_copy(refused.text, why, SSHKEY_TROUBLE_SIZE + 8) < 0)
            snprintf(why, SSHKEY_TROUBLE_SIZE + 8, "it could not be stored");
        return refused.error != 0 ? (int)refused.error : -1;
    default:
        return -1;
    }
}

/* {"line", "error", "number", "type", "bits", "sha256", "md5", "comment"} of the entry in hand. */
static int write_result(struct worker *w, struct json_out *j)
{
    char why[SSHKEY_TROUBLE_SIZE + 8];
    uint64_t number = 0;
    bool stored = false;

    if (entry.trouble[0] != '\0') {
        snprintf(why, sizeof(why), "it %s", entry.trouble);
    } else {
        const int r = store_key(w, &number, why);
        if (r < 0)
            return -1;
        stored = r == 0;
    }
    json_open(j, '{');
    json_key(j, "line");
    json_number(j, entry.line);
    json_key(j, "error");
    if (stored)
        json_nothing(j);
    else
        json_text(j, slice_text(why));
    if (stored) {
        json_key(j, "number");
        json_number(j, number);
    }
    if (entry.info.type != NULL) {
        json_key(j, "type");
        json_text(j, slice_text(entry.info.type));
        json_key(j, "bits");
        json_number(j, entry.info.bits);
    }
    if (entry.trouble[0] == '\0') {
        write_fingerprints(j, slice_of(entry.blob, entry.blob_len));
        json_key(j, "comment");
        json_text(j, slice_text(entry.comment));
    }
    json_close(j, '}');
    return 0;
}

static unsigned count_keys(struct slice text)
{
    struct sshkey_text keys = sshkey_text_of(text);
    unsigned count = 0;

    while (sshkey_next(&keys, &entry) == 1)
        count++;
    return count;
}

static void add_keys(struct worker *w, struct slice text)
{
    static char answer[KEYS_MOST * 1280];
    struct writer writer = writer_of(answer, sizeof(answer));
    struct json_out j = json_out_of(&writer);
    struct sshkey_text keys = sshkey_text_of(text);

    json_open(&j, '{');
    json_key(&j, "results");
    json_open(&j, '[');
    while (sshkey_next(&keys, &entry) == 1) {
        if (write_result(w, &j) < 0) {
            stop_because(&w->stop, "the server does not take keys");
            return;
        }
    }
    json_close(&j, ']');
    json_close(&j, '}');
    writer_text(&writer, "\n");
    answer_json_text(w, &writer);
}

static void end_keys_add(struct worker *w)
{
    json_t *body = json_body(w);
    struct slice text;

    if (body == NULL || !json_member(w, body, "text", COLLECTED, &text))
        goto out;
    if (sshkey_is_private(text)) {
        answer_field(w, 422, "private_key",
                     "This is a private key: it stays with you, and nothing of it was kept. The "
                     "public key is needed: the file that ends in .pub, or what PuTTYgen shows.",
                     "text");
        goto out;
    }
    const unsigned count = count_keys(text);
    if (count == 0)
        answer_field(w, 400, "bad_request", "There is no key in it.", "text");
    else if (count > KEYS_MOST)
        answer_field(w, 400, "bad_request", "Add at most 100 keys at once.", "text");
    else
        add_keys(w, text);
out:
    explicit_bzero(&entry, sizeof(entry));
    json_decref(body);
}

const struct handler handle_keys_add = {.end = end_keys_add, .secret = true};

static void begin_keys_drop(struct worker *w)
{
    const uint64_t number = own_number(w, w->exchange.rest);
    const struct key_remove remove = {.number = number};

    if (number != 0 && own_ask(w, MSG_key_remove, &remove, NULL) != MSG_NONE)
        answer_nothing(w);
}

const struct handler handle_keys_drop = {.begin = begin_keys_drop};
