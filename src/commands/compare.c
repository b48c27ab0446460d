/* The command `compare`: two evaluations of the same windows, in pairs. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json_text.h"
#include "base/mcnemar.h"
#include "base/number.h"
#include "commands/serial.h"
#include "report/scan_report.h"
#include "store/results.h"
#include "store/windows.h"

/* A window has moved when its mean loss differs by more: float32 passes of one model agree better than
 * that. */
#define MOVED_NATS 1e-5

#define SAID_WINDOWS   10
#define STORED_WINDOWS 1000

struct side {
    char path[4200];
    struct laser_windows windows;
};

/* One data set, or all. */
struct comparison {
    const char *name;
    int64_t first, n; /* its windows */
    struct laser_paired paired;
    double nll_a, nll_b;
};

static int open_side(const char *argument, struct side *side, struct laser_error *err)
{
    struct stat info;

    snprintf(side->path, sizeof side->path, "%.4096s", argument);
    if (stat(argument, &info) != 0)
        return laser_error_set(err, LASER_EINPUT, argument, "%s", strerror(errno));
    if (S_ISDIR(info.st_mode))
        snprintf(side->path, sizeof side->path, "%.4096s/windows.h5", argument);
    return laser_windows_read(side->path, &side->windows, err);
}

static double mean_nll(const struct laser_windows *w, int64_t first, int64_t n)
{
    double sum = 0;

    for (int64_t i = first; i < first + n; ++i)
        sum += w->nll[i].sum_nats;
    return sum / (double)laser_windows_scored(w->windows + first, n);
}

static int compare_range(const struct side *a, const struct side *b, struct comparison *c, int64_t *order,
                         struct laser_error *err)
{
    int code = laser_paired_compute(a->windows.windows + c->first, a->windows.nll + c->first,
                                    b->windows.nll + c->first, c->n, MOVED_NATS, &c->paired, order, err);

    c->nll_a = mean_nll(&a->windows, c->first, c->n);
    c->nll_b = mean_nll(&b->windows, c->first, c->n);
    return code;
}

static json_t *comparison_json(const struct comparison *c)
{
    const struct laser_paired *p = &c->paired;

    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I}", "windows",
                     (json_int_t)p->windows, "tokens", (json_int_t)p->tokens, "nll_a",
                     laser_json_real(c->nll_a), "nll_b", laser_json_real(c->nll_b), "ppl_a",
                     laser_json_real(exp(c->nll_a)), "ppl_b", laser_json_real(exp(c->nll_b)), "difference",
                     laser_json_real(p->difference_nats), "stderr",
                     p->windows > 1 ? laser_json_real(p->stderr_nats) : json_null(), "z",
                     p->windows > 1 ? laser_json_real(p->z) : json_null(), "moved", (json_int_t)p->moved,
                     "better", (json_int_t)p->better, "worse", (json_int_t)p->worse);
}

static double window_mean(const struct laser_windows *w, int64_t i)
{
    return w->nll[i].sum_nats / w->windows[i].n_scored;
}

static json_t *moved_json(const struct side *a, const struct side *b, const struct comparison *all,
                          const int64_t *order)
{
    json_t *list = json_array();

    for (int64_t k = 0; k < all->paired.moved && k < STORED_WINDOWS; ++k) {
        int64_t i = order[k];
        const struct laser_window *w = &a->windows.windows[i];
        double nll_a = window_mean(&a->windows, i), nll_b = window_mean(&b->windows, i);
        json_array_append_new(list, json_pack("{s:I, s:s, s:I, s:i, s:f, s:f, s:f}", "window", (json_int_t)i,
                                              "dataset", a->windows.datasets[w->dataset].name, "first",
                                              (json_int_t)w->first, "tokens", (int)w->n_tokens, "nll_a",
                                              nll_a, "nll_b", nll_b, "difference", nll_b - nll_a));
    }
    return list;
}

static json_t *side_json(const struct side *side)
{
    const struct laser_windows *w = &side->windows;

    return json_pack("{s:s, s:s*, s:s*}", "file", side->path, "model", w->model, "precision", w->precision);
}

/* Into --output, if the user gave one: the default would be the place of another run's results. */
static int write_results(struct laser_run *run, const struct side *a, const struct side *b,
                         const struct comparison *each, const struct comparison *all, const int64_t *order,
                         struct laser_error *err)
{
    json_t *results, *datasets = json_object();
    int code;

    for (int32_t i = 0; i < a->windows.n_datasets; ++i)
        if (each[i].n > 0)
            json_object_set_new(datasets, each[i].name, comparison_json(&each[i]));
    results =
        json_pack("{s:i, s:s, s:s, s:s, s:f, s:o, s:o, s:{s:o, s:O}, s:o}", "format", 1, "command", "compare",
                  "version", PACKAGE_VERSION, "convention", a->windows.convention, "moved_beyond", MOVED_NATS,
                  "a", side_json(a), "b", side_json(b), "comparison", "pooled", comparison_json(all),
                  "datasets", datasets, "moved_windows", moved_json(a, b, all, order));
    json_decref(datasets);
    if (results == NULL)
        return laser_error_set(err, LASER_ENOMEM, "results.json", "no memory");
    code = laser_results_write(run->output, results, err);
    json_decref(results);
    return code;
}

static void say_comparison(struct laser_run *run, const struct comparison *c)
{
    const struct laser_paired *p = &c->paired;
    double stderr_nats = p->windows > 1 ? p->stderr_nats : NAN;
    char error[80] = "", change[LASER_NUMBER_SIZE], z[LASER_NUMBER_SIZE];

    if (p->windows > 1)
        snprintf(error, sizeof error, " +- %.6f (z %s)", p->stderr_nats, laser_number_fixed(p->z, 2, z));
    laser_log_line(run->log, "COMPARE",
                   "%-12s perplexity %.6f -> %.6f, nll %s%s: %s; of %" PRId64 " windows %" PRId64
                   " better, %" PRId64 " worse",
                   c->name, exp(c->nll_a), exp(c->nll_b), laser_number_change(p->difference_nats, 6, change),
                   error, laser_verdict_name(laser_verdict_paired(p->difference_nats, stderr_nats)),
                   p->windows, p->better, p->worse);
}

static void say_moved(struct laser_run *run, const struct side *a, const struct side *b,
                      const struct comparison *all, const int64_t *order)
{
    char change[LASER_NUMBER_SIZE];

    for (int64_t k = 0; k < all->paired.moved && k < SAID_WINDOWS; ++k) {
        int64_t i = order[k];
        const struct laser_window *w = &a->windows.windows[i];
        double nll_a = window_mean(&a->windows, i), nll_b = window_mean(&b->windows, i);
        laser_log_line(run->log, "WINDOW",
                       "%" PRId64 " of %s (from token %" PRId64 "): nll %.6f -> %.6f (%s)", i,
                       a->windows.datasets[w->dataset].name, w->first, nll_a, nll_b,
                       laser_number_change(nll_b - nll_a, 6, change));
    }
}

/* The results of a compared run are not to be replaced. */
static int open_output(struct laser_run *run, struct laser_error *err)
{
    static const char *const own[] = {"compare", NULL};
    char path[4200];
    struct stat mine, theirs;
    int code;

    if (!laser_deck_is_set(run->deck, LASER_KEY_output))
        return LASER_OK;
    snprintf(run->output, sizeof run->output, "%s", run->settings->output);
    code = laser_directory_make(run->output, err);
    for (int i = 0; code == LASER_OK && i < 2; ++i) {
        snprintf(path, sizeof path, "%.4096s", run->arguments[i]);
        if (stat(run->output, &mine) == 0 && stat(path, &theirs) == 0 && mine.st_dev == theirs.st_dev &&
            mine.st_ino == theirs.st_ino)
            code = laser_error_set(err, LASER_EUSAGE, run->output,
                                   "this is the output directory of one of the two runs; choose another");
    }
    if (code == LASER_OK)
        code = laser_results_guard(run, run->output, own, err);
    return code;
}

static int compare_all(struct laser_run *run, const struct side *a, const struct side *b,
                       struct laser_error *err)
{
    int64_t n = a->windows.n_windows, at = 0;
    struct comparison *each = calloc((size_t)a->windows.n_datasets + 1, sizeof *each);
    struct comparison all = {.name = "pooled", .n = n};
    int64_t *order = calloc((size_t)n, sizeof *order);
    int code =
        each == NULL || order == NULL ? laser_error_set(err, LASER_ENOMEM, "compare", "no memory") : LASER_OK;

    for (int32_t i = 0; code == LASER_OK && i < a->windows.n_datasets; ++i) {
        each[i].name = a->windows.datasets[i].name;
        each[i].first = at;
        while (at < n && a->windows.windows[at].dataset == i)
            ++at;
        each[i].n = at - each[i].first;
        if (each[i].n > 0)
            code = compare_range(a, b, &each[i], NULL, err);
        if (code == LASER_OK && each[i].n > 0)
            say_comparison(run, &each[i]);
    }
    if (code == LASER_OK)
        code = compare_range(a, b, &all, order, err);
    if (code == LASER_OK) {
        say_comparison(run, &all);
        say_moved(run, a, b, &all, order);
        if (run->output[0] != '\0')
            code = write_results(run, a, b, each, &all, order, err);
    }
    free(each);
    free(order);
    return code;
}

int laser_command_compare(struct laser_run *run, struct laser_error *err)
{
    struct side a = {0}, b = {0};
    int code = open_side(run->arguments[0], &a, err);

    if (code == LASER_OK)
        code = open_side(run->arguments[1], &b, err);
    if (code == LASER_OK)
        code = laser_windows_match(a.path, &a.windows, b.path, &b.windows, err);
    if (code == LASER_OK)
        code = open_output(run, err);
    if (code == LASER_OK)
        code = compare_all(run, &a, &b, err);
    laser_windows_free(&a.windows);
    laser_windows_free(&b.windows);
    return code;
}
