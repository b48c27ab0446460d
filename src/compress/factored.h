/* Writes a checkpoint in which some weights are replaced by products of two thin ones.
 *
 * Factored: `<module>.weight` [out, in] becomes `<module>.BLinear.weight` [k, in] and
 * `<module>.ALinear.weight` [out, k], its bias `<module>.ALinear.bias`; config.json tells the ranks
 * (truncation_ranks: module -> k) and where transformers finds the code (auto_map),
 * modeling_laser_factored.py, which is written beside it.  Factors stand in the orientation of the layer,
 * also where the weight is stored transposed ([in, out], Conv1D).
 *
 * Of a fused tensor or a stack of experts each part (of each expert) is a weight of its own: `<module>.q.` or
 * `<module>.3.gate.` and then `BLinear.weight` and `ALinear.weight`, or, where it stays dense, `weight` [out, in]; config.json
 * tells of which outputs the parts are (truncation_parts, arch/arch.h).  The bias stays with the whole.
 *
 * Dense: the same names and shapes as before, the product of the factors rounded once.
 *
 * Everything else is copied as checkpoint/writer.h does, and files can be shared among ranks in the same way:
 *   every rank: laser_factored_open
 *   one rank:   laser_factored_begin
 *   any rank:   laser_factored_file(w, i) for each i in 0 .. w->writer->n_files-1 once
 *   one rank:   laser_factored_finish
 * A file appears whole or not at all; a file that is already there, whole, may be skipped
 * (laser_factored_has).  Memory is bounded by one pair of factors and a few MB.
 */
#ifndef LASER_COMPRESS_FACTORED_H
#define LASER_COMPRESS_FACTORED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/matrix.h"
#include "checkpoint/writer.h"

/* A weight and its factors: a safetensors file with the tensors "a" [out, k] and "b" [k, in] of one floating
 * type. */
struct laser_factor_pair {
    const char *tensor; /* "model.layers.0.mlp.up_proj.weight"; two dimensions, or a stack of them */
    int64_t rank;       /* k */
    bool transposed;    /* the tensor is stored [in, out] */
    const char *path;
    const struct laser_matrix
        *part; /* of the tensor, as checkpoint/matrix.h lists it; NULL: all of it.  Borrowed. */
};

/* The parts of a tensor of which at least one is factored. */
struct laser_factored_parts {
    struct laser_matrix_list list;
    int *pair_of; /* [list.n_matrices] number in pairs, or -1: it stays dense */
};

enum laser_factored_form { LASER_FORM_FACTORED, LASER_FORM_DENSE };

struct laser_factored {
    struct laser_writer *writer; /* its list of files, sizes as they will be */
    const struct laser_factor_pair *pairs;
    int n;
    enum laser_factored_form form;
    enum laser_dtype dtype; /* of the factors; LASER_DTYPE_COUNT: of the weight that they replace */
    int *pair_of;           /* [tensors of the checkpoint] number in pairs, or -1 */
    struct laser_factored_parts **parts_of; /* the same for tensors in parts, or NULL */
    int *bias_of;                           /* the same for biases of weights in pairs */
    char *config, *index;                   /* texts that replace config.json and the shard index, or NULL */
    int64_t parameters, bytes;              /* of all tensors as written */
};

/* pairs[n] are borrowed and must outlive *out; their files are read by laser_factored_file only.  dtype: of
 * the factors, LASER_DTYPE_COUNT: that of the weight they replace (FP8: bfloat16). LASER_EINPUT: a pair's
 * tensor is missing or has not two dimensions, a part that alternates with another row by row, a model without config.json, a model that is factored already
 * in another layout; LASER_EUSAGE as laser_writer_open. */
int laser_factored_open(const struct laser_checkpoint *c, const char *dir,
                        const struct laser_factor_pair *pairs, int n, enum laser_factored_form form,
                        enum laser_dtype dtype, struct laser_factored **out, struct laser_error *err);
void laser_factored_close(struct laser_factored *w); /* NULL is allowed */

/* As the functions of writer.h. */
int laser_factored_begin(const struct laser_factored *w, struct laser_error *err);
int laser_factored_file(const struct laser_factored *w, int i, struct laser_error *err);
int laser_factored_finish(const struct laser_factored *w, struct laser_error *err);

/* File i is there at its size: an earlier attempt wrote it. */
bool laser_factored_has(const struct laser_factored *w, int i);

/* All of it, alone. */
int laser_factored_write(const struct laser_checkpoint *c, const char *dir,
                         const struct laser_factor_pair *pairs, int n, enum laser_factored_form form,
                         enum laser_dtype dtype, struct laser_error *err);

#endif
