/* JSON for the API's answers. Called for every entry of a listing; must never write a text that
 * ends early, whatever bytes a name has. */
#include "https-worker/json_out.h"

#include "common/calendar.h"
#include "common/utf8.h"

static void separate(struct json_out *j)
{
    if (j->comma)
        writer_text(j->writer, ",");
    j->comma = true;
}

void json_open(struct json_out *j, char bracket)
{
    separate(j);
    writer_put(j->writer, slice_of(&bracket, 1));
    j->comma = false;
}

void json_close(struct json_out *j, char bracket)
{
    writer_put(j->writer, slice_of(&bracket, 1));
    j->comma = true;
}

/* What may not stand in a string as it is (RFC 8259, 7), and the line ends of old JavaScript. */
static bool must_escape(uint32_t code)
{
    return code < 0x20 || code == '"' || code == '\\' || code == 0x2028 || code == 0x2029;
}

static void escape(struct writer *w, uint32_t code)
{
    static const char digits[] = "0123456789abcdef";
    static const char named[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    char text[6] = {'\\', 'u'};

    for (size_t i = 0; i + 1 < sizeof(named); i += 2) {
        if (code == (uint32_t)named[i]) {
            text[1] = named[i + 1];
            writer_put(w, slice_of(text, 2));
            return;
        }
    }
    for (size_t i = 0; i < 4; i++)
        text[5 - i] = digits[code >> (4 * i) & 15];
    writer_put(w, slice_of(text, sizeof(text)));
}

/* Returns false when the text is no UTF-8. */
static bool put_string(struct writer *w, struct slice text)
{
    bool whole = true;
    uint32_t code;

    writer_text(w, "\"");
    for (;;) {
        size_t plain = 0; /* most of most names */
        while (plain < text.len && text.data[plain] < 0x80 && !must_escape(text.data[plain]))
            plain++;
        writer_put(w, slice_take(&text, plain));
        if (text.len == 0)
            break;
        const struct slice character = utf8_take(&text, &code);
        whole = whole && code != UTF8_NONE;
        if (must_escape(code))
            escape(w, code);
        else
            writer_put(w, character);
    }
    writer_text(w, "\"");
    return whole;
}

void json_key(struct json_out *j, const char *key)
{
    separate(j);
    put_string(j->writer, slice_text(key));
    writer_text(j->writer, ":");
    j->comma = false;
}

void json_text(struct json_out *j, struct slice text)
{
    separate(j);
    put_string(j->writer, text);
}

void json_name(struct json_out *j, const char *key, struct slice name)
{
    json_key(j, key);
    separate(j);
    if (put_string(j->writer, name))
        return;
    json_key(j, "raw");
    separate(j);
    writer_text(j->writer, "\"");
    writer_base64(j->writer, name);
    writer_text(j->writer, "\"");
}

void json_number(struct json_out *j, uint64_t number)
{
    separate(j);
    writer_number(j->writer, number);
}

void json_bool(struct json_out *j, bool value)
{
    separate(j);
    writer_text(j->writer, value ? "true" : "false");
}

void json_nothing(struct json_out *j)
{
    separate(j);
    writer_text(j->writer, "null");
}

void json_time(struct json_out *j, int64_t ns)
{
    const int64_t part = NANO / 1000, ms = ns / part - (ns % part < 0);
    const uint64_t size = ms < 0 ? (uint64_t)-ms : (uint64_t)ms;
    const char digits[] = {'.', (char)('0' + size / 100 % 10), (char)('0' + size / 10 % 10),
                           (char)('0' + size % 10)};

    separate(j);
    writer_text(j->writer, ms < 0 ? "-" : "");
    writer_number(j->writer, size / 1000);
    writer_put(j->writer, slice_of(digits, sizeof(digits)));
}
