/* Ranges of bytes. Called for GET after its conditions; must never name a byte that the file has
 * not, nor the same byte twice. */
#include "https-worker/range.h"

/* A position: digits, however many; what is larger than any file is as good as its end. */
static bool take_position(struct slice text, uint64_t *position)
{
    if (number_of(text, position))
        return true;
    *position = UINT64_MAX;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    }
    return text.len > 0;
}

/* "5-9", "5-", "-5" (RFC 9110, 14.1.2). 1: it lies in the file; 0: it does not; -1: it is none. */
static int take_spec(struct slice text, uint64_t size, struct range *range)
{
    const struct slice before = slice_until(&text, '-');
    uint64_t first, last = UINT64_MAX;

    if (!slice_skip(&text, "-"))
        return -1;
    if (before.len == 0) {
        if (!take_position(text, &last))
            return -1;
        *range = (struct range){.first = last < size ? size - last : 0, .last = size - 1};
        return last > 0;
    }
    if (!take_position(before, &first) || (text.len > 0 && !take_position(text, &last)) ||
        last < first)
        return -1;
    *range = (struct range){.first = first, .last = last < size ? last : size - 1};
    return first < size;
}

static bool touch(const struct range *a, const struct range *b)
{
    const struct range *low = a->first <= b->first ? a : b, *high = low == a ? b : a;

    return high->first <= low->last || high->first - low->last <= RANGE_GAP;
}

/* Add one; what it touches is joined with it and stands where the first of them stood. */
static void join(struct ranges *ranges, struct range range)
{
    struct range *list = ranges->list;
    size_t place = ranges->count;

    for (size_t i = 0; i < ranges->count;) {
        if (!touch(&list[i], &range)) {
            i++;
            continue;
        }
        range.first = list[i].first < range.first ? list[i].first : range.first;
        range.last = list[i].last > range.last ? list[i].last : range.last;
        memmove(list + i, list + i + 1, (--ranges->count - i) * sizeof(list[0]));
        place = i < place ? i : place;
        i = 0; /* it is larger now, and may touch what was passed over */
    }
    memmove(list + place + 1, list + place, (ranges->count - place) * sizeof(list[0]));
    list[place] = range;
    ranges->count++;
}

enum range_result range_parse(struct slice value, uint64_t size, struct ranges *ranges)
{
    struct slice spec;
    struct range range;
    size_t asked = 0;

    ranges->count = 0;
    if (!slice_same(slice_until(&value, '='), slice_text("bytes")) || !slice_skip(&value, "="))
        return RANGE_WHOLE;
    while (list_next(&value, &spec)) {
        const int good = take_spec(spec, size, &range);
        if (good < 0 || ++asked > RANGES_MAX)
            return RANGE_WHOLE;
        if (good > 0 && size > 0)
            join(ranges, range);
        else if (good > 0) /* the last bytes of nothing: all of it, which no range can say */
            return RANGE_WHOLE;
    }
    if (asked == 0)
        return RANGE_WHOLE;
    return ranges->count > 0 ? RANGE_PARTS : RANGE_NONE;
}

/* ---- answers -------------------------------------------------------------------------------- */
void content_range_write(struct writer *w, const struct range *range, uint64_t size)
{
    writer_text(w, "bytes ");
    if (range != NULL) {
        writer_number(w, range->first);
        writer_text(w, "-");
        writer_number(w, range->last);
    } else {
        writer_text(w, "*");
    }
    writer_text(w, "/");
    writer_number(w, size);
}

void byteranges_type(struct writer *w, const struct byteranges *b)
{
    writer_text(w, "multipart/byteranges; boundary=");
    writer_text(w, b->boundary);
}

void byteranges_head(struct writer *w, const struct byteranges *b, size_t i)
{
    writer_text(w, i > 0 ? "\r\n--" : "--");
    writer_text(w, b->boundary);
    if (i == b->ranges->count) {
        writer_text(w, "--\r\n");
        return;
    }
    writer_text(w, "\r\nContent-Type: ");
    writer_text(w, b->type);
    writer_text(w, "\r\nContent-Range: ");
    content_range_write(w, &b->ranges->list[i], b->size);
    writer_text(w, "\r\n\r\n");
}

uint64_t byteranges_length(const struct byteranges *b)
{
    uint64_t length = 0;

    for (size_t i = 0; i <= b->ranges->count; i++) {
        char head[BYTERANGES_HEAD_MAX];
        struct writer w = writer_of(head, sizeof(head));
        byteranges_head(&w, b, i);
        length += w.len;
        length += i < b->ranges->count ? range_length(&b->ranges->list[i]) : 0;
    }
    return length;
}
