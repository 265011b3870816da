/* The rules for names, homes, addresses and keys, as one table of field and rule. Called before any
 * change of an account; must stay free of state, so that a refusal can never leave anything half
 * done. */
#include "monitor/store/validate.h"

#include <stdbool.h>

#include "common/facts.h"
#include "common/operations.h"
#include "common/sshwire.h"
#include "common/utf8.h"

enum text_fault { TEXT_GOOD, TEXT_NOT_UTF8, TEXT_CONTROL, TEXT_FORBIDDEN };

/* Look at every character; forbidden: ASCII characters that may not stand in it. */
static enum text_fault text_check(struct slice text, const char *forbidden)
{
    uint32_t code;

    for (size_t n; text.len > 0; text = slice_of(text.data + n, text.len - n)) {
        n = utf8_sequence(text, &code);
        if (n == 0)
            return TEXT_NOT_UTF8;
        if (utf8_deceives(code))
            return TEXT_CONTROL;
        if (n == 1 && strchr(forbidden, (int)code) != NULL)
            return TEXT_FORBIDDEN;
    }
    return TEXT_GOOD;
}

const char *validate_name(struct slice name)
{
    if (name.len == 0)
        return "an account's name must not be empty";
    if (name.len > ACCOUNT_NAME_MAX)
        return "an account's name has at most 64 bytes";
    switch (text_check(name, "/:\\")) {
    case TEXT_NOT_UTF8:
        return "an account's name must be UTF-8";
    case TEXT_CONTROL:
        return "an account's name must not hold control characters";
    case TEXT_FORBIDDEN:
        return "an account's name must not hold any of / : \\";
    case TEXT_GOOD:
        break;
    }
    if (name.data[0] == '-' || name.data[0] == '.')
        return "an account's name must not begin with - or .";
    if (name.data[0] == ' ' || name.data[name.len - 1] == ' ')
        return "an account's name must not begin or end with a blank";
    return NULL;
}

const char *validate_folder(struct slice name, struct slice path)
{
    if (name.len == 0 || name.len > FOLDER_NAME_MAX)
        return "the name of a folder set has 1 to 255 bytes";
    switch (text_check(name, "/:\\")) {
    case TEXT_NOT_UTF8:
        return "the name of a folder set must be UTF-8";
    case TEXT_CONTROL:
        return "the name of a folder set must not hold control characters";
    case TEXT_FORBIDDEN:
        return "the name of a folder set is one name, not a path: it must not hold any of / : \\";
    case TEXT_GOOD:
        break;
    }
    /* ".", "..", the trash and the temporaries of uploads begin with a dot */
    if (name.data[0] == '-' || name.data[0] == '.')
        return "the name of a folder set must not begin with - or .";
    if (name.data[0] == ' ' || name.data[name.len - 1] == ' ')
        return "the name of a folder set must not begin or end with a blank";
    if (path.len == 0 || path.data[0] != '/')
        return "the path of a folder set is absolute: it begins with /";
    if (path.len == 1)
        return "the whole file system is no folder set";
    return NULL;
}

const char *validate_grant(uint32_t rights)
{
    if ((rights & ~(uint32_t)RIGHTS_ALL) != 0)
        return "unknown right";
    return rights == 0 ? "no rights: an account that is to have none does not have the folder set"
                       : NULL;
}

const char *validate_email(struct slice email)
{
    if (email.len == 0)
        return NULL;
    if (email.len > 254)
        return "an e-mail address has at most 254 bytes";
    switch (text_check(email, " <>,;:()[]\"\\")) {
    case TEXT_NOT_UTF8:
        return "an e-mail address must be UTF-8";
    case TEXT_CONTROL:
        return "an e-mail address must not hold control characters";
    case TEXT_FORBIDDEN:
        return "an e-mail address must not hold blanks nor any of < > , ; : ( ) [ ] \" \\: only "
               "one "
               "address, without a name";
    case TEXT_GOOD:
        break;
    }
    const uint8_t *at = memchr(email.data, '@', email.len);
    const size_t name = at == NULL ? 0 : (size_t)(at - email.data), rest = email.len - name;
    if (name == 0 || rest < 2 || memchr(at + 1, '@', rest - 1) != NULL)
        return "an e-mail address has one @, with something before and behind it";
    return email.data[0] == '-' ? "an e-mail address must not begin with -" : NULL;
}

static const char *check_email(const struct user_set *a)
{
    return validate_email(a->email);
}

static const char *check_home(const struct user_set *a)
{
    return a->home.len == 0 || a->home.data[0] != '/'
               ? "a home is an absolute path: it begins with /"
               : NULL;
}

static const char *check_status(const struct user_set *a)
{
    return a->status > ACCOUNT_DISABLED ? "an account is enabled (0) or disabled (1)" : NULL;
}

static const char *check_expires(const struct user_set *a)
{
    return a->expires < 0 ? "the time of expiry lies before 1970; 0 is never" : NULL;
}

const char *validate_password(const struct user_set *a)
{
    if (a->password.len > 0 && a->password.data[0] != '$')
        return "a password is stored as a hash: crypt(5), beginning with $";
    for (size_t i = 0; i < a->password.len; i++) {
        if (a->password.data[i] <= ' ' || a->password.data[i] >= 0x7f || a->password.data[i] == ':')
            return "a password hash holds a character that crypt(5) does not allow";
    }
    return NULL;
}

static const char *check_rights(const struct user_set *a)
{
    return (a->rights & ~(uint32_t)RIGHTS_ALL) != 0 ? "unknown right" : NULL;
}

static const char *check_flags(const struct user_set *a)
{
    return (a->flags &
            ~(uint32_t)(ACCOUNT_DURABLE | ACCOUNT_ATOMIC | ACCOUNT_BOTH | ACCOUNT_DATA_FRESH |
                        ACCOUNT_LAX_CLOSE | ACCOUNT_TRASH | ACCOUNT_CODES)) != 0
               ? "unknown flag"
               : NULL;
}

static const char *check_bandwidth(const struct user_set *a)
{
    return a->bandwidth > INT64_MAX ? "the bandwidth is too large" : NULL;
}

static const struct {
    uint32_t field;
    const char *(*check)(const struct user_set *account);
} rules[] = {
    {ACCOUNT_SET_EMAIL, check_email},          {ACCOUNT_SET_HOME, check_home},
    {ACCOUNT_SET_STATUS, check_status},        {ACCOUNT_SET_EXPIRES, check_expires},
    {ACCOUNT_SET_PASSWORD, validate_password}, {ACCOUNT_SET_RIGHTS, check_rights},
    {ACCOUNT_SET_FLAGS, check_flags},          {ACCOUNT_SET_BANDWIDTH, check_bandwidth},
};

const char *validate_account(uint32_t fields, const struct user_set *account)
{
    const char *trouble = validate_name(account->name);

    if ((fields & ~ACCOUNT_SET_ALL) != 0)
        return "unknown field";
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]) && trouble == NULL; i++) {
        if ((fields & rules[i].field) != 0)
            trouble = rules[i].check(account);
    }
    return trouble;
}

const char *validate_key(struct slice blob)
{
    static const char text[] = "this is no SSH public key";
    struct wire w = wire_of(blob);
    const struct slice type = wire_string(&w);

    if (w.bad || type.len == 0 || type.len > 64 || wire_done(&w))
        return text;
    for (size_t i = 0; i < type.len; i++) {
        if (type.data[i] <= ' ' || type.data[i] >= 0x7f)
            return text;
    }
    return NULL;
}

const char *validate_comment(struct slice comment)
{
    switch (text_check(comment, "")) {
    case TEXT_NOT_UTF8:
        return "a key's comment must be UTF-8";
    case TEXT_CONTROL:
        return "a key's comment must not hold control characters";
    default:
        return NULL;
    }
}
