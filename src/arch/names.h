/* What a tensor's name says about it. */
#ifndef LASER_ARCH_NAMES_H
#define LASER_ARCH_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* The first component that is a number, or -1.  *rest (may be NULL) is what follows it, or the whole name. */
int laser_name_layer(const char *name, const char **rest);

/* Why a 2-D or 3-D tensor of this name is no weight of a linear layer inside a numbered layer, or NULL if it
 * is one.  Static text. */
const char *laser_name_skip_reason(const char *name);

/* The component before `.weight`, or the last one: "q_proj".  Not terminated: *length characters. */
const char *laser_name_module(const char *name, size_t *length);
bool laser_name_module_is(const char *name, const char *module);

/* Name order in which layers.2 stands before layers.10. */
int laser_name_compare(const char *a, const char *b);

#endif
