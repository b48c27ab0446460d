#include "store/spectra.h"

#include <hdf5.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "store/h5file.h"

struct reading {
    const char *path;
    struct laser_spectra *spectra;
    struct laser_error *err;
    int code;
};

static void get_number(hid_t where, const char *name, hid_t type, void *value)
{
    hid_t attribute;

    if (H5Aexists(where, name) <= 0)
        return;
    attribute = H5Aopen(where, name, H5P_DEFAULT);
    H5Aread(attribute, type, value);
    H5Aclose(attribute);
}

static void get_metrics(hid_t group, struct laser_outcome *o)
{
    for (int i = 0; i < laser_n_metric_fields; ++i) {
        const struct laser_metric_field *f = &laser_metric_fields[i];
        get_number(group, f->name, f->is_integer ? H5T_NATIVE_INT64 : H5T_NATIVE_DOUBLE,
                   (char *)&o->metrics + f->offset);
    }
    get_number(group, "read_seconds", H5T_NATIVE_DOUBLE, &o->read_s);
    get_number(group, "solve_seconds", H5T_NATIVE_DOUBLE, &o->solve_s);
    o->metrics.n = o->metrics.rows < o->metrics.columns ? o->metrics.rows : o->metrics.columns;
    laser_metrics_texts(&o->metrics);
}

static int get_values(struct reading *r, hid_t group, struct laser_spectra_matrix *m)
{
    hid_t set = H5Dopen2(group, "singular_values", H5P_DEFAULT), space;
    int64_t n = m->outcome.metrics.n;
    int bad;

    if (set < 0)
        return laser_error_set(r->err, LASER_EINPUT, r->path, "matrix %s has no singular values", m->name);
    space = H5Dget_space(set);
    bad = n < 1 || H5Sget_simple_extent_npoints(space) != n;
    H5Sclose(space);
    m->sigma = bad ? NULL : malloc((size_t)n * sizeof *m->sigma);
    if (m->sigma != NULL)
        bad = H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, m->sigma) < 0;
    H5Dclose(set);
    if (!bad && m->sigma == NULL)
        return laser_error_set(r->err, LASER_ENOMEM, r->path, "no memory for %s", m->name);
    for (int64_t i = 0; !bad && i < n; ++i)
        bad = !isfinite(m->sigma[i]) || m->sigma[i] < 0 || (i > 0 && m->sigma[i] > m->sigma[i - 1]);
    if (bad)
        return laser_error_set(
            r->err, LASER_EINPUT, r->path,
            "the singular values of %s are torn: min(rows, columns) finite numbers in falling "
            "order were expected",
            m->name);
    return LASER_OK;
}

static int read_matrix(struct reading *r, hid_t group, const char *key)
{
    struct laser_spectra *s = r->spectra;
    struct laser_spectra_matrix *bigger, *m;
    char *status, *reason, *solver;
    int64_t layer = -1;

    if ((s->n & (s->n - 1)) == 0) { /* full at every power of two */
        bigger = realloc(s->matrices, (size_t)(s->n > 0 ? 2 * s->n : 1) * sizeof *s->matrices);
        if (bigger == NULL)
            return laser_error_set(r->err, LASER_ENOMEM, r->path, "no memory for %lld matrices",
                                   (long long)s->n);
        s->matrices = bigger;
    }
    m = &s->matrices[s->n++];
    memset(m, 0, sizeof *m);
    m->name = laser_h5_text(group, "name");
    m->type = laser_h5_text(group, "type");
    m->dtype = laser_h5_text(group, "dtype");
    status = laser_h5_text(group, "status");
    reason = laser_h5_text(group, "reason");
    solver = laser_h5_text(group, "solver");
    get_number(group, "layer", H5T_NATIVE_INT64, &layer);
    m->layer = (int)layer;
    get_metrics(group, &m->outcome);
    m->outcome.status =
        status != NULL && strcmp(status, "scanned") == 0 ? LASER_OUTCOME_SCANNED : LASER_OUTCOME_FAILED;
    m->outcome.solver =
        solver != NULL && strcmp(solver, "gesvd") == 0 ? LASER_SOLVER_GESVD : LASER_SOLVER_GRAM;
    if (reason != NULL)
        strncpy(m->outcome.reason, reason, sizeof m->outcome.reason - 1);
    free(status);
    free(reason);
    free(solver);
    if (m->name == NULL || m->type == NULL)
        return laser_error_set(r->err, LASER_EINPUT, r->path, "matrix %s lacks the attribute name or type",
                               key);
    return m->outcome.status == LASER_OUTCOME_SCANNED ? get_values(r, group, m) : LASER_OK;
}

static herr_t visit(hid_t matrices, const char *key, const H5L_info_t *info, void *context)
{
    struct reading *r = context;
    hid_t group = H5Gopen2(matrices, key, H5P_DEFAULT);

    (void)info;
    if (group < 0)
        r->code = laser_error_set(r->err, LASER_EINPUT, r->path, "/matrices/%s is not a group", key);
    else {
        r->code = read_matrix(r, group, key);
        H5Gclose(group);
    }
    return r->code == LASER_OK ? 0 : 1;
}

/* A data set of n texts; *texts is NULL where there is none of that length. */
static int get_texts(struct reading *r, hid_t group, const char *name, int64_t n, char ***texts)
{
    hid_t set = H5Dopen2(group, name, H5P_DEFAULT), space, type;
    int bad;

    *texts = NULL;
    if (set < 0)
        return laser_error_set(r->err, LASER_EINPUT, r->path, "/tensors/%s is missing", name);
    space = H5Dget_space(set);
    type = H5Dget_type(set);
    bad = H5Sget_simple_extent_npoints(space) != n || H5Tis_variable_str(type) <= 0;
    *texts = bad ? NULL : calloc((size_t)n + 1, sizeof **texts);
    if (*texts != NULL && n > 0)
        bad = H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, *texts) < 0;
    H5Tclose(type);
    H5Sclose(space);
    H5Dclose(set);
    if (bad)
        return laser_error_set(r->err, LASER_EINPUT, r->path, "/tensors/%s is torn: %lld texts were expected",
                               name, (long long)n);
    return *texts != NULL ? LASER_OK : laser_error_set(r->err, LASER_ENOMEM, r->path, "no memory");
}

static int64_t count_texts(hid_t group, const char *name)
{
    hid_t set = H5Dopen2(group, name, H5P_DEFAULT), space;
    int64_t n = -1;

    if (set < 0)
        return -1;
    space = H5Dget_space(set);
    n = H5Sget_simple_extent_npoints(space);
    H5Sclose(space);
    H5Dclose(set);
    return n;
}

/* HDF5 has allocated the texts. */
static int keep_texts(struct reading *r, char **texts[3], int64_t n)
{
    struct laser_spectra *s = r->spectra;
    int bad;

    s->tensors = calloc((size_t)n + 1, sizeof *s->tensors);
    bad = s->tensors == NULL;
    for (int64_t i = 0; i < n && !bad; ++i) {
        struct laser_spectra_tensor *t = &s->tensors[s->n_tensors++];
        t->name = strdup(texts[0][i] != NULL ? texts[0][i] : "");
        t->status = strdup(texts[1][i] != NULL ? texts[1][i] : "");
        t->reason = strdup(texts[2][i] != NULL ? texts[2][i] : "");
        bad = t->name == NULL || t->status == NULL || t->reason == NULL;
    }
    return bad ? laser_error_set(r->err, LASER_ENOMEM, r->path, "no memory for %lld tensors", (long long)n)
               : LASER_OK;
}

static int read_account(struct reading *r, hid_t file)
{
    static const char *const names[] = {"name", "status", "reason"};
    char **texts[3] = {NULL, NULL, NULL};
    hid_t group = H5Gopen2(file, "tensors", H5P_DEFAULT);
    int64_t n;
    int code = LASER_OK;

    if (group < 0)
        return LASER_OK;
    n = count_texts(group, names[0]);
    for (int i = 0; i < 3 && code == LASER_OK; ++i)
        code = get_texts(r, group, names[i], n, &texts[i]);
    if (code == LASER_OK)
        code = keep_texts(r, texts, n);
    for (int i = 0; i < 3; ++i) {
        for (int64_t j = 0; texts[i] != NULL && j < n; ++j)
            H5free_memory(texts[i][j]);
        free(texts[i]);
    }
    H5Gclose(group);
    return code;
}

int laser_spectra_read(const char *path, struct laser_spectra *s, struct laser_error *err)
{
    struct reading r = {.path = path, .spectra = s, .err = err};
    hid_t file, matrices;
    char *format;
    int64_t version = 0;

    memset(s, 0, sizeof *s);
    r.code = laser_h5_open(path, &file, err);
    if (r.code != LASER_OK)
        return r.code;
    format = laser_h5_text(file, "format");
    get_number(file, "format_version", H5T_NATIVE_INT64, &version);
    if (format == NULL || strcmp(format, "laser_mpi-spectra") != 0)
        r.code = laser_error_set(err, LASER_EINPUT, path,
                                 "this is not a spectra file of laser_mpi (attribute format)");
    else if (version != 1)
        r.code = laser_error_set(err, LASER_EINPUT, path, "format version %lld found, 1 expected",
                                 (long long)version);
    free(format);
    s->model = laser_h5_text(file, "model");
    s->base = laser_h5_text(file, "base");
    s->rule = laser_h5_text(file, "rule");
    s->score = laser_h5_text(file, "score");
    s->deck = laser_h5_text(file, "deck");
    s->version = laser_h5_text(file, "laser_mpi_version");
    s->content = laser_h5_text(file, "model_content_hash");
    s->libraries = laser_h5_text(file, "libraries");
    matrices = r.code == LASER_OK ? H5Gopen2(file, "matrices", H5P_DEFAULT) : -1;
    if (r.code == LASER_OK && matrices < 0)
        r.code = laser_error_set(err, LASER_EINPUT, path, "the group /matrices is missing");
    if (matrices >= 0) {
        if (H5Literate(matrices, H5_INDEX_NAME, H5_ITER_INC, NULL, visit, &r) < 0 && r.code == LASER_OK)
            r.code = laser_error_set(err, LASER_EINPUT, path, "the group /matrices is torn");
        H5Gclose(matrices);
    }
    if (r.code == LASER_OK)
        r.code = read_account(&r, file);
    H5Fclose(file);
    if (r.code != LASER_OK)
        laser_spectra_free(s);
    return r.code;
}

void laser_spectra_free(struct laser_spectra *s)
{
    for (int64_t i = 0; i < s->n; ++i) {
        free(s->matrices[i].name);
        free(s->matrices[i].type);
        free(s->matrices[i].dtype);
        free(s->matrices[i].sigma);
    }
    for (int64_t i = 0; i < s->n_tensors; ++i) {
        free(s->tensors[i].name);
        free(s->tensors[i].status);
        free(s->tensors[i].reason);
    }
    free(s->tensors);
    free(s->matrices);
    free(s->model);
    free(s->base);
    free(s->rule);
    free(s->score);
    free(s->deck);
    free(s->version);
    free(s->content);
    free(s->libraries);
    memset(s, 0, sizeof *s);
}
