#include "reduce/tune_step.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "checkpoint/safetensors.h"
#include "comm/agree.h"
#include "run/rundir.h"
#include "sensitivity/gather.h"

/* Beside the step: slope, curvature, tokens, loss. */
enum { N_NUMBERS = 4 };

/* ---- a direction that an earlier start found ---- */

static void path_of(const struct laser_run *run, uint64_t key, char path[4400])
{
    snprintf(path, 4400, "%s/work/steps/%016" PRIx64 ".safetensors", run->output, key);
}

static int read_array(FILE *in, const struct laser_tensor *t, int64_t n, double *x)
{
    return t->dtype == LASER_F64 && t->shape[0] == n && fseek(in, (long)t->offset, SEEK_SET) == 0 &&
           fread(x, sizeof *x, (size_t)n, in) == (size_t)n;
}

/* Rank 0: is it there? */
static bool remembered(const struct laser_run *run, uint64_t key, int64_t n, struct laser_mpi_direction *d)
{
    struct laser_safetensors_header header;
    double numbers[N_NUMBERS];
    char path[4400];
    bool found = false;
    FILE *in;

    path_of(run, key, path);
    if (access(path, R_OK) != 0 || laser_safetensors_read_header(path, &header, NULL, NULL, NULL) != LASER_OK)
        return false;
    in = fopen(path, "rb");
    if (in != NULL && header.n_tensors == 2)
        found = read_array(in, &header.tensors[0], N_NUMBERS, numbers) &&
                read_array(in, &header.tensors[1], n, d->step);
    if (in != NULL)
        fclose(in);
    laser_safetensors_header_free(&header);
    if (found) {
        d->slope = numbers[0];
        d->curvature = numbers[1];
        d->tokens = numbers[2];
        d->loss = numbers[3];
    }
    return found;
}

/* "numbers" and "step" have elements of one size, so that they lie by name. */
static int remember(const struct laser_run *run, uint64_t key, int64_t n, const struct laser_mpi_direction *d,
                    struct laser_error *err)
{
    const double numbers[N_NUMBERS] = {d->slope, d->curvature, d->tokens, d->loss};
    const struct laser_safetensors_item items[] = {
        {.name = "numbers", .dtype = LASER_F64, .n_dims = 1, .shape = {N_NUMBERS}, .data = numbers},
        {.name = "step", .dtype = LASER_F64, .n_dims = 1, .shape = {n}, .data = d->step}};
    char path[4400];
    int code = laser_directory_make(laser_run_path(run, "work/steps"), err);

    path_of(run, key, path);
    return code == LASER_OK ? laser_safetensors_write(path, items, 2, err) : code;
}

/* ---- finding one ---- */

/* On the owner of a matrix: its part of the direction, and of slope and curvature. */
static int solve(const struct laser_run *run, struct laser_matrix_statistics *m, int64_t matrix,
                 const double *values, double damping, double *step, double *numbers, struct laser_error *err)
{
    const struct laser_fisher *f = &m->fisher;
    double slope = 0;
    int code = laser_fisher_direction(f, values, damping, step, err);

    if (code != LASER_OK) {
        snprintf(err->where, sizeof err->where, "%s", run->matrices.matrices[matrix].name);
        return code;
    }
    for (int64_t i = 0; i < f->n; ++i)
        slope += f->gradient[i] * step[i];
    numbers[0] = slope;
    numbers[1] = 2 * (laser_fisher_predict(f, step) - slope);
    return LASER_OK;
}

/* Numbers of single matrices are added on rank 0 in their order, whoever owned them. */
static int solve_all(struct laser_evaluation *e, const struct laser_scan_spectrum *s,
                     const struct laser_mpi_step_options *o, struct laser_statistics *statistics,
                     struct laser_mpi_direction *d, struct laser_error *err)
{
    struct laser_run *run = e->run;
    double *numbers = calloc((size_t)s->n_matrices * 2 + 1, sizeof *numbers);
    int code = numbers == NULL ? laser_error_set(err, LASER_ENOMEM, "reduce", "no memory") : LASER_OK;
    bool root = run->rank == 0;

    memset(d->step, 0, (size_t)s->n_values * sizeof *d->step);
    for (int64_t i = 0; code == LASER_OK && i < s->n_matrices; ++i)
        if (statistics->matrices[i].owner == run->rank && statistics->matrices[i].fisher.gradient != NULL)
            code = solve(run, &statistics->matrices[i], i, s->values + s->first[i], o->damping,
                         d->step + s->first[i], numbers + 2 * i, err);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code == LASER_OK) {
        MPI_Reduce(root ? MPI_IN_PLACE : d->step, d->step, (int)s->n_values, MPI_DOUBLE, MPI_SUM, 0,
                   laser_mpi_world(run));
        MPI_Reduce(root ? MPI_IN_PLACE : numbers, numbers, (int)(2 * s->n_matrices), MPI_DOUBLE, MPI_SUM, 0,
                   laser_mpi_world(run));
        d->slope = d->curvature = 0;
        for (int64_t i = 0; i < s->n_matrices; ++i) {
            d->slope += numbers[2 * i];
            d->curvature += numbers[2 * i + 1];
        }
        d->tokens = statistics->tokens;
        d->loss = statistics->loss;
    }
    free(numbers);
    return code;
}

int laser_mpi_direction_find(struct laser_evaluation *e, const struct laser_scan_spectrum *s,
                             const struct laser_mpi_step_options *o, const int32_t *edits, int n_edits,
                             struct laser_mpi_direction *d, struct laser_error *err)
{
    const struct laser_statistics_options wanted = {.values = true, .block = o->block};
    struct laser_run *run = e->run;
    struct laser_statistics statistics;
    int known = run->rank == 0 && remembered(run, o->key, s->n_values, d), code;

    MPI_Bcast(&known, 1, MPI_INT, 0, laser_mpi_world(run));
    if (known)
        return LASER_OK;
    code = laser_mpi_statistics_gather(e, &wanted, o->first_batch, o->end_batch, edits, n_edits, &statistics,
                                       err);
    if (code != LASER_OK)
        return code;
    code = solve_all(e, s, o, &statistics, d, err);
    laser_statistics_free(&statistics);
    if (code == LASER_OK && run->rank == 0)
        code = remember(run, o->key, s->n_values, d, err);
    if (code == LASER_OK)
        laser_mpi_statistics_forget(run);
    return laser_mpi_agree(laser_mpi_world(run), code, err);
}
