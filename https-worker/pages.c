/* The page's files, its shell, and the sign-in card. Called for addresses that anybody may ask for,
 * so nothing here says anything of accounts. */
#include <stdio.h>
#include <string.h>

#include "https-worker/accept.h"
#include "https-worker/media_type.h"
#include "https-worker/static.h"
#include "https-worker/template.h"
#include "https-worker/worker.h"

#define PAGE_MOST   65536
#define VALUES_MOST 8 /* of a page's own */

const char *page_static(void)
{
    static char address[64];

    snprintf(address, sizeof(address), "/static/%s", static_hash());
    return address;
}

/* Of an attribute that a style looks at. */
static struct slice yes(bool is)
{
    return slice_text(is ? "yes" : "no");
}

/* values: of this page; those of all pages come by themselves. */
static void answer_page(struct worker *w, unsigned status, const char *file,
                        const struct value *values, size_t count)
{
    static char text[PAGE_MOST];
    struct writer out = writer_of(text, sizeof(text));
    struct value all[VALUES_MOST + 2] = {
        {"static", slice_text(page_static())},
        {"organisation", w->setup.organisation},
    };

    for (size_t i = 0; i < count && i < VALUES_MOST; i++)
        all[i + 2] = values[i];
    template_put(&out, file, "page", all, VALUES_MOST + 2);
    const ssize_t len = writer_done(&out);
    if (len < 0) {
        answer_error(w, 500, "failed", "The page could not be made.");
        return;
    }
    answer_begin(w, status, RESPONSE_PAGE);
    response_text(&w->head, "Content-Type", "text/html; charset=utf-8");
    answer_content(w, slice_of(text, (size_t)len));
}

static void begin_page(struct worker *w)
{
    answer_page(w, 200, "app.html", NULL, 0);
}

const struct handler handle_page = {.begin = begin_page};

static void begin_link_page(struct worker *w)
{
    const struct value values[] = {{"mail", yes(w->setup.mail != 0)}};

    answer_page(w, 200, "link.html", values, sizeof(values) / sizeof(values[0]));
}

const struct handler handle_link_page = {.begin = begin_link_page};

void page_sign_in(struct worker *w, unsigned status, const char *message, struct slice user,
                  bool code)
{
    const bool posted = w->exchange.request.method == METHOD_POST;
    const struct slice form =
        posted ? slice_of(w->collected, w->collected_len) : w->exchange.request.query;
    char next[2048];
    struct slice next_is;

    if (form_get(form, "next", next, sizeof(next), &next_is) != FORM_FOUND)
        next_is = slice_text("/");
    const struct value values[] = {
        {"mail", yes(w->setup.mail != 0)},
        {"code", yes(code)},
        {"error", slice_text(message)},
        {"user", user},
        {"next", next_is},
    };
    answer_page(w, status, "login.html", values, sizeof(values) / sizeof(values[0]));
}

static void begin_sign_in(struct worker *w)
{
    page_sign_in(w, 200, "", slice_of(NULL, 0), false);
}

const struct handler handle_sign_in = {.begin = begin_sign_in};

/* ---- static files --------------------------------------------------------------------------- */

/* brand.css with the configured colour: the rest of the page takes it from there. */
static bool answer_brand(struct worker *w, struct slice name)
{
    char text[64];

    if (!slice_is(name, "brand.css") || w->setup.accent.len == 0)
        return false;
    const int len = snprintf(text, sizeof(text), ":root { --brand: %.*s; }\n",
                             (int)w->setup.accent.len, (const char *)w->setup.accent.data);
    answer_begin(w, 200,
                 RESPONSE_API); /* not by the content's address: it is the configuration's */
    response_text(&w->head, "Content-Type", "text/css; charset=utf-8");
    answer_content(w, slice_of(text, (size_t)len));
    return true;
}

/* "/HASH/NAME": the hash is not looked at, an older page may still ask for what it knows. */
static void begin_static(struct worker *w)
{
    struct slice name = w->exchange.rest;
    const uint8_t *slash = name.len > 1 ? memchr(name.data + 1, '/', name.len - 1) : NULL;

    slice_take(&name, slash != NULL ? (size_t)(slash - name.data) + 1 : 0);
    if (slash != NULL && answer_brand(w, name))
        return;
    const struct static_file *file = slash != NULL ? static_find(name) : NULL;
    if (file == NULL || strstr(file->name, ".html") != NULL) {
        answer_error(w, 404, "not_found", "There is nothing at this address.");
        return;
    }
    const bool gzip = accept_gzip(&w->exchange.request.fields) && file->gzip.len < file->plain.len;
    answer_begin(w, 200, RESPONSE_STATIC);
    response_text(&w->head, "Content-Type", media_type_of(slice_text(file->name))->type);
    response_text(&w->head, "Vary", "Accept-Encoding");
    if (gzip)
        response_text(&w->head, "Content-Encoding", "gzip");
    answer_content(w, gzip ? file->gzip : file->plain);
}

const struct handler handle_static = {.begin = begin_static};
