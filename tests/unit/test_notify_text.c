/* Templates, facts and messages on their own: what facts that clients chose can do to a line, and
 * what a message is made of. What is written is read again by a small reader of RFC 5322's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64.h"
#include "common/mailing.h"
#include "monitor/notify/mail.h"
#include "monitor/notify/template.h"

static struct draft subject, body, message;
static char why[TEMPLATE_TROUBLE];

static int clear(void **state)
{
    (void)state;
    draft_clear(&subject);
    draft_clear(&body);
    draft_clear(&message);
    return 0;
}

static json_t *facts_of(const char *json)
{
    json_t *facts = facts_read(slice_text(json), "https://files.example.org:8443", "Ours");

    if (facts == NULL)
        fail_msg("%s: no facts", json);
    return facts;
}

static void assert_text(const struct draft *text, const char *expected)
{
    if (!slice_is(draft_slice(text), expected))
        fail_msg("\"%.*s\" is not \"%s\"", (int)text->len, text->data, expected);
}

static void assert_rendered(const char *template, const char *json, const char *title,
                            const char *expected)
{
    json_t *facts = facts_of(json);

    clear(NULL);
    if (template_render(slice_text(template), facts, &subject, &body, why) < 0)
        fail_msg("%s: %s", template, why);
    assert_text(&subject, title);
    assert_text(&body, expected);
    json_decref(facts);
}

static void templates(void **state)
{
    (void)state;
    assert_rendered("Subject: {{a}}!\n\nx {{a}} y\n", "{\"a\": \"A\"}", "A!", "x A y\n");
    assert_rendered("Subject: s\nno empty line\n", "{}", "s", "no empty line\n");
    assert_rendered("Subject: \n", "{}", "", "");
    assert_rendered("Subject: s\n\n} { {a} }}\n", "{}", "s", "} { {a} }}\n");
    assert_rendered("Subject: s\n\n{{n}}\n", "{\"n\": -7}", "s", "-7\n");
    /* Lists: the item's facts before those around it. A section's tag takes its line with it. */
    assert_rendered("Subject: s\n\n{{#l}}\n- {{a}}{{b}}\n{{/l}}\nend {{a}}\n",
                    "{\"a\": \"A\", \"b\": \"B\", \"l\": [{\"a\": \"1\"}, {\"b\": \"2\"}, {}]}",
                    "s", "- 1B\n- A2\n- AB\nend A\n");
    assert_rendered("Subject: s\n\na{{#l}}-{{/l}}b\n", "{\"l\": [{}, {}]}", "s", "a--b\n");
    assert_rendered("Subject: s\n\na{{#l}}{{no_such}}{{#m}}{{/m}}{{/l}}b\n", "{\"l\": []}", "s",
                    "ab\n");
    assert_rendered("Subject: s\n\n{{#l}}{{#m}}{{a}}{{/m}};{{/l}}\n",
                    "{\"l\": [{\"m\": [{\"a\": \"1\"}, {\"a\": \"2\"}]}, {\"m\": []}]}", "s",
                    "12;;\n");
    /* Texts: once, if there is anything in it. */
    assert_rendered("Subject: s\n\n{{#t}}<{{t}}>{{/t}}{{#e}}e{{/e}}{{#x}}x{{/x}}\n",
                    "{\"t\": \"T\", \"e\": \"\"}", "s", "<T>\n");
    /* What a fact holds is no template. */
    assert_rendered("Subject: s\n\n{{a}}\n", "{\"a\": \"{{b}}{{#c}}\"}", "s", "{{b}}{{#c}}\n");
}

static void broken_templates(void **state)
{
    static const struct {
        const char *template, *why;
    } broken[] = {
        {"", "line 1: does not begin with Subject"},
        {"Subject: no end of the line", "line 1: does not begin"},
        {"subject: x\n", "line 1"},
        {"\nSubject: x\n", "line 1"},
        {"Subject: {{a\n\n}}", "line 1: {{"},
        {"Subject: {{#a}}\n\n{{/a}}\n", "line 1: {{#a}} without its {{/a}}"},
        {"Subject: s\n\nx\n{{a", "line 4: {{"},
        {"Subject: s\n\n{{}}", "line 3: {{"},
        {"Subject: s\n\n{{ a }}", "line 3: {{"},
        {"Subject: s\n\n{{A}}", "line 3: {{"},
        {"Subject: s\n\n{{#}}", "line 3: {{"},
        {"Subject: s\n\n{{nothing}}", "there is no {{nothing}} here"},
        {"Subject: s\n\n{{l}}", "{{l}} is no text"},
        {"Subject: s\n\n{{#m}}{{/m}}", "{{#m}} is no list of facts"},
        {"Subject: s\n\n{{#l}}\n\nx", "{{#l}} without its {{/l}}"},
        {"Subject: s\n\n{{/l}}", "{{/l}} ends no section"},
        {"Subject: s\n\n{{#l}}{{/a}}{{/l}}", "{{/a}} ends no section"},
        {"Subject: s\n\n{{#no}}{{#l}}{{/no}}{{/l}}", "{{/no}} ends no section"},
        {"Subject: s\n\n{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{/a}}{{/a}}{{/a}}{{/a}}{{/a}}",
         "too many sections"},
    };
    json_t *facts = facts_of("{\"a\": \"A\", \"l\": [{}], \"m\": [1]}");
    (void)state;

    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        clear(NULL);
        if (template_render(slice_text(broken[i].template), facts, &subject, &body, why) == 0)
            fail_msg("%s is a good template", broken[i].template);
        if (strstr(why, broken[i].why) == NULL)
            fail_msg("%s: %s, not %s", broken[i].template, why, broken[i].why);
    }
    json_decref(facts);
}

/* A list in a list in a list grows fast: there is a limit, and an error. */
static void too_long(void **state)
{
    json_t *facts = json_object(), *list = json_array();
    (void)state;

    for (int i = 0; i < 100; i++)
        json_array_append_new(list, json_pack("{s:s}", "a", "0123456789"));
    json_object_set_new(facts, "l", list);
    assert_int_equal(template_render(slice_text("Subject: s\n\n{{#l}}{{#l}}{{a}}{{/l}}{{/l}}"),
                                     facts, &subject, &body, why),
                     0);
    assert_int_equal(body.len, 100000);
    clear(NULL);
    assert_int_equal(
        template_render(slice_text("Subject: s\n\n{{#l}}{{#l}}{{#l}}{{a}}{{/l}}{{/l}}{{/l}}"),
                        facts, &subject, &body, why),
        -1);
    assert_non_null(strstr(why, "too long"));
    json_decref(facts);
}

static void hostile_facts(void **state)
{
    (void)state;
    assert_rendered(
        "Subject: {{a}}\n\n{{a}}\n",
        "{\"a\": \"x\\r\\nBcc: y@z\\n\\n.\\t\\u0085\\u2028\\u202e\\ufeff\\u007f\\u001b[2J\"}",
        "x  Bcc: y@z  .      "
        " [2J",
        "x  Bcc: y@z  .      "
        " [2J\n");
}

static void facts(void **state)
{
    json_t *o;
    (void)state;

    setenv("TZ", "Europe/Berlin", 1);
    facts_prepare();
    assert_rendered("Subject: {{organisation}}\n\n{{link}} {{server}} "
                    "{{base}}\n{{expires}}\n{{#changes}}{{when}}{{/changes}}\n",
                    "{\"token\": \"T-_0\", \"expires\": 1795788300, \"changes\": [{\"when\": "
                    "1780000000}], \"organisation\": \"\"}",
                    "Ours",
                    "https://files.example.org:8443/link#T-_0 files.example.org "
                    "https://files.example.org:8443\n"
                    "Friday, 27 November 2026, 15:05 CET\nThursday, 28 May 2026, 22:26 CEST\n");
    assert_rendered("Subject: {{organisation}}\n", "{\"organisation\": \"Theirs\"}", "Theirs", "");
    o = facts_read(slice_text("{}"), "https://[::1]:443", "");
    assert_string_equal(json_string_value(json_object_get(o, "server")), "[::1]");
    assert_string_equal(json_string_value(json_object_get(o, "organisation")), "[::1]");
    json_decref(o);
    assert_null(facts_read(slice_text(""), "", ""));
    assert_null(facts_read(slice_of(NULL, 0), "", ""));
    assert_null(facts_read(slice_text("[]"), "", ""));
    assert_null(facts_read(slice_text("{"), "", ""));
    assert_null(facts_read(slice_text("{\"a\": \"\xff\"}"), "", ""));
    assert_null(facts_read(slice_text("{\"a\": \"\\u0000\"}"), "", ""));
    assert_null(facts_read(slice_text("{\"a\": 1, \"a\": 2}"), "", ""));
    assert_null(facts_read(slice_text("{\"expires\": 9223372036854775807}"), "", ""));
}

/* ---- messages ----------------------------------------------------------------------------------
 */

static struct mail example(void)
{
    return (struct mail){
        .from = "sallyport@example.org",
        .name = "Ours",
        .to = "alice@example.net",
        .number = 7,
        .mark = 0xabc,
        .date = 1795788300,
        .subject = slice_text("Hello"),
        .body = slice_text("A line.\n"),
    };
}

static const char *written(const struct mail *mail)
{
    static char text[DRAFT_MOST + 1];

    clear(NULL);
    const char *wrong = mail_write(mail, &message);
    if (wrong != NULL)
        fail_msg("%s", wrong);
    memcpy(text, message.data, message.len);
    text[message.len] = '\0';
    return text;
}

/* A field's value, unfolded; it must stand there once. */
static const char *field(const char *text, const char *name)
{
    static char value[8192];
    const size_t len = strlen(name);
    size_t n = 0, found = 0;

    for (const char *line = text; *line != '\n' && *line != '\0'; line += strcspn(line, "\n") + 1) {
        assert_true(strcspn(line, "\n") <= 76);
        if (strncmp(line, name, len) != 0 || strncmp(line + len, ": ", 2) != 0)
            continue;
        found++;
        const char *at = line + len + 2;
        n = 0;
        for (;; at++) {
            if (*at == '\n' && at[1] != ' ')
                break;
            if (*at != '\n')
                value[n++] = *at;
        }
    }
    if (found != 1)
        fail_msg("%zu fields %s in:\n%s", found, name, text);
    value[n] = '\0';
    return value;
}

/* Encoded words as text. */
static const char *decoded(const char *value)
{
    static char text[8192];
    size_t n = 0;

    for (const char *at = value; *at != '\0';) {
        if (strncmp(at, "=?UTF-8?B?", 10) != 0) {
            text[n++] = *at++;
            continue;
        }
        const char *end = strstr(at + 10, "?=");
        assert_non_null(end);
        assert_true(end + 2 - at <= 75);
        const ssize_t len = base64_decode(slice_of(at + 10, (size_t)(end - at - 10)),
                                          (uint8_t *)text + n, sizeof(text) - n);
        assert_true(len > 0);
        assert_int_not_equal(text[n] & 0xc0, 0x80); /* whole characters */
        n += (size_t)len;
        at = end + 2;
        if (strncmp(at, " =?", 3) == 0)
            at++;
    }
    text[n] = '\0';
    return text;
}

static void plain_message(void **state)
{
    struct mail mail = example();
    const char *text;
    (void)state;

    text = written(&mail);
    assert_string_equal(field(text, "Date"), "Fri, 27 Nov 2026 15:05:00 +0100");
    assert_string_equal(field(text, "From"), "\"Ours\" <sallyport@example.org>");
    assert_string_equal(field(text, "To"), "alice@example.net");
    assert_string_equal(field(text, "Subject"), "Hello");
    assert_string_equal(field(text, "Message-ID"), "<sallyport.7.0000000000000abc@example.org>");
    assert_string_equal(field(text, "Auto-Submitted"), "auto-generated");
    assert_string_equal(field(text, "Content-Transfer-Encoding"), "7bit");
    assert_string_equal(strstr(text, "\n\n"), "\n\nA line.\n");
    mail.name = "";
    assert_string_equal(field(written(&mail), "From"), "<sallyport@example.org>");
    mail.name = "The \"best\" \\ <x@y>, z@w";
    assert_string_equal(field(written(&mail), "From"),
                        "\"The \\\"best\\\" \\\\ <x@y>, z@w\" <sallyport@example.org>");
}

static void encoded_message(void **state)
{
    struct mail mail = example();
    char lines[3000], expected[6000];
    uint8_t bytes[6000];
    size_t n = 0;
    (void)state;

    mail.subject = slice_text(
        "Gr\xc3\xbc\xc3\x9f"
        "e \xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
        "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xf0\x9f\x93\xa8"
        "\xf0\x9f\x93\xa8");
    mail.name = "B\xc3\xbc"
                "ro <evil@example.org>";
    const char *text = written(&mail);
    assert_int_equal(strncmp(decoded(field(text, "Subject")), (const char *)mail.subject.data,
                             mail.subject.len + 1),
                     0);
    assert_non_null(strstr(field(text, "From"), " <sallyport@example.org>"));
    assert_null(strstr(text, "evil"));
    /* Long, and what looks encoded. */
    mail.subject = slice_text("=?UTF-8?B?AAAA?=");
    assert_string_equal(decoded(field(written(&mail), "Subject")), "=?UTF-8?B?AAAA?=");
    memset(lines, 'x', 2000);
    mail.subject = slice_of(lines, 2000);
    assert_int_equal(strlen(decoded(field(written(&mail), "Subject"))), 2000);
    /* Nothing of it is a line of its own. */
    mail.subject = slice_text("a\r\nBcc: x@y\n\nb");
    mail.name = "c\nTo: x@y";
    text = written(&mail);
    assert_string_equal(decoded(field(text, "Subject")), "a  Bcc: x@y  b");
    assert_null(strstr(text, "\nBcc"));
    assert_string_equal(field(text, "To"), "alice@example.net");
    /* Bodies that do not go as they are. */
    mail = example();
    mail.body = slice_text("Gr\xc3\xbc\xc3\x9f"
                           "e\n\nzwei\n");
    text = written(&mail);
    assert_string_equal(field(text, "Content-Type"), "text/plain; charset=UTF-8");
    assert_string_equal(field(text, "Content-Transfer-Encoding"), "base64");
    assert_string_equal(strstr(text, "\n\n"), "\n\nR3LDvMOfZQ0KDQp6d2VpDQo=\n");
    memset(lines, 'y', 998);
    lines[998] = '\n';
    mail.body = slice_of(lines, 999);
    assert_string_equal(field(written(&mail), "Content-Transfer-Encoding"), "7bit");
    memset(lines, 'y', 2500);
    mail.body = slice_of(lines, 2500);
    text = written(&mail);
    assert_string_equal(field(text, "Content-Transfer-Encoding"), "base64");
    for (const char *line = strstr(text, "\n\n") + 2; *line != '\0';
         line += strcspn(line, "\n") + 1) {
        const size_t len = strcspn(line, "\n");
        assert_true(len > 0 && len <= 76);
        memcpy(expected + n, line, len);
        n += len;
    }
    assert_int_equal(base64_decode(slice_of(expected, n), bytes, sizeof(bytes)), 2500);
    assert_memory_equal(bytes, lines, 2500);
}

static void refused_messages(void **state)
{
    static const char *const bad[] = {"",         "x",         "a@b\nBcc: c@d",
                                      "a@b, c@d", "\"a b\"@c", "\xc3\xa9@b"};
    struct mail mail;
    (void)state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        mail = example();
        mail.to = bad[i];
        assert_non_null(mail_write(&mail, &message));
        clear(NULL);
        mail = example();
        mail.from = bad[i];
        assert_non_null(mail_write(&mail, &message));
        clear(NULL);
    }
    mail = example();
    char *longest = calloc(1, DRAFT_MOST + 1);
    assert_non_null(longest);
    mail.body = slice_of(longest, DRAFT_MOST + 1);
    assert_non_null(mail_write(&mail, &message));
    free(longest);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_teardown(function, clear)
    const struct CMUnitTest tests[] = {
        TEST(facts),         TEST(templates),     TEST(broken_templates), TEST(too_long),
        TEST(hostile_facts), TEST(plain_message), TEST(encoded_message),  TEST(refused_messages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
