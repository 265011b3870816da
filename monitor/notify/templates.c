/* Which text stands for a kind of notice: the operator's, where there is one that is good, else the
 * one that was built in. The operator's is read anew for each notice, so that a change is in force
 * at once. A text that is broken must never keep a notice from being sent. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/utf8.h"
#include "monitor/notify/template.h"

static const struct {
    const char *kind, *text;
} built_in[] = {
#define TEMPLATE(kind, text) {kind, text},
#include "templates.inc"
#undef TEMPLATE
};

static const char *find_built_in(const char *kind)
{
    for (size_t i = 0; i < sizeof(built_in) / sizeof(built_in[0]); i++) {
        if (strcmp(built_in[i].kind, kind) == 0)
            return built_in[i].text;
    }
    return NULL;
}

/* Lines end with a line feed alone, and all is visible. NULL, or what is wrong. */
static const char *tidy(struct draft *text)
{
    size_t len = 0;
    uint32_t code;

    for (size_t i = 0; i < text->len; i++) {
        if (text->data[i] != '\r' || (i + 1 < text->len && text->data[i + 1] != '\n'))
            text->data[len++] = text->data[i];
    }
    text->len = len;
    for (struct slice rest = draft_slice(text); rest.len > 0;) {
        utf8_take(&rest, &code);
        if (code == UTF8_NONE)
            return "it is not in UTF-8";
        if (utf8_deceives(code) && code != '\n' && code != '\t')
            return "it has a character that cannot be seen";
    }
    return NULL;
}

static const char *read_all(int fd, struct draft *text)
{
    char bytes[4096];
    ssize_t n;

    while ((n = read(fd, bytes, sizeof(bytes))) > 0 && text->len <= TEMPLATE_MOST)
        draft_add(text, slice_of(bytes, (size_t)n));
    if (n < 0)
        return strerror(errno);
    return text->bad || text->len > TEMPLATE_MOST ? "it is too long" : tidy(text);
}

/* The operator's text. Returns 1, 0 there is none, -1 it cannot be used, and why. */
static int read_own(const char *folder, const char *kind, struct draft *text,
                    char why[TEMPLATE_TROUBLE])
{
    char path[4096 + TEMPLATE_KIND_MAX + 8];
    const char *wrong = NULL;
    struct stat st;

    snprintf(path, sizeof(path), "%s/%s.txt", folder, kind);
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 || fstat(fd, &st) < 0)
        wrong = strerror(errno);
    else if (!S_ISREG(st.st_mode))
        wrong = "it is not a regular file";
    else
        wrong = read_all(fd, text);
    if (fd >= 0)
        close(fd);
    if (wrong != NULL)
        snprintf(why, TEMPLATE_TROUBLE, "%s", wrong);
    return wrong != NULL ? -1 : 1;
}

/* Only names of files that are no way to others. */
static bool is_kind(const char *kind)
{
    const size_t len = strlen(kind);

    return len > 0 && len <= TEMPLATE_KIND_MAX &&
           strspn(kind, "abcdefghijklmnopqrstuvwxyz-") == len;
}

/* All that a notice of any kind says. */
static const char example[] = "{\"account\": \"alice\", \"token\": \"TOKEN\", \"expires\": 0, "
                              "\"email\": \"alice@example.org\", "
                              "\"address\": \"192.0.2.1\", \"changes\": [{\"what\": \"a key\", "
                              "\"when\": 0, \"address\": \"\"}]}";

/* NULL, or what is wrong; why is where it may be written. */
static const char *check_one(const char *folder, const char *file, char why[TEMPLATE_TROUBLE])
{
    struct draft text = {0}, subject = {0}, body = {0};
    char kind[TEMPLATE_KIND_MAX + 1] = "";
    const size_t len = strlen(file) - strlen(".txt");
    json_t *facts = facts_read(slice_text(example), "https://localhost", "Example");
    const char *wrong = "no notice has that name";

    if (facts == NULL)
        wrong = strerror(ENOMEM);
    else if (slice_copy(slice_of(file, len), kind, sizeof(kind)) == 0 && is_kind(kind) &&
             find_built_in(kind) != NULL)
        wrong = read_own(folder, kind, &text, why) > 0 &&
                        template_render(draft_slice(&text), facts, &subject, &body, why) == 0
                    ? NULL
                    : why;
    json_decref(facts);
    draft_clear(&text);
    draft_clear(&subject);
    draft_clear(&body);
    return wrong;
}

int templates_check(const char *folder,
                    void (*tell)(void *context, const char *file, const char *why), void *context)
{
    DIR *dir = opendir(folder);
    char why[TEMPLATE_TROUBLE];

    if (dir == NULL)
        return -1;
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        const char *dot = strrchr(entry->d_name, '.');
        why[0] = '\0';
        if (dot != NULL && dot != entry->d_name && strcmp(dot, ".txt") == 0)
            tell(context, entry->d_name, check_one(folder, entry->d_name, why));
    }
    closedir(dir);
    return 0;
}

int templates_render(const char *folder, const char *kind, json_t *facts, struct draft *subject,
                     struct draft *body, char why[TEMPLATE_TROUBLE])
{
    const char *own = is_kind(kind) ? find_built_in(kind) : NULL;
    struct draft text = {0};
    int r = 0;

    if (own == NULL) {
        snprintf(why, TEMPLATE_TROUBLE, "there is no such kind of notice");
        return -1;
    }
    if (folder[0] != '\0') {
        r = read_own(folder, kind, &text, why);
        if (r > 0 && template_render(draft_slice(&text), facts, subject, body, why) < 0)
            r = -1;
        if (r < 0) {
            log_error("mail.templates: %s/%s.txt cannot be used, the text that was built in is: %s",
                      folder, kind, why);
            draft_clear(subject);
            draft_clear(body);
        }
        draft_clear(&text);
    }
    return r > 0 ? 0 : template_render(slice_text(own), facts, subject, body, why);
}
