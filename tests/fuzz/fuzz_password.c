/* Fuzzing of the judgement of new passwords (common/password_rules.c): any bytes, of which it may
 * call good only what is long enough, short enough and worth enough, the same each time. */
#include "common/password_rules.h"
#include "common/utf8.h"
#include "tests/fuzz/fuzz.h"

static size_t characters(struct slice text)
{
    size_t count = 0;
    uint32_t code;

    for (; text.len > 0; count++)
        utf8_take(&text, &code);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = exact_copy(slice_of(data, size));
    const struct slice password = slice_of(copy, size);
    const struct password_judgement first = password_judge(password),
                                    again = password_judge(password);

    must(first.weakness == again.weakness && first.tenths == again.tenths);
    must(first.weakness != NULL ||
         (size <= PASSWORD_MOST_BYTES && characters(password) >= PASSWORD_SHORTEST &&
          memchr(copy, 0, size) == NULL));
    free(copy);
    return 0;
}
