/* The sequences of a batch of questions as a tree: what several have in common from their beginning is
 * computed once (the prompt of a question's options, the examples before several prompts).
 *
 * A node is a sequence of a ragged batch of the model (struct laser_model_batch) that goes on from its
 * parent.
 */
#ifndef LASER_TASK_TREE_H
#define LASER_TASK_TREE_H

#include "model/model.h"
#include "task/set.h"

struct laser_tree {
    int64_t n_nodes, n_tokens; /* rows of hidden states */
    int64_t *lengths, *parents;
    int32_t *tokens;
    /* What is scored, in the order of the questions, their options and targets (variants after each option's
     * targets): at rows[i] the target targets[i]. */
    int64_t n_scored;
    int64_t *rows;
    int32_t *targets;
};

/* The tree of questions first .. first + n - 1 (indices order[i] into the set; NULL: themselves).  share:
 * sequences may go on from others (laser_arch_continues).  LASER_ENOMEM.  Free with laser_tree_free. */
int laser_tree_build(const struct laser_set *set, const int64_t *order, int64_t first, int64_t n, bool share,
                     struct laser_tree *tree, struct laser_error *err);

void laser_tree_free(struct laser_tree *tree);

/* The batch that goes through the model. */
struct laser_model_batch laser_tree_batch(const struct laser_tree *tree);

#endif
