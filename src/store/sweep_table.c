#include "store/sweep_table.h"

#include "store/amend.h"

/* 0 on success. */
static int put(hid_t group, const char *name, int rank, const hsize_t *shape, hid_t stored, hid_t memory,
               const void *data)
{
    hid_t space = H5Screate_simple(rank, shape, NULL);
    hid_t set = H5Dcreate2(group, name, stored, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    herr_t status = set < 0 ? -1 : H5Dwrite(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);

    if (set >= 0)
        H5Dclose(set);
    H5Sclose(space);
    return status < 0;
}

static int put_reals(hid_t group, const char *name, int rank, const hsize_t *shape, const double *data)
{
    return put(group, name, rank, shape, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, data);
}

static int put_sweep(hid_t file, const void *what)
{
    const struct laser_spectra_sweep *s = what;
    const hsize_t shape[3] = {(hsize_t)s->n_layers, (hsize_t)s->n_types, (hsize_t)s->n_fractions};
    hid_t group = H5Gcreate2(file, "sweep", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), text = H5Tcopy(H5T_C_S1);
    int bad = group < 0;

    H5Tset_size(text, H5T_VARIABLE);
    H5Tset_cset(text, H5T_CSET_UTF8);
    bad = bad || put(group, "layers", 1, shape, H5T_STD_I64LE, H5T_NATIVE_INT64, s->layers) ||
          put(group, "types", 1, shape + 1, text, text, s->types) ||
          put_reals(group, "fractions", 1, shape + 2, s->fractions) ||
          put_reals(group, "gain", 3, shape, s->gain) || put_reals(group, "stderr", 3, shape, s->error) ||
          put_reals(group, "best_gain", 2, shape, s->best_gain) ||
          put_reals(group, "best_fraction", 2, shape, s->best_fraction);
    H5Tclose(text);
    if (group >= 0)
        H5Gclose(group);
    return bad;
}

int laser_spectra_sweep(const char *path, const struct laser_spectra_sweep *sweep, struct laser_error *err)
{
    return laser_h5_amend(path, put_sweep, sweep, "the sweep", err);
}
