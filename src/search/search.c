#include "search/search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mcnemar.h"

enum progress { IDLE, RUNNING, COMPLETE, GIVEN_UP };

/* Values of one state, batch by batch. */
struct evaluation {
    enum progress progress;
    double *nll, *kl;     /* n_windows each, one allocation; NULL when nothing was begun */
    unsigned char *batch; /* 0 not handed out, 1 handed out, 2 done */
    int n_handed_out;
    int n_prefix; /* batches done from the first on, without a gap */
};

struct laser_search {
    struct laser_search_plan plan;
    laser_search_decided *decided;
    void *context;
    int n_batches;
    struct evaluation base;    /* of the kept state, before the current candidate */
    struct evaluation *trials; /* plan.n_trials */
    double *first_base;        /* copy of the base's windows when it was first known */
    double first_mean;
    double best_mean;
    int *owner;  /* group that had a batch last, -1: none */
    int current; /* candidate to be decided next */
    int n_kept_candidates;
    int n_kept;
    int largest_trial; /* edits */
    int32_t kept[LASER_SEARCH_MAX_EDITS];
    int64_t batches_done;
};

static double weighted_sum(const double *x, const double *weights, int n)
{
    double sum = 0;

    for (int i = 0; i < n; ++i)
        sum += weights[i] * x[i];
    return sum;
}

static double weighted_mean(const struct laser_search *s, const double *x, int n)
{
    double weight = 0;

    for (int i = 0; i < n; ++i)
        weight += s->plan.window_weights[i];
    return weighted_sum(x, s->plan.window_weights, n) / weight;
}

/* Of the first n windows that have a divergence; NaN without any. */
static double mean_kl(const struct laser_search *s, const struct evaluation *e, int n)
{
    double sum = 0, weight = 0;

    for (int i = 0; i < n; ++i)
        if (!isnan(e->kl[i])) {
            sum += s->plan.window_weights[i] * e->kl[i];
            weight += s->plan.window_weights[i];
        }
    return sum / weight;
}

static void forget(struct evaluation *e)
{
    free(e->nll);
    free(e->batch);
    memset(e, 0, sizeof *e);
}

static int begin(const struct laser_search *s, struct evaluation *e)
{
    if (e->nll != NULL)
        return LASER_OK;
    e->nll = calloc(2 * (size_t)s->plan.n_windows + 1, sizeof *e->nll);
    e->kl = e->nll != NULL ? e->nll + s->plan.n_windows : NULL;
    e->batch = calloc((size_t)s->n_batches, 1);
    if (e->nll == NULL || e->batch == NULL) {
        forget(e);
        return LASER_ENOMEM;
    }
    e->progress = RUNNING;
    return LASER_OK;
}

static int windows_of(const struct laser_search *s, int n_batches)
{
    int n = s->plan.batch_first != NULL ? s->plan.batch_first[n_batches] : n_batches * s->plan.batch_windows;

    return n < s->plan.n_windows ? n : s->plan.n_windows;
}

static int check_plan(const struct laser_search_plan *p, struct laser_error *err)
{
    const char *where = "search plan";

    if (p->n_windows < 1 || p->batch_windows < 1 || p->batch_windows > LASER_SEARCH_MAX_BATCH)
        return laser_error_set(err, LASER_EINTERNAL, where, "%d windows in batches of %d", p->n_windows,
                               p->batch_windows);
    for (int b = 0; p->batch_first != NULL && b < p->n_batches; ++b)
        if (p->batch_first[b + 1] <= p->batch_first[b] ||
            p->batch_first[b + 1] > p->batch_first[b] + LASER_SEARCH_MAX_BATCH)
            return laser_error_set(err, LASER_EINTERNAL, where, "batch %d begins at %d, the next at %d", b,
                                   p->batch_first[b], p->batch_first[b + 1]);
    for (int c = 0; c < p->n_candidates; ++c)
        if (p->candidates[c].n_trials < 1 || p->candidates[c].first_trial < 0 ||
            p->candidates[c].first_trial + p->candidates[c].n_trials > p->n_trials)
            return laser_error_set(err, LASER_EINTERNAL, where, "candidate %d has no valid trials", c);
    for (int t = 0; t < p->n_trials; ++t) {
        const struct laser_search_trial *trial = &p->trials[t];
        if (trial->n_edits < 0 || trial->first_edit < 0 || trial->first_edit + trial->n_edits > p->n_edits)
            return laser_error_set(err, LASER_EINTERNAL, where, "trial %d has no valid edits", t);
        if (trial->n_edits > LASER_SEARCH_MAX_EDITS)
            return laser_error_set(err, LASER_EUSAGE, "reduce", "%d edits at once, at most %d are possible",
                                   trial->n_edits, LASER_SEARCH_MAX_EDITS);
    }
    return LASER_OK;
}

int laser_search_create(const struct laser_search_plan *plan, laser_search_decided *decided, void *context,
                        struct laser_search **out, struct laser_error *err)
{
    struct laser_search *s;
    int code = check_plan(plan, err);

    *out = NULL;
    if (code != LASER_OK)
        return code;
    s = calloc(1, sizeof *s);
    if (s == NULL)
        return laser_error_set(err, LASER_ENOMEM, "search", "no memory");
    s->plan = *plan;
    s->decided = decided;
    s->context = context;
    s->n_batches = plan->batch_first != NULL
                       ? plan->n_batches
                       : (plan->n_windows + plan->batch_windows - 1) / plan->batch_windows;
    s->trials = calloc((size_t)plan->n_trials + 1, sizeof *s->trials);
    s->first_base = malloc((size_t)plan->n_windows * sizeof *s->first_base);
    s->owner = malloc((size_t)s->n_batches * sizeof *s->owner);
    if (s->trials == NULL || s->first_base == NULL || s->owner == NULL || begin(s, &s->base) != LASER_OK) {
        laser_search_free(s);
        return laser_error_set(err, LASER_ENOMEM, "search", "no memory for %d windows", plan->n_windows);
    }
    for (int t = 0; t < plan->n_trials; ++t)
        if (plan->trials[t].n_edits > s->largest_trial)
            s->largest_trial = plan->trials[t].n_edits;
    s->first_mean = s->best_mean = NAN;
    for (int b = 0; b < s->n_batches; ++b)
        s->owner[b] = -1;
    *out = s;
    return LASER_OK;
}

void laser_search_free(struct laser_search *s)
{
    if (s == NULL)
        return;
    for (int t = 0; s->trials != NULL && t < s->plan.n_trials; ++t)
        forget(&s->trials[t]);
    forget(&s->base);
    free(s->trials);
    free(s->first_base);
    free(s->owner);
    free(s);
}

static bool finished(const struct laser_search *s)
{
    return s->current == s->plan.n_candidates ||
           (s->plan.max_kept > 0 && s->n_kept_candidates >= s->plan.max_kept) ||
           s->n_kept + s->largest_trial > LASER_SEARCH_MAX_EDITS;
}

static void keep(struct laser_search *s, int trial)
{
    const struct laser_search_trial *t = &s->plan.trials[trial];

    for (int i = 0; i < t->n_edits; ++i)
        s->kept[s->n_kept++] = s->plan.edits[t->first_edit + i];
    ++s->n_kept_candidates;
}

int laser_search_replay(struct laser_search *s, int candidate, bool kept, int trial, struct laser_error *err)
{
    if (finished(s) || candidate != s->current || candidate >= s->plan.n_candidates ||
        s->base.n_handed_out > 0 || trial < 0 || trial >= s->plan.n_trials)
        return laser_error_set(err, LASER_EIO, "ledger",
                               "decision %d does not fit the search (%d was expected)", candidate,
                               s->current);
    ++s->current;
    if (kept)
        keep(s, trial);
    return LASER_OK;
}

void laser_search_replay_base(struct laser_search *s, double mean)
{
    s->first_mean = mean;
}

/* A batch not handed out yet: rather one that this group had, then one that nobody had, then any. */
static int choose_batch(const struct laser_search *s, const struct evaluation *e, int group)
{
    int unowned = -1, other = -1;

    for (int b = 0; b < s->n_batches; ++b) {
        if (e->batch != NULL && e->batch[b] != 0)
            continue;
        if (s->owner[b] == group)
            return b;
        if (s->owner[b] < 0 && unowned < 0)
            unowned = b;
        if (other < 0)
            other = b;
    }
    return unowned >= 0 ? unowned : other;
}

static bool hand_out(struct laser_search *s, struct evaluation *e, int trial, int group,
                     struct laser_search_order *order)
{
    int batch;

    if (e->progress == COMPLETE || e->progress == GIVEN_UP || e->n_handed_out == s->n_batches)
        return false;
    batch = choose_batch(s, e, group);
    if (begin(s, e) != LASER_OK)
        return false;
    e->batch[batch] = 1;
    ++e->n_handed_out;
    s->owner[batch] = group;
    order->trial = trial;
    order->version = s->n_kept_candidates;
    order->batch = batch;
    order->n_kept = order->n_edits = s->n_kept;
    memcpy(order->edits, s->kept, (size_t)s->n_kept * sizeof *s->kept);
    if (trial >= 0) {
        const struct laser_search_trial *t = &s->plan.trials[trial];
        for (int i = 0; i < t->n_edits; ++i)
            order->edits[order->n_edits++] = s->plan.edits[t->first_edit + i];
    }
    return true;
}

enum laser_search_next laser_search_next(struct laser_search *s, int group, struct laser_search_order *order)
{
    bool base_known = s->base.progress == COMPLETE;

    if (hand_out(s, &s->base, -1, group, order))
        return LASER_SEARCH_ORDER;
    if (finished(s))
        return base_known ? LASER_SEARCH_END : LASER_SEARCH_WAIT;
    for (int c = s->current; c < s->plan.n_candidates && c <= s->current + s->plan.lookahead; ++c) {
        const struct laser_search_candidate *candidate = &s->plan.candidates[c];
        for (int t = candidate->first_trial; t < candidate->first_trial + candidate->n_trials; ++t) {
            if (hand_out(s, &s->trials[t], t, group, order))
                return LASER_SEARCH_ORDER;
        }
    }
    return LASER_SEARCH_WAIT;
}

/* Stochastic curtailment (Lan, Simon and Halperin, Commun. Stat. C 1, 1982): with the share f of the text
 * seen and the difference at Z standard errors, Z sqrt(f) is where a Brownian motion with drift stands that
 * is accepted if it ends below -z.  Hopeless: even with a drift one standard error better than the one seen,
 * it ends there with a probability below 5 %. */
static bool curtailed(const struct laser_search *s, const struct evaluation *e, int n)
{
    const double quantile = 1.6448536269514722;
    double mean, se, f = (double)n / s->plan.n_windows;

    if (n < 8)
        return false;
    laser_search_paired(e->nll, s->base.nll, s->plan.window_weights, n, &mean, &se);
    return mean > se * ((1 - f) + sqrt(f) * (quantile * sqrt(1 - f) - s->plan.z) + (n < 16 ? 1 : 0));
}

/* Can the trial still be accepted, going by its first n windows? */
static bool hopeless(const struct laser_search *s, const struct evaluation *e, int n)
{
    const double *w = s->plan.window_weights;
    double sum;

    if (!s->plan.give_up_early || s->plan.accept == LASER_ACCEPT_NEVER)
        return false;
    if (s->plan.accept == LASER_ACCEPT_PAIRED || s->plan.accept == LASER_ACCEPT_MCNEMAR)
        return curtailed(s, e, n);
    sum = weighted_sum(s->base.nll, w, s->plan.n_windows);
    if (s->plan.accept == LASER_ACCEPT_TOLERANCE)
        for (int i = 0; i < s->plan.n_windows; ++i)
            sum += w[i] * (s->first_mean + s->plan.tolerance - s->best_mean);
    return weighted_sum(e->nll, w, n) > sum;
}

/* Moves the front of a trial over the batches that are done.  The base must be known. */
static void advance(const struct laser_search *s, struct evaluation *e)
{
    while (e->progress == RUNNING && e->n_prefix < s->n_batches && e->batch[e->n_prefix] == 2) {
        int n;
        ++e->n_prefix;
        n = windows_of(s, e->n_prefix);
        if (e->n_prefix == s->n_batches)
            e->progress = COMPLETE;
        else if (!isfinite(weighted_sum(e->nll, s->plan.window_weights, n)) || hopeless(s, e, n))
            e->progress = GIVEN_UP;
    }
}

static void count_changes(const struct laser_search *s, const struct evaluation *e,
                          struct laser_search_decision *d)
{
    d->n_better = d->n_worse = 0;
    for (int i = 0; i < d->n_windows; ++i) {
        d->n_better += e->nll[i] < s->base.nll[i];
        d->n_worse += e->nll[i] > s->base.nll[i];
    }
}

/* Judges one evaluated trial against the base. */
static void judge(const struct laser_search *s, int trial, struct laser_search_decision *d)
{
    const struct evaluation *e = &s->trials[trial];
    bool accepted = false;

    d->candidate = s->current;
    d->trial = trial;
    d->n_windows = windows_of(s, e->n_prefix);
    d->nll = weighted_mean(s, e->nll, d->n_windows);
    d->kl = s->plan.max_kl > 0 ? mean_kl(s, e, d->n_windows) : NAN;
    laser_search_paired(e->nll, s->base.nll, s->plan.window_weights, d->n_windows, &d->difference,
                        &d->difference_se);
    count_changes(s, e, d);
    d->kept = false;
    if (!isfinite(d->nll)) {
        d->reason = LASER_REASON_NOT_FINITE;
        return;
    }
    if (e->progress == GIVEN_UP) {
        d->reason = LASER_REASON_GIVEN_UP;
        return;
    }
    d->reason = d->nll == s->best_mean ? LASER_REASON_NO_BETTER : LASER_REASON_WORSE;
    switch (s->plan.accept) {
    case LASER_ACCEPT_NOT_WORSE:
        accepted = d->nll <= s->best_mean;
        break;
    case LASER_ACCEPT_BETTER:
        accepted = d->nll < s->best_mean;
        break;
    case LASER_ACCEPT_PAIRED:
        accepted = d->difference < -s->plan.z * d->difference_se;
        if (!accepted && d->difference < 0)
            d->reason = LASER_REASON_WITHIN_ERROR;
        break;
    case LASER_ACCEPT_MCNEMAR:
        /* The chance of as many better ones among those that changed, were the trial as good as the base. */
        accepted =
            d->difference < 0 && laser_mcnemar_p(d->n_better, d->n_worse) < laser_normal_tail(s->plan.z);
        if (!accepted && d->difference < 0)
            d->reason = LASER_REASON_WITHIN_ERROR;
        break;
    case LASER_ACCEPT_TOLERANCE:
        accepted = d->nll <= s->first_mean + s->plan.tolerance;
        break;
    case LASER_ACCEPT_NEVER:
        d->reason = LASER_REASON_MEASURED;
        break;
    }
    if (accepted)
        d->reason =
            s->plan.max_kl > 0 && !(d->kl <= s->plan.max_kl) ? LASER_REASON_TOO_FAR : LASER_REASON_ACCEPTED;
}

/* Is a the better one to report or to take? */
static bool preferred(const struct laser_search *s, const struct laser_search_decision *a,
                      const struct laser_search_decision *b)
{
    bool a_ok = a->reason == LASER_REASON_ACCEPTED, b_ok = b->reason == LASER_REASON_ACCEPTED;

    if (a_ok != b_ok)
        return a_ok;
    if (a_ok && s->plan.pick == LASER_PICK_FIRST)
        return false;
    if ((a->reason == LASER_REASON_GIVEN_UP) != (b->reason == LASER_REASON_GIVEN_UP))
        return b->reason == LASER_REASON_GIVEN_UP;
    return a->difference < b->difference;
}

/* True when the current candidate has nothing left to wait for; *d is then its decision. */
static bool decidable(struct laser_search *s, struct laser_search_decision *d)
{
    const struct laser_search_candidate *c = &s->plan.candidates[s->current];

    for (int t = c->first_trial; t < c->first_trial + c->n_trials; ++t) {
        struct evaluation *e = &s->trials[t];
        struct laser_search_decision here = {0};
        advance(s, e);
        if (e->progress != COMPLETE && e->progress != GIVEN_UP)
            return false;
        judge(s, t, &here);
        if (t == c->first_trial || preferred(s, &here, d))
            *d = here;
    }
    d->kept = d->reason == LASER_REASON_ACCEPTED;
    return true;
}

/* The decision is told before anything of the candidate is forgotten. */
static int settle(struct laser_search *s, struct laser_search_decision *d, struct laser_error *err)
{
    const struct laser_search_candidate *c = &s->plan.candidates[s->current];
    int code;

    if (d->kept) {
        struct evaluation taken = s->trials[d->trial];
        keep(s, d->trial);
        memset(&s->trials[d->trial], 0, sizeof taken);
        forget(&s->base);
        s->base = taken;
        s->best_mean = d->nll;
    }
    d->windows = d->kept ? s->base.nll : s->trials[d->trial].nll;
    code = s->decided != NULL ? s->decided(s->context, d, err) : LASER_OK;
    if (d->kept) /* what was computed ahead stood on the state before */
        for (int t = 0; t < s->plan.n_trials; ++t)
            forget(&s->trials[t]);
    for (int t = c->first_trial; t < c->first_trial + c->n_trials; ++t)
        forget(&s->trials[t]);
    ++s->current;
    return code;
}

static int base_complete(struct laser_search *s, struct laser_error *err)
{
    for (int i = 0; i < s->plan.n_windows; ++i)
        if (!isfinite(s->base.nll[i]))
            return laser_error_set(err, LASER_ENUMERIC, NULL, "window %d has the negative log-likelihood %g",
                                   i, s->base.nll[i]);
    memcpy(s->first_base, s->base.nll, (size_t)s->plan.n_windows * sizeof *s->first_base);
    s->best_mean = weighted_mean(s, s->base.nll, s->plan.n_windows);
    if (isnan(s->first_mean))
        s->first_mean = s->best_mean;
    s->base.progress = COMPLETE;
    return LASER_OK;
}

int laser_search_continue(struct laser_search *s, const struct laser_search *earlier, struct laser_error *err)
{
    if (s->n_kept > 0 || isnan(earlier->best_mean) || earlier->plan.n_windows != s->plan.n_windows ||
        earlier->n_batches != s->n_batches)
        return LASER_OK;
    memcpy(s->base.nll, earlier->first_base, (size_t)s->plan.n_windows * sizeof *s->base.nll);
    memset(s->base.batch, 2, (size_t)s->n_batches);
    memcpy(s->owner, earlier->owner, (size_t)s->n_batches * sizeof *s->owner);
    s->base.n_handed_out = s->base.n_prefix = s->n_batches;
    return base_complete(s, err);
}

int laser_search_done(struct laser_search *s, int group, const struct laser_search_order *order,
                      const struct laser_search_result *result, struct laser_error *err)
{
    struct evaluation *e = order->trial < 0 ? &s->base : &s->trials[order->trial];
    int first = windows_of(s, order->batch), code = LASER_OK;
    struct laser_search_decision decision = {0};

    (void)group;
    ++s->batches_done;
    if (order->version != s->n_kept_candidates || e->nll == NULL || e->batch[order->batch] != 1)
        return LASER_OK; /* of a state that is no longer of interest */
    if (first + result->n_windows != windows_of(s, order->batch + 1))
        return laser_error_set(err, LASER_EINTERNAL, "search", "batch %d came back with %d windows",
                               order->batch, result->n_windows);
    memcpy(e->nll + first, result->nll, (size_t)result->n_windows * sizeof *e->nll);
    memcpy(e->kl + first, result->kl, (size_t)result->n_windows * sizeof *e->kl);
    e->batch[order->batch] = 2;
    if (s->base.progress != COMPLETE) {
        for (s->base.n_prefix = 0; s->base.n_prefix < s->n_batches && s->base.batch[s->base.n_prefix] == 2;)
            ++s->base.n_prefix;
        if (s->base.n_prefix < s->n_batches)
            return LASER_OK;
        code = base_complete(s, err);
    }
    while (code == LASER_OK && !finished(s) && decidable(s, &decision))
        code = settle(s, &decision, err);
    return code;
}

const double *laser_search_base(const struct laser_search *s, double *mean)
{
    *mean = s->first_mean;
    return isnan(s->best_mean) ? NULL : s->first_base;
}

const double *laser_search_best(const struct laser_search *s, double *mean)
{
    *mean = s->best_mean;
    return isnan(s->best_mean) ? NULL : s->base.nll;
}

const int32_t *laser_search_kept(const struct laser_search *s, int *n)
{
    *n = s->n_kept;
    return s->kept;
}

void laser_search_progress(const struct laser_search *s, int64_t *done, int64_t *total)
{
    int64_t left = s->base.progress == COMPLETE ? 0 : s->n_batches - s->base.n_handed_out;

    for (int c = s->current; c < s->plan.n_candidates && !finished(s); ++c)
        for (int t = 0; t < s->plan.candidates[c].n_trials; ++t) {
            const struct evaluation *e = &s->trials[s->plan.candidates[c].first_trial + t];
            if (e->progress == IDLE || e->progress == RUNNING)
                left += s->n_batches - e->n_handed_out;
        }
    *done = s->batches_done;
    *total = s->batches_done + left;
}
