/* The SFTP session: packets out of the channel's bytes, each to its row in the table, its answer
 * into the sink. Requests are answered in the order in which they came, one at a time; a long one
 * (a job) is worked on in steps and holds those behind it. */
#include "sftp-worker/sftp.h"

#include <errno.h>
#include <stdlib.h>

#include "sftp-worker/engine.h"

#define FXP_INIT     1
#define FXP_READ     5
#define FXP_EXTENDED 200

/* ---- the tables ----------------------------------------------------------------------------- */
static const struct request requests[] = {
#define REQUEST(number, function, least, room, handle, operations, help)                           \
    {number, #function, NULL, least, room, HANDLE_##handle, operations, on_##function, help},
#define EXTENSION(function, name, version, least, room, handle, operations, help)
#include "sftp-worker/requests.def"
#undef REQUEST
#undef EXTENSION
};

static const struct request extensions[] = {
#define REQUEST(number, function, least, room, handle, operations, help)
// clang-format off
#define EXTENSION(function, name, version, least, room, handle, operations, help)                  \
    {FXP_EXTENDED, name, version, least, room, HANDLE_##handle, operations, on_##function, help},
// clang-format on
#include "sftp-worker/requests.def"
#undef REQUEST
#undef EXTENSION
};

const struct request *sftp_requests(size_t *count)
{
    *count = sizeof(requests) / sizeof(requests[0]);
    return requests;
}

const struct request *sftp_extensions(size_t *count)
{
    *count = sizeof(extensions) / sizeof(extensions[0]);
    return extensions;
}

static const struct request *find_request(uint8_t number)
{
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        if (requests[i].number == number)
            return &requests[i];
    }
    return NULL;
}

static const struct request *find_extension(struct slice name)
{
    for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++) {
        if (slice_is(name, extensions[i].name))
            return &extensions[i];
    }
    return NULL;
}

/* ---- a session ------------------------------------------------------------------------------ */
struct sftp *sftp_new(int agent_link, const struct sftp_account *account,
                      const struct sftp_sink *sink)
{
    struct sftp *sftp = calloc(1, sizeof(*sftp));

    if (sftp == NULL)
        return NULL;
    if (agent_open(&sftp->agent, agent_link) < 0 ||
        slice_copy(slice_text(account->name), sftp->account, sizeof(sftp->account)) < 0) {
        sftp_free(sftp);
        return NULL;
    }
    sftp->sink = *sink;
    sftp->uid = account->uid;
    sftp->gid = account->gid;
    return sftp;
}

void sftp_free(struct sftp *sftp)
{
    if (sftp == NULL)
        return;
    job_end(sftp);
    for (uint32_t i = 0; i < sftp->handles.count; i++) {
        struct handle *handle = &sftp->handles.all[i];
        if (handle->kind != HANDLE_NONE)
            file_give_back(sftp, handle, false); /* nobody is left to hear of errors */
    }
    free(sftp->handles.all);
    agent_close(&sftp->agent);
    free(sftp);
}

bool sftp_busy(const struct sftp *sftp)
{
    return sftp->again;
}

const char *sftp_error(const struct sftp *sftp)
{
    return sftp->error != NULL ? sftp->error : "no error";
}

struct sftp_totals sftp_totals(const struct sftp *sftp)
{
    return sftp->totals;
}

/* ---- a request ------------------------------------------------------------------------------ */
enum progress { NO_ROOM, WENT_ON, ENDED };

static enum progress end_session(struct sftp *sftp, const char *why)
{
    sftp->error = why;
    return ENDED;
}

/* Borrow room for an answer. */
static bool answer_room(struct call *call, size_t room)
{
    uint8_t *data = call->sftp->sink.reserve(call->sftp->sink.context, room);

    if (data == NULL)
        return false;
    call->answer = wire_out_of(data, room);
    return true;
}

/* The answer is whole: set its length, give it to the sink. */
static void answer_send(struct call *call)
{
    struct sftp *sftp = call->sftp;

    if (call->answer.bad)
        answer_status(call, FX_FAILURE, "The answer would be too long: ask for less");
    struct wire_out length = wire_out_of(call->answer.data, 4);
    wire_put_u32(&length, (uint32_t)(call->answer.len - 4));
    sftp->sink.commit(sftp->sink.context, call->answer.len);
}

static enum progress conclude(struct call *call, enum outcome outcome)
{
    switch (outcome) {
    case ANSWERED:
        answer_send(call);
        return WENT_ON;
    case LATER:
        return WENT_ON;
    case MALFORMED:
        answer_status(call, FX_BAD_MESSAGE, "Bad message");
        answer_send(call);
        return end_session(call->sftp, "a request was malformed");
    default:
        return end_session(call->sftp, "the file agent is gone");
    }
}

/* What a READ of these arguments may answer: less room for small ones. */
static size_t room_of_read(struct wire args)
{
    wire_string(&args);
    wire_u64(&args);
    const uint32_t wanted = wire_u32(&args);
    const size_t room = (wanted < SFTP_DATA_MAX ? wanted : SFTP_DATA_MAX) + 16;

    return room > ROOM_STATUS ? room : ROOM_STATUS;
}

/* Run a row: the arguments are at least as many bytes as it says, its handle is found. */
static enum outcome run(struct call *call, const struct request *row)
{
    if (call->args.len - call->args.at < row->least)
        return MALFORMED;
    if (row->needs != HANDLE_NONE) {
        const struct slice bytes = wire_string(&call->args);
        if (call->args.bad)
            return MALFORMED;
        call->handle = handle_find(&call->sftp->handles, bytes, row->needs);
        if (call->handle == NULL)
            return answer_status(call, FX_FAILURE, "Invalid handle");
    }
    return row->run(call);
}

/* One packet, without its length: all of it is there. */
static enum progress packet(struct sftp *sftp, struct slice bytes)
{
    struct call call = {.sftp = sftp, .args = wire_of(bytes)};
    const uint8_t type = wire_u8(&call.args);
    call.id = wire_u32(&call.args);
    const struct request *row = find_request(type);
    enum outcome outcome;

    if (call.args.bad)
        return end_session(sftp, "a packet was too short to be a request");
    if (type == FXP_INIT && sftp->version != 0)
        return end_session(sftp, "a second INIT");
    if (row != NULL && type == FXP_EXTENDED) {
        const struct slice name = wire_string(&call.args);
        row = call.args.bad ? row : find_extension(name);
    }
    size_t room = row != NULL ? row->room : ROOM_STATUS;
    if (type == FXP_READ)
        room = room_of_read(call.args);
    if (!answer_room(&call, room))
        return NO_ROOM;
    sftp->totals.requests++;
    if (type != FXP_INIT && sftp->version == 0) {
        answer_status(&call, FX_FAILURE, "INIT must come first");
        answer_send(&call);
        return end_session(sftp, "a request before INIT");
    }
    if (row == NULL)
        outcome = answer_status(&call, FX_OP_UNSUPPORTED, "Operation unsupported");
    else
        outcome = run(&call, row);
    return conclude(&call, outcome);
}

/* The next step of the session's job. */
static enum progress go_on_with_job(struct sftp *sftp)
{
    struct call call = {.sftp = sftp, .id = job_id(sftp->job)};

    if (!answer_room(&call, job_room(sftp->job)))
        return NO_ROOM;
    const enum outcome outcome = job_step(&call);
    if (outcome != LATER)
        job_end(sftp);
    sftp->again = true; /* a step took its time: the others of the event loop come first */
    return conclude(&call, outcome);
}

ssize_t sftp_input(struct sftp *sftp, const uint8_t *data, size_t len)
{
    enum progress progress = sftp->error != NULL ? ENDED : WENT_ON;
    size_t at = 0;

    sftp->again = false;
    while (progress == WENT_ON && !sftp->again) {
        if (sftp->job != NULL) {
            progress = go_on_with_job(sftp);
            continue;
        }
        struct wire w = wire_of(slice_of(data + at, len - at));
        const uint32_t length = wire_u32(&w);
        if (w.bad)
            break;
        if (length > SFTP_PACKET_MAX) {
            progress = end_session(sftp, "a packet was longer than 256 KiB");
            break;
        }
        const struct slice bytes = wire_bytes(&w, length);
        if (w.bad)
            break;
        progress = packet(sftp, bytes);
        if (progress != NO_ROOM)
            at += w.at;
    }
    return progress == ENDED ? -1 : (ssize_t)at;
}

/* ---- INIT and EXTENDED, which are about the tables ------------------------------------------- */
enum outcome on_init(struct call *call)
{
    /* What follows the version are the client's extensions: none that matters here. A client of
     * an older version hears 3 as well and decides; its statuses carry no text. */
    call->sftp->version = call->id > 0 ? call->id : 1;
    answer_begin(call, FXP_VERSION);
    wire_put_u32(&call->answer, SFTP_VERSION);
    for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++) {
        wire_put_string(&call->answer, slice_text(extensions[i].name));
        wire_put_string(&call->answer, slice_text(extensions[i].version));
    }
    return ANSWERED;
}

/* Reached only when the extension's name is not there. */
enum outcome on_extended(struct call *call)
{
    (void)call;
    return MALFORMED;
}
