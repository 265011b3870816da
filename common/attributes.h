/* Attributes of a file as the agent tells them to a worker, in one struct for all the messages that
 * carry them. */
#ifndef SALLYPORT_ATTRIBUTES_H
#define SALLYPORT_ATTRIBUTES_H

#include <stdint.h>

struct attributes {
    uint32_t mode, nlink, uid, gid;
    uint64_t size;
    int64_t atime_ns, mtime_ns;
    uint32_t rights; /* RIGHT_*: the account's there */
    uint8_t access;  /* ACCESS_*: by the modes */
};

/* From any message with ATTRIBUTE_FIELDS. */
#define ATTRIBUTES_OF(m)                                                                           \
    (struct attributes)                                                                            \
    {                                                                                              \
        .mode = (m).mode, .nlink = (m).nlink, .uid = (m).uid, .gid = (m).gid, .size = (m).size,    \
        .atime_ns = (m).atime_ns, .mtime_ns = (m).mtime_ns, .rights = (m).rights,                  \
        .access = (m).access                                                                       \
    }

#endif
