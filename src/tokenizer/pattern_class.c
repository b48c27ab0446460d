/* Escapes, properties and character classes of Oniguruma's syntax. */
#include "tokenizer/pattern.h"

#include <string.h>

int laser_pattern_refuse(struct laser_error *err, const char *regex, size_t n, const char *what)
{
    return laser_error_set(err, LASER_EINPUT, NULL, "regular expression \"%.*s\": %s is not supported",
                           n > 300 ? 300 : (int)n, regex, what);
}

struct property {
    const char *name; /* lower case, without blanks, '-' and '_' */
    int first, last;  /* general categories or one set */
};

static const struct property properties[] = {
    {"l", LASER_SET_GC_LU, LASER_SET_GC_LO},
    {"letter", LASER_SET_GC_LU, LASER_SET_GC_LO},
    {"lu", LASER_SET_GC_LU, LASER_SET_GC_LU},
    {"uppercaseletter", LASER_SET_GC_LU, LASER_SET_GC_LU},
    {"ll", LASER_SET_GC_LL, LASER_SET_GC_LL},
    {"lowercaseletter", LASER_SET_GC_LL, LASER_SET_GC_LL},
    {"lt", LASER_SET_GC_LT, LASER_SET_GC_LT},
    {"lm", LASER_SET_GC_LM, LASER_SET_GC_LM},
    {"lo", LASER_SET_GC_LO, LASER_SET_GC_LO},
    {"m", LASER_SET_GC_MN, LASER_SET_GC_ME},
    {"mark", LASER_SET_GC_MN, LASER_SET_GC_ME},
    {"mn", LASER_SET_GC_MN, LASER_SET_GC_MN},
    {"mc", LASER_SET_GC_MC, LASER_SET_GC_MC},
    {"me", LASER_SET_GC_ME, LASER_SET_GC_ME},
    {"n", LASER_SET_GC_ND, LASER_SET_GC_NO},
    {"number", LASER_SET_GC_ND, LASER_SET_GC_NO},
    {"nd", LASER_SET_GC_ND, LASER_SET_GC_ND},
    {"decimalnumber", LASER_SET_GC_ND, LASER_SET_GC_ND},
    {"nl", LASER_SET_GC_NL, LASER_SET_GC_NL},
    {"no", LASER_SET_GC_NO, LASER_SET_GC_NO},
    {"p", LASER_SET_GC_PC, LASER_SET_GC_PO},
    {"punctuation", LASER_SET_GC_PC, LASER_SET_GC_PO},
    {"pc", LASER_SET_GC_PC, LASER_SET_GC_PC},
    {"pd", LASER_SET_GC_PD, LASER_SET_GC_PD},
    {"ps", LASER_SET_GC_PS, LASER_SET_GC_PS},
    {"pe", LASER_SET_GC_PE, LASER_SET_GC_PE},
    {"pi", LASER_SET_GC_PI, LASER_SET_GC_PI},
    {"pf", LASER_SET_GC_PF, LASER_SET_GC_PF},
    {"po", LASER_SET_GC_PO, LASER_SET_GC_PO},
    {"s", LASER_SET_GC_SM, LASER_SET_GC_SO},
    {"symbol", LASER_SET_GC_SM, LASER_SET_GC_SO},
    {"sm", LASER_SET_GC_SM, LASER_SET_GC_SM},
    {"sc", LASER_SET_GC_SC, LASER_SET_GC_SC},
    {"sk", LASER_SET_GC_SK, LASER_SET_GC_SK},
    {"so", LASER_SET_GC_SO, LASER_SET_GC_SO},
    {"z", LASER_SET_GC_ZS, LASER_SET_GC_ZP},
    {"separator", LASER_SET_GC_ZS, LASER_SET_GC_ZP},
    {"zs", LASER_SET_GC_ZS, LASER_SET_GC_ZS},
    {"zl", LASER_SET_GC_ZL, LASER_SET_GC_ZL},
    {"zp", LASER_SET_GC_ZP, LASER_SET_GC_ZP},
    {"cc", LASER_SET_GC_CC, LASER_SET_GC_CC},
    {"cf", LASER_SET_GC_CF, LASER_SET_GC_CF},
    {"co", LASER_SET_GC_CO, LASER_SET_GC_CO},
    {"han", LASER_SET_SC_HAN, LASER_SET_SC_HAN},
    {"hiragana", LASER_SET_SC_HIRAGANA, LASER_SET_SC_HIRAGANA},
    {"katakana", LASER_SET_SC_KATAKANA, LASER_SET_SC_KATAKANA},
    {"hangul", LASER_SET_SC_HANGUL, LASER_SET_SC_HANGUL},
    {"latin", LASER_SET_SC_LATIN, LASER_SET_SC_LATIN},
    {"greek", LASER_SET_SC_GREEK, LASER_SET_SC_GREEK},
    {"cyrillic", LASER_SET_SC_CYRILLIC, LASER_SET_SC_CYRILLIC},
    {"arabic", LASER_SET_SC_ARABIC, LASER_SET_SC_ARABIC},
    {"hebrew", LASER_SET_SC_HEBREW, LASER_SET_SC_HEBREW},
    {"thai", LASER_SET_SC_THAI, LASER_SET_SC_THAI},
    {"devanagari", LASER_SET_SC_DEVANAGARI, LASER_SET_SC_DEVANAGARI},
    {"armenian", LASER_SET_SC_ARMENIAN, LASER_SET_SC_ARMENIAN},
    {"georgian", LASER_SET_SC_GEORGIAN, LASER_SET_SC_GEORGIAN},
};

/* Adds \p{name}: name without braces and '^'. */
static bool add_property(const char *name, size_t n, struct laser_charset *set)
{
    char key[32];
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (name[i] == ' ' || name[i] == '-' || name[i] == '_')
            continue;
        if (k + 1 == sizeof(key))
            return false;
        key[k++] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
    }
    key[k] = '\0';
    for (size_t i = 0; i < sizeof(properties) / sizeof(*properties); i++) {
        if (strcmp(key, properties[i].name) == 0) {
            for (int j = properties[i].first; j <= properties[i].last; j++)
                laser_charset_add_set(set, (enum laser_set_name)j);
            laser_charset_tidy(set);
            return true;
        }
    }
    return false;
}

/* The part after "\p" or "\P". */
static int parse_property(const char *s, size_t n, size_t *i, bool negated, struct laser_charset *set,
                          struct laser_error *err)
{
    const char *close = *i < n && s[*i] == '{' ? memchr(s + *i, '}', n - *i) : NULL;
    if (!close)
        return laser_pattern_refuse(err, s, n, "\\p without braces");
    size_t from = *i + 1, to = (size_t)(close - s);
    if (from < to && s[from] == '^') {
        negated = !negated;
        from++;
    }
    struct laser_charset one = {0};
    bool known = add_property(s + from, to - from, &one);
    if (known && negated)
        laser_charset_invert(&one);
    laser_charset_add_all(set, &one);
    laser_charset_free(&one);
    *i = to + 1;
    if (!known) {
        char what[80];
        int width = to - from > 50 ? 50 : (int)(to - from);
        size_t k = 0;
        for (const char *q = "the property "; *q; q++)
            what[k++] = *q;
        memcpy(what + k, s + from, (size_t)width);
        what[k + (size_t)width] = '\0';
        return laser_pattern_refuse(err, s, n, what);
    }
    return set->failed ? laser_error_set(err, LASER_ENOMEM, NULL, "no memory for a pattern") : LASER_OK;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* \xHH (below 0x80: above, it is a byte and not a character), \x{H...} and \uHHHH. */
static int parse_hex(const char *s, size_t n, size_t *i, char kind, int64_t *one, struct laser_error *err)
{
    bool braces = kind == 'x' && *i < n && s[*i] == '{';
    size_t at = *i + braces, digits = 0, most = braces ? 8 : kind == 'u' ? 4 : 2;
    int64_t v = 0;
    while (digits < most && at < n && hex_digit(s[at]) >= 0) {
        v = 16 * v + hex_digit(s[at++]);
        digits++;
    }
    bool closed = !braces || (at < n && s[at] == '}');
    bool whole = digits > 0 && (kind == 'x' || digits == 4);
    if (!closed || !whole || v > LASER_MAX_CHAR || (v >= 0xd800 && v < 0xe000) ||
        (kind == 'x' && !braces && v >= 0x80))
        return laser_pattern_refuse(err, s, n, "this \\x or \\u escape");
    *i = at + braces;
    *one = v;
    return LASER_OK;
}

/* Oniguruma asks another table for Latin-1 characters outside of classes, in which these six count as word
 * characters (superscripts and fractions); inside, they do not. */
static void add_word(struct laser_charset *type, bool in_class)
{
    struct laser_charset less = {0};
    laser_charset_add_set(type, LASER_SET_ONIG_WORD);
    if (!in_class)
        return;
    laser_charset_add(&less, 0xb2, 0xb3);
    laser_charset_add(&less, 0xb9, 0xb9);
    laser_charset_add(&less, 0xbc, 0xbe);
    laser_charset_invert(&less);
    laser_charset_intersect(type, &less);
    laser_charset_free(&less);
}

int laser_pattern_escape(const char *s, size_t n, size_t *i, bool in_class, struct laser_charset *set,
                         int64_t *one, struct laser_error *err)
{
    static const char letters[] = "tnrfvae", values[] = "\t\n\r\f\v\a\033";
    struct laser_charset type = {0};
    *one = -1;
    if (*i >= n)
        return laser_pattern_refuse(err, s, n, "a backslash at the end");
    unsigned char c = (unsigned char)s[(*i)++];
    switch (c) {
    case 'p':
    case 'P':
        return parse_property(s, n, i, c == 'P', set, err);
    case 's':
    case 'S':
        laser_charset_add_set(&type, LASER_SET_ONIG_SPACE);
        break;
    case 'd':
    case 'D':
        laser_charset_add_set(&type, LASER_SET_GC_ND);
        break;
    case 'w':
    case 'W':
        add_word(&type, in_class);
        break;
    case 'h':
    case 'H':
        laser_charset_add(&type, '0', '9');
        laser_charset_add(&type, 'A', 'F');
        laser_charset_add(&type, 'a', 'f');
        break;
    case 'x':
    case 'u':
        return parse_hex(s, n, i, (char)c, one, err);
    default: {
        const char *hit = c ? strchr(letters, c) : NULL;
        bool alnum = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
        if (hit)
            *one = (unsigned char)values[hit - letters];
        else if (c > 0 && c < 0x80 && !alnum)
            *one = c;
        else
            return laser_pattern_refuse(err, s, n, (char[]){'\\', (char)(c < 0x80 ? c : '?'), '\0'});
        return LASER_OK;
    }
    }
    if (c >= 'A' && c <= 'Z')
        laser_charset_invert(&type);
    laser_charset_add_all(set, &type);
    laser_charset_free(&type);
    return set->failed ? laser_error_set(err, LASER_ENOMEM, NULL, "no memory for a pattern") : LASER_OK;
}

/* Adds the other cases of the ASCII letters in a tidy set.  Other characters with cases, and those that fold
 * to more than one, are not handled: false if there are any. */
static bool fold_case(struct laser_charset *set)
{
    struct laser_charset rest = {0}, caseless = {0};
    laser_charset_add_all(&rest, set);
    laser_charset_add(&caseless, 0x80, LASER_MAX_CHAR);
    laser_charset_intersect(&rest, &caseless);
    laser_charset_free(&caseless);
    laser_charset_add_set(&caseless, LASER_SET_ONIG_SPACE);
    laser_charset_add_set(&caseless, LASER_SET_GC_ND);
    laser_charset_invert(&caseless);
    laser_charset_intersect(&rest, &caseless);
    bool plain = rest.n == 0;
    set->failed |= rest.failed || caseless.failed;
    laser_charset_free(&rest);
    laser_charset_free(&caseless);
    bool in[26];
    for (int k = 0; k < 26; k++)
        in[k] = laser_charset_has(set, (uint32_t)('a' + k)) || laser_charset_has(set, (uint32_t)('A' + k));
    for (int k = 0; k < 26; k++) {
        if (in[k]) {
            laser_charset_add(set, (uint32_t)('a' + k), (uint32_t)('a' + k));
            laser_charset_add(set, (uint32_t)('A' + k), (uint32_t)('A' + k));
        }
    }
    if (in['s' - 'a'])
        laser_charset_add(set, 0x17f, 0x17f); /* long s */
    if (in['k' - 'a'])
        laser_charset_add(set, 0x212a, 0x212a); /* Kelvin sign */
    laser_charset_tidy(set);
    return plain;
}

/* One element at s[*i]: sets *one, or adds to set and leaves *one -1. */
static int class_element(const char *s, size_t n, size_t *i, struct laser_charset *set, int64_t *one,
                         int depth, bool ignore_case, struct laser_error *err);

static int parse_class(const char *s, size_t n, size_t *i, bool ignore_case, int depth,
                       struct laser_charset *out, struct laser_error *err)
{
    struct laser_charset set = {0};
    bool negated = *i < n && s[*i] == '^';
    bool first = true;
    int rc = LASER_OK;
    *i += negated;
    if (depth > 20)
        rc = laser_pattern_refuse(err, s, n, "deep nesting");
    while (rc == LASER_OK) {
        if (*i >= n || (first && s[*i] == ']')) {
            rc = laser_pattern_refuse(err, s, n, "an empty or unclosed character class");
            break;
        }
        if (s[*i] == ']')
            break;
        if (s[*i] == '&' && *i + 1 < n && s[*i + 1] == '&') {
            /* The rest of the class is the right side: && binds least, and from the left or the right is the
             * same. */
            struct laser_charset right = {0};
            *i += 2;
            rc = *i < n && s[*i] == '^' ? laser_pattern_refuse(err, s, n, "^ after &&")
                                        : parse_class(s, n, i, false, depth + 1, &right, err);
            laser_charset_intersect(&set, &right);
            laser_charset_free(&right);
            (*i)--; /* the closing bracket is ours, too */
            if (rc == LASER_OK && ignore_case)
                rc = laser_pattern_refuse(err, s, n, "&& with ignored case");
            break;
        }
        int64_t lo = -1, hi = -1;
        bool dash = s[*i] == '-';
        rc = class_element(s, n, i, &set, &lo, depth, ignore_case, err);
        bool range = rc == LASER_OK && *i + 1 < n && s[*i] == '-' && s[*i + 1] != ']';
        if (range && (lo < 0 || dash))
            rc = laser_pattern_refuse(err, s, n, "this '-' in a character class");
        else if (range) {
            (*i)++;
            rc = class_element(s, n, i, &set, &hi, depth, ignore_case, err);
            if (rc == LASER_OK && (hi < lo))
                rc = laser_pattern_refuse(err, s, n, "this range in a character class");
        } else {
            hi = lo;
            if (dash && !first && *i < n && s[*i] != ']')
                rc = laser_pattern_refuse(err, s, n, "this '-' in a character class");
        }
        if (rc == LASER_OK && lo >= 0)
            laser_charset_add(&set, (uint32_t)lo, (uint32_t)hi);
        first = false;
    }
    (*i)++;
    laser_charset_tidy(&set);
    if (rc == LASER_OK && ignore_case && !fold_case(&set))
        rc = laser_pattern_refuse(err, s, n, "ignored case beyond ASCII");
    if (negated)
        laser_charset_invert(&set);
    laser_charset_add_all(out, &set);
    laser_charset_free(&set);
    if (rc == LASER_OK && out->failed)
        rc = laser_error_set(err, LASER_ENOMEM, NULL, "no memory for a pattern");
    return rc;
}

static int class_element(const char *s, size_t n, size_t *i, struct laser_charset *set, int64_t *one,
                         int depth, bool ignore_case, struct laser_error *err)
{
    *one = -1;
    if (s[*i] == '[') {
        if (*i + 1 < n && s[*i + 1] == ':')
            return laser_pattern_refuse(err, s, n, "a POSIX bracket");
        (*i)++;
        return parse_class(s, n, i, ignore_case, depth + 1, set, err);
    }
    if (s[*i] == '\\') {
        (*i)++;
        if (*i < n && s[*i] == 'b') {
            (*i)++;
            *one = '\b';
            return LASER_OK;
        }
        return laser_pattern_escape(s, n, i, true, set, one, err);
    }
    uint32_t c;
    *i += laser_utf8_get(s + *i, &c);
    *one = c;
    return LASER_OK;
}

int laser_pattern_class(const char *s, size_t n, size_t *i, bool ignore_case, struct laser_charset *set,
                        struct laser_error *err)
{
    int rc = parse_class(s, n, i, ignore_case, 0, set, err);
    laser_charset_tidy(set);
    return rc;
}
