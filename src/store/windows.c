#include "store/windows.h"

#include <hdf5.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/h5file.h"

#define FORMAT         "laser_mpi-windows"
#define FORMAT_VERSION 1

/* Records as they stand in memory. */
struct window_record {
    struct laser_window window;
    struct laser_window_nll nll;
};

struct dataset_record {
    char *name, *path;
    uint64_t hash;
    int64_t tokens, words, bytes;
};

struct field {
    const char *name;
    size_t offset;
    hid_t memory, file;
};

static hid_t text_type(void)
{
    hid_t type = H5Tcopy(H5T_C_S1);

    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

/* The compound types of a record, in memory and (packed, little-endian) in the file. */
static void record_types(const struct field *fields, int n, size_t size, hid_t *memory, hid_t *file)
{
    size_t at = 0;

    *memory = H5Tcreate(H5T_COMPOUND, size);
    for (int i = 0; i < n; ++i)
        at += H5Tget_size(fields[i].file);
    *file = H5Tcreate(H5T_COMPOUND, at);
    at = 0;
    for (int i = 0; i < n; ++i) {
        H5Tinsert(*memory, fields[i].name, fields[i].offset, fields[i].memory);
        H5Tinsert(*file, fields[i].name, at, fields[i].file);
        at += H5Tget_size(fields[i].file);
    }
}

static void window_types(hid_t *memory, hid_t *file)
{
    const struct field fields[] = {
        {"dataset", HOFFSET(struct window_record, window.dataset), H5T_NATIVE_INT32, H5T_STD_I32LE},
        {"first", HOFFSET(struct window_record, window.first), H5T_NATIVE_INT64, H5T_STD_I64LE},
        {"tokens", HOFFSET(struct window_record, window.n_tokens), H5T_NATIVE_INT32, H5T_STD_I32LE},
        {"first_scored", HOFFSET(struct window_record, window.first_scored), H5T_NATIVE_INT32, H5T_STD_I32LE},
        {"scored", HOFFSET(struct window_record, window.n_scored), H5T_NATIVE_INT32, H5T_STD_I32LE},
        {"prefix", HOFFSET(struct window_record, window.prefix), H5T_NATIVE_INT32, H5T_STD_I32LE},
        {"nll", HOFFSET(struct window_record, nll.sum_nats), H5T_NATIVE_DOUBLE, H5T_IEEE_F64LE},
        {"nll_squares", HOFFSET(struct window_record, nll.sum_squares_nats2), H5T_NATIVE_DOUBLE,
         H5T_IEEE_F64LE}};

    record_types(fields, sizeof fields / sizeof *fields, sizeof(struct window_record), memory, file);
}

static void dataset_types(hid_t *memory, hid_t *file)
{
    hid_t text = text_type();
    const struct field fields[] = {
        {"name", HOFFSET(struct dataset_record, name), text, text},
        {"path", HOFFSET(struct dataset_record, path), text, text},
        {"hash", HOFFSET(struct dataset_record, hash), H5T_NATIVE_UINT64, H5T_STD_U64LE},
        {"tokens", HOFFSET(struct dataset_record, tokens), H5T_NATIVE_INT64, H5T_STD_I64LE},
        {"words", HOFFSET(struct dataset_record, words), H5T_NATIVE_INT64, H5T_STD_I64LE},
        {"bytes", HOFFSET(struct dataset_record, bytes), H5T_NATIVE_INT64, H5T_STD_I64LE}};

    record_types(fields, sizeof fields / sizeof *fields, sizeof(struct dataset_record), memory, file);
    H5Tclose(text);
}

/* ---- writing ---- */

/* In the order of the texts, whatever order they were evaluated in. */
static int compare_records(const void *x, const void *y)
{
    const struct laser_window *a = &((const struct window_record *)x)->window;
    const struct laser_window *b = &((const struct window_record *)y)->window;

    if (a->dataset != b->dataset)
        return a->dataset < b->dataset ? -1 : 1;
    return a->first < b->first ? -1 : a->first > b->first;
}

static int put_text(hid_t file, const char *name, const char *text)
{
    hid_t type = text_type(), space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    herr_t status = attribute < 0 ? -1 : H5Awrite(attribute, type, &text);

    if (attribute >= 0)
        H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
    return status < 0;
}

static int put_version(hid_t file)
{
    int64_t version = FORMAT_VERSION;
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(file, "format_version", H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT);
    herr_t status = attribute < 0 ? -1 : H5Awrite(attribute, H5T_NATIVE_INT64, &version);

    if (attribute >= 0)
        H5Aclose(attribute);
    H5Sclose(space);
    return status < 0;
}

/* Closes the types. */
static int put_records(hid_t file, const char *name, hid_t memory, hid_t type, int64_t n, const void *records)
{
    hsize_t count = (hsize_t)n;
    hid_t space = H5Screate_simple(1, &count, NULL);
    hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    herr_t status = set < 0 ? -1 : H5Dwrite(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, records);

    if (set >= 0)
        H5Dclose(set);
    H5Sclose(space);
    H5Tclose(memory);
    H5Tclose(type);
    return status < 0;
}

static int write_all(hid_t file, const struct laser_windows_note *notes, int n_notes,
                     const struct dataset_record *datasets, int32_t n_datasets,
                     const struct window_record *windows, int64_t n_windows)
{
    hid_t memory, type;
    int bad = put_text(file, "format", FORMAT) | put_version(file);

    for (int i = 0; i < n_notes; ++i)
        bad |= put_text(file, notes[i].name, notes[i].text);
    dataset_types(&memory, &type);
    bad |= put_records(file, "datasets", memory, type, n_datasets, datasets);
    window_types(&memory, &type);
    return bad | put_records(file, "windows", memory, type, n_windows, windows);
}

int laser_windows_write(const char *path, const struct laser_windows_note *notes, int n_notes,
                        const struct laser_dataset *datasets, int32_t n_datasets,
                        const struct laser_window *windows, const struct laser_window_nll *nll,
                        int64_t n_windows, struct laser_error *err)
{
    struct dataset_record *sets = calloc((size_t)n_datasets + 1, sizeof *sets);
    struct window_record *records = calloc((size_t)n_windows + 1, sizeof *records);
    struct laser_output out;
    hid_t file;
    int bad = 1, code;

    laser_h5_begin();
    if (sets == NULL || records == NULL) {
        free(sets);
        free(records);
        return laser_error_set(err, LASER_ENOMEM, path, "no memory for %" PRId64 " windows", n_windows);
    }
    for (int32_t i = 0; i < n_datasets; ++i)
        sets[i] = (struct dataset_record){datasets[i].name,     datasets[i].path,    datasets[i].hash,
                                          datasets[i].n_tokens, datasets[i].n_words, datasets[i].n_bytes};
    for (int64_t i = 0; i < n_windows; ++i)
        records[i] = (struct window_record){windows[i], nll[i]};
    qsort(records, (size_t)n_windows, sizeof *records, compare_records);
    code = laser_output_begin(path, &out, err);
    file = code == LASER_OK ? laser_h5_create(&out) : -1;
    if (file >= 0) {
        bad = write_all(file, notes, n_notes, sets, n_datasets, records, n_windows);
        bad |= H5Fclose(file) < 0;
    }
    free(sets);
    free(records);
    if (code != LASER_OK)
        return code;
    if (!bad)
        return laser_output_commit(&out, err);
    code = laser_h5_write_failed(&out, "the windows", err);
    laser_output_abort(&out);
    return code;
}

/* ---- reading ---- */

/* Records of a data set in malloc'ed memory; NULL where it is missing, torn, or of another kind. */
static void *get_records(hid_t file, const char *name, hid_t memory, int64_t *n)
{
    void *records = NULL;
    hsize_t count = 0;
    hid_t set = H5Dopen2(file, name, H5P_DEFAULT), space;

    if (set < 0)
        return NULL;
    space = H5Dget_space(set);
    if (H5Sget_simple_extent_ndims(space) == 1 && H5Sget_simple_extent_dims(space, &count, NULL) == 1)
        records = calloc((size_t)count + 1, H5Tget_size(memory));
    if (records != NULL && H5Dread(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, records) < 0) {
        free(records);
        records = NULL;
    }
    H5Sclose(space);
    H5Dclose(set);
    *n = (int64_t)count;
    return records;
}

static bool read_datasets(hid_t file, struct laser_windows *w)
{
    hid_t memory, type;
    struct dataset_record *records;
    int64_t n = 0;

    dataset_types(&memory, &type);
    records = get_records(file, "datasets", memory, &n);
    w->datasets = records == NULL || n > INT32_MAX ? NULL : calloc((size_t)n + 1, sizeof *w->datasets);
    if (w->datasets != NULL) {
        w->n_datasets = (int32_t)n;
        for (int64_t i = 0; i < n; ++i) {
            /* HDF5's strings are freed by its own function: copies, so that laser_dataset_free can. */
            w->datasets[i].name = strdup(records[i].name != NULL ? records[i].name : "");
            w->datasets[i].path = strdup(records[i].path != NULL ? records[i].path : "");
            w->datasets[i].hash = records[i].hash;
            w->datasets[i].n_tokens = records[i].tokens;
            w->datasets[i].n_words = records[i].words;
            w->datasets[i].n_bytes = records[i].bytes;
        }
    }
    for (int64_t i = 0; records != NULL && i < n; ++i) {
        H5free_memory(records[i].name);
        H5free_memory(records[i].path);
    }
    free(records);
    H5Tclose(memory);
    H5Tclose(type);
    return w->datasets != NULL;
}

static bool read_windows(hid_t file, struct laser_windows *w)
{
    hid_t memory, type;
    struct window_record *records;
    int64_t n = 0;
    bool good;

    window_types(&memory, &type);
    records = get_records(file, "windows", memory, &n);
    w->windows = calloc((size_t)n + 1, sizeof *w->windows);
    w->nll = calloc((size_t)n + 1, sizeof *w->nll);
    good = records != NULL && n > 0 && w->windows != NULL && w->nll != NULL;
    for (int64_t i = 0; good && i < n; ++i) {
        w->windows[i] = records[i].window;
        w->nll[i] = records[i].nll;
        good = records[i].window.dataset >= 0 && records[i].window.dataset < w->n_datasets &&
               records[i].window.n_scored > 0;
    }
    w->n_windows = n;
    free(records);
    H5Tclose(memory);
    H5Tclose(type);
    return good;
}

int laser_windows_read(const char *path, struct laser_windows *w, struct laser_error *err)
{
    hid_t file;
    char *format;
    int code = LASER_OK;

    memset(w, 0, sizeof *w);
    if (access(path, R_OK) != 0)
        return laser_error_set(
            err, LASER_EINPUT, path,
            "there is no windows.h5 of an evaluation on texts; `laser_mpi perplexity` writes one");
    code = laser_h5_open(path, &file, err);
    if (code != LASER_OK)
        return code;
    format = laser_h5_text(file, "format");
    if (format == NULL || strcmp(format, FORMAT) != 0)
        code = laser_error_set(err, LASER_EINPUT, path, "its format is \"%s\", \"%s\" was expected",
                               format != NULL ? format : "", FORMAT);
    else if (!read_datasets(file, w) || !read_windows(file, w))
        code = laser_error_set(err, LASER_EINPUT, path, "its data sets or windows are missing or torn");
    w->model = laser_h5_text(file, "model");
    w->convention = laser_h5_text(file, "convention");
    w->precision = laser_h5_text(file, "precision");
    w->deck = laser_h5_text(file, "deck");
    w->content = laser_h5_text(file, "model_content_hash");
    w->libraries = laser_h5_text(file, "libraries");
    free(format);
    H5Fclose(file);
    if (code != LASER_OK)
        laser_windows_free(w);
    return code;
}

void laser_windows_free(struct laser_windows *w)
{
    for (int32_t i = 0; i < w->n_datasets; ++i)
        laser_dataset_free(&w->datasets[i]);
    free(w->datasets);
    free(w->windows);
    free(w->nll);
    free(w->model);
    free(w->convention);
    free(w->precision);
    free(w->deck);
    free(w->content);
    free(w->libraries);
    memset(w, 0, sizeof *w);
}

/* ---- are two the same ---- */

static int match_datasets(const char *name_a, const struct laser_windows *a, const char *name_b,
                          const struct laser_windows *b, struct laser_error *err)
{
    if (a->n_datasets != b->n_datasets)
        return laser_error_set(err, LASER_EINPUT, name_b, "%d data sets, %s has %d: they cannot be compared",
                               (int)b->n_datasets, name_a, (int)a->n_datasets);
    for (int32_t i = 0; i < a->n_datasets; ++i) {
        const struct laser_dataset *x = &a->datasets[i], *y = &b->datasets[i];
        if (strcmp(x->name, y->name) != 0)
            return laser_error_set(err, LASER_EINPUT, name_b,
                                   "data set %d is %s, in %s it is %s: the same texts in the same order are "
                                   "needed",
                                   (int)i + 1, y->name, name_a, x->name);
        if (x->hash != y->hash || x->n_tokens != y->n_tokens)
            return laser_error_set(err, LASER_EINPUT, name_b,
                                   "data set %s has other tokens (%" PRId64 " of %s) than in %s (%" PRId64
                                   " of %s): another text or another tokenizer",
                                   y->name, y->n_tokens, y->path, name_a, x->n_tokens, x->path);
    }
    return LASER_OK;
}

int laser_windows_match(const char *name_a, const struct laser_windows *a, const char *name_b,
                        const struct laser_windows *b, struct laser_error *err)
{
    int code;

    if (a->convention == NULL || b->convention == NULL || strcmp(a->convention, b->convention) != 0)
        return laser_error_set(err, LASER_EINPUT, name_b, "its windows are cut as %s does, those of %s as %s",
                               b->convention != NULL ? b->convention : "?", name_a,
                               a->convention != NULL ? a->convention : "?");
    code = match_datasets(name_a, a, name_b, b, err);
    if (code != LASER_OK)
        return code;
    if (a->n_windows != b->n_windows)
        return laser_error_set(err, LASER_EINPUT, name_b, "%" PRId64 " windows, %s has %" PRId64,
                               b->n_windows, name_a, a->n_windows);
    for (int64_t i = 0; i < a->n_windows; ++i) {
        const struct laser_window *x = &a->windows[i], *y = &b->windows[i];
        if (x->dataset != y->dataset || x->first != y->first || x->n_tokens != y->n_tokens ||
            x->first_scored != y->first_scored || x->n_scored != y->n_scored || x->prefix != y->prefix)
            return laser_error_set(err, LASER_EINPUT, name_b,
                                   "window %" PRId64 " has %d tokens from token %" PRId64
                                   " of data set %s, in %s %d from token %" PRId64 " of %s: other seqlen or "
                                   "stride",
                                   i, (int)y->n_tokens, y->first, b->datasets[y->dataset].name, name_a,
                                   (int)x->n_tokens, x->first, a->datasets[x->dataset].name);
    }
    return LASER_OK;
}
