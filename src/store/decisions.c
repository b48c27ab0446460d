#include "store/decisions.h"

#include <stddef.h>
#include <stdlib.h>

#include "store/amend.h"

enum kind { TEXT, WHOLE, REAL };

static const struct {
    const char *name;
    enum kind kind;
    size_t offset;
} fields[] = {
    {"tensor", TEXT, offsetof(struct laser_spectra_decision, tensor)},
    {"edit", TEXT, offsetof(struct laser_spectra_decision, edit)},
    {"reason", TEXT, offsetof(struct laser_spectra_decision, reason)},
    {"rank", WHOLE, offsetof(struct laser_spectra_decision, rank)},
    {"of", WHOLE, offsetof(struct laser_spectra_decision, of)},
    {"kept", WHOLE, offsetof(struct laser_spectra_decision, kept)},
    {"windows", WHOLE, offsetof(struct laser_spectra_decision, windows)},
    {"nll", REAL, offsetof(struct laser_spectra_decision, nll)},
    {"difference", REAL, offsetof(struct laser_spectra_decision, difference)},
    {"difference_stderr", REAL, offsetof(struct laser_spectra_decision, difference_stderr)},
    {"seconds", REAL, offsetof(struct laser_spectra_decision, seconds)},
};

static int put_field(hid_t group, int f, const struct laser_spectra_decision *d, int64_t n, void *column)
{
    hsize_t count = (hsize_t)n;
    hid_t space = H5Screate_simple(1, &count, NULL), set, stored, memory;
    hid_t text = H5Tcopy(H5T_C_S1);
    herr_t status;

    H5Tset_size(text, H5T_VARIABLE);
    H5Tset_cset(text, H5T_CSET_UTF8);
    for (int64_t i = 0; i < n; ++i) {
        const char *at = (const char *)&d[i] + fields[f].offset;
        if (fields[f].kind == TEXT)
            ((const char **)column)[i] = *(const char *const *)at;
        else if (fields[f].kind == WHOLE)
            ((int64_t *)column)[i] = *(const int64_t *)at;
        else
            ((double *)column)[i] = *(const double *)at;
    }
    stored = fields[f].kind == TEXT ? text : fields[f].kind == WHOLE ? H5T_STD_I64LE : H5T_IEEE_F64LE;
    memory = fields[f].kind == TEXT ? text : fields[f].kind == WHOLE ? H5T_NATIVE_INT64 : H5T_NATIVE_DOUBLE;
    set = H5Dcreate2(group, fields[f].name, stored, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    status = set < 0 ? -1 : H5Dwrite(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, column);
    if (set >= 0)
        H5Dclose(set);
    H5Tclose(text);
    H5Sclose(space);
    return status < 0;
}

struct list {
    const struct laser_spectra_decision *d;
    int64_t n;
};

static int put_decisions(hid_t file, const void *what)
{
    const struct list *list = what;
    void *column = malloc((size_t)list->n * sizeof(double) + 1);
    hid_t group = H5Gcreate2(file, "decisions", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    int bad = group < 0 || column == NULL;

    for (int f = 0; !bad && f < (int)(sizeof fields / sizeof *fields); ++f)
        bad = put_field(group, f, list->d, list->n, column);
    if (group >= 0)
        H5Gclose(group);
    free(column);
    return bad;
}

int laser_spectra_decisions(const char *path, const struct laser_spectra_decision *decisions, int64_t n,
                            struct laser_error *err)
{
    struct list list = {.d = decisions, .n = n};

    return laser_h5_amend(path, put_decisions, &list, "the decisions", err);
}
