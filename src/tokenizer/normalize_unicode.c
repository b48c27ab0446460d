/* Unicode's normal forms.
 *
 * The library's crate has the tables of Unicode 9.0, and takes every character that came later for one that
 * neither decomposes nor combines.  utf8proc has newer tables; those of characters that Unicode 9.0 had are
 * fixed by Unicode's stability policy.  So the text is cut at the later ones, and they are copied as they
 * are. */
#include "tokenizer/parts.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* Code points of a stretch that is normalized on its own. */
struct run {
    utf8proc_int32_t *c;
    utf8proc_ssize_t n, cap;
};

static bool run_add(struct run *r, uint32_t c)
{
    if (r->n == r->cap) {
        utf8proc_ssize_t cap = r->cap ? 2 * r->cap : 64;
        utf8proc_int32_t *p = realloc(r->c, (size_t)cap * sizeof(*p));
        if (!p)
            return false;
        r->c = p;
        r->cap = cap;
    }
    r->c[r->n++] = (utf8proc_int32_t)c;
    return true;
}

/* Decomposes s into r, in canonical order; *n gets the number of code points. */
static bool decompose(const char *s, size_t len, utf8proc_option_t options, struct run *r,
                      utf8proc_ssize_t *n)
{
    for (;;) {
        *n = utf8proc_decompose((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)len, r->c, r->cap, options);
        if (*n < 0)
            return false;
        if (*n <= r->cap)
            return true;
        utf8proc_int32_t *p = realloc(r->c, (size_t)*n * sizeof(*p));
        if (!p)
            return false;
        r->c = p;
        r->cap = *n;
    }
}

/* Normalizes s[0 .. n), all of it known to Unicode 9.0, into out; zero: it begins at offset 0 of the
 * original. */
static int put_run(const char *s, size_t n, bool compose, bool compatible, bool at_zero, struct run *r,
                   struct laser_normalized *out)
{
    utf8proc_option_t options = UTF8PROC_STABLE | (compose ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE) |
                                (compatible ? UTF8PROC_COMPAT : 0);
    utf8proc_ssize_t count, zero = 0;
    if (n == 0)
        return LASER_OK;
    if (at_zero && !decompose(s, laser_utf8_len(*s), options, r, &zero))
        return LASER_ENOMEM;
    if (at_zero && compose)
        zero = utf8proc_normalize_utf32(r->c, zero, options);
    if (!decompose(s, n, options, r, &count))
        return LASER_ENOMEM;
    if (compose)
        count = utf8proc_normalize_utf32(r->c, count, options);
    if (count < 0)
        return LASER_ENOMEM;
    for (utf8proc_ssize_t i = 0; i < count; i++)
        laser_normalized_add_char(out, (uint32_t)r->c[i], i < zero);
    return LASER_OK;
}

int laser_normalize_unicode(struct laser_normalized *t, bool compose, bool compatible,
                            struct laser_error *err)
{
    /* Characters below this are left alone by the form, and nothing combines across the place before one. */
    uint32_t plain = compose && !compatible ? 0x300 : 0x80;
    struct laser_normalized out = {0};
    struct run r = {0};
    size_t done = 0, last = 0; /* up to where it is copied; where the character before i begins */
    int rc = run_add(&r, 0) ? LASER_OK : LASER_ENOMEM;
    for (size_t i = 0, len; i < t->n && rc == LASER_OK; last = i, i += len) {
        uint32_t c;
        len = laser_utf8_get(t->s + i, &c);
        if (c < plain)
            continue;
        if (!laser_set_has(LASER_SET_KNOWN_TO_NORMALIZER, c))
            continue;
        /* A run: from the character before, if that one is known, up to the next that cannot take part. */
        uint32_t before = 0;
        bool joins = i > done && (laser_utf8_get(t->s + last, &before),
                                  laser_set_has(LASER_SET_KNOWN_TO_NORMALIZER, before));
        size_t start = joins ? last : i, end = i + len;
        for (size_t k; end < t->n; end += k) {
            k = laser_utf8_get(t->s + end, &c);
            if (c < plain || !laser_set_has(LASER_SET_KNOWN_TO_NORMALIZER, c))
                break;
        }
        laser_normalized_copy(&out, t, done, start);
        rc = put_run(t->s + start, end - start, compose, compatible, start == 0 && t->zero > 0, &r, &out);
        done = end;
        len = end - i;
    }
    if (rc == LASER_OK && done > 0) {
        laser_normalized_copy(&out, t, done, t->n);
        rc = out.failed ? LASER_ENOMEM : LASER_OK;
    }
    free(r.c);
    if (rc == LASER_OK && done > 0) {
        laser_normalized_free(t);
        *t = out;
        return LASER_OK;
    }
    laser_normalized_free(&out);
    return rc == LASER_OK ? LASER_OK
                          : laser_error_set(err, LASER_ENOMEM, NULL, "no memory for normalizing the text");
}
