/* sallyport-notify: delivers notices, one at a time, by the operator's sendmail command or event
 * command. Started by the monitor when mail is enabled; asks the store for notices over a link of
 * its own, and tells what came of each. The commands are anybody's programs, and may be set-gid
 * (Postfix's is): so this process cannot have no_new_privs, nor what needs it, a filter or Landlock
 * of its own. What it and they have is the monitor's filter, an id of their own, no capability and
 * limits. It must never use a shell, nor lose a notice: what it did not tell is delivered again. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/facts.h"
#include "common/log.h"
#include "common/message.h"
#include "common/sandbox.h"
#include "monitor/notify/mail.h"
#include "monitor/notify/run.h"
#include "monitor/notify/template.h"

#define MARK_BEGINS UINT64_C(0xcbf29ce484222325)
#define DESCRIPTORS 256
#define PROCESSES   256
#define LINKLESS_MS 60000 /* without a link to the store; then another of these is started */
#define LAST_MS     1500  /* at the end, for the command that runs */

/* The one state of this process. */
static struct notify {
    struct envelope envelope;
    struct command_line sendmail, command; /* count 0: none */
    char from[MAIL_ADDRESS_MAX + 1], templates[4096], organisation[101], base[1025];
    uint32_t seconds;
    int store;                   /* the link; -1: none now */
    bool asked;                  /* over it */
    bool busy;                   /* a command runs, for the notice of this number */
    bool given_here;             /* by the present link: it is told what came of it */
    uint64_t number, mark;       /* of the notice in hand, or of the one before */
    enum notice_outcome outcome; /* of that; NOTICE_NONE: it is not over, or there is none */
    char why[RUN_WHY_MAX + 1];
    struct run run;
    int64_t stop_ms;     /* when to end at the latest; 0: no end in sight */
    int64_t linkless_ms; /* since when there is no link */
} notify = {.store = -1};

/* The monitor writes the log; a line that it has no room for is lost. */
static void tell_monitor(enum log_level level, const char *line)
{
    const struct notify_log message = {.level = (uint8_t)level,
                                       .text = slice_of(line, strnlen(line, 512))};

    if (send_notify_log(FD_MONITOR, 0, &message) < 0)
        return;
}

/* ---- one notice ------------------------------------------------------------------------------ */

/* So that a message that is sent twice is known for the same (FNV-1a). It tells nothing of what it
 * is made of: that has 256 random bits where it is secret. */
static uint64_t mark_of(uint64_t mark, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        mark = (mark ^ bytes.data[i]) * UINT64_C(0x100000001b3);
    return mark;
}

static void finish(struct notify *n, enum notice_outcome outcome, const char *why)
{
    n->outcome = outcome;
    snprintf(n->why, sizeof(n->why), "%s", why);
    if (outcome != NOTICE_DELIVERED)
        log_warning("notice %" PRIu64 " %s: %s", n->number,
                    outcome == NOTICE_REFUSED ? "cannot be delivered" : "is not delivered yet",
                    n->why);
}

/* A store that ended before it kept what came of a notice gives it again: it is not sent again. */
static bool is_done(const struct notify *n, uint64_t number, uint64_t mark)
{
    return number == n->number && mark == n->mark &&
           (n->outcome == NOTICE_DELIVERED || n->outcome == NOTICE_REFUSED);
}

static void start_command(struct notify *n, const struct command_line *command, struct draft *text)
{
    n->busy = run_start(&n->run, command, text, n->seconds) == 0;
    if (!n->busy)
        finish(n, n->run.outcome, n->run.why);
}

/* By mail: the text that stands for its kind, as a message, to the sendmail command. */
static void deliver_mail(struct notify *n, const struct notice *notice, const char *kind)
{
    struct draft subject = {0}, body = {0}, message = {0};
    char why[TEMPLATE_TROUBLE] = "", to[MAIL_ADDRESS_MAX + 1];
    json_t *facts = facts_read(notice->facts, n->base, n->organisation);
    const char *wrong = NULL;

    if (slice_copy(notice->to, to, sizeof(to)) < 0 || !mail_address_is_good(notice->to)) {
        finish(n, NOTICE_REFUSED, "its address is none that is mailed to: name@domain, in ASCII");
        goto out;
    }
    if (facts == NULL)
        wrong = "its facts cannot be read, or there is no memory";
    else if (templates_render(n->templates, kind, facts, &subject, &body, why) < 0)
        wrong = why;
    if (wrong == NULL) {
        const struct mail mail = {
            .from = n->from,
            .name = n->organisation,
            .to = to,
            .number = notice->number,
            .mark = n->mark,
            .date = time(NULL),
            .subject = draft_slice(&subject),
            .body = draft_slice(&body),
        };
        wrong = mail_write(&mail, &message);
    }
    if (wrong != NULL)
        finish(n, NOTICE_LATER, wrong); /* it may be mended, or pass */
    else
        start_command(n, &n->sendmail, &message);
out:
    json_decref(facts);
    draft_clear(&subject);
    draft_clear(&body);
    draft_clear(&message);
}

/* To the event command: its last argument is the kind, its input the facts as they are, JSON. */
static void deliver_event(struct notify *n, const struct notice *notice, char *kind)
{
    struct command_line command = n->command;
    struct draft facts = {0};

    if (command.count == 0) {
        finish(n, NOTICE_REFUSED, "there is no command for events");
        return;
    }
    for (size_t i = 0; i < command.count; i++)
        command.words[i] = command.text + (n->command.words[i] - n->command.text);
    command.words[command.count] = kind;
    command.words[command.count + 1] = NULL;
    draft_add(&facts, notice->facts);
    start_command(n, &command, &facts);
    draft_clear(&facts);
}

/* The store's answer: the next notice. */
static int take_notice(struct notify *n)
{
    char kind[TEMPLATE_KIND_MAX + 1];
    struct notice notice;

    if (!n->asked || decode_notice(&n->envelope, &notice) < 0 ||
        slice_copy(notice.kind, kind, sizeof(kind)) < 0) {
        log_error("the store sent what is no notice that was asked for");
        return -1;
    }
    n->asked = false;
    n->given_here = true;
    const uint64_t mark = mark_of(mark_of(MARK_BEGINS, notice.to), notice.facts);
    if (is_done(n, notice.number, mark))
        return 0;
    n->number = notice.number;
    n->mark = mark;
    n->outcome = NOTICE_NONE;
    n->why[0] = '\0';
    if (notice.to.len > 0)
        deliver_mail(n, &notice, kind);
    else
        deliver_event(n, &notice, kind);
    return 0;
}

/* ---- links ----------------------------------------------------------------------------------- */

static void drop_store(struct notify *n)
{
    if (n->store >= 0)
        close(n->store);
    n->store = -1;
    n->asked = n->given_here = false;
    n->linkless_ms = run_now_ms();
}

static void take_store(struct notify *n, int link)
{
    drop_store(n);
    n->store = link;
}

static void ask_store(struct notify *n)
{
    struct notice_wanted wanted = {0};

    if (n->given_here && n->outcome != NOTICE_NONE)
        wanted = (struct notice_wanted){
            .number = n->number, .outcome = (uint8_t)n->outcome, .text = slice_text(n->why)};
    if (send_notice_wanted(n->store, 0, &wanted) < 0)
        drop_store(n);
    else
        n->asked = true;
}

/* Returns 0, or -1: what came is no good, and this process is to end. */
static int hear_store(struct notify *n)
{
    const int got = message_receive_bare(n->store, &n->envelope, MSG_DONTWAIT);
    int r = 0;

    if (got == 1) {
        r = take_notice(n);
    } else if (got < 0 && errno == EPROTO) {
        log_error("the store sent what is no message");
        r = -1;
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        drop_store(n);
    }
    envelope_clear(&n->envelope);
    return r;
}

/* Another link, or the end of this process. Returns 0, or -1: what came is no good. */
static int hear_monitor(struct notify *n)
{
    struct notify_outbox link;
    const int got = message_receive(FD_MONITOR, &n->envelope, MSG_DONTWAIT);
    int r = 0;

    if (got == 0)
        n->stop_ms = run_now_ms() + LAST_MS;
    else if (got == 1 && decode_notify_outbox(&n->envelope, &link) == 0)
        take_store(n, envelope_take_fd(&n->envelope, 0));
    else if (got == 1 || (errno != EAGAIN && errno != EINTR))
        r = -1;
    envelope_clear(&n->envelope);
    return r;
}

/* ---- the loop -------------------------------------------------------------------------------- */

/* How long may be waited for something to happen. */
static int patience_ms(const struct notify *n, int64_t now)
{
    int64_t until = now + LINKLESS_MS;

    if (n->busy && n->run.deadline_ms < until)
        until = n->run.deadline_ms;
    if (n->stop_ms != 0 && n->stop_ms < until)
        until = n->stop_ms;
    return until > now ? (int)(until - now) : 0;
}

/* Nothing is lost when this process ends: the store has every notice whose outcome it was not told.
 * Returns the exit status. */
static int serve(struct notify *n)
{
    for (;;) {
        struct pollfd polls[2 + RUN_POLLS] = {
            {.fd = n->stop_ms == 0 ? FD_MONITOR : -1, .events = POLLIN},
            {.fd = n->busy ? -1 : n->store, .events = POLLIN},
        };
        const int64_t now = run_now_ms();
        nfds_t count = 2;
        if (n->stop_ms != 0 && (!n->busy || now >= n->stop_ms)) {
            if (n->busy)
                run_kill(&n->run);
            else if (n->store >= 0 && n->given_here && !n->asked)
                ask_store(n); /* what came of the last one; the answer is nobody's */
            return EXIT_SUCCESS;
        }
        if (n->store < 0 && !n->busy && now - n->linkless_ms > LINKLESS_MS)
            return EXIT_FAILURE;
        if (n->store >= 0 && !n->busy && !n->asked) {
            ask_store(n);
            continue;
        }
        if (n->busy) {
            run_polls(&n->run, polls + 2);
            count += RUN_POLLS;
        }
        if (poll(polls, count, patience_ms(n, now)) < 0 && errno != EINTR)
            return EXIT_FAILURE;
        if (n->busy && run_go_on(&n->run)) {
            n->busy = false;
            finish(n, n->run.outcome, n->run.why);
        }
        if ((polls[0].revents != 0 && hear_monitor(n) < 0) ||
            (polls[1].revents != 0 && n->store >= 0 && !n->busy && hear_store(n) < 0))
            return EXIT_FAILURE;
    }
}

/* ---- start ----------------------------------------------------------------------------------- */

/* Ends with its link and not before: Ctrl-C in a terminal reaches all processes at once. */
static int ignore_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    const struct sigaction ignore = {.sa_handler = SIG_IGN};

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        if (sigaction(signals[i], &ignore, NULL) < 0)
            return -1;
    }
    return 0;
}

/* NULL, or what is wrong with the settings. */
static const char *take_settings(struct notify *n, const struct notify_setup *setup)
{
    const char *why = command_line_split(setup->sendmail, &n->sendmail);

    if (why == NULL && setup->command.len > 0)
        why = command_line_split(setup->command, &n->command);
    if (why == NULL &&
        (slice_copy(setup->from, n->from, sizeof(n->from)) < 0 ||
         slice_copy(setup->templates, n->templates, sizeof(n->templates)) < 0 ||
         slice_copy(setup->organisation, n->organisation, sizeof(n->organisation)) < 0 ||
         slice_copy(setup->base, n->base, sizeof(n->base)) < 0))
        why = "has a text that is too long";
    n->seconds = setup->seconds;
    return why;
}

/* The first message: who to be, and what to run. Returns 0 when the sandbox is in force. */
static int set_up(struct notify *n)
{
    struct notify_setup setup;
    struct notify_ready ready = {0};
    const char *why = NULL;
    char trouble[256];
    int r = -1;

    if (message_receive(FD_MONITOR, &n->envelope, 0) != 1 ||
        decode_notify_setup(&n->envelope, &setup) < 0)
        why = "the first message is no notify_setup: this program is started by sallyportd";
    else
        why = take_settings(n, &setup);
    if (why != NULL) {
        log_error("%s", why);
        goto out;
    }
    log_open_hook(tell_monitor,
                  setup.log_level <= LOG_LEVEL_DEBUG ? setup.log_level : LOG_LEVEL_DEBUG);
    take_store(n, envelope_take_fd(&n->envelope, 0));
    facts_prepare();
    umask(077);
    const struct sandbox sandbox = {
        .uid = setup.uid,
        .gid = setup.gid,
        .descriptors = DESCRIPTORS,
        .file_size = UINT64_MAX,
        .commands = geteuid() == 0 ? PROCESSES : COMMANDS_ANY,
    };
    /* A line for the log must never wait for a monitor that does not read. */
    if (ignore_signals() < 0 || chdir("/") < 0 || fcntl(FD_MONITOR, F_SETFL, O_NONBLOCK) < 0) {
        log_error("start: %s", strerror(errno));
    } else if (sandbox_enter(&sandbox, &ready.layers, trouble, sizeof(trouble)) < 0) {
        log_error("%s", trouble);
    } else {
        /* What it has of the monitor. */
        ready.layers |= prctl(PR_GET_SECCOMP) == 2 ? LAYER_SECCOMP : 0;
        ready.layers |= prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? LAYER_NO_NEW_PRIVS : 0;
        r = send_notify_ready(FD_MONITOR, n->envelope.id, &ready);
    }
out:
    envelope_clear(&n->envelope);
    return r;
}

int main(void)
{
    log_open("sallyport-notify", LOG_TO_STDERR, LOG_LEVEL_INFO);
    return set_up(&notify) < 0 ? EXIT_FAILURE : serve(&notify);
}
