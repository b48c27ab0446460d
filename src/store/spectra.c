#include "store/spectra.h"

#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/output.h"
#include "store/h5file.h"

#define FORMAT_VERSION 1

struct laser_spectra_writer {
    struct laser_output out;
    hid_t file, matrices;
};

static int put_text(hid_t where, const char *name, const char *text)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR), attribute;
    herr_t status;

    /* The variable-length kind is what h5py writes, too; an empty text is one zero byte. */
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    attribute = H5Acreate2(where, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    status = attribute < 0 ? -1 : H5Awrite(attribute, type, &text);
    if (attribute >= 0)
        H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
    return status < 0;
}

static int put_number(hid_t where, hid_t space, const char *name, hid_t type, const void *value)
{
    hid_t attribute = H5Acreate2(where, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    herr_t status = attribute < 0 ? -1 : H5Awrite(attribute, type, value);

    if (attribute >= 0)
        H5Aclose(attribute);
    return status < 0;
}

int laser_spectra_create(const char *path, struct laser_spectra_writer **out, struct laser_error *err)
{
    struct laser_spectra_writer *w = calloc(1, sizeof *w);
    int64_t version = FORMAT_VERSION;
    hid_t scalar;
    int bad, code;

    *out = NULL;
    if (w == NULL)
        return laser_error_set(err, LASER_ENOMEM, path, "no memory");
    laser_h5_begin();
    code = laser_output_begin(path, &w->out, err);
    if (code != LASER_OK) {
        free(w);
        return code;
    }
    w->file = laser_h5_create(&w->out);
    w->matrices = w->file < 0 ? -1 : H5Gcreate2(w->file, "matrices", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    scalar = H5Screate(H5S_SCALAR);
    bad = w->matrices < 0 || put_text(w->file, "format", "laser_mpi-spectra") ||
          put_number(w->file, scalar, "format_version", H5T_NATIVE_INT64, &version);
    H5Sclose(scalar);
    if (bad) {
        code = laser_h5_write_failed(&w->out, "the file", err);
        laser_spectra_finish(w, 0, NULL);
        return code;
    }
    *out = w;
    return LASER_OK;
}

int laser_spectra_text(struct laser_spectra_writer *w, const char *name, const char *text,
                       struct laser_error *err)
{
    return put_text(w->file, name, text) ? laser_h5_write_failed(&w->out, name, err) : LASER_OK;
}

/* A tensor name as the name of a group. */
static void group_name(const char *name, char *text, size_t size)
{
    size_t n = 0;

    for (; *name != '\0' && n + 4 < size; ++name) {
        if (*name == '/' || *name == '%')
            n += (size_t)snprintf(text + n, size - n, "%%%02X", *name);
        else
            text[n++] = *name;
    }
    text[n] = '\0';
}

static int put_metrics(hid_t group, const struct laser_outcome *o)
{
    hid_t scalar = H5Screate(H5S_SCALAR);
    int bad = 0;

    for (int i = 0; i < laser_n_metric_fields; ++i) {
        const struct laser_metric_field *f = &laser_metric_fields[i];
        const char *value = (const char *)&o->metrics + f->offset;
        bad |=
            put_number(group, scalar, f->name, f->is_integer ? H5T_NATIVE_INT64 : H5T_NATIVE_DOUBLE, value);
    }
    if (o->step_noise > 0)
        bad |= put_number(group, scalar, "step_noise", H5T_NATIVE_DOUBLE, &o->step_noise);
    bad |= put_number(group, scalar, "read_seconds", H5T_NATIVE_DOUBLE, &o->read_s);
    bad |= put_number(group, scalar, "solve_seconds", H5T_NATIVE_DOUBLE, &o->solve_s);
    H5Sclose(scalar);
    return bad;
}

static int put_values(hid_t group, const double *values, int64_t count)
{
    hsize_t n = (hsize_t)count;
    hid_t space = H5Screate_simple(1, &n, NULL);
    hid_t set =
        H5Dcreate2(group, "singular_values", H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    herr_t status = set < 0 ? -1 : H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);

    if (set >= 0)
        H5Dclose(set);
    H5Sclose(space);
    return status < 0;
}

int laser_spectra_add(struct laser_spectra_writer *w, const struct laser_spectra_matrix *m,
                      struct laser_error *err)
{
    const struct laser_outcome *o = &m->outcome;
    int scanned = o->status == LASER_OUTCOME_SCANNED, bad;
    int64_t layer = m->layer;
    char name[2048];
    hid_t group, scalar;

    group_name(m->name, name, sizeof name);
    group = H5Gcreate2(w->matrices, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (group < 0)
        return laser_h5_write_failed(&w->out, m->name, err);
    scalar = H5Screate(H5S_SCALAR);
    bad = put_text(group, "name", m->name) || put_text(group, "type", m->type) ||
          put_text(group, "dtype", m->dtype) ||
          put_number(group, scalar, "layer", H5T_NATIVE_INT64, &layer) ||
          put_text(group, "status", scanned ? "scanned" : "failed") || put_text(group, "reason", o->reason) ||
          put_text(group, "solver", laser_solver_name((enum laser_solver)o->solver)) ||
          put_metrics(group, o) || (scanned && put_values(group, m->sigma, o->metrics.n));
    H5Sclose(scalar);
    H5Gclose(group);
    return bad ? laser_h5_write_failed(&w->out, m->name, err) : LASER_OK;
}

static int put_texts(hid_t group, const char *name, const char *const *texts, int64_t n)
{
    hsize_t count = (hsize_t)n;
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate_simple(1, &count, NULL), set;
    herr_t status;

    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    set = H5Dcreate2(group, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    status = set < 0 ? -1 : H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, texts);
    if (set >= 0)
        H5Dclose(set);
    H5Sclose(space);
    H5Tclose(type);
    return status < 0;
}

int laser_spectra_tensors(struct laser_spectra_writer *w, const char *const *names,
                          const char *const *statuses, const char *const *reasons, int64_t n,
                          struct laser_error *err)
{
    hid_t group = H5Gcreate2(w->file, "tensors", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    int bad = group < 0 || put_texts(group, "name", names, n) || put_texts(group, "status", statuses, n) ||
              put_texts(group, "reason", reasons, n);

    if (group >= 0)
        H5Gclose(group);
    return bad ? laser_h5_write_failed(&w->out, "the account of the tensors", err) : LASER_OK;
}

int laser_spectra_finish(struct laser_spectra_writer *w, int commit, struct laser_error *err)
{
    int bad = 0, code = LASER_OK;

    if (w == NULL)
        return LASER_OK;
    if (w->matrices >= 0)
        bad |= H5Gclose(w->matrices) < 0;
    if (w->file >= 0)
        bad |= H5Fclose(w->file) < 0;
    if (commit && !bad) {
        code = laser_output_commit(&w->out, err);
    } else {
        if (commit)
            code = laser_h5_write_failed(&w->out, "the file", err);
        laser_output_abort(&w->out);
    }
    free(w);
    return code;
}
