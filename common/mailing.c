/* Addresses, commands and bases of links: looked at, never mended. Called by the configuration's
 * reader and by sallyport-notify. What is not plainly good here is refused; nothing is ever
 * guessed, for a header field and a command line are made of these texts. */
#include "common/mailing.h"

#include <string.h>

static bool is_letter_or_digit(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* RFC 5322, 3.2.3: atext. */
static bool is_atext(uint8_t c)
{
    return is_letter_or_digit(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Parts of atext with a dot between two. One that begins like an option is none that a command
 * ought to see. */
static bool is_dot_atom(struct slice text)
{
    if (text.len == 0 || text.len > 64 || text.data[0] == '-')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        const bool edge = i == 0 || i + 1 == text.len || text.data[i - 1] == '.';
        if (text.data[i] == '.' ? edge : !is_atext(text.data[i]))
            return false;
    }
    return true;
}

/* Labels of letters, digits and hyphens (RFC 5321, 4.1.2). */
static bool is_domain(struct slice text)
{
    size_t label = 0;

    if (text.len == 0 || text.data[text.len - 1] == '-')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.data[i];
        if (c == '.' ? label == 0 || text.data[i - 1] == '-'
                     : !(is_letter_or_digit(c) || (c == '-' && label > 0)) || label >= 63)
            return false;
        label = c == '.' ? 0 : label + 1;
    }
    return label > 0;
}

bool mail_address_is_good(struct slice address)
{
    const uint8_t *at = address.len > 0 ? memchr(address.data, '@', address.len) : NULL;

    if (at == NULL || address.len > MAIL_ADDRESS_MAX)
        return false;
    const size_t local = (size_t)(at - address.data);
    return is_dot_atom(slice_of(address.data, local)) &&
           is_domain(slice_of(at + 1, address.len - local - 1));
}

/* Take one word from *from, which is not blank, and write it with its NUL to *to. The text that is
 * written never overtakes the one that is read. */
static const char *take_word(const char **from, char **to)
{
    bool quoted = false;

    for (; **from != '\0' && (quoted || (**from != ' ' && **from != '\t')); (*from)++) {
        if (**from == '"') {
            quoted = !quoted;
            continue;
        }
        if (**from == '\\' && ((*from)[1] == '"' || (*from)[1] == '\\'))
            (*from)++;
        *(*to)++ = **from;
    }
    if (quoted)
        return "has a \" without its other";
    if (**from != '\0')
        (*from)++;
    *(*to)++ = '\0';
    return NULL;
}

const char *command_line_split(struct slice text, struct command_line *command)
{
    char raw[COMMAND_MAX + 1];
    const char *from = raw, *why = NULL;
    char *to = command->text;

    command->count = 0;
    if (slice_copy(text, raw, sizeof(raw)) < 0)
        return "is too long";
    for (const char *at = raw; *at != '\0'; at++) {
        if (((unsigned char)*at < 0x20 && *at != '\t') || *at == 0x7f)
            return "has a control character";
    }
    for (from += strspn(from, " \t"); *from != '\0' && why == NULL; from += strspn(from, " \t")) {
        if (command->count == COMMAND_WORDS_MAX)
            return "has too many words";
        command->words[command->count++] = to;
        why = take_word(&from, &to);
    }
    command->words[command->count] = NULL;
    if (why == NULL && (command->count == 0 || command->words[0][0] != '/'))
        why = "does not begin with the absolute path of a program";
    return why;
}

const char *mail_base_trouble(struct slice base)
{
    static const char scheme[] = "https://";
    const size_t n = sizeof(scheme) - 1;

    if (base.len <= n || memcmp(base.data, scheme, n) != 0 || base.data[n] == '/' ||
        base.data[n] == ':')
        return "does not begin with https:// and a name";
    for (size_t i = n; i < base.len; i++) {
        if (!is_letter_or_digit(base.data[i]) &&
            (base.data[i] == '\0' || strchr("-._~:/[]%", base.data[i]) == NULL))
            return "has a character that is not part of such an address";
    }
    return base.data[base.len - 1] == '/' ? "ends with a slash" : NULL;
}
