/* What becomes of the keys of config.json that no reader asks for, as data.
 *
 * A key is one of these:
 *   read         arch.c asks for it
 *   guarded      it changes what transformers computes, and one value of it only is supported: any other is
 * refused bookkeeping  it has no influence (training, generation, names): not worth a word unknown
 * transformers does not read it for this model type: one line says so tests/golden/config_keys.json has what
 * each key does in transformers; tests/model/test_model_config.c holds the reader and these tables against it. */
#ifndef LASER_ARCH_CONFIG_POLICY_H
#define LASER_ARCH_CONFIG_POLICY_H

/* Lists end with a NULL key. */
struct laser_config_guard {
    const char *key;
    const char *neutral; /* the value that is supported, as JSON */
};

/* Another name that the class has for a key.  Where a file has both, transformers takes the alias. */
struct laser_config_alias {
    const char *alias, *key;
};

extern const struct laser_config_guard laser_config_guards_causal[];
extern const struct laser_config_guard laser_config_guards_gpt2[];
extern const struct laser_config_guard laser_config_guards_gpt_neo[];
extern const struct laser_config_guard laser_config_guards_masked[];
extern const struct laser_config_guard laser_config_guards_rope[]; /* of rope_parameters */

extern const struct laser_config_alias laser_config_aliases_gpt[];
extern const struct laser_config_alias laser_config_aliases_experts[];
extern const struct laser_config_alias laser_config_aliases_local_experts[];
extern const struct laser_config_alias laser_config_aliases_routed_experts[];
extern const struct laser_config_alias laser_config_aliases_glm4_lite[];
extern const struct laser_config_alias laser_config_aliases_sarvam[];
extern const struct laser_config_alias laser_config_aliases_deepseek2[];
extern const struct laser_config_alias laser_config_aliases_ernie_moe[];
extern const struct laser_config_alias laser_config_aliases_hunyuan_moe[];
extern const struct laser_config_alias laser_config_aliases_exaone[];
extern const struct laser_config_alias laser_config_aliases_internlm3[];
extern const struct laser_config_alias laser_config_aliases_gpt_neo[];
extern const struct laser_config_alias laser_config_aliases_bloom[];
extern const struct laser_config_alias laser_config_aliases_falcon[];
extern const struct laser_config_alias laser_config_aliases_mpt[];
extern const struct laser_config_alias laser_config_aliases_distilbert[];
extern const struct laser_config_alias laser_config_aliases_block_types[];
extern const struct laser_config_alias laser_config_aliases_indexed[];
extern const struct laser_config_alias laser_config_aliases_nemotron_h[];
extern const struct laser_config_alias laser_config_aliases_lfm2[];
extern const struct laser_config_alias laser_config_aliases_lfm2_moe[];

extern const char *const laser_config_bookkeeping[];
extern const char *const laser_config_bookkeeping_rope[];

#endif
