/* Certificates that somebody else renews: the files that the configuration names are looked at now
 * and then, and read again when they have changed, as at a reload. Called by the tick. A pair that
 * is half written, or does not fit, leaves what is in force until it does. Never changes a file. */
#include <sys/stat.h>

#include "common/log.h"
#include "common/tls_files.h"
#include "monitor/monitor.h"

#define LOOK_MS   1000
#define FNV_START UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

/* ------------------------------------------------------------------------- how files stand */

static uint64_t mix(uint64_t stamp, uint64_t value)
{
    for (int shift = 0; shift < 64; shift += 8)
        stamp = (stamp ^ (value >> shift & 0xff)) * FNV_PRIME;
    return stamp;
}

/* What changes when a file, or what a link leads to, is replaced, written, or let others in. */
static uint64_t mix_file(uint64_t stamp, const char *path)
{
    struct stat st = {0};

    if (path[0] == '\0' || stat(path, &st) < 0)
        return mix(stamp, 0);
    stamp = mix(mix(stamp, st.st_dev), st.st_ino);
    stamp = mix(mix(stamp, (uint64_t)st.st_size), st.st_mode);
    stamp = mix(mix(stamp, (uint64_t)st.st_mtim.tv_sec), (uint64_t)st.st_mtim.tv_nsec);
    return mix(mix(stamp, (uint64_t)st.st_ctim.tv_sec), (uint64_t)st.st_ctim.tv_nsec);
}

uint64_t priv_tls_stamp(const struct config *c)
{
    uint64_t stamp = mix_file(mix_file(FNV_START, c->tls_certificate), c->tls_key);
    const char *list = c->tls_further;
    struct tls_paths paths;

    while (tls_paths_next(&list, &paths))
        stamp = mix_file(mix_file(stamp, paths.certificate), paths.key);
    return stamp;
}

/* ------------------------------------------------------------------------- the tick */

void priv_tls_watch(struct monitor *m, int64_t now)
{
    struct tls_watch *w = &m->tls_watch;

    if (now < w->next_ms || m->stopping || m->tls.keys[0] == NULL)
        return;
    w->next_ms = now + LOOK_MS;
    const uint64_t stamp = priv_tls_stamp(&m->config);
    const bool still = stamp == w->seen; /* else somebody may be in the midst of it */
    w->seen = stamp;
    if (!still || stamp == m->tls.stamp || stamp == w->refused)
        return;
    if (priv_tls_identities_load(&m->tls, &m->config, false) < 0) {
        w->refused = stamp; /* told once, until they change again */
        log_warning("the files of a TLS certificate have changed and cannot be used yet: what was "
                    "in force stays");
        return;
    }
    sessions_replace_spares(m, "replaced after a renewal");
    log_info("the TLS certificates were read again, as their files have changed");
}
