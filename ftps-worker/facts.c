/* Facts and times as text. Called by MLST, MLSD, MDTM, MFMT and MFF; formats only. */
#include "ftps-worker/facts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "common/calendar.h"
#include "common/facts.h"
#include "common/operations.h"

/* A line being written. The widths of numbers keep it below FACTS_MAX. */
struct line {
    char *text;
    size_t len;
    const struct attributes *a;
    const struct facts_of *of;
};

static void put(struct line *l, const char *text)
{
    const size_t n = strlen(text);

    memcpy(l->text + l->len, text, n);
    l->len += n;
}

static void put_number(struct line *l, uint64_t number)
{
    char digits[20];
    size_t at = sizeof(digits);

    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    memcpy(l->text + l->len, digits + at, sizeof(digits) - at);
    l->len += sizeof(digits) - at;
}

/* A target stands in a fact only if nothing in it would end the fact (RFC 3659, 7.2). */
static bool fits_a_fact(struct slice target)
{
    for (size_t i = 0; i < target.len; i++) {
        if (target.data[i] <= ' ' || target.data[i] == ';' || target.data[i] == 0x7f)
            return false;
    }
    return target.len > 0;
}

static void put_type(struct line *l)
{
    const struct facts_of *of = l->of;

    if (S_ISDIR(l->a->mode)) {
        put(l, of->listed && slice_is(of->name, ".")    ? "cdir"
               : of->listed && slice_is(of->name, "..") ? "pdir"
                                                        : "dir");
    } else if (S_ISREG(l->a->mode)) {
        put(l, "file");
    } else if (S_ISLNK(l->a->mode)) {
        put(l, "OS.unix=slink");
        if (fits_a_fact(of->target)) {
            put(l, ":");
            memcpy(l->text + l->len, of->target.data, of->target.len);
            l->len += of->target.len;
        }
    } else {
        put(l, "OS.unix=special");
    }
}

static void put_size(struct line *l)
{
    put_number(l, l->a->size);
}

static void put_modify(struct line *l)
{
    char text[TIME_TEXT];

    time_write(l->a->mtime_ns, text);
    put(l, text);
}

/* What rights and modes together allow (RFC 3659, 7.5.5: advice only). */
static void put_perm(struct line *l)
{
    static const struct {
        const char *letter;
        bool folder;
        unsigned access; /* of the modes */
        uint32_t right;  /* 0: none is needed */
    } letters[] = {
        {"c", true, ACCESS_WRITE, RIGHT_WRITE},      {"m", true, ACCESS_WRITE, RIGHT_MKDIR},
        {"p", true, ACCESS_WRITE, RIGHT_DELETE},     {"e", true, ACCESS_EXECUTE, 0},
        {"l", true, ACCESS_READ, RIGHT_LIST},        {"a", false, ACCESS_WRITE, RIGHT_OVERWRITE},
        {"w", false, ACCESS_WRITE, RIGHT_OVERWRITE}, {"r", false, ACCESS_READ, RIGHT_READ},
    };
    const struct attributes *a = l->a;
    const bool changes = (l->of->above & ACCESS_WRITE) != 0 && (a->access & ACCESS_FIXED) == 0;

    for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++) {
        if (S_ISDIR(a->mode) == letters[i].folder && (a->access & letters[i].access) != 0 &&
            (letters[i].right == 0 || (a->rights & letters[i].right) != 0))
            put(l, letters[i].letter);
    }
    if (changes && (a->rights & RIGHT_DELETE) != 0)
        put(l, "d");
    if (changes && (a->rights & RIGHT_RENAME) != 0)
        put(l, "f");
}

static void put_mode(struct line *l)
{
    char text[5] = {'0'};

    for (size_t i = 0; i < 3; i++)
        text[1 + i] = (char)('0' + (l->a->mode >> (6 - 3 * i) & 7));
    put(l, text);
}

static void put_owner(struct line *l)
{
    put_number(l, l->a->uid);
}

static void put_group(struct line *l)
{
    put_number(l, l->a->gid);
}

// clang-format off
static const struct {
    enum fact fact;
    const char *name;
    bool files_only;
    void (*put)(struct line *l);
} facts_table[] = {
    {FACT_TYPE,   "type",       false, put_type},
    {FACT_SIZE,   "size",       true,  put_size},
    {FACT_MODIFY, "modify",     false, put_modify},
    {FACT_PERM,   "perm",       false, put_perm},
    {FACT_MODE,   "UNIX.mode",  false, put_mode},
    {FACT_OWNER,  "UNIX.owner", false, put_owner},
    {FACT_GROUP,  "UNIX.group", false, put_group},
};
// clang-format on
#define FACT_COUNT (sizeof(facts_table) / sizeof(facts_table[0]))

size_t facts_write(char *text, uint32_t facts, const struct attributes *a,
                   const struct facts_of *of)
{
    struct line l = {.text = text, .a = a, .of = of};

    for (size_t i = 0; i < FACT_COUNT; i++) {
        if ((facts & facts_table[i].fact) == 0 || (facts_table[i].files_only && !S_ISREG(a->mode)))
            continue;
        put(&l, facts_table[i].name);
        put(&l, "=");
        facts_table[i].put(&l);
        put(&l, ";");
    }
    put(&l, " ");
    return l.len;
}

static size_t write_names(char *text, uint32_t facts, bool all)
{
    size_t len = 0;

    for (size_t i = 0; i < FACT_COUNT; i++) {
        const bool on = (facts & facts_table[i].fact) != 0;
        if (on || all)
            len += (size_t)snprintf(text + len, FACTS_MAX - len, "%s%s;", facts_table[i].name,
                                    on && all ? "*" : "");
    }
    return len;
}

size_t facts_feature(char *text, uint32_t facts)
{
    return write_names(text, facts, true);
}

size_t facts_names(char *text, uint32_t facts)
{
    return write_names(text, facts, false);
}

uint32_t facts_parse(struct slice names)
{
    uint32_t facts = 0;

    while (names.len > 0) {
        const uint8_t *end = memchr(names.data, ';', names.len);
        const size_t n = end != NULL ? (size_t)(end - names.data) : names.len;
        for (size_t i = 0; i < FACT_COUNT; i++) {
            if (strlen(facts_table[i].name) == n &&
                strncasecmp(facts_table[i].name, (const char *)names.data, n) == 0)
                facts |= facts_table[i].fact;
        }
        const size_t used = end != NULL ? n + 1 : n;
        names = slice_of(names.data + used, names.len - used);
    }
    return facts;
}

/* ---- times ---------------------------------------------------------------------------------- */

void time_write(int64_t ns, char text[TIME_TEXT])
{
    const struct calendar c = calendar_of(seconds_of(ns));
    const struct {
        uint32_t number;
        size_t digits;
    } parts[] = {{c.year, 4}, {c.month, 2}, {c.day, 2}, {c.hour, 2}, {c.minute, 2}, {c.second, 2}};
    size_t at = 0;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        uint32_t number = parts[i].number;
        for (size_t n = parts[i].digits; n > 0; n--, number /= 10)
            text[at + n - 1] = (char)('0' + number % 10);
        at += parts[i].digits;
    }
    text[at] = '\0';
}

static bool digits(struct slice text, size_t at, size_t n, uint32_t *number)
{
    *number = 0;
    for (size_t i = at; i < at + n; i++) {
        if (i >= text.len || text.data[i] < '0' || text.data[i] > '9')
            return false;
        *number = *number * 10 + (uint32_t)(text.data[i] - '0');
    }
    return true;
}

bool time_parse(struct slice text, int64_t *ns)
{
    struct calendar c;
    int64_t seconds, part = 0;

    if (!digits(text, 0, 4, &c.year) || !digits(text, 4, 2, &c.month) ||
        !digits(text, 6, 2, &c.day) || !digits(text, 8, 2, &c.hour) ||
        !digits(text, 10, 2, &c.minute) || !digits(text, 12, 2, &c.second) ||
        !calendar_seconds(&c, &seconds))
        return false;
    if (text.len > 14) {
        uint32_t digit;
        if (text.data[14] != '.' || text.len == 15)
            return false;
        int64_t unit = NANO / 10;
        for (size_t i = 15; i < text.len; i++, unit /= 10) {
            if (!digits(text, i, 1, &digit))
                return false;
            part += unit * digit;
        }
    }
    return !__builtin_mul_overflow(seconds, NANO, ns) && !__builtin_add_overflow(*ns, part, ns);
}
