/* New passwords: long enough, and nothing that is easily guessed (NIST SP 800-63B, 5.1.1.2): no
 * rules of composition, but what people take and how they stretch it is known. The hasher judges by
 * it; the page does by the same tables while one types (https-worker/ui/strength.js). */
#ifndef SALLYPORT_PASSWORD_RULES_H
#define SALLYPORT_PASSWORD_RULES_H

#include "common/slice.h"

#define LIMIT(name, value) PASSWORD_##name = (value),
enum password_limit {
#include "common/password_rules.def"
};
#undef LIMIT

struct password_judgement {
    const char *weakness; /* NULL: good; else what is wrong and what to do, for people */
    unsigned tenths;      /* of a bit: the cheapest way to guess it; 0 where it is not looked for */
};

/* Judge a new password: bytes as they were typed, which may be anything. Takes below a millisecond,
 * allocates nothing, keeps nothing. */
struct password_judgement password_judge(struct slice password);

/* The weakness alone. */
const char *password_weakness(struct slice password);

#endif
