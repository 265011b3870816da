/* UTF-8, a character at a time, for names that people give and that other people see. Used by the
 * store (what may be stored), its audit log, the operator's command (what may be shown) and the
 * HTTPS worker. */
#include "common/utf8.h"

size_t utf8_sequence(struct slice text, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t lead = text.len > 0 ? text.data[0] : 0xff;
    const size_t n = lead < 0x80                    ? 1
                     : lead >= 0xc2 && lead <= 0xdf ? 2
                     : lead >= 0xe0 && lead <= 0xef ? 3
                     : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                    : 0;
    if (n == 0 || n > text.len)
        return 0;
    *code = n == 1 ? lead : lead & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((text.data[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (text.data[i] & 0x3f);
    }
    return *code < least[n] || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff) ? 0 : n;
}

struct slice utf8_take(struct slice *text, uint32_t *code)
{
    const size_t n = utf8_sequence(*text, code), used = n > 0 ? n : 1;
    const struct slice taken = n > 0 ? slice_of(text->data, n) : slice_text("\xef\xbf\xbd");

    if (n == 0)
        *code = UTF8_NONE;
    *text = slice_of(text->data + used, text->len - used);
    return taken;
}

bool utf8_deceives(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029 ||
           (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) ||
           code == 0xfeff;
}
