/* The keep rule: how much better an edit must be that is the best of many, whether what selects can tell at
 * all, and what the report part says of what was kept.
 */
#include <inttypes.h>
#include <math.h>

#include "base/mcnemar.h"
#include "reduce/reduce.h"
#include "search/line.h"

const char *laser_reduction_items(const struct laser_reduction_setup *setup)
{
    bool text = laser_objective_has_text(&setup->e->objective), questions = false;

    for (int k = 0; k < LASER_TASK_KINDS; ++k)
        questions = questions || laser_objective_has_kind(&setup->e->objective, (enum laser_task_kind)k);
    return text && questions ? "items" : questions ? "questions" : "windows";
}

static bool is_share(const struct laser_reduction_setup *setup)
{
    return laser_objective_share(&setup->e->objective) >= 0;
}

/* Shares have four digits: ten thousand questions would be many. */
char *laser_reduction_figure(const struct laser_reduction_setup *setup, double value,
                             char text[LASER_NUMBER_SIZE])
{
    return laser_number_fixed(value, is_share(setup) ? 4 : 6, text);
}

char *laser_reduction_change(const struct laser_reduction_setup *setup, double change,
                             char text[LASER_NUMBER_SIZE])
{
    return laser_number_change(change, is_share(setup) ? 4 : 6, text);
}

/* Nothing that was tried can pass: said before the work. */
static void warn_of_too_few(const struct laser_reduction_setup *setup, const struct laser_keep_rule *rule)
{
    const char *items = laser_reduction_items(setup);
    int64_t fewest = laser_mcnemar_fewest(laser_normal_tail(rule->z));

    if (rule->n_selecting >= fewest)
        return;
    if (rule->accept == LASER_ACCEPT_MCNEMAR)
        laser_log_line(setup->run->log, "WARNING",
                       "no edit can be kept: %" PRId64 " %s select, and at this level %" PRId64
                       " must change for the better and none for the worse; let more of them select, or "
                       "try fewer edits",
                       rule->n_selecting, items, fewest);
    else if (rule->n_selecting < 2)
        laser_log_line(setup->run->log, "WARNING",
                       "no edit can be kept: one of the %s selects, and a difference on one has no "
                       "standard error; let more of them select",
                       items);
    else
        laser_log_line(setup->run->log, "WARNING",
                       "only %" PRId64 " %s select: the standard error of so few is a rough one, and chance "
                       "passes more often than the rule says; %" PRId64 " or more are needed",
                       rule->n_selecting, items, fewest);
}

int laser_keep_rule_tried(const struct laser_reduction_trials *t)
{
    return laser_tune_is(t->setup) ? (int)t->setup->run->settings->reduce.rounds * LASER_LINE_MOST
                                   : t->plan.n_trials;
}

struct laser_keep_rule laser_keep_rule_of(const struct laser_reduction_trials *t,
                                          const struct laser_search_plan *plan)
{
    const struct laser_keep_rule rule = {plan->accept, plan->z, plan->n_windows};
    struct laser_log *log = t->setup->run->log;
    double chance = laser_normal_tail(plan->z);

    if (plan->n_candidates == 0)
        return rule;
    if (plan->accept == LASER_ACCEPT_MCNEMAR)
        laser_log_line(log, "RULE",
                       "%d edits are tried: one is kept if the exact one-sided McNemar test of the questions "
                       "that it changes is below %.2g (z %.2f)",
                       laser_keep_rule_tried(t), chance, plan->z);
    else if (plan->accept == LASER_ACCEPT_PAIRED)
        laser_log_line(log, "RULE",
                       "%d edits are tried: one is kept if it is better by more than z = %.2f standard "
                       "errors (by chance: %.2g)",
                       laser_keep_rule_tried(t), plan->z, chance);
    if (plan->accept == LASER_ACCEPT_MCNEMAR || plan->accept == LASER_ACCEPT_PAIRED)
        warn_of_too_few(t->setup, &rule);
    return rule;
}

/* What is right already cannot be mended. */
void laser_keep_rule_check_base(const struct laser_run *run, const struct laser_keep_rule *rule,
                                const double *losses)
{
    int64_t wrong = 0, fewest = laser_mcnemar_fewest(laser_normal_tail(rule->z));

    if (rule->accept != LASER_ACCEPT_MCNEMAR || losses == NULL || rule->n_selecting < fewest)
        return;
    for (int64_t i = 0; i < rule->n_selecting; ++i)
        wrong += losses[i] > 0;
    if (wrong < fewest)
        laser_log_line(run->log, "WARNING",
                       "no edit can be kept: of %" PRId64 " questions that select %" PRId64
                       " are wrong, and at this level at least %" PRId64 " must be mended",
                       rule->n_selecting, wrong, fewest);
}

json_t *laser_keep_rule_json(const struct laser_reduction_search *s)
{
    const struct laser_keep_rule *rule = &s->rule;
    bool exact = rule->accept == LASER_ACCEPT_MCNEMAR;

    if (!exact && rule->accept != LASER_ACCEPT_PAIRED)
        return NULL;
    return json_pack("{s:s, s:f, s:f, s:i, s:I}", "test", exact ? "mcnemar" : "paired", "z", rule->z,
                     "chance", laser_normal_tail(rule->z), "edits_tried", laser_keep_rule_tried(s->trials),
                     "selecting", (json_int_t)rule->n_selecting);
}

const char *laser_reduction_verdict(const struct laser_reduction_setup *setup, const struct laser_reported *x)
{
    enum laser_verdict v = is_share(setup) ? laser_verdict_counts(x->better, x->worse)
                                           : laser_verdict_paired(x->difference, x->error);

    if (v == LASER_VERDICT_SAME)
        return is_share(setup) ? "no difference (exact McNemar test)"
                               : "no difference beyond two standard errors";
    return v == LASER_VERDICT_BETTER ? "a gain" : "a loss";
}
