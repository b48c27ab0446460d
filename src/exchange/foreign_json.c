/* Spectrum's model_snr_results: snr_results_MODEL.json and snr_results_MODEL_sorted.json. */
#include <math.h>
#include <string.h>

#include "checkpoint/json.h"
#include "exchange/foreign_parts.h"

/* laser_json_parse makes strings of the bare words. */
static int get_score(const json_t *value, double *score)
{
    const char *word = json_string_value(value);

    *score = NAN;
    if (json_is_number(value))
        *score = json_number_value(value);
    else if (word != NULL && strcmp(word, "Infinity") == 0)
        *score = INFINITY;
    else if (word != NULL && strcmp(word, "-Infinity") == 0)
        *score = -INFINITY;
    else if (word == NULL || strcmp(word, "NaN") != 0)
        return 0;
    return 1;
}

static int add(const char *path, struct laser_foreign_scan *scan, const char *name, const char *type,
               const json_t *value, struct laser_error *err)
{
    struct laser_scan_row *row;
    double score;

    if (!get_score(value, &score))
        return laser_error_set(err, LASER_EINPUT, path, "%s: the SNR is %s, a number was expected", name,
                               laser_json_type_name(value));
    row = laser_foreign_add(scan, name, strlen(name), type);
    if (row == NULL)
        return laser_error_set(err, LASER_ENOMEM, path, "no memory for its matrices");
    row->snr = row->score = score;
    return LASER_OK;
}

static int read_flat(const char *path, const json_t *root, struct laser_foreign_scan *scan,
                     struct laser_error *err)
{
    const char *name;
    json_t *entry;
    int code = LASER_OK;

    json_object_foreach((json_t *)(uintptr_t)root, name, entry)
    {
        const json_t *type = json_object_get(entry, "type");

        if (code != LASER_OK)
            break;
        if (!json_is_object(entry) || !json_is_string(type) || json_object_get(entry, "snr") == NULL)
            code = laser_error_set(err, LASER_EINPUT, path,
                                   "%s: an object with \"snr\" and \"type\" was expected, %s found", name,
                                   json_is_object(entry) ? "one without" : laser_json_type_name(entry));
        else
            code = add(path, scan, name, json_string_value(type), json_object_get(entry, "snr"), err);
    }
    return code;
}

static int read_sorted(const char *path, const json_t *root, struct laser_foreign_scan *scan,
                       struct laser_error *err)
{
    const char *type, *name;
    json_t *group, *value;
    int code = LASER_OK;

    json_object_foreach((json_t *)(uintptr_t)root, type, group)
    {
        if (!json_is_object(group))
            return laser_error_set(err, LASER_EINPUT, path,
                                   "%s: an object of names and SNRs was expected, %s found", type,
                                   laser_json_type_name(group));
        json_object_foreach(group, name, value)
        {
            code = add(path, scan, name, type, value, err);
            if (code != LASER_OK)
                return code;
        }
    }
    return LASER_OK;
}

/* The layout that the first entry has. */
static int is_flat(const json_t *root)
{
    json_t *entry = json_object_iter_value(json_object_iter((json_t *)(uintptr_t)root));

    return json_object_get(entry, "snr") != NULL || json_is_string(json_object_get(entry, "type"));
}

int laser_foreign_read_json(const char *path, const char *text, size_t size, struct laser_foreign_scan *scan,
                            struct laser_error *err)
{
    json_t *root = NULL;
    int code = laser_json_parse(path, text, size, LASER_JSON_UNIQUE_KEYS, &root, err);

    if (code != LASER_OK)
        return code;
    scan->program = "Spectrum";
    scan->score = "snr";
    if (!json_is_object(root)) {
        code = laser_error_set(err, LASER_EINPUT, path,
                               "an object with the SNR of each matrix was expected, %s found",
                               laser_json_type_name(root));
    } else if (json_is_array(json_object_get(root, "matrices"))) {
        code = laser_error_set(err, LASER_EINPUT, path,
                               "this is a results.json of laser_mpi; name its directory instead");
    } else if (is_flat(root)) {
        scan->kind = LASER_FOREIGN_SPECTRUM;
        code = read_flat(path, root, scan, err);
    } else {
        scan->kind = LASER_FOREIGN_SPECTRUM_SORTED;
        code = read_sorted(path, root, scan, err);
    }
    json_decref(root);
    return code;
}
