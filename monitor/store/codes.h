/* Codes for the second step of a login: of an authenticator (TOTP, RFC 6238: SHA-1, six digits, a
 * step of 30 seconds), or from a list for the day that it is lost. Called by serve.c for each
 * message; own.c asks for the state. */
#ifndef SALLYPORT_STORE_CODES_H
#define SALLYPORT_STORE_CODES_H

#include "common/facts.h"
#include "monitor/store/holder.h"

struct codes_now {
    enum codes_state state;
    uint32_t recovery_left;
};

/* Before the sandbox. */
int codes_prepare(struct accounts *a, struct refusal *why);

/* Returns 0, or -1 and why is filled. */
int codes_now(struct accounts *a, int64_t account, struct codes_now *now, struct refusal *why);

/* Changes: as those of accounts.h. A wrong code is a change that is kept: done->error. */
int codes_begin(struct accounts *a, const void *totp_begin, struct outcome *done,
                struct refusal *why);
int codes_confirm(struct accounts *a, const void *totp_confirm, struct outcome *done,
                  struct refusal *why);
int codes_remove(struct accounts *a, const void *totp_remove, struct outcome *done,
                 struct refusal *why);
int codes_check(struct accounts *a, const void *totp_check, struct outcome *done,
                struct refusal *why);

#endif
