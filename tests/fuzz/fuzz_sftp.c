/* Fuzzing of the SFTP server engine: the input is what a client sends; a child process answers for
 * the file agent from canned data and never touches a name. The input's first two bytes choose
 * whether INIT is sent for it, into what pieces the rest is cut and how much room for answers there
 * is. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/facts.h"
#include "common/message.h"
#include "sftp-worker/sftp.h"
#include "tests/fuzz/fuzz.h"

/* ---- the agent ------------------------------------------------------------------------------ */
#define SOME_ATTRIBUTES                                                                            \
    .mode = 0100644, .nlink = 1, .uid = 7, .gid = 8, .size = 5000, .atime_ns = 1, .mtime_ns = 2

static struct envelope question;
static int contents, sink_hole; /* what is read, where writes go */

static void say_opened(int socket, int fd)
{
    const struct file_opened opened = {.handle = question.id, SOME_ATTRIBUTES};

    send_file_opened_fds(socket, question.id, &opened, &fd, fd >= 0 ? 1 : 0);
}

static void say_entries(int socket)
{
    static uint8_t blob[61440];
    const struct directory_entry entry = {.name = slice_text("name of a file"), SOME_ATTRIBUTES};
    struct file_entries entries = {.last = question.id % 3 == 0};
    ssize_t len = 0;

    for (unsigned i = 0; i < question.id % 700; i++)
        len = nest_directory_entry(&entry, blob, (size_t)len, sizeof(blob));
    entries.entries = slice_of(blob, len > 0 ? (size_t)len : 0);
    send_file_entries(socket, question.id, &entries);
}

static void answer(int socket)
{
    const struct file_status status = {.error = question.id % 2 ? 0 : 13};
    const struct file_attributes attributes = {SOME_ATTRIBUTES};
    const struct file_path path = {.path = slice_text("/some/where")};
    const struct file_space_is space = {.bsize = 4096, .frsize = 4096, .blocks = UINT64_MAX};
    struct file_copied copied = {0};
    struct file_open open;
    struct file_copy copy;

    switch (question.type) {
    case MSG_file_open:
        if (decode_file_open(&question, &open) < 0)
            abort();
        say_opened(socket, open.flags & OPEN_WRITE ? sink_hole : contents);
        break;
    case MSG_file_opendir:
        say_opened(socket, -1);
        break;
    case MSG_file_readdir:
        say_entries(socket);
        break;
    case MSG_file_stat:
    case MSG_file_hstat:
        send_file_attributes(socket, question.id, &attributes);
        break;
    case MSG_file_realpath:
    case MSG_file_readlink:
        send_file_path(socket, question.id, &path);
        break;
    case MSG_file_space:
        send_file_space_is(socket, question.id, &space);
        break;
    case MSG_file_copy:
        if (decode_file_copy(&question, &copy) < 0)
            abort();
        copied.length = copy.length / 2;
        send_file_copied(socket, question.id, &copied);
        break;
    default:
        send_file_status(socket, question.id, &status);
    }
}

static int agent(void)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        abort();
    const pid_t pid = fork();
    if (pid < 0)
        abort();
    if (pid > 0) {
        close(ends[1]);
        return ends[0];
    }
    close(ends[0]);
    contents = memfd_create("contents", MFD_CLOEXEC);
    sink_hole = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (contents < 0 || sink_hole < 0 || ftruncate(contents, 5000) < 0)
        _exit(1);
    while (message_receive(ends[1], &question, 0) == 1)
        answer(ends[1]);
    _exit(0);
}

/* ---- the client ----------------------------------------------------------------------------- */
struct room {
    size_t left;
    uint8_t *lent;
};

static uint8_t *reserve(void *context, size_t bytes)
{
    struct room *room = context;

    free(room->lent);
    room->lent = bytes <= room->left ? malloc(bytes) : NULL;
    return room->lent;
}

static void commit(void *context, size_t bytes)
{
    struct room *room = context;

    if (bytes < 9 || room->lent[4] == 0)
        abort();
    room->left -= bytes < room->left ? bytes : room->left;
}

/* Offer input[used..there], exactly so many bytes. Returns as sftp_input. */
static ssize_t offer(struct sftp *sftp, const uint8_t *input, size_t used, size_t there)
{
    uint8_t *exact = malloc(there - used + (there == used));

    if (exact == NULL)
        abort();
    memcpy(exact, input + used, there - used);
    const ssize_t n = sftp_input(sftp, exact, there - used);
    free(exact);
    if (n > (ssize_t)(there - used))
        abort();
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t init[] = {0, 0, 0, 5, 1, 0, 0, 0, 3};
    static const struct sftp_account account = {.name = "alice", .uid = 7, .gid = 8};
    static int link = -1;
    struct room room = {.left = SFTP_REPLY_MAX};
    const struct sftp_sink sink = {.reserve = reserve, .commit = commit, .context = &room};

    if (size < 2)
        return 0;
    if (link < 0) {
        sftp_prepare();
        link = agent();
    }
    struct sftp *sftp = sftp_new(link, &account, &sink);
    if (sftp == NULL)
        abort();
    if ((data[0] & 1) == 0 && sftp_input(sftp, init, sizeof(init)) != (ssize_t)sizeof(init))
        abort();
    const size_t piece = data[0] < 2 ? size : data[0];
    ssize_t n = 0;
    unsigned turns = 0;
    for (size_t used = 2, there = 2; n >= 0 && (there < size || sftp_busy(sftp)); turns++) {
        there = size - there > piece ? there + piece : size;
        do {
            room.left = SFTP_REPLY_MAX >> (data[1] & 7); /* the client read all */
            n = offer(sftp, data, used, there);
            used += n > 0 ? (size_t)n : 0;
        } while (n >= 0 && sftp_busy(sftp) && turns++ < 1000);
        if (turns >= 1000)
            break;
    }
    sftp_free(sftp);
    free(room.lent);
    return 0;
}
