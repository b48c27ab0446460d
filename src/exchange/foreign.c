#include "exchange/foreign.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "arch/names.h"
#include "base/file.h"
#include "base/kind.h"
#include "checkpoint/towers.h"
#include "exchange/foreign_parts.h"

enum { MOST_BYTES = 1 << 28 };

static int by_name(const void *a, const void *b)
{
    const struct laser_scan_row *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

static int refuse_repeats(const char *path, const struct laser_foreign_scan *scan, struct laser_error *err)
{
    const struct laser_scan_row **sorted = malloc((scan->n + 1) * sizeof *sorted);
    int code = LASER_OK;

    if (sorted == NULL)
        return laser_error_set(err, LASER_ENOMEM, path, "no memory for %zu matrices", scan->n);
    for (size_t i = 0; i < scan->n; i++)
        sorted[i] = &scan->rows[i];
    qsort(sorted, scan->n, sizeof *sorted, by_name);
    for (size_t i = 1; code == LASER_OK && i < scan->n; i++)
        if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
            code = laser_error_set(err, LASER_EINPUT, path, "matrix %s is there twice", sorted[i]->name);
    free(sorted);
    return code;
}

/* The types of a file know no towers: those that several towers have are told apart. */
static int part_towers(const char *path, struct laser_foreign_scan *scan, struct laser_error *err)
{
    const char **texts = malloc((2 * scan->n + 1) * sizeof *texts);
    unsigned char *shared = calloc(scan->n + 1, 1);
    int good = texts != NULL && shared != NULL;

    for (size_t i = 0; good && i < scan->n; i++) {
        texts[i] = scan->rows[i].name;
        texts[scan->n + i] = scan->rows[i].type;
    }
    good = good && laser_towers_share(texts, texts + scan->n, scan->n, shared);
    for (size_t i = 0; good && i < scan->n; i++) {
        char *type = shared[i] ? laser_tower_type(scan->rows[i].name, scan->rows[i].type) : NULL;

        good = !shared[i] || type != NULL;
        if (type != NULL) { /* two texts a row: name, type */
            free(scan->texts[2 * i + 1]);
            scan->rows[i].type = scan->texts[2 * i + 1] = type;
        }
    }
    free(texts);
    free(shared);
    return good ? LASER_OK : laser_error_set(err, LASER_ENOMEM, path, "no memory for %zu matrices", scan->n);
}

int laser_foreign_read(const char *path, struct laser_foreign_scan *scan, struct laser_error *err)
{
    char *text = NULL;
    size_t size = 0, first = 0;
    int code;

    memset(scan, 0, sizeof *scan);
    code = laser_file_read(path, MOST_BYTES, &text, &size, err);
    if (code == LASER_OK)
        code = laser_kind_refuse(path, text, size, err);
    if (code != LASER_OK) {
        free(text);
        return code;
    }
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        first = 3;
    while (first < size && isspace((unsigned char)text[first]))
        first++;
    if (first == size)
        code = laser_error_set(err, LASER_EINPUT, path, "the file is empty, a scan was expected");
    else if (text[first] == '{' || text[first] == '[')
        code = laser_foreign_read_json(path, text, size, scan, err);
    else
        code = laser_foreign_read_csv(path, text, size, scan, err);
    free(text);
    if (code == LASER_OK && scan->n == 0)
        code = laser_error_set(err, LASER_EINPUT, path, "there is no matrix in it");
    if (code == LASER_OK)
        code = refuse_repeats(path, scan, err);
    return code == LASER_OK ? part_towers(path, scan, err) : code;
}

void laser_foreign_free(struct laser_foreign_scan *scan)
{
    for (size_t i = 0; i < scan->n_texts; i++)
        free(scan->texts[i]);
    free(scan->texts);
    free(scan->rows);
    free(scan->numbers);
    free(scan->ignored);
    memset(scan, 0, sizeof *scan);
}
