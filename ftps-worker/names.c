/* Commands about names: the working folder, removing, making, renaming. Each becomes a question to
 * the file agent, which decides and acts; only the working folder's name is kept here. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "ftps-worker/worker.h"

/* A reply that begins with a name in quotes (RFC 959, appendix II). */
static void reply_name(struct worker *w, const struct path *path, const char *text)
{
    char shown[2 * PATH_BYTES];
    const size_t len = path_show(path_slice(path), true, shown, sizeof(shown));

    reply(w, 257, "\"%.*s\" %s", (int)len, shown, text);
}

void on_pwd(struct worker *w, const struct command *c)
{
    (void)c;
    reply_name(w, &w->folder, "is the working folder");
}

/* To a folder, by the name that the agent gives it: links are resolved. */
static void go_to(struct worker *w, const struct path *path)
{
    const struct file_realpath ask = {.path = path_slice(path)};
    struct attributes seen;
    struct file_path real;
    int result = agent_look(&w->agent, path_slice(path), true, &seen);

    if (result == 0 && !S_ISDIR(seen.mode)) {
        reply(w, 550, "This is not a folder");
        return;
    }
    if (result == 0)
        result = agent_ask(&w->agent, MSG_file_realpath, &ask, MSG_file_path, &real);
    if (result == 0)
        result = path_join(&w->folder, slice_text("/"), real.path);
    reply_result(w, result, 250, "Done");
}

void on_cwd(struct worker *w, const struct command *c)
{
    go_to(w, &c->path);
}

void on_cdup(struct worker *w, const struct command *c)
{
    struct path above;

    (void)c;
    if (path_join(&above, path_slice(&w->folder), slice_text("..")) == 0)
        go_to(w, &above);
}

void on_dele(struct worker *w, const struct command *c)
{
    const struct file_remove ask = {.path = path_slice(&c->path)};

    reply_result(w, agent_do(&w->agent, MSG_file_remove, &ask), 250, "Deleted");
}

void on_mkd(struct worker *w, const struct command *c)
{
    const struct file_mkdir ask = {.path = path_slice(&c->path), .mode = 0777};
    const int result = agent_do(&w->agent, MSG_file_mkdir, &ask);

    if (result == 0)
        reply_name(w, &c->path, "made");
    else
        reply_result(w, result, 257, "");
}

void on_rmd(struct worker *w, const struct command *c)
{
    const struct file_rmdir ask = {.path = path_slice(&c->path)};

    reply_result(w, agent_do(&w->agent, MSG_file_rmdir, &ask), 250, "Removed");
}

void on_rnfr(struct worker *w, const struct command *c)
{
    struct attributes seen;
    int result = agent_look(&w->agent, path_slice(&c->path), false, &seen);

    if (result == EACCES) /* what may not be looked at may be renamed all the same: RNTO says so */
        result = 0;
    if (result == 0) {
        w->rename_from = c->path;
        w->renaming = true;
    }
    reply_result(w, result, 350, "Now the new name: RNTO");
}

/* What is there is replaced, as every server does; the agent asks for the right to. */
void on_rnto(struct worker *w, const struct command *c)
{
    const struct file_rename ask = {
        .from = path_slice(&w->rename_from), .to = path_slice(&c->path), .replace = 1};

    if (!w->renaming) {
        reply(w, 503, "RNFR comes first");
        return;
    }
    w->renaming = false;
    reply_result(w, agent_do(&w->agent, MSG_file_rename, &ask), 250, "Renamed");
}
