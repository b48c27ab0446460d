/* Inside of src/arch: what differs from layer to layer. */
#ifndef LASER_ARCH_LAYERS_H
#define LASER_ARCH_LAYERS_H

#include "arch/family.h"

/* Windows, and which rotary positions a layer has. */
void laser_layers_read(struct laser_config *config, const struct laser_family *family,
                       struct laser_arch *arch);

/* mixers.c.  Does this word of layer_types name the family's mixer? */
bool laser_mixers_is_word(const struct laser_family *family, const char *type);

/* The layers of a model of single blocks. */
int64_t laser_mixers_count(struct laser_config *config);

/* Which layers have what before their MLP; its sizes. */
void laser_mixers_mark(struct laser_config *config, const struct laser_family *family,
                       struct laser_arch *arch);
void laser_mixers_read(struct laser_config *config, const struct laser_family *family,
                       struct laser_arch *arch);

/* Experts and the layers that have them. */
void laser_experts_read(struct laser_config *config, const struct laser_family *family,
                        struct laser_arch *arch);

#endif
