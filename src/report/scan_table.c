#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "report/fit.h"
#include "report/groups.h"
#include "report/layer_grid.h"
#include "report/scan_report.h"

enum { SHOWN = 5, MOST_REASONS = 8, NARROWEST = 66 };

/* What is drawn with. */
struct table {
    struct laser_text *out;
    size_t width;
    const char *times, *beta, *cut;
};

static void put_name(const struct table *table, const char *name, size_t width, int pad)
{
    laser_text_fit(table->out, name, width, table->cut, pad);
}

static void put_number(struct laser_text *out, double value, int width)
{
    if (isnan(value))
        laser_text_printf(out, " %*s", width, "nan");
    else if (isinf(value))
        laser_text_printf(out, " %*s", width, value > 0 ? "inf" : "-inf");
    else
        laser_text_printf(out, " %*.*f", width,
                          fabs(value) < 9.9995   ? 3
                          : fabs(value) < 999.95 ? 1
                                                 : 0,
                          value);
}

/* Wide numbers do not fit into their column as they are. */
static void put_score(struct laser_text *out, double value, int width)
{
    if (isfinite(value) && (fabs(value) >= 99999.5 || (fabs(value) < 0.0005 && value != 0.0)))
        laser_text_printf(out, " %*.1e", width, value);
    else
        put_number(out, value, width);
}

/* Numbers of one type. */
struct summary {
    size_t count;
    int64_t rows, columns; /* -1: various */
    double beta_min, beta_max, mean, least, most;
    int64_t kept, values;  /* singular values kept, of how many */
    size_t uncut, emptied; /* matrices that keep all, or nothing */
};

static int64_t short_side(const struct laser_scan_row *row)
{
    return row->rows < row->columns ? row->rows : row->columns;
}

static void summarize(struct summary *s, const struct laser_scan_row *rows, const size_t *order, size_t n)
{
    double sum = 0.0;

    memset(s, 0, sizeof *s);
    s->count = n;
    s->rows = rows[order[0]].rows;
    s->columns = rows[order[0]].columns;
    s->beta_min = INFINITY;
    s->least = INFINITY;
    s->most = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        const struct laser_scan_row *row = &rows[order[i]];
        int64_t side = short_side(row), other = row->rows + row->columns - side;
        double beta = other > 0 ? (double)side / (double)other : 0.0;

        if (row->rows != s->rows || row->columns != s->columns)
            s->rows = s->columns = -1;
        s->beta_min = fmin(s->beta_min, beta);
        s->beta_max = fmax(s->beta_max, beta);
        s->least = fmin(s->least, row->snr);
        s->most = fmax(s->most, row->snr);
        sum += row->snr;
        s->kept += row->rank;
        s->values += side;
        s->uncut += row->rank == side;
        s->emptied += row->rank == 0;
    }
    s->mean = sum / (double)n;
}

/* What the threshold does to a type, where it is not just this: it cuts all of them. */
static void put_verdict(struct laser_text *out, const struct laser_scan_meta *meta, const struct summary *s)
{
    double limit = meta->never_cuts_below_beta;

    if (s->beta_max < limit && s->uncut == s->count) {
        if (s->beta_min == s->beta_max)
            laser_text_printf(out, "no-op: beta %.4g < %.4f, the %s rule cannot cut", s->beta_min, limit,
                              meta->threshold);
        else
            laser_text_printf(out, "no-op: beta %.4g to %.4g < %.4f, the %s rule cannot cut", s->beta_min,
                              s->beta_max, limit, meta->threshold);
    } else if (s->uncut == s->count) {
        laser_text_puts(out, "no-op: nothing lies below the threshold");
    } else if (s->emptied == s->count) {
        laser_text_puts(out, "nothing lies above the threshold");
    } else if (s->uncut > 0 || s->emptied > 0) {
        laser_text_printf(out, "cuts %zu of %zu", s->count - s->uncut, s->count);
        if (s->emptied > 0)
            laser_text_printf(out, ", %zu to nothing", s->emptied);
    }
}

static void put_shape(const struct table *table, const struct summary *s)
{
    char shape[64] = "various", beta[16] = "";

    if (s->rows >= 0) {
        snprintf(shape, sizeof shape, "%lld%s%lld", (long long)s->rows, table->times, (long long)s->columns);
        snprintf(beta, sizeof beta, "%.3f", s->beta_min);
    } else if (s->beta_min == s->beta_max) {
        snprintf(beta, sizeof beta, "%.3f", s->beta_min);
    }
    laser_text_fill(table->out, ' ', laser_text_columns(shape) < 12 ? 12 - laser_text_columns(shape) : 1);
    laser_text_printf(table->out, "%s %5s", shape, beta);
}

static void put_type(const struct table *table, const struct laser_scan_meta *meta, const char *type,
                     size_t type_width, const struct summary *s)
{
    struct laser_text verdict = {0};
    size_t line = table->out->size, column;

    put_name(table, type, type_width, 1);
    laser_text_printf(table->out, " %5zu", s->count);
    put_shape(table, s);
    put_score(table->out, s->mean, 8);
    put_score(table->out, s->least, 8);
    put_score(table->out, s->most, 8);
    laser_text_printf(table->out, " %5.1f%%",
                      s->values > 0 ? 100.0 * (double)s->kept / (double)s->values : 0.0);
    put_verdict(&verdict, meta, s);
    if (verdict.data == NULL || verdict.failed || table->out->failed) {
        table->out->failed |= verdict.failed;
        laser_text_fill(table->out, '\n', 1);
        laser_text_free(&verdict);
        return;
    }
    column = laser_text_columns(table->out->data + line);
    if (column + 2 + laser_text_columns(verdict.data) <= table->width) {
        laser_text_puts(table->out, "  ");
    } else {
        laser_text_puts(table->out, "\n    ");
        column = 4;
    }
    laser_text_wrap(table->out, verdict.data, 4, column, table->width);
    laser_text_fill(table->out, '\n', 1);
    laser_text_free(&verdict);
}

static void put_types(const struct table *table, const struct laser_scan_meta *meta,
                      const struct laser_scan_row *rows, char *const *types,
                      const struct laser_row_groups *groups)
{
    size_t widest = 8, room = table->width - 58;

    for (size_t g = 0; g < groups->count; g++) {
        size_t n = laser_text_columns(types[groups->order[groups->start[g]]]);

        widest = n > widest ? n : widest;
    }
    widest = widest < room ? widest : room;
    laser_text_printf(table->out, "%-*s %5s %11s %*s %8s %8s %8s %6s\n", (int)widest, "type", "count",
                      "shape", 5 + (int)(strlen(table->beta) - laser_text_columns(table->beta)), table->beta,
                      "SNR mean", "min", "max", "kept");
    for (size_t g = 0; g < groups->count; g++) {
        const size_t *order = groups->order + groups->start[g];
        struct summary s;

        summarize(&s, rows, order, groups->start[g + 1] - groups->start[g]);
        put_type(table, meta, types[order[0]], widest, &s);
    }
}

static void put_ranked(const struct table *table, const char *title, const struct laser_scan_row *rows,
                       const size_t *order, size_t n, int backwards)
{
    size_t shown = n < SHOWN ? n : SHOWN, widest = 0, room = table->width - 32;

    laser_text_printf(table->out, "\n%s\n", title);
    for (size_t i = 0; i < shown; i++) {
        size_t columns = laser_text_columns(rows[order[backwards ? n - 1 - i : i]].name);

        widest = columns > widest ? columns : widest;
    }
    widest = widest < room ? widest : room;
    for (size_t i = 0; i < shown; i++) {
        const struct laser_scan_row *row = &rows[order[backwards ? n - 1 - i : i]];

        laser_text_puts(table->out, "  ");
        put_name(table, row->name, widest, 1);
        put_score(table->out, row->score, 9);
        laser_text_printf(table->out, "  rank %lld of %lld\n", (long long)row->rank,
                          (long long)short_side(row));
    }
}

/* "skipped 12: not a matrix (10), embedding (2)" */
static void put_skipped(const struct table *table, const struct laser_scan_row *rows, size_t count)
{
    const char **keys = calloc(count + 1, sizeof *keys);
    struct laser_row_groups groups = {0};
    size_t column;

    for (size_t i = 0; keys != NULL && i < count; i++)
        if (rows[i].status == LASER_SCAN_SKIPPED)
            keys[i] = rows[i].reason != NULL ? rows[i].reason : "no reason given";
    if (keys == NULL || !laser_row_groups_make(&groups, keys, count)) {
        table->out->failed = 1;
    } else if (groups.count > 0) {
        struct laser_text line = {0};

        laser_text_printf(&line, "skipped %zu:", groups.start[groups.count]);
        for (size_t g = 0; g < groups.count && g < MOST_REASONS; g++)
            laser_text_printf(&line, "%s %s (%zu)", g > 0 ? "," : "", keys[groups.order[groups.start[g]]],
                              groups.start[g + 1] - groups.start[g]);
        if (groups.count > MOST_REASONS)
            laser_text_printf(&line, ", %zu more reasons", groups.count - MOST_REASONS);
        column = line.failed ? 0 : laser_text_wrap(table->out, line.data, 4, 0, table->width);
        laser_text_fill(table->out, '\n', column > 0);
        laser_text_free(&line);
    }
    free(keys);
    laser_row_groups_free(&groups);
}

/* The failed ones by name: someone has to look at them. */
static void put_failed(const struct table *table, const struct laser_scan_row *rows, size_t count,
                       size_t failed)
{
    size_t shown = 0;

    if (failed > 0)
        laser_text_printf(table->out, "failed %zu:\n", failed);
    for (size_t i = 0; i < count && shown < MOST_REASONS; i++) {
        if (rows[i].status != LASER_SCAN_FAILED)
            continue;
        shown++;
        laser_text_puts(table->out, "  ");
        put_name(table, rows[i].name, table->width - 2, 0);
        laser_text_puts(table->out, "\n    ");
        laser_text_wrap(table->out, rows[i].reason != NULL ? rows[i].reason : "no reason given", 4, 4,
                        table->width);
        laser_text_fill(table->out, '\n', 1);
    }
    if (failed > shown)
        laser_text_printf(table->out, "  and %zu more, see results.json\n", failed - shown);
}

static void put_head(const struct table *table, const struct laser_scan_meta *meta, size_t scanned,
                     size_t skipped, size_t failed)
{
    struct laser_text line = {0};
    char time[LASER_NUMBER_SIZE];

    laser_text_printf(&line, "%s: %zu matrices scanned", meta->model_id != NULL ? meta->model_id : "model",
                      scanned);
    if (skipped > 0)
        laser_text_printf(&line, ", %zu tensors skipped", skipped);
    if (failed > 0)
        laser_text_printf(&line, ", %zu failed", failed);
    laser_text_printf(&line, " in %s on %d rank%s; threshold %s, score %s",
                      laser_number_time(meta->seconds, time), meta->ranks, meta->ranks == 1 ? "" : "s",
                      meta->threshold, meta->score);
    if (line.failed)
        table->out->failed = 1;
    else
        laser_text_wrap(table->out, line.data, 2, 0, table->width);
    laser_text_fill(table->out, '\n', 1);
    laser_text_free(&line);
}

/* "zero 2 (no score): ...": 0/0 says nothing about a matrix. */
static void put_zeros(const struct table *table, const struct laser_scan_row *rows, size_t count)
{
    struct laser_text line = {0};
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        n += rows[i].is_zero != 0;
    if (n == 0)
        return;
    laser_text_printf(&line, "zero %zu: all entries are 0, so there is no score:", n);
    n = 0;
    for (size_t i = 0; i < count; i++)
        if (rows[i].is_zero && n++ < MOST_REASONS)
            laser_text_printf(&line, "%s %s", n > 1 ? "," : "", rows[i].name);
    if (n > MOST_REASONS)
        laser_text_printf(&line, ", %zu more", n - MOST_REASONS);
    if (line.failed)
        table->out->failed = 1;
    else
        laser_text_wrap(table->out, line.data, 4, 0, table->width);
    laser_text_fill(table->out, '\n', 1);
    laser_text_free(&line);
}

/* Of each type that is quantised: noise of the format's step, noise fitted to the bulk, and the share of the variance
 * of the second that the first explains; means over matrices. */
static void put_quantised(const struct table *table, const struct laser_scan_row *rows, char *const *types,
                          const struct laser_row_groups *groups)
{
    int any = 0;

    for (size_t g = 0; g < groups->count; g++) {
        const size_t *order = groups->order + groups->start[g], n = groups->start[g + 1] - groups->start[g];
        double step = 0, fitted = 0, share = 0;
        size_t count = 0;

        for (size_t i = 0; i < n; i++) {
            const struct laser_scan_row *row = &rows[order[i]];

            if (!(row->step_noise > 0 && row->fitted_noise > 0))
                continue;
            step += row->step_noise;
            fitted += row->fitted_noise;
            share += row->step_noise * row->step_noise / (row->fitted_noise * row->fitted_noise);
            ++count;
        }
        if (count == 0)
            continue;
        if (!any++)
            laser_text_puts(table->out,
                            "\nnoise of quantisation: of the format's step, fitted to the bulk, share of its "
                            "variance\n");
        laser_text_puts(table->out, "  ");
        put_name(table, types[order[0]], table->width - 40, 1);
        laser_text_printf(table->out, " %9.2e %9.2e %6.1f%%\n", step / (double)count, fitted / (double)count,
                          100 * share / (double)count);
    }
}

/* The display types and the ranking of the scanned rows that have a score; 0 without memory. */
static int prepare(const struct laser_scan_row *rows, size_t count, char ***types, size_t **order, size_t *n,
                   struct laser_row_groups *groups)
{
    *n = 0;
    *types = calloc(count + 1, sizeof **types);
    *order = calloc(count + 1, sizeof **order);
    if (*types == NULL || *order == NULL)
        return 0;
    for (size_t i = 0; i < count; i++) {
        if (rows[i].status != LASER_SCAN_SCANNED || rows[i].is_zero)
            continue;
        (*types)[i] = laser_type_display(rows[i].type);
        if ((*types)[i] == NULL)
            return 0;
        (*order)[(*n)++] = i;
    }
    return laser_rows_sort(rows, *order, *n) &&
           laser_row_groups_make(groups, (const char *const *)*types, count);
}

void laser_scan_table(struct laser_text *out, const struct laser_scan_meta *meta,
                      const struct laser_scan_row *rows, size_t count, const struct laser_scan_style *style)
{
    struct table table = {out, (size_t)(style->width > NARROWEST ? style->width : NARROWEST),
                          style->utf8 ? "×" : "x", style->utf8 ? "β" : "beta", style->utf8 ? "…" : ".."};
    struct laser_row_groups groups = {0};
    size_t counts[3] = {0}, *order = NULL, n = 0;
    char **types = NULL;

    for (size_t i = 0; i < count; i++)
        counts[rows[i].status]++;
    put_head(&table, meta, counts[LASER_SCAN_SCANNED], counts[LASER_SCAN_SKIPPED], counts[LASER_SCAN_FAILED]);
    if (!prepare(rows, count, &types, &order, &n, &groups)) {
        out->failed = 1;
    } else if (n > 0) {
        laser_text_fill(out, '\n', 1);
        put_types(&table, meta, rows, types, &groups);
        put_quantised(&table, rows, types, &groups);
        put_ranked(&table, n > SHOWN ? "lowest score (mostly noise)" : "by score, lowest first", rows, order,
                   n, 1);
        if (n > SHOWN)
            put_ranked(&table, "highest score (mostly signal)", rows, order, n, 0);
    }
    if (counts[LASER_SCAN_SKIPPED] + counts[LASER_SCAN_FAILED] > 0 || counts[LASER_SCAN_SCANNED] > n)
        laser_text_fill(out, '\n', 1);
    put_zeros(&table, rows, count);
    put_skipped(&table, rows, count);
    put_failed(&table, rows, count, counts[LASER_SCAN_FAILED]);
    for (size_t i = 0; types != NULL && i < count; i++)
        free(types[i]);
    free(types);
    free(order);
    laser_row_groups_free(&groups);
}
