/* The tasks of an evaluation, read and tokenised. */
#include <inttypes.h>
#include <stdlib.h>

#include "evaluate/encoder.h"
#include "evaluate/texts.h"

int laser_encoding_encode(void *context, const char *text, size_t n, bool add_special, int32_t **ids,
                          int64_t *n_ids, struct laser_error *err)
{
    const struct laser_encoding *e = context;

    return laser_tokenizer_encode(e->tokenizer, text, n, add_special, ids, n_ids, err);
}

void laser_encoding_variants(void *context, const char *answer, const int32_t **ids, int64_t *n_ids)
{
    const struct laser_encoding *e = context;

    laser_spellings_find(e->spellings, answer, ids, n_ids);
}

int64_t laser_encoding_longest(const struct laser_arch *arch)
{
    int64_t longest = laser_arch_longest(arch);

    if (arch->max_positions > 0 && arch->max_positions < longest)
        longest = arch->max_positions;
    return longest == INT64_MAX ? 0 : longest;
}

static void fill_encoder(const struct laser_arch *arch, struct laser_encoding *encoding,
                         struct laser_set_encoder *encoder)
{
    const struct laser_tokenizer *t = encoding->tokenizer;
    int32_t bos = laser_tokenizer_role_id(t, LASER_TOKEN_BOS);

    *encoder =
        (struct laser_set_encoder){.encode = laser_encoding_encode,
                                   .context = encoding,
                                   .arch = arch,
                                   .start = bos >= 0 ? bos : laser_tokenizer_role_id(t, LASER_TOKEN_EOS),
                                   .mask = laser_tokenizer_role_id(t, LASER_TOKEN_MASK),
                                   .max_tokens = laser_encoding_longest(arch)};
}

static void say_task(const struct laser_evaluation *e, const struct laser_set_task *t, int64_t max_tokens)
{
    laser_log_line(e->run->log, "TASK", "%s: %" PRId64 " questions of kind %s", t->name,
                   t->n_read - t->n_left_out, laser_task_kind_name((enum laser_task_kind)t->kind));
    if (t->n_too_long > 0)
        laser_log_line(e->run->log, "WARNING",
                       "%s: %" PRId64 " of %" PRId64 " questions are longer than the context of %" PRId64
                       " tokens and are left out",
                       t->name, t->n_too_long, t->n_read, max_tokens);
}

/* How many are told one by one; all are in results.json. */
#define SAID_ROWS 10

static void say_left_out(const struct laser_evaluation *e, const struct laser_set_task *t)
{
    const struct laser_task_left_out *rows = e->set.left_out + e->set.n_left_out - t->n_left_out;

    if (t->n_left_out == 0)
        return;
    laser_log_line(e->run->log, "WARNING",
                   "%s: %" PRId64 " of %" PRId64 " rows are no questions and are left out", t->name,
                   t->n_left_out, t->n_read);
    for (int64_t i = 0; i < t->n_left_out && i < SAID_ROWS; ++i)
        laser_log_line(e->run->log, "LEFT OUT", "%s:%" PRId64 ": %s", t->path, rows[i].line, rows[i].reason);
    if (t->n_left_out > SAID_ROWS)
        laser_log_line(e->run->log, "LEFT OUT", "and %" PRId64 " more, all in results.json",
                       t->n_left_out - SAID_ROWS);
}

static int load_task(struct laser_evaluation *e, const struct laser_deck_pair *pair,
                     struct laser_encoding *encoding, struct laser_set_encoder *encoder,
                     struct laser_error *err)
{
    struct laser_task task;
    int code = laser_task_read(pair->name, pair->path, &task, err);

    if (code == LASER_OK && task.kind == LASER_TASK_COMPLETION && encoding->spellings == NULL) {
        code = laser_spellings_create(encoding->tokenizer, &encoding->spellings, err);
        encoder->variants = laser_encoding_variants;
    }
    if (code == LASER_OK)
        code = laser_set_add(&e->set, &task, encoder, err);
    if (code == LASER_OK)
        say_task(e, &e->set.tasks[e->set.n_tasks - 1], encoder->max_tokens);
    if (code == LASER_OK)
        say_left_out(e, &e->set.tasks[e->set.n_tasks - 1]);
    laser_task_free(&task);
    return code;
}

int laser_questions_load(struct laser_evaluation *e, const struct laser_deck_pair *pairs, int n,
                         struct laser_error *err)
{
    const struct laser_checkpoint *c = e->run->checkpoint;
    struct laser_encoding encoding = {0};
    struct laser_set_encoder encoder;
    struct laser_model *model;
    int code;

    if (c->config == NULL)
        return laser_error_set(err, LASER_EINPUT, c->dir,
                               "there is no config.json: the model cannot be evaluated");
    code = laser_model_describe(c, NULL, e->precision, &model, err);
    if (code != LASER_OK)
        return code;
    code = laser_evaluation_tokenizer(e, laser_model_arch(model)->vocabulary, &encoding.tokenizer, err);
    if (code == LASER_OK) {
        fill_encoder(laser_model_arch(model), &encoding, &encoder);
        if (laser_model_arch(model)->masked && encoder.mask < 0)
            code = laser_error_set(err, LASER_EINPUT, c->dir,
                                   "a masked language model, and its tokenizer has no mask token");
    }
    for (int i = 0; code == LASER_OK && i < n; ++i)
        code = load_task(e, &pairs[i], &encoding, &encoder, err);
    laser_spellings_free(encoding.spellings);
    laser_tokenizer_free(encoding.tokenizer);
    laser_model_free(model);
    return code;
}
