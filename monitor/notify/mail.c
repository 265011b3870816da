/* Writes messages. Called by main.c once a notice is rendered. Whatever stands in a header field is
 * either an address that was looked at, or goes through put_words: no text of anybody's can part a
 * line here or name a second recipient. */
#include "monitor/notify/mail.h"

#include <inttypes.h>
#include <string.h>

#include "common/base64.h"
#include "common/mailing.h"
#include "common/utf8.h"

#define LINE_MOST  998 /* RFC 5322, 2.1.1: bytes of a line */
#define PLAIN_MOST 60  /* of a subject that stands on its line as it is */
#define WORD_BYTES 39  /* in an encoded word: with its field a line of 76 (RFC 2047, 2) */
#define NAME_MOST  60  /* of the sender's name and address together on a line */
#define BASE64_ROW 57  /* bytes in a line of 76 letters (RFC 2045, 6.8) */

static bool is_plain(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < 0x20 || text.data[i] >= 0x7f)
            return false;
    }
    return true;
}

/* As many whole characters of the text as an encoded word takes. */
static size_t word_length(struct slice text)
{
    size_t n = text.len;

    if (n <= WORD_BYTES)
        return n;
    for (n = WORD_BYTES; n > WORD_BYTES - 4 && (text.data[n] & 0xc0) == 0x80;)
        n--;
    return n;
}

static void put_encoded(struct draft *out, struct slice text)
{
    char letters[BASE64_LENGTH(WORD_BYTES)];

    while (text.len > 0) {
        const size_t n = word_length(text);
        const size_t len = base64_encode(slice_of(text.data, n), letters);
        draft_print(out, "=?UTF-8?B?%.*s?=", (int)len, letters);
        text = slice_of(text.data + n, text.len - n);
        if (text.len > 0)
            draft_add(out, slice_text("\n "));
    }
}

/* Without line ends, and without what cannot be seen. */
static struct draft visible(struct slice text)
{
    struct draft clean = {0};
    uint32_t code;

    while (text.len > 0) {
        const struct slice c = utf8_take(&text, &code);
        draft_add(&clean, utf8_deceives(code) ? slice_text(" ") : c);
    }
    return clean;
}

/* As a phrase: in quotes (RFC 5322, 3.2.4). */
static void put_quoted(struct draft *out, struct slice text)
{
    draft_add(out, slice_text("\""));
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\')
            draft_add(out, slice_text("\\"));
        draft_add(out, slice_of(&text.data[i], 1));
    }
    draft_add(out, slice_text("\""));
}

/* The text of an unstructured field (RFC 5322, 2.2.1; RFC 2047, 5), or a phrase. */
static void put_words(struct draft *out, struct slice words, bool phrase)
{
    struct draft clean = visible(words);
    const struct slice text = draft_slice(&clean);

    if (text.len > PLAIN_MOST || !is_plain(text) ||
        (text.len > 0 && memmem(text.data, text.len, "=?", 2) != NULL))
        put_encoded(out, text);
    else if (phrase)
        put_quoted(out, text);
    else
        draft_add(out, text);
    out->bad |= clean.bad;
    draft_clear(&clean);
}

static void put_dates(const struct mail *mail, struct draft *out)
{
    struct tm local;
    char date[64];

    /* The words are the C locale's, which is the only one of this process. */
    if (localtime_r(&mail->date, &local) == NULL ||
        strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S %z", &local) == 0)
        out->bad = true;
    else
        draft_print(out, "Date: %s\n", date);
}

/* May the body go as it is? Not every way of mail takes eight bits (RFC 6152). */
static bool body_is_plain(struct slice body)
{
    size_t line = 0;

    for (size_t i = 0; i < body.len; i++) {
        const uint8_t c = body.data[i];
        if (c >= 0x7f || (c < 0x20 && c != '\n' && c != '\t'))
            return false;
        line = c == '\n' ? 0 : line + 1;
        if (line > LINE_MOST)
            return false;
    }
    return true;
}

/* In base64, with the line ends that texts have in mail (RFC 2045, 6.8). */
static void put_base64(struct draft *out, struct slice body)
{
    char letters[BASE64_LENGTH(BASE64_ROW) + 1];
    struct draft lines = {0};

    for (size_t i = 0; i < body.len; i++)
        draft_add(&lines, body.data[i] == '\n' ? slice_text("\r\n") : slice_of(&body.data[i], 1));
    for (size_t at = 0; at < lines.len; at += BASE64_ROW) {
        const size_t n = lines.len - at < BASE64_ROW ? lines.len - at : BASE64_ROW;
        const size_t len = base64_encode(slice_of(lines.data + at, n), letters);
        letters[len] = '\n';
        draft_add(out, slice_of(letters, len + 1));
    }
    out->bad |= lines.bad;
    draft_clear(&lines);
    explicit_bzero(letters, sizeof(letters));
}

const char *mail_write(const struct mail *mail, struct draft *out)
{
    const bool plain = body_is_plain(mail->body);

    if (!mail_address_is_good(slice_text(mail->to)))
        return "the recipient's address is none that is mailed to: name@domain, in ASCII";
    if (!mail_address_is_good(slice_text(mail->from)))
        return "the sender's address is no name@domain";
    put_dates(mail, out);
    draft_add(out, slice_text("From: "));
    const size_t start = out->len;
    if (mail->name[0] != '\0') {
        put_words(out, slice_text(mail->name), true);
        draft_add(out, slice_text(out->len - start + strlen(mail->from) > NAME_MOST ? "\n " : " "));
    }
    draft_print(out, "<%s>\nTo: %s\nSubject: ", mail->from, mail->to);
    put_words(out, mail->subject, false);
    draft_print(out, "\nMessage-ID: <sallyport.%" PRIu64 ".%016" PRIx64 "%s>\n", mail->number,
                mail->mark, strchr(mail->from, '@'));
    /* RFC 3834: no machine answers it. */
    draft_add(out, slice_text("Auto-Submitted: auto-generated\nMIME-Version: 1.0\n"));
    draft_print(out, "Content-Type: text/plain; charset=%s\nContent-Transfer-Encoding: %s\n\n",
                plain ? "us-ascii" : "UTF-8", plain ? "7bit" : "base64");
    if (plain)
        draft_add(out, mail->body);
    else
        put_base64(out, mail->body);
    return out->bad ? "no memory, or too long a message" : NULL;
}
