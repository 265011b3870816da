/* /api/me: who this is, what the account may do, how much room is left, and how to connect by other
 * protocols. Nothing in it is secret but the page's token. */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/operations.h"
#include "common/sshkey.h"
#include "common/sshwire.h"
#include "https-worker/json_out.h"
#include "https-worker/worker.h"

#define ME_MOST 32768

static void write_space(struct worker *w, struct json_out *j)
{
    const struct file_space ask = {.path = slice_text("/")};
    struct file_space_is space;

    json_key(j, "space");
    if (agent_ask(&w->agent, MSG_file_space, &ask, MSG_file_space_is, &space) != 0) {
        json_nothing(j); /* an account that may not list is not told */
        return;
    }
    json_open(j, '{');
    json_key(j, "total");
    json_number(j, space.blocks * space.frsize);
    json_key(j, "free");
    json_number(j, space.bavail * space.frsize);
    json_close(j, '}');
}

void write_rights(struct json_out *j, uint32_t rights)
{
    json_key(j, "rights");
    json_open(j, '[');
    for (unsigned i = 0; i < RIGHT_COUNT; i++) {
        if ((rights & 1u << i) != 0)
            json_text(j, slice_text(right_info((enum right_bit)i)->name));
    }
    json_close(j, ']');
}

void write_fingerprints(struct json_out *j, struct slice blob)
{
    char text[SSHKEY_FINGERPRINT_SIZE];

    json_key(j, "sha256");
    json_text(j, slice_text(sshkey_sha256(blob, text)));
    json_key(j, "md5");
    json_text(j, slice_text(sshkey_md5(blob, text)));
}

static void write_host_keys(struct worker *w, struct json_out *j)
{
    struct wire keys = wire_of(w->setup.host_keys);

    json_key(j, "fingerprints");
    json_open(j, '[');
    while (!wire_done(&keys)) {
        const struct slice blob = wire_string(&keys);
        struct wire inside = wire_of(blob);
        const struct slice type = wire_string(&inside);
        if (keys.bad || inside.bad)
            break;
        json_open(j, '{');
        json_key(j, "type");
        json_text(j, type);
        write_fingerprints(j, blob);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void write_certificate(struct worker *w, struct json_out *j)
{
    struct wire chain = wire_of(w->setup.certificates);
    const struct slice first = wire_string(&chain);
    uint8_t digest[EVP_MAX_MD_SIZE];
    char text[2 * EVP_MAX_MD_SIZE + 1] = "";
    unsigned len = 0;

    if (!chain.bad && EVP_Digest(first.data, first.len, digest, &len,
                                 w->digest_types[DIGEST_OF_SHA256], NULL) == 1) {
        for (unsigned i = 0; i < len; i++)
            snprintf(text + 2 * i, 3, "%02x", digest[i]);
    }
    json_key(j, "certificate");
    json_text(j, slice_text(text));
}

/* The name that people use: the configured one, else the one they came by. */
static struct slice own_name(const struct worker *w)
{
    struct slice names = w->setup.names, name;

    return list_next(&names, &name) ? name : w->exchange.request.host;
}

static void write_connect(struct worker *w, struct json_out *j)
{
    json_key(j, "connect");
    json_open(j, '{');
    json_key(j, "host");
    json_text(j, own_name(w));
    json_key(j, "https");
    json_number(j, w->setup.port);
    json_key(j, "sftp");
    if (w->setup.sftp_port != 0) {
        json_open(j, '{');
        json_key(j, "port");
        json_number(j, w->setup.sftp_port);
        write_host_keys(w, j);
        json_close(j, '}');
    } else {
        json_nothing(j);
    }
    json_key(j, "ftps");
    if (w->setup.ftps_port != 0) {
        json_open(j, '{');
        json_key(j, "port");
        json_number(j, w->setup.ftps_port);
        json_key(j, "implicit");
        if (w->setup.ftps_implicit_port != 0)
            json_number(j, w->setup.ftps_implicit_port);
        else
            json_nothing(j);
        write_certificate(w, j);
        json_close(j, '}');
    } else {
        json_nothing(j);
    }
    json_close(j, '}');
}

static void begin_me(struct worker *w)
{
    static char text[ME_MOST];
    struct writer writer = writer_of(text, sizeof(text));
    struct json_out j = json_out_of(&writer);

    if (!login_agent(w))
        return;
    json_open(&j, '{');
    json_key(&j, "account");
    json_text(&j, slice_text(w->account));
    json_key(&j, "organisation");
    json_text(&j, w->setup.organisation);
    json_key(&j, "csrf");
    json_text(&j, slice_text(w->csrf));
    write_rights(&j, w->rights);
    json_key(&j, "trash");
    json_bool(&j, (w->flags & ACCOUNT_TRASH) != 0);
    write_space(w, &j);
    json_key(&j, "now");
    json_number(&j, (uint64_t)time(NULL));
    write_connect(w, &j);
    json_close(&j, '}');
    writer_text(&writer, "\n");
    answer_json_text(w, &writer);
}

const struct handler handle_me = {.begin = begin_me};
