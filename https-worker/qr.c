/* QR codes by libqrencode. Called for the secret of a two-step login; must leave no copy of the
 * text in memory that it gives back. */
#include "https-worker/qr.h"

#include <qrencode.h>
#include <string.h>

static bool is_dark(const QRcode *code, size_t x, size_t y)
{
    return (code->data[y * (size_t)code->width + x] & 1) != 0;
}

/* "Mx yhNv1h-Nz": a run of N dark squares. */
static void draw_run(struct writer *path, size_t x, size_t y, size_t n)
{
    writer_text(path, "M");
    writer_number(path, x);
    writer_text(path, " ");
    writer_number(path, y);
    writer_text(path, "h");
    writer_number(path, n);
    writer_text(path, "v1h-");
    writer_number(path, n);
    writer_text(path, "z");
}

size_t qr_path(struct slice text, struct writer *path)
{
    char copy[QR_TEXT_MAX + 1];
    QRcode *code = NULL;
    size_t size = 0;

    if (slice_copy(text, copy, sizeof(copy)) < 0)
        return 0;
    code = QRcode_encodeString8bit(copy, 0, QR_ECLEVEL_M);
    explicit_bzero(copy, sizeof(copy));
    if (code == NULL)
        return 0;
    size = (size_t)code->width;
    for (size_t y = 0; y < size; y++) {
        for (size_t x = 0; x < size; x++) {
            const size_t begin = x;
            while (x < size && is_dark(code, x, y))
                x++;
            if (x > begin)
                draw_run(path, begin, y, x - begin);
        }
    }
    explicit_bzero(code->data, size * size);
    QRcode_free(code);
    return writer_done(path) < 0 ? 0 : size;
}
