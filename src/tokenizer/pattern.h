/* The regular expressions of a tokenizer.json.
 *
 * The library matches them with Oniguruma (syntax ONIG_SYNTAX_ONIGURUMA, Unicode 16).  Here each pattern is
 * parsed, the characters are numbered by which of its sets they are in, and PCRE2 matches the text's class
 * numbers, one byte for a character, with a pattern over those numbers.  So the Unicode tables are
 * Oniguruma's whatever PCRE2 was built with, and PCRE2 runs its fastest mode.  Constructs whose meaning could
 * differ between the two are refused by name.
 */
#ifndef LASER_TOKENIZER_PATTERN_H
#define LASER_TOKENIZER_PATTERN_H

#include "base/error.h"
#include "tokenizer/charset.h"
#include "tokenizer/text.h"

struct laser_pattern;

/* One for each call that matches; zero it first. */
struct laser_matcher {
    uint8_t *symbols;
    size_t cap;
    void *match_data, *match_context, *jit_stack; /* PCRE2's */
};

void laser_matcher_free(struct laser_matcher *m);

/* A string to be found as it is (not empty), or a regular expression. */
int laser_pattern_literal(const char *s, size_t n, struct laser_pattern **out, struct laser_error *err);
int laser_pattern_compile(const char *regex, size_t n, struct laser_pattern **out, struct laser_error *err);
void laser_pattern_free(struct laser_pattern *p);

/* Whether the pattern may match nothing at some place (it need not). */
bool laser_pattern_can_be_empty(const struct laser_pattern *p);

/* Cuts s into matches and what is between them, as Pattern::find_matches; spans cover s.  spans->failed says
 * that memory ran out.  Errors: LASER_EINPUT (PCRE2 gave up), LASER_ENOMEM. */
int laser_pattern_find(const struct laser_pattern *p, struct laser_matcher *m, const char *s, size_t n,
                       struct laser_spans *spans, struct laser_error *err);

/* The parser's result: PCRE2 syntax in which the byte 1 and two more (low, high) stand for a set. */
struct laser_parsed {
    struct laser_normalized out;
    struct laser_charset *sets;
    size_t n_sets, cap_sets;
    bool nullable; /* the pattern can match nothing */
};

int laser_pattern_parse(const char *regex, size_t n, struct laser_parsed *out, struct laser_error *err);
void laser_parsed_free(struct laser_parsed *p);

/* The class that begins after '[' at s[*i]; *i ends after its ']'.  The set is tidy. */
int laser_pattern_class(const char *s, size_t n, size_t *i, bool ignore_case, struct laser_charset *set,
                        struct laser_error *err);

/* The escape after '\' at s[*i]: a set of characters (added to set, *one = -1) or one character (*one).
 * Anchors and the like are not escapes of this kind and are refused. */
int laser_pattern_escape(const char *s, size_t n, size_t *i, bool in_class, struct laser_charset *set,
                         int64_t *one, struct laser_error *err);

int laser_pattern_refuse(struct laser_error *err, const char *regex, size_t n, const char *what);

#endif
