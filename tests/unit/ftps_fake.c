/* See ftps_fake.h: the functions of main.c, control.c, data.c, tls.c and monitor_link.c that the
 * engine calls. Whatever it is lent is as large as it was told. */
#include "tests/unit/ftps_fake.h"

#include <stdlib.h>
#include <string.h>

#define STEPS_MOST 100000 /* of one command's work */

static struct ftps_fake *fake_of(const struct worker *w)
{
    return (struct ftps_fake *)(uintptr_t)w; /* its first member */
}

static void need(bool holds)
{
    if (!holds)
        abort();
}

/* ---- main.c and monitor_link.c --------------------------------------------------------------- */

static int64_t *clock_ms;

int64_t worker_now_ms(void)
{
    return *clock_ms;
}

void log_info(const char *format, ...)
{
    (void)format;
}

void log_debug(const char *format, ...)
{
    (void)format;
}

int monitor_ask(struct monitor_link *l, enum message_type type, const void *question,
                enum message_type expect, void *answer)
{
    struct ftps_fake *f = l->owner;
    struct verdict *verdict = answer;

    (void)question;
    need(type == MSG_auth_password && expect == MSG_verdict);
    *verdict = (struct verdict){
        .outcome = (uint8_t)f->outcome, .account = slice_text("alice"), .uid = 7, .gid = 8};
    return 0;
}

int monitor_take_fd(struct monitor_link *l)
{
    (void)l;
    return FD_AGENT;
}

bool tls_cut(const struct tls_stream *s)
{
    (void)s;
    return false;
}

void tls_describe(const struct tls_stream *s, char *text, size_t size)
{
    (void)s;
    need(slice_copy(slice_text("TLS of a test"), text, size) == 0);
}

/* ---- control.c ------------------------------------------------------------------------------ */

void control_secure(struct worker *w)
{
    w->control.secure = true;
    w->control.in_at = w->control.in_len = 0;
    w->state = STATE_SECURE;
}

void control_flush(struct worker *w)
{
    struct ftps_fake *f = fake_of(w);
    struct control *c = &w->control;
    const size_t n = c->out_len - c->out_at;

    f->said = realloc(f->said, f->said_len + n + 1);
    need(f->said != NULL);
    memcpy(f->said + f->said_len, c->out + c->out_at, n);
    f->said_len += n;
    f->said[f->said_len] = '\0';
    c->out_at = c->out_len = 0;
}

/* ---- data.c --------------------------------------------------------------------------------- */

int data_passive(struct worker *w, struct data_port *port)
{
    struct ftps_fake *f = fake_of(w);

    *port = (struct data_port){.address = slice_text(w->client.v6 ? "::1" : "192.0.2.1"),
                               .port = f->absent ? 0 : 30001,
                               .reason = slice_text("no port is free")};
    w->data.state = f->absent ? DATA_NONE : DATA_PASSIVE;
    return 0;
}

void data_active(struct worker *w, uint32_t port)
{
    w->data.port = port;
    w->data.state = DATA_ACTIVE;
}

bool data_expected(const struct worker *w)
{
    return w->data.state != DATA_NONE;
}

/* Ready, or not yet. */
static enum data_step step(struct worker *w, enum data_state then)
{
    struct ftps_fake *f = fake_of(w);

    if (f->waits > 0) {
        f->waits--;
        return DATA_WAITS;
    }
    w->data.state = then;
    return DATA_READY;
}

enum data_step data_arrive(struct worker *w)
{
    need(w->data.state == DATA_PASSIVE || w->data.state == DATA_ACTIVE);
    return step(w, DATA_CONNECTED);
}

enum data_step data_secure(struct worker *w)
{
    need(w->data.state == DATA_CONNECTED);
    return step(w, DATA_OPEN);
}

bool data_resumed(const struct worker *w)
{
    return !fake_of(w)->fresh;
}

static size_t at_most(const struct ftps_fake *f, size_t n)
{
    return f->piece != 0 && n > f->piece ? f->piece : n;
}

ssize_t data_read(struct worker *w, void *bytes, size_t size)
{
    struct ftps_fake *f = fake_of(w);
    const size_t n = at_most(f, f->upload.len < size ? f->upload.len : size);

    need(w->data.state == DATA_OPEN && size > 0);
    if (f->waits > 0) {
        f->waits--;
        return TLS_AGAIN;
    }
    if (n == 0)
        return f->cut ? TLS_FAILED : 0;
    memcpy(bytes, f->upload.data, n);
    f->upload = slice_of(f->upload.data + n, f->upload.len - n);
    return (ssize_t)n;
}

bool data_pending(const struct worker *w)
{
    (void)w;
    return true;
}

ssize_t data_write(struct worker *w, const void *bytes, size_t len)
{
    struct ftps_fake *f = fake_of(w);
    const size_t n = at_most(f, len);

    need(w->data.state == DATA_OPEN && len > 0);
    if (f->waits > 0) {
        f->waits--;
        return TLS_AGAIN;
    }
    if (f->sent_len + n > f->sent_most)
        return TLS_FAILED;
    while (f->sent_size < f->sent_len + n) {
        f->sent_size = f->sent_size * 2 + 65536;
        f->sent = realloc(f->sent, f->sent_size);
        need(f->sent != NULL);
    }
    memcpy(f->sent + f->sent_len, bytes, n);
    f->sent_len += n;
    return (ssize_t)n;
}

enum tls_result data_flush(struct worker *w)
{
    need(w->data.state == DATA_OPEN);
    return fake_of(w)->cut ? TLS_FAILED : TLS_DONE;
}

enum tls_result data_close(struct worker *w)
{
    need(w->data.state == DATA_OPEN);
    return TLS_DONE;
}

const char *data_trouble(const struct worker *w)
{
    (void)w;
    return "it broke";
}

void data_linger(struct worker *w)
{
    w->data.state = DATA_NONE;
}

void data_drop(struct worker *w)
{
    fake_of(w)->dropped |= w->data.state != DATA_NONE;
    w->data.state = DATA_NONE;
}

/* ---- a session ------------------------------------------------------------------------------ */

void ftps_fake_start(struct ftps_fake *f, int link)
{
    memset(f, 0, sizeof(*f));
    f->outcome = VERDICT_OPEN;
    f->sent_most = SIZE_MAX;
    f->now_ms = 1000;
    f->tick_ms = 1;
    clock_ms = &f->now_ms;
    f->w.monitor.owner = f;
    f->w.setup.active = f->w.setup.data_resumed = 1;
    f->w.setup.data_seconds = 10;
    need(address_parse(slice_text("192.0.2.7"), &f->w.client));
    slice_copy(slice_text("192.0.2.7"), f->w.client_text, sizeof(f->w.client_text));
    f->w.facts = FACTS_ALL;
    f->w.work.file.fd = -1;
    f->w.pbsz = f->w.private_data = f->w.control.secure = true;
    f->w.uid = 7;
    f->w.gid = 8;
    slice_copy(slice_text("alice"), f->w.account, sizeof(f->w.account));
    f->w.state = STATE_OPEN;
    need(path_join(&f->w.folder, slice_text("/"), slice_of(NULL, 0)) == 0);
    need(agent_open(&f->w.agent, link) == 0 && digest_prepare() == 0);
    control_flush(&f->w);
}

void ftps_fake_end(struct ftps_fake *f)
{
    work_break(&f->w);
    agent_close(&f->w.agent);
    free(f->w.memory);
    free(f->sent);
    free(f->said);
}

/* Work to its end. Time passes. */
static void work_all(struct ftps_fake *f)
{
    for (int steps = 0; f->w.work.kind != WORK_NONE && !f->w.stop.asked; steps++) {
        need(steps < STEPS_MOST);
        const int wait_ms = work_step(&f->w);
        f->now_ms += f->w.work.paused ? wait_ms : f->tick_ms;
        control_flush(&f->w);
    }
}

bool ftps_fake_feed(struct ftps_fake *f, const uint8_t *bytes, size_t len)
{
    struct control *c = &f->w.control;

    while (len > 0 && !f->w.stop.asked) {
        const size_t n = line_feed(&c->reader, bytes, len);
        need(n > 0 && n <= len);
        bytes += n;
        len -= n;
        if (!c->reader.whole)
            continue;
        need(reply_room(&f->w) >= REPLY_ROOM);
        if (!command_run(&f->w)) { /* it waits */
            work_all(f);
            need(f->w.stop.asked || command_run(&f->w));
        }
        need(reply_room(&f->w) > 0);
        control_flush(&f->w);
    }
    work_all(f);
    return !f->w.stop.asked;
}
