/* `make hostile`: starts a real server whose workers are compromised, asks of its monitor and its
 * agents everything that they must not give, and counts what did not go as expected. Called by the
 * Makefile and scripts/check; needs no root, and does more with it. Exit status: 0 nothing
 * unexpected, 1 something was, 2 it could not run. */
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

#include "common/sshwire.h"
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
        server_remove(h);
    exit(status);
}

bool expect(struct hostile *h, bool held, const char *format, ...)
{
    va_list arguments;

    h->cases++;
    if (held)
        return true;
    h->unexpected++;
    va_start(arguments, format);
    printf("unexpected: ");
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
    fflush(stdout);
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
    fprintf(out, "usage: hostile [-cek] [-f COUNT] [-m MESSAGE] [-n COUNT] [-p PART] [-t N] [-w "
                 "SECONDS] BUILD MATRIX\n"
                 "  -c        leave no folder, even when something was unexpected\n"
                 "  -e        end with the first that is unexpected\n"
                 "  -f COUNT  messages of a flood (100000)\n"
                 "  -m NAME   of matrix and counts only this message's rows\n"
                 "  -n COUNT  sessions of the endurance run (1000)\n"
                 "  -t N      only every Nth byte to cut at (1)\n"
                 "  -p PART   only matrix, counts, fields, across, liveness or endurance; several "
                 "with commas\n"
                 "  -w N      wait at most so many seconds for an answer (20)\n"
                 "  -k        keep the server's folder\n");
}

static const struct {
    const char *name;
    void (*run)(struct hostile *h);
} parts[] = {
    {"matrix", matrix_run}, {"counts", counts_run},     {"fields", fields_run},
    {"across", across_run}, {"liveness", liveness_run}, {"endurance", endurance_run},
};

/* What must hold of the server after all parts. */
static void judge_log(struct hostile *h)
{
    static const char *const reports[] = {"AddressSanitizer", "runtime error:", "SUMMARY: "};
    char log[128], audit[128];

    snprintf(log, sizeof(log), "%s/log", h->place);
    snprintf(audit, sizeof(audit), "%s/state/audit.log", h->place);
    for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++)
        expect(h, file_count(log, reports[i]) == 0, "the log holds \"%s\"", reports[i]);
    const unsigned long logged = file_count(log, ": security: "),
                        told = file_count(audit, "\"event\":\"security\"");
    expect(h, logged == h->security, "%lu security events in the log, %lu expected", logged,
           h->security);
    expect(h, told == h->security, "%lu security events in the audit log, %lu expected", told,
           h->security);
    FILE *f = fopen(log, "re");
    unsigned long control = 0;
    for (int c = f != NULL ? getc(f) : EOF; c != EOF; c = getc(f))
        control += (c < ' ' && c != '\n') || c == 127;
    if (f != NULL)
        fclose(f);
    expect(h, f != NULL && control == 0, "%lu control characters in the log", control);
}

static void run(struct hostile *h, const char *part)
{
    h->user_key = key_make(h->user_blob, &h->user_blob_len);
    EVP_PKEY *other = key_make(h->other_key, &h->other_key_len);
    server_start(h);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (part != NULL && !name_list_has(slice_text(part), slice_text(parts[i].name)))
            continue;
        const int64_t began = clock_now_ms();
        const unsigned long cases = h->cases, bad = h->unexpected;
        parts[i].run(h);
        printf("%-10s %lu cases, %lu unexpected (%lld ms)\n", parts[i].name, h->cases - cases,
               h->unexpected - bad, (long long)(clock_now_ms() - began));
        fflush(stdout);
    }
    server_stop(h);
    judge_log(h);
    EVP_PKEY_free(other);
    EVP_PKEY_free(h->user_key);
}

/* Descriptors for some hundred workers at the same time. */
static void prepare(void)
{
    struct rlimit files;

    signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        give_up("getrlimit");
    files.rlim_cur = files.rlim_max < 8192 ? files.rlim_max : 8192;
    if (setrlimit(RLIMIT_NOFILE, &files) < 0)
        give_up("setrlimit");
}

int main(int argc, char **argv)
{
    struct hostile *h = &hostile;
    const char *part = NULL;
    int option;

    h->options = (struct options){.flood = 100000, .sessions = 1000, .thin = 1};
    while ((option = getopt(argc, argv, "cef:n:m:t:p:w:kh")) != -1) {
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
            part = optarg;
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
            return option == 'h' ? 0 : 2;
        }
    }
    if (argc - optind != 2 || h->options.thin == 0 || answer_ms <= 0) {
        usage(stderr);
        return 2;
    }
    h->options.build = argv[optind];
    h->options.matrix = argv[optind + 1];
    prepare();
    matrix_check(h);
    run(h, part);
    if (h->unexpected > 0 && !h->options.clean)
        h->options.keep = true;
    server_remove(h);
    if (h->options.keep)
        printf("the server's folder: %s\n", h->place);
    printf("%lu cases, %lu unexpected\n", h->cases, h->unexpected);
    return h->unexpected > 0 ? 1 : 0;
}
