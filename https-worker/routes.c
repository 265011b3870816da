/* From an address to its row, and what every row has in common: methods, who may, and the tokens
 * that keep other sites' pages from asking in a person's name. Called by exchange.c. */
#include <openssl/crypto.h>
#include <string.h>

#include "https-worker/worker.h"

#define ROUTE(name, method, address, shape, who, guard, body, help)                                \
    {#name, METHOD_##method, address, SHAPE_##shape, WHO_##who, GUARD_##guard, body,               \
     help,  &handle_##name},
static const struct route routes[] = {
#include "https-worker/routes.def"
};
#define ROUTES (sizeof(routes) / sizeof(routes[0]))

/* ---- the table ------------------------------------------------------------------------------ */

static bool fits(const struct route *route, const struct target_path *path, struct slice *rest)
{
    const size_t len = strlen(route->address);
    const size_t folder = len - 1; /* of BELOW: "/files" is "/files/" */

    if (route->shape == SHAPE_EXACT)
        return path->len == len && memcmp(path->text, route->address, len) == 0 &&
               (path->folder == false || len == 1);
    if (path->len < folder || memcmp(path->text, route->address, folder) != 0 ||
        (path->len > folder && path->text[folder] != '/'))
        return false;
    *rest = slice_of(path->text + folder, path->len - folder);
    if (rest->len == 0)
        *rest = slice_text("/");
    return true;
}

static bool takes(const struct route *route, enum method method)
{
    return route->method == method || (route->method == METHOD_GET && method == METHOD_HEAD);
}

/* "GET, HEAD, PUT": the methods of this address. */
static void write_allow(struct worker *w)
{
    struct writer *allow = response_open(&w->head, "Allow");
    const char *comma = "";
    struct slice rest;

    for (int method = 0; method < METHOD_COUNT; method++) {
        bool found = method == METHOD_OPTIONS;
        for (size_t i = 0; i < ROUTES; i++)
            found |= takes(&routes[i], (enum method)method) &&
                     fits(&routes[i], &w->exchange.path, &rest);
        if (!found)
            continue;
        writer_text(allow, comma);
        writer_text(allow, method_name((enum method)method));
        comma = ", ";
    }
    response_close(&w->head);
}

const struct route *route_find(struct worker *w)
{
    struct exchange *x = &w->exchange;
    struct slice path = x->request.path;
    bool found = slice_is(path, "*");

    for (size_t i = 0; i < ROUTES; i++) {
        if (!fits(&routes[i], &x->path, &x->rest))
            continue;
        found = true;
        if (takes(&routes[i], x->request.method))
            return &routes[i];
    }
    if (!found) {
        answer_error(w, 404, "not_found", "There is nothing at this address.");
    } else if (x->request.method == METHOD_OPTIONS) {
        answer_begin(w, 204, RESPONSE_API);
        write_allow(w);
        if (slice_skip(&path, "/api/uploads"))
            tus_describe(w);
        answer_end(w);
    } else {
        answer_begin(w, 405, RESPONSE_API);
        write_allow(w);
        answer_json_error(w, "method", "This address does not know this method.");
    }
    return NULL;
}

/* ---- who may -------------------------------------------------------------------------------- */

/* A page of another site may make a browser send requests; it cannot make it lie about where they
 * come from (RFC 6454, 7.3; Fetch Metadata). */
static bool is_own_page(struct worker *w)
{
    const struct request *r = &w->exchange.request;
    struct slice origin = fields_get(&r->fields, FIELD_ORIGIN), host;
    const struct slice site = fields_get(&r->fields, FIELD_SEC_FETCH_SITE);
    uint16_t port;

    if (site.len > 0) /* "none": typed, or a bookmark */
        return slice_is(site, "same-origin") || slice_is(site, "none");
    if (!fields_have(&r->fields, FIELD_ORIGIN))
        return true;
    return slice_skip(&origin, "https://") && host_parse(origin, &host, &port) &&
           slice_same(host, r->host) && (port == 0 ? 443 : port) == (r->port == 0 ? 443 : r->port);
}

bool token_right(const struct worker *w, struct slice token)
{
    return token.len == strlen(w->csrf) && token.len > 0 &&
           CRYPTO_memcmp(token.data, w->csrf, token.len) == 0;
}

bool route_allowed(struct worker *w)
{
    const struct exchange *x = &w->exchange;
    const bool reads = x->route->method == METHOD_GET || x->route->method == METHOD_HEAD;

    if (!reads && !is_own_page(w)) {
        answer_error(w, 403, "not_allowed", "The request comes from another site's page.");
        return false;
    }
    if (x->route->who != WHO_ANYBODY && !login_needed(w))
        return false;
    if (x->route->guard == GUARD_TOKEN && w->by_cookie &&
        !token_right(w, fields_get(&x->request.fields, FIELD_X_CSRF_TOKEN))) {
        answer_error(w, 403, "bad_token", "The page is out of date: load it again.");
        return false;
    }
    return true;
}
