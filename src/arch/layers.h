/* Inside of src/arch: what differs from layer to layer. */
#ifndef LASER_ARCH_LAYERS_H
#define LASER_ARCH_LAYERS_H

#include "arch/family.h"

/* Windows, and which rotary positions a layer has. */
void laser_layers_read(struct laser_config *config, const struct laser_family *family,
                       struct laser_arch *arch);

/* Experts and the layers that have them. */
void laser_experts_read(struct laser_config *config, const struct laser_family *family,
                        struct laser_arch *arch);

#endif
