/* Towers: parts of a model that count their layers each for itself (vision and text, encoder and decoder).
 * The tower of a tensor is what stands before its layer number: "vision_tower.encoder.layers". */
#ifndef LASER_CHECKPOINT_TOWERS_H
#define LASER_CHECKPOINT_TOWERS_H

#include <stddef.h>

/* Length of the tower at the start of a name; 0 where there is no layer number, or nothing before it. */
size_t laser_tower_length(const char *name);

/* Which rows have a type that occurs in more than one tower: their place is tower, layer and type.  shared:
 * [n], 0 or
 * 1.  Returns 0 without memory. */
int laser_towers_share(const char *const *names, const char *const *types, size_t n, unsigned char *shared);

/* "vision_tower.encoder.layers:self_attn.q_proj"; malloc'ed, NULL without memory. */
char *laser_tower_type(const char *name, const char *type);

#endif
