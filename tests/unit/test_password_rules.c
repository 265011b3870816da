/* New passwords: those that people take are refused, whatever they do to them; those that are good
 * never are, or so seldom as is measured here. With the argument `judge` it answers lines of
 * hexadecimal digits, a password each, with tenths of bits and weakness: tests/page asks it what the
 * page should say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/password_rules.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- for tests/page ----------------------------------------------------------------------- */

static int digit_of(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = c != '\0' ? strchr(digits, c) : NULL;

    return found != NULL ? (int)(found - digits) : -1;
}

static int answer_lines(void)
{
    static char line[8192];
    static uint8_t bytes[sizeof(line) / 2];

    while (fgets(line, sizeof(line), stdin) != NULL) {
        const size_t len = strcspn(line, "\n") / 2;
        for (size_t i = 0; i < len; i++) {
            const int high = digit_of(line[2 * i]), low = digit_of(line[2 * i + 1]);
            if (high < 0 || low < 0)
                return EXIT_FAILURE;
            bytes[i] = (uint8_t)(high * 16 + low);
        }
        const struct password_judgement j = password_judge(slice_of(bytes, len));
        printf("%u %s\n", j.tenths, j.weakness != NULL ? j.weakness : "");
    }
    return ferror(stdin) || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "judge") == 0)
        return answer_lines();
    return 0;
}
