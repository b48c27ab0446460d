#include "task/set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/model.h"

void laser_set_free(struct laser_set *set)
{
    free(set->tasks);
    free(set->questions);
    free(set->options);
    free(set->tokens);
    free(set->targets);
    free(set->variants);
    free(set->left_out);
    memset(set, 0, sizeof *set);
}

unsigned laser_set_kinds(const struct laser_set *set)
{
    unsigned kinds = 0;

    for (int64_t i = 0; i < set->n_tasks; ++i)
        kinds |= 1u << set->tasks[i].kind;
    return kinds;
}

int64_t laser_set_longest(const struct laser_set *set)
{
    int64_t longest = 0;

    for (int64_t i = 0; i < set->n_options; ++i)
        if (set->options[i].n_tokens > longest)
            longest = set->options[i].n_tokens;
    return longest;
}

/* Makes room for n items more: in powers of two. */
static int grow(void *array, size_t size, int64_t have, int64_t n, struct laser_error *err)
{
    void **data = array, *grown;
    int64_t room = 64, wanted = have + n;

    if (have > 0 && have + n <= INT64_MAX / 4)
        for (room = 64; room < have;)
            room *= 2;
    if (*data != NULL && wanted <= room)
        return LASER_OK;
    while (room < wanted)
        room *= 2;
    grown = realloc(*data, (size_t)room * size);
    if (grown == NULL)
        return laser_error_set(err, LASER_ENOMEM, "tasks", "no memory for %lld items", (long long)room);
    *data = grown;
    return LASER_OK;
}

/* The tokens of one text. */
struct ids {
    int32_t *ids;
    int64_t n;
};

static int encode(const struct laser_set_encoder *e, const char *text, size_t n, bool special,
                  struct ids *out, const char *where, struct laser_error *err)
{
    int code = e->encode(e->context, text, n, special, &out->ids, &out->n, err);

    if (code != LASER_OK && err != NULL)
        snprintf(err->where, sizeof err->where, "%s", where);
    return code;
}

/* Prompt and option of a causal model: what belongs to the prompt, and what is scored. */
static int split_causal(const struct laser_set_encoder *e, const char *prompt, size_t n_prompt,
                        const char *option, struct ids *context, struct ids *answer, const char *where,
                        struct laser_error *err)
{
    size_t n_option = strlen(option);
    char *whole = malloc(n_prompt + n_option + 1);
    struct ids all = {0}, alone = {0};
    int64_t common = 0, start = 0;
    int code;

    if (whole == NULL)
        return laser_error_set(err, LASER_ENOMEM, where, "no memory");
    memcpy(whole, prompt, n_prompt);
    memcpy(whole + n_prompt, option, n_option + 1);
    code = encode(e, prompt, n_prompt, true, &alone, where, err);
    if (code == LASER_OK)
        code = encode(e, whole, n_prompt + n_option, true, &all, where, err);
    while (code == LASER_OK && common < alone.n && common < all.n && alone.ids[common] == all.ids[common])
        ++common;
    if (code == LASER_OK && common == all.n)
        code =
            laser_error_set(err, LASER_EINPUT, where, "the option \"%.80s\" has no token of its own", option);
    if (code == LASER_OK && common == 0) {
        if (e->start < 0)
            code = laser_error_set(err, LASER_EINPUT, where,
                                   "the prompt has no token, and the tokenizer no token that begins a text");
        start = 1;
    }
    if (code == LASER_OK) {
        context->ids = malloc((size_t)(common + start) * sizeof *context->ids + 1);
        answer->ids = malloc((size_t)(all.n - common) * sizeof *answer->ids + 1);
        if (context->ids == NULL || answer->ids == NULL)
            code = laser_error_set(err, LASER_ENOMEM, where, "no memory");
    }
    if (code == LASER_OK) {
        if (start > 0)
            context->ids[0] = e->start;
        memcpy(context->ids + start, all.ids, (size_t)common * sizeof *all.ids);
        memcpy(answer->ids, all.ids + common, (size_t)(all.n - common) * sizeof *all.ids);
        context->n = common + start;
        answer->n = all.n - common;
    }
    free(whole);
    free(all.ids);
    free(alone.ids);
    return code;
}

static int split(const struct laser_set_encoder *e, const char *prompt, const char *option,
                 struct ids *context, struct ids *answer, const char *where, struct laser_error *err)
{
    size_t n = strlen(prompt), blanks = 0;
    char *joined;
    int code;

    if (e->arch->masked) {
        code = encode(e, prompt, n, true, context, where, err);
        return code == LASER_OK ? encode(e, option, strlen(option), false, answer, where, err) : code;
    }
    while (blanks < n && prompt[n - 1 - blanks] == ' ')
        ++blanks;
    joined = malloc(blanks + strlen(option) + 1);
    if (joined == NULL)
        return laser_error_set(err, LASER_ENOMEM, where, "no memory");
    memset(joined, ' ', blanks);
    memcpy(joined + blanks, option, strlen(option) + 1);
    code = split_causal(e, prompt, n - blanks, joined, context, answer, where, err);
    free(joined);
    return code;
}

static int add_variants(struct laser_set *set, const char *text, const struct laser_set_encoder *e,
                        struct laser_set_option *o, struct laser_error *err)
{
    const int32_t *ids = NULL;
    int64_t n = 0;

    if (e->variants == NULL || o->n_scored != 1)
        return LASER_OK;
    e->variants(e->context, text, &ids, &n);
    if (grow(&set->variants, sizeof *set->variants, set->n_variants, n, err) != LASER_OK)
        return LASER_ENOMEM;
    o->first_variant = set->n_variants;
    for (int64_t i = 0; i < n; ++i)
        if (ids[i] != set->targets[o->first_target] && ids[i] < e->arch->vocabulary) {
            set->variants[set->n_variants++] = ids[i];
            ++o->n_variants;
        }
    return LASER_OK;
}

/* Of a text that is UTF-8, as JSON is. */
static void measure(const char *text, struct laser_set_option *o)
{
    text += *text == ' ';
    o->n_bytes = (int32_t)strlen(text);
    for (; *text != '\0'; ++text)
        o->n_characters += ((unsigned char)*text & 0xc0) != 0x80;
}

/* One option; *fits is false where it is too long, and nothing is added then. */
static int add_option(struct laser_set *set, const struct laser_task *task,
                      const struct laser_task_question *q, int i, const struct laser_set_encoder *e,
                      const char *where, bool *fits, struct laser_error *err)
{
    struct laser_set_option o = {.first_token = set->n_tokens, .first_target = set->n_targets};
    struct ids context = {0}, answer = {0};
    int64_t *rows = NULL, n = 0;
    int code = split(e, q->prompts != NULL ? q->prompts[i] : q->prompt, q->options[i], &context, &answer,
                     where, err);

    if (code == LASER_OK)
        code = grow(&set->tokens, sizeof *set->tokens, set->n_tokens, context.n + answer.n, err);
    if (code == LASER_OK)
        code = grow(&set->targets, sizeof *set->targets, set->n_targets, answer.n, err);
    if (code == LASER_OK)
        code = grow(&set->options, sizeof *set->options, set->n_options, 1, err);
    if (code == LASER_OK && (rows = malloc((size_t)answer.n * sizeof *rows + 1)) == NULL)
        code = laser_error_set(err, LASER_ENOMEM, where, "no memory");
    if (code == LASER_OK) {
        code = laser_model_question(e->arch, e->mask, context.ids, context.n, answer.ids, answer.n,
                                    set->tokens + set->n_tokens, &n, rows, err);
        if (code != LASER_OK && err != NULL)
            snprintf(err->where, sizeof err->where, "%s", where);
    }
    *fits = e->max_tokens <= 0 || n <= e->max_tokens;
    if (code == LASER_OK && *fits) {
        o.n_tokens = (int32_t)n;
        o.first_row = (int32_t)rows[0];
        o.n_scored = (int32_t)answer.n;
        measure(q->options[i], &o);
        memcpy(set->targets + set->n_targets, answer.ids, (size_t)answer.n * sizeof *answer.ids);
        if (task->kind == LASER_TASK_COMPLETION)
            code = add_variants(set, q->options[i], e, &o, err);
        set->n_tokens += n;
        set->n_targets += answer.n;
        set->options[set->n_options++] = o;
    }
    free(context.ids);
    free(answer.ids);
    free(rows);
    return code;
}

/* Takes back what was added since. */
static void go_back(struct laser_set *set, const struct laser_set *before)
{
    set->n_options = before->n_options;
    set->n_tokens = before->n_tokens;
    set->n_targets = before->n_targets;
    set->n_variants = before->n_variants;
}

static int leave_out(struct laser_set *set, int64_t line, const char *reason, struct laser_error *err)
{
    ++set->tasks[set->n_tasks - 1].n_left_out;
    return laser_task_leave_out(&set->left_out, &set->n_left_out, line, reason)
               ? LASER_OK
               : laser_error_set(err, LASER_ENOMEM, "tasks", "no memory");
}

static int add_question(struct laser_set *set, const struct laser_task *task, int64_t index,
                        const struct laser_set_encoder *e, struct laser_error *err)
{
    const struct laser_task_question *q = &task->questions[index];
    const struct laser_set before = *set;
    struct laser_error odd = {0};
    char where[512];
    bool fits = true;
    int code = LASER_OK;

    snprintf(where, sizeof where, "%.480s:%lld", task->path, (long long)q->line);
    for (int i = 0; code == LASER_OK && fits && i < q->n_options; ++i)
        code = add_option(set, task, q, i, e, where, &fits, &odd);
    if (code != LASER_OK && code != LASER_EINPUT)
        return laser_error_set(err, code, odd.where, "%s", odd.text);
    if (code == LASER_EINPUT) {
        go_back(set, &before);
        return leave_out(set, q->line, odd.text, err);
    }
    if (!fits) {
        go_back(set, &before);
        ++set->tasks[set->n_tasks - 1].n_too_long;
        return LASER_OK;
    }
    if (grow(&set->questions, sizeof *set->questions, set->n_questions, 1, err) != LASER_OK)
        return LASER_ENOMEM;
    set->questions[set->n_questions++] =
        (struct laser_set_question){.first_option = before.n_options,
                                    .line = q->line,
                                    .n_options = q->n_options,
                                    .answer = q->answer,
                                    .task = (int32_t)set->n_tasks - 1,
                                    .tokens = (int32_t)(set->n_tokens - before.n_tokens)};
    return LASER_OK;
}

/* No question of the task was added: why the rows are not asked. */
static int none_left(const struct laser_set *set, int64_t first_left_out, const struct laser_task *task,
                     const struct laser_set_encoder *e, struct laser_error *err)
{
    const struct laser_set_task *t = &set->tasks[set->n_tasks - 1];

    if (t->n_left_out == 0)
        return laser_error_set(err, LASER_EINPUT, task->path,
                               "no question can be answered: all %lld are longer than the model's context "
                               "of %lld tokens",
                               (long long)t->n_too_long, (long long)e->max_tokens);
    return laser_error_set(
        err, LASER_EINPUT, task->path,
        "no question can be answered: %lld rows are left out, line %lld: %s; %lld are longer "
        "than the model's context",
        (long long)t->n_left_out, (long long)set->left_out[first_left_out].line,
        set->left_out[first_left_out].reason, (long long)t->n_too_long);
}

int laser_set_add(struct laser_set *set, const struct laser_task *task, const struct laser_set_encoder *e,
                  struct laser_error *err)
{
    int64_t first = set->n_questions, first_left_out = set->n_left_out;
    struct laser_set_task *t;
    int code = grow(&set->tasks, sizeof *set->tasks, set->n_tasks, 1, err);

    if (code != LASER_OK)
        return code;
    t = &set->tasks[set->n_tasks++];
    memset(t, 0, sizeof *t);
    snprintf(t->name, sizeof t->name, "%s", task->name);
    snprintf(t->path, sizeof t->path, "%s", task->path);
    t->kind = (int32_t)task->kind;
    t->n_read = task->n_questions + task->n_left_out;
    t->hash = task->hash;
    for (int64_t i = 0; code == LASER_OK && i < task->n_left_out; ++i)
        code = leave_out(set, task->left_out[i].line, task->left_out[i].reason, err);
    for (int64_t i = 0; code == LASER_OK && i < task->n_questions; ++i)
        code = add_question(set, task, i, e, err);
    if (code == LASER_OK && set->n_questions == first)
        code = none_left(set, first_left_out, task, e, err);
    return code;
}
