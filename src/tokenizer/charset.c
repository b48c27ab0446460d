#include "tokenizer/charset.h"

#include <stdlib.h>
#include <string.h>

void laser_charset_add(struct laser_charset *s, uint32_t lo, uint32_t hi)
{
    if (s->failed || lo > hi)
        return;
    if (s->n == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 8;
        struct laser_range *r = realloc(s->r, cap * sizeof(*r));
        if (!r) {
            s->failed = true;
            return;
        }
        s->r = r;
        s->cap = cap;
    }
    s->r[s->n++] = (struct laser_range){lo, hi};
}

void laser_charset_add_set(struct laser_charset *s, enum laser_set_name name)
{
    for (size_t i = 0; i < laser_sets[name].n; i++)
        laser_charset_add(s, laser_sets[name].r[i].lo, laser_sets[name].r[i].hi);
}

void laser_charset_add_all(struct laser_charset *s, const struct laser_charset *other)
{
    s->failed |= other->failed;
    for (size_t i = 0; i < other->n; i++)
        laser_charset_add(s, other->r[i].lo, other->r[i].hi);
}

static int by_start(const void *a, const void *b)
{
    uint32_t x = ((const struct laser_range *)a)->lo, y = ((const struct laser_range *)b)->lo;
    return x < y ? -1 : x > y;
}

void laser_charset_tidy(struct laser_charset *s)
{
    if (s->n == 0)
        return;
    qsort(s->r, s->n, sizeof(*s->r), by_start);
    size_t n = 0;
    for (size_t i = 1; i < s->n; i++) {
        if (s->r[i].lo <= s->r[n].hi + 1) {
            if (s->r[i].hi > s->r[n].hi)
                s->r[n].hi = s->r[i].hi;
        } else {
            s->r[++n] = s->r[i];
        }
    }
    s->n = n + 1;
}

void laser_charset_invert(struct laser_charset *s)
{
    laser_charset_tidy(s);
    struct laser_charset out = {.failed = s->failed};
    uint32_t next = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (s->r[i].lo > next)
            laser_charset_add(&out, next, s->r[i].lo - 1);
        next = s->r[i].hi + 1;
    }
    laser_charset_add(&out, next, LASER_MAX_CHAR);
    free(s->r);
    *s = out;
}

void laser_charset_intersect(struct laser_charset *s, const struct laser_charset *other)
{
    laser_charset_tidy(s);
    struct laser_charset out = {.failed = s->failed || other->failed};
    for (size_t i = 0, j = 0; i < s->n && j < other->n;) {
        uint32_t lo = s->r[i].lo > other->r[j].lo ? s->r[i].lo : other->r[j].lo;
        uint32_t hi = s->r[i].hi < other->r[j].hi ? s->r[i].hi : other->r[j].hi;
        laser_charset_add(&out, lo, hi);
        if (s->r[i].hi < other->r[j].hi)
            i++;
        else
            j++;
    }
    free(s->r);
    *s = out;
}

bool laser_charset_has(const struct laser_charset *s, uint32_t c)
{
    for (size_t i = 0; i < s->n && s->r[i].lo <= c; i++) {
        if (c <= s->r[i].hi)
            return true;
    }
    return false;
}

void laser_charset_free(struct laser_charset *s)
{
    free(s->r);
    memset(s, 0, sizeof(*s));
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* The characters at which some set begins or has just ended, ascending, 0 first; NULL: out of memory. */
static uint32_t *cut_points(const struct laser_charset *sets, size_t n, size_t *n_cuts)
{
    size_t total = 1;
    for (size_t i = 0; i < n; i++)
        total += 2 * sets[i].n;
    uint32_t *cut = malloc((total + 1) * sizeof(*cut));
    if (!cut)
        return NULL;
    size_t k = 0;
    cut[k++] = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < sets[i].n; j++) {
            cut[k++] = sets[i].r[j].lo;
            if (sets[i].r[j].hi < LASER_MAX_CHAR)
                cut[k++] = sets[i].r[j].hi + 1;
        }
    }
    qsort(cut, k, sizeof(*cut), by_value);
    size_t m = 0;
    for (size_t i = 0; i < k; i++) {
        if (m == 0 || cut[i] != cut[m - 1])
            cut[m++] = cut[i];
    }
    cut[m] = LASER_MAX_CHAR + 1;
    *n_cuts = m;
    return cut;
}

/* Finds the class whose membership is in[n], or makes it; -1: there are 256 others. */
static int class_of(const bool *in, size_t n, int *n_classes, bool *member)
{
    for (int k = 0; k < *n_classes; k++) {
        size_t i = 0;
        while (i < n && member[256 * i + (size_t)k] == in[i])
            i++;
        if (i == n)
            return k;
    }
    if (*n_classes == 256)
        return -1;
    for (size_t i = 0; i < n; i++)
        member[256 * i + (size_t)*n_classes] = in[i];
    return (*n_classes)++;
}

/* Folds a table of one byte for each character into rows of 256, equal neighbours stored once. */
static bool classes_pack(struct laser_classes *c, const uint8_t *all)
{
    size_t rows = (LASER_MAX_CHAR + 1) >> 8, used = 0;
    c->cell = malloc(LASER_MAX_CHAR + 1);
    if (!c->cell)
        return false;
    for (size_t b = 0; b < rows; b++) {
        size_t k = used;
        while (k > 0 && memcmp(c->cell + 256 * (k - 1), all + 256 * b, 256) != 0)
            k--;
        if (k == 0) {
            memcpy(c->cell + 256 * used, all + 256 * b, 256);
            k = ++used;
        }
        c->block[b] = (uint16_t)(k - 1);
    }
    uint8_t *less = realloc(c->cell, 256 * used);
    if (less)
        c->cell = less;
    memcpy(c->ascii, all, sizeof(c->ascii));
    return true;
}

int laser_classes_make(struct laser_classes *c, const struct laser_charset *sets, size_t n, bool *member)
{
    size_t n_cuts;
    int rc = 2;
    uint32_t *cut = cut_points(sets, n, &n_cuts);
    uint8_t *all = malloc(LASER_MAX_CHAR + 1);
    bool *in = calloc(n + 1, sizeof(*in));
    size_t *next = calloc(n + 1, sizeof(*next)); /* first range of each set that is not behind */
    c->n = 0;
    if (!cut || !all || !in || !next)
        goto done;
    for (size_t k = 0; k < n_cuts; k++) {
        for (size_t i = 0; i < n; i++) {
            while (next[i] < sets[i].n && sets[i].r[next[i]].hi < cut[k])
                next[i]++;
            in[i] = next[i] < sets[i].n && sets[i].r[next[i]].lo <= cut[k];
        }
        int id = class_of(in, n, &c->n, member);
        if (id < 0) {
            rc = 1;
            goto done;
        }
        memset(all + cut[k], id, cut[k + 1] - cut[k]);
    }
    rc = classes_pack(c, all) ? 0 : 2;
done:
    free(cut);
    free(all);
    free(in);
    free(next);
    return rc;
}

void laser_classes_free(struct laser_classes *c)
{
    free(c->cell);
    c->cell = NULL;
}
