#include "schedule/worker.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"

/* Hidden states before one layer of one batch, and the edits below that layer they were computed with. */
struct saved {
    float *hidden; /* tokens of the batch x H; NULL: none */
    uint64_t below;
};

struct laser_mpi_worker {
    struct laser_mpi_evaluation *e;
    struct laser_model_workspace *workspace;
    int64_t max_tokens, layers, hidden_size;
    int32_t *tokens, *targets;
    int64_t *lengths;
    float *hidden;
    double *nll;

    int32_t *placed; /* edits that are in place, in order */
    int n_placed;
    int64_t *edit_layer; /* first layer that each edit changes, 0 .. layers */

    struct saved *saved; /* n_batches x layers */
    size_t room_bytes;   /* left for saved states */
};

void laser_mpi_worker_free(struct laser_mpi_worker *w)
{
    if (w == NULL)
        return;
    for (int64_t i = 0; w->saved != NULL && i < w->e->n_batches * w->layers; ++i)
        free(w->saved[i].hidden);
    laser_model_workspace_free(w->workspace);
    free(w->tokens);
    free(w->targets);
    free(w->lengths);
    free(w->hidden);
    free(w->nll);
    free(w->placed);
    free(w->edit_layer);
    free(w->saved);
    free(w);
}

static int64_t batch_tokens(const struct laser_mpi_evaluation *e, int64_t batch)
{
    int64_t first, tokens = 0;
    int n = laser_mpi_batch_windows(e, batch, &first);

    for (int i = 0; i < n; ++i)
        tokens += e->windows[first + i].n_tokens;
    return tokens;
}

int laser_mpi_worker_create(struct laser_mpi_evaluation *e, struct laser_mpi_worker **out,
                            struct laser_error *err)
{
    struct laser_mpi_worker *w = calloc(1, sizeof *w);
    const struct laser_arch *arch = laser_model_arch(e->model);
    int code = LASER_OK;

    *out = NULL;
    if (w == NULL)
        return laser_error_set(err, LASER_ENOMEM, "evaluation", "no memory");
    w->e = e;
    w->layers = arch->layers;
    w->hidden_size = arch->hidden;
    w->room_bytes = e->n_edits > 0 ? (size_t)laser_deck_int(e->run->deck, "evaluate.cache_memory") : 0;
    for (int64_t b = 0; b < e->n_batches; ++b)
        if (batch_tokens(e, b) > w->max_tokens)
            w->max_tokens = batch_tokens(e, b);
    w->tokens = malloc((size_t)w->max_tokens * sizeof *w->tokens);
    w->targets = malloc((size_t)w->max_tokens * sizeof *w->targets);
    w->lengths = malloc((size_t)e->batch_windows * sizeof *w->lengths);
    w->hidden = malloc((size_t)(w->max_tokens * w->hidden_size) * sizeof *w->hidden);
    w->nll = malloc((size_t)w->max_tokens * sizeof *w->nll);
    w->placed = calloc(LASER_SEARCH_MAX_EDITS, sizeof *w->placed);
    w->edit_layer = calloc((size_t)e->n_edits + 1, sizeof *w->edit_layer);
    w->saved = calloc((size_t)(e->n_batches * w->layers) + 1, sizeof *w->saved);
    if (w->tokens == NULL || w->targets == NULL || w->lengths == NULL || w->hidden == NULL ||
        w->nll == NULL || w->placed == NULL || w->edit_layer == NULL || w->saved == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "evaluation", "no memory for batches of %" PRId64 " tokens",
                               w->max_tokens);
    if (code == LASER_OK)
        code = laser_model_workspace_create(e->model, w->max_tokens, &w->workspace, err);
    for (int i = 0; code == LASER_OK && i < e->n_edits; ++i) {
        int64_t layer = laser_model_layer_of(e->model, e->edits[i].tensor);
        w->edit_layer[i] = layer < 0 ? 0 : layer;
    }
    if (code != LASER_OK) {
        laser_mpi_worker_free(w);
        return code;
    }
    *out = w;
    return LASER_OK;
}

/* The edit of a list that a matrix has last, or -1. */
static int32_t edit_of(const struct laser_mpi_worker *w, const int32_t *edits, int n,
                       const struct laser_matrix *matrix)
{
    for (int i = n - 1; i >= 0; --i)
        if (w->e->edits[edits[i]].matrix == matrix)
            return edits[i];
    return -1;
}

/* Of a stack, only the expert. */
static int reload(struct laser_mpi_worker *w, const struct laser_mpi_edit *edit, struct laser_error *err)
{
    const struct laser_tensor *tensor = &w->e->run->checkpoint->tensors[edit->matrix->tensor];
    int64_t first = 0, count = INT64_MAX;

    if (edit->matrix->expert >= 0 && tensor->n_dims == 3) {
        count = tensor->shape[1] * tensor->shape[2];
        first = edit->matrix->expert * count;
    }
    return laser_model_reload_part(w->e->model, edit->tensor, first, count, LASER_RELOAD_PRIVATE, err);
}

/* Puts the matrix of one edit into the state that the new list asks for. */
static int switch_matrix(struct laser_mpi_worker *w, int32_t edit, const int32_t *edits, int n,
                         struct laser_error *err)
{
    const struct laser_matrix *matrix = w->e->edits[edit].matrix;
    int32_t is = edit_of(w, w->placed, w->n_placed, matrix), shall = edit_of(w, edits, n, matrix);
    int code;

    if (is == shall)
        return LASER_OK;
    code =
        laser_matrix_redirect(w->e->run->checkpoint, matrix, shall < 0 ? NULL : w->e->edits[shall].path, err);
    return code == LASER_OK ? reload(w, &w->e->edits[edit], err) : code;
}

static int place(struct laser_mpi_worker *w, const int32_t *edits, int n, struct laser_error *err)
{
    int code = LASER_OK;

    if (n == w->n_placed && (n == 0 || memcmp(edits, w->placed, (size_t)n * sizeof *edits) == 0))
        return LASER_OK;
    for (int i = 0; code == LASER_OK && i < w->n_placed; ++i)
        code = switch_matrix(w, w->placed[i], edits, n, err);
    /* Those that had none before. */
    for (int i = 0; code == LASER_OK && i < n; ++i)
        if (edit_of(w, w->placed, w->n_placed, w->e->edits[edits[i]].matrix) < 0)
            code = switch_matrix(w, edits[i], edits, n, err);
    code = w->e->team.group_size > 1 ? laser_mpi_agree(w->e->team.group_comm, code, err) : code;
    if (code == LASER_OK) {
        if (n > 0)
            memcpy(w->placed, edits, (size_t)n * sizeof *edits);
        w->n_placed = n;
    }
    return code;
}

/* Identity of the edits of a list that act before a layer (FNV-1a over their numbers). */
static uint64_t edits_below(const struct laser_mpi_worker *w, const int32_t *edits, int n, int64_t layer)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (int i = 0; i < n; ++i)
        if (w->edit_layer[edits[i]] < layer)
            hash = (hash ^ (uint64_t)(edits[i] + 1)) * UINT64_C(0x100000001b3);
    return hash;
}

/* Saves the states before a layer if they are those of the kept edits, and there is room. */
static void save(struct laser_mpi_worker *w, int64_t batch, int64_t layer, uint64_t below, int64_t tokens)
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

static void fill_batch(struct laser_mpi_worker *w, int64_t batch, struct laser_model_batch *shape)
{
    int64_t first, at = 0;
    int n = laser_mpi_batch_windows(w->e, batch, &first);

    for (int i = 0; i < n; ++i) {
        const struct laser_window *window = &w->e->windows[first + i];
        laser_window_fill(window, w->e->datasets[window->dataset].tokens, w->tokens + at, w->targets + at);
        w->lengths[i] = window->n_tokens;
        at += window->n_tokens;
    }
    *shape = (struct laser_model_batch){.sequences = n, .lengths = w->lengths};
}

/* This rank's part of some layers and the head. */
static void count_flops(const struct laser_mpi_worker *w, int64_t tokens, int64_t layers)
{
    const struct laser_arch *arch = laser_model_arch(w->e->model);
    double head = 2 * (double)arch->vocabulary * (double)arch->hidden;
    double layer = (w->e->flops_per_token - head) / (double)arch->layers;

    laser_mpi_log_work(w->e->run->log, 0,
                       (double)tokens * (head + layer * (double)layers) / w->e->team.group_size);
}

/* Hidden states after the last layer, beginning at the highest layer that was saved with the same edits
 * below. */
static int run_layers(struct laser_mpi_worker *w, int64_t batch, const struct laser_model_batch *shape,
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
    count_flops(w, tokens, w->layers - layer);
    for (; code == LASER_OK && layer < w->layers; ++layer) {
        uint64_t below = edits_below(w, edits, n_edits, layer);
        if (w->e->n_edits > 0 && layer > 0 && below == edits_below(w, edits, n_kept, layer))
            save(w, batch, layer, below, tokens);
        code = laser_model_layers(w->e->model, w->workspace, layer, layer + 1, shape, w->hidden, err);
    }
    return code;
}

static void sum_windows(const struct laser_mpi_worker *w, const struct laser_model_batch *shape,
                        struct laser_window_nll *nll)
{
    int64_t at = 0;

    for (int64_t i = 0; i < shape->sequences; ++i) {
        nll[i] = (struct laser_window_nll){0};
        for (int64_t t = 0; t < shape->lengths[i]; ++t, ++at)
            if (w->targets[at] >= 0) {
                nll[i].sum_nats += w->nll[at];
                nll[i].sum_squares_nats2 += w->nll[at] * w->nll[at];
            }
        if (!isfinite(nll[i].sum_nats))
            nll[i].sum_nats = NAN;
    }
}

int laser_mpi_evaluate_batch(struct laser_mpi_evaluation *e, int64_t batch, const int32_t *edits, int n_edits,
                             int n_kept, struct laser_window_nll *nll, struct laser_error *err)
{
    struct laser_mpi_worker *w = e->worker;
    struct laser_model_batch shape;
    int code = place(w, edits, n_edits, err);

    if (code != LASER_OK)
        return code;
    fill_batch(w, batch, &shape);
    code = run_layers(w, batch, &shape, edits, n_edits, n_kept, err);
    if (code == LASER_OK)
        code = laser_model_nll(e->model, w->workspace, laser_model_batch_tokens(&shape), w->hidden,
                               w->targets, w->nll, err);
    if (code != LASER_OK && code != LASER_ENUMERIC)
        return code;
    sum_windows(w, &shape, nll);
    return LASER_OK;
}

int laser_mpi_blame(struct laser_mpi_evaluation *e, int64_t batch, struct laser_error *err)
{
    struct laser_mpi_worker *w = e->worker;
    struct laser_model_batch shape;
    int64_t layer, sequence, first;
    int code;

    fill_batch(w, batch, &shape);
    code = laser_model_blame(e->model, w->workspace, w->tokens, &shape, w->hidden, &layer, &sequence, err);
    if (code != LASER_OK)
        return code;
    laser_mpi_batch_windows(e, batch, &first);
    if (layer < 0)
        return laser_error_set(err, LASER_ENUMERIC, e->run->checkpoint->model,
                               "the embedding gives values that are not finite in window %" PRId64,
                               first + sequence);
    return laser_error_set(err, LASER_ENUMERIC, e->run->checkpoint->model,
                           "values that are not finite appear in %s %" PRId64 " (of %" PRId64
                           ") in window %" PRId64,
                           layer == w->layers ? "the head after layer" : "layer",
                           layer == w->layers ? layer - 1 : layer, w->layers, first + sequence);
}
