/* New passwords: those that people take are refused, whatever they do to them; those that are good
 * never are, or so seldom as is measured here. With the argument `judge` it answers lines of
 * hexadecimal digits, a password each, with tenths of bits and weakness: tests/page asks it what
 * the page should say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/password_rules.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- for tests/page ----------------------------------------------------------------------- */

static int digit_of(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = c != '\0' ? strchr(digits, c) : NULL;

    return found != NULL ? (int)(found - digits) : -1;
}

static int answer_lines(void)
{
    static char line[8192];
    static uint8_t bytes[sizeof(line) / 2];

    while (fgets(line, sizeof(line), stdin) != NULL) {
        const size_t len = strcspn(line, "\n") / 2;
        for (size_t i = 0; i < len; i++) {
            const int high = digit_of(line[2 * i]), low = digit_of(line[2 * i + 1]);
            if (high < 0 || low < 0)
                return EXIT_FAILURE;
            bytes[i] = (uint8_t)(high * 16 + low);
        }
        const struct password_judgement j = password_judge(slice_of(bytes, len));
        printf("%u %s\n", j.tenths, j.weakness != NULL ? j.weakness : "");
    }
    return ferror(stdin) || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- what people take ------------------------------------------------------------------------ */

/* A part of a sentence is its name here. */
#define WORDS    "words that many take"
#define KEYS     "keys side by side"
#define AGAIN    "the same again"
#define NUMBERS  "a date or a number"
#define DIFFERS  "few different"
#define TOO_LESS "fewer than 12"
#define TOO_MUCH "more than 511"
#define NO_TEXT  "no text"

struct expected {
    const char *password, *says; /* NULL: good */
};

static void check(const struct expected *each, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *why = password_weakness(slice_text(each[i].password));
        if (each[i].says == NULL ? why != NULL : why == NULL || strstr(why, each[i].says) == NULL)
            fail_msg("\"%s\": %s", each[i].password, why != NULL ? why : "good");
    }
}

static void common_ones(void **state)
{
    static const struct expected each[] = {
        {"password1234", WORDS},
        {"Password123!", WORDS},
        {"P@ssw0rd2024", WORDS},
        {"Pa$$w0rd2024!", WORDS},
        {"drowssap1234", WORDS},
        {"321drowssaP!", WORDS},
        {"administrator1", WORDS},
        {"Administrator!", WORDS},
        {"welcome12345", WORDS},
        {"changeme1234", WORDS},
        {"letmein12345", WORDS},
        {"iloveyouforever", WORDS},
        {"ILoveYouForever", WORDS},
        {"I.love.you.forever", WORDS},
        {"manchesterunited", WORDS},
        {"Harley-Davidson1", WORDS},
        {"unbelievable", WORDS},
        {"christopher1", WORDS},
        {"summer2024!!", WORDS},
        {"correct horse battery staple", WORDS},
        {"correcthorsebatterystaple1", WORDS},
        {"dragonMonkey99", WORDS},
        {"DragonMonkeySummer", WORDS},
        {"dragon-monkey-7", WORDS},
        {"passwordpassword1", WORDS},
        {"hello123hello", WORDS},
        {"Contraseña2024", WORDS},
        {"ПАРОЛЬ123456", WORDS},
        {"m0td3p4ss3123", WORDS},
        {"ichliebedich1", WORDS},
        {"sallyport2024", WORDS},
        {"dragonqxvzkj", WORDS},
        {"qwertyuiop12", KEYS},
        {"QWERTYUIOP[]", KEYS},
        {"qwertzuiop123", KEYS},
        {"azertyuiop123", KEYS},
        {"1qaz2wsx3edc", KEYS},
        {"1QAZ@WSX#EDC", KEYS},
        {"!QAZ2wsx3EDC", KEYS},
        {"1q2w3e4r5t6y", KEYS},
        {"zxcvbnm,./12", KEYS},
        {"123456789012", KEYS},
        {"098765432109", KEYS},
        {"abcdefghijkl", KEYS},
        {"zyxwvutsrqponm", KEYS},
        {"aabbccddeeff", KEYS},
        {"!@#$%^&*()_+", KEYS},
        {"йцукенгшщзхъ", KEYS},
        {"абвгдежзийкл", KEYS},
        {"аааааааааааа", AGAIN},
        {"111111111111", AGAIN},
        {"abcabcabcabc", AGAIN},
        {"passwordpasswordpassword", AGAIN},
        {"LoveLoveLove", AGAIN},
        {"!!!!!!!!!!!!", AGAIN},
        {"日本日本日本日本日本日本", AGAIN},
        {"Anna 12.03.1987", NUMBERS},
        {"198702121987", NUMBERS},
        {"491573820461", NUMBERS},
        {"kzpkpzkzpzkp", DIFFERS},
    };

    (void)state;
    check(each, COUNT(each));
}

static void good_ones(void **state)
{
    static const struct expected each[] = {
        {"kX9#mQ2zLp0v", NULL},
        {"qjxwvkzpmtrb", NULL},
        {"Tr0ub4dor&3xkcd", NULL},
        {"gravel oyster tundra", NULL},
        {"graveloystertundra", NULL},
        {"dragon monkey summer winter", NULL}, /* all four in the list */
        {"kzpkwpzkwzpw", NULL},                /* four different characters: hardly */
        {"dragonmonkeysummerwinter", NULL},
        {"my dog likes to bark at the mailman", NULL},
        {"Wer reitet so spät durch Nacht und Wind", NULL},
        {"Мой дядя самых честных правил", NULL},
        {"古池や蛙飛びこむ水の音", TOO_LESS},
        {"古池や蛙飛びこむ水の音よ", NULL},
        {"😀🐎🔋📎🌵🎻🧊🦑🚲🥑🪁🧲", NULL},
    };

    (void)state;
    check(each, COUNT(each));
}

/* Characters are counted, not bytes; and what no client can send is none. */
static void forms(void **state)
{
    static const struct expected each[] = {
        {"", TOO_LESS},
        {"kX9#mQ2zLp0", TOO_LESS},
        {"ïéüßøåçñžłğ", TOO_LESS},
        {"ïéüßøåçñžłğý", NULL},
        {"kX9#mQ2z\tLp0v", NO_TEXT},
        {"kX9#mQ2zLp0v\n", NO_TEXT},
        {"kX9#mQ2z\x7fLp0v", NO_TEXT},
        {"kX9#mQ2z\xffLp0v", NO_TEXT},
        {"kX9#mQ2zLp0v\xc3", NO_TEXT},
        {"kX9#mQ2z\xc0\xafLp0v", NO_TEXT},
        {"kX9#mQ2z\xed\xa0\x80Lp0v", NO_TEXT},
        {"\x01", NO_TEXT},
    };
    char longest[PASSWORD_MOST_BYTES + 1];

    (void)state;
    check(each, COUNT(each));
    assert_non_null(password_weakness(slice_of("kX9#mQ2z\0Lp0v", 13)));
    assert_non_null(password_weakness(slice_of(NULL, 0)));
    for (size_t i = 0; i < sizeof(longest); i++)
        longest[i] = "kX9#mQ2zLp0vJ-hR7"[i % 17] + (char)(i / 17 % 3);
    assert_null(password_weakness(slice_of(longest, PASSWORD_MOST_BYTES)));
    const char *why = password_weakness(slice_of(longest, sizeof(longest)));
    assert_true(why != NULL && strstr(why, TOO_MUCH) != NULL);
}

/* ---- the tables ------------------------------------------------------------------------------ */

static const char *const words[] = {
#define WORD(text) text,
#include "common/common_words.def"
#undef WORD
};

static const char *const walks[] = {
#define WALK(text) text,
#include "common/common_words.def"
#undef WALK
};

static void sentences(void **state)
{
    static const char *const each[] = {
#define WEAKNESS(name, text) text,
#include "common/password_rules.def"
#undef WEAKNESS
    };
    static const char *const parts[] = {TOO_LESS, TOO_MUCH, NO_TEXT, WORDS,
                                        KEYS,     AGAIN,    NUMBERS, DIFFERS};
    char number[32];

    (void)state;
    assert_int_equal(COUNT(each), COUNT(parts));
    for (size_t i = 0; i < COUNT(each); i++) {
        assert_non_null(strstr(each[i], parts[i]));
        assert_true(strlen(each[i]) <= 255); /* hashed.weak in messages.def */
    }
    snprintf(number, sizeof(number), "fewer than %d characters", (int)PASSWORD_SHORTEST);
    assert_non_null(strstr(each[0], number));
    snprintf(number, sizeof(number), "more than %d bytes", (int)PASSWORD_MOST_BYTES);
    assert_non_null(strstr(each[1], number));
}

/* Small letters, spaces only inside, none twice; and what a script reads of them has no escapes. */
static void lists(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(words); i++) {
        const size_t len = strlen(words[i]);
        assert_true(len >= 3 && words[i][0] != ' ' && words[i][len - 1] != ' ');
        assert_null(strpbrk(words[i], "ABCDEFGHIJKLMNOPQRSTUVWXYZ\"\\`$"));
        assert_null(strstr(words[i], "  "));
        for (size_t k = 0; k < i; k++) {
            if (strcmp(words[i], words[k]) == 0)
                fail_msg("\"%s\" stands there twice", words[i]);
        }
    }
    for (size_t i = 0; i < COUNT(walks); i++)
        assert_null(strpbrk(walks[i], "ABCDEFGHIJKLMNOPQRSTUVWXYZ\"\\` $"));
}

struct text {
    char bytes[512];
    size_t len;
};

static void add(struct text *t, const char *bytes, size_t len)
{
    assert_true(t->len + len < sizeof(t->bytes));
    memcpy(t->bytes + t->len, bytes, len);
    t->len += len;
    t->bytes[t->len] = '\0';
}

static void add_text(struct text *t, const char *text)
{
    add(t, text, strlen(text));
}

/* As people change a word; only ASCII is. */
enum change {
    AS_IT_IS,
    FIRST_CAPITAL,
    ALL_CAPITALS,
    DIGITS_FOR_LETTERS,
    REVERSED,
    NO_SPACES,
    CHANGES
};

static void add_changed(struct text *t, const char *word, enum change change)
{
    static const char from[] = "aeiost", to[] = "431057";
    const size_t len = strlen(word);

    for (size_t i = 0; i < len; i++) {
        char c = word[change == REVERSED ? len - 1 - i : i];
        const char *found = strchr(from, c);
        if (change == DIGITS_FOR_LETTERS && found != NULL)
            c = to[found - from];
        if ((change == ALL_CAPITALS || (change == FIRST_CAPITAL && i == 0)) && c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        if (change != NO_SPACES || c != ' ')
            add(t, &c, 1);
    }
}

static bool is_ascii(const char *text)
{
    while (*text != '\0') {
        if ((uint8_t)*text++ >= 0x80)
            return false;
    }
    return true;
}

/* No word of the list makes a password, whatever is done to it and behind it. */
static void every_word(void **state)
{
    static const char *const tails[] = {"",      "123456789", "2024!",
                                        "1987.", "!!!!!!!!!", "-12.03.87"};

    (void)state;
    for (size_t i = 0; i < COUNT(words); i++) {
        for (int change = 0; change < CHANGES; change++) {
            struct text t = {.len = 0};
            if (change != AS_IT_IS && !is_ascii(words[i]))
                continue;
            add_changed(&t, words[i], (enum change)change);
            add_text(&t, tails[(i + (size_t)change) % COUNT(tails)]);
            if (password_weakness(slice_text(t.bytes)) == NULL)
                fail_msg("\"%s\" is good", t.bytes);
        }
    }
}

static void every_walk(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(walks); i++) {
        struct text t = {.len = 0}, back = {.len = 0};
        add_text(&t, walks[i]);
        add_text(&t, walks[i]);
        add_text(&t, "123456");
        if (password_weakness(slice_text(t.bytes)) == NULL)
            fail_msg("\"%s\" is good", t.bytes);
        if (!is_ascii(walks[i]))
            continue;
        add_changed(&back, walks[i], REVERSED);
        add_text(&back, "123456");
        if (password_weakness(slice_text(back.bytes)) == NULL)
            fail_msg("\"%s\" is good", back.bytes);
    }
}

/* ---- how often what is good is refused ------------------------------------------------------- */

static uint32_t dice; /* xorshift: the same throws in every run */

static uint32_t throw_dice(size_t sides)
{
    dice ^= dice << 13;
    dice ^= dice >> 17;
    dice ^= dice << 5;
    return (uint32_t)(((uint64_t)dice * sides) >> 32);
}

#define THROWS 1000

/* Make many, tell how many are refused, and hold it to a bound: so many of THROWS. */
static void measure(const char *what, void (*make)(struct text *t, const void *of), const void *of,
                    unsigned least, unsigned most)
{
    unsigned refused = 0;

    dice = 2463534242;
    for (unsigned i = 0; i < THROWS; i++) {
        struct text t = {.len = 0};
        make(&t, of);
        refused += password_weakness(slice_of(t.bytes, t.len)) != NULL;
    }
    print_message("%s: %u of %d refused\n", what, refused, THROWS);
    assert_in_range(refused, least, most);
}

struct kit {
    const char *letters;
    size_t length;
};

static void random_characters(struct text *t, const void *of)
{
    const struct kit *kit = of;

    while (t->len < kit->length)
        add(t, &kit->letters[throw_dice(strlen(kit->letters))], 1);
}

#define SMALL    "abcdefghijklmnopqrstuvwxyz"
#define CAPITALS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS   "0123456789"
#define MARKS    " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

/* In 300,000 each: small letters 0.02 %, letters and digits 0.01 %, all marks too 0.1 %. What is
 * below 50 bits by itself is another matter: 12 hexadecimal digits 4 %, 12 digits (40 bits) all. */
static void random_ones(void **state)
{
    static const struct {
        const char *what;
        struct kit kit;
        unsigned least, most;
    } each[] = {
        {"12 small letters", {SMALL, 12}, 0, 3},
        {"12 letters and digits", {SMALL CAPITALS DIGITS, 12}, 0, 3},
        {"12 letters, digits and marks", {SMALL CAPITALS DIGITS MARKS, 12}, 0, 9},
        {"16 letters, digits and marks", {SMALL CAPITALS DIGITS MARKS, 16}, 0, 0},
        {"12 hexadecimal digits", {DIGITS "abcdef", 12}, 1, THROWS / 15},
        {"16 hexadecimal digits", {DIGITS "abcdef", 16}, 0, 1},
        {"12 digits", {DIGITS, 12}, THROWS, THROWS},
        {"16 digits", {DIGITS, 16}, 0, THROWS / 40},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(each); i++)
        measure(each[i].what, random_characters, &each[i].kit, each[i].least, each[i].most);
}

/* A small dictionary; a sixth of it is in the list of common words too. */
static const char *const dictionary[] = {
    "acorn",   "anchor",  "apron",  "arch",    "ash",      "attic",   "badge",   "bagel",
    "bamboo",  "barn",    "basket", "beaver",  "bench",    "berry",   "birch",   "blanket",
    "bottle",  "brick",   "bridge", "broom",   "bucket",   "button",  "cabin",   "cactus",
    "candle",  "canoe",   "carpet", "carrot",  "castle",   "cellar",  "chalk",   "cherry",
    "chimney", "cider",   "clay",   "cliff",   "clock",    "clover",  "coral",   "cotton",
    "cradle",  "crane",   "crumb",  "cushion", "daisy",    "desk",    "donkey",  "dragon",
    "drawer",  "drum",    "eagle",  "easel",   "elbow",    "ember",   "engine",  "fabric",
    "falcon",  "feather", "fence",  "fern",    "fiddle",   "flute",   "fog",     "forest",
    "fork",    "fossil",  "garlic", "gate",    "giraffe",  "glove",   "goose",   "gravel",
    "guitar",  "hammer",  "harbor", "hazel",   "hedge",    "helmet",  "herring", "hinge",
    "honey",   "horse",   "icicle", "inkwell", "island",   "ivory",   "jacket",  "jar",
    "jelly",   "jigsaw",  "kayak",  "kettle",  "kitchen",  "kite",    "ladder",  "lantern",
    "lemon",   "lentil",  "lever",  "lobster", "locket",   "magnet",  "maple",   "marble",
    "meadow",  "mirror",  "mitten", "monkey",  "moss",     "mustard", "napkin",  "needle",
    "nettle",  "oak",     "oar",    "olive",   "onion",    "orchard", "otter",   "oven",
    "oyster",  "paddle",  "pebble", "pencil",  "pepper",   "piano",   "pigeon",  "pillow",
    "plank",   "plum",    "pocket", "pond",    "poplar",   "potato",  "prism",   "pumpkin",
    "quarry",  "quill",   "quilt",  "raft",    "raisin",   "ribbon",  "river",   "robin",
    "rocket",  "rooster", "rope",   "saddle",  "sail",     "salmon",  "sand",    "saucer",
    "scarf",   "shovel",  "silver", "sleet",   "sock",     "spade",   "sparrow", "spoon",
    "squid",   "stove",   "summer", "swan",    "table",    "tailor",  "teapot",  "thimble",
    "thistle", "thorn",   "tiger",  "timber",  "toast",    "tractor", "trout",   "trumpet",
    "tulip",   "tundra",  "turnip", "turtle",  "umbrella", "urn",     "valley",  "velvet",
    "violin",  "wagon",   "walnut", "walrus",  "wasp",     "willow",  "window",  "winter",
    "wolf",    "wool",    "yarn",   "yeast",   "zebra",    "zipper",
};

/* All different. */
static void four_words(struct text *t, const void *between)
{
    for (int i = 0; i < 4; i++) {
        add_text(t, i > 0 ? between : "");
        add_text(t, dictionary[throw_dice(COUNT(dictionary) / 4) * 4 + (size_t)i]);
    }
}

static void four_common_words(struct text *t, const void *between)
{
    for (int i = 0; i < 4; i++) {
        add_text(t, i > 0 ? between : "");
        add_text(t, words[throw_dice(COUNT(words))]);
    }
}

static void three_common_words(struct text *t, const void *between)
{
    for (int i = 0; i < 3; i++) {
        add_text(t, i > 0 ? between : "");
        add_text(t, words[throw_dice(COUNT(words))]);
    }
}

static void sentence(struct text *t, const void *of)
{
    static const char *const who[] = {"my aunt ", "The baker ", "nobody ", "An old cat ",
                                      "our dog "};
    static const char *const does[] = {"sleeps", "sings loudly", "eats soup", "sells shoes",
                                       "reads"};
    static const char *const where[] = {" on the roof", " in Lisbon", " below the bridge",
                                        " at home", " behind a tree"};
    static const char *const when[] = {" on Mondays", " at noon.", " when it rains", " every year",
                                       ", I think"};

    (void)of;
    add_text(t, who[throw_dice(COUNT(who))]);
    add_text(t, does[throw_dice(COUNT(does))]);
    add_text(t, where[throw_dice(COUNT(where))]);
    add_text(t, when[throw_dice(COUNT(when))]);
}

/* In 100,000 each: of four words of the dictionary none but where one comes twice. Those that are
 * all in the list of common words are refused where two of them make one of it: 0.2 %, and 3.5 %
 * where nothing parts them. */
static void words_and_sentences(void **state)
{
    (void)state;
    measure("four words", four_words, " ", 0, 0);
    measure("four words, joined", four_words, "", 0, 1);
    measure("four common words", four_common_words, " ", 0, THROWS / 100);
    measure("four common words, joined", four_common_words, "", 0, THROWS / 15);
    measure("three common words", three_common_words, " ", THROWS, THROWS);
    measure("three common words, joined", three_common_words, "", THROWS, THROWS);
    measure("sentences", sentence, NULL, 0, 0);
}

/* Whatever comes, there is an end, and nothing beside it is read: the copy is as long as it is. */
static void anything(void **state)
{
    (void)state;
    dice = 88172645;
    for (size_t len = 0; len < 1100; len += 1 + len / 16) {
        for (int kind = 0; kind < 4; kind++) {
            uint8_t *bytes = malloc(len > 0 ? len : 1);
            assert_non_null(bytes);
            for (size_t i = 0; i < len; i++)
                bytes[i] = kind == 0   ? 'a'
                           : kind == 1 ? (uint8_t) "passw0rd"[i % 8]
                           : kind == 2 ? (uint8_t)('0' + throw_dice(2))
                                       : (uint8_t)throw_dice(256);
            const char *why = password_weakness(slice_of(bytes, len));
            /* Four kinds of nothing: only ones and zeros can be many enough to be good. */
            assert_true(why != NULL || (kind == 2 && len > 15));
            free(bytes);
        }
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(common_ones), cmocka_unit_test(good_ones),
        cmocka_unit_test(forms),       cmocka_unit_test(sentences),
        cmocka_unit_test(lists),       cmocka_unit_test(every_word),
        cmocka_unit_test(every_walk),  cmocka_unit_test(random_ones),
        cmocka_unit_test(anything),    cmocka_unit_test(words_and_sentences),
    };

    if (argc == 2 && strcmp(argv[1], "judge") == 0)
        return answer_lines();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
