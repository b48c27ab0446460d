#include "store/decisions.h"

#include <hdf5.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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

static int put_decisions(const char *path, const struct laser_spectra_decision *d, int64_t n, void *column)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), group;
    int bad;

    if (file < 0)
        return 1;
    group = H5Gcreate2(file, "decisions", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    bad = group < 0;
    for (int f = 0; !bad && f < (int)(sizeof fields / sizeof *fields); ++f)
        bad = put_field(group, f, d, n, column);
    if (group >= 0)
        H5Gclose(group);
    return H5Fclose(file) < 0 || bad;
}

/* to = from, 0 on success. */
static int copy_file(const char *from, const char *to, char *piece, size_t size)
{
    FILE *in = fopen(from, "rb"), *out = in != NULL ? fopen(to, "wb") : NULL;
    int bad = out == NULL;
    size_t n;

    while (!bad && (n = fread(piece, 1, size, in)) > 0)
        bad = fwrite(piece, 1, n, out) != n;
    bad = bad || ferror(in);
    if (in != NULL)
        fclose(in);
    return (out != NULL && fclose(out) != 0) || bad;
}

static int sync_file(const char *path)
{
    FILE *f = fopen(path, "r+b");
    int bad = f == NULL || fsync(fileno(f)) != 0;

    if (f != NULL)
        fclose(f);
    return bad;
}

int laser_spectra_decisions(const char *path, const struct laser_spectra_decision *decisions, int64_t n,
                            struct laser_error *err)
{
    size_t size = (size_t)n * sizeof(double) > 1 << 20 ? (size_t)n * sizeof(double) : 1 << 20;
    void *memory = malloc(size);
    char temporary[4400];
    int bad;

    if (memory == NULL)
        return laser_error_set(err, LASER_ENOMEM, path, "no memory for its decisions");
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    snprintf(temporary, sizeof temporary, "%s.tmp", path);
    bad = copy_file(path, temporary, memory, size) || put_decisions(temporary, decisions, n, memory) ||
          sync_file(temporary) || rename(temporary, path) != 0;
    free(memory);
    if (!bad)
        return LASER_OK;
    unlink(temporary);
    return laser_error_set(err, LASER_EIO, path, "HDF5 cannot write the decisions (disk full?)");
}
