/* config.json with a memory: every key that is asked for is marked, so that what nobody asked for can be
 * judged by a policy (arch/config_policy.h). Errors are sticky: the first one stays in *err, later calls
 * return defaults. */
#ifndef LASER_ARCH_CONFIG_READER_H
#define LASER_ARCH_CONFIG_READER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct laser_config_guard;

enum { LASER_CONFIG_KEYS = 96, LASER_CONFIG_IGNORED_BYTES = 512 };

struct laser_config {
    json_t *object;
    const char *path;   /* for messages */
    const char *prefix; /* "" or "rope_scaling.": for messages */
    const char *asked[LASER_CONFIG_KEYS];
    int asked_count;
    char ignored[LASER_CONFIG_IGNORED_BYTES]; /* keys without influence that are not mere bookkeeping, "a, b"
                                               */
    int result;                               /* LASER_OK or the code of the first error */
    struct laser_error *err;
};

/* A default that means: the key must be there. */
#define LASER_CONFIG_REQUIRED INT64_MIN

/* The value, or NULL where the key is missing or null.  Marks the key. */
json_t *laser_config_value(struct laser_config *config, const char *key);

int64_t laser_config_integer(struct laser_config *config, const char *key, int64_t otherwise, int64_t least,
                             int64_t most);

/* The layer that an entry of a list of layer numbers names; what is none is refused.  -1: refused, or behind the last layer, which
 * is refused too where `within` is set. */
int64_t laser_config_layer(struct laser_config *config, const char *key, size_t index, const json_t *entry,
                           int64_t layers, bool within);

/* Every period-th layer from *first on, by two keys with their defaults.  Returns the period.  An offset that is not below the period
 * is refused. */
int64_t laser_config_period(struct laser_config *config, const char *period_key, int64_t period,
                            const char *offset_key, int64_t offset, int64_t *first);
double laser_config_real(struct laser_config *config, const char *key, double otherwise, double least,
                         double most);
bool laser_config_bool(struct laser_config *config, const char *key, bool otherwise);
const char *laser_config_text(struct laser_config *config, const char *key, const char *otherwise);

/* Records LASER_EINPUT about a key. */
void laser_config_refuse(struct laser_config *config, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Judges the keys that nobody asked for.  One that a guard names is refused by name where its value is not
 * the guard's.  Any other is one that transformers does not read either: it is added to `ignored` unless it
 * is bookkeeping (a NULL-terminated list; "x*": all that begin with x) or null, false, 0 or empty. */
void laser_config_judge(struct laser_config *config, const struct laser_config_guard *guards,
                        const char *const *bookkeeping, const char *model_type);

/* Adds the ignored keys of a part of the file (rope_parameters) to those of the whole. */
void laser_config_ignore(struct laser_config *config, const char *keys);

#endif
