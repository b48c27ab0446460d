/* The command `compress`: statistics of a calibration text, cuts of all matrices, ranks under one target, the
 * checkpoint, and what it is worth. */
#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/clock.h"
#include "base/number.h"
#include "checkpoint/writer.h"
#include "comm/agree.h"
#include "comm/log.h"
#include "compress/command.h"
#include "compress/compress.h"
#include "compress/cuts.h"
#include "compress/factored.h"
#include "compress/judge_run.h"
#include "compress/plan.h"
#include "compress/ranks.h"
#include "compress/refine.h"
#include "corpus/split.h"
#include "evaluate/evaluation.h"
#include "plan/shards.h"
#include "report/scan_report.h"
#include "sensitivity/gather.h"
#include "store/report.h"
#include "store/results.h"

/* One target, and what came of it. */
struct point {
    double remove;  /* share of the parameters to remove; 0: another kind of target */
    int64_t *ranks; /* every rank: [n_matrices] */
    struct laser_rank_summary summary;
    struct laser_mpi_refined refined;
    struct laser_judgement judgement; /* rank 0 */
    int64_t parameters, bytes;        /* of the written checkpoint */
};

struct compression {
    struct laser_run *run;
    struct laser_mpi_evaluation whole;
    struct laser_evaluation *e; /* of it */
    const struct laser_compress_method *method;
    struct laser_mpi_cuts cuts;
    struct laser_rank_matrix *candidates; /* every rank */
    int64_t *numbers;                     /* [n_candidates] matrices of run->matrices */
    int64_t n_candidates;
    struct laser_judgement base; /* rank 0 */
    struct point chosen;
    struct point *curve; /* of compress.curve */
    int n_curve;
    struct laser_divergences divergence;         /* of the written model; .each NULL: not measured */
    double calibration_tokens, calibration_loss; /* 0: taken from an earlier start */
};

/* ---- windows ---- */

/* Does a method look at a text at all? */
static bool needs_text(const struct laser_compress_method *method)
{
    return method->inputs || method->gradients;
}

/* Rounds in which the kept values are moved: by gradients, so not for the methods that know none. */
static int rounds_of(const struct compression *c)
{
    return c->method->gradients ? (int)c->run->settings->compress.rounds : 0;
}

/* The first windows of the selecting half that have enough tokens are for calibration, the last of these for
 * the lengths of steps: windows beside those of the gradients would be of the same articles. Guard texts are only
 * judged. */
static void mark_calibration(const struct compression *c, unsigned char *mark)
{
    const struct laser_evaluation *e = c->e;
    int64_t most = c->run->settings->reduce.calibration_tokens, tokens = 0, n = 0, steps;
    double rest = rounds_of(c) > 0 ? 1 - c->run->settings->reduce.calibration_share : 0;

    for (int64_t i = 0; i < e->n_windows; ++i) {
        if (mark[i] != LASER_MARK_SELECTION)
            continue;
        if (!needs_text(c->method) || (most > 0 && tokens >= most)) {
            mark[i] = LASER_MARK_UNUSED;
            continue;
        }
        tokens += e->windows[i].n_tokens;
        mark[i] = LASER_MARK_CALIBRATION;
        ++n;
    }
    steps = rest > 0 && n > 1 ? (int64_t)ceil(rest * (double)n) : 0;
    steps = steps < n ? steps : n - 1;
    for (int64_t i = e->n_windows - 1; i >= 0 && steps > 0; --i)
        if (mark[i] == LASER_MARK_CALIBRATION) {
            mark[i] = LASER_MARK_SELECTION;
            --steps;
        }
}

static int mark_windows(const struct compression *c, unsigned char *mark, struct laser_error *err)
{
    const struct laser_settings *settings = c->run->settings;
    const struct laser_evaluation *e = c->e;
    double share = settings->evaluate.selection_share;
    int code = LASER_OK;

    memset(mark, LASER_MARK_SELECTION, (size_t)e->n_windows);
    if (share < 1)
        code = laser_windows_split(e->windows, e->n_windows, LASER_SPLIT_SEEDED, share,
                                   (uint64_t)settings->evaluate.seed, mark, err);
    for (int64_t i = 0; i < e->n_windows; ++i)
        if (e->windows[i].dataset >= e->n_datasets - e->n_guards)
            mark[i] = LASER_MARK_GUARD_REPORT;
    if (code == LASER_OK)
        mark_calibration(c, mark);
    return code;
}

static int open_texts(struct compression *c, struct laser_error *err)
{
    unsigned char *mark = NULL;
    int code = laser_mpi_texts_open(c->run, &c->whole, err);

    if (code != LASER_OK)
        return code;
    mark = malloc((size_t)c->e->n_windows + 1);
    if (mark == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "compress", "no memory for %" PRId64 " windows",
                               c->e->n_windows);
    if (code == LASER_OK)
        code = mark_windows(c, mark, err);
    if (code == LASER_OK)
        code = laser_items_make(c->e, mark, NULL, err);
    free(mark);
    return laser_mpi_agree(laser_mpi_world(c->run), code, err);
}

/* Rank 0.  What is calibrated on says nothing as a guard text, nor as a held-out window of another text. */
static int warn_of_equal_texts(const struct compression *c, struct laser_error *err)
{
    const struct laser_evaluation *e = c->e;
    int code = laser_evaluation_warn_of_overlap(e, "of the calibration", err);

    if (code == LASER_OK && e->part_item[LASER_PART_REPORT + 1] == e->part_item[LASER_PART_REPORT])
        laser_log_line(c->run->log, "WARNING",
                       "no window is held out (evaluate.selection_share is 1): only guard texts say what "
                       "the model is worth");
    return code;
}

/* ---- statistics and cuts ---- */

static uint64_t key_of(const struct compression *c)
{
    const struct laser_evaluation *e = c->e;
    uint64_t key = (uint64_t)e->precision;

    if (!needs_text(c->method))
        return 0;
    for (int32_t i = 0; i < e->n_datasets - e->n_guards; ++i)
        key = XXH3_64bits_withSeed(&e->datasets[i].hash, sizeof e->datasets[i].hash, key);
    for (int64_t i = e->part_item[LASER_PART_CALIBRATION]; i < e->part_item[LASER_PART_CALIBRATION + 1];
         ++i) {
        const struct laser_window *w = &e->windows[e->items[i]];
        const int64_t place[3] = {w->dataset, w->first, w->n_tokens};
        key = XXH3_64bits_withSeed(place, sizeof place, key);
    }
    return key;
}

static struct laser_statistics_options statistics_of(const struct compression *c, int64_t first, int64_t end)
{
    return (struct laser_statistics_options){
        .covariances = true, .inputs_only = !c->method->gradients, .first = first, .end = end};
}

/* Several passes over the text where the covariances of all matrices do not fit at once. */
static int make_range(struct compression *c, int64_t first, int64_t end, struct laser_error *err)
{
    const struct laser_statistics_options options = statistics_of(c, first, end);
    struct laser_statistics statistics;
    int code =
        laser_mpi_statistics_gather(c->e, &options, c->e->part_batch[LASER_PART_CALIBRATION],
                                    c->e->part_batch[LASER_PART_CALIBRATION + 1], NULL, 0, &statistics, err);

    if (code != LASER_OK)
        return code;
    c->calibration_tokens = statistics.tokens;
    c->calibration_loss = statistics.loss / statistics.tokens;
    code = laser_mpi_cuts_make(c->run, c->method, &statistics, &c->cuts, err);
    laser_statistics_free(&statistics);
    return code;
}

/* One rank takes a matrix apart.  Refused before the pass over the text, not after it. */
static int check_memory(const struct compression *c, struct laser_error *err)
{
    const struct laser_run *run = c->run;
    double most = 0, left = run->memory_limit_bytes - run->base_bytes;
    int64_t largest = 0;

    for (int64_t i = 0; i < run->matrices.n_matrices; ++i) {
        const struct laser_matrix *m = &run->matrices.matrices[i];
        double bytes;

        if (!laser_mpi_cuts_usable(run, i))
            continue;
        bytes =
            laser_cut_memory(m->transposed ? m->cols : m->rows, m->transposed ? m->rows : m->cols, c->method);
        largest = bytes > most ? i : largest;
        most = fmax(most, bytes);
    }
    if (most <= left)
        return LASER_OK;
    return laser_error_set(
        err, LASER_ENOMEM, run->matrices.matrices[largest].name,
        "to take %" PRId64 " x %" PRId64 " apart needs about %.3g GB on one rank, beside the "
        "model; a rank may use %.3g GB (parallel.memory_per_rank): give it more memory, run "
        "fewer ranks a node, or leave the matrix out (scan.matrices)",
        run->matrices.matrices[largest].rows, run->matrices.matrices[largest].cols, most / 1e9, left / 1e9);
}

static int make_cuts(struct compression *c, struct laser_error *err)
{
    struct laser_run *run = c->run;
    bool complete;
    int code = laser_mpi_cuts_open(run, c->method, key_of(c), &c->cuts, &complete, err);

    if (code != LASER_OK || complete) {
        if (code == LASER_OK && run->rank == 0)
            laser_log_line(run->log, "RESUME", "the cuts of all matrices are there already");
        return code;
    }
    code = check_memory(c, err);
    if (code == LASER_OK && !needs_text(c->method))
        code = laser_mpi_cuts_make(run, c->method, NULL, &c->cuts, err);
    for (int64_t first = 0, end;
         code == LASER_OK && needs_text(c->method) && first < run->matrices.n_matrices; first = end) {
        end = laser_covariance_range(run, c->method, run->memory_limit_bytes, first);
        if (run->rank == 0 && end - first < run->matrices.n_matrices)
            laser_log_line(run->log, "PASS", "matrices %" PRId64 " to %" PRId64 " of %" PRId64 ", by memory",
                           first + 1, end, run->matrices.n_matrices);
        code = make_range(c, first, end, err);
    }
    if (code == LASER_OK)
        laser_mpi_cuts_share(run, &c->cuts);
    return code;
}

/* ---- ranks ---- */

/* q, k and v of one layer; -1: no such matrix. */
static int64_t group_of(const struct laser_matrix *m)
{
    const char *last = strrchr(m->type, '.');

    if (m->part != NULL && strchr("qkv", m->part[0]) != NULL && m->part[1] == '\0')
        return m->layer;
    last = last != NULL ? last + 1 : m->type;
    if (strcmp(last, "q_proj") == 0 || strcmp(last, "k_proj") == 0 || strcmp(last, "v_proj") == 0)
        return m->layer;
    return -1;
}

/* What stays as it is, and why: a line for each reason, with one of its matrices. */
static void say_left_out(const struct compression *c)
{
    int64_t first[LASER_LEFT_OUT_REASONS] = {0}, count[LASER_LEFT_OUT_REASONS] = {0};

    for (int64_t i = c->run->matrices.n_matrices - 1; i >= 0; --i) {
        enum laser_left_out why = laser_mpi_cuts_left_out(c->run, &c->cuts, i);

        ++count[why];
        first[why] = i;
    }
    for (int why = LASER_NOT_LEFT_OUT + 1; c->run->rank == 0 && why < LASER_LEFT_OUT_REASONS; ++why)
        if (count[why] > 0)
            laser_log_line(c->run->log, "LEFT OUT", "%" PRId64 " %s (%s%s): %s", count[why],
                           count[why] > 1 ? "matrices stay as they are" : "matrix stays as it is",
                           c->run->matrices.matrices[first[why]].name, count[why] > 1 ? ", ..." : "",
                           laser_left_out_text(why));
}

static json_t *left_out_json(const struct compression *c)
{
    json_t *list = json_array();

    for (int64_t i = 0; i < c->run->matrices.n_matrices; ++i) {
        enum laser_left_out why = laser_mpi_cuts_left_out(c->run, &c->cuts, i);

        if (why != LASER_NOT_LEFT_OUT)
            json_array_append_new(list, json_pack("{s:s, s:s}", "tensor", c->run->matrices.matrices[i].name,
                                                  "reason", laser_left_out_text(why)));
    }
    return list;
}

static int list_candidates(struct compression *c, struct laser_error *err)
{
    int64_t n = c->run->matrices.n_matrices;
    bool same = c->run->settings->compress.same_rank;

    c->candidates = calloc((size_t)n + 1, sizeof *c->candidates);
    c->numbers = calloc((size_t)n + 1, sizeof *c->numbers);
    if (c->candidates == NULL || c->numbers == NULL)
        return laser_error_set(err, LASER_ENOMEM, "compress", "no memory for %" PRId64 " matrices", n);
    for (int64_t i = 0; i < n; ++i) {
        const struct laser_matrix *m = &c->run->matrices.matrices[i];

        if (c->cuts.s[i] == NULL)
            continue;
        c->numbers[c->n_candidates] = i;
        c->candidates[c->n_candidates++] = (struct laser_rank_matrix){.name = m->name,
                                                                      .rows = m->rows,
                                                                      .columns = m->cols,
                                                                      .s = c->cuts.s[i],
                                                                      .coefficient = 1,
                                                                      .group = same ? group_of(m) : -1};
    }
    say_left_out(c);
    if (c->n_candidates == 0)
        return laser_error_set(
            err, LASER_EINPUT, c->run->checkpoint->model, "no matrix can be stored as two factors (%s)",
            n > 0 ? laser_left_out_text(laser_mpi_cuts_left_out(c->run, &c->cuts, 0)) : "there is none");
    return LASER_OK;
}

/* "20%" or "0.2"; NaN for anything else. */
static double share_of(const char *text)
{
    char *end;
    double x = strtod(text, &end);

    if (end == text || (strcmp(end, "%") != 0 && *end != '\0'))
        return NAN;
    x = *end == '%' ? x / 100 : x;
    return x >= 0 && x < 1 ? x : NAN;
}

/* The target that the deck names: exactly one. */
static int read_target(const struct laser_settings *settings, const struct laser_compress_method *method,
                       struct laser_rank_options *o, struct laser_error *err)
{
    const char *remove = settings->compress.remove;
    double parameters = settings->compress.parameters, rise = settings->compress.rise;

    *o = (struct laser_rank_options){.rule = settings->compress.ranks == LASER_DECK_RANKS_UNIFORM
                                                 ? LASER_RANKS_UNIFORM
                                                 : LASER_RANKS_THRESHOLD,
                                     .target = LASER_TARGET_REMOVE,
                                     .multiple = settings->compress.multiple};
    if ((remove[0] != '\0') + (parameters > 0) + (rise > 0) > 1)
        return laser_error_set(
            err, LASER_EUSAGE, "compress",
            "give one of compress.remove, compress.parameters and compress.rise, not several");
    if (rise > 0 && !method->gradients)
        return laser_error_set(err, LASER_EUSAGE, "compress.rise",
                               "the method %s predicts no loss in nats: give compress.remove or "
                               "compress.parameters, or take the method both",
                               method->name);
    o->value = share_of(remove[0] != '\0' ? remove : "20%");
    if (parameters > 0) {
        o->target = LASER_TARGET_PARAMETERS;
        o->value = parameters;
    } else if (rise > 0) {
        o->target = LASER_TARGET_RISE;
        o->value = rise;
    }
    if (isnan(o->value))
        return laser_error_set(err, LASER_EUSAGE, "compress.remove",
                               "`%s`: a share like 20%% or 0.2 was expected", remove);
    return LASER_OK;
}

static int choose_ranks(const struct compression *c, const struct laser_rank_options *o, struct point *p,
                        struct laser_error *err)
{
    int64_t *ranks = calloc((size_t)c->n_candidates + 1, sizeof *ranks);
    int code;

    p->remove = o->target == LASER_TARGET_REMOVE ? o->value : 0;
    p->ranks = calloc((size_t)c->run->matrices.n_matrices + 1, sizeof *p->ranks);
    code = ranks == NULL || p->ranks == NULL
               ? laser_error_set(err, LASER_ENOMEM, "compress", "no memory for the ranks")
               : laser_ranks_choose(c->candidates, c->n_candidates, o, ranks, &p->summary, err);
    for (int64_t i = 0; code == LASER_OK && i < c->run->matrices.n_matrices; ++i)
        p->ranks[i] = LASER_RANK_DENSE;
    for (int64_t i = 0; code == LASER_OK && i < c->n_candidates; ++i)
        p->ranks[c->numbers[i]] = ranks[i];
    free(ranks);
    return code;
}

/* Rank 0 says it, all compute it: from the same values by the same arithmetic. */
static int choose_all(struct compression *c, struct laser_error *err)
{
    struct laser_rank_options o;
    const char *const *shares;
    int code = read_target(c->run->settings, c->method, &o, err);

    if (code == LASER_OK)
        code = list_candidates(c, err);
    if (code == LASER_OK)
        code = choose_ranks(c, &o, &c->chosen, err);
    shares = c->run->settings->compress.curve.items;
    c->n_curve = c->run->settings->compress.curve.count;
    c->curve = calloc((size_t)c->n_curve + 1, sizeof *c->curve);
    if (code == LASER_OK && c->curve == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "compress", "no memory");
    o.target = LASER_TARGET_REMOVE;
    for (int i = 0; code == LASER_OK && i < c->n_curve; ++i) {
        o.value = share_of(shares[i]);
        code = isnan(o.value) ? laser_error_set(err, LASER_EUSAGE, "compress.curve",
                                                "`%s`: a share like 20%% or 0.2 was expected", shares[i])
                              : choose_ranks(c, &o, &c->curve[i], err);
    }
    return laser_mpi_agree(laser_mpi_world(c->run), code, err);
}

/* ---- writing ---- */

/* The pairs of a point: files that the ranks make together. */
struct pairs {
    struct laser_factor_pair *pairs;
    int n;
};

static void free_pairs(struct pairs *p)
{
    for (int i = 0; p->pairs != NULL && i < p->n; ++i)
        free((char *)(uintptr_t)p->pairs[i].path);
    free(p->pairs);
    *p = (struct pairs){0};
}

static int make_pairs(const struct compression *c, const struct point *point, struct pairs *p,
                      struct laser_error *err)
{
    const struct laser_run *run = c->run;
    char path[4400];
    int code = LASER_OK;

    p->n = 0;
    p->pairs = calloc((size_t)run->matrices.n_matrices + 1, sizeof *p->pairs);
    if (p->pairs == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "compress", "no memory for the factors");
    for (int64_t i = 0; code == LASER_OK && i < run->matrices.n_matrices; ++i) {
        const struct laser_matrix *m = &run->matrices.matrices[i];

        if (point->ranks[i] == LASER_RANK_DENSE)
            continue;
        snprintf(path, sizeof path, "%s/work/factors/%" PRId64 ".safetensors", run->output, i);
        p->pairs[p->n] =
            (struct laser_factor_pair){.tensor = run->checkpoint->tensors[m->tensor].name,
                                       .rank = point->ranks[i],
                                       .transposed = m->transposed,
                                       .path = strdup(path),
                                       .part = laser_matrix_is_whole(run->checkpoint, m) ? NULL : m};
        if (p->pairs[p->n].path == NULL)
            code = laser_error_set(err, LASER_ENOMEM, "compress", "no memory for the factors");
        else if (p->n % run->size == run->rank)
            code = laser_mpi_cuts_factors(run, &c->cuts, i, point->ranks[i],
                                          point->refined.s != NULL ? point->refined.s[i] : NULL, path, err);
        ++p->n;
    }
    return laser_mpi_agree(laser_mpi_world(run), code, err);
}

/* Collective.  The checkpoint of a point; numbers: its parameters and bytes. */
static int write_form(const struct compression *c, const struct pairs *p, const char *name,
                      enum laser_factored_form form, int64_t numbers[2], struct laser_error *err)
{
    const struct laser_run *run = c->run;
    struct laser_factored *w = NULL;
    char dir[4400];
    int code;

    snprintf(dir, sizeof dir, "%s/%s", run->output, name);
    code = laser_factored_open(run->checkpoint, dir, p->pairs, p->n, form, LASER_DTYPE_COUNT, &w, err);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code == LASER_OK && run->rank == 0)
        code = laser_factored_begin(w, err);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    for (int i = run->rank; code == LASER_OK && i < w->writer->n_files; i += run->size)
        code = laser_factored_file(w, i, err);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code == LASER_OK && run->rank == 0)
        code = laser_factored_finish(w, err);
    if (code == LASER_OK) {
        numbers[0] = w->parameters;
        numbers[1] = w->bytes;
    }
    laser_factored_close(w);
    return laser_mpi_agree(laser_mpi_world(run), code, err);
}

/* ---- judging ---- */

/* Collective.  Opens a checkpoint that was written here and evaluates it as it is. */
static int judge_written(struct compression *c, const char *name, struct laser_judgement *judgement,
                         struct laser_error *err)
{
    struct laser_run after = *c->run;
    struct laser_mpi_evaluation whole;
    struct laser_evaluation *e = &whole.evaluation;
    unsigned char *mark;
    char dir[4400];
    int code;

    snprintf(dir, sizeof dir, "%s/%s", c->run->output, name);
    code = laser_mpi_share_checkpoint(laser_mpi_world(c->run), dir, false, &after.checkpoint, err);
    if (code != LASER_OK)
        return code;
    code = laser_mpi_texts_open(&after, &whole, err);
    mark = malloc((size_t)e->n_windows + 1);
    if (code == LASER_OK && mark == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "compress", "no memory");
    if (code == LASER_OK)
        code = mark_windows(c, mark, err);
    if (code == LASER_OK)
        code = laser_items_make(e, mark, NULL, err);
    free(mark);
    code = laser_mpi_agree(laser_mpi_world(c->run), code, err);
    if (code == LASER_OK)
        code = laser_mpi_evaluation_open(e, err);
    if (code == LASER_OK)
        code = laser_mpi_judge(e, judgement, err);
    c->run->pace = after.pace;
    laser_mpi_evaluation_close(e);
    laser_checkpoint_close(after.checkpoint);
    return code;
}

/* Collective.  Moves the kept values of a point, if that is asked for and there is text for it. */
static int refine(struct compression *c, struct point *point, struct laser_error *err)
{
    int64_t windows = c->e->part_item[LASER_PART_SELECTION + 1] - c->e->part_item[LASER_PART_SELECTION];
    int rounds = rounds_of(c);

    if (rounds > 0 && windows == 0)
        laser_log_line(c->run->log, "WARNING",
                       "one window of text to calibrate on: kept values are not moved, for that takes "
                       "two, one for gradients and one for the length of a step");
    if (rounds == 0 || windows == 0)
        return LASER_OK;
    return laser_mpi_refine(c->e, &c->cuts, point->ranks,
                            c->run->settings->compress.goal == LASER_DECK_GOAL_ORIGINAL, rounds,
                            &point->refined, err);
}

/* Collective.  Writes the checkpoint of a point and judges it. */
static int finish(struct compression *c, struct point *point, const char *name, bool dense_too,
                  struct laser_error *err)
{
    struct pairs p = {0};
    int64_t numbers[2] = {0, 0}, dense[2];
    int code = refine(c, point, err);

    if (code == LASER_OK && c->run->rank == 0)
        code = laser_directory_make(laser_run_path(c->run, "work/factors"), err);
    code = laser_mpi_agree(laser_mpi_world(c->run), code, err);
    laser_log_phase(c->run->log, "write");
    if (code == LASER_OK)
        code = make_pairs(c, point, &p, err);
    if (code == LASER_OK)
        code = write_form(c, &p, name, LASER_FORM_FACTORED, numbers, err);
    if (code == LASER_OK && dense_too)
        code = write_form(c, &p, "dense", LASER_FORM_DENSE, dense, err);
    laser_log_phase_end(c->run->log);
    free_pairs(&p);
    point->parameters = numbers[0];
    point->bytes = numbers[1];
    return code == LASER_OK ? judge_written(c, name, &point->judgement, err) : code;
}

/* ---- results ---- */

static int64_t parameters_of(const struct laser_checkpoint *c)
{
    int64_t n = 0;

    for (int64_t i = 0; i < c->n_tensors; ++i)
        n += c->tensors[i].size_bytes / (int64_t)laser_dtype_size(c->tensors[i].dtype);
    return n;
}

/* Without the gradients a cut's size is no loss in nats. */
static json_t *rise_json(const struct compression *c, double rise)
{
    return c->method->gradients ? json_real(rise) : json_null();
}

static json_t *rounds_json(const struct laser_mpi_refined *r)
{
    json_t *list = json_array();

    for (int i = 0; i < r->n_rounds; ++i) {
        const struct laser_mpi_refine_round *round = &r->rounds[i];
        json_array_append_new(list, json_pack("{s:f, s:f, s:f, s:f, s:f}", "calibration_loss",
                                              round->calibration_loss, "length", round->length, "difference",
                                              round->difference, "stderr", round->error, "predicted",
                                              round->predicted));
    }
    return list;
}

static json_t *point_json(const struct compression *c, const struct point *p)
{
    return json_pack("{s:f, s:I, s:I, s:I, s:I, s:I, s:o, s:f, s:o, s:o}", "remove", p->remove,
                     "linear_parameters_before", (json_int_t)p->summary.parameters_before,
                     "linear_parameters_after", (json_int_t)p->summary.parameters_after, "parameters",
                     (json_int_t)p->parameters, "bytes", (json_int_t)p->bytes, "dense",
                     (json_int_t)p->summary.dense, "predicted_rise", rise_json(c, p->summary.rise),
                     "tokens_per_second", p->judgement.tokens_per_second, "texts",
                     laser_judgement_json(c->e, &c->base, &p->judgement), "rounds", rounds_json(&p->refined));
}

static json_t *matrices_json(const struct compression *c)
{
    json_t *list = json_array();

    for (int64_t i = 0; i < c->n_candidates; ++i) {
        const struct laser_rank_matrix *m = &c->candidates[i];
        int64_t n = m->rows < m->columns ? m->rows : m->columns, k = c->chosen.ranks[c->numbers[i]];
        double rise = k == LASER_RANK_DENSE ? 0.0 : laser_cut_loss(m->s, n, k) / 2;
        json_t *o = json_pack("{s:s, s:I, s:o}", "tensor", m->name, "of", (json_int_t)n, "predicted_rise",
                              rise_json(c, rise));

        json_object_set_new(o, "rank", k == LASER_RANK_DENSE ? json_null() : json_integer(k));
        json_array_append_new(list, o);
    }
    return list;
}

static int write_results(const struct compression *c, json_t *phases, struct laser_error *err)
{
    const struct laser_run *run = c->run;
    json_t *curve = json_array(), *results;
    int code;

    for (int i = 0; i < c->n_curve; ++i)
        json_array_append_new(curve, point_json(c, &c->curve[i]));
    results =
        json_pack("{s:i, s:s, s:s, s:s, s:I, s:s, s:s, s:f, s:f, s:{s:I, s:I, s:f}, s:o, s:o, s:o, s:o, s:f}",
                  "format", 1, "command", "compress", "version", PACKAGE_VERSION, "model",
                  run->checkpoint->model, "ranks", (json_int_t)run->size, "method", c->method->name,
                  "rank_rule", laser_deck_value_text(run->deck, LASER_KEY_compress_ranks),
                  "calibration_tokens", c->calibration_tokens, "calibration_loss", c->calibration_loss,
                  "before", "parameters", (json_int_t)parameters_of(run->checkpoint), "bytes",
                  (json_int_t)laser_checkpoint_bytes(run->checkpoint), "tokens_per_second",
                  c->base.tokens_per_second, "chosen", point_json(c, &c->chosen), "curve", curve, "matrices",
                  matrices_json(c), "left_out", left_out_json(c), "seconds", laser_clock_s() - run->start_s);
    if (c->divergence.each != NULL)
        json_object_set_new(results, "divergence", laser_divergences_json(&c->divergence));
    code = results == NULL || json_object_set(results, "phases", phases) != 0
               ? laser_error_set(err, LASER_ENOMEM, "results.json", "no memory")
               : laser_results_write(run->output, results, err);
    json_decref(results);
    return code;
}

static void say_point(const struct compression *c, const struct point *p)
{
    double before = (double)p->summary.parameters_before, mean, difference, error;
    char predicted[64] = "";

    if (c->method->gradients)
        snprintf(predicted, sizeof predicted, ", predicted rise %.4f nats", p->summary.rise);
    laser_log_line(c->run->log, "POINT",
                   "%.1f %% of the parameters of the linear layers removed, %" PRId64 " of %" PRId64
                   " matrices left dense%s",
                   100 * (before - (double)p->summary.parameters_after) / before, p->summary.dense,
                   c->n_candidates, predicted);
    for (int i = 0; i < p->refined.n_rounds; ++i)
        if (p->refined.rounds[i].length > 0)
            laser_log_line(c->run->log, "POINT",
                           "round %d moved the kept values: %+.5f +- %.5f nats on windows of calibration",
                           i + 1, p->refined.rounds[i].difference, p->refined.rounds[i].error);
    for (int32_t d = 0; d < c->e->n_datasets; ++d)
        if (laser_judgement_compare(c->e, &c->base, &p->judgement, d, &mean, &difference, &error))
            laser_log_line(c->run->log, "POINT", "%-12s loss %.5f -> %.5f (%+.5f +- %.5f nats)%s",
                           c->e->datasets[d].name, mean, mean + difference, difference, error,
                           d >= c->e->n_datasets - c->e->n_guards ? ", another text" : ", held out");
}

static void say(const struct compression *c)
{
    const struct laser_run *run = c->run;
    const struct point *p = &c->chosen;
    char before[LASER_NUMBER_SIZE], after[LASER_NUMBER_SIZE];

    for (int i = 0; i < c->n_curve; ++i)
        say_point(c, &c->curve[i]);
    say_point(c, p);
    if (c->divergence.each != NULL)
        laser_divergences_say(&c->divergence, run->log);
    laser_log_line(run->log, "RESULT",
                   "%" PRId64 " -> %" PRId64 " parameters, %s -> %s, %" PRId64 " flops less a token",
                   parameters_of(run->checkpoint), p->parameters,
                   laser_number_bytes((double)laser_checkpoint_bytes(run->checkpoint), before),
                   laser_number_bytes((double)p->bytes, after),
                   2 * (p->summary.parameters_before - p->summary.parameters_after));
    if (c->base.tokens_per_second > 0 && p->judgement.tokens_per_second > 0)
        laser_log_line(run->log, "RESULT", "%.0f -> %.0f tokens/s", c->base.tokens_per_second,
                       p->judgement.tokens_per_second);
    laser_log_line(run->log, "RESULT", "%s holds model/ (factored), results.json", run->output);
}

/* ---- all of it ---- */

/* Rank 0: is there one target, and can the model be written?  Better asked before the work than after it. */
static int check_ends(const struct compression *c, struct laser_error *err)
{
    const struct laser_run *run = c->run;
    struct laser_rank_options target;
    struct laser_writer *writer;
    int code = read_target(run->settings, c->method, &target, err);

    if (code != LASER_OK)
        return code;
    code = laser_writer_open(run->checkpoint, laser_run_path(run, "model"), &writer, err);

    if (code == LASER_OK)
        laser_writer_close(writer);
    return code;
}

static int compress(struct compression *c, struct laser_error *err)
{
    struct laser_run *run = c->run;
    bool dense_too = (run->settings->compress.also.set >> LASER_DECK_ALSO_DENSE & 1u) != 0;
    int code = open_texts(c, err);

    if (code == LASER_OK && run->rank == 0) {
        code = warn_of_equal_texts(c, err);
        if (code == LASER_OK)
            code = check_ends(c, err);
    }
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code == LASER_OK)
        code = laser_mpi_evaluation_open(c->e, err);
    if (code == LASER_OK)
        code = laser_mpi_judge(c->e, &c->base, err);
    if (code == LASER_OK)
        code = make_cuts(c, err);
    if (code == LASER_OK)
        code = choose_all(c, err);
    for (int i = 0; code == LASER_OK && i < c->n_curve; ++i)
        code = finish(c, &c->curve[i], "work/point", false, err);
    if (code == LASER_OK)
        code = laser_mpi_run_safe_point(run, laser_checkpoint_write_s(run->checkpoint, run->size), err);
    if (code == LASER_OK)
        code = finish(c, &c->chosen, "model", dense_too, err);
    return code == LASER_OK && run->settings->evaluate.divergence
               ? laser_mpi_evaluation_diverge_written(c->e, "model",
                                                      1u << LASER_PART_REPORT | 1u << LASER_PART_GUARD_REPORT,
                                                      &c->divergence, err)
               : code;
}

static void free_all(struct compression *c)
{
    laser_judgement_free(&c->base);
    laser_judgement_free(&c->chosen.judgement);
    laser_mpi_refined_free(&c->chosen.refined);
    free(c->chosen.ranks);
    for (int i = 0; c->curve != NULL && i < c->n_curve; ++i) {
        laser_judgement_free(&c->curve[i].judgement);
        laser_mpi_refined_free(&c->curve[i].refined);
        free(c->curve[i].ranks);
    }
    free(c->curve);
    free(c->candidates);
    free(c->numbers);
    laser_mpi_cuts_free(&c->cuts);
    laser_divergences_free(&c->divergence);
    laser_mpi_evaluation_close(c->e);
}

int laser_mpi_command_compress(struct laser_run *run, struct laser_error *err)
{
    struct compression c = {.run = run};
    int code = laser_mpi_run_open(run, err);

    if (code != LASER_OK)
        return code;
    laser_mpi_evaluation_init(&c.whole);
    c.e = &c.whole.evaluation;
    c.method = laser_compress_method_find(run->settings->compress.method);
    code = compress(&c, err);
    if (code == LASER_OK) {
        json_t *phases = laser_mpi_log_phases_json(run->log, laser_mpi_world(run));

        if (run->rank == 0) {
            code = write_results(&c, phases, err);
            if (code == LASER_OK) {
                laser_mpi_statistics_forget(run);
                say(&c);
                laser_report_make(run);
            }
        }
        json_decref(phases);
        code = laser_mpi_agree(laser_mpi_world(run), code, err);
    }
    free_all(&c);
    return code;
}
