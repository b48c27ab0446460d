/* The state dicts that torch.save writes, without running anything: of the opcodes of pickle only those that
 * build numbers, texts, tuples and dicts, and of the names that a pickle may call only those that rebuild
 * tensors.  Everything else is refused by name.
 */
#ifndef LASER_CHECKPOINT_PICKLE_H
#define LASER_CHECKPOINT_PICKLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "checkpoint/safetensors.h"

#define LASER_PICKLE_MAX_BYTES (INT64_C(1) << 26)

/* A view of a storage; counts are in elements. */
struct laser_pickle_tensor {
    char *name;    /* key in the state dict */
    char *storage; /* name of the file in the archive */
    int64_t storage_elements;
    enum laser_dtype dtype;
    int n_dims;
    int64_t shape[LASER_MAX_DIMS];
    int64_t stride[LASER_MAX_DIMS];
    int64_t offset;
};

struct laser_pickle {
    int64_t n_tensors;
    struct laser_pickle_tensor
        *tensors;     /* in the order of the dict; names are unique, every element lies in its storage */
    int64_t n_others; /* entries that are no tensors */
};

/* Reads a pickle of n bytes.  LASER_EINPUT: a damaged pickle, an opcode or a name that is refused, a dict
 * without tensors, a tensor that leaves its storage.  LASER_ENOMEM.  On LASER_OK free with laser_pickle_free.
 */
int laser_pickle_parse(const char *file, const void *bytes, int64_t n, struct laser_pickle *p,
                       struct laser_error *err);
void laser_pickle_free(struct laser_pickle *p);

/* Does the tensor stand as its shape says, row after row? */
bool laser_pickle_is_contiguous(const struct laser_pickle_tensor *t);

#endif
