#include "compress/refine.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/file.h"
#include "checkpoint/safetensors.h"
#include "comm/agree.h"
#include "compress/ranks.h"
#include "run/rundir.h"
#include "search/line.h"
#include "search/search.h"
#include "sensitivity/fisher.h"
#include "sensitivity/gather.h"

/* Of the damped Newton step: the first length that is tried, together with half and twice of it; what is best on
 * a real model (bench/compress.md). */
#define FIRST_LENGTH 0.2
#define DAMPING      1.0

/* One matrix that is cut. */
struct kept {
    int64_t matrix, k, first; /* its values are first .. first + k - 1 of all */
    char *vectors;            /* file of its vectors */
    unsigned char thin;       /* a model applies it as two products */
};

struct refining {
    struct laser_evaluation *e;
    struct laser_run *run;
    const struct laser_mpi_cuts *cuts;
    struct kept *kept;
    int n;
    int64_t n_values;
    bool divergence;                  /* from the original model, instead of the loss of the text */
    double *values;                   /* every rank: as they are now */
    double *step, *trial, *best;      /* the same of a direction, of a step, of the best step */
    const char **paths;               /* [n_matrices] vectors, NULL where a matrix is not cut */
    struct laser_edit_file *edits[2]; /* those in use and those before: [n] each */
    int32_t *list;
    int used;           /* which of the two */
    uint64_t used_hash; /* of the values in use */
    uint64_t key;
    struct laser_item_score *now, *then; /* rank 0: before a step, and with it */
    double *a, *b, *weights;
};

void laser_mpi_refined_free(struct laser_mpi_refined *r)
{
    for (int64_t i = 0; r->s != NULL && i < r->n_matrices; ++i)
        free(r->s[i]);
    free(r->s);
    memset(r, 0, sizeof *r);
}

static void free_edits(struct refining *r, int which)
{
    for (int i = 0; r->edits[which] != NULL && i < r->n; ++i) {
        struct laser_edit_file *edit = &r->edits[which][i];
        if (edit->path != NULL && i % r->run->size == r->run->rank)
            unlink(edit->path);
        free(edit->path);
    }
    free(r->edits[which]);
    r->edits[which] = NULL;
}

static void free_all(struct refining *r)
{
    free_edits(r, 0);
    free_edits(r, 1);
    for (int i = 0; r->kept != NULL && i < r->n; ++i) {
        if (r->kept[i].vectors != NULL && i % r->run->size == r->run->rank)
            unlink(r->kept[i].vectors);
        free(r->kept[i].vectors);
    }
    free(r->kept);
    free(r->values);
    free(r->paths);
    free(r->list);
    free(r->now);
    free(r->a);
}

/* ---- what is refined ---- */

static int allocate(struct refining *r, struct laser_error *err)
{
    int64_t n = r->run->matrices.n_matrices, windows = r->e->n_windows + 1, items = r->e->n_items + 1;

    r->kept = calloc((size_t)n + 1, sizeof *r->kept);
    r->paths = calloc((size_t)n + 1, sizeof *r->paths);
    r->list = calloc((size_t)n + 1, sizeof *r->list);
    r->now = calloc((size_t)(2 * items), sizeof *r->now);
    r->a = malloc((size_t)(3 * windows) * sizeof *r->a);
    if (r->kept == NULL || r->paths == NULL || r->list == NULL || r->now == NULL || r->a == NULL)
        return laser_error_set(err, LASER_ENOMEM, "compress", "no memory for %" PRId64 " matrices", n);
    r->then = r->now + items;
    r->b = r->a + windows;
    r->weights = r->b + windows;
    return LASER_OK;
}

static int list_kept(struct refining *r, const int64_t *ranks, struct laser_error *err)
{
    char path[4400];

    for (int64_t i = 0; i < r->run->matrices.n_matrices; ++i) {
        struct kept *kept = &r->kept[r->n];

        if (ranks[i] == LASER_RANK_DENSE)
            continue;
        snprintf(path, sizeof path, "%s/work/refine/vectors-%" PRId64 ".safetensors", r->run->output, i);
        *kept = (struct kept){.matrix = i, .k = ranks[i], .first = r->n_values, .vectors = strdup(path)};
        kept->thin =
            r->e->model != NULL && laser_model_takes_thin(r->e->model, r->run->matrices.matrices[i].name);
        r->paths[i] = kept->vectors;
        r->list[r->n] = r->n;
        r->n_values += ranks[i];
        ++r->n;
        if (kept->vectors == NULL)
            return laser_error_set(err, LASER_ENOMEM, "compress", "no memory");
    }
    r->values = calloc((size_t)(4 * r->n_values) + 1, sizeof *r->values);
    if (r->values == NULL)
        return laser_error_set(err, LASER_ENOMEM, "compress", "no memory for %" PRId64 " values",
                               r->n_values);
    r->step = r->values + r->n_values;
    r->trial = r->step + r->n_values;
    r->best = r->trial + r->n_values;
    for (int i = 0; i < r->n; ++i)
        memcpy(r->values + r->kept[i].first, r->cuts->s[r->kept[i].matrix],
               (size_t)r->kept[i].k * sizeof *r->values);
    return LASER_OK;
}

/* Stands for the cuts, what they keep, and how it is moved. */
static uint64_t key_of(const struct refining *r)
{
    const struct laser_evaluation *e = r->e;
    uint64_t key = XXH3_64bits_withSeed(r->cuts->folder, strlen(r->cuts->folder), r->divergence);

    for (int i = 0; i < r->n; ++i) {
        const int64_t what[2] = {r->kept[i].matrix, r->kept[i].k};
        key = XXH3_64bits_withSeed(what, sizeof what, key);
    }
    for (int64_t i = e->part_item[LASER_PART_SELECTION]; i < e->part_item[LASER_PART_SELECTION + 1]; ++i)
        key = XXH3_64bits_withSeed(&e->items[i], sizeof e->items[i], key);
    return key;
}

static int prepare(struct refining *r, const int64_t *ranks, struct laser_error *err)
{
    int code = allocate(r, err);

    if (code == LASER_OK)
        code = list_kept(r, ranks, err);
    if (code == LASER_OK && r->run->rank == 0)
        code = laser_directory_make(laser_run_path(r->run, "work/refine"), err);
    code = laser_mpi_agree(laser_mpi_world(r->run), code, err);
    if (code != LASER_OK)
        return code;
    for (int i = 0; i < r->n; ++i)
        MPI_Allreduce(MPI_IN_PLACE, &r->kept[i].thin, 1, MPI_UNSIGNED_CHAR, MPI_MAX, laser_mpi_world(r->run));
    r->key = key_of(r);
    for (int i = 0; code == LASER_OK && i < r->n; ++i)
        if (i % r->run->size == r->run->rank)
            code = laser_mpi_cuts_vectors(r->run, r->cuts, r->kept[i].matrix, r->kept[i].k,
                                          r->kept[i].vectors, err);
    return laser_mpi_agree(laser_mpi_world(r->run), code, err);
}

/* ---- values as edits ---- */

/* Collective.  The model has these values from now on. */
static int use(struct refining *r, const double *values, struct laser_error *err)
{
    uint64_t hash = XXH3_64bits_withSeed(values, (size_t)r->n_values * sizeof *values, r->key);
    int next = 1 - r->used, code = LASER_OK;
    char path[4400];

    if (r->edits[r->used] != NULL && hash == r->used_hash)
        return LASER_OK;
    r->edits[next] = calloc((size_t)r->n + 1, sizeof *r->edits[next]);
    if (r->edits[next] == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "compress", "no memory for %d edits", r->n);
    for (int i = 0; code == LASER_OK && i < r->n; ++i) {
        const struct kept *kept = &r->kept[i];
        struct laser_edit_file *edit = &r->edits[next][i];

        snprintf(path, sizeof path, "%s/work/refine/%016" PRIx64 "-%" PRId64 ".safetensors", r->run->output,
                 hash, kept->matrix);
        edit->matrix = &r->run->matrices.matrices[kept->matrix];
        edit->tensor = r->run->checkpoint->tensors[edit->matrix->tensor].name;
        edit->path = strdup(path);
        edit->thin = kept->thin ? edit->path : NULL;
        if (edit->path == NULL)
            code = laser_error_set(err, LASER_ENOMEM, "compress", "no memory");
        else if (i % r->run->size == r->run->rank)
            code = laser_mpi_cuts_edit(r->run, r->cuts, kept->matrix, kept->k, values + kept->first,
                                       kept->thin, path, err);
    }
    code = laser_mpi_agree(laser_mpi_world(r->run), code, err);
    if (code == LASER_OK)
        code = laser_mpi_agree(laser_mpi_world(r->run),
                               laser_evaluation_edits(r->e, r->edits[next], r->n, err), err);
    if (code != LASER_OK)
        return code;
    free_edits(r, r->used); /* taken out by the call above */
    r->used = next;
    r->used_hash = hash;
    return LASER_OK;
}

/* ---- directions ---- */

/* On the owner of a matrix: its part of the direction, and of slope and curvature of the mean.  The vectors are
 * whitened: the mean curvature at a value is that of one token, times the tokens. */
static int solve(struct refining *r, const struct laser_statistics *statistics, int i, double numbers[2],
                 struct laser_error *err)
{
    const struct kept *kept = &r->kept[i];
    const struct laser_matrix_statistics *m = &statistics->matrices[kept->matrix];
    const struct laser_fisher *f = &m->fisher;
    const double *s = r->cuts->s[kept->matrix];
    double *step = r->step + kept->first, slope = 0, scale = 1;
    int code;

    if (m->owner != r->run->rank || f->gradient == NULL)
        return LASER_OK;
    code = r->divergence ? laser_fisher_direction_scaled(f, s, DAMPING, f->tokens, step, &scale, err)
                         : laser_fisher_direction(f, s, DAMPING, step, err);
    if (code != LASER_OK) {
        snprintf(err->where, sizeof err->where, "%s", r->run->matrices.matrices[kept->matrix].name);
        return code;
    }
    for (int64_t j = 0; j < f->n; ++j)
        slope += f->gradient[j] * step[j];
    numbers[0] = slope / f->tokens;
    numbers[1] = 2 * scale * (laser_fisher_predict(f, step) - slope) / f->tokens;
    return LASER_OK;
}

/* Collective.  slope and curvature of the mean loss along r->step, on every rank. */
static int find_direction(struct refining *r, double *loss, double *slope, double *curvature,
                          struct laser_error *err)
{
    struct laser_statistics_options options = {
        .values = true, .block = true, .divergence = r->divergence, .vectors = r->paths};
    const struct laser_evaluation *e = r->e;
    struct laser_statistics statistics;
    double *numbers = calloc((size_t)r->n * 2 + 1, sizeof *numbers);
    int code = numbers != NULL ? LASER_OK : laser_error_set(err, LASER_ENOMEM, "compress", "no memory");

    options.block = laser_statistics_block_fits(r->run, &options);
    code = laser_mpi_agree(laser_mpi_world(r->run), code, err);
    if (code == LASER_OK)
        code = laser_mpi_statistics_gather(r->e, &options, e->part_batch[LASER_PART_CALIBRATION],
                                           e->part_batch[LASER_PART_CALIBRATION + 1], r->list, r->n,
                                           &statistics, err);
    if (code != LASER_OK) {
        free(numbers);
        return code;
    }
    memset(r->step, 0, (size_t)r->n_values * sizeof *r->step);
    for (int i = 0; code == LASER_OK && i < r->n; ++i)
        code = solve(r, &statistics, i, numbers + 2 * i, err);
    code = laser_mpi_agree(laser_mpi_world(r->run), code, err);
    if (code != LASER_OK) {
        laser_statistics_free(&statistics);
        free(numbers);
        return code;
    }
    /* One rank has each number, the others have zeros. */
    MPI_Allreduce(MPI_IN_PLACE, r->step, (int)r->n_values, MPI_DOUBLE, MPI_SUM, laser_mpi_world(r->run));
    MPI_Allreduce(MPI_IN_PLACE, numbers, 2 * r->n, MPI_DOUBLE, MPI_SUM, laser_mpi_world(r->run));
    *slope = *curvature = 0;
    for (int i = 0; i < r->n; ++i) {
        *slope += numbers[2 * i];
        *curvature += numbers[2 * i + 1];
    }
    *loss = statistics.loss / statistics.tokens;
    MPI_Bcast(loss, 1, MPI_DOUBLE, 0, laser_mpi_world(r->run));
    laser_statistics_free(&statistics);
    free(numbers);
    return code;
}

/* ---- lengths ---- */

static int evaluate(struct refining *r, struct laser_item_score *scores, struct laser_error *err)
{
    return laser_mpi_evaluate_part(r->e, "line search", LASER_PART_SELECTION, r->list, r->n, scores, err);
}

/* Rank 0. */
static void compare(struct refining *r, double *mean, double *error)
{
    const struct laser_evaluation *e = r->e;
    int n = 0;

    for (int64_t i = e->part_item[LASER_PART_SELECTION]; i < e->part_item[LASER_PART_SELECTION + 1]; ++i) {
        int64_t index;
        double scored;

        if (laser_item_is_question(e, i, &index))
            continue;
        scored = e->windows[index].n_scored;
        r->weights[n] = scored;
        r->a[n] = r->then[i].window.sum_nats / scored;
        r->b[n++] = r->now[i].window.sum_nats / scored;
    }
    *mean = *error = NAN;
    if (n > 0)
        laser_search_paired(r->a, r->b, r->weights, n, mean, error);
}

/* Collective.  The values moved by a length, and what that does. */
static int try_length(struct refining *r, struct laser_line_step *step, struct laser_error *err)
{
    int code;

    for (int i = 0; i < r->n; ++i) {
        const struct kept *kept = &r->kept[i];
        laser_fisher_move(kept->k, r->values + kept->first, r->step + kept->first, step->length, false, NULL,
                          r->trial + kept->first);
    }
    code = use(r, r->trial, err);
    if (code == LASER_OK)
        code = evaluate(r, r->then, err);
    if (code == LASER_OK && r->run->rank == 0)
        compare(r, &step->difference, &step->error);
    return code;
}

/* Collective.  r->best: the values of the best step, where round->length is not 0. */
static int search(struct refining *r, double slope, double curvature, double length,
                  struct laser_mpi_refine_round *round, struct laser_error *err)
{
    struct laser_line line;
    int more = 1, code = LASER_OK;

    laser_line_begin(&line, length, laser_search_z(LASER_LINE_MOST));
    while (more && code == LASER_OK) {
        for (int i = line.n_measured; code == LASER_OK && i < line.n; ++i) {
            struct laser_line_step *s = &line.steps[i];

            code = try_length(r, s, err);
            MPI_Bcast(s, (int)sizeof *s, MPI_BYTE, 0, laser_mpi_world(r->run));
            line.n_measured = i + 1;
            if (code == LASER_OK && laser_line_best(&line) == i) {
                memcpy(r->best, r->trial, (size_t)r->n_values * sizeof *r->best);
                round->length = s->length;
                round->difference = s->difference;
                round->error = s->error;
                round->predicted = s->length * slope + s->length * s->length * curvature / 2;
            }
            if (code == LASER_OK)
                laser_log_line(r->run->log, "STEP", "length %.4g: %+.5f +- %.5f nats, predicted %+.5f",
                               s->length, s->difference, s->error,
                               s->length * slope + s->length * s->length * curvature / 2);
        }
        more = laser_line_go_on(&line);
    }
    return code;
}

/* ---- rounds ---- */

enum { NUMBERS = sizeof(struct laser_mpi_refine_round) / sizeof(double) };

static void path_of(const struct refining *r, int round, char path[4400])
{
    snprintf(path, 4400, "%s/work/refine/round-%016" PRIx64 "-%d.safetensors", r->run->output, r->key, round);
}

static bool read_array(FILE *in, const struct laser_tensor *t, int64_t n, void *x)
{
    return t->dtype == LASER_F64 && t->n_dims == 1 && t->shape[0] == n &&
           fseek(in, (long)t->offset, SEEK_SET) == 0 && fread(x, sizeof(double), (size_t)n, in) == (size_t)n;
}

/* Rank 0: what an earlier start found in a round. */
static bool remembered(struct refining *r, int number, struct laser_mpi_refine_round *round)
{
    struct laser_safetensors_header header;
    char path[4400];
    bool found = false;
    FILE *in;

    path_of(r, number, path);
    if (access(path, R_OK) != 0 || laser_safetensors_read_header(path, &header, NULL, NULL, NULL) != LASER_OK)
        return false;
    in = fopen(path, "rb");
    if (in != NULL && header.n_tensors == 2)
        found = read_array(in, &header.tensors[0], NUMBERS, round) &&
                read_array(in, &header.tensors[1], r->n_values, r->trial);
    if (in != NULL)
        fclose(in);
    laser_safetensors_header_free(&header);
    return found;
}

/* Elements of one size lie by name: "numbers", "values". */
static int remember(const struct refining *r, int number, const struct laser_mpi_refine_round *round,
                    struct laser_error *err)
{
    const struct laser_safetensors_item items[] = {
        {.name = "numbers", .dtype = LASER_F64, .n_dims = 1, .shape = {NUMBERS}, .data = round},
        {.name = "values", .dtype = LASER_F64, .n_dims = 1, .shape = {r->n_values}, .data = r->values}};
    char path[4400];

    path_of(r, number, path);
    return laser_safetensors_write(path, items, 2, err);
}

static int run_round(struct refining *r, int number, double *length, struct laser_mpi_refine_round *round,
                     struct laser_error *err)
{
    int known = r->run->rank == 0 && remembered(r, number, round), code;
    double slope = 0, curvature = 0;

    MPI_Bcast(&known, 1, MPI_INT, 0, laser_mpi_world(r->run));
    if (known) {
        MPI_Bcast(round, (int)sizeof *round, MPI_BYTE, 0, laser_mpi_world(r->run));
        MPI_Bcast(r->trial, (int)r->n_values, MPI_DOUBLE, 0, laser_mpi_world(r->run));
        memcpy(r->values, r->trial, (size_t)r->n_values * sizeof *r->values);
        *length = round->length;
        return LASER_OK;
    }
    *round = (struct laser_mpi_refine_round){0};
    code = use(r, r->values, err);
    if (code == LASER_OK)
        code = evaluate(r, r->now, err);
    if (code == LASER_OK)
        code = find_direction(r, &round->calibration_loss, &slope, &curvature, err);
    if (code == LASER_OK)
        code = search(r, slope, curvature, *length, round, err);
    if (code != LASER_OK)
        return code;
    if (round->length > 0) {
        memcpy(r->values, r->best, (size_t)r->n_values * sizeof *r->values);
        *length = round->length;
    }
    return laser_mpi_agree(laser_mpi_world(r->run),
                           r->run->rank == 0 ? remember(r, number, round, err) : LASER_OK, err);
}

static int hand_over(const struct refining *r, struct laser_mpi_refined *out, struct laser_error *err)
{
    out->n_matrices = r->run->matrices.n_matrices;
    out->s = calloc((size_t)out->n_matrices + 1, sizeof *out->s);
    for (int i = 0; out->s != NULL && i < r->n; ++i) {
        const struct kept *kept = &r->kept[i];
        double *s = malloc((size_t)kept->k * sizeof *s);

        if (s == NULL)
            return laser_error_set(err, LASER_ENOMEM, "compress", "no memory for the moved values");
        memcpy(s, r->values + kept->first, (size_t)kept->k * sizeof *s);
        out->s[kept->matrix] = s;
    }
    return out->s != NULL ? LASER_OK : laser_error_set(err, LASER_ENOMEM, "compress", "no memory");
}

int laser_mpi_refine(struct laser_evaluation *e, const struct laser_mpi_cuts *cuts, const int64_t *ranks,
                     bool divergence, int rounds, struct laser_mpi_refined *out, struct laser_error *err)
{
    struct refining r = {.e = e, .run = e->run, .cuts = cuts, .divergence = divergence};
    double length = FIRST_LENGTH;
    bool moved = true;
    int code, cleared;

    *out = (struct laser_mpi_refined){0};
    laser_log_phase(e->run->log, "refine");
    code = prepare(&r, ranks, err);
    laser_log_phase_end(e->run->log);
    for (int i = 0; code == LASER_OK && moved && r.n > 0 && i < rounds; ++i) {
        code = run_round(&r, i, &length, &out->rounds[i], err);
        moved = out->rounds[i].length > 0;
        out->n_rounds = i + 1;
    }
    if (code == LASER_OK && r.n > 0)
        code = hand_over(&r, out, err);
    cleared = laser_evaluation_edits(e, NULL, 0, code == LASER_OK ? err : NULL);
    code = laser_mpi_agree(laser_mpi_world(e->run), code == LASER_OK ? cleared : code, err);
    free_all(&r);
    if (code != LASER_OK)
        laser_mpi_refined_free(out);
    return code;
}
