/* Tokens that end a text: eos_token_id of generation_config.json (a number or a list), else of config.json,
 * else the tokenizer's.
 */
#ifndef LASER_GENERATE_STOP_H
#define LASER_GENERATE_STOP_H

#include <stdbool.h>
#include <stdint.h>

#include "checkpoint/checkpoint.h"
#include "tokenizer/tokenizer.h"

enum { LASER_STOP_MOST = 32 };

struct laser_stop {
    int32_t ids[LASER_STOP_MOST];
    int n;
};

/* LASER_EINPUT: generation_config.json is no JSON, an id is no number or there are too many.  LASER_EIO. */
int laser_stop_read(const struct laser_checkpoint *checkpoint, const struct laser_tokenizer *tokenizer,
                    struct laser_stop *stop, struct laser_error *err);

bool laser_stop_has(const struct laser_stop *stop, int32_t id);

#endif
