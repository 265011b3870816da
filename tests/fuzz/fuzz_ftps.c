/* Fuzzing of the FTP engine: the input is what a client sends on its control connection; a child
 * process answers for the file agent from canned data and never touches a name. The input's first
 * bytes choose the state in which it begins, the monitor's verdict, into what pieces both
 * connections are cut, and what the client uploads. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/facts.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/ftps_fake.h"

/* ---- the agent ------------------------------------------------------------------------------ */
#define SOME_ATTRIBUTES(kind)                                                                      \
    .mode = (kind), .nlink = 1, .uid = 7, .gid = 8, .size = 5000, .atime_ns = -1, .mtime_ns = 2

static struct envelope question;
static int contents, sink_hole; /* what is read, where writes go */

static void say_opened(int socket, int fd)
{
    const struct file_opened opened = {.handle = question.id, SOME_ATTRIBUTES(0100644)};

    send_file_opened_fds(socket, question.id, &opened, &fd, fd >= 0 ? 1 : 0);
}

static void say_status(int socket, uint32_t error)
{
    const struct file_status status = {.error = error,
                                       .text = slice_text(error % 2 ? "" : "a\r\nb")};

    send_file_status(socket, question.id, &status);
}

static void say_entries(int socket)
{
    static const uint32_t kinds[] = {0100600, 0040755, 0120777, 0010644};
    static const char *const names[] = {"a file", ".", "..", ".hidden", "\r\n226 x", "\"\377"};
    static uint8_t blob[61440];
    struct file_entries entries = {.last = question.id % 3 == 0};
    ssize_t len = 0;

    for (unsigned i = 0; i < question.id % 700; i++) {
        const struct directory_entry entry = {.name = slice_text(names[i % 6]),
                                              SOME_ATTRIBUTES(kinds[i % 4])};
        len = nest_directory_entry(&entry, blob, (size_t)len, sizeof(blob));
    }
    entries.entries = slice_of(blob, len > 0 ? (size_t)len : 0);
    send_file_entries(socket, question.id, &entries);
}

static void answer(int socket)
{
    static const uint32_t errors[] = {0, 0, 2, 20, 28};
    const struct file_attributes attributes = {SOME_ATTRIBUTES(question.id % 3   ? 0100644
                                                               : question.id % 2 ? 0040755
                                                                                 : 0120777)};
    const struct file_path path = {.path = slice_text("/some/where")};
    const struct file_space_is space = {.frsize = 4096, .bavail = UINT64_MAX};
    struct file_open open;

    if (question.type != MSG_file_close && question.type != MSG_file_readdir &&
        errors[question.id % 5] != 0) {
        say_status(socket, errors[question.id % 5]);
        return;
    }
    switch (question.type) {
    case MSG_file_open:
        must(decode_file_open(&question, &open) == 0);
        must(open.path.len > 0 && open.path.data[0] == '/');
        say_opened(socket, open.flags & OPEN_WRITE ? sink_hole : contents);
        break;
    case MSG_file_opendir:
        say_opened(socket, -1);
        break;
    case MSG_file_readdir:
        say_entries(socket);
        break;
    case MSG_file_stat:
        send_file_attributes(socket, question.id, &attributes);
        break;
    case MSG_file_realpath:
    case MSG_file_readlink:
        send_file_path(socket, question.id, &path);
        break;
    case MSG_file_space:
        send_file_space_is(socket, question.id, &space);
        break;
    default:
        say_status(socket, 0);
    }
}

static int agent(void)
{
    int ends[2];

    must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    const pid_t pid = fork();
    must(pid >= 0);
    if (pid > 0) {
        close(ends[1]);
        must(dup3(ends[0], FD_AGENT, O_CLOEXEC) == FD_AGENT);
        return FD_AGENT;
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

/* What was said is lines that end with CR LF, and no other byte below a blank is in them. */
static void look_at_replies(const struct ftps_fake *f, size_t *looked)
{
    for (size_t i = *looked; i < f->said_len; i++) {
        const uint8_t c = (uint8_t)f->said[i];
        must(c >= ' ' || (c == '\r' && f->said[i + 1] == '\n') ||
             (c == '\n' && f->said[i - 1] == '\r'));
    }
    must(f->said_len == 0 || f->said[f->said_len - 1] == '\n');
    *looked = f->said_len;
}

/* Begin where the input says. */
static void begin(struct ftps_fake *f, int link, struct slice *input)
{
    static const enum state states[] = {STATE_OPEN, STATE_OPEN, STATE_CLEAR, STATE_SECURE};
    const uint8_t how = take_u8(input);

    ftps_fake_start(f, link);
    f->w.state = states[how & 3];
    f->w.control.secure = f->w.state != STATE_CLEAR;
    if (f->w.state != STATE_OPEN)
        agent_close(&f->w.agent);
    f->fresh = (how & 4) != 0;
    f->cut = (how & 8) != 0;
    f->w.client.v6 = (how & 16) != 0;
    f->sent_most = how & 32 ? 3000 : SIZE_MAX;
    f->outcome = how >> 6;
    f->piece = take_u8(input);
    f->upload = take(input, take_u8(input));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ftps_fake f;
    static int link = -1;
    struct slice input = slice_of(data, size);
    bool goes_on = true;
    size_t looked = 0;

    if (link < 0)
        link = agent();
    const int descriptors = open_descriptors();
    begin(&f, link, &input);
    const size_t piece = take_u8(&input);
    while (input.len > 0 && goes_on) {
        const struct slice part = take(&input, piece == 0 ? input.len : piece);
        uint8_t *exact = exact_copy(part);
        goes_on = ftps_fake_feed(&f, exact, part.len);
        free(exact);
        look_at_replies(&f, &looked);
        must(f.w.folder.len > 0 && f.w.folder.text[0] == '/' && f.w.folder.len <= PATH_BYTES);
    }
    ftps_fake_end(&f);
    must(open_descriptors() == descriptors);
    return 0;
}
