#include <string.h>

#include "base/json_text.h"
#include "report/draw_spectrum.h"
#include "report/page_json.h"
#include "report/page_pack.h"

/* Beyond so many matrices each is drawn from fewer points. */
enum { MANY = 2000, VERY_MANY = 8000 };

/* What is being written. */
struct spectra {
    const struct laser_drawing *d;
    const struct laser_run_matrices *list; /* of the first run */
    int fewer;                             /* points and bins are divided by this */
    struct laser_line_templates templates;
};

static void draw(struct laser_text *svg, const struct laser_spectrum *s,
                 void (*figure)(struct laser_figure *, const struct laser_spectrum *))
{
    struct laser_figure f = {0};

    figure(&f, s);
    laser_figure_embed(svg, &f, "panel", "spectrum");
    laser_figure_free(&f);
}

/* The spectrum of matrix i; 0 where it has no values. */
static int make(const struct spectra *w, size_t i, struct laser_spectrum *s)
{
    const struct laser_matrix_table *t = w->d->table;
    const struct laser_scan_row *row = w->list->rows[i], *other = NULL;

    if (!laser_spectrum_known(row))
        return 0;
    if (t->n_runs == 2) {
        size_t j = laser_matrix_find(&t->runs[1], row->name);
        other = j < t->runs[1].n ? t->runs[1].rows[j] : NULL;
    }
    laser_spectrum_make(s, row, other, LASER_SPECTRUM_BINS / w->fewer, LASER_SPECTRUM_POINTS / w->fewer);
    s->other_label = t->n_runs == 2 ? w->d->runs[1].label : NULL;
    return 1;
}

/* [low, high, level, edge, compat, threshold, beyond],[counts],[ranks],[values] */
static void put_numbers(struct laser_text *out, const struct laser_spectrum_bins *b)
{
    const double heads[] = {b->low, b->high, b->level, b->edge, b->compat, b->threshold};

    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        laser_text_puts(out, i > 0 ? "," : "[");
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
    laser_text_puts(out, "]");
}

/* [[matrix, ...], [density, ...], [values by rank, ...], [[numbers], ...]]: like things side by side, which packs best. */
static void put_layer(struct laser_text *out, struct spectra *w, size_t layer)
{
    struct laser_text parts[4] = {{0}, {0}, {0}, {0}}, all = {0};
    size_t types = w->d->table->n_types, any = 0;

    for (size_t k = w->list->start[layer * types]; k < w->list->start[(layer + 1) * types]; k++) {
        struct laser_text svg[2] = {{0}, {0}};
        struct laser_spectrum s;
        if (!make(w, w->list->order[k], &s))
            continue;
        draw(&svg[0], &s, laser_draw_density_figure);
        draw(&svg[1], &s, laser_draw_values_figure);
        laser_text_printf(&parts[0], "%s%zu", any > 0 ? "," : "", w->list->order[k]);
        for (int i = 0; i < 2; i++) {
            parts[1 + i].failed |= svg[i].failed;
            laser_text_puts(&parts[1 + i], any > 0 ? ",\"" : "\"");
            if (!svg[i].failed)
                laser_line_templates_encode(&w->templates, svg[i].data, &parts[1 + i]);
            laser_text_puts(&parts[1 + i], "\"");
            laser_text_free(&svg[i]);
        }
        laser_text_puts(&parts[3], any++ > 0 ? ",[" : "[");
        put_numbers(&parts[3], &s.bins);
        laser_text_puts(&parts[3], "]");
    }
    for (int i = 0; i < 4; i++) {
        all.failed |= parts[i].failed;
        laser_text_printf(&all, "%s[%s]", i > 0 ? "," : "[",
                          parts[i].data != NULL && !parts[i].failed ? parts[i].data : "");
        laser_text_free(&parts[i]);
    }
    laser_text_puts(&all, "]");
    if (any > 0)
        laser_pack_put(out, &all);
    else
        laser_text_puts(out, "null");
    out->failed |= all.failed;
    laser_text_free(&all);
}

/* `"I":[density,values,numbers...]` of the first matrix of every type of a layer: that of the first matrix with values. */
static void put_first(struct laser_text *out, const struct spectra *w)
{
    size_t types = w->d->table->n_types, layer = 0, any = 0, i = 0;

    while (i < w->list->n && !laser_spectrum_known(w->list->rows[i]))
        i++;
    while (i < w->list->n && w->d->table->layers[layer] != w->list->rows[i]->layer)
        layer++;
    for (size_t c = layer * types; i < w->list->n && c < (layer + 1) * types; c++) {
        size_t first = w->list->order[w->list->start[c]];
        struct laser_text svg[2] = {{0}, {0}};
        struct laser_spectrum s;
        if (w->list->start[c] == w->list->start[c + 1] || !make(w, first, &s))
            continue;
        draw(&svg[0], &s, laser_draw_density_figure);
        draw(&svg[1], &s, laser_draw_values_figure);
        laser_text_printf(out, "%s\"%zu\":[", any++ > 0 ? ",\n" : "", first);
        for (int k = 0; k < 2; k++) {
            out->failed |= svg[k].failed;
            laser_page_string(out, svg[k].data);
            laser_text_puts(out, ",");
            laser_text_free(&svg[k]);
        }
        put_numbers(out, &s.bins);
        laser_text_puts(out, "]");
    }
}

static void put_templates(struct laser_text *out, const struct laser_line_templates *t)
{
    struct laser_text list = {0};

    laser_text_puts(&list, "[");
    for (size_t k = 0; k < t->n; k++) {
        laser_text_puts(&list, k > 0 ? "," : "");
        laser_json_quote(&list, t->lines[k], 0);
    }
    laser_text_puts(&list, "]");
    laser_pack_put(out, &list);
    laser_text_free(&list);
}

void laser_page_spectra(struct laser_text *out, const struct laser_drawing *d)
{
    struct spectra w = {.d = d, .list = &d->table->runs[0]};

    w.fewer = w.list->n > VERY_MANY ? 3 : w.list->n > MANY ? 2 : 1;
    laser_text_puts(out, "\"spectra\":{\"first\":{");
    put_first(out, &w);
    laser_text_puts(out, "},\n\"layers\":[");
    for (size_t layer = 0; layer < d->table->n_layers; layer++) {
        laser_text_puts(out, layer > 0 ? ",\n" : "\n");
        put_layer(out, &w, layer);
    }
    laser_text_puts(out, "],\n\"templates\":");
    put_templates(out, &w.templates);
    laser_text_puts(out, "}");
    laser_line_templates_free(&w.templates);
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
