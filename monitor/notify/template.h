/* Texts with names in them: what a message says, by its kind, filled with a notice's facts.
 *
 *   Subject: the first line
 *
 *   {{name}}                        a fact's text
 *   {{#changes}}...{{/changes}}     once for each of a list, whose facts come first then; of a
 * text: once, if it is not empty
 *
 * A tag of a section alone on its line takes the line with it. Nothing else is special. */
#ifndef SALLYPORT_NOTIFY_TEMPLATE_H
#define SALLYPORT_NOTIFY_TEMPLATE_H

#include <jansson.h>
#include <stdbool.h>

#include "monitor/notify/draft.h"

#define TEMPLATE_MOST     (64u << 10) /* bytes of an operator's text */
#define TEMPLATE_TROUBLE  200         /* bytes of a reason */
#define TEMPLATE_KIND_MAX 32

/* A notice's facts (RFC 8259: an object of texts, and lists of objects) as templates see them:
 * times in the server's own zone, the link and the server's name made of base, and the organisation
 * never empty. base: https://name:port. NULL: they are no such object, or there is no memory. What
 * jansson keeps is wiped when it is freed: facts_prepare is to be called first, once. */
void facts_prepare(void);
json_t *facts_read(struct slice bytes, const char *base, const char *organisation);

/* Fill a template. No character of a fact can part lines or hide what is seen. Returns 0, or -1 and
 * why, with the line. */
int template_render(struct slice source, json_t *facts, struct draft *subject, struct draft *body,
                    char why[TEMPLATE_TROUBLE]);

/* Render what stands for a kind: the operator's text of that name in folder (empty: none), or the
 * one that was built in, also when the operator's is broken, which is logged. Returns 0, or -1 and
 * why: there is no such kind, or it cannot be filled with these facts. */
int templates_render(const char *folder, const char *kind, json_t *facts, struct draft *subject,
                     struct draft *body, char why[TEMPLATE_TROUBLE]);

/* For `sallyport check`: each text of an operator's folder filled with made-up facts. tell: the
 * file's name, and NULL or what is wrong with it. Returns 0, or -1 with errno: the folder cannot be
 * read. */
int templates_check(const char *folder,
                    void (*tell)(void *context, const char *file, const char *why), void *context);

#endif
