/* The linear layer: y[T, out] = x[T, in] W^T + bias, or y += x W^T.
 *
 * W comes as stored in a checkpoint, row-major [out, in] (or transposed [in, out], GPT-2's Conv1D), and is
 * packed slab by slab into memory of the caller, which several processes of a node may share.  In float32
 * mode the packed weights keep the stored precision (float64 becomes float32) and are widened a block at a
 * time inside the product; in bfloat16 mode all are bfloat16.  Layers that read the same x (query, key,
 * value; gate, up) are best packed as one layer with the outputs one after another: x is then prepared once.
 *
 * T = tokens.  Row strides are in elements.
 */
#ifndef LASER_KERNELS_LINEAR_H
#define LASER_KERNELS_LINEAR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "kernels/dispatch.h"
#include "kernels/scratch.h"
#include "kernels/storage.h"

struct laser_linear {
    int64_t out, in;
    enum laser_precision precision;
    enum laser_storage stored; /* of the checkpoint */
    enum laser_storage packed_as;
    void *packed;      /* caller's, laser_linear_size() bytes, aligned to 64 */
    const float *bias; /* [out], caller's, or NULL */
};

/* Bytes of the packed weights (a multiple of 64; outputs are padded to 32, inputs to 2), or -1 if they do not
 * fit into int64_t or an argument is out of range. */
int64_t laser_linear_size(enum laser_precision precision, enum laser_storage stored, int64_t out, int64_t in);

/* Describes a layer over memory of the caller, which is not touched: it may already be packed, or be packed
 * by another process.  bias (may be NULL) and packed must outlive *linear. LASER_EINTERNAL: a size below 1,
 * or packed not aligned to 64. */
int laser_linear_init(struct laser_linear *linear, enum laser_precision precision, enum laser_storage stored,
                      int64_t out, int64_t in, void *packed, const float *bias, struct laser_error *err);

/* Packs outputs first .. first + count - 1 from count rows of `in` stored elements (any alignment),
 * row_stride elements apart.  Slabs in any order; every output must be packed before the layer is applied.
 * Two processes may pack different slabs of one layer at a time if the slabs meet at multiples of 32 outputs.
 */
void laser_linear_pack_rows(struct laser_linear *linear, int64_t first, int64_t count, const void *rows,
                            int64_t row_stride);

/* The same from transposed storage: count columns `first ..` of W^T [in, out]; columns points to the first of
 * them in the first row, row_stride is the distance of two rows of W^T. */
void laser_linear_pack_columns(struct laser_linear *linear, int64_t first, int64_t count, const void *columns,
                               int64_t row_stride);

/* Reads row `index` of W back, widened: row[in].  In bfloat16 mode the rounded values. */
void laser_linear_row(const struct laser_linear *linear, int64_t index, float *row);

/* Scratch that laser_linear_apply needs for up to `tokens` tokens, with any implementation. */
int64_t laser_linear_scratch_size(const struct laser_linear *linear, int64_t tokens);

enum laser_output {
    LASER_STORE, /* y = x W^T + bias */
    LASER_ADD    /* y += x W^T + bias */
};

/* Applies the layer to tokens rows x[T, in] (stride x_stride) giving y[T, out] (stride y_stride).  x and y do
 * not overlap.  scratch holds at least laser_linear_scratch_size() bytes. */
void laser_linear_apply(const struct laser_linear *linear, int64_t tokens, const float *x, int64_t x_stride,
                        float *y, int64_t y_stride, enum laser_output output,
                        const struct laser_scratch *scratch);

/* Outputs first .. first + count - 1 only (first a multiple of 32): y[T, count], for a head that is too wide
 * to be held at once. */
void laser_linear_apply_range(const struct laser_linear *linear, int64_t first, int64_t count, int64_t tokens,
                              const float *x, int64_t x_stride, float *y, int64_t y_stride,
                              enum laser_output output, const struct laser_scratch *scratch);

/* The transpose of outputs first .. first + count - 1 (first a multiple of 32) as a layer of its own: `in`
 * outputs, `count` inputs, no bias, same precision, widened to float32 or in bfloat16.  So dx = dy W is a sum
 * of products over blocks of outputs, with no second copy of the weights.  packed: the caller's,
 * laser_linear_transposed_size() bytes, aligned to 64. */
int64_t laser_linear_transposed_size(const struct laser_linear *linear, int64_t count);
void laser_linear_transpose(const struct laser_linear *linear, int64_t first, int64_t count, void *packed,
                            struct laser_linear *transposed);

/* Inputs first .. first + count - 1 of a transposed layer count as zero from now on. */
void laser_linear_clear_inputs(struct laser_linear *transposed, int64_t first, int64_t count);

#endif
