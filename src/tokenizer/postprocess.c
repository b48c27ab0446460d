#include "tokenizer/parts.h"

#include <stdlib.h>
#include <string.h>

static int bad(struct laser_error *err, const char *what)
{
    return laser_error_set(err, LASER_EINPUT, NULL, "post_processor: %s", what);
}

static int add_id(const json_t *id, struct laser_ids *to, struct laser_error *err)
{
    if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > LASER_VOCAB_MAX_ID)
        return bad(err, "an id is not a whole number in range");
    laser_ids_add(to, (int32_t)json_integer_value(id));
    return to->failed ? laser_error_set(err, LASER_ENOMEM, NULL, "no memory for the post-processor")
                      : LASER_OK;
}

/* "sep" and "cls" are [token, id]. */
static int load_bert(const json_t *j, struct laser_postprocessor *p, struct laser_error *err)
{
    int rc = add_id(json_array_get(json_object_get(j, "cls"), 1), &p->before, err);
    return rc == LASER_OK ? add_id(json_array_get(json_object_get(j, "sep"), 1), &p->after, err) : rc;
}

static int load_template(const json_t *j, struct laser_postprocessor *p, struct laser_error *err)
{
    const json_t *single = json_object_get(j, "single"), *tokens = json_object_get(j, "special_tokens");
    int sequences = 0, rc = LASER_OK;
    if (!json_is_array(single))
        return bad(err, "TemplateProcessing without \"single\"");
    for (size_t i = 0; i < json_array_size(single) && rc == LASER_OK; i++) {
        const json_t *piece = json_array_get(single, i), *special = json_object_get(piece, "SpecialToken");
        const char *sequence = json_string_value(json_object_get(json_object_get(piece, "Sequence"), "id"));
        const char *id = json_string_value(json_object_get(special, "id"));
        const json_t *ids = id ? json_object_get(json_object_get(tokens, id), "ids") : NULL;
        if (sequence && strcmp(sequence, "A") == 0)
            sequences++;
        else if (!json_is_array(ids))
            return bad(err,
                       "TemplateProcessing: a piece is neither the sequence A nor one of the special_tokens");
        for (size_t k = 0; !sequence && k < json_array_size(ids) && rc == LASER_OK; k++)
            rc = add_id(json_array_get(ids, k), sequences ? &p->after : &p->before, err);
    }
    if (rc == LASER_OK && sequences != 1)
        rc =
            bad(err, "a TemplateProcessing in which the sequence is not there exactly once is not supported");
    return rc;
}

static int load_sequence(const json_t *j, struct laser_postprocessor *p, int *changes,
                         struct laser_error *err);

/* changes counts the processors that add ids. */
static int load_one(const json_t *j, struct laser_postprocessor *p, int *changes, struct laser_error *err)
{
    const char *type = laser_json_type(j);
    if (strcmp(type, "ByteLevel") == 0) /* offsets only */
        return LASER_OK;
    if (strcmp(type, "Sequence") == 0)
        return load_sequence(j, p, changes, err);
    if (++*changes > 1)
        return bad(err, "a Sequence of more than one processor that adds tokens is not supported");
    if (strcmp(type, "TemplateProcessing") == 0)
        return load_template(j, p, err);
    if (strcmp(type, "RobertaProcessing") == 0 || strcmp(type, "BertProcessing") == 0)
        return load_bert(j, p, err);
    return laser_error_set(err, LASER_EINPUT, NULL, "post_processor \"%.100s\" is not supported", type);
}

static int load_sequence(const json_t *j, struct laser_postprocessor *p, int *changes,
                         struct laser_error *err)
{
    const json_t *list = json_object_get(j, "processors");
    int rc = json_is_array(list) ? LASER_OK : bad(err, "Sequence without \"processors\"");
    for (size_t i = 0; i < json_array_size(list) && rc == LASER_OK; i++)
        rc = load_one(json_array_get(list, i), p, changes, err);
    return rc;
}

int laser_postprocessor_load(const json_t *j, struct laser_postprocessor *p, struct laser_error *err)
{
    int changes = 0;
    return !j || json_is_null(j) ? LASER_OK : load_one(j, p, &changes, err);
}

void laser_postprocessor_free(struct laser_postprocessor *p)
{
    free(p->before.at);
    free(p->after.at);
    memset(p, 0, sizeof(*p));
}
