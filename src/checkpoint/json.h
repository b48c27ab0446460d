/* JSON files of a model directory: config.json, generation_config.json, tokenizer_config.json, shard indexes.
 *
 * A UTF-8 byte order mark and CRLF line ends are accepted, and what Python's json reads (base/json_read.h):
 * NaN, Infinity and -Infinity become the strings "NaN", "Infinity" and "-Infinity"; laser_json_get_real
 * understands them.
 */
#ifndef LASER_CHECKPOINT_JSON_H
#define LASER_CHECKPOINT_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/error.h"

#define LASER_JSON_MAX_DEPTH 64
#define LASER_JSON_MAX_BYTES (INT64_C(1) << 30)

enum {
    LASER_JSON_UNIQUE_KEYS = 1, /* a key that occurs twice in one object is an error */
    LASER_JSON_STRICT = 2       /* JSON alone, as safetensors reads its headers */
};

/* Parses a file or a text.  `file` names it in errors.  *root is owned by the caller (json_decref).
 * LASER_EIO (not readable), LASER_EINPUT (syntax with line and column, deeper than LASER_JSON_MAX_DEPTH). */
int laser_json_load(const char *file, unsigned flags, json_t **root, struct laser_error *err);
int laser_json_parse(const char *file, const char *text, size_t length, unsigned flags, json_t **root,
                     struct laser_error *err);

/* Typed members of an object.  A missing key, null where a value is needed, or another type is LASER_EINPUT
 * with the file, the key, what was found and what was expected.  A fractional number is not an integer. */
int laser_json_get_int(const json_t *object, const char *file, const char *key, int64_t *value,
                       struct laser_error *err);
int laser_json_get_size(const json_t *object, const char *file, const char *key, int64_t *value,
                        struct laser_error *err); /* an integer >= 0 */
int laser_json_get_real(const json_t *object, const char *file, const char *key, double *value,
                        struct laser_error *err);
int laser_json_get_bool(const json_t *object, const char *file, const char *key, bool *value,
                        struct laser_error *err);
int laser_json_get_string(const json_t *object, const char *file, const char *key, const char **value,
                          struct laser_error *err); /* lives as long as object */
int laser_json_get_object(const json_t *object, const char *file, const char *key, json_t **value,
                          struct laser_error *err); /* borrowed */
int laser_json_get_array(const json_t *object, const char *file, const char *key, json_t **value,
                         struct laser_error *err); /* borrowed */

/* True if the key is there and is not null: guards an optional member. */
bool laser_json_has(const json_t *object, const char *key);

/* "an object", "a string", "an integer", ...: words for messages; NULL gives "nothing". */
const char *laser_json_type_name(const json_t *value);

#endif
