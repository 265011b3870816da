/* Files and folders of the agent: see agent_file.h. */
#include "common/agent_file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static int opened(int result, const struct file_opened *o, int fd, struct agent_file *f)
{
    if (result == 0)
        *f = (struct agent_file){
            .open = true, .fd = fd, .handle = o->handle, .seen = ATTRIBUTES_OF(*o)};
    return result;
}

int agent_file_open(struct agent_link *agent, struct slice path, uint32_t flags,
                    struct agent_file *f)
{
    const struct file_open ask = {.path = path, .flags = flags, .mode = 0666};
    struct file_opened o;
    int result = agent_ask(agent, MSG_file_open, &ask, MSG_file_opened, &o);
    const int fd = result == 0 ? agent_take_fd(agent) : -1;

    if (result == 0 && fd < 0)
        result = -1; /* a file without its descriptor: not what was promised */
    return opened(result, &o, fd, f);
}

int agent_folder_open(struct agent_link *agent, struct slice path, struct agent_file *f)
{
    const struct file_opendir ask = {.path = path};
    struct file_opened o;

    return opened(agent_ask(agent, MSG_file_opendir, &ask, MSG_file_opened, &o), &o, -1, f);
}

static struct file_close closing(const struct agent_file *f, enum close_end end)
{
    return (struct file_close){
        .handle = f->handle,
        .bytes_read = f->bytes_read,
        .bytes_written = f->bytes_written,
        .whole = (uint8_t)end,
    };
}

int agent_file_close(struct agent_link *agent, struct agent_file *f, enum close_end end)
{
    const struct file_close ask = closing(f, end);
    int error = 0;

    if (!f->open)
        return 0;
    if (f->fd >= 0 && close(f->fd) < 0 && errno != EINTR)
        error = errno;
    *f = (struct agent_file){.fd = -1};
    const int result = agent_do(agent, MSG_file_close, &ask);
    return result != 0 ? result : error;
}

void agent_file_let_go(struct agent_link *agent, struct agent_file *f)
{
    const struct file_close told = closing(f, CLOSE_WHOLE);

    if (!f->open)
        return;
    close(f->fd);
    *f = (struct agent_file){.fd = -1};
    agent_tell(agent, MSG_file_close, &told);
}

int agent_look(struct agent_link *agent, struct slice path, bool follow, struct attributes *seen)
{
    const struct file_stat ask = {.path = path, .follow = follow};
    struct file_attributes a;
    const int result = agent_ask(agent, MSG_file_stat, &ask, MSG_file_attributes, &a);

    if (result == 0)
        *seen = ATTRIBUTES_OF(a);
    return result;
}

int agent_entries_next(struct agent_link *agent, uint32_t handle, bool names_only,
                       struct agent_entries *e)
{
    const struct file_readdir ask = {.handle = handle, .names_only = names_only};
    struct file_entries entries;
    const int result = agent_ask(agent, MSG_file_readdir, &ask, MSG_file_entries, &entries);

    if (result != 0)
        return result;
    if (entries.entries.len > 0)
        memcpy(e->bytes, entries.entries.data, entries.entries.len);
    e->at = 0;
    e->len = entries.entries.len;
    e->last = entries.last != 0;
    return 0;
}

int agent_entries_take(struct agent_entries *e, struct directory_entry *entry)
{
    struct slice rest = slice_of(e->bytes + e->at, e->len - e->at);

    if (rest.len == 0)
        return 0;
    if (unnest_directory_entry(&rest, entry) <= 0)
        return -1;
    e->at = e->len - rest.len;
    return 1;
}
