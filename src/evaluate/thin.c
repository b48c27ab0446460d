#include "evaluate/thin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/safetensors.h"

bool laser_thin_pays(int64_t rows, int64_t columns, int64_t k)
{
    return k > 0 && (double)k * (double)(rows + columns) <= 0.5 * (double)rows * (double)columns;
}

int laser_thin_init(struct laser_thin_factors *thin, int64_t rows, int64_t columns, int64_t k,
                    struct laser_error *err)
{
    *thin = (struct laser_thin_factors){.rows = rows, .columns = columns, .k = k};
    thin->left = malloc((size_t)((rows + columns) * k) * sizeof *thin->left);
    if (thin->left == NULL)
        return laser_error_set(err, LASER_ENOMEM, "edits", "no memory for factors of rank %lld",
                               (long long)k);
    thin->right = thin->left + rows * k;
    return LASER_OK;
}

void laser_thin_free(struct laser_thin_factors *thin)
{
    free(thin->left);
    memset(thin, 0, sizeof *thin);
}

int laser_thin_write(const char *path, const struct laser_thin_factors *thin, struct laser_error *err)
{
    const struct laser_safetensors_item items[] = {
        {.name = "left", .dtype = LASER_F32, .n_dims = 2, .shape = {thin->rows, thin->k}, .data = thin->left},
        {.name = "right",
         .dtype = LASER_F32,
         .n_dims = 2,
         .shape = {thin->k, thin->columns},
         .data = thin->right}};

    return laser_safetensors_write(path, items, 2, err);
}

static int read_values(FILE *in, const char *path, const struct laser_tensor *t, float *values,
                       struct laser_error *err)
{
    if (fseek(in, (long)t->offset, SEEK_SET) != 0 ||
        fread(values, 1, (size_t)t->size_bytes, in) != (size_t)t->size_bytes)
        return laser_error_set(err, LASER_EIO, path, "cannot read %s", t->name);
    return LASER_OK;
}

/* "left" and "right" have the same size of elements, so that they lie by name. */
int laser_thin_read(const char *path, struct laser_thin_factors *thin, struct laser_error *err)
{
    struct laser_safetensors_header header;
    const struct laser_tensor *t;
    FILE *in;
    int code = laser_safetensors_read_header(path, &header, NULL, NULL, err);

    memset(thin, 0, sizeof *thin);
    if (code != LASER_OK)
        return code;
    t = header.tensors;
    in = fopen(path, "rb");
    if (in == NULL)
        code = laser_error_set(err, LASER_EIO, path, "cannot open");
    else if (header.n_tensors != 2 || t[0].dtype != LASER_F32 || t[1].dtype != LASER_F32 ||
             t[0].n_dims != 2 || t[1].n_dims != 2 || t[0].shape[1] != t[1].shape[0])
        code = laser_error_set(err, LASER_EINPUT, path, "not the two factors of a matrix");
    else
        code = laser_thin_init(thin, t[0].shape[0], t[1].shape[1], t[0].shape[1], err);
    if (code == LASER_OK)
        code = read_values(in, path, &t[0], thin->left, err);
    if (code == LASER_OK)
        code = read_values(in, path, &t[1], thin->right, err);
    if (code != LASER_OK)
        laser_thin_free(thin);
    if (in != NULL)
        fclose(in);
    laser_safetensors_header_free(&header);
    return code;
}
