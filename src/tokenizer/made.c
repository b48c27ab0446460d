/* Post-processors of tokenizers that are made. */
#include "tokenizer/made.h"

void laser_made_template(json_t *tokenizer, const char *const around[2], const json_int_t ids[2])
{
    json_t *single = json_array(), *special = json_object();

    for (int i = 0; i < 2; i++) {
        if (i == 1)
            json_array_append_new(single, json_pack("{s:{s:s, s:i}}", "Sequence", "id", "A", "type_id", 0));
        if (around[i] == NULL)
            continue;
        json_array_append_new(single,
                              json_pack("{s:{s:s, s:i}}", "SpecialToken", "id", around[i], "type_id", 0));
        json_object_set_new(
            special, around[i],
            json_pack("{s:s, s:[I], s:[s]}", "id", around[i], "ids", ids[i], "tokens", around[i]));
    }
    json_object_set_new(tokenizer, "post_processor",
                        json_pack("{s:s, s:o, s:[], s:o}", "type", "TemplateProcessing", "single", single,
                                  "pair", "special_tokens", special));
}
