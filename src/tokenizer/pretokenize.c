#include "tokenizer/parts.h"

#include <stdlib.h>
#include <string.h>

static int no_memory(struct laser_error *err)
{
    return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for cutting the text");
}

/* Puts the new pieces, of the same text, in the place of the old ones. */
static void keep_text(struct laser_pieces *p, struct laser_pre_scratch *w)
{
    struct laser_piece *at = p->at;
    size_t cap = p->cap;
    p->at = w->other.at;
    p->n = w->other.n;
    p->cap = w->other.cap;
    p->failed = p->failed || w->other.failed;
    w->other.at = at;
    w->other.cap = cap;
    w->other.n = 0;
}

/* Puts the new pieces and their text in the place of the old ones. */
static void new_text(struct laser_pieces *p, struct laser_pre_scratch *w)
{
    struct laser_normalized text = p->text;
    p->text = w->other.text;
    w->other.text = text;
    laser_normalized_reset(&w->other.text);
    p->failed = p->failed || p->text.failed;
    keep_text(p, w);
}

/* How many of the leading bytes of the piece stem from offset 0. */
static size_t zero_of(const struct laser_pieces *p, const struct laser_piece *piece)
{
    size_t zero = p->text.zero > piece->start ? p->text.zero - piece->start : 0;
    return zero < piece->end - piece->start ? zero : piece->end - piece->start;
}

/* Copies bytes [from, to) of the piece to the other text. */
static void copy(struct laser_pre_scratch *w, const struct laser_pieces *p, size_t from, size_t to)
{
    laser_normalized_copy(&w->other.text, &p->text, from, to);
}

/* Ends a piece of the other text that began at start. */
static void close_piece(struct laser_pre_scratch *w, const struct laser_piece *old, size_t start)
{
    laser_pieces_add(&w->other, (struct laser_piece){start, w->other.text.n, old->token, old->at_zero});
}

static int split_by_pattern(const struct laser_pretokenizer *z, struct laser_pieces *p,
                            struct laser_pre_scratch *w, struct laser_error *err)
{
    for (size_t i = 0; i < p->n; i++) {
        struct laser_piece *piece = &p->at[i];
        if (piece->token >= 0) {
            laser_pieces_add(&w->other, *piece);
            continue;
        }
        int rc = laser_pattern_find(z->pattern, &w->matcher, p->text.s + piece->start,
                                    piece->end - piece->start, &w->spans, err);
        if (rc != LASER_OK)
            return rc;
        laser_spans_split(&w->spans, z->how, z->invert, *piece, zero_of(p, piece), &w->other);
    }
    keep_text(p, w);
    return LASER_OK;
}

/* Kinds of characters for the splits below; runs of one kind, or each character, become spans. */
static bool is_delimiter(const struct laser_pretokenizer *z, uint32_t c, const char *at, size_t len)
{
    switch (z->kind) {
    case LASER_PRE_WHITESPACE_SPLIT:
        return c < 0x80 ? c == ' ' || (c >= 9 && c <= 13) : laser_set_has(LASER_SET_RUST_SPACE, c);
    case LASER_PRE_DIGITS:
        return c < 0x80 ? c >= '0' && c <= '9' : laser_set_has(LASER_SET_RUST_NUMERIC, c);
    case LASER_PRE_PUNCTUATION:
        return laser_set_has(LASER_SET_PUNCTUATION, c);
    default:
        return strlen(z->mark) == len && memcmp(at, z->mark, len) == 0;
    }
}

static int split_by_char(const struct laser_pretokenizer *z, enum laser_split how, struct laser_pieces *p,
                         struct laser_pre_scratch *w)
{
    for (size_t i = 0; i < p->n; i++) {
        struct laser_piece *piece = &p->at[i];
        const char *s = p->text.s + piece->start;
        size_t n = piece->end - piece->start, last = 0, len;
        if (piece->token >= 0) {
            laser_pieces_add(&w->other, *piece);
            continue;
        }
        w->spans.n = 0;
        for (size_t k = 0; k < n; k += len) {
            uint32_t c;
            len = laser_utf8_get(s + k, &c);
            if (!is_delimiter(z, c, s + k, len))
                continue;
            if (last < k)
                laser_spans_add(&w->spans, last, k, false);
            laser_spans_add(&w->spans, k, k + len, true);
            last = k + len;
        }
        if (last < n)
            laser_spans_add(&w->spans, last, n, false);
        laser_spans_split(&w->spans, how, false, *piece, zero_of(p, piece), &w->other);
    }
    keep_text(p, w);
    return LASER_OK;
}

/* The regex crate's \w+|[^\w\s]+, what is between them removed. */
static int split_words(struct laser_pieces *p, struct laser_pre_scratch *w)
{
    for (size_t i = 0; i < p->n; i++) {
        struct laser_piece *piece = &p->at[i];
        size_t start = piece->start, at = start, len;
        int kind = 0, k; /* 0: white space, 1: word, 2: other */
        if (piece->token >= 0) {
            laser_pieces_add(&w->other, *piece);
            continue;
        }
        for (; at < piece->end; at += len) {
            uint32_t c;
            len = laser_utf8_get(p->text.s + at, &c);
            k = laser_set_has(LASER_SET_RUST_WORD, c) ? 1 : laser_set_has(LASER_SET_RUST_SPACE, c) ? 0 : 2;
            if (k != kind && kind != 0)
                laser_pieces_add(&w->other, (struct laser_piece){start, at, -1, start < p->text.zero});
            if (k != kind)
                start = at;
            kind = k;
        }
        if (kind != 0)
            laser_pieces_add(&w->other, (struct laser_piece){start, at, -1, start < p->text.zero});
    }
    keep_text(p, w);
    return LASER_OK;
}

/* A piece begins where the script changes; characters of no script go with those before them, and are dropped at the
 * start. */
static int split_scripts(struct laser_pieces *p, struct laser_pre_scratch *w)
{
    for (size_t i = 0; i < p->n; i++) {
        struct laser_piece *piece = &p->at[i];
        size_t start = piece->end, at, len;
        int last = -1;
        if (piece->token >= 0) {
            laser_pieces_add(&w->other, *piece);
            continue;
        }
        for (at = piece->start; at < piece->end; at += len) {
            uint32_t c;
            int script;
            len = laser_utf8_get(p->text.s + at, &c);
            script = laser_script_of(c);
            if (script < 0 || script == last)
                continue;
            if (last >= 0)
                laser_pieces_add(&w->other, (struct laser_piece){start, at, -1, start < p->text.zero});
            start = at;
            last = script;
        }
        laser_pieces_add(&w->other, (struct laser_piece){start, piece->end, -1, start < p->text.zero});
    }
    keep_text(p, w);
    return LASER_OK;
}

static int split_lengths(const struct laser_pretokenizer *z, struct laser_pieces *p,
                         struct laser_pre_scratch *w)
{
    for (size_t i = 0; i < p->n; i++) {
        struct laser_piece *piece = &p->at[i];
        if (piece->token >= 0) {
            laser_pieces_add(&w->other, *piece);
            continue;
        }
        for (size_t start = piece->start, end = start; start < piece->end; start = end) {
            for (size_t k = 0; k < z->length && end < piece->end; k++)
                end += laser_utf8_len(p->text.s[end]);
            laser_pieces_add(&w->other, (struct laser_piece){start, end, -1, start < p->text.zero});
        }
    }
    keep_text(p, w);
    return LASER_OK;
}

/* Writes the replacement for each blank, and puts one in front if the scheme says so. */
static int metaspace(const struct laser_pretokenizer *z, struct laser_pieces *p, struct laser_pre_scratch *w)
{
    size_t n_mark = strlen(z->mark);
    for (size_t i = 0; i < p->n; i++) {
        struct laser_piece *piece = &p->at[i];
        const char *s = p->text.s;
        size_t start = w->other.text.n, at = piece->start;
        if (piece->token >= 0) {
            copy(w, p, piece->start, piece->end);
            close_piece(w, piece, start);
            continue;
        }
        bool marked = s[at] == ' ' || (piece->end - at >= n_mark && memcmp(s + at, z->mark, n_mark) == 0);
        if (!marked &&
            (z->prepend == LASER_PREPEND_ALWAYS || (z->prepend == LASER_PREPEND_FIRST && piece->at_zero)))
            laser_normalized_add(&w->other.text, z->mark, n_mark, at < p->text.zero);
        while (at < piece->end) {
            const char *blank = memchr(s + at, ' ', piece->end - at);
            size_t to = blank ? (size_t)(blank - s) : piece->end;
            copy(w, p, at, to);
            if (blank)
                laser_normalized_add(&w->other.text, z->mark, n_mark, to < p->text.zero);
            at = to + (blank != NULL);
        }
        close_piece(w, piece, start);
    }
    new_text(p, w);
    return z->split ? split_by_char(z, LASER_SPLIT_NEXT, p, w) : LASER_OK;
}

/* Puts a blank before each piece that has none. */
static void prefix_spaces(struct laser_pieces *p, struct laser_pre_scratch *w)
{
    bool any = false;
    for (size_t i = 0; i < p->n; i++)
        any = any || (p->at[i].token < 0 && p->text.s[p->at[i].start] != ' ');
    if (!any)
        return;
    for (size_t i = 0; i < p->n; i++) {
        struct laser_piece *piece = &p->at[i];
        size_t start = w->other.text.n;
        if (piece->token < 0 && p->text.s[piece->start] != ' ')
            laser_normalized_add(&w->other.text, " ", 1, piece->start < p->text.zero);
        copy(w, p, piece->start, piece->end);
        close_piece(w, piece, start);
    }
    new_text(p, w);
}

static void write_bytes(struct laser_pieces *p, struct laser_pre_scratch *w)
{
    const struct laser_byte_char *map = laser_byte_chars();
    for (size_t i = 0; i < p->n; i++) {
        struct laser_piece *piece = &p->at[i];
        size_t start = w->other.text.n;
        if (piece->token >= 0)
            copy(w, p, piece->start, piece->end);
        for (size_t k = piece->start; k < piece->end && piece->token < 0; k++) {
            const struct laser_byte_char *c = &map[(unsigned char)p->text.s[k]];
            laser_normalized_add(&w->other.text, c->s, c->n, k < p->text.zero);
        }
        close_piece(w, piece, start);
    }
    new_text(p, w);
}

static int run(const struct laser_pretokenizer *z, struct laser_pieces *p, struct laser_pre_scratch *w,
               bool last, bool *byte_level, struct laser_error *err)
{
    int rc = LASER_OK;
    switch (z->kind) {
    case LASER_PRE_SEQUENCE:
        for (size_t i = 0; i < z->n && rc == LASER_OK; i++)
            rc = run(&z->child[i], p, w, last && i + 1 == z->n, byte_level, err);
        break;
    case LASER_PRE_BYTE_LEVEL:
        if (z->prefix_space)
            prefix_spaces(p, w);
        if (z->pattern)
            rc = split_by_pattern(z, p, w, err);
        *byte_level = last;
        if (!last)
            write_bytes(p, w);
        break;
    case LASER_PRE_SPLIT:
        rc = split_by_pattern(z, p, w, err);
        break;
    case LASER_PRE_METASPACE:
        rc = metaspace(z, p, w);
        break;
    case LASER_PRE_WHITESPACE:
        rc = split_words(p, w);
        break;
    case LASER_PRE_WHITESPACE_SPLIT:
    case LASER_PRE_DELIMITER:
        rc = split_by_char(z, LASER_SPLIT_REMOVED, p, w);
        break;
    case LASER_PRE_DIGITS:
        rc = split_by_char(z, z->each ? LASER_SPLIT_ISOLATED : LASER_SPLIT_CONTIGUOUS, p, w);
        break;
    case LASER_PRE_PUNCTUATION:
        rc = split_by_char(z, z->how, p, w);
        break;
    case LASER_PRE_BERT: {
        struct laser_pretokenizer step = {.kind = LASER_PRE_WHITESPACE_SPLIT};
        rc = split_by_char(&step, LASER_SPLIT_REMOVED, p, w);
        step.kind = LASER_PRE_PUNCTUATION;
        if (rc == LASER_OK)
            rc = split_by_char(&step, LASER_SPLIT_ISOLATED, p, w);
        break;
    }
    case LASER_PRE_FIXED_LENGTH:
        rc = split_lengths(z, p, w);
        break;
    case LASER_PRE_UNICODE_SCRIPTS:
        rc = split_scripts(p, w);
        break;
    }
    return rc == LASER_OK && p->failed ? no_memory(err) : rc;
}

int laser_pretokenize(const struct laser_pretokenizer *z, struct laser_pieces *p, struct laser_pre_scratch *w,
                      bool *byte_level, struct laser_error *err)
{
    *byte_level = false;
    return run(z, p, w, true, byte_level, err);
}

void laser_pretokenizer_free(struct laser_pretokenizer *z)
{
    for (size_t i = 0; i < z->n; i++)
        laser_pretokenizer_free(&z->child[i]);
    free(z->child);
    laser_pattern_free(z->pattern);
    memset(z, 0, sizeof(*z));
}
