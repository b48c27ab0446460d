#include "tokenizer/parts.h"

#include <stdlib.h>
#include <string.h>

/* What one call works with. */
struct call {
    struct laser_pieces pieces, next;
    struct laser_pre_scratch pre;
    struct laser_token_model_scratch model;
    struct laser_ids ids;
};

static int no_memory(struct laser_error *err)
{
    return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for the tokens of the text");
}

static void swap_pieces(struct call *c)
{
    struct laser_pieces p = c->pieces;
    c->pieces = c->next;
    c->next = p;
    laser_normalized_reset(&c->next.text);
    c->next.n = 0;
}

/* The text as one piece, then the added tokens that are looked for before anything is normalized. */
static int find_plain_tokens(const struct laser_tokenizer *t, struct call *c, const char *text, size_t n,
                             struct laser_error *err)
{
    laser_normalized_add(&c->pieces.text, text, n, false);
    c->pieces.text.zero = n > 0 ? laser_utf8_len(*text) : 0;
    laser_added_split(&t->added, false, &c->pieces, (struct laser_piece){0, n, -1, true}, &c->pieces);
    return c->pieces.text.failed || c->pieces.failed ? no_memory(err) : LASER_OK;
}

/* Normalizes each piece on its own. */
static int normalize_pieces(const struct laser_tokenizer *t, struct call *c, struct laser_error *err)
{
    struct laser_normalized one = {0};
    int rc = LASER_OK;
    if (!t->normalizer)
        return LASER_OK;
    for (size_t i = 0; i < c->pieces.n && rc == LASER_OK; i++) {
        struct laser_piece p = c->pieces.at[i];
        size_t start = c->next.text.n;
        laser_normalized_reset(&one);
        laser_normalized_copy(&one, &c->pieces.text, p.start, p.end);
        if (one.failed)
            rc = no_memory(err);
        else if (p.token < 0)
            rc = laser_normalize(t->normalizer, &one, &c->pre.matcher, err);
        laser_normalized_copy(&c->next.text, &one, 0, one.n);
        laser_pieces_add(&c->next, (struct laser_piece){start, c->next.text.n, p.token, p.at_zero});
    }
    laser_normalized_free(&one);
    swap_pieces(c);
    return rc == LASER_OK && (c->pieces.failed || c->pieces.text.failed) ? no_memory(err) : rc;
}

/* Then the added tokens that are looked for in the normalized text. */
static int find_normalized_tokens(const struct laser_tokenizer *t, struct call *c, struct laser_error *err)
{
    for (size_t i = 0; i < c->pieces.n; i++) {
        if (c->pieces.at[i].token >= 0)
            laser_pieces_add(&c->next, c->pieces.at[i]);
        else
            laser_added_split(&t->added, true, &c->pieces, c->pieces.at[i], &c->next);
    }
    struct laser_piece *at = c->pieces.at;
    size_t cap = c->pieces.cap;
    c->pieces.at = c->next.at;
    c->pieces.n = c->next.n;
    c->pieces.cap = c->next.cap;
    c->next.at = at;
    c->next.cap = cap;
    return c->next.failed ? no_memory(err) : LASER_OK;
}

static int run_model(const struct laser_tokenizer *t, struct call *c, bool byte_level,
                     struct laser_error *err)
{
    int rc = LASER_OK;
    for (size_t i = 0; i < c->pieces.n && rc == LASER_OK; i++) {
        const struct laser_piece *p = &c->pieces.at[i];
        if (p->token >= 0)
            laser_ids_add(&c->ids, p->token);
        else
            rc = laser_token_model_encode(&t->model, &c->model, c->pieces.text.s + p->start,
                                          p->end - p->start, byte_level, &c->ids, err);
    }
    return rc;
}

static int encode(const struct laser_tokenizer *t, struct call *c, const char *text, size_t n,
                  bool add_special, struct laser_error *err)
{
    bool byte_level = false;
    int rc = find_plain_tokens(t, c, text, n, err);
    if (rc == LASER_OK)
        rc = normalize_pieces(t, c, err);
    if (rc == LASER_OK)
        rc = find_normalized_tokens(t, c, err);
    if (rc == LASER_OK && t->pre_tokenizer)
        rc = laser_pretokenize(t->pre_tokenizer, &c->pieces, &c->pre, &byte_level, err);
    if (rc != LASER_OK)
        return rc;
    if (add_special)
        laser_ids_add_all(&c->ids, t->post.before.at, t->post.before.n);
    rc = run_model(t, c, byte_level, err);
    if (add_special)
        laser_ids_add_all(&c->ids, t->post.after.at, t->post.after.n);
    return rc == LASER_OK && c->ids.failed ? no_memory(err) : rc;
}

int laser_tokenizer_encode(const struct laser_tokenizer *t, const char *text, size_t n_bytes,
                           bool add_special, int32_t **ids, int64_t *n, struct laser_error *err)
{
    struct call c = {0};
    size_t good = laser_utf8_valid_prefix(text, n_bytes);
    *ids = NULL;
    *n = 0;
    if (good < n_bytes)
        return laser_error_set(err, LASER_EINPUT, NULL,
                               "the text is not UTF-8: byte %zu (0x%02x) does not belong there", good,
                               (unsigned)(unsigned char)text[good]);
    int rc = encode(t, &c, text, n_bytes, add_special, err);
    if (rc == LASER_OK && !c.ids.at && !(c.ids.at = malloc(sizeof(*c.ids.at))))
        rc = no_memory(err);
    laser_pieces_free(&c.pieces);
    laser_pieces_free(&c.next);
    laser_matcher_free(&c.pre.matcher);
    laser_spans_free(&c.pre.spans);
    laser_pieces_free(&c.pre.other);
    laser_token_model_scratch_free(&c.model);
    if (rc != LASER_OK) {
        free(c.ids.at);
        return rc;
    }
    *ids = c.ids.at;
    *n = (int64_t)c.ids.n;
    return LASER_OK;
}
