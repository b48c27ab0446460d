#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/json_text.h"
#include "report/draw_spectrum.h"
#include "report/page_json.h"

/* Beyond so many matrices each is drawn from fewer points. */
enum { MANY = 2000, VERY_MANY = 8000 };

/* ---- packing ---- */

static void put_base64(struct laser_text *out, const unsigned char *data, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < n; i += 3) {
        unsigned left = (unsigned)(n - i), bits = (unsigned)data[i] << 16;
        char text[4];
        bits |= left > 1 ? (unsigned)data[i + 1] << 8 : 0;
        bits |= left > 2 ? data[i + 2] : 0;
        for (int k = 0; k < 4; k++)
            text[k] = (unsigned)k > left ? '=' : digits[bits >> (18 - 6 * k) & 63];
        laser_text_add(out, text, 4);
    }
}

/* `"base64 of the deflated text"`; a browser has the way back (DecompressionStream). */
static void put_packed(struct laser_text *out, const struct laser_text *text)
{
    z_stream z = {0};
    unsigned char *packed;
    uLong bound;

    if (text->failed || text->size > UINT32_MAX / 2 ||
        deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY) != Z_OK) {
        out->failed = 1;
        return;
    }
    bound = deflateBound(&z, (uLong)text->size);
    packed = malloc(bound + 1);
    if (packed != NULL) {
        z.next_in = (unsigned char *)text->data;
        z.avail_in = (unsigned)text->size;
        z.next_out = packed;
        z.avail_out = (unsigned)bound;
        if (deflate(&z, Z_FINISH) != Z_STREAM_END)
            out->failed = 1;
        laser_text_puts(out, "\"");
        put_base64(out, packed, z.total_out);
        laser_text_puts(out, "\"");
    } else {
        out->failed = 1;
    }
    deflateEnd(&z);
    free(packed);
}

/* ---- one matrix ---- */

static void put_drawing(struct laser_text *out, const struct laser_spectrum *s,
                        void (*draw)(struct laser_figure *, const struct laser_spectrum *), const char *what,
                        int for_page)
{
    struct laser_figure f = {0};
    struct laser_text svg = {0}, label = {0};

    draw(&f, s);
    laser_text_printf(&label, "%s of %s", what, s->row->name);
    laser_figure_embed(&svg, &f, "panel", label.data != NULL ? label.data : what);
    out->failed |= svg.failed || label.failed;
    if (for_page)
        laser_page_string(out, svg.data);
    else if (!svg.failed)
        laser_json_quote(out, svg.data, 0);
    laser_text_free(&svg);
    laser_text_free(&label);
    laser_figure_free(&f);
}

/* [density, values, [low, high, level, edge, compat, threshold, beyond], [counts], [ranks], [values]] */
static void put_matrix(struct laser_text *out, const struct laser_spectrum *s, int for_page)
{
    const struct laser_spectrum_bins *b = &s->bins;
    const double heads[] = {b->low, b->high, b->level, b->edge, b->compat, b->threshold};

    laser_text_puts(out, "[");
    put_drawing(out, s, laser_draw_density_figure, "density of the singular values", for_page);
    laser_text_puts(out, ",");
    put_drawing(out, s, laser_draw_values_figure, "singular values by rank", for_page);
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        laser_text_puts(out, i > 0 ? "," : ",[");
        laser_page_real(out, heads[i], 6);
    }
    laser_text_printf(out, ",%lld],[", (long long)b->above);
    for (int i = 0; i < b->n_bins; i++)
        laser_text_printf(out, i > 0 ? ",%lld" : "%lld", (long long)b->counts[i]);
    laser_text_puts(out, "],[");
    for (int i = 0; i < b->n_points; i++)
        laser_text_printf(out, i > 0 ? ",%lld" : "%lld", (long long)b->ranks[i] + 1);
    laser_text_puts(out, "],[");
    for (int i = 0; i < b->n_points; i++) {
        laser_text_puts(out, i > 0 ? "," : "");
        laser_page_real(out, b->values[i], 5);
    }
    laser_text_puts(out, "]]");
}

/* `"I":[...]` of matrix i; nothing where it has no values.  Returns 1 if there was something. */
static int put_numbered(struct laser_text *out, const struct laser_drawing *d, size_t i, int less,
                        const char *separator, int for_page)
{
    const struct laser_matrix_table *t = d->table;
    const struct laser_scan_row *row = t->runs[0].rows[i], *other = NULL;
    struct laser_spectrum s;

    if (!laser_spectrum_known(row))
        return 0;
    if (t->n_runs == 2) {
        size_t j = laser_matrix_find(&t->runs[1], row->name);
        other = j < t->runs[1].n ? t->runs[1].rows[j] : NULL;
    }
    laser_spectrum_make(&s, row, other, LASER_SPECTRUM_BINS / less, LASER_SPECTRUM_POINTS / less);
    s.other_label = d->n_runs == 2 ? d->runs[1].label : NULL;
    laser_text_printf(out, "%s\"%zu\":", separator, i);
    put_matrix(out, &s, for_page);
    return 1;
}

/* ---- all of them ---- */

static int less_for(size_t n)
{
    return n > VERY_MANY ? 3 : n > MANY ? 2 : 1;
}

static void put_layer(struct laser_text *out, const struct laser_drawing *d, size_t layer)
{
    const struct laser_run_matrices *list = &d->table->runs[0];
    size_t types = d->table->n_types, any = 0;
    struct laser_text text = {0};

    laser_text_puts(&text, "{");
    for (size_t k = list->start[layer * types]; k < list->start[(layer + 1) * types]; k++)
        any += (size_t)put_numbered(&text, d, list->order[k], less_for(list->n), any > 0 ? "," : "", 0);
    laser_text_puts(&text, "}");
    if (any > 0)
        put_packed(out, &text);
    else
        laser_text_puts(out, "null");
    laser_text_free(&text);
}

/* The first matrix of every type of a layer: those of the layer in which the first matrix with values is. */
static void put_first(struct laser_text *out, const struct laser_drawing *d)
{
    const struct laser_run_matrices *list = &d->table->runs[0];
    size_t types = d->table->n_types, layer = 0, any = 0, i = 0;

    while (i < list->n && !laser_spectrum_known(list->rows[i]))
        i++;
    while (i < list->n && d->table->layers[layer] != list->rows[i]->layer)
        layer++;
    for (size_t k = 0; i < list->n && k < types; k++) {
        size_t c = layer * types + k;
        if (list->start[c] < list->start[c + 1])
            any += (size_t)put_numbered(out, d, list->order[list->start[c]], less_for(list->n),
                                        any > 0 ? "," : "", 1);
    }
}

void laser_page_spectra(struct laser_text *out, const struct laser_drawing *d)
{
    laser_text_puts(out, "\"spectra\":{\"first\":{");
    put_first(out, d);
    laser_text_puts(out, "},\n\"layers\":[");
    for (size_t layer = 0; layer < d->table->n_layers; layer++) {
        laser_text_puts(out, layer > 0 ? ",\n" : "\n");
        put_layer(out, d, layer);
    }
    laser_text_puts(out, "]}");
}

/* ---- the law ---- */

struct betas {
    double list[256];
    int n;
};

static void add_betas(struct betas *betas, const struct laser_run_matrices *list)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct laser_scan_row *row = list->rows[i];
        int64_t a = row->rows, b = row->columns;
        double beta = a < b ? (double)a / (double)b : (double)b / (double)a;
        int known = !laser_spectrum_known(row);

        for (int j = 0; j < betas->n; j++)
            known |= betas->list[j] == beta;
        if (!known && betas->n < 256)
            betas->list[betas->n++] = beta;
    }
}

void laser_page_curves(struct laser_text *out, const struct laser_drawing *d)
{
    struct betas betas = {.n = 0};
    double u[LASER_NOISE_CURVE], f[LASER_NOISE_CURVE];

    add_betas(&betas, &d->table->runs[0]);
    laser_text_puts(out, "\"curves\":[");
    for (int i = 0; i < betas.n; i++) {
        laser_noise_density(betas.list[i], u, f);
        laser_text_printf(out, "%s\n{\"beta\":%.9g,\"u\":[", i > 0 ? "," : "", betas.list[i]);
        for (int j = 0; j < LASER_NOISE_CURVE; j++)
            laser_text_printf(out, j > 0 ? ",%.6g" : "%.6g", u[j]);
        laser_text_puts(out, "],\"f\":[");
        for (int j = 0; j < LASER_NOISE_CURVE; j++)
            laser_text_printf(out, j > 0 ? ",%.6g" : "%.6g", f[j]);
        laser_text_puts(out, "]}");
    }
    laser_text_fill(out, ']', 1);
}
