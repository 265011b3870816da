/* SSH wire types: every read is bounded and a cursor that once failed stays failed. */
#include "common/sshwire.h"

struct wire wire_of(struct slice bytes)
{
    return (struct wire){.data = bytes.data, .len = bytes.len};
}

struct slice wire_bytes(struct wire *w, size_t n)
{
    if (w->bad || w->len - w->at < n) {
        w->bad = true;
        return slice_of(NULL, 0);
    }
    const struct slice bytes = slice_of(n > 0 ? w->data + w->at : w->data, n);
    w->at += n;
    return bytes;
}

static uint64_t wire_number(struct wire *w, size_t n)
{
    const struct slice bytes = wire_bytes(w, n);
    uint64_t v = 0;

    for (size_t i = 0; i < bytes.len; i++)
        v = v << 8 | bytes.data[i];
    return v;
}

uint8_t wire_u8(struct wire *w)
{
    return (uint8_t)wire_number(w, 1);
}

uint32_t wire_u32(struct wire *w)
{
    return (uint32_t)wire_number(w, 4);
}

uint64_t wire_u64(struct wire *w)
{
    return wire_number(w, 8);
}

struct slice wire_string(struct wire *w)
{
    const uint32_t n = wire_u32(w);

    return wire_bytes(w, n);
}

bool wire_done(const struct wire *w)
{
    return !w->bad && w->at == w->len;
}

struct wire_out wire_out_of(uint8_t *data, size_t size)
{
    return (struct wire_out){.data = data, .size = size};
}

void wire_put_bytes(struct wire_out *w, struct slice bytes)
{
    if (w->bad || w->size - w->len < bytes.len) {
        w->bad = true;
        return;
    }
    if (bytes.len > 0)
        memcpy(w->data + w->len, bytes.data, bytes.len);
    w->len += bytes.len;
}

static void wire_put_number(struct wire_out *w, uint64_t v, size_t n)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
    wire_put_bytes(w, slice_of(bytes, n));
}

void wire_put_u8(struct wire_out *w, uint8_t v)
{
    wire_put_number(w, v, 1);
}

void wire_put_u32(struct wire_out *w, uint32_t v)
{
    wire_put_number(w, v, 4);
}

void wire_put_u64(struct wire_out *w, uint64_t v)
{
    wire_put_number(w, v, 8);
}

void wire_put_string(struct wire_out *w, struct slice bytes)
{
    if (bytes.len > UINT32_MAX) {
        w->bad = true;
        return;
    }
    wire_put_u32(w, (uint32_t)bytes.len);
    wire_put_bytes(w, bytes);
}

struct slice name_list_next(struct slice *list)
{
    const uint8_t *comma = list->len > 0 ? memchr(list->data, ',', list->len) : NULL;
    const size_t n = comma != NULL ? (size_t)(comma - list->data) : list->len;
    const struct slice name = slice_of(list->data, n);

    *list = comma != NULL ? slice_of(comma + 1, list->len - n - 1) : slice_of(NULL, 0);
    return name;
}

bool name_list_has(struct slice list, struct slice name)
{
    while (list.len > 0) {
        if (slice_equal(name_list_next(&list), name))
            return true;
    }
    return false;
}

struct slice name_list_match(struct slice first, struct slice second)
{
    while (first.len > 0) {
        const struct slice name = name_list_next(&first);
        if (name.len > 0 && name_list_has(second, name))
            return name;
    }
    return slice_of(NULL, 0);
}
