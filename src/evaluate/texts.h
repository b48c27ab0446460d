/* The texts and tasks of an evaluation, read and tokenised by one process. */
#ifndef LASER_EVALUATE_TEXTS_H
#define LASER_EVALUATE_TEXTS_H

#include <stdint.h>

#include "evaluate/evaluate.h"

struct laser_tokenizer;

/* What cutting windows needs of the tokenizer; sent to all ranks with the tokens. */
struct laser_texts_header {
    int32_t n_datasets, n_guards;
    int32_t bos; /* of the convention: see struct laser_window_options */
};

/* The deck's texts and guard texts: evaluation->datasets, n_datasets; what is to be cut from them in *header.  LASER_EINPUT: a text
 * or the model cannot be evaluated. */
int laser_texts_load(struct laser_evaluation *evaluation, struct laser_texts_header *header,
                     struct laser_error *err);

/* Rank 0.  The tokenizer of the model, with a warning where it seems to be another one's. */
int laser_evaluation_tokenizer(struct laser_evaluation *evaluation, int64_t vocabulary,
                               struct laser_tokenizer **tokenizer, struct laser_error *err);

/* Is there a tokenizer to load? */
bool laser_evaluation_has_tokenizer(const struct laser_checkpoint *checkpoint);

/* tokenizer.json beside the model, else what a GGUF file has of one.  LASER_EINPUT: there is none for its texts (what), and
 * what it could be made from. */
int laser_evaluation_tokenizer_load(const struct laser_checkpoint *checkpoint, const char *what,
                                    struct laser_tokenizer **tokenizer, struct laser_error *err);

/* The questions of n task files: evaluation->set.  LASER_EINPUT: a file or the model cannot be used. */
int laser_questions_load(struct laser_evaluation *evaluation, const struct laser_deck_pair *pairs, int n,
                         struct laser_error *err);

#endif
