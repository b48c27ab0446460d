#include "store/h5matrices.h"

#include <hdf5.h>
#include <stdlib.h>
#include <string.h>

#include "store/h5file.h"

struct listing {
    const char *path;
    struct laser_tensor *tensors;
    int64_t n, room;
    struct laser_error *err;
    int code;
};

bool laser_h5_is_file(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot != NULL && (strcmp(dot, ".h5") == 0 || strcmp(dot, ".hdf5") == 0);
}

/* LASER_DTYPE_COUNT for a type that is not a plain little-endian IEEE number. */
static enum laser_dtype plain_type(hid_t type)
{
    const struct {
        hid_t h5;
        enum laser_dtype dtype;
    } plain[] = {{H5T_IEEE_F64LE, LASER_F64}, {H5T_IEEE_F32LE, LASER_F32}};

    for (size_t i = 0; i < sizeof plain / sizeof *plain; ++i)
        if (H5Tequal(type, plain[i].h5) > 0)
            return plain[i].dtype;
    /* h5py's float16: 2 bytes, 5 bits of exponent, 10 of mantissa. */
    if (H5Tget_class(type) == H5T_FLOAT && H5Tget_size(type) == 2 && H5Tget_order(type) == H5T_ORDER_LE) {
        size_t sign, exponent, exponent_bits, mantissa, mantissa_bits;
        H5Tget_fields(type, &sign, &exponent, &exponent_bits, &mantissa, &mantissa_bits);
        if (exponent_bits == 5 && mantissa_bits == 10)
            return LASER_F16;
    }
    return LASER_DTYPE_COUNT;
}

static int refuse(struct listing *list, const char *name, const char *found)
{
    return laser_error_set(
        list->err, LASER_EINPUT, list->path,
        "data set %.300s is %s; contiguous little-endian float16, float32 or float64 was expected "
        "(h5repack -l CONTI -f NONE in.h5 out.h5 writes it so)",
        name, found);
}

static int add(struct listing *list, const char *name, hid_t set, hid_t type, const hsize_t *shape)
{
    struct laser_tensor *t;
    haddr_t offset = H5Dget_offset(set);
    enum laser_dtype dtype = plain_type(type);

    if (dtype == LASER_DTYPE_COUNT)
        return refuse(list, name, "of another number type");
    if (offset == HADDR_UNDEF)
        return refuse(list, name, "stored in chunks, compressed, or empty");
    if (list->n == list->room) {
        struct laser_tensor *bigger = realloc(list->tensors, (size_t)(2 * list->room + 16) * sizeof *bigger);
        if (bigger == NULL)
            return laser_error_set(list->err, LASER_ENOMEM, list->path, "no memory for its data sets");
        list->tensors = bigger;
        list->room = 2 * list->room + 16;
    }
    t = &list->tensors[list->n];
    memset(t, 0, sizeof *t);
    t->name = strdup(name);
    if (t->name == NULL)
        return laser_error_set(list->err, LASER_ENOMEM, list->path, "no memory for its data sets");
    t->dtype = dtype;
    t->n_dims = 2;
    t->shape[0] = (int64_t)shape[0];
    t->shape[1] = (int64_t)shape[1];
    t->offset = (int64_t)offset;
    t->size_bytes = (int64_t)H5Dget_storage_size(set);
    if (t->size_bytes != t->shape[0] * t->shape[1] * (int64_t)laser_dtype_size(dtype)) {
        free(t->name);
        return refuse(list, name, "not as large as its shape says");
    }
    ++list->n;
    return LASER_OK;
}

static herr_t visit(hid_t file, const char *name, const H5O_info_t *info, void *context)
{
    struct listing *list = context;
    hsize_t shape[2];
    hid_t set, type, space;

    if (info->type != H5O_TYPE_DATASET)
        return 0;
    set = H5Dopen2(file, name, H5P_DEFAULT);
    if (set < 0) {
        list->code = refuse(list, name, "not readable");
        return 1;
    }
    type = H5Dget_type(set);
    space = H5Dget_space(set);
    if (H5Sget_simple_extent_ndims(space) == 2 && H5Tget_class(type) == H5T_FLOAT) {
        H5Sget_simple_extent_dims(space, shape, NULL);
        if (shape[0] > 0 && shape[1] > 0)
            list->code = add(list, name, set, type, shape);
    }
    H5Sclose(space);
    H5Tclose(type);
    H5Dclose(set);
    return list->code == LASER_OK ? 0 : 1;
}

int laser_h5_matrices_open(const char *path, struct laser_checkpoint **out, struct laser_error *err)
{
    struct listing list = {.path = path, .err = err};
    hid_t file;

    *out = NULL;
    list.code = laser_h5_open(path, &file, err);
    if (list.code != LASER_OK)
        return list.code;
    if (H5Ovisit(file, H5_INDEX_NAME, H5_ITER_INC, visit, &list) < 0 && list.code == LASER_OK)
        list.code = laser_error_set(err, LASER_EINPUT, path, "the file is torn");
    H5Fclose(file);
    if (list.code == LASER_OK && list.n == 0)
        list.code = laser_error_set(err, LASER_EINPUT, path, "there is no two-dimensional data set in it");
    if (list.code == LASER_OK)
        list.code = laser_checkpoint_assemble(path, list.tensors, list.n, out, err);
    for (int64_t i = 0; i < list.n; ++i)
        free(list.tensors[i].name);
    free(list.tensors);
    return list.code;
}
