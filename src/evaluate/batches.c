#include "evaluate/batches.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/text.h"
#include "evaluate/beside.h"
#include "kernels/dispatch.h"

/* Do windows have a divergence, too? */
static bool is_bounded(const struct laser_evaluation *e)
{
    return e->beside != NULL && e->beside->side == LASER_BESIDE_BOUND;
}

int laser_batches_identity(const struct laser_evaluation *e, const int32_t *edits, int n_edits,
                           char identity[20], struct laser_error *err)
{
    struct laser_checkpoint_fingerprint print = laser_checkpoint_fingerprint(e->run->checkpoint);
    struct laser_text text = {0};

    laser_text_printf(&text, "%016" PRIx64 " %016" PRIx64 " %s %s %d shards, %d windows", print.content,
                      print.times, laser_convention_name(e->convention),
                      laser_kernels_name(laser_kernels_current(e->precision)), e->group_size,
                      e->batch_windows);
    for (int32_t i = 0; i < e->n_datasets; ++i)
        laser_text_printf(&text, " %016" PRIx64, (uint64_t)e->datasets[i].hash);
    for (int64_t i = 0; i < e->n_windows; ++i)
        laser_text_printf(&text, " %" PRId64 "+%" PRId64, (int64_t)e->windows[i].n_tokens,
                          (int64_t)e->windows[i].n_scored);
    for (int64_t i = 0; i < e->set.n_tasks; ++i)
        laser_text_printf(&text, " task %016" PRIx64, e->set.tasks[i].hash);
    for (int64_t i = 0; i < e->n_batches; ++i)
        laser_text_printf(&text, " %" PRId64 "-%" PRId64, e->batches[i].first, e->items[e->batches[i].first]);
    for (int i = 0; i < n_edits; ++i)
        laser_text_printf(&text, " %s=%s", e->edits[edits[i]].tensor, e->edits[edits[i]].path);
    if (is_bounded(e))
        laser_text_puts(&text, " with divergences");
    if (text.failed) {
        laser_text_free(&text);
        return laser_error_set(err, LASER_ENOMEM, "evaluation", "no memory");
    }
    snprintf(identity, 20, "%016" PRIx64, (uint64_t)XXH3_64bits(text.data, text.size));
    laser_text_free(&text);
    return LASER_OK;
}

/* The numbers of an item: sums of a window, metrics of a question. */
static int numbers_of(const struct laser_evaluation *e, int64_t item, struct laser_item_score *score,
                      double *numbers[LASER_METRICS])
{
    int64_t index;

    if (!laser_item_is_question(e, item, &index)) {
        numbers[0] = &score->window.sum_nats;
        numbers[1] = &score->window.sum_squares_nats2;
        numbers[2] = &score->kl_nats;
        return is_bounded(e) ? 3 : 2;
    }
    for (int m = 0; m < LASER_METRICS; ++m)
        numbers[m] = &score->question.values[m];
    return LASER_METRICS;
}

/* "NUMBER,NUMBER,...;..." of the items of a batch; false if it is anything else. */
static bool read_scores(const struct laser_evaluation *e, const struct laser_item_batch *b, const char *text,
                        struct laser_item_score *scores)
{
    double *numbers[LASER_METRICS];
    char *end;

    for (int i = 0; i < b->n; ++i) {
        int n = numbers_of(e, b->first + i, &scores[i], numbers);
        memset(&scores[i], 0, sizeof scores[i]);
        for (int k = 0; k < n; ++k) {
            *numbers[k] = strtod(text, &end);
            if (end == text || *end != (k + 1 < n ? ',' : ';'))
                return false;
            text = end + 1;
        }
    }
    return *text == '\0';
}

/* "NUMBER;..." of the options of the batch's questions; false if it is anything else. */
static bool read_options(struct laser_evaluation *e, const struct laser_item_batch *b, const char *text)
{
    int64_t index;
    char *end;

    for (int64_t i = b->first; i < b->first + b->n; ++i) {
        const struct laser_set_question *q;
        if (!laser_item_is_question(e, i, &index))
            continue;
        q = &e->set.questions[index];
        for (int64_t o = q->first_option; o < q->first_option + q->n_options; ++o, text = end + 1) {
            e->option_nats[o] = strtod(text, &end);
            if (end == text || *end != ';')
                return false;
        }
    }
    return *text == '\0';
}

static void write_options(const struct laser_evaluation *e, const struct laser_item_batch *b,
                          struct laser_text *out)
{
    int64_t index;

    for (int64_t i = b->first; i < b->first + b->n; ++i)
        if (laser_item_is_question(e, i, &index)) {
            const struct laser_set_question *q = &e->set.questions[index];
            for (int64_t o = q->first_option; o < q->first_option + q->n_options; ++o)
                laser_text_printf(out, "%.17g;", e->option_nats[o]);
        }
}

int laser_batches_open(struct laser_evaluation *e, const int32_t *edits, int n_edits,
                       struct laser_item_score *scores, struct laser_batches *b, struct laser_error *err)
{
    const struct laser_ledger_entries *old = &e->run->batches;
    int code = laser_batches_identity(e, edits, n_edits, b->identity, err);

    b->done = calloc((size_t)e->n_batches + 1, 1);
    if (code == LASER_OK && b->done == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "evaluation", "no memory");
    for (int i = 0; code == LASER_OK && i < old->n; ++i) {
        const char *identity = laser_ledger_get(&old->entries[i], "evaluation");
        const char *sums = laser_ledger_get(&old->entries[i], "scores");
        const char *options = laser_ledger_get(&old->entries[i], "options");
        int64_t batch = laser_ledger_get_int(&old->entries[i], "number", -1);
        if (identity == NULL || strcmp(identity, b->identity) != 0 || sums == NULL || batch < 0 ||
            batch >= e->n_batches || b->done[batch] ||
            (e->beside != NULL && !laser_beside_has(e->beside, batch)))
            continue;
        if (!read_scores(e, &e->batches[batch], sums, scores + e->batches[batch].first) ||
            !read_options(e, &e->batches[batch], options != NULL ? options : ""))
            continue;
        b->done[batch] = 1;
        ++b->n_done;
        b->n_items += e->batches[batch].n;
    }
    if (code == LASER_OK && b->n_done > 0)
        laser_log_line(e->run->log, "RESUME", "%" PRId64 " of %" PRId64 " batches are done already",
                       b->n_done, e->n_batches);
    return code;
}

int laser_batches_record(struct laser_evaluation *e, const struct laser_batches *b, int64_t batch,
                         const struct laser_item_score *scores, struct laser_error *err)
{
    struct laser_ledger_line line;
    struct laser_text sums = {0}, options = {0};
    int code;

    for (int i = 0; i < e->batches[batch].n; ++i) {
        struct laser_item_score score = scores[i];
        double *numbers[LASER_METRICS];
        int n = numbers_of(e, e->batches[batch].first + i, &score, numbers);
        for (int k = 0; k < n; ++k)
            laser_text_printf(&sums, "%.17g%c", *numbers[k], k + 1 < n ? ',' : ';');
    }
    write_options(e, &e->batches[batch], &options);
    if (sums.failed || sums.data == NULL || options.failed) {
        laser_text_free(&sums);
        laser_text_free(&options);
        return laser_error_set(err, LASER_ENOMEM, "evaluation", "no memory");
    }
    laser_ledger_line_begin(&line, "batch");
    laser_ledger_line_text(&line, "evaluation", b->identity);
    laser_ledger_line_int(&line, "number", batch);
    laser_ledger_line_text(&line, "scores", sums.data);
    if (options.data != NULL)
        laser_ledger_line_text(&line, "options", options.data);
    laser_text_free(&sums);
    laser_text_free(&options);
    code = laser_ledger_append(e->run->ledger, &line, false, err);
    ++e->run->pace.n_durable;
    return code;
}

void laser_batches_free(struct laser_batches *b)
{
    free(b->done);
    memset(b, 0, sizeof *b);
}
