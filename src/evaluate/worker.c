#include "evaluate/worker.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evaluate/beside.h"
#include "evaluate/overlay.h"
#include "model/pair.h"
#include "task/slope.h"
#include "task/tree.h"

/* Of the memory of a rank, for the insides of layers in a gradient pass. */
#define INSIDE_SHARE 0.15

/* Of one run of the backward pass. */
enum { GRADIENT_SEQUENCES = 256 };

/* Hidden states before one layer of one batch, and the edits below that layer they were computed with. */
struct saved {
    float *hidden; /* tokens of the batch x H; NULL: none */
    uint64_t below;
};

struct laser_worker {
    struct laser_evaluation *e;
    struct laser_model_workspace *workspace;
    int64_t max_tokens, layers, hidden_size;
    int32_t *tokens, *targets;
    int64_t *lengths;
    float *hidden;
    double *nll;
    struct laser_tree *trees; /* of the batches of questions, n_batches */
    float *scored;            /* max_tokens x H: the states that are scored, where only losses are wanted */
    struct laser_model_score *scores; /* of the batch with most */

    struct laser_model_gradient *gradient;            /* from the first use on, with what belongs to it */
    struct laser_model_workspace *gradient_workspace; /* NULL: that of the forward is large enough */
    int64_t gradient_tokens;
    float *weights;                    /* gradient_tokens */
    struct laser_option_slope *slopes; /* of each option of the batch with most of them */

    struct laser_overlay placed;
    int64_t *edit_layer; /* first layer that each edit changes, 0 .. layers */

    struct saved *saved; /* n_batches x layers */
    size_t room_bytes;   /* left for saved states */
};

void laser_worker_free(struct laser_worker *w)
{
    if (w == NULL)
        return;
    for (int64_t i = 0; w->saved != NULL && i < w->e->n_batches * w->layers; ++i)
        free(w->saved[i].hidden);
    for (int64_t i = 0; w->trees != NULL && i < w->e->n_batches; ++i)
        laser_tree_free(&w->trees[i]);
    free(w->trees);
    free(w->scored);
    free(w->scores);
    laser_model_gradient_free(w->gradient);
    laser_model_workspace_free(w->gradient_workspace);
    free(w->weights);
    free(w->slopes);
    laser_model_workspace_free(w->workspace);
    free(w->tokens);
    free(w->targets);
    free(w->lengths);
    free(w->hidden);
    free(w->nll);
    laser_overlay_free(&w->placed);
    free(w->edit_layer);
    free(w->saved);
    free(w);
}

int64_t laser_worker_tokens(const struct laser_worker *w)
{
    return w->max_tokens;
}

static bool is_questions(const struct laser_evaluation *e, int64_t batch)
{
    return e->items[e->batches[batch].first] < 0;
}

static int64_t batch_tokens(const struct laser_worker *w, int64_t batch)
{
    const struct laser_evaluation *e = w->e;
    const struct laser_item_batch *b = &e->batches[batch];
    int64_t tokens = 0;

    if (is_questions(e, batch))
        return w->trees[batch].n_tokens;
    for (int i = 0; i < b->n; ++i)
        tokens += e->windows[e->items[b->first + i]].n_tokens;
    return tokens;
}

/* The trees of all batches of questions. */
static int build_trees(struct laser_worker *w, int64_t *most_scored, struct laser_error *err)
{
    const struct laser_evaluation *e = w->e;
    bool share = laser_arch_continues(laser_model_arch(e->model));
    int64_t numbers[LASER_SEARCH_MAX_BATCH];
    int code = LASER_OK;

    *most_scored = 0;
    w->trees = calloc((size_t)e->n_batches + 1, sizeof *w->trees);
    if (w->trees == NULL)
        return laser_error_set(err, LASER_ENOMEM, "evaluation", "no memory");
    for (int64_t b = 0; code == LASER_OK && b < e->n_batches; ++b) {
        if (!is_questions(e, b))
            continue;
        for (int i = 0; i < e->batches[b].n; ++i)
            numbers[i] = ~e->items[e->batches[b].first + i];
        code = laser_tree_build(&e->set, numbers, 0, e->batches[b].n, share, &w->trees[b], err);
        if (code == LASER_OK && w->trees[b].n_scored > *most_scored)
            *most_scored = w->trees[b].n_scored;
    }
    return code;
}

int laser_worker_clear(struct laser_worker *w, struct laser_error *err)
{
    return laser_overlay_set(&w->placed, NULL, 0, err);
}

int laser_worker_edits(struct laser_worker *w, struct laser_error *err)
{
    const struct laser_evaluation *e = w->e;

    free(w->edit_layer);
    w->edit_layer = calloc((size_t)e->n_edits + 1, sizeof *w->edit_layer);
    if (w->edit_layer == NULL)
        return laser_error_set(err, LASER_ENOMEM, "evaluation", "no memory for %d edits", e->n_edits);
    for (int i = 0; i < e->n_edits; ++i) {
        int64_t layer = laser_model_layer_of(e->model, e->edits[i].tensor);
        w->edit_layer[i] = layer < 0 ? 0 : layer;
    }
    laser_overlay_free(&w->placed);
    return laser_overlay_init(&w->placed, w->e, err);
}

int laser_worker_create(struct laser_evaluation *e, struct laser_worker **out, struct laser_error *err)
{
    struct laser_worker *w = calloc(1, sizeof *w);
    const struct laser_arch *arch = laser_model_arch(e->model);
    int64_t most_scored = 0;
    int code;

    *out = NULL;
    if (w == NULL)
        return laser_error_set(err, LASER_ENOMEM, "evaluation", "no memory");
    w->e = e;
    w->layers = arch->layers;
    w->hidden_size = arch->hidden;
    w->room_bytes = e->n_edits > 0 || e->caches ? (size_t)e->run->settings->evaluate.cache_memory : 0;
    code = build_trees(w, &most_scored, err);
    for (int64_t b = 0; code == LASER_OK && b < e->n_batches; ++b)
        if (batch_tokens(w, b) > w->max_tokens)
            w->max_tokens = batch_tokens(w, b);
    w->scores = malloc((size_t)most_scored * sizeof *w->scores + 1);
    w->scored =
        malloc((most_scored > 0 ? (size_t)(w->max_tokens * w->hidden_size) * sizeof *w->scored : 0) + 1);
    w->tokens = malloc((size_t)w->max_tokens * sizeof *w->tokens);
    w->targets = malloc((size_t)w->max_tokens * sizeof *w->targets);
    w->lengths = malloc((size_t)LASER_SEARCH_MAX_BATCH * sizeof *w->lengths);
    w->hidden = malloc((size_t)(w->max_tokens * w->hidden_size) * sizeof *w->hidden);
    w->nll = malloc((size_t)w->max_tokens * sizeof *w->nll);
    w->saved = calloc((size_t)(e->n_batches * w->layers) + 1, sizeof *w->saved);
    if (w->scores == NULL || w->scored == NULL || w->tokens == NULL || w->targets == NULL ||
        w->lengths == NULL || w->hidden == NULL || w->nll == NULL || w->saved == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "evaluation", "no memory for batches of %" PRId64 " tokens",
                               w->max_tokens);
    if (code == LASER_OK)
        code = laser_model_workspace_create(e->model, w->max_tokens, &w->workspace, err);
    if (code == LASER_OK)
        code = laser_worker_edits(w, err);
    if (code != LASER_OK) {
        laser_worker_free(w);
        return code;
    }
    *out = w;
    return LASER_OK;
}

/* Identity of the edits of a list that act before a layer (FNV-1a over their numbers). */
static uint64_t edits_below(const struct laser_worker *w, const int32_t *edits, int n, int64_t layer)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (int i = 0; i < n; ++i)
        if (w->edit_layer[edits[i]] < layer)
            hash = (hash ^ (uint64_t)(edits[i] + 1)) * UINT64_C(0x100000001b3);
    return hash;
}

/* Saves the states before a layer if they are those of the kept edits, and there is room. */
static void save(struct laser_worker *w, int64_t batch, int64_t layer, uint64_t below, int64_t tokens)
{
    struct saved *s = &w->saved[batch * w->layers + layer];
    size_t bytes = (size_t)(tokens * w->hidden_size) * sizeof(float);

    if (s->hidden == NULL) {
        if (bytes > w->room_bytes || (s->hidden = malloc(bytes)) == NULL)
            return;
        w->room_bytes -= bytes;
    }
    memcpy(s->hidden, w->hidden, bytes);
    s->below = below;
}

static void fill_batch(struct laser_worker *w, int64_t batch, struct laser_model_batch *shape)
{
    const struct laser_item_batch *b = &w->e->batches[batch];
    int64_t at = 0;

    if (is_questions(w->e, batch)) {
        const struct laser_tree *tree = &w->trees[batch];
        memcpy(w->tokens, tree->tokens, (size_t)tree->n_tokens * sizeof *w->tokens);
        *shape = laser_tree_batch(tree);
        return;
    }
    for (int i = 0; i < b->n; ++i) {
        const struct laser_window *window = &w->e->windows[w->e->items[b->first + i]];
        laser_window_fill(window, w->e->datasets[window->dataset].tokens, w->tokens + at, w->targets + at);
        w->lengths[i] = window->n_tokens;
        at += window->n_tokens;
    }
    *shape = (struct laser_model_batch){.sequences = b->n, .lengths = w->lengths};
}

static double head_flops(const struct laser_worker *w)
{
    const struct laser_arch *arch = laser_model_arch(w->e->model);

    return 2 * (double)arch->vocabulary * (double)arch->hidden;
}

/* Of a token that goes through the layers from `first` on, with the edits that are in place. */
static double layer_flops(const struct laser_worker *w, int64_t first)
{
    const struct laser_overlay *placed = &w->placed;
    double flops = (w->e->flops_per_token - head_flops(w)) * (double)(w->layers - first) / (double)w->layers;

    for (int i = 0; i < placed->n; ++i) {
        int32_t edit = placed->edits[i];
        if (placed->thin[edit] && w->edit_layer[edit] >= first &&
            laser_overlay_edit_of(w->e, placed->edits, placed->n, w->e->edits[edit].matrix) == edit)
            flops -= placed->saved[edit];
    }
    return flops;
}

/* This rank's part of some layers, or of the head for some rows. */
static void count_flops(const struct laser_worker *w, int64_t tokens, double flops)
{
    laser_log_work(w->e->run->log, 0, (double)tokens * flops / w->e->group_size);
}

/* Hidden states after the last layer, beginning at the highest layer that was saved with the same edits
 * below. */
static int run_layers(struct laser_worker *w, int64_t batch, const struct laser_model_batch *shape,
                      const int32_t *edits, int n_edits, int n_kept, struct laser_error *err)
{
    int64_t tokens = laser_model_batch_tokens(shape), layer;
    int code = LASER_OK;

    for (layer = w->layers - 1; layer >= 0; --layer) {
        const struct saved *s = &w->saved[batch * w->layers + layer];
        if (s->hidden != NULL && s->below == edits_below(w, edits, n_edits, layer))
            break;
    }
    if (layer >= 0) {
        memcpy(w->hidden, w->saved[batch * w->layers + layer].hidden,
               (size_t)(tokens * w->hidden_size) * sizeof(float));
    } else {
        layer = 0;
        code = laser_model_embed(w->e->model, w->workspace, w->tokens, shape, w->hidden, err);
    }
    count_flops(w, tokens, layer_flops(w, layer));
    for (; code == LASER_OK && layer < w->layers; ++layer) {
        uint64_t below = edits_below(w, edits, n_edits, layer);
        if (w->e->n_edits > 0 && layer > 0 && below == edits_below(w, edits, n_kept, layer))
            save(w, batch, layer, below, tokens);
        code = laser_model_layers(w->e->model, w->workspace, layer, layer + 1, shape, w->hidden, err);
    }
    return code;
}

static void sum_windows(const struct laser_worker *w, const struct laser_model_batch *shape,
                        struct laser_item_score *scores)
{
    const struct laser_beside *beside = w->e->beside,
                              *bound = beside != NULL && beside->side == LASER_BESIDE_BOUND ? beside : NULL;
    int64_t at = 0;

    for (int64_t i = 0; i < shape->sequences; ++i) {
        struct laser_window_nll *nll = &scores[i].window;
        for (int64_t t = 0; t < shape->lengths[i]; ++t, ++at)
            if (w->targets[at] >= 0) {
                nll->sum_nats += w->nll[at];
                if (bound != NULL)
                    scores[i].kl_nats += bound->values[at].kl;
                nll->sum_squares_nats2 += w->nll[at] * w->nll[at];
            }
        if (!isfinite(nll->sum_nats))
            nll->sum_nats = NAN;
    }
}

static int score_windows(struct laser_worker *w, int64_t batch, const struct laser_model_batch *shape,
                         struct laser_item_score *scores, struct laser_error *err)
{
    struct laser_beside *beside = w->e->beside;
    int64_t tokens = laser_model_batch_tokens(shape);
    int code =
        beside != NULL
            ? laser_beside_run(beside, w->e, w->workspace, batch, tokens, w->hidden, w->targets, w->nll, err)
            : laser_model_nll(w->e->model, w->workspace, tokens, w->hidden, w->targets, w->nll, err);

    /* Compared with a base, whose head is taken too. */
    count_flops(w, tokens, (beside != NULL && beside->side != LASER_BESIDE_BASE ? 2 : 1) * head_flops(w));
    if (code != LASER_OK && code != LASER_ENUMERIC)
        return code;
    sum_windows(w, shape, scores);
    return LASER_OK;
}

/* Log probabilities alone: half the work of ranks. */
static int score_losses(struct laser_worker *w, const struct laser_tree *tree, int64_t first, int64_t n,
                        struct laser_error *err)
{
    size_t row = (size_t)w->hidden_size;
    int code;

    for (int64_t i = 0; i < n; ++i)
        memcpy(w->scored + (size_t)i * row, w->hidden + (size_t)tree->rows[first + i] * row,
               row * sizeof *w->scored);
    code = laser_model_nll(w->e->model, w->workspace, n, w->scored, tree->targets + first, w->nll, err);
    for (int64_t i = 0; i < n; ++i)
        w->scores[first + i] = (struct laser_model_score){.log_probability = -w->nll[i], .rank = INT64_MAX};
    return code == LASER_ENUMERIC ? LASER_OK : code;
}

/* One question from the scores of its targets; returns how many they are.  slopes: of the item's number, NULL:
 * not asked for. */
static int64_t score_question(const struct laser_worker *w, int64_t item,
                              const struct laser_model_score *scores, struct laser_task_score *out,
                              struct laser_option_slope *slopes)
{
    int64_t question = ~w->e->items[item];
    const struct laser_set *set = &w->e->set;
    const struct laser_set_question *q = &set->questions[question];
    struct laser_option_score small[16] = {{0}}, *options = small;
    int64_t at = 0;

    if (q->n_options > 16)
        options = malloc((size_t)q->n_options * sizeof *options);
    for (int k = 0; options != NULL && k < q->n_options; ++k) {
        const struct laser_set_option *o = &set->options[q->first_option + k];
        options[k] = (struct laser_option_score){.first_log_probability = scores[at].log_probability,
                                                 .n_tokens = o->n_scored,
                                                 .n_characters = o->n_characters,
                                                 .n_bytes = o->n_bytes,
                                                 .is_greedy = true,
                                                 .best_rank = scores[at].rank};
        for (int32_t i = 0; i < o->n_scored; ++i) {
            options[k].log_probability += scores[at + i].log_probability;
            options[k].is_greedy = options[k].is_greedy && scores[at + i].is_greedy;
        }
        w->e->option_nats[q->first_option + k] = options[k].log_probability;
        at += o->n_scored;
        for (int32_t i = 0; i < o->n_variants; ++i, ++at)
            if (scores[at].rank < options[k].best_rank)
                options[k].best_rank = scores[at].rank;
    }
    if (options != NULL)
        laser_task_score((enum laser_task_kind)set->tasks[q->task].kind, options, q->n_options, q->answer,
                         out);
    if (options != NULL && slopes != NULL)
        laser_objective_slopes(laser_item_objective(w->e, item),
                               (enum laser_task_kind)set->tasks[q->task].kind, options, q->n_options,
                               q->answer, slopes);
    if (options != small)
        free(options);
    return options == NULL ? -1 : at;
}

static int score_questions(struct laser_worker *w, int64_t batch, struct laser_item_score *scores,
                           struct laser_option_slope *slopes, struct laser_error *err)
{
    const struct laser_tree *tree = &w->trees[batch];
    const struct laser_item_batch *b = &w->e->batches[batch];
    bool ranks = false;
    int64_t at = 0, option = 0;
    int code = LASER_OK;

    for (int i = 0; i < b->n; ++i)
        ranks = ranks || w->e->set.tasks[w->e->set.questions[~w->e->items[b->first + i]].task].kind ==
                             LASER_TASK_COMPLETION;
    for (int64_t first = 0, n; code == LASER_OK && first < tree->n_scored; first += n) {
        n = tree->n_scored - first < w->max_tokens ? tree->n_scored - first : w->max_tokens;
        code = ranks ? laser_model_scores(w->e->model, w->workspace, n, w->hidden, tree->rows + first,
                                          tree->targets + first, w->scores + first, err)
                     : score_losses(w, tree, first, n, err);
    }
    /* Ranks take the head a second time. */
    count_flops(w, tree->n_scored, (ranks ? 2 : 1) * head_flops(w));
    for (int i = 0; code == LASER_OK && i < b->n; ++i) {
        int64_t n = score_question(w, b->first + i, w->scores + at, &scores[i].question,
                                   slopes != NULL ? slopes + option : NULL);
        at += n;
        option += w->e->set.questions[~w->e->items[b->first + i]].n_options;
        if (n < 0)
            code =
                laser_error_set(err, LASER_ENOMEM, "evaluation", "no memory for the options of a question");
    }
    return code;
}

/* slopes: of the options of a batch of questions, NULL: not asked for. */
static int evaluate_batch(struct laser_worker *w, int64_t batch, const int32_t *edits, int n_edits,
                          int n_kept, struct laser_item_score *scores, struct laser_option_slope *slopes,
                          struct laser_error *err)
{
    struct laser_model_batch shape;
    int code = laser_overlay_set(&w->placed, edits, n_edits, err);

    memset(scores, 0, LASER_SEARCH_MAX_BATCH * sizeof *scores);
    if (code != LASER_OK)
        return code;
    fill_batch(w, batch, &shape);
    code = run_layers(w, batch, &shape, edits, n_edits, n_kept, err);
    if (code != LASER_OK)
        return code;
    return is_questions(w->e, batch) ? score_questions(w, batch, scores, slopes, err)
                                     : score_windows(w, batch, &shape, scores, err);
}

int laser_evaluate_batch(struct laser_evaluation *e, int64_t batch, const int32_t *edits, int n_edits,
                         int n_kept, struct laser_item_score *scores, struct laser_error *err)
{
    return evaluate_batch(e->worker, batch, edits, n_edits, n_kept, scores, NULL, err);
}

/* Memory for the insides of layers, which need not be computed again then.  Shards have parts of different size, and must all
 * compute the same layers again: theirs are not kept. */
static int64_t gradient_limit(const struct laser_evaluation *e)
{
    return e->group_size > 1 ? 0 : (int64_t)(INSIDE_SHARE * e->run->memory_limit_bytes);
}

/* Tokens of the largest run: a batch of windows, or all options of one question. */
static int64_t gradient_tokens(const struct laser_worker *w)
{
    const struct laser_evaluation *e = w->e;
    int64_t most = w->max_tokens, index;

    for (int64_t i = 0; i < e->n_items; ++i)
        if (laser_item_is_question(e, i, &index) && e->set.questions[index].tokens > most)
            most = e->set.questions[index].tokens;
    return most;
}

int64_t laser_gradient_bytes(const struct laser_evaluation *e)
{
    const struct laser_worker *w = e->worker;
    int64_t tokens = gradient_tokens(w),
            workspace = laser_model_workspace_bytes(w->workspace) / w->max_tokens * tokens;

    return laser_model_gradient_bytes_within(e->model, tokens, gradient_limit(e)) +
           (tokens > w->max_tokens ? workspace : 0);
}

static int64_t most_options(const struct laser_evaluation *e)
{
    int64_t most = 0, index;

    for (int64_t b = 0; b < e->n_batches; ++b) {
        int64_t n = 0;
        for (int64_t i = e->batches[b].first; i < e->batches[b].first + e->batches[b].n; ++i)
            if (laser_item_is_question(e, i, &index))
                n += e->set.questions[index].n_options;
        most = n > most ? n : most;
    }
    return most;
}

/* Before the first backward pass. */
static int open_gradient(struct laser_worker *w, struct laser_error *err)
{
    const struct laser_evaluation *e = w->e;
    int64_t tokens = gradient_tokens(w);
    int code = LASER_OK;

    w->gradient_tokens = tokens;
    w->weights = malloc((size_t)tokens * sizeof *w->weights);
    w->slopes = malloc((size_t)most_options(e) * sizeof *w->slopes + 1);
    if (w->weights == NULL || w->slopes == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "evaluation",
                               "no memory for gradients of %" PRId64 " tokens", tokens);
    if (code == LASER_OK && tokens > w->max_tokens) {
        free(w->tokens);
        free(w->targets);
        free(w->nll);
        w->tokens = malloc((size_t)tokens * sizeof *w->tokens);
        w->targets = malloc((size_t)tokens * sizeof *w->targets);
        w->nll = malloc((size_t)tokens * sizeof *w->nll);
        if (w->tokens == NULL || w->targets == NULL || w->nll == NULL)
            code = laser_error_set(err, LASER_ENOMEM, "evaluation",
                                   "no memory for batches of %" PRId64 " tokens", tokens);
        else
            code = laser_model_workspace_create(e->model, tokens, &w->gradient_workspace, err);
    }
    return code == LASER_OK
               ? laser_model_gradient_create_within(e->model, tokens, gradient_limit(e), &w->gradient, err)
               : code;
}

static struct laser_model_workspace *gradient_workspace(struct laser_worker *w)
{
    return w->gradient_workspace != NULL ? w->gradient_workspace : w->workspace;
}

/* A run: its sequences, whose tokens, targets and weights are filled in. */
struct run {
    int64_t n, tokens;
    int64_t lengths[GRADIENT_SEQUENCES];
    int items[GRADIENT_SEQUENCES];
    float scales[GRADIENT_SEQUENCES];
};

/* Losses are in w->nll afterwards. */
static int run_gradient(struct laser_worker *w, const struct run *r, bool weighted,
                        const struct laser_gradient_sink *sink, struct laser_error *err)
{
    const struct laser_gradient_run run = {r->n, r->lengths, r->items, r->scales};
    const struct laser_model_batch shape = {.sequences = r->n, .lengths = r->lengths};
    int code = sink->begin(sink->context, &run, err);

    if (code == LASER_OK)
        code = laser_model_gradient_run(w->e->model, gradient_workspace(w), w->gradient, w->tokens, &shape,
                                        w->targets, weighted ? w->weights : NULL, w->nll, &sink->linear, err);
    count_flops(w, r->tokens, (sink->linear.inputs_only ? 1 : 3) * (layer_flops(w, 0) + head_flops(w)));
    return code;
}

int laser_gradient_teach(struct laser_evaluation *e, int64_t batch, struct laser_error *err)
{
    struct laser_worker *w = e->worker;
    struct laser_model_batch shape;
    int code = laser_overlay_set(&w->placed, NULL, 0, err);

    if (code == LASER_OK && w->gradient == NULL)
        code = open_gradient(w, err);
    if (code != LASER_OK)
        return code;
    fill_batch(w, batch, &shape);
    code = laser_model_gradient_teach(e->model, gradient_workspace(w), w->gradient, w->tokens, &shape,
                                      w->targets, NULL, w->nll, err);
    if (code == LASER_OK)
        count_flops(w, laser_model_batch_tokens(&shape), layer_flops(w, 0) + 2 * head_flops(w));
    return code;
}

static int gradient_windows(struct laser_worker *w, int64_t batch, const struct laser_gradient_sink *sink,
                            struct laser_item_score *scores, struct laser_error *err)
{
    const struct laser_objective_part *o = laser_item_objective(w->e, w->e->batches[batch].first);
    double slope = o->text_weight * o->factor[LASER_TERM_PERPLEXITY];
    float scale = (float)sqrt(slope);
    struct laser_model_batch shape;
    struct run r = {0};
    int code;

    fill_batch(w, batch, &shape);
    for (r.n = 0; r.n < shape.sequences; ++r.n) {
        r.lengths[r.n] = shape.lengths[r.n];
        r.items[r.n] = (int)r.n;
        r.scales[r.n] = scale;
        r.tokens += shape.lengths[r.n];
    }
    for (int64_t t = 0; t < r.tokens; ++t)
        w->weights[t] = scale;
    code = run_gradient(w, &r, slope < 1 || slope > 1, sink, err);
    if (code == LASER_OK)
        sum_windows(w, &shape, scores);
    return code;
}

/* Adds an option to a run. */
static void add_option(struct laser_worker *w, const struct laser_set_option *o,
                       const struct laser_option_slope *slope, int item, struct run *r)
{
    const struct laser_set *set = &w->e->set;
    double scale = sqrt(fmax(fabs(slope->all), fabs(slope->all + slope->first)));
    int64_t at = r->tokens;

    memcpy(w->tokens + at, set->tokens + o->first_token, (size_t)o->n_tokens * sizeof *w->tokens);
    for (int64_t t = 0; t < o->n_tokens; ++t) {
        w->targets[at + t] = -1;
        w->weights[at + t] = 0;
    }
    for (int64_t t = 0; t < o->n_scored; ++t) {
        w->targets[at + o->first_row + t] = set->targets[o->first_target + t];
        w->weights[at + o->first_row + t] = (float)((slope->all + (t == 0 ? slope->first : 0)) / scale);
    }
    r->lengths[r->n] = o->n_tokens;
    r->items[r->n] = item;
    r->scales[r->n++] = (float)scale;
    r->tokens += o->n_tokens;
}

/* Runs of as many questions as fit; what an option has no influence on is left out. */
static int gradient_questions(struct laser_worker *w, int64_t batch, const struct laser_gradient_sink *sink,
                              struct laser_error *err)
{
    const struct laser_item_batch *b = &w->e->batches[batch];
    const struct laser_option_slope unit = {1, 0}, *slope = w->slopes;
    struct run r = {0};
    int code = LASER_OK;

    for (int i = 0; code == LASER_OK && i < b->n; ++i) {
        int64_t item = b->first + i;
        const struct laser_set_question *q = &w->e->set.questions[~w->e->items[item]];
        double weight = laser_item_weight(w->e, item);

        if (r.n > 0 &&
            (r.tokens + q->tokens > w->gradient_tokens || r.n + q->n_options > GRADIENT_SEQUENCES)) {
            code = run_gradient(w, &r, true, sink, err);
            r.n = r.tokens = 0;
        }
        for (int k = 0; k < q->n_options; ++k, ++slope) {
            const struct laser_option_slope mine = {weight * slope->all, weight * slope->first};

            if (r.n == GRADIENT_SEQUENCES) { /* more options than a run takes: by parts */
                code = code == LASER_OK ? run_gradient(w, &r, true, sink, err) : code;
                r.n = r.tokens = 0;
            }
            if (sink->unit_slopes)
                add_option(w, &w->e->set.options[q->first_option + k], &unit, i, &r);
            else if (fabs(mine.all) + fabs(mine.first) > 0)
                add_option(w, &w->e->set.options[q->first_option + k], &mine, i, &r);
        }
    }
    return code == LASER_OK && r.n > 0 ? run_gradient(w, &r, true, sink, err) : code;
}

int laser_gradient_batch(struct laser_evaluation *e, int64_t batch, const int32_t *edits, int n_edits,
                         const struct laser_gradient_sink *sink, struct laser_item_score *scores,
                         struct laser_error *err)
{
    struct laser_worker *w = e->worker;
    int code = w->gradient == NULL ? open_gradient(w, err) : LASER_OK;

    if (code != LASER_OK)
        return code;
    if (!is_questions(e, batch)) {
        memset(scores, 0, LASER_SEARCH_MAX_BATCH * sizeof *scores);
        code = laser_overlay_set(&w->placed, edits, n_edits, err);
        return code == LASER_OK ? gradient_windows(w, batch, sink, scores, err) : code;
    }
    code = evaluate_batch(w, batch, edits, n_edits, n_edits, scores, w->slopes, err);
    if (code == LASER_OK)
        code = laser_evaluate_check(e, batch, scores, err);
    return code == LASER_OK ? gradient_questions(w, batch, sink, err) : code;
}

/* "window 12", "the question in line 3 of capitals" */
static void name_item(const struct laser_evaluation *e, int64_t batch, int64_t sequence, char *name,
                      size_t size)
{
    int64_t index;

    if (laser_item_is_question(e, e->batches[batch].first, &index))
        snprintf(name, size, "a batch of questions of %s, from line %" PRId64,
                 e->set.tasks[e->set.questions[index].task].name, e->set.questions[index].line);
    else
        snprintf(name, size, "window %" PRId64, e->items[e->batches[batch].first + sequence]);
}

int laser_evaluate_blame(struct laser_evaluation *e, int64_t batch, struct laser_error *err)
{
    struct laser_worker *w = e->worker;
    struct laser_model_batch shape;
    int64_t layer, sequence;
    char name[400];
    int code;

    fill_batch(w, batch, &shape);
    code = laser_model_blame(e->model, w->workspace, w->tokens, &shape, w->hidden, &layer, &sequence, err);
    if (code != LASER_OK)
        return code;
    name_item(e, batch, sequence < 0 ? 0 : sequence, name, sizeof name);
    if (layer < 0)
        return laser_error_set(err, LASER_ENUMERIC, e->run->checkpoint->model,
                               "the embedding gives values that are not finite in %s", name);
    return laser_error_set(err, LASER_ENUMERIC, e->run->checkpoint->model,
                           "values that are not finite appear in %s %" PRId64 " (of %" PRId64 ") in %s",
                           layer == w->layers ? "the head after layer" : "layer",
                           layer == w->layers ? layer - 1 : layer, w->layers, name);
}

/* Is all that was computed finite? */
static bool is_finite(const struct laser_evaluation *e, int64_t item, const struct laser_item_score *score)
{
    int64_t index;

    if (!laser_item_is_question(e, item, &index))
        return isfinite(score->window.sum_nats);
    return isfinite(score->question.values[LASER_METRIC_LOG_LOSS]) ||
           isfinite(score->question.values[LASER_METRIC_MARGIN]);
}

int laser_evaluate_check(struct laser_evaluation *e, int64_t batch, const struct laser_item_score *scores,
                         struct laser_error *err)
{
    for (int i = 0; i < e->batches[batch].n; ++i)
        if (!is_finite(e, e->batches[batch].first + i, &scores[i]))
            return laser_evaluate_blame(e, batch, err);
    return LASER_OK;
}

int laser_evaluation_edits(struct laser_evaluation *e, const struct laser_edit_file *edits, int n,
                           struct laser_error *err)
{
    int code = LASER_OK;

    /* What is in place is taken out while the old list is there. */
    if (e->worker != NULL)
        code = laser_worker_clear(e->worker, err);
    e->edits = edits;
    e->n_edits = n;
    return code == LASER_OK && e->worker != NULL ? laser_worker_edits(e->worker, err) : code;
}
