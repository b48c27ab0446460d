/* Groups, alternatives, quantifiers and anchors of Oniguruma's syntax, rewritten for PCRE2. */
#include "tokenizer/pattern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parser {
    const char *s;
    size_t n, i;
    int depth;
    struct laser_parsed *out;
    struct laser_error *err;
};

struct options {
    bool ignore_case, dot_all;
};

/* What an element was. */
struct element {
    bool anchor;     /* takes no quantifier */
    bool nullable;   /* can match nothing */
    int64_t literal; /* the one character, or -1 */
};

static int parse_alternatives(struct parser *p, struct options opt, bool *nullable);

static int refuse(struct parser *p, const char *what)
{
    return laser_pattern_refuse(p->err, p->s, p->n, what);
}

static void put(struct parser *p, const char *s)
{
    laser_normalized_add(&p->out->out, s, strlen(s), false);
}

/* Takes the set over and emits a reference to it. */
static int put_set(struct parser *p, struct laser_charset *set)
{
    struct laser_parsed *o = p->out;
    laser_charset_tidy(set);
    size_t k = 0;
    while (k < o->n_sets && (o->sets[k].n != set->n ||
                             (set->n && memcmp(o->sets[k].r, set->r, set->n * sizeof(*set->r)) != 0)))
        k++;
    if (k == o->n_sets && !set->failed) {
        if (k == o->cap_sets) {
            size_t cap = o->cap_sets ? 2 * o->cap_sets : 16;
            struct laser_charset *q = realloc(o->sets, cap * sizeof(*q));
            if (!q) {
                laser_charset_free(set);
                return laser_error_set(p->err, LASER_ENOMEM, NULL, "no memory for a pattern");
            }
            o->sets = q;
            o->cap_sets = cap;
        }
        o->sets[o->n_sets++] = *set;
        memset(set, 0, sizeof(*set));
    }
    bool failed = set->failed;
    laser_charset_free(set);
    if (failed)
        return laser_error_set(p->err, LASER_ENOMEM, NULL, "no memory for a pattern");
    if (k >= 1000)
        return refuse(p, "a pattern with so many character classes");
    laser_normalized_add(&p->out->out, (char[]){1, (char)(k & 0xff), (char)(k >> 8)}, 3, false);
    return LASER_OK;
}

static int put_char(struct parser *p, uint32_t c, struct options opt)
{
    struct laser_charset set = {0};
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (opt.ignore_case && c >= 0x80)
        return refuse(p, "ignored case beyond ASCII");
    laser_charset_add(&set, c, c);
    if (opt.ignore_case && letter) {
        laser_charset_add(&set, c ^ 32, c ^ 32);
        if ((c | 32) == 's')
            laser_charset_add(&set, 0x17f, 0x17f);
        if ((c | 32) == 'k')
            laser_charset_add(&set, 0x212a, 0x212a);
    }
    return put_set(p, &set);
}

static int put_named(struct parser *p, const char *before, enum laser_set_name name, const char *after)
{
    struct laser_charset set = {0};
    laser_charset_add_set(&set, name);
    put(p, before);
    int rc = put_set(p, &set);
    put(p, after);
    return rc;
}

static int put_newline(struct parser *p, const char *before, const char *after)
{
    struct laser_charset set = {0};
    laser_charset_add(&set, '\n', '\n');
    put(p, before);
    int rc = put_set(p, &set);
    put(p, after);
    return rc;
}

/* ^ and $ are about lines whatever the options; at the end, an empty last line is none. */
static int put_anchor(struct parser *p, char c)
{
    int rc = LASER_OK;
    switch (c) {
    case '^':
        return put_newline(p, "(?:\\A|(?<=", ")(?!\\z))");
    case '$':
        rc = put_newline(p, "(?:(?=", ")|");
        return rc != LASER_OK ? rc : put_newline(p, "(?<!", ")\\z)");
    case 'b':
        rc = put_named(p, "(?:(?<=", LASER_SET_ONIG_WORD, ")");
        rc = rc != LASER_OK ? rc : put_named(p, "(?!", LASER_SET_ONIG_WORD, ")|");
        rc = rc != LASER_OK ? rc : put_named(p, "(?<!", LASER_SET_ONIG_WORD, ")");
        return rc != LASER_OK ? rc : put_named(p, "(?=", LASER_SET_ONIG_WORD, "))");
    case 'B':
        rc = put_named(p, "(?:(?<=", LASER_SET_ONIG_WORD, ")");
        rc = rc != LASER_OK ? rc : put_named(p, "(?=", LASER_SET_ONIG_WORD, ")|");
        rc = rc != LASER_OK ? rc : put_named(p, "(?<!", LASER_SET_ONIG_WORD, ")");
        return rc != LASER_OK ? rc : put_named(p, "(?!", LASER_SET_ONIG_WORD, "))");
    case 'A':
        put(p, "\\A");
        return rc;
    default:
        put(p, "\\z");
        return rc;
    }
}

/* "i", "m-i" ... up to ')' or ':', which is consumed and given back in *end. */
static int parse_options(struct parser *p, struct options *opt, char *end)
{
    bool on = true;
    for (; p->i < p->n; p->i++) {
        char c = p->s[p->i];
        if (c == '-')
            on = false;
        else if (c == 'i')
            opt->ignore_case = on;
        else if (c == 'm')
            opt->dot_all = on;
        else if (c == ')' || c == ':') {
            *end = c;
            p->i++;
            return LASER_OK;
        } else
            return refuse(p, "this (?...) group");
    }
    return refuse(p, "an unclosed group");
}

/* Skips "<name>" of a named group: it is a group like any other, as there are no references back. */
static int skip_name(struct parser *p)
{
    const char *end = memchr(p->s + p->i, '>', p->n - p->i);
    if (!end)
        return refuse(p, "an unclosed group name");
    p->i = (size_t)(end - p->s) + 1;
    return LASER_OK;
}

/* After '('.  *rest: the group was an option that holds up to the end of the group around it, which is
 * parsed. */
static int parse_group(struct parser *p, struct options opt, struct element *e, bool *rest)
{
    static const char *const kinds[] = {"?:", "?=", "?!", "?<=", "?<!", "?>"};
    const char *kind = NULL;
    int rc = LASER_OK;
    for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
        size_t len = strlen(kinds[k]);
        if (p->n - p->i >= len && memcmp(p->s + p->i, kinds[k], len) == 0)
            kind = kinds[k];
    }
    if (p->i < p->n && p->s[p->i] == '*')
        return refuse(p, "a callout");
    if (kind) {
        p->i += strlen(kind);
        e->anchor = kind[1] != ':' && kind[1] != '>';
    } else if (p->i < p->n && p->s[p->i] == '?') {
        char end = ':';
        p->i++;
        if (p->i < p->n && p->s[p->i] == '<') {
            p->i++;
            rc = skip_name(p);
        } else {
            rc = parse_options(p, &opt, &end);
        }
        *rest = end == ')';
    }
    if (rc != LASER_OK)
        return rc;
    put(p, "(");
    put(p, kind ? kind : "?:");
    rc = parse_alternatives(p, opt, &e->nullable);
    if (rc != LASER_OK)
        return rc;
    put(p, ")");
    if (*rest)
        return LASER_OK;
    if (p->i >= p->n)
        return refuse(p, "an unclosed group");
    p->i++;
    e->nullable = e->nullable || e->anchor;
    return LASER_OK;
}

static int parse_backslash(struct parser *p, struct options opt, struct element *e)
{
    struct laser_charset set = {0};
    char c = p->i < p->n ? p->s[p->i] : '\0';
    if (c && strchr("bBAz", c)) {
        p->i++;
        e->anchor = e->nullable = true;
        return put_anchor(p, c);
    }
    bool type = c && strchr("sSdDhH", c) != NULL;
    int rc = laser_pattern_escape(p->s, p->n, &p->i, false, &set, &e->literal, p->err);
    if (rc == LASER_OK && e->literal >= 0)
        rc = put_char(p, (uint32_t)e->literal, opt);
    else if (rc == LASER_OK && opt.ignore_case && !type)
        rc = refuse(p, "ignored case beyond ASCII");
    else if (rc == LASER_OK)
        rc = put_set(p, &set);
    laser_charset_free(&set);
    return rc;
}

static int parse_bracket(struct parser *p, struct options opt, struct element *e)
{
    struct laser_charset set = {0};
    int rc = laser_pattern_class(p->s, p->n, &p->i, opt.ignore_case, &set, p->err);
    /* With ignored case a class of one letter is that letter, with all its forms. */
    if (set.n > 0 && set.n <= 3 && set.r[0].lo == set.r[0].hi && set.r[0].lo < 0x80)
        e->literal = set.r[0].lo;
    if (rc == LASER_OK)
        rc = put_set(p, &set);
    laser_charset_free(&set);
    return rc;
}

static int parse_atom(struct parser *p, struct options opt, struct element *e, bool *rest)
{
    struct laser_charset set = {0};
    uint32_t c;
    char lead = p->s[p->i];
    switch (lead) {
    case '(':
        p->i++;
        return parse_group(p, opt, e, rest);
    case '[':
        p->i++;
        return parse_bracket(p, opt, e);
    case '\\':
        p->i++;
        return parse_backslash(p, opt, e);
    case '.':
        p->i++;
        laser_charset_add(&set, 0, opt.dot_all ? LASER_MAX_CHAR : '\n' - 1);
        if (!opt.dot_all)
            laser_charset_add(&set, '\n' + 1, LASER_MAX_CHAR);
        return put_set(p, &set);
    case '^':
    case '$':
        p->i++;
        e->anchor = e->nullable = true;
        return put_anchor(p, lead);
    case '*':
    case '+':
    case '?':
        return refuse(p, "a quantifier of nothing or of a quantifier");
    default:
        p->i += laser_utf8_get(p->s + p->i, &c);
        e->literal = c;
        return put_char(p, c, opt);
    }
}

/* "{n}", "{n,}", "{,m}" or "{n,m}" at p->i; -1 for no bound.  False, and nothing consumed: it is just a
 * brace. */
static bool parse_interval(struct parser *p, long *lo, long *hi)
{
    size_t i = p->i + 1;
    long v[2] = {-1, -1};
    int k = 0;
    for (; i < p->n; i++) {
        char c = p->s[i];
        if (c >= '0' && c <= '9')
            v[k] = v[k] > 100000 ? v[k] : 10 * (v[k] < 0 ? 0 : v[k]) + (c - '0');
        else if (c == ',' && k == 0)
            k = 1;
        else
            break;
    }
    if (i >= p->n || p->s[i] != '}' || (v[0] < 0 && v[1] < 0))
        return false;
    p->i = i + 1;
    *lo = v[0] < 0 ? 0 : v[0];
    *hi = k == 0 ? v[0] : v[1];
    return true;
}

/* Puts "(?:" before what has been emitted since start, and after behind it. */
static void wrap(struct parser *p, size_t start, const char *after)
{
    struct laser_normalized *o = &p->out->out;
    put(p, "(?:");
    if (o->failed)
        return;
    memmove(o->s + start + 3, o->s + start, o->n - 3 - start);
    memcpy(o->s + start, "(?:", 3);
    put(p, after);
}

/* The quantifier, if there is one, of the element emitted since start. */
static int parse_quantifier(struct parser *p, size_t start, struct element *e)
{
    char c = p->i < p->n ? p->s[p->i] : '\0', text[60], mark = '\0';
    long lo = c == '+', hi = c == '?' ? 1 : -1;
    bool braces = c == '{' && parse_interval(p, &lo, &hi);
    if (!braces && (c == '\0' || !strchr("*+?", c)))
        return LASER_OK;
    if (!braces)
        p->i++;
    if (p->i < p->n && (p->s[p->i] == '?' || p->s[p->i] == '+'))
        mark = p->s[p->i++];
    if (e->anchor)
        return refuse(p, "a quantifier of an anchor");
    if (lo > 60000 || hi > 60000 || (hi >= 0 && hi < lo))
        return refuse(p, "this {n,m}");
    if (e->nullable && (hi < 0 || mark == '+'))
        return refuse(p, "an unbounded quantifier of a group that can be empty");
    if (!braces)
        snprintf(text, sizeof(text), "%c%.1s", c, mark ? &mark : "");
    else if (hi < 0)
        snprintf(text, sizeof(text), "{%ld,}", lo);
    else
        snprintf(text, sizeof(text), "{%ld,%ld}", lo, hi);
    put(p, text);
    e->nullable = e->nullable || lo == 0;
    /* Behind braces '+' is one more quantifier, and '?' is one behind {n}. */
    if (braces && mark == '?' && hi != lo)
        put(p, "?");
    else if (braces && mark == '?') {
        wrap(p, start, ")?");
        e->nullable = true;
    } else if (braces && mark == '+') {
        if (lo == 0)
            return refuse(p, "an unbounded quantifier of a group that can be empty");
        wrap(p, start, ")+");
    }
    size_t before = p->i;
    if (p->i < p->n && (strchr("*+?", p->s[p->i]) || (p->s[p->i] == '{' && parse_interval(p, &lo, &hi)))) {
        p->i = before;
        return refuse(p, "a quantifier of a quantifier");
    }
    return LASER_OK;
}

/* Whether two letters in a row have a one-character form (ss, st, ff, fi, fl) when case is ignored. */
static bool folds_together(int64_t a, int64_t b)
{
    a = a < 0 ? 0 : a | 32;
    b = b < 0 ? 0 : b | 32;
    return (a == 's' && (b == 's' || b == 't')) || (a == 'f' && (b == 'f' || b == 'i' || b == 'l'));
}

static int parse_alternatives(struct parser *p, struct options opt, bool *nullable)
{
    int64_t previous = -1;
    bool empty_so_far = true;
    *nullable = false;
    if (++p->depth > 50)
        return refuse(p, "deep nesting");
    while (p->i < p->n && p->s[p->i] != ')') {
        if (p->s[p->i] == '|') {
            p->i++;
            put(p, "|");
            *nullable = *nullable || empty_so_far;
            empty_so_far = true;
            previous = -1;
            continue;
        }
        struct element e = {.literal = -1};
        size_t start = p->out->out.n;
        bool rest = false;
        if (p->n - p->i >= 3 && memcmp(p->s + p->i, "(?#", 3) == 0)
            return refuse(p, "a comment");
        int rc = parse_atom(p, opt, &e, &rest);
        if (rc == LASER_OK && !rest)
            rc = parse_quantifier(p, start, &e);
        if (rc == LASER_OK && opt.ignore_case && folds_together(previous, e.literal))
            rc = refuse(p, "ignored case of letters that have a ligature");
        if (rc != LASER_OK)
            return rc;
        previous = e.literal;
        empty_so_far = empty_so_far && (e.nullable || e.anchor);
    }
    *nullable = *nullable || empty_so_far;
    p->depth--;
    return LASER_OK;
}

int laser_pattern_parse(const char *regex, size_t n, struct laser_parsed *out, struct laser_error *err)
{
    struct parser p = {.s = regex, .n = n, .out = out, .err = err};
    memset(out, 0, sizeof(*out));
    int rc = parse_alternatives(&p, (struct options){false, false}, &out->nullable);
    if (rc == LASER_OK && p.i < n)
        rc = refuse(&p, "an unmatched parenthesis");
    if (rc == LASER_OK && out->out.failed)
        rc = laser_error_set(err, LASER_ENOMEM, NULL, "no memory for a pattern");
    if (rc != LASER_OK)
        laser_parsed_free(out);
    return rc;
}

void laser_parsed_free(struct laser_parsed *p)
{
    for (size_t i = 0; i < p->n_sets; i++)
        laser_charset_free(&p->sets[i]);
    free(p->sets);
    laser_normalized_free(&p->out);
    memset(p, 0, sizeof(*p));
}
