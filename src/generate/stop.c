#include "generate/stop.h"

#include <stdio.h>
#include <unistd.h>

#include "checkpoint/json.h"

static int add(struct laser_stop *stop, const json_t *id, const char *where, struct laser_error *err)
{
    if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > INT32_MAX ||
        stop->n == LASER_STOP_MOST)
        return laser_error_set(err, LASER_EINPUT, where,
                               "eos_token_id: expected a token id or up to %d of them", LASER_STOP_MOST);
    stop->ids[stop->n++] = (int32_t)json_integer_value(id);
    return LASER_OK;
}

static int take(struct laser_stop *stop, const json_t *config, const char *where, struct laser_error *err)
{
    const json_t *ids = json_object_get(config, "eos_token_id"), *id;
    size_t i;
    int code = LASER_OK;

    if (ids == NULL || json_is_null(ids))
        return LASER_OK;
    if (!json_is_array(ids))
        return add(stop, ids, where, err);
    json_array_foreach(ids, i, id) if (code == LASER_OK) code = add(stop, id, where, err);
    return code;
}

int laser_stop_read(const struct laser_checkpoint *c, const struct laser_tokenizer *tokenizer,
                    struct laser_stop *stop, struct laser_error *err)
{
    char path[4400];
    json_t *root = NULL;
    int32_t eos = laser_tokenizer_role_id(tokenizer, LASER_TOKEN_EOS);
    int code = LASER_OK;

    stop->n = 0;
    snprintf(path, sizeof path, "%s/generation_config.json", c->dir);
    if (access(path, F_OK) == 0)
        code = laser_json_load(path, 0, &root, err);
    if (code == LASER_OK)
        code = take(stop, root, path, err);
    if (code == LASER_OK && stop->n == 0)
        code = take(stop, c->config, "config.json", err);
    if (code == LASER_OK && stop->n == 0 && eos >= 0)
        stop->ids[stop->n++] = eos;
    json_decref(root);
    return code;
}

bool laser_stop_has(const struct laser_stop *stop, int32_t id)
{
    for (int i = 0; i < stop->n; i++)
        if (stop->ids[i] == id)
            return true;
    return false;
}
