#include "evaluate/divergence.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "base/number.h"
#include "run/log.h"

/* The windows of some parts, sorted by text, with what both models say. */
struct gathered {
    struct laser_window *windows;
    struct laser_window_nll *base, *other;
    int64_t *counts, *starts; /* scored tokens of each; where its tokens begin */
    struct laser_token_divergence *tokens, *sorted;
    int64_t n, n_tokens;
};

void laser_divergences_free(struct laser_divergences *d)
{
    free(d->each);
    free(d->paired);
    memset(d, 0, sizeof *d);
}

static void drop(struct gathered *g)
{
    free(g->windows);
    free(g->base);
    free(g->other);
    free(g->counts);
    free(g->starts);
    free(g->tokens);
    free(g->sorted);
}

static const struct laser_window *window_of(const struct laser_evaluation *e, int64_t item)
{
    return &e->windows[e->items[item]];
}

/* Is it a window of one of the parts? */
static bool is_window(const struct laser_evaluation *e, unsigned parts, int64_t item)
{
    int part = 0;

    while (item >= e->part_item[part + 1])
        ++part;
    return e->items[item] >= 0 && (parts >> part & 1u);
}

int64_t laser_parts_windows(const struct laser_evaluation *e, unsigned parts)
{
    int64_t n = 0;

    for (int64_t i = 0; i < e->n_items; ++i)
        n += is_window(e, parts, i);
    return n;
}

/* Tokens of all batches of the parts, in the order of the items. */
static int read_tokens(const struct laser_evaluation *e, const struct laser_beside *beside, unsigned parts,
                       struct gathered *g, struct laser_error *err)
{
    int64_t at = 0;
    int code = LASER_OK;

    for (int64_t b = 0; code == LASER_OK && b < e->n_batches; ++b) {
        int64_t n = 0;
        if (!is_window(e, parts, e->batches[b].first))
            continue;
        for (int32_t i = 0; i < e->batches[b].n; ++i)
            n += window_of(e, e->batches[b].first + i)->n_scored;
        code = laser_beside_read(beside, b, n, g->tokens + at, err);
        at += n;
    }
    return code;
}

static int make_room(struct gathered *g, struct laser_error *err)
{
    size_t room = (size_t)g->n + 1;

    g->windows = calloc(room, sizeof *g->windows);
    g->base = calloc(room, sizeof *g->base);
    g->other = calloc(room, sizeof *g->other);
    g->counts = calloc(room, sizeof *g->counts);
    g->starts = calloc(room, sizeof *g->starts);
    g->tokens = malloc((size_t)g->n_tokens * sizeof *g->tokens + 1);
    g->sorted = malloc((size_t)g->n_tokens * sizeof *g->sorted + 1);
    if (g->windows == NULL || g->base == NULL || g->other == NULL || g->counts == NULL || g->starts == NULL ||
        g->tokens == NULL || g->sorted == NULL)
        return laser_error_set(err, LASER_ENOMEM, "divergence", "no memory for %" PRId64 " tokens",
                               g->n_tokens);
    return LASER_OK;
}

/* The windows of one text among the items behind those of the texts before; returns how many are there now. */
static int64_t take_text(const struct laser_evaluation *e, int32_t dataset, unsigned parts,
                         const struct laser_item_score *base, const struct laser_item_score *other,
                         struct gathered *g, int64_t n, int64_t *token)
{
    for (int64_t i = 0, k = 0; i < e->n_items; ++i) {
        const struct laser_window *w;
        if (!is_window(e, parts, i))
            continue;
        w = window_of(e, i);
        if (w->dataset == dataset) {
            memcpy(g->sorted + *token, g->tokens + g->starts[k], (size_t)w->n_scored * sizeof *g->sorted);
            *token += w->n_scored;
            g->windows[n] = *w;
            g->base[n] = base[i].window;
            g->other[n] = other[i].window;
            g->counts[n++] = w->n_scored;
        }
        ++k;
    }
    return n;
}

static int gather(const struct laser_evaluation *e, const struct laser_beside *beside, unsigned parts,
                  const struct laser_item_score *base, const struct laser_item_score *other,
                  struct gathered *g, struct laser_error *err)
{
    int64_t n = 0, token = 0;
    int code;

    for (int64_t i = 0; i < e->n_items; ++i)
        if (is_window(e, parts, i)) {
            ++g->n;
            g->n_tokens += window_of(e, i)->n_scored;
        }
    code = make_room(g, err);
    if (code == LASER_OK)
        code = read_tokens(e, beside, parts, g, err);
    if (code != LASER_OK)
        return code;
    for (int64_t i = 0, at = 0; i < e->n_items; ++i)
        if (is_window(e, parts, i)) {
            g->starts[n++] = at;
            at += window_of(e, i)->n_scored;
        }
    n = 0;
    for (int32_t d = 0; d < e->n_datasets; ++d)
        n = take_text(e, d, parts, base, other, g, n, &token);
    return LASER_OK;
}

static double mean_nll(const struct laser_window_nll *nll, const int64_t *counts, int64_t n)
{
    double sum = 0, tokens = 0;

    for (int64_t i = 0; i < n; ++i) {
        sum += nll[i].sum_nats;
        tokens += (double)counts[i];
    }
    return sum / tokens;
}

/* Windows first .. first + n - 1, whose tokens begin at `token`. */
static int figures(const struct gathered *g, int64_t first, int64_t token, int64_t n,
                   struct laser_divergence *d, struct laser_paired *paired, struct laser_error *err)
{
    int code = laser_divergence_compute(g->sorted + token, g->counts + first, n, d, err);

    return code == LASER_OK ? laser_paired_compute(g->windows + first, g->base + first, g->other + first, n,
                                                   0, paired, NULL, err)
                            : code;
}

int laser_divergences_compute(const struct laser_evaluation *e, const struct laser_beside *beside,
                              unsigned parts, const struct laser_item_score *base,
                              const struct laser_item_score *other, struct laser_divergences *d,
                              struct laser_error *err)
{
    struct gathered g = {0};
    int64_t at = 0, token = 0;
    int n_texts = 0, code = gather(e, beside, parts, base, other, &g, err);

    d->n_datasets = e->n_datasets;
    d->datasets = e->datasets;
    d->each = calloc((size_t)e->n_datasets + 1, sizeof *d->each);
    d->paired = calloc((size_t)e->n_datasets + 1, sizeof *d->paired);
    if (code == LASER_OK && (d->each == NULL || d->paired == NULL))
        code = laser_error_set(err, LASER_ENOMEM, "divergence", "no memory");
    for (int32_t i = 0; code == LASER_OK && i < e->n_datasets; ++i) {
        int64_t n = 0, tokens = 0;
        for (; at + n < g.n && g.windows[at + n].dataset == i; ++n)
            tokens += g.counts[at + n];
        if (n == 0)
            continue;
        code = figures(&g, at, token, n, &d->each[i], &d->paired[i], err);
        d->macro_kl += d->each[i].kl.value;
        d->macro_nll_base += mean_nll(g.base + at, g.counts + at, n);
        d->macro_nll_other += mean_nll(g.other + at, g.counts + at, n);
        at += n;
        token += tokens;
        ++n_texts;
    }
    if (code == LASER_OK)
        code = figures(&g, 0, 0, g.n, &d->pooled, &d->pooled_paired, err);
    if (code == LASER_OK) {
        d->nll_base = mean_nll(g.base, g.counts, g.n);
        d->nll_other = mean_nll(g.other, g.counts, g.n);
        d->macro_kl /= n_texts;
        d->macro_nll_base /= n_texts;
        d->macro_nll_other /= n_texts;
    }
    drop(&g);
    return code;
}

/* "0.012345 +- 0.000123" */
static const char *figure(const struct laser_divergence_figure *f, double factor, int digits, char *text,
                          size_t size)
{
    if (isfinite(f->stderr_))
        snprintf(text, size, "%.*f +- %.*f", digits, factor * f->value, digits, factor * f->stderr_);
    else
        snprintf(text, size, "%.*f", digits, factor * f->value);
    return text;
}

static void say(struct laser_log *log, const char *name, const struct laser_divergence *d)
{
    char a[80], b[80], c[80], e[80];

    laser_log_line(log, "DIVERGENCE", "%-12s KL mean %s, median %s, 95 %% %s, 99 %% %s", name,
                   figure(&d->kl, 1, 6, a, sizeof a),
                   figure(&d->percentiles[LASER_KL_MEDIAN], 1, 6, b, sizeof b),
                   figure(&d->percentiles[LASER_KL_95], 1, 6, c, sizeof c),
                   figure(&d->percentiles[LASER_KL_99], 1, 6, e, sizeof e));
    laser_log_line(log, "DIVERGENCE", "%-12s KL 99.9 %% %s, largest %.6f; same top token %s %%", name,
                   figure(&d->percentiles[LASER_KL_999], 1, 6, a, sizeof a), d->largest,
                   figure(&d->same_top, 100, 3, b, sizeof b));
    laser_log_line(log, "DIVERGENCE", "%-12s p of the right token: mean change %s %%, rms %s %%", name,
                   figure(&d->dp, 100, 4, a, sizeof a), figure(&d->dp_rms, 100, 4, b, sizeof b));
}

void laser_divergences_say(const struct laser_divergences *d, struct laser_log *log)
{
    char change[LASER_NUMBER_SIZE];
    int texts = 0;

    if (d->vocabulary_base != d->vocabulary_other)
        laser_log_line(log, "NOTE",
                       "the vocabularies have %" PRId64 " and %" PRId64
                       " entries: distributions are compared over the first %" PRId64 ", which both have",
                       d->vocabulary_base, d->vocabulary_other,
                       d->vocabulary_base < d->vocabulary_other ? d->vocabulary_base : d->vocabulary_other);
    for (int32_t i = 0; i < d->n_datasets; ++i)
        if (d->each[i].windows > 0) {
            ++texts;
            say(log, d->datasets[i].name, &d->each[i]);
        }
    if (texts > 1)
        say(log, "pooled", &d->pooled);
    if (texts > 1)
        laser_log_line(log, "DIVERGENCE",
                       "%-12s KL mean %.6f, perplexity %.6f -> %.6f: each text the same weight", "macro",
                       d->macro_kl, exp(d->macro_nll_base), exp(d->macro_nll_other));
    laser_log_line(log, "DIVERGENCE", "%-12s perplexity %.6f -> %.6f, nll %s +- %.6f on %" PRId64 " windows",
                   "pooled", exp(d->nll_base), exp(d->nll_other),
                   laser_number_change(d->pooled_paired.difference_nats, 6, change),
                   d->pooled_paired.stderr_nats, d->pooled.windows);
}

static json_t *number(double x)
{
    return isfinite(x) ? json_real(0 + x) : json_null();
}

static json_t *figure_json(const struct laser_divergence_figure *f)
{
    return json_pack("{s:o, s:o}", "value", number(f->value), "stderr", number(f->stderr_));
}

static json_t *one_json(const struct laser_divergence *d, const struct laser_paired *p)
{
    json_t *kl = json_pack("{s:o, s:o}", "mean", figure_json(&d->kl), "largest", number(d->largest));

    for (int k = 0; k < LASER_KL_PERCENTILES; ++k)
        json_object_set_new(kl, laser_divergence_percentile_name(k), figure_json(&d->percentiles[k]));
    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "windows", (json_int_t)d->windows, "tokens",
                     (json_int_t)d->tokens, "kl", kl, "same_top", figure_json(&d->same_top), "dp",
                     figure_json(&d->dp), "dp_rms", figure_json(&d->dp_rms), "nll_difference",
                     number(p->difference_nats), "nll_difference_stderr", number(p->stderr_nats));
}

json_t *laser_divergences_json(const struct laser_divergences *d)
{
    json_t *datasets = json_object(), *pooled = one_json(&d->pooled, &d->pooled_paired), *all;

    for (int32_t i = 0; i < d->n_datasets; ++i)
        if (d->each[i].windows > 0)
            json_object_set_new(datasets, d->datasets[i].name, one_json(&d->each[i], &d->paired[i]));
    json_object_set_new(pooled, "nll_base", number(d->nll_base));
    json_object_set_new(pooled, "nll_other", number(d->nll_other));
    all = json_pack("{s:o, s:o, s:{s:o, s:o, s:o}, s:I, s:I}", "pooled", pooled, "datasets", datasets,
                    "macro", "kl", number(d->macro_kl), "nll_base", number(d->macro_nll_base), "nll_other",
                    number(d->macro_nll_other), "vocabulary_base", (json_int_t)d->vocabulary_base,
                    "vocabulary_other", (json_int_t)d->vocabulary_other);
    return all;
}
