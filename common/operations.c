/* The tables of operations.def and the text form of a set of rights, for the operator's command,
 * the policy print and the agent. */
#include "common/operations.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct right_info rights[] = {
#define RIGHT(NAME, name, help) [RIGHT_BIT_##NAME] = {name, help},
#define OPERATION(NAME, name, writes, right, help)
#include "common/operations.def"
#undef RIGHT
#undef OPERATION
};

static const struct operation_info operations[] = {
#define RIGHT(NAME, name, help)
#define OPERATION(NAME, name, writes, right, help)                                                 \
    [OPERATION_##NAME] = {name, writes, RIGHT_##right, help},
#include "common/operations.def"
#undef RIGHT
#undef OPERATION
};

const struct right_info *right_info(enum right_bit bit)
{
    return bit < RIGHT_COUNT ? &rights[bit] : NULL;
}

const struct operation_info *operation_info(enum operation operation)
{
    return operation < OPERATION_COUNT ? &operations[operation] : NULL;
}

static uint32_t right_by_name(const char *name, size_t len)
{
    for (size_t i = 0; i < RIGHT_COUNT; i++) {
        if (strlen(rights[i].name) == len && memcmp(rights[i].name, name, len) == 0)
            return 1u << i;
    }
    if (len == 3 && memcmp(name, "all", 3) == 0)
        return RIGHTS_ALL;
    return 0;
}

int rights_parse(const char *text, uint32_t now, uint32_t *result)
{
    uint32_t set = text[0] == '+' || text[0] == '-' ? now : 0;

    if (strcmp(text, "none") == 0) {
        *result = 0;
        return 0;
    }
    for (const char *at = text;;) {
        const char sign = *at == '-' ? '-' : '+';
        if (*at == '+' || *at == '-')
            at++;
        const size_t len = strcspn(at, ",");
        const uint32_t right = right_by_name(at, len);
        if (right == 0) {
            errno = EINVAL;
            return -1;
        }
        set = sign == '+' ? set | right : set & ~right;
        if (at[len] == '\0')
            break;
        at += len + 1;
    }
    *result = set;
    return 0;
}

char *rights_format(uint32_t set, char *text, size_t size)
{
    size_t at = 0;

    snprintf(text, size, "%s", set == 0 ? "none" : set == RIGHTS_ALL ? "all" : "");
    if (set == 0 || set == RIGHTS_ALL)
        return text;
    for (size_t i = 0; i < RIGHT_COUNT; i++) {
        if ((set & (1u << i)) == 0 || at >= size)
            continue;
        const int n = snprintf(text + at, size - at, "%s%s", at > 0 ? "," : "", rights[i].name);
        at += n > 0 ? (size_t)n : 0;
    }
    return text;
}
