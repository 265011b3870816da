/* The table of handles. A number is a slot and the slot's generation, so that a handle that was
 * closed is not taken for a later one. Must never hand out more than HANDLES_MAX. */
#include "monitor/files/handles.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/facts.h"

#define SLOT_MASK       (HANDLES_MAX - 1u)
#define GENERATION_MOST (UINT32_MAX / HANDLES_MAX)

static int grow(struct handles *h)
{
    const size_t capacity = h->capacity == 0 ? 16 : h->capacity * 2;

    if (h->capacity >= HANDLES_MAX) {
        errno = EMFILE;
        return -1;
    }
    struct handle *slots = realloc(h->slots, capacity * sizeof(*slots));
    if (slots == NULL)
        return -1;
    memset(slots + h->capacity, 0, (capacity - h->capacity) * sizeof(*slots));
    h->cursor = h->capacity;
    h->slots = slots;
    h->capacity = capacity;
    return 0;
}

struct handle *handle_new(struct handles *h, enum handle_kind kind)
{
    if (h->open == h->capacity && grow(h) < 0)
        return NULL;
    while (h->slots[h->cursor].kind != HANDLE_FREE)
        h->cursor = (h->cursor + 1) % h->capacity;
    struct handle *slot = &h->slots[h->cursor];
    const uint32_t generation = slot->generation % GENERATION_MOST + 1;
    *slot = (struct handle){
        .kind = kind,
        .generation = generation,
        .id = generation * HANDLES_MAX + (uint32_t)h->cursor,
        .fd = -1,
        .parent = -1,
    };
    h->cursor = (h->cursor + 1) % h->capacity;
    h->open++;
    return slot;
}

struct handle *handle_find(const struct handles *h, uint32_t id)
{
    struct handle *slot = (id & SLOT_MASK) < h->capacity ? &h->slots[id & SLOT_MASK] : NULL;

    return slot != NULL && slot->kind != HANDLE_FREE && slot->id == id ? slot : NULL;
}

void handle_free(struct handles *h, struct handle *slot)
{
    if (slot->fd >= 0)
        close(slot->fd);
    if (slot->parent >= 0)
        close(slot->parent);
    free(slot->path);
    free(slot->name);
    free(slot->listing.buffer);
    *slot = (struct handle){.generation = slot->generation, .fd = -1, .parent = -1};
    h->open--;
}

struct handle *handle_next(const struct handles *h, const struct handle *after)
{
    for (size_t i = after != NULL ? (size_t)(after - h->slots) + 1 : 0; i < h->capacity; i++) {
        if (h->slots[i].kind != HANDLE_FREE)
            return &h->slots[i];
    }
    return NULL;
}

bool handle_writes(const struct handles *h, dev_t device, ino_t inode)
{
    for (const struct handle *s = handle_next(h, NULL); s != NULL; s = handle_next(h, s)) {
        if ((s->access & OPEN_WRITE) != 0 && s->device == device && s->inode == inode)
            return true;
    }
    return false;
}
