/* Passwords, as they come in: from a pipe, from a terminal without echo, or made here. They live in
 * struct secret alone: no buffered stream ever sees one on its way in. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <termios.h>
#include <unistd.h>

#include "common/password_rules.h"
#include "monitor/command/command.h"

#define GENERATED_LENGTH 20
#define CANCEL           3 /* Ctrl-C, as a character */

/* One line, without its end. Returns 0, or -1 with errno: EMSGSIZE, EINTR (cancelled), ENODATA (the
 * end of input, nothing before it). */
static int read_secret_line(int fd, struct secret *line)
{
    bool over = false;
    int r = -1;
    uint8_t c;

    secret_clear(line);
    for (;;) {
        const ssize_t n = read(fd, &c, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            goto out;
        if (n == 0 && line->len == 0 && !over) {
            errno = ENODATA;
            goto out;
        }
        if (n == 0 || c == '\n')
            break;
        if (c == CANCEL) {
            errno = EINTR;
            goto out;
        }
        if (line->len == PASSWORD_MOST_BYTES)
            over = true;
        else
            line->bytes[line->len++] = c;
    }
    errno = EMSGSIZE;
    r = over ? -1 : 0;
out:
    explicit_bzero(&c, sizeof(c));
    if (r < 0)
        secret_clear(line);
    return r;
}

/* May this be a password? Tells why not. */
static int check_password(const struct secret *password)
{
    if (password->len == 0) {
        tell("the password is empty");
        return -1;
    }
    for (size_t i = 0; i < password->len; i++) {
        if (iscntrl(password->bytes[i])) {
            tell("the password holds a control character (0x%02x): no client could send it",
                 (unsigned)password->bytes[i]);
            return -1;
        }
    }
    return 0;
}

static void tell_reading(void)
{
    if (errno == EMSGSIZE)
        tell("the password is too long: %d bytes are the most", PASSWORD_MOST_BYTES);
    else if (errno == ENODATA)
        tell("no password came");
    else
        tell("the password cannot be read: %s", errno == EINTR ? "cancelled" : strerror(errno));
}

int password_from_stdin(struct secret *password)
{
    int r = read_secret_line(STDIN_FILENO, password);

    if (r < 0)
        tell_reading();
    else
        r = check_password(password);
    if (r < 0)
        secret_clear(password);
    return r;
}

/* ---- the terminal ------------------------------------------------------------------------- */

static int write_text(int fd, const char *text)
{
    return write(fd, text, strlen(text)) < 0 ? -1 : 0;
}

/* Ask without echo. Keys that would send signals are read as characters, and signals from elsewhere
 * wait: the terminal always gets its echo back. */
static int ask_secret(int terminal, const char *prompt, struct secret *line)
{
    struct termios before, quiet;
    sigset_t all, mask;
    int r = -1;

    if (write_text(terminal, prompt) < 0 || tcgetattr(terminal, &before) < 0)
        return -1;
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ISIG);
    quiet.c_cc[VEOL] = CANCEL; /* it ends the line as Return does, so that it is read at once */
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &mask);
    if (tcsetattr(terminal, TCSAFLUSH, &quiet) == 0) {
        r = read_secret_line(terminal, line);
        const int saved = errno;
        if (tcsetattr(terminal, TCSAFLUSH, &before) < 0 || write_text(terminal, "\n") < 0)
            tell("the terminal could not be set back: `stty echo` does");
        errno = saved;
    }
    const int saved = errno;
    sigprocmask(SIG_SETMASK, &mask, NULL);
    errno = saved;
    return r;
}

static int open_terminal(void)
{
    return open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
}

int password_from_terminal(const char *account, struct secret *password)
{
    struct secret again = {0};
    char prompt[256], name[128];
    const int terminal = open_terminal();
    int r = -1;

    if (terminal < 0) {
        tell("there is no terminal to ask for a password: --password-stdin reads it from a pipe");
        return -1;
    }
    snprintf(prompt, sizeof(prompt),
             "New password for %s: ", cleaned(slice_text(account), name, sizeof(name)));
    if (ask_secret(terminal, prompt, password) < 0) {
        tell_reading();
        goto out;
    }
    if (check_password(password) < 0)
        goto out;
    if (ask_secret(terminal, "Once more: ", &again) < 0) {
        tell_reading();
        goto out;
    }
    if (slice_equal(secret_slice(password), secret_slice(&again)))
        r = 0;
    else
        tell("the two differ; nothing was changed");
out:
    secret_clear(&again);
    if (r < 0)
        secret_clear(password);
    close(terminal);
    return r;
}

int confirm(const char *question)
{
    char answer[16] = "", text[1024];
    const int terminal = open_terminal();
    ssize_t n = -1;

    if (terminal < 0)
        return -1;
    if (write_text(terminal, cleaned(slice_text(question), text, sizeof(text))) == 0 &&
        write_text(terminal, " [y/N] ") == 0)
        n = read(terminal, answer, sizeof(answer) - 1);
    close(terminal);
    return n > 0 && (answer[0] == 'y' || answer[0] == 'Y');
}

/* ---- made here ---------------------------------------------------------------------------- */

int password_generate(struct secret *password)
{
    /* Without i l o, I L O, 0 and 1: nobody has to guess what they read. */
    static const char letters[] = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ23456789";
    const size_t count = sizeof(letters) - 1;
    uint8_t byte;

    secret_clear(password);
    while (password->len < GENERATED_LENGTH) {
        if (getrandom(&byte, 1, 0) != 1) {
            tell("no random numbers: %s", strerror(errno));
            secret_clear(password);
            return -1;
        }
        /* The bytes above the last whole multiple would make some letters likelier. */
        if (byte < 256 - 256 % count)
            password->bytes[password->len++] = (uint8_t)letters[byte % count];
    }
    explicit_bzero(&byte, sizeof(byte));
    return 0;
}
