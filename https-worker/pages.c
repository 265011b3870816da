/* The page's files, and the pages that work without scripts: the sign-in card and plain listings.
 * Pages are templates among those files, in which {{name}} stands for a text that is always
 * escaped.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "https-worker/accept.h"
#include "https-worker/media_type.h"
#include "https-worker/static.h"
#include "https-worker/worker.h"

#define ROW_MOST (8 * TARGET_PATH_MAX)

/* ---- templates ------------------------------------------------------------------------------ */

struct value {
    const char *name;
    struct slice text;
};

static void put_escaped(struct writer *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.data[i]) {
        case '&':
            writer_text(out, "&amp;");
            break;
        case '<':
            writer_text(out, "&lt;");
            break;
        case '>':
            writer_text(out, "&gt;");
            break;
        case '"':
            writer_text(out, "&quot;");
            break;
        case '\'':
            writer_text(out, "&#39;");
            break;
        default:
            writer_put(out, slice_of(text.data + i, 1));
        }
    }
}

/* Everything up to `stop` ("{{rows}}"), or all of it; what is left of the template stays in it. */
static void put_template(struct writer *out, struct slice *template, const char *stop,
                         const struct value *values, size_t count)
{
    while (template->len > 0) {
        const uint8_t *open = memmem(template->data, template->len, "{{", 2);
        const uint8_t *end =
            open != NULL ? memmem(open, template->len - (size_t)(open - template->data), "}}", 2)
                         : NULL;
        if (end == NULL) {
            writer_put(out, *template);
            *template = slice_of(NULL, 0);
            return;
        }
        writer_put(out, slice_of(template->data, (size_t)(open - template->data)));
        const struct slice name = slice_of(open + 2, (size_t)(end - open) - 2);
        template->len -= (size_t)(end + 2 - template->data);
        template->data = end + 2;
        if (stop != NULL && slice_is(name, stop))
            return;
        for (size_t i = 0; i < count; i++) {
            if (slice_is(name, values[i].name))
                put_escaped(out, values[i].text);
        }
    }
}

static struct slice template_of(const char *name)
{
    const struct static_file *file = static_find(slice_text(name));

    return file != NULL ? file->plain : slice_of(NULL, 0);
}

static void answer_page(struct worker *w, unsigned status, const char *name,
                        const struct value *values, size_t count)
{
    static char text[65536];
    struct writer out = writer_of(text, sizeof(text));
    struct slice template = template_of(name);

    put_template(&out, &template, NULL, values, count);
    const ssize_t len = writer_done(&out);
    if (len < 0) {
        answer_error(w, 500, "failed", "The page could not be made.");
        return;
    }
    answer_begin(w, status, RESPONSE_PAGE);
    response_text(&w->head, "Content-Type", "text/html; charset=utf-8");
    answer_content(w, slice_of(text, (size_t)len));
}

/* ---- the page and the sign-in card ---------------------------------------------------------- */

static void begin_page(struct worker *w)
{
    const struct value values[] = {
        {"hash", slice_text(static_hash())},
        {"organisation", w->setup.organisation},
    };

    answer_page(w, 200, "app.html", values, 2);
}

const struct handler handle_page = {.begin = begin_page};

void page_sign_in(struct worker *w, unsigned status, const char *message, struct slice user)
{
    char next[2048];
    struct slice next_is = slice_text("/");
    const bool posted = w->exchange.request.method == METHOD_POST;
    const struct slice form =
        posted ? slice_of(w->collected, w->collected_len) : w->exchange.request.query;

    if (form_get(form, "next", next, sizeof(next), &next_is) != FORM_FOUND)
        next_is = slice_text("/");
    const struct value values[] = {
        {"hash", slice_text(static_hash())},
        {"organisation", w->setup.organisation},
        {"message", slice_text(message)},
        {"user", user},
        {"next", next_is},
    };
    answer_page(w, status, "login.html", values, 5);
}

static void begin_sign_in(struct worker *w)
{
    page_sign_in(w, 200, "", slice_of(NULL, 0));
}

const struct handler handle_sign_in = {.begin = begin_sign_in};

/* ---- static files --------------------------------------------------------------------------- */

/* "HASH/NAME": the hash is not looked at, an older page may still ask for what it knows. */
static void begin_static(struct worker *w)
{
    struct slice rest = w->exchange.rest;
    const uint8_t *slash = rest.len > 1 ? memchr(rest.data + 1, '/', rest.len - 1) : NULL;
    const size_t skipped = slash != NULL ? (size_t)(slash - rest.data) + 1 : 0;
    const struct static_file *file =
        slash != NULL ? static_find(slice_of(rest.data + skipped, rest.len - skipped)) : NULL;
    const struct media_type *type = file != NULL ? media_type_of(slice_text(file->name)) : NULL;

    if (file == NULL || strstr(file->name, ".html") != NULL) {
        answer_error(w, 404, "not_found", "There is nothing at this address.");
        return;
    }
    const bool gzip = accept_gzip(&w->exchange.request.fields) && file->gzip.len < file->plain.len;
    answer_begin(w, 200, RESPONSE_STATIC);
    response_text(&w->head, "Content-Type", type->type);
    response_text(&w->head, "Vary", "Accept-Encoding");
    if (gzip)
        response_text(&w->head, "Content-Encoding", "gzip");
    answer_content(w, gzip ? file->gzip : file->plain);
}

const struct handler handle_static = {.begin = begin_static};
