#include "task/tree.h"

#include <stdlib.h>
#include <string.h>

/* A shorter common beginning is computed again: parting it would cost more than it saves. */
#define LEAST_SHARED 8

/* One sequence on the way into the tree. */
struct strand {
    const int32_t *tokens;
    int64_t n, number;
    int64_t *rows; /* of its scored positions */
    int64_t first_row, n_scored;
};

struct builder {
    struct laser_tree *tree;
    struct strand *strands;
    bool share;
};

static int compare(const void *x, const void *y)
{
    const struct strand *a = x, *b = y;
    int64_t n = a->n < b->n ? a->n : b->n;

    for (int64_t i = 0; i < n; ++i)
        if (a->tokens[i] != b->tokens[i])
            return a->tokens[i] < b->tokens[i] ? -1 : 1;
    if (a->n != b->n)
        return a->n < b->n ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

/* Tokens depth .. end - 1 of strands low .. high - 1, which have them in common, as a node. */
static int64_t add_node(struct builder *b, int64_t low, int64_t high, int64_t depth, int64_t end,
                        int64_t parent)
{
    struct laser_tree *t = b->tree;
    int64_t row = t->n_tokens;

    memcpy(t->tokens + row, b->strands[low].tokens + depth, (size_t)(end - depth) * sizeof *t->tokens);
    for (int64_t i = low; i < high; ++i) {
        struct strand *s = &b->strands[i];
        int64_t begin = s->first_row > depth ? s->first_row : depth;
        for (int64_t p = begin; p < end && p < s->first_row + s->n_scored; ++p)
            s->rows[p - s->first_row] = row + p - depth;
    }
    t->lengths[t->n_nodes] = end - depth;
    t->parents[t->n_nodes] = parent;
    t->n_tokens += end - depth;
    return t->n_nodes++;
}

/* Sorted strands low .. high - 1, equal in their first `depth` tokens, which end in node `parent`. */
static void build(struct builder *b, int64_t low, int64_t high, int64_t depth, int64_t parent)
{
    const struct strand *first = &b->strands[low], *last = &b->strands[high - 1];
    int64_t common = depth;

    while (common < first->n && common < last->n && first->tokens[common] == last->tokens[common])
        ++common;
    if (common == last->n) { /* all the same */
        if (common > depth)
            add_node(b, low, high, depth, common, parent);
        return;
    }
    if (b->share && common - depth >= LEAST_SHARED) {
        parent = add_node(b, low, high, depth, common, parent);
        depth = common;
    }
    for (int64_t i = low, next; i < high; i = next) {
        const struct strand *s = &b->strands[i];
        bool ends = s->n == common;
        for (next = i + 1; next < high; ++next) {
            const struct strand *other = &b->strands[next];
            if (ends ? other->n != common : other->n == common || other->tokens[common] != s->tokens[common])
                break;
        }
        build(b, i, next, depth, parent);
    }
}

void laser_tree_free(struct laser_tree *t)
{
    free(t->lengths);
    free(t->parents);
    free(t->tokens);
    free(t->rows);
    free(t->targets);
    memset(t, 0, sizeof *t);
}

struct laser_model_batch laser_tree_batch(const struct laser_tree *t)
{
    bool flat = true;

    for (int64_t i = 0; i < t->n_nodes; ++i)
        flat = flat && t->parents[i] < 0;
    return (struct laser_model_batch){
        .sequences = t->n_nodes, .lengths = t->lengths, .parents = flat ? NULL : t->parents};
}

static int make_room(struct laser_tree *t, int64_t options, int64_t tokens, int64_t scored,
                     struct laser_error *err)
{
    t->lengths = malloc((size_t)(2 * options + 1) * sizeof *t->lengths);
    t->parents = malloc((size_t)(2 * options + 1) * sizeof *t->parents);
    t->tokens = malloc((size_t)tokens * sizeof *t->tokens + 1);
    t->rows = malloc((size_t)scored * sizeof *t->rows + 1);
    t->targets = malloc((size_t)scored * sizeof *t->targets + 1);
    if (t->lengths == NULL || t->parents == NULL || t->tokens == NULL || t->rows == NULL ||
        t->targets == NULL)
        return laser_error_set(err, LASER_ENOMEM, "tasks", "no memory for a batch of %lld tokens",
                               (long long)tokens);
    return LASER_OK;
}

static const struct laser_set_question *question(const struct laser_set *set, const int64_t *order, int64_t i)
{
    return &set->questions[order != NULL ? order[i] : i];
}

/* Strands and targets of all options. */
static void fill(struct builder *b, const struct laser_set *set, const int64_t *order, int64_t first,
                 int64_t n)
{
    struct laser_tree *t = b->tree;
    int64_t number = 0;

    for (int64_t i = first; i < first + n; ++i) {
        const struct laser_set_question *q = question(set, order, i);
        for (int64_t k = q->first_option; k < q->first_option + q->n_options; ++k) {
            const struct laser_set_option *o = &set->options[k];
            b->strands[number] = (struct strand){.tokens = set->tokens + o->first_token,
                                                 .n = o->n_tokens,
                                                 .number = number,
                                                 .rows = t->rows + t->n_scored,
                                                 .first_row = o->first_row,
                                                 .n_scored = o->n_scored};
            ++number;
            memcpy(t->targets + t->n_scored, set->targets + o->first_target,
                   (size_t)o->n_scored * sizeof *t->targets);
            if (o->n_variants > 0)
                memcpy(t->targets + t->n_scored + o->n_scored, set->variants + o->first_variant,
                       (size_t)o->n_variants * sizeof *t->targets);
            t->n_scored += o->n_scored + o->n_variants;
        }
    }
}

/* Variants are scored where the answer is. */
static void fill_variants(struct laser_tree *t, const struct laser_set *set, const int64_t *order,
                          int64_t first, int64_t n)
{
    int64_t at = 0;

    for (int64_t i = first; i < first + n; ++i) {
        const struct laser_set_question *q = question(set, order, i);
        for (int64_t k = q->first_option; k < q->first_option + q->n_options; ++k) {
            const struct laser_set_option *o = &set->options[k];
            for (int32_t v = 0; v < o->n_variants; ++v)
                t->rows[at + o->n_scored + v] = t->rows[at];
            at += o->n_scored + o->n_variants;
        }
    }
}

int laser_tree_build(const struct laser_set *set, const int64_t *order, int64_t first, int64_t n, bool share,
                     struct laser_tree *t, struct laser_error *err)
{
    struct builder b = {.tree = t, .share = share};
    int64_t options = 0, tokens = 0, scored = 0;
    int code;

    memset(t, 0, sizeof *t);
    for (int64_t i = first; i < first + n; ++i) {
        const struct laser_set_question *q = question(set, order, i);
        options += q->n_options;
        tokens += q->tokens;
        for (int64_t k = q->first_option; k < q->first_option + q->n_options; ++k)
            scored += set->options[k].n_scored + set->options[k].n_variants;
    }
    code = make_room(t, options, tokens, scored, err);
    b.strands = malloc((size_t)options * sizeof *b.strands + 1);
    if (code == LASER_OK && b.strands == NULL)
        code =
            laser_error_set(err, LASER_ENOMEM, "tasks", "no memory for %lld sequences", (long long)options);
    if (code == LASER_OK) {
        fill(&b, set, order, first, n);
        qsort(b.strands, (size_t)options, sizeof *b.strands, compare);
        build(&b, 0, options, 0, -1);
        fill_variants(t, set, order, first, n);
    } else {
        laser_tree_free(t);
    }
    free(b.strands);
    return code;
}
