#include <stdlib.h>

#include "base/file.h"
#include "base/json_text.h"
#include "report/scan_report.h"

enum { RESULTS_FORMAT = 1 };

/* A text of any bytes (the renderer mends what is not UTF-8), or null. */
static json_t *text_or_null(const char *text)
{
    return text != NULL ? json_string_nocheck(text) : json_null();
}

static int add_scanned(json_t *object, const struct laser_scan_row *row)
{
    int bad = 0;

    bad |= json_object_set_new(object, "solver", text_or_null(row->solver));
    bad |= json_object_set_new(object, "threshold", laser_json_real(row->threshold));
    bad |= json_object_set_new(object, "rank", json_integer(row->rank));
    bad |= json_object_set_new(object, "snr", laser_json_real(row->snr));
    bad |= json_object_set_new(object, "score", laser_json_real(row->score));
    bad |= json_object_set_new(object, "s_max", laser_json_real(row->s_max));
    if (row->step_noise > 0)
        bad |= json_object_set_new(object, "step_noise", laser_json_real(row->step_noise));
    bad |= json_object_set_new(object, "s_min", laser_json_real(row->s_min));
    for (int i = 0; i < row->nnumbers; i++) {
        const struct laser_scan_number *x = &row->numbers[i];

        bad |= json_object_set_new(
            object, x->name, x->is_integer ? json_integer((json_int_t)x->value) : laser_json_real(x->value));
    }
    bad |= json_object_set_new(object, "seconds", laser_json_real(row->seconds));
    return bad;
}

static json_t *row_json(const struct laser_scan_row *row)
{
    static const char *const names[] = {"scanned", "skipped", "failed"};
    json_t *object = json_object();
    int bad = object == NULL;

    bad |= json_object_set_new(object, "name", text_or_null(row->name));
    bad |= json_object_set_new(object, "type", text_or_null(row->type));
    bad |= json_object_set_new(object, "layer", row->layer >= 0 ? json_integer(row->layer) : json_null());
    bad |= json_object_set_new(object, "rows", json_integer(row->rows));
    bad |= json_object_set_new(object, "columns", json_integer(row->columns));
    bad |= json_object_set_new(object, "dtype", text_or_null(row->dtype));
    bad |= json_object_set_new(object, "status", json_string(names[row->status]));
    bad |= json_object_set_new(object, "reason", text_or_null(row->reason));
    if (row->status == LASER_SCAN_SCANNED)
        bad |= add_scanned(object, row);
    if (bad) {
        json_decref(object);
        return NULL;
    }
    return object;
}

json_t *laser_scan_results(const struct laser_scan_meta *meta, const struct laser_scan_row *rows,
                           size_t count)
{
    json_t *object = json_object(), *matrices = json_array();
    int64_t counts[3] = {0};
    int bad = object == NULL || matrices == NULL;

    for (size_t i = 0; !bad && i < count; i++) {
        counts[rows[i].status]++;
        bad |= json_array_append_new(matrices, row_json(&rows[i]));
    }
    bad |= json_object_set_new(object, "format", json_integer(RESULTS_FORMAT));
    bad |= json_object_set_new(object, "command", text_or_null(meta->command));
    bad |= json_object_set_new(object, "version", text_or_null(meta->version));
    bad |= json_object_set_new(object, "model", text_or_null(meta->model));
    if (meta->base != NULL)
        bad |= json_object_set_new(object, "base", json_string(meta->base));
    bad |= json_object_set_new(object, "model_id", text_or_null(meta->model_id));
    bad |= json_object_set_new(object, "threshold", text_or_null(meta->threshold));
    bad |= json_object_set_new(object, "score", text_or_null(meta->score));
    bad |= json_object_set_new(object, "ranks", json_integer(meta->ranks));
    bad |= json_object_set_new(object, "seconds", laser_json_real(meta->seconds));
    bad |= json_object_set_new(object, "counts",
                               json_pack("{s:I, s:I, s:I}", "scanned", (json_int_t)counts[LASER_SCAN_SCANNED],
                                         "skipped", (json_int_t)counts[LASER_SCAN_SKIPPED], "failed",
                                         (json_int_t)counts[LASER_SCAN_FAILED]));
    bad |= json_object_set_new(object, "matrices", matrices);
    if (bad) {
        json_decref(object);
        return NULL;
    }
    return object;
}

int laser_results_write(const char *dir, const json_t *results, struct laser_error *err)
{
    struct laser_text text = {0};
    char *path = laser_file_join(dir, "results.json");
    int rc;

    laser_json_render(&text, results, 2);
    laser_text_fill(&text, '\n', 1);
    if (path == NULL || text.failed)
        rc = laser_error_set(err, LASER_ENOMEM, dir, "no memory for results.json");
    else
        rc = laser_file_replace(path, text.data, text.size, err);
    laser_text_free(&text);
    free(path);
    return rc;
}
