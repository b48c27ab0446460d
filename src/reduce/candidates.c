#include "reduce/reduce.h"

#include <stdlib.h>
#include <string.h>

#include "arch/family.h"
#include "checkpoint/encode.h"
#include "reduce/screen.h"
#include "store/parts.h"

/* laserRMT rmt_laser.py goes through these types, in this order, and through no others. */
static const char *const backward_types[] = {"mlp.down_proj",
                                             "mlp.up_proj",
                                             "self_attn.q_proj",
                                             "self_attn.k_proj",
                                             "self_attn.v_proj",
                                             "self_attn.o_proj",
                                             "*"};

static void fill_options(const struct laser_run *run, struct laser_strategy_options *o)
{
    const struct laser_settings *settings = run->settings;

    *o = (struct laser_strategy_options){.strategy = settings->reduce.strategy,
                                         .rule = settings->scan.threshold,
                                         .candidates = (int)settings->reduce.candidates,
                                         .together = run->change != NULL,
                                         .types = settings->reduce.types.items,
                                         .n_types = settings->reduce.types.count,
                                         .layers = settings->reduce.layers.items,
                                         .n_layers = settings->reduce.layers.count,
                                         .fractions = settings->reduce.fractions.items,
                                         .n_fractions = settings->reduce.fractions.count,
                                         .edits = settings->reduce.edits.items,
                                         .n_edits = settings->reduce.edits.count};
    if (laser_strategy_row(o->strategy)->by_depth && o->n_types == 0) {
        o->types = backward_types;
        o->n_types = (int)(sizeof backward_types / sizeof *backward_types) -
                     (settings->reduce.accept == LASER_DECK_ACCEPT_LASERRMT);
    }
}

/* Are there both of two tables that the model ties?  Which one counts is up to who loads it. */
static bool ambiguous(const struct laser_checkpoint *c, const struct laser_tensor *t)
{
    const struct laser_end_names *ends = laser_arch_ends();
    int n_stored = 0;
    bool is_one = false;

    if (!json_is_true(json_object_get(c->config, "tie_word_embeddings")))
        return false;
    for (int i = 0; i < ends[0].n + ends[1].n; ++i) {
        const char *name = i < ends[0].n ? ends[0].names[i] : ends[1].names[i - ends[0].n];

        n_stored += laser_checkpoint_find(c, name) != NULL;
        is_one = is_one || strcmp(t->name, name) == 0;
    }
    return is_one && n_stored > 1;
}

bool laser_reduction_usable(const struct laser_run *run, int64_t i)
{
    const struct laser_matrix *m = &run->matrices.matrices[i];
    const struct laser_tensor *t = &run->checkpoint->tensors[m->tensor];

    return run->outcomes[i].status == LASER_OUTCOME_SCANNED && laser_matrix_encodes(run->checkpoint, m) &&
           t->n_dims >= 2 && !ambiguous(run->checkpoint, t) &&
           !laser_arch_is_beside(run->checkpoint->config, t->name);
}

static int build_plan(struct laser_reduction_trials *t, int *n_unusable, struct laser_error *err)
{
    struct laser_run *run = t->setup->run;
    int n = (int)run->matrices.n_matrices, code;
    struct laser_strategy_matrix *m = calloc((size_t)n + 1, sizeof *m);
    enum laser_score score = run->settings->scan.score;
    struct laser_strategy_options options;

    if (m == NULL)
        return laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %d matrices", n);
    for (int i = 0; i < n; ++i) {
        m[i] = (struct laser_strategy_matrix){.name = run->matrices.matrices[i].name,
                                              .type = run->matrices.matrices[i].type,
                                              .layer = run->matrices.matrices[i].layer,
                                              .rows = run->matrices.matrices[i].rows,
                                              .columns = run->matrices.matrices[i].cols,
                                              .rank = 1,
                                              .usable = true};
        if (run->outcomes != NULL) {
            m[i].score = laser_score_of(score, &run->outcomes[i].metrics.cut);
            m[i].rank = run->outcomes[i].metrics.cut.k;
            m[i].usable = laser_reduction_usable(run, i);
        }
        *n_unusable += !m[i].usable;
    }
    fill_options(run, &options);
    code = laser_sweep_is(t->setup)
               ? laser_reduction_sweep_plan(run, &options, m, n, &t->plan, &t->cells, err)
               : laser_strategy_build(&options, m, n, &t->plan, err);
    free(m);
    return code;
}

int laser_reduction_count(struct laser_reduction_trials *t, int *n, struct laser_error *err)
{
    int n_unusable = 0, code = build_plan(t, &n_unusable, err);

    *n = t->plan.n_trials;
    return code;
}

int laser_edit_ranks(const struct laser_run *run, const struct laser_strategy_plan *plan, int64_t **ranks,
                     struct laser_error *err)
{
    *ranks = calloc((size_t)plan->n_edits + 1, sizeof **ranks);
    if (*ranks == NULL)
        return laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %d edits", plan->n_edits);
    for (int e = 0; e < plan->n_edits; ++e) {
        const struct laser_strategy_edit *edit = &plan->edits[e];
        const struct laser_outcome *o = &run->outcomes[edit->matrix];
        double *sigma = malloc((size_t)o->values.count * sizeof *sigma + 1);
        int code = sigma == NULL ? laser_error_set(err, LASER_ENOMEM, "reduce", "no memory")
                                 : laser_part_read(run->output, &o->values, sigma, err);
        if (code == LASER_OK)
            code = laser_edit_values(run, &edit->what, &run->matrices.matrices[edit->matrix], sigma, sigma,
                                     &(*ranks)[e], err);
        free(sigma);
        if (code != LASER_OK)
            return code;
    }
    return LASER_OK;
}

int laser_reduction_plan(struct laser_reduction_trials *t, struct laser_error *err)
{
    const struct laser_run *run = t->setup->run;
    int n_unusable = 0, code = build_plan(t, &n_unusable, err);

    if (code == LASER_OK)
        code = laser_edit_ranks(run, &t->plan, &t->ranks, err);
    if (code != LASER_OK)
        return code;
    if (n_unusable > 0)
        laser_log_line(run->log, "CANDIDATES",
                       "%d matrices are left as they are: not scanned, one-dimensional, scaled (fp8), "
                       "stored twice though the model ties them, or no part of the language model",
                       n_unusable);
    if (t->plan.n_candidates == 0)
        laser_log_line(run->log, "CANDIDATES",
                       "none: the rule %s removes nothing from any of the matrices (%d looked at); the "
                       "model is written as it is",
                       run->settings->scan.threshold, t->plan.n_no_op);
    return LASER_OK;
}
