/* The GGUF format: metadata and tensors of llama.cpp in one file. */
#ifndef LASER_CHECKPOINT_GGUF_H
#define LASER_CHECKPOINT_GGUF_H

#include <jansson.h>

#include "checkpoint/checkpoint.h"

/* Numbers of the types in the file that are read; others are refused by name. */
enum laser_ggml_type {
    LASER_GGML_F32 = 0,
    LASER_GGML_F16 = 1,
    LASER_GGML_Q4_0 = 2,
    LASER_GGML_Q4_1 = 3,
    LASER_GGML_Q5_0 = 6,
    LASER_GGML_Q5_1 = 7,
    LASER_GGML_Q8_0 = 8,
    LASER_GGML_Q2_K = 10,
    LASER_GGML_Q3_K = 11,
    LASER_GGML_Q4_K = 12,
    LASER_GGML_Q5_K = 13,
    LASER_GGML_Q6_K = 14,
    LASER_GGML_IQ4_NL = 20,
    LASER_GGML_IQ4_XS = 23,
    LASER_GGML_F64 = 28,
    LASER_GGML_BF16 = 30,
    LASER_GGML_MXFP4 = 39
};

#define LASER_GGML_MAX_BLOCK 256

/* Name, elements and bytes of a block; NULL for a type that is not read. */
const char *laser_ggml_name(int64_t type);
int64_t laser_ggml_block(int type);
int64_t laser_ggml_block_bytes(int type);

/* One block as numbers.  They are exact products and sums, which the reference (PyPI's gguf) rounds once to
 * float32. */
void laser_ggml_decode(int type, const unsigned char *block, double *values);

struct laser_gguf_tensor {
    char *name;
    int type;
    int n_dims;
    int64_t shape[LASER_MAX_DIMS]; /* row-major: the file's order turned round */
    int64_t offset;                /* from the start of the file */
    int64_t size_bytes;
};

struct laser_gguf {
    json_t *metadata; /* long arrays, those of the vocabulary, are null unless they were asked for */
    int64_t n_tensors;
    struct laser_gguf_tensor *tensors;
    int64_t data_start;
    uint64_t hash; /* XXH3 of everything before the data */
};

/* Takes apart the first n bytes of a file of size_bytes.  *more: n was too small and should be larger.
 * vocabulary: with the long arrays of the metadata; a text that is not UTF-8 is null in them.
 * LASER_EINPUT: not GGUF, another version or byte order, truncated, a type that is not read, a name twice,
 * data outside the file. On LASER_OK free with laser_gguf_free. */
int laser_gguf_parse(const char *file, const void *bytes, int64_t n, int64_t size_bytes, bool vocabulary,
                     struct laser_gguf *g, bool *more, struct laser_error *err);
int laser_gguf_read(const char *file, bool vocabulary, struct laser_gguf *g, int64_t *size_bytes,
                    int64_t *mtime_ns, struct laser_error *err);
void laser_gguf_free(struct laser_gguf *g);

/* Does the name end so? */
bool laser_gguf_is_file(const char *name);

/* Makes a file the catalogue of c, whose dir and first file's name are known: tensors under their Hugging
 * Face names, where the architecture is known (llama, mixtral, qwen2, qwen3 and their mixtures of experts),
 * with the rows of llama's q and k in the order of transformers; config.json from the metadata. */
int laser_gguf_catalogue(struct laser_checkpoint *c, struct laser_error *err);

#endif
