#include "store/sensitivity.h"

#include <hdf5.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/h5file.h"

#define FORMAT_VERSION 1

static int put_text(hid_t where, const char *name, const char *text)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR), attribute;
    int bad;

    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    attribute = H5Acreate2(where, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    bad = attribute < 0 || H5Awrite(attribute, type, &text) < 0;
    if (attribute >= 0)
        H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
    return bad;
}

static int put_scalar(hid_t where, const char *name, hid_t stored, hid_t memory, const void *value)
{
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(where, name, stored, space, H5P_DEFAULT, H5P_DEFAULT);
    int bad = attribute < 0 || H5Awrite(attribute, memory, value) < 0;

    if (attribute >= 0)
        H5Aclose(attribute);
    H5Sclose(space);
    return bad;
}

static int put_real(hid_t where, const char *name, double value)
{
    return put_scalar(where, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value);
}

static int put_integer(hid_t where, const char *name, int64_t value)
{
    return put_scalar(where, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value);
}

static int put_values(hid_t where, const char *name, const double *values, int64_t n)
{
    const hsize_t shape = (hsize_t)n;
    hid_t space = H5Screate_simple(1, &shape, NULL), how = H5Pcreate(H5P_DATASET_CREATE), set;
    int bad;

    H5Pset_obj_track_times(how, false); /* the same numbers give the same bytes */
    set = H5Dcreate2(where, name, H5T_IEEE_F64LE, space, H5P_DEFAULT, how, H5P_DEFAULT);
    bad = set < 0 || H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0;

    if (set >= 0)
        H5Dclose(set);
    H5Pclose(how);
    H5Sclose(space);
    return bad;
}

static int put_record(hid_t matrices, const struct laser_sensitivity_record *r)
{
    hid_t group = H5Gcreate2(matrices, r->name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    int bad = group < 0;

    bad = bad || put_text(group, "name", r->name) || put_text(group, "type", r->type) ||
          put_integer(group, "layer", r->layer) || put_integer(group, "rows", r->rows) ||
          put_integer(group, "columns", r->columns) || put_real(group, "tokens", r->reached) ||
          put_real(group, "cut_predicted", r->cut) || put_real(group, "step_predicted", r->step) ||
          put_text(group, "best_edit", r->best_edit) || put_real(group, "best_predicted", r->best) ||
          put_values(group, "sigma", r->sigma, r->n) || put_values(group, "gradient", r->gradient, r->n) ||
          put_values(group, "gradient_stderr", r->error, r->n) ||
          put_values(group, "fisher", r->fisher, r->n);
    if (group >= 0)
        H5Gclose(group);
    return bad;
}

static int put_all(hid_t file, const struct laser_sensitivity_meta *m,
                   const struct laser_sensitivity_record *records, int64_t n)
{
    hid_t matrices = H5Gcreate2(file, "matrices", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    int bad = matrices < 0 || put_integer(file, "format", FORMAT_VERSION) ||
              put_text(file, "model", m->model) || put_text(file, "threshold", m->rule) ||
              put_real(file, "tokens", m->tokens) || put_real(file, "windows", m->windows) ||
              put_real(file, "loss", m->loss) ||
              put_text(file, "predictions", m->block ? "block" : "diagonal");

    for (int64_t i = 0; !bad && i < n; ++i)
        bad = put_record(matrices, &records[i]);
    if (matrices >= 0)
        H5Gclose(matrices);
    return bad;
}

int laser_sensitivity_write(const char *path, const struct laser_sensitivity_meta *meta,
                            const struct laser_sensitivity_record *records, int64_t n,
                            struct laser_error *err)
{
    struct laser_output out;
    hid_t file;
    int bad, code = laser_output_begin(path, &out, err);

    if (code != LASER_OK)
        return code;
    laser_h5_begin();
    file = laser_h5_create(&out);
    bad = file < 0 || put_all(file, meta, records, n);
    bad = (file >= 0 && H5Fclose(file) < 0) || bad;
    if (!bad)
        return laser_output_commit(&out, err);
    code = laser_h5_write_failed(&out, "the sensitivities", err);
    laser_output_abort(&out);
    return code;
}
