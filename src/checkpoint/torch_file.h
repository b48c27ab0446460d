/* pytorch_model.bin: an archive with a pickle and one file for each storage. */
#ifndef LASER_CHECKPOINT_TORCH_FILE_H
#define LASER_CHECKPOINT_TORCH_FILE_H

#include "checkpoint/safetensors.h"

/* The tensors of a file that torch.save wrote, as those of a safetensors header: name, type, shape and place.
 * Tensors may share their bytes.  LASER_EINPUT: no such file; what zip.h and pickle.h refuse; storages of
 * another size than the pickle says; strided views other than a whole transposed matrix. */
int laser_torch_read_header(const char *file, struct laser_safetensors_header *header, int64_t *size_bytes,
                            int64_t *mtime_ns, struct laser_error *err);

#endif
