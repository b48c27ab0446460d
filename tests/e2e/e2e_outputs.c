/* Whole outputs of the program as lines of text, and two such lists compared.
 *
 *   e2e_outputs list DIR [MODEL] [TEXT=NAME...]   every fact of the files in DIR, a line each: FILE, KEY and
 * VALUE with tabs between them
 *
 *       JSON: every leaf; HDF5: every attribute and data set; safetensors: every tensor, whether its bytes
 * are those of MODEL/model.safetensors, else their hash and some of its values; report.html: the data of the
 * page; YAML, CSV, SVG and other text: every line; other files: size and hash.  The ledger counts its lines
 * by kind and names their keys.  What differs from run to run or between machines (times, rates, versions,
 * ranks) is there as ~.  Where TEXT occurs in a value, NAME stands instead.
 *
 *   e2e_outputs match GOLDEN LIST                 the same facts?  What was added, is gone or has changed is
 * named.
 *
 *       With LASER_GOLDEN_EXACT in the environment to the last digit; otherwise real numbers may differ as
 * those of another BLAS or other kernels do: values of a scan by 1e-7 of themselves or 1e-9 of the largest
 * beside them, what comes from a forward pass by 1e-4 or 3e-5, a ratio of two such differences by 1e-2, a
 * coordinate of a drawing by 0.05; of the bytes of an edited tensor only its values count.  Names, ranks,
 * decisions, counts, and every byte that no arithmetic made are the same.
 */
#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <hdf5.h>
#include <jansson.h>
#include <xxhash.h>

#include "base/file.h"
#include "base/json_text.h"
#include "base/number.h"
#include "base/text.h"
#include "checkpoint/safetensors.h"

enum { PATH_BYTES = 4096, SAMPLES = 16, MOST_SAID = 25 };

/* ---- listing ---- */

static const char *shown;  /* the file at hand, as the list names it */
static char **replacement; /* TEXT=NAME */
static int n_replacements;
static const char *model; /* its directory, or NULL */
static int failures;

static void fail(const char *where, const char *text)
{
    fprintf(stderr, "e2e_outputs: %s: %s\n", where, text);
    ++failures;
}

/* Is it of this run or this machine only? */
static bool is_masked(const char *key)
{
    static const char *const words[] = {"phases",    "ranks",   "version", "laser_mpi_version",
                                        "libraries", "kernels", "layout",  "threads"};
    const char *dot = strrchr(key, '.'), *at = strrchr(key, '@'), *slash = strrchr(key, '/');
    const char *name = key;

    name = dot != NULL && dot + 1 > name ? dot + 1 : name;
    name = at != NULL && at + 1 > name ? at + 1 : name;
    name = slash != NULL && slash + 1 > name ? slash + 1 : name;
    for (size_t i = 0; i < sizeof words / sizeof *words; ++i)
        if (strcmp(name, words[i]) == 0)
            return true;
    /* A page's map of times; and its spectra, which are deflated: their bytes are those of one version of zlib, and their
     * numbers stand in spectra.h5. */
    return strstr(name, "second") != NULL || strstr(key, ".seconds/") != NULL ||
           strncmp(key, "spectra.", 8) == 0;
}

static void put(const char *key, const char *value)
{
    const char *mask = is_masked(key) ? "~" : value;
    /* A printed deck has its comments in a column, which moves with the length of paths. */
    bool is_deck = strstr(mask, "# command line") != NULL;

    printf("%s\t%s\t", shown, key);
    while (*mask != '\0') {
        int i = 0;
        size_t n = 0;
        for (; i < n_replacements; ++i) {
            n = strcspn(replacement[i], "=");
            if (n > 0 && strncmp(mask, replacement[i], n) == 0)
                break;
        }
        if (i < n_replacements) {
            fputs(replacement[i] + n + 1, stdout);
            mask += n;
        } else {
            if (!is_deck || mask[0] != ' ' || mask[1] != ' ')
                putchar(*mask);
            ++mask;
        }
    }
    putchar('\n');
}

static void put_text(const char *key, const char *text)
{
    struct laser_text quoted = {0};

    laser_json_quote(&quoted, text, 1);
    put(key, quoted.data);
    laser_text_free(&quoted);
}

static void add_real(struct laser_text *out, double x)
{
    char number[LASER_NUMBER_SIZE];

    laser_text_printf(out, "%s%s", out->size > 0 ? " " : "", laser_number_shortest(x, number));
}

/* ---- JSON ---- */

static bool is_numbers(const json_t *list)
{
    size_t i;
    json_t *item;

    json_array_foreach((json_t *)(uintptr_t)list, i, item) if (!json_is_number(item)) return false;
    return json_array_size(list) > 0;
}

static void put_json(const char *key, json_t *value)
{
    struct laser_text text = {0};
    const char *name;
    json_t *inner;
    size_t i;

    /* A pair of the page: what it is called, and what it is. */
    const char *label = json_array_size(value) == 2 ? json_string_value(json_array_get(value, 0)) : NULL;

    if (label != NULL && (strncmp(label, "libraries", 9) == 0 || strncmp(label, "kernels", 7) == 0 ||
                          strcmp(label, "program") == 0)) {
        json_array_set_new(value, 1, json_string("~"));
    }
    if (is_masked(key)) {
        put(key, "~");
    } else if (json_is_object(value) && json_object_size(value) > 0) {
        json_object_foreach(value, name, inner)
        {
            char place[1024];
            snprintf(place, sizeof place, "%.500s%s%.500s", key, *key != '\0' ? "." : "", name);
            put_json(place, inner);
        }
    } else if (json_is_array(value) && is_numbers(value)) {
        json_array_foreach(value, i, inner)
        {
            if (json_is_real(inner))
                add_real(&text, json_real_value(inner));
            else
                laser_text_printf(&text, "%s%" JSON_INTEGER_FORMAT, text.size > 0 ? " " : "",
                                  json_integer_value(inner));
        }
        put(key, text.data);
    } else if (json_is_array(value) && json_array_size(value) > 0) {
        json_array_foreach(value, i, inner)
        {
            char place[1024];
            snprintf(place, sizeof place, "%.1000s[%zu]", key, i);
            put_json(place, inner);
        }
    } else {
        laser_json_render(&text, value, 0);
        put(key, text.data);
    }
    laser_text_free(&text);
}

static void list_json(const char *text, size_t size, const char *key)
{
    json_error_t error;
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);

    if (root == NULL)
        fail(shown, error.text);
    else
        put_json(key, root);
    json_decref(root);
}

static void list_json_lines(const char *text, size_t size)
{
    char key[32];
    int line = 0;

    for (const char *at = text, *end; at < text + size; at = end + 1) {
        end = memchr(at, '\n', (size_t)(text + size - at));
        end = end != NULL ? end : text + size;
        snprintf(key, sizeof key, "[%d]", line++);
        list_json(at, (size_t)(end - at), key);
    }
}

/* The page around its data is code, which tests/e2e/e2e_report.sh looks at in a browser. */
static void list_page(const char *text, const char *key)
{
    static const char begin[] = "<script type=\"application/json\" id=\"data\">";
    const char *data = strstr(text, begin), *end;

    if (data == NULL || (end = strstr(data, "</script>")) == NULL) {
        fail(shown, "there are no data in the page");
        return;
    }
    data += sizeof begin - 1;
    list_json(data, (size_t)(end - data), key);
}

/* ---- text ---- */

static void list_lines(char *text)
{
    char key[32];
    int line = 0;

    for (char *at = text, *end; *at != '\0'; at = end) {
        end = strchr(at, '\n');
        if (end != NULL)
            *end++ = '\0';
        else
            end = at + strlen(at);
        snprintf(key, sizeof key, ":%06d", ++line);
        put_text(key, at);
    }
}

static void list_bytes(const char *key, const void *bytes, size_t size)
{
    char value[64];

    snprintf(value, sizeof value, "%zu bytes, hash %016" PRIx64, size, (uint64_t)XXH3_64bits(bytes, size));
    put_text(key, value);
}

/* Kinds of lines, how many, and the keys of the first of each. */
static void list_ledger(char *text)
{
    enum { KINDS = 32 };
    struct {
        char kind[64];
        struct laser_text keys;
        int count;
    } seen[KINDS] = {{{0}, {0}, 0}};
    char key[128], number[32], *line_end;

    for (char *line = strtok_r(text, "\n", &line_end); line != NULL; line = strtok_r(NULL, "\n", &line_end)) {
        char *rest, *kind = strtok_r(line, " ", &rest);
        int k = 0;
        while (k < KINDS - 1 && seen[k].count > 0 && strcmp(seen[k].kind, kind) != 0)
            ++k;
        snprintf(seen[k].kind, sizeof seen[k].kind, "%s", kind);
        for (char *field = strtok_r(NULL, " ", &rest); field != NULL && seen[k].count == 0;
             field = strtok_r(NULL, " ", &rest))
            if (*field != '*')
                laser_text_printf(&seen[k].keys, "%s%.*s", seen[k].keys.size > 0 ? " " : "",
                                  (int)strcspn(field, "="), field);
        ++seen[k].count;
    }
    for (int k = 0; k < KINDS && seen[k].count > 0; ++k) {
        snprintf(key, sizeof key, "%s keys", seen[k].kind);
        put_text(key, seen[k].keys.data != NULL ? seen[k].keys.data : "");
        snprintf(key, sizeof key, "%s lines", seen[k].kind);
        snprintf(number, sizeof number, "%d", seen[k].count);
        put(key, number);
        laser_text_free(&seen[k].keys);
    }
}

/* ---- safetensors ---- */

/* Bytes of a tensor of a file, NULL if it is not there. */
static void *tensor_bytes(const char *path, const char *name, size_t *size)
{
    struct laser_safetensors_header header;
    struct laser_error err = {0};
    FILE *file = fopen(path, "rb");
    void *bytes = NULL;

    *size = 0;
    if (file == NULL)
        return NULL;
    if (laser_safetensors_read_header(path, &header, NULL, NULL, &err) == LASER_OK) {
        for (int64_t i = 0; i < header.n_tensors; ++i) {
            const struct laser_tensor *t = &header.tensors[i];
            if (strcmp(t->name, name) != 0)
                continue;
            *size = (size_t)t->size_bytes;
            bytes = malloc(*size + 1);
            if (fseek(file, (long)t->offset, SEEK_SET) != 0 || fread(bytes, 1, *size, file) != *size)
                fail(path, "cannot be read");
        }
        laser_safetensors_header_free(&header);
    }
    fclose(file);
    return bytes;
}

/* The norm of a tensor and some of its values.  Of factors the norm alone: the signs of singular vectors are
 * up to LAPACK. */
static void put_values(const struct laser_tensor *t, const void *bytes)
{
    int64_t n = t->size_bytes / (int64_t)laser_dtype_size(t->dtype);
    double *x = malloc((size_t)(n + 1) * sizeof *x), squares = 0;
    bool is_factor = strstr(t->name, "lora_") != NULL || strstr(t->name, "Linear") != NULL ||
                     strstr(shown, "factor") != NULL;
    struct laser_text text = {0};
    char key[512];

    laser_dtype_to_f64(t->dtype, bytes, n, x);
    for (int64_t i = 0; i < n; ++i)
        squares += x[i] * x[i];
    add_real(&text, sqrt(squares));
    for (int i = 0; !is_factor && n > 0 && i < SAMPLES; ++i)
        add_real(&text, x[(int64_t)i * 7919 % n]);
    snprintf(key, sizeof key, "%.480s@values", t->name);
    put(key, text.data);
    laser_text_free(&text);
    free(x);
}

static void list_tensor(const char *path, const struct laser_tensor *t)
{
    struct laser_text text = {0};
    char key[512], original[PATH_BYTES + 32];
    size_t n, m = 0;
    void *bytes = tensor_bytes(path, t->name, &n), *theirs = NULL;

    laser_text_printf(&text, "%s [", laser_dtype_name(t->dtype));
    for (int d = 0; d < t->n_dims; ++d)
        laser_text_printf(&text, "%s%" PRId64, d > 0 ? ", " : "", t->shape[d]);
    laser_text_printf(&text, "] at %" PRId64, t->offset);
    put_text(t->name, text.data);
    laser_text_free(&text);
    if (model != NULL) {
        snprintf(original, sizeof original, "%.4000s/model.safetensors", model);
        theirs = tensor_bytes(original, t->name, &m);
    }
    snprintf(key, sizeof key, "%.480s@bytes", t->name);
    if (theirs != NULL && n == m && memcmp(bytes, theirs, n) == 0) {
        put_text(key, "those of the model");
    } else if (bytes != NULL) {
        list_bytes(key, bytes, n);
        put_values(t, bytes);
    }
    free(bytes);
    free(theirs);
}

static void list_safetensors(const char *path, const char *bytes, size_t size)
{
    struct laser_safetensors_header header;
    struct laser_error err = {0};
    uint64_t length = 0;

    if (laser_safetensors_read_header(path, &header, NULL, NULL, &err) != LASER_OK) {
        fail(path, err.text);
        return;
    }
    if (size > 8)
        memcpy(&length, bytes, 8);
    if (length <= size - 8)
        list_bytes("@header", bytes, (size_t)length + 8);
    for (int64_t i = 0; i < header.n_tensors; ++i)
        list_tensor(path, &header.tensors[i]);
    laser_safetensors_header_free(&header);
}

/* ---- HDF5 ---- */

/* An attribute or a data set. */
struct source {
    hid_t id;
    bool is_attribute;
};

static herr_t read_h5(struct source s, hid_t type, void *to)
{
    return s.is_attribute ? H5Aread(s.id, type, to) : H5Dread(s.id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, to);
}

/* Reads n values, or the field of n records if it has a name. */
static herr_t read_field(struct source s, const char *field, hid_t type, size_t size, void *to)
{
    hid_t record;
    herr_t status;

    if (field == NULL)
        return read_h5(s, type, to);
    record = H5Tcreate(H5T_COMPOUND, size);
    H5Tinsert(record, field, 0, type);
    status = read_h5(s, record, to);
    H5Tclose(record);
    return status;
}

static void add_texts(struct source s, const char *field, size_t n, struct laser_text *out)
{
    char **texts = calloc(n + 1, sizeof *texts);
    hid_t type = H5Tcopy(H5T_C_S1);

    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    if (read_field(s, field, type, sizeof *texts, texts) < 0)
        fail(shown, "a text cannot be read");
    for (size_t i = 0; i < n; ++i) {
        laser_text_puts(out, i > 0 ? " " : "");
        laser_json_quote(out, texts[i] != NULL ? texts[i] : "", 1);
        H5free_memory(texts[i]);
    }
    H5Tclose(type);
    free(texts);
}

static void add_numbers(struct source s, const char *field, hid_t file_type, size_t n, struct laser_text *out)
{
    bool is_real = H5Tget_class(file_type) == H5T_FLOAT;
    bool is_unsigned = !is_real && H5Tget_sign(file_type) == H5T_SGN_NONE;
    hid_t type = is_real ? H5T_NATIVE_DOUBLE : is_unsigned ? H5T_NATIVE_UINT64 : H5T_NATIVE_INT64;
    union {
        double real;
        int64_t whole;
        uint64_t natural;
    } *x = calloc(n + 1, sizeof *x);

    if (read_field(s, field, type, sizeof *x, x) < 0)
        fail(shown, "a number cannot be read");
    for (size_t i = 0; i < n; ++i) {
        const char *between = out->size > 0 ? " " : "";
        if (is_real)
            add_real(out, x[i].real);
        else if (is_unsigned)
            laser_text_printf(out, "%s%" PRIu64, between, x[i].natural);
        else
            laser_text_printf(out, "%s%" PRId64, between, x[i].whole);
    }
    free(x);
}

static void put_field(struct source s, const char *key, const char *field, hid_t type, size_t n)
{
    struct laser_text text = {0};

    if (H5Tget_class(type) == H5T_STRING)
        add_texts(s, field, n, &text);
    else
        add_numbers(s, field, type, n, &text);
    put(key, text.data != NULL ? text.data : "");
    laser_text_free(&text);
}

static void put_h5(struct source s, const char *key)
{
    hid_t type = s.is_attribute ? H5Aget_type(s.id) : H5Dget_type(s.id);
    hid_t space = s.is_attribute ? H5Aget_space(s.id) : H5Dget_space(s.id);
    size_t n = (size_t)H5Sget_simple_extent_npoints(space);

    if (H5Tget_class(type) != H5T_COMPOUND)
        put_field(s, key, NULL, type, n);
    for (int i = 0; H5Tget_class(type) == H5T_COMPOUND && i < H5Tget_nmembers(type); ++i) {
        char *name = H5Tget_member_name(type, (unsigned)i), place[1024];
        hid_t member = H5Tget_member_type(type, (unsigned)i);
        snprintf(place, sizeof place, "%.500s.%.500s", key, name);
        put_field(s, place, name, member, n);
        H5Tclose(member);
        H5free_memory(name);
    }
    H5Tclose(type);
    H5Sclose(space);
}

static void walk(hid_t object, const char *path)
{
    int n_attributes = H5Aget_num_attrs(object);
    hsize_t n_links = 0;
    char key[2048], name[1024];

    for (int i = 0; i < n_attributes; ++i) {
        hid_t a =
            H5Aopen_by_idx(object, ".", H5_INDEX_NAME, H5_ITER_INC, (hsize_t)i, H5P_DEFAULT, H5P_DEFAULT);
        H5Aget_name(a, sizeof name, name);
        snprintf(key, sizeof key, "%.1000s@%.1000s", path, name);
        put_h5((struct source){a, true}, key);
        H5Aclose(a);
    }
    if (H5Iget_type(object) == H5I_DATASET) {
        put_h5((struct source){object, false}, path);
        return;
    }
    H5Gget_num_objs(object, &n_links);
    for (hsize_t i = 0; i < n_links; ++i) {
        hid_t inner;
        H5Lget_name_by_idx(object, ".", H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof name, H5P_DEFAULT);
        snprintf(key, sizeof key, "%.1000s/%.1000s", path, name);
        inner = H5Oopen(object, name, H5P_DEFAULT);
        if (inner < 0)
            fail(key, "cannot be opened");
        else
            walk(inner, key);
        if (inner >= 0)
            H5Oclose(inner);
    }
}

static void list_h5(const char *path)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), root;

    if (file < 0) {
        fail(path, "is no HDF5 file");
        return;
    }
    root = H5Gopen2(file, "/", H5P_DEFAULT);
    walk(root, "");
    H5Gclose(root);
    H5Fclose(file);
}

/* ---- files ---- */

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);

    return n >= m && strcmp(name + n - m, end) == 0;
}

static void list_file(const char *path)
{
    struct laser_error err = {0};
    char *text;
    size_t size;

    if (laser_file_read(path, (size_t)1 << 30, &text, &size, &err) != LASER_OK) {
        fail(path, err.text);
        return;
    }
    if (ends_with(shown, "times.svg"))
        put("@bytes", "~");
    else if (ends_with(shown, "tokenizer.json") || ends_with(shown, ".py") ||
             (strncmp(shown, "model/", 6) == 0 && !ends_with(shown, ".safetensors")))
        list_bytes("@bytes", text, size);
    else if (ends_with(shown, ".jsonl"))
        list_json_lines(text, size);
    else if (ends_with(shown, ".json"))
        list_json(text, size, "");
    else if (ends_with(shown, ".html"))
        list_page(text, "");
    else if (ends_with(shown, ".h5"))
        list_h5(path);
    else if (ends_with(shown, ".safetensors"))
        list_safetensors(path, text, size);
    else if (ends_with(shown, "ledger.txt"))
        list_ledger(text);
    else if (memchr(text, '\0', size) == NULL)
        list_lines(text);
    else
        list_bytes("@bytes", text, size);
    free(text);
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && strcmp(entry->d_name, "work") != 0 &&
           strncmp(entry->d_name, "lock", 4) != 0;
}

static void list_directory(const char *top, const char *below)
{
    struct dirent **entries;
    char path[PATH_BYTES], name[PATH_BYTES];
    struct stat info;
    int n;

    snprintf(path, sizeof path, "%.2000s/%.2000s", top, below);
    n = scandir(path, &entries, visible, alphasort);
    if (n < 0)
        fail(path, "is no directory");
    for (int i = 0; i < n; ++i) {
        snprintf(name, sizeof name, "%.2000s%s%.255s", below, *below != '\0' ? "/" : "", entries[i]->d_name);
        snprintf(path, sizeof path, "%.2000s/%.2000s", top, name);
        shown = name;
        if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
            list_directory(top, name);
        else
            list_file(path);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
}

/* ---- comparing ---- */

struct list {
    char *text, **lines;
    size_t n;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted lines without those that begin with #. */
static int load(const char *path, struct list *l)
{
    struct laser_error err = {0};
    size_t size, room = 1;
    char *end;

    if (laser_file_read(path, (size_t)1 << 30, &l->text, &size, &err) != LASER_OK) {
        fail(path, err.text);
        return 1;
    }
    for (size_t i = 0; i < size; ++i)
        room += l->text[i] == '\n';
    l->lines = calloc(room, sizeof *l->lines);
    l->n = 0;
    for (char *line = strtok_r(l->text, "\n", &end); line != NULL; line = strtok_r(NULL, "\n", &end))
        if (*line != '#')
            l->lines[l->n++] = line;
    qsort(l->lines, l->n, sizeof *l->lines, by_text);
    return 0;
}

/* How much two numbers of a fact may differ. */
struct tolerance {
    double relative, absolute, of_largest;
};

static struct tolerance tolerance_of(const char *line)
{
    const struct tolerance scan = {1e-7, 1e-12, 1e-9}, forward = {1e-4, 3e-5, 0}, ratio = {1e-2, 1e-2, 0},
                           drawing = {1e-3, 0.05, 0}, weights = {1e-2, 0, 1e-2};
    const char *key = strchr(line, '\t') + 1, *end = strchr(key, '\t');
    size_t file = (size_t)(key - line - 1), n = (size_t)(end - key);

    if (getenv("LASER_GOLDEN_EXACT") != NULL)
        return (struct tolerance){0};
    if (file > 4 && strncmp(key - 5, ".svg", 4) == 0)
        return drawing;
    if (n > 7 && strncmp(end - 7, "@values", 7) == 0)
        return weights;
    if ((n > 2 && strncmp(end - 2, ".z", 2) == 0) || strstr(key, "p_better") != NULL)
        return ratio;
    if (strncmp(line, "spectra.h5\t/matrices", 20) == 0 || strncmp(line, "results.json\tmatrices", 21) == 0 ||
        strncmp(line, "snr_results", 11) == 0 || strncmp(line, "weightwatcher", 13) == 0)
        return scan;
    return forward;
}

/* The length of a real number (one with a dot or an exponent) at the beginning of text; 0: there is none. */
static size_t real_length(const char *text)
{
    char *end;
    size_t n;

    if (strchr("+-.0123456789", *text) == NULL || *text == '\0')
        return 0;
    strtod(text, &end);
    n = (size_t)(end - text);
    return n > 0 && (memchr(text, '.', n) != NULL || memchr(text, 'e', n) != NULL) ? n : 0;
}

/* Are two values the same but for the last digits of real numbers? */
static bool alike(const char *a, const char *b, struct tolerance t)
{
    double largest = 0;

    for (const char *p = a; t.of_largest > 0 && *p != '\0';) {
        size_t n = real_length(p);
        largest = n > 0 ? fmax(largest, fabs(strtod(p, NULL))) : largest;
        p += n > 0 ? n : 1;
    }
    while (*a != '\0' && *b != '\0') {
        size_t n = real_length(a), m = real_length(b);
        if (n > 0 && m > 0) {
            double x = strtod(a, NULL), y = strtod(b, NULL), d = fabs(x - y);
            if (!(d <= t.relative * fmax(fabs(x), fabs(y)) || d <= t.absolute || d <= t.of_largest * largest))
                return false;
            a += n;
            b += m;
        } else if (*a++ != *b++) {
            return false;
        }
    }
    return *a == *b;
}

static bool same_fact(const char *golden, const char *line)
{
    const char *a = strchr(strchr(golden, '\t') + 1, '\t') + 1, *b = strchr(strchr(line, '\t') + 1, '\t') + 1;
    bool exact = getenv("LASER_GOLDEN_EXACT") != NULL;

    if (strcmp(a, b) == 0)
        return true;
    /* What arithmetic made is judged by its values, in the next line. */
    if (!exact && a - golden > 7 && strncmp(a - 7, "@bytes\t", 7) == 0 &&
        strstr(golden, ".safetensors\t") != NULL)
        return (strstr(a, "hash") == NULL) == (strstr(b, "hash") == NULL);
    return alike(a, b, tolerance_of(golden));
}

/* Order of FILE and KEY. */
static int order(const char *a, const char *b)
{
    size_t n = (size_t)(strchr(strchr(a, '\t') + 1, '\t') - a),
           m = (size_t)(strchr(strchr(b, '\t') + 1, '\t') - b);
    int c = strncmp(a, b, n < m ? n : m);

    return c != 0 ? c : n < m ? -1 : n > m;
}

static void say(const char *what, const char *a, const char *b, int count)
{
    if (count > MOST_SAID)
        return;
    printf("%s %.300s\n", what, a);
    if (b != NULL)
        printf("     now %.300s\n", strchr(strchr(b, '\t') + 1, '\t') + 1);
}

static int match(const char *path_a, const char *path_b)
{
    struct list a = {0}, b = {0};
    int added = 0, gone = 0, changed = 0;
    size_t i = 0, j = 0;

    if (load(path_a, &a) || load(path_b, &b))
        return 1;
    while (i < a.n || j < b.n) {
        int c = i == a.n ? 1 : j == b.n ? -1 : order(a.lines[i], b.lines[j]);
        if (c < 0) {
            say("   gone", a.lines[i++], NULL, ++gone);
        } else if (c > 0) {
            say("  added", b.lines[j++], NULL, ++added);
        } else {
            if (!same_fact(a.lines[i], b.lines[j]))
                say("changed", a.lines[i], b.lines[j], ++changed);
            ++i;
            ++j;
        }
    }
    if (a.n == 0)
        fail(path_a, "holds no fact");
    if (added + gone + changed > 0)
        printf("%s: %d facts added, %d gone, %d changed of %zu.  If that is meant: "
               "tools/golden/make_outputs.sh\n",
               path_a, added, gone, changed, a.n);
    free(a.text);
    free(a.lines);
    free(b.text);
    free(b.lines);
    return added + gone + changed > 0 || failures > 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    if (strcmp(what, "match") == 0 && argc == 4)
        return match(argv[2], argv[3]);
    if (strcmp(what, "list") != 0 || argc < 3) {
        fprintf(stderr, "e2e_outputs list DIR [MODEL] [TEXT=NAME...] | match GOLDEN LIST\n");
        return 2;
    }
    replacement = argv + 3;
    n_replacements = argc - 3;
    if (n_replacements > 0 && strchr(*replacement, '=') == NULL) {
        model = *replacement++;
        --n_replacements;
    }
    list_directory(argv[2], "");
    return failures > 0;
}
