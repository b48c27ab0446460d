#include "evaluate/task_results.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json_text.h"
#include "base/number.h"

/* Scores of one task's questions among some items. */
struct picked {
    struct laser_task_score *a, *b;
    int64_t n;
};

static void drop(struct picked *p)
{
    free(p->a);
    free(p->b);
}

/* task < 0: those of all tasks.  False without memory. */
static bool pick(const struct laser_evaluation *e, int32_t task, int64_t first, int64_t end,
                 const struct laser_item_score *scores, const struct laser_item_score *b, struct picked *p)
{
    *p = (struct picked){.a = malloc((size_t)(end - first) * sizeof *p->a + 1),
                         .b = malloc((size_t)(end - first) * sizeof *p->b + 1)};
    if (p->a == NULL || p->b == NULL) {
        drop(p);
        return false;
    }
    for (int64_t i = first; i < end; ++i) {
        int64_t q;
        if (!laser_item_is_question(e, i, &q) || (task >= 0 && e->set.questions[q].task != task))
            continue;
        p->a[p->n] = scores[i].question;
        p->b[p->n++] = b != NULL ? b[i].question : scores[i].question;
    }
    return true;
}

static json_t *number(double x)
{
    return isfinite(x) ? json_real(0 + x) : json_null(); /* no -0.0 */
}

/* Questions of n that changed: their share and its standard error. */
static double share_error(int64_t changed, int64_t n)
{
    double p = (double)changed / (double)n;

    return n > 1 ? sqrt(p * (1 - p) / (double)(n - 1)) : (double)NAN;
}

static json_t *share_json(int64_t changed, int64_t n)
{
    return json_pack("{s:o, s:o}", "value", number((double)changed / (double)n), "stderr",
                     number(share_error(changed, n)));
}

static json_t *flips_json(const struct laser_task_pair *pair)
{
    return json_pack("{s:o, s:o, s:o}", "share", share_json(pair->better + pair->worse, pair->n),
                     "right_to_wrong", share_json(pair->worse, pair->n), "wrong_to_right",
                     share_json(pair->better, pair->n));
}

static json_t *metric_json(const struct picked *p, int metric, bool paired)
{
    struct laser_task_figure before = laser_task_figure(p->a, p->n, metric);
    struct laser_task_figure after = laser_task_figure(p->b, p->n, metric);
    struct laser_task_pair pair;
    json_t *o;

    if (!paired)
        return json_pack("{s:o, s:o}", "value", number(before.mean), "stderr", number(before.stderr_));
    pair = laser_task_pair(p->a, p->b, p->n, metric);
    o = json_pack("{s:o, s:o, s:o, s:o, s:o, s:I, s:I}", "before", number(before.mean), "after",
                  number(after.mean), "stderr", number(after.stderr_), "difference", number(pair.difference),
                  "difference_stderr", number(pair.stderr_), "better", (json_int_t)pair.better, "worse",
                  (json_int_t)pair.worse);
    if (o != NULL)
        json_object_set_new(o, "verdict", json_string(laser_verdict_name(pair.verdict)));
    if (o != NULL && laser_metric_is_share(metric) && pair.n > 0)
        json_object_set_new(o, "flips", flips_json(&pair));
    if (o != NULL && isfinite(pair.p_better))
        json_object_set_new(o, "p_better", json_real(pair.p_better));
    return o;
}

/* Rows of the file that are no questions: on rank 0, which has read it. */
static json_t *left_out_json(const struct laser_evaluation *e, int32_t task)
{
    int64_t first = 0;
    json_t *list = json_array();

    for (int32_t t = 0; t < task; ++t)
        first += e->set.tasks[t].n_left_out;
    for (int64_t i = first; list != NULL && i < first + e->set.tasks[task].n_left_out; ++i)
        json_array_append_new(list, json_pack("{s:I, s:s}", "line", (json_int_t)e->set.left_out[i].line,
                                              "reason", e->set.left_out[i].reason));
    return list;
}

static json_t *task_json(const struct laser_evaluation *e, int32_t task, const struct picked *p, bool paired)
{
    const struct laser_set_task *t = &e->set.tasks[task];
    const char *kind = laser_task_kind_name((enum laser_task_kind)t->kind);
    json_t *metrics = json_object();

    for (int m = 0; metrics != NULL && m < LASER_METRICS; ++m)
        if (laser_metric_of(m, (enum laser_task_kind)t->kind))
            json_object_set_new(metrics, laser_metric_name(m), metric_json(p, m, paired));
    return json_pack("{s:s, s:I, s:I, s:I, s:o, s:o}", "kind", kind, "questions", (json_int_t)p->n, "of",
                     (json_int_t)t->n_read, "too_long", (json_int_t)t->n_too_long, "left_out",
                     left_out_json(e, task), "metrics", metrics);
}

json_t *laser_tasks_json(const struct laser_evaluation *e, int64_t first, int64_t end,
                         const struct laser_item_score *scores, const struct laser_item_score *b)
{
    json_t *tasks = json_object();

    for (int32_t t = 0; tasks != NULL && t < e->set.n_tasks; ++t) {
        struct picked p;
        if (!pick(e, t, first, end, scores, b, &p) ||
            json_object_set_new(tasks, e->set.tasks[t].name, task_json(e, t, &p, b != NULL)) != 0) {
            json_decref(tasks);
            return NULL;
        }
        drop(&p);
    }
    return tasks;
}

/* "accuracy 0.4210 +- 0.0110, ..." or "accuracy 0.42 -> 0.45 (+0.03 +- 0.01; 12 better, 3 worse: better),
 * ..."
 */
static void describe(const struct picked *p, enum laser_task_kind kind, bool paired, struct laser_text *out)
{
    const char *between = "";
    char after[LASER_NUMBER_SIZE], change[LASER_NUMBER_SIZE];

    for (int m = 0; m < LASER_METRICS; ++m) {
        struct laser_task_figure f;
        if (!laser_metric_of(m, kind))
            continue;
        f = laser_task_figure(p->a, p->n, m);
        laser_text_printf(out, "%s%s %s", between, laser_metric_name(m),
                          laser_number_fixed(f.mean, 4, after));
        if (paired) {
            struct laser_task_pair pair = laser_task_pair(p->a, p->b, p->n, m);
            laser_text_printf(out, " -> %s (%s",
                              laser_number_fixed(laser_task_figure(p->b, p->n, m).mean, 4, after),
                              laser_number_change(pair.difference, 4, change));
            if (isfinite(pair.stderr_))
                laser_text_printf(out, " +- %.4f", pair.stderr_);
            if (laser_metric_is_share(m))
                laser_text_printf(out, "; flips: %" PRId64 " to right, %" PRId64 " to wrong", pair.better,
                                  pair.worse);
            laser_text_printf(out, ": %s)", laser_verdict_name(pair.verdict));
        } else if (isfinite(f.stderr_)) {
            laser_text_printf(out, " +- %.4f", f.stderr_);
        }
        between = ", ";
    }
}

void laser_tasks_say(const struct laser_evaluation *e, const char *label, int64_t first, int64_t end,
                     const struct laser_item_score *scores, const struct laser_item_score *b)
{
    for (int32_t t = 0; t < e->set.n_tasks; ++t) {
        struct laser_text text = {0};
        struct picked p;
        if (!pick(e, t, first, end, scores, b, &p))
            return;
        describe(&p, (enum laser_task_kind)e->set.tasks[t].kind, b != NULL, &text);
        if (p.n > 0 && !text.failed)
            laser_log_line(e->run->log, label, "%s (%" PRId64 " questions): %s", e->set.tasks[t].name, p.n,
                           text.data);
        laser_text_free(&text);
        drop(&p);
    }
}

static json_t *values_json(const struct laser_task_score *s, enum laser_task_kind kind)
{
    json_t *o = json_object();

    for (int m = 0; o != NULL && m < LASER_METRICS; ++m)
        if (laser_metric_of(m, kind))
            json_object_set_new(o, laser_metric_name(m), number(s->values[m]));
    return o;
}

/* Log probabilities of a question's options, and the highest of them. */
static void put_options(const struct laser_set_question *q, const double *nats, const char *list_key,
                        const char *best_key, json_t *o)
{
    json_t *list = json_array();
    int best = 0;

    for (int k = 0; k < q->n_options; ++k) {
        json_array_append_new(list, number(nats[q->first_option + k]));
        if (nats[q->first_option + k] > nats[q->first_option + best])
            best = k;
    }
    json_object_set_new(o, list_key, list);
    json_object_set_new(o, best_key, json_integer(best));
}

static void put_question(const struct laser_evaluation *e, int64_t item, int64_t question,
                         const struct laser_answers *a, const struct laser_answers *b, struct laser_text *out)
{
    const struct laser_set_question *q = &e->set.questions[question];
    const struct laser_set_task *t = &e->set.tasks[q->task];
    bool split = e->part_item[LASER_PART_REPORT] < e->n_items;
    json_t *tokens = json_array(), *o;

    for (int k = 0; k < q->n_options; ++k)
        json_array_append_new(tokens, json_integer(e->set.options[q->first_option + k].n_scored));
    o = json_pack("{s:s, s:I, s:s*, s:o*, s:o*}", "task", t->name, "line", (json_int_t)q->line, "part",
                  !split                                   ? NULL
                  : item < e->part_item[LASER_PART_REPORT] ? "validation"
                                                           : "test",
                  b != NULL ? "before" : "metrics",
                  values_json(&a->scores[item].question, (enum laser_task_kind)t->kind), "tokens", tokens);
    if (o == NULL) {
        out->failed = 1;
        return;
    }
    put_options(q, a->option_nats, "log_probabilities", "best", o);
    if (t->kind == LASER_TASK_CHOICE)
        json_object_set_new(o, "answer", json_integer(q->answer));
    if (b != NULL) {
        json_object_set_new(o, "after",
                            values_json(&b->scores[item].question, (enum laser_task_kind)t->kind));
        put_options(q, b->option_nats, "log_probabilities_after", "best_after", o);
    }
    laser_json_render(out, o, 0);
    laser_text_puts(out, "\n");
    json_decref(o);
}

int laser_questions_write(const struct laser_evaluation *e, const char *path, const struct laser_answers *a,
                          const struct laser_answers *b, struct laser_error *err)
{
    int64_t *item_of = malloc((size_t)e->set.n_questions * sizeof *item_of + 1), q;
    struct laser_text text = {0};
    int code;

    if (item_of == NULL)
        return laser_error_set(err, LASER_ENOMEM, path, "no memory");
    for (int64_t i = 0; i < e->n_items; ++i)
        if (laser_item_is_question(e, i, &q))
            item_of[q] = i;
    for (q = 0; q < e->set.n_questions; ++q)
        put_question(e, item_of[q], q, a, b, &text);
    free(item_of);
    code = text.failed ? laser_error_set(err, LASER_ENOMEM, path, "no memory")
                       : laser_file_replace(path, text.data, text.size, err);
    laser_text_free(&text);
    return code;
}
