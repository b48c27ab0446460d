#include "tokenizer/text.h"

#include <stdlib.h>
#include <string.h>

void laser_normalized_add(struct laser_normalized *t, const char *s, size_t n, bool at_zero)
{
    if (t->failed || n == 0)
        return;
    if (t->cap - t->n < n) {
        size_t cap = t->cap + t->cap / 2 + n + 64;
        char *p = cap > t->cap ? realloc(t->s, cap) : NULL;
        if (!p) {
            t->failed = true;
            return;
        }
        t->s = p;
        t->cap = cap;
    }
    memcpy(t->s + t->n, s, n);
    t->n += n;
    if (at_zero)
        t->zero = t->n;
}

void laser_normalized_add_char(struct laser_normalized *t, uint32_t c, bool at_zero)
{
    char buf[4];
    laser_normalized_add(t, buf, laser_utf8_put(buf, c), at_zero);
}

void laser_normalized_copy(struct laser_normalized *t, const struct laser_normalized *from_text, size_t from,
                           size_t to)
{
    size_t zero = from_text->zero < from ? from : from_text->zero < to ? from_text->zero : to;
    if (zero > from)
        laser_normalized_add(t, from_text->s + from, zero - from, true);
    if (to > zero)
        laser_normalized_add(t, from_text->s + zero, to - zero, false);
}

void laser_normalized_reset(struct laser_normalized *t)
{
    t->n = t->zero = 0;
}

void laser_normalized_free(struct laser_normalized *t)
{
    free(t->s);
    memset(t, 0, sizeof(*t));
}

static bool grow(void **p, size_t *cap, size_t size)
{
    size_t n = *cap ? 2 * *cap : 64;
    void *q = n < SIZE_MAX / size / 2 ? realloc(*p, n * size) : NULL;
    if (!q)
        return false;
    *p = q;
    *cap = n;
    return true;
}

void laser_pieces_add(struct laser_pieces *p, struct laser_piece piece)
{
    if (p->failed || (piece.start >= piece.end && piece.token < 0))
        return;
    if (p->n == p->cap) {
        void *q = p->at;
        if (!grow(&q, &p->cap, sizeof(*p->at))) {
            p->failed = true;
            return;
        }
        p->at = q;
    }
    p->at[p->n++] = piece;
}

void laser_pieces_free(struct laser_pieces *p)
{
    laser_normalized_free(&p->text);
    free(p->at);
    memset(p, 0, sizeof(*p));
}

void laser_spans_add(struct laser_spans *s, size_t start, size_t end, bool match)
{
    if (s->failed)
        return;
    if (s->n == s->cap) {
        void *q = s->at;
        if (!grow(&q, &s->cap, sizeof(*s->at))) {
            s->failed = true;
            return;
        }
        s->at = q;
    }
    s->at[s->n++] = (struct laser_span){start, end, match};
}

void laser_spans_free(struct laser_spans *s)
{
    free(s->at);
    memset(s, 0, sizeof(*s));
}

/* Joins each match to the span before it (forward) or after it (backward), or equal neighbours to each other;
 * the flags are all cleared.  The rules, oddities at the start included, are those of
 * NormalizedString::split. */
static void spans_join(struct laser_spans *s, enum laser_split how)
{
    bool backward = how == LASER_SPLIT_NEXT, previous = false;
    size_t n = 0;
    for (size_t k = 0; k < s->n; k++) {
        struct laser_span cur = s->at[backward ? s->n - 1 - k : k];
        bool join = how == LASER_SPLIT_CONTIGUOUS ? cur.match == previous : cur.match && !previous;
        previous = cur.match;
        cur.match = false;
        /* The kept spans are gathered at the end that has been read already. */
        struct laser_span *last = n == 0 ? NULL : &s->at[backward ? s->n - n : n - 1];
        if (join && last && backward)
            last->start = cur.start;
        else if (join && last)
            last->end = cur.end;
        else if (backward)
            s->at[s->n - ++n] = cur;
        else
            s->at[n++] = cur;
    }
    if (backward)
        memmove(s->at, s->at + (s->n - n), n * sizeof(*s->at));
    s->n = n;
}

void laser_spans_split(struct laser_spans *s, enum laser_split how, bool invert, struct laser_piece piece,
                       size_t zero, struct laser_pieces *out)
{
    if (s->failed) {
        out->failed = true;
        return;
    }
    if (s->n == 0)
        return;
    if (invert) {
        for (size_t i = 0; i < s->n; i++)
            s->at[i].match = !s->at[i].match;
    }
    if (how != LASER_SPLIT_REMOVED && how != LASER_SPLIT_ISOLATED)
        spans_join(s, how);
    for (size_t i = 0; i < s->n; i++) {
        if (how == LASER_SPLIT_REMOVED && s->at[i].match)
            continue;
        laser_pieces_add(out, (struct laser_piece){piece.start + s->at[i].start, piece.start + s->at[i].end,
                                                   -1, s->at[i].start < zero});
    }
}

size_t laser_utf8_put(char out[4], uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}
