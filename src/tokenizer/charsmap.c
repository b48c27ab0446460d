/* SentencePiece's charsmap.  The units of its double array are those of darts-clone
 * (https://github.com/s-yata/darts-clone): bits 0-7 and 31 the label, 8 whether a key ends here, 9 and 10-30 the
 * offset to the children, XORed with the place; a unit with bit 31 is the value of a key. */
#include "tokenizer/charsmap.h"

#include <stdlib.h>
#include <string.h>

#include "tokenizer/grapheme.h"
#include "tokenizer/tokenizer.h"

enum { NO_VALUE = -1, WHOLE_GRAPHEME = 6 /* bytes from which graphemes are looked up by characters only */ };

static uint32_t label_of(uint32_t unit)
{
    return unit & (UINT32_C(1) << 31 | 0xff);
}

static size_t offset_of(uint32_t unit)
{
    return (size_t)(unit >> 10) << ((unit & UINT32_C(1) << 9) >> 6);
}

static bool ends_key(uint32_t unit)
{
    return (unit >> 8 & 1) != 0;
}

static int64_t value_of(uint32_t unit)
{
    return (int64_t)(unit & ((UINT32_C(1) << 31) - 1));
}

static int torn(struct laser_error *err, const char *what)
{
    return laser_error_set(err, LASER_EINPUT, NULL, "normalizer Precompiled: its charsmap is torn: %s", what);
}

static int no_memory(struct laser_error *err)
{
    return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for the charsmap");
}

/* ---- reading ---- */

/* A unit that a key leads to: its children and its value are within the map. */
static int check_unit(const struct laser_charsmap *m, size_t at, struct laser_error *err)
{
    const size_t children = at ^ offset_of(m->unit[at]);

    if ((children | 0xff) >= m->n_units)
        return torn(err, "a unit of its double array points behind the end");
    if (at == 0 || !ends_key(m->unit[at]))
        return LASER_OK;
    const int64_t value = value_of(m->unit[children]);
    if (value >= (int64_t)m->n_text || ((unsigned char)m->text[value] & 0xc0) == 0x80)
        return torn(err, "a key's value points at no replacement");
    return LASER_OK;
}

/* Visits every unit that some key leads to. */
static int check_units(const struct laser_charsmap *m, struct laser_error *err)
{
    bool *seen = calloc(m->n_units, sizeof *seen);
    size_t *todo = malloc(m->n_units * sizeof *todo), n = 0;
    int code = seen && todo ? check_unit(m, 0, err) : no_memory(err);

    if (code == LASER_OK) {
        todo[n++] = 0;
        seen[0] = true;
    }
    while (n > 0 && code == LASER_OK) {
        const size_t at = todo[--n], children = at ^ offset_of(m->unit[at]);
        for (size_t byte = 1; byte < 256 && code == LASER_OK; ++byte) {
            const size_t child = children ^ byte;
            if (label_of(m->unit[child]) != byte || seen[child])
                continue;
            seen[child] = true;
            todo[n++] = child;
            code = check_unit(m, child, err);
        }
    }
    free(seen);
    free(todo);
    return code;
}

static uint32_t little_endian(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

int laser_charsmap_read(const unsigned char *bytes, size_t n_bytes, struct laser_charsmap *out,
                        struct laser_error *err)
{
    const size_t size = n_bytes >= 4 ? little_endian(bytes) : 0;
    int code;

    memset(out, 0, sizeof *out);
    if (n_bytes < 4 || size > n_bytes - 4)
        return torn(err, "it is shorter than the double array that it begins with");
    out->n_units = size / 4;
    if (out->n_units == 0)
        return torn(err, "its double array is empty");
    bytes += 4;
    n_bytes -= 4 + 4 * out->n_units;
    out->unit = malloc(4 * out->n_units);
    out->text = malloc(n_bytes + 1);
    if (out->unit == NULL || out->text == NULL) {
        laser_charsmap_free(out);
        return no_memory(err);
    }
    for (size_t i = 0; i < out->n_units; ++i)
        out->unit[i] = little_endian(bytes + 4 * i);
    memcpy(out->text, bytes + 4 * out->n_units, n_bytes);
    out->text[n_bytes] = '\0';
    out->n_text = n_bytes;
    code = laser_utf8_valid_prefix(out->text, n_bytes) == n_bytes ? check_units(out, err)
                                                                  : torn(err, "a replacement is not UTF-8");
    if (code != LASER_OK)
        laser_charsmap_free(out);
    return code;
}

static int digit_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;

    return at != NULL ? (int)(at - digits) : -1;
}

int laser_charsmap_decode(const char *base64, size_t n, struct laser_charsmap *out, struct laser_error *err)
{
    unsigned char *bytes = malloc(n / 4 * 3 + 3);
    size_t n_bytes = 0;
    int code = LASER_OK;

    memset(out, 0, sizeof *out);
    if (bytes == NULL)
        return no_memory(err);
    for (size_t i = 0; i < n && code == LASER_OK; i += 4) {
        uint32_t group = 0;
        /* At the end of the text, one or two digits may be missing. */
        const int pad =
            n - i == 4 ? (base64[i + 3] == '=') + (base64[i + 2] == '=' && base64[i + 3] == '=') : 0;
        for (int k = 0; k < 4 - pad && n - i >= 4; ++k) {
            const int digit = digit_of(base64[i + (size_t)k]);
            code = digit < 0 ? LASER_EINPUT : code;
            group |= (uint32_t)(digit & 63) << (18 - 6 * k);
        }
        if (n - i < 4 || code != LASER_OK)
            code = torn(err, "it is not base64");
        for (int k = 0; k < 3 - pad; ++k)
            bytes[n_bytes++] = (unsigned char)(group >> (16 - 8 * k) & 0xff);
    }
    if (code == LASER_OK)
        code = laser_charsmap_read(bytes, n_bytes, out, err);
    free(bytes);
    return code;
}

void laser_charsmap_free(struct laser_charsmap *m)
{
    free(m->unit);
    free(m->text);
    memset(m, 0, sizeof *m);
}

/* ---- replacing ---- */

/* What s[0 .. n) is replaced by: that of the shortest key that it begins with, which then stands for all of it.  NULL:
 * no key. */
static const char *replacement(const struct laser_charsmap *m, const char *s, size_t n)
{
    size_t at = offset_of(m->unit[0]);

    for (size_t i = 0; i < n && s[i] != '\0'; ++i) {
        uint32_t unit;
        at ^= (unsigned char)s[i];
        unit = m->unit[at];
        if (label_of(unit) != (unsigned char)s[i])
            return NULL;
        at ^= offset_of(unit);
        if (ends_key(unit))
            return m->text + value_of(m->unit[at]);
    }
    return NULL;
}

/* The text as it becomes, and what NormalizedString::transform is told of each character: 0: it takes the place of one
 * character of the text as it was; 1: it is new and shares the place of the one before; below 0: so many more
 * characters go with the one whose place it takes. */
struct rewrite {
    struct laser_normalized out;
    int32_t *change;
    size_t n, cap; /* characters */
    bool failed;
};

static void put(struct rewrite *w, const char *c, size_t len, int32_t change)
{
    if (w->n == w->cap) {
        const size_t cap = w->cap + w->cap / 2 + 64;
        int32_t *more = realloc(w->change, cap * sizeof *more);
        if (more == NULL) {
            w->failed = true;
            return;
        }
        w->change = more;
        w->cap = cap;
    }
    w->change[w->n++] = change;
    laser_normalized_add(&w->out, c, len, false);
}

static int32_t characters(const char *s, size_t n)
{
    int32_t count = 0;

    for (size_t i = 0; i < n; i += laser_utf8_len(s[i]))
        ++count;
    return count;
}

/* Writes `by` for s[0 .. n), as replace() of the library's precompiled.rs does. */
static void replace(struct rewrite *w, const char *s, size_t n, const char *by)
{
    const size_t n_by = strlen(by);
    int32_t left = characters(s, n);

    for (size_t i = 0, len; i < n_by && !w->failed; i += len, left -= left > 0) {
        len = laser_utf8_len(by[i]);
        put(w, by + i, len, left > 0 ? 0 : 1);
    }
    if (w->n > 0)
        w->change[w->n - 1] -= left;
}

static bool rewrite_grapheme(struct rewrite *w, const struct laser_charsmap *m, const char *s, size_t n)
{
    const char *whole = n < WHOLE_GRAPHEME ? replacement(m, s, n) : NULL;
    bool changed = false;

    if (whole != NULL) {
        replace(w, s, n, whole);
        return true;
    }
    for (size_t i = 0, len; i < n && !w->failed; i += len) {
        const char *by;
        len = laser_utf8_len(s[i]);
        by = replacement(m, s + i, len);
        changed = changed || by != NULL;
        if (by != NULL)
            replace(w, s + i, len, by);
        else
            put(w, s + i, len, 0);
    }
    return changed;
}

static size_t skip(const struct laser_normalized *t, size_t at)
{
    return at < t->n ? at + laser_utf8_len(t->s[at]) : at;
}

/* How many bytes at the start of what was written stem from offset 0, as NormalizedString::transform aligns them. */
static size_t count_zero(const struct rewrite *w, const struct laser_normalized *in)
{
    size_t zero = 0, at = 0, end = 0;

    for (size_t i = 0; i < w->n; ++i) {
        const bool is_new = w->change[i] > 0;
        end += laser_utf8_len(w->out.s[end]);
        if (is_new ? at == 0 || at - 1 < in->zero : at < in->zero)
            zero = end;
        if (!is_new)
            at = skip(in, at);
        for (int32_t k = w->change[i]; k < 0; ++k)
            at = skip(in, at);
    }
    return zero;
}

int laser_charsmap_normalize(const struct laser_charsmap *m, struct laser_normalized *t,
                             struct laser_error *err)
{
    struct rewrite w = {.failed = false};
    bool changed = false;

    for (size_t i = 0, len; i < t->n && !w.failed; i += len) {
        len = laser_grapheme_length(t->s + i, t->n - i);
        changed = rewrite_grapheme(&w, m, t->s + i, len) || changed;
    }
    w.failed = w.failed || w.out.failed;
    if (changed && !w.failed) {
        w.out.zero = count_zero(&w, t);
        laser_normalized_free(t);
        *t = w.out;
    } else {
        laser_normalized_free(&w.out);
    }
    free(w.change);
    return w.failed ? no_memory(err) : LASER_OK;
}
