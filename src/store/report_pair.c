/* Which matrices of two runs are the same. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "store/report_load.h"

/* Layer and type, which every prefix of a name leaves as they are; outside of the layers the name. */
struct key {
    int64_t layer;
    const char *text;
    size_t length;
    struct laser_scan_row *row;
};

static bool is_matrix(const struct laser_scan_row *row)
{
    return row->status != LASER_SCAN_SKIPPED;
}

static struct key key_of(struct laser_scan_row *row)
{
    const char *text = row->layer >= 0 && row->type != NULL ? row->type : row->name;
    const size_t length = strlen(text), end = strlen(".weight");
    const bool has_end = length > end && strcmp(text + length - end, ".weight") == 0;

    return (struct key){
        .layer = row->layer, .text = text, .length = has_end ? length - end : length, .row = row};
}

static int compare_keys(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    const size_t least = x->length < y->length ? x->length : y->length;
    const int order = memcmp(x->text, y->text, least);

    if (x->layer != y->layer)
        return x->layer < y->layer ? -1 : 1;
    return order != 0 ? order : (x->length > y->length) - (x->length < y->length);
}

static struct laser_scan_row *rows_of(struct laser_report_source *s)
{
    return s->rows != NULL ? s->rows : s->scan.rows;
}

/* Sorted keys of the matrices; *n of them. NULL without memory. */
static struct key *make_keys(struct laser_report_source *s, size_t *n)
{
    struct laser_scan_row *rows = rows_of(s);
    struct key *keys = calloc(s->page.n_rows + 1, sizeof *keys);

    *n = 0;
    for (size_t i = 0; keys != NULL && rows != NULL && i < s->page.n_rows; ++i)
        if (is_matrix(&rows[i]))
            keys[(*n)++] = key_of(&rows[i]);
    if (keys != NULL)
        qsort(keys, *n, sizeof *keys, compare_keys);
    return keys;
}

/* Two matrices of one run with the same key cannot be told apart by it. */
static bool is_alone(const struct key *keys, size_t n, size_t i)
{
    return (i == 0 || compare_keys(&keys[i - 1], &keys[i]) != 0) &&
           (i + 1 == n || compare_keys(&keys[i], &keys[i + 1]) != 0);
}

/* Gives the rows of b the names of those of a; how many are in both. */
static size_t match(const struct key *a, size_t n_a, const struct key *b, size_t n_b)
{
    size_t common = 0;

    for (size_t i = 0, j = 0; i < n_a && j < n_b;) {
        const int order = compare_keys(&a[i], &b[j]);
        if (order == 0 && is_alone(a, n_a, i) && is_alone(b, n_b, j)) {
            b[j].row->name = a[i].row->name;
            ++common;
        } else if (order == 0 && strcmp(a[i].row->name, b[j].row->name) == 0) {
            ++common;
        }
        i += order <= 0;
        j += order >= 0;
    }
    return common;
}

/* Is there something else that both runs have? */
static bool share_results(const struct laser_report_source *sources)
{
    static const char *const keys[] = {"perplexity", "tasks", "decisions", "compressed"};

    if (sources[0].windows.n_windows > 0 && sources[1].windows.n_windows > 0)
        return true;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; ++i)
        if (json_object_get(sources[0].results, keys[i]) != NULL &&
            json_object_get(sources[1].results, keys[i]) != NULL)
            return true;
    return false;
}

int laser_report_pair(struct laser_report_source sources[2], const char *first, const char *second,
                      struct laser_error *err)
{
    size_t n[2], common;
    struct key *a = make_keys(&sources[0], &n[0]), *b = make_keys(&sources[1], &n[1]);
    const struct laser_scan_row *row[2] = {NULL, NULL};

    if (a == NULL || b == NULL) {
        free(a);
        free(b);
        return laser_error_set(err, LASER_ENOMEM, first, "no memory for the names of its matrices");
    }
    common = match(a, n[0], b, n[1]);
    row[0] = n[0] > 0 ? a[0].row : NULL;
    row[1] = n[1] > 0 ? b[0].row : NULL;
    free(a);
    free(b);
    if (common > 0 || (n[0] == 0 && n[1] == 0) || share_results(sources))
        return LASER_OK;
    if (row[0] == NULL || row[1] == NULL)
        return laser_error_set(err, LASER_EINPUT, row[0] == NULL ? first : second,
                               "there are no matrices in it, and nothing else that %s has, too",
                               row[0] == NULL ? second : first);
    return laser_error_set(err, LASER_EINPUT, second,
                           "none of its %zu matrices (%s, ...) is one of the %zu of %s (%s, ...): there is "
                           "nothing to compare",
                           n[1], row[1]->name, n[0], first, row[0]->name);
}
