/* What a model's distance from its base is on the texts of an evaluation: figures of each and of all together, for people and
 * for results.json. */
#ifndef LASER_EVALUATE_DIVERGENCE_H
#define LASER_EVALUATE_DIVERGENCE_H

#include <jansson.h>

#include "corpus/divergence.h"
#include "evaluate/beside.h"
#include "evaluate/evaluate.h"

struct laser_divergences {
    int32_t n_datasets;
    const struct laser_dataset *datasets; /* borrowed */
    struct laser_divergence *each;        /* windows 0: none of the part are of this text */
    struct laser_paired *paired;          /* losses, other minus base */
    struct laser_divergence pooled;
    struct laser_paired pooled_paired;
    double nll_base, nll_other;                       /* mean of all */
    double macro_kl, macro_nll_base, macro_nll_other; /* means over the texts, each the same weight */
    int64_t vocabulary_base, vocabulary_other;        /* different: the common part was compared */
};

/* A set of enum laser_item_part: 1 << LASER_PART_REPORT and so on. */
#define LASER_PARTS_ALL ((1u << LASER_PARTS) - 1)

/* Windows of some parts. */
int64_t laser_parts_windows(const struct laser_evaluation *evaluation, unsigned parts);

/* Rank 0: from the files of the tokens of the batches of some parts and the scores of all items by both models. */
int laser_divergences_compute(const struct laser_evaluation *evaluation, const struct laser_beside *beside,
                              unsigned parts, const struct laser_item_score *base,
                              const struct laser_item_score *other, struct laser_divergences *divergences,
                              struct laser_error *err);
void laser_divergences_free(struct laser_divergences *divergences);

/* Lines of the log. */
void laser_divergences_say(const struct laser_divergences *divergences, struct laser_log *log);

/* {"pooled": {...}, "datasets": {...}}: a new object; NULL without memory. */
json_t *laser_divergences_json(const struct laser_divergences *divergences);

#endif
