/* Sets of characters as the parts of the `tokenizers` library have them; the tables are made from the library
 * by tools/golden/make_unicode_tables.py, which says why they are not a C library's. */
#ifndef LASER_TOKENIZER_UNICODE_SETS_H
#define LASER_TOKENIZER_UNICODE_SETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct laser_range {
    uint32_t lo, hi; /* both belong to it */
};

struct laser_set {
    const struct laser_range *r; /* ascending, apart from each other */
    size_t n;
};

/* Characters of one script. */
struct laser_script_range {
    uint32_t lo, hi;
    int script;
};

/* first, first + step .. last are lowercased by adding delta. */
struct laser_case_range {
    uint32_t first, last, step;
    int32_t delta;
};

enum laser_set_name {
    LASER_SET_GC_LU, /* general categories, Oniguruma's */
    LASER_SET_GC_LL,
    LASER_SET_GC_LT,
    LASER_SET_GC_LM,
    LASER_SET_GC_LO,
    LASER_SET_GC_MN,
    LASER_SET_GC_MC,
    LASER_SET_GC_ME,
    LASER_SET_GC_ND,
    LASER_SET_GC_NL,
    LASER_SET_GC_NO,
    LASER_SET_GC_PC,
    LASER_SET_GC_PD,
    LASER_SET_GC_PS,
    LASER_SET_GC_PE,
    LASER_SET_GC_PI,
    LASER_SET_GC_PF,
    LASER_SET_GC_PO,
    LASER_SET_GC_SM,
    LASER_SET_GC_SC,
    LASER_SET_GC_SK,
    LASER_SET_GC_SO,
    LASER_SET_GC_ZS,
    LASER_SET_GC_ZL,
    LASER_SET_GC_ZP,
    LASER_SET_GC_CC,
    LASER_SET_GC_CF,
    LASER_SET_GC_CO,
    LASER_SET_SC_HAN, /* scripts, Oniguruma's */
    LASER_SET_SC_HIRAGANA,
    LASER_SET_SC_KATAKANA,
    LASER_SET_SC_HANGUL,
    LASER_SET_SC_LATIN,
    LASER_SET_SC_GREEK,
    LASER_SET_SC_CYRILLIC,
    LASER_SET_SC_ARABIC,
    LASER_SET_SC_HEBREW,
    LASER_SET_SC_THAI,
    LASER_SET_SC_DEVANAGARI,
    LASER_SET_SC_ARMENIAN,
    LASER_SET_SC_GEORGIAN,
    LASER_SET_ONIG_SPACE,          /* \s */
    LASER_SET_ONIG_WORD,           /* \w */
    LASER_SET_RUST_SPACE,          /* char::is_whitespace, also the regex crate's \s */
    LASER_SET_RUST_NUMERIC,        /* char::is_numeric */
    LASER_SET_PUNCTUATION,         /* Punctuation and BertPreTokenizer */
    LASER_SET_BERT_REMOVED,        /* by BertNormalizer's clean_text */
    LASER_SET_BERT_ACCENTS,        /* by BertNormalizer's strip_accents, after NFD */
    LASER_SET_COMBINING,           /* by StripAccents */
    LASER_SET_RUST_WORD,           /* the regex crate's \w */
    LASER_SET_KNOWN_TO_NORMALIZER, /* assigned in Unicode 9.0 */
    LASER_SET_GRAPHEME_JOINS,      /* graphemes (UAX 29) of the unicode-segmentation crate */
    LASER_SET_GRAPHEME_PREPEND,
    LASER_SET_GRAPHEME_CONTROL,
    LASER_SET_GRAPHEME_EXTEND,
    LASER_SET_PICTOGRAPHIC,
    LASER_SET_CONJUNCT_CONSONANT,
    LASER_SET_CONJUNCT_LINKER,
    LASER_SET_CONJUNCT_EXTEND,
    LASER_SETS
};

extern const struct laser_set laser_sets[LASER_SETS];
extern const struct laser_case_range laser_lower[];
extern const size_t laser_lower_n;

bool laser_set_has(enum laser_set_name name, uint32_t c);

extern const struct laser_script_range laser_scripts[];
extern const size_t laser_scripts_n;

/* The script of a character for UnicodeScripts, as a number; -1: none of its own. */
int laser_script_of(uint32_t c);

/* char::to_lowercase: writes one or two characters to out, returns how many. */
size_t laser_lowercase(uint32_t c, uint32_t out[2]);

#endif
