/* The picture of a text: its size and its finder patterns are those of ISO/IEC 18004, it is another
 * one for another text, and what does not fit is no picture. What it says is read back by the tests
 * of the page, with another program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "https-worker/qr.h"

#define SIDE_MAX 200

static char path[QR_PATH_MAX];
static bool dark[SIDE_MAX][SIDE_MAX];

/* "Mx yhNv1h-Nz", one after the other, as runs of dark squares. Returns how many are dark. */
static size_t draw(struct slice text, size_t size)
{
    const char *at = path;
    size_t count = 0;

    memset(dark, 0, sizeof(dark));
    path[text.len] = '\0';
    while (*at == 'M') {
        char *end;
        const unsigned long x = strtoul(at + 1, &end, 10), y = strtoul(end, &end, 10);
        assert_int_equal(*end, 'h');
        const unsigned long n = strtoul(end + 1, &end, 10);
        char rest[32];
        const int len = snprintf(rest, sizeof(rest), "v1h-%luz", n);
        assert_memory_equal(end, rest, (size_t)len);
        assert_true(n > 0 && x + n <= size && y < size);
        for (unsigned long i = x; i < x + n; i++, count++) {
            assert_false(dark[y][i]);
            dark[y][i] = true;
        }
        at = end + len;
    }
    assert_int_equal(*at, '\0');
    return count;
}

/* Dark, a light ring, a dark middle of three by three. */
static void finder(size_t x, size_t y)
{
    for (size_t i = 0; i < 7; i++) {
        for (size_t k = 0; k < 7; k++) {
            const bool ring = i == 0 || i == 6 || k == 0 || k == 6;
            const bool middle = i >= 2 && i <= 4 && k >= 2 && k <= 4;
            assert_int_equal(dark[y + i][x + k], ring || middle);
        }
    }
}

static size_t picture(const char *text)
{
    struct writer writer = writer_of(path, sizeof(path) - 1);
    const size_t size = qr_path(slice_text(text), &writer);

    assert_true(size >= 21 && size <= 177 && (size - 21) % 4 == 0);
    assert_true(draw(slice_of(path, writer.len), size) > size * size / 4);
    finder(0, 0);
    finder(size - 7, 0);
    finder(0, size - 7);
    return size;
}

static void pictures(void **state)
{
    char first[QR_PATH_MAX], longest[QR_TEXT_MAX + 1];
    (void)state;

    assert_int_equal(picture("x"), 21);
    picture("otpauth://totp/sallyport:alice?secret=JBSWY3DPEHPK3PXP&issuer=sallyport");
    memcpy(first, path, sizeof(first));
    picture("otpauth://totp/sallyport:alice?secret=JBSWY3DPEHPK3PXQ&issuer=sallyport");
    assert_string_not_equal(path, first);
    memset(longest, 'x', QR_TEXT_MAX);
    longest[QR_TEXT_MAX] = '\0';
    assert_true(picture(longest) > 100);
}

static void no_pictures(void **state)
{
    char longer[QR_TEXT_MAX + 2], small[100];
    struct writer writer = writer_of(path, sizeof(path)), little = writer_of(small, sizeof(small));
    (void)state;

    memset(longer, 'x', sizeof(longer));
    assert_int_equal(qr_path(slice_of(longer, QR_TEXT_MAX + 1), &writer), 0);
    assert_int_equal(qr_path(slice_of("a\0b", 3), &writer), 0);
    assert_int_equal(qr_path(slice_text(""), &writer), 0);
    assert_int_equal(qr_path(slice_text("x"), &little), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures),
        cmocka_unit_test(no_pictures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
