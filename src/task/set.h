/* Encoded questions: what of tasks goes through a model, as flat arrays that one process can send to another.
 */
#ifndef LASER_TASK_SET_H
#define LASER_TASK_SET_H

#include <stdint.h>

#include "arch/arch.h"
#include "base/error.h"
#include "task/task.h"

/* A sequence and what is scored of it: row first_row + i predicts targets[i], i < n_scored. */
struct laser_set_option {
    int64_t first_token;   /* in set.tokens */
    int64_t first_target;  /* in set.targets */
    int64_t first_variant; /* in set.variants: other spellings of a one-token answer */
    int32_t n_tokens, first_row, n_scored, n_variants;
    int32_t n_characters, n_bytes; /* of its text, without the blank that it begins with */
};

struct laser_set_question {
    int64_t first_option;
    int64_t line; /* of the task's file */
    int32_t n_options, answer;
    int32_t task;
    int32_t tokens; /* of all its options */
};

struct laser_set_task {
    char name[256], path[1024];
    int32_t kind;
    int32_t unused;
    int64_t n_read;     /* rows of the file */
    int64_t n_too_long; /* of these: longer than the context, left out */
    int64_t n_left_out; /* of these: no question, or one that the tokenizer or the model cannot be asked */
    uint64_t hash;
};

struct laser_set {
    struct laser_set_task *tasks;
    struct laser_set_question *questions;
    struct laser_set_option *options;
    int32_t *tokens, *targets, *variants;
    int64_t n_tasks, n_questions, n_options, n_tokens, n_targets, n_variants;

    /* Of the process that has read the files: rows that are left out, those of each task together. */
    struct laser_task_left_out *left_out;
    int64_t n_left_out;
};

/* How texts become tokens. */
struct laser_set_encoder {
    int (*encode)(void *context, const char *text, size_t n, bool add_special, int32_t **ids, int64_t *n_ids,
                  struct laser_error *err);
    /* Ids whose text is that of the answer but for case and blanks around it; may be NULL.  *ids is the
     * context's. */
    void (*variants)(void *context, const char *answer, const int32_t **ids, int64_t *n_ids);
    void *context;
    const struct laser_arch *arch;
    int32_t start;      /* stands before a prompt without a token: BOS or EOS; -1: none */
    int32_t mask;       /* of a masked model, else -1 */
    int64_t max_tokens; /* the context; 0: no limit */
};

/* Adds a task's questions to a set (all zero at first).  Blanks at the end of a prompt go to the options, as
 * a tokenizer joins them to the word that follows; the option's tokens are those of prompt + option beyond
 * the tokens that are the prompt's too.  A question with an option that does not fit into the context is left
 * out and counted; so is one, with the reason, that cannot be asked: a text that cannot be encoded, an option
 * without a token of its own, a masked model's prompt without one mask.  LASER_EINPUT (where = path): no
 * question is left; LASER_ENOMEM. */
int laser_set_add(struct laser_set *set, const struct laser_task *task,
                  const struct laser_set_encoder *encoder, struct laser_error *err);

void laser_set_free(struct laser_set *set);

/* Kinds of the tasks, as bits. */
unsigned laser_set_kinds(const struct laser_set *set);

/* Tokens of the longest option. */
int64_t laser_set_longest(const struct laser_set *set);

#endif
