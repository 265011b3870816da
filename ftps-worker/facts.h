/* Facts of MLST and MLSD, and their times (RFC 3659, 2.3 and 7). */
#ifndef SALLYPORT_FTPS_FACTS_H
#define SALLYPORT_FTPS_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attributes.h"
#include "common/slice.h"

enum fact {
    FACT_TYPE = 1u << 0,
    FACT_SIZE = 1u << 1,
    FACT_MODIFY = 1u << 2,
    FACT_PERM = 1u << 3,
    FACT_MODE = 1u << 4,
    FACT_OWNER = 1u << 5,
    FACT_GROUP = 1u << 6,
    FACTS_ALL = (1u << 7) - 1,
};

#define FACTS_MAX 512 /* bytes of a line of facts without the link's target */

/* What an entry's facts are taken from. */
struct facts_of {
    struct slice name;   /* "." and ".." of a listing are cdir and pdir */
    bool listed;         /* a line of MLSD */
    uint32_t above;      /* ACCESS_* of the folder above */
    struct slice target; /* of a symbolic link; empty: not known */
};

/* "type=file;size=5;...; " with the space that parts facts from the name. text: FACTS_MAX bytes and
 * target.len. Returns the length. */
size_t facts_write(char *text, uint32_t facts, const struct attributes *a,
                   const struct facts_of *of);

/* "type*;size*;": of all facts, with a star after those that are on (FEAT); or only those that are
 * on, without stars (OPTS MLST). Returns the length; text: FACTS_MAX bytes. */
size_t facts_feature(char *text, uint32_t facts);
size_t facts_names(char *text, uint32_t facts);

/* The facts that "type;size;" names; unknown names are passed over. */
uint32_t facts_parse(struct slice names);

#define TIME_TEXT 15
/* "20261121160812", and a NUL. */
void time_write(int64_t ns, char text[TIME_TEXT]);
/* 14 digits and perhaps a fraction. Returns false for what is none. */
bool time_parse(struct slice text, int64_t *ns);

#endif
