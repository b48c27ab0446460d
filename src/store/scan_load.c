#include "store/scan_load.h"

#include "base/clock.h"
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "arch/family.h"
#include "base/file.h"
#include "store/results.h"

/* "\x89HDF\r\n\x1a\n" at the beginning. */
static bool is_hdf5(const char *path)
{
    static const char magic[] = "\x89HDF\r\n\x1a\n";
    char begin[sizeof magic - 1];
    FILE *file = laser_file_refuse_special(path, NULL) == LASER_OK ? fopen(path, "rb") : NULL;
    bool is = file != NULL && fread(begin, 1, sizeof begin, file) == sizeof begin &&
              memcmp(begin, magic, sizeof begin) == 0;

    if (file != NULL)
        fclose(file);
    return is;
}

static enum laser_score score_named(const char *name)
{
    enum laser_score score = LASER_SCORE_SNR;

    if (name != NULL)
        laser_score_parse(name, &score, NULL);
    return score;
}

/* ---- rows ---- */

static const char *find_name(const struct laser_scan_input *in, const struct laser_end_names *ends)
{
    for (int k = 0; k < ends->n; ++k)
        for (size_t i = 0; i < in->n; ++i)
            if (strcmp(in->rows[i].name, ends->names[k]) == 0)
                return ends->names[k];
    return NULL;
}

static bool skipped(const struct laser_spectra_tensor *t)
{
    return strcmp(t->status, "skipped") == 0;
}

static int fill_rows(struct laser_scan_input *in, enum laser_score score, struct laser_error *err)
{
    struct laser_spectra *s = &in->spectra;
    size_t fields = (size_t)laser_n_metric_fields;

    if (in->own_rows == NULL) {
        in->own_rows = calloc((size_t)(s->n + s->n_tensors) + 1, sizeof *in->own_rows);
        in->numbers = calloc((size_t)s->n + 1, fields * sizeof *in->numbers);
    }
    if (in->own_rows == NULL || in->numbers == NULL)
        return laser_error_set(err, LASER_ENOMEM, in->path, "no memory for its matrices");
    in->n = in->n_matrices = (size_t)s->n;
    for (size_t i = 0; i < in->n; ++i) {
        const struct laser_spectra_matrix *m = &s->matrices[i];
        in->own_rows[i] = (struct laser_scan_row){.name = m->name,
                                                  .type = m->type,
                                                  .layer = m->layer,
                                                  .rows = m->outcome.metrics.rows,
                                                  .columns = m->outcome.metrics.columns,
                                                  .dtype = m->dtype,
                                                  .sigma = m->sigma};
        laser_row_fill(&in->own_rows[i], &m->outcome, score, in->numbers + i * fields);
    }
    for (int64_t i = 0; i < s->n_tensors; ++i)
        if (skipped(&s->tensors[i]))
            in->own_rows[in->n++] = (struct laser_scan_row){.name = s->tensors[i].name,
                                                            .type = s->tensors[i].name,
                                                            .layer = -1,
                                                            .status = LASER_SCAN_SKIPPED,
                                                            .reason = s->tensors[i].reason};
    in->rows = in->own_rows;
    return LASER_OK;
}

static int load_own(struct laser_scan_input *in, struct laser_error *err)
{
    int code = laser_spectra_read(in->path, &in->spectra, err);

    if (code != LASER_OK)
        return code;
    if (in->spectra.n == 0)
        return laser_error_set(err, LASER_EINPUT, in->path, "there is no matrix in it");
    in->model = in->spectra.model;
    in->rule = in->spectra.rule;
    in->score = in->spectra.score != NULL ? in->spectra.score : "snr";
    code = fill_rows(in, score_named(in->score), err);
    if (code == LASER_OK) {
        in->lm_head = find_name(in, &laser_arch_ends()[0]);
        in->embedding = find_name(in, &laser_arch_ends()[1]);
    }
    return code;
}

static int load_foreign(struct laser_scan_input *in, struct laser_error *err)
{
    int code = laser_foreign_read(in->path, &in->foreign, err);

    if (code != LASER_OK)
        return code;
    in->program = in->foreign.program;
    in->score = in->foreign.score;
    in->rows = in->foreign.rows;
    in->n = in->n_matrices = in->foreign.n;
    /* As Spectrum and Axolotl take for granted; a name that a model lacks unfreezes nothing. */
    in->lm_head = laser_arch_ends()[0].names[0];
    in->embedding = laser_arch_ends()[1].names[0];
    return LASER_OK;
}

int laser_scan_load(const char *path, struct laser_scan_input *in, struct laser_error *err)
{
    struct stat info;

    memset(in, 0, sizeof *in);
    snprintf(in->path, sizeof in->path, "%.4000s", path);
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        snprintf(in->path, sizeof in->path, "%.4000s/spectra.h5", path);
        if (stat(in->path, &info) != 0)
            return laser_error_set(err, LASER_EINPUT, path,
                                   "there is no spectra.h5 in this directory; a run's output directory, "
                                   "spectra.h5, Spectrum's JSON or WeightWatcher's CSV was expected");
        return load_own(in, err);
    }
    return is_hdf5(path) ? load_own(in, err) : load_foreign(in, err);
}

void laser_scan_input_free(struct laser_scan_input *in)
{
    laser_spectra_free(&in->spectra);
    laser_foreign_free(&in->foreign);
    free(in->own_rows);
    free(in->numbers);
    memset(in, 0, sizeof *in);
}

int laser_scan_rederive(struct laser_scan_input *in, const char *rule_text, const char *score,
                        struct laser_error *err)
{
    struct laser_rule rule;
    int code = laser_rule_parse(rule_text, &rule, err);

    if (in->program != NULL)
        return laser_error_set(
            err, LASER_EUSAGE, in->path,
            "a scan of %s has no singular values: threshold and score are as they are in it", in->program);
    for (int64_t i = 0; code == LASER_OK && i < in->spectra.n; ++i) {
        struct laser_spectra_matrix *m = &in->spectra.matrices[i];
        if (m->sigma != NULL)
            code = laser_metrics_fill(&rule, m->sigma, m->outcome.metrics.rows, m->outcome.metrics.columns,
                                      &m->outcome.metrics, err);
    }
    if (code == LASER_OK)
        code = fill_rows(in, score_named(score), err);
    in->rule = rule_text;
    in->score = score;
    return code;
}

/* snr_results_org-name_sorted.json is a scan of org-name. */
static char *model_of_file(const char *path)
{
    static const char begin[] = "snr_results_";
    static const char *const ends[] = {".json", ".csv", "_sorted"};
    const char *slash = strrchr(path, '/');
    char *name = strdup(slash != NULL ? slash + 1 : path);

    if (name == NULL)
        return NULL;
    if (strncmp(name, begin, sizeof begin - 1) == 0)
        memmove(name, name + sizeof begin - 1, strlen(name + sizeof begin - 1) + 1);
    else if (strncmp(name, "weightwatcher_", 14) == 0)
        memmove(name, name + 14, strlen(name + 14) + 1);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; ++i) {
        size_t n = strlen(name), cut = strlen(ends[i]);
        if (n > cut && strcmp(name + n - cut, ends[i]) == 0)
            name[n - cut] = '\0';
    }
    return name;
}

int laser_scan_input_meta(const struct laser_run *run, const struct laser_scan_input *in,
                          struct laser_scan_meta *meta, char **model_id, struct laser_error *err)
{
    const char *asked = run->settings->scan.model_id;

    *model_id = asked[0] != '\0'    ? strdup(asked)
                : in->model != NULL ? laser_scan_model_id(in->model)
                                    : model_of_file(in->path);
    *meta = (struct laser_scan_meta){.command = laser_command_name(run->command),
                                     .version = PACKAGE_VERSION,
                                     .model = in->model != NULL ? in->model : *model_id,
                                     .base = in->spectra.base,
                                     .model_id = *model_id,
                                     .threshold = in->rule != NULL ? in->rule : "",
                                     .score = in->score,
                                     .ranks = run->size,
                                     .seconds = laser_clock_s() - run->start_s,
                                     .top_percent = (int)run->settings->scan.top_percent,
                                     .lm_head = in->lm_head,
                                     .embedding = in->embedding};
    if (strcmp(meta->threshold, "laserrmt") == 0)
        meta->never_cuts_below_beta = laser_compat_beta_limit();
    if (*model_id == NULL)
        return laser_error_set(err, LASER_ENOMEM, in->path, "no memory");
    return laser_scan_check_names(run->settings->output, *model_id, meta->top_percent, err);
}
