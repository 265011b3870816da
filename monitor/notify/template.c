/* Fills templates with facts. Called by templates.c for one notice at a time. The template is the
 * house's or the operator's; the facts hold names and texts that clients chose: each character of
 * them is looked at, and none of them can end a line. */
#include "monitor/notify/template.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/utf8.h"

#define NAME_MAX_BYTES 32
#define DEPTH_MOST     4

/* Facts by name: those of the item of a list before those around it. */
struct scope {
    json_t *facts;
    const struct scope *outer;
};

struct tag {
    char kind; /* '#', '/', or a NUL for a name alone */
    char name[NAME_MAX_BYTES + 1];
};

struct rendering {
    struct slice source;
    size_t at;
    unsigned depth, skipping; /* sections around; of them those that are left out */
    struct draft *out;
    char *why;
};

static int __attribute__((format(printf, 2, 3))) fail(struct rendering *r, const char *format, ...)
{
    va_list arguments;
    unsigned line = 1;
    char what[TEMPLATE_TROUBLE - 32];

    for (size_t i = 0; i < r->at && i < r->source.len; i++)
        line += r->source.data[i] == '\n';
    va_start(arguments, format);
    vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    snprintf(r->why, TEMPLATE_TROUBLE, "line %u: %s", line, what);
    return -1;
}

static json_t *find(const struct scope *scope, const char *name)
{
    json_t *value = NULL;

    for (; scope != NULL && value == NULL; scope = scope->outer)
        value = json_object_get(scope->facts, name);
    return value;
}

/* A fact, as it may stand in a line. */
static void put_text(struct draft *out, struct slice text)
{
    uint32_t code;

    while (text.len > 0) {
        const struct slice c = utf8_take(&text, &code);
        draft_add(out, utf8_deceives(code) ? slice_text(" ") : c);
    }
}

static int put_value(struct rendering *r, const json_t *value, const char *name)
{
    if (json_is_string(value))
        put_text(r->out, slice_of(json_string_value(value), json_string_length(value)));
    else if (json_is_integer(value))
        draft_print(r->out, "%lld", (long long)json_integer_value(value));
    else
        return fail(r, value == NULL ? "there is no {{%s}} here" : "{{%s}} is no text", name);
    return 0;
}

/* Is there a tag of a section alone on its line? Then the line goes with it. */
static void skip_line_end(struct rendering *r, size_t start)
{
    const struct slice s = r->source;

    if ((start == 0 || s.data[start - 1] == '\n') && r->at < s.len && s.data[r->at] == '\n')
        r->at++;
}

/* The tag that begins at the place; the place moves behind it. */
static int take_tag(struct rendering *r, struct tag *tag)
{
    const size_t start = r->at;
    const uint8_t *from = r->source.data + start + 2;
    const size_t left = r->source.len - start - 2;
    const uint8_t *end = memmem(from, left, "}}", 2);
    size_t len = end != NULL ? (size_t)(end - from) : 0;

    *tag = (struct tag){0};
    if (len > 0 && (from[0] == '#' || from[0] == '/')) {
        tag->kind = (char)from[0];
        from++;
        len--;
    }
    if (len == 0 || len > NAME_MAX_BYTES)
        return fail(r, "{{ without a name and }}");
    for (size_t i = 0; i < len; i++) {
        if ((from[i] < 'a' || from[i] > 'z') && from[i] != '_')
            return fail(r, "{{ with more than a name of small letters before its }}");
        tag->name[i] = (char)from[i];
    }
    r->at = (size_t)(from + len + 2 - r->source.data);
    if (tag->kind != '\0')
        skip_line_end(r, start);
    return 0;
}

static int render(struct rendering *r, const struct scope *scope, const char *closes);

/* The section's inside once, from the place; skipped: only to find its end. */
static int render_once(struct rendering *r, const struct scope *scope, const char *name,
                       bool skipped)
{
    r->depth++;
    r->skipping += skipped;
    const int result = render(r, scope, name);
    r->skipping -= skipped;
    r->depth--;
    return result;
}

static int render_section(struct rendering *r, const struct scope *scope, const char *name)
{
    json_t *value = r->skipping > 0 ? NULL : find(scope, name);
    const size_t start = r->at;

    if (r->depth == DEPTH_MOST)
        return fail(r, "too many sections in one another");
    if (json_array_size(value) == 0)
        return render_once(r, scope, name,
                           !(json_is_string(value) && json_string_length(value) > 0));
    for (size_t i = 0; i < json_array_size(value); i++) {
        const struct scope inner = {.facts = json_array_get(value, i), .outer = scope};
        r->at = start;
        if (!json_is_object(inner.facts))
            return fail(r, "{{#%s}} is no list of facts", name);
        if (render_once(r, &inner, name, false) < 0)
            return -1;
    }
    return 0;
}

/* From the place to the end, or to the end of the section that is open. */
static int render(struct rendering *r, const struct scope *scope, const char *closes)
{
    const struct slice s = r->source;
    struct tag tag;

    for (;;) {
        const uint8_t *next = r->at < s.len ? memmem(s.data + r->at, s.len - r->at, "{{", 2) : NULL;
        const size_t until = next != NULL ? (size_t)(next - s.data) : s.len;
        if (r->skipping == 0 && until > r->at)
            draft_add(r->out, slice_of(s.data + r->at, until - r->at));
        r->at = until;
        if (next == NULL)
            return closes == NULL ? 0 : fail(r, "{{#%s}} without its {{/%s}}", closes, closes);
        if (take_tag(r, &tag) < 0)
            return -1;
        if (tag.kind == '/')
            return closes != NULL && strcmp(closes, tag.name) == 0
                       ? 0
                       : fail(r, "{{/%s}} ends no section that is open", tag.name);
        if (tag.kind == '#' ? render_section(r, scope, tag.name) < 0
                            : r->skipping == 0 && put_value(r, find(scope, tag.name), tag.name) < 0)
            return -1;
    }
}

int template_render(struct slice source, json_t *facts, struct draft *subject, struct draft *body,
                    char why[TEMPLATE_TROUBLE])
{
    static const char title[] = "Subject: ";
    const size_t n = sizeof(title) - 1;
    const struct scope scope = {.facts = facts};
    const uint8_t *end = source.len > 0 ? memchr(source.data, '\n', source.len) : NULL;
    struct rendering r = {.out = subject, .why = why};

    if (end == NULL || source.len < n || memcmp(source.data, title, n) != 0) {
        snprintf(why, TEMPLATE_TROUBLE, "line 1: does not begin with %s", title);
        return -1;
    }
    r.source = slice_of(source.data, (size_t)(end - source.data));
    r.at = n;
    if (render(&r, &scope, NULL) < 0)
        return -1;
    r.source = source;
    r.at = (size_t)(end + 1 - source.data);
    if (r.at < source.len && source.data[r.at] == '\n')
        r.at++;
    r.out = body;
    if (render(&r, &scope, NULL) < 0)
        return -1;
    if (subject->bad || body->bad)
        return fail(&r, "no memory, or too long a message");
    return 0;
}
