#include "reduce/edits_make.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint/encode.h"
#include "comm/agree.h"
#include "layout/gridshape.h"
#include "plan/cost.h"
#include "reduce/edits_local.h"
#include "schedule/run.h"
#include "schedule/work_list.h"
#include "store/parts.h"
#include "svd/rebuild.h"

struct making {
    struct laser_run *run;
    struct laser_edit_list *list;
};

static double expected(void *context, int64_t matrix)
{
    const struct making *m = context;
    int64_t n = 0;

    for (int e = 0; e < m->list->n; ++e)
        n += m->list->edits[e].matrix == matrix;
    return (double)n * laser_cost_flops(LASER_ROUTE_SERIAL_REBUILD, m->run->matrices.matrices[matrix].rows,
                                        m->run->matrices.matrices[matrix].cols);
}

/* Where the rows of a rebuilt matrix go: its elements in their dtype, on the leader. */
struct rebuilt {
    const struct laser_matrix *matrix;
    struct laser_matrix_source source;
    unsigned char *bytes; /* the whole matrix; each rank fills its rows, the others are zero */
    int64_t size_bytes;
};

static int read_rows(void *context, int64_t row0, int64_t nrows, double *dst, struct laser_error *err)
{
    struct rebuilt *s = context;

    return laser_matrix_source_read(&s->source, row0, nrows, 0, s->matrix->cols, dst, s->matrix->cols, err);
}

static int write_rows(void *context, int64_t row0, int64_t nrows, const double *src, struct laser_error *err)
{
    struct rebuilt *s = context;

    return laser_matrix_source_write(&s->source, row0, nrows, 0, s->matrix->cols, src, s->matrix->cols,
                                     s->bytes, err);
}

/* The ranks' rows, each in the bytes of one rank and zero in the others, on the leader. */
static void gather(const struct laser_mpi_team *team, unsigned char *bytes, int64_t n)
{
    for (int64_t at = 0; at < n && team->group_size > 1; at += 1 << 30) {
        int piece = n - at < 1 << 30 ? (int)(n - at) : 1 << 30;
        MPI_Reduce(team->group_rank == 0 ? MPI_IN_PLACE : bytes + at, bytes + at, piece, MPI_BYTE, MPI_BOR, 0,
                   team->group_comm);
    }
}

static int write_edit(const struct rebuilt *s, const char *path, struct laser_error *err)
{
    const struct laser_matrix *m = s->matrix;
    struct laser_safetensors_item item = {
        .name = m->name, .dtype = m->dtype, .n_dims = 2, .shape = {m->rows, m->cols}, .data = s->bytes};
    int code = laser_matrix_snap(s->source.model, m, s->bytes, err);

    return code == LASER_OK ? laser_safetensors_write(path, &item, 1, err) : code;
}

/* One edit by a group: read, rebuild, gather, write. */
static int make_edit(struct making *m, const struct laser_mpi_team *team, int edit, struct rebuilt *s,
                     const double *ratio, struct laser_error *err)
{
    struct laser_mpi_grid grid = {0};
    struct laser_mpi_matrix a = {0};
    struct laser_grid_shape shape =
        laser_layout_gridshape(s->matrix->cols, s->matrix->rows, team->group_size);
    int code = laser_mpi_grid_create(team->group_comm, shape.nprow, shape.npcol, &grid, err);

    if (code != LASER_OK)
        return code;
    code =
        laser_mpi_matrix_create(&grid, s->matrix->name, s->matrix->cols, s->matrix->rows, shape.nb, &a, err);
    if (code == LASER_OK)
        code = laser_mpi_matrix_load(&a, read_rows, s, err);
    if (code == LASER_OK)
        code = laser_mpi_svd_rebuild(&a, ratio, NULL, err);
    if (code == LASER_OK) {
        memset(s->bytes, 0, (size_t)s->size_bytes);
        code = laser_mpi_matrix_store(&a, write_rows, s, err);
    }
    laser_mpi_matrix_free(&a);
    laser_mpi_grid_free(&grid);
    if (code != LASER_OK)
        return code;
    laser_log_work(m->run->log, 0,
                   laser_cost_flops(LASER_ROUTE_SERIAL_REBUILD, s->matrix->rows, s->matrix->cols) /
                       team->group_size);
    gather(team, s->bytes, s->size_bytes);
    if (team->group_rank == 0)
        code = write_edit(s, m->list->files[edit].path, err);
    return laser_mpi_agree(team->group_comm, code, err);
}

/* The edits of one matrix, if the file of any of them is missing: numbers, and the factors of the singular
 * values of each.  All of them: the vectors that are computed depend on them, and the last bits on the
 * vectors.
 */
struct missing {
    const struct making *making;
    const struct rebuilt *rebuilt;
    int *edits;
    double *ratios;
    int n;
};

static int find_edits(const struct making *m, const struct laser_mpi_team *team, int64_t matrix,
                      const double *sigma, struct missing *missing, struct laser_error *err)
{
    const struct laser_matrix *w = &m->run->matrices.matrices[matrix];
    int64_t n = w->rows < w->cols ? w->rows : w->cols;
    int code = LASER_OK, n_mine = 0;
    bool any = false;

    for (int e = 0; e < m->list->n; ++e)
        n_mine += m->list->edits[e].matrix == matrix && !m->list->edits[e].skip;
    missing->n = 0;
    missing->edits = malloc(((size_t)n_mine + 1) * sizeof *missing->edits);
    missing->ratios = malloc(((size_t)n_mine * (size_t)n + 1) * sizeof *missing->ratios);
    if (missing->edits == NULL || missing->ratios == NULL)
        code = laser_error_set(err, LASER_ENOMEM, w->name, "no memory for %d edits", n_mine);
    for (int e = 0; code == LASER_OK && team->group_rank == 0 && e < m->list->n; ++e)
        if (m->list->edits[e].matrix == matrix && !m->list->edits[e].skip) {
            missing->edits[missing->n++] = e;
            any = any || access(m->list->files[e].path, R_OK) != 0;
        }
    if (!any)
        missing->n = 0;
    code = laser_mpi_agree(team->group_comm, code, err);
    if (code != LASER_OK)
        return code;
    MPI_Bcast(&missing->n, 1, MPI_INT, 0, team->group_comm);
    MPI_Bcast(missing->edits, missing->n, MPI_INT, 0, team->group_comm);
    for (int i = 0; code == LASER_OK && i < missing->n; ++i)
        code = laser_edit_ratio(m->run, &m->list->edits[missing->edits[i]], sigma, w,
                                missing->ratios + (size_t)i * (size_t)n, err);
    return laser_mpi_agree(team->group_comm, code, err);
}

/* An edit is made when its file is there: what lies beside it comes before. */
static int made(void *context, int edit, const void *bytes, const struct laser_thin_factors *thin,
                struct laser_error *err)
{
    const struct missing *missing = context;
    const char *path = missing->making->list->files[missing->edits[edit]].path;
    char beside[8200];
    int code = LASER_OK;

    (void)bytes; /* those of missing->rebuilt */
    if (thin != NULL) {
        laser_edit_thin_path(path, beside, sizeof beside);
        code = laser_thin_write(beside, thin, err);
    }
    return code == LASER_OK ? write_edit(missing->rebuilt, path, err) : code;
}

/* The singular values of a matrix: every edit of it has the place. */
static int read_values(const struct making *m, int64_t matrix, double *sigma, struct laser_error *err)
{
    int e = 0;

    while (m->list->edits[e].matrix != matrix)
        ++e;
    return laser_part_read(m->run->output, &m->list->values[e], sigma, err);
}

static int work(void *context, const struct laser_mpi_team *team, int64_t matrix, void *result,
                struct laser_error *err)
{
    struct making *m = context;
    struct rebuilt s = {.matrix = &m->run->matrices.matrices[matrix]};
    int64_t n = s.matrix->rows < s.matrix->cols ? s.matrix->rows : s.matrix->cols;
    double *sigma = malloc((size_t)n * sizeof *sigma);
    struct missing missing = {.making = m, .rebuilt = &s};
    int code = LASER_OK;

    (void)result;
    s.size_bytes = s.matrix->rows * s.matrix->cols * (int64_t)laser_dtype_size(s.matrix->dtype);
    s.bytes = malloc((size_t)s.size_bytes);
    if (sigma == NULL || s.bytes == NULL)
        code = laser_error_set(err, LASER_ENOMEM, s.matrix->name, "no memory to rebuild it");
    if (code == LASER_OK)
        code = laser_run_source(m->run, s.matrix, &s.source, err);
    if (code == LASER_OK)
        code = read_values(m, matrix, sigma, err);
    code = laser_mpi_agree(team->group_comm, code, err);
    if (code == LASER_OK)
        code = find_edits(m, team, matrix, sigma, &missing, err);
    if (code == LASER_OK && team->group_size == 1 && missing.n > 0)
        code = laser_edits_local(&s.source, sigma, missing.ratios, missing.n,
                                 laser_edits_want_thin(m->run, s.matrix), s.bytes, made, &missing, err);
    for (int i = 0; code == LASER_OK && team->group_size > 1 && i < missing.n; ++i)
        code = make_edit(m, team, missing.edits[i], &s, missing.ratios + (size_t)i * (size_t)n, err);
    free(sigma);
    free(s.bytes);
    free(missing.edits);
    free(missing.ratios);
    return code;
}

static int share_list(struct laser_run *run, const struct laser_strategy_plan *plan,
                      struct laser_edit_list *list, struct laser_error *err)
{
    int code = LASER_OK;

    list->n = run->rank == 0 ? plan->n_edits : 0;
    MPI_Bcast(&list->n, 1, MPI_INT, 0, laser_mpi_world(run));
    list->edits = calloc((size_t)list->n + 1, sizeof *list->edits);
    list->files = calloc((size_t)list->n + 1, sizeof *list->files);
    list->values = calloc((size_t)list->n + 1, sizeof *list->values);
    if (list->edits == NULL || list->files == NULL || list->values == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %d edits", list->n);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code != LASER_OK)
        return code;
    if (run->rank == 0) {
        memcpy(list->edits, plan->edits, (size_t)list->n * sizeof *list->edits);
        for (int e = 0; e < list->n; ++e)
            list->values[e] = run->outcomes[list->edits[e].matrix].values;
        code = laser_directory_make(laser_run_path(run, "work/edits"), err);
    }
    MPI_Bcast(list->edits, (int)((size_t)list->n * sizeof *list->edits), MPI_BYTE, 0, laser_mpi_world(run));
    MPI_Bcast(list->values, (int)((size_t)list->n * sizeof *list->values), MPI_BYTE, 0, laser_mpi_world(run));
    if (code == LASER_OK)
        code = laser_edit_list_fill(run, list, err);
    return laser_mpi_agree(laser_mpi_world(run), code, err);
}

/* Which edits have factors: rank 0 looks, so that all say the same. */
static int find_thin(struct laser_run *run, struct laser_edit_list *list, struct laser_error *err)
{
    unsigned char *has = calloc((size_t)list->n + 1, 1);
    char path[8200];
    int code = has == NULL ? laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %d edits", list->n)
                           : LASER_OK;

    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    for (int e = 0; code == LASER_OK && run->rank == 0 && e < list->n; ++e) {
        laser_edit_thin_path(list->files[e].path, path, sizeof path);
        has[e] = laser_edits_want_thin(run, list->files[e].matrix) && access(path, R_OK) == 0;
    }
    if (code == LASER_OK)
        MPI_Bcast(has, list->n, MPI_UNSIGNED_CHAR, 0, laser_mpi_world(run));
    for (int e = 0; code == LASER_OK && e < list->n; ++e) {
        laser_edit_thin_path(list->files[e].path, path, sizeof path);
        if (has[e] && (list->files[e].thin = strdup(path)) == NULL)
            code = laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %d edits", list->n);
    }
    free(has);
    return laser_mpi_agree(laser_mpi_world(run), code, err);
}

int laser_mpi_edits_make(struct laser_run *run, const struct laser_strategy_plan *plan,
                         struct laser_edit_list *list, struct laser_error *err)
{
    struct making making = {.run = run, .list = list};
    struct laser_mpi_work_list work_list = {
        .run = run,
        .context = &making,
        .unit = "matrices",
        .depth = 1,
        .unit_s = run->speed.product_flops > 0 ? 1 / run->speed.product_flops : 0,
        .work = work,
        .expected = expected};
    int64_t *todo = NULL;
    struct laser_mpi_team team;
    int group_size = (int)run->settings->parallel.group_size, code;

    memset(list, 0, sizeof *list);
    code = share_list(run, plan, list, err);
    if (code == LASER_OK && run->rank == 0 &&
        (todo = laser_edit_list_missing(run, list, &work_list.n)) == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %d edits", list->n);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    work_list.pieces = todo;
    if (code == LASER_OK)
        code = laser_mpi_team_create(laser_mpi_world(run), group_size > 0 ? group_size : 1, &team, err);
    if (code == LASER_OK) {
        laser_log_phase(run->log, "edits");
        code = laser_mpi_work_list_run(&team, &work_list, err);
        laser_log_phase_end(run->log);
        laser_mpi_team_free(&team);
    }
    free(todo);
    return code == LASER_OK ? find_thin(run, list, err) : code;
}
