/* The table of types in words: `laser_mpi models`, doc/models.md. */
#ifndef LASER_ARCH_MODELS_H
#define LASER_ARCH_MODELS_H

#include "arch/family.h"
#include "base/text.h"

/* What a type has, "rotary positions; sliding window; experts". */
void laser_models_variations(const struct laser_family *family, char *text, size_t size);

/* All types and wrappers, a line each. */
void laser_models_list(struct laser_text *out);

#endif
