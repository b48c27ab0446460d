/* What the end-to-end scripts need beside the program: checkpoints with known contents, and a look into the
 * JSON files that it writes.
 *
 *   e2e_tool checkpoint DIR NAME:ROWS:COLUMNS:FILL...   model.safetensors in float32
 *
 *       FILL: normal, zero, nan, inf, lowrank, tiny, huge, graded
 *
 *   e2e_tool many DIR COUNT ROWS COLUMNS                COUNT matrices of decoder layers, normal
 *   e2e_tool prefix FILE OUT PREFIX                     FILE with PREFIX before every tensor's name
 *
 *   e2e_tool plant DIR TENSOR DEVIATION [SEED]          normal noise added to a tensor of DIR/model.safetensors
 *
 *   e2e_tool noise FILE FACTOR SEED NAME...
 *
 *       normal noise of FACTOR standard deviations of a matrix on each of these matrices of a safetensors file
 *
 *   e2e_tool compare A B TOLERANCE                      two results.json: the same matrices and decisions
 *   e2e_tool canonical FILE                             its JSON with neither times nor numbers of ranks
 *   e2e_tool decisions SPECTRA RESULTS                  group /decisions of a spectra.h5 is what results.json has
 *   e2e_tool sensitivity FILE GOLDEN PREDICTIONS TOLERANCE
 *
 *       a sensitivity.h5 has the values of tools/golden/make_sensitivity.py; PREDICTIONS: block, diagonal
 *
 *   e2e_tool harness GOLDEN QUESTIONS TOLERANCE
 *
 *       questions.jsonl has the log probabilities and decisions of tools/golden/make_harness.py
 *
 *   e2e_tool get FILE KEY...                            the value at a path of keys and indices
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hdf5.h>
#include <jansson.h>

#include "base/file.h"
#include "checkpoint/safetensors.h"

static int fail(const char *where, const char *text)
{
    fprintf(stderr, "e2e_tool: %s: %s\n", where, text);
    return 1;
}

/* ---- checkpoints ---- */

static uint64_t seed = 88172645463325252u;

/* Marsaglia's xorshift, 53 bits. */
static double uniform(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return ((double)(seed >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(void)
{
    return sqrt(-2 * log(uniform())) * cos(6.283185307179586 * uniform());
}

static void fill(float *x, int64_t rows, int64_t columns, const char *how)
{
    double scale = strcmp(how, "tiny") == 0 ? 1e-30 : strcmp(how, "huge") == 0 ? 1e30 : 1;
    int64_t n = rows * columns;

    for (int64_t i = 0; i < n; ++i)
        x[i] = strcmp(how, "zero") == 0 ? 0 : (float)(scale * normal());
    for (int64_t i = 0; i < rows && strcmp(how, "graded") == 0; ++i)
        for (int64_t j = 0; j < columns; ++j)
            x[i * columns + j] *= (float)pow(10, -12.0 * (double)i / (double)rows);
    for (int64_t i = 2; i < rows && strcmp(how, "lowrank") == 0; ++i)
        memcpy(x + i * columns, x + (i % 2) * columns, (size_t)columns * sizeof *x);
    if (strcmp(how, "nan") == 0)
        x[n / 2] = NAN;
    if (strcmp(how, "inf") == 0)
        x[n - 1] = -INFINITY;
}

static int add_item(struct laser_safetensors_item *item, const char *name, int64_t rows, int64_t columns,
                    const char *how)
{
    float *x = malloc((size_t)(rows * columns) * sizeof *x);

    if (x == NULL)
        return fail(name, "no memory");
    fill(x, rows, columns, how);
    *item = (struct laser_safetensors_item){
        .name = name, .dtype = LASER_F32, .n_dims = 2, .shape = {rows, columns}, .data = x};
    return 0;
}

static int write_items(const char *dir, struct laser_safetensors_item *items, int n)
{
    struct laser_error err = {0};
    char path[4096];

    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    if (laser_safetensors_write(path, items, n, &err) != LASER_OK)
        return fail(err.where, err.text);
    for (int i = 0; i < n; ++i)
        free((void *)(uintptr_t)items[i].data);
    free(items);
    return 0;
}

static int make_checkpoint(const char *dir, char **specs, int n)
{
    struct laser_safetensors_item *items = calloc((size_t)n + 1, sizeof *items);

    if (items == NULL)
        return fail(dir, "no memory");
    for (int i = 0; i < n; ++i) {
        char *name = strtok(specs[i], ":"), *rows = strtok(NULL, ":"), *columns = strtok(NULL, ":");
        char *how = strtok(NULL, ":");
        if (how == NULL)
            return fail(specs[i], "NAME:ROWS:COLUMNS:FILL was expected");
        if (add_item(&items[i], name, atoll(rows), atoll(columns), how))
            return 1;
    }
    return write_items(dir, items, n);
}

static int make_many(const char *dir, int n, int64_t rows, int64_t columns)
{
    struct laser_safetensors_item *items = calloc((size_t)n + 1, sizeof *items);
    char(*names)[64] = calloc((size_t)n + 1, sizeof *names);
    int bad;

    if (items == NULL || names == NULL)
        return fail(dir, "no memory");
    for (int i = 0; i < n; ++i) {
        snprintf(names[i], sizeof names[i], "model.layers.%d.mlp.w%d_proj.weight", i / 7, i % 7);
        if (add_item(&items[i], names[i], rows, columns, "normal"))
            return 1;
    }
    bad = write_items(dir, items, n);
    free(names);
    return bad;
}

/* Gaussian noise of a standard deviation, added to one tensor of DIR/model.safetensors. */
static int plant(const char *dir, const char *tensor, double deviation)
{
    struct laser_safetensors_header header;
    struct laser_error err = {0};
    char path[4096];
    FILE *file;
    int bad = 1;

    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    if (laser_safetensors_read_header(path, &header, NULL, NULL, &err) != LASER_OK)
        return fail(err.where, err.text);
    file = fopen(path, "r+b");
    for (int64_t t = 0; file != NULL && t < header.n_tensors; ++t) {
        const struct laser_tensor *here = &header.tensors[t];
        size_t bytes = (size_t)here->size_bytes, n = bytes / laser_dtype_size(here->dtype);
        double *x = malloc(n * sizeof *x);
        void *data = malloc(bytes);
        if (strcmp(here->name, tensor) == 0 && x != NULL && data != NULL &&
            fseek(file, (long)here->offset, SEEK_SET) == 0 && fread(data, 1, bytes, file) == bytes) {
            laser_dtype_to_f64(here->dtype, data, (int64_t)n, x);
            for (size_t i = 0; i < n; ++i)
                x[i] += deviation * normal();
            laser_dtype_from_f64(here->dtype, x, (int64_t)n, data);
            bad = fseek(file, (long)here->offset, SEEK_SET) != 0 || fwrite(data, 1, bytes, file) != bytes;
        }
        free(x);
        free(data);
    }
    laser_safetensors_header_free(&header);
    if (file != NULL && fclose(file) != 0)
        bad = 1;
    return bad ? fail(path, "no such tensor, or the file cannot be changed") : 0;
}

/* Noise of `factor` standard deviations of each matrix. */
static int noise_one(FILE *file, const struct laser_tensor *t, double factor)
{
    int64_t n = t->size_bytes / (int64_t)laser_dtype_size(t->dtype);
    void *bytes = malloc((size_t)t->size_bytes);
    double *x = malloc((size_t)n * sizeof *x), mean = 0, squares = 0, deviation;
    int bad = bytes == NULL || x == NULL || fseek(file, (long)t->offset, SEEK_SET) != 0 ||
              fread(bytes, 1, (size_t)t->size_bytes, file) != (size_t)t->size_bytes;

    if (!bad) {
        laser_dtype_to_f64(t->dtype, bytes, n, x);
        for (int64_t i = 0; i < n; ++i)
            mean += x[i] / (double)n;
        for (int64_t i = 0; i < n; ++i)
            squares += (x[i] - mean) * (x[i] - mean);
        deviation = factor * sqrt(squares / (double)n);
        for (int64_t i = 0; i < n; ++i)
            x[i] += deviation * normal();
        laser_dtype_from_f64(t->dtype, x, n, bytes);
        bad = fseek(file, (long)t->offset, SEEK_SET) != 0 ||
              fwrite(bytes, 1, (size_t)t->size_bytes, file) != (size_t)t->size_bytes;
    }
    free(bytes);
    free(x);
    return bad ? fail(t->name, "cannot be changed") : 0;
}

static int noise(const char *path, double factor, uint64_t number, char **names, int n)
{
    struct laser_safetensors_header header;
    struct laser_error err = {0};
    FILE *file = fopen(path, "r+b");
    int bad = 0;

    if (file == NULL || laser_safetensors_read_header(path, &header, NULL, NULL, &err) != LASER_OK)
        return fail(path, "cannot be opened");
    seed += number * 0x9e3779b97f4a7c15u;
    for (int i = 0; !bad && i < n; ++i) {
        int64_t t = 0;
        while (t < header.n_tensors && strcmp(header.tensors[t].name, names[i]) != 0)
            ++t;
        bad = t < header.n_tensors ? noise_one(file, &header.tensors[t], factor)
                                   : fail(names[i], "no such matrix");
    }
    laser_safetensors_header_free(&header);
    return fclose(file) != 0 || bad;
}

/* ---- results ---- */

static json_t *load(const char *path)
{
    json_error_t error;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);

    if (root == NULL)
        fprintf(stderr, "e2e_tool: %s:%d: %s\n", path, error.line, error.text);
    return root;
}

static int is_time(const char *key)
{
    return strstr(key, "second") != NULL || strcmp(key, "ranks") == 0 || strcmp(key, "phases") == 0;
}

static void forget_times(json_t *value)
{
    const char *key;
    json_t *inner;
    void *next;
    size_t i;

    json_object_foreach_safe(value, next, key, inner)
    {
        if (is_time(key))
            json_object_del(value, key);
        else
            forget_times(inner);
    }
    json_array_foreach(value, i, inner) forget_times(inner);
}

static int canonical(const char *path)
{
    json_t *root = load(path);

    if (root == NULL)
        return 1;
    forget_times(root);
    json_dumpf(root, stdout, JSON_INDENT(1) | JSON_SORT_KEYS);
    fputc('\n', stdout);
    json_decref(root);
    return 0;
}

/* Fields whose numbers follow from values near the rounding of the arithmetic, or choose between branches. */
static int is_loose(const char *key)
{
    return strcmp(key, "s_min") == 0 || strcmp(key, "solver") == 0 || strcmp(key, "model") == 0;
}

static int differ(const char *where, json_t *a, json_t *b, double tolerance)
{
    const char *key;
    json_t *inner;
    size_t i;
    int bad = 0;

    if (json_is_real(a) && json_is_real(b)) {
        double x = json_real_value(a), y = json_real_value(b);
        if (fabs(x - y) <= tolerance * fmax(fabs(x), fabs(y)) || fabs(x - y) <= 1e-2 * tolerance)
            return 0;
        fprintf(stderr, "%s: %.17g and %.17g\n", where, x, y);
        return 1;
    }
    if (json_typeof(a) != json_typeof(b) || json_object_size(a) != json_object_size(b) ||
        json_array_size(a) != json_array_size(b))
        return fail(where, "of another kind or size");
    if (json_is_object(a)) {
        json_object_foreach(a, key, inner)
        {
            char place[512];
            snprintf(place, sizeof place, "%.400s.%.100s", where, key);
            if (!is_time(key) && !is_loose(key))
                bad |= json_object_get(b, key) == NULL
                           ? fail(place, "missing")
                           : differ(place, inner, json_object_get(b, key), tolerance);
        }
        return bad;
    }
    json_array_foreach(a, i, inner)
    {
        char place[512];
        snprintf(place, sizeof place, "%.400s[%zu]", where, i);
        bad |= differ(place, inner, json_array_get(b, i), tolerance);
    }
    if (!json_is_array(a) && !json_equal(a, b))
        return fail(where, "another value");
    return bad;
}

static int compare(const char *path_a, const char *path_b, double tolerance)
{
    json_t *a = load(path_a), *b = a != NULL ? load(path_b) : NULL;
    int bad = b == NULL || differ("", a, b, tolerance);

    json_decref(a);
    json_decref(b);
    return bad;
}

static int get(const char *path, char **keys, int n)
{
    json_t *root = load(path), *value = root;

    if (root == NULL)
        return 1;
    for (int i = 0; i < n && value != NULL; ++i)
        value = json_is_array(value) ? json_array_get(value, (size_t)atoi(keys[i]))
                                     : json_object_get(value, keys[i]);
    if (value == NULL)
        return fail(path, "there is no such value");
    if (json_is_string(value))
        puts(json_string_value(value));
    else if (json_is_array(value))
        printf("%zu\n", json_array_size(value));
    else {
        json_dumpf(value, stdout, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
        fputc('\n', stdout);
    }
    json_decref(root);
    return 0;
}

/* A column of /decisions, n values; texts are the library's to free. */
static void *column(hid_t file, const char *name, hid_t type, size_t n, size_t size)
{
    char path[64];
    hid_t set, space;
    void *values = NULL;

    snprintf(path, sizeof path, "/decisions/%s", name);
    set = H5Dopen2(file, path, H5P_DEFAULT);
    space = set < 0 ? -1 : H5Dget_space(set);
    if (space >= 0 && H5Sget_simple_extent_npoints(space) == (hssize_t)n)
        values = calloc(n + 1, size);
    if (values != NULL && H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0) {
        free(values);
        values = NULL;
    }
    if (space >= 0)
        H5Sclose(space);
    if (set >= 0)
        H5Dclose(set);
    return values;
}

static int same_texts(hid_t file, const char *name, json_t *list)
{
    hid_t text = H5Tcopy(H5T_C_S1);
    size_t n = json_array_size(list);
    char **values;
    int bad = 0;

    H5Tset_size(text, H5T_VARIABLE);
    H5Tset_cset(text, H5T_CSET_UTF8);
    values = column(file, name, text, n, sizeof *values);
    for (size_t i = 0; values != NULL && i < n; ++i) {
        const char *wanted = json_string_value(json_object_get(json_array_get(list, i), name));
        if (values[i] == NULL || wanted == NULL || strcmp(values[i], wanted) != 0)
            bad = fail(name, "another text");
        H5free_memory(values[i]);
    }
    H5Tclose(text);
    free(values);
    return values == NULL ? fail(name, "not a column of /decisions as long as the list") : bad;
}

/* Numbers that are not finite are null in JSON. */
static int same_numbers(hid_t file, const char *name, json_t *list)
{
    size_t n = json_array_size(list);
    double *values = column(file, name, H5T_NATIVE_DOUBLE, n, sizeof *values);
    int bad = values == NULL ? fail(name, "not a column of /decisions as long as the list") : 0;

    for (size_t i = 0; !bad && i < n; ++i) {
        json_t *wanted = json_object_get(json_array_get(list, i), name);
        double number = json_is_boolean(wanted) ? json_is_true(wanted) : json_number_value(wanted);
        if (wanted == NULL || (json_is_null(wanted) ? isfinite(values[i]) : values[i] != number))
            bad = fail(name, "another number");
    }
    free(values);
    return bad;
}

static int decisions(const char *spectra, const char *results)
{
    static const char *const texts[] = {"tensor", "edit", "reason"};
    static const char *const numbers[] = {
        "rank", "of", "kept", "windows", "nll", "difference", "difference_stderr", "seconds"};
    json_t *root = load(results), *list = json_object_get(root, "decisions");
    hid_t file = H5Fopen(spectra, H5F_ACC_RDONLY, H5P_DEFAULT);
    int bad = file < 0 || json_array_size(list) == 0 ? fail(spectra, "no file, or no decisions") : 0;

    for (int i = 0; !bad && i < 3; ++i)
        bad = same_texts(file, texts[i], list);
    for (int i = 0; !bad && i < 8; ++i)
        bad = same_numbers(file, numbers[i], list);
    if (file >= 0)
        H5Fclose(file);
    json_decref(root);
    return bad;
}

/* ---- sensitivity.h5 ---- */

/* Numbers that a list has, each within tolerance times the largest; says how far the worst is off. */
static int near_list(const char *name, const double *values, json_t *list, double tolerance)
{
    double worst = 0, largest = 0;
    json_t *wanted;
    size_t i;

    json_array_foreach(list, i, wanted)
    {
        double error = fabs(values[i] - json_number_value(wanted));

        if (!(error <= worst) && !isnan(worst)) /* once a NaN, always a NaN */
            worst = error;
        largest = fmax(largest, fabs(json_number_value(wanted)));
    }
    printf("%s: off by %.2g of %.6g\n", name, worst, largest);
    return largest > 0 && worst <= tolerance * largest ? 0 : fail(name, "other numbers");
}

static int near_values(hid_t file, const char *matrix, const char *name, json_t *list, double tolerance)
{
    size_t n = json_array_size(list);
    double *values = calloc(n + 1, sizeof *values);
    char path[512];
    hid_t set, space;
    int bad;

    snprintf(path, sizeof path, "/matrices/%.300s/%.100s", matrix, name);
    set = H5Dopen2(file, path, H5P_DEFAULT);
    space = set < 0 ? -1 : H5Dget_space(set);
    bad = n == 0 || values == NULL || space < 0 || H5Sget_simple_extent_npoints(space) != (hssize_t)n ||
          H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0;
    bad = bad ? fail(path, "not a data set as long as the list") : near_list(path, values, list, tolerance);
    if (space >= 0)
        H5Sclose(space);
    if (set >= 0)
        H5Dclose(set);
    free(values);
    return bad;
}

/* Cuts are predicted within tolerance times the number itself. */
static int near_cut(hid_t file, const char *matrix, double wanted, double tolerance)
{
    char path[512];
    double cut = NAN;
    hid_t attribute;
    int bad;

    snprintf(path, sizeof path, "/matrices/%.300s", matrix);
    attribute = H5Aopen_by_name(file, path, "cut_predicted", H5P_DEFAULT, H5P_DEFAULT);
    bad = attribute < 0 || H5Aread(attribute, H5T_NATIVE_DOUBLE, &cut) < 0;
    if (attribute >= 0)
        H5Aclose(attribute);
    printf("%s: cut %.9g, %.9g wanted\n", matrix, cut, wanted);
    return !bad && fabs(cut - wanted) <= tolerance * fabs(wanted) ? 0 : fail(path, "another cut_predicted");
}

static int sensitivity(const char *path, const char *golden, const char *predictions, double tolerance)
{
    json_t *root = load(golden), *matrices = json_object_get(root, "matrices"), *matrix, *list, *cut;
    json_t *cuts = json_object_get(json_object_get(root, "cut"), predictions);
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    const char *name, *kind;
    int bad = 0;

    if (file < 0 || json_object_size(matrices) == 0 || json_object_size(cuts) == 0) {
        bad = fail(path, "no file, or no golden values");
        matrices = cuts = NULL;
    }
    json_object_foreach(matrices, name, matrix)
    {
        json_object_foreach(matrix, kind, list) bad |= near_values(file, name, kind, list, tolerance);
    }
    json_object_foreach(cuts, name, cut) bad |= near_cut(file, name, json_number_value(cut), tolerance);
    if (file >= 0)
        H5Fclose(file);
    json_decref(root);
    return bad;
}

/* ---- names ---- */

/* OUT: every tensor of a safetensors file, its name behind a prefix. */
static int prefix_names(const char *file, const char *out, const char *prefix)
{
    struct laser_safetensors_header header;
    struct laser_error err = {0};
    struct laser_safetensors_item *items;
    char(*names)[512], *data = NULL;
    size_t size;
    int code = laser_file_read(file, (size_t)1 << 32, &data, &size, &err);

    if (code != LASER_OK ||
        laser_safetensors_parse(file, data, (int64_t)size, (int64_t)size, &header, &err) != LASER_OK)
        return fail(file, err.text);
    items = calloc((size_t)header.n_tensors, sizeof *items);
    names = calloc((size_t)header.n_tensors, sizeof *names);
    for (int64_t i = 0; items != NULL && names != NULL && i < header.n_tensors; ++i) {
        const struct laser_tensor *t = &header.tensors[i];
        snprintf(names[i], sizeof names[i], "%s%s", prefix, t->name);
        items[i] = (struct laser_safetensors_item){
            .name = names[i], .dtype = t->dtype, .n_dims = t->n_dims, .data = data + t->offset};
        memcpy(items[i].shape, t->shape, sizeof items[i].shape);
    }
    code = laser_safetensors_write(out, items, (int)header.n_tensors, &err);
    free(items);
    free(names);
    free(data);
    laser_safetensors_header_free(&header);
    return code == LASER_OK ? 0 : fail(out, err.text);
}

/* ---- lm-evaluation-harness ---- */

static int same_metric(const json_t *expected, const char *theirs, const json_t *found, const char *ours)
{
    const json_t *value = json_object_get(json_object_get(expected, "metrics"), theirs);
    double other = json_number_value(json_object_get(json_object_get(found, "metrics"), ours));

    return value == NULL || fabs(json_number_value(value) - other) < 0.5;
}

static int harness_question(const json_t *expected, const json_t *found, double tolerance)
{
    const json_t *list = json_object_get(expected, "log_probabilities"),
                 *own = json_object_get(found, "log_probabilities"), *value;
    size_t i;

    if (json_array_size(list) != json_array_size(own))
        return 0;
    json_array_foreach((json_t *)(uintptr_t)list, i, value)
    {
        double a = json_number_value(value), b = json_number_value(json_array_get(own, i));
        if (!(fabs(a - b) <= tolerance * fmax(1, fabs(a))))
            return 0;
    }
    return same_metric(expected, "acc", found, "accuracy") &&
           same_metric(expected, "acc_norm", found, "accuracy_per_character");
}

/* Questions stand in the order of the tasks and their items. */
static int harness(const char *golden, const char *path, double tolerance)
{
    json_t *expected = json_load_file(golden, 0, NULL), *found;
    FILE *f = fopen(path, "r");
    char line[65536], task[256] = "";
    size_t at = 0, n = 0;

    if (expected == NULL || f == NULL)
        return fail(expected == NULL ? golden : path, "cannot be read");
    for (; fgets(line, sizeof line, f) != NULL; json_decref(found), ++n) {
        const char *name;
        const json_t *items;
        found = json_loads(line, 0, NULL);
        name = json_string_value(json_object_get(found, "task"));
        if (name == NULL)
            return fail(path, "a line that is no question");
        at = strcmp(name, task) == 0 ? at + 1 : 0;
        snprintf(task, sizeof task, "%.255s", name);
        items = json_object_get(json_object_get(expected, name), "items");
        if (!harness_question(json_array_get(items, at), found, tolerance)) {
            char *text = json_dumps(json_array_get(items, at), 0);
            fprintf(stderr, "question %zu of %s\nfound    %sexpected %s\n", at, name, line, text);
            return 1;
        }
    }
    fclose(f);
    json_decref(expected);
    return n > 0 ? 0 : fail(path, "no question");
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    if (strcmp(what, "checkpoint") == 0 && argc > 3)
        return make_checkpoint(argv[2], argv + 3, argc - 3);
    if (strcmp(what, "many") == 0 && argc == 6)
        return make_many(argv[2], atoi(argv[3]), atoll(argv[4]), atoll(argv[5]));
    if (strcmp(what, "prefix") == 0 && argc == 5)
        return prefix_names(argv[2], argv[3], argv[4]);
    if (strcmp(what, "plant") == 0 && (argc == 5 || argc == 6)) {
        if (argc == 6)
            seed ^= (uint64_t)atoll(argv[5]) * UINT64_C(0x9e3779b97f4a7c15);
        return plant(argv[2], argv[3], atof(argv[4]));
    }
    if (strcmp(what, "noise") == 0 && argc > 5)
        return noise(argv[2], atof(argv[3]), (uint64_t)atoll(argv[4]), argv + 5, argc - 5);
    if (strcmp(what, "compare") == 0 && argc == 5)
        return compare(argv[2], argv[3], atof(argv[4]));
    if (strcmp(what, "canonical") == 0 && argc == 3)
        return canonical(argv[2]);
    if (strcmp(what, "decisions") == 0 && argc == 4)
        return decisions(argv[2], argv[3]);
    if (strcmp(what, "sensitivity") == 0 && argc == 6)
        return sensitivity(argv[2], argv[3], argv[4], atof(argv[5]));
    if (strcmp(what, "harness") == 0 && argc == 5)
        return harness(argv[2], argv[3], atof(argv[4]));
    if (strcmp(what, "get") == 0 && argc > 3)
        return get(argv[2], argv + 3, argc - 3);
    return fail(
        "usage",
        "checkpoint | many | prefix | plant | noise | compare | canonical | decisions | sensitivity | harness | get");
}
