#include "tokenizer/grapheme.h"

#include "tokenizer/text.h"
#include "tokenizer/unicode_sets.h"

enum hangul { NO_HANGUL, LEADING, VOWEL, TRAILING, SYLLABLE_LV, SYLLABLE_LVT };

/* What the characters of a grapheme so far say about the next one. */
struct state {
    uint32_t last;
    int flags;                                    /* regional indicators at the end */
    enum { NO_PICTURE, PICTURE, JOINED } picture; /* a pictograph and what extends it; then a joiner */
    enum {
        NO_CONJUNCT,
        CONSONANT,
        LINKED
    } conjunct; /* a consonant and what extends it; a linker among that */
};

static enum hangul hangul_of(uint32_t c)
{
    if ((c >= 0x1100 && c <= 0x115f) || (c >= 0xa960 && c <= 0xa97c))
        return LEADING;
    if ((c >= 0x1160 && c <= 0x11a7) || (c >= 0xd7b0 && c <= 0xd7c6) || c == 0x16d63 ||
        (c >= 0x16d67 && c <= 0x16d6a))
        return VOWEL;
    if ((c >= 0x11a8 && c <= 0x11ff) || (c >= 0xd7cb && c <= 0xd7fb))
        return TRAILING;
    if (c >= 0xac00 && c <= 0xd7a3)
        return (c - 0xac00) % 28 == 0 ? SYLLABLE_LV : SYLLABLE_LVT;
    return NO_HANGUL;
}

/* GB6 to GB8. */
static bool hangul_goes_on(uint32_t last, uint32_t c)
{
    switch (hangul_of(c)) {
    case LEADING:
    case SYLLABLE_LV:
    case SYLLABLE_LVT:
        return hangul_of(last) == LEADING;
    case VOWEL:
        return hangul_of(last) == LEADING || hangul_of(last) == VOWEL || hangul_of(last) == SYLLABLE_LV;
    case TRAILING:
        return hangul_of(last) == VOWEL || hangul_of(last) == SYLLABLE_LV || hangul_of(last) == TRAILING ||
               hangul_of(last) == SYLLABLE_LVT;
    case NO_HANGUL:
        break;
    }
    return false;
}

static bool is_flag(uint32_t c)
{
    return c >= 0x1f1e6 && c <= 0x1f1ff;
}

static bool goes_on(const struct state *s, uint32_t c)
{
    if (s->last == '\r' && c == '\n')
        return true;
    if (laser_set_has(LASER_SET_GRAPHEME_CONTROL, s->last) || laser_set_has(LASER_SET_GRAPHEME_CONTROL, c))
        return false;
    return laser_set_has(LASER_SET_GRAPHEME_JOINS, c) || laser_set_has(LASER_SET_GRAPHEME_PREPEND, s->last) ||
           hangul_goes_on(s->last, c) || (is_flag(c) && s->flags % 2 == 1) ||
           (s->picture == JOINED && laser_set_has(LASER_SET_PICTOGRAPHIC, c)) ||
           (s->conjunct == LINKED && laser_set_has(LASER_SET_CONJUNCT_CONSONANT, c));
}

static void add(struct state *s, uint32_t c)
{
    s->last = c;
    s->flags = is_flag(c) ? s->flags + 1 : 0;
    if (laser_set_has(LASER_SET_PICTOGRAPHIC, c))
        s->picture = PICTURE;
    else if (s->picture != NO_PICTURE && laser_set_has(LASER_SET_GRAPHEME_EXTEND, c))
        s->picture = c == 0x200d ? JOINED : PICTURE;
    else
        s->picture = NO_PICTURE;
    if (laser_set_has(LASER_SET_CONJUNCT_CONSONANT, c))
        s->conjunct = CONSONANT;
    else if (s->conjunct != NO_CONJUNCT && laser_set_has(LASER_SET_CONJUNCT_LINKER, c))
        s->conjunct = LINKED;
    else if (!laser_set_has(LASER_SET_CONJUNCT_EXTEND, c))
        s->conjunct = NO_CONJUNCT;
}

size_t laser_grapheme_length(const char *s, size_t n)
{
    struct state state = {0};
    uint32_t c;
    size_t end = laser_utf8_get(s, &c);

    add(&state, c);
    while (end < n) {
        size_t len;
        /* Two characters of ASCII, the most usual case, are two graphemes. */
        if (c < 0x80 && (unsigned char)s[end] < 0x80 && c != '\r')
            break;
        len = laser_utf8_get(s + end, &c);
        if (!goes_on(&state, c))
            break;
        add(&state, c);
        end += len;
    }
    return end;
}
