/* Tensors that are not stored as they are seen: quantised weights, blocks of GGUF files, permuted rows,
 * differences of two tensors.
 *
 * Such a tensor stands in the catalogue under the name, shape and floating type that it has once it is
 * widened; what it is made of (its parts) does not.  laser_checkpoint_read makes the bytes asked for, window
 * by window, so that nothing above knows.  Values are those of the format's reference implementation, to the
 * bit: they are rounded where and to the type in which that one rounds, which is the tensor's type.
 */
#ifndef LASER_CHECKPOINT_CODED_H
#define LASER_CHECKPOINT_CODED_H

#include "checkpoint/checkpoint.h"

/* How the elements are made: q is a code, s its scale, z its zero point. */
enum laser_coding {
    LASER_CODED_SCALED, /* q * s or (q - z) * s; q an element of 8 bits */
    LASER_CODED_PACKED, /* (q - z) * s; q of `bits` bits, one after the other along a row, lowest bit first */
    LASER_CODED_AFFINE, /* q * s + z: MLX */
    LASER_CODED_FP4,    /* q * s; q of 4 bits (e2m1), the even column in the low half of a byte */
    LASER_CODED_GPTQ,   /* (q - z) * s; packed down the columns of the transposed matrix */
    LASER_CODED_AWQ,    /* (q - z) * s; packed along the rows of the transposed matrix, interleaved */
    LASER_CODED_BNB4,   /* table[q] * s; blocks of the flattened matrix */
    LASER_CODED_BNB8,   /* q * s / 127 */
    LASER_CODED_BLOCKS, /* blocks of a GGUF file, of the type `bits`: gguf.h */
    LASER_CODED_DIFFERENCE, /* q - z, both tensors that may be coded themselves: difference.h */
    LASER_CODED_SUM,        /* q + z, likewise: adapter.h */
    LASER_CODED_PRODUCT,    /* offset * s q, s of block2 columns: adapter.h */
    LASER_CODED_CAST,       /* q, rounded to the type of the tensor: cast.h */
    LASER_CODED_ALONE,      /* has no partner to be subtracted from; not read */
    LASER_CODED_COUNT
};

enum laser_coded_part {
    LASER_PART_CODES,
    LASER_PART_SCALE,
    LASER_PART_ZERO,   /* zero points; MLX: what is added */
    LASER_PART_INDEX,  /* group of each column */
    LASER_PART_SCALE2, /* scale of the scales */
    LASER_PART_TABLE,  /* value of each code */
    LASER_PART_TABLE2, /* value of each code of the scales */
    LASER_PART_NOTE,   /* read once, when the checkpoint is opened */
    LASER_CODED_PARTS
};

#define LASER_FORMAT_NAME 24

struct laser_coded {
    enum laser_coding coding;
    char format[LASER_FORMAT_NAME]; /* for people: "MXFP4", "GPTQ int4" */
    int bits;
    int64_t slices; /* matrices in a stack, 1 otherwise */
    int64_t rows;   /* of one, as it is stored */
    int64_t cols;
    bool transposed; /* the tensor has these matrices transposed */
    int64_t block_rows;
    int64_t block_cols; /* elements that share a scale; the block of a flattened matrix */
    int64_t block2;     /* scales that share a scale of scales */
    int zero_shift;     /* added to stored zero points (GPTQ v1: 1) */
    bool divides;       /* the scale of scales divides */
    double offset;      /* added to scales */
    bool flipped;       /* each code is taken with its lowest bit turned: step.h */
    int64_t heads;      /* whose rows stand in llama.cpp's order; 0: rows stand as they are seen */
    struct laser_tensor *parts[LASER_CODED_PARTS]; /* owned, or NULL */
};

/* A rectangle of one matrix of the stored form. */
struct laser_coded_window {
    int64_t slice;
    int64_t row0;
    int64_t n_rows;
    int64_t col0;
    int64_t n_cols;
};

/* Puts coded tensors in the place of their parts.  LASER_EINPUT: a part missing or of the wrong shape,
 * parameters that the format does not have. */
int laser_coded_resolve(struct laser_checkpoint *c, struct laser_error *err);

/* config.json as of a model of floating numbers, where a tensor is coded: without what it says of the
 * quantisation. */
void laser_coded_clean_config(struct laser_checkpoint *c);

/* The name of a tensor's format: its coding or its dtype. */
const char *laser_coded_format(const struct laser_tensor *t);

/* Why a tensor cannot be read (LASER_CODED_ALONE), or NULL. */
const char *laser_coded_reason(const struct laser_tensor *t);

/* Bytes that the files have of a tensor: of everything that it is made of, scales included. */
int64_t laser_coded_file_bytes(const struct laser_tensor *t);

/* Of weights whose files are not there.  Bits that a weight takes, with its scales, by what config.json says of the
 * quantisation; 0: it says nothing, or of a method that is not known here. */
double laser_coded_config_bits(const struct laser_checkpoint *c);
/* Does config.json leave the tensors of this name as they are? */
bool laser_coded_config_spares(const struct laser_checkpoint *c, const char *name);

/* Has the checkpoint a coded tensor? */
bool laser_coded_any(const struct laser_checkpoint *c);

void laser_coded_free(struct laser_coded *k); /* NULL is allowed */

/* Bytes of the tensor as it is seen: whole elements.  LASER_EINPUT: scales that are not finite, or of a shape
 * that does not fit. */
int laser_coded_read(const struct laser_checkpoint *c, const struct laser_tensor *t, int64_t byte_offset,
                     int64_t n_bytes, void *dst, struct laser_error *err);

/* n_rows rows, counted through all matrices of a stack, of n_cols elements from col0 on: dense, in the
 * tensor's type. */
int laser_coded_read_rows(const struct laser_checkpoint *c, const struct laser_tensor *t, int64_t row0,
                          int64_t n_rows, int64_t col0, int64_t n_cols, void *dst, struct laser_error *err);

/* Both, for laser_checkpoint_state_init. */
extern const struct laser_coded_reader laser_coded_reader;

/* Values of a window, not yet rounded to the tensor's type, dense. */
int laser_coded_rows(const struct laser_checkpoint *c, const struct laser_tensor *t,
                     const struct laser_coded_window *w, double *dst, struct laser_error *err);
int laser_coded_transposed(const struct laser_checkpoint *c, const struct laser_tensor *t,
                           const struct laser_coded_window *w, double *dst, struct laser_error *err);
int laser_coded_blocks(const struct laser_checkpoint *c, const struct laser_tensor *t,
                       const struct laser_coded_window *w, double *dst, struct laser_error *err);
/* Is it known where the codes of this type of block stand? */
bool laser_coded_flips_blocks(const struct laser_coded *k);
int laser_coded_product(const struct laser_checkpoint *c, const struct laser_tensor *t,
                        const struct laser_coded_window *w, double *dst, struct laser_error *err);
int laser_coded_combined(const struct laser_checkpoint *c, const struct laser_tensor *t,
                         const struct laser_coded_window *w, double *dst, struct laser_error *err);
int laser_coded_alone(const struct laser_checkpoint *c, const struct laser_tensor *t,
                      const struct laser_coded_window *w, double *dst, struct laser_error *err);
int laser_coded_flat(const struct laser_checkpoint *c, const struct laser_tensor *t,
                     const struct laser_coded_window *w, double *dst, struct laser_error *err);

/* ---- for the decoders ---- */

/* Bytes first_byte ... of rows row0 ... of a part that is seen as rows of row_bytes. *bytes is malloc'ed. */
int laser_coded_bytes(const struct laser_checkpoint *c, const struct laser_tensor *part, int64_t row_bytes,
                      int64_t row0, int64_t n_rows, int64_t first_byte, int64_t n_bytes,
                      unsigned char **bytes, struct laser_error *err);

/* The same as float64: columns of a part of n_cols_all columns. */
int laser_coded_doubles(const struct laser_checkpoint *c, const struct laser_tensor *part, int64_t n_cols_all,
                        int64_t row0, int64_t n_rows, int64_t col0, int64_t n_cols, double **values,
                        struct laser_error *err);

/* Code number i of a stream of codes of `bits` bits (8 at most), lowest bit first. The byte behind the last
 * must be readable. */
static inline unsigned laser_coded_bits(const unsigned char *stream, int64_t i, int bits)
{
    const int64_t at = i * bits;
    const unsigned two = stream[at / 8] | (unsigned)stream[at / 8 + 1] << 8;

    return two >> (at % 8) & ((1u << bits) - 1);
}

#endif
