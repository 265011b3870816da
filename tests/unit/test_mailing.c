/* What is taken for an address, a command and the beginning of links, and above all what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/mailing.h"

static void addresses(void **state)
{
    static const char *const good[] = {
        "a@b",
        "alice@example.org",
        "a.b+c@x-y.example.org",
        "o'neil@example.org",
        "x@xn--bcher-kva.example",
        "!#$%&'*+-/=?^_`{|}~@h",
        "1@2.3",
    };
    static const char *const bad[] = {
        "",
        "@",
        "a@",
        "@b",
        "a",
        "a@b@c",
        "a b@c",
        "a@b c",
        " a@b",
        "a@b ",
        "a@b\n",
        "a\n@b",
        "a@b\r\nBcc: x@y",
        "a@b,c@d",
        "a@b;c@d",
        "<a@b>",
        "\"a\"@b",
        "a(x)@b",
        "a@[127.0.0.1]",
        ".a@b",
        "a.@b",
        "a..b@c",
        "a@.b",
        "a@b.",
        "a@b..c",
        "a@-b",
        "a@b-",
        "a@b-.c",
        "a@b.-c",
        "a@b_c",
        "-f@b",
        "-oQ/tmp@b",
        "a@b\t",
        "a\x7f@b",
        "\xc3\xa9@b",
        "a@\xc3\xa9",
        "a:b@c",
        "a\\@b",
    };
    char longest[300];
    (void)state;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (!mail_address_is_good(slice_text(good[i])))
            fail_msg("%s is an address", good[i]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (mail_address_is_good(slice_text(bad[i])))
            fail_msg("%s is no address", bad[i]);
    }
    assert_false(mail_address_is_good(slice_of("a\0@b", 4)));
    assert_false(mail_address_is_good(slice_of("a@b\0", 4)));
    assert_false(mail_address_is_good(slice_of(NULL, 0)));
    /* 64 bytes before the @, 63 of a label, 254 in all. */
    memset(longest, 'a', sizeof(longest));
    longest[64] = '@';
    assert_true(mail_address_is_good(slice_of(longest, 65 + 63)));
    assert_false(mail_address_is_good(slice_of(longest, 65 + 64)));
    assert_true(mail_address_is_good(slice_of(longest + 1, 64 + 63)));
    longest[64 + 64] = longest[64 + 128] = '.';
    assert_true(mail_address_is_good(slice_of(longest, 254)));
    assert_false(mail_address_is_good(slice_of(longest, 255)));
    longest[64] = 'a';
    longest[65] = '@';
    assert_false(mail_address_is_good(slice_of(longest, 70)));
}

static void assert_words(const char *text, const char *const *words)
{
    struct command_line command;
    const char *why = command_line_split(slice_text(text), &command);

    if (why != NULL)
        fail_msg("%s: %s", text, why);
    for (size_t i = 0; i < command.count; i++) {
        assert_non_null(words[i]);
        assert_string_equal(command.words[i], words[i]);
    }
    assert_null(words[command.count]);
    assert_null(command.words[command.count]);
}

static void commands(void **state)
{
    static const char *const refused[] = {
        "",           "  ",          "sendmail -t", "./x",        "\"",
        "/bin/x \"a", "\"\" /bin/x", "/bin/x\n-t",  "/bin/x\x01", "-t",
    };
    struct command_line command;
    char text[COMMAND_MAX + 2];
    (void)state;

    assert_words("/usr/sbin/sendmail -i -t",
                 (const char *const[]){"/usr/sbin/sendmail", "-i", "-t", NULL});
    assert_words("  /a \t b  ", (const char *const[]){"/a", "b", NULL});
    assert_words("\"/a b/c\" \"\" d\" \"e", (const char *const[]){"/a b/c", "", "d e", NULL});
    assert_words("/a \\\" \\\\ \"x\\\"y\" \\n",
                 (const char *const[]){"/a", "\"", "\\", "x\"y", "\\n", NULL});
    /* A shell's words are words like others. */
    assert_words("/a ; rm $(x) `y` > z | 'w v' *",
                 (const char *const[]){"/a", ";", "rm", "$(x)", "`y`", ">", "z", "|", "'w", "v'",
                                       "*", NULL});
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (command_line_split(slice_text(refused[i]), &command) == NULL)
            fail_msg("%s is no command", refused[i]);
    }
    assert_non_null(command_line_split(slice_of("/a\0b", 4), &command));
    memset(text, 'a', sizeof(text));
    text[0] = '/';
    assert_null(command_line_split(slice_of(text, COMMAND_MAX), &command));
    assert_int_equal(strlen(command.words[0]), COMMAND_MAX);
    assert_non_null(command_line_split(slice_of(text, COMMAND_MAX + 1), &command));
    for (size_t i = 1; i < sizeof(text); i += 2)
        text[i] = ' ';
    assert_null(command_line_split(slice_of(text, 2 * COMMAND_WORDS_MAX), &command));
    assert_int_equal(command.count, COMMAND_WORDS_MAX);
    assert_non_null(command_line_split(slice_of(text, 2 * COMMAND_WORDS_MAX + 1), &command));
}

static void bases(void **state)
{
    static const char *const good[] = {"https://a", "https://files.example.org:8443",
                                       "https://[::1]:443", "https://a/files"};
    static const char *const bad[] = {"",
                                      "https://",
                                      "https:///",
                                      "https://a/",
                                      "http://a",
                                      "files.example.org",
                                      "https://a#b",
                                      "https://a?b",
                                      "https://a b",
                                      "https://a\n",
                                      "https://a\"",
                                      "https://:8443",
                                      "https://a@b",
                                      "HTTPS://a",
                                      "https://\xc3\xa9"};
    (void)state;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (mail_base_trouble(slice_text(good[i])) != NULL)
            fail_msg("%s: %s", good[i], mail_base_trouble(slice_text(good[i])));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (mail_base_trouble(slice_text(bad[i])) == NULL)
            fail_msg("%s is no beginning of a link", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(commands),
        cmocka_unit_test(bases),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
