/* Is a new password easily guessed? Called by the hasher, before it hashes. The idea: people put
 * passwords together from pieces that are known (common_words.def), so a password is worth what the
 * cheapest way to put it together costs (password_rules.def), found from left to right: the cost of
 * each beginning is known before those that are longer. strength.js does the same, step for step;
 * what is changed here is changed there. It must never keep or tell any part of a password. */
#include "common/password_rules.h"

#include <sys/types.h>
#include <uchar.h>

#include "common/utf8.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum cost {
#define COST(name, tenths) COST_##name = (tenths),
#include "common/password_rules.def"
#undef COST
};

enum weakness {
#define WEAKNESS(name, text) WEAK_##name,
#include "common/password_rules.def"
#undef WEAKNESS
    WEAKNESS_COUNT
};

static const char *const sentences[] = {
#define WEAKNESS(name, text) text,
#include "common/password_rules.def"
#undef WEAKNESS
};

struct row {
    const char32_t *text;
    size_t len;
};

#define ROW(text) {U##text, COUNT(U##text) - 1},
static const struct row words[] = {
#define WORD(text) ROW(text)
#include "common/common_words.def"
#undef WORD
};

static const struct row walks[] = {
#define WALK(text) ROW(text)
#include "common/common_words.def"
#undef WALK
};

static const struct {
    char32_t first, last, distance;
} capitals[] = {
#define CASE(first, last, distance) {first, last, distance},
#include "common/password_rules.def"
#undef CASE
};

static const struct {
    char letter;
    struct row stand_in;
} likes[] = {
#define LIKE(letter, text) {letter, ROW(text)},
#include "common/password_rules.def"
#undef LIKE
};

static const struct {
    struct row marks, keys;
} shifted[] = {
#define SHIFTED(marks, keys) {ROW(marks) ROW(keys)},
#include "common/password_rules.def"
#undef SHIFTED
};

enum kind { SMALL, CAPITAL, DIGIT, MARK, OTHER };

/* A character, and what else it may be. */
struct character {
    char32_t code;    /* its small letter, where it has one */
    char32_t key;     /* what its key gives without Shift */
    uint32_t letters; /* that it may stand for: bit 0 is a */
    enum kind kind;
    bool capital, separator;
};

/* The cheapest way to a place, and how many characters each weakness has to do with. */
struct way {
    unsigned tenths;
    uint8_t covered[WEAKNESS_COUNT];
};

/* For each place two ways: by a piece that ends there, and by a character of no piece. */
struct judged {
    size_t len;
    struct character text[PASSWORD_JUDGED];
    struct way by_piece[PASSWORD_JUDGED + 1], by_character[PASSWORD_JUDGED + 1];
};

_Static_assert(PASSWORD_JUDGED <= UINT8_MAX, "a way counts its characters in a byte");

/* ---- characters --------------------------------------------------------------------------- */

static bool row_has(struct row row, char32_t code)
{
    for (size_t i = 0; i < row.len; i++) {
        if (row.text[i] == code)
            return true;
    }
    return false;
}

static enum kind kind_of(char32_t code)
{
    return code >= '0' && code <= '9'   ? DIGIT
           : code >= 'A' && code <= 'Z' ? CAPITAL
           : code >= 'a' && code <= 'z' ? SMALL
           : code < 0x80                ? MARK
                                        : OTHER;
}

static struct character character_of(char32_t code)
{
    struct character c = {.code = code, .kind = kind_of(code)};

    for (size_t i = 0; i < COUNT(capitals); i++) {
        if (code >= capitals[i].first && code <= capitals[i].last) {
            c.code += capitals[i].distance;
            c.capital = true;
        }
    }
    c.key = c.code;
    for (size_t i = 0; i < COUNT(shifted); i++) {
        for (size_t k = 0; k < shifted[i].marks.len; k++) {
            if (shifted[i].marks.text[k] == code)
                c.key = shifted[i].keys.text[k];
        }
    }
    for (size_t i = 0; i < COUNT(likes); i++) {
        if (row_has(likes[i].stand_in, c.code))
            c.letters |= 1u << (likes[i].letter - 'a');
    }
    if (c.code >= 'a' && c.code <= 'z')
        c.letters |= 1u << (c.code - 'a');
    c.separator = code == ' ' || code == '-' || code == '_' || code == '.';
    return c;
}

/* Take the text in. Returns how many characters it has, or -1: it is none. */
static ssize_t read_text(struct judged *j, struct slice password)
{
    size_t count = 0;

    for (; password.len > 0; count++) {
        uint32_t code;
        const size_t n = utf8_sequence(password, &code);
        if (n == 0 || code < 0x20 || code == 0x7f)
            return -1;
        if (count < PASSWORD_JUDGED)
            j->text[j->len++] = character_of(code);
        password = slice_of(password.data + n, password.len - n);
    }
    return (ssize_t)count;
}

/* ---- pieces ------------------------------------------------------------------------------- */

static const struct way *way_to(const struct judged *j, size_t at)
{
    return j->by_piece[at].tenths <= j->by_character[at].tenths ? &j->by_piece[at]
                                                                : &j->by_character[at];
}

/* A piece of the text costs no more than this. */
static void piece(struct judged *j, size_t at, size_t len, unsigned tenths, enum weakness weakness)
{
    const struct way *from = way_to(j, at);
    struct way *to = &j->by_piece[at + len];

    if (from->tenths + tenths >= to->tenths)
        return;
    *to = *from;
    to->tenths += tenths;
    to->covered[weakness] = (uint8_t)(to->covered[weakness] + len);
}

/* How many characters from here (back: to here, backwards) are this word, with what they cost
 * beyond it; 0: they are another. */
static size_t word_length(const struct judged *j, size_t at, bool back, const struct row *word,
                          unsigned *more)
{
    const size_t room = back ? at + 1 : j->len - at;
    bool capital = false;
    size_t used = 0;

    *more = back ? COST_BACKWARDS : 0;
    for (size_t i = 0; i < word->len; i++) {
        const char32_t want = word->text[i];
        const struct character *c = used == room ? NULL : &j->text[back ? at - used : at + used];
        if (want == ' ') {
            used += c != NULL && c->separator;
            continue;
        }
        const bool letter = want >= 'a' && want <= 'z';
        if (c == NULL || (letter ? (c->letters >> (want - 'a') & 1) == 0 : c->code != want))
            return 0;
        *more += c->code != want ? COST_LIKENESS : 0;
        if (c->code == want && c->kind != DIGIT && c->kind != MARK) {
            *more += c->capital != capital ? COST_CAPITALS : 0;
            capital = c->capital;
        }
        used++;
    }
    return used;
}

static void find_words(struct judged *j, size_t at)
{
    const struct character *c = &j->text[at];

    for (size_t i = 0; i < COUNT(words); i++) {
        const char32_t first = words[i].text[0];
        unsigned more;
        if (first >= 'a' && first <= 'z' ? (c->letters >> (first - 'a') & 1) == 0
                                         : c->code != first)
            continue;
        size_t len = word_length(j, at, false, &words[i], &more);
        if (len > 0)
            piece(j, at, len, COST_WORD + more, WEAK_WORDS);
        len = word_length(j, at, true, &words[i], &more);
        if (len > 0)
            piece(j, at + 1 - len, len, COST_WORD + more, WEAK_WORDS);
    }
}

/* How far the text from here goes along a row from this place of it, up or down. */
static size_t walk_length(const struct judged *j, size_t at, struct row row, size_t place,
                          bool down)
{
    size_t len = 0;

    while (at + len < j->len && (down ? len <= place : place + len < row.len) &&
           row.text[down ? place - len : place + len] == j->text[at + len].key)
        len++;
    return len;
}

static void find_walk(struct judged *j, size_t at)
{
    size_t longest = 0;

    for (size_t i = 0; i < COUNT(walks); i++) {
        for (size_t place = 0; place < walks[i].len; place++) {
            if (walks[i].text[place] != j->text[at].key)
                continue;
            const size_t up = walk_length(j, at, walks[i], place, false);
            const size_t down = walk_length(j, at, walks[i], place, true);
            longest = up > longest ? up : longest;
            longest = down > longest ? down : longest;
        }
    }
    for (size_t len = PASSWORD_WALK_LEAST; len <= longest; len++)
        piece(j, at, len, COST_WALK, WEAK_WALK);
}

/* What stands before, again. */
static void find_again(struct judged *j, size_t at)
{
    for (size_t period = 1; period <= at && period <= PASSWORD_PERIOD; period++) {
        for (size_t len = 1; at + len <= j->len; len++) {
            if (j->text[at + len - 1].code != j->text[at + len - 1 - period].code)
                break;
            if (len >= period)
                piece(j, at, len, COST_AGAIN, WEAK_AGAIN);
        }
    }
}

static void find_number(struct judged *j, size_t at)
{
    unsigned number = 0;

    for (size_t len = 1; len <= 4 && at + len <= j->len; len++) {
        const struct character *c = &j->text[at + len - 1];
        if (c->kind != DIGIT)
            return;
        number = number * 10 + (c->code - '0');
        if (len == 2 && number > 0 && number <= PASSWORD_DAY_LAST)
            piece(j, at, len, COST_DAY, WEAK_NUMBER);
        if (len == 4 && number >= PASSWORD_YEAR_FIRST && number <= PASSWORD_YEAR_LAST)
            piece(j, at, len, COST_YEAR, WEAK_NUMBER);
    }
}

/* What is in no piece, a character at a time. */
static void take_character(struct judged *j, size_t at)
{
    static const unsigned costs[] = {[SMALL] = COST_LETTER,
                                     [CAPITAL] = COST_LETTER,
                                     [DIGIT] = COST_DIGIT,
                                     [MARK] = COST_MARK,
                                     [OTHER] = COST_OTHER};
    const struct character *c = &j->text[at];
    const unsigned tenths = c->separator ? COST_SEPARATOR : costs[c->kind];
    const struct way *from = &j->by_piece[at], *character = &j->by_character[at];
    unsigned change = 0;

    if (at > 0 && c->kind != c[-1].kind && !c->separator && !c[-1].separator)
        change = COST_CHANGE;
    if (character->tenths + change < from->tenths)
        from = character;
    else
        change = 0;
    j->by_character[at + 1] = *from;
    j->by_character[at + 1].tenths += tenths + change;
    if (c->kind == DIGIT)
        j->by_character[at + 1].covered[WEAK_NUMBER]++;
}

/* ---- the judgement ------------------------------------------------------------------------ */

/* What a text of few different characters costs; as good as endless where they are more. */
static unsigned cost_of_few(const struct judged *j)
{
    size_t different = 0;

    for (size_t i = 0; i < j->len; i++) {
        size_t k = 0;
        while (j->text[k].code != j->text[i].code)
            k++;
        different += k == i;
    }
    return different > PASSWORD_FEW
               ? UINT16_MAX
               : (unsigned)different * COST_FEW_EACH + (unsigned)j->len * COST_FEW_NEXT;
}

static struct password_judgement cheapest(struct judged *j)
{
    /* No way leads anywhere at first, but the beginning: a sum of this and a cost still fits. */
    for (size_t i = 0; i <= j->len; i++)
        j->by_piece[i].tenths = j->by_character[i].tenths = UINT16_MAX;
    j->by_piece[0].tenths = 0;
    for (size_t at = 0; at < j->len; at++) {
        find_words(j, at);
        find_walk(j, at);
        find_again(j, at);
        find_number(j, at);
        take_character(j, at);
    }
    const struct way *way = way_to(j, j->len);
    const unsigned few = cost_of_few(j);
    struct password_judgement result = {.tenths = few < way->tenths ? few : way->tenths};
    enum weakness most = WEAK_FEW;
    for (size_t i = 0; i < WEAKNESS_COUNT && few >= way->tenths; i++)
        most = way->covered[i] > way->covered[most] ? (enum weakness)i : most;
    if (result.tenths < COST_ENOUGH)
        result.weakness = sentences[most];
    return result;
}

struct password_judgement password_judge(struct slice password)
{
    struct password_judgement result = {.weakness = NULL};
    struct judged j = {.len = 0};

    if (password.len > PASSWORD_MOST_BYTES) {
        result.weakness = sentences[WEAK_LONG];
        return result;
    }
    const ssize_t count = read_text(&j, password);
    if (count < 0)
        result.weakness = sentences[WEAK_NO_TEXT];
    else if (count < PASSWORD_SHORTEST)
        result.weakness = sentences[WEAK_SHORT];
    else
        result = cheapest(&j);
    explicit_bzero(&j, sizeof(j));
    return result;
}

const char *password_weakness(struct slice password)
{
    return password_judge(password).weakness;
}
