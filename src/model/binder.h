/* Inside of src/model: tensors of a checkpoint as sources of the parts of a model.  Errors are sticky: after
 * the first one nothing is bound. */
#ifndef LASER_MODEL_BINDER_H
#define LASER_MODEL_BINDER_H

#include "model/internal.h"

enum { LASER_NAME_BYTES = 512 };

/* Where no checkpoint is looked at: laser_model_sketch. */
struct laser_sketch {
    enum laser_storage stored;
    laser_sketch_note *note;
    void *context;
};

struct laser_binder {
    struct laser_model *model;
    const struct laser_sketch *sketch; /* NULL: a checkpoint is bound */
    const char *prefix;
    int64_t layer; /* being bound; -1 the embedding, L the head */
    int result;
    struct laser_error *err;
};

/* A piece of a linear weight: rows x cols as the layer sees it ([out, in]), of which the shard takes
 * row_count rows from row on and col_count columns from col on.  stack: the tensor holds that many such
 * weights, one for each expert; 0: it is the weight. */
struct laser_piece {
    int64_t rows, cols, row, row_count, col, col_count, stack;
};

/* bind.c: as laser_model_bind, without a checkpoint. */
int laser_model_bind_sketch(struct laser_model *model, const struct laser_sketch *sketch,
                            struct laser_error *err);

/* bind_attention.c */
void laser_bind_attention(struct laser_binder *b, struct laser_layer *layer);

/* bind_mixer.c: what the layer has before its MLP. */
void laser_bind_mixer(struct laser_binder *b, struct laser_layer *layer);

/* bind_delta.c */
void laser_bind_delta(struct laser_binder *b, struct laser_layer *layer);

void laser_bind_fail(struct laser_binder *b, int code, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Prefix, layer, expert (-1: none), name and suffix in the caller's buffer of LASER_NAME_BYTES. */
const char *laser_bind_name(const struct laser_binder *b, char *buffer, const char *name, int expert,
                            const char *suffix);

/* Finds a tensor of the expected shape (stack = 0: a matrix; cols = 0: a vector of rows) and marks it as
 * used; -1 after an error. */
int64_t laser_bind_find(struct laser_binder *b, const char *name, int64_t stack, int64_t rows, int64_t cols,
                        enum laser_storage *storage);

void laser_bind_add(struct laser_binder *b, struct laser_binding binding);

/* count values of a vector of `size`, from `from` on. */
void laser_bind_values(struct laser_binder *b, struct laser_part *part, int64_t first, const char *name,
                       int64_t size, int64_t from, int64_t count);

/* The same of a tensor of any shape with `size` elements; name is whole. */
void laser_bind_flat(struct laser_binder *b, struct laser_part *part, int64_t first, const char *name,
                     int64_t size, int64_t from, int64_t count);

/* name NULL: the family has none. */
void laser_bind_norm(struct laser_binder *b, struct laser_norm *norm, const char *name, int64_t size);

/* One tensor, a share of its outputs, all inputs; they go to `first` of the part. */
void laser_bind_outputs(struct laser_binder *b, struct laser_part *part, struct laser_part *bias,
                        int64_t first, const char *name, int expert, struct laser_piece p, bool has_bias);

/* One tensor, all outputs, a share of its inputs; the bias is added by the first shard alone. */
void laser_bind_inputs(struct laser_binder *b, struct laser_part *part, struct laser_part *bias,
                       const char *name, int expert, struct laser_piece p, bool has_bias);

#endif
