/* `make hostile`: starts real servers with compromised workers, agents, stores and hashers, asks of
 * the other processes everything that they must not give, and counts what did not go as expected.
 * Called by the Makefile and scripts/check; needs no root, and does more with it. Exit status: 0
 * nothing unexpected, 1 something was, 2 it could not run. */
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/hostile/hostile.h"

/* The one state of this program: too large for a stack; and who it is for give_up and a signal. */
static struct hostile hostile;
int answer_ms = PATIENCE_MS;

int64_t clock_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Without a word to the server, which may be anything by now; its children end with it. */
static void __attribute__((noreturn)) end_at_once(struct hostile *h, int status)
{
    if (h->server > 0 && kill(h->server, SIGKILL) == 0)
        waitpid(h->server, NULL, 0);
    h->server = 0;
    if (h->options.clean)
        server_remove(h, false);
    exit(status);
}

bool expect(struct hostile *h, bool held, const char *format, ...)
{
    va_list arguments;
    char text[sizeof(h->told[0])];

    h->cases++;
    if (held)
        return true;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    printf("unexpected: %s\n", text);
    fflush(stdout);
    if (h->unexpected < TOLD_MOST)
        memcpy(h->told[h->unexpected], text, sizeof(text));
    h->unexpected++;
    if (h->options.first)
        end_at_once(h, 1);
    return false;
}

void give_up(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fprintf(stderr, "hostile: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    end_at_once(&hostile, 2);
}

static void usage(FILE *out)
{
    fprintf(out, "usage: hostile [-cek] [-f COUNT] [-m MESSAGE] [-n COUNT] [-p PART]... [-t N]\n"
                 "               [-w SECONDS] [-x PART]... BUILD MATRICES\n"
                 "  -c        leave no folder, even when something was unexpected\n"
                 "  -e        end with the first that is unexpected\n"
                 "  -f COUNT  messages of a flood (100000)\n"
                 "  -m NAME   of matrix and counts only this message's rows\n"
                 "  -n COUNT  sessions of the endurance run (1000)\n"
                 "  -t N      only every Nth byte to cut at, only every Nth foreign message (1)\n"
                 "  -p PART   only this part (matrix counts fields across across-ftps "
                 "across-https across-own\n"
                 "            liveness endurance rights files agent store hasher)\n"
                 "  -w N      wait at most so many seconds for an answer (20)\n"
                 "  -x PART   all parts but this one\n"
                 "  -k        keep the servers' folders\n"
                 "BUILD: the programs' folder. MATRICES: that of matrix.txt and the others.\n");
}

#define SFTP    (1u << ROLE_SFTP)
#define WORKERS (SFTP | 1u << ROLE_FTPS | 1u << ROLE_HTTPS)
#define AGENTS  (1u << ROLE_AGENT)
#define STORE   (1u << ROLE_STORE)
#define HASHERS (1u << ROLE_HASHER)

/* Parts that follow each other and want the same have one server. */
static const struct {
    const char *name;
    void (*check)(struct hostile *h);
    void (*run)(struct hostile *h);
    unsigned stand_ins, hashers, spares;
    bool new_kernel;
} parts[] = {
    // clang-format off
    {"matrix",    matrix_check, matrix_run,    WORKERS,                    0, 8, false},
    {"counts",    NULL,         counts_run,    WORKERS,                    0, 8, false},
    {"fields",    NULL,         fields_run,    WORKERS,                    0, 8, false},
    {"across",    NULL,         across_run,    WORKERS,                    0, 8, false},
    {"across-ftps", NULL,       across_ftps_run, WORKERS,                  0, 8, false},
    {"across-https", NULL,      across_https_run, WORKERS,                 0, 8, false},
    {"across-own", NULL,        across_own_run, WORKERS,                   0, 8, false},
    {"liveness",  NULL,         liveness_run,  WORKERS,                    0, 8, false},
    {"endurance", NULL,         endurance_run, WORKERS,                    0, 8, false},
    {"agent",     agent_check,  agent_run,     SFTP | AGENTS,              0, 8, false},
    {"files",     files_check,  files_run,     SFTP | AGENTS,              0, 8, false},
    {"store",     store_check,  store_run,     WORKERS | STORE,            0, 1, false},
    {"hasher",    hasher_check, hasher_run,    WORKERS | HASHERS,           8, 1, false},
    {"rights",    NULL,         rights_run,    SFTP | AGENTS | STORE | HASHERS, 1, 1, true},
    // clang-format on
};
#define PARTS (sizeof(parts) / sizeof(parts[0]))

/* What must hold of the server after all parts. */
static void judge_log(struct hostile *h)
{
    static const char *const reports[] = {"AddressSanitizer", "runtime error:", "SUMMARY: "};
    char log[128], audit[128];

    snprintf(log, sizeof(log), "%s/log", h->place);
    snprintf(audit, sizeof(audit), "%s/state/audit.log", h->place);
    for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++)
        expect(h, file_count(log, reports[i]) == 0, "the log holds \"%s\"", reports[i]);
    /* The store's own are in the log where its standard error is (the sanitizers' variant). */
    const unsigned long logged =
                            file_count(log, ": security: ") - file_count(log, "audit: security: "),
                        told = file_count(audit, "\"event\":\"security\"");
    expect(h, logged == h->security, "%lu security events in the log, %lu expected", logged,
           h->security);
    expect(h, told == h->security + h->offences,
           "%lu security events in the audit log, %lu expected", told, h->security + h->offences);
    FILE *f = fopen(log, "re");
    unsigned long control = 0;
    for (int c = f != NULL ? getc(f) : EOF; c != EOF; c = getc(f))
        control += (c < ' ' && c != '\n') || c == 127;
    if (f != NULL)
        fclose(f);
    expect(h, f != NULL && control == 0, "%lu control characters in the log", control);
}

/* A server for this part and all that follow and want the same. */
static void begin(struct hostile *h, size_t part)
{
    h->stand_ins = parts[part].stand_ins;
    h->by_hand = WORKERS;
    h->hashers = parts[part].hashers;
    h->spares = parts[part].spares;
    h->new_kernel = parts[part].new_kernel;
    server_start(h);
    if ((h->stand_ins & 1u << ROLE_HTTPS) != 0)
        web_prepare(h);
}

static bool same_server(size_t a, size_t b)
{
    return parts[a].stand_ins == parts[b].stand_ins && parts[a].hashers == parts[b].hashers &&
           parts[a].new_kernel == parts[b].new_kernel;
}

static void end(struct hostile *h, unsigned long unexpected)
{
    server_stop(h);
    judge_log(h);
    const bool keep = !h->options.clean && (h->options.keep || h->unexpected > unexpected);
    if (keep)
        printf("  the server's folder: %s\n", h->place);
    server_remove(h, keep);
}

static void run(struct hostile *h, const bool *wanted)
{
    unsigned long before = 0;
    size_t running = PARTS; /* the part that the server was started for */

    for (size_t i = 0; i < PARTS; i++) {
        if (!wanted[i])
            continue;
        if (running < PARTS && !same_server(running, i)) {
            end(h, before);
            running = PARTS;
        }
        if (running == PARTS) {
            before = h->unexpected;
            begin(h, i);
            running = i;
        }
        const int64_t began = clock_now_ms();
        const unsigned long cases = h->cases, bad = h->unexpected;
        parts[i].run(h);
        printf("%-10s %lu cases, %lu unexpected (%lld ms)\n", parts[i].name, h->cases - cases,
               h->unexpected - bad, (long long)(clock_now_ms() - began));
        fflush(stdout);
    }
    if (running < PARTS)
        end(h, before);
}

/* Descriptors for some hundred workers at the same time; a place for active data connections, whose
 * queue is short: those of a flood that find it full leave nothing behind. */
static void prepare(struct hostile *h)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof(at);
    struct rlimit files;

    signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        give_up("getrlimit");
    files.rlim_cur = files.rlim_max < 8192 ? files.rlim_max : 8192;
    if (setrlimit(RLIMIT_NOFILE, &files) < 0)
        give_up("setrlimit");
    h->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (h->listener < 0 || bind(h->listener, (struct sockaddr *)&at, len) < 0 ||
        listen(h->listener, 4) < 0 || getsockname(h->listener, (struct sockaddr *)&at, &len) < 0)
        give_up("no place to listen");
    h->listener_port = ntohs(at.sin_port);
}

static void mark(bool *marks, const char *name)
{
    for (size_t i = 0; i < PARTS; i++) {
        if (strcmp(parts[i].name, name) == 0) {
            marks[i] = true;
            return;
        }
    }
    usage(stderr);
    exit(2);
}

static void read_options(struct hostile *h, int argc, char **argv, bool *wanted)
{
    bool some = false, left_out[PARTS] = {false};
    int option;

    h->options = (struct options){.flood = 100000, .sessions = 1000, .thin = 1};
    while ((option = getopt(argc, argv, "cef:n:m:t:p:w:x:kh")) != -1) {
        switch (option) {
        case 'f':
            h->options.flood = strtoul(optarg, NULL, 10);
            break;
        case 'n':
            h->options.sessions = strtoul(optarg, NULL, 10);
            break;
        case 't':
            h->options.thin = strtoul(optarg, NULL, 10);
            break;
        case 'p':
            mark(wanted, optarg);
            some = true;
            break;
        case 'x':
            mark(left_out, optarg);
            break;
        case 'm':
            h->options.message = optarg;
            break;
        case 'w':
            answer_ms = (int)strtoul(optarg, NULL, 10) * 1000;
            break;
        case 'e':
            h->options.first = true;
            break;
        case 'c':
            h->options.clean = true;
            break;
        case 'k':
            h->options.keep = true;
            break;
        default:
            usage(option == 'h' ? stdout : stderr);
            exit(option == 'h' ? 0 : 2);
        }
    }
    if (argc - optind != 2 || h->options.thin == 0 || answer_ms <= 0) {
        usage(stderr);
        exit(2);
    }
    h->options.build = argv[optind];
    h->options.matrices = argv[optind + 1];
    for (size_t i = 0; i < PARTS; i++)
        wanted[i] = (wanted[i] || !some) && !left_out[i];
}

int main(int argc, char **argv)
{
    struct hostile *h = &hostile;
    bool wanted[PARTS] = {false};

    read_options(h, argc, argv, wanted);
    prepare(h);
    passive_claim(h);
    for (size_t i = 0; i < PARTS; i++) {
        if (parts[i].check != NULL)
            parts[i].check(h);
    }
    if (geteuid() != 0)
        printf("skipped: an ordinary user cannot count the monitor's descriptors; its table is "
               "looked at instead\n");
    h->user_key = key_make(h->user_blob, &h->user_blob_len);
    EVP_PKEY *other = key_make(h->other_key, &h->other_key_len);
    run(h, wanted);
    EVP_PKEY_free(other);
    EVP_PKEY_free(h->user_key);
    EVP_PKEY_free(h->tls_key);
    close(h->listener);
    printf("%lu cases, %lu unexpected\n", h->cases, h->unexpected);
    for (size_t i = 0; i < h->unexpected && i < TOLD_MOST; i++)
        printf("again: %s\n", h->told[i]);
    return h->unexpected > 0 ? 1 : 0;
}
