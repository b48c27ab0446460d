#include <string.h>

#include "report/page_json.h"
#include "report/sketch.h"

/* Beyond so many matrices each is drawn from fewer points. */
enum { MANY = 2000, VERY_MANY = 8000 };

static int has_spectrum(const struct laser_scan_row *row)
{
    return row->status == LASER_SCAN_SCANNED && row->sigma != NULL && row->rows > 0 && row->columns > 0;
}

static void put_sketch(struct laser_text *out, const struct laser_sketch *k)
{
    const double heads[] = {k->low, k->high, k->level, k->edge, k->compat, k->threshold};

    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        laser_text_fill(out, i > 0 ? ',' : '[', 1);
        laser_page_real(out, heads[i], 6);
    }
    laser_text_printf(out, ",%lld,[", (long long)k->above);
    for (int i = 0; i < k->n_bins; i++)
        laser_text_printf(out, i > 0 ? ",%lld" : "%lld", (long long)k->counts[i]);
    laser_text_puts(out, "],[");
    for (int i = 0; i < k->n_points; i++) {
        laser_text_puts(out, i > 0 ? "," : "");
        laser_page_real(out, k->values[i], 5);
    }
    laser_text_puts(out, "]]");
}

/* What the sketches of n values have in common: the ranks at which values are given. */
static void put_ranks(struct laser_text *out, const struct laser_scan_row *const *rows, size_t n_rows,
                      int points)
{
    int64_t seen[64], ranks[LASER_SKETCH_POINTS];
    int n_seen = 0;

    laser_text_puts(out, ",\n\"ranks\":{");
    for (size_t i = 0; i < n_rows && n_seen < 64; i++) {
        const struct laser_scan_row *row = rows[i];
        int64_t n = row->rows < row->columns ? row->rows : row->columns;
        int known = !has_spectrum(row), count;

        for (int j = 0; j < n_seen; j++)
            known |= seen[j] == n;
        if (known)
            continue;
        seen[n_seen++] = n;
        count = laser_sketch_ranks(n, points, ranks);
        laser_text_printf(out, "%s\"%lld\":[", n_seen > 1 ? "," : "", (long long)n);
        for (int j = 0; j < count; j++)
            laser_text_printf(out, j > 0 ? ",%lld" : "%lld", (long long)ranks[j] + 1);
        laser_text_fill(out, ']', 1);
    }
    laser_text_fill(out, '}', 1);
}

void laser_page_spectra(struct laser_text *out, const struct laser_scan_row *const *rows, size_t n)
{
    int less = n > VERY_MANY ? 3 : n > MANY ? 2 : 1, bins = LASER_SKETCH_BINS / less;
    int points = LASER_SKETCH_POINTS / less;
    struct laser_sketch sketch;

    put_ranks(out, rows, n, points);
    laser_text_puts(out, ",\n\"spectra\":[");
    for (size_t i = 0; i < n; i++) {
        const struct laser_scan_row *row = rows[i];

        laser_text_puts(out, i > 0 ? ",\n" : "\n");
        if (!has_spectrum(row)) {
            laser_text_puts(out, "null");
            continue;
        }
        laser_sketch_make(row->sigma, row->rows, row->columns, row->threshold, bins, points, &sketch);
        put_sketch(out, &sketch);
    }
    laser_text_fill(out, ']', 1);
}

struct betas {
    double list[256];
    int n;
};

static void add_betas(struct betas *betas, const struct laser_page_run *run)
{
    for (size_t i = 0; i < run->n_rows; i++) {
        const struct laser_scan_row *row = &run->rows[i];
        int64_t a = row->rows, b = row->columns;
        double beta = a < b ? (double)a / (double)b : (double)b / (double)a;
        int known = !has_spectrum(row);

        for (int j = 0; j < betas->n; j++)
            known |= betas->list[j] == beta;
        if (!known && betas->n < 256)
            betas->list[betas->n++] = beta;
    }
}

void laser_page_curves(struct laser_text *out, const struct laser_page_run *runs, int n_runs)
{
    struct betas betas = {.n = 0};
    double u[LASER_SKETCH_CURVE], f[LASER_SKETCH_CURVE];

    for (int i = 0; i < n_runs; i++)
        add_betas(&betas, &runs[i]);
    laser_text_puts(out, "\"curves\":[");
    for (int i = 0; i < betas.n; i++) {
        laser_sketch_curve(betas.list[i], u, f);
        laser_text_printf(out, "%s\n{\"beta\":%.9g,\"u\":[", i > 0 ? "," : "", betas.list[i]);
        for (int j = 0; j < LASER_SKETCH_CURVE; j++)
            laser_text_printf(out, j > 0 ? ",%.6g" : "%.6g", u[j]);
        laser_text_puts(out, "],\"f\":[");
        for (int j = 0; j < LASER_SKETCH_CURVE; j++)
            laser_text_printf(out, j > 0 ? ",%.6g" : "%.6g", f[j]);
        laser_text_puts(out, "]}");
    }
    laser_text_fill(out, ']', 1);
}
