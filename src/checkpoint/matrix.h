/* The matrices of a checkpoint: which tensors, or parts of tensors, are scanned, and how their elements are
 * addressed, read and written.
 *
 * By default every 2-D weight of a linear layer inside a numbered (decoder or encoder) layer is a matrix, and
 * so is every expert of a 3-D stack [E, ., .]; it needs no knowledge of the architecture. Tensors are told
 * apart by name, shape and type; every tensor of the checkpoint ends either in matrices or in skipped, with a
 * reason.  A matrix has the stored orientation: a GPT-2 Conv1D weight is [in, out].
 *
 * Quantised weights are seen as they are once they are widened: coded.h.
 */
#ifndef LASER_CHECKPOINT_MATRIX_H
#define LASER_CHECKPOINT_MATRIX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "checkpoint/checkpoint.h"

/* Element (i, j) of the matrix is element
 *     first + ((i / block_rows) * block_stride + i % block_rows) * ld + col0 + j * col_step
 * of the tensor (in elements, row-major). */
struct laser_matrix {
    char *name; /* the tensor's, then [e] for an expert, then [q] etc. for a part */
    char *type; /* name after the layer number without .weight, part included: "mlp.down_proj"; with its tower
                   before it where others have the same type (towers.h) */
    int layer;  /* first number in the name, -1 when there is none */
    int expert; /* index in a 3-D stack, -1 otherwise */
    const char *part; /* "q", "k", "v", "gate", "up", or NULL; static */
    const char *note; /* why a fused tensor was not split on request, or NULL; static */
    bool transposed;  /* stored [in, out] (GPT-2 Conv1D, some expert stacks), as far as the names tell */
    enum laser_dtype dtype;
    int64_t tensor; /* index in the checkpoint */
    int64_t rows;
    int64_t cols;
    int64_t first;
    int64_t block_rows;
    int64_t block_stride;
    int64_t ld;
    int64_t col0;
    int64_t col_step;
};

struct laser_matrix_skip {
    int64_t tensor;
    const char *reason; /* static */
};

struct laser_matrix_list {
    int64_t n_matrices;
    struct laser_matrix *matrices; /* layers in numerical order, then by name */
    int64_t n_skipped;
    struct laser_matrix_skip *skipped; /* by tensor */
};

struct laser_matrix_options {
    const char *const *include; /* patterns of select.h on matrix or tensor names; none = the default set */
    int n_include;
    const char *const *exclude;
    int n_exclude;
    bool split_fused; /* c_attn, qkv_proj, query_key_value, gate_up_proj in parts */
    bool vectors;     /* 1-D tensors that `include` names are scanned as 1 x n (norms) */
};

/* Lists the matrices.  options may be NULL.  LASER_EUSAGE (a bad pattern; an include pattern or the whole
 * selection matches nothing: names the nearest), LASER_ENOMEM.  Free with laser_matrix_list_free. */
int laser_matrix_list(const struct laser_checkpoint *c, const struct laser_matrix_options *options,
                      struct laser_matrix_list *list, struct laser_error *err);
void laser_matrix_list_free(struct laser_matrix_list *list);

/* Reads rows row0 .. row0+n_rows-1, columns col0 .. col0+n_cols-1 as float64, row-major, into dst with
 * leading dimension ld >= n_cols.  Full-width slabs are read in large contiguous pieces, narrower windows row
 * by row; working memory is about 1 MB.  Values are as stored: NaN and Inf are not looked for.
 * LASER_EINTERNAL (window outside the matrix), LASER_EIO, LASER_ENOMEM. */
int laser_matrix_read(const struct laser_checkpoint *c, const struct laser_matrix *matrix, int64_t row0,
                      int64_t n_rows, int64_t col0, int64_t n_cols, double *dst, int64_t ld,
                      struct laser_error *err);

/* Puts such a window back into `bytes`, the whole tensor in its stored dtype and orientation
 * (size_bytes of the tensor), rounded to nearest even.  Bytes outside the window are not touched. */
int laser_matrix_write(const struct laser_checkpoint *c, const struct laser_matrix *matrix, int64_t row0,
                       int64_t n_rows, int64_t col0, int64_t n_cols, const double *src, int64_t ld,
                       void *bytes, struct laser_error *err);

/* Is the matrix a whole tensor of two dimensions? */
bool laser_matrix_is_whole(const struct laser_checkpoint *c, const struct laser_matrix *matrix);

/* The matrix by itself, row after row from byte 0 on: for laser_matrix_write into memory of its own size. */
struct laser_matrix laser_matrix_alone(const struct laser_matrix *matrix);

/* Later reads of the matrix's elements, through the tensor too, come from the tensor of the matrix's name,
 * rows x columns in the same dtype, of a safetensors file; path NULL: from the checkpoint again.  For a whole
 * tensor as laser_checkpoint_redirect; for a part of a tensor the rest of it stays as it is, and several
 * parts can be redirected.  Redirected parts do not travel with laser_checkpoint_pack.  Errors as
 * laser_checkpoint_redirect. */
int laser_matrix_redirect(struct laser_checkpoint *c, const struct laser_matrix *matrix, const char *path,
                          struct laser_error *err);

#endif
