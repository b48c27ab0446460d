#include "testing_grid.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "layout/gridshape.h"

double stored_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(int64_t)(*seed >> 11 << 11) / 9223372036854775808.0;
}

static struct stored *stored_zero(int64_t rows, int64_t cols)
{
    struct stored *s = calloc(1, sizeof *s);

    s->rows = rows;
    s->cols = cols;
    s->data = calloc((size_t)(rows * cols), sizeof *s->data);
    s->touched = calloc((size_t)rows, sizeof *s->touched);
    s->fail_row = -1;
    return s;
}

struct stored *stored_new(int64_t rows, int64_t cols, uint64_t seed)
{
    struct stored *s = stored_zero(rows, cols);
    int64_t i;

    for (i = 0; i < rows * cols; i++)
        s->data[i] = stored_random(&seed);
    return s;
}

void stored_free(struct stored *s)
{
    free(s->data);
    free(s->touched);
    free(s);
}

/* x[i * step], i < n, minus its reflection: x -= 2 v (v . x). */
static void reflect(double *x, int64_t n, int64_t step, const double *v)
{
    double dot = 0;
    int64_t i;

    for (i = 0; i < n; i++)
        dot += v[i] * x[i * step];
    for (i = 0; i < n; i++)
        x[i * step] -= 2 * dot * v[i];
}

static void unit_vector(double *v, int64_t n, uint64_t *seed)
{
    double sum = 0;
    int64_t i;

    for (i = 0; i < n; i++) {
        v[i] = stored_random(seed);
        sum += v[i] * v[i];
    }
    for (i = 0; i < n; i++)
        v[i] /= sqrt(sum);
}

struct stored *stored_with_values(int64_t rows, int64_t cols, const double *sigma, uint64_t seed)
{
    struct stored *s = stored_zero(rows, cols);
    double *v = calloc((size_t)(rows + cols), sizeof *v);
    int64_t i, side = rows < cols ? rows : cols;
    int pass;

    for (i = 0; i < side; i++)
        s->data[i * cols + i] = sigma[i];
    for (pass = 0; pass < 3; pass++) {
        unit_vector(v, cols, &seed);
        for (i = 0; i < rows; i++)
            reflect(s->data + i * cols, cols, 1, v);
        unit_vector(v, rows, &seed);
        for (i = 0; i < cols; i++)
            reflect(s->data + i, rows, cols, v);
    }
    free(v);
    return s;
}

int stored_read(void *context, int64_t row0, int64_t nrows, double *dst, struct laser_error *err)
{
    struct stored *s = context;
    int64_t i;

    for (i = row0; i < row0 + nrows; i++) {
        if (i == s->fail_row)
            return laser_error_set(err, LASER_EIO, "weights.bin", "row %lld cannot be read", (long long)i);
        s->touched[i]++;
    }
    memcpy(dst, s->data + row0 * s->cols, (size_t)(nrows * s->cols) * sizeof *dst);
    return LASER_OK;
}

int stored_write(void *context, int64_t row0, int64_t nrows, const double *src, struct laser_error *err)
{
    struct stored *s = context;
    int64_t i;

    for (i = row0; i < row0 + nrows; i++) {
        if (i == s->fail_row)
            return laser_error_set(err, LASER_EIO, "weights.bin", "row %lld cannot be written", (long long)i);
        s->touched[i]++;
    }
    memcpy(s->data + row0 * s->cols, src, (size_t)(nrows * s->cols) * sizeof *src);
    return LASER_OK;
}

int spread_open(struct spread *s, MPI_Comm comm, struct stored *w, int nprow, int npcol, int nb,
                struct laser_error *err)
{
    int size, code;

    memset(s, 0, sizeof *s);
    if (nprow == 0) {
        struct laser_grid_shape shape;

        MPI_Comm_size(comm, &size);
        shape = laser_layout_gridshape(w->cols, w->rows, size);
        nprow = shape.nprow;
        npcol = shape.npcol;
        nb = shape.nb;
    }
    code = laser_mpi_grid_create(comm, nprow, npcol, &s->grid, err);
    if (code == LASER_OK)
        code = laser_mpi_matrix_create(&s->grid, "layers.0.weight", w->cols, w->rows, nb, &s->a, err);
    if (code == LASER_OK)
        code = laser_mpi_matrix_load(&s->a, stored_read, w, err);
    if (code != LASER_OK)
        spread_close(s);
    return code;
}

void spread_close(struct spread *s)
{
    laser_mpi_matrix_free(&s->a);
    laser_mpi_grid_free(&s->grid);
}

int all_ranks(int condition)
{
    int mine = condition != 0, all;

    MPI_Allreduce(&mine, &all, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
    return all;
}

int same_on_all(const void *data, size_t bytes)
{
    void *first = malloc(bytes);
    int same;

    memcpy(first, data, bytes);
    MPI_Bcast(first, (int)bytes, MPI_BYTE, 0, MPI_COMM_WORLD);
    same = memcmp(first, data, bytes) == 0;
    free(first);
    return all_ranks(same);
}

int world_size(void)
{
    int size;

    MPI_Comm_size(MPI_COMM_WORLD, &size);
    return size;
}

int world_rank(void)
{
    int rank;

    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    return rank;
}
