/* The table of what a client has open. A handle is four opaque bytes to the client: the place in
 * the table and the place's generation, so that a handle that was given back names nothing. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "sftp-worker/engine.h"

#define PLACE_BITS 10
#define NO_PLACE   UINT32_MAX
_Static_assert(SFTP_HANDLES_MAX <= 1 << PLACE_BITS, "a place fits a handle's bits");

/* More places: twice as many, from 8. Returns 0, or -1 with errno. */
static int grow(struct handles *handles)
{
    const uint32_t least = handles->count == 0 ? 8 : handles->count * 2;
    const uint32_t count = least < SFTP_HANDLES_MAX ? least : SFTP_HANDLES_MAX;

    if (handles->count == SFTP_HANDLES_MAX) {
        errno = EMFILE;
        return -1;
    }
    struct handle *all = realloc(handles->all, count * sizeof(*all));
    if (all == NULL)
        return -1;
    for (uint32_t i = handles->count; i < count; i++)
        all[i] = (struct handle){.fd = -1, .next_free = i + 1 < count ? i + 1 : NO_PLACE};
    handles->all = all;
    handles->first_free = handles->count;
    handles->count = count;
    return 0;
}

struct handle *handle_new(struct handles *handles)
{
    if (handles->open == handles->count && grow(handles) < 0)
        return NULL;
    struct handle *handle = &handles->all[handles->first_free];
    handles->first_free = handle->next_free;
    handles->open++;
    *handle = (struct handle){.generation = handle->generation + 1, .fd = -1};
    return handle;
}

uint32_t handle_number(const struct handles *handles, const struct handle *handle)
{
    return handle->generation << PLACE_BITS | (uint32_t)(handle - handles->all);
}

struct handle *handle_find(struct handles *handles, struct slice bytes, enum handle_kind kind)
{
    struct wire w = wire_of(bytes);
    const uint32_t number = wire_u32(&w);
    const uint32_t place = number & ((1u << PLACE_BITS) - 1);

    if (!wire_done(&w) || place >= handles->count)
        return NULL;
    struct handle *handle = &handles->all[place];
    if (handle->kind == HANDLE_NONE || handle_number(handles, handle) != number)
        return NULL;
    return kind == HANDLE_ANY || kind == handle->kind ? handle : NULL;
}

void handle_release(struct handles *handles, struct handle *handle)
{
    if (handle->fd >= 0)
        close(handle->fd);
    free(handle->listing);
    *handle = (struct handle){
        .generation = handle->generation, .fd = -1, .next_free = handles->first_free};
    handles->first_free = (uint32_t)(handle - handles->all);
    handles->open--;
}
