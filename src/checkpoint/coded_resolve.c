/* Which tensors of a checkpoint are parts of quantised ones: by their names and types; config.json gives what
 * these do not tell. */
#include "config.h" /* _GNU_SOURCE */

#include "checkpoint/coded_resolve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/state.h"

static const char *const config_keys[] = {"quantization_config", "compression_config", "quantization"};

/* Untouched tensors and made ones become the catalogue. */
static int replace_tensors(struct laser_resolver *r)
{
    struct laser_checkpoint *c = r->c;
    int64_t kept = 0;

    for (int64_t i = 0; i < c->n_tensors; i++) {
        if (r->taken[i])
            free(c->tensors[i].name);
        else
            c->tensors[kept++] = c->tensors[i];
    }
    memcpy(c->tensors + kept, r->made, (size_t)r->n_made * sizeof *r->made);
    c->n_tensors = kept + r->n_made;
    r->n_made = 0;
    return laser_checkpoint_sort(c, r->err);
}

const json_t *laser_resolve_config(const struct laser_checkpoint *c)
{
    for (size_t i = 0; i < sizeof config_keys / sizeof config_keys[0]; i++) {
        const json_t *found = json_object_get(c->config, config_keys[i]);

        if (!json_is_object(found))
            found = json_object_get(json_object_get(c->config, "text_config"), config_keys[i]);
        if (json_is_object(found))
            return found;
    }
    return NULL;
}

/* A method of another name, and tensors of more than one dimension that are no floating numbers. */
static int check_method(const struct laser_resolver *r)
{
    static const char known[] = "fp8, fbgemm_fp8, compressed-tensors, mxfp4, modelopt (NVFP4), gptq, awq, "
                                "bitsandbytes, MLX";
    const struct laser_checkpoint *c = r->c;

    if (r->method[0] == '\0' || strstr(known, r->method) != NULL)
        return LASER_OK;
    for (int64_t i = 0; i < c->n_tensors; i++) {
        const struct laser_tensor *t = &c->tensors[i];

        if (!r->taken[i] && t->n_dims >= 2 && t->coded == NULL && !laser_dtype_is_float(t->dtype))
            return laser_error_set(r->err, LASER_EINPUT, t->name,
                                   "weights quantised by the method \"%.60s\" are not read (%s found); "
                                   "known: %s. Load the model with its "
                                   "own library, dequantize it and save it in bfloat16",
                                   r->method, laser_dtype_name(t->dtype), known);
    }
    return LASER_OK;
}

static int resolve_all(struct laser_resolver *r)
{
    static int (*const recognisers[])(struct laser_resolver *, const struct laser_tensor *, bool *) = {
        laser_resolve_bitsandbytes, laser_resolve_fp4, laser_resolve_packed, laser_resolve_turned,
        laser_resolve_floats};
    int code = LASER_OK;

    for (int64_t i = 0; code == LASER_OK && i < r->c->n_tensors; i++) {
        bool known = r->taken[i];

        for (size_t k = 0; code == LASER_OK && !known && k < sizeof recognisers / sizeof recognisers[0]; k++)
            code = recognisers[k](r, &r->c->tensors[i], &known);
    }
    if (code == LASER_OK)
        code = check_method(r);
    return code == LASER_OK && r->n_made > 0 ? replace_tensors(r) : code;
}

void laser_coded_clean_config(struct laser_checkpoint *c)
{
    json_t *text = json_object_get(c->config, "text_config");

    if (!laser_coded_any(c))
        return;
    for (size_t i = 0; i < sizeof config_keys / sizeof config_keys[0]; i++) {
        json_object_del(c->config, config_keys[i]);
        json_object_del(text, config_keys[i]);
    }
}

int laser_coded_resolve(struct laser_checkpoint *c, struct laser_error *err)
{
    struct laser_resolver r = {.c = c, .config = laser_resolve_config(c), .err = err};
    int code;

    r.method = json_string_value(json_object_get(r.config, "quant_method"));
    r.method = r.method != NULL ? r.method : "";
    r.taken = calloc((size_t)c->n_tensors + 1, sizeof *r.taken);
    r.made = calloc((size_t)c->n_tensors + 1, sizeof *r.made);
    code = r.taken != NULL && r.made != NULL ? resolve_all(&r) : laser_resolve_no_memory(&r);
    for (int64_t i = 0; r.made != NULL && i < r.n_made; i++) {
        laser_coded_free(r.made[i].coded);
        free(r.made[i].name);
    }
    free(r.taken);
    free(r.made);
    if (code == LASER_OK)
        laser_coded_clean_config(c);
    return code;
}
