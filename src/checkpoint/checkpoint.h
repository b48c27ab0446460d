/* A Hugging Face checkpoint as a catalogue of named tensors, and reads from it.
 *
 * The catalogue is opened by one process (rank 0), packed into bytes, and unpacked by the others, who then
 * read without having parsed anything.  Open, redirect and close are not to run beside other calls on the
 * same checkpoint; find and read may run in several threads at once.
 */
#ifndef LASER_CHECKPOINT_CHECKPOINT_H
#define LASER_CHECKPOINT_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/error.h"
#include "checkpoint/safetensors.h"

struct laser_checkpoint_file {
    char *name; /* "model-00001-of-00002.safetensors" */
    char *path; /* as it is opened; symlinks are followed by the system */
    int64_t size_bytes;
    int64_t mtime_ns;
    int64_t data_start;
    uint64_t header_hash; /* XXH3 of the header text */
};

struct laser_checkpoint_state; /* descriptors and redirections */

struct laser_checkpoint {
    char *model;             /* as the user named it */
    char *dir;               /* the folder that holds the files */
    char *index;             /* name of the shard index in dir, or NULL */
    bool single_file;        /* the user named one .safetensors file, not a directory */
    bool copy_other_weights; /* the writer takes along what beside.h says; false unless the owner sets it */
    bool requantise; /* the writer makes codes of edited values (encode.h); false unless the owner sets it */
    bool anew;       /* a writer makes new files of the tensors as they are seen: cast.h */
    int64_t total_size_bytes; /* of all tensors */
    int n_files;
    struct laser_checkpoint_file *files;
    int64_t n_tensors;
    struct laser_tensor
        *tensors;      /* sorted by name (strcmp); quantised ones as they are once widened: coded.h */
    char *config_text; /* config.json, byte for byte, or NULL */
    json_t *config;    /* the same, parsed, or NULL */
    struct laser_checkpoint_state *state;
};

/* Opens a model: a directory, one .safetensors, .gguf or pytorch .bin file, a shard index (*.index.json), or
 * `org/name` or `org/name@revision` looked up in the local hub cache (HF_HUB_CACHE, else HF_HOME/hub, else
 * XDG_CACHE_HOME/huggingface/hub, else ~/.cache/huggingface/hub).  An existing path wins over a name.
 * Nothing is ever downloaded.  *out is owned by the caller.
 * LASER_EINPUT (no such model, and where it was looked for; a broken file; a tensor in two shards; a shard
 * missing), LASER_EIO, LASER_ENOMEM. */
int laser_checkpoint_open(const char *model, struct laser_checkpoint **out, struct laser_error *err);
void laser_checkpoint_close(struct laser_checkpoint *c); /* NULL is allowed */

/* A catalogue of tensors that stand in one file of another format (HDF5): contiguous, little-endian,
 * row-major, at `offset` from the start of the file.  Everything is copied.  LASER_EINPUT (a name twice),
 * LASER_EIO, LASER_ENOMEM. */
int laser_checkpoint_assemble(const char *path, const struct laser_tensor *tensors, int64_t n,
                              struct laser_checkpoint **out, struct laser_error *err);

/* The tensor of this name or NULL; laser_checkpoint_find_index gives its index or -1. */
const struct laser_tensor *laser_checkpoint_find(const struct laser_checkpoint *c, const char *name);
int64_t laser_checkpoint_find_index(const struct laser_checkpoint *c, const char *name);

/* Reads n_bytes of a tensor of c, from byte_offset within the tensor, through its redirection if it has one.
 * LASER_EIO if the file is shorter than it was or cannot be read: file, position, found and expected. */
int laser_checkpoint_read(const struct laser_checkpoint *c, const struct laser_tensor *tensor,
                          int64_t byte_offset, int64_t n_bytes, void *dst, struct laser_error *err);

/* n runs of `run` elements, `stride` elements apart, the first from element `first` on, into dense rows. */
int laser_checkpoint_read_runs(const struct laser_checkpoint *c, const struct laser_tensor *tensor,
                               int64_t first, int64_t n, int64_t run, int64_t stride, void *dst,
                               struct laser_error *err);

/* The catalogue as bytes (redirections included) for a broadcast, and back.  *buf is malloc'ed. unpack
 * checks what it is given: LASER_EINPUT. */
int laser_checkpoint_pack(const struct laser_checkpoint *c, void **buf, size_t *n, struct laser_error *err);
int laser_checkpoint_unpack(const void *buf, size_t n, struct laser_checkpoint **out,
                            struct laser_error *err);

/* Later reads of this tensor come from another file: `offset` is where its bytes start there, in the tensor's
 * own dtype and shape.  offset < 0: path is a safetensors file that holds a tensor of the same name, dtype
 * and shape.  A second redirection replaces the first; path NULL goes back to the checkpoint's own data.
 * LASER_EINPUT (no such tensor, the file is too short or holds another shape), LASER_EIO, LASER_ENOMEM: the
 * earlier state is kept. */
int laser_checkpoint_redirect(struct laser_checkpoint *c, const char *name, const char *path, int64_t offset,
                              struct laser_error *err);
bool laser_checkpoint_is_redirected(const struct laser_checkpoint *c, const struct laser_tensor *tensor);

/* What a restart compares.  `content` hashes names, dtypes, shapes, offsets, file names, sizes, header hashes
 * and config.json; `times` hashes the modification times of the files.  Redirections do not count. */
struct laser_checkpoint_fingerprint {
    uint64_t content;
    uint64_t times;
};
struct laser_checkpoint_fingerprint laser_checkpoint_fingerprint(const struct laser_checkpoint *c);

#endif
