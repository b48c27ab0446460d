#include "evaluate/beside.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "model/pair.h"

static void name_file(const char *folder, int64_t batch, char *path, size_t size)
{
    snprintf(path, size, "%.4299s/%06" PRId64, folder, batch);
}

static const char *folder_of(const struct laser_beside *b)
{
    return b->side == LASER_BESIDE_BASE ? b->states : b->tokens;
}

bool laser_beside_has(const struct laser_beside *b, int64_t batch)
{
    char path[4400];

    if (b->side == LASER_BESIDE_BOUND)
        return true;
    name_file(folder_of(b), batch, path, sizeof path);
    return access(path, F_OK) == 0;
}

int laser_beside_describe(struct laser_beside *b, const struct laser_evaluation *e, struct laser_error *err)
{
    if (b->side == LASER_BESIDE_BASE) {
        b->width = laser_model_states_width(e->model);
        return LASER_OK;
    }
    return laser_model_head_describe(b->base, e->model, &b->head, err);
}

int laser_beside_open(struct laser_beside *b, const struct laser_evaluation *e, int64_t max_tokens,
                      struct laser_error *err)
{
    size_t n = (size_t)max_tokens;
    struct laser_model_base base = {.head = b->head, .vocabulary = b->vocabulary};

    if (b->head != NULL)
        b->width = laser_model_states_width(b->head);
    b->rows = malloc(n * (size_t)b->width * sizeof *b->rows + 1);
    b->values = malloc(n * sizeof *b->values + 1);
    b->out = malloc(n * sizeof *b->out + 1);
    if (b->rows == NULL || b->values == NULL || b->out == NULL)
        return laser_error_set(err, LASER_ENOMEM, "divergence", "no memory for batches of %" PRId64 " tokens",
                               max_tokens);
    return b->side == LASER_BESIDE_BASE ? LASER_OK
                                        : laser_model_pair_create(e->model, &base, max_tokens, &b->pair, err);
}

void laser_beside_close(struct laser_beside *b)
{
    laser_model_pair_free(b->pair);
    laser_model_free(b->head);
    free(b->rows);
    free(b->values);
    free(b->out);
    b->pair = NULL;
    b->head = NULL;
    b->rows = NULL;
    b->values = NULL;
    b->out = NULL;
}

/* The first rank of the group writes; all of it know how that went. */
static int write_file(const struct laser_beside *b, const struct laser_evaluation *e, int64_t batch,
                      const void *data, size_t size, struct laser_error *err)
{
    char path[4400];
    int code = LASER_OK;

    name_file(folder_of(b), batch, path, sizeof path);
    if (e->group_rank <= 0)
        code = laser_file_replace(path, data, size, err);
    return e->agree != NULL ? e->agree(e, code, err) : code;
}

/* A file of exactly size bytes. */
static int read_file(const char *folder, int64_t batch, size_t size, void *data, struct laser_error *err)
{
    char path[4400], *bytes = NULL;
    size_t found = 0;
    int code;

    name_file(folder, batch, path, sizeof path);
    code = laser_file_read(path, size, &bytes, &found, err);
    if (code == LASER_OK && found != size)
        code = laser_error_set(err, LASER_EINPUT, path,
                               "%zu bytes, %zu were expected: the file is of another text or model", found,
                               size);
    if (code == LASER_OK)
        memcpy(data, bytes, size);
    free(bytes);
    return code;
}

static int keep(struct laser_beside *b, const struct laser_evaluation *e, struct laser_model_workspace *ws,
                int64_t batch, int64_t n, const float *hidden, const int32_t *targets, double *nll,
                struct laser_error *err)
{
    int result = laser_model_nll(e->model, ws, n, hidden, targets, nll, err), code;

    if (result != LASER_OK && result != LASER_ENUMERIC)
        return result;
    code = laser_model_states(e->model, ws, n, hidden, b->rows, err);
    if (code == LASER_OK)
        code = write_file(b, e, batch, b->rows, (size_t)(n * b->width) * sizeof *b->rows, err);
    return code != LASER_OK ? code : result;
}

static int compare(struct laser_beside *b, const struct laser_evaluation *e, struct laser_model_workspace *ws,
                   int64_t batch, int64_t n, const float *hidden, const int32_t *targets, double *nll,
                   struct laser_error *err)
{
    int64_t scored = 0;
    int result = read_file(b->states, batch, (size_t)(n * b->width) * sizeof *b->rows, b->rows, err), code;

    if (e->agree != NULL)
        result = e->agree(e, result, err);
    if (result == LASER_OK)
        result = laser_model_pair_run(b->pair, ws, n, hidden, b->rows, targets, b->values, nll, err);
    if (result != LASER_OK && result != LASER_ENUMERIC)
        return result;
    if (b->side == LASER_BESIDE_BOUND)
        return result;
    for (int64_t i = 0; i < n; ++i)
        if (targets[i] >= 0)
            b->out[scored++] = (struct laser_token_divergence){b->values[i].kl, b->values[i].nll_base,
                                                               b->values[i].nll_other, b->values[i].same_top};
    code = write_file(b, e, batch, b->out, (size_t)scored * sizeof *b->out, err);
    return code != LASER_OK ? code : result;
}

int laser_beside_run(struct laser_beside *b, const struct laser_evaluation *e,
                     struct laser_model_workspace *ws, int64_t batch, int64_t n, const float *hidden,
                     const int32_t *targets, double *nll, struct laser_error *err)
{
    return b->side == LASER_BESIDE_BASE ? keep(b, e, ws, batch, n, hidden, targets, nll, err)
                                        : compare(b, e, ws, batch, n, hidden, targets, nll, err);
}

int laser_beside_read(const struct laser_beside *b, int64_t batch, int64_t n,
                      struct laser_token_divergence *tokens, struct laser_error *err)
{
    return read_file(b->tokens, batch, (size_t)n * sizeof *tokens, tokens, err);
}
