/* What coded tensors are made of. */
#include <stdlib.h>
#include <string.h>

#include "checkpoint/coded.h"
#include "checkpoint/state.h"

void laser_coded_free(struct laser_coded *k)
{
    for (int i = 0; k != NULL && i < LASER_CODED_PARTS; i++) {
        if (k->parts[i] == NULL)
            continue;
        laser_coded_free(k->parts[i]->coded);
        free(k->parts[i]->name);
        free(k->parts[i]);
    }
    free(k);
}

const char *laser_coded_format(const struct laser_tensor *t)
{
    return t->coded != NULL ? t->coded->format : laser_dtype_name(t->dtype);
}

int64_t laser_coded_file_bytes(const struct laser_tensor *t)
{
    int64_t bytes = 0;

    if (t->coded == NULL)
        return t->file_bytes > 0 ? t->file_bytes : t->size_bytes;
    for (int i = 0; i < LASER_CODED_PARTS; i++) {
        if (t->coded->parts[i] != NULL)
            bytes += laser_coded_file_bytes(t->coded->parts[i]);
    }
    return bytes;
}

bool laser_coded_any(const struct laser_checkpoint *c)
{
    for (int64_t i = 0; i < c->n_tensors; i++) {
        if (c->tensors[i].coded != NULL)
            return true;
    }
    return false;
}

int laser_coded_bytes(const struct laser_checkpoint *c, const struct laser_tensor *part, int64_t row_bytes,
                      int64_t row0, int64_t n_rows, int64_t first_byte, int64_t n_bytes,
                      unsigned char **bytes, struct laser_error *err)
{
    unsigned char *made = malloc((size_t)(n_rows * n_bytes) + 8); /* laser_coded_bits reads one byte more */
    int code = LASER_OK;

    *bytes = NULL;
    if (made == NULL)
        return laser_error_set(err, LASER_ENOMEM, part->name, "no memory for a piece of it");
    if (first_byte == 0 && n_bytes == row_bytes)
        code = laser_checkpoint_read_stored(c, part, row0 * row_bytes, n_rows * row_bytes, made, err);
    else
        for (int64_t i = 0; code == LASER_OK && i < n_rows; i++)
            code = laser_checkpoint_read_stored(c, part, (row0 + i) * row_bytes + first_byte, n_bytes,
                                                made + i * n_bytes, err);
    if (code != LASER_OK) {
        free(made);
        return code;
    }
    memset(made + n_rows * n_bytes, 0, 8);
    *bytes = made;
    return LASER_OK;
}

int laser_coded_doubles(const struct laser_checkpoint *c, const struct laser_tensor *part, int64_t n_cols_all,
                        int64_t row0, int64_t n_rows, int64_t col0, int64_t n_cols, double **values,
                        struct laser_error *err)
{
    const int64_t size = (int64_t)laser_dtype_size(part->dtype);
    unsigned char *bytes = NULL;
    int code =
        laser_coded_bytes(c, part, n_cols_all * size, row0, n_rows, col0 * size, n_cols * size, &bytes, err);

    *values = NULL;
    if (code != LASER_OK)
        return code;
    *values = malloc((size_t)(n_rows * n_cols + 1) * sizeof **values);
    if (*values != NULL)
        laser_dtype_to_f64(part->dtype, bytes, n_rows * n_cols, *values);
    else
        code = laser_error_set(err, LASER_ENOMEM, part->name, "no memory for a piece of it");
    free(bytes);
    return code;
}
