#include "reduce/edits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "comm/agree.h"
#include "comm/signals.h"
#include "layout/cost.h"
#include "layout/gridshape.h"
#include "reduce/edits_local.h"
#include "schedule/farm.h"
#include "spectrum/edit.h"
#include "store/parts.h"
#include "store/values.h"
#include "svd/rebuild.h"

struct order {
    int64_t matrix;
};

struct result {
    int32_t stop_asked;
};

struct making {
    struct laser_mpi_run *run;
    struct laser_mpi_edit_list *list;
    const int64_t *todo; /* rank 0: matrices with missing files */
    int64_t n_todo, n_handed_out, n_done;
};

static enum laser_mpi_next next(void *context, int group, void *order)
{
    struct making *m = context;

    (void)group;
    if (m->n_handed_out == m->n_todo)
        return LASER_MPI_END;
    ((struct order *)order)->matrix = m->todo[m->n_handed_out++];
    return LASER_MPI_ORDER;
}

static double expected(void *context, const void *order)
{
    const struct making *m = context;
    int64_t matrix = ((const struct order *)order)->matrix, n = 0;

    for (int e = 0; e < m->list->n; ++e)
        n += m->list->edits[e].matrix == matrix;
    return (double)n * laser_cost_flops(LASER_ROUTE_SERIAL_REBUILD, m->run->matrices.matrices[matrix].rows,
                                        m->run->matrices.matrices[matrix].cols);
}

static int done(void *context, int group, const void *order, const void *result, struct laser_error *err)
{
    struct making *m = context;

    (void)group;
    (void)order;
    ++m->n_done;
    return laser_mpi_run_asked(((const struct result *)result)->stop_asked, err);
}

static int tick(void *context, struct laser_error *err)
{
    struct making *m = context;

    laser_mpi_log_progress(m->run->log, m->n_done, m->n_todo, "matrices");
    return laser_mpi_run_stop(m->run, err);
}

/* Where the rows of a rebuilt matrix go: its elements in their dtype, on the leader. */
struct sheet {
    const struct laser_matrix *matrix;
    struct laser_matrix_source source;
    unsigned char *bytes; /* the whole matrix; each rank fills its rows, the others are zero */
    int64_t size_bytes;
};

static int read_rows(void *context, int64_t row0, int64_t nrows, double *dst, struct laser_error *err)
{
    struct sheet *s = context;

    return laser_matrix_source_read(&s->source, row0, nrows, 0, s->matrix->cols, dst, s->matrix->cols, err);
}

static int write_rows(void *context, int64_t row0, int64_t nrows, const double *src, struct laser_error *err)
{
    struct sheet *s = context;

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

static int write_edit(const struct sheet *s, const char *path, struct laser_error *err)
{
    const struct laser_matrix *m = s->matrix;
    struct laser_safetensors_item item = {
        .name = m->name, .dtype = m->dtype, .n_dims = 2, .shape = {m->rows, m->cols}, .data = s->bytes};

    return laser_safetensors_write(path, &item, 1, err);
}

static void thin_path(const char *path, char *thin, size_t size)
{
    snprintf(thin, size, "%.*s-thin.safetensors", (int)(strlen(path) - strlen(".safetensors")), path);
}

/* What is evaluated by itself is what is written only where neither the checkpoint nor the arithmetic rounds
 * to less than float32.  A cut difference leaves a matrix of full rank. */
bool laser_mpi_edits_want_thin(const struct laser_mpi_run *run, const struct laser_matrix *m)
{
    const char *factored = laser_deck_string(run->deck, "evaluate.factored");

    if (!laser_matrix_is_whole(run->checkpoint, m) || run->change != NULL || strcmp(factored, "never") == 0)
        return false;
    return strcmp(factored, "always") == 0 ||
           ((m->dtype == LASER_F32 || m->dtype == LASER_F64) &&
            strcmp(laser_deck_string(run->deck, "evaluate.precision"), "float32") == 0);
}

int laser_mpi_edit_values(const struct laser_mpi_run *run, const char *text, const struct laser_matrix *m,
                          const double *sigma, double *s_new, int64_t *rank, struct laser_error *err)
{
    int64_t n = m->rows < m->cols ? m->rows : m->cols;
    struct laser_edit what;
    double *values = NULL;
    int code = laser_edit_parse(text, &what, err);

    if (code == LASER_OK && what.kind == LASER_EDIT_VALUES) {
        values = malloc((size_t)n * sizeof *values);
        code = values == NULL
                   ? laser_error_set(err, LASER_ENOMEM, m->name, "no memory for its singular values")
                   : laser_values_read(run->values[0] != '\0' ? run->values : run->output, what.hash, m->name,
                                       n, values, err);
        what.values = values;
    }
    if (code == LASER_OK)
        *rank = laser_edit_apply(&what, sigma, m->rows, m->cols, s_new);
    free(values);
    return code;
}

/* Factors of the singular values for one edit. */
static int edit_ratio(const struct laser_mpi_run *run, const struct laser_strategy_edit *edit,
                      const double *sigma, const struct laser_matrix *m, double *ratio,
                      struct laser_error *err)
{
    int64_t n = m->rows < m->cols ? m->rows : m->cols, rank;
    int code = laser_mpi_edit_values(run, edit->text, m, sigma, ratio, &rank, err);

    if (code != LASER_OK)
        return code;
    for (int64_t i = 0; i < n; ++i)
        ratio[i] = sigma[i] > 0 ? ratio[i] / sigma[i] : 0;
    return LASER_OK;
}

/* One edit by a group: read, rebuild, gather, write. */
static int make_edit(struct making *m, const struct laser_mpi_team *team, int edit, struct sheet *s,
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
    laser_mpi_log_work(m->run->log, 0,
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
    const struct sheet *sheet;
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
        code = edit_ratio(m->run, &m->list->edits[missing->edits[i]], sigma, w,
                          missing->ratios + (size_t)i * (size_t)n, err);
    return laser_mpi_agree(team->group_comm, code, err);
}

/* An edit is made when its file is there: what lies beside it comes before. */
static int made(void *context, int edit, const void *bytes, const struct laser_mpi_thin *thin,
                struct laser_error *err)
{
    const struct missing *missing = context;
    const char *path = missing->making->list->files[missing->edits[edit]].path;
    char beside[8200];
    int code = LASER_OK;

    (void)bytes; /* those of the sheet */
    if (thin != NULL) {
        thin_path(path, beside, sizeof beside);
        code = laser_mpi_thin_write(beside, thin, err);
    }
    return code == LASER_OK ? write_edit(missing->sheet, path, err) : code;
}

/* The singular values of a matrix: every edit of it has the place. */
static int read_values(const struct making *m, int64_t matrix, double *sigma, struct laser_error *err)
{
    int e = 0;

    while (m->list->edits[e].matrix != matrix)
        ++e;
    return laser_part_read(m->run->output, &m->list->values[e], sigma, err);
}

static int work(void *context, const struct laser_mpi_team *team, const void *order, void *result,
                struct laser_error *err)
{
    struct making *m = context;
    int64_t matrix = ((const struct order *)order)->matrix;
    struct sheet s = {.matrix = &m->run->matrices.matrices[matrix]};
    int64_t n = s.matrix->rows < s.matrix->cols ? s.matrix->rows : s.matrix->cols;
    double *sigma = malloc((size_t)n * sizeof *sigma);
    struct missing missing = {.making = m, .sheet = &s};
    int code = LASER_OK;

    ((struct result *)result)->stop_asked = laser_mpi_signalled() != 0;
    s.size_bytes = s.matrix->rows * s.matrix->cols * (int64_t)laser_dtype_size(s.matrix->dtype);
    s.bytes = malloc((size_t)s.size_bytes);
    if (sigma == NULL || s.bytes == NULL)
        code = laser_error_set(err, LASER_ENOMEM, s.matrix->name, "no memory to rebuild it");
    if (code == LASER_OK)
        code = laser_mpi_run_source(m->run, s.matrix, &s.source, err);
    if (code == LASER_OK)
        code = read_values(m, matrix, sigma, err);
    code = laser_mpi_agree(team->group_comm, code, err);
    if (code == LASER_OK)
        code = find_edits(m, team, matrix, sigma, &missing, err);
    if (code == LASER_OK && team->group_size == 1 && missing.n > 0)
        code =
            laser_mpi_edits_local(&s.source, sigma, missing.ratios, missing.n,
                                  laser_mpi_edits_want_thin(m->run, s.matrix), s.bytes, made, &missing, err);
    for (int i = 0; code == LASER_OK && team->group_size > 1 && i < missing.n; ++i)
        code = make_edit(m, team, missing.edits[i], &s, missing.ratios + (size_t)i * (size_t)n, err);
    free(sigma);
    free(s.bytes);
    free(missing.edits);
    free(missing.ratios);
    return code;
}

/* A name that stands for model, matrix and edit, so that a file left by an earlier start is used again and
 * never mistaken for another one. */
static void edit_path(const struct laser_mpi_run *run, const struct laser_matrix *m, const char *text,
                      uint64_t model, char *path, size_t size)
{
    char key[4096];

    snprintf(key, sizeof key, "%016" PRIx64 " %s %s", model, m->name, text);
    snprintf(path, size, "%s/work/edits/%016" PRIx64 ".safetensors", run->output,
             (uint64_t)XXH3_64bits(key, strlen(key)));
}

static int fill_list(struct laser_mpi_run *run, struct laser_mpi_edit_list *list, struct laser_error *err)
{
    struct laser_checkpoint_fingerprint print = laser_mpi_run_print(run);

    for (int e = 0; e < list->n; ++e) {
        const struct laser_matrix *m = &run->matrices.matrices[list->edits[e].matrix];
        char path[8192];
        edit_path(run, m, list->edits[e].text, print.content ^ print.times, path, sizeof path);
        list->files[e].matrix = m;
        list->files[e].tensor = run->checkpoint->tensors[m->tensor].name;
        list->files[e].path = strdup(path);
        if (list->files[e].path == NULL)
            return laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %d edits", list->n);
    }
    return LASER_OK;
}

static int share_list(struct laser_mpi_run *run, const struct laser_strategy_plan *plan,
                      struct laser_mpi_edit_list *list, struct laser_error *err)
{
    int code = LASER_OK;

    list->n = run->rank == 0 ? plan->n_edits : 0;
    MPI_Bcast(&list->n, 1, MPI_INT, 0, run->world);
    list->edits = calloc((size_t)list->n + 1, sizeof *list->edits);
    list->files = calloc((size_t)list->n + 1, sizeof *list->files);
    list->values = calloc((size_t)list->n + 1, sizeof *list->values);
    if (list->edits == NULL || list->files == NULL || list->values == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %d edits", list->n);
    code = laser_mpi_agree(run->world, code, err);
    if (code != LASER_OK)
        return code;
    if (run->rank == 0) {
        memcpy(list->edits, plan->edits, (size_t)list->n * sizeof *list->edits);
        for (int e = 0; e < list->n; ++e)
            list->values[e] = run->outcomes[list->edits[e].matrix].values;
        code = laser_directory_make(laser_mpi_run_path(run, "work/edits"), err);
    }
    MPI_Bcast(list->edits, (int)((size_t)list->n * sizeof *list->edits), MPI_BYTE, 0, run->world);
    MPI_Bcast(list->values, (int)((size_t)list->n * sizeof *list->values), MPI_BYTE, 0, run->world);
    if (code == LASER_OK)
        code = fill_list(run, list, err);
    return laser_mpi_agree(run->world, code, err);
}

/* Rank 0: matrices with an edit whose file is missing, in the order of the edits. */
static int64_t *find_missing(const struct laser_mpi_run *run, const struct laser_mpi_edit_list *list,
                             int64_t *n)
{
    int64_t *todo = calloc((size_t)list->n + 1, sizeof *todo);
    unsigned char *listed = calloc((size_t)run->matrices.n_matrices + 1, 1);

    *n = 0;
    for (int e = 0; todo != NULL && listed != NULL && e < list->n; ++e) {
        int matrix = list->edits[e].matrix;
        if (listed[matrix] || list->edits[e].skip || access(list->files[e].path, R_OK) == 0)
            continue;
        listed[matrix] = 1;
        todo[(*n)++] = matrix;
    }
    if (listed == NULL) {
        free(todo);
        todo = NULL;
    }
    free(listed);
    return todo;
}

/* Which edits have factors: rank 0 looks, so that all say the same. */
static int find_thin(struct laser_mpi_run *run, struct laser_mpi_edit_list *list, struct laser_error *err)
{
    unsigned char *has = calloc((size_t)list->n + 1, 1);
    char path[8200];
    int code = has == NULL ? laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %d edits", list->n)
                           : LASER_OK;

    code = laser_mpi_agree(run->world, code, err);
    for (int e = 0; code == LASER_OK && run->rank == 0 && e < list->n; ++e) {
        thin_path(list->files[e].path, path, sizeof path);
        has[e] = laser_mpi_edits_want_thin(run, list->files[e].matrix) && access(path, R_OK) == 0;
    }
    if (code == LASER_OK)
        MPI_Bcast(has, list->n, MPI_UNSIGNED_CHAR, 0, run->world);
    for (int e = 0; code == LASER_OK && e < list->n; ++e) {
        thin_path(list->files[e].path, path, sizeof path);
        if (has[e] && (list->files[e].thin = strdup(path)) == NULL)
            code = laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %d edits", list->n);
    }
    free(has);
    return laser_mpi_agree(run->world, code, err);
}

int laser_mpi_edits_make(struct laser_mpi_run *run, const struct laser_strategy_plan *plan,
                         struct laser_mpi_edit_list *list, struct laser_error *err)
{
    struct making making = {.run = run, .list = list};
    struct laser_mpi_farm farm = {.context = &making,
                                  .order_bytes = sizeof(struct order),
                                  .result_bytes = sizeof(struct result),
                                  .log = run->log,
                                  .pace = &run->pace,
                                  .expected = expected,
                                  .unit_s = run->speed.product_flops > 0 ? 1 / run->speed.product_flops : 0,
                                  .depth = 1,
                                  .next = next,
                                  .done = done,
                                  .tick = tick,
                                  .work = work};
    int64_t *todo = NULL;
    struct laser_mpi_team team;
    int group_size = (int)laser_deck_int(run->deck, "parallel.group_size"), code;

    memset(list, 0, sizeof *list);
    code = share_list(run, plan, list, err);
    if (code == LASER_OK && run->rank == 0 && (todo = find_missing(run, list, &making.n_todo)) == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %d edits", list->n);
    code = laser_mpi_agree(run->world, code, err);
    making.todo = todo;
    if (code == LASER_OK)
        code = laser_mpi_team_create(run->world, group_size > 0 ? group_size : 1, &team, err);
    if (code == LASER_OK) {
        laser_mpi_log_phase(run->log, "edits");
        code = laser_mpi_farm_run(&team, &farm, err);
        laser_mpi_log_phase_end(run->log);
        laser_mpi_team_free(&team);
    }
    free(todo);
    return code == LASER_OK ? find_thin(run, list, err) : code;
}

void laser_mpi_edits_free(struct laser_mpi_edit_list *list)
{
    for (int e = 0; list->files != NULL && e < list->n; ++e) {
        free(list->files[e].path);
        free(list->files[e].thin);
    }
    free(list->edits);
    free(list->files);
    free(list->values);
    memset(list, 0, sizeof *list);
}
