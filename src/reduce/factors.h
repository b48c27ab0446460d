/* What reduce.also asks for: the edits as thin matrices.
 *
 * Every rank makes the factors of some edits in files of their own, OUT/work/factors/; rank 0 puts them
 * together.
 */
#ifndef LASER_REDUCE_FACTORS_H
#define LASER_REDUCE_FACTORS_H

#include "reduce/reduce.h"

struct laser_factor {
    int32_t edit;      /* number in r->edits */
    bool thin;         /* smaller as two thin matrices, and stored as a linear layer has it */
    bool other_form;   /* stored [in, out], or a part of a tensor: neither form fits */
    bool from_base;    /* the adapter is one for the base, and holds all of the edited difference */
    int rank;          /* singular values that stay */
    double left_out;   /* share of the change's Frobenius norm that those leave out */
    int change_rank;   /* of the adapter: as many as leave 1 % of the change's norm; from_base: nothing */
    double *s, *s_new; /* n each, one allocation */
    int n;
};

/* Rank 0.  OUT/factored and OUT/lora from the files of all edits. */
int laser_reduction_factored_write(const struct laser_reduction *r, const struct laser_factor *factors, int n,
                                   struct laser_error *err);
int laser_reduction_lora_write(const struct laser_reduction *r, const struct laser_factor *factors, int n,
                               int rank, struct laser_error *err);

/* "OUT/work/factors/7-lora.safetensors" */
void laser_factor_path(const struct laser_reduction *r, int edit, const char *kind, char *path, size_t size);

/* Does reduce.also ask for it ("factored", "lora")? */
bool laser_reduction_also(const struct laser_reduction *r, enum laser_deck_also what);

/* Local, the same on every rank: *f for an edit of r->edits.  The caller frees f->s. */
int laser_factor_describe(const struct laser_reduction *r, int32_t edit, struct laser_factor *f,
                          struct laser_error *err);

/* Local: the files of one edit's factors. */
int laser_factor_make(const struct laser_reduction *r, const struct laser_factor *f, int lora_rank,
                      struct laser_error *err);

#endif
