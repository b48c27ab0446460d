/* Rotary positions: from the options of a model to the frequencies. */
#ifndef LASER_ARCH_ROPE_H
#define LASER_ARCH_ROPE_H

#include "arch/arch.h"
#include "arch/config_reader.h"

struct laser_family;

/* Fills arch->rope, arch->local_rope and arch->temperature from rope_parameters, rope_scaling and the keys
 * beside them.  arch->head_size and arch->max_positions are set.  Errors go into *config. */
void laser_rope_read(struct laser_config *config, const struct laser_family *family, struct laser_arch *arch);

/* YaRN's factor of attention for a stretch. */
double laser_rope_mscale(double factor, double mscale);

/* inverse_frequency[R / 2] in radians per position for sequences of `length` tokens: it matters to the
 * dynamic and the longrope kind only.  The roundings to float32 are those of transformers. */
void laser_rope_frequencies(const struct laser_rope *rope, int64_t length, float *inverse_frequency);

/* Whether the frequencies depend on the length of the sequence. */
bool laser_rope_depends_on_length(const struct laser_rope *rope);

void laser_rope_free(struct laser_rope *rope);

#endif
