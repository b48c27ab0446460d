/* What the recognisers of quantised weights share: see coded_making.c. */
#ifndef LASER_CHECKPOINT_CODED_RESOLVE_H
#define LASER_CHECKPOINT_CODED_RESOLVE_H

#include "checkpoint/coded.h"

/* A checkpoint whose coded tensors are being found. */
struct laser_resolver {
    struct laser_checkpoint *c;
    const json_t *config; /* what config.json says of the quantisation, or NULL */
    const char *method;   /* quant_method, or "" */
    bool *taken;          /* one a tensor: it is a part of another */
    struct laser_tensor *made;
    int64_t n_made;
    struct laser_error *err;
};

/* What config.json says of a quantisation, or NULL. */
const json_t *laser_resolve_config(const struct laser_checkpoint *c);

/* A tensor that is being put together. */
struct laser_making {
    struct laser_resolver *r;
    const char *base; /* name of the tensor up to its last part: "model.layers.0.mlp.up_proj." */
    int base_length;
    struct laser_coded *k;
    int code;
};

/* Begins one; `codes` becomes its first part. */
struct laser_making laser_making_begin(struct laser_resolver *r, const struct laser_tensor *codes,
                                       int base_length, enum laser_coding coding, const char *format,
                                       int bits);

/* The tensor base + ending, or NULL; required: its absence is an error that names the codes. */
const struct laser_tensor *laser_making_part(struct laser_making *m, enum laser_coded_part part,
                                             const char *ending, bool required);

/* An error of this tensor; `where` names it. */
void laser_making_fail(struct laser_making *m, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The columns that share a scale where there are n_groups of them: what config.json says where that fits. */
void laser_making_group(struct laser_making *m, int64_t cols, int64_t n_groups,
                        const struct laser_tensor *scale);

/* Ends one: the tensor base + ending of n_slices matrices (0: no stack) of k->rows x k->cols.  Returns the
 * code. */
int laser_making_end(struct laser_making *m, const char *ending, enum laser_dtype dtype, int64_t n_slices);

/* The floating type of what is multiplied by this scale. */
enum laser_dtype laser_resolve_dtype(const struct laser_tensor *scale);

/* r->err: no memory for the catalogue. */
int laser_resolve_no_memory(struct laser_resolver *r);

/* Does the name end so?  *base_length is what comes before. */
bool laser_resolve_ends(const char *name, const char *ending, int *base_length);

/* One method each: *known is set if the tensor is theirs. */
int laser_resolve_floats(struct laser_resolver *r, const struct laser_tensor *t, bool *known);
int laser_resolve_fp4(struct laser_resolver *r, const struct laser_tensor *t, bool *known);
int laser_resolve_packed(struct laser_resolver *r, const struct laser_tensor *t, bool *known);
int laser_resolve_turned(struct laser_resolver *r, const struct laser_tensor *t, bool *known);
int laser_resolve_bitsandbytes(struct laser_resolver *r, const struct laser_tensor *t, bool *known);

#endif
