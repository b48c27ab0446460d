/* The items of an evaluation: windows and questions in parts, cut into batches. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "evaluate/evaluate.h"

/* Tokens that go through a layer at once when the deck does not say: enough to amortise reading the weights.
 * Fixed, so that the batches, and with them every bit of the result, are the same on every number of ranks.
 */
#define BATCH_TOKENS 1024

static int64_t batch_tokens(const struct laser_evaluation *e)
{
    int64_t tokens = e->run->settings->evaluate.batch_tokens;

    return tokens > 0 ? tokens : BATCH_TOKENS;
}

bool laser_item_is_question(const struct laser_evaluation *e, int64_t item, int64_t *index)
{
    *index = e->items[item] < 0 ? ~e->items[item] : e->items[item];
    return e->items[item] < 0;
}

static enum laser_task_kind kind_of(const struct laser_evaluation *e, int64_t question)
{
    return (enum laser_task_kind)e->set.tasks[e->set.questions[question].task].kind;
}

const struct laser_objective_part *laser_item_objective(const struct laser_evaluation *e, int64_t item)
{
    return &e->weights[item >= e->part_item[LASER_PART_REPORT]];
}

double laser_item_weight(const struct laser_evaluation *e, int64_t item)
{
    const struct laser_objective_part *w = laser_item_objective(e, item);
    int64_t index;

    return laser_item_is_question(e, item, &index) ? w->question_weight
                                                   : w->text_weight * e->windows[index].n_scored;
}

double laser_item_value(const struct laser_evaluation *e, int64_t item, const struct laser_item_score *score)
{
    const struct laser_objective_part *w = laser_item_objective(e, item);
    int64_t index;

    return laser_item_is_question(e, item, &index)
               ? laser_objective_question(w, kind_of(e, index), &score->question)
               : laser_objective_window(w, score->window.sum_nats / e->windows[index].n_scored);
}

/* About what a question's tree has: its longest option and what is scored of the others. */
static int64_t question_tokens(const struct laser_evaluation *e, int64_t question)
{
    const struct laser_set_question *q = &e->set.questions[question];
    int64_t longest = 0, tokens = 0;

    for (int64_t k = q->first_option; k < q->first_option + q->n_options; ++k) {
        const struct laser_set_option *o = &e->set.options[k];
        longest = o->n_tokens > longest ? o->n_tokens : longest;
        tokens += o->n_scored;
    }
    return longest + tokens;
}

static int64_t item_tokens(const struct laser_evaluation *e, int64_t item)
{
    int64_t index;

    return laser_item_is_question(e, item, &index) ? question_tokens(e, index) : e->windows[index].n_tokens;
}

/* Whose windows a part takes, and whether of the objective's items or of the others; the parts from
 * CALIBRATION on take all windows of their mark, and no questions. */
static const struct {
    enum laser_item_mark mark;
    bool wanted;
} parts[LASER_PARTS] = {
    [LASER_PART_SELECTION] = {LASER_MARK_SELECTION, true},
    [LASER_PART_SELECTION_OTHER] = {LASER_MARK_SELECTION, false},
    [LASER_PART_REPORT] = {LASER_MARK_REPORT, true},
    [LASER_PART_REPORT_OTHER] = {LASER_MARK_REPORT, false},
    [LASER_PART_CALIBRATION] = {LASER_MARK_CALIBRATION, true},
    [LASER_PART_GUARD] = {LASER_MARK_GUARD, true},
    [LASER_PART_GUARD_REPORT] = {LASER_MARK_GUARD_REPORT, true},
};

static void fill_part(struct laser_evaluation *e, int part, const unsigned char *window_mark,
                      const unsigned char *question_mark)
{
    enum laser_item_mark mark = parts[part].mark;
    bool wanted = parts[part].wanted, selects = mark == LASER_MARK_SELECTION;

    for (int64_t i = 0; i < e->n_windows; ++i)
        if ((window_mark == NULL ? LASER_MARK_SELECTION : window_mark[i]) == mark &&
            (part >= LASER_PART_CALIBRATION || laser_objective_has_text(&e->objective) == wanted))
            e->items[e->n_items++] = i;
    for (int64_t i = 0; part < LASER_PART_CALIBRATION && i < e->set.n_questions; ++i)
        if ((question_mark == NULL || question_mark[i]) == selects &&
            laser_objective_has_kind(&e->objective, kind_of(e, i)) == wanted)
            e->items[e->n_items++] = ~i;
}

static void weigh(struct laser_evaluation *e, enum laser_item_part part, struct laser_objective_part *weights)
{
    int64_t questions[LASER_TASK_KINDS] = {0}, index;
    double tokens = 0;

    for (int64_t i = e->part_item[part]; i < e->part_item[part + 1]; ++i)
        if (laser_item_is_question(e, i, &index))
            ++questions[kind_of(e, index)];
        else
            tokens += e->windows[index].n_scored;
    laser_objective_prepare(&e->objective, tokens, questions, weights);
}

/* Whole windows as before; questions until a batch is full.  Few questions make smaller batches, so that
 * there is work for several groups. */
static void cut_part(struct laser_evaluation *e, int part)
{
    int64_t limit = batch_tokens(e), questions_tokens = 0, index, used = 0;
    struct laser_item_batch *b = NULL;

    for (int64_t i = e->part_item[part]; i < e->part_item[part + 1]; ++i)
        if (laser_item_is_question(e, i, &index))
            questions_tokens += question_tokens(e, index);
    if (questions_tokens / 8 < limit)
        limit = questions_tokens / 8 > 256 ? questions_tokens / 8 : limit < 256 ? limit : 256;
    for (int64_t i = e->part_item[part]; i < e->part_item[part + 1]; ++i) {
        bool question = laser_item_is_question(e, i, &index);
        int64_t tokens = question ? question_tokens(e, index) : 0;
        bool full = b == NULL || (question != (e->items[b->first] < 0)) || b->n == LASER_SEARCH_MAX_BATCH ||
                    (question ? used + tokens > limit : b->n == e->batch_windows);
        if (full) {
            b = &e->batches[e->n_batches++];
            *b = (struct laser_item_batch){.first = i};
            used = 0;
        }
        ++b->n;
        used += tokens;
    }
}

int laser_items_make(struct laser_evaluation *e, const unsigned char *window_mark,
                     const unsigned char *question_mark, struct laser_error *err)
{
    int64_t n = e->n_windows + e->set.n_questions, windows = 0;

    free(e->items);
    free(e->batches);
    e->items = malloc((size_t)n * sizeof *e->items + 1);
    e->batches = malloc((size_t)n * sizeof *e->batches + 1);
    if (e->items == NULL || e->batches == NULL || n > INT32_MAX)
        return laser_error_set(err, LASER_ENOMEM, "evaluate",
                               "no memory for %" PRId64 " windows and questions", n);
    if (e->n_windows > 0)
        windows = batch_tokens(e) / laser_windows_longest(e->windows, e->n_windows);
    e->batch_windows = windows < 1                        ? 1
                       : windows > LASER_SEARCH_MAX_BATCH ? LASER_SEARCH_MAX_BATCH
                                                          : (int32_t)windows;
    e->n_items = e->n_batches = 0;
    for (int part = 0; part < LASER_PARTS; ++part) {
        e->part_item[part] = e->n_items;
        e->part_batch[part] = e->n_batches;
        fill_part(e, part, window_mark, question_mark);
        e->part_item[part + 1] = e->n_items;
        cut_part(e, part);
        e->part_batch[part + 1] = e->n_batches;
    }
    weigh(e, LASER_PART_SELECTION, &e->weights[0]);
    weigh(e, LASER_PART_REPORT, &e->weights[1]);
    return LASER_OK;
}

struct laser_layout_work laser_evaluation_work(const struct laser_evaluation *e)
{
    struct laser_layout_work work = {.n_batches = e->n_batches};

    if (e->n_windows > 0)
        work.length = laser_windows_longest(e->windows, e->n_windows);
    if (laser_set_longest(&e->set) > work.length)
        work.length = laser_set_longest(&e->set);
    for (int64_t b = 0; b < e->n_batches; ++b) {
        int64_t tokens = 0;
        for (int64_t i = e->batches[b].first; i < e->batches[b].first + e->batches[b].n; ++i)
            tokens += item_tokens(e, i);
        work.tokens += tokens;
        work.batch_tokens = tokens > work.batch_tokens ? tokens : work.batch_tokens;
    }
    return work;
}

void laser_search_items(const struct laser_evaluation *e, enum laser_item_part part, const double *weights,
                        int *batch_first, struct laser_search_plan *plan)
{
    int64_t first = e->part_item[part], batch = e->part_batch[part];

    plan->window_weights = weights + first;
    plan->n_windows = (int)(e->part_item[part + 1] - first);
    plan->n_batches = (int)(e->part_batch[part + 1] - batch);
    plan->batch_windows = 1;
    for (int b = 0; b < plan->n_batches; ++b)
        batch_first[b] = (int)(e->batches[batch + b].first - first);
    batch_first[plan->n_batches] = plan->n_windows;
    plan->batch_first = batch_first;
}

int64_t laser_evaluation_tokens(const struct laser_evaluation *e, int64_t first, int64_t end)
{
    int64_t tokens = 0, index;

    for (int64_t b = first; b < end; ++b)
        for (int64_t i = e->batches[b].first; i < e->batches[b].first + e->batches[b].n; ++i)
            tokens += laser_item_is_question(e, i, &index) ? e->set.questions[index].tokens
                                                           : e->windows[index].n_tokens;
    return tokens;
}

int64_t laser_evaluation_first_batches(const struct laser_evaluation *e, int64_t wanted)
{
    int64_t tokens = 0, b, n = e->part_batch[LASER_PART_SELECTION + 1];

    if (n == 0 || wanted == 0 || (e->items[0] < 0) != (e->items[e->batches[n - 1].first] < 0))
        return n;
    for (b = 0; b < n && tokens < wanted; ++b)
        tokens += laser_evaluation_tokens(e, b, b + 1);
    return b;
}
