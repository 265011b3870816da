/* A real client, OpenSSH's sftp, at a real worker: whom all that is done to others must not reach.
 * Called by the parts. Told its commands by a pipe, a line each, and asked for a line of what it
 * prints; its password comes from a script, as ssh wants it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/hostile/hostile.h"

#define PROGRAM "/usr/bin/sftp"

bool client_exists(void)
{
    /* It asks who runs it, and ends where that is nobody known. */
    return access(PROGRAM, X_OK) == 0 && getpwuid(geteuid()) != NULL;
}

static void wait_spares(struct hostile *h, unsigned spares, const char *what)
{
    const int64_t until = clock_now_ms() + PATIENCE_MS;

    while (server_status(h).spares != spares) {
        if (clock_now_ms() > until)
            give_up("%s: see %s/log", what, h->place);
        children_wait(h, -1, 0, 1);
    }
}

/* The next client gets a real worker: the only one that is ready. */
static void make_real_spare(struct hostile *h)
{
    struct child worker;

    while (!child_next(h, ROLE_SFTP, &worker, 20))
        server_reload(h);
    child_real(&worker, worker.link);
    wait_spares(h, 1, "a real worker does not get ready");
}

static void write_askpass(const char *path)
{
    FILE *f = fopen(path, "we");

    if (f == NULL || fprintf(f, "#!/bin/sh\necho '%s'\n", PASSWORD) < 0 ||
        fchmod(fileno(f), 0700) < 0 || fclose(f) != 0)
        give_up("%s: %s", path, strerror(errno));
}

static void run_program(const struct hostile *h, const char *askpass)
{
    char port[16], home[128], ask[300];
    char *const arguments[] = {"sftp", "-q", "-F", "none", "-o", "StrictHostKeyChecking=no",
                               /* clang-format off */
                               "-o", "UserKnownHostsFile=/dev/null",
                               "-o", "GlobalKnownHostsFile=/dev/null",
                               "-o", "IdentityAgent=none", "-o", "PubkeyAuthentication=no",
                               "-o", "LogLevel=ERROR", "-o", "NumberOfPasswordPrompts=1",
                               "-P", port, ACCOUNT "@127.0.0.1", NULL};
    /* clang-format on */
    char *const environment[] = {"PATH=/usr/bin:/bin",
                                 "LC_ALL=C",
                                 "SSH_ASKPASS_REQUIRE=force",
                                 "DISPLAY=:0",
                                 home,
                                 ask,
                                 NULL};

    snprintf(port, sizeof(port), "%u", (unsigned)h->ports[ROLE_SFTP]);
    snprintf(home, sizeof(home), "HOME=%s", h->place);
    snprintf(ask, sizeof(ask), "SSH_ASKPASS=%s", askpass);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execve(PROGRAM, arguments, environment);
    _exit(127);
}

void client_start(struct hostile *h, struct sftp_client *c)
{
    char askpass[256];
    int to[2], from[2];

    make_real_spare(h);
    snprintf(askpass, sizeof(askpass), "%s/askpass", h->place);
    write_askpass(askpass);
    if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0)
        give_up("pipe: %s", strerror(errno));
    *c = (struct sftp_client){.pid = fork(), .to = to[1], .from = from[0]};
    if (c->pid < 0)
        give_up("fork: %s", strerror(errno));
    if (c->pid == 0) {
        if (dup2(to[0], 0) == 0 && dup2(from[1], 1) == 1 && dup2(from[1], 2) == 2)
            run_program(h, askpass);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    wait_spares(h, 0, "a client does not connect");
}

void client_say(struct sftp_client *c, const char *command)
{
    c->len = 0;
    /* One that has ended is found out when it is heard. */
    if (dprintf(c->to, "%s\n", command) < 0 && errno != EPIPE)
        give_up("a client takes no commands: %s", strerror(errno));
}

bool client_hear(struct hostile *h, struct sftp_client *c, const char *wanted)
{
    for (;;) {
        c->text[c->len] = '\0';
        if (strstr(c->text, wanted) != NULL)
            return true;
        if (c->len == sizeof(c->text) - 1)
            c->len = 0;
        if (!children_wait(h, c->from, POLLIN, PATIENCE_MS))
            return false;
        const ssize_t n = read(c->from, c->text + c->len, sizeof(c->text) - 1 - c->len);
        if (n <= 0)
            return false;
        c->len += (size_t)n;
    }
}

void client_end(struct sftp_client *c)
{
    close(c->to); /* the end of its commands */
    close(c->from);
    kill(c->pid, SIGTERM);
    waitpid(c->pid, NULL, 0);
}
