#include "compress/ranks.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* One matrix, or the matrices of a group: its sizes and losses.  Level 0 is dense, level j the rank
 * (count - j) * multiple: each level is smaller than the one before and costs more. */
struct unit {
    int64_t group, levels; /* levels below dense */
    int64_t cost;          /* parameters of one more rank */
    int64_t dense;         /* parameters */
    double *loss;          /* [levels + 1] */
};

/* A move of a unit from one level to a lower one. */
struct step {
    double rate; /* loss per parameter saved */
    int64_t unit, from, to;
};

struct choice {
    const struct laser_rank_matrix *matrices;
    int64_t n, n_units, n_steps;
    const struct laser_rank_options *options;
    struct unit *units;
    int64_t *unit_of; /* [n] */
    int64_t *level;   /* [n_units] */
    struct step *steps;
    double *losses; /* memory of all unit.loss */
    struct laser_error *err;
};

static int64_t shorter(const struct laser_rank_matrix *m)
{
    return m->rows < m->columns ? m->rows : m->columns;
}

static int64_t rank_at(const struct choice *c, const struct unit *u, int64_t level)
{
    return level == 0 ? LASER_RANK_DENSE : (u->levels + 1 - level) * c->options->multiple;
}

static int64_t size_at(const struct choice *c, const struct unit *u, int64_t level)
{
    return level == 0 ? u->dense : rank_at(c, u, level) * u->cost;
}

static int check(const struct choice *c)
{
    const struct laser_rank_options *o = c->options;

    if (o->multiple < 1)
        return laser_error_set(c->err, LASER_EUSAGE, NULL, "ranks that are multiples of %" PRId64,
                               o->multiple);
    if (!(o->value >= 0) || (o->target == LASER_TARGET_REMOVE && !(o->value < 1)))
        return laser_error_set(c->err, LASER_EUSAGE, NULL, "a target of %g: expected %s", o->value,
                               o->target == LASER_TARGET_REMOVE ? "a share from 0 to below 1" : "0 or more");
    for (int64_t i = 0; i < c->n; ++i) {
        const struct laser_rank_matrix *m = &c->matrices[i];
        for (int64_t k = 0; k < shorter(m); ++k)
            if (!isfinite(m->s[k]) || m->s[k] < 0 || (k > 0 && m->s[k] > m->s[k - 1]))
                return laser_error_set(c->err, LASER_ENUMERIC, m->name,
                                       "value %" PRId64 " of its spectrum is %g after %g: expected finite "
                                       "values, largest first",
                                       k, m->s[k], k > 0 ? m->s[k - 1] : INFINITY);
        if (!isfinite(m->coefficient) || m->coefficient < 0)
            return laser_error_set(c->err, LASER_ENUMERIC, m->name, "its coefficient is %g", m->coefficient);
    }
    return LASER_OK;
}

struct grouped {
    int64_t group, matrix;
};

static int by_group(const void *a, const void *b)
{
    const struct grouped *x = a, *y = b;

    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return x->matrix < y->matrix ? -1 : x->matrix > y->matrix;
}

/* Units in the order of their first matrices. */
static int make_units(struct choice *c)
{
    struct grouped *order = malloc(((size_t)c->n + 1) * sizeof *order);
    int64_t grouped = 0;

    c->units = calloc((size_t)c->n + 1, sizeof *c->units);
    c->unit_of = malloc(((size_t)c->n + 1) * sizeof *c->unit_of);
    c->level = calloc((size_t)c->n + 1, sizeof *c->level);
    if (order == NULL || c->units == NULL || c->unit_of == NULL || c->level == NULL) {
        free(order);
        return laser_error_set(c->err, LASER_ENOMEM, NULL, "no memory for the ranks of %" PRId64 " matrices",
                               c->n);
    }
    for (int64_t i = 0; i < c->n; ++i) {
        c->unit_of[i] = i; /* first matrix of its group */
        if (c->matrices[i].group >= 0)
            order[grouped++] = (struct grouped){c->matrices[i].group, i};
    }
    qsort(order, (size_t)grouped, sizeof *order, by_group);
    for (int64_t i = 1; i < grouped; ++i)
        if (order[i].group == order[i - 1].group)
            c->unit_of[order[i].matrix] = c->unit_of[order[i - 1].matrix];
    for (int64_t i = 0; i < c->n; ++i)
        c->unit_of[i] = c->unit_of[i] == i ? c->n_units++ : c->unit_of[c->unit_of[i]];
    free(order);
    return LASER_OK;
}

/* How far down a unit can go: ranks that every matrix has and that save something. */
static void measure_units(struct choice *c)
{
    for (int64_t i = 0; i < c->n; ++i) {
        const struct laser_rank_matrix *m = &c->matrices[i];
        struct unit *u = &c->units[c->unit_of[i]];
        u->cost += m->rows + m->columns;
        u->dense += m->rows * m->columns;
        u->levels = u->levels == 0 || shorter(m) < u->levels ? shorter(m) : u->levels;
    }
    for (int64_t i = 0; i < c->n_units; ++i) {
        struct unit *u = &c->units[i];
        int64_t most = (u->dense - 1) / u->cost;
        u->levels = (most < u->levels ? most : u->levels) / c->options->multiple;
    }
}

/* loss[j]: what level j costs, each matrix's values summed from the smallest. */
static int sum_losses(struct choice *c)
{
    size_t count = 0;

    for (int64_t i = 0; i < c->n_units; ++i)
        count += (size_t)c->units[i].levels + 1;
    c->losses = calloc(count + 1, sizeof *c->losses);
    c->steps = malloc((count + 1) * sizeof *c->steps);
    if (c->losses == NULL || c->steps == NULL)
        return laser_error_set(c->err, LASER_ENOMEM, NULL, "no memory for %zu levels", count);
    count = 0;
    for (int64_t i = 0; i < c->n_units; ++i) {
        c->units[i].loss = c->losses + count;
        count += (size_t)c->units[i].levels + 1;
    }
    for (int64_t i = 0; i < c->n; ++i) {
        const struct laser_rank_matrix *m = &c->matrices[i];
        struct unit *u = &c->units[c->unit_of[i]];
        double sum = 0;
        for (int64_t k = shorter(m) - 1, level = 1; level <= u->levels; ++level) {
            for (; k >= rank_at(c, u, level); --k)
                sum += m->s[k] * m->s[k];
            u->loss[level] += m->coefficient * sum;
        }
    }
    return LASER_OK;
}

static double rate_of(const struct choice *c, const struct unit *u, int64_t from, int64_t to)
{
    return (u->loss[to] - u->loss[from]) / (double)(size_at(c, u, from) - size_at(c, u, to));
}

/* The steps along the lower convex hull of loss over size: their rates never fall. */
static void make_steps(struct choice *c)
{
    for (int64_t i = 0; i < c->n_units; ++i) {
        const struct unit *u = &c->units[i];
        int64_t first = c->n_steps;

        for (int64_t level = 1; level <= u->levels; ++level) {
            int64_t from = level - 1;
            while (c->n_steps > first &&
                   rate_of(c, u, c->steps[c->n_steps - 1].from, level) <= c->steps[c->n_steps - 1].rate)
                from = c->steps[--c->n_steps].from;
            c->steps[c->n_steps++] = (struct step){rate_of(c, u, from, level), i, from, level};
        }
    }
}

static int by_rate(const void *a, const void *b)
{
    const struct step *x = a, *y = b;

    if (x->rate != y->rate)
        return x->rate < y->rate ? -1 : 1;
    if (x->unit != y->unit)
        return x->unit < y->unit ? -1 : 1;
    return x->from < y->from ? -1 : x->from > y->from;
}

static int refuse(const struct choice *c, int64_t smallest, int64_t all, int64_t wanted)
{
    return laser_error_set(
        c->err, LASER_EUSAGE, NULL,
        "the target of %" PRId64 " parameters (%.4g %% removed) cannot be met: the smallest "
        "size is %" PRId64 " of %" PRId64 " parameters (%.4g %% removed), every matrix at its "
        "lowest rank",
        wanted, 100 * (1 - (double)wanted / (double)all), smallest, all,
        100 * (1 - (double)smallest / (double)all));
}

/* The largest number of parameters that the target allows. */
static int64_t allowed(const struct choice *c, int64_t all)
{
    double value = c->options->value;

    if (c->options->target == LASER_TARGET_REMOVE)
        return all - (int64_t)ceil(value * (double)all * (1 - 1e-12)); /* 0.2 is a little above a fifth */
    return value < (double)all ? (int64_t)value : all;
}

static int64_t all_parameters(const struct choice *c, int64_t *smallest)
{
    int64_t all = 0;

    *smallest = 0;
    for (int64_t i = 0; i < c->n_units; ++i) {
        all += c->units[i].dense;
        *smallest += size_at(c, &c->units[i], c->units[i].levels);
    }
    return all;
}

/* Gives back what the last step saved beyond the target, a rank at a time, where it gains most for its size.
 */
static void give_back(struct choice *c, int64_t size, int64_t limit)
{
    for (int64_t best = 0; best >= 0 && size < limit;) {
        double most = -1;

        best = -1;
        for (int64_t i = 0; i < c->n_units; ++i) {
            const struct unit *u = &c->units[i];
            int64_t level = c->level[i];
            if (level == 0 || size + size_at(c, u, level - 1) - size_at(c, u, level) > limit)
                continue;
            if (rate_of(c, u, level - 1, level) >= most) { /* equal: the later one, which gave last */
                most = rate_of(c, u, level - 1, level);
                best = i;
            }
        }
        if (best >= 0) {
            const struct unit *u = &c->units[best];
            size += size_at(c, u, c->level[best] - 1) - size_at(c, u, c->level[best]);
            --c->level[best];
        }
    }
}

static int choose_by_rate(struct choice *c)
{
    int64_t smallest, size = all_parameters(c, &smallest), all = size, limit = allowed(c, all);
    bool rise = c->options->target == LASER_TARGET_RISE;
    double loss = 0;

    if (!rise && smallest > limit)
        return refuse(c, smallest, all, limit);
    qsort(c->steps, (size_t)c->n_steps, sizeof *c->steps, by_rate);
    for (int64_t i = 0; i < c->n_steps && (rise || size > limit); ++i) {
        const struct step *s = &c->steps[i];
        const struct unit *u = &c->units[s->unit];
        loss += u->loss[s->to] - u->loss[s->from];
        if (rise && loss / 2 > c->options->value)
            break;
        size -= size_at(c, u, s->from) - size_at(c, u, s->to);
        c->level[s->unit] = s->to;
    }
    if (!rise)
        give_back(c, size, limit);
    return LASER_OK;
}

/* Levels that leave `share` of every unit's parameters, at most; returns their size, and their loss. */
static int64_t set_uniform(struct choice *c, double share, double *loss)
{
    int64_t size = 0;

    *loss = 0;
    for (int64_t i = 0; i < c->n_units; ++i) {
        const struct unit *u = &c->units[i];
        int64_t k = (int64_t)(share * (double)u->dense / (double)u->cost) / c->options->multiple;
        int64_t level = u->levels + 1 - k;

        c->level[i] = share >= 1 || level < 0 ? 0 : level > u->levels ? u->levels : level;
        size += size_at(c, u, c->level[i]);
        *loss += u->loss[c->level[i]];
    }
    return size;
}

static int choose_uniform(struct choice *c)
{
    int64_t smallest, all = all_parameters(c, &smallest), limit = allowed(c, all), size;
    bool rise = c->options->target == LASER_TARGET_RISE;
    double low = 0, high = 1, loss;

    if (!rise && smallest > limit)
        return refuse(c, smallest, all, limit);
    size = set_uniform(c, 1, &loss);
    if (rise || size <= limit) /* everything dense is within it */
        low = rise ? 0 : 1;
    for (int step = 0; step < 60 && low < high; ++step) {
        double middle = (low + high) / 2;
        size = set_uniform(c, middle, &loss);
        if (rise ? loss / 2 > c->options->value : size <= limit)
            low = middle;
        else
            high = middle;
    }
    /* removing: low is within the target; a rise: high is */
    set_uniform(c, rise ? high : low, &loss);
    return LASER_OK;
}

void laser_ranks_summarise(const struct laser_rank_matrix *matrices, int64_t n, const int64_t *ranks,
                           struct laser_rank_summary *summary)
{
    double rate = summary->rate;

    *summary = (struct laser_rank_summary){.rate = rate};
    for (int64_t i = 0; i < n; ++i) {
        const struct laser_rank_matrix *m = &matrices[i];
        double loss = 0;

        summary->parameters_before += m->rows * m->columns;
        summary->dense += ranks[i] == LASER_RANK_DENSE;
        summary->parameters_after +=
            ranks[i] == LASER_RANK_DENSE ? m->rows * m->columns : ranks[i] * (m->rows + m->columns);
        for (int64_t k = shorter(m) - 1; ranks[i] != LASER_RANK_DENSE && k >= ranks[i]; --k)
            loss += m->s[k] * m->s[k];
        summary->rise += m->coefficient * loss / 2;
    }
}

static void write_ranks(struct choice *c, int64_t *ranks, struct laser_rank_summary *summary)
{
    summary->rate = 0;
    for (int64_t i = 0; i < c->n_steps; ++i) {
        const struct step *s = &c->steps[i];
        if (c->level[s->unit] >= s->to && s->rate > summary->rate)
            summary->rate = s->rate;
    }
    for (int64_t i = 0; i < c->n; ++i)
        ranks[i] = rank_at(c, &c->units[c->unit_of[i]], c->level[c->unit_of[i]]);
    laser_ranks_summarise(c->matrices, c->n, ranks, summary);
}

int laser_ranks_choose(const struct laser_rank_matrix *matrices, int64_t n,
                       const struct laser_rank_options *options, int64_t *ranks,
                       struct laser_rank_summary *summary, struct laser_error *err)
{
    struct choice c = {.matrices = matrices, .n = n, .options = options, .err = err};
    int code = check(&c);

    if (code == LASER_OK)
        code = make_units(&c);
    if (code == LASER_OK) {
        measure_units(&c);
        code = sum_losses(&c);
    }
    if (code == LASER_OK) {
        make_steps(&c);
        code = options->rule == LASER_RANKS_UNIFORM ? choose_uniform(&c) : choose_by_rate(&c);
    }
    if (code == LASER_OK)
        write_ranks(&c, ranks, summary);
    free(c.units);
    free(c.unit_of);
    free(c.level);
    free(c.losses);
    free(c.steps);
    return code;
}
